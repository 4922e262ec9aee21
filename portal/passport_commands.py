"""`mobility passport`: the services that may ask this home's citizens for their passport."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from portal.terminal import REFUSED, AsJson, State, fail, settings_for, talk

if TYPE_CHECKING:
    from vault.passport.services import Service

__all__ = ["passport_app"]

MAX_DESCRIPTION: Final = 100_000

passport_app = typer.Typer(
    help="Les services qui peuvent demander leur passeport aux citoyens de cet hébergeur.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _row(service: "Service") -> dict[str, Any]:
    return {
        "client_id": service.id,
        "name": service.name,
        "address": service.sector,
        "scope": " ".join(service.scopes),
        "keeps_access": service.encryption_key is not None and service.auth != "none",
        "member": service.member,
    }


@passport_app.command("register")
def register(
    description: Annotated[
        Path,
        typer.Argument(
            help="Description du service en JSON (RFC 7591), avec « purpose » : pourquoi il demande.",
            exists=True,
            dir_okay=False,
        ),
    ],
    client_id: Annotated[
        str,
        typer.Option("--id", help="Nom du service ici ; au hasard sans cette option."),
    ] = "",
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Inscrire un service, ou remplacer sa description ; les accords donnés restent."""
    from federation.multibase import b64url
    from federation.sealing import entropy
    from portal.compose import home_only
    from vault.passport.errors import ServiceInvalidError

    out = talk(as_json)
    if client_id and (
        len(client_id) > 200 or not client_id.isascii() or not client_id.isprintable()
    ):
        fail(REFUSED, out.t("Un nom de service compte au plus 200 caractères ASCII."))
    data = description.read_bytes()[: MAX_DESCRIPTION + 1]
    try:
        metadata = json.loads(data) if len(data) <= MAX_DESCRIPTION else None
    except (ValueError, RecursionError):
        metadata = None
    with home_only(settings_for(state)) as home:
        try:
            service = home.passport.services.register(
                metadata, id_=client_id or b64url(entropy.token(12))
            )
        except ServiceInvalidError as error:
            fail(REFUSED, f"{error.code}: {error}")
        issuer = home.passport.issuer
    out.result({**_row(service), "issuer": issuer})


@passport_app.command("list")
def list_services(state: State = None, as_json: AsJson = False) -> None:
    """Lister les services inscrits."""
    from portal.compose import home_only

    out = talk(as_json)
    with home_only(settings_for(state)) as home:
        rows = [_row(service) for service in home.passport.services.all()]
    out.table(rows, out.t("Services"))


@passport_app.command("remove")
def remove(
    client_id: Annotated[str, typer.Argument(help="Nom du service ici.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Retirer un service : il ne peut plus rien demander ni lire."""
    from portal.compose import home_only
    from vault.passport.errors import ServiceUnknownError

    out = talk(as_json)
    with home_only(settings_for(state)) as home:
        try:
            home.passport.services.remove(client_id)
        except ServiceUnknownError as error:
            fail(REFUSED, error.code)
    out.result({"removed": client_id})


@passport_app.command("renew-key")
def renew_key(state: State = None, as_json: AsJson = False) -> None:
    """Signer désormais avec une clé neuve ; l'ancienne reste publiée tant qu'on peut relire ce qu'elle a signé."""
    from portal.compose import home_only

    out = talk(as_json)
    with home_only(settings_for(state)) as home:
        kid = home.passport.keys.renew()
        published = list(home.passport.keys.published())
    out.result({"signs": kid, "published": published})
