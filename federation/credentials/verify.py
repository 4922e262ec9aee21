"""Verification in numbered steps: *verified*, *refused with the checks that failed*, or *cannot
tell yet*.

1. **Shape**: JSON without duplicate members, bounded; one of our types in its one written form,
   under our contexts in order.
2. **Time**: each credential is within its dates, no proof is from the future or past its own
   expiry.
3. **Proof**: each credential under a verification method of its issuer, the presentation under its
   holder's key.
4. **Issuer**: the registry pins the key for the date of receipt, it was not compromised then, and
   the issuer was accredited then for this type, for the nullifier families it names and the
   assurance it claims.
5. **Status**: the bit of each credential's status list is not set. Out of reach: cannot tell.
6. **Bindings**: every credential is bound to the key that presents.
7. **Challenge and audience**: the presentation answers this verifier's question.
8. **Policy**: what the verifier requires of the evidence.

Left to the caller: that the challenge was issued by it, not expired and not used before (a
transaction of its store), and that the trust snapshot is current (`TrustedSnapshotSet.current`).
`Verifier` is the only maker of `VerifiedPresentation` and `VerifiedCredential`, so a service that
takes one cannot have skipped a step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from federation.credentials.model import (
    Credential,
    EnvelopedCredential,
    Presentation,
    parse_enveloped,
    read_credential,
    read_presentation,
)
from federation.credentials.policy import Evidenced, Policy
from federation.credentials.sd_jwt_vc import TYP, SdJwtCredential, read_sd_jwt_vc
from federation.credentials.shape import ShapeError
from federation.credentials.status import (
    BitstringError,
    StatusLists,
    StatusSource,
    StatusUnreachableError,
)
from federation.credentials.token_status import SUSPENDED, VALID, token_status
from federation.credentials.typed import statements, verify_typed, verify_typed_presentation
from federation.credentials.types import COMPUTED, PREFERENCES
from federation.credentials.vc_jwt import verify_vc_jwt
from federation.did import DidError, Resolver
from federation.jose import JwsError
from federation.keys import MultikeyError, PublicKey, key_of_did_key
from federation.multibase import EncodingError, b64url_decode
from federation.proofs import Proof, ProofInvalidError
from federation.proofs.sd_jwt import (
    KeyBinding,
    SdJwt,
    SdJwtError,
    SdJwtMalformedError,
    verify_sd_jwt,
)
from federation.trust import (
    KeyNotTrustedError,
    PinnedKey,
    Role,
    TrustEntry,
    TrustError,
    TrustSnapshot,
    format_instant,
)
from federation.verification import (
    Check,
    Outcome,
    UnverifiableError,
    VerificationError,
    outcome_of,
)
from schemas.errors import JsonRefusedError, MobilityError
from schemas.evidence import AssuranceMethod
from schemas.ids import Did, digest, digest_text
from schemas.jsonld import parse_json

__all__ = ["VerifiedCredential", "VerifiedPresentation", "Verifier", "key_binding_of"]

_LEEWAY: Final = timedelta(seconds=60)
"""Clocks of two honest parties differ by less."""
_SEAL: Final = object()
_ASSURERS: Final[Mapping[AssuranceMethod, frozenset[Role]]] = {
    AssuranceMethod.SOURCE_TRIPS: frozenset({Role.OPERATOR, Role.TRACE_APP}),
    AssuranceMethod.SOURCE_AGGREGATE: frozenset({Role.OPERATOR, Role.TRACE_APP}),
    AssuranceMethod.VAULT_ATTESTED: frozenset({Role.HOME}),
    AssuranceMethod.SELF_DECLARED: frozenset({Role.HOME}),
}
"""Who may claim which assurance; a holder may always declare under their own key."""


@dataclass(frozen=True, slots=True)
class VerifiedCredential:
    """A credential every step of which passed."""

    id: str
    type: str
    issuer: Did
    issuer_name: str
    holder: str
    subject: Mapping[str, Any]
    valid_from: datetime
    valid_until: datetime | None
    document: Mapping[str, Any]
    verified_at: datetime
    checks: tuple[Check, ...]
    _seal: object = field(repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self._seal is not _SEAL:
            raise TypeError("only Verifier makes a VerifiedCredential")


@dataclass(frozen=True, slots=True)
class VerifiedPresentation:
    """A presentation every step of which passed."""

    id: str
    holder: Did
    credentials: tuple[VerifiedCredential, ...]
    challenge: str
    domain: str
    document: Mapping[str, Any]
    verified_at: datetime
    checks: tuple[Check, ...]
    _seal: object = field(repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self._seal is not _SEAL:
            raise TypeError("only Verifier makes a VerifiedPresentation")

    def of_type(self, credential_type: str) -> tuple[VerifiedCredential, ...]:
        """The credentials of this type, in the order presented."""
        return tuple(c for c in self.credentials if c.type == credential_type)

    def nullifier(self, family: str, version: str) -> tuple[str, Did] | None:
        """Value and issuer of the nullifier of a family, if one was disclosed."""
        for credential in self.credentials:
            for node in credential.subject.get("nullifiers", ()):
                if (node["family"], node["version"]) == (family, version):
                    return node["value"], credential.issuer
        return None


class _Report:
    """Checks as they are made."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def passed(self, step: int, code: str, **params: Any) -> None:
        self.checks.append(Check(step, code, Outcome.PASS, "", MappingProxyType(params)))

    def failed(self, step: int, code: str, detail: str = "", **params: Any) -> None:
        self.checks.append(Check(step, code, Outcome.FAIL, detail, MappingProxyType(params)))

    def unknown(self, step: int, code: str, detail: str = "", **params: Any) -> None:
        self.checks.append(Check(step, code, Outcome.CANNOT_TELL, detail, MappingProxyType(params)))

    def settle(self) -> tuple[Check, ...]:
        """The checks in step order, all passed.

        Raises:
            VerificationError, UnverifiableError.
        """
        self.checks.sort(key=lambda check: check.step)
        match outcome_of(self.checks):
            case Outcome.FAIL:
                raise VerificationError(self.checks)
            case Outcome.CANNOT_TELL:
                raise UnverifiableError(self.checks)
        return tuple(self.checks)


