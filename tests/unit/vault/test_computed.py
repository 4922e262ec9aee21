"""What an open vault computes for one verifier: the least that answers, and what it rests on."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from federation.credentials import StatusEntry, issue
from federation.credentials.held import Held
from federation.credentials.sd_jwt_vc import issue_sd_jwt_vc
from federation.credentials.types import COMPUTED, credential_body
from federation.keys import Ed25519Key, P256Key, Signer, decode_multikey
from federation.openid4vp import PresentationRequest
from federation.profiles import PROFILES, sign_tariff
from federation.trust import PinnedKey, Role, TrustEntry
from schemas.ids import Did, mint_iri
from schemas.records import (
    Attribute,
    Degree,
    Energy,
    Subscription,
    Vehicle,
    VehicleType,
)
from tests.delivery import POINT, address
from tests.unit.profiles.test_profiles import tariff
from tests.unit.vault.builders import Citizen, Clock, trust
from vault.computed import Computed, compute, lacking, travel_members
from vault.errors import ShareRefusedError
from vault.preferences import set_preference

VERIFIER = Did("did:web:localhost%3A8402:autopartage")
IDENTITY = Did("did:web:localhost%3A8402:identite")
NETWORK = Did("did:web:localhost%3A8402:reseau")
ISSUER_KEY = P256Key.from_private_bytes(b"\x05" * 32).signer(f"{IDENTITY}#1")
NETWORK_KEY = Ed25519Key.from_seed(b"n" * 32).signer(f"{NETWORK}#1")


@pytest.fixture
def citizen(citizen: Citizen, clock: Clock) -> Citizen:
    """A vault at an accredited home, beside an identity issuer and a network."""
    home = citizen.home
    since = clock() - timedelta(days=100)

    def entry(did: Did, key: Signer, role: Role, types: frozenset[str]) -> TrustEntry:
        return TrustEntry(
            did=did,
            name=did.rpartition(":")[2],
            roles=frozenset({role}),
            keys=(PinnedKey(key.public_multikey(), key.verification_method, since),),
            credential_types=types,
            since=since,
        )

    signed = frozenset({"IdentityCredential", "VehicleClassCredential", "ZoneAccessCredential"})
    home.use_trust(
        trust(
            entry(home.did, home.signer(), Role.HOME, COMPUTED),
            entry(IDENTITY, ISSUER_KEY, Role.IDENTITY, signed),
            entry(NETWORK, NETWORK_KEY, Role.OPERATOR, frozenset()),
            at=clock(),
        )
    )
    return citizen


def request(
    citizen: Citizen, profile: str, parameters: Mapping[str, Any], **claims: Any
) -> PresentationRequest:
    at = citizen.home.clock()
    return PresentationRequest(
        client_id=f"decentralized_identifier:{VERIFIER}",
        verifier=VERIFIER,
        nonce="n-0123456789abcdef",
        state="",
        response_uri="http://localhost:8402/autopartage/reponses/1",
        query=PROFILES[profile].query(parameters),
        issued_at=at,
        expires_at=at + timedelta(minutes=10),
        claims=claims,
    )


def made(citizen: Citizen, asked: PresentationRequest, held: tuple[Held, ...] = ()) -> Computed:
    vault = citizen.vault
    return compute(vault, asked, held, holder=vault.holder_key(VERIFIER), at=citizen.home.clock())


def reason(citizen: Citizen, asked: PresentationRequest) -> str:
    with pytest.raises(ShareRefusedError) as refused:
        made(citizen, asked)
    return refused.value.reason


def age(citizen: Citizen, years: int = 21) -> PresentationRequest:
    """`autopartage` asks for more; of an age alone the rest is left out."""
    whole = request(citizen, "autopartage", {"age": years})
    only = tuple(q for q in whole.query.credentials if q.id == "age")
    return replace(whole, query=replace(whole.query, credentials=only))


def attribute(
    citizen: Citizen, name: str, value: Any, *, degree: Degree = Degree.RELAYED
) -> Attribute:
    found = Attribute(
        id=mint_iri(),
        name=name,
        value=value,
        source="https://identite.example",
        certified_at=citizen.home.clock(),
        degree=degree,
    )
    citizen.vault.put(found)
    return found


def identity(citizen: Citizen, born: str, *, signer: Signer = ISSUER_KEY) -> None:
    """Signed for another verifier: its key is not this one's."""
    at = citizen.home.clock()
    other = P256Key.from_private_bytes(b"\x06" * 32)
    body = credential_body(
        "IdentityCredential",
        holder=Did(other.signer().verification_method.partition("#")[0]),
        members={
            "givenName": "Camille",
            "familyName": "FABRE",
            "birthDate": date.fromisoformat(born),
            "identityLevel": "eidas2",
            "source": str(IDENTITY),
            "certifiedAt": at,
            "degree": "signed",
        },
    )
    text = issue_sd_jwt_vc(
        body,
        signer=signer,
        holder=decode_multikey(other.signer().public_multikey()),
        at=at,
        valid_until=at + timedelta(days=30),
    )
    citizen.vault.accept_credential(text)


