"""Credential types of the federation: their shapes, and builders for their unsigned bodies.

A builder returns the body that `issue` signs: our two contexts, `urn:uuid` ids on every node, lists
sorted by id, no blank node.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

from federation.credentials.shape import CONTEXTS, Member, Shape, ShapeError, Value
from federation.trust import format_instant
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import Did, Digest, Iri, digest_text
from schemas.modes import Mode

__all__ = [
    "COMPUTED",
    "CREDENTIAL_TYPES",
    "PREFERENCES",
    "Nullifier",
    "affiliation",
    "award",
    "carpool_journey",
    "credential_body",
    "identity",
    "invoice",
    "json_schema",
    "pass_credential",
    "usage_proof",
]

_TEXT = Member(Value.TEXT)
_TEXT_OPTIONAL = Member(Value.TEXT, required=False)
_COUNT = Member(Value.COUNT)
_COUNT_OPTIONAL = Member(Value.COUNT, required=False)
_DATE = Member(Value.DATE)
_DATE_OPTIONAL = Member(Value.DATE, required=False)
_INSTANT = Member(Value.INSTANT)
_IRI = Member(Value.IRI)
_EVIDENCE = Member(Value.TEXT, one_of=frozenset(e.value for e in Evidence))
_MODE = Member(Value.TEXT, one_of=frozenset(m.value for m in Mode))
_CURRENCY = Member(Value.TEXT, one_of=frozenset({"EUR"}))
_NULLIFIERS = Member(
    Value.NODES,
    required=False,
    shape=Shape({"family": _TEXT, "version": _TEXT, "value": _TEXT}),
)

_CERTIFIED: Final = {
    "source": _TEXT,
    "certifiedAt": _INSTANT,
    "degree": Member(Value.TEXT, one_of=frozenset({"signed", "relayed", "claimed"})),
}
"""Where a certified fact was read, when, and how far the issuer vouches for it."""

_COMPUTED: Final = {
    "assuranceMethod": Member(
        Value.TEXT,
        required=False,
        one_of=frozenset(
            {AssuranceMethod.VAULT_ATTESTED.value, AssuranceMethod.SELF_DECLARED.value}
        ),
    ),
}
"""Of a fact that was computed in an open vault: who vouches for the computation; absent where the
source itself signs. `source`, `certifiedAt` and `degree` then say what it was computed from: the
weakest of all that was read."""

METRICS: Final = ("eligible-days", "trips", "distance", "co2e")
"""What a usage proof may count; `federation.usage.Metric` says what each is."""
_FIGURES: Final = ("days", "trips", "distance", "co2e", "co2eAlone", "atLeast", "below")

CREDENTIAL_TYPES: Final[Mapping[str, Shape]] = {
    "UsageProof": Shape(
        {
            "metric": Member(Value.TEXT, one_of=frozenset(METRICS)),
            "periodFrom": _DATE,
            "periodUntil": _DATE,
            "rule": _IRI,
            "ruleVersion": _TEXT,
            "days": _COUNT_OPTIONAL,
            "trips": _COUNT_OPTIONAL,
            "distance": _COUNT_OPTIONAL,
            "co2e": _COUNT_OPTIONAL,
            "co2eAlone": _COUNT_OPTIONAL,
            "co2Factor": _TEXT_OPTIONAL,
            "atLeast": _COUNT_OPTIONAL,
            "below": _COUNT_OPTIONAL,
            "daysByMode": Member(
                Value.NODES, required=False, shape=Shape({"mode": _MODE, "days": _COUNT})
            ),
            "weakestEvidence": _EVIDENCE,
            "daysByEvidence": Member(
                Value.NODES, required=False, shape=Shape({"evidence": _EVIDENCE, "days": _COUNT})
            ),
            "assuranceMethod": Member(
                Value.TEXT, one_of=frozenset(m.value for m in AssuranceMethod)
            ),
            "evidenceRoot": Member(Value.DIGEST, required=False),
            "treeSize": _COUNT_OPTIONAL,
            "attesterSoftware": _TEXT_OPTIONAL,
        }
    ),
    "AffiliationCredential": Shape(
        {
            "employerName": _TEXT,
            "employerId": _TEXT,
            "employeeNumber": _TEXT,
            "status": _TEXT,
            "nullifiers": _NULLIFIERS,
        }
    ),
    "CarpoolJourney": Shape(
        {
            "journey": _IRI,
            "startedAt": _INSTANT,
            "endedAt": _INSTANT,
            "distance": _COUNT,
            "role": Member(Value.TEXT, one_of=frozenset({"driver", "passenger"})),
            "originCommune": _TEXT_OPTIONAL,
            "destinationCommune": _TEXT_OPTIONAL,
            "registerClass": Member(Value.TEXT, required=False, one_of=frozenset({"A", "B", "C"})),
            "registerStatus": _TEXT_OPTIONAL,
            "nullifiers": _NULLIFIERS,
        }
    ),
    "IdentityCredential": Shape(
        {
            "givenName": _TEXT,
            "familyName": _TEXT,
            "birthDate": _DATE_OPTIONAL,
            "birthPlace": _TEXT_OPTIONAL,
            "birthCountry": _TEXT_OPTIONAL,
            "gender": _TEXT_OPTIONAL,
            "identityLevel": _TEXT,
            "source": _TEXT,
            "certifiedAt": _INSTANT,
            "degree": Member(Value.TEXT, one_of=frozenset({"signed", "relayed", "claimed"})),
            "nullifiers": _NULLIFIERS,
        }
    ),
    "AwardCredential": Shape(
        {
            "aid": _IRI,
            "aidVersion": _TEXT,
            "funderName": _TEXT,
            "application": _IRI,
            "amount": _COUNT,
            "currency": _CURRENCY,
            "periodFrom": _DATE,
            "periodUntil": _DATE,
            "decidedAt": _INSTANT,
        }
    ),
    "PassCredential": Shape(
        {
            "network": _TEXT,
            "product": _TEXT,
            "holderName": _TEXT,
            "payer": _TEXT,
            "number": _TEXT_OPTIONAL,
            "periodFrom": _DATE,
            "periodUntil": _DATE,
            "amount": _COUNT_OPTIONAL,
            "currency": Member(Value.TEXT, required=False, one_of=frozenset({"EUR"})),
            "nullifiers": _NULLIFIERS,
        }
    ),
    "InvoiceCredential": Shape(
        {
            "invoiceIssuer": _TEXT,
            "invoiceIssuerSiret": _TEXT_OPTIONAL,
            "number": _TEXT,
            "issuedOn": _DATE,
            "total": _COUNT,
            "currency": _CURRENCY,
            "periodFrom": _DATE_OPTIONAL,
            "periodUntil": _DATE_OPTIONAL,
            "holderName": _TEXT_OPTIONAL,
            "payer": _TEXT_OPTIONAL,
            "nullifiers": _NULLIFIERS,
        }
    ),
    "RentalCredential": Shape(
        {
            "rental": _IRI,
            "network": _TEXT,
            "mode": _MODE,
            "vehicleType": _TEXT_OPTIONAL,
            "startedAt": _INSTANT,
            "endedAt": _INSTANT,
            "distance": _COUNT_OPTIONAL,
            "amount": _COUNT_OPTIONAL,
            "currency": Member(Value.TEXT, required=False, one_of=frozenset({"EUR"})),
            "nullifiers": _NULLIFIERS,
        }
    ),
    "TripCredential": Shape(
        {
            "month": _TEXT,
            "mode": _MODE,
            "distanceAtLeast": _COUNT,
            "evidence": _EVIDENCE,
            "registerClass": Member(Value.TEXT, required=False, one_of=frozenset({"A", "B", "C"})),
            "registerStatus": _TEXT_OPTIONAL,
            "co2e": _COUNT_OPTIONAL,
            "co2Factor": _TEXT_OPTIONAL,
            "nullifiers": _NULLIFIERS,
        }
    ),
    "AddressCredential": Shape(
        {
            "street": _TEXT_OPTIONAL,
            "postalCode": _TEXT,
            "locality": _TEXT,
            "commune": _TEXT,
            "country": _TEXT,
            "since": _DATE_OPTIONAL,
            **_CERTIFIED,
        }
    ),
    "DrivingLicenceCredential": Shape(
        {
            "categories": Member(
                Value.NODES,
                shape=Shape(
                    {
                        "category": _TEXT,
                        "firstDay": _DATE_OPTIONAL,
                        "lastDay": _DATE_OPTIONAL,
                    }
                ),
            ),
            "licenceNumber": _TEXT_OPTIONAL,
            **_CERTIFIED,
        }
    ),
    "StudentCredential": Shape(
        {
            "institution": _TEXT,
            "studentStatus": Member(
                Value.TEXT, one_of=frozenset({"student", "apprentice", "pupil"})
            ),
            "grantStep": _TEXT_OPTIONAL,
            "periodFrom": _DATE,
            "periodUntil": _DATE,
            **_CERTIFIED,
        }
    ),
    "TaxBracketCredential": Shape(
        {
            "taxYear": _COUNT,
            "scale": _TEXT,
            "bracket": _TEXT,
            "atLeast": _COUNT_OPTIONAL,
            "below": _COUNT_OPTIONAL,
            **_CERTIFIED,
        }
    ),
    "MandateCredential": Shape(
        {
            "delegate": _IRI,
            "delegateName": _TEXT,
            "mandateActs": Member(Value.NODES, shape=Shape({"act": _TEXT})),
            "purpose": _TEXT,
            "periodFrom": _DATE,
            "periodUntil": _DATE,
        }
    ),
    "VehicleClassCredential": Shape(
        {
            "vehicleType": _TEXT,
            "energy": _TEXT_OPTIONAL,
            "critAir": _TEXT_OPTIONAL,
            "mass": _COUNT_OPTIONAL,
            "firstRegistered": _DATE_OPTIONAL,
            "derogation": _TEXT_OPTIONAL,
            "lastDay": _DATE_OPTIONAL,
            "nullifiers": _NULLIFIERS,
            **_CERTIFIED,
        }
    ),
    "ZoneAccessCredential": Shape(
        {
            "zone": _TEXT,
            "zoneName": _TEXT_OPTIONAL,
            "critAir": _TEXT_OPTIONAL,
            "derogation": _TEXT_OPTIONAL,
            "identification": _TEXT_OPTIONAL,
            "firstDay": _DATE,
            "lastDay": _DATE,
            "application": Member(Value.IRI, required=False),
            "decidedAt": _INSTANT,
            **{name: replace(member, required=False) for name, member in _CERTIFIED.items()},
            **_COMPUTED,
        }
    ),
    "AgeCredential": Shape({"ageAtLeast": _COUNT, **_CERTIFIED, **_COMPUTED}),
    "TariffCredential": Shape(
        {
            "tariff": _IRI,
            "tariffVersion": _TEXT,
            "tariffStatus": _TEXT,
            "periodUntil": _DATE,
            **_CERTIFIED,
            **_COMPUTED,
        }
    ),
    "NoPriorAidCredential": Shape(
        {
            "family": _TEXT,
            "version": _TEXT,
            "periodFrom": _DATE,
            "periodUntil": _DATE,
            "checkedAt": _INSTANT,
        }
    ),
    "ExtensionStatement": Shape(
        {
            "extension": _TEXT,
            "extensionVersion": _COUNT,
            "facts": Member(
                Value.NODES, required=False, shape=Shape({"name": _TEXT, "value": _TEXT})
            ),
        }
    ),
    "TravelPreferences": Shape(
        {
            "travelModes": Member(
                Value.NODES,
                required=False,
                shape=Shape(
                    {
                        "mode": _MODE,
                        "modeChoice": Member(Value.TEXT, one_of=frozenset({"liked", "refused"})),
                    }
                ),
            ),
            "wheelchair": Member(Value.TEXT, required=False, one_of=frozenset({"yes"})),
            "longestWalk": _COUNT_OPTIONAL,
            "longestRide": _COUNT_OPTIONAL,
            "homeCommune": _TEXT_OPTIONAL,
            "workCommune": _TEXT_OPTIONAL,
            "passes": Member(
                Value.NODES,
                required=False,
                shape=Shape({"network": _TEXT, "product": _TEXT, "periodUntil": _DATE}),
            ),
        }
    ),
}
"""Shape of `credentialSubject` for each type."""

COMPUTED: Final = frozenset(
    name
    for name, shape in CREDENTIAL_TYPES.items()
    if name != "UsageProof" and "assuranceMethod" in shape.members
)
"""Types whose facts a vault may compute from others it holds."""
PREFERENCES: Final = frozenset({"ExtensionStatement", "TravelPreferences"})
"""Types that say what their holder wants: the holder's own key signs them."""


