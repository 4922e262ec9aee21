"""Push without HTTP: pairing, tokens, taking a batch, telling what became of it.

Taking a batch is numbered: (1) the token is known, in its term, not revoked; (2) within its rate;
(3) the same Idempotency-Key and bytes give the same receipt, other bytes are refused; (4) the
whole batch reads, or every wrong place is told and nothing is kept; (5) sealed and deposited; (6)
the receipt is written. A crash between 5 and 6 makes the app send again: the observations have the
same ids and the vault keeps them once.
"""

import hashlib
import secrets
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connectors.depositing import SealingDepositor
from connectors.errors import (
    IdempotencyError,
    PairingError,
    PushBusyError,
    PushScopeError,
    PushTokenError,
    ReceiptUnknownError,
)
from connectors.home import ConnectorHome
from connectors.push.form import read_batch
from connectors.push.metadata import MOB, read_mob
from connectors.store.store import ConnectorStore, Pairing, PushRequest, PushToken
from schemas.errors import MobilityError
from schemas.ids import Digest
from schemas.observations import Observation

CONNECTOR: Final = "push"
ALPHABET: Final = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
"""No I, L, O, U, 0 or 1: nothing that reads two ways aloud or on a screen. 30^8 codes, 39 bits."""
CODE_LENGTH: Final = 8
CODE_TERM: Final = timedelta(minutes=10)
PAIRINGS_PER_MINUTE: Final = 10
"""By client address. 39 bits at ten a minute for ten minutes: one in 5 billion."""
PUSHES_PER_MINUTE: Final = 60
"""By token. A phone that kept a year of trips sends them in one minute."""
TOKEN_PREFIX: Final = "mvp_"  # noqa: S105  # a prefix, not a secret
KINDS: Final = ("Trip",)


@dataclass(frozen=True, slots=True)
class PairingCode:
    """What the citizen reads to the app, or shows as a QR code."""

    code: str
    """Eight characters, shown in two groups of four."""
    qr_payload: str
    expires_at: datetime

    @property
    def shown(self) -> str:
        return f"{self.code[:4]}-{self.code[4:]}"


@dataclass(frozen=True, slots=True)
class Paired:
    """A fresh token, shown to the app once."""

    token: str
    token_id: str
    source: str
    kinds: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Paired(token=***, token_id={self.token_id!r})"


@dataclass(frozen=True, slots=True)
class PushReceipt:
    """The home's word on a batch."""

    receipt: str
    records: int
    created_at: datetime
    repeated: bool
    """True when this very batch had been taken before."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record the vault could not keep: its place in the batch and the rule, nothing else."""

    pointer: str
    code: str


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """What became of a batch. Form and dates only: never what else the vault holds."""

    state: str
    """`waiting` until the vault is opened, then `taken` or `rejected`."""
    records: int
    created_at: datetime
    refusals: tuple[Refusal, ...]


