"""Keys, proofs, credentials, trust, aids, and the hub server: what homes and hubs share.

Nothing here holds or opens a vault. Import from the submodules; this package promises no names.
"""

__all__: list[str] = []
