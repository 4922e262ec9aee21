"""Sharing: what a verifier asked for, what would leave, the citizen's consent, one commit.

`prepare_share`: (1) the request is verified, in time, and its verifier accredited, (2) the holder
key of this verifier, (3) the usage proof, computed and attested for it, (4) credentials bound to
that key that answer the query, (5) one presentation, audience and challenge of the request. Nothing
has left; the disclosure is sealed in the vault until it is confirmed or its request expires.

`share`: one commit writes consent (with the presentation's digest and its receipt), application,
evidence tree, journal entry and the outbox row; the blind job `deliver` sends it. Confirmation must
be fresh.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from federation.credentials.model import parse_credential
from federation.credentials.present import present
from federation.hub.holder_proof import sign_status_proof
from federation.openid4vp import (
    PresentationRequest,
    build_response,
    match,
    verify_request,
)
from federation.trust import Role
from schemas.ids import Did, Iri, digest, mint_iri
from schemas.jsonld import encode
from schemas.records import (
    Application,
    ApplicationState,
    Award,
    Consent,
    Kind,
    Record,
    Transition,
)
from schemas.units import Cents
from vault.consent import consent_receipt, withdrawn_receipt
from vault.delivery import (
    DELIVER,
    PROOF_LIFE,
    Delivery,
    delivery_of,
    enqueue_withdrawal,
    seal_job,
    withdrawal_of,
)
from vault.errors import ActRefusedError, RecordUnknownError, ShareRefusedError
from vault.model import ClaimShown, Disclosure
from vault.usage_proof import usage_proof

if TYPE_CHECKING:
    from federation.aids.model import Aid
    from federation.ports import ApplicationView, Hub
    from vault.library import Draft
    from vault.open_vault import OpenVault

__all__ = [
    "FRESH",
    "attest_usage",
    "prepare_application",
    "prepare_share",
    "read_disclosure",
    "refresh_application",
    "resend_withdrawals",
    "share",
    "withdraw_consent",
]

FRESH: Final = timedelta(minutes=5)
"""How old a confirmation may be when it is carried out."""
STAYS: Final = (
    "trips",
    "places",
    "hours",
    "tracks",
    "other-days",
    "other-modes",
    "sources",
    "documents",
    "attributes",
    "journal",
)
_NOTICE: Final = "consent-page/1"


def _hub(vault: "OpenVault") -> "Hub":
    if vault.home.hub is None:
        raise ShareRefusedError("no-hub")
    return vault.home.hub


def hub_did(vault: "OpenVault") -> Did:
    """The hub's DID, from the trust registry."""
    trust = vault.home.trust
    found = () if trust is None else trust.with_role(Role.HUB, vault.home.clock())
    if not found:
        raise ShareRefusedError("no-hub")
    return found[0].did


def prepare_application(
    vault: "OpenVault", aid: "Aid", application: Iri, *, period: tuple[date, date]
) -> Disclosure:
    """Ask the hub for the signed request of this aid, verify it, prepare the answer.

    Raises:
        ShareRefusedError: nothing can be shared; the reason names what is missing.
        RequestRefusedError: the request is not one this wallet may answer.
        HubClientError: the hub refused, or cannot be reached.
    """
    hub, at, trust = _hub(vault), vault.home.clock(), vault.home.trust
    if trust is None:
        raise ShareRefusedError("no-trust-registry")
    holder = vault.holder_did(aid.funder)
    pointer = hub.request(aid.id, application, period=period, holder=holder)
    token = hub.request_object(pointer.request_uri)
    request = verify_request(
        token,
        lambda method: trust.key(method, at),
        at=at,
        request_uri=pointer.request_uri,
        client_id=pointer.client_id,
        allow_loopback_http=vault.home.settings.allow_loopback,
    )
    if request.verifier != aid.funder:
        raise ShareRefusedError("verifier-mismatch")
    return prepare_share(vault, request, aid=aid, period=period, at=at, application=application)


