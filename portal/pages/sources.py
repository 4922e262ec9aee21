"""Sources: health, pull, pair, revoke; and the drain."""

import base64
import io
import secrets
from datetime import datetime
from typing import Annotated, Any, Final

import segno
from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from connectors.carpool.bookings import BOOKING
from connectors.errors import (
    ConnectorError,
    UnknownAccountError,
)
from connectors.phones.form import App
from connectors.phones.service import PhoneView
from connectors.phones.setup import SYSTEMS, TITLES
from connectors.push.service import CODE_TERM, slug
from connectors.service import AccountStatus
from federation.trust import Role, TrustEntry
from portal.context import HomeContext
from portal.glossary import REJECTED
from portal.i18n import N_, Translator
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.draining import drain_all, drain_words
from portal.pages.file_import import kept_mappings, left_out
from portal.settings import Node
from portal.views import local_today, source_name
from schemas.ids import Did
from vault.data_requests.acts import data_requests
from vault.data_requests.clock import standing
from vault.model import LinkInfo
from vault.open_vault import OpenVault
from vault.passport.connections import connections

router = APIRouter(include_in_schema=False)

OPERATOR_SCOPE: Final = ("Trip", "Invoice", "Subscription", "Credential")
HEALTH: Final = {
    "never": (N_("Pas encore de passage"), ""),
    "ok": (N_("Tout va bien"), "ok"),
    "failing": (N_("Ne répond pas comme prévu : on réessaie"), "warn"),
    "cut": (N_("Import en cours ou interrompu : redonner le même fichier le reprend"), "warn wrap"),
    "revoked": (N_("Accès refusé ou retiré"), "bad"),
}
KINDS: Final = {
    "Trip": N_("trajets"),
    "Invoice": N_("factures"),
    "Subscription": N_("abonnements"),
    "Attribute": N_("attributs certifiés"),
    "Credential": N_("documents signés"),
    "Point": N_("positions"),
    "Booking": N_("covoiturages réservés"),
}


@router.get("/sources")
def sources(page: PageDep, context: ContextDep, vault: VaultDep) -> HTMLResponse:
    """Every source with its last run and health."""
    t = page.t
    waiting = vault.waiting()
    accounts = context.connectors.accounts(vault.vault_id)
    phones = context.connectors.phones.phones(vault.vault_id)
    points = sum(phone.waiting for phone in phones.values())
    links = [
        link for link in context.home.links(vault.vault_id) if link.account.startswith("operateur:")
    ]
    return page.show(
        "sources.html",
        operators=[(entry.did, entry.name) for entry in operators(context, page.now)],
        carpool=_operators_of(context, vault),
        phones=[(app.value, f"{TITLES[app]} ({SYSTEMS[app]})") for app in App],
        sources=[_source(t, account, phones.get(account.id)) for account in accounts]
        + [_linked(t, link) for link in links],
        mappings=[{"name": m.name, "title": m.title} for m in kept_mappings(vault)],
        to_do=_to_do(t, vault, page.now),
        waiting_text=_waiting(t, waiting.deposits, points),
        tracemob_url=f"{context.settings.url(Node.SANDBOX)}/traces"
        if context.settings.sandbox
        else "",
    )


def _to_do(t: Translator, vault: OpenVault, now: datetime) -> str:
    """Requests for one's own data that wait for the citizen."""
    today = local_today(now)
    count = sum(standing(found, today).asks_attention for found in data_requests(vault))
    if not count:
        return ""
    return t.n(
        "{n} demande attend quelque chose de vous",
        "{n} demandes attendent quelque chose de vous",
        count,
    )


def _waiting(t: Translator, deposits: int, points: int) -> str:
    parts = []
    if deposits:
        parts.append(
            t.n(
                "{n} dépôt attend dans la boîte de dépôt.",
                "{n} dépôts attendent dans la boîte de dépôt.",
                deposits,
            )
        )
    if points:
        parts.append(
            t.n(
                "{n} position de téléphone attend d'être relevée.",
                "{n} positions de téléphone attendent d'être relevées.",
                points,
            )
        )
    return " ".join(parts) or t("La boîte de dépôt est vide : tout est dans votre coffre.")


def _source(
    t: Translator, account: AccountStatus, phone: PhoneView | None = None
) -> dict[str, Any]:
    label, kind = HEALTH.get(account.health, HEALTH["failing"])
    more = []
    if phone is not None:
        more.append((t("Positions reçues"), t.number(phone.received)))
        if phone.waiting:
            more.append((t("En attente de relève"), t.number(phone.waiting)))
        for rule, count in sorted(phone.left_out.items()):
            why = t(REJECTED[rule]) if rule in REJECTED else rule
            more.append((t("Écartées"), t("{n} : {why}", n=t.number(count), why=why)))
    return {
        "id": account.id,
        "name": account.name if account.is_file else source_name(t, account.source),
        "account": account.name if account.can_pull else account.account,
        "scope": ", ".join(t(KINDS[k]) if k in KINDS else k for k in account.scope) or t("trajets"),
        "health": t(label),
        "health_kind": kind,
        "last_run": t.moment(account.last_run_at) if account.last_run_at else t("jamais"),
        "error": t(REJECTED.get(account.error_code, account.error_code))
        if account.error_code
        else "",
        "can_pull": account.can_pull and not account.revoked,
        "revoked": account.revoked,
        "more": more,
        "is_file": account.is_file,
        "report": bool(account.report),
        "source": account.source,
    }


