"""Observations into sealed deposits: the connectors' way into a drop-box.

One chain per (depositor, account): each deposit names the one before it. The sealed bytes are
stored before the first send and resent as they are, so a crash or a lost answer neither loses nor
doubles a deposit.
"""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from connectors.errors import ConnectorError, DepositRefusedError
from connectors.store.store import ConnectorStore, Pending
from federation.keys import Signer
from federation.sealing import BoxPublicKey, DepositReceipt, batches, build_deposit
from schemas.errors import InvalidInput, MobilityError, Refused, Retriable
from schemas.ids import Did, Digest
from schemas.jsonld import observation_to_json
from schemas.observations import DocumentObservation, Observation, TripObservation
from schemas.records import Compartment, Invoice, Subscription
from schemas.tracks import PackedTrack

MAX_OBSERVATION: Final = 180_000
"""Bytes of one observation: beside a manifest and padding it still fits a deposit of 256 000."""
ATTEMPTS: Final = 5
SEAL_AGAIN: Final = frozenset({"deposit-out-of-sequence", "deposit-key-retired"})
"""What is answered when the same bytes can never be taken, and the page sealed again can: another
was first, or the vault renewed its keys."""


class DropBox(Protocol):
    """A vault's drop-box, in this process or over HTTP."""

    def deposit(self, sealed: bytes) -> DepositReceipt:
        """Take one sealed deposit; the same bytes again give the same receipt.

        Raises errors that are `Retriable` (later), or `Refused`/`InvalidInput` (never).
        """
        ...

    def last(self, depositor: Did, account: str) -> tuple[int, Digest | None]:
        """Last accepted seq, and what the next deposit names as `previous`."""
        ...

    def public_keys(self) -> Mapping[Compartment, BoxPublicKey]:
        """Keys to seal to."""
        ...


class ChainMovedError(ConnectorError, Retriable):
    """The drop-box is elsewhere in the chain than we were, or has other keys; the page comes again
    with the next run."""

    code = "deposit-chain-moved"
    retry_after_s = 1

    def __init__(self) -> None:
        super().__init__("the drop-box's chain moved")


@dataclass(frozen=True, slots=True)
class Chain:
    """Whose deposits follow each other."""

    vault_id: str
    depositor: Did
    account: str


_locks: defaultdict[Chain, threading.Lock] = defaultdict(threading.Lock)


class SealingDepositor:
    """Leaves observations in one vault for one account, signed by one depositor."""

    def __init__(
        self,
        drop_box: DropBox,
        *,
        vault_id: str,
        account: str,
        signer: Signer,
        store: ConnectorStore,
        clock: Callable[[], datetime],
    ) -> None:
        self._drop_box, self._signer, self._store = drop_box, signer, store
        self._clock = clock
        depositor = Did(signer.verification_method.partition("#")[0])
        self.chain = Chain(vault_id, depositor, account)

    def deposit(self, observations: Sequence[Observation]) -> int:
        """Seal and deposit; returns how many deposits it took."""
        return len(self.receipts(observations))

    def receipts(self, observations: Sequence[Observation]) -> "tuple[Deposited, ...]":
        """Seal and deposit; the home's signed receipts, each with what it covers.

        Raises:
            DepositRefusedError: the drop-box refuses this depositor, account or vault for good.
            ChainMovedError: retry; nothing of this call's current batch was taken.
            MobilityError, `Retriable`: full or unreachable. The batch that could not be sent is
            forgotten, so
                the caller asks again with the same observations.
        """
        with _locks[self.chain]:
            self.flush()
            return tuple(
                Deposited(self._send(batch.records, batch.compartment), batch.indexes)
                for batch in by_compartment(observations)
            )

    def flush(self) -> int:
        """Send what a crash left behind; returns how many deposits. Same bytes, so never
        doubled."""
        sent = 0
        for pending in self._store.pending(*self._names()):
            self._deliver(pending)
            sent += 1
        return sent

    def _names(self) -> tuple[str, str, str]:
        return self.chain.vault_id, self.chain.depositor, self.chain.account

    def _send(self, records: Sequence[bytes], compartment: Compartment) -> DepositReceipt:
        for _ in range(ATTEMPTS):
            seq, previous = self._last()
            sealed = build_deposit(
                records,
                vault=self.chain.vault_id,
                depositor_signer=self._signer,
                account=self.chain.account,
                seq=seq + 1,
                previous=previous,
                to=self._drop_box.public_keys()[compartment],
                at=self._clock(),
            )
            pending = Pending(seq + 1, sealed.data)
            if self._store.add_pending(*self._names(), pending, at=self._clock()):
                return self._deliver(pending)
            self.flush()
        raise ChainMovedError

    def _last(self) -> tuple[int, Digest | None]:
        try:
            return self._drop_box.last(self.chain.depositor, self.chain.account)
        except MobilityError as error:
            raise _as_ours(error) from error

    def _deliver(self, pending: Pending) -> DepositReceipt:
        try:
            receipt = self._drop_box.deposit(pending.sealed)
        except MobilityError as error:
            if _is_unknown_outcome(error):
                raise
            self._store.drop_pending(*self._names(), pending.seq)
            raise _as_ours(error) from error
        self._store.drop_pending(*self._names(), pending.seq)
        return receipt


