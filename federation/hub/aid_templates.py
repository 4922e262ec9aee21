"""Aids that a funder publishes from a template: a rule of its own, filled with its figures.

A template gives the texts, the proof, the bindings and the examples; the funder gives amounts and
terms. Figures become a small rule model (`aide-<slug>`), so the computation that decides is the one
that vaults fetch and explain. Every example is computed by the rule before anything is published.
Pure: no clock, no database.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any, Final

from federation.aids.access import MOST_MONTHS
from federation.aids.cool_down import COOL_DOWN, MAX_COOL_DOWN
from federation.aids.declaration import MEMBER, Declaration
from federation.aids.model import (
    Aid,
    AidStatus,
    CheckMode,
    Example,
    FactBinding,
    FunderLevel,
    IdentityLevel,
    LegalText,
    PaymentMode,
    ProofTemplate,
    RuleRef,
    Territory,
    Text,
)
from federation.aids.national import (
    FMD_MODES,
    FMD_RULE,
    FMD_RULE_VERSION,
    mobility_allowance,
    pass_refund,
)
from federation.aids.prior_aid import can_ask_no_prior_aid, with_no_prior_aid
from federation.aids.vehicle_questions import VEHICLE_THEME
from federation.hub.errors import EntryRefusedError
from federation.hub.model import Funder
from federation.hub.vehicle_templates import (
    CONVERSION_DOCUMENTS,
    DEROGATION_DOCUMENTS,
    Written,
    conversion,
    derogation,
)
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import Iri

__all__ = [
    "FIELDS",
    "AidTemplate",
    "Choices",
    "TemplatedAid",
    "build_aid",
    "may_accept",
    "model_name",
    "new_aid",
    "templates_for",
]

RuleModel = tuple[str, Mapping[str, Any]]


class AidTemplate(StrEnum):
    """What a funder can start from."""

    FMD_PUBLIC = "fmd-public"
    FMD_PRIVATE = "fmd-prive"
    PASS_PUBLIC = "abonnement-public"  # noqa: S105 - a transport pass
    PASS_PRIVATE = "abonnement-prive"  # noqa: S105 - a transport pass
    EBIKE = "velo-electrique"
    PURCHASE = "achat-velo"
    """On an invoice of any seller, with documents and a sworn statement."""
    CONVERSION = "conversion"
    """A clean vehicle for an old one that is scrapped."""
    DEROGATION = "derogation"
    """A way into a low-emission zone, with its last day."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the funder fills in. Amounts in cents; a field its template does not use stays None."""

    title: str = ""
    """The aid's own name; empty: the template's."""
    per_day: int | None = None
    minimum_days: int | None = None
    ceiling: int | None = None
    """A year for the allowance, a month for a pass, once for a bicycle."""
    share: int | None = None
    """Percent of the price."""
    modest_ceiling: int | None = None
    """The ceiling for an income per part at or below `modest_income`."""
    modest_income: int | None = None
    """Reference income per part, a year."""
    zone: str = ""
    """Code of the territory whose zone the derogation opens (SIREN, INSEE, or `any`)."""
    zone_name: str = ""
    months: int | None = None
    """How long a derogation lasts."""
    decision_days: int = 60
    ends_on: date | None = None
    automatic: bool = True
    """The rule alone may accept; a person decides everything else."""
    documents: tuple[str, ...] = ()
    """Documents asked for, in words (« RIB », « Facture acquittée »)."""
    budget: int | None = None
    """Envelope in cents; None: no limit."""
    cool_down: int | None = None
    """Months after the period in which nobody has an aid of the family again; None: none."""
    no_prior: bool = False
    """Each application brings the hub's signed word that nobody holds the person's nullifier."""


@dataclass(frozen=True, slots=True)
class TemplatedAid:
    """An aid ready to publish, with the rule models it needs beside the national one."""

    aid: Aid
    models: Mapping[str, RuleModel]


