"""Cryptosuite `ecdsa-sd-2023`: an issuer signs each statement apart, a holder shows some of them.

A *base proof* goes from issuer to holder: one signature over proof configuration and mandatory
statements, and one by a key made for this document over every other statement. The holder *derives*
a document with the mandatory statements and those it selects by JSON pointer; only derived proofs
convince a verifier. Blank nodes are renamed by HMAC, so that their labels tell nothing of what is
kept back. The holder's two proofs of one base are linkable: they share its signature.
Source: Data Integrity ECDSA Cryptosuites 1.0 §3.4 (selective disclosure functions), §3.5
(`ecdsa-sd-2023`); P-256 with SHA-256 only.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import cbor2

from federation.keys import (
    P256,
    MultikeyError,
    P256Key,
    PublicKey,
    SignatureMismatchError,
    Signer,
    decode_multikey,
)
from federation.multibase import EncodingError, b64url, b64url_decode, base58_encode
from federation.proofs.data_integrity import Proof, proof_options, read_proof
from federation.proofs.errors import ProofInvalidError, ProofRequestError
from federation.proofs.rdfc import canonical_configuration, canonical_foreign, canonical_strict
from federation.proofs.suite import Canonicalizer, Cryptosuite, register
from schemas.compiled import NotCompilableError
from schemas.errors import MobilityError, Retriable
from schemas.rdf import Quad, canonical_labels, parse_nquads

__all__ = [
    "ECDSA_SD_2023",
    "add_base_proof",
    "derive_proof",
    "is_base_proof",
    "select",
    "verify_base_proof",
]

NAME: Final = "ecdsa-sd-2023"
MAX_STATEMENTS: Final = 1_000
"""Each that is not mandatory costs a signature (some 65 µs)."""
MAX_POINTERS: Final = 1_000
_BASE: Final = b"\xd9\x5d\x00"
_DERIVED: Final = b"\xd9\x5d\x01"
_SIGNATURE: Final = 64
_PUBLIC: Final = 35
"""Multicodec prefix and compressed point."""
_HMAC_KEY: Final = 32


@dataclass(frozen=True, slots=True)
class _Base:
    """What a base proof value holds."""

    signature: bytes
    public: bytes
    hmac_key: bytes
    signatures: tuple[bytes, ...]
    """One for each statement that is not mandatory, in their order."""
    mandatory: tuple[str, ...]
    """JSON pointers."""


@dataclass(frozen=True, slots=True)
class _Derived:
    """What a derived proof value holds."""

    signature: bytes
    public: bytes
    signatures: tuple[bytes, ...]
    labels: Mapping[str, str]
    """Canonical label of the derived document → label that was signed."""
    mandatory: frozenset[int]
    """Places of mandatory statements among those shown."""


# --- selecting by JSON pointer ------------------------------------------------------------


class _Sparse(dict[int, Any]):
    """Some elements of a list, by their index."""


def select(document: Mapping[str, Any], pointers: Iterable[str]) -> dict[str, Any] | None:
    """The part of a document that JSON pointers (RFC 6901) name, with `id` and `type` of every
    object on the way; lists close up. None: no pointer. (§3.4.13 `selectJsonLd`)

    Raises:
        ProofRequestError: a pointer that leads nowhere, or to the contexts or the proof.
    """
    listed = list(dict.fromkeys(pointers))
    if not listed:
        return None
    selection: dict[str, Any] = {"@context": deepcopy(document.get("@context"))}
    selection.update(_named(document))
    for pointer in listed:
        _select(document, _parts(pointer), selection)
    dense: dict[str, Any] = _dense(selection)
    return dense


def _parts(pointer: str) -> list[str]:
    if not isinstance(pointer, str) or pointer[:1] != "/" or len(pointer) > 2_000:
        raise ProofRequestError("a JSON pointer begins with /")
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]
    if parts[0] in ("@context", "proof"):
        raise ProofRequestError("contexts and proof are not selected")
    return parts


def _select(document: Mapping[str, Any], parts: Sequence[str], selection: dict[str, Any]) -> None:
    value: Any = document
    place: Any = selection
    key: Any
    for position, part in enumerate(parts):
        key = _key(value, part)
        value = value[key]
        if position == len(parts) - 1:
            kept = deepcopy(value)
            if isinstance(value, Mapping) and isinstance(place.get(key), dict):
                kept = {**place[key], **kept}
            place[key] = kept
        else:
            if not isinstance(place, list) and key not in place:
                place[key] = _Sparse() if isinstance(value, list) else _named(value)
            place = place[key]


def _key(value: Any, part: str) -> str | int:
    if isinstance(value, Mapping) and part in value:
        return part
    if (
        isinstance(value, list)
        and part.isascii()
        and part.isdigit()
        and (part == "0" or part[0] != "0")
        and len(part) < 8
        and int(part) < len(value)
    ):
        return int(part)
    raise ProofRequestError("a JSON pointer leads nowhere")


def _named(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    return {
        name: deepcopy(value[name])
        for name in ("id", "type")
        if name in value and not (name == "id" and str(value[name]).startswith("_:"))
    }


def _dense(value: Any) -> Any:
    if isinstance(value, _Sparse):
        return [_dense(value[index]) for index in sorted(value)]
    if isinstance(value, dict):
        return {name: _dense(item) for name, item in value.items()}
    return value


# --- statements and groups ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Grouped:
    """The statements of a document as they are signed, and which of them each group selects."""

    statements: tuple[str, ...]
    """N-Quads lines with signed labels, in code point order."""
    selected: Mapping[str, frozenset[int]]
    labels: Mapping[str, str]
    """Label in `quads` → label that is signed."""
    quads: Mapping[str, tuple[Quad, ...]]
    """Group → its statements with the labels of this run."""


def _group(
    document: Mapping[str, Any],
    groups: Mapping[str, Sequence[str]],
    hmac_key: bytes,
    canonicalize: Canonicalizer,
) -> _Grouped:
    """§3.4.15 `canonicalizeAndGroup`: blank nodes get names of this run (skolemization), so that
    the same node is recognised in every selection.

    Raises:
        ProofRequestError: a pointer that leads nowhere, a node this cannot name, too large.
    """
    prefix = f"urn:bnid:{secrets.token_hex(16)}:"
    named = _skolemize({k: v for k, v in document.items() if k != "proof"}, prefix, [0])
    quads = _named_quads(named, prefix, canonicalize)
    if len(quads) > MAX_STATEMENTS:
        raise ProofRequestError("too many statements to sign apart")
    labels = {
        found: _hmac_label(hmac_key, canonical)
        for found, canonical in canonical_labels(quads).items()
    }
    statements = tuple(sorted({_relabel(quad, labels).line() for quad in quads}))
    place = {line: index for index, line in enumerate(statements)}
    chosen: dict[str, tuple[Quad, ...]] = {}
    selected: dict[str, frozenset[int]] = {}
    for name, pointers in groups.items():
        part = select(named, pointers)
        found = () if part is None else tuple(_named_quads(part, prefix, canonicalize))
        chosen[name] = found
        lines = [_relabel(quad, labels).line() for quad in found]
        if any(line not in place for line in lines):
            raise ProofRequestError("a selection states what the document does not")
        selected[name] = frozenset(place[line] for line in lines)
    return _Grouped(statements, selected, labels, chosen)


def _skolemize(value: Any, prefix: str, count: list[int]) -> Any:
    if isinstance(value, Mapping):
        named = {
            name: item if name == "@context" else _skolemize(item, prefix, count)
            for name, item in value.items()
        }
        if "id" not in named and "@id" not in named and "@value" not in named:
            named["id"] = f"{prefix}{count[0]}"
            count[0] += 1
        return named
    if isinstance(value, list):
        return [_skolemize(item, prefix, count) for item in value]
    return value


def _named_quads(named: Mapping[str, Any], prefix: str, canonicalize: Canonicalizer) -> list[Quad]:
    """Statements of a document whose nodes are all named; names of this run become labels."""
    quads = parse_nquads(canonicalize(named).decode())
    if any(part.startswith("_:") for quad in quads for part in quad):
        raise ProofRequestError("a node that cannot be selected: blank by label, or a graph")
    opening = f"<{prefix}"
    return [
        Quad(*(f"_:b{part[len(opening) : -1]}" if part.startswith(opening) else part for part in q))
        for q in quads
    ]


def _relabel(quad: Quad, labels: Mapping[str, str]) -> Quad:
    return Quad(*(labels[part] if part.startswith("_:") else part for part in quad))


def _hmac_label(key: bytes, canonical: str) -> str:
    """§3.4.5: `u` keeps the label legal."""
    data = canonical.removeprefix("_:").encode("ascii")
    return f"_:u{b64url(hmac.digest(key, data, 'sha256'))}"


def _mandatory_hash(lines: Iterable[str]) -> bytes:
    return sha256("".join(lines).encode()).digest()


def _proof_hash(options: Mapping[str, Any], contexts: object, canonicalize: Canonicalizer) -> bytes:
    if canonicalize in (canonical_strict, canonical_foreign):
        try:
            return sha256(canonical_configuration(options, contexts)).digest()
        except NotCompilableError:
            pass
    return sha256(canonicalize({**options, "@context": contexts})).digest()


# --- issuer: the base proof ---------------------------------------------------------------


def add_base_proof(
    document: Mapping[str, Any],
    signer: Signer,
    *,
    mandatory: Sequence[str],
    purpose: str,
    created: datetime,
    proof_id: str | None = None,
    expires: datetime | None = None,
    foreign: bool = False,
    canonicalize: Canonicalizer | None = None,
    statement_key: P256Key | None = None,
    hmac_key: bytes | None = None,
) -> dict[str, Any]:
    """A copy of `document` with a base proof (§3.5.2). `mandatory`: JSON pointers to what every
    derived document shows. `statement_key` and `hmac_key` are made for this document and forgotten;
    vectors give their own.

    Raises:
        ProofRequestError: a proof is there already, another key than P-256, a pointer that leads
        nowhere, more than 1 000 statements. As `add_proof` for what a signature would not cover.
    """
    if "proof" in document:
        raise ProofRequestError("the document already has a proof")
    if signer.algorithm != P256:
        raise ProofRequestError(f"{NAME} does not sign with {signer.algorithm}")
    if canonicalize is None:
        canonicalize = canonical_foreign if foreign else canonical_strict
    options = proof_options(
        signer,
        cryptosuite=NAME,
        purpose=purpose,
        created=created,
        proof_id=proof_id,
        expires=expires,
    )
    hmac_key = secrets.token_bytes(_HMAC_KEY) if hmac_key is None else hmac_key
    statement_key = P256Key.generate() if statement_key is None else statement_key
    grouped = _group(document, {"mandatory": mandatory}, hmac_key, canonicalize)
    shown = grouped.selected["mandatory"]
    signatures = [
        statement_key.sign(line.encode())
        for index, line in enumerate(grouped.statements)
        if index not in shown
    ]
    public = statement_key.public.multicodec()
    signed = (
        _proof_hash(options, document.get("@context"), canonicalize)
        + public
        + _mandatory_hash(grouped.statements[index] for index in sorted(shown))
    )
    value = [signer.sign(signed), public, hmac_key, signatures, list(dict.fromkeys(mandatory))]
    return {**document, "proof": {**options, "proofValue": _encode(_BASE, value)}}


def verify_base_proof(
    document: Mapping[str, Any],
    *,
    key: PublicKey,
    foreign: bool = True,
    canonicalize: Canonicalizer | None = None,
) -> tuple[str, ...]:
    """Check a base proof as its holder does on receiving it: every signature holds, so that
    whatever is derived from it will verify. Gives the mandatory pointers.

    Raises:
        ProofInvalidError: it does not.
    """
    proof = read_proof(document)
    if canonicalize is None:
        canonicalize = canonical_foreign if foreign else canonical_strict
    _check_key(proof, key)
    base = _read_base(proof)
    try:
        grouped = _group(document, {"mandatory": base.mandatory}, base.hmac_key, canonicalize)
    except MobilityError as error:
        raise _refusal(error) from error
    shown = grouped.selected["mandatory"]
    others = [line for index, line in enumerate(grouped.statements) if index not in shown]
    mandatory = [grouped.statements[index] for index in sorted(shown)]
    _check(
        proof,
        document,
        key,
        canonicalize,
        base.signature,
        base.public,
        base.signatures,
        mandatory,
        others,
    )
    return base.mandatory


def is_base_proof(proof: Mapping[str, Any]) -> bool:
    """Whether a proof (as JSON) is a base proof, which is for its holder only."""
    value = proof.get("proofValue")
    return (
        proof.get("cryptosuite") == NAME
        and isinstance(value, str)
        and value.startswith(f"u{b64url(_BASE)}")
    )


# --- holder: the derived proof ------------------------------------------------------------


def derive_proof(
    document: Mapping[str, Any],
    *,
    selective: Sequence[str],
    foreign: bool = False,
    canonicalize: Canonicalizer | None = None,
) -> dict[str, Any]:
    """The part of a document with a base proof that its mandatory pointers and those of
    `selective` name, with a derived proof (§3.5.7). Nothing is verified here.

    Raises:
        ProofRequestError: nothing is selected, or a pointer leads nowhere. ProofInvalidError: no
        base proof, or one that is not for this document.
    """
    proof = read_proof(document)
    base = _read_base(proof)
    if canonicalize is None:
        canonicalize = canonical_foreign if foreign else canonical_strict
    combined = [*base.mandatory, *selective]
    if not combined:
        raise ProofRequestError("nothing is selected")
    grouped = _group(
        document,
        {"mandatory": base.mandatory, "combined": combined},
        base.hmac_key,
        canonicalize,
    )
    mandatory, shown = grouped.selected["mandatory"], sorted(grouped.selected["combined"])
    others = [index for index in range(len(grouped.statements)) if index not in mandatory]
    if len(others) != len(base.signatures):
        raise ProofInvalidError("not as many signatures as statements")
    signature_of = dict(zip(others, base.signatures, strict=True))
    labels = {
        int(canonical.removeprefix("_:c14n")): b64url_decode(grouped.labels[found][3:])
        for found, canonical in canonical_labels(list(grouped.quads["combined"])).items()
    }
    value = [
        base.signature,
        base.public,
        [signature_of[index] for index in shown if index not in mandatory],
        dict(sorted(labels.items())),
        [place for place, index in enumerate(shown) if index in mandatory],
    ]
    plain = {name: item for name, item in document.items() if name != "proof"}
    revealed = select(plain, combined) or {}
    return {**revealed, "proof": {**proof.options, "proofValue": _encode(_DERIVED, value)}}


# --- verifier -----------------------------------------------------------------------------


def _verify(
    proof: Proof, document: Mapping[str, Any], key: PublicKey, canonicalize: Canonicalizer
) -> None:
    """Check a derived proof (§3.5.8).

    Steps: (1) the key is P-256; (2) the proof value is a derived one, within bounds; (3) canonical
    statements of the document, blank nodes named as the issuer named them; (4) mandatory ones by
    the places the proof names; (5) one signature for each other statement, all by the key the base
    signature covers; (6) the base signature, by `key`, over proof configuration, that key and the
    mandatory statements.

    Raises:
        ProofInvalidError: any step.
    """
    _check_key(proof, key)  # (1)
    derived = _read_derived(proof)  # (2)
    plain = {name: item for name, item in document.items() if name != "proof"}
    try:  # (3)
        lines = _verifier_statements(canonicalize(plain).decode(), derived.labels)
    except MobilityError as error:
        raise _refusal(error) from error
    if derived.mandatory and max(derived.mandatory) >= len(lines):  # (4)
        raise ProofInvalidError("a mandatory statement is missing")
    _check(  # (5), (6)
        proof,
        document,
        key,
        canonicalize,
        derived.signature,
        derived.public,
        derived.signatures,
        [line for index, line in enumerate(lines) if index in derived.mandatory],
        [line for index, line in enumerate(lines) if index not in derived.mandatory],
    )


def _verifier_statements(canonical: str, labels: Mapping[str, str]) -> list[str]:
    if "_:" not in canonical:
        if labels:
            raise ProofInvalidError("labels of nodes that are not there")
        return [f"{line}\n" for line in canonical.split("\n")[:-1]]
    quads = parse_nquads(canonical)
    blank = {part for quad in quads for part in quad if part.startswith("_:")}
    if blank != set(labels):
        raise ProofInvalidError("labels of other nodes than those shown")
    return sorted(_relabel(quad, labels).line() for quad in quads)


def _check_key(proof: Proof, key: PublicKey) -> None:
    if proof.suite.name != NAME:
        raise ProofInvalidError(f"not a proof of {NAME}")
    if key.algorithm != P256:
        raise ProofInvalidError(
            f"{NAME} does not verify with {key.algorithm}", reason_code="algorithm-mismatch"
        )


def _check(  # noqa: PLR0917 - what the two kinds of proof have in common
    proof: Proof,
    document: Mapping[str, Any],
    key: PublicKey,
    canonicalize: Canonicalizer,
    signature: bytes,
    public: bytes,
    signatures: Sequence[bytes],
    mandatory: Sequence[str],
    others: Sequence[str],
) -> None:
    if len(others) != len(signatures):
        raise ProofInvalidError(
            f"{len(signatures)} signatures for {len(others)} statements that are not mandatory",
            reason_code="foreign-disclosure",
        )
    try:
        statement_key = decode_multikey("z" + base58_encode(public))
        if statement_key.algorithm != P256:
            raise MultikeyError("not a key of P-256")
        head = _proof_hash(proof.options, document.get("@context"), canonicalize)
        # The base signature first: what it does not cover is not worth the others.
        key.verify(head + public + _mandatory_hash(mandatory), signature)
    except MobilityError as error:
        raise _refusal(error) from None
    try:
        for line, found in zip(others, signatures, strict=True):
            statement_key.verify(line.encode(), found)
    except SignatureMismatchError:
        raise ProofInvalidError(
            "a statement the issuer did not sign", reason_code="foreign-disclosure"
        ) from None


def _refusal(error: MobilityError) -> MobilityError:
    if isinstance(error, Retriable | ProofInvalidError):
        return error
    if isinstance(error, SignatureMismatchError | MultikeyError | ProofRequestError):
        return ProofInvalidError(str(error))
    return ProofInvalidError(str(error), reason_code=error.code)


# --- proof values (§3.5.1) ----------------------------------------------------------------


def _encode(kind: bytes, value: object) -> str:
    return "u" + b64url(kind + cbor2.dumps(value))


def _decode(proof: Proof, kind: bytes) -> list[Any]:
    """Five parts of a proof value of this kind, in the one way they are written.

    Raises:
        ProofInvalidError: malformed, or of the other kind.
    """
    data = proof.signature
    if data[:3] != kind:
        if data[:3] == _BASE:
            raise ProofInvalidError("a base proof is for its holder", reason_code="base-proof")
        raise ProofInvalidError("not a proof value of this kind")
    try:
        value = cbor2.loads(data[3:])
        again = cbor2.dumps(value)
    except (cbor2.CBORError, ValueError, TypeError, RecursionError, OverflowError, MemoryError):
        raise ProofInvalidError("proofValue is not CBOR") from None
    if not isinstance(value, list) or len(value) != 5 or again != data[3:]:
        raise ProofInvalidError("proofValue is not five parts")
    return value


def _bytes(value: object, length: int) -> bytes:
    if type(value) is not bytes or len(value) != length:
        raise ProofInvalidError("proofValue has a part of another length")
    return value


def _list(value: object, limit: int) -> list[Any]:
    if type(value) is not list or len(value) > limit:
        raise ProofInvalidError("proofValue has a list that is none, or too long")
    return value


def _read_base(proof: Proof) -> _Base:
    signature, public, hmac_key, signatures, mandatory = _decode(proof, _BASE)
    if not all(isinstance(pointer, str) for pointer in _list(mandatory, MAX_POINTERS)):
        raise ProofInvalidError("proofValue has a pointer that is no text")
    return _Base(
        _bytes(signature, _SIGNATURE),
        _bytes(public, _PUBLIC),
        _bytes(hmac_key, _HMAC_KEY),
        tuple(_bytes(found, _SIGNATURE) for found in _list(signatures, MAX_STATEMENTS)),
        tuple(mandatory),
    )


def _read_derived(proof: Proof) -> _Derived:
    signature, public, signatures, labels, mandatory = _decode(proof, _DERIVED)
    if type(labels) is not dict or len(labels) > MAX_STATEMENTS:
        raise ProofInvalidError("proofValue has no map of labels")
    if not all(type(number) is int and number >= 0 for number in labels):
        raise ProofInvalidError("proofValue labels what is no node")
    if len(set(labels.values())) != len(labels):
        raise ProofInvalidError("proofValue labels two nodes alike")
    places = _list(mandatory, MAX_STATEMENTS)
    if (
        not all(type(place) is int and place >= 0 for place in places)
        or sorted(set(places)) != places
    ):
        raise ProofInvalidError("proofValue places mandatory statements twice, or out of order")
    return _Derived(
        _bytes(signature, _SIGNATURE),
        _bytes(public, _PUBLIC),
        tuple(_bytes(found, _SIGNATURE) for found in _list(signatures, MAX_STATEMENTS)),
        {
            f"_:c14n{number}": f"_:u{b64url(_bytes(found, _HMAC_KEY))}"
            for number, found in labels.items()
        },
        frozenset(places),
    )


def _read_value(text: str) -> bytes:
    """Bytes of `u` and base64url.

    Raises:
        EncodingError: not so, or longer than a thousand signatures.
    """
    if text[:1] != "u" or len(text) > 200 * MAX_STATEMENTS:
        raise EncodingError("not base64url multibase, or too long")
    return b64url_decode(text[1:])


ECDSA_SD_2023: Final = register(
    Cryptosuite(
        name=NAME,
        digests={P256: "sha256"},
        canonicalize=canonical_strict,
        canonicalize_foreign=canonical_foreign,
        specification="https://www.w3.org/TR/vc-di-ecdsa/#ecdsa-sd-2023",
        read_value=_read_value,
        verify=_verify,
    )
)
