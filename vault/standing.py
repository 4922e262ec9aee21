"""Standing consents: "each month until June, the proof of the month that ended, to this employer".

Made from a share that was sent, or from a request that was read and not answered: the same
recipient, the same claims, the same purpose. With *limits* (a ceiling, how far the home goes alone)
it applies for the aid where a period gives a right to it, and else sends nothing
(`vault/entitlement.py`).

The home runs it while the vault is locked (`vault/standing_run.py`) with a grant: the month keys of
trips for the months agreed, their index key, the holder key of this recipient; and with the terms,
where places and signed documents are copied. The state, the terms and what a run leaves for the
vault: `vault/standing_terms.py`.

Pausing skips the periods that end meanwhile. Withdrawing deletes the keys and opens an epoch, in
one commit; what was sent stays sent, each with a receipt and an application of its own, which can
be withdrawn apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from federation.aids.declaration import declaration_of
from federation.aids.prior_aid import NO_PRIOR_AID
from federation.credentials.held import read_held
from federation.credentials.shape import ShapeError
from federation.multibase import b64url
from federation.wire.errors import JobNotFoundError
from federation.wire.jobs import JobState
from schemas.ids import Did, Iri, digest, mint_iri
from schemas.jsonld import encode
from schemas.records import (
    Application,
    ApplicationState,
    Compartment,
    Consent,
    Extent,
    Frequency,
    Kind,
)
from schemas.units import Cents
from vault.circles import catalogue_of, keys_of
from vault.consent import Repetition, consent_receipt, withdrawn_receipt
from vault.crypto.grant import GrantScope
from vault.delivery import Delivery, delivery_of
from vault.editing import find_answer, remember
from vault.entitlement import past_of
from vault.errors import (
    ActRefusedError,
    HeadMovedError,
    RecordUnknownError,
    ShareRefusedError,
)
from vault.grants import STANDING, give, take_back
from vault.sharing import FRESH, STAYS, hub_did, read_disclosure, tell, telling
from vault.standing_run import due_at, enqueue
from vault.standing_terms import (
    LENGTH,
    MAX_PERIODS,
    Limits,
    Period,
    Run,
    Sent,
    State,
    Terms,
    months_of,
    open_sent,
    open_terms,
    period_after,
    period_of,
    put_state,
    seal_terms,
    state_of,
    terms_name,
)

if TYPE_CHECKING:
    from federation.aids.catalogue import Catalogue
    from federation.aids.model import Aid
    from federation.sealing.box import BoxPublicKey
    from vault.library import Draft
    from vault.open_vault import OpenVault
    from vault.store import Transactor

__all__ = [
    "MAX_CEILING",
    "Basis",
    "Offer",
    "Standing",
    "aid_of",
    "apply_for_me",
    "basis_of",
    "give_standing",
    "offer",
    "pause",
    "resume",
    "standing",
    "tend",
    "withdraw",
]

_PROOF: Final = "UsageProof"


@dataclass(frozen=True, slots=True)
class Basis:
    """What a standing consent is made from: a share that was sent, or what would leave in one."""

    id: Iri
    """Of the consent; `urn:uuid:` and the number of a disclosure that nobody answered."""
    recipient: Did
    recipient_name: str
    purpose: str
    claims: tuple[str, ...]
    kept_back: tuple[str, ...]
    legal: str | None
    aid: Iri
    hub: Did
    sent_until: date | None
    """Last day that was sent already; None: nothing was."""
    disclosure: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What a share can be repeated as, before anything is agreed."""

    source: Basis
    periods: tuple[Period, ...]
    """The periods that may be chosen as the last, in order; the first of them is the first."""
    documents: tuple[tuple[str, datetime | None], ...]
    """Types of the signed documents that go along each time, and until when each is valid."""


@dataclass(frozen=True, slots=True)
class RunShown:
    """One period of a standing consent, as the citizen reads it."""

    run: Run
    delivery: Delivery | None
    """What the recipient answered; None on its way, or when nothing was sent."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A standing consent and where it stands."""

    consent: Consent
    state: State | None
    """None in a vault that moved to another home: nothing is sent from here."""
    is_live: bool
    runs: tuple[RunShown, ...]
    """Newest first."""
    asked: Cents | None = None
    """Asked for by the home alone so far; None where it only sends a proof."""

    @property
    def is_paused(self) -> bool:
        return self.state is not None and self.state.paused


