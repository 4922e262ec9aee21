"""What another account says of its holder, read into records of the vault: the mobility account
standard the other way round (`cms.py` writes it, this reads it).

Steps: (1) each field is read strictly, by itself: one that is wrong is left out and named, the
others stay; (2) how far it is believed: what a member of the trust registry signed, and says was
certified by a source, is *relayed* from that source at that date; whatever anybody else says is
*claimed*, of that account, and what it said of its own sources is kept beside it and counts for
nothing; (3) a record with an id that the same field has at the next reading. Pure.
"""

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from federation.trust import format_instant, parse_instant
from schemas.errors import RecordError
from schemas.ids import Iri
from schemas.records import (
    Attribute,
    Degree,
    Preference,
    Record,
    Scalar,
    Subscription,
)

__all__ = ["READ_FROM", "OtherAccount", "Reading", "Received", "read_account"]

READ_FROM: Final = "readFrom"
"""Member of a record that another account brought: which account, and what it said of its source.
"""
MAX_TEXT: Final = 200
MAX_ITEMS: Final = 200
_AHEAD: Final = timedelta(minutes=10)
_ENDING: Final = "Degree"
_SEX: Final = {1: "male", 2: "female"}
_MODES: Final[Mapping[str, str]] = {
    "pedestrian": "walk",
    "bicycle": "bicycle",
    "scooter": "escooter",
    "bus": "bus",
    "coach": "bus",
    "trolleybus": "bus",
    "tram": "tram",
    "metro": "metro",
    "train": "train",
    "car": "car",
    "carshare": "carshare",
    "taxi": "taxi",
    "chauffeur": "taxi",
    "moped": "moped",
    "motorcycle": "motorcycle",
    "water": "ferry",
    "air": "plane",
}
"""The standard's words (those of NeTEx) in our modes; funicular and cableway have none."""
LIKED: Final = "travel.liked-mode"
_TOWN: Final = re.compile(r"([0-9]{5}) (\S.*)")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class OtherAccount:
    """Who says it."""

    id: str
    """Of the account, as this home keeps it."""
    issuer: str
    subject: str = field(repr=False)
    vouches: bool
    """A member of the trust registry that may relay, and its key signed what it says."""

    @property
    def host(self) -> str:
        return urlsplit(self.issuer).netloc


@dataclass(frozen=True, slots=True)
class Received:
    """One value, and the record it makes."""

    scope: str
    field: str
    """Its name in the standard."""
    value: Any
    """As shown: a scalar or a list of words."""
    source: str
    certified_at: datetime | None
    """None: nobody whom we know certified it."""
    degree: Degree
    level: str | None
    record: Record


@dataclass(frozen=True, slots=True)
class Reading:
    """What was understood of an account's claims."""

    received: tuple[Received, ...]
    left_out: tuple[str, ...]
    """Names of fields that are not what the standard says."""


class _WrongError(Exception):
    """A field is not what the standard says."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A value with what its account says of it."""

    value: Any
    source: str | None
    certified_at: datetime | None
    degree: Degree | None
    level: str | None


def read_account(claims: Mapping[str, Any], account: OtherAccount, *, at: datetime) -> Reading:
    """Steps 1 to 3, for every object of the standard that `claims` has."""
    reader = _Reader(claims, account, at)
    for read in (
        reader.identity,
        reader.personal,
        reader.licence,
        reader.student,
        reader.tax,
        reader.habits,
        reader.travellers,
    ):
        reader.take(read())
    return Reading(tuple(reader.found), tuple(dict.fromkeys(reader.wrong)))


