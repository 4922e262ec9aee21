"""The form of an address: what a person typed, read into a body, and back."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from portal.extension_pages import words_of
from portal.extensions.delivery.addresses import LINE, too_long
from portal.extensions.delivery.words import CHOICES, DAYS, DROPS
from portal.i18n import Translator
from portal.pages.access import Errors

FIELDS: Final[Mapping[str, str]] = {
    "addressee": "destinataire",
    "unit": "etage",
    "building": "batiment",
    "street": "rue",
    "place": "lieu",
    "postalCode": "code",
    "locality": "commune",
    "country": "pays",
    "lines": "lignes",
    "access": "acces",
    "relay": "relais",
    "hours": "creneaux",
}
"""Member of the body → field of the form."""
TICKS: Final[Mapping[str, str]] = {
    "plain_pied": "step-free",
    "porter": "carry-inside",
    "appeler": "call-first",
    "sans_signature": "no-signature",
    "sans_sonner": "silent",
}
_INTERVAL: Final = re.compile(
    r"([0-9]{1,2})[:hH]([0-9]{2})?\s*[-–à]\s*([0-9]{1,2})[:hH]([0-9]{2})?"
)
_MAX_HOURS: Final = 28


@dataclass(frozen=True, slots=True)
class AddressForm:
    """The fields, as text."""

    form: str = "afnor"
    label: str = ""
    addressee: str = ""
    unit: str = ""
    building: str = ""
    street: str = ""
    place: str = ""
    postal_code: str = ""
    locality: str = ""
    country: str = "FR"
    lines: str = ""
    access: str = ""
    drop: str = "hand"
    relay: str = ""
    relay_identifier: str = ""
    relay_address: str = ""
    choice: str = "any"
    hours: str = ""
    constraints: tuple[str, ...] = ()
    preferred: bool = False

    @classmethod
    def of(cls, t: Translator, body: Mapping[str, Any]) -> Self:
        """The form that says `body`."""
        relay: Mapping[str, str] = body.get("relay", {})
        return cls(
            form=body["form"],
            label=body.get("label", ""),
            addressee=body["addressee"],
            unit=body.get("unit", ""),
            building=body.get("building", ""),
            street=body.get("street", ""),
            place=body.get("place", ""),
            postal_code=body.get("postalCode", ""),
            locality=body.get("locality", ""),
            country=body["country"],
            lines="\n".join(body.get("lines", ())),
            access=body.get("access", ""),
            drop=body["drop"],
            relay=relay.get("name", ""),
            relay_identifier=relay.get("identifier", ""),
            relay_address=relay.get("address", ""),
            choice=body["choice"],
            hours="\n".join(hours_lines(t, body.get("hours", ()))),
            constraints=tuple(body.get("constraints", ())),
            preferred=bool(body.get("preferred")),
        )

    def read(self, t: Translator) -> tuple[dict[str, Any], Errors]:
        """The body, and what is wrong by field."""
        is_free = self.form == "free"
        errors, empty = Errors(), t("À remplir.")
        needed = ("lines",) if is_free else ("street", "postalCode", "locality")
        body: dict[str, Any] = {
            "form": "free" if is_free else "afnor",
            "label": self.label.strip(),
            "addressee": self.addressee.strip(),
            "postalCode": self.postal_code.strip().upper(),
            "locality": self.locality.strip(),
            "country": self.country.strip().upper(),
            "access": self.access.strip(),
            "drop": self.drop if self.drop in DROPS else "hand",
            "choice": self.choice if self.choice in CHOICES else "any",
            "constraints": [c for c in TICKS.values() if c in self.constraints],
        }
        if is_free:
            body["lines"] = [line.strip() for line in self.lines.splitlines() if line.strip()]
        else:
            body |= {
                "unit": self.unit.strip(),
                "building": self.building.strip(),
                "street": self.street.strip(),
                "place": self.place.strip(),
            }
        point = {
            "name": self.relay.strip(),
            "identifier": self.relay_identifier.strip(),
            "address": self.relay_address.strip(),
        }
        body["relay"] = {k: v for k, v in point.items() if v} if point["name"] else {}
        for name in ("addressee", *needed):
            if not body[name]:
                errors[FIELDS[name]] = empty
        for name in too_long(body):
            errors[FIELDS[name]] = t("{n} caractères au plus sur cette ligne.", n=LINE)
        if body["drop"] in ("relay", "locker") and not body["relay"]:
            errors["relais"] = t("Le nom du point relais ou de la consigne.")
        code = body["postalCode"]
        if code and not re.fullmatch(r"[0-9A-Z][0-9A-Z -]{1,9}", code):
            errors["code"] = t("Un code postal, par exemple 11000.")
        if not re.fullmatch(r"[A-Z]{2}", body["country"]):
            errors["pays"] = t("Deux lettres, par exemple FR ou BE.")
        if len(body.get("lines", ())) > 6 or any(len(x) > 100 for x in body.get("lines", ())):
            errors["lignes"] = t("Six lignes au plus, de 100 caractères.")
        hours = read_hours(self.hours)
        if hours is None:
            errors["creneaux"] = t(
                "Une ligne par créneau, par exemple « lundi mardi 18:00-20:00 »."
            )
        body["hours"] = hours or []
        kept = {name: value for name, value in body.items() if value not in ("", [], {})}
        return {**kept, "preferred": self.preferred}, errors


def _fold(text: str) -> str:
    plain = unicodedata.normalize("NFD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


_NAMED: Final = {_fold(word)[:3]: code for code, words in DAYS.items() for word in words.values()}
"""First three letters of a day, French or English (mar and mer differ)."""


def read_hours(text: str) -> list[str] | None:
    """« lundi mardi 18:00-20:00 », one interval a line → schema.org `openingHours`, one day
    each, in order; None where a line is none of this."""
    found: set[str] = set()
    for line in (line.strip() for line in text.splitlines()):
        if not line:
            continue
        at = _INTERVAL.search(line)
        days = (
            [_NAMED.get(_fold(w)[:3]) for w in re.findall(r"[^\W\d_]{3,}", line[: at.start()])]
            if at
            else []
        )
        if at is None or not days or None in days or line[at.end() :].strip(" .;"):
            return None
        opens, closes = (
            f"{int(hour):02d}:{minute or '00'}" for hour, minute in ((at[1], at[2]), (at[3], at[4]))
        )
        if not opens < closes <= "23:59" or opens[3:] > "59" or closes[3:] > "59":
            return None
        found |= {f"{day} {opens}-{closes}" for day in days}
    if len(found) > _MAX_HOURS:
        return None
    order = list(DAYS)
    return sorted(found, key=lambda item: (order.index(item[:2]), item))


def hours_lines(t: Translator, hours: Sequence[str]) -> list[str]:
    """Each interval once, with its days."""
    by_interval: dict[str, list[str]] = {}
    for item in hours:
        day, _, interval = item.partition(" ")
        by_interval.setdefault(interval, []).append(words_of(t, DAYS[day]))
    return [f"{' '.join(days)} {interval}" for interval, days in by_interval.items()]


def hours_text(t: Translator, hours: Sequence[str]) -> str:
    """The same in one line."""
    return " ; ".join(hours_lines(t, hours))


__all__ = ["FIELDS", "TICKS", "AddressForm", "hours_lines", "hours_text", "read_hours"]
