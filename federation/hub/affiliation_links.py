"""Affiliation by a link in a mail to the work address that the staff list names.

1. The officer asks for links; one job a person (`hub.affiliation-link`) names the line, no text.
2. The job makes a fresh code, then writes its mail: the link carries the line, the code and its
   end, signed by the hub. A mail that could not be sent is written again with another code.
3. The page behind the link shows the code to whoever opens it, and uses nothing up: mail filters
   open links too. The code works once, for one key, and only with the employee number, which is not
   in the mail: a colleague's link affiliates nobody else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

from federation.hub.affiliations import AffiliationService
from federation.hub.errors import InvitationRefusedError, NoMailError
from federation.hub.mail import bilingual
from federation.hub.members import Member
from federation.hub.model import Employee, EmployeeState
from federation.hub.publishing import PublishingService
from federation.hub.settings import HubSettings
from federation.hub.store import HubStore
from federation.openid4vci import IssuanceError
from federation.wire.jobs import Job
from federation.wire.mail import Mailer

__all__ = ["LINK", "AffiliationLinks", "OpenedLink", "home_link"]

LINK: Final = "hub.affiliation-link"
ATTEMPTS: Final = 40


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """What the page behind a link shows."""

    funder_name: str
    slug: str
    code: str
    until: datetime
    offer: str
    """`openid-credential-offer://…`, for any wallet."""


class AffiliationLinks:
    """Sends links and reads them."""

    def __init__(
        self,
        settings: HubSettings,
        store: HubStore,
        affiliations: AffiliationService,
        publishing: PublishingService,
        *,
        mailer: Mailer | None,
        clock: Callable[[], datetime],
        wake: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._affiliations = affiliations
        self._publishing = publishing
        self._mailer = mailer
        self._clock = clock
        self._wake = wake

    @property
    def is_possible(self) -> bool:
        """Whether this hub can send mail."""
        return self._mailer is not None

    def waiting(self, member: Member) -> int:
        """How many of the member's list have an address, and neither a code nor an affiliation."""
        now = self._clock()
        funder = self._affiliations.funder_of(member)
        with self._store.read() as reader:
            return sum(self._wants(e, now) for e in reader.employees(funder.slug))

    @staticmethod
    def _wants(employee: Employee, at: datetime) -> bool:
        return bool(employee.mail) and employee.state(at) is EmployeeState.LISTED

    def send(self, member: Member) -> int:
        """Send a link to everybody of the list who waits for one; how many. At most one an hour to
        a person.

        Raises:
            NotAllowedError; NoMailError: no mail server here.
        """
        if self._mailer is None:
            raise NoMailError
        funder, now = self._affiliations.funder_of(member), self._clock()
        with self._store.transact() as tx:
            jobs = [
                tx.enqueue(
                    LINK, f"{e.id}:{now:%Y%m%d%H}", payload=b"", at=now, max_attempts=ATTEMPTS
                )
                for e in tx.employees(funder.slug)
                if self._wants(e, now)
            ]
        for job in jobs:
            self._wake(job.id)
        return len(jobs)

    def run(self, job: Job) -> None:
        """Job `hub.affiliation-link`: a fresh code, and its mail.

        Raises:
            MailUnreachableError: the job comes back, with another code. MailRefusedError.
        """
        now = self._clock()
        with self._store.transact() as tx:
            found = tx.lock_employee(job.key.partition(":")[0])
            is_wanted = (
                found is not None
                and found.mail
                and found.left_at is None
                and found.affiliated_at is None
            )
            if found is None or not is_wanted or self._mailer is None:
                tx.complete(job, at=now)
                return
            code, changed = self._affiliations.fresh_code(found, now)
            tx.put_employee(changed)
        until = changed.code_until or now
        funder = self._publishing.funder(changed.funder)
        token = self._affiliations.seal("link", [changed.id, code], until)
        link = f"{self._settings.origin}/affiliation/{quote(token, safe='')}"
        mail = bilingual(
            "affiliation",
            to=changed.mail,
            key=f"{job.key}:{job.attempts}",
            values={
                "funder": changed.funder if funder is None else funder.name,
                "until": f"{until:%d/%m/%Y}",
                "link": link,
            },
        )
        self._mailer.send(mail, at=now)
        with self._store.transact() as tx:
            tx.complete(job, at=now)

    def open(self, token: str) -> OpenedLink:
        """What a link stands for. Opening it changes nothing.

        Raises:
            InvitationRefusedError: not signed here, late, used, replaced by another one, or the
            person left; never told apart.
        """
        now = self._clock()
        try:
            employee_id, code = self._affiliations.unseal("link", token, now, "invalid_grant")
        except IssuanceError:
            raise InvitationRefusedError from None
        with self._store.read() as reader:
            found = reader.employee(employee_id)
        funder = None if found is None else self._publishing.funder(found.funder)
        if (
            found is None
            or funder is None
            or found.code_holder is not None
            or not self._affiliations.is_code_of(found, code, now)
        ):
            raise InvitationRefusedError
        offer = self._affiliations.offer_link(funder.slug, code)
        return OpenedLink(funder.name, funder.slug, code, found.code_until or now, offer)


def home_link(home: str, code: str) -> str:
    """The page of a home that takes a code."""
    return f"{home}/documents/recevoir?{urlencode({'code': code})}"
