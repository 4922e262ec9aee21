"""Timeline, one day, one trip, corrections, questions, totals."""

# ruff: noqa: E501, PLR0917 - a sentence of the catalogue stands whole on one line; a route's parameters are its form's fields

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse

from portal.glossary import EVIDENCE, MODES, PURPOSES, mode_word
from portal.i18n import N_, Translator
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.eligible import eligible_on
from portal.svg import Bar, bars
from portal.views import (
    TripWords,
    charts,
    grams_of,
    iri,
    local_today,
    month_bounds,
    proof_rows,
    said,
    short,
    source_name,
    total_row,
)
from portal.web import Page
from schemas.evidence import Evidence
from schemas.modes import Mode
from schemas.records import Kind, Trip
from vault.deletion import live_proofs
from vault.disputes import can_be_disputed
from vault.errors import RecordUnknownError
from vault.open_vault import OpenVault
from vault.statistics import By, Filter

router = APIRouter(include_in_schema=False)

FIRST_YEAR = 2000


def month_of(text: str, today: date) -> str:
    """`text` when it is a month, else the current month."""
    try:
        first, _ = month_bounds(text)
    except ValueError:
        return today.isoformat()[:7]
    return (
        first.isoformat()[:7]
        if FIRST_YEAR <= first.year <= today.year + 1
        else today.isoformat()[:7]
    )


def the_trip(vault: OpenVault, uuid_text: str) -> Trip:
    """The trip of an address.

    Raises:
        RecordUnknownError: no such trip, or the id is another kind of record's.
    """
    record = vault.get(iri(uuid_text))
    if not isinstance(record, Trip):
        raise RecordUnknownError(iri(uuid_text))
    return record


@router.get("/trajets")
def timeline(
    page: PageDep, vault: VaultDep, mois: str = "", mode: str = "", preuve: str = ""
) -> HTMLResponse:
    """A month of trips, filtered."""
    t, today = page.t, local_today(page.now)
    months = trip_months(vault, today)
    month = month_of(mois or (months[0] if months else ""), today)
    since, until = month_bounds(month)
    trips = [
        trip
        for trip in vault.trips(since, until)
        if (not mode or trip.mode.value == mode) and (not preuve or trip.evidence.value == preuve)
    ]
    words = TripWords(t, vault.places())
    choices = sorted({*months, month}, reverse=True)
    position = choices.index(month)
    previous = choices[position + 1] if position + 1 < len(choices) else None
    following = choices[position - 1] if position else None
    ambiguous = vault.ambiguous()
    return page.show(
        "trips.html",
        days=words.days(trips),
        summary=_summary(page, trips),
        month=month,
        month_text=t.day(f"{month}-01", "month"),
        mode=mode,
        evidence=preuve,
        months=[(m, t.day(f"{m}-01", "month")) for m in choices],
        modes=[("", t("Tous les modes")), *((code, t(text)) for code, text in MODES.items())],
        evidences=[("", t("Toutes")), *((code, t(text)) for code, text in EVIDENCE.items())],
        previous=previous,
        previous_text=t.day(f"{previous}-01", "month_only") if previous else "",
        next=following,
        next_text=t.day(f"{following}-01", "month_only") if following else "",
        questions=t.n("{n} question en attente.", "{n} questions en attente.", len(ambiguous))
        if ambiguous
        else "",
    )


@router.get("/trajets/jour/{day}")
def one_day(page: PageDep, context: ContextDep, vault: VaultDep, day: date) -> HTMLResponse:
    """One civil day: map, text equivalent, whether it counts."""
    t = page.t
    trips = sorted(vault.trips(day, day), key=lambda x: x.started_at)
    words = TripWords(t, vault.places())
    tracks = {trip.id: _track(vault, trip) for trip in trips}
    title = t.day(day, "full")
    before, after = _neighbours(vault, day)
    found = eligible_on(context, vault, day)
    return page.show(
        "day.html",
        title=title,
        iso=day.isoformat(),
        month=day.isoformat()[:7],
        trips=[words.row(trip) for trip in trips],
        rows=[words.table_row(trip) for trip in trips],
        map=words.map(trips, tracks, title),
        summary=_summary(page, trips),
        eligible=t("Jour éligible : {mode}", mode=t(MODES[found.mode.value])) if found else "",
        previous=_day_link(page, before),
        next=_day_link(page, after),
    )


