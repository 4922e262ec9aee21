"""Search, erasing with a second look, rules that forget, vehicles, goals, delivery: the forms."""

import pytest

from portal.browser import Answer
from tests.e2e.network import Network


def words(page: Answer) -> str:
    return page.text.replace("&#39;", "'").replace("\u202f", " ").replace("\xa0", " ")


def test_search_asks_by_post_and_finds_without_accents(federation: Network) -> None:
    citizen = federation.citizen()
    page = citizen.submit("/chercher", "/chercher", {"mots": "VELO", "genre": "Trip"})
    assert page.address.endswith("/chercher")
    assert "résultats" in words(page)
    assert 'href="/trajets/' in page.text
    following = citizen.submit(
        page,
        "/chercher",
        {"mots": "VELO", "genre": "Trip", "suite": page.find(r'name="suite" value="([^"]+)"')},
    )
    assert following.find(r'href="(/trajets/[0-9a-f-]{36})"') != page.find(
        r'href="(/trajets/[0-9a-f-]{36})"'
    )
    none = citizen.submit("/chercher", "/chercher", {"mots": "hippopotame"})
    assert "Rien trouvé" in words(none)


def test_a_date_that_does_not_exist_is_said_beside_the_field(federation: Network) -> None:
    citizen = federation.citizen()
    page = citizen.submit("/chercher", "/chercher", {"depuis": "2026-02-31"}, expect=422)
    assert page.text.count('aria-invalid="true"') == 1


def test_a_day_is_erased_after_a_second_look_and_undo_is_offered(federation: Network) -> None:
    citizen = federation.citizen()
    day = citizen.get("/trajets").find(r'href="/trajets/jour/(\d{4}-\d{2}-\d{2})"')
    page = citizen.get(f"/coffre/effacer?jour={day}")
    seen = citizen.submit(page, "/coffre/effacer/apercu", {"depuis": day, "jusqu": ""})
    assert "Ce qui sera détruit" in words(seen)
    assert citizen.get(f"/trajets/jour/{day}").text.count('class="row"') > 0
    after = citizen.submit(seen, "/coffre/effacer")
    assert "supprimé" in words(after)
    assert "Suppressions que vous pouvez annuler" in words(after)
    assert "Aucun trajet ce jour-là" in words(citizen.get(f"/trajets/jour/{day}"))
    back = citizen.submit(after, "/trajets/annuler/")
    assert "annulée" in words(back)


def test_an_empty_period_erases_nothing_and_says_so(federation: Network) -> None:
    citizen = federation.citizen()
    values = {"depuis": "2001-01-01", "jusqu": "2001-01-31"}
    page = citizen.submit("/coffre/effacer", "/coffre/effacer/apercu", values)
    assert "Rien à effacer" in words(page)
    assert 'action="/coffre/effacer"' not in page.text
    values = {"depuis": "2026-02-02", "jusqu": "2026-02-01"}
    page = citizen.submit("/coffre/effacer", "/coffre/effacer/apercu", values, expect=422)
    assert "La fin est avant le début" in words(page)


def test_a_rule_shows_what_would_go_before_it_is_set_and_can_be_removed(
    federation: Network,
) -> None:
    citizen = federation.citizen()
    page = citizen.submit("/coffre/oubli", "/coffre/oubli/apercu", {"quoi": "tracks", "mois": "60"})
    assert "Rien ne serait détruit maintenant" in words(page)
    assert "Rien n'est oublié" in words(citizen.get("/coffre/oubli"))
    page = citizen.submit(page, "/coffre/oubli", {"quoi": "tracks", "mois": "60"})
    assert "Oublie après 5 ans" in words(page)
    page = citizen.submit(page, "/coffre/oubli/apercu", {"quoi": "tracks", "mois": "0"})
    assert "La règle est retirée" in words(page)
    bills = {"quoi": "invoices", "mois": "120"}
    page = citizen.submit("/coffre/oubli", "/coffre/oubli/apercu", bills)
    assert "Factures : après 10 ans" in words(page)
    page = citizen.submit(page, "/coffre/oubli", bills)
    assert "Oublie après 10 ans" in words(page)
    citizen.submit(page, "/coffre/oubli/apercu", {**bills, "mois": "0"})


def test_vehicles_are_kept_found_and_deleted(federation: Network) -> None:
    citizen = federation.citizen()
    values = {
        "genre": "cargo-bike", "energie": "assisted", "titre": "owned", "nom": "Le grand vélo",
        "marque": "Arcade", "modele": "", "numero": "", "critair": "", "depuis": "2025-04-01",
    }  # fmt: skip
    page = citizen.submit("/coffre/vehicules", "/coffre/vehicules", values)
    assert "Le grand vélo" in words(page)
    assert "Le grand vélo" in words(citizen.submit("/chercher", "/chercher", {"mots": "arcade"}))
    quoi = page.find(r'name="quoi" value="([0-9a-f-]{36})"')
    page = citizen.submit(page, "/coffre/effacer/enregistrement", {"quoi": quoi})
    assert "Le grand vélo" not in words(page)
    values["depuis"] = "2025-02-30"
    page = citizen.submit("/coffre/vehicules", "/coffre/vehicules", values, expect=422)
    assert 'value="Le grand vélo"' in words(page)


def test_a_goal_is_counted_from_trips(federation: Network) -> None:
    citizen = federation.citizen()
    values = {
        "nom": "Cent jours", "mode": "", "sens": "at-least", "cible": "100", "compte": "days",
        "periode": "year",
    }  # fmt: skip
    page = citizen.submit("/coffre/objectifs", "/coffre/objectifs", values)
    assert "jours sur 100 jours" in words(page)
    values["cible"] = "beaucoup"
    page = citizen.submit("/coffre/objectifs", "/coffre/objectifs", values, expect=422)
    assert 'aria-invalid="true"' in page.text


def test_a_delivery_address_is_checked_field_by_field(federation: Network) -> None:
    citizen = federation.citizen()
    values = {
        "nom": "", "destinataire": "", "rue": "", "code": "11000", "commune": "Carcassonne",
        "acces": "", "remise": "relay", "relais": "", "creneaux": "un jour",
    }  # fmt: skip
    page = citizen.submit("/coffre/livraison", "/coffre/livraison", values, expect=422)
    assert page.text.count('aria-invalid="true"') == 4
    values |= {"destinataire": "Camille", "rue": "1 rue de la Gare", "relais": "Tabac du pont"}
    values["creneaux"] = "lundi mardi 18h-20h30"
    page = citizen.submit("/coffre/livraison", "/coffre/livraison", values)
    assert "Tabac du pont" in words(page)
    assert "lundi mardi 18:00-20:30" in words(page)


@pytest.mark.parametrize("par", ["day", "weekday", "year", "purpose", "source", "nothing"])
def test_totals_are_divided_and_filtered(federation: Network, par: str) -> None:
    citizen = federation.citizen()
    page = citizen.get(f"/bilan?par={par}&mode=bicycle")
    assert "Vélo" in words(page)
    assert page.text.count('<svg class="chart"') == 2
    assert "Facteurs de l'ADEME, version" in words(page)
    assert "Rien dans ce choix" in words(citizen.get("/bilan?depuis=2001-01-01&jusqu=2001-01-02"))
