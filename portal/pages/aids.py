"""« Ce que je peux obtenir », consent, what I shared, applications, attestation."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line
# ruff: noqa: PLR0917 - a route's or a verb's parameters are its form's fields

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from federation.aids.catalogue import Catalogue
from federation.aids.cool_down import cool_down_of
from federation.aids.declaration import declaration_of
from federation.aids.eligibility import Outcome, Question, Verdict
from federation.aids.errors import UnknownAidError
from federation.aids.model import Aid, CheckMode
from federation.aids.national import FMD_FAMILY
from federation.aids.prior_aid import asks_no_prior_aid
from federation.aids.sheet import READ
from federation.aids.territories import EVERYWHERE, Commune, by_code
from federation.aids.territory import place_facts
from federation.aids.velo import VELO_MODEL
from federation.aids.wording import PLACES
from federation.errors import HubClientError, HubRefusedError, HubUnreachableError
from federation.profiles import PROFILES
from federation.sealing.errors import FunderKeyExpiredError
from federation.usage import Metric, standing
from portal.attestation import Attestation, render
from portal.context import HomeContext
from portal.decision_letter import Letter, render_letter
from portal.extension_pages import fact_title, fact_value
from portal.glossary import ASSURANCE, CLAIMS, CODES, EVIDENCE, KEPT, METRICS, MODES, STATES, STOPS
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.checks import check_rows, declared_rows, explanation_rows, text_of
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.vault import actor_name, default_period
from portal.proofs import audit_card, refusal, standing_line, weaker_because
from portal.settings import Node, Settings
from portal.views import iri, local_today, short
from portal.web import Page
from schemas.ids import Iri, mint_iri
from schemas.records import Application, ApplicationState, Document, Kind
from schemas.units import Cents
from vault.answers import kept_answers
from vault.attachments import MAX_ATTACHED, attach_document
from vault.catalogue import HubCatalogue
from vault.circles import keys_of
from vault.delivery import Delivery, delivery_of
from vault.dossier import dossier_of, send_dossier
from vault.eligibility import UsageCounts, awarded, facts_from, known_names
from vault.errors import RecordUnknownError, ShareRefusedError
from vault.model import ClaimShown, Disclosure
from vault.news import look, watch
from vault.open_vault import OpenVault
from vault.papers import publish
from vault.sharing import (
    answer_application,
    appeal_application,
    evidence_of,
    withdraw_application,
)
from vault.standing import Standing
from vault.standing import standing as standing_consents
from vault.standing_run import READY
from vault.usage_proof import count_usage

router = APIRouter(include_in_schema=False)

LABELS: Final = {
    "sure": (N_("Vous y avez droit"), "ok"),
    "maybe": (N_("Possible, selon vos réponses"), "info"),
    "ask": (N_("Il manque une réponse"), "info"),
    "info": (N_("À lire chez le financeur"), ""),
    "no": (N_("Pas encore"), "warn"),
}
LEVELS: Final = {
    "employer": N_("Employeur"),
    "commune": N_("Commune"),
    "epci": N_("Intercommunalité"),
    "departement": N_("Département"),
    "region": N_("Région"),
    "state": N_("État"),
}
PERIODS: Final = {"an": N_("{amount} par an"), "mois": N_("{amount} par mois")}
MAX_QUESTIONS: Final = 8
UNITS: Final = {
    "an": "years",
    "jour": "days",
    "mois": "months",
    "personne": "people",
    "€/an": "€ a year",
    "€/mois": "€ a month",
}
"""Units of answers on the English page; in French they read as they are written."""
RECEIVES_FMD: Final = (
    "demandeur . bénéficie du forfait mobilités durables",
    "aides . occitanie bonus forfait mobilité durable . perçoit le forfait mobilités durables",
)
"""Questions that an award of the allowance held in the vault answers."""
HEADLINES: Final = {
    "accepted": N_("Votre demande est acceptée"),
    "awarded": N_("L'aide vous est accordée"),
    "refused": N_("Votre demande est refusée"),
    "to-review": N_("Une personne examine votre demande"),
    "needs-information": N_("Le financeur a besoin d'une information"),
    "withdrawn": N_("Vous avez retiré votre demande"),
    "draft": N_("Votre demande n'est pas encore envoyée"),
    "ready": N_("Votre demande est prête à envoyer"),
    "completed": N_("Votre réponse est chez le financeur"),
    "appealed": N_("Une personne réexamine votre demande"),
    "paid": N_("L'aide est payée"),
    "rejected": N_("Votre dossier n'a pas pu être reçu"),
    "unsent": N_("Votre demande n'est pas arrivée à temps"),
}
STAFF: Final = {
    "agent-titulaire-public": N_("agent public titulaire"),
    "agent-contractuel-public": N_("agent public contractuel"),
}
TECHNICAL: Final = frozenset(
    {
        "rule",
        "ruleVersion",
        "evidenceRoot",
        "treeSize",
        "attesterSoftware",
        "co2Factor",
        "extension",
        "extensionVersion",
    }
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


ASKED: Final = {
    "needs-information": (N_("Information attendue"), "warn"),
    "accepted": (N_("Accordée"), "ok"),
    "awarded": (N_("Accordée"), "ok"),
    "paid": (N_("Payée"), "ok"),
    "appealed": (N_("Recours en cours"), "info"),
}
"""What a live application has come to; the others are just asked for."""
OUTAGE: Final = "challenge-expired"
"""Code of a package that waited for the hub longer than its request lives."""
DECIDED: Final = frozenset({"accepted", "awarded", "paid", "refused"})
REGISTER: Final = {
    "waiting": N_("Elle entre au registre des décisions dans la minute."),
    "timestamp-pending": N_("Inscrite au registre des décisions ; l'horodatage suit."),
    "complete": N_("Inscrite au registre des décisions."),
}
"""Where a decision stands in the register of the hub."""


def register_words(t: Translator, standing: str) -> str:
    """A decision's place in the register, in a sentence; empty when it is older."""
    return t(REGISTER[standing]) if standing in REGISTER else ""


