"""A receipt that came by mail (RFC 5322, `.eml`): its parts, its text, who sent it and when.

The sender of a mail is what the mail says; nothing here makes it evidence.
"""

import email
import email.policy
import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from email.message import EmailMessage
from email.utils import parseaddr
from functools import partial
from html.parser import HTMLParser
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.errors import HostileInputError

__all__ = ["MAX_MAIL", "Mail", "is_mail", "read_mail"]

MAX_MAIL: Final = 10_000_000
MAX_PARTS: Final = 60
MAX_TEXT: Final = 200_000
_HEADERS: Final = (b"from:", b"received:", b"return-path:", b"delivered-to:", b"message-id:",
                   b"date:", b"subject:", b"mime-version:", b"to:", b"x-", b"dkim-signature:",
                   b"arc-")  # fmt: skip
_BLOCKS: Final = frozenset(
    {"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "table", "td", "th", "section"}
)


@dataclass(frozen=True, slots=True)
class Mail:
    """What a mail holds."""

    sender: str
    """Display name, or the domain of the address."""
    sent_on: date | None
    text: str
    """Subject, then the plain part, or the words of the HTML."""
    files: tuple[tuple[str, bytes], ...]
    """PDF and XML attachments, by name."""


def is_mail(head: bytes) -> bool:
    """Whether a file that begins so is a mail: its first line is a header mails have."""
    lines = head[:4_000].lower().splitlines()
    return bool(lines) and lines[0].startswith(_HEADERS) and any(b"from:" in x[:5] for x in lines)


def read_mail(data: bytes) -> Mail:
    """Raises HostileInputError: too large, too many parts, or not a mail."""
    if len(data) > MAX_MAIL:
        raise HostileInputError(f"over {MAX_MAIL} bytes")
    try:
        message = email.message_from_bytes(data, policy=email.policy.default)
    except (ValueError, TypeError, AttributeError, IndexError, LookupError, RecursionError):
        raise HostileInputError("not a mail") from None
    plain = rich = ""
    files: list[tuple[str, bytes]] = []
    for number, part in enumerate(_parts(message)):
        if number >= MAX_PARTS:
            raise HostileInputError(f"over {MAX_PARTS} parts")
        name = (_safe(part.get_filename) or "")[:100]
        kind = part.get_content_type()
        if kind == "application/pdf" or name.lower().endswith((".pdf", ".xml")):
            body = _safe(partial(part.get_payload, decode=True))
            if isinstance(body, bytes):
                files.append((name or "piece.pdf", body))
        elif kind == "text/plain" and not plain:
            plain = _body(part)
        elif kind == "text/html" and not rich:
            rich = _body(part)
    text = plain if len(plain.split()) >= 5 else words_of(rich)
    return Mail(
        sender=_sender(message),
        sent_on=_sent_on(message),
        text=f"{_header(message, 'subject')}\n{text}"[:MAX_TEXT],
        files=tuple(files[:10]),
    )


def _parts(message: EmailMessage) -> Iterator[EmailMessage]:
    """Leaves, not those of mails inside; bounded depth."""
    waiting = [(message, 0)]
    while waiting:
        part, depth = waiting.pop(0)
        if part.get_content_maintype() == "message":
            continue
        if part.is_multipart() and depth < 8:
            waiting[:0] = [(p, depth + 1) for p in part.get_payload()]  # type: ignore[misc]  # of a multipart: parts
        elif not part.is_multipart():
            yield part


def _safe(read: Callable[[], Any]) -> Any:
    """A header or a body of a stranger, or None: malformed ones raise what their parsers raise."""
    try:
        return read()
    except Exception:
        return None


def _body(part: EmailMessage) -> str:
    found = _safe(part.get_content)
    if isinstance(found, str):
        return found[:MAX_TEXT]
    raw = _safe(lambda: part.get_payload(decode=True))
    return raw.decode("utf-8", "replace")[:MAX_TEXT] if isinstance(raw, bytes) else ""


def _header(message: EmailMessage, name: str) -> str:
    return " ".join(str(_safe(lambda: message[name]) or "").split())[:300]


def _sender(message: EmailMessage) -> str:
    name, address = parseaddr(_header(message, "from"))
    return name.strip()[:200] or address.rpartition("@")[2][:200]


def _sent_on(message: EmailMessage) -> date | None:
    found = _safe(lambda: message["date"].datetime)
    if found is None:
        return None
    moment = found if found.tzinfo is None else found.astimezone(ZoneInfo("Europe/Paris"))
    day: date = moment.date()
    return day


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        if tag in {"script", "style", "head"}:
            self._hidden += 1
        elif tag in _BLOCKS:
            self.found.append("\n" if tag not in {"td", "th"} else " ")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style", "head"}:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _BLOCKS - {"td", "th"}:
            self.found.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found.append(" ".join(data.split()) + " ")


def words_of(markup: str) -> str:
    """The words of an HTML page, a line for each block."""
    parser = _Words()
    try:
        parser.feed(markup)
        parser.close()
    except (ValueError, AssertionError, RecursionError):
        return html.unescape("".join(parser.found))
    return "".join(parser.found)