FIELDS: Final[Mapping[AidTemplate, frozenset[str]]] = {
    AidTemplate.FMD_PUBLIC: frozenset(),
    AidTemplate.FMD_PRIVATE: frozenset({"per_day", "minimum_days", "ceiling"}),
    AidTemplate.PASS_PUBLIC: frozenset(),
    AidTemplate.PASS_PRIVATE: frozenset({"share", "ceiling"}),
    AidTemplate.EBIKE: frozenset({"share", "ceiling"}),
    AidTemplate.PURCHASE: frozenset({"share", "ceiling", "modest_ceiling", "modest_income"}),
    AidTemplate.CONVERSION: frozenset({"share", "ceiling"}),
    AidTemplate.DEROGATION: frozenset({"months"}),
}
"""Figures that each template needs."""
MAY_HAVE: Final[Mapping[AidTemplate, frozenset[str]]] = {
    AidTemplate.CONVERSION: frozenset({"modest_ceiling", "modest_income"}),
}
"""Figures that go together or not at all."""

BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "per_day": (1, 100_00),
    "minimum_days": (1, 366),
    "ceiling": (1_00, 100_000_00),
    "share": (1, 100),
    "modest_ceiling": (1_00, 100_000_00),
    "modest_income": (1_000_00, 1_000_000_00),
    "months": (1, MOST_MONTHS),
    "decision_days": (1, 366),
    "budget": (1_00, 1_000_000_000_00),
    "cool_down": (1, MAX_COOL_DOWN),
}
MAX_DOCUMENTS: Final = 5
PURCHASE_DOCUMENTS: Final = ("Facture acquittée", "Justificatif de domicile", "RIB")
"""What a purchase is shown by, unless the funder names its own documents."""
BY_A_PERSON: Final[Mapping[AidTemplate, tuple[str, ...]]] = {
    AidTemplate.PURCHASE: PURCHASE_DOCUMENTS,
    AidTemplate.CONVERSION: CONVERSION_DOCUMENTS,
    AidTemplate.DEROGATION: DEROGATION_DOCUMENTS,
}
"""Templates on one's honour, decided by a person on documents: these, unless the funder names its
own."""

_PRIVATE_REMEDIES: Final[Text] = {
    "fr": "Vous pouvez contester cette décision auprès du service qui l'a prise ou de votre comité "
    "social et économique, puis devant le conseil de prud'hommes (code du travail, articles "
    "L. 1411-1 et L. 3245-1 : trois ans pour une somme due).",
    "en": "You may contest this decision with the service that took it or your works council, then "
    "before the employment tribunal (French labour code, articles L. 1411-1 and L. 3245-1: three "
    "years for a sum owed).",
}
_PUBLIC_REMEDIES: Final[Text] = {
    "fr": "Vous pouvez contester cette décision dans les deux mois qui suivent sa notification : "
    "par un recours gracieux auprès de l'autorité qui l'a prise, ou par un recours contentieux "
    "devant le tribunal administratif (www.telerecours.fr).",
    "en": "You may contest this decision within two months of its notification: by an informal "
    "appeal to the authority that took it, or before the administrative court "
    "(www.telerecours.fr).",
}
_PRIVATE_SILENCE: Final[Text] = {
    "fr": "Le silence gardé au-delà de ce délai ne vaut ni accord ni refus : relancez le service.",
    "en": "Silence beyond this time limit is neither consent nor refusal: remind the service.",
}
_PUBLIC_SILENCE: Final[Text] = {
    "fr": "Le silence gardé pendant deux mois vaut décision de rejet, que vous pouvez contester "
    "(CRPA, articles L. 231-1 et L. 231-4).",
    "en": "Silence for two months is a decision of refusal, which you may contest "
    "(CRPA, articles L. 231-1 and L. 231-4).",
}
_DAYS: Final[dict[str, Any]] = {
    "titre": "Jours éligibles",
    "titre en": "Eligible days",
    "type": "nombre",
    "unité": "jour",
    "question": "Combien de jours, dans la période demandée, êtes-vous allé travailler avec un "
    "mode admis par la règle ?",
    "question en": "On how many days of the period asked for did you travel to work by a mode the "
    "rule accepts?",
}


