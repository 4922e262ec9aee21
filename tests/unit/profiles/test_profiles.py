"""Service profiles: strict data, exact queries; announcements and tariffs by their signature."""

import copy
import json
from datetime import UTC, date, datetime
from typing import Any

import jsonschema
import pytest

from federation.aids.model import FactBinding
from federation.jose import sign_jws, verify_jws
from federation.keys import Ed25519Key, PublicKey, decode_multikey
from federation.openid4vp import DcqlQuery, match
from federation.profiles import (
    PROFILES,
    ProfileError,
    ProfileRefusedError,
    Service,
    ServiceRefusedError,
    TariffError,
    TariffRule,
    asked_by,
    profile_of,
    read_service,
    read_tariff,
    sign_profiles,
    sign_service,
    sign_tariff,
)
from federation.profiles.model import DATA, profile_from_json
from federation.profiles.service import SERVICE_TYP
from schemas.ids import Did

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DID = Did("did:web:localhost%3A8402:autopartage")
OTHER = Did("did:web:localhost%3A8402:autre")
SIGNER = Ed25519Key.from_seed(b"p" * 32).signer(f"{DID}#1")
STRANGER = Ed25519Key.from_seed(b"q" * 32).signer(f"{OTHER}#1")
KEYS = {s.verification_method: decode_multikey(s.public_multikey()) for s in (SIGNER, STRANGER)}
SCHEMA = json.loads((DATA.parent / "profile.schema.json").read_text("utf-8"))


def key_of(method: str) -> PublicKey:
    return KEYS[method]


def raw(name: str) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(dict(PROFILES[name].document))
    return found


# --- profiles ---------------------------------------------------------------------------


def test_there_is_a_profile_for_each_kind_of_service() -> None:
    assert list(PROFILES) == [
        "acces-zone",
        "autopartage",
        "itineraire",
        "livraison",
        "livraison-adresse",
        "tarif-reduit",
        "titre",
    ]
    assert {p.scope for p in PROFILES.values()} == set(PROFILES)


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_follows_the_published_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(raw(name), SCHEMA)


@pytest.mark.parametrize("name", PROFILES)
def test_every_example_answers_its_own_query(name: str) -> None:
    profile = PROFILES[name]
    example = profile.document["example"]
    query = profile.query(example["parameters"])
    for item in query.credentials:
        if item.format != "ldp_vc":
            assert {c.path[0] for c in item.claims} <= set(example["answer"][item.id])
            continue
        held = {"type": ["VerifiableCredential", item.type]}
        held |= {"credentialSubject": example["answer"][item.id]}
        alone = DcqlQuery((item,))
        assert match(alone, [held]).is_complete, item.id
        assert match(DcqlQuery.from_json(alone.to_json()), [held]).is_complete


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"id": "Autopartage"}, "id"),
        ({"version": 0}, "version"),
        ({"version": True}, "version"),
        ({"scope": "openid profile"}, "scope"),
        ({"title": {"fr": "Seulement"}}, "title"),
        ({"purpose": {"fr": "", "en": ""}}, "purpose"),
        ({"parameters": []}, "parameters"),
        ({"why": {}}, "why"),
        ({"more": 1}, "{'more'}"),
        ({"query": {"credentials": []}}, "parameters"),
    ],
)
def test_a_profile_with_a_fault_is_not_read(change: dict[str, Any], where: str) -> None:
    with pytest.raises(ProfileError) as refused:
        profile_from_json({**raw("autopartage"), **change})
    assert refused.value.where == where


@pytest.mark.parametrize("value", [13, 100, "21", True, None, 21.0])
def test_an_age_out_of_bounds_is_asked_by_nobody(value: object) -> None:
    with pytest.raises(ProfileError):
        PROFILES["autopartage"].query({"age": value})


@pytest.mark.parametrize("parameters", [{}, {"age": 21, "zone": "x"}, {"zone": "200035715"}])
def test_a_service_fills_in_just_what_its_profile_leaves_open(parameters: dict[str, Any]) -> None:
    with pytest.raises(ProfileError):
        PROFILES["autopartage"].query(parameters)


def claims(parameters: dict[str, Any], *, version: int = 1) -> dict[str, Any]:
    return {"profile": {"id": "autopartage", "version": version, "parameters": parameters}}


def test_a_request_asks_what_its_profile_asks_or_is_refused() -> None:
    query = PROFILES["autopartage"].query({"age": 21})
    asked = asked_by(claims({"age": 21}), query)
    assert asked is not None and asked.profile.id == "autopartage"
    assert asked_by({}, query) is None
    with pytest.raises(ProfileRefusedError):
        asked_by(claims({"age": 18}), query)
    wider = query.to_json()
    wider["credentials"][0]["claims"].append({"path": ["birthDate"]})
    with pytest.raises(ProfileRefusedError):
        asked_by(claims({"age": 21}), DcqlQuery.from_json(wider))
    for unknown in (claims({"age": 21}, version=2), {"profile": "autopartage"}, claims({})):
        with pytest.raises(ProfileError):
            asked_by(unknown, query)
    with pytest.raises(ProfileError):
        profile_of("voyance", 1)


# --- announcements ----------------------------------------------------------------------


