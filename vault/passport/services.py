"""Services that may ask: each described once, by the home's operator or, for a member of the trust
registry, by itself.

The description is that of dynamic client registration (RFC 7591, OpenID Connect Registration 1.0)
with one member of ours, `purpose`: why the service asks, in the words that the citizen reads. There
are no shared secrets: a service proves itself with a key of its `jwks` (`private_key_jwt`), or is a
public one (`none`) whose tokens are bound to a key by DPoP. All its redirect addresses lie on one
origin, which is the sector of its pairwise subjects (OpenID Connect Core §8.1).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from federation.keys import P256, MultikeyError, PublicKey, key_of_jwk
from federation.profiles.tariff import MAX_TARIFF
from schemas.ids import Did
from vault.passport.errors import (
    ServiceInvalidError,
    ServiceNotAccreditedError,
    ServiceUnknownError,
)
from vault.passport.scopes import OPENID
from vault.store.passport import PassportTable

if TYPE_CHECKING:
    from vault.home import Home
    from vault.passport.scopes import ScopeBook

__all__ = ["Service", "ServiceBook", "read_service"]

MAX_ADDRESS: Final = 1_000
MAX_KEYS: Final = 10
MAX_ADDRESSES: Final = 10
MAX_NAME: Final = 100
MAX_RULES: Final = 5
MAX_PURPOSE: Final = 300
PRIVATE_KEY_JWT: Final = "private_key_jwt"
PUBLIC: Final = "none"


@dataclass(frozen=True, slots=True)
class Service:
    """One registered service."""

    id: str
    name: str
    purpose: str
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    """What it may ask for at most."""
    auth: str
    """`private_key_jwt`, or `none`: a public service, which keeps no access."""
    jwks: Mapping[str, Any] = field(repr=False)
    logout_uris: tuple[str, ...] = ()
    backchannel_uri: str | None = None
    policy_uri: str | None = None
    initiate_uri: str | None = None
    """Where somebody goes who wants to open an account there (OpenID Connect Core §4)."""
    signs_userinfo: bool = False
    """It wants the userinfo answer as a signed JWT."""
    bearer: bool = False
    """It may show tokens without proof of a key (no DPoP): weaker, the operator's choice."""
    tariff_rules: tuple[str, ...] = field(default=(), repr=False)
    """Signed tariff rules that it may ask a vault to compute (`federation.profiles.tariff`)."""
    member: Did | None = None
    """The member of the trust registry it is; None: the operator of this home answers for it."""

    @property
    def sector(self) -> str:
        """Host that all its addresses share."""
        return urlsplit(self.redirect_uris[0]).hostname or ""

    @property
    def party(self) -> Did:
        """How consents name it: the member, else the `did:web` of its host."""
        return self.member or Did(f"did:web:{self.sector}")

    def keys(self) -> dict[str, PublicKey]:
        """Its signing keys by `kid`."""
        return {
            str(jwk.get("kid", "")): key_of_jwk(jwk)
            for jwk in self.jwks.get("keys", ())
            if jwk.get("use", "sig") == "sig"
        }

    @property
    def encryption_key(self) -> Mapping[str, Any] | None:
        """The key that claims are sealed to; None: it keeps no access while a vault is closed."""
        for jwk in self.jwks.get("keys", ()):
            if jwk.get("use") == "enc":
                found: Mapping[str, Any] = jwk
                return found
        return None

    def metadata(self) -> dict[str, Any]:
        """Its description, as registered."""
        return {
            "client_id": self.id,
            "client_name": self.name,
            "purpose": self.purpose,
            "redirect_uris": list(self.redirect_uris),
            "post_logout_redirect_uris": list(self.logout_uris),
            "scope": " ".join(self.scopes),
            "response_types": ["code"],
            "grant_types": ["authorization_code", "refresh_token"],
            "subject_type": "pairwise",
            "token_endpoint_auth_method": self.auth,
            "id_token_signed_response_alg": "ES256",
            "dpop_bound_access_tokens": not self.bearer,
            "jwks": dict(self.jwks),
            **({"userinfo_signed_response_alg": "ES256"} if self.signs_userinfo else {}),
            **(
                {
                    "userinfo_encrypted_response_alg": "ECDH-ES",
                    "userinfo_encrypted_response_enc": "A256GCM",
                }
                if self.encryption_key is not None
                else {}
            ),
            **({"backchannel_logout_uri": self.backchannel_uri} if self.backchannel_uri else {}),
            **({"initiate_login_uri": self.initiate_uri} if self.initiate_uri else {}),
            **({"policy_uri": self.policy_uri} if self.policy_uri else {}),
            **({"tariff_rules": list(self.tariff_rules)} if self.tariff_rules else {}),
            **({"member": self.member} if self.member else {}),
        }