def zip_answer(data: bytes, uuid_text: str) -> Response:
    """An evidence file to keep."""
    name = f"preuve-{short(iri(uuid_text))[:8]}.zip"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(data, media_type="application/zip", headers=headers)


def non_cumul(t: Translator, aid: Aid) -> Iterator[str]:
    """How long nobody has an aid of the family again, where the ledger holds to it, and whether
    the hub has to say first that nobody has one."""
    months = cool_down_of(aid) if aid.family else 0
    if months:
        yield t(
            "Après la période aidée, pas de nouvelle aide de cette famille avant {time}.",
            time=t.n("{n} mois", "{n} mois", months),
        )
    if aid.family and asks_no_prior_aid(aid):
        yield t(
            "Chaque demande apporte une attestation d'absence d'aide antérieure : le coffre la demande au guichet au moment d'envoyer, elle vaut deux heures."
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
        "stacking": [*(text_of(t, x) for x in aid.stacking), *non_cumul(t, aid)],
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
        "dossier": declaration_of(aid) is not None,
    }


def aid_for_me(
    t: Translator,
    aid: Aid,
    outcome: Outcome,
    applications: Mapping[str, Application],
    at: date,
    *,
    passed: Collection[str] = (),
) -> dict[str, Any]:
    """An aid with the answer for this person. `passed`: questions they would rather not answer."""
    group = group_of(outcome, passed)
    label, kind = LABELS[group]
    step = outcome.next_step
    why = [text_of(t, line) for line in outcome.plain]
    if outcome.is_eligible and "PassCredential" in aid.credentials_required:
        why.append(t("Pour l'abonnement le plus récent gardé dans votre coffre."))
    if group == "info":
        why = [text_of(t, aid.summaries)]
    elif group == "ask":  # a refusal by default answers is none yet: the question says more
        why = [text_of(t, question.words) for question in waiting(outcome, passed)[:1]]
    elif group == "maybe":
        why.append(t("Calculé avec des réponses par défaut : complétez-les pour savoir."))
    amount = ""
    if outcome.is_eligible and outcome.amount:
        amount = t.amount(outcome.amount)
        if outcome.per in PERIODS:
            amount = t(PERIODS[outcome.per], amount=amount)
    application = applications.get(aid.id)
    if application is not None:  # what was asked for is past the estimate
        group, step = "asked", None
        label, kind = ASKED.get(application.state.value, (N_("Demandée"), "info"))
        why = [t(HEADLINES.get(application.state.value, N_("Votre demande est chez le financeur")))]
        if application.amount:
            amount = t.amount(application.amount)
    return {
        **aid_facts(t, aid, at),
        "eligible": outcome.is_eligible,
        "group": group,
        "verdict": t(label),
        "kind": kind,
        "amount": amount,
        "why": why,
        "next": text_of(t, step.words) if step is not None else "",
        "is_waiting": application is not None and application.state.value in WITHDRAWABLE,
        "open_application": f"/demandes/{short(application.id)}" if application is not None else "",
    }


def aid_title(t: Translator, aid: Aid) -> str:
    """The aid's title; a bicycle aid adds its own name in the model, since a funder has several."""
    title = text_of(t, aid.titles)
    own = aid.rule.rule.rsplit(" . ", 1)[-1]
    if aid.rule.model != VELO_MODEL or own.casefold() in title.casefold():
        return title
    return f"{title} · {own}"


def waiting(outcome: Outcome, passed: Collection[str] = ()) -> list[Question]:
    """Questions that may still change the answer: neither about the place nor passed."""
    return [q for q in outcome.missing if q.variable not in PLACES and q.variable not in passed]


