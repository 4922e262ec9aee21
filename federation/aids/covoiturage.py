"""A territory's carpool incentive, as a template to be given amounts: the aid that takes trips
signed one by one.

The proof names a bracket (10 or 20 trips), never a count. A person is told apart at pivot level, a
trip by its own nullifier, so that neither is funded twice. No text of law is claimed.
"""

from dataclasses import replace
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
    ProofTemplate,
    RuleRef,
    Territory,
)
from federation.aids.shipped import shipped_model
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import Did, Iri
from schemas.modes import Mode

__all__ = [
    "CARPOOL_FAMILY",
    "CARPOOL_MODEL",
    "CARPOOL_PROOF",
    "CARPOOL_TRIPS",
    "carpool_incentive",
    "carpool_rules",
]

CARPOOL_MODEL: Final = "covoiturage"
CARPOOL_FAMILY: Final = "prime-covoiturage"
CARPOOL_TRIPS: Final = "trajets-covoiturage"
CARPOOL_PROOF: Final = ProofTemplate(
    metric="trips",
    rule=Iri("https://w3id.org/mobility-vault/rules#trajets-covoiturage"),
    rule_version="2026-11-22",
    modes=frozenset({Mode.CARPOOL}),
    minimum_evidence=Evidence.OPERATOR,
    minimum_assurance=AssuranceMethod.VAULT_ATTESTED,
    minimum_distance=2_000,
    brackets=(10, 20),
    trip_family=CARPOOL_TRIPS,
)


def carpool_rules() -> tuple[str, dict[str, Any]]:
    """Version and rules of the model shipped with this package."""
    return shipped_model("covoiturage")


def carpool_incentive(
    funder: Did,
    funder_name: str,
    *,
    slug: str = "prime-covoiturage",
    territories: tuple[Territory, ...] = (),
    minimum_assurance: AssuranceMethod = AssuranceMethod.VAULT_ATTESTED,
) -> Aid:
    """25 € from 10 carpool trips, 50 € from 20, once a period and a person."""
    version, _ = carpool_rules()
    return Aid(
        id=Iri(f"{funder}#aide-{slug}"),
        slug=slug,
        version=version,
        status=AidStatus.PUBLISHED,
        titles={"fr": "Prime de covoiturage", "en": "Carpool incentive"},
        summaries={
            "fr": "25 € à partir de 10 trajets covoiturés, 50 € à partir de 20. La preuve dit "
            "que le palier est atteint, rien d'autre.",
            "en": "€25 from 10 carpool trips, €50 from 20. The proof says that the step is "
            "reached, and nothing else.",
        },
        funder=funder,
        funder_name=funder_name,
        funder_level=FunderLevel.EPCI,
        territories=territories,
        themes=("covoiturage",),
        rule=RuleRef(CARPOOL_MODEL, "prime de covoiturage", version),
        proof=replace(CARPOOL_PROOF, minimum_assurance=minimum_assurance),
        credentials_required=("IdentityCredential",),
        bindings=(FactBinding("trajets . covoiturés", "UsageProof.value", unit="trajet"),),
        family=CARPOOL_FAMILY,
        family_version=1,
        family_issuer=None,
        identity_level=IdentityLevel.PIVOT,
        stacking=(
            {
                "fr": "Un même trajet n'est subventionné qu'une fois.",
                "en": "A trip is funded once.",
            },
        ),
        remedies={
            "fr": "Vous pouvez contester cette décision dans les deux mois : recours gracieux "
            "auprès du territoire, ou tribunal administratif (www.telerecours.fr).",
            "en": "You may contest this decision within two months: informal appeal to the "
            "territory, or the administrative court (www.telerecours.fr).",
        },
        decision_time_days=60,
        silence_means={
            "fr": "Le silence gardé pendant deux mois vaut décision de rejet "
            "(CRPA, articles L. 231-1 et L. 231-4).",
            "en": "Silence for two months is a decision of refusal "
            "(CRPA, articles L. 231-1 and L. 231-4).",
        },
        legal_basis=(),
        parameters=(),
        examples=tuple(
            Example(f"{trips} trajets", {"trajets . covoiturés": trips}, cents)
            for trips, cents in ((9, None), (10, 2_500), (19, 2_500), (20, 5_000))
        ),
        source="modèle de la fédération",
        source_licence="EUPL-1.2",
        last_verified=date(2026, 11, 22),
        next_review=date(2027, 6, 1),
        check_mode=CheckMode.AUTOMATIC,
    )
