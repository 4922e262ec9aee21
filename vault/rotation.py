"""Renewing the keys of a compartment while the vault is in use.

An *epoch* is a record key, an index key and a drop-box pair of one compartment. Renewing opens the
next one: from that commit on everything is written, named and deposited under it. What was written
before is sealed anew in slices: a fresh data key under the new month key, new blind names for row,
month and file. Then the keys of the epochs before are destroyed, so that neither a delegate who
kept them, nor a copy of the old ring, names or opens a row of today.

Steps: (1) `open_epochs`, in one commit: keys, published drop-box key, the grants that stand sealed
anew, an *open* job; (2) `step` claims the job and moves at most 500 rows or 200 ms a slice: rows
are read and opened outside the write, and one that somebody wrote meanwhile is left as it is, for
it is in the new epoch already; (3) when no row and no month carries an earlier name, the closing
slice destroys the earlier record and index keys; (4) a retired drop-box pair goes once nothing
waits in the drop-box and `HomeSettings.retired_boxes_kept` has passed since it was replaced: then
the door refuses what is still sealed to it (`deposit-key-retired`), and its sender seals again.

Every slice is its own transaction with its progress: locking, a crash or another worker stop it
anywhere, and the next unlock goes on. While it runs, rows are found under each of their names
(`Library.row_ids`). Deposits that arrive meanwhile are drained as ever.
"""

import contextlib
import io
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import structlog

from federation.wire.errors import DatabaseBusyError, JobNotClaimedError
from federation.wire.jobs import Job, JobClass, JobState
from schemas.errors import MobilityError, Retriable
from schemas.ids import Iri
from schemas.records import Compartment, Kind
from vault.archive.spool import Parts
from vault.blobs import SealedBlob
from vault.crypto.envelope import RecordHeader, open_record
from vault.crypto.errors import KeyringLockedError
from vault.crypto.head import ManifestRow
from vault.crypto.keyring import Keyring, KeyState, Purpose
from vault.documents import blobs_of, find_blob, read_document, seal_document
from vault.errors import BlobMissingError, HeadMovedError, VaultLockedError
from vault.grants import reseal
from vault.library import Draft, Shelf, changing_ring
from vault.months import MonthName
from vault.store import Blob, PublicKey, Transactor
from vault.stored import iri_of
from vault.values import open_value, seal_value

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["Rotation", "begin", "is_due", "open_epochs", "running", "step"]

_log = structlog.get_logger(__name__)

JOB: Final = "rotate"
SLICE_RECORDS: Final = 500
SLICE_S: Final = 0.2
_NAMING: Final = (Purpose.RECORD, Purpose.INDEX)


@dataclass(frozen=True, slots=True)
class Rotation:
    """How far the renewal of one compartment has come."""

    compartment: Compartment
    done: int
    total: int
    """Rows there when it began."""
    began_at: datetime
    stopped: str | None = None
    """Code of what stopped the last slice; it is tried again."""


@dataclass(frozen=True, slots=True)
class _Moving:
    """One row of an earlier epoch, opened."""

    month: MonthName
    listed: ManifestRow
    payload: bytes
    schema_version: int
    iri: Iri
    file: tuple[Blob, SealedBlob] | None = None
    """Of a document: the file it has, and the same under its new name."""


# --- 1: opening epochs -------------------------------------------------------------------------


def begin(vault: "OpenVault", compartments: Iterable[Compartment] = Compartment) -> None:
    """Renew the keys of these compartments; the slices follow (`step`, `OpenVault.tend`)."""
    chosen = sorted(set(compartments))
    with vault.library.writing() as draft:
        open_epochs(vault, draft, chosen)
        draft.journal("keys-renewed", compartments=[c.value for c in chosen])
    vault.tend()


