"""OpenID4VCI, wallet side: redeem an offer to the holder keys of one verifier or several.

Steps: (1) read the offer (by value, by link, or by reference on the issuer's origin), (2) issuer
and authorisation metadata, every endpoint on the issuer's own origin, (3) a token: for the
pre-authorised code, or for the code that the person's browser brings back from the issuer's page
(`begin_login`, `finish_login`: PKCE, pushed where the issuer can), (4) nonces, (5) proofs of
possession of the holder keys, in one request where the issuer issues batches, (6) the credentials:
bound to those keys, signed by an issuer the registry accredits for their type, (7) kept in the
vault. What is not ready is asked for again (`collect`) until it is. All calls go through the home's
bounded client; none inside a transaction.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from federation.credentials.held import Held, keep_sd_jwt, read_held
from federation.credentials.model import parse_credential
from federation.credentials.sd_jwt_vc import TYP
from federation.credentials.selective import verify_received
from federation.keys import PublicKey
from federation.openid4vci import (
    Authorization,
    CredentialAnswer,
    CredentialOffer,
    CredentialRequest,
    TokenRequest,
    credential_requests,
    proof_jwt,
    read_credential_answer,
)
from federation.proofs import ProofInvalidError
from federation.proofs.sd_jwt import SdJwtError, SdJwtMalformedError, verify_sd_jwt
from federation.trust import TrustError
from federation.wire.errors import OutboundError, UpstreamStatusError
from federation.wire.http import Answer
from schemas.errors import MobilityError, Retriable
from schemas.ids import Did
from schemas.records import Credential
from vault.errors import ShareRefusedError

if TYPE_CHECKING:
    from federation.keys import Signer
    from vault.open_vault import OpenVault

__all__ = ["Awaited", "accept_offer", "awaited", "begin_login", "collect", "finish_login"]

_OK: Final = (200,)
_OK_OR_LATER: Final = (200, 202)
LOGIN_TERM: Final = timedelta(minutes=15)
AWAITED_TERM: Final = timedelta(days=30)
_LOGIN: Final = "issuance/login/"
_AWAITED: Final = "issuance/awaited/"


@dataclass(frozen=True, slots=True)
class _Issuer:
    """Where an issuer answers."""

    id: str
    token: str
    nonce: str
    credential: str
    deferred: str | None
    notification: str | None
    authorization: str | None
    pushed: str | None
    batch: int
    """Proofs one request may hold."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """Credentials an issuer has promised."""

    name: str
    issuer: str
    """Its address."""
    configuration: str
    asked_at: datetime
    due_at: datetime


def accept_offer(
    vault: "OpenVault",
    offer: "str | CredentialOffer",
    *,
    verifier: Did,
    tx_code: str | None = None,
    others: Sequence[Did] = (),
) -> tuple[Credential, ...]:
    """Steps 1 to 7 for an offer with a pre-authorised code; for each configuration, or each of its
    data sets, one credential for each verifier. `tx_code` is what the person was told apart, where
    the issuer asks for it. What is promised for later is in `awaited`.

    Raises:
        IssuanceError: offer or answers are not what the protocol says.
        ShareRefusedError: `issuer-origin`, `login-needed` (`begin_login`), `issuer-not-accredited`,
            `holder-mismatch`, `credential-signature`, `too-many-credentials`.
        OutboundError: the issuer cannot be reached.
    """
    found = offer if isinstance(offer, CredentialOffer) else _read_offer(vault, offer)  # 1
    if found.pre_authorized_code is None:
        raise ShareRefusedError("login-needed")
    issuer = _discover(vault, found.credential_issuer)  # 2
    form = TokenRequest(found.pre_authorized_code, tx_code).to_form()
    granted = vault.home.http.post(issuer.token, form=form, statuses=_OK)  # 3
    return _redeem(vault, issuer, granted, found.configuration_ids, (verifier, *others))


def begin_login(
    vault: "OpenVault",
    offer: "str | CredentialOffer",
    *,
    verifier: Did,
    client_id: str,
    redirect_uri: str,
    others: Sequence[Did] = (),
) -> str:
    """The issuer's address to send the person's browser to. What must come back is kept sealed for
    `LOGIN_TERM`.

    Raises:
        As `accept_offer`; ShareRefusedError: `login-not-offered`.
    """
    found = offer if isinstance(offer, CredentialOffer) else _read_offer(vault, offer)
    issuer = _discover(vault, found.credential_issuer)
    if issuer.authorization is None:
        raise ShareRefusedError("login-not-offered")
    login = Authorization.begin(client_id, redirect_uri)
    parameters = login.parameters(found)
    if issuer.pushed is not None:
        answer = vault.home.http.post(issuer.pushed, form=parameters, statuses=(200, 201))
        parameters = {"client_id": client_id, "request_uri": _member(answer, "request_uri")}
    body = {
        "issuer": issuer.id,
        "ids": list(found.configuration_ids),
        "verifiers": [verifier, *others],
        "login": asdict(login),
        "until": (vault.home.clock() + LOGIN_TERM).isoformat(),
    }
    with vault.library.writing() as draft:
        _sweep(vault, draft)
        vault.keep(draft, _login_name(login.state), json.dumps(body).encode())
    joint = "&" if urlsplit(issuer.authorization).query else "?"
    return f"{issuer.authorization}{joint}{urlencode(parameters)}"


def finish_login(
    vault: "OpenVault", *, state: str, code: str | None, iss: str | None
) -> tuple[Credential, ...]:
    """What the browser brought back: used once, then steps 3 to 7.

    Raises:
        ShareRefusedError: `login-unknown` (another browser's, used, or over), `login-refused` (the
            person or the issuer said no), `issuer-origin` (another issuer answers, RFC 9207).
    """
    kept = vault.setting(_login_name(state)) if state else None
    if not kept:
        raise ShareRefusedError("login-unknown")
    with vault.library.writing() as draft:
        draft.tx.delete_setting(vault.vault_id, _login_name(state))
    body = json.loads(kept)
    if datetime.fromisoformat(body["until"]) < vault.home.clock():
        raise ShareRefusedError("login-unknown")
    if iss is not None and iss != body["issuer"]:
        raise ShareRefusedError("issuer-origin")
    if code is None:
        raise ShareRefusedError("login-refused")
    issuer = _discover(vault, body["issuer"])
    form = Authorization(**body["login"]).token_form(code)
    granted = vault.home.http.post(issuer.token, form=form, statuses=_OK)
    return _redeem(vault, issuer, granted, body["ids"], [Did(v) for v in body["verifiers"]])


def awaited(vault: "OpenVault") -> list[Awaited]:
    """What issuers have promised, oldest first."""
    found = [
        Awaited(
            name.removeprefix(_AWAITED),
            body["issuer"]["id"],
            body["configuration"],
            datetime.fromisoformat(body["asked_at"]),
            datetime.fromisoformat(body["due_at"]),
        )
        for name, body in _awaited(vault)
    ]
    return sorted(found, key=lambda one: (one.asked_at, one.name))


def collect(vault: "OpenVault", *, now: bool = False) -> tuple[Credential, ...]:
    """Ask again for what is due (all of it with `now`); what came is kept. An issuer that is away
    is asked another time; one that says no is asked no more, and the journal says so."""
    at = vault.home.clock()
    kept: list[Credential] = []
    for name, body in list(_awaited(vault)):
        if not now and datetime.fromisoformat(body["due_at"]) > at:
            continue
        try:
            kept.extend(_ask_again(vault, name, body))
        except MobilityError as error:
            refused = isinstance(error, UpstreamStatusError) and error.status < 500
            if isinstance(error, Retriable) or (isinstance(error, OutboundError) and not refused):
                _put_off(vault, name, body, at + timedelta(hours=1))
                continue
            with vault.library.writing() as draft:
                draft.tx.delete_setting(vault.vault_id, name)
                draft.journal("credential-refused", issuer=body["issuer"]["id"], answer=error.code)
    return tuple(kept)


# --- parts of the way -----------------------------------------------------------------------------


def _discover(vault: "OpenVault", issuer: str) -> _Issuer:
    """Step 2."""
    http = vault.home.http
    metadata = http.get(_well_known(issuer, "openid-credential-issuer")).json()
    server = http.get(_well_known(issuer, "oauth-authorization-server")).json()
    if metadata.get("credential_issuer") != issuer:
        raise ShareRefusedError("issuer-origin")

    def maybe(found: Mapping[str, Any], name: str) -> str | None:
        return _endpoint(issuer, found[name]) if found.get(name) is not None else None

    batch = metadata.get("batch_credential_issuance")
    size = batch.get("batch_size") if isinstance(batch, Mapping) else 1
    return _Issuer(
        id=issuer,
        token=_endpoint(issuer, server.get("token_endpoint")),
        nonce=_endpoint(issuer, metadata.get("nonce_endpoint")),
        credential=_endpoint(issuer, metadata.get("credential_endpoint")),
        deferred=maybe(metadata, "deferred_credential_endpoint"),
        notification=maybe(metadata, "notification_endpoint"),
        authorization=maybe(server, "authorization_endpoint"),
        pushed=maybe(server, "pushed_authorization_request_endpoint"),
        batch=min(size, 16) if type(size) is int and size > 0 else 1,
    )


def _redeem(
    vault: "OpenVault",
    issuer: _Issuer,
    granted: Answer,
    ids: Sequence[str],
    verifiers: Sequence[Did],
) -> tuple[Credential, ...]:
    """Steps 4 to 7."""
    access = _member(granted, "access_token")
    distinct = list(dict.fromkeys(verifiers))
    kept: list[Credential] = []
    for request in credential_requests(granted.json(), ids):
        for start in range(0, len(distinct), issuer.batch):
            some = distinct[start : start + issuer.batch]
            kept.extend(_ask(vault, issuer, access, request, some))
    return tuple(kept)


def _ask(
    vault: "OpenVault",
    issuer: _Issuer,
    access: str,
    request: CredentialRequest,
    verifiers: Sequence[Did],
) -> list[Credential]:
    http, at = vault.home.http, vault.home.clock()
    holders = [vault.holder_key(verifier) for verifier in verifiers]
    nonce = _member(http.post(issuer.nonce, statuses=_OK), "c_nonce")  # 4
    proofs = [proof_jwt(holder, audience=issuer.id, nonce=nonce, at=at) for holder in holders]  # 5
    answer = http.post(
        issuer.credential,
        json=request.with_proofs(*proofs).to_json(),
        headers=_bearer(access),
        statuses=_OK_OR_LATER,
    )
    read = read_credential_answer(answer.status, answer.body)
    if read.transaction_id is not None:
        _await(vault, issuer, access, request=request, read=read, verifiers=verifiers)
        return []
    return _keep(vault, issuer, access, read, holders)


def _keep(
    vault: "OpenVault",
    issuer: _Issuer,
    access: str,
    read: CredentialAnswer,
    holders: "Sequence[Signer]",
) -> list[Credential]:
    """Steps 6 and 7."""
    keys = {holder.verification_method.partition("#")[0] for holder in holders}
    at = vault.home.clock()
    parsed = [_verified(vault, document, keys=keys, at=at) for document in read.credentials]
    if len({one.holder for one in parsed}) != len(keys):
        raise ShareRefusedError("holder-mismatch")
    kept = []
    for one, document in zip(parsed, read.credentials, strict=True):
        kept.append(vault.accept_credential(document))
        vault.note("credential-received", actor=one.issuer, type=one.type)
    if issuer.notification is not None and read.notification_id is not None:
        _notify(vault, issuer.notification, read.notification_id, access)
    return kept


def _await(
    vault: "OpenVault",
    issuer: _Issuer,
    access: str,
    *,
    request: CredentialRequest,
    read: CredentialAnswer,
    verifiers: Sequence[Did],
) -> None:
    if issuer.deferred is None:
        raise ShareRefusedError("issuer-answer:deferred_credential_endpoint")
    at = vault.home.clock()
    body = {
        "issuer": asdict(issuer),
        "access": access,
        "configuration": request.configuration_id,
        "transaction": read.transaction_id,
        "verifiers": list(verifiers),
        "asked_at": at.isoformat(),
        "due_at": (at + timedelta(seconds=read.interval_s)).isoformat(),
    }
    name = _AWAITED + sha256(f"{issuer.id} {read.transaction_id}".encode()).hexdigest()[:32]
    with vault.library.writing() as draft:
        vault.keep(draft, name, json.dumps(body).encode())
        draft.journal("credential-awaited", issuer=issuer.id, type=request.configuration_id)


def _ask_again(vault: "OpenVault", name: str, body: Mapping[str, Any]) -> list[Credential]:
    issuer, at = _Issuer(**body["issuer"]), vault.home.clock()
    if datetime.fromisoformat(body["asked_at"]) + AWAITED_TERM < at:
        raise ShareRefusedError("issuer-answer:too-late")
    assert issuer.deferred is not None  # noqa: S101  # nothing is awaited of one without
    answer = vault.home.http.post(
        issuer.deferred,
        json={"transaction_id": body["transaction"]},
        headers=_bearer(body["access"]),
        statuses=_OK_OR_LATER,
    )
    read = read_credential_answer(answer.status, answer.body)
    if read.transaction_id is not None:
        _put_off(vault, name, body, at + timedelta(seconds=read.interval_s))
        return []
    holders = [vault.holder_key(Did(verifier)) for verifier in body["verifiers"]]
    kept = _keep(vault, issuer, body["access"], read, holders)
    with vault.library.writing() as draft:
        draft.tx.delete_setting(vault.vault_id, name)
    return kept


def _put_off(vault: "OpenVault", name: str, body: Mapping[str, Any], until: datetime) -> None:
    with vault.library.writing() as draft:
        vault.keep(draft, name, json.dumps({**body, "due_at": until.isoformat()}).encode())


def _awaited(vault: "OpenVault") -> Iterator[tuple[str, dict[str, Any]]]:
    with vault.library.reading() as shelf:
        names = sorted(shelf.reader.setting_names(vault.vault_id, _AWAITED))
    for name in names:
        kept = vault.setting(name)
        if kept:
            yield name, json.loads(kept)


def _sweep(vault: "OpenVault", draft: Any) -> None:
    """Logins that nobody finished."""
    at = vault.home.clock()
    for name in sorted(draft.reader.setting_names(vault.vault_id, _LOGIN)):
        kept = vault.setting(name)
        if kept and datetime.fromisoformat(json.loads(kept)["until"]) < at:
            draft.tx.delete_setting(vault.vault_id, name)


def _login_name(state: str) -> str:
    return _LOGIN + sha256(state.encode()).hexdigest()[:32]


def _bearer(access: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access}"}


def _verified(
    vault: "OpenVault", document: Mapping[str, Any] | str, *, keys: set[str], at: datetime
) -> Held:
    """The credential of an answer: bound to our key, signed by an issuer accredited for it."""
    parsed = read_held(keep_sd_jwt(document) if isinstance(document, str) else document)
    if parsed.holder not in keys:
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


def _notify(vault: "OpenVault", endpoint: str, identifier: str, access: str) -> None:
    """Tell the issuer that its credential was kept (§11): a courtesy that may fail."""
    with suppress(OutboundError):
        vault.home.http.post(
            endpoint,
            json={"notification_id": identifier, "event": "credential_accepted"},
            headers=_bearer(access),
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
