"""Expressions of the rule language: `revenu fiscal de référence par part <= 14089 €/an`.

Grammar (operators stand between spaces; names may hold spaces, accents, hyphens, apostrophes):

```
comparison := sum (("=" | "!=" | "<" | "<=" | ">" | ">=") sum)*
sum        := product (("+" | "-") product)*
product    := primary (("*" | "/") primary)*
primary    := "(" comparison ")" | "-" primary | number unit? | 'text' | oui | non | name | date
name       := words (" . " words)*
date       := (day "/")? month "/" year
```
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from federation.aids.dates import normal_day
from federation.aids.rule_units import Unit

__all__ = ["Binary", "Literal", "Name", "Syntax", "parse_expression"]

MAX_LENGTH: Final = 2_000
MAX_NESTING: Final = 32


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. Numbers are floats, `oui`/`non` booleans."""

    value: bool | float | str
    unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """A reference, as written; resolved by the importer."""

    text: str


@dataclass(frozen=True, slots=True)
class Binary:
    """An operation between two expressions."""

    operator: str
    left: "Syntax"
    right: "Syntax"


Syntax = Literal | Name | Binary

_LETTER: Final = "a-zA-Z\u00c0-\u017f$"
_SYMBOL: Final = ",°€%²_'\"«»"
_WORD: Final = rf"[{_LETTER}{_SYMBOL}\d][{_LETTER}{_SYMBOL}\d\-+]*"
_RULE: Final = rf"[{_LETTER}][{_LETTER}{_SYMBOL}\d\-+]*(?: {_WORD})*"
_NAME: Final = re.compile(rf"(?:{_RULE}|\^)(?: \. (?:{_RULE}|\^))*")
_UNIT_ID: Final = rf"[°%€$£{_LETTER}][{_LETTER}{_SYMBOL}\d\-+]*(?: {_WORD})*"
_UNIT: Final = re.compile(rf" *(/?{_UNIT_ID}(?: *[./]{_UNIT_ID})*)")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_TEXT: Final = re.compile(r"'.*'|\".*\"")
_PLAIN_TEXT: Final = re.compile(r"'[^'\s]*(?: [^'\s]+)*'")
_PLAIN_NUMBER: Final = re.compile(r"(\d+(?:\.\d+)?)(?: ([€%a-z]+(?:/[a-z]+)?))?")
_unit = lru_cache(maxsize=256)(Unit.parse)
_DATE: Final = re.compile(r"(?:(?:0?[1-9]|[12]\d|3[01])/)?(?:0?[1-9]|1[012])/\d{4}")


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def operator(self, rank: int) -> str | None:
        match = _OPERATORS[rank].match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match.group(1)

    def spaces(self) -> None:
        while self.text.startswith(" ", self.at):
            self.at += 1

    def level(self, rank: int) -> Syntax:
        if rank == len(_LEVELS):
            return self.primary()
        left = self.level(rank + 1)
        while (operator := self.operator(rank)) is not None:
            left = Binary(operator, left, self.level(rank + 1))
            self.depth += 1
            if self.depth > 4 * MAX_NESTING:
                raise ValueError("too many operations in one expression")
        return left

    def primary(self) -> Syntax:
        self.depth += 1
        if self.depth > 4 * MAX_NESTING:
            raise ValueError("expression nested too deep")
        text, at = self.text, self.at
        if at >= len(text):
            raise ValueError(f"column {at + 1}: something is missing")
        if text[at] == "(":
            self.at += 1
            self.spaces()
            inner = self.level(0)
            self.spaces()
            if not text.startswith(")", self.at):
                raise ValueError(f"column {self.at + 1}: « ) » expected")
            self.at += 1
            return inner
        if text[at] == "-":
            self.at += 1
            self.spaces()
            return Binary("-", Literal(0.0), self.primary())
        if text[at] in "'\"":
            match = _TEXT.match(text, at)
            if match is None:
                raise ValueError(f"column {at + 1}: text without its closing quote")
            self.at = match.end()
            return Literal(match.group(0)[1:-1])
        if match := _DATE.match(text, at):
            self.at = match.end()
            return Literal(normal_day(match.group(0)))
        if match := _NUMBER.match(text, at):
            self.at = match.end()
            unit = _UNIT.match(text, self.at)
            if unit is None:
                return Literal(float(match.group(0)))
            self.at = unit.end()
            return Literal(float(match.group(0)), Unit.parse(unit.group(1)))
        if match := _NAME.match(text, at):
            self.at = match.end()
            word = match.group(0)
            return Literal(word == "oui") if word in ("oui", "non") else Name(word)
        raise ValueError(f"column {at + 1}: unexpected « {text[at]} »")


_LEVELS: Final[tuple[tuple[str, ...], ...]] = (
    (">=", "<=", "!=", ">", "<", "="),
    ("-", "+"),
    ("*", "/"),
)
_OPERATORS: Final = tuple(
    re.compile(rf" +({'|'.join(re.escape(name) for name in names)}) +") for names in _LEVELS
)


def parse_expression(text: str) -> Syntax:
    """Read one expression.

    Raises:
        ValueError: not in the grammar; the message names the column.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"expression longer than {MAX_LENGTH} characters")
    if _PLAIN_TEXT.fullmatch(text):  # what most answers are
        return Literal(text[1:-1])
    if found := _PLAIN_NUMBER.fullmatch(text):
        return Literal(float(found[1]), _unit(found[2]) if found[2] else None)
    parser = _Parser(re.sub(r"\s+", " ", text).strip())
    result = parser.level(0)
    if parser.at < len(parser.text):
        raise ValueError(f"column {parser.at + 1}: unexpected « {parser.text[parser.at]} »")
    return result
