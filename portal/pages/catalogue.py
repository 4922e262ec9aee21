"""The hub's public catalogue: search, communes, history, open data, the widget, what people report."""

# ruff: noqa: PLR0917 - a route's parameters are its form's fields
# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Header, Query, Request
from fastapi.responses import HTMLResponse, Response

from federation.aids.errors import UnknownAidError
from federation.aids.export import FORMATS
from federation.aids.model import Aid, CheckMode
from federation.aids.news import commune_feed
from federation.aids.search import MODES, Found, Hit
from federation.aids.search import Query as Asked
from federation.aids.territories import Commune, by_code, search
from federation.hub.access import Action
from federation.hub.errors import ReportRefusedError, ReportsBusyError
from federation.hub.model import Report, ReportState, ReportSubject
from portal.context import HubPages
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.aids import LEVELS, aid_facts, aid_title
from portal.pages.hub import CheckedDep, ContextDep, OfficerDep, PageDep, desk_nav
from portal.settings import Node
from portal.views import local_today
from portal.web import Page

public = APIRouter(include_in_schema=False)
desk = APIRouter(include_in_schema=False, prefix="/guichet")

PAGE_SIZE: Final = 30
MAX_AIDS: Final = 20_000
MODE_NAMES: Final = {
    "velo": N_("Vélo"),
    "covoiturage": N_("Covoiturage"),
    "transport-en-commun": N_("Transport en commun"),
    "transport-a-la-demande": N_("Transport à la demande"),
    "voiture": N_("Voiture"),
    "autopartage": N_("Autopartage"),
    "libre-service": N_("Libre-service"),
    "trottinette": N_("Trottinette"),
    "marche": N_("Marche"),
}
THEME_NAMES: Final = {
    "achat-velo": N_("Achat d'un vélo"),
    "permis": N_("Permis de conduire"),
    "trajet-domicile-travail": N_("Trajet domicile – travail"),
    "pret": N_("Prêt"),
    "emploi": N_("Emploi"),
    "entretien": N_("Entretien et réparation"),
    "accompagnement": N_("Accompagnement"),
    "mobilite": N_("Toutes les mobilités"),
    "deplacement": N_("Déplacements"),
}
PROFILE_NAMES: Final = {
    "etudiant": N_("Étudiant·e"),
    "apprenti": N_("Apprenti·e"),
    "demandeur-emploi": N_("En recherche d'emploi"),
    "salarie": N_("Salarié·e"),
    "agent-public": N_("Agent public"),
    "retraite": N_("Retraité·e"),
    "jeune": N_("Jeune"),
    "handicap": N_("En situation de handicap"),
    "revenus-modestes": N_("Revenus modestes"),
}
FIELD_NAMES: Final = {
    "title": N_("le titre"),
    "theme": N_("le thème"),
    "funder": N_("le financeur"),
    "territory": N_("le territoire"),
    "summary": N_("la présentation"),
    "conditions": N_("les conditions"),
    "rule": N_("la règle de calcul"),
}
CHECKS: Final = {
    "here": N_("Demande depuis votre coffre"),
    "link-out": N_("Demande chez le financeur"),
}
ACTORS: Final = {
    "hub": N_("le guichet"),
    "import": N_("un import"),
    "calendar": N_("le calendrier"),
}
STATES: Final = {
    "published": N_("publiée"),
    "suspended": N_("suspendue"),
    "expired": N_("terminée"),
    "review": N_("à relire"),
    "draft": N_("brouillon"),
}
CHANGED: Final = {
    "status": N_("l'état"),
    "version": N_("la version"),
    "titles": N_("le titre"),
    "summaries": N_("la présentation"),
    "parameters": N_("les montants"),
    "rule": N_("la règle de calcul"),
    "examples": N_("les exemples"),
    "endsOn": N_("la date de fin"),
    "lastVerified": N_("la vérification"),
    "nextReview": N_("la prochaine relecture"),
    "link": N_("le lien"),
    "territories": N_("le territoire"),
    "pieces": N_("les pièces demandées"),
    "notProven": N_("les conditions"),
    "checkMode": N_("la façon de demander"),
}
SUBJECTS: Final = {
    "amount": N_("Le montant est faux"),
    "conditions": N_("Une condition est fausse ou manque"),
    "ended": N_("L'aide n'existe plus"),
    "link": N_("Le lien ne marche pas"),
    "missing": N_("Une aide manque au catalogue"),
    "other": N_("Autre chose"),
}
REPORT_STATES: Final = {
    ReportState.WAITING: (N_("en attente de lecture"), "info"),
    ReportState.ACCEPTED: (N_("corrigé"), "ok"),
    ReportState.DECLINED: (N_("sans suite"), ""),
}
EMBEDDED: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; font-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *",
    "x-frame-options": "ALLOWALL",
    "cross-origin-resource-policy": "cross-origin",
}
"""The widget alone may stand in a page of others: no form, no script, no cookie of ours is read."""


def _card(t: Translator, hit: Hit, at: date) -> dict[str, Any]:
    aid = hit.aid
    link_out = aid.check_mode is CheckMode.LINK_OUT
    why = []
    if hit.fields:
        why.append(
            t(
                "vos mots sont dans {places}",
                places=", ".join(t(FIELD_NAMES[f]) for f in hit.fields),
            )
        )
    if hit.near:
        why.append(t("territoire : {level}", level=t(LEVELS[hit.near])))
    return {
        **aid_facts(t, aid, at),
        "mode": t(CHECKS["link-out" if link_out else "here"]),
        "mode_kind": "" if link_out else "brand",
        "why": " · ".join(why),
        "ends": t("jusqu'au {day}", day=t.day(aid.ends_on, "long")) if aid.ends_on else "",
    }


def _options(
    t: Translator, names: Mapping[str, str], counts: Mapping[str, int], chosen: str
) -> list[tuple[str, str]]:
    """A filter's choices with their counts; one that gives nothing here is left out."""
    return [
        ("", t("Tous")),
        *(
            (code, f"{t(name)} ({counts.get(code, 0)})")
            for code, name in names.items()
            if counts.get(code) or code == chosen
        ),
    ]


def _place(text: str, code: str) -> tuple[Commune | None, list[Commune]]:
    """(the commune, or the ones to choose from)."""
    here = by_code(code) if code else None
    if here is not None:
        return here, []
    found = search(text.strip()) if text.strip() else []
    exact = [c for c in found if c.name.casefold() == text.strip().casefold()]
    if len(found) == 1 or len(exact) == 1:
        return (exact or found)[0], []
    return None, found[:12]


@public.get("/")
def aids(
    page: PageDep,
    context: ContextDep,
    q: Annotated[str, Query(max_length=100)] = "",
    lieu: Annotated[str, Query(max_length=80)] = "",
    commune: Annotated[str, Query(max_length=12)] = "",
    mode: Annotated[str, Query(max_length=40)] = "",
    theme: Annotated[str, Query(max_length=40)] = "",
    profil: Annotated[str, Query(max_length=40)] = "",
    niveau: Annotated[str, Query(max_length=40)] = "",
    de: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> HTMLResponse:
    """The public catalogue, searched."""
    t, at = page.t, local_today(page.now)
    here, choices = _place(lieu, commune)
    asked = Asked(words=q, commune=here, mode=mode, theme=theme, profile=profil, level=niveau)
    finder = context.hub.open_data.finder()
    found: Found = finder.find(asked, start=de, stop=de + PAGE_SIZE)
    given = {
        "q": q, "lieu": lieu if here is None else "", "commune": here.code if here else "",
        "mode": mode, "theme": theme, "profil": profil, "niveau": niveau,
    }  # fmt: skip
    facets = {
        "mode": finder.find(replace(asked, mode=""), stop=0).facets.get("mode", {}),
        "theme": finder.find(replace(asked, theme=""), stop=0).facets.get("theme", {}),
        "profil": finder.find(replace(asked, profile=""), stop=0).facets.get("profile", {}),
        "niveau": finder.find(replace(asked, level=""), stop=0).facets.get("level", {}),
    }
    following = de + PAGE_SIZE

    def address(**more: str | int) -> str:
        kept = {name: value for name, value in {**given, **more}.items() if value}
        return "/?" + urlencode(kept)

    return page.show(
        "hub_aids.html",
        query=q,
        place=here.name if here else lieu,
        here=_here(t, here) if here else None,
        elsewhere=address(commune="", lieu=""),
        choices=[
            {"href": address(commune=c.code, lieu=""), "name": c.name, "text": f"{', '.join(c.postcodes[:3])} · {c.departement}"}
            for c in choices
        ],
        unknown=bool(lieu.strip()) and here is None and not choices,
        filters=[
            {"name": name, "label": t(label), "chosen": chosen,
             "options": _options(t, names, facets[name], chosen)}
            for name, label, names, chosen in (
                ("mode", N_("Mode"), MODE_NAMES, mode),
                ("theme", N_("Thème"), THEME_NAMES, theme),
                ("profil", N_("Profil"), PROFILE_NAMES, profil),
                ("niveau", N_("Financeur"), LEVELS, niveau),
            )
        ],
        filtered=any((mode, theme, profil, niveau)),
        aids=[_card(t, hit, at) for hit in found.hits],
        partial=found.is_partial,
        summary=t.n("{n} aide", "{n} aides", found.total),
        more=address(de=following) if following < found.total else "",
        simulate=f"{context.settings.url(Node.HOME)}/simuler",
    )  # fmt: skip


def _here(t: Translator, here: Commune) -> dict[str, str]:
    return {
        "name": here.name,
        "href": f"/territoires/commune/{here.code}",
        "text": t("Mon territoire : {name}", name=here.name),
    }


@public.get("/communes/{code}/nouvelles.atom")
def commune_news(
    context: ContextDep,
    code: str,
    if_none_match: Annotated[str | None, Header(max_length=128)] = None,
) -> Response:
    """What is new for a commune, for a reader of one's own: public facts, nobody is kept."""
    here = by_code(code)
    if here is None:
        raise UnknownAidError(code)
    hub = context.hub
    etag = f'"{hub.publishing.newest()}-{hub.clock().date():%Y%m%d}-{here.code}"'
    headers = {"etag": etag, "cache-control": "public, max-age=3600"}
    if if_none_match == etag:
        return Response(status_code=304, headers=headers)
    found, _ = hub.publishing.changed(after=0, limit=MAX_AIDS)
    content = commune_feed(
        here,
        (revision for revision, is_open in found if is_open),
        origin=context.settings.url(Node.HUB),
        at=hub.clock(),
    )
    return Response(content, media_type="application/atom+xml", headers=headers)


@public.get("/aides/{slug}/historique")
def history(page: PageDep, context: ContextDep, slug: str) -> HTMLResponse:
    """What the catalogue said of an aid, since when, and what changed."""
    t = page.t
    revisions = context.hub.publishing.revisions(slug)
    return page.show(
        "hub_history.html",
        slug=slug,
        title=aid_title(t, revisions[-1].aid),
        heads=[t("Depuis le"), t("Version"), t("État"), t("Ce qui a changé"), t("Par"), t("Note")],
        rows=[
            [
                t.moment(found.at),
                found.aid.version,
                t(STATES[found.aid.status.value]),
                _changed(t, found.changed),
                t(ACTORS[found.actor]) if found.actor in ACTORS else t("le financeur"),
                found.note or "–",
            ]
            for found in reversed(revisions)
        ],
    )


def _changed(t: Translator, members: tuple[str, ...]) -> str:
    if not members:
        return t("première publication")
    known = [t(CHANGED[name]) for name in members if name in CHANGED]
    return ", ".join(known) or t("des détails")


@public.get("/donnees-ouvertes")
def open_data(page: PageDep, context: ContextDep) -> HTMLResponse:
    """Files, API and widget, for whoever wants to reuse the catalogue."""
    t = page.t
    origin = context.hub.settings.origin
    files = []
    for form in FORMATS:
        file = context.hub.open_data.file(form.path)
        files.append(
            {"href": f"/v1/open-data/{form.path}", "name": form.title,
             "text": t("{size} ko", size=t.number(len(file.content) // 1000))}
        )  # fmt: skip
    return page.show(
        "hub_open_data.html",
        files=files,
        origin=origin,
        snippet=f'<iframe src="{origin}/widget?commune=11069" title="{t("Aides à la mobilité")}" width="100%" height="600"></iframe>',
        total=len(context.hub.open_data.finder().aids),
    )


@public.get("/widget")
def widget(
    page: PageDep,
    context: ContextDep,
    commune: Annotated[str, Query(max_length=12)] = "",
    q: Annotated[str, Query(max_length=100)] = "",
    mode: Annotated[str, Query(max_length=40)] = "",
) -> HTMLResponse:
    """A short list that others put into their page; each aid opens here, in a new tab."""
    t, at = page.t, local_today(page.now)
    here = by_code(commune) if commune else None
    found = context.hub.open_data.finder().find(
        Asked(words=q, commune=here, mode=mode if mode in MODES else ""), stop=12
    )
    origin = context.hub.settings.origin
    kept = {
        k: v for k, v in (("commune", here.code if here else ""), ("q", q), ("mode", mode)) if v
    }
    answer = page.show(
        "widget.html",
        tabs=False,
        headers=dict(EMBEDDED),
        place=here.name if here else "",
        aids=[_card(t, hit, at) for hit in found.hits],
        total=t.n("{n} aide", "{n} aides", found.total),
        origin=origin,
        all_link=f"{origin}/?{urlencode(kept)}",
    )
    del answer.headers["set-cookie"]
    answer.headers["cache-control"] = "public, max-age=300"
    return answer


# --- what people report --------------------------------------------------------------------------


def _report_page(
    page: Page, aid: Aid | None, *, values: Mapping[str, str], errors: Errors, status: int = 200,
    headers: dict[str, str] | None = None,
) -> HTMLResponse:  # fmt: skip
    t = page.t
    subjects = ("amount", "conditions", "ended", "link", "other") if aid else ("missing",)
    return page.show(
        "hub_report.html",
        status=422 if errors and status == 200 else status,
        headers=headers,
        aid={"slug": aid.slug, "title": aid_title(t, aid)} if aid else None,
        action=f"/aides/{aid.slug}/signaler" if aid else "/proposer",
        subjects=[(code, t(SUBJECTS[code])) for code in subjects],
        values=Errors(values),
        errors=errors,
    )


def _take(
    request: Request, page: Page, context: HubPages, aid: Aid | None, values: dict[str, str]
) -> Response:
    t = page.t
    client = request.client.host if request.client else "unknown"
    try:
        secret = context.hub.reports.report(
            ReportSubject(values["objet"]) if values["objet"] in set(ReportSubject) else None,
            slug=aid.slug if aid else "",
            text=values["texte"],
            link=values["lien"],
            address=client,
        )
    except ReportRefusedError as error:
        texts = {
            "objet": t("Choisissez ce qui ne va pas."),
            "texte": t("Écrivez entre 10 et 2 000 caractères."),
            "lien": t("Une adresse qui commence par https://, ou rien."),
        }
        where = error.where or "texte"
        return _report_page(page, aid, values=values, errors=Errors({where: texts[where]}))
    except ReportsBusyError:
        return _report_page(
            page, aid, values=values, status=429, headers={"retry-after": "3600"},
            errors=Errors({"texte": t("Trop de signalements à la fois. Réessayez plus tard.")}),
        )  # fmt: skip
    return page.go(f"/signalements/{secret}", notice=t("Merci. Votre signalement sera lu."))


@public.get("/aides/{slug}/signaler")
def report_form(page: PageDep, context: ContextDep, slug: str) -> HTMLResponse:
    """Say that something is wrong with an aid."""
    aid = context.hub.publishing.public().aid(slug)
    return _report_page(page, aid, values={}, errors=Errors())


@public.post("/aides/{slug}/signaler")
def report(
    request: Request,
    page: CheckedDep,
    context: ContextDep,
    slug: str,
    objet: Annotated[str, Form(max_length=20)] = "",
    texte: Annotated[str, Form(max_length=5_000)] = "",
    lien: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Keep it for who moderates."""
    aid = context.hub.publishing.public().aid(slug)
    return _take(request, page, context, aid, {"objet": objet, "texte": texte, "lien": lien})


@public.get("/proposer")
def proposal_form(page: PageDep) -> HTMLResponse:
    """Propose an aid that is not in the catalogue."""
    return _report_page(page, None, values={"objet": "missing"}, errors=Errors())


@public.post("/proposer")
def propose(
    request: Request,
    page: CheckedDep,
    context: ContextDep,
    texte: Annotated[str, Form(max_length=5_000)] = "",
    lien: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Keep it for who moderates."""
    return _take(request, page, context, None, {"objet": "missing", "texte": texte, "lien": lien})


@public.get("/signalements/{lien}")
def report_page(page: PageDep, context: ContextDep, lien: str) -> HTMLResponse:
    """What became of a report, for whoever has its link."""
    t = page.t
    found: Report = context.hub.reports.find(lien)
    text, kind = REPORT_STATES[found.state]
    return page.show(
        "hub_reported.html",
        report=_shown(t, context, found),
        state=t(text),
        kind=kind,
    )


def _shown(t: Translator, context: HubPages, found: Report) -> dict[str, Any]:
    title = ""
    if found.slug:
        try:
            title = aid_title(t, context.hub.publishing.aid(found.slug))
        except UnknownAidError:
            title = found.slug
    return {
        "id": found.id,
        "slug": found.slug,
        "title": title or t("Une aide à ajouter"),
        "subject": t(SUBJECTS[found.subject.value]),
        "text": found.text,
        "link": found.link,
        "when": t.day(found.at.date(), "long"),
        "answer": found.answer,
        "answered": t.day(found.answered_at.date(), "long") if found.answered_at else "",
        "state": t(REPORT_STATES[found.state][0]),
        "kind": REPORT_STATES[found.state][1],
        "waits": found.state is ReportState.WAITING,
    }


@desk.get("/signalements")
def reports(page: PageDep, context: ContextDep, who: OfficerDep) -> HTMLResponse:
    """What people reported: the hub's administrators see all, a funder's editors their own aids'."""
    t = page.t
    found = context.hub.reports.of(who)
    return page.show(
        "desk_reports.html",
        nav=desk_nav(page, who),
        waiting=[_shown(t, context, one) for one in found if one.state is ReportState.WAITING],
        answered=[_shown(t, context, one) for one in found if one.state is not ReportState.WAITING],
        summary=t.n(
            "{n} à lire", "{n} à lire", sum(one.state is ReportState.WAITING for one in found)
        ),
        choices=[
            (ReportState.ACCEPTED.value, t("Corrigé")),
            (ReportState.DECLINED.value, t("Sans suite")),
        ],
    )


@desk.post("/signalements")
def answer_report(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    signalement: Annotated[str, Form(max_length=40)] = "",
    suite: Annotated[str, Form(max_length=20)] = "",
    reponse: Annotated[str, Form(max_length=5_000)] = "",
) -> Response:
    """Answer one report: the words are public to whoever has its link."""
    who.require(Action.MODERATE)
    t = page.t
    states = {s.value: s for s in (ReportState.ACCEPTED, ReportState.DECLINED)}
    try:
        context.hub.reports.answer(who, signalement, states.get(suite), reponse)
    except ReportRefusedError:
        return page.go(
            "/guichet/signalements",
            notice=t("Choisissez une suite et répondez en quelques mots."),
            kind="warn",
        )
    return page.go("/guichet/signalements", notice=t("Réponse publiée."))


__all__ = ["desk", "public"]
