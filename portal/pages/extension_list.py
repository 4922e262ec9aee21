"""« Extensions »: which ones there are, what each keeps in this vault, what it publishes; and
records of those that are not installed here."""

from collections import Counter

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse, Response

from portal.extension_pages import words_of
from portal.i18n import Translator
from portal.pages.deps import PageDep, VaultDep
from portal.views import short
from schemas.extensions import Extension, installed
from schemas.records import ExtensionRecord, Kind
from vault.extensions import strangers

router = APIRouter(include_in_schema=False)


def _shown(t: Translator, extension: Extension) -> dict[str, object]:
    return {
        "name": extension.name,
        "title": words_of(t, extension.title),
        "summary": words_of(t, extension.summary),
        "home": extension.home,
        "facts": [
            (t("Version"), t.number(extension.version)),
            (t("Licence"), extension.licence),
            (t("Vocabulaire"), extension.namespace),
            (
                t("Ce qu'elle garde"),
                ", ".join(words_of(t, kind.title) for kind in extension.records),
            ),
            (
                t("Ce qu'elle peut dire, avec votre accord"),
                ", ".join(words_of(t, fact.title) for fact in extension.facts) or t("rien"),
            ),
        ],
        "files": [f"/extensions/{extension.name}/{name}" for name in extension.files()],
    }


@router.get("/extensions")
def published(page: PageDep) -> HTMLResponse:
    """The installed extensions and what they publish, for anybody."""
    return page.show(
        "extensions_public.html",
        extensions=[_shown(page.t, extension) for extension in installed().values()],
    )


@router.get("/extensions/{extension}/{file}")
def published_file(extension: str, file: str) -> Response:
    """Context, vocabulary, shapes, JSON Schemas and profiles of one extension."""
    named = installed().get(extension)
    found = None if named is None else named.files().get(file)
    if found is None:
        raise HTTPException(status_code=404)
    media_type, text = found
    return Response(text, media_type=media_type, headers={"Cache-Control": "public, max-age=3600"})


@router.get("/coffre/extensions")
def kept(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """What each extension keeps in this vault, and what nobody here can read."""
    t = page.t
    counts = Counter(
        record.extension
        for record in vault.all(Kind.EXTENSION)
        if isinstance(record, ExtensionRecord)
    )
    return page.show(
        "extensions.html",
        extensions=[
            {
                **_shown(t, extension),
                "count": t.n("{n} donnée", "{n} données", counts[extension.name]),
            }
            for extension in installed().values()
        ],
        strangers=[
            {
                "id": short(record.id),
                "title": record.title,
                "summary": record.summary,
                "text": t(
                    "D'une extension qui n'est pas installée ici : {name}.", name=record.extension
                ),
            }
            for record in strangers(vault)
        ],
    )


__all__ = ["router"]
