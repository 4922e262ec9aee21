"""`mobility vault give`: traces given away, cut and blurred, as a file with its receipt."""

# ruff: noqa: PLR0917 - a verb's parameters are its options

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from portal.terminal import (
    REFUSED,
    USAGE,
    AsJson,
    PassFile,
    Since,
    State,
    Until,
    VaultId,
    fail,
    talk,
    with_vault,
)
from vault.donation import RADII, Coarseness, Licence, Terms

__all__ = ["vault_give"]


def vault_give(
    out_file: Annotated[Path, typer.Argument(help="Fichier GeoJSON à écrire.")],
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    since: Since = None,
    until: Until = None,
    radius: Annotated[
        int, typer.Option(help="Mètres cachés autour du domicile et du travail.")
    ] = RADII[1],
    times: Annotated[Coarseness, typer.Option(help="Ce qui est dit du départ.")] = Coarseness.DAY,
    licence: Annotated[Licence, typer.Option(help="Licence du don.")] = Licence.ODBL,
    name: Annotated[
        str, typer.Option("--as", help="Pseudonyme ; un nouveau sinon.", show_default=False)
    ] = "",
    every_end: Annotated[
        bool, typer.Option(help="Couper aussi les bouts des autres trajets.")
    ] = True,
    preview: Annotated[
        bool, typer.Option("--preview", help="Compter seulement : rien n'est écrit.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Donner des traces : coupées, sans heure exacte, sous licence ; le reçu reste au coffre."""
    from vault.gifts import give, prepared, pseudonym

    out = talk(as_json)
    if radius not in RADII:
        fail(USAGE, f"--radius: {', '.join(str(choice) for choice in RADII)}")
    now = datetime.now(UTC)
    last = until.date() if until else now.date()
    terms = Terms(
        since=since.date() if since else last - timedelta(days=30),
        until=last,
        radius=radius,
        times=times,
        licence=licence,
        pseudonym=name or pseudonym(),
        every_end=every_end,
    )
    with with_vault(state, vault, passphrase_file) as (_, opened):
        donation = prepared(opened, terms)
        told = {
            "traces": len(donation.traces),
            "points": donation.points,
            "hidden": donation.hidden,
            "without_track": donation.without_track,
            "too_short": donation.too_short,
        }
        if preview:
            out.result(told)
            return
        if not donation.traces:
            fail(REFUSED, out.t("Rien à donner sur cette période avec ces choix."))
        out_file.write_bytes(donation.geojson())
        receipt = give(opened, donation, at=now)
    out.result({**told, "file": str(out_file), "receipt": receipt}, json.dumps(receipt, indent=1))
