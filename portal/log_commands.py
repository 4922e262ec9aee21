"""`mobility hub log …`, and what `mobility verify` says of a decision."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from portal.terminal import DONE, LATER, REFUSED, AsJson, State, Talk, settings_for, talk

__all__ = ["log_app", "say_evidence"]

log_app = typer.Typer(
    help="Le registre des décisions du hub.", no_args_is_help=True, rich_markup_mode=None
)


def say_evidence(out: Talk, rows: list[dict[str, Any]], outcomes: set[str]) -> NoReturn:
    """What an evidence file of a decision is worth, and the exit code that says it."""
    worst = next((o for o in ("fail", "cannot-tell") if o in outcomes), "pass")
    headline, outcome, code = {
        "pass": (out.t("Décision authentique"), "verified", DONE),
        "fail": (out.t("Cette preuve n'est pas valable"), "refused", REFUSED),
        "cannot-tell": (out.t("On ne peut pas encore le dire"), "cannot-tell", LATER),
    }[worst]
    text = "\n".join(f"{row['mark']} {row['step']}. {row['title']} : {row['text']}" for row in rows)
    out.result(
        {
            "outcome": outcome,
            "kind": "decision",
            "checks": [{k: row[k] for k in ("step", "code", "outcome", "text")} for row in rows],
        },
        f"{headline}\n{text}",
    )
    raise typer.Exit(code)


@log_app.command("verify")
def log_verify(
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            help="Point de contrôle gardé ailleurs : le registre doit en être la suite (répétable).",
            show_default=False,
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Recalculer tout le registre des décisions et le comparer : étapes, arbre, signatures, horodatages."""
    from portal.compose import hub_parts

    out = talk(as_json)
    with hub_parts(settings_for(state)) as parts:
        report = parts.hub.log.verify([path.read_bytes() for path in checkpoint or ()])
    faults = [{"code": fault.code, "where": fault.where} for fault in report.faults]
    out.result(
        {
            "outcome": "refused" if faults else "verified",
            "size": report.size,
            "records": report.records,
            "waiting": report.waiting,
            "checkpoints": report.checkpoints,
            "timestamps": report.timestamps,
            "pending": report.pending,
            "faults": faults,
        }
    )
    raise typer.Exit(REFUSED if faults else DONE)
