"""The portal: pages, command line, attestation and the composition of home, hub and sandbox."""

__all__: list[str] = []
