"""A funder's way in: an invitation, the organisation, its first person, the agreement, its team.

Who is let in decides who may ask citizens for proofs, so a desk is opened with an *invitation* that
the operator gives (`mobility hub invite`): one link, one funder, seven days. Where enrolment is
open (the sandbox) no invitation is asked. The funder is accredited when it publishes its first aid.

A person who left before adding a passkey or a password comes back with the same link; an unfinished
desk holds nothing, and the next one who enrols the same establishment takes its place.
"""

import hashlib
import re
import secrets
import unicodedata
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from federation.aids.model import FunderLevel
from federation.hub.access import Action, Caller
from federation.hub.agreement import Agreement, current_agreement
from federation.hub.errors import (
    ColleagueUnknownError,
    EntryRefusedError,
    InvitationRefusedError,
    NotAllowedError,
)
from federation.hub.members import Member, MemberService, MemberSession, normal_login
from federation.hub.model import AcceptedAgreement, Funder, Invitation, StoredMember
from federation.hub.settings import HubSettings
from federation.hub.siret import is_siret, normal_siret
from federation.hub.store import HubStore, Reader, Transactor

__all__ = ["Enrolment", "EnrolmentService"]

INVITATION_LIFE: Final = timedelta(days=7)
MAX_INVITATIONS: Final = 50
"""Colleagues invited at once."""
ALL_ROLES: Final = frozenset((Caller.OFFICER, Caller.SUPERVISOR, Caller.EDITOR))
RESERVED: Final = frozenset({"hub", "cursors"})
"""Names of the hub's own keys."""
_MAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}\.[^@\s.]{2,63}")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a new funder says of itself."""

    organisation: str
    siret: str
    level: FunderLevel
    service: str
    """Service in charge, as the acknowledgement names it."""
    contact: str
    """Where citizens write to the service."""
    person: str
    login: str
    """The person's e-mail address."""
    agreement: str
    """Digest of the text that was on the page when the box was ticked."""