@router.get("/trajets/questions")
def questions(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """Pairs that may be one trip."""
    t = page.t
    words = TripWords(t, vault.places())
    pairs = []
    for first, second in vault.ambiguous()[:20]:
        shown = []
        for trip in (first, second):
            row = words.row(trip)
            names = sorted(
                {
                    source_name(t, getattr(r.observation, "source", "citizen"))
                    for r in vault.observations_of(trip.id)
                }
            )
            shown.append(
                {
                    "mode": row.mode,
                    "ends": row.ends,
                    "when": row.when,
                    "distance": row.distance,
                    "day": t.day(trip.local_date, "weekday"),
                    "sources": ", ".join(names),
                }
            )
        pairs.append({"a": short(first.id), "b": short(second.id), "trips": shown})
    return page.show("questions.html", pairs=pairs)


@router.post("/trajets/questions")
def answer_question(
    page: CheckedDep,
    vault: VaultDep,
    a: Annotated[str, Form()],
    b: Annotated[str, Form()],
    acte: Annotated[str, Form()],
) -> RedirectResponse:
    """The citizen says whether two trips are one."""
    if acte == "merge":
        vault.merge(iri(a), iri(b))
        return page.go("/trajets/questions", notice=page.t("C'est noté : un seul trajet."))
    vault.keep_apart(iri(a), iri(b))
    return page.go("/trajets/questions", notice=page.t("C'est noté : deux trajets."))


@router.get("/trajets/{uuid_text}")
def one_trip(page: PageDep, vault: VaultDep, uuid_text: str) -> HTMLResponse:
    """One trip: map, legs, evidence per property, sources, correction, deletion."""
    t = page.t
    trip = the_trip(vault, uuid_text)
    words = TripWords(t, vault.places())
    row = words.row(trip)
    purposes = [("", t("Non précisé")), *((code, t(text)) for code, text in PURPOSES.items())]
    if trip.purpose and trip.purpose not in PURPOSES:
        purposes.append((trip.purpose, trip.purpose))
    return page.show(
        "trip.html",
        trip={
            "id": short(trip.id),
            "iso": row.iso,
            "mode": row.mode,
            "ends": row.ends,
            "day": t.day(trip.local_date, "full"),
            "when": row.when,
            "distance": row.distance,
            "duration": row.duration,
            "co2": t.co2(grams_of([trip])),
            "purpose": trip.purpose or "",
        },
        map=words.map([trip], {trip.id: _track(vault, trip)}, t.day(trip.local_date, "full")),
        legs=[
            [
                t(mode_word(leg.mode.value).label),
                f"{t.clock(leg.started_at, trip.start_zone)} – {t.clock(leg.ended_at, trip.end_zone)}",
                t.distance(leg.distance),
                t(EVIDENCE[leg.mode_evidence.value]),
            ]
            for leg in trip.legs
        ]
        if len(trip.legs) > 1
        else [],
        proofs=words.proofs(trip),
        sources=words.sources(vault.observations_of(trip.id)),
        said=said(t, vault.observations_of(trip.id)),
        modes=[(code, t(text)) for code, text in MODES.items()],
        purposes=purposes,
        resting_on=proof_rows(t, live_proofs(vault, trip.observations)),
        can_dispute=can_be_disputed(vault, trip.id),
    )


@router.post("/trajets/corriger")
def correct(
    page: CheckedDep,
    vault: VaultDep,
    trajet: Annotated[str, Form()],
    mode: Annotated[str, Form(max_length=30)] = "",
    motif: Annotated[str, Form(max_length=60)] = "",
) -> RedirectResponse:
    """The citizen says the mode or the purpose; evidence follows."""
    trip = the_trip(vault, trajet)
    if motif:
        vault.correct(trip.id, purpose=motif)
        return page.go(f"/trajets/{trajet}", notice=page.t("C'est noté. Motif enregistré."))
    if mode not in MODES:
        return page.go(f"/trajets/{trajet}")
    vault.correct(trip.id, mode=Mode(mode))
    after = the_trip(vault, trajet)
    if after.mode_evidence is Evidence.CONFIRMED:
        text = page.t("C'est noté : vous confirmez le mode mesuré.")
    else:
        text = page.t(
            "C'est noté. Preuve du mode : {label}.",
            label=page.t(EVIDENCE[after.mode_evidence.value]),
        )
    return page.go(f"/trajets/{short(trip.id)}", notice=text)


@router.post("/trajets/supprimer")
def delete(page: CheckedDep, vault: VaultDep, trajet: Annotated[str, Form()]) -> RedirectResponse:
    """Delete a trip; the next page offers to undo."""
    trip = the_trip(vault, trajet)
    deleted = vault.delete(trip.id)
    undo = f"undo:/trajets/annuler/{short(deleted.suppression)} "
    text = page.t("Trajet supprimé. Il ne reviendra pas à la prochaine relève.")
    return page.go(f"/trajets?mois={trip.local_date.isoformat()[:7]}", notice=undo + text)


@router.post("/trajets/annuler/{uuid_text}")
def undo_delete(page: CheckedDep, vault: VaultDep, uuid_text: str) -> RedirectResponse:
    """Undo a deletion while its term lasts."""
    vault.undo(iri(uuid_text))
    return page.go(
        "/trajets",
        notice=page.t("La suppression est annulée : le trajet reviendra à la prochaine relève."),
    )


DIVISIONS: Final[dict[str, str]] = {
    "month": N_("Par mois"),
    "day": N_("Par jour"),
    "weekday": N_("Par jour de la semaine"),
    "year": N_("Par an"),
    "purpose": N_("Par motif"),
    "source": N_("Par source"),
}
WEEKDAYS: Final = (
    N_("lundi"), N_("mardi"), N_("mercredi"), N_("jeudi"), N_("vendredi"), N_("samedi"),
    N_("dimanche"),
)  # fmt: skip
MAX_BARS: Final = 40
"""A chart of more bars says less than its table."""


def _day(text: str, instead: date) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return instead
    return found if FIRST_YEAR <= found.year <= instead.year + 1 else instead


def division_label(t: Translator, by: str, key: str) -> str:
    """The word of one row of totals."""
    match by:
        case "month":
            return t.day(f"{key}-01", "month")
        case "day":
            return t.day(key, "full")
        case "weekday":
            return t(WEEKDAYS[int(key) - 1])
        case "purpose":
            return t(PURPOSES[key]) if key in PURPOSES else key or t("Non précisé")
        case "source":
            return source_name(t, key) if key else t("Non précisé")
    return key


@router.get("/bilan")
def totals_page(
    page: PageDep,
    vault: VaultDep,
    annee: int = 0,
    par: str = "month",
    mode: str = "",
    motif: str = "",
    source: str = "",
    depuis: str = "",
    jusqu: str = "",
) -> HTMLResponse:
    """Distance, time and emissions by mode and by month, day, purpose or source, with factors; one
    year, any period, or everything; filtered by mode, purpose and source."""
    t, today = page.t, local_today(page.now)
    years = sorted({int(month[:4]) for month in trip_months(vault, today)}, reverse=True)
    first_year = annee if annee in years else min(years, default=today.year)
    since = _day(depuis, date(first_year, 1, 1))
    until = _day(jusqu, date(annee, 12, 31) if annee in years else today)
    by: By = par if par in DIVISIONS else "month"  # type: ignore[assignment]  # the keys are divisions
    only = Filter(
        modes=frozenset({Mode(mode)}) if mode in MODES else frozenset(),
        purposes=frozenset({motif}) if motif in PURPOSES else frozenset(),
        sources=frozenset({source}) if source else frozenset(),
    )
    by_mode = vault.statistics(by="mode", since=since, until=until, only=only)
    divided = vault.statistics(by=by, since=since, until=until, only=only)
    by_day = vault.statistics(by="day", since=since, until=until, only=only)
    known = vault.statistics(by="source", since=date(FIRST_YEAR, 1, 1), until=today)
    chart_modes, _ = charts(t, by_mode, ())
    labels = {x.key: division_label(t, by, x.key) for x in divided}
    chart_divided = bars(
        [
            Bar(labels[x.key], x.distance, t.distance(x.distance), "carpool")
            for x in divided[-MAX_BARS:]
        ],
        title=t(DIVISIONS[by]),
    )
    distance = sum(x.distance for x in by_mode)
    grams = sum(x.emission for x in by_mode)
    alone = sum(x.counterfactual for x in by_mode)
    first = date.fromisoformat(by_day[0].key) if by_day else since
    last = date.fromisoformat(by_day[-1].key) if by_day else until
    return page.show(
        "totals.html",
        years=[
            {"href": "/bilan", "text": t("Depuis le début"), "current": annee not in years},
            *(
                {"href": f"/bilan?annee={year}", "text": str(year), "current": year == annee}
                for year in years
            ),
        ],
        chosen={
            "par": by,
            "mode": mode,
            "motif": motif,
            "source": source,
            "depuis": depuis,
            "jusqu": jusqu,
        },
        is_filtered=bool(mode or motif or source or depuis or jusqu or by != "month"),
        divisions=[(code, t(text)) for code, text in DIVISIONS.items()],
        modes=[("", t("Tous les modes")), *((code, t(text)) for code, text in MODES.items())],
        purposes=[
            ("", t("Tous les motifs")),
            *((code, t(text)) for code, text in PURPOSES.items()),
        ],
        sources=[("", t("Toutes")), *((x.key, source_name(t, x.key)) for x in known if x.key)],
        division=t(DIVISIONS[by]),
        period=t("du {since} au {until}", since=t.day(first, "long"), until=t.day(last, "long")),
        total={
            "distance": t.distance(distance),
            "duration": t.minutes(sum(x.duration for x in by_mode)),
            "co2": t.co2(grams),
            "avoided": t.co2(max(alone - grams, 0)),
        },
        by_mode=[
            total_row(t, t(MODES[x.key]), x, factor=True)
            for x in sorted(by_mode, key=lambda x: -x.distance)
        ],
        divided=[
            total_row(t, labels[x.key], x, factor=False)
            for x in (divided if by in {"weekday", "purpose", "source"} else reversed(divided))
        ],
        chart_modes=chart_modes,
        chart_divided=chart_divided,
        factor_version=", ".join(sorted({x.factor_version for x in by_mode if x.factor_version})),
        boundary=", ".join(sorted({x.boundary for x in by_mode if x.boundary})),
    )


def trip_months(vault: OpenVault, today: date) -> list[str]:
    """Months that hold trips, the latest first."""
    return [m for m in vault.months(Kind.TRIP) if m <= today.isoformat()[:7]]


def _summary(page: Page, trips: Sequence[Trip]) -> str:
    t = page.t
    return (
        f"{t.n('{n} trajet', '{n} trajets', len(trips))} · {t.distance(sum(x.distance for x in trips))}"
        f" · {t.co2(grams_of(trips))}"
    )


def _track(vault: OpenVault, trip: Trip) -> list[tuple[float, float]]:
    if trip.track is None:
        return []
    return [(lat, lon) for _, lat, lon in vault.track(trip.id)]


def _neighbours(vault: OpenVault, day: date) -> tuple[date | None, date | None]:
    first = max(day, date.min + timedelta(days=31)) - timedelta(days=31)  # any day can be asked
    last = min(day, date.max - timedelta(days=31)) + timedelta(days=31)
    near = vault.trips(first, last)
    days = sorted({trip.local_date for trip in near})
    before = [d for d in days if d < day]
    after = [d for d in days if d > day]
    return (before[-1] if before else None), (after[0] if after else None)


def _day_link(page: Page, day: date | None) -> dict[str, Any] | None:
    if day is None:
        return None
    return {"iso": day.isoformat(), "text": page.t.day(day, "weekday")}
