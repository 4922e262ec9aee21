"""Rows as they come: a CSV file in its many dialects, a webhook's body."""

import csv
import hashlib
import hmac
import io
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.errors import HostileInputError
from connectors.parsing import load_json

__all__ = ["MAX_BODY", "MAX_FILE", "csv_rows", "is_signed", "json_rows", "signature"]

MAX_FILE: Final = 200_000_000
MAX_BODY: Final = 2_000_000
MAX_ROWS: Final = 1_000
"""Of one webhook call."""
TOLERANCE: Final = timedelta(minutes=5)


def csv_rows(data: bytes) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(line, row) of a CSV file: UTF-8 (with or without mark) or Windows-1252; `;`, `,` or tab.

    The line is the one the row begins on, the header being line 1. A row with more cells than the
    header has keeps them under the empty name, so that it can be refused, not guessed at.

    Raises:
        HostileInputError: no header, or a row beyond all bounds.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    head = text.partition("\n")[0]
    delimiter = max(";,\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = [name.strip() for name in next(reader, [])]
        if not any(names):
            raise HostileInputError("no-header", where="1")
        began = reader.line_num + 1
        for cells in reader:
            line, began = began, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            row: dict[str, Any] = dict(zip(names, cells, strict=False))
            if len(cells) != len(names):
                row[""] = cells[len(names) :]
            yield line, row
    except csv.Error as error:
        raise HostileInputError("not-csv", where=str(reader.line_num)) from error


def json_rows(body: bytes) -> list[Mapping[str, Any]]:
    """Rows of a webhook's body: one object, or up to `MAX_ROWS` in a list.

    Raises:
        HostileInputError: something else.
    """
    found = load_json(body, max_bytes=MAX_BODY)
    listed = found if isinstance(found, list) else [found]
    if not listed or len(listed) > MAX_ROWS or not all(isinstance(row, dict) for row in listed):
        raise HostileInputError("not-rows", where="")
    return listed


def signature(body: bytes, *, secret: str, at: datetime) -> str:
    """The `X-Mobility-Signature` of a body: `t=<UNIX seconds>,v1=<HMAC-SHA-256 of "t.body">`."""
    seconds = str(int(at.timestamp()))
    mac = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256)
    return f"t={seconds},v1={mac.hexdigest()}"


def is_signed(header: str, body: bytes, *, secret: str, at: datetime) -> bool:
    """Whether the body comes from who holds `secret`, within five minutes. Sending the same again
    is harmless: a row it holds is the same record."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    seconds = parts.get("t", "")
    if not seconds.isascii() or not seconds.isdigit() or len(seconds) > 12:
        return False
    if abs(int(seconds) - at.timestamp()) > TOLERANCE.total_seconds():
        return False
    mac = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256)
    return hmac.compare_digest(mac.hexdigest().encode(), parts.get("v1", "").encode())
