"""The answer: posted by a wallet, in clear or encrypted, and read by the verifier.

Source: OpenID4VP 1.0 §8.1 (`vp_token`), §8.2 (`direct_post`), §8.3 (encrypted responses).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from federation.jwe import DecryptionKey, JweError, JweMalformedError, encrypt_jwe
from federation.openid4vp.dcql import DcqlQuery, SdJwtVc
from federation.openid4vp.errors import ResponseMalformedError
from federation.openid4vp.request import Encryption
from schemas.errors import JsonRefusedError
from schemas.jsonld import parse_json

__all__ = [
    "WALLET_ERRORS",
    "WalletResponse",
    "build_response",
    "build_token",
    "parse_response",
    "read_posted",
]

MAX_RESPONSE_BYTES: Final = 1_000_000
WALLET_ERRORS: Final = frozenset(
    {
        "access_denied",
        "invalid_request",
        "invalid_client",
        "invalid_scope",
        "invalid_request_uri_method",
        "invalid_transaction_data",
        "vp_formats_not_supported",
        "wallet_unavailable",
    }
)
"""What a wallet may answer instead of a presentation (§8.5)."""


@dataclass(frozen=True, slots=True)
class WalletResponse:
    """What arrived at `response_uri`, parsed, not verified."""

    state: str
    presentations: Mapping[str, tuple[Mapping[str, Any], ...]]
    """Query id → presentations (`ldp_vc`)."""
    tokens: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Query id → presented SD-JWTs (`dc+sd-jwt`)."""

    def only(self) -> Mapping[str, Any]:
        """The one presentation of the response (our wallets put all credentials into one).

        Raises:
            ResponseMalformedError: the queries were answered by different presentations.
        """
        found = [item for items in self.presentations.values() for item in items]
        if not found or any(item != found[0] for item in found):
            raise ResponseMalformedError("one presentation expected")
        return found[0]


def build_token(
    presentation: Mapping[str, Any] | None,
    query_ids: Sequence[str],
    *,
    tokens: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, list[Any]]:
    """`vp_token`: one presentation that answers all of `query_ids`, and presented SD-JWTs by
    query id."""
    token: dict[str, list[Any]] = {
        identifier: [presentation] for identifier in query_ids if presentation
    }
    token.update({identifier: list(items) for identifier, items in (tokens or {}).items()})
    return token


def build_response(
    vp_token: Mapping[str, Any],
    *,
    state: str,
    encryption: Encryption | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Form fields to post to `response_uri`. With `encryption` there is one, `response`: all that
    was to be said, in a JWE; the verifier alone can read it. `extra`: further parameters that the
    recipient takes, as JSON values.

    Raises:
        JweMalformedError: the verifier's key is none.
    """
    said = {"vp_token": dict(vp_token), **({"state": state} if state else {}), **(extra or {})}
    if encryption is None:
        return {name: v if isinstance(v, str) else _json(v) for name, v in said.items()}
    plaintext = _json(said).encode()
    return {"response": encrypt_jwe(plaintext, to=encryption.key, encryption=encryption.method)}


def read_posted(
    form: Mapping[str, str], *, key: DecryptionKey | None, max_bytes: int
) -> dict[str, Any]:
    """The parameters of a posted answer, `vp_token` and all that is JSON parsed. `key`: the
    request's own; where there is one only an encrypted answer is taken, and without only one in
    clear. Numbers of bytes are bounded by `max_bytes`.

    Raises:
        ResponseMalformedError: in clear where it should be encrypted or the reverse, not for this
            key, or not JSON.
    """
    if "error" in form and set(form) <= {"error", "error_description", "state"}:
        return dict(form)  # a wallet that cannot encrypt says so in clear (§8.3)
    if key is not None:
        if set(form) != {"response"}:
            raise ResponseMalformedError("an encrypted response expected")
        try:
            plaintext = key.decrypt(form["response"], max_chars=max_bytes * 4 // 3 + 8_000)
        except (JweMalformedError, JweError) as error:
            raise ResponseMalformedError(f"response: {error}") from None
        return _object(plaintext, max_bytes)
    if "response" in form:
        raise ResponseMalformedError("a response in clear expected")
    said: dict[str, Any] = {}
    for name, text in form.items():
        if name in ("state", "error", "error_description"):
            said[name] = text
            continue
        try:
            said[name] = parse_json(text.encode(), max_bytes=max_bytes)
        except (JsonRefusedError, UnicodeEncodeError):
            raise ResponseMalformedError(f"{name} is not acceptable JSON") from None
    return said


def _object(data: bytes, max_bytes: int) -> dict[str, Any]:
    try:
        value = parse_json(data, max_bytes=max_bytes)
    except JsonRefusedError:
        raise ResponseMalformedError("not acceptable JSON") from None
    if not isinstance(value, dict):
        raise ResponseMalformedError("not a JSON object")
    return value


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def parse_response(*, vp_token: str, state: str, query: DcqlQuery) -> WalletResponse:
    """Read a posted response against the query it answers.

    Raises:
        ResponseMalformedError: not JSON (or JSON with duplicate members), an id that was not asked
        for, a required one missing, or
            more presentations than asked for.
    """
    try:
        token = parse_json(vp_token.encode(), max_bytes=MAX_RESPONSE_BYTES)
    except (JsonRefusedError, UnicodeEncodeError):
        raise ResponseMalformedError("vp_token is not acceptable JSON") from None
    if not isinstance(token, dict):
        raise ResponseMalformedError("vp_token is an object")
    known = {item.id: item for item in query.credentials}
    answers: dict[str, tuple[Mapping[str, Any], ...]] = {}
    tokens: dict[str, tuple[str, ...]] = {}
    for identifier, items in token.items():
        if identifier not in known:
            raise ResponseMalformedError("an answer to no question")
        is_token = known[identifier].format == SdJwtVc.name
        kind = str if is_token else dict
        if not isinstance(items, list) or not items or not all(isinstance(i, kind) for i in items):
            raise ResponseMalformedError("presentations are a list, each of the format asked for")
        if len(items) > 1 and not known[identifier].multiple:
            raise ResponseMalformedError("one presentation was asked for")
        if is_token:
            tokens[identifier] = tuple(items)
        else:
            answers[identifier] = tuple(items)
    given = {*answers, *tokens}
    if not query.required <= given:
        raise ResponseMalformedError("a required answer is missing")
    for group in query.credential_sets:
        if group.required and not any(set(option) <= given for option in group.options):
            raise ResponseMalformedError("a required answer is missing")
    return WalletResponse(state, answers, tokens)
