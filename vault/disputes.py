"""« Ce trajet n'est pas le mien »: a citizen disputes what a source signed about them.

Steps: (1) what is disputed: of a trip, the observations an operator or a register left, and the
credentials the same source signed of the same journey; of a credential, the same the other way
round; (2) one commit: the act (an observation of the citizen's own, so that it is exported and
later deposits of the journey meet it), credentials marked (`extra.disputedAt`: nothing is shown
of them; totals of the same source over that day too: they may count it), trips settled anew
without what is disputed, a sealed job for each issuer; (3) the job
finds the issuer's address (`MobilityDisputes` of its DID document) and tells it, signed by the
home, until it answers. A trip that another source saw too stays, with that source's evidence
alone. What proofs said before stays with who got them; an audit answers "withdrawn".

Undoing takes the act back at any time, and tells the issuer that too. The signed record itself
stays in the vault all along: it is the evidence in the quarrel.
"""

import json
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from federation.credentials.held import read_held
from federation.credentials.shape import ShapeError
from federation.did import DidError
from federation.did.web import DidWebResolver, url_of
from federation.disputes import SERVICE, Dispute
from federation.trust import parse_instant
from federation.wire.errors import AddressRefusedError, UpstreamStatusError
from federation.wire.jobs import Job, JobState
from federation.wire.signatures import new_nonce, sign
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import Did, Iri, mint_iri
from schemas.observations import CitizenObservation, DisputeReason, TripObservation
from schemas.records import Compartment, Credential, Kind, Trip
from vault.delivery import open_job, seal_job
from vault.errors import ActRefusedError, RecordUnknownError
from vault.evidence import took_place
from vault.observed import Observed

if TYPE_CHECKING:
    from vault.home import Home
    from vault.library import Draft, Shelf
    from vault.open_vault import OpenVault
    from vault.store import Transactor

__all__ = [
    "DISPUTABLE",
    "DISPUTE",
    "MARK",
    "Disputed",
    "Told",
    "can_be_disputed",
    "dispute",
    "disputes",
    "register",
    "tell_again",
    "undo",
]

DISPUTE: Final = "dispute"
DISPUTABLE: Final = frozenset({"CarpoolJourney", "TripCredential", "RentalCredential"})
"""Credentials that say a trip was made."""
TOTAL: Final = "UsageProof"
MARK: Final = "disputedAt"
DEFAULT: Final = "Europe/Paris"
"""Zone of an instant that a credential says without one."""
_JOURNEY: Final = ("journey", "rental")
"""Members of a credential that name the source's own record."""
_ABSENT: Final = frozenset({404, 410})
_REFUSED: Final = range(400, 500)
_LATER: Final = frozenset({408, 425})


@dataclass(frozen=True, slots=True)
class Told:
    """What an issuer knows of a dispute."""

    issuer: Did
    state: str
    """`sent` (on its way), `heard`, `refused`, or `no-address`: nobody can be told by us."""
    code: str | None = None
    """Of a refusal."""


@dataclass(frozen=True, slots=True)
class Disputed:
    """One dispute that stands."""

    id: Iri
    at: datetime
    reason: DisputeReason
    observations: tuple[TripObservation, ...]
    credentials: tuple[Credential, ...]
    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is disputed, of one issuer or several."""

    observed: tuple[Observed, ...]
    credentials: tuple[Credential, ...]

    @property
    def names(self) -> tuple[Iri, ...]:
        return (*(item.iri for item in self.observed), *(held.id for held in self.credentials))

    def issuers(self) -> list[Did]:
        found = [item.received.depositor for item in self.observed]
        return list(dict.fromkeys([*found, *(Did(held.issuer) for held in self.credentials)]))

    def of(self, issuer: Did) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(its journeys, its credentials)."""
        journeys = [
            name
            for item in self.observed
            if item.received.depositor == issuer
            and isinstance(item.received.observation, TripObservation)
            for name in item.received.observation.upstream_ids
        ]
        held = [credential.id for credential in self.credentials if credential.issuer == issuer]
        return tuple(dict.fromkeys(journeys)), tuple(held)


