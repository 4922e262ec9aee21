"""« Code 2D-Doc »: the signed code of a tax notice or a proof of address, verified here, offline."""

# ruff: noqa: E501 - a sentence of the catalogue stands whole on one line

import unicodedata
from typing import Annotated, Final

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from connectors.errors import HostileInputError
from connectors.twoddoc.attributes import SOURCE, attributes, names, values
from connectors.twoddoc.code import Code, parse
from connectors.twoddoc.trust import Verdict, Verified, bundled
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.bringing import earlier, kept, taken_back
from portal.pages.deps import CheckedDep, PageDep, VaultDep
from portal.pages.vault import ATTRIBUTE_TITLES
from portal.views import local_today
from portal.web import Page
from vault.eligibility import known_names
from vault.imports import bring
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

TYPES: Final = {
    "00": N_("Justificatif de domicile"),
    "01": N_("Facture (énergie, eau, téléphone, internet)"),
    "02": N_("Avis de taxe d'habitation"),
    "04": N_("Avis d'impôt sur les revenus"),
    "18": N_("Avis de situation déclarative"),
    "24": N_("Avis de situation déclarative"),
    "27": N_("Avis de situation déclarative"),
    "28": N_("Avis d'impôt sur les revenus"),
}
VERDICTS: Final = {
    Verdict.SIGNED: (N_("Signature vérifiée"), "ok"),
    Verdict.UNKNOWN_SIGNER: (N_("Signataire inconnu de cette liste : rien ne peut en être dit"), "warn"),
    Verdict.OUT_OF_TERM: (N_("Certificat périmé le jour de la signature, ou signature datée du futur"), "warn"),
    Verdict.FORGED: (N_("La signature ne correspond pas : ce code a été modifié"), "bad"),
}  # fmt: skip


@router.get("/coffre/2d-doc")
def form(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """Give the code; earlier ones can be taken back."""
    return _form(page, vault, "", Errors())


def _form(page: Page, vault: OpenVault, given: str, errors: Errors) -> HTMLResponse:
    return page.show(
        "twoddoc.html",
        status=422 if errors else 200,
        errors=errors,
        given=given,
        earlier=earlier(page.t, vault, SOURCE),
    )


@router.post("/coffre/2d-doc")
def check(
    page: CheckedDep, vault: VaultDep, code: Annotated[str, Form(max_length=8_000)]
) -> Response:
    """Read and verify; nothing is kept."""
    t = page.t
    try:
        read, verified = _read(page, code)
    except HostileInputError:
        text = t("Ce n'est pas un code 2D-Doc d'avis d'impôt ou de justificatif de domicile, ou il est abîmé.")  # fmt: skip
        return _form(page, vault, code, Errors(code=text))
    words, kind = VERDICTS[verified.verdict]
    about, (person, _) = names(read), known_names(vault)
    return page.show(
        "twoddoc_checked.html",
        status=422 if verified.verdict is Verdict.FORGED else 200,
        title=t(TYPES[read.type]),
        verdict=t(words),
        kind=kind,
        is_signed=verified.verdict is Verdict.SIGNED,
        is_forged=verified.verdict is Verdict.FORGED,
        signer=verified.signer,
        signed_on=t.day(read.signed_on, "long"),
        about=", ".join(about),
        is_other=person is not None and not any(_alike(person, name) for name in about),
        values=_rows(t, read),
        code=read.text,
    )


def _read(page: Page, given: str) -> tuple[Code, Verified]:
    read = parse(given)
    return read, bundled().verify(read, on=local_today(page.now))


def _rows(t: Translator, read: Code) -> list[tuple[str, str]]:
    return [
        (t(ATTRIBUTE_TITLES[name]), t.number(value, 2) if isinstance(value, float) else str(value))
        for name, value in values(read).items()
    ]


def _alike(person: str, name: str) -> bool:
    """Whether the family name and a first name of one stand in the other."""
    said, known = _letters(name), _letters(person)
    return bool(known) and sum(word in said for word in known) >= min(2, len(known))


def _letters(text: str) -> set[str]:
    plain = unicodedata.normalize("NFKD", text.casefold().replace("-", " "))
    return set("".join(c for c in plain if not unicodedata.combining(c)).split())


@router.post("/coffre/2d-doc/garder")
def keep(
    page: CheckedDep, vault: VaultDep, code: Annotated[str, Form(max_length=8_000)]
) -> Response:
    """Keep what it says: signed where it was verified, declared where nothing can be said."""
    t = page.t
    try:
        read, verified = _read(page, code)
    except HostileInputError:
        return page.go("/coffre/2d-doc", notice=t("Donnez le code à nouveau."), kind="warn")
    found = attributes(read, verified, at=page.now)
    if not found:
        return page.go("/coffre/2d-doc", notice=t("Rien de ce code n'est gardé."), kind="bad")
    made = bring(vault, found, source=SOURCE)
    return kept(page, made, "/coffre/2d-doc")


@router.post("/coffre/2d-doc/annuler")
def undo(
    page: CheckedDep, vault: VaultDep, importation: Annotated[str, Form(max_length=64)]
) -> RedirectResponse:
    """Take it back."""
    return taken_back(page, vault, importation, "/coffre/2d-doc")
