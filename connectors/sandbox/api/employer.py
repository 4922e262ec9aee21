"""A fictitious employer that signs affiliations: OpenID4VCI 1.0, pre-authorised code flow, one
credential type.

The credential is bound to the holder's key (P-256 proof of possession) and carries one nullifier a
family: HMAC-SHA-256(k_F, "SIRET:EMPLOYEE NUMBER"), so that two applications of one employee are
seen and nothing else is.
"""

import hashlib
import hmac
import secrets
import threading
import unicodedata
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Body, Form, Header, Response
from fastapi.responses import JSONResponse

from connectors.sandbox.parties import Party
from connectors.sandbox.story import EMPLOYMENT, Employment
from federation.aids.national import FMD_FAMILY, PASS_FAMILY
from federation.credentials.issue import issue
from federation.credentials.model import StatusEntry
from federation.credentials.status import StatusList, issue_status_list
from federation.credentials.types import Nullifier, affiliation
from federation.jose import JwsError, JwsMalformedError, verify_jws
from federation.keys import MultikeyError, PublicKey, did_key, key_of_did_key
from schemas.errors import MobilityError

PRE_AUTHORISED: Final = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
CONFIGURATION: Final = "AffiliationCredential"
OFFER_TERM: Final = timedelta(hours=24)
TOKEN_TERM: Final = timedelta(minutes=10)
NONCE_TERM: Final = timedelta(minutes=5)
PROOF_AGE: Final = timedelta(minutes=5)
VALIDITY: Final = timedelta(days=365)
FAMILIES: Final = (FMD_FAMILY, PASS_FAMILY)
MAX_HELD: Final = 10_000
MAX_PROOFS: Final = 10


def canonical_employee(employment: Employment) -> str:
    """`SIRET:NUMBER`: digits of the SIRET, the number in NFC capitals without spaces."""
    siret = "".join(c for c in employment.siret if c.isdigit())
    number = "".join(unicodedata.normalize("NFC", employment.employee_number).upper().split())
    return f"{siret}:{number}"


def nullifier(family_key: bytes, family: str, employment: Employment) -> Nullifier:
    """The employee's nullifier in `family`. k_F is derived from the employer's family key."""
    key = hmac.new(family_key, f"family/{family}/1".encode(), hashlib.sha256).digest()
    value = hmac.new(key, canonical_employee(employment).encode(), hashlib.sha256).hexdigest()
    return Nullifier(family=family, version="1", value=value)


class _Once:
    """Secrets with a term, each usable once (`take`) or until its term (`holds`)."""

    def __init__(self, term: timedelta, clock: Callable[[], datetime]) -> None:
        self._term, self._clock = term, clock
        self._made: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def make(self) -> str:
        name = secrets.token_urlsafe(24)
        with self._lock:
            while len(self._made) >= MAX_HELD:
                self._made.pop(next(iter(self._made)))
            self._made[name] = self._clock()
        return name

    def holds(self, name: str) -> bool:
        with self._lock:
            made = self._made.get(name)
        return made is not None and self._clock() - made <= self._term

    def take(self, name: str) -> bool:
        good = self.holds(name)
        with self._lock:
            self._made.pop(name, None)
        return good


