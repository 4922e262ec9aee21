"""The account at the State's register that a hub's desk asks with, from its settings."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from connectors.http import source_client
from connectors.parsing import UnusableError
from connectors.rpc.client import JourneyUnknownError, RegisterClient
from federation.hub.register import UNKNOWN, UNUSABLE, AccountAtRegister, Told
from federation.hub.settings import HubSettings

__all__ = ["account_of"]

TIMEOUT_S: Final = 20


class _Journeys:
    """See `JourneyRegister`."""

    def __init__(self, client: RegisterClient) -> None:
        self._client = client

    def journey(self, reference: str) -> Told:
        """See `JourneyRegister.journey`."""
        try:
            found = self._client.journey(reference)
        except JourneyUnknownError:
            return Told(UNKNOWN)
        except UnusableError:
            return Told(UNUSABLE)
        return Told(found.status.value, found.labels, found.registered_at)


def account_of(settings: HubSettings, *, clock: Callable[[], datetime]) -> AccountAtRegister | None:
    """The account of one hosted funder; None where the node has none."""
    access, secret = settings.register_access_key, settings.register_secret_key
    if settings.register_url is None or settings.register_funder is None:
        return None
    if access is None or secret is None:
        return None
    outbound = source_client(allow_loopback=settings.allow_loopback, timeout_s=TIMEOUT_S)
    client = RegisterClient(
        outbound,
        base=settings.register_url,
        access_key=access.get_secret_value(),
        secret_key=secret.get_secret_value(),
        clock=clock,
    )
    return AccountAtRegister(settings.register_funder, _Journeys(client), outbound.close)
