"""The seven acts, their report, a second start, and what the disk shows."""

import json
import re
from pathlib import Path

import httpx
import pytest

from connectors.sandbox.story import HOME, OPERATOR_NAME, PERSON, SECOND_APP, WORK, Story
from portal.browser import Browser
from portal.demo import Story as DemoStory
from portal.demo import Told
from portal.i18n import translator
from portal.pages.identity import relayed
from schemas.records import Degree
from tests.e2e.network import Network, is_up


def test_every_trip_is_counted_once(federation: Network) -> None:
    expected, imported = Story().expected, federation.report["imported"]
    assert imported["trips"] == expected.trips
    assert imported["legs"] == expected.legs
    assert sum(imported["by_evidence"].values()) == expected.trips
    assert imported["by_evidence"]["operator"] > 0


def test_the_identity_is_in_the_vault_relayed_and_fills_the_attestation(
    federation: Network,
) -> None:
    told = story_of(federation)
    try:
        told.enter()
        known = relayed(told.vault)
    finally:
        told.close()
    assert known["family_name"].value == PERSON.family_name
    assert known["given_name"].value == PERSON.given_name
    assert known["birthdate"].value == PERSON.birthdate
    assert {a.level for a in known.values()} == {"eidas1"}
    assert {a.degree for a in known.values()} == {Degree.RELAYED}
    assert len({a.certified_at for a in known.values()}) == 1
    filled = federation.citizen().get("/attestation").find(r'name="nom"[^>]* value="([^"]+)"')
    assert filled == f"{PERSON.given_name} {PERSON.family_name}"


def story_of(federation: Network) -> DemoStory:
    return DemoStory(federation.settings, Told(translator("fr"), quiet=True), [])


def test_the_application_is_accepted_by_the_rule_with_reasons_and_checks(
    federation: Network,
) -> None:
    application = federation.report["application"]
    days = Story().expected.eligible_days
    assert 30 <= days < 60
    assert application["state"] == "accepted"
    assert application["amount_cents"] == 10_000
    assert any(str(days) in reason for reason in application["reasons"])
    assert {check["outcome"] for check in application["checks"]} == {"pass"}
    assert {check["step"] for check in application["checks"]} >= {1, 2, 3, 4, 5, 6, 7, 8}


def test_no_cheating_each_with_its_failed_check(federation: Network) -> None:
    report = federation.report
    assert report["second"] == {"state": "refused", "reason": "already-awarded"}
    assert report["tampered"]["verified"] is False
    assert "proof-invalid" in report["tampered"]["failed"]
    assert report["replayed"]["verified"] is False
    assert "challenge-mismatch" in report["replayed"]["failed"]


def test_the_disk_shows_no_place_no_coordinate_and_no_name(federation: Network) -> None:
    words = [PERSON.family_name, OPERATOR_NAME, SECOND_APP, "Trèbes", "Domicile"]
    words += [f"{value:.4f}" for value in (*HOME, *WORK)]
    state = federation.settings.state
    homes = [
        p
        for p in state.rglob("*")
        if p.name.startswith(("home.db", "sessions.db", "connectors.db"))
    ]
    logs = [state / "logs" / "home.log", state / "logs" / "hub.log"]
    blobs = [p for p in (state / "blobs").rglob("*") if p.is_file()]
    assert homes
    for path in (*homes, *logs, *blobs):
        # A line's time holds digits by the thousand: « 12.4420 » seconds is no longitude.
        data = re.sub(rb"\d\d:\d\d:\d\d\.\d+", b"", path.read_bytes())
        # The trust registry the home keeps is public and names the operator.
        allowed = {OPERATOR_NAME} if path.name.startswith("home.db") else set()
        found = [w for w in words if w not in allowed and w.encode() in data]
        assert found == [], path.name


