"""Errors of the federation packages. Each subpackage grows its own branch from the root.

```
MobilityError
└── FederationError
    ├── AidError                       (federation.aids.errors)
    │   ├── RuleImportError            InvalidInput, names the place
    │   ├── RuleEvaluationError        Refused
    │   └── UnknownAidError            NotFound
    ├── HubError                       (federation.hub.errors)
    └── HubClientError                 what a caller of a `Hub` port may meet
        ├── HubUnreachableError        Retriable
        ├── HubAnswerError             Retriable: not an answer of the protocol
        └── HubRefusedError            Refused: carries the hub's own code and checks
```
"""

from collections.abc import Mapping
from typing import Any

from schemas.errors import MobilityError, Refused, Retriable

__all__ = [
    "FederationError",
    "HubAnswerError",
    "HubClientError",
    "HubRefusedError",
    "HubUnreachableError",
]


class FederationError(MobilityError):
    """Root of every error raised under `federation/`."""

    code = "federation"


class HubClientError(FederationError):
    """A call to a hub did not succeed."""

    code = "hub-client"


class HubUnreachableError(HubClientError, Retriable):
    """The hub did not answer, or answered that it cannot now; the same call may be sent again."""

    code = "hub-unreachable"

    def __init__(self, reason: str, *, retry_after_s: int | None = None) -> None:
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(f"hub unreachable: {reason}")


class HubAnswerError(HubClientError, Retriable):
    """The hub answered something that is not in the protocol: a fault of the technique, never a
    "no". The same call may be sent again."""

    code = "hub-answer"

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(f"the hub's answer is not readable at {where}")


class HubRefusedError(HubClientError, Refused):
    """The hub refused. `hub_code` is its stable code (`challenge-used`, `already-awarded`, …).

    `extensions` holds the members the problem carried beside the standard ones, `checks` among
    them when a presentation failed verification.
    """

    code = "hub-refused"

    def __init__(
        self,
        hub_code: str,
        *,
        status: int,
        detail: str = "",
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        self.hub_code = hub_code
        self.status = status
        self.detail = detail
        self.extensions = dict(extensions or {})
        super().__init__(f"the hub refused: {hub_code}")
