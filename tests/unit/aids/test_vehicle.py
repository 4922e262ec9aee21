"""Crit'Air by its decree, zones by their files, one form cut by funder, access with an end."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from federation.aids.access import access_of, check_access, class_code
from federation.aids.catalogue import Catalogue, RuleModel
from federation.aids.clean_air import AirClass, Power, VehicleCategory, class_of, decree
from federation.aids.errors import (
    DeclarationRefusedError,
    RuleImportError,
    VehicleRefusedError,
    ZoneFileError,
)
from federation.aids.model import Aid
from federation.aids.one_form import OneForm, compose, cut
from federation.aids.publicodes import Engine
from federation.aids.territories import by_code
from federation.aids.vehicle_questions import CLASS, PLATE
from federation.aids.zones import Verdict, ZoneBook, mounted_zones, read_areas, shipped_zones
from federation.hub.aid_templates import AidTemplate, Choices, build_aid
from federation.hub.awards import access_body, end_of
from federation.hub.errors import EntryRefusedError
from federation.hub.model import Funder
from schemas.ids import Did, Iri

TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
CAR, VAN, HEAVY = VehicleCategory.CAR, VehicleCategory.VAN, VehicleCategory.HEAVY
MOTORCYCLE, MOPED = VehicleCategory.MOTORCYCLE, VehicleCategory.MOPED


# -- the class ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("category", "power", "first", "expected"),
    [
        (CAR, Power.DIESEL, "1996-12-31", "none"),
        (CAR, Power.DIESEL, "1997-01-01", "5"),
        (CAR, Power.DIESEL, "2000-12-31", "5"),
        (CAR, Power.DIESEL, "2001-01-01", "4"),
        (CAR, Power.DIESEL, "2006-01-01", "3"),
        (CAR, Power.DIESEL, "2010-12-31", "3"),
        (CAR, Power.DIESEL, "2011-01-01", "2"),
        (CAR, Power.PETROL, "1996-12-31", "none"),
        (CAR, Power.PETROL, "1997-01-01", "3"),
        (CAR, Power.PETROL, "2006-01-01", "2"),
        (CAR, Power.PETROL, "2011-01-01", "1"),
        (VAN, Power.DIESEL, "1997-09-30", "none"),
        (VAN, Power.DIESEL, "1997-10-01", "5"),
        (HEAVY, Power.DIESEL, "2001-09-30", "none"),
        (HEAVY, Power.DIESEL, "2001-10-01", "5"),
        (HEAVY, Power.DIESEL, "2014-01-01", "2"),
        (HEAVY, Power.PETROL, "2009-10-01", "2"),
        (MOTORCYCLE, Power.PETROL, "2000-05-31", "none"),
        (MOTORCYCLE, Power.PETROL, "2000-06-01", "4"),
        (MOTORCYCLE, Power.PETROL, "2017-01-01", "1"),
        (MOPED, Power.PETROL, "2017-12-31", "2"),
        (MOPED, Power.PETROL, "2018-01-01", "1"),
    ],
)
def test_the_day_of_first_registration_gives_the_class(
    category: VehicleCategory, power: Power, first: str, expected: str
) -> None:
    found = class_of(category, power, at=TODAY, first_registered=date.fromisoformat(first))
    assert found is not None
    assert (found.value.value, found.by) == (expected, "date")


@pytest.mark.parametrize("category", list(VehicleCategory))
def test_energy_alone_decides_where_the_decree_says_so(category: VehicleCategory) -> None:
    for power, expected in (
        (Power.ELECTRIC, "0"),
        (Power.HYDROGEN, "0"),
        (Power.GAS, "1"),
        (Power.PLUG_IN_HYBRID, "1"),
    ):
        found = class_of(category, power, at=TODAY)
        assert found is not None
        assert (found.value.value, found.by) == (expected, "energy")
    assert class_of(category, Power.DIESEL, at=TODAY) is None, "the age is missing"


def test_the_euro_standard_counts_before_the_date() -> None:
    late = date(2006, 3, 1)
    found = class_of(CAR, Power.DIESEL, at=TODAY, euro=3, first_registered=late)
    assert found is not None and (found.value, found.by) == (AirClass.FOUR, "euro")
    by_standard = {n: class_of(CAR, Power.DIESEL, at=TODAY, euro=n) for n in range(8)}
    assert {n: f.value.value for n, f in by_standard.items() if f is not None} == {
        0: "none", 1: "none", 2: "5", 3: "4", 4: "3", 5: "2", 6: "2", 7: "2",
    }  # fmt: skip
    # Two wheels without a standard are told apart by their day.
    old = class_of(MOTORCYCLE, Power.PETROL, at=TODAY, euro=0, first_registered=date(2003, 1, 1))
    assert old is not None and old.value is AirClass.FOUR
    assert class_of(MOTORCYCLE, Power.PETROL, at=TODAY, euro=0) is None
    one = class_of(MOTORCYCLE, Power.PETROL, at=TODAY, euro=1)
    assert one is not None and one.value is AirClass.UNCLASSED


def test_what_cannot_be_is_refused_by_name_and_nothing_is_classed_before_the_decree() -> None:
    for where, known in (
        ("euro", {"euro": 8}),
        ("first_registered", {"first_registered": date(2027, 1, 1)}),
        ("first_registered", {"first_registered": date(1789, 7, 14)}),
    ):
        with pytest.raises(VehicleRefusedError) as refused:
            class_of(CAR, Power.DIESEL, at=TODAY, **known)  # type: ignore[arg-type]  # on purpose
        assert refused.value.where == where
    with pytest.raises(VehicleRefusedError) as refused:
        class_of(CAR, Power.ELECTRIC, at=date(2016, 6, 23))
    assert refused.value.where == "at"
    assert {"source", "link", "licence", "date"} <= set(decree())


# -- zones ----------------------------------------------------------------------------------------


def area(**members: object) -> dict[str, object]:
    return {"properties": {"id": "200067213-ZFE-001", "date_debut": "2023-01-01", **members}}


def book(*features: dict[str, object]) -> ZoneBook:
    data = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    return mounted_zones({"aires.geojson": data}, as_of=TODAY)


def codes(insee: str) -> frozenset[tuple[str, str]]:
    commune = by_code(insee)
    assert commune is not None
    return frozenset(commune.codes)


def test_the_class_named_and_every_worse_one_are_kept_out_on_the_days_of_the_order() -> None:
    found = book(area(vp_critair="V4", vp_horaires="24/7", date_fin="2028-12-31", vul_critair="NC"))
    reims = codes("51454")

    def on(category: VehicleCategory, air: AirClass, day: date = TODAY) -> Verdict:
        return found.standing(reims, category, air, at=day).verdict

    assert [on(CAR, air) for air in AirClass] == [Verdict.FREE] * 4 + [Verdict.KEPT_OUT] * 3
    assert on(VAN, AirClass.FIVE) is Verdict.FREE
    assert on(VAN, AirClass.UNCLASSED) is Verdict.KEPT_OUT
    assert on(MOPED, AirClass.UNCLASSED) is Verdict.FREE, "the order says nothing of mopeds"
    assert on(CAR, AirClass.FIVE, date(2022, 12, 31)) is Verdict.FREE
    last = found.standing(reims, CAR, AirClass.FIVE, at=date(2028, 12, 31))
    assert (last.verdict, last.next_day, last.next_verdict) == (
        Verdict.KEPT_OUT, date(2029, 1, 1), Verdict.FREE,
    )  # fmt: skip
    assert last.hours == "24/7"
    none = found.standing(codes("11069"), CAR, AirClass.UNCLASSED, at=TODAY)
    assert (none.verdict, none.zone) == (Verdict.NO_ZONE, None)


SQUARE = [[4.0, 49.2], [4.1, 49.2], [4.1, 49.3], [4.0, 49.3], [4.0, 49.2]]
HOLE = [[4.04, 49.24], [4.06, 49.24], [4.06, 49.26], [4.04, 49.26], [4.04, 49.24]]


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((49.21, 4.02), Verdict.KEPT_OUT),
        ((49.25, 4.05), Verdict.FREE),  # in the hole
        ((49.35, 4.05), Verdict.FREE),
        ((49.25, 3.9), Verdict.FREE),
        ((49.25, 4.2), Verdict.FREE),
        ((49.31, 4.4), Verdict.KEPT_OUT),  # the second part
    ],
)
def test_with_an_outline_the_very_point_is_looked_at(
    point: tuple[float, float], expected: Verdict
) -> None:
    second = [[[x + 0.35, y + 0.05] for x, y in SQUARE]]
    shape = {"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE], second]}
    feature = {**area(vp_critair="V4"), "geometry": shape}
    reims = codes("51454")
    found = book(feature).standing(reims, CAR, AirClass.FIVE, at=TODAY, point=point)
    assert (found.verdict, found.is_exact) == (expected, True)
    somewhere = book(feature).standing(reims, CAR, AirClass.FIVE, at=TODAY)
    assert (somewhere.verdict, somewhere.is_exact) == (Verdict.KEPT_OUT, False)
    # One step without its outline: nothing is exact, and everybody is told so.
    mixed = book(feature, area(vp_critair="V2", date_debut="2030-01-01"))
    found = mixed.standing(reims, CAR, AirClass.FIVE, at=TODAY, point=point)
    assert (found.verdict, found.is_exact) == (Verdict.KEPT_OUT, False)


@pytest.mark.parametrize(
    "geometry",
    [
        [],
        {"type": "Point", "coordinates": [4, 49]},
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": [[4, 49]]},
        {"type": "Polygon", "coordinates": [[["x", 49], [5, 49], [5, 50], ["x", 49]]]},
        {"type": "Polygon", "coordinates": [[[999, 49], [5, 49], [5, 50], [999, 49]]]},
        {"type": "Polygon", "coordinates": [[[float("nan"), 49]] * 4]},
    ],
)
def test_a_hostile_outline_is_refused_with_its_place(geometry: object) -> None:
    data = json.dumps({"features": [{**area(vp_critair="V4"), "geometry": geometry}]}).encode()
    with pytest.raises(ZoneFileError) as refused:
        read_areas(data, name="aires.geojson")
    assert refused.value.where == "aires.geojson · features[0]"


def test_a_rule_for_companies_or_switched_off_keeps_nobody_out() -> None:
    reims = codes("51454")
    company = book(area(vp_critair="V2", proprietaire_vehicule="PERSONNE MORALE"))
    assert company.standing(reims, CAR, AirClass.FIVE, at=TODAY).verdict is Verdict.FREE
    off = book(area(vp_critair="V2", vp_horaires="off"))
    assert off.standing(reims, CAR, AirClass.FIVE, at=TODAY).verdict is Verdict.FREE


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"features": {}}',
        b'{"features": [1]}',
        b'{"features": [{"properties": {"id": "x", "date_debut": "2023-01-01"}}]}',
        b'{"features": [{"properties": {"id": "200067213-ZFE-1"}}]}',
        b'{"features": [{"properties": {"id": "200067213-Z", "date_debut": "hier"}}]}',
        json.dumps({"features": [area(vp_critair="V9")]}).encode(),
        b"[" * 100_000,
    ],
)
def test_a_file_that_is_not_of_the_schema_is_refused_with_its_place(data: bytes) -> None:
    with pytest.raises(ZoneFileError) as refused:
        read_areas(data, name="aires.geojson")
    assert refused.value.where.startswith("aires.geojson")


def test_what_ships_has_its_source_its_day_and_the_state_of_the_law() -> None:
    shipped = shipped_zones()
    assert len(shipped.zones) >= 12
    assert all(zone.steps for zone in shipped.zones)
    assert shipped.as_of == date(2023, 12, 31)
    assert shipped.is_stale(TODAY) and not shipped.is_stale(date(2024, 6, 1))
    assert "reporté sans date" in shipped.state(TODAY).words["fr"]
    assert shipped.state(date(2022, 1, 1)).as_of == date(2021, 8, 24)
    toulouse = shipped.standing(codes("31555"), CAR, AirClass.THREE, at=date(2023, 6, 1))
    assert (toulouse.verdict, toulouse.next_day) == (Verdict.FREE, date(2024, 1, 1))
    paris = shipped.standing(codes("75056"), CAR, AirClass.FOUR, at=date(2023, 6, 1))
    assert (paris.verdict, paris.hours) == (Verdict.KEPT_OUT, "Mo-Fr 08:00-20:00; PH off")


@pytest.mark.shared_data
def test_the_national_base_is_read_whole_and_says_what_ships(shared: Path) -> None:
    file = shared / "data" / "aids" / "zfe_aires_bnzfe_2023-12_simplifie.geojson"
    zones = read_areas(file.read_bytes(), name=file.name)
    shipped = {zone.territory: zone for zone in shipped_zones().zones}
    assert {zone.territory for zone in zones} == set(shipped)
    assert all(step.outline for zone in zones for step in zone.steps)
    toulouse = ZoneBook(zones, "", TODAY, shipped_zones().states)
    found = [
        toulouse.standing(codes("31555"), CAR, AirClass.FIVE, at=TODAY, point=point).verdict
        for point in ((43.6045, 1.4440), (43.4800, 1.4440))  # the Capitole; Castanet's fields
    ]
    assert found == [Verdict.KEPT_OUT, Verdict.FREE]
    for zone in zones:
        kept = {(s.since, s.until, *sorted(s.kept.items())) for s in zone.steps}
        assert kept == {
            (s.since, s.until, *sorted(s.kept.items())) for s in shipped[zone.territory].steps
        }


# -- one form -------------------------------------------------------------------------------------

METRO = Funder("metro", Did("did:web:hub:metro"), "Métropole", "24310702600441", "epci", "Air", "")
REGION = Funder(
    "region", Did("did:web:hub:region"), "Région", "24310709100007", "region", "Air", ""
)
BRACKET = "foyer . tranche de revenu"


def published(
    template: AidTemplate, choices: Choices, funder: Funder
) -> tuple[Aid, Engine, tuple[str, ...]]:
    slug = f"{template.value}-{funder.slug}"
    made = build_aid(template, choices, funder=funder, slug=slug, version="1", at=TODAY)
    models = [RuleModel.compile(n, v, r) for n, (v, r) in made.models.items()]
    catalogue = Catalogue.build([made.aid], models, issuer=funder.did, version=1, at=NOW)
    return made.aid, catalogue.engine(made.aid), tuple(made.aid.extra["documents"])


CITY = published(
    AidTemplate.CONVERSION,
    Choices(share=30, ceiling=3_000_00, modest_ceiling=5_000_00, modest_income=15_400_00,
            documents=("Certificat d'immatriculation", "Avis d'imposition")),
    METRO,
)  # fmt: skip
COUNTY = published(
    AidTemplate.CONVERSION,
    Choices(share=10, ceiling=1_000_00, documents=("certificat d’immatriculation", "Facture")),
    REGION,
)
RIGHT = published(
    AidTemplate.DEROGATION, Choices(zone="243100518", zone_name="Toulouse", months=12), METRO
)


def test_what_two_aids_ask_in_the_same_words_is_asked_once() -> None:
    form = compose((CITY, COUNTY, RIGHT))
    asked = {entry.question.variable: entry.aids for entry in form.questions}
    both = (CITY[0].slug, COUNTY[0].slug)
    assert asked[PLATE] == asked[CLASS] == (*both, RIGHT[0].slug)
    assert asked[BRACKET] == (CITY[0].slug,)
    papers = {entry.label: entry.aids for entry in form.documents}
    assert papers["Certificat d'immatriculation"] == (*both, RIGHT[0].slug), "however it is spelt"
    assert papers["Avis d'imposition"] == (CITY[0].slug,)


def test_questions_that_differ_in_their_answers_stay_two() -> None:
    other = published(
        AidTemplate.CONVERSION,
        Choices(share=10, ceiling=1_000_00, modest_ceiling=2_000_00, modest_income=20_000_00),
        REGION,
    )
    form = compose((CITY, other))
    brackets = [e for e in form.questions if e.question.variable == BRACKET]
    assert [entry.aids for entry in brackets] == [(CITY[0].slug,), (other[0].slug,)]


def filled(form: OneForm) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    return (
        tuple(f"answer {n}" for n in range(len(form.questions))),
        tuple(f"file {n}" for n in range(len(form.documents))),
    )


def test_each_funder_gets_exactly_what_its_aid_asks_and_in_its_own_words() -> None:
    form = compose((CITY, COUNTY, RIGHT))
    parts = {part.asker.aid.slug: part for part in cut(form, *filled(form))}
    for aid, _, documents in (CITY, COUNTY, RIGHT):
        part = parts[aid.slug]
        assert set(part.answers) == set(part.asker.asked.variables)
        assert tuple(label for label, _ in part.documents) == documents
    assert BRACKET not in parts[COUNTY[0].slug].answers
    shared = {parts[slug].answers[PLATE] for slug in parts}
    assert len(shared) == 1
    first = parts[COUNTY[0].slug].documents[0]
    assert first == ("certificat d’immatriculation", parts[CITY[0].slug].documents[0][1])


def test_a_form_of_nothing_of_twins_or_half_filled_is_refused() -> None:
    for aids in ((), (CITY, CITY), (CITY,) * 7):
        with pytest.raises(DeclarationRefusedError):
            compose(aids)
    quiet = replace(CITY[0], extra={})
    with pytest.raises(DeclarationRefusedError) as refused:
        compose([(quiet, CITY[1], ())])
    assert refused.value.where == quiet.slug
    form = compose((CITY, COUNTY))
    answers, documents = filled(form)
    with pytest.raises(DeclarationRefusedError):
        cut(form, answers[1:], documents)
    with pytest.raises(DeclarationRefusedError):
        cut(form, answers, documents[1:])


# -- access ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "months", "last"),
    [
        ("2026-11-22", 12, "2027-11-21"),
        ("2026-01-31", 1, "2026-02-27"),
        ("2027-12-31", 2, "2028-02-28"),
        ("2026-12-01", 1, "2026-12-31"),
    ],
)
def test_an_access_ends_the_day_before_its_term(first: str, months: int, last: str) -> None:
    access = access_of(RIGHT[0])
    assert access is not None
    found = replace(access, months=months).last_day(date.fromisoformat(first))
    assert found.isoformat() == last


def test_the_credential_says_what_was_declared_and_ends_with_its_last_day_in_paris() -> None:
    aid, engine, _ = RIGHT
    access = access_of(aid)
    assert access is not None
    said = {
        "Immatriculation": "ab-123-cd",
        "Classe Crit'Air": "classe 5",
        "Motif de la dérogation": "petit rouleur",
    }
    body = access_body(
        access, engine, said, application=Iri("urn:uuid:1"),
        holder=Did("did:key:z6Mk"), at=datetime(2026, 11, 22, 23, 30, tzinfo=UTC),
    )  # fmt: skip
    subject = body["credentialSubject"]
    assert (subject["firstDay"], subject["lastDay"]) == ("2026-11-23", "2027-11-22")
    assert (subject["identification"], subject["critAir"]) == ("AB-123-CD", "5")
    assert body["validUntil"] == "2027-11-22T22:59:59Z"
    assert end_of(date(2027, 7, 1)) == datetime(2027, 7, 1, 21, 59, 59, tzinfo=UTC)
    assert class_code("non classé") == "none" and class_code("bleu") is None


def test_a_derogation_has_a_zone_and_a_term_within_the_law_and_is_no_employers_business() -> None:
    good = Choices(zone="any", zone_name="Partout", months=36)
    for where, wrong in (
        ("months", replace(good, months=37)),
        ("months", replace(good, months=None)),
        ("zone", replace(good, zone="ici")),
        ("zone_name", replace(good, zone_name="")),
        ("ceiling", replace(good, ceiling=100_00)),
    ):
        with pytest.raises(EntryRefusedError) as refused:
            published(AidTemplate.DEROGATION, wrong, METRO)
        assert refused.value.where == where
    employer = replace(METRO, level="employer")
    with pytest.raises(EntryRefusedError):
        published(AidTemplate.DEROGATION, good, employer)
    with pytest.raises(EntryRefusedError) as refused:
        published(
            AidTemplate.CONVERSION,
            Choices(share=10, ceiling=1_000_00, modest_ceiling=2_000_00),
            METRO,
        )
    assert refused.value.where == "modest_income"


def test_an_access_without_a_term_stops_the_publication() -> None:
    aid, engine, _ = RIGHT
    broken = replace(aid, extra={**aid.extra, "access": {**aid.extra["access"], "months": 99}})
    with pytest.raises(RuleImportError, match="1 to 36"):
        check_access(broken, engine)
    spoken = {**aid.extra["access"], "plate": "inconnu . nom"}
    with pytest.raises(RuleImportError, match="no answer"):
        check_access(replace(aid, extra={**aid.extra, "access": spoken}), engine)
