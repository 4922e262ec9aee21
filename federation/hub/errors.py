"""Errors of the hub. A refusal at intake names its failed check by its code.

```
HubError
├── RequestUnknownError        NotFound   no such request object or response address
├── ApplicationUnknownError    NotFound   no such application, or not yours (never told apart)
├── ChallengeUsedError         Refused    another package already answered this request
├── ChallengeMismatchError     Refused    the answer belongs to another request
├── ChallengeExpiredError      Refused    the request's time is over
├── PackageRefusedError        Refused    verification failed; carries its checks
├── AlreadyAwardedError        Refused    règle de non-cumul: the period is taken
├── ApplicationMismatchError   Refused    that application id is another aid's or holder's
├── ApplicationClosedError     Refused    decided or withdrawn: nothing more can be sent
├── PeriodRefusedError         InvalidInput
├── AidNotOpenError            Refused
├── HolderProofError           Refused    the status request is not signed by the holder
├── NotAllowedError            Refused    this member may not do this
├── NotSignedInError           Refused
├── WrongPasswordError         Refused
├── TooManyAttemptsError       Retriable
├── WitnessBusyError           Retriable
├── LoginBusyError             Retriable
├── PasskeyRefusedError        Refused    challenge, origin, signature or counter of a passkey
├── LastWayInError             Refused    the only way in cannot be removed
├── AgreementMissingError      Refused    the funder has not accepted the agreement
├── InvitationRefusedError     Refused    unknown, used or too old
├── ColleagueUnknownError      NotFound   nobody of this funder has that id
├── FileRefusedError           InvalidInput   a table that cannot be read
├── NothingToPayError          Refused    no accepted application waits
├── PaymentUnknownError        NotFound   no such payment file of this funder
├── ArchiveTooLargeError       InvalidInput   too many decisions at once
├── DocumentRefusedError       InvalidInput   a sealed document that is not kept
├── KeyUnknownError            NotFound   the funder published no document key
├── DecisionRefusedError       InvalidInput   reason missing, wrong state, amount out of bounds
├── AuditRefusedError          Refused    this application cannot be checked by sample (again)
├── EntryRefusedError          InvalidInput   a registry entry that cannot be accredited
├── DraftUnknownError          NotFound   no such draft of this funder
├── DraftChangedError          Refused    somebody else changed the draft since it was read
├── DraftRefusedError          InvalidInput   a draft that cannot go on: `where` and `why`
├── SecondPersonError          Refused    another person of the funder has to publish it
├── PublicNoticeError          Retriable  a funder of one person publishes after a day's notice
├── ReportRefusedError         InvalidInput   a report without its words, or answered before
├── ReportUnknownError         NotFound   no report has this link or id, or not yours
├── ReportsBusyError           Retriable  too many reports
├── WitnessNotNewerError       Refused    a newer or another head was witnessed before
├── WitnessUnknownError        NotFound   nothing was witnessed under this identifier
├── WitnessSecretError         Refused    the secret is not the one of this identifier
├── LogUnknownError            NotFound   the register of decisions has no such leaf, tree or head
├── EvidencePendingError       Retriable  not timestamped yet
├── NoMailError                Refused    this hub has no mail server
├── AuthorityUnreachableError  Retriable  no good answer of the timestamp authority now
├── RegisterAwayError          Retriable  no good answer of the register of carpool journeys now
└── HubSettingsError           InvalidInput
```
"""

from collections.abc import Iterable
from datetime import date
from typing import Any

from federation.errors import FederationError
from federation.verification import Check, failed_codes
from schemas.errors import InvalidInput, NotFound, Refused, Retriable

