"""OpenID for Verifiable Credential Issuance 1.0, both roles, without I/O.

Flow. The issuer makes an offer (QR or link). With a pre-authorised code the wallet exchanges it
(and the transaction code the person was told) for an access token; else the person logs in at the
issuer in their browser, which comes back with a code that only who began can exchange (PKCE). Then
the wallet asks for a nonce, signs proofs that it holds the keys the credential shall be bound to
(one for each: a batch), and receives a credential for each, or a transaction to ask again later
(deferred). Codes, tokens and nonces are rows of the issuer's store; this module makes and reads the
messages and checks the proof.
Source: OpenID4VCI 1.0 Final §4.1 (offer), §5 (authorisation), §6 (token), §7 (nonce), §8
(credential), §9 (deferred), Appendix F.1 (`jwt` proof); RFC 6749 §5, RFC 7636, RFC 9126, RFC 9207.

    MobilityError
    └── IssuanceError (InvalidInput)      `issuance-refused`; `error` is the wire's own code
    (`invalid_grant`, `invalid_proof`…)
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, quote, urlsplit

from federation.credentials.shape import CONTEXTS
from federation.jose import JwsError, JwsMalformedError, sign_jws, verify_jws
from federation.keys import MultikeyError, PublicKey, Signer, did_key, key_of_did_key, key_of_jwk
from federation.multibase import b64url
from schemas.errors import InvalidInput, JsonRefusedError, MobilityError
from schemas.ids import Did
from schemas.jsonld import parse_json

__all__ = [
    "AUTHORIZATION_CODE",
    "PRE_AUTHORIZED",
    "Authorization",
    "CredentialAnswer",
    "CredentialOffer",
    "CredentialRequest",
    "IssuanceError",
    "TokenRequest",
    "code_challenge",
    "credential_requests",
    "credential_response",
    "issuer_metadata",
    "nonce_response",
    "proof_jwt",
    "read_credential_answer",
    "read_credential_response",
    "token_response",
    "verify_proof_jwt",
]

PRE_AUTHORIZED: Final = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
AUTHORIZATION_CODE: Final = "authorization_code"
PROOF_TYP: Final = "openid4vci-proof+jwt"
_MAX_PROOF_AGE: Final = timedelta(minutes=5)
_LEEWAY: Final = timedelta(seconds=60)
_DEFERRED: Final = 202
_MAX_BYTES: Final = 200_000
MAX_REQUESTS: Final = 400
"""Credentials of one offer: a signed trip a day for a year."""


class IssuanceError(MobilityError, InvalidInput):
    """The other side's message cannot be answered; `error` is the protocol's own word for why."""

    code: ClassVar[str] = "issuance-refused"

    def __init__(self, error: str, detail: str = "") -> None:
        self.error, self.detail = error, detail
        super().__init__(f"{error}: {detail}" if detail else error)

    def to_json(self) -> dict[str, str]:
        """Body of the 400 answer."""
        return {
            "error": self.error,
            **({"error_description": self.detail} if self.detail else {}),
        }


@dataclass(frozen=True, slots=True)
class CredentialOffer:
    """What the issuer hands over: where, what, and the one-time code."""

    credential_issuer: str
    configuration_ids: tuple[str, ...]
    pre_authorized_code: str | None
    """None: the person logs in at the issuer (`authorization_code`)."""
    needs_tx_code: bool = False
    """Whether the person was told a transaction code apart."""
    issuer_state: str | None = None
    """What ties the login to this offer."""

    def to_json(self) -> dict[str, Any]:
        """Offer object."""
        grants: dict[str, Any] = {}
        if self.pre_authorized_code is not None:
            grant: dict[str, Any] = {"pre-authorized_code": self.pre_authorized_code}
            if self.needs_tx_code:
                grant["tx_code"] = {"input_mode": "numeric", "length": 6}
            grants[PRE_AUTHORIZED] = grant
        else:
            state = self.issuer_state
            grants[AUTHORIZATION_CODE] = {} if state is None else {"issuer_state": state}
        return {
            "credential_issuer": self.credential_issuer,
            "credential_configuration_ids": list(self.configuration_ids),
            "grants": grants,
        }

    def to_uri(self) -> str:
        """`openid-credential-offer://?credential_offer=…`, for a link or a QR."""
        text = json.dumps(self.to_json(), separators=(",", ":"), ensure_ascii=False)
        return f"openid-credential-offer://?credential_offer={quote(text, safe='')}"

    @classmethod
    def from_json(cls, value: object) -> CredentialOffer:
        """Read an offer.

        A pre-authorised code is taken where both ways are open.

        Raises:
            IssuanceError: `invalid_offer`: not one of these.
        """
        if not isinstance(value, Mapping):
            raise IssuanceError("invalid_offer", "an object expected")
        issuer, ids = value.get("credential_issuer"), value.get("credential_configuration_ids")
        grants = value.get("grants")
        grant = grants.get(PRE_AUTHORIZED) if isinstance(grants, Mapping) else None
        code = grant.get("pre-authorized_code") if isinstance(grant, Mapping) else None
        if not isinstance(issuer, str) or urlsplit(issuer).scheme not in ("https", "http"):
            raise IssuanceError("invalid_offer", "credential_issuer is an address")
        if not isinstance(ids, list) or not ids or not all(isinstance(i, str) for i in ids):
            raise IssuanceError("invalid_offer", "nothing is offered")
        if isinstance(grant, Mapping) and isinstance(code, str) and code:
            return cls(issuer.rstrip("/"), tuple(ids), code, "tx_code" in grant)
        login = grants.get(AUTHORIZATION_CODE) if isinstance(grants, Mapping) else None
        if grants not in (None, {}) and not isinstance(login, Mapping):  # §4.1.1: may be left out
            raise IssuanceError("invalid_offer", "neither a pre-authorised code nor a login")
        state = login.get("issuer_state") if isinstance(login, Mapping) else None
        if state is not None and (not isinstance(state, str) or len(state) > 2_000):
            raise IssuanceError("invalid_offer", "issuer_state is a text")
        return cls(issuer.rstrip("/"), tuple(ids), None, issuer_state=state)

    @classmethod
    def from_uri(cls, uri: str) -> CredentialOffer:
        """Read an offer from its link; offers by reference are not followed.

        Raises:
            IssuanceError: `invalid_offer`.
        """
        values = parse_qs(urlsplit(uri).query, strict_parsing=False).get("credential_offer", [])
        if len(values) != 1:
            raise IssuanceError("invalid_offer", "one credential_offer expected")
        return cls.from_json(_json(values[0].encode(), "invalid_offer"))


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """The code, exchanged at the token endpoint."""

    pre_authorized_code: str
    tx_code: str | None = None

    def to_form(self) -> dict[str, str]:
        """Form fields."""
        return {
            "grant_type": PRE_AUTHORIZED,
            "pre-authorized_code": self.pre_authorized_code,
            **({"tx_code": self.tx_code} if self.tx_code else {}),
        }

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> TokenRequest:
        """Read the fields.

        Raises:
            IssuanceError: `unsupported_grant_type`, `invalid_request`.
        """
        if form.get("grant_type") != PRE_AUTHORIZED:
            raise IssuanceError("unsupported_grant_type")
        code = form.get("pre-authorized_code")
        if not code or len(code) > 512:
            raise IssuanceError("invalid_request", "pre-authorized_code is missing")
        return cls(code, form.get("tx_code") or None)


@dataclass(frozen=True, slots=True)
class Authorization:
    """The wallet's side of one login: what it asks, and the secret only it can redeem with."""

    client_id: str
    redirect_uri: str
    state: str
    code_verifier: str

    @classmethod
    def begin(cls, client_id: str, redirect_uri: str) -> Authorization:
        """A new one; 256 random bits each."""
        return cls(client_id, redirect_uri, secrets.token_urlsafe(32), secrets.token_urlsafe(32))

    def parameters(self, offer: CredentialOffer) -> dict[str, str]:
        """Of the authorisation request: by `authorization_details`, each configuration offered."""
        details = [
            {"type": "openid_credential", "credential_configuration_id": name}
            for name in offer.configuration_ids
        ]
        return {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": self.state,
            "code_challenge": code_challenge(self.code_verifier),
            "code_challenge_method": "S256",
            "authorization_details": json.dumps(details, separators=(",", ":")),
            **({"issuer_state": offer.issuer_state} if offer.issuer_state else {}),
        }

    def token_form(self, code: str) -> dict[str, str]:
        """Fields that exchange the code."""
        return {
            "grant_type": AUTHORIZATION_CODE,
            "code": code,
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.code_verifier,
        }


