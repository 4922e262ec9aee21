"""« Guichet unique »: one form for the aids of several funders; each gets its own part, and decides.

The vault asks each question once, cuts the answers and documents by aid, and shows side by side
what each funder would read. Every funder is agreed to apart; what is sent are applications like
any other.
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line
# ruff: noqa: PLR0917 - a route's parameters are its form's fields

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, Response

from federation.aids.catalogue import Catalogue
from federation.aids.clean_air import AirClass
from federation.aids.declaration import Declaration, read_declared
from federation.aids.errors import DeclarationRefusedError, UnknownAidError, VehicleRefusedError
from federation.aids.one_form import MOST_AIDS, OneForm, Part, compose, cut
from federation.aids.vehicle_questions import CLASS, PLATE
from federation.errors import HubClientError
from portal.context import HomeContext
from portal.glossary import STATES
from portal.i18n import N_
from portal.pages.access import Errors
from portal.pages.aids import (
    HEADLINES,
    aid_titles,
    claim_rows,
    commune_of,
    current_catalogue,
    kept_rows,
    open_applications,
    question_form,
    refresh,
    shown_state,
    wait_delivery,
    waiting_of,
)
from portal.pages.checks import text_of
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.dossier import (
    disclose_dossier,
    files_of,
    likely,
    send_quietly,
    typed_answer,
    wanted_pieces,
)
from portal.pages.vehicle import air_of, form_aids, told_of, vehicle_of
from portal.views import iri, local_today, short
from portal.web import Page
from schemas.records import Application, Document, Vehicle
from vault.answers import keep_answer, kept_answers
from vault.dossier import dossier_of
from vault.errors import RecordUnknownError, ShareRefusedError
from vault.model import Disclosure
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

MOST_CHOICES: Final = 50
"""Boxes that one may tick before being told that a form gathers fewer."""
MOST_ANSWERS: Final = MOST_AIDS * 12
MOST_PIECES: Final = MOST_AIDS * 5
REFUSALS: Final = {
    "missing": N_("Il manque un document signé pour {name} : demandez-le, puis revenez ; vos réponses sont gardées."),
    "hub": N_("Le guichet de {name} ne répond pas. Rien n'est parti ; réessayez dans quelques minutes."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Given:
    """The form as it was filled in, in its order."""

    answers: Sequence[str] = ()
    pieces: Sequence[str] = ()
    statements: Sequence[str] = ()


def form_of(catalogue: Catalogue, slugs: Sequence[str]) -> OneForm:
    """The form of these aids.

    Raises:
        UnknownAidError; DeclarationRefusedError: as `compose`.
    """
    aids = [catalogue.aid(slug) for slug in dict.fromkeys(slugs)]
    return compose((aid, catalogue.engine(aid), tuple(wanted_pieces(aid))) for aid in aids)


def _catalogue(context: HomeContext, vault: OpenVault, slugs: Sequence[str]) -> Catalogue:
    """What may be asked for: the open catalogue and the aids reserved to this citizen."""
    return current_catalogue(context.catalogue, slugs[0] if slugs else "", of=vault)


def _of_vehicle(vehicle: Vehicle | None, at: Any) -> dict[str, str]:
    """What the vault's record answers."""
    if vehicle is None:
        return {}
    found: dict[str, str] = {}
    if vehicle.identification:
        found[PLATE] = vehicle.identification
    with suppress(VehicleRefusedError):
        air = air_of(told_of(vehicle), at)
        if air is not None:
            found[CLASS] = AirClass(air[0]).answer
    return found


def _vehicle(vault: OpenVault, uuid_text: str) -> Vehicle | None:
    if not uuid_text:
        return None
    try:
        return vehicle_of(vault, uuid_text)
    except RecordUnknownError:
        return None


@router.get("/guichet-unique")
def one_form(
    page: PageDep,
    context: ContextDep,
    vault: VaultDep,
    aide: Annotated[list[str] | None, Query(max_length=MOST_CHOICES)] = None,
    vehicule: Annotated[str, Query(max_length=60)] = "",
) -> Response:
    """The form; what the vault knows is proposed."""
    catalogue = _catalogue(context, vault, aide or ())
    try:
        form = form_of(catalogue, aide or ())
    except (DeclarationRefusedError, UnknownAidError):
        return _choose(page, vault, catalogue, vehicule, wrong=bool(aide))
    return _form(page, vault, form, vehicule, Given(), Errors())


