"""The passport: this home as an OpenID provider for its citizens. See `README.md`."""

from vault.passport.scopes import Scope, ScopeBook
from vault.passport.stated import Stated

__all__ = ["Scope", "ScopeBook", "Stated"]
