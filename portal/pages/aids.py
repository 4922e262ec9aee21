"""« Ce que je peux obtenir », consent, what I shared, applications, attestation."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line
# ruff: noqa: PLR0917 - a route's or a verb's parameters are its form's fields

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from federation.aids.catalogue import Catalogue
from federation.aids.eligibility import Fact, FactSource, Outcome, Verdict
from federation.aids.errors import UnknownAidError
from federation.aids.model import Aid, CheckMode
from federation.errors import HubClientError, HubUnreachableError
from portal.attestation import Attestation, render
from portal.context import CatalogueCache, HomeContext
from portal.glossary import ASSURANCE, CLAIMS, EVIDENCE, KEPT, MODES, STATES
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.checks import check_rows, explanation_rows, text_of
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.vault import actor_name, default_period
from portal.settings import Node, Settings
from portal.territory import Commune, by_code
from portal.views import iri, local_today, short
from portal.web import Page
from schemas.ids import mint_iri
from schemas.records import Application, Consent, Kind
from vault.eligibility import facts_from, known_names
from vault.errors import RecordUnknownError, ShareRefusedError
from vault.model import ClaimShown, Disclosure
from vault.open_vault import OpenVault
from vault.papers import papers, publish

router = APIRouter(include_in_schema=False)

VERDICTS: Final = {
    Verdict.ELIGIBLE: (N_("Vous y avez droit"), "ok"),
    Verdict.NOT_ELIGIBLE: (N_("Pas encore"), "warn"),
    Verdict.MISSING: (N_("Il manque une réponse"), "info"),
}
LEVELS: Final = {
    "employer": N_("Employeur"),
    "commune": N_("Commune"),
    "epci": N_("Intercommunalité"),
    "departement": N_("Département"),
    "region": N_("Région"),
    "state": N_("État"),
}
HEADLINES: Final = {
    "accepted": N_("Votre demande est acceptée"),
    "awarded": N_("L'aide vous est accordée"),
    "refused": N_("Votre demande est refusée"),
    "to-review": N_("Une personne examine votre demande"),
    "needs-information": N_("Le financeur a besoin d'une information"),
    "withdrawn": N_("Vous avez retiré votre demande"),
    "rejected": N_("Votre dossier n'a pas pu être reçu"),
}
ENGINE_ENDINGS: Final = ("non applicable", "not applicable")
STAFF: Final = {
    "agent-titulaire-public": N_("agent public titulaire"),
    "agent-contractuel-public": N_("agent public contractuel"),
}
TECHNICAL: Final = frozenset(
    {"metric", "rule", "ruleVersion", "evidenceRoot", "treeSize", "attesterSoftware"}
)
"""Claims that only machines read."""
DELIVERY_S: Final = 4.0
"""How long a page waits for a delivery: a thread of this process makes it in about 0.2 s."""
OPEN_STATES: Final = frozenset(
    {
        "submitted",
        "to-review",
        "needs-information",
        "completed",
        "accepted",
        "awarded",
        "appealed",
        "paid",
    }
)


def aid_facts(t: Translator, aid: Aid, at: date) -> dict[str, Any]:
    """What is true of an aid for everyone: texts, rule, source, dates."""
    verified = (
        t.day(aid.last_verified, "long") if aid.last_verified else t("jamais depuis l'import")
    )
    parameters = [
        t("{name} : {value}, depuis le {since} ({check})",
          name=p.name, value=p.value, since=t.day(p.valid_from, "long"),
          check=t("vérifié le {day}", day=t.day(p.verified_on, "long")) if p.verified_on else t("à vérifier"))
        for p in aid.parameters
        if p.valid_from <= at and (p.valid_until is None or at <= p.valid_until)
    ]  # fmt: skip
    return {
        "slug": aid.slug,
        "title": aid_title(t, aid),
        "summary": text_of(t, aid.summaries),
        "funder": aid.funder_name,
        "level": t(LEVELS[aid.funder_level.value]),
        "link": aid.link,
        "rule_version": aid.version,
        "source": aid.source,
        "verified": verified,
        "delay": t.n("sous {n} jour", "sous {n} jours", aid.decision_time_days)
        if aid.decision_time_days
        else t("selon le financeur"),
        "legal": [
            {"title": x.title, "link": x.link, "meta": f"{x.reference}, {t.day(x.date, 'long')}"}
            for x in aid.legal_basis
        ],
        "parameters": parameters,
        "stacking": [text_of(t, x) for x in aid.stacking],
        "pieces": [text_of(t, x) for x in aid.pieces],
        "not_proven": [text_of(t, x) for x in aid.not_proven],
        "remedies": text_of(t, aid.remedies),
        "provenance": t(
            "Règle {version} · {source} · vérifiée : {verified}",
            version=aid.version,
            source=aid.source,
            verified=verified,
        ),
        "can_apply": aid.check_mode is not CheckMode.LINK_OUT,
    }


def aid_for_me(
    t: Translator, aid: Aid, outcome: Outcome, applications: Mapping[str, Application], at: date
) -> dict[str, Any]:
    """An aid with the answer for this person."""
    label, kind = VERDICTS[outcome.verdict]
    step = outcome.next_step
    why = plain_reasons(t, outcome)
    if outcome.is_eligible and "PassCredential" in aid.credentials_required:
        why.append(t("Pour l'abonnement le plus récent gardé dans votre coffre."))
    why += [text_of(t, q.words) for q in outcome.missing if not q.optional]
    if is_guess(outcome):
        label, kind = N_("Possible, selon vos réponses"), "info"
        why = [t("Calculé avec des réponses par défaut : complétez-les pour savoir.")]
    return {
        **aid_facts(t, aid, at),
        "eligible": outcome.is_eligible,
        "verdict": t(label),
        "kind": kind,
        "amount": t.amount(outcome.amount) if outcome.is_eligible and outcome.amount else "",
        "why": why,
        "next": text_of(t, step.words) if step is not None else "",
        "open_application": f"/demandes/{short(applications[aid.id].id)}"
        if aid.id in applications
        else "",
    }


def aid_title(t: Translator, aid: Aid) -> str:
    """The aid's title; a bicycle aid adds its own name in the model, since a funder has several."""
    title = text_of(t, aid.titles)
    own = aid.rule.rule.rsplit(" . ", 1)[-1]
    if aid.check_mode is not CheckMode.LINK_OUT or own.casefold() in title.casefold():
        return title
    return f"{title} · {own}"


