"""The record envelope: one per revision, under a data key of its own.

Steps of `seal_record`: 1 frame and pad · 2 a fresh data key · 3 seal the frame, AAD = vault, record
id, revision, kind · 4 wrap the data key under the month key, AAD also holds the epoch · 5 forget
the data key. Left to the caller: the manifest and the head, which alone tell that a row is missing,
old, or too many.

AES-256-GCM, not GCM-SIV: a data key seals once, so its nonce (zero) cannot repeat, and that is all
GCM-SIV would guard; month keys wrap with random 96-bit nonces, far below 2^32 messages. GCM is five
times faster here, and browsers have it, GCM-SIV none.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from federation.sealing import entropy
from federation.sealing.errors import LayoutError, SuiteUnknownError
from federation.sealing.layout import head, lp
from schemas.ids import Digest
from schemas.making import unchecked

from .errors import (
    DataKeyDestroyedError,
    RecordEpochError,
    RecordMismatchError,
    SealBrokenError,
)
from .frame import Opened, frame, unframe
from .month_key import MonthKey
from .secret import KEY_SIZE, zero

_BODY_LABEL: Final = b"mobility-vault/record/1\x00"
_WRAP_LABEL: Final = b"mobility-vault/record-wrap/1\x00"
_DIGEST_LABEL: Final = b"mobility-vault/row/1\x00"
_HEAD: Final = head(b"R")
_SUITE: Final = 1
_WRAP_START: Final = 8
_FIXED_START: Final = 68
_BODY_START: Final = 89
_NONCE: Final = bytes(12)
_DESTROYED: Final = bytes(_FIXED_START - _WRAP_START)
_TAG: Final = 16
_MAX_REVISION: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class RecordHeader:
    """What the server can read of an envelope: the row's own columns again."""

    epoch: int
    record_id: bytes
    revision: int
    is_destroyed: bool

    @classmethod
    def of(cls, envelope: bytes) -> "RecordHeader":
        """Header of an envelope.

        Raises:
            LayoutError: not this layout.
            SuiteUnknownError: a suite of the future.
        """
        if envelope[:4] != _HEAD:
            if envelope[:3] == _HEAD[:3] and len(envelope) > 3:
                raise LayoutError("record", f"version {envelope[3]} is not known")
            raise LayoutError("record", "not this layout")
        if len(envelope) < _BODY_START + _TAG:
            raise LayoutError("record", "truncated")
        if envelope[_FIXED_START] != _SUITE:
            raise SuiteUnknownError(envelope[_FIXED_START])
        return _header(
            int.from_bytes(envelope[4:8], "big"),
            envelope[69:85],
            int.from_bytes(envelope[85:89], "big"),
            envelope[_WRAP_START:_FIXED_START] == _DESTROYED,
        )


_header: Final = unchecked(RecordHeader)


def _body_aad(fixed: bytes, vault: str, kind: str) -> bytes:
    return _BODY_LABEL + _HEAD + fixed + _place(vault, kind)


_named = lru_cache(maxsize=64)(lp)


@lru_cache(maxsize=64)
def _place(vault: str, kind: str) -> bytes:
    return lp(vault) + lp(kind)


def _wrap_aad(fixed: bytes, month_key: MonthKey, vault: str) -> bytes:
    epoch = month_key.epoch.to_bytes(4, "big")
    return _WRAP_LABEL + _HEAD + epoch + fixed + _named(vault) + month_key.place


