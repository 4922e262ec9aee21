"""Is a 2D-Doc what its issuer signed? Answered offline, against a list of certificates.

Steps: (1) the signer's certificate of that authority and number is in the list, (2) it was issued
by the authority's certificate, (3) both were valid on the day the code says it was signed, and
that day has come, (4) the ECDSA signature holds, with the hash of its curve. The list is what
`tddoc` (MIT) packs of the authorities' published certificates, without the specification's test
authority; it is as fresh as that package.

Limits, said on the page: a key that leaked after its certificate's term can date a code back;
a 2D-Doc says whom a document is about, not who holds it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID

from connectors.twoddoc.code import Code

__all__ = ["TrustList", "Verdict", "Verified", "bundled"]

TEST_AUTHORITY: Final = "FR00"
_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}


class Verdict(StrEnum):
    """What can be said of a code."""

    SIGNED = "signed"
    FORGED = "forged"
    """The certificate is known and the signature does not hold: altered."""
    UNKNOWN_SIGNER = "unknown-signer"
    """Not in this list: nothing can be said."""
    OUT_OF_TERM = "out-of-term"
    """Signed on a day when the certificate was not valid, or in the future."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A verdict, and who signed."""

    verdict: Verdict
    signer: str = ""
    """Organisation in the certificate; empty when it is unknown."""


@dataclass(frozen=True, slots=True)
class TrustList:
    """Signers' certificates by (authority, number), and authorities by name."""

    signers: Mapping[tuple[str, str], tuple[x509.Certificate, ...]]
    authorities: Mapping[str, tuple[x509.Certificate, ...]]

    @classmethod
    def of(cls, certificates: Iterable[x509.Certificate]) -> Self:
        """The list of these certificates; a signer is known by the names in its own."""
        signers: dict[tuple[str, str], tuple[x509.Certificate, ...]] = {}
        authorities: dict[str, tuple[x509.Certificate, ...]] = {}
        for certificate in certificates:
            subject, issuer = _name(certificate.subject), _name(certificate.issuer)
            authorities[subject] = (*authorities.get(subject, ()), certificate)
            place = (issuer, subject)
            signers[place] = (*signers.get(place, ()), certificate)
        return cls(signers, authorities)

    def verify(self, code: Code, *, on: date) -> Verified:
        """What can be said of `code` on the day `on`."""
        known = self.signers.get((code.authority, code.certificate), ())  # 1
        if not known:
            return Verified(Verdict.UNKNOWN_SIGNER)
        outcome = Verified(Verdict.UNKNOWN_SIGNER)
        for certificate in known:
            signer = _name(certificate.subject, NameOID.ORGANIZATION_NAME)
            issuer = self._issuer(certificate, code.authority)  # 2
            if issuer is None:
                continue
            if code.signed_on > on or not all(
                _is_valid(found, code.signed_on) for found in (certificate, issuer)
            ):  # 3
                outcome = Verified(Verdict.OUT_OF_TERM, signer)
                continue
            if _holds(code, certificate):  # 4
                return Verified(Verdict.SIGNED, signer)
            outcome = Verified(Verdict.FORGED, signer)
        return outcome

    def _issuer(self, certificate: x509.Certificate, authority: str) -> x509.Certificate | None:
        for found in self.authorities.get(authority, ()):
            try:
                certificate.verify_directly_issued_by(found)
            except (ValueError, TypeError, InvalidSignature):
                continue
            return found
        return None


def _name(name: x509.Name, oid: x509.ObjectIdentifier = NameOID.COMMON_NAME) -> str:
    found = name.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""


def _is_valid(certificate: x509.Certificate, on: date) -> bool:
    noon = datetime.combine(on, time(12), UTC)
    return certificate.not_valid_before_utc <= noon <= certificate.not_valid_after_utc


def _holds(code: Code, certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _HASHES:
        return False
    half = len(code.signature) // 2
    der = encode_dss_signature(
        int.from_bytes(code.signature[:half], "big"), int.from_bytes(code.signature[half:], "big")
    )
    try:
        key.verify(der, code.signed, ec.ECDSA(_HASHES[key.curve.name]))
    except InvalidSignature:
        return False
    return True


@cache
def bundled() -> TrustList:
    """The published certificates that `tddoc` packs, without the test authority."""
    found = []
    for entry in resources.files("tddoc.chains").iterdir():
        if not entry.name.endswith(".der") or entry.name.startswith(TEST_AUTHORITY):
            continue
        for part in _parts(entry.read_bytes()):
            try:
                certificate = x509.load_der_x509_certificate(part)
            except ValueError:
                continue
            if TEST_AUTHORITY not in {_name(certificate.issuer), _name(certificate.subject)}:
                found.append(certificate)
    return TrustList.of(found)


def _parts(data: bytes) -> list[bytes]:
    """A file is one certificate, or several between MIME boundaries."""
    if b"--End" not in data:
        return [data]
    bodies = (part.partition(b"\r\n\r\n")[2] for part in data.split(b"--End"))
    return [body.removesuffix(b"\r\n") for body in bodies if body]
