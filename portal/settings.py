"""Settings of the three servers, read once from the environment (`MOBILITY_…`) or the command line."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

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

    broker_url: SecretStr | None = None
    """RabbitMQ or Redis for blind jobs; default: a thread in the process."""

    operator_name: str = "Hébergeur non renseigné"
    """Who runs this node: legal name, shown in the legal pages."""
    operator_address: str = "Adresse non renseignée"
    operator_contact: str = "contact@example.invalid"
    dpo_contact: str = "dpo@example.invalid"

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
            if url.startswith("http://") and not self._is_loopback(url):
                raise SettingsContradictionError(name, "plain http is for loopback only")
            if not url.startswith(("http://", "https://")):
                raise SettingsContradictionError(name, "must be an http(s) address")
        if not self.sandbox and self.host not in _LOOPBACK and self.home_url is None:
            raise SettingsContradictionError(
                "host", "listening beyond loopback needs home_url (https, behind a proxy)"
            )
        return self

    @staticmethod
    def _is_loopback(url: str) -> bool:
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
