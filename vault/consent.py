"""Consent receipts: a `dpv:ConsentRecord` with the fields of ISO/IEC TS 27560, as JSON-LD.

The receipt names kinds of data, never values: it may be shown to anybody whom the citizen shows
that they consented. Vocabulary: DPV 2.3 (`hasExpiry`, `hasRetention` and `hasIndication` do not
exist there; the expiry is a `dpv:hasDuration` with `dct:valid`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from schemas.ids import Did, Digest, Iri, digest_text

__all__ = ["consent_receipt", "withdrawn_receipt"]

_CONTEXT: Final[Mapping[str, Any]] = {
    "dpv": "https://w3id.org/dpv#",
    "dct": "http://purl.org/dc/terms/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "id": "@id",
    "type": "@type",
}

_DATA: Final[Mapping[str, str]] = {
    "UsageProof": "https://w3id.org/dpv/pd#TravelHistory",
    "AffiliationCredential": "https://w3id.org/dpv/pd#CurrentEmployment",
    "IdentityCredential": "https://w3id.org/dpv/pd#OfficialID",
    "PassCredential": "https://w3id.org/dpv/pd#PurchasesAndSpendingHabit",
    "InvoiceCredential": "https://w3id.org/dpv/pd#PurchasesAndSpendingHabit",
}


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
) -> dict[str, Any]:
    """The receipt of one consent, given by a person on a page that showed `notice`.

    `subject` is the holder key of this recipient, so two receipts of one person do not link.
    """
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
        "dpv:isIndicatedAtTime": _instant(given_at),
        "dpv:hasIndicationMethod": "confirmation on the consent page of an unlocked vault",
        "dpv:hasDuration": {"type": "dpv:Duration", "dct:valid": _instant(expires_at)}
        if expires_at is not None
        else {"id": "dpv:IndeterminateDuration"},
        "dpv:hasStorageCondition": retention or "as the recipient's notice says",
        "dpv:hasRight": [{"id": "dpv:DataSubjectRight"}],
        "dct:source": digest_text(presentation),
        **({"dct:subject": {"id": application}} if application is not None else {}),
        **({"dct:references": legal} if legal is not None else {}),
        "dct:accessRights": "kept in the vault: " + ", ".join(kept_back) if kept_back else "",
    }


def withdrawn_receipt(receipt: Mapping[str, Any], *, at: datetime) -> dict[str, Any]:
    """The same receipt, withdrawn: what was sent stays named."""
    return {
        **receipt,
        "dpv:hasConsentStatus": {"id": "dpv:ConsentWithdrawn"},
        "dct:modified": _instant(at),
    }
