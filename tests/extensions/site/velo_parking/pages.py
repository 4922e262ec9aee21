"""One page: the places, and a form for one more."""

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse

from portal.extension_pages import Pages
from portal.pages.deps import CheckedDep, PageDep, VaultDep
from schemas.ids import mint_iri
from schemas.records import ExtensionRecord
from vault.extensions import extension_records
from velo_parking import NAME

router = APIRouter(include_in_schema=False)


@router.get("/coffre/stationnement")
def places(page: PageDep, vault: VaultDep) -> HTMLResponse:
    found = extension_records(vault, NAME)
    return page.show(f"{NAME}/places.html", places=[record.title for record in found])


@router.post("/coffre/stationnement")
def add(
    page: CheckedDep,
    vault: VaultDep,
    abri: Annotated[str, Form(max_length=80)],
    fin: Annotated[str, Form(max_length=10)],
) -> RedirectResponse:
    record = ExtensionRecord(
        id=mint_iri(),
        extension=NAME,
        version=1,
        type="Place",
        title=abri,
        body={"shelter": abri, "until": fin},
    )
    vault.put(record)
    return page.go("/coffre/stationnement")


pages = Pages(router, "GET /coffre/stationnement\nPOST /coffre/stationnement")
