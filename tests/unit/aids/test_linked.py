"""An aid as others read it: JSON Schema of its JSON, SHACL of its linked data, for every aid."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pyshacl
import pytest
import rdflib
from pyld import jsonld

from federation.aids.covoiturage import carpool_incentive
from federation.aids.imports import import_document
from federation.aids.linked import (
    CONTEXT,
    FRANCE,
    Linked,
    aid_node,
    aid_schema,
    aid_shapes,
    licence_iri,
    nquads,
    territory_iri,
)
from federation.aids.model import Aid, aid_to_json
from federation.aids.national import mobility_allowance, pass_refund
from federation.aids.schemes import national_schemes
from federation.aids.velo import import_velo, read_velo_asset
from schemas.ids import Did

HUB = Did("did:web:hub.example")
AT = date(2026, 11, 22)
LINKED = Linked("https://hub.example")
DOCUMENTS = (
    "covoiturage_incitations_rpc",
    "covoiturage_campagnes_rpc_policies",
    "aides_jeunes_mobilite_faits",
)


def bundled() -> Iterator[Aid]:
    yield from import_velo(read_velo_asset(), publisher=HUB, at=AT).aids
    yield from national_schemes(HUB, at=AT)
    yield mobility_allowance(HUB, "Mairie")
    yield pass_refund(HUB, "Mairie")
    yield carpool_incentive(HUB, "Métropole")


@pytest.fixture(scope="module")
def aids() -> list[Aid]:
    return list(bundled())


@pytest.fixture(scope="module")
def shapes() -> rdflib.Graph:
    return rdflib.Graph().parse(data=aid_shapes(), format="turtle")


def complaints(nodes: list[dict[str, Any]], shapes: rdflib.Graph) -> str:
    text = "".join(sorted({line for node in nodes for line in nquads(node)}))
    graph = rdflib.Graph().parse(data=text, format="nt")
    conforms, _, report = pyshacl.validate(graph, shacl_graph=shapes)
    return "" if conforms else str(report)


def test_every_bundled_aid_is_valid_both_ways(aids: list[Aid], shapes: rdflib.Graph) -> None:
    assert len(aids) >= 340
    validator = jsonschema.Draft202012Validator(aid_schema())
    validator.check_schema(aid_schema())
    for aid in aids:
        found = [e.message for e in validator.iter_errors(json.loads(json.dumps(aid_to_json(aid))))]
        assert found == [], aid.slug
    assert complaints([aid_node(aid, LINKED) for aid in aids], shapes) == ""


@pytest.mark.shared_data
def test_every_imported_aid_is_valid_both_ways(shared: Path, shapes: rdflib.Graph) -> None:
    validator = jsonschema.Draft202012Validator(aid_schema())
    nodes = []
    for name in DOCUMENTS:
        text = (shared / "data" / "aids" / f"{name}.json").read_text("utf-8")
        for aid in import_document(json.loads(text), publisher=HUB, at=AT).aids:
            assert list(validator.iter_errors(aid_to_json(aid))) == [], aid.slug
            nodes.append(aid_node(aid, LINKED))
    assert len(nodes) == 311
    assert complaints(nodes, shapes) == ""


def test_the_statements_are_those_of_a_json_ld_processor(aids: list[Aid]) -> None:
    for aid in aids[::9] + aids[-12:]:
        node = aid_node(aid, LINKED)
        theirs = jsonld.normalize(
            {"@context": dict(CONTEXT), **node},
            {"algorithm": "URDNA2015", "format": "application/n-quads"},
        )
        assert nquads(node) == sorted(theirs.splitlines(keepends=True)), aid.slug


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "https://w3id.org/mobility-vault/vocab#aid-draft"),
        ("identifier", "did:web:hub.example"),
        ("checkMode", "perhaps"),
        ("lastVerified", "2099-01-01"),
        ("spatial", None),
        ("competentAuthority", {"id": "https://hub.example/x", "type": "Agent"}),
    ],
)
def test_the_shapes_refuse_what_is_no_aid(
    shapes: rdflib.Graph, aids: list[Aid], name: str, value: Any
) -> None:
    node = aid_node(aids[-2], LINKED) | {name: value}
    if value is None:
        del node[name]
    assert complaints([node], shapes)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "open"),
        ("titles", {"en": "only English"}),
        ("examples", []),
        ("lastVerified", "22/11/2026"),
        ("territories", [{"kind": "commune", "code": "Paris"}]),
        ("payment", "cash"),
    ],
)
def test_the_schema_refuses_what_is_no_aid(aids: list[Aid], name: str, value: Any) -> None:
    validator = jsonschema.Draft202012Validator(aid_schema())
    document = aid_to_json(aids[-2])
    assert validator.is_valid(document)
    assert not validator.is_valid({**document, name: value})


def test_a_copy_of_the_french_is_not_said_to_be_english(aids: list[Aid]) -> None:
    copied = replace(aids[0], titles={"fr": "Aide", "en": "Aide"})
    assert aid_node(copied, LINKED)["title"] == {"fr": ["Aide"]}
    assert aid_node(aids[-1], LINKED)["title"]["en"] == ["Carpool incentive"]


@pytest.mark.parametrize(
    ("level", "code", "iri"),
    [
        ("commune", "2A004", "http://id.insee.fr/geo/commune/2A004"),
        ("departement", "01", "http://id.insee.fr/geo/departement/01"),
        ("departement", "69M", "https://w3id.org/mobility-vault/territories/departement/69M"),
        ("state", "FR", FRANCE),
    ],
)
def test_territories_keep_their_codes(level: str, code: str, iri: str) -> None:
    assert territory_iri(level, code) == iri


def test_a_licence_in_doubt_gets_no_address() -> None:
    assert licence_iri("Licence Ouverte 2.0") == "https://spdx.org/licenses/etalab-2.0"
    assert licence_iri("Licence Ouverte 2.0, à confirmer") is None
