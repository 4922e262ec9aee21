"""OpenID4VCI 1.0, issuer side: pre-authorised code, one credential for each proof of possession,
several data sets under one code, notification.

An issuer says what it can sign (`Offering`) for a subject (a customer; the sandbox has one); codes,
tokens and nonces are kept by `Held`, once each and for a term. One code may cover many credentials
(each signed trip is one): the token answer lists their identifiers (§6.2,
`credential_identifiers`), the wallet asks each.
Source: OpenID4VCI 1.0 Final §4 (offer), §6 (token), §7 (nonce), §8 (credential), §11
(notification), Appendix F.1 (`jwt` proof).
"""

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Protocol
from urllib.parse import quote

from fastapi import APIRouter, Body, Form, Header, Response
from fastapi.responses import JSONResponse

from federation.jose import JwsError, JwsMalformedError, verify_jws
from federation.keys import MultikeyError, PublicKey, key_of_did_key
from schemas.errors import MobilityError

PRE_AUTHORISED: Final = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
OFFER_TERM: Final = timedelta(hours=24)
TOKEN_TERM: Final = timedelta(minutes=10)
NONCE_TERM: Final = timedelta(minutes=5)
PROOF_AGE: Final = timedelta(minutes=5)
MAX_HELD: Final = 10_000
MAX_PROOFS: Final = 10
EVENTS: Final = frozenset({"credential_accepted", "credential_failure", "credential_deleted"})
_NO_STORE: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Offering:
    """One credential configuration: its metadata, its data sets, and how one is signed."""

    id: str
    metadata: Mapping[str, Any]
    sign: Callable[[str, PublicKey], Mapping[str, Any] | str]
    """(data set, holder's key) → the credential."""
    data_sets: Callable[[str], Sequence[str]] = field(default=lambda _: ("",))
    """Subject → identifiers of what it may have; one empty name: a single credential."""


def ldp_vc(credential_type: str) -> dict[str, Any]:
    """Metadata of a W3C credential."""
    return {
        "format": "ldp_vc",
        "credential_definition": {
            "@context": ["https://www.w3.org/ns/credentials/v2"],
            "type": ["VerifiableCredential", credential_type],
        },
        "credential_signing_alg_values_supported": ["eddsa-rdfc-2022"],
    }


def sd_jwt_vc(vct: str, algorithm: str) -> dict[str, Any]:
    """Metadata of an SD-JWT VC."""
    return {
        "format": "dc+sd-jwt",
        "vct": vct,
        "credential_signing_alg_values_supported": [algorithm],
    }


class Held(Protocol):
    """Secrets of one kind, each with a term and with what it is about."""

    def make(self, *about: str) -> str:
        """A new one."""
        ...

    def holds(self, name: str) -> tuple[str, ...] | None:
        """What it is about, within its term."""
        ...

    def take(self, name: str) -> tuple[str, ...] | None:
        """As `holds`, and never again."""
        ...


class InMemory:
    """`Held` of one process: gone when it stops."""

    def __init__(self, term: timedelta, clock: Callable[[], datetime]) -> None:
        self._term, self._clock = term, clock
        self._made: dict[str, tuple[datetime, tuple[str, ...]]] = {}
        self._lock = threading.Lock()

    def make(self, *about: str) -> str:
        name = secrets.token_urlsafe(24)
        with self._lock:
            while len(self._made) >= MAX_HELD:
                self._made.pop(next(iter(self._made)))
            self._made[name] = (self._clock(), about)
        return name

    def holds(self, name: str) -> tuple[str, ...] | None:
        with self._lock:
            made = self._made.get(name)
        return None if made is None or self._clock() - made[0] > self._term else made[1]

    def take(self, name: str) -> tuple[str, ...] | None:
        with self._lock:
            made = self._made.pop(name, None)
        return None if made is None or self._clock() - made[0] > self._term else made[1]


@dataclass(frozen=True, slots=True)
class Secrets:
    """What an issuer hands out and takes back."""

    codes: Held
    """About: subject, then configurations."""
    tokens: Held
    nonces: Held
    notifications: Held

    @classmethod
    def of(cls, make: Callable[[str, timedelta], Held]) -> "Secrets":
        """Each kind with its term, by name."""
        return cls(
            make("code", OFFER_TERM),
            make("token", TOKEN_TERM),
            make("nonce", NONCE_TERM),
            make("notification", OFFER_TERM),
        )


