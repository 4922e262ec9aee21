"""Extensions: another domain beside mobility, in a folder of its own, found by entry point.

An installed package names an `Extension` in the entry point group `mobility_vault.extensions`. It
brings its vocabulary, the JSON Schemas of its records, the facts it may state to a service with the
words a person reads then, service profiles, and by name the pages and sandbox services it adds. The
rest of the vault knows one kind of record for all of them (`ExtensionRecord`), one credential
(`ExtensionStatement`) and what is declared here. Without its extension a record stays what it is:
sealed, listed, exported, deletable.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, Final

import structlog
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match

from .errors import ExtensionInvalidError, ExtensionUnknownError, RecordError
from .records import ExtensionRecord

_log = structlog.get_logger(__name__)

GROUP: Final = "mobility_vault.extensions"
Words = Mapping[str, str]
"""`fr` and `en`."""
State = Callable[[Sequence[ExtensionRecord], frozenset[str]], Mapping[str, str]]
"""(records of the extension, oldest first; names of the facts asked for) → facts by name. Empty:
the vault has nothing to state."""
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{1,39}")
_TYPE: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,59}")


@dataclass(frozen=True)
class RecordType:
    """One type of record of an extension."""

    name: str
    """`recordType` of such a record; a class of the extension's vocabulary."""
    title: Words
    schema: Mapping[str, Any] = field(repr=False)
    """JSON Schema (2020-12) of its `body`."""

    @cached_property
    def _validator(self) -> Draft202012Validator:
        return Draft202012Validator(self.schema)

    def check(self, body: Mapping[str, Any]) -> None:
        """Raises RecordError: with the JSON pointer of the first fault, never its value."""
        fault = best_match(self._validator.iter_errors(dict(body)))
        if fault is not None:
            where = "".join(f"/{step}" for step in fault.absolute_path)
            raise RecordError(f"not what the schema says: {fault.validator}", where=f"/body{where}")


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing an extension may state of a person to a service that asks."""

    name: str
    title: Words
    values: Mapping[str, Words] = field(default_factory=dict)
    """Words of the values that are codes; other values are shown as they are."""


@dataclass(frozen=True, slots=True)
class PostalAddress:
    """One address, in the lines other accounts have for it."""

    name: str
    addressee: str
    street: str
    town: str
    """Postal code and locality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """What one extension is, as data; functions are pure.

    `pages` and `sandbox` name an object as entry points do (`package.module:attribute`): it is
    loaded by the process that serves it, and by no other.
    """

    name: str
    version: int
    """Of its records' schemas; a reader of version n reads every version up to n."""
    title: Words
    summary: Words
    """What it keeps and what for, in one sentence."""
    namespace: str
    """IRI that its vocabulary's terms begin with."""
    licence: str
    """SPDX identifier of vocabulary, schemas and texts."""
    context: Mapping[str, Any] = field(repr=False)
    """JSON-LD context of the bodies."""
    vocabulary: str = field(repr=False)
    """Turtle: its classes and properties, with labels in French and English."""
    shapes: str = field(repr=False)
    """SHACL shapes of its records' bodies, Turtle."""
    records: tuple[RecordType, ...]
    facts: tuple[Fact, ...] = ()
    state: State = field(default=lambda _records, _asked: {}, repr=False)
    addresses: Callable[[Sequence[ExtensionRecord]], Sequence["PostalAddress"]] = field(
        default=lambda _records: (), repr=False
    )
    """Postal addresses among its records, for an account elsewhere that asks for favourites."""
    lacking: Words = field(default_factory=dict)
    """Said where it has nothing to state: « il manque … »."""
    lacking_action: Words = field(default_factory=dict)
    """Words of the link to `home`."""
    home: str = ""
    """Its own page, where a person keeps and sees its records."""
    profiles: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    """Service profiles, as `federation/profiles/profile.schema.json` has them."""
    claims: Mapping[str, str] = field(default_factory=dict)
    """Profile → the claim of a userinfo answer that says the same, under the profile's scope."""
    pages: str = ""
    """A `portal.extension_pages.Pages`."""
    templates: str = ""
    """Package whose folder `templates` its pages show, as `<name of the extension>/<file>`."""
    english: Mapping[str, str] = field(default_factory=dict, repr=False)
    """French text of its pages → English."""
    sandbox: str = ""
    """Makes the demonstration services it brings (`connectors.sandbox.demo.DemoService`)."""

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise ExtensionInvalidError(self.name, "a name of small letters")
        if type(self.version) is not int or self.version < 1:
            raise ExtensionInvalidError(self.name, "a version from 1")
        names = [kind.name for kind in self.records]
        if len(set(names)) != len(names) or any(_TYPE.fullmatch(n) is None for n in names):
            raise ExtensionInvalidError(self.name, "record types have names of their own")
        spoken = [self.title, self.summary, *(r.title for r in self.records)]
        spoken += [f.title for f in self.facts]
        spoken += [words for f in self.facts for words in f.values.values()]
        spoken += [self.lacking, self.lacking_action] if self.facts else []
        if any(not words.get("fr") or not words.get("en") for words in spoken):
            raise ExtensionInvalidError(self.name, "words are missing in French or English")
        for kind in self.records:
            try:
                Draft202012Validator.check_schema(kind.schema)
            except SchemaError:
                raise ExtensionInvalidError(self.name, f"no JSON Schema: {kind.name}") from None

    def files(self) -> dict[str, tuple[str, str]]:
        """What it publishes: file name → (media type, text)."""
        found = {
            "context.jsonld": ("application/ld+json", _json_text(self.context)),
            "vocabulary.ttl": ("text/turtle", self.vocabulary),
            "shapes.ttl": ("text/turtle", self.shapes),
        }
        for kind in self.records:
            name = f"{kind.name}.schema.json"
            found[name] = ("application/schema+json", _json_text(kind.schema))
        for profile in self.profiles:
            found[f"{profile['id']}.profile.json"] = ("application/json", _json_text(profile))
        return found

    def record_type(self, name: str) -> RecordType | None:
        """Its record type of this name."""
        return next((kind for kind in self.records if kind.name == name), None)

    def fact(self, name: str) -> Fact | None:
        """Its fact of this name."""
        return next((fact for fact in self.facts if fact.name == name), None)


def _json_text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


@cache
def installed() -> Mapping[str, Extension]:
    """Extensions of the installed packages, by name. One that does not load, is none, or takes the
    name of another is left out and logged: no package may stop a home."""
    found: dict[str, Extension] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            made = entry.load()
            if not isinstance(made, Extension) or made.name in found:
                raise TypeError("no extension, or a name that is taken")
        except Exception:  # a third party's package may raise anything
            _log.warning("extensions.refused", name=entry.name)
        else:
            found[made.name] = made
    return MappingProxyType(found)


def check(record: ExtensionRecord) -> None:
    """What is written is what its extension says it is. Reading asks for nothing: an extension may
    have gone.

    Raises:
        ExtensionUnknownError: it is not installed here, or of an older version.
        RecordError: the body is not what the schema of its type says.
    """
    extension = installed().get(record.extension)
    if extension is None or record.version > extension.version:
        raise ExtensionUnknownError(record.extension)
    kind = extension.record_type(record.type)
    if kind is None:
        raise RecordError("no record type of this extension", where="/recordType")
    kind.check(record.body)


__all__ = [
    "GROUP",
    "Extension",
    "Fact",
    "PostalAddress",
    "RecordType",
    "State",
    "Words",
    "check",
    "installed",
]
