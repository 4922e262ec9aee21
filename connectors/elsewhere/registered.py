"""Registrations agreed with services that take no client by themselves: a JSON file.

    {"https://service.example": {"client_id": "…", "client_secret": "…"}}

Without `client_secret` the home proves itself with the key its operator gave the service.
"""

from pathlib import Path
from typing import Final

from connectors.errors import HostileInputError
from connectors.parsing import load_json

__all__ = ["read_registered"]

MAX_FILE: Final = 1_000_000


def read_registered(path: Path) -> dict[str, tuple[str, str]]:
    """Issuer → (client id, secret).

    Raises:
        HostileInputError: not such a file.
    """
    found = load_json(path.read_bytes(), max_bytes=MAX_FILE)
    if not isinstance(found, dict):
        raise HostileInputError("an object of issuers expected")
    out = {}
    for issuer, client in found.items():
        if not isinstance(client, dict) or not set(client) <= {"client_id", "client_secret"}:
            raise HostileInputError("client_id and client_secret expected")
        id_, secret = client.get("client_id"), client.get("client_secret", "")
        if not isinstance(id_, str) or not id_ or not isinstance(secret, str):
            raise HostileInputError("client_id and client_secret are texts")
        out[issuer.rstrip("/")] = (id_, secret)
    return out
