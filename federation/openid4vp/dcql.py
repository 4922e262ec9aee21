"""DCQL: what a verifier asks for, and which held credentials answer.

Source: OpenID4VP 1.0 Final §6 and Appendix B. No predicates and no ranges: thresholds are claims.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from federation.credentials.sd_jwt_vc import vct_of
from federation.openid4vp.errors import DcqlError
from federation.proofs.sd_jwt import SdJwtError, SdJwtMalformedError, held_claims
from schemas.modes import VOCAB

__all__ = [
    "ClaimQuery",
    "CredentialFormat",
    "CredentialQuery",
    "CredentialSetQuery",
    "DcqlQuery",
    "LdpVc",
    "Match",
    "SdJwtVc",
    "claims_asked",
    "match",
    "optional_queries",
    "queries_to_answer",
    "register_format",
]

_QUERY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class ClaimQuery:
    """One claim asked for."""

    path: tuple[str | int | None, ...]
    """From the credential's root: member names, list indexes, or `None` for every item of a
    list."""
    id: str | None = None
    values: tuple[str | int | bool, ...] | None = None
    """Acceptable values; any if none is named."""

    def to_json(self) -> dict[str, Any]:
        """DCQL form."""
        return {
            **({"id": self.id} if self.id else {}),
            "path": list(self.path),
            **({"values": list(self.values)} if self.values is not None else {}),
        }


@dataclass(frozen=True, slots=True)
class CredentialQuery:
    """One credential asked for."""

    id: str
    type: str
    """Our credential type (`UsageProof`), or the `vct` of an SD-JWT VC."""
    claims: tuple[ClaimQuery, ...] = ()
    format: str = "ldp_vc"
    multiple: bool = False
    claim_sets: tuple[tuple[str, ...], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """DCQL form; `meta` as the format writes it."""
        return {
            "id": self.id,
            "format": self.format,
            "meta": _format(self.format).meta(self.type),
            **({"multiple": True} if self.multiple else {}),
            **({"claims": [claim.to_json() for claim in self.claims]} if self.claims else {}),
            **({"claim_sets": [list(s) for s in self.claim_sets]} if self.claim_sets else {}),
        }


@dataclass(frozen=True, slots=True)
class CredentialSetQuery:
    """Alternatives: any one of `options` (each a set of credential query ids)."""

    options: tuple[tuple[str, ...], ...]
    required: bool = True

    def to_json(self) -> dict[str, Any]:
        """DCQL form."""
        return {"options": [list(option) for option in self.options], "required": self.required}


@dataclass(frozen=True, slots=True)
class DcqlQuery:
    """What a verifier asks for (OpenID4VP 1.0 §6)."""

    credentials: tuple[CredentialQuery, ...]
    credential_sets: tuple[CredentialSetQuery, ...] = ()

    def __post_init__(self) -> None:
        ids = [query.id for query in self.credentials]
        if not ids or len(ids) > 32 or len(set(ids)) != len(ids):
            raise DcqlError("1 to 32 credential queries with ids of their own")
        for query in self.credentials:
            if _QUERY_ID.fullmatch(query.id) is None:
                raise DcqlError("an id of letters, digits, _ and -")
            _format(query.format)
            names = {claim.id for claim in query.claims}
            if query.claim_sets and not {n for s in query.claim_sets for n in s} <= names:
                raise DcqlError("a claim set names an unknown claim", where=query.id)
        for group in self.credential_sets:
            if not group.options or not {i for o in group.options for i in o} <= set(ids):
                raise DcqlError("a credential set names an unknown query")

    @property
    def required(self) -> frozenset[str]:
        """Ids that every answer must contain: all; with credential sets those that every option
        of a required set names (§6.4.2: what no required set names may be left out)."""
        if not self.credential_sets:
            return frozenset(q.id for q in self.credentials)
        return frozenset(
            identifier
            for group in self.credential_sets
            if group.required
            for identifier in frozenset.intersection(*map(frozenset, group.options))
        )

    def to_json(self) -> dict[str, Any]:
        """DCQL form."""
        return {
            "credentials": [query.to_json() for query in self.credentials],
            **(
                {"credential_sets": [group.to_json() for group in self.credential_sets]}
                if self.credential_sets
                else {}
            ),
        }

    @classmethod
    def from_json(cls, value: object) -> DcqlQuery:
        """Read a query.

        Raises:
            DcqlError: not DCQL, or a format we do not speak.
        """
        if not isinstance(value, Mapping) or not isinstance(value.get("credentials"), list):
            raise DcqlError("no credentials asked for")
        sets = value.get("credential_sets", [])
        if not isinstance(sets, list):
            raise DcqlError("a list expected", where="credential_sets")
        return cls(
            tuple(_read_query(item) for item in value["credentials"]),
            tuple(_read_set(item) for item in sets),
        )


def _read_query(value: object) -> CredentialQuery:
    if not isinstance(value, Mapping):
        raise DcqlError("an object expected", where="credentials")
    identifier, name = value.get("id"), value.get("format")
    if not isinstance(identifier, str) or not isinstance(name, str):
        raise DcqlError("id and format are texts", where="credentials")
    claims = value.get("claims", [])
    claim_sets = value.get("claim_sets", [])
    if not isinstance(claims, list) or not isinstance(claim_sets, list):
        raise DcqlError("lists expected", where=identifier)
    return CredentialQuery(
        id=identifier,
        type=_format(name).type_of(value.get("meta")),
        claims=tuple(_read_claim(claim, identifier) for claim in claims),
        format=name,
        multiple=value.get("multiple") is True,
        claim_sets=tuple(_texts(item, identifier) for item in claim_sets),
    )


def _read_claim(value: object, where: str) -> ClaimQuery:
    if not isinstance(value, Mapping):
        raise DcqlError("a claim is an object", where=where)
    path, values, identifier = value.get("path"), value.get("values"), value.get("id")
    if not isinstance(path, list) or not 0 < len(path) <= 16:
        raise DcqlError("a claim has a path", where=where)
    for part in path:
        if not (part is None or isinstance(part, str) or (type(part) is int and part >= 0)):
            raise DcqlError("a path is made of names, indexes and null", where=where)
    if values is not None and (
        not isinstance(values, list) or not all(isinstance(v, str | int | bool) for v in values)
    ):
        raise DcqlError("values are texts, whole numbers or booleans", where=where)
    if identifier is not None and not isinstance(identifier, str):
        raise DcqlError("a claim id is a text", where=where)
    return ClaimQuery(tuple(path), identifier, tuple(values) if values is not None else None)


def _read_set(value: object) -> CredentialSetQuery:
    if not isinstance(value, Mapping) or not isinstance(value.get("options"), list):
        raise DcqlError("a credential set has options", where="credential_sets")
    return CredentialSetQuery(
        tuple(_texts(option, "credential_sets") for option in value["options"]),
        value.get("required", True) is not False,
    )


def _texts(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise DcqlError("a list of texts expected", where=where)
    return tuple(value)


class CredentialFormat(Protocol):
    """How DCQL speaks of one credential format."""

    name: str

    def meta(self, credential_type: str) -> dict[str, Any]:
        """`meta` of a query for this type."""

    def type_of(self, meta: object) -> str:
        """The type `meta` asks for.

        Raises:
            DcqlError: a `meta` this format does not have.
        """

    def has_type(self, credential: Any, credential_type: str) -> bool:
        """Whether a held credential is of this format and type."""

    def claims(self, credential: Any) -> Any:
        """The JSON that claim paths walk."""


class LdpVc:
    """`ldp_vc`: W3C credentials with Data Integrity proofs."""

    name = "ldp_vc"

    def meta(self, credential_type: str) -> dict[str, Any]:
        """`type_values` with expanded types, as §B.1.1 asks."""
        return {"type_values": [[_V2_CREDENTIAL, VOCAB + credential_type]]}

    def type_of(self, meta: object) -> str:
        """One alternative, of one of our types."""
        values = meta.get("type_values") if isinstance(meta, Mapping) else None
        if not isinstance(values, list) or len(values) != 1 or not isinstance(values[0], list):
            raise DcqlError("one alternative in type_values expected", where="meta")
        types = [v for v in values[0] if v not in (_V2_CREDENTIAL, "VerifiableCredential")]
        if len(types) != 1 or not isinstance(types[0], str):
            raise DcqlError("one type beside VerifiableCredential expected", where="meta")
        return types[0].removeprefix(VOCAB)

    def has_type(self, credential: Any, credential_type: str) -> bool:
        """By its `type` list."""
        return isinstance(credential, Mapping) and credential_type in credential.get("type", ())

    def claims(self, credential: Any) -> Any:
        """The document itself."""
        return credential


class SdJwtVc:
    """`dc+sd-jwt`: SD-JWT VCs, held as their text."""

    name = "dc+sd-jwt"

    def meta(self, credential_type: str) -> dict[str, Any]:
        """`vct_values`, as §B.3.5 asks."""
        return {"vct_values": [vct_of(credential_type)]}

    def type_of(self, meta: object) -> str:
        """One `vct`; ours by its short name."""
        values = meta.get("vct_values") if isinstance(meta, Mapping) else None
        if not isinstance(values, list) or len(values) != 1 or not isinstance(values[0], str):
            raise DcqlError("one vct expected", where="meta")
        return values[0].removeprefix(VOCAB)

    def has_type(self, credential: Any, credential_type: str) -> bool:
        """By its `vct`."""
        claims = self.claims(credential)
        return isinstance(claims, Mapping) and claims.get("vct") in (
            credential_type,
            vct_of(credential_type),
        )

    def claims(self, credential: Any) -> Any:
        """All its claims, as if everything were disclosed; none for what is no SD-JWT."""
        if not isinstance(credential, str):
            return None
        try:
            return held_claims(credential)
        except (SdJwtMalformedError, SdJwtError):
            return None


_V2_CREDENTIAL: Final = "https://www.w3.org/2018/credentials#VerifiableCredential"
_FORMATS: dict[str, CredentialFormat] = {}


def register_format(credential_format: CredentialFormat) -> None:
    """Make a credential format known to DCQL (`dc+sd-jwt` registers here)."""
    _FORMATS[credential_format.name] = credential_format


def _format(name: str) -> CredentialFormat:
    found = _FORMATS.get(name)
    if found is None:
        raise DcqlError("a credential format that is not spoken here", where="format")
    return found


register_format(LdpVc())
register_format(SdJwtVc())


@dataclass(frozen=True, slots=True)
class Match:
    """Held credentials that answer a query."""

    candidates: Mapping[str, tuple[Any, ...]]
    """Query id → the held credentials that fit, in the order given."""
    missing: tuple[str, ...]
    """Required queries nothing fits; empty when the request can be answered."""
    optional: frozenset[str] = field(default_factory=frozenset)
    """Queries the citizen may leave out."""

    @property
    def is_complete(self) -> bool:
        """Whether every required query has a candidate."""
        return not self.missing


def match(query: DcqlQuery, credentials: Sequence[Any]) -> Match:
    """Which of the wallet's `credentials` answer `query` (OpenID4VP 1.0 §6.4). The choice among
    candidates is the citizen's."""
    candidates = {
        item.id: tuple(c for c in credentials if _fits(item, c)) for item in query.credentials
    }
    _, missing = queries_to_answer(query, frozenset(i for i, found in candidates.items() if found))
    return Match(candidates, missing, optional_queries(query))


