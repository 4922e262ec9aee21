"""Records over HTTP: conditions, idempotency keys, formats, documents, who may write."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given, settings

from federation.wire import problems
from federation.wire.limits import BodyLimit
from schemas.jsonld import to_jsonld
from schemas.quads import quads
from schemas.records import Kind, PlaceRole, Record, kind_of
from tests.property.builders import records as any_record
from tests.unit.vault.builders import CARCASSONNE, PASSPHRASE, Citizen, Clock, invoice, place
from tests.unit.vault.builders import trip as a_trip
from vault.app import BODY_LIMITS, STATUS, create_home_api
from vault.documents import MAX_DOCUMENT
from vault.formats import csv_of, offered, read_turtle, turtle_of
from vault.home import Home

ORIGIN = "http://localhost:8400"
LD = {"Content-Type": "application/ld+json"}
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 600


@pytest.fixture
def client(home: Home, citizen: Citizen) -> Iterator[TestClient]:
    """A program with a session bearer."""
    app = FastAPI()
    problems.install(app, STATUS)
    app.include_router(create_home_api(home))
    app.add_middleware(BodyLimit, paths=BODY_LIMITS)
    with TestClient(app, base_url=ORIGIN, raise_server_exceptions=False) as found:
        asked = {"vault": citizen.vault_id, "passphrase": PASSPHRASE, "bearer": True}
        token = found.post("/v1/session", json=asked).json()["token"]
        found.headers["Authorization"] = f"Bearer {token}"
        yield found


def put(client: TestClient, body: dict[str, Any], **headers: str) -> Any:
    return client.put(
        f"/v1/records/{body['id']}", content=json.dumps(body), headers={**LD, **headers}
    )


def home_place() -> dict[str, Any]:
    return to_jsonld(place(PlaceRole.HOME, CARCASSONNE))


def code(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_a_write_says_what_it_read_or_is_refused(client: TestClient) -> None:
    body = home_place()
    assert code(put(client, body)) == (428, "precondition-missing")
    made = put(client, body, **{"If-None-Match": "*"})
    assert made.status_code == 201
    assert code(put(client, body, **{"If-None-Match": "*"})) == (412, "precondition-failed")
    read = client.get(f"/v1/records/{body['id']}")
    assert read.headers["etag"] == made.headers["etag"]
    changed = put(client, {**body, "label": "Maison"}, **{"If-Match": read.headers["etag"]})
    assert (changed.status_code, changed.json()["revision"]) == (200, 2)
    late = put(client, {**body, "label": "Autre"}, **{"If-Match": read.headers["etag"]})
    assert code(late) == (412, "precondition-failed")
    weak = put(client, body, **{"If-Match": "W/" + changed.headers["etag"]})
    assert code(weak) == (412, "precondition-failed")
    for header in ('"a', "a,b", '"a" "b"'):
        assert code(put(client, body, **{"If-Match": header}))[0] == 400
    both = put(client, body, **{"If-Match": "*", "If-None-Match": "*"})
    assert code(both) == (400, "request-refused")


def test_a_tag_never_comes_back_even_with_the_same_contents(client: TestClient) -> None:
    body = home_place()
    first = put(client, body, **{"If-None-Match": "*"}).headers["etag"]
    gone = client.delete(f"/v1/records/{body['id']}", headers={"If-Match": first})
    assert gone.status_code == 200
    assert client.get(f"/v1/records/{body['id']}").status_code == 404
    again = put(client, body, **{"If-None-Match": "*"}).headers["etag"]
    assert again != first
    assert code(put(client, body, **{"If-Match": first})) == (412, "precondition-failed")
    assert code(client.delete(f"/v1/records/{body['id']}"))[0] == 428


def test_each_representation_has_a_tag_of_its_own_and_any_of_them_may_write(
    client: TestClient,
) -> None:
    body = home_place()
    put(client, body, **{"If-None-Match": "*"})
    path, tags = f"/v1/records/{body['id']}", {}
    for accept in ("application/ld+json", "text/turtle", "application/geo+json", "text/csv"):
        answer = client.get(path, headers={"Accept": accept})
        assert answer.headers["content-type"].startswith(accept)
        assert answer.headers["vary"] == "Accept"
        tags[accept] = answer.headers["etag"]
        same = client.get(path, headers={"Accept": accept, "If-None-Match": tags[accept]})
        assert (same.status_code, same.content) == (304, b"")
    assert len(set(tags.values())) == 4
    cross = client.get(path, headers={"If-None-Match": tags["text/turtle"]})
    assert cross.status_code == 200
    written = put(client, {**body, "label": "Chez moi"}, **{"If-Match": tags["text/csv"]})
    assert written.status_code == 200
    assert code(client.get(path, headers={"Accept": "application/xml"})) == (406, "not-acceptable")
    ranked = client.get(path, headers={"Accept": "text/*;q=0.3, text/turtle;q=0.9, */*;q=0.1"})
    assert ranked.headers["content-type"].startswith("text/turtle")


def test_turtle_is_written_too_and_only_what_states_one_record(client: TestClient) -> None:
    body = home_place()
    put(client, body, **{"If-None-Match": "*"})
    path = f"/v1/records/{body['id']}"
    read = client.get(path, headers={"Accept": "text/turtle"})
    turtle = {"Content-Type": "text/turtle", "If-Match": read.headers["etag"]}
    assert client.put(path, content=read.content, headers=turtle).status_code == 200
    tag = client.get(path).headers["etag"]
    broken = client.put(path, content=b"<a> <b", headers={**turtle, "If-Match": tag})
    assert code(broken) == (400, "request-refused")
    more = read.content + b'\n<urn:x> <urn:y> "z" .\n'
    assert code(client.put(path, content=more, headers={**turtle, "If-Match": tag}))[0] == 422


@settings(max_examples=60, deadline=None)
@given(any_record)
def test_turtle_of_any_record_reads_as_what_it_states(record: Record) -> None:
    assert quads(read_turtle(turtle_of([record]), record.id)) == quads(record)


def test_patches_of_several_writers_all_take_effect(client: TestClient) -> None:
    body = home_place()
    put(client, body, **{"If-None-Match": "*"})
    path = f"/v1/records/{body['id']}"
    merge = {"Content-Type": "application/merge-patch+json", "If-Match": "*"}
    for name in ("a", "b"):
        answer = client.patch(path, content=json.dumps({name: 1}), headers=merge)
        assert answer.status_code == 200
    found = client.get(path).json()
    assert (found["a"], found["b"]) == (1, 1)
    assert client.patch(path, content=b'{"a": null}', headers=merge).status_code == 200
    assert "a" not in client.get(path).json()
    assert code(client.patch(path, content=b'{"id": "urn:x:y"}', headers=merge))[0] == 422
    assert code(client.patch(path, content=b"[]", headers=merge)) == (400, "request-refused")
    assert client.patch(path, content=b"{}", headers={**merge, **LD}).status_code == 415
    other = client.patch("/v1/records/urn:uuid:none", content=b"{}", headers=merge)
    assert code(other) == (404, "record-unknown")


def test_a_key_makes_a_thing_once(client: TestClient, clock: Clock) -> None:
    body = home_place()
    del body["id"]
    once = {"Idempotency-Key": "0f3c1d2e", **LD}
    assert code(client.post("/v1/records", content=json.dumps(body), headers=LD))[0] == 400
    first = client.post("/v1/records", content=json.dumps(body), headers=once)
    clock.forward(minutes=5)
    again = client.post("/v1/records", content=json.dumps(body), headers=once)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    other = client.post("/v1/records", content=json.dumps({**body, "label": "x"}), headers=once)
    assert code(other) == (422, "idempotency-key-reused")
    assert client.get("/v1/records?kind=NamedPlace&count=true").json()["total"] == 1


def test_a_citizen_cannot_give_their_own_words_a_class(
    client: TestClient, citizen: Citizen
) -> None:
    said = to_jsonld(replace(invoice().record))
    assert code(put(client, said, **{"If-None-Match": "*"})) == (422, "record-refused")
    own = put(client, {**said, "evidence": "declared"}, **{"If-None-Match": "*"})
    assert own.status_code == 201
    merge = {"Content-Type": "application/merge-patch+json", "If-Match": "*"}
    raised = client.patch(
        f"/v1/records/{said['id']}", content=b'{"evidence": "registry"}', headers=merge
    )
    assert code(raised) == (422, "record-refused")
    citizen.with_trips(1)
    (found,) = client.get("/v1/records?kind=Trip").json()["records"]
    assert code(put(client, found, **{"If-Match": "*"}))[0] in {403, 422}


def test_a_trip_is_added_corrected_deleted_and_the_deletion_undone(
    client: TestClient, citizen: Citizen, clock: Clock
) -> None:
    said = {
        "startedAt": "2026-11-02T07:30:00Z",
        "endedAt": "2026-11-02T08:00:00Z",
        "mode": "bicycle",
        "distance": 7_900,
        "origin": {"lat": 43.213, "lon": 2.3491},
        "destination": {"lat": 43.2106, "lon": 2.4417},
    }
    once = {"Idempotency-Key": "trip-of-monday"}
    made = client.post("/v1/trips", json=said, headers=once)
    assert (made.status_code, made.json()["evidence"]) == (201, "declared")
    assert client.post("/v1/trips", json=said, headers=once).status_code == 200
    iri, tag = made.json()["id"], made.headers["etag"]
    line = client.get(f"/v1/records/{iri}", headers={"Accept": "application/geo+json"}).json()
    assert line["geometry"]["type"] == "LineString"
    clock.forward(minutes=1)
    wrong = {"act": "mode", "trip": iri, "mode": "bus"}
    assert code(client.post("/v1/corrections", json=wrong)) == (428, "precondition-missing")
    right = client.post("/v1/corrections", json=wrong, headers={"If-Match": tag})
    assert (right.status_code, right.json()["mode"]) == (200, "bus")
    stale = client.post("/v1/corrections", json=wrong, headers={"If-Match": tag})
    assert code(stale) == (412, "precondition-failed")
    assert client.get("/v1/trips?since=2026-11-02&until=2026-11-02").json()["records"]
    assert code(client.get("/v1/trips?since=2020-11-02&until=2026-11-02"))[0] == 400
    gone = client.delete(f"/v1/records/{iri}", headers={"If-Match": right.headers["etag"]}).json()
    assert gone["trips"] == 1
    assert client.get(f"/v1/records/{iri}").status_code == 404
    citizen.with_trips(1)
    assert citizen.vault.trips(*(d for d in (_day(2), _day(2)))) == []
    assert client.delete(f"/v1/decisions/{gone['suppression']}").status_code == 204
    assert client.get("/v1/decisions").json()["decisions"]
    day = client.post("/v1/deletions", json={"since": "2026-11-02"})
    assert day.status_code == 200
    assert code(client.post("/v1/deletions", json={}))[0] == 403


def _day(number: int) -> Any:
    from datetime import date

    return date(2026, 11, number)


def test_a_cookie_writes_with_its_token_only_and_a_bearer_without(
    client: TestClient, citizen: Citizen
) -> None:
    body = home_place()
    del client.headers["Authorization"]
    assert code(put(client, body, **{"If-None-Match": "*"})) == (401, "session-ended")
    cookie = {"Cookie": f"__Host-coffre={citizen.cookie}"}
    bare = put(client, body, **{"If-None-Match": "*", **cookie})
    assert code(bare) == (403, "cross-site")
    token = client.get("/v1/session", headers=cookie).json()["csrf"]
    shown = {"If-None-Match": "*", "X-CSRF-Token": token, **cookie}
    assert code(put(client, body, **{**shown, "X-CSRF-Token": "0" * 32}))[0] == 403
    assert code(put(client, body, **{**shown, "Sec-Fetch-Site": "cross-site"}))[0] == 403
    other = citizen.unlock()
    stolen = {**shown, "Cookie": f"__Host-coffre={other}"}
    assert code(put(client, body, **stolen)) == (403, "cross-site")
    assert put(client, body, **shown).status_code == 201


def test_pages_lead_to_every_record_once_in_every_format(
    client: TestClient, citizen: Citizen
) -> None:
    citizen.with_trips(25)
    seen: list[str] = []
    path = "/v1/records?kind=Trip&limit=7"
    while path:
        answer = client.get(path)
        seen += [r["id"] for r in answer.json()["records"]]
        link = answer.headers.get("link", "")
        path = link[1 : link.index(">")] if link else ""
    starts = [client.get(f"/v1/records/{iri}").json()["startedAt"] for iri in seen]
    assert len(set(seen)) == 25
    assert starts == sorted(starts, reverse=True)
    page = client.get("/v1/records?kind=Trip&limit=7", headers={"Accept": "text/csv"})
    assert page.text.count("\r\n") == 8
    assert "rel=" in page.headers["link"]
    lines = client.get("/v1/records?kind=Trip", headers={"Accept": "application/geo+json"})
    assert len(lines.json()["features"]) == 25


@settings(max_examples=60, deadline=None)
@given(any_record)
def test_every_kind_has_a_table_no_spreadsheet_runs(record: Record) -> None:
    import csv

    kind = kind_of(record)
    if kind is Kind.OBSERVATION:
        return
    rows = list(csv.reader(io.StringIO(csv_of(kind, [record]).decode(), newline="")))
    assert len(rows) == 2
    assert len(rows[0]) == len(rows[1])
    assert not any(c[:1] in {"=", "@", "\t", "\r"} for c in rows[1])
    assert len(offered(kind)) >= 4


# --- documents ---------------------------------------------------------------------------------


def keep(client: TestClient, data: bytes, key: str = "document-1", **query: str) -> Any:
    return client.post(
        "/v1/documents",
        params={"title": "Contrat de travail", **query},
        content=data,
        headers={"Idempotency-Key": key, "Content-Type": "text/html"},
    )


def test_a_document_is_kept_sealed_read_and_destroyed(
    client: TestClient, home: Home, citizen: Citizen
) -> None:
    kept = keep(client, PDF)
    assert (kept.status_code, kept.json()["fileType"]) == (201, "application/pdf")
    assert keep(client, PDF).status_code == 201  # the same document again
    assert client.get("/v1/records?kind=Document&count=true").json()["total"] == 1
    iri = kept.json()["id"]
    read = client.get(f"/v1/documents/{iri}/content")
    assert read.content == PDF
    assert read.headers["content-disposition"].startswith("attachment")
    assert read.headers["x-content-type-options"] == "nosniff"
    files = [p for p in (home.settings.blobs / citizen.vault_id).rglob("*") if p.is_file()]
    assert len(files) == 1
    assert PDF[:40] not in files[0].read_bytes()
    assert home.fsck(citizen.vault_id, citizen.vault).clean
    assert code(keep(client, PDF + b"x")) == (422, "idempotency-key-reused")
    gone = client.delete(f"/v1/records/{iri}", headers={"If-Match": "*"})
    assert gone.status_code == 200
    assert not files[0].exists()
    assert client.get(f"/v1/documents/{iri}/content").status_code == 404
    assert home.fsck(citizen.vault_id, citizen.vault).clean


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html><script>",
        b'\xef\xbb\xbf <svg xmlns="http://www.w3.org/2000/svg"/>',
        b"MZ\x90\x00",
        b"#!\x00",
        b"PK\x03\x04broken",
    ],
)
def test_what_a_browser_or_a_shell_would_run_is_not_kept(client: TestClient, data: bytes) -> None:
    assert code(keep(client, data)) == (415, "document-refused")


def test_an_archive_is_refused_an_office_document_kept_and_a_large_file_refused(
    client: TestClient,
) -> None:
    for name, status in (("a.txt", 415), ("xl/workbook.xml", 201)):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as made:
            made.writestr(name, "x")
        assert keep(client, out.getvalue()).status_code == status
    assert keep(client, b"%PDF-" + bytes(MAX_DOCUMENT), key="too-large").status_code == 413


# --- the interface itself ----------------------------------------------------------------------


def test_addresses_that_are_none_are_refused(client: TestClient) -> None:
    assert code(client.get("/v1/records/%00")) == (400, "request-refused")
    assert code(client.get("/v1/records/" + "x" * 5_000)) == (414, "address-too-long")
    deep = b"[" * 20_000 + b"]" * 20_000
    body = home_place()
    answer = client.put(
        f"/v1/records/{body['id']}", content=deep, headers={**LD, "If-None-Match": "*"}
    )
    assert code(answer)[0] == 400
    asked = client.post(
        "/v1/query",
        content=b'{"query":' + deep + b"}",
        headers={"Content-Type": "application/json"},
    )
    assert asked.status_code in {400, 422}


def test_the_interface_describes_itself(client: TestClient) -> None:
    found = client.get("/v1/openapi.json").json()
    assert found["info"]["version"] == "1"
    for path, methods in found["paths"].items():
        assert path.startswith(("/v1/", "/.well-known/", "/connecteurs/")), path
        for method, operation in methods.items():
            if method in {"put", "patch", "delete"} and "records" in path:
                assert {"412", "428"} <= operation["responses"].keys(), path
    assert {"session", "bearer"} <= found["components"]["securitySchemes"].keys()


def test_the_journal_and_a_trip_nobody_left(client: TestClient, citizen: Citizen) -> None:
    citizen.depositor().leave(a_trip(0))
    assert client.post("/v1/drain").json()["tripsNew"] == 1
    assert client.get("/v1/journal?limit=1").json()["events"][0]["event"] == "drained"
    assert code(client.get("/v1/consents/urn:uuid:none/receipt")) == (404, "record-unknown")
