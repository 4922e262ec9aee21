"""Credentials and presentations, parsed strictly (VC Data Model 2.0) into what cannot be wrong;
nothing here is verified yet.

`parse_credential` accepts a document only if it is one of the federation's types in its one written
form (`shape.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from federation.credentials.selective import derived_shape
from federation.credentials.shape import (
    CONTEXTS,
    Node,
    Shape,
    ShapeError,
    copy_bounded,
    name_node,
    read_instant,
    read_iri,
    read_node,
    refuse_huge,
    refuse_unknown,
)
from federation.credentials.types import CREDENTIAL_TYPES
from federation.proofs import (
    ECDSA_SD_2023,
    Proof,
    ProofInvalidError,
    is_base_proof,
    read_proof,
)
from federation.verification import failed_codes
from schemas.errors import MobilityError
from schemas.ids import Did
from schemas.jsonld import parse_json

__all__ = [
    "MAX_PRESENTATION",
    "Credential",
    "EnvelopedCredential",
    "Presentation",
    "StatusEntry",
    "parse_credential",
    "parse_enveloped",
    "parse_presentation",
    "read_credential",
    "read_presentation",
    "status_member",
]

MAX_PRESENTATION: Final = 512_000
"""Bytes of a presentation: 20 credentials of 2 kB leave room for lists of days and modes."""
MAX_CREDENTIALS: Final = 64
_CONTEXTS: Final = list(CONTEXTS)
_REGISTERED: Final = frozenset({"iss", "sub", "jti", "nbf", "iat", "exp"})
"""Claims of a VC-JWT that repeat what the credential says (`vc_jwt.py` compares them)."""

_CREDENTIAL_MEMBERS: Final = frozenset(
    {
        "@context",
        "id",
        "type",
        "issuer",
        "validFrom",
        "validUntil",
        "credentialSubject",
        "credentialStatus",
        "proof",
    }
)
_REQUIRED_MEMBERS: Final = tuple(
    sorted(_CREDENTIAL_MEMBERS - {"validUntil", "credentialStatus", "proof"})
)
_PRESENTATION_MEMBERS: Final = frozenset(
    {"@context", "id", "type", "holder", "verifiableCredential", "proof"}
)
_STATUS_MEMBERS: Final = frozenset(
    {"id", "type", "statusPurpose", "statusListIndex", "statusListCredential"}
)


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """Where a credential's status is kept: one bit of a Bitstring Status List."""

    list_url: str
    index: int
    purpose: str = "revocation"
    """`revocation` (for good) or `suspension`."""

    def to_json(self) -> dict[str, str]:
        """`credentialStatus` member."""
        return {
            "id": f"{self.list_url}#{self.index}",
            "type": "BitstringStatusListEntry",
            "statusPurpose": self.purpose,
            "statusListIndex": str(self.index),
            "statusListCredential": self.list_url,
        }


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential as read."""

    id: str
    type: str
    issuer: Did
    valid_from: datetime
    valid_until: datetime | None
    holder: str
    """`credentialSubject.id`: the key or person it is bound to."""
    subject: Mapping[str, Any]
    statuses: tuple[StatusEntry, ...]
    proof: Proof
    document: Mapping[str, Any]
    """What the parsed credential writes; equal to the document that was read."""
    node: Node
    """The subject as parsed."""
    written_dates: tuple[str, str | None]
    """`validFrom` and `validUntil` as written: the signature covers their text."""


@dataclass(frozen=True, slots=True)
class EnvelopedCredential:
    """A credential as read from a JWT whose signature was checked; members as `Credential`."""

    id: str
    type: str
    issuer: Did
    valid_from: datetime
    valid_until: datetime | None
    holder: str
    subject: Mapping[str, Any]
    statuses: tuple[StatusEntry, ...]
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Presentation:
    """A presentation as read."""

    id: str
    holder: Did
    credentials: tuple[Credential, ...]
    proof: Proof
    document: Mapping[str, Any]


def load_document(document: Mapping[str, Any] | bytes | str) -> dict[str, Any]:
    """A JSON object of its own: parsed from bytes (duplicate members, depth and size refused), or
    copied from the object given, so that nobody changes it between checking and reading.

    Raises:
        ShapeError: `json-refused`, `too-deep`, `too-large`.
    """
    parsed = _parse(document) if isinstance(document, bytes | str) else copy_bounded(document)
    refuse_huge(parsed)
    return _object(parsed)


def read_credential(document: Mapping[str, Any] | bytes | str) -> Credential:
    """`parse_credential` of JSON nobody vouches for: nothing is copied, for closed shapes read
    every value once, keep what they read and bound it.

    Raises:
        ShapeError: as there; `json-refused`, `too-deep` and `too-large` before its reasons.
    """
    opened = _open(document)
    try:
        return parse_credential(opened)
    except ShapeError as error:
        raise _explain(opened, error) from None


def read_presentation(document: Mapping[str, Any] | bytes | str) -> Presentation:
    """`parse_presentation`, as `read_credential`.

    Raises:
        ShapeError: as there.
    """
    opened = _open(document)
    try:
        return parse_presentation(opened)
    except ShapeError as error:
        raise _explain(opened, error) from None


def _open(document: Mapping[str, Any] | bytes | str) -> dict[str, Any]:
    if isinstance(document, bytes | str):
        return _object(_parse(document))
    return document if type(document) is dict else _object(copy_bounded(document))


def _explain(document: Mapping[str, Any], error: ShapeError) -> ShapeError:
    try:
        copy_bounded(document)
    except ShapeError as found:
        return found
    return error


def _parse(document: bytes | str) -> Any:
    if isinstance(document, str):
        document = document.encode("utf-8", "surrogatepass")
    try:
        return parse_json(document, max_bytes=MAX_PRESENTATION)
    except MobilityError as error:
        where = getattr(error, "where", None) or ""
        raise ShapeError("json-refused", where, str(error)) from None


def _object(parsed: Any) -> dict[str, Any]:
    if not isinstance(parsed, dict):
        raise ShapeError("json-refused", "", "a JSON object expected")
    return parsed


def check_contexts(value: object, where: str) -> None:
    """Our two contexts, in order.

    Raises:
        ShapeError: `context-reordered` (the same ones, otherwise ordered), else `context-changed`.
    """
    if value == _CONTEXTS:
        return
    if isinstance(value, list) and sorted(map(str, value)) == sorted(CONTEXTS):
        raise ShapeError("context-reordered", f"{where}/@context", "contexts out of order")
    raise ShapeError("context-changed", f"{where}/@context", "other contexts than the federation's")


class _Body(NamedTuple):
    """A credential as read, without what secures it."""

    id: str
    type: str
    issuer: Did
    valid_from: datetime
    valid_until: datetime | None
    node: Node
    subject: Mapping[str, Any]
    statuses: tuple[StatusEntry, ...]
    written: dict[str, Any]


def parse_credential(
    document: object,
    *,
    where: str = "",
    ids: set[str] | None = None,
    types: Mapping[str, Shape] = CREDENTIAL_TYPES,
) -> Credential:
    """Read one credential of the federation's types.

    `ids` collects node ids over a whole presentation.

    Raises:
        ShapeError: with its reason and pointer.
    """
    if not isinstance(document, Mapping):
        raise ShapeError("shape-invalid", where, "a credential expected")
    ids = set() if ids is None else ids
    document = dict(document)
    refuse_unknown(document, _CREDENTIAL_MEMBERS, where)
    if "proof" not in document:
        raise ShapeError("missing-member", f"{where}/proof", "missing")
    read = _parse_body(document, where, ids, types, derived=_is_derived(document["proof"]))
    proof = parse_proof(document, where, ids)
    read.written["proof"] = proof.to_json()
    if read.written != document:
        raise ShapeError("shape-invalid", where, "not the written form of a credential")
    return Credential(
        id=read.id,
        type=read.type,
        issuer=read.issuer,
        valid_from=read.valid_from,
        valid_until=read.valid_until,
        holder=read.node.id,
        subject=read.subject,
        statuses=read.statuses,
        proof=proof,
        document=read.written,
        node=read.node,
        written_dates=(document["validFrom"], document.get("validUntil")),
    )


def parse_enveloped(claims: Mapping[str, Any]) -> EnvelopedCredential:
    """Read the claims of a VC-JWT of the federation's types; claims a JWT registers stand beside.

    Raises:
        ShapeError: as `parse_credential`.
    """
    document = {name: value for name, value in claims.items() if name not in _REGISTERED}
    refuse_unknown(document, _CREDENTIAL_MEMBERS - {"proof"}, "")
    read = _parse_body(document, "", set(), CREDENTIAL_TYPES, derived=False)
    if read.written != document:
        raise ShapeError("shape-invalid", "", "not the written form of a credential")
    return EnvelopedCredential(
        id=read.id,
        type=read.type,
        issuer=read.issuer,
        valid_from=read.valid_from,
        valid_until=read.valid_until,
        holder=read.node.id,
        subject=read.subject,
        statuses=read.statuses,
        document=read.written,
    )


def _parse_body(
    document: Mapping[str, Any],
    where: str,
    ids: set[str],
    types: Mapping[str, Shape],
    *,
    derived: bool,
) -> _Body:
    for name in _REQUIRED_MEMBERS:
        if name not in document:
            raise ShapeError("missing-member", f"{where}/{name}", "missing")
    check_contexts(document["@context"], where)
    identifier = name_node(document, where, ids)
    kind = document["type"]
    if not (
        isinstance(kind, list)
        and len(kind) == 2
        and kind[0] == "VerifiableCredential"
        and isinstance(kind[1], str)
        and kind[1] in types
    ):
        raise ShapeError("type-unknown", f"{where}/type", "not a credential type of the federation")
    issuer = read_iri(document["issuer"], f"{where}/issuer")
    if not issuer.startswith("did:"):
        raise ShapeError("shape-invalid", f"{where}/issuer", "a DID expected")
    valid_from = read_instant(document["validFrom"], f"{where}/validFrom")
    valid_until = (
        read_instant(document["validUntil"], f"{where}/validUntil")
        if "validUntil" in document
        else None
    )
    holder_ids: set[str] = set()
    shape = types[kind[1]]
    if derived:
        shape = derived_shape(kind[1], shape)
    node = read_node(document["credentialSubject"], shape, f"{where}/credentialSubject", holder_ids)
    if not ids.isdisjoint(holder_ids):
        raise ShapeError("duplicate-node", f"{where}/credentialSubject", "two nodes of one id")
    ids |= holder_ids
    ids.discard(node.id)
    subject = node.written
    if "periodFrom" in subject and subject["periodFrom"] > subject.get("periodUntil", "9999"):
        raise ShapeError(
            "shape-invalid", f"{where}/credentialSubject/periodFrom", "period reversed"
        )
    statuses = (
        _parse_statuses(document["credentialStatus"], f"{where}/credentialStatus", ids)
        if "credentialStatus" in document
        else ()
    )
    written = {
        "@context": list(CONTEXTS),
        "id": identifier,
        "type": ["VerifiableCredential", kind[1]],
        "issuer": issuer,
        "validFrom": document["validFrom"],
        **({"validUntil": document["validUntil"]} if valid_until else {}),
        "credentialSubject": subject,
        **status_member(statuses),
    }
    return _Body(
        identifier,
        kind[1],
        Did(issuer),
        valid_from,
        valid_until,
        node,
        subject,
        statuses,
        written,
    )


def parse_presentation(document: Mapping[str, Any]) -> Presentation:
    """Read a presentation and its credentials.

    Raises:
        ShapeError: with its reason and pointer.
    """
    document = dict(document)
    refuse_unknown(document, _PRESENTATION_MEMBERS, "")
    for name in sorted(_PRESENTATION_MEMBERS):
        if name not in document:
            raise ShapeError("missing-member", f"/{name}", "missing")
    check_contexts(document["@context"], "")
    ids: set[str] = set()
    identifier = name_node(document, "", ids)
    if document["type"] != ["VerifiablePresentation"]:
        raise ShapeError("type-unknown", "/type", "not a presentation")
    holder = read_iri(document["holder"], "/holder")
    listed = document["verifiableCredential"]
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_CREDENTIALS:
        raise ShapeError("shape-invalid", "/verifiableCredential", "1 to 64 credentials expected")
    credentials = tuple(
        parse_credential(item, where=f"/verifiableCredential/{index}", ids=ids)
        for index, item in enumerate(listed)
    )
    proof = parse_proof(document, "", ids)
    return Presentation(
        id=identifier,
        holder=Did(holder),
        credentials=credentials,
        proof=proof,
        document={
            "@context": list(CONTEXTS),
            "id": identifier,
            "type": ["VerifiablePresentation"],
            "holder": holder,
            "verifiableCredential": [credential.document for credential in credentials],
            "proof": proof.to_json(),
        },
    )


def parse_proof(document: Mapping[str, Any], where: str, ids: set[str]) -> Proof:
    """The document's proof, which has an id of its own (no blank node).

    Raises:
        ShapeError: with the proof's reason code.
    """
    try:
        proof = read_proof(document)
    except ProofInvalidError as error:
        raise ShapeError(failed_codes(error.checks)[0], f"{where}/proof", str(error)) from None
    name_node(proof.options, f"{where}/proof", ids)
    if "@context" in proof.options or proof.created is None:
        raise ShapeError(
            "shape-invalid", f"{where}/proof", "a dated proof without contexts expected"
        )
    read_iri(proof.verification_method, f"{where}/proof/verificationMethod")
    return proof


def _is_derived(proof: object) -> bool:
    """Whether the holder chose what to show of this credential."""
    return (
        isinstance(proof, Mapping)
        and proof.get("cryptosuite") == ECDSA_SD_2023.name
        and not is_base_proof(proof)
    )


def status_member(statuses: Sequence[StatusEntry]) -> dict[str, Any]:
    """The member `credentialStatus`: one entry as itself, two as a list in the order of their ids;
    nothing for none."""
    if not statuses:
        return {}
    written = sorted((entry.to_json() for entry in statuses), key=lambda entry: entry["id"])
    return {"credentialStatus": written[0] if len(written) == 1 else written}


def _parse_statuses(value: object, where: str, ids: set[str]) -> tuple[StatusEntry, ...]:
    """One entry, or one for each purpose."""
    if not isinstance(value, list):
        return (_parse_status(value, where, ids),)
    if len(value) != 2:
        raise ShapeError("shape-invalid", where, "one entry, or one for each purpose")
    entries = tuple(_parse_status(item, f"{where}/{n}", ids) for n, item in enumerate(value))
    if entries[0].purpose == entries[1].purpose:
        raise ShapeError("shape-invalid", where, "two entries of one purpose")
    if entries[0].to_json()["id"] > entries[1].to_json()["id"]:
        raise ShapeError("unordered-list", where, "not in the order of ids")
    return entries


def _parse_status(value: object, where: str, ids: set[str]) -> StatusEntry:
    if not isinstance(value, Mapping):
        raise ShapeError("shape-invalid", where, "a status entry expected")
    refuse_unknown(value, _STATUS_MEMBERS, where)
    if set(value) != _STATUS_MEMBERS or value["type"] != "BitstringStatusListEntry":
        raise ShapeError("shape-invalid", where, "not a bitstring status entry")
    name_node(value, where, ids)
    url = read_iri(value["statusListCredential"], f"{where}/statusListCredential")
    index, purpose = value["statusListIndex"], value["statusPurpose"]
    if not (isinstance(index, str) and index.isascii() and index.isdigit() and len(index) <= 9):
        raise ShapeError("shape-invalid", f"{where}/statusListIndex", "not an index")
    if purpose not in ("revocation", "suspension"):
        raise ShapeError("shape-invalid", f"{where}/statusPurpose", "not a purpose we know")
    entry = StatusEntry(url, int(index), purpose)
    if dict(value) != entry.to_json():
        raise ShapeError("shape-invalid", where, "not the written form of a status entry")
    return entry