def create_employer_router(
    party: Party,
    *,
    issuer: str,
    family_key: bytes,
    clock: Callable[[], datetime],
    families: tuple[str, ...] = FAMILIES,
    employment: Employment = EMPLOYMENT,
) -> APIRouter:
    """Routes of the issuer `issuer` (…/employeur)."""
    router = APIRouter(tags=["employer"])
    base = "/" + party.path
    codes, tokens = _Once(OFFER_TERM, clock), _Once(TOKEN_TERM, clock)
    nonces = _Once(NONCE_TERM, clock)
    bits = StatusList.empty()
    issued: set[int] = set()
    lock = threading.Lock()
    list_url = f"{issuer}/status/1"

    def refused(code: str, status: int = 400) -> Response:
        return JSONResponse({"error": code}, status_code=status)

    def offer_of(code: str) -> dict[str, Any]:
        return {
            "credential_issuer": issuer,
            "credential_configuration_ids": [CONFIGURATION],
            "grants": {PRE_AUTHORISED: {"pre-authorized_code": code}},
        }

    @router.get(f"/.well-known/openid-credential-issuer{base}")
    @router.get(f"{base}/.well-known/openid-credential-issuer")
    def metadata() -> dict[str, Any]:
        return {
            "credential_issuer": issuer,
            "credential_endpoint": f"{issuer}/credential",
            "nonce_endpoint": f"{issuer}/nonce",
            "batch_credential_issuance": {"batch_size": MAX_PROOFS},
            "credential_configurations_supported": {
                CONFIGURATION: {
                    "format": "ldp_vc",
                    "credential_definition": {
                        "@context": ["https://www.w3.org/ns/credentials/v2"],
                        "type": ["VerifiableCredential", CONFIGURATION],
                    },
                    "cryptographic_binding_methods_supported": ["did:key"],
                    "credential_signing_alg_values_supported": ["eddsa-rdfc-2022"],
                    "proof_types_supported": {
                        "jwt": {"proof_signing_alg_values_supported": ["ES256"]}
                    },
                }
            },
            "display": [
                {"name": employment.employer_name, "locale": "fr"},
                {"name": f"{employment.employer_name} — sandbox", "locale": "en"},
            ],
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

    @router.post(f"{base}/offers", status_code=201)
    def offer() -> dict[str, Any]:
        """A new credential offer for the sandbox's one employee."""
        code = codes.make()
        where = f"{issuer}/offers/{code}"
        return {
            "credential_offer": offer_of(code),
            "credential_offer_uri": where,
            "link": f"openid-credential-offer://?credential_offer_uri={quote(where, safe='')}",
        }

    @router.get(f"{base}/offers/{{code}}")
    def offered(code: str) -> Response:
        return JSONResponse(offer_of(code)) if codes.holds(code) else refused("not_found", 404)

    @router.post(f"{base}/token")
    def token(
        grant_type: Annotated[str, Form()],
        code: Annotated[str, Form(alias="pre-authorized_code", max_length=200)],
    ) -> Response:
        if grant_type != PRE_AUTHORISED:
            return refused("unsupported_grant_type")
        if not codes.take(code):
            return refused("invalid_grant")
        return JSONResponse(
            {
                "access_token": tokens.make(),
                "token_type": "Bearer",
                "expires_in": int(TOKEN_TERM.total_seconds()),
            },
            headers={"Cache-Control": "no-store"},
        )

    @router.post(f"{base}/nonce")
    def nonce() -> Response:
        return JSONResponse({"c_nonce": nonces.make()}, headers={"Cache-Control": "no-store"})

    @router.post(f"{base}/credential")
    def credential(
        body: Annotated[dict[str, Any], Body()], authorization: Annotated[str, Header()] = ""
    ) -> Response:
        """One credential a proof of possession, at most ten."""
        scheme, _, access = authorization.partition(" ")
        if scheme.lower() != "bearer" or not tokens.holds(access):
            return refused("invalid_token", 401)
        if body.get("credential_configuration_id") != CONFIGURATION:
            return refused("unknown_credential_configuration")
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
            {"credentials": [{"credential": signed(key)} for key in holders]},
            headers={"Cache-Control": "no-store"},
        )

    def signed(key: PublicKey) -> dict[str, Any]:
        now = clock()
        with lock:
            index = bits.random_index(issued.__contains__)
            issued.add(index)
        body = affiliation(
            holder=did_key(key),
            employer_name=employment.employer_name,
            employer_id=employment.siret,
            employee_number=employment.employee_number,
            status=employment.status,
            nullifiers=[nullifier(family_key, family, employment) for family in families],
            valid_until=now + VALIDITY,
        )
        since = datetime.combine(employment.since, datetime.min.time(), tzinfo=now.tzinfo)
        return issue(
            body,
            signer=party.signer,
            at=now,
            status=StatusEntry(list_url, index),
            valid_from=since,
        )

    @router.get(f"{base}/status/1")
    def status_list() -> Response:
        now = clock()
        with lock:
            document = issue_status_list(
                bits,
                url=list_url,
                signer=party.signer,
                at=now,
                valid_until=now + timedelta(hours=24),
            )
        return JSONResponse(document, media_type="application/vc")

    @router.post(f"{base}/_revoke/{{index}}", status_code=204)
    def revoke(index: int) -> Response:
        """The contract ended: from now on the credential's status says so."""
        with lock:
            if index not in issued:
                return refused("not_found", 404)
            bits.set(index)
        return Response(status_code=204)

    return router


def _holder(
    jwt: Any, *, issuer: str, nonces: _Once, seen: set[str], at: datetime
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
    if not isinstance(given, str) or not nonces.holds(given):
        return "invalid_nonce"
    seen.add(given)
    return proof.key


__all__ = ["FAMILIES", "canonical_employee", "create_employer_router", "nullifier"]
