"""The child process of `rdf.to_quads_bounded`: one document in, canonical N-Quads or a code out."""

import json
import resource
import sys
from collections.abc import Mapping
from typing import Any, Final

from .errors import (
    BlankNodeError,
    ContextDigestError,
    DroppedPropertyError,
    EmptyGraphError,
    MobilityError,
    PoisonGraphError,
    RdfError,
    RelativeIriError,
    SlowPathError,
    UnknownContextError,
)


def request(document: Mapping[str, Any]) -> bytes:
    """What goes to the child's standard input."""
    return json.dumps(document).encode()


def answer(output: bytes) -> str:
    """The N-Quads in the child's standard output.

    Raises:
        SlowPathError: it died (memory); or the error it names.
    """
    try:
        found = json.loads(output)
    except ValueError:
        raise SlowPathError() from None
    if "quads" in found:
        quads: str = found["quads"]
        return quads
    raise _error(found["code"], found["detail"])


def _error(code: str, detail: str) -> MobilityError:
    match code:
        case DroppedPropertyError.code:
            return DroppedPropertyError(detail)
        case RelativeIriError.code:
            return RelativeIriError(detail)
        case BlankNodeError.code:
            return BlankNodeError(detail)
        case UnknownContextError.code:
            return UnknownContextError(detail)
        case ContextDigestError.code:
            return ContextDigestError(detail, "not the pinned bytes, or not built")
        case PoisonGraphError.code:
            return PoisonGraphError(detail)
        case EmptyGraphError.code:
            return EmptyGraphError()
        case _:
            return RdfError("not JSON-LD")


def _detail(error: MobilityError) -> str:
    for name in ("where", "iri", "reason"):
        value = getattr(error, name, None)
        if value:
            return str(value)
    return ""


_CPU_S: Final = 60


def main(arguments: list[str]) -> int:
    """Read, convert, write. Limits itself first: memory as told, 60 s of processor, no core."""
    limit = int(arguments[0]) * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from .rdf import to_quads_slow

    try:
        found = {"quads": to_quads_slow(json.load(sys.stdin))}
    except MobilityError as error:
        found = {"code": error.code, "detail": _detail(error)}
    sys.stdout.write(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
