"""The table of sources says what there is: every connector, every test it names, every system."""

import re
from pathlib import Path

from connectors.registry import SOURCES, factories, importers

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "connectors" / "README.md").read_text("utf-8")


def table(after: str) -> list[list[str]]:
    """Rows of the first table behind a heading."""
    lines = README.partition(after)[2].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|---"))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


ROWS = table("## What there is")
NAMES = [row[0] for row in ROWS]


def has_row(name: str) -> bool:
    return any(f"`{name}`" in cell or cell.startswith(name) for cell in NAMES)


def test_every_connector_and_format_has_its_row() -> None:
    known = {source.name for source in SOURCES} | set(factories()) | {i.name for i in importers()}
    missing = {name for name in known if not has_row(name) and not name.startswith("modele")}
    assert missing == set()


def test_every_row_names_tests_that_are_there_and_the_day_it_was_verified() -> None:
    named = ""
    for row in ROWS:
        assert len(row) == 7, row[0]
        named = row[5] if row[5] != "same" and not row[5].startswith("same ") else named
        for path in re.findall(r"`(tests/[\w/]+\.py)`", named):
            assert (ROOT / path).is_file(), path
        assert re.search(r"`tests/", named), row[0]
        assert re.fullmatch(r"2026-\d\d-\d\d", row[6]), row[0]
        assert row[4] in {"réel", "importé", "simulé", "sur habilitation"} or "(" in row[4], row[0]


def test_every_named_system_comes_by_a_row_that_is_there() -> None:
    for system, ways, _ in table("### Systems by name"):
        for way in re.findall(r"`([^`]+)`", ways) or ways.split(", "):
            assert has_row(way), (system, way)
