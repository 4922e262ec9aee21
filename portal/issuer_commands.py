"""`mobility issuer …`: the issuer kit from a terminal; every verb a thin call."""

# ruff: noqa: PLR0917 - a verb's parameters are its arguments and options

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from portal.terminal import REFUSED, AsJson, fail, talk

issuer_app = typer.Typer(
    help="Émettre : les données d'un opérateur, signées.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Folder = Annotated[Path, typer.Argument(help="Dossier de l'émetteur (issuer.toml).")]

_TEMPLATE: Final = """\
# What each setting means: connectors/issuer/README.md
name = {name}
address = {address}
contact = ""
# siret = "00000000000000"
# families = ["covoiturage-trajets"]

[[source]]
name = "trajets"
kind = "csv"            # csv, database, webhook
produces = "journey"    # journey, rental, pass, invoice
path = "entrant"        # a file, or a folder whose *.csv are read
# zone = "Europe/Paris"
# dates = "%d/%m/%Y %H:%M"
# distance_unit = "km"

[source.columns]        # our field = "your column"
reference = "reference"
customer = "customer"
startedAt = "startedAt"
endedAt = "endedAt"
distance = "distance"
"""


@issuer_app.command("init")
def init(
    folder: Folder,
    name: Annotated[str, typer.Option(help="Nom public de l'opérateur.")],
    address: Annotated[str, typer.Option(help="Adresse publique (https) de l'émetteur.")],
    as_json: AsJson = False,
) -> None:
    """Préparer un dossier : réglages, clés."""
    from connectors.issuer.app import issuer_service

    file = folder / "issuer.toml"
    if file.exists():
        fail(REFUSED, f"{file}: exists")
    (folder / "entrant").mkdir(parents=True, exist_ok=True)
    quoted = {"name": json.dumps(name, ensure_ascii=False), "address": json.dumps(address)}
    file.write_text(_TEMPLATE.format(**quoted), "utf-8")
    with issuer_service(folder) as service:
        talk(as_json).result({"issuer": service.settings.did, "settings": str(file)})


@issuer_app.command("serve")
def serve(
    folder: Folder,
    host: Annotated[str | None, typer.Option(show_default=False)] = None,
    port: Annotated[int | None, typer.Option(show_default=False)] = None,
) -> None:
    """Lancer l'émetteur : lire, signer, déposer, répondre."""
    import uvicorn

    from connectors.issuer.app import create_issuer_app, issuer_service
    from federation.wire import logs

    logs.configure(level="INFO")
    with issuer_service(folder) as service:
        uvicorn.run(
            create_issuer_app(service),
            host=host or service.settings.host,
            port=service.settings.port if port is None else port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
            proxy_headers=False,
        )


@issuer_app.command("run")
def run(folder: Folder, as_json: AsJson = False) -> None:
    """Une seule passe : lire les sources, déposer dans les coffres, dire ce qui reste."""
    from connectors.issuer.app import issuer_service

    with issuer_service(folder) as service:
        taken, pushed = service.step()
        report: dict[str, Any] = {
            "new": taken.new,
            "changed": taken.changed,
            "same": taken.same,
            "pushed": pushed.records,
            "held_up": pushed.held_up,
            "unreadable": service.report()["unreadable"],
        }
    talk(as_json).result(report)
    if report["unreadable"]:
        raise typer.Exit(REFUSED)


@issuer_app.command("report")
def report(folder: Folder, as_json: AsJson = False) -> None:
    """Où tout en est : lignes illisibles, clients en attente, contestations."""
    from connectors.issuer.app import issuer_service

    with issuer_service(folder) as service:
        talk(as_json).result(service.report())


@issuer_app.command("link")
def link(
    folder: Folder,
    customer: Annotated[str, typer.Argument(help="Votre numéro de client.")],
    home: Annotated[str, typer.Option(help="Adresse de l'hébergeur du coffre.")],
    vault: Annotated[str, typer.Option(help="Numéro de coffre.")],
    account: Annotated[str, typer.Option(help="Compte, tel que la page du coffre le donne.")],
    as_json: AsJson = False,
) -> None:
    """Relier un client à son coffre : les trois lignes de « Mes sources »."""
    from connectors.issuer.app import issuer_service

    with issuer_service(folder) as service:
        found = service.link(customer, home=home, vault=vault, account=account)
    talk(as_json).result({"customer": found.customer, "home": found.home})


@issuer_app.command("offer")
def offer(
    folder: Folder,
    customer: Annotated[str, typer.Argument(help="Votre numéro de client.")],
    as_json: AsJson = False,
) -> None:
    """Offrir à un client tout ce qui est signé pour lui : un lien, valable une fois."""
    from connectors.issuer.app import issuer_service

    with issuer_service(folder) as service:
        found = service.offer(customer)
    talk(as_json).result(found, str(found["link"]))


@issuer_app.command("card")
def card(
    folder: Folder,
    file: Annotated[
        Path,
        typer.Argument(help="L'offre, en JSON : federation/offers/README.md.",
                       exists=True, dir_okay=False),
    ],
    hub: Annotated[str, typer.Option(help="Adresse du hub où l'offre sera relue.")],
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Signer une offre et la publier dans un hub ; la même commande dit ensuite où elle en est."""
    from connectors.http import source_client
    from connectors.issuer.app import issuer_service
    from federation.client import HttpHub
    from federation.errors import HubRefusedError
    from federation.offers import MAX_CARD, OfferRefusedError, card_from_claims, sign_card

    out, data = talk(as_json), file.read_bytes()[: MAX_CARD + 1]
    try:
        document = json.loads(data) if len(data) <= MAX_CARD else None
    except (ValueError, RecursionError):
        document = None
    with issuer_service(folder) as service:
        loopback = service.settings.allow_loopback
        try:
            if not isinstance(document, dict):
                raise OfferRefusedError("offer-malformed", file.name)
            found = card_from_claims(
                {**document, "iss": service.settings.did}, loopback_http=loopback
            )
            token = sign_card(found, service.signer, at=service.clock())
            with source_client(allow_loopback=loopback, timeout_s=20) as client:
                answer = HttpHub(hub.rstrip("/"), client).publish_offer(token)
        except OfferRefusedError as error:
            fail(REFUSED, f"{error.code}: {error}")
        except HubRefusedError as error:
            fail(REFUSED, f"{error.hub_code}: {error.extensions.get('reason', error.detail)}")
    out.result(dict(answer))


@issuer_app.command("revoke")
def revoke(
    folder: Folder,
    source: Annotated[str, typer.Argument(help="Nom de la source.")],
    reference: Annotated[str, typer.Argument(help="Référence de la ligne.")],
    as_json: AsJson = False,
) -> None:
    """Révoquer tout ce qui a été signé d'une ligne."""
    from connectors.issuer.app import issuer_service

    with issuer_service(folder) as service:
        revoked = service.revoke(source, reference)
    talk(as_json).result({"revoked": revoked})
    if not revoked:
        raise typer.Exit(REFUSED)


@issuer_app.command("cee")
def cee(
    folder: Folder,
    people: Annotated[
        Path,
        typer.Argument(
            help="Fichier JSON des personnes : connectors/issuer/README.md.",
            exists=True,
            dir_okay=False,
        ),
    ],
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Vérifier seulement, avant tout trajet.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Déposer des demandes CEE au registre de preuve de covoiturage, ou les simuler."""
    from connectors.http import source_client
    from connectors.issuer.app import register_of, system_clock
    from connectors.issuer.settings import IssuerSettings, IssuerSettingsError
    from connectors.rpc.people import applications, filed

    settings = IssuerSettings.read(folder)
    if settings.register is None:
        raise IssuerSettingsError("register", "missing")
    asked = applications(people.read_bytes())
    with source_client(allow_loopback=settings.allow_loopback, timeout_s=20) as client:
        register = register_of(settings.register, client, clock=system_clock)
        rows = [
            {"number": number, **filed(register, one, simulated=simulate)}
            for number, one in enumerate(asked)
        ]
    talk(as_json).table(rows, "CEE")
    if any(row["state"] != ("possible" if simulate else "filed") for row in rows):
        raise typer.Exit(REFUSED)


@issuer_app.command("request")
def request(folder: Folder) -> None:
    """Écrire la demande d'accréditation signée, pour la personne qui tient le hub."""
    from connectors.issuer.app import issuer_service

    with issuer_service(folder) as service:
        typer.echo(service.accreditation_request())
