"""Tables of a home. Every key is led by `vault_id`; every column is ciphertext, a blinded tag, or
what the server may know (compartment, sizes, arrival, how many rows share a month's tag)."""

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, Integer
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from federation.wire.database import TYPES, metadata
from federation.wire.jobs import OutboxTable

__all__ = [
    "AttemptRow",
    "BlobRow",
    "ChallengeRow",
    "DepositRow",
    "DropBoxRow",
    "GrantRow",
    "HeadRow",
    "HomeBase",
    "HomeSettingRow",
    "JournalRow",
    "KeyringRow",
    "LinkRow",
    "LoginLinkRow",
    "ManifestRow",
    "MonthRow",
    "NonceRow",
    "OutboxRow",
    "PaperRow",
    "PasskeyRow",
    "PassportConnectionRow",
    "PassportFamilyRow",
    "PassportServiceRow",
    "PassportTokenRow",
    "PublicKeyRow",
    "QuarantineRow",
    "SealedRecordRow",
    "SessionRow",
    "SessionsBase",
    "SettingRow",
    "ShredRow",
    "SlotRow",
    "TokenRow",
    "VaultRow",
]


class HomeBase(DeclarativeBase):
    """Tables of `home.db`."""

    metadata = metadata()
    type_annotation_map = TYPES


class SessionsBase(DeclarativeBase):
    """Tables of `sessions.db`."""

    metadata = metadata()
    type_annotation_map = TYPES


def _of_vault() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["vault_id"], ["vault.vault_id"])


class VaultRow(HomeBase):
    """One vault. `vault_id` is random and says nothing about its owner."""

    __tablename__ = "vault"
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]


class SlotRow(HomeBase):
    """One way to open the vault; `sealed` as in `vault/crypto/README.md`, slot."""

    __tablename__ = "slot"
    __table_args__ = (_of_vault(),)
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    slot_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    sealed: Mapped[bytes]
    created_at: Mapped[datetime]
    last_used_on: Mapped[datetime | None] = mapped_column(default=None)
    """Midnight UTC of the last day it opened the vault: a day is all the server keeps."""


class PasskeyRow(HomeBase):
    """A passkey (WebAuthn credential) of a vault: with a slot it opens, without it only says which
    vault. What is here is public; its name is a sealed setting."""

    __tablename__ = "passkey"
    __table_args__ = (_of_vault(), Index("ix_passkey_credential_id", "credential_id"))
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    credential_id: Mapped[bytes] = mapped_column(primary_key=True)
    public_key: Mapped[bytes]
    """COSE_Key."""
    sign_count: Mapped[int]
    transports: Mapped[str]
    """Space-separated hints of the browser: `internal hybrid`."""
    prf_input: Mapped[bytes | None]
    """32 random bytes; None: the authenticator has no PRF, a login key."""
    slot_id: Mapped[str | None]
    created_at: Mapped[datetime]
    last_used_on: Mapped[datetime | None]


class LoginLinkRow(HomeBase):
    """A login at an identity provider that leads to a vault, and opens nothing."""

    __tablename__ = "login_link"
    __table_args__ = (_of_vault(), Index("ix_login_link_login", "login"))
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    login: Mapped[bytes] = mapped_column(primary_key=True)
    """HMAC of provider and its pseudonym under the home's key, 16 bytes."""
    created_at: Mapped[datetime]


class KeyringRow(HomeBase):
    """The keyring, sealed under the root key."""

    __tablename__ = "keyring"
    __table_args__ = (_of_vault(),)
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]


class PublicKeyRow(HomeBase):
    """A public key the vault publishes: a compartment's drop-box, or the journal."""

    __tablename__ = "public_key"
    __table_args__ = (_of_vault(),)
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[bytes] = mapped_column(primary_key=True)
    encoded: Mapped[bytes]
    active: Mapped[bool]


class HeadRow(HomeBase):
    """The head: `seq` is the writer lock and every worker's cache key."""

    __tablename__ = "head"
    __table_args__ = (_of_vault(),)
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]
    sealed: Mapped[bytes]


class MonthRow(HomeBase):
    """The sealed manifest of one compartment's month."""

    __tablename__ = "month"
    __table_args__ = (_of_vault(),)
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    compartment: Mapped[str] = mapped_column(primary_key=True)
    tag: Mapped[bytes] = mapped_column(primary_key=True)
    """Blind tag of the month: HMAC under the compartment's index key, 16 bytes."""
    sealed: Mapped[bytes]


