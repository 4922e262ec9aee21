"""The State's register: its own words, its token, its refusals; and an operator's journeys."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import (
    HostileInputError,
    SourceAnswerError,
    SourceBusyError,
    SourceRefusedError,
)
from connectors.issuer.app import register_of
from connectors.issuer.documents import observation_of
from connectors.issuer.settings import IssuerSettings, IssuerSettingsError
from connectors.parsing import UnusableError
from connectors.rpc.client import CeeRefusedError, JourneyUnknownError, RegisterClient
from connectors.rpc.people import applications, filed
from connectors.rpc.wire import (
    SETTLED,
    CeeApplication,
    JourneyKind,
    JourneyStatus,
    Registered,
    identity_key,
    last_name_trunc,
    phone_trunc,
)
from connectors.sandbox.api.register import ACCESS_KEY, SECRET_KEY
from connectors.sandbox.parties import SandboxSettings
from federation.proofs.sd_jwt import held_claims
from federation.wire.http import BoundedClient
from schemas.observations import TripObservation
from tests.unit.connectors.issuer_world import Operator

ENDED = datetime(2026, 10, 5, 8, 8, tzinfo=UTC)
PERSON = CeeApplication(
    JourneyKind.SHORT,
    last_name="Fabre",
    phone="+33701020304",
    driving_license="051227308989",
    applied_at=ENDED,
    reference="J-1",
)


class Sandboxed:
    """The sandbox's register, told what to know."""

    def __init__(self, sandbox: SandboxSettings, outbound: BoundedClient, clock: Any) -> None:
        self.root, self.outbound = f"{sandbox.base_url}/registre", outbound
        self.client = self.account(clock)

    def account(self, clock: Any, secret: str = SECRET_KEY) -> RegisterClient:
        return RegisterClient(
            self.outbound,
            base=f"{self.root}/v3.3",
            access_key=ACCESS_KEY,
            secret_key=secret,
            clock=clock,
        )

    def tell(self, reference: str, **said: Any) -> None:
        self.outbound.request(
            "PUT",
            f"{self.root}/_journeys/{reference}",
            body=json.dumps(said).encode(),
            headers={"Content-Type": "application/json"},
            accept=("*/*",),
            statuses=(204,),
        )

    def do(self, what: str) -> None:
        self.outbound.post(f"{self.root}/{what}", accept=("*/*",), statuses=(204,))


@pytest.fixture
def register(sandbox: SandboxSettings, outbound: BoundedClient, clock: Any) -> Sandboxed:
    return Sandboxed(sandbox, outbound, clock)


def test_the_specifications_example_has_its_identity_key() -> None:
    key = identity_key("+33701020304", "D'Hérûg-de-l'Hérault")
    assert key == "f44ff5364363e53da750d8b7b44fa3176ea36228c5f951a9c1e606c915093d30"
    assert last_name_trunc("D'Hérûg-de-l'Hérault") == "D H"
    assert last_name_trunc("Tô") == "TO "
    assert phone_trunc("+33701020304") == "+337010203"


@pytest.mark.parametrize("phone", ["0701020304", "+33 701020304", "", "+0", "+3370102030412345"])
def test_a_telephone_number_that_is_not_international_is_refused(phone: str) -> None:
    with pytest.raises(UnusableError):
        identity_key(phone, "Fabre")


@pytest.mark.parametrize("status", list(JourneyStatus))
def test_an_answer_200_is_an_acceptance_only_with_ok_and_after_two_days(
    register: Sandboxed, status: JourneyStatus
) -> None:
    register.tell(f"J-{status.value.replace('_', '-')}", status=status.value)
    found = register.client.journey(f"J-{status.value.replace('_', '-')}")
    assert found.status is status
    is_ok = status is JourneyStatus.OK
    assert found.is_accepted(ended_at=ENDED, at=ENDED + SETTLED) is is_ok
    assert not found.is_accepted(ended_at=ENDED, at=ENDED + SETTLED - timedelta(seconds=1))