def code_challenge(verifier: str) -> str:
    """`S256` of a code verifier (RFC 7636 §4.2)."""
    return b64url(hashlib.sha256(verifier.encode("ascii")).digest())


def token_response(access_token: str, *, lifetime: timedelta) -> dict[str, Any]:
    """Answer of the token endpoint."""
    return {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": int(lifetime.total_seconds()),
    }


def nonce_response(nonce: str) -> dict[str, str]:
    """Answer of the nonce endpoint (sent with `Cache-Control: no-store`)."""
    return {"c_nonce": nonce}


def proof_jwt(signer: Signer, *, audience: str, nonce: str, at: datetime) -> str:
    """Key proof: the wallet shows it holds the key the credential shall be bound to (`kid` is its
    `did:key` URL).

    `audience` is the credential issuer's address.
    """
    claims = {"aud": audience, "iat": int(at.timestamp()), "nonce": nonce}
    return sign_jws(claims, signer, typ=PROOF_TYP)


def verify_proof_jwt(token: str, *, audience: str, nonce: str, at: datetime) -> Did:
    """Check a key proof; returns the `did:key` to bind the credential to.

    Steps: (1) `typ`, and one key, named by a `did:key` URL or given as a `jwk`; (2) the key's own
    algorithm and signature; (3) made for this issuer; (4) fresh; (5) over this nonce. Left to the
    caller: that the nonce was issued by it and not used.

    Raises:
        IssuanceError: `invalid_proof` or `invalid_nonce`.
    """
    try:
        signed = verify_jws(token, _holder_key, typ=PROOF_TYP, max_chars=8_000)  # (1) (2)
    except (JwsError, JwsMalformedError) as error:
        raise IssuanceError("invalid_proof", str(error)) from None
    if signed.claims.get("aud") != audience:  # (3)
        raise IssuanceError("invalid_proof", "made for another issuer")
    issued = signed.claims.get("iat")  # (4)
    if type(issued) is not int or not 0 <= issued < 2**40:
        raise IssuanceError("invalid_proof", "iat is missing")
    made = datetime.fromtimestamp(issued, UTC)
    if made > at + _LEEWAY or at - made > _MAX_PROOF_AGE:
        raise IssuanceError("invalid_proof", "not fresh")
    if signed.claims.get("nonce") != nonce:  # (5)
        raise IssuanceError("invalid_nonce")
    return did_key(signed.key)


