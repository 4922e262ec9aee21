"""What aids around a vehicle ask in the same words, so that one form asks it once."""

from collections.abc import Mapping
from typing import Any, Final

from federation.aids.clean_air import AirClass

__all__ = ["CLASS", "CLASSES", "PLATE", "VEHICLE", "VEHICLE_THEME"]

VEHICLE_THEME: Final = "vehicule"
"""Theme of the aids that such a form gathers."""
PLATE: Final = "véhicule . immatriculation"
CLASS: Final = "véhicule . classe"
CLASSES: Final = tuple(air.answer for air in AirClass)
VEHICLE: Final[Mapping[str, Any]] = {
    "véhicule": {},
    PLATE: {
        "titre": "Immatriculation",
        "titre en": "Number plate",
        "type": "texte",
        "question": "Quelle est l'immatriculation du véhicule ?",
        "question en": "What is the vehicle's number plate?",
    },
    CLASS: {
        "titre": "Classe Crit'Air",
        "titre en": "Crit'Air class",
        "question": "Quelle est la classe Crit'Air du véhicule ?",
        "question en": "What is the vehicle's Crit'Air class?",
        "une possibilité": list(CLASSES),
    },
}
"""The questions that every aid around a vehicle asks in the same words."""
