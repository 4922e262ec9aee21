"""OpenID4VCI, wallet side: redeem a pre-authorised offer to the holder key of one verifier.

Steps: (1) read the offer (by value, by link, or by reference on the issuer's origin), (2) issuer
and authorisation metadata, every endpoint on the issuer's own origin, (3) code for token, (4) a
nonce, (5) a proof of possession of the holder key, (6) the credential: bound to that key, signed by
an issuer the registry accredits for its type, (7) kept in the vault. All calls go through the
home's bounded client; none inside a transaction.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from federation.credentials.held import Held, keep_sd_jwt, read_held
from federation.credentials.model import parse_credential
from federation.credentials.sd_jwt_vc import TYP
from federation.credentials.selective import verify_received
from federation.keys import PublicKey
from federation.openid4vci import (
    CredentialOffer,
    TokenRequest,
    credential_requests,
    proof_jwt,
    read_credential_response,
)
from federation.proofs import ProofInvalidError
from federation.proofs.sd_jwt import SdJwtError, SdJwtMalformedError, verify_sd_jwt
from federation.trust import TrustError
from federation.wire.errors import OutboundError
from federation.wire.http import Answer
from schemas.ids import Did
from schemas.records import Credential
from vault.errors import ShareRefusedError

if TYPE_CHECKING:
    from federation.keys import Signer
    from vault.open_vault import OpenVault

__all__ = ["accept_offer"]

_OK: Final = (200,)


def accept_offer(
    vault: "OpenVault",
    offer: "str | CredentialOffer",
    *,
    verifier: Did,
    tx_code: str | None = None,
) -> tuple[Credential, ...]:
    """Steps 1 to 7; one credential for each configuration, or for each of its data sets. `tx_code`
    is what the person was told apart, where the issuer asks for it.

    Raises:
        IssuanceError: offer or answers are not what the protocol says.
        ShareRefusedError: `issuer-origin`, `issuer-not-accredited`, `holder-mismatch`,
            `credential-signature`, `too-many-credentials`.
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
    granted = http.post(  # 3
        token_endpoint,
        form=TokenRequest(found.pre_authorized_code, tx_code).to_form(),
        statuses=_OK,
    )
    bearer = {"Authorization": f"Bearer {_member(granted, 'access_token')}"}
    holder = vault.holder_key(verifier)
    notification_endpoint = metadata.get("notification_endpoint")
    kept: list[Credential] = []
    for request in credential_requests(granted.json(), found.configuration_ids):
        nonce = _member(http.post(nonce_endpoint, statuses=_OK), "c_nonce")  # 4
        proof = proof_jwt(holder, audience=issuer, nonce=nonce, at=at)  # 5
        answer = http.post(
            credential_endpoint,
            json=request.with_proofs(proof).to_json(),
            headers=bearer,
            statuses=_OK,
        )
        for document in read_credential_response(answer.body):  # 6
            parsed = _verified(vault, document, holder=holder, at=at)
            kept.append(vault.accept_credential(document))  # 7
            vault.note("credential-received", actor=parsed.issuer, type=parsed.type)
        if notification_endpoint is not None:
            _notify(vault, _endpoint(issuer, notification_endpoint), answer, bearer)
    return tuple(kept)


def _verified(
    vault: "OpenVault", document: Mapping[str, Any] | str, *, holder: "Signer", at: datetime
) -> Held:
    """The credential of an answer: bound to our key, signed by an issuer accredited for it."""
    parsed = read_held(keep_sd_jwt(document) if isinstance(document, str) else document)
    if parsed.holder != holder.verification_method.partition("#")[0]:
        raise ShareRefusedError("holder-mismatch")
    trust = vault.home.trust
    if trust is None or not trust.may_issue(parsed.issuer, parsed.type, at):
        raise ShareRefusedError("issuer-not-accredited")

    def key_of(header: Mapping[str, Any]) -> PublicKey:
        method = str(header.get("kid", ""))
        if method.partition("#")[0] != parsed.issuer:
            raise ShareRefusedError("credential-signature")
        return trust.key(method, at)

    try:
        if isinstance(document, str):
            verify_sd_jwt(document, key_of, typ=TYP, binding=None)
        else:
            method = parse_credential(document).proof.verification_method
            verify_received(document, key=key_of({"kid": method}))
    except TrustError:
        raise ShareRefusedError("issuer-not-accredited") from None
    except (SdJwtError, SdJwtMalformedError, ProofInvalidError):
        raise ShareRefusedError("credential-signature") from None
    return parsed


def _notify(vault: "OpenVault", endpoint: str, answer: Answer, bearer: Mapping[str, str]) -> None:
    """Tell the issuer that its credential was kept (§11): a courtesy that may fail."""
    identifier = answer.json().get("notification_id")
    if not isinstance(identifier, str):
        return
    with suppress(OutboundError):
        vault.home.http.post(
            endpoint,
            json={"notification_id": identifier, "event": "credential_accepted"},
            headers=dict(bearer),
            statuses=(200, 204),
        )


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