def plain_reasons(t: Translator, outcome: Outcome) -> list[str]:
    """Reasons in the words of people: the engine's own lines about codes are left to the trace."""
    lines = [text_of(t, reason.words) for reason in outcome.reasons]
    return [line for line in lines if not line.endswith(ENGINE_ENDINGS) and "«" not in line]


def is_guess(outcome: Outcome) -> bool:
    """Whether an amount rests on the rule's own defaults for questions nobody answered."""
    return outcome.is_eligible and any(q.optional for q in outcome.missing)


def open_applications(vault: OpenVault) -> dict[str, Application]:
    """Aid → the citizen's live application for it."""
    found: dict[str, Application] = {}
    for record in vault.records(Kind.APPLICATION, limit=200).records:
        if isinstance(record, Application) and record.state.value in OPEN_STATES:
            found.setdefault(str(record.aid), record)
    return found


def estimates(vault: OpenVault, catalogue: Catalogue, now: datetime) -> list[tuple[Aid, Outcome]]:
    """Every aid that may concern this person, the surest and largest first."""
    at = local_today(now)
    period = default_period(at)
    here = commune_of(vault)
    codes = here.codes if here is not None else frozenset()
    found = [
        (aid, estimate_here(vault, catalogue, aid, here, at=at, period=period))
        for aid in catalogue.aids
        if aid.is_open(at)
        and (
            any((t.kind.value, t.code) in codes for t in aid.territories)
            if aid.territories or aid.check_mode is CheckMode.LINK_OUT
            else True
        )
    ]
    rank = {Verdict.ELIGIBLE: 0, Verdict.NOT_ELIGIBLE: 1, Verdict.MISSING: 2}
    return sorted(
        found,
        key=lambda x: (
            rank[x[1].verdict] + is_guess(x[1]),
            -(x[1].amount or 0),
            x[0].check_mode is CheckMode.LINK_OUT,
        ),
    )


def commune_of(vault: OpenVault) -> Commune | None:
    """Where the citizen said they live."""
    known = vault.attributes("address.commune")
    return by_code(str(known[-1].value)) if known else None


