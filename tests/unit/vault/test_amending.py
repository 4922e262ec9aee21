"""What the citizen changes by hand, and takes back."""

import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas.evidence import Evidence
from schemas.ids import mint_iri
from schemas.observations import DocumentObservation
from schemas.records import (
    Energy,
    Invoice,
    Kind,
    PlaceRole,
    Preference,
    Record,
    Vehicle,
    VehicleType,
)
from schemas.units import Cents
from tests.unit.vault.builders import CARCASSONNE, START, Citizen, Clock, invoice, place, trust
from vault import amending
from vault.amending import amend, amendments, corrected_at, restate, undo
from vault.deletion import remove
from vault.errors import ActRefusedError, RecordConflictError
from vault.preferences import preferences


def bicycle() -> Vehicle:
    return Vehicle(
        id=mint_iri(), vehicle_type=VehicleType.BICYCLE, energy=Energy.HUMAN, label="Bleu"
    )


def contents(record: Record) -> Any:
    return replace(record, revision=1)


def kept(citizen: Citizen) -> list[str]:
    with citizen.home.store.read() as reader:
        return sorted(reader.setting_names(citizen.vault_id, "before/"))


def refused(reason: str, *act: Any) -> None:
    with pytest.raises(ActRefusedError) as caught:
        act[0](*act[1:])
    assert caught.value.reason == reason


def test_a_change_by_hand_is_undone_in_one_commit(citizen: Citizen) -> None:
    vault = citizen.vault
    home = vault.set_place(place(PlaceRole.HOME, CARCASSONNE))
    (bike,) = vault.put(bicycle())
    assert isinstance(bike, Vehicle)
    act = amend(vault, [replace(home, lat=43.3), replace(bike, label="Rouge")])
    assert act is not None
    (moved,) = vault.places()
    assert moved.lat == 43.3
    (change,) = amendments(vault)
    assert (change.id, change.records, change.made) == (act, (home, bike), ())
    seq = vault.head().seq
    undo(vault, act)
    assert vault.head().seq == seq + 1
    assert contents(vault.get(home.id)) == contents(home)
    assert contents(vault.get(bike.id)) == contents(bike)
    assert kept(citizen) == []
    refused("too-late", undo, vault, act)
    assert citizen.home.fsck(citizen.vault_id, vault).clean


def test_nothing_changed_leaves_nothing_to_undo(citizen: Citizen) -> None:
    (bike,) = citizen.vault.put(bicycle())
    assert amend(citizen.vault, [bike]) is None
    assert kept(citizen) == []


def test_choices_made_and_taken_back_are_undone_together(citizen: Citizen) -> None:
    vault, at = citizen.vault, citizen.home.clock()
    walk = Preference(id=mint_iri(), name="travel.walk-minutes", value=10, decided_at=at)
    quiet = Preference(id=mint_iri(), name="travel.quiet-roads", value=True, decided_at=at)
    vault.put(walk, quiet)
    liked = Preference(id=mint_iri(), name="travel.liked-mode", value="walk", decided_at=at)
    act = amend(vault, [replace(walk, value=20), liked], remove=[quiet.id])
    assert act is not None
    assert {n: p.value for n, p in preferences(vault).items()} == {
        "travel.walk-minutes": 20,
        "travel.liked-mode": "walk",
    }
    undo(vault, act)
    assert {n: p.value for n, p in preferences(vault).items()} == {
        "travel.walk-minutes": 10,
        "travel.quiet-roads": True,
    }


def test_what_was_changed_again_is_undone_last_first(citizen: Citizen, clock: Clock) -> None:
    vault = citizen.vault
    (bike,) = vault.put(bicycle())
    assert isinstance(bike, Vehicle)
    first = amend(vault, [replace(bike, label="Rouge")])
    now = vault.get(bike.id)
    assert isinstance(now, Vehicle)
    with pytest.raises(RecordConflictError):
        amend(vault, [replace(bike, label="Vert")])  # read before the first change
    clock.forward(minutes=1)
    second = amend(vault, [replace(now, label="Vert")])
    assert first is not None
    assert second is not None
    assert [a.id for a in amendments(vault)] == [second, first]
    refused("changed-since", undo, vault, first)
    undo(vault, second)
    assert contents(vault.get(bike.id)) == contents(now)
    undo(vault, first)
    assert contents(vault.get(bike.id)) == contents(bike)


