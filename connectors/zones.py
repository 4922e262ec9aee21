"""Time zones and where they are: to know a zone's name, and to see that latitude and longitude
were swapped.

Source: the IANA time zone database's `zone.tab` as packaged by PyPI `tzdata` (public domain): one
reference point a zone.
"""

import math
from functools import cache
from importlib import resources
from typing import Final
from zoneinfo import available_timezones

FAR_M: Final = 2_500_000
"""A point so far from its zone's reference point is suspect…"""
NEAR_M: Final = 1_500_000
"""…and swapped for certain when its mirror lies so near. Metropolitan France is within 900 km of
Paris."""
_EARTH_RADIUS_M: Final = 6_371_008.8


@cache
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


def is_zone(name: str) -> bool:
    """Whether `name` is an IANA zone known here."""
    return name in _known()


@cache
def _references() -> dict[str, tuple[float, float]]:
    table = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    found = {}
    for line in table.splitlines():
        if line and not line.startswith("#"):
            _, place, zone, *_ = line.split("\t")
            cut = max(place.rfind("+"), place.rfind("-"))
            found[zone] = (_degrees(place[:cut], 2), _degrees(place[cut:], 3))
    return found


def _degrees(text: str, width: int) -> float:
    """ISO 6709 `±DDMM[SS]` or `±DDDMM[SS]` in degrees."""
    sign, digits = (-1 if text[0] == "-" else 1), text[1:]
    degrees, minutes, seconds = digits[:width], digits[width : width + 2], digits[width + 2 :]
    return sign * (int(degrees) + int(minutes) / 60 + int(seconds or 0) / 3600)


def distance_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance in metres between two (lat, lon), on a sphere (haversine, error under
    0.6 %)."""
    lat_a, lat_b = math.radians(a[0]), math.radians(b[0])
    half_lat, half_lon = (lat_b - lat_a) / 2, math.radians(b[1] - a[1]) / 2
    h = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lon) ** 2
    return 2 * _EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, h)))


def is_swapped(lat: float, lon: float, zone: str) -> bool:
    """Whether (lat, lon) makes sense in `zone` only the other way round.

    Zones with no reference point (`Etc/UTC`) prove nothing.
    """
    reference = _references().get(zone)
    if reference is None or not -90 <= lon <= 90:
        return False
    return distance_m((lat, lon), reference) > FAR_M and distance_m((lon, lat), reference) < NEAR_M


__all__ = ["distance_m", "is_swapped", "is_zone"]
