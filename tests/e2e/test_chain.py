"""A chain of aids: the award of one, kept in the vault, answers the question of another."""

import re
from collections.abc import Iterator

import pytest

from portal.browser import Answer, Browser
from tests.e2e.network import Network

BONUS = "velo-occitanie-bonus-forfait-mobilite-durable"
ASKED = "Votre employeur vous verse-t-il le Forfait mobilités durables"
CARCASSONNE = "11069"
ANSWERS = {
    "demandeur . âge": "40",
    "demandeur . statut": "salarié",
    "vélo . type": "électrique",
    "vélo . état": "neuf",
    "vélo . prix": "1500",
    "foyer . imposable": "non",
    "revenu fiscal de référence par part . revenu de référence": "12000",
    "revenu fiscal de référence par part . nombre de parts": "1",
}
"""All the bonus asks for, but whether the employer pays the allowance."""


def words(page: Answer) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).replace("&#39;", "'").split())


def tell(browser: Browser, act: str = "repondre") -> None:
    for question, text in ANSWERS.items():
        values = {"question": question, "reponse": text, "acte": act, "retour": ""}
        browser.submit("/aides", "/aides/repondre", values)


@pytest.fixture
def holder(federation: Network) -> Iterator[Browser]:
    """The citizen of the story, whose vault holds the allowance's award."""
    browser = federation.citizen()
    tell(browser)
    yield browser
    tell(browser, "oublier")


def test_an_award_in_the_vault_answers_another_aids_question(
    federation: Network, holder: Browser
) -> None:
    award = words(holder.get(f"/demandes/{federation.memory['application']}"))
    assert "Votre demande est acceptée" in award or "L'aide vous est accordée" in award
    shown = words(holder.get(f"/aides/{BONUS}"))
    assert re.search(r"Pour vous 250\s€", shown)
    assert ASKED not in shown

    other = federation.new_citizen()
    other.submit("/coffre/commune?q=11000", "/coffre/commune", {"code": CARCASSONNE})
    tell(other)
    without = words(other.get(f"/aides/{BONUS}"))
    assert ASKED in without
    assert not re.search(r"Pour vous 250\s€", without)
