"""A timestamp authority of RFC 3161 for the demonstration and for tests. Its stamps have no legal
value, and its certificates say so in their names.

One file of 32 bytes holds the seed of both keys, so that whoever starts first makes it and the
others find it. Certificates are made from the seed alone (deterministic ECDSA): the same file gives
the same bytes.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyasn1.codec.der import decoder, encoder
from pyasn1.error import PyAsn1Error
from pyasn1.type import univ, useful
from pyasn1_modules import rfc3161, rfc5035, rfc5652

__all__ = ["TimestampAuthority"]

ROOT_NAME: Final = "Racine de démonstration — sans valeur juridique"
NAME: Final = "Horodatage de démonstration — sans valeur juridique"
POLICY: Final = "1.3.6.1.4.1.32473.1"
"""Below the arc for documentation (RFC 5612): no real policy stands behind it."""
SINCE: Final = datetime(2025, 1, 1, tzinfo=UTC)
UNTIL: Final = datetime(2056, 1, 1, tzinfo=UTC)
_SHA256: Final = "2.16.840.1.101.3.4.2.1"
_ECDSA_SHA256: Final = "1.2.840.10045.4.3.2"
_REJECTED: Final = 2
_BAD_ALGORITHM, _BAD_FORMAT = 0, 5


class TimestampAuthority:
    """Answers timestamp queries with the keys of one seed."""

    def __init__(self, seed: bytes, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._root_key, self._key = _key(seed, b"root"), _key(seed, b"stamp")
        self.root = _certificate(ROOT_NAME, self._root_key, ROOT_NAME, self._root_key, is_ca=True)
        self.certificate = _certificate(NAME, self._key, ROOT_NAME, self._root_key, is_ca=False)

    @classmethod
    def open(cls, path: Path, clock: Callable[[], datetime]) -> Self:
        """The authority whose seed is in a file, made at first use (mode 600)."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Written whole under another name, then linked: two first starts agree on one seed.
            temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(handle, secrets.token_bytes(32))
            finally:
                os.close(handle)
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)
            temporary.unlink()
        return cls(path.read_bytes(), clock)

    def __repr__(self) -> str:
        return "TimestampAuthority(***)"

    @property
    def root_pem(self) -> bytes:
        """The root certificate, to believe in tests only."""
        return self.root.public_bytes(Encoding.PEM)

    def answer(self, query: bytes) -> bytes:
        """TimeStampResp to a TimeStampReq over a SHA-256; any other is rejected in the protocol."""
        try:
            asked, rest = decoder.decode(query, asn1Spec=rfc3161.TimeStampReq())
            imprint = asked["messageImprint"]
            if rest or str(imprint["hashAlgorithm"]["algorithm"]) != _SHA256:
                return _rejected(_BAD_ALGORITHM)
            digest = bytes(imprint["hashedMessage"])
            if len(digest) != hashlib.sha256().digest_size:
                return _rejected(_BAD_ALGORITHM)
            nonce = int(asked["nonce"]) if asked["nonce"].isValue else None
        except (PyAsn1Error, ValueError, TypeError):
            return _rejected(_BAD_FORMAT)
        reply = rfc3161.TimeStampResp()
        reply["status"]["status"] = 0
        reply["timeStampToken"] = self._token(self._info(digest, nonce))
        return bytes(encoder.encode(reply))

    def _info(self, digest: bytes, nonce: int | None) -> bytes:
        info = rfc3161.TSTInfo()
        info["version"] = 1
        info["policy"] = POLICY
        info["messageImprint"]["hashAlgorithm"]["algorithm"] = _SHA256
        info["messageImprint"]["hashedMessage"] = digest
        info["serialNumber"] = int.from_bytes(secrets.token_bytes(16), "big") >> 1
        info["genTime"] = useful.GeneralizedTime(f"{self._clock().astimezone(UTC):%Y%m%d%H%M%SZ}")
        if nonce is not None:
            info["nonce"] = nonce
        return bytes(encoder.encode(info))

    def _token(self, content: bytes) -> Any:
        leaf = self.certificate.public_bytes(Encoding.DER)
        signed = rfc5652.SignedData()
        signed["version"] = 3
        signed["digestAlgorithms"].append(_algorithm(_SHA256))
        signed["encapContentInfo"]["eContentType"] = rfc3161.id_ct_TSTInfo
        signed["encapContentInfo"]["eContent"] = content
        for der in (leaf, self.root.public_bytes(Encoding.DER)):
            choice = rfc5652.CertificateChoices()
            choice["certificate"] = decoder.decode(
                der, asn1Spec=choice.componentType["certificate"].asn1Object
            )[0]
            signed["certificates"].append(choice)
        signed["signerInfos"].append(self._signer(content, leaf))
        token = rfc5652.ContentInfo()
        token["contentType"] = rfc5652.id_signedData
        token["content"] = encoder.encode(signed)
        return token

    def _signer(self, content: bytes, leaf: bytes) -> Any:
        named = rfc5035.SigningCertificateV2()
        named["certs"].append(rfc5035.ESSCertIDv2())  # SHA-256 is the default of its hash
        named["certs"][0]["certHash"] = hashlib.sha256(leaf).digest()
        values = {
            "1.2.840.113549.1.9.3": univ.ObjectIdentifier(rfc3161.id_ct_TSTInfo),
            "1.2.840.113549.1.9.4": univ.OctetString(hashlib.sha256(content).digest()),
            "1.2.840.113549.1.9.16.2.47": named,
        }
        signer = rfc5652.SignerInfo()
        signer["version"] = 1
        signer["sid"]["issuerAndSerialNumber"]["issuer"] = decoder.decode(
            self.certificate.issuer.public_bytes(),
            asn1Spec=rfc5652.IssuerAndSerialNumber().componentType["issuer"].asn1Object,
        )[0]
        signer["sid"]["issuerAndSerialNumber"]["serialNumber"] = self.certificate.serial_number
        signer["digestAlgorithm"] = _algorithm(_SHA256)
        for oid, value in values.items():
            attribute = rfc5652.Attribute()
            attribute["attrType"] = oid
            attribute["attrValues"].append(univ.Any(encoder.encode(value)))
            signer["signedAttrs"].append(attribute)
        written = b"\x31" + bytes(encoder.encode(signer["signedAttrs"]))[1:]
        signer["signatureAlgorithm"]["algorithm"] = _ECDSA_SHA256
        signer["signature"] = self._key.sign(written, ec.ECDSA(hashes.SHA256()))
        return signer


def _key(seed: bytes, purpose: bytes) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(hashlib.sha512(b"horodatage/" + purpose + b"/" + seed).digest(), "big")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
    return ec.derive_private_key(1 + number % (order - 1), ec.SECP256R1())


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_ca: bool,
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    public = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(int.from_bytes(hashlib.sha256(public).digest()[:8], "big") >> 1 or 1)
        .not_valid_before(SINCE)
        .not_valid_after(UNTIL)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if not is_ca:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
        )
    return builder.sign(issuer_key, hashes.SHA256(), ecdsa_deterministic=True)


def _algorithm(oid: str) -> Any:
    made = rfc5652.DigestAlgorithmIdentifier()
    made["algorithm"] = oid
    return made


def _rejected(failure: int) -> bytes:
    reply = rfc3161.TimeStampResp()
    reply["status"]["status"] = _REJECTED
    bits = [0] * (failure + 1)
    bits[failure] = 1
    reply["status"]["failInfo"] = tuple(bits)
    return bytes(encoder.encode(reply))
