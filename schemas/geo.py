"""Distances on the sphere."""

from math import asin, cos, radians, sin, sqrt
from typing import Final, Protocol

_EARTH_M: Final = 6_371_008.8
"""Mean radius, IUGG."""


class Located(Protocol):
    """Anything with WGS 84 degrees."""

    @property
    def lat(self) -> float:
        """Degrees north."""

    @property
    def lon(self) -> float:
        """Degrees east."""


def metres_between(one: Located, other: Located) -> float:
    """Great-circle distance in metres (haversine; within 0.5 % of the ellipsoid)."""
    lat1, lat2 = radians(one.lat), radians(other.lat)
    half = sin((lat2 - lat1) / 2) ** 2
    half += cos(lat1) * cos(lat2) * sin(radians(other.lon - one.lon) / 2) ** 2
    return 2 * _EARTH_M * asin(min(1.0, sqrt(half)))


__all__ = ["Located", "metres_between"]
