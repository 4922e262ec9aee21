"""A login at an identity provider, as pure steps: the way out, the checks on the way back, the
attributes.

Coming back is numbered: (1) state and issuer are ours (RFC 9207); (2) the code is exchanged with
the PKCE verifier; (3) the ID token: ES256 by a key of the provider's set, `iss`, `aud`, `exp`,
`iat`, nonce, level at least the one asked; (4) userinfo is a JWT signed by the provider for us,
same `sub`; (5) claims become attributes, degree *relayed*: the home read them from the source at
this login and can prove no more. Left to the caller: HTTP, and that `Begun` came back from the
same browser.
"""

import base64
import hashlib
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from connectors.base import UNNAMED, identified
from connectors.errors import ConnectorError
from federation.jose import JwsError, JwsMalformedError, verify_jws
from federation.keys import P256, PublicKey
from schemas.errors import MobilityError, Refused
from schemas.ids import Iri
from schemas.observations import DocumentObservation
from schemas.records import Attribute, Degree

SOURCE: Final = "identity"
LEVELS: Final = ("eidas1", "eidas2", "eidas3")
SKEW: Final = timedelta(seconds=60)
LOGIN_TERM: Final = timedelta(minutes=10)
MAX_CLAIM: Final = 200
CLAIMS: Final[Mapping[str, str]] = {
    "given_name": "identity.given_name",
    "family_name": "identity.family_name",
    "birthdate": "identity.birthdate",
    "gender": "identity.gender",
    "birthplace": "identity.birthplace",
    "birthcountry": "identity.birthcountry",
    "preferred_username": "identity.preferred_username",
}
"""Claims kept, by attribute name. E-mail is not asked: nothing here needs it."""


class LoginRefusedError(ConnectorError, Refused):
    """The login did not come to a good end: refused, too old, another browser, too weak a level."""

    code = "login-refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class LoginExpiredError(LoginRefusedError):
    """More than `LOGIN_TERM` went by between leaving and coming back: begin again."""

    code = "login-expired"


class LoginForeignError(LoginRefusedError):
    """This browser has no such login under way: another browser, another vault, or used already."""

    code = "login-foreign"


class LevelTooLowError(LoginRefusedError):
    """The provider vouches for less than was asked."""

    code = "login-level"


class UserinfoInvalidError(ConnectorError, Refused):
    """A token of the provider does not verify: nothing of it is kept."""

    code = "userinfo-invalid"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's metadata, read from its discovery document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str
    jwks_uri: str

    @classmethod
    def of(cls, document: Mapping[str, Any], *, issuer: str) -> "Provider":
        """Raises LoginRefusedError: another issuer, or an endpoint on another origin."""
        if document.get("issuer") != issuer:
            raise LoginRefusedError("the provider names another issuer")
        names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
        found = {name: document.get(name) for name in names}
        home = _origin(issuer)
        for name, url in found.items():
            if not isinstance(url, str) or _origin(url) != home:
                raise LoginRefusedError(f"{name} is not on the provider's origin")
        return cls(issuer=issuer, **{name: str(url) for name, url in found.items()})


