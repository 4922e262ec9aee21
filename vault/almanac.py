"""What statistics and search read of an open vault: a few facts of each record, kept in memory.

One page a month and compartment, under the digest of the month's manifest: a write drops the pages
of the months it touched, and no other. Facts are read from payloads this vault sealed itself and
checked.

Pages of trips are also kept sealed between sessions, as a value named by the month's blind tag,
because opening 15 000 trips takes seconds and 120 pages do not. The commit that touches a month
removes its page, in the same transaction; a page made from an older manifest is neither written nor
read. Locking the vault drops what is in memory. No figure is kept but grams beside the version of
the table they come from; another table makes every page anew.

Page: zlib(UTF-8 JSON `[1, factor version, SHA-256 of the manifest in hex, [leg…], [line…]]`).
"""

import contextlib
import json
import threading
import time
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from federation.wire.errors import DatabaseBusyError
from schemas import co2
from schemas.ids import Digest, Iri
from schemas.modes import MODES, Mode
from schemas.records import COMPARTMENT_OF, Compartment, Kind, Trip
from vault.collecting import put_off
from vault.crypto.errors import CryptoError
from vault.errors import HeadMovedError
from vault.library import PAGES, Library, Shelf, page_name
from vault.months import MonthName
from vault.observed import Observed, document_of
from vault.stored import read_trip
from vault.values import open_value, seal_value

__all__ = ["Almanac", "LegFact", "Line", "fold"]


class LegFact(NamedTuple):
    """One leg as statistics count it."""

    trip: Iri
    day: str
    """The civil day the trip started, where it started: `2026-03-29`."""
    mode: Mode
    evidence: str
    purpose: str
    distance: int
    duration: int
    emission: int | None
    """Grams; None where no factor fits."""
    alone: int
    """Grams of the same distance alone in a thermal car; 0 where `emission` is None."""
    factor: int | None
    source: str
    """Of the observation the trip is named after; empty where that is gone."""


@dataclass(frozen=True, slots=True)
class Line:
    """One record as search finds it."""

    iri: Iri
    kind: Kind
    start: datetime
    day: str
    text: str
    """Folded words: labels, purpose, modes, networks, issuers."""
    modes: frozenset[Mode]
    ends: tuple[tuple[float, float], ...] = ()
    """(latitude, longitude) of both ends of a trip."""


@dataclass(frozen=True, slots=True)
class _Page:
    named: Digest | None
    legs: tuple[LegFact, ...]
    read_lines: Callable[[], tuple[Line, ...]]