def build_aid(
    template: AidTemplate, choices: Choices, *, funder: Funder, slug: str, version: str, at: date
) -> TemplatedAid:
    """The aid of `template` with the funder's figures.

    Raises:
        EntryRefusedError: a figure is missing or out of bounds; `where` names the field.
    """
    _check(template, choices, at)
    if template not in templates_for(funder):
        raise EntryRefusedError("for employers only", where="template")
    choices = replace(choices, automatic=choices.automatic and may_accept(template, funder))
    if template in BY_A_PERSON:
        choices = replace(
            choices, automatic=False, documents=choices.documents or BY_A_PERSON[template]
        )
    match template:
        case AidTemplate.FMD_PUBLIC:
            aid = mobility_allowance(funder.did, funder.name, slug=slug)
            models: Mapping[str, RuleModel] = {}
        case AidTemplate.PASS_PUBLIC:
            aid = pass_refund(funder.did, funder.name, slug=slug)
            models = {}
        case AidTemplate.FMD_PRIVATE:
            aid, models = _allowance(choices, funder, slug, version, at)
        case AidTemplate.PASS_PRIVATE:
            aid, models = _refund(choices, funder, slug, version, at)
        case AidTemplate.EBIKE:
            aid, models = _bicycle(choices, funder, slug, version, at)
        case AidTemplate.PURCHASE:
            aid, models = bicycle_purchase(choices, funder, slug, version, at)
        case AidTemplate.CONVERSION:
            written = conversion(
                share=choices.share or 0,
                ceiling=choices.ceiling or 0,
                modest_ceiling=choices.modest_ceiling,
                modest_income=choices.modest_income,
            )
            aid, models = _written(written, funder, slug, version, at)
        case AidTemplate.DEROGATION:
            written = derogation(
                zone=choices.zone, zone_name=choices.zone_name, months=choices.months or 0
            )
            aid, models = _written(written, funder, slug, version, at)
            if choices.zone != "any":
                level = FunderLevel.EPCI if len(choices.zone) == 9 else FunderLevel.COMMUNE
                aid = replace(aid, territories=(Territory(level, choices.zone),))
    if choices.cool_down is not None and not aid.family:
        raise EntryRefusedError("nobody is known again in this aid", where="cool_down")
    if choices.no_prior and not can_ask_no_prior_aid(aid):
        raise EntryRefusedError("nobody is known again in this aid", where="no_prior")
    aid = with_no_prior_aid(aid, choices.no_prior)
    titles = {"fr": choices.title, "en": choices.title} if choices.title else aid.titles
    aid = replace(
        aid,
        titles=titles,
        status=AidStatus.PUBLISHED,
        # Its own staff list is the one issuer: two would make two people of one.
        family_issuer=funder.did if aid.family and _is_employer(funder) else None,
        decision_time_days=choices.decision_days,
        ends_on=choices.ends_on,
        check_mode=CheckMode.AUTOMATIC if choices.automatic else CheckMode.MANUAL,
        pieces=(*aid.pieces, *({"fr": name, "en": name} for name in choices.documents)),
        extra={
            **aid.extra,
            "template": template.value,
            "documents": list(choices.documents),
            **({} if choices.budget is None else {"budgetCents": choices.budget}),
            **({} if choices.cool_down is None else {COOL_DOWN: choices.cool_down}),
        },
    )
    return TemplatedAid(aid, models)


_ON_WORD: Final = frozenset({AidTemplate.PURCHASE, AidTemplate.CONVERSION, AidTemplate.DEROGATION})
"""Templates that ask for answers on one's honour."""