__all__ = [
    "AgreementMissingError",
    "AidNotOpenError",
    "AlreadyAwardedError",
    "ApplicationClosedError",
    "ApplicationMismatchError",
    "ApplicationUnknownError",
    "ArchiveTooLargeError",
    "AuditRefusedError",
    "AuthorityUnreachableError",
    "ChallengeExpiredError",
    "ChallengeMismatchError",
    "ChallengeUsedError",
    "ColleagueUnknownError",
    "DecisionRefusedError",
    "DocumentRefusedError",
    "DraftChangedError",
    "DraftRefusedError",
    "DraftUnknownError",
    "EntryRefusedError",
    "EvidencePendingError",
    "FamilyUnknownError",
    "FileRefusedError",
    "HolderProofError",
    "HubError",
    "HubSettingsError",
    "InvitationRefusedError",
    "KeyUnknownError",
    "LastWayInError",
    "LogUnknownError",
    "LoginBusyError",
    "NoMailError",
    "NotAllowedError",
    "NotSignedInError",
    "NothingToPayError",
    "PackageRefusedError",
    "PasskeyRefusedError",
    "PaymentUnknownError",
    "PeriodRefusedError",
    "PriorAidBusyError",
    "PublicNoticeError",
    "ReportRefusedError",
    "ReportUnknownError",
    "ReportsBusyError",
    "RequestUnknownError",
    "SecondPersonError",
    "TooManyAttemptsError",
    "WitnessBusyError",
    "WitnessNotNewerError",
    "WitnessSecretError",
    "WitnessUnknownError",
    "WrongPasswordError",
]


class HubError(FederationError):
    """Root of the hub's errors."""

    code = "hub"


class RequestUnknownError(HubError, NotFound):
    """No request waits at this address."""

    code = "request-unknown"

    def __init__(self) -> None:
        super().__init__("no request waits at this address")


class WitnessUnknownError(HubError, NotFound):
    """Nothing was witnessed under this identifier."""

    code = "witness-unknown"

    def __init__(self) -> None:
        super().__init__("nothing was witnessed under this identifier")


class WitnessSecretError(HubError, Refused):
    """The secret shown is not the one whose hash is the identifier."""

    code = "witness-secret"

    def __init__(self) -> None:
        super().__init__("the secret is not the one of this identifier")


class WitnessNotNewerError(HubError, Refused):
    """A newer head, or another head of this number, was witnessed before: the line only grows."""

    code = "witness-not-newer"

    def __init__(self, *, last: int) -> None:
        self.last = last
        super().__init__(f"head {last} was witnessed before")

    def problem_extensions(self) -> dict[str, int]:
        """Number of the last witnessed head."""
        return {"last": self.last}


class ApplicationUnknownError(HubError, NotFound):
    """No application with this id is open to you."""

    code = "application-unknown"

    def __init__(self) -> None:
        super().__init__("no application with this id is open to you")


class ChallengeUsedError(HubError, Refused):
    """The challenge of this request was already used by another package."""

    code = "challenge-used"

    def __init__(self) -> None:
        super().__init__("another package already answered this request")


class ChallengeMismatchError(HubError, Refused):
    """The answer belongs to another request."""

    code = "challenge-mismatch"

    def __init__(self) -> None:
        super().__init__("the answer belongs to another request")


class ChallengeExpiredError(HubError, Refused):
    """The request's time is over; ask for a new one, the application id stays."""

    code = "challenge-expired"

    def __init__(self) -> None:
        super().__init__("the time to answer this request is over")


class PackageRefusedError(HubError, Refused):
    """The proof package was refused at intake; `checks` says why.

    The wire code is that of the first failed check (`proof-invalid`, `holder-mismatch`, …).
    """

    code = "package-refused"

    def __init__(self, checks: Iterable[Check]) -> None:
        self.checks = tuple(checks)
        self.failed = failed_codes(self.checks)
        super().__init__("the package was refused: " + ", ".join(self.failed))

    def problem_extensions(self) -> dict[str, Any]:
        """Members beside the standard ones of the problem document."""
        return {
            "failed": list(self.failed),
            "checks": [check.to_json() for check in self.checks],
        }


class AlreadyAwardedError(HubError, Refused):
    """Another application of the same family already holds this period (règle de non-cumul)."""

    code = "already-awarded"

    def __init__(self, family: str, period: tuple[date, date]) -> None:
        self.family = family
        self.period = period
        super().__init__("another application of this family already holds this period")

    def problem_extensions(self) -> dict[str, Any]:
        """Family and period: the other application is not named."""
        return {"family": self.family, "failed": [self.code]}


