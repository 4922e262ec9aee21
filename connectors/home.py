"""What connectors need of a home: drop-boxes, links of depositors, and a key to sign deposits
with."""

from typing import Protocol

from connectors.depositing import DropBox
from federation.keys import Signer
from schemas.ids import Did, Digest


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


__all__ = ["ConnectorHome", "ReceiptState", "TracedDropBox"]
