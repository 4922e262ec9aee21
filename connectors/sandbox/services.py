"""The fictitious services of the sandbox: one relying party for each service profile, and what each
decides on a verified answer, with its reasons.

`autopartage` wants a licence of category B and the age; the network a tariff of its own rule, or
its own pass of today; the zone a class it lets in or a derogation. What a person only declared
opens nothing that a certificate should open.
"""

from collections.abc import Mapping
from datetime import date
from importlib import import_module
from typing import Any, Final

from connectors.sandbox.demo import DemoService, Ground, Reason
from connectors.sandbox.story import NETWORK_NAME
from federation.profiles import PROFILES
from schemas.extensions import installed

AGE: Final = 21
ZONE: Final = "200035715"
"""SIREN of the intercommunality whose zone the story imagines."""
LET_IN: Final = frozenset({"0", "1", "2"})


def _certified(subject: Mapping[str, Any], fr: str, en: str) -> Reason:
    """What was only declared does not count here, whoever computed it."""
    is_met = subject.get("degree") != "claimed"
    is_met = is_met and subject.get("assuranceMethod") != "self-declared"
    if is_met:
        return Reason(True, f"{fr} : certifié.", f"{en}: certified.")
    return Reason(
        False,
        f"{fr} : seulement déclaré, il faut une source.",
        f"{en}: only declared, a source is needed.",
    )


def _car_sharing(ground: Ground) -> list[Reason]:
    members, today = ground.members, ground.today
    age, licence = members["AgeCredential"], members["DrivingLicenceCredential"]
    valid = [
        category
        for category in licence["categories"]
        if category["category"] == "B"
        and date.fromisoformat(category.get("lastDay", "9999-12-31")) >= today
    ]
    return [
        Reason(True, f"{age['ageAtLeast']} ans ou plus.", f"{age['ageAtLeast']} or older."),
        _certified(age, "Âge", "Age"),
        Reason(bool(valid), "Permis B valide.", "Valid category B licence.")
        if valid
        else Reason(False, "Pas de permis B valide.", "No valid category B licence."),
        _certified(licence, "Permis", "Licence"),
        _certified(members["AddressCredential"], "Adresse", "Address"),
    ]


def _tariff(ground: Ground) -> list[Reason]:
    found = ground.members["TariffCredential"]
    status, until = found["tariffStatus"], date.fromisoformat(found["periodUntil"])
    current = found["tariffVersion"] == ground.tariff_version and until >= ground.today
    return [
        Reason(
            current,
            f"Tarif « {status} » jusqu'au {until.isoformat()}."
            if current
            else "Ce n'est pas la règle en vigueur.",
            f"Fare “{status}” until {until.isoformat()}."
            if current
            else "This is not the rule in force.",
        ),
        _certified(found, "Ce dont le tarif dépend", "What the fare depends on"),
    ]


def _planner(ground: Ground) -> list[Reason]:
    names = sorted(set(ground.members["TravelPreferences"]) - {"id"})
    said = ", ".join(names)
    return [Reason(True, f"Réglé d'après : {said}.", f"Set by: {said}.")]


def _zone(ground: Ground) -> list[Reason]:
    found = ground.members["ZoneAccessCredential"]
    until = date.fromisoformat(found["lastDay"])
    by_derogation = "derogation" in found and found["zone"] == ZONE
    by_class = found.get("critAir") in LET_IN
    reasons = [
        Reason(
            until >= ground.today,
            f"Jusqu'au {until.isoformat()}.",
            f"Until {until.isoformat()}.",
        ),
        _certified(found, "Véhicule", "Vehicle"),
    ]
    if by_derogation:
        return [Reason(True, "Dérogation reconnue.", "Exemption accepted."), *reasons]
    label = str(found.get("critAir", "?"))
    return [
        Reason(True, f"Classe {label} admise.", f"Class {label} let in.")
        if by_class
        else Reason(False, f"Classe {label} non admise.", f"Class {label} not let in."),
        *reasons,
    ]


def _pass(ground: Ground) -> list[Reason]:
    found = ground.members["PassCredential"]
    first, last = (date.fromisoformat(found[name]) for name in ("periodFrom", "periodUntil"))
    is_current = first <= ground.today <= last
    return [
        Reason(
            is_current,
            f"{found['product']}, au nom de {found['holderName']}, jusqu'au {last.isoformat()}."
            if is_current
            else "Cet abonnement n'est pas en cours.",
            f"{found['product']}, in the name of {found['holderName']}, until {last.isoformat()}."
            if is_current
            else "This pass is not current.",
        )
    ]


def _of_extensions() -> list[DemoService]:
    """Those that installed extensions bring."""
    found: list[DemoService] = []
    for extension in installed().values():
        if extension.sandbox:
            module, _, name = extension.sandbox.partition(":")
            found += getattr(import_module(module), name)()
    return found


SERVICES: Final[tuple[DemoService, ...]] = (
    DemoService(
        "autopartage",
        "Autopartage de la Clamoux (fictif)",
        PROFILES["autopartage"],
        _car_sharing,
        {"age": AGE},
    ),
    DemoService("reseau", NETWORK_NAME, PROFILES["tarif-reduit"], _tariff),
    DemoService("reseau", NETWORK_NAME, PROFILES["titre"], _pass, {"network": NETWORK_NAME}),
    DemoService(
        "calculateur", "Calculateur d'itinéraires (fictif)", PROFILES["itineraire"], _planner
    ),
    DemoService(
        "zone",
        "Zone à circulation réglementée (fictive)",
        PROFILES["acces-zone"],
        _zone,
        {"zone": ZONE},
    ),
    *_of_extensions(),
)

__all__ = ["SERVICES"]
