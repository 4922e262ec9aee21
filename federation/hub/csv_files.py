"""CSV for the programs of a payroll or accounting office: written, and read back.

Semicolons, decimal comma, CRLF, UTF-8 with its mark: what French spreadsheets open without asking.
A cell that a spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@`, a tab or a
return) is led by an apostrophe, as OWASP advises; so is one that begins with an apostrophe, and
reading takes exactly one away. Nothing is lost and nothing runs. Pure.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from federation.hub.errors import FileRefusedError
from federation.hub.model import Application

__all__ = [
    "PAYROLL_HEADS",
    "PayrollLine",
    "days_of",
    "payroll_csv",
    "read_csv",
    "read_payroll",
    "write_csv",
]

PAYROLL_HEADS: Final = ("matricule", "jours", "montant", "debut", "fin", "aide", "demande")
MAX_BYTES: Final = 20_000_000
MAX_CELL: Final = 1_000
_DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "'")
_MARK: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class PayrollLine:
    """What payroll is told of one award: no name, no trip."""

    employee: str
    days: int | None
    amount: int
    """Cents."""
    since: date
    until: date
    aid: str
    application: str


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_DANGEROUS) else cell


def _bare(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell


def write_csv(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A table as bytes. Line breaks inside a cell become spaces."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(heads)
    for row in rows:
        writer.writerow([_guarded(" ".join(cell.splitlines())) for cell in row])
    return (_MARK + out.getvalue()).encode()


def read_csv(data: bytes, heads: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a table that `write_csv` wrote, by head.

    Raises:
        FileRefusedError: too large, not UTF-8, other heads, or a line of another length.
    """
    if len(data) > MAX_BYTES:
        raise FileRefusedError("too large")
    try:
        text = data.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=";", strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileRefusedError("not a CSV file in UTF-8") from error
    if not rows or rows[0] != list(heads):
        raise FileRefusedError("other columns")
    found = []
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(heads) or any(len(cell) > MAX_CELL for cell in row):
            raise FileRefusedError(f"line {number}")
        found.append(dict(zip(heads, map(_bare, row), strict=True)))
    return found


def days_of(application: Application) -> int | None:
    """Eligible days of the usage proof; None for an aid that counts none."""
    usage = application.claims.get("UsageProof")
    days = usage.get("days") if isinstance(usage, Mapping) else None
    return days if isinstance(days, int) and not isinstance(days, bool) else None


def _euros(cents: int) -> str:
    return f"{cents // 100},{cents % 100:02d}"


def payroll_csv(applications: Iterable[Application], titles: Mapping[str, str]) -> bytes:
    """One line an award: employee number, days, amount, period, aid, application."""
    return write_csv(
        PAYROLL_HEADS,
        (
            (
                a.employee,
                "" if days_of(a) is None else str(days_of(a)),
                _euros(a.amount or 0),
                a.period[0].isoformat(),
                a.period[1].isoformat(),
                titles.get(a.aid, a.aid),
                a.id,
            )
            for a in applications
        ),
    )


def read_payroll(data: bytes) -> tuple[PayrollLine, ...]:
    """What `payroll_csv` wrote.

    Raises:
        FileRefusedError: a line that is not one; the message names it.
    """
    lines = []
    for number, row in enumerate(read_csv(data, PAYROLL_HEADS), start=2):
        whole, _, rest = row["montant"].partition(",")
        try:
            if not (whole.isdigit() and len(rest) == 2 and rest.isdigit()):
                raise ValueError
            lines.append(
                PayrollLine(
                    employee=row["matricule"],
                    days=int(row["jours"]) if row["jours"] else None,
                    amount=int(whole) * 100 + int(rest),
                    since=date.fromisoformat(row["debut"]),
                    until=date.fromisoformat(row["fin"]),
                    aid=row["aide"],
                    application=row["demande"],
                )
            )
        except ValueError as error:
            raise FileRefusedError(f"line {number}") from error
    return tuple(lines)
