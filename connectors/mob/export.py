"""moB's GDPR export (XLSX): who the citizen said they were, and what they asked for.

Sheet « Informations personnelles »: label and value, one a row. Every other sheet is one aid, its
title the aid's number at moB: date, aid, funder, status, names of the attachments, then the aid's
own questions. Anybody can edit such a file, so what it says is *claimed* by the citizen. What moB
does not give (attachments themselves, decisions' reasons, consents, who looked) cannot be here.
"""

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final

from connectors.base import Rejected
from connectors.errors import UnknownFormatError
from connectors.mob.workbook import is_workbook, sheets
from schemas.ids import Iri, mint_iri
from schemas.records import Application, ApplicationState, Attribute, Degree, Record, Transition

__all__ = ["SOURCE", "MobExport", "MobRequest", "read_export", "records"]

SOURCE: Final = "mob"
TITLE: Final = "Mon Compte Mobilité : export de vos données (XLSX)"
PERSONAL: Final = "informations personnelles"
ATTRIBUTES: Final[Mapping[str, str]] = {
    "nom": "identity.family_name",
    "prenom": "identity.given_name",
    "date de naissance": "identity.birthdate",
    "code postal": "address.postcode",
    "ville": "address.town",
    "statut professionnel": "employment.status",
    "entreprise d'affiliation": "employment.employer",
    "adresse email professionnelle": "contact.email_professional",
    "adresse email personnelle": "contact.email",
    "liste des affiliations maas": "mob.linked_services",
}
"""Label of the sheet, without accents and in lower case, to the attribute's name."""
STATES: Final[Mapping[str, ApplicationState]] = {
    "a traiter": ApplicationState.SUBMITTED,
    "validee": ApplicationState.ACCEPTED,
    "rejetee": ApplicationState.REFUSED,
    "brouillon": ApplicationState.DRAFT,
    "erreur": ApplicationState.DRAFT,
}
COLUMNS: Final = (
    "date de la demande",
    "nom de l'aide",
    "financeur",
    "statut",
    "nom des justificatifs transmis",
)
EARLIEST: Final = date(2019, 1, 1)
"""moB opened in 2022; before, a date is a mistake of somebody's clock."""


@dataclass(frozen=True, slots=True)
class MobRequest:
    """One request for an aid, as moB gives it."""

    aid: str
    """moB's own number of the aid."""
    title: str
    funder: str
    state: ApplicationState
    asked_on: date
    attachments: tuple[str, ...]
    answers: Mapping[str, str]
    key: str
    """Digest of the row: the same row again is the same request."""


@dataclass(frozen=True, slots=True)
class MobExport:
    """What a file holds."""

    attributes: Mapping[str, str]
    requests: tuple[MobRequest, ...]
    rejected: tuple[Rejected, ...] = field(default=())


def read_export(data: bytes, *, today: date) -> MobExport:
    """Read the whole file, or refuse it. A row that cannot be read is named, the others are kept.

    Raises:
        HostileInputError: see `workbook.sheets`. UnknownFormatError: a workbook, but not moB's.
    """
    if not is_workbook(data[:4]):
        raise UnknownFormatError([TITLE])
    attributes: dict[str, str] = {}
    requests: list[MobRequest] = []
    rejected: list[Rejected] = []
    known = False
    for number, (title, rows) in enumerate(sheets(data)):
        where = f"sheet {number + 1}"
        if _plain(title) == PERSONAL:
            known = True
            attributes |= _attributes(rows, where, rejected)
            continue
        header = [_plain(cell) for cell in rows[0]] if rows else []
        if tuple(header[:4]) != COLUMNS[:4]:
            rejected.append(Rejected(where=where, code="not-a-sheet-of-mob"))
            continue
        for index, row in enumerate(rows[1:], start=2):
            found = _request(title, rows[0], row, today=today)
            if isinstance(found, str):
                rejected.append(Rejected(where=f"{where}, row {index}", code=found))
            elif found is not None:
                requests.append(found)
    if not known:
        raise UnknownFormatError([TITLE])
    unique = {request.key: request for request in requests}
    return MobExport(attributes, tuple(unique.values()), tuple(rejected[:200]))


