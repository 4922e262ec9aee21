"""The circles a citizen belongs to: keys of reserved aids that were handed to them.

A key is a preference, `aids.circle-<first 16 hex digits of its id>`, exported and deleted as any
other. The home fetches the same file for every vault (`vault/catalogue.py`); which circles are
opened is known in the open vault alone, so neither hub nor funder learns who looks at what.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from federation.aids.reserved import circle_id, key_in
from federation.multibase import b64url
from vault.errors import ActRefusedError
from vault.preferences import preferences, set_preference

if TYPE_CHECKING:
    from federation.aids.catalogue import Catalogue
    from vault.open_vault import OpenVault

__all__ = [
    "PREFIX",
    "Circle",
    "catalogue_of",
    "circles",
    "join",
    "keys_of",
    "leave",
]

PREFIX: Final = "aids.circle-"
MAX_CIRCLES: Final = 20


@dataclass(frozen=True, slots=True)
class Circle:
    """One circle the citizen belongs to."""

    name: str
    """Of the preference that holds its key."""
    since: datetime
    funder: str
    """Whose it is; empty when nothing opens with this key now."""
    aids: tuple[str, ...]
    """Slugs of its aids."""


def keys_of(vault: "OpenVault") -> tuple[bytes, ...]:
    """The keys this citizen was handed."""
    return tuple(_named(vault).values())


def _named(vault: "OpenVault") -> Mapping[str, bytes]:
    """Name of the preference → key."""
    found = {name: key_in(str(p.value)) for name, p in preferences(vault, PREFIX).items()}
    return {name: key for name, key in found.items() if key is not None}


def circles(vault: "OpenVault") -> tuple[Circle, ...]:
    """Every circle, with what it holds now."""
    since = {name: p.decided_at for name, p in preferences(vault, PREFIX).items()}
    out = []
    for name, key in _named(vault).items():
        opened = vault.home.catalogue.reserved((key,))
        aids = opened[0].aids if opened else ()
        funder = aids[0].funder_name if aids else ""
        out.append(Circle(name, since[name], funder, tuple(aid.slug for aid in aids)))
    return tuple(out)


def join(vault: "OpenVault", link: str) -> Circle:
    """Keep the key of a link that was handed over. Twice is once.

    Raises:
        ActRefusedError: `circle-link` (no key in it), `circle-unknown` (nothing opens with it: the
            link was replaced, or is another hub's), `too-many-circles`.
    """
    key = key_in(link)
    if key is None:
        raise ActRefusedError("circle-link")
    name = f"{PREFIX}{circle_id(key).hex()[:16]}"
    known = _named(vault)
    if name not in known:
        if len(known) >= MAX_CIRCLES:
            raise ActRefusedError("too-many-circles")
        if not vault.home.catalogue.reserved((key,), anew=True):
            raise ActRefusedError("circle-unknown")
        set_preference(vault, name, b64url(key))
        vault.note("circle-joined", actor="citizen")
    return next(circle for circle in circles(vault) if circle.name == name)


def leave(vault: "OpenVault", name: str) -> None:
    """Forget a key; its aids are no longer shown here. Unknown names change nothing."""
    if name in _named(vault):
        set_preference(vault, name, None)
        vault.note("circle-left", actor="citizen")


def catalogue_of(vault: "OpenVault", *, naming: str = "") -> "Catalogue":
    """As `HubCatalogue.current`, with the aids reserved to this citizen among the others."""
    return vault.home.catalogue.current(naming=naming, keys=keys_of(vault))
