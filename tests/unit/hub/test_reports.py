"""What people report about aids: taken without a name, answered once, by who may."""

import hashlib
from pathlib import Path

import pytest
import sqlalchemy as sa

from federation.aids.errors import UnknownAidError
from federation.hub.access import Caller
from federation.hub.errors import (
    NotAllowedError,
    ReportRefusedError,
    ReportsBusyError,
    ReportUnknownError,
)
from federation.hub.members import Member
from federation.hub.model import ReportState, ReportSubject
from federation.hub.reports import KEPT, MOST_AN_ADDRESS
from tests.hub_world import World, build_world

SLUG = "fmd-agents-publics-agglo"
TEXT = "Le montant a changé en juillet."
PASSWORD = "un mot de passe bien long"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build_world(tmp_path / "hub")


def report(world: World, slug: str = SLUG, *, address: str = "a", text: str = TEXT) -> str:
    subject = ReportSubject.AMOUNT if slug else ReportSubject.MISSING
    return world.context.reports.report(subject, slug=slug, text=text, link="", address=address)


def member(world: World, role: Caller, funder: str | None) -> Member:
    return world.context.members.add(
        f"{role.value}-{funder}@exemple.fr", PASSWORD, roles=frozenset((role,)), funder=funder
    )


def test_the_answer_is_read_by_whoever_has_the_link(world: World) -> None:
    secret = report(world)
    admin = member(world, Caller.ADMIN, None)
    (waiting,) = world.context.reports.of(admin)
    world.context.reports.answer(admin, waiting.id, ReportState.ACCEPTED, "Corrigé, merci.")
    found = world.context.reports.find(secret)
    assert (found.state, found.answer) == (ReportState.ACCEPTED, "Corrigé, merci.")
    with pytest.raises(ReportUnknownError):
        world.context.reports.find(secret[:-1])


def test_the_database_holds_no_secret_and_no_address(world: World) -> None:
    secret = report(world, address="198.51.100.7")
    with world.context.store.engine.connect() as connection:
        (row,) = connection.execute(sa.text("SELECT * FROM reports")).all()
    text = str(row)
    assert secret not in text
    assert "198.51.100.7" not in text
    assert hashlib.sha256(secret.encode()).hexdigest() in text


def test_an_editor_answers_about_their_own_aids_only(world: World) -> None:
    world.context.publishing.add_funder("autre", "Autre", siret="73282932000074")
    report(world)
    report(world, "")
    own, other = (member(world, Caller.EDITOR, funder) for funder in ("agglo", "autre"))
    (theirs,) = world.context.reports.of(own)
    assert theirs.slug == SLUG
    assert world.context.reports.of(other) == ()
    with pytest.raises(ReportUnknownError):
        world.context.reports.answer(other, theirs.id, ReportState.DECLINED, "non")
    assert world.context.reports.answer(own, theirs.id, ReportState.DECLINED, "Non.").answer


def test_an_officer_moderates_nothing(world: World) -> None:
    report(world)
    officer = member(world, Caller.OFFICER, "agglo")
    for act in (
        lambda: world.context.reports.of(officer),
        lambda: world.context.reports.answer(officer, "x", ReportState.ACCEPTED, "oui oui"),
    ):
        with pytest.raises(NotAllowedError):
            act()


@pytest.mark.parametrize(
    ("state", "words", "where"),
    [
        (None, "Corrigé.", "suite"),
        (ReportState.WAITING, "Corrigé.", "suite"),
        (ReportState.ACCEPTED, " ", "reponse"),
        (ReportState.ACCEPTED, "x" * 2_001, "reponse"),
    ],
)
def test_an_answer_has_an_outcome_and_words(
    world: World, state: ReportState | None, words: str, where: str
) -> None:
    report(world)
    admin = member(world, Caller.ADMIN, None)
    (waiting,) = world.context.reports.of(admin)
    with pytest.raises(ReportRefusedError) as refused:
        world.context.reports.answer(admin, waiting.id, state, words)
    assert refused.value.where == where
    assert world.context.reports.of(admin)[0].state is ReportState.WAITING


def test_a_report_is_answered_once(world: World) -> None:
    report(world)
    admin = member(world, Caller.ADMIN, None)
    (waiting,) = world.context.reports.of(admin)
    world.context.reports.answer(admin, waiting.id, ReportState.ACCEPTED, "Corrigé.")
    with pytest.raises(ReportRefusedError):
        world.context.reports.answer(admin, waiting.id, ReportState.DECLINED, "Finalement non.")
    assert world.context.reports.of(admin)[0].answer == "Corrigé."


@pytest.mark.parametrize(
    ("subject", "slug", "text", "link", "where"),
    [
        (None, SLUG, TEXT, "", "objet"),
        (ReportSubject.MISSING, SLUG, TEXT, "", "objet"),
        (ReportSubject.AMOUNT, "", TEXT, "", "objet"),
        (ReportSubject.AMOUNT, SLUG, "court", "", "texte"),
        (ReportSubject.AMOUNT, SLUG, "x" * 2_001, "", "texte"),
        (ReportSubject.AMOUNT, SLUG, TEXT, "javascript:alert(1)", "lien"),
        (ReportSubject.AMOUNT, SLUG, TEXT, "https://x.fr/ <b>", "lien"),
    ],
)
def test_what_is_no_report_is_not_kept(
    world: World, subject: ReportSubject | None, slug: str, text: str, link: str, where: str
) -> None:
    with pytest.raises(ReportRefusedError) as refused:
        world.context.reports.report(subject, slug=slug, text=text, link=link, address="a")
    assert refused.value.where == where


def test_nothing_is_kept_about_an_aid_nobody_can_read(world: World) -> None:
    with pytest.raises(UnknownAidError):
        report(world, "inconnue")


def test_one_address_is_slowed_down_and_others_are_not(world: World) -> None:
    for _ in range(MOST_AN_ADDRESS):
        report(world, address="a")
    with pytest.raises(ReportsBusyError) as busy:
        report(world, address="a")
    assert 0 < busy.value.retry_after_s <= 3600
    report(world, address="b")
    world.clock.advance(hours=1)
    report(world, address="a")


def test_an_answer_goes_after_a_year_and_what_waits_stays(world: World) -> None:
    answered, waits = report(world, address="a"), report(world, address="b")
    admin = member(world, Caller.ADMIN, None)
    first = world.context.reports.find(answered)
    world.context.reports.answer(admin, first.id, ReportState.DECLINED, "Non, merci.")
    world.clock.advance(days=KEPT.days + 1)
    report(world, address="c")
    with pytest.raises(ReportUnknownError):
        world.context.reports.find(answered)
    assert world.context.reports.find(waits).state is ReportState.WAITING
