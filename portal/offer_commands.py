"""`mobility offers …`: what an operator offers, from its public data. Nothing is kept."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from portal.glossary import mode_word
from portal.terminal import AsJson, State, Talk, fail, settings_for, talk

if TYPE_CHECKING:
    from connectors.discovery.card import Plan

__all__ = ["offers_app"]

USAGE = 2
offers_app = typer.Typer(
    help="Les offres d'un opérateur, lues dans ses données publiques.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@offers_app.command("read")
def offers_read(
    address: Annotated[
        str,
        typer.Argument(
            help="Adresse du fichier gbfs.json, ou d'un service TOMP 1.3.", show_default=False
        ),
    ],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Lire l'offre d'un opérateur de véhicules partagés : GBFS 2 ou 3, ou TOMP 1.3."""
    from connectors.discovery.fetching import discover

    out = talk(as_json)
    card = discover(address, allow_loopback=settings_for(state).sandbox)
    unknown = out.t("non publié")

    def count(value: int | None) -> str:
        return unknown if value is None else str(value)

    lines = [
        f"{card.name} · {card.operator} · {card.standard}",
        ", ".join(out.t(mode_word(mode.value).label) for mode in card.modes) or unknown,
        *(f"{plan.name} : {_price(out, plan)}" for plan in card.plans),
        out.t(
            "Stations : {stations} ; véhicules : {vehicles} ; disponibles : {available}",
            stations=count(card.stations),
            vehicles=count(card.vehicles),
            available=count(card.available),
        ),
        card.link,
        *(out.t("Écarté : {where} ({code})", where=r.where, code=r.code) for r in card.left_out),
    ]
    out.result(card.to_json(), "\n".join(line for line in lines if line))


def _price(out: Talk, plan: "Plan") -> str:
    def money(cents: int) -> str:
        return out.t.amount(cents) if plan.currency == "EUR" else f"{cents / 100} {plan.currency}"

    parts = [] if plan.base is None else [money(plan.base)]
    if plan.per_minute is not None:
        parts.append(
            out.t("{price} par {n} min", price=money(plan.per_minute), n=plan.minute_interval or 1)
        )
    if plan.per_km is not None:
        parts.append(out.t("{price} par {n} km", price=money(plan.per_km), n=plan.km_interval or 1))
    return ", ".join(parts) or plan.description


@offers_app.command("timetable")
def offers_timetable(
    file: Annotated[
        Path,
        typer.Argument(help="Fichier GTFS (ZIP).", exists=True, dir_okay=False, show_default=False),
    ],
    around: Annotated[
        str,
        typer.Option(
            help="Point « latitude,longitude » : seulement les lignes qui s'arrêtent près de lui.",
            show_default=False,
        ),
    ] = "",
    radius: Annotated[
        int, typer.Option(help="Distance au point, en mètres.", min=50, max=50_000)
    ] = 1_000,
    as_json: AsJson = False,
) -> None:
    """Lire un fichier GTFS : réseaux, lignes, arrêts, dates de validité."""
    from connectors.discovery.gtfs import Around, read_gtfs

    out = talk(as_json)
    place = None
    if around:
        try:
            lat, lon = (float(part) for part in around.split(","))
        except ValueError:
            fail(USAGE, out.t("Écrivez le point ainsi : 43.2110,2.4410"))
        if not (-90 <= lat <= 90 and -180 <= lon <= 180):
            fail(USAGE, out.t("Écrivez le point ainsi : 43.2110,2.4410"))
        place = Around(lat, lon, radius)
    with file.open("rb") as stream:
        found = read_gtfs(stream, around=place)
    names = {network.id: network.name for network in found.networks}
    lines = [
        *(network.name for network in found.networks),
        out.t(
            "Valable du {since} au {until}",
            since=found.since.isoformat() if found.since else "?",
            until=found.until.isoformat() if found.until else "?",
        ),
        out.t("Arrêts : {n}", n=found.stops),
        *(
            " · ".join(
                part
                for part in (
                    names.get(line.network, "") if len(names) > 1 else "",
                    line.name,
                    line.long_name,
                    out.t(mode_word(line.mode.value).label),
                )
                if part
            )
            for line in found.lines
        ),
        *(out.t("Écarté : {where} ({code})", where=k, code=n) for k, n in found.left_out.items()),
    ]
    out.result(found.to_json(), "\n".join(lines))
