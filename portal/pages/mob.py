"""moB's export brought into the vault: what it holds, then keep it, then take it back if wished."""

import base64
import binascii
import zlib
from typing import Annotated, Any, Final

from fastapi import APIRouter, File, Form, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from connectors.errors import ConnectorError
from connectors.mob.export import SOURCE, MobExport, read_export, records
from connectors.mob.workbook import MAX_FILE
from portal.glossary import REJECTED, STATES
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.bringing import earlier, kept, taken_back
from portal.pages.deps import CheckedDep, PageDep, VaultDep
from portal.pages.vault import ATTRIBUTE_TITLES
from portal.views import local_today
from portal.web import Page
from schemas.records import Application, Attribute
from vault.imports import bring, fresh
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

ROWS: Final = {
    "not-a-date": N_("ce n'est pas une date"),
    "date-out-of-range": N_("cette date n'est pas possible"),
    "unknown-status": N_("statut inconnu"),
    "incomplete": N_("nom de l'aide ou financeur manquant"),
    "unknown-label": N_("ligne inconnue"),
    "not-a-sheet-of-mob": N_("feuille qui n'est pas de Mon Compte Mobilité"),
}


@router.get("/sources/mob")
def mob_form(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """Choose the file; earlier imports can be taken back."""
    return _form(page, vault, Errors())


def _form(page: Page, vault: OpenVault, errors: Errors, *, status: int = 200) -> HTMLResponse:
    return page.show(
        "mob.html",
        status=status,
        errors=errors,
        earlier=earlier(page.t, vault, SOURCE),
    )


@router.post("/sources/mob")
def mob_preview(
    page: CheckedDep, vault: VaultDep, fichier: Annotated[UploadFile, File()]
) -> Response:
    """Read the file and say what it holds. Nothing is kept: the file travels back in the form."""
    data = fichier.file.read(MAX_FILE + 1)
    try:
        export = read_export(data, today=local_today(page.now))
    except ConnectorError as error:
        return _refused(page, vault, error)
    t = page.t
    new = fresh(vault, records(export, at=page.now))
    return page.show(
        "mob_preview.html",
        attributes=_attributes(t, export, {r.name for r in new if isinstance(r, Attribute)}),
        requests=_requests(
            t, export, {r.extra["importedRow"] for r in new if isinstance(r, Application)}
        ),
        rejected=[
            {"where": r.where, "code": t(ROWS[r.code]) if r.code in ROWS else r.code}
            for r in export.rejected
        ],
        count=len(new),
        content=base64.b64encode(zlib.compress(data, 6)).decode(),
    )


def _attributes(t: Translator, export: MobExport, new: set[str]) -> list[dict[str, Any]]:
    return [
        {
            "title": t(ATTRIBUTE_TITLES[name]) if name in ATTRIBUTE_TITLES else name,
            "value": t.day(value, "long") if name == "identity.birthdate" else value,
            "new": name in new,
        }
        for name, value in export.attributes.items()
    ]


def _requests(t: Translator, export: MobExport, new: set[object]) -> list[dict[str, Any]]:
    out = []
    for request in export.requests:
        label, kind = STATES.get(request.state.value, (request.state.value, ""))
        out.append(
            {
                "title": request.title,
                "funder": request.funder,
                "when": t.day(request.asked_on, "long"),
                "state": t(label),
                "kind": kind,
                "new": request.key in new,
                "attachments": ", ".join(request.attachments),
            }
        )
    return out


def _refused(page: Page, vault: OpenVault, error: ConnectorError) -> HTMLResponse:
    t = page.t
    text = t(REJECTED[error.code]) if error.code in REJECTED else error.code
    where = str(getattr(error, "where", "") or "")
    if where:
        text = f"{text} ({where})"
    errors = Errors(fichier=t("Ce fichier n'a pas pu être lu : {why}", why=text))
    return _form(page, vault, errors, status=422)


@router.post("/sources/mob/confirmer")
def mob_keep(page: CheckedDep, vault: VaultDep, contenu: Annotated[str, Form()]) -> Response:
    """Keep what the vault lacks."""
    t = page.t
    try:
        packed = base64.b64decode(contenu, validate=True)
        data = zlib.decompressobj().decompress(packed, MAX_FILE + 1)
        export = read_export(data, today=local_today(page.now))
    except (binascii.Error, zlib.error, ValueError):
        return page.go("/sources/mob", notice=t("Choisissez le fichier à nouveau."), kind="warn")
    except ConnectorError as error:
        return _refused(page, vault, error)
    made = bring(vault, records(export, at=page.now), source=SOURCE)
    return kept(page, made, "/sources/mob")


@router.post("/sources/mob/annuler")
def mob_undo(
    page: CheckedDep, vault: VaultDep, importation: Annotated[str, Form(max_length=64)]
) -> RedirectResponse:
    """Take an import back."""
    return taken_back(page, vault, importation, "/sources/mob")