def may_accept(template: AidTemplate, funder: Funder) -> bool:
    """Whether the rule may accept by itself: not without an affiliation, which is what duplicates
    are found by, and not on somebody's word."""
    return _is_employer(funder) and template not in _ON_WORD


def templates_for(funder: Funder) -> tuple[AidTemplate, ...]:
    """What this funder can start from: the aids of an employer are for employers."""
    if _is_employer(funder):
        return tuple(item for item in AidTemplate if item is not AidTemplate.DEROGATION)
    return (
        AidTemplate.PURCHASE,
        AidTemplate.EBIKE,
        AidTemplate.CONVERSION,
        AidTemplate.DEROGATION,
    )


def _written(
    written: Written, funder: Funder, slug: str, version: str, at: date
) -> tuple[Aid, Mapping[str, RuleModel]]:
    """An aid of a funder from what its template wrote."""
    aid = new_aid(
        funder,
        slug,
        version,
        at,
        titles=written.titles,
        summaries=written.summaries,
        rule=written.rule,
        themes=(VEHICLE_THEME,),
        proof=None,
        credentials=("IdentityCredential",),
        bindings=(),
        family="",
        legal=(),
        examples=written.examples,
        not_proven=written.not_proven,
    )
    aid = replace(
        aid,
        identity_level=IdentityLevel.DOCUMENT,
        payment=PaymentMode.TRANSFER,
        extra=dict(written.extra),
    )
    return aid, {model_name(slug): (version, written.rules)}


def _is_employer(funder: Funder) -> bool:
    return funder.level == FunderLevel.EMPLOYER.value


def _check(template: AidTemplate, choices: Choices, at: date) -> None:
    needed = FIELDS[template]
    more = MAY_HAVE.get(template, frozenset())
    if any(getattr(choices, name) is not None for name in more):
        needed |= more
    for name in (
        "per_day", "minimum_days", "ceiling", "share", "modest_ceiling", "modest_income", "months",
    ):  # fmt: skip
        if (name in needed) != (getattr(choices, name) is not None):
            raise EntryRefusedError("this template needs exactly its own figures", where=name)
    for name, (low, high) in BOUNDS.items():
        value = getattr(choices, name)
        if value is not None and not low <= value <= high:
            raise EntryRefusedError(f"between {low} and {high}", where=name)
    if template is AidTemplate.DEROGATION:
        if not re.fullmatch(r"any|[0-9]{9}|[0-9][0-9AB][0-9]{3}", choices.zone):
            raise EntryRefusedError("a SIREN, an INSEE code or any", where="zone")
        if not 1 <= len(choices.zone_name) <= 80 or any(ord(c) < 32 for c in choices.zone_name):
            raise EntryRefusedError("80 characters at most", where="zone_name")
    if len(choices.title) > 120 or any(ord(c) < 32 for c in choices.title):
        raise EntryRefusedError("120 characters at most", where="title")
    if choices.ends_on is not None and choices.ends_on < at:
        raise EntryRefusedError("in the past", where="ends_on")
    if len(choices.documents) > MAX_DOCUMENTS or any(
        not 1 <= len(name) <= 80 for name in choices.documents
    ):
        raise EntryRefusedError("five documents of 80 characters at most", where="documents")


def _euros(cents: int, unit: str) -> str:
    return f"{cents // 100}.{cents % 100:02d} {unit}"


