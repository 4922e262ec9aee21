"""Preset dictionaries of DEFLATE, one per family of records: what every record of a kind repeats.

A number never changes its bytes, because stored payloads need them for ever; a better dictionary
gets a new number. What is most frequent stands last: near matches are cheaper. Each has at most
8 KiB, the window of a small payload.
"""

from collections.abc import Mapping
from typing import Final

_CONTEXT: Final = b'{"@context":["https://w3id.org/mobility-vault/v1"],"id":"urn:uuid:'
_ZONE: Final = b'","startZone":"Europe/Paris","endZone":"Europe/Paris","'
_MODES: Final = (
    b'"air_or_hsr""plane""ferry""motorcycle""moped""taxi""bikeshare""carshare""carpool""unknown"'
    b'"metro""tram""escooter""ebike""train""bus""car""walk""bicycle"'
)
_EVIDENCE: Final = b'"registry""operator""confirmed""corrected""declared""sensed"'

_TRIP: Final = b"".join(
    (
        b'"label":"","role":"other"},"role":"work"},"role":"home"},',
        b'"register":{"class":"C","status":"acquired"},"replacedMode":"car",',
        b'"aliases":["urn:uuid:","schemaVersion":1,"schema_version":1,',
        _MODES,
        _EVIDENCE,
        _CONTEXT,
        b'","type":"Trip","revision":1,"startedAt":"2026-',
        b'T07:00:00.000Z","endedAt":"2026-',
        b"T17:00:00.000Z",
        _ZONE,
        b'origin":{"id":"urn:uuid:","type":"Place","lat":43.2,"lon":2.3},"destination":{"id":"urn:uuid:',
        b'","type":"Place","lat":43.2,"lon":2.3},"legs":[{"id":"urn:uuid:","type":"Leg","mode":"walk',
        b'","modeEvidence":"sensed","distance":1200,"startedAt":"2026-T08:00:00.000Z","endedAt":"2026-',
        b'.000Z","origin":{"id":"urn:uuid:","type":"Place","lat":43.,"lon":2.},"destination":{"id":"urn:uuid:',
        b'","type":"Place","lat":43.,"lon":2.}},{"id":"urn:uuid:","type":"Leg","mode":"bicycle","modeEvidence":',
        b'"sensed","distance":3400,"startedAt":"2026-T09:00:00.000Z","endedAt":"2026-T18:00:00.000Z","origin":',
        b'{"id":"urn:uuid:","type":"Place","lat":43.,"lon":2.},"destination":{"id":"urn:uuid:","type":"Place",',
        b'"lat":43.,"lon":2.}}],"distance":4600,"mode":"bicycle","evidence":"sensed","modeEvidence":"sensed",',
        b'"purpose":"work","observations":["urn:uuid:"],"trackDigest":"sha256:',
    )
)
_OBSERVATION: Final = b"".join(
    (
        b'"scope":"interval","undoes":"urn:uuid:","until":"act":"mode","targets":["urn:uuid:"],"splitAt":"',
        b'"type":"Suppression","at":"2026-","type":"CitizenObservation","at":"2026-',
        b'"type":"DocumentObservation","deposited":{"@context":["https://w3id.org/mobility-vault/v1"],"id":"',
        b'"type":"LabelObservation","property":"replaced_mode","property":"purpose","property":"mode","value":"',
        b'"register":{"class":"C","status":"acquired"},"cancelled":true,"cancelled":false,"replacedMode":"car",',
        b'"by":"registry","confidence":0.,"by":"operator"}"by":"person"}"by":"inference"}',
        _MODES,
        _CONTEXT,
        b'","type":"TripObservation","source":"carpool-operator","source":"citizen","source":"push:","source":',
        b'"cozy","source":"tracemob","account":"","upstreamIds":["","writtenAt":"2026-T12:00:00.000Z',
        b'","startedAt":"2026-T07:00:00.000Z","endedAt":"2026-T17:00:00.000Z',
        _ZONE,
        b'seenOrigin":{"lat":43.2,"lon":2.3},"seenDestination":{"lat":43.2,"lon":2.3},"seenLegs":[{"modeClaims":',
        b'[{"mode":"walk","by":"sensor"}],"distance":1200,"startedAt":"2026-T08:00:00.000Z","endedAt":"2026-',
        b'.000Z","origin":{"lat":43.,"lon":2.},"destination":{"lat":43.,"lon":2.}},{"modeClaims":[{"mode":',
        b'"bicycle","by":"sensor"}],"distance":3400,"startedAt":"2026-T09:00:00.000Z","endedAt":"2026-T18:',
        b'00:00.000Z","origin":{"lat":43.,"lon":2.},"destination":{"lat":43.,"lon":2.},"upstreamId":""}],',
        b'"distance":4600,"modeClaims":[{"mode":"bicycle","by":"sensor","confidence":1.0}],"purpose":"work",',
        b'"track":[{"at":"2026-T07:00:00.000Z","lat":43.,"lon":2.},{"at":"2026-',
        b'"received":{"depositor":"did:web:","depositor":"did:key:z6Mk","account":"","manifest":"sha256:',
        b'","index":0,"receivedAt":"2026-T12:00:00.000Z","ceiling":"declared","ceiling":"sensed"}',
    )
)
_PAPER: Final = b"".join(
    (
        b'"credentialSubject":{"id":"did:key:zDn","issuer":"did:web:","validFrom":"2026-","validUntil":"2027-',
        b'"proof":{"type":"DataIntegrityProof","cryptosuite":"eddsa-rdfc-2022","created":"2026-T12:00:00Z',
        b'","verificationMethod":"did:web:#","proofPurpose":"assertionMethod","proofValue":"z',
        b'"@context":["https://www.w3.org/ns/credentials/v2","https://w3id.org/mobility-vault/v1"],"type":',
        b'["VerifiableCredential","UsageProof"]["VerifiableCredential","AffiliationCredential"]',
        b'"employerName":"","employerId":"","employeeNumber":"","nullifiers":[{"family":"","version":"","value":"',
        b'"type":"NamedPlace","revision":1,"role":"work","label":"","lat":43.,"lon":2.,"radius":300,"firstDay":"',
        b'2026-01-01","lastDay":"2026-12-31","confirmedAt":"2026-',
        b'"type":"Consent","revision":1,"recipient":"did:web:","recipientName":"","purpose":"","claims":["',
        b'"],"keptBack":["","legalBasis":"","givenAt":"2026-","expiresAt":"2026-","withdrawnAt":"2026-',
        b'"application":"urn:uuid:","presentationDigest":"sha256:","receipt":{"@context":"https://w3id.org/dpv',
        b'"type":"Award","revision":1,"application":"urn:uuid:","aid":"https://","amount":30000,"periodFrom":"',
        b'2026-01-01","periodUntil":"2026-12-31","awardCredential":"urn:uuid:","awardedAt":"2026-',
        b'"type":"AidApplication","revision":1,"aid":"https://","funder":"did:web:","state":"submitted',
        b'","submittedAt":"2026-","hub":"did:web:","reasons":[],"history":[{"id":"urn:uuid:","type":"Transition',
        b'","state":"draft","at":"2026-T12:00:00.000Z","actor":"","reason":""}',
        b'"type":"Document","revision":1,"title":"","fileType":"application/pdf","size":1,"contentDigest":"sha256:',
        b'"type":"Credential","revision":1,"credentialType":"","issuedBy":"did:web:","document":{"receivedAt":"',
        b'"type":"Attribute","revision":1,"attributeName":"identity.family_name","value":"","source":"","certifiedAt":"',
        b'2026-T12:00:00.000Z","degree":"relayed","degree":"signed","degree":"claimed","identityLevel":"',
        b'"type":"Subscription","revision":1,"network":"","product":"","holderName":"","payer":"","firstDay":"',
        b'2026-01-01","lastDay":"2026-01-31","number":"","evidence":"declared","invoice":"urn:uuid:',
        _EVIDENCE,
        _CONTEXT,
        b'","type":"Invoice","revision":1,"invoiceIssuer":"","invoiceIssuerSiret":"","number":"","issuedAt":"2026-',
        b'T12:00:00.000Z","total":4200,"currency":"EUR","lines":[{"id":"urn:uuid:","type":"InvoiceLine","label":"',
        b'","quantity":1,"unitAmount":4200}],"periodStart":"2026-01-01","periodEnd":"2026-01-31","payer":"',
        b'","holderName":"","evidence":"operator","observations":["urn:uuid:',
    )
)

