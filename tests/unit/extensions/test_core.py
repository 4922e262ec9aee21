"""The core and its extensions: what is declared is checked, and the core has no word of them."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyshacl
import pytest
import rdflib
from pyld import jsonld

from portal.extensions.delivery import extension as delivery
from portal.i18n import catalogue
from portal.i18n.extract import texts_of
from schemas import extensions
from schemas.errors import ExtensionInvalidError, ExtensionUnknownError, RecordError
from schemas.extensions import Extension, RecordType, check, installed
from tests.delivery import HOME, POINT, address

ROOT = Path(__file__).resolve().parents[3]
CORE = ("schemas", "federation", "vault", "connectors", "portal")
THEIRS = re.compile(
    r"livraison|livreur|\bcolis\b|\bparcels?\b|point relais|pick-up point|relay point"
    r"|delivery ?(profile|preference|address)|portal[./]extensions[./]\w"
    r"|velo.parking|stationnement.velo|abri.velo",
    re.I,
)


def core_files() -> Iterator[Path]:
    for layer in CORE:
        for file in sorted((ROOT / layer).rglob("*")):
            inside = file.relative_to(ROOT).parts
            if inside[:2] == ("portal", "extensions") or "vendor" in inside:
                continue
            if file.suffix in {".py", ".html", ".json", ".jsonld", ".ttl", ".typ", ".js", ".md"}:
                yield file


LINKS = {"schemas/README.md"}
"""Names the interface's README by its address."""


def test_no_word_of_an_extension_is_in_the_core() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {match[0]}"
        for file in core_files()
        if str(file.relative_to(ROOT)) not in LINKS and "/__pycache__/" not in str(file)
        for match in THEIRS.finditer(file.read_text("utf-8"))
        if "aids/data" not in str(file)  # descriptions by others
    ]
    assert found == []


def test_the_entry_point_of_each_of_ours_is_in_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = project["entry-points"][extensions.GROUP]
    folders = {file.parent.name for file in (ROOT / "portal" / "extensions").glob("*/__init__.py")}
    assert set(named) == folders == set(installed())


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Delivery"},
        {"version": 0},
        {"title": {"fr": "Livraison"}},
        {"records": (*delivery.records, delivery.records[0])},
        {"records": (RecordType("thing", {"fr": "a", "en": "b"}, {}),)},
        {"records": (RecordType("Thing", {"fr": "a", "en": "b"}, {"type": "no-type"}),)},
        {"lacking": {}},
    ],
)
def test_a_declaration_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ExtensionInvalidError):
        replace(delivery, **change)


class Broken:
    name = "broken"

    def load(self) -> object:
        raise ImportError("a part of it is missing")


class Found(Broken):
    def __init__(self, name: str, value: object) -> None:
        self.name, self.value = name, value

    def load(self) -> object:
        return self.value


def test_a_package_that_does_not_load_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = replace(delivery, summary={"fr": "Une autre", "en": "Another"})
    points = [Found("a", delivery), Found("b", twin), Found("c", "no extension"), Broken()]
    monkeypatch.setattr(extensions, "entry_points", lambda group: points)
    found = extensions.installed.__wrapped__()
    assert dict(found) == {"delivery": delivery}


def test_only_what_its_extension_says_is_written() -> None:
    record = address()
    check(record)
    for wrong, where in (
        ({**HOME, "drop": "roof"}, "/body/drop"),
        ({**HOME, "street": "x" * 39}, "/body/street"),
        ({**HOME, "hours": ["Mo 25:00-26:00"]}, "/body/hours/0"),
        ({**HOME, "note": "secret"}, "/body"),
        ({k: v for k, v in POINT.items() if k != "relay"}, "/body"),
        ({k: v for k, v in HOME.items() if k != "street"}, "/body"),
    ):
        with pytest.raises(RecordError) as refused:
            check(address(wrong))
        assert refused.value.where == where
        assert "secret" not in str(refused.value) and "roof" not in str(refused.value)
    with pytest.raises(RecordError):
        check(replace(record, type="Nothing"))
    for unknown in (replace(record, extension="ailleurs"), replace(record, version=2)):
        with pytest.raises(ExtensionUnknownError):
            check(unknown)


def test_pages_speak_english_and_nothing_is_left_over() -> None:
    said = texts_of(ROOT / "portal" / "extensions" / "delivery")
    assert said <= set(delivery.english) | set(catalogue())
    assert set(delivery.english) <= said
    placeholder = re.compile(r"\{(\w+)\}")
    for french, english in delivery.english.items():
        assert set(placeholder.findall(french)) == set(placeholder.findall(english)), french


def graph(extension: Extension, type_: str, body: dict[str, Any]) -> rdflib.Graph:
    """A body as RDF, under the extension's own context."""
    document = {**extension.context, "id": "urn:x:1", "type": type_, **body}
    return rdflib.Graph().parse(
        data=jsonld.to_rdf(document, {"format": "application/n-quads"}), format="nt"
    )


def test_the_published_shapes_say_what_the_schemas_say() -> None:
    shapes = rdflib.Graph().parse(data=delivery.shapes, format="turtle")
    vocabulary = rdflib.Graph().parse(data=delivery.vocabulary, format="turtle")
    defined = {str(term) for term in vocabulary.subjects(rdflib.RDF.type, None)}
    for body in (HOME, POINT):
        found = graph(delivery, "Address", body)
        assert pyshacl.validate(found, shacl_graph=shapes)[0]
        used = {str(p) for p in found.predicates() if str(p).startswith(delivery.namespace)}
        assert used <= defined
    for wrong in ({"drop": "roof"}, {"hours": ["Monday"]}, {"country": "fra"}, {"choice": "best"}):
        assert not pyshacl.validate(
            graph(delivery, "Address", {**HOME, **wrong}), shacl_graph=shapes
        )[0]
