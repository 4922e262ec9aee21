"""What extensions add to the home's pages: routes with their door, and words of what they state."""

from dataclasses import dataclass
from importlib import import_module
from typing import Final

from fastapi import APIRouter

from portal.i18n import Translator
from schemas.extensions import Words, installed

__all__ = ["STATEMENT", "Pages", "extension_pages", "fact_title", "fact_value", "words_of"]

STATEMENT: Final = "ExtensionStatement."


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages of one extension, all behind the session of an open vault."""

    router: APIRouter
    doors: str
    """Its lines of the authorisation matrix, `METHOD /path` each; every route has its line."""

    @property
    def routes(self) -> tuple[tuple[str, str], ...]:
        """(method, path template)."""
        return tuple(
            (method, path)
            for method, _, path in (line.partition(" ") for line in self.doors.split("\n"))
            if path
        )


def extension_pages() -> tuple[Pages, ...]:
    """Of the installed extensions that have some."""
    found = []
    for extension in installed().values():
        if extension.pages:
            module, _, name = extension.pages.partition(":")
            pages = getattr(import_module(module), name)
            if isinstance(pages, Pages):
                found.append(pages)
    return tuple(found)


def words_of(t: Translator, words: Words) -> str:
    """In the language of the page."""
    return words.get(t.language) or words["fr"]


def _named(path: str) -> tuple[str, str] | None:
    """(extension, fact) of the path of a claim that an extension stated."""
    if not path.startswith(STATEMENT):
        return None
    extension, _, fact = path.removeprefix(STATEMENT).partition(".")
    return (extension, fact) if fact else None


def fact_title(t: Translator, path: str) -> str | None:
    """Title of a stated fact; None where the path is no such claim. One of an extension that has
    gone keeps the name it was stated under."""
    named = _named(path)
    if named is None:
        return None
    extension = installed().get(named[0])
    fact = None if extension is None else extension.fact(named[1])
    return named[1] if fact is None else words_of(t, fact.title)


def fact_value(t: Translator, path: str, value: str) -> str:
    """A stated value in words: each code in it by its own."""
    named = _named(path)
    extension = None if named is None else installed().get(named[0])
    fact = None if extension is None or named is None else extension.fact(named[1])
    if fact is None or not fact.values:
        return value
    parts = value.split(" ")
    shown = [words_of(t, fact.values[part]) if part in fact.values else part for part in parts]
    is_list = all(part in fact.values for part in parts)
    return (", " if is_list else " ").join(shown)
