"""The services that announce themselves at this home's hub: asked for now and then, verified here,
kept. Each is signed by its own member, so the hub can leave one out but not change one.
"""

import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from federation.profiles import ProfileError, Service, ServiceRefusedError, read_service
from federation.trust import TrustError
from schemas.errors import MobilityError
from schemas.ids import Did

if TYPE_CHECKING:
    from vault.home import Home

__all__ = ["HubServices"]

_log = structlog.get_logger(__name__)
FRESH_FOR: Final = timedelta(minutes=5)
MAX_SERVICES: Final = 500


class HubServices:
    """The services known at a home's hub. Safe to share between threads."""

    def __init__(self, home: "Home") -> None:
        self._home = home
        self._lock = threading.Lock()
        self._held: tuple[Service, ...] = ()
        self._asked: datetime | None = None

    def current(self) -> tuple[tuple[Service, ...], bool]:
        """The services, and whether that is of now: a hub that does not answer leaves the last
        ones in use."""
        with self._lock:
            now = self._home.clock()
            if self._asked is not None and now - self._asked < FRESH_FOR:
                return self._held, True
            hub = self._home.hub
            try:
                tokens = () if hub is None else hub.services()
            except MobilityError as error:
                _log.warning("vault.services_not_refreshed", code=error.code)
                return self._held, False
            self._held = tuple(
                found
                for token in tokens[:MAX_SERVICES]
                if (found := self._read(token, now)) is not None and not found.ended
            )
            self._asked = now if self._held else None
            return self._held, hub is not None

    def of(self, did: str, profile: str) -> Service | None:
        """One service, by its member and profile."""
        return next(
            (one for one in self.current()[0] if (one.did, one.profile.id) == (Did(did), profile)),
            None,
        )

    def _read(self, token: str, now: datetime) -> Service | None:
        trust = self._home.trust
        if trust is None:
            return None
        try:
            found = read_service(
                token,
                lambda method: trust.key(method, now),
                loopback_http=self._home.settings.allow_loopback,
            )
        except (ServiceRefusedError, ProfileError, TrustError) as error:
            _log.info("vault.service_left_out", code=error.code)
            return None
        entry = trust.entry(found.did)
        return found if entry is not None and entry.is_active(now) else None
