"""A deposit: a batch of records sealed to a vault, with a public header that the home can order by.

The header is bound into the HPKE context, so a deposit opens only at the place in the chain it was
made for.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from schemas.ids import Did, Digest, digest

from .box import BoxHeader, BoxPublicKey, seal
from .compression import compress
from .errors import DepositTooLargeError, LayoutError, RecordTooLargeError
from .layout import Reader, head, lp
from .manifest import (
    MAX_RECORDS,
    ManifestSigner,
    new_manifest,
    optional_digest,
    read_optional_digest,
    sign_manifest,
)
from .padding import bucket

INFO_LABEL: Final = b"mobility-vault/deposit/1\x00"
SCHEMA_VERSION: Final = 1
MAX_BYTES: Final = 256_000
"""Of the sealed deposit, header included."""
MAX_RECORD: Final = 1 << 20
"""Of one record before compression."""
MAX_OPENED: Final = 8 << 20
"""Of a deposit's body after decompression."""
BATCH_BYTES: Final = 200_000
"""Records of a batch before compression: fits one deposit however badly it compresses, with 500
digests and padding.
"""


@dataclass(frozen=True, slots=True)
class SealedDeposit:
    """A deposit as the home sees it."""

    vault: str
    depositor: Did
    account: str
    seq: int
    previous: Digest | None
    """Digest of the manifest of the deposit before this one."""
    manifest_digest: Digest
    """Digest of the signed manifest inside: the next deposit's `previous`."""
    key_id: bytes
    """Which drop-box key opens it."""
    data: bytes
    """The whole layout: what is stored before the first send, and sent again unchanged."""

    @property
    def digest(self) -> Digest:
        """SHA-256 of the layout: equal for a resend, never for a re-sealed page."""
        return digest(self.data)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the public header.

        Raises:
            DepositTooLargeError: more than `MAX_BYTES`.
            LayoutError: not this layout.
            SuiteUnknownError: sealed with a suite of the future.
        """
        if len(data) > MAX_BYTES:
            raise DepositTooLargeError(what="bytes", size=len(data), limit=MAX_BYTES)
        header, sealed = split_deposit(data)
        reader = Reader(header, "deposit")
        vault, depositor, account = reader.text(), reader.text(), reader.text()
        seq, previous, manifest = reader.uint(8), read_optional_digest(reader), reader.take(32)
        reader.end()
        if seq == 0 or (previous is None) != (seq == 1):
            raise LayoutError("deposit", "the first deposit, and only it, has no previous one")
        return cls(
            vault,
            Did(depositor),
            account,
            seq,
            previous,
            Digest(manifest),
            BoxHeader.of(sealed).key_id,
            data,
        )


def build_deposit(
    records: Sequence[bytes],
    *,
    vault: str,
    depositor_signer: ManifestSigner,
    account: str,
    seq: int,
    previous: Digest | None,
    to: BoxPublicKey,
    at: datetime,
) -> SealedDeposit:
    """Sign and seal one batch of records for `vault`. The depositor is the DID of the signer's
    verification method.

    Layout: `"MVD" ‖ 1 ‖ header length u16 ‖ header ‖ box`, header = `lp(vault) ‖ lp(depositor) ‖
    lp(account) ‖ seq u64 ‖ previous ‖ manifest digest(32)`; the box (`seal`) has as info the label
    and everything before the box. Body inside the box: `schema_version u16 ‖ codec(1) ‖ length u32
    ‖ packed ‖ zero padding`, packed = DEFLATE (codec 1) or plain (codec 0) of `manifest length u32
    ‖ manifest ‖ count u16 ‖ count × (length u32 ‖ record)`.

    Keep `.data` before the first send and resend exactly that; `.manifest_digest` is the next
    deposit's `previous`.

    Raises:
        RecordTooLargeError: a record over 1 MiB.
        DepositTooLargeError: more than 500 records, or more than 256 000 bytes sealed; `batches`
            avoids both.
        LayoutError: `seq` and `previous` contradict each other.
    """
    if not 0 < len(records) <= MAX_RECORDS:
        raise DepositTooLargeError(what="records", size=len(records), limit=MAX_RECORDS)
    for record in records:
        if len(record) > MAX_RECORD:
            raise RecordTooLargeError(size=len(record), limit=MAX_RECORD)
    depositor = Did(depositor_signer.verification_method.partition("#")[0])
    manifest = sign_manifest(
        new_manifest(
            records,
            vault=vault,
            depositor=depositor,
            account=account,
            seq=seq,
            previous=previous,
            at=at,
        ),
        depositor_signer,
    )
    packed = compress(pack(manifest, records))
    body = SCHEMA_VERSION.to_bytes(2, "big") + b"\x01" + len(packed).to_bytes(4, "big") + packed
    header = b"".join(
        (
            lp(vault),
            lp(depositor),
            lp(account),
            seq.to_bytes(8, "big"),
            optional_digest(previous),
            digest(manifest),
        )
    )
    opening = head(b"D") + lp(header)
    data = opening + seal(body.ljust(bucket(len(body)), b"\x00"), to=to, info=INFO_LABEL + opening)
    return SealedDeposit.parse(data)


def split_deposit(data: bytes) -> tuple[bytes, bytes]:
    """Public header, and the sealed box."""
    reader = Reader(data, "deposit")
    reader.head(b"D")
    return reader.lp(), reader.rest()


def batches(records: Iterable[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Cut `records` into batches that fit one deposit each, in order.

    Raises:
        RecordTooLargeError: a record over 1 MiB.
    """
    batch: list[bytes] = []
    size = 0
    for record in records:
        if len(record) > MAX_RECORD:
            raise RecordTooLargeError(size=len(record), limit=MAX_RECORD)
        if batch and (len(batch) == MAX_RECORDS or size + len(record) > BATCH_BYTES):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(record)
        size += len(record)
    if batch:
        yield tuple(batch)


def pack(manifest: bytes, records: Sequence[bytes]) -> bytes:
    """`manifest length u32 ‖ manifest ‖ count u16 ‖ count × (length u32 ‖ record)`."""
    parts = [len(manifest).to_bytes(4, "big"), manifest, len(records).to_bytes(2, "big")]
    for record in records:
        parts += (len(record).to_bytes(4, "big"), record)
    return b"".join(parts)


def unpack(data: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Inverse of `pack`.

    Raises:
        LayoutError: not this layout.
    """
    reader = Reader(data, "deposit body")
    manifest = reader.take(reader.uint(4))
    count = reader.uint(2)
    if count > MAX_RECORDS:
        raise reader.fail(f"more than {MAX_RECORDS} records")
    records = tuple(reader.take(reader.uint(4)) for _ in range(count))
    reader.end()
    return manifest, records


__all__ = [
    "MAX_BYTES",
    "MAX_RECORD",
    "MAX_RECORDS",
    "SealedDeposit",
    "batches",
    "build_deposit",
]
