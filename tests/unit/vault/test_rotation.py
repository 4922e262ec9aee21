"""Keys are renewed while the vault is in use: nothing is lost, nothing of before opens or names."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from federation.sealing import build_deposit
from federation.wire.jobs import JobClass
from schemas.jsonld import to_jsonld
from schemas.modes import Mode
from schemas.records import Compartment, Kind, Record
from tests.integration.vault.world import records_of_every_kind
from tests.unit.vault.builders import START, Citizen, Clock, invoice, make_home, raw, trip
from vault import rotation
from vault.crypto.box_key import BoxPrivateKey
from vault.crypto.envelope import RecordHeader
from vault.crypto.errors import GrantError, KeyDestroyedError
from vault.crypto.grant import open_grant
from vault.crypto.keyring import Keyring, Purpose
from vault.documents import add_document, read_document
from vault.errors import DepositKeyRetiredError
from vault.grants import sealed_grant
from vault.home import Home
from vault.library import Library
from vault.open_vault import OpenVault

ALL = (date(2026, 1, 1), date(2027, 12, 31))
LETTER = b"%PDF-1.7\n" + b"une attestation " * 9_000


@pytest.fixture
def filled(citizen: Citizen) -> Citizen:
    """Every kind, several months, tracks, a document with its file, a correction."""
    depositor = citizen.depositor()
    depositor.leave(*(trip(n, points=40) for n in range(4)))
    depositor.leave(trip(start=START + timedelta(days=40), points=3), invoice())
    citizen.vault.drain(None)
    citizen.vault.put(*records_of_every_kind())
    add_document(citizen.vault, LETTER, title="Attestation")
    citizen.vault.correct(citizen.vault.trips(*ALL)[0].id, mode=Mode.WALK)
    return citizen


def everything(vault: OpenVault) -> dict[str, Any]:
    """What the vault holds, by IRI: records, observations as deposited, tracks, files."""
    out: dict[str, Any] = {}
    records: list[Record] = []
    for kind in Kind:
        if kind is not Kind.OBSERVATION:
            records += vault.all(kind)
    for record in records:
        out[record.id] = to_jsonld(vault.get(record.id))
    for item in vault.all_observed():
        out[item.iri] = (vault.deposited(item), item.received)
    for found in vault.trips(*ALL):
        out[f"track {found.id}"] = vault.track(found.id)
    for document in vault.all(Kind.DOCUMENT):
        if document.size > 100:  # type: ignore[union-attr]
            out[f"file {document.id}"] = b"".join(read_document(vault, document.id))
    return out


def rows(citizen: Citizen) -> list[tuple[str, bytes, bytes, int]]:
    """(compartment, row id, tag, epoch) of every row."""
    with citizen.home.store.read() as reader:
        return [
            (c, row_id, tag, RecordHeader.of(row.sealed).epoch)
            for c, tag, row_id in reader.row_tags(citizen.vault_id)
            if (row := reader.row(citizen.vault_id, c, row_id)) is not None
        ]


def stored_ring(citizen: Citizen) -> Keyring:
    with citizen.home.store.read() as reader:
        sealed = reader.keyring(citizen.vault_id)
    assert sealed is not None
    return Keyring.open(sealed, root=citizen.vault.root, vault=citizen.vault_id)


def finish(vault: OpenVault) -> int:
    return rotation.step(vault, budget_s=None)


def clean(citizen: Citizen) -> None:
    report = citizen.home.fsck(citizen.vault_id, citizen.vault)
    assert report.opened
    assert report.clean, report.findings


def test_every_row_gets_new_names_and_keys_and_the_earlier_ones_are_destroyed(
    filled: Citizen,
) -> None:
    before, held = rows(filled), everything(filled.vault)
    rotation.begin(filled.vault)
    assert finish(filled.vault) == len(before)
    after = rows(filled)
    assert len(after) == len(before)
    assert {row[3] for row in after} == {2}
    assert not {row[1] for row in before} & {row[1] for row in after}
    assert not {row[2] for row in before} & {row[2] for row in after}
    with filled.home.store.read() as reader:
        months = reader.months(filled.vault_id)
    assert {int.from_bytes(month.sealed[4:8], "big") for month in months} == {2}
    assert not {row[2] for row in before} & {month.tag for month in months}
    ring = stored_ring(filled)
    for compartment in Compartment:
        assert ring.epochs(compartment) == (2,)
        assert ring.epochs(compartment, Purpose.INDEX) == (2,)
        with pytest.raises(KeyDestroyedError):
            ring.index_key(compartment, epoch=1)
    assert everything(filled.vault) == held
    assert rotation.running(filled.vault) == []
    clean(filled)
    filled.vault.lock()
    filled.cookie = filled.unlock()
    assert everything(filled.vault) == held
    clean(filled)
    events = [event.event for event in filled.vault.journal().events]
    assert events.count("keys-destroyed") == len(Compartment)
    assert "keys-renewed" in events


def test_between_two_slices_everything_is_read_and_written_as_ever(
    filled: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "SLICE_RECORDS", 2)
    held = everything(filled.vault)
    rotation.begin(filled.vault)
    seen, slices = list[int](), 0
    while rotation.running(filled.vault):
        rotation.step(filled.vault, budget_s=None, slices=1)
        slices += 1
        if slices % 3 == 1:
            assert everything(filled.vault) == held
            clean(filled)
        seen.append(sum(found.done for found in rotation.running(filled.vault)))
        if slices % 4 == 1:
            attribute = filled.vault.attributes()[0]
            filled.vault.put(attribute_of(attribute, slices))
            held[attribute.id] = to_jsonld(filled.vault.get(attribute.id))
        if slices == 6:  # locked in the middle; the next session goes on
            filled.vault.lock()
            filled.cookie = filled.unlock()
    assert slices > 10
    assert max(seen) > 2
    assert {row[3] for row in rows(filled)} == {2}
    clean(filled)


def attribute_of(attribute: Any, value: int) -> Any:
    from dataclasses import replace

    return replace(attribute, value=f"valeur {value}")


def test_corrections_deletions_and_deposits_meet_rows_of_both_epochs(
    filled: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "SLICE_RECORDS", 3)
    depositor = filled.depositor(account="a2")
    rotation.begin(filled.vault, [Compartment.TRIPS])
    rotation.step(filled.vault, budget_s=None, slices=1)
    assert {row[3] for row in rows(filled) if row[0] == "trips"} == {1, 2}
    first, second, *_ = filled.vault.trips(*ALL)
    filled.vault.correct(first.id, purpose="travail")
    filled.vault.delete(second.id)
    depositor.leave(trip(start=START + timedelta(days=10), account="a2"))
    filled.vault.drain(None)
    clean(filled)
    left = {t.id for t in filled.vault.trips(*ALL)}
    assert second.id not in left
    assert len(left) == 5
    finish(filled.vault)
    assert {t.id for t in filled.vault.trips(*ALL)} == left
    assert filled.vault.get(first.id).purpose == "travail"  # type: ignore[union-attr]
    assert {row[3] for row in rows(filled) if row[0] == "trips"} == {2}
    clean(filled)


def test_a_row_is_never_there_under_two_names(
    filled: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "SLICE_RECORDS", 5)
    count = len(rows(filled))
    rotation.begin(filled.vault)
    while rotation.running(filled.vault):
        rotation.step(filled.vault, budget_s=None, slices=1)
        filled.vault.put(attribute_of(filled.vault.attributes()[0], 3))
        assert len(rows(filled)) == count


def test_a_grant_that_stands_goes_on_and_a_revoked_one_opens_nothing_any_more(
    filled: Citizen, clock: Clock
) -> None:
    def give(name: str) -> tuple[BoxPrivateKey, str]:
        delegate = BoxPrivateKey.generate()
        info = filled.vault.grant(
            {Compartment.TRIPS: ["2026-11", "2027-01"]},
            delegate=delegate.public,
            name=name,
            purpose="accompagnement",
            expires_at=clock() + timedelta(days=30),
        )
        return delegate, info.id

    (stays, kept), (goes, gone) = give("Conseil de l'Aude"), give("Conseil d'ailleurs")
    stolen = sealed_grant(filled.vault, gone)
    filled.vault.revoke(gone)
    finish(filled.vault)
    november = [row for row in rows(filled) if row[0] == "trips"]
    assert {row[3] for row in november} == {2}
    with open_grant(stolen, key=goes, at=clock()) as grant:
        with pytest.raises(GrantError):
            grant.month_key(Compartment.TRIPS, "2026-11", epoch=2)
        old = grant.index_key(Compartment.TRIPS, epoch=1)
        assert old.tag("month", "2026-11") not in {row[2] for row in november}
    with open_grant(sealed_grant(filled.vault, kept), key=stays, at=clock()) as grant:
        assert grant.grant_id.hex() == kept
        grant.month_key(Compartment.TRIPS, "2026-11", epoch=2)
        grant.month_key(Compartment.TRIPS, "2027-01", epoch=2)
        tag = grant.index_key(Compartment.TRIPS, epoch=2).tag("month", "2026-11")
        assert tag in {row[2] for row in november}
        with pytest.raises(GrantError):
            grant.month_key(Compartment.TRIPS, "2026-11", epoch=1)
    assert [info.id for info in filled.vault.grants()] == [kept]


def test_what_was_sealed_before_is_drained_after_and_refused_once_the_old_pair_is_gone(
    filled: Citizen, clock: Clock
) -> None:
    depositor = filled.depositor(account="a3")
    old = depositor.seal([raw(trip(50, account="a3"))])
    rotation.begin(filled.vault, [Compartment.TRIPS])
    finish(filled.vault)
    filled.home.drop_box(filled.vault_id).deposit(old.data)
    depositor.seq, depositor.previous = old.seq, old.manifest_digest
    late = depositor.seal([raw(trip(51, account="a3"))])
    clock.forward(days=8)
    filled.cookie = filled.unlock()
    finish(filled.vault)  # something waits: the pair stays
    report = filled.vault.drain(None)
    assert (report.records, report.quarantined) == (1, 0)
    stale = depositor_sealing_to(filled, depositor, epoch=1)
    finish(filled.vault)
    ring = stored_ring(filled)
    assert ring.epochs(Compartment.TRIPS, Purpose.BOX) == (2,)
    with pytest.raises(DepositKeyRetiredError):
        filled.home.drop_box(filled.vault_id).deposit(stale)
    filled.home.drop_box(filled.vault_id).deposit(late.data)
    report = filled.vault.drain(None)
    assert (report.records, report.quarantined) == (1, 0)
    assert not rotation.is_due(filled.vault)
    clean(filled)


def depositor_sealing_to(citizen: Citizen, depositor: Any, *, epoch: int) -> bytes:
    box = citizen.vault.library.keyring.box(Compartment.TRIPS, epoch=epoch).public
    return build_deposit(
        [raw(trip(52, account="a3"))],
        vault=citizen.vault_id,
        depositor_signer=depositor.signer,
        account="a3",
        seq=depositor.seq + 1,
        previous=depositor.previous,
        to=box,
        at=citizen.home.clock(),
    ).data


def test_a_renewal_whose_first_commit_fails_leaves_no_key_behind(
    filled: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = everything(filled.vault)

    def failing(*_: Any, **__: Any) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(rotation, "reseal", failing)
        with pytest.raises(RuntimeError):
            rotation.begin(filled.vault)
    assert not rotation.is_due(filled.vault)
    attribute = filled.vault.attributes()[0]
    filled.vault.put(attribute_of(attribute, 7))
    held[attribute.id] = to_jsonld(filled.vault.get(attribute.id))
    filled.vault.lock()
    filled.cookie = filled.unlock()
    assert everything(filled.vault) == held
    assert {row[3] for row in rows(filled)} == {1}
    clean(filled)


def test_a_slice_that_fails_is_undone_whole_and_its_job_waits_again(
    filled: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vault.errors import HeadMovedError

    held = everything(filled.vault)
    rotation.begin(filled.vault)

    def moved(*_: Any, **__: Any) -> None:
        raise HeadMovedError(expected=1, found=2)

    with monkeypatch.context() as patched:
        patched.setattr("vault.library.Draft.finish", moved)
        assert rotation.step(filled.vault, budget_s=None) == 0
    assert {row[3] for row in rows(filled)} == {1}
    assert everything(filled.vault) == held
    assert finish(filled.vault) == len(rows(filled))
    assert {row[3] for row in rows(filled)} == {2}
    clean(filled)


def test_epochs_of_a_version_that_did_not_seal_anew_are_finished(
    filled: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then a revocation only opened an epoch, and rows kept the names of the first one."""
    from vault.store import PublicKey

    vault = filled.vault
    with vault.library.writing() as draft:
        ring = vault.library.keyring
        ring.rotate(Compartment.ATTRIBUTES, at=filled.home.clock())
        box = ring.box(Compartment.ATTRIBUTES).public
        draft.tx.put_public_key(
            vault.vault_id, PublicKey("attributes", box.key_id, box.encode(), active=True)
        )
        draft.put_keyring(vault.root)
    newest_first = Library._epochs
    with monkeypatch.context() as patched:
        patched.setattr(Library, "_epochs", lambda self, c: tuple(reversed(newest_first(self, c))))
        patched.setattr(Library, "row_id", lambda self, c, iri: self.row_ids(c, iri)[0])
        vault.library._tags_of.clear()
        vault.put(attribute_of(vault.attributes()[0], 9))
    vault.library._tags_of.clear()
    held = everything(vault)
    mixed = {row[3] for row in rows(filled) if row[0] == "attributes"}
    assert mixed == {1, 2}
    clean(filled)
    filled.vault.lock()
    filled.cookie = filled.unlock()
    assert rotation.is_due(filled.vault)
    finish(filled.vault)
    assert {row[3] for row in rows(filled) if row[0] == "attributes"} == {2}
    assert everything(filled.vault) == held
    assert stored_ring(filled).epochs(Compartment.ATTRIBUTES) == (2,)
    clean(filled)


