"""The aids that the home's hub publishes: a signed catalogue, verified once, asked for by ETag."""

import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from federation.aids.catalogue import Catalogue, open_catalogue
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


class HubCatalogue:
    """The catalogue of a home's hub. Safe to share between threads."""

    def __init__(self, home: "Home") -> None:
        self._home = home
        self._lock = threading.Lock()
        self._held: Catalogue | None = None
        self._version: str | None = None
        self._asked: datetime | None = None

    def get(self, *, naming: str = "") -> tuple[Catalogue | None, bool]:
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

    def current(self, *, naming: str = "") -> Catalogue:
        """The catalogue that is known, asked for again when it lacks the aid `naming`.

        Raises:
            HubUnreachableError: none was ever received.
        """
        found, _ = self.get(naming=naming)
        if found is None:
            raise HubUnreachableError("no catalogue was ever received")
        return found

    def _key(self, verification_method: str) -> "PublicKey":
        trust = self._home.trust
        if trust is None:
            raise HubUnreachableError("the trust registry is not known yet")
        return trust.key(verification_method, self._home.clock())
