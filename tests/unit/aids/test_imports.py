"""Imports of others' catalogues: counts, provenance, differences, and what is refused."""

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from federation.aids.catalogue import RuleModel
from federation.aids.eligibility import Fact, Facts, FactSource, Verdict, evaluate
from federation.aids.errors import RuleImportError
from federation.aids.imports import MAX_AIDS, compare, import_document, inspect
from federation.aids.interchange import read_table
from federation.aids.model import AidStatus, aid_to_json
from federation.aids.schemes import national_schemes
from federation.aids.sheet import Import
from federation.aids.velo import import_velo, join_index, read_velo_asset
from schemas.ids import Did

HUB = Did("did:web:hub")
AT = date(2026, 11, 22)
META = {"source": "essai", "licence": "Licence Ouverte 2.0"}
FILES = {
    "covoiturage_incitations_rpc": 111,
    "covoiturage_campagnes_rpc_policies": 43,
    "aides_jeunes_mobilite_faits": 157,
}


def read(shared: Path, name: str) -> Import:
    document = json.loads((shared / "data" / "aids" / f"{name}.json").read_text("utf-8"))
    return import_document(document, publisher=HUB, at=AT)


def facts(*entries: dict[str, Any]) -> Import:
    return import_document({"_meta": META, "aides": list(entries)}, publisher=HUB, at=AT)


ENTRY: dict[str, Any] = {
    "id": "permis-essai",
    "titre": "Aide au permis",
    "categorie": "permis",
    "financeur": {"nom": "Région", "type": "region", "code_insee": "53", "code_siren": None},
    "conditions": [{"type": "age", "operator": ">=", "value": 18}],
    "profils": ["apprenti", "chomeur"],
    "montant": 450,
    "unite": "€",
    "periodicite": "ponctuelle",
    "legende": "maximum",
    "lien": "https://exemple.fr/permis",
    "calcul": "conditions",
    "privee": False,
}


@pytest.mark.shared_data
@pytest.mark.parametrize(("name", "count"), FILES.items())
def test_every_aid_of_a_document_is_imported_or_reported(
    shared: Path, name: str, count: int
) -> None:
    found = read(shared, name)
    assert len(found.aids) + len(found.skipped) == count
    assert found.skipped == ()
    model = RuleModel.compile(found.model, found.version, found.rules)
    for aid in found.aids:
        assert aid.rule.rule in model.engine
        assert aid.source
        assert aid.source_licence
        assert aid.last_verified is None
        evaluate(aid, Facts(at=AT), model.engine)
    checked = Counter(finding.code for finding in inspect(found.aids, AT))
    assert checked["never-verified"] + checked["expired"] == count


@pytest.mark.shared_data
def test_the_catalogue_holds_six_hundred_real_aids(shared: Path) -> None:
    velo = import_velo(read_velo_asset(), publisher=HUB, at=AT).aids
    aids = [*velo, *national_schemes(HUB, at=AT)]
    assert len(aids) >= 340, "without any file of others"
    for name in FILES:
        aids += read(shared, name).aids
    assert len(aids) >= 600
    assert len({aid.slug for aid in aids}) == len(aids)


def test_facts_become_a_rule_with_its_amount() -> None:
    found = facts(ENTRY)
    (aid,) = found.aids
    engine = RuleModel.compile(found.model, found.version, found.rules).engine

    def ask(age: int, status: str) -> Any:
        values = {
            "demandeur . âge": Fact(age, FactSource.ANSWER, "an"),
            "demandeur . statut": Fact(status, FactSource.ANSWER),
        }
        return evaluate(aid, Facts(at=AT, values=values), engine)

    assert ask(19, "apprenti").amount == 45_000
    assert ask(17, "apprenti").plain[0]["fr"] == "Âge : 17 ans ; il faut au moins 18 ans."
    assert ask(19, "étudiant").plain[0]["fr"] == (
        "Votre situation : étudiant ; il faut apprenti ou demandeur d'emploi."
    )
    assert [(t.kind.value, t.code) for t in aid.territories] == [("region", "53")]
    assert aid.summaries["fr"] == "Au plus 450 €."


@pytest.mark.parametrize(
    "change",
    [
        {"calcul": "openfisca"},
        {"conditions": [], "profils": []},
        {"conditions": [{"type": "formation_sanitaire_social"}]},
        {"profils": ["licorne"]},
    ],
)
def test_what_stands_only_in_prose_is_never_said_to_be_due(change: dict[str, Any]) -> None:
    found = facts({**ENTRY, **change})
    engine = RuleModel.compile(found.model, found.version, found.rules).engine
    outcome = evaluate(found.aids[0], Facts(at=AT), engine)
    assert outcome.verdict is Verdict.MISSING
    assert [q.variable for q in outcome.missing] == [f"à lire . {found.aids[0].slug}"]


