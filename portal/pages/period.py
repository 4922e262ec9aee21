"""From and to, as a form asks them: two days, in order, a year at most."""

from datetime import date, timedelta
from typing import Final

from portal.pages.access import Errors
from portal.pages.records import day_or_none
from portal.views import local_today
from portal.web import Page

__all__ = ["USUAL", "asked_period"]

LONGEST: Final = timedelta(days=366)
USUAL: Final = timedelta(days=30)
"""Shown where nothing was chosen yet."""


def asked_period(
    page: Page, depuis: str, jusque: str, errors: Errors, *, needed: bool
) -> tuple[date, date]:
    """The days of the fields `depuis` and `jusque`; what is wrong with them goes into `errors`.
    A field left empty is an error where it is `needed`, else the usual day."""
    t, today = page.t, local_today(page.now)
    found = []
    for name, text, usual in (("depuis", depuis, today - USUAL), ("jusque", jusque, today)):
        try:
            day = day_or_none(text)
        except ValueError:
            day = None
        if day is None and (needed or text):
            errors[name] = t("Donnez une date.")
        found.append(day or usual)
    since, until = found
    if until < since:
        errors["jusque"] = t("La fin précède le début.")
    elif until - since > LONGEST:
        errors["jusque"] = t("Un an au plus à la fois.")
    return since, until
