"""What a citizen does with a request: writes it, says what happened, forgets it."""

from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

from schemas.errors import RecordError
from schemas.ids import Iri, mint_iri
from schemas.records import DataRequest, Kind
from vault.data_requests.clock import Standing, State, standing
from vault.data_requests.directory import company
from vault.errors import ActRefusedError, RecordInvalidError, RecordUnknownError

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["REASONS", "Step", "data_request", "data_requests", "take_step", "write_request"]

MAX_LINE: Final = 300
REASONS: Final = frozenset(
    {"step-in-the-future", "step-before-sending", "step-not-now", "request-closed"}
)
"""Why `take_step` refuses."""


class Step(StrEnum):
    """What happened to a request."""

    SENT = "sent"
    EXTENDED = "extended"
    ANSWERED = "answered"
    REFUSED = "refused"
    COMPLAINED = "complained"
    CLOSED = "closed"
    REOPENED = "reopened"


def data_requests(vault: "OpenVault") -> list[DataRequest]:
    """Every request, newest first."""
    found = [cast(DataRequest, record) for record in vault.all(Kind.DATA_REQUEST)]
    return sorted(found, key=lambda request: (request.written_at, request.id), reverse=True)


def data_request(vault: "OpenVault", iri: Iri) -> DataRequest:
    """Raises RecordUnknownError: no request of this IRI."""
    found = vault.get(iri)
    if not isinstance(found, DataRequest):
        raise RecordUnknownError(iri)
    return found


def write_request(  # what a letter says
    vault: "OpenVault",
    *,
    requester: str,
    entry: str | None = None,
    company_name: str | None = None,
    postal_address: str | None = None,
    email: str | None = None,
    reply_to: str | None = None,
    known_as: str | None = None,
    language: str = "fr",
) -> DataRequest:
    """Keep a request to a company of the directory (`entry`), or to any that is named. What is
    given wins over the directory: the citizen corrects an address that has changed.

    Raises:
        RecordInvalidError: no such entry, or a part is missing or too long.
    """
    known = company(entry) if entry else None
    if entry and known is None:
        raise RecordInvalidError("not an entry of the directory", where="/entry")
    name = _line(company_name, "/company") or (known.controller if known else None)
    if name is None:
        raise RecordInvalidError("missing", where="/company")
    person = _line(requester, "/requester")
    if person is None:
        raise RecordInvalidError("missing", where="/requester")
    mail = _line(email, "/email") or (known.email if known else None)
    if mail is not None and (mail.count("@") != 1 or " " in mail):
        raise RecordInvalidError("not an email address", where="/email")
    address = _lines(postal_address, "/postalAddress") or (known.postal_address if known else None)
    try:
        made = DataRequest(
            id=mint_iri(),
            company=name,
            postal_address=address,
            email=mail,
            directory_entry=known.id if known else None,
            requester=person,
            reply_to=_lines(reply_to, "/replyTo"),
            known_as=_line(known_as, "/knownAs"),
            language=language,
            written_at=vault.home.clock(),
        )
    except RecordError as error:
        raise RecordInvalidError(error.reason, where=error.where) from None
    return cast(DataRequest, vault.put(made)[0])


def _line(text: str | None, where: str) -> str | None:
    found = " ".join((text or "").split())
    if len(found) > MAX_LINE:
        raise RecordInvalidError(f"over {MAX_LINE} characters", where=where)
    return found or None


def _lines(text: str | None, where: str) -> str | None:
    lines = [found for line in (text or "").splitlines() if (found := _line(line, where))]
    if len(lines) > 8:
        raise RecordInvalidError("over 8 lines", where=where)
    return "\n".join(lines) or None


def take_step(
    vault: "OpenVault", iri: Iri, step: Step, *, on: date, today: date
) -> tuple[DataRequest, Standing]:
    """Say what happened on the civil day `on`; gives the request and where it stands `today`.

    A day said again replaces the earlier one: people correct themselves.

    Raises:
        RecordUnknownError; ActRefusedError: one of `REASONS`.
        RecordConflictError: changed elsewhere meanwhile: read again.
    """
    found = data_request(vault, iri)
    if on > today:
        raise ActRefusedError("step-in-the-future")
    if found.closed_on is not None and step is not Step.REOPENED:
        raise ActRefusedError("request-closed")
    before = found.sent_on is None or on < found.sent_on
    if before and step not in {Step.SENT, Step.CLOSED, Step.REOPENED}:
        raise ActRefusedError("step-before-sending")
    if step is Step.COMPLAINED:
        at = standing(found, today)
        if not (at.may_complain or at.state in {State.ANSWERED, State.COMPLAINED}):
            raise ActRefusedError("step-not-now")
    try:
        match step:
            case Step.SENT:
                changed = replace(found, sent_on=on)
            case Step.EXTENDED:
                changed = replace(found, extended_on=on)
            case Step.ANSWERED:
                changed = replace(found, answered_on=on)
            case Step.REFUSED:
                changed = replace(found, refused_on=on)
            case Step.COMPLAINED:
                changed = replace(found, complained_on=on)
            case Step.CLOSED:
                changed = replace(found, closed_on=on)
            case Step.REOPENED:
                changed = replace(found, closed_on=None)
    except RecordError:  # sent later than what is known of it
        raise ActRefusedError("step-before-sending") from None
    kept = cast(DataRequest, vault.put(changed)[0])
    return kept, standing(kept, today)
