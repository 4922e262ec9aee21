"""`mobility verify FILE`: a document checked with what this machine holds, no network."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from federation.credentials.offline import OfflineResult, verify_offline
from federation.decision_log import Evidence, verify_evidence
from federation.jose import verify_jws
from federation.keys import decode_multikey
from federation.multibase import EncodingError, b64url_decode
from federation.ports import CheckView
from federation.trust import TYP, TrustSnapshot
from portal.errors import AttestationError
from portal.settings import Settings
from schemas.errors import JsonRefusedError
from schemas.jsonld import parse_json

_MAX_LIST: Final = 4_000_000
"""Bytes of a status list: one of a mebibyte of bits, set at random, in base64."""


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


def status_lists_from(paths: Sequence[Path]) -> dict[str, Mapping[str, Any] | bytes]:
    """Status lists kept beside a file, by the address each names for itself; what they are worth is for the
    verifier to say.

    Raises:
        AttestationError: one is neither a signed credential nor a signed token.
    """
    found: dict[str, Mapping[str, Any] | bytes] = {}
    for path in paths:
        data = path.read_bytes().strip()
        try:
            if data[:1] == b"{":
                document = parse_json(data, max_bytes=_MAX_LIST)
                found[str(document["id"])] = document
            else:
                claims = parse_json(
                    b64url_decode(data.decode("ascii").split(".")[1]), max_bytes=_MAX_LIST
                )
                found[str(claims["sub"])] = data
        except (
            LookupError,
            TypeError,
            UnicodeDecodeError,
            EncodingError,
            JsonRefusedError,
        ) as error:
            raise AttestationError("a status list cannot be read") from error
    return found


def is_evidence(data: bytes) -> bool:
    """Whether a file is an evidence file of a decision (a ZIP)."""
    return data.startswith(b"PK\x03\x04")


def verify_decision(
    data: bytes,
    *,
    trust: Path | None,
    settings: Settings,
    at: datetime,
    authority: Path | None = None,
) -> tuple[CheckView, ...]:
    """Check an evidence file of a decision offline; `authority` is a PEM file of the timestamp roots to believe.

    Raises:
        EvidenceMalformedError: not one. TimestampError: no root in `authority`.
    """
    from federation.timestamps import read_roots

    return verify_evidence(
        Evidence.from_zip(data),
        trust=trust_from(trust, settings),
        at=at,
        roots=() if authority is None else read_roots(authority.read_bytes()),
    )


def verify_file(
    data: bytes,
    *,
    trust: Path | None,
    settings: Settings,
    at: datetime,
    status_lists: Sequence[Path] = (),
) -> OfflineResult:
    """Verify `data` (an attestation PDF, JSON, an SD-JWT or a VC-JWT) offline."""
    return verify_offline(
        data,
        trust=trust_from(trust, settings),
        at=at,
        status_lists=status_lists_from(status_lists),
    )
