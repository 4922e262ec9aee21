"""Cozy's `io.cozy.timeseries.geojson` as files: one document, an array, or CouchDB's `rows` or
`docs`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

from connectors.base import Page, Rejected
from connectors.cozy.documents import SOURCE, read_document
from connectors.emission.entries import Reading
from connectors.emission.files import paged
from connectors.parsing import MAX_FILE_BYTES, read_objects
from schemas.observations import Observation


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
                read_document(where, document, reading, records, rejected)
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


__all__ = ["SOURCE", "CozyTimeseries"]
