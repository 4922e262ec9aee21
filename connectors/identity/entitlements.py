"""What a citizen's login lets a habilitated body read of their rights, told as little as is needed:
a student or not and until when; a bracket of the family quotient, never the figure.

The wire is API Particulier's, version 3: `GET /v3/…/france_connect?recipient=SIRET` under the
access token of the login, `{"data": …}` or `{"errors": [{"code", "title"}]}`; the right to ask is
the habilitation's scopes. The figure passes through the home's memory and is kept nowhere.
Source: particulier.api.gouv.fr, developers' pages, read 2026-11-22.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final

from connectors.errors import ConnectorError, SourceAnswerError
from schemas.errors import NotFound
from schemas.records import Scalar

__all__ = [
    "BRACKETS",
    "ENTITLEMENTS",
    "Entitlement",
    "EntitlementApi",
    "EntitlementUnknownError",
    "Statement",
    "bracket",
]

BRACKETS: Final = (0, 400, 600, 800, 1_000, 1_300, 1_600, 2_000, 3_000)
"""Lower bounds of the brackets, in euros a month: ours, fine enough for the tariffs we saw."""
MAX_ADMISSIONS: Final = 100


class EntitlementUnknownError(ConnectorError, NotFound):
    """The service knows nothing of this person: no student, no family allowance."""

    code = "entitlement-unknown"

    def __init__(self) -> None:
        super().__init__("the service knows nothing of this person")


class Entitlement(StrEnum):
    """What may be read beside the identity; the value stands in the page's address."""

    STUDENT = "etudiant"
    QUOTIENT = "quotient"


@dataclass(frozen=True, slots=True)
class EntitlementApi:
    """Where to ask, and for whom."""

    base: str
    recipient: str
    """SIRET of the habilitated body."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One right: its scopes at the login, its path, and what of the answer is kept."""

    scopes: tuple[str, ...]
    path: str
    read: Callable[[Mapping[str, Any], date], dict[str, Scalar]]


def bracket(value: int) -> str:
    """« 400-600 »: from the lower bound to below the upper one; the last is open."""
    lower = max(bound for bound in BRACKETS if bound <= max(value, 0))
    above = next((bound for bound in BRACKETS if bound > lower), None)
    return f"{lower}+" if above is None else f"{lower}-{above}"


def _student(data: Mapping[str, Any], on: date) -> dict[str, Scalar]:
    """Enrolled on that day, and the last day of the enrolment that reaches furthest."""
    admissions = data.get("admissions")
    if not isinstance(admissions, list) or len(admissions) > MAX_ADMISSIONS:
        raise SourceAnswerError(where="/data/admissions", reason="a list expected")
    ends = [
        until
        for entry in admissions
        if isinstance(entry, dict) and entry.get("est_inscrit") is True
        if _day(entry.get("date_debut")) <= on <= (until := _day(entry.get("date_fin")))
    ]
    if not ends:
        return {"student.enrolled": False}
    return {"student.enrolled": True, "student.until": max(ends).isoformat()}


def _quotient(data: Mapping[str, Any], _on: date) -> dict[str, Scalar]:
    told = data.get("quotient_familial")
    value = told.get("valeur") if isinstance(told, dict) else None
    year, month = (told.get(name) if isinstance(told, dict) else None for name in ("annee", "mois"))
    if not (isinstance(value, int) and isinstance(year, int) and isinstance(month, int)):
        raise SourceAnswerError(where="/data/quotient_familial", reason="a figure and its month")
    return {
        "family.quotient_bracket": bracket(value),
        "family.quotient_month": f"{year:04d}-{month:02d}",
    }


def _day(text: object) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise SourceAnswerError(where="/data/admissions", reason="a day expected") from None


ENTITLEMENTS: Final[Mapping[Entitlement, Statement]] = {
    Entitlement.STUDENT: Statement(
        ("mesri_admissions", "mesri_admission_inscrit"),
        "/v3/mesri/statut_etudiant/france_connect",
        _student,
    ),
    Entitlement.QUOTIENT: Statement(
        ("cnaf_quotient_familial",), "/v3/dss/quotient_familial/france_connect", _quotient
    ),
}
