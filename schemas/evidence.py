"""Evidence classes and assurance methods, weakest first, with their words.

Source: design of the vault §5 (evidence is per property and computed, never read) and §6
(assurance methods of usage proofs).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from .units import Lang


class Evidence(StrEnum):
    """How well a property of a trip is known. Totally ordered: `DECLARED` is the weakest."""

    DECLARED = "declared"
    CORRECTED = "corrected"
    """The person contradicts the sensor."""
    SENSED = "sensed"
    CONFIRMED = "confirmed"
    """Person and sensor agree."""
    OPERATOR = "operator"
    REGISTRY = "registry"
    """A public register holds it, under its own class and status, kept as they are."""

    @property
    def rank(self) -> int:
        """0 for `DECLARED` up to 5 for `REGISTRY`."""
        return _RANK[self._value_]

    def __lt__(self, other: str) -> bool:
        return self.rank < _rank_of(other)

    def __le__(self, other: str) -> bool:
        return self.rank <= _rank_of(other)

    def __gt__(self, other: str) -> bool:
        return self.rank > _rank_of(other)

    def __ge__(self, other: str) -> bool:
        return self.rank >= _rank_of(other)

    def label(self, lang: Lang = "fr") -> str:
        """The word shown to people."""
        return EVIDENCE_LABELS[self][lang]


def _rank_of(other: str) -> int:
    return (other if type(other) is Evidence else Evidence(other)).rank


_RANK: Final = {
    "declared": 0,
    "corrected": 1,
    "sensed": 2,
    "confirmed": 3,
    "operator": 4,
    "registry": 5,
}

EVIDENCE_LABELS: Final[Mapping[Evidence, Mapping[Lang, str]]] = {
    Evidence.DECLARED: {"fr": "déclaré", "en": "declared"},
    Evidence.CORRECTED: {"fr": "corrigé par vous", "en": "corrected by you"},
    Evidence.SENSED: {"fr": "mesuré", "en": "sensed"},
    Evidence.CONFIRMED: {"fr": "confirmé par vous", "en": "confirmed by you"},
    Evidence.OPERATOR: {"fr": "attesté par l'opérateur", "en": "attested by the operator"},
    Evidence.REGISTRY: {"fr": "inscrit au registre", "en": "entered in the register"},
}


class AssuranceMethod(StrEnum):
    """Who vouches for a usage proof, strongest first. Compare with `strength`, not `<`."""

    SOURCE_TRIPS = "source-trips"
    SOURCE_AGGREGATE = "source-aggregate"
    VAULT_ATTESTED = "vault-attested"
    SELF_DECLARED = "self-declared"

    @property
    def strength(self) -> int:
        """3 for `SOURCE_TRIPS` down to 0 for `SELF_DECLARED`."""
        return {"source-trips": 3, "source-aggregate": 2, "vault-attested": 1}.get(self.value, 0)

    def label(self, lang: Lang = "fr") -> str:
        """The words shown to people."""
        return ASSURANCE_LABELS[self][lang]


ASSURANCE_LABELS: Final[Mapping[AssuranceMethod, Mapping[Lang, str]]] = {
    AssuranceMethod.SOURCE_TRIPS: {
        "fr": "trajets signés par la source",
        "en": "trips signed by the source",
    },
    AssuranceMethod.SOURCE_AGGREGATE: {
        "fr": "total signé par la source",
        "en": "total signed by the source",
    },
    AssuranceMethod.VAULT_ATTESTED: {
        "fr": "calculé dans votre coffre, attesté par son hébergeur",
        "en": "computed in your vault, attested by its home",
    },
    AssuranceMethod.SELF_DECLARED: {"fr": "sur l'honneur", "en": "on your honour"},
}

__all__ = ["ASSURANCE_LABELS", "EVIDENCE_LABELS", "AssuranceMethod", "Evidence"]