def test_a_home_that_is_killed_comes_back_and_loses_nothing(federation: Network) -> None:
    from portal.settings import Node

    server = federation.tree.servers[Node.HOME]
    first = server.pid
    server.kill()
    server_up = False
    for _ in range(200):
        if server.pid not in (None, first) and is_up(federation.home):
            server_up = True
            break
        import time

        time.sleep(0.1)
    assert server_up
    citizen = federation.citizen()
    assert "trajets" in citizen.get("/bilan").text.casefold()


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        ("emission/*.expected_confirmed_trips", "analysis/confirmed_trip"),
        ("emission/*.expected_composite_trips", "analysis/composite_trip"),
        ("cozy/*.json", "cozy"),
    ],
)
def test_real_exports_give_every_trip_once_and_a_second_import_nothing(
    federation: Network, shared: Path, pattern: str, kind: str
) -> None:
    files = sorted((shared / "data").glob(pattern))
    assert files
    for file in files:
        browser = federation.new_citizen()
        counts = []
        for _ in range(2):
            upload = {"fichier": (file.name, file.read_bytes())}
            preview = browser.submit("/sources", "/sources/importer", files=upload)
            after = browser.submit(preview, "/sources/importer/confirmer")
            counts.append(after.text)
        total = browser.get("/bilan").text
        assert "Rien de nouveau" in counts[1] or "0 nouveau trajet" in counts[1], file.name
        assert wanted_trips(file, kind) > 0
        trips = total.split("<caption>Par mois</caption>")[1].split("</table>")[0]
        months = re.findall(r'<td [^>]*data-label="Trajets" class="num">(\d+)</td>', trips)
        assert sum(map(int, months)) == wanted_trips(file, kind), file.name


def wanted_trips(file: Path, kind: str) -> int:
    """Trips in a file, counted by hand: untracked time is not a trip."""
    data = json.loads(file.read_text("utf-8"))
    entries = data if isinstance(data, list) else data.get("phone_data") or [data]
    if kind == "cozy":
        return len(entries)
    return sum(
        e["metadata"]["key"] == kind
        and e["metadata"].get("origin_key", "") != "analysis/confirmed_untracked"
        for e in entries
    )


def test_the_demo_of_a_real_export_is_not_eligible_and_still_shows_the_cheats(
    federation: Network, tmp_path: Path
) -> None:
    from portal.demo import Memory, Story, Told
    from portal.i18n import translator

    file = tmp_path / "export.json"
    file.write_text(json.dumps(few_entries()), "utf-8")
    story = Story(federation.settings, Told(translator("fr"), quiet=True), [file])
    story.memory = Memory(tmp_path / "demo.json")
    try:
        report = story.play()
    finally:
        story.close()
    assert report["application"]["state"] == "not-eligible"
    assert report["application"]["counts"] == {"days": 0}
    assert report["application"]["missing"]
    assert report["second"] is None
    assert "proof-invalid" in report["tampered"]["failed"]
    assert "challenge-mismatch" in report["replayed"]["failed"]
    assert report["imported"]["by_evidence"] == {"declared": report["imported"]["trips"]}


def few_entries() -> list[object]:
    """A handful of made trips as a file."""
    entries = Story_entries()
    return entries[:20]


def Story_entries() -> list[object]:  # noqa: N802 - keeps the made data's own name in sight
    from connectors.sandbox.story import Story as MadeStory

    return list(MadeStory().entries())


def test_the_push_client_of_the_readme_is_what_the_demo_ran(federation: Network) -> None:
    citizen = federation.citizen()
    assert SECOND_APP in citizen.get("/sources").text


def test_an_unknown_code_pairs_nothing(federation: Network) -> None:
    answer = httpx.post(
        f"{federation.home}/v1/pairings", json={"code": "ABCD-2345", "app": "x"}, timeout=10
    )
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_strangers_see_only_the_door(federation: Network) -> None:
    stranger = Browser(federation.home)
    for path in ("/trajets", "/coffre", "/aides", "/partages", "/coffre/journal", "/sources"):
        page = stranger.get(path)
        assert "/ouvrir" in page.address, path
