"""National schemes of public agents, declared from official texts.

Each function returns one aid for one funder (a public employer). What could not be checked against
the official text on the day of writing has `verified_on=None` and is shown « à vérifier ».
"""

from datetime import date
from typing import Any, Final

from federation.aids.model import (
    Aid,
    AidStatus,
    CheckMode,
    Example,
    FactBinding,
    FunderLevel,
    IdentityLevel,
    LegalText,
    Parameter,
    PaymentMode,
    ProofTemplate,
    RuleRef,
    Text,
)
from federation.aids.shipped import shipped_model
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import Did, Iri
from schemas.modes import Mode

__all__ = [
    "FMD_FAMILY",
    "FMD_MODES",
    "FMD_RULE",
    "NATIONAL_MODEL",
    "PASS_FAMILY",
    "PUBLIC_STATUSES",
    "mobility_allowance",
    "national_rules",
    "pass_refund",
]

NATIONAL_MODEL: Final = "national"
FMD_FAMILY: Final = "fmd-agents-publics"
PASS_FAMILY: Final = "abonnement-agents-publics"  # noqa: S105 - a transport pass
FMD_RULE: Final = Iri("https://w3id.org/mobility-vault/rules#fmd-agents-publics")
FMD_RULE_VERSION: Final = "2022-12-14"

FMD_MODES: Final = frozenset(
    (
        Mode.BICYCLE,
        Mode.EBIKE,
        Mode.ESCOOTER,
        Mode.CARPOOL,
        Mode.CARSHARE,
        Mode.BIKESHARE,
    )
)
"""Décret n° 2020-543, article 1, as amended: cycle, EDPM, carpool (driver or passenger), shared
mobility. On foot, public transport and alone by car do not count."""

PUBLIC_STATUSES: Final = ("agent-titulaire-public", "agent-contractuel-public")

_REMEDIES: Final[Text] = {
    "fr": "Vous pouvez contester cette décision dans les deux mois qui suivent sa notification : "
    "par un recours gracieux auprès de l'autorité qui l'a prise, par un recours hiérarchique, ou "
    "par un recours contentieux devant le tribunal administratif (www.telerecours.fr).",
    "en": "You may contest this decision within two months of its notification: by an informal "
    "appeal to the authority that took it, by an appeal to its superior, or before the "
    "administrative court (www.telerecours.fr).",
}
_SILENCE: Final[Text] = {
    "fr": "Le silence gardé pendant deux mois vaut décision de rejet, que vous pouvez contester "
    "(CRPA, articles L. 231-1 et L. 231-4).",
    "en": "Silence for two months is a decision of refusal, which you may contest "
    "(CRPA, articles L. 231-1 and L. 231-4).",
}
_AUTHORED: Final = date(2026, 11, 21)


def national_rules() -> tuple[str, dict[str, Any]]:
    """Version and rules of the national model shipped with this package."""
    return shipped_model("national")


def _official(title: str, reference: str, day: date) -> LegalText:
    return LegalText(title, reference, "https://www.legifrance.gouv.fr/", day)


