"""What can go wrong in a home and in a vault.

    VaultError
    ├── VaultUnknownError (NotFound)            vault-unknown
    ├── SlowDownError (Retriable)               slow-down
    ├── SessionEndedError (Refused)             session-ended
    ├── UnlockAgainError (Refused)              unlock-again
    ├── LastSlotError (Refused)                 last-slot
    ├── SlotUnknownError (NotFound)             slot-unknown
    ├── PasskeyError (Refused)                  passkey-refused
    │   ├── PasskeyCopiedError                  passkey-copied
    │   └── PasskeyUnavailableError             passkey-unavailable
    ├── VaultLockedError (Refused)              vault-locked
    ├── RecordUnknownError (NotFound)           record-unknown
    ├── RecordInvalidError (InvalidInput)       record-refused
    ├── RecordConflictError (Refused)           record-conflict
    ├── PreconditionFailedError (Refused)       precondition-failed
    ├── PreconditionMissingError (InvalidInput) precondition-missing
    ├── IdempotencyKeyReusedError (InvalidInput) idempotency-key-reused
    ├── IdempotencyKeyMissingError (InvalidInput) idempotency-key-missing
    ├── DocumentRefusedError (InvalidInput)     document-refused
    ├── RepresentationError (Refused)           not-acceptable
    ├── RequestRefusedError (InvalidInput)      request-refused
    │   ├── AddressTooLongError                 address-too-long
    │   └── MediaTypeRefusedError               media-type-refused
    ├── ActRefusedError (Refused)               act-refused
    ├── HeadMovedError (Retriable)              head-moved
    ├── BlobMissingError (Refused)              blob-missing
    ├── BlobStoreUnreachableError (Retriable)   blob-store-unreachable
    ├── ExportOvertakenError (Retriable)        export-overtaken
    ├── ExportRunningError (Refused)            export-running
    ├── PaperUnknownError (NotFound)            paper-unknown
    ├── PaperGoneError (Refused)                paper-gone
    ├── DropBoxError
    │   ├── DepositOutOfSequenceError (Refused) deposit-out-of-sequence
    │   ├── DepositKeyRetiredError (Refused)    deposit-key-retired
    │   ├── DepositInvalidError (InvalidInput)  deposit-invalid
    │   ├── WrongVaultError (Refused)           deposit-wrong-vault
    │   ├── DepositorUnknownError (Refused)     depositor-unknown
    │   └── DropBoxFullError (Retriable)        drop-box-full
    ├── KeyStoreError                           key-store-broken
    ├── ShareRefusedError (Refused)             share-refused
    ├── NoticeRefusedError (InvalidInput)       notice-refused
    ├── QueryRefusedError (InvalidInput)        query-refused
    ├── QueryStoppedError (Refused)             query-stopped
    ├── QueryFailedError (Retriable)            query-failed
    ├── ArchiveInvalidError (InvalidInput)      archive-invalid
    ├── ArrivalBusyError (Retriable)            arrival-busy
    ├── ArrivalStoppedError (Retriable)         arrival-stopped
    ├── BackupInvalidError (InvalidInput)       backup-invalid
    └── SettingsError (InvalidInput)            settings-contradict

What does not open, and rows, manifests and heads that are not what this vault wrote, are refused by
name with the errors of `vault/crypto/errors.py` (`wrong-secret`, `row-missing`, `row-old`,
`row-swapped`, `manifest-replaced`, `vault-rolled-back`, …).
"""

from schemas.errors import InvalidInput, MobilityError, NotFound, Refused, Retriable

