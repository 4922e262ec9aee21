"""Profiles as data: one file each in `data/`, read strictly, with what they ask as DCQL.

A profile says what a kind of service asks, why, what stays, and which parameters a service fills
in (an age, a zone, a network, its tariff rule). A service that names a profile in its signed
request asks exactly this, no claim more: `asked_by` compares, so that the words a person reads are
about what really leaves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from federation.openid4vp import DcqlError, DcqlQuery
from federation.profiles.errors import ProfileError, ProfileRefusedError
from schemas.extensions import installed

__all__ = [
    "PROFILES",
    "Asked",
    "Parameter",
    "Profile",
    "ProfileText",
    "asked_by",
    "profile_from_json",
    "profile_of",
]

ProfileText = Mapping[str, str]
"""`fr` and `en`."""
ParameterValue = str | int
DATA: Final = Path(__file__).with_name("data")
_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_SCOPE: Final = re.compile(r"[a-z][a-z0-9:_-]{0,63}")
_URL: Final = re.compile(r"https?://[^\s\"<>\\]{1,500}")
_PLACEHOLDER: Final = "$parameter"
_MEMBERS: Final = frozenset(
    {
        "$schema",
        "id",
        "version",
        "scope",
        "title",
        "purpose",
        "retention",
        "parameters",
        "query",
        "why",
        "stays",
        "example",
    }
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a service fills in."""

    name: str
    kind: str
    """`count` (a whole number from `least` to `most`), `text` (one that `pattern` matches whole),
    or `rule` (the address of a published rule)."""
    title: ProfileText
    least: int = 0
    most: int = 0
    pattern: str = ""

    def accepts(self, value: object) -> bool:
        """Whether `value` is one of this parameter's."""
        match self.kind:
            case "count":
                return type(value) is int and self.least <= value <= self.most
            case "text":
                return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None
            case _:
                return isinstance(value, str) and _URL.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class Profile:
    """What one kind of service asks."""

    id: str
    version: int
    scope: str
    """OIDC scope that stands for the same claims."""
    title: ProfileText
    purpose: ProfileText
    """The consent text: why it is asked."""
    retention: ProfileText
    parameters: tuple[Parameter, ...]
    why: Mapping[str, ProfileText]
    """DCQL query id → what it is for."""
    stays: tuple[ProfileText, ...]
    """What the answer rests on and does not carry."""
    document: Mapping[str, Any] = field(repr=False)
    """The file, as published."""

    def query(self, parameters: Mapping[str, object]) -> DcqlQuery:
        """What a service with these parameters asks.

        Raises:
            ProfileError: a parameter is missing, unknown or out of bounds.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        if set(parameters) != set(known):
            raise ProfileError("other parameters than the profile's", where="parameters")
        for name, value in parameters.items():
            if not known[name].accepts(value):
                raise ProfileError("out of bounds", where=name)
        return DcqlQuery.from_json(_filled(self.document["query"], parameters))


@dataclass(frozen=True, slots=True)
class Asked:
    """The profile a request was made from, and what the service filled in."""

    profile: Profile
    parameters: Mapping[str, ParameterValue]


def _filled(value: Any, parameters: Mapping[str, object]) -> Any:
    if isinstance(value, Mapping):
        if set(value) == {_PLACEHOLDER}:
            return parameters[value[_PLACEHOLDER]]
        return {name: _filled(child, parameters) for name, child in value.items()}
    if isinstance(value, list):
        return [_filled(child, parameters) for child in value]
    return value


def _placeholders(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        if set(value) == {_PLACEHOLDER}:
            return {str(value[_PLACEHOLDER])}
        value = list(value.values())
    if isinstance(value, list):
        return {name for child in value for name in _placeholders(child)}
    return set()


def profile_from_json(value: Mapping[str, Any]) -> Profile:
    """Read a profile.

    Raises:
        ProfileError: a member is missing, unknown or of the wrong kind; the query is none, has no
            words, or does not use its parameters; the example does not fit.
    """
    if set(value) != _MEMBERS:
        raise ProfileError("other members than a profile's", where=str(set(value) ^ _MEMBERS))
    identifier, version, scope = value["id"], value["version"], value["scope"]
    if not isinstance(identifier, str) or _ID.fullmatch(identifier) is None:
        raise ProfileError("a name of small letters", where="id")
    if type(version) is not int or version < 1:
        raise ProfileError("a whole number from 1", where="version")
    if not isinstance(scope, str) or _SCOPE.fullmatch(scope) is None:
        raise ProfileError("an OIDC scope", where="scope")
    parameters = tuple(_parameter(item) for item in value["parameters"])
    if {p.name for p in parameters} != _placeholders(value["query"]):
        raise ProfileError("parameters are what the query leaves open", where="parameters")
    made = Profile(
        id=identifier,
        version=version,
        scope=scope,
        title=_text(value["title"], "title"),
        purpose=_text(value["purpose"], "purpose"),
        retention=_text(value["retention"], "retention"),
        parameters=parameters,
        why=MappingProxyType({n: _text(t, "why") for n, t in value["why"].items()}),
        stays=tuple(_text(item, "stays") for item in value["stays"]),
        document=MappingProxyType(dict(value)),
    )
    example = value["example"]
    try:
        asked = made.query(example["parameters"])
    except DcqlError as error:
        raise ProfileError(str(error), where="query") from None
    ids = {query.id for query in asked.credentials}
    if set(made.why) != ids or set(example["answer"]) != ids:
        raise ProfileError("each query has its reason and its example", where="why")
    return made


def _parameter(value: Mapping[str, Any]) -> Parameter:
    kind = value.get("kind")
    wanted = {"count": {"least", "most"}, "text": {"pattern"}, "rule": set[str]()}.get(str(kind))
    if wanted is None or set(value) != {"name", "kind", "title"} | wanted:
        raise ProfileError("not a parameter", where="parameters")
    return Parameter(
        name=str(value["name"]),
        kind=str(kind),
        title=_text(value["title"], "parameters"),
        least=int(value.get("least", 0)),
        most=int(value.get("most", 0)),
        pattern=str(value.get("pattern", "")),
    )


def _text(value: object, where: str) -> ProfileText:
    if (
        not isinstance(value, Mapping)
        or set(value) != {"fr", "en"}
        or not all(isinstance(text, str) and text for text in value.values())
    ):
        raise ProfileError("a text in French and in English", where=where)
    return MappingProxyType(dict(value))


def _load() -> dict[str, Profile]:
    found = [profile_from_json(json.loads(file.read_text("utf-8"))) for file in DATA.glob("*.json")]
    taken = {profile.id for profile in found} | {profile.scope for profile in found}
    for extension in installed().values():
        for document in extension.profiles:
            profile = profile_from_json(document)
            if {profile.id, profile.scope} & taken:
                raise ProfileError("another profile has this name or scope", where=profile.id)
            taken |= {profile.id, profile.scope}
            found.append(profile)
    return {profile.id: profile for profile in sorted(found, key=lambda p: p.id)}


PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(_load())
"""Every profile of this version and of the installed extensions, by its name."""


def profile_of(name: object, version: object) -> Profile:
    """The profile of this name and version.

    Raises:
        ProfileError: none.
    """
    found = PROFILES.get(name) if isinstance(name, str) else None
    if found is None or found.version != version:
        raise ProfileError("not a profile of this version", where=str(name)[:60])
    return found


def asked_by(claims: Mapping[str, Any], query: DcqlQuery) -> Asked | None:
    """The profile that a request object with these `claims` names; None where it names none.

    Raises:
        ProfileError: a profile nobody knows here, or parameters it does not take.
        ProfileRefusedError: its query is not the profile's with these parameters.
    """
    named = claims.get("profile")
    if named is None:
        return None
    if not isinstance(named, Mapping) or set(named) != {"id", "version", "parameters"}:
        raise ProfileError("id, version and parameters expected")
    parameters = named["parameters"]
    if not isinstance(parameters, Mapping):
        raise ProfileError("an object expected", where="parameters")
    profile = profile_of(named["id"], named["version"])
    if profile.query(parameters) != query:
        raise ProfileRefusedError("the request asks something else than its profile does")
    return Asked(profile, MappingProxyType(dict(parameters)))