def group_of(outcome: Outcome, passed: Collection[str] = ()) -> str:
    """Where an aid stands on the page: `sure`, `maybe`, `ask` or `no`."""
    if outcome.is_eligible:
        return "maybe" if is_guess(outcome) else "sure"
    left = waiting(outcome, passed)
    if outcome.verdict is Verdict.MISSING and left and all(is_prose(q) for q in left):
        return "info"
    return "ask" if outcome.verdict is Verdict.MISSING or left else "no"


def is_prose(question: Question) -> bool:
    """A condition that only the funder's page tells: shown to read, never asked."""
    return question.variable.startswith(f"{READ} . ")


def is_guess(outcome: Outcome) -> bool:
    """Whether an amount rests on the rule's own defaults for questions nobody answered."""
    return outcome.is_eligible and any(q.optional for q in outcome.missing)


def shown_state(record: Application) -> str:
    """What a page calls an application: what the hub did not take in is `rejected`, or `unsent`
    when no refusal but an outage kept it away; both are over, and asked anew."""
    if record.state is ApplicationState.DRAFT and READY in record.extra:
        return "ready"
    told = record.extra.get("delivery")
    if (
        record.state is not ApplicationState.SUBMITTED
        or not isinstance(told, Mapping)
        or record.extra.get("hubView")
    ):
        return record.state.value
    return "unsent" if told.get("code") == OUTAGE else "rejected"


def ready_estimate(record: Application) -> Cents | None:
    """What the rule gave for a draft that is ready to be sent."""
    told = record.extra.get(READY)
    found = told.get("estimate") if isinstance(told, Mapping) else None
    return Cents(found) if type(found) is int else None


def _why_ready(t: Translator, record: Application) -> list[str]:
    """Why the home left a draft to the citizen, when they had let it send."""
    told = record.extra.get(READY)
    why = told.get("why") if isinstance(told, Mapping) else None
    return [t(STOPS[why])] if isinstance(why, str) and why in STOPS else []


def open_applications(vault: OpenVault) -> dict[str, Application]:
    """Aid → the citizen's live application for it."""
    found: dict[str, Application] = {}
    for record in vault.records(Kind.APPLICATION, limit=200).records:
        if isinstance(record, Application) and shown_state(record) in OPEN_STATES:
            found.setdefault(str(record.aid), record)
    return found


def estimates(vault: OpenVault, catalogue: Catalogue, now: datetime) -> list[tuple[Aid, Outcome]]:
    """Every aid that may concern this person, the surest and largest first."""
    at = local_today(now)
    period = default_period(at)
    here = commune_of(vault)
    codes = here.codes if here is not None else frozenset((EVERYWHERE,))
    answers = answers_of(vault, catalogue)
    usage = usage_counts(vault, catalogue, period)
    found = [
        (
            aid,
            estimate_here(
                vault, catalogue, aid, here, at=at, period=period, answers=answers, usage=usage
            ),
        )
        for aid in catalogue.aids
        if aid.is_open(at) and aid.covers(codes)
    ]
    return sorted(found, key=by_promise)


def by_promise(pair: tuple[Aid, Outcome]) -> tuple[int, int, bool, str]:
    """Sort key: sure, possible, a question away, refused; the largest amount first."""
    aid, outcome = pair
    rank = {"sure": 0, "maybe": 1, "ask": 2, "info": 3, "no": 4}[group_of(outcome)]
    return rank, -(outcome.amount or 0), aid.check_mode is CheckMode.LINK_OUT, aid.slug


def answers_of(vault: OpenVault, catalogue: Catalogue) -> dict[str, bool | int | float | str]:
    """What the citizen answered, and what an award in the vault answers in their place."""
    kept = kept_answers(vault)
    found = {name: answer.value for name, answer in kept.items() if not answer.is_skipped}
    if awarded(vault, catalogue.aids, FMD_FAMILY):
        found |= dict.fromkeys(RECEIVES_FMD, True)
    return found


def usage_counts(vault: OpenVault, catalogue: Catalogue, period: tuple[date, date]) -> UsageCounts:
    """One count a template; the first that asks for days is lent to schemes without one."""
    lent = next(
        (a.proof for a in catalogue.aids if a.proof and a.proof.metric == "eligible-days"), None
    )
    return UsageCounts(vault, period, lent=lent)


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
    answers: Mapping[str, bool | int | float | str] | None = None,
    usage: UsageCounts | None = None,
) -> Outcome:
    """The estimate, with the codes of the commune as text (« 01 » is not a number)."""
    engine = catalogue.engine(aid)
    asked = {name: value for name, value in (answers or {}).items() if name in engine}
    facts = facts_from(vault, aid, at=at, period=period, answers=asked, usage=usage)
    if here is None:
        return catalogue.evaluate(aid, facts)
    located, codes = place_facts(here, engine)
    return catalogue.evaluate(
        aid, replace(facts, values={**facts.values, **located}, territories=codes)
    )