# --- offering and giving -----------------------------------------------------------------------


def offer(vault: "OpenVault", source: Iri, *, frequency: Frequency) -> Offer:
    """How a finished share, or a request that was read, can be repeated. Raises ActRefusedError:
    `not-a-share`, `consent-withdrawn`, `documents-missing`, `request-expired`."""
    basis = basis_of(vault, source)
    today = vault.home.clock().date()
    period = period_of(today, frequency)
    while basis.sent_until is not None and period[0] <= basis.sent_until:
        period = period_after(period, frequency)
    periods = [period]
    most = MAX_PERIODS // LENGTH[frequency]
    while len(periods) < most:
        periods.append(period_after(periods[-1], frequency))
    documents = tuple(
        (held.type, held.valid_until)
        for held in (
            read_held(document) for document in _documents(vault, basis.recipient, basis.claims)
        )
    )
    return Offer(basis, tuple(periods), documents)


def aid_of(vault: "OpenVault", source: Iri) -> "Aid":
    """The aid that a share applied for, as the hub publishes it now.

    Raises:
        ActRefusedError: `not-a-share`, `consent-withdrawn`. UnknownAidError: it was taken down.
        HubUnreachableError: no catalogue was ever received.
    """
    return catalogue_of(vault).aid(basis_of(vault, source).aid)


def basis_of(vault: "OpenVault", iri: Iri) -> Basis:
    """What a share was, or what a request that was read asks for. Raises RecordUnknownError, and
    ActRefusedError as `offer`."""
    try:
        consent, application = _source(vault, iri)
    except RecordUnknownError:
        return _prepared(vault, iri)
    return Basis(
        id=consent.id,
        recipient=consent.recipient,
        recipient_name=consent.recipient_name,
        purpose=consent.purpose,
        claims=consent.claims,
        kept_back=consent.kept_back or STAYS,
        legal=consent.legal,
        aid=application.aid,
        hub=Did(application.hub or ""),
        sent_until=application.period_until,
    )


def _prepared(vault: "OpenVault", iri: Iri) -> Basis:
    try:
        found = read_disclosure(vault, iri.removeprefix("urn:uuid:"))
    except ShareRefusedError as error:
        if error.reason == "disclosure-unknown":
            raise RecordUnknownError(iri) from error
        raise ActRefusedError(str(error.reason)) from error
    claims = tuple(claim.path for claim in found.leaves)
    if found.aid is None or not any(claim.startswith(f"{_PROOF}.") for claim in claims):
        raise ActRefusedError("not-a-share")
    return Basis(
        id=iri,
        recipient=found.recipient,
        recipient_name=found.recipient_name,
        purpose=found.purpose,
        claims=claims,
        kept_back=found.stays or STAYS,
        legal=found.legal,
        aid=found.aid,
        hub=hub_did(vault),
        sent_until=None,
        disclosure=found.id,
    )


def _source(vault: "OpenVault", iri: Iri) -> tuple[Consent, Application]:
    consent = vault.get(iri)
    if not isinstance(consent, Consent) or consent.application is None:
        raise ActRefusedError("not-a-share")
    if consent.withdrawn_at is not None:
        raise ActRefusedError("consent-withdrawn")
    application = vault.get(consent.application)
    if not isinstance(application, Application) or not any(
        claim.startswith(f"{_PROOF}.") for claim in consent.claims
    ):
        raise ActRefusedError("not-a-share")
    return consent, application


def _types(claims: tuple[str, ...]) -> list[str]:
    """Credential types that claims name, the usage proof apart."""
    return sorted({claim.partition(".")[0] for claim in claims} - {_PROOF})