class EnrolmentService:
    """Lets funders in, and their people."""

    def __init__(
        self,
        settings: HubSettings,
        store: HubStore,
        members: MemberService,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._store = store
        self._members = members
        self._clock = clock

    @property
    def is_open(self) -> bool:
        """Whether a desk may be opened without an invitation."""
        return self._settings.open_enrolment or self._settings.sandbox

    # -- invitations ------------------------------------------------------------------------------

    def invite(self, *, siret: str = "", note: str = "") -> str:
        """The secret of a link that lets one funder in; with `siret`, only that establishment.

        Raises:
            EntryRefusedError: not a SIRET.
        """
        siret = normal_siret(siret)
        if siret and not is_siret(siret):
            raise EntryRefusedError("not a SIRET", where="siret")
        return self._put(funder=None, siret=siret, roles=ALL_ROLES, note=note)

    def invite_colleague(self, member: Member, *, roles: frozenset[Caller], note: str = "") -> str:
        """The secret of a link that lets a colleague into the member's funder.

        Raises:
            NotAllowedError, EntryRefusedError.
        """
        member.require(Action.MANAGE_TEAM)
        if member.funder is None:
            raise NotAllowedError
        if not roles or not roles <= ALL_ROLES:
            raise EntryRefusedError("choose at least one role", where="roles")
        with self._store.read() as reader:
            if len(reader.invitations(member.funder)) >= MAX_INVITATIONS:
                raise EntryRefusedError("too many invitations wait", where="roles")
        return self._put(funder=member.funder, siret="", roles=roles, note=note)

    def _put(self, *, funder: str | None, siret: str, roles: frozenset[Caller], note: str) -> str:
        secret, now = secrets.token_urlsafe(32), self._clock()
        with self._store.transact() as tx:
            tx.put_invitation(
                Invitation(
                    id=_digest(secret),
                    funder=funder,
                    is_colleague=funder is not None,
                    siret=siret,
                    roles=tuple(sorted(role.value for role in roles)),
                    note=note.strip()[:255],
                    member=None,
                    created_at=now,
                    expires_at=now + INVITATION_LIFE,
                    used_at=None,
                )
            )
        return secret

    def invitation(self, secret: str) -> Invitation:
        """The invitation of a link.

        Raises:
            InvitationRefusedError: unknown, used, or too old.
        """
        with self._store.read() as reader:
            return self._usable(reader, reader.invitation(_digest(secret)) if secret else None)

    def _usable(self, reader: Reader, found: Invitation | None) -> Invitation:
        if found is None or self._clock() >= found.expires_at:
            raise InvitationRefusedError
        if found.member is not None and _has_way_in(reader, found.member):
            raise InvitationRefusedError
        return found

    def waiting(self, member: Member) -> tuple[Invitation, ...]:
        """Invitations of colleagues that nobody used."""
        member.require(Action.MANAGE_TEAM)
        with self._store.read() as reader:
            return reader.invitations(member.funder or "")

    def take_back(self, member: Member, identifier: str) -> None:
        """Cancel an invitation of a colleague."""
        member.require(Action.MANAGE_TEAM)
        with self._store.transact() as tx:
            tx.drop_invitation(identifier, funder=member.funder or "")

    # -- coming in --------------------------------------------------------------------------------

    def resume(self, secret: str) -> MemberSession | None:
        """A new session for who began with this link and has no way in yet; None: not begun.

        Raises:
            InvitationRefusedError.
        """
        found = self.invitation(secret)
        return None if found.member is None else self._members.open_session(found.member)

    def enrol(self, wanted: Enrolment, *, secret: str = "") -> MemberSession:
        """A new funder with its first person, signed in. The link stays good until they have a way
        in of their own.

        Raises:
            InvitationRefusedError, EntryRefusedError: `.where` names the field.
        """
        siret = normal_siret(wanted.siret)
        self._check(wanted, siret)
        login, now = normal_login(wanted.login), self._clock()
        if not secret and not self.is_open:
            raise InvitationRefusedError
        agreement = current_agreement()
        with self._store.transact() as tx:
            tx.lock_hub()  # one at a time: an establishment, a login and a slug are taken once
            invited = self._usable(tx, tx.lock_invitation(_digest(secret))) if secret else None
            if invited is not None and (
                invited.is_colleague or (invited.siret and invited.siret != siret)
            ):
                raise EntryRefusedError("the link is for another establishment", where="siret")
            slug = self._place(tx, wanted.organisation, siret)
            identifier = self._first_person(tx, slug, wanted.person.strip(), login, now)
            tx.put_funder(
                Funder(
                    slug=slug,
                    did=self._settings.funder_did(slug),
                    name=wanted.organisation.strip(),
                    siret=siret,
                    level=wanted.level.value,
                    service=wanted.service.strip(),
                    contact=wanted.contact.strip(),
                ),
                at=now,
            )
            if invited is not None:
                tx.put_invitation(replace(invited, funder=slug, member=identifier, used_at=now))
            tx.put_agreement(
                AcceptedAgreement(
                    slug,
                    agreement.version,
                    agreement.digest,
                    identifier,
                    wanted.person.strip(),
                    now,
                )
            )
        return self._members.open_session(identifier)

    @staticmethod
    def _place(tx: Transactor, name: str, siret: str) -> str:
        """The slug of a new desk, or of the unfinished one whose place it takes."""
        for funder in tx.funders_of_siret(siret):
            if any(_has_way_in(tx, row.id) for row in tx.members(funder.slug)) or not tx.members(
                funder.slug
            ):
                raise EntryRefusedError("this establishment has a desk already", where="siret")
            return funder.slug
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        start = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "financeur"
        candidates = (start if n == 1 else f"{start}-{n}" for n in range(1, 100_000))
        return next(s for s in candidates if s not in RESERVED and tx.funder(s) is None)

    @staticmethod
    def _check(wanted: Enrolment, siret: str) -> None:
        if not 2 <= len(wanted.organisation.strip()) <= 200:
            raise EntryRefusedError("a name of 2 to 200 characters", where="organisation")
        if not is_siret(siret):
            raise EntryRefusedError("not a SIRET", where="siret")
        if not 2 <= len(wanted.service.strip()) <= 200:
            raise EntryRefusedError("the service in charge", where="service")
        if _MAIL.fullmatch(wanted.contact.strip()) is None:
            raise EntryRefusedError("not an e-mail address", where="contact")
        if not 2 <= len(wanted.person.strip()) <= 200:
            raise EntryRefusedError("a name of 2 to 200 characters", where="person")
        if _MAIL.fullmatch(normal_login(wanted.login)) is None or len(wanted.login) > 127:
            raise EntryRefusedError("not an e-mail address", where="login")
        if wanted.agreement != current_agreement().digest:
            raise EntryRefusedError("the agreement was not accepted", where="agreement")

    @staticmethod
    def _first_person(tx: Transactor, slug: str, name: str, login: str, at: datetime) -> str:
        """Whoever began here before and never came back loses the account to this person."""
        known = tx.member(login=login)
        if known is not None and known.funder != slug:
            raise EntryRefusedError("this address has an account already", where="login")
        for row in tx.members(slug):
            tx.drop_session(member=row.id)
            if row.login != login:
                tx.put_member(replace(row, disabled_at=at, login=f"{row.id}@parti.invalid"))
        identifier = known.id if known is not None else str(uuid.uuid4())
        tx.put_member(
            StoredMember(
                id=identifier,
                login=login,
                name=name,
                password="",
                roles=tuple(sorted(role.value for role in ALL_ROLES)),
                funder=slug,
                created_at=at,
                disabled_at=None,
            )
        )
        return identifier

    def join(self, secret: str, *, person: str, login: str) -> MemberSession:
        """A colleague comes in with their link.

        Raises:
            InvitationRefusedError, EntryRefusedError.
        """
        name, key, now = person.strip(), normal_login(login), self._clock()
        if not 2 <= len(name) <= 200:
            raise EntryRefusedError("a name of 2 to 200 characters", where="person")
        if _MAIL.fullmatch(key) is None or len(key) > 127:
            raise EntryRefusedError("not an e-mail address", where="login")
        with self._store.transact() as tx:
            locked = self._usable(tx, tx.lock_invitation(_digest(secret)))
            if not locked.is_colleague or locked.funder is None:
                raise InvitationRefusedError
            known = tx.member(login=key)
            if known is not None and known.id != locked.member:
                raise EntryRefusedError("this address has an account already", where="login")
            identifier = locked.member or str(uuid.uuid4())
            tx.put_member(
                StoredMember(
                    id=identifier,
                    login=key,
                    name=name,
                    password="",
                    roles=locked.roles,
                    funder=locked.funder,
                    created_at=now,
                    disabled_at=None,
                )
            )
            tx.put_invitation(replace(locked, member=identifier, used_at=now))
        return self._members.open_session(identifier)

    # -- the team ---------------------------------------------------------------------------------

    def team(self, member: Member) -> tuple[Member, ...]:
        """People of the member's funder who may come in.

        Raises:
            NotAllowedError.
        """
        member.require(Action.MANAGE_TEAM)
        if member.funder is None:
            raise NotAllowedError
        return self._members.members(member.funder)

    def send_away(self, member: Member, other: str) -> None:
        """A colleague leaves: signed out everywhere, and no way back in.

        Raises:
            NotAllowedError: oneself; ColleagueUnknownError: nobody of this funder.
        """
        found = {m.id: m for m in self.team(member)}.get(other)
        if found is None:
            raise ColleagueUnknownError
        if found.id == member.id:
            raise NotAllowedError
        self._members.disable(found.id)

    def has_way_in(self, member: Member) -> bool:
        """Whether this person could come back tomorrow."""
        with self._store.read() as reader:
            return _has_way_in(reader, member.id)

    # -- the agreement ----------------------------------------------------------------------------

    @staticmethod
    def agreement() -> Agreement:
        """The text proposed now."""
        return current_agreement()

    def accepted(self, member: Member) -> tuple[AcceptedAgreement, ...]:
        """What the member's funder accepted, the latest first."""
        member.require(Action.READ_SETTINGS)
        with self._store.read() as reader:
            return reader.agreements(member.funder or "")

    def has_accepted(self, funder: Funder) -> bool:
        """Whether a funder accepted the text proposed now."""
        with self._store.read() as reader:
            return any(
                a.digest == current_agreement().digest for a in reader.agreements(funder.slug)
            )

    def accept(self, member: Member, digest: str) -> None:
        """Accept the text proposed now, named by its digest; twice changes nothing.

        Raises:
            NotAllowedError, EntryRefusedError: another text was on the page.
        """
        member.require(Action.MANAGE_TEAM)
        if member.funder is None:
            raise NotAllowedError
        agreement = current_agreement()
        if digest != agreement.digest:
            raise EntryRefusedError("the agreement changed meanwhile", where="agreement")
        with self._store.transact() as tx:
            tx.put_agreement(
                AcceptedAgreement(
                    member.funder, agreement.version, agreement.digest, member.id, member.name,
                    self._clock(),
                )
            )  # fmt: skip


def _has_way_in(reader: Reader, member: str) -> bool:
    """Whether a person can come back by themselves: a password or a passkey, or was sent away."""
    row = reader.member(member=member)
    if row is None:
        return False
    return bool(row.password) or row.disabled_at is not None or bool(reader.passkeys(row.id))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