def _linked(t: Translator, link: LinkInfo) -> dict[str, Any]:
    label, kind = HEALTH["revoked" if link.revoked else "ok" if link.last_seq else "never"]
    return {
        "id": f"{link.depositor} {link.account}",
        "name": link.name,
        "account": link.account,
        "scope": ", ".join(t(KINDS[k]) for k in link.scope if k in KINDS),
        "health": t(label),
        "health_kind": kind,
        "last_run": t.n("{n} dépôt", "{n} dépôts", link.last_seq),
        "error": "",
        "can_pull": False,
        "revoked": link.revoked,
        "more": [],
        "is_file": False,
        "report": False,
        "source": "",
    }


@router.post("/releve")
def drain(page: CheckedDep, vault: VaultDep) -> RedirectResponse:
    """Bring what waits in the drop-box into the vault."""
    return page.go("/sources", notice=drain_words(page.t, drain_all(vault)))


@router.post("/sources/interroger")
def pull(
    page: CheckedDep, context: ContextDep, vault: VaultDep, source: Annotated[str, Form()]
) -> RedirectResponse:
    """Ask a source now, then drain what it left."""
    t = page.t
    report = context.connectors.pull(vault.vault_id, source)
    if report.error:
        code = str(report.error)
        text = t(REJECTED[code]) if code in REJECTED else code
        return page.go(
            "/sources",
            notice=t("La source n'a pas pu être interrogée : {why}", why=text),
            kind="warn",
        )
    return page.go("/sources", notice=drain_words(t, drain_all(vault)))


@router.post("/sources/tracemob")
def add_tracemob(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    adresse: Annotated[str, Form(max_length=300)],
    jeton_source: Annotated[str, Form(max_length=500)],
) -> RedirectResponse:
    """Check the address and token, keep the token sealed, pull once."""
    t = page.t
    try:
        context.connectors.add_tracemob(vault.vault_id, adresse.strip(), jeton_source.strip())
    except ConnectorError as error:
        text = t(REJECTED[error.code]) if error.code in REJECTED else error.code
        return page.go(
            "/sources",
            notice=t("Cette source n'a pas pu être ajoutée : {why}", why=text),
            kind="bad",
        )
    context.connectors.pull_all(vault.vault_id)
    return page.go("/sources", notice=drain_words(t, drain_all(vault)))


def _operators_of(context: HomeContext, vault: OpenVault) -> list[tuple[str, str]]:
    """Services connected with the passport that may not leave bookings yet."""
    kept = {
        account.name
        for account in context.connectors.accounts(vault.vault_id)
        if BOOKING in account.scope and not account.revoked
    }
    return [
        (found.service_id, found.name)
        for found in connections(vault)
        if found.service is not None and slug(found.name) not in kept
    ]


@router.post("/sources/covoiturage")
def allow_bookings(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    service: Annotated[str, Form(max_length=500)],
) -> RedirectResponse:
    """Let a service that the citizen is connected to leave the bookings they make there."""
    t = page.t
    found = next((c for c in connections(vault) if c.service_id == service and c.service), None)
    if found is None or found.service is None:
        text = t("Connectez-vous d'abord chez cet opérateur avec votre passeport.")
        return page.go("/sources", notice=text, kind="warn")
    context.connectors.carpool.allow(
        vault.vault_id,
        service=service,
        subject=context.home.passport.subject(vault.vault_id, found.service),
        name=found.name,
    )
    text = t("{name} peut déposer vos covoiturages : ceux qui ont eu lieu, une fois validés.",
             name=found.name)  # fmt: skip
    return page.go("/sources", notice=text)


@router.post("/sources/operateur")
def add_operator(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    operateur: Annotated[str, Form(max_length=500)],
) -> Response:
    """Let an accredited operator leave journeys, and say what to give it."""
    t = page.t
    found = next((entry for entry in operators(context, page.now) if entry.did == operateur), None)
    if found is None:
        context.refresh_trust()  # one accredited this morning may deposit already
        found = next((e for e in operators(context, page.now) if e.did == operateur), None)
    if found is None:
        return page.go(
            "/sources", notice=t("Cet opérateur n'est pas au registre de confiance."), kind="bad"
        )
    account = f"operateur:{secrets.token_hex(6)}"
    context.home.link_depositor(
        vault.vault_id, found.did, account, name=found.name, scope=OPERATOR_SCOPE
    )
    return page.show(
        "operator.html",
        name=found.name,
        facts=[
            (t("Adresse de l'hébergeur du coffre"), context.settings.url(Node.HOME)),
            (t("Numéro de coffre"), vault.vault_id),
            (t("Compte"), account),
        ],
    )


