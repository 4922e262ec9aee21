"""The sandbox's parties: what they sign verifies, what they leave is sealed, and all say what they
are."""

import hashlib
import hmac
import itertools
import json
import secrets
from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient

from connectors.depositing import SealingDepositor
from connectors.emission.client import Dialect
from connectors.issuer.api.issuance import PRE_AUTHORISED
from connectors.sandbox.api.employer import FAMILIES, canonical_employee
from connectors.sandbox.app import create_sandbox_app
from connectors.sandbox.operator import journeys, pass_documents, signed_journeys
from connectors.sandbox.parties import BANNER, Parties, SandboxSettings
from connectors.sandbox.story import EMPLOYMENT, FIRST_DAY, LAST_DAY, ZONE, Story
from connectors.store import ConnectorStore
from federation.jose import sign_jws
from federation.keys import P256Key, decode_multikey, did_key, verification_method_of
from federation.proofs import verify_proof
from federation.timestamps import QUERY_TYPE, read_roots, read_timestamp, timestamp_query
from schemas.ids import Did
from schemas.observations import ClaimBy, TripObservation


@pytest.fixture
def app(tmp_path: Any, clock: Any) -> Any:
    settings = SandboxSettings(base_url="http://localhost:8402", state=tmp_path / "sandbox.json")
    made = create_sandbox_app(settings, clock=clock)
    yield made
    made.state.store.close()


@pytest.fixture
def client(app: Any) -> TestClient:
    return TestClient(app)


def proof(client: TestClient, key: P256Key, **changes: Any) -> str:
    holder = did_key(decode_multikey(key.signer().public_multikey()))
    nonce = client.post("/employeur/nonce").json()["c_nonce"]
    claims = {
        "aud": "http://localhost:8402/employeur",
        "iat": int(changes.pop("iat", 1_795_176_000)),
        "nonce": nonce,
        **changes,
    }
    signer = key.signer(verification_method_of(holder))
    return sign_jws(claims, signer, typ="openid4vci-proof+jwt")


def access(client: TestClient) -> str:
    offer = client.post("/employeur/offers").json()
    assert client.get(
        "/employeur/offers/" + offer["credential_offer_uri"].rpartition("/")[2]
    ).json()
    code = offer["credential_offer"]["grants"][PRE_AUTHORISED]["pre-authorized_code"]
    answer = client.post(
        "/employeur/token", data={"grant_type": PRE_AUTHORISED, "pre-authorized_code": code}
    )
    again = client.post(
        "/employeur/token", data={"grant_type": PRE_AUTHORISED, "pre-authorized_code": code}
    )
    assert again.json() == {"error": "invalid_grant"}
    return str(answer.json()["access_token"])


def ask(client: TestClient, token: str, *proofs: str) -> Any:
    return client.post(
        "/employeur/credential",
        json={
            "credential_configuration_id": "AffiliationCredential",
            "proofs": {"jwt": list(proofs)},
        },
        headers={"Authorization": f"Bearer {token}"},
    )


def test_the_employer_signs_an_affiliation_for_the_holders_key(
    client: TestClient, app: Any, clock: Any
) -> None:
    key = P256Key.generate()
    answer = ask(client, access(client), proof(client, key, iat=clock().timestamp()))
    assert answer.status_code == 200, answer.text
    [issued] = answer.json()["credentials"]
    document = issued["credential"]
    parties = app.state.parties
    verify_proof(document, key=parties.employer.public)
    subject = document["credentialSubject"]
    assert subject["id"] == did_key(decode_multikey(key.signer().public_multikey()))
    assert subject["employeeNumber"] == EMPLOYMENT.employee_number
    assert {n["family"] for n in subject["nullifiers"]} == set(FAMILIES)
    for claim in subject["nullifiers"]:
        k_f = hmac.new(
            parties.family_key, f"family/{claim['family']}/1".encode(), hashlib.sha256
        ).digest()
        expected = hmac.new(k_f, canonical_employee(EMPLOYMENT).encode(), hashlib.sha256)
        assert claim["value"] == expected.hexdigest()


def test_two_keys_of_one_employee_have_the_same_nullifiers(client: TestClient, clock: Any) -> None:
    found = []
    for _ in range(2):
        made = proof(client, P256Key.generate(), iat=clock().timestamp())
        document = ask(client, access(client), made).json()["credentials"][0]["credential"]
        found.append({n["value"] for n in document["credentialSubject"]["nullifiers"]})
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "changes",
    [{"aud": "http://other"}, {"iat": 5}, {"nonce": "made up"}, {"iat": True}],
    ids=["audience", "old", "nonce", "type"],
)
def test_a_wrong_proof_of_possession_gets_no_credential(
    client: TestClient, clock: Any, changes: dict[str, Any]
) -> None:
    given = {"iat": clock().timestamp(), **changes}
    answer = ask(client, access(client), proof(client, P256Key.generate(), **given))
    assert answer.status_code == 400
    assert answer.json()["error"] in {"invalid_proof", "invalid_nonce"}


def test_a_proof_serves_once(client: TestClient, clock: Any) -> None:
    made = proof(client, P256Key.generate(), iat=clock().timestamp())
    assert ask(client, access(client), made).status_code == 200
    assert ask(client, access(client), made).json() == {"error": "invalid_nonce"}