def test_the_reasons_of_a_refusal_come_in_the_registers_words(register: Sandboxed) -> None:
    register.tell(
        "J-2",
        status="fraud_error",
        fraud_error_labels=[{"label": "interoperator_overlap"}, 5],
        terms_violation_details=["expired"],
    )
    assert register.client.journey("J-2").labels == ("interoperator_overlap", "expired")


def test_a_journey_that_was_never_sent_is_unknown(register: Sandboxed) -> None:
    with pytest.raises(JourneyUnknownError):
        register.client.journey("nobody-sent-this")
    with pytest.raises(UnusableError):
        register.client.journey("../auth/credentials")


def test_a_token_that_ended_is_made_anew_once(register: Sandboxed, clock: Any) -> None:
    register.tell("J-3", status="ok")
    register.client.journey("J-3")
    register.do("_forget")
    assert register.client.journey("J-3").status is JourneyStatus.OK
    clock.now += timedelta(minutes=10)
    assert register.client.journey("J-3").status is JourneyStatus.OK


def test_wrong_keys_and_a_busy_register_are_told_apart(register: Sandboxed, clock: Any) -> None:
    with pytest.raises(SourceRefusedError):
        register.account(clock, secret="wrong").journey("J-3")
    register.tell("J-4", status="ok")
    register.client.journey("J-4")
    register.do("_busy/1")
    with pytest.raises(SourceBusyError) as busy:
        register.client.journey("J-4")
    assert busy.value.retry_after_s == 7
    assert SECRET_KEY not in repr(register.client)


def test_an_application_is_taken_once_and_the_second_learns_of_the_first(
    register: Sandboxed,
) -> None:
    one = replace(PERSON, last_name="Premier", reference="J-5")
    register.client.simulate(one)
    with pytest.raises(CeeRefusedError, match="no-eligible-journey"):
        register.client.apply(one)
    register.tell("J-5", status="ok")
    filed = register.client.apply(one)
    assert filed.token
    assert filed.journey_id
    for act in (register.client.apply, register.client.simulate):
        with pytest.raises(CeeRefusedError) as again:
            act(one)
        assert (again.value.reason, again.value.filed_at) == ("already-filed", filed.filed_at)


@pytest.mark.parametrize(
    "changes",
    [
        {"applied_at": None},
        {"reference": ""},
        {"reference": "a b"},
        {"driving_license": ""},
        {"kind": JourneyKind.LONG},
        {"phone": "0701020304"},
        {"last_name": "'"},
    ],
)
def test_an_application_that_lacks_a_field_of_its_kind_is_not_sent(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(UnusableError):
        replace(PERSON, **changes).form()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["status", "operator_journey_id", "fraud_error_labels", "label"]),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_any_answer_is_read_or_refused_by_name(answer: Any) -> None:
    try:
        found = Registered.of(answer, reference="J-1")
    except SourceAnswerError:
        return
    assert found.reference == "J-1"


GIVEN = [
    {
        "kind": "short",
        "lastName": "Second",
        "phone": "+33701020305",
        "drivingLicense": "051227308989",
        "appliedAt": "2026-10-05T08:00:00+02:00",
        "reference": "J-6",
    }
]


def test_a_file_of_people_is_filed_one_by_one_and_an_outage_refuses_nobody(
    register: Sandboxed,
) -> None:
    [one] = applications(json.dumps(GIVEN).encode())
    assert filed(register.client, one, simulated=True) == {"state": "possible"}
    assert filed(register.client, one, simulated=False)["why"] == "no-eligible-journey"
    register.tell("J-6", status="ok")
    register.do("_busy/1")
    assert filed(register.client, one, simulated=False) == {"state": "later", "why": "source-busy"}
    assert filed(register.client, one, simulated=False)["state"] == "filed"
    again = filed(register.client, one, simulated=False)
    assert (again["state"], again["why"]) == ("refused", "already-filed")


