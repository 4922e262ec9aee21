"""What an issuer asks of a hub: who it is and what it would sign, signed by the key to be pinned.

The hub's person decides. Reading the request accredits nobody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from connectors.errors import ConnectorError
from connectors.issuer.documents import TYPES
from connectors.issuer.settings import IssuerSettings
from federation.credentials.types import CREDENTIAL_TYPES
from federation.did import DidDocument, DidError
from federation.jose import JwsError, JwsMalformedError, sign_jws, verify_jws
from federation.keys import PublicKey, Signer
from federation.trust import Role
from schemas.errors import InvalidInput
from schemas.evidence import Evidence
from schemas.ids import Did

__all__ = [
    "TYP",
    "Accreditation",
    "AccreditationInvalidError",
    "accreditation_request",
    "asks_for",
    "read_accreditation",
]

TYP: Final = "mobility-accreditation+jwt"
_ROLES: Final = (Role.OPERATOR.value, Role.TRACE_APP.value)


class AccreditationInvalidError(ConnectorError, InvalidInput):
    """Not a request that its own issuer signed."""

    code: ClassVar[str] = "accreditation-invalid"


@dataclass(frozen=True, slots=True)
class Accreditation:
    """What is asked."""

    did: Did
    name: str
    contact: str
    roles: tuple[Role, ...]
    types: tuple[str, ...]
    evidence: Evidence
    families: tuple[str, ...]


def accreditation_request(settings: IssuerSettings, *, signer: Signer, at: datetime) -> str:
    """The request of an issuer of these sources."""
    claims = {
        "iss": settings.did,
        "iat": int(at.timestamp()),
        "name": settings.name,
        "contact": settings.contact,
        "roles": [Role.OPERATOR.value],
        "types": sorted({TYPES[source.produces] for source in settings.sources}),
        "evidence": Evidence.OPERATOR.value,
        "families": list(settings.families),
    }
    return sign_jws(claims, signer, typ=TYP)


def asks_for(token: str) -> Did:
    """Who asks, before anything is checked: whose document to read.

    Raises:
        AccreditationInvalidError: nobody.
    """
    found: list[str] = []

    def note(header: Mapping[str, Any]) -> PublicKey:
        found.append(str(header.get("kid", "")).partition("#")[0])
        raise JwsError("only asked who it is")

    try:
        verify_jws(token, note, typ=TYP)
    except (JwsError, JwsMalformedError):
        if found and found[0].startswith("did:web:"):
            return Did(found[0])
    raise AccreditationInvalidError("not an accreditation request")


def read_accreditation(token: str, document: DidDocument) -> Accreditation:
    """Check a request against the DID document of who asks, and read it.

    Raises:
        AccreditationInvalidError: another key, another issuer, or something no issuer may ask.
    """

    def key_of(header: Mapping[str, Any]) -> PublicKey:
        return document.key(str(header.get("kid", "")), "assertionMethod")

    try:
        claims = verify_jws(token, key_of, typ=TYP).claims
    except (JwsError, JwsMalformedError, DidError) as error:
        raise AccreditationInvalidError(str(error)) from None
    if claims.get("iss") != document.id:
        raise AccreditationInvalidError("signed for another issuer")
    roles, types = _texts(claims, "roles"), _texts(claims, "types")
    if not roles or not set(roles) <= set(_ROLES) or not set(types) <= set(CREDENTIAL_TYPES):
        raise AccreditationInvalidError("a role or a document that no issuer asks for")
    evidence = claims.get("evidence")
    if evidence not in (Evidence.OPERATOR.value, Evidence.SENSED.value):
        raise AccreditationInvalidError("an evidence class that no issuer asks for")
    return Accreditation(
        did=document.id,
        name=_text(claims, "name") or document.id,
        contact=_text(claims, "contact"),
        roles=tuple(Role(role) for role in roles),
        types=tuple(types),
        evidence=Evidence(evidence),
        families=tuple(_texts(claims, "families")),
    )


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str) or len(value) > 300:
        raise AccreditationInvalidError(f"{name} is not a short text")
    return value


def _texts(claims: Mapping[str, Any], name: str) -> Sequence[str]:
    listed = claims.get(name, [])
    if not isinstance(listed, list) or len(listed) > 50:
        raise AccreditationInvalidError(f"{name} is not a short list")
    if not all(isinstance(item, str) and 0 < len(item) <= 100 for item in listed):
        raise AccreditationInvalidError(f"{name} holds something else")
    return listed
