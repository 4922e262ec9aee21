"""An aid written at the desk: kept as typed, tried, published by two, then declared by others."""

import re
from html.parser import HTMLParser

import pytest

from federation.aids.model import FunderLevel
from federation.hub.access import Caller
from federation.hub.agreement import current_agreement
from portal.browser import Answer, Browser
from portal.compose import hub_parts
from tests.e2e.network import Network, siret_of

pytestmark = pytest.mark.slow

PASSWORD = "un mot de passe bien long"
FUNDER = "syndicat-du-lauragais"
DRAFT = re.compile(r"/guichet/aides/brouillons/([0-9a-f-]{36})")


def words(page: Answer) -> str:
    text = re.sub(r"<[^>]+>", " ", page.text).replace("&#39;", "'").replace("\u202f", " ")
    return " ".join(text.replace("\xa0", " ").split())


def signed_in(federation: Network, login: str) -> Browser:
    browser = Browser(federation.hub)
    browser.submit(
        "/guichet/entrer", "/guichet/entrer", {"identifiant": login, "mot_de_passe": PASSWORD}
    )
    return browser


@pytest.fixture(scope="module")
def desk(federation: Network) -> tuple[Browser, Browser]:
    """An editor and a supervisor of one funder."""
    with hub_parts(federation.settings) as parts:
        hub = parts.hub
        hub.publishing.add_funder(
            FUNDER,
            "Syndicat du Lauragais",
            siret=siret_of(FUNDER),
            level=FunderLevel.EPCI,
        )
        for login, role in (("ecrit", Caller.EDITOR), ("relit", Caller.SUPERVISOR)):
            member = hub.members.add(
                f"{login}@lauragais.example", PASSWORD, name=f"Personne qui {login}",
                roles=frozenset((role,)), funder=FUNDER,
            )  # fmt: skip
        hub.enrolment.accept(member, current_agreement().digest)
    return tuple(
        signed_in(federation, f"{login}@lauragais.example") for login in ("ecrit", "relit")
    )  # type: ignore[return-value]  # two


