"""The Token Status List of a fictitious issuer: each SD-JWT VC it signs has an entry of its own.

Lives in memory, as the sandbox's other grants: a sandbox that starts again has a list in which
everything is valid.
"""

import secrets
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.responses import Response

from connectors.sandbox.parties import Party
from federation.credentials.token_status import (
    INVALID,
    SUSPENDED,
    VALID,
    TokenStatus,
    TokenStatusList,
    issue_token_status_list,
)

__all__ = ["Statuses", "Word", "create_status_router"]

GOOD_FOR: Final = timedelta(hours=12)
MEDIA_TYPE: Final = "application/statuslist+jwt"


class Word(StrEnum):
    """What an entry may be set to."""

    VALID = "valid"
    REVOKED = "revoked"
    SUSPENDED = "suspended"


_CODES: Final = {Word.VALID: VALID, Word.REVOKED: INVALID, Word.SUSPENDED: SUSPENDED}


class Statuses:
    """One issuer's list."""

    def __init__(self, party: Party, *, base: str, clock: Callable[[], datetime]) -> None:
        self.party, self._clock = party, clock
        self.uri = f"{base}/{party.path}/status/1"
        self._entries = TokenStatusList.empty()
        self._issued: dict[int, str] = {}
        self._lock = threading.Lock()

    def entry(self, kind: str) -> TokenStatus:
        """A free place, drawn at random, for a credential about to be signed."""
        with self._lock:
            while (index := secrets.randbelow(len(self._entries))) in self._issued:
                pass
            self._issued[index] = kind
        return TokenStatus(self.uri, index)

    def set(self, kind: str, word: Word) -> int:
        """Say this of every credential of a kind; of how many."""
        with self._lock:
            mine = [index for index, known in self._issued.items() if known == kind]
            for index in mine:
                self._entries[index] = _CODES[word]
        return len(mine)

    def signed(self) -> str:
        """The list, as published."""
        now = self._clock()
        with self._lock:
            return issue_token_status_list(
                self._entries,
                uri=self.uri,
                signer=self.party.signer,
                at=now,
                valid_until=now + GOOD_FOR,
            )


def create_status_router(statuses: Statuses) -> APIRouter:
    """The list, and the act of the issuer's clerk."""
    router = APIRouter(prefix=f"/{statuses.party.path}", tags=["status"])

    @router.get("/status/1")
    def published() -> Response:
        return Response(statuses.signed(), media_type=MEDIA_TYPE)

    @router.post("/_status/{kind}/{word}")
    def say(kind: str, word: Word) -> Response:
        """Revoke, suspend or reinstate what was signed of a kind."""
        return JSONResponse({"credentials": statuses.set(kind, word)})

    return router
