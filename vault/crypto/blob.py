"""Blobs: tracks and documents, in chunks, each blob under a data key of its own.

Chunked so that a large document is sealed and opened in constant memory, and any cut, swap or
repeat of a chunk is refused (STREAM, as in age).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from federation.sealing import entropy
from federation.sealing.errors import LayoutError
from federation.sealing.layout import Reader, head, lp
from schemas.ids import Digest

from .errors import (
    BlobTruncatedError,
    DataKeyDestroyedError,
    PayloadTooLargeError,
    RecordEpochError,
    RecordMismatchError,
    SealBrokenError,
)
from .secret import KEY_SIZE, AeadKey, zero

_WRAP_LABEL: Final = b"mobility-vault/blob-wrap/1\x00"
_CHUNK_LABEL: Final = b"mobility-vault/blob/1\x00"
_DIGEST_LABEL: Final = b"mobility-vault/blob-digest/1\x00"
_HEAD: Final = head(b"B")
CHUNK: Final = 64 * 1024
HEADER_SIZE: Final = 88
MAX_BLOB: Final = 1 << 30
_TAG: Final = 16
_WRAP: Final = slice(8, 68)
_FIXED: Final = slice(68, HEADER_SIZE)


@dataclass(frozen=True, slots=True)
class BlobHeader:
    """What the server can read of a blob."""

    epoch: int
    blob_id: bytes
    is_destroyed: bool

    @classmethod
    def of(cls, header: bytes) -> Self:
        """The header in the first 88 bytes of a blob.

        Raises:
            LayoutError: not this layout.
        """
        if len(header) < HEADER_SIZE:
            raise LayoutError("blob", "truncated")
        reader = Reader(header[:HEADER_SIZE], "blob")
        reader.head(b"B")
        epoch, wrap, blob_id = reader.uint(4), reader.take(60), reader.take(16)
        if reader.uint(4) != CHUNK:
            raise LayoutError("blob", "chunk size is not known")
        return cls(epoch, blob_id, wrap == bytes(60))


def _wrap_aad(fixed: bytes, epoch: int, vault: str) -> bytes:
    return b"".join((_WRAP_LABEL, _HEAD, epoch.to_bytes(4, "big"), fixed, lp(vault)))


def _chunk_aad(fixed: bytes, vault: str, kind: str) -> bytes:
    return b"".join((_CHUNK_LABEL, _HEAD, fixed, lp(vault), lp(kind)))


def _nonce(counter: int, *, is_last: bool) -> bytes:
    return counter.to_bytes(11, "big") + bytes((is_last,))


def _chunks(source: BinaryIO, size: int) -> Iterator[tuple[bytes, bool]]:
    """Parts of `size` bytes, with a mark on the last, which is the only one that may be shorter."""
    part = _read(source, size)
    while True:
        following = _read(source, size) if len(part) == size else b""
        yield part, not following
        if not following:
            return
        part = following


def _read(source: BinaryIO, size: int) -> bytes:
    parts, left = list[bytes](), size
    while left and (part := source.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def seal_blob(
    source: BinaryIO, out: BinaryIO, *, vault: str, blob_id: bytes, kind: str, key: AeadKey
) -> Digest:
    """Seal what `source` holds into `out`, in constant memory; returns the blob's digest
    (`BlobDigest`).

    Layout: `"MVB" ‖ 1 ‖ epoch u32 ‖ wrap nonce(12) ‖ wrapped data key(32) ‖ tag(16) ‖ blob id(16) ‖
    chunk size u32 = 65536`, 88 bytes, then chunks of 64 KiB of plaintext and a 16-byte tag each,
    the last one shorter or equal; an empty blob has one empty chunk. Chunks: AES-256-GCM under the
    data key, nonce = `counter(11) ‖ last(1)`, AAD = label ‖ `"MVB" ‖ 1` ‖ blob id ‖ chunk size ‖
    lp(vault) ‖ lp(kind). Wrap: AES-256-GCM under the blob key, AAD = label ‖ `"MVB" ‖ 1` ‖ epoch ‖
    blob id ‖ chunk size ‖ lp(vault).

    Raises:
        PayloadTooLargeError: over 1 GiB.
        LayoutError: an id that has not 16 bytes.
    """
    if len(blob_id) != 16:
        raise LayoutError("blob", "an id has 16 bytes")
    fixed = blob_id + CHUNK.to_bytes(4, "big")
    data_key = bytearray(entropy.token(KEY_SIZE))
    aead, nonce = AESGCM(data_key), entropy.token(12)
    wrapped = key.aead.encrypt(nonce, data_key, _wrap_aad(fixed, key.epoch, vault))
    zero(data_key)
    header = b"".join((_HEAD, key.epoch.to_bytes(4, "big"), nonce, wrapped, fixed))
    out.write(header)
    running = BlobDigest(header)
    aad, total = _chunk_aad(fixed, vault, kind), 0
    for counter, (part, is_last) in enumerate(_chunks(source, CHUNK)):
        total += len(part)
        if total > MAX_BLOB:
            raise PayloadTooLargeError(size=total, limit=MAX_BLOB)
        sealed = aead.encrypt(_nonce(counter, is_last=is_last), part, aad)
        out.write(sealed)
        running.update(sealed)
    return running.digest()


def open_blob(
    source: BinaryIO, *, vault: str, blob_id: bytes, kind: str, key: AeadKey
) -> Iterator[bytes]:
    """The plaintext of a blob, chunk by chunk. A chunk is given out only once it is authentic; the
    end, only once it is the end.

    Raises:
        RecordMismatchError: the blob of another id.
        DataKeyDestroyedError: shredded.
        RecordEpochError: `key` is of another epoch.
        BlobTruncatedError: the last chunk is not there.
        SealBrokenError: changed, or of another vault or kind.
        LayoutError: not a blob.
    """
    header = _read(source, HEADER_SIZE)
    parsed = BlobHeader.of(header)
    if parsed.blob_id != blob_id:
        raise RecordMismatchError("the blob is another one")
    aead = AESGCM(data_key := _unwrap(header, parsed, vault, key))
    zero(data_key)
    aad = _chunk_aad(header[_FIXED], vault, kind)
    return _open_chunks(source, aead, aad)


def _open_chunks(source: BinaryIO, aead: AESGCM, aad: bytes) -> Iterator[bytes]:
    for counter, (part, is_last) in enumerate(_chunks(source, CHUNK + _TAG)):
        try:
            yield aead.decrypt(_nonce(counter, is_last=is_last), part, aad)
        except InvalidTag:
            if is_last and len(part) >= _TAG:
                try:
                    aead.decrypt(_nonce(counter, is_last=False), part, aad)
                except InvalidTag:
                    pass
                else:
                    raise BlobTruncatedError("the last chunk is not there") from None
            elif not part and counter == 0:
                raise BlobTruncatedError("no chunk is there") from None
            raise SealBrokenError("blob") from None


def _unwrap(header: bytes, parsed: BlobHeader, vault: str, key: AeadKey) -> bytearray:
    if parsed.is_destroyed:
        raise DataKeyDestroyedError
    if parsed.epoch != key.epoch:
        raise RecordEpochError(found=parsed.epoch, given=key.epoch)
    data_key = bytearray(KEY_SIZE)
    try:
        key.aead.decrypt_into(
            header[8:20], header[20:68], _wrap_aad(header[_FIXED], parsed.epoch, vault), data_key
        )
    except InvalidTag:
        raise SealBrokenError("blob") from None
    return data_key


def rewrap_blob(header: bytes, *, vault: str, old: AeadKey, new: AeadKey) -> bytes:
    """The 88 header bytes with the data key under `new`: write them over the old ones; chunks and
    digest stay.

    Raises:
        DataKeyDestroyedError, RecordEpochError, SealBrokenError, LayoutError: as `open_blob`.
    """
    parsed = BlobHeader.of(header)
    data_key = _unwrap(header[:HEADER_SIZE], parsed, vault, old)
    nonce = entropy.token(12)
    wrapped = new.aead.encrypt(nonce, data_key, _wrap_aad(header[_FIXED], new.epoch, vault))
    zero(data_key)
    return b"".join((_HEAD, new.epoch.to_bytes(4, "big"), nonce, wrapped, header[_FIXED]))


def destroy_blob_key(header: bytes) -> bytes:
    """The 88 header bytes with 60 zeros for the wrap: write them over, fsync, then unlink."""
    BlobHeader.of(header)
    return header[: _WRAP.start] + bytes(60) + header[_FIXED]


class BlobDigest:
    """SHA-256 of label ‖ `"MVB" ‖ 1` ‖ blob id ‖ chunk size ‖ all sealed chunks: the same after
    re-wrapping.
    """

    def __init__(self, header: bytes) -> None:
        self._hasher = sha256(_DIGEST_LABEL + _HEAD + header[_FIXED])

    def update(self, sealed: bytes) -> None:
        """The next sealed bytes after the header."""
        self._hasher.update(sealed)

    def digest(self) -> Digest:
        """The digest so far."""
        return Digest(self._hasher.digest())


def blob_digest(source: BinaryIO) -> Digest:
    """Digest of a stored blob, without any key.

    Raises:
        LayoutError: not a blob.
    """
    header = _read(source, HEADER_SIZE)
    BlobHeader.of(header)
    running = BlobDigest(header)
    while part := source.read(CHUNK):
        running.update(part)
    return running.digest()


__all__ = [
    "BlobHeader",
    "blob_digest",
    "destroy_blob_key",
    "open_blob",
    "rewrap_blob",
    "seal_blob",
]
