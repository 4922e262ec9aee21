"""Files of e-mission that a person (or their data controller, after a request) can have.

Entries dumps, `*.expected_confirmed_trips`, `*.expected_composite_trips`, `*.user_inputs`, answers
of `find_entries` saved as they came, GeoJSON diaries. Anybody can edit such a file: declared
evidence.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, BinaryIO, Final

from connectors.base import Page, Rejected
from connectors.emission import geojson
from connectors.emission.entries import (
    COMPOSITE,
    CONFIRMED,
    LABEL_KEYS,
    SECTION_KEYS,
    SOURCE,
    SURVEY_KEY,
    Reading,
    is_entry,
    is_untracked,
    key_of,
    oid,
    read_label,
    read_trip,
)
from connectors.parsing import MAX_FILE_BYTES, UnusableError, read_objects
from schemas.observations import Observation

PAGE: Final = 200
"""Observations a page; the depositor cuts again by bytes."""


class EmissionEntries:
    """e-mission / Tracemob entries as MongoDB extended JSON."""

    name = "emission-entries"
    title = "e-mission / Tracemob : entrées, trajets confirmés ou composites, étiquettes (JSON)"
    source = SOURCE

    def sniff(self, head: bytes) -> bool:
        """An envelope with `metadata` and a key of e-mission, or a diary; Cozy's have `series`."""
        if b'"series"' in head:
            return False
        entries = b'"metadata"' in head and (
            b'"write_ts"' in head or b'"analysis/' in head or b'"manual/' in head
        )
        return entries or (b'"feature_type"' in head and b'"FeatureCollection"' in head)

    def read(self, stream: BinaryIO, *, account: str, at: datetime) -> Iterator[Page]:
        """Pages of trips and labels. Composite trips win over the confirmed trips they contain."""
        reading = Reading(account=account, at=at)
        rejected: list[Rejected] = []
        skipped: Counter[str] = Counter()
        objects: list[tuple[str, Any]] = []
        for item in read_objects(stream.read(MAX_FILE_BYTES + 1)):
            if isinstance(item, Rejected):
                rejected.append(item)
            else:
                objects.extend(_unwrap(*item))
        sections: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        entries: list[tuple[str, Mapping[str, Any]]] = []
        trips: list[tuple[str, Mapping[str, Any]]] = []
        owner: str | None = None
        embedded: set[str] = set()
        for where, value in objects:
            if geojson.is_trip(value):
                trips.append((where, value))
                continue
            if not is_entry(value):
                rejected.append(Rejected(where=where, code="not-an-entry"))
                continue
            user = oid(value.get("user_id"))
            owner = owner or user
            if user and user != owner:
                # A dump of several people is not one person's: the first one's entries are kept.
                rejected.append(Rejected(where=where + "/user_id", code="other-person"))
                continue
            if key_of(value) in SECTION_KEYS:
                trip = oid(value["data"].get("trip_id"))
                if trip:
                    sections[trip].append(value)
                continue
            if key_of(value) == COMPOSITE and (
                confirmed := oid(value["data"].get("confirmed_trip"))
            ):
                embedded.add(confirmed)
            entries.append((where, value))

        records: list[Observation] = []
        for where, value in trips:
            try:
                trip_record, bad = geojson.read_trip(value, where, reading)
            except UnusableError as error:
                rejected.append(error.rejected())
                continue
            records.append(trip_record)
            rejected.extend(bad)
        for where, entry in entries:
            if key_of(entry) == CONFIRMED and oid(entry.get("_id")) in embedded:
                skipped["inside-composite"] += 1
                continue
            cleaned = oid(entry["data"].get("cleaned_trip"))
            apart = best_sections(sections.get(cleaned or "", ()))
            records.extend(_read((where, entry), reading, apart, rejected, skipped))
        yield from paged(records, rejected, skipped)


def paged(
    records: list[Observation], rejected: list[Rejected], skipped: Mapping[str, int]
) -> Iterator[Page]:
    """`records` in pages of `PAGE`; what was left out is told with the first."""
    yield Page(
        records=tuple(records[:PAGE]),
        rejected=tuple(rejected),
        skipped=dict(sorted(skipped.items())),
    )
    for start in range(PAGE, len(records), PAGE):
        yield Page(records=tuple(records[start : start + PAGE]))


def _read(
    located: tuple[str, Mapping[str, Any]],
    reading: Reading,
    sections: list[Mapping[str, Any]],
    rejected: list[Rejected],
    skipped: Counter[str],
) -> list[Observation]:
    where, entry = located
    key = key_of(entry)
    if is_untracked(entry):
        skipped["untracked"] += 1
        return []
    try:
        if key in {CONFIRMED, COMPOSITE}:
            trip, bad = read_trip(entry, where, reading, sections=sections)
            rejected.extend(bad)
            return [trip]
        if key in LABEL_KEYS or key == SURVEY_KEY:
            return list(read_label(entry, where, reading))
    except UnusableError as error:
        rejected.append(error.rejected())
        return []
    skipped[key if len(key) <= 64 else "other"] += 1
    return []


def best_sections(sections: Any) -> list[Mapping[str, Any]]:
    """The inferred sections of a trip when there are any, else the cleaned ones; doubles by
    interval once."""
    inferred = [s for s in sections if key_of(s) == "analysis/inferred_section"]
    chosen = inferred or list(sections)
    once = {}
    for section in chosen:
        data = section.get("data")
        if isinstance(data, dict):
            once[(str(data.get("start_ts")), str(data.get("end_ts")))] = section
    return list(once.values())


def _unwrap(where: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Entries inside an answer (`phone_data`), a diary document (`data`) or `getTrips`
    (`timeline`)."""
    if isinstance(value, dict):
        for name in ("phone_data", "timeline", "server_to_phone"):
            if isinstance(value.get(name), list):
                for index, inner in enumerate(value[name]):
                    yield from _unwrap(f"{where}/{name}/{index}", inner)
                return
        if isinstance(value.get("data"), list) and key_of(value).startswith("diary/"):
            for index, inner in enumerate(value["data"]):
                yield f"{where}/data/{index}", inner
            return
    yield where, value


__all__ = ["EmissionEntries", "best_sections", "paged"]
