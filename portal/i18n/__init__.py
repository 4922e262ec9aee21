"""Words on the page: French source texts, English translations, numbers and dates.

The French text is the key (as in gettext); `en.json` holds the English of each. Placeholders are `{name}`.
A missing English text falls back to French, and `tests/unit/portal/test_i18n.py` makes that a failure.
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel import dates, numbers

from schemas.extensions import installed

LANGUAGES: Final = ("fr", "en")
DEFAULT_ZONE: Final = "Europe/Paris"

__all__ = ["LANGUAGES", "N_", "Translator", "catalogue", "negotiate", "translator"]


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for "translate later"
    """Mark `text` for the catalogue; it is translated where it is shown."""
    return text


@cache
def catalogue() -> Mapping[str, str]:
    """French text → English text."""
    raw = resources.files("portal.i18n").joinpath("en.json").read_text("utf-8")
    table: dict[str, str] = json.loads(raw)
    return table


@cache
def _english() -> Mapping[str, str]:
    """The catalogue, and what installed extensions say on their own pages."""
    own = [extension.english for extension in installed().values()]
    return {**{fr: en for table in own for fr, en in table.items()}, **catalogue()}


def negotiate(accept_language: str | None, chosen: str | None = None) -> str:
    """Language of the answer: the person's own choice first, then the browser's order, else French."""
    if chosen in LANGUAGES:
        return str(chosen)
    ranked: list[tuple[float, str]] = []
    for part in (accept_language or "").split(",")[:20]:
        tag, _, rest = part.strip().partition(";")
        try:
            weight = float(rest.strip().removeprefix("q=")) if rest else 1.0
        except ValueError:
            continue
        primary = tag.split("-")[0].lower()
        if primary in LANGUAGES:
            ranked.append((-weight, primary))
    return min(ranked)[1] if ranked else "fr"


@dataclass(frozen=True, slots=True)
class Translator:
    """Texts, amounts, distances and dates in one language."""

    language: str

    def __call__(self, text: str, **values: Any) -> str:
        """`text` in this language, its `{placeholders}` filled."""
        shown = text if self.language == "fr" else _english().get(text, text)
        return shown.format(**values) if values else shown

    def n(self, one: str, many: str, count: int, **values: Any) -> str:
        """Singular or plural: French takes the singular for 0 and 1, English for 1 only."""
        singular = abs(count) < 2 if self.language == "fr" else abs(count) == 1
        return self(one if singular else many, n=self.number(count), **values)

    def number(self, value: float, decimals: int = 0) -> str:
        """`1 234,5` or `1,234.5`."""
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        return numbers.format_decimal(value, format=pattern, locale=self._locale)

    def amount(self, cents: int) -> str:
        """Cents as euros; no decimals when they are zero."""
        decimals = "¤#,##0" if self.language == "en" else "#,##0 ¤"
        if cents % 100:
            return numbers.format_currency(cents / 100, "EUR", locale=self._locale)
        return numbers.format_currency(
            cents // 100, "EUR", format=decimals, locale=self._locale, currency_digits=False
        )

    def distance(self, metres: float) -> str:
        """Metres under one kilometre, else kilometres with one decimal under 100."""
        if metres < 1000:
            return f"{self.number(round(metres))} m"
        return f"{self.number(metres / 1000, 1 if metres < 100_000 else 0)} km"

    def minutes(self, seconds: float) -> str:
        """`45 min` or `1 h 05`."""
        total = round(seconds / 60)
        if total < 60:
            return f"{total} min"
        hours, rest = divmod(total, 60)
        return f"{self.number(hours)} h {rest:02d}" if hours < 100 else f"{self.number(hours)} h"

    def co2(self, grams: float) -> str:
        """Grams under one kilogram, else kilograms, of CO2 equivalent."""
        if grams < 1000:
            return f"{self.number(round(grams))} g CO₂e"
        return f"{self.number(grams / 1000, 1)} kg CO₂e"

    def day(self, value: date | str, form: str = "full") -> str:
        """A civil day: `full`, `long`, `short` or `month`."""
        if isinstance(value, str):
            value = date.fromisoformat(value[:10])
        pattern = {
            "month": "MMMM y",
            "month_only": "LLLL",
            "short": "dd/MM/y",
            "weekday": "EEEE d MMMM",
        }.get(form, form)
        shown = dates.format_date(value, format=pattern, locale=self._locale)
        if self.language == "fr" and value.day == 1 and form in ("full", "long", "weekday"):
            shown = re.sub(r"\b1 ", "1er ", shown, count=1)
        return (
            shown[:1].upper() + shown[1:]
            if form in ("month", "month_only", "full", "weekday")
            else shown
        )

    def clock(self, value: datetime, zone: str = DEFAULT_ZONE) -> str:
        """Hour and minute at the place: `07:42`."""
        return value.astimezone(ZoneInfo(zone)).strftime("%H:%M")

    def moment(self, value: datetime | str, zone: str = DEFAULT_ZONE) -> str:
        """Day and hour: `21/11/2026 à 07:42`."""
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        local = value.astimezone(ZoneInfo(zone))
        joint = "à" if self.language == "fr" else "at"
        return f"{local:%d/%m/%Y} {joint} {local:%H:%M}"

    @property
    def _locale(self) -> str:
        return "fr_FR" if self.language == "fr" else "en_GB"


@cache
def translator(language: str) -> Translator:
    """The translator of `language`; unknown languages read French."""
    return Translator(language if language in LANGUAGES else "fr")
