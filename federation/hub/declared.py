"""What an aid declares it checks, in its order: one list for the desk and the citizen. Pure.

Each check passes, fails with its reason, or cannot be told yet. What cannot be told is tried again
by job `hub.verify` and is never a refusal; what fails goes to a person, who may still accept. An
aid names its checks and their order in the catalogue's member `checks`; without it each check that
applies to the aid stands, in the order of `DeclaredCheck`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from federation.aids.declaration import declaration_of
from federation.aids.model import Aid, IdentityLevel
from federation.hub.days import day_in_words
from federation.hub.model import Application
from federation.hub.register import register_words
from federation.ports import CheckView
from schemas.records import ApplicationState

__all__ = [
    "DECLARATION",
    "DeclaredCheck",
    "Standing",
    "declared_of",
    "documents_wanted",
    "freshness_of",
    "is_stale",
    "stand",
]


DECLARATION: Final = "Declaration"
"""Where an application keeps what was declared, among its claims."""


class DeclaredCheck(StrEnum):
    """What may be checked, in the order used where an aid names none."""

    IDENTITY = "identity-level"
    AFFILIATION = "affiliation"
    FRESHNESS = "freshness"
    USAGE = "usage"
    DECLARATION = "declaration"
    DOCUMENTS = "documents"
    REGISTER = "carpool-register"
    EXCLUSIVITY = "exclusivity"
    BUDGET = "budget"


_TITLES: Final[Mapping[DeclaredCheck, tuple[str, str]]] = {
    DeclaredCheck.IDENTITY: ("Niveau d'identité", "Identity level"),
    DeclaredCheck.AFFILIATION: ("Affiliation", "Affiliation"),
    DeclaredCheck.FRESHNESS: ("Fraîcheur des documents signés", "Freshness of signed documents"),
    DeclaredCheck.USAGE: ("Preuve d'usage", "Usage proof"),
    DeclaredCheck.DECLARATION: ("Déclaration sur l'honneur", "Sworn statement"),
    DeclaredCheck.DOCUMENTS: ("Pièces demandées", "Documents asked for"),
    DeclaredCheck.REGISTER: ("Registre de preuve de covoiturage", "Register of carpool proofs"),
    DeclaredCheck.EXCLUSIVITY: ("Règle de non-cumul", "Exclusivity rule"),
    DeclaredCheck.BUDGET: ("Enveloppe du financeur", "Funder's budget"),
}
_LEVELS: Final[Mapping[IdentityLevel, tuple[str, str, str]]] = {
    IdentityLevel.PIVOT: ("IdentityCredential", "identité certifiée", "certified identity"),
    IdentityLevel.EMPLOYER: (
        "AffiliationCredential",
        "matricule chez l'employeur",
        "number with the employer",
    ),
    IdentityLevel.DOCUMENT: ("IdentityCredential", "document d'identité", "identity document"),
    IdentityLevel.DECLARED: ("", "sur l'honneur", "declared"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What the checks look at beside the application itself."""

    documents: int
    """Sealed documents that were joined."""
    budget_left: int | None
    """Cents left in the aid's envelope; None: it has no limit."""
    journey: str | None = None
    """The carpool journey that the application names, empty while it names none; None: this node
    has no account at the register for the aid's funder, or the aid asks for no journey."""


def documents_wanted(aid: Aid) -> tuple[str, ...]:
    """Names of the documents the funder asks for, each to be joined."""
    found = aid.extra.get("documents")
    return tuple(str(name) for name in found) if isinstance(found, list) else ()


def freshness_of(aid: Aid) -> int | None:
    """Days after which a signed document is too old for this aid; None: its own term only."""
    found = aid.extra.get("freshnessDays")
    return found if type(found) is int and found > 0 else None


