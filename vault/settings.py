"""How a home is set up. `HomeSettings` is plain data: whoever composes the program reads the
environment and makes one."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from federation.wire.mail import MailServer
from vault.crypto.kdf import PROFILES
from vault.errors import SettingsError

__all__ = ["HomeSettings", "Quotas"]


@dataclass(frozen=True, slots=True)
class Quotas:
    """What waiting deposits may occupy, in bytes and deposits."""

    depositor_bytes: int = 64 * 1024 * 1024
    vault_bytes: int = 256 * 1024 * 1024
    vault_deposits: int = 20_000


@dataclass(frozen=True, slots=True)
class HomeSettings:
    """Everything a home needs to know to open."""

    folder: Path
    """State: databases (when embedded), `keys/`, `blobs/`."""
    did: str = "did:web:localhost%3A8400"
    """The home's name in the federation."""
    database_url: str | None = None
    """SQLAlchemy URL of the home's store; None keeps `home.db` in the folder."""
    sessions_url: str | None = None
    """SQLAlchemy URL of the session store; None keeps `sessions.db` in the folder."""
    idle: timedelta = timedelta(minutes=30)
    absolute: timedelta = timedelta(hours=12)
    recent: timedelta = timedelta(minutes=15)
    """How long after opening a vault the ways to open it can be changed."""
    quotas: Quotas = field(default_factory=Quotas)
    open_vaults: int = 32
    """How many open vaults one worker keeps; the least recently used goes first."""
    backups_kept: timedelta = timedelta(days=30)
    """How long copies of the database live at most; named in deletion receipts."""
    retired_boxes_kept: timedelta = timedelta(days=7)
    """How long a renewed drop-box key still takes deposits: a phone that was away may have sealed
    to it before."""
    tends_open_vaults: bool = True
    """Whether a thread of this process does the slices of a renewal of keys while the vault is
    open; a program that calls `rotation.step` itself needs none."""
    passphrase_profile: str = "interactive"  # noqa: S105  # a name
    """Argon2id profile of new passphrases (`vault.crypto.kdf.PROFILES`); weaker ones are sealed
    again when they next open."""
    witness_timeout_s: float = 2.0
    """How long an unlock waits for the witness hub before it goes on without."""
    blobs_in_rows: int = 8192
    """Up to how many sealed bytes a blob stays in its row: a packed track. As a file it would take
    a block of 4 kB for its 800 bytes and a sync of its own."""
    blobs_url: str | None = None
    """`s3://bucket/prefix?endpoint=https://…&region=…` for sealed files; None keeps `blobs/` in the
    folder. Credentials come from the environment (`vault/buckets.py`)."""
    cheapest_kdf_for_tests: bool = False
    """Uses `CHEAPEST_FOR_TESTS`; logs a warning at every use."""
    verifier_anchors: Path | None = None
    """PEM file of the authorities that vouch for verifiers known by an X.509 certificate
    (`x509_san_dns`, `x509_hash`); None: such verifiers are not answered."""
    mail: MailServer | None = None
    """The mail server for who asked to be told of news; None: notices are in the portal alone."""
    public_url: str | None = None
    """Where people open their vault: what a mail links to."""
    allow_loopback: bool = False
    """Outbound calls may reach this machine: development and the demo only."""

    def __post_init__(self) -> None:
        if self.passphrase_profile not in PROFILES:
            raise SettingsError("passphrase_profile is not a named profile")
        if self.idle > self.absolute:
            raise SettingsError("idle expiry is after absolute expiry")
        if self.mail is not None and self.public_url is None:
            raise SettingsError("mail needs public_url, which it links to")
        if (self.database_url is None) != (self.sessions_url is None):
            raise SettingsError("give both database_url and sessions_url, or neither")

    @property
    def home_database(self) -> str:
        return self.database_url or f"sqlite:///{self.folder / 'home.db'}"

    @property
    def session_database(self) -> str:
        return self.sessions_url or f"sqlite:///{self.folder / 'sessions.db'}"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def blobs(self) -> Path:
        return self.folder / "blobs"
