"""The hub as its callers see it: one small port, two implementations with the same tests.

`LocalHub` (federation.hub.local) calls the service in this process; `HttpHub`
(federation.client) speaks to a hub over HTTP. `tests/conformance/test_hub.py` runs on both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from schemas.ids import Did, Iri

__all__ = [
    "AcknowledgementView",
    "ApplicationView",
    "AuditView",
    "CheckView",
    "DocumentEnvelope",
    "HistoryView",
    "Hub",
    "RequestPointer",
    "ResponseReceipt",
    "SignedCatalogue",
    "Witness",
    "WitnessView",
]


@dataclass(frozen=True, slots=True)
class SignedCatalogue:
    """The aid catalogue as the hub signed it.

    `content` is the UTF-8 JSON document with a Data Integrity proof; whoever uses it checks the
    proof against the hub's key in the trust registry (`federation.aids.catalogue.open_catalogue`).
    `version` is the strong ETag to send back as `if_version`.
    """

    content: bytes
    version: str


@dataclass(frozen=True, slots=True)
class RequestPointer:
    """Where the signed request object of one application waits (OpenID4VP by reference)."""

    client_id: str
    """`decentralized_identifier:did:web:…` of the funder that asks."""
    request_uri: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class DocumentEnvelope:
    """A document sealed to the funder's key. The hub stores `sealed` and cannot open it."""

    name: str
    media_type: str
    key_id: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class CheckView:
    """One verification step in words."""

    step: int
    code: str
    outcome: str
    """`pass`, `fail` or `cannot-tell`."""
    detail: str
    words: Mapping[str, str] = field(default_factory=dict)
    """The same in `fr` and `en`, for a person."""