def seal_record(
    payload: bytes,
    *,
    vault: str,
    record_id: bytes,
    revision: int,
    kind: str,
    month_key: MonthKey,
    schema_version: int = 1,
    plain: int = 0,
) -> bytes:
    """Seal one revision of one record.

    Layout: `"MVR" ‖ 1 ‖ epoch u32 ‖ wrap nonce(12) ‖ wrapped data key(32) ‖ tag(16) ‖ suite(1) = 1
    ‖ record id(16) ‖ revision u32 ‖ ciphertext ‖ tag(16)`: 105 bytes and the padded frame. Fixed
    part = suite, record id, revision. Body AAD = label ‖ `"MVR" ‖ 1` ‖ fixed ‖ lp(vault) ‖
    lp(kind); wrap AAD = label ‖ `"MVR" ‖ 1` ‖ epoch ‖ fixed ‖ lp(vault) ‖ lp(compartment) ‖
    lp(month).

    `record_id` is the row's 16 random bytes; `payload` at most 1 MiB, compressed with the kind's
    dictionary, but for its first `plain` bytes.

    Raises:
        PayloadTooLargeError: over 1 MiB: tracks and documents go to blobs.
        LayoutError: an id that has not 16 bytes, a revision outside 1 to 2^32 - 1.
    """
    if len(record_id) != 16 or not 0 < revision <= _MAX_REVISION:
        raise LayoutError("record", "an id has 16 bytes, a revision is 1 to 2^32 - 1")
    fixed = b"\x01" + record_id + revision.to_bytes(4, "big")
    body = frame(payload, schema_version=schema_version, kind=kind, plain=plain)
    random = entropy.token(KEY_SIZE + 12)
    data_key, nonce = bytearray(random[:KEY_SIZE]), random[KEY_SIZE:]
    sealed = AESGCM(data_key).encrypt(_NONCE, body, _body_aad(fixed, vault, kind))
    wrapped = month_key.wrap.encrypt(nonce, data_key, _wrap_aad(fixed, month_key, vault))
    zero(data_key)
    return b"".join((_HEAD, month_key.epoch.to_bytes(4, "big"), nonce, wrapped, fixed, sealed))


def _unwrap(envelope: bytes, header: RecordHeader, vault: str, month_key: MonthKey) -> bytearray:
    if header.is_destroyed:
        raise DataKeyDestroyedError
    if header.epoch != month_key.epoch:
        raise RecordEpochError(found=header.epoch, given=month_key.epoch)
    data_key = bytearray(KEY_SIZE)
    try:
        month_key.wrap.decrypt_into(
            envelope[8:20],
            envelope[20:_FIXED_START],
            _wrap_aad(envelope[_FIXED_START:_BODY_START], month_key, vault),
            data_key,
        )
    except InvalidTag:
        raise SealBrokenError("record") from None
    return data_key


def open_record(
    envelope: bytes, *, vault: str, record_id: bytes, revision: int, kind: str, month_key: MonthKey
) -> Opened:
    """Payload and schema version of an envelope found in this row.

    Raises:
        RecordMismatchError: the envelope is of another record or revision.
        DataKeyDestroyedError: shredded.
        RecordEpochError: `month_key` is of another epoch than the wrap.
        SealBrokenError: changed, or another vault, kind, compartment or month.
        LayoutError, SuiteUnknownError: not an envelope we know.
    """
    header = RecordHeader.of(envelope)
    if header.record_id != record_id or header.revision != revision:
        raise RecordMismatchError("the envelope is of another record or revision")
    data_key = _unwrap(envelope, header, vault, month_key)
    try:
        body = AESGCM(data_key).decrypt(
            _NONCE,
            memoryview(envelope)[_BODY_START:],
            _body_aad(envelope[_FIXED_START:_BODY_START], vault, kind),
        )
    except InvalidTag:
        raise SealBrokenError("record") from None
    finally:
        zero(data_key)
    return unframe(body, layout="record")


def rewrap_record(envelope: bytes, *, vault: str, old: MonthKey, new: MonthKey) -> bytes:
    """The same revision with its data key under `new`; the body and the row digest stay.

    Raises:
        DataKeyDestroyedError, RecordEpochError, SealBrokenError, LayoutError: as `open_record`.
    """
    data_key = _unwrap(envelope, RecordHeader.of(envelope), vault, old)
    nonce = entropy.token(12)
    wrapped = new.wrap.encrypt(
        nonce, data_key, _wrap_aad(envelope[_FIXED_START:_BODY_START], new, vault)
    )
    zero(data_key)
    return b"".join((_HEAD, new.epoch.to_bytes(4, "big"), nonce, wrapped, envelope[_FIXED_START:]))


def destroy_data_key(envelope: bytes) -> bytes:
    """The envelope with 60 zero bytes where its data key was wrapped: nobody opens it again. The
    row digest stays.

    Raises:
        LayoutError: not an envelope.
    """
    RecordHeader.of(envelope)
    return envelope[:_WRAP_START] + _DESTROYED + envelope[_FIXED_START:]


def row_digest(envelope: bytes) -> Digest:
    """SHA-256 of label ‖ `"MVR" ‖ 1` ‖ everything after the wrap: the same before and after
    re-wrapping and shredding.
    """
    hasher = sha256(_DIGEST_LABEL + _HEAD)
    hasher.update(memoryview(envelope)[_FIXED_START:])
    return Digest(hasher.digest())


__all__ = [
    "RecordHeader",
    "destroy_data_key",
    "open_record",
    "rewrap_record",
    "row_digest",
    "seal_record",
]
