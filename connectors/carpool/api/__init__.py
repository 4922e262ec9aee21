"""The route of the carpool standard."""

from connectors.carpool.api.router import create_carpool_router

__all__ = ["create_carpool_router"]