def optional_queries(query: DcqlQuery) -> frozenset[str]:
    """Queries the citizen may leave unanswered: no required set names them."""
    if not query.credential_sets:
        return frozenset()
    needed = {i for g in query.credential_sets if g.required for o in g.options for i in o}
    return frozenset(item.id for item in query.credentials if item.id not in needed)


def queries_to_answer(
    query: DcqlQuery, answerable: frozenset[str]
) -> tuple[frozenset[str], tuple[str, ...]]:
    """Which queries an answer holds, and which are missing (§6.4.2).

    Of each set the first option that can be answered, the verifier's own order of preference; of
    the other options nothing: it was not needed.
    """
    if not query.credential_sets:
        missing = tuple(q.id for q in query.credentials if q.id not in answerable)
        return answerable, missing
    wanted: set[str] = set()
    lacking: list[str] = []
    for group in query.credential_sets:
        chosen = next((o for o in group.options if set(o) <= answerable), None)
        if chosen is not None:
            wanted.update(chosen)
        elif group.required:
            lacking.extend(i for i in group.options[0] if i not in answerable)
    return frozenset(wanted), tuple(dict.fromkeys(lacking))


def _fits(query: CredentialQuery, credential: Any) -> bool:
    spoken = _format(query.format)
    if not spoken.has_type(credential, query.type):
        return False
    root = spoken.claims(credential)
    by_id = {claim.id: claim for claim in query.claims}
    if query.claim_sets:
        return any(all(_has(root, by_id[n]) for n in names) for names in query.claim_sets)
    return all(_has(root, claim) for claim in query.claims)


