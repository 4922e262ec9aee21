"""OpenID4VCI 1.0, issuer side: codes for tokens, one credential for each proof of possession,
several data sets under one code, deferred issuance, notification; the login half is beside
(`authorization.py`).

An issuer says what it can sign (`Offering`) for a subject (a customer; the sandbox has one); codes,
tokens and nonces are kept by `Held`, once each and for a term. One code may cover many credentials
(each signed trip is one): the token answer lists their identifiers (§6.2,
`credential_identifiers`), the wallet asks each.
Source: OpenID4VCI 1.0 Final §4 (offer), §6 (token), §7 (nonce), §8 (credential), §9
(deferred), §11
(notification), Appendix F.1 (`jwt` proof).
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Body, Form, Header, Response
from fastapi.responses import JSONResponse

from connectors.issuer.api.authorization import Login, create_authorization_router
from connectors.issuer.api.held import TOKEN_TERM, Held, InMemory, Secrets
from federation.credentials.words import TYPES
from federation.jose import JwsError, JwsMalformedError, verify_jws
from federation.keys import MultikeyError, PublicKey, decode_multikey, key_of_did_key
from federation.openid4vci import AUTHORIZATION_CODE, code_challenge
from schemas.errors import MobilityError

PRE_AUTHORISED: Final = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
PROOF_AGE: Final = timedelta(minutes=5)
MAX_PROOFS: Final = 10
DEFERRED_INTERVAL_S: Final = 60
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
    is_ready: Callable[[str], bool] = field(default=lambda _: True)
    """Whether a data set can be signed now; else its credential is deferred."""


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


def offer_of(
    issuer: str, code: str, ids: Sequence[str], *, by_login: bool = False
) -> dict[str, Any]:
    """Offer object of a pre-authorised code, or of the state of a login."""
    grant = (
        {AUTHORIZATION_CODE: {"issuer_state": code}}
        if by_login
        else {PRE_AUTHORISED: {"pre-authorized_code": code}}
    )
    return {
        "credential_issuer": issuer,
        "credential_configuration_ids": list(ids),
        "grants": grant,
    }


def offer_answer(
    issuer: str, kept: Secrets, subject: str, ids: Sequence[str], *, by_login: bool = False
) -> dict[str, Any]:
    """A new offer: by value, by reference, and as a link for a QR. `by_login`: the person agrees on
    a page of the issuer's first."""
    code = (kept.states if by_login else kept.codes).make(subject, *ids)
    where = f"{issuer}/offers/{code}"
    return {
        "credential_offer": offer_of(issuer, code, ids, by_login=by_login),
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
    login: Login | None = None,
    open_to_all: bool = True,
    allow_loopback: bool = True,
) -> APIRouter:
    """Routes of the issuer `issuer`, below `/{path}` (its root when empty). `open_to_all`: anybody
    may make an offer, for the one subject of the sandbox; else its owner makes codes in `kept`.
    `login`: the authorisation code flow too."""
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
            "deferred_credential_endpoint": f"{issuer}/deferred_credential",
            "notification_endpoint": f"{issuer}/notification",
            "batch_credential_issuance": {"batch_size": MAX_PROOFS},
            "credential_configurations_supported": {
                offering.id: {
                    **offering.metadata,
                    "cryptographic_binding_methods_supported": ["did:key", "jwk"],
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
            **(
                {
                    "authorization_endpoint": f"{issuer}/authorize",
                    "pushed_authorization_request_endpoint": f"{issuer}/par",
                    "code_challenge_methods_supported": ["S256"],
                    "authorization_response_iss_parameter_supported": True,
                }
                if login
                else {}
            ),
            "grant_types_supported": [*([AUTHORIZATION_CODE] if login else []), PRE_AUTHORISED],
            "response_types_supported": ["code"] if login else [],
            "token_endpoint_auth_methods_supported": ["none"],
            "pre-authorized_grant_anonymous_access_supported": True,
        }

    def offer(configuration: str = "", grant: str = "") -> Response:
        """A new credential offer for the sandbox's one person; of everything unless one is
        named. `grant=authorization_code`: with a login."""
        if configuration and configuration not in known:
            return refused("unknown_credential_configuration")
        ids = (configuration,) if configuration else tuple(known)
        by_login = grant == AUTHORIZATION_CODE and login is not None
        return JSONResponse(offer_answer(issuer, kept, "", ids, by_login=by_login), status_code=201)

    if open_to_all:
        router.add_api_route(f"{base}/offers", offer, methods=["POST"], status_code=201)

    @router.get(f"{base}/offers/{{code}}")
    def offered(code: str) -> Response:
        found, by_login = codes.holds(code), False
        if found is None:
            found, by_login = kept.states.holds(code), True
        if found is None:
            return refused("not_found", 404)
        return JSONResponse(offer_of(issuer, code, found[1:], by_login=by_login))

    @router.post(f"{base}/token")
    def token(  # noqa: PLR0917  # a form's fields
        grant_type: Annotated[str, Form()],
        pre_authorised: Annotated[str, Form(alias="pre-authorized_code", max_length=200)] = "",
        code: Annotated[str, Form(max_length=200)] = "",
        redirect_uri: Annotated[str, Form(max_length=4_000)] = "",
        client_id: Annotated[str, Form(max_length=4_000)] = "",
        code_verifier: Annotated[str, Form(max_length=200)] = "",
    ) -> Response:
        if grant_type == PRE_AUTHORISED:
            found = codes.take(pre_authorised)
        elif grant_type == AUTHORIZATION_CODE and login is not None:
            found = _redeemed(kept.logins.take(code), client_id, redirect_uri, code_verifier)
        else:
            return refused("unsupported_grant_type")
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
        if not offering.is_ready(data_set):
            transaction = kept.transactions.make(
                _digest(access), offering.id, data_set, *(key.multikey() for key in holders)
            )
            return _later(transaction)
        return JSONResponse(
            {
                "credentials": [{"credential": offering.sign(data_set, key)} for key in holders],
                "notification_id": notifications.make(_digest(access)),
            },
            headers=_NO_STORE,
        )

    @router.post(f"{base}/deferred_credential")
    def deferred(
        body: Annotated[dict[str, Any], Body()], authorization: Annotated[str, Header()] = ""
    ) -> Response:
        """What was not ready (§9): the token that asked may ask again for as long as it takes."""
        scheme, _, access = authorization.partition(" ")
        transaction = str(body.get("transaction_id", ""))
        about = kept.transactions.holds(transaction)
        if about is None:
            return refused("invalid_transaction_id")
        if scheme.lower() != "bearer" or about[0] != _digest(access):
            return refused("invalid_token", 401)
        offering, data_set = known[about[1]], about[2]
        if not offering.is_ready(data_set):
            return _later(transaction)
        if kept.transactions.take(transaction) is None:  # another call was first
            return refused("invalid_transaction_id")
        keys = [decode_multikey(key) for key in about[3:]]
        return JSONResponse(
            {
                "credentials": [{"credential": offering.sign(data_set, key)} for key in keys],
                "notification_id": notifications.make(about[0]),
            },
            headers=_NO_STORE,
        )

    @router.post(f"{base}/notification")
    def notification(
        body: Annotated[dict[str, Any], Body()], authorization: Annotated[str, Header()] = ""
    ) -> Response:
        """What became of a credential (§11): noted once; saying it again changes nothing."""
        scheme, _, access = authorization.partition(" ")
        about = notifications.holds(str(body.get("notification_id", "")))
        if scheme.lower() != "bearer" or (about is None and tokens.holds(access) is None):
            return refused("invalid_token", 401)
        if body.get("event") not in EVENTS:
            return refused("invalid_notification_request")
        if about is None:
            return refused("invalid_notification_id")
        if about[0] != _digest(access):
            return refused("invalid_token", 401)
        return Response(status_code=204)

    if login is not None:
        router.include_router(
            create_authorization_router(
                base,
                issuer=issuer,
                kept=kept,
                titles={name: _title(name) for name in known},
                login=login,
                allow_loopback=allow_loopback,
            )
        )
    return router


def _title(credential_type: str) -> str:
    french, _ = TYPES.get(credential_type, (credential_type, credential_type))
    return french


def _digest(access: str) -> str:
    return hashlib.sha256(access.encode()).hexdigest()


def _later(transaction: str) -> Response:
    return JSONResponse(
        {"transaction_id": transaction, "interval": DEFERRED_INTERVAL_S},
        status_code=202,
        headers=_NO_STORE,
    )


def _redeemed(
    about: Sequence[str] | None, client_id: str, redirect_uri: str, verifier: str
) -> tuple[str, ...] | None:
    """Subject and configurations of an authorisation code, if this client began it (RFC 7636)."""
    if about is None or not verifier.isascii():
        return None
    subject, client, redirect, challenge, *ids = about
    if (client, redirect) != (client_id, redirect_uri):
        return None
    if not hmac.compare_digest(code_challenge(verifier), challenge):
        return None
    return (subject, *ids)


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
    "Offering",
    "create_issuance_router",
    "ldp_vc",
    "offer_answer",
    "sd_jwt_vc",
]