# --- age ------------------------------------------------------------------------------------


def test_an_age_is_said_by_the_home_from_a_signed_identity_without_a_birth_date(
    citizen: Citizen,
) -> None:
    identity(citizen, "1988-04-12")
    found = made(citizen, age(citizen))
    (held,) = found.held
    assert found.assurance == "vault-attested"
    assert held.issuer == citizen.home.did
    assert held.holder == citizen.vault.holder_did(VERIFIER)
    subject = dict(held.subject)
    assert subject.pop("ageAtLeast") == 21
    assert subject["degree"] == "signed" and subject["source"] == IDENTITY
    assert set(subject) == {"id", "source", "certifiedAt", "degree", "assuranceMethod"}
    assert "1988" not in str(held.wire)


@pytest.mark.parametrize(("days", "reached"), [(-1, True), (0, True), (1, False)])
def test_an_age_is_reached_on_the_birthday_and_not_before(
    citizen: Citizen, days: int, reached: bool
) -> None:
    today = citizen.home.clock().date()
    birthday = today.replace(year=today.year - 21) + timedelta(days=days)
    identity(citizen, birthday.isoformat())
    if reached:
        assert made(citizen, age(citizen)).held
    else:
        assert reason(citizen, age(citizen)) == "age-not-reached:21"


def test_a_relayed_birth_date_is_said_to_be_relayed(citizen: Citizen) -> None:
    attribute(citizen, "identity.birthdate", "1988-04-12")
    assert made(citizen, age(citizen)).held[0].subject["degree"] == "relayed"


def test_what_the_person_typed_is_said_to_be_claimed_and_what_is_certified_comes_first(
    citizen: Citizen,
) -> None:
    attribute(citizen, "identity.birthdate", "1950-01-01", degree=Degree.CLAIMED)
    assert made(citizen, age(citizen, 60)).held[0].subject["degree"] == "claimed"
    attribute(citizen, "identity.birthdate", "1988-04-12")
    assert reason(citizen, age(citizen, 60)) == "age-not-reached:60"


def test_an_identity_that_its_issuer_did_not_sign_makes_no_age(citizen: Citizen) -> None:
    forger = P256Key.from_private_bytes(b"\x09" * 32).signer(f"{IDENTITY}#1")
    identity(citizen, "1950-01-01", signer=forger)
    assert reason(citizen, age(citizen)) == "age-unknown"
    assert lacking(citizen.vault, age(citizen).query, (), at=citizen.home.clock()) == {
        "age": "age-unknown"
    }


def test_a_home_that_may_not_attest_lets_the_person_declare(citizen: Citizen, clock: Clock) -> None:
    identity(citizen, "1988-04-12")
    known = citizen.home.trust
    assert known is not None
    entries = [
        replace(e, credential_types=frozenset()) if e.did == citizen.home.did else e
        for e in known.entries
    ]
    citizen.home.use_trust(trust(*entries, at=clock(), version=2))
    found = made(citizen, age(citizen))
    assert found.assurance == "self-declared"
    assert found.held[0].issuer == citizen.vault.holder_did(VERIFIER)


# --- tariff ---------------------------------------------------------------------------------


def reduced(citizen: Citizen, *, signer: Signer = NETWORK_KEY, **changes: Any) -> Any:
    rule = tariff(did=NETWORK, **changes)
    token = sign_tariff(rule, signer, at=citizen.home.clock())
    asked = "http://localhost:8402/reseau/tarifs/solidaire"
    return request(citizen, "tarif-reduit", {"tariff": asked}, tariff_rule=token)


