"""VC-JWT: a W3C credential enveloped in a JWT, verified; we issue none.

The JWT's claims *are* the credential (VCDM 2.0; no `vc` member), `typ` is `vc+jwt`; a presentation
may carry it as an `EnvelopedVerifiableCredential` whose `id` is a `data:` URL.
Source: Securing Verifiable Credentials using JOSE and COSE (W3C Recommendation 2025-05-15) §3.1.1,
§3.3; VC Data Model 2.0 §4.11; RFC 8725.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from federation.credentials.model import MAX_PRESENTATION
from federation.credentials.shape import V2, ShapeError, copy_bounded, read_instant
from federation.jose import JwsError, JwsMalformedError, verify_jws
from federation.keys import PublicKey
from federation.verification import Check, Outcome, VerificationError

__all__ = ["token_of_envelope", "verify_vc_jwt"]

TYP: Final = "vc+jwt"
_DATA: Final = "data:application/vc+jwt,"
_LEEWAY: Final = timedelta(seconds=60)


def token_of_envelope(value: object) -> str:
    """The JWT inside an `EnvelopedVerifiableCredential`.

    Raises:
        ShapeError: not one; another media type.
    """
    if (
        not isinstance(value, Mapping)
        or set(value) != {"@context", "id", "type"}
        or value["type"] not in ("EnvelopedVerifiableCredential", ["EnvelopedVerifiableCredential"])
    ):
        raise ShapeError("shape-invalid", "", "not an enveloped credential")
    contexts = value["@context"]
    if contexts != V2 and not (isinstance(contexts, list) and contexts[:1] == [V2]):
        raise ShapeError("context-changed", "/@context", "the base context first")
    url = value["id"]
    if not isinstance(url, str) or not url.startswith(_DATA):
        raise ShapeError("shape-invalid", "/id", "not a vc+jwt")
    return url.removeprefix(_DATA)


def verify_vc_jwt(
    token: str, key_of: Callable[[Mapping[str, Any]], PublicKey], *, at: datetime
) -> dict[str, Any]:
    """The credential inside a VC-JWT.

    Steps: (1) the JWS: `typ`, the key's own algorithm, signature, no member twice; (2) the claims
    are a credential of VCDM 2.0 and wrap no other (`vc`, `vp`); (3) its issuer is who the key
    belongs to: the DID of `kid`, and `iss` if there is one; (4) `jti` and `sub` say what the
    credential says; (5) dates: `nbf`, `exp`, `validFrom`, `validUntil`. Left to the caller: whether
    the issuer is trusted for this type (`key_of` refuses keys it does not know), and the status.

    Raises:
        VerificationError: with the check that failed. Whatever `key_of` raises.
    """
    try:  # (1)
        signed = verify_jws(token, key_of, typ=TYP, max_chars=MAX_PRESENTATION)
    except JwsMalformedError as error:
        raise _refused(1, "json-refused", str(error)) from None
    except JwsError as error:
        raise _refused(3, "proof-invalid", str(error)) from None
    try:
        credential: dict[str, Any] = copy_bounded(dict(signed.claims))
    except ShapeError as error:
        raise _refused(1, error.code_of, str(error)) from None
    contexts, types = credential.get("@context"), credential.get("type")  # (2)
    if not isinstance(contexts, list) or contexts[:1] != [V2]:
        is_there = isinstance(contexts, list) and V2 in contexts
        code = "context-reordered" if is_there else "context-changed"
        raise _refused(1, code, "the base context first")
    if not isinstance(types, list) or "VerifiableCredential" not in types:
        raise _refused(1, "type-unknown", "not a credential")
    if "vc" in credential or "vp" in credential:
        raise _refused(1, "extra-member", "a credential inside the credential")
    issuer = _id_of(credential.get("issuer"))  # (3)
    method = signed.header.get("kid")
    controller = method.partition("#")[0] if isinstance(method, str) else None
    if issuer is None or controller != issuer or credential.get("iss", issuer) != issuer:
        raise _refused(3, "issuer-key-mismatch", "not by the issuer's key")
    subject = credential.get("credentialSubject")  # (4)
    if "jti" in credential and credential["jti"] != credential.get("id"):
        raise _refused(1, "shape-invalid", "jti is not the credential's id")
    if "sub" in credential and credential["sub"] != _id_of(subject):
        raise _refused(1, "shape-invalid", "sub is not the subject")
    _check_dates(credential, at)  # (5)
    return credential


def _check_dates(credential: Mapping[str, Any], at: datetime) -> None:
    try:
        starts = [read_instant(credential[n], f"/{n}") for n in ("validFrom",) if n in credential]
        ends = [read_instant(credential[n], f"/{n}") for n in ("validUntil",) if n in credential]
        starts += [_seconds(credential[name]) for name in ("nbf", "iat") if name in credential]
        ends += [_seconds(credential[name]) for name in ("exp",) if name in credential]
    except ShapeError as error:
        raise _refused(1, error.code_of, str(error)) from None
    if any(start > at + _LEEWAY for start in starts):
        raise _refused(2, "not-yet-valid", "it begins later")
    if any(at >= end for end in ends):
        raise _refused(2, "expired", "it is over")


def _seconds(value: object) -> datetime:
    if type(value) not in (int, float) or not isinstance(value, int | float):
        raise ShapeError("shape-invalid", "", "a date in seconds expected")
    if not 0 <= value < 2**37:
        raise ShapeError("shape-invalid", "", "a date in seconds expected")
    return datetime.fromtimestamp(value, UTC)


def _id_of(value: object) -> str | None:
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) else None


def _refused(step: int, code: str, detail: str) -> VerificationError:
    return VerificationError([Check(step, code, Outcome.FAIL, detail)])