def _holder_key(header: Mapping[str, Any]) -> PublicKey:
    kid = header.get("kid")
    if ("jwk" in header) == (kid is not None) or "x5c" in header:
        raise IssuanceError("invalid_proof", "one key, by kid or as jwk")
    try:
        return key_of_jwk(header["jwk"]) if kid is None else key_of_did_key(str(kid))
    except MultikeyError as error:
        raise IssuanceError("invalid_proof", str(error)) from None


@dataclass(frozen=True, slots=True)
class CredentialRequest:
    """What the wallet asks at the credential endpoint."""

    configuration_id: str
    proofs: tuple[str, ...] = ()
    """Key proofs; one credential is issued for each."""
    identifier: str | None = None
    """A data set the token answer named (§6.2); asked instead of the configuration."""

    def with_proofs(self, *proofs: str) -> CredentialRequest:
        """The same with its key proofs."""
        return replace(self, proofs=proofs)

    def to_json(self) -> dict[str, Any]:
        """Request body."""
        return {
            **(
                {"credential_identifier": self.identifier}
                if self.identifier is not None
                else {"credential_configuration_id": self.configuration_id}
            ),
            "proofs": {"jwt": list(self.proofs)},
        }

    @classmethod
    def from_json(cls, body: bytes, *, offered: frozenset[str]) -> CredentialRequest:
        """Read a request body.

        Raises:
            IssuanceError: `invalid_credential_request`, `unknown_credential_configuration`,
            `invalid_proof`.
        """
        value = _json(body, "invalid_credential_request")
        if not isinstance(value, dict):
            raise IssuanceError("invalid_credential_request", "an object expected")
        identifier, proofs = value.get("credential_configuration_id"), value.get("proofs")
        if identifier not in offered:
            raise IssuanceError("unknown_credential_configuration")
        listed = proofs.get("jwt") if isinstance(proofs, dict) else None
        if not isinstance(proofs, dict) or set(proofs) != {"jwt"} or not isinstance(listed, list):
            raise IssuanceError("invalid_proof", "proofs.jwt expected")
        if not 0 < len(listed) <= 16 or not all(isinstance(p, str) for p in listed):
            raise IssuanceError("invalid_proof", "1 to 16 proofs")
        return cls(str(identifier), tuple(listed))