def new_aid(
    funder: Funder,
    slug: str,
    version: str,
    at: date,
    *,
    titles: Text,
    summaries: Text,
    rule: str,
    themes: tuple[str, ...],
    proof: ProofTemplate | None,
    credentials: tuple[str, ...],
    bindings: tuple[FactBinding, ...],
    family: str,
    legal: tuple[LegalText, ...],
    examples: tuple[Example, ...],
    not_proven: tuple[Text, ...],
) -> Aid:
    """An aid of a funder's own, with what every one of them says."""
    is_employer = _is_employer(funder)
    return Aid(
        id=Iri(f"{funder.did}#aide-{slug}"),
        slug=slug,
        version=version,
        status=AidStatus.PUBLISHED,
        titles=titles,
        summaries=summaries,
        funder=funder.did,
        funder_name=funder.name,
        funder_level=FunderLevel(funder.level),
        territories=(),
        themes=themes,
        rule=RuleRef(model_name(slug), rule, version),
        proof=proof,
        credentials_required=credentials,
        bindings=bindings,
        family=family,
        family_version=1,
        family_issuer=None,
        identity_level=IdentityLevel.EMPLOYER,
        stacking=(),
        remedies=_PRIVATE_REMEDIES if is_employer else _PUBLIC_REMEDIES,
        decision_time_days=60,
        silence_means=_PRIVATE_SILENCE if is_employer else _PUBLIC_SILENCE,
        legal_basis=legal,
        parameters=(),
        examples=examples,
        source=f"Règle publiée par {funder.name}",
        source_licence="Licence Ouverte 2.0",
        last_verified=at,
        next_review=None,
        check_mode=CheckMode.AUTOMATIC,
        payment=PaymentMode.PAYROLL if is_employer else PaymentMode.TRANSFER,
        not_proven=not_proven,
    )


def model_name(slug: str) -> str:
    """Name of the rule model of one templated aid (a column of 63 characters)."""
    return f"aide-{slug}"[:63]


def _allowance(
    choices: Choices, funder: Funder, slug: str, version: str, at: date
) -> tuple[Aid, Mapping[str, RuleModel]]:
    per_day, least = choices.per_day or 0, choices.minimum_days or 0
    ceiling = choices.ceiling or 0
    rules: dict[str, Any] = {
        "trajets": {},
        "trajets . jours éligibles": _DAYS,
        "montant par jour": {
            "titre": "Montant par jour éligible",
            "titre en": "Amount per eligible day",
            "valeur": _euros(per_day, "€/jour"),
        },
        "nombre de jours minimum": {
            "titre": "Nombre de jours minimum",
            "titre en": "Minimum number of days",
            "valeur": f"{least} jour",
        },
        "plafond annuel": {
            "titre": "Plafond annuel fixé par l'employeur",
            "titre en": "Yearly ceiling set by the employer",
            "valeur": _euros(ceiling, "€"),
        },
        "forfait mobilités durables": {
            "titre": "Forfait mobilités durables",
            "titre en": "Sustainable mobility allowance",
            "applicable si": "trajets . jours éligibles >= nombre de jours minimum",
            "valeur": "trajets . jours éligibles * montant par jour",
            "plafond": "plafond annuel",
        },
    }

    def paid(days: int) -> int | None:
        return min(days * per_day, ceiling) if days >= least else None

    tried = sorted({0, least - 1, least, least + 10, 220, 366} - {-1})
    aid = new_aid(
        funder,
        slug,
        version,
        at,
        titles={"fr": "Forfait mobilités durables", "en": "Sustainable mobility allowance"},
        summaries={
            "fr": "Une indemnité par jour de trajet domicile – travail à vélo, en covoiturage, en "
            "engin de déplacement personnel motorisé ou en mobilité partagée.",
            "en": "An allowance for each day of travel between home and work by bicycle, carpool, "
            "light electric vehicle or shared mobility.",
        },
        rule="forfait mobilités durables",
        themes=("velo", "covoiturage", "trajet-domicile-travail"),
        proof=ProofTemplate(
            metric="eligible-days",
            rule=FMD_RULE,
            rule_version=FMD_RULE_VERSION,
            modes=FMD_MODES,
            minimum_evidence=Evidence.SENSED,
            minimum_assurance=AssuranceMethod.VAULT_ATTESTED,
        ),
        credentials=("AffiliationCredential",),
        bindings=(FactBinding("trajets . jours éligibles", "UsageProof.days", unit="jour"),),
        family=f"fmd-{funder.slug}",
        legal=(
            LegalText(
                "Forfait mobilités durables des salariés",
                "code du travail, articles L. 3261-3-1 et R. 3261-13-1",
                "https://www.legifrance.gouv.fr/",
                date(2020, 5, 9),
            ),
        ),
        examples=tuple(
            Example(f"{days} jours", {"trajets . jours éligibles": days}, paid(days))
            for days in tried
        ),
        not_proven=(
            {
                "fr": "L'accord d'entreprise ou la décision de l'employeur qui a instauré le "
                "forfait.",
                "en": "The company agreement or employer's decision that set the allowance up.",
            },
            {
                "fr": "Le respect du plafond d'exonération de l'année, s'il y en a d'autres : à "
                "vérifier par la paie.",
                "en": "The year's exemption ceiling, when there are other sums: for payroll to "
                "verify.",
            },
        ),
    )
    return aid, {model_name(slug): (version, rules)}


