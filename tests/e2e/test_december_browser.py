"""December at one desk in Chromium: the queue, each kind of decision, the payroll file, and every
page of the desk at the width of a phone and of an office screen.
"""

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient

from federation.decision_log import Evidence
from federation.hub.access import Caller
from federation.hub.context import HubContext
from federation.hub.csv_files import read_payroll
from federation.hub.local import LocalHub
from federation.hub.members import FUNDER_ROLES
from portal.app import create_hub_app
from portal.settings import Settings
from schemas.ids import Iri
from tests.e2e.test_december import PASSWORD as OFFICERS
from tests.e2e.test_december import December, trusting, two_hundred
from tests.e2e.test_passkeys import shoot
from tests.hub_world import World, build_world
from tests.unit.hub.test_notices import SLUG, STAFF, employer

pytestmark = pytest.mark.browser
CHROMIUM = os.environ.get("MOBILITY_CHROMIUM", "/usr/bin/chromium")
PASSWORD = "un mot de passe long"
LOGIN = "dominique@agglo.example"


@dataclass
class Desk:
    """A hub that answers, its own context, and the applications that wait."""

    base: str
    hub: HubContext
    waiting: list[str]
    town: str
    """Login of another funder's one person."""


def link_of(hub: HubContext) -> str:
    """The token of a link for the first of the town's list, as its mail would carry it."""
    now = hub.clock()
    with hub.store.transact() as tx:
        first = tx.employees(SLUG)[0]
        code, changed = hub.affiliations.fresh_code(first, now)
        tx.put_employee(changed)
    assert changed.code_until is not None
    return hub.affiliations.seal("link", [changed.id, code], changed.code_until)


def applied(world: World, days: int) -> str:
    citizen = world.citizen()
    application, _ = citizen.apply(
        LocalHub(world.context), citizen.usage(days=days), citizen.affiliation()
    )
    return application.rpartition(":")[2]


