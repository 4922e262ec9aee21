"""« Avis »: what moved since the citizen looked, and how they are told while the vault is locked."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

from typing import Annotated, Final

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response

from portal.glossary import STATES
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.checks import text_of
from portal.pages.deps import CheckedDep, PageDep, VaultDep
from portal.views import short
from portal.web import Page
from vault.errors import NoticeRefusedError
from vault.news import News, fresh, look
from vault.notices import Notices, choose, chosen, is_possible
from vault.open_vault import OpenVault

__all__ = ["news_rows", "router"]

router = APIRouter(include_in_schema=False)

LANGUAGES: Final = (("fr", "français"), ("en", "English"))
WORDS: Final = {
    "address": N_("Ce n'est pas une adresse de courriel."),
    "language": N_("Choisissez une langue."),
    "no-mail": N_("Cet hébergeur n'envoie pas de courriel."),
}


def news_rows(t: Translator, vault: OpenVault) -> list[dict[str, str]]:
    """What moved, for a list of links."""
    return [_row(t, news) for news in fresh(vault)]


def _row(t: Translator, news: News) -> dict[str, str]:
    found = news.application
    given = found.extra.get("aidTitle")
    if news.step is None:
        text = t("Le financeur demande à vérifier quelques preuves.")
    else:
        label, _ = STATES.get(news.step.state.value, (news.step.state.value, ""))
        text = f"{t(label)} · {t.moment(news.step.at)}"
        if found.amount and news.step.state.value in ("accepted", "awarded", "paid"):
            text = f"{t(label)}, {t.amount(found.amount)} · {t.moment(news.step.at)}"
    return {
        "href": f"/demandes/{short(found.id)}",
        "icon": "aids",
        "title": text_of(t, given) if given else str(found.aid),
        "text": text,
    }


@router.get("/coffre/avis")
def notices(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """What is new, and how to be told."""
    return _page(page, vault, chosen(vault), Errors())


def _page(page: Page, vault: OpenVault, given: Notices, errors: Errors) -> HTMLResponse:
    return page.show(
        "notices.html",
        status=422 if errors else 200,
        errors=errors,
        news=news_rows(page.t, vault),
        has_mail=is_possible(vault.home),
        address=given.address,
        languages=LANGUAGES,
        language=given.language,
        told=bool(chosen(vault).address),
    )


@router.post("/coffre/avis")
def set_notices(
    page: CheckedDep,
    vault: VaultDep,
    adresse: Annotated[str, Form(max_length=255)] = "",
    langue: Annotated[str, Form(max_length=2)] = "fr",
    arreter: Annotated[str, Form(max_length=1)] = "",
) -> Response:
    """Be told by mail, or no longer."""
    t, address = page.t, "" if arreter else adresse.strip()
    try:
        if not address and not arreter:
            raise NoticeRefusedError("address")
        choose(vault, address=address, language=langue)
    except NoticeRefusedError as error:
        errors = Errors(adresse=t(WORDS[error.reason]))
        return _page(page, vault, Notices(adresse, langue), errors)
    text = (
        t("Vous recevrez un courriel quand une demande avance, un par jour au plus.")
        if address
        else t("Plus aucun courriel ne part. L'adresse est effacée.")
    )
    return page.go("/coffre/avis", notice=text)


@router.post("/coffre/avis/lus")
def read_all(page: CheckedDep, vault: VaultDep) -> Response:
    """Everything new was seen here."""
    for news in fresh(vault):
        look(vault, news.application)
    return page.go("/coffre/avis", notice=page.t("Tous les avis sont lus."))
