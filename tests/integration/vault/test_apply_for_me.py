"""« Demander pour moi »: the home applies while the vault is locked, within what was agreed."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from federation.aids.catalogue import Catalogue
from federation.aids.model import Aid, AidStatus, Parameter
from federation.hub.local import LocalHub
from schemas.ids import Iri, mint_iri
from schemas.records import Application, ApplicationState, Consent, Extent, Frequency, Kind
from schemas.units import Cents
from tests.integration.vault.test_sharing import Story, story
from tests.integration.vault.test_standing import jump, lock, only, reopen, ride
from vault.entitlement import Stop
from vault.errors import ActRefusedError
from vault.standing import apply_for_me, standing, withdraw
from vault.standing_run import READY
from vault.standing_terms import Outcome

__all__ = ["story"]  # a fixture of the story of sharing

YEAR = (date(2026, 1, 1), date(2026, 12, 31))
NEW_YEAR = datetime(2027, 1, 1, 11, tzinfo=UTC)
NEXT = datetime(2028, 1, 1, 11, tzinfo=UTC)


def read_only(story: Story) -> Iri:
    """What would leave, read on the page and answered by nobody."""
    story.affiliate()
    disclosure = story.citizen.vault.prepare_application(story.aid, mint_iri(), period=YEAR)
    return Iri(f"urn:uuid:{disclosure.id}")


def agree(story: Story, **changes: Any) -> Consent:
    given: dict[str, Any] = {
        "frequency": Frequency.YEAR,
        "last": date(2027, 12, 31),
        "ceiling": Cents(40_000),
        "extent": Extent.SEND,
        "confirmed_at": story.home.clock(),
    }
    return apply_for_me(
        story.citizen.vault, read_only(story), story.catalogue, **{**given, **changes}
    )


def publish(story: Story, aid: Aid) -> None:
    """The catalogue that the home knows from here on, as if its hub had published it."""
    aids = tuple(aid if one.id == aid.id else one for one in story.catalogue.aids)
    now = Catalogue(
        story.catalogue.issuer,
        story.catalogue.version + 1,
        story.home.clock(),
        aids,
        story.catalogue.models,
    )
    story.home.catalogue._held, story.home.catalogue._asked = now, NEXT + timedelta(days=900)


def drafts(story: Story) -> list[Application]:
    found = story.citizen.vault.all(Kind.APPLICATION)
    return [a for a in found if isinstance(a, Application) and a.state is ApplicationState.DRAFT]


def test_the_home_applies_after_the_year_that_gives_a_right_and_not_again_above_the_ceiling(
    story: Story,
) -> None:
    consent = agree(story, ceiling=Cents(15_000))
    assert (consent.extent, consent.ceiling) == (Extent.SEND, 15_000)
    assert "15000 euro cents at most" in str(consent.receipt["dpv:hasFrequency"])
    assert story.citizen.vault.all(Kind.APPLICATION) == [], "nothing was asked for by agreeing"
    lock(story)
    jump(story, NEW_YEAR)
    assert story.home.runner().run_due() == 2  # the run, then its delivery
    vault = reopen(story)
    (shown,) = only(story).runs
    assert (shown.run.outcome, shown.run.amount) == (Outcome.SENT, 10_000)
    assert shown.run.period == YEAR
    application = vault.refresh_application(shown.run.application)
    assert isinstance(application, Application)
    assert application.amount == 10_000, "the desk's rule gives what the home counted"
    ride(story, story.depositor, datetime(2027, 3, 1, 7, tzinfo=UTC), 31)
    lock(story)
    jump(story, NEXT)
    story.home.runner().run_due()
    vault = reopen(story)
    found = only(story)
    last = found.runs[0].run
    assert (last.outcome, last.code, last.amount) == (Outcome.READY, Stop.CEILING, 10_000)
    (draft,) = drafts(story)
    assert draft.id == last.application
    assert (draft.period_from, draft.period_until) == (date(2027, 1, 1), date(2027, 12, 31))
    assert not found.is_live, "after the last year the keys are gone"
    events = [event.event for event in vault.journal(limit=200).events]
    assert events.count("standing-sent") == 1
    assert events.count("standing-ready") == 1
    assert events.count("standing-ended") == 1


def test_who_asked_for_a_draft_sends_it_themselves(story: Story, monkeypatch: Any) -> None:
    agree(story, extent=Extent.PREPARE)
    lock(story)
    jump(story, NEW_YEAR)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the hub hears of nobody who has not applied")

    with monkeypatch.context() as patch:
        for name in ("request", "request_object", "respond"):
            if hasattr(LocalHub, name):
                patch.setattr(LocalHub, name, never)
        assert story.home.runner().run_due() == 1
        vault = reopen(story)
        (shown,) = only(story).runs
    assert (shown.run.outcome, shown.run.code) == (Outcome.READY, None)
    (draft,) = drafts(story)
    assert draft.extra[READY] == {
        "standing": only(story).consent.id,
        "estimate": 10_000,
        "why": None,
    }
    disclosure = vault.prepare_application(story.aid, draft.id, period=YEAR)
    vault.share(disclosure, confirmed_at=story.home.clock())
    story.home.runner().run_due()
    sent = vault.refresh_application(draft.id)
    assert isinstance(sent, Application)
    assert sent.amount == 10_000
    assert READY not in sent.extra
    assert drafts(story) == []


@pytest.mark.parametrize(
    ("change", "outcome", "code"),
    [
        ("figure", Outcome.READY, Stop.RULE_CHANGED),
        ("words", Outcome.SENT, None),
        ("suspended", Outcome.CLOSED, None),
        ("ended", Outcome.CLOSED, None),
    ],
)
def test_a_rule_that_changed_stops_the_sending_and_its_words_do_not(
    story: Story, change: str, outcome: str, code: str | None
) -> None:
    agree(story)
    lock(story)
    jump(story, NEW_YEAR)
    figure = Parameter("nouveau plafond", "50 €", date(2027, 1, 1), None, "décret", None)
    publish(
        story,
        {
            "figure": replace(story.aid, parameters=(*story.aid.parameters, figure)),
            "words": replace(
                story.aid, summaries={"fr": "Autrement dit.", "en": "In other words."}
            ),
            "suspended": replace(story.aid, status=AidStatus.SUSPENDED),
            "ended": replace(story.aid, ends_on=date(2026, 12, 31)),
        }[change],
    )
    story.home.runner().run_due()
    reopen(story)
    (shown,) = only(story).runs
    assert (shown.run.outcome, shown.run.code) == (outcome, code)
    assert len(drafts(story)) == (outcome == Outcome.READY)


def test_after_a_package_that_was_refused_the_home_sends_no_other(story: Story) -> None:
    agree(story)
    lock(story)
    jump(story, NEW_YEAR)
    employer = story.world.context.registry.current().entry(story.aid.funder)
    assert employer is not None
    home = story.world.context.registry.current().entry(story.home.did)
    assert home is not None
    story.world.context.registry.accredit(replace(home, credential_types=frozenset()))
    story.home.runner().run_due()
    vault = reopen(story)
    (shown,) = only(story).runs
    assert shown.run.outcome == Outcome.SENT
    assert shown.delivery is not None
    assert shown.delivery.state == "refused"
    story.world.context.registry.accredit(home)
    ride(story, story.depositor, datetime(2027, 3, 1, 7, tzinfo=UTC), 31)
    vault = story.citizen.vault
    lock(story)
    jump(story, NEXT)
    story.home.runner().run_due()
    vault = reopen(story)
    last = standing(vault)[0].runs[0].run
    assert (last.outcome, last.code) == (Outcome.READY, Stop.REFUSED_BEFORE)
    assert last.amount == 10_000


def test_nothing_is_asked_twice_or_after_the_end(story: Story) -> None:
    consent = agree(story)
    vault = story.citizen.vault
    by_hand = vault.prepare_application(story.aid, mint_iri(), period=YEAR)
    vault.share(by_hand, confirmed_at=story.home.clock())
    story.home.runner().run_due()
    vault.drain(None)  # what an open vault does for its standing consents
    lock(story)
    jump(story, NEW_YEAR)
    story.home.runner().run_due()
    reopen(story)
    assert only(story).runs[0].run.outcome == Outcome.ASKED
    vault = story.citizen.vault
    sent = vault.all(Kind.APPLICATION)
    assert len(sent) == 1
    withdraw(vault, consent.id, at=story.home.clock())
    story.home.runner().run_due()  # the funder is told
    lock(story)
    jump(story, NEXT)
    story.home.runner().run_due()
    vault = reopen(story)
    assert len(only(story).runs) == 1
    assert vault.all(Kind.APPLICATION) == sent


def test_a_period_without_a_right_is_not_asked_for(story: Story) -> None:
    agree(story, frequency=Frequency.QUARTER, last=date(2026, 12, 31))
    lock(story)
    jump(story, NEW_YEAR)
    story.home.runner().run_due()  # 11 days since October; the decree asks for 30
    vault = reopen(story)
    assert only(story).runs[0].run.outcome == Outcome.NOT_ENTITLED
    assert vault.all(Kind.APPLICATION) == []


def test_what_may_be_agreed_is_bounded(story: Story) -> None:
    for changes, reason in (
        ({"ceiling": Cents(0)}, "ceiling-refused"),
        ({"ceiling": Cents(10_000_001)}, "ceiling-refused"),
        ({"last": date(2030, 1, 1)}, "period-refused"),
        ({"confirmed_at": story.home.clock() - timedelta(minutes=6)}, "not-confirmed"),
    ):
        with pytest.raises(ActRefusedError, match=reason):
            agree(story, **changes)
    source = read_only(story)
    jump(story, story.home.clock() + timedelta(hours=2))
    reopen(story)
    with pytest.raises(ActRefusedError, match="request-expired"):
        apply_for_me(
            story.citizen.vault,
            source,
            story.catalogue,
            frequency=Frequency.YEAR,
            last=date(2026, 12, 31),
            ceiling=Cents(10_000),
            extent=Extent.SEND,
            confirmed_at=story.home.clock(),
        )
    assert standing(story.citizen.vault) == []
