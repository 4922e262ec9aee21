"""What waits in the drop-box, opened and read: slices ready to be written (`vault/drain.py`).

A slice: (1) the oldest deposits of one depositor, or what is left of them, are opened outside any
transaction, (2) whose key signed each manifest, and what that depositor may attest at the time
received, is asked of the registry, (3) each record is parsed; what cannot be is put aside with a
reason, (4) tracks that are too large for a row are sealed apart. A slice holds at most 500 records
or 200 ms of work.

While the rows of one slice are sent and committed, a thread of its own reads the next one: the
database works beside the home then, and not before or after it. What it read is used only if the
slice before it was committed; that nobody else moved the deposits on is seen again in the write.
"""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from federation.keys import MultikeyError, decode_multikey, key_of_did_key
from federation.sealing.errors import ManifestSignatureError
from federation.sealing.manifest import SignedManifest, verify_manifest
from federation.trust import TrustError, TrustSnapshot
from schemas import extensions
from schemas.errors import MobilityError
from schemas.evidence import Evidence
from schemas.ids import Did
from schemas.making import unchecked
from schemas.observations import (
    CitizenObservation,
    DocumentObservation,
    Observation,
    Received,
    Suppression,
    TripObservation,
)
from schemas.records import ExtensionRecord, utc
from vault.blobs import SealedBlob
from vault.collecting import put_off
from vault.crypto.errors import DepositRefusedError
from vault.crypto.opening import OpenedDeposit, open_deposit
from vault.drop_box import deposit_aad, open_link
from vault.errors import KeyStoreError
from vault.model import LinkInfo
from vault.observed import Observed, blob_content, cut_track, parse_raw
from vault.store import Deposit

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["Arrivals", "Fault", "Prepared"]

SLICE_RECORDS: Final = 500
SLICE_S: Final = 0.2
"""Of the reading thread's own processor time: a busy machine makes slices late, not small."""
SLICE_BYTES: Final = 2_000_000
"""Sealed deposits read at once; each has at most 256 kB."""

_received: Final = unchecked(Received)
_DECISIONS: Final = (CitizenObservation, Suppression)

Fault = tuple[int, str, str | None]
"""(index of the record, code, where)."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A deposit whose signature was checked, with the class its records may have at most."""

    deposit: OpenedDeposit
    ceiling: Evidence


@dataclass(frozen=True, slots=True)
class Prepared:
    """One deposit, or what of it fits the slice, ready to be written."""

    deposit: Deposit
    depositor: Did
    account: str
    manifest: SignedManifest | None
    items: tuple[tuple[int, Observed], ...]
    blobs: tuple[SealedBlob, ...]
    faults: tuple[Fault, ...]
    refused: str | None
    """Why the whole deposit goes to quarantine."""
    after: int
    """Records of the deposit done after this slice."""
    is_last: bool
    opened: _Opened | None = None
    """For the next slice, where this one holds a part of the deposit."""


