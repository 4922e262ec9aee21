"""Credentials as a wallet keeps them, whatever their format: read, not verified.

A W3C credential is kept as its document; an SD-JWT VC as `{"format": "dc+sd-jwt", "credential":
text}`, every disclosure in it. `read_held` gives both the same members, so that matching, choosing
and showing do not ask for the format.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from federation.credentials.model import parse_credential
from federation.credentials.sd_jwt_vc import TYP, read_claims
from federation.credentials.shape import ShapeError
from federation.proofs.sd_jwt import SdJwt, SdJwtError, SdJwtMalformedError, held_claims
from schemas.ids import Did, Iri, digest

__all__ = ["LDP_VC", "Held", "holder_of_sd_jwt", "keep_sd_jwt", "read_held"]

LDP_VC: Final = "ldp_vc"
_NAMES: Final = uuid.UUID("6f0d6b3e-6c1e-5c53-8a0e-7a9f0d1f2c11")


@dataclass(frozen=True, slots=True)
class Held:
    """One credential of a wallet."""

    id: Iri
    """Its own, or for an SD-JWT VC (which has none) a name made from its issuer's JWT."""
    format: str
    type: str
    issuer: Did
    holder: Did
    """The key it is bound to."""
    valid_from: datetime
    valid_until: datetime | None
    subject: Mapping[str, Any]
    """All its claims."""
    wire: Mapping[str, Any] | str
    """As a presentation takes it: the document, or the SD-JWT's text."""

    def is_usable(self, *, holder: Did, at: datetime) -> bool:
        """Whether it is bound to this key and within its dates."""
        return (
            self.holder == holder
            and self.valid_from <= at
            and (self.valid_until is None or at < self.valid_until)
        )


def keep_sd_jwt(text: str) -> dict[str, Any]:
    """The document a wallet keeps for an SD-JWT VC."""
    return {"format": TYP, "credential": text}


def read_held(document: Mapping[str, Any]) -> Held:
    """Read what a wallet keeps.

    Raises:
        ShapeError: not a credential of the federation's types, in neither format.
    """
    if document.get("format") == TYP:
        text = document.get("credential")
        if not isinstance(text, str) or set(document) != {"format", "credential"}:
            raise ShapeError("shape-invalid", "/credential", "an SD-JWT expected")
        return _read_sd_jwt(text)
    read = parse_credential(document)
    return Held(
        id=Iri(read.id),
        format=LDP_VC,
        type=read.type,
        issuer=read.issuer,
        holder=Did(read.holder),
        valid_from=read.valid_from,
        valid_until=read.valid_until,
        subject=read.subject,
        wire=read.document,
    )


def _read_sd_jwt(text: str) -> Held:
    try:
        parsed = SdJwt.parse(text)
        claims = held_claims(text)
    except (SdJwtMalformedError, SdJwtError) as error:
        raise ShapeError("sd-jwt-malformed", "/credential", str(error)) from None
    if parsed.key_binding is not None:
        raise ShapeError("sd-jwt-malformed", "/credential", "a presentation, not a credential")
    name = uuid.uuid5(_NAMES, digest(parsed.jwt.encode("ascii")).hex()).urn
    read = read_claims(claims, identifier=name)
    return Held(
        id=Iri(name),
        format=TYP,
        type=read.type,
        issuer=read.issuer,
        holder=read.holder,
        valid_from=read.valid_from,
        valid_until=read.valid_until,
        subject=read.subject,
        wire=text,
    )


def holder_of_sd_jwt(text: str) -> Did:
    """The key an SD-JWT VC, presented or not, is bound to; nothing of it is verified.

    Raises:
        ShapeError: not an SD-JWT VC of ours.
    """
    try:
        return read_claims(held_claims(text), identifier="urn:unnamed").holder
    except (SdJwtMalformedError, SdJwtError) as error:
        raise ShapeError("sd-jwt-malformed", "/credential", str(error)) from None
