"""What connectors need of a home: drop-boxes, links of depositors, and a key to sign deposits
with."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from connectors.depositing import DropBox
from federation.keys import Signer
from schemas.ids import Did, Digest

if TYPE_CHECKING:
    from connectors.carpool.bookings import Provider
    from connectors.identity.home_key import Secrets
    from connectors.store.store import Seal


class ReceiptState(Protocol):
    """What became of a deposit (`vault.model.ReceiptView`)."""

    @property
    def state(self) -> str:
        """`waiting`, `taken` or `rejected`."""
        ...

    @property
    def faults(self) -> tuple[tuple[int, str, str | None], ...]:
        """(index in the deposit, code, where)."""
        ...


class TracedDropBox(DropBox, Protocol):
    """A drop-box in this process, which also knows what became of a deposit."""

    def receipt(self, deposit: Digest) -> ReceiptState | None:
        """None when the deposit is unknown here."""
        ...


class ConnectorHome(Protocol):
    """The home, as connectors see it. Nothing here opens a vault."""

    def drop_box(self, vault_id: str) -> TracedDropBox:
        """Raises VaultUnknownError."""
        ...

    def connector_signer(self, name: str) -> tuple[Did, Signer]:
        """DID and key with which the connector `name` of this home signs its deposits."""
        ...

    def link_depositor(
        self, vault_id: str, did: Did, account: str, *, name: str, scope: tuple[str, ...]
    ) -> None:
        """Let `did` leave records of `scope` for `account`. Linking twice is no error."""
        ...

    def revoke_link(self, vault_id: str, did: Did, account: str) -> None:
        """No deposit of this depositor and account is taken any more."""
        ...


class SourceTokens(Protocol):
    """The home's sealed store of tokens (`vault.tokens.SourceTokens`)."""

    def put(
        self, vault_id: str, connector: str, account: str, token: bytes, *, scope: str = ""
    ) -> None: ...

    def get(self, vault_id: str, connector: str, account: str) -> Any:
        """An object with `token: bytes`, or None. Every use is written to the vault's journal."""
        ...

    def remove(self, vault_id: str, connector: str, account: str) -> None: ...


class ServiceHome(ConnectorHome, Protocol):
    """The home, with its tokens."""

    def register_feed(self, feed: Callable[[Any], object]) -> None:
        """Have `feed` called with the open vault at each drain."""
        ...

    def is_fresh(self, keyid: str, nonce: str, until: datetime) -> bool:
        """Whether a signed request's nonce is new; it is used up by asking."""
        ...

    @property
    def tokens(self) -> SourceTokens: ...

    @property
    def passport(self) -> "Provider":
        """The home as an OpenID provider: whose bookings an operator brings."""
        ...

    @property
    def seal(self) -> "Seal":
        """The home's own seal, for what `connectors.db` must not show."""
        ...

    @property
    def key_store(self) -> "Secrets":
        """The home's own secrets."""
        ...

    def signer(self) -> Signer:
        """Signs as the home, as the trust registry knows it."""
        ...


__all__ = ["ConnectorHome", "ReceiptState", "ServiceHome", "SourceTokens", "TracedDropBox"]
