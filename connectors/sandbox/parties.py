"""The fictitious parties of the sandbox: their keys, their DIDs, their did.json."""

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, Self

from connectors.sandbox.story import FIRST_DAY
from federation.did import did_document
from federation.disputes import SERVICE
from federation.keys import Ed25519Key, P256Key, PublicKey, Signer, decode_multikey
from schemas.ids import Did

BANNER: Final = "Bac à sable : personnes, opérateurs et financeurs fictifs"
BANNER_EN: Final = "Sandbox: people, operators and funders are fictitious"


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Where the sandbox answers and where it keeps its keys."""

    base_url: str = "http://localhost:8402"
    state: Path = Path("sandbox.json")
    seed: int = 112026
    home_url: str = "http://localhost:8400"
    """Home whose passport the sandbox's service asks for."""
    since: date = FIRST_DAY
    """The made story is told from this day on."""
    hub_url: str = "http://localhost:8401"
    """Whose registry the fictitious services believe."""
    allow_loopback: bool = True
    """The sandbox only ever talks to homes on this machine, or to accredited ones over https."""

    @property
    def timestamp_seed(self) -> Path:
        """Seed of the timestamp authority, beside `state`: a hub of the same folder reads it too,
        to know which root to believe."""
        return self.state.with_name("horodatage.seed")

    @property
    def host(self) -> str:
        return self.base_url.partition("://")[2].rstrip("/")

    def did(self, path: str) -> Did:
        """`did:web` of a party at `path` below the base address."""
        return Did(f"did:web:{self.host.replace(':', '%3A')}:{path}")


@dataclass(frozen=True, slots=True)
class Party:
    """One fictitious organisation with its signing key."""

    did: Did
    path: str
    signer: Signer
    services: Mapping[str, str] = field(default_factory=dict)
    """Addresses its did.json names, by type."""

    @property
    def public(self) -> PublicKey:
        return decode_multikey(self.signer.public_multikey())

    def document(self) -> dict[str, Any]:
        """Its did.json."""
        return did_document(self.did, [self.signer], self.services)


@dataclass(frozen=True, slots=True)
class Parties:
    """All of them, with the secrets they keep between starts."""

    operator: Party
    employer: Party
    identity: Party
    trace_token: str
    family_key: bytes
    """k_F of the employer family: HMAC key of its nullifiers."""

    def __repr__(self) -> str:
        return "Parties(***)"

    def derived(self, settings: SandboxSettings, path: str) -> Party:
        """A party whose key comes from the one secret a sandbox keeps."""
        did = settings.did(path)
        key = Ed25519Key.from_seed(self.key_for(f"party/{path}"))
        return Party(did, path, key.signer(f"{did}#1"))

    def key_for(self, purpose: str) -> bytes:
        """32 bytes of a party's own, derived from the one secret a sandbox keeps."""
        return hmac.new(self.family_key, f"sandbox/{purpose}".encode(), hashlib.sha256).digest()

    @classmethod
    def load(cls, settings: SandboxSettings) -> Self:
        """Read the state file, or make it (mode 600)."""
        path = settings.state
        if path.exists():
            kept: Mapping[str, str] = json.loads(path.read_text(encoding="utf-8"))
        else:
            kept = {
                "operator": _b64(secrets.token_bytes(32)),
                "employer": _b64(secrets.token_bytes(32)),
                "identity": _b64(bytes(P256Key.generate().private_bytes())),
                "traceToken": f"nrelop_sandbox_default_{secrets.token_hex(16)}",
                "familyKey": _b64(secrets.token_bytes(32)),
            }
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(kept, file, indent=1)
        operator, employer = settings.did("operateur"), settings.did("employeur")
        identity = settings.did("identite")
        return cls(
            operator=Party(
                operator,
                "operateur",
                Ed25519Key.from_seed(_unb64(kept["operator"])).signer(f"{operator}#1"),
                {SERVICE: f"{settings.base_url.rstrip('/')}/operateur/contestations"},
            ),
            employer=Party(
                employer,
                "employeur",
                Ed25519Key.from_seed(_unb64(kept["employer"])).signer(f"{employer}#1"),
            ),
            identity=Party(
                identity,
                "identite",
                P256Key.from_private_bytes(_unb64(kept["identity"])).signer(f"{identity}#1"),
            ),
            trace_token=kept["traceToken"],
            family_key=_unb64(kept["familyKey"]),
        )


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unb64(text: str) -> bytes:
    return base64.b64decode(text)


__all__ = ["BANNER", "BANNER_EN", "Parties", "Party", "SandboxSettings"]
