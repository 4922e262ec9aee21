"""Destroying a vault with all that this node has of it.

Steps: (1) the vault's clients at its sources are deleted there, as far as they answer, while the
tokens for it still open, (2) the home destroys the vault and signs the receipt, which counts them,
(3) the connectors forget its accounts, push tokens, phones and cursors. A process that dies between
2 and 3 leaves what `ConnectorService.forget_destroyed` removes at the next start.
"""

from connectors.service import ConnectorService
from vault.home import Home
from vault.model import ShredReceipt

__all__ = ["destroy"]


def destroy(
    home: Home, connectors: ConnectorService, vault_id: str
) -> tuple[ShredReceipt, tuple[str, ...]]:
    """The signed receipt, and the addresses of sources that did not answer: the citizen removes the
    access there.

    Raises:
        VaultUnknownError: never here.
    """
    departure = connectors.leave_all(vault_id)  # 1
    receipt = home.shred(  # 2
        vault_id, clients_removed=departure.removed, clients_left=len(departure.left)
    )
    connectors.forget_vault(vault_id)  # 3
    return receipt, departure.left
