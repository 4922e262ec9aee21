"""« Demander pour moi » on the pages, over the command line, and withdrawn."""

import json
import re
from datetime import date

from tests.e2e.network import Network
from tests.e2e.test_commands import mobility
from tests.e2e.test_entitled import words

AID = "fmd-agents-publics-agglo-cabardes"
PAGE = f"/aides/{AID}/pour-moi"


def test_a_citizen_sets_the_limits_reads_them_and_withdraws(federation: Network) -> None:
    citizen = federation.citizen()
    assert PAGE in citizen.get(f"/aides/{AID}").text
    shown = citizen.submit(PAGE, PAGE)
    assert "Ce qui partira à chaque fois" in shown.text
    year = date.today().year + 1
    limits = {"rythme": "year", "fin": f"{year}-12-31", "etendue": "send"}
    wrong = citizen.submit(shown, PAGE, {**limits, "plafond": "beaucoup"}, expect=422)
    assert "Un montant en euros" in wrong.text
    assert "case d'accord n'était pas cochée" in words(wrong)
    early = {**limits, "fin": f"{year - 1}-01-31", "plafond": "300", "accord": "1"}
    assert "au moins une période entière" in words(citizen.submit(wrong, PAGE, early, expect=422))
    agreed = citizen.submit(wrong, PAGE, {**limits, "plafond": "300", "accord": "1"})
    assert "0 € demandés sur 300 €" in words(agreed)
    assert "Préparer et envoyer" in words(agreed)
    assert "Rien n'est encore parti" in words(agreed)
    where = re.sub(r"^https?://[^/]+", "", agreed.address)
    assert where.split("?", 1)[0] in citizen.get(f"/aides/{AID}").text
    listed = words(citizen.get("/partages"))
    assert "Demander pour moi" in listed
    ended = citizen.submit(agreed, "/partages/retirer")
    assert "Retiré" in words(ended)
    assert PAGE in citizen.get(f"/aides/{AID}").text, "it may be set up again"


def test_the_command_line_sets_it_up_and_stops_it(federation: Network) -> None:
    year = date.today().year + 1
    asked = ("vault", "standing", "apply", AID, "--ceiling", "300", "--until", f"{year}-12-31")
    unsure = mobility(federation, *asked)
    assert unsure.returncode == 1
    assert "→ UsageProof." in unsure.stderr
    made = mobility(federation, *asked, "--yes", "--json")
    assert made.returncode == 0, made.stderr
    row = json.loads(made.stdout)
    assert (row["extent"], row["ceiling_cents"], row["asked_cents"]) == ("prepare", 30_000, 0)
    again = mobility(federation, *asked, "--yes", "--json")
    assert again.returncode == 1, "one agreement an aid"
    stopped = mobility(federation, "vault", "standing", "stop", row["consent"], "--json")
    assert json.loads(stopped.stdout)["state"] == "withdrawn"
