"""A witness for heads of vaults: lines of (number, salted hash) that only grow.

A home shows, at each of a vault's openings, how far the vault had come; a store that was put back
to an older copy is then older than its line. The hub learns no vault, no person and no content: the
identifier is the hash of a secret of its own, the commitment is salted.
"""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime

from federation.hub.errors import WitnessNotNewerError, WitnessUnknownError
from federation.hub.store import HubStore
from federation.ports import WitnessView

__all__ = ["WitnessService", "identifier_of"]


def identifier_of(secret: bytes) -> str:
    """Name of the line that this secret writes: SHA-256, 64 hex digits."""
    return hashlib.sha256(secret).hexdigest()


class WitnessService:
    """Read and append."""

    def __init__(self, store: HubStore, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock

    def read(self, identifier: str) -> WitnessView:
        """The last of a line. Raises WitnessUnknownError."""
        with self._store.read() as reader:
            row = reader.witnessed(identifier)
            if row is None:
                raise WitnessUnknownError
            return WitnessView(row.seq, row.commitment)

    def append(
        self, secret: bytes, *, seq: int, commitment: bytes, restored: bool = False
    ) -> WitnessView:
        """Add to the line of `secret`. The same again is the same, and adds nothing.

        A line goes up; `restored` may go back, as a new row that says so: nothing is overwritten.

        Raises:
            WitnessNotNewerError: not higher than the last, and not `restored`.
        """
        identifier = identifier_of(secret)
        while True:
            with self._store.transact() as tx:
                last = tx.witnessed(identifier)
                if last is not None:
                    is_same = last.seq == seq and hmac.compare_digest(last.commitment, commitment)
                    if is_same:
                        return WitnessView(seq, commitment)
                    if seq <= last.seq and not restored:
                        raise WitnessNotNewerError(last=last.seq)
                added = tx.append_witness(
                    identifier,
                    number=1 if last is None else last.number + 1,
                    seq=seq,
                    commitment=commitment,
                    restored=restored,
                    at=self._clock(),
                )
            if added:
                return WitnessView(seq, commitment)
