"""Phones over HTTP."""

from connectors.phones.api.router import create_points_router

__all__ = ["create_points_router"]
