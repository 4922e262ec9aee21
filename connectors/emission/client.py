"""Talking to an e-mission server: POST only, the token in the JSON body, redirects never followed.

An unknown route answers 301 to a web page: a client that followed it would send the token there
and get 200 HTML back. Source: e-mission-server `emission/net/api/cfc_webapp.py`,
`emission/net/auth`.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from connectors.emission.entries import is_entry
from connectors.errors import SourceAnswerError, SourceRedirectError

RESULT_LIMIT: Final = 250_000
"""`result_limit` of the server's configuration: it cuts there without a word."""


class Transport(Protocol):
    """How a request body reaches the source. Raises the `Source…Error`s of `connectors.errors`."""

    def post_json(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON answer to a POST of `body` at `path`."""
        ...


class Dialect(StrEnum):
    """The two families of servers in service."""

    TRACEMOB_2021 = "tracemob-2021"
    """fabmob's fork of 2021-01: write_ts only, no composite trips, `/timeline/getTrips` has
    sections."""
    UPSTREAM_2026 = "upstream-2026"
    """OpenPATH: composite trips, `key_time`, `get_range_ts`."""


class EmissionClient:
    """One account at one server."""

    def __init__(
        self, transport: Transport, *, token: str, result_limit: int = RESULT_LIMIT
    ) -> None:
        self._transport, self._token = transport, token
        self.result_limit = result_limit

    def __repr__(self) -> str:
        return "EmissionClient(token=***)"

    def _post(self, path: str, **body: Any) -> Mapping[str, Any]:
        answer = self._transport.post_json(path, {"user": self._token, **body})
        if not isinstance(answer, dict):
            raise SourceAnswerError(where=path, reason="not an object")
        return answer

    def find_entries(
        self,
        keys: Sequence[str],
        start_ts: float,
        end_ts: float,
        *,
        key_time: str | None = None,
    ) -> list[Any]:
        """Entries with `start_ts <= metadata.write_ts <= end_ts`, both ends included.

        `key_time` (upstream only) filters on another time, e.g. `data.start_ts`. Exactly
        `result_limit` entries mean that the server cut the answer.
        """
        path = "/datastreams/find_entries/timestamp"
        more = {} if key_time is None else {"key_time": key_time}
        answer = self._post(path, key_list=list(keys), start_time=start_ts, end_time=end_ts, **more)
        entries = answer.get("phone_data")
        if not isinstance(entries, list):
            raise SourceAnswerError(where=path + "#/phone_data", reason="not a list")
        return entries

    def is_cut(self, entries: Sequence[Any]) -> bool:
        """Whether the server may have left some out in silence."""
        return len(entries) >= self.result_limit

    def range(self) -> tuple[float, float] | None:
        """First and last data time, or None for an account with no data yet.

        Raises:
            SourceRedirectError: this server has no such route (Tracemob).
        """
        answer = self._post("/pipeline/get_range_ts")
        start, end = answer.get("start_ts"), answer.get("end_ts")
        if isinstance(start, int | float) and isinstance(end, int | float):
            return float(start), float(end)
        return None

    def complete_until(self) -> float | None:
        """Data time up to which the diary is final. Never a cursor: it is not a time of writing."""
        until = self._post("/pipeline/get_complete_ts").get("complete_ts")
        return float(until) if isinstance(until, int | float) else None

    def day(self, local_day: date) -> list[Any]:
        """The diary of a *local* day: GeoJSON trips with sections and tracks."""
        path = f"/timeline/getTrips/{local_day.isoformat()}"
        trips = self._post(path).get("timeline")
        if not isinstance(trips, list):
            raise SourceAnswerError(where=path + "#/timeline", reason="not a list")
        return trips

    def dialect(self, *, now: datetime) -> Dialect:
        """Which family the server is of.

        A production Tracemob has answered `get_range_ts` too, so the route alone proves nothing:
        what counts is whether the account has composite trips, or, with no trip at all yet,
        whether the route exists.
        """
        try:
            span = self.range()
        except SourceRedirectError:
            return Dialect.TRACEMOB_2021
        if span is None:
            return Dialect.UPSTREAM_2026
        last = span[1]
        # Objects are written after what they tell; a month covers the slowest pipeline seen.
        window = (last - 31 * 86_400, now.timestamp())
        found = self.find_entries(["analysis/composite_trip"], *window)
        if any(is_entry(entry) for entry in found):
            return Dialect.UPSTREAM_2026
        trips = self.find_entries(["analysis/confirmed_trip"], *window)
        return Dialect.TRACEMOB_2021 if trips else Dialect.UPSTREAM_2026


__all__ = ["RESULT_LIMIT", "Dialect", "EmissionClient", "Transport"]
