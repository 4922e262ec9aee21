"""Arriving with an archive: what « Tout emporter » gave at another home becomes a vault here."""

# ruff: noqa: E501 - a sentence of the catalogue stands whole on one line

import asyncio
import threading
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from portal.context import HomeContext
from portal.i18n import Translator
from portal.pages.access import MIN_PASSPHRASE, Errors, keep, later
from portal.pages.deps import CheckedDep, ContextDep, PageDep
from portal.web import Page
from vault.archive.arriving import INTERRUPTED, Arrival
from vault.errors import ArrivalBusyError

router = APIRouter(include_in_schema=False)

COOKIE: Final = "__Host-arrivee"
"""What follows one arrival, and opens what is said at its end."""
WAIT_S: Final = 3.0
"""A small archive is there within it, and so is a wrong passphrase: no page in between."""
_FIELDS: Final = 20
UPLOADS: Final = 4
"""Archives that this process takes in at once: what anybody sends lies on its disk until it is
whole."""
UPLOAD_S: Final = 1800
"""An upload that is slower gives its place to others: 2 GB at 9 Mbit/s."""
_uploads = threading.BoundedSemaphore(UPLOADS)


class _ToDisk(MultiPartParser):
    """An archive is sealed: past its first megabyte it goes to a file without a name, which ends
    with the request or the process. (Other uploads are plaintext and stay in memory.)"""

    spool_max_size = 1 << 20


@router.get("/arriver")
def arrive_form(page: PageDep, context: ContextDep) -> HTMLResponse:
    """What is needed, and what does not move."""
    return _form(page, context, Errors())


