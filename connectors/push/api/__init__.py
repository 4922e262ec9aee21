"""HTTP side of push."""

from connectors.push.api.router import STATUS, create_push_router

__all__ = ["STATUS", "create_push_router"]
