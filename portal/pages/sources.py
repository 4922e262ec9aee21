"""Sources: health, pull, pair, import with a preview, revoke; and the drain."""

import base64
import binascii
import io
import secrets
import zlib
from datetime import datetime
from typing import Annotated, Any, Final

import segno
from fastapi import APIRouter, File, Form, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from connectors.errors import ConnectorError
from connectors.service import AccountStatus
from federation.trust import Role, TrustEntry
from portal.context import HomeContext
from portal.errors import AttestationTooLargeError
from portal.glossary import REJECTED
from portal.i18n import N_, Translator
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.settings import Node
from portal.views import source_name
from portal.web import Page
from schemas.ids import Did
from vault.model import DrainReport, LinkInfo
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

MAX_FILE: Final = 10_000_000
OPERATOR_SCOPE: Final = ("Trip", "Invoice", "Subscription", "Credential")
HEALTH: Final = {
    "never": (N_("Pas encore de passage"), ""),
    "ok": (N_("Tout va bien"), "ok"),
    "failing": (N_("Ne répond pas comme prévu : on réessaie"), "warn"),
    "revoked": (N_("Accès refusé ou retiré"), "bad"),
}
KINDS: Final = {
    "Trip": N_("trajets"),
    "Invoice": N_("factures"),
    "Subscription": N_("abonnements"),
    "Attribute": N_("attributs certifiés"),
    "Credential": N_("documents signés"),
}


@router.get("/sources")
def sources(page: PageDep, context: ContextDep, vault: VaultDep) -> HTMLResponse:
    """Every source with its last run and health."""
    t = page.t
    waiting = vault.waiting()
    accounts = context.connectors.accounts(vault.vault_id)
    links = [
        link for link in context.home.links(vault.vault_id) if link.account.startswith("operateur:")
    ]
    return page.show(
        "sources.html",
        operators=[(entry.did, entry.name) for entry in operators(context, page.now)],
        sources=[_source(t, account) for account in accounts]
        + [_linked(t, link) for link in links],
        waiting_text=t.n(
            "{n} dépôt attend dans la boîte de dépôt.",
            "{n} dépôts attendent dans la boîte de dépôt.",
            waiting.deposits,
        )
        if waiting.deposits
        else t("La boîte de dépôt est vide : tout est dans votre coffre."),
        tracemob_url=f"{context.settings.url(Node.SANDBOX)}/traces"
        if context.settings.sandbox
        else "",
    )


def _source(t: Translator, account: AccountStatus) -> dict[str, Any]:
    label, kind = HEALTH.get(account.health, HEALTH["failing"])
    return {
        "id": account.id,
        "name": source_name(t, account.source),
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
    }


@router.post("/releve")
def drain(page: CheckedDep, vault: VaultDep) -> RedirectResponse:
    """Bring what waits in the drop-box into the vault."""
    return page.go("/sources", notice=drain_words(page.t, drain_all(vault)))


def drain_all(vault: OpenVault) -> DrainReport:
    """Drain slice by slice until nothing waits."""
    total = vault.drain()
    while total.waiting:
        step = vault.drain()
        if not step.deposits and not step.quarantined:
            break
        total = total.plus(step)
    return total


def drain_words(t: Translator, report: DrainReport) -> str:
    """What a drain did, in one sentence."""
    if not report.deposits:
        return t("Rien de nouveau dans la boîte de dépôt.")
    parts = [t.n("{n} nouveau trajet", "{n} nouveaux trajets", report.trips_new)]
    if report.trips_changed:
        parts.append(t.n("{n} trajet mis à jour", "{n} trajets mis à jour", report.trips_changed))
    if report.duplicates:
        parts.append(t.n("{n} doublon réuni", "{n} doublons réunis", report.duplicates))
    if report.quarantined:
        parts.append(t.n("{n} en quarantaine", "{n} en quarantaine", report.quarantined))
    return ", ".join(parts) + "."


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
    page: CheckedDep, context: ContextDep, vault: VaultDep, nom: Annotated[str, Form(max_length=60)]
) -> HTMLResponse:
    """A one-time code for an app that will push."""
    pairing = context.connectors.pair(vault.vault_id, nom.strip() or page.t("Application"))
    qr = io.BytesIO()
    segno.make(pairing.qr_payload, error="m").save(qr, kind="svg", scale=5, border=2)
    return page.show(
        "pairing.html",
        name=nom.strip() or page.t("Application"),
        code=pairing.shown,
        qr="data:image/svg+xml;base64," + base64.b64encode(qr.getvalue()).decode(),
        expires=page.t.moment(pairing.expires_at),
    )


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


@router.post("/sources/importer")
def preview(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,  # noqa: ARG001 - the vault must be open
    fichier: Annotated[UploadFile, File()],
) -> Response:
    """Read a file and say what it holds. Nothing is kept: the file travels back in the form."""
    data = fichier.file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise AttestationTooLargeError(size=len(data), limit=MAX_FILE)
    name = (fichier.filename or "").rsplit("/", 1)[-1][:100]
    try:
        found = context.connectors.preview(data)
    except ConnectorError as error:
        return _refused(page, error.code)
    t = page.t
    period = ""
    if found.since is not None and found.until is not None:
        since, until = t.day(found.since, "long"), t.day(found.until, "long")
        period = t("du {since} au {until}", since=since, until=until)
    return page.show(
        "import_preview.html",
        name=name or t("Fichier importé"),
        trips=found.trips,
        labels=found.labels,
        period=period,
        rejected=[
            {"where": r.where, "code": t(REJECTED[r.code]) if r.code in REJECTED else r.code}
            for r in found.rejected
        ],
        content=base64.b64encode(zlib.compress(data, 6)).decode(),
    )


@router.post("/sources/importer/confirmer")
def confirm_import(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    contenu: Annotated[str, Form()],
    nom: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Deposit the previewed file and drain it."""
    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(base64.b64decode(contenu, validate=True), MAX_FILE + 1)
    except (binascii.Error, zlib.error, ValueError):
        return _refused(page, "unknown-format")
    if len(data) > MAX_FILE:
        raise AttestationTooLargeError(size=len(data), limit=MAX_FILE)
    try:
        context.connectors.import_file(vault.vault_id, data, nom)
    except ConnectorError as error:
        return _refused(page, error.code)
    return page.go("/trajets", notice=drain_words(page.t, drain_all(vault)))


def _refused(page: Page, code: str) -> RedirectResponse:
    t = page.t
    text = t(REJECTED[code]) if code in REJECTED else code
    return page.go(
        "/sources", notice=t("Ce fichier n'a pas pu être lu : {why}", why=text), kind="bad"
    )
