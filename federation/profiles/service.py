"""A service's announcement: which profile it asks by, with which parameters, where one begins.

Signed by the service itself (JWS, `typ` `mobility-service+jwt`), so whoever passes it on, a hub or
a page, cannot change what it asks or where it sends people. The profiles are published signed by
the hub (`service-profiles+jwt`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from federation.did.document import DidMalformedError
from federation.did.web import url_of
from federation.jose import JwsError, JwsMalformedError, sign_jws, verify_jws
from federation.keys import PublicKey, Signer
from federation.openid4vp import DcqlQuery, RequestRefusedError, origin_of
from federation.profiles.errors import ProfileError, ServiceRefusedError
from federation.profiles.model import PROFILES, ParameterValue, Profile, profile_of
from schemas.ids import Did

__all__ = ["MAX_SERVICE", "Service", "read_service", "sign_profiles", "sign_service"]

SERVICE_TYP: Final = "mobility-service+jwt"
PROFILES_TYP: Final = "service-profiles+jwt"
MAX_SERVICE: Final = 20_000
"""Characters of one announcement."""
_MEMBERS: Final = frozenset({"iss", "profile", "version", "name", "start", "iat", "ended"})


@dataclass(frozen=True, slots=True)
class Service:
    """One service of one member."""

    did: Did
    profile: Profile
    parameters: Mapping[str, ParameterValue]
    version: int
    """Rises with each announcement of the same profile by the same member."""
    name: str
    start: str
    """Where a person begins; on the member's own origin."""
    ended: bool = False

    @property
    def query(self) -> DcqlQuery:
        """What it asks."""
        return self.profile.query(self.parameters)

    def to_claims(self) -> dict[str, Any]:
        """What is signed."""
        return {
            "iss": self.did,
            "profile": self.request_claim(),
            "version": self.version,
            "name": self.name,
            "start": self.start,
            "ended": self.ended,
        }

    def request_claim(self) -> dict[str, Any]:
        """`profile` of this service's request objects."""
        return {
            "id": self.profile.id,
            "version": self.profile.version,
            "parameters": dict(self.parameters),
        }


def sign_service(service: Service, signer: Signer, *, at: datetime) -> str:
    """The announcement to publish."""
    return sign_jws({**service.to_claims(), "iat": int(at.timestamp())}, signer, typ=SERVICE_TYP)


def sign_profiles(issuer: Did, signer: Signer, *, at: datetime) -> str:
    """Every profile of this version, signed by who publishes them."""
    claims = {
        "iss": issuer,
        "iat": int(at.timestamp()),
        "profiles": [dict(profile.document) for profile in PROFILES.values()],
    }
    return sign_jws(claims, signer, typ=PROFILES_TYP)


def read_service(
    token: str, key_of: Callable[[str], PublicKey], *, loopback_http: bool = False
) -> Service:
    """Verify an announcement.

    Steps: (1) signed by a key that `key_of` gives for its `kid`; (2) that key is the issuer's own;
    (3) profile and parameters are of this version; (4) it begins on the issuer's own origin. Left
    to the caller: that the issuer is accredited, and that no newer one is known.

    Raises:
        ServiceRefusedError: with its `reason`. ProfileError: step 3. Whatever `key_of` raises.
    """
    method: list[str] = []

    def key(header: Mapping[str, Any]) -> PublicKey:
        method.append(str(header.get("kid", "")))
        return key_of(method[0])

    try:
        claims = verify_jws(token, key, typ=SERVICE_TYP, max_chars=MAX_SERVICE).claims  # 1
    except JwsMalformedError as error:
        raise ServiceRefusedError("service-malformed", str(error)) from None
    except JwsError as error:
        raise ServiceRefusedError("service-signature", str(error)) from None
    named = claims.get("profile")
    if set(claims) != _MEMBERS or not isinstance(named, Mapping):
        raise ServiceRefusedError("service-malformed", "other members than an announcement's")
    did, name, start = claims["iss"], claims["name"], claims["start"]
    version, ended = claims["version"], claims["ended"]
    if not isinstance(did, str) or method[0].partition("#")[0] != did:  # 2
        raise ServiceRefusedError("service-issuer", "signed by somebody else")
    if not isinstance(name, str) or not 0 < len(name) <= 120 or type(ended) is not bool:
        raise ServiceRefusedError("service-malformed", "name or ended")
    if type(version) is not int or not 0 < version < 2**31:
        raise ServiceRefusedError("service-malformed", "version")
    parameters = named.get("parameters")
    if not isinstance(parameters, Mapping):
        raise ProfileError("an object expected", where="parameters")
    found = Service(
        did=Did(did),
        profile=profile_of(named.get("id"), named.get("version")),  # 3
        parameters=dict(parameters),
        version=version,
        name=name,
        start=start if isinstance(start, str) else "",
        ended=ended,
    )
    _ = found.query
    try:
        own = origin_of(url_of(did, loopback_http=loopback_http))
        begins = origin_of(found.start)  # 4
    except (DidMalformedError, RequestRefusedError):
        raise ServiceRefusedError("service-address", "not an address") from None
    if begins != own:
        raise ServiceRefusedError("service-address", "not on the member's own origin")
    return found