__all__ = [
    "ActRefusedError",
    "AddressTooLongError",
    "ArchiveInvalidError",
    "ArrivalBusyError",
    "ArrivalStoppedError",
    "BackupInvalidError",
    "BlobMissingError",
    "BlobStoreUnreachableError",
    "DepositInvalidError",
    "DepositKeyRetiredError",
    "DepositOutOfSequenceError",
    "DepositorUnknownError",
    "DocumentRefusedError",
    "DropBoxError",
    "DropBoxFullError",
    "ExportOvertakenError",
    "ExportRunningError",
    "HeadMovedError",
    "IdempotencyKeyMissingError",
    "IdempotencyKeyReusedError",
    "KeyStoreError",
    "LastSlotError",
    "MediaTypeRefusedError",
    "NoticeRefusedError",
    "PaperGoneError",
    "PaperUnknownError",
    "PasskeyCopiedError",
    "PasskeyError",
    "PasskeyUnavailableError",
    "PreconditionFailedError",
    "PreconditionMissingError",
    "QueryFailedError",
    "QueryRefusedError",
    "QueryStoppedError",
    "RecordConflictError",
    "RecordInvalidError",
    "RecordUnknownError",
    "RepresentationError",
    "RequestRefusedError",
    "SessionEndedError",
    "SettingsError",
    "ShareRefusedError",
    "SlotUnknownError",
    "SlowDownError",
    "UnlockAgainError",
    "VaultError",
    "VaultLockedError",
    "VaultUnknownError",
    "WrongVaultError",
]


class VaultError(MobilityError):
    """Root of the vault's errors."""

    code = "vault-error"


class VaultUnknownError(VaultError, NotFound):
    """No vault of this name here, or it was shredded."""

    code = "vault-unknown"

    def __init__(self) -> None:
        super().__init__("no such vault in this home")


class SlowDownError(VaultError, Retriable):
    """Too many wrong secrets from this address for this vault; other addresses are not slowed."""

    code = "slow-down"

    def __init__(self, *, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"too many attempts, again in {retry_after_s} s")


class SessionEndedError(VaultError, Refused):
    """The session is unknown, locked or expired: unlock again."""

    code = "session-ended"

    def __init__(self) -> None:
        super().__init__("the session has ended, unlock again")


class UnlockAgainError(VaultError, Refused):
    """Ways to open are changed only soon after opening: unlock again, then change."""

    code = "unlock-again"

    def __init__(self) -> None:
        super().__init__("unlock again to change the ways to open this vault")


class LastSlotError(VaultError, Refused):
    """The last way to open a vault is not removed: add another first, or shred the vault."""

    code = "last-slot"

    def __init__(self) -> None:
        super().__init__("this is the last way to open the vault")


class SlotUnknownError(VaultError, NotFound):
    """No such way to open this vault: removed already, or another vault's."""

    code = "slot-unknown"

    def __init__(self) -> None:
        super().__init__("no such way to open this vault")


class PasskeyError(VaultError, Refused):
    """The passkey's answer is not one to our question; `.reason` says which check failed.

    `reason`: `challenge` (unknown, used or too late), `malformed`, `unknown-passkey`,
    `registration`, `signature` (with origin, relying party and user verification), `prf`.
    """

    code = "passkey-refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the passkey was refused: {reason}")


class PasskeyCopiedError(PasskeyError):
    """The passkey's counter went back: a second copy of it may exist. Remove it."""

    code = "passkey-copied"

    def __init__(self) -> None:
        super().__init__("counter")


class PasskeyUnavailableError(PasskeyError):
    """This home has no name a passkey can be bound to (an IP address, or no https)."""

    code = "passkey-unavailable"

    def __init__(self) -> None:
        super().__init__("origin")


class VaultLockedError(VaultError, Refused):
    """This open vault was locked while it was in use."""

    code = "vault-locked"

    def __init__(self) -> None:
        super().__init__("the vault is locked")


class RecordUnknownError(VaultError, NotFound):
    """The vault holds no record of this IRI."""

    code = "record-unknown"

    def __init__(self, iri: str) -> None:
        self.iri = iri
        super().__init__(f"no record {iri}")


class RecordInvalidError(VaultError, InvalidInput):
    """What was given cannot be kept as a record."""

    code = "record-refused"

    def __init__(self, detail: str, *, where: str | None = None) -> None:
        self.where = where
        super().__init__(detail)


class RecordConflictError(VaultError, Refused):
    """Somebody wrote this record after it was read: read again, then change."""

    code = "record-conflict"

    def __init__(self, *, expected: int, found: int) -> None:
        self.expected, self.found = expected, found
        super().__init__(f"revision {expected} was read, {found} is there")


