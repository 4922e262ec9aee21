"""Errors of the connectors.

    MobilityError
    └── ConnectorError
        ├── SourceUnreachableError   + Retriable     no answer, cut short, or too slow
        ├── SourceBusyError          + Retriable     429 or 503; carries Retry-After
        ├── SourceRefusedError       + Refused       the token is unknown, expired or revoked
        ├── SourceAnswerError        + InvalidInput  the answer is not what the source promises
        │   ├── WrongContentTypeError                a web page where JSON was due
        │   ├── SourceRedirectError                  a redirect on a POST (the token would leave)
        │   ├── AnswerTooLargeError                  over the byte limit; narrow the window
        │   └── RepeatedPageError                    the same page token twice: a loop
        ├── HostileInputError        + InvalidInput  too large, too deep, not JSON
        ├── UnknownFormatError       + InvalidInput  no importer knows this file
        ├── InvoiceSumError          + InvalidInput  sums that do not hold, by rule
        ├── MappingError             + InvalidInput  a mapping that is wrong, with its place
        ├── UnknownConnectorError    + NotFound
        ├── UnknownAccountError      + NotFound
        ├── DepositRefusedError      + Refused       the drop-box said no, for good
        ├── AddressError             + InvalidInput  what was typed is no address of a source
        ├── LinkRefusedError         + Refused       the person, or the source, gave no access
        └── PushError
            ├── PushTokenError       + Refused       unknown, expired or revoked push token
            │   └── PushTokenMissingError            no token came: a proxy may have taken it
            ├── PushScopeError       + Refused       the token may not leave this
            ├── PushInvalidError     + InvalidInput  carries every place that is wrong
            ├── IdempotencyError     + Refused       the key was used for other bytes
            ├── PushBusyError        + Retriable     too many requests, or no room
            ├── PairingError         + Refused       wrong, used or expired code
            └── ReceiptUnknownError  + NotFound

No message holds a token or anything that a person did: forms, places in the document, counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.errors import InvalidInput, MobilityError, NotFound, Refused, Retriable


class ConnectorError(MobilityError):
    """Root of the errors of this package."""

    code = "connector-error"


class SourceUnreachableError(ConnectorError, Retriable):
    """No answer, an answer cut short, or one that came too slowly."""

    code = "source-unreachable"

    def __init__(self, *, where: str, reason: str, retry_after_s: int | None = None) -> None:
        self.where, self.reason, self.retry_after_s = where, reason, retry_after_s
        super().__init__(f"{where}: {reason}")


class SourceBusyError(ConnectorError, Retriable):
    """The source asks to come back later (429 or 503)."""

    code = "source-busy"

    def __init__(self, *, where: str, status: int, retry_after_s: int) -> None:
        self.where, self.status, self.retry_after_s = where, status, retry_after_s
        super().__init__(f"{where}: answered {status}, retry after {retry_after_s} s")


class SourceRefusedError(ConnectorError, Refused):
    """The source does not accept this account's token: expired, revoked or mistyped.

    The runner marks the account; the citizen connects it again.
    """

    code = "source-token-refused"

    def __init__(self, *, where: str, status: int) -> None:
        self.where, self.status = where, status
        super().__init__(f"{where}: answered {status}")


class SourceAnswerError(ConnectorError, InvalidInput):
    """The answer is not what the source promises; `where` names the route or the place in it."""

    code = "source-answer"

    def __init__(self, *, where: str, reason: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(f"{where}: {reason}")


class WrongContentTypeError(SourceAnswerError):
    """A web page (or nothing named) where JSON was due."""

    code = "source-content-type"


class SourceRedirectError(SourceAnswerError):
    """A redirect answered a POST. Following it would send the token elsewhere."""

    code = "source-redirect"


class AnswerTooLargeError(SourceAnswerError):
    """Over the byte limit. The caller narrows its window and asks again."""

    code = "source-too-large"


class RepeatedPageError(SourceAnswerError):
    """The source gave the same page token twice: it would never end."""

    code = "source-repeated-page"


class HostileInputError(ConnectorError, InvalidInput):
    """Input that is not JSON, or that is made to harm: too large, too deep."""

    code = "input-refused"

    def __init__(self, reason: str, *, where: str = "") -> None:
        self.where, self.reason = where, reason
        super().__init__(f"{where or '/'}: {reason}")


class UnknownFormatError(ConnectorError, InvalidInput):
    """No importer knows this file."""

    code = "format-unknown"

    def __init__(self, known: Sequence[str]) -> None:
        self.known = tuple(known)
        super().__init__(f"no importer knows this file; known: {', '.join(self.known)}")


class InvoiceSumError(ConnectorError, InvalidInput):
    """The sums of an invoice do not hold: changed by hand, or wrong from the start. Names the
    rules (EN 16931: `BR-CO-15`…), never an amount."""

    code = "invoice-sums"

    def __init__(self, rules: Sequence[str]) -> None:
        self.rules = tuple(rules)
        super().__init__(", ".join(self.rules))


class MappingError(ConnectorError, InvalidInput):
    """A mapping is wrong: `where` is the JSON pointer, the message what belongs there."""

    code = "mapping-invalid"

    def __init__(self, where: str, wanted: str) -> None:
        self.where, self.wanted = where, wanted
        super().__init__(f"{where or '/'}: {wanted}")


class UnknownConnectorError(ConnectorError, NotFound):
    """No connector has this name."""

    code = "connector-unknown"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name, self.known = name, tuple(known)
        super().__init__(f"no connector of this name; known: {', '.join(self.known)}")


class UnknownAccountError(ConnectorError, NotFound):
    """This vault has no such source account."""

    code = "account-unknown"


class DepositRefusedError(ConnectorError, Refused):
    """The drop-box refused for good: another vault, another chain, a withdrawn link."""

    code = "deposit-refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class AddressError(ConnectorError, InvalidInput):
    """What was typed is no address of a source."""

    code = "address-invalid"

    def __init__(self) -> None:
        super().__init__("not an https address")


class LinkRefusedError(ConnectorError, Refused):
    """The person, or their source, said no."""

    code = "link-refused"

    def __init__(self) -> None:
        super().__init__("the access was not given")


class PushError(ConnectorError):
    """Root of what can go wrong when an app pushes."""

    code = "push-error"


class PushTokenError(PushError, Refused):
    """The push token is unknown, expired or revoked. The app pairs again."""

    code = "push-token-invalid"

    def __init__(self) -> None:
        super().__init__("push token unknown, expired or revoked")


class PushTokenMissingError(PushTokenError):
    """No token came with the request: it was not sent, or a proxy took the header away."""

    code = "push-token-missing"


class PushScopeError(PushError, Refused):
    """The token may not leave this kind of record."""

    code = "push-scope"

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(f"this token may not leave {kind}")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a document: where (JSON pointer) and which rule. Never the value."""

    pointer: str
    code: str
    detail: str


