"""The offers known at a home's hub: one file for every home, each card verified here.

A hub can leave a card out but not change one; it does not learn whose commune is looked at.
"""

import json
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from federation.offers import OfferCard, OfferRefusedError, read_card
from federation.trust import Role, TrustError
from schemas.errors import MobilityError

if TYPE_CHECKING:
    from vault.home import Home

__all__ = ["HomeOffer", "HubOffers"]

_log = structlog.get_logger(__name__)
FRESH_FOR: Final = timedelta(minutes=5)
MAX_OFFERS: Final = 5_000


@dataclass(frozen=True, slots=True)
class HomeOffer:
    """A card and its operator's name in the trust registry."""

    card: OfferCard
    operator_name: str


class HubOffers:
    """The offers of a home's hub. Safe to share between threads."""

    def __init__(self, home: "Home") -> None:
        self._home = home
        self._lock = threading.Lock()
        self._held: tuple[HomeOffer, ...] = ()
        self._version: str | None = None
        self._asked: datetime | None = None

    def in_force(self) -> tuple[HomeOffer, ...]:
        """What is in force today; of a hub that does not answer, what it last said."""
        now = self._home.clock()
        with self._lock:
            if self._asked is None or now - self._asked >= FRESH_FOR:
                self._fetch(now)
            return tuple(one for one in self._held if one.card.is_open(now.date()))

    def _fetch(self, now: datetime) -> None:
        hub = self._home.hub
        try:
            file = None if hub is None else hub.offers(if_version=self._version)
        except MobilityError as error:
            _log.warning("vault.offers_not_refreshed", code=error.code)
            return
        self._asked = now
        if file is None:
            return
        try:
            tokens = json.loads(file.content)["offers"]
        except (ValueError, KeyError, TypeError, RecursionError):
            _log.warning("vault.offers_not_readable")
            return
        if not isinstance(tokens, list):
            _log.warning("vault.offers_not_readable")
            return
        kept = (self._read(str(token), now) for token in tokens[:MAX_OFFERS])
        self._held = tuple(one for one in kept if one is not None)
        self._version = file.version

    def _read(self, token: str, now: datetime) -> HomeOffer | None:
        trust = self._home.trust
        if trust is None:
            return None
        try:
            card = read_card(
                token,
                lambda method: trust.key(method, now),
                loopback_http=self._home.settings.allow_loopback,
            )
        except (OfferRefusedError, TrustError) as error:
            _log.info("vault.offer_left_out", code=error.code)
            return None
        entry = trust.entry(card.operator)
        if entry is None or not entry.is_active(now) or Role.OPERATOR not in entry.roles:
            return None
        return HomeOffer(card, entry.name)
