"""Aids reserved to some: seen by who was handed the link, and nobody learns who looks."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from federation.aids.errors import UnknownAidError
from federation.aids.model import Visibility
from federation.hub.local import LocalHub
from schemas.ids import mint_iri
from schemas.records import Application, Extent, Frequency
from schemas.units import Cents
from tests.integration.vault.test_apply_for_me import NEW_YEAR, YEAR
from tests.integration.vault.test_sharing import PERIOD, Story, story
from tests.integration.vault.test_standing import jump, lock, only, reopen
from vault.circles import catalogue_of, circles, join, leave
from vault.errors import ActRefusedError
from vault.standing import apply_for_me
from vault.standing_terms import Outcome

__all__ = ["story"]  # a fixture of the story of sharing


def reserve(story: Story) -> str:
    """The story's aid becomes one for the staff; the link they are given."""
    context = story.world.context
    context.publishing.add_aids(replace(story.aid, visibility=Visibility.AFFILIATED))
    jump(story, story.home.clock() + timedelta(minutes=6))
    funder = next(f for f in context.publishing.funders() if f.did == story.aid.funder)
    return context.reserved.link(funder, Visibility.AFFILIATED)


def test_who_has_the_link_sees_the_aid_and_applies_and_the_hub_learns_it_from_the_application(
    story: Story, monkeypatch: Any
) -> None:
    link, vault = reserve(story), story.citizen.vault
    asked: list[Any] = []
    fetch = LocalHub.reserved

    def listen(self: LocalHub, *args: Any, **said: Any) -> Any:
        asked.append((args, said))
        return fetch(self, *args, **said)

    monkeypatch.setattr(LocalHub, "reserved", listen)
    with pytest.raises(UnknownAidError):
        catalogue_of(vault).aid(story.aid.slug)
    assert circles(vault) == ()
    found = join(vault, link)
    assert (found.funder, found.aids) == (story.aid.funder_name, (story.aid.slug,))
    assert join(vault, link) == found
    assert asked, "fetched without a word of who asks"
    assert all(args == () and set(said) <= {"if_version"} for args, said in asked)
    aid = catalogue_of(vault).aid(story.aid.slug)
    story.affiliate()
    disclosure = vault.prepare_application(aid, mint_iri(), period=PERIOD)
    consent = vault.share(disclosure, confirmed_at=story.home.clock())
    story.home.runner().run_due()
    assert consent.application is not None
    sent = vault.refresh_application(consent.application)
    assert isinstance(sent, Application)
    assert sent.amount == 10_000
    events = [event.event for event in vault.journal().events]
    assert events.count("circle-joined") == 1
    leave(vault, found.name)
    leave(vault, found.name)
    with pytest.raises(UnknownAidError):
        catalogue_of(vault).aid(story.aid.slug)
    assert circles(vault) == ()


def test_a_home_applies_for_a_reserved_aid_while_the_vault_is_locked(story: Story) -> None:
    link, vault = reserve(story), story.citizen.vault
    join(vault, link)
    story.affiliate()
    aid = catalogue_of(vault).aid(story.aid.slug)
    disclosure = vault.prepare_application(aid, mint_iri(), period=YEAR)
    apply_for_me(
        vault,
        type(aid.id)(f"urn:uuid:{disclosure.id}"),
        catalogue_of(vault),
        frequency=Frequency.YEAR,
        last=YEAR[1],
        ceiling=Cents(10_000),
        extent=Extent.SEND,
        confirmed_at=story.home.clock(),
    )
    lock(story)
    jump(story, NEW_YEAR)
    assert story.home.runner().run_due() == 2
    reopen(story)
    assert only(story).runs[0].run.outcome == Outcome.SENT


def test_a_link_that_opens_nothing_is_not_kept(story: Story) -> None:
    link, vault = reserve(story), story.citizen.vault
    for wrong, reason in (
        ("bonjour", "circle-link"),
        (link.partition("#")[0], "circle-link"),
        (link[:-3] + ("AAA" if not link.endswith("AAA") else "BBB"), "circle-"),
    ):
        with pytest.raises(ActRefusedError, match=reason):
            join(vault, wrong)
    assert circles(vault) == ()
    kept = join(vault, link)
    context = story.world.context
    context.publishing.add_aids(story.aid)  # open to all again: nothing is left in the circle
    jump(story, story.home.clock() + timedelta(minutes=6))
    (found,) = circles(vault)
    assert (found.name, found.aids) == (kept.name, ())
    assert catalogue_of(vault).aid(story.aid.slug).slug == story.aid.slug
