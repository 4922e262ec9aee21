"""Errors of the wire.

MobilityError
└── WireError
    ├── DatabaseBusyError            database-busy            Retriable
    ├── SchemaVersionError           schema-version           Refused
    ├── NaiveDatetimeError           naive-datetime           InvalidInput
    ├── CursorRefusedError           cursor-refused           InvalidInput
    ├── BodyTooLargeError            body-too-large           InvalidInput
    ├── SignatureRefusedError        signature-refused        Refused
    ├── SettingsRefusedError         settings-refused         InvalidInput
    ├── OutboundError                outbound-failed
    │   ├── UnreachableError         unreachable              Retriable
    │   ├── UpstreamBusyError        upstream-busy            Retriable
    │   ├── UpstreamStatusError      upstream-status
    │   ├── ResponseTooLargeError    response-too-large       Refused
    │   ├── RedirectRefusedError     redirect-refused         Refused
    │   ├── ContentTypeRefusedError  content-type-refused     Refused
    │   ├── ResponseUnreadableError  response-unreadable      InvalidInput
    │   └── AddressRefusedError      address-refused          Refused
    ├── MailUnreachableError         mail-unreachable         Retriable
    ├── MailRefusedError             mail-refused             Refused
    └── JobError                     job-failed
        ├── JobNotFoundError         job-not-found            NotFound
        ├── JobNotClaimedError       job-not-claimed          Refused
        ├── OpenJobRefusedError      open-job-refused         Refused
        └── UnknownStoreError        unknown-store            NotFound
"""

from typing import ClassVar

from schemas.errors import InvalidInput, MobilityError, NotFound, Refused, Retriable


class WireError(MobilityError):
    """Root of the errors of `federation.wire`."""

    code: ClassVar[str] = "wire-error"


class DatabaseBusyError(WireError, Retriable):
    """Another writer held the database longer than we are ready to wait."""

    code: ClassVar[str] = "database-busy"

    def __init__(self, *, waited_s: float, retry_after_s: int = 2) -> None:
        self.waited_s = waited_s
        self.retry_after_s = retry_after_s
        super().__init__(f"the database was busy for {waited_s:.1f} s")


class SchemaVersionError(WireError, Refused):
    """The database is not at the version this software was built for."""

    code: ClassVar[str] = "schema-version"

    def __init__(self, *, found: str | None, expected: str | None) -> None:
        self.found, self.expected = found, expected
        super().__init__(
            f"database is at version {found or 'none'}, this software needs {expected or 'none'}; "
            "run `mobility migrate`"
        )


class NaiveDatetimeError(WireError, InvalidInput):
    """An instant without a time zone was about to be stored."""

    code: ClassVar[str] = "naive-datetime"

    def __init__(self) -> None:
        super().__init__("instants carry a time zone; a naive datetime was given")


class CursorRefusedError(WireError, InvalidInput):
    """The page cursor was not made by this server, for this list."""

    code: ClassVar[str] = "cursor-refused"
    where = "cursor"

    def __init__(self) -> None:
        super().__init__("this cursor was not given by this server for this list")


class BodyTooLargeError(WireError, InvalidInput):
    """A request body is over its limit."""

    code: ClassVar[str] = "body-too-large"

    def __init__(self, *, limit: int) -> None:
        self.limit = limit
        super().__init__(f"the body is over {limit} bytes")


class SignatureRefusedError(WireError, Refused):
    """An HTTP message signature is missing, malformed, expired or false.

    `reason` is one of: missing, malformed, unknown-key, components, expired, too-old, future,
    digest-mismatch, false, replayed.
    """

    code: ClassVar[str] = "signature-refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"HTTP message signature refused: {reason}")


class SettingsRefusedError(WireError, InvalidInput):
    """Settings contradict each other or miss a value that a part needs."""

    code: ClassVar[str] = "settings-refused"

    def __init__(self, *, setting: str, why: str) -> None:
        self.where = setting
        super().__init__(f"{setting}: {why}")


