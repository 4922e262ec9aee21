"""A second server process: serves the same home, told what to do over a pipe.

`python -m tests.integration.vault.worker` reads one JSON object a line and answers one a line.
"""

import json
import os
import resource
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from federation.wire import logs
from federation.wire.errors import DatabaseBusyError
from schemas.errors import MobilityError
from schemas.records import Attribute
from tests.integration.vault.world import NOW, PASSPHRASE, iri, settings
from vault.errors import HeadMovedError, RecordConflictError
from vault.home import Home
from vault.open_vault import OpenVault

COUNTER = iri("counter")


def add_one(vault: OpenVault) -> int:
    """Read, modify, write; again when somebody was faster. Returns the tries."""
    tries = 0
    while True:
        tries += 1
        try:
            found = vault.get(COUNTER)
            assert isinstance(found, Attribute)
            assert isinstance(found.value, int)
            vault.put(replace(found, value=found.value + 1))
            return tries
        except (RecordConflictError, HeadMovedError, DatabaseBusyError):
            continue


def counter() -> Attribute:
    return Attribute(id=COUNTER, name="counter", value=0, source="test", certified_at=NOW)


class Worker:
    def __init__(self, home: Home) -> None:
        self.home = home

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        vault_id, cookie = message.get("vault", ""), message.get("cookie", "")
        match message["do"]:
            case "unlock":
                token = self.home.unlock(
                    vault_id,
                    passphrase=message.get("passphrase", PASSPHRASE),
                    client=message.get("client", "198.51.100.8"),
                )
                return {"cookie": token.cookie_value, "seq": token.seq}
            case "names":
                return {"names": sorted(a.name for a in self.home.session(cookie).attributes())}
            case "put":
                record = Attribute(
                    id=iri(message["name"]),
                    name=message["name"],
                    value=1,
                    source="test",
                    certified_at=NOW,
                )
                self.home.session(cookie).put(record)
                return {}
            case "lock":
                self.home.lock(cookie)
                return {}
            case "change-passphrase":
                self.home.change_passphrase(self.home.session(cookie), message["new"])
                return {}
            case "holds-keys":
                self.home.sweep()
                return {"holds": list(self.home._held())}
            case "add":
                vault = self.home.session(cookie)
                return {"tries": sum(add_one(vault) for _ in range(message["times"]))}
            case "logins":
                return self._logins(vault_id, message["times"])
        raise ValueError(message["do"])

    def _logins(self, vault_id: str, times: int) -> dict[str, Any]:
        def one(number: int) -> str:
            return self.home.unlock(
                vault_id, passphrase=PASSPHRASE, client=f"203.0.113.{number}"
            ).cookie_value

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with ThreadPoolExecutor(times) as pool:
            cookies = list(pool.map(one, range(times)))
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"cookies": cookies, "grown_mib": (after - before) / 1024}


_mouth = threading.Lock()


def say(what: str, **rest: Any) -> None:
    with _mouth:
        os.write(1, json.dumps({"said": what, **rest}).encode() + b"\n")


def main() -> None:
    logs.configure()
    told = json.loads(sys.stdin.readline())
    made = settings(
        Path(told["folder"]), told["url"], cheapest_kdf_for_tests=not told.get("interactive")
    )
    with Home.open(made) as home:
        worker = Worker(home)
        say("ready")
        for line in sys.stdin:
            try:
                say("done", **worker.answer(json.loads(line)))
            except MobilityError as error:
                say("refused", code=error.code, error=type(error).__name__)


if __name__ == "__main__":
    main()
