"""The clock, answers, appeals, budgets and payment files of applications."""

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from federation.aids.model import aid_to_json
from federation.hub.access import Caller
from federation.hub.csv_files import read_csv, read_payroll, write_csv
from federation.hub.errors import (
    AlreadyAwardedError,
    ArchiveTooLargeError,
    DecisionRefusedError,
    FileRefusedError,
    NotAllowedError,
    NothingToPayError,
    PaymentUnknownError,
)
from federation.hub.holder_proof import sign_status_proof
from federation.hub.local import LocalHub
from federation.hub.members import Member
from federation.hub.model import QueueFilter
from schemas.ids import Iri
from schemas.records import ApplicationState
from tests.hub_world import Citizen, World, build_world

PASSWORD = "un mot de passe long"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build_world(tmp_path)
    yield made
    made.context.close()


@pytest.fixture
def on_both(tmp_path: Path, database_url: str) -> Iterator[World]:
    made = build_world(tmp_path, database_url=database_url)
    yield made
    made.context.close()


def officer(world: World) -> Member:
    return world.context.members.add(
        "o@agglo.example", PASSWORD, name="Dominique Sabatier", funder="agglo"
    )


def apply(world: World, days: int, citizen: Citizen | None = None) -> tuple[Citizen, Iri]:
    who = citizen or world.citizen()
    application, _ = who.apply(LocalHub(world.context), who.usage(days=days), who.affiliation())
    return who, application


def proof(world: World, citizen: Citizen, application: Iri) -> str:
    return sign_status_proof(
        application,
        holder=citizen.key.signer(),
        audience=world.context.settings.did,
        at=world.clock(),
    )


def limit_budget(world: World, cents: int) -> None:
    """Give the aid an envelope."""
    import dataclasses

    aid = world.context.publishing.aid(world.aid)
    changed = dataclasses.replace(aid, extra={**aid.extra, "budgetCents": cents})
    assert aid_to_json(changed)["budgetCents"] == cents
    world.context.publishing.add_aids(changed)


def test_a_request_for_information_stops_the_clock_and_the_answer_starts_it(world: World) -> None:
    hub, who = world.context, officer(world)
    citizen, application = apply(world, 12)
    due = hub.desk.open(who, application).application.due_at
    world.clock.advance(days=10)
    hub.desk.request_information(who, application, message="Et mai ?")
    with pytest.raises(DecisionRefusedError):
        hub.desk.request_information(who, application, message="Et juin ?")
    world.clock.advance(days=100)
    assert hub.desk.queue(who, QueueFilter(late_at=world.clock())).items == ()
    view = LocalHub(hub).application(application, proof_jwt=proof(world, citizen, application))
    assert view.receipt is not None
    assert view.receipt.stopped_at is not None and view.message == "Et mai ?"
    view = LocalHub(hub).answer(
        application, proof_jwt=proof(world, citizen, application), text="Je roulais en mai."
    )
    assert view.state == "completed" and view.receipt is not None
    assert view.receipt.stopped_at is None
    assert view.receipt.due_at == due + timedelta(days=100)
    assert view.history[-1].reason == "Je roulais en mai."
    found = hub.desk.open(who, application).application
    assert found.to_review and found.message == ""
    world.clock.advance(days=51)
    assert [a.id for a in hub.desk.queue(who, QueueFilter(late_at=world.clock())).items] == [
        application
    ]


def test_nobody_answers_what_was_not_asked_nor_for_another(world: World) -> None:
    hub = world.context
    citizen, application = apply(world, 12)
    with pytest.raises(DecisionRefusedError):
        hub.applications.answer(
            application, proof_jwt=proof(world, citizen, application), text="Bonjour"
        )
    hub.desk.request_information(officer(world), application, message="Et mai ?")
    from federation.hub.errors import ApplicationUnknownError

    with pytest.raises(ApplicationUnknownError):
        hub.applications.answer(
            application, proof_jwt=proof(world, world.citizen(), application), text="Bonjour"
        )
    with pytest.raises(DecisionRefusedError):
        hub.applications.answer(application, proof_jwt="x", text="  ")


def test_the_acknowledgement_says_who_until_when_and_what_silence_means(world: World) -> None:
    citizen, application = apply(world, 12)
    hub = LocalHub(world.context)
    view = hub.application(application, proof_jwt=proof(world, citizen, application))
    assert view.receipt is not None
    aid = world.context.publishing.aid(world.aid)
    assert view.receipt.received_at == world.clock()
    assert view.receipt.due_at == world.clock() + timedelta(days=aid.decision_time_days)
    assert view.receipt.service == "Agglomération de l'Aude"
    assert view.receipt.silence == aid.silence_means


