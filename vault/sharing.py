"""Sharing: what a verifier asked for, what would leave, the citizen's consent, one commit.

`prepare_share`: (1) the request is verified, in time, its verifier accredited, and a service
profile that it names is what it asks, (2) the holder key of this verifier, (3) the usage proof and
other facts (`vault/computed.py`), computed and attested for it, and what the hub's ledger says
(`vault/prior_aid.py`), (4) credentials bound to
that key that answer the query, (5) one presentation, audience and challenge of the request. Nothing
has left; the disclosure is sealed in the vault until it is confirmed or its request expires.

`share`: one commit writes consent (with the presentation's digest and its receipt), application,
evidence tree, journal entry and the outbox row; the blind job `deliver` sends it. Confirmation must
be fresh.
"""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from federation.aids.prior_aid import NO_PRIOR_AID
from federation.credentials.held import LDP_VC, Held, read_held
from federation.credentials.present import present
from federation.credentials.selective import disclose
from federation.hub.holder_proof import sign_status_proof
from federation.openid4vp import (
    CredentialQuery,
    DcqlQuery,
    Encryption,
    PresentationRequest,
    build_response,
    build_token,
    claims_asked,
    match,
    optional_queries,
    origin_of,
    queries_to_answer,
    verify_request,
)
from federation.profiles import Asked, asked_by
from federation.proofs.sd_jwt import present_sd_jwt
from federation.trust import Role
from federation.usage import TRIP, USAGE, ProofTemplate, standing, template_from_json
from schemas.evidence import AssuranceMethod
from schemas.ids import Did, Digest, Iri, digest, mint_iri
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
from vault.computed import compute
from vault.consent import consent_receipt, withdrawn_receipt
from vault.delivery import (
    DELIVER,
    HUB,
    PROOF_LIFE,
    Delivery,
    delivery_of,
    enqueue_withdrawal,
    seal_job,
    to_of,
    withdrawal_of,
)
from vault.errors import ActRefusedError, RecordUnknownError, ShareRefusedError
from vault.held import held_by
from vault.model import ClaimShown, Disclosure
from vault.prior_aid import ask_ledger
from vault.usage_proof import (
    Ground,
    MethodTried,
    count_usage,
    methods,
    signed_total,
    signed_trips,
    usage_proof,
)

if TYPE_CHECKING:
    from federation.aids.model import Aid
    from federation.keys import Signer
    from federation.ports import ApplicationView, AuditView, Hub
    from vault.library import Draft
    from vault.open_vault import OpenVault

__all__ = [
    "FRESH",
    "SEEN",
    "STAYS",
    "Answer",
    "accredited",
    "answer_application",
    "answer_request",
    "appeal_application",
    "application_of",
    "attest_usage",
    "evidence_of",
    "holder_proof",
    "hub_did",
    "hub_of",
    "prepare_application",
    "prepare_share",
    "read_disclosure",
    "refresh_application",
    "resend_withdrawals",
    "seen_steps",
    "share",
    "take_view",
    "tell",
    "telling",
    "withdraw_application",
    "withdraw_consent",
]

SEEN: Final = "seenSteps"
"""Member of an application: how many of its steps were shown."""
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


def hub_of(vault: "OpenVault") -> "Hub":
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
    vault: "OpenVault",
    aid: "Aid",
    application: Iri,
    *,
    period: tuple[date, date],
    also: tuple[ClaimShown, ...] = (),
) -> Disclosure:
    """Ask the hub for the signed request of this aid, verify it, prepare the answer.

    Raises:
        ShareRefusedError: nothing can be shared; the reason names what is missing.
        RequestRefusedError: the request is not one this wallet may answer.
        HubClientError: the hub refused, or cannot be reached.
    """
    hub, at, trust = hub_of(vault), vault.home.clock(), vault.home.trust
    if trust is None:
        raise ShareRefusedError("no-trust-registry")
    holder = vault.holder_did(aid.funder)
    pointer = hub.request(aid.id, application, period=period, holder=holder)
    nonce = secrets.token_urlsafe(32)
    request = verify_request(
        hub.request_object(pointer.request_uri, wallet_nonce=nonce),
        lambda method: trust.key(method, at),
        at=at,
        request_uri=pointer.request_uri,
        client_id=pointer.client_id,
        wallet_nonce=nonce,
        allow_loopback_http=vault.home.settings.allow_loopback,
    )
    if request.verifier != aid.funder:
        raise ShareRefusedError("verifier-mismatch")
    return prepare_share(
        vault, request, aid=aid, period=period, at=at, application=application, also=also
    )