def offer_of(issuer: str, code: str, ids: Sequence[str]) -> dict[str, Any]:
    """Offer object of a code."""
    return {
        "credential_issuer": issuer,
        "credential_configuration_ids": list(ids),
        "grants": {PRE_AUTHORISED: {"pre-authorized_code": code}},
    }


def offer_answer(issuer: str, code: str, ids: Sequence[str]) -> dict[str, Any]:
    """A new offer: by value, by reference, and as a link for a QR."""
    where = f"{issuer}/offers/{code}"
    return {
        "credential_offer": offer_of(issuer, code, ids),
        "credential_offer_uri": where,
        "link": f"openid-credential-offer://?credential_offer_uri={quote(where, safe='')}",
    }


def create_issuance_router(
    path: str,
    *,
    issuer: str,
    display: Sequence[Mapping[str, str]],
    offerings: Sequence[Offering],
    clock: Callable[[], datetime],
    kept: Secrets | None = None,
    open_to_all: bool = True,
) -> APIRouter:
    """Routes of the issuer `issuer`, below `/{path}` (its root when empty). `open_to_all`: anybody
    may make an offer, for the one subject of the sandbox; else its owner makes codes in `kept`."""
    router = APIRouter(tags=["issuance"])
    base = f"/{path}" if path else ""
    known = {offering.id: offering for offering in offerings}
    kept = kept or Secrets.of(lambda _, term: InMemory(term, clock))
    codes, tokens = kept.codes, kept.tokens
    nonces, notifications = kept.nonces, kept.notifications

    def refused(code: str, status: int = 400) -> Response:
        return JSONResponse({"error": code}, status_code=status)

    @router.get(f"/.well-known/openid-credential-issuer{base}")
    @router.get(f"{base}/.well-known/openid-credential-issuer")
    def metadata() -> dict[str, Any]:
        return {
            "credential_issuer": issuer,
            "credential_endpoint": f"{issuer}/credential",
            "nonce_endpoint": f"{issuer}/nonce",
            "notification_endpoint": f"{issuer}/notification",
            "batch_credential_issuance": {"batch_size": MAX_PROOFS},
            "credential_configurations_supported": {
                offering.id: {
                    **offering.metadata,
                    "cryptographic_binding_methods_supported": ["did:key"],
                    "proof_types_supported": {
                        "jwt": {"proof_signing_alg_values_supported": ["ES256"]}
                    },
                }
                for offering in offerings
            },
            "display": [dict(entry) for entry in display],
        }

    @router.get(f"/.well-known/oauth-authorization-server{base}")
    @router.get(f"{base}/.well-known/oauth-authorization-server")
    def authorization_server() -> dict[str, Any]:
        return {
            "issuer": issuer,
            "token_endpoint": f"{issuer}/token",
            "grant_types_supported": [PRE_AUTHORISED],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["none"],
            "pre-authorized_grant_anonymous_access_supported": True,
        }

    def offer(configuration: str = "") -> Response:
        """A new credential offer for the sandbox's one person; of everything unless one is
        named."""
        if configuration and configuration not in known:
            return refused("unknown_credential_configuration")
        ids = (configuration,) if configuration else tuple(known)
        return JSONResponse(offer_answer(issuer, codes.make("", *ids), ids), status_code=201)

    if open_to_all:
        router.add_api_route(f"{base}/offers", offer, methods=["POST"], status_code=201)

    @router.get(f"{base}/offers/{{code}}")
    def offered(code: str) -> Response:
        found = codes.holds(code)
        if found is None:
            return refused("not_found", 404)
        return JSONResponse(offer_of(issuer, code, found[1:]))

    @router.post(f"{base}/token")
    def token(
        grant_type: Annotated[str, Form()],
        code: Annotated[str, Form(alias="pre-authorized_code", max_length=200)],
    ) -> Response:
        if grant_type != PRE_AUTHORISED:
            return refused("unsupported_grant_type")
        found = codes.take(code)
        if found is None:
            return refused("invalid_grant")
        subject, *ids = found
        details = [
            {
                "type": "openid_credential",
                "credential_configuration_id": name,
                "credential_identifiers": [
                    f"{name}/{item}" for item in known[name].data_sets(subject)
                ],
            }
            for name in ids
            if tuple(known[name].data_sets(subject)) != ("",)
        ]
        return JSONResponse(
            {
                "access_token": tokens.make(subject, *ids),
                "token_type": "Bearer",
                "expires_in": int(TOKEN_TERM.total_seconds()),
                **({"authorization_details": details} if details else {}),
            },
            headers=_NO_STORE,
        )

    @router.post(f"{base}/nonce")
    def nonce() -> Response:
        return JSONResponse({"c_nonce": nonces.make()}, headers=_NO_STORE)

    @router.post(f"{base}/credential")
    def credential(
        body: Annotated[dict[str, Any], Body()], authorization: Annotated[str, Header()] = ""
    ) -> Response:
        """One credential a proof of possession, at most ten."""
        scheme, _, access = authorization.partition(" ")
        allowed = tokens.holds(access) if scheme.lower() == "bearer" else None
        if allowed is None:
            return refused("invalid_token", 401)
        asked = _asked(body, known, allowed)
        if isinstance(asked, str):
            return refused(asked)
        offering, data_set = asked
        proofs = body.get("proofs")
        jwts = proofs.get("jwt") if isinstance(proofs, dict) else None
        if not isinstance(jwts, list) or not 1 <= len(jwts) <= MAX_PROOFS:
            return refused("invalid_proof")
        holders: list[PublicKey] = []
        seen: set[str] = set()
        for jwt in jwts:
            found = _holder(jwt, issuer=issuer, nonces=nonces, seen=seen, at=clock())
            if isinstance(found, str):
                return refused(found)
            holders.append(found)
        for used in seen:
            nonces.take(used)
        return JSONResponse(
            {
                "credentials": [{"credential": offering.sign(data_set, key)} for key in holders],
                "notification_id": notifications.make(),
            },
            headers=_NO_STORE,
        )

    @router.post(f"{base}/notification")
    def notification(
        body: Annotated[dict[str, Any], Body()], authorization: Annotated[str, Header()] = ""
    ) -> Response:
        """What became of a credential (§11): noted once; saying it again changes nothing."""
        scheme, _, access = authorization.partition(" ")
        if scheme.lower() != "bearer" or tokens.holds(access) is None:
            return refused("invalid_token", 401)
        if body.get("event") not in EVENTS:
            return refused("invalid_notification_request")
        if notifications.holds(str(body.get("notification_id", ""))) is None:
            return refused("invalid_notification_id")
        return Response(status_code=204)

    return router


