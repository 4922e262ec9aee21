"""A file into the vault: what it holds, the mapping assistant for an unknown table, the import."""

import base64
import binascii
import contextlib
import json
import zlib
from typing import Annotated, Any, Final

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from connectors.emission.modes import label_mode
from connectors.errors import (
    ConnectorError,
    HostileInputError,
    MappingError,
    UnknownFormatError,
)
from connectors.mapping import (
    FIELDS,
    FORMATS,
    MASSES,
    MAX_MAPPING,
    MappedFile,
    MappingFile,
    Proposal,
    fold,
    propose,
)
from connectors.push.service import slug
from portal.context import HomeContext
from portal.errors import AttestationTooLargeError
from portal.glossary import MODES, REJECTED, mode_word
from portal.i18n import N_, Translator
from portal.pages.deps import CheckedDep, ContextDep, VaultDep
from portal.pages.draining import drain_all, drain_words
from portal.web import Page
from schemas.observations import TripObservation
from vault.errors import RecordUnknownError
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

MAX_FILE: Final = 10_000_000


@router.post("/sources/importer")
def preview(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    fichier: Annotated[UploadFile, File()],
    modele: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Read a file and say what it holds. Nothing is kept: the file travels back in the form.

    A table nobody knows leads to the mapping assistant; `modele` is a mapping somebody gave.
    """
    data = fichier.file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise AttestationTooLargeError(size=len(data), limit=MAX_FILE)
    name = (fichier.filename or "").rsplit("/", 1)[-1][:100]
    try:
        mapping = None
        if modele is not None and modele.filename:
            mapping = MappingFile.read(modele.file.read(MAX_MAPPING + 1))
    except ConnectorError as error:
        return refused(page, error.code)
    return preview_or_assistant(page, context, vault, data, name, mapping)


def preview_or_assistant(  # noqa: PLR0917  # a file, and whose
    page: Page,
    context: HomeContext,
    vault: OpenVault,
    data: bytes,
    name: str,
    mapping: MappingFile | None = None,
) -> Response:
    """What a file holds; for a table nobody knows, the assistant; else why not."""
    try:
        return show_preview(page, context, data, name, mapping)
    except UnknownFormatError as error:
        try:
            return show_assistant(page, data, name, kept_mapping(vault, data))
        except ConnectorError:
            return refused(page, error.code)
    except ConnectorError as error:
        return refused(page, error.code)


def show_preview(
    page: Page, context: HomeContext, data: bytes, name: str, mapping: MappingFile | None
) -> Response:
    found = context.connectors.preview(data, mapping=mapping)
    t = page.t
    period = ""
    if found.since is not None and found.until is not None:
        since, until = t.day(found.since, "long"), t.day(found.until, "long")
        period = t("du {since} au {until}", since=since, until=until)
    return page.show(
        "import_preview.html",
        name=name or t("Fichier importé"),
        format=found.title,
        trips=found.trips,
        labels=found.labels,
        period=period,
        samples=[_sample(t, trip) for trip in found.samples],
        skipped=[(left_out(t, reason), t.number(count)) for reason, count in found.skipped.items()],
        rejected_count=found.rejected_count,
        rejected=[
            {"where": r.where, "code": t(REJECTED[r.code]) if r.code in REJECTED else r.code}
            for r in found.rejected
        ],
        content=packed(data),
        mapping="" if mapping is None else json.dumps(mapping.to_json(), ensure_ascii=False),
        download=None if mapping is None else as_download(mapping),
    )


def as_download(mapping: MappingFile) -> str:
    """A mapping as the address of a file to keep or to give."""
    text = json.dumps(mapping.to_json(), ensure_ascii=False, indent=2)
    return "data:application/json;base64," + base64.b64encode(text.encode()).decode()


def _sample(t: Translator, trip: TripObservation) -> list[str]:
    claims = trip.mode_claims or tuple(c for leg in trip.legs for c in leg.mode_claims)
    mode = mode_word(claims[0].mode.value).label if claims else mode_word("unknown").label
    return [
        t.moment(trip.started_at),
        t(mode),
        t("{n} km", n=t.number((trip.distance or 0) / 1000, 1)),
    ]


def left_out(t: Translator, reason: str) -> str:
    """Why points or objects of a file were passed by."""
    rule = reason.removeprefix("point: ")
    return t(REJECTED[rule]) if rule in REJECTED else reason


@router.post("/sources/importer/confirmer")
def confirm_import(  # noqa: PLR0917  # the form's fields
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    contenu: Annotated[str, Form()],
    nom: Annotated[str, Form(max_length=100)] = "",
    modele: Annotated[str, Form(max_length=MAX_MAPPING)] = "",
) -> Response:
    """Deposit the previewed file and drain it; a mapping that served is kept in the vault."""
    try:
        data = content_of(contenu)
        mapping = MappingFile.read(modele.encode()) if modele else None
        context.connectors.import_file(vault.vault_id, data, nom, mapping=mapping)
    except ConnectorError as error:
        return refused(page, error.code)
    if mapping is not None:
        keep_mapping(vault, mapping)
    return page.go("/trajets", notice=drain_words(page.t, drain_all(vault)))


def packed(data: bytes) -> str:
    """A file as it travels in a form: nothing is kept between two pages."""
    return base64.b64encode(zlib.compress(data, 6)).decode()


def content_of(contenu: str) -> bytes:
    """The file that travelled in the form.

    Raises:
        HostileInputError: it is broken. AttestationTooLargeError: over `MAX_FILE`.
    """
    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(base64.b64decode(contenu, validate=True), MAX_FILE + 1)
    except (binascii.Error, zlib.error, ValueError):
        raise HostileInputError("the form's file is broken") from None
    if len(data) > MAX_FILE:
        raise AttestationTooLargeError(size=len(data), limit=MAX_FILE)
    return data


# the mapping assistant

MAPPINGS: Final = "mappings"
"""The sealed setting that keeps the citizen's own mappings, newest first."""
MAX_KEPT: Final = 20


def kept_mappings(vault: OpenVault) -> list[MappingFile]:
    """Mappings this citizen used before; one of an older form is left out."""
    found = []
    for document in json.loads(vault.setting(MAPPINGS) or b"[]"):
        with contextlib.suppress(MappingError):
            found.append(MappingFile.parse(document))
    return found


def kept_mapping(vault: OpenVault, data: bytes) -> MappingFile | None:
    """The citizen's own mapping of such a file."""
    return next((m for m in kept_mappings(vault) if MappedFile(m).sniff(data[:65_536])), None)


def keep_mapping(vault: OpenVault, mapping: MappingFile) -> None:
    """Remember a mapping, sealed; one of the same columns is replaced."""
    others = [m for m in kept_mappings(vault) if m.detect != mapping.detect]
    documents = [m.to_json() for m in (mapping, *others)[:MAX_KEPT]]
    vault.put_setting(MAPPINGS, json.dumps(documents, ensure_ascii=False).encode())


FIELD_WORDS: Final = {
    "startedAt": N_("Départ : date et heure"),
    "endedAt": N_("Arrivée : date et heure"),
    "duration": N_("Durée"),
    "distance": N_("Distance"),
    "mode": N_("Mode de transport"),
    "originLat": N_("Départ : latitude"),
    "originLon": N_("Départ : longitude"),
    "originLabel": N_("Départ : lieu"),
    "destinationLat": N_("Arrivée : latitude"),
    "destinationLon": N_("Arrivée : longitude"),
    "destinationLabel": N_("Arrivée : lieu"),
    "purpose": N_("Motif"),
    "id": N_("Identifiant"),
    "co2": N_("CO2 émis, d'après la source"),
    "nox": N_("Oxydes d'azote (NOx), d'après la source"),
    "pm": N_("Particules (PM), d'après la source"),
    "time": N_("Date et heure"),
    "lat": N_("Latitude"),
    "lon": N_("Longitude"),
    "accuracy": N_("Précision, en mètres"),
}
FORMAT_WORDS: Final = {
    "iso": N_("2026-11-22T08:15 (ISO)"),
    "epoch": N_("secondes depuis 1970"),
    "epoch-ms": N_("millisecondes depuis 1970"),
    "%d/%m/%Y %H:%M": N_("22/11/2026 08:15"),
    "%d/%m/%Y %H:%M:%S": N_("22/11/2026 08:15:00"),
    "%Y-%m-%d %H:%M": N_("2026-11-22 08:15"),
    "%Y-%m-%d %H:%M:%S": N_("2026-11-22 08:15:00"),
    "%d-%m-%Y %H:%M": N_("22-11-2026 08:15"),
    "%m/%d/%Y %H:%M": N_("11/22/2026 08:15 (mois d'abord)"),
    "%d/%m/%Y": N_("22/11/2026"),
}
UNIT_CHOICES: Final = {
    "distance": ("km", "m", "mi"),
    "duration": ("min", "s", "h"),
    **dict.fromkeys(MASSES, ("g", "mg", "kg")),
}


def show_assistant(
    page: Page, data: bytes, name: str, mapping: MappingFile | None, error: str = ""
) -> Response:
    """What each column is: guessed, or as a person said before."""
    found = propose(data, draft=None if mapping is None else mapping.to_json())
    return _assistant_page(page, data, name, found, error)


def _assistant_page(
    page: Page, data: bytes, name: str, found: Proposal, error: str
) -> HTMLResponse:
    t, draft = page.t, found.draft
    fields: dict[str, Any] = draft["fields"]
    chosen_values = fields.get("mode", {}).get("values", {})
    columns = [("", t("– aucune –")), *((c, c) for c in found.columns)]
    rows = []
    for field_name in FIELDS[draft["kind"]]:
        given = fields.get(field_name, {})
        source = given.get("from") or [""]
        source = [source] if isinstance(source, str) else source
        rows.append(
            {
                "name": field_name,
                "label": t(FIELD_WORDS[field_name]),
                "columns": columns,
                "chosen": source[0],
                "second": source[1] if len(source) > 1 else "",
                "units": [(u, u) for u in UNIT_CHOICES.get(field_name, ())],
                "unit": given.get("unit"),
                "formats": [(f, t(FORMAT_WORDS[f])) for f in FORMATS]
                if field_name in {"startedAt", "endedAt", "time"}
                else [],
                "format": given.get("format"),
            }
        )
    return page.show(
        "mapping.html",
        status=422 if error else 200,
        name=name or t("Fichier importé"),
        kind=draft["kind"],
        title=draft["title"],
        zone=draft["timeZone"],
        rows=rows,
        columns=found.columns,
        samples=[list(row) for row in found.samples],
        words=[
            {"word": word, "chosen": _mode_of(word, chosen_values), "name": f"mot-{index}"}
            for index, word in enumerate(found.modes)
        ],
        modes=[(code, t(label)) for code, label in MODES.items()],
        content=packed(data),
        error=error,
    )


def _mode_of(word: str, chosen: dict[str, str]) -> str:
    known = label_mode(word)
    return chosen.get(fold(word)) or chosen.get(word) or (known.value if known else "unknown")


@router.post("/sources/modele")
async def mapping(
    request: Request, page: CheckedDep, context: ContextDep, vault: VaultDep
) -> Response:
    """The columns a person named: the preview, or the assistant again with what is missing."""
    del vault  # it must be open
    form = {key: str(value) for key, value in (await request.form()).items()}
    return await run_in_threadpool(_mapped, page, context, form)


def _mapped(page: Page, context: HomeContext, form: dict[str, str]) -> Response:
    name = form.get("nom", "")[:100]
    try:
        data = content_of(form.get("contenu", ""))
        kind = form.get("genre", "trips")
        draft: dict[str, Any] = {
            "name": slug(form.get("titre", "") or "mon-modele"),
            "title": form.get("titre", "")[:200] or page.t("Mon modèle"),
            "kind": kind if kind in FIELDS else "trips",
            "timeZone": form.get("fuseau", "Europe/Paris"),
            "fields": {},
        }
        for field_name in FIELDS[draft["kind"]]:
            sources = [form.get(f"de-{field_name}", ""), form.get(f"et-{field_name}", "")]
            given: dict[str, Any] = {"from": [s for s in sources if s]}
            if not given["from"]:
                continue
            for key, member in (("unite", "unit"), ("format", "format")):
                if form.get(f"{key}-{field_name}"):
                    given[member] = form[f"{key}-{field_name}"]
            draft["fields"][field_name] = given
        found = propose(data, draft=draft)
        if "mode" in found.draft["fields"]:
            values = {
                word: form[f"mot-{index}"]
                for index, word in enumerate(found.modes)
                if form.get(f"mot-{index}") and form.get(f"pour-{index}") == word
            }
            found.draft["fields"]["mode"]["values"] = values
        if form.get("revoir"):
            return _assistant_page(page, data, name, found, "")
        try:
            made = MappingFile.parse(found.draft)
        except MappingError as error:
            where = error.where or "/"
            field_name = where.rpartition("/")[2]
            missing = page.t(FIELD_WORDS[field_name]) if field_name in FIELD_WORDS else where
            text = page.t("Il manque ou il faut revoir : {what}", what=missing)
            return _assistant_page(page, data, name, found, text)
        return show_preview(page, context, data, name, made)
    except ConnectorError as error:
        return refused(page, error.code)


def refused(page: Page, code: str) -> RedirectResponse:
    t = page.t
    text = t(REJECTED[code]) if code in REJECTED else code
    return page.go(
        "/sources", notice=t("Ce fichier n'a pas pu être lu : {why}", why=text), kind="bad"
    )


@router.get("/sources/modeles/{name}")
def mapping_file(vault: VaultDep, name: str) -> Response:
    """One of the citizen's mappings as a file to keep or to give: names of columns, no trip."""
    found = next((m for m in kept_mappings(vault) if f"{m.name}.json" == name), None)
    if found is None:
        raise RecordUnknownError(name[:60])
    return Response(
        json.dumps(found.to_json(), ensure_ascii=False, indent=2),
        media_type="application/json",
        headers={
            "content-disposition": f'attachment; filename="{found.name}.json"',
            "cache-control": "no-store",
        },
    )


@router.post("/sources/modeles/supprimer")
def forget_mapping(
    page: CheckedDep, vault: VaultDep, modele: Annotated[str, Form(max_length=60)]
) -> RedirectResponse:
    """Forget a mapping; what it read stays."""
    documents = [m.to_json() for m in kept_mappings(vault) if m.name != modele]
    vault.put_setting(MAPPINGS, json.dumps(documents, ensure_ascii=False).encode())
    return page.go("/sources", notice=page.t("Modèle oublié."))