def open_epochs(vault: "OpenVault", draft: Draft, compartments: Iterable[Compartment]) -> None:
    """Step 1, in a commit that may do more."""
    at, opened = vault.home.clock(), list(compartments)
    # On a copy: were this commit to fail, nothing may be sealed under a key that is stored nowhere.
    with changing_ring(vault.library, draft) as ring:
        for compartment in opened:
            ring.rotate(compartment, at=at)
            box = ring.box(compartment).public
            draft.tx.put_public_key(
                vault.vault_id, PublicKey(compartment.value, box.key_id, box.encode(), active=True)
            )
            total = draft.tx.count_rows(vault.vault_id, compartment.value)
            _enqueue(vault, draft.tx, compartment, ring.epoch(compartment), total=total)
        reseal(vault, draft, ring, opened)
        draft.put_keyring(vault.root, ring)


def _enqueue(
    vault: "OpenVault", tx: Transactor, compartment: Compartment, epoch: int, *, total: int
) -> None:
    key, at = f"{compartment.value}/{epoch}", vault.home.clock()
    body = {"compartment": compartment.value, "total": total, "began": at.isoformat()}
    vault.library.outbox.enqueue(
        tx.session,
        JOB,
        at=at,
        key=key,
        owner=vault.vault_id,
        payload=_seal(vault, json.dumps(body).encode(), f"payload/{key}"),
        job_class=JobClass.OPEN,
    )


def _seal(vault: "OpenVault", body: bytes, name: str) -> bytes:
    return seal_value(vault.library.keyring, body, place="job", name=name)


def _open(vault: "OpenVault", sealed: bytes, name: str) -> bytes:
    return open_value(vault.library.keyring, sealed, place="job", name=name)


# --- is there anything to do? ------------------------------------------------------------------


def is_due(vault: "OpenVault") -> bool:
    """Whether a slice would find something to do: what the ring says."""
    vault.head()  # takes in a ring that another worker changed
    ring = vault.library.keyring
    return any(len(ring.epochs(c)) > 1 for c in Compartment) or bool(_old_boxes(vault, ring))


def running(vault: "OpenVault") -> list[Rotation]:
    """What is not finished, as the ring says; figures from the jobs."""
    vault.head()  # takes in a ring that another worker changed
    ring, outbox = vault.library.keyring, vault.library.outbox
    jobs = {job.key: job for job in outbox.of_owner(vault.vault_id, kind=JOB)}
    out = []
    for compartment in Compartment:
        if len(ring.epochs(compartment)) < 2:
            continue
        job = jobs.get(f"{compartment.value}/{ring.epoch(compartment)}")
        if job is None:
            out.append(Rotation(compartment, 0, 0, vault.home.clock()))
            continue
        body = json.loads(_open(vault, job.payload, f"payload/{job.key}"))
        total, began = int(body["total"]), datetime.fromisoformat(body["began"])
        done = min(_done(vault, job), total)
        out.append(Rotation(compartment, done, total, began, job.error_code))
    return out


def _done(vault: "OpenVault", job: Job) -> int:
    if not job.progress:
        return 0
    return int(json.loads(_open(vault, job.progress, f"progress/{job.key}"))["done"])


def _heal(vault: "OpenVault") -> bool:
    """A job for each compartment that has earlier epochs and none that waits: a vault of a version
    that opened epochs without sealing anew, or a job whose workers died too often."""
    vault.head()
    ring, outbox, made = vault.library.keyring, vault.library.outbox, False
    jobs = {job.key: job for job in outbox.of_owner(vault.vault_id, kind=JOB)}
    for compartment in Compartment:
        if len(ring.epochs(compartment)) < 2:
            continue
        epoch = ring.epoch(compartment)
        found = jobs.get(f"{compartment.value}/{epoch}")
        if found is None:
            with vault.library.store.transact() as tx:
                tx.lock_head(vault.vault_id)
                total = tx.count_rows(vault.vault_id, compartment.value)
                _enqueue(vault, tx, compartment, epoch, total=total)
            made = True
        elif found.state is JobState.DEAD:
            outbox.revive(found.id, at=vault.home.clock())
            made = True
    return made


# --- 2 and 3 -----------------------------------------------------------------------------------


