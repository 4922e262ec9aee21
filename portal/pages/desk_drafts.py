"""Writing an aid at the desk, step by step, and publishing it by two people; what is announced."""

# ruff: noqa: E501 - a sentence of the catalogue stands whole on one line
# ruff: noqa: PLR0917 - a route's parameters are its form's fields

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError

from federation.aids.editor.reading import NotExpressibleError
from federation.aids.editor.saying import Change
from federation.aids.errors import UnknownAidError
from federation.hub.access import Action, is_allowed
from federation.hub.draft import Draft, DraftState
from federation.hub.draft_sheet import DraftSheet
from federation.hub.drafting import NOTICE, Look
from federation.hub.errors import (
    AgreementMissingError,
    DraftChangedError,
    DraftRefusedError,
    LastWayInError,
    PublicNoticeError,
    SecondPersonError,
)
from federation.hub.members import Member
from portal.context import HubPages
from portal.i18n import N_, Translator
from portal.pages.catalogue import MODE_NAMES, THEME_NAMES
from portal.pages.checks import text_of
from portal.pages.draft_cells import (
    STEPS,
    Step,
    fault_text,
    fields_of,
    read_step,
    step_of,
    why_not,
)
from portal.pages.hub import CheckedDep, ContextDep, OfficerDep, PageDep, desk_nav
from portal.web import Page

router = APIRouter(include_in_schema=False, prefix="/guichet/aides")
public = APIRouter(include_in_schema=False)

STATES: Final = {
    DraftState.WRITING: (N_("en cours d'écriture"), ""),
    DraftState.SUBMITTED: (N_("à publier"), "info"),
    DraftState.PUBLISHED: (N_("publié"), "ok"),
    DraftState.DISCARDED: (N_("jeté"), "warn"),
}
SECTIONS: Final = {
    "texts": N_("Présentation"),
    "questions": N_("Questions"),
    "conditions": N_("Conditions"),
    "amount": N_("Montant"),
    "bounds": N_("Limites"),
    "application": N_("Demande"),
    "examples": N_("Exemples"),
}
REFUSED: Final = {
    "note": N_("Dites en quelques mots, pour tout le monde, ce que fait cette version : de 10 à 1 000 caractères."),
    "no-change": N_("Rien n'a changé depuis la version publiée."),
    "another-is-open": N_("Cette aide a déjà un autre brouillon en cours."),
    "too-many": N_("Trop de brouillons sont ouverts : jetez-en ou publiez-en."),
}  # fmt: skip
_GONE_ON: Final = N_("Ce brouillon n'en est plus là : voici où il en est.")


async def given_fields(request: Request) -> Mapping[str, str]:
    """The fields of the posted form, by name."""
    return {name: str(value) for name, value in (await request.form()).items()}


GivenDep = Annotated[Mapping[str, str], Depends(given_fields)]
TagField = Annotated[int, Form(ge=0, le=2**31)]


def _draft_address(draft: Draft, step: str = "") -> str:
    return f"/guichet/aides/brouillons/{draft.id}" + (f"/{step}" if step else "")


def _name(t: Translator, context: HubPages, draft: Draft, member: str | None) -> str:
    people: dict[str, str] = {m.id: m.name for m in context.hub.members.members(draft.funder)}
    return people.get(member or "", t("une personne qui n'est plus au guichet"))


def _knows_again(context: HubPages, draft: Draft) -> bool:
    """Whether the ledger knows a person again by the aid that the draft changes."""
    return bool(draft.base_version) and bool(context.hub.publishing.aid(draft.slug).family)


def _title(t: Translator, draft: Draft) -> str:
    return str(draft.sheet.get("title") or "") or t("Aide sans nom")


def _changes(t: Translator, changes: tuple[Change, ...]) -> list[list[str]]:
    return [
        [t(SECTIONS[c.section]), text_of(t, c.before) or "–", text_of(t, c.after) or "–"]
        for c in changes
    ]


def _tried(t: Translator, look: Look) -> list[dict[str, Any]]:
    asked = {} if look.form is None else {q.variable: q.title for q in look.form.rule.questions}

    def due(cents: int | None) -> str:
        return t("rien") if cents is None else t.amount(cents)

    rows = []
    for one in look.tried:
        why = " ".join(text_of(t, words) for words in one.reasons)
        if one.missing:
            why = t(
                "Sans réponse à : {names}.", names=", ".join(asked.get(n, n) for n in one.missing)
            )
        if one.error:
            why = t("La règle ne se calcule pas : {what}.", what=one.error)
        rows.append(
            {
                "label": one.label,
                "expected": due(one.expected),
                "got": due(one.got),
                "good": one.as_expected,
                "mark": t("comme attendu") if one.as_expected else t("pas comme attendu"),
                "why": why,
            }
        )  # fmt: skip
    return rows


