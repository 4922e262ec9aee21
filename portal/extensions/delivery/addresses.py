"""Delivery addresses: their lines by AFNOR NF Z10-011, and the facts a service may be told.

NF Z10-011: at most seven lines (six and the country) of 38 characters; lines 4 to 6 without
punctuation; the last line, postal code and locality, in capitals.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final

from schemas.extensions import PostalAddress
from schemas.records import ExtensionRecord

ADDRESS: Final = "Address"
PARCEL: Final = "Parcel"
NAME: Final = "delivery"
VERSION: Final = 1
LINE: Final = 38
_AT_A_POINT: Final = frozenset({"relay", "locker"})
_OF_A_HOME: Final = ("unit", "building", "street", "place", "access")


def usual(records: Sequence[ExtensionRecord]) -> ExtensionRecord | None:
    """The address that answers: the usual one, else any; None where there is none."""
    found = [record for record in records if record.type == ADDRESS]
    return next((r for r in found if r.body.get("preferred")), found[-1] if found else None)


def facts_of(records: Sequence[ExtensionRecord], asked: frozenset[str]) -> dict[str, str]:
    """What the usual address answers. At a pick-up point nobody needs the street: it stays."""
    record = usual(records)
    if record is None:
        return {}
    body = dict(record.body)
    if body["drop"] in _AT_A_POINT:
        for name in (*_OF_A_HOME, "lines"):
            body.pop(name, None)
    else:
        body.pop("relay", None)
    relay: Mapping[str, str] = body.pop("relay", {})
    told = {name: value for name, value in body.items() if isinstance(value, str) and value}
    for name, joint in (("lines", ", "), ("hours", "; "), ("constraints", " ")):
        if body.get(name):
            told[name] = joint.join(body[name])
    if relay:
        parts = (relay.get("name"), relay.get("identifier"), relay.get("address"))
        told["relay"] = ", ".join(part for part in parts if part)
    return {name: told[name] for name in sorted(asked & told.keys())}


def postal_lines(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The lines to print, without those that are empty; the country where it is not France."""
    last = f"{body.get('postalCode', '')} {body.get('locality', '')}".strip()
    if body["form"] == "free":
        lines = [body["addressee"], *body["lines"], last]
    else:
        lines = [
            body["addressee"],
            body.get("unit", ""),
            body.get("building", ""),
            _plain(body["street"]),
            _plain(body.get("place", "")),
            _plain(last).upper(),
        ]
    if body["country"] != "FR":
        lines.append(body["country"])
    return tuple(line for line in lines if line)


def too_long(body: Mapping[str, Any]) -> list[str]:
    """Members that do not fit on their line."""
    named = ("addressee", "unit", "building", "street", "place")
    found = [name for name in named if len(body.get(name, "")) > LINE]
    last = f"{body.get('postalCode', '')} {body.get('locality', '')}"
    return [*found, *(["locality"] if body["form"] == "afnor" and len(last) > LINE else [])]


def addresses_of(records: Sequence[ExtensionRecord]) -> list[PostalAddress]:
    """Every address, for another account of the person."""
    return [
        PostalAddress(
            record.title,
            record.body["addressee"],
            record.body.get("street") or ", ".join(record.body.get("lines", ())),
            f"{record.body.get('postalCode', '')} {record.body.get('locality', '')}".strip(),
        )
        for record in records
        if record.type == ADDRESS
    ]


def _plain(text: str) -> str:
    """Without punctuation; apostrophes and hyphens become spaces (NF Z10-011)."""
    kept = "".join(c if c.isalnum() or unicodedata.combining(c) else " " for c in text)
    return re.sub(r" +", " ", kept).strip()


__all__ = [
    "ADDRESS",
    "LINE",
    "NAME",
    "PARCEL",
    "VERSION",
    "addresses_of",
    "facts_of",
    "postal_lines",
    "too_long",
    "usual",
]
