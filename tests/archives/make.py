"""Writes the archive of this version: `python -m tests.archives.make v1`. One that was released is
never written again: its bytes are what people hold."""

import sys
import tempfile
from pathlib import Path

from schemas.records import PlaceRole
from tests.unit.vault.builders import CARCASSONNE, Citizen, Clock, invoice, make_home, place, trip
from vault.documents import add_document

PASSPHRASE = "trois petits mots"


def main(version: str) -> None:
    """Five trips (two with tracks), an invoice, a place, a document."""
    to = Path(__file__).parent / version / "archive.age"
    with tempfile.TemporaryDirectory() as folder, make_home(Path(folder), Clock()) as home:
        citizen = Citizen(home)
        depositor = citizen.depositor()
        depositor.leave(*(trip(n, points=30 if n < 2 else 0) for n in range(5)), invoice())
        citizen.vault.drain(None)
        citizen.vault.set_place(place(PlaceRole.HOME, CARCASSONNE))
        add_document(citizen.vault, b"%PDF-1.7\nle contrat\n", title="Contrat")
        with to.open("xb") as out:
            citizen.vault.export(out, passphrase=PASSPHRASE)


if __name__ == "__main__":
    main(sys.argv[1])
