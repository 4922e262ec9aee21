"""Operators' offers at the hub's desk: read, publish, suspend, decline, each with a word."""

# ruff: noqa: PLR0917 - a route's parameters are its form's fields

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response

from federation.hub.access import Action
from federation.hub.model import OfferState
from federation.hub.offers import ListedOffer
from federation.offers import OfferRefusedError
from portal.i18n import N_, Translator
from portal.pages.hub import CheckedDep, ContextDep, OfficerDep, PageDep, desk_nav
from portal.pages.offer_words import offer_words
from portal.views import local_today

__all__ = ["router"]

router = APIRouter(include_in_schema=False, prefix="/guichet")

STATES: Final = {
    OfferState.DRAFT: (N_("à relire"), "info"),
    OfferState.PUBLISHED: (N_("publiée"), "ok"),
    OfferState.SUSPENDED: (N_("suspendue"), "warn"),
}
ACTS: Final = {
    OfferState.DRAFT: (
        (OfferState.PUBLISHED, N_("Publier")),
        (OfferState.DECLINED, N_("Écarter")),
    ),
    OfferState.PUBLISHED: ((OfferState.SUSPENDED, N_("Suspendre")),),
    OfferState.SUSPENDED: ((OfferState.PUBLISHED, N_("Publier")),),
}
DONE: Final = {
    OfferState.PUBLISHED: N_("L'offre est publiée."),
    OfferState.SUSPENDED: N_("L'offre est suspendue : elle n'est plus montrée."),
    OfferState.DECLINED: N_("L'offre est écartée ; l'opérateur lit pourquoi."),
}


@router.get("/offres")
def offers(page: PageDep, context: ContextDep, who: OfficerDep) -> HTMLResponse:
    """What operators sent in, the ones that wait first."""
    t = page.t
    order = list(ACTS)
    found = sorted(context.hub.offers.queue(who), key=lambda one: order.index(one.found.state))
    waiting = sum(one.found.state is OfferState.DRAFT for one in found)
    return page.show(
        "desk_offers.html",
        nav=desk_nav(page, who),
        summary=t.n("{n} à lire", "{n} à lire", waiting),
        offers=[_shown(page.t, one, page) for one in found],
    )


def _shown(t: Translator, one: ListedOffer, page: Any) -> dict[str, Any]:
    state, kind = STATES[one.found.state]
    expired = one.card.valid_until < local_today(page.now)
    return {
        **offer_words(t, one.card, one.operator_name),
        "did": one.card.operator,
        "id": one.card.id,
        "state": t("terminée") if expired else t(state),
        "kind": "" if expired else kind,
        "note": one.found.note,
        "received": t.day(one.found.at.date(), "long"),
        "acts": [(to.value, t(text)) for to, text in ACTS[one.found.state]],
    }


@router.post("/offres")
def decide(
    page: CheckedDep,
    context: ContextDep,
    who: OfficerDep,
    operateur: Annotated[str, Form(max_length=255)] = "",
    offre: Annotated[str, Form(max_length=60)] = "",
    version: Annotated[int, Form(ge=1, le=2**31)] = 1,
    acte: Annotated[str, Form(max_length=12)] = "",
    mot: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Publish, suspend or decline one version."""
    t = page.t
    who.require(Action.MODERATE_OFFER)
    to = next((state for state in DONE if state.value == acte), None)
    try:
        if to is None:
            raise OfferRefusedError("offer-transition", acte)
        context.hub.offers.move(who, (operateur, offre, version), to, mot)
    except OfferRefusedError as error:
        text = (
            t("Dites en quelques mots pourquoi : l'opérateur les lira.")
            if error.where == "note"
            else t("Cette offre a changé entre-temps : relisez-la.")
        )
        return page.go("/guichet/offres", notice=text, kind="warn")
    return page.go("/guichet/offres", notice=t(DONE[to]))
