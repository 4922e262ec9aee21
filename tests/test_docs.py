"""What is written about the code is true of it."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from portal.i18n import translator
from portal.reality import markdown

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("schemas", "federation", "vault", "connectors", "portal")
FORBIDDEN = re.compile(r"\b(registry\.npmjs\.org|pypi\.org|files\.pythonhosted\.org)\b")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_a_readme_with_its_parts(package: str) -> None:
    text = (ROOT / package / "README.md").read_text()
    assert text.startswith("# ")
    for part in ("Decisions",):
        assert re.search(rf"^#+ .*{part}", text, re.MULTILINE), f"{package}/README.md: {part}"


def documented(package: str) -> str:
    return "\n".join(file.read_text() for file in sorted((ROOT / package).rglob("README.md")))


def codes(package: str) -> set[str]:
    """The `code` class attribute of every class in a package whose name ends in Error."""
    found = set()
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.ClassDef) or not node.name.endswith("Error"):
                continue
            for statement in node.body:
                match statement:
                    case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(str(code))):
                        found.add(code)
                    case ast.AnnAssign(target=ast.Name(id="code"), value=ast.Constant(str(code))):
                        found.add(code)
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_every_error_code_is_documented(package: str) -> None:
    text = documented(package)
    missing = sorted(code for code in codes(package) if f"`{code}`" not in text)
    assert not missing, f"{package}/README.md does not name: {', '.join(missing)}"


HELP_BLOCK = re.compile(
    r"<!-- help: (?P<command>mobility[a-z -]*) -->\n```text\n(?P<text>.*?)```", re.DOTALL
)


TABLE_BLOCK = re.compile(
    r"<!-- table: (?P<language>fr|en) -->\n(?P<text>.*?)\n<!-- /table -->", re.DOTALL
)


def table_of(language: str) -> str:
    return markdown(translator(language))


def help_of(command: str) -> str:
    words = command.split()[1:]
    environment = {
        **os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1", "LANG": "fr_FR.UTF-8",
        "TERMINAL_WIDTH": "100",
    }  # fmt: skip
    program = "import sys; sys.argv[0] = 'mobility'; from portal.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *words, "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=True,
        timeout=60,
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def test_the_readmes_help_is_the_programs() -> None:
    blocks = list(HELP_BLOCK.finditer((ROOT / "README.md").read_text()))
    assert blocks, "README.md shows no help"
    for block in blocks:
        shown = "\n".join(line.rstrip() for line in block["text"].strip().splitlines())
        assert shown == help_of(block["command"]), f"run: {block['command']} --help"


def test_readme_and_portal_share_one_table_of_what_is_real() -> None:
    blocks = list(TABLE_BLOCK.finditer((ROOT / "README.md").read_text()))
    assert [b["language"] for b in blocks] == ["fr", "en"]
    for block in blocks:
        assert block["text"] == table_of(block["language"]), "run: python .ci/readme.py"


def tracked_text() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout.splitlines()
    suffixes = {".py", ".md", ".toml", ".json", ".lock", ".yml", ".yaml", ".txt", ".ts", ""}
    return [ROOT / name for name in listed if Path(name).suffix in suffixes]


def test_no_file_names_a_registry_or_a_machine() -> None:
    this = Path(__file__).resolve()
    found = [
        str(file.relative_to(ROOT))
        for file in tracked_text()
        if file != this and file.is_file() and FORBIDDEN.search(file.read_text(errors="replace"))
    ]
    assert not found, found


def test_links_between_files_lead_somewhere() -> None:
    broken = []
    for file in tracked_text():
        if file.suffix != ".md":
            continue
        broken += [
            f"{file.relative_to(ROOT)}: {target}"
            for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", file.read_text())
            if not (file.parent / target).exists()
        ]
    assert not broken, broken


def test_the_licences_are_whole() -> None:
    eupl = (ROOT / "LICENSE").read_text()
    assert eupl == (ROOT / "LICENSES" / "EUPL-1.2.txt").read_text()
    assert eupl.startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2")
    assert "15.Applicable Law" in eupl
    apache = (ROOT / "LICENSES" / "Apache-2.0.txt").read_text()
    assert apache == (ROOT / "schemas" / "LICENSE").read_text()
    assert "END OF TERMS AND CONDITIONS" in apache
