"""« Aides réservées »: the links a citizen was handed, and what they open, in the open vault."""

# ruff: noqa: E501 - a sentence of the catalogue stands whole on one line

from typing import Annotated, Final

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response

from portal.i18n import N_
from portal.pages.access import Errors
from portal.pages.aids import aid_title, current_catalogue
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.web import Page
from vault.circles import circles, join, keys_of, leave
from vault.errors import ActRefusedError
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

REFUSALS: Final = {
    "circle-link": N_("Ce n'est pas un lien d'aides réservées : copiez-le en entier, avec ce qui suit « # »."),
    "circle-unknown": N_("Ce lien n'ouvre rien : il a été remplacé, ou vient d'ailleurs. Demandez-en un autre."),
    "too-many-circles": N_("Vous gardez déjà vingt liens : oubliez-en un d'abord."),
}  # fmt: skip


@router.get("/aides/reservees")
def reserved(page: PageDep, context: ContextDep, vault: VaultDep) -> HTMLResponse:
    """What each link opens now."""
    return _page(page, context, vault, Errors())


def _page(
    page: Page, context: ContextDep, vault: OpenVault, errors: Errors, *, link: str = ""
) -> HTMLResponse:
    t = page.t
    titles = {}
    if keys_of(vault):
        catalogue = current_catalogue(context.catalogue, of=vault)
        titles = {aid.slug: aid_title(t, aid) for aid in catalogue.aids}
    return page.show(
        "circles.html",
        status=422 if errors else 200,
        errors=errors,
        link=link,
        circles=[
            {
                "name": found.name,
                "funder": found.funder or t("Lien qui n'ouvre plus rien"),
                "since": t.day(found.since.date(), "long"),
                "aids": [(f"/aides/{slug}", titles[slug]) for slug in found.aids if slug in titles],
            }
            for found in circles(vault)
        ],
    )


@router.post("/aides/reservees")
def keep(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    lien: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Keep a link, if it opens something."""
    t = page.t
    try:
        found = join(vault, lien)
    except ActRefusedError as error:
        errors = Errors(lien=t(REFUSALS[str(error.reason)]))
        return _page(page, context, vault, errors, link=lien)
    text = t("Les aides réservées de {funder} sont avec les autres.", funder=found.funder)
    return page.go("/aides/reservees", notice=text)


@router.post("/aides/reservees/oublier")
def forget(
    page: CheckedDep, vault: VaultDep, cercle: Annotated[str, Form(max_length=60)] = ""
) -> Response:
    """Forget a link; what was applied for goes on."""
    leave(vault, cercle)
    return page.go("/aides/reservees", notice=page.t("Le lien est oublié."))
