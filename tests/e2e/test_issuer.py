"""An operator's engineer sets up an issuer; a citizen names her vault; her rentals arrive."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx

from portal.serve import free_port
from tests.e2e.network import Network
from tests.e2e.servers import ROOT, mobility, wait_until

ROWS = "ref;client;debut;fin;km\nL1;c7;2026-10-05T08:10:00;2026-10-05T08:31:00;4,2\nL2;c7;hier;;\n"


def test_an_issuer_is_set_up_accredited_linked_and_heard(
    federation: Network, tmp_path: Path
) -> None:
    port, folder = free_port(), tmp_path / "emetteur"
    address = f"http://localhost:{port}"
    made = mobility("issuer", "init", folder, "--name", "Vélos fictifs", "--address", address)
    assert made.code == 0, made.err
    settings = (folder / "issuer.toml").read_text()
    for old, new in (
        ('produces = "journey" ', 'produces = "rental" '),
        ('reference = "reference"', 'reference = "ref"'),
        ('customer = "customer"', 'customer = "client"'),
        ('"startedAt"', '"debut"'),
        ('"endedAt"', '"fin"'),
        ('distance = "distance"', 'distance = "km"'),
        ('path = "entrant" ', 'path = "entrant"\ndistance_unit = "km" '),
    ):
        assert old in settings
        settings = settings.replace(old, new)
    (folder / "issuer.toml").write_text(f"every_s = 1\n{settings}")
    file = folder / "entrant" / "octobre.csv"
    file.write_text(ROWS)
    before = time.time() - 60
    os.utime(file, (before, before))
    ran = mobility("issuer", "run", folder, "--json")
    assert ran.code == 1, "a row is unreadable"
    assert ran.json["unreadable"] == [
        {"source": "trajets", "place": "octobre.csv:3", "column": "fin", "code": "missing"}
    ]
    assert ran.json["new"] == 1

    command = [sys.executable, "-m", "portal.cli", "issuer", "serve", folder, "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_until(lambda: httpx.get(f"{address}/healthz").status_code == 200, "the issuer is up")
        hub = {"MOBILITY_SANDBOX": "1"} | {
            f"MOBILITY_{node}_PORT": url.rpartition(":")[2]
            for node, url in (
                ("HOME", federation.home), ("HUB", federation.hub), ("SANDBOX", federation.sandbox),
            )
        }  # fmt: skip
        state = federation.settings.state
        asked = mobility("hub", "request", address, "--json", "--state", state, env=hub)
        assert asked.json["types"] == ["RentalCredential"], asked.err
        assert "version" not in asked.json, "reading grants nothing"
        given = mobility("hub", "request", address, "--accept", "--json", "--state", state, env=hub)
        assert given.json["version"] > 1, given.err

        citizen, did = federation.new_citizen(), asked.json["did"]
        linked = citizen.submit("/sources", "/sources/operateur", {"operateur": did})
        account = linked.find(r"(operateur:[0-9a-f]+)")
        vault = linked.find(r'Numéro de coffre</dt><dd class="mono">([^<]+)')
        where = ("--home", federation.home, "--vault", vault, "--account", account)
        assert mobility("issuer", "link", folder, "c7", *where).code == 0

        def arrived() -> bool:
            citizen.submit("/sources", "/releve")
            return "attesté par l'opérateur" in citizen.get("/trajets?mois=2026-10").text.replace(
                "&#39;", "'"
            )

        wait_until(arrived, "the rental arrives, attested")
        offer = mobility("issuer", "offer", folder, "c7", "--json")
        link = offer.json["link"]
        assert offer.json["credential_offer"]["credential_issuer"] == address
        form = citizen.get("/documents/recevoir")
        aid = form.find(r'<option value="(fmd-agents-publics-agglo-cabardes)"')
        taken = citizen.submit(form, "/documents/recevoir", {"aide": aid, "offre": link})
        assert "Location" in citizen.get("/coffre/documents").text, taken.text
    finally:
        server.terminate()
        server.wait(15)