class Verifier:
    """Verifies presentations and credentials against one trust snapshot."""

    def __init__(self, *, trust: TrustSnapshot, resolver: Resolver, status: StatusSource) -> None:
        """`resolver` is asked for holders' `did:key` only; institutions' keys are those the
        snapshot pins."""
        self._trust, self._resolver = trust, resolver
        self._status, self._source = StatusLists(status, trust), status

    def verify(
        self,
        presentation: Mapping[str, Any] | bytes | str,
        policy: Policy,
        *,
        challenge: str,
        domain: str,
        at: datetime,
        received: Mapping[str, datetime] = MappingProxyType({}),
    ) -> VerifiedPresentation:
        """Run steps 1 to 8 on a presentation.

        `at` is now. `received` gives, for a credential id, the date at which a party we trust
        received it (deposit receipt, log, timestamp); without one, the key and the accreditation
        must hold now and the key must never have been compromised.

        Raises:
            VerificationError: at least one check failed; steps after a failed 1 or 3 are not run,
            for what they would read is not
                what was signed.
            UnverifiableError: none failed, at least one could not be made.
        """
        report = _Report()
        read = self._presented(report, presentation, challenge, domain, at, received)
        report.checks.extend(policy.check(Evidenced(read.credentials, self._trust, at)))  # (8)
        checks = report.settle()
        return VerifiedPresentation(
            id=read.id,
            holder=read.holder,
            credentials=tuple(self._verified(c, at, checks) for c in read.credentials),
            challenge=challenge,
            domain=domain,
            document=read.document,
            verified_at=at,
            checks=checks,
            _seal=_SEAL,
        )

    def verify_answer(
        self,
        presentation: Mapping[str, Any] | None,
        tokens: Sequence[str],
        policy: Policy,
        *,
        challenge: str,
        domain: str,
        at: datetime,
        presented_at: datetime | None = None,
        received: Mapping[str, datetime] = MappingProxyType({}),
    ) -> VerifiedPresentation:
        """Run steps 1 to 8 on a whole answer: one presentation (or none) and presented SD-JWT VCs,
        all bound to one holder key; the policy sees all of them at once.

        `presented_at` is when the answer arrived, for one that is verified again later: a key
        binding must have been made just before it.

        Raises:
            VerificationError, UnverifiableError: as `verify`. ValueError: an empty answer.
        """
        if presentation is None and not tokens:
            raise ValueError("nothing was presented")
        report = _Report()
        found: list[Credential | SdJwtCredential] = []
        holder: str | None = None
        identifier = ""
        document: Mapping[str, Any] = {}
        if presentation is not None:
            read = self._presented(report, presentation, challenge, domain, at, received)
            found.extend(read.credentials)
            holder, identifier, document = read.holder, read.id, read.document
        for text in tokens:
            token = self._token(
                report, text, challenge, domain, at, presented_at or at, received_at=None
            )
            holder = holder or token.holder
            identifier = identifier or token.id
            if token.holder != holder:  # (6)
                report.failed(6, "holder-mismatch", "bound to another key", type=token.type)
            found.append(token)
        report.checks.extend(policy.check(Evidenced(tuple(found), self._trust, at)))  # (8)
        checks = report.settle()
        return VerifiedPresentation(
            id=identifier,
            holder=Did(holder or ""),
            credentials=tuple(self._verified(c, at, checks) for c in found),
            challenge=challenge,
            domain=domain,
            document=document,
            verified_at=at,
            checks=checks,
            _seal=_SEAL,
        )

    def _presented(  # noqa: PLR0917 - what a presentation is judged by
        self,
        report: _Report,
        presentation: Mapping[str, Any] | bytes | str,
        challenge: str,
        domain: str,
        at: datetime,
        received: Mapping[str, datetime],
    ) -> Presentation:
        """Steps 1 to 7; raises where what follows would read what was not signed."""
        # (1)
        try:
            read = read_presentation(presentation)
        except ShapeError as error:
            report.failed(1, error.code_of, str(error), where=error.where)
            report.settle()
            raise
        report.passed(1, "shape", credentials=len(read.credentials))
        # (2)
        self._time(report, read.proof, at)
        for credential in read.credentials:
            self._validity(report, credential, at)
        # (3)
        stated = [self._statements(report, credential) for credential in read.credentials]
        self._holder_proof(report, read, [lines for lines in stated if lines is not None])
        for credential, lines in zip(read.credentials, stated, strict=True):
            if lines is not None:
                self._issuer_proof(report, credential, lines)
        if any(check.step > 2 and check.outcome is Outcome.FAIL for check in report.checks):
            report.settle()
        # (4)
        for credential in read.credentials:
            self._issuer(report, credential, read.holder, received.get(credential.id), at)
        # (5)
        for credential in read.credentials:
            self._check_status(report, credential, at)
        # (6)
        self._bindings(report, read)
        # (7)
        self._answers(report, read.proof, challenge, domain)
        return read

    def verify_credential(
        self,
        credential: Mapping[str, Any] | bytes | str,
        policy: Policy,
        *,
        at: datetime,
        received_at: datetime | None = None,
    ) -> VerifiedCredential:
        """Run steps 1 to 5 and 8 on one credential; who presents it and to whom is not asked.

        Raises:
            VerificationError, UnverifiableError: as `verify`.
        """
        report = _Report()
        # (1)
        try:
            read = read_credential(credential)
        except ShapeError as error:
            report.failed(1, error.code_of, str(error), where=error.where)
            report.settle()
            raise
        report.passed(1, "shape", credentials=1)
        self._validity(report, read, at)  # (2)
        lines = self._statements(report, read)  # (3)
        if lines is not None:
            self._issuer_proof(report, read, lines)
        if any(check.step > 2 and check.outcome is Outcome.FAIL for check in report.checks):
            report.settle()
        self._issuer(report, read, Did(read.holder), received_at, at)  # (4)
        self._check_status(report, read, at)  # (5)
        report.checks.extend(policy.check(Evidenced((read,), self._trust, at)))  # (8)
        return self._verified(read, at, report.settle())

    def verify_sd_jwt(
        self,
        text: str,
        policy: Policy,
        *,
        nonce: str,
        audience: str,
        at: datetime,
        received_at: datetime | None = None,
    ) -> VerifiedCredential:
        """Run steps 1 to 8 on a presented SD-JWT VC: its key binding answers `nonce` for
        `audience`. `subject` of the result holds what was disclosed and nothing else.

        Raises:
            VerificationError, UnverifiableError: as `verify`.
        """
        report = _Report()
        read = self._token(report, text, nonce, audience, at, at, received_at=received_at)
        report.checks.extend(policy.check(Evidenced((read,), self._trust, at)))  # (8)
        return self._verified(read, at, report.settle())

    def verify_issued_sd_jwt(
        self,
        text: str,
        policy: Policy,
        *,
        at: datetime,
        received_at: datetime | None = None,
        bound_to: KeyBinding | None = None,
    ) -> VerifiedCredential:
        """Run steps 1 to 5 and 8 on an SD-JWT VC as its issuer handed it over, before anybody
        presented it; or as it lies in a file, `bound_to` being what its key binding itself names
        (`key_binding_of`): the holder's signature is then checked too (step 6).

        Raises:
            VerificationError, UnverifiableError: as `verify`.
        """
        report = _Report()
        nonce, audience, presented_at = (
            (None, "", at) if bound_to is None else (bound_to.nonce, bound_to.audience, bound_to.at)
        )
        read = self._token(report, text, nonce, audience, at, presented_at, received_at=received_at)
        report.checks.extend(policy.check(Evidenced((read,), self._trust, at)))  # (8)
        return self._verified(read, at, report.settle())

    def _token(  # noqa: PLR0917 - what a token is judged by
        self,
        report: _Report,
        text: str,
        nonce: str | None,
        audience: str,
        at: datetime,
        presented_at: datetime,
        *,
        received_at: datetime | None,
    ) -> SdJwtCredential:
        """Steps 1 to 7 on one SD-JWT VC; without a nonce nothing was presented: 1 to 5."""
        binding = None if nonce is None else KeyBinding(nonce, audience, presented_at)
        before = len(report.checks)
        # (1) parts; (3) issuer's signature; (6), (7) key binding, in the order RFC 9901 §7.3 needs
        try:
            parsed = SdJwt.parse(text)
            verified = verify_sd_jwt(parsed, self._sd_jwt_key, typ=TYP, binding=binding)
        except SdJwtMalformedError as error:
            report.failed(1, error.code, str(error))
        except SdJwtError as error:
            step, code = _SD_JWT_CODES[error.reason]
            report.failed(step, code, str(error), document="credential")
        except TrustError as error:  # no key to check with: that is step 4's to say
            report.failed(4, error.code, str(error))
        except (JwsError, MultikeyError) as error:
            report.failed(3, "issuer-key-mismatch", str(error))
        if len(report.checks) > before:
            report.settle()
        # (1) claims
        method = str(verified.header.get("kid"))
        try:
            read = read_sd_jwt_vc(verified, identifier=_name_of(parsed))
            if read.issuer != method.partition("#")[0]:
                raise ShapeError("issuer-key-mismatch", "/iss", "not the issuer's key")
        except ShapeError as error:
            report.failed(1, error.code_of, str(error), where=error.where)
            report.settle()
            raise
        except BitstringError as error:
            report.failed(1, "shape-invalid", str(error), where="/status")
            report.settle()
            raise
        self._signed(report, read, method, received_at, at)  # (2), (4)
        self._token_status(report, read, at)  # (5)
        if binding is not None:
            report.passed(6, "holder", credentials=1)
            report.passed(7, "audience", domain=audience)
        return read

    def verify_vc_jwt(
        self,
        token: str,
        policy: Policy,
        *,
        at: datetime,
        received_at: datetime | None = None,
    ) -> VerifiedCredential:
        """Run steps 1 to 5 and 8 on a VC-JWT of one of our types, in the same written form as our
        own credentials but for the proof, which is the JWT's.

        Raises:
            VerificationError, UnverifiableError: as `verify`.
        """
        report = _Report()
        method = ""

        def key_of(header: Mapping[str, Any]) -> PublicKey:
            nonlocal method
            method = str(header.get("kid"))
            return self._sd_jwt_key(header)

        try:  # (1) JWS, (2) dates, (3) signature
            claims = verify_vc_jwt(token, key_of, at=at)
        except VerificationError as error:
            report.checks.extend(error.checks)
        except TrustError as error:  # no key to check with: that is step 4's to say
            report.failed(4, error.code, str(error))
        except (JwsError, MultikeyError) as error:
            report.failed(3, "issuer-key-mismatch", str(error))
        if report.checks:
            report.settle()
        try:
            read = parse_enveloped(claims)
        except ShapeError as error:
            report.failed(1, error.code_of, str(error), where=error.where)
            report.settle()
            raise
        self._signed(report, read, method, received_at, at)  # (2), (4)
        self._check_status(report, read, at)  # (5)
        report.checks.extend(policy.check(Evidenced((read,), self._trust, at)))  # (8)
        return self._verified(read, at, report.settle())

    def _signed(
        self,
        report: _Report,
        read: EnvelopedCredential | SdJwtCredential,
        method: str,
        received_at: datetime | None,
        at: datetime,
    ) -> None:
        """Shape and signature hold: dates, then whether the issuer may sign this type."""
        report.passed(1, "shape", credentials=1)
        report.passed(3, "proof", document="credential", type=read.type, issuer=read.issuer)
        self._dates(report, read.type, read.valid_from, read.valid_until, at)
        self._accredited(
            report, read.type, read.issuer, read.subject, method, read.valid_from, received_at, at
        )

    def _sd_jwt_key(self, header: Mapping[str, Any]) -> PublicKey:
        method = header.get("kid")
        if not isinstance(method, str):
            raise KeyNotTrustedError("the credential names no key")
        if self._trust.entry(method.partition("#")[0]) is None:
            raise _IssuerUnknownError("the registry does not list this issuer")
        found = self._trust.pinned(method)
        if found is None:
            raise KeyNotTrustedError("the registry does not pin this key")
        return found[1].public()

    def _token_status(self, report: _Report, read: SdJwtCredential, at: datetime) -> None:
        params = {"type": read.type}
        if read.status is None:
            report.passed(5, "status-none", **params)
            return
        try:
            found = token_status(
                read.status, read.issuer, source=self._source, trust=self._trust, at=at
            )
        except StatusUnreachableError as error:
            report.unknown(5, "status-unreachable", str(error), **params)
            return
        if found == VALID:
            report.passed(5, "status", **params)
        else:
            code = "status-suspended" if found == SUSPENDED else "status-revoked"
            report.failed(5, code, **params)

    # (2)

    def _validity(self, report: _Report, credential: Credential, at: datetime) -> None:
        self._dates(report, credential.type, credential.valid_from, credential.valid_until, at)
        self._time(report, credential.proof, at, type=credential.type)

    @staticmethod
    def _dates(
        report: _Report,
        credential_type: str,
        valid_from: datetime,
        valid_until: datetime | None,
        at: datetime,
    ) -> None:
        params = {"type": credential_type}
        if valid_from > at + _LEEWAY:
            report.failed(2, "not-yet-valid", **params, valid_from=format_instant(valid_from))
        elif valid_until is not None and at >= valid_until:
            report.failed(2, "expired", **params, valid_until=format_instant(valid_until))
        else:
            report.passed(2, "dates", **params)

    @staticmethod
    def _time(report: _Report, proof: Proof, at: datetime, **params: Any) -> None:
        if proof.created is not None and proof.created > at + _LEEWAY:
            report.failed(2, "proof-from-future", **params)
        if proof.expires is not None and at >= proof.expires:
            report.failed(2, "proof-expired", **params)

    # (3)

    @staticmethod
    def _statements(report: _Report, credential: Credential) -> list[str] | None:
        try:
            return statements(credential)
        except MobilityError as error:
            report.failed(3, error.code, str(error), type=credential.type)
            return None

    def _holder_proof(
        self, report: _Report, read: Presentation, stated: Sequence[Sequence[str]]
    ) -> None:
        if len(stated) != len(read.credentials):
            return  # a credential could not be stated: its check says so
        try:
            if read.proof.purpose != "authentication":
                raise ProofInvalidError("not made to authenticate", reason_code="proof-purpose")
            if read.proof.verification_method.partition("#")[0] != read.holder:
                raise ProofInvalidError("not by the holder's key", reason_code="holder-mismatch")
            if not read.holder.startswith("did:key:"):
                raise ProofInvalidError("holders are did:key", reason_code="holder-mismatch")
            document = self._resolver.resolve(read.holder)
            key = document.key(read.proof.verification_method, "authentication")
            verify_typed_presentation(read, key, stated)
        except (ProofInvalidError, DidError, MultikeyError) as error:
            report.failed(3, _code_of(error), str(error), document="presentation")
        else:
            report.passed(3, "proof", document="presentation", cryptosuite=read.proof.suite.name)

    def _issuer_proof(self, report: _Report, credential: Credential, lines: Sequence[str]) -> None:
        params = {"document": "credential", "type": credential.type, "issuer": credential.issuer}
        try:
            if credential.proof.purpose != "assertionMethod":
                raise ProofInvalidError("not made to assert", reason_code="proof-purpose")
            if credential.proof.verification_method.partition("#")[0] != credential.issuer:
                raise ProofInvalidError(
                    "not by the issuer's key", reason_code="issuer-key-mismatch"
                )
            key = self._issuer_key(credential)
            verify_typed(credential, key, lines)
        except TrustError as error:  # no key to check with: that is step 4's to say
            report.failed(4, error.code, str(error), **params)
        except (ProofInvalidError, MultikeyError) as error:
            report.failed(3, _code_of(error), str(error), **params)
        else:
            report.passed(3, "proof", **params, cryptosuite=credential.proof.suite.name)

    def _issuer_key(self, credential: Credential) -> PublicKey:
        """The key, whatever its dates (step 4 judges them)."""
        if credential.issuer.startswith("did:key:"):
            return key_of_did_key(credential.proof.verification_method)
        return self._pinned(credential)[1].public()

    def _pinned(self, credential: Credential) -> tuple[TrustEntry, PinnedKey]:
        if self._trust.entry(credential.issuer) is None:
            raise _IssuerUnknownError("the registry does not list this issuer")
        found = self._trust.pinned(credential.proof.verification_method)
        if found is None:
            raise KeyNotTrustedError("the registry does not pin this key")
        return found

    # (4)

    def _issuer(
        self,
        report: _Report,
        credential: Credential,
        holder: Did,
        received_at: datetime | None,
        at: datetime,
    ) -> None:
        if credential.issuer.startswith("did:key:"):
            params = {"type": credential.type, "issuer": credential.issuer}
            self._self_declared(report, credential, holder, params)
            return
        self._accredited(
            report,
            credential.type,
            credential.issuer,
            credential.subject,
            credential.proof.verification_method,
            credential.proof.created or at,
            received_at,
            at,
        )

    def _accredited(  # noqa: PLR0917 - what step 4 judges, of either format
        self,
        report: _Report,
        credential_type: str,
        issuer: Did,
        subject: Mapping[str, Any],
        method: str,
        created: datetime,
        received_at: datetime | None,
        at: datetime,
    ) -> None:
        params: dict[str, Any] = {"type": credential_type, "issuer": issuer}
        found = self._trust.pinned(method)
        if found is None:
            report.failed(
                4, KeyNotTrustedError.code, "the registry does not pin this key", **params
            )
            return
        entry = found[0]
        params["name"] = entry.name
        # With a receipt its date counts; without, the key's rotation is judged at the proof's own
        # date (rotating is no distrust), compromise and accreditation at the strictest.
        date = received_at or at
        try:
            self._trust.key(
                method, received_at or min(created, at), received=received_at is not None
            )
        except TrustError as error:
            report.failed(4, error.code, str(error), **params)
            return
        if not self._trust.may_issue(issuer, credential_type, date):
            report.failed(4, "issuer-not-accredited", **params, date=format_instant(date))
            return
        for node in subject.get("nullifiers", ()):
            if node["family"] not in entry.nullifier_families:
                report.failed(4, "family-not-accredited", **params, family=node["family"])
                return
        if credential_type == "UsageProof":
            claimed = subject.get("assuranceMethod")
            if claimed is None or not entry.roles & _ASSURERS[AssuranceMethod(claimed)]:
                report.failed(4, "assurance-not-allowed", **params, method=claimed or "")
                return
        if credential_type in COMPUTED:
            claimed = subject.get("assuranceMethod")
            homes = _ASSURERS[AssuranceMethod.VAULT_ATTESTED]
            attested = claimed == AssuranceMethod.VAULT_ATTESTED and entry.roles & homes
            if not (attested or (claimed is None and entry.roles - homes)):
                report.failed(4, "assurance-not-allowed", **params, method=claimed or "")
                return
        report.passed(4, "issuer", **params, date=format_instant(date))

    @staticmethod
    def _self_declared(
        report: _Report, credential: Credential, holder: Did, params: Mapping[str, Any]
    ) -> None:
        if credential.issuer == holder and credential.type in PREFERENCES:
            report.passed(4, "issuer-self", **params)
            return
        if credential.issuer != holder or credential.type not in {"UsageProof", *COMPUTED}:
            report.failed(4, "issuer-unknown", **params)
            return
        claimed = credential.subject.get("assuranceMethod")
        if claimed != AssuranceMethod.SELF_DECLARED:
            report.failed(4, "assurance-not-allowed", **params, method=claimed or "")
        else:
            report.passed(4, "issuer-self", **params)

    # (5)

    def _check_status(
        self, report: _Report, credential: Credential | EnvelopedCredential, at: datetime
    ) -> None:
        params = {"type": credential.type}
        if not credential.statuses:
            report.passed(5, "status-none", **params)
            return
        is_good = True
        for entry in credential.statuses:
            try:
                bit = self._status.is_set(entry, credential.issuer, at=at)
            except StatusUnreachableError as error:
                report.unknown(5, "status-unreachable", str(error), **params)
                is_good = False
                continue
            if bit:
                code = "status-revoked" if entry.purpose == "revocation" else "status-suspended"
                report.failed(5, code, **params)
                is_good = False
        if is_good:
            report.passed(5, "status", **params)

    # (6)

    @staticmethod
    def _bindings(report: _Report, read: Presentation) -> None:
        strangers = [c.type for c in read.credentials if c.holder != read.holder]
        if strangers:
            for credential_type in strangers:
                report.failed(6, "holder-mismatch", "bound to another key", type=credential_type)
        else:
            report.passed(6, "holder", credentials=len(read.credentials))

    # (7)

    @staticmethod
    def _answers(report: _Report, proof: Proof, challenge: str, domain: str) -> None:
        if proof.challenge != challenge:
            report.failed(7, "challenge-mismatch", "answers another question")
        if proof.domain != domain:
            report.failed(7, "wrong-audience", "made for another verifier")
        if proof.challenge == challenge and proof.domain == domain:
            report.passed(7, "audience", domain=domain)

    def _verified(
        self,
        credential: Credential | EnvelopedCredential | SdJwtCredential,
        at: datetime,
        checks: Sequence[Check],
    ) -> VerifiedCredential:
        entry = self._trust.entry(credential.issuer)
        return VerifiedCredential(
            id=credential.id,
            type=credential.type,
            issuer=credential.issuer,
            issuer_name=entry.name if entry else "",
            holder=credential.holder,
            subject=credential.subject,
            valid_from=credential.valid_from,
            valid_until=credential.valid_until,
            document={"format": TYP, "claims": dict(credential.claims)}
            if isinstance(credential, SdJwtCredential)
            else credential.document,
            verified_at=at,
            checks=tuple(checks),
            _seal=_SEAL,
        )


