"""The credentials a vault can show: readable, and not contested by the citizen."""

from typing import TYPE_CHECKING

from federation.credentials.held import Held, read_held
from federation.credentials.shape import ShapeError

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["held_by"]


def held_by(vault: "OpenVault", type: str | None = None) -> list[Held]:
    """The credentials the vault holds, of one type or of all, newest first; what cannot be read,
    or is contested by the citizen, is left out."""
    found = []
    for record in reversed(vault.credentials(type)):
        if "disputedAt" in record.extra:
            continue
        try:
            found.append(read_held(record.document))
        except ShapeError:
            continue
    return found