class SealedRecordRow(HomeBase):
    """The current revision of one record, sealed."""

    __tablename__ = "record"
    __table_args__ = (
        _of_vault(),
        Index("ix_record_tag", "tag"),
    )
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    compartment: Mapped[str] = mapped_column(primary_key=True)
    row_id: Mapped[bytes] = mapped_column(primary_key=True)
    """Blinded record id: HMAC of the IRI under the index key, 16 bytes."""
    tag: Mapped[bytes]
    """Of the month. Blind tags of two vaults are never equal, so the index needs no more."""
    sealed: Mapped[bytes]


class BlobRow(HomeBase):
    """A sealed file in the blob folder, or one of a few kB here; `digest` is over the sealed
    bytes."""

    __tablename__ = "blob"
    __table_args__ = (_of_vault(),)
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    blob_id: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]
    digest: Mapped[bytes]
    sealed: Mapped[bytes | None]


class LinkRow(HomeBase):
    """Who may leave records, under which account. Names and accounts are sealed by the home."""

    __tablename__ = "link"
    __table_args__ = (_of_vault(),)
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    link_id: Mapped[bytes] = mapped_column(primary_key=True)
    """HMAC of depositor and account under the home's key, 16 bytes."""
    sealed: Mapped[bytes]
    last_seq: Mapped[int]
    last_digest: Mapped[bytes | None]
    """Manifest digest that the next deposit must name as `previous`."""
    held_bytes: Mapped[int]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class DropBoxRow(HomeBase):
    """What waits in one vault's drop-box; the row that depositors lock."""

    __tablename__ = "drop_box"
    __table_args__ = (_of_vault(),)
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    held_bytes: Mapped[int]
    held_deposits: Mapped[int]
    arrivals: Mapped[int]


class DepositRow(HomeBase):
    """One accepted deposit. The sealed bytes go once drained; digest and receipt stay."""

    __tablename__ = "deposit"
    __table_args__ = (
        _of_vault(),
        Index("ix_deposit_waiting", "vault_id", "state", "arrival"),
    )
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    link_id: Mapped[bytes] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    arrival: Mapped[int]
    digest: Mapped[bytes]
    size: Mapped[int]
    state: Mapped[str]
    """`waiting`, `taken` or `quarantined`."""
    taken: Mapped[int]
    """Records of this deposit already stored: the drain's progress."""
    sealed: Mapped[bytes | None]
    receipt: Mapped[bytes]
    received_at: Mapped[datetime]
    outcome: Mapped[bytes | None]
    """Form faults per record, sealed by the home, for the depositor's receipt."""


class ManifestRow(HomeBase):
    """A depositor's signed manifest, sealed; kept for good."""

    __tablename__ = "manifest"
    __table_args__ = (_of_vault(),)
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]


class QuarantineRow(HomeBase):
    """What could not be opened or parsed, with its reason."""

    __tablename__ = "quarantine"
    __table_args__ = (_of_vault(),)
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    entry_id: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]
    at: Mapped[datetime]


class JournalRow(HomeBase):
    """One journal entry, sealed to the journal's public key, and the chain over them."""

    __tablename__ = "journal"
    __table_args__ = (_of_vault(),)
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    sealed: Mapped[bytes | None]
    entry_digest: Mapped[bytes]
    chain: Mapped[bytes]


class SettingRow(HomeBase):
    """A small sealed value of the vault: label, preferences."""

    __tablename__ = "setting"
    __table_args__ = (_of_vault(),)
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]


class GrantRow(HomeBase):
    """A scope of keys sealed to a delegate; deleting it is revoking it."""

    __tablename__ = "grant_key"
    __table_args__ = (_of_vault(),)
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    grant_id: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]
    expires_at: Mapped[datetime]


class PaperRow(HomeBase):
    """The proof behind a printed attestation, sealed under its link's secret."""

    __tablename__ = "paper"
    __table_args__ = (_of_vault(), Index("ix_paper_id", "paper_id", unique=True))
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    paper_id: Mapped[bytes] = mapped_column(primary_key=True)
    """Start of a hash of the link's secret, 16 bytes."""
    sealed: Mapped[bytes | None]
    """None once withdrawn."""
    at: Mapped[datetime]
    expires_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]


