"""Which representation a request wants, and under which condition it writes."""

import re
from typing import Annotated, Final

from fastapi import Depends, Request

from schemas.ids import Digest
from vault.editing import Condition
from vault.errors import (
    IdempotencyKeyMissingError,
    PreconditionMissingError,
    RepresentationError,
    RequestRefusedError,
)
from vault.formats import Format

__all__ = ["ConditionDep", "KeyDep", "choose", "etag", "is_unchanged"]

_TAG: Final = re.compile(r'\s*(W/)?"([^"]{0,200})"\s*')
_KEY: Final = re.compile(r"[\x21-\x7e]{8,200}")


def choose(request: Request, offered: tuple[Format, ...]) -> Format:
    """The best of `offered` for this request's Accept (RFC 9110 §12.5.1); the first for `*/*`.

    Raises:
        RepresentationError: none of them is wanted.
    """
    accept = request.headers.get("accept", "*/*")
    best: tuple[float, int] | None = None
    for place, form in enumerate(offered):
        weight = _weight(accept, form.value)
        if weight > 0 and (best is None or weight > best[0]):
            best = (weight, place)
    if best is None:
        raise RepresentationError(tuple(form.value for form in offered))
    return offered[best[1]]


def _weight(accept: str, media_type: str) -> float:
    """The quality the most precise matching range gives."""
    main = media_type.partition("/")[0]
    precise, found = -1, 0.0
    for part in accept.split(",")[:50]:
        name, *parameters = (p.strip().lower() for p in part.split(";"))
        rank = {media_type: 2, f"{main}/*": 1, "*/*": 0}.get(name, -1)
        if rank <= precise:
            continue
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = min(1.0, max(0.0, float(parameter[2:])))
                except ValueError:
                    quality = 0.0
        precise, found = rank, quality
    return found


def etag(tag: Digest, form: Format) -> str:
    """A strong ETag: this state, in this representation."""
    return f'"{tag.hex()}.{form.short}"'


def is_unchanged(request: Request, current: str) -> bool:
    """Whether `If-None-Match` of a reading request names what would be sent."""
    asked = request.headers.get("if-none-match")
    return asked is not None and (
        asked.strip() == "*" or any(f'"{tag}"' == current for _, tag in _tags(asked))
    )


def _tags(header: str) -> list[tuple[bool, str]]:
    """(weak, opaque tag) of each tag of a list (RFC 9110 §8.8.3). Raises RequestRefusedError."""
    out, rest = [], header
    while rest.strip():
        match = _TAG.match(rest)
        if match is None:
            raise RequestRefusedError("not a list of entity tags", where="If-Match")
        out.append((match[1] is not None, match[2]))
        rest = rest[match.end() :]
        if rest.strip() and not rest.startswith(","):
            raise RequestRefusedError("not a list of entity tags", where="If-Match")
        rest = rest[1:]
    return out


def condition_of(request: Request) -> Condition:
    """What a write asks for. A tag of any representation of a state names that state; weak tags
    name none (RFC 9110 §13.1.1).

    Raises:
        PreconditionMissingError: neither header. RequestRefusedError: malformed, or both.
    """
    match, none_match = (request.headers.get(n) for n in ("if-match", "if-none-match"))
    if match is not None and none_match is not None:
        raise RequestRefusedError("If-Match or If-None-Match, not both", where="If-Match")
    if match is not None:
        if match.strip() == "*":
            return Condition(exists=True)
        strong = {tag.partition(".")[0] for weak, tag in _tags(match) if not weak}
        return Condition(tags=frozenset(strong))
    if none_match is None:
        raise PreconditionMissingError
    if none_match.strip() != "*":
        raise RequestRefusedError("only * is taken when writing", where="If-None-Match")
    return Condition(exists=False)


ConditionDep = Annotated[Condition, Depends(condition_of)]


def key_of(request: Request) -> str:
    """The idempotency key. Raises IdempotencyKeyMissingError."""
    key = request.headers.get("idempotency-key", "")
    if not _KEY.fullmatch(key):
        raise IdempotencyKeyMissingError
    return key


KeyDep = Annotated[str, Depends(key_of)]
