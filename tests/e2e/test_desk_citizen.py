"""The citizen's side of the desk, between the demo's real servers: a draft that is kept, an
acknowledgement, a question and its answer, a joined document, a refusal, an appeal, a letter.
"""

import re
from dataclasses import replace
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from federation.decision_log import Evidence
from federation.timestamps import read_roots
from portal.browser import Browser
from portal.compose import SANDBOX_FUNDER, SANDBOX_OFFICER, hub_parts
from tests.e2e.network import Network
from tests.e2e.servers import wait_until

pytestmark = pytest.mark.slow

AID = "fmd-agents-publics-agglo-cabardes"
LAST_YEAR = {"du": "2025-01-01", "au": "2025-12-31"}
RIB = b"%PDF-1.7\n1 0 obj<<>>endobj\n%%EOF\n"


def applications(citizen: Browser) -> list[str]:
    return re.findall(r'href="/demandes/([0-9a-f-]{36})"', citizen.get("/partages").text)


def test_from_a_draft_to_an_appeal(federation: Network) -> None:
    citizen, officer = federation.citizen(), federation.officer()
    with hub_parts(federation.settings) as parts:
        hub = parts.hub
        point = ec.generate_private_key(ec.SECP256R1()).public_key()
        raw = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        officer_of = {m.login: m for m in hub.members.members(SANDBOX_FUNDER)}
        hub.document_keys.publish(officer_of[SANDBOX_OFFICER], raw)

    # A draft is kept when the consent page is left, taken up again, and dropped.
    before = set(applications(citizen))
    citizen.submit(f"/aides/{AID}", f"/aides/{AID}/demander", LAST_YEAR)
    (name,) = set(applications(citizen)) - before
    view = citizen.get(f"/demandes/{name}")
    assert "Brouillon" in view.text and "Accusé de réception" not in view.text
    consent = citizen.submit(view, f"/aides/{AID}/demander")
    assert set(applications(citizen)) - before == {name}, "taken up, not begun twice"

    # Sent: a person has to look; the acknowledgement says what the law asks.
    citizen.submit(consent, "/partager", {"accord": "1"})

    def received() -> bool:
        return "Accusé de réception" in citizen.get(f"/demandes/{name}").text

    wait_until(received, "the hub acknowledged")
    text = citizen.get(f"/demandes/{name}").text
    assert "Direction des ressources humaines" in text
    assert "Réponse attendue avant le" in text and "Le silence gardé" in text

    # A document from the vault, sealed to the funder; the desk lists it and cannot read it.
    citizen.submit(
        "/coffre/documents", "/coffre/documents", {"titre": "Mon RIB"},
        files={"fichier": ("rib.pdf", RIB)},
    )  # fmt: skip
    page = citizen.get(f"/demandes/{name}")
    file = page.find(r'<option value="([0-9a-f-]{36})"')
    joined = citizen.submit(page, "/demandes/joindre", {"fichier": file, "piece": "RIB"})
    assert "Seul le financeur peut" in joined.text
    assert "Documents joints" in officer.get(f"/guichet/demandes/{name}").text

    # A question stops the clock; the answer is read at the desk.
    officer.submit(
        f"/guichet/demandes/{name}", "/guichet/decider",
        {"demande": name, "decision": "information", "motif": "Aviez-vous un vélo en 2025 ?"},
    )  # fmt: skip
    view = citizen.get(f"/demandes/{name}")
    assert "Aviez-vous un vélo en 2025" in view.text and "Le délai est suspendu" in view.text
    citizen.submit(view, "/demandes/repondre", {"reponse": "Oui, depuis mars."})
    assert "Oui, depuis mars." in officer.get(f"/guichet/demandes/{name}").text

    # Refused by a person with its reason, contested, and the letter says it all.
    officer.submit(
        f"/guichet/demandes/{name}", "/guichet/decider",
        {"demande": name, "decision": "refuse", "motif": "Aucun jour prouvé en 2025."},
    )  # fmt: skip
    view = citizen.get(f"/demandes/{name}")
    assert "Refusée" in view.text and "Aucun jour prouvé en 2025." in view.text
    letter = citizen.get(f"/demandes/{name}/lettre")
    assert letter.media_type == "application/pdf" and letter.content.startswith(b"%PDF-")
    citizen.submit(view, "/demandes/contester", {"raison": "Mon ancien téléphone en a la preuve."})
    assert "Recours en cours" in citizen.get(f"/demandes/{name}").text
    assert "Mon ancien téléphone" in officer.get(f"/guichet/demandes/{name}").text

    # Withdrawn before the second decision: nothing can be decided any more.
    citizen.submit(f"/demandes/{name}", "/demandes/retirer")
    assert "Retirée" in citizen.get(f"/demandes/{name}").text
    assert 'name="decision"' not in officer.get(f"/guichet/demandes/{name}").text


def test_the_accepted_application_has_its_letter(federation: Network) -> None:
    citizen = federation.citizen()
    name = federation.memory["application"]
    assert f"/demandes/{name}/lettre" in citizen.get(f"/demandes/{name}").text
    letter = citizen.get(f"/demandes/{name}/lettre")
    assert letter.media_type == "application/pdf"
    assert letter.content.startswith(b"%PDF-")


def _is_stamped(reader: Browser, path: str) -> bool:
    return Evidence.from_zip(reader.get(path).content).timestamp is not None


def test_the_accepted_application_has_its_evidence(federation: Network) -> None:
    citizen, officer = federation.citizen(), federation.officer()
    name = federation.memory["application"]
    files = []
    for reader, page in ((citizen, f"/demandes/{name}"), (officer, f"/guichet/demandes/{name}")):
        assert "registre des décisions" in reader.get(page).text
        wait_until(partial(_is_stamped, reader, f"{page}/preuve"), "its timestamp")
        given = reader.get(f"{page}/preuve")
        assert given.media_type == "application/zip"
        files.append(Evidence.from_zip(given.content))
        page_of = Browser(federation.hub)  # nobody's account
        shown = page_of.submit(
            "/verifier",
            "/verifier",
            {"texte": ""},
            files={"fichier": ("preuve.zip", given.content)},
        )
        assert "Décision authentique" in shown.text and "Ce qui a été décidé" in shown.text
        assert f"<dd>{name[:8]}</dd>" in shown.text
        bad = Evidence.from_zip(given.content)
        bad = replace(bad, steps=(*bad.steps[:-1], replace(bad.steps[-1], position=0)))
        for content, words in (
            (bad.to_zip(), "Cette preuve n'est pas valable"),
            (replace(bad, steps=()).to_zip(), "Cette preuve n'est pas valable"),
            (given.content[:200], "pas la preuve d'une décision"),
        ):
            status = 422 if len(content) == 200 else 200
            shown = page_of.submit(
                "/verifier",
                "/verifier",
                {"texte": ""},
                files={"fichier": ("preuve.zip", content)},
                expect=status,
            )
            assert words in shown.text.replace("&#39;", "'")
            assert "Ce qui a été décidé" not in shown.text
    assert files[0].steps[0].entry == files[1].steps[0].entry
    assert files[0].award is not None
    assert b"sans valeur" in b"".join(
        c.subject.public_bytes() for c in read_roots(files[0].authority)
    )
