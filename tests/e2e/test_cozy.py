"""« Mon Cozy » as a citizen meets it: connect, see trips come, copy there, take back, let go."""

import html
import re
from urllib.parse import urlsplit

import httpx

from portal.browser import Answer, Browser
from tests.e2e.network import Network
from tests.unit.connectors.test_files import ROWS, gpx

DAY = ROWS[0][0].date().isoformat()


def at_the_cloud(url: str, answer: str) -> str:
    """The address of ours that the cloud's page sends back to."""
    page = httpx.get(html.unescape(url), timeout=10)
    found = re.search(rf'href="([^"]+)">{answer}', page.text)
    assert found is not None
    back = urlsplit(html.unescape(found[1]))
    return f"{back.path}?{back.query}"


def connected(federation: Network, citizen: Browser, *, writes: bool) -> Answer:
    values = {"adresse": f"{federation.sandbox}/nuage", **({"copier": "1"} if writes else {})}
    leave = citizen.submit("/sources/cozy", "/sources/cozy", values)
    url = leave.find(r'href="(http[^"]+/auth/authorize[^"]+)"')
    return citizen.get(at_the_cloud(url, "Accepter"))


def test_a_cozy_is_connected_copied_to_and_let_go(federation: Network) -> None:
    citizen = federation.new_citizen()
    back = connected(federation, citizen, writes=True)
    assert "nouveaux trajets" in back.text
    assert "Cozy, CoachCO2" in back.text
    page = citizen.get("/sources/cozy")
    assert "Lire, et copier des trajets" in page.text
    copying = page.find(r'href="(/sources/cozy/copier\?source=[^"]+)"')
    # Every trip came from there: nothing to copy, said so.
    assert "Aucun trajet à copier" in citizen.get(html.unescape(copying)).text
    again = connected(federation, citizen, writes=False)
    assert "Rien de nouveau" in again.text
    answer = citizen.get(html.unescape(copying))
    assert "vous laisse seulement lire" in answer.text
    sources = citizen.get("/sources")
    account = sources.find(r'name="source" value="(cozy:[^"]+)"')
    gone = citizen.submit(sources, "/sources/retirer", {"source": account})
    assert "Accès retiré" in gone.text


def test_own_trips_are_copied_and_taken_back(federation: Network) -> None:
    citizen = federation.new_citizen()
    upload = {"fichier": ("balade.gpx", gpx())}
    preview = citizen.submit("/sources", "/sources/importer", files=upload)
    assert "1 nouveau trajet" in citizen.submit(preview, "/sources/importer/confirmer").text
    connected(federation, citizen, writes=True)
    account = citizen.get("/sources/cozy").find(r'name="source" value="(cozy:[^"]+)"')
    where = f"/sources/cozy/copier?source={account}&depuis={DAY}&jusque={DAY}"
    page = citizen.get(where)
    assert "Niveaux de preuve" in page.text
    done = citizen.submit(page, "/sources/cozy/copier", {"traces": "1"})
    assert "1 trajet copié." in done.text
    again = citizen.submit(citizen.get(where), "/sources/cozy/copier")
    assert "1 y était déjà." in again.text
    assert "Trajets copiés chez une source" in citizen.get("/coffre/journal").text
    # What was copied is not taken for a trip of CoachCO2.
    pulled = citizen.submit("/sources", "/sources/interroger", {"source": account})
    assert "Rien de nouveau" in pulled.text
    removed = citizen.submit("/sources/cozy", "/sources/cozy/retirer")
    assert "1 copie retirée." in removed.text
    wrong = citizen.get(f"/sources/cozy/copier?source={account}&jusque=2024-01-01", expect=422)
    assert "La fin précède le début" in wrong.text


def test_a_refusal_and_a_wrong_address_are_said(federation: Network) -> None:
    citizen = federation.new_citizen()
    values = {"adresse": f"{federation.sandbox}/nuage"}
    leave = citizen.submit("/sources/cozy", "/sources/cozy", values)
    url = leave.find(r'href="(http[^"]+/auth/authorize[^"]+)"')
    assert "accès n'a pas été donné" in html.unescape(
        citizen.get(at_the_cloud(url, "Refuser")).text
    )
    wrong = citizen.submit("/sources/cozy", "/sources/cozy", {"adresse": "ftp://x"}, expect=422)
    assert 'aria-invalid="true"' in wrong.text
    away = {"adresse": "http://localhost:9"}
    assert (
        "ne répond pas" in citizen.submit("/sources/cozy", "/sources/cozy", away, expect=422).text
    )


def test_a_destroyed_vault_leaves_no_client_at_the_cozy(federation: Network) -> None:
    citizen = federation.new_citizen()
    connected(federation, citizen, writes=False)
    page = citizen.get("/coffre/detruire")
    number = page.find(r"recopiez le numéro du coffre : ([\w-]+)")
    gone = citizen.submit(page, "/coffre/detruire", {"confirme": number})
    text = html.unescape(gone.text)
    assert "Coffre détruit" in text
    assert '"clientsRemoved": 1' in text
    assert '"clientsLeft": 0' in text
    assert "n'ont pas répondu" not in text