def prepare_share(
    vault: "OpenVault",
    request: PresentationRequest,
    *,
    aid: "Aid | None",
    period: tuple[date, date] | None,
    at: datetime,
    application: Iri | None = None,
    also: tuple[ClaimShown, ...] = (),
) -> Disclosure:
    """Steps 1 to 5; `also` is shown and agreed to with the rest.

    Raises:
        ShareRefusedError: `request-expired`, `verifier-not-accredited`,
            `missing:<credential types>`, `no-usage-proof`,
            `threshold-not-reached:<what is missing>`,
            `assurance-too-weak:<why each stronger method is not possible>`, and as `compute`.
        HubClientError: as `ask_ledger`.
        ProfileError, ProfileRefusedError: the profile it names is not what it asks.
    """
    if at >= request.expires_at:  # 1
        raise ShareRefusedError("request-expired")
    name, vouched_by = accredited(vault, request, at=at)
    holder = vault.holder_key(request.verifier)  # 2
    did = Did(holder.verification_method.partition("#")[0])
    held = [item for item in held_by(vault) if item.is_usable(holder=did, at=at)]
    asked = asked_by(request.claims, request.query)
    computed = compute(vault, request, held, holder=holder, at=at)
    fresh: list[Held] = []
    if any(query.type == NO_PRIOR_AID for query in request.query.credentials):
        fresh = ask_ledger(
            hub_of(vault),
            hub_did(vault),
            request.query,
            held,
            aid=aid,
            period=period,
            application=application,
            holder=holder,
            at=at,
        )
    answer = answer_request(
        vault,
        request,
        _template(request, aid),
        [*fresh, *computed.held, *held],
        period=period,
        holder=holder,
        at=at,
    )
    disclosure = Disclosure(
        id=mint_iri().removeprefix("urn:uuid:"),
        recipient=request.verifier,
        recipient_name=name,
        accredited_by=vouched_by,
        purpose=_purpose(request, aid, asked),
        aid=None if aid is None else aid.id,
        application=application,
        leaves=(*answer.leaves, *also),
        stays=STAYS,
        assurance=answer.assurance or computed.assurance,
        legal=None
        if aid is None
        else "; ".join(text.reference for text in aid.legal_basis) or None,
        retention=_retention(request),
        expires_at=request.expires_at,
        presentation=answer.presentation,
        request={
            "client_id": request.client_id,
            "response_uri": request.response_uri,
            "state": request.state,
            "encryption": request.encryption and request.encryption.to_json(),
            "query_ids": list(answer.query_ids),
            "types": list(answer.types),
            "period": None if period is None else [d.isoformat() for d in period],
            "funder_name": name if aid is None else aid.funder_name,
            "aid_title": {} if aid is None else dict(aid.titles),
            "prepared_at": at.isoformat(),
            "profile": None
            if asked is None
            else {"id": asked.profile.id, "version": asked.profile.version},
        },
        evidence=answer.evidence,
        tokens=answer.tokens,
        methods=answer.methods,
    )
    _store(vault, disclosure)
    return disclosure


def accredited(
    vault: "OpenVault", request: PresentationRequest, *, at: datetime
) -> tuple[str, str | None]:
    """Name of who asks, and who vouches: the trust registry, or for a client known by its
    certificate the authority that this home's operator chose.

    Raises:
        ShareRefusedError: `verifier-not-accredited`: nobody.
    """
    trust = vault.home.trust
    entry = None if trust is None else trust.entry(request.verifier)
    if entry is not None and entry.is_active(at):
        return entry.name, entry.accredited_by
    if request.vouched_by is not None:
        host = origin_of(request.response_uri)[1]
        return (f"{request.client_name} ({host})" if request.client_name else host), (
            request.vouched_by
        )
    raise ShareRefusedError("verifier-not-accredited")


