"""The mobility account, pulled: what changed since the last run, and a day before it again.

`since` is the day of the last change seen, at midnight UTC, less a day: an operator whose clock was
ahead, or that wrote a change late, is heard all the same; marks keep what is known from being
deposited twice. It moves only when something changed, so the address asked stays the same and a
single-page answer is known by its ETag.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.base import AccountView, Cursor, Page, Rejected, Stream
from connectors.contract.client import AccountClient, CursorForgottenError, ItemsPage
from connectors.contract.documents import SOURCE, read_item, updated_at
from connectors.contract.oauth import CONTRACT
from connectors.errors import AnswerTooLargeError, RepeatedPageError, SourceRefusedError
from connectors.parsing import UnusableError
from schemas.observations import Observation

__all__ = ["LOOKBACK", "STREAMS", "AccountConnector"]

PAGE: Final = 200
LOOKBACK: Final = timedelta(days=1)
STREAMS: Final = tuple(
    Stream(name=name, kinds=kinds, identity=("id",), cursor_field="updatedAt", lookback=LOOKBACK)
    for name, kinds in (
        ("trips", ("Trip",)),
        ("passes", ("Subscription",)),
        ("receipts", ("Invoice",)),
    )
)


class AccountConnector:
    """One account at one operator."""

    name = SOURCE

    def __init__(
        self,
        client: AccountClient,
        *,
        account: str,
        clock: Callable[[], datetime],
        page: int = PAGE,
    ) -> None:
        self.client, self._account, self._clock, self._page = client, account, clock, page

    def check(self) -> AccountView:
        """Prove that the access stands, and that something may be read."""
        streams = self.discover()
        if not streams:
            raise SourceRefusedError(where="scope", status=403)
        self.client.page(streams[0].name, since=None, cursor=None, limit=1)
        return AccountView(dialect=CONTRACT, complete_until=None)

    def discover(self) -> tuple[Stream, ...]:
        """What the person granted, of what the operator has."""
        granted, offered = self.client.credentials.resources, self.client.described.resources
        return tuple(s for s in STREAMS if s.name in granted and s.name in offered)

    def pull(self, stream: Stream, since: Cursor | None) -> Iterator[Page]:
        """Pages of what changed."""
        kept = dict(since or {})
        start, cursor = _text(kept, "since"), _text(kept, "cursor")
        latest = _instant(kept, "latest") or (_instant(kept, "since"))
        etag = _text(kept, "etag") if cursor is None else None
        is_first, may_restart = cursor is None, True
        while True:
            try:
                found = self._ask(stream.name, _since(start), cursor, etag)
            except CursorForgottenError as error:
                if cursor is None or not may_restart:
                    raise RepeatedPageError(where=str(error), reason="no cursor holds") from None
                cursor, etag, is_first, may_restart = None, None, True, False
                continue
            if found is None:
                yield Page(records=(), cursor=kept, skipped={"unchanged": 1})
                return
            records, rejected, newest = self._read(stream.name, found)
            latest = max((m for m in (latest, newest) if m is not None), default=None)
            if found.following is not None and found.following == cursor:
                raise RepeatedPageError(where=stream.name, reason="the same cursor twice")
            cursor = found.following
            after: dict[str, Any] = {}
            if cursor is not None:
                if start is not None:
                    after["since"] = start
                after["cursor"] = cursor
                if latest is not None:
                    after["latest"] = latest.isoformat()
            else:
                if latest is not None:
                    after["since"] = min(latest, self._clock()).isoformat()
                moved = _since(_text(after, "since")) != _since(start)
                if is_first and not moved and found.etag is not None:
                    after["etag"] = found.etag
            yield Page(records=records, rejected=rejected, cursor=after)
            if cursor is None:
                return
            etag, is_first = None, False

    def _ask(
        self, resource: str, since: datetime | None, cursor: str | None, etag: str | None
    ) -> ItemsPage | None:
        """A page, or half of it when it is too large to read, down to one item."""
        limit = self._page
        while True:
            try:
                return self.client.page(
                    resource, since=since, cursor=cursor, limit=limit, etag=etag
                )
            except AnswerTooLargeError:
                if limit == 1:
                    raise
                limit //= 2

    def _read(
        self, resource: str, found: ItemsPage
    ) -> tuple[tuple[Observation, ...], tuple[Rejected, ...], datetime | None]:
        records: list[Observation] = []
        rejected: list[Rejected] = []
        newest: datetime | None = None
        now = self._clock()
        for index, item in enumerate(found.items):
            where = f"/items/{index}"
            try:
                records += read_item(
                    resource,
                    item,
                    where,
                    address=self.client.address,
                    account=self._account,
                    at=now,
                )
                changed = updated_at(item, where, at=now)
                newest = changed if newest is None else max(newest, changed)
            except UnusableError as error:
                rejected.append(error.rejected())
        return tuple(records), tuple(rejected), newest


def _since(start: str | None) -> datetime | None:
    """What is asked for: the day of the last change, less a day."""
    if start is None:
        return None
    day = datetime.fromisoformat(start).astimezone(UTC)
    return day.replace(hour=0, minute=0, second=0, microsecond=0) - LOOKBACK


def _text(found: dict[str, Any], name: str) -> str | None:
    value = found.get(name)
    return value if isinstance(value, str) else None


def _instant(found: dict[str, Any], name: str) -> datetime | None:
    value = _text(found, name)
    return None if value is None else datetime.fromisoformat(value)