def _plain(text: str) -> str:
    """Lower case, no accents, straight apostrophes, single spaces."""
    flat = unicodedata.normalize("NFKD", text.replace("’", "'")).casefold()
    return " ".join("".join(c for c in flat if not unicodedata.combining(c)).split())


def _attributes(rows: list[list[str]], where: str, rejected: list[Rejected]) -> dict[str, str]:
    out: dict[str, str] = {}
    for index, row in enumerate(rows, start=1):
        label, value = (*row, "", "")[:2]
        if not label.strip():
            continue
        name = ATTRIBUTES.get(_plain(label))
        if name is None:
            rejected.append(Rejected(where=f"{where}, row {index}", code="unknown-label"))
        elif value:
            if name == "identity.birthdate":
                day = _day(value)
                if day is None:
                    rejected.append(Rejected(where=f"{where}, row {index}", code="not-a-date"))
                    continue
                value = day.isoformat()
            out[name] = value[:400]
    return out


def _request(
    aid: str, header: list[str], row: list[str], *, today: date
) -> MobRequest | str | None:
    cells = [*row, *([""] * (max(len(header), len(COLUMNS)) - len(row)))]
    if not any(cells):
        return None
    day = _day(cells[0])
    if day is None:
        return "not-a-date"
    if not EARLIEST <= day <= today:
        return "date-out-of-range"
    state = STATES.get(_plain(cells[3]).replace("_", " "))
    if state is None:
        return "unknown-status"
    if not cells[1] or not cells[2]:
        return "incomplete"
    attachments = cells[4] if len(header) > 4 and _plain(header[4]) == COLUMNS[4] else ""
    answers = {
        title[:200]: value[:1_000]
        for title, value in zip(header[5:], cells[5 : len(header)], strict=False)
        if title and value
    }
    text = json.dumps([aid, *cells[: len(header)]], ensure_ascii=False)
    return MobRequest(
        aid=aid,
        title=cells[1][:300],
        funder=cells[2][:300],
        state=state,
        asked_on=day,
        attachments=tuple(name.strip()[:200] for name in attachments.split(",") if name.strip()),
        answers=answers,
        key=hashlib.sha256(text.encode()).hexdigest(),
    )


def _day(text: str) -> date | None:
    for form in ("%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y"):
        try:
            return datetime.strptime(text.strip()[:10], form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    return None


def records(export: MobExport, *, at: datetime) -> tuple[Record, ...]:
    """The records to keep: claimed attributes, and applications that no hub answers for."""
    attributes = [
        Attribute(
            id=mint_iri(),
            name=name,
            value=value,
            source=SOURCE,
            certified_at=at,
            degree=Degree.CLAIMED,
        )
        for name, value in export.attributes.items()
    ]
    applications = []
    for request in export.requests:
        asked = datetime(
            request.asked_on.year, request.asked_on.month, request.asked_on.day, tzinfo=UTC
        )
        name = hashlib.sha256(request.aid.encode()).hexdigest()[:32]
        applications.append(
            Application(
                id=mint_iri(),
                aid=Iri(f"urn:mob:aid:{name}"),
                funder=request.funder,
                state=request.state,
                period_from=request.asked_on,
                period_until=request.asked_on,
                submitted_at=asked,
                history=(Transition(state=request.state, at=asked, actor="citizen"),),
                extra={
                    "aidTitle": {"fr": request.title, "en": request.title},
                    "funderName": request.funder,
                    "importedFrom": SOURCE,
                    "importedRow": request.key,
                    "attachmentNames": list(request.attachments),
                    "answers": dict(request.answers),
                },
            )
        )
    return (*attributes, *applications)
