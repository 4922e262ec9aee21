"""HTTP Message Signatures (RFC 9421) between nodes, Ed25519 and P-256.

What we send covers `@method`, `@target-uri` and `content-digest` (RFC 9530, sha-256), with
`created`, `expires`, `nonce` and `keyid`. What we accept covers at least that. Header names in the
mappings given here are in lower case.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from federation.keys import PublicKey, SignatureMismatchError, Signer
from federation.wire.errors import SignatureRefusedError

__all__ = [
    "COMPONENTS",
    "VerifiedSignature",
    "content_digest",
    "new_nonce",
    "sign",
    "signature_base",
    "verify",
]

COMPONENTS: Final = ("@method", "@target-uri", "content-digest")
LIFETIME_S: Final = 60
MAX_LIFETIME: Final = timedelta(seconds=300)
CLOCK_SKEW: Final = timedelta(seconds=30)
_MAX_HEADER: Final = 4096
_ALGORITHMS: Final = {"ed25519": "Ed25519", "ecdsa-p256-sha256": "P-256"}
_DIGESTS: Final = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """A signature that holds: who signed, when, and the nonce it used up."""

    keyid: str
    nonce: str
    created: datetime
    expires: datetime


def new_nonce() -> str:
    """128 random bits, base64url."""
    return secrets.token_urlsafe(16)


def content_digest(body: bytes) -> str:
    """Value of the Content-Digest field of a body (RFC 9530 §2)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def sign(
    *,
    method: str,
    url: str,
    body: bytes,
    signer: Signer,
    created: datetime,
    nonce: str,
    lifetime_s: int = LIFETIME_S,
) -> dict[str, str]:
    """The three fields to add to a request: Content-Digest, Signature-Input, Signature.

    `url` is the absolute URL as it will be requested. `keyid` is the signer's verification method.
    """
    digest = content_digest(body)
    began = int(created.timestamp())
    members = " ".join(f'"{name}"' for name in COMPONENTS)
    parameters = (
        f"({members});created={began};expires={began + lifetime_s}"
        f';nonce="{_quoted(nonce)}";keyid="{_quoted(signer.verification_method)}"'
    )
    base = signature_base(
        COMPONENTS, parameters, method=method, url=url, headers={"content-digest": digest}
    )
    signature = base64.b64encode(signer.sign(base)).decode()
    return {
        "Content-Digest": digest,
        "Signature-Input": f"mv1={parameters}",
        "Signature": f"mv1=:{signature}:",
    }


def signature_base(
    components: Sequence[str],
    parameters: str,
    *,
    method: str,
    url: str,
    headers: Mapping[str, str],
) -> bytes:
    """The bytes that are signed (RFC 9421 §2.5).

    Raises:
        SignatureRefusedError: a component is unknown, twice there, or not in the message.
    """
    if len(set(components)) != len(components):
        raise SignatureRefusedError("components")
    lines = [f'"{name}": {_component(name, method, url, headers)}' for name in components]
    lines.append(f'"@signature-params": {parameters}')
    try:
        return "\n".join(lines).encode("ascii")
    except UnicodeEncodeError:
        raise SignatureRefusedError("components") from None


