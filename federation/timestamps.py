"""Timestamps of RFC 3161: the question to an authority, and the check of its answer, offline.

An answer is worth its root: which authority is believed is for who checks to say. Signatures and
certificates are `cryptography`'s; only the outer shapes are read here (pyasn1, strict DER).

    MobilityError
    └── TimestampError (Refused)      `timestamp-invalid`: not a timestamp of this content
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyasn1.codec.der import decoder, encoder
from pyasn1.error import PyAsn1Error
from pyasn1.type import univ
from pyasn1_modules import rfc3161, rfc5035, rfc5652

from schemas.errors import MobilityError, Refused

__all__ = [
    "MAX_REPLY",
    "QUERY_TYPE",
    "REPLY_TYPE",
    "Timestamp",
    "TimestampError",
    "authority_words",
    "read_roots",
    "read_timestamp",
    "timestamp_query",
]

QUERY_TYPE: Final = "application/timestamp-query"
REPLY_TYPE: Final = "application/timestamp-reply"
MAX_REPLY: Final = 64_000
"""Bytes of an answer; real ones carry three certificates and have about 6 000."""

SHA256: Final = "2.16.840.1.101.3.4.2.1"
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    SHA256: hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
_ECDSA: Final[dict[str, hashes.HashAlgorithm]] = {
    "1.2.840.10045.4.3.2": hashes.SHA256(),
    "1.2.840.10045.4.3.3": hashes.SHA384(),
    "1.2.840.10045.4.3.4": hashes.SHA512(),
}
_RSA: Final[dict[str, hashes.HashAlgorithm]] = {
    "1.2.840.113549.1.1.11": hashes.SHA256(),
    "1.2.840.113549.1.1.12": hashes.SHA384(),
    "1.2.840.113549.1.1.13": hashes.SHA512(),
}
_RSA_PLAIN: Final = "1.2.840.113549.1.1.1"
_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE: Final = "1.2.840.113549.1.9.16.2.12"
_SIGNING_CERTIFICATE_2: Final = "1.2.840.113549.1.9.16.2.47"
_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
_GRANTED: Final = (0, 1)
_UNREADABLE: Final = (
    PyAsn1Error,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    RecursionError,
    x509.InvalidVersion,
)
_LONGEST_CHAIN: Final = 6


class TimestampError(MobilityError, Refused):
    """Not a timestamp of this content by an authority that is believed; the message names the
    step."""

    code: ClassVar[str] = "timestamp-invalid"


@dataclass(frozen=True, slots=True)
class Timestamp:
    """What an authority vouches for: this hash existed at that instant."""

    at: datetime
    serial: int
    policy: str
    """OID of the authority's policy, dotted."""
    authority: str
    """Common name of the certificate that signed."""
    root: x509.Certificate


def timestamp_query(digest: bytes, *, nonce: int) -> bytes:
    """TimeStampReq over a SHA-256, asking for the certificates too."""
    query = rfc3161.TimeStampReq()
    query["version"] = 1
    query["messageImprint"]["hashAlgorithm"]["algorithm"] = SHA256
    query["messageImprint"]["hashedMessage"] = digest
    query["nonce"] = nonce
    query["certReq"] = True
    return bytes(encoder.encode(query))


