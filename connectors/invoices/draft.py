"""What was read of an invoice before a person agrees to it: each field with how sure it is."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from connectors.errors import HostileInputError
from schemas.errors import RecordError
from schemas.ids import Iri, mint_iri
from schemas.records import Invoice, InvoiceLine, Subscription
from schemas.units import Cents

__all__ = [
    "ASKED_BELOW",
    "FIELDS",
    "NEEDED",
    "Draft",
    "Guess",
    "Line",
    "is_siret",
    "records_of",
    "stable_iri",
]

ASKED_BELOW: Final = 0.8
"""A field less sure than this is asked: shown empty, the guess beside it."""
FIELDS: Final = (
    "issuer",
    "siret",
    "number",
    "day",
    "total",
    "payer",
    "holder",
    "product",
    "valid_from",
    "valid_until",
)
NEEDED: Final = ("issuer", "day", "total")
MAX_AMOUNT: Final = 10_000_000
"""Cents: 100 000 €, more than any mobility bill of a person."""
_NAMESPACE: Final = uuid.UUID("5f6f3c5e-2e0c-5d0a-9a64-0c5f0e8a7d21")
_ZONE: Final = ZoneInfo("Europe/Paris")


@dataclass(frozen=True, slots=True)
class Guess:
    """A value as it will be kept (days as `YYYY-MM-DD`, the total in cents) and how sure it is."""

    value: str
    confidence: float = 1.0
    """1.0: said by a structured format, or by the person."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line; the lines of a draft add up to its total."""

    label: str
    quantity: int
    unit_amount: int
    """Cents."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An invoice as read."""

    format: str
    """`cii`, `ubl`, `mob`, `ocpi` or `receipt`."""
    fields: Mapping[str, Guess]
    lines: tuple[Line, ...] = ()
    currency: str = "EUR"
    notes: tuple[str, ...] = ()
    """What the person should know, by code: `page-differs`, `net-equals-gross`,
    `vat-unknown`, `credit`."""
    extra: Mapping[str, str | int] = field(default_factory=dict)

    def asked(self) -> tuple[str, ...]:
        """Fields that are not sure enough, and needed ones that are missing."""
        return tuple(
            name
            for name in FIELDS
            if (name in NEEDED and name not in self.fields)
            or (name in self.fields and self.fields[name].confidence < ASKED_BELOW)
        )


def is_siret(digits: str) -> bool:
    """Fourteen digits whose Luhn sum holds (INSEE); of La Poste's offices, the digits add up to a
    multiple of 5 instead."""
    if len(digits) != 14 or not digits.isascii() or not digits.isdigit():
        return False
    if digits.startswith("356000000") and sum(map(int, digits)) % 5 == 0:
        return True
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def stable_iri(*parts: str) -> Iri:
    """The name of a document that its issuer numbered: the same again is the same record."""
    text = "\x00".join(" ".join(part.casefold().split()) for part in parts)
    return Iri(f"urn:uuid:{uuid.uuid5(_NAMESPACE, hashlib.sha256(text.encode()).hexdigest())}")


def records_of(
    values: Mapping[str, str],
    *,
    lines: Sequence[Line] = (),
    currency: str = "EUR",
    extra: Mapping[str, str | int] | None = None,
    iri: Iri | None = None,
) -> tuple[Invoice | Subscription, ...]:
    """The invoice, and the pass it pays where product and validity are known. Payer and holder are
    apart: an empty holder stays empty. `values` are those of `Guess`, by `FIELDS`.

    Raises:
        HostileInputError: a field that cannot be, with its name as `where`.
    """
    given = {name: " ".join(values.get(name, "").split())[:300] for name in FIELDS}
    for name in NEEDED:
        if not given[name]:
            raise HostileInputError("missing", where=name)
    total = _cents(given["total"])
    issued = _day(given["day"], "day")
    since = _day(given["valid_from"], "valid_from") if given["valid_from"] else None
    until = _day(given["valid_until"], "valid_until") if given["valid_until"] else None
    if since is not None and until is not None and until < since:
        raise HostileInputError("before it begins", where="valid_until")
    siret = given["siret"].replace(" ", "")
    if siret and not is_siret(siret):
        raise HostileInputError("not a SIRET", where="siret")
    kept = list(lines) if sum(line.quantity * line.unit_amount for line in lines) == total else []
    try:
        invoice = Invoice(
            id=iri or mint_iri(),
            issuer_name=given["issuer"],
            issuer_siret=siret or None,
            number=given["number"] or None,
            issued_at=datetime(issued.year, issued.month, issued.day, 12, tzinfo=_ZONE).astimezone(
                UTC
            ),
            total=Cents(total),
            currency=currency,
            lines=tuple(
                InvoiceLine(
                    label=line.label[:300],
                    quantity=line.quantity,
                    unit_amount=Cents(line.unit_amount),
                )
                for line in kept
            ),
            period_start=since,
            period_end=until,
            payer=given["payer"] or None,
            holder=given["holder"] or None,
            extra=dict(extra or {}),
        )
    except RecordError as error:
        raise HostileInputError(error.reason, where=error.where or "") from None
    if not (given["product"] and since and until):
        return (invoice,)
    return (
        invoice,
        Subscription(
            id=stable_iri("pass", invoice.id) if iri else mint_iri(),
            network=given["issuer"],
            product=given["product"],
            holder=given["holder"] or None,
            payer=given["payer"] or None,
            valid_from=since,
            valid_until=until,
            number=given["number"] or None,
            invoice=invoice.id,
        ),
    )


def _cents(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or int(digits) > MAX_AMOUNT:
        raise HostileInputError("not an amount in cents", where="total")
    return sign * int(digits)


def _day(text: str, name: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise HostileInputError("not a day", where=name) from None
    if not 2000 <= found.year <= 2100:
        raise HostileInputError("not a day of this century", where=name)
    return found
