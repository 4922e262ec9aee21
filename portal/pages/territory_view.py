"""What a page of a territory says, at the hub and in the home alike: aids by what people do, what
adds up, an example computed for a made-up person."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from federation.aids.catalogue import Catalogue
from federation.aids.ceiling import Ceiling
from federation.aids.infrastructure import InfrastructureKind
from federation.aids.model import Aid
from federation.aids.stacking import (
    COLLECTIVITY,
    Counted,
    Profile,
    combine,
    exclusions,
    profiles,
    said,
)
from federation.aids.territory import Place, Portrait, Seen, evaluate_there, places_of
from federation.hub.infrastructure import Mounted
from federation.offers import OfferCard, payers
from portal.i18n import N_, Translator
from portal.pages.aids import LEVELS, PERIODS, aid_title
from portal.pages.checks import text_of
from portal.pages.offer_words import offer_words

__all__ = ["DEED_NAMES", "territory_view"]

DEED_NAMES: Final = {
    "cycle": N_("Rouler à vélo"),
    "transit": N_("Prendre les transports en commun"),
    "carpool": N_("Covoiturer"),
    "share": N_("Partager un véhicule"),
    "walk": N_("Marcher"),
    "car": N_("Changer de voiture, ou s'en passer"),
    "licence": N_("Passer le permis"),
    "work": N_("Aller travailler, chercher un emploi"),
    "other": N_("Toutes les mobilités"),
}
WHY: Final = {
    "family": N_("Une seule de ces aides à la fois : règle de non-cumul du financeur."),
    COLLECTIVITY: N_(
        "Une seule de ces aides : la même collectivité n'en donne le plus souvent qu'une par personne."
    ),
}
SHOWN: Final = 6
"""Aids named in a sentence; the others are counted."""

Link = Callable[[str, str], str]
"""(level, code) → address of a territory's page."""


def territory_view(
    t: Translator,
    catalogue: Catalogue,
    found: Portrait,
    at: date,
    *,
    link: Link,
    profile: str = "",
    offers: Sequence[tuple[OfferCard, str]] = (),
    built: Sequence[Mounted] | None = None,
) -> dict[str, Any]:
    """The values `territory_body.html` shows. `profile` is the made-up person the reader
    picked; `offers` the cards in force there, each with its operator's name;
    `built` what the hub's files say is built, None where they are not at hand."""
    place = found.place
    seen = found.aids
    return {
        "name": place.name,
        "level": t(LEVELS[place.level]),
        "meta": _meta(t, place, len(seen)),
        "around": _around(t, place, link),
        "groups": [
            {"title": t(DEED_NAMES[deed]), "id": deed, "aids": [_card(t, one) for one in aids]}
            for deed, aids in found.groups.items()
        ],
        "exclusions": [
            {
                "why": t(WHY[one.why]),
                "level": t(LEVELS[one.key]) if one.why == COLLECTIVITY else "",
                "aids": [_named(t, aid) for aid in one.aids],
            }
            for one in exclusions(s.aid for s in seen)
        ],
        "said": [
            {
                "text": text_of(t, one.words),
                "aids": [_named(t, aid) for aid in one.aids[:SHOWN]],
                "more": t.n("et {n} autre", "et {n} autres", len(one.aids) - SHOWN)
                if len(one.aids) > SHOWN
                else "",
            }
            for one in said(s.aid for s in seen)
        ],
        "profiles": [(one.id, text_of(t, one.titles)) for one in profiles()],
        "profile": profile,
        "example": _example(t, catalogue, place, at, profile),
        "offers": [_offer(t, card, name, found) for card, name in offers],
        "built": None if built is None else _built(t, built),
        "built_heads": [t("Quoi"), t("Combien"), t("Source et date")],
        "inside": [
            {
                "href": link(one.level, one.code),
                "name": one.name,
                "text": f"{t(LEVELS[one.level])} · {t.n('{n} aide', '{n} aides', one.aids)}",
            }
            for one in found.inside
        ],
    }


def _meta(t: Translator, place: Place, aids: int) -> str:
    parts = [t(LEVELS[place.level])]
    if place.level != "commune":
        parts.append(t.n("{n} commune", "{n} communes", len(place.communes)))
    if place.population:
        parts.append(t.n("{n} habitant", "{n} habitants", place.population))
    parts.append(t.n("{n} aide", "{n} aides", aids))
    return " · ".join(parts)


def _around(t: Translator, place: Place, link: Link) -> list[dict[str, Any]]:
    """The place itself and what it lies in, the nearest first."""
    held = [one for one in places_of(place.capital) if (one.level, one.code) in place.around]
    return [
        {
            "href": link(one.level, one.code),
            "name": one.name,
            "level": t(LEVELS[one.level]),
            "current": (one.level, one.code) == (place.level, place.code),
        }
        for one in held
    ]


def _named(t: Translator, aid: Aid) -> dict[str, str]:
    return {"slug": aid.slug, "title": aid_title(t, aid)}


