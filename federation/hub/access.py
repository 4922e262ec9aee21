"""Who may do what, as data. A test walks every route of the hub against this table.

Ownership: a funder's member acts on its own funder's applications only; a citizen on the
applications their holder key presented; the hub's administrator sees no application.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["MATRIX", "Action", "Caller", "Rule", "is_allowed"]


class Caller(StrEnum):
    """Kinds of callers."""

    PUBLIC = "public"
    HOLDER = "holder"
    """Signs with the key that presented."""
    OFFICER = "officer"
    """Decides for one funder (gestionnaire)."""
    SUPERVISOR = "supervisor"
    """Sees counts of one funder, keeps its team and its agreement; opens and decides nothing."""
    EDITOR = "editor"
    """Writes and publishes the aids of one funder (éditeur); sees no application."""
    ADMIN = "admin"
    """Accredits members and publishes aids; sees no application."""


class Action(StrEnum):
    """What a route does."""

    READ_PUBLIC = "read-public"
    APPLY = "apply"
    READ_OWN = "read-own"
    WITHDRAW = "withdraw"
    ANSWER = "answer"
    """Answer a request for information."""
    ATTACH = "attach"
    """Join a document, sealed to the funder."""
    APPEAL = "appeal"
    VERIFY = "verify"
    CONFORMANCE = "conformance"
    """Proofs alone, by keys that mean nothing; only where the setting `vc_api` is on."""
    WITNESS = "witness"
    """Append to one's own line of witnessed heads: whoever shows its secret."""
    SIGN_IN = "sign-in"
    READ_QUEUE = "read-queue"
    READ_COUNTS = "read-counts"
    READ_APPLICATION = "read-application"
    READ_DOCUMENT = "read-document"
    DECIDE = "decide"
    REQUEST_INFORMATION = "request-information"
    ASSIGN = "assign"
    ENROL = "enrol"
    """Open a desk or join one: whoever has the link."""
    READ_SETTINGS = "read-settings"
    """See one's funder: agreement, keys, aids; and keep one's own ways in."""
    MANAGE_TEAM = "manage-team"
    """Invite, send away, accept the agreement."""
    MANAGE_KEYS = "manage-keys"
    """Publish the key that documents are sealed to."""
    ASK_LEDGER = "ask-ledger"
    """Learn that nobody holds one's own nullifier: whoever presents the credential it is in."""
    AFFILIATE = "affiliate"
    """Take an affiliation: whoever has the employee number and its one-time code."""
    MANAGE_STAFF = "manage-staff"
    """Keep the list of employee numbers, hand out codes, say who left."""
    PUBLISH_AID = "publish-aid"
    REVIEW_AID = "review-aid"
    """Read what a colleague wrote of an aid, and publish it or send it back."""
    MODERATE = "moderate"
    """Answer what people report about aids: all of it at the hub, one's own aids at a funder."""
    MODERATE_OFFER = "moderate-offer"
    """Publish, suspend or decline an operator's offer."""
    PAY = "pay"
    """Make payment files, and take decisions out as an archive."""
    ANNOUNCE = "announce"
    """Announce a service or an offer: whoever holds an accredited member's key."""
    READ_MEMBERS = "read-members"
    ACCREDIT = "accredit"


@dataclass(frozen=True, slots=True)
class Rule:
    """Callers an action is open to, and whether the thing must be their own."""

    callers: frozenset[Caller]
    own: bool = False


_EVERYONE: Final = frozenset(Caller)
_OFFICER: Final = frozenset((Caller.OFFICER,))
_MEMBERS: Final = frozenset((Caller.OFFICER, Caller.SUPERVISOR))
_STAFF: Final = frozenset((Caller.OFFICER, Caller.SUPERVISOR, Caller.EDITOR))
_HOLDER: Final = frozenset((Caller.HOLDER,))
_ADMIN: Final = frozenset((Caller.ADMIN,))

MATRIX: Final[Mapping[Action, Rule]] = {
    Action.READ_PUBLIC: Rule(_EVERYONE),
    Action.APPLY: Rule(_EVERYONE),
    Action.VERIFY: Rule(_EVERYONE),
    Action.CONFORMANCE: Rule(_EVERYONE),
    Action.WITNESS: Rule(_EVERYONE),
    Action.SIGN_IN: Rule(_EVERYONE),
    Action.READ_OWN: Rule(_HOLDER, own=True),
    Action.WITHDRAW: Rule(_HOLDER, own=True),
    Action.ANSWER: Rule(_HOLDER, own=True),
    Action.ATTACH: Rule(_HOLDER, own=True),
    Action.APPEAL: Rule(_HOLDER, own=True),
    Action.READ_QUEUE: Rule(_OFFICER, own=True),
    Action.READ_COUNTS: Rule(_MEMBERS, own=True),
    Action.READ_APPLICATION: Rule(_OFFICER, own=True),
    Action.READ_DOCUMENT: Rule(_OFFICER, own=True),
    Action.DECIDE: Rule(_OFFICER, own=True),
    Action.REQUEST_INFORMATION: Rule(_OFFICER, own=True),
    Action.ASSIGN: Rule(_OFFICER, own=True),
    Action.ENROL: Rule(_EVERYONE),
    Action.ANNOUNCE: Rule(_EVERYONE),
    Action.READ_SETTINGS: Rule(_STAFF, own=True),
    Action.AFFILIATE: Rule(_EVERYONE),
    Action.ASK_LEDGER: Rule(_EVERYONE),
    Action.MANAGE_STAFF: Rule(_OFFICER, own=True),
    Action.PAY: Rule(_OFFICER, own=True),
    Action.MANAGE_TEAM: Rule(frozenset((Caller.SUPERVISOR,)), own=True),
    Action.MANAGE_KEYS: Rule(_OFFICER, own=True),
    Action.PUBLISH_AID: Rule(frozenset((Caller.EDITOR,)), own=True),
    Action.REVIEW_AID: Rule(frozenset((Caller.EDITOR, Caller.SUPERVISOR)), own=True),
    Action.MODERATE: Rule(frozenset((Caller.ADMIN, Caller.EDITOR))),
    Action.MODERATE_OFFER: Rule(_ADMIN),
    Action.READ_MEMBERS: Rule(_ADMIN),
    Action.ACCREDIT: Rule(_ADMIN),
}


def is_allowed(action: Action, callers: frozenset[Caller]) -> bool:
    """May somebody with these roles do this at all? Ownership is checked by the service."""
    return bool(MATRIX[action].callers & (callers | {Caller.PUBLIC}))
