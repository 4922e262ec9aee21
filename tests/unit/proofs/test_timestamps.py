"""Timestamps of RFC 3161: ours against OpenSSL, in both directions, and what is refused."""

import subprocess
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyasn1.codec.der import decoder
from pyasn1_modules import rfc3161

from connectors.sandbox.timestamping import TimestampAuthority
from federation.timestamps import TimestampError, read_roots, read_timestamp, timestamp_query

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
DATA = b"ce qui a ete decide\n"
DIGEST = sha256(DATA).digest()
NONCE = 2**63 + 11


def authority(seed: bytes = b"s" * 32, at: datetime = AT) -> TimestampAuthority:
    return TimestampAuthority(seed, lambda: at)


@pytest.fixture(scope="module")
def reply() -> bytes:
    return authority().answer(timestamp_query(DIGEST, nonce=NONCE))


def openssl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["openssl", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_stamp_says_when_and_by_whom(reply: bytes) -> None:
    found = read_timestamp(reply, DIGEST, roots=[authority().root], nonce=NONCE)
    assert found.at == AT
    assert "sans valeur juridique" in found.authority
    assert "sans valeur juridique" in found.root.subject.rfc4514_string()
    assert read_timestamp(reply, DIGEST, roots=read_roots(authority().root_pem)) == found


def test_openssl_takes_our_stamp_and_our_question(tmp_path: Path, reply: bytes) -> None:
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "reply").write_bytes(reply)
    (tmp_path / "query").write_bytes(timestamp_query(DIGEST, nonce=NONCE))
    (tmp_path / "root.pem").write_bytes(authority().root_pem)
    verify = ("ts", "-verify", "-in", "reply", "-CAfile", "root.pem")
    by_data = openssl(tmp_path, *verify, "-data", "data")
    assert by_data.returncode == 0, by_data.stderr
    by_query = openssl(tmp_path, *verify, "-queryfile", "query")
    assert by_query.returncode == 0, by_query.stderr
    (tmp_path / "data").write_bytes(DATA + b"!")
    assert openssl(tmp_path, *verify, "-data", "data").returncode != 0


CONFIG = """\
[tsa]
serial = serial
signer_cert = signer.pem
certs = chain.pem
signer_key = signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_chain = {chain}
ess_cert_id_alg = {ess}
"""


def certificate(
    name: str, key: Any, issuer: str, issuer_key: Any, purpose: Any = None, *, critical: bool = True
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=purpose is None, path_length=None), critical=True)
    )
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purpose), critical=critical)
    return builder.sign(issuer_key, hashes.SHA256())


