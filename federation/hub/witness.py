"""A witness for heads of vaults: lines of (number, salted hash) that only grow.

A home shows, at each of a vault's openings, how far the vault had come; a store that was put back
to an older copy is then older than its line. The hub learns no vault, no person and no content: the
identifier is the hash of a secret of its own, the commitment is salted.
"""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from federation.hub.errors import WitnessBusyError, WitnessNotNewerError, WitnessUnknownError
from federation.hub.rate import Rate
from federation.hub.store import HubStore
from federation.ports import WitnessView

__all__ = ["WitnessService", "identifier_of"]


def identifier_of(secret: bytes) -> str:
    """Name of the line that this secret writes: SHA-256, 64 hex digits."""
    return hashlib.sha256(secret).hexdigest()


HOUR: Final = timedelta(hours=1)
MINUTE: Final = timedelta(minutes=1)
MOST_A_LINE: Final = 240
"""New heads of one line in an hour: a vault opened and closed every half minute."""
MOST_AN_ADDRESS: Final = 600
"""Requests of one address in a minute: a home of ten thousand citizens in its morning peak posts
about a hundred. Counted in each worker."""


class WitnessService:
    """Read and append."""

    def __init__(self, store: HubStore, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._addresses = Rate(MOST_AN_ADDRESS, MINUTE, clock)

    def admit(self, address: str) -> None:
        """Count a request of this address (its hash, for a minute, in memory).

        Raises:
            WitnessBusyError: too many this minute; other addresses are not held up.
        """
        wait = self._addresses.count(address)
        if wait is not None:
            raise WitnessBusyError(wait)

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
            WitnessBusyError: too many new heads of this line in an hour.
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
                if tx.witnessed_since(identifier, self._clock() - HOUR) >= MOST_A_LINE:
                    raise WitnessBusyError(round(HOUR.total_seconds() / 4))
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