def test_a_long_look_goes_on_while_the_keys_it_needs_are_destroyed(filled: Citizen) -> None:
    held = everything(filled.vault)
    vault = filled.vault
    with vault.library.reading() as shelf:
        rotation.begin(vault)
        finish(vault)
        vault.head()
        for iri in held:
            if iri.startswith("urn:"):
                assert shelf.find(iri) is not None or iri in aliases(vault)  # type: ignore[arg-type]
        payloads = [
            payload
            for compartment in Compartment
            for month in shelf.months(compartment)
            for _, payload in shelf.payloads(compartment, month)
        ]
    assert len(payloads) == len(rows(filled))


def aliases(vault: OpenVault) -> set[str]:
    return {alias for t in vault.trips(*ALL) for alias in t.aliases}


def test_the_server_sees_a_job_and_not_what_is_in_it(filled: Citizen) -> None:
    rotation.begin(filled.vault, [Compartment.TRIPS])
    (job,) = filled.home.outbox.of_owner(filled.vault_id, kind=rotation.JOB)
    assert job.job_class is JobClass.OPEN
    with pytest.raises(ValueError, match=r"."):
        json.loads(job.payload)


@pytest.fixture
def tended(tmp_path: Any, clock: Clock) -> Iterator[Home]:
    with make_home(tmp_path / "tended", clock, tends_open_vaults=True) as home:
        yield home


def test_a_thread_finishes_the_renewal_while_the_session_lasts(
    tended: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setattr(rotation, "SLICE_RECORDS", 2)
    citizen = Citizen(tended)
    citizen.with_trips(4, points=3)
    rotation.begin(citizen.vault)
    until = time.monotonic() + 60
    while rotation.running(citizen.vault):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert {row[3] for row in rows(citizen)} == {2}
    clean(citizen)
    citizen.vault.lock()
