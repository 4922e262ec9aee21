"""« Partages et demandes »: what left the vault, consent receipts, standing consents, withdrawal."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line
# ruff: noqa: PLR0917 - a route's or a verb's parameters are its form's fields

import json
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from portal.glossary import CODES, STATES, STOPS
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.aids import (
    aid_titles,
    kept_rows,
    left_rows,
    ready_estimate,
    shown_state,
)
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.passport_words import claims_left
from portal.views import iri, short
from portal.web import Page
from schemas.ids import Iri
from schemas.records import Application, Consent, Extent, Frequency, Kind
from schemas.units import Cents
from vault.delivery import delivery_of, withdrawal_of
from vault.errors import ActRefusedError, RecordUnknownError
from vault.news import fresh
from vault.open_vault import OpenVault
from vault.papers import papers
from vault.standing import (
    Offer,
    RunShown,
    Standing,
    aid_of,
    give_standing,
    offer,
    pause,
    resume,
    standing,
)
from vault.standing_terms import Outcome, Period

router = APIRouter(include_in_schema=False)

PER_PAGE: Final = 20
RHYTHMS: Final = {
    Frequency.MONTH: N_("chaque mois"),
    Frequency.QUARTER: N_("chaque trimestre"),
    Frequency.YEAR: N_("chaque année"),
}
CONSENT_STATES: Final = (
    ("", N_("Tous")),
    ("en-cours", N_("En vigueur")),
    ("retires", N_("Retirés")),
)
OUTCOMES: Final = {
    Outcome.SENT: (N_("Envoyé"), "ok"),
    Outcome.PAUSED: (N_("En pause : rien n'est parti"), ""),
    Outcome.NO_DAYS: (N_("Aucun jour à prouver : rien n'est parti"), ""),
    Outcome.WAITING: (N_("En attente de votre prochaine ouverture"), "warn"),
    Outcome.LATER: (N_("Destinataire injoignable : on réessaie"), "warn"),
    Outcome.MISSED: (N_("N'a pas pu partir"), "bad"),
    Outcome.READY: (N_("Prête à envoyer"), "warn"),
    Outcome.NOT_ENTITLED: (N_("Pas de droit sur cette période : rien n'a été demandé"), ""),
    Outcome.ASKED: (N_("Vous l'aviez déjà demandée : rien n'est parti"), ""),
    Outcome.HELD: (N_("Le guichet dit que ces jours sont déjà aidés : rien n'est parti"), ""),
    Outcome.CLOSED: (N_("L'aide n'est plus ouverte : rien n'est parti"), "warn"),
}
REASONS: Final = {
    **STOPS,
    "unknown-aid": N_("L'aide n'est plus au catalogue."),
    "asks-more": N_("Le destinataire demandait plus que ce que vous aviez accepté."),
    "verifier-not-accredited": N_("Le destinataire n'est plus au registre de confiance."),
    "verifier-mismatch": N_("Ce n'était plus le même destinataire."),
    "missing:AffiliationCredential": N_("L'attestation de votre employeur n'est plus valable : demandez-en une nouvelle."),
    "missing:IdentityCredential": N_("Votre document d'identité n'est plus valable : demandez-en un nouveau."),
    "missing:PassCredential": N_("Votre abonnement signé n'est plus valable : demandez-en un nouveau."),
    "grant-expired": N_("Votre accord était arrivé à son terme."),
    "hub-unreachable": N_("Le hub ne répondait pas."),
    "hub-answer": N_("Le hub répondait de travers."),
}  # fmt: skip
REFUSALS: Final = {
    "not-a-share": N_("Seul l'envoi d'une preuve d'usage pour une aide peut être répété."),
    "consent-withdrawn": N_("Vous avez retiré cet accord : faites une nouvelle demande d'abord."),
    "documents-missing": N_(
        "Un document signé manque ou n'est plus valable : demandez-le à son émetteur d'abord."
    ),
    "standing-exists": N_("Un envoi régulier existe déjà pour cette aide."),
    "ceiling-refused": N_("Un montant en euros, entre 0,01 et 100 000."),
    "request-expired": N_("Cette page a trop attendu : recommencez."),
    "dossier-needed": N_(
        "Cette aide demande des réponses ou des pièces à chaque fois : faites-la à la main."
    ),
    "aid-mismatch": N_("Cette aide n'est plus au catalogue, ou n'est plus la même."),
    "period-refused": N_("Choisissez une des fins proposées."),
    "not-confirmed": N_("Rien n'a été mis en place : la case d'accord n'était pas cochée."),
}


@router.get("/partages")
def shares(
    page: PageDep,
    vault: VaultDep,
    etat: Annotated[str, Query(max_length=10)] = "",
    qui: Annotated[str, Query(max_length=300)] = "",
    suite: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> HTMLResponse:
    """Applications, standing consents, and receipts; the latest first."""
    t = page.t
    regular = standing(vault)
    titles, new = aid_titles(t), {news.application.id for news in fresh(vault)}
    applications = []
    for record in vault.records(Kind.APPLICATION, limit=100).records:
        if not isinstance(record, Application):
            continue
        state = shown_state(record)
        label, kind = STATES.get(state, (state, ""))
        estimate = ready_estimate(record)
        applications.append(
            {
                "href": f"/demandes/{short(record.id)}",
                "title": titles(record),
                "funder": str(record.extra.get("funderName") or record.funder),
                "when": t.moment(record.submitted_at) if record.submitted_at else "",
                "state": t(label),
                "kind": kind,
                "is_new": record.id in new,
                "amount": t.amount(record.amount or estimate or Cents(0))
                if record.amount or estimate
                else "",
            }
        )
    every = [
        given
        for given in reversed(vault.all(Kind.CONSENT))
        if isinstance(given, Consent) and given.frequency is None
    ]
    recipients = sorted({(str(c.recipient), c.recipient_name) for c in every}, key=lambda r: r[1])
    found = [
        c
        for c in every
        if (not qui or c.recipient == qui)
        and (etat != "en-cours" or c.withdrawn_at is None)
        and (etat != "retires" or c.withdrawn_at is not None)
    ]
    return page.show(
        "shares.html",
        applications=applications,
        regular=[_regular(t, item) for item in regular],
        consents=[
            {**consent_words(t, given), "href": f"/partages/{short(given.id)}"}
            for given in found[suite : suite + PER_PAGE]
        ],
        any_consent=bool(every),
        states=[(code, t(word)) for code, word in CONSENT_STATES],
        recipients=[("", t("Tout le monde")), *recipients],
        chosen={"etat": etat, "qui": qui},
        later=suite + PER_PAGE if len(found) > suite + PER_PAGE else None,
        papers=_papers(t, vault),
    )


def _papers(t: Translator, vault: OpenVault) -> list[dict[str, Any]]:
    """The citizen's papers for the page of shares."""
    return [
        {
            "id": found.id,
            "when": t.moment(found.made_at),
            "until": t.day(found.expires_at.date(), "long"),
            "withdrawn": found.withdrawn_at is not None,
        }
        for found in papers(vault)
    ]


