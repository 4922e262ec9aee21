"""The files of facts and rules that ship with this package, read as JSON."""

import json
from functools import cache
from importlib import resources
from typing import Any

from federation.aids.errors import RuleImportError

__all__ = ["shipped", "shipped_model"]


def shipped(path: str) -> dict[str, Any]:
    """The document at `path` below this package, read anew at each call.

    Raises:
        RuleImportError: the build has not put it in place.
    """
    file = resources.files("federation.aids").joinpath(path)
    if not file.is_file():
        raise RuleImportError(path, "asset missing: run the build of assets")
    return dict(json.loads(file.read_text(encoding="utf-8")))


@cache
def shipped_model(name: str) -> tuple[str, dict[str, Any]]:
    """Version and rules of `rules/{name}.json`."""
    document = shipped(f"rules/{name}.json")
    return str(document["_meta"]["version"]), dict(document["rules"])
