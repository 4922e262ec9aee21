"""GBFS 2.x and 3.0: bicycles, scooters and cars to share, from the auto-discovery file.

Seven feeds at most are read: system_information, vehicle_types, system_pricing_plans,
station_information, station_status, and free_bike_status or vehicle_status. An address in the file
that is not https, or leads into a private network, is refused by the client; no token is sent
anywhere. Positions of vehicles are counted, never kept. Source: MobilityData/gbfs (Apache-2.0),
`gbfs.md` of v2.3 and v3.0.

Traps: times are POSIX seconds in 2.x and RFC 3339 in 3.0; texts are words in 2.x and lists by
language in 3.0; feeds are by language in 2.x; prices are numbers, and texts in old files; a feed
that is named may be missing.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from connectors.base import Rejected
from connectors.discovery.card import MAX_PLANS, OfferCard, Plan, words
from connectors.errors import ConnectorError, SourceAnswerError
from connectors.zones import is_zone
from schemas.modes import Mode

__all__ = ["FEEDS", "MAX_ITEMS", "Reads", "read_gbfs"]

FEEDS: Final = (
    "system_information",
    "vehicle_types",
    "system_pricing_plans",
    "station_information",
    "station_status",
    "free_bike_status",
    "vehicle_status",
)
MAX_ITEMS: Final = 200_000
"""Stations or vehicles of one system; the largest have some tens of thousands."""
MAX_LISTED: Final = 100
_MODES: Final[Mapping[tuple[str, bool], Mode]] = {
    ("bicycle", False): Mode.BIKESHARE,
    ("bicycle", True): Mode.BIKESHARE,
    ("cargo_bicycle", False): Mode.BIKESHARE,
    ("cargo_bicycle", True): Mode.BIKESHARE,
    ("car", False): Mode.CARSHARE,
    ("car", True): Mode.CARSHARE,
    ("moped", False): Mode.MOPED,
    ("moped", True): Mode.MOPED,
    ("scooter", True): Mode.ESCOOTER,
    ("scooter_standing", True): Mode.ESCOOTER,
    ("scooter_seated", True): Mode.ESCOOTER,
}
"""(form factor, whether a motor helps) → mode; a scooter without a motor is none of ours."""


class Reads(Protocol):
    """GET of a JSON document anywhere, within bounds (`discovery.fetching`)."""

    def __call__(self, url: str) -> Any:
        """The document. Raises the `Source…Error`s."""
        ...


def read_gbfs(address: str, read: Reads, *, language: str = "fr") -> OfferCard:
    """The system whose auto-discovery file is at `address`.

    Raises:
        SourceAnswerError: this is no GBFS, or it has no system information; the `Source…Error`s of
            these two. A further feed that cannot be read is left out, and told in `left_out`.
    """
    root = _object(read(address), "gbfs")
    version = str(root.get("version", "1.0"))[:10]
    if version.split(".")[0] not in {"2", "3"}:
        raise SourceAnswerError(where="gbfs#/version", reason="neither GBFS 2 nor 3")
    feeds = _feeds(root, language)
    if "system_information" not in feeds:
        raise SourceAnswerError(where="gbfs#/data", reason="names no system_information")
    left: list[Rejected] = []
    system = _object(_object(read(feeds["system_information"]), "system").get("data"), "system")
    found: dict[str, tuple[Mapping[str, Any], datetime | None]] = {}
    for name in FEEDS[1:]:
        if name not in feeds or (name == "free_bike_status" and "vehicle_status" in feeds):
            continue
        try:
            document = _object(read(feeds[name]), name)
            found[name] = (_object(document.get("data"), name), _time(document))
        except ConnectorError as error:
            left.append(Rejected(where=f"/{name}", code=error.code))
    stations, bounds = _stations(found, left)
    vehicles, free = _vehicles(found, left)
    docked = _docked(found)
    available = None if free is None and docked is None else (free or 0) + (docked or 0)
    times = [at for _, at in found.values() if at is not None]
    apps = _object_or_empty(system.get("rental_apps"))
    zone = system.get("timezone")
    return OfferCard(
        standard=f"gbfs-{version}",
        address=address,
        system=words(system.get("system_id")),
        name=words(system.get("name"), language),
        operator=words(system.get("operator"), language),
        modes=_modes(found, left),
        zone=zone if isinstance(zone, str) and is_zone(zone) else "",
        at=max(times, default=_time(root)),
        plans=tuple(_plans(found, left, language)),
        stations=stations,
        vehicles=vehicles,
        available=available,
        bounds=bounds,
        link=_link(system.get("url")) or _link(system.get("purchase_url")),
        licence=words(system.get("license_id")) or _link(system.get("license_url")),
        apps={
            kind: store
            for kind in ("android", "ios")
            if (store := _link(_object_or_empty(apps.get(kind)).get("store_uri")))
        },
        left_out=tuple(left[:MAX_LISTED]),
    )


def _feeds(root: Mapping[str, Any], language: str) -> dict[str, str]:
    data = _object(root.get("data"), "gbfs#/data")
    listed = data.get("feeds")
    if not isinstance(listed, list):  # 2.x: by language
        chosen = data.get(language) or next(iter(data.values()), None)
        listed = _object_or_empty(chosen).get("feeds")
    if not isinstance(listed, list) or len(listed) > 100:
        raise SourceAnswerError(where="gbfs#/data/feeds", reason="not a list of feeds")
    return {
        item["name"]: item["url"]
        for item in listed
        if isinstance(item, dict)
        and isinstance(item.get("name"), str)
        and isinstance(item.get("url"), str)
        and item["name"] in FEEDS
    }


_Found = dict[str, tuple[Mapping[str, Any], datetime | None]]


def _items(
    found: _Found, feed: str, member: str, left: list[Rejected]
) -> list[Mapping[str, Any]] | None:
    if feed not in found:
        return None
    listed = found[feed][0].get(member)
    if not isinstance(listed, list) or len(listed) > MAX_ITEMS:
        left.append(Rejected(where=f"/{feed}/{member}", code="not-a-list"))
        return None
    good: list[Mapping[str, Any]] = [item for item in listed if isinstance(item, dict)]
    if len(good) < len(listed):
        left.append(Rejected(where=f"/{feed}/{member}", code="not-an-object"))
    return good


def _stations(
    found: _Found, left: list[Rejected]
) -> tuple[int | None, tuple[float, float, float, float] | None]:
    items = _items(found, "station_information", "stations", left)
    if items is None:
        return None, None
    places = [
        (lat, lon)
        for item in items
        if (lat := _number(item.get("lat"))) is not None
        and (lon := _number(item.get("lon"))) is not None
        and -90 <= lat <= 90
        and -180 <= lon <= 180
        and (lat or lon)
    ]
    if len(places) < len(items):
        left.append(Rejected(where="/station_information/stations", code="not-a-point"))
    if not places:
        return len(items), None
    lats, lons = [lat for lat, _ in places], [lon for _, lon in places]
    return len(items), (min(lats), min(lons), max(lats), max(lons))


def _docked(found: _Found) -> int | None:
    items = _items(found, "station_status", "stations", [])
    if items is None:
        return None
    counts = [item.get("num_vehicles_available", item.get("num_bikes_available")) for item in items]
    return sum(c for c in counts if isinstance(c, int) and not isinstance(c, bool) and 0 <= c < 1e5)


def _vehicles(found: _Found, left: list[Rejected]) -> tuple[int | None, int | None]:
    items = _items(found, "vehicle_status", "vehicles", left)
    if items is None:
        items = _items(found, "free_bike_status", "bikes", left)
    if items is None:
        return None, None
    free = [x for x in items if not x.get("is_reserved") and not x.get("is_disabled")]
    undocked = [x for x in free if "station_id" not in x]  # docked ones are counted at stations
    return len(items), len(undocked)


def _modes(found: _Found, left: list[Rejected]) -> tuple[Mode, ...]:
    items = _items(found, "vehicle_types", "vehicle_types", left)
    if items is None:
        return (Mode.BIKESHARE,) if "free_bike_status" in found or "station_status" in found else ()
    modes: set[Mode] = set()
    for index, item in enumerate(items[:1_000]):
        motor = item.get("propulsion_type") != "human"
        mode = _MODES.get((str(item.get("form_factor")), motor))
        if mode is None:
            left.append(Rejected(where=f"/vehicle_types/{index}/form_factor", code="mode-unknown"))
        else:
            modes.add(mode)
    return tuple(sorted(modes))


def _plans(found: _Found, left: list[Rejected], language: str) -> Iterator[Plan]:
    for index, item in enumerate(_items(found, "system_pricing_plans", "plans", left) or []):
        if index >= MAX_PLANS:
            left.append(Rejected(where="/system_pricing_plans/plans", code="too-many"))
            return
        base = _cents(item.get("price"))
        minutes = _rate(item.get("per_min_pricing"))
        kilometres = _rate(item.get("per_km_pricing"))
        currency = item.get("currency")
        if base is None or not isinstance(currency, str) or len(currency) != 3:
            where = f"/system_pricing_plans/plans/{index}"
            left.append(Rejected(where=where, code="price-unreadable"))
            continue
        yield Plan(
            name=words(item.get("name"), language),
            description=words(item.get("description"), language),
            currency=currency,
            base=base,
            per_minute=minutes[0],
            minute_interval=minutes[1],
            per_km=kilometres[0],
            km_interval=kilometres[1],
        )


def _rate(value: Any) -> tuple[int | None, int | None]:
    """The first segment that costs: cents and interval."""
    for item in value[:20] if isinstance(value, list) else ():
        if not isinstance(item, dict):
            continue
        cents, interval = _cents(item.get("rate")), _number(item.get("interval"))
        if cents and interval and 0 < interval <= 100_000:
            return cents, round(interval)
    return None, None


def _cents(value: Any) -> int | None:
    """Units of money as cents; old files write them as texts."""
    if isinstance(value, str):
        try:
            value = float(value[:20])
        except ValueError:
            return None
    amount = _number(value)
    if amount is None or not 0 <= amount <= 1_000_000:
        return None
    return round(amount * 100)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def _time(document: Mapping[str, Any]) -> datetime | None:
    value = document.get("last_updated")
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value[:40])
            return None if moment.tzinfo is None else moment.astimezone(UTC)
        seconds = _number(value)
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _link(value: Any) -> str:
    """An https address that may be shown, else nothing."""
    text = value if isinstance(value, str) else ""
    is_good = text.startswith("https://") and text.isascii() and text.isprintable()
    return text if is_good and len(text) <= 500 and " " not in text else ""


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SourceAnswerError(where=where, reason="not an object")
    return value


def _object_or_empty(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
