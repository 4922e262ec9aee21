"""Cozy's `io.cozy.timeseries.geojson` as files: one document, an array, or CouchDB's `rows`/`docs`.

Source: cozy/cozy-doctypes `docs/io.cozy.timeseries.md` (whose own example has latitude first:
refused here as swapped, CoachCO2's data are longitude first) and cozy/coachCO2 README. `series`
holds e-mission diary trips, so ids survive and the same trip from Tracemob merges.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, BinaryIO, Final

from connectors.base import Page, Rejected, identified
from connectors.emission import geojson
from connectors.emission.entries import Reading
from connectors.emission.files import paged
from connectors.parsing import MAX_FILE_BYTES, UnusableError, read_objects, text
from schemas.observations import Observation, TripObservation

SOURCE: Final = "cozy"
_KNOWN_ORIGINS: Final = frozenset({"agremob.com", "cozy.io"})
"""`source` of real documents: Tracemob of La Rochelle, and Cozy's own OpenPATH."""


class CozyTimeseries:
    """Trips that CoachCO2 keeps in a Cozy."""

    name = "cozy-timeseries"
    title = "Cozy / CoachCO2 : io.cozy.timeseries.geojson (JSON)"
    source = SOURCE

    def sniff(self, head: bytes) -> bool:
        """`series` of feature collections; e-mission's own diaries have none."""
        return (b'"series"' in head and b'"FeatureCollection"' in head) or b'"io.cozy.time' in head

    def read(self, stream: BinaryIO, *, account: str, at: datetime) -> Iterator[Page]:
        """One observation for each trip of each document's `series`."""
        reading = Reading(account=account, at=at, source=SOURCE)
        records: list[Observation] = []
        rejected: list[Rejected] = []
        for item in read_objects(stream.read(MAX_FILE_BYTES + 1)):
            if isinstance(item, Rejected):
                rejected.append(item)
                continue
            for where, document in _documents(*item):
                _read(where, document, reading, records, rejected)
        yield from paged(records, rejected, {})


def _documents(where: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Documents in an answer of CouchDB (`rows[].doc`, `docs[]`, `data[]`), or the document
    itself."""
    if isinstance(value, dict):
        for name in ("rows", "docs", "data"):
            if isinstance(value.get(name), list):
                for index, row in enumerate(value[name]):
                    inner = row.get("doc", row) if isinstance(row, dict) else row
                    yield f"{where}/{name}/{index}", inner
                return
    yield where, value


def _read(
    where: str,
    document: Any,
    reading: Reading,
    records: list[Observation],
    rejected: list[Rejected],
) -> None:
    series = document.get("series") if isinstance(document, dict) else None
    if not isinstance(series, list):
        rejected.append(Rejected(where=where, code="no-series"))
        return
    for index, trip in enumerate(series):
        place = f"{where}/series/{index}"
        if not geojson.is_trip(trip):
            rejected.append(Rejected(where=place, code="not-a-trip"))
            continue
        try:
            observation, bad = geojson.read_trip(trip, place, reading)
        except UnusableError as error:
            rejected.append(error.rejected())
            continue
        records.append(_with_origin(observation, document))
        rejected.extend(bad)


def _with_origin(observation: TripObservation, document: Mapping[str, Any]) -> TripObservation:
    extra: dict[str, Any] = dict(observation.extra)
    origin = document.get("source")
    if isinstance(origin, str) and origin in _KNOWN_ORIGINS:
        extra["cozy:source"] = origin
    purpose = observation.purpose
    aggregation = document.get("aggregation")
    if purpose is None and isinstance(aggregation, dict):
        said = aggregation.get("purpose")
        purpose = text(said, "") if isinstance(said, str) and said != "OTHER_PURPOSE" else None
    identity = document.get("_id")
    ids = observation.upstream_ids
    if isinstance(identity, str) and 0 < len(identity) <= 64 and identity not in ids:
        ids = (*ids, identity)
    return identified(replace(observation, purpose=purpose, upstream_ids=ids, extra=extra))


__all__ = ["SOURCE", "CozyTimeseries"]