def _component(name: str, method: str, url: str, headers: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    match name:
        case "@method":
            return method.upper()
        case "@target-uri":
            return url
        case "@authority":
            default = {"https": 443, "http": 80}.get(parts.scheme)
            host = (parts.hostname or "").lower()
            host = f"[{host}]" if ":" in host else host
            return host if parts.port in (None, default) else f"{host}:{parts.port}"
        case "@scheme":
            return parts.scheme.lower()
        case "@path":
            return parts.path or "/"
        case "@query":
            return f"?{parts.query}"
        case "@request-target":
            return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        case _ if name.startswith("@") or name not in headers:
            raise SignatureRefusedError("components")
        case _:
            return " ".join(line.strip() for line in headers[name].splitlines()).strip()


def verify(
    headers: Mapping[str, str],
    *,
    method: str,
    url: str,
    body: bytes,
    key_of: Callable[[str], PublicKey | None],
    is_fresh: Callable[[str, str, datetime], bool],
    at: datetime,
) -> VerifiedSignature:
    """Check the one signature of a request.

    (1) the fields are there and have their form; (2) what we require is covered; (3) it is within
    its time, and that is at most five minutes; (4) the body is the one that was digested; (5) the
    key is known for `keyid`, of the algorithm named if one is; (6) the signature holds; (7) the
    nonce was not used before. Left to the caller: whether this key may do what is asked, and that
    `url` is built from the configured origin, not from a Host field.

    `is_fresh(keyid, nonce, until)` records the nonce and says whether it was new: a row shared by
    all workers, kept until `until`. It is asked last, so that only a true signature uses a nonce.

    Raises:
        SignatureRefusedError: with the reason of the first step that failed.
    """
    # (1)
    given, signature = headers.get("signature-input", ""), headers.get("signature", "")
    if not given or not signature:
        raise SignatureRefusedError("missing")
    label, components, parameters, values = _signature_input(given)
    raw = _signature(signature, label)
    # (2)
    if not set(COMPONENTS) <= set(components):
        raise SignatureRefusedError("components")
    keyid, nonce = values.get("keyid"), values.get("nonce")
    created, expires = values.get("created"), values.get("expires")
    if not (
        isinstance(keyid, str)
        and isinstance(nonce, str)
        and 16 <= len(nonce) <= 128
        and isinstance(created, int)
        and isinstance(expires, int)
    ):
        raise SignatureRefusedError("components")
    # (3)
    try:
        began, ends = datetime.fromtimestamp(created, UTC), datetime.fromtimestamp(expires, UTC)
    except (OverflowError, ValueError, OSError):
        raise SignatureRefusedError("malformed") from None
    if began > at + CLOCK_SKEW:
        raise SignatureRefusedError("future")
    if ends < began or ends - began > MAX_LIFETIME:
        raise SignatureRefusedError("too-old")
    if at > ends + CLOCK_SKEW:
        raise SignatureRefusedError("expired")
    # (4)
    _check_digest(headers.get("content-digest", ""), body)
    # (5)
    key = key_of(keyid)
    if key is None:
        raise SignatureRefusedError("unknown-key")
    named = values.get("alg")
    if named is not None and _ALGORITHMS.get(str(named)) != key.algorithm:
        raise SignatureRefusedError("unknown-key")
    # (6)
    base = signature_base(components, parameters, method=method, url=url, headers=headers)
    try:
        key.verify(base, raw)
    except SignatureMismatchError:
        raise SignatureRefusedError("false") from None
    # (7)
    if not is_fresh(keyid, nonce, ends + CLOCK_SKEW):
        raise SignatureRefusedError("replayed")
    return VerifiedSignature(keyid=keyid, nonce=nonce, created=began, expires=ends)


# --- the part of Structured Fields (RFC 8941) that signatures use ---

_INPUT: Final = re.compile(
    r"(?P<label>[a-z*][a-z0-9_.*-]{0,31})=(?P<parameters>\((?P<inner>[^()]*)\)(?P<rest>[^,]*))"
)
_ITEM: Final = re.compile(r'"([a-z0-9@-]{1,64})"')
_PARAMETER: Final = re.compile(
    r';(?P<name>[a-z*][a-z0-9_.*-]*)=(?:(?P<int>-?\d{1,15})|"(?P<text>(?:[ !#-\[\]-~]|\\["\\])*)")'
)
_BINARY: Final = re.compile(r"([a-z*][a-z0-9_.*-]{0,31})=:([A-Za-z0-9+/]{0,512}={0,2}):")
_DIGEST: Final = re.compile(r"([a-z0-9-]{1,32})=:([A-Za-z0-9+/]{0,256}={0,2}):")


def _signature_input(
    value: str,
) -> tuple[str, tuple[str, ...], str, Mapping[str, int | str]]:
    found = _INPUT.fullmatch(value.strip()) if len(value) <= _MAX_HEADER else None
    if found is None:
        raise SignatureRefusedError("malformed")
    inner = found["inner"].split()
    components = []
    for item in inner:
        name = _ITEM.fullmatch(item)
        if name is None:
            raise SignatureRefusedError("malformed")
        components.append(name[1])
    values: dict[str, int | str] = {}
    position = 0
    rest = found["rest"]
    while position < len(rest):
        parameter = _PARAMETER.match(rest, position)
        if parameter is None or parameter["name"] in values:
            raise SignatureRefusedError("malformed")
        values[parameter["name"]] = (
            int(parameter["int"])
            if parameter["int"] is not None
            else re.sub(r"\\(.)", r"\1", parameter["text"])
        )
        position = parameter.end()
    return found["label"], tuple(components), found["parameters"], values


def _signature(value: str, label: str) -> bytes:
    found = _BINARY.fullmatch(value.strip()) if len(value) <= _MAX_HEADER else None
    if found is None or found[1] != label:
        raise SignatureRefusedError("malformed")
    return _base64(found[2])


def _check_digest(value: str, body: bytes) -> None:
    known = 0
    for member in value.split(",") if len(value) <= _MAX_HEADER else ():
        found = _DIGEST.fullmatch(member.strip())
        if found is None:
            raise SignatureRefusedError("malformed")
        if (algorithm := _DIGESTS.get(found[1])) is None:
            continue
        known += 1
        if not hmac.compare_digest(algorithm(body).digest(), _base64(found[2])):
            raise SignatureRefusedError("digest-mismatch")
    if not known:
        raise SignatureRefusedError("digest-mismatch")


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise SignatureRefusedError("malformed") from None


def _quoted(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise SignatureRefusedError("malformed")
    return text.replace("\\", "\\\\").replace('"', '\\"')
