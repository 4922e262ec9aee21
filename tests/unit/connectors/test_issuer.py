"""The issuer kit: rows in, signed records out; nothing lost, nothing twice, nothing guessed."""

import json
import sqlite3
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from typer.testing import CliRunner

from connectors.issuer.accreditation import (
    TYP,
    AccreditationInvalidError,
    asks_for,
    read_accreditation,
)
from connectors.issuer.api.router import SIGNATURE
from connectors.issuer.intake import csv_rows, signature
from connectors.issuer.keys import IssuerKeys
from connectors.issuer.settings import IssuerSettings, IssuerSettingsError
from connectors.issuer.store import Ledger
from connectors.issuer.store.tables import Base
from federation.credentials.held import keep_sd_jwt, read_held
from federation.credentials.token_status import INVALID, VALID
from federation.did import DidDocument
from federation.disputes import Dispute
from federation.jose import sign_jws, verify_jws
from federation.trust import Role
from federation.wire import database
from portal import cli
from schemas.evidence import Evidence
from schemas.ids import Iri
from schemas.modes import Mode
from schemas.records import Invoice, Kind, Subscription
from tests.unit.connectors.issuer_world import JOURNEYS, TOML, Operator
from vault.disputes import dispute


def test_a_file_of_journeys_becomes_attested_trips_in_the_vault_its_customer_named(
    operator: Operator,
) -> None:
    operator.write("trajets/2026-10.csv", JOURNEYS)
    taken, pushed = operator.step()
    assert (taken.new, taken.faults, pushed.records) == (3, (), 0), "nobody named a vault yet"
    operator.link()
    _, pushed = operator.step()
    assert (pushed.records, pushed.customers) == (2, 1)
    assert [(t.distance, t.mode, t.evidence) for t in operator.trips] == [
        (18_400, Mode.CARPOOL, Evidence.OPERATOR)
    ] * 2
    assert operator.trips[0].started_at == datetime(2026, 10, 5, 5, 42, tzinfo=UTC)
    assert operator.step() == (type(taken)(), type(pushed)()), "a second look changes nothing"


def test_rows_that_cannot_be_read_are_named_by_line_and_come_in_once_corrected(
    operator: Operator,
) -> None:
    bad = JOURNEYS + (
        "T4;c7;07/10/2026 07:42;07/10/2026 07:12;5;\n"
        "T5;;07/10/2026 07:42;07/10/2026 08:12;5;\n"
        "T6;c7;demain;07/10/2026 08:12;5;\n"
        '"T7\nbis";c7;07/10/2026 09:42;07/10/2026 10:12;beaucoup;\n'
        "T8;c7;07/10/2026 11:42;07/10/2026 12:12;5;;de trop\n"
    )
    operator.write("trajets/2026-10.csv", bad)
    operator.link()
    taken, _ = operator.step()
    assert taken.new == 3
    assert [(f.place, f.column, f.code) for f in taken.faults] == [
        ("2026-10.csv:5", "Arrivée", "ends-before-start"),
        ("2026-10.csv:6", "Client", "missing"),
        ("2026-10.csv:7", "Départ", "not-a-time"),
        ("2026-10.csv:8", "Km", "not-a-number"),
        ("2026-10.csv:10", "", "cells-and-header-differ"),
    ]
    assert operator.service.ledger.faults()[1].raw["Départ"], "kept as it came"
    assert operator.service.report()["unreadable"][0]["place"] == "2026-10.csv:10"
    mended = bad.replace("demain", "07/10/2026 07:42").replace(";de trop", "")
    operator.write("trajets/2026-10.csv", mended)
    operator.clock.forward(minutes=5)
    operator.append("trajets/2026-10.csv", "T9;c7;08/10/2026 07:42;08/10/2026 08:12;5;\n")
    taken, pushed = operator.step()
    assert (taken.new, taken.same, pushed.records) == (3, 3, 3)
    assert {f.code for f in operator.service.ledger.faults()} == {
        "ends-before-start", "missing", "not-a-number",
    }  # fmt: skip