def _said(t: Translator, look: Look) -> list[dict[str, Any]]:
    """The draft in sentences, by section."""
    return [
        {
            "title": t(title),
            "lines": [text_of(t, s.words) for s in look.statements if s.section == section],
        }
        for section, title in SECTIONS.items()
        if section != "examples" and any(s.section == section for s in look.statements)
    ]


def _faults(
    t: Translator, draft: Draft, look: Look, step: Step | None = None
) -> list[dict[str, str]]:
    return [
        {"text": fault_text(t, fault), "href": _draft_address(draft, step_of(fault).value)}
        for fault in look.faults
        if step is None or step_of(fault) is step
    ]


# --- the list and the beginning ------------------------------------------------------------------


def draft_rows(page: Page, context: HubPages, who: Member) -> list[dict[str, str]]:
    """Open drafts for the page of the funder's aids."""
    if not is_allowed(Action.REVIEW_AID, who.roles):
        return []
    t = page.t
    rows = []
    for draft in context.hub.drafts.of(who):
        label, kind = STATES[draft.state]
        rows.append(
            {
                "href": _draft_address(draft),
                "title": _title(t, draft),
                "state": t(label),
                "kind": kind,
                "text": t("modifié le {moment} par {name}", moment=t.moment(draft.updated_at), name=_name(t, context, draft, draft.editor)),
            }
        )  # fmt: skip
    return rows


@router.post("/brouillons")
def begin(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    aide: Annotated[str, Form(max_length=160)] = "",
) -> Response:
    """A draft of a new aid, or of the next version of one."""
    t = page.t
    try:
        draft = context.hub.drafts.open_for(who, aide) if aide else context.hub.drafts.open_new(who)
    except NotExpressibleError:
        return page.go(f"/guichet/aides/{aide}/regle")
    except DraftRefusedError as error:
        return page.go("/guichet/aides", notice=t(REFUSED[error.why]), kind="warn")
    return page.go(_draft_address(draft) if aide else _draft_address(draft, Step.TEXTS.value))


@router.get("/{slug}/regle")
def rule(page: PageDep, context: ContextDep, who: OfficerDep, slug: str) -> HTMLResponse:
    """A rule as it is written, with the reason why the form cannot say it."""
    who.require(Action.PUBLISH_AID)
    t, hub = page.t, context.hub
    funder = hub.publishing.funder(who.funder or "")
    if funder is None:
        raise UnknownAidError(slug)
    aid = hub.drafts.aid_of(funder, slug)
    reason = ""
    try:
        hub.drafts.expressible(aid)
    except NotExpressibleError as error:
        reason = why_not(t, error.reason, error.where, error.what)
    rules = hub.publishing.rules(aid.rule.model)
    shown = (
        rules if aid.rule.model.startswith("aide-") else {aid.rule.rule: rules.get(aid.rule.rule)}
    )
    return page.show(
        "desk_rule.html",
        nav=desk_nav(page, who),
        title=text_of(t, aid.titles),
        slug=slug,
        reason=reason,
        rule=aid.rule.rule,
        model=aid.rule.model,
        text=json.dumps(shown, ensure_ascii=False, indent=2),
    )


# --- one draft -----------------------------------------------------------------------------------