def _card(t: Translator, seen: Seen) -> dict[str, Any]:
    aid = seen.aid
    return {
        **_named(t, aid),
        "funder": aid.funder_name,
        "level": t(LEVELS[aid.funder_level.value]),
        "summary": text_of(t, aid.summaries),
        "amount": _most(t, seen.ceiling),
        "is_reached": seen.ceiling is not None and seen.ceiling.is_reached,
        "also": [t(DEED_NAMES[deed]) for deed in seen.deeds[1:]],
        "ends": t("jusqu'au {day}", day=t.day(aid.ends_on, "long")) if aid.ends_on else "",
        "check": t("à vérifier")
        if any(p.verified_on is None for p in aid.parameters) or aid.last_verified is None
        else "",
    }


def _most(t: Translator, ceiling: Ceiling | None) -> str:
    """What is said of an amount while nobody's situation is known; empty when no rule says it."""
    if ceiling is None:
        return ""
    amount = _money(t, ceiling.amount, ceiling.per)
    if ceiling.is_reached:
        return t("jusqu'à {amount}", amount=amount)
    return t("au plus {amount}", amount=amount)


def _offer(t: Translator, card: OfferCard, operator: str, found: Portrait) -> dict[str, Any]:
    return {
        **offer_words(t, card, operator),
        "paid_by": [_named(t, aid) for aid in payers(card, found)],
    }


BUILT: Final = {
    InfrastructureKind.BIKE_PARKING: N_("Stationnement vélo"),
    InfrastructureKind.CYCLE_LANE: N_("Aménagements cyclables"),
    InfrastructureKind.CARPOOL_PLACE: N_("Lieux de covoiturage"),
    InfrastructureKind.CHARGING_POINT: N_("Points de recharge électrique"),
}


def _built(t: Translator, built: Sequence[Mounted]) -> list[list[str]]:
    """A line for each kind: what the file says with its source and day, or that there is none."""
    known = {one.source.kind: one for one in built}
    rows = []
    for kind, name in BUILT.items():
        one = known.get(kind)
        if one is None:
            rows.append([t(name), t("aucune donnée"), "–"])
            continue
        source = t(
            "{source}, {licence}, données du {day}",
            source=one.source.source,
            licence=one.source.licence,
            day=t.day(one.source.day, "long"),
        )
        rows.append([t(name), _how_many(t, one), source])
    return rows


def _how_many(t: Translator, one: Mounted) -> str:
    if not one.count:
        return t("aucun dans ce fichier")
    match one.source.kind:
        case InfrastructureKind.BIKE_PARKING:
            places = t.n("{n} emplacement", "{n} emplacements", one.count)
            return (
                t("{places}, pour {n} vélos", places=places, n=t.number(one.amount))
                if one.amount
                else places
            )
        case InfrastructureKind.CYCLE_LANE:
            return t("{distance}, chaque côté compté", distance=t.distance(one.amount))
        case InfrastructureKind.CARPOOL_PLACE:
            places = t.n("{n} lieu", "{n} lieux", one.count)
            return (
                t("{places}, {n} stationnements", places=places, n=t.number(one.amount))
                if one.amount
                else places
            )
        case _:
            return t.n("{n} point", "{n} points", one.count)


def _money(t: Translator, cents: int, per: str) -> str:
    amount = t.amount(cents)
    return t(PERIODS[per], amount=amount) if per in PERIODS else amount


def _example(
    t: Translator, catalogue: Catalogue, place: Place, at: date, profile: str
) -> dict[str, Any] | None:
    person = next((one for one in profiles() if one.id == profile), None)
    if person is None:
        return None
    here = place.capital
    outcomes = [
        (aid, outcome)
        for aid, outcome in evaluate_there(catalogue, here, person.values, at)
        if person.wants(aid)
    ]
    found = combine(outcomes)
    return {
        "title": text_of(t, person.titles),
        "text": text_of(t, person.texts),
        "where": here.name if place.level != "commune" else "",
        "heads": [t("Aide"), t("Montant"), t("Dans le total")],
        "rows": [
            *(_row(t, one, t("oui")) for one in found.counted),
            *(_row(t, one, _instead(t, one)) for one in found.left_out),
        ],
        "totals": _totals(t, found.totals),
        "person": person.id,
        "open": _open(t, person, outcomes),
    }


def _row(t: Translator, one: Counted, counted: str) -> list[str]:
    return [aid_title(t, one.aid), _money(t, one.amount, one.per), counted]


def _instead(t: Translator, one: Counted) -> str:
    return (
        t("non : « {title} » compte à sa place", title=aid_title(t, one.instead))
        if one.instead
        else ""
    )


def _totals(t: Translator, totals: Mapping[str, int]) -> str:
    return t(" et ").join(_money(t, cents, per) for per, cents in totals.items())


def _open(t: Translator, person: Profile, outcomes: list[tuple[Aid, Any]]) -> list[str]:
    """Aids the made-up person would still be asked about."""
    del person
    return [aid_title(t, aid) for aid, outcome in outcomes if outcome.verdict.value == "missing"]
