"""Opening what others sealed to the vault: deposits, point segments, documents.

Steps of `open_deposit`: 1 public header, of this vault · 2 open the box with the pair its `key_id`
names · 3 unpack within bounds · 4 the manifest says what the header says · 5 its digests are the
records'. Left to the caller: whose key signed the manifest (`verify_manifest` with a key of the
trust registry) and whether `previous` is the last one drained.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from federation.sealing.box import BoxHeader
from federation.sealing.compression import decompress
from federation.sealing.deposit import INFO_LABEL as DEPOSIT_INFO
from federation.sealing.deposit import MAX_OPENED, SealedDeposit, split_deposit, unpack
from federation.sealing.document import INFO_LABEL as DOCUMENT_INFO
from federation.sealing.document import SealedDocument
from federation.sealing.errors import ManifestMismatchError, SealingError
from federation.sealing.layout import Reader
from federation.sealing.manifest import SignedManifest, parse_manifest
from federation.sealing.segment import FRAME_LABEL, SegmentHeader, frame_nonce, split_frames
from federation.sealing.segment import INFO_LABEL as SEGMENT_INFO
from schemas.ids import digest

from .box_key import BoxPrivateKey
from .errors import CryptoError, DepositRefusedError, SealBrokenError, WrongVaultError
from .secret import KEY_SIZE, zero

BoxFor = Callable[[bytes], BoxPrivateKey]
"""Gives the pair of a key id, or raises `KeyUnknownError`: `Keyring.box_for`."""
_LAYOUT: Final = "deposit body"


@dataclass(frozen=True, slots=True)
class OpenedDeposit:
    """A deposit whose manifest and records agree; its signature is not checked yet."""

    deposit: SealedDeposit
    manifest: SignedManifest
    records: tuple[bytes, ...]


def open_deposit(data: bytes, *, box_for: BoxFor, vault: str) -> OpenedDeposit:
    """The records of a deposit and their manifest.

    Raises:
        WrongVaultError: made for another vault, outside or inside.
        DepositRefusedError: cannot be opened or parsed; `.reason` is the code behind it. Quarantine
            it and go on.
    """
    try:
        return _open_deposit(data, box_for, vault)
    except DepositRefusedError:
        raise
    except (CryptoError, SealingError) as error:
        raise DepositRefusedError(error.code) from error


def _open_deposit(data: bytes, box_for: BoxFor, vault: str) -> OpenedDeposit:
    deposit = SealedDeposit.parse(data)
    if deposit.vault != vault:
        raise WrongVaultError
    _, box = split_deposit(data)
    body = box_for(deposit.key_id).open(box, info=DEPOSIT_INFO + data[: len(data) - len(box)])
    manifest, records = unpack(_unpack_body(body))
    signed = parse_manifest(manifest)
    said = signed.manifest
    if said.vault != vault:
        raise WrongVaultError
    for member in ("depositor", "account", "seq", "previous"):
        if getattr(said, member) != getattr(deposit, member):
            raise ManifestMismatchError(member)
    if signed.digest != deposit.manifest_digest:
        raise ManifestMismatchError("digest")
    if signed.verification_method.partition("#")[0] != said.depositor:
        raise ManifestMismatchError("verification method")
    if tuple(digest(record) for record in records) != said.digests:
        raise ManifestMismatchError("records")
    return OpenedDeposit(deposit, signed, records)


def _unpack_body(body: bytes) -> bytes:
    reader = Reader(body, _LAYOUT)
    if reader.uint(2) != 1:
        raise reader.fail("schema version is not known")
    codec, packed = reader.uint(1), reader.take(reader.uint(4))
    if codec == 0:
        return packed
    if codec != 1:
        raise reader.fail(f"codec {codec} is not known")
    return decompress(packed, limit=MAX_OPENED)


@dataclass(frozen=True, slots=True)
class OpenedSegment:
    """The frames of a point segment, as far as they were written."""

    header: SegmentHeader
    frames: tuple[bytes, ...]
    is_closed: bool
    """False when the home died before the last frame: everything acknowledged is there all the
    same.
    """


def open_segment(header: bytes, frames: bytes, *, box_for: BoxFor, vault: str) -> OpenedSegment:
    """The frames of one segment; an unfinished last frame was never acknowledged and is left out.

    Raises:
        WrongVaultError: sealed for another vault.
        DepositRefusedError: cannot be opened or parsed.
    """
    try:
        parsed = SegmentHeader.parse(header)
        if parsed.vault != vault:
            raise WrongVaultError
        pair = box_for(BoxHeader.of(parsed.box).key_id)
        key = bytearray(pair.open(parsed.box, info=SEGMENT_INFO + parsed.opening))
        if len(key) != KEY_SIZE:
            zero(key)
            raise SealBrokenError("segment")
        aead = AESGCM(key)
        zero(key)
        opened, is_closed = list[bytes](), False
        for counter, (sealed, is_last) in enumerate(split_frames(frames)):
            try:
                body = aead.decrypt(
                    frame_nonce(counter, is_last=is_last), sealed, FRAME_LABEL + parsed.opening
                )
            except InvalidTag:
                raise SealBrokenError("segment") from None
            if is_last:
                is_closed = True
            else:
                opened.append(body)
        return OpenedSegment(parsed, tuple(opened), is_closed)
    except DepositRefusedError:
        raise
    except (CryptoError, SealingError) as error:
        raise DepositRefusedError(error.code) from error


@dataclass(frozen=True, slots=True)
class OpenedDocument:
    """A document that a citizen sealed to a funder."""

    name: str
    media_type: str
    content: bytes
    application: str


def open_document(data: bytes, *, key: BoxPrivateKey) -> OpenedDocument:
    """A sealed document, at the funder's own node or in tests; browsers do the same in JavaScript.

    Raises:
        KeyUnknownError: sealed to another key or version.
        SealBrokenError: changed, or moved to another application.
        LayoutError, SuiteUnknownError: not a document we know.
    """
    sealed = SealedDocument.parse(data)
    reader = Reader(key.open(sealed.box, info=DOCUMENT_INFO + sealed.opening), "document body")
    if reader.uint(2) != 1:
        raise reader.fail("schema version is not known")
    name, media_type = reader.text(), reader.text()
    return OpenedDocument(name, media_type, reader.take(reader.uint(4)), sealed.application)


__all__ = [
    "OpenedDeposit",
    "OpenedDocument",
    "OpenedSegment",
    "open_deposit",
    "open_document",
    "open_segment",
]