def service(**changes: Any) -> Service:
    given: dict[str, Any] = {
        "did": DID,
        "profile": PROFILES["autopartage"],
        "parameters": {"age": 21},
        "version": 1,
        "name": "Autopartage fictif",
        "start": "http://localhost:8402/autopartage/commencer",
    }
    return Service(**{**given, **changes})


def read(token: str) -> Service:
    return read_service(token, key_of, loopback_http=True)


def test_an_announcement_is_read_as_it_was_signed() -> None:
    assert read(sign_service(service(), SIGNER, at=NOW)) == service()
    ended = read(sign_service(service(ended=True, version=2), SIGNER, at=NOW))
    assert ended.ended and ended.version == 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"start": "http://localhost:9999/commencer"}, "service-address"),
        ({"start": "https://ailleurs.example/commencer"}, "service-address"),
        ({"start": "javascript:alert(1)"}, "service-address"),
        ({"start": ""}, "service-address"),
        ({"did": OTHER}, "service-issuer"),
        ({"name": ""}, "service-malformed"),
        ({"version": 0}, "service-malformed"),
    ],
)
def test_an_announcement_that_sends_people_elsewhere_is_refused(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ServiceRefusedError) as refused:
        read(sign_service(service(**changes), SIGNER, at=NOW))
    assert refused.value.reason == reason


def test_an_announcement_that_was_changed_or_signed_as_something_else_is_refused() -> None:
    token = sign_service(service(), SIGNER, at=NOW)
    head, body, signature = token.split(".")
    with pytest.raises(ServiceRefusedError):
        read(f"{head}.{body[:-2]}AA.{signature}")
    with pytest.raises(ServiceRefusedError):
        read(sign_jws(service().to_claims() | {"iat": 1}, SIGNER, typ="jwt"))
    with pytest.raises(ServiceRefusedError, match="service-malformed"):
        read(sign_jws(service().to_claims() | {"iat": 1, "x": 1}, SIGNER, typ=SERVICE_TYP))
    with pytest.raises(ServiceRefusedError):
        read("not a token")


def test_the_published_profiles_are_those_of_this_version() -> None:
    token = sign_profiles(DID, SIGNER, at=NOW)
    found = verify_jws(
        token, lambda header: key_of(str(header["kid"])), typ="service-profiles+jwt"
    ).claims
    assert [profile_from_json(p).id for p in found["profiles"]] == list(PROFILES)


# --- tariffs ----------------------------------------------------------------------------


def tariff(**changes: Any) -> TariffRule:
    given: dict[str, Any] = {
        "did": DID,
        "id": "http://localhost:8402/reseau/tarifs/solidaire",
        "version": "1",
        "title": {"fr": "Solidaire", "en": "Solidarity"},
        "rules": {
            "revenu": {},
            "parts": {},
            "quotient": {"valeur": "revenu / parts"},
            "statut": {
                "variations": [
                    {"si": "quotient <= 9000", "alors": "'solidaire'"},
                    {"sinon": "'plein'"},
                ]
            },
        },
        "result": "statut",
        "statuses": {
            "solidaire": {"fr": "Solidaire", "en": "Solidarity"},
            "plein": {"fr": "Plein tarif", "en": "Full fare"},
        },
        "facts": (
            FactBinding("revenu", "Attribute.tax.reference_income"),
            FactBinding("parts", "Attribute.tax.parts"),
        ),
        "valid_until": date(2027, 8, 31),
    }
    return TariffRule(**{**given, **changes})


def test_a_published_tariff_is_read_and_gives_its_status() -> None:
    found = read_tariff(sign_tariff(tariff(), SIGNER, at=NOW), key_of)
    assert found == tariff()
    assert found.evaluate({"revenu": 18_000.0, "parts": 2.0}).status == "solidaire"
    assert found.evaluate({"revenu": 18_001.0, "parts": 2.0}).status == "plein"
    open_ = found.evaluate({"revenu": 18_000.0})
    assert open_.status is None and open_.missing == ("parts",)


def test_a_tariff_that_cannot_be_computed_says_no_figure() -> None:
    found = tariff()
    with pytest.raises(TariffError) as refused:
        found.evaluate({"revenu": 18_000.0, "parts": 0.0})
    assert "18" not in str(refused.value)
    with pytest.raises(TariffError):
        tariff(statuses={"plein": {"fr": "Plein", "en": "Full"}}).evaluate(
            {"revenu": 1.0, "parts": 1.0}
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"did": OTHER},
        {"rules": {}},
        {"rules": {"statut": {"inconnu": 1}}},
        {"rules": {"statut": "statut"}},
        {"rules": {f"r{n}": 1 for n in range(201)}, "result": "r1"},
        {"result": "autre"},
        {"statuses": {}},
        {"statuses": {"Deux mots": {"fr": "a", "en": "b"}}},
        {"title": {"fr": "Seulement"}},
        {"version": ""},
    ],
)
def test_a_tariff_with_a_fault_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(TariffError):
        read_tariff(sign_tariff(tariff(**changes), SIGNER, at=NOW), key_of)


@pytest.mark.parametrize("token", [None, 7, "", "a.b.c", sign_service(service(), SIGNER, at=NOW)])
def test_what_is_no_tariff_is_refused(token: object) -> None:
    with pytest.raises(TariffError):
        read_tariff(token, key_of)
