"""« Préparer mon dossier »: what is declared, the documents of the vault that go with it, one consent."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line
# ruff: noqa: PLR0917 - a route's parameters are its form's fields

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from federation.aids.catalogue import Catalogue
from federation.aids.declaration import (
    Declaration,
    declaration_of,
    questions_of,
    read_declared,
    say_declared,
)
from federation.aids.errors import DeclarationRefusedError, UnknownAidError
from federation.aids.model import Aid
from federation.aids.publicodes import Engine
from federation.aids.territories import plain
from federation.errors import HubClientError
from portal.pages.access import Errors
from portal.pages.aids import (
    WITHDRAWABLE,
    commune_of,
    consent_page,
    current_catalogue,
    draft_of,
    estimate_here,
    keep_draft,
    open_applications,
    question_form,
)
from portal.pages.checks import text_of
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.vault import default_period
from portal.views import iri, local_today, short
from portal.web import Page
from schemas.ids import mint_iri
from schemas.records import ApplicationState, Document, Invoice, Kind
from vault.answers import keep_answer, kept_answers
from vault.attachments import MAX_ATTACHED
from vault.dossier import Dossier, dossier_of, keep_dossier, send_dossier
from vault.errors import ShareRefusedError
from vault.model import ClaimShown, Disclosure
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

MOST_ANSWERS: Final = 12
MOST_PIECES: Final = 5
DECLARED: Final = "Declaration."
PIECE: Final = "Piece."
"""Beginnings of what goes with an application, among the claims a consent names."""
PRICE: Final = "vélo . prix payé"
"""The question an invoice of the vault answers."""
BICYCLE_WORDS: Final = ("velo", "vae", "cycle", "bike", "cargo", "bicyclette")
PIECE_WORDS: Final = (
    ("facture", ("facture", "invoice", "achat")),
    ("domicile", ("domicile", "edf", "electricite", "loyer", "quittance", "eau")),
    ("rib", ("rib", "iban", "bancaire")),
    ("impot", ("impot", "imposition", "fiscal", "avis")),
)
"""Word of a piece as the funder calls it → words of a file's title that make it the likely one."""


@dataclass(frozen=True, slots=True)
class Given:
    """The form as it was filled in: rule name → answer, piece → file."""

    answers: Mapping[str, str]
    pieces: Mapping[str, str]


def bicycle_invoice(vault: OpenVault) -> Invoice | None:
    """The newest invoice of the vault that speaks of a bicycle."""
    found = [
        record
        for record in vault.all(Kind.INVOICE)
        if isinstance(record, Invoice)
        and record.total > 0
        and any(
            word in plain(" ".join((record.issuer_name, *(line.label for line in record.lines))))
            for word in BICYCLE_WORDS
        )
    ]
    return max(found, key=lambda record: record.issued_at, default=None)


def likely(piece: str, files: Sequence[Document]) -> Document | None:
    """The newest kept file whose title says that it is this piece."""
    wanted = plain(piece)
    words = next((words for name, words in PIECE_WORDS if name in wanted), (wanted,))
    found = [file for file in files if any(word in plain(file.title) for word in words)]
    return found[-1] if found else None


def files_of(vault: OpenVault) -> list[Document]:
    return [
        record
        for record in vault.all(Kind.DOCUMENT)
        if isinstance(record, Document) and record.size <= MAX_ATTACHED
    ]


def typed_answer(value: object) -> str:
    if isinstance(value, bool):
        return "oui" if value else "non"
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".").replace(".", ",")
    return str(value)


def wanted_pieces(aid: Aid) -> list[str]:
    """What the funder asks to be joined, in its order."""
    asked = aid.extra.get("documents")
    return [str(name) for name in asked] if isinstance(asked, list) else []


def _aid(catalogue: Catalogue, slug: str) -> tuple[Aid, Declaration]:
    aid = catalogue.aid(slug)
    asked = declaration_of(aid)
    if asked is None:
        raise UnknownAidError(slug)
    return aid, asked


def _form(
    page: Page,
    vault: OpenVault,
    catalogue: Catalogue,
    aid: Aid,
    asked: Declaration,
    *,
    given: "Given",
    errors: Errors,
) -> HTMLResponse:
    t = page.t
    kept = {
        name: typed_answer(a.value) for name, a in kept_answers(vault).items() if not a.is_skipped
    }
    invoice = bicycle_invoice(vault)
    proposed = {PRICE: typed_answer(invoice.total / 100)} if invoice is not None else {}
    files = files_of(vault)
    pieces = []
    for number, label in enumerate(wanted_pieces(aid)):
        guess = likely(label, files)
        proposal = short(guess.id) if guess is not None else ""
        chosen = given.pieces.get(label, proposal)
        pieces.append(
            {
                "id": f"p{number}",
                "label": label,
                "options": [("", t("Pas encore")), *((short(f.id), f.title) for f in files)],
                "chosen": chosen,
            }
        )
    at = local_today(page.now)
    outcome = estimate_here(
        vault, catalogue, aid, commune_of(vault), at=at, period=default_period(at),
        answers={n: a.value for n, a in kept_answers(vault).items() if not a.is_skipped},
    )  # fmt: skip
    return page.show(
        "dossier.html",
        status=422 if errors else 200,
        slug=aid.slug,
        title=text_of(t, aid.titles),
        funder=aid.funder_name,
        amount=t.amount(outcome.amount) if outcome.is_eligible and outcome.amount else "",
        questions=[
            {
                **question_form(t, question),
                "id": f"q{number}",
                "hint": t("D'après votre facture {name} du {day}.", name=invoice.issuer_name, day=t.day(invoice.issued_at.date(), "long"))
                if invoice is not None and question.variable == PRICE
                else "",
                "value": given.answers.get(
                    question.variable,
                    proposed.get(question.variable) or kept.get(question.variable, ""),
                ),
            }
            for number, question in enumerate(questions_of(asked, catalogue.engine(aid)))
        ],
        pieces=pieces,
        has_files=bool(files),
        statement=text_of(t, asked.statement),
        errors=errors,
    )  # fmt: skip


