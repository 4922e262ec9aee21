"""A row of an operator's table, read into what cannot be wrong; or the column that is, and why."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from connectors.issuer.settings import NEEDED, Produces, Source
from connectors.mapping import french_number, instant_of
from connectors.parsing import UnusableError, coordinates, interval, metres, plausible, speed, text
from schemas.modes import Mode

__all__ = ["Row", "read_row"]

_YES: Final = frozenset({"1", "true", "yes", "oui", "vrai", "x"})
_NO: Final = frozenset({"", "0", "false", "no", "non", "faux"})
_MAX_REFERENCE: Final = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One record of the operator's, as this kit keeps it."""

    source: str
    reference: str
    """The operator's own name of it: the same again is the same record."""
    customer: str
    produces: Produces
    is_cancelled: bool
    values: Mapping[str, Any]
    """Members by field: instants and days as ISO 8601 text, metres and cents as whole numbers."""
    taken_at: datetime | None = None
    """When this version of it was first read."""

    @property
    def digest(self) -> str:
        """Of everything the row says: another one is another version."""
        said = [self.customer, self.produces, self.is_cancelled, dict(sorted(self.values.items()))]
        return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


def read_row(raw: Mapping[str, Any], source: Source, *, at: datetime) -> Row:
    """Read one row.

    Raises:
        UnusableError: `where` is the operator's name of the column: `missing`, `not-a-time`,
            `not-a-day`, `not-a-number`, `unknown-word`, `not-a-text`, and those of a ride
            (`ends-before-start`, `time-in-future`, `speed-implausible`…).
    """
    read = _Reader(raw, source, at)
    for name in NEEDED[source.produces]:
        if not read.plain(name):
            raise UnusableError("missing", source.column(name))
    cancelled = read.plain("cancelled").casefold()
    if cancelled not in _YES | _NO:
        raise UnusableError("unknown-word", source.column("cancelled"))
    match source.produces:
        case Produces.JOURNEY:
            values = _ride(read, Mode.CARPOOL) | read.some("registerClass", "registerStatus")
            values["role"] = read.word("role", ("passenger", "driver")) or "passenger"
            if values.get("registerClass") not in (None, "A", "B", "C"):
                raise UnusableError("unknown-word", source.column("registerClass"))
        case Produces.RENTAL:
            values = _ride(read, Mode.BIKESHARE) | read.some("network", "vehicleType")
            values |= read.cents("amount")
        case Produces.PASS:
            values = read.some("network", "product", "holder", "payer", "number")
            values |= read.days("validFrom", "validUntil") | read.cents("amount")
        case Produces.INVOICE:
            values = read.some("number", "holder", "payer") | read.days("issuedOn")
            values |= read.days("validFrom", "validUntil") | read.cents("total")
    if values.get("validFrom", "") > values.get("validUntil", "9999"):
        raise UnusableError("ends-before-start", source.column("validUntil"))
    reference = read.plain("reference")
    if len(reference) > _MAX_REFERENCE:
        raise UnusableError("too-long", source.column("reference"))
    return Row(
        source=source.name,
        reference=reference,
        customer=read.plain("customer")[:_MAX_REFERENCE],
        produces=source.produces,
        is_cancelled=cancelled in _YES,
        values=values,
    )


def _ride(read: "_Reader", otherwise: Mode) -> dict[str, Any]:
    started, ended = read.instant("startedAt"), read.instant("endedAt")
    interval(started, ended, read.column("endedAt"))
    mode = read.word("mode", tuple(Mode))
    values: dict[str, Any] = {
        "startedAt": started.isoformat(),
        "endedAt": ended.isoformat(),
        "mode": mode or str(read.source.mode or otherwise),
    }
    if read.plain("distance"):
        unit = 1_000 if read.source.distance_unit == "km" else 1
        values["distance"] = metres(read.number("distance") * unit, read.column("distance"))
        speed(values["distance"], started, ended, read.column("distance"))
    for side in ("origin", "destination"):
        lat, lon = read.plain(f"{side}Lat"), read.plain(f"{side}Lon")
        if lat or lon:
            where = read.column(f"{side}Lat")
            point = coordinates(
                read.number(f"{side}Lat"), read.number(f"{side}Lon"), where, zone=read.source.zone
            )
            values[side] = list(point)
    return values


class _Reader:
    """Columns of one row, by our field names."""

    def __init__(self, raw: Mapping[str, Any], source: Source, at: datetime) -> None:
        self.raw, self.source, self.at = raw, source, at

    def column(self, name: str) -> str:
        return self.source.column(name)

    def plain(self, name: str) -> str:
        value = self.raw.get(self.column(name))
        if value is None:
            return ""
        if isinstance(value, datetime | date):
            return value.isoformat()
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            value = str(value)
        said = text(str(value), self.column(name))
        return self.source.values.get(name, {}).get(said, said)

    def some(self, *names: str) -> dict[str, Any]:
        return {name: said for name in names if (said := self.plain(name))}

    def word(self, name: str, allowed: tuple[str, ...]) -> str:
        said = self.plain(name)
        if said and said not in allowed:
            raise UnusableError("unknown-word", self.column(name))
        return said

    def number(self, name: str) -> float:
        value = french_number(self.plain(name))
        if value is None:
            raise UnusableError("not-a-number", self.column(name))
        return value

    def cents(self, name: str) -> dict[str, Any]:
        """Euros, decimal comma or point, as whole cents."""
        if not self.plain(name):
            return {}
        value = self.number(name)
        if not 0 <= value <= 1e6:
            raise UnusableError("not-a-number", self.column(name))
        return {name: round(value * 100)}

    def instant(self, name: str) -> datetime:
        found = instant_of(self.plain(name), self.source.dates, self.source.zone)
        if found is None:
            raise UnusableError("not-a-time", self.column(name))
        return plausible(found, self.column(name), at=self.at)

    def days(self, *names: str) -> dict[str, Any]:
        found = {}
        for name in names:
            said = self.plain(name)
            if not said:
                continue
            try:
                if self.source.dates == "iso":
                    found[name] = date.fromisoformat(said[:10]).isoformat()
                else:
                    form = self.source.dates.partition(" ")[0]
                    day = datetime.strptime(said.partition(" ")[0], form)  # noqa: DTZ007  # a day
                    found[name] = day.date().isoformat()
            except ValueError:
                raise UnusableError("not-a-day", self.column(name)) from None
        return found
