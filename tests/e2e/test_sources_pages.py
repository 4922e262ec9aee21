"""« Mes sources » as a citizen meets them: a phone, an unknown table, a report, an undo."""

import json
import re

import httpx

from tests.e2e.network import Network
from tests.unit.connectors.test_files import RECORDS, TABLE
from tests.unit.connectors.test_phones import owntracks, ride

CHOSEN = {
    "genre": "trips",
    "fuseau": "Europe/Paris",
    "titre": "Relevé",
    "de-startedAt": "Date départ",
    "format-startedAt": "%d/%m/%Y %H:%M",
    "de-endedAt": "Date arrivée",
    "format-endedAt": "%d/%m/%Y %H:%M",
    "de-distance": "Distance (km)",
    "unite-distance": "km",
    "de-mode": "Mode de transport",
    "mot-0": "bicycle",
    "mot-1": "escooter",
}


def test_a_phone_is_set_up_posts_and_its_points_become_a_trip(federation: Network) -> None:
    citizen = federation.new_citizen()
    shown = citizen.submit("/sources", "/sources/telephone", {"app": "owntracks"})
    found = re.search(r"mvp_[\w-]{43}", shown.text)
    assert found is not None
    answer = httpx.post(
        f"{federation.home}/v1/points/owntracks", content=owntracks(ride()), auth=("c", found[0])
    )
    assert (answer.status_code, answer.json()) == (200, [])
    sources = citizen.get("/sources")
    assert "80 positions de téléphone attendent" in sources.text
    assert found[0] not in sources.text, "shown once"
    assert "1 nouveau trajet" in citizen.submit(sources, "/releve").text


def test_an_unknown_table_goes_through_the_assistant_and_is_undone(federation: Network) -> None:
    citizen = federation.new_citizen()
    upload = {"fichier": ("releve.csv", TABLE.encode())}
    assistant = citizen.submit("/sources", "/sources/importer", files=upload)
    assert "À quoi correspond chaque colonne" in assistant.text
    preview = citizen.submit(assistant, "/sources/modele", CHOSEN)
    assert "Avant d&#39;importer" in preview.text or "Avant d'importer" in preview.text
    assert "Trottinette électrique" in preview.text
    assert "2 nouveaux trajets" in citizen.submit(preview, "/sources/importer/confirmer").text

    # The same columns again: what was settled is remembered.
    again = citizen.submit("/sources", "/sources/importer", files=upload)
    assert 'value="escooter" selected' in again.text

    sources = citizen.get("/sources")
    report = citizen.get(
        re.search(r'href="(/sources/compte\?source=[^"]+)"', sources.text)[1]  # type: ignore[index]
    )
    assert "date ou heure illisible" in report.text
    confirm = citizen.submit(sources, "/coffre/effacer/apercu")
    assert "2 trajets" in confirm.text


def test_a_column_that_is_missing_is_named(federation: Network) -> None:
    citizen = federation.new_citizen()
    upload = {"fichier": ("releve.csv", TABLE.encode())}
    assistant = citizen.submit("/sources", "/sources/importer", files=upload)
    values = {**CHOSEN, "de-distance": ""}
    answer = citizen.submit(assistant, "/sources/modele", values, expect=422)
    assert "Il manque ou il faut revoir : Distance" in answer.text


def test_google_timeline_shows_its_trips_before_anything_is_kept(federation: Network) -> None:
    citizen = federation.new_citizen()
    upload = {"fichier": ("Records.json", json.dumps(RECORDS).encode())}
    preview = citizen.submit("/sources", "/sources/importer", files=upload)
    assert "Google Timeline" in preview.text
    assert "Les premiers trajets" in preview.text
    assert "Google Timeline" not in citizen.get("/trajets").text
