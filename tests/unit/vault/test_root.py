"""The root key is renewed in one commit; every way to open goes on, and none is lost silently."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tests.unit.vault.builders import PASSPHRASE, Citizen, Clock, make_home
from tests.unit.vault.test_slots import Owner
from vault.crypto.errors import SealBrokenError, SlotBoundError
from vault.crypto.keyring import Keyring
from vault.crypto.secret import RootKey
from vault.crypto.slots import Slot as SlotHeader
from vault.crypto.slots import open_passphrase_slot, seal_passphrase_slot
from vault.errors import SessionEndedError, VaultLockedError
from vault.home import Home
from vault.store import Slot

ALL = (date(2026, 1, 1), date(2027, 12, 31))


@pytest.fixture
def owner(home: Home) -> Owner:
    """A passphrase, a recovery code, a passkey and shares."""
    made = Owner(home)
    made.add_passkey()
    return made


def stored(owner: Owner) -> tuple[list[Slot], bytes]:
    with owner.home.store.read() as reader:
        ring = reader.keyring(owner.vault_id)
        assert ring is not None
        return sorted(reader.slots(owner.vault_id), key=lambda slot: slot.slot_id), ring


def make_old(owner: Owner, kind: str = "passphrase") -> None:
    """A slot as it was before the root could be renewed without its secret."""
    home, vault = owner.home, owner.vault
    (slot,) = [s for s in stored(owner)[0] if s.kind == kind]
    sealed = seal_passphrase_slot(
        vault.root,
        PASSPHRASE,
        pepper=home.key_store.pepper(owner.vault_id),
        vault=owner.vault_id,
        profile=home.profile,
        slot_id=bytes.fromhex(slot.slot_id),
    )
    assert SlotHeader.parse(sealed).version == 1
    with home.store.transact() as tx:
        assert slot.created_at is not None
        tx.put_slot(owner.vault_id, replace(slot, sealed=sealed), at=slot.created_at)


def test_every_way_opens_after_the_root_was_renewed_and_the_old_root_opens_nothing(
    owner: Owner,
) -> None:
    home = owner.home
    shares = home.slots.make_shares(owner.vault, threshold=2, count=3, keep=owner.cookie)
    old_root = RootKey(owner.vault.root.copy())
    old_slots, old_ring = stored(owner)
    elsewhere = home.unlock(owner.vault_id, passphrase=PASSPHRASE, client="192.0.2.9").cookie_value

    home.slots.renew_root(owner.vault, keep=owner.cookie)

    slots, ring = stored(owner)
    assert ring != old_ring
    assert [s.slot_id for s in slots] == [s.slot_id for s in old_slots]
    assert not {s.sealed for s in slots} & {s.sealed for s in old_slots}
    with pytest.raises(SealBrokenError):
        Keyring.open(ring, root=old_root, vault=owner.vault_id)
    with pytest.raises(SessionEndedError):
        home.session(elsewhere)
    assert home.fsck(owner.vault_id, owner.vault).clean
    assert "root-renewed" in [event.event for event in owner.vault.journal().events]
    owner.enter(passphrase=PASSPHRASE)
    owner.enter(recovery_code=owner.code)
    owner.enter(shares=shares[1:])
    owner.enter(passkey=owner.proof())
    assert home.fsck(owner.vault_id, owner.vault).clean


def test_a_copy_made_before_and_the_ring_in_it_do_not_open_what_comes_after(owner: Owner) -> None:
    """Who has the old root and ring has each slot's anchor, and no slot's own pair."""
    home = owner.home
    with owner.vault.library.reading():
        anchor_key = owner.vault.library.keyring.slot_key().copy()
    home.slots.renew_root(owner.vault, keep=owner.cookie)
    (slot,) = [s for s in stored(owner)[0] if s.kind == "passphrase"]
    header = SlotHeader.parse(slot.sealed)
    assert header.version == 2
    assert bytes(anchor_key) not in slot.sealed
    pepper = home.key_store.pepper(owner.vault_id)
    opened = open_passphrase_slot(slot.sealed, PASSPHRASE, pepper=pepper, vault=owner.vault_id)
    assert opened.is_same(owner.vault.root)


def test_a_way_that_only_its_secret_can_renew_is_named_and_nothing_changes(owner: Owner) -> None:
    make_old(owner)
    before = stored(owner)
    assert [view.kind for view in owner.home.slots.bound(owner.vault)] == ["passphrase"]
    with pytest.raises(SlotBoundError):
        owner.home.slots.renew_root(owner.vault, keep=owner.cookie)
    assert stored(owner) == before
    owner.enter(passphrase=PASSPHRASE)  # using it once is enough
    assert owner.home.slots.bound(owner.vault) == ()
    assert [s.slot_id for s in stored(owner)[0]] == [s.slot_id for s in before[0]]
    owner.home.slots.renew_root(owner.vault, keep=owner.cookie)
    owner.enter(passphrase=PASSPHRASE)
    owner.enter(recovery_code=owner.code)


def test_a_ring_from_before_gets_its_slot_key_when_one_is_needed(owner: Owner) -> None:
    make_old(owner)
    with owner.vault.library.writing() as draft:
        ring = owner.vault.library.keyring
        ring._keys = [key for key in ring.lines() if key.purpose.name != "SLOT"]
        draft.put_keyring(owner.vault.root)
    owner.enter(passphrase=PASSPHRASE)
    assert [s.kind for s in stored(owner)[0] if SlotHeader.parse(s.sealed).version == 1] == []


def test_a_slot_that_was_changed_in_the_store_gets_no_root(owner: Owner) -> None:
    (slot,) = [s for s in stored(owner)[0] if s.kind == "recovery"]
    own, _ = stored(owner)
    other = next(s for s in own if s.kind == "passphrase")
    theirs = SlotHeader.parse(other.sealed).public_key
    mine = SlotHeader.parse(slot.sealed).public_key
    swapped = slot.sealed.replace(mine, theirs)
    with owner.home.store.transact() as tx:
        assert slot.created_at is not None
        tx.put_slot(owner.vault_id, replace(slot, sealed=swapped), at=slot.created_at)
    before = stored(owner)
    with pytest.raises(SealBrokenError):
        owner.home.slots.renew_root(owner.vault, keep=owner.cookie)
    assert stored(owner) == before
    owner.enter(passphrase=PASSPHRASE)


def test_a_process_that_dies_after_the_commit_costs_one_unlock(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Home, "root_renewed", dies)
        with pytest.raises(KeyboardInterrupt):
            owner.home.slots.renew_root(owner.vault, keep=owner.cookie)
    owner.home._forget(owner.vault_id)
    with pytest.raises(SessionEndedError):
        owner.home.session(owner.cookie)
    owner.enter(passphrase=PASSPHRASE)
    assert owner.home.fsck(owner.vault_id, owner.vault).clean


def test_another_worker_goes_on_with_the_session_that_was_kept(
    home: Home, tmp_path: Path, clock: Clock
) -> None:
    citizen = Citizen(home)
    citizen.with_trips(2)
    with make_home(tmp_path / "home", clock) as worker:
        there = worker.session(citizen.cookie)
        assert len(there.trips(*ALL)) == 2
        home.slots.renew_root(citizen.vault, keep=citizen.cookie)
        with pytest.raises(VaultLockedError):
            there.trips(*ALL)  # this process had the old root
        assert len(worker.session(citizen.cookie).trips(*ALL)) == 2
    assert len(citizen.vault.trips(*ALL)) == 2
