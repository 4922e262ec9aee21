"""A citizen disputes a signed journey on the pages; the operator's server hears it."""

import re

import httpx

from tests.e2e.network import Network
from tests.e2e.servers import wait_until

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def test_a_signed_journey_is_disputed_and_taken_back(federation: Network) -> None:
    citizen = federation.new_citizen()
    operator = httpx.get(f"{federation.sandbox}/_story").json()["operator"]
    linked = citizen.submit("/sources", "/sources/operateur", {"operateur": operator["id"]})
    account = linked.find(r"(operateur:[0-9a-f]+)")
    vault_id = linked.find(r'Numéro de coffre</dt><dd class="mono">([^<]+)')
    asked = {"home_url": federation.home, "vault_id": vault_id, "account": account}
    httpx.post(operator["deposit"], json=asked, timeout=60).raise_for_status()
    citizen.submit("/sources", "/releve")

    trip = citizen.get("/trajets").find(rf'href="(/trajets/{UUID})"')
    uuid = trip.rpartition("/")[2]
    assert f"/trajets/contester/{uuid}" in citizen.get(trip).text
    page = citizen.get(f"/trajets/contester/{uuid}")
    assert "Dites pourquoi" in citizen.submit(page, "/trajets/contester").text
    done = citizen.submit(page, "/trajets/contester", {"trajet": uuid, "raison": "not-mine"})
    assert "Ce n&#39;était pas moi" in done.text
    citizen.get(trip, expect=404)
    assert trip not in citizen.get("/trajets").text

    dispute = done.find(rf'name="contestation" value="({UUID})"')

    def heard() -> list[str]:
        said = httpx.get(f"{federation.sandbox}/operateur/contestations").json()
        return [item["state"] for item in said if item["id"] == f"urn:uuid:{dispute}"]

    wait_until(lambda: heard() == ["disputed"], "the operator hears the dispute")
    wait_until(lambda: "reçue par l" in citizen.get("/trajets/contestes").text, "the page says so")
    assert "Contestation transmise" in citizen.get("/coffre/journal").text

    undone = citizen.submit("/trajets/contestes", "/trajets/contestes")
    assert "Aucun trajet contesté" in undone.text
    assert len(re.findall(UUID, citizen.get("/trajets").text)) > 0
    wait_until(lambda: heard() == ["withdrawn"], "the operator hears that it is taken back")
