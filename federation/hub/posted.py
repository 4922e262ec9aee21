"""What a wallet posted for a request of this hub, and what the hub itself signed."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from federation.hub.api.shapes import DocumentBody
from federation.multibase import b64url_decode
from federation.openid4vp import ResponseMalformedError

__all__ = ["claims_of_own", "read_package"]

_DOCUMENTS = TypeAdapter(list[DocumentBody])
_MAX_RECEIPT = 200_000


def read_package(said: Mapping[str, Any], *, max_bytes: int) -> dict[str, Any]:
    """Arguments of a proof package from the parameters of an answer: `vp_token`, `state`, and what
    this hub takes beside: `consent_receipt`, `documents` (a list of `{name, media_type, key_id,
    sealed}`, `sealed` in base64). `max_bytes` bounds `vp_token`.

    Raises:
        ResponseMalformedError: a member is missing, unknown or not what it should be.
    """
    if not set(said) <= {"vp_token", "state", "consent_receipt", "documents"}:
        raise ResponseMalformedError("a parameter that is not taken here")
    vp_token, state = said.get("vp_token"), said.get("state")
    receipt = said.get("consent_receipt", {})
    if not isinstance(vp_token, dict) or not isinstance(receipt, dict):
        raise ResponseMalformedError("vp_token and consent_receipt are objects")
    if not isinstance(state, str) or not 0 < len(state) <= 512:
        raise ResponseMalformedError("state is a text")
    for value, limit in ((vp_token, max_bytes), (receipt, _MAX_RECEIPT)):
        if len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) > limit:
            raise ResponseMalformedError("too large")
    try:
        documents = _DOCUMENTS.validate_python(said.get("documents", []))
        envelopes = tuple(item.envelope() for item in documents)
    except (ValidationError, ValueError) as error:
        raise ResponseMalformedError("documents are not what they should be") from error
    return {
        "vp_token": vp_token,
        "state": state,
        "consent_receipt": receipt,
        "documents": envelopes,
    }


def claims_of_own(token: str) -> dict[str, Any]:
    """Claims of a request object from this hub's own database, which signed it."""
    found: dict[str, Any] = json.loads(b64url_decode(token.split(".")[1]))
    return found
