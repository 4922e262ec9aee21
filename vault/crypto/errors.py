"""Errors of what opens and keeps keys.

    CryptoError
    ├── BusyError                   + Retriable      the derivation pool is full (503)
    ├── SlotError                   + Refused
    │   ├── WrongSecretError                         passphrase, code or pepper is another
    │   ├── RecoveryCodeError       + InvalidInput   the code was mistyped: no slot was tried
    │   ├── PassphraseError         + InvalidInput   empty or too long
    │   ├── RecoverySharesError     + InvalidInput   shares mistyped, mixed or too few; `.reason`
    │   ├── SlotBoundError                           only its secret can put another root in
    │   └── SlotParametersError     + InvalidInput   derivation costs outside our bounds
    ├── KeyringError                + Refused
    │   ├── KeyringLockedError                       the key was zeroed: unlock again
    │   ├── KeyUnknownError         + NotFound       no such key in the ring
    │   └── KeyDestroyedError                        the key was destroyed on purpose
    ├── SealBrokenError             + Refused        a tag does not match: changed, or another key
    ├── RecordError
    │   ├── RecordMismatchError     + Refused        the envelope belongs to another row
    │   ├── RecordEpochError        + Refused        wrapped in another epoch than the key given
    │   ├── DataKeyDestroyedError   + Refused        this revision was shredded
    │   └── PayloadTooLargeError    + InvalidInput   over the limit of its layout
    ├── MonthError                  + Refused        `.faults` lists every row that is wrong
    │   ├── RowMissingError  RowExtraError  RowSwappedError  RowOldError  RowAlteredError
    │   ├── RowShreddedError                         its data key is gone, and no delete says so
    │   └── RowRevivedError                          a shredded row has its data key again
    ├── HeadError                   + Refused
    │   ├── ManifestMissingError  ManifestExtraError  ManifestReplacedError
    │   ├── VaultRolledBackError                     older than what a witness remembers
    │   └── VaultForkedError                         as old as the witness, and different
    ├── JournalError                + Refused
    │   ├── JournalGapError  JournalAlteredError  JournalTruncatedError  JournalForkedError
    ├── GrantError                  + Refused
    │   ├── GrantExpiredError                        past its date
    │   └── OutsideGrantError                        the scope does not hold this key
    ├── DepositRefusedError         + Refused        goes to quarantine; `.reason` is shown
    │   └── WrongVaultError                          signed or sealed for another vault
    ├── BlobError                   + Refused
    │   └── BlobTruncatedError                       the last chunk is not there
    ├── TrackRefusedError           + InvalidInput   bytes or points that are not a track
    ├── AgeError                    + Refused
    │   ├── AgeHeaderError          + InvalidInput   not an age file, or one we cannot read
    │   ├── AgeNoMatchError                          no identity given opens it
    │   ├── AgeMacError                              the header was changed
    │   └── AgePayloadError                          a chunk was changed, moved or cut
    └── ArchiveRefusedError         + InvalidInput   a member that has no place in an archive

Layout faults are `federation.sealing.errors.LayoutError`, unknown suites `SuiteUnknownError`, bombs
`DecompressionRefusedError`: both sides read the same layouts.
"""

from collections.abc import Sequence

from federation.sealing.errors import DecompressionRefusedError, LayoutError, SuiteUnknownError
from schemas.errors import InvalidInput, MobilityError, NotFound, Refused, Retriable


class CryptoError(MobilityError):
    """Root of the errors of this package."""

    code = "crypto-error"


class BusyError(CryptoError, Retriable):
    """Enough derivations are running and waiting; try again in `retry_after_s`."""

    code = "kdf-busy"

    def __init__(self, *, running: int, waiting: int, retry_after_s: int) -> None:
        self.running, self.waiting, self.retry_after_s = running, waiting, retry_after_s
        super().__init__(f"{running} derivations run and {waiting} wait")


class SlotError(CryptoError, Refused):
    """A slot does not open."""

    code = "slot-error"


class WrongSecretError(SlotError):
    """Passphrase, code, pepper or vault is another one. Which, nobody can tell."""

    code = "wrong-secret"

    def __init__(self) -> None:
        super().__init__("the secret does not open this slot")


class RecoveryCodeError(SlotError, InvalidInput):
    """The recovery code was mistyped: its length, an unknown character, or its checksum."""

    code = "recovery-code-mistyped"


class PassphraseError(SlotError, InvalidInput):
    """An empty passphrase, one that is not text, or one over 1 024 bytes."""

    code = "passphrase-refused"