class FamilyUnknownError(HubError, NotFound):
    """No aid of this hub is of this family and version, so its ledger cannot answer for it."""

    code = "family-unknown"

    def __init__(self, family: str) -> None:
        self.family = family
        super().__init__("this hub keeps no ledger of that family")


class PriorAidBusyError(HubError, Retriable):
    """The ledger was asked too often, for one person or from one address."""

    code = "prior-aid-busy"

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("the ledger was asked too often in a short time")


class ApplicationMismatchError(HubError, Refused):
    """This application id belongs to another aid or another holder."""

    code = "application-mismatch"

    def __init__(self) -> None:
        super().__init__("this application id belongs to another aid or another holder")


class ApplicationClosedError(HubError, Refused):
    """The application is decided or withdrawn."""

    code = "application-closed"

    def __init__(self, state: str) -> None:
        self.state = state
        super().__init__("nothing more can be sent to this application")

    def problem_extensions(self) -> dict[str, Any]:
        """The state it is in."""
        return {"state": self.state}


class PeriodRefusedError(HubError, InvalidInput):
    """The period does not fit the aid."""

    code = "period-refused"
    where = "period"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"period refused: {reason}")


class AidNotOpenError(HubError, Refused):
    """This aid takes no applications here and now."""

    code = "aid-not-open"

    def __init__(self) -> None:
        super().__init__("this aid takes no applications here and now")


class HolderProofError(HubError, Refused):
    """The request is not signed by the key that presented the proofs."""

    code = "holder-proof-invalid"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"holder proof refused: {reason}")


class NotAllowedError(HubError, Refused):
    """This member may not do this."""

    code = "not-allowed"

    def __init__(self) -> None:
        super().__init__("this member may not do this")


class NotSignedInError(HubError, Refused):
    """Sign in first."""

    code = "not-signed-in"

    def __init__(self) -> None:
        super().__init__("sign in first")


class WrongPasswordError(HubError, Refused):
    """Name or password wrong; which of the two is not said."""

    code = "wrong-password"

    def __init__(self) -> None:
        super().__init__("name or password wrong")


class TooManyAttemptsError(HubError, Retriable):
    """Too many failed sign-ins from this address; others are not locked out."""

    code = "too-many-attempts"

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("too many failed sign-ins from this address")


class ReportRefusedError(HubError, InvalidInput):
    """A report or its answer that is not kept; `where` is the field."""

    code = "report-refused"

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(f"report refused: {where}")


class DraftUnknownError(HubError, NotFound):
    """No draft has this id, or it is another funder's: never told apart."""

    code = "draft-unknown"

    def __init__(self) -> None:
        super().__init__("no such draft")


class DraftChangedError(HubError, Refused):
    """Somebody changed the draft, or the aid, since it was read; read it again. `editor` is who."""

    code = "draft-changed"

    def __init__(self, editor: str = "") -> None:
        self.editor = editor
        super().__init__("changed since it was read")


class DraftRefusedError(HubError, InvalidInput):
    """A draft that cannot go on. `where` is the place, `why` the code of the fault."""

    code = "draft-refused"

    def __init__(self, where: str, why: str) -> None:
        self.where, self.why = where, why
        super().__init__(f"draft refused: {where}: {why}")


class SecondPersonError(HubError, Refused):
    """Whoever submitted a version does not publish it while somebody else could."""

    code = "second-person"

    def __init__(self) -> None:
        super().__init__("another person of the funder publishes it")


class PublicNoticeError(HubError, Retriable):
    """A funder of one person publishes a day after its public notice."""

    code = "public-notice"

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("the public notice still runs")


class ReportUnknownError(HubError, NotFound):
    """No report has this link or id, or this member may not answer it: never told apart."""

    code = "report-unknown"

    def __init__(self) -> None:
        super().__init__("no such report")


class ReportsBusyError(HubError, Retriable):
    """Too many reports from one address, or too many that nobody read yet."""

    code = "reports-busy"

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("too many reports in a short time")