@router.get("/aides/{slug}/dossier")
def dossier(page: PageDep, context: ContextDep, vault: VaultDep, slug: str) -> HTMLResponse:
    """The form: answers proposed from the vault, documents of the vault proposed by their title."""
    catalogue = current_catalogue(context.catalogue, slug, of=vault)
    aid, asked = _aid(catalogue, slug)
    return _form(page, vault, catalogue, aid, asked, given=Given({}, {}), errors=Errors())


@router.post("/aides/{slug}/dossier")
def prepare(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    slug: str,
    reponse: Annotated[list[str] | None, Form(max_length=MOST_ANSWERS)] = None,
    piece: Annotated[list[str] | None, Form(max_length=MOST_PIECES)] = None,
    honneur: Annotated[str, Form(max_length=1)] = "",
) -> Response:
    """Keep the answers, and show what would leave. Answers and files come in the form's order."""
    t = page.t
    catalogue = current_catalogue(context.catalogue, slug, of=vault)
    aid, asked = _aid(catalogue, slug)
    engine = catalogue.engine(aid)
    given = Given(
        dict(zip(asked.variables, (text.strip()[:300] for text in reponse or ()), strict=False)),
        dict(zip(wanted_pieces(aid), piece or (), strict=False)),
    )
    errors = Errors()
    values: dict[str, Any] = {}
    for number, name in enumerate(asked.variables):
        one = Declaration((name,), asked.statement)
        try:
            values |= read_declared(one, engine, {name: given.answers.get(name, "")})
        except DeclarationRefusedError:
            errors[f"q{number}"] = t("Répondez à cette question ; un nombre s'écrit 1250 ou 12,50.")
    files = {short(file.id): file for file in files_of(vault)}
    pieces = []
    for number, label in enumerate(wanted_pieces(aid)):
        file = files.get(given.pieces.get(label, ""))
        if file is None:
            errors[f"p{number}"] = t("Choisissez le fichier : {piece}.", piece=label)
        else:
            pieces.append((label, file))
    if not honneur:
        errors["honneur"] = t("Cochez la déclaration sur l'honneur.")
    if errors:
        return _form(page, vault, catalogue, aid, asked, given=given, errors=errors)
    for name, value in values.items():
        keep_answer(vault, name, value, at=page.now)
    typed = {name: given.answers[name] for name in asked.variables}
    try:
        disclosure = disclose_dossier(page, vault, aid, asked, engine, values, typed, pieces)
    except ShareRefusedError as error:
        if not str(error.reason).startswith("missing:"):
            raise
        return page.go(
            f"/documents/recevoir?aide={slug}",
            notice=t("Il manque un document signé pour cette aide : demandez-le à son émetteur."),
            kind="warn",
        )
    return consent_page(page, disclosure)


def disclose_dossier(
    page: Page,
    vault: OpenVault,
    aid: Aid,
    asked: Declaration,
    engine: Engine,
    values: Mapping[str, Any],
    typed: Mapping[str, str],
    pieces: Sequence[tuple[str, Document]],
) -> Disclosure:
    """What would leave for one aid: its answers, its statement, its documents; kept until it is
    sent.

    Raises:
        ShareRefusedError, HubClientError: as `prepare_application`; nothing was kept.
    """
    t = page.t
    live = open_applications(vault).get(str(aid.id))
    if live is None or live.state.value not in WITHDRAWABLE:
        live = draft_of(vault, aid)
    application = live.id if live is not None else mint_iri()
    period = default_period(local_today(page.now))
    also = (
        *(
            ClaimShown(f"{DECLARED}{text_of(t, title)}", text_of(t, said), False)
            for title, said in say_declared(engine, values)
        ),
        ClaimShown(
            f"{DECLARED}{t('Déclaration sur l’honneur')}", text_of(t, asked.statement), False
        ),
        *(ClaimShown(f"{PIECE}{label}", file.title, False) for label, file in pieces),
    )
    disclosure = vault.prepare_application(aid, application, period=period, also=also)
    if live is None or live.state is ApplicationState.DRAFT:
        keep_draft(vault, aid, live, application, period=period)
    keep_dossier(
        vault, application, Dossier(typed, tuple((label, file.id) for label, file in pieces))
    )
    return disclosure


@router.post("/demandes/dossier")
def send_rest(
    page: CheckedDep, vault: VaultDep, demande: Annotated[str, Form(max_length=60)] = ""
) -> RedirectResponse:
    """Send again what has not arrived."""
    done = send_quietly(vault, demande)
    return page.go(
        f"/demandes/{demande}",
        notice=page.t("Votre dossier est arrivé en entier.")
        if done
        else page.t("Le guichet ne répond pas : le reste de votre dossier attend ici."),
        kind="ok" if done else "warn",
    )


def send_quietly(vault: OpenVault, demande: str) -> bool:
    """Send what is left of a dossier; False when something still waits."""
    application = iri(demande)
    try:
        send_dossier(vault, application)
    except (HubClientError, ShareRefusedError):
        return False
    return not dossier_of(vault, application)


__all__ = [
    "bicycle_invoice",
    "disclose_dossier",
    "files_of",
    "likely",
    "router",
    "send_quietly",
    "typed_answer",
    "wanted_pieces",
]
