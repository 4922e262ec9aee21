"""What every page that brings a file into the vault says: kept, kept before, taken back."""

from typing import Any

from fastapi.responses import RedirectResponse

from portal.i18n import Translator
from portal.web import Page
from vault.errors import ActRefusedError
from vault.imports import Brought, brought, take_out
from vault.open_vault import OpenVault


def earlier(t: Translator, vault: OpenVault, source: str) -> list[dict[str, Any]]:
    """The imports of `source` that can be taken back."""
    return [
        {
            "id": item.id,
            "when": t.moment(item.at),
            "count": t.n("{n} enregistrement", "{n} enregistrements", len(item.records)),
        }
        for item in brought(vault)
        if item.source == source
    ]


def kept(page: Page, made: Brought | None, where: str) -> RedirectResponse:
    """Back to `where`, saying what was kept; `made` is None where the vault had all of it."""
    t = page.t
    if made is None:
        return page.go(where, notice=t("Tout était déjà dans votre coffre."))
    count = t.n("{n} enregistrement", "{n} enregistrements", len(made.records))
    return page.go(where, notice=t("Gardé dans votre coffre : {count}.", count=count))


def taken_back(page: Page, vault: OpenVault, import_id: str, where: str) -> RedirectResponse:
    """Take the import back; what the person edited since stays, and the page says how much."""
    t = page.t
    try:
        removed, edited = take_out(vault, import_id)
    except ActRefusedError:
        return page.go(where, notice=t("Cet import est déjà annulé."), kind="warn")
    text = t.n("{n} enregistrement retiré.", "{n} enregistrements retirés.", removed)
    if edited:
        more = t.n(
            "{n} gardé, car vous l'avez modifié.",
            "{n} gardés, car vous les avez modifiés.",
            edited,
        )
        text = f"{text} {more}"
    return page.go(where, notice=text)
