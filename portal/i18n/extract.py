"""Every public text of the portal, found in templates and code: the keys `en.json` must hold.

`python -m portal.i18n.extract` lists what is missing and what nothing uses any more.
"""

import ast
import json
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, nodes

FUNCTIONS = frozenset({"_", "t", "N_", "tr"})
PLURALS = frozenset({"n"})


def texts() -> set[str]:
    """All texts marked for translation."""
    root = Path(str(resources.files("portal")))
    found: set[str] = set()
    for path in sorted(root.glob("templates/*.html")):
        found |= set(_from_template(path.read_text("utf-8")))
    for path in sorted(root.rglob("*.py")):
        if not path.is_relative_to(root / "extensions"):  # they bring texts of their own
            found |= set(_from_python(path.read_text("utf-8")))
    return found


def texts_of(folder: Path) -> set[str]:
    """Texts marked in the templates and modules of one extension's folder."""
    found: set[str] = set()
    for path in sorted(folder.rglob("*.html")):
        found |= set(_from_template(path.read_text("utf-8")))
    for path in sorted(folder.rglob("*.py")):
        found |= set(_from_python(path.read_text("utf-8")))
    return found


def _from_template(source: str) -> Iterator[str]:
    tree = Environment(autoescape=True).parse(source)
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "_" and call.args:
            first = call.args[0]
            if isinstance(first, nodes.Const) and isinstance(first.value, str):
                yield first.value


def _from_python(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = _callee(node.func)
        if name in FUNCTIONS:
            yield from _strings(node.args[:1])
        elif name in PLURALS:
            yield from _strings(node.args[:2])


def _callee(function: ast.expr) -> str:
    if isinstance(function, ast.Name):
        return function.id
    if isinstance(function, ast.Attribute):
        return function.attr
    return ""


def _strings(arguments: list[Any]) -> Iterator[str]:
    for argument in arguments:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value


def main() -> int:
    """Print the differences; 1 when there is one."""
    table = json.loads(resources.files("portal.i18n").joinpath("en.json").read_text("utf-8"))
    wanted = texts()
    missing, unused = sorted(wanted - table.keys()), sorted(table.keys() - wanted)
    sys.stdout.write(
        json.dumps({"missing": missing, "unused": unused}, ensure_ascii=False, indent=0)
    )
    return 1 if missing or unused else 0


if __name__ == "__main__":
    raise SystemExit(main())