class OutboundError(WireError):
    """A call to another server did not give a usable answer. Carries the origin, never the path."""

    code: ClassVar[str] = "outbound-failed"

    def __init__(self, message: str, *, origin: str) -> None:
        self.origin = origin
        super().__init__(f"{origin}: {message}")


class UnreachableError(OutboundError, Retriable):
    """No connection, no answer in time, or the connection broke."""

    code: ClassVar[str] = "unreachable"

    def __init__(self, message: str, *, origin: str, retry_after_s: int | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message, origin=origin)


class UpstreamBusyError(OutboundError, Retriable):
    """The other server answered 429, 502, 503 or 504."""

    code: ClassVar[str] = "upstream-busy"

    def __init__(self, *, origin: str, status: int, retry_after_s: int | None) -> None:
        self.status = status
        self.retry_after_s = retry_after_s
        super().__init__(f"answered {status}", origin=origin)


class UpstreamStatusError(OutboundError):
    """The other server answered with a status the caller did not accept."""

    code: ClassVar[str] = "upstream-status"

    def __init__(self, *, origin: str, status: int, problem_code: str | None = None) -> None:
        self.status = status
        self.problem_code = problem_code
        """`code` member of an RFC 9457 answer, when it sent one."""
        super().__init__(f"answered {status}", origin=origin)


class ResponseTooLargeError(OutboundError, Refused):
    """The answer is over the byte limit, as sent or once decompressed."""

    code: ClassVar[str] = "response-too-large"

    def __init__(self, *, origin: str, limit: int) -> None:
        self.limit = limit
        super().__init__(f"answer over {limit} bytes", origin=origin)


class RedirectRefusedError(OutboundError, Refused):
    """The other server answered with a redirect; we follow none."""

    code: ClassVar[str] = "redirect-refused"

    def __init__(self, *, origin: str, status: int) -> None:
        self.status = status
        super().__init__(f"redirect ({status}) refused", origin=origin)


class ContentTypeRefusedError(OutboundError, Refused):
    """The answer is of another media type than asked."""

    code: ClassVar[str] = "content-type-refused"

    def __init__(self, *, origin: str, found: str) -> None:
        self.found = found[:80]
        super().__init__(f"media type {self.found!r} refused", origin=origin)


class ResponseUnreadableError(OutboundError, InvalidInput):
    """The answer says it is JSON (or compressed) and is not."""

    code: ClassVar[str] = "response-unreadable"


class AddressRefusedError(OutboundError, Refused):
    """The URL or an address its name resolves to is outside the policy (SSRF guard)."""

    code: ClassVar[str] = "address-refused"


class MailUnreachableError(WireError, Retriable):
    """The mail server took nothing now; `reason` is what it was."""

    code: ClassVar[str] = "mail-unreachable"

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        super().__init__(f"no mail now: {reason}" if reason else "no mail now")


class MailRefusedError(WireError, Refused):
    """The mail server refuses this address for good."""

    code: ClassVar[str] = "mail-refused"

    def __init__(self) -> None:
        super().__init__("the address is refused")


class JobError(WireError):
    """Root of what goes wrong with background jobs."""

    code: ClassVar[str] = "job-failed"


class JobNotFoundError(JobError, NotFound):
    """No such job in this outbox."""

    code: ClassVar[str] = "job-not-found"


class JobNotClaimedError(JobError, Refused):
    """The lease was lost: another worker has the job, or it is over."""

    code: ClassVar[str] = "job-not-claimed"


class OpenJobRefusedError(JobError, Refused):
    """An open job needs a process that holds the session; this dispatcher has none."""

    code: ClassVar[str] = "open-job-refused"

    def __init__(self, *, kind: str) -> None:
        self.kind = kind
        super().__init__(f"job {kind!r} needs an open vault; only a session's process runs it")


class UnknownStoreError(JobError, NotFound):
    """A task names a store that this worker does not serve."""

    code: ClassVar[str] = "unknown-store"
