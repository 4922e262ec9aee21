"""Requests for one's own data, for the command line: the pages' sisters."""

from datetime import date
from typing import Any

from portal.views import local_today
from schemas.ids import Iri, parse_iri
from schemas.records import DataRequest
from vault.data_requests.acts import Step, data_requests, take_step, write_request
from vault.data_requests.clock import standing
from vault.data_requests.directory import company as entry_of
from vault.data_requests.directory import directory
from vault.data_requests.letters import Letter, complaint_letter, request_letter
from vault.eligibility import known_names
from vault.open_vault import OpenVault

__all__ = ["ask", "listing", "told"]


def listing(vault: OpenVault) -> list[dict[str, Any]]:
    """Requests with their clock, then entries of the directory not asked yet."""
    today = local_today(vault.home.clock())
    rows, asked = [], set()
    for found in data_requests(vault):
        at = standing(found, today)
        asked.add(found.directory_entry)
        rows.append(
            {
                "request": str(found.id),
                "company": found.company,
                "state": at.state.value,
                "due": at.due_on.isoformat() if at.due_on else "",
            }
        )
    rows += [
        {"request": entry.id, "company": entry.name, "state": "", "due": ""}
        for entry in directory()
        if entry.id not in asked
    ]
    return rows


def ask(  # what the letter says
    vault: OpenVault,
    company: str,
    *,
    requester: str,
    reply_to: str,
    known_as: str,
    address: str,
    email: str,
    language: str,
) -> tuple[DataRequest, Letter]:
    """Write the request: `company` is an entry of the directory, or any company's name.

    Raises:
        RecordInvalidError: a part is missing or too long; nothing is kept.
    """
    known = entry_of(company)
    made = write_request(
        vault,
        entry=known.id if known else None,
        company_name=None if known else company,
        postal_address=address.replace("\\n", "\n"),
        email=email,
        requester=requester or known_names(vault)[0] or "",
        reply_to=reply_to,
        known_as=known_as,
        language=language,
    )
    return made, request_letter(made)


def told(vault: OpenVault, request: str, step: str, *, on: date | None) -> dict[str, Any]:
    """Say what happened; gives the state, the last day, and the complaint where it is due.

    Raises:
        RecordUnknownError; ActRefusedError.
    """
    today = local_today(vault.home.clock())
    iri = Iri(parse_iri(request, where="/request"))
    kept, at = take_step(vault, iri, Step(step), on=on or today, today=today)
    found: dict[str, Any] = {
        "request": str(kept.id),
        "company": kept.company,
        "state": at.state.value,
        "due": at.due_on.isoformat() if at.due_on else None,
    }
    if at.may_complain:
        found["complaint"] = complaint_letter(kept, at, on=today).text
    return found
