"""`mobility vault standing`: standing consents from the command line."""

# ruff: noqa: PLR0917 - a verb's parameters are its options

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from portal.terminal import (
    REFUSED,
    AsJson,
    PassFile,
    State,
    VaultId,
    fail,
    talk,
    with_vault,
)
from schemas.ids import Iri, parse_iri
from schemas.records import Consent, Extent, Frequency, Kind
from schemas.units import Cents

if TYPE_CHECKING:
    from vault.open_vault import OpenVault
    from vault.standing import Standing

__all__ = ["standing_app"]

TOLD_WITHIN_S: Final = 20.0
"""How long `stop` waits for the recipient's answer; the outbox goes on without it."""

standing_app = typer.Typer(
    help="Les envois réguliers : la même preuve à chaque période, jusqu'à une date.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ConsentId = Annotated[str, typer.Argument(help="Identifiant de l'accord (urn:uuid:…).")]


def _iri(text: str) -> Iri:
    return Iri(parse_iri(text, where="consent"))


def _row(item: "Standing") -> dict[str, Any]:
    consent, state = item.consent, item.state
    if not item.is_live:
        word = "withdrawn" if consent.withdrawn_at else "ended"
    else:
        word = "paused" if item.is_paused else "live"
    last = item.runs[0].run.outcome if item.runs else None
    return {
        "consent": consent.id,
        "recipient": consent.recipient_name,
        "frequency": consent.frequency.value if consent.frequency else None,
        "from": consent.period_from,
        "until": consent.period_until,
        "state": word,
        "extent": consent.extent.value if consent.extent else None,
        "ceiling_cents": consent.ceiling,
        "asked_cents": item.asked,
        "next": state.next_at if word == "live" and state else None,
        "last": last,
    }


@standing_app.command("list")
def list_standing(
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    as_json: AsJson = False,
) -> None:
    """Lister les envois réguliers, ce qui est parti et ce qui partira."""
    from vault.standing import standing

    out = talk(as_json)
    with with_vault(state, vault, passphrase_file) as (_, opened):
        rows = [_row(item) for item in standing(opened)]
    out.table(rows, out.t("Envois réguliers"))


@standing_app.command("offers")
def offers(
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    as_json: AsJson = False,
) -> None:
    """Lister les partages déjà faits qui peuvent devenir réguliers."""
    from vault.errors import ActRefusedError
    from vault.standing import offer

    out, rows = talk(as_json), []
    with with_vault(state, vault, passphrase_file) as (_, opened):
        for record in reversed(opened.all(Kind.CONSENT)):
            if not isinstance(record, Consent) or record.frequency or record.standing:
                continue
            try:
                found = offer(opened, record.id, frequency=Frequency.MONTH)
            except ActRefusedError:
                continue
            rows.append(
                {
                    "consent": record.id,
                    "recipient": record.recipient_name,
                    "purpose": record.purpose,
                    "given": record.given_at,
                    "first": found.periods[0][0],
                    "latest": found.periods[-1][1],
                }
            )
    out.table(rows, out.t("Partages qui peuvent se répéter"))


@standing_app.command("give")
def give(
    consent: ConsentId,
    until: Annotated[
        datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="Jour de la dernière période.")
    ],
    every: Annotated[Frequency, typer.Option(help="Rythme.")] = Frequency.MONTH,
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Accepter sans question.")] = False,
    as_json: AsJson = False,
) -> None:
    """Répéter un partage à chaque période : montrer ce qui partirait, puis accepter."""
    from vault.standing import aid_of, give_standing, offer, standing

    out = talk(as_json)
    with with_vault(state, vault, passphrase_file) as (parts, opened):
        source = _iri(consent)
        offered = offer(opened, source, frequency=every)
        for claim in offered.source.claims:
            out.say(f"→ {claim}")
        for kept in offered.source.kept_back:
            out.say(f"• {kept}")
        out.say(f"{offered.periods[0][0]} … {until.date()}  ({every.value})")
        asked = f"{offered.source.recipient_name} : {offered.source.purpose}"
        if not yes and not (sys.stdin.isatty() and typer.confirm(asked, err=True)):
            fail(REFUSED, out.t("Rien n'a été accepté."))
        made = give_standing(
            opened,
            source,
            aid_of(opened, source),
            frequency=every,
            last=until.date(),
            confirmed_at=parts.home.clock(),
        )
        (item,) = standing(opened, made.id)
        out.result(_row(item))


