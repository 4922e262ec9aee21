"""Sources: health, pull, pair, import with a preview, revoke; and the drain."""

import base64
import binascii
import contextlib
import io
import json
import secrets
import zlib
from datetime import datetime
from typing import Annotated, Any, Final

import segno
from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from connectors.emission.modes import label_mode
from connectors.errors import (
    ConnectorError,
    HostileInputError,
    MappingError,
    UnknownAccountError,
    UnknownFormatError,
)
from connectors.mapping import (
    FIELDS,
    FORMATS,
    MAX_MAPPING,
    MappedFile,
    MappingFile,
    Proposal,
    fold,
    propose,
)
from connectors.phones.form import App
from connectors.phones.service import PhoneView
from connectors.phones.setup import SYSTEMS, TITLES
from connectors.push.service import CODE_TERM, slug
from connectors.service import AccountStatus
from federation.trust import Role, TrustEntry
from portal.context import HomeContext
from portal.errors import AttestationTooLargeError
from portal.glossary import MODES, REJECTED, mode_word
from portal.i18n import N_, Translator
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.settings import Node
from portal.views import source_name
from portal.web import Page
from schemas.ids import Did
from schemas.observations import TripObservation
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
    "Point": N_("positions"),
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
        phones=[(app.value, f"{TITLES[app]} ({SYSTEMS[app]})") for app in App],
        sources=[_source(t, account, phones.get(account.id)) for account in accounts]
        + [_linked(t, link) for link in links],
        waiting_text=_waiting(t, waiting.deposits, points),
        tracemob_url=f"{context.settings.url(Node.SANDBOX)}/traces"
        if context.settings.sandbox
        else "",
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
    return page.show(
        "pairing.html",
        name=nom.strip() or page.t("Application"),
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


@router.post("/sources/importer")
def preview(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    fichier: Annotated[UploadFile, File()],
    modele: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Read a file and say what it holds. Nothing is kept: the file travels back in the form.

    A table nobody knows leads to the mapping assistant; `modele` is a mapping somebody gave.
    """
    data = fichier.file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise AttestationTooLargeError(size=len(data), limit=MAX_FILE)
    name = (fichier.filename or "").rsplit("/", 1)[-1][:100]
    try:
        mapping = None
        if modele is not None and modele.filename:
            mapping = MappingFile.read(modele.file.read(MAX_MAPPING + 1))
        return _preview(page, context, data, name, mapping)
    except UnknownFormatError as error:
        try:
            return _assistant(page, data, name, kept_mapping(vault, data))
        except ConnectorError:
            return _refused(page, error.code)
    except ConnectorError as error:
        return _refused(page, error.code)


def _preview(
    page: Page, context: HomeContext, data: bytes, name: str, mapping: MappingFile | None
) -> Response:
    found = context.connectors.preview(data, mapping=mapping)
    t = page.t
    period = ""
    if found.since is not None and found.until is not None:
        since, until = t.day(found.since, "long"), t.day(found.until, "long")
        period = t("du {since} au {until}", since=since, until=until)
    return page.show(
        "import_preview.html",
        name=name or t("Fichier importé"),
        format=found.title,
        trips=found.trips,
        labels=found.labels,
        period=period,
        samples=[_sample(t, trip) for trip in found.samples],
        skipped=[
            (_left_out(t, reason), t.number(count)) for reason, count in found.skipped.items()
        ],
        rejected_count=found.rejected_count,
        rejected=[
            {"where": r.where, "code": t(REJECTED[r.code]) if r.code in REJECTED else r.code}
            for r in found.rejected
        ],
        content=base64.b64encode(zlib.compress(data, 6)).decode(),
        mapping="" if mapping is None else json.dumps(mapping.to_json(), ensure_ascii=False),
        download=None if mapping is None else as_download(mapping),
    )


def as_download(mapping: MappingFile) -> str:
    """A mapping as the address of a file to keep or to give."""
    text = json.dumps(mapping.to_json(), ensure_ascii=False, indent=2)
    return "data:application/json;base64," + base64.b64encode(text.encode()).decode()


def _sample(t: Translator, trip: TripObservation) -> list[str]:
    claims = trip.mode_claims or tuple(c for leg in trip.legs for c in leg.mode_claims)
    mode = mode_word(claims[0].mode.value).label if claims else mode_word("unknown").label
    return [
        t.moment(trip.started_at),
        t(mode),
        t("{n} km", n=t.number((trip.distance or 0) / 1000, 1)),
    ]


def _left_out(t: Translator, reason: str) -> str:
    rule = reason.removeprefix("point: ")
    return t(REJECTED[rule]) if rule in REJECTED else reason


@router.post("/sources/importer/confirmer")
def confirm_import(  # noqa: PLR0917  # the form's fields
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    contenu: Annotated[str, Form()],
    nom: Annotated[str, Form(max_length=100)] = "",
    modele: Annotated[str, Form(max_length=MAX_MAPPING)] = "",
) -> Response:
    """Deposit the previewed file and drain it; a mapping that served is kept in the vault."""
    try:
        data = _content(contenu)
        mapping = MappingFile.read(modele.encode()) if modele else None
        context.connectors.import_file(vault.vault_id, data, nom, mapping=mapping)
    except ConnectorError as error:
        return _refused(page, error.code)
    if mapping is not None:
        keep_mapping(vault, mapping)
    return page.go("/trajets", notice=drain_words(page.t, drain_all(vault)))


def _content(contenu: str) -> bytes:
    """The file that travelled in the form."""
    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(base64.b64decode(contenu, validate=True), MAX_FILE + 1)
    except (binascii.Error, zlib.error, ValueError):
        raise HostileInputError("the form's file is broken") from None
    if len(data) > MAX_FILE:
        raise AttestationTooLargeError(size=len(data), limit=MAX_FILE)
    return data


# the mapping assistant

MAPPINGS: Final = "mappings"
"""The sealed setting that keeps the citizen's own mappings, newest first."""
MAX_KEPT: Final = 20


def kept_mappings(vault: OpenVault) -> list[MappingFile]:
    """Mappings this citizen used before; one of an older form is left out."""
    found = []
    for document in json.loads(vault.setting(MAPPINGS) or b"[]"):
        with contextlib.suppress(MappingError):
            found.append(MappingFile.parse(document))
    return found


def kept_mapping(vault: OpenVault, data: bytes) -> MappingFile | None:
    """The citizen's own mapping of such a file."""
    return next((m for m in kept_mappings(vault) if MappedFile(m).sniff(data[:65_536])), None)


def keep_mapping(vault: OpenVault, mapping: MappingFile) -> None:
    """Remember a mapping, sealed; one of the same columns is replaced."""
    others = [m for m in kept_mappings(vault) if m.detect != mapping.detect]
    documents = [m.to_json() for m in (mapping, *others)[:MAX_KEPT]]
    vault.put_setting(MAPPINGS, json.dumps(documents, ensure_ascii=False).encode())


FIELD_WORDS: Final = {
    "startedAt": N_("Départ : date et heure"),
    "endedAt": N_("Arrivée : date et heure"),
    "duration": N_("Durée"),
    "distance": N_("Distance"),
    "mode": N_("Mode de transport"),
    "originLat": N_("Départ : latitude"),
    "originLon": N_("Départ : longitude"),
    "originLabel": N_("Départ : lieu"),
    "destinationLat": N_("Arrivée : latitude"),
    "destinationLon": N_("Arrivée : longitude"),
    "destinationLabel": N_("Arrivée : lieu"),
    "purpose": N_("Motif"),
    "id": N_("Identifiant"),
    "time": N_("Date et heure"),
    "lat": N_("Latitude"),
    "lon": N_("Longitude"),
    "accuracy": N_("Précision, en mètres"),
}
FORMAT_WORDS: Final = {
    "iso": N_("2026-11-22T08:15 (ISO)"),
    "epoch": N_("secondes depuis 1970"),
    "epoch-ms": N_("millisecondes depuis 1970"),
    "%d/%m/%Y %H:%M": N_("22/11/2026 08:15"),
    "%d/%m/%Y %H:%M:%S": N_("22/11/2026 08:15:00"),
    "%Y-%m-%d %H:%M": N_("2026-11-22 08:15"),
    "%Y-%m-%d %H:%M:%S": N_("2026-11-22 08:15:00"),
    "%d-%m-%Y %H:%M": N_("22-11-2026 08:15"),
    "%m/%d/%Y %H:%M": N_("11/22/2026 08:15 (mois d'abord)"),
    "%d/%m/%Y": N_("22/11/2026"),
}
UNIT_CHOICES: Final = {"distance": ("km", "m", "mi"), "duration": ("min", "s", "h")}


def _assistant(
    page: Page, data: bytes, name: str, mapping: MappingFile | None, error: str = ""
) -> Response:
    """What each column is: guessed, or as a person said before."""
    found = propose(data, draft=None if mapping is None else mapping.to_json())
    return _assistant_page(page, data, name, found, error)


def _assistant_page(
    page: Page, data: bytes, name: str, found: Proposal, error: str
) -> HTMLResponse:
    t, draft = page.t, found.draft
    fields: dict[str, Any] = draft["fields"]
    chosen_values = fields.get("mode", {}).get("values", {})
    columns = [("", t("– aucune –")), *((c, c) for c in found.columns)]
    rows = []
    for field_name in FIELDS[draft["kind"]]:
        given = fields.get(field_name, {})
        source = given.get("from") or [""]
        source = [source] if isinstance(source, str) else source
        rows.append(
            {
                "name": field_name,
                "label": t(FIELD_WORDS[field_name]),
                "columns": columns,
                "chosen": source[0],
                "second": source[1] if len(source) > 1 else "",
                "units": [(u, u) for u in UNIT_CHOICES.get(field_name, ())],
                "unit": given.get("unit"),
                "formats": [(f, t(FORMAT_WORDS[f])) for f in FORMATS]
                if field_name in {"startedAt", "endedAt", "time"}
                else [],
                "format": given.get("format"),
            }
        )
    return page.show(
        "mapping.html",
        status=422 if error else 200,
        name=name or t("Fichier importé"),
        kind=draft["kind"],
        title=draft["title"],
        zone=draft["timeZone"],
        rows=rows,
        columns=found.columns,
        samples=[list(row) for row in found.samples],
        words=[
            {"word": word, "chosen": _mode_of(word, chosen_values), "name": f"mot-{index}"}
            for index, word in enumerate(found.modes)
        ],
        modes=[(code, t(label)) for code, label in MODES.items()],
        content=base64.b64encode(zlib.compress(data, 6)).decode(),
        error=error,
    )


def _mode_of(word: str, chosen: dict[str, str]) -> str:
    known = label_mode(word)
    return chosen.get(fold(word)) or chosen.get(word) or (known.value if known else "unknown")


@router.post("/sources/modele")
async def mapping(
    request: Request, page: CheckedDep, context: ContextDep, vault: VaultDep
) -> Response:
    """The columns a person named: the preview, or the assistant again with what is missing."""
    del vault  # it must be open
    form = {key: str(value) for key, value in (await request.form()).items()}
    return await run_in_threadpool(_mapped, page, context, form)


def _mapped(page: Page, context: HomeContext, form: dict[str, str]) -> Response:
    name = form.get("nom", "")[:100]
    try:
        data = _content(form.get("contenu", ""))
        kind = form.get("genre", "trips")
        draft: dict[str, Any] = {
            "name": slug(form.get("titre", "") or "mon-modele"),
            "title": form.get("titre", "")[:200] or page.t("Mon modèle"),
            "kind": kind if kind in FIELDS else "trips",
            "timeZone": form.get("fuseau", "Europe/Paris"),
            "fields": {},
        }
        for field_name in FIELDS[draft["kind"]]:
            sources = [form.get(f"de-{field_name}", ""), form.get(f"et-{field_name}", "")]
            given: dict[str, Any] = {"from": [s for s in sources if s]}
            if not given["from"]:
                continue
            for key, member in (("unite", "unit"), ("format", "format")):
                if form.get(f"{key}-{field_name}"):
                    given[member] = form[f"{key}-{field_name}"]
            draft["fields"][field_name] = given
        found = propose(data, draft=draft)
        if "mode" in found.draft["fields"]:
            values = {
                word: form[f"mot-{index}"]
                for index, word in enumerate(found.modes)
                if form.get(f"mot-{index}") and form.get(f"pour-{index}") == word
            }
            found.draft["fields"]["mode"]["values"] = values
        if form.get("revoir"):
            return _assistant_page(page, data, name, found, "")
        try:
            made = MappingFile.parse(found.draft)
        except MappingError as error:
            where = error.where or "/"
            field_name = where.rpartition("/")[2]
            missing = page.t(FIELD_WORDS[field_name]) if field_name in FIELD_WORDS else where
            text = page.t("Il manque ou il faut revoir : {what}", what=missing)
            return _assistant_page(page, data, name, found, text)
        return _preview(page, context, data, name, made)
    except ConnectorError as error:
        return _refused(page, error.code)


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
        skipped=[[_left_out(t, r), t.number(n)] for r, n in report.get("skipped", {}).items()],
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


def _refused(page: Page, code: str) -> RedirectResponse:
    t = page.t
    text = t(REJECTED[code]) if code in REJECTED else code
    return page.go(
        "/sources", notice=t("Ce fichier n'a pas pu être lu : {why}", why=text), kind="bad"
    )