@dataclass(frozen=True, slots=True)
class Nullifier:
    """A family's one-way name for a person, trip, invoice or pass: equal for equal inputs,
    meaningless elsewhere."""

    family: str
    version: str
    value: str


def credential_body(
    credential_type: str,
    *,
    holder: Did,
    members: Mapping[str, Any],
    valid_until: datetime | None = None,
) -> dict[str, Any]:
    """Body of any of our types from plain members: nodes are given without ids, nullifiers as
    `Nullifier`s, dates and instants as `date` and `datetime`; absent members as None.

    Raises:
        ShapeError: `type-unknown`. Everything else is refused when it is issued.
    """
    shape = CREDENTIAL_TYPES.get(credential_type)
    if shape is None:
        raise ShapeError("type-unknown", "/type", "not a credential type of the federation")
    written: dict[str, Any] = {}
    for name in (*shape.members, *(n for n in members if n not in shape.members)):
        value = members.get(name)
        if name == "nullifiers":
            value = _nullifiers(value or ())
        elif isinstance(value, datetime):
            value = format_instant(value)
        elif isinstance(value, date):
            value = value.isoformat()
        elif isinstance(value, list | tuple):
            value = _nodes({k: _plain(v) for k, v in node.items()} for node in value)
        written[name] = value
    return _body(credential_type, holder, written, valid_until)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def usage_proof(
    *,
    holder: Did,
    period: tuple[date, date],
    rule: Iri,
    rule_version: str,
    weakest_evidence: Evidence,
    assurance: AssuranceMethod,
    metric: str = "eligible-days",
    figures: Mapping[str, int] | None = None,
    days: int | None = None,
    days_by_mode: Mapping[Mode, int] | None = None,
    days_by_evidence: Mapping[Evidence, int] | None = None,
    evidence_root: Digest | None = None,
    tree_size: int | None = None,
    attester_software: str | None = None,
    co2_factor: str | None = None,
    valid_until: datetime | None = None,
) -> dict[str, Any]:
    """Body of a usage proof: one figure of a period, and nothing of any single trip.

    Both ends of `period` belong to it. `figures` is what `federation.usage.disclosed` says (`days`
    for short); emissions name the version of their factors, `co2_factor`, and an exact figure of
    them has `co2eAlone` beside it, the same distance alone in a thermal car. `evidence_root` and
    `tree_size` commit to the observations (`vault-attested`).
    """
    given = {"days": days, **(figures or {})}
    return _body(
        "UsageProof",
        holder,
        {
            "metric": metric,
            "periodFrom": period[0].isoformat(),
            "periodUntil": period[1].isoformat(),
            "rule": rule,
            "ruleVersion": rule_version,
            **{n: given.get(n) for n in _FIGURES},
            "co2Factor": co2_factor,
            "daysByMode": _nodes(
                {"mode": mode.value, "days": n} for mode, n in (days_by_mode or {}).items()
            ),
            "weakestEvidence": weakest_evidence.value,
            "daysByEvidence": _nodes(
                {"evidence": e.value, "days": n} for e, n in (days_by_evidence or {}).items()
            ),
            "assuranceMethod": assurance.value,
            "evidenceRoot": digest_text(evidence_root) if evidence_root is not None else None,
            "treeSize": tree_size,
            "attesterSoftware": attester_software,
        },
        valid_until,
    )


