"""SIRET: the fourteen digits of a French establishment, checked by their key."""

from typing import Final

__all__ = ["is_siret", "normal_siret"]

_LA_POSTE: Final = "356000000"
"""SIREN of La Poste, whose establishments have too many numbers for Luhn: INSEE accepts a digit
sum that is a multiple of five instead."""


def normal_siret(text: str) -> str:
    """Without the spaces and dots people type."""
    return "".join(c for c in text if not c.isspace() and c not in ".-")


def is_siret(text: str) -> bool:
    """14 digits whose Luhn sum is a multiple of 10 (La Poste's own rule: a sum of digits of 5)."""
    if len(text) != 14 or not text.isascii() or not text.isdigit():
        return False
    total = 0
    for index, char in enumerate(reversed(text)):
        digit = int(char) * (2 if index % 2 else 1)
        total += digit - 9 if digit > 9 else digit
    if total % 10 == 0:
        return any(c != "0" for c in text)
    return text.startswith(_LA_POSTE) and sum(map(int, text)) % 5 == 0