def _choose(
    page: Page, vault: OpenVault, catalogue: Catalogue, vehicule: str, *, wrong: bool
) -> HTMLResponse:
    """Which aids the form is for."""
    t = page.t
    live = open_applications(vault)
    rows = []
    for aid in form_aids(catalogue, commune_of(vault), local_today(page.now)):
        application = live.get(str(aid.id))
        rows.append(
            {
                "slug": aid.slug,
                "title": text_of(t, aid.titles),
                "funder": aid.funder_name,
                "text": text_of(t, aid.summaries),
                "asked": f"/demandes/{short(application.id)}" if application is not None else "",
            }
        )
    text = t("Choisissez de une à {n} aides ouvertes.", n=MOST_AIDS)
    return page.show(
        "one_form_choose.html",
        status=422 if wrong else 200,
        vehicle=vehicule,
        aids=rows,
        errors=Errors({"": text}) if wrong else Errors(),
    )


def _form(
    page: Page,
    vault: OpenVault,
    form: OneForm,
    vehicule: str,
    given: Given,
    errors: Errors,
    *,
    missing: Sequence[Mapping[str, str]] = (),
) -> HTMLResponse:
    t = page.t
    kept = {
        name: typed_answer(a.value) for name, a in kept_answers(vault).items() if not a.is_skipped
    }
    known = kept | _of_vehicle(_vehicle(vault, vehicule), local_today(page.now))
    names = {asker.aid.slug: asker.aid.funder_name for asker in form.askers}

    def readers(slugs: Sequence[str]) -> str:
        return t("Pour : {names}", names=", ".join(dict.fromkeys(names[slug] for slug in slugs)))

    files = files_of(vault)
    options = [("", t("Pas encore")), *((short(f.id), f.title) for f in files)]
    pieces = []
    for number, asked in enumerate(form.documents):
        guess = likely(asked.label, files)
        proposal = short(guess.id) if guess is not None else ""
        chosen = given.pieces[number] if number < len(given.pieces) else proposal
        pieces.append(
            {"id": f"p{number}", "label": asked.label, "for": readers(asked.aids), "options": options, "chosen": chosen}
        )  # fmt: skip
    return page.show(
        "one_form.html",
        status=422 if errors or missing else 200,
        vehicle=vehicule,
        aids=[
            {
                "slug": asker.aid.slug,
                "title": text_of(t, asker.aid.titles),
                "funder": asker.aid.funder_name,
                "statement": text_of(t, asker.asked.statement),
                "ticked": asker.aid.slug in given.statements,
            }
            for asker in form.askers
        ],
        questions=[
            {
                **question_form(t, asked.question),
                "id": f"q{number}",
                "for": readers(asked.aids),
                "value": given.answers[number]
                if number < len(given.answers)
                else known.get(asked.question.variable, ""),
            }
            for number, asked in enumerate(form.questions)
        ],
        pieces=pieces,
        errors=errors,
        missing=missing,
    )


@router.post("/guichet-unique")
def prepare(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    aide: Annotated[list[str] | None, Form(max_length=MOST_AIDS)] = None,
    reponse: Annotated[list[str] | None, Form(max_length=MOST_ANSWERS)] = None,
    piece: Annotated[list[str] | None, Form(max_length=MOST_PIECES)] = None,
    honneur: Annotated[list[str] | None, Form(max_length=MOST_AIDS)] = None,
    vehicule: Annotated[str, Form(max_length=60)] = "",
) -> Response:
    """Check, cut, ask each funder's signed request, and show what each would get."""
    t = page.t
    catalogue = _catalogue(context, vault, aide or ())
    try:
        form = form_of(catalogue, aide or ())
    except (DeclarationRefusedError, UnknownAidError):
        return page.go(
            "/guichet-unique",
            notice=t("Choisissez de une à {n} aides ouvertes.", n=MOST_AIDS),
            kind="warn",
        )
    given = Given(
        [text.strip()[:300] for text in reponse or ()], list(piece or ()), list(honneur or ())
    )
    answers = (*given.answers, *[""] * len(form.questions))[: len(form.questions)]
    chosen = (*given.pieces, *[""] * len(form.documents))[: len(form.documents)]
    files = {short(file.id): file for file in files_of(vault)}
    documents = tuple(files.get(name) for name in chosen)
    errors = _errors(page, form, answers, documents, given.statements)
    if errors:
        return _form(page, vault, form, vehicule, given, errors)
    parts = cut(form, answers, documents)
    disclosures: list[tuple[Part[Document], Disclosure]] = []
    missing = []
    for part in parts:
        aid, asked, engine = part.asker.aid, part.asker.asked, part.asker.engine
        values = read_declared(asked, engine, part.answers)
        for name, value in values.items():
            keep_answer(vault, name, value, at=page.now)
        try:
            disclosures.append(
                (
                    part,
                    disclose_dossier(
                        page, vault, aid, asked, engine, values, part.answers, part.documents
                    ),
                )
            )
        except ShareRefusedError as error:
            if not str(error.reason).startswith("missing:"):
                raise
            missing.append(
                {
                    "text": t(REFUSALS["missing"], name=aid.funder_name),
                    "href": f"/documents/recevoir?aide={aid.slug}",
                }
            )
        except HubClientError:
            missing.append({"text": t(REFUSALS["hub"], name=aid.funder_name), "href": ""})
    if missing:
        return _form(page, vault, form, vehicule, given, errors, missing=missing)
    return _consent(page, disclosures)