def consent_words(t: Translator, consent: Consent) -> dict[str, Any]:
    """A consent in a list."""
    return {
        "id": short(consent.id),
        "recipient": consent.recipient_name,
        "purpose": consent.purpose,
        "when": t.moment(consent.given_at),
        "state": t("Retiré") if consent.withdrawn_at else t("En vigueur"),
        "kind": "" if consent.withdrawn_at else "ok",
        "withdrawn": consent.withdrawn_at is not None,
        "regular": consent.standing is not None,
    }


def _regular(t: Translator, item: Standing) -> dict[str, Any]:
    """A standing consent in a list."""
    consent, state = item.consent, item.state
    label, kind = _standing_state(t, item)
    following = ""
    if item.is_live and not item.is_paused and state is not None and state.next_at is not None:
        when = t.day(state.next_at.date(), "long")
        following = (
            t("prochain envoi le {day}", day=when)
            if consent.extent is None
            else t("prochain calcul le {day}", day=when)
        )
    rhythm = t(RHYTHMS[consent.frequency]) if consent.frequency is not None else ""
    return {
        "id": short(consent.id),
        "href": f"/partages/{short(consent.id)}",
        "recipient": consent.recipient_name,
        "purpose": consent.purpose,
        "rhythm": rhythm,
        "applies": consent.extent is not None,
        "limits": "" if item.asked is None else asked_words(t, item),
        "next": following,
        "state": label,
        "kind": kind,
        "live": item.is_live,
        "paused": item.is_paused,
    }


