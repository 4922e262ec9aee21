"""Modes of travel: code, words, SKOS concept, ADEME factor.

Concepts are published in `vocab/mobility.ttl` (`mode-…`) with `skos:closeMatch` to Transmodel where
Transmodel has one. ADEME ids are those of `data/co2_factors.json`; some modes have several factors
and `co2.py` chooses by distance or occupancy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .ids import Iri
from .units import Lang

VOCAB: Final = "https://w3id.org/mobility-vault/vocab#"


class Mode(StrEnum):
    """A mode of travel, as the vault and the rules name it."""

    WALK = "walk"
    BICYCLE = "bicycle"
    EBIKE = "ebike"
    ESCOOTER = "escooter"
    BUS = "bus"
    TRAM = "tram"
    METRO = "metro"
    TRAIN = "train"
    CAR = "car"
    CARPOOL = "carpool"
    CARSHARE = "carshare"
    BIKESHARE = "bikeshare"
    TAXI = "taxi"
    MOPED = "moped"
    MOTORCYCLE = "motorcycle"
    FERRY = "ferry"
    PLANE = "plane"
    AIR_OR_HSR = "air_or_hsr"
    """Plane or high-speed train: the sensor could not tell, the person can."""
    UNKNOWN = "unknown"

    @property
    def iri(self) -> Iri:
        """The SKOS concept of this mode."""
        return Iri(f"{VOCAB}mode-{self.value}")

    def label(self, lang: Lang = "fr") -> str:
        """The words shown to people."""
        return MODES[self].labels[lang]


@dataclass(frozen=True, slots=True)
class ModeFacts:
    """What is known about a mode apart from its name."""

    labels: Mapping[Lang, str]
    ademe: int | None
    """Id of its usual ADEME factor (`data/co2_factors.json`); None: no emission is claimed."""
    close_match: str | None = None
    """The Transmodel mode that comes closest, by its enumeration value."""
    shared_vehicle: bool = False


def _m(
    fr: str, en: str, ademe: int | None, match: str | None = None, *, shared: bool = False
) -> ModeFacts:
    return ModeFacts({"fr": fr, "en": en}, ademe, match, shared)


MODES: Final[Mapping[Mode, ModeFacts]] = {
    Mode.WALK: _m("à pied", "on foot", 30, "foot"),
    Mode.BICYCLE: _m("vélo", "bicycle", 7, "bicycle"),
    Mode.EBIKE: _m("vélo à assistance électrique", "electric bicycle", 8, "bicycle"),
    Mode.ESCOOTER: _m("trottinette électrique", "electric scooter", 17),
    Mode.BUS: _m("bus", "bus", 9, "bus"),
    Mode.TRAM: _m("tramway", "tram", 10, "tram"),
    Mode.METRO: _m("métro", "metro", 11, "metro"),
    Mode.TRAIN: _m("train", "train", 15, "rail"),
    Mode.CAR: _m("voiture, seul·e", "car, alone", 4, "selfDriveVehicle"),
    Mode.CARPOOL: _m("covoiturage", "carpool", 22),
    Mode.CARSHARE: _m("autopartage", "car sharing", 4, shared=True),
    Mode.BIKESHARE: _m("vélo en libre-service", "shared bicycle", 7, "bicycle", shared=True),
    Mode.TAXI: _m("taxi", "taxi", 4, "taxi"),
    Mode.MOPED: _m("cyclomoteur", "moped", 12, "moped"),
    Mode.MOTORCYCLE: _m("moto", "motorcycle", 13, "motorcycle"),
    Mode.FERRY: _m("bateau", "ferry", None, "water"),
    Mode.PLANE: _m("avion", "plane", 1, "air"),
    Mode.AIR_OR_HSR: _m("avion ou TGV", "plane or high-speed train", None),
    Mode.UNKNOWN: _m("mode inconnu", "unknown mode", None, "unknown"),
}

__all__ = ["MODES", "VOCAB", "Mode", "ModeFacts"]
