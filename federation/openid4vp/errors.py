"""What may be wrong with a request, a query or an answer of OpenID4VP.

MobilityError
├── RequestRefusedError (Refused)      `request-refused`: the wallet may not answer this request
├── DcqlError (InvalidInput)           `dcql-invalid`: not a query we can answer
└── ResponseMalformedError (InvalidInput)  `response-malformed`: not a response to a request of
ours
"""

from __future__ import annotations

from typing import ClassVar

from schemas.errors import InvalidInput, MobilityError, Refused

__all__ = ["DcqlError", "RequestRefusedError", "ResponseMalformedError"]


class RequestRefusedError(MobilityError, Refused):
    """The wallet does not answer this request; `reason` is a stable word."""

    code: ClassVar[str] = "request-refused"

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}" if detail else reason)


class DcqlError(MobilityError, InvalidInput):
    """Not a query we can answer."""

    code: ClassVar[str] = "dcql-invalid"

    def __init__(self, detail: str, *, where: str = "") -> None:
        self.where = where
        super().__init__(f"{where or 'dcql_query'}: {detail}")


class ResponseMalformedError(MobilityError, InvalidInput):
    """Not a response to a request of ours."""

    code: ClassVar[str] = "response-malformed"
