"""Write our context and our vocabulary from the table of terms.

`python -m schemas.vocabulary` rewrites both files; `--check` only compares (exit code 1: stale).
"""

import json
import sys
from pathlib import Path
from typing import Any

from .modes import VOCAB
from .terms import CLASSES, CONCEPTS, CONTEXT_IRI, PROPERTIES, XSD, Range, Term

HERE = Path(__file__).parent
CONTEXT_FILE = HERE / "contexts" / "mobility-v1.jsonld"
VOCAB_FILE = HERE / "vocab" / "mobility.ttl"


_TITLE = 'rdfs:label "Vocabulaire du coffre de mobilité"@fr, "Vocabulary of the mobility vault"@en'
_HEAD = (
    "# Written by `python -m schemas.vocabulary` from schemas/terms.py. Licence: Apache-2.0.\n"
    f"@prefix mv: <{VOCAB}> .\n"
    "@prefix dcterms: <http://purl.org/dc/terms/> .\n"
    "@prefix owl: <http://www.w3.org/2002/07/owl#> .\n"
    "@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .\n"
    "@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n"
    "@prefix skos: <http://www.w3.org/2004/02/skos/core#> .\n"
)


def context_document() -> dict[str, Any]:
    """The JSON-LD context, one entry a term, in the order of the table."""
    entries: dict[str, Any] = {"id": "@id", "type": "@type"}
    for term in CLASSES:
        entries[term.name] = term.iri
    for term in PROPERTIES:
        if term.range in {Range.TEXT, Range.ANY} and not term.many:
            entries[term.name] = term.iri
            continue
        entry: dict[str, Any] = {"@id": term.iri}
        if term.range not in {Range.TEXT, Range.ANY}:
            entry["@type"] = str(term.range)
        if term.many:
            entry["@container"] = "@set"
        entries[term.name] = entry
    for term in CONCEPTS:
        entries[term.name] = term.iri
    return {"@context": entries}


def context_text() -> str:
    """The bytes of the context file, as text."""
    return json.dumps(context_document(), ensure_ascii=False, indent=1) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _block(subject: str, facts: list[str]) -> str:
    return f"{subject}\n    " + " ;\n    ".join(facts) + " .\n"


def _words(term: Term) -> list[str]:
    return [
        f"rdfs:label {_quoted(term.fr)}@fr, {_quoted(term.en)}@en",
        f"mv:unit {_quoted(term.unit)}",
        f"dcterms:source {_quoted(term.source)}",
    ]


def _range(term: Term) -> str:
    match term.range:
        case Range.TEXT:
            return f"<{XSD}string>"
        case Range.IRI:
            return "rdfs:Resource"
        case Range.CONCEPT:
            return "skos:Concept"
        case Range.JSON:
            return "rdf:JSON"
        case Range.ANY:
            return "rdfs:Literal"
        case _:
            return f"<{term.range}>"


def vocabulary_text() -> str:
    """The vocabulary in Turtle."""
    own = VOCAB.rstrip("#")
    parts = [
        _HEAD,
        _block(
            f"<{own}>",
            [
                "a owl:Ontology",
                _TITLE,
                'owl:versionInfo "1"',
                "dcterms:license <https://www.apache.org/licenses/LICENSE-2.0>",
            ],
        ),
        _block(
            "mv:unit",
            [
                "a owl:AnnotationProperty",
                'rdfs:label "unité"@fr, "unit"@en',
                'mv:unit "1"',
                'dcterms:source "UCUM where it has the unit"',
            ],
        ),
        _block(
            "mv:modes",
            [
                "a skos:ConceptScheme",
                'rdfs:label "modes de déplacement"@fr, "modes of travel"@en',
                'mv:unit "1"',
                'dcterms:source "mode table of the mobility vault"',
            ],
        ),
        _block(
            "mv:evidenceClasses",
            [
                "a skos:ConceptScheme",
                'rdfs:label "classes de preuve"@fr, "evidence classes"@en',
                'mv:unit "1"',
                'dcterms:source "design of the mobility vault, §5"',
            ],
        ),
    ]
    parts.extend(_block(f"<{term.iri}>", ["a rdfs:Class", *_words(term)]) for term in CLASSES)
    for term in PROPERTIES:
        facts = ["a rdf:Property", *_words(term), f"rdfs:range {_range(term)}"]
        if term.match:
            facts.append(f"skos:closeMatch <{term.match}>")
        parts.append(_block(f"<{term.iri}>", facts))
    for term in CONCEPTS:
        scheme = "mv:modes" if "#mode-" in term.iri else "mv:evidenceClasses"
        facts = [
            "a skos:Concept",
            *_words(term),
            f"skos:prefLabel {_quoted(term.fr)}@fr, {_quoted(term.en)}@en",
            f"skos:notation {_quoted(term.name)}",
            f"skos:inScheme {scheme}",
        ]
        if term.match:
            facts.append(f"skos:note {_quoted('Transmodel: ' + term.match)}@en")
        parts.append(_block(f"<{term.iri}>", facts))
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Entry point; exit code 0 done or up to date, 1 stale."""
    stale = 0
    for path, text in ((CONTEXT_FILE, context_text()), (VOCAB_FILE, vocabulary_text())):
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if "--check" in arguments:
            stale = 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

__all__ = ["CONTEXT_FILE", "CONTEXT_IRI", "VOCAB_FILE", "context_document", "vocabulary_text"]
