"""The home: keeps vaults for 1..n citizens, opens one only with its citizen's secret.

Door: `Home.open`, `create_vault`, `unlock`, `session`, `drop_box`, `shred`, `fsck`, `restore`.
A session needs three things: its row, its cookie, and the session key of the key store.
"""

import hashlib
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import structlog

from federation.did.web import url_of
from federation.keys import Ed25519Key
from federation.openid4vp import Anchors
from federation.sealing.box import DEFAULT_SUITE, BoxPublicKey
from federation.trust import Role, TrustSnapshot
from federation.wire.jobs import Dispatcher, Handler, Job, JobClass, Outbox, Outcome, Runner
from schemas.errors import MobilityError, Retriable
from schemas.ids import Did, digest
from vault import witness
from vault.accounts import AccountService
from vault.blobs import BlobFolder, BlobStore
from vault.crypto.box_key import BoxPrivateKey
from vault.crypto.errors import SealBrokenError, WrongSecretError
from vault.crypto.head import Head, HeadWitness
from vault.crypto.kdf import CHEAPEST_FOR_TESTS, PROFILES, Argon2Profile, KdfPool
from vault.crypto.keyring import Keyring
from vault.crypto.secret import RootKey, zero
from vault.crypto.slots import Slot as SlotHeader
from vault.crypto.slots import seal_passphrase_slot, seal_recovery_slot
from vault.drop_box import DropBox, link_id, open_link, seal_link
from vault.errors import (
    SessionEndedError,
    SettingsError,
    SlowDownError,
    UnlockAgainError,
    VaultUnknownError,
)
from vault.journal import append
from vault.key_store import HomeSeal, KeyStore
from vault.library import Library
from vault.model import (
    FsckReport,
    LinkInfo,
    NewVault,
    RestoreReport,
    SessionToken,
    ShredReceipt,
)
from vault.sessions import Sessions
from vault.settings import HomeSettings
from vault.slots import SlotService, slot_row
from vault.store import PublicKey, SessionStore, Slot, Store
from vault.store.tables import OutboxRow
from vault.tokens import SourceTokens
from vault.unlocking import (
    PasskeyProof,
    PasskeyWay,
    PassphraseWay,
    RecoveryWay,
    SharesWay,
    Way,
    open_any,
)
from vault.values import seal_value

if TYPE_CHECKING:
    from federation.keys import PublicKey as VerificationKey
    from federation.keys import Signer
    from federation.ports import Hub, Witness
    from federation.wire.http import BoundedClient
    from vault.archive.arriving import Arriving
    from vault.backup import Beside, Lost
    from vault.catalogue import HubCatalogue
    from vault.offers import HubOffers
    from vault.open_vault import OpenVault
    from vault.passkeys import PasskeyService
    from vault.passport.provider import Passport
    from vault.services import HubServices

__all__ = ["Home"]

_log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]

_KEPT_APART: Final = 200
"""Opened payloads that a vault kept apart holds: a restore writes each once and reads it once."""
_SWEEP_EVERY: Final = timedelta(seconds=20)
"""How often a worker looks whether vaults it holds open still have a session."""


def _now() -> datetime:
    return datetime.now(UTC)


def _blobs(settings: HomeSettings) -> BlobStore:
    """Where the settings want sealed files. The bucket's library is loaded for a bucket only."""
    if settings.blobs_url is None:
        return BlobFolder(settings.blobs, in_rows=settings.blobs_in_rows)
    from vault.buckets import BlobBucket

    return BlobBucket(settings.blobs_url, in_rows=settings.blobs_in_rows)


