"""Writes into README.md the help of the command line (`<!-- help: mobility … -->`) and the table of
what is real (`<!-- table: fr -->`)."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.test_docs import HELP_BLOCK, TABLE_BLOCK, help_of, table_of  # noqa: E402  # after the path is set


def main() -> None:
    readme = ROOT / "README.md"

    def fresh(block: re.Match[str]) -> str:
        command = block["command"]
        return f"<!-- help: {command} -->\n```text\n{help_of(command)}\n```"

    def table(block: re.Match[str]) -> str:
        return (
            f"<!-- table: {block['language']} -->\n{table_of(block['language'])}\n<!-- /table -->"
        )

    readme.write_text(TABLE_BLOCK.sub(table, HELP_BLOCK.sub(fresh, readme.read_text())))


if __name__ == "__main__":
    main()
