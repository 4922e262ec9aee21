"""« Mon territoire »: what there is in a commune, an EPCI, a departement, a region.

At the hub for anybody, under one stable address that also gives JSON-LD; in the home with the
commune of the open vault, from the catalogue the home holds anyway: the hub does not learn whose.
"""

# ruff: noqa: PLR0917 - a route's parameters are its query's fields

import hashlib
from typing import Annotated, Final

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from federation.aids.errors import UnknownTerritoryError
from federation.aids.territories import by_code, gazetteer, search, territory_name
from federation.aids.territory import LEVELS as TERRITORY_LEVELS
from federation.aids.territory import place_of, places_of, portrait
from federation.hub.open_data import etag_of, knows
from federation.hub.territory import linked_territory, offers_of
from federation.offers import is_in
from portal.pages.aids import LEVELS, commune_of, current_catalogue
from portal.pages.deps import ContextDep, PageDep, VaultDep
from portal.pages.hub import ContextDep as HubContextDep
from portal.pages.hub import PageDep as HubPageDep
from portal.pages.territory_view import territory_view
from portal.settings import Node
from portal.views import local_today

__all__ = ["public", "router"]

public = APIRouter(include_in_schema=False)
router = APIRouter(include_in_schema=False)

JSONLD: Final = "application/ld+json"
REVALIDATED: Final = {
    "cache-control": "no-cache",
    "vary": "Accept, Accept-Language, Cookie",
}
"""A reader may keep the page and asks each time whether it is still this one."""
FOUND: Final = 12


@public.get("/territoires")
def choose(page: HubPageDep, q: Annotated[str, Query(max_length=80)] = "") -> HTMLResponse:
    """A name or postcode → the communes and territories it may be."""
    t, text = page.t, q.strip()
    communes = [
        (
            f"/territoires/commune/{c.code}",
            c.name,
            f"{', '.join(c.postcodes[:3])} · {c.departement}",
        )
        for c in (search(text)[:FOUND] if text else [])
    ]
    wider = [
        (f"/territoires/{level}/{code}", territory_name(level, code) or code, t(LEVELS[level]))
        for level, code in (gazetteer().wider(text)[:FOUND] if text else [])
    ]
    regions = sorted(
        (territory_name("region", code) or code, code)
        for code in {c.region for c in gazetteer().communes()}
        if territory_name("region", code)
    )
    return page.show(
        "territories.html",
        query=q,
        found=[
            {"href": href, "name": name, "text": said} for href, name, said in (*communes, *wider)
        ],
        regions=[{"href": f"/territoires/region/{c}", "name": name} for name, c in regions],
    )


@public.get("/territoires/{niveau}/{code}")
def territory(
    page: HubPageDep,
    context: HubContextDep,
    niveau: Annotated[str, Path(max_length=16)],
    code: Annotated[str, Path(max_length=24)],
    profil: Annotated[str, Query(max_length=40)] = "",
    accept: Annotated[str, Header(max_length=1024)] = "",
    if_none_match: Annotated[str | None, Header(max_length=128)] = None,
) -> Response:
    """A territory: the page, or the same as JSON-LD when that is what is accepted."""
    hub = context.hub
    found = hub.open_data.portrait(niveau, code)
    place = found.place
    if place.code != code:  # a part of a commune is read as its commune, under one address
        return RedirectResponse(f"/territoires/{niveau}/{place.code}", status_code=308)
    if JSONLD in accept:
        document = linked_territory(hub, niveau, code)
        headers = {"etag": f'"{etag_of(document)}"', **REVALIDATED}
        if knows(if_none_match, etag_of(document)):
            return Response(status_code=304, headers=headers)
        return JSONResponse(document, media_type=JSONLD, headers=headers)
    answer = page.show(
        "hub_territory.html",
        **territory_view(
            page.t,
            hub.publishing.public(),
            found,
            local_today(page.now),
            link=lambda level, one: f"/territoires/{level}/{one}",
            profile=profil,
            offers=[(one.card, one.operator_name) for one in offers_of(hub, found)],
            built=hub.infrastructure.of(place),
        ),
        action=f"/territoires/{niveau}/{code}",
        hidden={},
        feed=f"/communes/{code}/nouvelles.atom" if niveau == "commune" else "",
        linked=f"/v1/territories/{niveau}/{code}",
        simulate=f"{context.settings.url(Node.HOME)}/simuler",
    )
    etag = hashlib.sha256(bytes(answer.body)).hexdigest()[:32]
    del answer.headers["set-cookie"]  # no form of ours is in it
    answer.headers.update({"etag": f'"{etag}"', **REVALIDATED})
    if knows(if_none_match, etag):
        kept = {name: answer.headers[name] for name in ("etag", *REVALIDATED)}
        return Response(status_code=304, headers=kept)
    return answer


@public.get("/communes/{code}")
def commune(code: Annotated[str, Path(max_length=24)]) -> RedirectResponse:
    """The older address of a commune's page."""
    here = by_code(code)
    if here is None:
        raise UnknownTerritoryError("commune", code)
    return RedirectResponse(f"/territoires/commune/{here.code}", status_code=308)


@router.get("/territoire")
def mine(
    page: PageDep,
    context: ContextDep,
    vault: VaultDep,
    niveau: Annotated[str, Query(max_length=16)] = "commune",
    code: Annotated[str, Query(max_length=24)] = "",
    profil: Annotated[str, Query(max_length=40)] = "",
) -> HTMLResponse:
    """The citizen's own commune, and the territories around and inside it. Computed here: the hub
    is asked for nothing but the catalogue that every home fetches."""
    here = commune_of(vault)
    place = None
    if code and niveau in TERRITORY_LEVELS:
        place = place_of(niveau, code)
    elif here is not None:
        place = next((one for one in places_of(here) if one.level == niveau), None)
    if place is None:
        if code or here is not None:
            raise UnknownTerritoryError(niveau, code)
        return page.show("my_territory.html", known=False)
    catalogue, at = current_catalogue(context.catalogue, of=vault), local_today(page.now)
    return page.show(
        "my_territory.html",
        known=True,
        **territory_view(
            page.t,
            catalogue,
            portrait(catalogue, place, at),
            at,
            link=lambda level, one: f"/territoire?niveau={level}&code={one}",
            profile=profil,
            offers=[
                (one.card, one.operator_name)
                for one in context.home.offers.in_force()
                if is_in(one.card, place)
            ],
        ),
        elsewhere=f"{context.settings.url(Node.HUB)}/territoires/{place.level}/{place.code}",
        action="/territoire",
        hidden={"niveau": place.level, "code": place.code},
    )
