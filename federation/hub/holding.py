"""What the holder does with an application, each act proven by the key that presented."""

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from federation.aids.declaration import Declaration, declaration_of, read_declared, say_declared
from federation.aids.eligibility import Fact, Facts, FactSource
from federation.aids.errors import DeclarationRefusedError
from federation.hub.applications import ApplicationBase, resumed_due
from federation.hub.declared import DECLARATION
from federation.hub.errors import (
    ApplicationClosedError,
    ApplicationUnknownError,
    DecisionRefusedError,
    DocumentRefusedError,
    HolderProofError,
)
from federation.hub.holder_proof import read_holder_proof, read_watch_proof
from federation.hub.model import (
    DECIDABLE,
    HOLDER,
    SENDINGS_ENDED,
    Application,
    Hold,
    LedgerState,
    NoticeKind,
    Transition,
)
from federation.hub.store import Transactor
from federation.ports import (
    ApplicationView,
    AuditView,
    DocumentEnvelope,
)
from federation.sealing import BoxPublicKey, SealedDocument
from federation.sealing.errors import SealingError
from schemas.ids import Did
from schemas.records import ApplicationState

__all__ = ["HolderActs"]


class HolderActs(ApplicationBase):
    """Reads, answers, joins, declares, contests, withdraws."""

    def application(self, application_id: str, *, proof_jwt: str) -> ApplicationView:
        """The application, for the holder key that presented.

        Raises:
            HolderProofError, ApplicationUnknownError.
        """
        holder = self._holder(application_id, proof_jwt)
        with self._store.read() as reader:
            found = reader.application(application_id)
        if found is None or found.holder != holder:
            raise ApplicationUnknownError
        return self.view(found)

    def steps(self, application_id: str, *, watch_jwt: str) -> int:
        """How many steps an application has, for a watch proof of its holder's key.

        Raises:
            HolderProofError, ApplicationUnknownError.
        """
        proof = read_watch_proof(watch_jwt, audience=self._settings.did, at=self._clock())
        if proof.application != application_id:
            raise HolderProofError("subject")
        with self._store.read() as reader:
            found = reader.application(application_id)
            audit = reader.audit(application_id)
        if found is None or found.holder != proof.holder:
            raise ApplicationUnknownError
        return len(found.history) + (audit is not None)

    def evidence(self, application_id: str, *, proof_jwt: str) -> bytes:
        """What shows the decision to a third party, as one ZIP (`federation/decision_log.py`).

        Raises:
            HolderProofError, ApplicationUnknownError, LogUnknownError.
        """
        holder = self._holder(application_id, proof_jwt)
        with self._store.read() as reader:
            found = reader.application(application_id)
        if found is None or found.holder != holder:
            raise ApplicationUnknownError
        return self._log.evidence(found).to_zip()

    def evidence_for_desk(self, application_id: str, *, funder_did: Did) -> bytes:
        """The same, for the funder.

        Raises:
            ApplicationUnknownError, LogUnknownError.
        """
        with self._store.read() as reader:
            found = reader.application(application_id)
        if found is None or found.funder != funder_did:
            raise ApplicationUnknownError
        return self._log.evidence(found).to_zip()

    def withdraw(self, application_id: str, *, proof_jwt: str) -> ApplicationView:
        """Withdraw before a decision; what the ledger held is released.

        Raises:
            HolderProofError, ApplicationUnknownError, ApplicationClosedError.
        """
        holder = self._holder(application_id, proof_jwt)
        now = self._clock()
        with self._store.transact() as tx:
            found = _own(tx, application_id, holder)
            if found.state not in DECIDABLE:
                raise ApplicationClosedError(found.state.value)
            changed = dataclasses.replace(
                found,
                state=ApplicationState.WITHDRAWN,
                to_review=False,
                history=(
                    *found.history,
                    Transition(ApplicationState.WITHDRAWN, now, "holder", ""),
                ),
            )
            tx.settle(found.id, LedgerState.RELEASED, at=now)
            tx.put_application(changed)
        return self.view(changed)

    def end_sendings(self, application_id: str, *, proof_jwt: str) -> ApplicationView:
        """The holder withdrew the standing consent that this application belongs to: a step says
        so to the funder, decided or not; nothing else changes. Twice is once.

        Raises:
            HolderProofError, ApplicationUnknownError.
        """
        holder = self._holder(application_id, proof_jwt)
        now = self._clock()
        with self._store.transact() as tx:
            found = _own(tx, application_id, holder)
            if not any(
                step.actor == HOLDER and step.reason == SENDINGS_ENDED for step in found.history
            ):
                step = Transition(found.state, now, HOLDER, SENDINGS_ENDED)
                found = dataclasses.replace(found, history=(*found.history, step))
                tx.put_application(found)
        return self.view(found)

    def answer(self, application_id: str, *, proof_jwt: str, text: str) -> ApplicationView:
        """Answer a request for information in words; the clock goes on.

        Raises:
            HolderProofError, ApplicationUnknownError, DecisionRefusedError: nothing was asked.
        """
        if not text.strip() or len(text) > 4_000:
            raise DecisionRefusedError("say something", where="text")
        holder = self._holder(application_id, proof_jwt)
        now = self._clock()
        with self._store.transact() as tx:
            found = _own(tx, application_id, holder)
            if found.state is not ApplicationState.NEEDS_INFORMATION:
                raise DecisionRefusedError("nothing was asked", where="state")
            changed = dataclasses.replace(
                found,
                state=ApplicationState.COMPLETED,
                to_review=True,
                message="",
                due_at=resumed_due(found, now),
                history=(
                    *found.history,
                    Transition(ApplicationState.COMPLETED, now, "holder", text.strip()),
                ),
            )
            tx.put_application(changed)
            jobs = self._notices.tell(tx, changed, NoticeKind.ANSWERED, at=now)
        for job in jobs:
            self._wake(job)
        return self.view(changed)

    def audit(
        self, application_id: str, *, funder_did: Did, officer: str, leaves: int
    ) -> AuditView:
        """Ask for a check by sample. See `AuditService.ask`."""
        return self._audits.ask(application_id, funder=funder_did, officer=officer, leaves=leaves)

    def can_audit(self, application: Application) -> bool:
        """Whether there is something to sample."""
        return self._audits.is_possible(application)

    def answer_audit(
        self, application_id: str, *, proof_jwt: str, answer: str | None
    ) -> ApplicationView:
        """Take the answer to the funder's check by sample; None declines.

        Raises:
            HolderProofError, ApplicationUnknownError, AuditRefusedError, AuditError.
        """
        holder = self._holder(application_id, proof_jwt)
        with self._store.read() as reader:
            found = reader.application(application_id)
        if found is None or found.holder != holder:
            raise ApplicationUnknownError
        self._audits.answer(found, answer)
        return self.view(found)

    def attach(
        self, application_id: str, *, proof_jwt: str, document: DocumentEnvelope
    ) -> ApplicationView:
        """Keep one more document, sealed to the funder's key: opaque here.

        Steps: (1) the holder, (2) an application that waits for a decision, (3) room, (4) the
        public header: this funder, this application, a version of its key that is not past its
        date. The same bytes again change nothing.

        Raises:
            HolderProofError, ApplicationUnknownError, DocumentRefusedError: `.reason` names the
            step.
        """
        holder = self._holder(application_id, proof_jwt)  # (1)
        now = self._clock()
        if len(document.sealed) > self._settings.document_bytes:
            raise DocumentRefusedError("too-large")
        with self._store.transact() as tx:
            found = _own(tx, application_id, holder)
            if found.state not in DECIDABLE or found.package is None:  # (2)
                raise DocumentRefusedError("closed")
            held = tx.documents(found.id)
            if any(d.sealed == document.sealed for d in held):
                return self.view(found)
            if len(held) >= self._settings.documents:  # (3)
                raise DocumentRefusedError("too-many")
            self._check_sealed(tx, found, document, now)  # (4)
            tx.add_document(found.package, document)
            step = Transition(found.state, now, "holder", f"Document joint : {document.name}")
            changed = dataclasses.replace(found, history=(*found.history, step))
            tx.put_application(changed)
        return self.view(changed)

    def declare(
        self, application_id: str, *, proof_jwt: str, answers: Mapping[str, str]
    ) -> ApplicationView:
        """Keep what the holder declares on their honour, and what the rule proposes from it.

        Steps: (1) the holder, (2) an application that waits for a decision, (3) exactly the answers
        the aid asks for, (4) the rule. A person decides: a declaration accepts nothing. The same
        answers again change nothing; others take their place until the decision.

        Raises:
            HolderProofError, ApplicationUnknownError, ApplicationClosedError,
            DeclarationRefusedError: `where` is the answer.
        """
        holder = self._holder(application_id, proof_jwt)  # (1)
        now = self._clock()
        catalogue = self._publishing.catalogue()
        with self._store.read() as reader:
            known = reader.application(application_id, history=False)
        at_register = known is not None and self._register.applies(catalogue.aid(known.aid))
        with self._store.transact() as tx:
            found = _own(tx, application_id, holder)
            if found.state not in DECIDABLE or found.package is None:  # (2)
                raise ApplicationClosedError(found.state.value)
            aid = catalogue.aid(found.aid)
            asked = declaration_of(aid)
            if asked is None:
                raise DeclarationRefusedError("declaration")
            engine = catalogue.engine(aid)
            values = read_declared(asked, engine, answers)  # (3)
            said = {title["fr"]: answer["fr"] for title, answer in say_declared(engine, values)} | {
                "statement": asked.statement["fr"]
            }
            held = found.claims.get(DECLARATION)
            before = dict(held) if isinstance(held, Mapping) else {}
            before.pop("declaredAt", None)
            if before == said:
                return self.view(found)
            outcome = catalogue.evaluate(  # (4)
                aid,
                Facts(
                    at=now.date(),
                    values={n: Fact(v, FactSource.ANSWER) for n, v in values.items()},
                ),
            )
            twice = self._is_declared_elsewhere(tx, found, asked, values, now)
            changed = dataclasses.replace(
                found,
                to_review=True,
                amount=None if outcome.amount is None else int(outcome.amount),
                reasons=(
                    *twice,
                    *(
                        {"code": r.code, "rule": r.rule, "legal": r.legal, **r.words}
                        for r in outcome.reasons
                    ),
                ),
                explanation=dict(outcome.explanation),
                claims={
                    **found.claims,
                    DECLARATION: {**said, "declaredAt": now.date().isoformat()},
                },
                history=(
                    *found.history,
                    Transition(found.state, now, "holder", "Déclaration sur l'honneur reçue."),
                ),
            )
            tx.put_application(changed)
            jobs = [self._register.enqueue(tx, changed, at=now)] if at_register else []
        for job in jobs:
            self._wake(job)
        return self.view(changed)

    @staticmethod
    def _is_declared_elsewhere(
        tx: Transactor,
        application: Application,
        asked: Declaration,
        values: Mapping[str, bool | int | float | str],
        at: datetime,
    ) -> tuple[dict[str, Any], ...]:
        """A reason to look when the thing that is declared stands in another application of this
        funder; else it is held for this one until it is refused or withdrawn."""
        if not asked.unique:
            return ()
        name = re.sub(r"[^0-9A-Z]", "", str(values[asked.unique]).upper())
        family = f"declared-{hashlib.sha256(application.funder.encode()).hexdigest()[:16]}"
        nullifier = hashlib.sha256(f"{asked.unique}|{name}".encode()).hexdigest()
        hold = Hold(family, 1, nullifier, (date.min, date.max))
        if tx.reserve_all([hold], application=application.id, at=at) is None:
            return ()
        words = {
            "fr": "Ce numéro est déjà déclaré dans une autre demande.",
            "en": "This number is declared in another application already.",
        }
        return ({"code": "declared-twice", "rule": asked.unique, "legal": "", **words},)

    @staticmethod
    def _check_sealed(
        tx: Transactor, application: Application, document: DocumentEnvelope, at: datetime
    ) -> None:
        try:
            sealed = SealedDocument.parse(document.sealed)
        except SealingError as error:
            raise DocumentRefusedError("malformed") from error
        if sealed.funder != application.funder or sealed.application != application.id:
            raise DocumentRefusedError("not-for-this-application")
        funder = tx.funder(application.funder)
        keys = {} if funder is None else {k.version: k for k in tx.document_keys(funder.slug)}
        key = keys.get(sealed.key_version)
        if key is None or BoxPublicKey.decode(key.public).key_id != sealed.key_id:
            raise DocumentRefusedError("unknown-key")
        if at > key.not_after:
            raise DocumentRefusedError("expired-key")

    def appeal(self, application_id: str, *, proof_jwt: str, reason: str) -> ApplicationView:
        """Contest a refusal; a person decides it again.

        Raises:
            HolderProofError, ApplicationUnknownError, DecisionRefusedError.
        """
        if not reason.strip() or len(reason) > 4_000:
            raise DecisionRefusedError("say why", where="reason")
        holder = self._holder(application_id, proof_jwt)
        now = self._clock()
        with self._store.transact() as tx:
            found = _own(tx, application_id, holder)
            if found.state is not ApplicationState.REFUSED:
                raise DecisionRefusedError("only a refusal can be contested", where="state")
            changed = dataclasses.replace(
                found,
                state=ApplicationState.APPEALED,
                to_review=True,
                decided_at=None,
                history=(
                    *found.history,
                    Transition(ApplicationState.APPEALED, now, "holder", reason),
                ),
            )
            tx.put_application(changed)
            jobs = self._notices.tell(tx, changed, NoticeKind.APPEALED, at=now)
        for job in jobs:
            self._wake(job)
        return self.view(changed)

    def _holder(self, application_id: str, proof_jwt: str) -> Did:
        now = self._clock()
        proof = read_holder_proof(proof_jwt, audience=self._settings.did, at=now)
        if proof.application != application_id:
            raise HolderProofError("subject")
        with self._store.transact() as tx:
            tx.forget_tokens(before=now)
            if not tx.use_token("holder-proof", proof.jti, expires_at=proof.expires_at):
                raise HolderProofError("used")
        return proof.holder


def _own(tx: Transactor, application_id: str, holder: Did) -> Application:
    """The holder's application, locked.

    Raises:
        ApplicationUnknownError: none of that id, or another holder's.
    """
    found = tx.lock_application(application_id)
    if found is None or found.holder != holder:
        raise ApplicationUnknownError
    return found
