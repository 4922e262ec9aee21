"""A trip, a pass and a receipt of the mobility account, as observations.

Distances are metres, amounts whole cents, instants RFC 3339 with their offset, days `YYYY-MM-DD`,
zones IANA. Members nobody here knows are passed over: an operator may say more. What an operator
says is its word (`ClaimBy.OPERATOR`); the class of evidence is computed in the vault, from what the
registry lets this home's connector attest.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from connectors.base import UNNAMED, identified
from connectors.errors import HostileInputError
from connectors.invoices.draft import MAX_AMOUNT, Line, is_siret, records_of, stable_iri
from connectors.parsing import (
    UnusableError,
    as_object,
    coordinates,
    interval,
    iso_instant,
    metres,
    pointer,
    speed,
    text,
    zone_name,
)
from schemas.errors import RecordError
from schemas.modes import Mode
from schemas.observations import (
    ClaimBy,
    DocumentObservation,
    LegObservation,
    ModeClaim,
    Observation,
    TripObservation,
)
from schemas.records import Place, Subscription
from schemas.units import Metres

__all__ = ["SOURCE", "read_item", "updated_at"]

SOURCE: Final = "operator-account"
MAX_ID: Final = 128
MAX_LEGS: Final = 50
MAX_LINES: Final = 100
_STATES: Final = ("completed", "cancelled")


def read_item(
    resource: str, item: Any, where: str, *, address: str, account: str, at: datetime
) -> tuple[Observation, ...]:
    """The observations of one item of `trips`, `passes` or `receipts`; `address` is the operator's:
    its numbers are its own.

    Raises:
        UnusableError: with the place and the rule.
    """
    found = as_object(item, where)
    updated = updated_at(found, where, at=at)
    try:
        match resource:
            case "trips":
                return (_trip(found, where, updated, account=account, at=at),)
            case "passes":
                record: Any = _pass(found, where, address=address)
                records = (record,)
            case _:
                records = _receipt(found, where)
    except RecordError as error:
        raise UnusableError(error.code, where + (error.where or "")) from None
    return tuple(
        identified(
            DocumentObservation(
                id=UNNAMED, source=SOURCE, account=account, written_at=updated, record=record
            )
        )
        for record in records
    )


def updated_at(item: Mapping[str, Any], where: str, *, at: datetime) -> datetime:
    """When the operator last changed the item: what the next run begins from."""
    return iso_instant(item.get("updatedAt"), where + "/updatedAt", at=at)


def _trip(
    item: Mapping[str, Any], where: str, updated: datetime, *, account: str, at: datetime
) -> TripObservation:
    started = iso_instant(item.get("startedAt"), where + "/startedAt", at=at)
    ended = iso_instant(item.get("endedAt"), where + "/endedAt", at=at)
    interval(started, ended, where + "/endedAt")
    zone = zone_name(item.get("timeZone"), where + "/timeZone")
    end_zone = zone
    if item.get("endTimeZone") is not None:
        end_zone = zone_name(item["endTimeZone"], where + "/endTimeZone")
    distance = metres(item.get("distance"), where + "/distance")
    speed(distance, started, ended, where + "/distance")
    state = item.get("state", "completed")
    if state not in _STATES:
        raise UnusableError("state-unknown", where + "/state")
    claim = _claim(item.get("mode"), where + "/mode")
    extra: dict[str, Any] = {}
    if item.get("price") is not None:
        price = as_object(item["price"], where + "/price")
        extra["priceCents"] = _cents(price.get("amount"), where + "/price/amount")
        extra["currency"] = _currency(price, where + "/price")
    return identified(
        TripObservation(
            id=UNNAMED,
            source=SOURCE,
            account=account,
            upstream_ids=(_id(item, where),),
            written_at=updated,
            started_at=started,
            ended_at=ended,
            start_zone=zone,
            end_zone=end_zone,
            origin=_place(item.get("origin"), where + "/origin", zone=zone),
            destination=_place(item.get("destination"), where + "/destination", zone=end_zone),
            legs=_legs(item.get("legs"), where + "/legs", zone=zone, at=at),
            distance=Metres(distance),
            mode_claims=(claim,),
            cancelled=state == "cancelled",
            extra=extra,
        )
    )


def _legs(value: Any, where: str, *, zone: str, at: datetime) -> tuple[LegObservation, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_LEGS:
        raise UnusableError("not-a-list", where)
    legs = []
    for index, given in enumerate(value):
        place = where + pointer(index)
        leg = as_object(given, place)
        started = iso_instant(leg.get("startedAt"), place + "/startedAt", at=at)
        ended = iso_instant(leg.get("endedAt"), place + "/endedAt", at=at)
        interval(started, ended, place + "/endedAt")
        distance = metres(leg.get("distance"), place + "/distance")
        speed(distance, started, ended, place + "/distance")
        legs.append(
            LegObservation(
                mode_claims=(_claim(leg.get("mode"), place + "/mode"),),
                distance=Metres(distance),
                started_at=started,
                ended_at=ended,
                origin=_place(leg.get("origin"), place + "/origin", zone=zone),
                destination=_place(leg.get("destination"), place + "/destination", zone=zone),
            )
        )
    return tuple(legs)


def _claim(value: Any, where: str) -> ModeClaim:
    try:
        return ModeClaim(mode=Mode(value), by=ClaimBy.OPERATOR)
    except ValueError:
        raise UnusableError("mode-unknown", where) from None


def _place(value: Any, where: str, *, zone: str) -> Place | None:
    """A place; None where the operator does not know it (a bus pass knows where one got on)."""
    if value is None:
        return None
    place = as_object(value, where)
    lat, lon = coordinates(place.get("lat"), place.get("lon"), where, zone=zone)
    label = text(place["label"], where + "/label") if place.get("label") is not None else None
    return Place(lat=lat, lon=lon, label=label or None)


def _pass(item: Mapping[str, Any], where: str, *, address: str) -> Subscription:
    name, siret = _company(item.get("network"), where + "/network")
    since = _day(item.get("validFrom"), where + "/validFrom")
    until = _day(item.get("validUntil"), where + "/validUntil")
    if until < since:
        raise UnusableError("ends-before-start", where + "/validUntil")
    paid = _words(item, "receiptNumber", where, optional=True)
    return Subscription(
        id=stable_iri("operator-pass", address, _id(item, where)),
        network=name,
        product=_words(item, "product", where),
        holder=_words(item, "holder", where, optional=True) or None,
        payer=_words(item, "payer", where, optional=True) or None,
        valid_from=since,
        valid_until=until,
        number=_words(item, "number", where, optional=True) or None,
        invoice=stable_iri("invoice", siret or name, paid) if paid else None,
    )


def _receipt(item: Mapping[str, Any], where: str) -> tuple[Any, ...]:
    name, siret = _company(item.get("issuer"), where + "/issuer")
    number = _words(item, "number", where)
    total = _cents(item.get("total"), where + "/total", signed=True)
    lines = []
    given = item.get("lines", [])
    if not isinstance(given, list) or len(given) > MAX_LINES:
        raise UnusableError("not-a-list", where + "/lines")
    for index, one in enumerate(given):
        place = where + "/lines" + pointer(index)
        line = as_object(one, place)
        quantity = line.get("quantity", 1)
        if isinstance(quantity, bool) or not isinstance(quantity, int) or not 0 < quantity <= 1_000:
            raise UnusableError("quantity-implausible", place + "/quantity")
        lines.append(
            Line(
                _words(line, "label", place),
                quantity,
                _cents(line.get("unitAmount"), place + "/unitAmount", signed=True),
            )
        )
    if lines and sum(line.quantity * line.unit_amount for line in lines) != total:
        raise UnusableError("receipt-sums", where + "/lines")
    _id(item, where)
    values = {
        "issuer": name,
        "siret": siret,
        "number": number,
        "day": _day(item.get("issuedOn"), where + "/issuedOn").isoformat(),
        "total": str(total),
        "payer": _words(item, "payer", where, optional=True),
        "holder": _words(item, "holder", where, optional=True),
    }
    if item.get("period") is not None:
        period = as_object(item["period"], where + "/period")
        for key, member in (("valid_from", "from"), ("valid_until", "until")):
            values[key] = _day(period.get(member), f"{where}/period/{member}").isoformat()
    try:
        return records_of(
            values,
            lines=lines,
            currency=_currency(item, where),
            extra={"invoiceFormat": SOURCE},
            # The number an issuer gave names the invoice whatever way it comes in.
            iri=stable_iri("invoice", siret or name, number),
        )
    except HostileInputError as error:
        raise UnusableError("not-a-receipt", f"{where}/{error.where}") from None


def _company(value: Any, where: str) -> tuple[str, str]:
    """Name, and SIRET where it is one."""
    found = as_object(value, where)
    siret = found.get("siret")
    digits = siret.replace(" ", "") if isinstance(siret, str) else ""
    if digits and not is_siret(digits):
        raise UnusableError("siret-invalid", where + "/siret")
    return _words(found, "name", where), digits


def _words(found: Mapping[str, Any], name: str, where: str, *, optional: bool = False) -> str:
    value = found.get(name)
    if value is None and optional:
        return ""
    cleaned = text(value, where + pointer(name), limit=300)
    if not cleaned and not optional:
        raise UnusableError("not-a-text", where + pointer(name))
    return " ".join(cleaned.split())


def _id(item: Mapping[str, Any], where: str) -> str:
    """Cut, two identifiers could become one: a long one is refused, unlike a long label."""
    identity = text(item.get("id"), where + "/id", limit=MAX_ID + 1)
    if not identity:
        raise UnusableError("not-a-text", where + "/id")
    if len(identity) > MAX_ID:
        raise UnusableError("id-too-long", where + "/id")
    return identity


def _cents(value: Any, where: str, *, signed: bool = False) -> int:
    low = -MAX_AMOUNT if signed else 0
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= MAX_AMOUNT:
        raise UnusableError("not-cents", where)
    return value


def _currency(found: Mapping[str, Any], where: str) -> str:
    value = found.get("currency", "EUR")
    if not isinstance(value, str) or len(value) != 3 or not value.isascii() or not value.isupper():
        raise UnusableError("currency-unknown", where + "/currency")
    return value


def _day(value: Any, where: str) -> date:
    if not isinstance(value, str) or len(value) != 10:
        raise UnusableError("not-a-day", where)
    try:
        found = date.fromisoformat(value)
    except ValueError:
        raise UnusableError("not-a-day", where) from None
    if not 2000 <= found.year <= 2100:
        raise UnusableError("not-a-day", where)
    return found
