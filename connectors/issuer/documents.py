"""What a row becomes: the observation left in a vault, and the body of the credential for a wallet.

Both name the record by one IRI made from the issuer and its own reference, so that a holder's
dispute, a second version and a revocation meet the same record.
"""

import hashlib
import hmac
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final

from connectors.base import UNNAMED, identified
from connectors.issuer.rows import Row
from connectors.issuer.settings import IssuerSettings, Produces
from federation.credentials.types import Nullifier, credential_body
from schemas.evidence import Evidence
from schemas.ids import Did, Iri
from schemas.modes import Mode
from schemas.observations import (
    ClaimBy,
    DocumentObservation,
    ModeClaim,
    Observation,
    TripObservation,
)
from schemas.records import Invoice, Place, RegisterStatus, Subscription
from schemas.units import Cents, Metres

__all__ = ["TYPES", "band", "body_of", "iri_of", "observation_of"]

TYPES: Final = {
    Produces.JOURNEY: "TripCredential",
    Produces.RENTAL: "RentalCredential",
    Produces.PASS: "PassCredential",
    Produces.INVOICE: "InvoiceCredential",
}
"""The credential a row becomes."""
BANDS: Final = (0, 2_000, 5_000, 10_000, 20_000, 40_000, 80_000)
"""Lower bounds in metres: a signed trip says its band, not its length."""


def band(distance: int) -> int:
    """The band of a distance."""
    return max(bound for bound in BANDS if bound <= distance)


def iri_of(key: bytes, source: str, reference: str) -> Iri:
    """The record's name outside: always the same; nobody without the issuer's key can tell its
    reference, or name another's record."""
    said = f"record\n{source}\n{reference}".encode()
    return Iri(uuid.UUID(bytes=hmac.new(key, said, hashlib.sha256).digest()[:16], version=4).urn)


def observation_of(row: Row, settings: IssuerSettings, *, account: str, key: bytes) -> Observation:
    """What is left in the customer's vault. Equal rows give equal observations."""
    iri = iri_of(key, row.source, row.reference)
    source = f"issuer:{settings.name}"
    said = row.values
    match row.produces:
        case Produces.JOURNEY | Produces.RENTAL:
            zone = next(s.zone for s in settings.sources if s.name == row.source)
            register = said.get("registerClass")
            return identified(
                TripObservation(
                    id=UNNAMED,
                    source=source,
                    account=account,
                    upstream_ids=(iri,),
                    written_at=row.taken_at,
                    started_at=datetime.fromisoformat(said["startedAt"]),
                    ended_at=datetime.fromisoformat(said["endedAt"]),
                    start_zone=zone,
                    end_zone=zone,
                    origin=_place(said.get("origin")),
                    destination=_place(said.get("destination")),
                    distance=None if "distance" not in said else Metres(said["distance"]),
                    mode_claims=(ModeClaim(mode=Mode(said["mode"]), by=ClaimBy.OPERATOR),),
                    register=None
                    if register is None
                    else RegisterStatus(
                        class_=register, status=said.get("registerStatus") or "pending"
                    ),
                    cancelled=row.is_cancelled,
                )
            )
        case Produces.PASS:
            record: Invoice | Subscription = Subscription(
                id=iri,
                network=said.get("network", settings.name),
                product=said["product"],
                holder=said["holder"],
                payer=said.get("payer", said["holder"]),
                valid_from=date.fromisoformat(said["validFrom"]),
                valid_until=date.fromisoformat(said["validUntil"]),
                number=said.get("number"),
            )
        case Produces.INVOICE:
            record = Invoice(
                id=iri,
                issuer_name=settings.name,
                issuer_siret=settings.siret,
                number=said.get("number", row.reference),
                issued_at=datetime.combine(date.fromisoformat(said["issuedOn"]), time(12), UTC),
                total=Cents(said["total"]),
                period_start=_day(said.get("validFrom")),
                period_end=_day(said.get("validUntil")),
                payer=said.get("payer"),
                holder=said.get("holder"),
            )
    return identified(
        DocumentObservation(id=UNNAMED, source=source, account=account, record=record)
    )


def _place(point: Sequence[float] | None) -> Place | None:
    return None if point is None else Place(lat=point[0], lon=point[1])


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def nullifiers(row: Row, settings: IssuerSettings, family_key: bytes) -> list[Nullifier]:
    """The record's one-way name in each family: HMAC-SHA-256 under a key of the family's own."""
    iri = iri_of(family_key, row.source, row.reference)
    found = []
    for family in settings.families:
        key = hmac.new(family_key, f"nullifier/{family}/1".encode(), hashlib.sha256).digest()
        value = hmac.new(key, iri.encode(), hashlib.sha256).hexdigest()
        found.append(Nullifier(family, "1", value))
    return found


def body_of(
    row: Row, settings: IssuerSettings, *, holder: Did, family_key: bytes
) -> dict[str, Any]:
    """Body of the credential of a row, bound to `holder`: coarse where it tells of movements."""
    said = row.values
    named = nullifiers(row, settings, family_key)
    match row.produces:
        case Produces.JOURNEY:
            members: dict[str, Any] = {
                "month": said["startedAt"][:7],
                "mode": said["mode"],
                "distanceAtLeast": band(said.get("distance", 0)),
                "evidence": (
                    Evidence.REGISTRY
                    if said.get("registerClass") and said.get("registerStatus") == "ok"
                    else Evidence.OPERATOR
                ).value,
                "registerClass": said.get("registerClass"),
                "registerStatus": said.get("registerStatus"),
            }
        case Produces.RENTAL:
            members = {
                "rental": iri_of(family_key, row.source, row.reference),
                "network": said.get("network", settings.name),
                "mode": said["mode"],
                "vehicleType": said.get("vehicleType"),
                "startedAt": datetime.fromisoformat(said["startedAt"]),
                "endedAt": datetime.fromisoformat(said["endedAt"]),
                "distance": said.get("distance"),
                "amount": said.get("amount"),
                "currency": None if "amount" not in said else "EUR",
            }
        case Produces.PASS:
            members = {
                "network": said.get("network", settings.name),
                "product": said["product"],
                "holderName": said["holder"],
                "payer": said.get("payer", said["holder"]),
                "number": said.get("number"),
                "periodFrom": said["validFrom"],
                "periodUntil": said["validUntil"],
                "amount": said.get("amount"),
                "currency": None if "amount" not in said else "EUR",
            }
        case Produces.INVOICE:
            members = {
                "invoiceIssuer": settings.name,
                "invoiceIssuerSiret": settings.siret,
                "number": said.get("number", row.reference),
                "issuedOn": said["issuedOn"],
                "total": said["total"],
                "currency": "EUR",
                "periodFrom": said.get("validFrom"),
                "periodUntil": said.get("validUntil"),
                "holderName": said.get("holder"),
                "payer": said.get("payer"),
            }
    return credential_body(
        TYPES[row.produces], holder=holder, members={**members, "nullifiers": named}
    )
