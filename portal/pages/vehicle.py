"""« Mon véhicule et les zones »: class of the vehicle, restricted or not at a place on a day, the
aids that one form asks for together. With the vault's record, or without an account and nothing
kept.
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line
# ruff: noqa: PLR0917 - a route's parameters are its form's fields

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response

from federation.aids.catalogue import Catalogue
from federation.aids.clean_air import (
    AirClass,
    Power,
    VehicleCategory,
    class_of,
    decree,
)
from federation.aids.declaration import declaration_of
from federation.aids.errors import VehicleRefusedError
from federation.aids.model import Aid, CheckMode
from federation.aids.territories import Commune, by_code, search
from federation.aids.vehicle_questions import CLASS, VEHICLE_THEME
from federation.aids.zones import Point, Verdict, ZoneBook
from federation.errors import HubClientError
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.aids import (
    commune_of,
    current_catalogue,
    estimate_here,
    open_applications,
)
from portal.pages.checks import text_of
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.records import vehicle_words
from portal.pages.vault import default_period
from portal.views import iri, local_today, short
from portal.web import Page
from schemas.records import Energy, PlaceRole, Vehicle, VehicleType
from vault.answers import kept_answers
from vault.errors import RecordUnknownError
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)
public = APIRouter(include_in_schema=False)

CATEGORY_WORDS: Final = {
    "car": N_("Voiture"),
    "van": N_("Camionnette"),
    "motorcycle": N_("Moto, tricycle ou quadricycle"),
    "moped": N_("Cyclomoteur"),
    "heavy": N_("Poids lourd, autobus ou autocar"),
}
POWER_WORDS: Final = {
    "petrol": N_("Essence, hybride non rechargeable compris"),
    "diesel": N_("Diesel, hybride non rechargeable compris"),
    "plug-in-hybrid": N_("Hybride rechargeable"),
    "gas": N_("Gaz (GPL, GNV)"),
    "electric": N_("Électrique"),
    "hydrogen": N_("Hydrogène"),
}
CATEGORY_OF: Final = {
    VehicleType.CAR: VehicleCategory.CAR,
    VehicleType.VAN: VehicleCategory.VAN,
    VehicleType.MOTORCYCLE: VehicleCategory.MOTORCYCLE,
    VehicleType.MOPED: VehicleCategory.MOPED,
}
"""Kinds of the vault that a zone looks at; the others may drive everywhere."""
POWER_OF: Final = {
    Energy.ELECTRIC: Power.ELECTRIC,
    Energy.HYDROGEN: Power.HYDROGEN,
    Energy.PLUG_IN_HYBRID: Power.PLUG_IN_HYBRID,
    Energy.GAS: Power.GAS,
    Energy.PETROL: Power.PETROL,
    Energy.DIESEL: Power.DIESEL,
}
BY_WORDS: Final = {
    "energy": N_("d'après l'énergie"),
    "euro": N_("d'après la norme Euro"),
    "date": N_("d'après la première mise en circulation"),
    "said": N_("d'après la vignette que vous avez indiquée"),
}
FARTHEST: Final = timedelta(days=3660)
"""How far from today a day may be asked about."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a vehicle, a place and a day; None or empty: not yet."""

    category: VehicleCategory | None = None
    power: Power | None = None
    euro: int | None = None
    first: date | None = None
    here: Commune | None = None
    day: date | None = None
    air: AirClass | None = None
    """Said by the person, in place of what is computed."""
    point: Point | None = None
    """The very place, for a zone whose outline is known; it stays in the vault."""


def class_name(t: Translator, air: AirClass) -> str:
    """« Crit'Air 3 », « Crit'Air E », « Non classé »."""
    if air is AirClass.UNCLASSED:
        return t("Non classé")
    return f"Crit'Air {'E' if air is AirClass.ZERO else air.value}"


def air_of(told: Told, at: date) -> tuple[AirClass, str] | None:
    """The class and what it was read from; None: something is missing.

    Raises:
        VehicleRefusedError: what is told cannot be.
    """
    if told.air is not None:
        return told.air, "said"
    if told.category is None or told.power is None:
        return None
    found = class_of(told.category, told.power, at=at, euro=told.euro, first_registered=told.first)
    return None if found is None else (found.value, found.by)


