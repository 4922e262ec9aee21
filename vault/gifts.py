"""The gifts of one vault: made from its trips, noted in its journal, their receipts kept sealed."""

import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final

from vault.donation import Donation, Terms, new_pseudonym, prepare

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["MAX_KEPT", "give", "given", "prepared", "pseudonym"]

_RECEIPTS: Final = "trace-gifts"
_SECRET: Final = "trace-gift-secret"  # noqa: S105  # the name of a setting
MAX_KEPT: Final = 200
"""Receipts kept, newest first."""


def pseudonym() -> str:
    """A fresh name for a gift."""
    return new_pseudonym(SystemRandom())


def prepared(vault: "OpenVault", terms: Terms) -> Donation:
    """The gift that these terms make of the vault's trips, the same each time while neither trips
    nor places change. Nothing is given."""
    return prepare(
        vault.trips(terms.since, terms.until),
        lambda trip: vault.track(trip.id),
        vault.places(),
        terms,
        secret=_secret(vault),
    )


def give(vault: "OpenVault", donation: Donation, *, at: datetime) -> dict[str, Any]:
    """Note the gift: its receipt, kept sealed, and an entry in the journal. The file is not kept:
    it is no longer the vault's."""
    receipt = donation.receipt(at=at)
    kept = [receipt, *given(vault)][:MAX_KEPT]
    vault.put_setting(_RECEIPTS, json.dumps(kept).encode())
    vault.note("trace-given", count=len(donation.traces), digest=receipt["sha256"])
    return receipt


def given(vault: "OpenVault") -> list[Mapping[str, Any]]:
    """Receipts, newest first."""
    found: list[Mapping[str, Any]] = json.loads(vault.setting(_RECEIPTS) or b"[]")
    return found


def _secret(vault: "OpenVault") -> bytes:
    """What moves the circles around places: drawn once, kept sealed."""
    kept = vault.setting(_SECRET)
    if kept is None:
        kept = secrets.token_bytes(32)
        vault.put_setting(_SECRET, kept)
    return kept
