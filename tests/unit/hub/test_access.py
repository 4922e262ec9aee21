"""Every route × role × ownership, against the matrix; and what moB let through (B-01, B-02, …)."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from federation.hub.access import MATRIX, Action, Caller, is_allowed
from federation.hub.api.access import COOKIE
from federation.hub.app import create_hub_app
from federation.hub.errors import (
    ApplicationUnknownError,
    DecisionRefusedError,
    LoginBusyError,
    NotAllowedError,
    NotSignedInError,
    TooManyAttemptsError,
    WrongPasswordError,
)
from federation.hub.local import LocalHub
from federation.hub.members import Member
from federation.hub.model import QueueFilter
from schemas.ids import Iri
from schemas.records import ApplicationState
from tests.hub_world import World, build_world

PASSWORD = "un mot de passe long"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build_world(tmp_path)
    made.context.publishing.add_funder("autre", "Autre financeur", siret="73282932000074")
    yield made
    made.context.close()


def member(world: World, role: Caller, funder: str | None) -> Member:
    login = f"{role.value}-{funder}@exemple.fr"
    return world.context.members.add(
        login, PASSWORD, name=login, roles=frozenset((role,)), funder=funder
    )


def waiting(world: World) -> Iri:
    citizen = world.citizen()
    application, receipt = citizen.apply(
        LocalHub(world.context), citizen.usage(days=12), citizen.affiliation()
    )
    assert receipt.state == "submitted"
    return application


CALLERS: tuple[tuple[str, Caller, str | None], ...] = (
    ("own officer", Caller.OFFICER, "agglo"),
    ("other funder's officer", Caller.OFFICER, "autre"),
    ("own supervisor", Caller.SUPERVISOR, "agglo"),
    ("admin", Caller.ADMIN, None),
)
BODIES: dict[str, dict[str, Any]] = {
    "decision": {"accept": False, "reason": "conditions non remplies"},
    "information": {"message": "Merci de préciser."},
    "assignment": {"to_self": True},
    "/desk/passkeys": {"credential": {}},
    "/desk/keys": {"public": "AAAA"},
}
UNANSWERABLE = {"/v1/desk/passkeys": 401, "/v1/desk/keys": 422}
"""What the samples above get from a caller who may: an answer to no challenge, and no key."""


def _routes(app: FastAPI) -> list[tuple[str, str, Action]]:
    """(path, method, action) of every route, from the application's own description."""
    return [
        (path, method.upper(), Action(operation["x-action"]))
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
    ]


def test_every_route_names_its_line_of_the_matrix(world: World) -> None:
    routes = _routes(create_hub_app(world.context))
    assert len(routes) >= 25
    assert {action for _, _, action in routes} <= set(MATRIX)


def test_every_desk_route_obeys_the_matrix_for_every_caller(world: World) -> None:
    app = create_hub_app(world.context)
    client = TestClient(app, base_url="https://localhost:8401")
    sessions = {}
    for name, role, funder in CALLERS:
        found = member(world, role, funder)
        sessions[name] = world.context.members.sign_in(found.login, PASSWORD)
    walked = 0
    for template, method, action in _routes(app):
        if not template.startswith("/v1/desk/") or action is Action.SIGN_IN:
            continue
        own = "{application}" in template
        for name, role, funder in (*CALLERS, ("nobody", Caller.PUBLIC, None)):
            application = waiting(world) if own else ""
            path = template.replace("{application}", application).replace("{position}", "0")
            body = next((b for key, b in BODIES.items() if path.endswith(key)), None)
            session = sessions.get(name)
            headers = {}
            if session is not None:
                headers = {"Cookie": f"{COOKIE}={session.cookie}", "X-CSRF-Token": session.csrf}
            answer = client.request(method, path, json=body, headers=headers)
            walked += 1
            if session is None:
                expected = {401}
            elif not is_allowed(action, frozenset((role,))):
                expected = {403}
            elif own and funder != "agglo":
                expected = {404}
            elif action is Action.READ_DOCUMENT:
                expected = {404}  # this application holds no document
            elif method == "POST" and path in UNANSWERABLE:
                expected = {UNANSWERABLE[path]}
            else:
                expected = {200}
            assert answer.status_code in expected, (method, path, name, answer.text)
    assert walked >= 45


def test_a_change_without_its_csrf_token_is_refused(world: World) -> None:
    client = TestClient(create_hub_app(world.context), base_url="https://localhost:8401")
    session = world.context.members.sign_in(member(world, Caller.OFFICER, "agglo").login, PASSWORD)
    application = waiting(world)
    for token in ("", "x" * 43):
        answer = client.post(
            f"/v1/desk/applications/{application}/decision",
            json=BODIES["decision"],
            headers={"Cookie": f"{COOKIE}={session.cookie}", "X-CSRF-Token": token},
        )
        assert answer.status_code == 403
    with world.context.store.read() as reader:
        found = reader.application(application)
    assert found is not None and found.state is ApplicationState.SUBMITTED


