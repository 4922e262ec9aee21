"""Answering a verifier that asks by a link or a QR code: whoever speaks OpenID4VP.

Steps: (1) the link names a client and where its signed request waits (`read_invitation`); (2)
before the vault is open, who it says it is (`who_asks`): nothing is fetched for a stranger; (3)
with the open vault the request is fetched through the guard, by POST with a fresh nonce and this
wallet's metadata where the verifier takes that; (4) verified (`federation.openid4vp`); (5) what
would leave is prepared (`vault/sharing.py`): for an aid of the catalogue it is an application.
Source: OpenID4VP 1.0 §5.10, §10 (wallet metadata).
"""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from federation.aids.errors import UnknownAidError
from federation.jwe import ENCRYPTIONS
from federation.openid4vp import (
    DIRECT_POST,
    DIRECT_POST_JWT,
    REQUEST_TYPE,
    VP_FORMATS,
    ClientKind,
    Invitation,
    PresentationRequest,
    RequestRefusedError,
    verify_request,
)
from schemas.errors import RecordError
from schemas.ids import Did, Iri, parse_iri
from vault.delivery import HUB, to_of
from vault.errors import ShareRefusedError
from vault.model import Disclosure
from vault.sharing import hub_of, prepare_share

if TYPE_CHECKING:
    from federation.aids.model import Aid
    from vault.home import Home
    from vault.open_vault import OpenVault

__all__ = ["PRESENTER", "Asker", "prepare_presentation", "wallet_metadata", "who_asks"]

PRESENTER: Final = "/presenter"
"""Path of the page that a request's link opens: the `authorization_endpoint` of this wallet."""
MAX_REQUEST: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Asker:
    """Who a link says is asking, before anything was fetched or verified."""

    name: str
    """As the trust registry names it; else where its request waits: all that is certain so far."""
    kind: str
    """Client identifier prefix."""
    is_known: bool
    """The trust registry lists it now."""
    accredited_by: str | None


def wallet_metadata(home: "Home") -> dict[str, Any]:
    """How a verifier asks this wallet."""
    origin = home.origin
    return {
        "issuer": origin,
        "authorization_endpoint": origin + PRESENTER,
        "response_types_supported": ["vp_token"],
        "response_modes_supported": [DIRECT_POST_JWT, DIRECT_POST],
        "client_id_prefixes_supported": [
            ClientKind.DID.value,
            *((ClientKind.SAN_DNS.value, ClientKind.HASH.value) if home.anchors else ()),
        ],
        "request_object_signing_alg_values_supported": ["EdDSA", "ES256", "ES384"],
        "authorization_encryption_alg_values_supported": ["ECDH-ES"],
        "authorization_encryption_enc_values_supported": list(ENCRYPTIONS),
        "vp_formats_supported": dict(VP_FORMATS),
    }


def who_asks(home: "Home", invitation: Invitation) -> Asker:
    """Step 2."""
    prefix, _, value = invitation.client_id.partition(":")
    trust = home.trust
    entry = None if trust is None else trust.entry(Did(value))
    if prefix == ClientKind.DID and entry is not None and entry.is_active(home.clock()):
        return Asker(entry.name, prefix, is_known=True, accredited_by=entry.accredited_by)
    where = urlsplit(invitation.request_uri).netloc
    return Asker(where[:200], prefix, is_known=False, accredited_by=None)


def prepare_presentation(
    vault: "OpenVault", invitation: Invitation, *, aid_of: Callable[[Iri], "Aid"]
) -> Disclosure:
    """Steps 3 to 5. `aid_of` finds an aid of the catalogue, or raises UnknownAidError.

    Raises:
        RequestRefusedError, DcqlError: the request is not one this wallet may answer.
        ShareRefusedError: as `prepare_share`; `unknown-aid`; `verifier-mismatch`.
        HubClientError, OutboundError: the verifier cannot be reached.
    """
    home = vault.home
    trust, at = home.trust, home.clock()
    if trust is None:
        raise ShareRefusedError("no-trust-registry")
    nonce = secrets.token_urlsafe(32) if invitation.method == "post" else None
    request = verify_request(  # 4
        _fetch(vault, invitation, nonce),
        lambda method: trust.key(method, at),
        at=at,
        request_uri=invitation.request_uri,
        client_id=invitation.client_id,
        wallet_nonce=nonce,
        wallet_issuer=home.origin,
        anchors=home.anchors,
        allow_loopback_http=home.settings.allow_loopback,
    )
    period = _period(request)  # 5
    if "aid" not in request.claims:
        return prepare_share(vault, request, aid=None, period=period, at=at)
    try:
        aid = aid_of(parse_iri(request.claims["aid"]))
        application = parse_iri(request.claims.get("application"))
    except (RecordError, UnknownAidError):
        raise ShareRefusedError("unknown-aid") from None
    if request.verifier != aid.funder:
        raise ShareRefusedError("verifier-mismatch")
    return prepare_share(vault, request, aid=aid, period=period, at=at, application=application)


def _fetch(vault: "OpenVault", invitation: Invitation, nonce: str | None) -> str:
    """Step 3."""
    home, address = vault.home, invitation.request_uri
    if to_of(home, address) == HUB:
        return hub_of(vault).request_object(address, wallet_nonce=nonce)
    if nonce is None:
        answer = home.http.get(address, accept=(REQUEST_TYPE,), max_bytes=MAX_REQUEST)
    else:
        metadata = json.dumps(wallet_metadata(home), separators=(",", ":"))
        answer = home.http.post(
            address,
            form={"wallet_metadata": metadata, "wallet_nonce": nonce},
            accept=(REQUEST_TYPE,),
            statuses=(200,),
            max_bytes=MAX_REQUEST,
        )
    try:
        return answer.body.decode("ascii")
    except UnicodeDecodeError:
        raise RequestRefusedError("request-malformed", "not a request object") from None


def _period(request: PresentationRequest) -> tuple[date, date] | None:
    """The days a proof is asked about: `{"from", "until"}`, both included."""
    given = request.claims.get("period")
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise RequestRefusedError("request-malformed", "period")
    try:
        found = (date.fromisoformat(str(given["from"])), date.fromisoformat(str(given["until"])))
    except (KeyError, ValueError):
        raise RequestRefusedError("request-malformed", "period") from None
    if not found[0] <= found[1]:
        raise RequestRefusedError("request-malformed", "period")
    return found
