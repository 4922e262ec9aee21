"""A desk with an account at the register of carpool journeys looks up what applications name."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.sandbox.api.register import ACCESS_KEY, SECRET_KEY
from connectors.sandbox.parties import SandboxSettings
from federation.aids.model import Aid, IdentityLevel
from federation.hub.aid_forms import make_aid
from federation.hub.desk import DeskView
from federation.hub.draft_sheet import (
    DraftSheet,
    ExampleCells,
    LineCells,
    QuestionCells,
    read_sheet,
)
from federation.hub.errors import HubSettingsError
from federation.hub.holder_proof import sign_status_proof
from federation.hub.local import LocalHub
from federation.hub.register import JOB, REGISTER
from federation.hub.settings import HubSettings
from federation.wire.http import BoundedClient
from federation.wire.jobs import JobState
from portal.register import account_of
from schemas.ids import Iri, mint_iri
from schemas.records import ApplicationState
from tests.hub_world import PERIOD, Citizen, Clock, World, build_world, hub_settings, send
from tests.unit.connectors.test_register import Sandboxed

__all__ = ["register"]
NAME = "trajet . référence"


@pytest.fixture
def register(sandbox: SandboxSettings, outbound: BoundedClient, clock: Any) -> Sandboxed:
    return Sandboxed(sandbox, outbound, clock)


def journey_aid(world: World) -> Aid:
    """50 € for a first shared journey, on the word of who names it; written in the editor."""
    question = QuestionCells(
        variable=NAME,
        title="Référence du trajet",
        question="Quelle est la référence de votre trajet ?",
        kind="text",
    )
    sheet = DraftSheet(
        title="Premier covoiturage",
        summary="50 € pour un premier trajet partagé, inscrit au registre.",
        themes=("covoiturage",),
        questions=(question,),
        lines=(LineCells(kind="fixed", amount="50"),),
        statement="Je déclare sur l'honneur que ce trajet est le mien.",
        journey=NAME,
        examples=(ExampleCells(label="Un trajet", answers={NAME: "J-1"}, expected="50"),),
    )
    form = read_sheet(sheet, rule="aide").form
    funder = world.context.publishing.funder("agglo")
    assert form is not None and funder is not None
    made = make_aid(form, base=None, funder=funder, slug="premier-covoiturage", version="1",
                    at=world.clock().date())  # fmt: skip
    aid = replace(
        made.aid,
        credentials_required=("AffiliationCredential",),
        identity_level=IdentityLevel.DECLARED,
    )
    world.context.publishing.add_aids(aid, models=made.models)
    return aid


def world_of(folder: Path, sandbox: SandboxSettings, secret: str = SECRET_KEY) -> World:
    account = {
        "register_url": f"{sandbox.base_url}/registre/v3.3",
        "register_funder": "agglo",
        "register_access_key": SecretStr(ACCESS_KEY),
        "register_secret_key": SecretStr(secret),
    }
    settings = hub_settings(folder).model_copy(update=account)
    return build_world(folder, settings=account, register=lambda c: account_of(settings, clock=c))


@pytest.fixture
def world(tmp_path: Path, sandbox: SandboxSettings) -> Iterator[World]:
    made = world_of(tmp_path, sandbox)
    yield made
    made.context.close()


def proof(world: World, citizen: Citizen, application: Iri) -> str:
    hub = world.context
    return sign_status_proof(
        application, holder=citizen.key.signer(), audience=hub.settings.did, at=world.clock()
    )


def named(world: World, reference: str, citizen: Citizen | None = None) -> Iri:
    """An application that names a journey."""
    who, hub, application = citizen or world.citizen(), LocalHub(world.context), mint_iri()
    aid = journey_aid(world)
    pointer = hub.request(aid.id, application, period=PERIOD)
    send(hub, who.answer(pointer, who.affiliation(), hub=hub))
    jwt = proof(world, who, application)
    hub.declare(application, proof_jwt=jwt, answers={NAME: reference})
    return application


def check(world: World, application: Iri) -> tuple[str, str]:
    found = opened(world, application)
    (told,) = [c for c in found.view.declared if c.code == "carpool-register"]
    assert told.words["en"] and told.words["step_en"] == "Register of carpool proofs"
    return told.outcome, told.words["fr"]


def opened(world: World, application: Iri) -> DeskView:
    members = world.context.members
    login = "covoiturage@agglo.example"
    try:
        who = members.sign_in(login, "un mot de passe long").member
    except Exception:
        who = members.add(login, "un mot de passe long", funder="agglo")
    return world.context.desk.open(who, application)


def test_a_journey_the_register_retains_for_good_passes_and_a_person_still_decides(
    world: World, register: Sandboxed
) -> None:
    day = world.clock()
    register.tell("D-1", status="ok", created_at=(day - timedelta(days=5)).isoformat())
    application = named(world, "D-1")
    assert check(world, application)[0] == "cannot-tell", "asked in the background"
    world.context.runner().run_due()
    assert check(world, application) == ("pass", "Le trajet est retenu.")
    found = opened(world, application).application
    assert found.state is ApplicationState.SUBMITTED and found.to_review
    said = "Registre de preuve de covoiturage : le trajet est retenu."
    assert [(s.actor, s.reason) for s in found.history].count(("hub", said)) == 1
    assert found.claims[REGISTER]["reference"] == "D-1"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("fraud_error", "Le trajet est écarté : fraude (interoperator_overlap)."),
        ("anomaly_error", "Le trajet est écarté : anomalie (interoperator_overlap)."),
        ("canceled", "Le trajet a été annulé (interoperator_overlap)."),
    ],
)
def test_a_journey_set_aside_fails_with_the_registers_reason_and_is_refused_by_nobody(
    world: World, register: Sandboxed, status: str, words: str
) -> None:
    name = f"D-{status.replace('_', '-')}"
    register.tell(name, status=status, fraud_error_labels=[{"label": "interoperator_overlap"}])
    application = named(world, name)
    world.context.runner().run_due()
    assert check(world, application) == ("fail", words)
    assert opened(world, application).application.state is ApplicationState.SUBMITTED


def test_what_is_not_settled_is_asked_again_each_day_and_settles(
    world: World, register: Sandboxed
) -> None:
    day = world.clock()
    register.tell("D-2", status="pending", created_at=day.isoformat())
    application = named(world, "D-2")
    runner = world.context.runner()
    runner.run_due()
    assert check(world, application)[0] == "cannot-tell"
    register.tell("D-2", status="ok", created_at=day.isoformat())
    world.clock.advance(hours=25)
    runner.run_due()
    assert check(world, application)[0] == "cannot-tell", "retained for less than two days"
    world.clock.advance(hours=25)
    runner.run_due()
    assert check(world, application)[0] == "pass"
    steps = opened(world, application).application.history
    assert sum(step.reason.startswith("Registre") for step in steps) == 1, "said once"


def test_a_journey_nobody_sent_is_waited_for_a_day_and_another_name_is_asked_anew(
    world: World, register: Sandboxed
) -> None:
    citizen = world.citizen()
    application = named(world, "D-jamais", citizen)
    runner = world.context.runner()
    runner.run_due()
    assert check(world, application)[0] == "cannot-tell", "it may still appear"
    world.clock.advance(hours=25)
    runner.run_due()
    outcome, words = check(world, application)
    assert outcome == "fail" and "envoyé par ce compte" in words
    register.tell("D-3", status="ok", created_at="2026-11-01T00:00:00+0100")
    jwt = proof(world, citizen, application)
    LocalHub(world.context).declare(application, proof_jwt=jwt, answers={NAME: "D-3"})
    assert check(world, application)[0] == "cannot-tell", "nothing was said of that journey yet"
    runner.run_due()
    assert check(world, application)[0] == "pass"


def test_a_proof_sent_again_keeps_what_was_declared_and_what_the_register_said(
    world: World, register: Sandboxed
) -> None:
    citizen, hub = world.citizen(), LocalHub(world.context)
    days = timedelta(days=5)
    register.tell("D-4", status="ok", created_at=(world.clock() - days).isoformat())
    application = named(world, "D-4", citizen)
    world.context.runner().run_due()
    before = opened(world, application)
    assert check(world, application)[0] == "pass"
    pointer = hub.request(journey_aid(world).id, application, period=PERIOD)
    send(hub, citizen.answer(pointer, citizen.affiliation(), hub=hub))
    after = opened(world, application)
    assert after.claims["Declaration"] == before.claims["Declaration"]
    assert after.view.amount_cents == before.view.amount_cents
    assert check(world, application)[0] == "pass"


@pytest.mark.parametrize("reference", ["../auth/credentials", "un trajet", "é" * 80])
def test_what_is_no_reference_fails_and_is_sent_nowhere(world: World, reference: str) -> None:
    application = named(world, reference)
    world.context.runner().run_due()
    assert check(world, application)[0] == "fail"


def test_an_outage_of_an_hour_and_a_wrong_key_delay_and_refuse_nobody(
    tmp_path: Path, sandbox: SandboxSettings, register: Sandboxed
) -> None:
    register.tell("D-4", status="ok", created_at="2026-11-01T00:00:00Z")
    world = world_of(tmp_path, sandbox, secret="wrong")
    try:
        application = named(world, "D-4")
        runner, jobs = world.context.runner(), world.context.store.outbox
        for minutes in (0, 15, 15, 30):
            world.clock.advance(minutes=minutes)
            runner.run_due()
            outcome, words = check(world, application)
            assert (outcome, "rien n'est refusé" in words) == ("cannot-tell", True)
        found = opened(world, application).application
        assert found.state is ApplicationState.SUBMITTED and found.decided_at is None
        (job,) = jobs.of_owner("", kind=JOB)
        assert (job.state, job.error_code) == (JobState.WAITING, "register-away")
    finally:
        world.context.close()
    # The register answers again: the same job, at a node with the right key.
    right = {"register_secret_key": SecretStr(SECRET_KEY)}
    settings = world.context.settings.model_copy(update=right)
    again = type(world.context).build(
        settings, clock=world.clock, register=account_of(settings, clock=world.clock)
    )
    try:
        world.context = again
        world.clock.advance(hours=1)
        again.runner().run_due()
        assert check(world, application)[0] == "pass"
    finally:
        again.close()


def test_without_an_account_the_check_is_not_declared_and_the_register_is_not_asked(
    tmp_path: Path,
) -> None:
    world = build_world(tmp_path)
    try:
        application = named(world, "D-5")
        told = [c.code for c in opened(world, application).view.declared]
        assert "declaration" in told and "carpool-register" not in told
        assert world.context.store.outbox.of_owner("", kind=JOB) == ()
    finally:
        world.context.close()


def test_half_an_account_is_refused_and_its_keys_are_not_printed(tmp_path: Path) -> None:
    with pytest.raises(HubSettingsError):
        HubSettings(folder=tmp_path, allow_loopback=True, register_url="http://localhost/v3.3")
    whole = hub_settings(tmp_path).model_copy(
        update={
            "register_url": "http://localhost:1/v3.3",
            "register_funder": "agglo",
            "register_access_key": SecretStr("cle-d-acces"),
            "register_secret_key": SecretStr("cle-secrete"),
        }
    )
    account = account_of(whole, clock=Clock())
    assert account is not None
    account.close()
    assert "cle-" not in repr(whole) + repr(account)
