"""The archive: everything of a vault in open formats, and back."""

from vault.archive.export import export
from vault.archive.restore import restore

__all__ = ["export", "restore"]
