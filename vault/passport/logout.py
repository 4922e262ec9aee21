"""A service says that somebody signed out there (OpenID Connect RP-Initiated Logout 1.0).

The request proves nothing about who sits in front of the browser, so it is a question, never an
act: the page asks whether the vault is to be closed too. Its way back is an address the service
registered, or none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from federation.jose import JwsError, JwsMalformedError, verify_jws
from federation.keys import PublicKey
from vault.passport.errors import PassportRequestError
from vault.passport.services import Service
from vault.store.passport import PassportTable

if TYPE_CHECKING:
    from vault.open_vault import OpenVault
    from vault.passport.provider import Passport

__all__ = ["LeaveAsked", "forget_access", "read_logout"]


@dataclass(frozen=True, slots=True)
class LeaveAsked:
    """A request that was checked."""

    service: Service | None
    """None: it does not say which; then there is no way back either."""
    back_to: str | None
    pairs: tuple[tuple[str, str], ...]
    """The request again, for the form: it is checked anew when it comes back."""


def read_logout(passport: "Passport", pairs: Sequence[tuple[str, str]]) -> LeaveAsked:
    """Steps: (1) the hint is an ID token of ours, over or not, and says which service; (2) a client
    id says the same; (3) the way back is one of that service's, to the letter.

    Raises:
        PassportRequestError: without `redirect`: nothing is known to be the service's.
    """
    if len(pairs) > 20 or any(len(value) > 4_000 for _, value in pairs):
        raise PassportRequestError("invalid_request", "too much in one request")
    given = {name: value for name, value in pairs if value}

    def key_of(header: Mapping[str, Any]) -> PublicKey:
        found = passport.keys.published().get(str(header.get("kid", "")))
        if found is None:
            raise JwsError("unknown key")
        return found

    asked: str | None = None
    hint = given.get("id_token_hint")
    if hint is not None:  # 1
        try:
            claims = verify_jws(hint, key_of, typ="JWT").claims
        except (JwsError, JwsMalformedError):
            raise PassportRequestError("invalid_request", "a hint that is not ours") from None
        if claims.get("iss") != passport.issuer:
            raise PassportRequestError("invalid_request", "a hint that is not ours")
        asked = str(claims.get("aud"))
    named = given.get("client_id")
    if named is not None and asked not in (None, named):  # 2
        raise PassportRequestError("invalid_request", "hint and client id differ")
    service = (
        None if asked is None and named is None else passport.services.find(asked or named or "")
    )
    there = given.get("post_logout_redirect_uri")
    if there is not None:  # 3
        if service is None or there not in service.logout_uris:
            raise PassportRequestError("invalid_request", "a way back that is not the service's")
        state = given.get("state")
        joint = "&" if urlsplit(there).query else "?"
        there = f"{there}{joint}{urlencode({'state': state})}" if state else there
    kept = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")
    return LeaveAsked(service, there, tuple((n, given[n]) for n in kept if n in given))


def forget_access(passport: "Passport", vault: "OpenVault", service: Service) -> None:
    """End the access of this sign-in. What the citizen let the service keep (`offline_access`)
    outlives it, as the service was told: it ends in « Services reliés »."""
    name = passport.connection_id(vault.vault_id, service)
    with passport.home.store.transact() as tx:
        PassportTable(tx.session).delete_access(vault.vault_id, name)
