"""Checks by sample: a funder asks for a few leaves of the evidence behind one application of its
own, the citizen answers or declines, the hub checks. Once an application; `federation/audit.py`.
"""

import dataclasses
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from federation.audit import MAX_LEAVES, check_answer, positions, read_answer
from federation.hub.errors import ApplicationUnknownError, AuditRefusedError
from federation.hub.model import Application, Audit, AuditState, Package
from federation.hub.publishing import PublishingService
from federation.hub.registry import RegistryService
from federation.hub.settings import HubSettings
from federation.hub.store import HubStore
from federation.hub.verifying import check_views
from federation.ports import AuditView
from federation.usage import USAGE
from federation.verification import Outcome, outcome_of
from schemas.evidence import AssuranceMethod
from schemas.ids import Did, Digest, parse_digest
from schemas.records import ApplicationState

__all__ = ["AuditService"]

_STATES: Mapping[Outcome, AuditState] = {
    Outcome.PASS: AuditState.VERIFIED,
    Outcome.FAIL: AuditState.FAILED,
    Outcome.CANNOT_TELL: AuditState.WITHDRAWN,
}


@dataclasses.dataclass(frozen=True, slots=True)
class _Proof:
    """What an audit needs of the usage proof that was presented."""

    issuer: str
    root: Digest
    size: int


class AuditService:
    """Asks, shows and checks. Who asks and who answers was established by the caller."""

    def __init__(
        self,
        settings: HubSettings,
        store: HubStore,
        publishing: PublishingService,
        registry: RegistryService,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._store = store
        self._publishing = publishing
        self._registry = registry
        self._clock = clock

    def ask(self, application_id: str, *, funder: Did, officer: str, leaves: int) -> AuditView:
        """Ask for `leaves` leaves of an application of this funder.

        Raises:
            ApplicationUnknownError: none of this funder's.
            AuditRefusedError: `not-attested` (nothing to open), `withdrawn`, `asked-before`,
            `leaves` (not 1 to 20).
        """
        if not 0 < leaves <= MAX_LEAVES:
            raise AuditRefusedError("leaves")
        with self._store.transact() as tx:
            found = tx.lock_application(application_id)
            if found is None or found.funder != funder:
                raise ApplicationUnknownError
            package = None if found.package is None else tx.package(found.package)
            proof = _proof_of(package)
            if proof is None or proof.size == 0:
                raise AuditRefusedError("not-attested")
            if found.state is ApplicationState.WITHDRAWN:
                raise AuditRefusedError("withdrawn")
            if tx.audit(application_id) is not None:
                raise AuditRefusedError("asked-before")
            audit = Audit(
                application=found.id,
                funder=funder,
                nonce=secrets.token_urlsafe(32),
                leaves=min(leaves, proof.size),
                state=AuditState.ASKED,
                asked_by=officer,
                asked_at=self._clock(),
            )
            tx.put_audit(audit)
        return _view(audit, proof)

    def is_possible(self, application: Application) -> bool:
        """Whether the application rests on a proof that can be sampled."""
        with self._store.read() as reader:
            package = None if application.package is None else reader.package(application.package)
        return _proof_of(package) is not None

    def view(self, application: Application) -> AuditView | None:
        """The audit of an application, for its holder or the desk."""
        with self._store.read() as reader:
            audit = reader.audit(application.id)
            package = None if application.package is None else reader.package(application.package)
        proof = _proof_of(package)
        return None if audit is None or proof is None else _view(audit, proof)

    def answer(self, application: Application, answer: str | None) -> AuditView:
        """Take the holder's answer; None declines. An audit that was answered stays as it is.

        Raises:
            AuditRefusedError: `not-asked`. AuditError: not an answer to this audit.
            TrustError: signed by a key the registry does not pin.
        """
        aid = self._publishing.aid(application.aid)
        snapshot = self._registry.current()
        now = self._clock()
        with self._store.transact() as tx:
            tx.lock_application(application.id)
            audit = tx.audit(application.id)
            package = None if application.package is None else tx.package(application.package)
            proof = _proof_of(package)
            if audit is None or proof is None or aid.proof is None:
                raise AuditRefusedError("not-asked")
            if audit.state is not AuditState.ASKED:
                return _view(audit, proof)
            checks: tuple[Mapping[str, Any], ...] = ()
            state = AuditState.DECLINED
            if answer is not None:
                read = read_answer(
                    answer,
                    lambda method: snapshot.key(method, now),
                    application=application.id,
                    nonce=audit.nonce,
                    audience=self._settings.did,
                )
                if read.issuer != proof.issuer:
                    raise AuditRefusedError("another-attester")
                made = check_answer(
                    read,
                    aid.proof,
                    root=proof.root,
                    size=proof.size,
                    wanted=_wanted(audit, proof),
                    period=application.period,
                )
                state = _STATES[outcome_of(made)]
                checks = tuple(check.to_json() for check in made)
            answered = dataclasses.replace(audit, state=state, answered_at=now, checks=checks)
            tx.put_audit(answered)
        return _view(answered, proof)


def _proof_of(package: Package | None) -> _Proof | None:
    """The attested usage proof in a verified package."""
    if package is None:
        return None
    for presentations in package.vp_token.values():
        for presentation in presentations:
            if isinstance(presentation, str):
                continue
            for credential in presentation.get("verifiableCredential", ()):
                subject = credential["credentialSubject"]
                if (
                    USAGE in credential["type"]
                    and subject.get("assuranceMethod") == AssuranceMethod.VAULT_ATTESTED.value
                    and "evidenceRoot" in subject
                ):
                    return _Proof(
                        str(credential["issuer"]),
                        parse_digest(subject["evidenceRoot"]),
                        int(subject["treeSize"]),
                    )
    return None


def _wanted(audit: Audit, proof: _Proof) -> tuple[int, ...]:
    return positions(proof.root, audit.nonce, size=proof.size, count=audit.leaves)


def _view(audit: Audit, proof: _Proof) -> AuditView:
    return AuditView(
        nonce=audit.nonce,
        positions=_wanted(audit, proof),
        size=proof.size,
        state=audit.state.value,
        asked_at=audit.asked_at,
        checks=check_views(audit.checks),
    )
