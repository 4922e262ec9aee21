"""What an aid declares it checks: its order, three outcomes, the same list for desk and citizen."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from federation.aids.model import Aid, CheckMode
from federation.credentials import StatusEntry
from federation.hub.declared import DeclaredCheck, declared_of
from federation.hub.desk import DeskView
from federation.hub.holder_proof import sign_status_proof
from federation.hub.local import LocalHub
from federation.hub.members import Member
from federation.sealing import FunderKey, SealSuite, seal_document
from schemas.records import ApplicationState
from tests.hub_world import Citizen, World, build_world
from tests.unit.hub.test_documents import attach
from vault.crypto.box_key import BoxPrivateKey

OUT = StatusEntry("https://paie.example/status/1", 7)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = build_world(tmp_path_factory.mktemp("declared"))
    yield made
    made.context.close()


@pytest.fixture(scope="module")
def officer(world: World) -> Member:
    return world.context.members.add("o@agglo.example", "un mot de passe long", funder="agglo")


def aid_with(world: World, **extra: Any) -> Aid:
    """The world's aid, with members of its own."""
    hub = world.context
    found = hub.publishing.aid(world.aid)
    changed = dataclasses.replace(found, extra=extra, check_mode=CheckMode.AUTOMATIC)
    hub.publishing.add_aids(changed)
    return changed


def opened(world: World, officer: Member, citizen: Citizen, *held: Any) -> DeskView:
    application, _ = citizen.apply(LocalHub(world.context), *held)
    return world.context.desk.open(officer, application)


def outcomes(view: DeskView) -> list[tuple[str, str]]:
    return [(c.code, c.outcome) for c in view.view.declared]


def test_every_check_that_applies_stands_in_order_and_the_citizen_reads_the_same(
    world: World, officer: Member
) -> None:
    aid_with(world, documents=["RIB"], budgetCents=10_000_00, freshnessDays=30)
    citizen = world.citizen()
    view = opened(world, officer, citizen)
    assert outcomes(view) == [
        ("identity-level", "pass"),
        ("affiliation", "pass"),
        ("freshness", "pass"),
        ("usage", "pass"),
        ("documents", "fail"),
        ("exclusivity", "pass"),
        ("budget", "pass"),
    ]
    assert [c.step for c in view.view.declared] == [1, 2, 3, 4, 5, 6, 7]
    assert view.application.to_review, "a missing document is a person's question, not a refusal"
    assert view.application.state is ApplicationState.SUBMITTED
    hub = world.context
    proof = sign_status_proof(
        view.application.id,
        holder=citizen.key.signer(),
        audience=hub.settings.did,
        at=world.clock(),
    )
    theirs = LocalHub(hub).application(view.application.id, proof_jwt=proof)
    assert theirs.declared == view.view.declared
    assert all(c.words["fr"] and c.words["en"] and c.words["step_fr"] for c in theirs.declared)
    usage = {c.code: c.words for c in theirs.declared}["usage"]
    assert usage["fr"].startswith("Vérifiée, du 1er janvier 2026 au 20 novembre 2026, par ")
    assert usage["en"].startswith("Verified, from 1 January 2026 to 20 November 2026, by ")


def test_an_aid_names_its_own_order_and_an_unknown_name_is_passed_over(world: World) -> None:
    aid = aid_with(world, checks=["usage", "exclusivity", "nothing", "affiliation", "budget"])
    assert declared_of(aid) == (
        DeclaredCheck.USAGE,
        DeclaredCheck.EXCLUSIVITY,
        DeclaredCheck.AFFILIATION,
    )


def test_a_source_out_of_reach_cannot_be_told_and_is_tried_again_by_itself(
    world: World, officer: Member
) -> None:
    """B-17: there, a network error became a definitive refusal."""
    from federation.credentials import StatusList, issue_status_list
    from tests.hub_world import EMPLOYER

    aid_with(world)
    citizen, hub = world.citizen(), world.context
    view = opened(world, officer, citizen, citizen.usage(), citizen.affiliation(status_entry=OUT))
    assert view.application.state is ApplicationState.SUBMITTED
    assert set(outcomes(view)) == {
        (name, "cannot-tell") for name in ("identity-level", "affiliation", "usage", "exclusivity")
    }
    hub.runner().run_due()
    assert hub.desk.open(officer, view.application.id).application.state is view.application.state
    world.clock.advance(minutes=30)
    world.lists.lists[OUT.list_url] = issue_status_list(
        StatusList.empty(),
        url=OUT.list_url,
        signer=world.employer.signer(f"{EMPLOYER}#cle-1"),
        at=world.clock(),
        valid_until=world.clock.at.replace(year=world.clock.at.year + 1),
    )
    hub.runner().run_due()
    after = hub.desk.open(officer, view.application.id)
    assert after.application.state is ApplicationState.ACCEPTED
    assert {outcome for _, outcome in outcomes(after)} == {"pass"}


def test_a_document_too_old_goes_to_a_person_with_its_reason(world: World, officer: Member) -> None:
    aid_with(world, freshnessDays=30)
    citizen = world.citizen()
    old = citizen.affiliation()
    world.clock.advance(days=31)
    view = opened(world, officer, citizen, citizen.usage(), old)
    stale = {c.code: c for c in view.view.declared}["freshness"]
    assert stale.outcome == "fail" and "trop ancien" in stale.words["fr"]
    assert view.application.to_review and view.application.state is ApplicationState.SUBMITTED


def test_a_joined_document_and_a_used_up_budget_show_at_once(world: World, officer: Member) -> None:
    hub = world.context
    aid_with(world, documents=["RIB"], budgetCents=1)
    citizen = world.citizen()
    view = opened(world, officer, citizen)
    assert ("budget", "fail") in outcomes(view) and ("documents", "fail") in outcomes(view)
    key = BoxPrivateKey.generate(SealSuite.P256)
    made = hub.document_keys.publish(officer, key.public.raw)
    to = FunderKey(view.application.funder, made.version, key.public, made.not_after)
    sealed = seal_document(
        b"%PDF-1.7",
        name="rib.pdf",
        media_type="application/pdf",
        application=view.application.id,
        to=to,
        at=world.clock(),
    )
    attach(world, citizen, view.application.id, sealed)
    assert ("documents", "pass") in outcomes(hub.desk.open(officer, view.application.id))
