"""The memory of a process whose vault was locked holds no key of it: read whole, key by key."""

import gc
import multiprocessing
import os
import re
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.records import Compartment, Kind
from tests.integration.vault.world import (
    PASSPHRASE,
    Source,
    records_of_every_kind,
    registry,
    settings,
    trip,
)
from vault import rotation
from vault.home import Home

SPAWN: Final = multiprocessing.get_context("spawn")
"""A process of its own: a fork would hold all memory of the tests before it, read for each key."""
KEY: Final = 32


def hold(folder: Path, vault_id: str, orders: Any, said: Path) -> None:
    """Open the vault, use every kind of key, say the keys (straight from their buffers), lock."""
    keys = os.open(said, os.O_WRONLY)
    with Home.open(settings(folder)) as home:
        home.use_trust(registry())
        cookie = home.unlock(vault_id, passphrase=PASSPHRASE, client="192.0.2.1").cookie_value
        vault = home.session(cookie)
        source = Source(home, vault_id)
        source.deposit(*(trip(f"t{n}", n * 3000.0, track=True) for n in range(6)))
        vault.drain(None)
        vault.put(*records_of_every_kind())
        vault.holder_key("did:web:financeur.example")  # type: ignore[arg-type]
        vault.journal()
        rotation.begin(vault, [Compartment.INVOICES])
        rotation.step(vault, budget_s=None)
        assert len(vault.all(Kind.TRIP)) == 6
        os.write(keys, vault.root.view)
        for ring in (vault.library.keyring, *vault.library._earlier):
            for line in ring.lines():
                if len(line.secret):
                    os.write(keys, line.secret.view)
            for month in ring._months.values():
                os.write(keys, month.view)
        os.close(keys)
        orders.send("open")
        orders.recv()
        home.lock(cookie)
        del vault
        gc.collect()
        orders.send("locked")
        orders.recv()


def memory_of(pid: int) -> bytes:
    """Everything the process may write to, as a core would have it."""
    out = []
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb") as memory:
        for line in maps:
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if found is None or "[vvar]" in line:
                continue
            start, end = int(found[1], 16), int(found[2], 16)
            try:
                memory.seek(start)
                out.append(memory.read(end - start))
            except (OSError, ValueError):  # a mapping that cannot be read is in no core either
                continue
    return b"\x00".join(out)


def test_a_locked_vaults_process_holds_no_key_of_the_ring(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    with Home.open(settings(folder)) as home:
        vault_id = home.create_vault(PASSPHRASE).vault_id
    gc.collect()
    orders, theirs = SPAWN.Pipe()
    said = tmp_path / "keys"
    os.mkfifo(said)
    child = SPAWN.Process(target=hold, args=(folder, vault_id, theirs, said), daemon=True)
    child.start()
    try:
        data = said.read_bytes()  # ends when the child closed its side, or ended
        assert orders.poll(60)
        assert orders.recv() == "open"
        keys = {data[at : at + KEY] for at in range(0, len(data), KEY)}
        assert len(keys) > 25
        assert child.pid is not None
        try:
            seen = memory_of(child.pid)
        except PermissionError:
            pytest.skip("this machine lets nobody read a child's memory")
        assert sum(key in seen for key in keys) == len(keys), "an open vault has its keys"
        orders.send("lock")
        assert orders.poll(60)
        assert orders.recv() == "locked"
        seen = memory_of(child.pid)
        assert [n for n, key in enumerate(sorted(keys)) if key in seen] == []
        orders.send("end")
    finally:
        child.join(20)
        child.kill()
