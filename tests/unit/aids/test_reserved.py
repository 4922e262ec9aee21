"""Reserved aids: one sealed file for all; only who holds a circle's key reads what is in it."""

import base64
import secrets
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from federation.aids.catalogue import Catalogue, open_catalogue
from federation.aids.errors import CatalogueRefusedError, UnknownAidError
from federation.aids.model import Aid, Visibility
from federation.aids.reserved import circle_id, circles_in, key_in, open_circle, reserved_file
from federation.hub.access import Caller
from federation.hub.app import create_hub_app
from federation.hub.errors import NotAllowedError
from federation.hub.members import Member
from federation.keys import PublicKey
from schemas.ids import Iri
from tests.hub_world import World, build_world

SLUG = "reservee-aux-agents"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = build_world(tmp_path_factory.mktemp("hub"))
    publishing = made.context.publishing
    model = publishing.aid("abonnement-agents-publics-agglo")
    own = replace(model, id=Iri(f"{model.id}-2"), slug=SLUG, visibility=Visibility.AFFILIATED)
    publishing.add_aids(own)
    return made


def key_of(world: World) -> Any:
    snapshot = world.context.registry.current()

    def found(method: str) -> PublicKey:
        return snapshot.key(method, world.clock())

    return found


def link(world: World, visibility: Visibility = Visibility.AFFILIATED) -> str:
    funder = next(f for f in world.context.publishing.funders() if f.did == aid(world).funder)
    return world.context.reserved.link(funder, visibility)


def aid(world: World) -> Aid:
    return world.context.publishing.aid(SLUG)


def opened(world: World, handed: str) -> Catalogue:
    file = world.context.reserved.file()
    assert file is not None
    key = key_in(handed)
    assert key is not None
    return open_circle(circles_in(file.content)[circle_id(key)], key=key, key_of=key_of(world))


def test_who_was_handed_the_link_reads_the_aid_with_its_rules(world: World) -> None:
    found = opened(world, link(world))
    assert [one.slug for one in found.aids] == [SLUG]
    assert found.aids[0] == aid(world)
    assert found.engine(found.aids[0])
    with pytest.raises(UnknownAidError):
        world.context.publishing.public().aid(SLUG)
    whole = world.context.publishing.public().with_reserved([found])
    assert whole.aid(SLUG).titles == aid(world).titles
    assert whole.rule_digest(whole.aid(SLUG)) == found.rule_digest(found.aids[0])


def test_the_file_says_nothing_of_what_is_in_it(world: World) -> None:
    file = world.context.reserved.file()
    assert file is not None
    (sealed,) = circles_in(file.content).values()
    known = (SLUG, aid(world).titles["fr"], aid(world).funder_name, aid(world).funder)
    for text in (file.content, sealed, base64.b64encode(sealed)):
        assert not any(word.encode() in text for word in known)
    assert (len(sealed) - 16 - 12 - 16) % 16_384 == 0
    assert world.context.reserved.file(if_version=file.version) is None


@pytest.mark.parametrize("at", [0, 15, 16, 27, 28, -1])
def test_another_key_or_a_flipped_bit_opens_nothing(world: World, at: int) -> None:
    file = world.context.reserved.file()
    assert file is not None
    key = key_in(link(world))
    assert key is not None
    sealed = bytearray(circles_in(file.content)[circle_id(key)])
    with pytest.raises(CatalogueRefusedError):
        open_circle(bytes(sealed), key=secrets.token_bytes(32), key_of=key_of(world))
    sealed[at] ^= 1
    with pytest.raises(CatalogueRefusedError):
        open_circle(bytes(sealed), key=key, key_of=key_of(world))


@pytest.mark.parametrize(
    "file", [b"", b"[]", b"{}", b'{"circles": 1}', b'{"circles": ["%"]}', b"[" * 100_000]
)
def test_what_is_no_file_is_refused(file: bytes) -> None:
    with pytest.raises(CatalogueRefusedError):
        circles_in(file)


@pytest.mark.parametrize("text", ["", "#", "https://hub.example/reserve", "#abc", "é", "A" * 44])
def test_a_text_without_a_key_has_none(text: str) -> None:
    assert key_in(text) is None


def test_a_reserved_aid_is_in_no_open_answer(world: World) -> None:
    client = TestClient(create_hub_app(world.context), base_url="http://localhost:8401")
    word = aid(world).titles["fr"].split()[0]
    for path in (
        "/v1/aids",
        f"/v1/aids?q={word}",
        "/v1/aids/changes",
        "/v1/open-data",
        "/v1/open-data/services",
        *(f"/v1/open-data/{name}" for name in ("aides.jsonld", "aides.nq", "aides.csv")),
    ):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert SLUG not in answer.text, path
    signed = world.context.publishing.signed()
    assert signed is not None
    assert SLUG not in {one.slug for one in open_catalogue(signed.content, key_of(world)).aids}
    assert client.get(f"/v1/aids/{SLUG}").status_code == 404
    assert client.get(f"/v1/aids/{SLUG}/revisions").status_code == 404
    assert client.get(f"/v1/aids/{SLUG}/linked").status_code == 404


def test_another_link_closes_the_old_one(world: World) -> None:
    before = link(world)
    funder = next(f for f in world.context.publishing.funders() if f.did == aid(world).funder)
    member = Member("m", "m", "M", frozenset({Caller.EDITOR}), funder.slug, funder.did)
    after = world.context.reserved.renew(member, Visibility.AFFILIATED)
    assert after != before
    assert after == link(world)
    with pytest.raises(KeyError):
        opened(world, before)
    assert opened(world, after).aids
    assert world.context.reserved.links(member)[Visibility.AFFILIATED] == after
    other = replace(member, funder="un-autre")
    with pytest.raises(NotAllowedError):
        world.context.reserved.links(other)


def test_an_empty_file_is_one() -> None:
    assert circles_in(reserved_file([])) == {}