@dataclass(frozen=True, slots=True)
class Answer:
    """What answers a request, ready to be sent, and what is in it."""

    presentation: Mapping[str, Any]
    tokens: Mapping[str, tuple[str, ...]]
    query_ids: tuple[str, ...]
    types: tuple[str, ...]
    leaves: tuple[ClaimShown, ...]
    assurance: str
    evidence: bytes
    methods: tuple[tuple[str, str | None, int], ...]

    @property
    def digest(self) -> Digest:
        """Of what is sent: of the presentation, or with tokens of both."""
        return _digest_of(self.presentation, self.tokens)


def answer_request(
    ground: Ground,
    request: PresentationRequest,
    template: ProofTemplate | None,
    held: Sequence[Held],
    *,
    period: tuple[date, date] | None,
    holder: "Signer",
    at: datetime,
) -> Answer:
    """Steps 3 to 5, for an open vault or a standing consent. Raises ShareRefusedError as
    `prepare_share`."""
    usage = _Usage()
    asked = {query.type for query in request.query.credentials}
    if USAGE in asked and (template is None or period is None):
        raise ShareRefusedError("no-usage-proof")
    if template is not None and period is not None and asked & {USAGE, TRIP}:  # 3
        usage = _usage(ground, template, held, period=period, holder=holder, at=at)
    answers = _answers(request.query, held, usage)  # 4
    unique = {
        str(item.id): item for items in answers.values() for item in items if item.format == LDP_VC
    }
    presentation = (  # 5
        present(
            [cast(Mapping[str, Any], item.wire) for item in unique.values()],
            holder=holder,
            challenge=request.nonce,
            domain=request.client_id,
            at=at,
        )
        if unique
        else {}
    )
    queries = {query.id: query for query in request.query.credentials}
    shown: list[ClaimShown] = []
    tokens: dict[str, tuple[str, ...]] = {}
    optional = optional_queries(request.query)
    for identifier, items in answers.items():
        is_optional = identifier in optional
        if queries[identifier].format == LDP_VC:
            shown += _claims(items, is_optional=is_optional)
            continue
        paths = [claims_asked(queries[identifier], item.wire) for item in items]
        tokens[identifier] = tuple(
            present_sd_jwt(
                str(item.wire),
                disclose=_among(wanted),
                holder=holder,
                nonce=request.nonce,
                audience=request.client_id,
                at=at,
            )
            for item, wanted in zip(items, paths, strict=True)
        )
        shown += _disclosed_claims(items, paths, is_optional=is_optional)
    return Answer(
        presentation=presentation,
        tokens=tokens,
        query_ids=tuple(i for i in answers if queries[i].format == LDP_VC),
        types=tuple(sorted({item.type for items in answers.values() for item in items})),
        leaves=tuple(shown),
        assurance=usage.assurance,
        evidence=usage.tree,
        methods=tuple((m.method.value, m.why_not, m.found) for m in usage.tried),
    )


@dataclass(frozen=True, slots=True)
class _Usage:
    """What answers the usage query: a usage proof, or signed trips."""

    proof: Held | None = None
    trips: tuple[Held, ...] = ()
    assurance: str = ""
    tree: bytes = b""
    tried: tuple[MethodTried, ...] = ()


def _template(request: PresentationRequest, aid: "Aid | None") -> ProofTemplate | None:
    """The aid's, or the one a service put into its signed request."""
    if aid is not None:
        return aid.proof
    given = request.claims.get("proof_template")
    return None if given is None else template_from_json(given)


