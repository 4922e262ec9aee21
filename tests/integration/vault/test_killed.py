"""The home is killed (SIGKILL) at seeded moments of each of its long acts, on both databases.

Laws: what was acknowledged is kept, once; what was not is whole or not there; the vault is clean;
what was begun goes on. A few rounds an act here; `make soak` runs MOBILITY_SOAK_ROUNDS (200) of
each, seeded, and goes on after the rounds listed in MOBILITY_SOAK_STATE when it was stopped.
"""

import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import pyrage
import pytest

from schemas.records import Attribute, Compartment, Invoice, Kind
from schemas.units import Cents
from tests.integration.vault.world import (
    NOW,
    PASSPHRASE,
    Source,
    iri,
    raw,
    registry,
    settings,
    trip,
)
from vault import rotation
from vault.errors import HeadMovedError, VaultUnknownError
from vault.home import Home
from vault.open_vault import OpenVault

pytestmark = pytest.mark.slow

ACTS: Final = ("put", "drain", "rotate", "export", "restore", "shred")
ROUNDS: Final = 2
SOAK_ROUNDS: Final = int(os.environ.get("MOBILITY_SOAK_ROUNDS", "200"))
FRESH_EVERY: Final = 25
"""Rounds on one home; then another, so that a round costs the same in the end."""
SECRET: Final = "mot de passe de l'archive"
MOVED: Final = "phrase du coffre refait"
FORK: Final = multiprocessing.get_context("forkserver")
"""Workers are forked from a process that never had a second thread: one that is forked while a
thread of its parent ends may inherit a lock of OpenSSL that nobody opens any more."""
FORK.set_forkserver_preload([__name__])
restoring = import_module("vault.archive.restore")


@dataclass
class Scene:
    """One home, one vault, and what its worker was promised."""

    folder: Path
    url: str | None
    vault_id: str = ""
    cookie: str = ""
    archive: bytes = b""
    records: int = 0
    put: dict[str, int] = field(default_factory=dict)
    deposited: set[str] = field(default_factory=set)
    exported: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    shredded: list[str] = field(default_factory=list)

    @contextmanager
    def home(self, *, later: timedelta = timedelta(0)) -> Iterator[Home]:
        """`later`: a clock that runs ahead, so that a dead worker's lease is over."""
        with Home.open(
            settings(self.folder, self.url), clock=lambda: datetime.now(UTC) + later
        ) as home:
            home.use_trust(registry())
            yield home

    def open(self, home: Home) -> OpenVault:
        self.cookie = home.unlock(
            self.vault_id, passphrase=PASSPHRASE, client="198.51.100.7"
        ).cookie_value
        return home.session(self.cookie)


def scene(folder: Path, url: str | None) -> Scene:
    made = Scene(folder, url)
    with made.home() as home:
        made.vault_id = home.create_vault(PASSPHRASE, label="épreuve").vault_id
        vault = made.open(home)
        source = Source(home, made.vault_id)
        source.deposit(*(trip(f"premier {n}", n * 2000.0, track=n % 2 == 0) for n in range(8)))
        vault.drain(None)
        vault.put(*(invoice(n) for n in range(12)))
        made.deposited = {item.iri for item in vault.all_observed()}
        out = made.folder / "archive.age"
        vault.export_file(out, passphrase=SECRET)
        made.archive = out.read_bytes()
        made.records = len(vault.all(Kind.INVOICE))
    return made


def invoice(number: int) -> Invoice:
    return Invoice(
        id=iri(f"facture {number}"),
        issuer_name="Régie",
        number=f"F-{number}",
        issued_at=datetime(2026, 1 + number % 6, 3, tzinfo=UTC),
        total=Cents(4210),
        lines=(),
        holder="Camille Pradelles",
    )


# --- what the worker does until it is killed -----------------------------------------------------


Say = Callable[..., None]


def work(scene: Scene, act: str, seed: int, out: Connection) -> None:
    """In a process of its own: `act` again and again; each promise is said after it was given."""

    def say(what: str, **rest: Any) -> None:
        out.send_bytes(json.dumps({"said": what, **rest}).encode())

    rotation.SLICE_RECORDS = 4  # type: ignore[misc]  # many slices, as in a large vault
    restoring.SLICE = 4
    dice = random.Random(seed)
    with scene.home() as home:
        vault = scene.open(home)
        say("ready")
        {
            "put": _put,
            "drain": _drain,
            "rotate": _rotate,
            "export": _export,
            "restore": _restore,
            "shred": _shred,
        }[act](scene, home, vault, dice, say)


