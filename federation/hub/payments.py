"""Out to the real world: payment files for payroll, liquidation statements, archives of decisions.

The hub moves no money. A payment file takes every accepted application that no file holds yet and
says so to each citizen (`awarded`: transmitted, file n°); when payroll has paid, the officer says
it (`paid`). A file once made never changes: reading it again gives the same lines.
"""

import dataclasses
import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from federation.aids.model import Aid
from federation.hub.access import Action
from federation.hub.applications import budget_of
from federation.hub.csv_files import days_of, payroll_csv, write_csv
from federation.hub.errors import (
    ArchiveTooLargeError,
    NotAllowedError,
    NothingToPayError,
    PaymentUnknownError,
)
from federation.hub.members import Member
from federation.hub.model import HOLDER, Application, Budget, Funder, Payment, Transition
from federation.hub.publishing import PublishingService
from federation.hub.store import HubStore
from federation.trust import format_instant
from schemas.records import ApplicationState

__all__ = ["ARCHIVE_HEADS", "LIQUIDATION_HEADS", "LiquidationLine", "PaymentService"]

LIQUIDATION_HEADS: Final = (
    "numero", "matricule", "aide", "regle", "version", "debut", "fin", "jours", "montant",
    "decidee_le", "decidee_par", "demande",
)  # fmt: skip
ARCHIVE_HEADS: Final = (
    "demande", "aide", "version", "etat", "matricule", "debut", "fin", "montant", "recue_le",
    "decidee_le", "par", "motif",
)  # fmt: skip
MAX_ARCHIVE: Final = 5_000
"""Decisions in one archive: some 30 MB of JSON. A longer period is taken in parts."""


@dataclasses.dataclass(frozen=True, slots=True)
class LiquidationLine:
    """One line of a liquidation statement."""

    number: int
    application: Application
    aid: Aid
    decided_by: str


