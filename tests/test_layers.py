"""The direction of imports, and the rim: who may import servers, databases and HTTP clients."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("schemas", "federation", "vault", "connectors", "portal")
"""Left never imports right."""

RIM_LIBRARIES = frozenset({"fastapi", "starlette", "sqlalchemy", "alembic", "celery", "httpx"})
RIM_FOLDERS = frozenset({"api", "store", "hub", "wire"})
RIM_FILES = frozenset({"tables.py", "app.py", "worker.py", "client.py", "http.py", "tasks.py"})
RIM_EVERYWHERE = (("portal",), ("connectors", "sandbox"))
CLOCKS = frozenset({"now", "utcnow", "today"})


def modules() -> list[Path]:
    return [file for layer in LAYERS for file in sorted((ROOT / layer).rglob("*.py"))]


def imported(tree: ast.AST, file: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute module name) of every import, wherever it stands."""
    package = file.relative_to(ROOT).parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = ".".join(package[: len(package) - node.level + 1])
                yield node.lineno, f"{base}.{node.module}" if node.module else base
            elif node.module:
                yield node.lineno, node.module


def is_rim(path: Path) -> bool:
    parts = path.parts
    return (
        bool(RIM_FOLDERS & set(parts[:-1]))
        or parts[-1] in RIM_FILES
        or any(parts[: len(prefix)] == prefix for prefix in RIM_EVERYWHERE)
    )


def test_there_is_code_to_check() -> None:
    assert len(modules()) > 20


def test_imports_point_the_way_the_data_goes() -> None:
    against = []
    for file in modules():
        path = file.relative_to(ROOT)
        rank = LAYERS.index(path.parts[0])
        for line, name in imported(ast.parse(file.read_text()), file):
            top = name.split(".")[0]
            if top in LAYERS and LAYERS.index(top) > rank:
                against.append(f"{path}:{line} imports {name}")
    assert not against, "\n".join(against)


def test_nothing_imports_the_tests() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in modules()
        for line, name in imported(ast.parse(file.read_text()), file)
        if name.split(".")[0] == "tests"
    ]
    assert not found, found


def test_servers_databases_and_clients_stay_at_the_rim() -> None:
    inside = []
    for file in modules():
        path = file.relative_to(ROOT)
        if is_rim(path):
            continue
        inside += [
            f"{path}:{line} imports {name}"
            for line, name in imported(ast.parse(file.read_text()), file)
            if name.split(".")[0] in RIM_LIBRARIES
        ]
    assert not inside, "\n".join(inside)


CLOCK_READERS = frozenset(
    {"context.py", "app.py", "worker.py", "tasks.py", "cli.py", "__main__.py", "home.py"}
)
"""Composition roots and adapters: they hand the clock to what is below."""


@pytest.mark.parametrize("layer", ["schemas", "federation", "vault", "connectors"])
def test_the_clock_is_an_argument(layer: str) -> None:
    """`datetime.now` is not called in the rules of a package, only at its composition root."""
    readers = []
    for file in sorted((ROOT / layer).rglob("*.py")):
        path = file.relative_to(ROOT)
        if path.name in CLOCK_READERS or path.parts[:2] == ("connectors", "sandbox"):
            continue
        readers += [
            f"{path}:{node.lineno}"
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in CLOCKS
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in {"datetime", "date"}
        ]
    assert not readers, "\n".join(readers)


def test_the_rules_see_an_import_wherever_it_stands(tmp_path: Path) -> None:
    source = "def late():\n    import httpx\n    from portal.app import x\n"
    file = ROOT / "vault" / "made_up.py"
    names = [name for _, name in imported(ast.parse(source), file)]
    assert names == ["httpx", "portal.app"]
    relative = ast.parse("from .store import x\nfrom . import y")
    assert [name for _, name in imported(relative, file)] == ["vault.store", "vault"]
    assert is_rim(Path("vault/store/reader.py"))
    assert is_rim(Path("portal/pages/day.py"))
    assert not is_rim(Path("vault/consent.py"))
