"""`mobility hub infrastructure …`: the files of what is built, counted per commune."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line
# ruff: noqa: PLR0917 - a verb's parameters are its arguments and options

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from federation.aids.infrastructure import InfrastructureKind
from portal.terminal import REFUSED, AsJson, State, fail, settings_for, talk

__all__ = ["infrastructure_app"]

infrastructure_app = typer.Typer(
    help="Ce qui est construit : fichiers aux schémas nationaux, comptés par commune.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Kind = Annotated[InfrastructureKind, typer.Argument(help="Ce que le fichier compte.")]


@infrastructure_app.command("load")
def load(
    kind: Kind,
    file: Annotated[Path, typer.Argument(help="Fichier au schéma national.", exists=True, dir_okay=False)],
    source: Annotated[str, typer.Option(help="D'où il vient, tel que la page le dira.")],
    licence: Annotated[str, typer.Option(help="Sa licence.")],
    date: Annotated[datetime, typer.Option(help="Jour de ces données.", formats=["%Y-%m-%d"])],
    state: State = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Compter un fichier et le mettre à la place du précédent."""
    from federation.aids.errors import InfrastructureFileError
    from portal.compose import hub_parts

    out = talk(as_json)
    with hub_parts(settings_for(state)) as parts, file.open("rb") as stream:
        try:
            _, counts = parts.hub.infrastructure.load(
                kind, stream, source=source, licence=licence, day=date.date()
            )
        except InfrastructureFileError as error:
            fail(REFUSED, f"{error.code}: {error}")
    out.result(
        {
            "kind": kind.value,
            "items": counts.items,
            "communes": len(counts.communes),
            "counted": sum(one.count for one in counts.communes),
            "amount": sum(one.amount for one in counts.communes),
            "elsewhere": counts.elsewhere,
            "left_out": counts.left_out,
        }
    )


@infrastructure_app.command("list")
def list_sets(state: State = None, as_json: AsJson = False) -> None:
    """Dire ce qui est chargé."""
    from portal.compose import hub_parts

    out = talk(as_json)
    with hub_parts(settings_for(state)) as parts:
        rows = [
            {
                "kind": one.kind.value,
                "source": one.source,
                "licence": one.licence,
                "date": one.day.isoformat(),
                "items": one.items,
                "elsewhere": one.elsewhere,
                "left_out": one.left_out,
            }
            for one in parts.hub.infrastructure.sets()
        ]
    out.table(rows, out.t("Infrastructures"))


@infrastructure_app.command("remove")
def remove(kind: Kind, state: State = None, as_json: AsJson = False) -> None:
    """Retirer un fichier : la page dit de nouveau « aucune donnée »."""
    from portal.compose import hub_parts

    with hub_parts(settings_for(state)) as parts:
        parts.hub.infrastructure.remove(kind)
    talk(as_json).result({"removed": kind.value})
