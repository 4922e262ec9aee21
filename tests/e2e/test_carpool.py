"""A carpool operator where a citizen logs in with the passport, and whose calls bring rides."""

import html
import time
from pathlib import Path

import httpx

from tests.e2e.network import Network
from tests.e2e.test_identity import leave
from tests.e2e.test_passport import Site
from tests.unit.connectors.test_carpool import event

HOUR = 3_600


def test_bookings_come_after_the_citizen_allowed_them_and_end_with_their_word(
    federation: Network, tmp_path: Path
) -> None:
    site = Site(federation, tmp_path, client_id="covoiturage-e2e", scope="openid identite")
    citizen = federation.new_citizen()
    assert "Mes covoiturages" not in citizen.get("/sources").text
    citizen.get(leave(citizen))
    page, begun = site.send(citizen, "openid identite")
    done = citizen.submit(
        page, "/passeport/demande", {"quoi": ["identite"], "duree": "30", "reponse": "oui"}
    )
    token = site.exchange(done, begun)["id_token"]

    def told(number: int, status: str) -> httpx.Response:
        body = event(number, token, status=status, passengerPickupDate=int(time.time()) - HOUR)
        return httpx.post(f"{federation.home}/v1/carpool/booking_events", json=body, timeout=30)

    assert told(1, "CONFIRMED").status_code == 401, "connected is not allowed"
    offered = citizen.get("/sources")
    assert '<option value="covoiturage-e2e"' in offered.text
    allowed = citizen.submit(offered, "/sources/covoiturage", {"service": "covoiturage-e2e"})
    assert "peut déposer vos covoiturages" in allowed.text
    assert told(2, "CONFIRMED").status_code == 200
    assert told(3, "VALIDATED").status_code == 200
    assert "1 nouveau trajet" in citizen.submit("/sources", "/releve").text
    assert "Covoiturage" in citizen.get("/trajets").text
    wrong = httpx.post(
        f"{federation.home}/v1/carpool/booking_events",
        json={**event(9, token), "data": {}},
        timeout=30,
    )
    assert wrong.status_code == 422
    assert {e["pointer"] for e in wrong.json()["errors"]} >= {"/data/id", "/data/status"}

    sources = citizen.get("/sources")
    assert "covoiturages réservés" in html.unescape(sources.text)
    citizen.submit(sources, "/sources/retirer")
    assert told(5, "VALIDATED").status_code == 401
