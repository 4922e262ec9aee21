"""What a service asks in the browser, between its redirect and the citizen's answer.

It rests in the browser that brought it, sealed under the home's key in a cookie: no row is written
for a stranger, and an answer counts only in the browser that was sent here.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlencode, urlsplit

from federation.multibase import EncodingError, b64url, b64url_decode
from vault.errors import KeyStoreError
from vault.passport.errors import PassportRequestError

if TYPE_CHECKING:
    from vault.key_store import HomeSeal

__all__ = ["ASKED_TERM", "MAX_ASKED", "Asked", "answer_address"]

ASKED_TERM: Final = timedelta(minutes=15)
"""How long a request waits for its answer: a person who first has to find their passphrase."""
MAX_ASKED: Final = 3_000
"""Characters of a sealed request: what a cookie holds in every browser (4 096 with its name)."""
_PURPOSE: Final = "passport/asked"


@dataclass(frozen=True, slots=True)
class Asked:
    """An authorisation request that was checked."""

    id: str
    service: str
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str
    nonce: str
    challenge: str
    """Of PKCE, S256."""
    at: datetime
    fresh_login: bool = False
    """`prompt=login`: the vault is to be opened after the request came."""
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Scope of a service profile → what the service filled in."""
    max_age_s: int | None = None
    """How long ago the vault may have been opened at most."""

    def seal(self, seal: "HomeSeal") -> str:
        """For the cookie.

        Raises:
            PassportRequestError: it is too long to be kept there.
        """
        body = json.dumps({**asdict(self), "at": self.at.isoformat()}, separators=(",", ":"))
        text = b64url(seal.seal(body.encode(), purpose=_PURPOSE, aad=b"asked"))
        if len(text) > MAX_ASKED:
            raise PassportRequestError("invalid_request", "the request is too long")
        return text

    @classmethod
    def open(cls, text: str, seal: "HomeSeal", *, at: datetime) -> Self:
        """The request of a cookie.

        Raises:
            PassportRequestError: `asked-unknown`: none of ours; `asked-expired`: too old.
        """
        try:
            body = json.loads(
                seal.open(b64url_decode(text[:MAX_ASKED]), purpose=_PURPOSE, aad=b"asked")
            )
        except (EncodingError, KeyStoreError):
            raise PassportRequestError("asked-unknown", "no request in this browser") from None
        found = cls(
            **{
                **body,
                "at": datetime.fromisoformat(body["at"]),
                "scopes": tuple(body["scopes"]),
            }
        )
        if not found.at <= at < found.at + ASKED_TERM:
            raise PassportRequestError("asked-expired", "the request is too old")
        return found

    def needs_login(self, begun_at: datetime, *, at: datetime) -> bool:
        """Whether a session that began then is too old for what the service asks."""
        if self.fresh_login and begun_at < self.at:
            return True
        return self.max_age_s is not None and at - begun_at > timedelta(seconds=self.max_age_s)


def answer_address(redirect_uri: str, issuer: str, **members: str) -> str:
    """Where the browser goes back to, with these members and who answers (RFC 9207)."""
    joint = "&" if urlsplit(redirect_uri).query else "?"
    found = {name: value for name, value in members.items() if value}
    return f"{redirect_uri}{joint}{urlencode({**found, 'iss': issuer})}"
