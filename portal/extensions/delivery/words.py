"""Words of codes, French and English: for consent pages, lists and forms."""

from collections.abc import Mapping
from typing import Final

from schemas.extensions import Words


def _w(french: str, english: str) -> Words:
    return {"fr": french, "en": english}


DROPS: Final[Mapping[str, Words]] = {
    "hand": _w("En main propre", "In person"),
    "neighbour": _w("Chez un voisin", "With a neighbour"),
    "safe-place": _w("Dans un endroit sûr", "In a safe place"),
    "relay": _w("En point relais", "At a pick-up point"),
    "locker": _w("En consigne", "In a locker"),
}
CHOICES: Final[Mapping[str, Words]] = {
    "low-carbon": _w("La plus sobre, même plus lente", "The lowest in carbon, even if slower"),
    "fastest": _w("La plus rapide", "The fastest"),
    "any": _w("Sans préférence", "No preference"),
}
CONSTRAINTS: Final[Mapping[str, Words]] = {
    "step-free": _w("Remise sans marche", "Handed over without steps"),
    "carry-inside": _w("À porter à l'intérieur", "To be carried inside"),
    "call-first": _w("Appeler avant de venir", "Call before coming"),
    "no-signature": _w("Signature impossible", "Signing is impossible"),
    "silent": _w("Ne pas sonner", "Do not ring"),
}
VEHICLES: Final[Mapping[str, Words]] = {
    "walk": _w("À pied", "On foot"),
    "cargo-bike": _w("Vélo cargo", "Cargo bike"),
    "electric-van": _w("Camionnette électrique", "Electric van"),
    "van": _w("Camionnette", "Van"),
    "other": _w("Autre véhicule", "Another vehicle"),
}
DAYS: Final[Mapping[str, Words]] = {
    "Mo": _w("lundi", "Monday"),
    "Tu": _w("mardi", "Tuesday"),
    "We": _w("mercredi", "Wednesday"),
    "Th": _w("jeudi", "Thursday"),
    "Fr": _w("vendredi", "Friday"),
    "Sa": _w("samedi", "Saturday"),
    "Su": _w("dimanche", "Sunday"),
}

__all__ = ["CHOICES", "CONSTRAINTS", "DAYS", "DROPS", "VEHICLES"]