def _usage(
    vault: Ground,
    template: ProofTemplate,
    held: Sequence[Held],
    *,
    period: tuple[date, date],
    holder: "Signer",
    at: datetime,
) -> _Usage:
    did = Did(holder.verification_method.partition("#")[0])
    count = count_usage(vault, template, period=period)
    tried = methods(vault, template, held, period=period, count=count)
    method = next((m.method for m in tried if m.why_not is None), None)
    if method is None:
        weaker = [m for m in tried if m.why_not == "too-weak"]
        if weaker:
            reasons = ",".join(f"{m.method.value}={m.why_not}" for m in tried)
            raise ShareRefusedError(f"assurance-too-weak:{reasons}")
        raise ShareRefusedError(f"threshold-not-reached:{standing(template, count.value).missing}")
    if method is AssuranceMethod.SOURCE_TRIPS:
        return _Usage(
            trips=signed_trips(template, held, period=period),
            assurance=method.value,
            tried=tried,
        )
    if method is AssuranceMethod.SOURCE_AGGREGATE:
        total = signed_total(template, held, period=period)
        return _Usage(proof=total, assurance=method.value, tried=tried)
    attested = method is AssuranceMethod.VAULT_ATTESTED
    proof = usage_proof(
        vault,
        template,
        period=period,
        holder=did,
        attester=vault.home.signer() if attested else holder,
        at=at,
        assurance=method,
        count=count,
    )
    return _Usage(
        proof=read_held(proof.credential),
        assurance=method.value,
        tree=proof.tree.to_bytes() if attested else b"",
        tried=tried,
    )


def _answers(query: DcqlQuery, held: Sequence[Held], usage: _Usage) -> dict[str, tuple[Held, ...]]:
    """Step 4: which credential answers which query, one each (signed trips: several)."""
    by_wire = {id(item.wire): item for item in held}
    found: dict[str, tuple[Held, ...]] = {}
    candidates = match(query, [item.wire for item in held]).candidates
    for item in query.credentials:
        chosen: tuple[Held, ...]
        if item.type == USAGE:
            chosen = () if usage.proof is None else (usage.proof,)
        elif item.type == TRIP and usage.tried:
            chosen = usage.trips
        else:
            chosen = tuple(by_wire[id(wire)] for wire in candidates[item.id])
            chosen = chosen if item.multiple else chosen[:1]
        if chosen:
            found[item.id] = tuple(_derived(item, one) for one in chosen)
    wanted, missing = queries_to_answer(query, frozenset(found))
    if missing:
        types = {item.id: item.type for item in query.credentials}
        raise ShareRefusedError("missing:" + ",".join(types[i] for i in missing))
    return {identifier: found[identifier] for identifier in found if identifier in wanted}


def _derived(query: CredentialQuery, item: Held) -> Held:
    """What is shown of a W3C credential: derived for the query where its issuer signed it so."""
    if item.format != LDP_VC or not isinstance(item.wire, Mapping):
        return item
    shown = disclose(item.wire, claims_asked(query, item.wire))
    return replace(item, wire=shown, subject=shown["credentialSubject"])


def _among(wanted: Sequence[tuple[str | int, ...]]) -> Callable[[tuple[str | int, ...], Any], bool]:
    paths = frozenset(wanted)
    return lambda path, _: path in paths


def _claims(items: Sequence[Held], *, is_optional: bool) -> list[ClaimShown]:
    return [
        ClaimShown(path, value, is_optional)
        for item in items
        for name, member in item.subject.items()
        if name != "id"
        for path, value in _paths(item, name, member)
    ]


def _paths(item: Held, name: str, value: Any) -> list[tuple[str, Any]]:
    """One claim, or of a list of facts each by its own name."""
    if item.type == "ExtensionStatement" and name == "facts":
        extension = item.subject["extension"]
        return [(f"{item.type}.{extension}.{fact['name']}", fact["value"]) for fact in value]
    return [(f"{item.type}.{name}", value)]


