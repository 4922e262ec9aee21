"""Cozy / CoachCO2, pulled: everything once, then what changed.

The sequence is taken *before* the first page of `_find`, so that what is written meanwhile comes
with the changes. A sequence the Cozy does not know any more (a Cozy that moved) begins again from
everything; the runner's marks keep that from being deposited twice. Deleted there is not deleted
here: such changes are counted.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from connectors.base import AccountView, Cursor, Page, Rejected, Stream
from connectors.cozy.client import CozyClient
from connectors.cozy.documents import SOURCE, is_ours, read_document
from connectors.emission.entries import Reading
from connectors.errors import AnswerTooLargeError, RepeatedPageError, SourceAnswerError
from schemas.observations import Observation

PAGE: Final = 100
"""Documents a page: a trip with its points is some 30 kB; a page too large to read is halved."""
TRIPS: Final = Stream(
    name="trips", kinds=("Trip",), identity=("_id", "series.id"), cursor_field="last_seq"
)


class CozyConnector:
    """One Cozy."""

    name = SOURCE

    def __init__(
        self,
        client: CozyClient,
        *,
        account: str,
        clock: Callable[[], datetime],
        page: int = PAGE,
    ) -> None:
        self._client, self._account, self._clock, self._page = client, account, clock, page

    def check(self) -> AccountView:
        """Prove that the access stands and that trips may be read."""
        self._client.connect()
        self._client.find(bookmark=None, limit=1)
        return AccountView(dialect="cozy-stack", complete_until=None)

    def discover(self) -> tuple[Stream, ...]:
        """Trips."""
        return (TRIPS,)

    def pull(self, stream: Stream, since: Cursor | None) -> Iterator[Page]:
        """Pages of documents: all, or those after `since`."""
        del stream
        seq, bookmark = _text(since, "seq"), _text(since, "bookmark")
        if seq is not None and bookmark is None:
            try:
                yield from self._changes(seq)
            except _ForgottenError:
                seq = None
            else:
                return
        if seq is None:
            seq, bookmark = self._client.now(), None
        yield from self._all(seq, bookmark)
        yield from self._changes(seq)

    def _all(self, seq: str, bookmark: str | None) -> Iterator[Page]:
        while True:
            found = self._narrowing(lambda n, b=bookmark: self._client.find(bookmark=b, limit=n))
            if found.bookmark is not None and found.bookmark == bookmark:
                raise RepeatedPageError(where="/_find", reason="the same bookmark twice")
            bookmark = found.bookmark
            yield self._read(
                found.documents,
                "/docs",
                {"seq": seq} if bookmark is None else {"seq": seq, "bookmark": bookmark},
            )
            if bookmark is None:
                return

    def _changes(self, seq: str) -> Iterator[Page]:
        first = True
        while True:
            try:
                changed = self._narrowing(lambda n, s=seq: self._client.changes(s, limit=n))
            except AnswerTooLargeError:
                raise
            except SourceAnswerError as error:
                if first and error.reason in {"answered 400", "answered 404"}:
                    raise _ForgottenError from error
                raise
            first = False
            if changed.more and changed.seq == seq:
                raise RepeatedPageError(where="/_changes", reason="the same sequence twice")
            seq = changed.seq
            yield self._read(
                changed.documents, "/results", {"seq": seq}, {"deleted-upstream": changed.deleted}
            )
            if not changed.more:
                return

    def _narrowing(self, ask: Callable[..., Any]) -> Any:
        """Ask for a page, for half of it when it is too large to read, down to one document."""
        limit = self._page
        while True:
            try:
                return ask(limit)
            except AnswerTooLargeError:
                if limit == 1:
                    raise
                limit //= 2

    def _read(
        self,
        documents: tuple[Any, ...],
        where: str,
        cursor: Mapping[str, Any],
        skipped: Mapping[str, int] | None = None,
    ) -> Page:
        reading = Reading(account=self._account, at=self._clock(), source=SOURCE)
        records: list[Observation] = []
        rejected: list[Rejected] = []
        counts = dict(skipped or {})
        for index, document in enumerate(documents):
            if is_ours(document):
                counts["written-by-a-vault"] = counts.get("written-by-a-vault", 0) + 1
            elif not _is_design(document):
                read_document(f"{where}/{index}", document, reading, records, rejected)
        return Page(
            records=tuple(records),
            rejected=tuple(rejected),
            cursor=cursor,
            skipped={name: count for name, count in counts.items() if count},
        )


class _ForgottenError(Exception):
    """The sequence is none of this Cozy's."""


def _is_design(document: Any) -> bool:
    """CouchDB's own documents, which changes hold too."""
    identity = document.get("_id") if isinstance(document, dict) else None
    return isinstance(identity, str) and identity.startswith("_design/")


def _text(since: Cursor | None, name: str) -> str | None:
    value = None if since is None else since.get(name)
    return value if isinstance(value, str) else None


__all__ = ["TRIPS", "CozyConnector"]