def test_an_aid_of_no_known_place_waits_for_a_person() -> None:
    funder = {"nom": "Syndicat", "type": "autre", "code_insee": None, "code_siren": "256204165"}
    found = facts({**ENTRY, "financeur": funder})
    assert found.aids[0].status is AidStatus.REVIEW
    national = {**ENTRY, "financeur": {"nom": "État", "type": "national"}}
    assert facts(national).aids[0].status is AidStatus.PUBLISHED


def test_a_campaign_ends_on_the_day_its_text_names() -> None:
    entry = {"id": "20240101_Ville", "resume": "Campagne du 1er janvier 2024 au 31 décembre 2024."}
    open_ended = {"id": "20240101_Autre", "resume": "Campagne sans fin."}
    found = import_document({"_meta": META, "campagnes": [entry, open_ended]}, publisher=HUB, at=AT)
    assert found.aids[0].ends_on == date(2024, 12, 31)
    assert [aid.status for aid in found.aids] == [AidStatus.EXPIRED, AidStatus.REVIEW]


def test_a_date_hidden_in_prose_is_found() -> None:
    found = facts({**ENTRY, "titre": "Aide jusqu'au 1er décembre 2024"})
    assert ("hidden-date", "2024-12-01") in {
        (finding.code, finding.detail) for finding in inspect(found.aids, AT)
    }


def test_the_same_document_again_changes_nothing_and_a_change_is_named() -> None:
    first = facts(ENTRY)
    before = [aid_to_json(aid) for aid in first.aids]
    before[0]["lastVerified"] = "2026-11-01"
    later = import_document({"_meta": META, "aides": [ENTRY]}, publisher=HUB, at=date(2027, 1, 1))
    again = compare(before, later.aids)
    assert (again.added, dict(again.changed), again.removed, again.unchanged) == ((), {}, (), 1)
    moved = compare(before, facts({**ENTRY, "lien": "https://exemple.fr/x"}).aids)
    assert dict(moved.changed) == {"aj-permis-essai": ("link",)}
    assert compare(before, facts({**ENTRY, "id": "autre"}).aids).removed == ("aj-permis-essai",)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"_meta": META},
        {"_meta": META, "aides": {}},
        {"_meta": {"source": "x"}, "aides": []},
        {"aides": []},
        {"_meta": META, "aides": [{}] * (MAX_AIDS + 1)},
    ],
)
def test_a_document_we_do_not_know_is_refused(document: Any) -> None:
    with pytest.raises(RuleImportError):
        import_document(document, publisher=HUB, at=AT)


@pytest.mark.parametrize("entry", [None, 3, "x", [], {}, {"id": ""}])
@pytest.mark.parametrize(
    "key", ["aides", "incitations", "campagnes", "referentiel", "mob", "services", "liens"]
)
def test_an_entry_that_is_no_aid_is_reported_and_the_rest_goes_on(key: str, entry: Any) -> None:
    found = import_document({"_meta": META, key: [entry]}, publisher=HUB, at=AT)
    assert found.aids == ()
    assert len(found.skipped) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"conditions": 3},
        {"conditions": [7]},
        {"financeur": "x"},
        {"profils": [None]},
        {"profils": 1},
    ],
)
def test_an_entry_whose_parts_have_the_wrong_shape_is_a_typed_error(change: dict[str, Any]) -> None:
    with pytest.raises(RuleImportError):
        facts({**ENTRY, **change})


TABLES = {
    "mob-aids-mu-separated": "mob-csv",
    "schema-referentiel-aides-mobilite.example": "referentiel-fabmob",
}


@pytest.mark.shared_data
@pytest.mark.parametrize("name", TABLES)
def test_every_row_of_a_table_is_an_aid_or_a_reason(shared: Path, name: str) -> None:
    text = (shared / "data" / "aids" / f"{name}.csv").read_text("utf-8")
    found = import_document(
        read_table(text, source="fabmob", licence="Licence Ouverte 2.0"), publisher=HUB, at=AT
    )
    assert found.model == TABLES[name]
    assert len(found.aids) + len(found.skipped) == len(list(csv_rows(text)))
    RuleModel.compile(found.model, found.version, found.rules)
    for aid in found.aids:
        assert aid.source == "fabmob"
        assert [(t.kind.value, t.code) for t in aid.territories] == [("region", "11")]
        assert aid.status is AidStatus.PUBLISHED
    assert "velo" in found.aids[-1 if name.startswith("mob") else 0].themes


def csv_rows(text: str) -> Any:
    import csv
    import io

    return csv.DictReader(io.StringIO(text, newline=""), delimiter="µ" if "µ" in text else ",")


def row(**changes: str) -> Import:
    head = "id,nom,description,territoire,territoire_insee,financeur,montant"
    head += ",date_fin_validite,mode_transport"
    values = {
        "id": "1",
        "nom": "Prime",
        "description": "D",
        "territoire": "Aude",
        "territoire_insee": "11",
        "financeur": "F",
        "montant": "100 €",
        "date_fin_validite": "",
        "mode_transport": "VAE ; Covoiturage",
        **changes,
    }
    text = head + "\n" + ",".join(values[name] for name in head.split(",")) + "\n"
    return import_document(
        read_table(text, source="essai", licence="Licence Ouverte 2.0"), publisher=HUB, at=AT
    )


