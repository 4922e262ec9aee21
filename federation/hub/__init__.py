"""The hub: catalogue, desk, trust registry, and the only way in for proof packages.

Service and rules in the middle (`service`, `desk`, `registry`), database in `store/`, HTTP in
`api/` and `app.py`. It never imports the vault.
"""

from federation.hub.context import HubContext
from federation.hub.local import LocalHub
from federation.hub.settings import HubSettings

__all__ = ["HubContext", "HubSettings", "LocalHub"]
