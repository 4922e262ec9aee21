"""Maps and charts as SVG, drawn on the server: no script, no tile server learns where anyone was.

All text is escaped here; the results are `Markup`. Colours come from classes, so both colour schemes work.
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

WIDTH: Final = 600
HEIGHT: Final = 380
_MARGIN: Final = 48
_MAX_POINTS: Final = 400
"""A line of more points shows no more at this size (Douglas–Peucker would; even steps are enough)."""


@dataclass(frozen=True, slots=True)
class MapLine:
    """One leg on the map."""

    group: str
    """Mode group: gives the colour."""
    points: tuple[tuple[float, float], ...]
    """(latitude, longitude) in degrees, in order of travel."""
    is_known: bool = True
    """False: only the ends are known, drawn dashed."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A place on the map with its word."""

    latitude: float
    longitude: float
    label: str


def trip_map(
    lines: Sequence[MapLine], pins: Sequence[Pin], *, title: str, description: str, km: str = "km"
) -> Markup:
    """The lines and pins fitted in a 600 × 380 box, north up, with a scale; empty without a point."""
    everything = [p for line in lines for p in line.points]
    everything += [(pin.latitude, pin.longitude) for pin in pins]
    if not everything:
        return Markup("")
    south, north = min(p[0] for p in everything), max(p[0] for p in everything)
    west, east = min(p[1] for p in everything), max(p[1] for p in everything)
    middle = math.radians((south + north) / 2)
    # Equirectangular around the middle: under 0.5 % off at the size of a commute.
    metres_x = 111_320 * math.cos(middle)
    metres_y = 110_574.0
    span_x = max((east - west) * metres_x, 400.0)
    span_y = max((north - south) * metres_y, 400.0)
    scale = min((WIDTH - 2 * _MARGIN) / span_x, (HEIGHT - 2 * _MARGIN) / span_y)
    mid_x, mid_y = (west + east) / 2, (south + north) / 2

    def at(latitude: float, longitude: float) -> tuple[float, float]:
        x = WIDTH / 2 + (longitude - mid_x) * metres_x * scale
        y = HEIGHT / 2 - (latitude - mid_y) * metres_y * scale
        return round(x, 1), round(y, 1)

    out = [
        (
            f'<svg class="map" role="img" aria-labelledby="carte-t carte-d" viewBox="0 0 {WIDTH} {HEIGHT}"'
            f' width="{WIDTH}" height="{HEIGHT}">'
        ),
        f'<title id="carte-t">{escape(title)}</title><desc id="carte-d">{escape(description)}</desc>',
    ]
    step = _round_distance(max(span_x, span_y) / 4)
    pixels = step * scale
    x = (WIDTH / 2) % pixels
    while x < WIDTH:
        out.append(f'<path class="grid-line" d="M{x:.1f} 0V{HEIGHT}"/>')
        x += pixels
    y = (HEIGHT / 2) % pixels
    while y < HEIGHT:
        out.append(f'<path class="grid-line" d="M0 {y:.1f}H{WIDTH}"/>')
        y += pixels
    paths = [(line, _path([at(*p) for p in _thin(line.points)])) for line in lines if line.points]
    out += [f'<path class="halo" d="{d}"/>' for _, d in paths]
    for line, d in paths:
        dash = "" if line.is_known else " dash"
        out.append(f'<path class="way{dash} m-{escape(line.group)}" d="{d}"/>')
    taken: list[tuple[float, float]] = []
    for pin in pins:
        px, py = at(pin.latitude, pin.longitude)
        if any(math.hypot(px - qx, py - qy) < 14 for qx, qy in taken):
            continue
        taken.append((px, py))
        out.append(f'<circle class="pin" cx="{px}" cy="{py}" r="7"/>')
        if pin.label:
            y = py - 17 if py > HEIGHT / 3 else py + 32
            x = min(max(px, 60.0), WIDTH - 60.0)
            label = escape(pin.label)
            out.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{label}</text>')
    scale_text = f"{step / 1000:g} {km}" if step >= 1000 else f"{step:g} m"
    out.append(
        f'<path class="scale" d="M20 {HEIGHT - 20}h{pixels:.1f}m0 -5v10M20 {HEIGHT - 25}v10"/>'
        f'<text x="20" y="{HEIGHT - 30}">{escape(scale_text)}</text></svg>'
    )
    return Markup("".join(out))  # noqa: S704 - every text above went through escape()


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its word, its value, the value as text."""

    label: str
    value: float
    text: str
    group: str = "bicycle"


def bars(rows: Sequence[Bar], *, title: str) -> Markup:
    """Horizontal bars, the longest full width; the table beside carries the same numbers."""
    if not rows:
        return Markup("")
    top = max((row.value for row in rows), default=0) or 1
    height = 46 * len(rows)
    out = [
        (
            f'<svg class="chart" role="img" aria-label="{escape(title)}" viewBox="0 0 340 {height}" width="340"'
            f' height="{height}">'
        ),
    ]
    for index, row in enumerate(rows):
        y = index * 46
        width = max(round(340 * row.value / top, 1), 2)
        out.append(
            f'<text x="0" y="{y + 15}">{escape(row.label)}</text>'
            f'<text x="340" y="{y + 15}" text-anchor="end">{escape(row.text)}</text>'
            f'<g class="m-{escape(row.group)}"><rect class="fill" x="0" y="{y + 22}" width="{width}" height="14" rx="4"/></g>'
        )
    out.append("</svg>")
    return Markup("".join(out))  # noqa: S704 - every text above went through escape()


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in points)


def _thin(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    if len(points) <= _MAX_POINTS:
        return points
    step = math.ceil(len(points) / _MAX_POINTS)
    return [*points[::step], points[-1]]


def _round_distance(metres: float) -> float:
    power = 10 ** math.floor(math.log10(max(metres, 1)))
    for factor in (5, 2, 1):
        if metres >= factor * power:
            return float(factor * power)
    return float(power)
