"""Data Integrity proofs: add one to a document, check one.

Source: Verifiable Credential Data Integrity 1.0 §4.2 (add proof), §4.4 (verify proof); the suites'
§3.2.1–3.2.6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from federation.keys import PublicKey, SignatureMismatchError, Signer
from federation.multibase import EncodingError, base58_encode
from federation.proofs.errors import ProofInvalidError, ProofRequestError, UnknownCryptosuiteError
from federation.proofs.suite import (
    PROOF_TYPE,
    Canonicalizer,
    Cryptosuite,
    cryptosuite,
    former_suite,
)
from federation.trust import format_instant, parse_instant
from schemas.compiled import NotCompilableError
from schemas.errors import MobilityError, Retriable

__all__ = ["Proof", "add_proof", "check_signature", "hash_data", "read_proof", "verify_proof"]

_MEMBERS: Final = frozenset(
    {
        "id",
        "type",
        "cryptosuite",
        "created",
        "expires",
        "verificationMethod",
        "proofPurpose",
        "challenge",
        "domain",
        "nonce",
        "previousProof",
        "proofValue",
        "@context",
    }
)


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof as read, not yet checked."""

    suite: Cryptosuite
    verification_method: str
    purpose: str
    created: datetime | None
    expires: datetime | None
    challenge: str | None
    domain: str | None
    signature: bytes
    options: Mapping[str, Any]
    """The proof without `proofValue`."""
    value: str
    """`proofValue` as written."""

    def to_json(self) -> dict[str, Any]:
        """The proof as it was read."""
        return {**self.options, "proofValue": self.value}


def add_proof(
    document: Mapping[str, Any],
    signer: Signer,
    *,
    cryptosuite: str,
    purpose: str,
    created: datetime,
    challenge: str | None = None,
    domain: str | None = None,
    proof_id: str | None = None,
    expires: datetime | None = None,
    foreign: bool = False,
    canonicalize: Canonicalizer | None = None,
) -> dict[str, Any]:
    """A copy of `document` with a proof by `signer`.

    `purpose` is `assertionMethod` (credentials) or `authentication` (presentations; with
    `challenge` and `domain`). With `proof_id` the proof is a named node, so what is signed has no
    blank node. `foreign` allows contexts and constructs outside the compiled subset.

    Raises:
        ProofRequestError: the document already has a proof, or the key does not fit the suite.
        UnknownCryptosuiteError: no such suite.
        DroppedPropertyError, RelativeIriError, NotCompilableError, PoisonGraphError: a signature
        would not cover the document.
    """
    if "proof" in document:
        raise ProofRequestError("the document already has a proof")
    proof = make_proof(
        document,
        signer,
        cryptosuite=cryptosuite,
        purpose=purpose,
        created=created,
        challenge=challenge,
        domain=domain,
        proof_id=proof_id,
        expires=expires,
        foreign=foreign,
        canonicalize=canonicalize,
    )
    return {**document, "proof": proof}