def _overview(
    page: Page,
    context: HubPages,
    who: Member,
    draft: Draft,
    *,
    alert: str = "",
    status: int = 200,
    note: str = "",
    words: str = "",
) -> HTMLResponse:
    t, hub = page.t, context.hub
    look = hub.drafts.look(draft)
    label, kind = STATES[draft.state]
    may_write = is_allowed(Action.PUBLISH_AID, who.roles)
    second = hub.drafts.needs_second(draft)
    mine = draft.submitter == who.id
    ready_at = None if draft.announced_at is None else draft.announced_at + NOTICE
    return page.show(
        "desk_draft.html",
        status=status,
        nav=desk_nav(page, who),
        alert_text=alert,
        title=_title(t, draft),
        address=_draft_address(draft),
        slug=draft.slug,
        tag_number=draft.tag,
        state=t(label),
        kind=kind,
        writing=draft.state is DraftState.WRITING,
        submitted=draft.state is DraftState.SUBMITTED,
        discarded=draft.state is DraftState.DISCARDED,
        published=draft.state is DraftState.PUBLISHED,
        may_write=may_write,
        steps=[
            {"href": _draft_address(draft, step.value), "text": t(name),
             "faults": t.n("{n} point à corriger", "{n} points à corriger", count) if (count := len(_faults(t, draft, look, step))) else ""}
            for step, name in STEPS.items()
        ],
        faults=_faults(t, draft, look),
        whole=look.is_whole,
        tried=_tried(t, look),
        said=_said(t, look),
        changes=_changes(t, look.changes),
        is_new=not draft.base_version,
        edited=t("Modifié le {moment} par {name}.", moment=t.moment(draft.updated_at), name=_name(t, context, draft, draft.editor)),
        answer=draft.answer if draft.state is DraftState.WRITING else "",
        answered=_name(t, context, draft, draft.reviewer) if draft.answer else "",
        note=note or draft.note,
        words=words,
        submitted_text=t("Proposé le {moment} par {name}.", moment=t.moment(draft.submitted_at), name=_name(t, context, draft, draft.submitter)) if draft.submitted_at else "",
        alone=not second,
        may_publish=draft.state is DraftState.SUBMITTED
        and (not mine or (not second and ready_at is not None and page.now >= ready_at)),
        may_send_back=draft.state is DraftState.SUBMITTED and not mine,
        waits_second=draft.state is DraftState.SUBMITTED and mine and second,
        ready=t.moment(ready_at) if ready_at is not None and mine else "",
        lost_notice=draft.state is DraftState.SUBMITTED and mine and not second and ready_at is None,
        has_schema=look.schema is not None,
        rules="" if look.made is None else json.dumps(next(iter(look.made.models.values()))[1], ensure_ascii=False, indent=2),
    )  # fmt: skip


@router.get("/brouillons/{draft_id}")
def overview(page: PageDep, context: ContextDep, who: OfficerDep, draft_id: str) -> HTMLResponse:
    """What a draft says, what is wrong with it, what it changes, and what can be done with it."""
    return _overview(page, context, who, context.hub.drafts.find(who, draft_id))


@router.get("/brouillons/{draft_id}/reponses.schema.json")
def schema(context: ContextDep, who: OfficerDep, draft_id: str) -> Response:
    """JSON Schema of the answers a draft asks for."""
    found = context.hub.drafts.look(context.hub.drafts.find(who, draft_id)).schema
    if found is None:
        raise DraftRefusedError("questions", "no-question")
    text = json.dumps(found, ensure_ascii=False, indent=2)
    return Response(text, media_type="application/schema+json")


def _step_page(
    page: Page,
    context: HubPages,
    who: Member,
    draft: Draft,
    step: Step,
    *,
    sheet: DraftSheet | None = None,
    alert: str = "",
    status: int = 200,
) -> HTMLResponse:
    """One step. `sheet`: what was typed and not kept."""
    t = page.t
    look = context.hub.drafts.look(draft)
    shown = sheet or DraftSheet.model_validate(draft.sheet)
    order = list(STEPS)
    following = order[order.index(step) + 1 :]
    return page.show(
        "desk_draft_step.html",
        status=status,
        nav=desk_nav(page, who),
        alert_text=alert,
        title=_title(t, draft),
        heading=t(STEPS[step]),
        address=_draft_address(draft),
        action=_draft_address(draft, step.value),
        step=step.value,
        steps=[t(name) for name in STEPS.values()],
        current=order.index(step) + 1,
        is_last=not following,
        tag_number=draft.tag,
        faults=[fault["text"] for fault in _faults(t, draft, look, step)],
        tried=_tried(t, look),
        said=_said(t, look),
        themes=[
            {"name": f"theme-{code}", "label": t(name), "checked": code in shown.themes}
            for code, name in (MODE_NAMES | THEME_NAMES).items()
        ],
        at_register=bool(shown.journey) or context.hub.register.is_of(who.funder),
        knows_again=bool(shown.cool_down) or shown.no_prior or _knows_again(context, draft),
        **fields_of(t, shown),
    )


@router.get("/brouillons/{draft_id}/{etape}")
def step_form(
    page: PageDep, context: ContextDep, who: OfficerDep, draft_id: str, etape: Step
) -> Response:
    """One step of a draft."""
    who.require(Action.PUBLISH_AID)
    draft = context.hub.drafts.find(who, draft_id)
    if draft.state is not DraftState.WRITING:
        return page.go(_draft_address(draft))
    return _step_page(page, context, who, draft, etape)