def _disclosed_claims(
    items: Sequence[Held],
    paths: Sequence[Sequence[tuple[str | int, ...]]],
    *,
    is_optional: bool,
) -> list[ClaimShown]:
    """What selective disclosure shows; of several credentials each value once."""
    values: dict[str, list[Any]] = {}
    for item, wanted in zip(items, paths, strict=True):
        for path in wanted:
            name = str(path[0])
            value = item.subject.get(name)
            if name == "nullifiers" and len(path) > 1:
                value = [n for n in item.subject["nullifiers"] if n["family"] == path[1]]
            kept = values.setdefault(name, [])
            if value not in kept:
                kept.append(value)
    kind = items[0].type
    counted = [ClaimShown(f"{kind}.trips", len(items), is_optional)] if kind == TRIP else []
    return counted + [
        ClaimShown(f"{kind}.{name}", found[0] if len(found) == 1 else found, is_optional)
        for name, found in values.items()
    ]


def _purpose(request: PresentationRequest, aid: "Aid | None", asked: Asked | None) -> str:
    """A profile's own consent text stands for it; else what the verifier says."""
    if asked is not None:
        return asked.profile.purpose["fr"]
    return request.purpose or (aid.titles["fr"] if aid is not None else "")


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
        "tokens": {name: list(found) for name, found in disclosure.tokens.items()},
        "methods": [list(tried) for tried in disclosure.methods],
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
        tokens={name: tuple(found) for name, found in body.get("tokens", {}).items()},
        methods=tuple((m, why, found) for m, why, found in body.get("methods", ())),
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
    sent = _sent(found)
    consent_id, holder = mint_iri(), vault.holder_did(found.recipient)
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
    to = to_of(home, found.request["response_uri"])
    form = build_response(
        build_token(found.presentation, found.request["query_ids"], tokens=found.tokens),
        state=found.request["state"],
        encryption=Encryption.from_json(found.request.get("encryption")),
        extra={"consent_receipt": receipt} if to == HUB else None,
    )
    payload = seal_job(
        home,
        vault.vault_id,
        DELIVER,
        {
            "application": found.application or consent_id,
            "to": to,
            "response_uri": found.request["response_uri"],
            "form": form,
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


def _sent(found: Disclosure) -> Digest:
    return _digest_of(found.presentation, found.tokens)


def _digest_of(presentation: Mapping[str, Any], tokens: Mapping[str, tuple[str, ...]]) -> Digest:
    if not tokens:
        return digest(encode(presentation))
    said = {name: list(items) for name, items in tokens.items()}
    return digest(encode({"presentation": presentation, "tokens": said}))


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
        presentation=_sent(found),
        extra={
            "aidTitle": found.request["aid_title"],
            "funderName": found.request["funder_name"],
        },
    )
    if isinstance(known, Application):
        return replace(fresh, revision=known.revision, history=(*known.history, step))
    return fresh


def application_of(vault: "OpenVault", iri: Iri) -> Application:
    """Raises RecordUnknownError; ActRefusedError: a record of another kind."""
    record = vault.get(iri)
    if not isinstance(record, Application):
        raise ActRefusedError("not-an-application")
    return record


def holder_proof(vault: "OpenVault", application: Application) -> str:
    """Fresh proof of the key that presented, for the hub of an application."""
    return sign_status_proof(
        application.id,
        holder=vault.holder_key(Did(application.funder)),
        audience=Did(application.hub or hub_did(vault)),
        at=vault.home.clock(),
    )


def refresh_application(vault: "OpenVault", iri: Iri) -> Record:
    """Ask the hub, with a proof of the holder key; keep state, amount, reasons and award."""
    application = application_of(vault, iri)
    delivery = delivery_of(vault.home, vault.vault_id, iri)
    if delivery is None or delivery.state != "delivered":
        return _undelivered(vault, application, delivery)
    view = hub_of(vault).application(iri, proof_jwt=holder_proof(vault, application))
    return take_view(vault, application, view)


def seen_steps(application: Application) -> int:
    """How many steps the citizen had before their eyes. Before 2026-11-22 the hub was asked when a
    page showed the answer, so whatever is kept without a count was seen."""
    count = application.extra.get(SEEN)
    if type(count) is int:
        return count
    return len(application.history) if "hubView" in application.extra else 1


def take_view(vault: "OpenVault", application: Application, view: "ApplicationView") -> Record:
    """Keep what the hub says of an application; how much of it the citizen saw stays as it was.

    The hub is asked without a lock, so another answer may have come first (the page, the news, a
    document that was joined): what is kept is the record as it is now with what this answer adds,
    and an answer that knows fewer steps than are kept is the older one.
    """
    if view.award is not None:
        _take_award(vault, application, view)
    history = tuple(
        Transition(
            state=ApplicationState(step.state), at=step.at, actor=step.actor, reason=step.reason
        )
        for step in view.history
    )

    def take(now: Application) -> Application:
        if "hubView" in now.extra and len(history) < len(now.history):
            return now
        return replace(
            now,
            state=ApplicationState(view.state),
            amount=None if view.amount_cents is None else Cents(view.amount_cents),
            reasons=tuple(str(reason.get("fr", "")) for reason in view.reasons),
            history=history or now.history,
            extra={**now.extra, SEEN: seen_steps(now), "hubView": _view(view)},
        )

    return vault.revise(application.id, take, kind=Kind.APPLICATION)


def answer_application(vault: "OpenVault", iri: Iri, text: str) -> Record:
    """Answer a request for information in words; the application as the hub then sees it."""
    application = application_of(vault, iri)
    view = hub_of(vault).answer(iri, proof_jwt=holder_proof(vault, application), text=text)
    return take_view(vault, application, view)


def appeal_application(vault: "OpenVault", iri: Iri, reason: str) -> Record:
    """Contest a refusal."""
    application = application_of(vault, iri)
    view = hub_of(vault).appeal(iri, proof_jwt=holder_proof(vault, application), reason=reason)
    return take_view(vault, application, view)


def withdraw_application(vault: "OpenVault", iri: Iri) -> Record:
    """Withdraw an application before its decision."""
    application = application_of(vault, iri)
    view = hub_of(vault).withdraw(iri, proof_jwt=holder_proof(vault, application))
    return take_view(vault, application, view)


def evidence_of(vault: "OpenVault", iri: Iri) -> bytes:
    """What shows a decision to a third party, as one ZIP (`federation/decision_log.py`)."""
    application = application_of(vault, iri)
    return hub_of(vault).evidence(iri, proof_jwt=holder_proof(vault, application))


def _undelivered(
    vault: "OpenVault", application: Application, delivery: Delivery | None
) -> Application:
    if delivery is None or delivery.state == "delayed":
        return application
    told = {"code": delivery.error_code, "checks": list(delivery.checks)}
    return vault.revise(
        application.id,
        lambda now: replace(now, extra={**now.extra, "delivery": told}),
        kind=Kind.APPLICATION,
    )


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
        "declared": [
            {"step": c.step, "code": c.code, "outcome": c.outcome, "words": dict(c.words)}
            for c in view.declared
        ],
        "explanation": dict(view.explanation),
        "remedies": dict(view.remedies),
        "mention": dict(view.mention),
        "message": view.message,
        "audit": None if view.audit is None else _audit(view.audit),
        "register": view.register,
        "receipt": None
        if view.receipt is None
        else {
            "receivedAt": view.receipt.received_at.isoformat(),
            "service": view.receipt.service,
            "contact": view.receipt.contact,
            "dueAt": view.receipt.due_at.isoformat(),
            "stoppedAt": None
            if view.receipt.stopped_at is None
            else view.receipt.stopped_at.isoformat(),
            "silence": dict(view.receipt.silence),
        },
    }