def test_an_accepted_appeal_claims_its_period_again_and_a_taken_one_is_refused(
    world: World,
) -> None:
    """A refusal releases the period; accepting the appeal without claiming it would award twice."""
    hub, who = world.context, officer(world)
    citizen, first = apply(world, 12)
    hub.desk.decide(who, first, accept=False, reason="12 jours")
    LocalHub(hub).appeal(first, proof_jwt=proof(world, citizen, first), reason="Erreur")
    _, second = apply(world, 41, citizen)
    with pytest.raises(AlreadyAwardedError):
        hub.desk.decide(who, first, accept=True, reason="d'accord", amount_cents=100_00)
    assert hub.desk.open(who, first).application.state is ApplicationState.APPEALED
    other, third = apply(world, 12)
    hub.desk.decide(who, third, accept=False, reason="12 jours")
    LocalHub(hub).appeal(third, proof_jwt=proof(world, other, third), reason="Erreur")
    hub.desk.decide(who, third, accept=True, reason="d'accord", amount_cents=100_00)
    from federation.errors import HubRefusedError

    with pytest.raises(HubRefusedError) as refused:
        apply(world, 41, other)
    assert refused.value.hub_code == "already-awarded"
    assert second != third


def test_a_reason_template_names_the_line_of_the_rule(world: World) -> None:
    _, application = apply(world, 12)
    templates = world.context.desk.open(officer(world), application).templates
    assert templates[0].id == "rule-0"
    assert "9 mai 2020" in templates[0].words["fr"]
    assert {t.id for t in templates} >= {"document-missing", "not-covered"}


def test_the_queue_filters_by_assignee_number_and_aid(world: World) -> None:
    hub, who = world.context, officer(world)
    citizen = world.citizen()
    citizen.number = "Z-77"
    _, application = apply(world, 12, citizen)
    _, other = apply(world, 12)
    hub.desk.assign(who, application, to_self=True)

    def ids(wanted: QueueFilter) -> set[Iri]:
        return {a.id for a in hub.desk.queue(who, wanted).items}

    assert ids(QueueFilter(assignee=who.id)) == {application}
    assert ids(QueueFilter(assignee="")) == {other}
    assert ids(QueueFilter(search="Z-77")) == {application}
    assert ids(QueueFilter(search="Z-7")) == set(), "a number is compared whole"
    assert ids(QueueFilter(aid=world.refund)) == set()
    hub.desk.assign(who, application, to_self=False)
    assert ids(QueueFilter(assignee=who.id)) == set()


# -- budget ---------------------------------------------------------------------------------------