def can_be_disputed(vault: "OpenVault", trip: Iri) -> bool:
    """Whether an operator or a register signed anything of this trip."""
    return any(_is_signed(item) for item in vault.observed_of(trip))


def _is_signed(item: Observed) -> bool:
    return took_place(item.received) >= Evidence.OPERATOR


def dispute(vault: "OpenVault", iri: Iri, *, reason: DisputeReason) -> Disputed:
    """Steps 1 and 2, for a trip or for a credential that says something of a trip.

    Raises:
        RecordUnknownError: neither. ActRefusedError: `not-signed-by-a-source` (correct or delete
            it), `disputed-already`.
    """
    act_id, at = mint_iri(), vault.home.clock()
    subject = _with_totals(vault, _subject(vault, iri))  # 1
    act = CitizenObservation(id=act_id, at=at, act="dispute", targets=subject.names, reason=reason)
    item = vault.own(act)
    with vault.library.writing() as draft:  # 2
        vault.store_observed(draft, item)
        for credential in subject.credentials:
            if MARK in credential.extra:  # a total that an earlier dispute took out
                continue
            marked = {**credential.extra, MARK: at.isoformat()}
            vault.store_record(draft, replace(credential, extra=marked))
        if subject.observed:
            vault.resettle(draft, added=[item])
        _tell(vault, draft, act, subject, at=at, withdrawn=False)
        draft.journal(
            "trip-disputed",
            dispute=act_id,
            ground=reason,
            count=len(subject.names),
            issuer=", ".join(subject.issuers()),
        )
    return next(found for found in disputes(vault) if found.id == act_id)


def undo(vault: "OpenVault", item: Observed) -> None:
    """Take a dispute back (`OpenVault.undo`): trips rest on it again, credentials may be shown."""
    act, at = item.received.observation, vault.home.clock()
    assert isinstance(act, CitizenObservation)  # noqa: S101  # the caller looked
    others = {
        name
        for other in vault.decisions()
        if isinstance(other, CitizenObservation) and other.act == "dispute" and other.id != act.id
        for name in other.targets
    }
    with vault.library.writing() as draft:
        subject = _named(draft, act)
        vault.erase(draft, item)
        for credential in subject.credentials:
            if credential.id in others:  # a total over another disputed trip
                continue
            kept = {name: value for name, value in credential.extra.items() if name != MARK}
            vault.store_record(draft, replace(credential, extra=kept))
        if subject.observed:
            vault.resettle(draft, removed=[item])
        _tell(vault, draft, act, subject, at=at, withdrawn=True)
        draft.journal("undone", act="dispute", dispute=act.id)


def disputes(vault: "OpenVault") -> list[Disputed]:
    """Every dispute that stands, newest first."""
    acts = [
        act
        for act in vault.decisions()
        if isinstance(act, CitizenObservation) and act.act == "dispute"
    ]
    found = []
    with vault.library.reading() as shelf:
        for act in acts:
            assert act.reason is not None  # noqa: S101  # a dispute has one
            subject = _named(shelf, act)
            if not subject.names:  # deleted since
                continue
            found.append(
                Disputed(
                    act.id,
                    act.at,
                    act.reason,
                    tuple(
                        item.received.observation
                        for item in subject.observed
                        if isinstance(item.received.observation, TripObservation)
                    ),
                    subject.credentials,
                    tuple(_told(vault.home, shelf, act.id, issuer) for issuer in subject.issuers()),
                )
            )
    return found


# --- what is disputed -----------------------------------------------------------------------------


def _subject(vault: "OpenVault", iri: Iri) -> _Subject:
    record = vault.get(iri)
    if isinstance(record, Trip):
        observed = [item for item in vault.observed_of(iri) if _is_signed(item)]
        credentials = _said_of(vault, observed)
    elif isinstance(record, Credential):
        if MARK in record.extra:
            raise ActRefusedError("disputed-already")
        credentials = [record] if record.type in DISPUTABLE else []
        name = _journey_of(record)
        observed = [] if name is None else _left(vault, Did(record.issuer), name)
    else:
        raise RecordUnknownError(iri)
    if not observed and not credentials:
        raise ActRefusedError("not-signed-by-a-source")
    return _Subject(tuple(observed), tuple(credentials))