class Home:
    """One home. Safe to share between threads; several processes may serve the same folder."""

    def __init__(
        self,
        settings: HomeSettings,
        *,
        store: Store,
        sessions: SessionStore,
        key_store: KeyStore,
        clock: Clock,
    ) -> None:
        self.settings, self.clock = settings, clock
        self.store, self.key_store = store, key_store
        self.blobs = _blobs(settings)
        self.outbox = Outbox(store.engine, OutboxRow)
        self.seal: HomeSeal = key_store.home_seal()
        self.did = Did(settings.did)
        self._session_store = sessions
        self._sessions = Sessions(
            sessions,
            session_key=key_store.session_key,
            idle=settings.idle,
            absolute=settings.absolute,
            clock=clock,
        )
        self._signing = Ed25519Key.from_seed(key_store.secret("signing"))
        self._pool = KdfPool()
        self._open: OrderedDict[str, OpenVault] = OrderedDict()
        self._guard = threading.RLock()
        self._swept_at = clock()
        self._trust: TrustSnapshot | None = None
        self._hub: Hub | None = None
        self._witness_hub: Witness | None = None
        self._http: BoundedClient | None = None
        self._dispatcher: Dispatcher | None = None
        self._handlers: dict[str, Handler] = {}
        self._feeds: list[Callable[[OpenVault], object]] = []
        self.tokens = SourceTokens(store, self.seal, clock=clock, used=self._token_used)
        self.slots = SlotService(self)
        self.accounts = AccountService(self)
        from vault import declining, delivery, disputes, news, notices, standing_run
        from vault.passport import connections

        delivery.register(self)
        declining.register(self)
        disputes.register(self)
        notices.register(self)
        news.register(self, told=lambda vault_id: notices.tell(self, vault_id))
        standing_run.register(self)
        connections.register(self)
        witness.register(self)

    @property
    def origin(self) -> str:
        """The home's own origin, from its DID: never from a header that a caller sends."""
        parts = urlsplit(url_of(self.did, loopback_http=self.settings.allow_loopback))
        return f"{parts.scheme}://{parts.netloc}"

    @cached_property
    def anchors(self) -> Anchors:
        """The authorities that vouch for verifiers known by a certificate; none by default.

        Raises:
            SettingsError: the file that the settings name cannot be read.
        """
        file = self.settings.verifier_anchors
        if file is None:
            return Anchors()
        try:
            return Anchors.from_pem(file.read_bytes())
        except (OSError, ValueError) as error:
            raise SettingsError("verifier_anchors is not a file of certificates") from error

    @cached_property
    def passkeys(self) -> "PasskeyService":
        """Passkeys of its vaults; loaded when first asked for, as a command rarely does."""
        from vault.passkeys import PasskeyService

        return PasskeyService(self)

    @cached_property
    def passport(self) -> "Passport":
        """The OpenID provider of this home, with the scopes it knows."""
        from vault.passport.provider import Passport

        return Passport(self)

    @cached_property
    def catalogue(self) -> "HubCatalogue":
        """The aids its hub publishes."""
        from vault.catalogue import HubCatalogue

        return HubCatalogue(self)

    @cached_property
    def services(self) -> "HubServices":
        """The services announced at its hub."""
        from vault.services import HubServices

        return HubServices(self)

    @cached_property
    def offers(self) -> "HubOffers":
        """The operators' offers at its hub."""
        from vault.offers import HubOffers

        return HubOffers(self)

    @classmethod
    def open(cls, settings: HomeSettings, *, clock: Clock = _now, migrate: bool = True) -> Self:
        """Open the home's folder and databases; brings them to the newest version under a lock.

        Raises:
            KeyStoreError: the key folder is unsafe or broken.
            SchemaVersionError: the database was written by a newer version of this software.
        """
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if settings.cheapest_kdf_for_tests:
            _log.warning("home.cheapest_kdf_for_tests")
        return cls(
            settings,
            store=Store.open(settings.home_database, migrate=migrate),
            sessions=SessionStore.open(settings.session_database, migrate=migrate),
            key_store=KeyStore(settings.keys),
            clock=clock,
        )

    def close(self) -> None:
        """Lock what this process holds open and let the databases go. Sessions stay."""
        if "arriving" in self.__dict__:
            self.arriving.stop()
        with self._guard:
            for vault in self._open.values():
                vault.forget()
            self._open.clear()
        self._pool.close()
        self.store.close()
        self._session_store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Home({self.did})"

    # --- who the home is ----------------------------------------------------------------------

    def signer(self) -> "Signer":
        """The home's key: receipts, attestations (`vault-attested`), requests to other nodes."""
        return self._signing.signer(f"{self.did}#key-1")

    def connector_signer(self, name: str) -> "tuple[Did, Signer]":
        """A connector's own depositor key, so that what it may attest is accredited apart."""
        did = Did(f"{self.did}:connecteurs:{name}")
        key = Ed25519Key.from_seed(self.key_store.secret(f"connector-{name}"))
        return did, key.signer(f"{did}#key-1")

    def delegation_key(self) -> BoxPrivateKey:
        """Opens what a citizen grants to this home: the keys of a standing consent. The caller
        wipes it."""
        return BoxPrivateKey(bytearray(self.key_store.secret("delegation")), suite=DEFAULT_SUITE)

    def is_fresh(self, keyid: str, nonce: str, until: datetime) -> bool:
        """Whether a signed request's nonce is new; it is used up by asking."""
        name = hashlib.sha256(f"{keyid}\x00{nonce}".encode()).digest()
        return self._session_store.is_fresh(name, until=until, at=self.clock())

    def own_key(self, did: Did) -> "VerificationKey | None":
        """The public key of one of this home's own connectors; None for anybody else."""
        from federation.keys import decode_multikey

        prefix = f"{self.did}:connecteurs:"
        if not did.startswith(prefix) or did.removeprefix(prefix) not in (
            self.key_store.connectors()
        ):
            return None
        return decode_multikey(self.connector_signer(did.removeprefix(prefix))[1].public_multikey())

    def may_relay(self, depositor: Did, at: datetime) -> bool:
        """Whether attributes from this depositor count as relayed: read from their source at a
        login by this home's own identity connector, or by an accredited identity partner."""
        if depositor == f"{self.did}:connecteurs:identite":
            return True
        trust = self.trust
        entry = None if trust is None else trust.entry(depositor)
        return entry is not None and Role.IDENTITY in entry.roles and entry.is_active(at)

    @property
    def trust(self) -> "TrustSnapshot | None":
        """The trust registry as last given; None before: then every deposit is `declared`."""
        if self._trust is None:
            with self.store.read() as reader:
                kept = reader.home_setting("trust")
            if kept is not None:
                self._trust = TrustSnapshot.from_claims(json.loads(kept))
        return self._trust

    def use_trust(self, snapshot: "TrustSnapshot") -> None:
        """Take a snapshot that `TrustedSnapshotSet` accepted; kept for the next start.

        An older version than the one kept is not written.
        """
        known = self.trust
        if known is not None and known.version >= snapshot.version:
            if known.version == snapshot.version:
                self._trust = snapshot
            return
        with self.store.transact() as tx:
            tx.put_home_setting("trust", json.dumps(snapshot.to_claims()).encode())
        self._trust = snapshot

    @property
    def hub(self) -> "Hub | None":
        return self._hub

    def use_hub(self, hub: "Hub") -> None:
        """The hub that proof packages are delivered to."""
        self._hub = hub

    @property
    def witness_hub(self) -> "Witness | None":
        return self._witness_hub

    def use_witness(self, hub: "Witness") -> None:
        """Who remembers, outside this home, how far its vaults had come. Give it a client with a
        short timeout (`settings.witness_timeout_s`): an unlock waits for it."""
        self._witness_hub = hub

    @property
    def sessions_store(self) -> SessionStore:
        return self._session_store

    @property
    def http(self) -> "BoundedClient":
        """For calls to issuers; addresses as the settings allow."""
        if self._http is None:
            from federation.wire.http import AddressPolicy, BoundedClient

            policy = (
                AddressPolicy.WITH_LOOPBACK
                if self.settings.allow_loopback
                else AddressPolicy.PUBLIC
            )
            self._http = BoundedClient(allow=policy)
        return self._http

    def use_dispatcher(self, dispatcher: Dispatcher) -> None:
        """Who is woken after a commit that wrote a blind job."""
        self._dispatcher = dispatcher

    def register_job(self, kind: str, handler: Handler) -> None:
        """Let another package (connectors) run its blind jobs from the home's outbox."""
        self._handlers[kind] = handler

    def register_feed(self, feed: "Callable[[OpenVault], object]") -> None:
        """Have `feed` called at each drain: what only an open vault can make into deposits."""
        self._feeds.append(feed)

    def feed(self, vault: "OpenVault") -> None:
        """Let every feed leave its deposits, before a drain takes them."""
        for feed in self._feeds:
            try:
                feed(vault)
            except MobilityError as error:
                # A full drop-box is emptied by the very drain that comes next.
                if not isinstance(error, Retriable):
                    raise
                _log.info("home.feed_waits", code=error.code)

    def runner(self) -> Runner:
        """Runs this home's blind jobs."""
        return Runner(self.outbox, self._handlers, clock=self.clock)

    def run_blind(self, job_id: str) -> Outcome:
        """One attempt at one blind job. Open jobs are refused: they need a session's process."""
        return self.runner().run(job_id)

    def wake(self, job: Job) -> None:
        if self._dispatcher is not None and job.job_class is JobClass.BLIND:
            self._dispatcher.wake(job)

    # --- vaults -------------------------------------------------------------------------------

    @property
    def profile(self) -> Argon2Profile:
        if self.settings.cheapest_kdf_for_tests:
            return CHEAPEST_FOR_TESTS
        return PROFILES[self.settings.passphrase_profile]

    def vaults(self) -> list[str]:
        with self.store.read() as reader:
            return reader.vaults()

    def is_destroyed(self, vault_id: str) -> bool:
        """Whether a vault was shredded here, for good."""
        with self.store.read() as reader:
            return reader.shredded(vault_id) is not None

    def has_vault(self, vault_id: str) -> bool:
        with self.store.read() as reader:
            return reader.has_vault(vault_id)

    def create_vault(self, passphrase: str | bytearray | None, *, label: str = "") -> NewVault:
        """Make a vault with two ways in: the passphrase and a recovery code, shown once. Without a
        passphrase the code alone: a passkey is added in the session it opens.

        `label` is sealed like everything else; the server knows the vault by its id only.

        Raises:
            PassphraseError: empty or too long. BusyError: again in a moment.
        """
        root = RootKey.random()
        try:
            vault_id, code = self._create(root, passphrase, label=label)
        finally:
            root.wipe()
        return NewVault(vault_id, code)

    def _create(
        self,
        root: RootKey,
        passphrase: str | bytearray | None,
        *,
        label: str,
        event: str = "created",
        settings: Mapping[str, bytes] = MappingProxyType({}),
    ) -> tuple[str, str]:
        vault_id, at = os.urandom(16).hex(), self.clock()
        pepper = self.key_store.make_pepper(vault_id)
        keyring = Keyring.create(vault_id, at=at)
        keyring.add_slot_key(at=at)
        slots: list[bytes] = []
        if passphrase is not None:
            slots.append(
                self._pool.run(
                    lambda: seal_passphrase_slot(
                        root,
                        passphrase,
                        pepper=pepper,
                        vault=vault_id,
                        profile=self.profile,
                        ring_key=keyring.slot_key(),
                    )
                )
            )
        second, code = seal_recovery_slot(
            root, pepper=pepper, vault=vault_id, ring_key=keyring.slot_key()
        )
        slots.append(second)
        try:
            sealed_ring = keyring.seal(root)
            with self.store.transact() as tx:
                blank = Head(vault_id, 1, keyring.generation).seal(keyring.head_key())
                tx.create_vault(vault_id, head=blank, at=at)
                for sealed in slots:
                    tx.put_slot(vault_id, slot_row(sealed), at=at)
                tx.put_keyring(vault_id, sealed_ring)
                for compartment, key in keyring.public_boxes().items():
                    tx.put_public_key(
                        vault_id,
                        PublicKey(compartment.value, key.key_id, key.encode(), active=True),
                    )
                journal = keyring.journal().public
                tx.put_public_key(
                    vault_id, PublicKey("journal", journal.key_id, journal.encode(), active=True)
                )
                for name, value in {"label": label.encode(), **settings}.items():
                    sealed = seal_value(keyring, value, place="setting", name=name)
                    tx.put_setting(vault_id, name, sealed)
            library = self._library(vault_id, keyring, root)
            with library.writing() as draft:
                draft.journal(f"vault-{event}", actor="citizen")
        finally:
            keyring.lock()
        revealed = code.reveal()
        text = revealed.decode()
        zero(revealed)
        code.wipe()
        return vault_id, text

    def create_from_archive(
        self,
        root: RootKey,
        passphrase: str | bytearray,
        *,
        label: str,
        settings: Mapping[str, bytes],
    ) -> tuple[str, str]:
        """A new vault for a restored archive: (vault id, recovery code). `settings` are sealed in
        the commit that makes it."""
        return self._create(root, passphrase, label=label, event="restoring", settings=settings)

    def apart(self, vault_id: str, root: RootKey) -> "OpenVault":
        """Open with a root key in hand, without a session: restore only. It is not among the open
        vaults of this process (no sweep forgets it, no request finds it) and keeps next to nothing
        of what it wrote; the caller forgets it.

        Raises:
            VaultUnknownError: shredded.
        """
        with self.store.read() as reader:
            sealed_ring = reader.keyring(vault_id)
        if sealed_ring is None:
            raise VaultUnknownError
        return self._built(vault_id, sealed_ring, root, keeps=_KEPT_APART)

    def _built(
        self, vault_id: str, sealed_ring: bytes, root: RootKey, *, keeps: int | None = None
    ) -> "OpenVault":
        from vault.open_vault import OpenVault

        keyring = Keyring.open(sealed_ring, root=root, vault=vault_id)
        mine = RootKey(root.copy())
        vault = OpenVault(self, self._library(vault_id, keyring, mine, keeps=keeps), mine)
        try:
            vault.head()
        except BaseException:
            vault.forget()
            raise
        return vault

    def _library(
        self, vault_id: str, keyring: Keyring, root: RootKey, *, keeps: int | None = None
    ) -> Library:
        return Library(
            vault_id,
            keyring,
            root,
            store=self.store,
            outbox=self.outbox,
            blobs=self.blobs,
            key_store=self.key_store,
            clock=self.clock,
            keeps=keeps,
        )

    # --- unlocking ----------------------------------------------------------------------------

    def submit_unlock(
        self,
        vault_id: str,
        *,
        passphrase: str | bytearray | None = None,
        recovery_code: str | bytearray | None = None,
        shares: Sequence[str] | None = None,
        passkey: PasskeyProof | None = None,
        client: str,
        remembered: HeadWitness | None = None,
        restored: bool = False,
    ) -> "Future[SessionToken]":
        """As `unlock`, without waiting: a server awaits the future, no request thread is held.

        Raises at once: VaultUnknownError, SlowDownError, BusyError, RecoveryCodeError,
        RecoverySharesError.
        """
        tag = self.seal.tag(client, purpose="client")
        at = self.clock()
        attempt = self._session_store.attempt(vault_id, tag)
        if attempt is not None and attempt.not_before > at:
            wait = (attempt.not_before - at).total_seconds()
            raise SlowDownError(retry_after_s=max(1, round(wait)))
        pepper = self.key_store.pepper(vault_id)
        with self.store.read() as reader:
            slots = reader.slots(vault_id)
            sealed_ring = reader.keyring(vault_id)
        if not slots or sealed_ring is None:
            raise VaultUnknownError
        way: Way
        if passkey is not None:
            if passkey.vault_id != vault_id:
                raise WrongSecretError
            way = PasskeyWay(passkey)
        elif shares is not None:
            way = SharesWay(shares)
        elif recovery_code is not None:
            way = RecoveryWay(recovery_code)
        else:
            way = PassphraseWay(passphrase or "")

        def work() -> SessionToken:
            try:
                found = open_any(way, slots, pepper=pepper, vault=vault_id)
                if found is None:
                    self._failed(vault_id, tag)
                    raise WrongSecretError
                root, slot = found
                try:
                    return self._begin(
                        vault_id, root, slot, way, tag, remembered=remembered, restored=restored
                    )
                finally:
                    root.wipe()
            finally:
                way.wipe()

        try:
            return self._pool.submit(work)
        except BaseException:
            way.wipe()
            raise

    def _begin(
        self,
        vault_id: str,
        root: RootKey,
        slot: Slot,
        way: Way,
        tag: bytes,
        *,
        remembered: HeadWitness | None,
        restored: bool,
    ) -> SessionToken:
        """The secret was right: (1) the head is not older than any witness remembers, (2) the
        session begins, (3) the slot gets its day and, if the home's profile grew, new costs."""
        known_here = vault_id in self._open
        if restored:
            self.accept_rollback(vault_id, actor="citizen")
        vault = self._opened(vault_id, root)
        head = vault.witness()
        try:
            if not restored:
                if remembered is not None:
                    vault.require_witness(remembered)
                if not known_here:
                    witness.check(self, vault_id, head)
        except BaseException:
            if not self._session_store.of_vault(vault_id):
                self._forget(vault_id)
            raise
        self._session_store.succeeded(vault_id, tag)
        cookie, until = self._sessions.begin(vault_id, root, idle=self.slots.auto_lock(vault))
        self._note_use(vault, slot, way)
        witness.enqueue(self, vault_id, restored=restored)
        head = vault.witness()
        vault.tend()
        _log.info("vault.unlocked", by=way.kind.name.lower())
        return SessionToken(cookie, vault_id, until, head.seq, head.digest)

    def _note_use(self, vault: "OpenVault", slot: Slot, way: Way) -> None:
        """Note the day; seal the slot anew when its costs are below the home's profile, or when the
        root could not be renewed around it."""
        vault_id, at = vault.vault_id, self.clock()
        day = at.replace(hour=0, minute=0, second=0, microsecond=0)
        header = SlotHeader.parse(slot.sealed)
        if header.version == 1 or header.is_weaker_than(self.profile):
            try:
                self.slots.upgrade(vault, slot, way, day=day)
            except MobilityError as error:
                if not isinstance(error, Retriable):
                    raise
                _log.info("vault.upgrade_later")  # another writer was first: at the next unlock
            return
        if slot.last_used_on != day:
            with self.store.transact() as tx:
                tx.slot_used(vault_id, slot.slot_id, on=day)

    def unlock(
        self,
        vault_id: str,
        *,
        passphrase: str | bytearray | None = None,
        recovery_code: str | bytearray | None = None,
        shares: Sequence[str] | None = None,
        passkey: PasskeyProof | None = None,
        client: str,
        remembered: HeadWitness | None = None,
        restored: bool = False,
    ) -> SessionToken:
        """Open a vault and begin a session. `client` is the address that asks: after three wrong
        secrets it waits, and nobody else does. `remembered` is the head this browser saw last;
        `restored` says that an older copy was put back on purpose, which the journal keeps.

        Raises:
            WrongSecretError: no slot opens. SlowDownError, BusyError: later (Retry-After).
            VaultUnknownError: no such vault, or shredded. RecoveryCodeError, RecoverySharesError:
            mistyped. VaultRolledBackError, VaultForkedError: the database is older than what was
            seen.
        """
        return self.submit_unlock(
            vault_id,
            passphrase=passphrase,
            recovery_code=recovery_code,
            shares=shares,
            passkey=passkey,
            client=client,
            remembered=remembered,
            restored=restored,
        ).result()

    def _failed(self, vault_id: str, tag: bytes) -> None:
        attempt = self._session_store.failed(vault_id, tag, at=self.clock())
        # The first of an hour is journalled at once; the count follows by powers of two, so that
        # guessing cannot fill the journal.
        count = attempt.failures_in_hour
        if count & (count - 1) == 0:
            self.journal_locked(
                vault_id,
                "unlock-failed",
                actor="unknown",
                count=count,
                hour=attempt.hour.isoformat(),
            )

    def _opened(self, vault_id: str, root: RootKey) -> "OpenVault":
        """The open vault of this process: kept, or built from the root key."""
        with self._guard:
            kept = self._open.get(vault_id)
            if kept is not None and not kept.is_locked:
                self._open.move_to_end(vault_id)
                return kept
        with self.store.read() as reader:
            sealed_ring = reader.keyring(vault_id)
        if sealed_ring is None:
            raise VaultUnknownError
        vault = self._built(vault_id, sealed_ring, root)
        with self._guard:
            kept = self._open.get(vault_id)
            if kept is not None and not kept.is_locked:
                vault.forget()
                return kept
            self._open[vault_id] = vault
            while len(self._open) > self.settings.open_vaults:
                self._open.popitem(last=False)[1].forget()
        return vault

    def session(self, cookie_value: str) -> "OpenVault":
        """The open vault behind a cookie, in whichever process. Checks the session's row each time.

        Raises:
            SessionEndedError: locked (here or in another process), idle, expired, or unknown.
        """
        self._sweep()
        session = self._sessions.check(cookie_value)
        with self._guard:
            kept = self._open.get(session.vault_id)
            if kept is not None and not kept.is_locked:
                self._open.move_to_end(session.vault_id)
                return kept
        root = self._sessions.root(session)
        try:
            vault = self._opened(session.vault_id, root)
        except SealBrokenError:
            # The root was renewed, and the process died before this session's row had it.
            self._session_store.drop(session.id_hash)
            raise SessionEndedError from None
        finally:
            root.wipe()
        vault.tend()
        return vault

    def session_vault(self, cookie_value: str) -> str:
        """The vault a cookie belongs to, without opening it. Raises SessionEndedError."""
        return self._sessions.check(cookie_value).vault_id

    def lock(self, cookie_value: str) -> None:
        """End this session: at once, in every process."""
        vault_id = self._sessions.end(cookie_value)
        if vault_id is not None and not self._session_store.of_vault(vault_id):
            self._forget(vault_id)
        if vault_id is not None:
            witness.enqueue(self, vault_id)

    def lock_all(self, vault_id: str) -> None:
        """End every session of a vault."""
        self._sessions.end_all(vault_id)
        self._forget(vault_id)

    def end_sessions(self, vault_id: str, *, keep: str | None) -> None:
        """End every session of a vault but the one of the cookie `keep`, which goes on."""
        if keep is None:
            self.lock_all(vault_id)
        else:
            self._sessions.end_all(vault_id, keep=keep)

    def root_renewed(self, vault_id: str, root: RootKey, *, keep: str | None) -> None:
        """After the commit that put another root in place: the session of the cookie `keep` gets
        it, every other one ends, and what this process holds open is zeroed."""
        if keep is not None:
            self._sessions.renew(keep, root)
        self.end_sessions(vault_id, keep=keep)
        self._forget(vault_id)

    def require_recent(self, cookie_value: str) -> None:
        """Ways to open are changed soon after opening: a session left on a table changes none.

        Raises:
            UnlockAgainError: the session began more than `settings.recent` ago.
            SessionEndedError: there is none.
        """
        if self._sessions.age(cookie_value) > self.settings.recent:
            raise UnlockAgainError

    def opened_at(self, cookie_value: str) -> datetime:
        """When this session began. Raises SessionEndedError."""
        return self.clock() - self._sessions.age(cookie_value)

    def _forget(self, vault_id: str) -> None:
        with self._guard:
            vault = self._open.pop(vault_id, None)
        if vault is not None:
            vault.forget()

    def _sweep(self) -> None:
        """Zero keys of vaults whose sessions ended elsewhere."""
        at = self.clock()
        with self._guard:
            if at - self._swept_at < _SWEEP_EVERY:
                return
            self._swept_at = at
            held = list(self._open)
        self.sweep(held)

    def sweep(self, held: list[str] | None = None) -> int:
        """Zero what this process holds open without a live session; returns how many vaults."""
        self._session_store.drop_expired(at=self.clock())
        with self._guard:
            held = list(self._open) if held is None else held
        gone = [v for v in held if not self._session_store.of_vault(v)]
        for vault_id in gone:
            self._forget(vault_id)
            witness.enqueue(self, vault_id)
        return len(gone)

    def open_direct(
        self,
        vault_id: str,
        *,
        passphrase: str | bytearray | None = None,
        recovery_code: str | bytearray | None = None,
    ) -> "tuple[str, OpenVault]":
        """For the command line: unlock and give the cookie and the open vault."""
        token = self.unlock(
            vault_id, passphrase=passphrase, recovery_code=recovery_code, client="local"
        )
        return token.cookie_value, self.session(token.cookie_value)

    def change_passphrase(self, vault: "OpenVault", new: str | bytearray) -> None:
        """Replace the passphrase slot; every session ends."""
        self.slots.set_passphrase(vault, new)
        self.lock_all(vault.vault_id)

    def accept_rollback(self, vault_id: str, *, actor: str = "operator") -> None:
        """After the database was restored from a backup, on purpose: the witness goes back to the
        head that is there. The next unlock works and the journal says so."""
        with self.store.read() as reader:
            row = reader.head(vault_id)
        if row is None:
            raise VaultUnknownError
        self.key_store.remember(vault_id, seq=row.seq, head=digest(row.sealed), force=True)
        self.journal_locked(vault_id, "restored-from-backup", actor=actor, seq=row.seq)
        witness.enqueue(self, vault_id, restored=True)

    # --- journal while locked -----------------------------------------------------------------

    def journal_locked(self, vault_id: str, event: str, *, actor: str, **detail: Any) -> None:
        """Append an entry without any key of the vault."""
        with self.store.transact() as tx:
            tx.lock_head(vault_id)
            keys = [k for k in tx.public_keys(vault_id) if k.purpose == "journal"]
            append(
                tx,
                vault_id,
                to=BoxPublicKey.decode(keys[0].encoded),
                event=event,
                actor=actor,
                detail=detail,
                at=self.clock(),
            )

    def _token_used(self, vault_id: str, connector: str, account: str) -> None:
        self.journal_locked(
            vault_id, "source-token-used", actor=f"connector:{connector}", account=account
        )

    # --- drop-box and links -------------------------------------------------------------------

    def drop_box(self, vault_id: str) -> DropBox:
        """Where depositors leave sealed records, locked or not."""
        return DropBox(
            vault_id,
            store=self.store,
            seal=self.seal,
            did=self.did,
            signer=self.signer(),
            quotas=self.settings.quotas,
            clock=self.clock,
        )

    def link_depositor(  # noqa: PLR0917  # the contract's order
        self,
        vault_id: str,
        did: Did,
        account: str,
        name: str,
        scope: tuple[str, ...] = (),
        key: str | None = None,
    ) -> None:
        """Let a depositor leave records under an account. `key` pins a multikey for a depositor
        that is not in the registry; its records stay `declared`. Doing it again changes name and
        scope, the sequence goes on.

        Raises:
            VaultUnknownError: no such vault.
        """
        sealed = seal_link(
            self.seal, vault_id, depositor=did, account=account, name=name, scope=scope, key=key
        )
        name_tag = link_id(self.seal, vault_id, did, account)
        with self.store.transact() as tx:
            tx.lock_drop_box(vault_id)
            known = tx.link(vault_id, name_tag)
            tx.put_link(vault_id, name_tag, sealed=sealed, at=self.clock())
        if known is None:
            self.journal_locked(vault_id, "source-linked", actor="citizen", depositor=did)

    def revoke_link(self, vault_id: str, did: Did, account: str) -> None:
        """Take nothing more from this depositor and account. Idempotent."""
        name_tag = link_id(self.seal, vault_id, did, account)
        with self.store.transact() as tx:
            tx.lock_drop_box(vault_id)
            known = tx.link(vault_id, name_tag)
            if known is None:
                return
            tx.put_link(vault_id, name_tag, sealed=known.sealed, at=self.clock(), revoked=True)
        self.journal_locked(vault_id, "source-revoked", actor="citizen", depositor=did)

    def links(self, vault_id: str) -> list[LinkInfo]:
        with self.store.read() as reader:
            return [open_link(self.seal, vault_id, link) for link in reader.links(vault_id)]

    # --- care ---------------------------------------------------------------------------------

    def fsck(self, vault_id: str, open_vault: "OpenVault | None" = None) -> FsckReport:
        """Check everything that can be checked, locked or open; repairs nothing."""
        from vault.fsck import fsck

        return fsck(self, vault_id, open_vault)

    def collect_orphans(self, vault_id: str) -> int:
        """Remove sealed files that no row names and that are an hour old."""
        with self.store.read() as reader:
            kept = {blob.blob_id for blob in reader.blobs(vault_id)}
        return self.blobs.collect(vault_id, kept=kept, at=self.clock())

    def shred(
        self, vault_id: str, *, clients_removed: int = 0, clients_left: int = 0
    ) -> ShredReceipt:
        """Destroy a vault: pepper first, then slots, rows, blobs, queues, sessions, tokens. What it
        had at sources is deleted there before, by who knows them; the receipt says how many clients
        that were, and how many a source kept because it did not answer.

        Safe to repeat after a crash; a copy taken before opens nothing once the pepper is gone.
        """
        from vault.shred import shred

        return shred(self, vault_id, clients=(clients_removed, clients_left))

    def restore(
        self,
        archive: IO[bytes],
        passphrase: str | bytearray,
        new_passphrase: str | bytearray,
        *,
        label: str = "",
        step: Callable[[Mapping[str, int]], None] = lambda _: None,
    ) -> RestoreReport:
        """Make a vault from an exported archive. Evidence is computed anew, never read. The same
        archive and passphrases again go on where a killed process stopped."""
        from vault.archive.restore import restore

        return restore(self, archive, passphrase, new_passphrase, label=label, step=step)

    @cached_property
    def arriving(self) -> "Arriving":
        """The archives that people bring to this home."""
        from vault.archive.arriving import Arriving

        return Arriving(self)

    def drop_sessions(self, vault_id: str) -> None:
        self._session_store.drop_vault(vault_id)
        self._forget(vault_id)

    def backup(self, to: Path, *, beside: "Beside | None" = None) -> "tuple[Lost, ...]":
        """A consistent online copy of database and blobs in `to`, and of the keys in
        `to-keys` beside it: keep the two apart; with what else the node keeps in this folder. See
        `vault/backup.py`, also for putting it back. Returns the sealed files that are lost.

        Raises:
            KeyStoreError: the home's store is PostgreSQL: use its own tools for the database.
            BackupInvalidError: files were destroyed faster than they could be copied.
        """
        from vault.backup import backup_home

        return backup_home(self, to, beside=beside)

    def _held(self) -> Iterator[str]:
        yield from self._open

    @property
    def pool(self) -> KdfPool:
        return self._pool

    def did_document(self, connector: str | None = None) -> Mapping[str, Any]:
        """The `did:web` document of the home or of one of its connectors."""
        if connector is None:
            signer, did = self.signer(), self.did
        else:
            did, signer = self.connector_signer(connector)
        method = signer.verification_method
        return {
            "@context": [
                "https://www.w3.org/ns/did/v1",
                "https://w3id.org/security/multikey/v1",
            ],
            "id": did,
            "verificationMethod": [
                {
                    "id": method,
                    "type": "Multikey",
                    "controller": did,
                    "publicKeyMultibase": signer.public_multikey(),
                }
            ],
            "assertionMethod": [method],
            "authentication": [method],
        }