def _has(root: Any, claim: ClaimQuery) -> bool:
    return bool(_select(root, claim))


def _select(root: Any, claim: ClaimQuery) -> list[tuple[str | int, ...]]:
    """Where the claim's values stand; of several alternatives those with an accepted value."""
    selected: list[tuple[tuple[str | int, ...], Any]] = [((), root)]
    for part in claim.path:
        step: list[tuple[tuple[str | int, ...], Any]] = []
        for path, item in selected:
            if part is None:
                if isinstance(item, list):
                    step.extend(((*path, index), child) for index, child in enumerate(item))
            elif isinstance(part, str):
                if isinstance(item, Mapping) and part in item:
                    step.append(((*path, part), item[part]))
            elif isinstance(item, list) and part < len(item):
                step.append(((*path, part), item[part]))
        selected = step
    if claim.values is None:
        return [path for path, _ in selected]
    wanted = [(type(value), value) for value in claim.values]
    return [path for path, item in selected if (type(item), item) in wanted]


def claims_asked(query: CredentialQuery, credential: Any) -> list[tuple[str | int, ...]]:
    """Paths of a held credential that answer `query`: what a selective disclosure shows, and no
    more. With claim sets, those of the first that fits (§6.4.1: the verifier's order of
    preference).

    Raises:
        DcqlError: the credential does not answer the query.
    """
    if not _fits(query, credential):
        raise DcqlError("the credential does not answer the query", where=query.id)
    root = _format(query.format).claims(credential)
    by_id = {claim.id: claim for claim in query.claims}
    claims: Sequence[ClaimQuery] = query.claims
    for names in query.claim_sets:
        if all(_has(root, by_id[name]) for name in names):
            claims = [by_id[name] for name in names]
            break
    return [path for claim in claims for path in _select(root, claim)]
