"""The register of decisions: each step of each application in a Merkle tree that only grows.

1. The transaction of a step writes its entry (salt, record), nothing else: nobody waits.
2. Job `hub.checkpoint`, each minute, gives waiting entries their leaves and signs the new head.
3. Job `hub.timestamp` brings a head (or one leaf, where the aid asks for it) to the authority.
   While it is away everything stands, and is `timestamp-pending`.
4. Anybody asks for heads and proofs by leaf hash, which tells nothing; the holder and the funder
   get the whole as one file (`federation/decision_log.py`).
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from federation.decision_log import (
    Checkpoint,
    CheckpointError,
    Evidence,
    Step,
    read_checkpoint,
    sign_checkpoint,
)
from federation.hub.errors import (
    AuthorityUnreachableError,
    EvidencePendingError,
    LogUnknownError,
)
from federation.hub.model import Application, LoggedStep
from federation.hub.publishing import PublishingService
from federation.hub.settings import HubSettings
from federation.hub.store import HubStore, Reader
from federation.keys import PublicKey, Signer, decode_multikey
from federation.merkle import consistency_path, grown, inclusion_path, tree_root
from federation.wire.errors import OutboundError
from federation.wire.http import BoundedClient
from federation.wire.jobs import Job
from schemas.errors import MobilityError
from schemas.records import ApplicationState

__all__ = ["DecisionLog", "Fault", "LogReport", "wants_timestamp"]

EACH: Final = timedelta(minutes=1)
"""How long a step waits for its leaf, at most."""
BATCH: Final = 1_000
"""Entries a transaction gives their leaves: 100 ms on SQLite."""
FOREVER: Final = 1_000_000
"""Attempts of the jobs here: an authority that is away for a week delays nothing else."""
MAX_LEAVES: Final = 1_000
CHECKPOINT: Final = "hub.checkpoint"
TIMESTAMP: Final = "hub.timestamp"
_OF_CHECKPOINT, _OF_LEAF = "checkpoint", "leaf"


def wants_timestamp(aid: Mapping[str, Any]) -> bool:
    """Whether an aid asks for a timestamp over each step of its own (catalogue member
    `timestampEach`)."""
    return aid.get("timestampEach") is True


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the register that does not fit."""

    code: str
    """`record-changed`, `record-missing`, `step-outside`, `leaf-changed`, `tree-broken`,
    `checkpoint-invalid`, `history-rewritten` or `timestamp-invalid`."""
    where: str
    """Leaf number, application id, or size of a checkpoint."""


@dataclass(frozen=True, slots=True)
class LogReport:
    """What a whole check of the register found."""

    size: int
    records: int
    """Leaves whose record is still here; the others were erased with their application."""
    waiting: int
    """Steps that the next checkpoint takes in."""
    checkpoints: int
    timestamps: int
    """Checkpoints with a good timestamp."""
    pending: int
    """Checkpoints that wait for one."""
    faults: tuple[Fault, ...]


