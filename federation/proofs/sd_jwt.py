"""SD-JWT: a signed JWT whose claims the holder discloses one by one, bound to the holder's key.

Text form: `<issuer JWT>~<disclosure>~…~<disclosure>~` and, when presented, a key binding JWT after
the last `~`. A disclosure is base64url of `[salt, name, value]`, or `[salt, value]` for an element
of a list; the JWT holds their SHA-256 digests. Pure: keys, clock and randomness are arguments.
Source: RFC 9901 §4 (format), §5 (issuance), §6 (presentation), §7 (verification).

    MobilityError
    ├── SdJwtMalformedError (InvalidInput)   `sd-jwt-malformed`: not an SD-JWT
    └── SdJwtError (Refused)                 `sd-jwt-invalid`: well formed and not acceptable
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar, Final

import rfc8785

from federation.jose import JwsError, JwsMalformedError, sign_jws, verify_jws
from federation.keys import MultikeyError, PublicKey, Signer, key_of_jwk
from federation.multibase import EncodingError, b64url, b64url_decode
from schemas.errors import InvalidInput, JsonRefusedError, MobilityError, Refused
from schemas.jsonld import parse_json

__all__ = [
    "Disclosure",
    "KeyBinding",
    "SdJwt",
    "SdJwtError",
    "SdJwtMalformedError",
    "VerifiedSdJwt",
    "held_claims",
    "issue_sd_jwt",
    "present_sd_jwt",
    "verify_sd_jwt",
]

KB_TYP: Final = "kb+jwt"
MAX_CHARS: Final = 200_000
"""Longest SD-JWT read: a credential of ours has some 2 000 characters."""
MAX_DISCLOSURES: Final = 512
MAX_DEPTH: Final = 16
KEY_BINDING_AGE: Final = timedelta(minutes=10)
"""A key binding is made for one question, on the spot."""
_LEEWAY: Final = timedelta(seconds=60)
_RESERVED: Final = ("_sd", "...")
_NESTED: Final = (dict, list)

Path = tuple[str | int, ...]
"""Member names and list indexes from the root of the claims."""


class SdJwtMalformedError(MobilityError, InvalidInput):
    """The text is not an SD-JWT: parts, disclosures or claims are not what RFC 9901 says."""

    code: ClassVar[str] = "sd-jwt-malformed"


class SdJwtError(MobilityError, Refused):
    """The SD-JWT is well formed and not acceptable; `reason` is a stable word: `signature`,
    `foreign-disclosure`, `duplicate-digest`, `holder-mismatch`, `wrong-audience`,
    `challenge-mismatch`, `key-binding`."""

    code: ClassVar[str] = "sd-jwt-invalid"

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}")


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One claim, or one element of a list, that can be shown on its own."""

    text: str
    """As it travels and as it is hashed."""
    name: str | None
    """None: an element of a list."""
    value: Any

    @property
    def digest(self) -> str:
        """What the issuer's JWT holds: base64url of SHA-256 over the text."""
        return b64url(sha256(self.text.encode("ascii")).digest())

    @classmethod
    def make(cls, name: str | None, value: Any, salt: str) -> Disclosure:
        """A disclosure of `value`; `salt` has at least 128 bits."""
        content = [salt, value] if name is None else [salt, name, value]
        return cls(b64url(rfc8785.dumps(content)), name, value)

    @classmethod
    def parse(cls, text: str) -> Disclosure:
        """Read one.

        Raises:
            SdJwtMalformedError: not base64url of a JSON list of two or three, or a reserved name.
        """
        try:
            content = parse_json(b64url_decode(text), max_bytes=MAX_CHARS, max_depth=MAX_DEPTH)
        except (EncodingError, JsonRefusedError):
            raise SdJwtMalformedError("a disclosure is not base64url of JSON") from None
        if not isinstance(content, list) or len(content) not in (2, 3):
            raise SdJwtMalformedError("a disclosure is a list of two or three")
        if not isinstance(content[0], str):
            raise SdJwtMalformedError("a disclosure's salt is a text")
        if len(content) == 2:
            return cls(text, None, content[1])
        if not isinstance(content[1], str) or content[1] in _RESERVED:
            raise SdJwtMalformedError("a disclosure's name is a text, and not a reserved one")
        return cls(text, content[1], content[2])