def prepare_share(
    vault: "OpenVault",
    request: PresentationRequest,
    *,
    aid: "Aid | None",
    period: tuple[date, date] | None,
    at: datetime,
    application: Iri | None = None,
) -> Disclosure:
    """Steps 1 to 5. Raises ShareRefusedError: `request-expired`, `verifier-not-accredited`,
    `missing:<credential types>`, `no-usage-proof`."""
    if at >= request.expires_at:  # 1
        raise ShareRefusedError("request-expired")
    trust = vault.home.trust
    entry = None if trust is None else trust.entry(request.verifier)
    if entry is None or not entry.is_active(at):
        raise ShareRefusedError("verifier-not-accredited")
    holder = vault.holder_key(request.verifier)  # 2
    did = Did(holder.verification_method.partition("#")[0])
    held = [
        dict(c.document)
        for c in reversed(vault.credentials())
        if _is_usable(c.document, holder=did, at=at)
    ]
    tree, assurance = b"", ""
    if any(query.type == "UsageProof" for query in request.query.credentials):  # 3
        if aid is None or aid.proof is None or period is None:
            raise ShareRefusedError("no-usage-proof")
        proof = usage_proof(
            vault,
            aid.proof,
            period=period,
            holder=did,
            attester=vault.home.signer(),
            at=at,
        )
        held.insert(0, dict(proof.credential))
        tree = proof.tree.to_bytes()
        assurance = str(proof.credential["credentialSubject"]["assuranceMethod"])
    found = match(request.query, held)  # 4
    if not found.is_complete:
        types = {query.id: query.type for query in request.query.credentials}
        raise ShareRefusedError("missing:" + ",".join(types[i] for i in found.missing))
    chosen: dict[str, Mapping[str, Any]] = {
        identifier: candidates[0]
        for identifier, candidates in found.candidates.items()
        if candidates
    }
    unique: dict[str, Mapping[str, Any]] = {str(c["id"]): c for c in chosen.values()}
    presentation = present(  # 5
        list(unique.values()),
        holder=holder,
        challenge=request.nonce,
        domain=request.client_id,
        at=at,
    )
    disclosure = Disclosure(
        id=mint_iri().removeprefix("urn:uuid:"),
        recipient=request.verifier,
        recipient_name=entry.name,
        accredited_by=entry.accredited_by,
        purpose=request.purpose or (aid.titles["fr"] if aid is not None else ""),
        aid=None if aid is None else aid.id,
        application=application,
        leaves=tuple(_claims(unique.values(), found.optional)),
        stays=STAYS,
        assurance=assurance,
        legal=None
        if aid is None
        else "; ".join(text.reference for text in aid.legal_basis) or None,
        retention=_retention(request),
        expires_at=request.expires_at,
        presentation=presentation,
        request={
            "client_id": request.client_id,
            "response_uri": request.response_uri,
            "state": request.state,
            "query_ids": list(chosen),
            "types": sorted({_type(c) for c in unique.values()}),
            "period": None if period is None else [d.isoformat() for d in period],
            "funder_name": entry.name if aid is None else aid.funder_name,
            "aid_title": {} if aid is None else dict(aid.titles),
            "prepared_at": at.isoformat(),
        },
        evidence=tree,
    )
    _store(vault, disclosure)
    return disclosure


def _is_usable(document: Mapping[str, Any], *, holder: Did, at: datetime) -> bool:
    parsed = parse_credential(document)
    return (
        parsed.holder == holder
        and parsed.valid_from <= at
        and (parsed.valid_until is None or at < parsed.valid_until)
    )


def _type(document: Mapping[str, Any]) -> str:
    return next(str(t) for t in document["type"] if t != "VerifiableCredential")


def _claims(documents: Any, optional: frozenset[str]) -> list[ClaimShown]:
    shown = []
    for document in documents:
        kind = _type(document)
        for name, value in document["credentialSubject"].items():
            if name != "id":
                shown.append(ClaimShown(f"{kind}.{name}", value, kind in optional))
    return shown


def _retention(request: PresentationRequest) -> str | None:
    found = request.claims.get("retention")
    return found if isinstance(found, str) else None