def _audit(audit: "AuditView") -> dict[str, Any]:
    return {
        "state": audit.state,
        "leaves": len(audit.positions),
        "asked_at": audit.asked_at.isoformat(),
        "checks": [
            {"step": c.step, "code": c.code, "outcome": c.outcome, "words": dict(c.words)}
            for c in audit.checks
        ],
    }


def _take_award(vault: "OpenVault", application: Application, view: "ApplicationView") -> None:
    """Once for each application, whoever asks the hub at the same moment."""
    assert view.award is not None  # noqa: S101  # caller
    credential = vault.accept_credential(view.award)
    if view.amount_cents is None:
        return
    with vault.library.writing() as draft:
        awards = (cast(Award, award) for award in vault.all(Kind.AWARD))
        if any(award.application == application.id for award in awards):
            return
        award = Award(
            id=mint_iri(),
            application=application.id,
            aid=application.aid,
            amount=Cents(view.amount_cents),
            period_from=application.period_from,
            period_until=application.period_until,
            credential=credential.id,
            awarded_at=vault.home.clock(),
        )
        vault.store_record(draft, award)
        draft.journal("award-received", actor=application.funder, application=application.id)


def withdraw_consent(vault: "OpenVault", iri: Iri, *, at: datetime) -> Consent:
    """Withdraw. Doing it twice changes nothing."""
    from vault.passport.connections import end_consent
    from vault.standing import withdraw

    record = vault.get(iri)
    if not isinstance(record, Consent):
        raise ActRefusedError("not-a-consent")
    if record.frequency is not None and record.grant is not None:
        return withdraw(vault, iri, at=at)
    if record.withdrawn_at is not None:
        return record
    if "passport" in record.extra:
        end_consent(vault.home.passport, vault, record)
        return cast(Consent, vault.get(iri))
    changed = replace(record, withdrawn_at=at, receipt=withdrawn_receipt(record.receipt, at=at))
    told = telling(vault, changed)
    with vault.library.writing() as draft:
        stored = vault.store_record(draft, changed)
        draft.journal("consent-withdrawn", recipient=record.recipient, consent=iri)
        tell(vault, draft, changed, told)
    return cast(Consent, stored)


