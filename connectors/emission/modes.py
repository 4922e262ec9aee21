"""e-mission's mode vocabularies. Two integer enums share the field name `sensed_mode`: the key
decides.

Source: e-mission-server `emission/core/wrapper/motionactivity.py` (`MotionTypes`) and
`modeprediction.py` (`PredictedModeTypes`); label values from the fabmob phone app's
`trip_confirm_options.json` and from real data, where labels are free text.
"""

import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from schemas.modes import Mode
from schemas.observations import ClaimBy, ModeClaim

MOTION: Final[Mapping[int, str]] = {
    0: "IN_VEHICLE",
    1: "BICYCLING",
    2: "ON_FOOT",
    3: "STILL",
    4: "UNKNOWN",
    5: "TILTING",
    7: "WALKING",
    8: "RUNNING",
    9: "NONE",
    10: "STOPPED_WHILE_IN_VEHICLE",
    11: "AIR_OR_HSR",
}
"""`MotionTypes`: raw and cleaned sections. What the phone's sensors said."""

PREDICTED: Final[Mapping[int, str]] = {
    0: "UNKNOWN",
    1: "WALKING",
    2: "BICYCLING",
    3: "BUS",
    4: "TRAIN",
    5: "CAR",
    6: "AIR_OR_HSR",
    7: "SUBWAY",
    8: "TRAM",
    9: "LIGHT_RAIL",
}
"""`PredictedModeTypes`: inferred sections. What the server guessed (Tracemob's copy stops at 6)."""

_MOTION_MODES: Final[Mapping[str, Mode]] = {
    "BICYCLING": Mode.BICYCLE,
    "ON_FOOT": Mode.WALK,
    "WALKING": Mode.WALK,
    "RUNNING": Mode.WALK,
    "AIR_OR_HSR": Mode.AIR_OR_HSR,
}
"""`IN_VEHICLE` is any motor vehicle, so no mode of ours: nothing is rounded up to a car or a
bus."""

_PREDICTED_MODES: Final[Mapping[str, Mode]] = {
    "WALKING": Mode.WALK,
    "BICYCLING": Mode.BICYCLE,
    "BUS": Mode.BUS,
    "TRAIN": Mode.TRAIN,
    "CAR": Mode.CAR,
    "AIR_OR_HSR": Mode.AIR_OR_HSR,
    "SUBWAY": Mode.METRO,
    "TRAM": Mode.TRAM,
    "LIGHT_RAIL": Mode.TRAM,
}

_LABELS: Final[Mapping[str, Mode]] = {
    "walk": Mode.WALK,
    "walking": Mode.WALK,
    "marche": Mode.WALK,
    "a pied": Mode.WALK,
    "run": Mode.WALK,
    "bike": Mode.BICYCLE,
    "bicycle": Mode.BICYCLE,
    "velo": Mode.BICYCLE,
    "e-bike": Mode.EBIKE,
    "ebike": Mode.EBIKE,
    "e bike": Mode.EBIKE,
    "pilot ebike": Mode.EBIKE,
    "velo electrique": Mode.EBIKE,
    "vae": Mode.EBIKE,
    "bikeshare": Mode.BIKESHARE,
    "scootershare": Mode.ESCOOTER,
    "e-scooter": Mode.ESCOOTER,
    "trottinette": Mode.ESCOOTER,
    "drove alone": Mode.CAR,
    "car": Mode.CAR,
    "voiture": Mode.CAR,
    "driver": Mode.CAR,
    "shared ride": Mode.CARPOOL,
    "carpool": Mode.CARPOOL,
    "covoiturage": Mode.CARPOOL,
    "passenger": Mode.CARPOOL,
    "carshare": Mode.CARSHARE,
    "autopartage": Mode.CARSHARE,
    "taxi": Mode.TAXI,
    "bus": Mode.BUS,
    "free shuttle": Mode.BUS,
    "train": Mode.TRAIN,
    "tram": Mode.TRAM,
    "metro": Mode.METRO,
    "subway": Mode.METRO,
    "moped": Mode.MOPED,
    "motorcycle": Mode.MOTORCYCLE,
    "moto": Mode.MOTORCYCLE,
    "ferry": Mode.FERRY,
    "air": Mode.PLANE,
    "plane": Mode.PLANE,
    "avion": Mode.PLANE,
}

_NOT_A_TRIP: Final = frozenset({"not a trip"})


def motion_mode(name: str) -> Mode:
    """Our mode of a `MotionTypes` name; `UNKNOWN` for a vehicle of any kind, or none."""
    return _MOTION_MODES.get(name, Mode.UNKNOWN)


def predicted_mode(name: str) -> Mode:
    """Our mode of a `PredictedModeTypes` name."""
    return _PREDICTED_MODES.get(name, Mode.UNKNOWN)


def _plain(label: str) -> str:
    folded = unicodedata.normalize("NFKD", label.casefold())
    letters = "".join(c for c in folded if not unicodedata.combining(c))
    return " ".join(letters.replace("_", " ").split())


def label_mode(label: str) -> Mode | None:
    """Our mode of what a person wrote, or None: labels are free text, `karate` is one."""
    return _LABELS.get(_plain(label))


def is_not_a_trip(label: str) -> bool:
    """Whether the person said that this was no trip at all."""
    return _plain(label) in _NOT_A_TRIP


def section_claim(key: str | None, sensed_mode: Any) -> ModeClaim:
    """What a section says of its mode.

    `key` is the section's `metadata.key`. An integer is `PredictedModeTypes` in
    `analysis/inferred_section` and `MotionTypes` everywhere else; a string such as
    `PredictedModeTypes.BUS` (GeoJSON diary) names its enum.
    """
    inferred = key == "analysis/inferred_section"
    name = ""
    if isinstance(sensed_mode, str):
        family, _, name = sensed_mode.rpartition(".")
        inferred = family == "PredictedModeTypes" if family else inferred
    elif isinstance(sensed_mode, int) and not isinstance(sensed_mode, bool):
        name = (PREDICTED if inferred else MOTION).get(sensed_mode, "UNKNOWN")
    if inferred:
        return ModeClaim(mode=predicted_mode(name), by=ClaimBy.INFERENCE, confidence=None)
    return ModeClaim(mode=motion_mode(name), by=ClaimBy.SENSOR, confidence=None)


__all__ = [
    "MOTION",
    "PREDICTED",
    "is_not_a_trip",
    "label_mode",
    "motion_mode",
    "predicted_mode",
    "section_claim",
]
