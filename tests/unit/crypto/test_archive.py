"""Archives and age files, with another implementation (pyrage) as oracle both ways."""

import io
import tarfile

import pyrage
import pytest

from federation.sealing.age import ScryptRecipient, X25519Recipient, encrypt
from federation.sealing.errors import AgeRecipientError
from vault.crypto.age import ScryptIdentity, X25519Identity, decrypt
from vault.crypto.archive import FORMAT, ArchiveWriter, read_archive
from vault.crypto.errors import (
    AgeError,
    AgeHeaderError,
    AgeNoMatchError,
    ArchiveRefusedError,
)

SIZES = [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000]


@pytest.mark.parametrize("size", SIZES)
def test_another_age_opens_what_we_write_and_we_open_what_it_writes(size: int) -> None:
    theirs = pyrage.x25519.Identity.generate()
    ours = X25519Identity.parse(str(theirs))
    recipient = X25519Recipient.parse(str(theirs.to_public()))
    assert recipient == ours.recipient
    out, other = io.BytesIO(), X25519Identity.generate().recipient
    with encrypt(out, [other, recipient]) as stream:
        for start in range(0, size, 7_000):
            stream.write(bytes(min(7_000, size - start)))
    assert pyrage.decrypt(out.getvalue(), [theirs]) == bytes(size)
    written = pyrage.encrypt(bytes(size), [theirs.to_public()])
    assert decrypt(io.BytesIO(written), [X25519Identity.generate(), ours]).read() == bytes(size)


def test_passphrases_work_both_ways() -> None:
    out = io.BytesIO()
    with encrypt(out, [ScryptRecipient("clé".encode(), log_n=12)]) as stream:
        stream.write(b"x")
    assert pyrage.passphrase.decrypt(out.getvalue(), "clé") == b"x"
    written = pyrage.passphrase.encrypt(b"y", "clé")
    assert decrypt(io.BytesIO(written), [ScryptIdentity("clé".encode())]).read() == b"y"
    with pytest.raises(AgeNoMatchError):
        decrypt(io.BytesIO(out.getvalue()), [ScryptIdentity(b"autre")])
    with pytest.raises(AgeHeaderError):
        decrypt(io.BytesIO(out.getvalue()), [ScryptIdentity("clé".encode(), max_log_n=11)])


def test_a_passphrase_stands_alone_and_a_file_needs_a_recipient() -> None:
    both = [ScryptRecipient(b"x", log_n=2), X25519Identity.generate().recipient]
    for recipients in ([], both):
        with pytest.raises(AgeRecipientError):
            encrypt(io.BytesIO(), recipients)
    for text in ("age1qqqq", "AGE1" + "Q" * 58, str(pyrage.x25519.Identity.generate())):
        with pytest.raises(AgeRecipientError):
            X25519Recipient.parse(text)


def test_a_file_whose_writing_failed_has_no_end() -> None:
    identity, out = X25519Identity.generate(), io.BytesIO()
    with pytest.raises(RuntimeError), encrypt(out, [identity.recipient]) as stream:
        stream.write(bytes(100_000))
        raise RuntimeError
    with pytest.raises(AgeError):
        decrypt(io.BytesIO(out.getvalue()), [identity]).read()


def archive(identity: X25519Identity) -> bytes:
    out = io.BytesIO()
    with ArchiveWriter(out, [identity.recipient]) as tar:
        tar.add("records/trips.jsonl", b"{}\n")
        tar.add("documents/a.pdf", io.BytesIO(bytes(100_000)), size=100_000)
    return out.getvalue()


def test_an_archive_reads_back_and_opens_with_age_and_tar() -> None:
    theirs = pyrage.x25519.Identity.generate()
    identity = X25519Identity.parse(str(theirs))
    data = archive(identity)
    found = [(name, stream.read()) for name, stream in read_archive(io.BytesIO(data), [identity])]
    assert found == [("records/trips.jsonl", b"{}\n"), ("documents/a.pdf", bytes(100_000))]
    plain = pyrage.decrypt(data, [theirs])
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        assert tar.getnames()[0] == "FORMAT"


def test_a_cut_archive_is_refused_wherever_it_is_cut() -> None:
    identity = X25519Identity.generate()
    data = archive(identity)
    for end in (10, 180, 250, 70_000, len(data) - 1):
        with pytest.raises((AgeError, ArchiveRefusedError)):
            for _, stream in read_archive(io.BytesIO(data[:end]), [identity]):
                stream.read()


def hostile(name: str, **changes: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    for key, value in changes.items():
        setattr(member, key, value)
    return member


@pytest.mark.parametrize(
    "member",
    [
        hostile("../climb"),
        hostile("/absolute"),
        hostile("a//b"),
        hostile("a/../b"),
        hostile(".hidden"),
        hostile("back\\slash"),
        hostile("x" * 300),
        hostile("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        hostile("hard", type=tarfile.LNKTYPE, linkname="FORMAT"),
        hostile("device", type=tarfile.CHRTYPE),
        hostile("folder", type=tarfile.DIRTYPE),
        hostile("FORMAT"),
        hostile("huge", size=1 << 40),
    ],
    ids=lambda member: member.name[:12],
)
def test_a_member_that_has_no_place_is_refused(member: tarfile.TarInfo) -> None:
    identity, out, plain = X25519Identity.generate(), io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        first = tarfile.TarInfo("FORMAT")
        first.size = len(FORMAT)
        tar.addfile(first, io.BytesIO(FORMAT))
    start = plain.getvalue()[:1024]
    with encrypt(out, [identity.recipient]) as stream:
        stream.write(start + member.tobuf(tarfile.PAX_FORMAT) + bytes(1024))
    with pytest.raises(ArchiveRefusedError):
        list(read_archive(io.BytesIO(out.getvalue()), [identity]))


@pytest.mark.parametrize("plain", [b"", b"not a tar at all", bytes(10_240)])
def test_what_is_no_archive_of_ours_is_refused(plain: bytes) -> None:
    identity, out = X25519Identity.generate(), io.BytesIO()
    with encrypt(out, [identity.recipient]) as stream:
        stream.write(plain)
    with pytest.raises(ArchiveRefusedError):
        list(read_archive(io.BytesIO(out.getvalue()), [identity]))


def test_a_name_is_written_once() -> None:
    tar = ArchiveWriter(io.BytesIO(), [X25519Identity.generate().recipient])
    tar.add("a", b"")
    for name in ("a", "../b", "FORMAT"):
        with pytest.raises(ArchiveRefusedError):
            tar.add(name, b"")