def test_a_number_that_a_departement_and_a_region_share_is_told_by_its_name() -> None:
    assert [(t.kind.value, t.code) for t in row().aids[0].territories] == [("departement", "11")]
    ile = row(territoire="Île-de-France").aids[0]
    assert [(t.kind.value, t.code) for t in ile.territories] == [("region", "11")]


@pytest.mark.parametrize(
    "place",
    [
        {"territoire": "Atlantide"},
        {"territoire": "Saint-Denis", "territoire_insee": ""},
        {"territoire": "Aude", "territoire_insee": "31"},
    ],
)
def test_a_territory_that_cannot_be_told_waits_for_a_person(place: dict[str, str]) -> None:
    assert row(**place).aids[0].status is AidStatus.REVIEW


def test_a_table_says_modes_ends_and_the_whole_country() -> None:
    found = row(territoire="France", territoire_insee="99100", date_fin_validite="01/06/2022")
    assert found.aids[0].territories == ()
    assert found.aids[0].status is AidStatus.EXPIRED
    assert found.aids[0].themes == ("covoiturage", "velo")


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", 'territoire_insee\n"x', "x" * 200_000])
def test_what_is_no_table_of_aids_is_refused(text: str) -> None:
    with pytest.raises(RuleImportError):
        read_table(text, source="s", licence="l")


def test_a_service_of_data_inclusion_is_an_aid_without_amount() -> None:
    service = {
        "source": "dora",
        "id": "dora--1",
        "structure_id": "dora--s",
        "nom": "Location de voiture solidaire",
        "description": "Une voiture pour aller travailler.",
        "lien_source": "https://dora.exemple/1",
        "date_maj": "2026-01-01",
        "thematiques": ["mobilite--acceder-a-un-vehicule", "logement-hebergement"],
        "zone_eligibilite": ["11", "31555", "200035715"],
    }
    other = {**service, "id": "dora--2", "thematiques": ["sante--x"]}
    nowhere = {**service, "id": "dora--3", "zone_eligibilite": ["zz"]}
    document = {"_meta": META, "services": [service, other, nowhere]}
    found = import_document(document, publisher=HUB, at=AT)
    assert found.skipped == (("dora--2", "no mobility theme"),)
    first, third = found.aids
    assert first.themes == ("voiture",)
    assert {(t.kind.value, t.code) for t in first.territories} == {
        ("departement", "11"),
        ("commune", "31555"),
        ("epci", "200035715"),
    }
    assert (first.status, third.status) == (AidStatus.PUBLISHED, AidStatus.REVIEW)
    engine = RuleModel.compile(found.model, found.version, found.rules).engine
    assert evaluate(first, Facts(at=AT), engine).verdict is Verdict.MISSING


def test_a_link_out_carries_no_amount() -> None:
    link = {"id": "F1", "titre": "Une page", "lien": "https://exemple.fr/F1"}
    document = {
        "_meta": META,
        "liens": [link, {**link, "id": "F2", "montant": 3}, {**link, "lien": "http://x"}],
    }
    found = import_document(document, publisher=HUB, at=AT)
    assert [aid.slug for aid in found.aids] == ["lien-f1"]
    assert len(found.skipped) == 2


@pytest.mark.shared_data
def test_every_aid_of_the_newer_bicycle_model_is_imported_or_reported(shared: Path) -> None:
    folder = shared / "data" / "aids"
    model, index = (
        json.loads((folder / f"{name}.json").read_text("utf-8"))
        for name in ("velo_aides_publicodes_model_v4", "velo_aides_index")
    )
    found = import_document(join_index(model, index), publisher=HUB, at=AT)
    assert (found.model, found.version) == ("aides-velo", "4.0.0")
    assert len(found.aids) + len(found.skipped) == 330
    assert {reason for _, reason in found.skipped} == {
        "outside France: monaco",
        "outside France: luxembourg",
    }
    with pytest.raises(RuleImportError):
        join_index(model, {**index, "_meta": {"source": "autre"}})


def test_an_aid_of_several_territories_keeps_all_of_them() -> None:
    aids = {a.slug: a for a in import_velo(read_velo_asset(), publisher=HUB, at=AT).aids}
    assert [t.code for t in aids["velo-grenoble"].territories] == ["200040715", "200018166"]
    assert [(t.kind.value, t.code) for t in aids["velo-grand-calais"].territories] == [
        ("epci", "200090751"),
        ("commune", "62397"),
    ]
    assert len(aids["velo-region-centre"].territories) > 50
    assert len(aids["velo-st2b"].territories) == 2


def test_an_end_written_in_figures_is_found_too() -> None:
    found = facts({**ENTRY, "titre": "Aide jusqu'au 31/12/2024"})
    assert "2024-12-31" in {finding.detail for finding in inspect(found.aids, AT)}
