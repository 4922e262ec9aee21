"""`openid-client`, a certified relying party, as a service at the door of our passport."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from fastapi import FastAPI

from federation.wire import problems
from tests.conformance.test_hub import Serving
from tests.interop.node import NodeProcess
from tests.unit.vault.builders import Citizen
from tests.unit.vault.passport_login import IDENTITY, MONTH, give_identity
from vault.app import STATUS, create_home_api
from vault.home import Home
from vault.passport.agreeing import agree, prepare
from vault.passport.errors import PassportRequestError
from vault.passport.logout import read_logout
from vault.settings import HomeSettings

REDIRECT = "https://autopartage.example/retour"
OUT = "https://autopartage.example/sorti"
SCOPE = "openid identite urn:cms:identity:read offline_access"
CLIENT = "openid-client"


@dataclass
class Place:
    """A home over HTTP, its citizen, and their library."""

    home: Home
    citizen: Citizen
    theirs: NodeProcess

    def ask(self, act: str, **command: Any) -> dict[str, Any]:
        answer = self.theirs.ask(act, **command)
        assert "failure" not in answer, answer
        return answer

    def login(self) -> dict[str, Any]:
        """What their library says after the whole way."""
        url = self.ask("begin", redirect_uri=REDIRECT, scope=SCOPE)["url"]
        passport = self.home.passport
        asked = passport.read_request(parse_qsl(urlsplit(url).query))
        back = agree(
            passport,
            self.citizen.vault,
            asked,
            names=asked.scopes,
            shown=prepare(passport, self.citizen.vault, asked).digest(),
            keep_for=MONTH,
            opened_at=self.home.clock(),
        )
        return self.ask("finish", url=back)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    serving = Serving()
    settings = HomeSettings(
        folder=tmp_path_factory.mktemp("home"),
        did="did:web:" + serving.url.removeprefix("http://").replace(":", "%3A"),
        cheapest_kdf_for_tests=True,
        allow_loopback=True,
        tends_open_vaults=False,
    )
    script = Path(__file__).with_name("openid_client.mjs")
    with (
        Home.open(settings, clock=lambda: datetime.now(UTC)) as home,
        NodeProcess(script, "openid-client") as theirs,
    ):
        app = FastAPI()
        problems.install(app, STATUS)
        app.include_router(create_home_api(home))
        serving.serve(app)
        citizen = Citizen(home)
        give_identity(citizen)
        made = Place(home, citizen, theirs)
        home.passport.services.register(
            {
                "client_name": "Autopartage de démonstration",
                "purpose": "Ouvrir votre compte.",
                "redirect_uris": [REDIRECT],
                "post_logout_redirect_uris": [OUT],
                "jwks": made.ask("jwks"),
                "userinfo_encrypted_response_alg": "ECDH-ES",
                "scope": SCOPE,
            },
            id_=CLIENT,
        )
        found = made.ask("discover", issuer=serving.url, client_id=CLIENT)
        assert found["issuer"] == home.origin
        yield made
        serving.stop()


def test_their_client_logs_in_and_reads_sealed_claims(place: Place) -> None:
    found = place.login()
    assert found["tokens"]["token_type"] == "dpop"
    claims = place.ask("userinfo")
    assert claims["sub"] == found["claims"]["sub"]
    assert {name: claims[name] for name in IDENTITY} == IDENTITY
    assert claims["identity"]["lastName"]["value"] == "Fabre"


def test_their_client_refreshes_with_a_closed_vault_and_a_copy_ends_the_line(place: Place) -> None:
    place.login()
    first = place.ask("refresh")["used"]
    assert place.ask("userinfo")["family_name"] == "Fabre"
    again = place.theirs.ask("refresh", token=first)
    assert again["failure"] == "invalid_grant"


def test_their_client_lets_go_of_its_tokens(place: Place) -> None:
    place.login()
    place.ask("revoke")
    assert place.theirs.ask("refresh")["failure"] == "invalid_grant"


def test_their_way_out_is_read(place: Place) -> None:
    place.login()
    url = place.ask("leave", post_logout_redirect_uri=OUT)["url"]
    assert urlsplit(url).path == "/passeport/fin"
    asked = read_logout(place.home.passport, parse_qsl(urlsplit(url).query))
    assert asked.back_to == OUT
    assert asked.service is not None


def test_plain_pkce_is_refused(place: Place) -> None:
    url = place.ask("begin", redirect_uri=REDIRECT, scope=SCOPE, plain=True)["url"]
    with pytest.raises(PassportRequestError, match="S256"):
        place.home.passport.read_request(parse_qsl(urlsplit(url).query))
