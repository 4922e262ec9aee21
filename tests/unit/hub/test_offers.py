"""Operators' offers: signed, versioned, read by a person before they are shown, ended by dates."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from federation.aids.linked import CONTEXT, nquads
from federation.aids.model import FunderLevel, Territory
from federation.aids.territory import place_of
from federation.hub.access import Caller
from federation.hub.app import create_hub_app
from federation.hub.errors import NotAllowedError
from federation.hub.members import Member
from federation.hub.model import OfferState
from federation.hub.offers import MAX_OFFERS
from federation.jose import sign_jws
from federation.keys import Ed25519Key, Signer
from federation.offers import (
    PAYS,
    OfferCard,
    OfferRefusedError,
    card_from_claims,
    is_in,
    offer_node,
    offer_schema,
    sign_card,
)
from federation.trust import PinnedKey, Role, TrustEntry
from schemas.ids import Did
from tests.hub_world import World, build_world

OPERATOR = Did("did:web:operateur.example")
KEY = Ed25519Key.from_seed(b"o" * 32)
SIGNER = KEY.signer(f"{OPERATOR}#1")


def example(**changed: Any) -> dict[str, Any]:
    text = resources.files("federation.offers").joinpath("offer.example.json").read_text("utf-8")
    return {**json.loads(text), **changed}


def card(**changed: Any) -> OfferCard:
    return replace(card_from_claims(example()), **changed)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build_world(tmp_path)
    accredit(made)
    yield made
    made.context.close()


def accredit(world: World, did: Did = OPERATOR, role: Role = Role.OPERATOR) -> None:
    since = world.clock() - timedelta(days=1)
    key = PinnedKey(KEY.signer(f"{did}#1").public_multikey(), f"{did}#1", since)
    world.context.registry.accredit(
        TrustEntry(
            did=did,
            name="Opérateur fictif",
            roles=frozenset((role,)),
            keys=(key,),
            since=since,
        )
    )


def publish(world: World, found: OfferCard | None = None, *, signer: Signer = SIGNER) -> OfferState:
    at = world.clock()
    return world.context.offers.publish(sign_card(found or today(world), signer, at=at)).found.state


def today(world: World, **changed: Any) -> OfferCard:
    """The example, valid around the world's day."""
    day = world.clock().date()
    return card(valid_from=day, valid_until=day + timedelta(days=30), **changed)


def decide(world: World, to: OfferState, note: str = "pour voir", version: int = 1) -> OfferState:
    key = (OPERATOR, "velos-en-partage-annuel", version)
    return world.context.offers.decide(key, to, note, actor="hub").found.state


def listed(world: World) -> list[int]:
    return [one.card.version for one in world.context.offers.in_force()]


# --- the contract ---------------------------------------------------------------------------------


def test_the_example_is_valid_and_reads_back_as_it_was_written() -> None:
    jsonschema.Draft202012Validator.check_schema(offer_schema())
    jsonschema.validate(example(), offer_schema())
    assert card_from_claims(example()).to_claims() == example()


HOSTILE: tuple[tuple[str, Any], ...] = (
    ("id", "Majuscule"), ("id", "../../etc"), ("id", "a" * 61), ("id", ""),
    ("version", 0), ("version", "1"), ("version", True), ("version", 2**31),
    ("mode", "fusée"), ("mode", ["velo"]), ("expense", "gift"), ("expense", None),
    ("names", {}), ("names", {"fr": ""}), ("names", {"fr": "a" * 121}), ("names", {"de": "x"}),
    ("names", {"fr": "x\x00y"}), ("names", {"fr": ["x"]}), ("names", "x"),
    ("texts", {"fr": "a" * 601}),
    ("territories", []), ("territories", [{"kind": "planet", "code": "1"}]),
    ("territories", [{"kind": "commune", "code": "31555", "name": "x"}]),
    ("territories", [{"kind": "commune", "code": "31555"}] * 201), ("territories", "31555"),
    ("price", {"text": {"fr": "1 €"}, "cents": -1, "per": "", "startsAt": False}),
    ("price", {"text": {"fr": "1 €"}, "cents": 1.5, "per": "", "startsAt": False}),
    ("price", {"text": {"fr": "1 €"}, "cents": 10**9, "per": "", "startsAt": False}),
    ("price", {"text": {"fr": "1 €"}, "cents": 1, "per": "siècle", "startsAt": False}),
    ("price", {"text": {"fr": "1 €"}, "cents": 1, "per": ""}),
    ("link", "javascript:alert(1)"), ("link", "http://operateur.example/"),
    ("link", "https:" + "a" * 600),
    ("validFrom", "hier"), ("validUntil", 20261231),
    ("proofs", ["on-my-honour"]), ("proofs", "invoice"), ("proofs", ["invoice"] * 7),
    ("ended", "no"), ("iss", ""), ("iss", 7), ("extra", 1),
)  # fmt: skip


