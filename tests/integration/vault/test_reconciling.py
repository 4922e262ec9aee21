"""Reconciliation through the real drain: order, batches and imports change nothing."""

import random
from pathlib import Path

import pytest

from schemas.evidence import Evidence
from schemas.modes import Mode
from schemas.observations import ClaimBy, LabelObservation, Observation, TripObservation
from schemas.records import Kind, Trip
from tests.integration.vault.world import (
    HOME,
    OPERATOR,
    PASSPHRASE,
    SHOP,
    TRACEMOB,
    Clock,
    Source,
    label,
    registry,
    said,
    settings,
    trip,
)
from vault.errors import ActRefusedError
from vault.home import Home
from vault.model import NewVault
from vault.open_vault import OpenVault


def trips(vault: OpenVault) -> list[Trip]:
    return [t for t in vault.all(Kind.TRIP) if isinstance(t, Trip)]


def week() -> list[tuple[str, Observation]]:
    """(depositor, observation): duplicates across apps, rewrites, late labels, a carpool."""
    out: list[tuple[str, Observation]] = []
    for day in range(5):
        start = day * 1440.0
        out += [
            (TRACEMOB, trip(f"matin {day}", start, written=start + 30, track=day % 2 == 0)),
            (TRACEMOB, trip(f"soir {day}", start + 600, mode=Mode.CAR, written=start + 640)),
            (TRACEMOB, label(f"soir {day} a", start + 598, start + 626, start + 700)),
        ]
        if day % 2:
            out += [
                (
                    OPERATOR,
                    trip(
                        f"covoit {day}",
                        start + 601,
                        start + 624,
                        source="carpool-operator",
                        account="conducteur",
                        mode=Mode.CARPOOL,
                        by=ClaimBy.OPERATOR,
                    ),
                ),
                (
                    TRACEMOB,
                    label(f"soir {day} b", start + 601, start + 620, start + 900, mode=Mode.BUS),
                ),
            ]
    # the same upstream trip written again, later and longer; over the end of the month too
    out += [
        (TRACEMOB, trip("fin de mois", 31_000, 31_040, written=31_050, destination=SHOP)),
        (TRACEMOB, trip("retour", 31_100, 31_140, written=31_150, origin=SHOP, destination=HOME)),
    ]
    return out


def fill(home: Home, order: random.Random | None) -> list[tuple[object, ...]]:
    vault_id = home.create_vault(PASSPHRASE).vault_id
    cookie = home.unlock(vault_id, passphrase=PASSPHRASE, client="a").cookie_value
    vault = home.session(cookie)
    sources = {
        TRACEMOB: Source(home, vault_id),
        OPERATOR: Source(home, vault_id, did=OPERATOR, account="conducteur"),
    }
    waiting = week()
    if order is not None:
        order.shuffle(waiting)
    while waiting:
        size = 1_000 if order is None else order.randint(1, 9)
        batch, waiting = waiting[:size], waiting[size:]
        for did, source in sources.items():
            mine = [observation for who, observation in batch if who == did]
            if mine:
                source.deposit(*mine)
        if order is not None and order.random() < 0.6:
            vault.drain(order.choice((1, 5, None)))
    vault.drain(None)
    assert home.fsck(vault_id, vault).clean
    return said(trips(vault))


def test_any_order_of_arrival_and_any_batches_make_the_same_trips(
    tmp_path: Path, clock: Clock
) -> None:
    frozen = clock()
    with Home.open(settings(tmp_path / "home"), clock=lambda: frozen) as home:
        home.use_trust(registry())
        expected = fill(home, None)
        assert len(expected) == 12
        for seed in range(6):
            assert fill(home, random.Random(seed)) == expected, f"seed {seed}"