def test_what_was_before_goes_after_its_term_and_with_the_record(
    citizen: Citizen, clock: Clock
) -> None:
    vault = citizen.vault
    one, other = (vault.put(bicycle())[0] for _ in range(2))
    assert isinstance(one, Vehicle)
    assert isinstance(other, Vehicle)
    amend(vault, [replace(one, label="Rouge")])
    late = amend(vault, [replace(other, label="Rouge")])
    assert len(kept(citizen)) == 2
    remove(vault, one.id)
    assert len(kept(citizen)) == 1
    clock.forward(days=32)
    assert amendments(vault) == []
    assert late is not None
    refused("too-late", undo, vault, late)
    vault.drain()
    assert kept(citizen) == []


def test_only_what_is_changed_by_hand_is(citizen: Citizen) -> None:
    citizen.with_trips(1)
    (trip,) = citizen.vault.all(Kind.TRIP)
    refused("not-amendable", amend, citizen.vault, [trip])


def left_by_register(citizen: Citizen) -> tuple[Any, Invoice]:
    """An invoice from a depositor that the registry lets attest."""
    depositor = citizen.depositor()
    at = citizen.home.clock()
    citizen.home.use_trust(trust(depositor.entry(Evidence.REGISTRY, at=at), at=at))
    said = invoice()
    depositor.leave(said)
    citizen.vault.drain(None)
    (found,) = citizen.vault.all(Kind.INVOICE)
    assert isinstance(found, Invoice)
    assert found.evidence is Evidence.REGISTRY
    return (depositor, said), found


def test_a_corrected_invoice_is_declared_until_the_correction_is_taken_back(
    citizen: Citizen,
) -> None:
    vault = citizen.vault
    (depositor, said), found = left_by_register(citizen)
    # In another month, so that the row moves too.
    amend(vault, [replace(found, total=Cents(1_000), issued_at=START - timedelta(days=40))])
    (wrong,) = vault.all(Kind.INVOICE)
    assert isinstance(wrong, Invoice)
    assert (wrong.total, wrong.evidence) == (1_000, Evidence.DECLARED)
    assert wrong.observations == found.observations
    assert corrected_at(wrong) == citizen.home.clock()
    assert isinstance(said, DocumentObservation)
    assert isinstance(said.record, Invoice)
    again = replace(said, id=mint_iri(), record=replace(said.record, total=Cents(9_999)))
    depositor.leave(again)
    vault.drain(None)
    (still,) = vault.all(Kind.INVOICE)
    assert isinstance(still, Invoice)
    assert (still.total, still.evidence) == (1_000, Evidence.DECLARED)
    restated = restate(vault, found.id)
    assert isinstance(restated, Invoice)
    assert (restated.total, restated.evidence) == (9_999, Evidence.REGISTRY)
    assert corrected_at(restated) is None
    assert vault.all(Kind.INVOICE) == [restated]
    refused("not-corrected", restate, vault, found.id)
    assert citizen.home.fsck(citizen.vault_id, vault).clean


def test_a_corrected_invoice_leaves_and_restores_as_declared(citizen: Citizen) -> None:
    vault = citizen.vault
    _, found = left_by_register(citizen)
    amend(vault, [replace(found, total=Cents(1_000))])
    out = io.BytesIO()
    vault.export(out, passphrase="une phrase")
    out.seek(0)
    made = citizen.home.restore(out, "une phrase", "une autre phrase")
    cookie, copy = citizen.home.open_direct(made.vault_id, passphrase="une autre phrase")
    (there,) = copy.all(Kind.INVOICE)
    assert isinstance(there, Invoice)
    assert (there.total, there.evidence) == (1_000, Evidence.DECLARED)
    assert corrected_at(there) is not None
    restored = restate(copy, found.id)
    assert isinstance(restored, Invoice)
    assert restored.total == found.total
    citizen.home.lock(cookie)


def test_an_undone_correction_of_an_invoice_has_its_class_again(citizen: Citizen) -> None:
    vault = citizen.vault
    _, found = left_by_register(citizen)
    act = amend(vault, [replace(found, total=Cents(1_000))])
    assert act is not None
    undo(vault, act)
    (back,) = vault.all(Kind.INVOICE)
    assert contents(back) == contents(found)


def test_the_store_sees_the_day_and_nothing_of_what_was_before(citizen: Citizen) -> None:
    (bike,) = citizen.vault.put(replace(bicycle(), identification="BC-12345-AZ"))
    assert isinstance(bike, Vehicle)
    amend(citizen.vault, [replace(bike, label="Rouge")])
    (name,) = kept(citizen)
    assert name.split("/")[1] == "2026-12-21"
    with citizen.home.store.read() as reader:
        sealed = reader.setting(citizen.vault_id, name)
    assert sealed is not None
    assert b"BC-12345" not in sealed
    assert amending.sweep(citizen.vault) == 0