@pytest.mark.parametrize(("member", "value"), HOSTILE)
def test_what_is_outside_the_contract_is_refused_by_its_member(member: str, value: Any) -> None:
    with pytest.raises(OfferRefusedError) as refused:
        card_from_claims(example(**{member: value}))
    assert refused.value.reason == "offer-malformed"
    if member != "validFrom" and not (member == "proofs" and value == ["invoice"] * 7):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(
                example(**{member: value}), offer_schema(),
                format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
            )  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"territories": [{"kind": "commune", "code": "99999"}]},
        {"validUntil": "2026-08-31"},
        {"validUntil": "2030-01-01"},
        {"link": "https://user@operateur.example/"},
        {"link": "https://intranet/"},
        {"link": "https://operateur.example/<script>"},
        {"names": {"fr": "gratuit\u202eelbissop"}},
    ],
)
def test_what_no_schema_can_say_is_refused_as_well(changed: dict[str, Any]) -> None:
    with pytest.raises(OfferRefusedError):
        card_from_claims(example(**changed))


@pytest.mark.parametrize("missing", sorted(set(example()) - {"iat"}))
def test_no_member_may_be_left_out(missing: str) -> None:
    found = example()
    del found[missing]
    with pytest.raises(OfferRefusedError):
        card_from_claims(found)


def test_the_table_of_what_pays_names_known_modes() -> None:
    modes = set(offer_schema()["properties"]["mode"]["enum"])
    assert {mode for mode, _ in PAYS} <= modes


def test_a_card_is_linked_data_under_the_pinned_terms() -> None:
    node = offer_node(card(), seller="Opérateur fictif", aids=("https://hub.example/aides/x",))
    lines = "".join(nquads(node))
    assert "<https://schema.org/Offer>" in lines
    assert '"48.00"^^<http://www.w3.org/2001/XMLSchema#decimal>' in lines
    assert set(node) - {"id", "type"} <= set(CONTEXT)


def test_an_offer_is_in_every_place_it_covers_and_in_those_around() -> None:
    found = card(territories=(Territory(FunderLevel.EPCI, "243100518"),))
    for level, code, expected in (
        ("commune", "31555", True), ("epci", "243100518", True), ("region", "76", True),
        ("commune", "33063", False), ("departement", "33", False),
    ):  # fmt: skip
        place = place_of(level, code)
        assert place is not None
        assert is_in(found, place) is expected, (level, code)


# --- at the hub -----------------------------------------------------------------------------------


def test_a_card_waits_until_somebody_read_it(world: World) -> None:
    assert publish(world) is OfferState.DRAFT
    assert listed(world) == []
    assert decide(world, OfferState.PUBLISHED, "") is OfferState.PUBLISHED
    assert listed(world) == [1]
    assert decide(world, OfferState.SUSPENDED) is OfferState.SUSPENDED
    assert listed(world) == []
    decide(world, OfferState.PUBLISHED)
    assert listed(world) == [1]


def test_the_same_card_signed_again_changes_nothing_and_tells_where_it_stands(world: World) -> None:
    publish(world)
    decide(world, OfferState.DECLINED, "Le prix manque.")
    world.clock.advance(seconds=60)
    taken = world.context.offers.publish(sign_card(today(world), SIGNER, at=world.clock()))
    assert (taken.found.state, taken.found.note) == (OfferState.DECLINED, "Le prix manque.")


def test_a_new_version_waits_while_the_published_one_stays(world: World) -> None:
    publish(world)
    decide(world, OfferState.PUBLISHED)
    assert publish(world, today(world, version=2)) is OfferState.DRAFT
    assert listed(world) == [1]
    decide(world, OfferState.PUBLISHED, version=2)
    assert listed(world) == [2]
    for old in (1, 2):
        with pytest.raises(OfferRefusedError) as refused:
            publish(world, today(world, version=old, link="https://operateur.example/autre"))
        assert refused.value.reason == "offer-outdated"


def test_taking_an_offer_back_needs_nobodys_leave(world: World) -> None:
    publish(world)
    decide(world, OfferState.PUBLISHED)
    assert publish(world, today(world, version=2, ended=True)) is OfferState.ENDED
    assert listed(world) == []
    with pytest.raises(OfferRefusedError):
        decide(world, OfferState.PUBLISHED)


def test_an_offer_is_absent_on_the_day_after_its_last(world: World) -> None:
    publish(world)
    decide(world, OfferState.PUBLISHED)
    world.clock.advance(seconds=30 * 86_400)
    assert listed(world) == [1]
    world.clock.advance(seconds=86_400)
    assert listed(world) == []


def test_an_offer_leaves_with_its_operators_accreditation(world: World) -> None:
    publish(world)
    decide(world, OfferState.PUBLISHED)
    world.context.registry.retire(OPERATOR, until=world.clock())
    assert listed(world) == []
    with pytest.raises(OfferRefusedError) as refused:
        publish(world, today(world, version=2))
    assert refused.value.reason == "offer-issuer"


