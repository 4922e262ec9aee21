"""Bookings that carpool operators send of people who logged in there with their vault's passport.

Taking one is numbered: (1) the ID token is this home's, in its term, for a service that may still
ask; (2) its owner lets this service leave bookings; (3) within the rate; (4) the event reads; (5)
the same event again is answered again, another one under its id is refused; (6) what tells a trip
is sealed and deposited. An ID token lives minutes: an operator sends a fresh one, from its refresh
token, so ending the connection in the vault ends this too.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from connectors.carpool.booking import read_event
from connectors.depositing import SealingDepositor
from connectors.errors import (
    HostileInputError,
    IdempotencyError,
    PushBusyError,
    PushTokenError,
    PushTokenMissingError,
)
from connectors.home import ConnectorHome
from connectors.parsing import load_json
from connectors.push.service import slug
from connectors.store.store import ConnectorStore, PushRequest, PushToken
from federation.jose import JwsError, verify_jws
from federation.keys import PublicKey
from schemas.errors import MobilityError, NotFound

__all__ = ["BOOKING", "CONNECTOR", "MAX_EVENT", "CarpoolBookings", "Provider"]

CONNECTOR: Final = "covoiturage"
BOOKING: Final = "Booking"
"""Kind of the right that a person gives to an operator."""
MAX_EVENT: Final = 64_000
PER_MINUTE: Final = 60
"""By person and operator."""
SKEW: Final = timedelta(seconds=60)


class Provider(Protocol):
    """The home as an OpenID provider (`vault.passport.Passport`)."""

    @property
    def issuer(self) -> str: ...

    @property
    def keys(self) -> Any:
        """`published()`: the keys that verify its ID tokens, by `kid`."""
        ...

    @property
    def services(self) -> Any:
        """`get(id, at=…)`: a service that may ask now; raises NotFound or Refused."""
        ...


class CarpoolBookings:
    """Bookings for the vaults of one home."""

    def __init__(
        self,
        home: ConnectorHome,
        store: ConnectorStore,
        *,
        provider: Callable[[], Provider],
        clock: Callable[[], datetime],
    ) -> None:
        self._home, self._store, self._provider, self._clock = home, store, provider, clock

    def allow(self, vault_id: str, *, service: str, subject: str, name: str) -> None:
        """Let a connected service leave bookings. Allowing twice is no error."""
        row = _row(service, subject)
        known = self._store.token(row)
        if known is not None and known.revoked_at is None:
            return
        self._store.forget_token(row)  # given again, it is another right with its own account
        made = PushToken(
            token_hash=row,
            vault_id=vault_id,
            token_id=secrets.token_hex(8),
            app=slug(name),
            kinds=(BOOKING,),
            created_at=self._clock(),
        )
        self._store.add_token(made)
        did, _ = self._home.connector_signer(CONNECTOR)
        self._home.link_depositor(vault_id, did, _account(made), name=name, scope=("Trip",))

    def revoke(self, vault_id: str, token_id: str) -> None:
        """No booking of this operator is taken any more.

        Raises:
            PushTokenError: no such one.
        """
        if not self._store.revoke_token(vault_id, token_id, at=self._clock()):
            raise PushTokenError
        did, _ = self._home.connector_signer(CONNECTOR)
        self._home.revoke_link(vault_id, did, f"{CONNECTOR}:{token_id}")

    def take(self, body: bytes, *, token: str = "", media_type: str = "") -> int:
        """Take one `CarpoolBookingEvent`; how many trips it told (0 or 1). The ID token stands in
        the event, or is given beside it (`token`).

        Raises:
            PushTokenError: the ID token is no one's, over, or its owner takes no bookings from this
                operator. PushInvalidError, HostileInputError, IdempotencyError, PushBusyError.
        """
        del media_type
        now = self._clock()
        try:
            document = load_json(body, max_bytes=MAX_EVENT, max_depth=8)
        except HostileInputError:
            if token:
                raise
            raise PushTokenMissingError from None  # whose, nobody can say
        given = document.get("idToken") if isinstance(document, dict) else None
        if not token and given is None:
            raise PushTokenMissingError
        service, subject = self._holder(token or given, now)  # 1
        right = self._store.token(_row(service, subject))  # 2
        if right is None or right.revoked_at is not None:
            raise PushTokenError
        second = int(now.timestamp())
        who = hashlib.sha256(b"booking\x00" + right.token_hash).digest()
        if self._store.count(who, second // 60) > PER_MINUTE:  # 3
            raise PushBusyError(retry_after_s=60 - second % 60, full=False)
        booking = read_event(document, account=_account(right), at=now)  # 4
        key_hash = hashlib.sha256(f"event {booking.event}".encode()).digest()
        told = json.dumps(document["data"], sort_keys=True, allow_nan=False)
        body_hash = hashlib.sha256(told.encode()).digest()
        known = self._store.request_of_key(right.token_hash, key_hash)  # 5
        if known is not None:
            if known.body_hash != body_hash:
                raise IdempotencyError
            return known.records
        records = () if booking.observation is None else (booking.observation,)
        try:
            deposited = self._depositor(right).receipts(records) if records else ()  # 6
        except MobilityError as error:
            if error.code == "drop-box-full":
                wait = getattr(error, "retry_after_s", None) or 3600
                raise PushBusyError(retry_after_s=wait, full=True) from error
            raise
        self._store.add_request(
            PushRequest(
                receipt_id=secrets.token_hex(16),
                token_hash=right.token_hash,
                key_hash=key_hash,
                body_hash=body_hash,
                records=len(records),
                deposits=tuple(f"{item.receipt.digest.hex()}:0" for item in deposited),
                created_at=now,
            )
        )
        self._store.used_token(right.token_hash, at=now)
        return len(records)

    def _depositor(self, right: PushToken) -> SealingDepositor:
        return SealingDepositor(
            self._home.drop_box(right.vault_id),
            vault_id=right.vault_id,
            account=_account(right),
            signer=self._home.connector_signer(CONNECTOR)[1],
            store=self._store,
            clock=self._clock,
        )

    def _holder(self, token: object, now: datetime) -> tuple[str, str]:
        """(service, pairwise subject) of an ID token of this home."""
        provider = self._provider()

        def key_of(header: Mapping[str, Any]) -> PublicKey:
            known: Mapping[str, PublicKey] = provider.keys.published()
            key = known.get(str(header.get("kid", "")))
            if key is None:
                raise JwsError("not a key of this home")
            return key

        if not isinstance(token, str):
            raise PushTokenError
        try:
            claims = verify_jws(token, key_of, typ="JWT").claims
        except (JwsError, MobilityError):
            raise PushTokenError from None
        service, subject, until = claims.get("aud"), claims.get("sub"), claims.get("exp")
        if (
            claims.get("iss") != provider.issuer
            or not isinstance(service, str)
            or not isinstance(subject, str)
            or not isinstance(until, int)
            or until + SKEW.total_seconds() < now.timestamp()
        ):
            raise PushTokenError
        try:
            provider.services.get(service, at=now)
        except MobilityError as error:
            if isinstance(error, NotFound):
                raise PushTokenError from error
            raise
        return service, subject


def _row(service: str, subject: str) -> bytes:
    return hashlib.sha256(f"mobility-vault/booking/1\x00{service}\x00{subject}".encode()).digest()


def _account(right: PushToken) -> str:
    return f"{CONNECTOR}:{right.token_id}"
