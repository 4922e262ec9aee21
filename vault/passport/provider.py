"""The passport of one home: what a service meets at its addresses.

A service sends the browser (`read_request`); the citizen reads who asks for what, the vault open,
and agrees (`agreeing`); the service exchanges the code (`token`) and reads the claims (`userinfo`).
Source: OpenID Connect Core 1.0 and Discovery 1.0, RFC 6749, 7636, 7591, 8414, 9207, 9449.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from authlib.oauth2 import OAuth2Error

from federation.dpop import DpopError, verify_dpop
from federation.jose import sign_jws
from federation.keys import Signer
from federation.multibase import b64url
from federation.sealing import entropy
from schemas.ids import Did
from vault.passport.asked import Asked, answer_address
from vault.passport.cms import CMS
from vault.passport.errors import (
    AccessRefusedError,
    AuthorizationDetailsError,
    PassportRequestError,
    ScopeUnknownError,
)
from vault.passport.extensions import extension_scopes
from vault.passport.granting import GrantingRows
from vault.passport.identity import IDENTITE
from vault.passport.keys import PassportKeys
from vault.passport.profiles import DETAIL, PROFILE_SCOPES, read_details
from vault.passport.protocol import Reply, Server, read_parameters
from vault.passport.reading import read_snapshot
from vault.passport.scopes import ScopeBook
from vault.passport.services import PRIVATE_KEY_JWT, PUBLIC, Service, ServiceBook
from vault.passport.travellers import TRAVELLERS

if TYPE_CHECKING:
    from vault.home import Home

__all__ = ["AUTHORIZE", "LEAVE", "Passport"]

AUTHORIZE: Final = "/passeport"
"""Page where a service sends the browser."""
LEAVE: Final = f"{AUTHORIZE}/fin"
"""Page where a service sends the browser of somebody who signed out there."""
BASE: Final = "/v1/passport"
_MAX_AGE_S: Final = 10 * 366 * 86_400


class Passport:
    """The OpenID provider of a home."""

    def __init__(self, home: "Home") -> None:
        self.home = home
        self.scopes = ScopeBook([IDENTITE, *CMS, TRAVELLERS, *PROFILE_SCOPES, *extension_scopes()])
        self.services = ServiceBook(home, self.scopes)
        self.keys = PassportKeys(home)

    @property
    def issuer(self) -> str:
        """Name of the provider: the home's own origin."""
        return self.home.origin

    def signer(self) -> Signer:
        """Signs ID tokens and claims: ES256, a key of its own, not the home's."""
        return self.keys.signer()

    def sign(self, claims: Mapping[str, Any], *, typ: str = "JWT") -> str:
        """A signed token of the passport."""
        signer = self.signer()
        return sign_jws(claims, signer, typ=typ, kid=signer.verification_method.partition("#")[2])

    def jwks(self) -> dict[str, Any]:
        """The keys that verify what the passport signs."""
        return {
            "keys": [
                {**key.jwk(), "use": "sig", "alg": "ES256", "kid": kid}
                for kid, key in self.keys.published().items()
            ]
        }

    def metadata(self) -> dict[str, Any]:
        """The discovery document (OpenID Connect Discovery 1.0 §3, RFC 8414)."""
        at = self.issuer + BASE
        return {
            "issuer": self.issuer,
            "authorization_endpoint": self.issuer + AUTHORIZE,
            "token_endpoint": f"{at}/token",
            "userinfo_endpoint": f"{at}/userinfo",
            "jwks_uri": f"{at}/keys",
            "revocation_endpoint": f"{at}/revocation",
            "registration_endpoint": f"{at}/clients",
            "end_session_endpoint": self.issuer + LEAVE,
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": False,
            "scopes_supported": self.scopes.names,
            "claims_supported": ["sub", *self.scopes.claims],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "userinfo_signing_alg_values_supported": ["ES256"],
            "userinfo_encryption_alg_values_supported": ["ECDH-ES"],
            "userinfo_encryption_enc_values_supported": ["A256GCM"],
            "token_endpoint_auth_methods_supported": [PRIVATE_KEY_JWT, PUBLIC],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256", "ES384", "EdDSA"],
            "revocation_endpoint_auth_methods_supported": [PRIVATE_KEY_JWT, PUBLIC],
            "revocation_endpoint_auth_signing_alg_values_supported": ["ES256", "ES384", "EdDSA"],
            "dpop_signing_alg_values_supported": ["ES256", "ES384", "EdDSA"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "authorization_details_types_supported": [DETAIL],
            "claims_parameter_supported": False,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
            "ui_locales_supported": ["fr", "en"],
            "prompt_values_supported": ["none", "login", "consent"],
        }

    @cached_property
    def granting(self) -> GrantingRows:
        """Codes and tokens over the home's rows."""
        audiences = (self.issuer, f"{self.issuer}{BASE}/token")
        return GrantingRows(self.home, self.services, self.sign, audiences)

    @cached_property
    def server(self) -> Server:
        """The rules."""
        return Server(self.granting, f"{self.issuer}{BASE}/token")

    def subject(self, vault_id: str, service: Service) -> str:
        """The pseudonym of a vault's owner for one sector, and for no other (OpenID Connect Core
        §8.1): 16 bytes of HMAC under the home's key, base64url."""
        return b64url(self.home.seal.tag(vault_id, service.sector, purpose="passport/subject"))

    def connection_id(self, vault_id: str, service: Service) -> bytes:
        """Name of the row of a connected service."""
        return self.home.seal.tag(vault_id, service.id, purpose="passport/connection")

    def accredited_by(self, service: Service) -> tuple[str, Did | None]:
        """Name of the service as whoever vouches for it writes it, and who that is; None: the
        operator of this home."""
        if service.member is None:
            return service.name, None
        trust = self.home.trust
        entry = None if trust is None else trust.entry(service.member)
        if entry is None:
            return service.name, None
        return entry.name, entry.accredited_by

    # --- in the browser -----------------------------------------------------------------------

    def read_request(self, pairs: Sequence[tuple[str, str]]) -> Asked:
        """An authorisation request, checked.

        Steps: (1) its form; (2) Authlib's rules: a service that may ask now, its exact address,
        `code`, scopes it may ask for, PKCE with S256; (3) what is not spoken here is refused by
        name, and what it fills in for a service profile is read (RFC 9396); (4) how fresh the
        opening of the vault must be.

        Raises:
            PassportRequestError.
        """
        try:
            given = read_parameters(pairs)  # 1
            service, redirect_uri, scope = self.server.check_request(given)  # 2
        except OAuth2Error as error:
            raise self._refusal(error, pairs) from None
        asked = dict(given)

        def refuse(error: str, reason: str) -> PassportRequestError:
            state = asked.get("state", "")
            there = answer_address(redirect_uri, self.issuer, error=error, state=state)
            return PassportRequestError(error, reason, redirect=there)

        for name, refused in _NOT_SPOKEN.items():  # 3
            if name in asked:
                raise refuse(refused, f"{name} is not supported")
        if asked.get("response_mode", "query") != "query":
            raise refuse("invalid_request", "only response_mode query")
        try:
            scopes = self.scopes.read(scope)
        except ScopeUnknownError:
            raise refuse("invalid_scope", "a scope that is not known here") from None
        try:
            details = read_details(
                asked.get("authorization_details"), [found.name for found in scopes]
            )
        except AuthorizationDetailsError as error:
            raise refuse("invalid_authorization_details", str(error)) from None
        prompts = asked.get("prompt", "").split()  # 4
        if "none" in prompts:
            # Nothing leaves without a fresh agreement, so nothing can be answered unseen.
            wrong = len(prompts) > 1
            raise refuse("invalid_request" if wrong else "interaction_required", "prompt=none")
        max_age = asked.get("max_age")
        if max_age is not None and not (max_age.isascii() and max_age.isdecimal()):
            raise refuse("invalid_request", "max_age is a number of seconds")
        return Asked(
            id=b64url(entropy.token(12)),
            service=service.id,
            redirect_uri=redirect_uri,
            scopes=tuple(found.name for found in scopes),
            state=asked.get("state", ""),
            nonce=asked.get("nonce", ""),
            challenge=asked["code_challenge"],
            at=self.home.clock(),
            fresh_login="login" in prompts,
            details=details,
            max_age_s=None if max_age is None else min(int(max_age[:12]), _MAX_AGE_S),
        )

    def _refusal(
        self, error: OAuth2Error, pairs: Sequence[tuple[str, str]]
    ) -> PassportRequestError:
        there = None
        if error.redirect_uri:
            state = next((value for name, value in pairs if name == "state"), "")
            there = answer_address(
                error.redirect_uri, self.issuer, error=str(error.error), state=state
            )
        return PassportRequestError(
            str(error.error), str(error.get_error_description() or ""), redirect=there
        )

    # --- machine to machine -------------------------------------------------------------------

    def token(self, pairs: Sequence[tuple[str, str]], *, dpop: Sequence[str]) -> Reply:
        """The token endpoint: a code or a refresh token for tokens. `dpop`: the header fields of
        that name."""
        try:
            given = read_parameters(pairs)
        except OAuth2Error as error:
            return Reply(400, dict(error.get_body()))
        thumbprint = None
        if dpop:
            try:
                thumbprint = self._proof(dpop, "POST", "token", None)
            except DpopError:
                return Reply(400, {"error": "invalid_dpop_proof"})
        return self.server.answer_token(given, thumbprint)

    def _proof(
        self, dpop: Sequence[str], method: str, endpoint: str, access_token: str | None
    ) -> str:
        if len(dpop) != 1:
            raise DpopError("one proof, once")
        return verify_dpop(
            dpop[0],
            method=method,
            url=f"{self.issuer}{BASE}/{endpoint}",
            at=self.home.clock(),
            is_fresh=self.home.is_fresh,
            access_token=access_token,
        ).thumbprint

    def userinfo(
        self, authorization: str, *, dpop: Sequence[str], method: str
    ) -> tuple[str, bytes]:
        """The claims that were agreed to: media type and bytes.

        Steps: (1) the token is one of ours and not over; (2) its service may still ask; (3) a bound
        token comes with a proof of its key; (4) the claims as they were sealed.

        Raises:
            AccessRefusedError.
        """
        scheme, _, secret = authorization.partition(" ")
        secret = secret.strip()
        access = self.granting.find_access(secret) if secret else None  # 1
        if access is None or scheme.lower() not in ("bearer", "dpop"):
            raise AccessRefusedError("invalid_token", "no token of this home, or over")
        service = self.granting.service(access.service)  # 2
        if service is None:
            raise AccessRefusedError("invalid_token", "its service may not ask any more")
        if access.thumbprint is not None:  # 3
            if scheme.lower() != "dpop" or not dpop:
                raise AccessRefusedError("invalid_token", "this token is bound to a key")
            try:
                found = self._proof(dpop, method, "userinfo", secret)
            except DpopError as error:
                raise AccessRefusedError("invalid_dpop_proof", str(error)) from None
            if found != access.thumbprint:
                raise AccessRefusedError("invalid_token", "this token is bound to another key")
        elif scheme.lower() != "bearer":
            raise AccessRefusedError("invalid_token", "this token is not bound to a key")
        return read_snapshot(self, access, service, secret)  # 4

    def revoke(self, pairs: Sequence[tuple[str, str]]) -> Reply:
        """The revocation endpoint (RFC 7009)."""
        try:
            given = read_parameters(pairs)
            service = self.server.authenticate(given)
        except OAuth2Error as error:
            return Reply(error.status_code or 400, dict(error.get_body()))
        token = dict(given).get("token")
        if not token:
            return Reply(400, {"error": "invalid_request"})
        self.granting.revoke(token, service)
        return Reply(200, {})


_NOT_SPOKEN: Final[Mapping[str, str]] = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}