def affiliation(
    *,
    holder: Did,
    employer_name: str,
    employer_id: str,
    employee_number: str,
    status: str,
    nullifiers: Iterable[Nullifier] = (),
    valid_until: datetime | None = None,
) -> dict[str, Any]:
    """Body of an employer's affiliation. `employer_id` is the SIRET; `status` e.g.
    `agent-contractuel-public`."""
    return _body(
        "AffiliationCredential",
        holder,
        {
            "employerName": employer_name,
            "employerId": employer_id,
            "employeeNumber": employee_number,
            "status": status,
            "nullifiers": _nullifiers(nullifiers),
        },
        valid_until,
    )


def carpool_journey(
    *,
    holder: Did,
    journey: Iri,
    started_at: datetime,
    ended_at: datetime,
    distance: int,
    role: str,
    origin_commune: str | None = None,
    destination_commune: str | None = None,
    register_class: str | None = None,
    register_status: str | None = None,
    nullifiers: Iterable[Nullifier] = (),
    valid_until: datetime | None = None,
) -> dict[str, Any]:
    """Body of a carpool journey signed by its operator; `distance` in metres, communes by INSEE
    code."""
    return _body(
        "CarpoolJourney",
        holder,
        {
            "journey": journey,
            "startedAt": format_instant(started_at),
            "endedAt": format_instant(ended_at),
            "distance": distance,
            "role": role,
            "originCommune": origin_commune,
            "destinationCommune": destination_commune,
            "registerClass": register_class,
            "registerStatus": register_status,
            "nullifiers": _nullifiers(nullifiers),
        },
        valid_until,
    )


