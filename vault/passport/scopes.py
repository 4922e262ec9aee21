"""Scopes of the passport: what a service may ask for by name, and what the citizen reads then.

A scope names the claims it opens, says in French and English what a service would learn, and reads
the claims from the open vault at the moment of consent. Nothing else reads them: while the vault is
locked a service gets what was read then.

To add one, make a `Scope` and give it to the home where it is composed::

    home.passport.scopes.add(
        Scope(
            name="titre",
            claims=("titre",),
            title={"fr": "Votre abonnement", "en": "Your pass"},
            consent={"fr": "le réseau et …", "en": "the network and …"},
            labels={"titre.network": {"fr": "Réseau", "en": "Network"}},
            read=read_pass,          # (OpenVault, datetime) -> {"titre": {...}} or {}
        )
    )

What `read` leaves out is told to the citizen as missing and to the service by its absence. A claim
that is not in `claims` is a fault of the scope and is refused.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from vault.passport.errors import ScopeInvalidError, ScopeUnknownError

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["OFFLINE", "OPENID", "RESERVED", "Read", "Scope", "ScopeBook", "Wish"]

OPENID: Final = "openid"
OFFLINE: Final = "offline_access"
RESERVED: Final = frozenset(
    {"sub", "iss", "aud", "exp", "iat", "nbf", "jti", "nonce", "auth_time", "acr", "azp", "at_hash"}
)
"""Members of a token that no scope may write."""
MAX_SCOPES: Final = 20
_MAX_NAME: Final = 100

Read = Callable[["OpenVault", datetime], Mapping[str, Any]]
"""Reads claims from an open vault, as of a moment: a JSON object, empty where nothing is there."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a service filled in for one scope."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    """Signed tariff rules that the service registered."""


ReadWish = Callable[["OpenVault", datetime, Wish], tuple[Mapping[str, Any], Mapping[str, str]]]
"""As `Read`, for what a service filled in; and of each part that is not there the reason."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One thing a service may ask for."""

    name: str
    """As the service writes it; RFC 6749 §3.3 (printable ASCII, no space, quote or backslash)."""
    claims: tuple[str, ...]
    """Members of the userinfo answer that it opens, and no other."""
    title: Mapping[str, str]
    """`fr`, `en`: in a few words, what it is about."""
    consent: Mapping[str, str]
    """`fr`, `en`: what the service learns, as it ends the sentence « Ce service saura : … »."""
    read: Read
    read_wish: ReadWish | None = None
    """Reads what a service filled in parameters for, in place of `read`."""
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Words for members, by their path with dots; a path without words is shown as it is."""

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= _MAX_NAME or any(
            not "!" <= c <= "~" or c in '"\\' for c in self.name
        ):
            raise ScopeInvalidError(self.name, "not a scope token")
        if set(self.claims) & RESERVED:
            raise ScopeInvalidError(self.name, "it would write a member of the token itself")
        for words in (self.title, self.consent, *self.labels.values()):
            if not words.get("fr") or not words.get("en"):
                raise ScopeInvalidError(self.name, "words are missing in French or English")

    def claims_of(self, vault: "OpenVault", at: datetime) -> dict[str, Any]:
        """What the vault has of it now.

        Raises:
            ScopeInvalidError: it read more than it says.
        """
        return self._checked(self.read(vault, at))

    def answer(
        self, vault: "OpenVault", at: datetime, wish: Wish
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """As `claims_of` for what a service filled in; and of each part that the vault lacks the
        reason.

        Raises:
            ScopeInvalidError: it read more than it says.
        """
        if self.read_wish is None:
            return self.claims_of(vault, at), {}
        found, lacking = self.read_wish(vault, at, wish)
        return self._checked(found), lacking

    def _checked(self, read: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: value for name, value in read.items() if value is not None}
        if not set(found) <= set(self.claims):
            raise ScopeInvalidError(self.name, "it read a claim it does not name")
        return found


def _nothing(_vault: "OpenVault", _at: datetime) -> Mapping[str, Any]:
    return {}


_OPENID_SCOPE: Final = Scope(
    name=OPENID,
    claims=(),
    title={"fr": "Vous reconnaître", "en": "Recognise you"},
    consent={
        "fr": "un identifiant propre à ce service, qui ne vous relie à aucun autre",
        "en": "an identifier for this service alone, which links you to no other",
    },
    read=_nothing,
)
_OFFLINE_SCOPE: Final = Scope(
    name=OFFLINE,
    claims=(),
    title={
        "fr": "Garder l'accès quand votre coffre est fermé",
        "en": "Access while your vault is closed",
    },
    consent={
        "fr": "ces mêmes informations, telles qu'elles sont aujourd'hui, jusqu'à la fin choisie",
        "en": "this same information, as it is today, until the end you choose",
    },
    read=_nothing,
)


class ScopeBook:
    """The scopes one home knows, in the order they are shown."""

    def __init__(self, scopes: Iterable[Scope] = ()) -> None:
        self._scopes: dict[str, Scope] = {OPENID: _OPENID_SCOPE, OFFLINE: _OFFLINE_SCOPE}
        for scope in scopes:
            self.add(scope)

    def __iter__(self) -> Iterator[Scope]:
        return iter(self._scopes.values())

    def add(self, scope: Scope) -> None:
        """Know one more scope.

        Raises:
            ScopeInvalidError: its name, or one of its claims, is another scope's already.
        """
        if scope.name in self._scopes:
            raise ScopeInvalidError(scope.name, "a scope of this name is known")
        taken = {claim for known in self for claim in known.claims}
        if taken & set(scope.claims):
            raise ScopeInvalidError(scope.name, "another scope opens the same claim")
        self._scopes[scope.name] = scope

    def get(self, name: str) -> Scope | None:
        """The scope of this name."""
        return self._scopes.get(name)

    def read(self, text: str) -> tuple[Scope, ...]:
        """The scopes of a request, each once, in the order of this book.

        Raises:
            ScopeUnknownError: one is not known here, or there are more than `MAX_SCOPES`.
        """
        names = set(text.split())
        if len(names) > MAX_SCOPES or not names <= set(self._scopes):
            raise ScopeUnknownError
        return tuple(scope for scope in self if scope.name in names)

    @property
    def names(self) -> list[str]:
        """For the metadata."""
        return list(self._scopes)

    @property
    def claims(self) -> list[str]:
        """Every claim that some scope opens."""
        return [claim for scope in self for claim in scope.claims]
