"""An older copy of the store is found by the browser, by the witness hub, and by the home."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from federation.errors import HubRefusedError, HubUnreachableError
from federation.hub.local import LocalHub
from federation.hub.witness import identifier_of
from federation.ports import WitnessView
from schemas.ids import Digest
from schemas.records import PlaceRole
from tests.hub_world import World, build_world
from tests.unit.vault.builders import PASSPHRASE, TREBES, Clock, make_home, place
from vault.browser_witness import remembered, to_cookie
from vault.crypto.errors import VaultForkedError, VaultRolledBackError, WrongSecretError
from vault.crypto.head import HeadWitness
from vault.home import Home
from vault.witness import WitnessKeys

HERE = "192.0.2.1"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build_world(tmp_path / "hub")
    yield made
    made.context.close()


class Place:
    """A home in a folder that can be put back to an earlier copy, key folder and all."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder, self.clock = folder, clock
        self.home = make_home(folder, clock)
        made = self.home.create_vault(PASSPHRASE)
        self.vault_id = made.vault_id

    def enter(self, **more: object) -> HeadWitness:
        token = self.home.unlock(
            self.vault_id,
            passphrase=PASSPHRASE,
            client=HERE,
            **more,  # type: ignore[arg-type]  # a test names real arguments
        )
        self.cookie = token.cookie_value
        return HeadWitness(token.seq, token.head)

    def write(self) -> HeadWitness:
        vault = self.home.session(self.cookie)
        vault.set_place(place(PlaceRole.HOME, TREBES))
        return vault.witness()

    def keep_copy(self) -> None:
        self.home.close()
        shutil.copytree(self.folder, self.folder.with_name("copy"))
        self.home = make_home(self.folder, self.clock)

    def put_back(self) -> None:
        """Database and key store both: the home's own note goes back as well."""
        self.home.close()
        shutil.rmtree(self.folder)
        shutil.copytree(self.folder.with_name("copy"), self.folder)
        self.home = make_home(self.folder, self.clock)


@pytest.fixture
def old(tmp_path: Path, clock: Clock) -> Iterator[Place]:
    made = Place(tmp_path / "home", clock)
    made.enter()
    yield made
    made.home.close()


def test_a_copy_older_than_the_browser_remembers_stops_the_unlock(old: Place) -> None:
    old.keep_copy()
    old.enter()
    seen = old.write()
    old.put_back()
    with pytest.raises(VaultRolledBackError) as caught:
        old.enter(remembered=seen)
    assert (caught.value.seq, caught.value.remembered) == (seen.seq - 1, seen.seq)
    assert old.home.sweep() == 0  # nothing was left open
    with pytest.raises(WrongSecretError):
        old.home.unlock(
            old.vault_id, passphrase="faux", client=HERE, remembered=seen, restored=True
        )


def test_another_head_of_the_same_number_is_a_fork(old: Place) -> None:
    old.keep_copy()
    old.enter()
    seen = old.write()
    old.put_back()
    old.enter()
    old.write()
    with pytest.raises(VaultForkedError):
        old.enter(remembered=seen)


def test_restored_from_a_backup_is_said_by_the_citizen_and_journalled(old: Place) -> None:
    old.keep_copy()
    old.enter()
    seen = old.write()
    old.put_back()
    old.enter(remembered=seen, restored=True)
    events = old.home.session(old.cookie).journal(None).events
    event = next(e for e in events if e.event == "restored-from-backup")
    assert event.actor == "citizen"


def test_what_is_no_witness_of_this_vault_is_not_compared(old: Place) -> None:
    head = old.enter()
    cookie = to_cookie(old.vault_id, seq=head.seq, head=head.digest)
    assert remembered(cookie, old.vault_id) == head
    for text in (None, "", "x", cookie[:-3], cookie + "A" * 80, f"{'0' * 32}.AAAA"):
        assert remembered(text, old.vault_id) is None
    assert remembered(cookie, "0" * 32) is None


def test_the_witness_hub_stops_an_unlock_below_it(old: Place, world: World) -> None:
    hub = LocalHub(world.context)
    old.home.use_witness(hub)
    old.enter()
    old.keep_copy()
    old.home.use_witness(hub)
    old.enter()
    old.write()
    old.home.lock(old.cookie)
    assert old.home.runner().run_due() >= 1
    old.put_back()
    old.home.use_witness(hub)
    with pytest.raises(VaultRolledBackError):
        old.enter()
    old.enter(restored=True)
    old.home.runner().run_due()
    old.home.close()
    old.home = make_home(old.folder, old.clock)
    old.home.use_witness(hub)
    old.enter()  # the line says "restored": the next process agrees


def test_another_head_of_the_witnessed_number_is_a_fork(old: Place, world: World) -> None:
    keys = WitnessKeys.of(old.home.key_store.pepper(old.vault_id))
    head = old.enter()
    LocalHub(world.context).bear_witness(keys.secret, seq=head.seq, commitment=bytes(32))
    old.home.close()
    old.home = make_home(old.folder, old.clock)
    old.home.use_witness(LocalHub(world.context))
    with pytest.raises(VaultForkedError):
        old.enter()


class Silent:
    """A hub that does not answer."""

    def witnessed(self, identifier: str) -> WitnessView | None:
        raise HubUnreachableError("timeout")

    def bear_witness(
        self, secret: bytes, *, seq: int, commitment: bytes, restored: bool = False
    ) -> WitnessView:
        raise HubUnreachableError("timeout")


def test_a_witness_that_does_not_answer_stops_nobody_and_is_told_later(
    old: Place, world: World
) -> None:
    old.home.close()
    old.home = make_home(old.folder, old.clock)
    old.home.use_witness(Silent())
    head = old.enter()
    old.home.runner().run_due()
    old.home.use_witness(LocalHub(world.context))
    old.clock.forward(hours=2)
    old.home.runner().run_due()
    keys = WitnessKeys.of(old.home.key_store.pepper(old.vault_id))
    assert LocalHub(world.context).witnessed(keys.identifier) == WitnessView(
        head.seq, head.commitment(vault=old.vault_id, salt=keys.salt)
    )


def test_the_hub_learns_no_vault_and_no_head(old: Place, world: World) -> None:
    old.home.use_witness(LocalHub(world.context))
    head = old.enter()
    old.home.runner().run_due()
    seen = world.context.settings.folder / "hub.db"
    raw = b"".join(path.read_bytes() for path in seen.parent.glob("hub.db*"))
    for secret in (
        old.vault_id.encode(),
        bytes.fromhex(old.vault_id),
        head.digest,
        head.digest.hex().encode(),
    ):
        assert secret not in raw


def test_a_line_only_grows_and_only_its_writer_writes(world: World) -> None:
    hub, secret = LocalHub(world.context), b"s" * 32
    assert hub.witnessed(identifier_of(secret)) is None
    hub.bear_witness(secret, seq=5, commitment=Digest(b"a" * 32))
    hub.bear_witness(secret, seq=5, commitment=Digest(b"a" * 32))
    for seq, commitment in ((5, b"b" * 32), (4, b"a" * 32)):
        with pytest.raises(HubRefusedError) as caught:
            hub.bear_witness(secret, seq=seq, commitment=commitment)
        assert caught.value.hub_code == "witness-not-newer"
    hub.bear_witness(secret, seq=3, commitment=b"c" * 32, restored=True)
    assert hub.witnessed(identifier_of(secret)) == WitnessView(3, b"c" * 32)


def test_no_hub_means_nothing_to_compare(old: Place) -> None:
    assert isinstance(old.home, Home)
    assert old.home.witness_hub is None
    assert old.enter().seq > 0
