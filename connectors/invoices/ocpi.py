"""Charging sessions as a charging operator tells them: OCPI CDRs, 2.1.1 and 2.2.1.

One CDR, a list, or the answer of `GET /cdrs` (`{"data": […]}`). Traps: costs are decimals (an
object with and without tax in 2.2.1, a bare number *without* tax in 2.1.1, so the total is asked);
the end is `end_date_time` or `stop_date_time`; a credit CDR takes one back, whatever its sign; the
energy is told twice and must agree; coordinates are text. The operator is a code, not a name.
Source: OCPI 2.2.1-d2 and 2.1.1-d2, module CDRs.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.errors import Fault, InvoiceSumError, PushInvalidError
from connectors.invoices.draft import MAX_AMOUNT, Draft, Guess, Line

__all__ = ["MAX_SESSIONS", "is_cdr", "read_cdrs"]

MAX_SESSIONS: Final = 1_000
_ZONE: Final = ZoneInfo("Europe/Paris")
_ENERGY_OFF: Final = Decimal("0.05")
"""kWh by which rounded periods may miss the total."""
_COST_OFF: Final = 2
"""Cents by which rounded parts may miss the total."""
_PARTS: Final = (
    "total_fixed_cost",
    "total_energy_cost",
    "total_time_cost",
    "total_parking_cost",
    "total_reservation_cost",
)


class _Faulty(Exception):  # private, never leaves
    def __init__(self, where: str, code: str, detail: str) -> None:
        self.fault = Fault(where, code, detail)
        super().__init__(code)


def is_cdr(document: Any) -> bool:
    """Whether it is a CDR, a list that begins with one, or an answer that holds them."""
    found = _listed(document)
    first = found[0] if found else None
    return isinstance(first, dict) and "total_cost" in first and "charging_periods" in first


def _listed(document: Any) -> list[Any]:
    if isinstance(document, dict) and "total_cost" not in document:
        document = document.get("data")
    return document if isinstance(document, list) else [document]


def read_cdrs(document: Any) -> tuple[Draft, ...]:
    """One draft a session.

    Raises:
        PushInvalidError: with every place that is wrong. InvoiceSumError: energy or costs that do
            not add up.
    """
    found = _listed(document)
    if not 1 <= len(found) <= MAX_SESSIONS:
        raise PushInvalidError([Fault("/data", "length", f"a list of 1 to {MAX_SESSIONS}")])
    drafts: list[Draft] = []
    faults: list[Fault] = []
    for number, cdr in enumerate(found):
        where = f"/{number}" if len(found) > 1 else ""
        try:
            drafts.append(_session(cdr, where))
        except _Faulty as error:
            faults.append(error.fault)
    if faults:
        raise PushInvalidError(faults[:100])
    return tuple(drafts)


def _session(cdr: Any, where: str) -> Draft:
    if not isinstance(cdr, dict):
        raise _Faulty(where, "type", "an object")
    party = "*".join(
        text for name in ("country_code", "party_id") if (text := _text(cdr, name, where, 3, True))
    )
    identity = _text(cdr, "id", where, 39)
    started = _instant(cdr, "start_date_time", where)
    end = "end_date_time" if "end_date_time" in cdr else "stop_date_time"
    ended = _instant(cdr, end, where)
    if ended < started:
        raise _Faulty(f"{where}/{end}", "order", "not before the start")
    currency = _text(cdr, "currency", where, 3).upper()
    energy = _number(cdr.get("total_energy"), f"{where}/total_energy")
    cost, untaxed = _cost(cdr.get("total_cost"), f"{where}/total_cost")
    _agree(cdr, where, energy)
    is_credit = cdr.get("credit") is True
    if is_credit:
        cost = -abs(cost)
    location = cdr.get("cdr_location") or cdr.get("location")
    place = _text(location, "name", where, 255, True) if isinstance(location, dict) else ""
    operator = location.get("operator") if isinstance(location, dict) else None
    name = _text(operator, "name", where, 100, True) if isinstance(operator, dict) else ""
    day = ended.astimezone(_ZONE).date().isoformat()
    fields = {
        "issuer": Guess(name or party or "?", 1.0 if name or party else 0.0),
        "number": Guess(identity),
        "day": Guess(day),
        "total": Guess(str(cost), 0.5 if untaxed else 1.0),
    }
    kwh = f"{energy.normalize():f}".replace(".", ",")
    label = f"Recharge {kwh} kWh" + (f", {place}" if place else "")
    return Draft(
        format="ocpi",
        fields=fields,
        lines=(Line(label[:300], 1, cost),),
        currency=currency,
        notes=(*(("vat-unknown",) if untaxed else ()), *(("credit",) if is_credit else ())),
        extra={
            "ocpi:id": identity,
            "ocpi:energyWh": int(energy * 1000),
            "ocpi:seconds": int((ended - started).total_seconds()),
            **({"ocpi:creditOf": str(cdr["credit_reference_id"])[:39]}
               if is_credit and cdr.get("credit_reference_id") else {}),
        },
    )  # fmt: skip


def _agree(cdr: Mapping[str, Any], where: str, energy: Decimal) -> None:
    """Periods give the energy, parts give the cost; what is not told is not checked."""
    broken = []
    told = [
        _number(dimension.get("volume"), f"{where}/charging_periods/{index}")
        for index, period in enumerate(_dicts(cdr.get("charging_periods")))
        for dimension in _dicts(period.get("dimensions"))
        if dimension.get("type") == "ENERGY"
    ]
    if told and abs(sum(told) - energy) > _ENERGY_OFF:
        broken.append("ocpi-energy")
    parts = [name for name in _PARTS if cdr.get(name) is not None]
    if "total_energy_cost" in parts and isinstance(cdr.get("total_cost"), dict):
        whole = _number(cdr["total_cost"].get("excl_vat"), f"{where}/total_cost/excl_vat")
        added = Decimal(0)
        for name in parts:
            part = cdr[name]
            value = part.get("excl_vat") if isinstance(part, dict) else part
            added += _number(value, f"{where}/{name}")
        if abs(added - whole) * 100 > _COST_OFF:
            broken.append("ocpi-cost")
    if broken:
        raise InvoiceSumError(broken)


def _cost(value: Any, where: str) -> tuple[int, bool]:
    """(cents, whether the tax is missing)."""
    if isinstance(value, dict):
        excluded = _cents(value.get("excl_vat"), f"{where}/excl_vat")
        if value.get("incl_vat") is None:
            return excluded, True
        included = _cents(value["incl_vat"], f"{where}/incl_vat")
        if abs(included) < abs(excluded):
            raise InvoiceSumError(["ocpi-vat"])
        return included, False
    return _cents(value, where), True


def _cents(value: Any, where: str) -> int:
    found = int((_number(value, where) * 100).to_integral_value(rounding="ROUND_HALF_UP"))
    if abs(found) > MAX_AMOUNT:
        raise _Faulty(where, "range", "an amount of a charging session")
    return found


def _number(value: Any, where: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _Faulty(where, "type", "a number")
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise _Faulty(where, "type", "a number") from None
    if not found.is_finite() or abs(found) >= 10**9:
        raise _Faulty(where, "range", "a number of a charging session")
    return found


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    found = value if isinstance(value, list) else []
    return [item for item in found[:10_000] if isinstance(item, dict)]


def _text(given: Any, name: str, where: str, limit: int, optional: bool = False) -> str:
    value = given.get(name)
    if optional and value is None:
        return ""
    if not isinstance(value, str) or not value.strip() or len(value) > limit:
        raise _Faulty(f"{where}/{name}", "type", f"a text of 1 to {limit} characters")
    return " ".join(value.split())


def _instant(given: Mapping[str, Any], name: str, where: str) -> datetime:
    value = given.get(name)
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise _Faulty(f"{where}/{name}", "type", "a date and time")
    # OCPI: a time without a zone is UTC.
    moment = found if found.tzinfo else found.replace(tzinfo=UTC)
    if not 2000 <= moment.year <= 2100:
        raise _Faulty(f"{where}/{name}", "range", "a date of this century")
    return moment.astimezone(UTC)