def _put(scene: Scene, home: Home, vault: OpenVault, dice: random.Random, say: Say) -> None:
    step = 0
    while True:
        step += 1
        name, value = f"put {dice.randrange(8)}", dice.randrange(1 << 30)
        found = next((a for a in vault.attributes(name)), None)
        say("putting", name=name, value=value)
        vault.put(
            Attribute(
                id=iri(name),
                name=name,
                value=value,
                source="test",
                certified_at=NOW,
                revision=1 if found is None else found.revision,
            )
        )
        say("put", name=name, value=value)


def _drain(scene: Scene, home: Home, vault: OpenVault, dice: random.Random, say: Say) -> None:
    source = Source(home, scene.vault_id)
    while True:
        start = 20_000.0 + 300.0 * source.seq
        trips = [
            trip(f"dépôt {source.seq} {n}", start + 60 * n, track=dice.random() < 0.5)
            for n in range(dice.randint(1, 3))
        ]
        source.deposit(*(raw(t) for t in trips))
        say("deposited", names=[t.id for t in trips])
        if dice.random() < 0.7:
            vault.drain(2)


def _rotate(scene: Scene, home: Home, vault: OpenVault, dice: random.Random, say: Say) -> None:
    while True:
        say("began")
        if not rotation.running(vault):
            rotation.begin(vault, dice.sample(list(Compartment), 2))
        for _ in range(dice.randint(1, 6)):
            rotation.step(vault, slices=1)
        if dice.random() < 0.3:
            home.slots.renew_root(vault, keep=scene.cookie)
            vault = home.session(scene.cookie)


def _export(scene: Scene, home: Home, vault: OpenVault, dice: random.Random, say: Say) -> None:
    while True:
        name = f"{dice.getrandbits(64):016x}.age"
        say("began")
        vault.export_file(scene.folder / name, passphrase=SECRET)
        say("exported", name=name)
        vault.note("emporté")


def _restore(scene: Scene, home: Home, vault: OpenVault, dice: random.Random, say: Say) -> None:
    while True:
        say("began")
        with (scene.folder / "archive.age").open("rb") as archive:
            report = home.restore(archive, SECRET, MOVED)
        say("restored", vault=report.vault_id)


def _shred(scene: Scene, home: Home, vault: OpenVault, dice: random.Random, say: Say) -> None:
    while True:
        other = home.create_vault(PASSPHRASE).vault_id
        say("made", vault=other)
        _, theirs = home.open_direct(other, passphrase=PASSPHRASE)
        theirs.put(*(invoice(n) for n in range(6)))
        written = home.blobs.write_all(other, [theirs.seal_blob(b"x" * 20_000)])
        with theirs.library.writing() as draft:
            draft.tx.put_blob(other, *written)
            draft.journal("essai")
        home.shred(other)
        say("shredded", vault=other)


# --- killing and checking ------------------------------------------------------------------------


def one_round(scene: Scene, act: str, seed: int) -> None:
    """One worker, one kill, and every law."""
    dice = random.Random(f"{act} {seed}")
    ours, theirs = FORK.Pipe(duplex=False)
    worker = FORK.Process(target=work, args=(scene, act, seed, theirs), daemon=True)
    worker.start()
    theirs.close()
    said: list[dict[str, Any]] = []
    try:
        while not said:
            assert ours.poll(60), f"no worker (seed {seed})"
            said += _heard(ours)
            assert said, f"the worker ended by itself (seed {seed})"
        time.sleep(dice.uniform(0.0, 0.5))
        assert worker.is_alive(), f"{act} failed by itself (seed {seed})"
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        while heard := _heard(ours):
            said += heard
    finally:
        ours.close()
        worker.kill()
        worker.join(20)
    maybe = _take(scene, said)
    with scene.home(later=timedelta(minutes=10)) as home:
        vault = scene.open(home)
        try:
            _check(scene, home, vault, act, maybe)
        except AssertionError as error:
            raise AssertionError(f"{act}, seed {seed}, after {said[-3:]}") from error
        finally:
            home.lock_all(scene.vault_id)


def _heard(ours: Connection) -> list[dict[str, Any]]:
    """The next thing it said; nothing once it is dead."""
    try:
        return [json.loads(ours.recv_bytes())]
    except (EOFError, OSError):  # killed, perhaps in the middle of a word
        return []


def _take(scene: Scene, said: list[dict[str, Any]]) -> tuple[str, int] | None:
    """Note what was promised; returns the put that was under way."""
    maybe = None
    for line in said:
        match line["said"]:
            case "putting":
                maybe = (line["name"], line["value"])
            case "put":
                scene.put[line["name"]] = line["value"]
                maybe = None
            case "deposited":
                scene.deposited |= set(line["names"])
            case "exported":
                scene.exported.append(line["name"])
            case "restored":
                scene.restored.append(line["vault"])
            case "made":
                scene.made.append(line["vault"])
            case "shredded":
                scene.shredded.append(line["vault"])
    return maybe


