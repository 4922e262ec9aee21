"""« Demander pour moi »: the home applies for one aid, with a ceiling and an end."""

# ruff: noqa: PLR0917 - a route's parameters are its form's fields

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response

from federation.aids.model import Aid
from federation.usage import Metric
from portal.pages.access import Errors
from portal.pages.aids import (
    aid_facts,
    can_apply_for_me,
    current_catalogue,
    for_me_of,
    kept_rows,
    left_rows,
)
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.hub import euros_to_cents
from portal.pages.shares import EXTENTS, REFUSALS, RHYTHMS, period_words
from portal.pages.vault import default_period
from portal.proofs import refusal
from portal.views import iri, local_today, short
from portal.web import Page
from schemas.ids import Iri, mint_iri
from schemas.records import Consent, Extent, Frequency, Kind
from schemas.units import Cents
from vault.errors import ActRefusedError, ShareRefusedError
from vault.open_vault import OpenVault
from vault.standing import MAX_CEILING, apply_for_me, basis_of, offer
from vault.standing_terms import Period

router = APIRouter(include_in_schema=False)

_ENDS: Final = Frequency.QUARTER
"""Ends are offered by the quarter; a rhythm stops at its last whole period before."""


@router.get("/aides/{slug}/pour-moi")
def explain(page: PageDep, context: ContextDep, vault: VaultDep, slug: str) -> Response:
    """What it means, before anything is asked of anybody."""
    aid = current_catalogue(context.catalogue, slug, of=vault).aid(slug)
    return _page(page, vault, aid)


def _page(page: Page, vault: OpenVault, aid: Aid) -> Response:
    t = page.t
    if not can_apply_for_me(aid):
        text = t(
            "Cette aide demande des réponses ou des pièces à chaque fois : faites-la à la main."
        )
        return page.go(f"/aides/{aid.slug}", notice=text, kind="warn")
    found = for_me_of(vault, aid)
    if found is not None:
        return page.go(f"/partages/{short(found.consent.id)}")
    facts = aid_facts(t, aid, local_today(page.now))
    return page.show("for_me.html", aid=facts, form=None, errors=Errors())


@router.post("/aides/{slug}/pour-moi")
def agree(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    slug: str,
    source: Annotated[str, Form(max_length=64)] = "",
    rythme: Annotated[Frequency, Form()] = Frequency.YEAR,
    fin: Annotated[date | None, Form()] = None,
    plafond: Annotated[str, Form(max_length=20)] = "",
    etendue: Annotated[Extent, Form()] = Extent.PREPARE,
    accord: Annotated[str, Form()] = "",
) -> Response:
    """First what would leave and the limits to choose, then the agreement."""
    t = page.t
    catalogue = current_catalogue(context.catalogue, slug, of=vault)
    aid = catalogue.aid(slug)
    if not can_apply_for_me(aid) or for_me_of(vault, aid) is not None:
        return _page(page, vault, aid)
    try:
        if not source:
            begun = _begin(page, vault, aid)
            if isinstance(begun, Response):
                return begun
            rythme = _usual(aid)
            return _form(page, vault, aid, begun, Errors(), rythme, None, "", etendue)
        basis = iri(source)
        errors = Errors()
        ceiling = euros_to_cents(plafond)
        if ceiling is None or not 0 < ceiling <= MAX_CEILING:
            errors["plafond"] = t("Un montant en euros, entre 0,01 et 100 000.")
        last = _last(offer(vault, basis, frequency=rythme).periods, fin)
        if last is None:
            errors["fin"] = t("Choisissez une fin qui laisse passer au moins une période entière.")
        if not accord:
            errors["accord"] = t(REFUSALS["not-confirmed"])
        if errors or ceiling is None or last is None:
            return _form(page, vault, aid, basis, errors, rythme, fin, plafond, etendue)
        made = apply_for_me(
            vault,
            basis,
            catalogue,
            frequency=rythme,
            last=last,
            ceiling=Cents(ceiling),
            extent=etendue,
            confirmed_at=page.now,
        )
    except ActRefusedError as error:
        reason = str(error.reason)
        text = t(REFUSALS[reason]) if reason in REFUSALS else reason
        return page.go(f"/aides/{slug}/pour-moi", notice=text, kind="warn")
    return page.go(
        f"/partages/{short(made.id)}", notice=t("C'est en place. Rien n'a encore été demandé.")
    )


def _usual(aid: Aid) -> Frequency:
    """Days are counted over a year by the decrees; the rest is asked for as it comes."""
    by_days = aid.proof is not None and aid.proof.metric == Metric.ELIGIBLE_DAYS
    return Frequency.YEAR if by_days else Frequency.MONTH


def _begin(page: Page, vault: OpenVault, aid: Aid) -> Iri | Response:
    """A share for this aid that stands, or a request that is read now and answered by nobody."""
    sent = [
        record
        for record in reversed(vault.all(Kind.CONSENT))
        if isinstance(record, Consent)
        and record.application is not None
        and record.withdrawn_at is None
        and record.recipient == aid.funder
    ]
    for record in sent:
        try:
            if basis_of(vault, record.id).aid == aid.id:
                return record.id
        except ActRefusedError:
            continue
    t, period = page.t, default_period(local_today(page.now))
    try:
        disclosure = vault.prepare_application(aid, mint_iri(), period=period)
    except ShareRefusedError as error:
        reason = str(error.reason)
        if reason.startswith("missing:"):
            return page.go(
                f"/documents/recevoir?aide={aid.slug}",
                notice=t(
                    "Il manque un document signé pour cette aide : demandez-le à son émetteur."
                ),
                kind="warn",
            )
        metric = Metric(aid.proof.metric) if aid.proof is not None else None
        said = refusal(t, reason, metric)
        if said is None:
            raise
        return page.go(f"/aides/{aid.slug}", notice=said, kind="warn")
    return Iri(f"urn:uuid:{disclosure.id}")


def _last(periods: tuple[Period, ...], end: date | None) -> date | None:
    """Last day of the last whole period up to `end`."""
    whole = [period[1] for period in periods if end is not None and period[1] <= end]
    return whole[-1] if whole else None


def _form(
    page: Page,
    vault: OpenVault,
    aid: Aid,
    source: Iri,
    errors: Errors,
    rhythm: Frequency,
    end: date | None,
    ceiling: str,
    extent: Extent,
) -> HTMLResponse:
    t = page.t
    offered = offer(vault, source, frequency=rhythm)
    ends = [p[1] for p in offer(vault, source, frequency=_ENDS).periods]
    basis = offered.source
    form: dict[str, Any] = {
        "source": short(source),
        "recipient": basis.recipient_name,
        "first": period_words(t, offered.periods[0]),
        "rhythms": [(code.value, t(word)) for code, word in RHYTHMS.items()],
        "rhythm": rhythm.value,
        "ends": [(day.isoformat(), t.day(day, "long")) for day in ends],
        "end": (end or next((d for d in ends if d >= offered.periods[0][1]), ends[-1])).isoformat(),
        "ceiling": ceiling,
        "extents": [(code.value, t(word)) for code, word in EXTENTS.items()],
        "extent": extent.value,
        "leaves": left_rows(t, basis.claims),
        "stays": kept_rows(t, basis.kept_back),
    }
    return page.show(
        "for_me.html",
        status=422 if errors else 200,
        errors=errors,
        aid=aid_facts(t, aid, local_today(page.now)),
        form=form,
    )
