"""The service profiles as scopes of the passport: the facts that OpenID4VP gets, no more."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from federation.keys import Ed25519Key
from federation.profiles import sign_tariff
from schemas.records import Consent, Degree, Kind
from tests.unit.profiles.test_profiles import tariff
from tests.unit.vault.builders import Citizen
from tests.unit.vault.passport_login import MONTH, Door
from tests.unit.vault.test_computed import (
    IDENTITY,
    NETWORK,
    NETWORK_KEY,
    attribute,
    citizen,
    identity,
)
from vault.home import Home
from vault.passport.agreeing import Part, prepare
from vault.passport.errors import PassportRequestError, ServiceInvalidError
from vault.passport.profiles import DETAIL, PROFILE_SCOPES
from vault.preferences import set_preference

__all__ = ["citizen"]

RULE = "http://localhost:8402/reseau/tarifs/solidaire"


def detail(profile: str, version: int = 1, **parameters: Any) -> dict[str, Any]:
    return {"type": DETAIL, "profile": profile, "version": version, "parameters": parameters}


def details(*entries: Any) -> str:
    return json.dumps(list(entries))


@pytest.fixture
def signed_tariff(citizen: Citizen) -> str:
    return sign_tariff(tariff(did=NETWORK), NETWORK_KEY, at=citizen.home.clock())


@pytest.fixture
def login(citizen: Citizen) -> Callable[..., dict[str, Any]]:
    """The claims of a service that asks with these scopes and details."""

    def logged_in(scope: str, *entries: Any, **description: Any) -> dict[str, Any]:
        door = Door(citizen.home, scope=scope, **description)
        more = {"authorization_details": details(*entries)} if entries else {}
        asked, begun = door.ask(scope, **more)
        answer = door.agree(citizen, asked)
        reply = door.exchange(door.party.code_of(begun, answer), begun)
        assert reply.status == 200, reply.body
        tokens = dict(reply.body)
        assert tokens.get("authorization_details", []) == list(entries)
        subject = door.passport.subject(citizen.vault.vault_id, door.service)
        return door.claims(tokens["access_token"], subject=subject)

    return logged_in


def part(citizen: Citizen, scope: str, *entries: Any, **description: Any) -> Part:
    """What the page shows of one scope."""
    door = Door(citizen.home, scope=f"openid {scope}", **description)
    asked, _ = door.ask(f"openid {scope}", authorization_details=details(*entries))
    return next(
        p for p in prepare(door.passport, citizen.vault, asked).parts if p.scope.name == scope
    )


# --- what a service gets --------------------------------------------------------------------------


def test_an_age_and_a_name_without_a_birth_date(
    citizen: Citizen,
    login: Callable[..., dict[str, Any]],
) -> None:
    identity(citizen, "1988-04-12")
    found = login("openid autopartage", detail("autopartage", age=21))
    assert found["autopartage"] == {
        "identity": {"givenName": "Camille", "familyName": "FABRE", "identityLevel": "eidas2"},
        "age": {"ageAtLeast": 21, "assuranceMethod": "vault-attested"},
    }
    grounds = found["autopartage_grounds"]
    assert grounds["autopartage.age"]["source"] == IDENTITY
    assert grounds["autopartage.age"]["degree"] == "signed"
    assert "1988" not in json.dumps(found)


def test_a_tariff_is_a_status_and_no_figure(
    citizen: Citizen,
    signed_tariff: str,
    login: Callable[..., dict[str, Any]],
) -> None:
    attribute(citizen, "tax.reference_income", 17_342, degree=Degree.SIGNED)
    attribute(citizen, "tax.parts", 2.5)
    found = login(
        "openid tarif-reduit", detail("tarif-reduit", tariff=RULE), tariff_rules=[signed_tariff]
    )
    said = found["tarif-reduit"]["tariff"]
    assert (said["tariffStatus"], said["periodUntil"]) == ("solidaire", "2027-08-31")
    assert found["tarif-reduit_grounds"]["tarif-reduit.tariff"]["degree"] == "relayed"
    assert "17342" not in json.dumps(found)
    assert "2.5" not in json.dumps(found)


def test_habits_are_asked_without_parameters(
    citizen: Citizen,
    login: Callable[..., dict[str, Any]],
) -> None:
    set_preference(citizen.vault, "travel.liked-mode", "bicycle train")
    found = login("openid itineraire")
    assert found["itineraire"]["travel"]["travelModes"] == [
        {"mode": "bicycle", "modeChoice": "liked"},
        {"mode": "train", "modeChoice": "liked"},
    ]
    assert found["itineraire_grounds"]["itineraire.travel"]["degree"] == "claimed"


def test_the_receipt_names_what_left_and_the_snapshot_serves_the_closed_vault(
    citizen: Citizen,
) -> None:
    identity(citizen, "1988-04-12")
    scope = "openid autopartage offline_access"
    door = Door(citizen.home, scope=scope)
    asked, begun = door.ask(scope, authorization_details=details(detail("autopartage", age=21)))
    answer = door.agree(citizen, asked, keep_for=MONTH)
    tokens = dict(door.exchange(door.party.code_of(begun, answer), begun).body)
    [consent] = citizen.vault.all(Kind.CONSENT)
    assert isinstance(consent, Consent)
    assert "autopartage.age.ageAtLeast" in consent.claims
    subject = door.passport.subject(citizen.vault.vault_id, door.service)
    citizen.vault.lock()
    again = dict(door.refresh(tokens["refresh_token"]).body)
    assert again["authorization_details"] == [detail("autopartage", age=21)]
    assert door.claims(again["access_token"], subject=subject)["autopartage"]["age"]


# --- what it does not get -------------------------------------------------------------------------


def test_what_is_missing_is_said_to_the_citizen_with_its_reason(
    citizen: Citizen,
) -> None:
    found = part(citizen, "autopartage", detail("autopartage", age=21))
    assert found.claims == {}
    assert dict(found.lacking) == {
        "identity": "missing",
        "licence": "missing",
        "address": "missing",
        "age": "age-unknown",
    }


def test_an_age_not_reached_says_nothing_to_the_service(
    citizen: Citizen,
    login: Callable[..., dict[str, Any]],
) -> None:
    attribute(citizen, "identity.birthdate", "2008-04-12")
    assert "autopartage" not in login("openid autopartage", detail("autopartage", age=21))


@pytest.mark.parametrize("which", ["none", "another", "forged", "over"])
def test_a_rule_the_service_has_not_or_that_is_not_its_operator_s_is_not_computed(
    citizen: Citizen,
    which: str,
) -> None:
    at = citizen.home.clock()
    attribute(citizen, "tax.reference_income", 10_000)
    attribute(citizen, "tax.parts", 1)
    forger = Ed25519Key.from_seed(b"f" * 32).signer(f"{NETWORK}#1")
    rules = {
        "none": [],
        "another": [sign_tariff(tariff(did=NETWORK, id=f"{RULE}/autre"), NETWORK_KEY, at=at)],
        "forged": [sign_tariff(tariff(did=NETWORK), forger, at=at)],
        "over": [
            sign_tariff(tariff(did=NETWORK, valid_until=date(2020, 1, 1)), NETWORK_KEY, at=at)
        ],
    }[which]
    found = part(citizen, "tarif-reduit", detail("tarif-reduit", tariff=RULE), tariff_rules=rules)
    assert (found.claims, dict(found.lacking)) == ({}, {"tariff": "tariff-invalid"})


def test_of_several_rules_the_one_that_is_named_counts(
    citizen: Citizen,
    signed_tariff: str,
    login: Callable[..., dict[str, Any]],
) -> None:
    attribute(citizen, "tax.reference_income", 10_000)
    attribute(citizen, "tax.parts", 1)
    other = sign_tariff(
        tariff(did=NETWORK, id=f"{RULE}/autre"), NETWORK_KEY, at=citizen.home.clock()
    )
    found = login(
        "openid tarif-reduit",
        detail("tarif-reduit", tariff=RULE),
        tariff_rules=[other, signed_tariff],
    )
    assert found["tarif-reduit"]["tariff"]["tariff"] == RULE


@pytest.mark.parametrize(
    ("scope", "given"),
    [
        ("autopartage", None),
        ("autopartage", "[]"),
        ("autopartage", "{}"),
        ("autopartage", "nul"),
        ("autopartage", "[" * 900),
        ("autopartage", details("x")),
        ("autopartage", details({**detail("autopartage", age=21), "type": "autre"})),
        ("autopartage", details({**detail("autopartage", age=21), "more": 1})),
        ("autopartage", details(detail("autopartage", version=9, age=21))),
        ("autopartage", details(detail("autopartage", age=5))),
        ("autopartage", details(detail("autopartage", age="21"))),
        ("autopartage", details(detail("autopartage"))),
        ("autopartage", details(detail("inconnu", age=21))),
        ("autopartage", details(*[detail("autopartage", age=21)] * 2)),
        ("itineraire", details(detail("autopartage", age=21))),
        ("itineraire", details(*[detail("itineraire")] * 9)),
        (
            "tarif-reduit",
            details(detail("tarif-reduit", tariff=f"https://a.example/{'x' * 2_000}")),
        ),
    ],
)
def test_details_that_are_none_are_refused_by_name(
    home: Home, scope: str, given: str | None
) -> None:
    door = Door(home, scope=f"openid {scope}")
    more = {} if given is None else {"authorization_details": given}
    with pytest.raises(PassportRequestError) as refused:
        door.ask(f"openid {scope}", **more)
    assert refused.value.error == "invalid_authorization_details"
    assert refused.value.redirect is not None


def test_a_registered_rule_is_a_signed_text_within_bounds(home: Home) -> None:
    for wrong in ("x", [1], ["x" * 60_001], ["x"] * 6):
        with pytest.raises(ServiceInvalidError) as refused:
            Door(home, scope="openid", tariff_rules=wrong)
        assert refused.value.where == "tariff_rules"


def test_discovery_lists_every_profile_of_the_core(home: Home) -> None:
    metadata = home.passport.metadata()
    names = {scope.name for scope in PROFILE_SCOPES}
    assert names == {"autopartage", "tarif-reduit", "itineraire", "acces-zone", "titre"}
    assert names <= set(metadata["scopes_supported"])
    assert names <= set(metadata["claims_supported"])
    assert metadata["authorization_details_types_supported"] == [DETAIL]


def test_what_was_shown_is_what_is_agreed_to_a_minute_later(
    citizen: Citizen,
    clock: Any,
) -> None:
    """A fact computed again says the same, whenever it is computed."""
    attribute(citizen, "identity.birthdate", "1988-04-12", degree=Degree.CLAIMED)
    set_preference(citizen.vault, "travel.liked-mode", "bicycle")
    door = Door(citizen.home, scope="openid autopartage itineraire acces-zone")
    asked, _ = door.ask(
        "openid autopartage itineraire acces-zone",
        authorization_details=details(
            detail("autopartage", age=21), detail("acces-zone", zone="243100518")
        ),
    )
    before = prepare(door.passport, citizen.vault, asked).digest()
    clock.forward(minutes=1)
    assert prepare(door.passport, citizen.vault, asked).digest() == before