@dataclass(frozen=True, slots=True)
class _Telling:
    """What tells a recipient: the application it knows, and a proof of the holder key made now."""

    application: Iri
    proof: str


def telling(vault: "OpenVault", consent: Consent) -> _Telling | None:
    """How the recipient of a consent is told of its withdrawal; None for one that answered no
    funder. A standing consent is told of through the last application sent under it, or through
    the one it was made from: the newest to the same recipient for the same aid."""
    iri = consent.application
    if consent.frequency is not None:
        iri = _last_sent(vault, consent)
    if iri is None:
        return None
    return _Telling(iri, holder_proof(vault, application_of(vault, iri)))


def _last_sent(vault: "OpenVault", consent: Consent) -> Iri | None:
    under = {
        child.application
        for child in vault.all(Kind.CONSENT)
        if isinstance(child, Consent) and child.standing == consent.id
    }
    sent = [
        found
        for found in vault.all(Kind.APPLICATION)
        if isinstance(found, Application)
        and found.submitted_at is not None
        and (found.id in under or (found.funder, found.aid) == (consent.recipient, consent.aid))
    ]
    newest = max(
        sent, key=lambda found: (found.id in under, found.submitted_at, found.id), default=None
    )
    return None if newest is None else newest.id


def tell(vault: "OpenVault", draft: "Draft", consent: Consent, told: _Telling | None) -> None:
    """An outbox row, in the commit that decides it."""
    if told is None:
        return
    job = enqueue_withdrawal(
        vault.home,
        draft,
        consent.id,
        application=told.application,
        proof_jwt=told.proof,
        standing=consent.frequency is not None,
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
            heard = withdrawal_of(vault.home, vault.vault_id, record.id)
            if (
                heard is not None
                and heard["state"] == "sent"
                and at - datetime.fromisoformat(heard["at"]) >= PROOF_LIFE
            ):
                again.append(record)
    if again:
        tellings = [telling(vault, record) for record in again]
        with vault.library.writing() as draft:
            for record, told in zip(again, tellings, strict=True):
                tell(vault, draft, record, told)
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
        draft.journal("attested", aid=aid.id, days=proof.count.value)
    return proof.credential
