"""The drop-box: order, idempotence, quotas, and nobody else's vault."""

from pathlib import Path

import pytest

from federation.keys import decode_multikey
from schemas.ids import Did
from tests.unit.vault.builders import (
    SMALL,
    Citizen,
    Clock,
    Depositor,
    invoice,
    make_home,
    raw,
    trip,
)
from vault.errors import (
    DepositInvalidError,
    DepositorUnknownError,
    DepositOutOfSequenceError,
    DropBoxFullError,
    VaultUnknownError,
    WrongVaultError,
)
from vault.home import Home


def test_identical_bytes_again_get_the_same_signed_receipt(home: Home, citizen: Citizen) -> None:
    depositor = citizen.depositor()
    sealed = depositor.seal([raw(trip())])
    box = home.drop_box(citizen.vault_id)
    first = box.deposit(sealed.data)
    home.clock.forward(hours=1)  # type: ignore[attr-defined]  # the test's clock
    assert box.deposit(sealed.data).data == first.data
    assert box.waiting().deposits == 1
    first.verify(decode_multikey(home.signer().public_multikey()))


def test_a_resealed_page_is_another_deposit_and_out_of_sequence(
    home: Home, citizen: Citizen
) -> None:
    depositor = citizen.depositor()
    box = home.drop_box(citizen.vault_id)
    box.deposit(depositor.seal([raw(trip())]).data)
    with pytest.raises(DepositOutOfSequenceError) as refused:
        box.deposit(depositor.seal([raw(trip())]).data)
    assert refused.value.last == 1
    assert refused.value.problem_extensions() == {"last": 1}


def test_a_gap_or_a_wrong_previous_is_refused_with_the_last_seq(
    home: Home, citizen: Citizen
) -> None:
    depositor = citizen.depositor()
    first = depositor.leave(trip())
    box = home.drop_box(citizen.vault_id)
    for seq, previous in ((3, first.manifest_digest), (2, first.digest)):
        with pytest.raises(DepositOutOfSequenceError) as refused:
            box.deposit(depositor.seal([raw(trip(1))], seq=seq, previous=previous).data)
        assert refused.value.last == 1
    assert box.last(depositor.did, "a1") == (1, first.manifest_digest)


def test_a_deposit_for_another_vault_is_refused(home: Home, citizen: Citizen) -> None:
    other = Citizen(home)
    sealed = citizen.depositor().seal([raw(trip())])
    Depositor(home, other.vault_id)
    with pytest.raises(WrongVaultError):
        home.drop_box(other.vault_id).deposit(sealed.data)


def test_only_linked_depositors_leave_anything(home: Home, citizen: Citizen) -> None:
    stranger = citizen.depositor(did=Did("did:web:stranger.example"), linked=False)
    with pytest.raises(DepositorUnknownError):
        stranger.leave(trip())
    linked = citizen.depositor()
    linked.leave(trip())
    home.revoke_link(citizen.vault_id, linked.did, "a1")
    with pytest.raises(DepositorUnknownError):
        linked.leave(trip(1))


@pytest.mark.parametrize("cut", [0, 3, 40, 200])
def test_truncated_bytes_are_refused_by_name(home: Home, citizen: Citizen, cut: int) -> None:
    sealed = citizen.depositor().seal([raw(trip())])
    with pytest.raises(DepositInvalidError):
        home.drop_box(citizen.vault_id).deposit(sealed.data[:cut])
    assert home.drop_box(citizen.vault_id).waiting().deposits == 0


def test_an_unknown_vault_has_no_drop_box(home: Home) -> None:
    with pytest.raises(VaultUnknownError):
        home.drop_box("0" * 32).public_keys()


def test_quotas_of_depositor_and_vault_hold_and_draining_frees_them(
    tmp_path: Path, clock: Clock
) -> None:
    with make_home(tmp_path / "small", clock, quotas=SMALL) as home:
        citizen = Citizen(home)
        greedy = citizen.depositor()
        with pytest.raises(DropBoxFullError):
            for number in range(60):
                greedy.leave(*(trip(number * 20 + n, points=40) for n in range(20)))
        held = home.drop_box(citizen.vault_id).waiting()
        assert 0 < held.bytes <= SMALL.depositor_bytes
        other = citizen.depositor(did=Did("did:web:other.example"), account="b1")
        other.leave(trip(900))
        citizen.vault.drain(None)
        assert home.drop_box(citizen.vault_id).waiting().bytes == 0
        greedy.leave(trip(901))


def test_a_receipt_tells_form_faults_and_nothing_else(home: Home, citizen: Citizen) -> None:
    depositor = citizen.depositor()
    sealed = depositor.leave_raw([raw(trip()), b'{"type":"Nonsense"}', b"<html>", raw(invoice())])
    box = home.drop_box(citizen.vault_id)
    found = box.receipt(sealed.digest)
    assert found is not None
    assert found.state == "waiting"
    report = citizen.vault.drain(None)
    assert (report.records, report.quarantined) == (2, 2)
    found = box.receipt(sealed.digest)
    assert found is not None
    assert found.state == "taken"
    assert [index for index, _, _ in found.faults] == [1, 2]
    assert box.receipt(sealed.digest, depositor=Did("did:web:other.example")) is None
