"""Records of the delivery extension for tests."""

from typing import Any

from portal.extensions.delivery.addresses import NAME, VERSION
from schemas.ids import mint_iri
from schemas.records import ExtensionRecord

HOME: dict[str, Any] = {
    "form": "afnor",
    "addressee": "Camille",
    "street": "12 quai du Canal",
    "postalCode": "11800",
    "locality": "Trèbes",
    "country": "FR",
    "access": "code 4321",
    "drop": "hand",
    "choice": "low-carbon",
    "hours": ["Mo 18:00-20:00", "Sa 09:00-12:00"],
    "constraints": ["step-free", "call-first"],
    "preferred": True,
}
POINT: dict[str, Any] = {**HOME, "drop": "relay", "relay": {"name": "Tabac du port"}}


def address(body: dict[str, Any] = HOME, *, title: str = "Domicile") -> ExtensionRecord:
    return ExtensionRecord(
        id=mint_iri(),
        extension=NAME,
        version=VERSION,
        type="Address",
        title=title,
        summary=f"{body.get('street', '')}, {body.get('locality', '')}",
        body=body,
    )