def estimate_here(
    vault: OpenVault,
    catalogue: Catalogue,
    aid: Aid,
    here: Commune | None,
    *,
    at: date,
    period: tuple[date, date],
    answers: Mapping[str, str] | None = None,
) -> Outcome:
    """The estimate, with the codes of the commune as text (« 01 » is not a number)."""
    facts = facts_from(vault, aid, at=at, period=period, answers=answers)
    if here is None:
        return catalogue.evaluate(aid, facts)
    places = {
        "localisation . code insee": here.code,
        "localisation . epci": here.epci_name or "",
        "localisation . département": here.departement,
        "localisation . région": here.region,
    }
    engine = catalogue.engine(aid)
    located = {
        name: Fact(value, FactSource.RECORD)
        for name, value in places.items()
        if value and name in engine
    }
    codes = frozenset(code for _, code in here.codes)
    return catalogue.evaluate(
        aid, replace(facts, values={**facts.values, **located}, territories=codes)
    )


@router.get("/aides")
def aids(page: PageDep, context: ContextDep, vault: VaultDep) -> HTMLResponse:
    """Amounts, why, what is missing; computed here."""
    t = page.t
    catalogue, is_fresh = context.catalogue.get()
    live = open_applications(vault)
    at = local_today(page.now)
    found = estimates(vault, catalogue, page.now) if catalogue is not None else []
    return page.show(
        "aids.html",
        aids=[aid_for_me(t, aid, outcome, live, at) for aid, outcome in found],
        located=bool(vault.attributes("address.commune")),
        stale=""
        if is_fresh or catalogue is None
        else t("Le hub ne répond pas. Catalogue du {day}.", day=t.moment(catalogue.issued_at)),
    )


def current_catalogue(cache: CatalogueCache) -> Catalogue:
    """The catalogue that is known.

    Raises:
        HubUnreachableError: none was ever received.
    """
    catalogue, _ = cache.get()
    if catalogue is None:
        raise HubUnreachableError("no catalogue was ever received")
    return catalogue


def attestation_aid(catalogue: Catalogue) -> Aid:
    """The aid whose day rule an attestation counts with: the first that asks for eligible days.

    Raises:
        UnknownAidError: no published aid counts days.
    """
    for aid in catalogue.aids:
        if aid.proof is not None and aid.proof.metric == "eligible-days":
            return aid
    raise UnknownAidError("eligible-days")


@router.get("/aides/{slug}")
def one_aid(
    request: Request, page: PageDep, context: ContextDep, vault: VaultDep, slug: str
) -> HTMLResponse:
    """One aid: the answer, the computation step by step, the rule."""
    t, at = page.t, local_today(page.now)
    catalogue = current_catalogue(context.catalogue)
    aid = catalogue.aid(slug)
    period = default_period(at)
    answers = {k[2:]: v for k, v in request.query_params.items() if k.startswith("q-") and v != ""}
    outcome = estimate_here(
        vault, catalogue, aid, commune_of(vault), at=at, period=period, answers=answers
    )
    shown = aid_for_me(t, aid, outcome, open_applications(vault), at)
    return page.show(
        "aid.html",
        aid=shown,
        period={"since": period[0].isoformat(), "until": period[1].isoformat()},
        questions=[
            {
                "name": f"q-{q.variable}",
                "label": text_of(t, q.words),
                "unit": q.unit,
                "value": answers.get(q.variable, ""),
                "options": _options(t, q.kind, q.choices),
            }
            for q in outcome.missing
        ],
        trace=[text_of(t, line) for line in outcome.trace],
    )


def _options(t: Translator, kind: str, choices: tuple[str, ...]) -> list[tuple[str, str]]:
    if kind == "boolean":
        return [("", t("Je ne sais pas")), ("oui", t("Oui")), ("non", t("Non"))]
    return [("", t("Je ne sais pas")), *((c, c) for c in choices)] if choices else []


@router.post("/aides/{slug}/demander")
def prepare(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    slug: str,
    du: Annotated[date, Form()],
    au: Annotated[date, Form()],
) -> Response:
    """Ask the hub for a signed request and show what would leave."""
    aid = current_catalogue(context.catalogue).aid(slug)
    live = open_applications(vault).get(str(aid.id))
    application = live.id if live is not None else mint_iri()
    try:
        disclosure = vault.prepare_application(aid, application, period=(du, au))
    except ShareRefusedError as error:
        if not str(error.reason).startswith("missing:"):
            raise
        return page.go(
            f"/documents/recevoir?aide={slug}",
            notice=page.t(
                "Il manque un document signé pour cette aide : demandez-le à son émetteur."
            ),
            kind="warn",
        )
    return consent_page(page, disclosure)


