"""Aids as linked data: schema.org's `FinancialIncentive` and CPSV-AP's `PublicService` at once.

One table of terms (`TERMS`) gives the JSON-LD context and the N-Quads, so both say the same. Every
node has an address of its own under the hub's origin: no blank node, and the same aid is the same
bytes. The context stands in the document, so nobody fetches anything to read it.

Sources: schema.org 30.0 (`FinancialIncentive`), CPSV-AP 3.2, DCAT-AP 3 (`dump.py` uses the same
table). Shapes: `exchange/aid.shapes.ttl`; the catalogue's own JSON: `exchange/aid.schema.json`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any, Final
from urllib.parse import quote

from federation.aids.model import Aid, AidStatus, CheckMode, PaymentMode, Text
from federation.aids.territories import EVERYWHERE, territory_name
from schemas.members import literal

__all__ = [
    "CONTEXT",
    "Linked",
    "aid_node",
    "aid_schema",
    "aid_shapes",
    "area_node",
    "licence_iri",
    "nquads",
    "territory_iri",
    "without_nothing",
]

SCHEMA: Final = "https://schema.org/"
CPSV: Final = "http://purl.org/vocab/cpsv#"
CV: Final = "http://data.europa.eu/m8g/"
DCT: Final = "http://purl.org/dc/terms/"
DCAT: Final = "http://www.w3.org/ns/dcat#"
ADMS: Final = "http://www.w3.org/ns/adms#"
ELI: Final = "http://data.europa.eu/eli/ontology#"
SKOS: Final = "http://www.w3.org/2004/02/skos/core#"
RDFS: Final = "http://www.w3.org/2000/01/rdf-schema#"
FOAF: Final = "http://xmlns.com/foaf/0.1/"
HYDRA: Final = "http://www.w3.org/ns/hydra/core#"
MV: Final = "https://w3id.org/mobility-vault/vocab#"
XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_RDF_TYPE: Final = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"

TERMS: Final[Mapping[str, tuple[str, str]]] = {
    # name: (IRI, kind): `iri`, `node`, `words` (by language), `text`, or a datatype of XSD
    "name": (f"{SCHEMA}name", "words"),
    "title": (f"{DCT}title", "words"),
    "description": (f"{DCT}description", "words"),
    "identifier": (f"{DCT}identifier", "text"),
    "slug": (f"{MV}slug", "text"),
    "version": (f"{SCHEMA}version", "text"),
    "status": (f"{ADMS}status", "iri"),
    "incentiveStatus": (f"{SCHEMA}incentiveStatus", "iri"),
    "incentiveType": (f"{SCHEMA}incentiveType", "iri"),
    "competentAuthority": (f"{CV}hasCompetentAuthority", "node"),
    "provider": (f"{SCHEMA}provider", "iri"),
    "label": (f"{SKOS}prefLabel", "words"),
    "spatial": (f"{DCT}spatial", "iri"),
    "areaServed": (f"{SCHEMA}areaServed", "node"),
    "territoryCode": (f"{MV}territoryCode", "text"),
    "territoryLevel": (f"{MV}territoryLevel", "text"),
    "subject": (f"{DCT}subject", "iri"),
    "keyword": (f"{DCAT}keyword", "words"),
    "processingTime": (f"{CV}processingTime", "duration"),
    "validThrough": (f"{SCHEMA}validThrough", "date"),
    "validFrom": (f"{SCHEMA}validFrom", "date"),
    "legalResource": (f"{CV}hasLegalResource", "node"),
    "legalDate": (f"{ELI}date_document", "date"),
    "seeAlso": (f"{RDFS}seeAlso", "iri"),
    "input": (f"{CPSV}hasInput", "node"),
    "url": (f"{SCHEMA}url", "iri"),
    "source": (f"{MV}source", "text"),
    "sourceLicence": (f"{MV}sourceLicence", "text"),
    "license": (f"{DCT}license", "iri"),
    "lastVerified": (f"{MV}lastVerified", "date"),
    "nextReview": (f"{MV}nextReview", "date"),
    "modified": (f"{DCT}modified", "dateTime"),
    "issued": (f"{DCT}issued", "dateTime"),
    "checkMode": (f"{MV}checkMode", "text"),
    "payment": (f"{MV}payment", "text"),
    "identityLevel": (f"{MV}identityLevel", "text"),
    "family": (f"{MV}family", "text"),
    "stacking": (f"{MV}stacking", "words"),
    "notProven": (f"{MV}notProven", "words"),
    "credentialRequired": (f"{MV}credentialRequired", "text"),
    "metric": (f"{MV}metric", "text"),
    "minimumEvidence": (f"{MV}minimumEvidence", "text"),
    "minimumAssurance": (f"{MV}minimumAssurance", "text"),
    "ruleModel": (f"{MV}ruleModel", "text"),
    "ruleName": (f"{MV}rule", "text"),
    "parameter": (f"{MV}parameter", "node"),
    "value": (f"{SCHEMA}value", "text"),
    "verifiedOn": (f"{MV}verifiedOn", "date"),
    "example": (f"{MV}example", "node"),
    "expectedAmount": (f"{MV}expectedAmount", "integer"),
    "deleted": (f"{MV}deleted", "dateTime"),
    "incentiveAmount": (f"{SCHEMA}incentiveAmount", "node"),
    "maxValue": (f"{SCHEMA}maxValue", "decimal"),
    "currency": (f"{SCHEMA}currency", "text"),
    "unitText": (f"{SCHEMA}unitText", "text"),
    "ceilingKind": (f"{MV}ceilingKind", "text"),
    # a territory
    "population": (f"{MV}population", "integer"),
    "aid": (f"{MV}aid", "node"),
    "deed": (f"{MV}deed", "text"),
    "containsPlace": (f"{SCHEMA}containsPlace", "node"),
    "aidCount": (f"{MV}aidCount", "integer"),
    # what is built there
    "infrastructure": (f"{MV}infrastructure", "node"),
    "infrastructureKind": (f"{MV}infrastructureKind", "text"),
    "count": (f"{MV}count", "integer"),
    "amount": (f"{MV}amount", "integer"),
    "dataDate": (f"{MV}dataDate", "date"),
    # an operator's offer
    "offer": (f"{MV}offer", "node"),
    "seller": (f"{SCHEMA}seller", "node"),
    "mode": (f"{MV}mode", "text"),
    "expense": (f"{MV}expense", "text"),
    "eligibleRegion": (f"{SCHEMA}eligibleRegion", "node"),
    "price": (f"{SCHEMA}price", "decimal"),
    "priceCurrency": (f"{SCHEMA}priceCurrency", "text"),
    "priceText": (f"{MV}priceText", "words"),
    "proofOfExpense": (f"{MV}proofOfExpense", "text"),
    "paidBy": (f"{MV}paidBy", "iri"),
    # DCAT-AP 3
    "publisher": (f"{DCT}publisher", "node"),
    "agentName": (f"{FOAF}name", "text"),
    "homepage": (f"{FOAF}homepage", "iri"),
    "dataset": (f"{DCAT}dataset", "node"),
    "service": (f"{DCAT}service", "node"),
    "distribution": (f"{DCAT}distribution", "node"),
    "accessURL": (f"{DCAT}accessURL", "iri"),
    "downloadURL": (f"{DCAT}downloadURL", "iri"),
    "mediaType": (f"{DCAT}mediaType", "iri"),
    "format": (f"{DCT}format", "iri"),
    "byteSize": (f"{DCAT}byteSize", "nonNegativeInteger"),
    "conformsTo": (f"{DCT}conformsTo", "iri"),
    "language": (f"{DCT}language", "iri"),
    "dataTheme": (f"{DCAT}theme", "iri"),
    "accrualPeriodicity": (f"{DCT}accrualPeriodicity", "iri"),
    "landingPage": (f"{DCAT}landingPage", "iri"),
    "endpointURL": (f"{DCAT}endpointURL", "iri"),
    "endpointDescription": (f"{DCAT}endpointDescription", "iri"),
    "servesDataset": (f"{DCAT}servesDataset", "iri"),
    "contactPoint": (f"{DCAT}contactPoint", "iri"),
    # Hydra
    "totalItems": (f"{HYDRA}totalItems", "integer"),
    "member": (f"{HYDRA}member", "iri"),
    "view": (f"{HYDRA}view", "node"),
    "first": (f"{HYDRA}first", "iri"),
    "last": (f"{HYDRA}last", "iri"),
    "next": (f"{HYDRA}next", "iri"),
    "previous": (f"{HYDRA}previous", "iri"),
}

TYPES: Final[Mapping[str, str]] = {
    "FinancialIncentive": f"{SCHEMA}FinancialIncentive",
    "PublicService": f"{CPSV}PublicService",
    "PublicOrganisation": f"{CV}PublicOrganisation",
    "Agent": f"{FOAF}Agent",
    "LegalResource": f"{ELI}LegalResource",
    "Evidence": f"{CV}Evidence",
    "AdministrativeArea": f"{SCHEMA}AdministrativeArea",
    "Parameter": f"{MV}Parameter",
    "Example": f"{MV}Example",
    "Tombstone": f"{MV}Tombstone",
    "MonetaryAmount": f"{SCHEMA}MonetaryAmount",
    "Offer": f"{SCHEMA}Offer",
    "InfrastructureCount": f"{MV}InfrastructureCount",
    "Catalog": f"{DCAT}Catalog",
    "Dataset": f"{DCAT}Dataset",
    "Distribution": f"{DCAT}Distribution",
    "DataService": f"{DCAT}DataService",
    "Collection": f"{HYDRA}Collection",
    "PartialCollectionView": f"{HYDRA}PartialCollectionView",
}


def _context() -> dict[str, Any]:
    found: dict[str, Any] = {"id": "@id", "type": "@type"}
    for name, (iri, kind) in TERMS.items():
        match kind:
            case "iri" | "node":
                found[name] = {"@id": iri, "@type": "@id"}
            case "words":
                found[name] = {"@id": iri, "@container": ["@language", "@set"]}
            case "text":
                found[name] = {"@id": iri, "@type": f"{XSD}string"}
            case _:
                found[name] = {"@id": iri, "@type": f"{XSD}{kind}"}
    return found | dict(TYPES)


CONTEXT: Final[Mapping[str, Any]] = _context()
"""The whole context, as it stands in every document."""

_STATUS: Final[Mapping[AidStatus, str]] = {
    AidStatus.DRAFT: "IncentiveStatusInDevelopment",
    AidStatus.REVIEW: "IncentiveStatusInDevelopment",
    AidStatus.PUBLISHED: "IncentiveStatusActive",
    AidStatus.SUSPENDED: "IncentiveStatusOnHold",
    AidStatus.EXPIRED: "IncentiveStatusRetired",
}
_LICENCES: Final[Mapping[str, str]] = {
    "licence ouverte 2.0": "https://spdx.org/licenses/etalab-2.0",
    "etalab-2.0": "https://spdx.org/licenses/etalab-2.0",
    "apache-2.0": "https://spdx.org/licenses/Apache-2.0",
    "eupl-1.2": "https://spdx.org/licenses/EUPL-1.2",
    "mit": "https://spdx.org/licenses/MIT",
}
_INSEE: Final[Mapping[str, str]] = {
    "commune": "commune",
    "departement": "departement",
    "region": "region",
    "epci": "intercommunalite",
}
FRANCE: Final = "http://publications.europa.eu/resource/authority/country/FRA"


def licence_iri(text: str) -> str | None:
    """The SPDX address of a licence that is named plainly; None when it comes with a doubt."""
    return _LICENCES.get(text.strip().casefold())


def territory_iri(level: str, code: str) -> str:
    """INSEE's address of a territory; ours where INSEE has none (Métropole de Lyon, Alsace…)."""
    if (level, code) == EVERYWHERE:
        return FRANCE
    plain = code.isdigit() or (code[:2] in ("2A", "2B") and level in ("commune", "departement"))
    if level in _INSEE and plain:
        return f"http://id.insee.fr/geo/{_INSEE[level]}/{code}"
    return f"https://w3id.org/mobility-vault/territories/{level}/{code.replace(':', '/')}"


