"""Trips in one Cozy: all of them (`_find`), what changed since (`_changes`), and copies of ours.

cozy-stack passes CouchDB through: `_find` gives at most what is asked with a bookmark, `_changes` a
sequence to come back with; deletions are in it. A doctype nobody wrote to has no database: 404, and
that is an empty one. Source: cozy/cozy-stack `docs/data-system.md`, `docs/mango.md`,
`web/data/replication.go`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from connectors.cozy.oauth import DOCTYPE, CozyTransport, Credentials, access_token
from connectors.errors import SourceAnswerError, SourceRefusedError

BASE: Final = f"/data/{DOCTYPE}"
FIND: Final = f"{BASE}/_find"
CHANGES: Final = f"{BASE}/_changes"
MAX_SEQ: Final = 4_000
"""Characters of a sequence: a cluster of twelve shards writes about 700."""
_STALE: Final = frozenset({400, 401})
"""cozy-stack answers 400 to a token that is not one any more, and 401 to one out of date."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of documents."""

    documents: tuple[Any, ...]
    bookmark: str | None
    """None: this was the last page."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One page of changes."""

    documents: tuple[Any, ...]
    deleted: int
    seq: str
    more: bool


class CozyClient:
    """One account: a Cozy, and what lets the vault in."""

    def __init__(self, transport: CozyTransport, credentials: Credentials) -> None:
        self._transport, self._credentials = transport, credentials
        self._token: str | None = None

    def __repr__(self) -> str:
        return "CozyClient(***)"

    def connect(self) -> None:
        """Get an access token. Raises SourceRefusedError: the access was taken back."""
        if self._token is None:
            self._token = access_token(self._transport, self._credentials)

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        statuses: frozenset[int] = frozenset({200}),
    ) -> tuple[int, Any]:
        """One request with the access token; a stale one is renewed once.

        Raises:
            SourceRefusedError: neither token is accepted; the other `Source…Error`s.
        """
        where = path.partition("?")[0]
        for renewed in (False, True):
            self.connect()
            status, answer = self._transport.call(
                method, path, body=body, bearer=self._token, statuses=statuses | _STALE
            )
            if status not in _STALE:
                return status, answer
            if renewed or status in statuses:
                break
            self._token = None
        if status in statuses:
            return status, answer
        if status == 401:
            raise SourceRefusedError(where=where, status=status)
        raise SourceAnswerError(where=where, reason=f"answered {status}")

    def now(self) -> str:
        """The sequence to ask changes from, later."""
        status, answer = self.call(
            "GET", f"{CHANGES}?{urlencode({'since': 'now', 'limit': 1})}", statuses=_OR_NONE
        )
        return "0" if status == 404 else _seq(answer)

    def find(self, *, bookmark: str | None, limit: int) -> Found:
        """Documents in order of their id, from `bookmark` on."""
        body: dict[str, Any] = {"selector": {"_id": {"$gt": None}}, "limit": limit}
        if bookmark is not None:
            body["bookmark"] = bookmark
        status, answer = self.call("POST", FIND, body=body, statuses=_OR_NONE)
        if status == 404:
            return Found((), None)
        documents = _list(answer, "docs", FIND)
        if answer.get("next") is not True or not documents:
            return Found(documents, None)
        following = answer.get("bookmark")
        if not isinstance(following, str) or not 0 < len(following) <= MAX_SEQ:
            raise SourceAnswerError(where=f"{FIND}#/bookmark", reason="not a text")
        return Found(documents, following)

    def changes(self, since: str, *, limit: int) -> Changed:
        """What was written or deleted after `since`."""
        query = urlencode({"since": since, "limit": limit, "include_docs": "true"})
        status, answer = self.call("GET", f"{CHANGES}?{query}", statuses=_OR_NONE)
        if status == 404:
            return Changed((), 0, since, more=False)
        results = _list(answer, "results", CHANGES)
        kept = [row.get("doc") if isinstance(row, dict) else row for row in results]
        gone = [isinstance(row, dict) and row.get("deleted") is True for row in results]
        return Changed(
            documents=tuple(doc for doc, is_gone in zip(kept, gone, strict=True) if not is_gone),
            deleted=sum(gone),
            seq=_seq(answer),
            more=len(results) >= limit,
        )

    # copies of ours

    def put(self, identity: str, document: Mapping[str, Any]) -> bool:
        """Create a document under `identity`; False: it is there already."""
        status, _ = self.call(
            "PUT",
            f"{BASE}/{quote(identity, safe='')}",
            body=document,
            statuses=frozenset({200, 201, 409}),
        )
        return status != 409

    def named(self, prefix: str, *, limit: int) -> list[tuple[str, str]]:
        """(id, revision) of documents whose id begins with `prefix`."""
        body = {
            "selector": {"_id": {"$gte": prefix, "$lt": prefix + "\uffff"}},
            "fields": ["_id", "_rev"],
            "limit": limit,
        }
        status, answer = self.call("POST", FIND, body=body, statuses=_OR_NONE)
        if status == 404:
            return []
        return [
            (row["_id"], row["_rev"])
            for row in _list(answer, "docs", FIND)
            if isinstance(row, dict)
            and isinstance(row.get("_id"), str)
            and row["_id"].startswith(prefix)
            and isinstance(row.get("_rev"), str)
        ]

    def delete(self, identity: str, revision: str) -> None:
        """Delete a document; one that is gone, or was changed meanwhile, is left."""
        self.call(
            "DELETE",
            f"{BASE}/{quote(identity, safe='')}?{urlencode({'rev': revision})}",
            statuses=frozenset({200, 404, 409}),
        )


_OR_NONE: Final = frozenset({200, 404})


def _list(answer: Any, name: str, where: str) -> tuple[Any, ...]:
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, list):
        raise SourceAnswerError(where=f"{where}#/{name}", reason="not a list")
    return tuple(found)


def _seq(answer: Any) -> str:
    found = answer.get("last_seq") if isinstance(answer, dict) else None
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    if not isinstance(found, str) or not 0 < len(found) <= MAX_SEQ:
        raise SourceAnswerError(where=f"{CHANGES}#/last_seq", reason="not a sequence")
    return found


__all__ = ["Changed", "CozyClient", "Found"]
