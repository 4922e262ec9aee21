"""Records of an open vault as pages show them: words, units and links; no storage, no HTTP."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from markupsafe import Markup

from connectors.carpool.booking import is_deep_link
from portal.glossary import (
    EVIDENCE,
    EVIDENCE_KIND,
    EVIDENCE_WHY,
    MODES,
    SOURCES,
    ModeWord,
    mode_word,
)
from portal.i18n import N_, Translator
from portal.svg import Bar, MapLine, Pin, bars, trip_map
from schemas.co2 import emission
from schemas.ids import Iri
from schemas.observations import Received
from schemas.records import NamedPlace, Place, PlaceRole, Trip
from schemas.units import Metres
from vault.deletion import LiveProof
from vault.statistics import Row

ROLES: Final = {
    PlaceRole.HOME: N_("Domicile"),
    PlaceRole.WORK: N_("Travail"),
    PlaceRole.OTHER: N_("Autre lieu"),
}


def short(iri: str) -> str:
    """The uuid of an IRI, for addresses."""
    return iri.rsplit(":", 1)[-1]


def iri(uuid_text: str) -> Iri:
    """Inverse of `short`; refuses nothing: an unknown id is simply not found."""
    return Iri(f"urn:uuid:{uuid_text}")


def proof_rows(t: Translator, proofs: Iterable[LiveProof]) -> list[dict[str, str]]:
    """Proofs that what is shown supports, for a warning before it goes."""
    return [
        {
            "href": f"/partages/{short(proof.consent.id)}",
            "title": f"{proof.consent.recipient_name} · {proof.consent.purpose}",
            "text": t(
                "Donnée le {given}, contrôlable jusqu'au {until}.",
                given=t.day(local_today(proof.given_at), "long"),
                until=t.day(local_today(proof.until), "long"),
            ),
        }
        if proof.consent is not None
        else {
            "href": "/partages",
            "title": t("Attestation sur papier"),
            "text": t(
                "Contrôlable jusqu'au {until}.", until=t.day(local_today(proof.until), "long")
            ),
        }
        for proof in proofs
    ]


@dataclass(frozen=True, slots=True)
class TripRow:
    """One trip in a list."""

    href: str
    iso: str
    mode: ModeWord
    ends: str
    when: str
    duration: str
    distance: str
    evidence: str


class TripWords:
    """Turns trips into words, knowing the citizen's own places."""

    def __init__(self, t: Translator, places: Sequence[NamedPlace]) -> None:
        self._t, self._places = t, tuple(places)

    def place(self, place: Place | None) -> str:
        """« Domicile », the label, or nothing: bare coordinates tell a person nothing."""
        if place is None:
            return ""
        named = nearest_named(place, self._places)
        if named is not None:
            return named.label or self._t(ROLES[named.role])
        if place.role is not None and place.role is not PlaceRole.OTHER:
            return self._t(ROLES[place.role])
        return place.label or ""

    def ends(self, trip: Trip) -> str:
        """« Trèbes → Travail », as much as is known."""
        start, end = self.place(trip.origin), self.place(trip.destination)
        if start and end:
            return f"{start} → {end}"
        if end:
            return f"→ {end}"
        return f"{start} →" if start else ""

    def hours(self, trip: Trip) -> str:
        """Departure and arrival, each in its place's zone."""
        start = self._t.clock(trip.started_at, trip.start_zone)
        return f"{start} – {self._t.clock(trip.ended_at, trip.end_zone)}"

    def row(self, trip: Trip) -> TripRow:
        """One line of a list."""
        return TripRow(
            href=f"/trajets/{short(trip.id)}",
            iso=trip.local_date.isoformat(),
            mode=mode_word(trip.mode.value),
            ends=self.ends(trip),
            when=self.hours(trip),
            duration=self._t.minutes(trip.duration),
            distance=self._t.distance(trip.distance),
            evidence=EVIDENCE[trip.evidence.value],
        )

    def table_row(self, trip: Trip) -> list[str]:
        """The text equivalent of the map, one row a trip."""
        t = self._t
        return [
            t(mode_word(trip.mode.value).label),
            self.place(trip.origin) or t("lieu sans nom"),
            self.place(trip.destination) or t("lieu sans nom"),
            t.clock(trip.started_at, trip.start_zone),
            t.clock(trip.ended_at, trip.end_zone),
            t.distance(trip.distance),
            t.minutes(trip.duration),
            t.co2(grams_of([trip])),
        ]

    def days(self, trips: Iterable[Trip]) -> list[dict[str, Any]]:
        """Trips by civil day, the latest day first, morning to evening inside."""
        grouped: dict[date, list[Trip]] = defaultdict(list)
        for trip in trips:
            grouped[trip.local_date].append(trip)
        return [
            {
                "iso": day.isoformat(),
                "title": self._t.day(day, "weekday"),
                "distance": self._t.distance(sum(trip.distance for trip in found)),
                "trips": [self.row(trip) for trip in sorted(found, key=lambda x: x.started_at)],
            }
            for day, found in sorted(grouped.items(), reverse=True)
        ]

    def map(
        self, trips: Sequence[Trip], tracks: Mapping[Iri, Sequence[tuple[float, float]]], title: str
    ) -> Markup:
        """The trips drawn; a leg whose track is unknown is a dashed line between its ends."""
        lines: list[MapLine] = []
        pins: list[Pin] = []
        for trip in trips:
            track = tracks.get(trip.id, ())
            if len(track) > 1:
                group = mode_word(trip.mode.value).group
                lines.append(MapLine(group, tuple(track)))
            else:
                lines += _straight(trip)
            ends = [end for end in (trip.origin, trip.destination) if end is not None]
            pins += [Pin(end.lat, end.lon, self.place(end)) for end in ends]
        text = " ; ".join(
            f"{self._t(mode_word(x.mode.value).label)} {self.ends(x)} {self._t.distance(x.distance)}"
            for x in trips
        )
        return trip_map(lines, pins, title=title, description=text)

    def proofs(self, trip: Trip) -> list[dict[str, str]]:
        """Evidence of each property, with what it means."""
        t = self._t
        return [
            {
                "name": name,
                "label": t(EVIDENCE[value]),
                "kind": EVIDENCE_KIND[value],
                "why": t(EVIDENCE_WHY[value]),
            }
            for name, value in (
                (t("Que le trajet a eu lieu"), trip.evidence.value),
                (t("Le mode de déplacement"), trip.mode_evidence.value),
            )
        ]

    def sources(self, found: Iterable[Received]) -> list[dict[str, str]]:
        """Who saw a trip: one line a source, with how much it left and when last."""
        t = self._t
        by_name: dict[str, list[Received]] = defaultdict(list)
        for received in found:
            source = getattr(received.observation, "source", "citizen")
            by_name[source_name(t, source)].append(received)
        lines = []
        for name, left in by_name.items():
            last = max(received.received_at for received in left)
            strongest = max(left, key=lambda x: list(EVIDENCE).index(x.ceiling.value))
            count = t.n("{n} élément", "{n} éléments", len(left))
            lines.append(
                {
                    "name": name,
                    "text": f"{count} · {t('Reçu le {moment}', moment=t.moment(last))}",
                    "ceiling": t(EVIDENCE[strongest.ceiling.value]),
                }
            )
        return lines


