"""Verbs that need the federation, started as a person starts them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from portal.serve import settings_environment
from tests.e2e.network import Network


def mobility(
    federation: Network, *arguments: object, secret: bool = True
) -> subprocess.CompletedProcess[str]:
    environment = settings_environment(federation.settings)
    if secret:
        environment["MOBILITY_PASSPHRASE"] = federation.memory["passphrase"]
    environment["MOBILITY_VAULT"] = federation.memory["vault"]
    environment["LANG"] = "fr_FR.UTF-8"
    command = [sys.executable, "-m", "portal.cli", *map(str, arguments)]
    return subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


def test_connect_run_asks_the_sources_and_finds_nothing_new(federation: Network) -> None:
    listed = json.loads(mobility(federation, "connect", "list", "--json").stdout)
    assert {row["source"] for row in listed} >= {"tracemob"}
    ran = mobility(federation, "connect", "run", "--json")
    assert ran.returncode == 0, ran.stderr
    rows = json.loads(ran.stdout)
    assert [row["error"] for row in rows] == [None]
    assert rows[0]["known"] > 0


def test_attest_writes_a_pdf_that_verify_accepts_offline_and_refuses_altered(
    federation: Network, tmp_path: Path
) -> None:
    pdf = tmp_path / "a.pdf"
    made = mobility(federation, "attest", pdf, "--name", "Camille", "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["days"] > 0
    with pikepdf.open(pdf) as file:
        assert str(file.Root.Lang) == "fr"
    good = mobility(federation, "verify", pdf, "--json", secret=False)
    assert good.returncode == 0, good.stdout + good.stderr
    assert json.loads(good.stdout)["outcome"] == "verified"
    from portal.attestation import read_proof

    proof = read_proof(pdf.read_bytes())
    proof["credentialSubject"]["days"] = 300
    altered = tmp_path / "b.json"
    altered.write_text(json.dumps(proof), "utf-8")
    bad = mobility(federation, "verify", altered, "--json", secret=False)
    assert bad.returncode == 1
    assert "proof-invalid" in json.loads(bad.stdout)["failed"]


def test_share_says_what_leaves_and_sends_nothing_without_a_yes(federation: Network) -> None:
    slug = "fmd-agents-publics-agglo-cabardes"
    refused = mobility(federation, "vault", "share", slug)
    assert refused.returncode == 1
    assert "UsageProof.days" in refused.stderr
    sent = mobility(federation, "vault", "share", slug, "--yes", "--json")
    assert sent.returncode == 0, sent.stderr
    # The family is taken since the story: the hub refuses this one, by name.
    told = json.loads(sent.stdout)
    assert told["state"] != "accepted"
    # Nothing waits there: its page says so, and the aid may be asked for again.
    citizen = federation.citizen()
    page = citizen.get(f"/demandes/{told['application'].removeprefix('urn:uuid:')}").text
    assert "Dossier non recevable" in page and "/demandes/retirer" not in page
    assert citizen.get(f"/aides/{slug}").form(f"/aides/{slug}/demander")


@pytest.mark.slow
def test_the_demo_command_tells_the_story_and_a_second_start_resumes_it(tmp_path: Path) -> None:
    environment = {**os.environ, "LANG": "en_GB.UTF-8"}
    command = [sys.executable, "-m", "portal.cli", "demo", "--headless", "--json", "--home"]
    command.append(str(tmp_path / "d"))

    def told() -> dict[str, Any]:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        report: dict[str, Any] = json.loads(done.stdout)
        assert set(report) == {
            "imported", "application", "second", "tampered", "replayed", "timings_ms",
        }  # fmt: skip
        return report

    first = told()
    assert first["imported"]["trips"] > 0
    assert first["application"]["state"] == "accepted"
    assert first["application"]["amount_cents"] == 100_00
    for name in ("tampered", "replayed"):
        assert first[name]["verified"] is False and first[name]["failed"], name
    vault = json.loads((tmp_path / "d" / "demo.json").read_text())["vault"]
    again = told()
    assert again["imported"] == first["imported"]
    assert again["application"]["state"] == "accepted"
    assert again["second"] == {"state": "refused", "reason": "already-awarded"}
    assert json.loads((tmp_path / "d" / "demo.json").read_text())["vault"] == vault


def test_vault_aids_keeps_an_answer_and_says_what_follows_from_it(federation: Network) -> None:
    first = mobility(federation, "vault", "aids", "--json")
    assert first.returncode == 0, first.stderr
    found = json.loads(first.stdout)
    assert {"group", "slug", "title", "amount", "why"} <= set(found["aids"][0])
    assert found["question"]["variable"]
    name = "recherche d'emploi . distance"
    yes = "recherche d'emploi . inscrit à France Travail=oui"
    given = mobility(
        federation, "vault", "aids", "--json", "--answer", f"{name}=200", "--answer", yes
    )
    rows = {row["slug"]: row for row in json.loads(given.stdout)["aids"]}
    assert rows["aide-mobilite-france-travail"]["amount"].startswith("46")
    taken_back = mobility(federation, "vault", "aids", "--json", "--forget", name)
    rows = {row["slug"]: row for row in json.loads(taken_back.stdout)["aids"]}
    assert rows["aide-mobilite-france-travail"]["amount"] == ""
    wrong = mobility(federation, "vault", "aids", "--answer", f"{name}=loin")
    assert wrong.returncode == 1
    assert "loin" not in wrong.stderr, "an answer is never told"


def test_a_share_is_repeated_and_stopped_and_its_recipient_is_told(federation: Network) -> None:
    offers = json.loads(mobility(federation, "vault", "standing", "offers", "--json").stdout)
    assert offers, "the story's share can be repeated"
    source, last = offers[0]["consent"], offers[0]["latest"]
    give = ("vault", "standing", "give", source, "--until", last)
    unsure = mobility(federation, *give)
    assert unsure.returncode == 1
    assert "→ UsageProof." in unsure.stderr
    made = mobility(federation, *give, "--yes", "--json")
    assert made.returncode == 0, made.stderr
    row = json.loads(made.stdout)
    assert (row["state"], row["until"]) == ("live", last)
    assert row["next"] > row["from"]
    stopped = mobility(federation, "vault", "standing", "stop", row["consent"], "--json")
    assert stopped.returncode == 0, stopped.stderr
    assert json.loads(stopped.stdout) == {**row, "state": "withdrawn", "next": None, "told": True}
