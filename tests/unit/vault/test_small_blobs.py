"""Packed tracks, and small blobs in their rows: the same laws as for files."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.ids import digest
from schemas.jsonld import observation_to_json
from schemas.observations import TripObservation
from schemas.tracks import PackedTrack
from tests.unit.vault.builders import PASSPHRASE, Citizen, Clock, make_home, raw, trip
from tests.unit.vault.test_drain import trips
from vault.crypto.errors import RowAlteredError
from vault.documents import add_document, read_document
from vault.home import Home
from vault.observed import Observed, blob_content


@pytest.fixture
def home(tmp_path: Path, clock: Clock) -> Home:
    return make_home(tmp_path / "home", clock, blobs_in_rows=8192)


@pytest.fixture
def citizen(home: Home) -> Citizen:
    return Citizen(home)


def packed(number: int = 0, points: int = 120) -> TripObservation:
    found = trip(number, points=points)
    assert found.track is not None
    track = PackedTrack.of((p.at, p.lat, p.lon) for p in found.track)
    return replace(found, track=track)


def held(citizen: Citizen) -> list[Observed]:
    """Observations whose track is in their own row."""
    return [o for o in citizen.vault.all_observed() if o.track is not None]


def files(citizen: Citizen) -> list[str]:
    with citizen.home.store.read() as reader:
        return [blob.blob_id for blob in reader.blobs(citizen.vault_id)]


def test_a_file_that_a_crash_left_is_collected_at_a_later_opening(
    citizen: Citizen, clock: Clock
) -> None:
    document = add_document(citizen.vault, b"%PDF-1.7\n" + b"x" * 9_000, title="Lettre")
    left = citizen.vault.seal_blob(b"y" * 9_000)
    citizen.home.blobs.write_all(citizen.vault_id, [left])
    citizen.vault.upkeep()
    assert left.blob_id in citizen.home.blobs.names(citizen.vault_id), "it may be about to be named"
    clock.forward(days=3)
    citizen.cookie = citizen.unlock()
    citizen.vault.upkeep()
    assert citizen.home.blobs.names(citizen.vault_id) == set(files(citizen))
    assert b"".join(read_document(citizen.vault, document.id)).startswith(b"%PDF")
    assert citizen.home.fsck(citizen.vault_id, citizen.vault).clean


def test_a_small_track_stays_in_its_row_and_comes_back_point_by_point(citizen: Citizen) -> None:
    observation = packed()
    assert observation.track is not None
    citizen.depositor().leave(observation)
    citizen.vault.drain(None)
    (found,) = trips(citizen)
    assert citizen.home.blobs.names(citizen.vault_id) == set()
    assert files(citizen) == []
    points = [(p.at, p.lat, p.lon) for p in observation.track]
    assert citizen.vault.track(found.id) == points
    (observed,) = citizen.vault.observed_of(found.id)
    assert found.track == observed.digest == digest(raw(observation))
    assert citizen.vault.deposited(observed) == raw(observation)
    assert b'"track":""' in observed.payload(), "the points are there once, packed"


def test_a_large_track_is_a_file(citizen: Citizen) -> None:
    source = trip(0, points=3)
    assert source.track is not None
    noisy = tuple(
        replace(source.track[0], lat=(n * 7919 % 90000) / 1e3, lon=(n * 104729 % 179000) / 1e3)
        for n in range(4000)
    )
    citizen.depositor().leave(replace(source, track=noisy))
    citizen.vault.drain(None)
    (found,) = trips(citizen)
    assert len(citizen.home.blobs.names(citizen.vault_id)) == 1
    assert held(citizen) == []
    assert len(citizen.vault.track(found.id)) == 4000


def test_a_duplicate_leaves_no_second_row(citizen: Citizen) -> None:
    depositor, observation = citizen.depositor(), packed()
    for _ in range(2):
        depositor.leave(observation)
        citizen.vault.drain(None)
    assert len(held(citizen)) == 1


def test_a_deleted_trip_takes_its_track_along(citizen: Citizen) -> None:
    citizen.depositor().leave(packed(0), packed(3))
    citizen.vault.drain(None)
    citizen.vault.delete(trips(citizen)[0].id)
    assert len(held(citizen)) == 1
    assert citizen.home.fsck(citizen.vault_id, citizen.vault).findings == ()


def test_an_altered_row_is_refused_by_name(citizen: Citizen) -> None:
    citizen.depositor().leave(packed())
    citizen.vault.drain(None)
    (found,) = trips(citizen)
    vault, library = citizen.vault, citizen.vault.library
    with library.reading() as shelf:
        place = shelf.find(found.observations[0])
        assert place is not None
        (row,) = shelf.reader.rows_named(vault.vault_id, "trips", [place[2].record_id])
    altered = row.sealed[:-1] + bytes((row.sealed[-1] ^ 1,))
    with citizen.home.store.transact() as tx:
        tx.put_rows(vault.vault_id, [replace(row, sealed=altered)])
    vault.lock()
    citizen.cookie = citizen.unlock()
    with pytest.raises(RowAlteredError):
        citizen.vault.track(found.id)


def test_export_and_restore_keep_every_byte(citizen: Citizen, tmp_path: Path, clock: Clock) -> None:
    observation = packed()
    citizen.depositor().leave(observation)
    citizen.vault.drain(None)
    out = io.BytesIO()
    citizen.vault.export(out, passphrase=PASSPHRASE)
    out.seek(0)
    with make_home(tmp_path / "other", clock, blobs_in_rows=8192) as other:
        made = other.restore(out, passphrase=PASSPHRASE, new_passphrase=PASSPHRASE)
        cookie = other.unlock(made.vault_id, passphrase=PASSPHRASE, client="192.0.2.1")
        vault = other.session(cookie.cookie_value)
        (observed,) = [o for o in vault.all_observed() if o.track is not None]
        assert vault.deposited(observed) == raw(observation)


def test_an_observation_reads_as_it_was_kept(citizen: Citizen) -> None:
    citizen.depositor().leave(packed(), trip(2), trip(4, points=9))
    citizen.vault.drain(None)
    kept = citizen.vault.all_observed()
    assert len(kept) == 3
    for item in kept:
        assert Observed.read(item.payload()) == item
        assert Observed.read(item.forgotten().payload()).is_forgotten


def test_a_track_spelt_with_escapes_is_kept_whole() -> None:
    observation = packed()
    assert isinstance(observation.track, PackedTrack)
    text = observation.track.text
    written = raw(observation).replace(text.encode(), b"\\u0075" + text[1:].encode())
    assert blob_content(written, observation)[:1] == b"\x78", "deflated as a whole"
    assert blob_content(raw(observation), observation)[:1] == b"\x01", "the packed points alone"
    assert observation_to_json(observation)["track"] == text
