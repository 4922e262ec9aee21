"""What stands in `schemas/credentials/` of each credential type, and the table of types in the
README.

`python -m federation.credentials.catalogue` writes the JSON Schemas and the table; `--check` only
compares (exit code 1: stale). Examples are written by hand, one a type: the body before it is
signed, of a fictitious person.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from federation.credentials.sd_jwt_vc import vct_of
from federation.credentials.selective import ALWAYS_SHOWN
from federation.credentials.types import CREDENTIAL_TYPES, json_schema
from federation.credentials.words import TYPES

__all__ = ["FOLDER", "example", "schema_text", "table"]

_ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = _ROOT / "schemas" / "credentials"
README: Final = Path(__file__).with_name("README.md")
TABLE: Final = re.compile(r"<!-- types -->\n.*?<!-- /types -->", re.DOTALL)


def example(credential_type: str) -> dict[str, Any]:
    """The example of a type: what its issuer hands to `issue`."""
    found: dict[str, Any] = json.loads((FOLDER / f"{credential_type}.example.json").read_text())
    return found


def schema_text(credential_type: str) -> str:
    """The bytes of a type's schema file, as text."""
    schema = {"$schema": "", "$id": f"{vct_of(credential_type)}.schema.json"}
    schema |= json_schema(credential_type)
    french, english = TYPES[credential_type]
    schema["description"] = f"{french} · {english}"
    return json.dumps(schema, ensure_ascii=False, indent=1) + "\n"


def table() -> str:
    """One row a type: its words, what it says, its files."""
    rows = ["| type | français · English | members | schema, example |", "|---|---|---|---|"]
    for name, shape in CREDENTIAL_TYPES.items():
        shown = ALWAYS_SHOWN.get(name, ())
        members = " ".join(
            f"`{member}`{'' if facts.required else '?'}{'!' if member in shown else ''}"
            for member, facts in shape.members.items()
        )
        files = " ".join(
            f"[{kind}](../../schemas/credentials/{name}.{kind}.json)"
            for kind in ("schema", "example")
        )
        rows.append(f"| `{name}` | {' · '.join(TYPES[name])} | {members} | {files} |")
    return "\n".join(rows)


def _files() -> Iterator[tuple[Path, str]]:
    """Every written file and what must stand in it."""
    for name in CREDENTIAL_TYPES:
        yield FOLDER / f"{name}.schema.json", schema_text(name)
    block = f"<!-- types -->\n{table()}\n<!-- /types -->"
    yield README, TABLE.sub(lambda _: block, README.read_text())


def stale() -> list[Path]:
    """Files that do not say what the shapes say."""
    return [file for file, text in _files() if not file.is_file() or file.read_text() != text]


def main(arguments: list[str]) -> int:
    """The command line: 0 written, or nothing stale."""
    found = stale()
    if "--check" in arguments:
        for file in found:
            print(f"{file.relative_to(_ROOT)}: stale")  # noqa: T201  # a build tool
        return int(bool(found))
    for file, text in _files():
        file.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
