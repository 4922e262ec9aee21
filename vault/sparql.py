"""SPARQL over one open vault, in a process of its own.

The first query starts the process and feeds it the vault's quads over a pipe; a later one asks it
again until the head moves. It is killed after 5 s or 10 000 rows, and dies with the session.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from vault.errors import QueryFailedError, QueryRefusedError, QueryStoppedError
from vault.model import SparqlResult

__all__ = ["SparqlProcess"]

LIMIT_S: Final = 5.0
LOAD_LIMIT_S: Final = 120.0
ANSWER_BYTES: Final = 64 * 1024 * 1024
_CHUNK: Final = 4 * 1024 * 1024


class SparqlProcess:
    """Owns the child process of one open vault. Queries run one after the other."""

    def __init__(self, *, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._seq: int | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def query(self, text: str, *, seq: int, quads: Callable[[], Iterable[str]]) -> SparqlResult:
        """Answer one query over the state `seq`; `quads` is read when the process is (re)built.

        Raises:
            QueryRefusedError: not a query, or one that leaves the vault. Change it.
            QueryStoppedError: over 5 s, over 10 000 rows, or over its memory. Narrow it.
            QueryFailedError: the process could not be built or ended by itself. Again later.
        """
        with self._lock:
            if self._closed:
                raise QueryFailedError("the session has ended")
            if self.pid is None or self._seq != seq:
                self._kill()
                self._start(quads())
                self._seq = seq
            began = time.monotonic()
            try:
                self._send({"query": text}, self._limit_s)
                found = self._receive(self._limit_s)
            except TimeoutError:
                self._kill()
                raise QueryStoppedError(f"the query passed {self._limit_s:g} s") from None
            except EOFError:
                code = self._child.wait() if self._child is not None else None
                self._kill()
                if code in {3, -6, -9, -11}:
                    raise QueryStoppedError("the query passed its memory") from None
                raise QueryFailedError("the query process ended") from None
            took = int((time.monotonic() - began) * 1000)
            if "refused" in found:
                raise QueryRefusedError(str(found["refused"]))
            if "stopped" in found:
                raise QueryStoppedError(str(found["stopped"]))
            return SparqlResult(
                form=found["form"],
                variables=tuple(found.get("variables", ())),
                rows=tuple(tuple(row) for row in found.get("rows", ())),
                truth=found.get("truth"),
                graph=found.get("graph"),
                took_ms=took,
            )

    def close(self) -> None:
        """End the process; a query that runs is stopped."""
        self._closed = True
        child = self._child
        if child is not None:
            child.kill()
        with self._lock:
            self._kill()

    def _start(self, quads: Iterable[str]) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).with_name("sparql_child.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath},
            close_fds=True,
        )
        assert self._child.stdin is not None and self._child.stdout is not None  # noqa: S101
        os.set_blocking(self._child.stdin.fileno(), False)
        os.set_blocking(self._child.stdout.fileno(), False)
        deadline = time.monotonic() + LOAD_LIMIT_S
        try:
            chunk: list[str] = []
            size = 0
            for line in quads:
                chunk.append(line if line.endswith("\n") else line + "\n")
                size += len(line)
                if size > _CHUNK:
                    self._send({"load": "".join(chunk)}, deadline - time.monotonic())
                    chunk, size = [], 0
            self._send({"load": "".join(chunk)}, deadline - time.monotonic())
            self._send({"ready": True}, deadline - time.monotonic())
            answer = self._receive(deadline - time.monotonic())
        except (TimeoutError, EOFError, OSError):
            self._kill()
            raise QueryFailedError("the query process could not be built") from None
        if "ready" not in answer:
            self._kill()
            raise QueryFailedError("the query process could not read the vault")

    def _send(self, message: dict[str, Any], timeout_s: float) -> None:
        child = self._child
        if child is None or child.stdin is None:
            raise EOFError
        body = json.dumps(message).encode()
        view = memoryview(len(body).to_bytes(4, "big") + body)
        deadline, handle = time.monotonic() + timeout_s, child.stdin.fileno()
        while view:
            _, ready, _ = select.select([], [handle], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            try:
                view = view[os.write(handle, view[:1_000_000]) :]
            except BrokenPipeError:
                raise EOFError from None

    def _receive(self, timeout_s: float) -> dict[str, Any]:
        child = self._child
        if child is None or child.stdout is None:
            raise EOFError
        deadline, handle = time.monotonic() + timeout_s, child.stdout.fileno()

        def take(size: int) -> bytes:
            parts, left = [], size
            while left:
                ready, _, _ = select.select([handle], [], [], max(0, deadline - time.monotonic()))
                if not ready:
                    raise TimeoutError
                part = os.read(handle, min(left, 1_000_000))
                if not part:
                    raise EOFError
                parts.append(part)
                left -= len(part)
            return b"".join(parts)

        size = int.from_bytes(take(4), "big")
        if size > ANSWER_BYTES:
            self._kill()
            raise QueryStoppedError("the answer is too large")
        found = json.loads(take(size))
        if not isinstance(found, dict):
            raise EOFError
        return found

    def _kill(self) -> None:
        child, self._child, self._seq = self._child, None, None
        if child is None:
            return
        child.kill()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        child.wait()