class DecisionLog:
    """Grows the register, proves from it, checks it."""

    def __init__(
        self,
        settings: HubSettings,
        store: HubStore,
        publishing: PublishingService,
        *,
        signer: Signer,
        clock: Callable[[], datetime],
        client: BoundedClient,
        wake: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._publishing = publishing
        self._signer = signer
        self._clock = clock
        self._client = client
        self._wake = wake
        self._public = decode_multikey(signer.public_multikey())

    @property
    def origin(self) -> str:
        """Name of the register: host and path, as C2SP `tlog-checkpoint` advises."""
        return f"{self._settings.origin.partition('://')[2]}/registre"

    @property
    def key(self) -> PublicKey:
        """The key its heads are signed with."""
        return self._public

    # -- growing ----------------------------------------------------------------------------------

    def ensure(self) -> None:
        """The job that looks each minute is there, exactly once."""
        now = self._clock()
        with self._store.transact() as tx:
            tx.lock_hub()
            tx.enqueue(CHECKPOINT, "each-minute", payload=b"", at=now, max_attempts=FOREVER)

    def run_checkpoint(self, job: Job) -> None:
        """Job `hub.checkpoint`: take in what waits; come back in a minute."""
        while self.advance():
            pass
        now = self._clock()
        with self._store.transact() as tx:
            tx.again(job, at=now + EACH)

    def advance(self) -> int:
        """Give up to `BATCH` waiting entries their leaves and sign the new head; how many."""
        now, jobs = self._clock(), []
        wanting = {
            aid.id for aid in self._publishing.catalogue().aids if wants_timestamp(aid.extra)
        }
        with self._store.transact() as tx:
            tx.lock_hub()  # one writer of leaves at a time
            waiting = tx.log_waiting(BATCH)
            if not waiting:
                return 0
            size = tx.log_size()
            for position, step in enumerate(waiting, start=size):
                tx.place_log_entry(step.application, step.seq, position)
            leaves = [step.entry.leaf for step in waiting]
            tx.put_log_nodes(list(grown(size, leaves, tx.log_node)))
            after = size + len(leaves)
            head = Checkpoint(self.origin, after, tree_root(after, tx.log_node))
            tx.put_checkpoint(after, sign_checkpoint(head, self._signer), at=now)
            if self._settings.timestamp_url is not None:
                keys = [f"{_OF_CHECKPOINT}:{after}"]
                keys += [
                    f"{_OF_LEAF}:{step.application}:{step.seq}"
                    for step in waiting
                    if json.loads(step.entry.record)["aid"] in wanting
                ]
                jobs = [
                    tx.enqueue(TIMESTAMP, key, payload=b"", at=now, max_attempts=FOREVER)
                    for key in keys
                ]
        for job in jobs:
            self._wake(job.id)
        return len(waiting)

    def run_timestamp(self, job: Job) -> None:
        """Job `hub.timestamp`: ask the authority; keep only what verifies.

        Raises:
            AuthorityUnreachableError: no good answer now; the job comes back later.
        """
        from federation.timestamps import (
            MAX_REPLY,
            QUERY_TYPE,
            REPLY_TYPE,
            TimestampError,
            read_timestamp,
            timestamp_query,
        )

        url = self._settings.timestamp_url
        with self._store.read() as reader:
            data = self._stamped(reader, job.key)
            known = None if data is None else reader.timestamp(_sha256(data))
        if data is None or known is not None or url is None:
            return
        digest, nonce = _sha256(data), secrets.randbits(64)
        try:
            answer = self._client.post(
                url,
                body=timestamp_query(digest, nonce=nonce),
                content_type=QUERY_TYPE,
                accept=(REPLY_TYPE,),
                statuses=(200,),
                max_bytes=MAX_REPLY,
            )
            read_timestamp(answer.body, digest, roots=self._roots(), nonce=nonce)
        except (OutboundError, TimestampError) as error:
            raise AuthorityUnreachableError(error.code) from error
        now = self._clock()
        with self._store.transact() as tx:
            tx.put_timestamp(digest, answer.body, at=now)
            tx.complete(job, at=now)

    @staticmethod
    def _stamped(reader: Reader, key: str) -> bytes | None:
        """The bytes a job is about; None when they are gone."""
        kind, _, rest = key.partition(":")
        if kind == _OF_CHECKPOINT:
            found = reader.checkpoint(int(rest))
            return None if found is None else found[1]
        application, _, seq = rest.rpartition(":")
        entries = {step.seq: step for step in reader.log_entries(application)}
        step = entries.get(int(seq))
        return None if step is None else step.entry.preimage

    def _authority(self) -> bytes:
        path = self._settings.timestamp_roots
        return b"" if path is None else path.read_bytes()

    def _roots(self) -> tuple[Any, ...]:
        from federation.timestamps import read_roots

        return read_roots(self._authority())

    def roots_of(self, authority: bytes) -> tuple[Any, ...]:
        """The roots believed here, where these bytes are theirs; empty: another authority's."""
        return self._roots() if authority and authority == self._authority() else ()

    # -- for anybody ------------------------------------------------------------------------------

    def checkpoint(self, size: int | None = None) -> bytes:
        """The newest signed head, or that of a size.

        Raises:
            LogUnknownError: there is none.
        """
        with self._store.read() as reader:
            found = reader.checkpoint(size)
        if found is None:
            raise LogUnknownError
        return found[1]

    def timestamp(self, size: int) -> bytes:
        """The authority's answer over a head.

        Raises:
            LogUnknownError: no such head. EvidencePendingError: not stamped yet.
        """
        with self._store.read() as reader:
            found = reader.checkpoint(size)
            if found is None:
                raise LogUnknownError
            reply = reader.timestamp(_sha256(found[1]))
        if reply is None:
            raise EvidencePendingError
        return reply

    def inclusion(self, leaf: bytes, size: int) -> tuple[int, list[bytes]]:
        """(position, path) of a leaf in the tree of `size`.

        Raises:
            LogUnknownError: not in that tree, or no such tree.
        """
        with self._store.read() as reader:
            position = reader.log_position(leaf)
            if position is None or not position < size <= reader.log_size():
                raise LogUnknownError
            return position, inclusion_path(position, size, reader.log_node)

    def consistency(self, first: int, second: int) -> list[bytes]:
        """What shows that the tree of `first` began the tree of `second`.

        Raises:
            LogUnknownError: no such trees.
        """
        with self._store.read() as reader:
            if not 0 <= first <= second <= reader.log_size():
                raise LogUnknownError
            return consistency_path(first, second, reader.log_node)

    def leaves(self, start: int, limit: int) -> tuple[bytes, ...]:
        """Leaf hashes from `start`, at most `limit` and `MAX_LEAVES`."""
        with self._store.read() as reader:
            return reader.log_leaves(max(0, start), min(max(1, limit), MAX_LEAVES))

    # -- for the holder and the funder ------------------------------------------------------------

    def evidence(self, application: Application) -> Evidence:
        """All that shows what was decided on an application. Who asks was established before.
        Steps that wait for their leaf get it now.

        Raises:
            LogUnknownError: nothing of it is in the register: it is older.
        """
        with self._store.read() as reader:
            waits = any(step.position is None for step in reader.log_entries(application.id))
        while waits and self.advance():
            pass
        with self._store.read() as reader:
            steps = [s for s in reader.log_entries(application.id) if s.position is not None]
            head = reader.checkpoint()
            if not steps or head is None:
                raise LogUnknownError
            size, note = head
            return Evidence(
                application=application.id,
                hub=self._settings.did,
                method=self._signer.verification_method,
                multikey=self._signer.public_multikey(),
                checkpoint=note,
                timestamp=reader.timestamp(_sha256(note)),
                authority=self._authority(),
                steps=tuple(self._step(reader, step, size) for step in steps),
                award=application.award,
            )

    @staticmethod
    def _step(reader: Reader, step: LoggedStep, size: int) -> Step:
        position = step.position or 0
        return Step(
            entry=step.entry,
            position=position,
            path=tuple(inclusion_path(position, size, reader.log_node)),
            timestamp=reader.timestamp(step.entry.leaf),
        )

    def standing(self, application: Application) -> str:
        """`none` (older than the register), `waiting` (for its leaf, a minute at most),
        `timestamp-pending` or `complete`."""
        with self._store.read() as reader:
            steps = reader.log_entries(application.id)
            head = reader.checkpoint()
            if not steps:
                return "none"
            if head is None or any(step.position is None for step in steps):
                return "waiting"
            is_stamped = reader.timestamp(_sha256(head[1])) is not None
        if is_stamped or self._settings.timestamp_url is None:
            return "complete"
        return "timestamp-pending"

    # -- checking the whole -----------------------------------------------------------------------

    def verify(self, notes: Sequence[bytes] = ()) -> LogReport:
        """Compute the whole tree again from its leaves, and hold everything against it.

        Each record that is still here hashes to its leaf and says what its step says; no step
        stands outside; every full subtree, every head kept here, and every head in `notes` (kept
        elsewhere) is that of the same tree; each head is signed; each timestamp is good.
        """
        faults: list[Fault] = []
        with self._store.read() as reader:
            size = reader.log_size()
            made: dict[tuple[int, int], bytes] = {}
            records = self._check_leaves(reader, size, made, faults)
            faults += [Fault("step-outside", name) for name in reader.log_changed(100)]
            heads = reader.checkpoints()
            stamped = {n: reader.timestamp(_sha256(note)) for n, note in heads}
            waiting = reader.log_waiting_count()

        def node(level: int, index: int) -> bytes:
            return made[level, index]

        for number, note in (*heads, *((None, note) for note in notes)):
            self._check_head(number, note, size, node, faults)
        good = self._check_stamps(heads, stamped, faults)
        return LogReport(
            size=size,
            records=records,
            waiting=waiting,
            checkpoints=len(heads),
            timestamps=good,
            pending=sum(reply is None for reply in stamped.values())
            if self._settings.timestamp_url
            else 0,
            faults=tuple(faults),
        )

    def _check_leaves(
        self,
        reader: Reader,
        size: int,
        made: dict[tuple[int, int], bytes],
        faults: list[Fault],
    ) -> int:
        records = 0
        for start in range(0, size, MAX_LEAVES):
            leaves = reader.log_leaves(start, min(MAX_LEAVES, size - start))
            if len(leaves) < min(MAX_LEAVES, size - start):
                faults.append(Fault("tree-broken", str(start + len(leaves))))
                return records
            for level, index, value in grown(start, leaves, lambda lv, i: made[lv, i]):
                made[level, index] = value
                try:
                    is_same = reader.log_node(level, index) == value
                except KeyError:
                    is_same = False
                if not is_same:
                    faults.append(Fault("tree-broken", f"{level}/{index}"))
        position = 0
        while steps := reader.log_entries_from(position, MAX_LEAVES):
            for step in steps:
                records += 1
                faults += self._check_record(reader, step, made)
            position = (steps[-1].position or 0) + 1
        return records

    @staticmethod
    def _check_record(
        reader: Reader, logged: LoggedStep, made: Mapping[tuple[int, int], bytes]
    ) -> Iterable[Fault]:
        where = str(logged.position)
        if made.get((0, logged.position or 0)) != logged.entry.leaf:
            yield Fault("leaf-changed", where)
            return
        record = json.loads(logged.entry.record)
        step = reader.steps_of(logged.application).get(logged.seq)
        if step is None:
            yield Fault("record-missing", where)
            return
        said = (
            ApplicationState(record["state"]),
            record["at"],
            record["actor"],
            record["reason"],
            record["application"],
            record["seq"],
        )
        is_so = (
            step.state,
            step.at.isoformat(timespec="microseconds"),
            step.actor,
            step.reason,
            logged.application,
            logged.seq,
        )
        if said != is_so:
            yield Fault("record-changed", where)

    def _check_head(
        self,
        number: int | None,
        note: bytes,
        size: int,
        node: Callable[[int, int], bytes],
        faults: list[Fault],
    ) -> None:
        where = "kept elsewhere" if number is None else str(number)
        try:
            head = read_checkpoint(note, self._public)
        except CheckpointError:
            faults.append(Fault("checkpoint-invalid", where))
            return
        if number is None:
            where = f"{where}, {head.size}"
        is_named = head.origin == self.origin and number in (None, head.size)
        try:
            is_same = is_named and head.size <= size and tree_root(head.size, node) == head.root
        except KeyError:
            is_same = False
        if not is_same:
            faults.append(Fault("history-rewritten", where))

    def _check_stamps(
        self,
        heads: Sequence[tuple[int, bytes]],
        stamped: Mapping[int, bytes | None],
        faults: list[Fault],
    ) -> int:
        if not any(stamped.values()):
            return 0
        from federation.timestamps import read_timestamp

        good, roots = 0, self._roots()
        for number, note in heads:
            reply = stamped[number]
            if reply is None:
                continue
            try:
                read_timestamp(reply, _sha256(note), roots=roots)
                good += 1
            except MobilityError:
                faults.append(Fault("timestamp-invalid", str(number)))
        return good


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
