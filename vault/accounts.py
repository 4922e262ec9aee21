"""Accounts: a vault is its own account. No e-mail, no name, no identity in any column.

What leads to a vault and what opens it are apart. A login at an identity provider (a session at
FranceConnect, a token of any OpenID Connect issuer) may be *linked* by its owner: it then says, on
a new device, which vault is meant. It never opens one: the slot's secret is asked for next.
The certified identity itself is a credential in the vault (`IdentityCredential`, or attributes
relayed at a login), sealed like every record.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vault.home import Home
    from vault.open_vault import OpenVault

__all__ = ["AccountService", "LinkedLogin"]


@dataclass(frozen=True, slots=True)
class LinkedLogin:
    """A login that leads to a vault. Whose it is, is not kept."""

    id: str
    linked_at: datetime


class AccountService:
    """Logins that lead to vaults, over one home."""

    def __init__(self, home: "Home") -> None:
        self._home = home

    def _tag(self, issuer: str, subject: str) -> bytes:
        """The provider and its pseudonym for the person, blinded under the home's key."""
        return self._home.seal.tag(issuer, subject, purpose="login")

    def link(self, vault: "OpenVault", *, issuer: str, subject: str) -> None:
        """Let this login lead here. Twice is once."""
        tag = self._tag(issuer, subject)
        with vault.library.writing() as draft:
            if vault.vault_id in draft.tx.vaults_of_login(tag):
                return
            draft.tx.put_login_link(vault.vault_id, tag, at=self._home.clock())
            draft.journal("login-linked", issuer=issuer)

    def unlink(self, vault: "OpenVault", link_id: str) -> bool:
        """Let one login lead here no more; False when it did not."""
        with vault.library.writing() as draft:
            for tag, _ in draft.tx.login_links(vault.vault_id):
                if tag.hex() == link_id:
                    draft.tx.delete_login_link(vault.vault_id, tag)
                    draft.journal("login-unlinked", count=1)
                    return True
        return False

    def links(self, vault: "OpenVault") -> tuple[LinkedLogin, ...]:
        """The logins that lead here, oldest first."""
        with self._home.store.read() as reader:
            found = reader.login_links(vault.vault_id)
        return tuple(LinkedLogin(tag.hex(), linked_at) for tag, linked_at in found)

    def find(self, *, issuer: str, subject: str) -> list[str]:
        """Vaults this verified login leads to, oldest first. It gives numbers, never a session."""
        with self._home.store.read() as reader:
            return reader.vaults_of_login(self._tag(issuer, subject))
