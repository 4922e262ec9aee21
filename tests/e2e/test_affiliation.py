"""An employer of this morning, its list of numbers, and a citizen who applies with a code: real
servers, pages on both sides.
"""

import re
from datetime import UTC, datetime

import pytest

from federation.hub.affiliations import CODES_HEADS
from federation.hub.agreement import current_agreement
from federation.hub.aid_templates import AidTemplate, Choices
from federation.hub.csv_files import read_csv
from portal.browser import Browser
from portal.compose import hub_parts
from tests.e2e.network import Network, siret_of

pytestmark = pytest.mark.slow

PASSWORD = "un mot de passe bien long"


def employer(
    federation: Network,
    *,
    name: str = "Atelier du Cabardès",
    mail: str = "sacha@atelier.example",
) -> tuple[Browser, str]:
    """The desk of an employer that enrolled just now, and its aid."""
    desk = Browser(federation.hub)
    desk.submit(
        "/guichet/ouvrir", "/guichet/ouvrir",
        {
            "organisme": name, "siret": siret_of(name), "niveau": "employer",
            "service": "Paie", "contact": "paie@atelier.example", "nom": "Sacha Petit",
            "courriel": mail, "convention": current_agreement().digest,
        },
    )  # fmt: skip
    desk.submit(
        "/guichet/acces", "/guichet/acces/mot-de-passe",
        {"mot_de_passe": PASSWORD, "encore": PASSWORD},
    )  # fmt: skip
    with hub_parts(federation.settings) as parts:
        hub = parts.hub
        member = hub.members.sign_in(mail, PASSWORD).member
        figures = Choices(per_day=100, minimum_days=1, ceiling=400_00)
        return desk, hub.aids.publish(member, AidTemplate.FMD_PRIVATE, figures).slug


def test_a_citizen_applies_with_a_number_and_a_code_from_a_list(federation: Network) -> None:
    desk, slug = employer(federation)
    desk.submit(
        "/guichet/agents", "/guichet/agents",
        {"liste": "matricule;statut\n0042;salarie\n0043;salarie", "statut": "salarie"},
    )  # fmt: skip
    page = desk.get("/guichet/agents")
    assert "0042" in page.text and "sans code" in page.text
    wrong = desk.submit(page, "/guichet/agents", {"liste": "a;b", "statut": "salarie"}, expect=422)
    assert "ligne 1" in wrong.text
    table = desk.submit(page, "/guichet/agents/codes")
    assert table.media_type == "text/csv"
    codes = {row["matricule"]: row["code"] for row in read_csv(table.content, CODES_HEADS)}
    assert set(codes) == {"0042", "0043"}

    citizen = federation.citizen()
    receive = f"/documents/recevoir?aide={slug}"
    mistaken = citizen.submit(
        receive, "/documents/recevoir", {"aide": slug, "matricule": "0043", "code": codes["0042"]},
        expect=422,
    )  # fmt: skip
    assert "ne vont pas ensemble" in mistaken.text
    kept = citizen.submit(
        receive, "/documents/recevoir", {"aide": slug, "matricule": "0042", "code": codes["0042"]}
    )
    assert "Attestation de votre employeur" in kept.text
    year = datetime.now(UTC).year
    consent = citizen.submit(
        f"/aides/{slug}", f"/aides/{slug}/demander",
        {"du": f"{year}-01-01", "au": datetime.now(UTC).date().isoformat()},
    )  # fmt: skip
    sent = citizen.submit(consent, "/partager", {"accord": "1"})
    assert "0042" in desk.get("/guichet?q=0042").text
    assert re.search(r"Acceptée|acceptée", sent.text)

    listed = desk.get("/guichet/agents?q=0042")
    validity = listed.find(r'href="(/guichet/agents/[^"]+/validite)"')
    without = desk.submit(validity, validity, {"acte": "suspend", "motif": " "}, expect=422)
    assert "Écrivez le motif" in without.text
    paused = desk.submit(validity, validity, {"acte": "suspend", "motif": "Congé parental"})
    assert "suspendu" in paused.text and "Congé parental" in paused.text
    back = desk.submit(paused, validity, {"acte": "reinstate", "motif": "Retour"})
    assert "valable" in back.text and "Sacha Petit" in back.text

    gone = desk.submit("/guichet/agents?q=0042", "/guichet/agents/depart")
    assert "a pris fin" in gone.text and "parti·e" in gone.text
