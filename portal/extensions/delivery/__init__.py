"""Delivery (« Mon Compte Livraison »): addresses, wishes, pick-up points, parcel receipts.

The first extension. It is declared here and imports nothing of the servers; its pages and its
demonstration shop are loaded by name where they are served.
"""

import json
from importlib import resources
from typing import Any, Final

from portal.extensions.delivery.addresses import NAME, VERSION, addresses_of, facts_of
from portal.extensions.delivery.words import CHOICES, CONSTRAINTS, DAYS, DROPS
from schemas.extensions import Extension, Fact, RecordType

_DATA: Final = resources.files(__package__).joinpath("data")


def _text(name: str) -> str:
    return _DATA.joinpath(name).read_text("utf-8")


def _json(name: str) -> Any:
    return json.loads(_text(name))


extension: Final = Extension(
    name=NAME,
    version=VERSION,
    title={"fr": "Livraison", "en": "Delivery"},
    summary={
        "fr": "Vos adresses, vos créneaux, vos points relais et vos reçus de colis.",
        "en": "Your addresses, time windows, pick-up points and parcel receipts.",
    },
    namespace="https://w3id.org/mobility-vault/extensions/delivery#",
    licence="Apache-2.0",
    context=_json("context.jsonld"),
    vocabulary=_text("vocabulary.ttl"),
    shapes=_text("shapes.ttl"),
    records=(
        RecordType(
            "Address",
            {"fr": "Adresse de livraison", "en": "Delivery address"},
            _json("Address.schema.json"),
        ),
        RecordType(
            "Parcel",
            {"fr": "Reçu de colis", "en": "Parcel receipt"},
            _json("Parcel.schema.json"),
        ),
    ),
    facts=(
        Fact("addressee", {"fr": "Destinataire", "en": "Addressee"}),
        Fact("unit", {"fr": "Appartement, étage", "en": "Flat, floor"}),
        Fact("building", {"fr": "Bâtiment, résidence", "en": "Building"}),
        Fact("street", {"fr": "Numéro et voie", "en": "Number and street"}),
        Fact("place", {"fr": "Lieu-dit, boîte postale", "en": "Hamlet, PO box"}),
        Fact("lines", {"fr": "Adresse", "en": "Address"}),
        Fact("postalCode", {"fr": "Code postal", "en": "Postal code"}),
        Fact("locality", {"fr": "Commune", "en": "Town"}),
        Fact("country", {"fr": "Pays", "en": "Country"}),
        Fact("access", {"fr": "Consignes d'accès", "en": "Access instructions"}),
        Fact("drop", {"fr": "Remise souhaitée", "en": "Where to leave it"}, DROPS),
        Fact("relay", {"fr": "Point relais", "en": "Pick-up point"}),
        Fact("choice", {"fr": "Choix de livraison", "en": "Choice of delivery"}, CHOICES),
        Fact("hours", {"fr": "Créneaux de présence", "en": "Times somebody is there"}, DAYS),
        Fact("constraints", {"fr": "Contraintes", "en": "Constraints"}, CONSTRAINTS),
    ),
    state=facts_of,
    addresses=addresses_of,
    lacking={"fr": "il manque une adresse de livraison", "en": "a delivery address is missing"},
    lacking_action={"fr": "Ajouter une adresse de livraison", "en": "Add a delivery address"},
    home="/coffre/livraison",
    profiles=(_json("livraison.json"), _json("livraison-adresse.json")),
    claims={"livraison": "delivery", "livraison-adresse": "delivery_address"},
    templates="portal.extensions.delivery",
    english=_json("en.json"),
    pages="portal.extensions.delivery.pages:pages",
    sandbox="portal.extensions.delivery.shop:services",
)

__all__ = ["extension"]
