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
    """Sees counts of one funder, opens and decides nothing."""
    ADMIN = "admin"
    """Accredits members and publishes aids; sees no application."""


class Action(StrEnum):
    """What a route does."""

    READ_PUBLIC = "read-public"
    APPLY = "apply"
    READ_OWN = "read-own"
    WITHDRAW = "withdraw"
    APPEAL = "appeal"
    VERIFY = "verify"
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
_HOLDER: Final = frozenset((Caller.HOLDER,))
_ADMIN: Final = frozenset((Caller.ADMIN,))

MATRIX: Final[Mapping[Action, Rule]] = {
    Action.READ_PUBLIC: Rule(_EVERYONE),
    Action.APPLY: Rule(_EVERYONE),
    Action.VERIFY: Rule(_EVERYONE),
    Action.WITNESS: Rule(_EVERYONE),
    Action.SIGN_IN: Rule(_EVERYONE),
    Action.READ_OWN: Rule(_HOLDER, own=True),
    Action.WITHDRAW: Rule(_HOLDER, own=True),
    Action.APPEAL: Rule(_HOLDER, own=True),
    Action.READ_QUEUE: Rule(_OFFICER, own=True),
    Action.READ_COUNTS: Rule(_MEMBERS, own=True),
    Action.READ_APPLICATION: Rule(_OFFICER, own=True),
    Action.READ_DOCUMENT: Rule(_OFFICER, own=True),
    Action.DECIDE: Rule(_OFFICER, own=True),
    Action.REQUEST_INFORMATION: Rule(_OFFICER, own=True),
    Action.ASSIGN: Rule(_OFFICER, own=True),
    Action.READ_MEMBERS: Rule(_ADMIN),
    Action.ACCREDIT: Rule(_ADMIN),
}


def is_allowed(action: Action, callers: frozenset[Caller]) -> bool:
    """May somebody with these roles do this at all? Ownership is checked by the service."""
    return bool(MATRIX[action].callers & (callers | {Caller.PUBLIC}))
