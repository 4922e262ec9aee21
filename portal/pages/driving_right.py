"""« Mes droits de circuler »: what a derogation left in the vault, its code, its paper."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

from datetime import date
from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from federation.credentials.qr import write_code
from portal.driving_right import DrivingRight, render_driving_right
from portal.i18n import Translator
from portal.pages.deps import ContextDep, PageDep, VaultDep
from portal.pages.sources import qr_image
from portal.pages.verify import document_facts
from portal.settings import Node
from portal.views import iri, local_today, short
from schemas.records import Credential
from vault.errors import RecordUnknownError
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

ACCESS: Final = "ZoneAccessCredential"


def rights_of(vault: OpenVault) -> list[Credential]:
    """The newest first."""
    return list(reversed(vault.credentials(ACCESS)))


def right_of(vault: OpenVault, uuid_text: str) -> Credential:
    """Raises RecordUnknownError: none by that name."""
    record = vault.get(iri(uuid_text))
    if not isinstance(record, Credential) or record.type != ACCESS:
        raise RecordUnknownError(iri(uuid_text))
    return record


def _last(record: Credential) -> date:
    return date.fromisoformat(str(record.document["credentialSubject"]["lastDay"]))


def _zone(record: Credential) -> str:
    subject = record.document["credentialSubject"]
    return str(subject.get("zoneName") or subject["zone"])


def _standing(t: Translator, record: Credential, today: date) -> tuple[str, str]:
    last = _last(record)
    if today > last:
        return t("terminé depuis le {day}", day=t.day(last, "long")), "warn"
    return t("valable jusqu'au {day}", day=t.day(last, "long")), "ok"


def _issuer(context: ContextDep, record: Credential) -> str:
    trust = context.home.trust
    entry = None if trust is None else trust.entry(record.issuer)
    return entry.name if entry is not None else record.issuer


@router.get("/coffre/circuler")
def rights(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """Every right to drive that the vault holds."""
    t, today = page.t, local_today(page.now)
    rows = []
    for record in rights_of(vault):
        text, kind = _standing(t, record, today)
        rows.append({"id": short(record.id), "title": _zone(record), "text": text, "kind": kind})
    return page.show("driving_rights.html", rows=rows)


@router.get("/coffre/circuler/{uuid_text}")
def one_right(page: PageDep, context: ContextDep, vault: VaultDep, uuid_text: str) -> HTMLResponse:
    """The code to show, and what it says."""
    t = page.t
    record = right_of(vault, uuid_text)
    text, kind = _standing(t, record, local_today(page.now))
    code = write_code(record.document)
    return page.show(
        "driving_right.html",
        id=short(record.id),
        title=_zone(record),
        standing=text,
        kind=kind,
        qr=qr_image(code, error="l"),
        code=code,
        facts=document_facts(t, record.document, _issuer(context, record)),
    )


@router.get("/coffre/circuler/{uuid_text}/papier")
def paper(page: PageDep, context: ContextDep, vault: VaultDep, uuid_text: str) -> Response:
    """The same on paper."""
    t = page.t
    record = right_of(vault, uuid_text)
    issuer = _issuer(context, record)
    pdf = render_driving_right(
        DrivingRight(
            document=record.document,
            issuer_name=issuer,
            facts=[
                pair
                for pair in document_facts(t, record.document, issuer)
                if pair[0] != t("Empreinte de la preuve")
            ],
            until=t.day(_last(record), "long"),
            verify_url=f"{context.settings.url(Node.HUB)}/verifier",
            made_at=page.now,
            sandbox=context.settings.sandbox,
        ),
        t,
    )
    headers = {
        "content-disposition": f'attachment; filename="droit-de-circuler-{short(record.id)[:8]}.pdf"',
        "cache-control": "no-store",
    }
    return Response(pdf, media_type="application/pdf", headers=headers)


__all__ = ["right_of", "rights_of", "router"]