_COMPARTMENTS: Final = (
    Compartment.TRIPS,
    Compartment.INVOICES,
    Compartment.ATTRIBUTES,
    Compartment.DOCUMENTS,
    Compartment.EXTENSIONS,
    Compartment.AIDS,
)
_TEXTS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.INVOICE: ("invoiceIssuer", "number", "payer", "holderName"),
    Kind.SUBSCRIPTION: ("network", "product", "number", "payer", "holderName"),
    Kind.PLACE: ("label", "role"),
    Kind.DOCUMENT: ("title",),
    Kind.APPLICATION: ("funder",),
    Kind.CONSENT: ("recipientName", "purpose"),
    Kind.VEHICLE: ("label", "make", "model", "identification"),
    Kind.GOAL: ("label",),
    Kind.EXTENSION: ("title", "summary"),
    Kind.MANDATE: ("delegateName", "purpose"),
    Kind.DATA_REQUEST: ("company",),
}
_STARTS: Final = (
    "dated",
    "issuedAt",
    "submittedAt",
    "createdAt",
    "givenAt",
    "awardedAt",
    "receivedAt",
    "certifiedAt",
    "writtenAt",
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAYOUT: Final = 1
_MODES: Final = {mode.value: mode for mode in Mode}
_MODE_WORDS: dict[Mode, str] = {}


def fold(text: str) -> str:
    """Lower case without accents: `Vélo` and `velo` are one word."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c)).replace("œ", "oe")


def _mode_words(mode: Mode) -> str:
    found = _MODE_WORDS.get(mode)
    if found is None:
        labels = MODES[mode].labels
        found = _MODE_WORDS[mode] = fold(f"{labels['fr']} {labels['en']}")
    return found


class Almanac:
    """Pages by compartment and month. Safe to share between threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._pages: dict[tuple[Compartment, MonthName], _Page] = {}
        self._fresh: dict[MonthName, _Page] = {}
        self._version = ""

    def clear(self) -> None:
        with self._guard:
            self._pages.clear()
            self._fresh.clear()

    def named(self, shelf: Shelf, months: Iterable[MonthName]) -> tuple[Digest | None, ...]:
        """Digests of the manifests of these months of trips: what facts about them rest on."""
        return tuple(shelf.head.manifests.get((Compartment.TRIPS, m)) for m in months)

    def legs(self, shelf: Shelf, months: Iterable[MonthName]) -> list[LegFact]:
        """Facts of every leg filed under these months."""
        return [fact for m in months for fact in self._page(shelf, Compartment.TRIPS, m).legs]

    def lines(self, shelf: Shelf, kinds: frozenset[Kind]) -> list[Line]:
        """Every record of these kinds, as search sees them."""
        wanted = {COMPARTMENT_OF[kind] for kind in kinds}
        return [
            line
            for compartment in _COMPARTMENTS
            if compartment in wanted
            for month in shelf.months(compartment)
            for line in self._page(shelf, compartment, month).read_lines()
            if line.kind in kinds
        ]

    def _page(self, shelf: Shelf, compartment: Compartment, month: MonthName) -> _Page:
        named = shelf.head.manifests.get((compartment, month))
        with self._guard:
            if self._version != co2.version():  # another table: every figure is computed again
                self._pages.clear()
                self._version = co2.version()
            kept = self._pages.get((compartment, month))
        if kept is not None and kept.named == named:
            return kept
        if compartment is Compartment.TRIPS:
            found = self._kept(shelf, month, named)
            if found is not None:
                with self._guard:
                    self._pages[(compartment, month)] = found
                return found
        with put_off():
            page = self._made(shelf, compartment, month, named)
        with self._guard:
            self._pages[(compartment, month)] = page
        if compartment is Compartment.TRIPS and named is not None:
            self._fresh[month] = page
        return page

    def _made(
        self, shelf: Shelf, compartment: Compartment, month: MonthName, named: Digest | None
    ) -> _Page:
        """A page made of the month's records."""
        legs: list[LegFact] = []
        lines: list[Line] = []
        sources: dict[str, str] = {}
        trips = []
        for row, payload in shelf.payloads(compartment, month):
            if row.kind == Kind.OBSERVATION:
                if compartment is Compartment.TRIPS:
                    iri, source = _source(shelf.library.kept_value(row.digest), payload)
                    sources[iri] = source
            elif row.kind == Kind.TRIP:
                trips.append(shelf.library.value(row.digest, payload, read_trip))
            else:
                lines.append(_other(Kind(row.kind), json.loads(payload)))
        for trip in trips:
            named_after = next(iter(trip.observations), None)
            if named_after is not None and named_after not in sources:  # filed beside this month
                found_there = shelf.find(Iri(named_after), [Compartment.TRIPS])
                if found_there is not None:
                    sources[named_after] = _source(None, shelf.payload(found_there))[1]
            lines.append(_trip(trip, legs, sources.get(named_after or "", "")))
        made = tuple(lines)
        return _Page(named, tuple(legs), lambda: made)

    def missing(self, shelf: Shelf) -> list[MonthName]:
        """Months of trips that have no page in the store, newest first."""
        library, months = shelf.library, shelf.months(Compartment.TRIPS)
        kept = shelf.reader.setting_names(shelf.vault_id, PAGES)
        return [
            month
            for month in reversed(months)
            if page_name(library.tag(Compartment.TRIPS, month)) not in kept
        ]

    def prepare(self, library: Library, *, until: float) -> int:
        """Make pages of trips that are missing, newest first, until the monotonic clock says;
        returns how many. At least one, so that every slice gets on."""
        made = 0
        with library.reading() as shelf:
            for month in self.missing(shelf):
                if made and time.monotonic() >= until:
                    break
                page = self._page(shelf, Compartment.TRIPS, month)
                with self._guard:
                    self._fresh[month] = page
                made += 1
        self.keep(library)
        return made

    def keep(self, library: Library) -> None:
        """Seal the pages that were made since, unless their month moved on. Nobody waits for it:
        when another writer is at work, the next call does it."""
        with self._guard:
            fresh, self._fresh = self._fresh, {}
        if not fresh:
            return
        with contextlib.suppress(DatabaseBusyError, HeadMovedError), library.writing() as draft:
            for month, page in fresh.items():
                if draft.head.manifests.get((Compartment.TRIPS, month)) != page.named:
                    continue
                name = page_name(library.tag(Compartment.TRIPS, month))
                body = zlib.compress(_write(page), 6)
                sealed = seal_value(library.keyring, body, place="almanac", name=name)
                draft.tx.put_setting(library.vault_id, name, sealed)

    def _kept(self, shelf: Shelf, month: MonthName, named: Digest | None) -> _Page | None:
        library = shelf.library
        name = page_name(library.tag(Compartment.TRIPS, month))
        sealed = shelf.reader.setting(shelf.vault_id, name)
        if sealed is None or named is None:
            return None
        try:
            body = open_value(library.keyring, sealed, place="almanac", name=name)
            return _read(zlib.decompress(body), named)
        except (CryptoError, zlib.error, ValueError, KeyError, TypeError):
            return None  # a key that is gone, or a layout of another version: made anew


def _write(page: _Page) -> bytes:
    """Columns, in the order of the dataclasses; equal words compress away."""
    assert page.named is not None  # noqa: S101  # the caller looked
    return json.dumps(
        [
            _LAYOUT,
            co2.version(),
            page.named.hex(),
            [
                [
                    leg.trip,
                    leg.day,
                    leg.mode.value,
                    leg.evidence,
                    leg.purpose,
                    leg.distance,
                    leg.duration,
                    leg.emission,
                    leg.alone,
                    leg.factor,
                    leg.source,
                ]
                for leg in page.legs
            ],
            [
                [
                    line.iri,
                    line.start.isoformat(),
                    line.day,
                    line.text,
                    sorted(mode.value for mode in line.modes),
                    line.ends,
                ]
                for line in page.read_lines()
            ],
        ],
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()


def _read(body: bytes, named: Digest) -> _Page | None:
    layout, version, of, legs, lines = json.loads(body)
    if (layout, version, of) != (_LAYOUT, co2.version(), named.hex()):
        return None
    kept: list[tuple[Line, ...]] = []

    def read_lines() -> tuple[Line, ...]:
        if not kept:
            kept.append(tuple(map(_line, lines)))
        return kept[0]

    return _Page(
        named,
        tuple(LegFact(trip, day, _MODES[mode], *rest) for trip, day, mode, *rest in legs),
        read_lines,
    )


def _line(row: list[Any]) -> Line:
    iri, start, day, text, modes, ends = row
    return Line(
        iri,
        Kind.TRIP,
        datetime.fromisoformat(start),
        day,
        text,
        frozenset(_MODES[mode] for mode in modes),
        tuple((lat, lon) for lat, lon in ends),
    )


def _source(kept: object, payload: bytes) -> tuple[str, str]:
    """(IRI, source) of an observation as kept; the citizen's own acts have none."""
    if isinstance(kept, Observed):
        return kept.iri, getattr(kept.received.observation, "source", "")
    said = document_of(payload)
    return said["id"], said.get("source", "")


def _trip(trip: Trip, legs: list[LegFact], source: str) -> Line:
    day = trip.local_date.isoformat()
    iri, purpose = trip.id, trip.purpose or ""
    modes = set()
    for leg in trip.legs or (trip,):
        mode, distance = leg.mode, leg.distance
        modes.add(mode)
        emitted = co2.emission(mode, distance)
        legs.append(
            LegFact(
                iri,
                day,
                mode,
                leg.mode_evidence.value,
                purpose,
                distance,
                leg.duration,
                None if emitted is None else emitted.grams,
                0 if emitted is None else co2.counterfactual(distance).grams,
                None if emitted is None else emitted.factor_id,
                source,
            )
        )
    places = [p for p in (trip.origin, trip.destination) if p is not None]
    words = [fold(p.label) for p in places if p.label]
    words += [_mode_words(mode) for mode in sorted(modes)]
    if purpose:
        words.append(fold(purpose))
    return Line(
        iri,
        Kind.TRIP,
        trip.started_at,
        day,
        " ".join(words),
        frozenset(modes),
        tuple((p.lat, p.lon) for p in places),
    )


def _other(kind: Kind, document: Mapping[str, Any]) -> Line:
    start = _EPOCH
    for name in _STARTS:
        if name in document:
            start = datetime.fromisoformat(document[name])
            break
    else:
        if "firstDay" in document and kind is Kind.SUBSCRIPTION:
            start = datetime.fromisoformat(document["firstDay"]).replace(tzinfo=UTC)
    words = [fold(str(document[name])) for name in _TEXTS.get(kind, ()) if document.get(name)]
    words += [fold(line["label"]) for line in document.get("lines", ()) if isinstance(line, dict)]
    title = document.get("aidTitle")
    if isinstance(title, dict):
        words += [fold(str(value)) for value in title.values()]
    return Line(document["id"], kind, start, start.date().isoformat(), " ".join(words), frozenset())
