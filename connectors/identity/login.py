"""A login at an identity provider, as pure steps: the way out, the checks on the way back, the
attributes.

Coming back is numbered: (1) state and issuer are ours (RFC 9207); (2) the code is exchanged with
the PKCE verifier, and the home's secret where the provider gave one; (3) the ID token: ES256 or
RS256 by a key of the provider's set, `iss`, `aud`, `exp`, `iat`, nonce, level at least the one
asked; (4) userinfo is a JWT signed by the provider for us, same `sub`; either token may come
encrypted to the home's key, around the signed one; (5) claims become attributes, degree *relayed*:
the home read them from the source at this login and can prove no more. Left to the caller: HTTP,
and that `Begun` came back from the same browser.

The wire is that of the State's federation, version 2 (code flow, `acr_values` eidas1 to eidas3,
pivot claims, userinfo as `application/jwt`, logout by `end_session_endpoint`); any provider that
speaks it will do.
"""

import base64
import hashlib
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from connectors.base import UNNAMED, identified
from connectors.errors import ConnectorError
from connectors.identity.entitlements import ENTITLEMENTS, Entitlement
from federation.jose import JwsError, JwsMalformedError, VerificationKey, verify_jws
from federation.jwe import DecryptionKey, JweError, JweMalformedError
from schemas.errors import Refused
from schemas.ids import Iri
from schemas.observations import DocumentObservation
from schemas.records import Attribute, Degree, Scalar

SOURCE: Final = "identity"
LEVELS: Final = ("eidas1", "eidas2", "eidas3")
SKEW: Final = timedelta(seconds=60)
LOGIN_TERM: Final = timedelta(minutes=10)
MAX_CLAIM: Final = 200
MAX_TOKEN: Final = 100_000
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
    end_session_endpoint: str = ""
    """Empty where the provider has none."""

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
        end = document.get("end_session_endpoint")
        is_ours = isinstance(end, str) and _origin(end) == home
        return cls(
            issuer=issuer,
            **{name: str(url) for name, url in found.items()},
            end_session_endpoint=str(end) if is_ours else "",
        )

    def logout(self, id_token: str, *, to: str, state: str) -> str:
        """Where the browser ends the login at the provider, to come back to `to`; empty where the
        provider has no such address. Source: OpenID Connect RP-Initiated Logout 1.0 §2."""
        if not self.end_session_endpoint:
            return ""
        query = {"id_token_hint": id_token, "post_logout_redirect_uri": to, "state": state}
        return f"{self.end_session_endpoint}?{urlencode(query)}"


@dataclass(frozen=True, slots=True)
class Begun:
    """A login under way; kept with the session that began it, never in a URL."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    level: str
    at: datetime
    also: tuple[Entitlement, ...] = ()
    """What else the person wishes to be read."""

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
    logout: str = field(default="", repr=False)
    """Where to send the browser next, so that the provider forgets this login; empty: nowhere."""
    told: Mapping[str, Scalar] = field(default_factory=dict)
    """Rights read beside it, by attribute name."""
    told_by: str = ""
    """Host of the service that told them."""
    untold: tuple[tuple[Entitlement, str], ...] = ()
    """Rights that were asked for and not told, each with the code of the reason."""


def begin(
    provider: Provider,
    *,
    client_id: str,
    redirect_uri: str,
    level: str,
    at: datetime,
    also: tuple[Entitlement, ...] = (),
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
        also=also,
    )
    scopes = (scope for right in also for scope in ENTITLEMENTS[right].scopes)
    digest = hashlib.sha256(begun.verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(("openid", "identite_pivot", *scopes)),
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


def verify_login(
    provider: Provider,
    begun: Begun,
    *,
    id_token: str,
    userinfo: str,
    keys: Mapping[str, VerificationKey],
    client_id: str,
    at: datetime,
    decryption: DecryptionKey | None = None,
) -> Identity:
    """Steps 3 and 4.

    Raises UserinfoInvalidError, LoginRefusedError (too weak a level).
    """
    id_token, userinfo = (_opened(token, decryption) for token in (id_token, userinfo))
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


def _opened(token: str, decryption: DecryptionKey | None) -> str:
    """The signed token inside an encrypted one; a token that is not encrypted stays as it is."""
    if token.count(".") != 4:
        return token
    if decryption is None:
        raise UserinfoInvalidError("encrypted")
    try:
        return decryption.decrypt(token, max_chars=MAX_TOKEN).decode("ascii", "replace")
    except (JweError, JweMalformedError) as error:
        raise UserinfoInvalidError("encryption") from error


def _verified(
    token: str,
    provider: Provider,
    keys: Mapping[str, VerificationKey],
    *,
    client_id: str,
    at: datetime,
) -> Mapping[str, Any]:
    def key_of(header: Mapping[str, Any]) -> VerificationKey:
        key = keys.get(str(header.get("kid", "")))
        if key is None:
            raise UserinfoInvalidError("key")
        return key

    try:
        claims = verify_jws(token, key_of, typ="JWT", typ_required=False).claims
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
    """Step 5: one relayed attribute a claim, and one for each right that was told beside it."""
    host = urlsplit(identity.issuer).hostname or identity.issuer
    said: dict[str, tuple[Scalar, str]] = {
        **{CLAIMS[claim]: (value, host) for claim, value in identity.claims.items()},
        **{name: (value, identity.told_by) for name, value in identity.told.items()},
    }
    return tuple(
        identified(
            DocumentObservation(
                id=UNNAMED,
                source=SOURCE,
                account=account,
                written_at=identity.certified_at,
                record=Attribute(
                    id=_name(identity, name),
                    name=name,
                    value=value,
                    source=source,
                    certified_at=identity.certified_at,
                    degree=Degree.RELAYED,
                    level=identity.level,
                ),
            )
        )
        for name, (value, source) in sorted(said.items())
    )


def _name(identity: Identity, name: str) -> Iri:
    """The same attribute at the next login: one per provider, person and name."""
    text = "\n".join((identity.issuer, identity.subject, name.removeprefix("identity.")))
    return Iri(f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


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
    "verify_login",
]