def asked_words(t: Translator, item: Standing) -> str:
    """« 100 € demandés sur 300 € »."""
    return t(
        "{asked} demandés sur {ceiling}",
        asked=t.amount(item.asked or Cents(0)),
        ceiling=t.amount(item.consent.ceiling or Cents(0)),
    )


EXTENTS: Final = {
    Extent.PREPARE: N_("Préparer seulement : la demande m'attend, je relis et j'envoie"),
    Extent.SEND: N_("Préparer et envoyer, coffre fermé aussi"),
}


def _standing_state(t: Translator, item: Standing) -> tuple[str, str]:
    if item.consent.withdrawn_at is not None:
        return t("Retiré"), ""
    if item.state is None:
        return t("Arrêté : le coffre a changé d'hébergeur"), ""
    if not item.is_live:
        return t("Terminé"), ""
    return (t("En pause"), "warn") if item.is_paused else (t("En vigueur"), "ok")


@router.get("/partages/{uuid_text}")
def one_share(page: PageDep, context: ContextDep, vault: VaultDep, uuid_text: str) -> HTMLResponse:
    """One consent: what left, what stayed, what runs, how to withdraw."""
    t = page.t
    consent = _consent(vault, uuid_text)
    facts = [
        (t("Donné le"), t.moment(consent.given_at)),
        (
            t("Jusqu'au"),
            t.day(consent.period_until, "long")
            if consent.period_until
            else t.moment(consent.expires_at)
            if consent.expires_at
            else t("sans date de fin"),
        ),
        *([(t("Retiré le"), t.moment(consent.withdrawn_at))] if consent.withdrawn_at else []),
        *_handed_over(t, vault, consent),
        *_told(t, vault, consent),
        (t("Base légale"), consent.legal or t("votre consentement")),
    ]
    (item,) = standing(vault, consent.id) if consent.frequency is not None else (None,)
    if item is not None and consent.extent is not None:
        facts[1:1] = [
            (t("Jusqu'où l'hébergeur va seul"), t(EXTENTS[consent.extent])),
            (t("Plafond"), asked_words(t, item)),
        ]
    return page.show(
        "share.html",
        consent=consent_words(t, consent),
        leaves=claims_left(t, context, consent.claims)
        if "passport" in consent.extra
        else left_rows(t, consent.claims),
        stays=kept_rows(t, consent.kept_back),
        facts=facts,
        receipt=json.dumps(dict(consent.receipt), ensure_ascii=False, indent=1),
        regular=None if item is None else _regular(t, item),
        runs=[] if item is None else [_run(t, shown) for shown in item.runs],
        parent=None if consent.standing is None else f"/partages/{short(consent.standing)}",
        application=None
        if consent.application is None
        else f"/demandes/{short(consent.application)}",
        can_repeat=consent.frequency is None
        and consent.withdrawn_at is None
        and consent.application is not None
        and consent.standing is None
        and any(claim.startswith("UsageProof.") for claim in consent.claims),
    )


