"""Writes the help of the command line into README.md's `<!-- help: mobility … -->` blocks."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.test_docs import HELP_BLOCK, help_of  # noqa: E402  # after the path is set


def main() -> None:
    readme = ROOT / "README.md"

    def fresh(block: re.Match[str]) -> str:
        command = block["command"]
        return f"<!-- help: {command} -->\n```text\n{help_of(command)}\n```"

    readme.write_text(HELP_BLOCK.sub(fresh, readme.read_text()))


if __name__ == "__main__":
    main()
