"""The JCS transformation of the `-jcs-` suites: JSON → its one canonical text (RFC 8785)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import rfc8785

from schemas.errors import MobilityError, Refused

__all__ = ["JsonNotCanonicalError", "canonical_json"]


class JsonNotCanonicalError(MobilityError, Refused):
    """The document has no canonical JSON: a number beyond 2^53, NaN, half a surrogate pair, a value
    that is not JSON, or nesting without end."""

    code: ClassVar[str] = "json-not-canonical"


def canonical_json(document: Mapping[str, Any]) -> bytes:
    """Canonical bytes of `document` (RFC 8785).

    Raises:
        JsonNotCanonicalError: see the class.
    """
    try:
        return rfc8785.dumps(dict(document))
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError, TypeError) as error:
        raise JsonNotCanonicalError(type(error).__name__) from None