def _asked(
    body: Mapping[str, Any], known: Mapping[str, Offering], granted: Sequence[str]
) -> tuple[Offering, str] | str:
    """What a credential request names, by identifier or by configuration, or the error's code."""
    subject, *allowed = granted
    identifier = body.get("credential_identifier")
    if identifier is not None and "credential_configuration_id" not in body:
        name, _, data_set = str(identifier).partition("/")
        if name not in allowed or data_set not in known[name].data_sets(subject):
            return "unknown_credential_identifier"
        return known[name], data_set
    name = str(body.get("credential_configuration_id"))
    if name not in allowed:
        return "unknown_credential_configuration"
    if tuple(known[name].data_sets(subject)) != ("",):
        return "invalid_credential_request"  # §8.2: with identifiers, they must be used
    return known[name], ""


def _holder(
    jwt: Any, *, issuer: str, nonces: Held, seen: set[str], at: datetime
) -> PublicKey | str:
    """The key a proof JWT proves possession of (OpenID4VCI 1.0 §8.2, appendix F.1), or the error's
    code."""
    if not isinstance(jwt, str):
        return "invalid_proof"
    try:
        proof = verify_jws(
            jwt,
            lambda header: key_of_did_key(str(header.get("kid", ""))),
            typ="openid4vci-proof+jwt",
        )
    except (JwsError, JwsMalformedError, MultikeyError, MobilityError, ValueError):
        return "invalid_proof"
    issued_at = proof.claims.get("iat")
    if (
        proof.key.algorithm != "P-256"
        or proof.claims.get("aud") != issuer
        or not isinstance(issued_at, int)
        or abs(at.timestamp() - issued_at) > PROOF_AGE.total_seconds()
    ):
        return "invalid_proof"
    given = proof.claims.get("nonce")
    if not isinstance(given, str) or nonces.holds(given) is None:
        return "invalid_nonce"
    seen.add(given)
    return proof.key


__all__ = [
    "PRE_AUTHORISED",
    "Held",
    "InMemory",
    "Offering",
    "Secrets",
    "create_issuance_router",
    "ldp_vc",
    "offer_answer",
    "sd_jwt_vc",
]
