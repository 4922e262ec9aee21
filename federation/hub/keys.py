"""Signing keys of the hub and of the funders it hosts: one file a key, readable by the owner only.

File `<name>.key`: 32 bytes, the Ed25519 seed. Names are `hub` and funder slugs. Losing one means
accrediting a new key; stealing one lets the thief sign as that party until it is marked
compromised in the registry.
"""

import contextlib
import os
import re
import threading
from pathlib import Path
from typing import Final

from federation.hub.errors import HubSettingsError
from federation.keys import Ed25519Key, Signer
from schemas.ids import Did

__all__ = ["HubKeys"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class HubKeys:
    """Opens or makes the keys of one hub."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: dict[str, Ed25519Key] = {}
        self._lock = threading.Lock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def __repr__(self) -> str:
        return "HubKeys(***)"

    def signer(self, name: str, did: Did) -> Signer:
        """The signer of `did`, its key made at first use.

        Raises:
            HubSettingsError: a name that is not one, or a key file of the wrong size.
        """
        return self._key(name).signer(f"{did}#cle-1")

    def multikey(self, name: str) -> str:
        """The public key, as the registry pins it."""
        return self._key(name).signer("did:example:key#x").public_multikey()

    def secret(self, name: str) -> bytes:
        """32 random bytes kept beside the keys (cursor and session MACs)."""
        return self._read(f"{name}.secret")

    def renew_secret(self, name: str) -> bytes:
        """Other random bytes in place of a secret; what was made with the old ones is closed."""
        self._fresh(name).replace(self._folder / f"{name}.secret")
        return self.secret(name)

    def _key(self, name: str) -> Ed25519Key:
        if _NAME.fullmatch(name) is None:
            raise HubSettingsError("keys", "a key name is made of a-z, 0-9 and -")
        with self._lock:
            if name not in self._keys:
                self._keys[name] = Ed25519Key.from_seed(self._read(f"{name}.key"))
            return self._keys[name]

    def _fresh(self, name: str) -> Path:
        """32 random bytes, synced, under a name that only this thread uses."""
        temporary = self._folder / f".{name}.{os.getpid()}.{threading.get_ident()}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, os.urandom(32))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return temporary

    def _read(self, file_name: str) -> bytes:
        path = self._folder / file_name
        if not path.exists():
            # Written whole under another name, then linked: two first starts agree on one key.
            temporary = self._fresh(file_name)
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)
            temporary.unlink()
        data = path.read_bytes()
        if len(data) != 32:
            raise HubSettingsError("keys", "a key file does not hold 32 bytes")
        return data