def test_a_changed_row_corrects_the_trip_and_a_cancelled_one_takes_it_away(
    operator: Operator,
) -> None:
    operator.write("trajets/a.csv", JOURNEYS)
    operator.link()
    operator.step()
    signed = operator.redeem()
    before = [read_held(keep_sd_jwt(token)).subject["nullifiers"] for token in signed]
    assert [operator.status(token) for token in signed] == [0, 0]
    operator.clock.forward(minutes=5)
    changed = JOURNEYS.replace("08:08;18,4;", "08:08;12,1;", 1).replace("18,4;non", "18,4;oui")
    operator.write("trajets/a.csv", changed)
    taken, pushed = operator.step()
    assert (taken.changed, pushed.records) == (2, 2)
    assert [t.distance for t in operator.trips] == [12_100]
    assert [operator.status(token) for token in signed] == [1, 1], "of the former versions"
    (again,) = operator.redeem()
    assert read_held(keep_sd_jwt(again)).subject["nullifiers"] in before, "the same record's name"
    operator.clock.forward(minutes=5)
    operator.write("trajets/a.csv", JOURNEYS)
    operator.step()
    assert [t.distance for t in operator.trips] == [18_400, 18_400], "and back"


def test_a_home_that_is_away_loses_nothing_and_holds_nobody_up(operator: Operator) -> None:
    operator.write("trajets/a.csv", JOURNEYS)
    operator.link("c7")
    operator.link("c9")
    operator.away = True
    _, pushed = operator.step()
    assert (pushed.records, pushed.held_up) == (0, 2)
    assert operator.service.report()["held_up"][0]["code"] == "source-unreachable"
    operator.away = False
    assert operator.step()[1].records == 0, "not before its time"
    operator.clock.forward(minutes=2)
    assert operator.step()[1].records == 3
    assert len(operator.trips) == 3
    assert operator.service.report()["held_up"] == []


