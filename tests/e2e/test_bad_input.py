"""Bad input over HTTP and at the command line: a typed problem that names the place, never a crash, and what was good is kept."""

# ruff: noqa: E501 - the reason stands whole on one line

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest

from federation.wire.http import tls_context
from portal.authorisation import HOME, Door
from portal.browser import Browser
from portal.settings import Node
from tests.e2e.network import Network
from tests.e2e.servers import PASSPHRASE, mobility, plain_trip, session_headers
from tests.e2e.test_authorisation import NOWHERE, SAMPLES, leaves
from tests.e2e.test_demo_files import FILES, bring, trips_of

pytestmark = pytest.mark.slow

PROBLEM: Final = "application/problem+json"


def problem(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    """An RFC 9457 problem with a code, one of these statuses, and no trace of the machine."""
    assert answer.status_code in statuses, (answer.status_code, answer.text[:300])
    assert answer.headers["content-type"].startswith(PROBLEM), answer.headers["content-type"]
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    assert body["code"]
    assert body["type"]
    assert body["title"]
    assert "Traceback" not in answer.text
    return body


# --- push ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app(federation: Network) -> tuple[Browser, str]:
    """A citizen and the token of their paired app."""
    citizen = federation.new_citizen()
    page = citizen.submit("/sources", "/sources/appairer", {"nom": "une app"})
    asked = {"code": page.find(r'<p class="code">(.*?)</p>'), "app": "une app"}
    answer = httpx.post(f"{federation.home}/v1/pairings", json=asked, timeout=30)
    assert answer.status_code == 201, answer.text
    return citizen, answer.json()["token"]


def push(federation: Network, token: str, body: Any, **more: Any) -> httpx.Response:
    """`POST /v1/push`; a `str`, `bytes` or iterator goes as it is."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    headers |= more.pop("headers", {})
    content = (
        body if isinstance(body, str | bytes) or hasattr(body, "__next__") else json.dumps(body)
    )
    return httpx.post(
        f"{federation.home}/v1/push",
        content=content,
        headers=headers,
        timeout=60,
        verify=tls_context(),
        **more,
    )


def chunks(total: int) -> Iterator[bytes]:
    """A body without a Content-Length."""
    for _ in range(total // 65_536):
        yield b" " * 65_536


UNREADABLE: Final[dict[str, tuple[bytes, tuple[int, ...]]]] = {
    "truncated": (json.dumps({"trips": [plain_trip(1)]}).encode()[:-20], (400,)),
    "empty": (b"", (400,)),
    "HTML": (b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>", (400,)),
    "deep": (b'{"trips":' + b"[" * 5_000 + b"]" * 5_000 + b"}", (400,)),
    "NaN": (json.dumps({"trips": [plain_trip(1, distance=float("nan"))]}).encode(), (400, 422)),
    "Infinity": (
        json.dumps({"trips": [plain_trip(1, distance=float("inf"))]}).encode(),
        (400, 422),
    ),
    "twice the same key": (b'{"trips":[],"trips":[]}', (400, 422)),
    "not UTF-8": (b'{"trips":"\xff\xfe"}', (400,)),
    "a lone surrogate": (b'{"trips":[{"id":"\\ud800"}]}', (400, 422)),
    "a NUL": (b'{"trips":[{"id":"a\\u0000b"}]}', (400, 422)),
    "a list": (b"[]", (400, 422)),
    "a number": (b"7", (400, 422)),
    "null": (b"null", (400, 422)),
    "a number of 5 000 digits": (b'{"trips":' + b"9" * 5_000 + b"}", (400, 422)),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_body_that_cannot_be_read_is_a_problem(
    federation: Network, app: tuple[Browser, str], name: str
) -> None:
    body, statuses = UNREADABLE[name]
    problem(push(federation, app[1], body), *statuses)


WRONG: Final[dict[str, tuple[dict[str, Any], str, str]]] = {
    "a text for metres": ({"distance": "loin"}, "/trips/1/distance", "not-a-number"),
    "true for metres": ({"distance": True}, "/trips/1/distance", "not-a-number"),
    "negative metres": ({"distance": -5}, "/trips/1/distance", "distance-implausible"),
    "too fast": ({"distance": 9_000_000}, "/trips/1/distance", "speed-implausible"),
    "swapped": (
        {"origin": {"lat": 2.4420, "lon": 43.2109}},
        "/trips/1/origin",
        "coordinates-swapped",
    ),
    "out of range": (
        {"origin": {"lat": 243.2, "lon": 2.4}},
        "/trips/1/origin",
        "coordinates-out-of-range",
    ),
    "null island": (
        {"origin": {"lat": 0, "lon": 0}},
        "/trips/1/origin",
        "coordinates-null-island",
    ),
    "1970": ({"startedAt": "1970-01-01T00:00:00Z"}, "/trips/1/startedAt", "time-implausible"),
    "future": (
        {"startedAt": "2076-01-01T00:00:00Z", "endedAt": "2076-01-01T01:00:00Z"},
        "/trips/1/startedAt",
        "time-in-future",
    ),
    "no offset": (
        {"startedAt": "2026-03-02T10:00:00"},
        "/trips/1/startedAt",
        "time-without-offset",
    ),
    "back in time": (
        {"endedAt": "2026-03-01T00:00:00Z"},
        "/trips/1/endedAt",
        "ends-before-start",
    ),
    "no such zone": ({"timeZone": "Europe/Trèbes"}, "/trips/1/timeZone", "zone-unknown"),
    "a zone as a path": ({"timeZone": "../../etc/passwd"}, "/trips/1/timeZone", "zone-unknown"),
    "no such mode": ({"mode": "licorne"}, "/trips/1/mode", "mode-unknown"),
    "a mode as a list": ({"mode": ["bicycle"]}, "/trips/1/mode", "mode-unknown"),
    "a member nobody knows": ({"evidence": "registry"}, "/trips/1/evidence", "member-unknown"),
    "a place as a text": ({"origin": "ici"}, "/trips/1/origin", "not-an-object"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_trip_is_named_by_its_place_and_nothing_of_the_batch_is_kept(
    federation: Network, app: tuple[Browser, str], name: str
) -> None:
    changes, place, code = WRONG[name]
    citizen, token = app
    answer = push(federation, token, {"trips": [plain_trip(1), plain_trip(2, **changes)]})
    body = problem(answer, 422)
    assert body["code"] == "push-invalid"
    errors = {error["pointer"]: error["code"] for error in body["errors"]}
    assert any(pointer == place or pointer.startswith(place + "/") for pointer in errors), errors
    assert code in errors.values()
    assert len(errors) == 1
    for value in changes.values():
        if isinstance(value, str) and len(value) > 6 and "-" not in value:
            assert value not in answer.text, "what came is never echoed"
    drain = httpx.post(f"{federation.home}/v1/drain", headers=session_headers(citizen), timeout=60)
    assert drain.json()["deposits"] == 0


def test_every_wrong_place_of_a_batch_is_told_at_once(
    federation: Network, app: tuple[Browser, str]
) -> None:
    trips = [plain_trip(n, mode="licorne" if n % 2 else "walk", distance=500) for n in range(6)]
    body = problem(push(federation, app[1], {"trips": trips}), 422)
    assert [error["pointer"] for error in body["errors"]] == [f"/trips/{n}/mode" for n in (1, 3, 5)]


def test_what_is_too_large_is_refused_with_and_without_a_length(
    federation: Network, app: tuple[Browser, str]
) -> None:
    problem(push(federation, app[1], b" " * 6_000_000), 413)
    problem(push(federation, app[1], chunks(6_000_000)), 413)
    problem(push(federation, app[1], {"trips": [plain_trip(1)] * 501}), 422)
    problem(push(federation, app[1], {"trips": [plain_trip(1, id="x" * 5_000)]}), 422)
    problem(push(federation, app[1], {"trips": []}, headers={"content-type": "text/csv"}), 415)
    for path in ("/v1/session", "/v1/pairings"):
        answer = httpx.post(federation.home + path, content=chunks(2_000_000), timeout=60)
        problem(answer, 413)
    for path in ("/ouvrir", "/creer"):
        headers = {"accept": "text/html,*/*;q=0.8"}
        headers["content-type"] = "application/x-www-form-urlencoded"
        answer = httpx.post(
            federation.home + path, content=chunks(2_000_000), headers=headers, timeout=60
        )
        assert answer.status_code == 413
        a_page(answer, path)
    assert httpx.get(f"{federation.home}/healthz").status_code == 200


def test_a_good_batch_is_still_taken_after_all_this(
    federation: Network, app: tuple[Browser, str]
) -> None:
    citizen, token = app
    before = trips_of(citizen)
    taken = push(federation, token, {"trips": [plain_trip(9, day=40)]})
    assert taken.status_code == 202, taken.text
    httpx.post(f"{federation.home}/v1/drain", headers=session_headers(citizen), timeout=60)
    assert len(trips_of(citizen)) == len(before) + 1


# --- every form and address ------------------------------------------------------------------

HOSTILE: Final = (
    "",
    "é" * 5_000,
    "a\x00b",
    "../../etc/passwd",
    "-1",
    "NaN",
    "9" * 400,
    "1970-01-01",
    "9999-12-31",
    "0000-00-00",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "²",
    "urn:uuid:" + NOWHERE,
    "http://169.254.169.254/latest",
    "http://localhost:1/",
)
APART: Final = {
    "/coffre/cles/fermeture",
    "/verrouiller",
    "/creer",
    "/arriver",
    "/ouvrir",
    "/coffre/emporter",
    "/coffre/detruire",
}
"""They end the session, derive keys (slow on purpose) or slow this address down."""


def fields(route: Any) -> list[str]:
    """Names of a route's form fields."""

    def of(dependant: Any) -> list[str]:
        own = [field.alias for field in dependant.body_params]
        return own + [name for inner in dependant.dependencies for name in of(inner)]

    return of(route.dependant)


def a_page(answer: httpx.Response, where: object) -> None:
    """No crash; an error is a French page with a way back."""
    assert answer.status_code < 500 or answer.status_code in {502, 503}, (where, answer.status_code)
    assert "Traceback" not in answer.text, where
    if answer.status_code in {303, 308} or answer.status_code < 400:
        return
    assert answer.headers["content-type"].startswith("text/html"), (where, answer.headers)
    assert 'lang="fr"' in answer.text, where
    assert 'href="/"' in answer.text, where
    assert "unsafe" not in answer.headers["content-security-policy"], where


def test_no_form_of_the_home_breaks_on_hostile_values(federation: Network, tmp_path: Path) -> None:
    from portal.app import create_app
    from portal.settings import Settings

    citizen = federation.new_citizen()
    token = citizen.get("/coffre/lieux").form("/coffre/lieux")
    cookies = "; ".join(f"{k}={v}" for k, v in citizen.cookies.items())
    app = create_app(Node.HOME, Settings(state=tmp_path, sandbox=True))
    walked = 0
    with httpx.Client(base_url=federation.home, headers={"cookie": cookies}, timeout=60) as client:
        for route in leaves(app.routes):
            path = getattr(route, "path", "")
            if "POST" not in (getattr(route, "methods", None) or ()) or path.startswith("/v1/"):
                continue
            if path in APART:
                continue
            names = [name for name in fields(route) if name != "jeton"]
            target = path.replace("{uuid_text}", NOWHERE).replace("{slug}", SAMPLES["slug"])
            for value in HOSTILE:
                answer = client.post(
                    target,
                    data={**token, **dict.fromkeys(names, value)},
                    headers={"accept": "text/html"},  # as a browser does
                )
                a_page(answer, (target, value[:30]))
                walked += 1
    assert walked > 15 * len(HOSTILE)
    assert citizen.get("/coffre").status == 200, "the vault is still there, and open"


def test_no_address_of_the_home_breaks_on_hostile_values(federation: Network) -> None:
    citizen = federation.citizen()
    cookies = "; ".join(f"{k}={v}" for k, v in citizen.cookies.items())
    hostile = (
        "%00",
        "é" * 2_000,
        "..%2f..%2fetc",
        "-1",
        "%ff%fe",
        "9999-99-99",
        "0001-01-01",
        "9999-12",
        "²",
    )
    queries = (
        "cursor", "suite", "mois", "mode", "preuve", "annee", "q", "retour", "aide", "secours",
        "month", "limit", "kind", "since", "until", "credential_offer", "credential_offer_uri",
    )  # fmt: skip
    walked = 0
    with httpx.Client(base_url=federation.home, headers={"cookie": cookies}, timeout=60) as client:
        for (method, template), door in HOME.items():
            if method != "GET" or door not in {Door.CITIZEN, Door.PUBLIC}:
                continue
            for value in hostile:
                path = template
                for name in ("uuid_text", "day", "slug", "iri:path", "code", "name", "vault_id"):
                    path = path.replace("{" + name + "}", value)
                if path == template:
                    path += "?" + "&".join(f"{name}={value[:300]}" for name in queries)
                answer = client.get(path)
                walked += 1
                if template.startswith(("/v1/", "/.well-known/", "/connecteurs/")):
                    assert answer.status_code < 500, (template, value[:20], answer.status_code)
                    if answer.status_code >= 400:
                        problem(answer, answer.status_code)
                else:
                    a_page(answer, (template, value[:20]))
        for name in ("__Host-formulaire", "__Host-avis", "__Host-numero", "__Host-coffre"):
            for value in ("é", "%", "a" * 4_000, "7c" * 40, "ff"):
                bent = f"{name}={value}".encode()
                answer = httpx.get(f"{federation.home}/ouvrir", headers={b"cookie": bent})
                assert answer.status_code in {200, 303, 400, 431}, (
                    name,
                    value[:10],
                    answer.status_code,
                )
        for token in ("1.é", "².x", "x", "9" * 13 + ".x", "-1.a", ".", "é"):
            answer = client.post("/releve", data={"jeton": token})
            assert answer.status_code == 403, (token, answer.status_code)
            a_page(answer, token)
    assert walked > 200


def test_no_page_nor_form_of_the_desk_breaks_on_hostile_values(federation: Network) -> None:
    officer = federation.officer()
    token = officer.get("/guichet/entrer").form("/guichet/entrer")
    cookies = "; ".join(f"{k}={v}" for k, v in officer.cookies.items())
    with httpx.Client(base_url=federation.hub, headers={"cookie": cookies}, timeout=60) as client:
        for value in HOSTILE:
            for path in ("/", "/guichet"):
                params = dict.fromkeys(("q", "de", "etat", "suite"), value[:500])
                a_page(client.get(path, params=params), (path, value[:30]))
            for path in ("/aides/", "/guichet/demandes/", "/langue/"):
                a_page(client.get(path + quote(value, safe="")), (path, value[:30]))
            for path, names in (
                ("/guichet/decider", ("demande", "decision", "montant", "motif")),
                ("/verifier", ("texte",)),
            ):
                answer = client.post(path, data={**token, **dict.fromkeys(names, value)})
                a_page(answer, (path, value[:30]))
        for money in ("²", "1,²", "٣", "1e9", "0,001"):
            decided = {
                "demande": federation.memory["application"],
                "decision": "accept",
                "motif": "x",
            }
            answer = client.post("/guichet/decider", data={**token, **decided, "montant": money})
            assert answer.status_code in {200, 422}, money
            a_page(answer, money)


JSON_DOORS: Final = (
    "/v1/aids/fmd-agents-publics-agglo-cabardes/requests",
    f"/openid4vp/responses/{NOWHERE}",
    f"/v1/applications/urn:uuid:{NOWHERE}/status",
    "/v1/verify",
    "/v1/desk/session",
)


@pytest.mark.parametrize("path", JSON_DOORS)
def test_no_door_of_the_hub_breaks_on_hostile_json(federation: Network, path: str) -> None:
    bodies: tuple[bytes, ...] = (
        b"", b"{", b"[]", b"null", b"7", b'"x"', b"<html></html>", b"\xff\xfe", b'{"a":NaN}',
        b"[" * 5_000 + b"]" * 5_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        json.dumps({"vp_token": "x" * 5_000, "state": "\x00"}).encode(),
        json.dumps({k: {} for k in ("login", "password", "vp_token", "state", "application", "proof")}).encode(),
        json.dumps({"document": {"@context": ["https://www.w3.org/ns/credentials/v2"], "proof": []}}).encode(),
        json.dumps({"login": "a\x00b", "password": "é" * 400}).encode(),
    )  # fmt: skip
    for body in bodies:
        for media in ("application/json", "application/x-www-form-urlencoded"):
            answer = httpx.post(
                federation.hub + path,
                content=body,
                headers={"content-type": media},
                timeout=60,
                verify=tls_context(),
            )
            assert answer.status_code < 500 or answer.status_code == 503, (
                body[:40],
                answer.status_code,
            )
            if answer.status_code >= 400:
                problem(answer, answer.status_code)


# --- files -----------------------------------------------------------------------------------


def test_a_file_with_good_and_bad_entries_keeps_the_good_and_names_the_bad(
    federation: Network, shared: Path, tmp_path: Path
) -> None:
    entries = json.loads((shared / "data" / FILES[0]).read_text("utf-8"))
    good = len(entries)
    bad = [json.loads(json.dumps(entries[0])) for _ in range(6)]
    for number, entry in enumerate(bad):
        entry["_id"] = {"$oid": f"{number:024x}"}
    bad[0]["data"]["start_ts"] = 0
    bad[1]["data"]["end_ts"] = bad[1]["data"]["start_ts"] - 10
    bad[2]["data"]["start_loc"]["coordinates"].reverse()
    bad[3]["data"]["distance"] = "loin"
    bad[4]["data"]["start_ts"], bad[4]["data"]["end_ts"] = 4e9, 4e9 + 60
    bad[5]["data"] = []
    path = tmp_path / "mixed.json"
    path.write_text(json.dumps([*entries[:3], *bad, *entries[3:], "rien", 7, None]), "utf-8")
    citizen = federation.new_citizen()
    upload = {"fichier": (path.name, path.read_bytes())}
    preview = citizen.submit("/sources", "/sources/importer", files=upload)
    for index in range(3, 9):
        assert f"/{index}" in preview.text, "each place is named"
    citizen.submit(preview, "/sources/importer/confirmer")
    assert len(trips_of(citizen)) == good
    cut = tmp_path / "cut.json"
    cut.write_bytes(json.dumps(entries).encode()[:-40])
    bring_cut = citizen.submit(
        "/sources", "/sources/importer", files={"fichier": (cut.name, cut.read_bytes())}
    )
    assert bring_cut.status == 200
    assert len(trips_of(citizen)) == good
    bring(citizen, shared / "data" / FILES[0])
    assert len(trips_of(citizen)) == good


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00" * 100, b"<html><body>Connexion</body></html>", b"{", b"[" * 100_000, b"\xff\xfe\x00", b"%PDF-1.7\n"],
    ids=["empty", "zeros", "html", "cut", "deep", "bytes", "pdf"],
)  # fmt: skip
def test_a_file_that_is_no_export_is_refused_in_words(federation: Network, data: bytes) -> None:
    citizen = federation.citizen()
    before = len(trips_of(citizen))
    page = citizen.submit("/sources", "/sources/importer", files={"fichier": ("x.json", data)})
    assert page.status == 200
    assert "n'a pas pu être lu" in page.text.replace("&#39;", "'") or "0 trajet" in page.text
    assert len(trips_of(citizen)) == before


def test_a_source_that_redirects_or_answers_html_is_refused_by_name(federation: Network) -> None:
    citizen = federation.new_citizen()
    for address in (
        f"{federation.sandbox}/_loop",
        f"{federation.hub}/membres",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "http://localhost:1",
        "pas une adresse",
        "http://[::1",
    ):
        values = {"adresse": address, "jeton_source": "x"}
        page = citizen.submit("/sources", "/sources/tracemob", values)
        assert page.status == 200, address
        assert "n'a pas pu être ajoutée" in page.text.replace("&#39;", "'"), address
        assert 'action="/sources/interroger"' not in page.text, "nothing was kept"


# --- the command line ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one vault."""
    made = tmp_path_factory.mktemp("cli") / "state"
    ran = mobility(
        "vault", "init", "--json", "--state", made, env={"MOBILITY_PASSPHRASE": PASSPHRASE}
    )
    assert ran.code == 0, ran.err
    return made


COMMANDS: Final[dict[str, tuple[list[str], int]]] = {
    "html for an export": (["vault", "import", "HTML"], 1),
    "a folder for an export": (["vault", "import", "."], 2),
    "no such file": (["vault", "import", "nulle-part.json"], 2),
    "an identifier that is none": (["vault", "show", "bonjour"], 1),
    "an identifier of nothing": (["vault", "show", f"urn:uuid:{NOWHERE}"], 1),
    "a query that is none": (["vault", "query", "DROP TABLE"], 1),
    "garbage to verify": (["verify", "HTML"], 1),
    "a demo of no file": (["demo", "--headless", "--json", "--from", "nulle-part.json"], 2),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_with_bad_input_says_why_and_ends_with_its_code(
    folder: Path, tmp_path: Path, name: str
) -> None:
    arguments, code = COMMANDS[name]
    page = tmp_path / "page.html"
    page.write_text("<html><body>502</body></html>", "utf-8")
    given = [str(page) if word == "HTML" else word for word in arguments]
    ran = mobility(*given, "--state", folder, env={"MOBILITY_PASSPHRASE": PASSPHRASE})
    assert ran.code == code, (ran.code, ran.out, ran.err)
    assert "Traceback" not in ran.err
    assert ran.err.strip() or ran.out.strip(), "it says why"
    assert "internal" not in ran.err


def test_a_wrong_passphrase_at_the_command_line_is_refused(folder: Path) -> None:
    ran = mobility("vault", "list", "--state", folder, env={"MOBILITY_PASSPHRASE": "faux"})
    assert ran.code == 1
    assert "Traceback" not in ran.err
