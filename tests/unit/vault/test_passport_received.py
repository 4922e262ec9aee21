"""What another account says, read field by field: strict, each by itself, believed no further than
whoever says it."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import Attribute, Degree, Preference
from tests.unit.vault.builders import START, Citizen
from vault.passport.keeping import keep, weigh
from vault.passport.received import OtherAccount, Reading, read_account
from vault.passport.travellers import TRAVELLERS
from vault.preferences import preference, set_preference
from vault.stored import write_record

SOURCE = "identite.exemple.fr"
DAY = "2026-10-01T08:00:00Z"
VOUCHED = OtherAccount("compte:1", "https://autre.example", "abc", vouches=True)
PLAIN = OtherAccount("compte:1", "https://autre.example", "abc", vouches=False)


def field(value: Any, **more: Any) -> dict[str, Any]:
    return {"value": value, "source": SOURCE, "certificationDate": DAY, **more}


def claims(degree: str = "relayed", **identity: Any) -> dict[str, Any]:
    return {
        "identity": identity,
        "identityDegree": {name: {"degree": degree, "level": "eidas2"} for name in identity},
    }


def read(body: dict[str, Any], account: OtherAccount = VOUCHED) -> Reading:
    return read_account(body, account, at=START)


def values(found: Reading) -> dict[str, Any]:
    return {
        item.record.name: item.value
        for item in found.received
        if isinstance(item.record, Attribute)
    }


def test_the_standard_comes_back_as_it_went() -> None:
    found = read(
        claims(
            lastName=field("Fabre"),
            firstName=field("Camille"),
            middleNames=field("Lou Anne"),
            gender=field(2),
            birthDate=field("1991-04-17"),
            birthPlace={"inseeValue": "11069", "source": SOURCE, "certificationDate": DAY},
            birthCountry={"isoValue": "FRA", "source": SOURCE, "certificationDate": DAY},
        )
    )
    assert found.left_out == ()
    assert values(found) == {
        "identity.family_name": "Fabre",
        "identity.given_name": "Camille Lou Anne",
        "identity.gender": "female",
        "identity.birthdate": "1991-04-17",
        "identity.birthplace": "11069",
        "identity.birthcountry": "99100",
    }
    assert {(i.degree, i.source, i.level) for i in found.received} == {
        (Degree.RELAYED, SOURCE, "eidas2")
    }


@pytest.mark.parametrize(
    ("body", "account"),
    [
        (claims(lastName=field("Fabre")), PLAIN),
        (claims("claimed", lastName=field("Fabre")), VOUCHED),
        ({"identity": {"lastName": field("Fabre")}}, VOUCHED),
        (claims(lastName={"value": "Fabre", "source": SOURCE}), VOUCHED),
        (claims(lastName=field("Fabre", certificationDate="2031-01-01T00:00:00Z")), VOUCHED),
    ],
    ids=["plain-service", "said-claimed", "no-degree", "no-date", "date-to-come"],
)
def test_what_nobody_we_know_certified_is_a_statement(
    body: dict[str, Any], account: OtherAccount
) -> None:
    [item] = read(body, account).received
    assert (item.degree, item.source, item.certified_at) == (
        Degree.CLAIMED,
        "autre.example",
        None,
    )


def test_a_source_that_signed_it_there_is_relayed_here() -> None:
    [item] = read(claims("signed", lastName=field("Fabre"))).received
    assert item.degree is Degree.RELAYED  # the signature stayed over there


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lastName", field("")),
        ("lastName", field("x" * 201)),
        ("lastName", field("a\nb")),
        ("lastName", field({"nested": 1})),
        ("lastName", field("Fabre", certificationDate="hier")),
        ("lastName", field("Fabre", source=3)),
        ("lastName", "Fabre"),
        ("birthDate", field("17/04/1991")),
        ("birthDate", field("1991-02-30")),
        ("gender", field(True)),
        ("gender", field("F")),
    ],
)
def test_a_wrong_field_is_left_out_by_name_and_the_others_stay(name: str, value: Any) -> None:
    found = read(claims(**{name: value, "firstName": field("Camille")}))
    assert found.left_out == (name,)
    assert values(found) == {"identity.given_name": "Camille"}


def test_of_several_tax_notices_the_newest_counts() -> None:
    notices = [
        {"declarationYear": field(year), "referenceTaxIncome": field(income)}
        for year, income in ((2024, 11_000), (2026, 14_200), (2025, 12_000))
    ]
    found = read({"frDgfipInformation": {"taxNotices": notices}})
    assert values(found) == {"tax.income_year": 2025, "tax.reference_income": 14_200}


def test_habits_become_choices() -> None:
    listed = ["bicycle", "coach", "funicular", {"mode": "car"}]
    found = read({"favorites": {"transportationModes": listed}})
    [chosen] = (item.record for item in found.received)
    assert isinstance(chosen, Preference)
    assert chosen.value == "bicycle bus"


def test_what_is_kept_is_written_once_and_over_what_was(citizen: Citizen) -> None:
    vault = citizen.vault
    set_preference(vault, "travel.liked-mode", "walk")
    first = read({**claims(lastName=field("Fabre")), "favorites": {"transportationModes": ["bus"]}})
    assert [w.standing for w in weigh(vault, first.received)] == ["new", "changed"]
    assert keep(vault, VOUCHED, first.received) == 2
    assert preference(vault, "travel.liked-mode") == "bus"
    assert keep(vault, VOUCHED, first.received) == 0
    changed = read(claims(lastName=field("Fabre-Roux")))
    assert [w.standing for w in weigh(vault, changed.received)] == ["changed"]
    assert keep(vault, VOUCHED, changed.received) == 1
    [name] = vault.attributes("identity.family_name")
    assert (name.value, name.revision) == ("Fabre-Roux", 2)
    assert vault.query('ASK { ?s ?p "Fabre-Roux" }').truth


def test_a_dependant_s_pass_goes_on_to_the_next_service(citizen: Citizen) -> None:
    travellers = [
        {
            "network": "Réseau",
            "product": "Scolaire",
            "validFrom": "2026-09-01",
            "validUntil": "2027-08-31",
            "holder": "Lou Fabre",
            "payer": "Camille Fabre",
        },
        {"network": "Réseau", "product": "À l'envers", "validFrom": "2027-01-01",
         "validUntil": "2026-01-01"},
    ]  # fmt: skip
    found = read({"travellers": travellers})
    assert found.left_out == ("travellers",)
    keep(citizen.vault, VOUCHED, found.received)
    [said] = TRAVELLERS.claims_of(citizen.vault, START)["travellers"]
    assert (said["holder"], said["payer"], said["evidence"]) == (
        "Lou Fabre",
        "Camille Fabre",
        "declared",
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
_NAMES = st.sampled_from(
    ["identity", "identityDegree", "personalInformation", "drivingLicence", "favorites",
     "frDgfipInformation", "frMesriInformation", "travellers"]
)  # fmt: skip
_FIELDS = st.sampled_from(
    ["lastName", "firstName", "gender", "birthPlace", "primaryPostalAddress", "email", "number",
     "taxNotices", "addresses", "transportationModes", "student"]
)  # fmt: skip
_SAID = st.fixed_dictionaries(
    {},
    optional={
        "value": _JSON | st.dictionaries(st.sampled_from(["line1", "line4", "line6"]), _JSON),
        "source": _JSON,
        "certificationDate": _JSON,
        "name": _JSON,
    },
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(_NAMES, st.dictionaries(_FIELDS, _SAID | st.lists(_SAID) | _JSON) | _JSON))
def test_hostile_claims_are_left_out_and_never_break(body: dict[str, Any]) -> None:
    for item in read(body).received:
        write_record(item.record)


def test_a_later_moment_of_reading_changes_no_statement(citizen: Citizen) -> None:
    body = claims(lastName=field("Fabre"))
    keep(citizen.vault, PLAIN, read_account(body, PLAIN, at=START).received)
    later = read_account(body, PLAIN, at=START + timedelta(days=3))
    assert [w.standing for w in weigh(citizen.vault, later.received)] == ["same"]
