"""What an aid asks of a vault, as a DCQL query.

A usage proof may arrive in two ways, in the funder's order of preference: trips that their source
signed one by one (SD-JWT VCs that show coarse claims only), or one `UsageProof`. The credential
that carries the person's nullifier is asked as an SD-JWT VC where one issuer holds the families
(pivot level): only the family of this aid is disclosed.
"""

from collections.abc import Mapping
from typing import Final

from federation.aids.model import Aid, IdentityLevel
from federation.aids.prior_aid import NO_PRIOR_AID
from federation.openid4vp import ClaimQuery, CredentialQuery, CredentialSetQuery, DcqlQuery
from federation.usage import TRIP, USAGE, ProofTemplate, trip_claims
from schemas.evidence import AssuranceMethod

__all__ = ["NULLIFIED_BY", "QUERY_IDS", "query_of"]

QUERY_IDS: Final = {
    USAGE: "usage",
    TRIP: "trips",
    "AffiliationCredential": "affiliation",
    "PassCredential": "pass",
    "InvoiceCredential": "invoice",
    "IdentityCredential": "identity",
    "CarpoolJourney": "carpool",
    "RentalCredential": "rental",
    "VehicleClassCredential": "vehicle",
    "ZoneAccessCredential": "zone-access",
    "AddressCredential": "address",
    "StudentCredential": "student",
    "TaxBracketCredential": "bracket",
    "DrivingLicenceCredential": "licence",
    "MandateCredential": "mandate",
    NO_PRIOR_AID: "no-prior-aid",
    "AwardCredential": "award",
    "ExtensionStatement": "extension",
    "AgeCredential": "age",
    "TariffCredential": "tariff",
    "TravelPreferences": "travel",
}
"""DCQL id of each credential type in our requests."""

_NAME: Final = ("familyName", "givenName", "identityLevel")
"""What an aid decided on documents reads of an identity: who, and how well known."""

NULLIFIED_BY: Final[Mapping[IdentityLevel, str]] = {
    IdentityLevel.PIVOT: "IdentityCredential",
    IdentityLevel.EMPLOYER: "AffiliationCredential",
}
"""Credential that carries the person's nullifier, by identity level."""


def query_of(aid: Aid) -> DcqlQuery:
    """The query of an aid's request."""
    queries = [_required(aid, name) for name in aid.credentials_required]
    if aid.proof is None:
        return DcqlQuery(tuple(queries))
    usage, options = _usage(aid.proof)
    sets = (
        CredentialSetQuery(options),
        *(CredentialSetQuery(((query.id,),)) for query in queries),
    )
    if len(options) == 1:
        return DcqlQuery((*usage, *queries))
    return DcqlQuery((*usage, *queries), sets)


def _usage(template: ProofTemplate) -> tuple[list[CredentialQuery], tuple[tuple[str, ...], ...]]:
    proof = CredentialQuery(QUERY_IDS[USAGE], USAGE)
    if not template.takes_signed_trips:
        return [proof], ((proof.id,),)
    trips = CredentialQuery(
        QUERY_IDS[TRIP],
        TRIP,
        claims=tuple(ClaimQuery(path) for path in trip_claims(template)),
        format="dc+sd-jwt",
        multiple=True,
    )
    if template.minimum_assurance is AssuranceMethod.SOURCE_TRIPS:
        return [trips], ((trips.id,),)
    return [trips, proof], ((trips.id,), (proof.id,))


def _required(aid: Aid, name: str) -> CredentialQuery:
    if name == NO_PRIOR_AID and aid.family:
        said = {"family": aid.family, "version": str(aid.family_version)}
        return CredentialQuery(
            QUERY_IDS[name],
            name,
            claims=tuple(
                ClaimQuery(("credentialSubject", member), values=(value,))
                for member, value in said.items()
            ),
        )
    if name == "IdentityCredential" and aid.family and aid.identity_level is IdentityLevel.PIVOT:
        return CredentialQuery(
            QUERY_IDS[name],
            name,
            claims=(ClaimQuery(("identityLevel",)), ClaimQuery(("nullifiers", aid.family))),
            format="dc+sd-jwt",
        )
    if name == "IdentityCredential" and aid.identity_level is IdentityLevel.DOCUMENT:
        return CredentialQuery(
            QUERY_IDS[name],
            name,
            claims=tuple(ClaimQuery((claim,)) for claim in _NAME),
            format="dc+sd-jwt",
        )
    return CredentialQuery(QUERY_IDS[name], name)