class Filled(HTMLParser):
    """The fields of the form `action` as a browser would send them back."""

    def __init__(self, text: str, action: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._action, self._inside, self._name, self._first = action, False, "", False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "form":
            self._inside = said.get("action") == self._action
        if not self._inside:
            return
        name = said.get("name") or ""
        if tag == "input" and (said.get("type") != "checkbox" or "checked" in said):
            self.values[name] = said.get("value") or ""
        elif tag in ("select", "textarea"):
            self._name, self._first = name, True
            self.values[name] = ""
        elif tag == "option":
            if self._first or "selected" in said:
                self.values[self._name] = said.get("value") or ""
            self._first = False

    def handle_endtag(self, tag: str) -> None:
        if tag in ("select", "textarea"):
            self._name = ""

    def handle_data(self, data: str) -> None:
        if self._name and self.lasttag == "textarea":
            self.values[self._name] += data


def step(browser: Browser, draft: str, name: str, values: dict[str, str]) -> Answer:
    at = f"/guichet/aides/brouillons/{draft}/{name}"
    page = browser.get(at)
    shown = Filled(page.text, at).values
    unknown = set(values) - set(shown) - {name for name in values if name.startswith("theme-")}
    assert not unknown, unknown
    return browser.submit(page, at, {**shown, **values, "aller": "rester"})


def test_an_aid_is_written_tried_and_published_by_two(
    federation: Network, desk: tuple[Browser, Browser]
) -> None:
    editor, supervisor = desk
    begun = editor.submit("/guichet/aides", "/guichet/aides/brouillons", {"aide": ""})
    found = DRAFT.search(begun.address)
    assert found is not None
    draft = found[1]
    step(editor, draft, "textes", {
        "title": "Aide au vélo pliant", "summary": "Pour aller à la gare avec son vélo.",
        "territories": "commune 11069", "theme-velo": "1",
    })  # fmt: skip
    step(editor, draft, "questions", {"q-0-preset": "age"})
    step(editor, draft, "questions", {"q-1-preset": "prix"})
    step(editor, draft, "questions", {
        "q-2-title": "Abonné au train", "q-2-question": "Avez-vous un abonnement de train ?",
        "q-2-kind": "boolean",
    })  # fmt: skip
    step(editor, draft, "conditions", {
        "c-0-question": "demandeur . âge", "c-0-operator": ">=", "c-0-value": "dix-huit",
    })  # fmt: skip
    typed = editor.get(f"/guichet/aides/brouillons/{draft}/conditions")
    assert "« dix-huit » n'est pas un nombre" in words(typed)
    assert 'value="dix-huit"' in typed.text, "what was typed is kept"
    step(editor, draft, "conditions", {"c-0-value": "18"})
    step(editor, draft, "montant", {
        "l-0-kind": "share", "l-0-percent": "25", "l-0-question": "vélo . prix payé",
        "l-0-cap": "300", "s-0-kind": "fixed", "s-0-amount": "50",
        "s-0-c-0-question": "réponse . abonné au train", "s-0-c-0-operator": "=",
        "s-0-c-0-value": "oui", "ceiling": "320",
    })  # fmt: skip
    step(editor, draft, "demande", {"documents": "Facture acquittée\nRIB", "budget": "20000"})
    tried = step(editor, draft, "exemples", {
        "e-0-label": "Un vélo à 800 €", "e-0-a-0": "40", "e-0-a-1": "800", "e-0-a-2": "oui",
        "e-0-expected": "200",
    })  # fmt: skip
    assert "attendu : 200 € ; la règle donne : 250 €" in words(tried)
    here = f"/guichet/aides/brouillons/{draft}"
    assert "Proposer cette version" not in words(editor.get(here))
    step(editor, draft, "exemples", {"e-0-expected": "250"})
    step(editor, draft, "exemples", {
        "e-1-label": "Mineur", "e-1-a-0": "17", "e-1-a-1": "800", "e-1-a-2": "non",
        "e-1-expected": "non",
    })  # fmt: skip
    cost = words(editor.get(f"{here}/cout?demandes=200&part-2-0=100&part-2-1=0"))
    assert "Total pour 200 demandes" in cost
    assert "Abonné au train : oui 100 %" in cost
    broken = words(editor.get(f"{here}/cout?bas-0=x&haut-0=3"))
    assert "« Âge » : hypothèse illisible" in broken
    schema = editor.get(f"{here}/reponses.schema.json")
    assert '"vélo . prix payé"' in schema.content.decode()
    no_note = editor.submit(here, "/guichet/aides/soumettre", {"note": "court"}, expect=422)
    assert "Dites en quelques mots, pour tout le monde" in words(no_note)
    note = "Votée par le comité syndical du 12 novembre 2026."
    proposed = editor.submit(here, "/guichet/aides/soumettre", {"note": note})
    assert "Une autre personne publie" in words(proposed)
    assert "/guichet/aides/publier" not in proposed.text
    read = supervisor.get(here)
    assert "Si Abonné au train : oui → 50 €" in words(read)
    done = supervisor.submit(here, "/guichet/aides/publier")
    assert "publiée" in words(done)
    with hub_parts(federation.settings) as parts:
        (aid,) = [
            a
            for a in parts.hub.publishing.public().aids
            if a.funder_name == "Syndicat du Lauragais"
        ]
    shown = Browser(federation.hub).get(f"/aides/{aid.slug}")
    assert "Aide au vélo pliant" in words(shown)
    assert "250 €" in words(shown)
    history = words(Browser(federation.hub).get(f"/aides/{aid.slug}/versions"))
    assert note in history
    assert "proposée et publiée par deux personnes" in history
    assert "Le calcul" not in history
    asked = words(federation.new_citizen().get(f"/aides/{aid.slug}/dossier"))
    assert "Avez-vous un abonnement de train ?" in asked


def test_two_editors_of_one_draft_do_not_overwrite_each_other(
    federation: Network, desk: tuple[Browser, Browser]
) -> None:
    editor, _ = desk
    other = signed_in(federation, "ecrit@lauragais.example")
    begun = editor.submit("/guichet/aides", "/guichet/aides/brouillons", {"aide": ""})
    at = begun.address.removeprefix(federation.hub)
    old = other.get(at)
    editor.submit(at, at, {"title": "Titre de l'une", "aller": "rester"})
    typed = {**Filled(old.text, at).values, "title": "Titre de l'autre", "aller": "rester"}
    late = other.submit(old, at, typed, expect=409)
    assert "pas encore enregistrées" in words(late)
    assert "Titre de l&#39;autre" in late.text
    kept = other.submit(late, at, {**Filled(late.text, at).values, "aller": "rester"})
    assert "Titre de l&#39;autre" in kept.text


def test_a_rule_the_form_cannot_say_is_shown_as_it_is_written(federation: Network) -> None:
    with hub_parts(federation.settings) as parts:
        login = "redige@agglo.example"
        parts.hub.members.add(
            login, PASSWORD, roles=frozenset((Caller.EDITOR,)), funder="agglo-cabardes"
        )
    browser = signed_in(federation, login)
    page = browser.submit(
        "/guichet/aides", "/guichet/aides/brouillons",
        {"aide": "fmd-agents-publics-agglo-cabardes"},
    )  # fmt: skip
    assert page.address.endswith("/regle")
    assert "commune à plusieurs aides" in words(page)
    assert "Règle" in words(page)


def test_a_draft_thrown_away_comes_back(desk: tuple[Browser, Browser]) -> None:
    editor, _ = desk
    begun = editor.submit("/guichet/aides", "/guichet/aides/brouillons", {"aide": ""})
    found = DRAFT.search(begun.address)
    assert found is not None
    here = f"/guichet/aides/brouillons/{found[1]}"
    gone = editor.submit(here, "/guichet/aides/jeter")
    assert "Il peut être repris" in words(gone)
    assert "en cours d'écriture" in words(editor.submit(here, "/guichet/aides/restaurer"))
