"""The fictitious operator and identity issuer sign for a wallet: coarse, bound, each on its own."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from connectors.issuer.api.issuance import PRE_AUTHORISED
from connectors.sandbox.app import create_sandbox_app
from connectors.sandbox.parties import SandboxSettings
from connectors.sandbox.signing import band
from federation.aids.covoiturage import CARPOOL_FAMILY, CARPOOL_TRIPS
from federation.credentials.held import keep_sd_jwt, read_held
from federation.keys import P256Key, did_key
from federation.openid4vci import credential_requests, proof_jwt
from federation.proofs.sd_jwt import SdJwt

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY = P256Key.generate().signer()


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    settings = SandboxSettings(state=tmp_path / "sandbox.json")
    return TestClient(create_sandbox_app(settings, clock=lambda: AT))


def redeem(client: TestClient, party: str) -> list[Any]:
    offer = client.post(f"/{party}/offers").json()["credential_offer"]
    code = offer["grants"][PRE_AUTHORISED]["pre-authorized_code"]
    form = {"grant_type": PRE_AUTHORISED, "pre-authorized_code": code}
    granted = client.post(f"/{party}/token", data=form).json()
    bearer = {"Authorization": f"Bearer {granted['access_token']}"}
    found = []
    for request in credential_requests(granted, offer["credential_configuration_ids"]):
        nonce = client.post(f"/{party}/nonce").json()["c_nonce"]
        issuer = f"http://localhost:8402/{party}"
        proof = proof_jwt(KEY, audience=issuer, nonce=nonce, at=AT)
        body = request.with_proofs(proof).to_json()
        answer = client.post(f"/{party}/credential", json=body, headers=bearer)
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["credentials"][0]["credential"])
        told = {"notification_id": answer.json()["notification_id"], "event": "credential_accepted"}
        said = client.post(f"/{party}/notification", json=told, headers=bearer)
        assert said.status_code == 204
        told["event"] = "credential_eaten"
        assert client.post(f"/{party}/notification", json=told, headers=bearer).status_code == 400
    return found


def test_every_journey_is_signed_with_coarse_claims_only(client: TestClient) -> None:
    found = redeem(client, "operateur")
    trips = [read_held(keep_sd_jwt(one)) for one in found if isinstance(one, str)]
    assert len(trips) == 24
    names = {n["value"] for trip in trips for n in trip.subject["nullifiers"]}
    assert len(names) == 24, "one name a trip"
    for trip in trips:
        assert trip.holder == did_key(KEY.public_multikey())
        assert trip.subject["distanceAtLeast"] == 5_000
        assert {n["family"] for n in trip.subject["nullifiers"]} == {CARPOOL_TRIPS}
        hidden = {d.name for d in SdJwt.parse(str(trip.wire)).disclosures}
        assert {"month", "mode", "distanceAtLeast", "evidence", CARPOOL_TRIPS} <= hidden
        assert "T0" not in repr(trip.subject), "no hour"
    totals = [read_held(one) for one in found if isinstance(one, dict)]
    said = {t.subject["periodFrom"][:7]: t.subject.get("atLeast") for t in totals}
    assert said == {"2026-08": None, "2026-09": 10, "2026-10": None, "2026-11": None}


def test_the_same_trip_has_the_same_name_for_every_verifier(client: TestClient) -> None:
    def names() -> set[str]:
        found = (one for one in redeem(client, "operateur") if isinstance(one, str))
        return {
            node["value"]
            for one in found
            for node in read_held(keep_sd_jwt(one)).subject["nullifiers"]
        }

    assert names() == names()


def test_the_identity_shows_one_family_at_a_time(client: TestClient) -> None:
    (text,) = redeem(client, "identite/vc")
    held = read_held(keep_sd_jwt(text))
    assert held.type == "IdentityCredential"
    assert [n["family"] for n in held.subject["nullifiers"]] == [CARPOOL_FAMILY]
    assert CARPOOL_FAMILY in {d.name for d in SdJwt.parse(text).disclosures}


def test_a_data_set_of_another_configuration_or_code_is_refused(client: TestClient) -> None:
    offer = client.post("/operateur/offers?configuration=UsageProof").json()["credential_offer"]
    code = offer["grants"][PRE_AUTHORISED]["pre-authorized_code"]
    form = {"grant_type": PRE_AUTHORISED, "pre-authorized_code": code}
    token = client.post("/operateur/token", data=form).json()["access_token"]

    def ask(**body: str) -> str:
        headers = {"Authorization": f"Bearer {token}"}
        return str(client.post("/operateur/credential", json=body, headers=headers).json()["error"])

    unknown = "unknown_credential_identifier"
    assert ask(credential_identifier="TripCredential/x") == unknown
    assert ask(credential_identifier="UsageProof/1999-01") == unknown
    assert ask(credential_configuration_id="UsageProof") == "invalid_credential_request"
    assert ask(credential_configuration_id="TripCredential") == "unknown_credential_configuration"
    assert ask(credential_identifier="UsageProof/2026-09") == "invalid_proof"


@pytest.mark.parametrize(("metres", "bound"), [(0, 0), (1_999, 0), (2_000, 2_000), (7_201, 5_000)])
def test_a_trip_says_its_band_and_not_its_length(metres: int, bound: int) -> None:
    assert band(metres) == bound
