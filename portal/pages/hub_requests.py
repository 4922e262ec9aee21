"""Asking from another device: the hub shows a QR code, a phone's vault answers, the page says so.

The hub mints the application's id here, because nobody's vault is known yet; everything else is the
same request that a vault asks for itself. Who sees the page learns that an answer came, not whose.
"""

# ruff: noqa: PLR0917 - a route's or a verb's parameters are its form's fields

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, JSONResponse, Response

from federation.aids.model import CheckMode
from federation.did import DidMalformedError
from federation.did.web import url_of
from federation.hub.errors import AidNotOpenError, ChallengeExpiredError, PeriodRefusedError
from federation.openid4vp import invitation_link
from federation.trust import Role
from portal.context import HubPages
from portal.pages.access import SCRIPT_POLICY, Errors
from portal.pages.aids import aid_title
from portal.pages.hub import CheckedDep, ContextDep, PageDep
from portal.pages.sources import qr_image
from portal.pages.vault import default_period
from portal.settings import Node
from portal.views import local_today
from portal.web import Page
from schemas.ids import mint_iri
from vault.presenting import PRESENTER

router = APIRouter(include_in_schema=False)

ANY_WALLET: Final = "openid4vp://"
MAX_HOMES: Final = 50


@router.get("/aides/{slug}/autre-appareil")
def other_device(page: PageDep, context: ContextDep, slug: str) -> HTMLResponse:
    """For which days; the code follows."""
    since, until = default_period(local_today(page.now))
    return _form(page, context, slug, since, until, Errors())


def _form(
    page: Page, context: HubPages, slug: str, since: date, until: date, errors: Errors
) -> HTMLResponse:
    aid = context.hub.publishing.public().aid(slug)
    if aid.check_mode is CheckMode.LINK_OUT:
        raise AidNotOpenError
    return page.show(
        "hub_request_new.html",
        status=422 if errors else 200,
        errors=errors,
        aid={"slug": slug, "title": aid_title(page.t, aid), "funder": aid.funder_name},
        since=since.isoformat(),
        until=until.isoformat(),
    )


@router.post("/aides/{slug}/autre-appareil")
def ask(
    page: CheckedDep,
    context: ContextDep,
    slug: str,
    du: Annotated[date, Form()],
    au: Annotated[date, Form()],
) -> Response:
    """Make one request; its code is shown until it is answered or expires."""
    aid = context.hub.publishing.public().aid(slug)
    try:
        pointer = context.hub.applications.request(aid.id, mint_iri(), period=(du, au))
    except PeriodRefusedError:
        text = page.t(
            "Cette période ne convient pas : un an au plus, déjà commencée, et pas trop ancienne."
        )
        return _form(page, context, slug, du, au, Errors(au=text))
    return page.go(f"/aides/{slug}/demande/{pointer.request_uri.rpartition('/')[2]}")


@router.get("/aides/{slug}/demande/{request_id}")
def code(
    page: PageDep,
    context: ContextDep,
    slug: str,
    request_id: str,
    chez: Annotated[str, Query(max_length=300)] = "",
) -> HTMLResponse:
    """The code of one request, or that its answer came."""
    t = page.t
    aid = context.hub.publishing.public().aid(slug)
    state = _state(context, request_id)
    shown: dict[str, Any] = {
        "aid": {"slug": slug, "title": aid_title(t, aid), "funder": aid.funder_name},
        "here": f"/aides/{slug}/demande/{request_id}",
        "state": state,
    }
    if state != "waiting":
        return page.show("hub_request.html", **shown)
    invitation = context.hub.applications.invitation(request_id)
    homes = _homes(context)
    chosen = next((home for home in homes if home["did"] == chez), homes[0] if homes else None)
    is_any = chez == "autre" or chosen is None
    endpoint = ANY_WALLET if is_any or chosen is None else chosen["endpoint"]
    link = invitation_link(endpoint, invitation)
    return page.show(
        "hub_request.html",
        headers={"content-security-policy": SCRIPT_POLICY},
        **shown,
        qr=qr_image(link, error="l"),
        link=link,
        home="" if is_any or chosen is None else chosen["name"],
        homes=[home for home in homes if home is not chosen or is_any],
        is_any=is_any,
        expires=t.moment(context.hub.applications.expires_at(request_id)),
    )


def _homes(context: HubPages) -> list[dict[str, str]]:
    """Accredited homes, by name: where a person may have their vault."""
    entries = context.hub.registry.current().with_role(Role.HOME, context.clock())
    found = []
    for entry in sorted(entries, key=lambda entry: entry.name)[:MAX_HOMES]:
        loopback = context.settings.url(Node.HUB).startswith("http://")
        try:
            document = url_of(entry.did, loopback_http=loopback)
        except DidMalformedError:
            continue
        origin = "/".join(document.split("/")[:3])
        found.append({"did": entry.did, "name": entry.name, "endpoint": origin + PRESENTER})
    return found


@router.get("/aides/{slug}/demande/{request_id}/etat")
def state_of(context: ContextDep, slug: str, request_id: str) -> JSONResponse:
    """`waiting`, `answered`, `declined` or `expired`, for the page's script; nothing of it."""
    context.hub.publishing.public().aid(slug)
    return JSONResponse(
        {"state": _state(context, request_id)}, headers={"cache-control": "no-store"}
    )


def _state(context: HubPages, request_id: str) -> str:
    try:
        if not context.hub.applications.is_answered(request_id):
            return "waiting"
        declined = context.hub.applications.is_declined(request_id)
        return "declined" if declined else "answered"
    except ChallengeExpiredError:
        return "expired"


__all__ = ["router"]