class PreconditionFailedError(VaultError, Refused):
    """The record is not in the state the request was made for: read it again, then write."""

    code = "precondition-failed"

    def __init__(self) -> None:
        super().__init__("somebody wrote this record meanwhile, or it is (not) there")


class PreconditionMissingError(VaultError, InvalidInput):
    """A write must say what it was made for: `If-Match`, or `If-None-Match: *` for a new record."""

    code = "precondition-missing"

    def __init__(self) -> None:
        self.where = "If-Match"
        super().__init__("say which state you read: If-Match, or If-None-Match: *")


class IdempotencyKeyReusedError(VaultError, InvalidInput):
    """This idempotency key was used for another request."""

    code = "idempotency-key-reused"

    def __init__(self) -> None:
        self.where = "Idempotency-Key"
        super().__init__("this key was used for another request")


class IdempotencyKeyMissingError(VaultError, InvalidInput):
    """What makes something new carries an idempotency key, so that a repeat makes nothing twice."""

    code = "idempotency-key-missing"

    def __init__(self) -> None:
        self.where = "Idempotency-Key"
        super().__init__("give an Idempotency-Key of 8 to 200 visible characters")


class DocumentRefusedError(VaultError, InvalidInput):
    """The file is of no kind that is kept here, empty, or too large."""

    code = "document-refused"

    def __init__(self, detail: str) -> None:
        self.where = "body"
        super().__init__(detail)


class RepresentationError(VaultError, Refused):
    """No representation of this resource is among those asked for."""

    code = "not-acceptable"

    def __init__(self, offered: tuple[str, ...]) -> None:
        self.offered = offered
        super().__init__("offered: " + ", ".join(offered))


class RequestRefusedError(VaultError, InvalidInput):
    """The request itself is malformed: its address, a header, its media type."""

    code = "request-refused"

    def __init__(self, detail: str, *, where: str) -> None:
        self.where = where
        super().__init__(detail)


class AddressTooLongError(RequestRefusedError):
    """The address is longer than any IRI we take."""

    code = "address-too-long"

    def __init__(self) -> None:
        super().__init__("the address is too long", where="path")


class MediaTypeRefusedError(RequestRefusedError):
    """A body of this media type is not read here."""

    code = "media-type-refused"

    def __init__(self, taken: tuple[str, ...]) -> None:
        super().__init__("taken here: " + ", ".join(taken), where="Content-Type")


class ActRefusedError(VaultError, Refused):
    """The act is not possible on this record; the reason names why."""

    code = "act-refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class HeadMovedError(VaultError, Retriable):
    """Another writer was first; read again and retry."""

    code = "head-moved"
    retry_after_s = 0

    def __init__(self, *, expected: int, found: int) -> None:
        self.expected, self.found = expected, found
        super().__init__(f"head is at {found}, expected {expected}")


class BlobMissingError(VaultError, Refused):
    """A sealed file is gone, cut short or altered: its row still names it."""

    code = "blob-missing"


class BlobStoreUnreachableError(VaultError, Retriable):
    """The bucket of the sealed files does not answer, or refuses; nothing was written."""

    code = "blob-store-unreachable"
    retry_after_s = 30

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the bucket of the sealed files does not answer: {reason}")


class ExportOvertakenError(VaultError, Retriable):
    """A deletion destroyed a file while the archive was being written; begin again."""

    code = "export-overtaken"
    retry_after_s = 1

    def __init__(self) -> None:
        super().__init__("something was deleted while the archive was written")


class ExportRunningError(VaultError, Refused):
    """An archive is being made already; wait for it, or call it off."""

    code = "export-running"

    def __init__(self) -> None:
        super().__init__("an archive is being made already")


class PaperUnknownError(VaultError, NotFound):
    """No paper of this home has that link: it was mistyped, or made elsewhere."""

    code = "paper-unknown"

    def __init__(self) -> None:
        super().__init__("no paper has this link")


