"""An antivirus on the officer's own machine, asked about a document before it is written to disk.

clamd's protocol (clamd(8), INSTREAM): `zINSTREAM` ‖ 0x00, then chunks of a 4-byte big-endian length and
that many bytes, then a length of zero; one answer that ends with 0x00. The connection has neither TLS nor
a login, so only this machine is spoken to: a Unix socket, or a loopback address.
"""

# ruff: noqa: E501 - a sentence stands whole on one line

import re
import socket
import struct
import time
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from portal.errors import ScannerAddressError

__all__ = ["Scan", "Scanner", "Verdict"]

CHUNK: Final = 65_536
MAX_ANSWER: Final = 4_096
"""Bytes: a signature's name has some sixty."""
TERM_S: Final = 60.0
"""For the whole of one scan; clamd's own `MaxScanTime` is 120 s, a document of 20 MB takes one or two."""
_FOUND: Final = re.compile(r"stream: (?P<name>[!-~][ -~]{0,199}) FOUND")
_UNREAD: Final = ("Heuristics.Limits.Exceeded", "Heuristics.Encrypted")
"""Alerts that say a file was not read to its end or not at all (`AlertExceedsMax`, `AlertEncrypted`): no malware was seen."""


class Verdict(StrEnum):
    """What a scan says."""

    CLEAN = "clean"
    INFECTED = "infected"
    CANNOT_TELL = "cannot-tell"
    """The antivirus is away or did not finish: later, never a refusal."""


@dataclass(frozen=True, slots=True)
class Scan:
    """One answer."""

    verdict: Verdict
    detail: str = ""
    """The signature's name, or why nothing can be told: printable ASCII, at most 200 characters."""


class Scanner:
    """An antivirus at `unix:/path` or `tcp:host:port`."""

    def __init__(self, address: str, *, term_s: float = TERM_S) -> None:
        """Raises ScannerAddressError: of another form, or of another machine."""
        self._family, self._at = _read(address)
        self._term_s = term_s

    def scan(self, content: bytes) -> Scan:
        """Ask about these bytes. Never raises for what the antivirus does or is not."""
        until = time.monotonic() + self._term_s
        try:
            with socket.socket(self._family, socket.SOCK_STREAM) as link:
                link.settimeout(self._term_s)
                link.connect(self._at)
                return _verdict(_ask(link, content, until))
        except TimeoutError:
            return Scan(Verdict.CANNOT_TELL, "no answer in time")
        except OSError as error:
            return Scan(Verdict.CANNOT_TELL, f"unreachable: {type(error).__name__}")


def _read(address: str) -> tuple[socket.AddressFamily, str | tuple[str, int]]:
    if address.startswith("unix:/"):
        return socket.AF_UNIX, address.removeprefix("unix:").replace("//", "/", 1)
    try:
        parts = urlsplit(f"//{address.removeprefix('tcp:').removeprefix('//')}")
        host, port = parts.hostname or "", parts.port
        here = ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise ScannerAddressError("unix:/path or tcp:127.0.0.1:3310") from None
    if not address.startswith("tcp:") or port is None or parts.path or parts.username:
        raise ScannerAddressError("unix:/path or tcp:127.0.0.1:3310")
    if not here.is_loopback:
        raise ScannerAddressError("only this machine: the document would travel in clear")
    return (socket.AF_INET6 if here.version == 6 else socket.AF_INET), (str(here), port)


def _ask(link: socket.socket, content: bytes, until: float) -> bytes:
    """The antivirus's one answer, whatever of the document it took before it gave it."""
    try:
        _send(link, b"zINSTREAM\x00", until)
        for start in range(0, len(content), CHUNK):
            piece = content[start : start + CHUNK]
            _send(link, struct.pack("!I", len(piece)) + piece, until)
        _send(link, struct.pack("!I", 0), until)
    except (BrokenPipeError, ConnectionResetError):
        pass  # over its size limit it answers and hangs up: what it said is still there to read
    answer = b""
    while b"\x00" not in answer and len(answer) <= MAX_ANSWER:
        _limit(link, until)
        more = link.recv(MAX_ANSWER)
        if not more:
            break
        answer += more
    return answer


def _send(link: socket.socket, data: bytes, until: float) -> None:
    _limit(link, until)
    link.sendall(data)


def _limit(link: socket.socket, until: float) -> None:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    link.settimeout(left)


def _verdict(answer: bytes) -> Scan:
    """Only a whole, known answer says yes or no."""
    said, end, _ = answer.partition(b"\x00")
    text = said.decode("ascii", "replace").strip()
    if not end:
        return Scan(Verdict.CANNOT_TELL, "no whole answer")
    if text == "stream: OK":
        return Scan(Verdict.CLEAN)
    found = _FOUND.fullmatch(text)
    if found is None:
        shown = "".join(c if " " <= c <= "~" else "?" for c in text)
        return Scan(Verdict.CANNOT_TELL, shown[:200])
    name = found["name"]
    return Scan(Verdict.CANNOT_TELL if name.startswith(_UNREAD) else Verdict.INFECTED, name)