@router.post("/brouillons/{draft_id}/{etape}")
def save_step(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    given: GivenDep,
    draft_id: str,
    etape: Step,
    etag: TagField = 0,
) -> Response:
    """Keep what was typed, whatever it is, and go where the pressed button says."""
    who.require(Action.PUBLISH_AID)
    t, drafts = page.t, context.hub.drafts
    draft = drafts.find(who, draft_id)
    sheet = DraftSheet.model_validate(draft.sheet)
    try:
        typed = read_step(etape, given, sheet)
    except ValidationError:
        text = t(
            "C'est trop long : rien n'a été enregistré. Raccourcissez les textes ou retirez des lignes."
        )
        return _step_page(page, context, who, draft, etape, alert=text, status=422)
    try:
        kept = drafts.save(who, draft_id, typed, tag=etag)
    except DraftRefusedError:
        return page.go(_draft_address(draft), notice=t(_GONE_ON), kind="warn")
    except DraftChangedError as error:
        name = _name(t, context, draft, error.editor)
        text = t(
            "{name} a modifié ce brouillon pendant que vous écriviez. Vos saisies de cette page sont ci-dessous, pas encore enregistrées : enregistrez de nouveau pour les garder à la place des siennes.",
            name=name,
        )
        return _step_page(
            page, context, who, draft, etape, sheet=typed, alert=text, status=409
        )  # fmt: skip
    go = given.get("aller", "")
    if go == "rester":
        return page.go(_draft_address(kept, etape.value), notice=t("Enregistré."))
    order = list(STEPS)
    place = order.index(etape) + 1
    if go == "suite" and place < len(order):
        return page.go(_draft_address(kept, order[place].value), notice=t("Enregistré."))
    return page.go(_draft_address(kept), notice=t("Enregistré."))


# --- what becomes of it --------------------------------------------------------------------------


def _refused(
    page: Page, context: HubPages, who: Member, draft_id: str, error: Exception,
    *, note: str = "", words: str = "",
) -> HTMLResponse:  # fmt: skip
    """The draft as it stands, with what keeps it from going on."""
    t = page.t
    draft = context.hub.drafts.find(who, draft_id)
    match error:
        case DraftChangedError():
            text, status = (
                t(
                    "Ce brouillon ou son aide a changé depuis que vous l'avez lu : relisez avant de décider."
                ),
                409,
            )
        case SecondPersonError():
            text, status = t("Une autre personne du guichet publie ce que vous proposez."), 409
        case PublicNoticeError():
            text, status = t("L'annonce publique n'est pas terminée."), 409
        case AgreementMissingError():
            text, status = t("Acceptez d'abord la convention, dans les réglages."), 409
        case LastWayInError():
            text, status = (
                t("Donnez-vous d'abord un accès pour revenir demain, dans les réglages."),
                409,
            )
        case DraftRefusedError(why=why) if why in REFUSED:
            text, status = t(REFUSED[why]), 422
        case DraftRefusedError(why=why) if why in set(DraftState):
            text, status = t(_GONE_ON), 409
        case _:
            text, status = t("Il reste des points à corriger."), 422
    return _overview(page, context, who, draft, alert=text, status=status, note=note, words=words)


_KNOWN = (
    AgreementMissingError, DraftChangedError, DraftRefusedError, LastWayInError, PublicNoticeError,
    SecondPersonError,
)  # fmt: skip


@router.post("/soumettre")
def submit(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    brouillon: Annotated[str, Form(max_length=40)] = "",
    etag: TagField = 0,
    note: Annotated[str, Form(max_length=3_000)] = "",
) -> Response:
    """Propose a draft to a second person, or announce it."""
    who.require(Action.PUBLISH_AID)
    t = page.t
    try:
        draft = context.hub.drafts.submit(who, brouillon, note, tag=etag)
    except _KNOWN as error:
        return _refused(page, context, who, brouillon, error, note=note)
    text = (
        t("Proposé : une autre personne du guichet le relit et le publie.")
        if draft.announced_at is None
        else t("Annoncé à tout le monde : vous pourrez publier dans vingt-quatre heures.")
    )
    return page.go(_draft_address(draft), notice=text)


@router.post("/reprendre")
def take_back(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    brouillon: Annotated[str, Form(max_length=40)] = "",
    etag: TagField = 0,
) -> Response:
    """Go on writing what was proposed."""
    who.require(Action.PUBLISH_AID)
    try:
        draft = context.hub.drafts.take_back(who, brouillon, tag=etag)
    except _KNOWN as error:
        return _refused(page, context, who, brouillon, error)
    return page.go(_draft_address(draft), notice=page.t("Vous pouvez écrire de nouveau."))


