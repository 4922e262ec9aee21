"""Consent receipts: a `dpv:ConsentRecord` with the fields of ISO/IEC TS 27560, as JSON-LD.

The receipt names kinds of data, never values: it may be shown to anybody whom the citizen shows
that they consented. Vocabulary: DPV 2.3 (`hasExpiry`, `hasRetention` and `hasIndication` do not
exist there; the expiry is a `dpv:hasDuration` with `dct:valid`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from schemas.ids import Did, Digest, Iri, digest_text
from schemas.records import Extent, Frequency
from schemas.units import Cents

__all__ = ["Repetition", "consent_receipt", "withdrawn_receipt"]

_CONTEXT: Final[Mapping[str, Any]] = {
    "dpv": "https://w3id.org/dpv#",
    "dct": "http://purl.org/dc/terms/",
    "dcat": "http://www.w3.org/ns/dcat#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "id": "@id",
    "type": "@type",
}

_DURATION: Final[Mapping[Frequency, str]] = {
    Frequency.MONTH: "P1M",
    Frequency.QUARTER: "P3M",
    Frequency.YEAR: "P1Y",
}

_DATA: Final[Mapping[str, str]] = {
    "UsageProof": "https://w3id.org/dpv/pd#TravelHistory",
    "AffiliationCredential": "https://w3id.org/dpv/pd#CurrentEmployment",
    "IdentityCredential": "https://w3id.org/dpv/pd#OfficialID",
    "RentalCredential": "https://w3id.org/dpv/pd#PurchasesAndSpendingHabit",
    "PassCredential": "https://w3id.org/dpv/pd#PurchasesAndSpendingHabit",
    "InvoiceCredential": "https://w3id.org/dpv/pd#PurchasesAndSpendingHabit",
}


@dataclass(frozen=True, slots=True)
class Repetition:
    """How often a standing consent is used, and for which days, both included."""

    frequency: Frequency
    since: date
    until: date
    extent: Extent | None = None
    """Set where the home applies for an aid, within `ceiling`."""
    ceiling: Cents | None = None

    def members(self) -> dict[str, Any]:
        """`dpv:hasFrequency` with its ISO 8601 duration, and the period of time it covers."""
        return {
            "dpv:hasFrequency": {
                "type": "dpv:Frequency",
                "dct:description": "once for each period, after it is over" + self._bounds(),
                "dct:extent": {"@type": "xsd:duration", "@value": _DURATION[self.frequency]},
            },
            "dct:temporal": {
                "type": "dct:PeriodOfTime",
                "dcat:startDate": {"@type": "xsd:date", "@value": self.since.isoformat()},
                "dcat:endDate": {"@type": "xsd:date", "@value": self.until.isoformat()},
            },
        }

    def _bounds(self) -> str:
        if self.extent is None or self.ceiling is None:
            return ""
        how = "sent" if self.extent is Extent.SEND else "prepared, not sent"
        return f", if it gives a right to the aid; {how}; {self.ceiling} euro cents at most"


def _instant(at: datetime) -> dict[str, str]:
    text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"@type": "xsd:dateTime", "@value": text}


def consent_receipt(
    *,
    consent: Iri,
    subject: Did,
    recipient: Did,
    recipient_name: str,
    controller: Did,
    purpose: str,
    claims: Sequence[str],
    kept_back: Sequence[str],
    credential_types: Sequence[str],
    legal: str | None,
    retention: str | None,
    given_at: datetime,
    expires_at: datetime | None,
    presentation: Digest,
    application: Iri | None,
    notice: str,
    repeats: Repetition | None = None,
    standing: Iri | None = None,
    indicated_at: datetime | None = None,
) -> dict[str, Any]:
    """The receipt of one consent, given by a person on a page that showed `notice`.

    `subject` is the holder key of this recipient, so two receipts of one person do not link.
    `repeats` makes it the receipt of a standing consent; a share sent under one names it in
    `standing` and the moment it was given in `indicated_at`.
    """
    method = (
        "confirmation on the consent page of an unlocked vault"
        if standing is None
        else "standing consent, confirmed on the consent page of an unlocked vault"
    )
    return {
        "@context": [dict(_CONTEXT)],
        "id": consent,
        "type": ["dpv:ConsentRecord", "dpv:ConsentReceipt"],
        "dct:conformsTo": "ISO/IEC TS 27560:2023",
        "dct:identifier": consent,
        "dct:created": _instant(given_at),
        "dpv:hasDataSubject": {"id": subject, "type": "dpv:DataSubject"},
        "dpv:hasDataController": {"id": recipient, "dct:title": recipient_name},
        "dpv:hasRecipient": {"id": recipient, "dct:title": recipient_name},
        "dpv:hasDataProcessor": {"id": controller},
        "dpv:hasPurpose": {"type": "dpv:Purpose", "dct:description": purpose},
        "dpv:hasProcessing": [{"id": "dpv:Share"}, {"id": "dpv:Assess"}],
        "dpv:hasLegalBasis": {"id": "dpv:ExplicitlyExpressedConsent"},
        "dpv:hasPersonalData": [
            {"id": iri} for iri in sorted({_DATA[t] for t in credential_types if t in _DATA})
        ],
        "dpv:hasData": list(claims),
        "dpv:hasNotice": {"type": "dpv:ConsentNotice", "dct:description": notice},
        "dpv:hasConsentStatus": {"id": "dpv:ConsentGiven"},
        "dpv:isIndicatedBy": {"id": subject},
        "dpv:isIndicatedAtTime": _instant(indicated_at or given_at),
        "dpv:hasIndicationMethod": method,
        "dpv:hasDuration": {"type": "dpv:Duration", "dct:valid": _instant(expires_at)}
        if expires_at is not None
        else {"id": "dpv:IndeterminateDuration"},
        "dpv:hasStorageCondition": retention or "as the recipient's notice says",
        "dpv:hasRight": [{"id": "dpv:DataSubjectRight"}],
        "dct:source": digest_text(presentation),
        **({"dct:subject": {"id": application}} if application is not None else {}),
        **({"dct:references": legal} if legal is not None else {}),
        **({"dct:isPartOf": {"id": standing}} if standing is not None else {}),
        **({} if repeats is None else repeats.members()),
        "dct:accessRights": "kept in the vault: " + ", ".join(kept_back) if kept_back else "",
    }


def withdrawn_receipt(receipt: Mapping[str, Any], *, at: datetime) -> dict[str, Any]:
    """The same receipt, withdrawn: what was sent stays named."""
    return {
        **receipt,
        "dpv:hasConsentStatus": {"id": "dpv:ConsentWithdrawn"},
        "dct:modified": _instant(at),
    }