def _refund(
    choices: Choices, funder: Funder, slug: str, version: str, at: date
) -> tuple[Aid, Mapping[str, RuleModel]]:
    share, ceiling = choices.share or 0, choices.ceiling or 0
    rules: dict[str, Any] = {
        "abonnement": {},
        "abonnement . prix mensuel": {
            "titre": "Prix mensuel de l'abonnement",
            "titre en": "Monthly price of the pass",
            "type": "nombre",
            "unité": "€/mois",
            "question": "Combien coûte votre abonnement de transport, par mois ?",
            "question en": "How much does your transport pass cost a month?",
        },
        "abonnement . mois": {
            "titre": "Mois d'abonnement demandés",
            "titre en": "Months of the pass claimed",
            "type": "nombre",
            "unité": "mois",
            "question": "Pour combien de mois demandez-vous le remboursement ?",
            "question en": "For how many months do you claim the refund?",
        },
        "plafond mensuel": {
            "titre": "Plafond mensuel fixé par l'employeur",
            "titre en": "Monthly ceiling set by the employer",
            "valeur": _euros(ceiling, "€/mois"),
        },
        "part mensuelle": {
            "titre": "Part mensuelle de l'employeur",
            "titre en": "Employer's monthly share",
            "valeur": f"{share} % * abonnement . prix mensuel",
            "plafond": "plafond mensuel",
        },
        "prise en charge de l'abonnement": {
            "titre": "Prise en charge de l'abonnement de transport",
            "titre en": "Refund of the transport pass",
            "valeur": "part mensuelle * abonnement . mois",
        },
    }

    def paid(price: int, months: int) -> int:
        return min(price * share, ceiling) * months

    aid = new_aid(
        funder,
        slug,
        version,
        at,
        titles={
            "fr": f"Prise en charge de {share} % de l'abonnement de transport",
            "en": f"{share} % refund of the transport pass",
        },
        summaries={
            "fr": "L'employeur rembourse une part de l'abonnement de transport en commun ou de "
            "location publique de vélos entre le domicile et le travail.",
            "en": "The employer refunds a share of the public transport or public bicycle pass "
            "between home and work.",
        },
        rule="prise en charge de l'abonnement",
        themes=("transport-en-commun", "trajet-domicile-travail"),
        proof=None,
        credentials=("AffiliationCredential", "PassCredential"),
        bindings=(
            FactBinding("abonnement . prix mensuel", "PassCredential.monthly-price", unit="€/mois"),
            FactBinding("abonnement . mois", "PassCredential.months", unit="mois"),
        ),
        family=f"abonnement-{funder.slug}",
        legal=(
            LegalText(
                "Prise en charge des abonnements par l'employeur",
                "code du travail, articles L. 3261-2 et R. 3261-1",
                "https://www.legifrance.gouv.fr/",
                date(2008, 12, 30),
            ),
        ),
        examples=tuple(
            Example(
                f"{price} € par mois, {months} mois",
                {"abonnement . prix mensuel": price, "abonnement . mois": months},
                paid(price, months),
            )
            for price, months in ((40, 12), (60, 1), (2_000, 1))
        ),
        not_proven=(
            {
                "fr": "Que l'abonnement sert au trajet entre le domicile et le travail.",
                "en": "That the pass serves travel between home and work.",
            },
        ),
    )
    return aid, {model_name(slug): (version, rules)}


