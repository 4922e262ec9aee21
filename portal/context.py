"""What the pages of each server are given once, made from `Settings` by the composition."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from federation.aids.catalogue import Catalogue, open_catalogue
from federation.errors import HubUnreachableError
from federation.keys import PublicKey
from federation.ports import Hub
from portal.settings import Settings
from portal.web import Site
from schemas.errors import MobilityError
from vault.home import Home

_log = structlog.get_logger(__name__)

FRESH_FOR: Final = timedelta(minutes=5)
"""How long a catalogue is shown without asking the hub whether it changed."""
ASK_AGAIN: Final = timedelta(seconds=1)


class CatalogueCache:
    """The hub's signed catalogue, verified once, asked again with its ETag."""

    def __init__(self, hub: Hub, home: Home, clock: Callable[[], datetime]) -> None:
        self._hub, self._home, self._clock = hub, home, clock
        self._lock = threading.Lock()
        self._held: Catalogue | None = None
        self._version: str | None = None
        self._asked: datetime | None = None

    def get(self, *, naming: str = "") -> tuple[Catalogue | None, bool]:
        """The catalogue and whether it is fresh; `(None, False)` when it was never had. One that
        does not know the aid `naming` is asked for again: it may be of this minute.

        A hub that does not answer leaves the last verified one in use, said to be old.
        """
        with self._lock:
            now = self._clock()
            held = self._held
            if held is not None and self._asked is not None:
                is_named = not naming or any(aid.slug == naming for aid in held.aids)
                if now - self._asked < (FRESH_FOR if is_named else ASK_AGAIN):
                    return held, True
            try:
                signed = self._hub.catalogue(if_version=self._version)
                if signed is not None:
                    self._held = open_catalogue(signed.content, self._key)
                    self._version = signed.version
                self._asked = now
            except MobilityError as error:
                _log.warning("portal.catalogue_not_refreshed", code=error.code)
                return self._held, False
            return self._held, True

    def _key(self, verification_method: str) -> PublicKey:
        trust = self._home.trust
        if trust is None:
            raise HubUnreachableError("the trust registry is not known yet")
        return trust.key(verification_method, self._clock())


@dataclass(frozen=True, slots=True)
class HomeContext:
    """The home's pages: settings, the home, its hub, the clock."""

    settings: Settings
    home: Home
    hub: Hub
    site: Site
    clock: Callable[[], datetime]
    catalogue: CatalogueCache = field(repr=False)
    connectors: Any = field(repr=False)
    """The connector service: accounts, pairings, imports, pulls (`connectors`)."""
    refresh_trust: Callable[[], object] = field(repr=False)
    """Take the registry's newest snapshot now; raises what `TrustKeeper.refresh` does."""


@dataclass(frozen=True, slots=True)
class HubPages:
    """The hub's pages: settings, the hub's own context, the clock."""

    settings: Settings
    hub: Any
    site: Site
    clock: Callable[[], datetime]