def credential_requests(
    token_answer: object, configuration_ids: Sequence[str]
) -> tuple[CredentialRequest, ...]:
    """What to ask after the token: each data set that `authorization_details` names (§6.2), else
    each configuration of the offer.

    Raises:
        IssuanceError: `invalid_response`: details that are none, or too many.
    """
    details = token_answer.get("authorization_details") if isinstance(token_answer, dict) else None
    named: dict[str, list[str]] = {}
    for detail in details if isinstance(details, list) else ():
        name = detail.get("credential_configuration_id") if isinstance(detail, dict) else None
        found = detail.get("credential_identifiers") if isinstance(detail, dict) else None
        if not isinstance(name, str) or not isinstance(found, list):
            raise IssuanceError("invalid_response", "authorization_details")
        if not all(isinstance(i, str) and 0 < len(i) <= 500 for i in found):
            raise IssuanceError("invalid_response", "credential_identifiers")
        named[name] = found
    requests = [
        CredentialRequest(name, identifier=identifier)
        for name in configuration_ids
        for identifier in named.get(name, (None,))
    ]
    if len(requests) > MAX_REQUESTS:
        raise IssuanceError("invalid_response", "more credentials than one offer may hold")
    return tuple(requests)


def credential_response(*credentials: Mapping[str, Any]) -> dict[str, Any]:
    """Answer of the credential endpoint."""
    return {"credentials": [{"credential": dict(credential)} for credential in credentials]}


def read_credential_response(body: bytes) -> tuple[dict[str, Any] | str, ...]:
    """Credentials of an answer, untrusted: verify each before keeping it.

    Raises:
        IssuanceError: `invalid_response`.
    """
    value = _json(body, "invalid_response")
    listed = value.get("credentials") if isinstance(value, dict) else None
    if not isinstance(listed, list) or not 0 < len(listed) <= 16:
        raise IssuanceError("invalid_response", "no credentials")
    found = [item.get("credential") if isinstance(item, dict) else None for item in listed]
    if not all(isinstance(item, dict | str) for item in found):
        raise IssuanceError("invalid_response", "a credential is an object or a text")
    return tuple(item for item in found if isinstance(item, dict | str))


@dataclass(frozen=True, slots=True)
class CredentialAnswer:
    """What the credential or the deferred endpoint says."""

    credentials: tuple[dict[str, Any] | str, ...] = ()
    """Untrusted: verify each before keeping it."""
    notification_id: str | None = None
    transaction_id: str | None = None
    """Ask again with it: the credential is not ready."""
    interval_s: int = 60
    """Seconds before asking again; never under five, never over a day."""


def read_credential_answer(status: int, body: bytes) -> CredentialAnswer:
    """Read an answer with status 200 or 202 (§8.3, §9.2).

    Raises:
        IssuanceError: `invalid_response`.
    """
    value = _json(body, "invalid_response")
    if not isinstance(value, dict):
        raise IssuanceError("invalid_response", "an object expected")
    if status != _DEFERRED:
        told = value.get("notification_id")
        return CredentialAnswer(
            read_credential_response(body), told if isinstance(told, str) else None
        )
    transaction, interval = value.get("transaction_id"), value.get("interval", 60)
    if not isinstance(transaction, str) or not 0 < len(transaction) <= 500:
        raise IssuanceError("invalid_response", "no transaction")
    if type(interval) is not int:
        raise IssuanceError("invalid_response", "interval in whole seconds")
    return CredentialAnswer(transaction_id=transaction, interval_s=min(max(interval, 5), 86_400))


def issuer_metadata(issuer: str, configurations: Mapping[str, str], *, name: str) -> dict[str, Any]:
    """`/.well-known/openid-credential-issuer`: configuration id → credential type."""
    return {
        "credential_issuer": issuer,
        "credential_endpoint": f"{issuer}/credential",
        "nonce_endpoint": f"{issuer}/nonce",
        "display": [{"name": name, "locale": "fr"}],
        "credential_configurations_supported": {
            identifier: {
                "format": "ldp_vc",
                "credential_definition": {
                    "@context": list(CONTEXTS),
                    "type": ["VerifiableCredential", credential_type],
                },
                "cryptographic_binding_methods_supported": ["did:key", "jwk"],
                "credential_signing_alg_values_supported": ["eddsa-rdfc-2022"],
                "proof_types_supported": {
                    "jwt": {"proof_signing_alg_values_supported": ["ES256", "EdDSA"]}
                },
                "credential_metadata": {"display": [{"name": credential_type}]},
            }
            for identifier, credential_type in configurations.items()
        },
    }


def _json(data: bytes, error: str) -> Any:
    try:
        return parse_json(data, max_bytes=_MAX_BYTES)
    except JsonRefusedError as refused:
        raise IssuanceError(error, str(refused)) from None