def _with_totals(vault: "OpenVault", subject: _Subject) -> _Subject:
    """The totals beside what is disputed: which journeys one counts only its issuer can say."""
    spans = [
        (item.received.depositor, day, day)
        for item in subject.observed
        if isinstance(seen := item.received.observation, TripObservation)
        for day in [seen.started_at.astimezone(ZoneInfo(seen.start_zone)).date()]
    ]
    spans += [span for held in subject.credentials if (span := _span_of(held)) is not None]
    known = {held.id for held in subject.credentials}
    totals = [
        held
        for held in vault.credentials(TOTAL)
        if held.id not in known
        and (its := _span_of(held)) is not None
        and any(its[0] == who and its[1] <= last and first <= its[2] for who, first, last in spans)
    ]
    return replace(subject, credentials=(*subject.credentials, *totals))


def _span_of(held: Credential) -> tuple[Did, date, date] | None:
    """Issuer, first and last day of what a credential speaks of; None of one that says no day, or
    of a total that no source signed."""
    try:
        subject = read_held(held.document).subject
    except ShapeError:
        return None
    if held.type == TOTAL:
        if subject.get("assuranceMethod") != AssuranceMethod.SOURCE_AGGREGATE:
            return None
        first, last = (date.fromisoformat(subject[n]) for n in ("periodFrom", "periodUntil"))
    elif "month" in subject:
        year, month = (int(part) for part in str(subject["month"]).split("-"))
        first, last = date(year, month, 1), date(year, month, monthrange(year, month)[1])
    elif "startedAt" in subject:
        first = last = parse_instant(subject["startedAt"]).astimezone(ZoneInfo(DEFAULT)).date()
    else:
        return None
    return Did(held.issuer), first, last


def _said_of(vault: "OpenVault", observed: Iterable[Observed]) -> list[Credential]:
    """Credentials the same sources signed of the same journeys."""
    named = {
        (item.received.depositor, name)
        for item in observed
        for name in getattr(item.received.observation, "upstream_ids", ())
    }
    return [
        held
        for held in vault.credentials()
        if MARK not in held.extra and (Did(held.issuer), _journey_of(held)) in named
    ]


def _left(vault: "OpenVault", issuer: Did, name: str) -> list[Observed]:
    """Observations of this journey that its own source left."""
    return [
        item
        for item in vault.all_observed([Compartment.TRIPS])
        if item.received.depositor == issuer
        and name in getattr(item.received.observation, "upstream_ids", ())
        and _is_signed(item)
    ]


def _journey_of(held: Credential) -> str | None:
    try:
        subject = read_held(held.document).subject
    except ShapeError:
        return None
    return next((str(subject[name]) for name in _JOURNEY if name in subject), None)


def _named(shelf: "Shelf", act: CitizenObservation) -> _Subject:
    """What an act names, as far as it is still there."""
    from vault.stored import read_record

    observed: list[Observed] = []
    credentials: list[Credential] = []
    for iri in act.targets:
        found = shelf.find(iri)
        if found is None:
            continue
        if found[2].kind == Kind.OBSERVATION:
            observed.append(Observed.read(shelf.payload(found)))
            continue
        record = read_record(shelf.payload(found))
        if isinstance(record, Credential):
            credentials.append(record)
    return _Subject(tuple(observed), tuple(credentials))


# --- telling the issuer ---------------------------------------------------------------------------


