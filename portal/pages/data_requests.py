"""« Demander mes données »: choose a company, send the letter, keep the month, take the answer."""

# ruff: noqa: E501 - a sentence of the catalogue stands whole on one line

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, File, Form, Query, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from connectors.errors import ConnectorError, UnknownFormatError
from connectors.files.archive import Member, member_bytes, tables
from portal.context import HomeContext
from portal.errors import AttestationTooLargeError
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.file_import import (
    MAX_FILE,
    content_of,
    packed,
    preview_or_assistant,
    refused,
)
from portal.plain_letter import render_plain_letter
from portal.views import iri, local_today, short
from portal.web import Page
from schemas.records import DataRequest, Document, Kind
from vault.data_requests.acts import (
    Step,
    data_request,
    data_requests,
    take_step,
    write_request,
)
from vault.data_requests.clock import Standing, State, standing
from vault.data_requests.directory import company, directory
from vault.data_requests.letters import (
    LANGUAGES,
    complaint_letter,
    mail_address,
    request_letter,
)
from vault.documents import add_document
from vault.eligibility import known_names
from vault.errors import ActRefusedError, DocumentRefusedError, RecordInvalidError
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

HOLDS: Final = {
    "carpool": N_("covoiturages"),
    "carshare": N_("autopartage"),
    "bikeshare": N_("vélos en libre-service"),
    "traces": N_("traces de déplacement"),
    "passes": N_("abonnements, achats et validations"),
    "tickets": N_("billets et voyages"),
    "rides": N_("courses"),
}
FIELDS: Final = {
    "/company": "entreprise",
    "/requester": "nom",
    "/email": "courriel",
    "/postalAddress": "adresse",
    "/replyTo": "reponse",
    "/knownAs": "connu",
    "/language": "langue",
    "/entry": "entreprise",
}
REFUSED_STEPS: Final = {
    "step-in-the-future": N_("Cette date n'est pas encore passée."),
    "step-before-sending": N_("Cette date est avant l'envoi de la lettre."),
    "step-not-now": N_("Le délai de réponse n'est pas passé."),
    "request-closed": N_("Cette demande est close."),
}
LANGUAGE_WORDS: Final = {"fr": N_("français"), "en": N_("anglais")}
CNIL_PAGE: Final = "https://www.cnil.fr/fr/plaintes"


def state_words(t: Translator, at: Standing) -> tuple[str, str]:
    """(sentence, kind of tag) of where a request stands."""
    due = t.day(at.due_on, "long") if at.due_on else ""
    match at.state:
        case State.WRITTEN:
            return t("Lettre prête, pas encore envoyée"), "warn"
        case State.WAITING:
            return t("Réponse attendue au plus tard le {day}", day=due), "info"
        case State.OVERDUE:
            return t("Délai dépassé depuis le {day}", day=due), "bad"
        case State.ANSWERED:
            return t("Réponse reçue"), "ok"
        case State.REFUSED:
            return t("Refusée"), "bad"
        case State.COMPLAINED:
            return t("Plainte déposée à la CNIL"), "info"
        case State.CLOSED:
            return t("Close"), ""


