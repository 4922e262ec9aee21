"""Who is told of the funder's aids, and the links that tell them; the page a link leads to."""

from typing import Annotated, Final

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response

from federation.aids.model import AidStatus, Visibility
from portal.i18n import N_
from portal.pages.checks import text_of
from portal.pages.hub import CheckedDep, ContextDep, OfficerDep, PageDep, desk_nav
from portal.settings import Node

router = APIRouter(include_in_schema=False, prefix="/guichet")
public = APIRouter(include_in_schema=False)

WHO: Final = {
    Visibility.PUBLIC: N_("Tout le monde"),
    Visibility.AFFILIATED: N_("Le personnel affilié"),
    Visibility.COMMUNITY: N_("La communauté"),
}


@router.get("/aides/reservees")
def reserved(page: PageDep, context: ContextDep, who: OfficerDep) -> HTMLResponse:
    """Each aid with who is told of it, and a link for each circle."""
    t = page.t
    links = context.hub.reserved.links(who)
    aids = [aid for aid in context.hub.aids.of(who) if aid.status is not AidStatus.DRAFT]
    return page.show(
        "desk_reserved.html",
        nav=desk_nav(page, who),
        headers={"cache-control": "no-store"},
        rows=[
            {
                "slug": aid.slug,
                "title": text_of(t, aid.titles),
                "who": aid.visibility.value,
            }
            for aid in aids
        ],
        options=[(code.value, t(word)) for code, word in WHO.items()],
        links=[
            {
                "code": code.value,
                "title": t(WHO[code]),
                "href": href,
                "count": sum(aid.visibility is code for aid in aids),
            }
            for code, href in links.items()
        ],
    )


@router.post("/aides/reservees")
def show_to(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    aide: Annotated[str, Form(max_length=160)] = "",
    visible: Annotated[Visibility, Form()] = Visibility.PUBLIC,
) -> Response:
    """Say who is told of an aid."""
    context.hub.reserved.show_to(who, aide, visible)
    t = page.t
    text = (
        t("L'aide est de nouveau au catalogue ouvert.")
        if visible is Visibility.PUBLIC
        else t("L'aide n'est plus au catalogue ouvert : seuls ceux qui ont le lien la voient.")
    )
    return page.go("/guichet/aides/reservees", notice=text)


@router.post("/aides/reservees/lien")
def renew(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    visible: Annotated[Visibility, Form()] = Visibility.AFFILIATED,
) -> Response:
    """Another link in place of the one that was handed out."""
    context.hub.reserved.renew(who, visible)
    text = page.t("Nouveau lien. L'ancien n'ouvre plus rien de nouveau : redonnez celui-ci.")
    return page.go("/guichet/aides/reservees", notice=text)


@public.get("/reserve")
def handed_over(page: PageDep, context: ContextDep) -> HTMLResponse:
    """Where a link leads a browser: what follows « # » never reaches us."""
    headers = {"referrer-policy": "no-referrer"}
    home = f"{context.settings.url(Node.HOME)}/aides/reservees"
    return page.show("reserved_link.html", headers=headers, home=home)