def _store(vault: "OpenVault", disclosure: Disclosure) -> None:
    body = {
        "id": disclosure.id,
        "recipient": disclosure.recipient,
        "recipient_name": disclosure.recipient_name,
        "accredited_by": disclosure.accredited_by,
        "purpose": disclosure.purpose,
        "aid": disclosure.aid,
        "application": disclosure.application,
        "leaves": [[c.path, c.value, c.optional] for c in disclosure.leaves],
        "stays": list(disclosure.stays),
        "assurance": disclosure.assurance,
        "legal": disclosure.legal,
        "retention": disclosure.retention,
        "expires_at": disclosure.expires_at.isoformat(),
        "presentation": disclosure.presentation,
        "request": disclosure.request,
        "evidence": disclosure.evidence.decode(),
    }
    vault.put_setting(f"disclosure/{disclosure.id}", json.dumps(body).encode())


def read_disclosure(vault: "OpenVault", disclosure_id: str) -> Disclosure:
    """Raises ShareRefusedError: `disclosure-unknown` (or shared already), `request-expired`."""
    data = vault.setting(f"disclosure/{disclosure_id}")
    if not data:
        raise ShareRefusedError("disclosure-unknown")
    body = json.loads(data)
    found = Disclosure(
        id=body["id"],
        recipient=Did(body["recipient"]),
        recipient_name=body["recipient_name"],
        accredited_by=body["accredited_by"],
        purpose=body["purpose"],
        aid=None if body["aid"] is None else Iri(body["aid"]),
        application=None if body["application"] is None else Iri(body["application"]),
        leaves=tuple(ClaimShown(path, value, optional) for path, value, optional in body["leaves"]),
        stays=tuple(body["stays"]),
        assurance=body["assurance"],
        legal=body["legal"],
        retention=body["retention"],
        expires_at=datetime.fromisoformat(body["expires_at"]),
        presentation=body["presentation"],
        request=body["request"],
        evidence=body["evidence"].encode(),
    )
    if vault.home.clock() >= found.expires_at:
        raise ShareRefusedError("request-expired")
    return found


def share(vault: "OpenVault", disclosure: Disclosure | str, *, confirmed_at: datetime) -> Consent:
    """Send what was confirmed. Raises ShareRefusedError: `not-confirmed` (older than five minutes,
    or before it was prepared), and as `read_disclosure`."""
    home, at = vault.home, vault.home.clock()
    found = read_disclosure(vault, disclosure if isinstance(disclosure, str) else disclosure.id)
    prepared_at = datetime.fromisoformat(found.request["prepared_at"])
    if not prepared_at <= confirmed_at <= at + timedelta(seconds=30) or at - confirmed_at > FRESH:
        raise ShareRefusedError("not-confirmed")
    answer = build_response(
        found.presentation, found.request["query_ids"], state=found.request["state"]
    )
    sent = digest(encode(found.presentation))
    consent_id, holder = mint_iri(), Did(str(found.presentation["holder"]))
    receipt = consent_receipt(
        consent=consent_id,
        subject=holder,
        recipient=found.recipient,
        recipient_name=found.recipient_name,
        controller=home.did,
        purpose=found.purpose,
        claims=[claim.path for claim in found.leaves],
        kept_back=found.stays,
        credential_types=found.request["types"],
        legal=found.legal,
        retention=found.retention,
        given_at=confirmed_at,
        expires_at=None,
        presentation=sent,
        application=found.application,
        notice=_NOTICE,
    )
    consent = Consent(
        id=consent_id,
        recipient=found.recipient,
        recipient_name=found.recipient_name,
        purpose=found.purpose,
        claims=tuple(claim.path for claim in found.leaves),
        kept_back=found.stays,
        legal=found.legal,
        given_at=confirmed_at,
        application=found.application,
        presentation=sent,
        receipt=receipt,
    )
    payload = seal_job(
        home,
        vault.vault_id,
        DELIVER,
        {
            "application": found.application or consent_id,
            "response_uri": found.request["response_uri"],
            "vp_token": json.loads(answer["vp_token"]),
            "state": answer["state"],
            "consent_receipt": receipt,
        },
    )
    with vault.library.writing() as draft:
        if not draft.tx.setting(vault.vault_id, f"disclosure/{found.id}"):
            raise ShareRefusedError("disclosure-unknown")
        vault.store_record(draft, consent)
        if found.application is not None and found.aid is not None:
            vault.store_record(draft, _submitted(vault, found, at))
        if found.evidence:
            vault.keep(draft, f"evidence/{sent.hex()}", found.evidence)
        draft.tx.delete_setting(vault.vault_id, f"disclosure/{found.id}")
        job = draft.enqueue(DELIVER, key=sent.hex(), payload=payload)
        draft.journal(
            "shared",
            recipient=found.recipient,
            purpose=found.purpose,
            consent=consent_id,
            claims=len(found.leaves),
        )
        draft.after_commit.append(lambda: home.wake(job))
    return consent