@standing_app.command("apply")
def apply_standing(
    aid: Annotated[str, typer.Argument(help="Aide à demander (slug du catalogue).")],
    ceiling: Annotated[
        float,
        typer.Option(min=0.01, max=100_000, help="Plafond de tout ce qui est demandé, en euros."),
    ],
    until: Annotated[
        datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="Jour de la dernière période.")
    ],
    every: Annotated[Frequency, typer.Option(help="Rythme.")] = Frequency.YEAR,
    extent: Annotated[
        Extent, typer.Option(help="Préparer seulement, ou préparer et envoyer.")
    ] = Extent.PREPARE,
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Accepter sans question.")] = False,
    as_json: AsJson = False,
) -> None:
    """Demander pour moi : l'hébergeur demande une aide, avec un plafond et une fin."""
    from portal.compose import apply
    from vault.circles import catalogue_of
    from vault.standing import apply_for_me, standing

    out = talk(as_json)
    with with_vault(state, vault, passphrase_file) as (parts, opened):
        disclosure = apply(parts, opened, aid, since=None, until=None)
        for claim in disclosure.leaves:
            out.say(f"→ {claim.path}")
        for kept in disclosure.stays:
            out.say(f"• {kept}")
        cents = Cents(round(ceiling * 100))
        out.say(f"≤ {cents / 100:.2f} €  … {until.date()}  ({every.value}, {extent.value})")
        asked = f"{disclosure.recipient_name} : {disclosure.purpose}"
        if not yes and not (sys.stdin.isatty() and typer.confirm(asked, err=True)):
            fail(REFUSED, out.t("Rien n'a été accepté."))
        made = apply_for_me(
            opened,
            Iri(f"urn:uuid:{disclosure.id}"),
            catalogue_of(opened),
            frequency=every,
            last=until.date(),
            ceiling=cents,
            extent=extent,
            confirmed_at=parts.home.clock(),
        )
        (item,) = standing(opened, made.id)
        out.result(_row(item))


@standing_app.command("pause")
def pause(
    consent: ConsentId,
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    as_json: AsJson = False,
) -> None:
    """Ne rien envoyer jusqu'à la reprise."""
    from vault.standing import pause, standing

    with with_vault(state, vault, passphrase_file) as (_, opened):
        (item,) = standing(opened, pause(opened, _iri(consent)).id)
        talk(as_json).result(_row(item))


@standing_app.command("resume")
def resume(
    consent: ConsentId,
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    as_json: AsJson = False,
) -> None:
    """Reprendre les envois."""
    from vault.standing import resume, standing

    with with_vault(state, vault, passphrase_file) as (_, opened):
        (item,) = standing(opened, resume(opened, _iri(consent)).id)
        talk(as_json).result(_row(item))


@standing_app.command("stop")
def stop(
    consent: ConsentId,
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    as_json: AsJson = False,
) -> None:
    """Retirer un envoi régulier : ses clés sont détruites, le destinataire est prévenu."""
    from vault.errors import ActRefusedError
    from vault.standing import standing

    with with_vault(state, vault, passphrase_file) as (_, opened):
        iri = _iri(consent)
        record = opened.get(iri)
        if not isinstance(record, Consent) or record.frequency is None:
            raise ActRefusedError("not-a-standing-consent")
        opened.withdraw_consent(iri)
        told = _told(opened, iri)
        (item,) = standing(opened, iri)
        talk(as_json).result({**_row(item), "told": told})


def _told(vault: "OpenVault", consent: Iri) -> bool:
    """Whether the recipient has heard, by the end of a short wait."""
    from vault.delivery import withdrawal_of

    until = time.monotonic() + TOLD_WITHIN_S
    while True:
        found = withdrawal_of(vault.home, vault.vault_id, consent)
        if found is None or found["state"] == "heard" or time.monotonic() > until:
            return found is not None and found["state"] == "heard"
        time.sleep(0.1)