def step(vault: "OpenVault", *, budget_s: float | None = SLICE_S, slices: int | None = None) -> int:
    """Slices until `budget_s` is spent or `slices` are done (None: until nothing is due).

    Returns how many rows were sealed anew. Another writer at work ends it: again later.
    """
    if not is_due(vault):
        return 0
    deadline = None if budget_s is None else time.monotonic() + budget_s
    count, done, healed = 0, 0, False
    with contextlib.suppress(DatabaseBusyError, HeadMovedError, JobNotClaimedError):
        while (deadline is None or time.monotonic() < deadline) and done != slices:
            job = vault.library.outbox.claim(
                at=vault.home.clock(), classes={JobClass.OPEN}, kinds={JOB}, owner=vault.vault_id
            )
            if job is not None:
                count += _slice(vault, job)
                done += 1
            elif healed or not _heal(vault):
                break
            else:
                healed = True
        _close_boxes(vault)
    return count


def _slice(vault: "OpenVault", job: Job) -> int:
    try:
        body = json.loads(_open(vault, job.payload, f"payload/{job.key}"))
        compartment, done = Compartment(body["compartment"]), _done(vault, job)
        moving = _stale(vault, compartment)
        with vault.library.writing() as draft:
            if moving:
                moved = _move(vault, draft, compartment, moving)
            else:
                moved = 0
                _close(vault, draft, compartment)
            progress = json.dumps({"done": done + moved}).encode()
            vault.library.outbox.save_progress(
                draft.tx.session,
                job,
                _seal(vault, progress, f"progress/{job.key}"),
                at=vault.home.clock(),
                finished=not moving,
            )
    except MobilityError as error:
        outbox, at = vault.library.outbox, vault.home.clock()
        with contextlib.suppress(MobilityError):
            if isinstance(error, Retriable | VaultLockedError | KeyringLockedError):
                outbox.release(job, at=at)
            else:  # a month or file that is not what was written: said on the page, tried again
                outbox.retry(job, at=at, error_code=error.code)
        raise
    return moved


def _stale(vault: "OpenVault", compartment: Compartment) -> list[_Moving]:
    """Some rows that carry an earlier name, opened; a document with its file sealed anew."""
    deadline = time.monotonic() + SLICE_S
    with vault.library.reading() as shelf:
        found = _opened(vault, shelf, compartment, deadline)
    out: list[_Moving] = []
    for row in found:
        if row.listed.kind != Kind.DOCUMENT:
            out.append(row)
        elif out and time.monotonic() >= deadline:
            break
        else:
            out.append(replace(row, file=_file(vault, row.iri)))
    return out


def _opened(
    vault: "OpenVault", shelf: Shelf, compartment: Compartment, deadline: float
) -> list[_Moving]:
    library, out = vault.library, list[_Moving]()
    for month, tag in _earlier_tags(shelf, compartment):
        rows = shelf.reader.rows_tagged(
            vault.vault_id, compartment.value, [tag], limit=SLICE_RECORDS - len(out)
        )
        manifest = shelf.checked(compartment, month) if rows else None
        for row in rows:
            assert manifest is not None  # noqa: S101  # there are rows
            listed = manifest.rows[row.row_id]  # checked: every row is listed
            opened = open_record(
                row.sealed,
                vault=vault.vault_id,
                record_id=listed.record_id,
                revision=listed.revision,
                kind=listed.kind,
                month_key=library.month_key(compartment, month, RecordHeader.of(row.sealed).epoch),
            )
            iri = iri_of(listed.kind, opened.payload)
            out.append(_Moving(month, listed, opened.payload, opened.schema_version, iri))
            if time.monotonic() >= deadline:
                return out
        if len(out) >= SLICE_RECORDS:
            break
    return out


def _earlier_tags(shelf: Shelf, compartment: Compartment) -> list[tuple[MonthName, bytes]]:
    return [
        (month, tag)
        for month in shelf.months(compartment)
        for tag in shelf.library.tags(compartment, month)[1:]
    ]


def _file(vault: "OpenVault", iri: Iri) -> tuple[Blob, SealedBlob] | None:
    """A document's file under its new name; None when it has none, or has that name already. A
    file that is gone stays gone: `fsck` names it, and the record is kept."""
    with vault.library.reading() as shelf:
        found = find_blob(vault, shelf, iri)
    if found is None or found.blob_id == blobs_of(vault, iri)[0].hex():
        return None
    try:
        return found, seal_document(
            vault, iri, cast(BinaryIO, io.BufferedReader(Parts(read_document(vault, iri)), 1 << 16))
        )
    except BlobMissingError:
        return None