def _submitted(vault: "OpenVault", found: Disclosure, at: datetime) -> Application:
    assert found.application is not None and found.aid is not None  # noqa: S101  # caller
    period = found.request["period"]
    step = Transition(state=ApplicationState.SUBMITTED, at=at, actor="citizen")
    try:
        known = vault.get(found.application)
    except RecordUnknownError:
        known = None
    fresh = Application(
        id=found.application,
        aid=found.aid,
        funder=found.recipient,
        state=ApplicationState.SUBMITTED,
        period_from=date.fromisoformat(period[0]),
        period_until=date.fromisoformat(period[1]),
        submitted_at=at,
        hub=hub_did(vault),
        history=(step,),
        presentation=digest(encode(found.presentation)),
        extra={
            "aidTitle": found.request["aid_title"],
            "funderName": found.request["funder_name"],
        },
    )
    if isinstance(known, Application):
        return replace(fresh, revision=known.revision, history=(*known.history, step))
    return fresh


def _application(vault: "OpenVault", iri: Iri) -> Application:
    record = vault.get(iri)
    if not isinstance(record, Application):
        raise ActRefusedError("not-an-application")
    return record


def _proof(vault: "OpenVault", application: Application) -> str:
    return sign_status_proof(
        application.id,
        holder=vault.holder_key(Did(application.funder)),
        audience=Did(application.hub or hub_did(vault)),
        at=vault.home.clock(),
    )


def refresh_application(vault: "OpenVault", iri: Iri) -> Record:
    """Ask the hub, with a proof of the holder key; keep state, amount, reasons and award."""
    application = _application(vault, iri)
    delivery = delivery_of(vault.home, vault.vault_id, iri)
    if delivery is None or delivery.state == "refused":
        return _undelivered(vault, application, delivery)
    view = _hub(vault).application(iri, proof_jwt=_proof(vault, application))
    state = ApplicationState(view.state)
    history = tuple(
        Transition(
            state=ApplicationState(step.state), at=step.at, actor=step.actor, reason=step.reason
        )
        for step in view.history
    )
    changed = replace(
        application,
        state=state,
        amount=None if view.amount_cents is None else Cents(view.amount_cents),
        reasons=tuple(str(reason.get("fr", "")) for reason in view.reasons),
        history=history or application.history,
        extra={**application.extra, "hubView": _view(view)},
    )
    if view.award is not None:
        _take_award(vault, changed, view.award)
    return vault.put(changed)[0] if changed != application else application


def _undelivered(
    vault: "OpenVault", application: Application, delivery: Delivery | None
) -> Application:
    if delivery is None:
        return application
    extra = {
        **application.extra,
        "delivery": {"code": delivery.error_code, "checks": list(delivery.checks)},
    }
    changed = replace(application, extra=extra)
    return cast(Application, vault.put(changed)[0]) if changed != application else application