def _words(text: Text) -> dict[str, list[str]]:
    """By language. A text that only copies the French is no translation, and empty is nothing."""
    french, english = text.get("fr", ""), text.get("en", "")
    found = {"fr": [french]} if french else {}
    return found | ({"en": [english]} if english and english != french else {})


def _all_words(texts: tuple[Text, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        for language, values in _words(text).items():
            found[language] = list(dict.fromkeys(found.get(language, []) + values))
    return found


def _address(link: str) -> str | None:
    """A link as an IRI of N-Quads; sources write spaces and accents into theirs."""
    if not link.startswith(("https://", "http://")):
        return None
    return quote(link, safe=":/?#[]@!$&'()*+,;=%~")


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


@dataclass(frozen=True, slots=True)
class Linked:
    """How one hub writes its aids: addresses under its origin."""

    origin: str

    def aid(self, slug: str) -> str:
        """Address of an aid: its public page."""
        return f"{self.origin}/aides/{slug}"

    def territory(self, level: str, code: str) -> str:
        """Address of the page of a territory."""
        return f"{self.origin}/territoires/{level}/{code}"

    def funder(self, aid: Aid) -> str:
        """Address of a funder: its DID; of one named only in an import, one under the aid."""
        is_ours = aid.check_mode is not CheckMode.LINK_OUT
        return str(aid.funder) if is_ours else f"{self.aid(aid.slug)}#financeur"


def area_node(level: str, code: str) -> dict[str, Any]:
    """A territory by its code, with its name where it is known."""
    name = territory_name(level, code)
    return {
        "id": territory_iri(level, code),
        "type": "AdministrativeArea",
        "name": {"fr": [name]} if name else None,
        "territoryCode": code,
        "territoryLevel": level,
    }


def aid_node(aid: Aid, linked: Linked) -> dict[str, Any]:
    """One aid as a JSON-LD node, without its context."""
    iri = linked.aid(aid.slug)
    places = aid.territories
    spatial = [territory_iri(p.kind.value, p.code) for p in places] or [FRANCE]
    authority = linked.funder(aid)
    loan = aid.payment is PaymentMode.LOAN
    node = {
        "id": iri,
        "type": ["FinancialIncentive", "PublicService"],
        "identifier": aid.id,
        "slug": aid.slug,
        "version": aid.version,
        "name": _words(aid.titles),
        "title": _words(aid.titles),
        "description": _words(aid.summaries) or _words(aid.titles),
        "status": f"{MV}aid-{aid.status.value}",
        "incentiveStatus": f"{SCHEMA}{_STATUS[aid.status]}",
        "incentiveType": f"{SCHEMA}"
        + ("IncentiveTypeLoan" if loan else "IncentiveTypeRebateOrSubsidy"),
        "provider": authority,
        "competentAuthority": {
            "id": authority,
            "type": "PublicOrganisation",
            "label": {"fr": [aid.funder_name]} if aid.funder_name else None,
            "title": {"fr": [aid.funder_name or "–"]},
            "spatial": spatial,
        },
        "spatial": spatial,
        "areaServed": [area_node(place.kind.value, place.code) for place in places],
        "subject": [f"{MV}theme-{theme}" for theme in aid.themes],
        "keyword": {"fr": sorted({theme.replace("-", " ") for theme in aid.themes})}
        if aid.themes
        else None,
        "processingTime": f"P{aid.decision_time_days}D" if aid.decision_time_days else None,
        "validThrough": _day(aid.ends_on),
        "legalResource": [
            {
                "id": f"{iri}#texte-{n}",
                "type": "LegalResource",
                "title": {"fr": [text.title]},
                "identifier": text.reference,
                "legalDate": _day(text.date),
                "seeAlso": _address(text.link),
            }
            for n, text in enumerate(aid.legal_basis, start=1)
        ],
        "input": [
            {"id": f"{iri}#piece-{n}", "type": "Evidence", "title": _words(text)}
            for n, text in enumerate(aid.pieces, start=1)
        ],
        "url": _address(aid.link),
        "source": aid.source,
        "sourceLicence": aid.source_licence,
        "license": licence_iri(aid.source_licence),
        "lastVerified": _day(aid.last_verified),
        "nextReview": _day(aid.next_review),
        "checkMode": aid.check_mode.value,
        "payment": aid.payment.value,
        "identityLevel": aid.identity_level.value,
        "family": aid.family or None,
        "stacking": _all_words(aid.stacking),
        "notProven": _all_words(aid.not_proven),
        "credentialRequired": list(aid.credentials_required),
        "ruleModel": aid.rule.model,
        "ruleName": aid.rule.rule,
        "parameter": [
            {
                "id": f"{iri}#parametre-{n}",
                "type": "Parameter",
                "name": {"fr": [p.name]},
                "value": p.value,
                "validFrom": _day(p.valid_from),
                "validThrough": _day(p.valid_until),
                "source": p.source,
                "verifiedOn": _day(p.verified_on),
            }
            for n, p in enumerate(aid.parameters, start=1)
        ],
        "example": [
            {
                "id": f"{iri}#exemple-{n}",
                "type": "Example",
                "name": {"fr": [e.label]},
                "expectedAmount": e.expected_cents,
            }
            for n, e in enumerate(aid.examples, start=1)
        ],
    }
    if aid.proof is not None:
        node["metric"] = aid.proof.metric
        node["minimumEvidence"] = aid.proof.minimum_evidence.value
        node["minimumAssurance"] = aid.proof.minimum_assurance.value
    return without_nothing(node)


def without_nothing(node: dict[str, Any]) -> dict[str, Any]:
    """The node without its empty members."""
    found: dict[str, Any] = {}
    for name, value in node.items():
        if isinstance(value, dict) and "id" in value:
            found[name] = without_nothing(value)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            found[name] = [without_nothing(item) for item in value]
        elif value not in (None, [], {}):
            found[name] = value
    return found


# --- N-Quads -------------------------------------------------------------------------------------


def nquads(node: Mapping[str, Any]) -> list[str]:
    """The statements of a node made of `TERMS`, sorted, each with its newline: what a JSON-LD
    processor says of the same node under `CONTEXT` (a test compares)."""
    return sorted(set(_statements(node)))


def _statements(node: Mapping[str, Any]) -> Iterator[str]:
    subject = f"<{node['id']}>"
    kinds = node.get("type", ())
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        yield f"{subject} {_RDF_TYPE} <{TYPES[kind]}> .\n"
    for name, value in node.items():
        if name in ("id", "type"):
            continue
        iri, kind = TERMS[name]
        for item, language in _values(value, kind):
            if kind in ("iri", "node"):
                target = item["id"] if isinstance(item, Mapping) else item
                yield f"{subject} <{iri}> <{target}> .\n"
                if isinstance(item, Mapping):
                    yield from _statements(item)
            elif language:
                yield f"{subject} <{iri}> {literal(item)}@{language} .\n"
            else:
                datatype = None if kind == "text" else f"{XSD}{kind}"
                yield f"{subject} <{iri}> {literal(str(item), datatype)} .\n"


def _values(value: Any, kind: str) -> Iterator[tuple[Any, str]]:
    if kind == "words":
        for language, texts in value.items():
            for text in texts:
                yield text, language
    else:
        for item in value if isinstance(value, list) else [value]:
            yield item, ""


# --- what others validate with -------------------------------------------------------------------


@cache
def aid_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of one aid as the API gives it."""
    return dict(json.loads(_file("aid.schema.json")))


@cache
def aid_shapes() -> str:
    """SHACL shapes of an aid as linked data, in Turtle."""
    return _file("aid.shapes.ttl")


def _file(name: str) -> str:
    return resources.files("federation.aids").joinpath(f"exchange/{name}").read_text("utf-8")
