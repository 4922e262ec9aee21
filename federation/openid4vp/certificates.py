"""Verifiers that name themselves by an X.509 certificate: `x5c` of a request, up to an anchor that
this home's operator chose.

Source: OpenID4VP 1.0 §5.9.3 (`x509_san_dns`, `x509_hash`), RFC 5280, RFC 7515 §4.1.6; did:x509 for
the name under which a vault remembers such a verifier.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import (
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from federation.keys import ED25519, P256, P384, PublicKey
from federation.multibase import b64url
from federation.openid4vp.errors import RequestRefusedError
from schemas.ids import Did

__all__ = ["Anchors", "Certificate"]

MAX_CHAIN: Final = 6
MAX_CERTIFICATE: Final = 16_384
_CURVES: Final = {"secp256r1": P256, "secp384r1": P384}


@dataclass(frozen=True, slots=True)
class Certificate:
    """A verifier's certificate, its chain verified up to an anchor."""

    key: PublicKey
    names: tuple[str, ...]
    """DNS names of the subject alternative name, in lower case."""
    digest: str
    """SHA-256 of the DER bytes, base64url: the value of an `x509_hash` client id."""
    anchor: str
    """Who vouches: the anchor's common name or organisation."""
    anchor_digest: str

    def did(self, name: str) -> Did:
        """`did:x509` of this verifier: the anchor and the DNS name, so that a renewed certificate
        is still the same party."""
        return Did(f"did:x509:0:sha256:{self.anchor_digest}::san:dns:{name}")


@dataclass(frozen=True, slots=True)
class Anchors:
    """The authorities whose certificates a wallet believes; none unless the operator names some."""

    certificates: tuple[x509.Certificate, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.certificates)

    @classmethod
    def from_pem(cls, data: bytes) -> Self:
        """Anchors of a PEM file.

        Raises:
            ValueError: not PEM, or a certificate in it cannot be read.
        """
        return cls(tuple(x509.load_pem_x509_certificates(data)))

    def verify(self, chain: object, *, at: datetime) -> Certificate:
        """The leaf of an `x5c` header.

        Steps: (1) one to six certificates in standard base64 DER; (2) the leaf is not self-signed,
        no anchor stands in the chain; (3) signatures, dates and constraints up to an anchor; (4) a
        key of ours and DNS names. What the leaf may be used for is the anchor's own business: it
        was chosen for verifiers.

        Raises:
            RequestRefusedError: `client-certificate`.
        """
        found = [_certificate(item) for item in _items(chain)]  # 1
        leaf, *between = found
        if leaf.issuer == leaf.subject or any(c in self.certificates for c in found):  # 2
            raise RequestRefusedError("client-certificate", "self-signed, or the anchor itself")
        if not self.certificates:
            raise RequestRefusedError("client-certificate", "no authority is known here")
        verifier = (  # 3
            PolicyBuilder()
            .store(Store(list(self.certificates)))
            .time(at)
            .max_chain_depth(MAX_CHAIN)
            .extension_policies(
                ca_policy=ExtensionPolicy.webpki_defaults_ca(),
                ee_policy=ExtensionPolicy.permit_all(),
            )
            .build_client_verifier()
        )
        try:
            path = verifier.verify(leaf, between).chain
        except VerificationError:
            raise RequestRefusedError("client-certificate", "no path to an authority") from None
        return Certificate(  # 4
            key=_key(leaf),
            names=_names(leaf),
            digest=b64url(sha256(leaf.public_bytes(Encoding.DER)).digest()),
            anchor=_name(path[-1]),
            anchor_digest=b64url(sha256(path[-1].public_bytes(Encoding.DER)).digest()),
        )


def _items(chain: object) -> Sequence[object]:
    if not isinstance(chain, list) or not 0 < len(chain) <= MAX_CHAIN:
        raise RequestRefusedError("client-certificate", "x5c is a list of certificates")
    return chain


def _certificate(item: object) -> x509.Certificate:
    if not isinstance(item, str) or len(item) > MAX_CERTIFICATE:
        raise RequestRefusedError("client-certificate", "a certificate is base64")
    try:
        return x509.load_der_x509_certificate(base64.b64decode(item, validate=True))
    except (binascii.Error, ValueError):
        raise RequestRefusedError("client-certificate", "not a certificate") from None


def _key(leaf: x509.Certificate) -> PublicKey:
    public = leaf.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return PublicKey.from_raw(ED25519, public.public_bytes_raw())
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in _CURVES:
        raw = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        return PublicKey.from_raw(_CURVES[public.curve.name], raw)
    raise RequestRefusedError("client-certificate", "a key on P-256, P-384 or Ed25519 expected")


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        raise RequestRefusedError("client-certificate", "no DNS name in it") from None
    names = tuple(name.lower() for name in found.get_values_for_type(x509.DNSName))
    if not names:
        raise RequestRefusedError("client-certificate", "no DNS name in it")
    return names


def _name(anchor: x509.Certificate) -> str:
    for attribute in (x509.NameOID.ORGANIZATION_NAME, x509.NameOID.COMMON_NAME):
        for found in anchor.subject.get_attributes_for_oid(attribute):
            return str(found.value)[:200]
    return "–"