class PushInvalidError(PushError, InvalidInput):
    """Nothing of the batch was kept; `faults` names every place that is wrong (at most 100)."""

    code = "push-invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        self.where = self.faults[0].pointer if self.faults else ""
        super().__init__(f"{len(self.faults)} fault(s), first at {self.where or '/'}")

    def problem_extensions(self) -> dict[str, object]:
        """Every place, for the problem document."""
        return {
            "errors": [
                {"pointer": f.pointer, "code": f.code, "detail": f.detail} for f in self.faults
            ]
        }


class IdempotencyError(PushError, Refused):
    """This Idempotency-Key came before with other bytes."""

    code = "idempotency-key-reused"

    def __init__(self) -> None:
        super().__init__("Idempotency-Key was used for another body")


class PushBusyError(PushError, Retriable):
    """Too many requests, or no room in the drop-box."""

    code = "push-busy"

    def __init__(self, *, retry_after_s: int, full: bool) -> None:
        self.retry_after_s, self.full = retry_after_s, full
        super().__init__("no room" if full else "too many requests")


class PairingError(PushError, Refused):
    """The pairing code is wrong, used or expired. Ask the person for a new one."""

    code = "pairing-refused"

    def __init__(self) -> None:
        super().__init__("pairing code wrong, used or expired")


class ReceiptUnknownError(PushError, NotFound):
    """No receipt of this name for this token."""

    code = "receipt-unknown"

    def __init__(self) -> None:
        super().__init__("no such receipt")


__all__ = [
    "AddressError",
    "AnswerTooLargeError",
    "ConnectorError",
    "DepositRefusedError",
    "Fault",
    "HostileInputError",
    "IdempotencyError",
    "MappingError",
    "PairingError",
    "PushBusyError",
    "PushError",
    "PushInvalidError",
    "PushScopeError",
    "PushTokenError",
    "PushTokenMissingError",
    "ReceiptUnknownError",
    "RepeatedPageError",
    "SourceAnswerError",
    "SourceBusyError",
    "SourceRedirectError",
    "SourceRefusedError",
    "SourceUnreachableError",
    "UnknownAccountError",
    "UnknownConnectorError",
    "UnknownFormatError",
    "WrongContentTypeError",
]