def test_a_push_whose_receipt_was_lost_is_taken_once(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.write("trajets/a.csv", JOURNEYS)
    operator.link()
    kept = operator.service.ledger.pushed
    monkeypatch.setattr(operator.service.ledger, "pushed", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        operator.step()
    monkeypatch.setattr(operator.service.ledger, "pushed", kept)
    operator.step()
    assert len(operator.trips) == 2


def test_a_webhook_takes_what_it_can_read_names_the_rest_and_may_be_sent_again(
    operator: Operator,
) -> None:
    operator.link()
    rental = {
        "reference": "L1", "customer": "c7", "startedAt": "2026-10-05T08:10:00+02:00",
        "endedAt": "2026-10-05T08:31:00+02:00", "distance": 4200, "amount": "1,50",
    }  # fmt: skip
    answer = operator.hook(rental, {**rental, "reference": "L2", "mode": "balai"})
    assert (answer["new"], answer["faults"]) == (
        1, [{"place": "call:L2", "column": "mode", "code": "unknown-word"}],
    )  # fmt: skip
    assert operator.hook(rental)["same"] == 1
    assert operator.hook({**rental, "reference": "L2"})["new"] == 1
    assert operator.service.ledger.faults() == []
    operator.step()
    assert operator.trips[0].mode is Mode.BIKESHARE
    found = read_held(keep_sd_jwt(operator.redeem()[0]))
    assert found.type == "RentalCredential"
    assert (found.subject["amount"], found.subject["network"]) == (150, "Vélos de la Clamoux")


@pytest.mark.parametrize("fault", ["unsigned", "stale", "other-secret", "altered", "unknown"])
def test_a_call_nobody_signed_is_refused(operator: Operator, fault: str) -> None:
    body = b'{"reference": "L1"}'
    secret = operator.service.keys.webhooks["locations"]
    at = operator.clock()
    header = signature(body, secret=secret, at=at)
    path = "/webhooks/locations"
    match fault:
        case "unsigned":
            header = ""
        case "stale":
            header = signature(body, secret=secret, at=at - timedelta(minutes=6))
        case "other-secret":
            header = signature(body, secret=operator.service.keys.manage, at=at)
        case "altered":
            body += b" "
        case "unknown":
            path = "/webhooks/trajets"
    answer = operator.client.post(path, content=body, headers={SIGNATURE: header})
    assert (answer.status_code, answer.json()["code"]) == (401, "webhook-refused")
    put = operator.client.put("/customers", content=b"{}", headers={SIGNATURE: header})
    assert put.status_code == 401
    assert operator.service.report()["records"] == 0


def test_a_database_gives_passes_and_a_file_invoices(operator: Operator) -> None:
    operator.link()
    with sqlite3.connect(operator.folder / "clients.db") as database:
        database.execute(
            "INSERT INTO abonnement VALUES (12, 'c7', 'Mensuel', 'Camille Fabre', '2026-10-01',"
            " '2026-10-31', 36.0, '2026-10-01')"
        )
    operator.write(
        "factures.csv",
        'reference,customer,issuedOn,total,holder\nF-1,c7,2026-10-02,"1899,00",Camille Fabré\n',
        encoding="cp1252",
    )
    taken, pushed = operator.step()
    assert (taken.new, pushed.records) == (2, 2)
    vault = operator.citizen.vault
    (invoice,) = vault.all(Kind.INVOICE)
    (found,) = vault.all(Kind.SUBSCRIPTION)
    assert isinstance(invoice, Invoice) and isinstance(found, Subscription)
    assert (invoice.total, invoice.holder, invoice.evidence) == (
        189_900, "Camille Fabré", Evidence.OPERATOR,
    )  # fmt: skip
    assert (found.product, found.valid_until) == ("Mensuel", date(2026, 10, 31))
    kinds = sorted(read_held(keep_sd_jwt(token)).type for token in operator.redeem())
    assert kinds == ["InvoiceCredential", "PassCredential"]


def test_a_wallet_is_given_every_record_of_its_customer_and_no_other(operator: Operator) -> None:
    operator.write("trajets/a.csv", JOURNEYS)
    operator.step()
    mine, others = operator.redeem("c7"), operator.redeem("c9")
    assert (len(mine), len(others)) == (2, 1)
    trips = [read_held(keep_sd_jwt(token)) for token in mine]
    assert {t.subject["distanceAtLeast"] for t in trips} == {10_000}
    assert {t.subject["month"] for t in trips} == {"2026-10"}
    assert "T0" not in repr([t.subject for t in trips]), "no hour"
    assert len({n["value"] for t in trips for n in t.subject["nullifiers"]}) == 2
    assert [operator.status(token) for token in mine] == [0, 0]
    assert operator.signed("POST", "/customers/offers", {"customer": "c0"}).status_code == 422
    assert operator.client.post("/offers").status_code in (404, 405)


def test_a_disputed_record_is_offered_no_more_and_suspended_until_taken_back(
    operator: Operator,
) -> None:
    operator.write("trajets/a.csv", JOURNEYS)
    operator.link()
    operator.step()
    signed = operator.redeem()
    vault = operator.citizen.vault
    found = dispute(vault, operator.trips[0].id, reason="not-mine")
    journeys = found.observations[0].upstream_ids
    said = Dispute(found.id, operator.clock(), False, found.reason, journeys, ())
    assert operator.say(said) == 202
    assert len(operator.redeem()) == 1
    assert sorted(operator.status(token) for token in signed) == [0, 2]
    report = operator.service.report()
    assert (report["disputed"], report["disputes"][0]["references"]) == (1, ["trajets/T1"])

    back = replace(said, at=operator.clock() + timedelta(seconds=1), withdrawn=True)
    assert operator.say(back) == 202
    assert operator.say(said) == 202, "an older word, come late, changes nothing"
    assert len(operator.redeem()) == 2
    assert [operator.status(token) for token in signed] == [0, 0]
    assert operator.say(replace(said, id=Iri("urn:uuid:e"), journeys=("urn:uuid:none",))) == 422


def test_a_home_disputes_only_what_was_left_there(operator: Operator) -> None:
    operator.write("trajets/a.csv", JOURNEYS)
    operator.link("c7")
    operator.step()
    iris = operator.service.ledger.offered("c9", operator.service.settings.sources[0].produces)
    said = Dispute(Iri("urn:uuid:d"), operator.clock(), False, "wrong", tuple(iris), ())
    assert operator.say(said) == 422


def test_the_accreditation_request_is_signed_by_the_key_of_the_did_document(
    operator: Operator,
) -> None:
    document = DidDocument.from_json(
        operator.client.get("/.well-known/did.json").json(), expected="did:web:localhost%3A8410"
    )
    token = operator.client.get("/.well-known/mobility-accreditation").text
    assert asks_for(token) == document.id
    asked = read_accreditation(token, document)
    assert asked.types == (
        "InvoiceCredential", "PassCredential", "RentalCredential", "TripCredential",
    )  # fmt: skip
    assert (asked.roles, asked.evidence) == ((Role.OPERATOR,), Evidence.OPERATOR)
    assert document.service("MobilityDisputes") == "http://localhost:8410/contestations"


@pytest.mark.parametrize(
    "changes",
    [{"iss": "did:web:other"}, {"roles": ["registry"]}, {"roles": []}, {"types": ["Pouvoirs"]},
     {"evidence": "registry"}, {"families": "x"}, {"name": 7}],
)  # fmt: skip
def test_a_request_for_what_no_issuer_may_ask_is_refused(
    operator: Operator, changes: dict[str, Any]
) -> None:
    service = operator.service
    document = DidDocument.from_json(service.document(), expected=service.settings.did)
    good = service.accreditation_request()
    claims = dict(verify_jws(good, lambda _: service.keys.signing.public, typ=TYP).claims)
    with pytest.raises(AccreditationInvalidError):
        read_accreditation(sign_jws({**claims, **changes}, service.signer, typ=TYP), document)
    with pytest.raises(AccreditationInvalidError):
        read_accreditation(good[:-6] + "AAAAAA", document)
    with pytest.raises(AccreditationInvalidError):
        asks_for("nothing")


def test_the_migration_makes_the_tables_of_the_code(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'issuer.db'}"
    Ledger.open(url).close()
    engine = database.create(url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            missing = [
                change
                for change in compare_metadata(context, Base.metadata)
                if change[0] not in {"remove_table", "remove_index"}
            ]
        assert not missing
    finally:
        engine.dispose()


def test_keys_are_made_once_and_kept_from_others(tmp_path: Path) -> None:
    first = IssuerKeys.load(tmp_path, ["a"])
    again = IssuerKeys.load(tmp_path, ["a", "b"])
    assert first.signing.private_bytes() == again.signing.private_bytes()
    assert first.webhooks["a"] == again.webhooks["a"] != again.webhooks["b"]
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert first.manage not in repr(first)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('address = "http://localhost:8410"', 'address = "http://exemple.fr"', "address"),
        ('kind = "csv"', 'kind = "ftp"', "source[0].kind"),
        ('path = "trajets"', "", "source[0].path"),
        ('customer = "Client"', 'client = "Client"', "source[0].columns.client"),
        ('name = "locations"', 'name = "trajets"', "source"),
        ('siret = "20003588700013"', 'siret = "1"', "siret"),
        ('families = ["locations"]', "familles = []", "familles"),
        ('distance_unit = "km"', 'distance_unit = "mi"', "source[0].distance_unit"),
        ("[[source]]", "[source]", "source"),
    ],
)
def test_settings_that_contradict_themselves_are_refused_by_place(
    tmp_path: Path, old: str, new: str, where: str
) -> None:
    text = (
        TOML.replace(old, new, 1)
        if old != "[[source]]"
        else 'name = "x"\naddress = "https://x.fr"\n'
    )
    (tmp_path / "issuer.toml").write_text(text)
    with pytest.raises(IssuerSettingsError) as refused:
        IssuerSettings.read(tmp_path)
    assert refused.value.where == where


def test_the_did_follows_from_the_address(tmp_path: Path) -> None:
    (tmp_path / "issuer.toml").write_text(
        TOML.replace("http://localhost:8410", "https://operateur.exemple.fr/mobilite/preuves/")
    )
    settings = IssuerSettings.read(tmp_path)
    assert settings.did == "did:web:operateur.exemple.fr:mobilite:preuves"
    assert (settings.path, settings.allow_loopback) == ("mobilite/preuves", False)


def test_csv_of_every_usual_dialect_reads_alike() -> None:
    for delimiter in ";,\t":
        for head in ("", "\ufeff"):
            text = f"{head}a{delimiter}b\r\n1{delimiter}é\r\n\r\n2{delimiter}x\r\n"
            found = list(csv_rows(text.encode()))
            assert found == [(2, {"a": "1", "b": "é"}), (4, {"a": "2", "b": "x"})]


def test_the_command_revokes_all_that_was_signed_of_a_row_and_refuses_an_unknown_one(
    operator: Operator,
) -> None:
    operator.write("trajets/2026-10.csv", JOURNEYS)
    operator.link()
    operator.step()
    tokens = operator.redeem()
    assert [operator.status(token) for token in tokens] == [VALID] * len(tokens)
    command = ["issuer", "revoke", str(operator.folder), "trajets"]
    unknown = CliRunner().invoke(cli.app, [*command, "T99", "--json"])
    assert (unknown.exit_code, json.loads(unknown.stdout)) == (1, {"revoked": 0})
    done = CliRunner().invoke(cli.app, [*command, "T1", "--json"])
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"revoked": 1})
    statuses = sorted(operator.status(token) for token in tokens)
    assert statuses == [VALID] * (len(tokens) - 1) + [INVALID]