@pytest.mark.parametrize(
    "changes",
    [{"kind": "medium"}, {"appliedAt": "2026-10-05"}, {"appliedAt": 5}, {"other": ""}],
)
def test_a_person_of_another_shape_is_named_by_place(changes: dict[str, Any]) -> None:
    with pytest.raises(HostileInputError) as refused:
        applications(json.dumps([GIVEN[0] | changes]).encode())
    assert str(refused.value.where).startswith("/0")


# --- at an operator's node ------------------------------------------------------------

HEAD = "N°;Client;Départ;Arrivée;Km;registerClass;registerStatus\n"
TOLD = "R1;c7;05/10/2026 07:42;05/10/2026 08:08;18,4;C;ok\n"


@pytest.fixture
def registered(operator: Operator, register: Sandboxed) -> Iterator[Operator]:
    operator.service._register = register.account(operator.clock)
    operator.link()
    yield operator


def shown(operator: Operator) -> tuple[str, str]:
    """Class and status, as the deposit for the vault says them."""
    [row] = operator.service.ledger.journeys(since=operator.clock() - timedelta(days=365))
    said = observation_of(row, operator.service.settings, account="op", key=b"k" * 32)
    assert isinstance(said, TripObservation)
    assert said.register is not None
    return said.register.class_, said.register.status


def test_only_the_register_says_that_it_retains_a_journey(
    registered: Operator, register: Sandboxed
) -> None:
    registered.write("trajets/octobre.csv", HEAD + TOLD)
    register.tell("R1", status="pending")
    registered.service.step()
    assert shown(registered) == ("C", "pending")
    [token] = registered.redeem()
    assert held_claims(token)["evidence"] == "operator"

    register.tell("R1", status="ok")
    registered.service.step()
    assert shown(registered) == ("C", "pending"), "asked once a day"
    registered.clock.now += timedelta(days=1, minutes=1)
    registered.service.step()
    assert shown(registered) == ("C", "ok")
    [token] = registered.redeem()
    assert held_claims(token)["evidence"] == "registry"
    registered.append("trajets/octobre.csv", "R1;c7;05/10/2026 07:42;05/10/2026 08:08;18,4;C;\n")
    registered.service.step()
    assert shown(registered) == ("C", "ok"), "read again, the file does not undo it"


def test_a_register_that_is_away_delays_a_status_and_no_push(
    registered: Operator, register: Sandboxed
) -> None:
    registered.write("trajets/octobre.csv", HEAD + TOLD)
    register.tell("R1", status="ok")
    register.do("_busy/1")
    registered.service.step()
    assert shown(registered) == ("C", "pending")
    registered.service.step()
    assert shown(registered) == ("C", "ok")


def test_a_class_without_a_status_is_not_taken_for_an_acceptance(operator: Operator) -> None:
    operator.link()
    operator.write("trajets/octobre.csv", HEAD + TOLD.replace("C;ok", "C;"))
    operator.service.step()
    assert shown(operator) == ("C", "pending")
    [token] = operator.redeem()
    assert held_claims(token)["evidence"] == "operator"


def test_an_account_without_its_keys_is_refused_by_name(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, outbound: BoundedClient
) -> None:
    file = operator.folder / "issuer.toml"
    file.write_text(f'{file.read_text()}\n[register]\nurl = "http://localhost:1/v3.3"\n')
    account = IssuerSettings.read(operator.folder).register
    assert account is not None
    with pytest.raises(IssuerSettingsError, match="MOBILITY_REGISTER_ACCESS_KEY"):
        register_of(account, outbound, clock=operator.clock)
    for name in (account.access_key, account.secret_key):
        monkeypatch.setenv(name, "x")
    assert "x" in os.environ[account.access_key]
    register_of(account, outbound, clock=operator.clock)
