"""How long after its period an aid keeps its person: « une aide tous les cinq ans »."""

from typing import Final

from federation.aids.model import Aid

__all__ = ["COOL_DOWN", "MAX_COOL_DOWN", "cool_down_of"]

COOL_DOWN: Final = "coolDownMonths"
"""Member of an aid."""
MAX_COOL_DOWN: Final = 240
"""Twenty years in months: no aid asks for more."""


def cool_down_of(aid: Aid) -> int:
    """Months after its period in which an aid of the family cannot be had again; 0: none."""
    found = aid.extra.get(COOL_DOWN)
    return min(found, MAX_COOL_DOWN) if type(found) is int and found > 0 else 0