class PushService:
    """Push for the vaults of one home."""

    def __init__(
        self,
        home: ConnectorHome,
        store: ConnectorStore,
        *,
        clock: Callable[[], datetime],
        address: str,
    ) -> None:
        self._home, self._store, self._clock = home, store, clock
        self.address = address.rstrip("/")

    # pairing and tokens

    def offer(self, vault_id: str, app: str, *, kinds: tuple[str, ...] = KINDS) -> PairingCode:
        """A new code for an app to be paired with this vault."""
        code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
        expires = self._clock() + CODE_TERM
        self._store.add_pairing(
            Pairing(_code_hash(code), vault_id, slug(app), kinds, expires_at=expires)
        )
        return PairingCode(code, f"{self.address}/v1/pairings#{code}", expires)

    def pair(self, code: str, *, app: str, client: str) -> Paired:
        """Use a code; the app gets its token, once.

        Raises:
            PairingError: wrong, used or expired. PushBusyError: too many tries from this address.
        """
        now = self._clock()
        self._limit(b"pair", client.encode(), PAIRINGS_PER_MINUTE, now)
        plain = "".join(c for c in code.upper() if c not in "- ")
        if len(plain) != CODE_LENGTH or any(c not in ALPHABET for c in plain):
            raise PairingError
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        made = self._store.pair(
            _code_hash(plain),
            PushToken(
                token_hash=token_hash(secret),
                vault_id="",
                token_id=secrets.token_hex(8),
                app=slug(app),
                kinds=KINDS,
                created_at=now,
            ),
            at=now,
        )
        if made is None:
            raise PairingError
        did, _ = self._home.connector_signer(CONNECTOR)
        self._home.link_depositor(
            made.vault_id,
            did,
            _account(made),
            name=made.app,
            scope=("Trip",) if "Point" in made.kinds else made.kinds,  # points become trips
        )
        return Paired(secret, made.token_id, _source(made), made.kinds)

    def tokens(self, vault_id: str) -> tuple[PushToken, ...]:
        """The apps that may push to this vault, and those that no longer may."""
        return self._store.tokens(vault_id)

    def revoke(self, vault_id: str, token_id: str) -> None:
        """From now on nothing of this app is taken.

        Raises:
            PushTokenError: no such token in this vault.
        """
        if not self._store.revoke_token(vault_id, token_id, at=self._clock()):
            raise PushTokenError
        did, _ = self._home.connector_signer(CONNECTOR)
        self._home.revoke_link(vault_id, did, f"push:{token_id}")

    # batches

    def push(
        self, secret: str, body: bytes, media_type: str, *, key: str | None = None
    ) -> PushReceipt:
        """Take a batch, whole or not at all.

        Raises:
            PushTokenError, PushScopeError, PushInvalidError, HostileInputError, IdempotencyError:
            see there. PushBusyError: over the rate, or the drop-box is full.
        """

        def read(token: PushToken, now: datetime) -> Sequence[Observation]:
            return read_batch(
                body,
                media_type,
                source=_source(token),
                account=_account(token),
                kinds=token.kinds,
                at=now,
            )

        return self._take(secret, body, media_type, key, read)

    def push_metadata(self, secret: str, body: bytes, *, key: str | None = None) -> PushReceipt:
        """Take moB's `Metadata` (`invoices/mob.py`): invoices and the passes they pay, whole or not
        at all. The same invoice of the same issuer again is the same record.

        Raises:
            As `push`; InvoiceSumError: products that do not add up to what was paid.
        """

        def read(token: PushToken, now: datetime) -> Sequence[Observation]:
            if "Invoice" not in token.kinds:
                raise PushScopeError("Invoice")
            return read_mob(body, source=_source(token), account=_account(token), at=now)

        return self._take(secret, body, MOB, key, read)

    def _take(
        self,
        secret: str,
        body: bytes,
        media_type: str,
        key: str | None,
        read: Callable[[PushToken, datetime], Sequence[Observation]],
    ) -> PushReceipt:
        now = self._clock()
        token = self._token(secret)  # 1
        self._limit(b"push", token.token_hash, PUSHES_PER_MINUTE, now)  # 2
        body_hash = hashlib.sha256(media_type.encode() + b"\x00" + body).digest()
        key_hash = hashlib.sha256(b"key\x00" + key.encode()).digest() if key else body_hash
        known = self._known(token, key_hash, body_hash)  # 3
        if known is not None:
            return known
        observations = read(token, now)  # 4
        depositor = SealingDepositor(
            self._home.drop_box(token.vault_id),
            vault_id=token.vault_id,
            account=_account(token),
            signer=self._home.connector_signer(CONNECTOR)[1],
            store=self._store,
            clock=self._clock,
        )
        try:
            deposited = depositor.receipts(observations)  # 5
        except MobilityError as error:
            if error.code == "drop-box-full":
                wait = getattr(error, "retry_after_s", None) or 3600
                raise PushBusyError(retry_after_s=wait, full=True) from error
            raise
        request = PushRequest(
            receipt_id=secrets.token_hex(16),
            token_hash=token.token_hash,
            key_hash=key_hash,
            body_hash=body_hash,
            records=len(observations),
            deposits=tuple(
                f"{item.receipt.digest.hex()}:{','.join(map(str, item.indexes))}"
                for item in deposited
            ),
            created_at=now,
        )
        if not self._store.add_request(request):  # 6
            again = self._known(token, key_hash, body_hash)
            if again is not None:
                return again
        self._store.used_token(token.token_hash, at=now)
        return PushReceipt(request.receipt_id, request.records, now, repeated=False)

    def take(self, body: bytes, *, token: str, media_type: str) -> int:
        """As `push`, in the words of `base.PushReceiver`."""
        return self.push(token, body, media_type).records

    def outcome(self, secret: str, receipt_id: str) -> PushOutcome:
        """What became of a batch of this token.

        Raises:
            PushTokenError, ReceiptUnknownError.
        """
        token = self._token(secret)
        request = self._store.request(receipt_id)
        if request is None or request.token_hash != token.token_hash:
            raise ReceiptUnknownError
        drop_box = self._home.drop_box(token.vault_id)
        states: list[str] = []
        refusals: list[Refusal] = []
        for item in request.deposits:
            name, _, places = item.partition(":")
            indexes = [int(place) for place in places.split(",")]
            found = drop_box.receipt(Digest(bytes.fromhex(name)))
            states.append("waiting" if found is None else found.state)
            for index, code, where in found.faults if found is not None else ():
                place = indexes[index] if 0 <= index < len(indexes) else index
                refusals.append(Refusal(f"/{place}{where or ''}", code))
        state = "taken"
        if "waiting" in states:
            state = "waiting"
        elif "rejected" in states or refusals:
            state = "rejected"
        return PushOutcome(state, request.records, request.created_at, tuple(refusals))

    def _token(self, secret: str) -> PushToken:
        now = self._clock()
        if not secret.startswith(TOKEN_PREFIX) or len(secret) > 128:
            raise PushTokenError
        token = self._store.token(token_hash(secret))
        if token is None or token.revoked_at is not None:
            raise PushTokenError
        if token.expires_at is not None and token.expires_at <= now:
            raise PushTokenError
        return token

    def _known(self, token: PushToken, key_hash: bytes, body_hash: bytes) -> PushReceipt | None:
        request = self._store.request_of_key(token.token_hash, key_hash)
        if request is None:
            return None
        if request.body_hash != body_hash:
            raise IdempotencyError
        return PushReceipt(request.receipt_id, request.records, request.created_at, repeated=True)

    def _limit(self, what: bytes, who: bytes, limit: int, now: datetime) -> None:
        second = int(now.timestamp())
        name = hashlib.sha256(what + b"\x00" + who).digest()
        if self._store.count(name, second // 60) > limit:
            raise PushBusyError(retry_after_s=60 - second % 60, full=False)


def slug(app: str) -> str:
    """An app's name as part of a source: lower case letters, digits and hyphens, at most 40."""
    letters = unicodedata.normalize("NFKD", app.casefold())
    bare = (c for c in letters if not unicodedata.combining(c))
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in bare)
    return "-".join(part for part in plain.split("-") if part)[:40] or "app"


def _code_hash(code: str) -> bytes:
    return hashlib.sha256(b"mobility-vault/pairing/1\x00" + code.encode()).digest()


def token_hash(secret: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(b"mobility-vault/push-token/1\x00" + secret.encode()).digest()


def _source(token: PushToken) -> str:
    return f"push:{token.app}"


def _account(token: PushToken) -> str:
    return f"push:{token.token_id}"


__all__ = [
    "Paired",
    "PairingCode",
    "PushOutcome",
    "PushReceipt",
    "PushService",
    "slug",
    "token_hash",
]
