"""e-mission / Tracemob, pulled: check, discover, pull in windows of writing time.

Window by time, because the server has no page tokens and cuts in silence at its limit: a window
that comes back full (or too large to read) is halved, one that comes back thin is doubled. The
cursor is the end of the last window, compared with `>=`, and each pull looks `LOOKBACK` further
back: labels do not touch `write_ts`, resets write again under new ids. What the source no longer
has is not deleted here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.base import AccountView, Cursor, Page, Rejected, Stream, identified
from connectors.emission import geojson
from connectors.emission.client import Dialect, EmissionClient
from connectors.emission.entries import (
    COMPOSITE,
    CONFIRMED,
    LABEL_KEYS,
    SOURCE,
    SURVEY_KEY,
    Reading,
    is_entry,
    is_untracked,
    key_of,
    local_zone,
    oid,
    read_label,
    read_trip,
)
from connectors.emission.streams import LABELS, STREAMS
from connectors.errors import (
    AnswerTooLargeError,
    SourceAnswerError,
    SourceBusyError,
    SourceUnreachableError,
)
from connectors.parsing import UnusableError, instant
from schemas.observations import LabelObservation, Observation, TripObservation

FIRST: Final = datetime(2013, 1, 1, tzinfo=UTC).timestamp()
"""Before the first e-mission server wrote anything."""
FIRST_WINDOW_S: Final = 30 * 86_400.0
WIDEST_WINDOW_S: Final = 2 * 366 * 86_400.0
NARROWEST_WINDOW_S: Final = 1.0
THIN: Final = 50
"""Fewer entries than this in a window: the next one is twice as wide."""
FULL: Final = 400
"""More than this: the next one is half as wide, so that pages stay small."""
AHEAD_S: Final = 86_400.0
"""Labels carry the phone's clock: ask a day past now."""
RERUN: Final = timedelta(days=1)
"""Around a label's interval when its trip is fetched again: the draft's ends differ from the final
trip's."""

Clock = Callable[[], datetime]


class EmissionConnector:
    """One e-mission account, both dialects."""

    name = SOURCE

    def __init__(
        self,
        client: EmissionClient,
        *,
        account: str,
        clock: Clock,
        dialect: Dialect | None = None,
    ) -> None:
        self._client, self._account, self._clock, self._dialect = client, account, clock, dialect

    def check(self) -> AccountView:
        """Prove address and token, find the dialect."""
        until = self._client.complete_until()
        dialect = self._detect()
        return AccountView(
            dialect=dialect,
            complete_until=datetime.fromtimestamp(until, UTC) if until else None,
        )

    def discover(self) -> tuple[Stream, ...]:
        """Trips and labels."""
        return STREAMS

    def pull(self, stream: Stream, since: Cursor | None) -> Iterator[Page]:
        """Pages of `stream`, oldest writing time first."""
        dialect = self._detect()
        now = self._clock()
        reading = Reading(account=self._account, at=now)
        for end, entries in self._windows(stream, since, dialect, now):
            if stream.name == LABELS.name:
                page = self._labels(entries, reading, dialect)
            elif dialect is Dialect.UPSTREAM_2026:
                page = _Page(reading).trips(entries, "/phone_data")
            else:
                page = self._tracemob(entries, reading)
            # A window that reaches past now must be asked again from now.
            cursor = {"writeTs": min(end, now.timestamp())}
            yield page.finish(cursor)

    def _detect(self) -> Dialect:
        if self._dialect is None:
            self._dialect = self._client.dialect(now=self._clock())
        return self._dialect

    def _windows(
        self, stream: Stream, since: Cursor | None, dialect: Dialect, now: datetime
    ) -> Iterator[tuple[float, list[Any]]]:
        if stream.name == LABELS.name:
            keys = (*LABEL_KEYS, SURVEY_KEY)
        else:
            keys = (COMPOSITE,) if dialect is Dialect.UPSTREAM_2026 else (CONFIRMED,)
        start = FIRST
        if since is not None and isinstance(since.get("writeTs"), int | float):
            # Never ahead of our own clock: a source that was ahead once must not hide what it
            # writes next.
            reached = min(float(since["writeTs"]), now.timestamp())
            start = max(FIRST, reached - stream.lookback.total_seconds())
        last = now.timestamp() + AHEAD_S
        width = FIRST_WINDOW_S
        while start <= last:
            end = min(start + width, last)
            try:
                entries = self._client.find_entries(keys, start, end)
                cut = self._client.is_cut(entries)
            except AnswerTooLargeError:
                entries, cut = [], True
            if cut:
                if end - start <= NARROWEST_WINDOW_S:
                    raise SourceAnswerError(
                        where="/datastreams/find_entries/timestamp",
                        reason="more entries in one second than the source gives at once",
                    )
                width = (end - start) / 2
                continue
            yield end, entries
            if end >= last:
                return
            # Inclusive at both ends: the next window begins where this one ended.
            start = end
            if len(entries) < THIN:
                width = min(width * 2, WIDEST_WINDOW_S)
            elif len(entries) > FULL:
                width = max(width / 2, NARROWEST_WINDOW_S)

    def _labels(self, entries: list[Any], reading: Reading, dialect: Dialect) -> "_Page":
        """Labels, and (upstream) the trips they were written for, as they are now."""
        page = _Page(reading)
        page.labels(entries, "/phone_data")
        if dialect is not Dialect.UPSTREAM_2026 or not page.records:
            return page
        for first, last in _spans(page.records):
            try:
                trips = self._client.find_entries(
                    [COMPOSITE], first.timestamp(), last.timestamp(), key_time="data.start_ts"
                )
            except (SourceUnreachableError, SourceBusyError):
                raise
            except SourceAnswerError as error:
                # The label itself is kept; the trip comes again with the trips' lookback.
                page.rejected.append(
                    Rejected(where=error.where or "", code=error.code, retriable=True)
                )
                continue
            page.trips(trips, "/phone_data")
        return page

    def _tracemob(self, entries: list[Any], reading: Reading) -> "_Page":
        """Confirmed trips, with legs and tracks from the diaries of their local days."""
        page = _Page(reading)
        days: dict[date, list[Any] | None] = {}
        for index, entry in enumerate(entries):
            where = f"/phone_data/{index}"
            if not page.is_usable(entry, where):
                continue
            try:
                trip, bad = read_trip(entry, where, reading)
            except UnusableError as error:
                page.rejected.append(error.rejected())
                continue
            page.rejected.extend(bad)
            diary = self._diary(entry, where, reading, days, page)
            page.records.append(_joined(trip, entry, diary, reading, page))
        return page

    def _diary(
        self,
        entry: Mapping[str, Any],
        where: str,
        reading: Reading,
        days: dict[date, list[Any] | None],
        page: "_Page",
    ) -> list[Any]:
        """The diary trips of the trip's *local* day (the UTC day loses what begins just after
        midnight)."""
        data = entry["data"]
        zone = ZoneInfo(local_zone(data["start_local_dt"], where))
        day = instant(data["start_ts"], where, at=reading.at).astimezone(zone).date()
        if day not in days:
            try:
                days[day] = self._client.day(day)
            except (SourceAnswerError, SourceUnreachableError) as error:
                # One broken trip makes the server answer 500 for its whole day: keep what we have
                # of the trips,
                # say which day is missing, and have it again with the next pull's lookback.
                days[day] = None
                page.rejected.append(
                    Rejected(
                        where=f"/timeline/getTrips/{day.isoformat()}",
                        code=error.code,
                        retriable=True,
                    )
                )
        return days[day] or []


