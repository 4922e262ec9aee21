"""The home over HTTP: signed deposits, sessions, records, problems."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from federation.sealing import DepositReceipt
from federation.sealing.box import BoxPublicKey
from federation.wire import problems
from federation.wire.signatures import new_nonce, sign
from schemas.ids import Did
from tests.unit.vault.builders import PASSPHRASE, Citizen, Depositor, raw, trip
from vault.app import STATUS, create_home_api
from vault.home import Home

ORIGIN = "http://localhost:8400"


@pytest.fixture
def client(home: Home) -> Iterator[TestClient]:
    app = FastAPI()
    problems.install(app, STATUS)
    app.include_router(create_home_api(home))
    with TestClient(app, base_url=ORIGIN, raise_server_exceptions=False) as found:
        yield found


def signed(depositor: Depositor, method: str, path: str, body: bytes = b"") -> dict[str, str]:
    return sign(
        method=method,
        url=ORIGIN + path,
        body=body,
        signer=depositor.signer,
        created=depositor.home.clock(),
        nonce=new_nonce(),
    )


def test_a_signed_deposit_is_taken_and_its_receipt_is_signed(
    client: TestClient, home: Home, citizen: Citizen
) -> None:
    depositor = citizen.depositor()
    path = f"/v1/drop-box/{citizen.vault_id}"
    sealed = depositor.seal([raw(trip())])
    headers = {
        **signed(depositor, "POST", path, sealed.data),
        "Content-Type": "application/octet-stream",
    }
    answer = client.post(path, content=sealed.data, headers=headers)
    assert answer.status_code == 202
    assert DepositReceipt.parse(answer.content).digest == sealed.digest
    replayed = client.post(path, content=sealed.data, headers=headers)
    assert (replayed.status_code, replayed.json()["code"]) == (401, "signature-refused")
    last = f"{path}/last?account=a1&depositor={depositor.did}"
    found = client.get(last, headers=signed(depositor, "GET", last)).json()
    assert found == {"seq": 1, "previous": sealed.manifest_digest.hex()}
    receipts = f"{path}/receipts/{sealed.digest.hex()}"
    assert client.get(receipts, headers=signed(depositor, "GET", receipts)).json() == {
        "state": "waiting",
        "faults": [],
    }


def test_an_unsigned_a_foreign_and_an_out_of_sequence_deposit_are_problems(
    client: TestClient, citizen: Citizen
) -> None:
    depositor = citizen.depositor()
    other = citizen.depositor(did=Did("did:web:other.example"))
    path = f"/v1/drop-box/{citizen.vault_id}"
    sealed = depositor.seal([raw(trip())])
    assert client.post(path, content=sealed.data).status_code == 401
    foreign = client.post(
        path, content=sealed.data, headers=signed(other, "POST", path, sealed.data)
    )
    assert (foreign.status_code, foreign.json()["code"]) == (403, "depositor-unknown")
    first = depositor.leave(trip(1))
    late = depositor.seal([raw(trip(2))], seq=5, previous=first.manifest_digest)
    answer = client.post(
        path, content=late.data, headers=signed(depositor, "POST", path, late.data)
    )
    assert answer.status_code == 409
    assert (answer.json()["code"], answer.json()["last"]) == ("deposit-out-of-sequence", 1)
    garbage = client.post(
        path, content=b"<html>", headers=signed(depositor, "POST", path, b"<html>")
    )
    assert (garbage.status_code, garbage.json()["code"]) == (422, "deposit-invalid")


def test_keys_and_did_documents_are_public(
    client: TestClient, home: Home, citizen: Citizen
) -> None:
    keys = client.get(f"/v1/drop-box/{citizen.vault_id}/keys").json()["keys"]
    assert BoxPublicKey.decode(base64.b64decode(keys["trips"])).key_id
    assert client.get("/.well-known/did.json").json()["id"] == home.did
    home.connector_signer("tracemob")
    document = client.get("/connecteurs/tracemob/did.json").json()
    assert document["id"] == f"{home.did}:connecteurs:tracemob"
    assert client.get("/connecteurs/autre/did.json").status_code == 404
    assert client.get(f"/v1/drop-box/{'0' * 32}/keys").status_code == 404
    wallet = client.get("/.well-known/openid4vp-wallet").json()
    assert wallet["authorization_endpoint"].startswith(ORIGIN)


def cookie_of(client: TestClient, citizen: Citizen) -> dict[str, str]:
    answer = client.post("/v1/session", json={"vault": citizen.vault_id, "passphrase": PASSPHRASE})
    assert answer.status_code == 200
    header = answer.headers["set-cookie"]
    assert "HttpOnly" in header
    assert "Secure" in header
    assert "samesite=lax" in header.lower()
    return {"Cookie": header.partition(";")[0], "X-CSRF-Token": answer.json()["csrf"]}


def test_unlock_read_query_and_lock(client: TestClient, citizen: Citizen) -> None:
    citizen.depositor().leave(trip(0), trip(1))
    cookie = cookie_of(client, citizen)
    assert client.get("/v1/session", headers=cookie).json()["waiting"] == 1
    assert client.post("/v1/drain", headers=cookie).json()["tripsNew"] == 2
    page = client.get("/v1/records?kind=Trip&limit=1&count=true", headers=cookie).json()
    assert page["total"] == 2
    following = client.get(
        f"/v1/records?kind=Trip&limit=1&cursor={page['next']}", headers=cookie
    ).json()
    assert following["next"] is None
    one = client.get(f"/v1/records/{page['records'][0]['id']}", headers=cookie)
    assert one.headers["etag"].endswith('.ld"')
    assert client.get("/v1/trips?since=2026-11-01&until=2026-11-30", headers=cookie).json()[
        "records"
    ]
    assert client.get("/v1/journal", headers=cookie).json()["events"][0]["event"] == "drained"
    asked = client.post("/v1/query", json={"query": "ASK {?s ?p ?o}"}, headers=cookie)
    assert asked.json()["truth"] is True
    bad = client.post("/v1/query", json={"query": "DROP ALL"}, headers=cookie)
    assert (bad.status_code, bad.json()["code"]) == (422, "query-refused")
    forged = client.get("/v1/records?kind=Trip&cursor=AAAA", headers=cookie)
    assert (forged.status_code, forged.json()["code"]) == (400, "cursor-refused")
    assert client.delete("/v1/session", headers=cookie).status_code == 204
    assert client.get("/v1/session", headers=cookie).status_code == 401


def test_a_request_from_another_site_is_refused(client: TestClient, citizen: Citizen) -> None:
    cookie = cookie_of(client, citizen)
    for site in ("cross-site", "same-site"):
        answer = client.get("/v1/session", headers={**cookie, "Sec-Fetch-Site": site})
        assert (answer.status_code, answer.json()["code"]) == (403, "cross-site")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"vault": "0" * 32, "passphrase": "x"}, 404, "vault-unknown"),
        ({"vault": "zz", "passphrase": "x"}, 422, "invalid-request"),
        ({"vault": "0" * 32}, 422, "invalid-request"),
        ({"vault": "0" * 32, "passphrase": "x", "recoveryCode": "y"}, 422, "invalid-request"),
        ({"vault": "0" * 32, "passphrase": "x", "more": 1}, 422, "invalid-request"),
    ],
)
def test_malformed_unlocks_are_problems_that_echo_nothing(
    client: TestClient, body: dict[str, str], status: int, code: str
) -> None:
    answer = client.post("/v1/session", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert 'passphrase": "x' not in answer.text


def test_wrong_secrets_over_http_are_slowed(client: TestClient, citizen: Citizen) -> None:
    codes = [
        client.post("/v1/session", json={"vault": citizen.vault_id, "passphrase": "non"}).json()[
            "code"
        ]
        for _ in range(4)
    ]
    assert codes[0] == "wrong-secret"
    assert codes[-1] == "slow-down"


def test_no_session_no_records(client: TestClient, tmp_path: Path) -> None:
    for path in ("/v1/session", "/v1/records?kind=Trip", "/v1/journal"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers={b"cookie": "__Host-coffre=é".encode()}).status_code == 401
