"""A holder disputes what a source signed about them: the message its issuer receives.

It names the source's own identifiers (of journeys) and the credentials, never the vault; the home
signs the request (RFC 9421) and vouches by that that the holder of these records said so. The
address is the service `MobilityDisputes` of the issuer's DID document. Messages of one dispute may
cross: the last `at` counts.

    MobilityError
    └── DisputeError (InvalidInput)     `dispute-invalid`: not such a message
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from federation.trust import format_instant, parse_instant
from schemas.errors import InvalidInput, JsonRefusedError, MobilityError
from schemas.ids import Iri
from schemas.jsonld import parse_json

__all__ = ["MAX_DISPUTE", "REASONS", "SERVICE", "Dispute", "DisputeError"]

SERVICE: Final = "MobilityDisputes"
REASONS: Final = ("not-mine", "did-not-happen", "wrong")
"""It was somebody else's; it did not take place; it is not told as it was."""
MAX_DISPUTE: Final = 64_000
"""Bytes of a message."""
_MAX_LISTED: Final = 200
_MAX_NAME: Final = 500


class DisputeError(MobilityError, InvalidInput):
    """Not a dispute as we write them."""

    code: ClassVar[str] = "dispute-invalid"


@dataclass(frozen=True, slots=True)
class Dispute:
    """What an issuer is told."""

    id: Iri
    at: datetime
    """When the holder said this."""
    withdrawn: bool
    """Whether they took it back."""
    reason: str
    """One of `REASONS`."""
    journeys: tuple[str, ...]
    """The source's identifiers, as it deposited them."""
    credentials: tuple[str, ...]
    """Ids of credentials it issued."""

    def to_bytes(self) -> bytes:
        """The request's body."""
        return json.dumps(
            {
                "type": "Dispute",
                "id": self.id,
                "at": format_instant(self.at),
                "state": "withdrawn" if self.withdrawn else "disputed",
                "reason": self.reason,
                "journeys": list(self.journeys),
                "credentials": list(self.credentials),
            },
            ensure_ascii=False,
        ).encode()

    @classmethod
    def from_bytes(cls, body: bytes) -> Dispute:
        """Read one.

        Raises:
            DisputeError: not such a message.
        """
        try:
            value = parse_json(body, max_bytes=MAX_DISPUTE)
        except JsonRefusedError as error:
            raise DisputeError(str(error)) from None
        if not isinstance(value, dict) or value.get("type") != "Dispute":
            raise DisputeError("not a dispute")
        state, reason, name = value.get("state"), value.get("reason"), value.get("id")
        if state not in ("disputed", "withdrawn") or reason not in REASONS:
            raise DisputeError("state or reason unknown")
        if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME:
            raise DisputeError("an id expected")
        try:
            at = parse_instant(value.get("at"))
        except ValueError:
            raise DisputeError("not dated") from None
        journeys, credentials = _names(value, "journeys"), _names(value, "credentials")
        if not journeys and not credentials:
            raise DisputeError("names nothing")
        return cls(Iri(name), at, state == "withdrawn", reason, journeys, credentials)


def _names(value: dict[str, object], member: str) -> tuple[str, ...]:
    listed = value.get(member)
    if not isinstance(listed, list) or len(listed) > _MAX_LISTED:
        raise DisputeError(f"{member} is not a short list")
    if not all(isinstance(name, str) and 0 < len(name) <= _MAX_NAME for name in listed):
        raise DisputeError(f"{member} holds a name that is none")
    return tuple(listed)