class PaperGoneError(VaultError, Refused):
    """The paper no longer stands: its owner withdrew it, or its term is over."""

    code = "paper-gone"

    def __init__(self, why: str) -> None:
        self.why = why
        """`withdrawn` or `expired`."""
        super().__init__(f"the paper is {why}")


class DropBoxError(VaultError):
    """Root of what a depositor can meet."""

    code = "drop-box-error"


class DepositKeyRetiredError(DropBoxError, Refused):
    """Sealed to a key this vault does not open any more, or never had: read its keys again, and
    seal again."""

    code = "deposit-key-retired"

    def __init__(self) -> None:
        super().__init__("sealed to a key the vault no longer has")


class DepositOutOfSequenceError(DropBoxError, Refused):
    """The deposit does not follow the last one of its depositor and account; resend from `last`."""

    code = "deposit-out-of-sequence"

    def __init__(self, *, last: int) -> None:
        self.last = last
        super().__init__(f"last accepted deposit is {last}")

    def problem_extensions(self) -> dict[str, int]:
        """Members of the problem document."""
        return {"last": self.last}


class DepositInvalidError(DropBoxError, InvalidInput):
    """The bytes are not a sealed deposit."""

    code = "deposit-invalid"

    def __init__(self, detail: str, *, where: str | None = None) -> None:
        self.where = where
        super().__init__(detail)


class WrongVaultError(DropBoxError, Refused):
    """The deposit was made for another vault."""

    code = "deposit-wrong-vault"

    def __init__(self) -> None:
        super().__init__("the deposit was made for another vault")


class DepositorUnknownError(DropBoxError, Refused):
    """No link allows this depositor to leave records in this vault."""

    code = "depositor-unknown"

    def __init__(self) -> None:
        super().__init__("this depositor is not linked to the vault")


class DropBoxFullError(DropBoxError, Retriable):
    """The drop-box has no room for this deposit."""

    code = "drop-box-full"
    retry_after_s = 3600

    def __init__(self, *, held: int, limit: int) -> None:
        self.held, self.limit = held, limit
        super().__init__(f"drop-box holds {held} of {limit} bytes")


class KeyStoreError(VaultError):
    """The home's key folder is missing, unreadable or open to others."""

    code = "key-store-broken"


class ShareRefusedError(VaultError, Refused):
    """Nothing can be shared: the reason says what is missing or wrong."""

    code = "share-refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class QueryRefusedError(VaultError, InvalidInput):
    """The query is not read-only SPARQL over the vault alone."""

    code = "query-refused"

    def __init__(self, detail: str) -> None:
        self.where = "query"
        super().__init__(detail)


class QueryStoppedError(VaultError, Refused):
    """The query passed 5 s, its memory, or 10 000 rows and was ended."""

    code = "query-stopped"


class QueryFailedError(VaultError, Retriable):
    """The query process ended by itself; it is rebuilt at the next query."""

    code = "query-failed"
    retry_after_s = 1


class ArchiveInvalidError(VaultError, InvalidInput):
    """The archive does not open, or its own manifest does not match its contents."""

    code = "archive-invalid"

    def __init__(self, detail: str, *, where: str | None = None) -> None:
        self.where = where
        super().__init__(detail)


class ArrivalBusyError(VaultError, Retriable):
    """Somebody else's archive is being restored here: one at a time."""

    code = "arrival-busy"
    retry_after_s = 60

    def __init__(self) -> None:
        super().__init__("another archive is being restored, again in a minute")


class ArrivalStoppedError(VaultError, Retriable):
    """The home stopped while an archive was being restored: give it again, it goes on there."""

    code = "arrival-stopped"

    def __init__(self) -> None:
        super().__init__("the home stopped, give the same archive again")


class BackupInvalidError(VaultError, InvalidInput):
    """Not a backup of a home that can be put back here."""

    code = "backup-invalid"


class NoticeRefusedError(VaultError, InvalidInput):
    """How to be told of news cannot be so; `reason` is `address`, `language` or `no-mail`."""

    code = "notice-refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class SettingsError(VaultError, InvalidInput):
    """Two settings contradict each other."""

    code = "settings-contradict"