@dataclass(frozen=True, slots=True)
class SdJwt:
    """An SD-JWT in its parts, nothing verified."""

    jwt: str
    disclosures: tuple[Disclosure, ...]
    key_binding: str | None

    @classmethod
    def parse(cls, text: str) -> SdJwt:
        """Read the parts.

        Raises:
            SdJwtMalformedError: too long, too many disclosures, no `~`, a disclosure that is none.
        """
        if len(text) > MAX_CHARS or not text.isascii():
            raise SdJwtMalformedError("too long, or not ASCII")
        if not 0 < text.count("~") <= MAX_DISCLOSURES + 1:
            raise SdJwtMalformedError("no disclosures, or too many")
        jwt, *disclosures, last = text.split("~")
        return cls(jwt, tuple(map(Disclosure.parse, disclosures)), last or None)

    def without_key_binding(self) -> str:
        """What the key binding's `sd_hash` is taken over."""
        return "~".join([self.jwt, *(found.text for found in self.disclosures), ""])

    def __str__(self) -> str:
        return self.without_key_binding() + (self.key_binding or "")


@dataclass(frozen=True, slots=True)
class KeyBinding:
    """What a verifier expects of the holder's proof of possession."""

    nonce: str
    audience: str
    at: datetime


@dataclass(frozen=True, slots=True)
class VerifiedSdJwt:
    """A verified SD-JWT: its claims with the disclosed ones in place."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    disclosed: tuple[Path, ...]
    """Where disclosed claims stand."""
    key: PublicKey
    holder: PublicKey | None
    """The key of `cnf`; its possession is proven where a `KeyBinding` was expected."""


# --- issuance ------------------------------------------------------------


def issue_sd_jwt(
    claims: Mapping[str, Any],
    *,
    signer: Signer,
    typ: str,
    conceal: Iterable[Path],
    holder: PublicKey | None = None,
    decoys: int = 0,
    header: Mapping[str, Any] | None = None,
    salt: Callable[[], str] = lambda: b64url(secrets.token_bytes(16)),
) -> str:
    """An SD-JWT of `claims` with every claim at a path of `conceal` made disclosable (deeper paths
    first, so a disclosable object may hold disclosable members).

    `holder` goes into `cnf`. `decoys`: digests of nothing beside the top-level ones, so that their
    number tells less.

    Raises:
        SdJwtMalformedError: a path that leads nowhere, or claims that use reserved names.
    """
    _refuse_reserved(claims, 0)
    body = _thaw(claims)
    deepest_first = sorted(set(conceal), key=lambda path: (-len(path), list(map(str, path))))
    found = [_conceal(body, path, salt()) for path in deepest_first]
    if holder is not None:
        body["cnf"] = {"jwk": holder.jwk()}
    if found or decoys:
        digests = body.setdefault("_sd", []) if decoys else body.get("_sd", [])
        digests.extend(b64url(sha256(secrets.token_bytes(32)).digest()) for _ in range(decoys))
        body["_sd_alg"] = "sha-256"
    _sort_digests(body)
    jwt = sign_jws(body, signer, typ=typ, header=header)
    return str(SdJwt(jwt, tuple(reversed(found)), None))


def _refuse_reserved(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise SdJwtMalformedError("nested too deep")
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name in _RESERVED or (depth == 0 and name in ("_sd_alg", "cnf")):
                raise SdJwtMalformedError("claims use a reserved name")
            _refuse_reserved(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _refuse_reserved(item, depth + 1)


def _thaw(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _thaw(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_thaw(item) for item in value]
    return value


def _conceal(body: dict[str, Any], path: Path, salt: str) -> Disclosure:
    if not path:
        raise SdJwtMalformedError("a path has a part")
    parent: Any = body
    try:
        for part in path[:-1]:
            parent = parent[part]
        last = path[-1]
        if isinstance(parent, list) and isinstance(last, int):
            found = Disclosure.make(None, parent[last], salt)
            parent[last] = {"...": found.digest}
        elif isinstance(parent, dict) and isinstance(last, str) and last not in _RESERVED:
            found = Disclosure.make(last, parent.pop(last), salt)
            parent.setdefault("_sd", []).append(found.digest)
        else:
            raise SdJwtMalformedError("a path leads nowhere")
    except (KeyError, IndexError, TypeError):
        raise SdJwtMalformedError("a path leads nowhere") from None
    return found


def _sort_digests(value: Any) -> None:
    """Digests in alphabetical order: theirs must not tell the order of the claims."""
    if isinstance(value, dict):
        if "_sd" in value:
            value["_sd"].sort()
        for item in value.values():
            _sort_digests(item)
    elif isinstance(value, list):
        for item in value:
            _sort_digests(item)


# --- presentation ------------------------------------------------------------


def present_sd_jwt(
    text: str,
    *,
    disclose: Callable[[Path, Any], bool] | Sequence[Path],
    holder: Signer | None = None,
    nonce: str = "",
    audience: str = "",
    at: datetime | None = None,
) -> str:
    """The SD-JWT with the chosen disclosures only (and those of what contains them), and a key
    binding by `holder` for this nonce and audience.

    `disclose` is a list of paths, or a predicate over path and value. Without `holder` nothing
    binds the presentation: for credentials without `cnf` only.

    Raises:
        SdJwtMalformedError: not an SD-JWT; a path that is not disclosable in it.
        SdJwtError: the holder's key is not the one of `cnf`.
    """
    parsed = SdJwt.parse(text)
    claims = _unverified_claims(parsed.jwt)
    opened = _open(claims, parsed.disclosures)
    if callable(disclose):
        chosen = [path for path, (_, value) in opened.by_path.items() if disclose(path, value)]
    else:
        chosen = list(disclose)
        if any(path not in opened.by_path for path in chosen):
            raise SdJwtMalformedError("a path is not disclosable here")
    kept = {path[:length] for path in chosen for length in range(1, len(path) + 1)}
    texts = {opened.by_path[path][0].text for path in kept if path in opened.by_path}
    shown = SdJwt(parsed.jwt, tuple(d for d in parsed.disclosures if d.text in texts), None)
    if holder is None:
        return str(shown)
    if at is None or not nonce or not audience:
        raise SdJwtMalformedError("a key binding has nonce, audience and date")
    if _holder_of(claims).multikey() != holder.public_multikey():
        raise SdJwtError("holder-mismatch", "the credential is bound to another key")
    binding = sign_jws(
        {
            "iat": int(at.timestamp()),
            "aud": audience,
            "nonce": nonce,
            "sd_hash": _hash(shown.without_key_binding()),
        },
        holder,
        typ=KB_TYP,
        kid="",
    )
    return str(shown) + binding


def held_claims(text: str) -> dict[str, Any]:
    """Claims of an SD-JWT one holds, every disclosure in place, nothing verified.

    Raises:
        SdJwtMalformedError, SdJwtError: as `verify_sd_jwt`, step 1, 3 and 4.
    """
    parsed = SdJwt.parse(text)
    return _open(_unverified_claims(parsed.jwt), parsed.disclosures).claims


def _unverified_claims(jwt: str) -> dict[str, Any]:
    parts = jwt.split(".")
    if len(parts) != 3:
        raise SdJwtMalformedError("not a compact JWS")
    try:
        claims = parse_json(b64url_decode(parts[1]), max_bytes=MAX_CHARS, max_depth=MAX_DEPTH)
    except (EncodingError, JsonRefusedError):
        raise SdJwtMalformedError("claims are not JSON") from None
    if not isinstance(claims, dict):
        raise SdJwtMalformedError("claims are an object")
    return claims


def _hash(text: str) -> str:
    return b64url(sha256(text.encode("ascii")).digest())


def _holder_of(claims: Mapping[str, Any]) -> PublicKey:
    cnf = claims.get("cnf")
    try:
        if not isinstance(cnf, Mapping) or set(cnf) != {"jwk"}:
            raise MultikeyError("cnf holds one jwk")
        return key_of_jwk(cnf["jwk"])
    except MultikeyError as error:
        raise SdJwtError("key-binding", f"no usable key in cnf: {error}") from None


# --- verification ------------------------------------------------------------


def verify_sd_jwt(
    text: str | SdJwt,
    key_of: Callable[[Mapping[str, Any]], PublicKey],
    *,
    typ: str,
    binding: KeyBinding | None,
) -> VerifiedSdJwt:
    """Verify an SD-JWT, and its key binding where one is expected.

    Steps (RFC 9901 §7.1, §7.3): (1) parts; (2) the issuer's JWT: type, the key's own algorithm,
    signature; (3) `_sd_alg` is SHA-256; (4) every digest is met once at most, every disclosure is
    met exactly once and in a place of its kind, no name appears twice; digests that nothing
    discloses vanish; (5) with `binding`: the key of `cnf` signed this audience and nonce, now, over
    exactly these disclosures; without: there is no key binding JWT. Left to the caller: who the
    issuer is, and every claim.

    Raises:
        SdJwtMalformedError, SdJwtError: as named there. Whatever `key_of` raises.
    """
    parsed = text if isinstance(text, SdJwt) else SdJwt.parse(text)  # (1)
    try:  # (2)
        signed = verify_jws(parsed.jwt, key_of, typ=typ, max_chars=MAX_CHARS)
    except JwsMalformedError as error:
        raise SdJwtMalformedError(str(error)) from None
    except JwsError as error:
        raise SdJwtError("signature", str(error)) from None
    opened = _open(signed.claims, parsed.disclosures)  # (3), (4)
    holder = _holder_of(signed.claims) if "cnf" in signed.claims else None
    if binding is not None:  # (5)
        if holder is None:
            raise SdJwtError("key-binding", "the credential is bound to no key")
        _check_binding(parsed, holder, binding)
    elif parsed.key_binding is not None:
        raise SdJwtError("key-binding", "a key binding nobody asked for")
    return VerifiedSdJwt(signed.header, opened.claims, tuple(opened.by_path), signed.key, holder)


def _check_binding(parsed: SdJwt, holder: PublicKey, expected: KeyBinding) -> None:
    if parsed.key_binding is None:
        raise SdJwtError("key-binding", "missing")
    try:
        bound = verify_jws(parsed.key_binding, lambda _: holder, typ=KB_TYP, max_chars=10_000)
    except JwsMalformedError as error:
        raise SdJwtMalformedError(f"key binding: {error}") from None
    except JwsError as error:
        raise SdJwtError("holder-mismatch", f"key binding: {error}") from None
    made = bound.claims.get("iat")
    if type(made) is not int:
        raise SdJwtError("key-binding", "it is not dated")
    age = expected.at.timestamp() - made
    if not -_LEEWAY.total_seconds() <= age <= KEY_BINDING_AGE.total_seconds():
        raise SdJwtError("key-binding", "it was not made now")
    if bound.claims.get("aud") != expected.audience:
        raise SdJwtError("wrong-audience", "made for another verifier")
    if bound.claims.get("nonce") != expected.nonce:
        raise SdJwtError("challenge-mismatch", "answers another question")
    if bound.claims.get("sd_hash") != _hash(parsed.without_key_binding()):
        raise SdJwtError("foreign-disclosure", "made over other disclosures")


@dataclass(slots=True)
class _Opened:
    claims: dict[str, Any]
    by_path: dict[Path, tuple[Disclosure, Any]]


def _open(claims: Mapping[str, Any], disclosures: Sequence[Disclosure]) -> _Opened:
    """Claims with their disclosures in place (RFC 9901 §7.1 step 3)."""
    if claims.get("_sd_alg", "sha-256") != "sha-256":
        raise SdJwtMalformedError("digests are SHA-256 here")
    waiting = {found.digest: found for found in disclosures}
    if len(waiting) != len(disclosures):
        raise SdJwtError("duplicate-digest", "a disclosure is there twice")
    opening = _Opening(waiting)
    opened = opening.object({k: v for k, v in claims.items() if k != "_sd_alg"}, ())
    if opening.waiting:
        raise SdJwtError("foreign-disclosure", "a disclosure belongs to no digest")
    return _Opened(opened, opening.by_path)


class _Opening:
    """One walk over claims: which digests were met, which disclosures are not used yet."""

    __slots__ = ("by_path", "met", "waiting")

    def __init__(self, waiting: dict[str, Disclosure]) -> None:
        self.waiting = waiting
        self.met: set[str] = set()
        self.by_path: dict[Path, tuple[Disclosure, Any]] = {}

    def take(self, digest: object, *, named: bool) -> Disclosure | None:
        if not isinstance(digest, str):
            raise SdJwtMalformedError("a digest is a text")
        if digest in self.met:
            raise SdJwtError("duplicate-digest", "a digest is there twice")
        self.met.add(digest)
        found = self.waiting.pop(digest, None)
        if found is not None and (found.name is not None) is not named:
            raise SdJwtError("foreign-disclosure", "a disclosure in a place of another kind")
        return found

    def value(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return self.object(value, path)
        if isinstance(value, list):
            return self.list(value, path)
        return value

    def object(self, value: Mapping[str, Any], path: Path) -> dict[str, Any]:
        if len(path) > MAX_DEPTH:
            raise SdJwtMalformedError("nested too deep")
        if "..." in value:
            raise SdJwtMalformedError("a reserved name outside a list")
        digests = value.get("_sd", [])
        if not isinstance(digests, list):
            raise SdJwtMalformedError("_sd is a list")
        opened = {
            k: self.value(v, (*path, k)) if type(v) in _NESTED else v
            for k, v in value.items()
            if k != "_sd"
        }
        for digest in digests:
            found = self.take(digest, named=True)
            if found is None or found.name is None:
                continue
            if found.name in opened or found.name in value:
                raise SdJwtError("foreign-disclosure", "a claim is there twice")
            place = (*path, found.name)
            opened[found.name] = inner = self.value(found.value, place)
            self.by_path[place] = (found, inner)
        return opened

    def list(self, value: list[Any], path: Path) -> list[Any]:
        if len(path) > MAX_DEPTH:
            raise SdJwtMalformedError("nested too deep")
        opened: list[Any] = []
        for item in value:
            if isinstance(item, dict) and "..." in item:
                if len(item) != 1:
                    raise SdJwtMalformedError("a digest in a list stands alone")
                found = self.take(item["..."], named=False)
                if found is None:
                    continue
                place = (*path, len(opened))
                opened.append(None)
                opened[-1] = inner = self.value(found.value, place)
                self.by_path[place] = (found, inner)
            else:
                opened.append(self.value(item, (*path, len(opened))))
        return opened
