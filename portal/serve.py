"""Home, hub and sandbox as separate server processes in one tree.

`Supervisor` starts each node with this interpreter, waits for its health page, restarts one that dies (with a growing
pause), and stops all on request: SIGTERM first, SIGKILL after `STOP_S`. A node's output goes to `logs/<node>.log`.
Run one node alone with `python -m portal.serve home`.
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final, Self

import httpx
import structlog

from federation.wire.http import tls_context
from portal.errors import NodeDidNotStartError
from portal.settings import Node, Settings

_log = structlog.get_logger(__name__)

PARENT: Final = "MOBILITY_SUPERVISOR_PID"
"""Tells a node who started it: a node whose supervisor is gone ends by itself."""
START_S: Final = 60.0
"""A cold start migrates databases and reads 2 MB of territories: about 3 s on two slow cores."""
STOP_S: Final = 8.0
RESTART_PAUSES_S: Final = (0.2, 1.0, 5.0, 30.0)
ORDER: Final = (Node.HUB, Node.HOME, Node.SANDBOX)


def settings_environment(settings: Settings) -> dict[str, str]:
    """The environment that gives a child process these settings; the hub's own pass through."""
    ours = {f"MOBILITY_{name.upper()}" for name in Settings.model_fields}
    values = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith("MOBILITY_") or (k.startswith("MOBILITY_HUB_") and k not in ours)
    }
    for name, value in settings.model_dump(exclude_none=True).items():
        secret = getattr(value, "get_secret_value", None)
        values[f"MOBILITY_{name.upper()}"] = str(secret() if secret else value)
    return values


def free_port() -> int:
    """A port nobody listens on right now (loopback)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One node's process."""

    def __init__(self, node: Node, settings: Settings) -> None:
        self.node, self.settings = node, settings
        self.log = settings.state / "logs" / f"{node.value}.log"
        self.restarts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._out: IO[bytes] | None = None

    def start(self) -> None:
        """Start the process; does not wait for it to answer."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._close()
        self._out = self.log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "portal.serve", self.node.value],
            env={**settings_environment(self.settings), PARENT: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the supervisor only, which stops in order
        )

    @property
    def pid(self) -> int | None:
        """Process id, while it runs."""
        return self._process.pid if self.is_running and self._process else None

    @property
    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def is_healthy(self) -> bool:
        """Whether the health page answers."""
        url = f"http://{self.settings.host}:{self.settings.port(self.node)}/healthz"
        try:
            return httpx.get(url, timeout=2.0, verify=tls_context()).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def wait(self, timeout_s: float = START_S) -> None:
        """Wait until the health page answers.

        Raises:
            NodeDidNotStartError: it died, or did not answer in time; its log says why.
        """
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if not self.is_running:
                break
            if self.is_healthy():
                return
            time.sleep(0.1)
        raise NodeDidNotStartError(node=self.node.value, waited_s=timeout_s, log=str(self.log))

    def kill(self) -> None:
        """SIGKILL, as a crash would: for tests of recovery."""
        if self._process is not None and self.is_running:
            self._process.kill()
            self._process.wait()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """SIGTERM and wait; SIGKILL when it does not end in time."""
        if self._process is not None and self.is_running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                _log.warning("serve.killed", node=self.node.value)
                self._process.kill()
                self._process.wait()
        self._close()

    def _close(self) -> None:
        if self._out is not None:
            self._out.close()
            self._out = None


class Supervisor:
    """The process tree: start in order, watch, restart, stop. Use as a context manager."""

    def __init__(self, settings: Settings, nodes: Sequence[Node] = ORDER) -> None:
        self.settings = settings
        self.servers = {node: Server(node, settings) for node in ORDER if node in nodes}
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start every node and wait until all answer; then watch them.

        Raises:
            NodeDidNotStartError: one did not; the others are left for `stop`.
        """
        self.settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        for server in self.servers.values():
            server.start()
        for server in self.servers.values():
            server.wait()
        self._watcher = threading.Thread(target=self._watch, name="serve-watch", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Stop every node, the last started first."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join(timeout=STOP_S)
        for server in reversed(self.servers.values()):
            server.stop()

    def wait(self) -> None:
        """Block until SIGINT or SIGTERM."""
        done = threading.Event()

        def asked(_number: int, _frame: object) -> None:
            done.set()

        previous = {s: signal.signal(s, asked) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            while not done.wait(1.0):
                pass
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _watch(self) -> None:
        while not self._stopping.wait(0.5):
            for server in self.servers.values():
                if server.is_running or self._stopping.is_set():
                    continue
                pause = RESTART_PAUSES_S[min(server.restarts, len(RESTART_PAUSES_S) - 1)]
                server.restarts += 1
                _log.warning("serve.restarted", node=server.node.value, restarts=server.restarts)
                if self._stopping.wait(pause):
                    return
                server.start()


def end_with(parent: int) -> None:
    """End this process, cleanly, once `parent` is not its parent any more (killed, crashed)."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def run_node(node: Node, settings: Settings) -> None:
    """Serve one node in this process until SIGTERM."""
    import uvicorn

    from federation.wire import logs
    from portal.app import create_app

    logs.configure(level=settings.log_level)
    parent = os.environ.get(PARENT, "")
    if parent.isdigit():
        end_with(int(parent))
    uvicorn.run(
        create_app(node, settings),
        host=settings.host,
        port=settings.port(node),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=5,
        proxy_headers=False,
        h11_max_incomplete_event_size=32_768,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m portal.serve NODE`."""
    names = list(sys.argv[1:] if arguments is None else arguments)
    if len(names) != 1 or names[0] not in {node.value for node in Node}:
        sys.stderr.write(f"usage: python -m portal.serve {'|'.join(Node)}\n")
        raise SystemExit(2)
    with contextlib.suppress(KeyboardInterrupt):
        run_node(Node(names[0]), Settings())


def state_of(path: Path | None) -> Settings:
    """Settings with another state folder."""
    return Settings() if path is None else Settings(state=path)


if __name__ == "__main__":
    main()