def current_catalogue(
    cache: HubCatalogue, naming: str = "", *, of: OpenVault | None = None
) -> Catalogue:
    """The catalogue that is known, asked for again when it lacks the aid `naming`; with the aids
    reserved to the citizen `of` that vault.

    Raises:
        HubUnreachableError: none was ever received.
    """
    return cache.current(naming=naming, keys=() if of is None else keys_of(of))


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
def one_aid(page: PageDep, context: ContextDep, vault: VaultDep, slug: str) -> HTMLResponse:
    """One aid: the answer, the computation step by step, the rule."""
    t, at = page.t, local_today(page.now)
    catalogue = current_catalogue(context.catalogue, slug, of=vault)
    aid = catalogue.aid(slug)
    period = default_period(at)
    outcome = estimate_here(
        vault,
        catalogue,
        aid,
        commune_of(vault),
        at=at,
        period=period,
        answers=answers_of(vault, catalogue),
        usage=usage_counts(vault, catalogue, period),
    )
    shown = aid_for_me(t, aid, outcome, open_applications(vault), at)
    if aid.proof is not None and not aid.proof.is_exact:
        count = count_usage(vault, aid.proof, period=period)
        shown["why"].insert(0, standing_line(t, standing(aid.proof, count.value)))
    return page.show(
        "aid.html",
        aid=shown,
        period={"since": period[0].isoformat(), "until": period[1].isoformat()},
        questions=[question_form(t, q) for q in outcome.missing if q.variable not in PLACES][
            :MAX_QUESTIONS
        ],
        trace=[text_of(t, line) for line in outcome.trace],
        for_me=_for_me(vault, aid),
    )


def can_apply_for_me(aid: Aid) -> bool:
    """Whether a home can apply for an aid: asked for here, on a proof it computes, and nothing to be
    answered or chosen anew each time."""
    return (
        aid.check_mode is not CheckMode.LINK_OUT
        and aid.proof is not None
        and declaration_of(aid) is None
    )


def for_me_of(vault: OpenVault, aid: Aid) -> Standing | None:
    """The agreement that stands for an aid."""
    return next(
        (item for item in standing_consents(vault) if item.is_live and item.consent.aid == aid.id),
        None,
    )


def _for_me(vault: OpenVault, aid: Aid) -> dict[str, str] | None:
    if not can_apply_for_me(aid):
        return None
    found = for_me_of(vault, aid)
    if found is None:
        return {"href": f"/aides/{aid.slug}/pour-moi", "live": ""}
    return {"href": f"/partages/{short(found.consent.id)}", "live": "oui"}


def question_form(t: Translator, question: Question) -> dict[str, Any]:
    """A question as a form shows it."""
    options: list[tuple[str, str]] = []
    if question.kind == "boolean":
        options = [("oui", t("Oui")), ("non", t("Non"))]
    elif question.choices:
        shown = question.choices_en if t.language == "en" else question.choices
        options = list(zip(question.choices, shown or question.choices, strict=True))
    return {
        "variable": question.variable,
        "label": text_of(t, question.words),
        "unit": UNITS.get(question.unit, question.unit) if t.language == "en" else question.unit,
        "options": options,
    }


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
    aid = current_catalogue(context.catalogue, slug, of=vault).aid(slug)
    live = open_applications(vault).get(str(aid.id))
    if live is None or live.state.value not in WITHDRAWABLE:
        live = draft_of(
            vault, aid, period=(du, au)
        )  # a decided one is closed: another period is another one
    application = live.id if live is not None else mint_iri()
    try:
        disclosure = vault.prepare_application(aid, application, period=(du, au))
    except ShareRefusedError as error:
        metric = Metric(aid.proof.metric) if aid.proof is not None else None
        said = refusal(page.t, str(error.reason), metric)
        if said is not None:
            return page.go(f"/aides/{slug}", notice=said, kind="warn")
        if not str(error.reason).startswith("missing:"):
            raise
        return page.go(
            f"/documents/recevoir?aide={slug}",
            notice=page.t(
                "Il manque un document signé pour cette aide : demandez-le à son émetteur."
            ),
            kind="warn",
        )
    except HubRefusedError as error:
        if error.hub_code != "already-awarded":
            raise
        said = page.t(
            "Une aide de la même famille est déjà demandée ou accordée pour cette période."
            " Rien n'est parti."
        )
        return page.go(f"/aides/{slug}", notice=said, kind="warn")
    if live is None or live.state is ApplicationState.DRAFT:
        keep_draft(vault, aid, live, application, period=(du, au))
    return consent_page(page, disclosure)


def waiting_of(t: Translator, vault: OpenVault, application: Iri) -> str:
    """What of a dossier has not gone yet, in words; empty when everything has."""
    left = dossier_of(vault, application)
    parts = [t("vos réponses")] if left.answers else []
    return ", ".join([*parts, *(label for label, _ in left.pieces)])