class WitnessBusyError(HubError, Retriable):
    """Too many heads for one line, or from one address; the line stands as it was."""

    code = "witness-busy"

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("too many heads in a short time")


class LogUnknownError(HubError, NotFound):
    """The register of decisions has no such leaf, tree or head."""

    code = "log-unknown"

    def __init__(self) -> None:
        super().__init__("not in the register of decisions")


class EvidencePendingError(HubError, Retriable):
    """The authority has not stamped this head yet; what it is about stands all the same."""

    code = "timestamp-pending"
    retry_after_s = 60

    def __init__(self) -> None:
        super().__init__("not timestamped yet")


class AuthorityUnreachableError(HubError, Retriable):
    """The timestamp authority gave no good answer; `reason` is the code of what went wrong."""

    code = "authority-unreachable"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"no timestamp now: {reason}")


class RegisterAwayError(HubError, Retriable):
    """The register of carpool journeys told nothing; `reason` is the code of what went wrong."""

    code = "register-away"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the register tells nothing now: {reason}")


class NoMailError(HubError, Refused):
    """This hub has no mail server."""

    code = "no-mail"

    def __init__(self) -> None:
        super().__init__("no mail server here")


class LoginBusyError(HubError, Retriable):
    """Too many sign-ins are being checked; try again."""

    code = "login-busy"
    retry_after_s = 2

    def __init__(self) -> None:
        super().__init__("too many sign-ins are being checked")


class DecisionRefusedError(HubError, InvalidInput):
    """This decision cannot be taken as it stands."""

    code = "decision-refused"

    def __init__(self, reason: str, *, where: str = "decision") -> None:
        self.where = where
        self.reason = reason
        super().__init__(f"decision refused: {reason}")


class AuditRefusedError(HubError, Refused):
    """This application cannot be checked by sample; `reason` is a stable word."""

    code = "audit-refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"audit refused: {reason}")

    def problem_extensions(self) -> dict[str, str]:
        """The reason."""
        return {"reason": self.reason}


class EntryRefusedError(HubError, InvalidInput):
    """This entry cannot be accredited."""

    code = "entry-refused"

    def __init__(self, reason: str, *, where: str = "entry") -> None:
        self.where = where
        self.reason = reason
        super().__init__(f"entry refused: {reason}")


class PasskeyRefusedError(HubError, Refused):
    """A passkey's answer does not hold; `reason` names the check."""

    code = "passkey-refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"passkey refused: {reason}")


class LastWayInError(HubError, Refused):
    """The only way in cannot be removed: add another one first."""

    code = "last-way-in"


class AgreementMissingError(HubError, Refused):
    """The funder has not accepted the agreement in its present version."""

    code = "agreement-missing"


class InvitationRefusedError(HubError, Refused):
    """The link is unknown, was used, or is too old: ask for another one."""

    code = "invitation-refused"


class ColleagueUnknownError(HubError, NotFound):
    """Nobody of this funder has that id."""

    code = "colleague-unknown"


class FileRefusedError(HubError, InvalidInput):
    """A table that cannot be read."""

    code = "file-refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"file refused: {reason}")


class NothingToPayError(HubError, Refused):
    """No accepted application waits for a payment file."""

    code = "nothing-to-pay"


class PaymentUnknownError(HubError, NotFound):
    """No such payment file of this funder."""

    code = "payment-unknown"


class ArchiveTooLargeError(HubError, InvalidInput):
    """Too many decisions for one archive: take a shorter period."""

    code = "archive-too-large"

    def __init__(self, found: int, limit: int) -> None:
        self.found, self.limit = found, limit
        super().__init__(f"{found} decisions, at most {limit} in one archive")


class DocumentRefusedError(HubError, InvalidInput):
    """A sealed document that is not kept; `reason` names the step."""

    code = "document-refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"document refused: {reason}")


class KeyUnknownError(HubError, NotFound):
    """The funder published no document key."""

    code = "key-unknown"


class HubSettingsError(HubError, InvalidInput):
    """Settings that contradict each other."""

    code = "hub-settings"

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(f"{where}: {reason}")
