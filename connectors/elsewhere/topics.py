"""What may be read of an account: the objects of the French mobility account standard, and who
travels and who pays. One scope each; a service offers those it names in its metadata."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

__all__ = ["OFFLINE", "OPENID", "Topic", "offered"]

OPENID: Final = "openid"
OFFLINE: Final = "offline_access"


class Topic(StrEnum):
    """One object, by its scope."""

    IDENTITY = "urn:cms:identity:read"
    PERSONAL = "urn:cms:personal-information:read"
    LICENCE = "urn:cms:driving-licence:read"
    HABITS = "urn:cms:favorites:read"
    STUDENT = "urn:cms:fr-mesri-information:read"
    TAX = "urn:cms:fr-dgfip-information:read"
    TRAVELLERS = "voyageurs"


def offered(metadata: Mapping[str, Any], wanted: Sequence[Topic]) -> tuple[Topic, ...]:
    """Those of `wanted` that a service offers, by its `scopes_supported`, in our order."""
    listed = metadata.get("scopes_supported")
    known = set(map(str, listed)) if isinstance(listed, list) else set()
    return tuple(topic for topic in Topic if topic in wanted and topic.value in known)
