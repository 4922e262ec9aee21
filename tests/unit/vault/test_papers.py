"""Printed attestations: who holds the paper reads the proof, a stolen database does not."""

import sqlite3
from datetime import timedelta

import pytest

from federation.multibase import b64url
from tests.unit.vault.builders import Citizen, Clock
from vault.errors import PaperGoneError, PaperUnknownError
from vault.home import Home
from vault.papers import PAPER_TERM, papers, publish, read_paper, withdraw_paper

PROOF = {"type": ["VerifiableCredential", "UsageProof"], "credentialSubject": {"days": 41}}


def test_the_paper_shows_its_proof_while_the_vault_is_locked(home: Home, citizen: Citizen) -> None:
    link = publish(citizen.vault, PROOF)
    home.lock_all(citizen.vault_id)
    assert read_paper(home, link) == PROOF


def test_the_database_holds_neither_the_proof_nor_the_link(home: Home, citizen: Citizen) -> None:
    link = publish(citizen.vault, PROOF)
    raw = b"".join(
        path.read_bytes()
        for path in sorted(home.settings.folder.glob("home.db*"))
        if path.is_file()
    )
    assert b"UsageProof" not in raw
    assert link.encode() not in raw
    rows = sqlite3.connect(home.settings.folder / "home.db").execute("select count(*) from paper")
    assert rows.fetchone() == (1,)


def test_a_withdrawn_paper_is_erased_and_says_so(home: Home, citizen: Citizen) -> None:
    link = publish(citizen.vault, PROOF)
    (paper,) = papers(citizen.vault)
    withdraw_paper(citizen.vault, paper.id)
    with pytest.raises(PaperGoneError) as gone:
        read_paper(home, link)
    assert gone.value.why == "withdrawn"
    with home.store.read() as reader:
        assert [row.sealed for row in reader.papers(citizen.vault_id)] == [None]


def test_a_paper_ends_with_its_term(home: Home, citizen: Citizen, clock: Clock) -> None:
    link = publish(citizen.vault, PROOF)
    clock.forward(days=(PAPER_TERM + timedelta(days=1)).days)
    with pytest.raises(PaperGoneError) as gone:
        read_paper(home, link)
    assert gone.value.why == "expired"


@pytest.mark.parametrize(
    "link", ["", "x", "é", b64url(bytes(32)), "A" * 43, "../../etc", "A" * 4000]
)
def test_a_link_that_is_not_one_says_so(home: Home, citizen: Citizen, link: str) -> None:
    publish(citizen.vault, PROOF)
    with pytest.raises(PaperUnknownError):
        read_paper(home, link)


def test_nobody_withdraws_the_paper_of_another_vault(home: Home, citizen: Citizen) -> None:
    link = publish(citizen.vault, PROOF)
    (paper,) = papers(citizen.vault)
    other = Citizen(home, label="Coffre de Dominique")
    for name in (paper.id, "zz", ""):
        with pytest.raises(PaperUnknownError):
            withdraw_paper(other.vault, name)
    assert read_paper(home, link) == PROOF
    assert papers(other.vault) == []


def test_a_shredded_vault_takes_its_papers_along(home: Home, citizen: Citizen) -> None:
    link = publish(citizen.vault, PROOF)
    home.shred(citizen.vault_id)
    with pytest.raises(PaperUnknownError):
        read_paper(home, link)
