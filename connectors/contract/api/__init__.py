"""The route at which operators tell of news."""

from connectors.contract.api.router import create_news_router

__all__ = ["create_news_router"]
