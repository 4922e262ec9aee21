"""JSON-LD contexts by IRI: pinned files only, checked by digest, never the network."""

import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from .errors import ContextDigestError, UnknownContextError
from .ids import Iri
from .terms import CONTEXT_IRI

_FOLDER: Final = Path(__file__).parent / "contexts"
_OURS: Final = _FOLDER / "mobility-v1.jsonld"
CREDENTIALS_V2: Final = Iri("https://www.w3.org/ns/credentials/v2")


@cache
def pins() -> dict[str, dict[str, str]]:
    """IRI → {file, sha256, …} of the contexts the build copies from npm, or that stand here."""
    contexts: dict[str, dict[str, str]] = json.loads(
        (_FOLDER / "pins.json").read_text(encoding="utf-8")
    )["contexts"]
    return contexts


@cache
def load_text(iri: str) -> str:
    """The text of the context `iri`.

    Raises:
        UnknownContextError: not pinned.
        ContextDigestError: the file is missing (run `make build`) or not the pinned bytes.
    """
    if iri == CONTEXT_IRI:
        return _OURS.read_text(encoding="utf-8")
    pin = pins().get(iri)
    if pin is None:
        raise UnknownContextError(iri)
    try:
        data = (_FOLDER / pin["file"]).read_bytes()
    except FileNotFoundError:
        raise ContextDigestError(iri, "not built; run `make build`") from None
    if sha256(data).hexdigest() != pin["sha256"]:
        raise ContextDigestError(iri, "its bytes are not the pinned ones")
    return data.decode("utf-8")


def load(iri: str) -> dict[str, Any]:
    """The document behind the context `iri`, a fresh copy each time. Errors as `load_text`."""
    document: dict[str, Any] = json.loads(load_text(iri))
    return document


def known() -> frozenset[str]:
    """Every context IRI this build can read."""
    return frozenset({CONTEXT_IRI, *pins()})


__all__ = ["CREDENTIALS_V2", "known", "load", "load_text", "pins"]
