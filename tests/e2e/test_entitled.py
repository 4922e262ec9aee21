"""« Ce que je peux obtenir »: one question at a time, kept in the vault, and nothing leaves it."""

import re
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from portal.app import create_home_app
from portal.browser import Answer, Browser
from portal.pages.deps import VAULT_COOKIE
from tests.e2e.network import Network

TOULOUSE = "31555"
INCOME = "revenu fiscal de référence par part . revenu de référence"
STATUS = "demandeur . statut"


def words(page: Answer) -> str:
    """What a person reads, on one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).replace("&#39;", "'").split())


def answer(browser: Browser, question: str, text: str, **more: str) -> Answer:
    values = {"question": question, "reponse": text, "acte": "repondre", "retour": "", **more}
    return browser.submit("/aides", "/aides/repondre", values)


@pytest.fixture
def citizen(federation: Network) -> Browser:
    browser = federation.new_citizen()
    browser.submit("/coffre/commune?q=31000", "/coffre/commune", {"code": TOULOUSE})
    return browser


def test_an_answer_is_kept_shown_changed_and_forgotten(citizen: Browser) -> None:
    answer(citizen, STATUS, "retraité")
    assert "retraité" in words(citizen.get("/aides/reponses"))
    answer(citizen, STATUS, "salarié")
    shown = words(citizen.get("/aides/reponses"))
    assert "salarié" in shown
    assert "retraité" not in shown
    citizen.submit("/aides/reponses", "/aides/repondre", {"question": STATUS, "acte": "oublier"})
    assert "Aucune réponse" in words(citizen.get("/aides/reponses"))


def test_an_answer_moves_an_aid_between_the_groups(citizen: Browser) -> None:
    before = words(citizen.get("/aides"))
    assert "Permis à un euro par jour" in before.split("Pas pour vous aujourd'hui")[0]
    answer(citizen, "demandeur . âge", "40")
    after = words(citizen.get("/aides"))
    refused = after.split("Pas pour vous aujourd'hui")[1]
    assert "Âge : 40 ans ; il faut au plus 25 ans." in refused


def test_a_question_that_was_passed_is_not_asked_again(citizen: Browser) -> None:
    asked = citizen.get("/aides").form("/aides/repondre")["question"]
    citizen.submit("/aides", "/aides/repondre", {"acte": "passer"})
    following = citizen.get("/aides").form("/aides/repondre")["question"]
    assert following != asked
    assert "Passée" in words(citizen.get("/aides/reponses"))


@pytest.mark.parametrize(
    ("question", "text"),
    [(STATUS, "roi"), ("demandeur . âge", "vieux"), ("demandeur . âge", "-3"), ("nobody", "1")],
)
def test_what_is_no_answer_is_not_kept(citizen: Browser, question: str, text: str) -> None:
    answer(citizen, question, text)
    assert "Aucune réponse" in words(citizen.get("/aides/reponses"))


def test_the_income_gate_of_an_aid_is_told_in_words(citizen: Browser) -> None:
    answer(citizen, INCOME, "98 765,50")
    answer(citizen, "revenu fiscal de référence par part . nombre de parts", "1")
    shown = words(citizen.get("/aides"))
    assert "98 765,50 € par an ; il faut au plus" in shown


def test_no_engine_words_reach_the_page(citizen: Browser) -> None:
    shown = words(citizen.get("/aides"))
    for word in ("non applicable", "la règle demande", "INSEE", "applicable si", "undefined"):
        assert word not in shown


def test_the_groups_of_communes_have_their_aids_too(citizen: Browser) -> None:
    assert "Toulouse Métropole" in words(citizen.get("/aides"))
    assert "Indiquez votre commune" not in words(citizen.get("/aides"))


def test_without_an_account_the_same_is_told_and_no_vault_is_made(federation: Network) -> None:
    browser = Browser(federation.home)
    found = browser.submit("/simuler", "/simuler", {"q": "31000"})
    assert "Toulouse" in found.text
    first = browser.submit("/simuler", "/simuler", {"q": "", "code": TOULOUSE})
    assert "Région Occitanie" in words(first)
    given = {"question": "demandeur . âge", "reponse": "40", "acte": "repondre"}
    page = browser.submit(first, "/simuler", given)
    assert "Âge : 40 ans ; il faut au plus 25 ans." in words(page)
    kept = page.form("/simuler")["reponses"]
    assert "40" in kept
    forget = {"question": "demandeur . âge", "acte": "oublier"}
    assert "Âge : 40 ans" not in words(browser.submit(page, "/simuler", forget))
    wrong = browser.submit(first, "/simuler", {**given, "reponse": "vieux"}, expect=422)
    assert "Écrivez un nombre" in words(wrong)
    assert VAULT_COOKIE not in browser.cookies


class Wire:
    """Every byte this process sends to another, by the socket's family."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self._lock = threading.Lock()

    def keep(self, family: int, data: Any) -> None:
        if family in (socket.AF_INET, socket.AF_INET6):
            with self._lock:
                self.sent.append(bytes(data))


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    found = Wire()
    for name in ("send", "sendall", "sendto"):
        real = getattr(socket.socket, name)

        def sending(
            self: socket.socket, data: Any, *more: Any, _real: Any = real, **kw: Any
        ) -> Any:
            found.keep(self.family, data)
            return _real(self, data, *more, **kw)

        monkeypatch.setattr(socket.socket, name, sending)
    yield found


def test_every_byte_that_leaves_the_home_is_free_of_answers(
    federation: Network, wire: Wire
) -> None:
    """The home runs here, over the same state; what it says to anybody goes through `wire`."""
    memory = federation.memory
    app = create_home_app(federation.settings)
    base = federation.home.replace("http://", "https://")
    with TestClient(app, base_url=base) as home:

        def token(path: str) -> str:
            found = re.search(r'name="jeton" value="([^"]+)"', home.get(path).text)
            assert found is not None, path
            return found[1]

        home.post(
            "/ouvrir",
            data={
                "jeton": token("/ouvrir"),
                "coffre": memory["vault"],
                "phrase": memory["passphrase"],
                "retour": "/",
            },
        )
        home.post("/coffre/commune", data={"jeton": token("/coffre/commune"), "code": TOULOUSE})
        for question, text in (
            (INCOME, "76543"),
            (STATUS, "demandeur d'emploi"),
            ("recherche d'emploi . distance", "4321"),
        ):
            home.post(
                "/aides/repondre",
                data={
                    "jeton": token("/aides"),
                    "question": question,
                    "reponse": text,
                    "acte": "repondre",
                },
            )
        shown = home.get("/aides/reponses").text
        assert "76\u202f543" in shown, "the answers are kept"
        assert "Toulouse" in home.get("/aides").text
        home.get("/")
    said = b"\n".join(wire.sent)
    assert b"GET /v1/catalogue" in said, "the home did ask the hub for its catalogue"
    lines = re.findall(rb"(?:GET|POST|PUT|DELETE|PATCH) (\S+) HTTP", said)
    assert {line.split(b"?")[0] for line in lines} <= {
        b"/v1/catalogue", b"/v1/trust", b"/v1/witness", b"/.well-known/did.json",
    } | {
        line for line in lines
        if line.startswith(b"/v1/witness")
        or re.fullmatch(rb"/v1/applications/urn:uuid:[0-9a-f-]+/status", line)  # what was asked for
    }  # fmt: skip
    for secret in ("76543", "4321", TOULOUSE, "demandeur", "revenu", "emploi", "Toulouse"):
        assert secret.encode() not in said, secret
    assert memory["vault"].encode() not in said
