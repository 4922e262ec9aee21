"""What a funder signed is suspended, reinstated, revoked: verifiers see it, the desk keeps why."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from federation.credentials import StatusList, TokenStatusList
from federation.errors import HubRefusedError
from federation.hub.aid_templates import AidTemplate
from federation.hub.context import NetworkStatus
from federation.hub.errors import (
    ApplicationUnknownError,
    ColleagueUnknownError,
    DecisionRefusedError,
    NotAllowedError,
)
from federation.hub.local import LocalHub
from federation.hub.members import Member
from federation.hub.model import StatusAct
from federation.hub.standing import MAX_REASON, Signed, SignedKind, Stands
from federation.wire.http import AddressPolicy, BoundedClient
from schemas.ids import mint_iri
from tests.hub_world import Citizen, Wallet, World, build_world
from tests.unit.hub.test_affiliations import FMD, code_of
from tests.unit.hub.test_enrolment import enrolled


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = build_world(tmp_path_factory.mktemp("standing"))
    yield made
    made.context.close()


@pytest.fixture(scope="module")
def town(world: World) -> Member:
    member = enrolled(world)
    world.aid = world.context.aids.publish(member, AidTemplate.FMD_PRIVATE, FMD).id
    return member


def affiliated(world: World, town: Member, number: str) -> tuple[Citizen, dict[str, object], str]:
    """A citizen with an affiliation, and the line of the list."""
    world.context.affiliations.import_list(town, number, status="salarie")
    citizen = world.citizen()
    held = Wallet(world, citizen).take(number, code_of(world, town, number))
    (line,) = world.context.affiliations.staff(town, search=number).employees
    return citizen, held, line.id


def outcome(world: World, citizen: Citizen, affiliation: dict[str, object]) -> str:
    """The state of a new application, or why it was refused."""
    try:
        return citizen.apply(LocalHub(world.context), citizen.usage(), affiliation)[1].state
    except HubRefusedError as error:
        return error.hub_code


def test_a_suspended_affiliation_counts_again_once_reinstated_and_never_once_revoked(
    world: World, town: Member
) -> None:
    standing = world.context.standing
    citizen, held, line = affiliated(world, town, "S1001")

    def now() -> Signed:
        return standing.of_employee(town, line)

    assert (now().kind, now().about, now().stands) == (
        SignedKind.AFFILIATION, "S1001", Stands.VALID,
    )  # fmt: skip
    standing.change(town, now(), StatusAct.SUSPEND, "Congé sans solde jusqu'en mars")
    assert now().acts == (StatusAct.REINSTATE, StatusAct.REVOKE)
    assert outcome(world, citizen, held) == "status-suspended"
    world.clock.advance(minutes=1)
    standing.change(town, now(), StatusAct.REINSTATE, "Retour anticipé")
    assert outcome(world, citizen, held) == "accepted"
    signed = now()
    world.clock.advance(minutes=1)
    standing.change(town, signed, StatusAct.REVOKE, "Délivrée par erreur")
    checks = LocalHub(world.context).verify_public(held)
    assert [c.code for c in checks if c.outcome == "fail"] == ["status-revoked"]
    with pytest.raises(ColleagueUnknownError):  # the line is without an affiliation again
        now()
    with world.context.store.read() as reader:
        history = reader.status_changes(signed.credential)
    assert [(c.act.value, c.reason, c.actor) for c in history] == [
        ("suspend", "Congé sans solde jusqu'en mars", town.name),
        ("reinstate", "Retour anticipé", town.name),
        ("revoke", "Délivrée par erreur", town.name),
    ]
    fresh = Wallet(world, citizen).take("S1001", code_of(world, town, "S1001"))
    assert standing.of_employee(town, line).stands is Stands.VALID
    assert fresh["id"] != held["id"]


def test_an_award_can_be_suspended_and_revoked_too(world: World, town: Member) -> None:
    standing, hub = world.context.standing, LocalHub(world.context)
    citizen, held, _ = affiliated(world, town, "S1002")
    application, receipt = citizen.apply(hub, citizen.usage(), held)
    assert receipt.state == "accepted"
    award = world.context.desk.open(town, application).application.award
    assert award is not None
    signed = standing.of_application(town, application)
    assert (signed.kind, signed.about) == (SignedKind.AWARD, application)

    def failed() -> list[str]:
        return [c.code for c in hub.verify_public(dict(award)) if c.outcome == "fail"]

    assert failed() == []
    standing.change(town, signed, StatusAct.SUSPEND, "Vérification en cours")
    assert failed() == ["status-suspended"]
    again = standing.of_application(town, application)
    standing.change(town, again, StatusAct.REVOKE, "Pièce fausse")
    assert set(failed()) == {"status-revoked", "status-suspended"}
    last = standing.of_application(town, application)
    assert (last.stands, last.acts) == (Stands.REVOKED, ())
    for act in StatusAct:
        with pytest.raises(DecisionRefusedError):
            standing.change(town, last, act, "encore")
    with pytest.raises(DecisionRefusedError) as stale:  # two windows: the second is told
        standing.change(town, signed, StatusAct.REVOKE, "Pièce fausse")
    assert stale.value.where == "state"


@pytest.mark.parametrize("reason", ["", "  ", "x" * (MAX_REASON + 1)])
def test_nothing_changes_without_a_reason(world: World, town: Member, reason: str) -> None:
    _, _, line = affiliated(world, town, "S1003")
    signed = world.context.standing.of_employee(town, line)
    with pytest.raises(DecisionRefusedError) as refused:
        world.context.standing.change(town, signed, StatusAct.SUSPEND, reason)
    assert refused.value.where == "reason"
    assert world.context.standing.of_employee(town, line).history == ()


def test_another_funders_documents_are_not_there(world: World, town: Member) -> None:
    _, _, line = affiliated(world, town, "S1004")
    signed = world.context.standing.of_employee(town, line)
    agglo = world.context.publishing.aid(world.refund).funder
    other = Member("m", "m", "M", town.roles, "agglo", agglo)
    with pytest.raises(ColleagueUnknownError):
        world.context.standing.of_employee(other, line)
    with pytest.raises(ApplicationUnknownError):
        world.context.standing.of_application(other, mint_iri())
    with pytest.raises(NotAllowedError):
        world.context.standing.change(other, signed, StatusAct.REVOKE, "x")
    nobody = Member("m", "m", "M", frozenset(), town.funder, town.funder_did)
    with pytest.raises(NotAllowedError):
        world.context.standing.of_employee(nobody, line)


def test_places_are_random_in_a_herd_and_both_lists_are_signed(world: World, town: Member) -> None:
    taken = [affiliated(world, town, f"S11{n:02}")[1]["credentialStatus"] for n in range(4)]
    for entries in taken:
        assert isinstance(entries, list)
        assert {entry["statusPurpose"] for entry in entries} == {"revocation", "suspension"}
        assert [entry["id"] for entry in entries] == sorted(entry["id"] for entry in entries)
    places = [int(entry["statusListIndex"]) for entries in taken for entry in entries]
    assert len(set(places)) == len(places), "drawn at random among 131 072"
    assert max(places) - min(places) > 100
    assert len(StatusList.empty()) == len(TokenStatusList.empty()) == 131_072
    slug = str(town.funder)
    for list_id, purpose in ((slug, "revocation"), (f"{slug}/suspension", "suspension")):
        found = world.context.status_lists.signed(list_id)
        assert found["credentialSubject"]["statusPurpose"] == purpose
        assert found["id"] == world.context.status_lists.url(list_id)


class _Lists(BaseHTTPRequestHandler):
    """An issuer's Token Status List, as the draft serves it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/statuslist+jwt")
        self.end_headers()
        self.wfile.write(b"a.b.c")

    def log_message(self, *_: object) -> None:
        """Quiet."""


def test_a_token_status_list_of_another_issuer_is_fetched() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Lists) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with BoundedClient(allow=AddressPolicy.WITH_LOOPBACK) as client:
            url = f"http://localhost:{server.server_address[1]}/statuts"
            assert NetworkStatus(client).status_list(url) == b"a.b.c"
        server.shutdown()