class PaymentService:
    """Payment files and archives of one funder."""

    def __init__(
        self, store: HubStore, publishing: PublishingService, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._publishing = publishing
        self._clock = clock

    def _funder(self, member: Member, action: Action = Action.PAY) -> Funder:
        member.require(action)
        found = self._publishing.funder(member.funder) if member.funder else None
        if found is None:
            raise NotAllowedError
        return found

    def pending(self, member: Member) -> tuple[Application, ...]:
        """Accepted applications that no payment file holds."""
        funder = self._funder(member)
        with self._store.read() as reader:
            return reader.to_pay(funder.did)

    def payments(self, member: Member) -> tuple[Payment, ...]:
        """Payment files, the newest first."""
        funder = self._funder(member)
        with self._store.read() as reader:
            return reader.payments(funder.slug)

    def budgets(self, member: Member) -> tuple[tuple[Aid, Budget], ...]:
        """Envelope of each aid that has one: committed, paid, left."""
        funder = self._funder(member, Action.READ_COUNTS)
        aids = [a for a in self._publishing.catalogue().aids if a.funder == funder.did]
        with self._store.read() as reader:
            return tuple(
                (aid, reader.budget(aid.id, limit))
                for aid in aids
                if (limit := budget_of(aid)) is not None
            )

    def make(self, member: Member) -> Payment:
        """Put every accepted application that waits into the next payment file.

        Raises:
            NotAllowedError, NothingToPayError.
        """
        funder = self._funder(member)
        now = self._clock()
        with self._store.transact() as tx:
            tx.lock_hub()  # two officers who press at once make one file
            number = 1 + max((p.number for p in tx.payments(funder.slug)), default=0)
            identifier, count, total = str(uuid.uuid4()), 0, 0
            for waiting in tx.to_pay(funder.did):
                found = tx.lock_application(waiting.id)
                if found is None or found.state is not ApplicationState.ACCEPTED:
                    continue
                step = Transition(
                    ApplicationState.AWARDED,
                    now,
                    member.name,
                    f"Transmis à la paie, fichier {number}",
                )
                tx.put_application(
                    dataclasses.replace(
                        found,
                        state=ApplicationState.AWARDED,
                        payment=identifier,
                        history=(*found.history, step),
                    )
                )
                count, total = count + 1, total + (found.amount or 0)
            if not count:
                raise NothingToPayError
            made = Payment(identifier, funder.slug, number, member.name, now, count, total)
            tx.put_payment(made)
        return made

    def _payment(self, member: Member, number: int) -> Payment:
        found = {p.number: p for p in self.payments(member)}.get(number)
        if found is None:
            raise PaymentUnknownError
        return found

    def lines(self, member: Member, number: int) -> tuple[Payment, tuple[Application, ...]]:
        """A payment file and what it holds, by employee number.

        Raises:
            NotAllowedError, PaymentUnknownError: none of this funder's.
        """
        found = self._payment(member, number)
        with self._store.read() as reader:
            return found, reader.paid_with(found.id)

    def confirm(self, member: Member, number: int) -> int:
        """Payroll has paid a file: every application of it is paid; how many were not yet.

        Raises:
            NotAllowedError, PaymentUnknownError.
        """
        payment, held = self.lines(member, number)
        now, changed = self._clock(), 0
        with self._store.transact() as tx:
            for application in held:
                found = tx.lock_application(application.id)
                if found is None or found.state is not ApplicationState.AWARDED:
                    continue
                step = Transition(
                    ApplicationState.PAID, now, member.name, f"Payé, fichier {payment.number}"
                )
                tx.put_application(
                    dataclasses.replace(
                        found, state=ApplicationState.PAID, history=(*found.history, step)
                    )
                )
                changed += 1
        return changed

    # -- files ------------------------------------------------------------------------------------

    def payroll(self, member: Member, number: int) -> bytes:
        """The file for payroll: employee number, days, amount, period."""
        _, held = self.lines(member, number)
        return payroll_csv(held, self._titles())

    def _titles(self) -> dict[str, str]:
        return {aid.id: aid.titles["fr"] for aid in self._publishing.catalogue().aids}

    def liquidation(
        self, member: Member, number: int
    ) -> tuple[Payment, tuple[LiquidationLine, ...]]:
        """The statement for the public accountant: what each sum rests on, and who decided."""
        payment, held = self.lines(member, number)
        lines = []
        with self._store.read() as reader:
            for position, application in enumerate(held, start=1):
                whole = reader.application(application.id)
                deciders = [
                    step.actor
                    for step in (whole or application).history
                    if step.state is ApplicationState.ACCEPTED and step.actor != HOLDER
                ]
                lines.append(
                    LiquidationLine(
                        position,
                        application,
                        self._publishing.aid(application.aid),
                        deciders[-1] if deciders else "",
                    )
                )
        return payment, tuple(lines)

    def liquidation_csv(self, member: Member, number: int) -> bytes:
        """The statement as CSV."""
        _, lines = self.liquidation(member, number)
        return write_csv(
            LIQUIDATION_HEADS,
            (
                (
                    str(line.number),
                    line.application.employee,
                    line.aid.titles["fr"],
                    line.aid.rule.rule,
                    line.application.aid_version,
                    line.application.period[0].isoformat(),
                    line.application.period[1].isoformat(),
                    "" if days_of(line.application) is None else str(days_of(line.application)),
                    _euros(line.application.amount),
                    _instant(line.application.decided_at),
                    "règle de calcul" if line.decided_by == "rule" else line.decided_by,
                    line.application.id,
                )
                for line in lines
            ),
        )

    def archive(self, member: Member, *, since: datetime, until: datetime) -> bytes:
        """Every decision taken in [since, until) as a ZIP: `decisions.jsonl` (all of it),
        `decisions.csv` (to read), `attributions/<id>.jsonld` (signed awards), and `SHA256SUMS`.

        Raises:
            NotAllowedError, ArchiveTooLargeError: over `MAX_ARCHIVE` decisions; take a shorter
            period.
        """
        funder = self._funder(member)
        with self._store.read() as reader:
            found = reader.decided(funder.did, since=since, until=until)
        if len(found) > MAX_ARCHIVE:
            raise ArchiveTooLargeError(len(found), MAX_ARCHIVE)
        files: dict[str, bytes] = {
            "decisions.jsonl": b"".join(
                json.dumps(_whole(a), ensure_ascii=False, sort_keys=True).encode() + b"\n"
                for a in found
            ),
            "decisions.csv": write_csv(ARCHIVE_HEADS, map(_row, found)),
        }
        for application in found:
            if application.award is not None:
                name = application.id.rsplit(":", 1)[-1]
                files[f"attributions/{name}.jsonld"] = json.dumps(
                    application.award, ensure_ascii=False
                ).encode()
        files["SHA256SUMS"] = "".join(
            f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())
        ).encode()
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                # A fixed date: the same decisions give the same bytes.
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
        return out.getvalue()


def _euros(cents: int | None) -> str:
    return "" if cents is None else f"{cents // 100},{cents % 100:02d}"


def _instant(at: datetime | None) -> str:
    return "" if at is None else format_instant(at)


def _row(application: Application) -> tuple[str, ...]:
    decision = next(
        (
            step
            for step in reversed(application.history)
            if step.state in (ApplicationState.ACCEPTED, ApplicationState.REFUSED)
            and step.actor != HOLDER
        ),
        None,
    )
    return (
        application.id,
        application.aid,
        application.aid_version,
        application.state.value,
        application.employee,
        application.period[0].isoformat(),
        application.period[1].isoformat(),
        _euros(application.amount),
        _instant(application.submitted_at),
        _instant(application.decided_at),
        "" if decision is None else decision.actor,
        "" if decision is None else decision.reason[:900],
    )


def _whole(application: Application) -> Mapping[str, Any]:
    return {
        "id": application.id,
        "aid": application.aid,
        "aidVersion": application.aid_version,
        "funder": application.funder,
        "holder": application.holder,
        "state": application.state.value,
        "period": [day.isoformat() for day in application.period],
        "amountCents": application.amount,
        "automatic": application.automatic,
        "employeeNumber": application.employee,
        "claims": dict(application.claims),
        "checks": [dict(check) for check in application.checks],
        "reasons": [dict(reason) for reason in application.reasons],
        "explanation": dict(application.explanation),
        "package": application.package,
        "submittedAt": _instant(application.submitted_at),
        "decidedAt": _instant(application.decided_at),
        "history": [
            {
                "state": step.state.value,
                "at": _instant(step.at),
                "actor": step.actor,
                "reason": step.reason,
            }
            for step in application.history
        ],
        "award": None if application.award is None else dict(application.award),
    }
