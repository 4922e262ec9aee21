"""Contracts that others implement, as OpenAPI documents."""

from importlib import resources
from typing import Final

__all__ = ["CONTRACTS", "contract"]

CONTRACTS: Final = ("mobility-account",)


def contract(name: str) -> bytes:
    """The document of one of `CONTRACTS`: UTF-8 JSON. Raises KeyError."""
    if name not in CONTRACTS:
        raise KeyError(name)
    return (resources.files(__name__) / f"{name}.openapi.json").read_bytes()
