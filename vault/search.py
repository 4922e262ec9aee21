"""Search over the open vault: words over labels, purposes, modes, networks and issuers.

Accents and case do not count, every word must be found, and half a word finds the whole. It runs
in the memory of the open vault (`vault/almanac.py`): nothing of a query is logged or kept. A page
asks by POST, so that words stay out of addresses and of what proxies keep of them.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from federation.multibase import EncodingError, b64url, b64url_decode
from federation.wire.errors import CursorRefusedError
from schemas.ids import Iri, digest
from schemas.modes import Mode
from schemas.records import Kind, NamedPlace, Record
from vault.almanac import Line, fold
from vault.errors import KeyStoreError, RecordInvalidError

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["KINDS", "Found", "Query", "search"]

KINDS: Final = frozenset(
    {
        Kind.TRIP,
        Kind.INVOICE,
        Kind.SUBSCRIPTION,
        Kind.PLACE,
        Kind.DOCUMENT,
        Kind.APPLICATION,
        Kind.CONSENT,
        Kind.VEHICLE,
        Kind.GOAL,
        Kind.EXTENSION,
        Kind.MANDATE,
        Kind.DATA_REQUEST,
    }
)
MAX_TEXT: Final = 200
_METRES_PER_DEGREE: Final = 111_195.0


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked. Every part narrows; an empty one does not."""

    text: str = ""
    kinds: frozenset[Kind] = frozenset()
    modes: frozenset[Mode] = frozenset()
    since: date | None = None
    until: date | None = None
    """Last day included."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of records, newest first."""

    records: tuple[Record, ...]
    total: int
    cursor: str | None


def search(
    vault: "OpenVault", query: Query, *, cursor: str | None = None, limit: int = 25
) -> Found:
    """One page of what matches.

    Raises:
        RecordInvalidError: a text over 200 characters, or a kind that is not searched.
        CursorRefusedError: not a cursor of this query.
    """
    if len(query.text) > MAX_TEXT:
        raise RecordInvalidError("the text is too long", where="/text")
    if not query.kinds <= KINDS:
        raise RecordInvalidError("not a kind that is searched", where="/kinds")
    words = fold(query.text).split()
    limit = max(1, min(limit, 100))
    after = _read_cursor(vault, cursor, query)
    places = [
        place
        for place in (vault.places() if words else [])
        if any(_names(place, word) for word in words)
    ]
    since, until = (d.isoformat() if d else "" for d in (query.since, query.until))
    with vault.library.reading() as shelf:
        lines = vault.almanac.lines(shelf, query.kinds or KINDS)
    vault.almanac.keep(vault.library)
    hits = [
        line
        for line in lines
        if (not query.modes or line.modes & query.modes)
        and (not since or line.day >= since)
        and (not until or line.day <= until)
        and all(word in line.text or _is_at(line, word, places) for word in words)
    ]
    hits.sort(key=lambda line: (line.start, line.iri), reverse=True)
    page = [line for line in hits if after is None or (line.start, line.iri) < after]
    more, page = len(page) > limit, page[:limit]
    return Found(
        tuple(vault.get(line.iri) for line in page),
        len(hits),
        _cursor(vault, page[-1], query) if more else None,
    )


def _names(place: NamedPlace, word: str) -> bool:
    role = {"home": "home domicile maison", "work": "work travail bureau"}.get(place.role, "")
    return word in fold(place.label or "") or word in role


def _is_at(line: Line, word: str, places: Sequence[NamedPlace]) -> bool:
    """Whether a trip starts or ends in a place of the citizen that has this word."""
    return any(
        _names(place, word) and _metres(place.lat, place.lon, lat, lon) <= place.radius
        for place in places
        for lat, lon in line.ends
    )


def _metres(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Flat-earth distance: exact enough within the radius of a place."""
    east = (other_lon - lon) * math.cos(math.radians(lat))
    return math.hypot(other_lat - lat, east) * _METRES_PER_DEGREE


def _aad(vault: "OpenVault", query: Query) -> bytes:
    said = [
        query.text,
        sorted(query.kinds),
        sorted(query.modes),
        str(query.since),
        str(query.until),
    ]
    return vault.vault_id.encode() + digest(json.dumps(said).encode())


def _cursor(vault: "OpenVault", line: Line, query: Query) -> str:
    body = f"{line.start.isoformat()} {line.iri}".encode()
    return b64url(vault.home.seal.seal(body, purpose="search", aad=_aad(vault, query)))


def _read_cursor(
    vault: "OpenVault", cursor: str | None, query: Query
) -> tuple[datetime, Iri] | None:
    if cursor is None:
        return None
    try:
        body = vault.home.seal.open(b64url_decode(cursor), purpose="search", aad=_aad(vault, query))
    except (EncodingError, KeyStoreError):
        raise CursorRefusedError from None
    start, _, iri = body.decode().partition(" ")
    return datetime.fromisoformat(start), Iri(iri)