@pytest.mark.parametrize(
    ("make", "ess"),
    [
        (lambda: rsa.generate_private_key(65537, 2048), "sha1"),
        (lambda: rsa.generate_private_key(65537, 2048), "sha256"),
        (lambda: ec.generate_private_key(ec.SECP384R1()), "sha256"),
    ],
    ids=["rsa-ess1", "rsa-ess2", "p384"],
)
def test_we_take_the_stamp_of_another_authority(tmp_path: Path, make: Any, ess: str) -> None:
    """OpenSSL's own authority, with an intermediate certificate."""
    keys = {name: make() for name in ("root", "middle", "signer")}
    root = certificate("R", keys["root"], "R", keys["root"])
    middle = certificate("M", keys["middle"], "R", keys["root"])
    signer = certificate(
        "S", keys["signer"], "M", keys["middle"], [ExtendedKeyUsageOID.TIME_STAMPING]
    )
    (tmp_path / "signer.pem").write_bytes(signer.public_bytes(Encoding.PEM))
    (tmp_path / "chain.pem").write_bytes(middle.public_bytes(Encoding.PEM))
    (tmp_path / "signer.key").write_bytes(
        keys["signer"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "ts.cnf").write_text(CONFIG.format(chain="no", ess=ess))
    (tmp_path / "query").write_bytes(timestamp_query(DIGEST, nonce=NONCE))
    made = openssl(
        tmp_path, "ts", "-reply", "-config", "ts.cnf", "-section", "tsa", "-queryfile", "query",
        "-out", "reply",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    reply = (tmp_path / "reply").read_bytes()
    found = read_timestamp(reply, DIGEST, roots=[root], nonce=NONCE)
    assert (found.authority, found.serial, found.policy) == ("S", 2, "1.2.3.4.1")
    assert read_timestamp(reply, DIGEST, roots=[middle]).root == middle
    with pytest.raises(TimestampError, match="6"):
        read_timestamp(reply, DIGEST, roots=[authority().root])


class _Careless(TimestampAuthority):
    """An authority whose certificate is not for timestamps."""

    def __init__(self, purpose: list[x509.ObjectIdentifier], *, critical: bool) -> None:
        super().__init__(b"c" * 32, lambda: datetime.now(UTC))
        self.root = certificate("R", self._root_key, "R", self._root_key)
        self.certificate = certificate(
            "S", self._key, "R", self._root_key, purpose, critical=critical
        )


@pytest.mark.parametrize(
    ("purpose", "critical"),
    [
        ([ExtendedKeyUsageOID.SERVER_AUTH], True),
        ([ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.SERVER_AUTH], True),
        ([ExtendedKeyUsageOID.TIME_STAMPING], False),
    ],
)
def test_a_certificate_for_something_else_stamps_nothing(
    purpose: list[x509.ObjectIdentifier], critical: bool
) -> None:
    careless = _Careless(purpose, critical=critical)
    with pytest.raises(TimestampError, match="5"):
        read_timestamp(
            careless.answer(timestamp_query(DIGEST, nonce=1)), DIGEST, roots=[careless.root]
        )


def test_what_is_not_this_stamp_is_refused(reply: bytes) -> None:
    roots = [authority().root]
    cases: dict[str, Any] = {
        "2: over another": lambda: read_timestamp(reply, sha256(b"").digest(), roots=roots),
        "2: the answer": lambda: read_timestamp(reply, DIGEST, roots=roots, nonce=NONCE + 1),
        "6: an authority": lambda: read_timestamp(reply, DIGEST, roots=[authority(b"t" * 32).root]),
        "1: too large": lambda: read_timestamp(reply + bytes(70_000), DIGEST, roots=roots),
        "bytes after": lambda: read_timestamp(reply + b"\0", DIGEST, roots=roots),
        "unreadable": lambda: read_timestamp(b"<html>", DIGEST, roots=roots),
        "1: the authority did not": lambda: read_timestamp(
            authority().answer(b"not a question"), DIGEST, roots=roots
        ),
        "6: a certificate that": lambda: read_timestamp(
            authority(at=datetime(2060, 1, 1, tzinfo=UTC)).answer(
                timestamp_query(DIGEST, nonce=NONCE)
            ),
            DIGEST,
            roots=roots,
        ),
    }
    for step, act in cases.items():
        with pytest.raises(TimestampError, match=step):
            act()
    with pytest.raises(TimestampError, match="6"):
        read_timestamp(reply, DIGEST, roots=[])
    with pytest.raises(TimestampError, match="no root"):
        read_roots(b"")


def test_no_byte_of_what_is_signed_can_be_changed(reply: bytes) -> None:
    """The TSTInfo, the signer's certificate and everything after it (attributes, signature)."""
    info = reply.index(b"\x02\x01\x01\x06", 60)  # version and policy open the TSTInfo
    leaf = authority().certificate.public_bytes(Encoding.DER)
    attributes = reply.index(bytes.fromhex("2a864886f70d010903"))
    ranges = (
        range(info, info + 60, 3),
        range(reply.index(leaf), reply.index(leaf) + len(leaf), 7),
        range(attributes, len(reply)),
    )
    survived = []
    for positions in ranges:
        for position in positions:
            changed = bytearray(reply)
            changed[position] ^= 1
            try:
                read_timestamp(bytes(changed), DIGEST, roots=[authority().root], nonce=NONCE)
            except TimestampError:
                continue
            survived.append(position)
    assert survived == []


def test_the_authority_answers_only_what_it_can() -> None:
    for query in (b"", b"\x30\x00", timestamp_query(b"short", nonce=1), b"\xff" * 100):
        answer = decoder.decode(authority().answer(query), asn1Spec=rfc3161.TimeStampResp())[0]
        assert int(answer["status"]["status"]) == 2
        assert not answer["timeStampToken"].isValue


def test_two_first_starts_agree_on_one_seed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "horodatage.seed"
    first, second = (TimestampAuthority.open(path, lambda: AT) for _ in range(2))
    assert first.root_pem == second.root_pem
    assert path.stat().st_mode & 0o777 == 0o600