def _documents(
    vault: "OpenVault", recipient: Did, claims: tuple[str, ...]
) -> list[Mapping[str, Any]]:
    """The newest usable document of each type that was shared, bound to this recipient's key."""
    holder, at = vault.holder_did(recipient), vault.home.clock()
    # The hub's word on its ledger is good for hours: each run asks for its own.
    missing, out = set(_types(claims)) - {NO_PRIOR_AID}, list[Mapping[str, Any]]()
    for record in reversed(vault.credentials()):
        if record.type not in missing or "disputedAt" in record.extra:
            continue
        try:
            usable = read_held(record.document).is_usable(holder=holder, at=at)
        except ShapeError:
            continue
        if usable:
            missing.discard(record.type)
            out.append(dict(record.document))
    if missing:
        raise ActRefusedError("documents-missing")
    return out


def give_standing(
    vault: "OpenVault",
    source: Iri,
    aid: "Aid",
    *,
    frequency: Frequency,
    last: date,
    confirmed_at: datetime,
    limits: Limits | None = None,
    once: tuple[str, bytes] | None = None,
) -> Consent:
    """Agree: one commit writes grant, terms, consent with its receipt, journal and the first run.

    `last` is a day of the last period; `limits` make it one that applies (`apply_for_me`); `once`
    an idempotency key with the request it came with:
    what they made first is given again.

    Raises:
        ActRefusedError: as `offer`; `not-confirmed` (older than five minutes), `aid-mismatch`,
            `period-refused` (not one that was offered), `standing-exists`.
        IdempotencyKeyReusedError: another request came with that key.
        HeadMovedError: keys were given or taken back meanwhile; read again and retry.
    """
    home, at = vault.home, vault.home.clock()
    with vault.library.reading() as shelf:
        made = None if once is None else find_answer(vault, shelf, *once)
        granted = {row.grant_id for row in shelf.reader.grants(vault.vault_id)}
        seen = shelf.head.seq
    if made is not None:
        return cast(Consent, vault.get(made))
    if not at - FRESH <= confirmed_at <= at + timedelta(seconds=30):
        raise ActRefusedError("not-confirmed")
    offered = offer(vault, source, frequency=frequency)
    given = offered.source
    if aid.id != given.aid or aid.funder != given.recipient or aid.proof is None:
        raise ActRefusedError("aid-mismatch")
    until = period_of(last, frequency)
    if until not in offered.periods:
        raise ActRefusedError("period-refused")
    for other in standing(vault):
        if other.is_live and (other.consent.recipient, other.consent.aid) == (
            given.recipient,
            aid.id,
        ):
            raise ActRefusedError("standing-exists")
    consent_id, first = mint_iri(), offered.periods[0]
    terms = Terms(
        consent=consent_id,
        given_at=confirmed_at,
        recipient=given.recipient,
        recipient_name=given.recipient_name,
        purpose=given.purpose,
        aid=aid.id,
        aid_title=dict(aid.titles),
        funder_name=aid.funder_name,
        hub=given.hub,
        claims=given.claims,
        stays=given.kept_back,
        legal=given.legal,
        retention=None,
        frequency=frequency,
        since=first[0],
        until=until[1],
        template=aid.proof,
        places=tuple(vault.places()),
        credentials=tuple(_documents(vault, given.recipient, given.claims)),
        limits=limits,
        covered=() if limits is None else _covered(vault, aid.id),
        circles=_circles(vault),
    )
    key = _delegation(vault)
    agreed = digest(encode({k: v for k, v in terms.to_json().items() if k not in _COPIES}))
    receipt = consent_receipt(
        consent=consent_id,
        subject=vault.holder_did(given.recipient),
        recipient=given.recipient,
        recipient_name=given.recipient_name,
        controller=home.did,
        purpose=given.purpose,
        claims=given.claims,
        kept_back=terms.stays,
        credential_types=[_PROOF, *_types(given.claims)],
        legal=given.legal,
        retention=None,
        given_at=confirmed_at,
        expires_at=terms.expires_at,
        presentation=agreed,
        application=None,
        notice="standing-consent-page/1",
        repeats=Repetition(
            frequency,
            terms.since,
            terms.until,
            None if limits is None else limits.extent,
            None if limits is None else limits.ceiling,
        ),
    )
    with vault.library.writing() as draft:
        if {row.grant_id for row in draft.reader.grants(vault.vault_id)} != granted:
            raise HeadMovedError(expected=seen, found=draft.head.seq)
        info = give(
            vault,
            draft,
            GrantScope(
                months={Compartment.TRIPS: months_of(terms.since, terms.until)},
                holder=given.recipient,
            ),
            to=key,
            name=str(home.did),
            purpose=given.purpose,
            expires_at=terms.expires_at,
            kind=STANDING,
        )
        consent = Consent(
            id=consent_id,
            recipient=given.recipient,
            recipient_name=given.recipient_name,
            purpose=given.purpose,
            claims=given.claims,
            kept_back=terms.stays,
            legal=given.legal,
            given_at=confirmed_at,
            expires_at=terms.expires_at,
            presentation=agreed,
            receipt=receipt,
            frequency=frequency,
            period_from=terms.since,
            period_until=terms.until,
            aid=aid.id,
            grant=info.id,
            extent=None if limits is None else limits.extent,
            ceiling=None if limits is None else limits.ceiling,
        )
        if given.disclosure is not None:  # agreed to, not answered
            draft.tx.delete_setting(vault.vault_id, f"disclosure/{given.disclosure}")
        vault.store_record(draft, consent)
        draft.tx.put_setting(
            vault.vault_id,
            terms_name(info.id),
            seal_terms(terms, to=key, vault_id=vault.vault_id, grant_id=info.id),
        )
        _plan(vault, draft.tx, info.id, State(), first)
        if once is not None:
            remember(vault, draft, *once, consent_id)
        draft.journal(
            "standing-given",
            recipient=given.recipient,
            purpose=given.purpose,
            consent=consent_id,
            until=terms.until.isoformat(),
        )
    return consent


