"""What the fictitious registers and the fictitious transport network sign for a wallet.

The registers stand in for whoever keeps licences, addresses and vehicle papers; the network signs a
pass and publishes its tariff.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from connectors.issuer.api.issuance import Offering, sd_jwt_vc
from connectors.sandbox.parties import Party
from connectors.sandbox.statuses import Statuses
from connectors.sandbox.story import NETWORK_NAME, PERSON, Person
from federation.aids.model import FactBinding
from federation.credentials.sd_jwt_vc import issue_sd_jwt_vc, vct_of
from federation.credentials.types import credential_body
from federation.keys import PublicKey, did_key
from federation.profiles import TariffRule

REGISTERS: Final = "registres"
NETWORK: Final = "reseau"
"""Paths of the two parties."""
REGISTERS_NAME: Final = "Registres de démonstration"
VALIDITY: Final = timedelta(days=90)
LICENCE, ADDRESS, VEHICLE, PASS = (
    "DrivingLicenceCredential",
    "AddressCredential",
    "VehicleClassCredential",
    "PassCredential",
)
REGISTERED: Final = (LICENCE, ADDRESS, VEHICLE)
TARIFF_PATH: Final = "tarifs/solidaire"
_CAR_SINCE: Final = date(2017, 5, 9)
_LICENCE_SINCE: Final = date(2008, 6, 3)


def _offering(
    kind: str,
    party: Party,
    clock: Callable[[], datetime],
    statuses: Statuses,
    members: Callable[[datetime], Mapping[str, Any]],
) -> Offering:
    def sign(_: str, holder: PublicKey) -> str:
        now = clock()
        body = credential_body(kind, holder=did_key(holder), members=members(now))
        return issue_sd_jwt_vc(
            body,
            signer=party.signer,
            holder=holder,
            at=now,
            valid_until=now + VALIDITY,
            status=statuses.entry(kind),
        )

    return Offering(kind, sd_jwt_vc(vct_of(kind), "EdDSA"), sign)


def register_offerings(
    party: Party, *, clock: Callable[[], datetime], statuses: Statuses
) -> Sequence[Offering]:
    """Driving licence, address and vehicle class of the one fictitious person."""

    def certified(now: datetime) -> dict[str, Any]:
        return {"source": party.did, "certifiedAt": now.replace(microsecond=0), "degree": "signed"}

    return (
        _offering(
            LICENCE,
            party,
            clock,
            statuses,
            lambda now: {
                "categories": [{"category": "B", "firstDay": _LICENCE_SINCE}],
                "licenceNumber": "BS1200304050",
                **certified(now),
            },
        ),
        _offering(
            ADDRESS,
            party,
            clock,
            statuses,
            lambda now: {
                "street": "12 quai du Canal (fictif)",
                "postalCode": "11800",
                "locality": "Trèbes",
                "commune": "11397",
                "country": "FR",
                **certified(now),
            },
        ),
        _offering(
            VEHICLE,
            party,
            clock,
            statuses,
            lambda now: {
                "vehicleType": "car",
                "energy": "petrol",
                "critAir": "1",
                "firstRegistered": _CAR_SINCE,
                **certified(now),
            },
        ),
    )


def network_offerings(
    party: Party, *, clock: Callable[[], datetime], statuses: Statuses, person: Person = PERSON
) -> Sequence[Offering]:
    """The pass of this month."""

    def members(now: datetime) -> dict[str, Any]:
        first = now.date().replace(day=1)
        following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        name = f"{person.given_name} {person.family_name}"
        return {
            "network": NETWORK_NAME,
            "product": "Abonnement mensuel",
            "holderName": name,
            "payer": name,
            "number": f"BS-{first:%Y%m}",
            "periodFrom": first,
            "periodUntil": following - timedelta(days=1),
        }

    return (_offering(PASS, party, clock, statuses, members),)


def solidarity_tariff(party: Party, *, base: str, at: datetime) -> TariffRule:
    """The network's tariff: by age, then by income for each share of the household."""
    return TariffRule(
        did=party.did,
        id=f"{base}/{party.path}/{TARIFF_PATH}",
        version="2026-09",
        title={"fr": "Tarification solidaire", "en": "Solidarity fares"},
        rules={
            "revenu": {
                "titre": "Revenu fiscal de référence",
                "titre en": "Reference tax income",
                "question": "Quel est le revenu fiscal de référence du foyer ?",
                "question en": "What is the household's reference tax income?",
            },
            "parts": {
                "titre": "Nombre de parts",
                "titre en": "Household shares",
                "question": "Combien de parts compte le foyer ?",
                "question en": "How many shares has the household?",
            },
            "âge": {
                "titre": "Âge",
                "titre en": "Age",
                "question": "Quel âge avez-vous ?",
                "question en": "How old are you?",
            },
            "quotient": {"valeur": "revenu / parts"},
            "statut": {
                "variations": [
                    {"si": "âge < 26", "alors": "'jeune'"},
                    {"si": "quotient <= 9000", "alors": "'solidaire-2'"},
                    {"si": "quotient <= 14000", "alors": "'solidaire-1'"},
                    {"sinon": "'plein'"},
                ]
            },
        },
        result="statut",
        statuses={
            "jeune": {"fr": "Moins de 26 ans", "en": "Under 26"},
            "solidaire-2": {"fr": "Solidaire, -75 %", "en": "Solidarity, -75 %"},
            "solidaire-1": {"fr": "Solidaire, -50 %", "en": "Solidarity, -50 %"},
            "plein": {"fr": "Plein tarif", "en": "Full fare"},
        },
        facts=(
            FactBinding("âge", "age"),
            FactBinding("revenu", "Attribute.tax.reference_income"),
            FactBinding("parts", "Attribute.tax.parts"),
        ),
        valid_until=date(at.year + 1, 8, 31),
    )


__all__ = [
    "NETWORK",
    "PASS",
    "REGISTERED",
    "REGISTERS",
    "REGISTERS_NAME",
    "TARIFF_PATH",
    "network_offerings",
    "register_offerings",
    "solidarity_tariff",
]
