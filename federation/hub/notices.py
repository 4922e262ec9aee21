"""What happened at a desk, told to its people: in the portal always, by mail as each one chooses.

1. The transaction of an event writes one notice a person who may act on it: the one who took the
   application, else every officer of the funder.
2. Who chose « each » has a mail job in the same commit; who chose « daily » has one digest a
   morning (job `hub.digest`, each hour). Without a mail server there is nothing to send.
3. A notice that was read before its mail went out sends none.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from federation.hub.access import Action, Caller, is_allowed
from federation.hub.errors import EntryRefusedError
from federation.hub.mail import LANGUAGES, compose
from federation.hub.members import Member
from federation.hub.model import Application, MailChoice, Notice, NoticeKind, NoticePreference
from federation.hub.publishing import PublishingService
from federation.hub.settings import HubSettings
from federation.hub.store import HubStore, Reader, Transactor
from federation.wire.jobs import Job
from federation.wire.mail import Mailer, is_address

__all__ = ["DIGEST", "MAIL", "NoticeService"]

MAIL: Final = "hub.mail"
DIGEST: Final = "hub.digest"
ATTEMPTS: Final = 40
"""About a day and a half of a mail server that is away."""
FOREVER: Final = 1_000_000
HOUR: Final = timedelta(hours=1)
MORNING: Final = 7
"""Hour in Paris from which the digest goes out."""
PARIS: Final = ZoneInfo("Europe/Paris")
SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class ShownNotice:
    """A notice for its page."""

    notice: Notice
    aid_titles: Mapping[str, str]


class NoticeService:
    """Writes notices, shows them, mails them."""

    def __init__(
        self,
        settings: HubSettings,
        store: HubStore,
        publishing: PublishingService,
        *,
        mailer: Mailer | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._store = store
        self._publishing = publishing
        self._mailer = mailer
        self._clock = clock

    @property
    def has_mail(self) -> bool:
        """Whether this hub has a mail server."""
        return self._mailer is not None

    # -- writing ----------------------------------------------------------------------------------

    def tell(
        self, tx: Transactor, application: Application, kind: NoticeKind, *, at: datetime
    ) -> list[str]:
        """Notices of an event, in its transaction; ids of the jobs to wake after the commit."""
        funder = tx.funder(application.funder)
        if funder is None:
            return []
        people = [
            person
            for person in tx.members(funder.slug)
            if person.disabled_at is None
            and is_allowed(Action.READ_APPLICATION, frozenset(map(Caller, person.roles)))
        ]
        takers = [person for person in people if person.id == application.assignee]
        jobs = []
        for person in takers or people:
            notice = Notice(str(uuid.uuid4()), person.id, kind, application.id, application.aid, at)
            tx.put_notice(notice)
            choice = _preference(tx, person.id, person.login)
            if self._mailer is not None and choice.mail is MailChoice.EACH and choice.address:
                jobs.append(
                    tx.enqueue(
                        MAIL, f"notice:{notice.id}", payload=b"", at=at, max_attempts=ATTEMPTS
                    ).id
                )
        return jobs

    # -- for the member ---------------------------------------------------------------------------

    def unread(self, member: Member) -> int:
        """How many notices wait for a member."""
        with self._store.read() as reader:
            return reader.unread_notices(member.id)

    def shown(self, member: Member) -> tuple[ShownNotice, ...]:
        """The newest notices of a member, unread ones first."""
        titles = {str(aid.id): aid.titles for aid in self._publishing.catalogue().aids}
        with self._store.read() as reader:
            found = reader.notices(member.id, limit=SHOWN)
        return tuple(ShownNotice(notice, titles.get(notice.aid, {})) for notice in found)

    def read(self, member: Member, *, application: str = "") -> None:
        """Mark a member's notices read: those of an application, or all."""
        with self._store.transact() as tx:
            tx.read_notices(member.id, application=application, at=self._clock())

    def preference(self, member: Member) -> NoticePreference:
        """What a member chose, or what holds without a choice."""
        with self._store.read() as reader:
            return _preference(reader, member.id, member.login)

    def choose(self, member: Member, *, mail: str, address: str, language: str) -> None:
        """Keep a choice.

        Raises:
            EntryRefusedError: `mail`, `address` or `language`.
        """
        if mail not in set(MailChoice):
            raise EntryRefusedError("each, daily or never", where="mail")
        if language not in LANGUAGES:
            raise EntryRefusedError("fr or en", where="language")
        choice = MailChoice(mail)
        if choice is not MailChoice.NEVER and not is_address(address):
            raise EntryRefusedError("not an e-mail address", where="address")
        kept = NoticePreference(member.id, choice, address, language)
        with self._store.transact() as tx:
            tx.put_notice_preference(kept)

    # -- jobs -------------------------------------------------------------------------------------

    def ensure(self) -> None:
        """The job that looks each hour for digests is there, where there is a mail server."""
        if self._mailer is None:
            return
        with self._store.transact() as tx:
            tx.lock_hub()
            tx.enqueue(DIGEST, "each-hour", payload=b"", at=self._clock(), max_attempts=FOREVER)

    def run_digest(self, job: Job) -> None:
        """Job `hub.digest`: one mail a morning to each who chose so and has something unread."""
        now = self._clock()
        local = now.astimezone(PARIS)
        with self._store.transact() as tx:
            if local.hour >= MORNING:
                for member in tx.members_with_digest():
                    key = f"digest:{member}:{local.date().isoformat()}"
                    tx.enqueue(MAIL, key, payload=b"", at=now, max_attempts=ATTEMPTS)
            tx.again(job, at=now + HOUR)

    def run_mail(self, job: Job) -> None:
        """Job `hub.mail`: write one message from what stands now, and send it.

        Raises:
            MailUnreachableError: the job comes back. MailRefusedError: it is put aside.
        """
        kind, _, rest = job.key.partition(":")
        with self._store.read() as reader:
            notice = reader.notice(rest) if kind == "notice" else None
            member = rest.partition(":")[0] if kind == "digest" else getattr(notice, "member", "")
            person = reader.member(member=member) if member else None
            if person is None or person.disabled_at is not None or self._mailer is None:
                return
            choice = _preference(reader, person.id, person.login)
            waiting = reader.unread_notices(person.id)
            funder = reader.funder(person.funder or "")
        if not choice.address or choice.mail is MailChoice.NEVER or not waiting:
            return
        if notice is not None and notice.read_at is not None:
            return
        origin = self._settings.origin
        values = {"count": str(waiting), "link": f"{origin}/guichet/avis"}
        if notice is not None:
            short = notice.application.rpartition(":")[2]
            aid = self._publishing.aid(notice.aid)
            values = {
                "reference": short[:8],
                "aid": aid.titles.get(choice.language) or aid.titles["fr"],
                "link": f"{origin}/guichet/demandes/{short}",
            }
        name = self._settings.name if funder is None else funder.name
        mail = compose(
            "digest" if notice is None else notice.kind.value,
            choice.language,
            to=choice.address,
            key=job.key,
            values=values,
            foot={"hub": name, "settings": f"{origin}/guichet/avis"},
        )
        now = self._clock()
        self._mailer.send(mail, at=now)
        with self._store.transact() as tx:
            tx.complete(job, at=now)


def _preference(reader: Reader, member: str, login: str) -> NoticePreference:
    """What was chosen; without a choice a digest to the login, where that is an address."""
    found = reader.notice_preference(member)
    if found is not None:
        return found
    address = login if is_address(login) else ""
    return NoticePreference(
        member, MailChoice.DAILY if address else MailChoice.NEVER, address, "fr"
    )