def apply_for_me(
    vault: "OpenVault",
    source: Iri,
    catalogue: "Catalogue",
    *,
    frequency: Frequency,
    last: date,
    ceiling: Cents,
    extent: Extent,
    confirmed_at: datetime,
    once: tuple[str, bytes] | None = None,
) -> Consent:
    """Agree that the home applies for the aid of `source` after each period that gives a right to
    it, until `last`, for `ceiling` at most, and sends or only prepares.

    Raises:
        ActRefusedError: as `give_standing`; `ceiling-refused`, `dossier-needed` (what goes along is
            answered or chosen anew each time). UnknownAidError: the aid was taken down.
    """
    aid = catalogue.aid(basis_of(vault, source).aid)
    if not 0 < ceiling <= MAX_CEILING:
        raise ActRefusedError("ceiling-refused")
    if declaration_of(aid) is not None:
        raise ActRefusedError("dossier-needed")
    return give_standing(
        vault,
        source,
        aid,
        frequency=frequency,
        last=last,
        confirmed_at=confirmed_at,
        limits=Limits(ceiling, extent, catalogue.rule_digest(aid)),
        once=once,
    )


MAX_CEILING: Final = Cents(10_000_000)
"""100 000 €: more is a slip of the keyboard."""


def _circles(vault: "OpenVault") -> tuple[str, ...]:
    return tuple(sorted(b64url(key) for key in keys_of(vault)))


def _covered(vault: "OpenVault", aid: Iri) -> tuple[Period, ...]:
    """Periods the citizen applied for themselves, what became nothing left out."""
    sent = [
        found
        for found in vault.all(Kind.APPLICATION)
        if isinstance(found, Application)
        and found.aid == aid
        and found.submitted_at is not None
        and found.state not in _NOTHING
        and "delivery" not in found.extra
    ]
    return tuple(sorted((found.period_from, found.period_until) for found in sent))


_NOTHING: Final = frozenset(
    {ApplicationState.DRAFT, ApplicationState.WITHDRAWN, ApplicationState.REFUSED}
)


_COPIES: Final = frozenset({"places", "credentials", "covered", "circles"})
"""Of the terms: what is copied from the vault and renewed, not what was agreed."""


def _delegation(vault: "OpenVault") -> "BoxPublicKey":
    key = vault.home.delegation_key()
    try:
        return key.public
    finally:
        key.wipe()


def _plan(
    vault: "OpenVault", tx: "Transactor", grant_id: str, state: State, period: Period
) -> None:
    due = max(due_at(period), vault.home.clock())
    job = enqueue(vault.home, tx, vault.vault_id, grant_id, period=period, due=due)
    state = replace(state, job=job.id, next_period=period, next_at=due)
    put_state(vault.home, tx, vault.vault_id, grant_id, state)


