"""Notices of a desk's people, how each wants them, and the page behind an affiliation link."""

# ruff: noqa: PLR0917 - a route's parameters are its form's fields

from typing import Annotated, Final

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response

from federation.hub.access import Action
from federation.hub.affiliation_links import home_link
from federation.hub.errors import EntryRefusedError, InvitationRefusedError, NoMailError
from federation.hub.members import Member
from federation.hub.model import MailChoice, NoticeKind
from portal.context import HubPages
from portal.i18n import N_
from portal.pages.access import Errors
from portal.pages.checks import text_of
from portal.pages.hub import CheckedDep, ContextDep, OfficerDep, PageDep, desk_nav
from portal.settings import Node
from portal.views import local_today, short
from portal.web import Page

__all__ = ["public", "router"]

router = APIRouter(include_in_schema=False, prefix="/guichet/avis")
public = APIRouter(include_in_schema=False)

KINDS: Final = {
    NoticeKind.NEW: N_("Une demande à examiner"),
    NoticeKind.ANSWERED: N_("Une réponse est arrivée"),
    NoticeKind.APPEALED: N_("Un refus est contesté"),
}
CHOICES: Final = (
    (MailChoice.EACH, N_("À chaque avis")),
    (MailChoice.DAILY, N_("Un résumé le matin, s'il reste des avis à lire")),
    (MailChoice.NEVER, N_("Jamais : je regarde ici")),
)
LANGUAGES: Final = (("fr", "français"), ("en", "English"))


def _page(
    page: Page,
    context: HubPages,
    who: Member,
    *,
    errors: Errors | None = None,
    address: str | None = None,
) -> HTMLResponse:
    t, notices = page.t, context.hub.notices
    chosen = notices.preference(who)
    return page.show(
        "desk_notices.html",
        status=422 if errors else 200,
        nav=desk_nav(page, who),
        errors=errors or Errors(),
        notices=[
            {
                "title": t(KINDS[item.notice.kind]),
                "aid": text_of(t, item.aid_titles),
                "when": t.moment(item.notice.at),
                "href": f"/guichet/demandes/{short(item.notice.application)}",
                "unread": item.notice.read_at is None,
            }
            for item in notices.shown(who)
        ],
        unread=notices.unread(who),
        has_mail=notices.has_mail,
        choices=[(choice.value, t(text), choice is chosen.mail) for choice, text in CHOICES],
        address=chosen.address if address is None else address,
        languages=LANGUAGES,
        language=chosen.language,
    )


@router.get("")
def notices(page: PageDep, context: ContextDep, who: OfficerDep) -> HTMLResponse:
    """A member's notices, and how they want them."""
    who.require(Action.READ_QUEUE)
    return _page(page, context, who)


@router.post("/lus")
def read(page: CheckedDep, context: ContextDep, who: OfficerDep) -> Response:
    """All of a member's notices are read."""
    who.require(Action.READ_QUEUE)
    context.hub.notices.read(who)
    return page.go("/guichet/avis", notice=page.t("Tous les avis sont lus."))


@router.post("/reglages")
def choose(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    courriel: Annotated[str, Form(max_length=10)] = "",
    adresse: Annotated[str, Form(max_length=255)] = "",
    langue: Annotated[str, Form(max_length=2)] = "fr",
) -> Response:
    """How a member wants to be told."""
    who.require(Action.READ_QUEUE)
    t = page.t
    try:
        context.hub.notices.choose(who, mail=courriel, address=adresse.strip(), language=langue)
    except EntryRefusedError as error:
        faults = {
            "address": ("adresse", t("Ce n'est pas une adresse de courriel.")),
            "mail": ("courriel", t("Choisissez quand vous voulez un courriel.")),
        }
        name, text = faults.get(error.where or "", faults["mail"])
        return _page(page, context, who, errors=Errors({name: text}), address=adresse)
    return page.go("/guichet/avis", notice=t("Vos réglages sont enregistrés."))


@router.post("/liens")
def send_links(page: CheckedDep, context: ContextDep, who: OfficerDep) -> Response:
    """An affiliation link to everybody of the staff list who waits for one."""
    who.require(Action.MANAGE_STAFF)
    t = page.t
    try:
        count = context.hub.links.send(who)
    except NoMailError:
        return page.go("/guichet/agents", notice=t("Ce guichet n'envoie pas de courriel."))
    text = t.n(
        "{n} lien part dans les minutes qui viennent.",
        "{n} liens partent dans les minutes qui viennent.",
        count,
    )
    return page.go("/guichet/agents", notice=text)


@public.get("/affiliation/{token}")
def affiliation(page: PageDep, context: ContextDep, token: str) -> HTMLResponse:
    """What a link of the employer's mail stands for; opening it uses nothing up."""
    t = page.t
    headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
    try:
        found = context.hub.links.open(token)
    except InvitationRefusedError:
        return page.show("affiliation_link.html", status=404, headers=headers, link=None)
    return page.show(
        "affiliation_link.html",
        headers=headers,
        link={
            "funder": found.funder_name,
            "code": found.code,
            "until": t.day(local_today(found.until), "long"),
            "home": home_link(context.settings.url(Node.HOME), found.code),
            "offer": found.offer,
            "reserved": context.hub.reserved.handed_with_affiliation(found.slug),
        },
    )
