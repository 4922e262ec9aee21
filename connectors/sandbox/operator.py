"""A fictitious carpool operator: signs each journey and leaves it, sealed, in the vault its
passenger named.

Also bills a transport pass for the sandbox's fictitious bus network, so that the 75 % aid has its
proof.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from connectors.base import UNNAMED, identified
from connectors.sandbox.story import (
    NETWORK_NAME,
    OPERATOR_SIRET,
    PERSON,
    SEED,
    Story,
)
from federation.credentials.issue import issue
from federation.credentials.types import carpool_journey
from federation.keys import Signer
from schemas.ids import Did, Iri
from schemas.modes import Mode
from schemas.observations import (
    ClaimBy,
    DocumentObservation,
    LegObservation,
    ModeClaim,
    Observation,
    TripObservation,
)
from schemas.records import Credential, Invoice, InvoiceLine, Place, RegisterStatus, Subscription
from schemas.units import Cents, Metres

SOURCE: Final = "carpool-operator"
NETWORK_SOURCE: Final = "bus-network"
PASS_MONTH: Final = Cents(3_600)
"""36,00 € a month, a fictitious price."""
PASS_MONTHS: Final = ((2026, 9), (2026, 10), (2026, 11))
_NAMESPACE: Final = uuid.UUID("5b0c5b52-5a0e-5d6a-8d0b-0f6f6a2c9d10")


def iri(*parts: str) -> Iri:
    """A name that is the same each time: sandbox data is made, not random."""
    return Iri(f"urn:uuid:{uuid.uuid5(_NAMESPACE, '/'.join(parts))}")


def journeys(story: Story, *, account: str) -> list[TripObservation]:
    """What the operator knows of its journeys, as observations."""
    return [_observation(journey, account) for journey in story.journeys()]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _observation(journey: Mapping[str, Any], account: str) -> TripObservation:
    started, ended = _instant(journey["startedAt"]), _instant(journey["endedAt"])
    claim = ModeClaim(mode=Mode.CARPOOL, by=ClaimBy.OPERATOR)
    (from_lat, from_lon), (to_lat, to_lon) = journey["origin"], journey["destination"]
    origin, destination = Place(lat=from_lat, lon=from_lon), Place(lat=to_lat, lon=to_lon)
    distance = Metres(journey["distance"])
    return identified(
        TripObservation(
            id=UNNAMED,
            source=SOURCE,
            account=account,
            upstream_ids=(journey["journey"],),
            started_at=started,
            ended_at=ended,
            start_zone=journey["timeZone"],
            end_zone=journey["timeZone"],
            origin=origin,
            destination=destination,
            legs=(
                LegObservation(
                    mode_claims=(claim,),
                    distance=distance,
                    started_at=started,
                    ended_at=ended,
                    origin=origin,
                    destination=destination,
                    upstream_id=journey["journey"],
                ),
            ),
            distance=distance,
            mode_claims=(claim,),
            register=RegisterStatus(
                class_=journey["registerClass"], status=journey["registerStatus"]
            ),
            extra={"role": journey["role"]},
        )
    )


def signed_journeys(
    story: Story, *, holder: Did, signer: Signer, at: datetime
) -> list[dict[str, Any]]:
    """Each journey as a CarpoolJourney credential of `holder`: no place finer than a commune."""
    return [
        issue(
            carpool_journey(
                holder=holder,
                journey=Iri(journey["journey"]),
                started_at=_instant(journey["startedAt"]),
                ended_at=_instant(journey["endedAt"]),
                distance=journey["distance"],
                role=journey["role"],
                register_class=journey["registerClass"],
                register_status=journey["registerStatus"],
            ),
            signer=signer,
            at=at,
        )
        for journey in story.journeys()
    ]


def credential_observations(
    documents: Sequence[Mapping[str, Any]], *, account: str, at: datetime
) -> list[DocumentObservation]:
    """Signed documents as deposits for the wallet."""
    return [
        identified(
            DocumentObservation(
                id=UNNAMED,
                source=SOURCE,
                account=account,
                record=Credential(
                    id=Iri(str(document["id"])) if "id" in document else iri("credential", str(n)),
                    type="CarpoolJourney",
                    issuer=str(document["issuer"]),
                    document=dict(document),
                    received_at=at,
                ),
            )
        )
        for n, document in enumerate(documents)
    ]


def pass_documents(*, account: str, seed: int = SEED) -> list[Observation]:
    """Invoice and pass of the fictitious network, paid and held by the same person, September to
    November."""
    holder = f"{PERSON.given_name} {PERSON.family_name}"
    found: list[Observation] = []
    for year, month in PASS_MONTHS:
        first = date(year, month, 1)
        last = date(year + month // 12, month % 12 + 1, 1)
        last = date.fromordinal(last.toordinal() - 1)
        number = f"BS-{year}{month:02d}-{seed % 10_000:04d}"
        invoice = Invoice(
            id=iri("invoice", number),
            issuer_name=NETWORK_NAME,
            issuer_siret=OPERATOR_SIRET,
            number=number,
            issued_at=datetime(year, month, 1, 8, 0, tzinfo=UTC),
            total=PASS_MONTH,
            lines=(InvoiceLine(label="Abonnement mensuel", quantity=1, unit_amount=PASS_MONTH),),
            period_start=first,
            period_end=last,
            payer=holder,
            holder=holder,
        )
        subscription = Subscription(
            id=iri("pass", number),
            network=NETWORK_NAME,
            product="Abonnement mensuel",
            holder=holder,
            payer=holder,
            valid_from=first,
            valid_until=last,
            number=number,
            invoice=invoice.id,
        )
        found.extend(
            identified(
                DocumentObservation(
                    id=UNNAMED, source=NETWORK_SOURCE, account=account, record=record
                )
            )
            for record in (invoice, subscription)
        )
    return found


__all__ = [
    "NETWORK_SOURCE",
    "SOURCE",
    "credential_observations",
    "journeys",
    "pass_documents",
    "signed_journeys",
]
