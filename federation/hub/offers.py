"""Offers at the hub: taken from accredited operators, moderated as aids are, listed while in force.

A card is in force when a person here published that version, its operator is accredited, it was not
taken back, and the day is one it names. A new version waits for moderation and the published one
stays in force meanwhile; taking an offer back needs nobody's leave.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from federation.hub.access import Action
from federation.hub.members import Member
from federation.hub.model import OfferState, OfferVersion
from federation.hub.registry import RegistryService
from federation.hub.settings import HubSettings
from federation.hub.store import HubStore
from federation.offers import OfferCard, OfferRefusedError, read_card
from federation.ports import SignedCatalogue
from federation.trust import Role, TrustError, TrustSnapshot

__all__ = ["MAX_OFFERS", "ListedOffer", "OfferService"]

MAX_OFFERS: Final = 200
"""Offers one operator may have here: what a person can moderate."""
MAX_NOTE: Final = 500
OfferKey = tuple[str, str, int]
"""(operator, offer, version)."""
_MOVES: Final = {
    OfferState.DRAFT: (OfferState.PUBLISHED, OfferState.DECLINED),
    OfferState.PUBLISHED: (OfferState.SUSPENDED,),
    OfferState.SUSPENDED: (OfferState.PUBLISHED,),
}


@dataclass(frozen=True, slots=True)
class ListedOffer:
    """A card with its operator's name in the trust registry and what was decided of it."""

    card: OfferCard
    operator_name: str
    found: OfferVersion


class OfferService:
    """Takes cards, lets a person decide, and hands out those in force."""

    def __init__(
        self,
        settings: HubSettings,
        store: HubStore,
        registry: RegistryService,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._store = store
        self._registry = registry
        self._clock = clock

    def publish(self, token: str) -> ListedOffer:
        """Take one card; the same again changes nothing and tells where it stands.

        Raises:
            OfferRefusedError: `offer-issuer` (not an accredited operator), `offer-outdated`
                (another word under a version that is known, or an older one), `offer-quota`, and as
                `read_card`.
        """
        at, trust = self._clock(), self._registry.current()
        card, name = self._read(token, trust, at)
        with self._store.transact() as tx:
            tx.lock_hub()
            known = tx.offer(card.operator, card.id)
            same = next((one for one in known if self._is(one, card, trust, at)), None)
            if same is not None:
                return ListedOffer(card, name, same)
            if known and known[0].version >= card.version:
                raise OfferRefusedError("offer-outdated", f"version {known[0].version}")
            if not known and tx.count_offers(card.operator) >= MAX_OFFERS:
                raise OfferRefusedError("offer-quota", str(MAX_OFFERS))
            for one in known:
                if one.state in (OfferState.DRAFT, OfferState.DECLINED, OfferState.REPLACED):
                    tx.drop_offer(one)  # nobody reads what a newer word stands in for
                elif card.ended:
                    tx.put_offer(replace(one, state=OfferState.ENDED))
            state = OfferState.ENDED if card.ended else OfferState.DRAFT
            found = OfferVersion(card.operator, card.id, card.version, token, state, at)
            tx.put_offer(found)
        return ListedOffer(card, name, found)

    def move(self, member: Member, key: OfferKey, to: OfferState, note: str) -> ListedOffer:
        """Publish, suspend or decline one version. What is suspended or declined says why.

        Raises:
            NotAllowedError: no administrator. OfferRefusedError: `offer-transition`, and as
                `read_card` when its operator is no longer accredited.
        """
        member.require(Action.MODERATE_OFFER)
        return self.decide(key, to, note, actor=member.id)

    def decide(self, key: OfferKey, to: OfferState, note: str, *, actor: str) -> ListedOffer:
        """`move` by whoever the caller answers for.

        Raises:
            OfferRefusedError: see `move`.
        """
        text = note.strip()
        if len(text) > MAX_NOTE or (to is not OfferState.PUBLISHED and len(text) < 3):
            raise OfferRefusedError("offer-transition", "note")
        operator, offer, version = key
        at, trust = self._clock(), self._registry.current()
        with self._store.transact() as tx:
            tx.lock_hub()
            known = tx.offer(operator, offer)
            found = next((one for one in known if one.version == version), None)
            if found is None or to not in _MOVES.get(found.state, ()):
                raise OfferRefusedError("offer-transition", f"{operator} {offer} {version}")
            card, name = self._read(found.token, trust, at)
            if to is OfferState.PUBLISHED:
                for one in known:
                    if one.version < version and one.state in _MOVES:
                        tx.put_offer(replace(one, state=OfferState.REPLACED))
            changed = replace(found, state=to, note=text, decided_at=at, decided_by=actor)
            tx.put_offer(changed)
        return ListedOffer(card, name, changed)

    def in_force(self) -> tuple[ListedOffer, ...]:
        """What is listed today, by operator and offer: never by what anybody paid."""
        day = self._clock().date()
        return tuple(one for one in self._listed(OfferState.PUBLISHED) if one.card.is_open(day))

    def queue(self, member: Member) -> tuple[ListedOffer, ...]:
        """What a moderator may decide of: waiting, published, suspended; whatever its dates.

        Raises:
            NotAllowedError: no administrator.
        """
        member.require(Action.MODERATE_OFFER)
        return self._listed(*_MOVES)

    def file(self, *, if_version: str | None = None) -> SignedCatalogue | None:
        """Every card in force in one JSON file, the same for everybody, so that a home learns them
        without telling whose commune it is; None when `if_version` is still it."""
        content = json.dumps({"offers": [one.found.token for one in self.in_force()]}).encode()
        version = hashlib.sha256(content).hexdigest()[:32]
        return None if version == if_version else SignedCatalogue(content, version)

    def _listed(self, *states: OfferState) -> tuple[ListedOffer, ...]:
        at, trust = self._clock(), self._registry.current()
        with self._store.read() as reader:
            rows = reader.offers(*(state.value for state in states))
        found = []
        for row in rows:
            try:
                card, name = self._read(row.token, trust, at)
            except OfferRefusedError:
                continue  # its operator, or the key that signed, is no longer trusted
            found.append(ListedOffer(card, name, row))
        return tuple(found)

    def _is(self, known: OfferVersion, card: OfferCard, trust: TrustSnapshot, at: datetime) -> bool:
        """The very card, whenever and by whichever of the operator's keys it was signed."""
        try:
            return known.version == card.version and self._read(known.token, trust, at)[0] == card
        except OfferRefusedError:
            return False

    def _read(self, token: str, trust: TrustSnapshot, at: datetime) -> tuple[OfferCard, str]:
        try:
            card = read_card(
                token,
                lambda method: trust.key(method, at),
                loopback_http=self._settings.allow_loopback,
            )
        except TrustError as error:
            raise OfferRefusedError("offer-issuer", error.code) from None
        entry = trust.entry(card.operator)
        if entry is None or not entry.is_active(at) or Role.OPERATOR not in entry.roles:
            raise OfferRefusedError("offer-issuer", "not an accredited operator")
        return card, entry.name
