"""« Factures et abonnements »: a file is read, each doubtful field is asked, then kept or not."""

# ruff: noqa: E501 - a sentence of the catalogue stands whole on one line

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from connectors.errors import (
    ConnectorError,
    Fault,
    HostileInputError,
    InvoiceSumError,
    PushInvalidError,
)
from connectors.invoices.draft import ASKED_BELOW, FIELDS, NEEDED, Draft, records_of
from connectors.invoices.files import MAX_FILE, read_invoices
from portal.glossary import REJECTED
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.bringing import earlier, kept, taken_back
from portal.pages.deps import CheckedDep, PageDep, VaultDep
from portal.pages.file_import import content_of, packed
from portal.views import local_today
from portal.web import Page
from schemas.ids import Iri
from schemas.records import Invoice, Record
from vault.documents import sniff
from vault.errors import DocumentRefusedError, HeadMovedError
from vault.imports import bring
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

SOURCE: Final = "facture"
WORDS: Final = {
    "issuer": N_("Qui l'a émise"),
    "siret": N_("SIRET de l'émetteur"),
    "number": N_("Numéro"),
    "day": N_("Date"),
    "total": N_("Montant payé, en euros"),
    "payer": N_("Qui a payé"),
    "holder": N_("Qui voyage (titulaire)"),
    "product": N_("Abonnement ou forfait"),
    "valid_from": N_("Valable du"),
    "valid_until": N_("Jusqu'au (inclus)"),
}
DAYS: Final = frozenset({"day", "valid_from", "valid_until"})
FORMATS: Final = {
    "cii": N_("Facture électronique (Factur-X), calculs vérifiés"),
    "ubl": N_("Facture électronique (UBL), calculs vérifiés"),
    "mob": N_("Facture au format de Mon Compte Mobilité, calculs vérifiés"),
    "ocpi": N_("Session de recharge (OCPI), énergie et coûts vérifiés"),
    "receipt": N_("Reçu lu dans son texte : vérifiez chaque champ"),
}
NOTES: Final = {
    "page-differs": N_("Le total écrit dans la facture électronique n'est pas celui de la page imprimée : regardez bien."),
    "net-equals-gross": N_("Le montant hors taxes annoncé est faux (égal au montant toutes taxes) : il n'est pas gardé."),
    "vat-unknown": N_("Le montant annoncé est hors taxes : donnez celui que vous avez payé."),
    "credit": N_("C'est un avoir : il reprend une session facturée."),
    "siret-invalid": N_("Le SIRET annoncé n'existe pas : il n'est pas gardé."),
}  # fmt: skip
RULES: Final = {
    "BR-CO-10": N_("la somme des lignes"),
    "BR-CO-11": N_("la somme des remises"),
    "BR-CO-12": N_("la somme des frais"),
    "BR-CO-13": N_("le total hors taxes"),
    "BR-CO-14": N_("la somme de la TVA"),
    "BR-CO-15": N_("le total toutes taxes"),
    "BR-CO-16": N_("le montant à payer"),
    "BR-CO-17": N_("la TVA d'un taux"),
    "BR-S-08": N_("la base d'un taux de TVA"),
    "BT-131": N_("le montant d'une ligne"),
    "BT-146": N_("le prix net d'une ligne"),
    "BT-92": N_("une remise en pourcentage"),
    "ocpi-energy": N_("l'énergie des périodes"),
    "ocpi-cost": N_("la somme des coûts"),
    "ocpi-vat": N_("le coût toutes taxes"),
    "mob-products": N_("la somme des produits"),
}
MAX_DRAFTS: Final = 120
"""Invoices of one file on one page: two charging sessions a week, for a year."""


@dataclass(frozen=True, slots=True)
class Upload:
    """The file under preview."""

    data: bytes
    name: str


