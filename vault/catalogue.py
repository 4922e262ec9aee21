"""The aids that the home's hub publishes: a signed catalogue, verified once, asked for by ETag; and
the file of reserved aids, the same for every vault, opened with the keys an open vault brings."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from federation.aids.catalogue import Catalogue, open_catalogue
from federation.aids.reserved import circle_id, circles_in, open_circle
from federation.errors import HubUnreachableError
from schemas.errors import MobilityError

if TYPE_CHECKING:
    from federation.keys import PublicKey
    from vault.home import Home

__all__ = ["HubCatalogue"]

_log = structlog.get_logger(__name__)

FRESH_FOR: Final = timedelta(minutes=5)
"""How long a catalogue is used without asking the hub whether it changed."""
ASK_AGAIN: Final = timedelta(seconds=1)
_KEPT_CIRCLES: Final = 64
"""Opened circles a process keeps; they say what a funder offers, nothing of who may read it."""


class HubCatalogue:
    """The catalogue of a home's hub. Safe to share between threads."""

    def __init__(self, home: "Home") -> None:
        self._home = home
        self._lock = threading.Lock()
        self._held: Catalogue | None = None
        self._version: str | None = None
        self._asked: datetime | None = None
        self._sealed: Mapping[bytes, bytes] = {}
        self._sealed_version: str | None = None
        self._sealed_asked: datetime | None = None
        self._opened: OrderedDict[tuple[bytes, bytes], Catalogue] = OrderedDict()

    def get(self, *, naming: str = "", keys: Sequence[bytes] = ()) -> tuple[Catalogue | None, bool]:
        """As `_public`, with the aids that `keys` open among the others."""
        reserved = self.reserved(keys)
        known = any(aid.slug == naming for one in reserved for aid in one.aids)
        held, is_fresh = self._public(naming="" if known else naming)
        if held is None or not reserved:
            return held, is_fresh
        return held.with_reserved(reserved), is_fresh

    def reserved(self, keys: Sequence[bytes], *, anew: bool = False) -> tuple[Catalogue, ...]:
        """The aids of the circles that `keys` open, one catalogue each; none of a key that opens
        nothing. Whoever asks, the home fetches the whole file; `anew` if it is older than a second.
        A hub that does not answer leaves what was fetched last."""
        if not keys:
            return ()
        with self._lock:
            self._fetch_reserved(ASK_AGAIN if anew else FRESH_FOR)
            found = []
            for key in keys:
                sealed = self._sealed.get(circle_id(key))
                if sealed is None:
                    continue
                name = (circle_id(key), hashlib.sha256(sealed).digest())
                opened = self._opened.get(name)
                if opened is None:
                    try:
                        opened = open_circle(sealed, key=key, key_of=self._key)
                    except MobilityError as error:
                        _log.warning("vault.reserved_not_opened", code=error.code)
                        continue
                    self._opened[name] = opened
                    if len(self._opened) > _KEPT_CIRCLES:
                        self._opened.popitem(last=False)
                found.append(opened)
        return tuple(found)

    def _fetch_reserved(self, fresh_for: timedelta) -> None:
        now = self._home.clock()
        if self._sealed_asked is not None and now - self._sealed_asked < fresh_for:
            return
        try:
            hub = self._home.hub
            if hub is None:
                raise HubUnreachableError("no hub is known here")
            file = hub.reserved(if_version=self._sealed_version)
            if file is not None:
                self._sealed = circles_in(file.content)
                self._sealed_version = file.version
            self._sealed_asked = now
        except MobilityError as error:
            _log.warning("vault.reserved_not_refreshed", code=error.code)

    def _public(self, *, naming: str = "") -> tuple[Catalogue | None, bool]:
        """The catalogue and whether it is fresh; `(None, False)` when it was never had. One that
        does not know the aid `naming` (its slug) is asked for again: it may be of this minute.

        A hub that does not answer leaves the last verified one in use, said to be old.
        """
        with self._lock:
            now, held = self._home.clock(), self._held
            if held is not None and self._asked is not None:
                is_named = not naming or any(aid.slug == naming for aid in held.aids)
                if now - self._asked < (FRESH_FOR if is_named else ASK_AGAIN):
                    return held, True
            try:
                hub = self._home.hub
                if hub is None:
                    raise HubUnreachableError("no hub is known here")
                signed = hub.catalogue(if_version=self._version)
                if signed is not None:
                    self._held = open_catalogue(signed.content, self._key)
                    self._version = signed.version
                self._asked = now
            except MobilityError as error:
                _log.warning("vault.catalogue_not_refreshed", code=error.code)
                return self._held, False
            return self._held, True

    def current(self, *, naming: str = "", keys: Sequence[bytes] = ()) -> Catalogue:
        """The catalogue that is known, asked for again when it lacks the aid `naming`; with the
        aids that `keys` open.

        Raises:
            HubUnreachableError: none was ever received.
        """
        found, _ = self.get(naming=naming, keys=keys)
        if found is None:
            raise HubUnreachableError("no catalogue was ever received")
        return found

    def _key(self, verification_method: str) -> "PublicKey":
        trust = self._home.trust
        if trust is None:
            raise HubUnreachableError("the trust registry is not known yet")
        return trust.key(verification_method, self._home.clock())