def draft_of(
    vault: OpenVault, aid: Aid, *, period: tuple[date, date] | None = None
) -> Application | None:
    """The application that was begun for an aid and not sent: the one of that period, else one the
    citizen began. A draft that the home left for another period is another application."""
    found = [
        record
        for record in vault.records(Kind.APPLICATION, limit=200).records
        if isinstance(record, Application)
        and record.state is ApplicationState.DRAFT
        and record.aid == aid.id
    ]
    same = [record for record in found if (record.period_from, record.period_until) == period]
    begun = [record for record in found if READY not in record.extra]
    return next(iter([*same, *begun]), None)


def keep_draft(
    vault: OpenVault,
    aid: Aid,
    before: Application | None,
    application: Iri,
    *,
    period: tuple[date, date],
) -> None:
    """Keep what was begun, so that leaving the consent page loses nothing. Nothing was sent."""
    if before is not None and (before.period_from, before.period_until) == period:
        return
    fresh = Application(
        id=application,
        aid=aid.id,
        funder=aid.funder,
        state=ApplicationState.DRAFT,
        period_from=period[0],
        period_until=period[1],
        extra={"aidTitle": aid.titles["fr"], "funderName": aid.funder_name},
    )
    vault.put(fresh if before is None else replace(fresh, revision=before.revision))


def consent_page(page: Page, disclosure: Disclosure, *, tells: bool = False) -> HTMLResponse:
    """The consent in two columns. `tells`: who asked is told when nothing is sent."""
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
    weaker = weaker_because(t, disclosure.methods)
    if weaker:
        facts.insert(4, (t("Pourquoi pas une méthode plus forte"), " ".join(weaker)))
    stays = kept_rows(t, disclosure.stays)
    profile = PROFILES.get((disclosure.request.get("profile") or {}).get("id", ""))
    if profile is not None:
        facts[2] = (t("Pourquoi"), text_of(t, profile.purpose))
        facts.insert(2, (t("Service"), text_of(t, profile.title)))
        stays = [{"title": text_of(t, words), "text": ""} for words in profile.stays] + stays
    return page.show(
        "consent.html",
        intro=t(
            "{name} demande à lire ceci. Rien n'est encore parti.", name=disclosure.recipient_name
        ),
        leaves=claim_rows(t, disclosure.leaves),
        stays=stays,
        facts=[fact for fact in facts if fact[1]],
        disclosure_id=disclosure.id,
        tells=tells,
        request_token=disclosure.id,
        recipient=disclosure.recipient_name,
        is_application=disclosure.application is not None,
    )


def claim_rows(t: Translator, claims: tuple[ClaimShown, ...]) -> list[dict[str, str]]:
    """« 41 jours éligibles », in words; what only machines read is named in one last row."""
    rows, technical = [], []
    metrics = [claim.value for claim in claims if claim.path == "UsageProof.metric"]
    measured = metrics[0] if metrics and metrics[0] in ("distance", "co2e") else None
    for claim in claims:
        if claim.path.startswith(("Declaration.", "Piece.")):  # in words already
            group, _, title = claim.path.partition(".")
            text = t("pièce jointe : {name}", name=claim.value) if group == "Piece" else claim.value
            rows.append({"title": title, "text": str(text)})
            continue
        stated = fact_title(t, claim.path)
        if stated is not None:
            said = fact_value(t, claim.path, str(claim.value))
            rows.append({"title": f"{stated} : {said}", "text": ""})
            continue
        name = claim.path.rsplit(".", 1)[-1]
        if name in TECHNICAL:
            technical.append(t(CLAIMS[name]) if name in CLAIMS else name)
            continue
        title = t(CLAIMS[name]) if name in CLAIMS else name
        unit = measured if measured and name in ("atLeast", "below") else name
        rows.append({"title": f"{title} : {claim_value(t, unit, claim.value)}", "text": ""})
    return rows + technical_row(t, technical)


def left_rows(t: Translator, paths: Iterable[str]) -> list[dict[str, str]]:
    """The claims of a consent by their names, each once."""
    rows, technical = list[str](), list[str]()
    for path in paths:
        name = path.rsplit(".", 1)[-1]
        stated = fact_title(t, path)
        if stated is not None:
            rows.append(stated)
        elif name in TECHNICAL:
            technical.append(t(CLAIMS.get(name, name)))
        else:
            rows.append(t(CLAIMS.get(name, name)))
    shown = [{"title": title, "text": ""} for title in dict.fromkeys(rows)]
    return shown + technical_row(t, list(dict.fromkeys(technical)))


