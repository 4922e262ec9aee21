"""Push: pairing, batches whole or refused whole, receipts, limits, the clients of the README."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

from connectors.push.api import create_push_router
from connectors.push.service import ALPHABET, PushService
from connectors.sandbox.story import Story
from connectors.store import ConnectorStore
from schemas.evidence import Evidence
from schemas.ids import mint_iri
from schemas.jsonld import to_jsonld
from schemas.modes import Mode
from schemas.observations import ClaimBy, TripObservation
from schemas.records import Place, Trip
from schemas.units import Metres
from tests.unit.connectors.test_invoices import mob

ROOT = Path(__file__).resolve().parents[3]
VAULT = "vault-1"
TRIP = {
    "id": "t1",
    "startedAt": "2026-11-18T07:45:00+01:00",
    "endedAt": "2026-11-18T08:15:00+01:00",
    "timeZone": "Europe/Paris",
    "mode": "bicycle",
    "distance": 8350,
    "origin": {"lat": 43.2109, "lon": 2.4420},
    "destination": {"lat": 43.2128, "lon": 2.3536},
}


@pytest.fixture
def service(home: Any, store: ConnectorStore, clock: Any) -> PushService:
    return PushService(home, store, clock=clock, address="https://coffre.test")


@pytest.fixture
def client(service: PushService) -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(create_push_router(service))
    with TestClient(app) as made:
        yield made


@pytest.fixture
def token(service: PushService) -> str:
    return service.pair(service.offer(VAULT, "Mon Vélo").code, app="x", client="a").token


def view(state: str, faults: Any = ()) -> Any:
    return SimpleNamespace(state=state, faults=faults)


def push(client: TestClient, token: str, trips: Any, **headers: str) -> Any:
    content_type = headers.pop("content_type", "application/json")
    body = trips if isinstance(trips, bytes) else json.dumps({"trips": trips}).encode()
    return client.post(
        "/v1/push",
        content=body,
        headers={"Authorization": f"Bearer {token}", "Content-Type": content_type, **headers},
    )


def test_a_pushed_trip_arrives_sealed_and_as_it_was_sent(
    client: TestClient, token: str, home: Any
) -> None:
    answer = push(client, token, [TRIP])
    assert answer.status_code == 202
    assert answer.json()["records"] == 1
    assert answer.headers["location"] == answer.json()["status"]
    box = home.drop_box(VAULT)
    [trip] = box.opened()
    assert isinstance(trip, TripObservation)
    assert trip.source == "push:mon-velo"
    assert trip.distance == 8350
    assert [(c.mode, c.by) for c in trip.mode_claims] == [(Mode.BICYCLE, ClaimBy.SENSOR)]
    assert b"43.21" not in box.taken[0].data


def test_the_receipt_says_waiting_then_taken_or_rejected_by_place(
    client: TestClient, token: str, home: Any
) -> None:
    answer = push(client, token, [TRIP, {**TRIP, "id": "t2", "distance": 8400}]).json()
    headers = {"Authorization": f"Bearer {token}"}
    box = home.drop_box(VAULT)
    assert client.get(answer["status"], headers=headers).json()["state"] == "waiting"
    box.views[box.taken[0].digest] = view("taken")
    assert client.get(answer["status"], headers=headers).json()["state"] == "taken"
    box.views[box.taken[0].digest] = view("taken", ((1, "suppressed", "/startedAt"),))
    told = client.get(answer["status"], headers=headers).json()
    assert told["state"] == "rejected"
    assert told["rejected"] == [{"pointer": "/1/startedAt", "code": "suppressed"}]


def test_another_token_cannot_read_the_receipt(
    client: TestClient, token: str, service: PushService
) -> None:
    receipt = push(client, token, [TRIP]).json()["receipt"]
    other = service.pair(service.offer(VAULT, "autre").code, app="x", client="a").token
    answer = client.get(f"/v1/push/{receipt}", headers={"Authorization": f"Bearer {other}"})
    assert answer.status_code == 404
    assert answer.json()["code"] == "receipt-unknown"


def test_the_same_key_and_bytes_give_the_same_receipt_other_bytes_are_refused(
    client: TestClient, token: str, home: Any
) -> None:
    first = push(client, token, [TRIP], **{"Idempotency-Key": "k"})
    again = push(client, token, [TRIP], **{"Idempotency-Key": "k"})
    other = push(client, token, [{**TRIP, "distance": 1}], **{"Idempotency-Key": "k"})
    assert first.json() == again.json()
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")
    assert len(home.drop_box(VAULT).taken) == 1


def test_a_batch_with_faults_is_refused_whole_with_every_place(
    client: TestClient, token: str, home: Any
) -> None:
    bad = [
        TRIP,
        {**TRIP, "startedAt": "2026-11-18T07:45:00"},
        {**TRIP, "origin": {"lat": 2.4420, "lon": 43.2109}},
        {**TRIP, "mode": "broom"},
        {**TRIP, "surprise": 1},
        {**TRIP, "distance": -1},
        "no trip",
    ]
    answer = push(client, token, bad)
    assert answer.status_code == 422
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [
        ("/trips/1/startedAt", "time-without-offset"),
        ("/trips/2/origin", "coordinates-swapped"),
        ("/trips/3/mode", "mode-unknown"),
        ("/trips/4/surprise", "member-unknown"),
        ("/trips/5/distance", "distance-implausible"),
        ("/trips/6", "not-an-object"),
    ]
    assert "43.2109" not in answer.text
    assert home.drop_box(VAULT).taken == []


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"<html>", "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b'{"trips": ' + b"[" * 20 + b"]" * 20 + b"}", "application/json", 400),
        (b"{}", "application/json", 422),
        (b'{"trips": []}', "application/json", 422),
        (b'{"trips": 5}', "application/json", 422),
        (json.dumps({"trips": [TRIP] * 501}).encode(), "application/json", 422),
        (b"x" * 2_000_001, "application/json", 413),
        (b"{}", "text/html", 415),
        (b'{"trips": [{"distance": NaN}]}', "application/json", 422),
    ],
)
def test_bad_bodies_are_typed_problems(
    client: TestClient, token: str, home: Any, *, body: bytes, content_type: str, status: int
) -> None:
    answer = push(client, token, body, content_type=content_type)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert home.drop_box(VAULT).taken == []


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer mvp_wrong", "Basic eDp5"])
def test_no_push_without_a_good_token(client: TestClient, authorization: str) -> None:
    answer = client.post(
        "/v1/push", json={"trips": [TRIP]}, headers={"Authorization": authorization}
    )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_revoked_token_leaves_nothing_more(
    client: TestClient, token: str, service: PushService, home: Any
) -> None:
    assert push(client, token, [TRIP]).status_code == 202
    [known] = service.tokens(VAULT)
    service.revoke(VAULT, known.token_id)
    assert push(client, token, [{**TRIP, "distance": 5}]).status_code == 401
    assert len(home.drop_box(VAULT).taken) == 1
    assert home.drop_box(VAULT).links == set()


def test_a_full_drop_box_answers_503_with_retry_after_and_keeps_nothing(
    client: TestClient, token: str, home: Any, store: ConnectorStore
) -> None:
    box = home.drop_box(VAULT)
    box.full = True
    answer = push(client, token, [TRIP])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "120")
    box.full = False
    assert push(client, token, [TRIP]).status_code == 202
    assert len(box.taken) == 1


def test_a_lost_answer_of_the_drop_box_loses_and_doubles_nothing(
    client: TestClient, token: str, home: Any
) -> None:
    box = home.drop_box(VAULT)
    box.lose_next_answer = True
    assert push(client, token, [TRIP]).status_code == 503
    assert push(client, token, [TRIP]).status_code == 202
    # The bytes stored before the first send went again; the app's retry is another deposit of the
    # same observation.
    assert len({o.id for o in box.opened()}) == 1


def test_too_many_pushes_in_a_minute_wait(client: TestClient, token: str, clock: Any) -> None:
    answers = [push(client, token, [TRIP]).status_code for _ in range(61)]
    assert answers == [202] * 60 + [429]
    clock.pass_(minutes=1)
    assert push(client, token, [TRIP]).status_code == 202


def test_a_code_works_once_and_not_after_its_term(service: PushService, clock: Any) -> None:
    code = service.offer(VAULT, "app")
    assert len(code.code) == 8
    assert set(code.code) <= set(ALPHABET)
    assert code.qr_payload.endswith("#" + code.code)
    spoken = code.shown.lower()
    assert service.pair(spoken, app="x", client="a").token.startswith("mvp_")
    with pytest.raises(Exception, match="wrong, used or expired"):
        service.pair(code.code, app="x", client="a")
    late = service.offer(VAULT, "app")
    clock.pass_(minutes=10)
    with pytest.raises(Exception, match="wrong, used or expired"):
        service.pair(late.code, app="x", client="a")


def test_guessing_codes_is_slowed_down_by_address(client: TestClient) -> None:
    guesses = [
        client.post("/v1/pairings", json={"code": "AAAAAAAA"}).status_code for _ in range(11)
    ]
    assert guesses == [403] * 10 + [429]


def test_the_database_holds_no_token_and_no_code(
    client: TestClient, token: str, service: PushService, tmp_path: Path
) -> None:
    code = service.offer(VAULT, "app").code
    push(client, token, [TRIP])
    for file in tmp_path.glob("connectors.db*"):
        data = file.read_bytes()
        assert token.encode() not in data
        assert code.encode() not in data
        assert b"43.21" not in data


def test_json_ld_is_taken_too(client: TestClient, token: str, home: Any) -> None:
    trip = Trip(
        id=mint_iri(),
        started_at=datetime(2026, 11, 18, 6, 45, tzinfo=UTC),
        ended_at=datetime(2026, 11, 18, 7, 15, tzinfo=UTC),
        start_zone="Europe/Paris",
        end_zone="Europe/Paris",
        origin=Place(lat=43.2109, lon=2.4420),
        destination=Place(lat=43.2128, lon=2.3536),
        distance=Metres(8350),
        mode=Mode.BICYCLE,
        evidence=Evidence.REGISTRY,
        mode_evidence=Evidence.REGISTRY,
    )
    body = json.dumps(to_jsonld(trip)).encode()
    answer = push(client, token, body, content_type="application/ld+json")
    assert answer.status_code == 202, answer.text
    [found] = home.drop_box(VAULT).opened()
    assert isinstance(found, TripObservation)
    # The class of evidence it claimed went nowhere.
    assert "registry" not in json.dumps(str(found))


# the clients of the README, as they are printed


@pytest.fixture
def server(service: PushService) -> Iterator[str]:
    app = FastAPI()
    app.include_router(create_push_router(service))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", ws="none")
    )
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    for _ in range(200):
        if running.started:
            break
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    thread.join(10)


def run(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


CLIENTS = ROOT / "connectors" / "push" / "clients"


def test_the_python_client_has_twenty_lines_and_pushes(
    server: str, service: PushService, home: Any, tmp_path: Path
) -> None:
    script = CLIENTS / "push.py"
    assert len([line for line in script.read_text().splitlines() if line.strip()]) <= 20
    file = tmp_path / "trips.json"
    file.write_text(json.dumps(Story().pushed_trips()))
    code = service.offer(VAULT, "my-app").shown
    answer = run([sys.executable, str(script), server, code, str(file)])
    assert (answer["state"], answer["records"]) == ("waiting", 40)
    assert len(home.drop_box(VAULT).opened()) == 40


def test_the_typescript_client_has_twenty_lines_and_pushes(
    server: str, service: PushService, home: Any, tmp_path: Path
) -> None:
    script = CLIENTS / "push.ts"
    assert len([line for line in script.read_text().splitlines() if line.strip()]) <= 20
    node, compiler = shutil.which("node"), ROOT / "node_modules" / "typescript"
    if node is None or not compiler.is_dir():
        if os.environ.get("CI"):
            pytest.fail("node and npm `typescript` are needed", pytrace=False)
        pytest.skip("node_modules/typescript is not installed")
    module = tmp_path / "push.mjs"
    strip = (
        "const ts=require(process.argv[1]),fs=require('fs');"
        "const out=ts.transpileModule(fs.readFileSync(process.argv[2],'utf8'),"
        "{reportDiagnostics:true,compilerOptions:{target:'es2022',module:'esnext'}});"
        "if(out.diagnostics.length)throw new Error(String(out.diagnostics[0].messageText));"
        "fs.writeFileSync(process.argv[3],out.outputText)"
    )
    subprocess.run(
        [node, "-e", strip, str(compiler), str(script), str(module)], check=True, timeout=60
    )
    file = tmp_path / "trips.json"
    file.write_text(json.dumps(Story().pushed_trips()))
    code = service.offer(VAULT, "my-app").shown
    answer = run([node, str(module), server, code, str(file)])
    assert (answer["state"], answer["records"]) == ("waiting", 40)
    assert len(home.drop_box(VAULT).opened()) == 40


# moB's metadata


def test_mobs_metadata_arrive_as_invoice_and_pass_once(
    service: PushService, client: TestClient, home: Any, token: str
) -> None:
    kinds = ("Trip", "Invoice", "Subscription")
    code = service.offer(VAULT, "Mon MaaS", kinds=kinds).code
    maas = service.pair(code, app="maas", client="a").token
    body = {"incentiveId": "i1", "attachmentMetadata": mob()}

    def send(secret: str, document: Any) -> Any:
        headers = {"Authorization": f"Bearer {secret}"}
        return client.post("/v1/subscriptions/metadata", json=document, headers=headers)

    answer = send(maas, body)
    assert answer.status_code == 200
    assert answer.json()["subscriptionURL"] == "https://coffre.test/coffre/documents"
    bill, ticket = (item.record for item in home.drop_box(VAULT).opened())
    assert (bill.total, bill.payer, bill.holder) == (15040, "Samy NABLI", None)
    assert (ticket.product, ticket.invoice) == ("Forfait Navigo Mois (zones 1-5)", bill.id)
    assert send(maas, body).json() == answer.json(), "the same bytes, the same answer"
    assert len(home.drop_box(VAULT).opened()) == 2

    late = {**body, "incentiveId": "another aid"}
    assert send(maas, late).status_code == 200
    names = {item.record.id for item in home.drop_box(VAULT).opened()}
    assert names == {bill.id, ticket.id}, "the same invoice for another aid is the same record"

    foreign = send(token, body)
    assert (foreign.status_code, foreign.json()["code"]) == (403, "push-scope")
    wrong = {**body, "attachmentMetadata": {**mob(), "totalElements": 9}}
    refused = send(maas, wrong)
    assert (refused.status_code, refused.json()["code"]) == (422, "push-invalid")
    assert refused.json()["errors"][0]["pointer"] == "/attachmentMetadata/totalElements"
    sums = mob()
    sums["invoices"][0]["transaction"]["amountInclTaxes"] = 1
    refused = send(maas, {**body, "attachmentMetadata": sums})
    assert (refused.status_code, refused.json()["code"]) == (422, "invoice-sums")
    assert client.post("/v1/subscriptions/metadata", json=body).status_code == 401
    assert send(maas, []).status_code == 422
