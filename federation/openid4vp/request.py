"""The request: built and signed by a verifier, read and checked by a wallet.

Source: OpenID4VP 1.0 §5 (request), §5.9 (client ids), §5.10 (`request_uri_method`), §8.3
(encrypted answers), RFC 9101 (JAR).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from federation.jose import JwsError, JwsMalformedError, sign_jws, verify_jws
from federation.jwe import ENCRYPTIONS
from federation.keys import PublicKey, Signer
from federation.openid4vp.certificates import Anchors
from federation.openid4vp.clients import (
    ClientKind,
    Identified,
    client_id_of,
    identify,
    kind_of,
    origin_of,
)
from federation.openid4vp.dcql import DcqlQuery
from federation.openid4vp.errors import RequestRefusedError
from schemas.errors import JsonRefusedError
from schemas.ids import Did
from schemas.jsonld import parse_json

__all__ = [
    "AUDIENCE",
    "DIRECT_POST",
    "DIRECT_POST_JWT",
    "NOT_KNOWN",
    "REQUEST_TYPE",
    "VP_FORMATS",
    "Encryption",
    "Invitation",
    "PresentationRequest",
    "build_request",
    "invitation_link",
    "read_invitation",
    "read_open_request",
    "sign_request",
    "verify_request",
]

TYP: Final = "oauth-authz-req+jwt"
REQUEST_TYPE: Final = f"application/{TYP}"
"""Media type of a request object."""
AUDIENCE: Final = "https://self-issued.me/v2"
"""`aud` when the verifier does not know the wallet's issuer (OpenID4VP 1.0 §5.8)."""
DIRECT_POST: Final = "direct_post"
DIRECT_POST_JWT: Final = "direct_post.jwt"
MAX_REQUEST_AGE_S: Final = 900
MAX_REQUEST_CHARS: Final = 1_000_000
_LEEWAY: Final = timedelta(seconds=60)
_NONCE: Final = re.compile(r"[\x21-\x7e]{16,512}")
_MAX_LINK: Final = 8_000
VP_FORMATS: Final[Mapping[str, Any]] = {
    "ldp_vc": {
        "proof_type_values": ["DataIntegrityProof"],
        "cryptosuite_values": ["eddsa-rdfc-2022", "ecdsa-rdfc-2019", "ecdsa-sd-2023"],
    },
    "dc+sd-jwt": {
        "sd-jwt_alg_values": ["ES256", "EdDSA"],
        "kb-jwt_alg_values": ["ES256"],
    },
}
"""Formats and suites of credentials that we present and verify, as metadata says them (§B)."""
NOT_KNOWN: Final = Did("did:web:unknown.invalid")
"""The verifier of a request that nobody signed."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """How an answer is encrypted: to which key, and by which content encryption."""

    key: Mapping[str, Any]
    """Public JWK on P-256, with its `kid`."""
    method: str
    """`A256GCM` or `A128GCM`: the strongest the verifier names."""

    def to_json(self) -> dict[str, Any]:
        """To keep until the citizen agrees."""
        return {"key": dict(self.key), "method": self.method}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any] | None) -> Encryption | None:
        """Inverse of `to_json`; None stays None."""
        return None if kept is None else cls(kept["key"], kept["method"])


@dataclass(frozen=True, slots=True)
class PresentationRequest:
    """A verified request: who asks for what, until when, and where the answer goes."""

    client_id: str
    verifier: Did
    """DID of the verifier; `did:x509` for a client known by its certificate."""
    nonce: str
    state: str
    """Empty where the verifier gave none."""
    response_uri: str
    query: DcqlQuery
    issued_at: datetime
    expires_at: datetime
    encryption: Encryption | None = None
    """How the answer is encrypted (`direct_post.jwt`); None: in clear (`direct_post`)."""
    vouched_by: str | None = None
    """The certificate authority that vouches for the verifier, if that is how it is known."""
    client_name: str | None = None
    purpose: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)
    """The whole request object, for the record kept of it."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a QR code or a link says: who asks, and where its request waits."""

    client_id: str
    request_uri: str
    method: str = "get"
    """`get` or `post` (then the wallet sends its nonce and its metadata)."""