def identity(
    *,
    holder: Did,
    given_name: str,
    family_name: str,
    identity_level: str,
    source: str,
    certified_at: datetime,
    degree: str,
    birth_date: date | None = None,
    birth_place: str | None = None,
    birth_country: str | None = None,
    gender: str | None = None,
    nullifiers: Iterable[Nullifier] = (),
    valid_until: datetime | None = None,
) -> dict[str, Any]:
    """Body of an identity; `degree` is `signed`, `relayed` or `claimed`, `identity_level` e.g.
    `eidas-substantial`."""
    return _body(
        "IdentityCredential",
        holder,
        {
            "givenName": given_name,
            "familyName": family_name,
            "birthDate": birth_date.isoformat() if birth_date else None,
            "birthPlace": birth_place,
            "birthCountry": birth_country,
            "gender": gender,
            "identityLevel": identity_level,
            "source": source,
            "certifiedAt": format_instant(certified_at),
            "degree": degree,
            "nullifiers": _nullifiers(nullifiers),
        },
        valid_until,
    )


def award(
    *,
    holder: Did,
    aid: Iri,
    aid_version: str,
    funder_name: str,
    application: Iri,
    amount: int,
    period: tuple[date, date],
    decided_at: datetime,
    valid_until: datetime | None = None,
) -> dict[str, Any]:
    """Body of an award (« aide accordée »); `amount` in cents of euro."""
    return _body(
        "AwardCredential",
        holder,
        {
            "aid": aid,
            "aidVersion": aid_version,
            "funderName": funder_name,
            "application": application,
            "amount": amount,
            "currency": "EUR",
            "periodFrom": period[0].isoformat(),
            "periodUntil": period[1].isoformat(),
            "decidedAt": format_instant(decided_at),
        },
        valid_until,
    )


