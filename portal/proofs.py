"""Usage proofs in words: where one stands, and why a stronger assurance was not possible."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from federation.usage import Metric, Standing
from portal.glossary import ASSURANCE
from portal.i18n import N_, Translator
from portal.pages.checks import check_rows

__all__ = [
    "AUDIT_REFUSED",
    "audit_card",
    "figure",
    "refusal",
    "standing_line",
    "weaker_because",
]

_WHY: Final = {
    "needs-places": N_(
        "il faudrait vos lieux : une source qui signe un trajet n'en dit ni le lieu ni l'heure"
    ),
    "needs-all-trips": N_(
        "il faudrait tous vos trajets : avec un trajet de moins, les émissions sembleraient "
        "plus basses"
    ),
    "no-trip-family": N_("cette demande ne la prévoit pas"),
    "no-signed-trips": N_("votre coffre n'a pas de trajets signés pour ce financeur"),
    "no-signed-total": N_("votre coffre n'a pas de total signé pour cette période"),
    "home-not-accredited": N_("l'hébergeur de votre coffre n'est pas habilité à attester"),
    "too-weak": N_("le financeur demande une méthode plus forte"),
    "threshold-not-reached": N_("le nombre demandé n'est pas atteint"),
}


def figure(t: Translator, metric: Metric, value: int) -> str:
    """« 18 jours », « 3 trajets », « 42 km »."""
    match metric:
        case Metric.ELIGIBLE_DAYS:
            return t.n("{n} jour", "{n} jours", value)
        case Metric.TRIPS:
            return t.n("{n} trajet", "{n} trajets", value)
        case Metric.DISTANCE:
            return t.distance(value)
        case Metric.EMISSION:
            return t.co2(value)


def standing_line(t: Translator, standing: Standing) -> str:
    """« 18 jours sur 20 demandés : il en manque 2. »"""
    have = figure(t, standing.metric, standing.value)
    if standing.wanted is None:
        return t("Dans votre coffre sur cette période : {have}.", have=have)
    wanted = figure(t, standing.metric, standing.wanted)
    if standing.missing == 0:
        return t(
            "Dans votre coffre sur cette période : {have}. Il en fallait {wanted} : c'est atteint.",
            have=have,
            wanted=wanted,
        )
    return t(
        "Dans votre coffre sur cette période : {have}, sur {wanted}. Il manque {missing}.",
        have=have,
        wanted=wanted,
        missing=figure(t, standing.metric, standing.missing),
    )


def weaker_because(t: Translator, tried: Iterable[tuple[str, str | None, int]]) -> list[str]:
    """Each method that was not possible, with its reason; those stronger than the one taken."""
    lines = []
    for method, why, found in tried:
        if why is None or why == "not-asked":
            break
        reason = (
            t.n("{n} trajet signé seulement", "{n} trajets signés seulement", found)
            if why == "too-few-signed-trips"
            else t(_WHY[why])
        )
        label = t(ASSURANCE[method])
        lines.append(t("{method} : {reason}.", method=label[0].upper() + label[1:], reason=reason))
    return lines


def refusal(t: Translator, reason: str, metric: Metric | None) -> str | None:
    """Why nothing could be prepared, for reasons of the proof; None for any other."""
    kind, _, detail = reason.partition(":")
    if kind == "threshold-not-reached" and metric is not None:
        missing = figure(t, metric, int(detail or 0))
        return t("Pas encore : il manque {missing} sur cette période.", missing=missing)
    if kind == "assurance-too-weak":
        lines = weaker_because(
            t,
            (
                (method, why if why in _WHY else "no-signed-trips", 0)
                for method, _, why in (part.partition("=") for part in detail.split(","))
            ),
        )
        said = t("Le financeur demande une preuve plus forte que ce que votre coffre peut donner.")
        return " ".join([said, *lines])
    return None


AUDIT_STATES: Final = {
    "asked": (N_("En attente de la réponse du bénéficiaire"), "info"),
    "verified": (N_("Contrôle réussi"), "ok"),
    "withdrawn": (N_("Des preuves ont été retirées depuis : ce n'est pas une fraude"), "warn"),
    "declined": (N_("Le bénéficiaire n'a pas accepté"), "warn"),
    "failed": (N_("Contrôle non réussi"), "bad"),
}
AUDIT_REFUSED: Final = {
    "not-attested": N_("Cette preuve ne se contrôle pas par sondage."),
    "asked-before": N_("Un contrôle a déjà été demandé pour cette demande."),
    "withdrawn": N_("La demande est retirée."),
    "leaves": N_("Choisissez de 1 à 20 preuves."),
}


def audit_card(
    t: Translator, state: str, asked_at: datetime | str, leaves: int, checks: Iterable[Any]
) -> dict[str, Any]:
    """A check by sample as desk and citizen see it."""
    label, kind = AUDIT_STATES[state]
    return {
        "state": t(label),
        "kind": kind,
        "asked": state == "asked",
        "when": t.moment(asked_at),
        "leaves": t.n("{n} preuve", "{n} preuves", leaves),
        "check_items": check_rows(t, checks),
    }