def mobility_allowance(
    funder: Did,
    funder_name: str,
    *,
    minimum_evidence: Evidence = Evidence.SENSED,
    minimum_assurance: AssuranceMethod = AssuranceMethod.VAULT_ATTESTED,
    slug: str = "fmd-agents-publics",
) -> Aid:
    """Forfait mobilités durables of public agents: 30, 60 and 100 days, 100, 200 and 300 €.

    Source: arrêté du 9 mai 2020, articles 1 and 2, as amended on 13 December 2022.
    """
    version, _ = national_rules()
    amended = "arrêté du 9 mai 2020, article 2, modifié par l'arrêté du 13 décembre 2022"
    return Aid(
        id=Iri(f"{funder}#aide-{slug}"),
        slug=slug,
        version=version,
        status=AidStatus.PUBLISHED,
        titles={
            "fr": "Forfait mobilités durables des agents publics",
            "en": "Sustainable mobility allowance of public agents",
        },
        summaries={
            "fr": "De 100 à 300 € par an pour qui va travailler à vélo, en covoiturage, en engin "
            "de déplacement personnel motorisé ou en mobilité partagée au moins 30 jours par an.",
            "en": "From €100 to €300 a year for going to work by bicycle, carpool, light electric "
            "vehicle or shared mobility on at least 30 days a year.",
        },
        funder=funder,
        funder_name=funder_name,
        funder_level=FunderLevel.EMPLOYER,
        territories=(),
        themes=("velo", "covoiturage", "trajet-domicile-travail"),
        rule=RuleRef(NATIONAL_MODEL, "forfait mobilités durables", version),
        proof=ProofTemplate(
            metric="eligible-days",
            rule=FMD_RULE,
            rule_version=FMD_RULE_VERSION,
            modes=FMD_MODES,
            minimum_evidence=minimum_evidence,
            minimum_assurance=minimum_assurance,
        ),
        credentials_required=("AffiliationCredential",),
        bindings=(
            FactBinding("trajets . jours éligibles", "UsageProof.days", unit="jour"),
            FactBinding(
                "emploi . agent public", "AffiliationCredential.status", equals=PUBLIC_STATUSES
            ),
        ),
        family=FMD_FAMILY,
        family_version=1,
        family_issuer=None,
        identity_level=IdentityLevel.EMPLOYER,
        stacking=(
            {
                "fr": "Se cumule avec la prise en charge de 75 % d'un abonnement de transport, "
                "sauf pour un même abonnement.",
                "en": "Adds up with the 75 % refund of a transport pass, except for the same pass.",
            },
            {
                "fr": "Un seul forfait par agent et par année civile chez un même employeur.",
                "en": "One allowance per agent and calendar year with the same employer.",
            },
        ),
        remedies=_REMEDIES,
        decision_time_days=60,
        silence_means=_SILENCE,
        legal_basis=(
            _official("Montant du forfait mobilités durables", amended, date(2022, 12, 13)),
            _official(
                "Versement du forfait dans la fonction publique de l'État",
                "décret n° 2020-543 du 9 mai 2020, modifié par le décret n° 2022-1562",
                date(2020, 5, 9),
            ),
            _official(
                "Versement du forfait dans la fonction publique territoriale",
                "décret n° 2020-1547 du 9 décembre 2020, modifié par le décret n° 2022-1557",
                date(2020, 12, 9),
            ),
        ),
        parameters=tuple(
            Parameter(
                f"montants du forfait . {step}",
                value,
                date(2022, 1, 1),
                None,
                amended,
                _AUTHORED,
            )
            for step, value in (
                ("premier palier", "100 €"),
                ("deuxième palier", "200 €"),
                ("troisième palier", "300 €"),
            )
        ),
        examples=(
            *(
                Example(
                    f"{days} jours",
                    {"trajets . jours éligibles": days, "emploi . agent public": True},
                    cents,
                )
                for days, cents in (
                    (0, None),
                    (29, None),
                    (30, 10_000),
                    (59, 10_000),
                    (60, 20_000),
                    (99, 20_000),
                    (100, 30_000),
                    (220, 30_000),
                )
            ),
            Example(
                "100 jours, salarié du privé",
                {"trajets . jours éligibles": 100, "emploi . agent public": False},
                None,
            ),
            Example(
                "15 jours à 50 %",
                {
                    "trajets . jours éligibles": 15,
                    "emploi . agent public": True,
                    "emploi . quotité de temps de travail": 50,
                },
                10_000,
            ),
        ),
        source="Légifrance, textes cités",
        source_licence="Licence Ouverte 2.0",
        last_verified=_AUTHORED,
        next_review=date(2027, 6, 1),
        check_mode=CheckMode.AUTOMATIC,
        link="https://www.service-public.fr/particuliers/vosdroits/F35320",
        pieces=(
            {
                "fr": "Déclaration sur l'honneur du mode de transport utilisé, au plus tard le "
                "31 décembre de l'année.",
                "en": "Sworn statement of the mode used, by 31 December of the year.",
            },
        ),
        payment=PaymentMode.PAYROLL,
        not_proven=(
            {
                "fr": "Dans la territoriale, une délibération de l'employeur doit avoir instauré "
                "le forfait.",
                "en": "In local government, the employer must have voted the allowance.",
            },
            {
                "fr": "Sont exclus les agents logés sur place, transportés gratuitement ou dotés "
                "d'un véhicule de fonction : la déclaration sur l'honneur l'atteste.",
                "en": "Agents housed on site, carried free of charge or given a company car are "
                "excluded: the sworn statement covers it.",
            },
        ),
    )


