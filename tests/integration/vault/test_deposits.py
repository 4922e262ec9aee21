"""The drop-box: what is taken, what is refused and how, what becomes of what cannot be read."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.evidence import Evidence
from schemas.ids import Did
from schemas.jsonld import encode, observation_to_json
from schemas.observations import CitizenObservation, ClaimBy, DocumentObservation
from schemas.records import Kind, Trip
from tests.integration.vault.test_tampering import database
from tests.integration.vault.world import (
    NOW,
    OPERATOR,
    PASSPHRASE,
    STRANGER,
    Clock,
    Source,
    iri,
    raw,
    records_of_every_kind,
    registry,
    settings,
    signer_of,
    trip,
)
from vault.errors import (
    DepositInvalidError,
    DepositorUnknownError,
    DepositOutOfSequenceError,
    DropBoxFullError,
    WrongVaultError,
)
from vault.home import Home
from vault.model import NewVault
from vault.open_vault import OpenVault
from vault.settings import Quotas


@pytest.fixture
def source(home: Home, new: NewVault) -> Source:
    return Source(home, new.vault_id)


def trips(vault: OpenVault) -> list[Trip]:
    return [t for t in vault.all(Kind.TRIP) if isinstance(t, Trip)]


def test_a_deposit_made_for_one_vault_is_refused_in_another(
    home: Home, new: NewVault, source: Source
) -> None:
    other = home.create_vault(PASSPHRASE)
    Source(home, other.vault_id)
    sealed = source.seal(trip("a", 0))
    with pytest.raises(WrongVaultError) as refused:
        home.drop_box(other.vault_id).deposit(sealed.data)
    assert refused.value.code == "deposit-wrong-vault"
    assert home.drop_box(other.vault_id).waiting().deposits == 0


def test_a_manifest_signed_for_one_vault_goes_to_quarantine_in_another(
    home: Home, new: NewVault, source: Source, vault: OpenVault
) -> None:
    """The header is rewritten for this vault; the signature inside is not for it."""
    from federation.sealing.box import seal
    from federation.sealing.deposit import INFO_LABEL, split_deposit
    from federation.sealing.layout import head, lp

    other = home.create_vault(PASSPHRASE)
    token = home.unlock(other.vault_id, passphrase=PASSPHRASE, client="a")
    elsewhere = Source(home, other.vault_id)
    made = elsewhere.seal(trip("a", 0))
    ring = home.session(token.cookie_value).library.keyring
    header, box = split_deposit(made.data)
    opening = made.data[: len(made.data) - len(box)]
    body = ring.box_for(made.key_id).open(box, info=INFO_LABEL + opening)
    forged_header = header.replace(lp(other.vault_id), lp(new.vault_id), 1)
    forged = head(b"D") + lp(forged_header)
    to = home.drop_box(new.vault_id).public_keys()[source.compartment]
    home.drop_box(new.vault_id).deposit(forged + seal(body, to=to, info=INFO_LABEL + forged))
    report = vault.drain(None)
    assert (report.quarantined, report.records, report.trips_new) == (1, 0, 0)
    assert [entry.reason for entry in vault.quarantine()] == ["wrong-vault"]


def test_the_same_bytes_again_get_the_same_receipt(
    source: Source, home: Home, vault: OpenVault
) -> None:
    box = home.drop_box(source.vault_id)
    sealed = source.seal(trip("a", 0))
    first = source.send(sealed)
    assert box.deposit(sealed.data).data == first.data
    assert box.waiting().deposits == 1
    vault.drain(None)
    assert box.deposit(sealed.data).data == first.data
    assert box.waiting().deposits == 0
    view = box.receipt(sealed.digest)
    assert view is not None
    assert view.state == "taken"
    assert vault.drain(None).records == 0


def test_a_deposit_out_of_sequence_is_told_the_last_one(source: Source, home: Home) -> None:
    box = home.drop_box(source.vault_id)
    source.deposit(trip("a", 0))
    mark = (source.seq, source.previous)
    for seq, previous in ((2, mark[1]), (0, None), (1, b"\x01" * 32)):
        source.seq, source.previous = seq, previous  # type: ignore[assignment]
        with pytest.raises(DepositOutOfSequenceError) as refused:
            box.deposit(source.seal(trip("b", 600)).data)
        assert refused.value.code == "deposit-out-of-sequence"
        assert refused.value.last == 1
    assert box.last(Did(source.did), source.account) == mark
    source.seq, source.previous = mark
    source.deposit(trip("b", 600))
    assert box.waiting().deposits == 2


def test_a_depositor_that_is_not_linked_or_no_more_is_refused(
    source: Source, home: Home, vault: OpenVault
) -> None:
    source.deposit(trip("a", 0))
    sealed = source.seal(trip("b", 600))
    home.revoke_link(source.vault_id, Did(source.did), source.account)
    with pytest.raises(DepositorUnknownError):
        source.send(sealed)
    source.account = "un autre compte"
    with pytest.raises(DepositorUnknownError):
        home.drop_box(source.vault_id).deposit(source.seal(trip("b", 600)).data)
    assert vault.drain(None).records == 1


@pytest.mark.parametrize("junk", [b"", b"MVD\x01", b"x" * 300, b"MVD\x01\xff\xff" + b"\x00" * 99])
def test_bytes_that_are_no_deposit_are_refused_by_type(
    source: Source, home: Home, junk: bytes
) -> None:
    with pytest.raises(DepositInvalidError):
        home.drop_box(source.vault_id).deposit(junk)
    whole = source.seal(trip("a", 0)).data
    for cut in range(0, len(whole) - 1200, 37):
        with pytest.raises(DepositInvalidError):
            home.drop_box(source.vault_id).deposit(whole[:cut][:90])


@pytest.fixture
def small(tmp_path: Path, clock: Clock) -> Iterator[Home]:
    quotas = Quotas(depositor_bytes=9_000, vault_bytes=14_000, vault_deposits=5)
    with Home.open(settings(tmp_path / "small", quotas=quotas), clock=clock) as home:
        home.use_trust(registry())
        yield home


def test_a_full_drop_box_says_so_and_has_room_again_after_the_drain(small: Home) -> None:
    vault_id = small.create_vault(PASSPHRASE).vault_id
    greedy, other = Source(small, vault_id), Source(small, vault_id, did=OPERATOR)
    taken = 0
    with pytest.raises(DropBoxFullError) as refused:
        while True:
            greedy.deposit(trip(f"g{taken}", taken * 600))
            taken += 1
    assert refused.value.limit == 9_000
    assert refused.value.retry_after_s is not None
    assert taken >= 1
    other.deposit(trip("o", 90_000))  # one depositor does not take the room of another
    box = small.drop_box(vault_id)
    held = box.waiting()
    assert held.deposits == taken + 1
    assert held.bytes <= 14_000
    token = small.unlock(vault_id, passphrase=PASSPHRASE, client="a")
    assert small.session(token.cookie_value).drain(None).deposits == taken + 1
    assert box.waiting().bytes == 0
    greedy.deposit(trip(f"g{taken}", taken * 600))
    assert small.fsck(vault_id, small.session(token.cookie_value)).clean


UNREADABLE = {
    "not JSON": b"<html>Bad gateway</html>",
    "cut": raw(trip("x", 0))[:-20],
    "empty": b"",
    "a list": b"[]",
    "no type": b"{}",
    "NaN": b'{"type": "TripObservation", "distance": NaN}',
    "deep": b"[" * 100_000,
    "duplicate keys": b'{"type": "TripObservation", "type": "TripObservation"}',
    "not UTF-8": b"\xff\xfe\x00",
    "swapped coordinates": raw(trip("x", 0)).replace(b"43.213071", b"243.213071"),
    "ends before it starts": raw(trip("x", 0)).replace(b"T07:25", b"T06:25"),
    "a citizen's act": encode(
        observation_to_json(
            CitizenObservation(
                id=iri("act"), at=NOW, act="purpose", purpose="x", targets=(iri("y"),)
            )
        )
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_record_goes_to_quarantine_and_the_rest_is_drained(
    source: Source, home: Home, vault: OpenVault, name: str
) -> None:
    receipt = source.deposit(trip("avant", 0), UNREADABLE[name], trip("après", 600))
    source.deposit(trip("ensuite", 1200))
    report = vault.drain(None)
    assert (report.records, report.trips_new, report.quarantined) == (3, 3, 1)
    (entry,) = vault.quarantine()
    assert (entry.index, entry.seq, entry.depositor) == (1, 1, source.did)
    assert entry.reason
    view = home.drop_box(source.vault_id).receipt(receipt.digest)
    assert view is not None
    assert [(index, code) for index, code, _ in view.faults] == [(1, entry.reason)]
    assert home.fsck(source.vault_id, vault).clean


@pytest.mark.parametrize("damage", ["flipped", "emptied"])
def test_a_deposit_that_was_altered_while_it_waited_does_not_stop_the_drain(
    source: Source, home: Home, vault: OpenVault, damage: str
) -> None:
    source.deposit(trip("a", 0))
    source.deposit(trip("b", 600))
    with database(home.settings.folder) as sql:
        (sealed,) = sql.execute("select sealed from deposit where seq=1").fetchone()
        changed = bytearray(sealed)
        changed[200] ^= 1
        value = bytes(changed) if damage == "flipped" else None
        sql.execute("update deposit set sealed=? where seq=1", (value,))
    report = vault.drain(None)
    assert (report.records, report.quarantined, report.waiting) == (1, 1, 0)
    (entry,) = vault.quarantine()
    assert entry.index is None
    assert entry.seq == 1
    source.deposit(trip("c", 1200))
    assert vault.drain(None).records == 1


def test_a_deposit_whose_signature_is_not_its_depositors_goes_to_quarantine(
    source: Source, home: Home, vault: OpenVault
) -> None:
    class Impostor:
        algorithm = "Ed25519"
        verification_method = source.signer.verification_method

        def sign(self, data: bytes) -> bytes:
            return signer_of(STRANGER).sign(data)

    source.signer = Impostor()  # type: ignore[assignment]
    source.deposit(trip("a", 0))
    assert vault.drain(None).trips_new == 0
    assert len(vault.quarantine()) == 1


def test_a_depositor_may_not_attest_more_than_the_registry_lets_it(
    home: Home, new: NewVault, vault: OpenVault
) -> None:
    for did in (STRANGER, OPERATOR, Source(home, new.vault_id).did):
        Source(home, new.vault_id, did=did, account=did).deposit(
            trip(did, len(did) * 1440.0, by=ClaimBy.REGISTRY)
        )
    vault.drain(None)
    found = {t.observations[0]: t.evidence for t in trips(vault)}
    assert found[iri(f"observation {STRANGER}")] is Evidence.DECLARED
    assert found[iri(f"observation {OPERATOR}")] is Evidence.OPERATOR
    assert found[iri(f"observation {Source(home, new.vault_id).did}")] is Evidence.SENSED


def test_evidence_that_a_payload_writes_about_itself_is_not_believed(
    home: Home, new: NewVault, vault: OpenVault
) -> None:
    invoice = replace(records_of_every_kind()[0], evidence=Evidence.REGISTRY)  # type: ignore[call-arg]
    source = Source(home, new.vault_id)
    observation = DocumentObservation(
        id=iri("facture"),
        source="tracemob",
        account="telephone",
        record=invoice,  # type: ignore[arg-type]
    )
    source.deposit(observation)
    vault.drain(None)
    (kept,) = vault.all(Kind.INVOICE)
    assert kept.evidence is Evidence.DECLARED  # type: ignore[union-attr]


def test_nothing_is_lost_and_nothing_taken_twice_whatever_the_batches(
    home: Home, new: NewVault, vault: OpenVault
) -> None:
    source = Source(home, new.vault_id)
    made = [trip(f"n{n}", n * 200, track=n % 5 == 0) for n in range(60)]
    for size in (1, 7, 20, 32):
        batch, made = made[:size], made[size:]
        source.deposit(*batch)
    taken = 0
    while report := vault.drain(10):
        if not report.records:
            break
        taken += report.records
    assert taken == 60
    kept = [o.iri for o in vault.all_observed()]
    assert sorted(kept) == sorted(iri(f"observation n{n}") for n in range(60))
    assert len(trips(vault)) == 60
    assert home.fsck(new.vault_id, vault).clean
