"""Demonstration services of the sandbox: a cyclist who asks for the town, a shop that delivers.

The shop asks for the address its parcel needs and for nothing else; a pick-up point keeps the
street out of it. Who was accepted takes home a signed parcel receipt (JWS, `parcel-receipt+jwt`).
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from connectors.sandbox.demo import DemoService, Ground, Handout, Reason
from federation.jose import sign_jws
from federation.keys import Signer
from federation.profiles import PROFILES
from portal.extensions.delivery.addresses import NAME
from portal.extensions.delivery.receipts import RECEIPT_TYP

CYCLIST: Final = "Livreur à vélo (fictif)"
SHOP: Final = "Boutique du Cabardès (fictive)"
SHOP_PATH: Final = "boutique"
_GRAMS: Final = {"low-carbon": 40, "any": 120, "fastest": 310}
"""What the fictitious round would emit; a real shop states its own figure."""


def services() -> tuple[DemoService, ...]:
    """See `schemas.extensions.Extension.sandbox`."""
    return (
        DemoService("livreur", CYCLIST, PROFILES["livraison"], _cyclist),
        DemoService(
            SHOP_PATH,
            SHOP,
            PROFILES["livraison-adresse"],
            _shop,
            words=(
                (
                    "Votre commande : une sacoche de vélo, 34 €. Rien n'est vendu ici.",
                    "Your order: a bicycle bag, €34. Nothing is sold here.",
                ),
            ),
            handout=Handout(
                "Le reçu du colis, à garder dans votre coffre",
                "The parcel receipt, to keep in your vault",
                "recu-colis.jwt",
                _receipt,
            ),
        ),
    )


def _told(ground: Ground) -> dict[str, str]:
    facts = ground.members["ExtensionStatement"]["facts"]
    return {fact["name"]: fact["value"] for fact in facts}


def _is_ours(ground: Ground) -> bool:
    return bool(ground.members["ExtensionStatement"]["extension"] == NAME)


def _cyclist(ground: Ground) -> list[Reason]:
    told = _told(ground)
    if not _is_ours(ground) or told.get("country") != "FR":
        return [Reason(False, "Nous ne livrons qu'en France.", "We deliver in France only.")]
    town = told.get("locality", "?")
    return [Reason(True, f"Nous livrons à {town}.", f"We deliver to {town}.")]


def _shop(ground: Ground) -> list[Reason]:
    told = _told(ground)
    if not _is_ours(ground):
        return [Reason(False, "Ce n'est pas une adresse.", "This is no address.")]
    here = told.get("country") == "FR"
    where = told.get("relay") or told.get("street") or told.get("lines")
    reasons = [
        Reason(here, "Livraison en France.", "Delivery in France.")
        if here
        else Reason(False, "Nous ne livrons qu'en France.", "We deliver in France only."),
        Reason(True, f"À remettre : {where}.", f"To hand over: {where}.")
        if where
        else Reason(False, "Il manque où remettre le colis.", "Where to hand it over is missing."),
    ]
    if told.get("choice") == "low-carbon":
        reasons.append(
            Reason(True, "Par vélo cargo, sous trois jours.", "By cargo bike, within three days.")
        )
    if "hours" in told:
        reasons.append(
            Reason(
                True, f"Aux heures dites : {told['hours']}.", f"At these hours: {told['hours']}."
            )
        )
    return reasons


def _receipt(ground: Ground, number: str, signer: Signer, at: datetime) -> str:
    """The parcel arrives at once: the sandbox has no patience."""
    told = _told(ground)
    choice = told.get("choice", "any")
    claims = {
        "iss": signer.verification_method.partition("#")[0],
        "iat": int(at.timestamp()),
        "parcel": {
            "merchant": SHOP,
            "order": f"CMD-{number[:8]}",
            "carrier": CYCLIST if choice == "low-carbon" else "Transporteur (fictif)",
            "deliveredAt": (at - timedelta(minutes=1))
            .astimezone(UTC)
            .strftime("%Y-%m-%dT%H:%M:%SZ"),
            "drop": told["drop"],
            "vehicle": "cargo-bike" if choice == "low-carbon" else "van",
            "co2e": _GRAMS.get(choice, _GRAMS["any"]),
            "contents": "Une sacoche de vélo",
        },
    }
    return sign_jws(claims, signer, typ=RECEIPT_TYP)


__all__ = ["CYCLIST", "SHOP", "SHOP_PATH", "services"]