class _Page:
    """A page being filled."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.records: list[Observation] = []
        self.rejected: list[Rejected] = []
        self.skipped: dict[str, int] = {}

    def is_usable(self, entry: Any, where: str) -> bool:
        """Whether `entry` is an entry of a trip; counts or rejects it when not."""
        if not is_entry(entry):
            self.rejected.append(Rejected(where=where, code="not-an-entry"))
            return False
        if is_untracked(entry):
            self.skipped["untracked"] = self.skipped.get("untracked", 0) + 1
            return False
        return True

    def trips(self, entries: list[Any], where: str) -> "_Page":
        known = {record.id for record in self.records}
        for index, entry in enumerate(entries):
            place = f"{where}/{index}"
            if not self.is_usable(entry, place):
                continue
            try:
                trip, bad = read_trip(entry, place, self.reading)
            except UnusableError as error:
                self.rejected.append(error.rejected())
                continue
            self.rejected.extend(bad)
            if trip.id not in known:
                known.add(trip.id)
                self.records.append(trip)
        return self

    def labels(self, entries: list[Any], where: str) -> "_Page":
        for index, entry in enumerate(entries):
            place = f"{where}/{index}"
            if not is_entry(entry) or key_of(entry) not in {*LABEL_KEYS, SURVEY_KEY}:
                self.rejected.append(Rejected(where=place, code="not-a-label"))
                continue
            try:
                self.records.extend(read_label(entry, place, self.reading))
            except UnusableError as error:
                self.rejected.append(error.rejected())
        return self

    def finish(self, cursor: Mapping[str, Any]) -> Page:
        return Page(
            records=tuple(self.records),
            rejected=tuple(self.rejected),
            cursor=cursor,
            skipped=self.skipped,
        )


def _spans(records: list[Observation]) -> Iterator[tuple[datetime, datetime]]:
    """Few disjoint spans of time that cover every label's interval with `RERUN` around it."""
    intervals = sorted(
        (record.started_at - RERUN, record.ended_at + RERUN)
        for record in records
        if isinstance(record, LabelObservation)
    )
    current: tuple[datetime, datetime] | None = None
    for first, last in intervals:
        if current is not None and first <= current[1]:
            current = (current[0], max(current[1], last))
            continue
        if current is not None:
            yield current
        current = (first, last)
    if current is not None:
        yield current


def _joined(
    trip: TripObservation, entry: Mapping[str, Any], diary: list[Any], reading: Reading, page: _Page
) -> TripObservation:
    """`trip` with legs and track of its diary twin: the one of its cleaned trip's id, else of its
    interval."""
    data = entry["data"]
    cleaned = oid(data.get("cleaned_trip"))
    for index, candidate in enumerate(diary):
        if not geojson.is_trip(candidate):
            continue
        properties = candidate["properties"]
        same = cleaned is not None and oid(candidate.get("id")) == cleaned
        if not same and (properties.get("start_ts"), properties.get("end_ts")) != (
            data.get("start_ts"),
            data.get("end_ts"),
        ):
            continue
        try:
            twin, bad = geojson.read_trip(candidate, f"/timeline/{index}", reading)
        except UnusableError as error:
            page.rejected.append(error.rejected())
            return trip
        page.rejected.extend(bad)
        return merged(trip, twin)
    return trip


def merged(trip: TripObservation, twin: TripObservation) -> TripObservation:
    """`trip` with what only its diary twin knows: legs, track, names of places."""
    return identified(
        replace(
            trip,
            legs=twin.legs or trip.legs,
            track=twin.track or trip.track,
            origin=twin.origin or trip.origin,
            destination=twin.destination or trip.destination,
            upstream_ids=tuple(dict.fromkeys((*trip.upstream_ids, *twin.upstream_ids))),
        )
    )


__all__ = ["EmissionConnector"]