def declared_of(aid: Aid, *, at_register: bool = False) -> tuple[DeclaredCheck, ...]:
    """The checks of an aid, in its order; `at_register`: its journeys are looked up here."""
    applies = {
        DeclaredCheck.IDENTITY: bool(aid.family),
        DeclaredCheck.AFFILIATION: "AffiliationCredential" in aid.credentials_required,
        DeclaredCheck.FRESHNESS: freshness_of(aid) is not None,
        DeclaredCheck.USAGE: aid.proof is not None,
        DeclaredCheck.DECLARATION: declaration_of(aid) is not None,
        DeclaredCheck.DOCUMENTS: bool(documents_wanted(aid)),
        DeclaredCheck.REGISTER: at_register,
        DeclaredCheck.EXCLUSIVITY: bool(aid.family or aid.paper_families),
        DeclaredCheck.BUDGET: type(aid.extra.get("budgetCents")) is int,
    }
    named = aid.extra.get("checks")
    order = (
        [DeclaredCheck(name) for name in named if name in set(DeclaredCheck)]
        if isinstance(named, list)
        else list(DeclaredCheck)
    )
    return tuple(check for check in dict.fromkeys(order) if applies[check])


def stand(aid: Aid, application: Application, standing: Standing) -> tuple[CheckView, ...]:
    """Each declared check as it stands now, numbered in the aid's order."""
    views = []
    checks = declared_of(aid, at_register=standing.journey is not None)
    for number, check in enumerate(checks, start=1):
        outcome, fr, en = _JUDGES[check](aid, application, standing)
        title_fr, title_en = _TITLES[check]
        views.append(
            CheckView(
                step=number,
                code=check.value,
                outcome=outcome,
                detail="",
                words={"fr": fr, "en": en, "step_fr": title_fr, "step_en": title_en},
            )
        )
    return tuple(views)


_Judged = tuple[str, str, str]
"""Outcome, French, English."""
_WAITS: Final[_Judged] = (
    "cannot-tell",
    "Une source ne répond pas : un nouvel essai est fait sans vous, et rien n'est refusé.",
    "A source does not answer: it is tried again without you, and nothing is refused.",
)


def _is_waiting(application: Application) -> bool:
    """Whether the package is held: nothing in it was verified yet."""
    return not application.claims and any(
        check.get("outcome") == "cannot-tell" for check in application.checks
    )


def _claim(application: Application, credential_type: str) -> Mapping[str, Any]:
    found = application.claims.get(credential_type)
    return found if isinstance(found, Mapping) else {}


def _coded(application: Application, *codes: str) -> Mapping[str, Any] | None:
    return next((r for r in application.reasons if r.get("code") in codes), None)


def _reason(found: Mapping[str, Any]) -> _Judged:
    return "fail", str(found.get("fr", "")), str(found.get("en", ""))


def _absent(application: Application) -> _Judged:
    if _is_waiting(application):
        return _WAITS
    return "fail", "Rien de vérifié n'a été présenté.", "Nothing verified was presented."


def _identity(aid: Aid, application: Application, _standing: Standing) -> _Judged:
    credential_type, fr, en = _LEVELS[aid.identity_level]
    if not credential_type:
        return "pass", f"Niveau demandé : {fr}.", f"Level asked for: {en}."
    claim = _claim(application, credential_type)
    if not claim:
        return _absent(application)
    by = claim.get("issuerName") or claim.get("issuer", "")
    return "pass", f"Niveau : {fr}, attesté par {by}.", f"Level: {en}, attested by {by}."


def _affiliation(_aid: Aid, application: Application, _standing: Standing) -> _Judged:
    claim = _claim(application, "AffiliationCredential")
    if not claim:
        return _absent(application)
    other = _coded(application, "other-employer")
    if other is not None:
        return _reason(other)
    name, number = claim.get("employerName", ""), claim.get("employeeNumber", "")
    return "pass", f"{name}, matricule {number}.", f"{name}, employee number {number}."


def _freshness(aid: Aid, application: Application, _standing: Standing) -> _Judged:
    if not application.claims:
        return _absent(application)
    stale = _coded(application, "stale-document")
    if stale is not None:
        return _reason(stale)
    days = freshness_of(aid)
    return (
        "pass",
        f"Chaque document signé a moins de {days} jours.",
        f"Every signed document is less than {days} days old.",
    )


