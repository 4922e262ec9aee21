"""Claims of the mobility account standard: its own schemas, and ours, accept what a vault says."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import schemas
from schemas.ids import mint_iri
from schemas.records import Attribute, Degree, Subscription
from tests.delivery import address
from tests.unit.vault.builders import START, Citizen
from tests.unit.vault.passport_login import Door
from vault.home import Home
from vault.passport.cms import CMS
from vault.preferences import set_preference

OURS = json.loads(
    (Path(schemas.__file__).parent / "cms" / "mobility-account.schema.json").read_text("utf-8")
)
SCOPE = "openid " + " ".join(scope.name for scope in CMS)
THEIRS = {
    "identity": "identity",
    "personalInformation": "personal-information",
    "drivingLicence": "driving-licence",
    "favorites": "favorites",
    "frMesriInformation": "fr-mesri-information",
}
"""Claim → file of the standard; the tax notice's schema contradicts itself (`schemas/cms`)."""
DOCUMENTS = Path(schemas.__file__).parent / "credentials"


def give(citizen: Citizen, values: Mapping[str, Any], degree: Degree = Degree.RELAYED) -> None:
    citizen.vault.put(
        *(
            Attribute(
                id=mint_iri(),
                name=name,
                value=value,
                source="identite.exemple.fr",
                certified_at=START,
                degree=degree,
                level="eidas2" if name.startswith("identity.") else None,
            )
            for name, value in values.items()
        )
    )


def keep_document(citizen: Citizen, type_: str) -> None:
    """The example of a type, as an issuer would have signed it; its signature is its reader's
    affair."""
    document = json.loads((DOCUMENTS / f"{type_}.example.json").read_text("utf-8"))
    citizen.vault.accept_credential(
        {
            "issuer": "did:web:identite.exemple.fr",
            "validFrom": "2026-11-02T09:30:00Z",
            **document,
            "proof": {
                "id": mint_iri(),
                "type": "DataIntegrityProof",
                "cryptosuite": "ecdsa-rdfc-2019",
                "created": "2026-11-02T09:30:00Z",
                "verificationMethod": "did:web:identite.exemple.fr#1",
                "proofPurpose": "assertionMethod",
                "proofValue": "z" + "2" * 86,
            },
        }
    )


@pytest.fixture
def claims(home: Home, citizen: Citizen) -> dict[str, Any]:
    give(
        citizen,
        {
            "identity.given_name": "Camille Zoé Inès",
            "identity.family_name": "Fabre",
            "identity.birthdate": "1991-04-17",
            "identity.gender": "female",
            "identity.birthplace": "11069",
            "identity.birthcountry": "99100",
        },
    )
    give(citizen, {"contact.email": "camille@exemple.fr"}, Degree.CLAIMED)
    give(
        citizen,
        {"tax.reference_income": 14_200, "tax.income_year": 2025, "tax.parts": 1.5},
        Degree.SIGNED,
    )
    for type_ in ("AddressCredential", "DrivingLicenceCredential", "StudentCredential"):
        keep_document(citizen, type_)
    citizen.vault.put(
        address(
            {
                "form": "free",
                "addressee": "Camille Fabre",
                "lines": ["14 boulevard du Commandant-Roumens, bâtiment C, deuxième étage"],
                "postalCode": "11000",
                "locality": "Carcassonne",
                "country": "FR",
                "drop": "hand",
                "choice": "any",
                "preferred": True,
            },
            title="Bureau",
        )
    )
    set_preference(citizen.vault, "travel.liked-mode", "ebike")
    found = Door(home, scope=SCOPE).login(citizen, SCOPE)[1]
    return {name: value for name, value in found.items() if name in OURS["properties"]}


