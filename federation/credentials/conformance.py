"""Proofs alone, as conformance suites of other implementations ask for them (VC-API): issue,
verify and derive documents of any type, under any pinned context.

Apart from product verification on purpose: no trust registry, no closed shapes, no status, no
dates beyond their form. What holds here convinces nobody in the federation.
Steps of verifying: (1) the document is a credential (or presentation) of the data model 1.1 or
2.0, every term, type and identifier of it defined and absolute; (2) each proof is for the purpose
its document is for, in its own dates, and answers the challenge and domain asked for; (3) its key
is the one its verification method names, and may be used for that purpose; (4) the proof holds;
(5) the same for every credential in a presentation.
Source: VC-API 0.3 (W3C CCG), VC Data Model 2.0 §4, Data Integrity 1.0 §4.4.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from federation.credentials.shape import V2, ShapeError, copy_bounded
from federation.credentials.vc_jwt import token_of_envelope, verify_vc_jwt
from federation.did import DidMalformedError, Resolver
from federation.jose import JwsError
from federation.keys import ED25519, P256, PublicKey, Signer
from federation.proofs import (
    Proof,
    ProofInvalidError,
    add_base_proof,
    add_proof,
    cryptosuites,
    derive_proof,
    verify_proofs,
)
from federation.trust import format_instant, parse_instant
from federation.verification import VerificationError
from schemas.documents import known, load_text
from schemas.errors import MobilityError

__all__ = [
    "derive_document",
    "issue_document",
    "key_kind",
    "refusals",
    "verify_credential",
    "verify_presentation",
]

V1: Final = "https://www.w3.org/2018/credentials/v1"
_DATA_INTEGRITY: Final = "https://w3id.org/security/data-integrity/v2"
_IRI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|^`\\]{1,2000}")
_MAX_HELD: Final = 64
_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "credentialStatus": ("type",),
    "credentialSchema": ("id", "type"),
    "refreshService": ("type",),
    "termsOfUse": ("type",),
    "evidence": ("type",),
}
"""Members whose objects need these."""
_DATES: Final = ("validFrom", "validUntil", "issuanceDate", "expirationDate")


# --- issuing and deriving -----------------------------------------------------------------


def issue_document(
    credential: Mapping[str, Any],
    signer: Signer,
    *,
    at: datetime,
    cryptosuite: str,
    mandatory: Sequence[str] = (),
) -> dict[str, Any]:
    """A credential of any type with a proof. Its issuer is the signer's DID unless it names one; a
    credential of the data model 1.1 gets the context its proof needs.

    Raises:
        ShapeError: not a credential, or a suite that does not sign here. ProofRequestError,
        DroppedPropertyError, RelativeIriError…: a signature would not cover it.
    """
    document = copy_bounded(credential)
    document.setdefault("issuer", signer.verification_method.partition("#")[0])
    contexts = document.get("@context")
    if isinstance(contexts, list) and contexts[:1] == [V1] and _DATA_INTEGRITY not in contexts:
        document["@context"] = [*contexts, _DATA_INTEGRITY]
        document.setdefault("issuanceDate", format_instant(at))
    check_credential(document)
    if "proof" in document:
        raise ShapeError("extra-member", "/proof", "signed already")
    if cryptosuite not in cryptosuites():
        raise ShapeError("cryptosuite-unknown", "/options/cryptosuite", "not a suite we sign with")
    if cryptosuite == "ecdsa-sd-2023":
        return add_base_proof(
            document,
            signer,
            mandatory=mandatory,
            purpose="assertionMethod",
            created=at,
            foreign=True,
        )
    return add_proof(
        document,
        signer,
        cryptosuite=cryptosuite,
        purpose="assertionMethod",
        created=at,
        foreign=True,
    )


def derive_document(credential: Mapping[str, Any], selective: Sequence[str]) -> dict[str, Any]:
    """What JSON pointers select of a credential with a base proof (`ecdsa-sd-2023`).

    Raises:
        ShapeError, ProofInvalidError, ProofRequestError: not one; a pointer that leads nowhere.
    """
    document = copy_bounded(credential)
    check_credential(document)
    return derive_proof(document, selective=selective, foreign=True)


# --- verifying ----------------------------------------------------------------------------


def verify_credential(
    document: Mapping[str, Any], *, resolver: Resolver, at: datetime
) -> dict[str, Any]:
    """The credential, its proofs verified (an enveloped one: what the envelope holds).

    Raises:
        ShapeError: step 1. VerificationError: the others. DidError, OutboundError: a key that
        cannot be found.
    """
    copy: dict[str, Any] = copy_bounded(document)
    if copy.get("type") in ("EnvelopedVerifiableCredential", ["EnvelopedVerifiableCredential"]):
        return _enveloped(copy, resolver, at)
    check_credential(copy)  # (1)
    _verify(copy, resolver, at, purpose="assertionMethod")
    return copy


def verify_presentation(
    document: Mapping[str, Any],
    *,
    resolver: Resolver,
    at: datetime,
    challenge: str | None = None,
    domain: str | None = None,
) -> dict[str, Any]:
    """The presentation, its proofs and those of its credentials verified.

    Raises:
        As `verify_credential`.
    """
    copy: dict[str, Any] = copy_bounded(document)
    check_presentation(copy)  # (1)
    _verify(copy, resolver, at, purpose="authentication", challenge=challenge, domain=domain)
    for held in _listed(copy.get("verifiableCredential", [])):  # (5)
        verify_credential(held, resolver=resolver, at=at)
    return copy


def _verify(
    document: Mapping[str, Any],
    resolver: Resolver,
    at: datetime,
    *,
    purpose: str,
    challenge: str | None = None,
    domain: str | None = None,
) -> None:
    def key_of(proof: Proof) -> PublicKey:
        if proof.purpose != purpose:  # (2)
            raise ProofInvalidError("made for another purpose", reason_code="proof-purpose")
        if proof.expires is not None and at >= proof.expires:
            raise ProofInvalidError("the proof has expired", reason_code="proof-expired")
        if challenge is not None and proof.challenge != challenge:
            raise ProofInvalidError("another challenge", reason_code="challenge-mismatch")
        if domain is not None and proof.domain != domain:
            raise ProofInvalidError("another domain", reason_code="wrong-audience")
        return _key(proof.verification_method, purpose, resolver)  # (3)

    verify_proofs(document, key_of, former=True)  # (4)


def _key(method: str, purpose: str, resolver: Resolver) -> PublicKey:
    did = method.partition("#")[0]
    if not did.startswith("did:"):
        raise DidMalformedError("a verification method is a DID URL")
    return resolver.resolve(did).key(method, purpose)


def _enveloped(document: Mapping[str, Any], resolver: Resolver, at: datetime) -> dict[str, Any]:
    def key_of(header: Mapping[str, Any]) -> PublicKey:
        method = header.get("kid")
        if not isinstance(method, str):
            raise JwsError("the token names no key")
        return _key(method, "assertionMethod", resolver)

    credential = verify_vc_jwt(token_of_envelope(document), key_of, at=at)
    check_credential(credential)
    return credential


# --- the data model -----------------------------------------------------------------------


def check_credential(document: Mapping[str, Any]) -> None:
    """What the data model asks of every credential, as far as JSON shows it.

    Raises:
        ShapeError: with reason and pointer.
    """
    _check_head(document, "VerifiableCredential")
    for required in ("issuer", "credentialSubject"):
        if not document.get(required):
            raise ShapeError("missing-member", f"/{required}", "missing")
    issuer = document["issuer"]
    _iri(issuer.get("id") if isinstance(issuer, Mapping) else issuer, "/issuer")
    for index, subject in enumerate(_listed(document["credentialSubject"])):
        where = f"/credentialSubject/{index}"
        if not isinstance(subject, Mapping) or not subject:
            raise ShapeError("shape-invalid", where, "a subject says something")
        if "id" in subject:
            _iri(subject["id"], f"{where}/id")
    for name in _DATES:
        if name in document:
            try:
                parse_instant(document[name])
            except ValueError:
                raise ShapeError("shape-invalid", f"/{name}", "a date with its zone") from None
    for name, needed in _PARTS.items():
        for item in _listed(document.get(name, [])):
            if not isinstance(item, Mapping) or not all(item.get(part) for part in needed):
                raise ShapeError("missing-member", f"/{name}", "an id or type is missing")
            if "id" in item:
                _iri(item["id"], f"/{name}/id")
    for resource in _listed(document.get("relatedResource", [])):
        _check_resource(resource)


def check_presentation(document: Mapping[str, Any]) -> None:
    """The same of a presentation.

    Raises:
        ShapeError: with reason and pointer.
    """
    _check_head(document, "VerifiablePresentation")
    if "holder" in document:
        holder = document["holder"]
        _iri(holder.get("id") if isinstance(holder, Mapping) else holder, "/holder")
    held = _listed(document.get("verifiableCredential", []))
    if len(held) > _MAX_HELD:
        raise ShapeError("too-large", "/verifiableCredential", "too many credentials")
    if not all(isinstance(item, Mapping) for item in held):
        raise ShapeError("shape-invalid", "/verifiableCredential", "credentials expected")


def _check_head(document: Mapping[str, Any], kind: str) -> None:
    contexts = document.get("@context")
    if not isinstance(contexts, list) or not contexts or contexts[0] not in (V1, V2):
        raise ShapeError("context-changed", "/@context", "the base context first")
    types = document.get("type")
    if kind not in _listed(types):
        raise ShapeError("type-unknown", "/type", f"not a {kind}")
    if not all(isinstance(name, str) and name for name in _listed(types)):
        raise ShapeError("shape-invalid", "/type", "types are texts")
    if "id" in document:
        _iri(document["id"], "/id")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _iri(value: object, where: str) -> None:
    if not isinstance(value, str) or _IRI.fullmatch(value) is None:
        raise ShapeError("relative-iri", where, "not an absolute identifier")


def _check_resource(resource: object) -> None:
    """Data model 2.0 §5.3: a resource has a digest; of one we hold it must be the right one."""
    where = "/relatedResource"
    if not isinstance(resource, Mapping):
        raise ShapeError("shape-invalid", where, "a resource expected")
    _iri(resource.get("id"), f"{where}/id")
    named = [resource.get("digestSRI"), resource.get("digestMultibase")]
    if not any(isinstance(found, str) and found for found in named):
        raise ShapeError("missing-member", where, "a resource has a digest")
    if resource["id"] not in known():
        return
    data = load_text(str(resource["id"])).encode()
    good = {f"sha{size}-{_base64(size, data)}" for size in (256, 384, 512)}
    multihash = b"\x12\x20" + hashlib.sha256(data).digest()
    good.add("u" + base64.urlsafe_b64encode(multihash).decode().rstrip("="))
    if not any(isinstance(found, str) and found in good for found in named):
        raise ShapeError("shape-invalid", where, "another digest than the resource's")


def _base64(size: int, data: bytes) -> str:
    return base64.b64encode(hashlib.new(f"sha{size}", data).digest()).decode()


def refusals(error: Exception) -> list[dict[str, str]]:
    """A refusal as VC-API lists it: `code` and `detail`, never a value of the document."""
    if isinstance(error, ShapeError):
        return [{"code": error.code_of, "detail": str(error)}]
    if isinstance(error, VerificationError):
        return [{"code": code, "detail": str(error)} for code in error.failed]
    code = error.code if isinstance(error, MobilityError) else "not-understood"
    return [{"code": code, "detail": str(error)}]


def key_kind(cryptosuite: str) -> str:
    """The kind of key a suite signs with here."""
    return P256 if cryptosuite.startswith("ecdsa") else ED25519
