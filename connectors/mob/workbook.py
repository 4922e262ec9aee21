"""A spreadsheet from a stranger, as cells of text: bounded, and nothing in it runs.

Before any XML is read: (1) bytes, members and unpacked bytes are within limits, counted while
unpacking, not as the file says, (2) no macro, no link to another file, no encryption, (3) no part
declares a document type or entity, or is in another encoding than UTF-8. Then openpyxl reads rows
one by one (`read_only`, parsed by defusedxml); a formula, an error or too many cells end it.
"""

import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from typing import Final

from connectors.errors import HostileInputError

__all__ = ["MAX_FILE", "is_workbook", "sheets"]

MAX_FILE: Final = 2_000_000
"""Bytes; the export of a citizen with a hundred applications is about 30 kB."""
MAX_UNPACKED: Final = 20_000_000
MAX_MEMBERS: Final = 400
MAX_SHEETS: Final = 200
MAX_ROWS: Final = 5_000
MAX_COLUMNS: Final = 200
MAX_CELL: Final = 4_000
"""Characters of a cell."""
_FORBIDDEN: Final = ("vbaproject", "externallink", "embeddings/", "activex", "customui", "ole")


def is_workbook(head: bytes) -> bool:
    """Whether a file that begins so may be one: a ZIP."""
    return head[:4] == b"PK\x03\x04"


def sheets(data: bytes) -> Iterator[tuple[str, list[list[str]]]]:
    """(title, rows of text) of each visible sheet, in order.

    Raises:
        HostileInputError: over a limit, or something in it that has no place in a table.
    """
    _check(data)
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
    except (InvalidFileException, KeyError, ValueError, TypeError, SyntaxError, OSError) as error:
        raise HostileInputError("not a workbook") from error
    try:
        if len(book.sheetnames) > MAX_SHEETS:
            raise HostileInputError(f"over {MAX_SHEETS} sheets")
        for number, sheet in enumerate(book.worksheets):
            where = f"sheet {number + 1}"
            try:
                yield sheet.title[:200], list(_rows(sheet, where))
            except (KeyError, ValueError, TypeError, IndexError, SyntaxError) as error:
                raise HostileInputError("not a table", where=where) from error
    finally:
        book.close()


def _rows(sheet: object, where: str) -> Iterator[list[str]]:
    for number, row in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS + 1)):  # type: ignore[attr-defined]  # openpyxl's read-only sheet has no public type
        place = f"{where}, row {number + 1}"
        if number >= MAX_ROWS:
            raise HostileInputError(f"over {MAX_ROWS} rows", where=where)
        texts = [_text(cell, place) for cell in row]
        if any(texts[MAX_COLUMNS:]):
            raise HostileInputError(f"over {MAX_COLUMNS} columns", where=place)
        while texts and not texts[-1]:  # openpyxl fills up to the width asked for
            texts.pop()
        yield texts


def _text(cell: object, where: str) -> str:
    kind, value = getattr(cell, "data_type", "n"), getattr(cell, "value", None)
    if kind in {"f", "e"}:
        raise HostileInputError("a formula", where=where)
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.strftime("%d/%m/%Y")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    if len(text) > MAX_CELL:
        raise HostileInputError(f"over {MAX_CELL} characters", where=where)
    return "".join(c for c in text if c.isprintable() or c == "\n")


def _check(data: bytes) -> None:
    """Steps 1 to 3."""
    if len(data) > MAX_FILE:
        raise HostileInputError(f"over {MAX_FILE} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as pack:
            members = pack.infolist()
            if len(members) > MAX_MEMBERS:
                raise HostileInputError(f"over {MAX_MEMBERS} members")
            names = [member.filename for member in members]
            if len(set(names)) != len(names):
                raise HostileInputError("a member twice")
            if "xl/workbook.xml" not in names:
                raise HostileInputError("not a workbook")
            left = MAX_UNPACKED
            for member in members:
                name = member.filename.lower()
                if any(word in name for word in _FORBIDDEN) or ".." in name:
                    raise HostileInputError("a macro, link or foreign object")
                if member.flag_bits & 1:
                    raise HostileInputError("encrypted")
                with pack.open(member) as part:
                    content = part.read(left + 1)
                left -= len(content)
                if left < 0:
                    raise HostileInputError(f"over {MAX_UNPACKED} bytes unpacked")
                _check_part(name, content)
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, RuntimeError) as error:
        raise HostileInputError("not a workbook") from error
    except Exception as error:
        if isinstance(error, HostileInputError):
            raise
        raise HostileInputError("not a workbook") from error  # zlib.error, struct.error


def _check_part(name: str, content: bytes) -> None:
    if not name.endswith((".xml", ".rels", ".vml")):
        return
    start = content[:200].lower()
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"utf-16" in start or b"utf-32" in start:
        raise HostileInputError("not UTF-8")
    if b"<!" in content and (b"<!DOCTYPE" in content or b"<!ENTITY" in content):
        raise HostileInputError("a document type")