def read_service(
    metadata: object,
    *,
    id_: str,
    member: Did | None,
    known_scopes: Sequence[str],
    allow_loopback: bool,
) -> Service:
    """A service from its description. Members not named here are ignored, as RFC 7591 §2 asks.

    Steps: (1) its words; (2) its addresses: https (or this machine, where allowed), one origin, no
    fragment; (3) how it proves itself: keys on P-256, P-384 or Ed25519, none of them private; (4)
    what it wants signed or encrypted is what we do; (5) scopes known here, `openid` among them.

    Raises:
        ServiceInvalidError: `where` names the member.
    """
    if not isinstance(metadata, Mapping):
        raise ServiceInvalidError("client_metadata", "not a JSON object")
    name = _text(metadata, "client_name", MAX_NAME)  # 1
    purpose = _text(metadata, "purpose", MAX_PURPOSE)
    redirects = _addresses(metadata, "redirect_uris", allow_loopback)  # 2
    if not redirects:
        raise ServiceInvalidError("redirect_uris", "at least one address")
    logouts = _addresses(metadata, "post_logout_redirect_uris", allow_loopback)
    single = {
        key: _addresses({key: [metadata[key]]}, key, allow_loopback)[0]
        for key in ("backchannel_logout_uri", "initiate_login_uri", "policy_uri")
        if metadata.get(key) is not None
    }
    own = [*redirects, *logouts, *(v for k, v in single.items() if k != "policy_uri")]
    if len({urlsplit(address)[:2] for address in own}) != 1:
        raise ServiceInvalidError("redirect_uris", "all addresses are on one origin")
    auth = metadata.get("token_endpoint_auth_method", PRIVATE_KEY_JWT)  # 3
    if auth not in (PRIVATE_KEY_JWT, PUBLIC):
        raise ServiceInvalidError("token_endpoint_auth_method", "private_key_jwt or none")
    jwks = _jwks(metadata.get("jwks", {"keys": []}))
    uses = [jwk.get("use", "sig") for jwk in jwks["keys"]]
    if auth == PRIVATE_KEY_JWT and "sig" not in uses:
        raise ServiceInvalidError("jwks", "private_key_jwt needs a signing key")
    bearer = metadata.get("dpop_bound_access_tokens") is False
    if auth == PUBLIC and bearer:
        raise ServiceInvalidError("dpop_bound_access_tokens", "a public service binds its tokens")
    for member_name, allowed in _ALGORITHMS.items():  # 4
        if metadata.get(member_name, allowed[0]) not in allowed:
            raise ServiceInvalidError(member_name, " or ".join(map(str, allowed)))
    if metadata.get("userinfo_encrypted_response_alg") and "enc" not in uses:
        raise ServiceInvalidError("jwks", "encryption needs a key with use enc")
    asked = metadata.get("scope", " ".join(known_scopes))  # 5
    if not isinstance(asked, str):
        raise ServiceInvalidError("scope", "not a text")
    scopes = tuple(dict.fromkeys(asked.split()))
    if OPENID not in scopes or not set(scopes) <= set(known_scopes):
        raise ServiceInvalidError("scope", "openid and scopes of this home")
    return Service(
        id=id_,
        name=name,
        purpose=purpose,
        redirect_uris=redirects,
        scopes=scopes,
        auth=str(auth),
        jwks=jwks,
        logout_uris=logouts,
        backchannel_uri=single.get("backchannel_logout_uri"),
        policy_uri=single.get("policy_uri"),
        initiate_uri=single.get("initiate_login_uri"),
        signs_userinfo=metadata.get("userinfo_signed_response_alg") == "ES256",
        bearer=bearer,
        tariff_rules=_rules(metadata.get("tariff_rules", [])),
        member=member,
    )


_ALGORITHMS: Final[Mapping[str, tuple[Any, ...]]] = {
    "id_token_signed_response_alg": ("ES256",),
    "userinfo_signed_response_alg": (None, "ES256"),
    "userinfo_encrypted_response_alg": (None, "ECDH-ES"),
    "userinfo_encrypted_response_enc": ("A256GCM",),
    "id_token_encrypted_response_alg": (None,),
    "subject_type": ("pairwise",),
}


def _text(metadata: Mapping[str, Any], name: str, limit: int) -> str:
    value = metadata.get(name)
    if not isinstance(value, str) or not 0 < len(value.strip()) <= limit or not value.isprintable():
        raise ServiceInvalidError(name, f"a text of 1 to {limit} characters")
    return value.strip()