_DEPOSITED: Final = b"".join(
    (
        b'{"type":"Suppression","undoUntil":"2026-{"act":"mode","targets":["urn:uuid:","splitAt":"',
        b'"},"type":"LabelObservation","labelProperty":"replaced_mode","labelProperty":"purpose","labelProperty":',
        b'"mode","labelValue":"","replacedMode":"car","register":{"class":"C","status":"acquired"},"cancelled":true,',
        b'"by":"registry","by":"operator","by":"person","by":"inference",',
        _MODES,
        b'"source":"carpool-operator","source":"citizen","source":"push:","source":"cozy","citizen',
        b'.fr","modeClaims":[{"by":"person","mode":"bicycle"}],"purpose":"work","role":"work"},',
        b"\x00\x38did:key:z6Mk\x00\x08",
        b'{"@context":["https://w3id.org/mobility-vault/v1"],"account":"","cancelled":false,"distance":',
        b',"endZone":"Europe/Paris","endedAt":"2026-11-01T05:25:02.000Z","id":"urn:uuid:-4',
        b'","seenDestination":{"lat":43.28,"lon":2.38},"seenLegs":[{"destination":{"lat":43.21,"lon":2.34},',
        b'"distance":704,"endedAt":"2026-11-01T05:16:47.000Z","modeClaims":[{"by":"sensor","confidence":0.86,',
        b'"mode":"walk"}],"origin":{"lat":43.2,"lon":2.35},"startedAt":"2026-11-01T05:08:07.000Z","upstreamId":"',
        b'"},{"destination":{"lat":43.28,"lon":2.38},"distance":10311,"endedAt":"2026-11-01T05:25:02.000Z',
        b'","modeClaims":[{"by":"sensor","confidence":0.9,"mode":"car"}],"origin":{"lat":43.21,"lon":2.34},',
        b'"startedAt":"2026-11-01T05:16:47.000Z","upstreamId":"-1"}],"seenOrigin":{"lat":43.2,"lon":2.35},',
        b'"source":"tracemob","startZone":"Europe/Paris","startedAt":"2026-11-01T05:08:07.000Z","track":"',
        b'","type":"TripObservation","upstreamIds":[""],"writtenAt":"20T06:25:02.000Z"}',
    )
)
"""As connectors write observations: names in order of the alphabet."""

DICTIONARIES: Final[Mapping[int, bytes]] = {2: _TRIP, 3: _OBSERVATION, 4: _PAPER, 5: _DEPOSITED}
"""By codec number; 0 and 1 are plain and without dictionary."""
BY_KIND: Final[Mapping[str, int]] = {
    "Trip": 2,
    "Observation": 3,
    "Invoice": 4,
    "Subscription": 4,
    "Attribute": 4,
    "NamedPlace": 4,
    "Credential": 4,
    "AidApplication": 4,
    "Award": 4,
    "Consent": 4,
    "Document": 4,
}
"""What a writer picks; a reader goes by the number alone."""

__all__ = ["BY_KIND", "DICTIONARIES"]