def pass_credential(
    *,
    holder: Did,
    network: str,
    product: str,
    holder_name: str,
    payer: str,
    period: tuple[date, date],
    number: str | None = None,
    amount: int | None = None,
    nullifiers: Iterable[Nullifier] = (),
    valid_until: datetime | None = None,
) -> dict[str, Any]:
    """Body of a transport pass: whose it is (`holder_name`) and who paid (`payer`) are two things;
    `amount` in cents."""
    return _body(
        "PassCredential",
        holder,
        {
            "network": network,
            "product": product,
            "holderName": holder_name,
            "payer": payer,
            "number": number,
            "periodFrom": period[0].isoformat(),
            "periodUntil": period[1].isoformat(),
            "amount": amount,
            "currency": "EUR" if amount is not None else None,
            "nullifiers": _nullifiers(nullifiers),
        },
        valid_until,
    )


def invoice(
    *,
    holder: Did,
    issuer_name: str,
    number: str,
    issued_on: date,
    total: int,
    issuer_siret: str | None = None,
    period: tuple[date, date] | None = None,
    holder_name: str | None = None,
    payer: str | None = None,
    nullifiers: Iterable[Nullifier] = (),
    valid_until: datetime | None = None,
) -> dict[str, Any]:
    """Body of an invoice signed by who issued it; `total` in cents of euro, taxes included."""
    return _body(
        "InvoiceCredential",
        holder,
        {
            "invoiceIssuer": issuer_name,
            "invoiceIssuerSiret": issuer_siret,
            "number": number,
            "issuedOn": issued_on.isoformat(),
            "total": total,
            "currency": "EUR",
            "periodFrom": period[0].isoformat() if period else None,
            "periodUntil": period[1].isoformat() if period else None,
            "holderName": holder_name,
            "payer": payer,
            "nullifiers": _nullifiers(nullifiers),
        },
        valid_until,
    )