@dataclass(frozen=True, slots=True)
class ResponseReceipt:
    """What `direct_post` answers. The same bytes get the same receipt again.

    `state` is the application's state when the answer was stored; `checks` are those of the
    verification that let the package in.
    """

    redirect_uri: str
    response_code: str
    application: Iri
    state: str
    checks: tuple[CheckView, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryView:
    """One transition as the citizen may read it."""

    state: str
    at: datetime
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class AcknowledgementView:
    """What the law wants the citizen told at receipt (CRPA, L. 112-3 and R. 112-5)."""

    received_at: datetime
    service: str
    """Service in charge."""
    contact: str
    due_at: datetime
    """When an answer is due; moved on while the clock stands."""
    stopped_at: datetime | None
    """Since when the clock stands: information was asked for."""
    silence: Mapping[str, str]
    """What silence past `due_at` means, in `fr` and `en`."""


@dataclass(frozen=True, slots=True)
class AuditView:
    """A check by sample that the funder asked for (`federation/audit.py`)."""

    nonce: str
    positions: tuple[int, ...]
    """The leaves to open, from 0."""
    size: int
    """Leaves of the tree."""
    state: str
    """`asked`, `verified`, `withdrawn`, `declined` or `failed`."""
    asked_at: datetime
    checks: tuple[CheckView, ...] = ()


@dataclass(frozen=True, slots=True)
class ApplicationView:
    """An application as its holder sees it. Amounts in cents; texts keyed `fr`, `en`."""

    id: Iri
    aid: Iri
    funder: Did
    funder_name: str
    state: str
    amount_cents: int | None
    reasons: tuple[Mapping[str, str], ...]
    checks: tuple[CheckView, ...]
    explanation: Mapping[str, Any]
    history: tuple[HistoryView, ...]
    remedies: Mapping[str, str]
    mention: Mapping[str, str]
    """Mention of CRPA L. 311-3-1 where the decision was automatic; empty otherwise."""
    message: str = ""
    """What the officer asks for, while the state is `needs-information`."""
    award: Mapping[str, Any] | None = None
    """The signed AwardCredential, once accepted."""
    receipt: AcknowledgementView | None = None
    """None where the rule decided at once: there was nothing to wait for."""
    audit: AuditView | None = None
    """The check by sample the funder asked for, if any."""
    declared: tuple[CheckView, ...] = ()
    """What the aid says it checks, in its order, as it stands now."""
    register: str = "none"
    """Its place in the register of decisions: `none` (older than it), `waiting` (a minute at most),
    `timestamp-pending` or `complete`."""


class Hub(Protocol):
    """A hub, near or far. All methods raise `HubClientError` (see `federation.errors`)."""

    def catalogue(self, *, if_version: str | None = None) -> SignedCatalogue | None:
        """The signed catalogue, or None when `if_version` is still the current one."""
        ...

    def reserved(self, *, if_version: str | None = None) -> SignedCatalogue | None:
        """The file of all reserved aids, sealed circle by circle (`federation.aids.reserved`), or
        None when `if_version` is still the current one. Who may read what is not asked."""
        ...

    def trust(self) -> bytes:
        """The signed trust snapshot, as `TrustedSnapshotSet.update` takes it."""
        ...

    def offers(self, *, if_version: str | None = None) -> SignedCatalogue | None:
        """Every operator's offer in force, as `{"offers": [card, …]}`, each card signed by its
        operator (`federation.offers.read_card`); None when `if_version` is still it."""
        ...

    def services(self) -> tuple[str, ...]:
        """The announcements of services in force, each as its member signed it
        (`federation.profiles.read_service`)."""
        ...

    def request(
        self, aid: Iri, application: Iri, *, period: tuple[date, date], holder: Did | None = None
    ) -> RequestPointer:
        """Open (or open again) the signed presentation request of one application.

        The vault minted `application`. Asking again with a new nonce keeps it; `period` is
        inclusive at both ends.

        Raises:
            HubRefusedError: `unknown-aid`, `period-refused`, `application-closed`,
                `application-mismatch` (that id is another aid's).
        """
        ...

    def request_object(self, request_uri: str, *, wallet_nonce: str | None = None) -> str:
        """The signed request object (JWT, `oauth-authz-req+jwt`) waiting at `request_uri`; with
        `wallet_nonce` one that says it back, so that it is known to be of now."""
        ...

    def respond(self, response_uri: str, form: Mapping[str, str]) -> ResponseReceipt:
        """Deliver a proof package: the form of `federation.openid4vp.build_response`, which any
        wallet of OpenID4VP could post. Safe to send again: same package, same receipt.

        Raises:
            HubRefusedError: with `hub_code` in challenge-used, challenge-mismatch,
                wrong-audience, challenge-expired, proof-invalid, holder-mismatch,
                already-awarded, …; `extensions["checks"]` lists the steps.
        """
        ...

    def application(self, application: Iri, *, proof_jwt: str) -> ApplicationView:
        """State of one application, for the holder key that presented it.

        `proof_jwt`: see `federation.hub.holder_proof.sign_status_proof`.
        """
        ...

    def steps(self, application: Iri, *, watch_jwt: str) -> int:
        """How many steps an application has, its check by sample among them: that there is news,
        not which.

        `watch_jwt`: see `federation.hub.holder_proof.sign_watch_proof`.
        """
        ...

    def evidence(self, application: Iri, *, proof_jwt: str) -> bytes:
        """What shows a decision to a third party, as one ZIP (`federation.decision_log.Evidence`).

        Raises:
            HubRefusedError: `log-unknown`: decided before the hub kept a register.
        """
        ...

    def withdraw(self, application: Iri, *, proof_jwt: str) -> ApplicationView:
        """Withdraw before a decision; the nullifier reservation is released."""
        ...

    def end_sendings(self, application: Iri, *, proof_jwt: str) -> ApplicationView:
        """Tell the funder that no more proofs follow under the standing consent this application
        belongs to. Twice is once."""
        ...

    def answer(self, application: Iri, *, proof_jwt: str, text: str) -> ApplicationView:
        """Answer a request for information in words.

        Raises:
            HubRefusedError: `decision-refused`: nothing was asked.
        """
        ...

    def appeal(self, application: Iri, *, proof_jwt: str, reason: str) -> ApplicationView:
        """Contest a refusal; a person decides it again.

        Raises:
            HubRefusedError: `decision-refused`: there is no refusal.
        """
        ...

    def document_key(self, funder: Did) -> str:
        """The key that documents for a funder are sealed to, as a JWS of that funder.

        Raises:
            HubRefusedError: `key-unknown`: the funder published none.
        """
        ...

    def attach(
        self, application: Iri, *, proof_jwt: str, document: DocumentEnvelope
    ) -> ApplicationView:
        """Join a document, sealed to the funder's key.

        Raises:
            HubRefusedError: `document-refused`.
        """
        ...

    def declare(
        self, application: Iri, *, proof_jwt: str, answers: Mapping[str, str]
    ) -> ApplicationView:
        """Declare on one's honour the answers the aid asks for. The same again is the same.

        Raises:
            HubRefusedError: `declaration-refused`, `application-closed`.
        """
        ...

    def no_prior_aid_nonce(self) -> str:
        """A nonce for one presentation to this hub, to ask `no_prior_aid` with."""
        ...

    def no_prior_aid(
        self,
        family: str,
        version: int,
        *,
        period: tuple[date, date],
        nonce: str,
        presentation: Mapping[str, Any] | None = None,
        token: str | None = None,
        application: Iri | None = None,
    ) -> Mapping[str, Any]:
        """The hub's word that nobody holds the family's nullifier on a day of `period` just now,
        as a credential for the key that presents: the affiliation in `presentation`, or the
        identity SD-JWT as `token`. What `application` (of the same key) holds does not count.

        Raises:
            HubRefusedError: `already-awarded` (by whom is not said), `family-unknown`,
                `period-refused`, `challenge-expired`, and what fails to verify.
        """
        ...

    def answer_audit(
        self, application: Iri, *, proof_jwt: str, answer: str | None
    ) -> ApplicationView:
        """Open the leaves the funder's check by sample names; None declines. Safe to send again.

        Raises:
            HubRefusedError: `audit-refused`, `audit-invalid`.
        """
        ...

    def verify_public(self, document: Mapping[str, Any]) -> tuple[CheckView, ...]:
        """Verify any credential or presentation: signature, issuer, status."""
        ...


@dataclass(frozen=True, slots=True)
class WitnessView:
    """The last thing a witness was given under one identifier."""

    seq: int
    commitment: bytes
    """32 bytes: a salted hash, which tells the witness nothing."""


class Witness(Protocol):
    """Remembers, outside a home's store, how far a vault had come. A hub offers it; any will do.

    `identifier` is 64 hex digits, SHA-256 of a 32-byte secret that only the writer shows: reading
    needs the identifier, writing the secret. Methods raise `HubClientError`.
    """

    def witnessed(self, identifier: str) -> WitnessView | None:
        """What was last given; None when nothing ever was."""
        ...

    def bear_witness(
        self, secret: bytes, *, seq: int, commitment: bytes, restored: bool = False
    ) -> WitnessView:
        """Append. The same again is the same; `restored` may go back, on purpose and in writing.

        Raises:
            HubRefusedError: `witness-not-newer`: something newer, or something else under this
                number, was given before.
        """
        ...