class RecoverySharesError(SlotError, InvalidInput):
    """Recovery shares that cannot be put together: no slot was tried.

    `reason`: `mistyped` (a word or the checksum), `foreign` (not shares of a vault), `mixed` (of
    two sets), `twice` (the same share again), `too-few` (`.have` of `.need`).
    """

    code = "shares-refused"

    def __init__(
        self, reason: str, *, number: int | None = None, have: int = 0, need: int = 0
    ) -> None:
        self.reason, self.number, self.have, self.need = reason, number, have, need
        super().__init__(f"recovery shares refused: {reason}")


class SlotBoundError(SlotError):
    """Only this slot's own secret can put another root into it: it was made before the root could
    be renewed without. Opening with it once renews it."""

    code = "slot-bound"

    def __init__(self) -> None:
        super().__init__("only its secret can re-wrap this slot")


class SlotParametersError(SlotError, InvalidInput):
    """Derivation costs outside our bounds: a stored slot may not make us spend a gigabyte."""

    code = "slot-parameters-refused"


class KeyringError(CryptoError, Refused):
    """A key cannot be used."""

    code = "keyring-error"


class KeyringLockedError(KeyringError):
    """The key was zeroed: unlock again."""

    code = "keyring-locked"

    def __init__(self) -> None:
        super().__init__("the key was zeroed when the vault was locked")


class KeyUnknownError(KeyringError, NotFound):
    """No such key in the ring."""

    code = "key-unknown"


class KeyDestroyedError(KeyringError):
    """The key was destroyed on purpose."""

    code = "key-destroyed"


class SealBrokenError(CryptoError, Refused):
    """A tag does not match: the bytes were changed, or another key or place was meant."""

    code = "seal-broken"

    def __init__(self, layout: str) -> None:
        self.layout = layout
        super().__init__(f"{layout}: the seal does not match")


class RecordError(CryptoError):
    """A record envelope does not open."""

    code = "record-error"


class RecordMismatchError(RecordError, Refused):
    """The envelope's own header names another record or revision than its row."""

    code = "record-mismatch"


class RecordEpochError(RecordError, Refused):
    """The data key is wrapped in another epoch than the month key given."""

    code = "record-epoch"

    def __init__(self, *, found: int, given: int) -> None:
        self.found, self.given = found, given
        super().__init__(f"wrapped in epoch {found}, key of epoch {given}")


class DataKeyDestroyedError(RecordError, Refused):
    """This revision was shredded: its data key is gone for good."""

    code = "data-key-destroyed"

    def __init__(self) -> None:
        super().__init__("the data key of this revision was destroyed")


class PayloadTooLargeError(RecordError, InvalidInput):
    """Over the limit of its layout."""

    code = "payload-too-large"

    def __init__(self, *, size: int, limit: int) -> None:
        self.size, self.limit = size, limit
        super().__init__(f"payload of {size} bytes, limit {limit}")


class MonthError(CryptoError, Refused):
    """The rows of a month are not those of its manifest. `faults` holds every one, this one
    first.
    """

    code = "month-refused"

    def __init__(self, record_id: bytes) -> None:
        self.record_id = record_id
        self.faults: Sequence[MonthError] = (self,)
        super().__init__(f"row {record_id.hex()}")


class RowMissingError(MonthError):
    """The manifest lists a row that is not there."""

    code = "row-missing"


class RowExtraError(MonthError):
    """A row is there, or there twice, that the manifest does not list."""

    code = "row-extra"


class RowSwappedError(MonthError):
    """The row holds the envelope of another record."""

    code = "row-swapped"


class RowOldError(MonthError):
    """The row holds an earlier revision than the manifest lists."""

    code = "row-old"


class RowAlteredError(MonthError):
    """The row is of the right record and revision, and its bytes are others."""

    code = "row-altered"


class RowShreddedError(MonthError):
    """The row's data key is gone although the manifest does not call it shredded."""

    code = "row-shredded"


class RowRevivedError(MonthError):
    """The manifest calls the row shredded, and it has a data key again."""

    code = "row-revived"


class HeadError(CryptoError, Refused):
    """The vault is not in the state its head says."""

    code = "head-refused"


class ManifestMissingError(HeadError):
    """The head lists a month whose manifest is not there."""

    code = "manifest-missing"


class ManifestExtraError(HeadError):
    """A month manifest is there that the head does not list."""

    code = "manifest-extra"


class ManifestReplacedError(HeadError):
    """A month manifest is another one than the head lists: an earlier or a changed one."""

    code = "manifest-replaced"