def _bicycle(
    choices: Choices, funder: Funder, slug: str, version: str, at: date
) -> tuple[Aid, Mapping[str, RuleModel]]:
    share, ceiling = choices.share or 0, choices.ceiling or 0
    is_employer = _is_employer(funder)
    rules: dict[str, Any] = {
        "vélo": {},
        "vélo . prix payé": {
            "titre": "Prix payé pour le vélo",
            "titre en": "Price paid for the bicycle",
            "type": "nombre",
            "unité": "€",
            "question": "Combien avez-vous payé le vélo électrique, toutes taxes comprises ?",
            "question en": "How much did you pay for the electric bicycle, all taxes included?",
        },
        "plafond de l'aide": {
            "titre": "Plafond de l'aide",
            "titre en": "Ceiling of the aid",
            "valeur": _euros(ceiling, "€"),
        },
        "aide à l'achat": {
            "titre": "Aide à l'achat d'un vélo électrique",
            "titre en": "Aid for buying an electric bicycle",
            "valeur": f"{share} % * vélo . prix payé",
            "plafond": "plafond de l'aide",
        },
    }
    aid = new_aid(
        funder,
        slug,
        version,
        at,
        titles={
            "fr": "Aide à l'achat d'un vélo électrique",
            "en": "Aid for buying an electric bicycle",
        },
        summaries={
            "fr": f"{share} % du prix payé, dans la limite du plafond, sur facture signée.",
            "en": f"{share} % of the price paid, up to the ceiling, on a signed invoice.",
        },
        rule="aide à l'achat",
        themes=("velo",),
        proof=None,
        credentials=(
            "AffiliationCredential" if is_employer else "IdentityCredential",
            "InvoiceCredential",
        ),
        bindings=(FactBinding("vélo . prix payé", "InvoiceCredential.total-price", unit="€"),),
        family=f"velo-{funder.slug}" if is_employer else "",
        legal=(),
        examples=tuple(
            Example(f"{price} € payés", {"vélo . prix payé": price}, min(price * share, ceiling))
            for price in (500, 1_800, 90_000)
        ),
        not_proven=(
            {
                "fr": "Que le vélo facturé est à assistance électrique et neuf : à lire sur la "
                "facture.",
                "en": "That the invoiced bicycle is electric and new: to be read on the invoice.",
            },
        ),
    )
    return aid, {model_name(slug): (version, rules)}


_STATEMENT: Final[Text] = {
    "fr": "Je déclare sur l'honneur que ces réponses sont exactes, que le vélo est neuf et pour "
    "mon usage, que je ne le revendrai pas avant trois ans, et que je n'ai pas déjà reçu cette "
    "aide. Une fausse déclaration m'expose à rembourser l'aide et à des poursuites (code pénal, "
    "article 441-7).",
    "en": "I declare on my honour that these answers are true, that the bicycle is new and for my "
    "own use, that I shall not sell it within three years, and that I have not had this aid "
    "before. A false statement may make me pay the aid back and be prosecuted (French penal code, "
    "article 441-7).",
}


