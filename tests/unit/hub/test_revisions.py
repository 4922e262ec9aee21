"""What the catalogue said of an aid, and since when; what is not for all stays out of it."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from federation.aids.catalogue import open_catalogue
from federation.aids.errors import RuleImportError, TransitionRefusedError, UnknownAidError
from federation.aids.model import Aid, AidStatus, Visibility
from federation.hub.store import HubStore
from tests.hub_world import World, build_world

SLUG = "fmd-agents-publics-agglo"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build_world(tmp_path / "hub")


def published(world: World) -> dict[str, Aid]:
    signed = world.context.publishing.signed()
    assert signed is not None
    trust = world.context.registry.current()
    opened = open_catalogue(signed.content, lambda kid: trust.key(kid, world.clock()))
    return {aid.slug: aid for aid in opened.aids}


def seen(world: World, after: int = 0) -> tuple[dict[str, bool], int]:
    found, last = world.context.publishing.changed(after=after, limit=1_000)
    return {revision.aid.slug: is_open for revision, is_open in found}, last


def test_each_state_is_kept_with_who_why_and_what_changed(world: World) -> None:
    publishing = world.context.publishing
    publishing.move(SLUG, AidStatus.SUSPENDED, actor="hub", note="budget épuisé")
    publishing.move(SLUG, AidStatus.PUBLISHED, actor="hub")
    publishing.verify(SLUG, on=date(2026, 11, 21), next_review=date(2027, 11, 21), actor="hub")
    history = publishing.revisions(SLUG)
    assert [r.aid.status.value for r in history] == [
        "published", "suspended", "published", "published",
    ]  # fmt: skip
    assert [r.changed for r in history[1:]] == [
        ("status",), ("status",), ("nextReview",),
    ]  # fmt: skip
    assert history[1].note == "budget épuisé"
    numbers = [r.number for r in history]
    assert numbers == sorted(set(numbers))


def test_a_publication_that_changes_nothing_writes_no_line(world: World) -> None:
    publishing = world.context.publishing
    before = publishing.revisions(SLUG)
    publishing.add_aids(publishing.aid(SLUG))
    assert publishing.revisions(SLUG) == before


def test_the_feed_gives_what_came_and_what_went_once_each(world: World) -> None:
    publishing = world.context.publishing
    whole, last = seen(world)
    assert whole[SLUG] is True
    assert "velo-sarlat" not in whole, "never published, so never gone"
    publishing.move(SLUG, AidStatus.SUSPENDED, actor="hub")
    publishing.move(SLUG, AidStatus.PUBLISHED, actor="hub")
    publishing.move(SLUG, AidStatus.SUSPENDED, actor="hub")
    news, newest = seen(world, after=last)
    assert news == {SLUG: False}
    assert seen(world, after=newest) == ({}, newest)


def test_what_is_reserved_is_in_no_open_list(world: World) -> None:
    publishing = world.context.publishing
    staff = replace(publishing.aid(SLUG), visibility=Visibility.AFFILIATED)
    own = replace(staff, id=f"{staff.id}-bis", slug="reserve", visibility=Visibility.COMMUNITY)  # type: ignore[arg-type]
    draft = replace(
        own, id=f"{staff.id}-ter", slug="brouillon", status=AidStatus.DRAFT,
        visibility=Visibility.PUBLIC,
    )  # type: ignore[arg-type]  # fmt: skip
    _, last = seen(world)
    publishing.add_aids(staff, own, draft)
    assert {"reserve", "brouillon", SLUG}.isdisjoint(published(world))
    assert {"reserve", "brouillon", SLUG}.isdisjoint(a.slug for a in publishing.public().aids)
    assert seen(world, after=last)[0] == {SLUG: False}, "only what was open is told to be gone"
    for slug in ("reserve", "brouillon", SLUG):
        with pytest.raises(UnknownAidError):
            publishing.revisions(slug)
        assert publishing.aid(slug).slug == slug, "its own people still reach it"


def test_what_ends_is_expired_the_next_day_in_catalogue_and_feed(world: World) -> None:
    publishing = world.context.publishing
    publishing.add_aids(replace(publishing.aid(SLUG), ends_on=world.clock().date()))
    assert published(world)[SLUG].status is AidStatus.PUBLISHED
    _, last = seen(world)
    world.clock.advance(days=1)
    assert seen(world, after=last)[0] == {SLUG: False}
    assert published(world)[SLUG].status is AidStatus.EXPIRED
    assert publishing.revisions(SLUG)[-1].actor == "calendar"


def test_a_review_does_not_publish_what_its_example_denies(world: World) -> None:
    publishing = world.context.publishing
    aid = publishing.aid(SLUG)
    wrong = replace(aid.examples[0], expected_cents=1)
    publishing.add_aids(replace(aid, status=AidStatus.REVIEW, examples=(wrong,)))
    with pytest.raises(RuleImportError, match="expected 1 cents"):
        publishing.move(SLUG, AidStatus.PUBLISHED, actor="hub")
    assert publishing.aid(SLUG).status is AidStatus.REVIEW
    with pytest.raises(TransitionRefusedError):
        publishing.move(SLUG, AidStatus.SUSPENDED, actor="hub")


def test_an_older_store_begins_its_history_with_what_it_holds(tmp_path: Path) -> None:
    from federation.hub.store import MIGRATIONS, VERSION_TABLE
    from federation.hub.tables import AidRow
    from federation.wire import database

    url = f"sqlite:///{tmp_path / 'hub.db'}"
    world = build_world(tmp_path / "made")
    with world.context.store.read() as reader:
        documents = reader.aids()[:5]
    engine = database.create(url)
    database.migrate(engine, MIGRATIONS, version_table=VERSION_TABLE, target="hub_0006")
    with database.transact(engine) as session:
        for document in documents:
            session.add(
                AidRow(
                    slug=document["slug"],
                    id=document["id"],
                    funder=document["funder"],
                    model=document["rule"]["model"],
                    status=document["status"],
                    document=document,
                    updated_at=world.clock(),
                )
            )
    engine.dispose()
    again = HubStore(url)
    with again.read() as reader:
        found, last = reader.newest_revisions(after=0, limit=10)
        assert {r.aid.slug for r, _ in found} == {d["slug"] for d in documents}
        assert last == 5
        assert all(r.at == world.clock() for r, _ in found)
    again.close()
