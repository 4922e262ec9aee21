"""Rights read beside an identity: brackets only, and what is not told takes nothing away."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from connectors.errors import SourceAnswerError
from connectors.identity.client import IdentityClient, Registration
from connectors.identity.entitlements import (
    BRACKETS,
    ENTITLEMENTS,
    Entitlement,
    EntitlementApi,
    bracket,
)
from connectors.identity.login import LoginRefusedError, attributes
from connectors.sandbox.parties import SandboxSettings
from federation.wire.http import BoundedClient
from schemas.records import Attribute, Degree
from tests.unit.connectors.test_identity import BACK, CLIENT, browse

BOTH = (Entitlement.STUDENT, Entitlement.QUOTIENT)
ON = date(2026, 11, 22)
SIRET = "20099999900014"


@pytest.fixture
def client(sandbox: SandboxSettings, outbound: BoundedClient, clock: Any) -> IdentityClient:
    base = f"{sandbox.base_url}/identite-federee"
    given = outbound.post(f"{base}/clients", json={"redirect_uris": [BACK]}, statuses=(201,)).json()
    registration = Registration(
        given["client_id"],
        given["client_secret"],
        entitlements=EntitlementApi(base, SIRET),
    )
    return IdentityClient(outbound, issuer=base, registration=registration, clock=clock)


def test_rights_arrive_as_brackets_relayed_by_the_service_that_told_them(
    client: IdentityClient, outbound: BoundedClient
) -> None:
    url, begun = client.begin(redirect_uri=BACK, also=BOTH)
    assert "cnaf_quotient_familial" in url
    identity = client.finish(begun, browse(outbound, url))
    assert identity.untold == ()
    assert identity.told["student.enrolled"] is True
    assert identity.told["family.quotient_bracket"] == "800-1000"
    assert "847" not in repr(identity)
    found = {}
    for observation in attributes(identity, account="identite:1"):
        assert isinstance(observation.record, Attribute)
        found[observation.record.name] = observation.record
    assert found["student.enrolled"].degree is Degree.RELAYED
    assert found["identity.family_name"].value == "FABRE"


def test_nothing_is_read_that_the_person_did_not_ask_for(
    client: IdentityClient, outbound: BoundedClient
) -> None:
    url, begun = client.begin(redirect_uri=BACK)
    assert "mesri" not in url
    identity = client.finish(begun, browse(outbound, url))
    assert (dict(identity.told), identity.untold) == ({}, ())


def test_a_right_that_is_not_told_takes_nothing_from_the_identity(
    client: IdentityClient, outbound: BoundedClient
) -> None:
    url, begun = client.begin(redirect_uri=BACK)  # so without the scopes
    identity = client.finish(replace(begun, also=BOTH), browse(outbound, url))
    assert identity.claims["family_name"] == "FABRE"
    assert identity.told == {}
    assert identity.untold == tuple((right, "source-token-refused") for right in BOTH)


def test_an_outage_of_the_service_takes_nothing_from_the_identity(
    client: IdentityClient, outbound: BoundedClient
) -> None:
    url, begun = client.begin(redirect_uri=BACK, also=BOTH)
    client._as = replace(client._as, entitlements=EntitlementApi("http://127.0.0.1:9", SIRET))
    identity = client.finish(begun, browse(outbound, url))
    assert identity.claims["family_name"] == "FABRE"
    assert {code for _, code in identity.untold} == {"source-unreachable"}


def test_a_home_without_the_habilitation_asks_for_no_right(
    sandbox: SandboxSettings, outbound: BoundedClient, clock: Any
) -> None:
    client = IdentityClient(
        outbound,
        issuer=f"{sandbox.base_url}/identite",
        registration=Registration(CLIENT),
        clock=clock,
    )
    with pytest.raises(LoginRefusedError):
        client.begin(redirect_uri=BACK, also=BOTH)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(-5, "0-400"), (0, "0-400"), (399, "0-400"), (400, "400-600"), (2_999, "2000-3000"),
     (3_000, "3000+"), (10**9, "3000+")],
)  # fmt: skip
def test_a_bracket_runs_from_its_lower_bound_to_below_the_upper_one(
    value: int, expected: str
) -> None:
    assert bracket(value) == expected
    assert list(BRACKETS) == sorted(set(BRACKETS))


@pytest.mark.parametrize(
    ("admissions", "enrolled"),
    [
        ([], False),
        ([{"est_inscrit": True, "date_debut": "2025-09-01", "date_fin": "2026-08-31"}], False),
        ([{"est_inscrit": False, "date_debut": "2026-09-01", "date_fin": "2027-08-31"}], False),
        ([{"est_inscrit": True, "date_debut": "2026-09-01", "date_fin": "2027-08-31"}, 5], True),
        ([{"est_inscrit": True, "date_debut": "2026-11-22", "date_fin": "2026-11-22"}], True),
    ],
)
def test_a_student_is_one_who_is_enrolled_on_the_day(admissions: list[Any], enrolled: bool) -> None:
    told = ENTITLEMENTS[Entitlement.STUDENT].read({"admissions": admissions}, ON)
    assert told["student.enrolled"] is enrolled
    assert ("student.until" in told) is enrolled


@pytest.mark.parametrize(
    ("right", "data"),
    [
        (Entitlement.STUDENT, {}),
        (Entitlement.STUDENT, {"admissions": [{}] * 101}),
        (Entitlement.STUDENT, {"admissions": [{"est_inscrit": True, "date_debut": "hier"}]}),
        (Entitlement.QUOTIENT, {}),
        (Entitlement.QUOTIENT, {"quotient_familial": 5}),
        (Entitlement.QUOTIENT, {"quotient_familial": {"valeur": "847", "annee": 2026, "mois": 1}}),
    ],
)
def test_an_answer_of_another_shape_is_said_to_be_one(
    right: Entitlement, data: dict[str, Any]
) -> None:
    with pytest.raises(SourceAnswerError):
        ENTITLEMENTS[right].read(data, ON)
