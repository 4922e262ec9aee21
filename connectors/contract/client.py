"""Pages of one account of the mobility account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from connectors.contract.oauth import (
    AccountTransport,
    Credentials,
    Description,
    describe,
    renew,
    subscribe,
)
from connectors.errors import ConnectorError, SourceAnswerError, SourceRefusedError

__all__ = ["MAX_CURSOR", "AccountClient", "CursorForgottenError", "ItemsPage"]

MAX_CURSOR: Final = 1_000


@dataclass(frozen=True, slots=True)
class ItemsPage:
    """One page of items."""

    items: tuple[Any, ...]
    following: str | None
    """Cursor of the next page; None: this was the last one."""
    etag: str | None


class CursorForgottenError(ConnectorError):
    """The operator does not know this cursor any more (410): begin again from `since`."""

    code = "source-answer"


class AccountClient:
    """One account: an operator, and what lets the vault in. The description is read again, and an
    access token asked for, by each client: keys and addresses may change between runs."""

    def __init__(
        self, transport: AccountTransport, credentials: Credentials, *, address: str
    ) -> None:
        self._transport, self.credentials, self.address = transport, credentials, address
        self._described: Description | None = None
        self._token: str | None = None

    def __repr__(self) -> str:
        return "AccountClient(***)"

    @property
    def described(self) -> Description:
        """The operator's description, read once."""
        if self._described is None:
            self._described = describe(self._transport, self.address)
        return self._described

    @property
    def is_described(self) -> bool:
        """Whether the description was read."""
        return self._described is not None

    def connect(self) -> str:
        """An access token. Raises SourceRefusedError: the access was taken back."""
        if self._token is None:
            granted = renew(self._transport, self.described, self.credentials)
            self._token = granted.access_token
            if granted.refresh_token != self.credentials.refresh_token:
                self.credentials = _with(self.credentials, granted.refresh_token)
        return self._token

    def page(
        self,
        resource: str,
        *,
        since: datetime | None,
        cursor: str | None,
        limit: int,
        etag: str | None = None,
    ) -> ItemsPage | None:
        """One page; None when the document with `etag` has not changed.

        Raises:
            CursorForgottenError. SourceRefusedError: neither this token nor a fresh one is
            accepted. The other `Source…Error`s.
        """
        query: dict[str, str | int] = {"limit": limit}
        if since is not None:
            query["since"] = since.isoformat(timespec="seconds").replace("+00:00", "Z")
        if cursor is not None:
            query["cursor"] = cursor
        where = f"{self.described.api}/me/{resource}"
        for renewed in (False, True):
            token = self.connect()
            found = self._transport.fetch(
                f"{where}?{urlencode(query)}", bearer=token, etag=etag, statuses=(200, 401, 410)
            )
            if found.status != 401:
                break
            if renewed:
                raise SourceRefusedError(where=where, status=401)
            self._token = None
        if found.status == 304:
            return None
        if found.status == 410:
            raise CursorForgottenError(where)
        value = found.value
        items = value.get("items") if isinstance(value, dict) else None
        if not isinstance(items, list) or len(items) > max(limit, 1) * 2:
            raise SourceAnswerError(where=f"{where}#/items", reason="not a list of that size")
        following = value.get("next")
        if following is not None and (
            not isinstance(following, str) or not 0 < len(following) <= MAX_CURSOR
        ):
            raise SourceAnswerError(where=f"{where}#/next", reason="not a cursor")
        return ItemsPage(tuple(items), following, found.etag)

    def subscribe(self, url: str, resources: Sequence[str]) -> bool:
        """Ask for news at `url`; False: this operator sends none."""
        return subscribe(
            self._transport,
            self.described,
            bearer=self.connect(),
            url=url,
            resources=resources,
        )


def _with(credentials: Credentials, refresh_token: str) -> Credentials:
    return Credentials(
        client_id=credentials.client_id,
        client_secret=credentials.client_secret,
        registration_path=credentials.registration_path,
        registration_token=credentials.registration_token,
        refresh_token=refresh_token,
        scope=credentials.scope,
    )