def read_invitation(link: str) -> Invitation:
    """Read the link of a request by reference, whatever its scheme and host (`openid4vp://`,
    `haip-vp://`, https).

    Raises:
        RequestRefusedError: `link-malformed`: no client or no reference in it, a parameter twice,
            or another method; `request-by-value`: a request that is not by reference.
    """
    if len(link) > _MAX_LINK:
        raise RequestRefusedError("link-malformed", "too long")
    try:
        given = parse_qs(urlsplit(link.strip()).query, max_num_fields=40)
    except ValueError:
        raise RequestRefusedError("link-malformed", "not a link") from None
    if any(len(values) != 1 for values in given.values()):
        raise RequestRefusedError("link-malformed", "a parameter is there twice")
    found = {name: values[0] for name, values in given.items()}
    if "request_uri" not in found and ("request" in found or "dcql_query" in found):
        raise RequestRefusedError("request-by-value", "only requests by reference")
    if not found.get("client_id") or not found.get("request_uri"):
        raise RequestRefusedError("link-malformed", "client_id and request_uri expected")
    method = found.get("request_uri_method", "get")
    if method not in ("get", "post"):
        raise RequestRefusedError("link-malformed", "request_uri_method is get or post")
    kind_of(found["client_id"])
    origin_of(found["request_uri"], "request-uri")
    return Invitation(found["client_id"], found["request_uri"], method)


def invitation_link(endpoint: str, invitation: Invitation) -> str:
    """The link that opens `endpoint` (a wallet's page, or `openid4vp://`) with an invitation."""
    query = {
        "client_id": invitation.client_id,
        "request_uri": invitation.request_uri,
        **({"request_uri_method": "post"} if invitation.method == "post" else {}),
    }
    return f"{endpoint}?{urlencode(query)}"


