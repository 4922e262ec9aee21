"""A person leaves one vault with an archive and arrives with it at a home, by pages alone."""

import json
import re
import socket
import time
from collections import Counter
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx

from portal.browser import Answer, Browser
from portal.pages.arriving import COOKIE, UPLOADS
from portal.pages.deps import VAULT_COOKIE
from schemas.records import Kind
from tests.e2e.network import Network

ARCHIVE = "une phrase pour l'archive"
FRESH = "une autre phrase, pour ici"


def taken(citizen: Browser) -> bytes:
    """The archive that « Tout emporter » gives."""
    citizen.submit("/coffre/emporter", "/coffre/emporter", {"phrase": ARCHIVE})
    until = time.monotonic() + 120
    while "Votre archive est prête" not in citizen.get("/coffre/emporter").text:
        assert time.monotonic() < until
        time.sleep(0.1)
    return citizen.get("/coffre/emporter/archive").content


def brought(browser: Browser, archive: bytes, *, expect: int = 200, **values: str) -> Answer:
    """The page that follows when somebody gives an archive."""
    given = {"phrase": ARCHIVE, "nouvelle": FRESH, "encore": FRESH, "compris": "1", **values}
    until = time.monotonic() + 120
    while True:
        shown = browser.get("/arriver")
        files = {"archive": ("coffre.tar.age", archive)}
        page = browser.submit(shown, "/arriver", given, files=files, expect=expect)
        while "en cours de reprise</h1>" in page.text:
            assert time.monotonic() < until
            time.sleep(0.1)
            page = browser.get("/arriver/suite")
        return page


def records(browser: Browser) -> Counter[str]:
    """Each record the vault gives, as it says itself; a consent's own page says who holds it."""
    found = Counter[str]()
    cookie = {"cookie": f"{VAULT_COOKIE}={browser.cookies[VAULT_COOKIE]}"}
    with httpx.Client(base_url=browser.base, headers=cookie, timeout=60) as client:
        for kind in (
            Kind.TRIP,
            Kind.INVOICE,
            Kind.SUBSCRIPTION,
            Kind.PLACE,
            Kind.DOCUMENT,
            Kind.CONSENT,
        ):
            after = ""
            while True:
                answer = client.get(
                    "/v1/records", params={"kind": kind, **({"cursor": after} if after else {})}
                )
                answer.raise_for_status()
                page = answer.json()
                for record in page["records"]:
                    found[json.dumps([kind, record], sort_keys=True)] += 1
                after = page.get("next") or ""
                if not after:
                    break
    return found


def test_an_archive_becomes_a_vault_with_the_same_records(federation: Network) -> None:
    citizen = federation.citizen()
    archive = taken(citizen)
    before = records(citizen)
    browser = Browser(federation.home)
    ready = brought(browser, archive)
    assert "Votre coffre est prêt" in ready.text
    trips = sum(count for text, count in before.items() if text.startswith('["Trip"'))
    assert trips > 0
    assert f"Trajets : {trips}." in re.sub(r"[\u202f\xa0]", "", ready.text)
    stranger = Browser(federation.home)
    assert stranger.get("/arriver/suite").address.endswith("/arriver")
    stranger.cookies[COOKIE] = "A" * 43
    assert stranger.get("/arriver/suite").address.endswith("/arriver")
    shown = browser.submit(ready, "/arriver/fin")
    code, vault = re.findall(r'class="code">([^<]+)<', shown.text)
    assert vault != federation.memory["vault"]
    assert records(browser) == before
    assert code not in browser.get("/arriver/suite").text, "shown once"
    browser.submit(shown, "/commencer", {"note": "1"})
    for way in ({"phrase": FRESH}, {"code": code}):
        other = Browser(federation.home)
        page = "/ouvrir?secours=1" if "code" in way else "/ouvrir"
        other.submit(page, "/ouvrir", {"coffre": vault, "retour": "/", **way})
        assert VAULT_COOKIE in other.cookies
    browser.submit("/coffre/detruire", "/coffre/detruire", {"confirme": vault})


def test_what_is_no_whole_archive_of_ours_is_refused_with_words(federation: Network) -> None:
    archive = taken(federation.citizen())
    changed = bytearray(archive)
    changed[-100] ^= 1
    browser = Browser(federation.home)
    for given, values, words in (
        (archive, {"phrase": "une tout autre phrase"}, "Cette phrase n'ouvre pas cette archive"),
        (archive[:-1000], {}, "incomplète ou a été modifiée"),
        (bytes(changed), {}, "incomplète ou a été modifiée"),
        (b"PK\x03\x04" + bytes(5000), {}, "n'est pas l'archive d'un coffre"),
    ):
        page = brought(browser, given, **values)
        assert words in page.text.replace("&#39;", "'")
        assert "Rien n'a été gardé" in page.text.replace("&#39;", "'")
        assert "/arriver/fin" not in page.text
    page = brought(browser, b"", expect=422)
    assert "Choisissez le fichier" in page.text
    page = brought(browser, archive, expect=422, nouvelle="court", encore="court", compris="")
    assert page.text.count('aria-invalid="true"') >= 1
    assert "au moins 12 caractères" in page.text
    assert not list((federation.settings.state / "arriving").glob("*.new"))


def test_a_form_of_another_site_brings_nothing(federation: Network) -> None:
    files = {"archive": ("x.age", b"age-encryption.org/v1")}
    answer = httpx.post(
        f"{federation.home}/arriver",
        data={"jeton": "1.x"},
        files=files,
        headers={"accept": "text/html"},
        timeout=30,
    )
    assert answer.status_code == 403
    host = urlsplit(federation.home)
    head = f"POST /arriver HTTP/1.1\r\nHost: {host.netloc}\r\nContent-Length: {10**12}\r\n\r\n"
    with socket.create_connection((host.hostname, host.port), timeout=30) as wire:
        wire.sendall(head.encode())
        assert wire.recv(100).startswith(b"HTTP/1.1 413"), "before a byte of it is read"


def test_uploads_that_never_end_take_no_more_than_their_places(federation: Network) -> None:
    host = urlsplit(federation.home)
    head = (
        f"POST /arriver HTTP/1.1\r\nHost: {host.netloc}\r\nContent-Length: 100000\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    )
    files = {"archive": ("x.age", b"x")}

    def given() -> httpx.Response:
        return httpx.post(federation.home + "/arriver", files=files, timeout=60)

    until = time.monotonic() + 60
    with ExitStack() as open_wires:
        for _ in range(UPLOADS):
            wire = socket.create_connection((host.hostname, host.port), timeout=30)
            open_wires.enter_context(wire).sendall(head.encode())
        while (answer := given()).status_code != 503:  # until the server has read every head
            assert time.monotonic() < until
        assert "Une autre archive est en cours" in answer.text
        assert answer.headers["retry-after"] == "60"
    while (answer := given()).status_code == 503:  # their ends are seen, and the places free again
        assert time.monotonic() < until
        time.sleep(0.05)
    assert answer.status_code == 403
