"""Records from a file of the citizen's: kept in one commit, taken back in one."""

from dataclasses import replace

import pytest

from schemas.ids import Iri, mint_iri
from schemas.records import (
    Application,
    ApplicationState,
    Attribute,
    Invoice,
    Kind,
    Subscription,
)
from schemas.units import Cents
from tests.unit.vault.builders import START, Citizen
from vault.documents import read_document
from vault.errors import ActRefusedError
from vault.imports import bring, brought, fresh, take_out
from vault.open_vault import OpenVault


def attribute(name: str, value: str = "x") -> Attribute:
    return Attribute(id=mint_iri(), name=name, value=value, source="mob", certified_at=START)


def application(row: str) -> Application:
    return Application(
        id=mint_iri(),
        aid=Iri("urn:mob:aid:1"),
        funder="Agglo",
        state=ApplicationState.ACCEPTED,
        period_from=START.date(),
        period_until=START.date(),
        extra={"importedFrom": "mob", "importedRow": row},
    )


def events(vault: OpenVault) -> list[str]:
    return [event.event for event in vault.journal().events]


def test_an_import_is_one_commit_and_its_undoing_another(citizen: Citizen) -> None:
    vault = citizen.vault
    made = bring(vault, [attribute("address.town"), application("1")], source="mob")
    assert made is not None
    assert [item.id for item in brought(vault)] == [made.id]
    assert len(vault.all(Kind.APPLICATION)) == 1
    assert take_out(vault, made.id) == (2, 0)
    assert vault.all(Kind.APPLICATION) == []
    assert vault.attributes() == []
    assert brought(vault) == []
    assert events(vault)[:2] == ["import-undone", "imported"]
    with pytest.raises(ActRefusedError, match="import-unknown"):
        take_out(vault, made.id)
    assert citizen.home.fsck(vault.vault_id, vault).clean


def test_an_import_adds_what_is_missing_and_changes_nothing(citizen: Citizen) -> None:
    vault = citizen.vault
    vault.put(replace(attribute("address.town", "Trèbes"), source="identity"))
    first = bring(vault, [attribute("address.town", "Narbonne"), application("1")], source="mob")
    assert first is not None
    assert len(first.records) == 1
    assert [a.value for a in vault.attributes("address.town")] == ["Trèbes"]
    again = [attribute("address.town"), application("1")]
    assert fresh(vault, again) == ()
    assert bring(vault, again, source="mob") is None
    assert len(brought(vault)) == 1


def test_what_was_changed_since_stays_when_an_import_is_undone(citizen: Citizen) -> None:
    vault = citizen.vault
    made = bring(vault, [attribute("address.town"), attribute("address.postcode")], source="mob")
    assert made is not None
    (town,) = vault.attributes("address.town")
    vault.put(replace(town, value="Trèbes"))
    assert take_out(vault, made.id) == (1, 1)
    assert [a.value for a in vault.attributes()] == ["Trèbes"]


def bill(number: str = "F-1") -> tuple[Invoice, Subscription]:
    made = Invoice(
        id=mint_iri(), issuer_name="Réseau Bleu", number=number, issued_at=START, total=Cents(3840)
    )
    ticket = Subscription(
        id=mint_iri(),
        network="Réseau Bleu",
        product="Mensuel",
        valid_from=START.date(),
        valid_until=START.date(),
        invoice=made.id,
    )
    return made, ticket


def test_an_invoice_is_kept_once_with_its_file_and_both_go_together(citizen: Citizen) -> None:
    vault, pdf = citizen.vault, b"%PDF-1.7 recu"
    first = bill()
    made = bring(vault, first, source="facture", files=[("recu.pdf", pdf, first[0].id)])
    assert made is not None
    (kept,) = vault.all(Kind.DOCUMENT)
    assert b"".join(read_document(vault, kept.id)) == pdf
    assert len(made.records) == 3
    again = bill()
    files = [("recu.pdf", pdf, again[0].id)]
    assert bring(vault, again, source="facture", files=files) is None
    both = bring(vault, (*again, *bill("F-2")), source="facture", files=files)
    assert both is not None
    assert len(both.records) == 2, "the known invoice, its pass and its file stay out"
    assert take_out(vault, made.id) == (3, 0)
    assert vault.all(Kind.DOCUMENT) == []
    assert citizen.home.fsck(vault.vault_id, vault).clean