def test_only_an_accredited_operator_signs_offers(world: World) -> None:
    app = Did("did:web:application.example")
    accredit(world, app, Role.TRACE_APP)
    stranger = Did("did:web:ailleurs.example")
    for did in (app, stranger):
        with pytest.raises(OfferRefusedError) as refused:
            publish(world, today(world, operator=did), signer=KEY.signer(f"{did}#1"))
        assert refused.value.reason == "offer-issuer"
    with pytest.raises(OfferRefusedError) as refused:  # signed by a member, in another's name
        publish(world, today(world), signer=KEY.signer(f"{app}#1"))
    assert refused.value.reason == "offer-issuer"
    forged = Ed25519Key.from_seed(b"f" * 32).signer(f"{OPERATOR}#1")
    with pytest.raises(OfferRefusedError) as refused:
        publish(world, today(world), signer=forged)
    assert refused.value.reason == "offer-signature"


def test_a_state_that_does_not_follow_and_a_refusal_without_a_word_change_nothing(
    world: World,
) -> None:
    publish(world)
    for to, note in (
        (OfferState.SUSPENDED, "déjà"), (OfferState.ENDED, "non"), (OfferState.DECLINED, ""),
        (OfferState.DECLINED, "x" * 501), (OfferState.DRAFT, "encore"),
    ):  # fmt: skip
        with pytest.raises(OfferRefusedError) as refused:
            decide(world, to, note)
        assert refused.value.reason == "offer-transition"
    with pytest.raises(OfferRefusedError):
        decide(world, OfferState.PUBLISHED, version=7)
    assert listed(world) == []


def test_only_the_hubs_administrator_moderates(world: World) -> None:
    publish(world)
    members = world.context.members
    members.add("admin@exemple.fr", "un mot de passe bien long", roles=frozenset((Caller.ADMIN,)))
    editing = frozenset((Caller.EDITOR,))
    members.add("edit@exemple.fr", "un mot de passe bien long", roles=editing, funder="agglo")

    def member(login: str) -> Member:
        return members.sign_in(login, "un mot de passe bien long", address="::1").member

    key = (OPERATOR, "velos-en-partage-annuel", 1)
    offers, editor = world.context.offers, member("edit@exemple.fr")
    with pytest.raises(NotAllowedError):
        offers.move(editor, key, OfferState.PUBLISHED, "")
    with pytest.raises(NotAllowedError):
        offers.queue(editor)
    admin = member("admin@exemple.fr")
    assert [one.found.state for one in offers.queue(admin)] == [OfferState.DRAFT]
    offers.move(admin, key, OfferState.PUBLISHED, "")
    assert listed(world) == [1]


def test_an_operator_may_not_flood_a_moderator(world: World) -> None:
    for number in range(MAX_OFFERS):
        publish(world, today(world, id=f"offre-{number}"))
    with pytest.raises(OfferRefusedError) as refused:
        publish(world, today(world, id="une-de-trop"))
    assert refused.value.reason == "offer-quota"
    for version in range(2, 6):  # drafts of one offer replace each other
        publish(world, today(world, id="offre-0", version=version))
    with world.context.store.read() as reader:
        assert len(reader.offers("draft")) == MAX_OFFERS


def test_over_http_a_card_is_taken_told_and_listed_with_an_etag(world: World) -> None:
    client = TestClient(create_hub_app(world.context))
    form = {"content-type": "application/jwt"}
    token = sign_card(today(world), SIGNER, at=world.clock())
    taken = client.post("/v1/offers", content=token, headers=form)
    assert taken.status_code == 201
    assert taken.json() == {
        "id": "velos-en-partage-annuel", "version": 1, "state": "draft", "note": "",
    }  # fmt: skip
    first = client.get("/v1/offers")
    assert first.json() == {"offers": []}
    decide(world, OfferState.PUBLISHED)
    known = {"if-none-match": first.headers["etag"]}
    second = client.get("/v1/offers", headers=known)
    assert second.json() == {"offers": [token]}
    again = client.get("/v1/offers", headers={"if-none-match": second.headers["etag"]})
    assert again.status_code == 304
    assert client.get("/v1/schemas/offer.json").json() == offer_schema()
    for content, status, code in (
        ("x", 403, "offer-refused"),
        (sign_jws({"iss": OPERATOR}, SIGNER, typ="mobility-offer+jwt"), 403, "offer-refused"),
        (sign_jws(example(), SIGNER, typ="JWT"), 403, "offer-refused"),
    ):
        refused = client.post("/v1/offers", content=content, headers=form)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert client.post("/v1/offers", content="x" * 30_001, headers=form).status_code == 422


def test_a_territory_shows_the_offer_and_the_aids_that_pay_part_of_it(world: World) -> None:
    found = today(world, territories=(Territory(FunderLevel.EPCI, "243100518"),))
    publish(world, found)
    client = TestClient(create_hub_app(world.context))
    address = "/v1/territories/commune/31555"
    assert "offer" not in client.get(address).json()
    decide(world, OfferState.PUBLISHED)
    offer = client.get(address).json()["offer"][0]
    assert offer["price"] == "48.00"
    assert any(one.endswith("/aides/abonnement-salaries-prives") for one in offer["paidBy"])
    assert "offer" not in client.get("/v1/territories/commune/33063").json()
    assert date.fromisoformat(offer["validThrough"]) == found.valid_until