@dataclass(frozen=True, slots=True)
class Begun:
    """A login under way; kept with the session that began it, never in a URL."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    level: str
    at: datetime

    def __repr__(self) -> str:
        return "Begun(***)"


@dataclass(frozen=True, slots=True)
class Identity:
    """What the provider said, verified."""

    issuer: str
    subject: str
    level: str
    certified_at: datetime
    claims: Mapping[str, str]


def begin(
    provider: Provider, *, client_id: str, redirect_uri: str, level: str, at: datetime
) -> tuple[str, Begun]:
    """The address to send the browser to, and what to keep until it comes back."""
    if level not in LEVELS:
        raise LoginRefusedError("unknown level")
    begun = Begun(
        state=secrets.token_urlsafe(24),
        nonce=secrets.token_urlsafe(24),
        verifier=secrets.token_urlsafe(48),
        redirect_uri=redirect_uri,
        level=level,
        at=at,
    )
    digest = hashlib.sha256(begun.verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": "openid identite_pivot",
        "state": begun.state,
        "nonce": begun.nonce,
        "acr_values": level,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    return f"{provider.authorization_endpoint}?{urlencode(query)}", begun


def code_of(provider: Provider, begun: Begun, query: Mapping[str, str], *, at: datetime) -> str:
    """Step 1: the code of the answer that came back to us.

    Raises LoginRefusedError.
    """
    if at - begun.at > LOGIN_TERM:
        raise LoginExpiredError("the login took too long")
    if not secrets.compare_digest(query.get("state", ""), begun.state):
        raise LoginForeignError("the answer belongs to another login")
    if query.get("iss", provider.issuer) != provider.issuer:
        raise LoginRefusedError("the answer comes from another provider")
    if "error" in query or not query.get("code"):
        raise LoginRefusedError("the provider or the person refused")
    return query["code"]


def keys_of(jwks: Any) -> dict[str, PublicKey]:
    """P-256 keys of a JWK set, by `kid`. Others are left out."""
    found = {}
    entries = jwks.get("keys") if isinstance(jwks, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or entry.get("crv") != "P-256":
            continue
        try:
            x, y = (_unb64(str(entry[name])) for name in ("x", "y"))
            if len(x) != 32 or len(y) != 32:
                continue
            raw = bytes([2 + (y[-1] & 1)]) + x
            found[str(entry.get("kid", ""))] = PublicKey.from_raw(P256, raw)
        except (KeyError, ValueError, MobilityError):
            continue
    return found


def verify_login(
    provider: Provider,
    begun: Begun,
    *,
    id_token: str,
    userinfo: str,
    keys: Mapping[str, PublicKey],
    client_id: str,
    at: datetime,
) -> Identity:
    """Steps 3 and 4.

    Raises UserinfoInvalidError, LoginRefusedError (too weak a level).
    """
    first = _verified(id_token, provider, keys, client_id=client_id, at=at)
    if not secrets.compare_digest(str(first.get("nonce", "")), begun.nonce):
        raise UserinfoInvalidError("nonce")
    level = str(first.get("acr", ""))
    if level not in LEVELS or LEVELS.index(level) < LEVELS.index(begun.level):
        raise LevelTooLowError("the provider's level is below the one asked")
    claims = _verified(userinfo, provider, keys, client_id=client_id, at=at)
    subject = claims.get("sub")
    if not isinstance(subject, str) or subject != first.get("sub"):
        raise UserinfoInvalidError("sub")
    kept = {
        name: claims[name]
        for name in CLAIMS
        if isinstance(claims.get(name), str) and 0 < len(claims[name]) <= MAX_CLAIM
    }
    return Identity(
        issuer=provider.issuer,
        subject=subject,
        level=level,
        certified_at=datetime.fromtimestamp(int(first["iat"]), UTC),
        claims=kept,
    )


def _verified(
    token: str,
    provider: Provider,
    keys: Mapping[str, PublicKey],
    *,
    client_id: str,
    at: datetime,
) -> Mapping[str, Any]:
    def key_of(header: Mapping[str, Any]) -> PublicKey:
        key = keys.get(str(header.get("kid", "")))
        if key is None:
            raise UserinfoInvalidError("key")
        return key

    try:
        claims = verify_jws(token, key_of, typ="JWT").claims
    except (JwsError, JwsMalformedError) as error:
        raise UserinfoInvalidError("signature") from error
    audience = claims.get("aud")
    if claims.get("iss") != provider.issuer:
        raise UserinfoInvalidError("iss")
    if audience not in (client_id, [client_id]):
        raise UserinfoInvalidError("aud")
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or not isinstance(expires, int):
        raise UserinfoInvalidError("iat and exp")
    now, skew = at.timestamp(), SKEW.total_seconds()
    if not (issued - skew <= now < expires + skew):
        raise UserinfoInvalidError("time")
    return claims


def attributes(identity: Identity, *, account: str) -> tuple[DocumentObservation, ...]:
    """Step 5: one relayed attribute a claim."""
    host = urlsplit(identity.issuer).hostname or identity.issuer
    return tuple(
        identified(
            DocumentObservation(
                id=UNNAMED,
                source=SOURCE,
                account=account,
                written_at=identity.certified_at,
                record=Attribute(
                    id=_name(identity, claim),
                    name=CLAIMS[claim],
                    value=value,
                    source=host,
                    certified_at=identity.certified_at,
                    degree=Degree.RELAYED,
                    level=identity.level,
                ),
            )
        )
        for claim, value in sorted(identity.claims.items())
    )


def _name(identity: Identity, claim: str) -> Iri:
    """The same attribute at the next login: one per provider, person and claim."""
    text = "\n".join((identity.issuer, identity.subject, claim))
    return Iri(f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


__all__ = [
    "Begun",
    "Identity",
    "LevelTooLowError",
    "LoginExpiredError",
    "LoginForeignError",
    "LoginRefusedError",
    "Provider",
    "UserinfoInvalidError",
    "attributes",
    "begin",
    "code_of",
    "keys_of",
    "verify_login",
]
