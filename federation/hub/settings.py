"""Settings of a hub, read once. Environment prefix `MOBILITY_HUB_`."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from federation.hub.errors import HubSettingsError
from federation.wire.errors import SettingsRefusedError
from federation.wire.mail import MailSecurity, MailServer
from schemas.ids import Did

__all__ = ["HubSettings"]


class HubSettings(BaseSettings):
    """Where the hub keeps things, where it is reached, and its limits."""

    model_config = SettingsConfigDict(env_prefix="MOBILITY_HUB_", extra="ignore", frozen=True)

    folder: Path = Path("var/hub")
    """Holds `hub.db` (unless `database_url`) and `hub-keys/`."""
    database_url: SecretStr | None = None
    public_url: str = "http://localhost:8401"
    """Origin under which people and other nodes reach this hub, without a path."""
    did: Did = Did("did:web:localhost%3A8401")
    name: str = "Guichet de démonstration"
    request_lifetime_s: int = Field(default=600, ge=60, le=900)
    """How long a presentation request may be answered."""
    snapshot_lifetime_s: int = Field(default=7 * 86_400, ge=3600)
    status_list_lifetime_s: int = Field(default=86_400, ge=600)
    session_idle_s: int = Field(default=3600, ge=60)
    session_absolute_s: int = Field(default=12 * 3600, ge=600)
    retention_days: int = Field(default=3 * 365, ge=30)
    """How long a decided application and its package are kept (said on the consent screen)."""
    package_bytes: int = Field(default=1_500_000, ge=10_000)
    document_bytes: int = Field(default=5_000_000, ge=10_000)
    documents: int = Field(default=5, ge=0)
    open_enrolment: bool = False
    """A funder may open a desk without an invitation (always so in the sandbox)."""
    allow_loopback: bool = False
    """Outbound calls and `did:web` may reach this machine over http: demo and tests only."""
    timestamp_url: str | None = None
    """Authority (RFC 3161) that stamps the heads of the register of decisions; none: no stamps."""
    timestamp_roots: Path | None = None
    """PEM file of the authority's root certificates; with `timestamp_url`, and only with it."""
    mail_host: str | None = None
    """Mail server (SMTP); none: nothing is mailed, notices are in the portal alone."""
    mail_port: int = Field(default=587, ge=1, le=65_535)
    mail_security: MailSecurity = MailSecurity.STARTTLS
    mail_user: str | None = None
    mail_password: SecretStr | None = None
    mail_from: str | None = None
    """Address messages come from."""
    register_url: str | None = None
    """The State's register of carpool journeys (`…/v3.3`): the four settings together, or none."""
    register_funder: str | None = None
    """Slug of the hosted funder whose account it is."""
    register_access_key: SecretStr | None = None
    register_secret_key: SecretStr | None = None
    vc_api: bool = False
    """Serve `/vc-api` for conformance suites: proofs alone, by keys that mean nothing."""
    cheapest_kdf_for_tests: bool = False
    """Passwords of members at 8 KiB and one pass; logs a warning at every use."""
    sandbox: bool = False
    """Pages carry the banner « Bac à sable »."""

    @model_validator(mode="after")
    def _coherent(self) -> "HubSettings":
        parts = urlsplit(self.public_url)
        if parts.path not in ("", "/") or not parts.hostname or parts.query or parts.fragment:
            raise HubSettingsError("public_url", "an origin, without a path")
        if parts.scheme != "https" and not self.allow_loopback:
            raise HubSettingsError("public_url", "https, unless allow_loopback is set")
        host = parts.netloc.replace(":", "%3A")
        if self.did != f"did:web:{host}":
            raise HubSettingsError("did", f"must be did:web:{host}, the origin of public_url")
        if self.session_idle_s > self.session_absolute_s:
            raise HubSettingsError("session_idle_s", "longer than session_absolute_s")
        if self.mail_host is None and self.mail_from is not None:
            raise HubSettingsError("mail_from", "goes with mail_host")
        try:
            _ = self.mail_server
        except SettingsRefusedError as error:
            raise HubSettingsError("mail", str(error)) from None
        if (self.timestamp_url is None) != (self.timestamp_roots is None):
            raise HubSettingsError("timestamp_url", "goes with timestamp_roots")
        account = (
            self.register_url,
            self.register_funder,
            self.register_access_key,
            self.register_secret_key,
        )
        if any(account) and not all(account):
            raise HubSettingsError("register_url", "goes with funder, access key and secret key")
        return self

    @property
    def origin(self) -> str:
        """`public_url` without a final slash."""
        return self.public_url.rstrip("/")

    @property
    def mail_server(self) -> MailServer | None:
        """The mail server; None: nothing is mailed. Raises SettingsRefusedError."""
        if self.mail_host is None:
            return None
        return MailServer(
            self.mail_host,
            self.mail_from or "",
            self.did,
            own_host=urlsplit(self.origin).hostname,
            port=self.mail_port,
            security=self.mail_security,
            user=self.mail_user,
            password=self.mail_password,
        )

    @property
    def keys_folder(self) -> Path:
        """Private keys of the hub and of the funders it hosts."""
        return self.folder / "hub-keys"

    @property
    def url(self) -> str:
        """Database URL, password included."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.folder / 'hub.db').absolute()}"

    @property
    def request_lifetime(self) -> timedelta:
        """`request_lifetime_s` as a duration."""
        return timedelta(seconds=self.request_lifetime_s)

    def funder_did(self, slug: str) -> Did:
        """DID of a funder hosted by this hub."""
        return Did(f"{self.did}:financeurs:{slug}")
