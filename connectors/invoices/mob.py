"""moB's invoice metadata (`AttachmentMetadata`): the shape pilots of Mon Compte Mobilité send.

Its traps, each met in the published example: amounts are whole cents; a product's amount is per
unit; `customerName` is the family name and `customerSurname` the first name; `zipCode` is a number
(01000 → 1000); amounts before tax equal those with tax beside a rate of 10 % (they are left out);
the SIRET is nobody's (kept only where its sum holds); `validityEnd` is midnight of the last day,
included, with the offset of another season.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.errors import Fault, HostileInputError, InvoiceSumError, PushInvalidError
from connectors.invoices.draft import MAX_AMOUNT, Draft, Guess, Line, is_siret
from connectors.parsing import pointer

__all__ = ["MAX_INVOICES", "read_metadata"]

MAX_INVOICES: Final = 20
MAX_PRODUCTS: Final = 50
_ZONE: Final = ZoneInfo("Europe/Paris")


class _Faulty(Exception):  # private, never leaves
    def __init__(self, where: str, code: str, detail: str) -> None:
        self.fault = Fault(where, code, detail)
        super().__init__(code)


def read_metadata(document: Any, *, root: str = "") -> tuple[Draft, ...]:
    """The invoices of an `AttachmentMetadata`.

    Raises:
        PushInvalidError: with every place that is wrong. InvoiceSumError: products that do not add
        up to what was paid.
    """
    given = document if isinstance(document, dict) else {}
    invoices = given.get("invoices")
    if not isinstance(invoices, list) or not 1 <= len(invoices) <= MAX_INVOICES:
        raise PushInvalidError(
            [Fault(f"{root}/invoices", "length", f"a list of 1 to {MAX_INVOICES}")]
        )
    if given.get("totalElements") != len(invoices):
        raise PushInvalidError(
            [Fault(f"{root}/totalElements", "count", "the number of invoices in the list")]
        )
    found: list[Draft] = []
    faults: list[Fault] = []
    for number, invoice in enumerate(invoices):
        where = f"{root}/invoices/{number}"
        try:
            found.append(_invoice(invoice, where))
        except _Faulty as error:
            faults.append(error.fault)
    if faults:
        raise PushInvalidError(faults)
    return tuple(found)


def _invoice(given: Any, where: str) -> Draft:
    enterprise = _object(given, "enterprise", where)
    customer = _object(given, "customer", where)
    paid = _object(given, "transaction", where)
    siret = _words(enterprise, "siretNumber", f"{where}/enterprise").replace(" ", "")
    if not re.fullmatch(r"[0-9]{14}", siret):
        raise _Faulty(f"{where}/enterprise/siretNumber", "siret", "14 digits")
    family = _words(customer, "customerName", f"{where}/customer")
    first = _words(customer, "customerSurname", f"{where}/customer")
    issuer = _words(enterprise, "enterpriseName", f"{where}/enterprise")
    order = _words(paid, "orderId", f"{where}/transaction")
    total = _cents(paid, "amountInclTaxes", f"{where}/transaction")
    day = _instant(paid, "purchaseDate", f"{where}/transaction")
    products = given.get("products")
    if not isinstance(products, list) or not 1 <= len(products) <= MAX_PRODUCTS:
        raise _Faulty(f"{where}/products", "length", f"a list of 1 to {MAX_PRODUCTS}")
    lines: list[Line] = []
    notes = set() if is_siret(siret) else {"siret-invalid"}
    details: Mapping[str, Any] = {}
    for number, product in enumerate(products):
        place = f"{where}/products/{number}"
        if not isinstance(product, dict):
            raise _Faulty(place, "object", "an object")
        lines.append(
            Line(
                _words(product, "productName", place),
                _quantity(product, place),
                _cents(product, "amountInclTaxes", place),  # per unit
            )
        )
        details = product.get("productDetails") or details
        if product.get("percentTaxes") and product.get("amountExclTaxes") == product.get(
            "amountInclTaxes"
        ):
            notes.add("net-equals-gross")
    if sum(line.quantity * line.unit_amount for line in lines) != total:
        raise InvoiceSumError(["mob-products"])
    fields = {
        "issuer": issuer,
        "siret": siret if is_siret(siret) else "",
        "number": order,
        "day": day,
        "total": str(total),
        "payer": f"{first} {family}",
        **_pass(lines, details if isinstance(details, dict) else {}, f"{where}/products"),
    }
    return Draft(
        format="mob",
        fields={name: Guess(value) for name, value in fields.items() if value},
        lines=tuple(lines),
        notes=tuple(sorted(notes)),
        extra={"invoiceFormat": "mob"},
    )


def _pass(lines: list[Line], details: Mapping[str, Any], where: str) -> dict[str, str]:
    """A pass, where one product says from when to when it is valid."""
    if len(lines) != 1 or not details.get("validityStart") or not details.get("validityEnd"):
        return {}
    since = _instant(details, "validityStart", f"{where}/0/productDetails")
    until = _instant(details, "validityEnd", f"{where}/0/productDetails")
    if until < since:
        raise _Faulty(f"{where}/0/productDetails/validityEnd", "ends-before-start", "after it")
    zones = [str(details[z]) for z in ("zoneMin", "zoneMax") if isinstance(details.get(z), int)]
    product = lines[0].label + (f" (zones {'-'.join(zones)})" if zones else "")
    return {"product": product, "valid_from": since, "valid_until": until}


def _object(given: Any, name: str, where: str) -> Mapping[str, Any]:
    found = given.get(name) if isinstance(given, dict) else None
    if not isinstance(found, dict):
        raise _Faulty(f"{where}/{name}", "missing", "an object")
    return found


def _words(given: Mapping[str, Any], name: str, where: str) -> str:
    found = given.get(name)
    if not isinstance(found, str) or not found.strip() or len(found) > 200:
        raise _Faulty(where + pointer(name), "text", "a text of 1 to 200 characters")
    return " ".join(found.split())


def _cents(given: Mapping[str, Any], name: str, where: str) -> int:
    found = given.get(name)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= MAX_AMOUNT:
        raise _Faulty(where + pointer(name), "cents", "whole cents: 75,20 € is 7520")
    return found


def _quantity(given: Mapping[str, Any], where: str) -> int:
    found = given.get("quantity")
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= 1_000:
        raise _Faulty(f"{where}/quantity", "quantity", "a whole number, 1 to 1000")
    return found


def _instant(given: Mapping[str, Any], name: str, where: str) -> str:
    """The civil day of an instant: as its offset says, or in France where it is in UTC. The offset
    of the wrong season thus moves no day: midnight is the day's own."""
    found = given.get(name)
    if not isinstance(found, str) or not re.fullmatch(r"[0-9T:.+Z-]{10,35}", found):
        raise _Faulty(where + pointer(name), "instant", "RFC 3339, with an offset")
    try:
        moment = datetime.fromisoformat(found)
    except ValueError:
        raise _Faulty(where + pointer(name), "instant", "RFC 3339, with an offset") from None
    if moment.tzinfo is None:
        raise _Faulty(where + pointer(name), "time-without-offset", "RFC 3339, with an offset")
    if not moment.utcoffset():
        moment = moment.astimezone(_ZONE)
    if not 2000 <= moment.year <= 2100:
        raise HostileInputError("not a day of this century", where=where + pointer(name))
    return moment.date().isoformat()