@router.get("/coffre/factures")
def form(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """Choose a file; earlier ones can be taken back."""
    return _form(page, vault, Errors())


def _form(page: Page, vault: OpenVault, errors: Errors) -> HTMLResponse:
    return page.show(
        "invoices.html",
        status=422 if errors else 200,
        errors=errors,
        earlier=earlier(page.t, vault, SOURCE),
    )


@router.post("/coffre/factures")
def preview(page: CheckedDep, vault: VaultDep, fichier: Annotated[UploadFile, File()]) -> Response:
    """Read the file and show its fields. Nothing is kept: the file travels back in the form."""
    data = fichier.file.read(MAX_FILE + 1)
    name = (fichier.filename or "").replace("\\", "/").rsplit("/", 1)[-1][:100]
    try:
        drafts = _drafts(page, data)
    except ConnectorError as error:
        return _form(page, vault, Errors(fichier=_why(page.t, error)))
    return _preview(page, Upload(data, name), drafts, {}, Errors())


def _drafts(page: Page, data: bytes) -> tuple[Draft, ...]:
    """What the file holds. Raises as `read_invoices`; PushInvalidError: more than one page shows."""
    drafts = read_invoices(data, today=local_today(page.now))
    if len(drafts) > MAX_DRAFTS:
        where = page.t("{n} factures, {most} au plus à la fois", n=len(drafts), most=MAX_DRAFTS)
        raise PushInvalidError([Fault(where, "length", f"at most {MAX_DRAFTS}")])
    return drafts


def _why(t: Translator, error: ConnectorError) -> str:
    match error:
        case InvoiceSumError():
            what = ", ".join(t(RULES[rule]) if rule in RULES else rule for rule in error.rules)
            return t(
                "Les calculs de cette facture sont faux ({what}) : elle a pu être modifiée. Rien n'a été gardé.",
                what=what,
            )
        case PushInvalidError():
            return t("Ce fichier n'a pas pu être lu : {why}", why=error.where)
        case _:
            text = t(REJECTED[error.code]) if error.code in REJECTED else error.code
            return t("Ce fichier n'a pas pu être lu : {why}", why=text)  # fmt: skip


def _preview(
    page: Page,
    upload: Upload,
    drafts: tuple[Draft, ...],
    given: dict[str, str],
    errors: Errors,
) -> HTMLResponse:
    t = page.t
    return page.show(
        "invoice_preview.html",
        status=422 if errors else 200,
        errors=errors,
        name=upload.name or t("Fichier importé"),
        content=packed(upload.data),
        drafts=[_shown(t, number, draft, given, errors) for number, draft in enumerate(drafts)],
        keeps_file=_is_kept(upload.data),
    )


def _is_kept(data: bytes) -> bool:
    try:
        sniff(data)
    except DocumentRefusedError:
        return False
    return True


def _shown(
    t: Translator, number: int, draft: Draft, given: dict[str, str], errors: Errors
) -> dict[str, Any]:
    fields = []
    for name in FIELDS:
        guess = draft.fields.get(name)
        sure = guess is not None and guess.confidence >= ASKED_BELOW
        read = "" if guess is None else _as_typed(name, guess.value)
        key = f"{name}-{number}"
        doubt = t("Lu : {value}. Ce n'est pas sûr, recopiez-le du document.", value=read)
        fields.append(
            {
                "name": key,
                "label": t(WORDS[name]),
                "value": given.get(key, read if sure else ""),
                "type": "date" if name in DAYS else "text",
                "hint": doubt if read and not sure else "",
                "required": name in NEEDED,
                "error": errors.get(key),
            }
        )
    return {
        "number": number,
        "format": t(FORMATS[draft.format]),
        "currency": draft.currency,
        "notes": [t(NOTES[note]) for note in draft.notes],
        "fields": fields,
        "lines": [
            [line.label, t.number(line.quantity), t.amount(line.unit_amount)]
            for line in draft.lines
        ]
        if draft.currency == "EUR"
        else [],
    }


def _as_typed(name: str, value: str) -> str:
    """As a person writes it: the total in euros."""
    if name != "total":
        return value
    cents = int(value)
    sign, cents = ("-" if cents < 0 else ""), abs(cents)
    return f"{sign}{cents // 100},{cents % 100:02d}"


def _typed(name: str, text: str) -> str:
    """Back: euros to cents. Raises HostileInputError with the field's name."""
    text = text.strip()
    if name != "total" or not text:
        return text
    plain = (
        text.replace("\u202f", "")
        .replace("\xa0", "")
        .replace(" ", "")
        .rstrip("€")
        .replace(",", ".")
    )
    sign = "-" if plain.startswith("-") else ""
    whole, _, cents = plain.lstrip("-").partition(".")
    if not whole.isdecimal() or len(cents) > 2 or (cents and not cents.isdecimal()):
        raise HostileInputError("not an amount", where="total")
    return f"{sign}{int(whole) * 100 + int((cents + '00')[:2])}"  # fmt: skip


@router.post("/coffre/factures/garder")
async def keep(request: Request, page: CheckedDep, vault: VaultDep) -> Response:
    """Keep what the person agreed to, with the file it was read from."""
    values = {key: str(value) for key, value in (await request.form()).items()}
    return await run_in_threadpool(_keep, page, vault, values)


def _keep(page: Page, vault: OpenVault, form: dict[str, str]) -> Response:
    t = page.t
    try:
        upload = Upload(content_of(form.get("contenu", "")), form.get("nom", "")[:100])
        drafts = _drafts(page, upload.data)
    except ConnectorError as error:
        return _form(page, vault, Errors(fichier=_why(t, error)))
    records: list[Record] = []
    errors = Errors()
    for number, draft in enumerate(drafts):
        if form.get(f"sans-{number}"):
            continue
        try:
            values = {n: _typed(n, form.get(f"{n}-{number}", "")) for n in FIELDS}
            records += records_of(
                values, lines=draft.lines, currency=draft.currency, extra=draft.extra
            )
        except HostileInputError as error:
            errors[f"{error.where}-{number}"] = t("À vérifier : {what}", what=t(WORDS.get(error.where or "", N_("Date"))))  # fmt: skip
    if errors:
        return _preview(page, upload, drafts, form, errors)
    bills = [record for record in records if isinstance(record, Invoice)]
    files: list[tuple[str, bytes, Iri]] = []
    if bills and _is_kept(upload.data):
        files.append((upload.name or t("Facture"), upload.data, bills[0].id))
    try:
        made = bring(vault, records, source=SOURCE, files=files)
    except HeadMovedError:
        made = bring(vault, records, source=SOURCE, files=files)  # keys were renewed: once more
    return kept(page, made, "/coffre/factures")


@router.post("/coffre/factures/annuler")
def undo(
    page: CheckedDep, vault: VaultDep, importation: Annotated[str, Form(max_length=64)]
) -> RedirectResponse:
    """Take an import back, the file too."""
    return taken_back(page, vault, importation, "/coffre/factures")
