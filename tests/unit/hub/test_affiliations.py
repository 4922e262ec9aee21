"""A new employer's own list of employee numbers: codes, the affiliation it signs, leaving."""

from collections.abc import Iterator

import pytest

from federation.aids.model import FunderLevel
from federation.errors import HubRefusedError
from federation.hub.access import Caller
from federation.hub.affiliations import CODES_HEADS
from federation.hub.aid_templates import AidTemplate, Choices
from federation.hub.csv_files import read_csv
from federation.hub.errors import (
    ColleagueUnknownError,
    EntryRefusedError,
    FileRefusedError,
    NotAllowedError,
)
from federation.hub.local import LocalHub
from federation.hub.members import Member
from federation.hub.model import EmployeeState
from federation.hub.staff_list import canonical_number, read_staff_list
from schemas.ids import Iri, mint_iri
from tests.hub_world import PERIOD, Wallet, World, build_world
from tests.unit.hub.test_enrolment import enrolled

FMD = Choices(per_day=250, minimum_days=10, ceiling=400_00)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One hub for the file: each test has employee numbers of its own."""
    made = build_world(tmp_path_factory.mktemp("affiliations"))
    yield made
    made.context.close()


@pytest.fixture(scope="module")
def town(world: World) -> Member:
    """A funder of one person with one aid; from here on `world.aid` is that aid."""
    member = enrolled(world)
    world.aid = world.context.aids.publish(member, AidTemplate.FMD_PRIVATE, FMD).id
    return member


def code_of(world: World, member: Member, number: str) -> str:
    affiliations = world.context.affiliations
    (employee,) = affiliations.staff(member, search=number).employees
    (row,) = read_csv(affiliations.codes(member, (employee.id,)), CODES_HEADS)
    return row["code"]


def test_a_funder_of_five_minutes_decides_on_its_own_list_of_numbers(
    world: World, town: Member
) -> None:
    hub = world.context
    assert hub.affiliations.is_possible(town)
    hub.affiliations.import_list(town, "A 1012\nA1013\n", status="salarie")
    citizen = world.citizen()
    wallet = Wallet(world, citizen)
    metadata = wallet.client.get("/.well-known/openid-credential-issuer/financeurs/" + wallet.slug)
    assert metadata.json()["credential_endpoint"] == f"{wallet.issuer}/credential"
    server = wallet.client.get("/.well-known/oauth-authorization-server/financeurs/" + wallet.slug)
    assert server.json()["token_endpoint"] == f"{wallet.issuer}/token"
    affiliation = wallet.take("a1012", code_of(world, town, "A1012").lower().replace("-", " "))
    subject = affiliation["credentialSubject"]
    assert (subject["employerId"], subject["employeeNumber"]) == ("73282932000074", "A 1012")
    application, receipt = citizen.apply(LocalHub(hub), citizen.usage(), affiliation)
    assert receipt.state == "accepted", "the rule decides, with no issuer accredited apart"
    view = hub.desk.open(town, application)
    assert view.application.employee == "A 1012"
    assert view.application.amount == 41 * 250
    states = {e.number: e.state(world.clock()) for e in hub.affiliations.staff(town).employees}
    assert states["A 1012"] is EmployeeState.AFFILIATED
    assert states["A1013"] is EmployeeState.LISTED


def test_one_person_in_two_vaults_is_one_person(world: World, town: Member) -> None:
    hub = world.context
    hub.affiliations.import_list(town, "A1022", status="salarie")
    first, second = world.citizen(), world.citizen()
    one = Wallet(world, first).take("A1022", code_of(world, town, "A1022"))
    first.apply(LocalHub(hub), first.usage(), one)
    two = Wallet(world, second).take("A1022", code_of(world, town, "A1022"))
    with pytest.raises(HubRefusedError) as refused:
        second.apply(LocalHub(hub), second.usage(), two)
    assert refused.value.hub_code == "already-awarded"
    with pytest.raises(HubRefusedError) as late:  # the affiliation before was revoked
        first.apply(LocalHub(hub), first.usage(), one)
    assert late.value.hub_code == "status-revoked"


def test_b06_a_code_is_one_persons_once_and_until_its_day(world: World, town: Member) -> None:
    """There, one valid token of a colleague affiliated any pending account, for ever."""
    hub = world.context
    hub.affiliations.import_list(town, "A1032\nB2030", status="salarie")
    code = code_of(world, town, "A1032")
    mine, other = Wallet(world, world.citizen()), Wallet(world, world.citizen())
    assert mine.token("B2030", code).json() == {"error": "invalid_grant"}, "a colleague's"
    assert mine.token("A1032", "2222-2222-2222").json() == {"error": "invalid_grant"}
    assert mine.token("C303", code).json() == {"error": "invalid_grant"}, "told apart from nothing"
    access, again = (mine.token("A1032", code).json()["access_token"] for _ in range(2))
    assert mine.credential(access).status_code == 200
    assert mine.credential(again).status_code == 200, "a lost answer may be asked for again"
    stolen = other.token("A1032", code)
    if stolen.status_code == 200:
        refused = other.credential(stolen.json()["access_token"])
        assert (refused.status_code, refused.json()) == (401, {"error": "invalid_token"})
    fresh = code_of(world, town, "A1032")
    assert mine.token("A1032", code).json() == {"error": "invalid_grant"}, "taken back"
    assert mine.token("A1032", fresh).status_code == 200
    world.clock.advance(days=30)
    assert mine.token("A1032", fresh).json() == {"error": "invalid_grant"}


def test_every_step_of_the_exchange_is_checked(world: World, town: Member) -> None:
    hub = world.context
    hub.affiliations.import_list(town, "A1042", status="salarie")
    wallet = Wallet(world, world.citizen())
    code = code_of(world, town, "A1042")
    access = wallet.token("A1042", code).json()["access_token"]
    nonce = wallet.client.post(f"/financeurs/{wallet.slug}/nonce").json()["c_nonce"]
    bent = access[:-2] + ("AA" if access[-2:] != "AA" else "BB")
    for token in ("", "x", bent, nonce, "é" * 10, "A" * 501):
        answer = wallet.client.post(
            f"/financeurs/{wallet.slug}/credential",
            json={},
            headers={"Authorization": f"Bearer {token}".encode()},
        )
        assert answer.status_code in {401, 422}, token
    assert wallet.credential(access, "made up").json()["error"] == "invalid_nonce"
    assert wallet.credential(access, audience="https://other").json()["error"] == "invalid_proof"
    assert wallet.credential(access, access).json()["error"] == "invalid_nonce"
    for body in ({}, {"credential_configuration_id": "x"}, {"proofs": {"jwt": [1]}},
                 {"credential_configuration_id": "AffiliationCredential",
                  "proofs": {"jwt": ["a.b.c"]}}):  # fmt: skip
        answer = wallet.client.post(
            f"/financeurs/{wallet.slug}/credential",
            json=body,
            headers={"Authorization": f"Bearer {access}"},
        )
        assert answer.status_code == 400, body
    assert wallet.credential(access, nonce).status_code == 200
    assert wallet.credential(access, nonce).json()["error"] == "invalid_nonce", "used once"
    world.clock.advance(minutes=10)
    assert wallet.credential(access).status_code == 401
    assert wallet.client.post("/financeurs/agglo/nonce").status_code == 404, "keeps no list"
    assert wallet.client.post("/financeurs/nobody/nonce").status_code == 404


def test_who_leaves_is_revoked_at_once_and_may_be_listed_again(world: World, town: Member) -> None:
    hub = world.context
    hub.affiliations.import_list(town, "A1052\nB2050", status="salarie")
    citizen = world.citizen()
    held = Wallet(world, citizen).take("A1052", code_of(world, town, "A1052"))
    spare = code_of(world, town, "B2050")
    done = hub.affiliations.import_list(town, "C305", status="salarie", replace=True)
    assert (done.added, done.changed) == (1, 0) and done.left >= 2
    with pytest.raises(HubRefusedError) as refused:
        citizen.apply(LocalHub(hub), citizen.usage(), held)
    assert refused.value.hub_code == "status-revoked"
    assert Wallet(world, citizen).token("B2050", spare).status_code == 400
    (gone,) = hub.affiliations.staff(town, search="a1052").employees
    assert gone.state(world.clock()) is EmployeeState.LEFT and gone.mail == ""
    with pytest.raises(ColleagueUnknownError):
        hub.affiliations.codes(town, (gone.id,))
    assert hub.affiliations.import_list(town, "A1052", status="salarie").changed == 1
    again = Wallet(world, citizen).take("A1052", code_of(world, town, "A1052"))
    assert citizen.apply(LocalHub(hub), citizen.usage(), again)[1].state == "accepted"


def test_a_funder_vouches_for_its_own_people_only(world: World, town: Member) -> None:
    """A self-enrolled employer cannot sign somebody into the aid of another funder."""
    hub = world.context
    hub.affiliations.import_list(town, "A1062", status="agent-contractuel-public")
    citizen = world.citizen()
    foreign = Wallet(world, citizen).take("A1062", code_of(world, town, "A1062"))
    own, aids = world.aid, hub.publishing.catalogue().aids
    world.aid = next(aid.id for aid in aids if aid.slug.startswith("fmd-agents"))
    with pytest.raises(HubRefusedError) as refused:
        citizen.apply(LocalHub(hub), citizen.usage(), foreign)
    assert refused.value.hub_code == "policy-unmet"
    world.aid = own
    with pytest.raises(HubRefusedError) as other:  # nor does an issuer apart for this funder's aid
        citizen.apply(LocalHub(hub), citizen.usage(), citizen.affiliation())
    assert other.value.hub_code == "policy-unmet"


def test_a_list_is_its_funders_and_an_issuer_apart_leaves_no_list(
    world: World, town: Member
) -> None:
    hub = world.context
    hub.affiliations.import_list(town, "A1072", status="salarie")
    agglo = hub.members.add("o@agglo.example", "un mot de passe long", funder="agglo")
    assert not hub.affiliations.is_possible(agglo)
    with pytest.raises(EntryRefusedError):
        hub.affiliations.import_list(agglo, "A1072", status="salarie")
    assert hub.affiliations.staff(agglo).employees == ()
    (employee,) = hub.affiliations.staff(town, search="A1072").employees
    for act in (hub.affiliations.leave, lambda who, one: hub.affiliations.codes(who, (one,))):
        with pytest.raises(ColleagueUnknownError):
            act(agglo, employee.id)
    editor = hub.members.add(
        "e@trebes.example", "un mot de passe long",
        roles=frozenset((Caller.EDITOR,)), funder="mairie-de-trebes",
    )  # fmt: skip
    with pytest.raises(NotAllowedError):
        hub.affiliations.staff(editor)


def test_a_town_that_employs_nobody_here_keeps_no_list(world: World) -> None:
    town = enrolled(
        world, level=FunderLevel.COMMUNE, siret="35600000000048", login="m@ville.example"
    )
    assert not world.context.affiliations.is_possible(town)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("A1\nB2\n\n", ["A1", "B2"]),
        ("\ufeffmatricule;statut;courriel\nA1;;a@b.example\n", ["A1"]),
        ("Courriel\tMatricule\n\tA1\n", ["A1"]),
        ("matricule,statut\nA1,agent-titulaire-public\n", ["A1"]),
        ("a 1\nA1", ["A1"]),
    ],
)
def test_a_list_is_read_as_it_is_pasted(text: str, numbers: list[str]) -> None:
    lines = read_staff_list(text, status="salarie")
    assert [line.number for line in lines] == numbers
    assert [canonical_number(line.number) for line in lines] == numbers


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no employee number"),
        ("matricule;nom\nA1;Roux", "other columns"),
        ("matricule;statut\nA1;chef", "line 2"),
        ("matricule;courriel\nA1;pas une adresse", "line 2"),
        ("A1\n" + "x" * 65, "line 2"),
        ("A1\nB\u0000", "line 2"),
        ('matricule;statut\n"A1', "not a table"),
    ],
)
def test_a_line_that_is_none_is_named(text: str, reason: str) -> None:
    with pytest.raises(FileRefusedError) as refused:
        read_staff_list(text, status="salarie")
    assert refused.value.reason == reason


def test_the_codes_stand_nowhere_in_the_database(world: World, town: Member) -> None:
    hub = world.context
    hub.affiliations.import_list(town, "A1112", status="salarie")
    code = code_of(world, town, "A1112")
    data = b"".join(p.read_bytes() for p in hub.settings.folder.rglob("*.db*"))
    assert data and code.encode() not in data and code.replace("-", "").encode() not in data


def test_an_application_before_the_list_names_what_is_missing(world: World, town: Member) -> None:
    """Nothing breaks while the list is empty: the vault is told which document is missing."""
    pointer = LocalHub(world.context).request(world.aid, Iri(mint_iri()), period=PERIOD)
    wanted = [q["id"] for q in world.claims(pointer)["dcql_query"]["credentials"]]
    assert "affiliation" in wanted and town.funder == "mairie-de-trebes"
