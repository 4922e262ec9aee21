"""OpenID4VCI, wallet side: redeem a pre-authorised offer to the holder key of one verifier.

Steps: (1) read the offer (by value, by link, or by reference on the issuer's origin), (2) issuer
and authorisation metadata, every endpoint on the issuer's own origin, (3) code for token, (4) a
nonce, (5) a proof of possession of the holder key, (6) the credential: bound to that key, signed by
an issuer the registry accredits for its type, (7) kept in the vault. All calls go through the
home's bounded client; none inside a transaction.
"""

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from federation.credentials.model import parse_credential
from federation.openid4vci import (
    CredentialOffer,
    CredentialRequest,
    TokenRequest,
    proof_jwt,
    read_credential_response,
)
from federation.proofs import verify_proof
from federation.trust import TrustError
from federation.wire.http import Answer
from schemas.ids import Did
from schemas.records import Credential
from vault.errors import ShareRefusedError

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["accept_offer"]

_OK: Final = (200,)


def accept_offer(
    vault: "OpenVault", offer: "str | CredentialOffer", *, verifier: Did
) -> Credential:
    """Steps 1 to 7.

    Raises:
        IssuanceError: offer or answers are not what the protocol says.
        ShareRefusedError: `issuer-origin`, `issuer-not-accredited`, `holder-mismatch`,
            `credential-signature`.
        OutboundError: the issuer cannot be reached.
    """
    http, at = vault.home.http, vault.home.clock()
    found = offer if isinstance(offer, CredentialOffer) else _read_offer(vault, offer)  # 1
    issuer = found.credential_issuer
    metadata = http.get(_well_known(issuer, "openid-credential-issuer")).json()  # 2
    server = http.get(_well_known(issuer, "oauth-authorization-server")).json()
    if metadata.get("credential_issuer") != issuer:
        raise ShareRefusedError("issuer-origin")
    token_endpoint = _endpoint(issuer, server.get("token_endpoint"))
    nonce_endpoint = _endpoint(issuer, metadata.get("nonce_endpoint"))
    credential_endpoint = _endpoint(issuer, metadata.get("credential_endpoint"))
    token = _member(  # 3
        http.post(
            token_endpoint,
            form=TokenRequest(found.pre_authorized_code).to_form(),
            statuses=_OK,
        ),
        "access_token",
    )
    nonce = _member(http.post(nonce_endpoint, statuses=_OK), "c_nonce")  # 4
    holder = vault.holder_key(verifier)
    proof = proof_jwt(holder, audience=issuer, nonce=nonce, at=at)  # 5
    answer = http.post(
        credential_endpoint,
        json=CredentialRequest(found.configuration_ids[0], (proof,)).to_json(),
        headers={"Authorization": f"Bearer {token}"},
        statuses=_OK,
    )
    document = read_credential_response(answer.body)[0]  # 6
    parsed = parse_credential(document)
    if parsed.holder != holder.verification_method.partition("#")[0]:
        raise ShareRefusedError("holder-mismatch")
    trust = vault.home.trust
    if trust is None or not trust.may_issue(parsed.issuer, parsed.type, at):
        raise ShareRefusedError("issuer-not-accredited")
    try:
        key = trust.key(parsed.proof.verification_method, at)
    except TrustError:
        raise ShareRefusedError("issuer-not-accredited") from None
    verify_proof(document, key=key)
    kept = vault.accept_credential(document)  # 7
    vault.note("credential-received", actor=parsed.issuer, type=parsed.type)
    return kept


def _read_offer(vault: "OpenVault", offer: str) -> CredentialOffer:
    text = offer.strip()
    if text.startswith("{"):
        return CredentialOffer.from_json(json.loads(text))
    reference = parse_qs(urlsplit(text).query).get("credential_offer_uri")
    if reference and len(reference) == 1:
        answer = vault.home.http.get(reference[0])
        read = CredentialOffer.from_json(answer.json())
        if _origin(reference[0]) != _origin(read.credential_issuer):
            raise ShareRefusedError("issuer-origin")
        return read
    return CredentialOffer.from_uri(text)


def _origin(address: str) -> tuple[str, str, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port


def _well_known(issuer: str, name: str) -> str:
    """OpenID4VCI 1.0 §12.2.2: the well-known part goes between host and path."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/.well-known/{name}{parts.path}"


def _endpoint(issuer: str, address: Any) -> str:
    if not isinstance(address, str) or _origin(address) != _origin(issuer):
        raise ShareRefusedError("issuer-origin")
    return address


def _member(answer: Answer, name: str) -> str:
    body = answer.json()
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str):
        raise ShareRefusedError(f"issuer-answer:{name}")
    return value
