"""The public page reads the evidence of a decision as the command does, and of a bad one none."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from federation.decision_log import Entry, Evidence, EvidenceMalformedError
from federation.hub.members import Member
from federation.hub.model import StatusAct
from portal.i18n import translator
from portal.pages.decision_evidence import decision_view
from portal.pages.verify import decision_verdict
from tests.hub_world import World, build_world
from tests.unit.hub.test_decision_log import Authority, awarded, evidence_of
from tests.unit.hub.test_decisions import apply, officer

FR, EN = translator("fr"), translator("en")


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    running = Authority()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("hub")
    made = build_world(folder, settings=authority.settings(folder))
    authority.clock = made.clock
    yield made
    made.context.close()


@pytest.fixture(scope="module")
def good(world: World) -> bytes:
    citizen, application = awarded(world)
    return evidence_of(world, citizen, application)


@pytest.fixture(scope="module")
def member(world: World) -> Member:
    return officer(world)


def verdict(found: dict[str, Any]) -> str:
    return decision_verdict(FR, found["check_items"])["kind"]


def test_a_good_one_says_what_was_decided_and_each_step(world: World, good: bytes) -> None:
    found = decision_view(FR, world.context, good)
    assert verdict(found) == "ok"
    facts = dict(found["facts"])
    assert facts["Décision"] == "Acceptée" and facts["Montant"].startswith("100")
    assert facts["Financeur"] == world.context.publishing.funder("agglo").name
    assert [step["state"] for step in found["steps"]] == ["Envoyée", "Acceptée"]
    assert found["steps"][-1]["actor"] == "la règle de calcul"
    assert {row["css"] for row in found["standing"]} == {"ok"}
    stamp = next(row for row in found["check_items"] if row["code"] == "timestamp")
    assert "comparez-la" not in stamp["text"], "the hub believes its own authority"
    english = decision_view(EN, world.context, good)
    assert dict(english["facts"])["Decision"] == "Accepted"


def test_an_altered_one_shows_nothing_of_what_it_says(world: World, good: bytes) -> None:
    evidence = Evidence.from_zip(good)
    last = evidence.steps[-1]
    record = json.loads(last.entry.record)
    richer = Entry.of({**record, "amountCents": 900_00}, salt=last.entry.salt)
    bad = replace(evidence, steps=(*evidence.steps[:-1], replace(last, entry=richer)))
    found = decision_view(FR, world.context, bad.to_zip())
    assert verdict(found) == "bad"
    assert set(found) == {"check_items"}


def test_one_without_its_timestamp_cannot_be_told_yet(world: World, good: bytes) -> None:
    pending = replace(Evidence.from_zip(good), timestamp=None)
    assert verdict(decision_view(FR, world.context, pending.to_zip())) == "warn"


def test_another_authority_is_named_for_the_reader_to_compare(
    world: World, authority: Authority
) -> None:
    citizen, application = awarded(world)
    evidence = Evidence.from_zip(evidence_of(world, citizen, application))
    other = replace(evidence, authority=evidence.authority + b"\n")
    found = decision_view(FR, world.context, other.to_zip())
    stamp = next(row for row in found["check_items"] if row["code"] == "timestamp")
    assert verdict(found) == "ok" and "comparez-la" in stamp["text"]
    foreign = replace(evidence, authority=authority.other.root_pem)
    assert verdict(decision_view(FR, world.context, foreign.to_zip())) == "bad"


def test_a_refusal_is_shown_without_an_amount_and_with_its_reason(
    world: World, member: Member
) -> None:
    citizen, application = apply(world, 12)
    world.context.desk.decide(member, application, accept=False, reason="<b>Trop peu</b> de jours.")
    world.context.runner().run_due()
    world.context.log.advance()
    world.context.runner().run_due()
    found = decision_view(FR, world.context, evidence_of(world, citizen, application))
    assert verdict(found) == "ok" and found["standing"] is None
    assert "Montant" not in dict(found["facts"])
    assert found["steps"][-1]["reason"] == "<b>Trop peu</b> de jours."


def test_a_revoked_award_was_granted_and_stands_no_more(world: World, member: Member) -> None:
    citizen, application = awarded(world)
    standing = world.context.standing
    signed = standing.of_application(member, application)
    standing.change(member, signed, StatusAct.REVOKE, "Pièce fausse")
    found = decision_view(FR, world.context, evidence_of(world, citizen, application))
    assert verdict(found) == "ok", "what was decided then stays true"
    assert "fail" in {row["css"] for row in found["standing"]}


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"PK\x03\x04" + bytes(200)])
def test_another_zip_is_refused_by_name(world: World, data: bytes) -> None:
    with pytest.raises(EvidenceMalformedError):
        decision_view(FR, world.context, data)