def read_roots(pem: bytes) -> tuple[x509.Certificate, ...]:
    """Root certificates of a PEM file.

    Raises:
        TimestampError: none, or unreadable.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except ValueError:
        raise TimestampError("no root certificate of an authority") from None


def read_timestamp(
    reply: bytes,
    digest: bytes,
    *,
    roots: Sequence[x509.Certificate],
    nonce: int | None = None,
) -> Timestamp:
    """Check an authority's answer over the SHA-256 `digest`.

    1. The answer is granted, and holds signed data over a TSTInfo (RFC 3161 §2.4.2).
    2. The TSTInfo is over `digest` by SHA-256, and repeats `nonce` where one was sent.
    3. Exactly one signer; its certificate came along and is the one that the signed attribute
       `signingCertificate` names by its hash (RFC 5816).
    4. The signed attributes name the content's type and hash, and are signed (RFC 5652 §5.4).
    5. The certificate is for timestamps and nothing else, critically (RFC 3161 §2.3).
    6. It goes up to one of `roots`, every certificate valid at the instant of the timestamp.

    Revocation is not asked for: an authority whose key was lost is taken out of `roots`.

    Raises:
        TimestampError: the message names the step.
    """
    if len(reply) > MAX_REPLY:
        raise TimestampError("1: too large")
    try:
        return _read(reply, digest, roots, nonce)
    except TimestampError:
        raise
    except _UNREADABLE as error:
        raise TimestampError(f"unreadable: {type(error).__name__}") from None


def _decoded(data: bytes, spec: Any) -> Any:
    found, rest = decoder.decode(data, asn1Spec=spec)
    if rest:
        raise TimestampError("bytes after the end")
    return found


def _read(
    reply: bytes, digest: bytes, roots: Sequence[x509.Certificate], nonce: int | None
) -> Timestamp:
    answer = _decoded(reply, rfc3161.TimeStampResp())  # 1
    if int(answer["status"]["status"]) not in _GRANTED:
        raise TimestampError("1: the authority did not grant it")
    token = answer["timeStampToken"]
    if not token.isValue or str(token["contentType"]) != _SIGNED_DATA:
        raise TimestampError("1: not signed data")
    signed = _decoded(bytes(token["content"]), rfc5652.SignedData())
    wrapped = signed["encapContentInfo"]
    if str(wrapped["eContentType"]) != _TST_INFO:
        raise TimestampError("1: not a TSTInfo")
    content = bytes(wrapped["eContent"])
    info = _decoded(content, rfc3161.TSTInfo())

    imprint = info["messageImprint"]  # 2
    if str(imprint["hashAlgorithm"]["algorithm"]) != SHA256:
        raise TimestampError("2: another hash")
    if bytes(imprint["hashedMessage"]) != digest:
        raise TimestampError("2: over another content")
    if nonce is not None and (not info["nonce"].isValue or int(info["nonce"]) != nonce):
        raise TimestampError("2: the answer to another question")
    at = info["genTime"].asDateTime.astimezone(UTC)

    if len(signed["signerInfos"]) != 1:  # 3
        raise TimestampError("3: one signer expected")
    signer = signed["signerInfos"][0]
    attributes = {str(a["attrType"]): a["attrValues"] for a in signer["signedAttrs"]}
    along = tuple(_certificates(signed))
    leaf = _signing_certificate(attributes, along)

    algorithm = _HASHES[str(signer["digestAlgorithm"]["algorithm"])]  # 4
    hashed = hashes.Hash(algorithm)
    hashed.update(content)
    if str(_only(attributes, _CONTENT_TYPE, univ.ObjectIdentifier())) != _TST_INFO:
        raise TimestampError("4: attributes of another content type")
    if bytes(_only(attributes, _MESSAGE_DIGEST, univ.OctetString())) != hashed.finalize():
        raise TimestampError("4: attributes of another content")
    # Signed is the SET OF; inside the SignerInfo it stands under an implicit tag [0].
    written = bytes(encoder.encode(signer["signedAttrs"]))
    if written not in bytes(token["content"]):
        raise TimestampError("4: attributes that are not in DER")
    _check_signature(leaf, signer, algorithm, b"\x31" + written[1:])

    _check_purpose(leaf)  # 5
    root = _root_of(leaf, along, roots, at)  # 6
    names = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Timestamp(
        at=at,
        serial=int(info["serialNumber"]),
        policy=str(info["policy"]),
        authority=str(names[0].value) if names else leaf.subject.rfc4514_string(),
        root=root,
    )


def _certificates(signed: Any) -> Iterator[x509.Certificate]:
    for choice in signed["certificates"]:
        if choice.getName() == "certificate":
            yield x509.load_der_x509_certificate(bytes(encoder.encode(choice["certificate"])))


def _only(attributes: dict[str, Any], oid: str, spec: Any) -> Any:
    values = attributes[oid]
    if len(values) != 1:
        raise TimestampError("an attribute with several values")
    return _decoded(bytes(values[0]), spec)


def _signing_certificate(
    attributes: dict[str, Any], along: Sequence[x509.Certificate]
) -> x509.Certificate:
    if _SIGNING_CERTIFICATE_2 in attributes:
        named = _only(attributes, _SIGNING_CERTIFICATE_2, rfc5035.SigningCertificateV2())
        first = named["certs"][0]
        algorithm = _HASHES[str(first["hashAlgorithm"]["algorithm"])]
        wanted, by = bytes(first["certHash"]), algorithm.name
    else:
        named = _only(attributes, _SIGNING_CERTIFICATE, rfc5035.SigningCertificate())
        wanted, by = bytes(named["certs"][0]["certHash"]), "sha1"
    for certificate in along:
        encoded = certificate.public_bytes(Encoding.DER)
        # SHA-1 only names the certificate among those that came along (RFC 2634 §5.4).
        if hashlib.new(by, encoded, usedforsecurity=False).digest() == wanted:
            return certificate
    raise TimestampError("3: the signer's certificate did not come along")


def _check_signature(
    leaf: x509.Certificate, signer: Any, digest: hashes.HashAlgorithm, written: bytes
) -> None:
    oid, key = str(signer["signatureAlgorithm"]["algorithm"]), leaf.public_key()
    signature = bytes(signer["signature"])
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and oid in _ECDSA:
            key.verify(signature, written, ec.ECDSA(_ECDSA[oid]))
        elif isinstance(key, rsa.RSAPublicKey) and (oid == _RSA_PLAIN or oid in _RSA):
            key.verify(signature, written, padding.PKCS1v15(), _RSA.get(oid, digest))
        else:
            raise TimestampError("4: a signature algorithm that is not taken")
    except InvalidSignature:
        raise TimestampError("4: another signature") from None


def _check_purpose(leaf: x509.Certificate) -> None:
    try:
        found = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        raise TimestampError("5: a certificate without a purpose") from None
    if not found.critical or list(found.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise TimestampError("5: a certificate for something else")


def _root_of(
    leaf: x509.Certificate,
    along: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    at: datetime,
) -> x509.Certificate:
    current = leaf
    for _ in range(_LONGEST_CHAIN):
        if not current.not_valid_before_utc <= at <= current.not_valid_after_utc:
            raise TimestampError("6: a certificate that was not valid then")
        for root in roots:
            if current == root or _is_issued_by(current, root):
                if not root.not_valid_before_utc <= at <= root.not_valid_after_utc:
                    raise TimestampError("6: a root that was not valid then")
                return root
        above = next((c for c in along if c != current and _is_issued_by(current, c)), None)
        if above is None:
            break
        current = above
    raise TimestampError("6: an authority that is not believed here")


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
        basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return basic.value.ca


_INSTANT: Final = "%d/%m/%Y %H:%M:%S UTC"


def authority_words(stamp: Timestamp, *, is_given: bool) -> tuple[str, str]:
    """Who stamped and when, in French and English; with `is_given`, that the root came with the
    file and is to be compared."""
    when = stamp.at.strftime(_INSTANT)
    fr = f"Existait le {when}, selon « {stamp.authority} »."
    en = f"Existed on {when}, says “{stamp.authority}”."
    if is_given:
        mark = stamp.root.fingerprint(hashes.SHA256()).hex()[:16]
        fr += f" Sa racine est jointe au dossier (SHA-256 {mark}…) : comparez-la à la sienne."
        en += f" Its root came with the file (SHA-256 {mark}…): compare it with its own."
    return fr, en
