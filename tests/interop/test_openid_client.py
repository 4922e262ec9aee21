"""`openid-client`, a certified relying party, as a service at the door of our passport."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from fastapi import FastAPI

from federation.credentials.types import COMPUTED
from federation.keys import Signer
from federation.profiles import sign_tariff
from federation.trust import PinnedKey, Role, TrustEntry, TrustSnapshot
from federation.wire import problems
from schemas.ids import Did
from tests.conformance.test_hub import Serving
from tests.interop.node import NodeProcess
from tests.unit.profiles.test_profiles import tariff
from tests.unit.vault.builders import Citizen, trust
from tests.unit.vault.passport_login import IDENTITY, MONTH, give_identity
from tests.unit.vault.test_computed import NETWORK, NETWORK_KEY, attribute
from vault.app import STATUS, create_home_api
from vault.home import Home
from vault.passport.agreeing import agree, prepare
from vault.passport.errors import PassportRequestError
from vault.passport.logout import read_logout
from vault.passport.profiles import DETAIL
from vault.preferences import set_preference
from vault.settings import HomeSettings

REDIRECT = "https://autopartage.example/retour"
OUT = "https://autopartage.example/sorti"
SCOPE = "openid identite urn:cms:identity:read offline_access"
PROFILES = "openid autopartage itineraire tarif-reduit"
RULE = "http://localhost:8402/reseau/tarifs/solidaire"
DETAILS = [
    {"type": DETAIL, "profile": "autopartage", "version": 1, "parameters": {"age": 21}},
    {"type": DETAIL, "profile": "tarif-reduit", "version": 1, "parameters": {"tariff": RULE}},
]
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

    def login(self, scope: str = SCOPE, **more: Any) -> dict[str, Any]:
        """What their library says after the whole way."""
        url = self.ask("begin", redirect_uri=REDIRECT, scope=scope, **more)["url"]
        passport = self.home.passport
        asked = passport.read_request(parse_qsl(urlsplit(url).query))
        back = agree(
            passport,
            self.citizen.vault,
            asked,
            names=asked.scopes,
            shown=prepare(passport, self.citizen.vault, asked).digest(),
            keep_for=MONTH if "offline_access" in scope else None,
            opened_at=self.home.clock(),
        )
        return self.ask("finish", url=back)


def network_and(home: Home) -> TrustSnapshot:
    """A registry with this home, which may attest, and the network that publishes the tariff."""
    at = datetime.now(UTC)

    def entry(did: Did, key: Signer, role: Role, types: frozenset[str]) -> TrustEntry:
        since = at - timedelta(days=1)
        pinned = PinnedKey(key.public_multikey(), key.verification_method, since)
        return TrustEntry(
            did=did,
            name=str(did),
            roles=frozenset({role}),
            keys=(pinned,),
            credential_types=types,
            since=since,
        )

    return trust(
        entry(Did(home.did), home.signer(), Role.HOME, COMPUTED),
        entry(NETWORK, NETWORK_KEY, Role.OPERATOR, frozenset()),
        at=at,
    )


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
        for name, value in (("tax.reference_income", 17_342), ("tax.parts", 2.5)):
            attribute(citizen, name, value)
        set_preference(citizen.vault, "travel.liked-mode", "bicycle")
        home.use_trust(network_and(home))
        made = Place(home, citizen, theirs)
        home.passport.services.register(
            {
                "client_name": "Autopartage de démonstration",
                "purpose": "Ouvrir votre compte.",
                "redirect_uris": [REDIRECT],
                "post_logout_redirect_uris": [OUT],
                "jwks": made.ask("jwks"),
                "userinfo_encrypted_response_alg": "ECDH-ES",
                "scope": " ".join(dict.fromkeys(f"{SCOPE} {PROFILES}".split())),
                "tariff_rules": [
                    sign_tariff(tariff(did=NETWORK), NETWORK_KEY, at=datetime.now(UTC))
                ],
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


def test_their_client_asks_with_the_service_profiles(place: Place) -> None:
    found = place.login(PROFILES, details=DETAILS)
    assert found["tokens"]["authorization_details"] == DETAILS
    claims = place.ask("userinfo")
    assert claims["autopartage"]["age"] == {
        "ageAtLeast": 21,
        "assuranceMethod": "vault-attested",
    }
    assert claims["itineraire"]["travel"]["travelModes"] == [
        {"mode": "bicycle", "modeChoice": "liked"}
    ]
    assert claims["tarif-reduit"]["tariff"]["tariffStatus"] == "solidaire"
    assert "17342" not in str(claims)
    assert "1991" not in str(claims)


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
