"""Point segments: for a phone that posts plain points, the home seals as they come.

One random key per segment, sealed to the vault at once and forgotten after 15 minutes or 1 000
points: what the home kept is then closed to the home itself.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.ids import Did

from . import entropy
from .box import BoxPublicKey, seal
from .errors import LayoutError, RecordTooLargeError, SegmentClosedError
from .layout import Reader, head, lp

INFO_LABEL: Final = b"mobility-vault/segment/1\x00"
FRAME_LABEL: Final = b"mobility-vault/segment-frame/1\x00"
MAX_POINTS: Final = 1_000
MAX_AGE: Final = timedelta(minutes=15)
MAX_FRAME: Final = 64 * 1024
LAST: Final = 1


def frame_nonce(counter: int, *, is_last: bool) -> bytes:
    """`zero(7) ‖ last(1) ‖ counter u32`: unique under a key that belongs to one segment."""
    return bytes(7) + bytes([LAST if is_last else 0]) + counter.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """The public start of a segment, and the sealed key behind it."""

    vault: str
    depositor: Did
    account: str
    segment_id: bytes
    opening: bytes
    """The bytes of the header: HPKE info and AAD of every frame."""
    box: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a header: exactly its bytes.

        Raises:
            LayoutError: not this layout.
        """
        reader = Reader(data, "segment")
        reader.head(b"Q")
        vault, depositor, account, segment_id = (
            reader.text(),
            reader.text(),
            reader.text(),
            reader.take(16),
        )
        opening = data[: reader.tell()]
        box = reader.lp()
        reader.end()
        return cls(vault, Did(depositor), account, segment_id, opening, box)


class SegmentWriter:
    """Appends frames to one segment. Not thread-safe: one writer, one segment.

    Header: `"MVQ" ‖ 1 ‖ lp(vault) ‖ lp(depositor) ‖ lp(account) ‖ segment id(16) ‖ lp(box of the
    32-byte key)`; the box has as info the label and the header before it. Frame: `counter u32 ‖
    last(1) ‖ length u32 ‖ ciphertext ‖ tag(16)`, AES-256-GCM, nonce `zero(7) ‖ last ‖ counter`, AAD
    = label ‖ header before the box. Counters start at 0 and have no gap; the last frame is empty
    and marked, so that a cut is seen. A segment whose home died is read as far as it goes.
    """

    __slots__ = ("_aead", "_counter", "_key", "_opening", "_points", "header", "opened_at")

    def __init__(
        self, *, vault: str, depositor: Did, account: str, to: BoxPublicKey, at: datetime
    ) -> None:
        self._opening = head(b"Q") + lp(vault) + lp(depositor) + lp(account) + entropy.token(16)
        self._key = entropy.secret(32)
        self._aead: AESGCM | None = AESGCM(self._key)
        self.header = self._opening + lp(seal(self._key, to=to, info=INFO_LABEL + self._opening))
        self.opened_at = at
        self._counter = self._points = 0

    def is_due(self, at: datetime) -> bool:
        """Whether the key has to be forgotten now: 15 minutes old, or 1 000 points."""
        return self._points >= MAX_POINTS or at - self.opened_at >= MAX_AGE

    def append(self, data: bytes, *, points: int) -> bytes:
        """The frame of one batch of `points` points. The caller writes and fsyncs it before it
        answers.

        Raises:
            SegmentClosedError: after `close`.
            RecordTooLargeError: over 64 KiB.
        """
        if len(data) > MAX_FRAME:
            raise RecordTooLargeError(size=len(data), limit=MAX_FRAME)
        self._points += points
        return self._frame(data, is_last=False)

    def close(self) -> bytes:
        """The last frame; the key is zeroed.

        Raises:
            SegmentClosedError: closed before.
        """
        frame = self._frame(b"", is_last=True)
        self._aead = None
        self._key[:] = bytes(32)
        return frame

    def _frame(self, data: bytes, *, is_last: bool) -> bytes:
        if self._aead is None:
            raise SegmentClosedError("the segment has forgotten its key")
        sealed = self._aead.encrypt(
            frame_nonce(self._counter, is_last=is_last), data, FRAME_LABEL + self._opening
        )
        frame = (
            self._counter.to_bytes(4, "big")
            + bytes([is_last])
            + len(sealed).to_bytes(4, "big")
            + sealed
        )
        self._counter += 1
        return frame

    def __repr__(self) -> str:
        return f"SegmentWriter(key=***, frames={self._counter})"


def split_frames(data: bytes) -> list[tuple[bytes, bool]]:
    """Sealed bodies of the whole frames in `data`, in order, with their mark; an unfinished last
    frame is left out.

    Raises:
        LayoutError: counters with a gap, a frame over its limit, bytes after the last frame.
    """
    reader, frames = Reader(data, "segment"), list[tuple[bytes, bool]]()
    left = len(data)
    while left >= 9:
        counter, mark, size = reader.uint(4), reader.uint(1), reader.uint(4)
        if counter != len(frames) or mark > LAST or not 16 <= size <= MAX_FRAME + 16:
            raise LayoutError("segment", f"frame {len(frames)} is out of order or malformed")
        if left < 9 + size:
            return frames
        frames.append((reader.take(size), mark == LAST))
        left -= 9 + size
        if mark == LAST and left:
            raise LayoutError("segment", "bytes after the last frame")
    return frames


__all__ = ["MAX_AGE", "MAX_POINTS", "SegmentHeader", "SegmentWriter", "split_frames"]