def _told(t: Translator, vault: OpenVault, consent: Consent) -> list[tuple[str, str]]:
    """Whether the recipient of a withdrawn consent has heard of it."""
    heard = withdrawal_of(vault.home, vault.vault_id, consent.id)
    if consent.withdrawn_at is None or heard is None:
        return []
    if heard["state"] == "heard":
        return [(t("Destinataire"), t("prévenu"))]
    return [
        (t("Destinataire"), t("pas encore prévenu : nouvel essai à chaque ouverture du coffre"))
    ]


def _handed_over(t: Translator, vault: OpenVault, consent: Consent) -> list[tuple[str, str]]:
    """Whether an answer to a verifier's own request has arrived; an application says so itself."""
    if consent.application is not None or consent.frequency is not None:
        return []
    if "passport" in consent.extra:  # the service fetches it itself
        return []
    delivery = delivery_of(vault.home, vault.vault_id, consent.id)
    if delivery is None or delivery.state == "delayed":
        return [(t("Remise"), t("en route : on réessaie tout seul"))]
    if delivery.state == "refused":
        return [(t("Remise"), t("refusée par le destinataire"))]
    return [(t("Remise"), t("faite"))]


def _consent(vault: OpenVault, uuid_text: str) -> Consent:
    found = vault.get(iri(uuid_text))
    if not isinstance(found, Consent):
        raise RecordUnknownError(iri(uuid_text))
    return found


def _run(t: Translator, shown: RunShown) -> dict[str, Any]:
    run, delivery = shown.run, shown.delivery
    word, kind = OUTCOMES.get(run.outcome, (run.outcome, ""))
    why = ""
    if run.code is not None:
        why = t(REASONS[run.code]) if run.code in REASONS else run.code
    if run.left_out:
        why = t.n(
            "{n} dépôt attendait encore dans la boîte de dépôt et n'a pas été compté.",
            "{n} dépôts attendaient encore dans la boîte de dépôt et n'ont pas été comptés.",
            run.left_out,
        )
    if delivery is not None and delivery.state == "delayed":
        word, kind = N_("En route : le destinataire n'a pas encore répondu"), "warn"
    if delivery is not None and delivery.state == "refused":
        word, kind = N_("Refusé à l'arrivée"), "bad"
        code = delivery.error_code or ""
        why = t(CODES[code]) if code in CODES else code
    return {
        "period": period_words(t, run.period),
        "when": t.moment(run.at),
        "state": t(word),
        "kind": kind,
        "why": why,
        "amount": "" if run.amount is None else t.amount(run.amount),
        "href": f"/demandes/{short(run.application)}" if run.application else "",
    }


def period_words(t: Translator, period: Period) -> str:
    """« décembre 2026 », or « octobre – décembre 2026 »."""
    first, last = t.day(period[0], "month"), t.day(period[1], "month")
    return first if first == last else f"{first} – {last}"


@router.get("/partages/{uuid_text}/recu")
def receipt(vault: VaultDep, uuid_text: str) -> Response:
    """The receipt, to keep: a `dpv:ConsentRecord` in JSON-LD."""
    consent = _consent(vault, uuid_text)
    return Response(
        json.dumps(dict(consent.receipt), ensure_ascii=False, indent=1),
        media_type="application/ld+json",
        headers={
            "content-disposition": f'attachment; filename="recu-{short(consent.id)}.jsonld"',
            "cache-control": "no-store",
        },
    )


@router.post("/partages/retirer")
def withdraw(
    page: CheckedDep, vault: VaultDep, consentement: Annotated[str, Form(max_length=64)]
) -> RedirectResponse:
    """Withdraw a consent: nothing more leaves, the recipient is told."""
    consent = vault.withdraw_consent(iri(consentement), at=page.now)
    text = (
        page.t("Accord retiré. Le destinataire en est prévenu.")
        if consent.frequency is None
        else page.t(
            "Envoi régulier retiré. Les clés confiées à l'hébergeur sont détruites, et le"
            " destinataire en est prévenu."
        )
    )
    return page.go(f"/partages/{short(consent.id)}", notice=text)


