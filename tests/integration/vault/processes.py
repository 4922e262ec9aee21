"""Starting, telling and killing worker processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[3]


class Process:
    """One worker of `tests/integration/vault/worker.py`."""

    def __init__(self, folder: Path, url: str | None = None, **told: Any) -> None:
        self.errors = folder.with_name(f"{folder.name}-{os.urandom(4).hex()}.log")
        with self.errors.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.vault.worker"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._tell({"folder": str(folder), "url": url, **told})

    def ready(self) -> Self:
        said = self.hear()
        assert said == {"said": "ready"}, said
        return self

    def _tell(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """The next line it says; empty once it is dead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            return {}
        found: dict[str, Any] = json.loads(line)
        return found

    def tell(self, do: str, **rest: Any) -> None:
        self._tell({"do": do, **rest})

    def ask(self, do: str, **rest: Any) -> dict[str, Any]:
        self.tell(do, **rest)
        answer = self.hear()
        assert answer, self.errors.read_text()
        return answer

    def kill(self) -> list[dict[str, Any]]:
        """Kill -9; what it had said until then."""
        self._process.kill()
        heard = []
        while said := self.hear():
            heard.append(said)
        self._process.wait()
        return heard

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def __enter__(self) -> Self:
        return self.ready()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
