"""One run of a connector or importer: page → validate → seal → deposit → and only then the cursor.

At least once. A run that dies anywhere resumes at the last saved cursor; what was deposited twice
has the same observation id and the vault keeps it once. Errors of the source end the run with a
report; pages before stay.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, BinaryIO, Final, Protocol

from connectors.accounts import AccountState, Health, MemoryState, StreamState
from connectors.base import Connector, Cursor, FileImporter, Page, Rejected, Stream
from connectors.errors import (
    ConnectorError,
    RepeatedPageError,
    SourceRefusedError,
    UnknownFormatError,
)
from schemas.errors import Retriable
from schemas.observations import Observation

SNIFF_BYTES: Final = 65_536
MAX_SEEN: Final = 50_000
"""Marks kept a stream: 35 days of the busiest account seen are under 2 000."""
MAX_TOLD: Final = 50
"""Rejections told one by one in a report; the rest are counted."""
MAX_PAGES: Final = 100_000
DEFAULT_RETRY_S: Final = 900


class Depositor(Protocol):
    """Leaves observations in one vault, sealed, for one account."""

    def deposit(self, observations: Sequence[Observation]) -> int:
        """Deposit and return how many deposits it took; durable when this returns.

        Raises:
            DepositRefusedError: for good.
            MobilityError that is `Retriable`: full or unreachable, try later.
        """
        ...


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did; the citizen reads it, so places and rules, never values."""

    pages: int = 0
    records: int = 0
    """Observations deposited."""
    known: int = 0
    """Observations the source gave again, not deposited a second time."""
    deposits: int = 0
    rejected: tuple[Rejected, ...] = ()
    """The first `MAX_TOLD`."""
    rejected_count: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    health: Health = Health.OK
    error: str | None = None
    """Code of the error that ended the run early."""
    error_where: str | None = None
    retry_after_s: int | None = None

    def plus(self, other: "RunReport") -> "RunReport":
        """Both runs told as one; the later one's health stands."""
        return RunReport(
            pages=self.pages + other.pages,
            records=self.records + other.records,
            known=self.known + other.known,
            deposits=self.deposits + other.deposits,
            rejected=(*self.rejected, *other.rejected)[:MAX_TOLD],
            rejected_count=self.rejected_count + other.rejected_count,
            skipped=dict(Counter(self.skipped) + Counter(other.skipped)),
            health=other.health,
            error=other.error,
            error_where=other.error_where,
            retry_after_s=other.retry_after_s,
        )

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON."""
        return {
            "pages": self.pages,
            "records": self.records,
            "known": self.known,
            "deposits": self.deposits,
            "rejected": [{"where": r.where, "code": r.code} for r in self.rejected],
            "rejectedCount": self.rejected_count,
            "skipped": dict(self.skipped),
            "health": self.health.value,
            "error": self.error,
            "errorWhere": self.error_where,
            "retryAfter": self.retry_after_s,
        }


class _Tally:
    """Counts of a run under way."""

    def __init__(self) -> None:
        self.pages = self.records = self.known = self.deposits = self.rejected_count = 0
        self.rejected: list[Rejected] = []
        self.skipped: Counter[str] = Counter()

    def page(self, page: Page) -> None:
        self.pages += 1
        self.rejected_count += len(page.rejected)
        self.rejected.extend(page.rejected[: MAX_TOLD - len(self.rejected)])
        self.skipped.update(page.skipped)

    def report(self, error: Exception | None = None) -> RunReport:
        health, retry = Health.OK, None
        family: object = error
        if isinstance(family, SourceRefusedError):
            health = Health.RECONNECT
        elif isinstance(family, Retriable):
            health = Health.WAITING
            retry = DEFAULT_RETRY_S if family.retry_after_s is None else family.retry_after_s
        elif error is not None:
            health = Health.BROKEN
        return RunReport(
            pages=self.pages,
            records=self.records,
            known=self.known,
            deposits=self.deposits,
            rejected=tuple(self.rejected),
            rejected_count=self.rejected_count,
            skipped=dict(sorted(self.skipped.items())),
            health=health,
            error=getattr(error, "code", None),
            error_where=getattr(error, "where", None),
            retry_after_s=retry,
        )


def mark(observation: Observation) -> bytes:
    """Eight bytes by which an observation already deposited is known again."""
    return hashlib.sha256(observation.id.encode()).digest()[:8]


def sync(
    connector: Connector,
    state: AccountState,
    depositor: Depositor,
    *,
    again: bool = False,
    progress: "Progress | None" = None,
) -> RunReport:
    """Run every stream of `connector` from its saved cursor.

    `again` forgets cursors and marks: everything is read and deposited once more, e.g. after the
    citizen took a deletion back. A source's error ends the run and is told in the report, not
    raised; errors of the drop-box are raised, the cursor stays where it was.
    """
    tally = _Tally()
    try:
        streams = connector.discover()
        # A trip fetched again for its label was deposited by the stream of trips: one set for all.
        seen: dict[bytes, None] = {}
        if not again:
            for stream in streams:
                seen.update(dict.fromkeys(state.load(stream.name).seen))
        for stream in streams:
            since = None if again else state.load(stream.name).cursor
            _stream(
                connector, stream, since, state, depositor, tally=tally, seen=seen, told=progress
            )
    except ConnectorError as error:
        return tally.report(error)
    return tally.report()


def _stream(
    connector: Connector,
    stream: Stream,
    since: Cursor | None,
    state: AccountState,
    depositor: Depositor,
    *,
    tally: _Tally,
    seen: dict[bytes, None],
    told: "Progress | None",
) -> None:
    cursors: set[str] = set()
    for page in connector.pull(stream, since):
        tally.page(page)
        if tally.pages > MAX_PAGES:
            raise RepeatedPageError(where=stream.name, reason="pages without end")
        _deposit(page, seen, depositor, tally)
        text = repr(sorted(page.cursor.items()))
        if text in cursors and page.records:
            raise RepeatedPageError(where=stream.name, reason="the same cursor twice")
        cursors.add(text)
        kept = frozenset(list(seen)[-MAX_SEEN:])
        state.save(stream.name, StreamState(cursor=page.cursor, seen=kept))
        if told is not None:
            told(tally.pages, tally.records)


def _deposit(page: Page, seen: dict[bytes, None], depositor: Depositor, tally: _Tally) -> None:
    fresh: list[Observation] = []
    marks: list[bytes] = []
    inside: set[bytes] = set()
    for observation in page.records:
        name = mark(observation)
        if name in seen or name in inside:
            tally.known += 1
            continue
        inside.add(name)
        fresh.append(observation)
        marks.append(name)
    if fresh:
        tally.deposits += depositor.deposit(fresh)
        tally.records += len(fresh)
        seen.update(dict.fromkeys(marks))


def import_file(
    stream: BinaryIO,
    importers: Sequence[FileImporter],
    depositor: Depositor,
    *,
    account: str,
    at: datetime,
    state: AccountState | None = None,
) -> RunReport:
    """Import a file with the first importer that knows it.

    Raises:
        UnknownFormatError: none does.
        HostileInputError: nothing in it could be read.
    """
    importer = choose(stream, importers)
    kept = state or MemoryState()
    tally = _Tally()
    known = kept.load(importer.name)
    seen = dict.fromkeys(known.seen)
    for page in importer.read(stream, account=account, at=at):
        tally.page(page)
        _deposit(page, seen, depositor, tally)
        kept.save(importer.name, StreamState(seen=frozenset(list(seen)[-MAX_SEEN:])))
    return tally.report()


def choose(stream: BinaryIO, importers: Sequence[FileImporter]) -> FileImporter:
    """The first importer that knows the file at `stream` (seekable, or a `BufferedReader` of 64 kB;
    left at its beginning)."""
    head = stream.read(SNIFF_BYTES) if stream.seekable() else _peek(stream)
    if stream.seekable():
        stream.seek(0)
    for importer in importers:
        if importer.sniff(head):
            return importer
    raise UnknownFormatError([importer.name for importer in importers])


def _peek(stream: BinaryIO) -> bytes:
    peek: Callable[[int], bytes] = stream.peek  # type: ignore[attr-defined]  # a BufferedReader
    return peek(SNIFF_BYTES)


def read_file(
    stream: BinaryIO, importers: Sequence[FileImporter], *, account: str, at: datetime
) -> Iterator[Page]:
    """Pages of a file without depositing them: the preview before anything is kept."""
    return choose(stream, importers).read(stream, account=account, at=at)


def next_run(
    report: RunReport, *, at: datetime, every: timedelta, failures: int = 0
) -> datetime | None:
    """When to run again: `every`, or what the source asked for; after failures in a row (the
    breaker) twice as long each time, up to a day; None until the citizen reconnects.

    A person may always ask now: that run decides anew.
    """
    if report.health is Health.RECONNECT:
        return None
    if report.health is Health.OK:
        return at + every
    asked = timedelta(seconds=report.retry_after_s or 0)
    pause: timedelta = FIRST_PAUSE * (1 << min(max(failures - 1, 0), 10))
    return at + max(asked, min(pause, LONGEST_PAUSE))


FIRST_PAUSE: Final = timedelta(minutes=15)
LONGEST_PAUSE: Final = timedelta(days=1)
Progress = Callable[[int, int], None]
"""Called after each page with pages and records so far."""
Clock = Callable[[], datetime]

__all__ = [
    "FIRST_PAUSE",
    "LONGEST_PAUSE",
    "Depositor",
    "Progress",
    "RunReport",
    "choose",
    "import_file",
    "mark",
    "next_run",
    "read_file",
    "sync",
]