@pytest.fixture(scope="module")
def december(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    state = tmp_path_factory.mktemp("december")
    world = build_world(state, public_url=f"http://localhost:{port}")
    town = employer(world)
    world.context.affiliations.import_list(town, STAFF, status="agent-titulaire-public")
    world.context.members.set_password(town, PASSWORD)
    world.context.members.add(
        LOGIN,
        PASSWORD,
        name="Dominique Sabatier",
        roles=frozenset(FUNDER_ROLES & set(Caller)),
        funder="agglo",
    )
    for _ in range(3):
        applied(world, 41)  # accepted by the rule
    waiting = [applied(world, days) for days in (12, 14, 21, 25)]
    world.context.close()
    with pytest.MonkeyPatch.context() as environment:  # a mail server that nobody runs
        environment.setenv("MOBILITY_HUB_MAIL_HOST", "127.0.0.1")
        environment.setenv("MOBILITY_HUB_MAIL_PORT", "9")
        environment.setenv("MOBILITY_HUB_MAIL_SECURITY", "none")
        environment.setenv("MOBILITY_HUB_MAIL_FROM", "guichet@agglo.example")
        app = create_hub_app(Settings(state=state, hub_port=port, home_port=port + 1))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < until
        time.sleep(0.05)
    yield Desk(f"http://localhost:{port}", app.state.hub, waiting, town.login)
    server.should_exit = True
    thread.join(timeout=10)
    app.state.hub.close()


def decide(page: Any, name: str, decision: str, reason: str, amount: str = "") -> None:
    page.goto(f"/guichet/demandes/{name}")
    page.check(f"#f-decision-{decision}")
    if amount:
        page.fill("#f-montant", amount)
    page.fill("#f-motif", reason)
    page.get_by_role("button", name="Enregistrer la décision").click()
    page.wait_for_load_state()


def test_december_is_decided_and_paid_and_every_page_fits(december: Desk) -> None:
    from playwright.sync_api import sync_playwright

    accepted, refused, asked, left = december.waiting
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(locale="fr-FR", base_url=december.base)
        context.set_default_timeout(20_000)
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda said: faults.append(said.text) if said.type == "error" else None,
        )
        page.goto("/guichet/entrer")
        shoot(page, "guichet-entrer")
        page.fill("#f-identifiant", LOGIN)
        page.fill("#f-mot_de_passe", PASSWORD)
        page.get_by_role("button", name="Entrer", exact=True).click()
        page.wait_for_url(re.compile("/guichet$"))
        shoot(page, "guichet-file")
        page.goto(f"/guichet/demandes/{accepted}")
        shoot(page, "guichet-demande")
        page.get_by_role("button", name="La prendre").click()
        decide(page, accepted, "accept", "Conforme à la règle.", "187,50")
        decide(page, refused, "refuse", "Trop peu de jours prouvés.")
        shoot(page, "guichet-refusee")
        decide(page, asked, "information", "Quel mois manque-t-il ?")
        shoot(page, "guichet-question")
        page.goto(f"/guichet/demandes/{accepted}")
        with page.expect_download() as given:
            page.get_by_role("link", name="Preuve de la décision (ZIP)").click()
        evidence = Evidence.from_zip(Path(given.value.path()).read_bytes())
        assert evidence.application.endswith(accepted) and evidence.award is not None
        page.goto("/guichet/versements")
        page.get_by_role("button", name=re.compile("fichier")).first.click()
        page.wait_for_load_state()
        shoot(page, "guichet-versements")
        for name, path in (
            ("guichet-avis", "/guichet/avis"),
            ("guichet-agents-sans-liste", "/guichet/agents"),
            ("guichet-nos-aides", "/guichet/aides"),
            ("guichet-modeles", "/guichet/aides/nouvelle?modele=fmd-public"),
            ("guichet-reglages", "/guichet/reglages"),
            ("guichet-acces", "/guichet/acces"),
            ("guichet-convention", "/guichet/convention"),
            ("guichet-cle", "/guichet/cle"),
            ("guichet-equipe", "/guichet/equipe"),
            ("guichet-introuvable", "/guichet/demandes/00000000-0000-4000-8000-000000000000"),
            ("affiliation-perimee", "/affiliation/rien"),
        ):
            answer = page.goto(path)
            expected = 404 if name in {"guichet-introuvable", "affiliation-perimee"} else 200
            assert answer is not None and answer.status == expected, path
            shoot(page, name)
        page.goto("/guichet/avis")
        page.check("#f-courriel-each")
        page.get_by_role("button", name="Enregistrer").click()
        page.wait_for_load_state()
        assert page.get_by_text("Vos réglages sont enregistrés.").count() == 1
        assert page.get_by_text("non lu", exact=True).count() == 1, (
            "the one application nobody opened"
        )
        page.goto(f"/guichet/demandes/{left}")
        page.goto("/guichet/avis")
        assert page.get_by_text("non lu", exact=True).count() == 0
        page.goto(f"/affiliation/{link_of(december.hub)}")
        assert page.get_by_role("link", name="Ouvrir dans mon coffre").count() == 1
        shoot(page, "affiliation-lien")
        page.goto("/guichet/reglages")
        page.get_by_role("button", name="Quitter le guichet").click()
        page.fill("#f-identifiant", december.town)
        page.fill("#f-mot_de_passe", PASSWORD)
        page.get_by_role("button", name="Entrer", exact=True).click()
        page.wait_for_url(re.compile("/guichet$"))
        page.goto("/guichet/agents")
        shoot(page, "guichet-agents-liste")
        page.get_by_role("button", name="Envoyer un lien par courriel (1)").click()
        assert page.get_by_text("1 lien part dans les minutes").count() == 1
        assert [f for f in faults if "404" not in f] == []
        browser.close()
    with december.hub.store.read() as reader:
        states = {
            name: found.state.value
            for name in december.waiting
            if (found := reader.application(f"urn:uuid:{name}", history=False)) is not None
        }
    assert states == {
        accepted: "awarded",
        refused: "refused",
        asked: "needs-information",
        left: "submitted",
    }
    assert december.hub.log.verify().faults == ()


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, December]]:
    """A hub that answers, and the two hundred applications of one employer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    state = tmp_path_factory.mktemp("two-hundred")
    app = create_hub_app(Settings(state=state, sandbox=True, hub_port=port, home_port=port + 1))
    base = f"http://localhost:{port}"
    made = two_hundred(TestClient(app, base_url=base), trusting(app.state.hub))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < until
        time.sleep(0.05)
    yield base, made
    server.should_exit = True
    thread.join(timeout=10)
    app.state.hub.close()


def queue(page: Any, state: str) -> list[str]:
    """The numbers of every application in a state, page after page as an officer turns them."""
    found: list[str] = []
    page.goto(f"/guichet?etat={state}")
    while True:
        addresses = page.eval_on_selector_all(
            "a[href^='/guichet/demandes/']", "all => all.map(one => one.getAttribute('href'))"
        )
        found += dict.fromkeys(one.rsplit("/", 1)[-1] for one in addresses)
        more = page.locator("a[href*='suite=']")
        if not more.count():
            return found
        more.first.click()
        page.wait_for_load_state()


def test_two_hundred_agents_one_officer_one_payroll_file(crowd: tuple[str, December]) -> None:
    from playwright.sync_api import sync_playwright

    base, made = crowd
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(locale="fr-FR", base_url=base)
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.goto("/guichet/entrer")
        page.fill("#f-identifiant", "camille@trebes.example")
        page.fill("#f-mot_de_passe", OFFICERS)
        page.get_by_role("button", name="Entrer", exact=True).click()
        page.wait_for_url(re.compile("/guichet$"))
        shoot(page, "decembre-file")
        assert len(set(queue(page, "accepted"))) == 180, "complete: the rule decided"
        waiting = queue(page, "to-review")
        assert len(set(waiting)) == len(waiting) == 20
        to_complete, to_refuse = waiting[:15], waiting[15:]
        for name in to_complete:
            decide(page, name, "information", "Il manque vos trajets de mai à octobre.")
        shoot(page, "decembre-question")
        for name in to_complete:
            made.complete(name)
        for name in to_refuse:
            page.goto(f"/guichet/demandes/{name}")
            page.check("#f-decision-refuse")
            page.locator("input[name=modele][value^='rule-']").first.check()
            page.get_by_role("button", name="Enregistrer la décision").click()
            page.wait_for_load_state()
        shoot(page, "decembre-refusee")
        assert sorted(queue(page, "refused")) == sorted(to_refuse)
        assert queue(page, "to-review") == []
        page.goto("/guichet/versements")
        shoot(page, "decembre-avant-paie")
        page.get_by_role("button", name=re.compile("fichier")).first.click()
        page.wait_for_load_state()
        with page.expect_download() as given:
            page.locator("a[href$='/paie.csv']").first.click()
        lines = read_payroll(Path(given.value.path()).read_bytes())
        shoot(page, "decembre-paie")
        browser.close()
    refused = {made.sent[Iri(f"urn:uuid:{name}")].number for name in to_refuse}
    assert len(lines) == 195 and {line.amount for line in lines} == {300_00}
    assert {line.employee for line in lines} == {a.number for a in made.agents} - refused
