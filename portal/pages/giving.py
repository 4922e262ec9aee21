"""« Donner une trace »: choose, see exactly what would leave, give it as a file, keep the receipt.

The file goes to the person, who hands it on as they wish; the vault sends nothing.
"""

# ruff: noqa: PLR0917 - a route's parameters are its form's fields

import io
import json
import zipfile
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Response
from fastapi.responses import HTMLResponse

from portal.glossary import mode_word
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.deps import CheckedDep, PageDep, VaultDep
from portal.pages.period import USUAL, asked_period
from portal.svg import MapLine, trip_map
from portal.views import local_today
from portal.web import Page
from schemas.records import PlaceRole
from vault.donation import RADII, Coarseness, Donation, Licence, Terms
from vault.gifts import give, given, prepared, pseudonym
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

DRAWN: Final = 40
"""Traces drawn on the preview's map; the file may hold more."""
MAX_PSEUDONYM: Final = 40
TIMES: Final = {
    Coarseness.WEEK: N_("la semaine"),
    Coarseness.DAY: N_("le jour"),
    Coarseness.HOUR: N_("l'heure"),
}
LICENCES: Final = {
    Licence.ODBL: N_("ODbL 1.0 : réutilisation libre, ce qui en est fait reste ouvert"),
    Licence.ETALAB: N_("Licence Ouverte 2.0 : réutilisation libre, en citant la source"),
    Licence.CC_BY: N_("CC BY 4.0 : réutilisation libre, en citant la source"),
    Licence.CC0: N_("CC0 1.0 : domaine public, sans condition"),
}


def chosen(
    page: PageDep,
    depuis: Annotated[str, Form(max_length=10)] = "",
    jusque: Annotated[str, Form(max_length=10)] = "",
    rayon: Annotated[str, Form(max_length=5)] = "300",
    heures: Annotated[str, Form(max_length=10)] = Coarseness.DAY.value,
    licence: Annotated[str, Form(max_length=20)] = Licence.ODBL.value,
    pseudonyme: Annotated[str, Form(max_length=MAX_PSEUDONYM)] = "",
    bouts: Annotated[str, Form(max_length=1)] = "",
) -> tuple[Terms, Errors]:
    """The terms of the form, and what is wrong with it."""
    t, errors = page.t, Errors()
    since, until = asked_period(page, depuis, jusque, errors, needed=True)
    name = " ".join(pseudonyme.split()) or pseudonym()
    if not name.isprintable():
        errors["pseudonyme"] = t("Des lettres, des chiffres et des espaces seulement.")
    radius = int(rayon) if rayon.isdecimal() and int(rayon) in RADII else 0
    if not radius:
        errors["rayon"] = t("Choisissez un rayon de la liste.")
    terms = Terms(
        since=since,
        until=until,
        radius=radius or RADII[1],
        times=Coarseness(heures) if heures in set(Coarseness) else Coarseness.WEEK,
        licence=Licence(licence) if licence in set(Licence) else Licence.ODBL,
        pseudonym=name,
        every_end=bool(bouts),
    )
    return terms, errors


TermsDep = Annotated[tuple[Terms, Errors], Depends(chosen)]


@router.get("/coffre/donner")
def form(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """What is asked, and what was given before."""
    today = local_today(page.now)
    terms = Terms(since=today - USUAL, until=today, pseudonym=pseudonym())
    return _form(page, vault, terms, Errors())


def _form(page: Page, vault: OpenVault, terms: Terms, errors: Errors) -> HTMLResponse:
    t = page.t
    roles = {place.role for place in vault.places()}
    return page.show(
        "giving.html",
        status=422 if errors else 200,
        errors=errors,
        terms=terms,
        radii=[(str(r), t("{n} m", n=t.number(r))) for r in RADII],
        times=[(c.value, t(word)) for c, word in TIMES.items()],
        licences=[(x.value, t(word)) for x, word in LICENCES.items()],
        has_places=bool(roles & {PlaceRole.HOME, PlaceRole.WORK}),
        earlier=[_receipt(t, receipt) for receipt in given(vault)],
    )


def _receipt(t: Translator, receipt: Any) -> dict[str, str]:
    since, until = (date.fromisoformat(receipt["period"][end]) for end in ("since", "until"))
    count = t.n("{n} trace", "{n} traces", receipt["traces"])
    return {
        "title": t("{count}, du {since} au {until}", count=count, since=t.day(since),
                   until=t.day(until)),
        "text": f"{receipt['contributor']} · {receipt['licence']}",
        "digest": receipt["sha256"],
    }  # fmt: skip


@router.post("/coffre/donner/apercu")
def preview(page: CheckedDep, vault: VaultDep, asked: TermsDep) -> HTMLResponse:
    """What would leave, drawn and counted. Nothing is given."""
    terms, errors = asked
    if errors:
        return _form(page, vault, terms, errors)
    t, donation = page.t, prepared(vault, terms)
    return page.show(
        "giving_preview.html",
        terms=terms,
        fields={
            "depuis": terms.since.isoformat(),
            "jusque": terms.until.isoformat(),
            "rayon": terms.radius,
            "heures": terms.times.value,
            "licence": terms.licence.value,
            "pseudonyme": terms.pseudonym,
            "bouts": "1" if terms.every_end else "",
        },
        count=len(donation.traces),
        facts=_facts(t, donation),
        map=_map(t, donation),
        first=[
            [
                trace.started,
                t(mode_word(trace.mode).label),
                t.distance(trace.distance),
                t.number(sum(len(piece) for piece in trace.pieces)),
            ]
            for trace in donation.traces[:5]
        ],
        precision=t(TIMES[terms.times]),
        radius=t("{n} m", n=t.number(terms.radius)),
        licence=t(LICENCES[terms.licence]),
    )


def _facts(t: Translator, donation: Donation) -> list[tuple[str, str]]:
    return [
        (t("Traces données"), t.number(len(donation.traces))),
        (t("Positions données"), t.number(donation.points)),
        (t("Positions cachées autour des lieux et des bouts"), t.number(donation.hidden)),
        (t("Trajets sans tracé"), t.number(donation.without_track)),
        (t("Trajets trop courts une fois coupés"), t.number(donation.too_short)),
    ]


def _map(t: Translator, donation: Donation) -> Any:
    lines = [
        MapLine(mode_word(trace.mode).group, tuple((lat, lon) for _, lat, lon in piece))
        for trace in donation.traces[:DRAWN]
        for piece in trace.pieces
    ]
    shown = min(len(donation.traces), DRAWN)
    text = t.n("{n} trace, comme elle partirait", "{n} traces, comme elles partiraient", shown)
    return trip_map(lines, [], title=t("Ce qui partirait"), description=text)


@router.post("/coffre/donner")
def give_it(page: CheckedDep, vault: VaultDep, asked: TermsDep) -> Response:
    """The file and its receipt in a ZIP; the receipt stays in the vault, the file does not."""
    terms, errors = asked
    if errors:
        return _form(page, vault, terms, errors)
    donation = prepared(vault, terms)
    if not donation.traces:
        return page.go(
            "/coffre/donner",
            notice=page.t("Rien à donner sur cette période avec ces choix."),
            kind="warn",
        )
    receipt = give(vault, donation, at=page.now)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("traces.geojson", donation.geojson())
        archive.writestr("recu.json", json.dumps(receipt, ensure_ascii=False, indent=1))
    return Response(
        packed.getvalue(),
        media_type="application/zip",
        headers={
            "content-disposition": f'attachment; filename="traces-{receipt["sha256"][:8]}.zip"',
            "cache-control": "no-store",
        },
    )


__all__ = ["router"]
