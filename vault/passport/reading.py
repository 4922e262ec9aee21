"""Claims on their way to a service: signed, sealed to it when the citizen agrees, handed over as
they were sealed."""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from federation.jwe import encrypt_jwe
from vault.errors import VaultUnknownError
from vault.passport.errors import AccessRefusedError
from vault.passport.granting import open_row, seal_row
from vault.passport.tokens import unseal_under
from vault.store.passport import ConnectionRecord, PassportTable

if TYPE_CHECKING:
    from vault.passport.granting import Access
    from vault.passport.provider import Passport
    from vault.passport.services import Service

__all__ = ["JSON", "JWT", "read_snapshot", "written"]

JSON: Final = "application/json"
JWT: Final = "application/jwt"


def written(
    passport: "Passport",
    service: "Service",
    claims: Mapping[str, Any],
    *,
    subject: str,
    at: datetime,
) -> bytes:
    """The userinfo answer of these claims, in the form the service registered: JSON, or a JWT
    signed by the passport; where the service has a key of its own, sealed to that key (OpenID
    Connect Core §5.3.2: signed, then encrypted)."""
    body = {**claims, "sub": subject, "updated_at": int(at.timestamp())}
    key = service.encryption_key
    if key is None and not service.signs_userinfo:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    signed = passport.sign(
        {**body, "iss": passport.issuer, "aud": service.id, "iat": int(at.timestamp())}
    )
    if key is None:
        return signed.encode()
    return encrypt_jwe(signed.encode(), to=key, content_type="JWT").encode()


def read_snapshot(
    passport: "Passport", access: "Access", service: "Service", secret: str
) -> tuple[str, bytes]:
    """What an access token opens, as it was sealed when the citizen agreed.

    The first time on a day it says so in the citizen's journal.

    Raises:
        AccessRefusedError: the connection was ended, or is over.
    """
    home, at = passport.home, passport.home.clock()
    with home.store.read() as reader:
        known = PassportTable(reader.session).connection(access.vault_id, access.connection)
    if known is None or at >= known.expires_at:
        raise AccessRefusedError("invalid_token", "the connection was ended")
    sealed = access.snapshot if access.snapshot is not None else known.snapshot
    if sealed is None:
        raise AccessRefusedError("invalid_token", "there is nothing to read any more")
    _note(passport, known, service, at.date())
    if service.encryption_key is not None:
        return JWT, sealed
    return (JWT if service.signs_userinfo else JSON), unseal_under(secret, sealed)


def _note(passport: "Passport", known: ConnectionRecord, service: "Service", day: date) -> None:
    home = passport.home
    body = open_row(home, known.sealed, vault_id=known.vault_id, name=known.connection_id)
    if body.get("read_on") == day.isoformat():
        return
    sealed = seal_row(
        home,
        {**body, "read_on": day.isoformat()},
        vault_id=known.vault_id,
        name=known.connection_id,
    )
    with home.store.transact() as tx:
        PassportTable(tx.session).note_reading(
            known.vault_id, known.connection_id, before=known.sealed, sealed=sealed
        )
    with suppress(VaultUnknownError):  # shredded meanwhile
        home.journal_locked(
            known.vault_id, "service-read", actor=service.party, recipient=service.party
        )
