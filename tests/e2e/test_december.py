"""December: 200 agents, one officer: 180 complete, 15 to complete, 5 refused by a person, one file
for payroll. Everything over HTTP, on the hub's own application; nobody reaches into the server.
"""

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from federation.hub.affiliations import CODES_HEADS
from federation.hub.context import HubContext
from federation.hub.csv_files import PAYROLL_HEADS, read_csv, read_payroll
from federation.hub.payments import LIQUIDATION_HEADS
from federation.keys import Ed25519Key
from federation.ports import RequestPointer, ResponseReceipt
from federation.trust import PinnedKey, Role, TrustEntry
from portal.app import create_hub_app
from portal.settings import Settings
from schemas.ids import Did, Iri, mint_iri
from tests.hub_world import HOME, PERIOD, Citizen, Lists, Wallet, World

pytestmark = pytest.mark.slow

SIRET = "73282932000074"
PASSWORD = "quatre mots sans lien entre eux"
LETTERS = ("Œ", "É", "=", "+", "-", "@", "'")
"""How some employee numbers begin: letters, and what a spreadsheet would run."""


class Browser:
    """An officer's browser on the application: cookies, forms and their tokens."""

    def __init__(self, client: TestClient) -> None:
        self.client, self.cookies = client, dict[str, str]()

    def _send(self, method: str, path: str, **more: Any) -> Any:
        self.client.cookies.clear()
        head = {"cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        answer = self.client.request(method, path, headers=head, follow_redirects=False, **more)
        for line in answer.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return answer

    def get(self, path: str, expect: int = 200) -> Any:
        answer = self._send("GET", path)
        assert answer.status_code == expect, (path, answer.status_code, answer.text[:500])
        return answer

    def post(self, page: str, path: str, data: Mapping[str, Any], expect: int = 303) -> Any:
        token = re.search(r'name="jeton" value="([^"]+)"', self.get(page).text)
        assert token is not None, page
        answer = self._send("POST", path, data={"jeton": token[1], **data})
        assert answer.status_code == expect, (path, answer.status_code, answer.text[:2000])
        return answer


class OverHttp:
    """What a citizen's home sends to the hub."""

    def __init__(self, client: TestClient, slug: str) -> None:
        self.client, self.slug = client, slug

    def request(self, _aid: Iri, application: Iri, *, period: tuple[date, date]) -> RequestPointer:
        body = {
            "application": application,
            "period_from": period[0].isoformat(),
            "period_until": period[1].isoformat(),
        }
        answer = self.client.post(f"/v1/aids/{self.slug}/requests", json=body)
        assert answer.status_code == 201, answer.text
        found = answer.json()
        return RequestPointer(
            found["client_id"],
            found["request_uri"],
            datetime.now(UTC),
        )

    def request_object(self, uri: str, *, wallet_nonce: str | None = None) -> str:
        path = "/openid4vp/requests/" + uri.rsplit("/", 1)[-1]
        if wallet_nonce is None:
            return str(self.client.get(path).text)
        return str(self.client.post(path, data={"wallet_nonce": wallet_nonce}).text)

    def respond(self, response_uri: str, form: Mapping[str, str]) -> ResponseReceipt:
        path = "/openid4vp/responses/" + response_uri.rsplit("/", 1)[-1]
        found = self.client.post(path, data=dict(form))
        assert found.status_code == 200, found.text
        body = found.json()
        return ResponseReceipt(
            body["redirect_uri"], body["response_code"], Iri(body["application"]), body["state"]
        )


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    app = create_hub_app(Settings(state=tmp_path_factory.mktemp("december"), sandbox=True))
    yield TestClient(app, base_url="http://localhost:8401")
    app.state.hub.close()


def trusting(hub: HubContext) -> World:
    """Whom the hub trusts: a home. Affiliations come from the employer's own list."""
    home, employer = Ed25519Key.generate(), Ed25519Key.generate()
    since = datetime.now(UTC) - timedelta(days=1)

    def entry(key: Ed25519Key, did: Did, role: Role, types: set[str]) -> Any:
        method = f"{did}#cle-1"
        pinned = PinnedKey(key.signer(method).public_multikey(), method, since)
        return TrustEntry(
            did=did,
            name=role.value,
            roles=frozenset((role,)),
            keys=(pinned,),
            credential_types=frozenset(types),
            since=since,
        )

    hub.registry.accredit(entry(home, HOME, Role.HOME, {"UsageProof"}))
    now: Any = lambda: datetime.now(UTC)  # noqa: E731
    return World(hub, now, Lists(), home, employer, Iri(""), Iri(""))


@pytest.fixture(scope="module")
def world(client: TestClient) -> World:
    return trusting(client.app.state.hub)  # type: ignore[attr-defined]


@dataclass
class December:
    """A desk of this morning and what its two hundred agents sent."""

    officer: Browser
    hub: Any
    agents: list[Citizen]
    affiliated: dict[str, Any]
    sent: dict[Iri, Citizen]

    def complete(self, name: str) -> None:
        """An agent answers with a complete proof: the rule accepts."""
        application = Iri(f"urn:uuid:{name}")
        agent = self.sent[application]
        _, receipt = agent.apply(
            self.hub, agent.usage(days=100), self.affiliated[agent.number], application=application
        )
        assert receipt.state == "accepted"


def two_hundred(client: TestClient, world: World) -> December:
    """A desk from nothing, 200 agents with a code each: 180 complete, 20 with too few days."""
    officer = Browser(client)
    # Organisation, agreement, password, aid.
    digest = re.search(r'name="convention" value="(sha256:[0-9a-f]{64})"',
                       officer.get("/guichet/ouvrir").text)  # fmt: skip
    assert digest is not None
    officer.post(
        "/guichet/ouvrir",
        "/guichet/ouvrir",
        {
            "organisme": "Mairie de Trèbes",
            "siret": SIRET,
            "niveau": "employer",
            "service": "Ressources humaines",
            "contact": "rh@trebes.example",
            "nom": "Camille Roux",
            "courriel": "camille@trebes.example",
            "convention": digest[1],
        },
    )
    officer.post(
        "/guichet/acces",
        "/guichet/acces/mot-de-passe",
        {"mot_de_passe": PASSWORD, "encore": PASSWORD},
    )
    officer.post(
        "/guichet/aides/nouvelle?modele=fmd-public",
        "/guichet/aides/nouvelle",
        {"modele": "fmd-public", "delai": "60", "automatique": "1", "budget": "60000"},
    )
    slug = "fmd-public-mairie-de-trebes"
    world.aid = Iri(world.context.publishing.aid(slug).id)
    hub: Any = OverHttp(client, slug)

    # 200 agents: 180 with 100 days, 20 with 12.
    agents = [
        Citizen(world, number=f"{LETTERS[n] if n < len(LETTERS) else 'M'}{n:04d}")
        for n in range(200)
    ]
    # Their numbers pasted as a list, codes handed over, taken in each vault.
    officer.post(
        "/guichet/agents",
        "/guichet/agents",
        {"liste": "\n".join(a.number for a in agents), "statut": "agent-contractuel-public"},
    )
    handed = read_csv(officer.post("/guichet/agents", "/guichet/agents/codes", {}, 200).content,
                      CODES_HEADS)  # fmt: skip
    codes = {row["matricule"]: row["code"] for row in handed}
    affiliated = {
        agent.number: Wallet(world, agent, client=client).take(agent.number, codes[agent.number])
        for agent in agents
    }
    sent = {}
    for n, agent in enumerate(agents):
        application, receipt = agent.apply(
            hub, agent.usage(days=100 if n < 180 else 12), affiliated[agent.number]
        )
        sent[application] = agent
        assert receipt.state == ("accepted" if n < 180 else "submitted")
    return December(officer, hub, agents, affiliated, sent)


def test_one_officer_handles_december(client: TestClient, world: World) -> None:
    december = two_hundred(client, world)
    officer, agents, sent = december.officer, december.agents, december.sent

    # The officer's queue: twenty wait, page by page; nothing of a trip is on them.
    def waiting(state: str) -> list[str]:
        found: list[str] = []
        path = f"/guichet?etat={state}"
        while path:
            text = officer.get(path).text
            found += re.findall(r'href="/guichet/demandes/([0-9a-f-]{36})"', text)
            more = re.search(r'href="(/guichet\?[^"]*suite=[^"]+)"', text)
            path = more[1].replace("&amp;", "&") if more else ""
        return found

    queue = waiting("to-review")
    assert len(queue) == len(set(queue)) == 20
    assert len(waiting("accepted")) == 180
    to_complete, to_refuse = queue[:15], queue[15:]
    page = officer.get(f"/guichet/demandes/{queue[0]}").text
    assert "Réponse attendue avant le" in page
    officer.post(f"/guichet/demandes/{queue[0]}", "/guichet/prendre", {"demande": queue[0]})
    assert waiting("mine") == [queue[0]]

    # Fifteen are asked for what is missing, and answer with a complete proof: the rule accepts.
    for name in to_complete:
        officer.post(
            f"/guichet/demandes/{name}",
            "/guichet/decider",
            {
                "demande": name,
                "decision": "information",
                "motif": "Il manque vos trajets de mai à octobre.",
            },
        )
    assert len(waiting("needs-information")) == 15
    for name in to_complete:
        december.complete(name)

    # Five are refused by a person, with the line of the rule.
    for name in to_refuse:
        template = re.search(
            r'name="modele" value="(rule-\d+)"', officer.get(f"/guichet/demandes/{name}").text
        )
        assert template is not None, "the rule's own reason can be chosen"
        officer.post(
            f"/guichet/demandes/{name}",
            "/guichet/decider",
            {"demande": name, "decision": "refuse", "modele": template[1], "motif": ""},
        )
    refused = waiting("refused")
    assert sorted(refused) == sorted(to_refuse)
    text = officer.get(f"/guichet/demandes/{refused[0]}").text
    assert "Camille Roux" in text
    assert "arrêté du 9 mai 2020" in text, "the reason names the text it rests on"
    letter = officer.get(f"/guichet/demandes/{refused[0]}/lettre")
    assert letter.headers["content-type"] == "application/pdf"
    assert letter.content.startswith(b"%PDF-")

    # One payroll file, read back; made twice it does not exist twice.
    officer.post("/guichet/versements", "/guichet/versements", {})
    officer.post("/guichet/versements", "/guichet/versements", {})
    raw = officer.get("/guichet/versements/1/paie.csv").content
    lines = read_payroll(raw)
    assert len(lines) == 195
    assert {line.amount for line in lines} == {300_00}
    assert {(line.since, line.until) for line in lines} == {PERIOD}
    assert {line.days for line in lines} == {100}
    refused_numbers = {sent[Iri(f"urn:uuid:{name}")].number for name in refused}
    assert {line.employee for line in lines} == {a.number for a in agents} - refused_numbers
    cells = list(csv.reader(io.StringIO(raw.decode("utf-8-sig")), delimiter=";"))
    assert cells[0] == list(PAYROLL_HEADS)
    assert not [cell for row in cells for cell in row if cell.startswith(("=", "+", "-", "@"))]
    officer.get("/guichet/versements/2/paie.csv", expect=404)

    statement = read_csv(officer.get("/guichet/versements/1/etat.csv").content, LIQUIDATION_HEADS)
    assert [row["numero"] for row in statement] == [str(n) for n in range(1, 196)]
    assert sum(int(row["montant"].replace(",", "")) for row in statement) == 195 * 300_00
    assert {row["decidee_par"] for row in statement} == {"règle de calcul"}
    pdf = officer.get("/guichet/versements/1/etat.pdf").content
    assert pdf.startswith(b"%PDF-")
    officer.post("/guichet/versements", "/guichet/versements/payes", {"fichier": "1"})
    assert len(waiting("paid")) == 195

    # 195 × 300 € of 60 000 €: the envelope says what is left.
    shown = officer.get("/guichet/versements").text.replace("\u202f", " ").replace("\xa0", " ")
    assert "1 500 € restants sur 60 000 €" in shown

    # The archive of decisions holds every one of them, and its sums are right.
    today = datetime.now(UTC).date()
    data = officer.get(
        f"/guichet/versements/archive?du={today - timedelta(days=1)}&au={today}"
    ).content
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        decisions = [json.loads(line) for line in archive.read("decisions.jsonl").splitlines()]
        sums = archive.read("SHA256SUMS").decode().splitlines()
        assert len(sums) == len(archive.namelist()) - 1
        for line in sums:
            expected, _, name = line.partition("  ")
            assert hashlib.sha256(archive.read(name)).hexdigest() == expected
    assert len(decisions) == 200
    assert sum(d["state"] == "refused" for d in decisions) == 5
    assert all(d["history"][-1]["actor"] for d in decisions)


def test_the_desk_of_a_stranger_shows_none_of_it(client: TestClient, world: World) -> None:
    hub = world.context
    if hub.publishing.funder("autre") is None:
        hub.publishing.add_funder("autre", "Autre", siret="35600000000048")
        hub.members.add("x@autre.example", PASSWORD, funder="autre")
    stranger = Browser(client)
    stranger.post(
        "/guichet/entrer",
        "/guichet/entrer",
        {"identifiant": "x@autre.example", "mot_de_passe": PASSWORD},
    )
    assert "/guichet/demandes/" not in stranger.get("/guichet").text
    for path in ("paie.csv", "etat.csv", "etat.pdf"):
        stranger.get(f"/guichet/versements/1/{path}", expect=404)
    mine = mint_iri().rsplit(":", 1)[-1]
    stranger.get(f"/guichet/demandes/{mine}/lettre", expect=404)