# --- reading -----------------------------------------------------------------------------------


def standing(vault: "OpenVault", consent: Iri | None = None) -> list[Standing]:
    """Standing consents, newest first, or the one named. What runs left is taken in before."""
    tend(vault)
    records = [
        record
        for record in ([vault.get(consent)] if consent else reversed(vault.all(Kind.CONSENT)))
        if isinstance(record, Consent) and record.frequency is not None
    ]
    if not records:
        return []
    with vault.library.reading() as shelf:
        live = {row.grant_id for row in shelf.reader.grants(vault.vault_id)}
        states = {
            record.id: state_of(vault.home, shelf.reader, vault.vault_id, record.grant)
            for record in records
            if record.grant is not None
        }
    return [_shown(vault, record, states.get(record.id), live) for record in records]


def _shown(vault: "OpenVault", record: Consent, state: State | None, live: set[str]) -> Standing:
    runs = () if state is None else state.runs
    return Standing(
        record,
        state,
        record.withdrawn_at is None and record.grant in live and state is not None,
        tuple(
            RunShown(
                run,
                None
                if run.application is None
                else delivery_of(vault.home, vault.vault_id, run.application),
            )
            for run in reversed(runs)
        ),
        None
        if state is None or record.ceiling is None
        else Cents(past_of(vault.home, vault.vault_id, state).asked),
    )


# --- pausing and withdrawing ---------------------------------------------------------------------


def _live(vault: "OpenVault", iri: Iri) -> tuple[Consent, str]:
    record = vault.get(iri)
    if not isinstance(record, Consent) or record.frequency is None or record.grant is None:
        raise ActRefusedError("not-a-standing-consent")
    return record, record.grant


def pause(vault: "OpenVault", iri: Iri) -> Consent:
    """Send nothing until it is resumed; periods that end meanwhile are skipped. Twice is once.
    Raises ActRefusedError: `not-a-standing-consent`, `standing-ended`."""
    return _set_paused(vault, iri, paused=True)


def resume(vault: "OpenVault", iri: Iri) -> Consent:
    """Send again, from the period that is running on. Raises as `pause`."""
    return _set_paused(vault, iri, paused=False)


def _set_paused(vault: "OpenVault", iri: Iri, *, paused: bool) -> Consent:
    record, grant_id = _live(vault, iri)
    with vault.library.writing() as draft:
        state = state_of(vault.home, draft.tx, vault.vault_id, grant_id)
        if state is None or draft.tx.grant(vault.vault_id, grant_id) is None:
            raise ActRefusedError("standing-ended")
        if state.paused == paused:
            return record
        at = vault.home.clock()
        changed = replace(record, paused_at=at if paused else None)
        put_state(vault.home, draft.tx, vault.vault_id, grant_id, replace(state, paused=paused))
        stored = vault.store_record(draft, changed)
        event = "standing-paused" if paused else "standing-resumed"
        draft.journal(event, recipient=record.recipient, consent=iri)
    return cast(Consent, stored)


def withdraw(vault: "OpenVault", iri: Iri, *, at: datetime) -> Consent:
    """(1) What runs left is taken in, (2) the keys and the terms go and an epoch opens, (3) the
    receipt says so, (4) the recipient is told, until it has heard. A run that holds the keys this
    moment finds no grant at its commit and sends nothing. Doing it twice changes nothing."""
    record, grant_id = _live(vault, iri)
    if record.withdrawn_at is not None:
        return record
    tend(vault)  # 1
    told = telling(vault, record)
    with vault.library.writing() as draft:
        found = draft.find(iri, [Compartment.AIDS])
        if found is None:
            raise RecordUnknownError(iri)
        _take_in(vault, draft)
        if draft.tx.grant(vault.vault_id, grant_id) is not None:
            take_back(vault, draft, grant_id)  # 2
        draft.tx.delete_setting(vault.vault_id, terms_name(grant_id))
        state = state_of(vault.home, draft.tx, vault.vault_id, grant_id)
        if state is not None:
            ended = replace(state, job=None, next_period=None, next_at=None, ended=True)
            put_state(vault.home, draft.tx, vault.vault_id, grant_id, ended)
        changed = replace(  # 3
            record,
            withdrawn_at=at,
            paused_at=None,
            receipt=withdrawn_receipt(record.receipt, at=at),
        )
        stored = vault.store_record(draft, changed)
        draft.journal("standing-withdrawn", recipient=record.recipient, consent=iri)
        tell(vault, draft, changed, told)  # 4
    vault.tend()
    return cast(Consent, stored)


