"""A staff list as an officer pastes it: employee numbers, one a line, or a table with a head. Pure.

Heads: `matricule` (always), `statut`, `courriel`, in any order, separated by semicolons, commas or
tabs (what a spreadsheet copies). Without a head each line is one employee number.
"""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from federation.hub.errors import FileRefusedError

__all__ = ["MAX_LINES", "STATUSES", "StaffLine", "canonical_number", "read_staff_list"]

MAX_LINES: Final = 20_000
STATUSES: Final = ("agent-titulaire-public", "agent-contractuel-public", "salarie")
"""Employment statuses that the aids' rules tell apart."""
_HEADS: Final = frozenset(("matricule", "statut", "courriel"))
_MAIL: Final = re.compile(r"[^@\s,;<>]{1,64}@[^@\s,;<>]{1,180}\.[^@\s.,;<>]{2,63}")


@dataclass(frozen=True, slots=True)
class StaffLine:
    """One person of the list, as pasted."""

    number: str
    status: str
    mail: str


def canonical_number(text: str) -> str:
    """NFC capitals without spaces: `a 1042` and `A1042` are one person."""
    return "".join(unicodedata.normalize("NFC", text).upper().split())


def read_staff_list(text: str, *, status: str) -> tuple[StaffLine, ...]:
    """Lines of a pasted list; `status` for those that say none. The same number twice: the last
    line counts.

    Raises:
        FileRefusedError: a line that is not one (the message names it), nothing, or too many.
    """
    lines = text.lstrip("\ufeff").splitlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = next((d for d in (";", "\t", ",") if d in first), ";")
    try:
        rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise FileRefusedError("not a table") from error
    rows = [[cell.strip() for cell in row] for row in rows]
    heads = [cell.casefold() for cell in next((row for row in rows if any(row)), [])]
    has_heads = "matricule" in heads
    if has_heads and (not set(heads) <= _HEADS or len(set(heads)) != len(heads)):
        raise FileRefusedError("other columns")
    found: dict[str, StaffLine] = {}
    skipped_head = not has_heads
    for number, row in enumerate(rows, start=1):
        if not any(row):
            continue
        if not skipped_head:
            skipped_head = True
            continue
        line = _line(row, heads if has_heads else ["matricule"], status)
        if line is None:
            raise FileRefusedError(f"line {number}")
        found[canonical_number(line.number)] = line
        if len(found) > MAX_LINES:
            raise FileRefusedError("too many lines")
    if not found:
        raise FileRefusedError("no employee number")
    return tuple(found.values())


def _line(row: list[str], heads: list[str], status: str) -> StaffLine | None:
    if len(row) != len(heads):
        return None
    cells = dict(zip(heads, row, strict=True))
    number, mail = cells["matricule"], cells.get("courriel", "")
    found = cells.get("statut") or status
    if not 1 <= len(canonical_number(number)) <= 64 or len(number) > 64:
        return None
    if any(unicodedata.category(c).startswith("C") for c in number):
        return None
    if found not in STATUSES or (mail and _MAIL.fullmatch(mail) is None):
        return None
    return StaffLine(number, found, mail)