class _Reader:
    def __init__(self, claims: Mapping[str, Any], account: OtherAccount, at: datetime) -> None:
        self._claims, self._account, self._at = claims, account, at
        self.found: list[Received] = []
        self.wrong: list[str] = []

    def take(self, items: Iterator[Received]) -> None:
        self.found += items

    # --- the objects ----------------------------------------------------------------------------

    def identity(self) -> Iterator[Received]:
        read = self._object("urn:cms:identity:read", "identity")
        first, others = read.said("firstName", _text), read.said("middleNames", _text)
        if first is not None:
            names = first if others is None else _joined(first, others)
            yield from read.attribute("firstName", "identity.given_name", names)
        for name, to, form, members in (
            ("lastName", "identity.family_name", _text, ("value",)),
            ("birthDate", "identity.birthdate", _day, ("value",)),
            ("gender", "identity.gender", _sex, ("value",)),
            ("birthPlace", "identity.birthplace", _text, ("inseeValue", "name")),
            ("birthCountry", "identity.birthcountry", _country, ("isoValue", "name")),
        ):
            yield from read.attribute(name, to, read.said(name, form, members))

    def personal(self) -> Iterator[Received]:
        read = self._object("urn:cms:personal-information:read", "personalInformation")
        yield from read.attribute("email", "contact.email", read.said("email", _mail))
        yield from read.attribute(
            "primaryPhoneNumber", "contact.phone", read.said("primaryPhoneNumber", _phone)
        )
        said = read.said("primaryPostalAddress", _address)
        if said is None:
            return
        street, postcode, town = said.value
        for to, value in (
            ("residence.address", street),
            ("residence.postcode", postcode),
            ("residence.town", town),
        ):
            if value:
                yield from read.attribute("primaryPostalAddress", to, _with(said, value))

    def licence(self) -> Iterator[Received]:
        read = self._object("urn:cms:driving-licence:read", "drivingLicence")
        yield from read.attribute("number", "licence.number", read.said("number", _text))
        yield from read.attribute(
            "dateOfValidity", "licence.until", read.said("dateOfValidity", _day)
        )

    def student(self) -> Iterator[Received]:
        read = self._object("urn:cms:fr-mesri-information:read", "frMesriInformation")
        for name, to, form in (
            ("student", "student.enrolled", _flag),
            ("studentStartDate", "student.from", _day),
            ("studentEndDate", "student.until", _day),
            ("scholarship", "student.scholarship", _flag),
        ):
            yield from read.attribute(name, to, read.said(name, form))

    def tax(self) -> Iterator[Received]:
        """The newest notice."""
        scope, name = "urn:cms:fr-dgfip-information:read", "frDgfipInformation"
        notices = self._list(name, "taxNotices")
        readers = [_Object(self, scope, notice, self._degrees(name)) for notice in notices]
        dated = [(read.said("declarationYear", _year), read) for read in readers]
        known = [(said.value, said, read) for said, read in dated if said is not None]
        if not known:
            return
        _, said, read = max(known, key=lambda item: item[0])
        yield from read.attribute("declarationYear", "tax.income_year", _with(said, said.value - 1))
        for field_, to in (
            ("numberOfShares", "tax.parts"),
            ("referenceTaxIncome", "tax.reference_income"),
        ):
            yield from read.attribute(field_, to, read.said(field_, _amount))

    def habits(self) -> Iterator[Received]:
        scope, name = "urn:cms:favorites:read", "favorites"
        listed = self._list(name, "transportationModes")
        modes = [_MODES[m] for m in listed if isinstance(m, str) and m in _MODES]
        if modes:
            words = list(dict.fromkeys(modes))
            yield self._made(
                scope,
                "transportationModes",
                words,
                Preference(
                    id=self._id(LIKED), name=LIKED, value=" ".join(words), decided_at=self._at
                ),
            )

    def travellers(self) -> Iterator[Received]:
        """Dependants and payer: passes, whom they are for, who pays (CM08)."""
        for item in self._plain_list("travellers"):
            try:
                if not isinstance(item, Mapping):
                    raise _WrongError
                first, last = (
                    date.fromisoformat(_day(item.get(m))) for m in ("validFrom", "validUntil")
                )
                network, product = (_text(item.get(name)) for name in ("network", "product"))
                holder, payer = (
                    _text(item[name]) if item.get(name) else None for name in ("holder", "payer")
                )
                made = Subscription(
                    id=self._id(f"pass {network} {product} {first} {holder}"),
                    network=network,
                    product=product,
                    holder=holder,
                    payer=payer,
                    valid_from=first,
                    valid_until=last,
                    extra=self._note(None),
                )
            except (_WrongError, RecordError):
                self.wrong.append("travellers")
                continue
            people = " · ".join(dict.fromkeys(p for p in (holder, payer) if p))
            shown = f"{network}, {product}" + (f" ({people})" if people else "")
            yield self._made("voyageurs", "product", shown, made)

    # --- how far it is believed -----------------------------------------------------------------

    def grounds(self, said: _Said) -> tuple[str, datetime | None, Degree, str | None]:
        """Step 2: source, date, degree and level of a value."""
        is_certified = (
            self._account.vouches
            and said.degree in (Degree.SIGNED, Degree.RELAYED)
            and said.source is not None
            and said.certified_at is not None
            and said.certified_at <= self._at + _AHEAD
        )
        if is_certified and said.source is not None:
            return said.source, said.certified_at, Degree.RELAYED, said.level
        return self._account.host, None, Degree.CLAIMED, None

    def attribute(self, scope: str, name: str, to: str, said: _Said) -> Received:
        """Step 3 for an attribute."""
        source, certified_at, degree, level = self.grounds(said)
        record = Attribute(
            id=self._id(to),
            name=to,
            value=said.value,
            source=source,
            certified_at=certified_at or self._at,
            degree=degree,
            level=level,
            extra=self._note(said),
        )
        return Received(scope, name, said.value, source, certified_at, degree, level, record)

    def _made(self, scope: str, name: str, value: Any, record: Record) -> Received:
        host = self._account.host
        return Received(scope, name, value, host, None, Degree.CLAIMED, None, record)

    def _note(self, said: _Said | None) -> dict[str, Any]:
        """The account, and what it said of its own sources, as it said it."""
        found: dict[str, Any] = {"account": self._account.id, "host": self._account.host}
        if said is not None and said.source is not None:
            found["source"] = said.source
        if said is not None and said.certified_at is not None:
            found["certificationDate"] = format_instant(said.certified_at)
        if said is not None and said.degree is not None:
            found["degree"] = said.degree.value
        return {READ_FROM: found}

    def _id(self, name: str) -> Iri:
        text = "\n".join((self._account.issuer, self._account.subject, name))
        return Iri(f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}")

    # --- shapes ---------------------------------------------------------------------------------

    def _object(self, scope: str, name: str) -> "_Object":
        found = self._claims.get(name)
        if found is not None and not isinstance(found, Mapping):
            self.wrong.append(name)
        body = found if isinstance(found, Mapping) else {}
        return _Object(self, scope, body, self._degrees(name))

    def _degrees(self, name: str) -> Mapping[str, Any]:
        found = self._claims.get(f"{name}{_ENDING}")
        return found if isinstance(found, Mapping) else {}

    def _plain_list(self, name: str) -> Sequence[Any]:
        found = self._claims.get(name, [])
        if not isinstance(found, list) or len(found) > MAX_ITEMS:
            self.wrong.append(name)
            return ()
        return found

    def _list(self, name: str, member: str) -> Sequence[Any]:
        body = self._claims.get(name)
        found = body.get(member, []) if isinstance(body, Mapping) else []
        if not isinstance(found, list) or len(found) > MAX_ITEMS:
            self.wrong.append(member)
            return ()
        return [i for i in found if isinstance(i, Mapping | str)]


