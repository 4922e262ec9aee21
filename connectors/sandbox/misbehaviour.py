"""Bad manners on demand: what real servers do wrong, for as many answers as asked."""

import json
import threading
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any, Final

import anyio
from fastapi import Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse


class Misbehaviour(StrEnum):
    """Names for `POST /_misbehave`."""

    BUSY = "429"
    DOWN = "503"
    BROKEN = "500"
    EXPIRED = "expired-token"
    REVOKED = "revoked-token"
    HTML = "html"
    REDIRECT = "redirect"
    REDIRECT_LOOP = "redirect-loop"
    SLOW = "slow"
    ENDLESS = "endless"
    TRUNCATED = "truncated"
    HUGE = "huge"
    DEEP = "deep"
    NOT_JSON = "not-json"
    NAN = "nan"
    SWAPPED = "swapped"
    EPOCH = "1970"
    FUTURE = "future"
    SKEW = "skew"
    HOSTILE_NAMES = "hostile-names"
    OUT_OF_ORDER = "out-of-order"
    TWICE = "twice"
    WRONG_TYPES = "wrong-types"


SLOW_S: Final = 10.0
RETRY_AFTER_S: Final = 7


class Manners:
    """What the next answers do wrong."""

    def __init__(self) -> None:
        self._queue: list[Misbehaviour] = []
        self._lock = threading.Lock()

    def ask(self, what: Misbehaviour, times: int) -> None:
        """Misbehave in this way for the next `times` answers."""
        with self._lock:
            self._queue.extend([what] * times)

    def behave(self) -> None:
        """Forget all that was asked."""
        with self._lock:
            self._queue.clear()

    def next(self) -> Misbehaviour | None:
        with self._lock:
            return self._queue.pop(0) if self._queue else None


def instead(what: Misbehaviour, *, page: str) -> Response | None:
    """The answer given in place of a good one; None when the good one is only spoiled."""
    match what:
        case Misbehaviour.BUSY | Misbehaviour.DOWN:
            return JSONResponse(
                {"error": "later"},
                status_code=int(what.value),
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        case Misbehaviour.BROKEN:
            return JSONResponse({"error": "internal"}, status_code=500)
        case Misbehaviour.EXPIRED:
            return JSONResponse({"error": "expired"}, status_code=401)
        case Misbehaviour.REVOKED:
            return JSONResponse({"error": "forbidden"}, status_code=403)
        case Misbehaviour.HTML:
            return HTMLResponse(page)
        case Misbehaviour.REDIRECT:
            return RedirectResponse("/", status_code=301)
        case Misbehaviour.REDIRECT_LOOP:
            return RedirectResponse("/_loop", status_code=307)
        case Misbehaviour.SLOW:
            return StreamingResponse(_slowly(), media_type="application/json")
        case Misbehaviour.ENDLESS:
            return StreamingResponse(_endless(), media_type="application/json")
        case Misbehaviour.TRUNCATED:
            return Response(b'{"phone_data": [{"_id": ', media_type="application/json")
        case Misbehaviour.HUGE:
            return StreamingResponse(_huge(), media_type="application/json")
        case Misbehaviour.DEEP:
            return Response(b"[" * 200_000, media_type="application/json")
        case Misbehaviour.NOT_JSON:
            return Response(b"ok", media_type="application/json")
        case _:
            return None


async def _slowly() -> AsyncIterator[bytes]:
    yield b'{"phone_data": ['
    await anyio.sleep(SLOW_S)
    yield b"]}"


async def _endless() -> AsyncIterator[bytes]:
    yield b'{"phone_data": ['
    while True:
        yield b"0," * 65_536


async def _huge() -> AsyncIterator[bytes]:
    yield b'{"phone_data": ["'
    for _ in range(64):
        yield b"x" * 1_048_576
    yield b'"]}'


def spoil(what: Misbehaviour, entries: list[dict[str, Any]]) -> list[Any]:
    """Good entries with one thing wrong in the first; the others stay good."""
    if not entries:
        return list(entries)
    spoiled: list[Any] = json.loads(json.dumps(entries))
    data = spoiled[0]["data"]
    match what:
        case Misbehaviour.NAN:
            data["distance"] = float("nan")
        case Misbehaviour.SWAPPED:
            for name in ("start_loc", "end_loc"):
                if name in data:
                    data[name]["coordinates"].reverse()
        case Misbehaviour.EPOCH:
            data["start_ts"], data["end_ts"] = 0.0, 600.0
        case Misbehaviour.FUTURE:
            data["start_ts"] += 10 * 365 * 86_400
            data["end_ts"] += 10 * 365 * 86_400
        case Misbehaviour.SKEW:
            for entry in spoiled:
                entry["metadata"]["write_ts"] += 3_600
        case Misbehaviour.HOSTILE_NAMES:
            data["start_local_dt"]["timezone"] = "../../etc/passwd"
            spoiled[0]["_id"] = {"$oid": "'; DROP TABLE trips; --" * 50}
        case Misbehaviour.WRONG_TYPES:
            spoiled[0]["data"] = ["not", "an", "object"]
        case Misbehaviour.OUT_OF_ORDER:
            spoiled.reverse()
        case Misbehaviour.TWICE:
            spoiled = [entry for entry in spoiled for _ in range(2)]
        case _:
            pass
    return spoiled


__all__ = ["Manners", "Misbehaviour", "instead", "spoil"]
