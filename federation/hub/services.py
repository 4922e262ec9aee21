"""The services that announce themselves: each signed by its own member, listed here, changed by
nobody. A member says another word about its own profile by a higher version, « ended » included.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from federation.hub.registry import RegistryService
from federation.hub.settings import HubSettings
from federation.hub.store import HubStore
from federation.keys import Signer
from federation.profiles import (
    Service,
    ServiceRefusedError,
    read_service,
    sign_profiles,
)
from federation.trust import TrustError

__all__ = ["ServiceDirectory"]

_RENEWED: timedelta = timedelta(hours=1)


class ServiceDirectory:
    """Takes announcements and hands them out."""

    def __init__(
        self,
        settings: HubSettings,
        store: HubStore,
        registry: RegistryService,
        signer: Signer,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._store = store
        self._registry = registry
        self._signer = signer
        self._clock = clock
        self._profiles: tuple[datetime, str] | None = None

    def announce(self, token: str) -> Service:
        """Take one announcement; the same again changes nothing.

        Raises:
            ServiceRefusedError: `service-issuer` (not an accredited member), `service-outdated`
                (another word under a version that is known, or an older one), and as
                `read_service`. ProfileError: not a profile, or not its parameters.
        """
        at, trust = self._clock(), self._registry.current()
        try:
            service = read_service(
                token,
                lambda method: trust.key(method, at),
                loopback_http=self._settings.allow_loopback,
            )
        except TrustError as error:
            raise ServiceRefusedError("service-issuer", error.code) from None
        entry = trust.entry(service.did)
        if entry is None or not entry.is_active(at):
            raise ServiceRefusedError("service-issuer", "not accredited")
        with self._store.transact() as tx:
            tx.lock_hub()
            known = tx.service(service.did, service.profile.id)
            if known is not None and known[1] == token:
                return service
            if known is not None and known[0] >= service.version:
                raise ServiceRefusedError("service-outdated", f"version {known[0]} is known")
            tx.put_service(
                service.did,
                service.profile.id,
                version=service.version,
                token=token,
                is_ended=service.ended,
                at=at,
            )
        return service

    def announcements(self) -> tuple[str, ...]:
        """What is in force, as its members signed it: of members accredited now."""
        at, trust = self._clock(), self._registry.current()
        with self._store.read() as reader:
            listed = reader.services()
        return tuple(
            token
            for did, token in listed
            if (entry := trust.entry(did)) is not None and entry.is_active(at)
        )

    def profiles(self) -> str:
        """Every profile, signed by this hub; signed again each hour."""
        at, kept = self._clock(), self._profiles
        if kept is None or at - kept[0] >= _RENEWED:
            kept = (at, sign_profiles(self._settings.did, self._signer, at=at))
            self._profiles = kept
        return kept[1]