def test_our_schema_accepts_what_a_vault_says(claims: dict[str, Any]) -> None:
    checker = jsonschema.Draft202012Validator(
        OURS, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    checker.check_schema(OURS)
    assert [error.message for error in checker.iter_errors(claims)] == []
    assert {name for name in claims if not name.endswith("Degree")} == {
        *THEIRS,
        "frDgfipInformation",
    }


def test_our_schema_refuses_a_field_without_its_source(claims: dict[str, Any]) -> None:
    del claims["identity"]["lastName"]["source"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(claims, OURS)


@pytest.mark.shared_data
@pytest.mark.parametrize("claim", sorted(THEIRS))
def test_the_standards_own_schema_accepts_it(
    claims: dict[str, Any], shared: Path, claim: str
) -> None:
    file = shared / "data" / "mob" / "cms_schemas" / f"{THEIRS[claim]}.schema.json"
    theirs = json.loads(file.read_text("utf-8"))
    del theirs["$id"]  # relative, and they all point inside themselves
    if claim == "favorites":  # an address, by its own definition no text, is said to be one too
        del theirs["$defs"]["named_address_field"]["properties"]["value"]["type"]
    jsonschema.validate(claims[claim], theirs)
    assert claims[claim]


def test_each_field_says_who_and_when_and_beside_it_how_strongly(claims: dict[str, Any]) -> None:
    assert claims["identity"]["firstName"] == {
        "value": "Camille",
        "source": "identite.exemple.fr",
        "certificationDate": "2026-11-02T07:30:00Z",
    }
    assert claims["identity"]["middleNames"]["value"] == "Zoé Inès"
    assert claims["identity"]["gender"]["value"] == 2
    assert claims["identity"]["birthPlace"]["inseeValue"] == "11069"
    assert claims["identity"]["birthCountry"]["isoValue"] == "FRA"
    assert claims["identityDegree"]["firstName"] == {"degree": "relayed", "level": "eidas2"}
    assert "certificationDate" not in claims["personalInformation"]["email"]
    assert claims["personalInformationDegree"]["email"] == {"degree": "claimed"}
    address = claims["personalInformation"]["primaryPostalAddress"]["value"]
    assert address["line4"] == "3 rue des Lilas"
    assert address["line6"] == "11000 CARCASSONNE"
    assert claims["drivingLicence"]["dateOfValidity"]["value"] == "2033-01-19"
    assert claims["frMesriInformation"]["scholarship"]["value"] is True
    (notice,) = claims["frDgfipInformation"]["taxNotices"]
    assert notice["referenceTaxIncome"]["value"] == 14_200
    assert notice["declarationYear"]["value"] == 2026
    assert claims["frDgfipInformationDegree"]["numberOfShares"] == {"degree": "signed"}
    favourite = claims["favorites"]["addresses"][0]["value"]["value"]
    assert all(len(line) <= 38 for line in favourite.values())
    assert claims["favorites"]["transportationModes"] == ["bicycle"]


def test_of_two_sources_the_stronger_is_told(home: Home, citizen: Citizen) -> None:
    give(citizen, {"identity.family_name": "Fabre"}, Degree.RELAYED)
    give(citizen, {"identity.family_name": "Fabre (tapé)"}, Degree.CLAIMED)
    scope = "openid urn:cms:identity:read"
    found = Door(home, scope=scope).login(citizen, scope)[1]
    assert found["identity"]["lastName"]["value"] == "Fabre"


def test_a_vault_without_anything_says_nothing(home: Home, citizen: Citizen) -> None:
    found = Door(home, scope=SCOPE).login(citizen, SCOPE)[1]
    assert not set(found) & set(OURS["properties"])


def test_a_service_reads_who_travels_and_who_pays(home: Home, citizen: Citizen) -> None:
    give(citizen, {"identity.family_name": "Fabre", "identity.given_name": "Zoé Inès"})

    def pass_of(holder: str | None, payer: str | None, until: str = "2026-12-31") -> Subscription:
        return Subscription(
            id=mint_iri(),
            network="Bus de la Clamoux",
            product="Mensuel",
            holder=holder,
            payer=payer,
            valid_from=date(2026, 11, 1),
            valid_until=date.fromisoformat(until),
        )

    citizen.vault.put(
        pass_of("FABRE Zoe", None),
        pass_of("Noé Fabre", "Zoé Fabre"),
        pass_of(None, "Mairie de Trèbes"),
        pass_of("Noé Fabre", "Zoé Fabre", until="2026-11-20"),
    )
    scope = "openid voyageurs"
    found = Door(home, scope=scope).login(citizen, scope)[1]["travellers"]
    assert sorted((p["role"], p.get("holder")) for p in found if p.get("holder")) == [
        ("both", "FABRE Zoe"),
        ("payer", "Noé Fabre"),
    ]
    assert [p["role"] for p in found if "holder" not in p] == ["holder"]
    assert {p["evidence"] for p in found} == {"declared"}
