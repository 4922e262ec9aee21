"""Reserved aids as the hub hands them out: one sealed file for all, and a link for each circle.

The key of a circle is 32 random bytes in the hub's key folder. Its link carries the key behind
« # », which a browser sends to nobody; it goes to those it is for by the funder's own means (the
page of an affiliation, an intranet, a meeting). Making another link closes the old one: who kept it
reads what it read, and nothing newer.
"""

import hashlib
import threading
from dataclasses import replace
from typing import Final

from federation.aids.catalogue import Catalogue
from federation.aids.model import Aid, AidStatus, Visibility
from federation.aids.reserved import reserved_file, seal_circle
from federation.hub.access import Action
from federation.hub.errors import NotAllowedError
from federation.hub.keys import HubKeys
from federation.hub.members import Member
from federation.hub.model import Funder
from federation.hub.publishing import PublishingService
from federation.hub.settings import HubSettings
from federation.multibase import b64url
from federation.ports import SignedCatalogue
from schemas.ids import Did

__all__ = ["CIRCLES", "ReservedAids"]

CIRCLES: Final = (Visibility.AFFILIATED, Visibility.COMMUNITY)


class ReservedAids:
    """Seals the circles and makes their links."""

    def __init__(
        self,
        settings: HubSettings,
        keys: HubKeys,
        publishing: PublishingService,
    ) -> None:
        self._settings, self._keys, self._publishing = settings, keys, publishing
        self._lock = threading.Lock()
        self._made: tuple[str, SignedCatalogue] | None = None

    def __repr__(self) -> str:
        return "ReservedAids(***)"

    def file(self, *, if_version: str | None = None) -> SignedCatalogue | None:
        """The file of all circles, or None when `if_version` is still the current one."""
        whole = self._publishing.catalogue()
        circles: dict[tuple[Did, Visibility], list[Aid]] = {}
        for aid in whole.aids:
            if aid.visibility in CIRCLES and aid.status is not AidStatus.DRAFT:
                circles.setdefault((aid.funder, aid.visibility), []).append(aid)
        keys = {circle: self._key(*circle) for circle in circles}
        state = hashlib.sha256(str(whole.version).encode())
        for key in sorted(keys.values()):
            state.update(hashlib.sha256(b"version" + key).digest())
        version = state.hexdigest()[:32]
        if if_version == version:
            return None
        with self._lock:
            if self._made is None or self._made[0] != version:
                sealed = [
                    seal_circle(self._signed(whole, aids), key=keys[circle])
                    for circle, aids in circles.items()
                ]
                self._made = version, SignedCatalogue(reserved_file(sealed), version)
            return self._made[1]

    def _signed(self, whole: Catalogue, aids: list[Aid]) -> bytes:
        named = {aid.rule.model for aid in aids}
        models = {name: model for name, model in whole.models.items() if name in named}
        own = Catalogue(whole.issuer, whole.version, whole.issued_at, tuple(aids), models)
        return own.sign(self._keys.signer("hub", self._settings.did))

    def _name(self, funder: Did, visibility: Visibility) -> str:
        return f"reserved-{hashlib.sha256(funder.encode()).hexdigest()[:32]}-{visibility.value}"

    def _key(self, funder: Did, visibility: Visibility) -> bytes:
        return self._keys.secret(self._name(funder, visibility))

    def link(self, funder: Funder, visibility: Visibility) -> str:
        """What is handed to the people of a circle."""
        return f"{self._settings.origin}/reserve#{b64url(self._key(funder.did, visibility))}"

    def handed_with_affiliation(self, slug: str) -> str:
        """The link that goes with a funder's affiliations; empty when nothing is reserved to its
        staff."""
        funder = self._publishing.funder(slug)
        if funder is None or not any(
            aid.funder == funder.did and aid.visibility is Visibility.AFFILIATED
            for aid in self._publishing.catalogue().aids
        ):
            return ""
        return self.link(funder, Visibility.AFFILIATED)

    def links(self, member: Member) -> dict[Visibility, str]:
        """The links of a member's funder.

        Raises:
            NotAllowedError: not somebody who publishes the funder's aids.
        """
        funder = self._own(member)
        return {visibility: self.link(funder, visibility) for visibility in CIRCLES}

    def renew(self, member: Member, visibility: Visibility) -> str:
        """Another link in place of the one that was handed out.

        Raises:
            NotAllowedError: as `links`.
        """
        funder = self._own(member)
        if visibility not in CIRCLES:  # open to all: there is no link
            return ""
        self._keys.renew_secret(self._name(funder.did, visibility))
        return self.link(funder, visibility)

    def show_to(self, member: Member, slug: str, visibility: Visibility) -> Aid:
        """Say who is told of an aid of the member's funder. An aid that becomes reserved leaves the
        open catalogue at once; what was public before stays in the copies others took.

        Raises:
            NotAllowedError: not their aid. UnknownAidError: none by that name.
        """
        funder, aid = self._own(member), self._publishing.aid(slug)
        if aid.funder != funder.did:
            raise NotAllowedError
        changed = replace(aid, visibility=visibility)
        if changed != aid:
            self._publishing.add_aids(changed, actor=member.id)
        return changed

    def _own(self, member: Member) -> Funder:
        member.require(Action.PUBLISH_AID)
        found = self._publishing.funder(member.funder) if member.funder else None
        if found is None:
            raise NotAllowedError
        return found
