"""Journal entries: sealed to the journal's public key, chained over their sealed digests.

The home appends while the vault is locked and cannot read back. A body may be erased later: the
chain runs over digests and still walks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from federation.sealing.box import BoxPublicKey, seal
from federation.sealing.layout import head, lp
from schemas.ids import Digest, digest

from .box_key import BoxPrivateKey
from .errors import (
    JournalAlteredError,
    JournalForkedError,
    JournalGapError,
    JournalTruncatedError,
    SealBrokenError,
)
from .frame import Opened, frame, unframe
from .head import ZERO_DIGEST

_LABEL: Final = b"mobility-vault/journal/1\x00"
_LINK_LABEL: Final = b"mobility-vault/journal-link/1\x00"
_HEAD: Final = head(b"J")


@dataclass(frozen=True, slots=True)
class JournalTip:
    """Where the chain stands."""

    count: int
    last: Digest
    """Link of the last entry; 32 zero bytes before the first."""


EMPTY: Final = JournalTip(0, ZERO_DIGEST)


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One entry as the store keeps it."""

    seq: int
    """1, 2, 3 …"""
    sealed_digest: Digest
    link: Digest
    sealed: bytes | None
    """None once the body was erased."""


def _info(vault: str, seq: int) -> bytes:
    return b"".join((_LABEL, _HEAD, lp(vault), seq.to_bytes(8, "big")))


def _link(vault: str, previous: Digest, seq: int, sealed_digest: Digest) -> Digest:
    return Digest(
        sha256(
            b"".join((_LINK_LABEL, lp(vault), previous, seq.to_bytes(8, "big"), sealed_digest))
        ).digest()
    )


def append_entry(
    payload: bytes, *, vault: str, tip: JournalTip, to: BoxPublicKey, schema_version: int = 1
) -> JournalRow:
    """Seal one entry and chain it behind `tip`. Needs no key of the vault.

    Layout: `"MVJ" ‖ 1 ‖ box` of the framed payload, info = label ‖ `"MVJ" ‖ 1` ‖ lp(vault) ‖ seq
    u64. Link = SHA-256(label ‖ lp(vault) ‖ previous link(32) ‖ seq u64 ‖ SHA-256(entry)(32)).

    Raises:
        PayloadTooLargeError: over 1 MiB.
    """
    seq = tip.count + 1
    body = frame(payload, schema_version=schema_version, kind="journal")
    sealed = _HEAD + seal(body, to=to, info=_info(vault, seq))
    sealed_digest = digest(sealed)
    return JournalRow(seq, sealed_digest, _link(vault, tip.last, seq, sealed_digest), sealed)


def tip_of(row: JournalRow) -> JournalTip:
    """The tip after `row`."""
    return JournalTip(row.seq, row.link)


def open_entry(row: JournalRow, *, vault: str, key: BoxPrivateKey) -> Opened | None:
    """Payload of an entry; none if its body was erased.

    Raises:
        JournalAlteredError: the body is not the one that was chained.
        KeyUnknownError: sealed to another journal pair (an earlier epoch).
        SealBrokenError: moved here from another vault or number.
    """
    if row.sealed is None:
        return None
    if digest(row.sealed) != row.sealed_digest:
        raise JournalAlteredError(row.seq)
    if row.sealed[:4] != _HEAD:
        raise SealBrokenError("journal")
    return unframe(key.open(row.sealed[4:], info=_info(vault, row.seq)), layout="journal")


def walk(
    rows: Iterable[JournalRow],
    *,
    vault: str,
    pinned: JournalTip = EMPTY,
    start: JournalTip = EMPTY,
) -> JournalTip:
    """Walk the chain, in order of `seq`, from `start` (trusted) and through `pinned` (of the head);
    the tip at its end.

    The home appends while locked, so the chain may be longer than the head says, never shorter. No
    key is needed.

    Raises:
        JournalGapError: a number is missing or out of order.
        JournalAlteredError: a body or a link is not what was chained.
        JournalForkedError: the entry that the head pins is another one.
        JournalTruncatedError: fewer entries than the head pins.
    """
    tip = start
    for row in rows:
        if row.seq != tip.count + 1:
            raise JournalGapError(tip.count + 1)
        if row.sealed is not None and digest(row.sealed) != row.sealed_digest:
            raise JournalAlteredError(row.seq)
        if _link(vault, tip.last, row.seq, row.sealed_digest) != row.link:
            raise JournalAlteredError(row.seq)
        tip = tip_of(row)
        if tip.count == pinned.count and tip.last != pinned.last:
            raise JournalForkedError(row.seq)
    if tip.count < pinned.count:
        raise JournalTruncatedError(tip.count + 1)
    return tip


__all__ = ["EMPTY", "JournalRow", "JournalTip", "append_entry", "open_entry", "tip_of", "walk"]