class PassportServiceRow(HomeBase):
    """A service that may ask for this home's passport: its public description. Of no vault."""

    __tablename__ = "passport_service"
    service_id: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[bytes]
    registered_at: Mapped[datetime]


class PassportConnectionRow(HomeBase):
    """One service that a vault is connected to. Which one, and what it may read, is sealed by the
    home; what it reads is sealed to the service."""

    __tablename__ = "passport_connection"
    __table_args__ = (_of_vault(),)
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    connection_id: Mapped[bytes] = mapped_column(primary_key=True)
    """HMAC of the service's id under the home's key, 16 bytes."""
    sealed: Mapped[bytes]
    snapshot: Mapped[bytes | None]
    """Compact JWE to the service's key: the last claims the citizen agreed to."""
    since: Mapped[datetime]
    expires_at: Mapped[datetime]


class PassportFamilyRow(HomeBase):
    """A line of refresh tokens, one valid at a time."""

    __tablename__ = "passport_family"
    __table_args__ = (_of_vault(), Index("ix_passport_family_family_id", "family_id", unique=True))
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    family_id: Mapped[bytes] = mapped_column(primary_key=True)
    connection_id: Mapped[bytes]
    generation: Mapped[int] = mapped_column(Integer)
    """Number of the one token that still counts: an earlier one was copied."""
    sealed: Mapped[bytes]
    expires_at: Mapped[datetime]


class PassportTokenRow(HomeBase):
    """A code or an access token, by the hash of its secret."""

    __tablename__ = "passport_token"
    __table_args__ = (_of_vault(), Index("ix_passport_token_token", "token", unique=True))
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[bytes] = mapped_column(primary_key=True)
    """SHA-256 of the token."""
    kind: Mapped[str]
    """`code` or `access`."""
    connection_id: Mapped[bytes]
    family_id: Mapped[bytes]
    sealed: Mapped[bytes]
    snapshot: Mapped[bytes | None]
    """Claims sealed under the token itself, for a service that has no key to seal to."""
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class TokenRow(HomeBase):
    """A source's token, sealed for its connector: works while the vault is locked."""

    __tablename__ = "source_token"
    __table_args__ = (_of_vault(),)
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    token_id: Mapped[bytes] = mapped_column(primary_key=True)
    connector: Mapped[str]
    sealed: Mapped[bytes]
    updated_at: Mapped[datetime]


class OutboxRow(OutboxTable, HomeBase):
    """Background work, written in the transaction that decided it."""

    __tablename__ = "outbox"


class HomeSettingRow(HomeBase):
    """Something the home itself remembers: the last trust snapshot."""

    __tablename__ = "home_setting"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[bytes]


class ShredRow(HomeBase):
    """Proof that a vault was destroyed: an id and a time, nothing else."""

    __tablename__ = "shredded"
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    receipt: Mapped[bytes]


class SessionRow(SessionsBase):
    """An unlocked vault, for every worker. `sealed_root` needs the cookie and the key store."""

    __tablename__ = "session"
    __table_args__ = (Index("ix_session_vault", "vault_id"),)
    id_hash: Mapped[bytes] = mapped_column(primary_key=True)
    vault_id: Mapped[str]
    sealed_root: Mapped[bytes]
    idle_until: Mapped[datetime]
    until: Mapped[datetime]
    idle_s: Mapped[int | None] = mapped_column(default=None)
    """The citizen's own idle time; None: the home's."""


class ChallengeRow(SessionsBase):
    """A WebAuthn challenge given out and not used yet: taken once, by deleting it."""

    __tablename__ = "challenge"
    challenge_hash: Mapped[bytes] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    vault_id: Mapped[str | None]
    expires_at: Mapped[datetime]


class AttemptRow(SessionsBase):
    """Wrong secrets from one client for one vault, and until when that client waits."""

    __tablename__ = "attempt"
    vault_id: Mapped[str] = mapped_column(primary_key=True)
    client: Mapped[bytes] = mapped_column(primary_key=True)
    failures: Mapped[int]
    not_before: Mapped[datetime]
    hour: Mapped[datetime]
    """Hour that `failures_in_hour` counts, for the journal."""
    failures_in_hour: Mapped[int]


class NonceRow(SessionsBase):
    """A nonce that a signed request used, until it could not be used anyway."""

    __tablename__ = "nonce"
    name: Mapped[bytes] = mapped_column(primary_key=True)
    """SHA-256 of key id and nonce."""
    until: Mapped[datetime]
