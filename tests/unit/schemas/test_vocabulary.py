"""Context, vocabulary and shapes of members say the same; VC 2.0 protects none of our terms."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import rdflib
from rdflib.namespace import DCTERMS, RDFS, SKOS

from schemas import documents, vocabulary
from schemas.errors import DroppedPropertyError
from schemas.evidence import Evidence
from schemas.ids import Iri
from schemas.jsonld import observation_to_json
from schemas.members import OBSERVATION_SHAPES, RECORD_SHAPES
from schemas.modes import VOCAB, Mode
from schemas.observations import DocumentObservation
from schemas.rdf import to_quads_slow
from schemas.records import Attribute
from schemas.terms import CLASSES, CONCEPTS, CONTEXT_IRI, PROPERTIES, TERMS

UNIT = rdflib.URIRef(VOCAB + "unit")


def test_both_files_are_what_the_table_says() -> None:
    assert vocabulary.main(["--check"]) == 0


def test_every_term_of_the_context_is_in_the_vocabulary_with_words_unit_and_source() -> None:
    graph = rdflib.Graph().parse(vocabulary.VOCAB_FILE)
    entries = documents.load(CONTEXT_IRI)["@context"]
    assert set(entries) == {"id", "type", *TERMS}
    for name, entry in entries.items():
        if name in {"id", "type"}:
            continue
        iri = rdflib.URIRef(entry if isinstance(entry, str) else entry["@id"])
        languages = {label.language for label in graph.objects(iri, RDFS.label)}
        assert languages == {"fr", "en"}, name
        assert list(graph.objects(iri, UNIT)), name
        assert list(graph.objects(iri, DCTERMS.source)), name


def test_every_own_term_of_the_vocabulary_is_in_the_context() -> None:
    graph = rdflib.Graph().parse(vocabulary.VOCAB_FILE)
    ours = {
        str(s)
        for s in graph.subjects()
        if isinstance(s, rdflib.URIRef) and str(s).startswith(VOCAB)
    }
    own = {term.iri for term in TERMS.values()}
    assert ours - own == {VOCAB + "unit", VOCAB + "modes", VOCAB + "evidenceClasses"}


def test_every_mode_and_class_is_a_concept() -> None:
    graph = rdflib.Graph().parse(vocabulary.VOCAB_FILE)
    notations = {str(n) for n in graph.objects(None, SKOS.notation)}
    assert notations == {*(m.value for m in Mode), *(e.value for e in Evidence)}


def test_no_two_terms_share_an_iri() -> None:
    iris = [term.iri for term in (*CLASSES, *PROPERTIES, *CONCEPTS)]
    assert len(set(iris)) == len(iris)


def test_every_member_of_a_record_is_a_term() -> None:
    for shape in (*RECORD_SHAPES.values(), *OBSERVATION_SHAPES.values()):
        assert shape.type in TERMS
        for member in shape.members:
            assert member.term in TERMS


def test_our_context_has_nothing_that_changes_other_contexts() -> None:
    entries = documents.load(CONTEXT_IRI)["@context"]
    assert not [name for name in entries if name.startswith("@")]
    protected = documents.load(documents.CREDENTIALS_V2)["@context"]
    for name in set(entries) & set(protected):
        assert entries[name] == protected[name], name


def _credential(type_: str, subject: dict[str, Any]) -> dict[str, Any]:
    return {
        "@context": [documents.CREDENTIALS_V2, CONTEXT_IRI],
        "id": "urn:uuid:1",
        "type": ["VerifiableCredential", type_],
        "issuer": "did:web:employeur.example",
        "validFrom": "2026-03-01T00:00:00Z",
        "credentialSubject": {"id": "did:key:zDn", **subject},
    }


CREDENTIALS = {
    "UsageProof": {
        "metric": "eligible-days",
        "periodFrom": "2026-01-01",
        "periodUntil": "2026-03-31",
        "rule": "urn:rule:fmd",
        "ruleVersion": "2022-12-13",
        "days": 41,
        "daysByMode": [{"id": "urn:uuid:2", "mode": "bicycle", "days": 30}],
        "daysByEvidence": [{"id": "urn:uuid:3", "evidence": "operator", "days": 11}],
        "weakestEvidence": "sensed",
        "assuranceMethod": "vault-attested",
        "evidenceRoot": "sha256:00",
        "treeSize": 41,
        "attesterSoftware": "0.1.0",
    },
    "AffiliationCredential": {
        "employerName": "Agglo",
        "employerId": "12345678901234",
        "employeeNumber": "7",
        "status": "agent-contractuel-public",
        "nullifiers": [{"id": "urn:uuid:4", "family": "fmd", "version": "1", "value": "x"}],
    },
    "CarpoolJourney": {
        "journey": "urn:uuid:5",
        "startedAt": "2026-03-01T07:00:00Z",
        "endedAt": "2026-03-01T07:30:00Z",
        "distance": 12000,
        "role": "passenger",
        "mode": "carpool",
        "originCommune": "11069",
        "destinationCommune": "11397",
        "registerClass": "C",
        "registerStatus": "ok",
    },
    "IdentityCredential": {
        "givenName": "Ana",
        "familyName": "Durand",
        "birthDate": "1990-01-01",
        "birthPlace": "11069",
        "birthCountry": "99100",
        "gender": "female",
        "identityLevel": "eidas1",
        "source": "sandbox",
        "certifiedAt": "2026-03-01T00:00:00Z",
        "degree": "relayed",
    },
    "AwardCredential": {
        "aid": "urn:aid:fmd",
        "aidVersion": "1",
        "funderName": "Agglo",
        "application": "urn:uuid:6",
        "amount": 20000,
        "currency": "EUR",
        "periodFrom": "2026-01-01",
        "periodUntil": "2026-12-31",
        "decidedAt": "2026-03-01T00:00:00Z",
    },
    "PassCredential": {
        "network": "Réseau",
        "product": "Mensuel",
        "holderName": "Ana",
        "payer": "Ana",
        "number": "1",
        "firstDay": "2026-03-01",
        "lastDay": "2026-03-31",
        "periodFrom": "2026-03-01",
        "periodUntil": "2026-03-31",
    },
    "InvoiceCredential": {
        "invoiceIssuer": "Réseau",
        "invoiceIssuerSiret": "12345678901234",
        "number": "1",
        "issuedOn": "2026-03-01",
        "total": 3000,
        "currency": "EUR",
    },
}


@pytest.mark.parametrize("type_", CREDENTIALS)
def test_our_credentials_work_under_the_protected_terms_of_vc_2(type_: str) -> None:
    text = to_quads_slow(_credential(type_, CREDENTIALS[type_]), blank_nodes=False)
    assert f"<{VOCAB}{type_}>" in text
    for node in _nodes(CREDENTIALS[type_]):
        for name in node:
            if name != "id":
                assert f"<{TERMS[name].iri}>" in text, name
    with pytest.raises(DroppedPropertyError):
        to_quads_slow(_credential(type_, CREDENTIALS[type_] | {"unheard": 1}))


def _nodes(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [node for item in value for node in _nodes(item)]
    if isinstance(value, dict):
        return [value, *(node for item in value.values() for node in _nodes(item))]
    return []


def test_concepts_become_iris() -> None:
    text = to_quads_slow(_credential("UsageProof", CREDENTIALS["UsageProof"]))
    assert f"<{VOCAB}mode> <{VOCAB}mode-bicycle>" in text
    assert f"<{VOCAB}evidence> <{VOCAB}evidence-operator>" in text


def test_a_deposited_record_is_one_json_value() -> None:
    record = Attribute(
        id=Iri("urn:uuid:1"),
        name="n",
        value=True,
        source="s",
        certified_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    document = observation_to_json(
        DocumentObservation(id=Iri("urn:o:1"), source="s", account="a", record=record)
    )
    text = to_quads_slow(document, blank_nodes=False)
    assert re.search(r'vocab#deposited> "\{.*\}"\^\^<http://www\.w3\.org/1999', text)


def test_every_error_code_is_in_the_readme() -> None:
    from schemas import errors

    readme = (Path(errors.__file__).parent / "README.md").read_text(encoding="utf-8")
    codes = {
        value.code
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.MobilityError)
    }
    for code in codes:
        assert f"`{code}`" in readme, code
