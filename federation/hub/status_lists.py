"""Bitstring status lists of the funders this hub hosts, and the way to everybody else's."""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from federation.credentials import (
    StatusEntry,
    StatusList,
    StatusSource,
    StatusUnreachableError,
    issue_status_list,
)
from federation.hub.errors import RequestUnknownError
from federation.hub.keys import HubKeys
from federation.hub.settings import HubSettings
from federation.hub.store import HubStore, Transactor
from schemas.ids import Iri

__all__ = ["StatusLists"]

CACHE: Final = timedelta(minutes=5)
"""How long a list of another issuer is believed without asking again."""
MAX_CACHED: Final = 500


class StatusLists:
    """Gives positions, serves our lists, and is the verifier's `StatusSource`."""

    def __init__(
        self,
        settings: HubSettings,
        store: HubStore,
        keys: HubKeys,
        *,
        clock: Callable[[], datetime],
        outside: StatusSource,
    ) -> None:
        self._settings = settings
        self._store = store
        self._keys = keys
        self._clock = clock
        self._outside = outside
        self._cache: dict[str, tuple[datetime, Mapping[str, Any] | bytes]] = {}
        self._lock = threading.Lock()

    def url(self, slug: str) -> str:
        """Address of a funder's revocation list."""
        return f"{self._settings.origin}/v1/status-lists/{slug}"

    def take(self, tx: Transactor, slug: str, credential: Iri) -> StatusEntry:
        """A random free position of the funder's list for one credential."""
        bits = StatusList.empty()
        while True:
            position = bits.random_index(lambda index: tx.is_index_taken(slug, index))
            if tx.take_index(slug, position, credential):
                return StatusEntry(self.url(slug), position)

    def signed(self, slug: str) -> dict[str, Any]:
        """The funder's list as a signed credential.

        Raises:
            RequestUnknownError: no such funder here.
        """
        with self._store.read() as reader:
            funder = reader.funder(slug)
            if funder is None or funder.slug != slug:
                raise RequestUnknownError
            revoked = reader.revoked(slug)
        bits = StatusList.empty()
        for position in revoked:
            bits.set(position)
        now = self._clock()
        return issue_status_list(
            bits,
            url=self.url(slug),
            signer=self._keys.signer(slug, funder.did),
            at=now,
            valid_until=now + timedelta(seconds=self._settings.status_list_lifetime_s),
        )

    def status_list(self, url: str) -> Mapping[str, Any] | bytes:
        """Any list: ours from the store, others from their issuer, kept for five minutes.

        Raises:
            StatusUnreachableError: not now.
        """
        prefix = f"{self._settings.origin}/v1/status-lists/"
        if url.startswith(prefix):
            try:
                return self.signed(url.removeprefix(prefix))
            except RequestUnknownError as error:
                raise StatusUnreachableError("no such status list here") from error
        now = self._clock()
        with self._lock:
            kept = self._cache.get(url)
        if kept is not None and timedelta(0) <= now - kept[0] < CACHE:
            return kept[1]
        found = self._outside.status_list(url)
        with self._lock:
            if len(self._cache) >= MAX_CACHED:
                self._cache.clear()
            self._cache[url] = (now, found)
        return found
