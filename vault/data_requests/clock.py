"""How long a company has to answer, and where a request stands on a given day.

GDPR article 12(3): one month from receipt; two more where the company says so, with its reasons,
within that month. Counted by regulation (EEC, Euratom) no 1182/71, article 3, as the EDPB does
(Guidelines 01/2022, § 157): the period ends on the day of the same date, on the month's last day
where there is none; a Saturday, a Sunday or a public holiday moves the end to the next working
day. Public holidays are the French ones (Code du travail, L. 3133-1): the citizen's supervisory
authority is the CNIL.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from typing import Final

from schemas.records import DataRequest

__all__ = ["EXTENSION_MONTHS", "TERM_MONTHS", "Standing", "State", "due_on", "standing"]

TERM_MONTHS: Final = 1
EXTENSION_MONTHS: Final = 2


class State(StrEnum):
    """Where a request stands."""

    WRITTEN = "written"
    WAITING = "waiting"
    OVERDUE = "overdue"
    ANSWERED = "answered"
    REFUSED = "refused"
    COMPLAINED = "complained"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Standing:
    """A request on one day."""

    state: State
    due_on: date | None = None
    """Last day to answer; None before it was sent."""
    days_left: int | None = None
    """Until `due_on`, while it is waited for; negative when late."""
    is_extended: bool = False
    is_late_extension: bool = False
    """The company asked for more time after its month: that changes nothing."""

    @property
    def may_complain(self) -> bool:
        """Silence past the term, or a refusal (GDPR article 77; an incomplete answer too: the
        citizen says that it is one by leaving the request open)."""
        return self.state in {State.OVERDUE, State.REFUSED}

    @property
    def asks_attention(self) -> bool:
        """Whether the citizen has something to do."""
        soon = self.state is State.WAITING and self.days_left is not None and self.days_left <= 5
        return soon or self.state in {State.WRITTEN, State.OVERDUE, State.REFUSED}


def due_on(received: date, *, months: int = TERM_MONTHS) -> date:
    """The last day to answer a request received on `received`."""
    year, month = divmod(received.year * 12 + received.month - 1 + months, 12)
    month += 1
    day = date(year, month, min(received.day, monthrange(year, month)[1]))
    while day.isoweekday() > 5 or day in _holidays(day.year):
        day += timedelta(days=1)
    return day


@cache
def _holidays(year: int) -> frozenset[date]:
    """Code du travail, L. 3133-1."""
    easter = _easter(year)
    fixed = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
    return frozenset(
        {date(year, month, day) for month, day in fixed}
        | {easter + timedelta(days=after) for after in (1, 39, 50)}
    )


def _easter(year: int) -> date:
    """Easter Sunday (Gregorian), by the algorithm of Meeus, Astronomical Algorithms, chapter 8."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    weekday = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 19 * weekday) // 433
    month = (h + weekday - 7 * m + 90) // 25
    return date(year, month, (h + weekday - 7 * m + 33 * month + 19) % 32)


def standing(request: DataRequest, on: date) -> Standing:
    """Where `request` stands on the civil day `on`."""
    if request.sent_on is None:
        return Standing(State.CLOSED if request.closed_on else State.WRITTEN)
    due = first = due_on(request.sent_on)
    said = request.extended_on
    extended = said is not None and said <= first
    if extended:
        due = due_on(request.sent_on, months=TERM_MONTHS + EXTENSION_MONTHS)
    late = said is not None and not extended
    if request.closed_on is not None:
        state = State.CLOSED
    elif request.complained_on is not None:
        state = State.COMPLAINED
    elif request.refused_on is not None and (
        request.answered_on is None or request.answered_on <= request.refused_on
    ):
        state = State.REFUSED
    elif request.answered_on is not None:
        state = State.ANSWERED
    elif on > due:
        state = State.OVERDUE
    else:
        state = State.WAITING
    left = (due - on).days if state in {State.WAITING, State.OVERDUE} else None
    return Standing(state, due, left, extended, late)
