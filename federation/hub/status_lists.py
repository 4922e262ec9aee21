"""Bitstring status lists of the funders this hub hosts, and the way to everybody else's."""

import secrets
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
from federation.credentials.status import StatusListFullError
from federation.hub.errors import RequestUnknownError
from federation.hub.keys import HubKeys
from federation.hub.settings import HubSettings
from federation.hub.store import HubStore, Transactor
from schemas.ids import Iri

__all__ = ["SUSPENSION", "StatusLists", "suspensions_of"]

SUSPENSION: Final = "/suspension"

CACHE: Final = timedelta(minutes=5)
"""How long a list of another issuer is believed without asking again."""
MAX_CACHED: Final = 500
MAX_DRAWS: Final = 200
"""Draws of a free position: a list nine tenths full fails once in a billion."""


def suspensions_of(slug: str) -> str:
    """Name of a funder's list of suspensions."""
    return slug + SUSPENSION


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

    def url(self, list_id: str) -> str:
        """Address of a list: of a funder's revocations (`slug`) or suspensions
        (`slug/suspension`)."""
        return f"{self._settings.origin}/v1/status-lists/{list_id}"

    def take(self, tx: Transactor, slug: str, credential: Iri) -> tuple[StatusEntry, StatusEntry]:
        """A random free position in each of the funder's two lists for one credential: what is
        suspended comes back, what is revoked does not.

        Raises:
            StatusListFullError: no free position was found.
        """
        lists = {slug: "revocation", suspensions_of(slug): "suspension"}
        found: dict[str, int] = {}
        size = len(StatusList.empty())
        for _ in range(MAX_DRAWS):
            drawn = {name: secrets.randbelow(size) for name in lists if name not in found}
            free = tx.take_indexes(drawn, credential)
            found |= {name: position for name, position in drawn.items() if name in free}
            if len(found) == len(lists):
                revocation, suspension = (
                    StatusEntry(self.url(name), found[name], purpose)
                    for name, purpose in lists.items()
                )
                return revocation, suspension
        raise StatusListFullError("the status list is full")

    def signed(self, list_id: str) -> dict[str, Any]:
        """A funder's list as a signed credential.

        Raises:
            RequestUnknownError: no such funder here.
        """
        slug = list_id.removesuffix(SUSPENSION)
        with self._store.read() as reader:
            funder = reader.funder(slug)
            if funder is None or funder.slug != slug:
                raise RequestUnknownError
            revoked = reader.revoked(list_id)
        bits = StatusList.empty()
        for position in revoked:
            bits.set(position)
        now = self._clock()
        return issue_status_list(
            bits,
            url=self.url(list_id),
            purpose="revocation" if list_id == slug else "suspension",
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
