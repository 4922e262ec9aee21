"""What people report about aids, and propose: no account, no name, one link to the answer.

1. `report` keeps the words and gives a secret; only its SHA-256 is kept.
2. Members read what waits: administrators all of it, a funder's editors what is about their aids.
3. `answer` closes it once, with words that whoever has the link reads.
Answered reports go after a year, unanswered ones never by themselves.
"""

import hashlib
import re
import secrets
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from federation.aids.errors import UnknownAidError
from federation.hub.access import Action, Caller
from federation.hub.errors import (
    ReportRefusedError,
    ReportsBusyError,
    ReportUnknownError,
)
from federation.hub.members import Member
from federation.hub.model import Report, ReportState, ReportSubject
from federation.hub.publishing import PublishingService
from federation.hub.store import HubStore

__all__ = ["KEPT", "MOST_AN_ADDRESS", "MOST_WAITING", "ReportService"]

KEPT: Final = timedelta(days=365)
"""How long an answer stays readable."""
MOST_WAITING: Final = 2_000
MOST_AN_ADDRESS: Final = 10
"""Reports of one address in an hour, counted in each worker by the address' hash, in memory."""
_HOUR: Final = timedelta(hours=1)
_TEXT: Final = (10, 2_000)
_LINK: Final = re.compile(r"https://[^\s<>\"']{3,480}")


class ReportService:
    """Takes reports in, lists them to who moderates, keeps the answers."""

    def __init__(
        self, store: HubStore, publishing: PublishingService, clock: Callable[[], datetime]
    ) -> None:
        self._store, self._publishing, self._clock = store, publishing, clock
        self._guard = threading.Lock()
        self._window = clock()
        self._seen: Counter[bytes] = Counter()

    def report(
        self, subject: ReportSubject | None, *, slug: str, text: str, link: str, address: str
    ) -> str:
        """Keep a report; returns the secret part of the link to its answer.

        Raises:
            ReportRefusedError: `where` is the field that is missing or too long.
            UnknownAidError: about an aid that is not in the open catalogue.
            ReportsBusyError: too many of this address, or too many that nobody read yet.
        """
        words, source = text.strip(), link.strip()
        if subject is None or (subject is ReportSubject.MISSING) != (not slug):
            raise ReportRefusedError("objet")
        if not _TEXT[0] <= len(words) <= _TEXT[1]:
            raise ReportRefusedError("texte")
        if source and not _LINK.fullmatch(source):
            raise ReportRefusedError("lien")
        if slug:
            self._publishing.public().aid(slug)
        self._admit(address)
        at = self._clock()
        secret = secrets.token_urlsafe(32)
        with self._store.transact() as tx:
            tx.drop_reports(answered_before=at - KEPT)
            if tx.waiting_reports() >= MOST_WAITING:
                raise ReportsBusyError(3600)
            tx.put_report(
                Report(
                    id=str(uuid.uuid4()),
                    secret=_digest(secret),
                    subject=subject,
                    slug=slug,
                    text=words,
                    link=source,
                    at=at,
                    state=ReportState.WAITING,
                )
            )
        return secret

    def _admit(self, address: str) -> None:
        who = hashlib.sha256(address.encode()).digest()[:16]
        now = self._clock()
        with self._guard:
            if now - self._window >= _HOUR or len(self._seen) >= 10_000:
                self._window = now
                self._seen.clear()
            if self._seen[who] >= MOST_AN_ADDRESS:
                left = _HOUR - (now - self._window)
                raise ReportsBusyError(max(1, round(left.total_seconds())))
            self._seen[who] += 1

    def find(self, secret: str) -> Report:
        """One report, by the secret of its link. Raises ReportUnknownError."""
        with self._store.read() as reader:
            found = reader.report(secret=_digest(secret))
        if found is None:
            raise ReportUnknownError
        return found

    def of(self, member: Member) -> tuple[Report, ...]:
        """Reports this member may answer: waiting ones first, then the newest answers.

        Raises:
            NotAllowedError: neither administrator nor editor.
        """
        member.require(Action.MODERATE)
        with self._store.read() as reader:
            found = reader.reports()
        return tuple(report for report in found if self._is_theirs(member, report))

    def answer(
        self, member: Member, report_id: str, state: ReportState | None, words: str
    ) -> Report:
        """Close a report with an answer, once.

        Raises:
            NotAllowedError; ReportUnknownError: no such report, or not theirs: never told apart.
            ReportRefusedError: no outcome, no words, or answered before.
        """
        member.require(Action.MODERATE)
        text = words.strip()
        with self._store.transact() as tx:
            found = tx.report(report_id=report_id)
            if found is None or not self._is_theirs(member, found):
                raise ReportUnknownError
            if state is None or state is ReportState.WAITING:
                raise ReportRefusedError("suite")
            if not 3 <= len(text) <= _TEXT[1]:
                raise ReportRefusedError("reponse")
            if found.state is not ReportState.WAITING:
                raise ReportRefusedError("signalement")
            closed = replace(
                found, state=state, answer=text, member=member.id, answered_at=self._clock()
            )
            tx.put_report(closed)
        return closed

    def _is_theirs(self, member: Member, report: Report) -> bool:
        if Caller.ADMIN in member.roles:
            return True
        if not report.slug:
            return False
        try:
            return self._publishing.aid(report.slug).funder == member.funder_did
        except UnknownAidError:
            return False


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