def test_a_tariff_says_its_status_and_no_figure(citizen: Citizen) -> None:
    attribute(citizen, "tax.reference_income", 17_342, degree=Degree.SIGNED)
    attribute(citizen, "tax.parts", 2.5)
    (held,) = made(citizen, reduced(citizen)).held
    assert held.subject["tariffStatus"] == "solidaire"
    assert held.subject["periodUntil"] == "2027-08-31"
    assert held.subject["degree"] == "relayed"
    assert "17" + "342" not in str(held.wire) and "2.5" not in str(held.wire)


def test_a_figure_that_the_person_typed_makes_a_claimed_status(citizen: Citizen) -> None:
    attribute(citizen, "tax.reference_income", 17_342, degree=Degree.SIGNED)
    attribute(citizen, "tax.parts", 2, degree=Degree.CLAIMED)
    assert made(citizen, reduced(citizen)).held[0].subject["degree"] == "claimed"


def test_what_a_tariff_still_needs_is_named(citizen: Citizen) -> None:
    attribute(citizen, "tax.parts", 2)
    assert reason(citizen, reduced(citizen)) == "tariff-missing:revenu"
    known = lacking(citizen.vault, reduced(citizen).query, (), at=citizen.home.clock())
    assert known == {"tariff": "at-request"}


def test_a_tariff_of_another_signer_address_or_year_is_not_computed(citizen: Citizen) -> None:
    attribute(citizen, "tax.reference_income", 10_000)
    attribute(citizen, "tax.parts", 1)
    forger = Ed25519Key.from_seed(b"f" * 32).signer(f"{NETWORK}#1")
    stranger = Ed25519Key.from_seed(b"f" * 32).signer("did:web:ailleurs.example#1")
    for asked in (
        reduced(citizen, signer=forger),
        reduced(citizen, signer=stranger),
        reduced(citizen, id="http://localhost:8402/reseau/tarifs/autre"),
        reduced(citizen, valid_until=date(2020, 1, 1)),
        request(citizen, "tarif-reduit", {"tariff": "https://a.example/t"}),
    ):
        assert reason(citizen, asked) == "tariff-invalid"


# --- zone -----------------------------------------------------------------------------------


def zone(citizen: Citizen) -> PresentationRequest:
    return request(citizen, "acces-zone", {"zone": "200035715"})


def derogation(citizen: Citizen, place: str, *, days: int) -> None:
    at = citizen.home.clock()
    other = P256Key.from_private_bytes(b"\x06" * 32).signer()
    body = credential_body(
        "ZoneAccessCredential",
        holder=Did(other.verification_method.partition("#")[0]),
        members={
            "zone": place,
            "derogation": "petit-rouleur",
            "identification": "AB-123-CD",
            "firstDay": at.date() - timedelta(days=400),
            "lastDay": at.date() + timedelta(days=days),
            "decidedAt": at,
        },
    )
    citizen.vault.accept_credential(issue(body, signer=ISSUER_KEY, at=at))


def vehicle(citizen: Citizen, crit_air: str | None) -> None:
    citizen.vault.put(
        Vehicle(
            id=mint_iri(),
            vehicle_type=VehicleType.CAR,
            energy=Energy.DIESEL,
            crit_air=crit_air,
            identification="AB-123-CD",
        )
    )


def test_a_derogation_for_this_zone_comes_before_the_class_and_keeps_its_last_day(
    citizen: Citizen,
) -> None:
    vehicle(citizen, "4")
    derogation(citizen, "200035715", days=12)
    (held,) = made(citizen, zone(citizen)).held
    assert held.subject["derogation"] == "petit-rouleur"
    assert held.subject["lastDay"] == (citizen.home.clock().date() + timedelta(days=12)).isoformat()
    assert "AB-123-CD" not in str(held.wire) and "critAir" not in held.subject
    assert held.subject["degree"] == "signed"


@pytest.mark.parametrize(("place", "days"), [("200035715", -1), ("243100518", 12)])
def test_a_derogation_that_is_over_or_for_elsewhere_leaves_the_class(
    citizen: Citizen, place: str, days: int
) -> None:
    vehicle(citizen, "4")
    derogation(citizen, place, days=days)
    (held,) = made(citizen, zone(citizen)).held
    assert (held.subject["zone"], held.subject["critAir"]) == ("any", "4")
    assert held.subject["degree"] == "claimed"