def _usage(_aid: Aid, application: Application, _standing: Standing) -> _Judged:
    claim = _claim(application, "UsageProof")
    if not claim:
        return _absent(application)
    weak = _coded(application, "evidence", "assurance")
    if weak is not None:
        return _reason(weak)
    by = claim.get("issuerName") or claim.get("issuer", "")
    days = claim.get("periodFrom"), claim.get("periodUntil")
    fr, en = ([day_in_words(day, language) for day in days] for language in ("fr", "en"))
    return (
        "pass",
        f"Vérifiée, du {fr[0]} au {fr[1]}, par {by}.",
        f"Verified, from {en[0]} to {en[1]}, by {by}.",
    )


def _declaration(_aid: Aid, application: Application, _standing: Standing) -> _Judged:
    claim = _claim(application, DECLARATION)
    if not claim:
        return "fail", "Pas encore reçue.", "Not received yet."
    day = claim.get("declaredAt", "")
    return (
        "pass",
        f"Reçue le {day_in_words(day, 'fr')} ; à comparer avec les pièces.",
        f"Received on {day_in_words(day, 'en')}; to be compared with the documents.",
    )


def _documents(aid: Aid, _application: Application, standing: Standing) -> _Judged:
    wanted = len(documents_wanted(aid))
    fr = f"{standing.documents} pièce(s) jointe(s) sur {wanted} demandée(s)."
    en = f"{standing.documents} of {wanted} documents joined."
    return "pass" if standing.documents >= wanted else "fail", fr, en


def _register(_aid: Aid, application: Application, standing: Standing) -> _Judged:
    return register_words(application.claims, standing.journey or "")


def _exclusivity(_aid: Aid, application: Application, _standing: Standing) -> _Judged:
    if _is_waiting(application):
        return _WAITS
    taken = _coded(application, "already-awarded")
    if taken is not None:
        return (
            "fail",
            "Une autre demande tient déjà cette période.",
            "Another application holds this period already.",
        )
    if application.state in (ApplicationState.REFUSED, ApplicationState.WITHDRAWN):
        return "pass", "La période a été rendue.", "The period was given back."
    return (
        "pass",
        "Aucune autre demande ne tient cette période ; elle est réservée pour celle-ci.",
        "No other application holds this period; it is reserved for this one.",
    )


def _budget(_aid: Aid, application: Application, standing: Standing) -> _Judged:
    spent = (ApplicationState.ACCEPTED, ApplicationState.AWARDED, ApplicationState.PAID)
    if application.state in spent:
        return "pass", "Le montant est engagé.", "The amount is committed."
    if _is_waiting(application):
        return _WAITS
    fits = standing.budget_left is None or standing.budget_left >= max(application.amount or 0, 1)
    if fits:
        return "pass", "Le montant tient dans l'enveloppe.", "The amount fits in the budget."
    return (
        "fail",
        "L'enveloppe est épuisée ou ne contient plus ce montant.",
        "The budget is used up or no longer holds this amount.",
    )


_JUDGES: Final = {
    DeclaredCheck.IDENTITY: _identity,
    DeclaredCheck.AFFILIATION: _affiliation,
    DeclaredCheck.FRESHNESS: _freshness,
    DeclaredCheck.USAGE: _usage,
    DeclaredCheck.DECLARATION: _declaration,
    DeclaredCheck.DOCUMENTS: _documents,
    DeclaredCheck.REGISTER: _register,
    DeclaredCheck.EXCLUSIVITY: _exclusivity,
    DeclaredCheck.BUDGET: _budget,
}


def is_stale(aid: Aid, certified: datetime | date, at: date) -> bool:
    """Whether something certified on that day is too old for this aid."""
    days = freshness_of(aid)
    day = certified.date() if isinstance(certified, datetime) else certified
    return days is not None and (at - day).days > days