_SD_JWT_CODES: Final[Mapping[str, tuple[int, str]]] = {
    "signature": (3, "proof-invalid"),
    "foreign-disclosure": (3, "foreign-disclosure"),
    "duplicate-digest": (3, "foreign-disclosure"),
    "key-binding": (6, "key-binding"),
    "holder-mismatch": (6, "holder-mismatch"),
    "wrong-audience": (7, "wrong-audience"),
    "challenge-mismatch": (7, "challenge-mismatch"),
}
"""Reasons of `SdJwtError` → step and code of the check."""


def key_binding_of(text: str) -> KeyBinding | None:
    """What the key binding of an SD-JWT says of itself, nothing verified; None where there is none,
    or none that can be read.

    Raises:
        SdJwtMalformedError: not an SD-JWT.
    """
    token = SdJwt.parse(text).key_binding
    if token is None:
        return None
    try:
        claims = parse_json(b64url_decode(token.split(".")[1]), max_bytes=10_000, max_depth=8)
        nonce, audience, made = claims["nonce"], claims["aud"], claims["iat"]
        if isinstance(nonce, str) and isinstance(audience, str) and type(made) is int:
            return KeyBinding(nonce, audience, datetime.fromtimestamp(made, UTC))
    except (EncodingError, JsonRefusedError, LookupError, TypeError, ValueError, OSError):
        pass
    return KeyBinding("", "", datetime.fromtimestamp(0, UTC))


def _name_of(parsed: SdJwt) -> str:
    """An SD-JWT VC has no id of its own: the digest of the issuer's JWT names it."""
    return digest_text(digest(parsed.jwt.encode("ascii")))


class _IssuerUnknownError(TrustError):
    code = "issuer-unknown"


def _code_of(error: MobilityError) -> str:
    return error.reason_code if isinstance(error, ProofInvalidError) else error.code