def test_without_vehicle_class_or_derogation_there_is_nothing_to_say(citizen: Citizen) -> None:
    vehicle(citizen, None)
    assert reason(citizen, zone(citizen)) == "zone-unknown"


def test_a_class_whose_revocation_cannot_be_read_is_later_and_not_no(citizen: Citizen) -> None:
    at = citizen.home.clock()
    other = P256Key.from_private_bytes(b"\x06" * 32).signer()
    body = credential_body(
        "VehicleClassCredential",
        holder=Did(other.verification_method.partition("#")[0]),
        members={
            "vehicleType": "car",
            "critAir": "1",
            "source": str(IDENTITY),
            "certifiedAt": at,
            "degree": "signed",
        },
    )
    status = StatusEntry("http://localhost:9/listes/1", 7)
    citizen.vault.accept_credential(issue(body, signer=ISSUER_KEY, at=at, status=status))
    assert reason(citizen, zone(citizen)) == "status-unreachable"


# --- preferences ----------------------------------------------------------------------------


def test_travel_preferences_say_what_was_chosen_and_home_only_when_told(
    citizen: Citizen,
) -> None:
    vault, today = citizen.vault, citizen.home.clock().date()
    asked = request(citizen, "itineraire", {})
    assert reason(citizen, asked) == "preferences-empty"
    attribute(citizen, "address.commune", "11397", degree=Degree.CLAIMED)
    vault.put(
        Subscription(
            id=mint_iri(),
            network="Réseau",
            product="Annuel",
            number="N-1",
            valid_from=today,
            valid_until=today,
        )
    )
    for name, value in (
        ("travel.liked-mode", "bicycle train"),
        ("travel.avoided-mode", "taxi"),
        ("travel.walk-minutes", 15),
        ("travel.wheelchair", True),
    ):
        set_preference(vault, name, value)
    members = travel_members(vault, on=today)
    assert members == {
        "travelModes": [
            {"mode": "bicycle", "modeChoice": "liked"},
            {"mode": "train", "modeChoice": "liked"},
            {"mode": "taxi", "modeChoice": "refused"},
        ],
        "wheelchair": "yes",
        "longestWalk": 900,
    }
    found = made(citizen, asked)
    assert found.assurance == "self-declared"
    assert found.held[0].issuer == vault.holder_did(VERIFIER)
    set_preference(vault, "travel.tell-home", True)
    set_preference(vault, "travel.tell-passes", True)
    told = travel_members(vault, on=today)
    assert told["homeCommune"] == "11397"
    assert told["passes"] == [
        {"network": "Réseau", "product": "Annuel", "periodUntil": today.isoformat()}
    ]


def test_an_extension_states_what_is_asked_and_nothing_else(citizen: Citizen) -> None:
    asked = request(citizen, "livraison", {})
    assert reason(citizen, asked) == "extension-lacks:delivery"
    citizen.vault.put(address(POINT))
    (held,) = made(citizen, asked).held
    facts = {fact["name"]: fact["value"] for fact in held.subject["facts"]}
    assert facts == {
        "postalCode": "11800",
        "locality": "Trèbes",
        "country": "FR",
        "drop": "relay",
        "choice": "low-carbon",
        "hours": "Mo 18:00-20:00; Sa 09:00-12:00",
        "constraints": "step-free call-first",
    }
    for kept in ("quai", "4321", "Tabac", "Camille"):
        assert kept not in str(held.wire)


def test_an_extension_that_is_not_here_states_nothing(citizen: Citizen) -> None:
    asked = request(citizen, "livraison", {})
    (query,) = asked.query.credentials
    elsewhere = tuple(
        replace(claim, values=("ailleurs",)) if claim.id == "extension" else claim
        for claim in query.claims
    )
    other = replace(
        asked, query=replace(asked.query, credentials=(replace(query, claims=elsewhere),))
    )
    assert reason(citizen, other) == "extension-unknown"


def test_a_fact_its_source_signed_for_this_verifier_is_not_computed(citizen: Citizen) -> None:
    identity(citizen, "1988-04-12")
    first = made(citizen, age(citizen))
    again = made(citizen, age(citizen), first.held)
    assert again.held == () and again.assurance == ""