def build_request(
    *,
    verifier: Did,
    response_uri: str,
    query: DcqlQuery,
    nonce: str,
    state: str,
    at: datetime,
    lifetime: timedelta = timedelta(minutes=10),
    client_name: str | None = None,
    purpose: str | None = None,
    encrypt_to: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Claims of a request object. `nonce` at least 16 visible characters, single use; `state` names
    the application; `encrypt_to`: public JWK of this request, its answer is asked encrypted.

    Raises:
        DcqlError: never after `DcqlQuery` was built. ValueError: nonce or lifetime out of bounds.
    """
    if _NONCE.fullmatch(nonce) is None or lifetime.total_seconds() > MAX_REQUEST_AGE_S:
        raise ValueError("nonce of 16 visible characters or more, lifetime of 15 minutes or less")
    client_id = client_id_of(verifier)
    metadata: dict[str, Any] = {
        "vp_formats_supported": dict(VP_FORMATS),
        **({"client_name": client_name} if client_name else {}),
    }
    if encrypt_to is not None:
        metadata["jwks"] = {"keys": [dict(encrypt_to)]}
        metadata["encrypted_response_enc_values_supported"] = list(ENCRYPTIONS)
    return {
        **(extra or {}),
        "aud": AUDIENCE,
        "client_id": client_id,
        "response_type": "vp_token",
        "response_mode": DIRECT_POST if encrypt_to is None else DIRECT_POST_JWT,
        "response_uri": response_uri,
        "nonce": nonce,
        "state": state,
        "dcql_query": query.to_json(),
        "client_metadata": metadata,
        **({"purpose": purpose} if purpose else {}),
        "iat": int(at.timestamp()),
        "exp": int((at + lifetime).timestamp()),
    }


def sign_request(
    claims: Mapping[str, Any], signer: Signer, *, wallet_nonce: str | None = None
) -> str:
    """The request object to serve at `request_uri` (media type `REQUEST_TYPE`). `wallet_nonce`:
    what the wallet posted, said back so that it knows the answer is fresh (§5.10).

    Raises:
        ValueError: a nonce that is too long or not visible characters.
    """
    if wallet_nonce is None:
        return sign_jws(claims, signer, typ=TYP)
    if re.fullmatch(r"[\x21-\x7e]{1,512}", wallet_nonce) is None:
        raise ValueError("a wallet nonce has at most 512 visible characters")
    return sign_jws({**claims, "wallet_nonce": wallet_nonce}, signer, typ=TYP)


def verify_request(
    token: str,
    resolve_key: Callable[[str], PublicKey],
    *,
    at: datetime,
    request_uri: str,
    client_id: str,
    wallet_nonce: str | None = None,
    wallet_issuer: str | None = None,
    anchors: Anchors | None = None,
    allow_loopback_http: bool = False,
) -> PresentationRequest:
    """Verify a request object as the wallet.

    Steps: (1) the client id is of a kind that signs; (2) its key: for a DID one of its
    verification methods (`resolve_key(verification_method)` raises when the trust registry does
    not pin it), for a certificate that of a leaf up to one of `anchors`; signature; (3) the claims
    name the client the wallet was called with, and the nonce the wallet sent; (4) dates; (5)
    `request_uri` and `response_uri` lie on the client's own origin; (6) response type and mode,
    audience, nonce, query, and the key an encrypted answer needs. Left to the caller: that the
    verifier is accredited for what it asks, and the citizen's consent.

    Raises:
        RequestRefusedError: with a stable `reason`. DcqlError: step 6. Whatever `resolve_key`
        raises.
    """
    known: list[Identified] = []

    def key_of(header: Mapping[str, Any]) -> PublicKey:  # 1, 2
        who = identify(
            client_id,
            header,
            resolve_key,
            anchors=anchors or Anchors(),
            at=at,
            allow_loopback_http=allow_loopback_http,
        )
        known.append(who)
        return who.key

    kind_of(client_id)  # 1
    try:
        claims = verify_jws(token, key_of, typ=TYP, max_chars=MAX_REQUEST_CHARS).claims
    except JwsMalformedError as error:
        raise RequestRefusedError("request-malformed", str(error)) from None
    except JwsError as error:
        raise RequestRefusedError("request-signature", str(error)) from None
    who = known[0]
    if claims.get("client_id") != client_id:  # 3; `iss` says nothing here (§5.8)
        raise RequestRefusedError("client-mismatch", "signed for another client id")
    if wallet_nonce is not None and claims.get("wallet_nonce") != wallet_nonce:
        raise RequestRefusedError("wallet-nonce", "not the answer to what this wallet sent")
    issued_at, expires_at = _dates(claims, at)  # 4
    response_uri = _response_uri(claims)  # 5
    origin = who.origin or origin_of(response_uri)
    if origin[0] != "https" and not (allow_loopback_http and origin[1] == "localhost"):
        raise RequestRefusedError("response-uri", "https only")
    if origin[1] not in who.hosts:
        raise RequestRefusedError("response-uri", "not on a host of the client")
    for reason, address in (("request-uri", request_uri), ("response-uri", response_uri)):
        if origin_of(address, reason) != origin:
            raise RequestRefusedError(reason, "not on the client's own origin")
    if claims.get("aud") not in (AUDIENCE, wallet_issuer or AUDIENCE):  # 6
        raise RequestRefusedError("request-audience")
    return _request(
        claims,
        client_id=client_id,
        verifier=who.verifier,
        vouched_by=who.vouched_by,
        response_uri=response_uri,
        issued_at=issued_at,
        expires_at=expires_at,
    )


def read_open_request(
    parameters: Mapping[str, str], *, at: datetime, allow_loopback_http: bool = False
) -> PresentationRequest:
    """Read the parameters of a request of a `redirect_uri:` client: it may not be signed (§5.9.3),
    so nothing says who asks; only where the answer would go. `verifier` is `NOT_KNOWN`. A wallet
    that answers only whom somebody vouches for shows it and refuses it.

    Raises:
        RequestRefusedError, DcqlError: as `verify_request`.
    """
    client_id = parameters.get("client_id", "")
    kind, address = kind_of(client_id)
    if kind is not ClientKind.REDIRECT_URI or {"request", "request_uri"} & set(parameters):
        raise RequestRefusedError("client-id-prefix", "only a redirect_uri client does not sign")
    claims: dict[str, Any] = dict(parameters)
    for name in ("dcql_query", "client_metadata", "transaction_data"):
        if name in claims:
            try:
                claims[name] = parse_json(claims[name].encode(), max_bytes=100_000)
            except (JsonRefusedError, UnicodeEncodeError):
                raise RequestRefusedError("request-malformed", f"{name} is not JSON") from None
    claims.setdefault("response_uri", address)
    response_uri = _response_uri(claims)
    if response_uri != address:
        raise RequestRefusedError("response-uri", "not the address that the client id names")
    scheme, host, _ = origin_of(response_uri)
    if scheme != "https" and not (allow_loopback_http and host == "localhost"):
        raise RequestRefusedError("response-uri", "https only")
    return _request(
        claims,
        client_id=client_id,
        verifier=NOT_KNOWN,
        vouched_by=None,
        response_uri=response_uri,
        issued_at=at,
        expires_at=at + timedelta(seconds=MAX_REQUEST_AGE_S),
    )


def _request(
    claims: Mapping[str, Any],
    *,
    client_id: str,
    verifier: Did,
    vouched_by: str | None,
    response_uri: str,
    issued_at: datetime,
    expires_at: datetime,
) -> PresentationRequest:
    """Step 6, for signed requests and others."""
    mode = claims.get("response_mode")
    if claims.get("response_type") != "vp_token" or mode not in (DIRECT_POST, DIRECT_POST_JWT):
        raise RequestRefusedError("response-mode", "only vp_token by direct_post")
    nonce, state = claims.get("nonce"), claims.get("state", "")
    if not isinstance(nonce, str) or _NONCE.fullmatch(nonce) is None or not isinstance(state, str):
        raise RequestRefusedError("request-malformed", "nonce or state is missing")
    if "transaction_data" in claims:
        raise RequestRefusedError("transaction-data", "not supported")
    metadata = claims.get("client_metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    name, purpose = metadata.get("client_name"), claims.get("purpose")
    return PresentationRequest(
        client_id=client_id,
        verifier=verifier,
        nonce=nonce,
        state=state,
        response_uri=response_uri,
        query=DcqlQuery.from_json(claims.get("dcql_query")),
        issued_at=issued_at,
        expires_at=expires_at,
        encryption=_encryption(metadata) if mode == DIRECT_POST_JWT else None,
        vouched_by=vouched_by,
        client_name=name[:200] if isinstance(name, str) else None,
        purpose=purpose[:1000] if isinstance(purpose, str) else None,
        claims=claims,
    )


def _response_uri(claims: Mapping[str, Any]) -> str:
    response_uri = claims.get("response_uri")
    if not isinstance(response_uri, str) or "redirect_uri" in claims:
        raise RequestRefusedError("response-uri", "response_uri expected, and no redirect_uri")
    return response_uri


def _encryption(metadata: Mapping[str, Any]) -> Encryption:
    """The first key that ECDH-ES can use, and the strongest content encryption named (§8.3; by
    default A128GCM)."""
    jwks = metadata.get("jwks")
    keys = jwks.get("keys") if isinstance(jwks, Mapping) else None
    usable = [
        key
        for key in (keys if isinstance(keys, list) else [])
        if isinstance(key, Mapping)
        and (key.get("kty"), key.get("crv")) == ("EC", "P-256")
        and key.get("use", "enc") == "enc"
        and key.get("alg") == "ECDH-ES"
        and "d" not in key
    ]
    if not usable:
        raise RequestRefusedError("response-key", "no key on P-256 to encrypt the answer to")
    named = metadata.get("encrypted_response_enc_values_supported", ["A128GCM"])
    methods = [m for m in ENCRYPTIONS if isinstance(named, list) and m in named]
    if not methods:
        raise RequestRefusedError("response-key", "no content encryption in common")
    return Encryption(json.loads(json.dumps(dict(usable[0]))), methods[0])


def _dates(claims: Mapping[str, Any], at: datetime) -> tuple[datetime, datetime]:
    """When it was issued and ends; without `exp` a quarter of an hour after `iat`."""
    issued_at = _instant(claims.get("iat"))
    longest = issued_at + timedelta(seconds=MAX_REQUEST_AGE_S)
    expires_at = _instant(claims["exp"]) if "exp" in claims else longest
    if issued_at > at + _LEEWAY:
        raise RequestRefusedError("request-not-yet-valid")
    if at >= expires_at or at > longest:
        raise RequestRefusedError("request-expired")
    return issued_at, expires_at


def _instant(value: object) -> datetime:
    if type(value) is not int or not 0 <= value < 2**40:
        raise RequestRefusedError("request-malformed", "dates are whole seconds")
    return datetime.fromtimestamp(value, UTC)
