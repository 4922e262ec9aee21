"""Settings of the three servers, read once from the environment (`MOBILITY_…`) or the command line."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from federation.hub.siret import is_siret
from federation.wire.errors import SettingsRefusedError
from federation.wire.mail import MailSecurity, MailServer
from portal.errors import SettingsContradictionError

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Node(StrEnum):
    """The servers a process tree may hold."""

    HOME = "home"
    HUB = "hub"
    SANDBOX = "sandbox"


def _default_state() -> Path:
    return Path("~/.local/share/mobility-vault").expanduser()


class Settings(BaseSettings):
    """What an operator may set. Every field is documented in `portal/README.md` (a test compares)."""

    model_config = SettingsConfigDict(env_prefix="MOBILITY_", extra="ignore")

    state: Path = Field(default_factory=_default_state)
    """Folder of all state: databases, keys, blobs, logs."""

    host: str = "127.0.0.1"
    """Address the servers listen on."""

    public_host: str = "localhost"
    """Name people and peers use; part of the DIDs."""

    home_port: int = Field(default=8400, ge=0, le=65535)
    hub_port: int = Field(default=8401, ge=0, le=65535)
    sandbox_port: int = Field(default=8402, ge=0, le=65535)

    home_url: str | None = None
    """Public address of the home when a proxy terminates TLS; default `http://{public_host}:{home_port}`."""
    hub_url: str | None = None
    sandbox_url: str | None = None

    sandbox: bool = False
    """Everyone is fictitious: banner on every page, simulated sources, loopback peers allowed."""

    home_database_url: str | None = None
    """SQLAlchemy URL of the home's store; default SQLite `home.db` in the state folder."""
    session_database_url: str | None = None
    hub_database_url: str | None = None

    blobs_url: str | None = None
    """`s3://bucket/prefix?endpoint=https://…&region=…` for the home's sealed files; default `blobs/` in the state folder."""

    hub_key: str | None = None
    """Multikey of the hub's registry; without it the home pins the key it first reads at the hub's `did:web`."""

    verifier_anchors: Path | None = None
    """PEM file of the authorities that vouch for verifiers known by an X.509 certificate; without it a home answers only the trust registry's."""

    zones: Path | None = None
    """File or folder of GeoJSON « aires » of low-emission zones (schema `etalab/schema-zfe`), in place of the facts of December 2023 that ship."""

    archive_mb: int = Field(default=2_000, ge=1, le=100_000)
    """Largest archive, in millions of bytes, that a person may bring on the page `/arriver`; it lies on disk while it is restored."""

    broker_url: SecretStr | None = None
    """RabbitMQ or Redis for blind jobs; default: a thread in the process."""

    mail_host: str | None = None
    """Mail server (SMTP) of the home, for citizens who asked to be told of news; none: nothing is mailed."""
    mail_port: int = Field(default=587, ge=1, le=65535)
    mail_security: MailSecurity = MailSecurity.STARTTLS
    mail_user: str | None = None
    mail_password: SecretStr | None = None
    mail_from: str | None = None

    antivirus: str | None = None
    """`unix:/run/clamav/clamd.ctl` or `tcp:127.0.0.1:3310`: asked by `mobility desk open` before it writes a document."""

    operator_name: str = "Hébergeur non renseigné"
    """Who runs this node: legal name, shown in the legal pages."""
    operator_address: str = "Adresse non renseignée"
    operator_contact: str = "contact@example.invalid"
    dpo_contact: str = "dpo@example.invalid"

    identity_issuer: str | None = None
    """OpenID provider of the State's federation, for a home that is habilitated: the address of its metadata, without `/.well-known/…`."""
    identity_name: str = "FranceConnect"
    """Its name on the page."""
    identity_client_id: str = ""
    identity_client_secret: SecretStr = SecretStr("")
    """What the federation gave this home at its habilitation."""
    identity_level: Literal["eidas1", "eidas2", "eidas3"] = "eidas1"
    """The weakest level accepted."""

    entitlements_url: str | None = None
    """API Particulier, where the habilitation of `identity_issuer` covers it: its address, without `/v3/…`."""
    entitlements_siret: str = ""
    """SIRET of the habilitated body, the `recipient` of each call."""

    service_clients: Path | None = None
    """JSON file of registrations agreed with services that take none by themselves, whose accounts people may read: `{"https://service.example": {"client_id": "…", "client_secret": "…"}}`."""

    log_level: str = "INFO"

    @field_validator("state")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        ports = [self.home_port, self.hub_port, self.sandbox_port]
        fixed = [port for port in ports if port]
        if len(set(fixed)) != len(fixed):
            raise SettingsContradictionError("home_port/hub_port/sandbox_port", "must differ")
        for name in ("home_url", "hub_url", "sandbox_url"):
            url = getattr(self, name)
            if url is None:
                continue
            if url.endswith("/"):
                raise SettingsContradictionError(name, "must not end with a slash")
            if url.startswith("http://") and not self.is_loopback(url):
                raise SettingsContradictionError(name, "plain http is for loopback only")
            if not url.startswith(("http://", "https://")):
                raise SettingsContradictionError(name, "must be an http(s) address")
        if self.identity_issuer is not None:
            if self.identity_issuer.startswith("http://") and not self.is_loopback(
                self.identity_issuer
            ):
                raise SettingsContradictionError("identity_issuer", "https, but on loopback")
            if not (self.identity_client_id and self.identity_client_secret.get_secret_value()):
                raise SettingsContradictionError(
                    "identity_issuer", "needs identity_client_id and identity_client_secret"
                )
        if self.entitlements_url is not None:
            if self.identity_issuer is None:
                raise SettingsContradictionError("entitlements_url", "needs identity_issuer")
            if not is_siret(self.entitlements_siret):
                raise SettingsContradictionError("entitlements_siret", "a SIRET with its key")
        if not self.sandbox and self.host not in _LOOPBACK and self.home_url is None:
            raise SettingsContradictionError(
                "host", "listening beyond loopback needs home_url (https, behind a proxy)"
            )
        return self

    @model_validator(mode="after")
    def _mail(self) -> Self:
        if self.mail_host is None and self.mail_from is not None:
            raise SettingsContradictionError("mail_from", "goes with mail_host")
        try:
            _ = self.mail
        except SettingsRefusedError as error:
            raise SettingsContradictionError("mail", str(error)) from None
        return self

    @property
    def mail(self) -> MailServer | None:
        """The home's mail server. Raises SettingsRefusedError."""
        if self.mail_host is None:
            return None
        return MailServer(
            self.mail_host,
            self.mail_from or "",
            self.did(Node.HOME),
            own_host=self.url(Node.HOME).partition("://")[2].partition(":")[0],
            port=self.mail_port,
            security=self.mail_security,
            user=self.mail_user,
            password=self.mail_password,
        )

    @staticmethod
    def is_loopback(url: str) -> bool:
        """Whether an address stays on this machine, and so may be plain http."""
        rest = url.removeprefix("http://")
        return any(rest == h or rest.startswith((f"{h}:", f"{h}/")) for h in _LOOPBACK)

    def url(self, node: Node) -> str:
        """Public base address of `node`, without a trailing slash."""
        given: str | None = getattr(self, f"{node.value}_url")
        if given is not None:
            return given
        return f"http://{self.public_host}:{self.port(node)}"

    def port(self, node: Node) -> int:
        """Port `node` listens on."""
        port: int = getattr(self, f"{node.value}_port")
        return port

    def did(self, node: Node, *path: str) -> str:
        """`did:web` of `node`, the port escaped as the method asks (W3C did:web §2.4.1)."""
        authority = self.url(node).split("://", 1)[1].replace(":", "%3A")
        return ":".join(["did:web", authority, *path])

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach the home over TLS (or loopback, which they trust alike)."""
        return self.url(Node.HOME).startswith("https://")
