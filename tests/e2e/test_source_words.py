"""What a source says of a trip beyond the trip itself is read from its table and shown as its
word."""

import html

from tests.e2e.network import Network

TABLE = """Date de départ;Durée (min);Distance (km);Mode;NOx (mg);PM10 (mg)
10/11/2026 08:10;20;5,95;car;1840,5;0,021
"""
CHOSEN = {
    "de-startedAt": "Date de départ",
    "format-startedAt": "%d/%m/%Y %H:%M",
    "de-duration": "Durée (min)",
    "unite-duration": "min",
    "de-distance": "Distance (km)",
    "unite-distance": "km",
    "de-mode": "Mode",
    "de-nox": "NOx (mg)",
    "unite-nox": "mg",
    "de-pm": "PM10 (mg)",
    "unite-pm": "mg",
    "genre": "trips",
}


def test_a_tables_pollutants_are_shown_with_the_trip(federation: Network) -> None:
    citizen = federation.new_citizen()
    upload = {"fichier": ("geco.csv", TABLE.encode())}
    assistant = citizen.submit("/sources", "/sources/importer", files=upload)
    assert "Particules (PM), d'après la source" in html.unescape(assistant.text)
    preview = citizen.submit(assistant, "/sources/modele", CHOSEN)
    citizen.submit(preview, "/sources/importer/confirmer")
    trip = citizen.get("/trajets/jour/2026-11-10").find(r'href="(/trajets/[0-9a-f-]{36})"')
    page = html.unescape(citizen.get(trip).text)
    assert "Ce qu'en disent ses sources" in page
    assert "1\u202f840" in page or "1,8 g" in page
    assert "0,02 mg" in page
    citizen.language = "en"
    assert "Nitrogen oxides" in citizen.get(trip).text