def _move(vault: "OpenVault", draft: Draft, compartment: Compartment, moving: list[_Moving]) -> int:
    """Step 2: each row as it was read, under its new name and key."""
    files = [row.file[1] for row in moving if row.file is not None]
    written = {blob.blob_id: blob for blob in vault.home.blobs.write_all(vault.vault_id, files)}
    moved = 0
    for row in moving:
        now = draft.listed(compartment, row.month).rows.get(row.listed.record_id)
        if now is None or now.digest != row.listed.digest:
            continue
        if row.file is not None:
            before, after = row.file
            if blobs_of(vault, row.iri)[0].hex() != after.blob_id:
                continue  # another epoch was opened meanwhile: it comes again
            draft.tx.put_blob(vault.vault_id, written[after.blob_id])
            vault.drop_blob(draft, before.blob_id)
        draft.put(
            Kind(row.listed.kind),
            compartment,
            row.month,
            row.iri,
            row.payload,
            revision=row.listed.revision,
            start=row.listed.start,
            schema_version=row.schema_version,
        )
        moved += 1
    return moved


def _close(vault: "OpenVault", draft: Draft, compartment: Compartment) -> None:
    """Step 3. The ring in memory keeps the earlier keys until lock: a snapshot that was taken
    before may still be read; the one that is stored has them no more."""
    earlier = _earlier_tags(draft, compartment)
    tags = [tag for _, tag in earlier]
    if draft.reader.rows_tagged(vault.vault_id, compartment.value, tags, limit=1):
        raise HeadMovedError(expected=draft.head.seq, found=draft.head.seq)  # once more
    for month, tag in earlier:
        if draft.reader.month(vault.vault_id, compartment.value, tag) is not None:
            draft.touch(compartment, month)
    with changing_ring(vault.library, draft) as ring:
        active = ring.epoch(compartment)
        closed = [epoch for epoch in ring.epochs(compartment) if epoch != active]
        if not closed:
            return
        for epoch in closed:
            ring.destroy(compartment, epoch, purposes=_NAMING)
        reseal(vault, draft, ring, [compartment])
        draft.put_keyring(vault.root, ring)
    draft.journal("keys-destroyed", actor="home", compartment=compartment.value, epochs=closed)
    draft.after_commit.append(lambda: _log.info("vault.rotated", epoch=active))


# --- 4: drop-box pairs -------------------------------------------------------------------------


def _old_boxes(vault: "OpenVault", ring: Keyring) -> list[tuple[Compartment, int, bytes]]:
    """Retired pairs that were replaced long enough ago."""
    limit = vault.home.clock() - vault.home.settings.retired_boxes_kept
    out = []
    lines = [line for line in ring.lines() if line.purpose is Purpose.BOX]
    for line in lines:
        if line.state is not KeyState.RETIRED or line.compartment is None:
            continue
        replaced = min(
            other.created_at
            for other in lines
            if other.compartment is line.compartment and other.epoch > line.epoch
        )
        if replaced <= limit:
            key_id = ring.box(line.compartment, epoch=line.epoch).key_id
            out.append((line.compartment, line.epoch, key_id))
    return out


def _close_boxes(vault: "OpenVault") -> None:
    """Step 4, under the drop-box's lock: nothing can arrive between the look and the commit."""
    if not _old_boxes(vault, vault.library.keyring):
        return
    with vault.library.writing() as draft:
        _, waiting, _ = draft.tx.lock_drop_box(vault.vault_id)
        with changing_ring(vault.library, draft) as ring:
            old = _old_boxes(vault, ring)
            if waiting or not old:
                return
            for compartment, epoch, key_id in old:
                ring.destroy(compartment, epoch, purposes=(Purpose.BOX,))
                draft.tx.delete_public_key(vault.vault_id, key_id)
            reseal(vault, draft, ring, {compartment for compartment, _, _ in old})
            draft.put_keyring(vault.root, ring)
        draft.journal(
            "boxes-destroyed", actor="home", compartments=sorted({c.value for c, _, _ in old})
        )
