"""What an acceptance leaves: the award credential in the holder's hands."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from federation.aids.model import Aid
from federation.credentials import StatusEntry, issue
from federation.credentials.types import award
from federation.hub.model import Funder
from federation.keys import Signer
from schemas.ids import Did, Iri

__all__ = ["award_body", "issue_award"]


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


def issue_award(
    body: Mapping[str, Any], *, signer: Signer, status: Sequence[StatusEntry], at: datetime
) -> dict[str, Any]:
    """Sign the award under the funder's key, with its places in the funder's status lists."""
    return issue(body, signer=signer, at=at, status=status)