def result_of(
    t: Translator, book: ZoneBook, told: Told, air: AirClass, by: str, *, today: date
) -> dict[str, Any]:
    """The answer in words: class, place and day, the law, the sources."""
    here, category = told.here, told.category
    if here is None or category is None:
        raise VehicleRefusedError("place", "no place or kind")
    day = told.day or today
    found = book.standing(here.codes, category, air, at=day, point=told.point)
    zone = found.zone.name if found.zone is not None else ""
    is_stale = book.is_stale(day)
    said = t.day(day, "long")
    kind, title = {
        Verdict.NO_ZONE: (
            "",
            t("Aucune zone à faibles émissions connue à {place}", place=here.name),
        ),
        Verdict.FREE: (
            "warn" if is_stale else "ok",
            t("Ce véhicule peut circuler à {place} le {day}", place=here.name, day=said),
        ),
        Verdict.KEPT_OUT: (
            "warn" if is_stale else "bad",
            t(
                "Ce véhicule ne peut pas circuler dans la zone de {zone} le {day}",
                zone=zone,
                day=said,
            ),
        ),
    }[found.verdict]
    lines = []
    if is_stale:
        lines.append(
            t(
                "Selon des règles connues au {day} : elles ont pu changer. Demandez à l'autorité locale.",
                day=t.day(book.as_of, "long"),
            )
        )
    if found.verdict is Verdict.NO_ZONE:
        lines.append(
            t(
                "Ni classe ni vignette n'y sont demandées, hors épisode de pollution. Les aides restent ouvertes."
            )
        )
    elif found.is_exact:
        lines.append(t("Regardé à l'endroit exact de votre domicile, qui reste dans votre coffre."))
    else:
        lines.append(
            t(
                "La zone peut ne couvrir qu'une partie de la commune : le périmètre exact est dans l'arrêté."
            )
        )
    if found.hours and found.hours != "24/7":
        lines.append(t("Jours et heures, tels que publiés : {hours}.", hours=found.hours))
    elif found.hours:
        lines.append(t("À toute heure."))
    if found.next_day is not None:
        change = (
            t("À partir du {day}, il ne pourra plus y circuler.", day=t.day(found.next_day, "long"))
            if found.next_verdict is Verdict.KEPT_OUT
            else t("À partir du {day}, il pourra y circuler.", day=t.day(found.next_day, "long"))
        )
        lines.append(change)
    state = book.state(day if day < today else today)
    source = decree()
    return {
        "air": class_name(t, air),
        "by": t(BY_WORDS[by]),
        "kind": kind,
        "title": title,
        "lines": lines,
        "zone_link": found.zone.link if found.zone is not None else "",
        "law_title": t("Situation juridique au {day}", day=t.day(state.as_of, "long")),
        "law": text_of(t, state.words),
        "law_source": state.source,
        "zones_source": t(
            "Zones : {source}, au {day}.", source=book.source, day=t.day(book.as_of, "long")
        ),
        "class_source": source["source"],
        "class_link": source["link"],
        "place": here.name,
        "code": here.code,
        "day": day.isoformat(),
        "kept_out": found.verdict is Verdict.KEPT_OUT,
    }


def found_places(query: str) -> list[dict[str, str]]:
    """Communes to choose from."""
    return [
        {"code": c.code, "name": c.name, "text": f"{', '.join(c.postcodes[:3])} · {c.departement}"}
        for c in (search(query) if query else [])
    ]


def form_aids(catalogue: Catalogue, here: Commune | None, at: date) -> list[Aid]:
    """The aids of a place (of anywhere, while it is not known) that one form may gather."""
    return [
        aid
        for aid in catalogue.aids
        if aid.is_open(at)
        and (here is None or aid.covers(here.codes))
        and aid.check_mode is not CheckMode.LINK_OUT
        and declaration_of(aid) is not None
    ]


def vehicle_aids(catalogue: Catalogue, here: Commune, at: date) -> list[Aid]:
    """Those of them that are about a vehicle."""
    return [aid for aid in form_aids(catalogue, here, at) if VEHICLE_THEME in aid.themes]


def day_of(text: str, today: date) -> date:
    """A day asked about; today when there is none.

    Raises:
        ValueError: no day, or too far away.
    """
    if not text:
        return today
    day = date.fromisoformat(text)
    if abs(day - today) > FARTHEST:
        raise ValueError("too far away")
    return day


# --- without an account ------------------------------------------------------------------------


@public.get("/vehicule")
def begin(page: PageDep) -> HTMLResponse:
    """The first question."""
    return _ask(page, Told(), {}, Errors())