# --- when the vault is open ----------------------------------------------------------------------


def tend(vault: "OpenVault") -> int:
    """What only an open vault can do for its standing consents: (1) take in what runs left, (2)
    copy places and documents that changed into the terms, (3) start again a run whose job died.
    Returns how many shares were taken in; costs two look-ups when there is nothing."""
    count = 0
    with vault.library.reading() as shelf:
        waiting = bool(shelf.reader.settings(vault.vault_id, prefix="standing-sent/"))
        terms = shelf.reader.settings(vault.vault_id, prefix="standing-terms/")
    if waiting:  # 1
        with vault.library.writing() as draft:
            count = _take_in(vault, draft)
    for name, sealed in terms.items():
        grant_id = name.removeprefix("standing-terms/")
        _copy_again(vault, grant_id, sealed)  # 2
        _revive(vault, grant_id)  # 3
    return count


def _take_in(vault: "OpenVault", draft: "Draft") -> int:
    """Consent, application and evidence tree of each share sent while locked."""
    found = draft.tx.settings(vault.vault_id, prefix="standing-sent/")
    for name, sealed in found.items():
        sent: Sent = open_sent(
            sealed, key=vault.library.keyring.journal(), vault_id=vault.vault_id, name=name
        )
        vault.store_record(draft, sent.application)
        if sent.consent is not None:
            vault.store_record(draft, sent.consent)
            vault.keep(draft, f"evidence/{sent.consent.presentation.hex()}", sent.evidence)
        draft.tx.delete_setting(vault.vault_id, name)
    return len(found)


def _copy_again(vault: "OpenVault", grant_id: str, sealed: bytes) -> None:
    key = vault.home.delegation_key()
    try:
        terms = open_terms(sealed, key=key, vault_id=vault.vault_id, grant_id=grant_id)
    finally:
        key.wipe()
    record = vault.get(terms.consent)
    if not isinstance(record, Consent):
        return
    places = tuple(vault.places())
    try:
        documents = tuple(_documents(vault, record.recipient, record.claims))
    except ActRefusedError:  # expired and not renewed: the run says so
        documents = terms.credentials
    covered = () if terms.limits is None else _covered(vault, terms.aid)
    kept = () if terms.limits is None else _circles(vault)
    fresh = replace(terms, places=places, credentials=documents, covered=covered, circles=kept)
    if fresh.to_json() == terms.to_json():
        return
    box = seal_terms(fresh, to=_delegation(vault), vault_id=vault.vault_id, grant_id=grant_id)
    with vault.library.store.transact() as tx:
        tx.lock_head(vault.vault_id)
        if tx.grant(vault.vault_id, grant_id) is not None:  # not withdrawn meanwhile
            tx.put_setting(vault.vault_id, terms_name(grant_id), box)


def _revive(vault: "OpenVault", grant_id: str) -> None:
    """A run may die of a fault of ours; the next opening gives it another start."""
    with vault.library.store.read() as reader:
        state = state_of(vault.home, reader, vault.vault_id, grant_id)
    if state is None or state.job is None or state.next_period is None:
        return
    try:
        if vault.home.outbox.get(state.job).state in (JobState.WAITING, JobState.RUNNING):
            return
    except JobNotFoundError:
        pass
    with vault.library.store.transact() as tx:
        tx.lock_head(vault.vault_id)
        now = state_of(vault.home, tx, vault.vault_id, grant_id)
        alive = tx.grant(vault.vault_id, grant_id) is not None
        if alive and now is not None and now.job == state.job and now.next_period is not None:
            _plan(vault, tx, grant_id, now, now.next_period)
