"""Errors of the sealing side: whoever holds public keys only.

SealingError
├── LayoutError                + InvalidInput   bytes that are not the layout they claim to be
├── SuiteUnknownError          + Refused        a suite or algorithm this build does not know
├── BoxKeyError                + InvalidInput   not a public key of its suite
├── RecordTooLargeError        + InvalidInput   one record over the limit: split it at the connector
├── DepositTooLargeError       + InvalidInput   too many records or bytes for one deposit
├── DecompressionRefusedError  + Refused        compressed bytes that grow beyond their bound
├── ManifestSignatureError     + Refused        the manifest was not signed by this depositor
├── ManifestMismatchError      + Refused        the manifest speaks of another deposit
├── ReceiptSignatureError      + Refused        the receipt was not signed by this home
├── FunderKeyExpiredError      + Refused        the funder's key is past its date: fetch the new one
├── SegmentClosedError         + Refused        the segment has forgotten its key: open another one
└── AgeRecipientError          + InvalidInput   not an age recipient
"""

from datetime import datetime

from schemas.errors import InvalidInput, MobilityError, Refused


class SealingError(MobilityError):
    """Root of the errors of this package."""

    code = "sealing-error"


class LayoutError(SealingError, InvalidInput):
    """Bytes that are not the layout they claim to be: truncated, too long, or of an unknown
    version.
    """

    code = "layout-invalid"

    def __init__(self, layout: str, reason: str) -> None:
        self.layout, self.reason, self.where = layout, reason, layout
        super().__init__(f"{layout}: {reason}")


class SuiteUnknownError(SealingError, Refused):
    """A suite or algorithm this build does not know. Update, or ask the sender for a known one."""

    code = "suite-unknown"

    def __init__(self, suite: int) -> None:
        self.suite = suite
        super().__init__(f"suite {suite} is not known")


class BoxKeyError(SealingError, InvalidInput):
    """Not a public key of its suite."""

    code = "box-key-invalid"


class RecordTooLargeError(SealingError, InvalidInput):
    """One record is over the limit: split it at the connector."""

    code = "record-too-large"

    def __init__(self, *, size: int, limit: int) -> None:
        self.size, self.limit = size, limit
        super().__init__(f"record of {size} bytes, limit {limit}")


class DepositTooLargeError(SealingError, InvalidInput):
    """Too many records, or too many bytes, for one deposit: make two."""

    code = "deposit-too-large"

    def __init__(self, *, what: str, size: int, limit: int) -> None:
        self.what, self.size, self.limit = what, size, limit
        super().__init__(f"deposit of {size} {what}, limit {limit}")


class DecompressionRefusedError(SealingError, Refused):
    """Compressed bytes that are broken or grow beyond their bound."""

    code = "decompression-refused"

    def __init__(self, *, limit: int) -> None:
        self.limit = limit
        super().__init__(f"compressed bytes are broken or exceed {limit} bytes")


class ManifestSignatureError(SealingError, Refused):
    """The manifest was not signed by this depositor."""

    code = "manifest-signature"


class ManifestMismatchError(SealingError, Refused):
    """The manifest speaks of another vault, depositor, account, place in the chain, or other
    records.
    """

    code = "manifest-mismatch"

    def __init__(self, member: str) -> None:
        self.member = member
        super().__init__(f"the manifest does not match the deposit in: {member}")


class ReceiptSignatureError(SealingError, Refused):
    """The receipt was not signed by this home."""

    code = "receipt-signature"


class FunderKeyExpiredError(SealingError, Refused):
    """The funder's key is past its date: fetch the new one from the trust registry."""

    code = "funder-key-expired"

    def __init__(self, *, version: int, not_after: datetime) -> None:
        self.version, self.not_after = version, not_after
        super().__init__(f"key version {version} expired on {not_after:%Y-%m-%d}")


class SegmentClosedError(SealingError, Refused):
    """The segment is closed and has forgotten its key: open another one."""

    code = "segment-closed"


class AgeRecipientError(SealingError, InvalidInput):
    """Not an age recipient (`age1…`), or a passphrase mixed with other recipients."""

    code = "age-recipient-invalid"


__all__ = [
    "AgeRecipientError",
    "BoxKeyError",
    "DecompressionRefusedError",
    "DepositTooLargeError",
    "FunderKeyExpiredError",
    "LayoutError",
    "ManifestMismatchError",
    "ManifestSignatureError",
    "ReceiptSignatureError",
    "RecordTooLargeError",
    "SealingError",
    "SegmentClosedError",
    "SuiteUnknownError",
]
