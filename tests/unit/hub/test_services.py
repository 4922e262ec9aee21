"""Services that announce themselves: signed by an accredited member, newest word in force."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from federation.hub.app import create_hub_app
from federation.jose import verify_jws
from federation.keys import Ed25519Key, decode_multikey
from federation.profiles import PROFILES, ServiceRefusedError
from tests.hub_world import DELIVERY, World, announce_delivery, build_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build_world(tmp_path)
    yield made
    made.context.close()


def test_an_announcement_is_listed_as_it_was_signed_and_replaced_by_a_newer_one(
    world: World,
) -> None:
    services = world.context.services
    first = announce_delivery(world)
    assert services.announce(first).version == 1  # twice is once
    assert services.announcements() == (first,)
    world.clock.advance(seconds=5)
    with pytest.raises(ServiceRefusedError) as refused:
        announce_delivery(world)  # another word under a known version
    assert refused.value.reason == "service-outdated"
    newer = announce_delivery(world, version=3)
    assert services.announcements() == (newer,)
    with pytest.raises(ServiceRefusedError):
        announce_delivery(world, version=2)
    announce_delivery(world, version=4, ended=True)
    assert services.announcements() == ()


def test_a_stranger_and_a_member_that_was_retired_announce_nothing(world: World) -> None:
    forger = Ed25519Key.from_seed(b"t" * 32).signer(f"{DELIVERY}#1")
    stranger = Ed25519Key.from_seed(b"t" * 32).signer("did:web:ailleurs.example#1")
    for signer, why in ((forger, "service-signature"), (stranger, "service-issuer")):
        with pytest.raises(ServiceRefusedError) as refused:
            announce_delivery(world, signer=signer)
        assert refused.value.reason == why
    announce_delivery(world)
    world.context.registry.retire(DELIVERY, until=world.clock())
    assert world.context.services.announcements() == ()
    with pytest.raises(ServiceRefusedError):
        announce_delivery(world, version=2)


def test_the_hub_publishes_profiles_signed_and_takes_announcements_over_http(
    world: World,
) -> None:
    client = TestClient(create_hub_app(world.context))
    published = client.get("/v1/profiles")
    assert published.headers["content-type"] == "application/jwt"
    key = decode_multikey(world.context.signer.public_multikey())
    claims = verify_jws(published.text, lambda _: key, typ="service-profiles+jwt").claims
    assert [p["id"] for p in claims["profiles"]] == list(PROFILES)
    form = {"content-type": "application/jwt"}
    token = announce_delivery(world)
    again = client.post("/v1/services", content=token, headers=form)
    assert again.status_code == 201 and again.json()["name"] == "Livreur à vélo"
    assert client.get("/v1/services").json() == {"services": [token]}
    refused = client.post("/v1/services", content="x", headers=form)
    assert refused.status_code == 403 and refused.json()["code"] == "service-refused"
    huge = client.post("/v1/services", content="x" * 20_001, headers=form)
    assert huge.status_code == 422
