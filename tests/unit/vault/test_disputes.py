"""« Ce trajet n'est pas le mien »: it stops counting, its issuer is told, and it can be undone."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from connectors.disputing import read_dispute
from federation.credentials import issue
from federation.credentials.types import carpool_journey, usage_proof
from federation.did import DidDocument, DidError, did_document
from federation.disputes import SERVICE, Dispute, DisputeError
from federation.keys import Ed25519Key
from federation.wire.errors import SignatureRefusedError, UnreachableError, UpstreamStatusError
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import Did, Iri
from schemas.modes import Mode
from schemas.observations import ClaimBy, TripObservation
from schemas.records import Credential, Trip
from tests.unit.vault.builders import START, Citizen, Clock, Depositor, trip, trust
from vault.disputes import can_be_disputed, dispute, disputes
from vault.errors import ActRefusedError, RecordUnknownError
from vault.held import held_by
from vault.home import Home

OPERATOR = Did("did:web:localhost%3A8402:operateur")
BASE = "http://localhost:8402/operateur"
PERIOD = (date(2026, 11, 1), date(2026, 11, 30))


@dataclass
class Issuer:
    """An operator's server, as the home's client reaches it; refuses or is away on demand."""

    home: Home
    services: dict[str, str] = field(default_factory=lambda: {SERVICE: f"{BASE}/contestations"})
    heard: list[Dispute] = field(default_factory=list)
    nonces: set[str] = field(default_factory=set)
    away: bool = False
    status: int = 202
    key: Ed25519Key = field(default_factory=Ed25519Key.generate)

    def get_json(self, url: str) -> Mapping[str, Any]:
        if self.away:
            raise UnreachableError("away", origin=BASE)
        assert url == f"{BASE}/did.json"
        return did_document(OPERATOR, [self.key.signer(f"{OPERATOR}#key-1")], self.services)

    def resolve(self, did: str) -> DidDocument:
        if did != self.home.did:
            raise DidError("no such home")
        return DidDocument.from_json(self.home.did_document(), expected=did)

    def is_fresh(self, keyid: str, nonce: str, until: datetime) -> bool:
        fresh = nonce not in self.nonces
        self.nonces.add(nonce)
        return fresh

    def post(self, url: str, *, body: bytes, headers: Mapping[str, str], **_: Any) -> None:
        if self.status >= 400:
            raise UpstreamStatusError(origin=BASE, status=self.status, problem_code="closed")
        self.request = ({name.lower(): text for name, text in headers.items()}, url, body)
        self.receive()

    def receive(self, body: bytes | None = None) -> None:
        headers, url, sent = self.request
        home, found = read_dispute(
            headers,
            url=url,
            body=sent if body is None else body,
            resolver=self,
            is_fresh=self.is_fresh,
            at=self.home.clock(),
        )
        assert home == self.home.did
        self.heard.append(found)

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Scene:
    citizen: Citizen
    operator: Depositor
    phone: Depositor
    issuer: Issuer
    clock: Clock

    @property
    def trips(self) -> list[Trip]:
        return sorted(self.citizen.vault.trips(*PERIOD), key=lambda trip: trip.started_at)

    def work(self) -> list[str]:
        """Run what is due; the outcomes."""
        runner = self.citizen.home.runner()
        return [runner.run(job).value for job in runner.due()]


def journey(number: int, **changes: Any) -> TripObservation:
    return trip(
        number, source="carpool-operator", mode=Mode.CARPOOL, by=ClaimBy.OPERATOR, **changes
    )


@pytest.fixture
def scene(home: Home, citizen: Citizen, clock: Clock) -> Iterator[Scene]:
    """Two carpool journeys by an operator; the first was seen by the phone too."""
    operator = citizen.depositor(did=OPERATOR, account="carpool")
    phone = citizen.depositor()
    home.use_trust(
        trust(
            operator.entry(Evidence.OPERATOR, at=START - timedelta(days=90)),
            phone.entry(Evidence.SENSED, at=START - timedelta(days=90)),
            at=clock(),
        )
    )
    issuer = Issuer(home)
    home._http = issuer  # type: ignore[assignment]  # the port, in memory
    operator.leave(journey(0), journey(1))
    phone.leave(trip(0, points=30))
    made = Scene(citizen, operator, phone, issuer, clock)
    citizen.vault.drain(None)
    yield made


def test_a_disputed_trip_counts_no_more_and_its_issuer_is_told(scene: Scene) -> None:
    vault = scene.citizen.vault
    both, alone = scene.trips
    assert (both.evidence, alone.evidence) == (Evidence.OPERATOR, Evidence.OPERATOR)
    before = sum(row.distance for row in vault.statistics(since=PERIOD[0], until=PERIOD[1]))

    found = dispute(vault, alone.id, reason="not-mine")
    assert [told.state for told in found.told] == ["sent"]
    assert [trip.id for trip in scene.trips] == [both.id]
    after = sum(row.distance for row in vault.statistics(since=PERIOD[0], until=PERIOD[1]))
    assert (before, after) == (15_800, 7_900)

    assert scene.work() == ["done"]
    (heard,) = scene.issuer.heard
    assert (heard.id, heard.withdrawn, heard.reason) == (found.id, False, "not-mine")
    assert heard.journeys == (journey(1).upstream_ids)
    assert vault.vault_id.encode() not in heard.to_bytes(), "the vault is not named"
    assert [told.state for told in disputes(vault)[0].told] == ["heard"]
    events = [entry.event for entry in vault.journal().events]
    assert events[:2] == ["dispute-told", "trip-disputed"]


def test_what_another_source_saw_stays_with_its_own_evidence(scene: Scene) -> None:
    both = scene.trips[0]
    dispute(scene.citizen.vault, both.id, reason="wrong")
    left = scene.trips[0]
    assert left.id == both.id
    assert (left.evidence, left.mode) == (Evidence.SENSED, Mode.BICYCLE)


def test_undoing_brings_it_back_and_tells_the_issuer(scene: Scene) -> None:
    vault = scene.citizen.vault
    found = dispute(vault, scene.trips[1].id, reason="did-not-happen")
    scene.clock.forward(minutes=1)
    vault.undo(found.id)
    assert [trip.evidence for trip in scene.trips] == [Evidence.OPERATOR] * 2
    assert disputes(vault) == []
    assert scene.work() == ["done", "done"]
    last = max(scene.issuer.heard, key=lambda heard: heard.at)
    assert (last.id, last.withdrawn) == (found.id, True)


def test_the_journey_stays_out_when_the_operator_sends_it_again(scene: Scene) -> None:
    vault = scene.citizen.vault
    found = dispute(vault, scene.trips[1].id, reason="not-mine")
    again = journey(1, minutes=25)
    scene.operator.leave(again)
    vault.drain(None)
    assert len(scene.trips) == 1, "another version of the same journey"
    vault.undo(found.id)
    assert len(scene.trips) == 2


def test_the_credential_of_the_journey_is_shown_to_nobody_while_disputed(scene: Scene) -> None:
    vault = scene.citizen.vault
    name = journey(1).upstream_ids[0]
    document = issue(
        carpool_journey(
            holder=vault.holder_did(Did("did:web:funder.example")),
            journey=Iri(f"urn:journey:{name}"),
            started_at=START,
            ended_at=START + timedelta(minutes=22),
            distance=7_900,
            role="passenger",
        ),
        signer=scene.operator.signer,
        at=scene.clock(),
    )
    scene.operator.leave(journey(2, minutes=30), _named(journey(3), f"urn:journey:{name}"))
    vault.drain(None)
    held = vault.accept_credential(document)
    assert [item.id for item in held_by(vault)] == [held.id]

    found = dispute(vault, held.id, reason="not-mine")
    assert held_by(vault) == []
    assert [seen.upstream_ids for seen in found.observations] == [(f"urn:journey:{name}",)]
    with pytest.raises(ActRefusedError, match="disputed-already"):
        dispute(vault, held.id, reason="not-mine")
    scene.work()
    assert scene.issuer.heard[-1].credentials == (held.id,)

    vault.undo(found.id)
    assert [item.id for item in held_by(vault)] == [held.id]
    other = next(t for t in scene.trips if t.started_at == journey(3).started_at)
    assert [c.id for c in dispute(vault, other.id, reason="wrong").credentials] == [held.id]


def total(scene: Scene, *, month: int, assurance: AssuranceMethod) -> Credential:
    """What an operator, or this vault, said of a whole month."""
    first = date(START.year, month, 1)
    signer = scene.operator.signer
    if assurance is not AssuranceMethod.SOURCE_AGGREGATE:
        signer = scene.citizen.home.signer()
    body = usage_proof(
        holder=scene.citizen.vault.holder_did(Did("did:web:funder.example")),
        period=(first, first + timedelta(days=27)),
        rule=Iri("urn:rule:carpool"),
        rule_version="1",
        metric="trips",
        figures={"trips": 2},
        weakest_evidence=Evidence.OPERATOR,
        assurance=assurance,
    )
    return scene.citizen.vault.accept_credential(issue(body, signer=signer, at=scene.clock()))


def test_a_signed_total_over_a_disputed_journey_is_shown_to_nobody_and_its_issuer_told(
    scene: Scene,
) -> None:
    vault = scene.citizen.vault
    days = [trip.started_at for trip in scene.trips]
    over = total(scene, month=days[0].month, assurance=AssuranceMethod.SOURCE_AGGREGATE)
    other = total(scene, month=days[0].month - 2, assurance=AssuranceMethod.SOURCE_AGGREGATE)
    own = total(scene, month=days[0].month, assurance=AssuranceMethod.VAULT_ATTESTED)
    first = dispute(vault, scene.trips[0].id, reason="not-mine")
    assert {item.id for item in held_by(vault)} == {other.id, own.id}
    scene.work()
    assert over.id in scene.issuer.heard[-1].credentials
    second = dispute(vault, scene.trips[-1].id, reason="wrong")
    vault.undo(first.id)
    assert over.id not in {item.id for item in held_by(vault)}, "another disputed journey is in it"
    vault.undo(second.id)
    assert {item.id for item in held_by(vault)} == {over.id, other.id, own.id}


def _named(observation: TripObservation, upstream: str) -> TripObservation:
    return replace(observation, upstream_ids=(upstream,))


def test_only_what_a_source_signed_can_be_disputed(scene: Scene) -> None:
    vault = scene.citizen.vault
    scene.phone.leave(trip(9, points=20))
    vault.drain(None)
    sensed = next(t for t in scene.trips if t.evidence is Evidence.SENSED)
    assert not can_be_disputed(vault, sensed.id)
    with pytest.raises(ActRefusedError, match="not-signed-by-a-source"):
        dispute(vault, sensed.id, reason="not-mine")
    with pytest.raises(RecordUnknownError):
        dispute(vault, Iri("urn:uuid:00000000-0000-4000-8000-000000000000"), reason="wrong")


@pytest.mark.parametrize(
    ("fault", "outcome", "state"),
    [("away", "retry", "sent"), ("none", "done", "no-address"), ("elsewhere", "done", "no-address"),
     ("closed", "done", "refused"), ("broken", "retry", "sent")],
)  # fmt: skip
def test_what_becomes_of_the_message_is_said(
    scene: Scene, fault: str, outcome: str, state: str
) -> None:
    issuer = scene.issuer
    match fault:
        case "away":
            issuer.away = True
        case "none":
            issuer.services.clear()
        case "elsewhere":
            issuer.services[SERVICE] = "http://localhost:9/contestations"
        case "closed":
            issuer.status = 403
        case _:
            issuer.status = 500
    vault = scene.citizen.vault
    dispute(vault, scene.trips[1].id, reason="not-mine")
    outcomes = scene.work()
    assert outcomes == [outcome]
    assert [told.state for told in disputes(vault)[0].told] == [state]
    while outcomes == ["retry"]:  # until the job is put aside
        scene.clock.forward(hours=2)
        outcomes = scene.work()
    issuer.away, issuer.status = False, 202
    scene.clock.forward(hours=2)
    assert scene.work() == []
    vault.drain(None)  # what was put aside is given another start at the next opening
    scene.work()
    assert len(issuer.heard) == (state == "sent")


def test_a_message_of_nobody_or_told_twice_is_refused(scene: Scene) -> None:
    dispute(scene.citizen.vault, scene.trips[1].id, reason="not-mine")
    scene.work()
    with pytest.raises(SignatureRefusedError):
        scene.issuer.receive()  # the nonce is used
    with pytest.raises(SignatureRefusedError):
        scene.issuer.receive(scene.issuer.request[2].replace(b"not-mine", b"wrong   "))
    home = scene.issuer.home
    scene.issuer.home = type("Other", (), {"did": "did:web:other", "clock": home.clock})()
    scene.issuer.nonces.clear()
    with pytest.raises(SignatureRefusedError):
        scene.issuer.receive()


@pytest.mark.parametrize(
    "changes",
    [{"type": "X"}, {"state": "maybe"}, {"reason": "because"}, {"id": ""}, {"at": "yesterday"},
     {"journeys": [], "credentials": []}, {"journeys": "j"}, {"credentials": [1]},
     {"journeys": ["j"] * 201}],
)  # fmt: skip
def test_a_message_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    good = Dispute(Iri("urn:uuid:1"), at, False, "wrong", ("j",), ()).to_bytes()
    assert Dispute.from_bytes(good).journeys == ("j",)
    with pytest.raises(DisputeError):
        Dispute.from_bytes(json.dumps({**json.loads(good), **changes}).encode())