@dataclass(frozen=True, slots=True)
class _Object:
    """One object of the standard."""

    reader: _Reader
    scope: str
    body: Any
    degrees: Mapping[str, Any]

    def said(
        self, name: str, form: Callable[[object], Any], members: Sequence[str] = ("value",)
    ) -> _Said | None:
        """A field, read; None: not there, or wrong."""
        whole = self.body.get(name) if isinstance(self.body, Mapping) else None
        if whole is None:
            return None
        try:
            if not isinstance(whole, Mapping):
                raise _WrongError
            member = next((m for m in members if m in whole), None)
            if member is None:
                raise _WrongError
            value = form(whole[member])
            given, source = whole.get("certificationDate"), whole.get("source")
            beside = self.degrees.get(name)
            beside = beside if isinstance(beside, Mapping) else {}
            level = beside.get("level")
            return _Said(
                value,
                None if source is None else _text(source),
                None if given is None else parse_instant(given),
                Degree(beside["degree"]) if "degree" in beside else None,
                None if level is None else _text(level),
            )
        except (_WrongError, ValueError):
            self.reader.wrong.append(name)
            return None

    def attribute(self, name: str, to: str, said: _Said | None) -> Iterator[Received]:
        """The attribute of a field that was read."""
        if said is not None:
            yield self.reader.attribute(self.scope, name, to, said)


def _with(said: _Said, value: Scalar) -> _Said:
    return _Said(value, said.source, said.certified_at, said.degree, said.level)


def _joined(first: _Said, others: _Said) -> _Said:
    """Given names in one: no stronger than the weaker of the two."""
    order = (Degree.SIGNED, Degree.RELAYED, Degree.CLAIMED, None)
    weaker = max((first, others), key=lambda said: order.index(said.degree))
    return _with(weaker, f"{first.value} {others.value}")


# --- forms of values ------------------------------------------------------------------------------


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or len(value) > MAX_TEXT:
        raise _WrongError
    if not value.strip():
        raise _WrongError
    return value.strip()


def _day(value: object) -> str:
    text = _text(value)
    if _DAY.fullmatch(text) is None:
        raise _WrongError
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise _WrongError from None


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _WrongError
    return value


def _amount(value: object) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise _WrongError
    return value


def _year(value: object) -> int:
    if type(value) is not int or not 1950 <= value <= 2200:
        raise _WrongError
    return value


def _sex(value: object) -> str:
    if type(value) is not int or value not in _SEX:
        raise _WrongError
    return _SEX[value]


def _country(value: object) -> str:
    """The code of the INSEE where the standard's word gives it, else the word."""
    text = _text(value)
    return "99100" if text == "FRA" else text.removeprefix("INSEE ")


def _mail(value: object) -> str:
    text = _text(value)
    if re.fullmatch(r"[^@\s]{1,64}@[^@\s]{1,190}", text) is None:
        raise _WrongError
    return text


def _phone(value: object) -> str:
    text = _text(value)
    if re.fullmatch(r"\+?[1-9][0-9]{1,14}", text) is None:
        raise _WrongError
    return text


def _address(value: object) -> tuple[str, str, str]:
    """(street, postal code, town) of the lines of NF Z10-011; empty what they do not have."""
    if not isinstance(value, Mapping):
        raise _WrongError
    lines = {name: _text(text) for name, text in value.items() if text}
    street = " ".join(lines[name] for name in ("line3", "line4") if name in lines)
    found = _TOWN.fullmatch(lines.get("line6", ""))
    if not street and found is None:
        raise _WrongError
    return street, "" if found is None else found[1], "" if found is None else found[2]
