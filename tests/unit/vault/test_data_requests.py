"""« Demander mes données »: the month of article 12(3), the letters, the steps, what is kept."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from federation.wire import problems
from schemas.ids import Iri, mint_iri
from schemas.records import DataRequest, Kind
from tests.unit.vault.builders import PASSPHRASE, Citizen, Clock
from vault.app import STATUS, create_home_api
from vault.data_requests.acts import Step, data_request, data_requests, take_step, write_request
from vault.data_requests.clock import Standing, State, due_on, standing
from vault.data_requests.directory import directory
from vault.data_requests.letters import complaint_letter, mail_address, request_letter
from vault.deletion import remove
from vault.errors import ActRefusedError, RecordInvalidError, RecordUnknownError
from vault.home import Home

MARCH_5 = date(2026, 3, 5)


def request(**parts: Any) -> DataRequest:
    values: Mapping[str, Any] = {
        "company": "Comuto SA",
        "requester": "Ana Durand",
        "written_at": datetime(2026, 3, 4, 9, tzinfo=UTC),
    }
    return DataRequest(id=mint_iri(), **{**values, **parts})


@pytest.mark.parametrize(
    ("received", "months", "due"),
    [
        # The examples of EDPB Guidelines 01/2022 (§ 157 and following), on these years' calendar.
        (date(2026, 8, 31), 1, date(2026, 9, 30)),  # no 31 September
        (date(2026, 1, 31), 1, date(2026, 3, 2)),  # 28 February is a Saturday
        (MARCH_5, 1, date(2026, 4, 7)),  # Easter Sunday, then Easter Monday
        (date(2026, 4, 14), 1, date(2026, 5, 15)),  # Ascension
        (date(2026, 4, 25), 1, date(2026, 5, 26)),  # Whit Monday
        (date(2026, 11, 25), 1, date(2026, 12, 28)),  # Christmas, a Friday
        (date(2025, 12, 1), 1, date(2026, 1, 2)),  # 1 January
        (MARCH_5, 3, date(2026, 6, 5)),
        (date(2027, 11, 30), 3, date(2028, 2, 29)),  # a leap year
    ],
)
def test_the_term_ends_on_a_working_day_of_the_same_date(
    received: date, months: int, due: date
) -> None:
    assert due_on(received, months=months) == due


@pytest.mark.parametrize(
    ("parts", "on", "expected"),
    [
        ({}, MARCH_5, Standing(State.WRITTEN)),
        ({"sent_on": MARCH_5}, MARCH_5, Standing(State.WAITING, date(2026, 4, 7), 33)),
        ({"sent_on": MARCH_5}, date(2026, 4, 7), Standing(State.WAITING, date(2026, 4, 7), 0)),
        ({"sent_on": MARCH_5}, date(2026, 4, 8), Standing(State.OVERDUE, date(2026, 4, 7), -1)),
        (
            {"sent_on": MARCH_5, "extended_on": date(2026, 4, 7)},
            date(2026, 4, 8),
            Standing(State.WAITING, date(2026, 6, 5), 58, is_extended=True),
        ),
        (  # said after its month: the month stands
            {"sent_on": MARCH_5, "extended_on": date(2026, 4, 8)},
            date(2026, 4, 8),
            Standing(State.OVERDUE, date(2026, 4, 7), -1, is_late_extension=True),
        ),
        (
            {"sent_on": MARCH_5, "answered_on": date(2026, 3, 9)},
            date(2026, 5, 1),
            Standing(State.ANSWERED, date(2026, 4, 7)),
        ),
        (  # first "wait", then "no"
            {"sent_on": MARCH_5, "answered_on": date(2026, 3, 9), "refused_on": date(2026, 3, 20)},
            date(2026, 5, 1),
            Standing(State.REFUSED, date(2026, 4, 7)),
        ),
    ],
)
def test_where_a_request_stands(parts: dict[str, date], on: date, expected: Standing) -> None:
    assert standing(request(**parts), on) == expected


def test_both_letters_name_the_rights_the_term_and_the_person() -> None:
    asked = request(
        postal_address="84 avenue de la République\n75011 Paris",
        email="dpo@comuto.example",
        reply_to="ana@example.org",
        known_as="compte 12-A",
    )
    for language, words in (
        ("fr", ("articles 15 et 20", "un mois", "lisible par machine", "compte 12-A")),
        ("en", ("articles 15 and 20", "one month", "machine-readable", "compte 12-A")),
    ):
        letter = request_letter(asked, language=language)
        for word in (*words, "Ana Durand", "ana@example.org", "75011 Paris"):
            assert word in letter.text, (language, word)
        address = mail_address(asked, letter)
        assert address is not None
        assert address.startswith("mailto:dpo@comuto.example?subject=")
        assert "75011" not in address, "a mail has no postal head"
    assert mail_address(request(), request_letter(request())) is None


def test_the_complaint_tells_what_happened_and_nothing_else() -> None:
    late = request(sent_on=MARCH_5, extended_on=date(2026, 4, 20))
    on = date(2026, 5, 1)
    text = complaint_letter(late, standing(late, on), on=on).text
    assert "75334 Paris Cedex 07" in text
    assert "Le 5 mars 2026, Comuto SA a reçu" in text
    assert "après la fin du délai d'un mois" in text
    assert "je n'ai reçu aucune réponse" in text
    said_no = request(sent_on=MARCH_5, refused_on=date(2026, 3, 20))
    text = complaint_letter(said_no, standing(said_no, on), on=on).text
    assert "Le 20 mars 2026, l'organisme a refusé" in text
    assert "aucune réponse" not in text


def test_every_entry_of_the_directory_can_be_written_to_or_says_where_to_find_it() -> None:
    entries = directory()
    assert len({entry.id for entry in entries}) == len(entries) >= 10
    for entry in entries:
        assert entry.source.startswith("https://")
        assert entry.postal_address or entry.email or entry.self_service, entry.id
        assert entry.read_on <= date(2026, 11, 22)


def test_a_request_is_a_record_like_any_other(citizen: Citizen, clock: Clock) -> None:
    vault = citizen.vault
    made = write_request(vault, entry="karos", requester="Ana Durand", email="autre@karos.example")
    assert made.company == "Karos Mobility SAS"
    assert made.email == "autre@karos.example", "what the citizen says wins over the directory"
    assert data_requests(vault) == [made]
    clock.forward(days=1)
    today = date(2026, 11, 22)
    kept, at = take_step(vault, made.id, Step.SENT, on=today, today=today)
    assert (kept.revision, at.state, at.due_on) == (2, State.WAITING, date(2026, 12, 22))
    assert [r.id for r in vault.all(Kind.DATA_REQUEST)] == [made.id]
    remove(vault, made.id)
    with pytest.raises(RecordUnknownError):
        data_request(vault, made.id)


FAULTS: tuple[tuple[dict[str, str], str], ...] = (
    ({"entry": "nobody", "requester": "Ana"}, "/entry"),
    ({"requester": "Ana"}, "/company"),
    ({"entry": "karos", "requester": "  "}, "/requester"),
    ({"entry": "karos", "requester": "a" * 301}, "/requester"),
    ({"company_name": "X", "requester": "Ana", "email": "a b@c"}, "/email"),
    ({"company_name": "X", "requester": "Ana", "postal_address": "a\n" * 9}, "/postalAddress"),
    ({"company_name": "X", "requester": "Ana", "language": "de"}, "/language"),
)


def test_what_a_letter_cannot_be_without_is_named(citizen: Citizen) -> None:
    for parts, where in FAULTS:
        with pytest.raises(RecordInvalidError) as refused:
            write_request(citizen.vault, **parts)  # type: ignore[arg-type]  # a test's
        assert refused.value.where == where
    assert data_requests(citizen.vault) == []


def test_steps_out_of_order_are_refused(citizen: Citizen) -> None:
    vault, today = citizen.vault, date(2026, 11, 21)
    made = write_request(vault, company_name="Vélos Réunis", requester="Ana Durand")

    def refusal(step: Step, on: date) -> str:
        with pytest.raises(ActRefusedError) as refused:
            take_step(vault, made.id, step, on=on, today=today)
        return refused.value.reason

    assert refusal(Step.ANSWERED, today) == "step-before-sending"
    assert refusal(Step.SENT, date(2026, 11, 22)) == "step-in-the-future"
    take_step(vault, made.id, Step.SENT, on=date(2026, 11, 20), today=today)
    assert refusal(Step.REFUSED, date(2026, 11, 19)) == "step-before-sending"
    assert refusal(Step.COMPLAINED, today) == "step-not-now"
    take_step(vault, made.id, Step.ANSWERED, on=date(2026, 11, 20), today=today)
    assert refusal(Step.SENT, today) == "step-before-sending", "it was answered before that"
    take_step(vault, made.id, Step.CLOSED, on=today, today=today)
    assert refusal(Step.EXTENDED, today) == "request-closed"
    _, at = take_step(vault, made.id, Step.REOPENED, on=today, today=today)
    assert at.state is State.ANSWERED
    with pytest.raises(RecordUnknownError):
        take_step(vault, Iri("urn:uuid:0"), Step.SENT, on=today, today=today)


@pytest.fixture
def client(home: Home, citizen: Citizen) -> Iterator[TestClient]:
    app = FastAPI()
    problems.install(app, STATUS)
    app.include_router(create_home_api(home))
    with TestClient(app, base_url="http://localhost:8400", raise_server_exceptions=False) as found:
        asked = {"vault": citizen.vault_id, "passphrase": PASSPHRASE, "bearer": True}
        token = found.post("/v1/session", json=asked).json()["token"]
        found.headers["Authorization"] = f"Bearer {token}"
        found.headers["x-vault"] = citizen.vault_id  # for a later session
        yield found


def test_the_whole_way_over_http(client: TestClient, clock: Clock) -> None:
    root = "/v1/data-requests"
    entries = {e["entry"]: e for e in client.get(f"{root}/directory").json()["companies"]}
    assert entries["geovelo"]["postalAddress"].endswith("37000 Tours")
    asked = {"entry": "geovelo", "requester": "Ana Durand", "knownAs": "ana@example.org"}
    made = client.post(root, json=asked)
    assert made.status_code == 201
    assert (made.json()["state"], made.json()["dueOn"]) == ("written", None)
    iri = made.json()["request"]["id"]
    assert client.get(f"/v1/records/{iri}").json()["company"] == "La Compagnie des Mobilités"
    letter = client.get(f"{root}/{iri}/letter?language=en").text
    assert "articles 15 and 20" in letter
    early = client.get(f"{root}/{iri}/complaint")
    assert (early.status_code, early.json()["code"]) == (403, "act-refused")
    sent = client.post(f"{root}/{iri}/steps", json={"step": "sent", "on": "2026-11-21"}).json()
    assert (sent["state"], sent["dueOn"], sent["daysLeft"]) == ("waiting", "2026-12-21", 30)
    clock.forward(days=31)
    asked = {"vault": str(client.headers["x-vault"]), "passphrase": PASSPHRASE, "bearer": True}
    token = client.post("/v1/session", json=asked).json()["token"]
    client.headers["Authorization"] = f"Bearer {token}"
    (late,) = client.get(root).json()["requests"]
    assert (late["state"], late["mayComplain"]) == ("overdue", True)
    assert "je n'ai reçu aucune réponse" in client.get(f"{root}/{iri}/complaint").text
    for body in ({"step": "burnt", "on": "2026-11-21"}, {"step": "sent", "on": "hier"}):
        assert client.post(f"{root}/{iri}/steps", json=body).status_code == 422
    assert client.get(f"{root}/urn:uuid:none/letter").status_code == 404
