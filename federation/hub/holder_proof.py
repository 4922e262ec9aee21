"""How a holder asks for the state of their own application: a short JWT under the holder key.

The key is the one that signed the presentation; the hub knows no account. `sub` is the application,
`aud` the funder, `jti` is used once, the token lives five minutes.

Beside it the *watch proof*: the same signature, for weeks and any number of uses, of another `typ`,
worth one number only: how many steps the application has. An open vault leaves it with its home, so
that the home can tell that there is news, not which, while the vault is locked.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from federation.hub.errors import HolderProofError
from federation.jose import sign_jws, verify_jws
from federation.keys import PublicKey, Signer, key_of_did_key
from schemas.errors import MobilityError
from schemas.ids import Did, Iri

__all__ = [
    "WATCH_LIFE",
    "HolderProof",
    "read_holder_proof",
    "read_watch_proof",
    "sign_status_proof",
    "sign_watch_proof",
]

TYP: Final = "mobility-holder-proof+jwt"
WATCH_TYP: Final = "mobility-watch-proof+jwt"
LIFETIME: Final = timedelta(minutes=5)
WATCH_LIFE: Final = timedelta(days=60)
"""The usual time limit of a decision, two months (CRPA L. 231-1); each opening makes another."""
_LEEWAY: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class HolderProof:
    """A verified holder proof."""

    holder: Did
    application: str
    audience: str
    jti: str
    expires_at: datetime


def sign_status_proof(application: Iri, *, holder: Signer, audience: Did, at: datetime) -> str:
    """The `proof_jwt` of `Hub.application` and `Hub.withdraw`.

    `holder` is the key that presented; `audience` the hub's DID.
    """
    return _sign(application, holder, audience, at, LIFETIME, TYP)


def sign_watch_proof(application: Iri, *, holder: Signer, audience: Did, at: datetime) -> str:
    """The `watch_jwt` of `Hub.steps`."""
    return _sign(application, holder, audience, at, WATCH_LIFE, WATCH_TYP)


def _sign(  # noqa: PLR0917  # the claims of one token
    application: Iri, holder: Signer, audience: Did, at: datetime, life: timedelta, typ: str
) -> str:
    did = holder.verification_method.partition("#")[0]
    return sign_jws(
        {
            "iss": did,
            "aud": audience,
            "sub": application,
            "iat": int(at.timestamp()),
            "exp": int((at + life).timestamp()),
            "jti": secrets.token_urlsafe(24),
        },
        holder,
        typ=typ,
    )


def read_holder_proof(token: str, *, audience: Did, at: datetime) -> HolderProof:
    """Verify a holder proof.

    Steps: (1) signature, by the `did:key` its header names; (2) that key is the issuer; (3) made
    for this hub; (4) dates. Left to the caller: that the holder is the application's, and that
    `jti` was not used.

    Raises:
        HolderProofError: the step that failed.
    """
    return _read(token, audience, at, LIFETIME, TYP)


def read_watch_proof(token: str, *, audience: Did, at: datetime) -> HolderProof:
    """Verify a watch proof, by the same steps. It may be used again: `jti` is nobody's business.

    Raises:
        HolderProofError: the step that failed.
    """
    return _read(token, audience, at, WATCH_LIFE, WATCH_TYP)


def _read(token: str, audience: Did, at: datetime, life: timedelta, typ: str) -> HolderProof:
    def key_of(header: Mapping[str, Any]) -> PublicKey:
        kid = header.get("kid")
        if not isinstance(kid, str) or not kid.startswith("did:key:"):
            raise HolderProofError("key")
        return key_of_did_key(kid)

    try:
        signed = verify_jws(token, key_of, typ=typ, max_chars=8_000)  # (1)
    except HolderProofError:
        raise
    except MobilityError as error:
        raise HolderProofError("signature") from error
    claims = signed.claims
    holder = str(signed.header["kid"]).partition("#")[0]
    if claims.get("iss") != holder:  # (2)
        raise HolderProofError("issuer")
    if claims.get("aud") != audience:  # (3)
        raise HolderProofError("audience")
    issued, expires = claims.get("iat"), claims.get("exp")
    jti, subject = claims.get("jti"), claims.get("sub")
    if type(issued) is not int or type(expires) is not int:  # (4)
        raise HolderProofError("dates")
    now = at.timestamp()
    if not 0 < expires - issued <= life.total_seconds():
        raise HolderProofError("dates")
    if issued > now + _LEEWAY.total_seconds() or now >= expires:
        raise HolderProofError("dates")
    if not isinstance(jti, str) or not 16 <= len(jti) <= 128 or not isinstance(subject, str):
        raise HolderProofError("claims")
    return HolderProof(
        Did(holder), subject, str(audience), jti, datetime.fromtimestamp(expires, UTC)
    )