# --- standing consents -----------------------------------------------------------------------


@router.get("/partages/{uuid_text}/repeter")
def repeat_form(
    page: PageDep,
    vault: VaultDep,
    uuid_text: str,
    rythme: Annotated[Frequency, Query()] = Frequency.MONTH,
) -> Response:
    """What repeating a share means, before anything is agreed."""
    return _repeat_page(page, vault, iri(uuid_text), rythme, Errors())


def _repeat_page(
    page: Page, vault: OpenVault, source: Iri, rhythm: Frequency, errors: Errors
) -> Response:
    t = page.t
    try:
        offered = offer(vault, source, frequency=rhythm)
    except ActRefusedError as error:
        text = t(REFUSALS.get(error.reason, error.reason))
        return page.go(f"/partages/{short(source)}", notice=text, kind="warn")
    consent = _consent(vault, short(source))
    return page.show(
        "repeat.html",
        status=422 if errors else 200,
        errors=errors,
        consent=consent_words(t, consent),
        rhythms=[
            (code.value, t(word), f"/partages/{short(source)}/repeter?rythme={code.value}")
            for code, word in RHYTHMS.items()
        ],
        rhythm=rhythm.value,
        rhythm_word=t(RHYTHMS[rhythm]),
        first=period_words(t, offered.periods[0]),
        ends=[(p[1].isoformat(), period_words(t, p)) for p in offered.periods],
        chosen_end=offered.periods[min(5, len(offered.periods) - 1)][1].isoformat(),
        leaves=left_rows(t, consent.claims),
        stays=kept_rows(t, consent.kept_back),
        expiring=_expiring(t, offered),
    )


def _expiring(t: Translator, offered: Offer) -> list[str]:
    from portal.pages.vault import CREDENTIAL_TITLES

    return [
        t(
            "{title} : valable jusqu'au {day}",
            title=t(CREDENTIAL_TITLES[kind]) if kind in CREDENTIAL_TITLES else kind,
            day=t.day(until.date(), "long"),
        )
        for kind, until in offered.documents
        if until is not None and until.date() < offered.periods[-1][1]
    ]


@router.post("/partages/repeter")
def repeat(
    page: CheckedDep,
    vault: VaultDep,
    consentement: Annotated[str, Form(max_length=64)],
    rythme: Annotated[Frequency, Form()],
    fin: Annotated[date, Form()],
    accord: Annotated[str, Form()] = "",
) -> Response:
    """Agree to a standing consent."""
    t, source = page.t, iri(consentement)
    if not accord:
        return _repeat_page(
            page, vault, source, rythme, Errors(accord=t(REFUSALS["not-confirmed"]))
        )
    try:
        made = give_standing(
            vault,
            source,
            aid_of(vault, source),
            frequency=rythme,
            last=fin,
            confirmed_at=page.now,
        )
    except ActRefusedError as error:
        text = t(REFUSALS.get(error.reason, error.reason))
        return page.go(f"/partages/{short(source)}", notice=text, kind="warn")
    return page.go(f"/partages/{short(made.id)}", notice=t("Envoi régulier mis en place."))


@router.post("/partages/pause")
def pause_standing(
    page: CheckedDep, vault: VaultDep, consentement: Annotated[str, Form(max_length=64)]
) -> RedirectResponse:
    """Send nothing until it is resumed."""
    found = pause(vault, iri(consentement))
    text = page.t("En pause : rien ne partira tant que vous n'aurez pas repris.")
    return page.go(f"/partages/{short(found.id)}", notice=text)


@router.post("/partages/reprendre")
def resume_standing(
    page: CheckedDep, vault: VaultDep, consentement: Annotated[str, Form(max_length=64)]
) -> RedirectResponse:
    """Send again."""
    found = resume(vault, iri(consentement))
    return page.go(f"/partages/{short(found.id)}", notice=page.t("Les envois reprennent."))
