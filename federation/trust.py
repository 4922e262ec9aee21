"""The trust registry: who may sign what, with which key, since when. Bytes in, verified object out;
nothing here opens a socket.

A snapshot is a JWS (`typ` `trust-snapshot+jwt`) signed by the registry. Its version may not go
down, it expires, and two different snapshots may not carry one version. Keys are pinned in it:
`did:web` documents are read when accrediting and rotating, never while verifying.
Source: The Update Framework 1.0 §5.3–5.4 (rollback, freeze, equivocation), design of the federation
§8.

    MobilityError
    └── TrustError (Refused)
        ├── SnapshotInvalidError          not a snapshot, or not signed by the registry
        ├── SnapshotRolledBackError       older than the last one seen, or another one under the
        same version
        ├── SnapshotExpiredError          too old to decide on; fetch a newer one (Retriable)
        ├── KeyNotTrustedError            `key-unknown`: no entry pins this verification method
        ├── KeyNotValidThenError          `key-not-valid-then`: pinned, for other dates
        └── KeyCompromisedError           `key-compromised`: not trusted at that date, or the date
        is not known
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from federation.jose import JwsError, JwsMalformedError, sign_jws, verify_jws
from federation.keys import MultikeyError, PublicKey, Signer, decode_multikey
from schemas.errors import MobilityError, Refused, Retriable
from schemas.evidence import Evidence
from schemas.ids import Did

__all__ = [
    "KeyCompromisedError",
    "KeyNotTrustedError",
    "KeyNotValidThenError",
    "PinnedKey",
    "Role",
    "SnapshotExpiredError",
    "SnapshotInvalidError",
    "SnapshotRolledBackError",
    "TrustEntry",
    "TrustError",
    "TrustSnapshot",
    "TrustedSnapshotSet",
    "format_instant",
    "parse_instant",
]

TYP: Final = "trust-snapshot+jwt"


class TrustError(MobilityError, Refused):
    """The registry does not support this."""

    code = "trust-refused"


class SnapshotInvalidError(TrustError):
    """Not a trust snapshot, or not signed by the registry."""

    code = "snapshot-invalid"


class SnapshotRolledBackError(TrustError):
    """A snapshot older than the last one seen, or different bytes under the same version."""

    code = "snapshot-rolled-back"

    def __init__(self, *, offered: int, seen: int) -> None:
        self.offered, self.seen = offered, seen
        super().__init__(f"snapshot {offered} was offered after {seen}")


class SnapshotExpiredError(TrustError, Retriable):
    """The snapshot is past its expiry: nothing may be decided on it. Fetch a newer one."""

    code = "snapshot-expired"


class KeyNotTrustedError(TrustError):
    """No entry of the registry pins this verification method."""

    code = "key-unknown"


class KeyNotValidThenError(TrustError):
    """The key is pinned, but not for this date."""

    code = "key-not-valid-then"


class KeyCompromisedError(TrustError):
    """The key was compromised before this date, or later while nobody we trust says when the
    signature arrived."""

    code = "key-compromised"


class Role(StrEnum):
    """What a member does in the federation."""

    HOME = "home"
    HUB = "hub"
    FUNDER = "funder"
    OPERATOR = "operator"
    EMPLOYER = "employer"
    IDENTITY = "identity"
    TRACE_APP = "trace-app"


def format_instant(at: datetime) -> str:
    """UTC, milliseconds only when there are some: `2026-11-21T23:00:00Z`."""
    if at.tzinfo is None:
        raise ValueError("instants are aware")
    at = at.astimezone(UTC).replace(tzinfo=None)
    return at.isoformat(timespec="milliseconds" if at.microsecond >= 1000 else "seconds") + "Z"


def parse_instant(text: object) -> datetime:
    """An RFC 3339 instant with its zone, as aware UTC.

    Raises:
        ValueError: not a text, not a date-time, or without zone.
    """
    if not isinstance(text, str) or len(text) > 40 or "T" not in text:
        raise ValueError("not an instant")
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("an instant needs its zone")
    return at.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class PinnedKey:
    """One verification method as the registry pins it."""

    multikey: str
    verification_method: str
    valid_from: datetime
    valid_until: datetime | None = None
    """Rotated out at this instant (excluded); signatures received before stay good."""
    compromised_since: datetime | None = None

    def public(self) -> PublicKey:
        """The key itself (decoded once, kept)."""
        return decode_multikey(self.multikey)

    def is_valid_at(self, at: datetime) -> bool:
        """Whether `at` lies in the pinned window."""
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)


@dataclass(frozen=True, slots=True)
class TrustEntry:
    """A member of the federation, as accredited."""

    did: Did
    name: str
    roles: frozenset[Role]
    keys: tuple[PinnedKey, ...]
    credential_types: frozenset[str] = frozenset()
    evidence: Evidence | None = None
    """Strongest class it may attest as depositor; none: its deposits count as declared."""
    nullifier_families: frozenset[str] = frozenset()
    accredited_by: Did | None = None
    since: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    until: datetime | None = None

    def is_active(self, at: datetime) -> bool:
        """Whether the accreditation holds at `at`."""
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class TrustSnapshot:
    """The registry at one version."""

    version: int
    issuer: Did
    """The registry that signs."""
    issued_at: datetime
    expires_at: datetime
    entries: tuple[TrustEntry, ...]
    _by_did: Mapping[str, TrustEntry] = field(init=False, repr=False, compare=False)
    _by_method: Mapping[str, tuple[TrustEntry, PinnedKey]] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        by_did: dict[str, TrustEntry] = {}
        by_method: dict[str, tuple[TrustEntry, PinnedKey]] = {}
        for entry in self.entries:
            if entry.did in by_did:
                raise SnapshotInvalidError("a member is listed twice")
            by_did[entry.did] = entry
            for key in entry.keys:
                if key.verification_method.partition("#")[0] != entry.did:
                    raise SnapshotInvalidError("a key does not belong to its member")
                if key.verification_method in by_method:
                    raise SnapshotInvalidError("a verification method is pinned twice")
                by_method[key.verification_method] = (entry, key)
        object.__setattr__(self, "_by_did", MappingProxyType(by_did))
        object.__setattr__(self, "_by_method", MappingProxyType(by_method))

    def entry(self, did: str) -> TrustEntry | None:
        """The member of this DID, whatever the date; none if not listed."""
        return self._by_did.get(did)

    def pinned(self, verification_method: str) -> tuple[TrustEntry, PinnedKey] | None:
        """Member and key of a verification method, whatever the date; none if not pinned."""
        return self._by_method.get(verification_method)

    def with_role(self, role: Role, at: datetime) -> tuple[TrustEntry, ...]:
        """Members that hold `role` at `at`."""
        return tuple(e for e in self.entries if role in e.roles and e.is_active(at))

    def key(self, verification_method: str, at: datetime, *, received: bool = True) -> PublicKey:
        """The pinned key, if it was good at `at`.

        `received` says that `at` is the date at which a party we trust received the signature.
        Without such a date the signature may have been made at any time, so a key that was ever
        compromised is refused.

        Raises:
            KeyNotTrustedError, KeyNotValidThenError, KeyCompromisedError.
        """
        found = self._by_method.get(verification_method)
        if found is None:
            raise KeyNotTrustedError("no entry of the registry pins this verification method")
        pinned = found[1]
        if pinned.compromised_since is not None and (
            not received or at >= pinned.compromised_since
        ):
            raise KeyCompromisedError("the key was compromised")
        if not pinned.is_valid_at(at):
            raise KeyNotValidThenError("the key is not pinned for that date")
        return pinned.public()

    def may_issue(self, did: str, credential_type: str, at: datetime) -> bool:
        """Whether this member was accredited to issue this credential type at `at`."""
        entry = self._by_did.get(did)
        return (
            entry is not None and entry.is_active(at) and credential_type in entry.credential_types
        )

    def evidence_of(self, did: str, at: datetime) -> Evidence:
        """Strongest class a deposit of this member may carry when received at `at`; `DECLARED` for
        strangers."""
        entry = self._by_did.get(did)
        if entry is None or entry.evidence is None or not entry.is_active(at):
            return Evidence.DECLARED
        return entry.evidence

    def to_claims(self) -> dict[str, Any]:
        """Plain JSON of the snapshot."""
        return {
            "iss": self.issuer,
            "version": self.version,
            "issuedAt": format_instant(self.issued_at),
            "expiresAt": format_instant(self.expires_at),
            "entries": [_entry_to_json(entry) for entry in self.entries],
        }

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> TrustSnapshot:
        """Strict inverse of `to_claims`; members of later versions are ignored.

        Raises:
            SnapshotInvalidError: a member is missing or of the wrong kind.
        """
        try:
            version = claims["version"]
            if type(version) is not int or version < 1:
                raise ValueError("version")
            return cls(
                version=version,
                issuer=Did(_text(claims["iss"])),
                issued_at=parse_instant(claims["issuedAt"]),
                expires_at=parse_instant(claims["expiresAt"]),
                entries=tuple(_entry_from_json(entry) for entry in claims["entries"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, MultikeyError) as error:
            raise SnapshotInvalidError(f"not a trust snapshot: {type(error).__name__}") from error

    def sign(self, signer: Signer) -> bytes:
        """The snapshot as bytes to publish: compact JWS, ASCII."""
        return sign_jws(self.to_claims(), signer, typ=TYP).encode("ascii")


class TrustedSnapshotSet:
    """The last trusted snapshot, and the rules for taking a newer one.

    1. The bytes are a JWS of type `trust-snapshot+jwt`, signed by a root key: the keys given at
       construction for the first one, afterwards the keys the trusted snapshot itself pins for the
       registry (so roots rotate), at the date of the call.
    2. The issuer is the registry of the first snapshot.
    3. The version is higher than the trusted one; equal with the same bytes changes nothing; lower,
       or equal with other bytes, is refused.
    4. It has not expired at the date of the call, and was not issued more than five minutes in the
       future.
    """

    def __init__(
        self,
        roots: Mapping[str, PublicKey],
        *,
        minimum_version: int = 0,
        trusted: bytes | None = None,
    ) -> None:
        """`roots`: verification method → key. `trusted`: bytes kept from an earlier run, already
        accepted then (their signature is checked again, their expiry is not). `minimum_version`:
        last version remembered elsewhere."""
        self._roots = dict(roots)
        self._minimum = minimum_version
        self._snapshot: TrustSnapshot | None = None
        self._digest = b""
        if trusted is not None:
            self._accept(trusted, self._verify(trusted, None))

    @property
    def version(self) -> int:
        """Version trusted now; 0 before the first."""
        return self._snapshot.version if self._snapshot else 0

    def current(self, at: datetime) -> TrustSnapshot:
        """The trusted snapshot.

        Raises:
            SnapshotExpiredError: none yet, or past its expiry.
        """
        if self._snapshot is None or at >= self._snapshot.expires_at:
            raise SnapshotExpiredError("no current trust snapshot")
        return self._snapshot

    def update(self, data: bytes, at: datetime) -> TrustSnapshot:
        """Take a newer snapshot.

        Raises:
            SnapshotInvalidError: rules 1, 2. SnapshotRolledBackError: rule 3. SnapshotExpiredError:
            rule 4.
        """
        snapshot = self._verify(data, at)  # 1
        current = self._snapshot
        if current is not None and snapshot.issuer != current.issuer:  # 2
            raise SnapshotInvalidError("signed for another registry")
        seen = max(self._minimum, self.version)  # 3
        same = current is not None and snapshot.version == current.version
        if snapshot.version < seen or (same and hashlib.sha256(data).digest() != self._digest):
            raise SnapshotRolledBackError(offered=snapshot.version, seen=seen)
        if at >= snapshot.expires_at:  # 4
            raise SnapshotExpiredError("the offered snapshot has expired")
        if (snapshot.issued_at - at).total_seconds() > 300:
            raise SnapshotInvalidError("the offered snapshot is from the future")
        self._accept(data, snapshot)
        return snapshot

    def _accept(self, data: bytes, snapshot: TrustSnapshot) -> None:
        self._snapshot, self._digest = snapshot, hashlib.sha256(data).digest()

    def _root(self, method: object, at: datetime | None) -> PublicKey:
        if self._snapshot is not None and at is not None:
            registry = self._snapshot.entry(self._snapshot.issuer)
            if registry is not None:
                for key in registry.keys:
                    if (
                        key.verification_method == method
                        and key.is_valid_at(at)
                        and key.compromised_since is None
                    ):
                        return key.public()
                raise SnapshotInvalidError("not signed with a root key")
        if isinstance(method, str) and method in self._roots:
            return self._roots[method]
        raise SnapshotInvalidError("not signed with a root key")

    def _verify(self, data: bytes, at: datetime | None) -> TrustSnapshot:
        try:
            token = data.decode("ascii")
            signed = verify_jws(token, lambda header: self._root(header.get("kid"), at), typ=TYP)
        except (UnicodeDecodeError, JwsError, JwsMalformedError) as error:
            raise SnapshotInvalidError("not a signed snapshot") from error
        snapshot = TrustSnapshot.from_claims(signed.claims)
        if str(signed.header.get("kid")).partition("#")[0] != snapshot.issuer:
            raise SnapshotInvalidError("the signing key is not the registry's")
        return snapshot


def _entry_to_json(entry: TrustEntry) -> dict[str, Any]:
    return {
        "did": entry.did,
        "name": entry.name,
        "roles": sorted(entry.roles),
        "keys": [
            {
                "multikey": key.multikey,
                "verificationMethod": key.verification_method,
                "validFrom": format_instant(key.valid_from),
                **({"validUntil": format_instant(key.valid_until)} if key.valid_until else {}),
                **(
                    {"compromisedSince": format_instant(key.compromised_since)}
                    if key.compromised_since
                    else {}
                ),
            }
            for key in entry.keys
        ],
        "credentialTypes": sorted(entry.credential_types),
        **({"evidence": entry.evidence.value} if entry.evidence else {}),
        "nullifierFamilies": sorted(entry.nullifier_families),
        **({"accreditedBy": entry.accredited_by} if entry.accredited_by else {}),
        "since": format_instant(entry.since),
        **({"until": format_instant(entry.until)} if entry.until else {}),
    }


def _entry_from_json(value: Mapping[str, Any]) -> TrustEntry:
    return TrustEntry(
        did=Did(_text(value["did"])),
        name=_text(value["name"]),
        roles=frozenset(Role(role) for role in value["roles"]),
        keys=tuple(_key_from_json(key) for key in value["keys"]),
        credential_types=_texts(value.get("credentialTypes", [])),
        evidence=Evidence(value["evidence"]) if "evidence" in value else None,
        nullifier_families=_texts(value.get("nullifierFamilies", [])),
        accredited_by=Did(_text(value["accreditedBy"])) if "accreditedBy" in value else None,
        since=parse_instant(value["since"]),
        until=_optional_instant(value, "until"),
    )


def _key_from_json(value: Mapping[str, Any]) -> PinnedKey:
    key = PinnedKey(
        multikey=_text(value["multikey"]),
        verification_method=_text(value["verificationMethod"]),
        valid_from=parse_instant(value["validFrom"]),
        valid_until=_optional_instant(value, "validUntil"),
        compromised_since=_optional_instant(value, "compromisedSince"),
    )
    key.public()
    return key


def _optional_instant(value: Mapping[str, Any], name: str) -> datetime | None:
    return parse_instant(value[name]) if name in value else None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("text expected")
    return value


def _texts(values: Iterable[object]) -> frozenset[str]:
    if isinstance(values, str):
        raise ValueError("list expected")
    return frozenset(_text(value) for value in values)
