"""Companies that hold mobility data, and where they take requests: a dated file of public facts.

Each entry names the page it was read from, the date that page gives itself, and the day it was
read. The citizen sees all three, and may correct the address before anything is written.
"""

import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources

__all__ = ["Company", "company", "directory"]


@dataclass(frozen=True, slots=True)
class Company:
    """One entry of the directory."""

    id: str
    name: str
    """As the public knows it."""
    controller: str
    """Legal name of who answers for the data."""
    postal_address: str | None
    """Lines separated by a line feed."""
    email: str | None
    holds: str
    """Kinds of mobility data, a key of the page's words."""
    source: str
    """The page these facts are from."""
    page_dated: str | None
    """The date the page gives itself: `YYYY-MM` or `YYYY-MM-DD`."""
    read_on: date
    self_service: str | None = None
    """A page of the company where one can download part of it at once."""


@cache
def directory() -> tuple[Company, ...]:
    """Every entry, by name."""
    raw = json.loads(
        resources.files("vault.data_requests").joinpath("companies.json").read_text("utf-8")
    )
    read_on = date.fromisoformat(raw["_meta"]["read_on"])
    return tuple(
        sorted(
            (
                Company(
                    id=entry["id"],
                    name=entry["name"],
                    controller=entry["controller"],
                    postal_address="\n".join(entry["address"]) if entry.get("address") else None,
                    email=entry.get("email"),
                    holds=entry["holds"],
                    source=entry["source"],
                    page_dated=entry.get("page_dated"),
                    read_on=read_on,
                    self_service=entry.get("self_service"),
                )
                for entry in raw["companies"]
            ),
            key=lambda entry: entry.name.casefold(),
        )
    )


def company(entry: str) -> Company | None:
    """The entry of this id, if there is one."""
    return next((found for found in directory() if found.id == entry), None)