@router.post("/renvoyer")
def send_back(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    brouillon: Annotated[str, Form(max_length=40)] = "",
    etag: TagField = 0,
    mots: Annotated[str, Form(max_length=3_000)] = "",
) -> Response:
    """Ask the colleague for something else."""
    who.require(Action.REVIEW_AID)
    t = page.t
    try:
        draft = context.hub.drafts.send_back(who, brouillon, mots, tag=etag)
    except DraftRefusedError as error:
        if error.where != "words":
            return _refused(page, context, who, brouillon, error)
        found = context.hub.drafts.find(who, brouillon)
        text = t("Dites en quelques mots ce qui est à changer.")
        return _overview(page, context, who, found, alert=text, status=422, words=mots)
    except DraftChangedError as error:
        return _refused(page, context, who, brouillon, error, words=mots)
    return page.go(_draft_address(draft), notice=t("Renvoyé avec vos mots."))


@router.post("/publier")
def publish(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    brouillon: Annotated[str, Form(max_length=40)] = "",
    etag: TagField = 0,
) -> Response:
    """Publish what was proposed, as it was read."""
    who.require(Action.REVIEW_AID)
    try:
        context.hub.drafts.publish(who, brouillon, tag=etag)
    except _KNOWN as error:
        return _refused(page, context, who, brouillon, error)
    return page.go(
        "/guichet/aides",
        notice=page.t("L'aide est publiée : les coffres la voient dans quelques minutes."),
    )


@router.post("/jeter")
def discard(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    brouillon: Annotated[str, Form(max_length=40)] = "",
    etag: TagField = 0,
) -> Response:
    """Put a draft away; the page offers to take it up again."""
    who.require(Action.PUBLISH_AID)
    try:
        draft = context.hub.drafts.discard(who, brouillon, tag=etag)
    except _KNOWN as error:
        return _refused(page, context, who, brouillon, error)
    return page.go(
        _draft_address(draft),
        notice=page.t("Brouillon jeté. Il peut être repris pendant trente jours."),
    )


@router.post("/restaurer")
def restore(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    brouillon: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Take up a discarded draft again."""
    who.require(Action.PUBLISH_AID)
    try:
        draft = context.hub.drafts.restore(who, brouillon)
    except _KNOWN as error:
        return _refused(page, context, who, brouillon, error)
    return page.go(_draft_address(draft), notice=page.t("Brouillon repris."))


# --- for everybody -------------------------------------------------------------------------------


@public.get("/annonces")
def announcements(page: PageDep, context: ContextDep) -> HTMLResponse:
    """What funders of one person are about to publish."""
    t, hub = page.t, context.hub
    rows = []
    for draft, funder in hub.drafts.announced():
        look = hub.drafts.look(draft)
        at = draft.announced_at or page.now
        rows.append(
            {
                "title": _title(t, draft),
                "funder": funder.name,
                "slug": draft.slug,
                "note": draft.note,
                "text": t("Annoncée le {moment} ; publication possible à partir du {ready}.", moment=t.moment(at), ready=t.moment(at + NOTICE)),
                "changes": _changes(t, look.changes),
                "said": _said(t, look),
            }
        )  # fmt: skip
    return page.show(
        "hub_announcements.html", rows=rows,
        heads=[t("Partie"), t("Avant"), t("Après")],
    )  # fmt: skip


@public.get("/aides/{slug}/versions")
def versions(page: PageDep, context: ContextDep, slug: str) -> HTMLResponse:
    """The versions of an aid in words: what each changed."""
    t, hub = page.t, context.hub
    found = hub.drafts.versions(slug)
    return page.show(
        "hub_versions.html",
        slug=slug,
        title=text_of(t, hub.publishing.public().aid(slug).titles),
        heads=[t("Partie"), t("Avant"), t("Après")],
        rows=[
            {
                "version": draft.version,
                "when": t.moment(draft.published_at) if draft.published_at else "",
                "note": draft.note,
                "people": t("proposée et publiée par deux personnes")
                if draft.submitter != draft.reviewer
                else t("publiée par une personne, après un jour d'annonce"),
                "changes": _changes(t, tuple(Change(c["section"], c["before"], c["after"]) for c in draft.changes)),
            }
            for draft in found
        ],
    )  # fmt: skip


__all__ = ["draft_rows", "public", "router"]