class VaultRolledBackError(HeadError):
    """The head is older than what a witness remembers: stop, or restore on purpose."""

    code = "vault-rolled-back"

    def __init__(self, *, seq: int, remembered: int) -> None:
        self.seq, self.remembered = seq, remembered
        super().__init__(f"head {seq} is older than head {remembered}, seen before")


class VaultForkedError(HeadError):
    """The head has the number a witness remembers, and other contents: two copies went on apart."""

    code = "vault-forked"

    def __init__(self, *, seq: int) -> None:
        self.seq = seq
        super().__init__(f"head {seq} is not the head {seq} seen before")


class JournalError(CryptoError, Refused):
    """The chain of the journal does not hold. `seq` is the first entry that is wrong."""

    code = "journal-refused"

    def __init__(self, seq: int) -> None:
        self.seq = seq
        super().__init__(f"journal entry {seq}")


class JournalGapError(JournalError):
    """An entry is missing between two others."""

    code = "journal-gap"


class JournalAlteredError(JournalError):
    """The body or link of an entry is not what was chained."""

    code = "journal-altered"


class JournalTruncatedError(JournalError):
    """Fewer entries than the head pins."""

    code = "journal-truncated"


class JournalForkedError(JournalError):
    """The entry that the head pins is another one."""

    code = "journal-forked"


class GrantError(CryptoError, Refused):
    """A grant does not serve."""

    code = "grant-refused"


class GrantExpiredError(GrantError):
    """The grant is past its date."""

    code = "grant-expired"


class OutsideGrantError(GrantError):
    """The grant's scope does not hold this key."""

    code = "outside-grant"


class DepositRefusedError(CryptoError, Refused):
    """The deposit goes to quarantine; `reason` is the code shown to the citizen."""

    code = "deposit-refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"deposit refused: {reason}")


class WrongVaultError(DepositRefusedError):
    """The deposit was made for another vault."""

    code = "deposit-wrong-vault"

    def __init__(self) -> None:
        super().__init__("wrong-vault")


class BlobError(CryptoError, Refused):
    """A blob does not open."""

    code = "blob-refused"


class BlobTruncatedError(BlobError):
    """The blob's last chunk is not there."""

    code = "blob-truncated"


class TrackRefusedError(CryptoError, InvalidInput):
    """Bytes or points that are not a track."""

    code = "track-refused"


class AgeError(CryptoError, Refused):
    """An age file does not open."""

    code = "age-refused"


class AgeHeaderError(AgeError, InvalidInput):
    """Not an age v1 file, a malformed header, or a cost over our bound."""

    code = "age-header"


class AgeNoMatchError(AgeError):
    """No identity given opens the file: another passphrase or key."""

    code = "age-no-match"


class AgeMacError(AgeError):
    """The header was changed."""

    code = "age-mac"


class AgePayloadError(AgeError):
    """A chunk was changed, moved or cut."""

    code = "age-payload"


class ArchiveRefusedError(CryptoError, InvalidInput):
    """A member that has no place in an archive: its name, kind, size or number."""

    code = "archive-refused"


class ArchiveNewerError(ArchiveRefusedError):
    """An archive of another version of the format: a newer software wrote it."""

    code = "archive-newer"


__all__ = [
    "AgeError",
    "AgeHeaderError",
    "AgeMacError",
    "AgeNoMatchError",
    "AgePayloadError",
    "ArchiveNewerError",
    "ArchiveRefusedError",
    "BlobError",
    "BlobTruncatedError",
    "BusyError",
    "CryptoError",
    "DataKeyDestroyedError",
    "DecompressionRefusedError",
    "DepositRefusedError",
    "GrantError",
    "GrantExpiredError",
    "HeadError",
    "JournalAlteredError",
    "JournalError",
    "JournalForkedError",
    "JournalGapError",
    "JournalTruncatedError",
    "KeyDestroyedError",
    "KeyUnknownError",
    "KeyringError",
    "KeyringLockedError",
    "LayoutError",
    "ManifestExtraError",
    "ManifestMissingError",
    "ManifestReplacedError",
    "MonthError",
    "OutsideGrantError",
    "PassphraseError",
    "PayloadTooLargeError",
    "RecordEpochError",
    "RecordError",
    "RecordMismatchError",
    "RecoveryCodeError",
    "RecoverySharesError",
    "RowAlteredError",
    "RowExtraError",
    "RowMissingError",
    "RowOldError",
    "RowRevivedError",
    "RowShreddedError",
    "RowSwappedError",
    "SealBrokenError",
    "SlotError",
    "SlotParametersError",
    "SuiteUnknownError",
    "TrackRefusedError",
    "VaultForkedError",
    "VaultRolledBackError",
    "WrongSecretError",
    "WrongVaultError",
]
