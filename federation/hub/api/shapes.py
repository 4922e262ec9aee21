"""JSON shapes of the hub's HTTP interface: the server writes them, `HttpHub` reads them."""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic.alias_generators import to_camel

from federation.ports import (
    AcknowledgementView,
    ApplicationView,
    AuditView,
    CheckView,
    DocumentEnvelope,
    HistoryView,
    RequestPointer,
    ResponseReceipt,
    WitnessView,
)
from federation.trust import format_instant, parse_instant
from schemas.ids import Did, Iri

if TYPE_CHECKING:  # a client of a hub reads these shapes too
    from federation.hub.members import Member
    from federation.hub.model import Application

__all__ = [
    "AnswerBody",
    "AppealBody",
    "AssignBody",
    "AttachBody",
    "AuditBody",
    "DecisionBody",
    "DeclarationBody",
    "DocumentBody",
    "HolderBody",
    "InformationBody",
    "PasskeyBody",
    "PublicKeyBody",
    "RequestBody",
    "SignInBody",
    "VcDeriveBody",
    "VcIssueBody",
    "VcPresentationBody",
    "VcVerifyBody",
    "VerifyBody",
    "WebAuthnBody",
    "WitnessBody",
    "application_row",
    "check_from_json",
    "checks_to_json",
    "member_to_json",
    "pointer_from_json",
    "pointer_to_json",
    "receipt_from_json",
    "receipt_to_json",
    "view_from_json",
    "view_to_json",
    "witness_from_json",
    "witness_to_json",
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RequestBody(_Strict):
    """Ask for a presentation request."""

    application: Annotated[str, Field(pattern=r"^urn:uuid:[0-9a-f-]{36}$")]
    period_from: date
    period_until: date


class NoPriorAidBody(_Strict):
    """What the ledger is asked, with the presentation of the credential the nullifier is in."""

    family: Annotated[str, Field(min_length=1, max_length=128)]
    version: Annotated[int, Field(ge=1, lt=2**31)]
    period_from: date
    period_until: date
    nonce: Annotated[str, Field(min_length=1, max_length=500)]
    presentation: dict[str, Any] | None = None
    """A W3C presentation (the affiliation); or"""
    token: Annotated[str, Field(min_length=1, max_length=100_000)] | None = None
    """the identity SD-JWT, presented."""
    application: Annotated[str, Field(max_length=64)] | None = None
    """An application of the same holder: its own reservation does not count."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.presentation is None) == (self.token is None):
            raise ValueError("a presentation or a token")
        return self


class WitnessBody(_Strict):
    """A head to witness: its number and its salted hash."""

    secret: Annotated[SecretStr, Field(min_length=64, max_length=64)]
    """32 bytes as hex, whose SHA-256 is the identifier."""
    seq: Annotated[int, Field(ge=1, lt=2**53)]
    commitment: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    restored: bool = False

    @field_validator("secret")
    @classmethod
    def _hex(cls, value: SecretStr) -> SecretStr:
        if re.fullmatch(r"[0-9a-f]{64}", value.get_secret_value()) is None:
            raise ValueError("64 hex digits")
        return value


def witness_to_json(view: WitnessView) -> dict[str, Any]:
    """A witnessed head."""
    return {"seq": view.seq, "commitment": view.commitment.hex()}


def witness_from_json(body: Mapping[str, Any]) -> WitnessView:
    """Inverse of `witness_to_json`."""
    commitment = bytes.fromhex(body["commitment"])
    if not isinstance(body["seq"], int) or len(commitment) != 32:
        raise ValueError("witness")
    return WitnessView(body["seq"], commitment)


class HolderBody(_Strict):
    """A holder proof."""

    proof_jwt: Annotated[str, Field(max_length=8_000)]


class WatchBody(_Strict):
    """A watch proof."""

    watch_jwt: Annotated[str, Field(max_length=8_000)]


class AnswerBody(HolderBody):
    """Answer a request for information."""

    text: Annotated[str, Field(min_length=1, max_length=4_000)]


class DeclarationBody(HolderBody):
    """Answers by the rule's names, as typed."""

    answers: dict[Annotated[str, Field(max_length=300)], Annotated[str, Field(max_length=300)]] = (
        Field(max_length=12)
    )


class AuditBody(HolderBody):
    """The answer to a check by sample; null declines."""

    answer: Annotated[str, Field(max_length=200_000)] | None = None


class AppealBody(HolderBody):
    """Contest a refusal."""

    reason: Annotated[str, Field(min_length=1, max_length=4_000)]


class VerifyBody(_Strict):
    """Any signed document."""

    document: dict[str, Any]


class _VcOptions(BaseModel):
    """Options of VC-API; those of other implementations are ignored, as it asks."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel)

    cryptosuite: Annotated[str, Field(max_length=64)] = "eddsa-rdfc-2022"
    mandatory_pointers: Annotated[list[str], Field(max_length=1_000)] = []
    selective_pointers: Annotated[list[str], Field(max_length=1_000)] = []
    challenge: str | None = None
    domain: str | None = None


class _VcBody(BaseModel):
    model_config = ConfigDict(extra="ignore", alias_generator=to_camel)

    options: _VcOptions = Field(default_factory=_VcOptions)


class VcIssueBody(_VcBody):
    """A credential to sign."""

    credential: dict[str, Any]


class VcVerifyBody(_VcBody):
    """A credential to verify."""

    verifiable_credential: dict[str, Any]


class VcDeriveBody(VcVerifyBody):
    """A credential with a base proof, and what to select of it."""


class VcPresentationBody(_VcBody):
    """A presentation to verify."""

    verifiable_presentation: dict[str, Any]


class SignInBody(_Strict):
    """Login and password."""

    login: Annotated[str, Field(min_length=1, max_length=127)]
    password: Annotated[str, Field(min_length=1, max_length=1_024)]


class DecisionBody(_Strict):
    """A person's decision."""

    accept: bool
    reason: Annotated[str, Field(min_length=1, max_length=4_000)]
    amount_cents: Annotated[int, Field(ge=1, le=10_000_000)] | None = None


class InformationBody(_Strict):
    """A request for information."""

    message: Annotated[str, Field(min_length=1, max_length=4_000)]


class AssignBody(_Strict):
    """Take an application, or give it back."""

    to_self: bool


class WebAuthnBody(_Strict):
    """A browser's answer to `navigator.credentials`, as JSON."""

    credential: dict[str, Any]


class PasskeyBody(WebAuthnBody):
    """A new passkey, and the name its owner gives it."""

    name: Annotated[str, Field(max_length=60)] = ""


class PublicKeyBody(_Strict):
    """A public key, base64url."""

    public: Annotated[str, Field(min_length=1, max_length=200)]


class DocumentBody(_Strict):
    """A sealed document, base64."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    media_type: Annotated[str, Field(min_length=3, max_length=127)]
    key_id: Annotated[str, Field(min_length=1, max_length=127)]
    sealed: str

    def envelope(self) -> DocumentEnvelope:
        """The bytes.

        Raises:
            ValueError: not base64.
        """
        try:
            sealed = base64.b64decode(self.sealed, validate=True)
        except binascii.Error as error:
            raise ValueError("not base64") from error
        return DocumentEnvelope(self.name, self.media_type, self.key_id, sealed)


class AttachBody(HolderBody):
    """Join a sealed document."""

    document: DocumentBody


def _check_to_json(check: CheckView) -> dict[str, Any]:
    return {
        "step": check.step,
        "code": check.code,
        "outcome": check.outcome,
        "detail": check.detail,
        "words": dict(check.words),
    }


def check_from_json(value: Mapping[str, Any]) -> CheckView:
    """Raises KeyError, TypeError or ValueError on another shape."""
    return CheckView(
        int(value["step"]),
        str(value["code"]),
        str(value["outcome"]),
        str(value["detail"]),
        {str(k): str(v) for k, v in dict(value["words"]).items()},
    )


def checks_to_json(checks: tuple[CheckView, ...]) -> list[dict[str, Any]]:
    """Checks in order."""
    return [_check_to_json(check) for check in checks]


def pointer_to_json(pointer: RequestPointer) -> dict[str, Any]:
    """Where a request waits."""
    return {
        "client_id": pointer.client_id,
        "request_uri": pointer.request_uri,
        "expires_at": format_instant(pointer.expires_at),
    }


def pointer_from_json(value: Mapping[str, Any]) -> RequestPointer:
    """Raises KeyError, TypeError or ValueError on another shape."""
    return RequestPointer(
        str(value["client_id"]), str(value["request_uri"]), parse_instant(value["expires_at"])
    )


def receipt_to_json(receipt: ResponseReceipt) -> dict[str, Any]:
    """What `direct_post` answers (OpenID4VP 1.0 §8.2: `redirect_uri`), and our own members."""
    return {
        "redirect_uri": receipt.redirect_uri,
        "response_code": receipt.response_code,
        "application": receipt.application,
        "state": receipt.state,
        "checks": checks_to_json(receipt.checks),
    }


def receipt_from_json(value: Mapping[str, Any]) -> ResponseReceipt:
    """Raises KeyError, TypeError or ValueError on another shape."""
    return ResponseReceipt(
        str(value["redirect_uri"]),
        str(value["response_code"]),
        Iri(str(value["application"])),
        str(value["state"]),
        tuple(check_from_json(check) for check in value["checks"]),
    )


def view_to_json(view: ApplicationView) -> dict[str, Any]:
    """An application for its holder."""
    return {
        "id": view.id,
        "aid": view.aid,
        "funder": view.funder,
        "funder_name": view.funder_name,
        "state": view.state,
        "amount_cents": view.amount_cents,
        "reasons": [dict(reason) for reason in view.reasons],
        "checks": checks_to_json(view.checks),
        "declared": checks_to_json(view.declared),
        "explanation": dict(view.explanation),
        "history": [
            {
                "state": step.state,
                "at": format_instant(step.at),
                "actor": step.actor,
                "reason": step.reason,
            }
            for step in view.history
        ],
        "remedies": dict(view.remedies),
        "mention": dict(view.mention),
        "message": view.message,
        "award": None if view.award is None else dict(view.award),
        "register": view.register,
        "audit": None if view.audit is None else _audit_to_json(view.audit),
        "receipt": None if view.receipt is None else _acknowledgement_to_json(view.receipt),
    }


def _audit_to_json(audit: AuditView) -> dict[str, Any]:
    return {
        "nonce": audit.nonce,
        "positions": list(audit.positions),
        "size": audit.size,
        "state": audit.state,
        "asked_at": format_instant(audit.asked_at),
        "checks": checks_to_json(audit.checks),
    }


def _audit_from_json(value: Mapping[str, Any] | None) -> AuditView | None:
    if value is None:
        return None
    return AuditView(
        nonce=str(value["nonce"]),
        positions=tuple(int(position) for position in value["positions"]),
        size=int(value["size"]),
        state=str(value["state"]),
        asked_at=parse_instant(value["asked_at"]),
        checks=tuple(check_from_json(check) for check in value["checks"]),
    )


def _acknowledgement_to_json(receipt: AcknowledgementView) -> dict[str, Any]:
    return {
        "received_at": format_instant(receipt.received_at),
        "service": receipt.service,
        "contact": receipt.contact,
        "due_at": format_instant(receipt.due_at),
        "stopped_at": _instant(receipt.stopped_at),
        "silence": dict(receipt.silence),
    }


def _acknowledgement_from_json(value: Mapping[str, Any] | None) -> AcknowledgementView | None:
    if value is None:
        return None
    stopped = value["stopped_at"]
    return AcknowledgementView(
        parse_instant(value["received_at"]),
        str(value["service"]),
        str(value["contact"]),
        parse_instant(value["due_at"]),
        None if stopped is None else parse_instant(stopped),
        dict(value["silence"]),
    )


def view_from_json(value: Mapping[str, Any]) -> ApplicationView:
    """Raises KeyError, TypeError or ValueError on another shape."""
    amount = value["amount_cents"]
    award = value["award"]
    return ApplicationView(
        id=Iri(str(value["id"])),
        aid=Iri(str(value["aid"])),
        funder=Did(str(value["funder"])),
        funder_name=str(value["funder_name"]),
        state=str(value["state"]),
        amount_cents=None if amount is None else int(amount),
        reasons=tuple(dict(reason) for reason in value["reasons"]),
        checks=tuple(check_from_json(check) for check in value["checks"]),
        declared=tuple(check_from_json(check) for check in value.get("declared", ())),
        register=str(value.get("register", "none")),
        explanation=dict(value["explanation"]),
        history=tuple(
            HistoryView(
                str(step["state"]),
                parse_instant(step["at"]),
                str(step["actor"]),
                str(step["reason"]),
            )
            for step in value["history"]
        ),
        remedies=dict(value["remedies"]),
        mention=dict(value["mention"]),
        message=str(value["message"]),
        award=None if award is None else dict(award),
        # A hub of an earlier version says nothing of it.
        receipt=_acknowledgement_from_json(value.get("receipt")),
        audit=_audit_from_json(value.get("audit")),
    )


def _instant(at: datetime | None) -> str | None:
    return None if at is None else format_instant(at)


def application_row(application: "Application") -> dict[str, Any]:
    """One line of the queue."""
    return {
        "id": application.id,
        "aid": application.aid,
        "state": application.state.value,
        "to_review": application.to_review,
        "period_from": application.period[0].isoformat(),
        "period_until": application.period[1].isoformat(),
        "amount_cents": application.amount,
        "assignee": application.assignee,
        "submitted_at": format_instant(application.submitted_at),
        "due_at": format_instant(application.due_at),
        "decided_at": _instant(application.decided_at),
    }


def member_to_json(member: "Member") -> dict[str, Any]:
    """A member, without secrets."""
    return {
        "id": member.id,
        "login": member.login,
        "name": member.name,
        "roles": sorted(role.value for role in member.roles),
        "funder": member.funder,
    }