def technical_row(t: Translator, names: list[str]) -> list[dict[str, str]]:
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
    if name in ("weakestEvidence", "evidence"):
        return t(EVIDENCE.get(text, text))
    if name == "assuranceMethod":
        return t(ASSURANCE.get(text, text))
    if name == "mode":
        return t(MODES.get(text, text))
    if name == "metric" and text in METRICS:
        return t(METRICS[text])
    if name in ("distance", "distanceAtLeast") and text.isdigit():
        return t.distance(int(text))
    if name in ("co2e", "co2eAlone") and text.isdigit():
        return t.co2(int(text))
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
        wait_handed_over(vault, consent.id)
        return page.go(f"/partages/{short(consent.id)}/retour")
    wait_delivery(vault, consent.application)
    watch(vault)
    if dossier_of(vault, consent.application):
        with suppress(HubClientError, ShareRefusedError):  # what is left waits on the next page
            send_dossier(vault, consent.application)
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


def wait_handed_over(vault: OpenVault, consent: Iri) -> None:
    """As `wait_delivery`, for an answer to a verifier that is not a funder of the hub."""
    until = time.monotonic() + DELIVERY_S
    while time.monotonic() < until:
        if delivery_of(vault.home, vault.vault_id, consent) is not None:
            return
        time.sleep(0.15)


def aid_titles(t: Translator) -> Callable[[Application], str]:
    def title(application: Application) -> str:
        given = application.extra.get("aidTitle")
        return text_of(t, given) if given else str(application.aid)

    return title


@router.post("/demandes/actualiser")
def refresh_now(
    page: CheckedDep, vault: VaultDep, demande: Annotated[str, Form()]
) -> RedirectResponse:
    """Ask the hub again."""
    refresh(vault, demande)
    return page.go(f"/demandes/{demande}")