def _tell(
    vault: "OpenVault",
    draft: "Draft",
    act: CitizenObservation,
    subject: _Subject,
    *,
    at: datetime,
    withdrawn: bool,
) -> None:
    home = vault.home
    for issuer in subject.issuers():
        journeys, credentials = subject.of(issuer)
        said = Dispute(act.id, at, withdrawn, str(act.reason), journeys, credentials)
        payload = seal_job(
            home,
            vault.vault_id,
            DISPUTE,
            {"issuer": issuer, "dispute": act.id, "message": said.to_bytes().decode()},
        )
        key = home.seal.tag(vault.vault_id, f"{act.id} {issuer} {withdrawn}", purpose=DISPUTE).hex()
        _mark(home, draft.tx, vault.vault_id, act.id, Told(issuer, "sent"))
        job = draft.enqueue(DISPUTE, key=key, payload=payload)
        draft.after_commit.append(partial(home.wake, job))


def register(home: "Home") -> None:
    """Give the home the handler of step 3."""

    def tell(job: Job) -> None:
        """Tell one issuer; what it answered is kept for the open vault."""
        body = open_job(home, job)
        issuer = Did(body["issuer"])
        told = _post(home, issuer, body["message"].encode())
        with home.store.transact() as tx:
            tx.lock_head(job.owner)
            _mark(home, tx, job.owner, Iri(body["dispute"]), told)
        home.journal_locked(
            job.owner,
            "dispute-told",
            actor="home",
            dispute=body["dispute"],
            issuer=issuer,
            heard=told.state,
        )

    home.register_job(DISPUTE, tell)


def tell_again(home: "Home", vault_id: str) -> int:
    """Give each message another start that nobody answered for hours (a dead job). Returns how
    many."""
    dead = home.outbox.of_owner(vault_id, kind=DISPUTE, state=JobState.DEAD)
    for job in dead:
        home.wake(home.outbox.revive(job.id, at=home.clock()))
    return len(dead)


def _post(home: "Home", issuer: Did, message: bytes) -> Told:
    """Raises Retriable: nobody answered; and `UpstreamStatusError` of a broken server."""
    loopback = home.settings.allow_loopback
    try:
        resolver = DidWebResolver(home.http.get_json, loopback_http=loopback)
        address = resolver.resolve(issuer).service(SERVICE)
        own = urlsplit(url_of(issuer, loopback_http=loopback))
    except (DidError, AddressRefusedError):
        return Told(issuer, "no-address")
    except UpstreamStatusError as error:
        if error.status in _ABSENT:
            return Told(issuer, "no-address")
        raise
    if address is None or urlsplit(address)[:2] != own[:2]:
        return Told(issuer, "no-address")
    headers = sign(
        method="POST",
        url=address,
        body=message,
        signer=home.signer(),
        created=home.clock(),
        nonce=new_nonce(),
    )
    try:
        home.http.post(
            address,
            body=message,
            content_type="application/json",
            headers=headers,
            statuses=(200, 202, 204),
        )
    except UpstreamStatusError as error:
        if error.status in _REFUSED and error.status not in _LATER:
            return Told(issuer, "refused", error.problem_code or str(error.status))
        raise
    return Told(issuer, "heard")


def _name(home: "Home", vault_id: str, dispute_id: Iri, issuer: Did) -> str:
    return "dispute/" + home.seal.tag(vault_id, f"{dispute_id} {issuer}", purpose=DISPUTE).hex()


def _mark(home: "Home", tx: "Transactor", vault_id: str, dispute_id: Iri, told: Told) -> None:
    name = _name(home, vault_id, dispute_id, told.issuer)
    body: Mapping[str, Any] = {"state": told.state, "code": told.code}
    sealed = home.seal.seal(
        json.dumps(body).encode(), purpose=DISPUTE, aad=f"{vault_id}\x00{name}".encode()
    )
    tx.put_setting(vault_id, name, sealed)


def _told(home: "Home", shelf: "Shelf", dispute_id: Iri, issuer: Did) -> Told:
    name = _name(home, shelf.vault_id, dispute_id, issuer)
    sealed = shelf.reader.setting(shelf.vault_id, name)
    if sealed is None:  # restored from an archive: the home before told it, or did not
        return Told(issuer, "no-address")
    body = json.loads(
        home.seal.open(sealed, purpose=DISPUTE, aad=f"{shelf.vault_id}\x00{name}".encode())
    )
    return Told(issuer, body["state"], body["code"])