def bicycle_purchase(
    choices: Choices, funder: Funder, slug: str, version: str, at: date
) -> tuple[Aid, Mapping[str, RuleModel]]:
    """A share of the price of an electric bicycle, by income bracket, on documents and a sworn
    statement: what territories really process. The income leaves as a bracket; a funder that wants
    the notice names it among its documents."""
    share, ceiling = choices.share or 0, choices.ceiling or 0
    modest, income = choices.modest_ceiling or 0, choices.modest_income or 0
    threshold = f"{income // 100:,}".replace(",", " ")
    low, high = f"{threshold} € par part ou moins", f"plus de {threshold} € par part"
    rules: dict[str, Any] = {
        "vélo": {},
        "foyer": {},
        "vélo . prix payé": {
            "titre": "Prix payé",
            "titre en": "Price paid",
            "type": "nombre",
            "unité": "€",
            "question": "Combien avez-vous payé le vélo électrique, toutes taxes comprises ?",
            "question en": "How much did you pay for the electric bicycle, all taxes included?",
        },
        "vélo . numéro": {
            "titre": "Numéro d'identification du vélo",
            "titre en": "Identification number of the bicycle",
            "type": "texte",
            "question": "Quel est le numéro d'identification du vélo, gravé sur le cadre ?",
            "question en": "What is the identification number engraved on the frame?",
        },
        "foyer . tranche de revenu": {
            "titre": "Revenu fiscal de référence par part",
            "titre en": "Reference income per part",
            "question": "Dans quelle tranche est votre revenu fiscal de référence par part ?",
            "question en": "In which bracket is your reference income per part?",
            "une possibilité": [low, high],
        },
        "plafond de l'aide": {
            "titre": "Plafond de l'aide",
            "titre en": "Ceiling of the aid",
            "variations": [
                {"si": f"foyer . tranche de revenu = '{low}'", "alors": _euros(modest, "€")},
                {"sinon": _euros(ceiling, "€")},
            ],
        },
        "aide à l'achat": {
            "titre": "Aide à l'achat d'un vélo électrique",
            "titre en": "Aid for buying an electric bicycle",
            "valeur": f"{share} % * vélo . prix payé",
            "plafond": "plafond de l'aide",
        },
    }

    def example(price: int, bracket: str) -> Example:
        most = modest if bracket == low else ceiling
        return Example(
            f"{price} € payés, {bracket}",
            {"vélo . prix payé": price, "foyer . tranche de revenu": bracket},
            min(price * share, most),
        )

    aid = new_aid(
        funder,
        slug,
        version,
        at,
        titles={
            "fr": "Aide à l'achat d'un vélo électrique neuf",
            "en": "Aid for buying a new electric bicycle",
        },
        summaries={
            "fr": f"{share} % du prix payé, jusqu'à {ceiling // 100} €, ou {modest // 100} € avec "
            f"un revenu fiscal de référence de {threshold} € par part ou moins.",
            "en": f"{share} % of the price paid, up to €{ceiling // 100}, or €{modest // 100} with "
            f"a reference income of €{threshold} per part or less.",
        },
        rule="aide à l'achat",
        themes=("velo", "achat-velo"),
        proof=None,
        credentials=("IdentityCredential",),
        bindings=(),
        family="",
        legal=(),
        examples=tuple(example(price, b) for price in (500, 1_800, 90_000) for b in (low, high)),
        not_proven=(
            {
                "fr": "Que le vélo facturé est à assistance électrique et neuf, et que l'adresse "
                "est dans le territoire : à lire sur les pièces.",
                "en": "That the invoiced bicycle is electric and new, and that the address is in "
                "the territory: to be read on the documents.",
            },
        ),
    )
    asked = Declaration(
        ("vélo . prix payé", "vélo . numéro", "foyer . tranche de revenu"),
        _STATEMENT,
        unique="vélo . numéro",
    )
    return (
        replace(
            aid,
            identity_level=IdentityLevel.DOCUMENT,
            payment=PaymentMode.TRANSFER,
            extra={MEMBER: asked.to_json()},
        ),
        {model_name(slug): (version, rules)},
    )