def test_a_revoked_affiliation_is_so_in_its_status_list(
    client: TestClient, app: Any, clock: Any
) -> None:
    from federation.credentials.status import StatusList

    made = proof(client, P256Key.generate(), iat=clock().timestamp())
    document = ask(client, access(client), made).json()["credentials"][0]["credential"]
    index = int(document["credentialStatus"]["statusListIndex"])

    def bit() -> bool:
        listed = client.get("/employeur/status/1").json()
        verify_proof(listed, key=app.state.parties.employer.public)
        return StatusList.decode(listed["credentialSubject"]["encodedList"]).is_set(index)

    assert not bit()
    assert client.post(f"/employeur/_revoke/{index}").status_code == 204
    assert bit()


def test_the_operators_journeys_are_signed_and_name_no_place(clock: Any) -> None:
    from federation.keys import Ed25519Key

    did = Did("did:web:localhost%3A8402:operateur")
    key = Ed25519Key.generate()
    holder = did_key(decode_multikey(P256Key.generate().signer().public_multikey()))
    documents = signed_journeys(Story(), holder=holder, signer=key.signer(f"{did}#1"), at=clock())
    assert len(documents) == 24
    for document in documents[:3]:
        verify_proof(document, key=decode_multikey(key.signer().public_multikey()))
        assert "43.2" not in json.dumps(document)


def test_the_operator_leaves_journeys_and_pass_in_the_vault(
    app: Any, home: Any, store: ConnectorStore, clock: Any
) -> None:
    signer = app.state.parties.operator.signer
    home.link_depositor("v", app.state.parties.operator.did, "covoit", name="o", scope=())
    depositor = SealingDepositor(
        home.drop_box("v"),
        vault_id="v",
        account="covoit",
        signer=signer,
        store=store,
        clock=clock,
    )
    trips = journeys(Story(), account="covoit")
    assert depositor.deposit([*trips, *pass_documents(account="covoit")]) == 2
    opened = home.drop_box("v").opened()
    assert [o for o in opened if isinstance(o, TripObservation)] == trips
    assert len(opened) == 24 + 6
    assert {c.by for trip in trips for c in trip.mode_claims} == {ClaimBy.OPERATOR}


def test_the_parties_keep_their_keys_between_starts(tmp_path: Any) -> None:
    settings = SandboxSettings(state=tmp_path / "s.json")
    first, second = Parties.load(settings), Parties.load(settings)
    assert first.operator.document() == second.operator.document()
    assert first.trace_token == second.trace_token
    assert settings.state.stat().st_mode & 0o077 == 0


def test_every_page_says_that_it_is_a_sandbox(client: TestClient) -> None:
    assert BANNER in client.get("/").text
    assert client.get("/_story").json()["banner"] == BANNER
    query = {
        "client_id": "http://localhost:8400",
        "redirect_uri": "http://localhost:8400/r",
        "state": "s",
        "nonce": "n",
        "code_challenge": secrets.token_urlsafe(32),
        "code_challenge_method": "S256",
        "scope": "openid",
    }
    assert BANNER in client.get("/identite/authorize", params=query).text
    assert BANNER in client.get("/identite/session/end").text


def test_no_party_bears_the_name_of_what_it_simulates(client: TestClient) -> None:
    text = client.get("/_story").text.casefold()
    for name in ("franceconnect", "karos", "blablacar", "klaxit", "tracemob", "sncf", "tisseo"):
        assert name not in text


def test_the_did_documents_are_where_did_web_looks(client: TestClient, app: Any) -> None:
    for path in ("operateur", "employeur", "identite"):
        document = client.get(f"/{path}/did.json").json()
        assert document["id"] == f"did:web:localhost%3A8402:{path}"


# the story


def test_the_story_is_the_same_for_the_same_seed() -> None:
    for dialect in Dialect:
        assert Story().entries(dialect) == Story().entries(dialect)
    assert Story(1).trips != Story(2).trips


def test_the_story_gives_41_eligible_days_and_19_are_missing() -> None:
    expected = Story().expected
    assert (expected.eligible_days, 60 - expected.eligible_days) == (41, 19)
    assert expected.eligible_days_by_mode == {"bicycle": 29, "carpool": 12}


def test_nobody_is_in_two_places_at_once() -> None:
    trips = Story().trips
    for before, after in itertools.pairwise(trips):
        assert before.end <= after.start, (before.key, after.key)


def test_the_story_stays_in_its_three_months_and_keeps_holidays() -> None:
    days = {trip.start.astimezone(ZONE).date() for trip in Story().trips if trip.commute}
    assert min(days) >= FIRST_DAY
    assert max(days) <= LAST_DAY
    assert date(2026, 11, 11) not in days
    assert all(day.weekday() < 5 for day in days)


def test_the_timestamp_authority_stamps_and_says_that_it_is_worth_nothing(
    client: TestClient, clock: Any
) -> None:
    digest = hashlib.sha256(b"tete").digest()
    sent = {"content": timestamp_query(digest, nonce=7), "headers": {"content-type": QUERY_TYPE}}
    reply = client.post("/horodatage", **sent)
    roots = read_roots(client.get("/horodatage/racine.pem").content)
    found = read_timestamp(reply.content, digest, roots=roots, nonce=7)
    assert found.at == clock().replace(microsecond=0)
    assert "sans valeur juridique" in found.authority
    assert client.post("/horodatage", json={}).status_code == 422
