"""What every verb of the command line shares: its options, its exit codes, how it speaks."""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from portal.i18n import Translator, negotiate, translator
from portal.settings import Settings

if TYPE_CHECKING:
    from portal.compose import HomeParts
    from vault.open_vault import OpenVault

__all__ = [
    "DONE",
    "LATER",
    "REFUSED",
    "USAGE",
    "AsJson",
    "PassFile",
    "Since",
    "State",
    "Talk",
    "Until",
    "VaultId",
    "fail",
    "language",
    "secret",
    "settings_for",
    "talk",
    "with_vault",
]

DONE: Final = 0
REFUSED: Final = 1
USAGE: Final = 2
LATER: Final = 3

State = Annotated[
    Path | None,
    typer.Option("--state", "--home", help="Dossier d'état (MOBILITY_STATE).", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Résultat en JSON sur la sortie standard.")]
VaultId = Annotated[
    str,
    typer.Option(
        "--vault", help="Numéro du coffre ; inutile s'il n'y en a qu'un.", envvar="MOBILITY_VAULT"
    ),
]
PassFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="Fichier dont la première ligne est la phrase secrète.",
        show_default=False,
    ),
]
Since = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="Premier jour.", show_default=False),
]
Until = Annotated[
    datetime | None,
    typer.Option("--until", formats=["%Y-%m-%d"], help="Dernier jour.", show_default=False),
]


@dataclass(frozen=True, slots=True)
class Talk:
    """Where results and talk go."""

    as_json: bool
    t: Translator

    def result(self, value: Mapping[str, Any], text: str = "") -> None:
        """One result: JSON, or the text a person reads."""
        if self.as_json:
            sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1, default=_plain) + "\n")
        else:
            sys.stdout.write((text or _lines(value)) + "\n")

    def table(self, rows: list[dict[str, Any]], title: str) -> None:
        """A list of results."""
        if self.as_json:
            sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=1, default=_plain) + "\n")
            return
        if not rows:
            self.say(self.t("Rien."))
            return
        table = Table(title=title, title_justify="left")
        for name in rows[0]:
            table.add_column(name)
        for row in rows:
            table.add_row(*(str(_plain(v)) for v in row.values()))
        Console(file=sys.stdout).print(table)

    def say(self, text: str) -> None:
        """Talk, on stderr."""
        sys.stderr.write(text + "\n")

    def progress(self, text: str | None) -> None:
        """A line on a terminal's stderr that the next one overwrites; None ends it."""
        if not self.as_json and sys.stderr.isatty():
            sys.stderr.write("\n" if text is None else f"\r\033[K{text}")
            sys.stderr.flush()


def _plain(value: object) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return dict(value)
    return value if isinstance(value, str | int | float | bool | list | None) else str(value)


def _lines(value: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {_plain(item)}" for name, item in value.items())


def language() -> str:
    """Language of the terminal: LC_ALL, LC_MESSAGES, LANG; French when they say neither."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return negotiate(value.split(".")[0].replace("_", "-"))
    return "fr"


def talk(as_json: bool) -> Talk:
    """How to speak for one command."""
    return Talk(as_json, translator(language()))


def settings_for(state: Path | None, **values: Any) -> Settings:
    """Settings of the environment, with what the command line adds."""
    given = {k: v for k, v in values.items() if v is not None}
    if state is not None:
        given["state"] = state
    return Settings(**given)


def secret(
    file: Path | None, *, prompt: str, confirm: bool = False, variable: str = "MOBILITY_PASSPHRASE"
) -> str:
    """A passphrase from a file, the environment or a prompt on the terminal."""
    if file is not None:
        return file.read_text("utf-8").split("\n", 1)[0].rstrip("\r")
    given = os.environ.get(variable)
    if given:
        return given
    if not sys.stdin.isatty():
        fail(2, "no passphrase: use --passphrase-file or MOBILITY_PASSPHRASE")
    answer: str = typer.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
    return answer


def fail(code: int, text: str) -> NoReturn:
    """Say why and stop."""
    sys.stderr.write(text + "\n")
    raise typer.Exit(code)


def with_vault(
    state: Path | None, vault_id: str, file: Path | None
) -> "AbstractContextManager[tuple[HomeParts, OpenVault]]":
    """A home with one vault open: `with with_vault(…) as (parts, vault)`."""
    from portal.compose import opened_vault

    settings = settings_for(state)
    return opened_vault(settings, vault_id or None, lambda: secret(file, prompt="Phrase secrète"))
