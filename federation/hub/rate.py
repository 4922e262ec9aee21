"""How often one caller may ask: counted in this process, for a while, under a hash."""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

__all__ = ["Rate"]

_CALLERS: Final = 10_000


class Rate:
    """At most `most` times a caller within a window; other callers are not held up."""

    def __init__(self, most: int, window: timedelta, clock: Callable[[], datetime]) -> None:
        self._most, self._window, self._clock = most, window, clock
        self._guard = threading.Lock()
        self._since = clock()
        self._seen: Counter[bytes] = Counter()

    def count(self, caller: str) -> int | None:
        """Count one time of this caller; when it is too many, the seconds until the next window."""
        who = hashlib.sha256(caller.encode()).digest()[:16]
        now = self._clock()
        with self._guard:
            if now - self._since >= self._window or len(self._seen) >= _CALLERS:
                self._since = now
                self._seen.clear()
            self._seen[who] += 1
            if self._seen[who] <= self._most:
                return None
            return max(1, round((self._window - (now - self._since)).total_seconds()))