def test_the_last_euro_of_a_budget_is_granted_once(on_both: World) -> None:
    """Eight people at once, an envelope for three: exactly three, on SQLite and PostgreSQL."""
    world = on_both
    limit_budget(world, 3 * 100_00)
    outcomes: list[str] = []
    citizens = [world.citizen() for _ in range(8)]

    def send(citizen: Citizen) -> None:
        _, receipt = citizen.apply(
            LocalHub(world.context), citizen.usage(days=41), citizen.affiliation()
        )
        outcomes.append(receipt.state)

    threads = [threading.Thread(target=send, args=(c,)) for c in citizens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert sorted(outcomes) == ["accepted"] * 3 + ["submitted"] * 5
    who = officer(world)
    waiting = world.context.desk.queue(who, QueueFilter(to_review=True)).items
    assert {a.reasons[0]["code"] for a in waiting} == {"budget-exhausted"}
    with pytest.raises(DecisionRefusedError) as refused:
        world.context.desk.decide(who, waiting[0].id, accept=True, reason="oui", amount_cents=1)
    assert refused.value.where == "budget"
    budget = world.context.payments.budgets(who)[0][1]
    assert (budget.committed, budget.paid, budget.left) == (300_00, 0, 0)


# -- payments -------------------------------------------------------------------------------------


def test_an_award_is_in_one_payment_file_and_is_paid_once(world: World) -> None:
    hub, who = world.context, officer(world)
    with pytest.raises(NothingToPayError):
        hub.payments.make(who)
    citizen, application = apply(world, 41)
    apply(world, 12)
    made = hub.payments.make(who)
    assert (made.number, made.count, made.total) == (1, 1, 100_00)
    with pytest.raises(NothingToPayError):
        hub.payments.make(who)
    lines = read_payroll(hub.payments.payroll(who, 1))
    assert [(x.employee, x.days, x.amount, x.application) for x in lines] == [
        (citizen.number, 41, 100_00, application)
    ]
    view = LocalHub(hub).application(application, proof_jwt=proof(world, citizen, application))
    assert (view.state, view.history[-1].actor) == ("awarded", who.name)
    assert (hub.payments.confirm(who, 1), hub.payments.confirm(who, 1)) == (1, 0)
    assert hub.desk.open(who, application).application.state is ApplicationState.PAID
    with pytest.raises(DecisionRefusedError):
        hub.desk.decide(who, application, accept=False, reason="trop tard")
    assert hub.payments.payroll(who, 1) == hub.payments.payroll(who, 1)


def test_two_officers_who_press_at_once_make_one_file(world: World) -> None:
    hub, who = world.context, officer(world)
    apply(world, 41)
    outcomes: list[str] = []

    def press() -> None:
        try:
            hub.payments.make(who)
            outcomes.append("made")
        except NothingToPayError:
            outcomes.append("nothing")

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(outcomes) == ["made", "nothing", "nothing", "nothing"]
    assert len(hub.payments.payments(who)) == 1


def test_a_payment_file_is_its_funders_alone(world: World) -> None:
    hub, who = world.context, officer(world)
    apply(world, 41)
    hub.payments.make(who)
    hub.publishing.add_funder("autre", "Autre", siret="73282932000074")
    stranger = hub.members.add("x@autre.example", PASSWORD, funder="autre")
    assert hub.payments.payments(stranger) == ()
    with pytest.raises(PaymentUnknownError):
        hub.payments.payroll(stranger, 1)
    watcher = hub.members.add(
        "s@agglo.example", PASSWORD, roles=frozenset((Caller.SUPERVISOR,)), funder="agglo"
    )
    with pytest.raises(NotAllowedError):
        hub.payments.make(watcher)


def test_the_archive_holds_decisions_of_its_period_and_their_awards(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, who = world.context, officer(world)
    _, accepted = apply(world, 41)
    _, refused = apply(world, 12)
    hub.desk.decide(who, refused, accept=False, reason="=12 jours")
    apply(world, 12)
    now = world.clock()
    data = hub.payments.archive(who, since=now, until=now + timedelta(days=1))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = [json.loads(line) for line in archive.read("decisions.jsonl").splitlines()]
        assert {d["id"] for d in found} == {accepted, refused}
        name = f"attributions/{accepted.rsplit(':', 1)[-1]}.jsonld"
        award = json.loads(archive.read(name))
        assert b";'=12 jours" in archive.read("decisions.csv")
    assert award["type"] == ["VerifiableCredential", "AwardCredential"]
    assert hub.payments.archive(who, since=now, until=now + timedelta(days=1)) == data
    empty = hub.payments.archive(who, since=now + timedelta(days=1), until=now + timedelta(days=2))
    with zipfile.ZipFile(io.BytesIO(empty)) as archive:
        assert archive.read("decisions.jsonl") == b""
    monkeypatch.setattr("federation.hub.payments.MAX_ARCHIVE", 1)
    with pytest.raises(ArchiveTooLargeError):
        hub.payments.archive(who, since=now, until=now + timedelta(days=1))


# -- CSV ------------------------------------------------------------------------------------------

_CELL = st.text(
    st.characters(exclude_characters="\x00", exclude_categories=("Cs", "Cc", "Zl", "Zp")),
    max_size=40,
) | st.sampled_from(["=1+1", "+33", "-2", "@a", "'x", "''", "a;b", 'a"b'])


@given(st.lists(st.tuples(_CELL, _CELL), max_size=8))
def test_what_is_written_is_read_back_and_no_cell_runs(rows: list[tuple[str, str]]) -> None:
    data = write_csv(("a", "b"), rows)
    assert [(r["a"], r["b"]) for r in read_csv(data, ("a", "b"))] == rows
    for line in data.decode("utf-8-sig").splitlines()[1:]:
        assert not line.startswith(("=", "+", "@", "-"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"a;b\r\n1;2\r\n",
        b"matricule;jours;montant;debut;fin;aide;demande\r\n1;2\r\n",
        b"matricule;jours;montant;debut;fin;aide;demande\r\nA;x;1,00;2026-01-01;2026-01-02;a;b\r\n",
        b"matricule;jours;montant;debut;fin;aide;demande\r\nA;1;1.00;2026-01-01;2026-01-02;a;b\r\n",
        b"matricule;jours;montant;debut;fin;aide;demande\r\nA;1;1,00;hier;2026-01-02;a;b\r\n",
        b"matricule;jours;montant;debut;fin;aide;demande\r\n" + b"A" * 2_000 + b";" * 6,
    ],
)  # fmt: skip
def test_a_payroll_file_that_is_none_is_a_typed_refusal(data: bytes) -> None:
    with pytest.raises(FileRefusedError):
        read_payroll(data)


def test_a_decision_is_seven_statements_and_the_lock_is_the_first(on_both: World) -> None:
    hub, who = on_both.context, officer(on_both)
    _, application = apply(on_both, 12)
    said: list[str] = []

    def listen(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(" ".join(statement.split()))

    event.listen(hub.store.engine, "before_cursor_execute", listen)
    try:
        hub.desk.decide(who, application, accept=True, reason="Conforme.", amount_cents=100_00)
    finally:
        event.remove(hub.store.engine, "before_cursor_execute", listen)
    told = [text for text in said if not text.startswith(("PRAGMA", "BEGIN"))]
    verbs = ["SELECT", "SELECT", "UPDATE", "INSERT", "UPDATE", "INSERT", "INSERT"]
    assert [text.split()[0] for text in told] == verbs
    assert "FROM applications" in told[0]
