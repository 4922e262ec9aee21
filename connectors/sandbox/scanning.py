"""An antivirus for tests and the demonstration: it knows one signature, the common test file's, and
has bad manners on demand. It speaks as much of clamd(8) as a client of INSTREAM needs.

A server of its own on loopback or on a Unix socket; what it was sent is forgotten with the answer.
"""

import contextlib
import socket
import socketserver
import struct
import threading
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

__all__ = ["BadAnswer", "ScanServer"]

MARK: Final = b"ANTIVIRUS-TEST-FILE"
SIGNATURE: Final = "Demonstration-Test-File"
_COMMAND: Final = b"zINSTREAM\x00"


class BadAnswer(StrEnum):
    """What the next answer does wrong."""

    SILENT = "silent"
    HANGS_UP = "hangs-up"
    ENDLESS = "endless"
    TRUNCATED = "truncated"
    GARBAGE = "garbage"
    ERROR = "error"
    ENCRYPTED = "encrypted"


class ScanServer(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """`with ScanServer() as server`: its `address` is what a client is given."""

    daemon_threads = True

    def __init__(self, *, path: Path | None = None, max_stream: int = 26_214_400) -> None:
        """`max_stream`: bytes of one document; 25 MiB is clamd's `StreamMaxLength`."""
        self.max_stream = max_stream
        self.misbehaves: BadAnswer | None = None
        self.scanned = 0
        """Documents taken to their end."""
        self.over = threading.Event()
        family = socket.AF_INET if path is None else socket.AF_UNIX
        self._listening = socket.socket(family, socket.SOCK_STREAM)
        self._listening.bind(("127.0.0.1", 0) if path is None else str(path))
        self._listening.listen(8)
        place: Any = self._listening.getsockname()
        super().__init__(place, _Talk)
        self.address = f"unix:{path}" if path is not None else f"tcp:127.0.0.1:{place[1]}"

    def fileno(self) -> int:
        """For the loop that waits for callers."""
        return self._listening.fileno()

    def get_request(self) -> tuple[socket.socket, object]:
        """The next caller."""
        return self._listening.accept()

    def server_close(self) -> None:
        """Nobody is answered any more."""
        self.over.set()
        super().server_close()
        self._listening.close()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Talk(socketserver.BaseRequestHandler):
    server: ScanServer

    def handle(self) -> None:
        link, server = self.request, self.server
        with contextlib.suppress(OSError), contextlib.closing(link):
            if server.misbehaves is BadAnswer.HANGS_UP:
                link.recv(len(_COMMAND))
                return
            if server.misbehaves is BadAnswer.SILENT:
                server.over.wait(30)
                return
            link.sendall(self._answer(link))
            if server.misbehaves is BadAnswer.ENDLESS:
                while not server.over.is_set():
                    link.sendall(b"stream: " * 512)

    def _answer(self, link: socket.socket) -> bytes:
        if _exactly(link, len(_COMMAND)) != _COMMAND:
            return b"UNKNOWN COMMAND\x00"
        found = b""
        while size := struct.unpack("!I", _exactly(link, 4))[0]:
            if len(found) + size > self.server.max_stream:
                return b"INSTREAM size limit exceeded. ERROR\x00"
            found += _exactly(link, size)
        self.server.scanned += 1
        match self.server.misbehaves:
            case BadAnswer.TRUNCATED:
                return b"stream: O"
            case BadAnswer.GARBAGE:
                return b"\xff\xfe\x1b[2J OK\x00"
            case BadAnswer.ERROR:
                return b"stream: Can't allocate memory ERROR\x00"
            case BadAnswer.ENCRYPTED:
                return b"stream: Heuristics.Encrypted.PDF FOUND\x00"
            case BadAnswer.ENDLESS:
                return b""
        if MARK in found:
            return f"stream: {SIGNATURE} FOUND\x00".encode()
        return b"stream: OK\x00"


def _exactly(link: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = link.recv(min(65_536, size - len(data)))
        if not more:
            raise ConnectionError
        data += more
    return data