def _view(view: "ApplicationView") -> dict[str, Any]:
    return {
        "reasons": [dict(reason) for reason in view.reasons],
        "checks": [
            {
                "step": c.step,
                "code": c.code,
                "outcome": c.outcome,
                "detail": c.detail,
                "words": dict(c.words),
            }
            for c in view.checks
        ],
        "explanation": dict(view.explanation),
        "remedies": dict(view.remedies),
        "mention": dict(view.mention),
        "message": view.message,
    }


def _take_award(vault: "OpenVault", application: Application, document: Mapping[str, Any]) -> None:
    credential = vault.accept_credential(document)
    known = [
        cast(Award, award)
        for award in vault.all(Kind.AWARD)
        if cast(Award, award).application == application.id
    ]
    if known or application.amount is None:
        return
    vault.put(
        Award(
            id=mint_iri(),
            application=application.id,
            aid=application.aid,
            amount=application.amount,
            period_from=application.period_from,
            period_until=application.period_until,
            credential=credential.id,
            awarded_at=vault.home.clock(),
        )
    )
    vault.note("award-received", actor=application.funder, application=application.id)


def withdraw_consent(vault: "OpenVault", iri: Iri, *, at: datetime) -> Consent:
    """Withdraw. Doing it twice changes nothing."""
    record = vault.get(iri)
    if not isinstance(record, Consent):
        raise ActRefusedError("not-a-consent")
    if record.withdrawn_at is not None:
        return record
    changed = replace(record, withdrawn_at=at, receipt=withdrawn_receipt(record.receipt, at=at))
    proof = _withdrawal_proof(vault, changed)
    with vault.library.writing() as draft:
        stored = vault.store_record(draft, changed)
        draft.journal("consent-withdrawn", recipient=record.recipient, consent=iri)
        _tell(vault, draft, changed, proof)
    return cast(Consent, stored)


def _withdrawal_proof(vault: "OpenVault", consent: Consent) -> str | None:
    """A proof of the holder key made now; None for a consent that answered no funder."""
    if consent.application is None:
        return None
    return _proof(vault, _application(vault, consent.application))


def _tell(vault: "OpenVault", draft: "Draft", consent: Consent, proof: str | None) -> None:
    """An outbox row, in the commit that decides it."""
    if proof is None or consent.application is None:
        return
    job = enqueue_withdrawal(
        vault.home, draft, consent.id, application=consent.application, proof_jwt=proof
    )
    draft.after_commit.append(lambda: vault.home.wake(job))


def resend_withdrawals(vault: "OpenVault") -> int:
    """Send again, with a fresh proof, each withdrawal that nobody answered; returns how many.

    A proof lives five minutes, so a hub that was away longer is told at the next opening.
    """
    at = vault.home.clock()
    again: list[Consent] = []
    for record in vault.all(Kind.CONSENT):
        if isinstance(record, Consent) and record.withdrawn_at is not None:
            told = withdrawal_of(vault.home, vault.vault_id, record.id)
            if (
                told is not None
                and told["state"] == "sent"
                and at - datetime.fromisoformat(told["at"]) >= PROOF_LIFE
            ):
                again.append(record)
    if again:
        proofs = [_withdrawal_proof(vault, record) for record in again]
        with vault.library.writing() as draft:
            for record, proof in zip(again, proofs, strict=True):
                _tell(vault, draft, record, proof)
            draft.journal("withdrawal-sent-again", count=len(again))
    return len(again)


def attest_usage(
    vault: "OpenVault", aid: "Aid", *, period: tuple[date, date], at: datetime
) -> Mapping[str, Any]:
    """A usage proof on a key used for paper only, so that it links to no application."""
    if aid.proof is None:
        raise ShareRefusedError("no-usage-proof")
    holder = vault.holder_did(Did(f"{vault.home.did}:attestations"))
    proof = usage_proof(
        vault, aid.proof, period=period, holder=holder, attester=vault.home.signer(), at=at
    )
    with vault.library.writing() as draft:
        name = digest(encode(proof.credential)).hex()
        vault.keep(draft, f"evidence/{name}", proof.tree.to_bytes())
        draft.journal("attested", aid=aid.id, days=proof.count.days)
    return proof.credential