def said(t: Translator, found: Iterable[Received]) -> list[dict[str, Any]]:
    """What sources say of a trip beyond the trip itself: price, emissions, a page of theirs. Their
    word, shown as theirs; the last of each source."""
    lines: dict[str, dict[str, Any]] = {}
    for received in sorted(found, key=lambda x: x.received_at):
        extra: Mapping[str, Any] = getattr(received.observation, "extra", {})
        name = source_name(t, getattr(received.observation, "source", "citizen"))
        facts: list[tuple[str, str]] = []
        cents = extra.get("priceCents")
        if isinstance(cents, int) and extra.get("currency", "EUR") == "EUR":
            facts.append((t("Prix"), t.amount(cents)))
        told = extra.get("emissions")
        masses = told if isinstance(told, Mapping) else {}
        for member, label, per_gram in (
            ("co2Mg", t("CO2"), 1_000),
            ("noxUg", t("Oxydes d'azote (NOx)"), 1_000_000),
            ("pmUg", t("Particules (PM)"), 1_000_000),
        ):
            value = masses.get(member)
            if isinstance(value, int):
                facts.append((label, mass(t, value / per_gram)))
        link = extra.get("webUrl")
        shown = link if isinstance(link, str) and is_deep_link(link) else ""
        if facts or shown:
            host = urlsplit(shown).hostname or "" if shown else ""
            lines[name] = {"name": name, "facts": facts, "link": shown, "host": host}
    return list(lines.values())


def mass(t: Translator, grams: float) -> str:
    """Grams, or milligrams where there are few."""
    if grams >= 10:
        return t("{n} g", n=t.number(grams))
    if grams >= 1:
        return t("{n} g", n=t.number(grams, 1))
    thousandths = grams * 1_000
    return t("{n} mg", n=t.number(thousandths, 0 if thousandths >= 10 else 2))


def source_name(t: Translator, source: str) -> str:
    """The public name of a source; an app that paired keeps the name it gave."""
    head, _, name = source.partition(":")
    if source in SOURCES:
        return t(SOURCES[source])
    if source.startswith("modele-"):
        return t("Tableau importé")
    if name:
        return name
    return t(SOURCES[head]) if head in SOURCES else head