def consent_page(page: Page, disclosure: Disclosure) -> HTMLResponse:
    """The consent in two columns."""
    t = page.t
    facts = [
        (t("Qui demande"), disclosure.recipient_name),
        (t("Accrédité par"), disclosure.accredited_by or t("personne : méfiance")),
        (t("Pourquoi"), disclosure.purpose),
        (t("Méthode"), t(ASSURANCE.get(disclosure.assurance, disclosure.assurance))),
        (
            t("Conservation"),
            disclosure.retention or t("le temps d'instruire la demande et des recours"),
        ),
        (t("Base légale"), disclosure.legal or t("votre consentement")),
        (t("À accepter avant le"), t.moment(disclosure.expires_at)),
    ]
    return page.show(
        "consent.html",
        intro=t(
            "{name} demande à lire ceci. Rien n'est encore parti.", name=disclosure.recipient_name
        ),
        leaves=claim_rows(t, disclosure.leaves),
        stays=kept_rows(t, disclosure.stays),
        facts=facts,
        disclosure_id=disclosure.id,
        request_token=disclosure.id,
        recipient=disclosure.recipient_name,
    )


def claim_rows(t: Translator, claims: tuple[ClaimShown, ...]) -> list[dict[str, str]]:
    """« 41 jours éligibles », in words; what only machines read is named in one last row."""
    rows, technical = [], []
    for claim in claims:
        name = claim.path.rsplit(".", 1)[-1]
        if name in TECHNICAL:
            technical.append(t(CLAIMS[name]) if name in CLAIMS else name)
            continue
        title = t(CLAIMS[name]) if name in CLAIMS else name
        rows.append({"title": f"{title} : {claim_value(t, name, claim.value)}", "text": ""})
    return rows + _technical_row(t, technical)


def _technical_row(t: Translator, names: list[str]) -> list[dict[str, str]]:
    if not names:
        return []
    return [{"title": t("Ce qui sert à vérifier"), "text": ", ".join(names)}]


def claim_value(t: Translator, name: str, value: Any) -> str:
    """A claim's value as a person reads it."""
    if isinstance(value, list):
        return ", ".join(dict.fromkeys(claim_value(t, name, item) for item in value))
    if isinstance(value, Mapping):
        if "mode" in value:
            mode = str(value["mode"])
            days = t.n("{n} jour", "{n} jours", int(value.get("days", 0)))
            return f"{t(MODES.get(mode, mode))}, {days}"
        if "evidence" in value:
            code = str(value["evidence"])
            days = t.n("{n} jour", "{n} jours", int(value.get("days", 0)))
            return f"{t(EVIDENCE.get(code, code))}, {days}"
        if "family" in value:
            return t("une empreinte qui ne dit pas qui vous êtes")
        return ", ".join(str(v) for k, v in value.items() if k != "id")
    text = str(value)
    if name in ("periodFrom", "periodUntil", "firstDay", "lastDay", "issuedOn"):
        return t.day(text, "long")
    if name == "weakestEvidence":
        return t(EVIDENCE.get(text, text))
    if name == "assuranceMethod":
        return t(ASSURANCE.get(text, text))
    if name == "status" and text in STAFF:
        return t(STAFF[text])
    if name in ("amount", "total") and text.isdigit():
        return t.amount(int(text))
    return text


def kept_rows(t: Translator, kept: tuple[str, ...]) -> list[dict[str, str]]:
    """What stays, in words."""
    return [{"title": t(KEPT[name]) if name in KEPT else name, "text": ""} for name in kept]


