"""moB's `POST /v1/subscriptions/metadata` as observations: invoices, and the passes they pay."""

from datetime import datetime
from typing import Final

from connectors.base import UNNAMED, identified
from connectors.errors import Fault, HostileInputError, PushInvalidError
from connectors.invoices.draft import Draft, records_of, stable_iri
from connectors.invoices.mob import read_metadata
from connectors.parsing import load_json
from connectors.push.form import MAX_BODY, MAX_DEPTH
from schemas.observations import DocumentObservation, Observation

__all__ = ["MOB", "read_mob"]

MOB: Final = "application/vnd.mob.metadata+json"
"""Tells this body apart from a batch of trips under one Idempotency-Key; not on the wire."""


def read_mob(body: bytes, *, source: str, account: str, at: datetime) -> tuple[Observation, ...]:
    """The invoices and passes of a body `{"incentiveId", "attachmentMetadata"}`.

    Raises:
        HostileInputError, PushInvalidError, InvoiceSumError: nothing of it is taken.
    """
    document = load_json(body, max_bytes=MAX_BODY, max_depth=MAX_DEPTH)
    given = document.get("attachmentMetadata") if isinstance(document, dict) else None
    found: list[Observation] = []
    for number, draft in enumerate(read_metadata(given, root="/attachmentMetadata")):
        found += _observations(draft, number, source=source, account=account, at=at)
    return tuple(found)


def _observations(
    draft: Draft, number: int, *, source: str, account: str, at: datetime
) -> list[Observation]:
    values = {name: guess.value for name, guess in draft.fields.items()}
    if values["day"] > at.date().isoformat():
        where = f"/attachmentMetadata/invoices/{number}/transaction/purchaseDate"
        raise PushInvalidError([Fault(where, "time-in-future", "a day that has come")])
    try:
        records = records_of(
            values,
            lines=draft.lines,
            currency=draft.currency,
            extra=draft.extra,
            iri=stable_iri("invoice", values.get("siret") or values["issuer"], values["number"]),
        )
    except HostileInputError as error:
        where = f"/attachmentMetadata/invoices/{number}/{error.where}"
        raise PushInvalidError([Fault(where, "invalid", error.reason)]) from None
    return [
        identified(DocumentObservation(id=UNNAMED, source=source, account=account, record=record))
        for record in records
    ]