def _rules(given: object) -> tuple[str, ...]:
    """Signed rules, as text: who signed them is judged when one is computed."""
    if (
        not isinstance(given, list)
        or len(given) > MAX_RULES
        or not all(isinstance(rule, str) and 0 < len(rule) <= MAX_TARIFF for rule in given)
    ):
        raise ServiceInvalidError("tariff_rules", f"at most {MAX_RULES} signed rules")
    return tuple(given)


def _addresses(metadata: Mapping[str, Any], name: str, allow_loopback: bool) -> tuple[str, ...]:
    found = metadata.get(name, [])
    if not isinstance(found, list) or len(found) > MAX_ADDRESSES:
        raise ServiceInvalidError(name, f"a list of at most {MAX_ADDRESSES} addresses")
    for address in found:
        if not isinstance(address, str) or not _is_address(address, allow_loopback):
            raise ServiceInvalidError(name, "https addresses without fragment or user name")
    return tuple(dict.fromkeys(found))


def _is_address(address: str, allow_loopback: bool) -> bool:
    if len(address) > MAX_ADDRESS or not address.isascii() or any(c <= " " for c in address):
        return False
    try:
        parts = urlsplit(address)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or "#" in address or "\\" in address:
        return False
    return parts.scheme == "https" or (
        allow_loopback and parts.scheme == "http" and host in ("localhost", "127.0.0.1")
    )


def _jwks(given: object) -> dict[str, Any]:
    keys = given.get("keys") if isinstance(given, Mapping) else None
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise ServiceInvalidError("jwks", f"a JWK set of at most {MAX_KEYS} keys")
    for jwk in keys:
        try:
            public = key_of_jwk(jwk)
        except MultikeyError:
            raise ServiceInvalidError("jwks", "public keys on P-256, P-384 or Ed25519") from None
        if jwk.get("use") == "enc" and public.algorithm != P256:
            raise ServiceInvalidError("jwks", "an encryption key on P-256")
        if jwk.get("use", "sig") not in ("sig", "enc") or not isinstance(jwk.get("kid", ""), str):
            raise ServiceInvalidError("jwks", "use is sig or enc, kid a text")
    names = [(jwk.get("use", "sig"), jwk.get("kid", "")) for jwk in keys]
    if len(set(names)) != len(names):
        raise ServiceInvalidError("jwks", "each key has its own kid")
    return {"keys": [dict(jwk) for jwk in keys]}


class ServiceBook:
    """The services one home knows."""

    def __init__(self, home: "Home", scopes: "ScopeBook") -> None:
        self._home, self._scopes = home, scopes

    def register(self, metadata: object, *, id_: str, member: Did | None = None) -> Service:
        """Describe a service, or describe it anew: what was agreed to stays agreed.

        Raises:
            ServiceInvalidError.
        """
        service = read_service(
            metadata,
            id_=id_,
            member=member,
            known_scopes=self._scopes.names,
            allow_loopback=self._home.settings.allow_loopback,
        )
        body = json.dumps(service.metadata(), ensure_ascii=False).encode()
        with self._home.store.transact() as tx:
            PassportTable(tx.session).put_service(service.id, body, at=self._home.clock())
        return service

    def get(self, id_: str, *, at: datetime) -> Service:
        """A service that may ask now.

        Raises:
            ServiceUnknownError. ServiceNotAccreditedError: no member of the registry any more.
        """
        service = self.find(id_)
        if service is None:
            raise ServiceUnknownError
        if service.member is not None:
            trust = self._home.trust
            entry = None if trust is None else trust.entry(service.member)
            if entry is None or not entry.is_active(at):
                raise ServiceNotAccreditedError
        return service

    def find(self, id_: str) -> Service | None:
        """A service, whether it may still ask or not."""
        if not 0 < len(id_) <= 500:
            return None
        with self._home.store.read() as reader:
            body = PassportTable(reader.session).service(id_)
        return None if body is None else self._read(id_, body)

    def all(self) -> list[Service]:
        """Every service, by its id."""
        with self._home.store.read() as reader:
            found = PassportTable(reader.session).services()
        return [self._read(id_, body) for id_, body in found]

    def remove(self, id_: str) -> None:
        """Forget a service: it can ask no more, and its tokens open nothing.

        Raises:
            ServiceUnknownError.
        """
        with self._home.store.transact() as tx:
            if not PassportTable(tx.session).delete_service(id_):
                raise ServiceUnknownError

    def _read(self, id_: str, body: bytes) -> Service:
        metadata = json.loads(body)
        member = metadata.get("member")
        return read_service(
            metadata,
            id_=id_,
            member=None if member is None else Did(member),
            known_scopes=metadata["scope"].split(),
            allow_loopback=True,  # checked when it was registered
        )