@router.get("/sources/demandes")
def requests(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """Requests with their clock, and the directory."""
    t, today = page.t, local_today(page.now)
    rows = []
    for found in data_requests(vault):
        text, kind = state_words(t, standing(found, today))
        rows.append({"id": short(found.id), "company": found.company, "state": text, "kind": kind})
    return page.show(
        "data_requests.html",
        requests=rows,
        companies=[
            {"id": found.id, "name": found.name, "holds": t(HOLDS[found.holds])}
            for found in directory()
        ],
    )


@router.get("/sources/demandes/nouvelle")
def new_request(
    page: PageDep, vault: VaultDep, entreprise: Annotated[str, Query(max_length=60)] = ""
) -> HTMLResponse:
    """The form; `entreprise` is an entry of the directory."""
    known = company(entreprise)
    person, _ = known_names(vault)
    given = {
        "fiche": known.id if known else "",
        "entreprise": known.controller if known else "",
        "adresse": (known.postal_address or "") if known else "",
        "courriel": (known.email or "") if known else "",
        "nom": person or "",
        "reponse": "",
        "connu": "",
        "langue": "fr",
    }
    return _new(page, given, Errors())


def _new(page: Page, given: dict[str, str], errors: Errors) -> HTMLResponse:
    t, known = page.t, company(given["fiche"])
    return page.show(
        "data_request_new.html",
        status=422 if errors else 200,
        given=given,
        errors=errors,
        languages=[(code, t(LANGUAGE_WORDS[code])) for code in LANGUAGES],
        known=None
        if known is None
        else {
            "name": known.name,
            "source": known.source,
            "read_on": t.day(known.read_on, "long"),
            "page_dated": known.page_dated or "",
            "self_service": known.self_service,
        },
    )


@router.post("/sources/demandes/nouvelle")
def write(  # noqa: PLR0917  # the form's fields
    page: CheckedDep,
    vault: VaultDep,
    fiche: Annotated[str, Form(max_length=60)] = "",
    entreprise: Annotated[str, Form(max_length=2_000)] = "",
    adresse: Annotated[str, Form(max_length=4_000)] = "",
    courriel: Annotated[str, Form(max_length=2_000)] = "",
    nom: Annotated[str, Form(max_length=2_000)] = "",
    reponse: Annotated[str, Form(max_length=4_000)] = "",
    connu: Annotated[str, Form(max_length=2_000)] = "",
    langue: Annotated[str, Form(max_length=2)] = "fr",
) -> Response:
    """Keep the request; the letter is on its page."""
    t = page.t
    given = {
        "fiche": fiche if company(fiche) else "",
        "entreprise": entreprise,
        "adresse": adresse,
        "courriel": courriel,
        "nom": nom,
        "reponse": reponse,
        "connu": connu,
        "langue": langue,
    }
    try:
        made = write_request(
            vault,
            entry=given["fiche"] or None,
            company_name=entreprise,
            postal_address=adresse,
            email=courriel,
            requester=nom,
            reply_to=reponse,
            known_as=connu,
            language=langue,
        )
    except RecordInvalidError as error:
        name = FIELDS.get(error.where or "", "entreprise")
        missing = not given.get(name, "").strip()
        text = t("Indiquez-le : la lettre en a besoin.") if missing else t("À revoir : trop long, ou mal écrit.")  # fmt: skip
        return _new(page, given, Errors({name: text}))
    return page.go(f"/sources/demandes/{short(made.id)}", notice=t("La lettre est prête."))


@router.get("/sources/demandes/{uuid_text}")
def one_request(
    page: PageDep,
    vault: VaultDep,
    uuid_text: str,
    langue: Annotated[str, Query(max_length=2)] = "",
) -> HTMLResponse:
    """The letter, the clock, what may be done now."""
    return _show(page, vault, data_request(vault, iri(uuid_text)), langue, Errors())


def _show(
    page: Page, vault: OpenVault, found: DataRequest, langue: str, errors: Errors
) -> HTMLResponse:
    t, today = page.t, local_today(page.now)
    at = standing(found, today)
    letter = request_letter(found, language=langue if langue in LANGUAGES else None)
    text, kind = state_words(t, at)
    days = [
        (t("Reçue par l'entreprise le"), found.sent_on),
        (t("Délai supplémentaire demandé le"), found.extended_on),
        (t("Réponse reçue le"), found.answered_on),
        (t("Refus reçu le"), found.refused_on),
        (t("Plainte déposée le"), found.complained_on),
    ]
    files = [
        record
        for record in vault.all(Kind.DOCUMENT)
        if isinstance(record, Document) and record.about == found.id
    ]
    return page.show(
        "data_request.html",
        status=422 if errors else 200,
        errors=errors,
        id=short(found.id),
        iri=found.id,
        company=found.company,
        state=text,
        kind=kind,
        next=_next(t, at),
        late_extension=at.is_late_extension,
        facts=[(label, t.day(day, "long")) for label, day in days if day is not None],
        letter=letter,
        points=[(p.removeprefix("– "), p.startswith("– ")) for p in letter.paragraphs],
        other=next(code for code in LANGUAGES if code != letter.language),
        other_word=t(LANGUAGE_WORDS[next(c for c in LANGUAGES if c != letter.language)]),
        mail=mail_address(found, letter),
        is_sent=found.sent_on is not None,
        steps=[(step.value, words) for step, words in _steps(t, found, at)],
        today=today.isoformat(),
        may_complain=found.sent_on is not None
        and (at.may_complain or at.state in {State.ANSWERED, State.COMPLAINED}),
        cnil=CNIL_PAGE,
        takes_answer=found.sent_on is not None and found.closed_on is None,
        files=[
            {"id": f.id, "title": f.title, "text": t.day(f.created_at.date(), "long")}
            for f in files
        ],
    )


def _next(t: Translator, at: Standing) -> str:
    match at.state:
        case State.WRITTEN:
            return t(
                "Envoyez la lettre, par courriel ou en recommandé, puis dites quel jour l'entreprise l'a reçue : le mois commence ce jour-là."
            )
        case State.WAITING if at.days_left is not None:
            return t.n(
                "Il reste {n} jour à l'entreprise pour répondre. Le coffre vous le rappellera.",
                "Il reste {n} jours à l'entreprise pour répondre. Le coffre vous le rappellera.",
                at.days_left,
            )
        case State.OVERDUE:
            return t(
                "L'entreprise n'a pas répondu dans le délai. Relancez-la, ou portez plainte à la CNIL : le brouillon est prêt."
            )
        case State.ANSWERED:
            return t(
                "Importez ce qu'elle a envoyé. S'il manque quelque chose, écrivez-lui ; sans suite, la CNIL peut être saisie."
            )
        case State.REFUSED:
            return t(
                "Un refus doit être motivé. Vous pouvez le contester auprès de la CNIL : le brouillon est prêt."
            )
        case State.COMPLAINED:
            return t("La CNIL vous tiendra au courant. Notez ici ce que l'entreprise répond.")
        case _:
            return ""  # fmt: skip


def _steps(t: Translator, found: DataRequest, at: Standing) -> list[tuple[Step, str]]:
    """What may be said now."""
    if at.state is State.CLOSED:
        return [(Step.REOPENED, t("La rouvrir"))]
    if found.sent_on is None:
        return [
            (Step.SENT, t("L'entreprise a reçu la lettre")),
            (Step.CLOSED, t("Je ne l'enverrai pas")),
        ]
    out = [(Step.SENT, t("Corriger le jour de réception"))]
    if found.extended_on is None and at.state in {State.WAITING, State.OVERDUE}:
        out.append((Step.EXTENDED, t("Elle demande deux mois de plus")))
    out += [
        (Step.ANSWERED, t("Elle a répondu")),
        (Step.REFUSED, t("Elle a refusé")),
    ]
    if at.may_complain or at.state is State.ANSWERED:
        out.append((Step.COMPLAINED, t("J'ai porté plainte à la CNIL")))
    out.append((Step.CLOSED, t("C'est terminé")))
    return out


@router.get("/sources/demandes/{uuid_text}/lettre")
def letter_pdf(
    page: PageDep,
    vault: VaultDep,
    uuid_text: str,
    langue: Annotated[str, Query(max_length=2)] = "",
) -> Response:
    """The request as a PDF to print and sign."""
    found = data_request(vault, iri(uuid_text))
    letter = request_letter(found, language=langue if langue in LANGUAGES else None)
    return _pdf(render_plain_letter(letter, at=page.now), "demande-rgpd.pdf")


@router.get("/sources/demandes/{uuid_text}/plainte")
def complaint_pdf(page: PageDep, vault: VaultDep, uuid_text: str) -> Response:
    """The draft of the complaint; 403 while the company still has time."""
    found, today = data_request(vault, iri(uuid_text)), local_today(page.now)
    at = standing(found, today)
    if found.sent_on is None or not (at.may_complain or found.answered_on is not None):
        raise ActRefusedError("step-not-now")
    letter = complaint_letter(found, at, on=today)
    return _pdf(render_plain_letter(letter, at=page.now), "plainte-cnil.pdf")


def _pdf(data: bytes, name: str) -> Response:
    return Response(
        data,
        media_type="application/pdf",
        headers={
            "content-disposition": f'attachment; filename="{name}"',
            "cache-control": "no-store",
        },
    )


@router.post("/sources/demandes/etape")
def step(
    page: CheckedDep,
    vault: VaultDep,
    demande: Annotated[str, Form(max_length=64)],
    etape: Annotated[str, Form(max_length=20)],
    jour: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Say what happened, on which day."""
    t, today = page.t, local_today(page.now)
    found = data_request(vault, iri(demande))
    try:
        said = Step(etape)
        on = date.fromisoformat(jour) if jour else today
    except ValueError:
        return _show(page, vault, found, "", Errors(jour=t("Cette date n'existe pas.")))
    try:
        kept, at = take_step(vault, found.id, said, on=on, today=today)
    except ActRefusedError as error:
        return _show(page, vault, found, "", Errors(jour=t(REFUSED_STEPS[error.reason])))
    text, _ = state_words(t, at)
    return page.go(f"/sources/demandes/{short(kept.id)}", notice=text)


@router.post("/sources/demandes/reponse")
def answer(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    demande: Annotated[str, Form(max_length=64)],
    fichier: Annotated[UploadFile, File()],
) -> Response:
    """What the company sent: kept beside the request where it can be, and read."""
    found = data_request(vault, iri(demande))
    data = fichier.file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise AttestationTooLargeError(size=len(data), limit=MAX_FILE)
    name = (fichier.filename or "").rsplit("/", 1)[-1][:100]
    today = local_today(page.now)
    if found.answered_on is None:
        take_step(vault, found.id, Step.ANSWERED, on=today, today=today)
    is_kept = _keep(vault, found, data, name)
    try:
        inside = tables(data)
    except ConnectorError as error:
        return _kept(page, found, is_kept) if is_kept else refused(page, error.code)
    if not inside:
        return _kept(page, found, is_kept)
    if len(inside) == 1 and not inside[0].name:
        return preview_or_assistant(page, context, vault, data, name)
    return _choose(page, context, data, name, inside)


def _keep(vault: OpenVault, found: DataRequest, data: bytes, name: str) -> bool:
    try:
        add_document(vault, data, title=name, about=found.id)
    except DocumentRefusedError:
        return False  # an archive: its tables are imported
    return True


def _kept(page: Page, found: DataRequest, is_kept: bool) -> RedirectResponse:
    t = page.t
    if is_kept:
        text, kind = t("Gardé avec votre demande. Il n'y a pas de tableau à importer."), "ok"
    else:
        text, kind = t("Ce fichier ne contient pas de tableau à importer."), "warn"
    return page.go(f"/sources/demandes/{short(found.id)}", notice=text, kind=kind)


def _choose(
    page: Page, context: HomeContext, data: bytes, name: str, inside: list[Member]
) -> HTMLResponse:
    t = page.t
    try:
        known = context.connectors.preview(data).title
    except UnknownFormatError:
        known = ""
    return page.show(
        "data_request_tables.html",
        name=name or t("Fichier importé"),
        known=known,
        members=[
            {
                "number": member.number,
                "name": member.name,
                "size": t("{n} ko", n=t.number(max(1, member.size // 1000))),
            }
            for member in inside
        ],
        content=packed(data),
    )


@router.post("/sources/demandes/table")
def one_table(  # noqa: PLR0917  # the form's fields
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    contenu: Annotated[str, Form()],
    nom: Annotated[str, Form(max_length=100)] = "",
    table: Annotated[str, Form(max_length=5)] = "",
) -> Response:
    """One table of the archive, or all that is known."""
    try:
        data = content_of(contenu)
        if table.isdecimal():
            nom, data = member_bytes(data, int(table), limit=MAX_FILE)
        return preview_or_assistant(page, context, vault, data, nom.rsplit("/", 1)[-1][:100])
    except ConnectorError as error:
        return refused(page, error.code)
