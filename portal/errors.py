"""Errors of the portal.

MobilityError
└── PortalError
    ├── SettingsContradictionError (InvalidInput)   a setting contradicts another one
    ├── NodeDidNotStartError (Retriable)            a server of the process tree did not answer in time
    ├── FormExpiredError (Refused)                  the form's token is missing, foreign or too old
    ├── FunderCodeError (InvalidInput)              not a recovery code of a document key
    ├── ScannerAddressError (InvalidInput)          not the address of an antivirus on this machine
    ├── DocumentInfectedError (Refused)             the antivirus found something in a document
    ├── DocumentUnscannedError (Retriable)          the antivirus cannot tell now
    ├── AttestationError (InvalidInput)             the document carries no readable proof
    ├── AttestationTooLargeError (InvalidInput)     the file is larger than what we read
    └── AnswerRefusedError (InvalidInput)           not an answer to a question of the aids
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

from schemas.errors import InvalidInput, MobilityError, Refused, Retriable


class PortalError(MobilityError):
    """Root of the portal's errors."""

    code = "portal"


class SettingsContradictionError(PortalError, InvalidInput):
    """Two settings cannot both hold; names them."""

    code = "settings-contradiction"

    def __init__(self, where: str, why: str) -> None:
        self.where = where
        super().__init__(f"{where}: {why}")


class NodeDidNotStartError(PortalError, Retriable):
    """A server did not answer its health page in time; its log says why."""

    code = "node-did-not-start"

    def __init__(self, *, node: str, waited_s: float, log: str) -> None:
        self.node, self.waited_s, self.log = node, waited_s, log
        super().__init__(f"{node} did not answer within {waited_s:.0f} s; see {log}")


class FunderCodeError(PortalError, InvalidInput):
    """Not a recovery code of a document key: a letter is wrong."""

    code = "funder-code"


class ScannerAddressError(PortalError, InvalidInput):
    """Not the address of an antivirus on this machine."""

    code = "scanner-address"


class DocumentInfectedError(PortalError, Refused):
    """The antivirus found something: the document was not written; the application stands."""

    code = "document-infected"

    def __init__(self, signature: str) -> None:
        self.signature = signature
        super().__init__(f"the antivirus found {signature}; nothing was written")


class DocumentUnscannedError(PortalError, Retriable):
    """The antivirus cannot tell now: nothing was written, the sealed file is as it was."""

    code = "document-unscanned"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the antivirus cannot tell now ({reason}); nothing was written")


class FormExpiredError(PortalError, Refused):
    """The form's token is missing, belongs to another browser or is older than a day."""

    code = "form-expired"

    def __init__(self) -> None:
        super().__init__("form token missing, foreign or expired")


class AttestationError(PortalError, InvalidInput):
    """The file is not an attestation of ours, or its proof cannot be read."""

    code = "attestation-unreadable"

    def __init__(self, why: str) -> None:
        self.where = "file"
        super().__init__(why)


class AttestationTooLargeError(PortalError, InvalidInput):
    """Over `attestation.MAX_PDF` bytes."""

    code = "attestation-too-large"

    def __init__(self, *, size: int, limit: int) -> None:
        self.size, self.limit, self.where = size, limit, "file"
        super().__init__(f"{size} bytes, at most {limit}")


class AnswerRefusedError(PortalError, InvalidInput):
    """Not an answer to a question of the aids. Names the question, never the answer."""

    code = "answer-refused"

    def __init__(self, question: str, why: str) -> None:
        self.where = question[:300]
        super().__init__(f"{self.where}: {why}")