@router.get("/demandes/{uuid_text}")
def one_application(
    page: PageDep, context: ContextDep, vault: VaultDep, uuid_text: str
) -> HTMLResponse:
    """One application: decision, reasons, checks, remedies, history."""
    t = page.t
    record = vault.get(iri(uuid_text))
    if not isinstance(record, Application):
        raise RecordUnknownError(iri(uuid_text))
    reachable = True
    if record.state.value in REFRESHED:
        reachable = refresh(vault, uuid_text)
        again = vault.get(record.id)
        record = again if isinstance(again, Application) else record
    record = look(vault, record)
    state = shown_state(record)
    label, kind = STATES.get(state, (state, ""))
    answer = record.extra.get("hubView", {})
    view: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {}
    headline = HEADLINES.get(state, N_("Votre demande est en cours"))
    return page.show(
        "application.html",
        application={
            "id": short(record.id),
            "title": aid_titles(t)(record),
            "funder": str(record.extra.get("funderName") or record.funder),
            "period": t(
                "du {since} au {until}",
                since=t.day(record.period_from, "long"),
                until=t.day(record.period_until, "long"),
            ),
            "state": t(label),
            "kind": kind,
            "headline": t(headline),
            "amount": t.amount(record.amount or ready_estimate(record) or Cents(0))
            if record.amount or ready_estimate(record)
            else "",
            "reasons": [text_of(t, r) for r in view.get("reasons", ())]
            or [*record.reasons, *_why_ready(t, record)],
            "message": str(view.get("message", "")),
            "mention": text_of(t, view.get("mention")),
            "remedies": text_of(t, view.get("remedies")),
            "draft": _draft_of_page(context, vault, record)
            if state in ("draft", "ready")
            else None,
            "can_answer": state == "needs-information",
            "can_withdraw": state in WITHDRAWABLE and record.submitted_at is not None,
            "can_appeal": state == "refused" and bool(view),
            "letter": f"/demandes/{short(record.id)}/lettre" if state in DECIDED and view else "",
            "evidence": f"/demandes/{short(record.id)}/preuve"
            if state in DECIDED and view.get("register", "none") != "none"
            else "",
            "register": register_words(t, str(view.get("register", "none"))),
            "right": _right_of(vault, record.id),
            "proof": "/attestation"
            if state in ("accepted", "awarded", "to-review", "submitted")
            else "",
        },
        left=waiting_of(t, vault, record.id),
        attach=_attachable(t, context, vault, record) if state in WITHDRAWABLE and view else None,
        receipt=_receipt(t, view.get("receipt")),
        audit=_audit_of(t, view),
        unreachable="" if reachable else t("Le hub ne répond pas : voici le dernier état connu."),
        delivery=_delivery(t, delivery_of(context.home, vault.vault_id, record.id)),
        check_items=check_rows(t, view.get("checks", ())),
        declared=declared_rows(t, view.get("declared", ())),
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


def _right_of(vault: OpenVault, application: Iri) -> str:
    """Where the right to drive that a derogation left is shown; empty when it left none."""
    for credential in vault.credentials("ZoneAccessCredential"):
        if credential.document["credentialSubject"].get("application") == application:
            return f"/coffre/circuler/{short(credential.id)}"
    return ""


def _delivery(t: Translator, delivery: Delivery | None) -> dict[str, str] | None:
    """What to say of a package that did not arrive; None when it did, or was just sent."""
    if delivery is None or delivery.state == "delivered":
        return None
    if delivery.state == "delayed":
        return {
            "title": t("Votre demande n'est pas encore arrivée"),
            "text": t(
                "Le guichet ne répond pas, ou pas comme prévu. L'envoi est réessayé tout seul,"
                " coffre fermé aussi ; personne ne vous a rien refusé."
            ),
            "kind": "warn",
        }
    code = delivery.error_code or ""
    if code == OUTAGE:
        return {
            "title": t("Votre demande est arrivée trop tard"),
            "text": t(
                "Le guichet est resté injoignable plus longtemps que la durée d'une demande."
                " Refaites-la depuis la page de l'aide : ce n'est pas un refus."
            ),
            "kind": "warn",
        }
    return {
        "title": t("Votre demande n'a pas été prise"),
        "text": t(CODES[code]) if code in CODES else code,
        "kind": "bad",
    }


WITHDRAWABLE: Final = frozenset(
    {"submitted", "to-review", "needs-information", "completed", "appealed"}
)
REFRESHED: Final = WITHDRAWABLE | {"accepted", "awarded"}
"""States in which the hub may have news."""


def _receipt(t: Translator, receipt: object) -> list[str]:
    """The acknowledgement of receipt, in sentences; empty before the hub answered."""
    if not isinstance(receipt, Mapping):
        return []
    service, contact = str(receipt["service"]), str(receipt["contact"])
    lines = [
        t("Votre demande a été reçue le {moment}.", moment=t.moment(str(receipt["receivedAt"]))),
        t("Service chargé du dossier : {service} ({contact}).", service=service, contact=contact)
        if contact
        else t("Service chargé du dossier : {service}.", service=service),
    ]
    if receipt["stoppedAt"]:
        lines.append(
            t(
                "Le délai est suspendu depuis le {moment}, jusqu'à votre réponse.",
                moment=t.moment(str(receipt["stoppedAt"])),
            )
        )
    else:
        lines.append(
            t("Réponse attendue avant le {day}.", day=t.day(str(receipt["dueAt"]), "long"))
        )
    lines.append(text_of(t, receipt["silence"]))
    return lines


def _draft_of_page(
    context: HomeContext, vault: OpenVault, record: Application
) -> dict[str, str] | None:
    """Where a draft is taken up again; None when its aid is gone."""
    try:
        aid = current_catalogue(context.catalogue, of=vault).aid(str(record.aid))
    except (UnknownAidError, HubUnreachableError):
        return None
    return {
        "action": f"/aides/{aid.slug}/demander",
        "du": record.period_from.isoformat(),
        "au": record.period_until.isoformat(),
    }


@router.post("/demandes/oublier")
def forget_draft(
    page: CheckedDep, vault: VaultDep, demande: Annotated[str, Form(max_length=60)] = ""
) -> RedirectResponse:
    """Drop a draft. What was sent is not one."""
    record = vault.get(iri(demande))
    if not isinstance(record, Application) or record.state is not ApplicationState.DRAFT:
        raise RecordUnknownError(iri(demande))
    vault.put(replace(record, state=ApplicationState.WITHDRAWN))
    return page.go("/partages", notice=page.t("Le brouillon est oublié. Rien n'était parti."))


def _attachable(
    t: Translator, context: HomeContext, vault: OpenVault, record: Application
) -> dict[str, Any]:
    """What the funder asks for, and the kept files that could answer."""
    labels: list[str] = []
    try:
        asked = (
            current_catalogue(context.catalogue, of=vault)
            .aid(str(record.aid))
            .extra.get("documents")
        )
        labels = [str(x) for x in asked] if isinstance(asked, list) else []
    except (UnknownAidError, HubUnreachableError):
        pass  # without the catalogue nothing is known to be asked
    return {
        "labels": [(x, x) for x in [*labels, t("Autre document")]],
        "asked": labels,
        "files": [
            (short(d.id), d.title)
            for d in vault.all(Kind.DOCUMENT)
            if isinstance(d, Document) and d.size <= MAX_ATTACHED
        ],
    }


@router.post("/demandes/joindre")
def attach(
    page: CheckedDep,
    vault: VaultDep,
    demande: Annotated[str, Form(max_length=60)] = "",
    fichier: Annotated[str, Form(max_length=60)] = "",
    piece: Annotated[str, Form(max_length=80)] = "",
) -> RedirectResponse:
    """Seal a kept file to the funder's key and join it."""
    t, to = page.t, f"/demandes/{demande}"
    try:
        attach_document(vault, iri(demande), iri(fichier), label=piece)
    except FunderKeyExpiredError:
        return page.go(
            to,
            notice=t(
                "La clé du financeur a expiré : il doit en publier une autre. Rien n'est parti."
            ),
            kind="warn",
        )
    except HubRefusedError as error:
        words = {
            "key-unknown": t(
                "Ce financeur n'a pas encore de clé pour recevoir des documents. Rien n'est parti."
            ),
            "document-refused": t(
                "Le guichet ne prend plus de document pour cette demande. Rien n'est parti."
            ),
        }
        if error.hub_code not in words:
            raise
        return page.go(to, notice=words[error.hub_code], kind="warn")
    return page.go(to, notice=t("Document joint. Seul le financeur peut l'ouvrir."))


@router.post("/demandes/repondre")
def answer(
    page: CheckedDep,
    vault: VaultDep,
    demande: Annotated[str, Form(max_length=60)] = "",
    reponse: Annotated[str, Form(max_length=4000)] = "",
) -> RedirectResponse:
    """Answer what the funder asks."""
    if not reponse.strip():
        return page.go(f"/demandes/{demande}", notice=page.t("Écrivez votre réponse."), kind="warn")
    answer_application(vault, iri(demande), reponse.strip())
    return page.go(
        f"/demandes/{demande}", notice=page.t("Votre réponse est partie. Le délai reprend.")
    )


@router.post("/demandes/contester")
def appeal(
    page: CheckedDep,
    vault: VaultDep,
    demande: Annotated[str, Form(max_length=60)] = "",
    raison: Annotated[str, Form(max_length=4000)] = "",
) -> RedirectResponse:
    """Contest a refusal."""
    if not raison.strip():
        return page.go(
            f"/demandes/{demande}", notice=page.t("Dites pourquoi vous contestez."), kind="warn"
        )
    appeal_application(vault, iri(demande), raison.strip())
    return page.go(
        f"/demandes/{demande}",
        notice=page.t("Votre recours est parti : une personne va réexaminer la demande."),
    )


@router.post("/demandes/retirer")
def withdraw_one(
    page: CheckedDep, vault: VaultDep, demande: Annotated[str, Form(max_length=60)] = ""
) -> RedirectResponse:
    """Withdraw an application before its decision."""
    withdraw_application(vault, iri(demande))
    return page.go(f"/demandes/{demande}", notice=page.t("Votre demande est retirée."))


@router.get("/demandes/{uuid_text}/preuve")
def evidence(vault: VaultDep, uuid_text: str) -> Response:
    """What shows the decision to a third party."""
    return zip_answer(evidence_of(vault, iri(uuid_text)), uuid_text)


@router.get("/demandes/{uuid_text}/lettre")
def letter(page: PageDep, context: ContextDep, vault: VaultDep, uuid_text: str) -> Response:
    """The decision as a letter, made here from what the funder said."""
    t = page.t
    record = vault.get(iri(uuid_text))
    if not isinstance(record, Application):
        raise RecordUnknownError(iri(uuid_text))
    view = record.extra.get("hubView")
    step = next((h for h in reversed(record.history) if h.state in ("accepted", "refused")), None)
    if not isinstance(view, Mapping) or step is None:
        raise RecordUnknownError(iri(uuid_text))
    try:
        legal = [
            f"{x.title} : {x.reference}"
            for x in current_catalogue(context.catalogue, of=vault).aid(str(record.aid)).legal_basis
        ]
    except (UnknownAidError, HubUnreachableError):
        legal = []
    receipt = view.get("receipt")
    receipt = receipt if isinstance(receipt, Mapping) else {}
    by_rule = step.actor in ("rule", "hub")
    reasons = [step.reason] if step.reason and not by_rule else []
    pdf = render_letter(
        Letter(
            funder=str(record.extra.get("funderName") or record.funder),
            service=str(receipt.get("service", "")),
            contact=str(receipt.get("contact", "")),
            aid=aid_titles(t)(record),
            reference=short(record.id)[:8],
            employee="",
            accepted=step.state == "accepted",
            amount=record.amount,
            period=(record.period_from, record.period_until),
            decided_at=step.at,
            decided_by="" if by_rule else step.actor,
            reasons=[*reasons, *(text_of(t, r) for r in view.get("reasons", ()))],
            legal=legal,
            calculation=[
                line
                for part in explanation_rows(t, view.get("explanation", {}))
                for line in part["lines"]
            ][:40],
            remedies=text_of(t, view.get("remedies")),
            mention=text_of(t, view.get("mention")),
            sandbox=context.settings.sandbox,
        ),
        t,
    )
    headers = {
        "content-disposition": f'attachment; filename="decision-{short(record.id)[:8]}.pdf"',
        "cache-control": "no-store",
    }
    return Response(pdf, media_type="application/pdf", headers=headers)


def _audit_of(t: Translator, view: Mapping[str, Any]) -> dict[str, Any] | None:
    found = view.get("audit")
    if not isinstance(found, Mapping):
        return None
    return audit_card(t, found["state"], found["asked_at"], found["leaves"], found["checks"])


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
    aid = attestation_aid(current_catalogue(context.catalogue, of=vault))
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
