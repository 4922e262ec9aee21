"""The trust registry as fictitious services read it: their hub's signed snapshot, kept a minute.

The hub's key is pinned at the first reading, from its `did:web` document; after that a snapshot is
taken only as `TrustedSnapshotSet` allows.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlsplit

from connectors.http import source_client
from federation.client import HttpHub
from federation.did import DidWebResolver
from federation.keys import decode_multikey
from federation.trust import TrustedSnapshotSet, TrustSnapshot

__all__ = ["Registry"]

FRESH: Final = timedelta(minutes=1)


class Registry:
    """One hub's registry."""

    def __init__(
        self, hub_url: str, clock: Callable[[], datetime], *, allow_loopback: bool
    ) -> None:
        self._url, self._clock, self._loopback = hub_url.rstrip("/"), clock, allow_loopback
        self._lock = threading.Lock()
        self._set: TrustedSnapshotSet | None = None
        self._kept: tuple[datetime, TrustSnapshot] | None = None

    def current(self) -> TrustSnapshot:
        """The snapshot in force.

        Raises:
            HubClientError, OutboundError: the hub cannot be read. TrustError: it is not to be
                believed.
        """
        with self._lock:
            now = self._clock()
            if self._kept is not None and now - self._kept[0] < FRESH:
                return self._kept[1]
            with source_client(allow_loopback=self._loopback) as client:
                if self._set is None:
                    did = f"did:web:{quote(urlsplit(self._url).netloc, safe='.')}"
                    resolver = DidWebResolver(client.get_json, loopback_http=self._loopback)
                    document = resolver.resolve(did)
                    roots = {m.id: decode_multikey(m.multikey) for m in document.methods}
                    self._set = TrustedSnapshotSet(roots)
                snapshot = self._set.update(HttpHub(self._url, client).trust(), now)
            self._kept = (now, snapshot)
            return snapshot
