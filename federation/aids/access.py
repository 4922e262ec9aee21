"""An aid that grants no money but a way in: access to a zone, for some months.

Named in the catalogue's member `access`; the decision is then a `ZoneAccessCredential` with its
last day instead of an award with its amount. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from federation.aids.clean_air import AirClass
from federation.aids.errors import RuleImportError
from federation.aids.model import Aid
from federation.aids.publicodes import Engine

__all__ = ["ACCESS", "MOST_MONTHS", "ZoneAccess", "access_of", "check_access", "class_code"]

ACCESS: Final = "access"
MOST_MONTHS: Final = 36
"""An individual derogation lasts three years at most (CGCT, article R. 2213-1-0-1)."""
ANYWHERE: Final = "any"


@dataclass(frozen=True, slots=True)
class ZoneAccess:
    """Where the holder may drive, how long, and which answers of the declaration say it is them."""

    zone: str
    """Code of the territory (SIREN or INSEE), or `any`."""
    zone_name: str
    months: int
    reason: str = ""
    """Rule name of the answer that says why; likewise the two below. Empty: not told."""
    plate: str = ""
    air_class: str = ""

    def to_json(self) -> dict[str, Any]:
        """As it stands in the catalogue."""
        return {
            "zone": self.zone,
            "zoneName": self.zone_name,
            "months": self.months,
            "reason": self.reason,
            "plate": self.plate,
            "class": self.air_class,
        }

    def last_day(self, first: date) -> date:
        """The last day of an access that begins on `first`."""
        months = first.year * 12 + first.month - 1 + self.months
        year, month = divmod(months, 12)
        day = first.day
        while True:
            try:
                return date(year, month + 1, day) - timedelta(days=1)
            except ValueError:  # 31 January and a month: the end of February
                day -= 1


def access_of(aid: Aid) -> ZoneAccess | None:
    """What `aid` opens; None when it pays."""
    found = aid.extra.get(ACCESS)
    if not isinstance(found, Mapping):
        return None
    months = found.get("months")
    return ZoneAccess(
        str(found.get("zone", "")),
        str(found.get("zoneName", "")),
        months if type(months) is int else 0,
        str(found.get("reason", "")),
        str(found.get("plate", "")),
        str(found.get("class", "")),
    )


def check_access(aid: Aid, engine: Engine) -> None:
    """An access has a zone, a term within the law, and speaks of answers that exist.

    Raises:
        RuleImportError: with the aid's name.
    """
    access = access_of(aid)
    if access is None:
        return
    where = f"aid {aid.slug} · access"
    if not access.zone or len(access.zone) > 20:
        raise RuleImportError(where, "a zone is expected")
    if not 1 <= access.months <= MOST_MONTHS:
        raise RuleImportError(where, f"1 to {MOST_MONTHS} months are expected")
    for name in (access.reason, access.plate, access.air_class):
        if name and name not in engine:
            raise RuleImportError(where, f"no answer « {name} »")


def class_code(said: str) -> str | None:
    """`0` to `5` or `none` of « classe 3 »; None when it is none of them."""
    return next((air.value for air in AirClass if air.answer == said), None)