def make_proof(
    document: Mapping[str, Any],
    signer: Signer,
    *,
    cryptosuite: str,
    purpose: str,
    created: datetime,
    challenge: str | None = None,
    domain: str | None = None,
    proof_id: str | None = None,
    expires: datetime | None = None,
    foreign: bool = False,
    canonicalize: Canonicalizer | None = None,
    previous: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """A proof over `document` without its proofs, or with those of `previous` (which have ids), as
    a chain signs them. Errors as `add_proof`."""
    suite = _suite(cryptosuite)
    if signer.algorithm not in suite.digests:
        raise ProofRequestError(f"{cryptosuite} does not sign with {signer.algorithm}")
    if suite.verify is not None:
        raise ProofRequestError(f"{cryptosuite} signs in a way of its own")
    options = {
        **proof_options(
            signer,
            cryptosuite=cryptosuite,
            purpose=purpose,
            created=created,
            proof_id=proof_id,
            expires=expires,
        ),
        **({"challenge": challenge} if challenge is not None else {}),
        **({"domain": domain} if domain is not None else {}),
        **({"previousProof": _names(previous)} if previous else {}),
    }
    if canonicalize is None:
        canonicalize = suite.canonicalize_foreign if foreign else suite.canonicalize
    if suite.keeps_contexts and "@context" in document:
        options["@context"] = document["@context"]
    signature = signer.sign(
        hash_data(
            document,
            options,
            suite,
            canonicalize,
            algorithm=signer.algorithm,
            previous=previous,
        )
    )
    return {**options, "proofValue": "z" + base58_encode(signature)}


def proof_options(
    signer: Signer,
    *,
    cryptosuite: str,
    purpose: str,
    created: datetime,
    proof_id: str | None,
    expires: datetime | None,
) -> dict[str, Any]:
    """The members every proof by `signer` has, `proofValue` excepted."""
    return {
        **({"id": proof_id} if proof_id else {}),
        "type": PROOF_TYPE,
        "cryptosuite": cryptosuite,
        "created": format_instant(created),
        **({"expires": format_instant(expires)} if expires else {}),
        "verificationMethod": signer.verification_method,
        "proofPurpose": purpose,
    }


def _names(previous: Sequence[Mapping[str, Any]]) -> str | list[str]:
    names = [str(proof["id"]) for proof in previous]
    return names[0] if len(names) == 1 else names


def hash_data(
    document: Mapping[str, Any],
    options: Mapping[str, Any],
    suite: Cryptosuite,
    canonicalize: Canonicalizer,
    *,
    algorithm: str,
    previous: Sequence[Mapping[str, Any]] = (),
) -> bytes:
    """What is signed: digest of the canonical proof configuration ‖ digest of the canonical
    document without proof (64 bytes for SHA-256, 96 for SHA-384). The configuration is read under
    the document's own contexts; `-jcs-` suites hash it as it is, contexts included. In a chain the
    document keeps its `previous` proofs (Data Integrity §4.3)."""
    unsecured = {key: value for key, value in document.items() if key != "proof"}
    if previous:
        unsecured["proof"] = [dict(proof) for proof in previous]
    contexts = document.get("@context")
    if suite.keeps_contexts:
        configuration = canonicalize(options)
    elif suite.configuration is not None and canonicalize in (
        suite.canonicalize,
        suite.canonicalize_foreign,
    ):
        try:
            configuration = suite.configuration(options, contexts)
        except NotCompilableError:
            configuration = canonicalize({**options, "@context": contexts})
    else:
        configuration = canonicalize({**options, "@context": contexts})
    return suite.hash(algorithm, configuration) + suite.hash(algorithm, canonicalize(unsecured))


def read_proof(document: Mapping[str, Any]) -> Proof:
    """The document's one proof, its members checked for kind, nothing verified.

    Raises:
        ProofInvalidError: none, several, or malformed. UnknownCryptosuiteError becomes one with its
        own reason code.
    """
    value = document.get("proof")
    if not isinstance(value, Mapping):
        raise ProofInvalidError("one proof expected")
    if "previousProof" in value:
        raise ProofInvalidError("it names a proof that is not there", reason_code="previous-proof")
    return read_one(value, document)


def read_one(
    value: Mapping[str, Any], document: Mapping[str, Any], *, former: bool = False
) -> Proof:
    """One proof of `document`, its members checked for kind, nothing verified. `former` reads the
    proof types of before Data Integrity too.

    Raises:
        ProofInvalidError: as `read_proof`.
    """
    options = dict(value)
    if not _MEMBERS.issuperset(options):
        raise ProofInvalidError("unknown member in the proof", reason_code="extra-member")
    suite = _suite_of(options, former=former)
    if "@context" in options and not _same_contexts(options, document, suite):
        raise ProofInvalidError("the proof has contexts of its own", reason_code="context-changed")
    texts: list[str] = []
    for name in ("verificationMethod", "proofPurpose", "proofValue"):
        text = options.get(name)
        if not isinstance(text, str) or not text:
            raise ProofInvalidError(f"{name} is missing")
        texts.append(text)
    method, purpose, proof_value = texts
    for name in ("challenge", "domain", "nonce"):
        if name in options and not isinstance(options[name], str):
            raise ProofInvalidError(f"{name} is not a text")
    try:
        signature = suite.read_value(proof_value)
        created = parse_instant(options["created"]) if "created" in options else None
        expires = parse_instant(options["expires"]) if "expires" in options else None
    except (EncodingError, ValueError):
        raise ProofInvalidError("proofValue or a date is malformed") from None
    del options["proofValue"]
    if not suite.keeps_contexts:
        options.pop("@context", None)
    return Proof(
        suite=suite,
        verification_method=method,
        purpose=purpose,
        created=created,
        expires=expires,
        challenge=options.get("challenge"),
        domain=options.get("domain"),
        signature=signature,
        options=options,
        value=proof_value,
    )


def _suite_of(options: Mapping[str, Any], *, former: bool) -> Cryptosuite:
    kind = options.get("type")
    if former and (found := former_suite(kind)) is not None:
        if "cryptosuite" in options:
            raise ProofInvalidError("this type names its suite", reason_code="extra-member")
        return found
    if kind != PROOF_TYPE:
        raise ProofInvalidError("not a DataIntegrityProof")
    try:
        return _suite(options.get("cryptosuite"))
    except UnknownCryptosuiteError as error:
        raise ProofInvalidError(str(error), reason_code=error.code) from None


def _same_contexts(
    proof: Mapping[str, Any], document: Mapping[str, Any], suite: Cryptosuite
) -> bool:
    """Whether a proof's contexts are the document's; for `-jcs-` suites, the document's begin with
    them in order (§3.3.2 step 3: a holder may add contexts, not change those signed)."""
    mine, theirs = proof["@context"], document.get("@context")
    if not suite.keeps_contexts:
        return bool(mine == theirs)
    first, whole = (found if isinstance(found, list) else [found] for found in (mine, theirs))
    return whole[: len(first)] == first


def verify_proof(
    document: Mapping[str, Any],
    *,
    key: PublicKey,
    canonicalize: Canonicalizer | None = None,
    foreign: bool = True,
) -> None:
    """Check the document's proof with `key`. Nothing else: who the key belongs to, dates and
    purpose are the caller's.

    Steps: (1) read the proof; (2) the key's algorithm is the suite's, whatever the proof says; (3)
    transform and hash document and proof configuration; (4) signature. `foreign=False` reads with
    the compiled contexts only (product verification); `canonicalize` replaces the transformation
    (another loader).

    Raises:
        ProofInvalidError: any step. A resource that ran out (`SlowPathError`) is raised as it is:
        it is no refusal.
    """
    proof = read_proof(document)  # (1)
    verify_one(proof, document, key=key, canonicalize=canonicalize, foreign=foreign)


def verify_one(
    proof: Proof,
    document: Mapping[str, Any],
    *,
    key: PublicKey,
    canonicalize: Canonicalizer | None = None,
    foreign: bool = True,
    previous: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Steps 2 to 4 of `verify_proof` for one proof as read; `previous` are the proofs it names.

    Raises:
        ProofInvalidError: any step.
    """
    if canonicalize is None:
        canonicalize = proof.suite.canonicalize_foreign if foreign else proof.suite.canonicalize
    if proof.suite.verify is not None:
        if previous:
            raise ProofInvalidError("this suite signs no chain", reason_code="previous-proof")
        proof.suite.verify(proof, document, key, canonicalize)
        return
    if proof.suite.keeps_contexts and "@context" in proof.options:
        document = {**document, "@context": proof.options["@context"]}
    _check(
        proof,
        key,
        partial(
            hash_data,
            document,
            proof.options,
            proof.suite,
            canonicalize,
            algorithm=key.algorithm,
            previous=previous,
        ),
    )


def check_signature(
    proof: Proof, key: PublicKey, contexts: Sequence[str], canonical: Callable[[], bytes]
) -> None:
    """Steps 2 to 4 of `verify_proof` for a document whose canonical form the caller writes itself
    (`canonical`, under exactly `contexts`).

    Raises:
        ProofInvalidError: any step.
    """
    suite = proof.suite
    configuration = suite.configuration
    if configuration is None:
        raise ProofInvalidError(f"{suite.name} has no template")

    def data() -> bytes:
        head = suite.hash(key.algorithm, configuration(proof.options, contexts))
        return head + suite.hash(key.algorithm, canonical())

    _check(proof, key, data)


def _check(proof: Proof, key: PublicKey, data_of: Callable[[], bytes]) -> None:
    if key.algorithm not in proof.suite.digests:  # (2)
        raise ProofInvalidError(
            f"{proof.suite.name} does not verify with {key.algorithm}",
            reason_code="algorithm-mismatch",
        )
    try:  # (3)
        data = data_of()
    except MobilityError as error:
        if isinstance(error, Retriable):
            raise
        raise ProofInvalidError(str(error), reason_code=error.code) from error
    try:  # (4)
        key.verify(data, proof.signature)
    except SignatureMismatchError as error:
        raise ProofInvalidError(str(error)) from None


_suite = cryptosuite
