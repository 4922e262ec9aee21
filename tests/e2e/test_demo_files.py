"""`mobility demo --from` on real exports: each trip once, not eligible, no cheating; labels that come later.

What is expected is counted in the files themselves, never written here.
"""

# ruff: noqa: E501 - the reason stands whole on one line

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from portal.browser import Browser
from portal.demo import Memory, Story, Told
from portal.i18n import translator
from portal.pages.deps import VAULT_COOKIE
from tests.e2e.network import Network
from tests.e2e.servers import mobility

pytestmark = [pytest.mark.shared_data, pytest.mark.slow]

FILES: Final = (
    "emission/shankari_2016-06-20.expected_confirmed_trips",
    "emission/jack_untracked_time_2023-03-12.expected_composite_trips",
    "emission/shankari_2023-04-13.before-user-inputs.expected_composite_trips",
    "cozy/ach_01.json",
    "cozy/ach_02.json",
    "cozy/ach_03.json",
)
UNTRACKED: Final = "analysis/confirmed_untracked"


def told_by(path: Path) -> list[tuple[float, float]]:
    """Start and end (seconds) of every trip of an export; what the phone did not record is no trip."""
    document = json.loads(path.read_text("utf-8"))
    if isinstance(document, Mapping):
        return [(0.0, 0.0) for trip in document["series"]]
    return [
        (entry["data"]["start_ts"], entry["data"]["end_ts"])
        for entry in document
        if entry["metadata"].get("origin_key") != UNTRACKED
        and entry["metadata"]["key"] != UNTRACKED
    ]


def check(report: Mapping[str, Any], expected: int) -> None:
    """What a real export that does not meet the rule must give."""
    assert expected
    assert report["imported"]["trips"] == expected, "every trip once, though the file came twice"
    assert report["imported"]["by_evidence"] == {"declared": expected}
    application = report["application"]
    assert application["state"] == "not-eligible"
    assert application["amount_cents"] is None
    assert application["counts"] == {"days": 0}
    assert application["missing"], "what is missing is told"
    assert "30" in " ".join(application["reasons"])
    assert report["second"] is None
    assert report["tampered"]["verified"] is False
    assert "proof-invalid" in report["tampered"]["failed"]
    # The first package sent to another request (design §7): under its own it is the stored answer.
    assert report["replayed"]["verified"] is False
    assert report["replayed"]["failed"][0] == "challenge-mismatch"


@pytest.mark.parametrize("name", FILES)
def test_the_demo_of_a_real_export_keeps_each_trip_once_and_says_what_is_missing(
    federation: Network, shared: Path, tmp_path: Path, name: str
) -> None:
    """The acts of `mobility demo --from FILE --from FILE` against servers that are up."""
    file = shared / "data" / name
    story = Story(federation.settings, Told(translator("fr"), quiet=True), [file, file])
    story.memory = Memory(tmp_path / "demo.json")
    try:
        report = story.play()
    finally:
        story.close()
    check(report, len(told_by(file)))


@pytest.mark.soak
@pytest.mark.parametrize("name", FILES)
def test_the_command_on_a_real_export_ends_with_zero_and_twice_adds_nothing(
    shared: Path, tmp_path: Path, name: str
) -> None:
    file, folder = shared / "data" / name, tmp_path / "state"
    for _ in range(2):
        ran = mobility("demo", "--headless", "--json", "--home", folder, "--from", file)
        assert ran.code == 0, ran.err
        check(ran.json, len(told_by(file)))


# --- labels ------------------------------------------------------------------------------------

LABELS: Final = {"manual/mode_confirm": "mode", "manual/purpose_confirm": "purpose"}
MODES: Final = {
    "walk": "walk",
    "shared_ride": "carpool",
    "drove_alone": "car",
    "bus": "bus",
    "free_shuttle": "bus",
    "taxi": "taxi",
}
"""e-mission's answers and ours."""


def best_overlap(label: Mapping[str, Any], trips: list[tuple[float, float]]) -> int | None:
    """The trip that shares most time with a label."""
    shares = [min(end, label["end_ts"]) - max(start, label["start_ts"]) for start, end in trips]
    best = max(range(len(trips)), key=lambda n: shares[n])
    return best if shares[best] > 0 else None


def last_words(file: Path, trips: list[tuple[float, float]]) -> dict[int, dict[str, str]]:
    """For every trip, the last label written of each property."""
    entries = sorted(json.loads(file.read_text("utf-8")), key=lambda e: e["metadata"]["write_ts"])
    found: dict[int, dict[str, str]] = {}
    for entry in entries:
        trip = best_overlap(entry["data"], trips)
        if trip is not None:
            said = LABELS[entry["metadata"]["key"]]
            found.setdefault(trip, {})[said] = entry["data"]["label"]
    return found


@pytest.fixture
def unlabelled(shared: Path, tmp_path: Path) -> Path:
    """The confirmed trips as they were before anybody answered."""
    entries = json.loads((shared / "data" / FILES[0]).read_text("utf-8"))
    for entry in entries:
        entry["data"]["user_input"] = {}
    path = tmp_path / "sans-reponses.json"
    path.write_text(json.dumps(entries), "utf-8")
    return path


def halves(labels: Path, folder: Path) -> Iterator[Path]:
    """The labels in two files, the later ones first."""
    entries = sorted(json.loads(labels.read_text("utf-8")), key=lambda e: e["metadata"]["write_ts"])
    middle = len(entries) // 2
    for name, part in (("second", entries[middle:]), ("first", entries[:middle])):
        path = folder / f"{name}.json"
        path.write_text(json.dumps(part), "utf-8")
        yield path


def test_labels_that_come_later_reach_their_trip_the_last_one_wins_and_evidence_stays(
    federation: Network, shared: Path, tmp_path: Path, unlabelled: Path
) -> None:
    browser = federation.new_citizen()
    trips = told_by(shared / "data" / FILES[0])
    bring(browser, unlabelled)
    before = trips_of(browser)
    assert len(before) == len(trips)
    assert all("purpose" not in trip for trip in before.values())

    labels = shared / "data" / "emission/shankari_2016-06-20.user_inputs"
    for part in halves(labels, tmp_path):
        bring(browser, part)
    after = trips_of(browser)
    assert after.keys() == before.keys(), "labels make no trip"

    expected = last_words(labels, trips)
    assert len(expected) >= 4
    for number, (iri, trip) in enumerate(after.items()):
        said = expected.get(number, {})
        assert trip.get("purpose") == said.get("purpose")
        if "mode" in said:
            assert trip["mode"] == MODES[said["mode"]]
        earlier = before[iri]
        assert set(earlier["observations"]) <= set(trip["observations"]), "nothing is forgotten"
        assert trip["evidence"] == earlier["evidence"] == "declared"
        assert trip["distance"] == earlier["distance"]
    bring(browser, labels)
    assert trips_of(browser) == after, "the same labels again change nothing"


def bring(browser: Browser, file: Path) -> None:
    """Import a file by its page."""
    upload = {"fichier": (file.name, file.read_bytes())}
    preview = browser.submit("/sources", "/sources/importer", files=upload)
    browser.submit(preview, "/sources/importer/confirmer")


def trips_of(browser: Browser) -> dict[str, dict[str, Any]]:
    """The vault's trips by identifier, in order of time."""
    answer = httpx.get(
        f"{browser.base}/v1/records?kind=Trip&limit=500",
        headers={"cookie": f"{VAULT_COOKIE}={browser.cookies[VAULT_COOKIE]}"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    return {
        trip["id"]: trip
        for trip in sorted(answer.json()["records"], key=lambda trip: trip["startedAt"])
    }
