"""What the pages of each server are given once, made from `Settings` by the composition."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from federation.aids.zones import ZoneBook
from federation.ports import Hub
from portal.settings import Settings
from portal.web import Site
from vault.catalogue import HubCatalogue
from vault.home import Home


@dataclass(frozen=True, slots=True)
class HomeContext:
    """The home's pages: settings, the home, its hub, the clock."""

    settings: Settings
    home: Home
    hub: Hub
    site: Site
    clock: Callable[[], datetime]
    catalogue: HubCatalogue = field(repr=False)
    connectors: Any = field(repr=False)
    """The connector service: accounts, pairings, imports, pulls (`connectors`)."""
    zones: ZoneBook = field(repr=False)
    """Low-emission zones, and what is known of the law."""
    refresh_trust: Callable[[], object] = field(repr=False)
    """Take the registry's newest snapshot now; raises what `TrustKeeper.refresh` does."""


@dataclass(frozen=True, slots=True)
class HubPages:
    """The hub's pages: settings, the hub's own context, the clock."""

    settings: Settings
    hub: Any
    site: Site
    clock: Callable[[], datetime]