def _check(
    scene: Scene, home: Home, vault: OpenVault, act: str, maybe: tuple[str, int] | None
) -> None:
    found = {a.name: a.value for a in vault.attributes() if a.name.startswith("put ")}
    if maybe is not None and found.get(maybe[0]) == maybe[1]:
        scene.put[maybe[0]] = maybe[1]
    assert found == scene.put, "an acknowledged write is lost, or one came from nowhere"
    vault.drain(None)
    observed = [item.iri for item in vault.all_observed()]
    assert len(observed) == len(set(observed)), "an observation is there twice"
    lost = scene.deposited - set(observed)
    assert not lost, "an acknowledged deposit is lost"
    scene.deposited |= set(observed)  # the one under way may have come in: then it stays
    trips = vault.trips(date(2026, 1, 1), date(2028, 1, 1))
    named = [iri_ for t in trips for iri_ in t.observations]
    assert len(named) == len(set(named)), "a trip is there twice"
    assert len(vault.all(Kind.INVOICE)) == scene.records
    if act == "rotate":
        while rotation.running(vault):
            rotation.step(vault, budget_s=None)
        ring = vault.library.keyring
        assert all(len(ring.epochs(c)) == 1 for c in Compartment), "a renewal did not go on"
    _check_archives(scene)
    _check_vaults(scene, home, act)
    report = home.fsck(scene.vault_id, vault)
    assert report.opened
    assert report.clean, report.findings


def _check_archives(scene: Scene) -> None:
    there = {path.name for path in scene.folder.glob("*.age")} - {"archive.age"}
    assert there >= set(scene.exported), "an acknowledged archive is gone"
    for name in there:  # each that is visible is whole, acknowledged or not
        plain = pyrage.passphrase.decrypt((scene.folder / name).read_bytes(), SECRET)
        assert b"manifest.sig" in plain
        (scene.folder / name).unlink()
    scene.exported.clear()


def _check_vaults(scene: Scene, home: Home, act: str) -> None:
    for vault_id in scene.restored:
        assert home.has_vault(vault_id), "an acknowledged restore is gone"
    if act == "restore":
        with (scene.folder / "archive.age").open("rb") as archive:
            report = home.restore(archive, SECRET, MOVED)
        with home.store.read() as reader:
            assert reader.vaults_with_setting(restoring.RESTORING) == [], "a half vault is left"
        _, again = home.open_direct(report.vault_id, passphrase=MOVED)
        assert len(again.all(Kind.INVOICE)) == scene.records
        found = home.fsck(report.vault_id, again)
        assert found.clean, found.findings
        for vault_id in home.vaults():
            if vault_id != scene.vault_id:
                home.shred(vault_id)
        scene.restored.clear()
    for vault_id in scene.made:
        if vault_id not in scene.shredded:
            try:
                home.shred(vault_id)  # the one under way: the shred goes on
            except HeadMovedError:
                raise AssertionError("a shred did not go on") from None
        assert not home.has_vault(vault_id)
        with pytest.raises(VaultUnknownError):
            home.key_store.pepper(vault_id)
        with home.store.read() as reader:
            assert reader.slots(vault_id) == []
            assert reader.row_tags(vault_id) == []
            assert reader.blobs(vault_id) == []
        assert not home.blobs.names(vault_id)
    scene.made.clear()
    scene.shredded.clear()
    if act == "shred":  # one that was made and not yet said
        for vault_id in home.vaults():
            if vault_id != scene.vault_id:
                home.shred(vault_id)


@pytest.fixture
def url(database_url: str) -> str | None:
    return None if database_url.startswith("sqlite") else database_url


@pytest.mark.parametrize("act", ACTS)
def test_an_act_killed_anywhere_keeps_what_was_acknowledged_and_goes_on(
    tmp_path: Path, url: str | None, act: str
) -> None:
    made = scene(tmp_path / "home", url)
    for seed in range(ROUNDS if url is None else 1):
        one_round(made, act, seed)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("act", ACTS)
def test_an_act_killed_hundreds_of_times_keeps_what_was_acknowledged_and_goes_on(
    tmp_path: Path, url: str | None, act: str
) -> None:
    kept = os.environ.get("MOBILITY_SOAK_STATE")
    state = Path(f"{kept}.{act}.{'sqlite' if url is None else 'postgresql'}") if kept else None
    finished = (
        {int(line) for line in state.read_text().split()} if state and state.exists() else set()
    )
    made, count = scene(tmp_path / "home-0", url), 0
    for seed in range(1_000, 1_000 + SOAK_ROUNDS):
        if seed in finished:
            continue
        if count and count % FRESH_EVERY == 0:
            with made.home() as home:
                home.shred(made.vault_id)
            made = scene(tmp_path / f"home-{count}", url)
        one_round(made, act, seed)
        count += 1
        if state is not None:
            with state.open("a") as lines:
                lines.write(f"{seed}\n")