def _errors(
    page: Page,
    form: OneForm,
    answers: Sequence[str],
    documents: Sequence[Document | None],
    statements: Sequence[str],
) -> Errors:
    t, errors = page.t, Errors()
    engines = {asker.aid.slug: asker.engine for asker in form.askers}
    for number, asked in enumerate(form.questions):
        one = Declaration((asked.question.variable,), {})
        try:
            read_declared(one, engines[asked.aids[0]], {asked.question.variable: answers[number]})
        except DeclarationRefusedError:
            errors[f"q{number}"] = t("Répondez à cette question ; un nombre s'écrit 1250 ou 12,50.")
    for number, paper in enumerate(form.documents):
        if documents[number] is None:
            errors[f"p{number}"] = t("Choisissez le fichier : {piece}.", piece=paper.label)
    for asker in form.askers:
        if asker.aid.slug not in statements:
            errors[f"h-{asker.aid.slug}"] = t(
                "Cochez la déclaration sur l'honneur pour {name}.", name=asker.aid.funder_name
            )
    return errors


def _consent(page: Page, disclosures: Sequence[tuple[Part[Document], Disclosure]]) -> HTMLResponse:
    t = page.t
    return page.show(
        "one_form_consent.html",
        funders=[
            {
                "id": disclosure.id,
                "name": disclosure.recipient_name,
                "title": text_of(t, part.asker.aid.titles),
                "leaves": claim_rows(t, disclosure.leaves),
                "facts": [
                    (t("Accrédité par"), disclosure.accredited_by or t("personne : méfiance")),
                    (
                        t("Conservation"),
                        disclosure.retention or t("le temps d'instruire la demande et des recours"),
                    ),
                    (t("Base légale"), disclosure.legal or t("votre consentement")),
                    (t("À accepter avant le"), t.moment(disclosure.expires_at)),
                ],
            }
            for part, disclosure in disclosures
        ],
        stays=kept_rows(t, disclosures[0][1].stays),
    )


@router.post("/guichet-unique/envoyer")
def send(
    page: CheckedDep,
    vault: VaultDep,
    accord: Annotated[list[str] | None, Form(max_length=MOST_AIDS)] = None,
) -> Response:
    """Send to each funder that was agreed to; the others get nothing."""
    t = page.t
    sent = []
    for name in dict.fromkeys(accord or ()):
        try:
            consent = vault.share(name, confirmed_at=page.now)
        except ShareRefusedError as error:
            if error.reason != "disclosure-unknown":  # sent a moment ago, by the same button
                raise
            continue
        if consent.application is not None:
            sent.append(consent.application)
    if not sent:
        return page.go(
            "/partages", notice=t("Rien n'a été envoyé : aucune case n'était cochée."), kind="warn"
        )
    for application in sent:
        wait_delivery(vault, application)
        if dossier_of(vault, application):
            send_quietly(vault, short(application))
    names = "&".join(f"d={short(application)}" for application in sent)
    return page.go(
        f"/guichet-unique/suivi?{names}",
        notice=t.n("{n} demande est partie.", "{n} demandes sont parties.", len(sent)),
    )


@router.get("/guichet-unique/suivi")
def follow(
    page: PageDep,
    vault: VaultDep,
    d: Annotated[list[str] | None, Query(max_length=MOST_AIDS)] = None,
) -> HTMLResponse:
    """Where each application of one form stands."""
    t = page.t
    rows = []
    for name in dict.fromkeys(d or ()):
        try:
            record = vault.get(iri(name))
        except RecordUnknownError:
            continue
        if not isinstance(record, Application):
            continue
        reachable = refresh(vault, name)
        again = vault.get(record.id)
        record = again if isinstance(again, Application) else record
        state = shown_state(record)
        label, kind = STATES.get(state, (state, ""))
        rows.append(
            {
                "href": f"/demandes/{short(record.id)}",
                "title": aid_titles(t)(record),
                "funder": str(record.extra.get("funderName") or record.funder),
                "state": t(label),
                "kind": kind,
                "headline": t(HEADLINES.get(state, N_("Votre demande est en cours"))),
                "amount": t.amount(record.amount) if record.amount else "",
                "left": waiting_of(t, vault, record.id),
                "unreachable": not reachable,
            }
        )
    return page.show("one_form_follow.html", rows=rows)


__all__ = ["form_of", "router"]
