"""Two extensions that the core does not know: with them, without them, and with them again."""

import html
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from portal.browser import Answer
from portal.settings import Node
from schemas.ids import mint_iri
from tests.e2e.servers import PASSPHRASE, ROOT, Citizen, Nodes

pytestmark = pytest.mark.slow

HERE = ROOT / "tests" / "extensions"
BOTH, NONE = HERE / "site", HERE / "apart"
ADDRESS = {
    "remise": "hand", "destinataire": "Camille Fabre", "rue": "12 quai du Canal",
    "code": "11800", "commune": "Trèbes", "nom": "Maison",
}  # fmt: skip


def words(answer: Answer) -> str:
    return html.unescape(answer.text)


def written(citizen: Citizen, record: dict[str, Any]) -> httpx.Response:
    """What the API says to one more record."""
    return citizen.api(
        "POST", "/v1/records", json=record, headers={"Idempotency-Key": secrets.token_hex(8)}
    )


def installed(folder: Path) -> dict[str, list[str]]:
    """What a process with `folder` on its path knows."""
    code = (
        "import json; from schemas.extensions import installed;"
        "from federation.profiles import PROFILES; from portal.authorisation import HOME;"
        "from connectors.sandbox.services import SERVICES;"
        "from vault.passport.extensions import extension_scopes;"
        "print(json.dumps({'extensions': sorted(installed()), 'profiles': sorted(PROFILES),"
        "'routes': sorted(path for _, path in HOME), 'services': [s.path for s in SERVICES],"
        "'scopes': [s.name for s in extension_scopes()]}))"
    )
    path = os.pathsep.join((str(folder), str(ROOT)))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "PYTHONPATH": path}, cwd=ROOT, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_what_there_is_follows_from_what_is_installed() -> None:
    both, none = installed(BOTH), installed(NONE)
    assert both["extensions"] == ["delivery", "velo-parking"]  # what is no extension is left out
    assert {"livraison", "livraison-adresse", "abri-velo"} <= set(both["profiles"])
    assert {"/coffre/livraison", "/coffre/stationnement"} <= set(both["routes"])
    assert set(both["scopes"]) == {"livraison", "livraison-adresse", "abri-velo"}
    assert {"livreur", "boutique"} <= set(both["services"])
    assert none["extensions"] == none["scopes"] == []
    for name, left in none.items():
        assert not any(
            word in one for one in left for word in ("livr", "boutique", "abri", "stationnement")
        ), name


def test_records_of_an_extension_outlive_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = Nodes(tmp_path / "state", nodes=(Node.HOME,))
    home = nodes.servers[Node.HOME]

    def again(folder: Path) -> None:
        home.stop()
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(folder), str(ROOT))))
        home.start()
        home.wait()

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(BOTH), str(ROOT))))
    with nodes:
        citizen = nodes.citizen()
        page = citizen.browser.submit("/coffre/livraison", "/coffre/livraison", ADDRESS)
        assert "12 quai du Canal" in words(page)
        place = {"abri": "Gare de Carcassonne", "fin": "2027-06-30"}
        page = citizen.browser.submit("/coffre/stationnement", "/coffre/stationnement", place)
        assert "Gare de Carcassonne" in words(page)
        citizen.browser.language = "en"
        assert "My places in shelters" in citizen.browser.get("/coffre/stationnement").text
        citizen.browser.language = "fr"
        listed = words(citizen.browser.get("/extensions"))
        assert (
            "Stationnement vélo" in listed and "/extensions/delivery/Address.schema.json" in listed
        )
        whole = citizen.api("GET", "/v1/records", params={"kind": "ExtensionRecord"}).json()
        assert len(whole["records"]) == 2

        again(NONE)
        citizen.unlock()
        for gone in ("/coffre/livraison", "/coffre/stationnement"):
            citizen.browser.get(gone, expect=404)
        shown = citizen.browser.get("/coffre/extensions")
        assert "Maison" in words(shown) and "Gare de Carcassonne" in words(shown)
        assert "D'une extension qui n'est pas installée ici : velo-parking." in words(shown)
        assert "Maison" in words(citizen.browser.submit("/chercher", "/chercher", {"q": "quai"}))
        kept = citizen.api("GET", "/v1/records", params={"kind": "ExtensionRecord"}).json()
        assert kept["records"] == whole["records"]
        archive = tmp_path / "coffre.age"
        out = nodes.cli(
            "vault", "export", archive, "--vault", citizen.vault_id, MOBILITY_PASSPHRASE=PASSPHRASE
        )
        assert out.code == 0, out.err
        assert archive.stat().st_size > 0
        (mine,) = (r for r in whole["records"] if r["extension"] == "delivery")
        other = {**mine, "id": mint_iri()}
        refused = written(citizen, other)
        assert refused.status_code == 422 and refused.json()["code"] == "extension-unknown"
        uuid = mine["id"].removeprefix("urn:uuid:")
        citizen.browser.submit(shown, "/coffre/effacer/enregistrement", {"quoi": uuid})
        left = citizen.api("GET", "/v1/records", params={"kind": "ExtensionRecord"}).json()
        assert [r["extension"] for r in left["records"]] == ["velo-parking"]

        again(BOTH)
        citizen.unlock()
        assert "Gare de Carcassonne" in words(citizen.browser.get("/coffre/stationnement"))
        assert "Maison" not in words(citizen.browser.get("/coffre/livraison"))
        wrong = {**other, "body": {**mine["body"], "drop": "roof"}}
        refused = written(citizen, wrong)
        assert refused.status_code == 422 and refused.json()["where"] == "/body/drop"
        assert "roof" not in refused.text
        assert written(citizen, other).status_code == 201
