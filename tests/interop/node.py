"""A Node process that answers one JSON line with another: libraries of others, in tests."""

import json
import subprocess
from pathlib import Path
from shutil import which
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]


class NodeProcess:
    """One process running `script`; `needs` is a package that must be installed."""

    def __init__(self, script: Path, needs: str) -> None:
        local = ROOT / ".venv" / "bin" / "node"
        node = which("node") or (str(local) if local.exists() else None)
        if node is None or not (ROOT / "node_modules" / needs).is_dir():
            raise AssertionError("Node and node_modules are missing: run `make build`")
        self._process = subprocess.Popen(
            [node, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()

    def ask(self, act: str, **command: Any) -> dict[str, Any]:
        """One command, its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"act": act, **command}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer
