"""The first page: locked, what this is and the way in; open, the day at a glance and one next step."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from federation.aids.eligibility import Outcome, Verdict
from federation.aids.model import Aid, CheckMode
from portal.context import HomeContext
from portal.i18n import Translator
from portal.pages.access import Errors, provider_of
from portal.pages.aids import (
    aid_title,
    aid_titles,
    estimates,
    open_applications,
    shown_state,
)
from portal.pages.checks import text_of
from portal.pages.data_requests import state_words
from portal.pages.deps import KNOWN_COOKIE, VAULT_COOKIE, ContextDep, PageDep
from portal.pages.eligible import eligible_between
from portal.pages.notices import news_rows
from portal.views import TripWords, grams_of, local_today, short
from portal.web import Page
from portal.witness import STATE as OPEN_VAULT
from schemas.records import Application, Kind, PlaceRole
from vault.circles import keys_of
from vault.data_requests.acts import data_requests
from vault.data_requests.clock import standing
from vault.errors import SessionEndedError
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

RECENT = 3
"""Days whose trips the page of today shows: whole days, so that a day's distance is its own."""


@router.get("/")
def today(request: Request, page: PageDep, context: ContextDep) -> HTMLResponse:
    """Landing page, or today."""
    try:
        vault = context.home.session(request.cookies.get(VAULT_COOKIE, ""))
    except SessionEndedError:
        return page.show(
            "landing.html",
            tabs=False,
            vault_known=request.cookies.get(KNOWN_COOKIE),
            errors=Errors(),
            way="phrase",
            old=False,
            recognised="",
            provider=provider_of(context),
            passkeys=False,
            retour="/",
        )
    setattr(request.state, OPEN_VAULT, vault.vault_id)
    answer = open_page(page, context, vault)
    vault.upkeep()
    return answer


def open_page(page: Page, context: HomeContext, vault: OpenVault) -> HTMLResponse:
    """Today, in an open vault."""
    t, day = page.t, local_today(page.now)
    first = day.replace(day=1)
    trips = vault.trips(day - timedelta(days=45), day)
    if trips and not any(trip.local_date >= first for trip in trips):
        first = max(trip.local_date for trip in trips).replace(day=1)
    month = [trip for trip in trips if trip.local_date >= first]
    words = TripWords(t, vault.places())
    last = sorted({trip.local_date for trip in trips})[-RECENT:]
    recent = [trip for trip in trips if trip.local_date in last]
    days = eligible_between(context, vault, first, day)
    waiting = vault.waiting().deposits
    return page.show(
        "today.html",
        today=t.day(day, "weekday"),
        hero=_hero(t, context, vault, page, has_trips=bool(trips), waiting=waiting),
        month={
            "title": t.day(first, "month"),
            "days": t.number(len(days)),
            "trips": t.number(len(month)),
            "distance": t.distance(sum(trip.distance for trip in month)),
            "co2": t.co2(grams_of(month)),
        },
        todo=_todo(t, context, vault, waiting, page.now),
        days=words.days(recent),
    )


def _hero(
    t: Translator,
    context: HomeContext,
    vault: OpenVault,
    page: Page,
    *,
    has_trips: bool,
    waiting: int,
) -> dict[str, Any]:
    """The one thing to do now."""
    hero: dict[str, Any] = {"figure": "", "second": "", "second_href": ""}
    if waiting and not has_trips:
        return hero | {
            "title": t("Des trajets vous attendent"),
            "text": t.n("{n} dépôt attend dans la boîte de dépôt.", "{n} dépôts attendent dans la boîte de dépôt.", waiting),
            "action": t("Les relever"),
            "href": "/sources",
        }  # fmt: skip
    if not has_trips:
        return hero | {
            "title": t("Commencez par une source"),
            "text": t("Une application de suivi, un fichier ou un opérateur : vos trajets arriveront ici, scellés."),
            "action": t("Ajouter une source"),
            "href": "/sources",
        }  # fmt: skip
    roles = {place.role for place in vault.places()}
    if not {PlaceRole.HOME, PlaceRole.WORK} <= roles:
        return hero | {
            "title": t("Où habitez-vous, où travaillez-vous ?"),
            "text": t("Avec ces deux lieux, le coffre compte vos jours domicile – travail. Ils n'en sortent jamais."),
            "action": t("Indiquer mes lieux"),
            "href": "/coffre/lieux",
        }  # fmt: skip
    best = _best(context, vault, page)
    if best is not None:
        aid, outcome = best
        title = aid_title(t, aid)
        if outcome.is_eligible and outcome.amount:
            return hero | {
                "title": t("Vous pouvez demander"),
                "figure": t.amount(outcome.amount),
                "text": title,
                "action": t("Préparer ma demande"),
                "href": f"/aides/{aid.slug}",
                "second": t("Tout ce que je peux obtenir"),
                "second_href": "/aides",
            }
        if outcome.next_step is not None:
            return hero | {
                "title": t("Prochaine étape"),
                "figure": t.amount(outcome.next_step.amount),
                "text": text_of(t, outcome.next_step.words),
                "action": t("Voir les conditions"),
                "href": f"/aides/{aid.slug}",
            }
    live = open_applications(vault)
    if live:
        first = next(iter(live.values()))
        return hero | {
            "title": t("Votre demande est en cours"),
            "text": t("Suivez la décision et ses raisons."),
            "action": t("Suivre ma demande"),
            "href": f"/demandes/{short(first.id)}",
        }
    return hero | {
        "title": t("Tout est à jour"),
        "text": t("Voyez à quelles aides vos trajets donnent droit."),
        "action": t("Ce que je peux obtenir"),
        "href": "/aides",
    }


def _best(context: HomeContext, vault: OpenVault, page: Page) -> tuple[Aid, Outcome] | None:
    """The largest aid to ask for now, not asked yet; else the nearest next step."""
    catalogue, _ = context.catalogue.get(keys=keys_of(vault))
    if catalogue is None:
        return None
    live = open_applications(vault)
    found = [
        (aid, outcome)
        for aid, outcome in estimates(vault, catalogue, page.now)
        if str(aid.id) not in live and aid.check_mode is not CheckMode.LINK_OUT
    ]
    for aid, outcome in found:
        if outcome.is_eligible:
            return aid, outcome
    steps = [x for x in found if x[1].next_step is not None and x[1].verdict is not Verdict.MISSING]
    return (
        min(steps, key=lambda x: x[1].next_step.missing if x[1].next_step else 0) if steps else None
    )


def _todo(
    t: Translator, context: HomeContext, vault: OpenVault, waiting: int, now: datetime
) -> list[dict[str, str]]:
    todo = []
    if waiting:
        text = t.n(
            "{n} dépôt attend dans la boîte de dépôt.",
            "{n} dépôts attendent dans la boîte de dépôt.",
            waiting,
        )
        todo.append(
            {
                "href": "/sources",
                "icon": "source",
                "title": t("Relever la boîte de dépôt"),
                "text": text,
            }
        )
    ambiguous = len(vault.ambiguous())
    if ambiguous:
        text = t.n("{n} question en attente.", "{n} questions en attente.", ambiguous)
        todo.append(
            {
                "href": "/trajets/questions",
                "icon": "question",
                "title": t("Est-ce le même trajet ?"),
                "text": text,
            }
        )
    failing = [a for a in context.connectors.accounts(vault.vault_id) if a.health == "failing"]
    for account in failing:
        text = t("Elle ne dépose plus rien.")
        todo.append({"href": "/sources", "icon": "source", "title": account.name, "text": text})
    quarantined = len(vault.quarantine())
    if quarantined:
        text = t.n("{n} en quarantaine", "{n} en quarantaine", quarantined)
        todo.append(
            {
                "href": "/coffre/quarantaine",
                "icon": "question",
                "title": t("Quarantaine"),
                "text": text,
            }
        )
    for request in data_requests(vault):
        at = standing(request, local_today(now))
        if at.asks_attention:
            text, _ = state_words(t, at)
            todo.append(
                {
                    "href": f"/sources/demandes/{short(request.id)}",
                    "icon": "file",
                    "title": t("Mes données chez {company}", company=request.company),
                    "text": text,
                }
            )
    todo += [
        {
            "href": f"/demandes/{short(record.id)}",
            "icon": "aids",
            "title": aid_titles(t)(record),
            "text": t("Prête à envoyer"),
        }
        for record in vault.records(Kind.APPLICATION, limit=200).records
        if isinstance(record, Application) and shown_state(record) == "ready"
    ]
    news = news_rows(t, vault)
    todo += news
    told = {row["href"] for row in news}
    for application in open_applications(vault).values():
        is_told = f"/demandes/{short(application.id)}" in told
        if application.state.value == "needs-information" and not is_told:
            text = t("Le financeur a besoin d'une information")
            href = f"/demandes/{short(application.id)}"
            todo.append(
                {
                    "href": href,
                    "icon": "aids",
                    "title": t("Votre demande est en cours"),
                    "text": text,
                }
            )
    return todo
