"""Codes and tokens of the passport, over the rows of the home: what `protocol.Granting` asks.

Everything here works while the vault is locked and opens nothing of it: a row holds scopes, moments
and pseudonyms, sealed by the home, and claims sealed to the service.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from federation.multibase import b64url
from vault.errors import VaultUnknownError
from vault.passport.errors import ServiceNotAccreditedError, ServiceUnknownError
from vault.passport.protocol import Code, Line
from vault.passport.services import Service
from vault.passport.tokens import (
    ACCESS_TERM,
    RefreshToken,
    new_secret,
    seal_under,
    token_hash,
    unseal_under,
)
from vault.store.passport import FamilyRecord, PassportTable, TokenRecord

if TYPE_CHECKING:
    from vault.home import Home
    from vault.passport.services import ServiceBook

__all__ = ["GrantingRows", "open_row", "seal_row"]


def seal_row(home: "Home", body: Mapping[str, Any], *, vault_id: str, name: bytes) -> bytes:
    """What a row of the passport says, sealed by the home."""
    return home.seal.seal(
        json.dumps(dict(body), ensure_ascii=False, separators=(",", ":")).encode(),
        purpose="passport/row",
        aad=vault_id.encode() + b"\x00" + name,
    )


def open_row(home: "Home", sealed: bytes, *, vault_id: str, name: bytes) -> dict[str, Any]:
    """Inverse of `seal_row`."""
    found: dict[str, Any] = json.loads(
        home.seal.open(sealed, purpose="passport/row", aad=vault_id.encode() + b"\x00" + name)
    )
    return found


@dataclass(frozen=True, slots=True)
class Access:
    """What an access token gives access to."""

    vault_id: str
    connection: bytes
    service: str
    thumbprint: str | None
    snapshot: bytes | None
    """Sealed to the service, or under the token; None: the connection has it."""


class GrantingRows:
    """`protocol.Granting` over one home."""

    def __init__(
        self,
        home: "Home",
        services: "ServiceBook",
        sign: Callable[[Mapping[str, Any]], str],
        audiences: tuple[str, ...],
    ) -> None:
        self._home, self._services, self._sign = home, services, sign
        self.audiences = audiences

    def now(self) -> datetime:
        return self._home.clock()

    def service(self, id_: str) -> Service | None:
        try:
            return self._services.get(id_, at=self.now())
        except (ServiceUnknownError, ServiceNotAccreditedError):
            return None

    def is_fresh(self, party: str, number: str, until: datetime) -> bool:
        return self._home.is_fresh(f"passport:{party}", number, until)

    # --- codes --------------------------------------------------------------------------------

    def find_code(self, secret: str, service: Service) -> Code | None:
        at, name = self.now(), token_hash(secret[:200])
        with self._home.store.read() as reader:
            row = PassportTable(reader.session).token(name)
        if row is None or row.kind != "code":
            return None
        body = open_row(self._home, row.sealed, vault_id=row.vault_id, name=name)
        if body["service"] != service.id:
            return None
        if row.used_at is not None:
            self._end_line(row.vault_id, row.family_id, service.id, "code")
            return None
        if at >= datetime.fromisoformat(body["until"]):
            return None
        keep_until = body["keep_until"]
        return Code(
            secret=secret,
            service=service.id,
            vault_id=row.vault_id,
            connection=row.connection_id,
            family=row.family_id,
            scope=body["scope"],
            redirect_uri=body["redirect_uri"],
            nonce=body["nonce"],
            code_challenge=body["challenge"],
            auth_time=body["auth_time"],
            subject=body["subject"],
            snapshot=row.snapshot,
            details=body.get("details", {}),
            keep_until=None if keep_until is None else datetime.fromisoformat(keep_until),
        )

    def exchange(self, code: Code, token: dict[str, Any], thumbprint: str | None) -> bool:
        if self._exchanged(code, token, thumbprint):
            return True
        self._end_line(code.vault_id, code.family, code.service, "code")
        return False

    def _exchanged(self, code: Code, token: dict[str, Any], thumbprint: str | None) -> bool:
        at, home = self.now(), self._home
        keeps = "refresh_token" in token and code.keep_until is not None
        with home.store.transact() as tx:
            table = PassportTable(tx.session)
            if not table.use_token(code.vault_id, token_hash(code.secret), at=at):
                return False  # used, or ended, between reading it and here
            snapshot = code.snapshot
            if snapshot is not None and self._is_under_code(code.service):
                snapshot = seal_under(token["access_token"], unseal_under(code.secret, snapshot))
            self._put_access(
                table,
                token["access_token"],
                vault_id=code.vault_id,
                connection=code.connection,
                family=code.family,
                service=code.service,
                thumbprint=thumbprint,
                snapshot=snapshot,
            )
            if keeps and code.keep_until is not None:
                body = {
                    "service": code.service,
                    "scope": code.scope,
                    "auth_time": code.auth_time,
                    "subject": code.subject,
                    "thumbprint": thumbprint,
                    "details": code.details,
                }
                table.put_family(
                    FamilyRecord(
                        code.vault_id,
                        code.family,
                        code.connection,
                        1,
                        seal_row(home, body, vault_id=code.vault_id, name=code.family),
                        code.keep_until,
                    )
                )
                token["refresh_token"] = RefreshToken(code.family, 1).text(home.seal)
            else:
                token.pop("refresh_token", None)
        return True

    def _is_under_code(self, service_id: str) -> bool:
        """Whether claims of this service are sealed under its tokens: it has no key of its own."""
        service = self._services.find(service_id)
        return service is None or service.encryption_key is None

    def _put_access(
        self,
        table: PassportTable,
        secret: str,
        *,
        vault_id: str,
        connection: bytes,
        family: bytes,
        service: str,
        thumbprint: str | None,
        snapshot: bytes | None,
    ) -> None:
        name = token_hash(secret)
        body = {"service": service, "thumbprint": thumbprint}
        table.put_token(
            TokenRecord(
                vault_id,
                name,
                "access",
                connection,
                family,
                seal_row(self._home, body, vault_id=vault_id, name=name),
                snapshot,
                self.now() + ACCESS_TERM,
            )
        )
        table.bound(vault_id, connection)

    # --- refresh tokens -----------------------------------------------------------------------

    def find_line(self, text: str) -> Line | None:
        shown = RefreshToken.read(text, self._home.seal)
        if shown is None:
            return None
        with self._home.store.read() as reader:
            row = PassportTable(reader.session).family(shown.family)
        if row is None or self.now() >= row.expires_at:
            return None
        body = open_row(self._home, row.sealed, vault_id=row.vault_id, name=row.family_id)
        if shown.number != row.generation:
            self._end_line(row.vault_id, row.family_id, body["service"], "refresh")
            return None
        return Line(
            row.vault_id,
            row.connection_id,
            row.family_id,
            row.generation,
            body["service"],
            body["scope"],
            body["auth_time"],
            body["subject"],
            body["thumbprint"],
            row.expires_at,
            body.get("details", {}),
        )

    def continue_line(self, line: Line, token: dict[str, Any]) -> bool:
        if self._continued(line, token):
            return True
        self._end_line(line.vault_id, line.family, line.service, "refresh")
        return False

    def _continued(self, line: Line, token: dict[str, Any]) -> bool:
        home = self._home
        with home.store.transact() as tx:
            table = PassportTable(tx.session)
            if not table.next_generation(line.vault_id, line.family, expected=line.number):
                return False
            self._put_access(
                table,
                token["access_token"],
                vault_id=line.vault_id,
                connection=line.connection,
                family=line.family,
                service=line.service,
                thumbprint=line.thumbprint,
                snapshot=None,
            )
            table.sweep(line.vault_id, at=self.now())
        token["refresh_token"] = RefreshToken(line.family, line.number + 1).text(home.seal)
        return True

    def _end_line(self, vault_id: str, family: bytes, service_id: str, what: str) -> None:
        """A code or refresh token came twice: somebody copied it. Everything that came of the
        agreement ends, and the citizen reads it in the journal, once."""
        with self._home.store.transact() as tx:
            if not PassportTable(tx.session).delete_family(vault_id, family):
                return
        service = self._services.find(service_id)
        with suppress(VaultUnknownError):  # shredded meanwhile
            self._home.journal_locked(
                vault_id,
                "service-token-reused",
                actor="home",
                recipient=service.party if service is not None else "",
                what=what,
            )

    def revoke(self, text: str, service: Service) -> None:
        """End the line of a refresh token, or one access token; silently when it is none (RFC 7009
        §2.2)."""
        shown = RefreshToken.read(text, self._home.seal)
        with self._home.store.transact() as tx:
            table = PassportTable(tx.session)
            if shown is not None:
                line = table.family(shown.family)
                if line is not None:
                    body = open_row(
                        self._home, line.sealed, vault_id=line.vault_id, name=line.family_id
                    )
                    if body["service"] == service.id:
                        table.delete_family(line.vault_id, line.family_id)
                return
            row = table.token(token_hash(text[:200]))
            if row is None or row.kind != "access":
                return
            body = open_row(self._home, row.sealed, vault_id=row.vault_id, name=row.token)
            if body["service"] == service.id:
                table.delete_token(row.vault_id, row.token)

    # --- access -------------------------------------------------------------------------------

    def find_access(self, secret: str) -> Access | None:
        """What an access token opens; None: unknown, ended, or over."""
        name = token_hash(secret[:200])
        with self._home.store.read() as reader:
            row = PassportTable(reader.session).token(name)
        if row is None or row.kind != "access" or self.now() >= row.expires_at:
            return None
        body = open_row(self._home, row.sealed, vault_id=row.vault_id, name=name)
        return Access(
            row.vault_id, row.connection_id, body["service"], body["thumbprint"], row.snapshot
        )

    # --- tokens -------------------------------------------------------------------------------

    def new_tokens(self, *, with_refresh: bool) -> dict[str, Any]:
        return {
            "access_token": new_secret(),
            "expires_in": int(ACCESS_TERM.total_seconds()),
            **({"refresh_token": ""} if with_refresh else {}),
        }

    def id_token(
        self, service: Service, subject: str, *, auth_time: int, nonce: str, access_token: str
    ) -> str:
        at = int(self.now().astimezone(UTC).timestamp())
        half = sha256(access_token.encode()).digest()[:16]
        claims = {
            "iss": self._home.origin,
            "sub": subject,
            "aud": service.id,
            "iat": at,
            "exp": at + int(ACCESS_TERM.total_seconds()),
            "auth_time": auth_time,
            **({"nonce": nonce} if nonce else {}),
            "at_hash": b64url(half),
        }
        return self._sign(claims)
