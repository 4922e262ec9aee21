"""The agreement between a funder and the hub's operator: versioned texts, named by their digest.

`agreements/<version>.fr.md` is the text that binds; `.en.md` is its translation. A version that was
shown to anybody is never edited: a change is a new version, with files of its own.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

__all__ = ["CURRENT_VERSION", "Agreement", "current_agreement"]

CURRENT_VERSION: Final = "2026-11"


@dataclass(frozen=True, slots=True)
class Agreement:
    """One version of the agreement."""

    version: str
    digest: str
    """`sha256:` over the bytes of the French text."""
    texts: dict[str, str]
    """Markdown, keyed `fr` and `en`."""


@cache
def current_agreement() -> Agreement:
    """The version that is proposed now."""
    folder = resources.files("federation.hub").joinpath("agreements")
    french = folder.joinpath(f"{CURRENT_VERSION}.fr.md").read_bytes()
    english = folder.joinpath(f"{CURRENT_VERSION}.en.md").read_bytes()
    digest = "sha256:" + hashlib.sha256(french).hexdigest()
    return Agreement(CURRENT_VERSION, digest, {"fr": french.decode(), "en": english.decode()})