def operators(context: HomeContext, at: datetime) -> list[TrustEntry]:
    """Accredited operators, by name."""
    trust = context.home.trust
    found = (
        []
        if trust is None
        else [e for e in trust.entries if Role.OPERATOR in e.roles and e.is_active(at)]
    )
    return sorted(found, key=lambda entry: entry.name)


@router.post("/sources/appairer")
def pair(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    nom: Annotated[str, Form(max_length=60)],
    factures: Annotated[str, Form(max_length=1)] = "",
) -> HTMLResponse:
    """A one-time code for an app that will push."""
    name = nom.strip() or page.t("Application")
    pairing = context.connectors.pair(vault.vault_id, name, invoices=bool(factures))
    return page.show(
        "pairing.html",
        name=name,
        code=pairing.shown,
        qr=qr_image(pairing.qr_payload),
        expires=page.t.moment(pairing.expires_at),
    )


@router.post("/sources/telephone")
def add_phone(
    page: CheckedDep, context: ContextDep, vault: VaultDep, app: Annotated[App, Form()]
) -> HTMLResponse:
    """A device token for a phone, in a QR code that sets its app up."""
    made = context.connectors.add_phone(vault.vault_id, app)
    answer = page.show(
        "phone.html",
        name=TITLES[app],
        systems=SYSTEMS[app],
        qr=qr_image(made.link, error="l"),
        link=made.link,
        values=made.values,
        expires=page.t.moment(page.now + CODE_TERM) if app == App.GPSLOGGER else "",
    )
    answer.headers["cache-control"] = "no-store"
    return answer


def qr_image(payload: str, *, error: str = "m") -> str:
    """A QR code as the address of an image."""
    drawn = io.BytesIO()
    segno.make(payload, error=error).save(drawn, kind="svg", scale=5, border=2)
    return "data:image/svg+xml;base64," + base64.b64encode(drawn.getvalue()).decode()


@router.post("/sources/retirer")
def revoke(
    page: CheckedDep, context: ContextDep, vault: VaultDep, source: Annotated[str, Form()]
) -> RedirectResponse:
    """Take a source's access away."""
    depositor, _, account = source.partition(" ")
    if account.startswith("operateur:"):
        context.home.revoke_link(vault.vault_id, Did(depositor), account)
    else:
        context.connectors.revoke(vault.vault_id, source)
    text = page.t("Accès retiré. Ce qui est déjà dans votre coffre y reste.")
    return page.go("/sources", notice=text)


@router.get("/sources/compte")
def one_source(
    page: PageDep,
    context: ContextDep,
    vault: VaultDep,
    source: Annotated[str, Query(max_length=200)] = "",
) -> HTMLResponse:
    """What the last runs of a source did, in words; without one, all sources."""
    if not source:
        return sources(page, context, vault)
    t = page.t
    account = next((a for a in context.connectors.accounts(vault.vault_id) if a.id == source), None)
    if account is None:
        raise UnknownAccountError("no such source")
    report = account.report
    running = report.get("running")
    facts = [
        (t("Compte"), account.name),
        (
            t("Dernier passage"),
            t.moment(account.last_run_at) if account.last_run_at else t("jamais"),
        ),
    ]
    if account.next_run_at is not None:
        facts.append((t("Prochain passage"), t.moment(account.next_run_at)))
    if report:
        facts += [
            (t("Éléments reçus"), t.number(report.get("records", 0))),
            (t("Déjà connus"), t.number(report.get("known", 0))),
            (t("Écartés"), t.number(report.get("rejectedCount", 0))),
        ]
    label, kind = HEALTH.get(account.health, HEALTH["failing"])
    return page.show(
        "source.html",
        name=source_name(t, account.source) if not account.is_file else account.name,
        account=account,
        health=t(label),
        health_kind=kind,
        facts=facts,
        progress=t(
            "En cours : {pages} pages, {records} éléments.",
            pages=t.number(running["pages"]),
            records=t.number(running["records"]),
        )
        if running
        else "",
        failures=int(report.get("failures", 0)),
        incident=_reason(t, report.get("error")),
        rejected=[[r["where"], _reason(t, r["code"])] for r in report.get("rejected", [])],
        skipped=[[left_out(t, r), t.number(n)] for r, n in report.get("skipped", {}).items()],
        history=[
            [
                t.moment(datetime.fromisoformat(line["at"])),
                t.number(line["records"]),
                t.number(line["rejected"]),
                _reason(t, line["error"]) or t("Tout va bien"),
            ]
            for line in report.get("history", [])
        ],
    )


def _reason(t: Translator, code: str | None) -> str:
    if not code:
        return ""
    return t(REJECTED[code]) if code in REJECTED else code