def test_a_second_import_adds_nothing(home: Home, new: NewVault, vault: OpenVault) -> None:
    source = Source(home, new.vault_id)
    everything = [o for who, o in week() if who == TRACEMOB]
    source.deposit(*everything)
    vault.drain(None)
    before, head = trips(vault), dict(vault.head().manifests)
    source.deposit(*everything[::-1])
    again = Source(home, new.vault_id, account="autre chemin")
    again.deposit(*everything)
    report = vault.drain(None)
    assert (report.trips_new, report.trips_changed) == (0, 0)
    assert report.duplicates == 2 * len(everything)
    assert trips(vault) == before
    assert dict(vault.head().manifests) == head


def test_a_trip_deleted_by_the_citizen_does_not_come_back_with_the_next_import(
    home: Home, new: NewVault, vault: OpenVault
) -> None:
    source = Source(home, new.vault_id)
    kept, gone = trip("gardé", 600), trip("effacé", 0, track=True)
    source.deposit(kept, gone)
    vault.drain(None)
    doomed = next(t for t in trips(vault) if t.started_at == gone.started_at)
    deleted = vault.delete(doomed.id)
    assert (deleted.trips, deleted.observations) == (1, 1)
    assert [t.started_at for t in trips(vault)] == [kept.started_at]
    assert gone.id not in {o.iri for o in vault.all_observed()}

    source.deposit(kept, gone)
    # the same ride re-read by the app with another id, and as another app saw it
    source.deposit(trip("effacé, relu", 1, 26))
    other = Source(home, new.vault_id, did=OPERATOR, account="b")
    other.deposit(trip("effacé, ailleurs", 0, 24, source="push:velo", account="b"))
    report = vault.drain(None)
    assert report.trips_new == 0
    assert [t.started_at for t in trips(vault)] == [kept.started_at]
    assert home.fsck(new.vault_id, vault).clean

    vault.undo(deleted.suppression)
    back = [t for t in trips(vault) if t.started_at < kept.started_at]
    assert len(back) == 1
    assert gone.id in back[0].observations
    with pytest.raises(ActRefusedError):
        vault.undo(gone.id)
    assert home.fsck(new.vault_id, vault).clean


def test_labels_that_arrive_late_reach_their_trip_and_the_last_one_wins(
    home: Home, new: NewVault, vault: OpenVault
) -> None:
    source = Source(home, new.vault_id)
    ride: TripObservation = trip("voiture", 0, mode=Mode.CAR)
    first: LabelObservation = label("un", 2, 24, 100, mode=Mode.CARPOOL)
    second = label("deux", 0, 25, 200, mode=Mode.TAXI)
    source.deposit(second)
    vault.drain(None)
    assert trips(vault) == []
    source.deposit(ride)
    vault.drain(None)
    source.deposit(first)
    vault.drain(None)
    (found,) = trips(vault)
    assert found.mode is Mode.TAXI
    assert found.evidence is Evidence.CONFIRMED  # the person spoke of it too
    assert found.mode_evidence is Evidence.CORRECTED


def test_what_the_citizen_said_outlives_every_later_import_until_undone(
    home: Home, new: NewVault, vault: OpenVault
) -> None:
    source = Source(home, new.vault_id)
    source.deposit(trip("a", 0, mode=Mode.CAR, written=30), trip("b", 40, 60, written=70))
    vault.drain(None)
    first, second = sorted(trips(vault), key=lambda t: t.started_at)
    assert vault.correct(first.id, mode=Mode.CARPOOL).mode is Mode.CARPOOL
    merged = vault.merge(first.id, second.id)
    assert len(trips(vault)) == 1
    source.deposit(trip("a", 0, mode=Mode.CAR, written=30), label("l", 1, 24, 300, mode=Mode.BUS))
    vault.drain(None)
    (now,) = trips(vault)
    assert now.id == merged.id
    assert set(now.observations) >= {o for t in (first, second) for o in t.observations}
    for act in vault.decisions():
        vault.undo(act.id)
    assert sorted(t.started_at for t in trips(vault)) == [first.started_at, second.started_at]
    assert next(t for t in trips(vault) if t.started_at == first.started_at).mode is not (
        Mode.CARPOOL
    )
    assert home.fsck(new.vault_id, vault).clean