def pass_refund(funder: Did, funder_name: str, *, slug: str = "abonnement-agents-publics") -> Aid:
    """75 % of a transport pass for public agents, within a dated monthly ceiling.

    Source: décret n° 2010-676 du 21 juin 2010, article 3, as amended by décret n° 2023-812.
    """
    version, _ = national_rules()
    ceiling = "plafond mensuel de prise en charge"
    why = "décret n° 2010-676, article 3 : abonnement annuel Île-de-France (trajet maximum) × 1,25"
    ceilings = (
        ("96.36 €/mois", date(2023, 9, 1), date(2023, 12, 31)),
        ("99.00 €/mois", date(2024, 1, 1), date(2024, 12, 31)),
        ("101.75 €/mois", date(2025, 1, 1), date(2025, 12, 31)),
        ("104.04 €/mois", date(2026, 1, 1), None),
    )
    return Aid(
        id=Iri(f"{funder}#aide-{slug}"),
        slug=slug,
        version=version,
        status=AidStatus.PUBLISHED,
        titles={
            "fr": "Prise en charge de 75 % de l'abonnement de transport (agents publics)",
            "en": "75 % refund of the transport pass (public agents)",
        },
        summaries={
            "fr": "L'employeur public rembourse les trois quarts de l'abonnement de transport en "
            "commun ou de location publique de vélos entre le domicile et le travail.",
            "en": "The public employer refunds three quarters of a public transport or public "
            "bicycle pass between home and work.",
        },
        funder=funder,
        funder_name=funder_name,
        funder_level=FunderLevel.EMPLOYER,
        territories=(),
        themes=("transport-en-commun", "trajet-domicile-travail"),
        rule=RuleRef(NATIONAL_MODEL, "prise en charge de l'abonnement", version),
        proof=None,
        credentials_required=("AffiliationCredential", "PassCredential"),
        bindings=(
            FactBinding(
                "emploi . agent public", "AffiliationCredential.status", equals=PUBLIC_STATUSES
            ),
            FactBinding("abonnement . prix mensuel", "PassCredential.monthly-price", unit="€/mois"),
            FactBinding("abonnement . mois", "PassCredential.months", unit="mois"),
        ),
        family=PASS_FAMILY,
        family_version=1,
        family_issuer=None,
        identity_level=IdentityLevel.EMPLOYER,
        stacking=(
            {
                "fr": "Se cumule avec le forfait mobilités durables, sauf pour un même abonnement.",
                "en": "Adds up with the sustainable mobility allowance, except for the same pass.",
            },
        ),
        remedies=_REMEDIES,
        decision_time_days=60,
        silence_means=_SILENCE,
        legal_basis=(
            _official(
                "Prise en charge partielle des abonnements des agents publics",
                "décret n° 2010-676 du 21 juin 2010, article 3, modifié par le "
                "décret n° 2023-812 du 21 août 2023",
                date(2023, 8, 21),
            ),
        ),
        parameters=tuple(
            Parameter(ceiling, value, start, end, why, None) for value, start, end in ceilings
        ),
        examples=(
            Example(
                "abonnement à 40 € par mois, un an",
                {
                    "emploi . agent public": True,
                    "abonnement . prix mensuel": 40,
                    "abonnement . mois": 12,
                },
                36_000,
            ),
            Example(
                "abonnement à 200 € par mois, un mois : plafonné",
                {
                    "emploi . agent public": True,
                    "abonnement . prix mensuel": 200,
                    "abonnement . mois": 1,
                },
                10_404,
            ),
            Example(
                "salarié du privé",
                {
                    "emploi . agent public": False,
                    "abonnement . prix mensuel": 40,
                    "abonnement . mois": 12,
                },
                None,
            ),
        ),
        source="Légifrance, textes cités",
        source_licence="Licence Ouverte 2.0",
        last_verified=_AUTHORED,
        next_review=date(2027, 1, 15),
        check_mode=CheckMode.MANUAL,
        link="https://www.service-public.fr/particuliers/vosdroits/F19847",
        pieces=(
            {
                "fr": "Justificatif nominatif de l'abonnement et facture.",
                "en": "Personal pass and its invoice.",
            },
        ),
        payment=PaymentMode.PAYROLL,
        not_proven=(
            {
                "fr": "Le plafond mensuel est à vérifier à chaque changement de tarif.",
                "en": "The monthly ceiling is to be verified at each change of fares.",
            },
        ),
    )
