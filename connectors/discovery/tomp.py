"""TOMP 1.3: `operator/information`, `operator/stations`, `operator/available-assets` and
`operator/pricing-plans` of a transport operator.

Only the discovery part of the standard: it asks for no account, it plans and books nothing. Money
is in units of the currency, as decimals. Source: TOMP-WG/TOMP-API (Apache-2.0), 1.3.0.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors.base import Rejected
from connectors.discovery.card import MAX_PLANS, OfferCard, Plan, words
from connectors.discovery.gbfs import (
    MAX_ITEMS,
    Reads,
    _cents,
    _link,
    _number,
    _object,
    _object_or_empty,
)
from connectors.errors import ConnectorError
from connectors.zones import is_zone
from schemas.modes import Mode

__all__ = ["HEADERS", "read_tomp"]

HEADERS: Final[Mapping[str, str]] = {
    "Accept-Language": "fr",
    "Api": "TOMP",
    "Api-Version": "1.3.0",
    "maas-id": "coffre-de-mobilite",
}
"""What the standard asks of every request."""
_MODES: Final[Mapping[str, Mode]] = {
    "BUS": Mode.BUS,
    "COACH": Mode.BUS,
    "TROLLEYBUS": Mode.BUS,
    "SHUTTLE": Mode.BUS,
    "TRAM": Mode.TRAM,
    "METRO": Mode.METRO,
    "RAIL": Mode.TRAIN,
    "INTERCITYRAIL": Mode.TRAIN,
    "URBANRAIL": Mode.TRAIN,
    "WATER": Mode.FERRY,
    "AIR": Mode.PLANE,
    "TAXI": Mode.TAXI,
    "BICYCLE": Mode.BIKESHARE,
    "CAR": Mode.CARSHARE,
    "MOPED": Mode.MOPED,
    "MOTORCYCLE": Mode.MOTORCYCLE,
    "STEP": Mode.ESCOOTER,
}


def read_tomp(address: str, read: Reads) -> OfferCard:
    """The operator whose TOMP endpoint is at `address`.

    Raises:
        SourceAnswerError: its information is none; the `Source…Error`s of it. A further list that
            cannot be read is left out, and told in `left_out`.
    """
    base = address.rstrip("/")
    found = _object(read(f"{base}/operator/information"), "operator/information")
    left: list[Rejected] = []

    def listed(name: str) -> list[Mapping[str, Any]] | None:
        try:
            value = read(f"{base}/operator/{name}")
        except ConnectorError as error:
            left.append(Rejected(where=f"/operator/{name}", code=error.code))
            return None
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            left.append(Rejected(where=f"/operator/{name}", code="not-a-list"))
            return None
        return [item for item in value if isinstance(item, dict)]

    stations, assets = listed("stations"), listed("available-assets")
    counts = [
        n
        for item in assets or ()
        if isinstance(n := item.get("nrAvailable"), int)
        and not isinstance(n, bool)
        and 0 <= n < 1e5
    ]
    modes: set[Mode] = set()
    for index, item in enumerate(assets or ()):
        mode = _MODES.get(str(item.get("assetClass")))
        if mode is not None:
            modes.add(mode)
        elif len(left) < MAX_PLANS:
            where = f"/operator/available-assets/{index}/assetClass"
            left.append(Rejected(where=where, code="mode-unknown"))
    zone = found.get("timezone")
    apps = _object_or_empty(found.get("rentalApps"))
    return OfferCard(
        standard="tomp-1.3",
        address=address,
        system=words(found.get("systemId")),
        name=words(found.get("name")),
        operator=words(found.get("operator")),
        modes=tuple(sorted(modes)),
        zone=zone if isinstance(zone, str) and is_zone(zone) else "",
        at=None,
        plans=tuple(_plans(listed("pricing-plans") or [], left)),
        stations=None if stations is None else len(stations),
        available=sum(counts) if counts else None,
        bounds=_bounds(stations or []),
        link=_link(found.get("url")) or _link(found.get("purchaseUrl")),
        licence=_link(found.get("licenseUrl")),
        apps={
            kind: store
            for kind in ("android", "ios")
            if (store := _link(_object_or_empty(apps.get(kind)).get("storeUri")))
        },
        left_out=tuple(left),
    )


def _bounds(stations: list[Mapping[str, Any]]) -> tuple[float, float, float, float] | None:
    places = []
    for item in stations:
        point = _object_or_empty(item.get("coordinates"))
        lat, lon = _number(point.get("lat")), _number(point.get("lng"))
        if lat is not None and lon is not None and abs(lat) <= 90 and abs(lon) <= 180:
            places.append((lat, lon))
    if not places:
        return None
    lats, lons = [lat for lat, _ in places], [lon for _, lon in places]
    return min(lats), min(lons), max(lats), max(lons)


def _plans(items: list[Mapping[str, Any]], left: list[Rejected]) -> Iterator[Plan]:
    for index, item in enumerate(items[:MAX_PLANS]):
        fare = _object_or_empty(item.get("fare"))
        listed = fare.get("parts")
        parts = [
            p for p in (listed if isinstance(listed, list) else ())[:50] if isinstance(p, dict)
        ]
        currency = next(
            (c for p in parts if isinstance(c := p.get("currencyCode"), str) and len(c) == 3), ""
        )
        base = minute = minutes = km = kms = None
        for part in parts:
            cents, units = _cents(part.get("amount")), _number(part.get("units")) or 1
            match part.get("type"), part.get("unitType"):
                case "FIXED", _:
                    base = (base or 0) + (cents or 0)
                case "FLEX", "MINUTE" | "HOUR" as unit:
                    minute, minutes = cents, round(units * (60 if unit == "HOUR" else 1))
                case "FLEX", "KM":
                    km, kms = cents, round(units)
                case _:
                    pass
        if not currency:
            where = f"/operator/pricing-plans/{index}"
            left.append(Rejected(where=where, code="price-unreadable"))
            continue
        yield Plan(
            name=words(item.get("name")),
            description=words(item.get("description")) or words(fare.get("description")),
            currency=currency,
            base=base,
            per_minute=minute,
            minute_interval=minutes,
            per_km=km,
            km_interval=kms,
        )