def _body(
    credential_type: str, holder: Did, members: Mapping[str, Any], valid_until: datetime | None
) -> dict[str, Any]:
    present = {name: value for name, value in members.items() if value not in (None, [])}
    return {
        "@context": list(CONTEXTS),
        "id": _name(),
        "type": ["VerifiableCredential", credential_type],
        **({"validUntil": format_instant(valid_until)} if valid_until else {}),
        "credentialSubject": {"id": holder, **present},
    }


def _nullifiers(nullifiers: Iterable[Nullifier]) -> list[dict[str, Any]]:
    return _nodes({"family": n.family, "version": n.version, "value": n.value} for n in nullifiers)


def _nodes(members: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return sorted(({"id": _name(), **node} for node in members), key=lambda node: str(node["id"]))


def _name() -> str:
    return uuid.uuid4().urn


_JSON_TYPES: Final[Mapping[Value, Mapping[str, Any]]] = {
    Value.TEXT: {"type": "string", "minLength": 1},
    Value.IRI: {"type": "string", "format": "uri"},
    Value.DATE: {"type": "string", "format": "date"},
    Value.INSTANT: {"type": "string", "format": "date-time", "pattern": "Z$"},
    Value.COUNT: {"type": "integer", "minimum": 0},
    Value.DIGEST: {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
}


def json_schema(credential_type: str) -> dict[str, Any]:
    """JSON Schema (2020-12) of a credential of this type, made from its shape.

    Raises:
        ShapeError: `type-unknown`.
    """
    shape = CREDENTIAL_TYPES.get(credential_type)
    if shape is None:
        raise ShapeError("type-unknown", "/type", "not a credential type of the federation")
    text, instant = _JSON_TYPES[Value.IRI], _JSON_TYPES[Value.INSTANT]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": credential_type,
        "type": "object",
        "additionalProperties": False,
        "required": ["@context", "id", "type", "issuer", "validFrom", "credentialSubject", "proof"],
        "properties": {
            "@context": {"const": list(CONTEXTS)},
            "id": text,
            "type": {"const": ["VerifiableCredential", credential_type]},
            "issuer": text,
            "validFrom": instant,
            "validUntil": instant,
            "credentialSubject": _node_schema(shape),
            "credentialStatus": {"type": ["object", "array"]},
            "proof": {"type": "object"},
        },
    }


def _node_schema(shape: Shape) -> dict[str, Any]:
    properties: dict[str, Any] = {"id": dict(_JSON_TYPES[Value.IRI])}
    for name, member in shape.members.items():
        if member.kind is Value.NODES:
            properties[name] = {
                "type": "array",
                "minItems": 1,
                "items": _node_schema(member.shape or Shape()),
            }
        else:
            properties[name] = {
                **_JSON_TYPES[member.kind],
                **({"enum": sorted(member.one_of)} if member.one_of else {}),
            }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", *(n for n, m in shape.members.items() if m.required)],
        "properties": properties,
    }
