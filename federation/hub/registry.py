"""The trust registry of a hub: who is accredited for what, as signed snapshots whose version only
goes up."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from federation.did import Resolver
from federation.hub.errors import EntryRefusedError
from federation.hub.settings import HubSettings
from federation.hub.store import HubStore
from federation.jose import verify_jws
from federation.keys import MultikeyError, Signer, decode_multikey
from federation.trust import (
    TYP,
    PinnedKey,
    Role,
    SnapshotInvalidError,
    TrustEntry,
    TrustSnapshot,
    format_instant,
)
from schemas.evidence import Evidence
from schemas.ids import Did

__all__ = ["RegistryService"]

OWN_TYPES: Final = frozenset(("AwardCredential", "NoPriorAidCredential"))
"""What a hub signs itself; an entry made before a type came gets it at the next start."""


class RegistryService:
    """Accredits members and publishes snapshots."""

    def __init__(
        self,
        settings: HubSettings,
        store: HubStore,
        signer: Signer,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._store = store
        self._signer = signer
        self._clock = clock
        self._cached: tuple[int, datetime, bytes, TrustSnapshot] | None = None

    def ensure(self) -> None:
        """Accredit the hub itself, and publish a first snapshot, if that was not done."""
        with self._store.read() as reader:
            known = {str(entry["did"]) for entry in reader.trust_entries()}
            current = reader.snapshot()
        own = self.entry(self._settings.did) if self._settings.did in known else None
        if own is None:
            self.accredit(self._own_entry())
        elif OWN_TYPES - own.credential_types:
            self.accredit(
                dataclasses.replace(own, credential_types=own.credential_types | OWN_TYPES)
            )
        elif current is None or current[3] <= self._clock():
            self.publish()

    def _own_entry(self) -> TrustEntry:
        at = self._clock()
        return TrustEntry(
            did=self._settings.did,
            name=self._settings.name,
            roles=frozenset((Role.HUB,)),
            keys=(PinnedKey(self._signer.public_multikey(), self._signer.verification_method, at),),
            credential_types=OWN_TYPES,
            since=at,
        )

    def accredit(self, *entries: TrustEntry) -> TrustSnapshot:
        """Add or change entries, and publish the next snapshot in the same transaction.

        Keys once pinned stay in the entry (old proofs verify with them); drop none.

        Raises:
            EntryRefusedError: a key that cannot be read, a key of another party, or a pinned key
                left out.
        """
        now = self._clock()
        for entry in entries:
            self._check(entry)
        with self._store.transact() as tx:
            head = tx.lock_hub()
            known = {e["did"]: e for e in tx.trust_entries()}
            for entry in entries:
                document = self._to_json(entry)
                before = known.get(entry.did)
                if before is not None:
                    kept = {k["multikey"] for k in document["keys"]}
                    if not {k["multikey"] for k in before["keys"]} <= kept:
                        raise EntryRefusedError("a pinned key was left out", where="keys")
                tx.put_trust_entry(document, at=now)
            head.trust_version += 1
            snapshot = self._snapshot(tx.trust_entries(), head.trust_version, now)
            content = snapshot.sign(self._signer)
            tx.put_snapshot(
                snapshot.version,
                hashlib.sha256(content).hexdigest(),
                content,
                at=now,
                expires_at=snapshot.expires_at,
            )
        return snapshot

    def accredit_web(
        self,
        did: Did,
        resolver: Resolver,
        *,
        name: str,
        roles: frozenset[Role],
        credential_types: frozenset[str] = frozenset(),
        evidence: Evidence | None = None,
        nullifier_families: frozenset[str] = frozenset(),
    ) -> TrustSnapshot:
        """Read a member's `did:web` document now and pin its assertion keys. Repeating changes
        nothing: no new snapshot when all is as it was.

        Raises:
            EntryRefusedError: a document without keys. Whatever the resolver raises.
        """
        now = self._clock()
        document = resolver.resolve(did)
        before = self.entry(did)
        keys = {} if before is None else {key.multikey: key for key in before.keys}
        for method in document.methods:
            if method.multikey not in keys:
                keys[method.multikey] = PinnedKey(method.multikey, method.id, now)
        if not keys:
            raise EntryRefusedError("the DID document has no key", where="keys")
        entry = TrustEntry(
            did=did,
            name=name,
            roles=roles,
            keys=tuple(keys.values()),
            credential_types=credential_types,
            evidence=evidence,
            nullifier_families=nullifier_families,
            accredited_by=self._settings.did,
            since=now if before is None else before.since,
            until=None if before is None else before.until,
        )
        return self.current() if entry == before else self.accredit(entry)

    def publish(self) -> TrustSnapshot:
        """Publish the same entries again, before the snapshot expires."""
        return self.accredit()

    def _check(self, entry: TrustEntry) -> None:
        for key in entry.keys:
            if key.verification_method.partition("#")[0] != entry.did:
                raise EntryRefusedError("a key of another party", where="keys")
            try:
                key.public()
            except MultikeyError as error:
                raise EntryRefusedError("a key that cannot be read", where="keys") from error

    def _to_json(self, entry: TrustEntry) -> dict[str, Any]:
        claims = self._one(entry).to_claims()
        document: dict[str, Any] = json.loads(json.dumps(claims["entries"][0]))
        if document.get("accreditedBy") is None:
            document["accreditedBy"] = self._settings.did
        return document

    def _one(self, entry: TrustEntry) -> TrustSnapshot:
        at = self._clock()
        return TrustSnapshot(
            version=1,
            issuer=self._settings.did,
            issued_at=at,
            expires_at=at + timedelta(days=1),
            entries=(entry,),
        )

    def _snapshot(
        self, entries: Sequence[Mapping[str, Any]], version: int, at: datetime
    ) -> TrustSnapshot:
        expires = at + timedelta(seconds=self._settings.snapshot_lifetime_s)
        try:
            return TrustSnapshot.from_claims(
                {
                    "iss": self._settings.did,
                    "version": version,
                    "issuedAt": format_instant(at),
                    "expiresAt": format_instant(expires),
                    "entries": list(entries),
                }
            )
        except SnapshotInvalidError as error:
            raise EntryRefusedError(str(error)) from error

    def current(self) -> TrustSnapshot:
        """The snapshot in force; republished when it is about to expire."""
        return self._load()[3]

    def signed(self) -> bytes:
        """The snapshot in force, as served."""
        return self._load()[2]

    def entry(self, did: str) -> TrustEntry | None:
        """One accredited member."""
        return self.current().entry(did)

    def entries(self) -> tuple[TrustEntry, ...]:
        """Everyone accredited."""
        return self.current().entries

    def retire(self, did: Did, *, until: datetime) -> TrustSnapshot:
        """End an accreditation at an instant; what was received before stays good.

        Raises:
            EntryRefusedError: nobody by that DID.
        """
        entry = self.entry(did)
        if entry is None:
            raise EntryRefusedError("nobody by that DID", where="did")
        return self.accredit(dataclasses.replace(entry, until=until))

    def _load(self) -> tuple[int, datetime, bytes, TrustSnapshot]:
        now = self._clock()
        with self._store.read() as reader:
            version, _ = reader.versions()
            cached = self._cached
            if cached is not None and cached[0] == version and now < cached[1]:
                return cached
            found = reader.snapshot()
        if found is None or found[3] - now < timedelta(hours=1):
            self.publish()
            with self._store.read() as reader:
                found = reader.snapshot()
        assert found is not None  # noqa: S101 - published above
        public = decode_multikey(self._signer.public_multikey())
        claims = verify_jws(found[2].decode("ascii"), lambda _header: public, typ=TYP).claims
        snapshot = TrustSnapshot.from_claims(claims)
        self._cached = (found[0], found[3] - timedelta(hours=1), found[2], snapshot)
        return self._cached
