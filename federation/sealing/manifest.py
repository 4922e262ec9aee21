"""What a depositor signs about one deposit: where it belongs, its place in the chain, the digests
of its records.

The vault keeps manifests for good: they are why a trip of two years ago still counts as attested by
its operator. A manifest holds 16 random bytes, so its digest, which the home sees, tells nothing
about the records.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from schemas.ids import Did, Digest, digest

from . import entropy
from .errors import ManifestSignatureError, SuiteUnknownError
from .layout import Reader, head, lp, to_ms

SIGNING_LABEL: Final = b"mobility-vault/manifest/1\x00"
SCHEMA_VERSION: Final = 1
MAX_RECORDS: Final = 500
SIGNATURE_SIZE: Final = 64
ALGORITHMS: Final = {"Ed25519": 1, "P-256": 2}
_ALGORITHM_OF: Final = {number: name for name, number in ALGORITHMS.items()}


class ManifestSigner(Protocol):
    """The part of `federation.keys.Signer` that is used here."""

    @property
    def algorithm(self) -> str:
        """`Ed25519` or `P-256`."""

    @property
    def verification_method(self) -> str:
        """DID URL of the key."""

    def sign(self, data: bytes) -> bytes:
        """64 bytes: Ed25519, or `r ‖ s`."""


class VerificationKey(Protocol):
    """The part of `federation.keys.PublicKey` that is used here."""

    @property
    def algorithm(self) -> str:
        """`Ed25519` or `P-256`."""

    def verify(self, data: bytes, signature: bytes) -> None:
        """Raises when the signature does not match."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The signed statement of one deposit."""

    vault: str
    depositor: Did
    account: str
    seq: int
    """1 for the first deposit of (depositor, account), then one more each time."""
    previous: Digest | None
    """Digest of the signed manifest before this one; none for the first."""
    digests: tuple[Digest, ...]
    """SHA-256 of each record's bytes, in order."""
    created_at: datetime
    salt: bytes
    """16 random bytes."""
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class SignedManifest:
    """A manifest with its signature, not yet verified: `verify_manifest` does that with a key of
    the trust registry.
    """

    manifest: Manifest
    verification_method: str
    algorithm: str
    signature: bytes
    signed: bytes
    """The bytes under the signature, label included."""
    data: bytes
    """The whole layout; its SHA-256 is the digest that the next manifest names."""

    @property
    def digest(self) -> Digest:
        """SHA-256 of the layout, signature included."""
        return digest(self.data)


def sign_manifest(manifest: Manifest, signer: ManifestSigner) -> bytes:
    """The signed layout of `manifest`.

    Layout: `"MVN" ‖ 1 ‖ schema_version u16 ‖ salt(16) ‖ lp(vault) ‖ lp(depositor) ‖ lp(account) ‖
    seq u64 ‖ previous ‖ created_at u64 ‖ count u16 ‖ count × digest(32) ‖ lp(verification method) ‖
    algorithm(1) ‖ signature(64)`, where `previous` is `0x00` or `0x01 ‖ digest(32)` and algorithm
    is 1 Ed25519, 2 P-256 with SHA-256 (`r ‖ s`). Signed are the label and everything before the
    signature.
    """
    if signer.algorithm not in ALGORITHMS:
        raise SuiteUnknownError(0)
    body = b"".join(
        (
            head(b"N"),
            manifest.schema_version.to_bytes(2, "big"),
            manifest.salt,
            lp(manifest.vault),
            lp(manifest.depositor),
            lp(manifest.account),
            manifest.seq.to_bytes(8, "big"),
            optional_digest(manifest.previous),
            to_ms(manifest.created_at).to_bytes(8, "big"),
            len(manifest.digests).to_bytes(2, "big"),
            *manifest.digests,
            lp(signer.verification_method),
            bytes([ALGORITHMS[signer.algorithm]]),
        )
    )
    return body + signer.sign(SIGNING_LABEL + body)


def parse_manifest(data: bytes) -> SignedManifest:
    """Read a signed manifest without trusting it.

    Raises:
        LayoutError: not this layout.
        SuiteUnknownError: a signature algorithm of the future.
    """
    reader = Reader(data, "manifest")
    reader.head(b"N")
    schema_version = reader.uint(2)
    if schema_version == 0:
        raise reader.fail("schema version 0")
    salt = reader.take(16)
    vault, depositor, account = reader.text(), reader.text(), reader.text()
    seq, previous, created_at = reader.uint(8), read_optional_digest(reader), reader.instant()
    count = reader.uint(2)
    if count > MAX_RECORDS:
        raise reader.fail(f"more than {MAX_RECORDS} digests")
    digests = tuple(Digest(reader.take(32)) for _ in range(count))
    method, algorithm = reader.text(), reader.uint(1)
    signed = SIGNING_LABEL + data[: reader.tell()]
    signature = reader.take(SIGNATURE_SIZE)
    reader.end()
    if algorithm not in _ALGORITHM_OF:
        raise SuiteUnknownError(algorithm)
    return SignedManifest(
        Manifest(
            vault, Did(depositor), account, seq, previous, digests, created_at, salt, schema_version
        ),
        method,
        _ALGORITHM_OF[algorithm],
        signature,
        signed,
        data,
    )


def verify_manifest(manifest: SignedManifest | bytes, key: VerificationKey) -> Manifest:
    """The manifest, if `key` signed it. Whose key that is, and since when, is the caller's question
    to the registry.

    Raises:
        ManifestSignatureError: another key, another algorithm, or changed bytes.
    """
    found = manifest if isinstance(manifest, SignedManifest) else parse_manifest(manifest)
    require_signature(found, key)
    return found.manifest


def require_signature(found: SignedManifest, key: VerificationKey) -> None:
    """Check algorithm and signature."""
    from federation.keys import SignatureMismatchError

    if key.algorithm != found.algorithm:
        raise ManifestSignatureError("the manifest names another signature algorithm")
    try:
        key.verify(found.signed, found.signature)
    except SignatureMismatchError:
        raise ManifestSignatureError("the signature does not match the manifest") from None


def new_manifest(
    records: Sequence[bytes],
    *,
    vault: str,
    depositor: Did,
    account: str,
    seq: int,
    previous: Digest | None,
    at: datetime,
) -> Manifest:
    """The manifest of these records, salted."""
    return Manifest(
        vault,
        depositor,
        account,
        seq,
        previous,
        tuple(digest(record) for record in records),
        at,
        entropy.token(16),
    )


def optional_digest(value: Digest | None) -> bytes:
    """`0x00`, or `0x01 ‖ digest(32)`."""
    return b"\x00" if value is None else b"\x01" + value


def read_optional_digest(reader: Reader) -> Digest | None:
    """Inverse of `optional_digest`."""
    match reader.uint(1):
        case 0:
            return None
        case 1:
            return Digest(reader.take(32))
        case _:
            raise reader.fail("neither 0 nor 1 before a digest")


__all__ = [
    "MAX_RECORDS",
    "Manifest",
    "ManifestSigner",
    "SignedManifest",
    "VerificationKey",
    "new_manifest",
    "parse_manifest",
    "sign_manifest",
    "verify_manifest",
]
