"""The passport's signing keys: one that signs, and those that signed what may still be read.

A key is a file of the key store (`passport`, then `passport-2`, …); which one signs, and until when
the others did, is a setting of the home. A key is published while a snapshot that it signed may
still be handed over, and then its file means nothing any more.
"""

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from federation.keys import P256Key, PublicKey, Signer, decode_multikey

if TYPE_CHECKING:
    from vault.home import Home

__all__ = ["PassportKeys"]

PUBLISHED: Final = timedelta(days=366 + 1)
"""How long a key is published after it last signed: the longest term a citizen may choose."""
_SETTING: Final = "passport-keys"
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class PassportKeys:
    """Signers of one home's passport."""

    def __init__(self, home: "Home") -> None:
        self._home = home

    def _ended(self) -> list[datetime]:
        """When each earlier key signed last, oldest first."""
        with self._home.store.read() as reader:
            kept = reader.home_setting(_SETTING)
        return [] if kept is None else [datetime.fromisoformat(at) for at in json.loads(kept)]

    def _signer(self, number: int) -> Signer:
        name = "passport" if number == 1 else f"passport-{number}"
        secret = self._home.key_store.secret(name)
        # 32 random bytes are a scalar but for one chance in 2^32; then another one is taken.
        scalar = int.from_bytes(secret) % (_ORDER - 1) + 1
        key = P256Key.from_private_bytes(scalar.to_bytes(32))
        return key.signer(f"{self._home.did}#passport-{number}")

    def signer(self) -> Signer:
        """The key that signs now: ES256."""
        return self._signer(len(self._ended()) + 1)

    def published(self) -> dict[str, PublicKey]:
        """`kid` → key: the one that signs, and those whose snapshots may still be read."""
        ended, at = self._ended(), self._home.clock()
        numbers = [n for n, until in enumerate(ended, start=1) if at < until + PUBLISHED]
        return {
            f"passport-{n}": decode_multikey(self._signer(n).public_multikey())
            for n in (*numbers, len(ended) + 1)
        }

    def renew(self) -> str:
        """Sign with a new key from now on; returns its `kid`."""
        ended = [*self._ended(), self._home.clock()]
        self._signer(len(ended) + 1)  # made, and synced, before anybody is told to use it
        with self._home.store.transact() as tx:
            body = json.dumps([at.isoformat() for at in ended]).encode()
            tx.put_home_setting(_SETTING, body)
        return f"passport-{len(ended) + 1}"
