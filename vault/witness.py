"""A witness for the head outside the home: a salted commitment at a hub.

A store put back to an older copy, with the home's own note, deceives neither the browser that
opened the vault later nor the witness. Line and salt come from the vault's pepper (key store), so
they need no row that could be put back with the rest; a shred ends the line with the pepper.

    secret = HKDF(pepper, "mobility-vault/witness/1␀secret", 32); the line's name is its SHA-256
    salt   = HKDF(pepper, "mobility-vault/witness/1␀salt", 32)

The hub gets (seq, commitment) after an unlock and after a lock, through the outbox. At the first
unlock in a process, after the secret opened, the home asks for the line's last: a higher number is
`vault-rolled-back`, another hash under the same number `vault-forked`. A hub that does not answer
in time stops nobody: the browser's memory and the home's note were compared, and the log says so.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import structlog

from federation.errors import HubClientError, HubRefusedError
from federation.wire.jobs import Job
from vault.crypto.errors import VaultForkedError, VaultRolledBackError
from vault.crypto.head import Head, HeadWitness
from vault.crypto.secret import derive
from vault.errors import VaultUnknownError

if TYPE_CHECKING:
    from vault.home import Home

__all__ = ["WitnessKeys", "check", "enqueue", "register"]

_log = structlog.get_logger(__name__)

JOB: Final = "witness"
_LABEL: Final = b"mobility-vault/witness/1\x00"
_RESTORED: Final = b"restored"


@dataclass(frozen=True, slots=True)
class WitnessKeys:
    """What one vault's line is written with."""

    secret: bytes = field(repr=False)
    salt: bytes = field(repr=False)

    @classmethod
    def of(cls, pepper: bytes) -> "WitnessKeys":
        """From the vault's pepper."""
        return cls(
            bytes(derive(pepper, info=_LABEL + b"secret", salt=None, size=32)),
            bytes(derive(pepper, info=_LABEL + b"salt", salt=None, size=32)),
        )

    @property
    def identifier(self) -> str:
        """Name of the line at the hub, 64 hex digits."""
        return sha256(self.secret).hexdigest()


def check(home: "Home", vault_id: str, head: HeadWitness) -> None:
    """Compare the head with what the witness hub was last given. No hub: nothing to compare.

    Raises:
        VaultRolledBackError, VaultForkedError: the store is an older or another copy.
    """
    if home.witness_hub is None:
        return
    keys = WitnessKeys.of(home.key_store.pepper(vault_id))
    try:
        seen = home.witness_hub.witnessed(keys.identifier)
    except HubClientError as error:
        _log.warning("witness.not_asked", reason=error.code)
        return
    if seen is None or seen.seq < head.seq:
        return
    if seen.seq > head.seq:
        raise VaultRolledBackError(seq=head.seq, remembered=seen.seq)
    if seen.commitment != head.commitment(vault=vault_id, salt=keys.salt):
        raise VaultForkedError(seq=head.seq)


def enqueue(home: "Home", vault_id: str, *, restored: bool = False) -> None:
    """Let the head there is now be witnessed soon. One job for one head."""
    if home.witness_hub is None:
        return
    with home.store.transact() as tx:
        row = tx.head(vault_id)
        if row is None:
            return
        key = f"{row.seq}.{sha256(row.sealed).hexdigest()[:16]}{'.restored' if restored else ''}"
        job = home.outbox.enqueue(
            tx.session,
            JOB,
            at=home.clock(),
            key=key,
            owner=vault_id,
            payload=_RESTORED if restored else b"",
        )
    home.wake(job)


def register(home: "Home") -> None:
    """Give the home its handler."""

    def bear(job: Job) -> None:
        """Give the hub the head there is now: it may be newer than when the job was written."""
        hub = home.witness_hub
        with home.store.read() as reader:
            row = reader.head(job.owner)
        if hub is None or row is None:
            return
        try:
            keys = WitnessKeys.of(home.key_store.pepper(job.owner))
        except VaultUnknownError:
            return  # shredded meanwhile
        head = Head.witness(row.sealed)
        try:
            hub.bear_witness(
                keys.secret,
                seq=head.seq,
                commitment=head.commitment(vault=job.owner, salt=keys.salt),
                restored=job.payload == _RESTORED,
            )
        except HubRefusedError as error:
            # Another worker was faster with a newer head; or this store is the older copy, which
            # the next unlock finds and says.
            if error.hub_code != "witness-not-newer":
                raise

    home.register_job(JOB, bear)
