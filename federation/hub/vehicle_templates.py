"""Templates around a vehicle: a conversion aid, and a derogation in a low-emission zone.

Both ask for the vehicle in the same words, so that one form serves several funders at once; each
funder adds what only it needs. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from federation.aids.access import ACCESS, ZoneAccess
from federation.aids.clean_air import AirClass
from federation.aids.declaration import MEMBER, Declaration
from federation.aids.model import Example, Text
from federation.aids.vehicle_questions import CLASS, CLASSES, PLATE, VEHICLE

__all__ = [
    "CONVERSION_DOCUMENTS",
    "DEROGATION_DOCUMENTS",
    "Written",
    "conversion",
    "derogation",
]

CONVERSION_DOCUMENTS: Final = (
    "Certificat d'immatriculation",
    "Certificat de destruction",
    "Facture acquittée",
    "RIB",
)
DEROGATION_DOCUMENTS: Final = ("Certificat d'immatriculation", "Justificatif de domicile")
OLD_CLASSES: Final = tuple(a.answer for a in AirClass if a.rank >= AirClass.THREE.rank)
"""Classes that a conversion aid takes off the road."""
REASON: Final = "dérogation . motif"
PRICE: Final = "véhicule . prix du nouveau"
BRACKET: Final = "foyer . tranche de revenu"
REASONS: Final = (
    "petit rouleur",
    "activité professionnelle",
    "rendez-vous médicaux",
    "véhicule propre commandé",
    "autre situation",
)
_CONVERSION_STATEMENT: Final[Text] = {
    "fr": "Je déclare sur l'honneur que ces réponses sont exactes, que l'ancien véhicule est à moi "
    "et sera détruit dans un centre agréé, et que je n'ai pas déjà reçu cette aide. Une fausse "
    "déclaration m'expose à rembourser l'aide et à des poursuites (code pénal, article 441-7).",
    "en": "I declare on my honour that these answers are true, that the old vehicle is mine and "
    "will be destroyed in an approved centre, and that I have not had this aid before. A false "
    "statement may make me pay the aid back and be prosecuted (French penal code, article 441-7).",
}
_DEROGATION_STATEMENT: Final[Text] = {
    "fr": "Je déclare sur l'honneur que ces réponses sont exactes et que je suis dans la situation "
    "que j'indique. Une fausse déclaration m'expose au retrait de la dérogation et à des "
    "poursuites (code pénal, article 441-7).",
    "en": "I declare on my honour that these answers are true and that I am in the situation I "
    "name. A false statement may make me lose the derogation and be prosecuted (French penal "
    "code, article 441-7).",
}


@dataclass(frozen=True, slots=True)
class Written:
    """What a template gives of an aid: its words, its rule, what it declares and tries."""

    titles: Text
    summaries: Text
    rule: str
    rules: Mapping[str, Any]
    examples: tuple[Example, ...]
    extra: Mapping[str, Any]
    not_proven: tuple[Text, ...]


def _euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d} €"


def conversion(
    *, share: int, ceiling: int, modest_ceiling: int | None, modest_income: int | None
) -> Written:
    """A share of the price of a clean vehicle when an old one is scrapped; with an income bracket
    when the funder names one."""
    rules: dict[str, Any] = {
        **VEHICLE,
        PRICE: {
            "titre": "Prix du véhicule propre",
            "titre en": "Price of the clean vehicle",
            "type": "nombre",
            "unité": "€",
            "question": "Combien coûte le véhicule propre, toutes taxes comprises ?",
            "question en": "How much does the clean vehicle cost, all taxes included?",
        },
        "plafond de l'aide": {
            "titre": "Plafond de l'aide",
            "titre en": "Ceiling of the aid",
            "valeur": _euros(ceiling),
        },
        "ancien véhicule": {
            "titre": "Ancien véhicule à retirer",
            "titre en": "Old vehicle to scrap",
            "une de ces conditions": [f"{CLASS} = '{name}'" for name in OLD_CLASSES],
        },
        "aide à la conversion": {
            "titre": "Aide à la conversion",
            "titre en": "Conversion aid",
            "applicable si": "ancien véhicule",
            "valeur": f"{share} % * {PRICE}",
            "plafond": "plafond de l'aide",
        },
    }
    variables = [PLATE, CLASS, PRICE]
    summary_fr = f"{share} % du prix, jusqu'à {ceiling // 100} €"
    summary_en = f"{share} % of the price, up to €{ceiling // 100}"
    brackets: tuple[str, ...] = ()
    if modest_ceiling is not None and modest_income is not None:
        threshold = f"{modest_income // 100:,}".replace(",", " ")
        brackets = (f"{threshold} € par part ou moins", f"plus de {threshold} € par part")
        rules["foyer"] = {}
        rules[BRACKET] = {
            "titre": "Revenu fiscal de référence par part",
            "titre en": "Reference income per part",
            "question": "Dans quelle tranche est votre revenu fiscal de référence par part ?",
            "question en": "In which bracket is your reference income per part?",
            "une possibilité": list(brackets),
        }
        rules["plafond de l'aide"] = {
            "titre": "Plafond de l'aide",
            "titre en": "Ceiling of the aid",
            "variations": [
                {"si": f"{BRACKET} = '{brackets[0]}'", "alors": _euros(modest_ceiling)},
                {"sinon": _euros(ceiling)},
            ],
        }
        variables.append(BRACKET)
        summary_fr += (
            f", ou {modest_ceiling // 100} € avec un revenu fiscal de référence de {threshold} € "
            "par part ou moins"
        )
        summary_en += (
            f", or €{modest_ceiling // 100} with a reference income of €{threshold} per part or "
            "less"
        )

    def example(price: int, air: str, bracket: str | None) -> Example:
        most = modest_ceiling if brackets and bracket == brackets[0] else ceiling
        known = {PRICE: price, CLASS: air} | ({} if bracket is None else {BRACKET: bracket})
        paid = min(price * share, most or ceiling) if air in OLD_CLASSES else None
        return Example(", ".join((f"{price} €", air, *filter(None, (bracket,)))), known, paid)

    return Written(
        titles={
            "fr": "Aide à la conversion d'un vieux véhicule",
            "en": "Aid to replace an old vehicle",
        },
        summaries={
            "fr": f"{summary_fr}, si un véhicule Crit'Air 3 ou plus ancien est détruit.",
            "en": f"{summary_en}, when a vehicle of class Crit'Air 3 or older is scrapped.",
        },
        rule="aide à la conversion",
        rules=rules,
        examples=tuple(
            example(price, air, bracket)
            for price in (3_000, 60_000)
            for air in (CLASSES[1], CLASSES[5], CLASSES[6])
            for bracket in (brackets or (None,))
        ),
        extra={MEMBER: Declaration(tuple(variables), _CONVERSION_STATEMENT, PLATE).to_json()},
        not_proven=(
            {
                "fr": "Que l'ancien véhicule est au nom de la personne et détruit, et que le "
                "nouveau est propre : à lire sur les pièces.",
                "en": "That the old vehicle is the person's own and scrapped, and the new one "
                "clean: to be read on the documents.",
            },
        ),
    )


def derogation(*, zone: str, zone_name: str, months: int) -> Written:
    """An individual derogation: a way into a zone, with its last day."""
    rules: dict[str, Any] = {
        **VEHICLE,
        "dérogation": {},
        REASON: {
            "titre": "Motif de la dérogation",
            "titre en": "Reason for the derogation",
            "question": "Pour quelle raison demandez-vous une dérogation ?",
            "question en": "For which reason do you ask for a derogation?",
            "une possibilité": list(REASONS),
        },
        "dérogation individuelle": {
            "titre": "Dérogation individuelle",
            "titre en": "Individual derogation",
            "toutes ces conditions": [
                f"{CLASS} != '{CLASSES[0]}'",
                {"une de ces conditions": [f"{REASON} = '{reason}'" for reason in REASONS]},
            ],
        },
    }
    access = ZoneAccess(zone, zone_name, months, reason=REASON, plate=PLATE, air_class=CLASS)
    return Written(
        titles={
            "fr": "Dérogation dans la zone à faibles émissions",
            "en": "Derogation in the low-emission zone",
        },
        summaries={
            "fr": f"Le droit de circuler pendant {months} mois, vérifiable sans réseau : "
            f"{zone_name}.",
            "en": f"The right to drive for {months} months, checked without a network: "
            f"{zone_name}.",
        },
        rule="dérogation individuelle",
        rules=rules,
        examples=(
            Example("vieux diesel, petit rouleur", {CLASS: CLASSES[5], REASON: REASONS[0]}, 0),
            Example("électrique", {CLASS: CLASSES[0], REASON: REASONS[0]}, None),
        ),
        extra={
            MEMBER: Declaration((PLATE, CLASS, REASON), _DEROGATION_STATEMENT, PLATE).to_json(),
            ACCESS: access.to_json(),
        },
        not_proven=(
            {
                "fr": "Que la personne est dans la situation qu'elle indique : à lire sur les "
                "pièces.",
                "en": "That the person is in the situation named: to be read on the documents.",
            },
        ),
    )