@public.post("/vehicule")
def answer(
    page: CheckedDep,
    context: ContextDep,
    genre: Annotated[str, Form(max_length=20)] = "",
    energie: Annotated[str, Form(max_length=20)] = "",
    norme: Annotated[str, Form(max_length=2)] = "",
    depuis: Annotated[str, Form(max_length=10)] = "",
    q: Annotated[str, Form(max_length=80)] = "",
    code: Annotated[str, Form(max_length=12)] = "",
    jour: Annotated[str, Form(max_length=10)] = "",
    etape: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """What was answered so far is in the form; the next question, or the answer. Nothing is kept."""
    t, today = page.t, local_today(page.now)
    errors = Errors()
    told = Told(
        category=VehicleCategory(genre) if genre in CATEGORY_WORDS else None,
        power=Power(energie) if energie in POWER_WORDS else None,
        euro=int(norme) if norme in set("0123456") and norme else None,
        here=by_code(code) if code else None,
    )
    given = {
        "genre": genre,
        "energie": energie,
        "norme": norme,
        "depuis": depuis,
        "code": code,
        "q": q,
        "jour": jour,
    }
    try:
        told = replace(told, first=date.fromisoformat(depuis) if depuis else None)
        found = air_of(told, today)
    except (ValueError, VehicleRefusedError):
        errors["depuis"] = t("Cette date de première mise en circulation n'est pas possible.")
        told, found = replace(told, first=None), None
    if etape == "age" and found is None and not errors:
        errors["depuis"] = t("Indiquez la norme Euro ou la date.")
    if code and told.here is None:
        errors["q"] = t("Commune inconnue.")
    here = told.here
    if told.category is None or told.power is None or found is None or here is None:
        return _ask(page, told, given, errors, knows_class=found is not None)
    try:
        told = replace(told, day=day_of(jour, today))
    except ValueError:
        errors["jour"] = t("Choisissez un jour à moins de dix ans d'ici.")
    shown = page.show(
        "vehicle_result.html",
        tabs=False,
        status=422 if errors else 200,
        errors=errors,
        answers=_carried(given),
        result=result_of(t, context.zones, told, *found, today=today),
        aids=_public_aids(t, context, here, today),
    )
    shown.headers["cache-control"] = "no-store"
    return shown


def _public_aids(
    t: Translator, context: ContextDep, here: Commune, at: date
) -> list[dict[str, str]]:
    catalogue, _ = context.catalogue.get()
    found = [] if catalogue is None else vehicle_aids(catalogue, here, at)
    return [
        {
            "title": text_of(t, aid.titles),
            "funder": aid.funder_name,
            "text": text_of(t, aid.summaries),
        }
        for aid in found
    ]


def _carried(given: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if value and name not in ("q", "jour")}


def _ask(
    page: Page,
    told: Told,
    given: Mapping[str, str],
    errors: Errors,
    *,
    knows_class: bool = False,
) -> HTMLResponse:
    """One question at a time."""
    t = page.t
    if told.category is None:
        step = "genre"
    elif told.power is None:
        step = "energie"
    elif not knows_class:
        step = "age"
    else:
        step = "place"
    asked = {
        "genre": ("genre",),
        "energie": ("energie",),
        "age": ("norme", "depuis"),
        "place": ("code",),
    }[step]
    query = given.get("q", "") if step == "place" else ""
    shown = page.show(
        "vehicle_ask.html",
        tabs=False,
        status=422 if errors else 200,
        step=step,
        number=["genre", "energie", "age", "place"].index(step) + 1,
        errors=errors,
        answers={k: v for k, v in _carried(given).items() if k not in asked},
        categories=[(name, t(words)) for name, words in CATEGORY_WORDS.items()],
        powers=[(name, t(words)) for name, words in POWER_WORDS.items()],
        norms=[("", t("Je ne sais pas")), *((str(n), f"Euro {n}") for n in range(1, 7))],
        given=Errors(given),
        query=query,
        found=found_places(query),
    )
    shown.headers["cache-control"] = "no-store"
    return shown


# --- with the vault's record -------------------------------------------------------------------


def vehicle_of(vault: OpenVault, uuid_text: str) -> Vehicle:
    """Raises RecordUnknownError."""
    record = vault.get(iri(uuid_text))
    if not isinstance(record, Vehicle):
        raise RecordUnknownError(iri(uuid_text))
    return record


def told_of(vehicle: Vehicle, *, fuel: str = "") -> Told:
    """What the vault's record says; a hybrid that does not plug in is asked its fuel."""
    power = POWER_OF.get(vehicle.energy)
    if power is None and fuel in ("petrol", "diesel"):
        power = Power(fuel)
    return Told(
        category=CATEGORY_OF.get(vehicle.vehicle_type),
        power=power,
        first=vehicle.first_registered,
        air=None if vehicle.crit_air is None else AirClass(vehicle.crit_air),
    )


def home_of(vault: OpenVault) -> Point | None:
    """Where the citizen lives today, as they set it."""
    today = local_today(vault.home.clock())
    found = [
        place
        for place in vault.places()
        if place.role is PlaceRole.HOME
        and (place.valid_from is None or place.valid_from <= today)
        and (place.valid_until is None or today <= place.valid_until)
    ]
    return (found[-1].lat, found[-1].lon) if found else None


@router.get("/coffre/vehicules/{uuid_text}")
def one_vehicle(
    page: PageDep, context: ContextDep, vault: VaultDep, uuid_text: str
) -> HTMLResponse:
    """Class, zone at home, aids; what is missing is asked here."""
    told = told_of(vehicle_of(vault, uuid_text))
    told = replace(told, here=commune_of(vault), point=home_of(vault))
    return _vehicle_page(page, context, vault, uuid_text, told, Errors())


@router.post("/coffre/vehicules/{uuid_text}")
def tell(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    uuid_text: str,
    depuis: Annotated[str, Form(max_length=10)] = "",
    carburant: Annotated[str, Form(max_length=10)] = "",
    q: Annotated[str, Form(max_length=80)] = "",
    code: Annotated[str, Form(max_length=12)] = "",
    jour: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Keep the day of first registration; a fuel, another place or day are for this answer only."""
    t, today, errors = page.t, local_today(page.now), Errors()
    record = vehicle_of(vault, uuid_text)
    if depuis:
        try:
            first = date.fromisoformat(depuis)
            class_of(VehicleCategory.CAR, Power.DIESEL, at=today, first_registered=first)
        except (ValueError, VehicleRefusedError):
            errors["depuis"] = t("Cette date de première mise en circulation n'est pas possible.")
        else:
            record = replace(record, first_registered=first)
            vault.put(record)
    told = told_of(record, fuel=carburant)
    here = by_code(code) if code else None
    if code and here is None:
        errors["q"] = t("Commune inconnue.")
    try:
        day = day_of(jour, today)
    except ValueError:
        day, errors["jour"] = today, t("Choisissez un jour à moins de dix ans d'ici.")
    mine = commune_of(vault)
    at_home = here is None or (mine is not None and here.code == mine.code)
    point = home_of(vault) if at_home else None
    told = replace(told, here=here or mine, day=day, point=point)
    return _vehicle_page(page, context, vault, uuid_text, told, errors, query=q, fuel=carburant)


def _vehicle_page(
    page: Page,
    context: ContextDep,
    vault: OpenVault,
    uuid_text: str,
    told: Told,
    errors: Errors,
    *,
    query: str = "",
    fuel: str = "",
) -> HTMLResponse:
    t, today = page.t, local_today(page.now)
    record = vehicle_of(vault, uuid_text)
    title, text = vehicle_words(t, record)
    found = air_of(told, today)
    step = ""
    if told.category is None:
        step = "free"
    elif told.power is None and told.air is None:
        step = "fuel"
    elif found is None:
        step = "age"
    elif told.here is None:
        step = "place"
    result, aids = None, []
    if not step and found is not None and told.here is not None:
        result = result_of(t, context.zones, told, *found, today=today)
        aids = _own_aids(page, context, vault, told.here, found[0])
    return page.show(
        "vehicle.html",
        status=422 if errors else 200,
        id=short(record.id),
        title=title,
        text=text,
        step=step,
        errors=errors,
        fuel=fuel,
        query=query,
        found=found_places(query),
        result=result,
        aids=aids,
    )


def _own_aids(
    page: Page, context: ContextDep, vault: OpenVault, here: Commune, air: AirClass
) -> list[dict[str, Any]]:
    """Aids of the place, with what they would give; those that wait for an answer say so."""
    t, at = page.t, local_today(page.now)
    try:
        catalogue = current_catalogue(context.catalogue, of=vault)
    except HubClientError:
        return []
    live = open_applications(vault)
    answers = {n: a.value for n, a in kept_answers(vault).items() if not a.is_skipped}
    rows = []
    for aid in vehicle_aids(catalogue, here, at):
        outcome = estimate_here(
            vault, catalogue, aid, here, at=at, period=default_period(at), answers={**answers, CLASS: air.answer}
        )  # fmt: skip
        application = live.get(str(aid.id))
        rows.append(
            {
                "slug": aid.slug,
                "title": text_of(t, aid.titles),
                "funder": aid.funder_name,
                "text": text_of(t, aid.summaries),
                "amount": t.amount(outcome.amount)
                if outcome.is_eligible and outcome.amount
                else "",
                "why": ""
                if outcome.is_eligible or outcome.missing
                else " ".join(text_of(t, line) for line in outcome.plain),
                "asked": f"/demandes/{short(application.id)}" if application is not None else "",
            }
        )
    return rows


__all__ = ["air_of", "class_name", "form_aids", "public", "router", "told_of", "vehicle_of"]
