"""An aid that asks for the hub's signed word that nobody holds the person's nullifier just now.

What carries the nullifier is the identity (pivot) or the affiliation (employer): an aid that knows
nobody again cannot ask.
"""

from dataclasses import replace
from typing import Final

from federation.aids.model import Aid, IdentityLevel

__all__ = ["NO_PRIOR_AID", "asks_no_prior_aid", "can_ask_no_prior_aid", "with_no_prior_aid"]

NO_PRIOR_AID: Final = "NoPriorAidCredential"


def asks_no_prior_aid(aid: Aid) -> bool:
    """Whether each application brings it."""
    return NO_PRIOR_AID in aid.credentials_required


def can_ask_no_prior_aid(aid: Aid) -> bool:
    """Whether the ledger can answer for this aid's persons."""
    known = aid.identity_level in (IdentityLevel.PIVOT, IdentityLevel.EMPLOYER)
    return bool(aid.family) and known


def with_no_prior_aid(aid: Aid, wanted: bool) -> Aid:
    """The aid, asking for it or not; everything else it asks for stays."""
    others = tuple(name for name in aid.credentials_required if name != NO_PRIOR_AID)
    return replace(aid, credentials_required=(*others, NO_PRIOR_AID) if wanted else others)
