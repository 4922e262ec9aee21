"""Makes the sealed vault of a released version: `python -m tests.vaults.make v1`. Once a release;
never over a folder that landed."""

import json
import sys
import tempfile
from datetime import date
from pathlib import Path

from schemas.jsonld import to_jsonld
from schemas.modes import Mode
from schemas.records import Kind, PlaceRole
from tests.unit.vault.builders import (
    CARCASSONNE,
    PASSPHRASE,
    Citizen,
    Clock,
    invoice,
    make_home,
    place,
    trip,
)


def make(folder: Path) -> None:
    if folder.exists():
        raise SystemExit(f"{folder} is there already")
    with (
        tempfile.TemporaryDirectory() as temporary,
        make_home(Path(temporary) / "home", Clock()) as home,
    ):
        citizen = Citizen(home)
        vault = citizen.vault
        vault.set_place(place(PlaceRole.HOME, CARCASSONNE))
        depositor = citizen.depositor()
        depositor.leave(trip(0, points=25), trip(1), invoice())
        vault.drain(None)
        vault.correct(vault.trips(date(2026, 11, 1), date(2026, 11, 2))[0].id, mode=Mode.WALK)
        depositor.leave(trip(2))
        expected = {
            "vault": citizen.vault_id,
            "passphrase": PASSPHRASE,
            "recoveryCode": citizen.recovery_code,
            "label": vault.label(),
            "waiting": 1,
            "records": [
                to_jsonld(record)
                for kind in Kind
                if kind is not Kind.OBSERVATION
                for record in vault.all(kind)
            ],
            "journal": [event.event for event in vault.journal().events],
        }
        home.backup(folder)
    (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    make(Path(__file__).parent / sys.argv[1])