def _is_unknown_outcome(error: MobilityError) -> bool:
    """Whether the deposit may have been taken: unreachable keeps the bytes, a clear "full" does
    not."""
    settled = isinstance(error, ChainMovedError) or error.code == "drop-box-full"
    return isinstance(error, Retriable) and not settled


def _as_ours(error: MobilityError) -> MobilityError:
    if isinstance(error, ChainMovedError):
        return error
    if error.code in SEAL_AGAIN:
        return ChainMovedError()
    if isinstance(error, Refused | InvalidInput):
        return DepositRefusedError(error.code)
    return error


def compartment_of(observation: Observation) -> Compartment:
    """Which of the vault's keys an observation is sealed to."""
    if isinstance(observation, DocumentObservation):
        if isinstance(observation.record, Invoice | Subscription):
            return Compartment.INVOICES
        return Compartment.ATTRIBUTES
    return Compartment.TRIPS


def encode(observation: Observation) -> bytes:
    """The bytes of an observation inside a deposit: UTF-8 JSON, members sorted.

    A track is packed (`schemas/tracks.py`): whole seconds, 10⁻⁵ degree, a tenth of the bytes. One
    still too long for a deposit is thinned, every second point at a time, ends kept.
    """
    if isinstance(observation, TripObservation) and isinstance(observation.track, tuple):
        packed = PackedTrack.of((p.at, p.lat, p.lon) for p in observation.track)
        observation = replace(observation, track=packed or observation.track or None)
    data = _bytes(observation)
    while (
        len(data) > MAX_OBSERVATION
        and isinstance(observation, TripObservation)
        and observation.track is not None
        and len(observation.track) > 2
    ):
        kept = (*observation.track[:-1][::2], observation.track[-1])
        track = PackedTrack.of((p.at, p.lat, p.lon) for p in kept) or kept
        extra = {**observation.extra, "trackThinned": True}
        observation = replace(observation, track=track, extra=extra)
        data = _bytes(observation)
    return data


def _bytes(observation: Observation) -> bytes:
    document = observation_to_json(observation)
    return json.dumps(
        document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one compartment that fit one deposit, and their places in what was given."""

    compartment: Compartment
    records: tuple[bytes, ...]
    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Deposited:
    """A deposit taken, and which of the observations given it holds, in its order."""

    receipt: DepositReceipt
    indexes: tuple[int, ...]


def by_compartment(observations: Iterable[Observation]) -> Iterator[Batch]:
    """Batches that fit a deposit each, none mixing compartments, order kept inside one."""
    groups: defaultdict[Compartment, list[tuple[int, bytes]]] = defaultdict(list)
    for index, observation in enumerate(observations):
        groups[compartment_of(observation)].append((index, encode(observation)))
    for compartment, found in groups.items():
        done = 0
        for batch in batches([record for _, record in found]):
            places = tuple(index for index, _ in found[done : done + len(batch)])
            done += len(batch)
            yield Batch(compartment, batch, places)


__all__ = [
    "SEAL_AGAIN",
    "Chain",
    "ChainMovedError",
    "Deposited",
    "DropBox",
    "SealingDepositor",
    "compartment_of",
    "encode",
]
