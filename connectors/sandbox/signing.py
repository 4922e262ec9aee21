"""What the fictitious operator and the fictitious identity issuer sign for a wallet.

The operator signs each journey as an SD-JWT VC of coarse claims that are shown one by one: month,
band of distance, mode, the register's class, and a nullifier of the trip for each family; and, for
a month, the total under the rule of an aid. The identity issuer signs the identity with one
nullifier a family, each disclosable on its own.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from connectors.issuer.api.issuance import Offering, ldp_vc, sd_jwt_vc
from connectors.sandbox.parties import Party
from connectors.sandbox.story import PERSON, Person, Story
from federation.aids.covoiturage import CARPOOL_FAMILY, CARPOOL_PROOF, CARPOOL_TRIPS
from federation.credentials.issue import issue
from federation.credentials.sd_jwt_vc import issue_sd_jwt_vc, vct_of
from federation.credentials.types import Nullifier, credential_body, identity, usage_proof
from federation.keys import PublicKey, did_key
from federation.pivot import Pivot, pivot_nullifier
from federation.usage import disclosed, whole_months
from schemas.evidence import AssuranceMethod, Evidence

TRIP: Final = "TripCredential"
TOTAL: Final = "UsageProof"
IDENTITY: Final = "IdentityCredential"
VALIDITY: Final = timedelta(days=365)
BANDS: Final = (0, 2_000, 5_000, 10_000, 20_000, 40_000, 80_000)
"""Lower bounds in metres: a trip says its band, not its length."""


def band(distance: int) -> int:
    """The band of a distance."""
    return max(bound for bound in BANDS if bound <= distance)


def trip_nullifier(family_key: bytes, family: str, journey: str) -> Nullifier:
    """The trip's one-way name in `family`: the same whoever it is shown to."""
    key = hmac.new(family_key, f"nullifier/{family}/1".encode(), hashlib.sha256).digest()
    value = hmac.new(key, journey.encode(), hashlib.sha256).hexdigest()
    return Nullifier(family=family, version="1", value=value)


def operator_offerings(
    party: Party, story: Story, *, family_key: bytes, clock: Callable[[], datetime]
) -> Sequence[Offering]:
    """Signed trips, and signed monthly totals."""
    journeys = {str(journey["journey"]): journey for journey in story.journeys()}

    def month_of(journey: Mapping[str, Any]) -> str:
        return str(journey["startedAt"])[:7]

    def sign_trip(name: str, holder: PublicKey) -> str:
        journey, now = journeys[name], clock()
        body = credential_body(
            TRIP,
            holder=did_key(holder),
            members={
                "month": month_of(journey),
                "mode": "carpool",
                "distanceAtLeast": band(int(journey["distance"])),
                "evidence": Evidence.OPERATOR.value,
                "registerClass": journey["registerClass"],
                "registerStatus": journey["registerStatus"],
                "nullifiers": [trip_nullifier(family_key, CARPOOL_TRIPS, name)],
            },
        )
        return issue_sd_jwt_vc(
            body, signer=party.signer, holder=holder, at=now, valid_until=now + VALIDITY
        )

    def months(_: str) -> Sequence[str]:
        return tuple(sorted({month_of(j) for j in journeys.values()}))

    def sign_total(month: str, holder: PublicKey) -> dict[str, Any]:
        since = date.fromisoformat(f"{month}-01")
        until = date(since.year + since.month // 12, since.month % 12 + 1, 1) - timedelta(days=1)
        counted = [j for j in journeys.values() if month_of(j) in whole_months((since, until))]
        figures = disclosed(CARPOOL_PROOF, len(counted)) or {"trips": len(counted)}
        body = usage_proof(
            holder=did_key(holder),
            period=(since, until),
            rule=CARPOOL_PROOF.rule,
            rule_version=CARPOOL_PROOF.rule_version,
            metric=CARPOOL_PROOF.metric,
            figures=figures,
            weakest_evidence=Evidence.OPERATOR,
            assurance=AssuranceMethod.SOURCE_AGGREGATE,
            valid_until=clock() + VALIDITY,
        )
        return issue(body, signer=party.signer, at=clock())

    return (
        Offering(TRIP, sd_jwt_vc(vct_of(TRIP), "EdDSA"), sign_trip, lambda _: tuple(journeys)),
        Offering(TOTAL, ldp_vc(TOTAL), sign_total, months),
    )


def identity_offerings(
    party: Party,
    *,
    family_key: bytes,
    clock: Callable[[], datetime],
    families: Sequence[str] = (CARPOOL_FAMILY,),
    person: Person = PERSON,
) -> Sequence[Offering]:
    """The identity, with one nullifier a family."""
    pivot = Pivot(
        family_name=person.family_name,
        given_names=person.given_name,
        birth_date=person.birthdate,
        gender=person.gender,
        birth_place=person.birthplace,
        birth_country=person.birthcountry,
    )

    def sign(_: str, holder: PublicKey) -> str:
        now = clock()
        body = identity(
            holder=did_key(holder),
            given_name=person.given_name,
            family_name=person.family_name,
            identity_level="eidas2",
            source=party.did,
            certified_at=now,
            degree="signed",
            birth_date=date.fromisoformat(person.birthdate),
            birth_place=person.birthplace,
            birth_country=person.birthcountry,
            gender=person.gender,
            nullifiers=[pivot_nullifier(family_key, family, 1, pivot) for family in families],
        )
        return issue_sd_jwt_vc(
            body, signer=party.signer, holder=holder, at=now, valid_until=now + VALIDITY
        )

    return (Offering(IDENTITY, sd_jwt_vc(vct_of(IDENTITY), "ES256"), sign),)


__all__ = ["BANDS", "band", "identity_offerings", "operator_offerings", "trip_nullifier"]
