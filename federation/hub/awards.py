"""What an acceptance leaves in the holder's hands: the award, or access to a zone with its end."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from federation.aids.access import ZoneAccess, class_code
from federation.aids.model import Aid
from federation.aids.publicodes import Engine
from federation.credentials import StatusEntry, issue
from federation.credentials.types import award, credential_body
from federation.hub.model import Funder
from federation.keys import Signer
from schemas.ids import Did, Iri

__all__ = ["access_body", "award_body", "issue_award"]

PARIS = ZoneInfo("Europe/Paris")


def award_body(
    aid: Aid,
    funder: Funder,
    *,
    application: Iri,
    holder: Did,
    amount: int,
    period: tuple[Any, Any],
    at: datetime,
) -> dict[str, Any]:
    """Body of the award: aid, version, amount in cents, period, bound to the holder's key."""
    return award(
        holder=holder,
        aid=aid.id,
        aid_version=aid.version,
        funder_name=funder.name,
        application=application,
        amount=amount,
        period=period,
        decided_at=at,
    )


def access_body(
    access: ZoneAccess,
    engine: Engine,
    said: Mapping[str, Any],
    *,
    application: Iri,
    holder: Did,
    at: datetime,
) -> dict[str, Any]:
    """Body of access to a zone: from today, to the end of its last day in Paris. `said` is the
    declaration as it is kept, answers by their title."""

    def answer(name: str) -> str | None:
        found = said.get(str(engine.info(name).title)) if name else None
        return str(found) if found else None

    first = at.astimezone(PARIS).date()
    last = access.last_day(first)
    plate = answer(access.plate)
    return credential_body(
        "ZoneAccessCredential",
        holder=holder,
        members={
            "zone": access.zone,
            "zoneName": access.zone_name or None,
            "critAir": class_code(answer(access.air_class) or ""),
            "derogation": answer(access.reason),
            "identification": plate.upper() if plate else None,
            "firstDay": first,
            "lastDay": last,
            "application": application,
            "decidedAt": at,
        },
        valid_until=end_of(last),
    )


def end_of(day: date) -> datetime:
    """The last second of a civil day in Paris."""
    return datetime.combine(day, time(23, 59, 59), tzinfo=PARIS).astimezone(UTC)


def issue_award(
    body: Mapping[str, Any], *, signer: Signer, status: Sequence[StatusEntry], at: datetime
) -> dict[str, Any]:
    """Sign the award under the funder's key, with its places in the funder's status lists."""
    return issue(body, signer=signer, at=at, status=status)