def test_an_officer_never_sees_or_decides_another_funders_application(world: World) -> None:
    """B-01 and B-02 of moB: lists and ids were not compared with the funder."""
    application = waiting(world)
    other = member(world, Caller.OFFICER, "autre")
    desk = world.context.desk
    assert desk.queue(other).items == ()
    for act in (
        lambda: desk.open(other, application),
        lambda: desk.decide(other, application, accept=True, reason="oui", amount_cents=100),
        lambda: desk.request_information(other, application, message="?"),
        lambda: desk.document(other, application, 0),
    ):
        with pytest.raises(ApplicationUnknownError):
            act()


def test_a_supervisor_counts_and_opens_nothing(world: World) -> None:
    application = waiting(world)
    supervisor = member(world, Caller.SUPERVISOR, "agglo")
    assert world.context.desk.counts(supervisor)["submitted"] == 1
    with pytest.raises(NotAllowedError):
        world.context.desk.open(supervisor, application)


def test_a_decided_application_is_never_reopened_by_a_decision(world: World) -> None:
    """B-05 of moB."""
    application = waiting(world)
    officer = member(world, Caller.OFFICER, "agglo")
    desk = world.context.desk
    desk.decide(officer, application, accept=False, reason="12 jours sur 30")
    for accept in (True, False):
        with pytest.raises(DecisionRefusedError):
            desk.decide(officer, application, accept=accept, reason="encore", amount_cents=1000)
    with pytest.raises(DecisionRefusedError):
        desk.request_information(officer, application, message="?")


def test_a_decision_needs_a_reason_and_a_sound_amount(world: World) -> None:
    application = waiting(world)
    officer = member(world, Caller.OFFICER, "agglo")
    desk = world.context.desk
    for reason, amount in (("", 1000), ("  ", 1000), ("oui", 0), ("oui", None), ("oui", 10**9)):
        with pytest.raises(DecisionRefusedError):
            desk.decide(officer, application, accept=True, reason=reason, amount_cents=amount)
    decided = desk.decide(
        officer, application, accept=True, reason="dérogation du 3 mars", amount_cents=5_000
    )
    assert (decided.state, decided.amount, decided.automatic) == (
        ApplicationState.ACCEPTED,
        5_000,
        False,
    )
    assert decided.award is not None
    view = desk.open(officer, application)
    assert view.view.mention == {}, "a person decided"
    assert view.view.history[-1].reason == "dérogation du 3 mars"


def test_a_refusal_by_a_person_releases_the_period_and_can_be_contested(world: World) -> None:
    from federation.hub.holder_proof import sign_status_proof

    hub = LocalHub(world.context)
    citizen = world.citizen()
    application, _ = citizen.apply(hub, citizen.usage(days=12), citizen.affiliation())
    officer = member(world, Caller.OFFICER, "agglo")
    world.context.desk.decide(officer, application, accept=False, reason="12 jours sur 30")

    def proof() -> str:
        return sign_status_proof(
            application,
            holder=citizen.key.signer(),
            audience=world.context.settings.did,
            at=world.clock(),
        )

    view = world.context.applications.appeal(
        application, proof_jwt=proof(), reason="il manque des jours"
    )
    assert view.state == "appealed"
    _, receipt = citizen.apply(hub)
    assert receipt.state == "accepted", "the period was free again"


def test_asking_for_information_and_answering_keeps_the_application(world: World) -> None:
    hub = LocalHub(world.context)
    citizen = world.citizen()
    application, _ = citizen.apply(hub, citizen.usage(days=12), citizen.affiliation())
    officer = member(world, Caller.OFFICER, "agglo")
    world.context.desk.request_information(officer, application, message="Et en novembre ?")
    again, receipt = citizen.apply(
        hub, citizen.usage(days=28), citizen.affiliation(), application=application
    )
    assert (again, receipt.state) == (application, "completed")
    view = world.context.desk.open(officer, application)
    assert view.claims["UsageProof"]["days"] == 28
    assert [step.state for step in view.view.history] == [
        "submitted",
        "needs-information",
        "completed",
    ]
    assert "nullifiers" not in str(view.claims)


