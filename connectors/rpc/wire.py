"""What the register says and takes, as types: a journey's status, the identity key, the forms of
an energy-saving application (CEE).

An answer 200 is not an acceptance: only the status `ok` is, and only once two days have passed, as
journeys of several operators are compared. Money is in cents, times in UTC.
Source: `api-v3.3.yaml` of the register (Apache-2.0), read 2026-11-22.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from connectors.errors import SourceAnswerError
from connectors.parsing import UnusableError

__all__ = [
    "SETTLED",
    "CeeApplication",
    "JourneyKind",
    "JourneyStatus",
    "Registered",
    "identity_key",
    "last_name_trunc",
    "phone_trunc",
]

SETTLED: Final = timedelta(hours=48)
"""After a journey's end: before, the register may still change its mind."""
MAX_LABELS: Final = 50
_PHONE: Final = re.compile(r"\+[1-9][0-9]{7,14}")
_REFERENCE: Final = re.compile(r"[A-Za-z0-9-]{1,256}")
"""The specification's pattern has no dash, its examples do: dashes are taken."""


class JourneyStatus(StrEnum):
    """The register's own words."""

    OK = "ok"
    PENDING = "pending"
    CANCELED = "canceled"
    FRAUD = "fraud_error"
    ANOMALY = "anomaly_error"
    TERMS = "terms_violation_error"
    VALIDATION = "validation_error"
    ACQUISITION = "acquisition_error"
    NORMALIZATION = "normalization_error"
    UNKNOWN = "unknown"


class JourneyKind(StrEnum):
    """Under 80 km, or longer."""

    SHORT = "short"
    LONG = "long"


@dataclass(frozen=True, slots=True)
class Registered:
    """What the register says of one journey."""

    reference: str
    """The operator's own name of it (`operator_journey_id`)."""
    status: JourneyStatus
    journey_id: str | None
    """The register's number, which applications name."""
    labels: tuple[str, ...]
    """Why it was not retained, in the register's words."""
    registered_at: datetime | None = None
    """`created_at`: when it was registered, or found to be in error."""

    @classmethod
    def of(cls, answer: Any, *, reference: str) -> "Registered":
        """Raises SourceAnswerError: not the shape the register promises, or another journey."""
        if not isinstance(answer, dict) or answer.get("operator_journey_id") != reference:
            raise SourceAnswerError(where="/operator_journey_id", reason="another journey")
        try:
            status = JourneyStatus(str(answer.get("status")))
        except ValueError:
            raise SourceAnswerError(where="/status", reason="a word of no meaning here") from None
        number = answer.get("journey_id")
        return cls(
            reference,
            status,
            str(number)[:100] if isinstance(number, str | int) else None,
            tuple(_labels(answer)),
            _created(answer),
        )

    def is_accepted(self, *, ended_at: datetime, at: datetime) -> bool:
        """Whether the register retains it for good."""
        return self.status is JourneyStatus.OK and at - ended_at >= SETTLED


def _created(answer: Mapping[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(answer.get("created_at")))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _labels(answer: Mapping[str, Any]) -> list[str]:
    found = []
    for name in ("fraud_error_labels", "anomaly_error_details", "terms_violation_details"):
        listed = answer.get(name)
        for entry in listed[:MAX_LABELS] if isinstance(listed, list) else ():
            label = entry.get("label") if isinstance(entry, dict) else entry
            if isinstance(label, str):
                found.append(label[:100])
    return found


def reference_of(text: str) -> str:
    """A name the register can hold. Raises UnusableError."""
    if _REFERENCE.fullmatch(text) is None:
        raise UnusableError("not-a-reference", "operator_journey_id")
    return text


def _plain(name: str) -> str:
    """Capitals without accents; hyphens and apostrophes are blanks."""
    letters = unicodedata.normalize("NFD", name.upper())
    bare = "".join(c for c in letters if not unicodedata.combining(c))
    return " ".join(re.sub(r"[-'’]", " ", bare).split())


def identity_key(phone: str, last_name: str) -> str:
    """SHA-256 (hex) of « phone-NAME »: one person's key at every operator.

    Its input can be guessed (telephone numbers are few): treat it as personal data, put it into no
    proof. `phone` is E.164. Raises UnusableError.
    """
    if _PHONE.fullmatch(phone) is None:
        raise UnusableError("not-a-phone", "phone")
    name = _plain(last_name)
    if not name:
        raise UnusableError("not-a-text", "last_name")
    return hashlib.sha256(f"{phone}-{name}".encode()).hexdigest()


def last_name_trunc(last_name: str) -> str:
    """The first three letters, padded with blanks: what a CEE form carries of a name."""
    return _plain(last_name)[:3].ljust(3)


def phone_trunc(phone: str) -> str:
    """E.164 without its last two digits. Raises UnusableError."""
    if _PHONE.fullmatch(phone) is None:
        raise UnusableError("not-a-phone", "phone")
    return phone[:-2]


@dataclass(frozen=True, slots=True)
class CeeApplication:
    """An application for the energy-saving bonus, of one driver, once for each kind."""

    kind: JourneyKind
    last_name: str
    phone: str
    """E.164."""
    driving_license: str
    applied_at: datetime | None = None
    """When the person signed (`application_timestamp`)."""
    reference: str = ""
    """`operator_journey_id` of the journey: short distance."""
    paid_at: datetime | None = None
    """When the costs were shared: long distance."""

    def form(self) -> dict[str, Any]:
        """As `POST /policies/cee` takes it. Raises UnusableError: a field of its kind misses."""
        if self.applied_at is None:
            raise UnusableError("missing", "applied_at")
        made = self._person() | {"application_timestamp": _instant(self.applied_at)}
        if self.kind is JourneyKind.SHORT:
            return made | {"operator_journey_id": reference_of(self.reference)}
        if self.paid_at is None:
            raise UnusableError("missing", "paid_at")
        return made | {"datetime": _instant(self.paid_at), "phone_trunc": phone_trunc(self.phone)}

    def simulation(self) -> dict[str, Any]:
        """As `POST /policies/cee/simulate` takes it, before any journey. Raises UnusableError."""
        return self._person() | {"phone_trunc": phone_trunc(self.phone)}

    def _person(self) -> dict[str, Any]:
        if not 1 <= len(self.driving_license) <= 64:
            raise UnusableError("missing", "driving_license")
        return {
            "journey_type": self.kind.value,
            "last_name_trunc": last_name_trunc(self.last_name),
            "driving_license": self.driving_license,
            "identity_key": identity_key(self.phone, self.last_name),
        }


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
