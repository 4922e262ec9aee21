"""Civil days of the rule language: `31/12/2026`, and how long between two of them.

The counts follow publicodes 1.10.3 (MIT): months by their share, years of 365 days without the
29 February in between, civil quarters and years by their number.
"""

import re
from calendar import isleap, monthrange
from datetime import date
from typing import Final

__all__ = ["DURATION_UNITS", "elapsed", "normal_day", "read_day"]

DURATION_UNITS: Final = ("jour", "mois", "an", "trimestre", "trimestre civil", "année civile")
_DAY: Final = re.compile(r"(\d{2})/(\d{2})/(\d{4})")


def normal_day(text: str) -> str:
    """`1/2/2026` and `02/2026` as `01/02/2026`.

    Raises:
        ValueError: no such day.
    """
    parts = [int(part) for part in text.split("/")]
    day, month, year = parts if len(parts) == 3 else [1, *parts]
    return date(year, month, day).strftime("%d/%m/") + f"{year:04d}"


def read_day(value: object) -> date | None:
    """The day a text names; None when it is not a date of the language."""
    found = _DAY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        return date(int(found[3]), int(found[2]), int(found[1]))
    except ValueError:
        return None


def elapsed(since: date, until: date, unit: str) -> float:
    """How long, in one of `DURATION_UNITS`; negative when `until` is before `since`."""
    match unit:
        case "jour":
            return float((until - since).days)
        case "mois":
            return _months(since, until)
        case "trimestre":
            return _months(since, until) / 3
        case "trimestre civil":
            return float(_months(_quarter(since), _quarter(until)) // 3 + 1)
        case "année civile":
            return float(
                _years(since.replace(day=1, month=1), until.replace(day=1, month=1)) // 1 + 1
            )
        case _:
            return _years(since, until)


def _months(since: date, until: date) -> float:
    full = until.month - since.month + 12 * (until.year - since.year)
    begun = (since.day - 1) / monthrange(since.year, since.month)[1]
    ended = until.day / monthrange(until.year, until.month)[1]
    return full - begun + ended


def _quarter(day: date) -> date:
    return day.replace(day=1, month=3 * ((day.month - 1) // 3) + 1)


def _years(since: date, until: date) -> float:
    # The reference engine looks at `since` for both ends; an age at its birthday stays whole.
    is_late = (since.month, since.day) >= (3, 1)
    first, last = since.year + is_late, until.year - (not is_late)
    leaps = sum(isleap(year) for year in range(first, last + 1))
    return ((until - since).days - leaps) / 365
