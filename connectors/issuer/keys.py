"""An issuer's secrets, made at its first start: `keys.json`, readable by its owner only."""

import base64
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from federation.keys import P256Key, Signer
from schemas.ids import Did

__all__ = ["IssuerKeys"]


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    """The signing key (P-256, as wallets ask), the key of its nullifiers, the HMAC secrets."""

    signing: P256Key
    family: bytes
    """32 bytes."""
    manage: str
    """Secret of the operator's own application: customers and offers."""
    webhooks: dict[str, str]
    """By source."""

    def __repr__(self) -> str:
        return "IssuerKeys(***)"

    def signer(self, did: Did) -> Signer:
        return self.signing.signer(f"{did}#key-1")

    @classmethod
    def load(cls, folder: Path, webhooks: Sequence[str]) -> Self:
        """Read the file, or make it (mode 600); a secret for each webhook that has none yet."""
        path = folder / "keys.json"
        kept: dict[str, Any] = (
            json.loads(path.read_text("utf-8"))
            if path.exists()
            else {
                "signing": _text(bytes(P256Key.generate().private_bytes())),
                "family": _text(secrets.token_bytes(32)),
                "manage": secrets.token_urlsafe(32),
                "webhooks": {},
            }
        )
        missing = [name for name in webhooks if name not in kept["webhooks"]]
        kept["webhooks"] |= {name: secrets.token_urlsafe(32) for name in missing}
        if missing or not path.exists():
            temporary = path.with_suffix(".new")
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(kept, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        return cls(
            signing=P256Key.from_private_bytes(base64.b64decode(kept["signing"])),
            family=base64.b64decode(kept["family"]),
            manage=kept["manage"],
            webhooks=dict(kept["webhooks"]),
        )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
