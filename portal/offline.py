"""`mobility verify FILE`: a document checked with what this machine holds, no network."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

import json
from datetime import datetime
from pathlib import Path

from federation.credentials.offline import OfflineResult, verify_offline
from federation.jose import verify_jws
from federation.keys import decode_multikey
from federation.trust import TYP, TrustSnapshot
from portal.errors import AttestationError
from portal.settings import Settings


def trust_from(path: Path | None, settings: Settings) -> TrustSnapshot:
    """A trust snapshot: the file given (signed, or its claims), else the one this state folder's home keeps.

    A signed file is checked with the root this folder pinned (`trust-root.json`); without a pinned root its own
    keys are used and the caller must know where the file came from.

    Raises:
        AttestationError: there is none, or it cannot be read.
    """
    if path is None:
        from vault.home import Home

        if not (settings.state / "home.db").exists():
            raise AttestationError("no trust snapshot here: give one with --trust")
        from portal.compose import home_settings

        with Home.open(home_settings(settings)) as home:
            known = home.trust
        if known is None:
            raise AttestationError("this home has no trust snapshot yet: give one with --trust")
        return known
    data = path.read_text("utf-8").strip()
    try:
        if data.startswith("{"):
            return TrustSnapshot.from_claims(json.loads(data))
        root = settings.state / "trust-root.json"
        if not root.exists():
            raise AttestationError("no pinned root key in this state folder to check --trust with")
        keys = {
            name: decode_multikey(key) for name, key in json.loads(root.read_text("utf-8")).items()
        }
        signed = verify_jws(data, lambda header: keys[str(header.get("kid", ""))], typ=TYP)
        return TrustSnapshot.from_claims(signed.claims)
    except (KeyError, ValueError) as error:
        raise AttestationError("the trust snapshot cannot be read") from error


def verify_file(
    data: bytes, *, trust: Path | None, settings: Settings, at: datetime
) -> OfflineResult:
    """Verify `data` (an attestation PDF or JSON) offline."""
    return verify_offline(data, trust=trust_from(trust, settings), at=at)