def test_the_queue_pages_in_order_and_treats_search_as_text(world: World) -> None:
    """B-12 of moB: no pattern is built from what a person types."""
    made = []
    for _ in range(5):
        made.append(waiting(world))
        world.clock.advance(seconds=1)
    officer = member(world, Caller.OFFICER, "agglo")
    desk = world.context.desk
    seen: list[Iri] = []
    cursor = None
    while True:
        page = desk.queue(officer, cursor=cursor, limit=2)
        seen += [item.id for item in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == made
    assert desk.queue(officer, QueueFilter(search="%")).items == ()
    assert desk.queue(officer, QueueFilter(search="_")).items == ()
    assert desk.queue(officer, QueueFilter(search="(a+)+$")).items == ()
    assert len(desk.queue(officer, QueueFilter(search=made[2][9:])).items) == 1
    assert desk.queue(officer, QueueFilter(to_review=False)).items == ()


def test_a_cursor_of_one_funder_is_refused_at_another(world: World) -> None:
    from federation.wire.errors import CursorRefusedError

    for _ in range(2):
        waiting(world)
    page = world.context.desk.queue(member(world, Caller.OFFICER, "agglo"), limit=1)
    with pytest.raises(CursorRefusedError):
        world.context.desk.queue(member(world, Caller.OFFICER, "autre"), cursor=page.cursor)


def test_signing_in_out_idling_and_being_disabled(world: World) -> None:
    members = world.context.members
    officer = member(world, Caller.OFFICER, "agglo")
    session = members.sign_in(officer.login.upper(), PASSWORD)
    assert members.session(session.cookie).member == officer
    world.clock.advance(minutes=59)
    members.session(session.cookie)
    world.clock.advance(minutes=61)
    with pytest.raises(NotSignedInError):
        members.session(session.cookie)
    session = members.sign_in(officer.login, PASSWORD)
    members.sign_out(session.cookie)
    with pytest.raises(NotSignedInError):
        members.session(session.cookie)
    session = members.sign_in(officer.login, PASSWORD)
    members.disable(officer.id)
    with pytest.raises(NotSignedInError):
        members.session(session.cookie)
    with pytest.raises(WrongPasswordError):
        members.sign_in(officer.login, PASSWORD)


def test_guessing_slows_the_guesser_down_and_nobody_else(world: World) -> None:
    members = world.context.members
    officer = member(world, Caller.OFFICER, "agglo")
    for _ in range(5):
        with pytest.raises(WrongPasswordError):
            members.sign_in(officer.login, "faux mot de passe", address="203.0.113.7")
    with pytest.raises(TooManyAttemptsError):
        members.sign_in(officer.login, PASSWORD, address="203.0.113.7")
    assert members.sign_in(officer.login, PASSWORD, address="198.51.100.1").member == officer
    world.clock.advance(minutes=16)
    assert members.sign_in(officer.login, PASSWORD, address="203.0.113.7").member == officer


def test_eight_sign_ins_at_once_neither_hang_nor_fail_silently(tmp_path: Path) -> None:
    world = build_world(tmp_path, cheapest_kdf=False)
    members = world.context.members
    officer = member(world, Caller.OFFICER, "agglo")
    outcomes: list[str] = []

    def enter() -> None:
        try:
            members.sign_in(officer.login, PASSWORD)
            outcomes.append("in")
        except LoginBusyError:
            outcomes.append("busy")

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(outcomes) == 8
    assert "in" in outcomes
    world.context.close()
    data = b"".join(path.read_bytes() for path in tmp_path.glob("hub.db*"))
    assert b"$argon2id$v=19$m=65536,t=3,p=1$" in data, "the cost of a real hub"


def test_the_database_holds_no_password_and_no_cookie(world: World, tmp_path: Path) -> None:
    officer = member(world, Caller.OFFICER, "agglo")
    session = world.context.members.sign_in(officer.login, PASSWORD)
    data = b"".join(path.read_bytes() for path in tmp_path.glob("hub.db*"))
    assert b"argon2id" in data
    assert PASSWORD.encode() not in data
    assert session.cookie.encode() not in data


@pytest.mark.parametrize(
    ("login", "password", "roles", "funder"),
    [
        ("", PASSWORD, {Caller.OFFICER}, "agglo"),
        ("a", "court", {Caller.OFFICER}, "agglo"),
        ("a", PASSWORD, {Caller.OFFICER}, None),
        ("a", PASSWORD, {Caller.ADMIN}, "agglo"),
        ("a", PASSWORD, {Caller.OFFICER, Caller.ADMIN}, "agglo"),
        ("a", PASSWORD, {Caller.PUBLIC}, None),
        ("a", PASSWORD, set(), None),
        ("a", PASSWORD, {Caller.OFFICER}, "personne"),
    ],
)
def test_a_member_that_makes_no_sense_is_refused(
    world: World, login: str, password: str, roles: set[Caller], funder: str | None
) -> None:
    from federation.hub.errors import EntryRefusedError

    with pytest.raises(EntryRefusedError):
        world.context.members.add(login, password, roles=frozenset(roles), funder=funder)