def nearest_named(place: Place, named: Iterable[NamedPlace]) -> NamedPlace | None:
    """The citizen's own place that `place` lies in, the closest if several."""
    inside = [
        (gap, index, candidate)
        for index, candidate in enumerate(named)
        if (gap := gap_m(place.lat, place.lon, candidate.lat, candidate.lon)) <= candidate.radius
    ]
    return min(inside)[2] if inside else None


def gap_m(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Metres between two points, equirectangular: exact to 0.1 % under 100 km at our latitudes."""
    from math import cos, hypot, radians

    return hypot(
        (lat_b - lat_a) * 110_574.0, (lon_b - lon_a) * 111_320.0 * cos(radians((lat_a + lat_b) / 2))
    )


def grams_of(trips: Iterable[Trip]) -> float:
    """Emission of the trips, leg by leg where the legs are known (grams of CO2 equivalent)."""
    total = 0.0
    for trip in trips:
        parts = [(leg.mode, leg.distance) for leg in trip.legs] or [(trip.mode, trip.distance)]
        for mode, distance in parts:
            found = emission(mode, Metres(distance))
            total += found.grams if found is not None else 0
    return total


def total_row(t: Translator, label: str, total: Row, *, factor: bool) -> list[str]:
    """A line of the totals table."""
    row = [
        label,
        t.number(total.trips),
        t.distance(total.distance),
        t.minutes(total.duration),
        t("sans facteur") if total.without_factor >= total.distance > 0 else t.co2(total.emission),
        t.co2(total.counterfactual),
    ]
    return [*row, ", ".join(map(str, total.factors)) or "–"] if factor else row


def charts(t: Translator, by_mode: Sequence[Row], by_month: Sequence[Row]) -> tuple[Markup, Markup]:
    """Distance by mode (longest first) and by month (in order)."""
    modes = [
        Bar(t(MODES[x.key]), x.distance, t.distance(x.distance), mode_word(x.key).group)
        for x in sorted(by_mode, key=lambda x: -x.distance)
    ]
    months = [
        Bar(t.day(f"{x.key}-01", "month"), x.distance, t.distance(x.distance), "carpool")
        for x in sorted(by_month, key=lambda x: x.key)
    ]
    return bars(modes, title=t("Distance par mode")), bars(months, title=t("Distance par mois"))


def suggestions(
    t: Translator, trips: Iterable[Trip], places: Sequence[NamedPlace]
) -> list[dict[str, Any]]:
    """The two or three ends met on most days that are not the citizen's own places yet.

    Ends are joined in cells of about 250 m; a place is suggested from five days on.
    """
    days: dict[tuple[int, int], set[date]] = defaultdict(set)
    points: dict[tuple[int, int], list[Place]] = defaultdict(list)
    for trip in trips:
        for end in (trip.origin, trip.destination):
            if end is None or nearest_named(end, places) is not None:
                continue
            cell = (round(end.lat * 400), round(end.lon * 280))
            days[cell].add(trip.local_date)
            points[cell].append(end)
    best = sorted(days, key=lambda cell: (-len(days[cell]), cell))[:3]
    found = []
    for cell in best:
        if len(days[cell]) < 5:
            continue
        ends = points[cell]
        name = Counter(end.label for end in ends if end.label).most_common(1)
        lat = sum(end.lat for end in ends) / len(ends)
        lon = sum(end.lon for end in ends) / len(ends)
        found.append(
            {
                "label": name[0][0] if name else f"{lat:.4f}, {lon:.4f}",
                "name": name[0][0] if name else "",
                "text": t.n("{n} jour", "{n} jours", len(days[cell])),
                "lat": f"{lat:.5f}",
                "lon": f"{lon:.5f}",
            }
        )
    return found


def month_bounds(month: str) -> tuple[date, date]:
    """First and last day of `YYYY-MM`."""
    first = date.fromisoformat(f"{month}-01")
    return first, first.replace(day=monthrange(first.year, first.month)[1])


def local_today(now: Any, zone: str = "Europe/Paris") -> date:
    """The civil day of the citizen."""
    day: date = now.astimezone(ZoneInfo(zone)).date()
    return day


def _straight(trip: Trip) -> list[MapLine]:
    lines = []
    for leg in trip.legs:
        if leg.origin is not None and leg.destination is not None:
            ends = ((leg.origin.lat, leg.origin.lon), (leg.destination.lat, leg.destination.lon))
            lines.append(MapLine(mode_word(leg.mode.value).group, ends, is_known=False))
    if not lines and trip.origin is not None and trip.destination is not None:
        ends = ((trip.origin.lat, trip.origin.lon), (trip.destination.lat, trip.destination.lon))
        lines.append(MapLine(mode_word(trip.mode.value).group, ends, is_known=False))
    return lines