class Arrivals:
    """The slices of one drain, in order. Not to be shared between threads."""

    def __init__(self, vault: "OpenVault") -> None:
        self._vault = vault
        self._reader: ThreadPoolExecutor | None = None
        self._ahead: Future[list[Prepared]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """However the drain ended, nothing is read any more when this returns."""
        if self._reader is not None:
            self._reader.shutdown(wait=True, cancel_futures=True)

    def next(self) -> list[Prepared]:
        """The next slice, oldest deposits first; a refused one alone. Empty: nothing waits."""
        ahead, self._ahead = self._ahead, None
        found = ahead.result() if ahead is not None else []
        return found or _read(self._vault, None)

    def read_on(self, written: Sequence[Prepared]) -> None:
        """Begin to read what comes after a slice that is about to be committed."""
        last = written[-1]
        if last.refused is not None:
            return
        if self._reader is None:
            self._reader = ThreadPoolExecutor(1, thread_name_prefix="arrivals")
        self._ahead = self._reader.submit(copy_context().run, _read, self._vault, last)


def _read(vault: "OpenVault", last: Prepared | None) -> list[Prepared]:
    """Steps 1 to 4, of what waits after `last`, or of the oldest. It looks at the store alone, not
    at the head, which a writer of this process holds meanwhile."""
    vault.library.require_open()
    with put_off():
        with vault.library.store.read() as reader:
            deposits = reader.next_deposits(
                vault.vault_id,
                limit=SLICE_RECORDS,
                most_bytes=SLICE_BYTES,
                since=0 if last is None else last.deposit.arrival + last.is_last,
            )
            link = reader.link(vault.vault_id, deposits[0].link_id) if deposits else None
        if link is None:
            return []
        if last is not None and not last.is_last and deposits[0].arrival == last.deposit.arrival:
            deposits[0] = replace(deposits[0], taken=last.after)
        return _slice(vault, deposits, open_link(vault.home.seal, vault.vault_id, link), last)


def _slice(
    vault: "OpenVault", deposits: Sequence[Deposit], info: LinkInfo, last: Prepared | None
) -> list[Prepared]:
    trust = vault.home.trust
    out: list[Prepared] = []
    room, deadline = SLICE_RECORDS, time.thread_time() + SLICE_S
    for deposit in deposits:
        if out and (room <= 0 or time.thread_time() >= deadline):
            break
        if last is not None and last.opened and last.deposit.arrival == deposit.arrival:
            found = _parse(vault, deposit, last.opened, info, room=room, deadline=deadline)
        else:
            found = _open(vault, deposit, info, trust, room=room, deadline=deadline)
        if out and found.refused is not None:
            break
        out.append(found)
        room -= found.after - deposit.taken
        if not found.is_last or found.refused is not None:
            break
    return out


def _open(
    vault: "OpenVault",
    deposit: Deposit,
    info: LinkInfo,
    trust: TrustSnapshot | None,
    *,
    room: int,
    deadline: float,
) -> Prepared:
    home, vault_id = vault.home, vault.vault_id

    def refused(reason: str) -> Prepared:
        return Prepared(
            deposit, info.depositor, info.account, None, (), (), (), reason, 0, is_last=True
        )

    if deposit.sealed is None:
        return refused("deposit-bytes-missing")
    try:
        data = home.seal.open(
            deposit.sealed,
            purpose="deposit",
            aad=deposit_aad(vault_id, deposit.link_id, deposit.seq),
        )
    except KeyStoreError:
        # The link opened under the same key of the home, so it is these bytes that were changed.
        return refused("deposit-altered")
    try:
        opened = open_deposit(data, box_for=vault.library.keyring.box_for, vault=vault_id)  # 1
    except DepositRefusedError as error:
        return refused(error.reason)
    try:
        ceiling = _ceiling(vault, opened, info, trust, deposit)  # 2
    except ManifestSignatureError as error:
        return refused(error.code)
    return _parse(vault, deposit, _Opened(opened, ceiling), info, room=room, deadline=deadline)


def _ceiling(
    vault: "OpenVault",
    opened: OpenedDeposit,
    link: LinkInfo,
    trust: TrustSnapshot | None,
    deposit: Deposit,
) -> Evidence:
    """What this depositor could attest when the deposit was received; never read from a payload.

    Raises:
        ManifestSignatureError: the manifest is not signed by the key its depositor has.
    """
    manifest = opened.manifest
    if trust is not None and trust.entry(link.depositor) is not None:
        try:
            key = trust.key(manifest.verification_method, deposit.received_at)
        except TrustError:
            return Evidence.DECLARED
        verify_manifest(manifest, key)
        return trust.evidence_of(link.depositor, deposit.received_at)
    own = vault.home.own_key(link.depositor)
    try:
        if own is not None:
            verify_manifest(manifest, own)
        elif link.key is not None:
            verify_manifest(manifest, decode_multikey(link.key))
        elif link.depositor.startswith("did:key:"):
            verify_manifest(manifest, key_of_did_key(link.depositor))
    except MultikeyError as error:
        raise ManifestSignatureError("the depositor's key cannot be read") from error
    return Evidence.DECLARED


def _parse(
    vault: "OpenVault",
    deposit: Deposit,
    found: _Opened,
    link: LinkInfo,
    *,
    room: int,
    deadline: float,
) -> Prepared:
    """Steps 3 and 4; at least one record, so that every slice gets on."""
    opened, ceiling = found.deposit, found.ceiling
    items: list[tuple[int, Observed]] = []
    faults: list[Fault] = []
    tracks: list[SealedBlob] = []
    index, limit = deposit.taken, vault.home.settings.blobs_in_rows
    end = min(len(opened.records), index + max(room, 1))
    received_at, signed = utc(deposit.received_at), opened.manifest.digest
    while index < end and (index == deposit.taken or time.thread_time() < deadline):
        raw = opened.records[index]
        try:
            observation = parse_raw(raw)
            _require_depositable(observation)
        except MobilityError as error:
            faults.append((index, error.code, getattr(error, "where", None)))
        else:
            blob, cut = None, cut_track(raw, observation, limit=limit)
            if cut is None and isinstance(observation, TripObservation) and observation.track:
                sealed = vault.seal_blob(blob_content(raw, observation))
                tracks.append(sealed)
                blob = sealed.blob_id
            received = _received(
                observation=observation,
                depositor=link.depositor,
                account=link.account,
                manifest=signed,
                index=index,
                received_at=received_at,
                ceiling=ceiling,
            )
            named = opened.manifest.manifest.digests[index]
            kept = Observed.of(received, raw, blob=blob, cut=cut, known_digest=named)
            items.append((index, kept))
        index += 1
    return Prepared(
        deposit,
        link.depositor,
        link.account,
        opened.manifest,
        tuple(items),
        tuple(tracks),
        tuple(faults),
        None,
        index,
        is_last=index >= len(opened.records),
        opened=None if index >= len(opened.records) else found,
    )


class _NotDepositableError(MobilityError):
    """Only the citizen decides, in the vault: nobody deposits a decision."""

    code = "not-depositable"


def _require_depositable(observation: Observation) -> None:
    if isinstance(observation, _DECISIONS):
        raise _NotDepositableError("/type: only the citizen decides")
    if isinstance(observation, DocumentObservation):
        deposited = observation.record
        if isinstance(deposited, ExtensionRecord):
            extensions.check(deposited)
