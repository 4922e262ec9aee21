"""The drop-box: sealed deposits taken while the vault is locked.

Accepting is one transaction: (1) read the public header, (2) it names this vault, (3) the depositor
is linked, (4) the same bytes again get the same receipt, (5) the vault still has the key, and the
sequence follows, (6) there is room, (7) deposit, receipt, quota and sequence are written together
and synced. Who is sending (signature, token) is checked by the caller, before.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from federation.sealing.box import BoxPublicKey
from federation.sealing.deposit import SealedDeposit
from federation.sealing.errors import SealingError
from federation.sealing.receipt import DepositReceipt
from schemas.ids import Did, Digest
from schemas.records import Compartment
from vault.errors import (
    DepositInvalidError,
    DepositKeyRetiredError,
    DepositorUnknownError,
    DepositOutOfSequenceError,
    DropBoxFullError,
    VaultUnknownError,
    WrongVaultError,
)
from vault.key_store import HomeSeal
from vault.model import LinkInfo, ReceiptView, WaitingView
from vault.settings import Quotas
from vault.store import Deposit, Link, Store

if TYPE_CHECKING:
    from federation.keys import Signer

__all__ = ["DropBox", "link_id", "open_link", "seal_link"]


def link_id(seal: HomeSeal, vault_id: str, depositor: str, account: str) -> bytes:
    """Blind name of (depositor, account) at one vault."""
    return seal.tag(vault_id, depositor, account, purpose="link")


def seal_link(
    seal: HomeSeal,
    vault_id: str,
    *,
    depositor: Did,
    account: str,
    name: str,
    scope: tuple[str, ...],
    key: str | None,
) -> bytes:
    body = {
        "depositor": depositor,
        "account": account,
        "name": name,
        "scope": list(scope),
        "key": key,
    }
    return seal.seal(json.dumps(body).encode(), purpose="link", aad=vault_id.encode())


def open_link(seal: HomeSeal, vault_id: str, link: Link) -> LinkInfo:
    body = json.loads(seal.open(link.sealed, purpose="link", aad=vault_id.encode()))
    return LinkInfo(
        Did(body["depositor"]),
        body["account"],
        body["name"],
        tuple(body["scope"]),
        body["key"],
        link.last_seq,
        link.revoked_at is not None,
    )


def deposit_aad(vault_id: str, link: bytes, seq: int) -> bytes:
    return b"\x00".join((vault_id.encode(), link, seq.to_bytes(8, "big")))


def open_receipt(seal: HomeSeal, vault_id: str, deposit: Deposit) -> DepositReceipt:
    """The signed receipt of a deposit. It names the account, so it is kept sealed."""
    aad = deposit_aad(vault_id, deposit.link_id, deposit.seq)
    return DepositReceipt.parse(seal.open(deposit.receipt, purpose="receipt", aad=aad))


class DropBox:
    """One vault's drop-box. Knows no key of the vault: only its public ones."""

    def __init__(
        self,
        vault_id: str,
        *,
        store: Store,
        seal: HomeSeal,
        did: Did,
        signer: "Signer",
        quotas: Quotas,
        clock: Callable[[], datetime],
    ) -> None:
        self._vault_id = vault_id
        self._store, self._seal, self._signer = store, seal, signer
        self._did, self._quotas, self._clock = did, quotas, clock

    def deposit(self, sealed: bytes) -> DepositReceipt:
        """Take one sealed deposit; durable when this returns.

        Raises:
            DepositInvalidError: not a sealed deposit, or too large.
            WrongVaultError, DepositorUnknownError: not for here, or not linked.
            DepositKeyRetiredError: sealed to keys that were renewed since: seal again.
            DepositOutOfSequenceError: resend from `last` + 1.
            DropBoxFullError: try later; nothing was taken.
            VaultUnknownError: no such vault.
        """
        try:
            parsed = SealedDeposit.parse(sealed)  # 1
        except SealingError as error:
            raise DepositInvalidError(str(error), where="body") from error
        if parsed.vault != self._vault_id:  # 2
            raise WrongVaultError
        name = link_id(self._seal, self._vault_id, parsed.depositor, parsed.account)
        kept = self._seal.seal(
            sealed, purpose="deposit", aad=deposit_aad(self._vault_id, name, parsed.seq)
        )
        at = self._clock()
        receipt = DepositReceipt.issue(parsed, home=self._did, received_at=at, signer=self._signer)
        aad = deposit_aad(self._vault_id, name, parsed.seq)
        sealed_receipt = self._seal.seal(receipt.data, purpose="receipt", aad=aad)
        with self._store.transact() as tx:
            held, deposits, arrivals = tx.lock_drop_box(self._vault_id)
            link = tx.link(self._vault_id, name)
            if link is None or link.revoked_at is not None:  # 3
                raise DepositorUnknownError
            known = tx.deposit(self._vault_id, name, parsed.seq)
            if known is not None and known.digest == parsed.digest:  # 4
                return open_receipt(self._seal, self._vault_id, known)
            if not tx.has_public_key(self._vault_id, parsed.key_id):  # 5
                raise DepositKeyRetiredError
            if parsed.seq != link.last_seq + 1 or parsed.previous != link.last_digest:
                raise DepositOutOfSequenceError(last=link.last_seq)
            size = len(sealed)
            if held + size > self._quotas.vault_bytes:  # 6
                raise DropBoxFullError(held=held, limit=self._quotas.vault_bytes)
            if deposits + 1 > self._quotas.vault_deposits:
                raise DropBoxFullError(held=deposits, limit=self._quotas.vault_deposits)
            if link.held_bytes + size > self._quotas.depositor_bytes:
                raise DropBoxFullError(held=link.held_bytes, limit=self._quotas.depositor_bytes)
            tx.accept_deposit(  # 7
                self._vault_id,
                Deposit(
                    link_id=name,
                    seq=parsed.seq,
                    arrival=arrivals + 1,
                    digest=parsed.digest,
                    size=size,
                    state="waiting",
                    taken=0,
                    sealed=kept,
                    receipt=sealed_receipt,
                    received_at=at,
                    outcome=None,
                ),
                manifest=parsed.manifest_digest,
            )
        return receipt

    def last(self, depositor: Did, account: str) -> tuple[int, Digest | None]:
        """Last accepted seq and the manifest digest to name as `previous`; (0, None) at first.

        Raises:
            DepositorUnknownError: not linked.
        """
        name = link_id(self._seal, self._vault_id, depositor, account)
        with self._store.read() as reader:
            link = reader.link(self._vault_id, name)
        if link is None or link.revoked_at is not None:
            raise DepositorUnknownError
        return link.last_seq, None if link.last_digest is None else Digest(link.last_digest)

    def link(self, depositor: Did, account: str) -> LinkInfo:
        """The link of a depositor. Raises DepositorUnknownError."""
        name = link_id(self._seal, self._vault_id, depositor, account)
        with self._store.read() as reader:
            link = reader.link(self._vault_id, name)
        if link is None or link.revoked_at is not None:
            raise DepositorUnknownError
        return open_link(self._seal, self._vault_id, link)

    def public_keys(self) -> dict[Compartment, BoxPublicKey]:
        """Keys to seal to, by compartment. Raises VaultUnknownError."""
        with self._store.read() as reader:
            keys = reader.public_keys(self._vault_id)
        if not keys:
            raise VaultUnknownError
        return {
            Compartment(key.purpose): BoxPublicKey.decode(key.encoded)
            for key in keys
            if key.purpose != "journal"
        }

    def receipt(self, deposit: Digest, *, depositor: Did | None = None) -> ReceiptView | None:
        """What became of a deposit, by the digest its receipt names; None when unknown, or when
        `depositor` is given and left another one."""
        with self._store.read() as reader:
            found = reader.deposit_by_digest(self._vault_id, deposit)
            link = None if found is None else reader.link(self._vault_id, found.link_id)
        if found is None or link is None:
            return None
        info = open_link(self._seal, self._vault_id, link)
        if depositor not in {None, info.depositor}:
            return None
        faults: tuple[tuple[int, str, str | None], ...] = ()
        if found.outcome is not None:
            aad = deposit_aad(self._vault_id, found.link_id, found.seq)
            opened = json.loads(self._seal.open(found.outcome, purpose="outcome", aad=aad))
            faults = tuple((index, code, where) for index, code, where in opened)
        state = {"waiting": "waiting", "taken": "taken"}.get(found.state, "rejected")
        return ReceiptView(state, faults)

    def waiting(self) -> WaitingView:
        with self._store.read() as reader:
            found = reader.waiting(self._vault_id)
        return WaitingView(found.deposits, found.bytes)