@router.post("/arriver")
async def arrive(request: Request, page: PageDep, context: ContextDep) -> Response:
    """Take the archive and begin to restore it."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        none = page.t("Choisissez le fichier de votre archive.")
        return _form(page, context, Errors(archive=none))
    # Before gigabytes are taken for nothing.
    if context.home.arriving.is_busy or not _uploads.acquire(blocking=False):
        return _busy(page, context, ArrivalBusyError())
    parser = _ToDisk(
        request.headers, request.stream(), max_files=1, max_fields=_FIELDS, max_part_size=4_000
    )
    try:
        async with asyncio.timeout(UPLOAD_S):
            form = await parser.parse()
    except (MultiPartException, TimeoutError):
        cut = Errors(archive=page.t("Le fichier n'est pas arrivé en entier : recommencez."))
        return _form(page, context, cut)
    finally:
        _uploads.release()
    begun = False
    try:
        answer = await run_in_threadpool(_begin, page, context, form)
        begun = answer.status_code == 303
    finally:
        if not begun:
            await form.close()
    return answer


def _begin(page: Page, context: HomeContext, form: FormData) -> Response:
    values = {name: value for name, value in form.items() if isinstance(value, str)}
    page.check_form(values.get("jeton", ""))
    t, errors, archive = page.t, Errors(), form.get("archive")
    phrase, fresh = values.get("phrase", ""), values.get("nouvelle", "")
    if not isinstance(archive, UploadFile) or not archive.size:
        errors["archive"] = t("Choisissez le fichier de votre archive.")
    if not phrase:
        errors["phrase"] = t("Donnez la phrase secrète de l'archive.")
    if len(fresh) < MIN_PASSPHRASE:
        errors["nouvelle"] = t(
            "La phrase secrète doit compter au moins {n} caractères.", n=MIN_PASSPHRASE
        )
    elif fresh != values.get("encore", ""):
        errors["encore"] = t("Les deux phrases ne sont pas identiques.")
    if not values.get("compris"):
        errors["compris"] = t("Cochez la case pour continuer.")
    if errors or not isinstance(archive, UploadFile):
        return _form(page, context, errors)
    try:
        follows = context.home.arriving.begin(
            archive.file, phrase, fresh, label=values.get("nom", "").strip()[:80], wait_s=WAIT_S
        )
    except ArrivalBusyError as error:
        return _busy(page, context, error)
    answer = page.go("/arriver/suite")
    answer.set_cookie(COOKIE, follows, secure=True, httponly=True, samesite="lax")
    return answer


@router.get("/arriver/suite")
def progress(request: Request, page: PageDep, context: ContextDep) -> Response:
    """How far it is; what went wrong, on the form; or that it is there."""
    found = context.home.arriving.look(request.cookies.get(COOKIE, ""))
    if found is None:
        return page.go("/arriver")
    if found.failed:
        return _form(page, context, _fault(page.t, found.failed), status=200)
    return page.show(
        "arriving.html",
        tabs=False,
        vault_id=found.vault_id,
        counted=_counted(page.t, found),
        lowered=found.lowered,
    )


@router.post("/arriver/fin")
def finish(request: Request, page: CheckedDep, context: ContextDep) -> Response:
    """Open the vault and show its recovery code, once."""
    follows = request.cookies.get(COOKIE, "")
    found = context.home.arriving.look(follows)
    if found is None or not found.vault_id:
        return page.go("/arriver/suite")
    client = request.client.host if request.client else "unknown"
    token = context.home.unlock(found.vault_id, recovery_code=found.recovery_code, client=client)
    answer = page.show(
        "created.html",
        tabs=False,
        code=found.recovery_code,
        vault_id=found.vault_id,
        with_passkey=False,
        arrived=_counted(page.t, found),
    )
    context.home.arriving.forget(follows)
    answer.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax")
    keep(answer, token)
    return answer


def _form(page: Page, context: HomeContext, errors: Errors, **more: Any) -> HTMLResponse:
    status = more.pop("status", 422 if errors else 200)
    limit = page.t.number(context.settings.archive_mb)
    return page.show("arrive.html", tabs=False, status=status, errors=errors, limit=limit, **more)


def _busy(page: Page, context: HomeContext, error: ArrivalBusyError) -> HTMLResponse:
    text = page.t(
        "Une autre archive est en cours de reprise ici. Réessayez dans une minute : rien n'a été pris."
    )
    status, headers = later(error)
    return _form(page, context, Errors(archive=text), status=status, headers=headers)


def _fault(t: Translator, code: str) -> Errors:
    """What is wrong with the archive, at the field where it is put right."""
    match code:
        case "age-no-match":
            return Errors(phrase=t("Cette phrase n'ouvre pas cette archive. Rien n'a été gardé."))
        case "age-header" | "archive-refused":
            text = t(
                "Ce fichier n'est pas l'archive d'un coffre, ou il est coupé. Rien n'a été gardé."
            )
        case "age-mac" | "age-payload":
            text = t(
                "Cette archive est incomplète ou a été modifiée : téléchargez-la à nouveau. Rien n'a été gardé."
            )
        case "archive-newer":
            text = t(
                "Cette archive vient d'une version plus récente du logiciel : cet hébergeur doit d'abord se mettre à jour. Rien n'a été gardé."
            )
        case "archive-invalid":
            text = t(
                "Il manque quelque chose à cette archive, ou elle a été modifiée. Rien n'a été gardé."
            )
        case _ if code == INTERRUPTED:
            text = t(
                "La reprise s'est arrêtée en chemin. Donnez la même archive et les mêmes phrases : elle continue où elle en était."
            )
        case _:
            text = t(
                "La reprise a échoué, et l'incident est consigné sans vos données. Rien n'a été gardé."
            )
    return Errors(archive=text)


def _counted(t: Translator, found: Arrival) -> str:
    """What is there, in words."""
    done = found.done
    if not found.vault_id:
        return t(
            "Repris jusqu'ici : {observations} observations, {trips} trajets, {records} autres éléments.",
            observations=t.number(done.get("observations", 0)),
            trips=t.number(done.get("trips", 0)),
            records=t.number(done.get("records", 0)),
        )
    return t(
        "Trajets : {trips}. Documents : {documents}. Consentements : {consents}.",
        trips=t.number(done.get("trips", 0)),
        documents=t.number(done.get("documents", 0)),
        consents=t.number(found.consents),
    )
