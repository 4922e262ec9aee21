"""Documents sealed to a funder: the hub stores what it cannot open."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from schemas.ids import Did

from .box import BoxHeader, BoxPublicKey, seal
from .errors import FunderKeyExpiredError, RecordTooLargeError
from .layout import Reader, head, lp
from .padding import bucket

INFO_LABEL: Final = b"mobility-vault/document/1\x00"
SCHEMA_VERSION: Final = 1
MAX_DOCUMENT: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class FunderKey:
    """One version of a funder's key, as the trust registry publishes it."""

    funder: Did
    version: int
    public: BoxPublicKey
    """X25519 or P-256 where a browser opens, hybrid for nodes."""
    not_after: datetime


@dataclass(frozen=True, slots=True)
class SealedDocument:
    """What the hub sees of a sealed document."""

    funder: Did
    key_version: int
    application: str
    """IRI of the application it belongs to."""
    opening: bytes
    """The public header: HPKE info."""
    box: bytes
    data: bytes

    @property
    def key_id(self) -> bytes:
        """Which key opens it."""
        return BoxHeader.of(self.box).key_id

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the public header.

        Raises:
            LayoutError: not this layout.
            SuiteUnknownError: a suite of the future.
        """
        reader = Reader(data, "document")
        reader.head(b"F")
        funder, version, application = reader.text(), reader.uint(4), reader.text()
        opening = data[: reader.tell()]
        box = reader.rest()
        BoxHeader.of(box)
        return cls(Did(funder), version, application, opening, box, data)


def seal_document(
    content: bytes,
    *,
    name: str,
    media_type: str,
    application: str,
    to: FunderKey,
    at: datetime,
) -> bytes:
    """Seal a document to a funder for one application.

    Layout: `"MVF" ‖ 1 ‖ lp(funder) ‖ key version u32 ‖ lp(application) ‖ box`; the box has as info
    the label and the header. Body: `schema_version u16 ‖ lp(name) ‖ lp(media type) ‖ length u32 ‖
    content ‖ zero padding`.

    Raises:
        FunderKeyExpiredError: `to` is past its date at `at`: fetch the new version.
        RecordTooLargeError: over 16 MiB.
    """
    if at > to.not_after:
        raise FunderKeyExpiredError(version=to.version, not_after=to.not_after)
    if len(content) > MAX_DOCUMENT:
        raise RecordTooLargeError(size=len(content), limit=MAX_DOCUMENT)
    opening = head(b"F") + lp(to.funder) + to.version.to_bytes(4, "big") + lp(application)
    body = b"".join(
        (
            SCHEMA_VERSION.to_bytes(2, "big"),
            lp(name),
            lp(media_type),
            len(content).to_bytes(4, "big"),
            content,
        )
    )
    return opening + seal(
        body.ljust(bucket(len(body)), b"\x00"), to=to.public, info=INFO_LABEL + opening
    )


__all__ = ["MAX_DOCUMENT", "FunderKey", "SealedDocument", "seal_document"]
