"""The open catalogue for everybody: search, feed of changes, files. Nothing reserved, no person."""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from federation.aids.errors import UnknownTerritoryError
from federation.aids.export import (
    FORMATS,
    Tombstone,
    as_jsonld,
    as_nquads,
    as_table,
    dcat_catalogue,
    services_page,
)
from federation.aids.linked import CONTEXT, Linked
from federation.aids.model import Aid
from federation.aids.search import Finder
from federation.aids.territory import Portrait, place_of, portrait
from federation.hub.publishing import PublishingService
from federation.hub.settings import HubSettings

__all__ = ["PAGE_OF_SERVICES", "File", "OpenDataService", "etag_of", "knows"]

PAGE_OF_SERVICES: Final = 100
_FEED: Final = 1_000
_PORTRAITS: Final = 256
"""Portraits a process keeps; one of a region holds some dozens of aids."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of the dump. `etag` without its quotes: a digest of the content."""

    content: bytes
    media_type: str
    etag: str


@dataclass(frozen=True, slots=True)
class _State:
    """Everything derived from one version of the catalogue on one day."""

    key: tuple[int, date]
    finder: Finder
    aids: tuple[Aid, ...]
    gone: tuple[Tombstone, ...]
    modified: datetime
    files: Mapping[str, File]


class OpenDataService:
    """Search and files, computed once a version and day, when somebody first asks."""

    def __init__(
        self,
        settings: HubSettings,
        publishing: PublishingService,
        clock: Callable[[], datetime],
    ) -> None:
        self._publishing = publishing
        self._clock = clock
        self._name, self._did = settings.name, settings.did
        self._linked = Linked(settings.origin)
        self._lock = threading.Lock()
        self._finder: tuple[tuple[int, date], Finder] | None = None
        self._state: _State | None = None
        self._portraits: OrderedDict[tuple[int, date, str, str], Portrait] = OrderedDict()

    @property
    def linked(self) -> Linked:
        """Addresses of this hub's aids."""
        return self._linked

    def key(self) -> tuple[int, date]:
        """(version, day): what every answer here depends on beside the question."""
        return self._publishing.public().version, self._clock().date()

    def finder(self) -> Finder:
        """The index of today's catalogue."""
        catalogue, day = self._publishing.public(), self._clock().date()
        key = (catalogue.version, day)
        with self._lock:
            if self._finder is None or self._finder[0] != key:
                self._finder = (key, Finder(catalogue, day))
            return self._finder[1]

    def file(self, path: str) -> File | None:
        """One of `FORMATS` by its path; None for another."""
        return self._current().files.get(path)

    def portrait(self, level: str, code: str) -> Portrait:
        """A territory's aids today.

        Raises:
            UnknownTerritoryError: no territory of that level and code.
        """
        place = place_of(level, code)
        if place is None:
            raise UnknownTerritoryError(level, code)
        catalogue, day = self._publishing.public(), self._clock().date()
        key = (catalogue.version, day, level, place.code)
        with self._lock:
            if key in self._portraits:
                self._portraits.move_to_end(key)
                return self._portraits[key]
        found = portrait(catalogue, place, day)
        with self._lock:
            self._portraits[key] = found
            while len(self._portraits) > _PORTRAITS:
                self._portraits.popitem(last=False)
        return found

    def catalogue(self) -> dict[str, Any]:
        """The DCAT-AP catalogue as a JSON-LD document."""
        state = self._current()
        node = dcat_catalogue(
            self._linked,
            name=self._name,
            did=self._did,
            modified=state.modified,
            sizes={path: len(file.content) for path, file in state.files.items()},
            total=len(state.aids),
        )
        return {"@context": dict(CONTEXT), **node}

    def services(self, page: int) -> dict[str, Any]:
        """One page of public services, with Hydra's links."""
        state = self._current()
        return services_page(state.aids, state.gone, self._linked, page=page, size=PAGE_OF_SERVICES)

    def _current(self) -> _State:
        finder, key = self.finder(), self.key()
        with self._lock:
            if self._state is None or self._state.key != key:
                self._state = self._build(finder, key)
            return self._state

    def _build(self, finder: Finder, key: tuple[int, date]) -> _State:
        aids = finder.aids
        gone: list[Tombstone] = []
        modified = self._publishing.public().issued_at
        after = 0
        newest: datetime | None = None
        while True:
            found, last = self._publishing.changed(after=after, limit=_FEED)
            for revision, is_open in found:
                newest = max(newest or revision.at, revision.at)
                if not is_open:
                    aid = revision.aid
                    gone.append(Tombstone(aid.slug, aid.id, revision.at))
            if last == after:
                break
            after = last
        numbers = self._publishing.numbers()
        contents = {
            "aides.jsonld": as_jsonld(aids, gone, self._linked),
            "aides.nq": as_nquads(aids, gone, self._linked),
            "aides.csv": as_table(aids, numbers),
        }
        files = {
            form.path: File(
                contents[form.path],
                form.media_type,
                hashlib.sha256(contents[form.path]).hexdigest()[:32],
            )
            for form in FORMATS
        }
        return _State(key, finder, aids, tuple(gone), newest or modified, files)


def etag_of(document: Mapping[str, Any]) -> str:
    """Digest of a JSON answer, as its ETag without quotes."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def knows(header: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names this copy: weak or strong, one of several, or any."""
    known = [one.strip().removeprefix("W/").strip('"') for one in (header or "").split(",")]
    return etag in known or "*" in known