@router.post("/partager")
def share(
    page: CheckedDep,
    vault: VaultDep,
    partage: Annotated[str, Form()],
    accord: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """The citizen agrees: consent receipt, outbox and presentation in one commit."""
    t = page.t
    if not accord:
        return page.go(
            "/aides",
            notice=t("Rien n'a été envoyé : la case d'accord n'était pas cochée."),
            kind="warn",
        )
    consent = vault.share(partage, confirmed_at=page.now)
    if consent.application is None:
        return page.go(f"/partages/{short(consent.id)}", notice=t("C'est parti."))
    wait_delivery(vault, consent.application)
    return page.go(f"/demandes/{short(consent.application)}", notice=t("Votre demande est partie."))


def refresh(vault: OpenVault, application: str) -> bool:
    """Ask the hub for the state of an application; False when it cannot be known now."""
    try:
        vault.refresh_application(iri(short(application)))
    except HubClientError:
        return False
    return True


def wait_delivery(vault: OpenVault, application: str) -> None:
    """Give the outbox a moment, so that the next page already shows the answer; then go on anyway."""
    until = time.monotonic() + DELIVERY_S
    while time.monotonic() < until:
        refresh(vault, application)
        record = vault.get(iri(short(application)))
        if isinstance(record, Application) and "hubView" in record.extra:
            return
        time.sleep(0.15)


@router.get("/partages")
def shares(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """Applications and consent receipts, the latest first."""
    t = page.t
    titles = _aid_titles(t)
    applications = []
    for record in vault.records(Kind.APPLICATION, limit=100).records:
        if not isinstance(record, Application):
            continue
        label, kind = STATES.get(record.state.value, (record.state.value, ""))
        applications.append(
            {
                "href": f"/demandes/{short(record.id)}",
                "title": titles(record),
                "funder": str(record.extra.get("funderName") or record.funder),
                "when": t.moment(record.submitted_at) if record.submitted_at else "",
                "state": t(label),
                "kind": kind,
                "amount": t.amount(record.amount) if record.amount else "",
            }
        )
    consents = [
        {**_consent(t, given), "href": f"/partages/{short(given.id)}"}
        for given in vault.records(Kind.CONSENT, limit=100).records
        if isinstance(given, Consent)
    ]
    return page.show(
        "shares.html",
        applications=applications,
        consents=consents,
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


def _aid_titles(t: Translator) -> Callable[[Application], str]:
    def title(application: Application) -> str:
        given = application.extra.get("aidTitle")
        return text_of(t, given) if given else str(application.aid)

    return title


def _consent(t: Translator, consent: Consent) -> dict[str, Any]:
    return {
        "id": short(consent.id),
        "recipient": consent.recipient_name,
        "purpose": consent.purpose,
        "when": t.moment(consent.given_at),
        "state": t("Retiré") if consent.withdrawn_at else t("En vigueur"),
        "kind": "" if consent.withdrawn_at else "ok",
        "withdrawn": consent.withdrawn_at is not None,
    }


@router.get("/partages/{uuid_text}")
def one_share(page: PageDep, vault: VaultDep, uuid_text: str) -> HTMLResponse:
    """One consent receipt: what left, what stayed, how to withdraw."""
    t = page.t
    consent = vault.get(iri(uuid_text))
    if not isinstance(consent, Consent):
        raise RecordUnknownError(iri(uuid_text))
    names = _last(consent.claims)
    facts = [
        (t("Donné le"), t.moment(consent.given_at)),
        (
            t("Jusqu'au"),
            t.moment(consent.expires_at) if consent.expires_at else t("sans date de fin"),
        ),
        (t("Retiré le"), t.moment(consent.withdrawn_at) if consent.withdrawn_at else "–"),
        (t("Base légale"), consent.legal or t("votre consentement")),
    ]
    return page.show(
        "share.html",
        consent=_consent(t, consent),
        leaves=[
            *({"title": t(CLAIMS.get(c, c)), "text": ""} for c in names if c not in TECHNICAL),
            *_technical_row(t, [t(CLAIMS.get(c, c)) for c in names if c in TECHNICAL]),
        ],
        stays=kept_rows(t, consent.kept_back),
        facts=facts,
        receipt=json.dumps(dict(consent.receipt), ensure_ascii=False, indent=1),
    )


def _last(paths: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys(path.rsplit(".", 1)[-1] for path in paths))


@router.post("/partages/retirer")
def withdraw(
    page: CheckedDep, vault: VaultDep, consentement: Annotated[str, Form()]
) -> RedirectResponse:
    """Withdraw a consent: nothing more leaves, the recipient is told."""
    vault.withdraw_consent(iri(consentement), at=page.now)
    text = page.t("Accord retiré. Le destinataire en est prévenu.")
    return page.go(f"/partages/{consentement}", notice=text)


@router.post("/demandes/actualiser")
def refresh_now(
    page: CheckedDep, vault: VaultDep, demande: Annotated[str, Form()]
) -> RedirectResponse:
    """Ask the hub again."""
    refresh(vault, demande)
    return page.go(f"/demandes/{demande}")


@router.get("/demandes/{uuid_text}")
def one_application(page: PageDep, vault: VaultDep, uuid_text: str) -> HTMLResponse:
    """One application: decision, reasons, checks, remedies, history."""
    t = page.t
    record = vault.get(iri(uuid_text))
    if not isinstance(record, Application):
        raise RecordUnknownError(iri(uuid_text))
    reachable = True
    if record.state.value in ("submitted", "to-review", "needs-information", "completed"):
        reachable = refresh(vault, uuid_text)
        again = vault.get(record.id)
        record = again if isinstance(again, Application) else record
    state = record.state.value
    label, kind = STATES.get(state, (state, ""))
    answer = record.extra.get("hubView", {})
    view: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {}
    headline = HEADLINES.get(state, N_("Votre demande est en cours"))
    return page.show(
        "application.html",
        application={
            "id": short(record.id),
            "title": _aid_titles(t)(record),
            "funder": str(record.extra.get("funderName") or record.funder),
            "period": t(
                "du {since} au {until}",
                since=t.day(record.period_from, "long"),
                until=t.day(record.period_until, "long"),
            ),
            "state": t(label),
            "kind": kind,
            "headline": t(headline),
            "amount": t.amount(record.amount) if record.amount else "",
            "reasons": [text_of(t, r) for r in view.get("reasons", ())] or list(record.reasons),
            "message": str(view.get("message", "")),
            "mention": text_of(t, view.get("mention")),
            "remedies": text_of(t, view.get("remedies")),
            "proof": "/attestation"
            if state in ("accepted", "awarded", "to-review", "submitted")
            else "",
        },
        unreachable="" if reachable else t("Le hub ne répond pas : voici le dernier état connu."),
        check_items=check_rows(t, view.get("checks", ())),
        explanation=explanation_rows(t, view.get("explanation", {})),
        history=[
            {
                "state": t(STATES[h.state][0]) if h.state in STATES else h.state,
                "when": t.moment(h.at),
                "actor": actor_name(t, h.actor),
                "reason": h.reason or "",
            }
            for h in record.history
        ],
    )


@router.get("/attestation")
def attestation_form(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """Period, name, employer."""
    since, until = default_period(local_today(page.now))
    return _attestation_page(page, Errors(), since, until, *_names(vault))


def _names(vault: OpenVault) -> tuple[str, str]:
    person, employer = known_names(vault)
    return person or "", employer or ""


def _attestation_page(
    page: Page, errors: Errors, since: date, until: date, name: str, employer: str
) -> HTMLResponse:
    return page.show(
        "attestation.html",
        status=422 if errors else 200,
        errors=errors,
        period={"since": since.isoformat(), "until": until.isoformat()},
        name=name,
        employer=employer,
    )


@router.post("/attestation")
def attestation(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    du: Annotated[date, Form()],
    au: Annotated[date, Form()],
    nom: Annotated[str, Form(max_length=120)] = "",
    employeur: Annotated[str, Form(max_length=160)] = "",
) -> Response:
    """The PDF. An empty period says so instead of attesting nothing."""
    t = page.t
    if au < du or au - du > timedelta(days=366):
        errors = Errors(au=t("La fin doit suivre le début, sur un an au plus."))
        return _attestation_page(page, errors, du, au, nom, employeur)
    proof = usage_proof(context, vault, du, au, at=page.now)
    if int(proof["credentialSubject"]["days"]) == 0:
        errors = Errors(
            {"": t("Aucun jour éligible sur cette période : vérifiez vos lieux et vos trajets.")}
        )
        return _attestation_page(page, errors, du, au, nom, employeur)
    pdf = attestation_pdf(
        context.settings,
        proof,
        link=publish(vault, proof),
        name=nom,
        employer=employeur,
        at=page.now,
        language=t.language,
    )
    return Response(
        pdf,
        media_type="application/pdf",
        headers={
            "content-disposition": f'attachment; filename="attestation-trajets-{au.isoformat()}.pdf"',
            "cache-control": "no-store",
        },
    )


def usage_proof(
    context: HomeContext, vault: OpenVault, since: date, until: date, *, at: datetime
) -> Mapping[str, Any]:
    """A usage proof for a paper, bound to a holder key of its own, attested by this home."""
    aid = attestation_aid(current_catalogue(context.catalogue))
    return vault.attest_usage(aid, period=(since, until), at=at)


def attestation_pdf(
    settings: Settings,
    proof: Mapping[str, Any],
    *,
    link: str,
    name: str,
    employer: str,
    at: datetime,
    language: str,
) -> bytes:
    """The PDF of a proof, with its own page (`link`, from `vault.papers.publish`) and the verify page."""
    return render(
        Attestation(
            proof=proof,
            holder_name=name.strip() or None,
            employer=employer.strip() or None,
            issuer_name=settings.operator_name,
            verify_url=f"{settings.url(Node.HUB)}/verifier",
            paper_url=f"{settings.url(Node.HOME)}/papier/{link}",
            made_at=at,
            sandbox=settings.sandbox,
            language=language,
        )
    )
