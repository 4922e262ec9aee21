"""Deposits, segments and documents: what a depositor may not do, whoever it is."""

import threading
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from federation.keys import Ed25519Key, P256Key
from federation.sealing import (
    MAX_BYTES,
    BoxPublicKey,
    DepositReceipt,
    FunderKey,
    SealedDeposit,
    SealSuite,
    SegmentWriter,
    build_deposit,
    seal,
    seal_document,
    verify_manifest,
)
from federation.sealing.deposit import INFO_LABEL, MAX_OPENED, pack, unpack
from federation.sealing.errors import (
    BoxKeyError,
    DepositTooLargeError,
    FunderKeyExpiredError,
    LayoutError,
    ManifestSignatureError,
    RecordTooLargeError,
    SegmentClosedError,
)
from federation.sealing.layout import head, lp
from federation.sealing.manifest import optional_digest
from schemas.ids import Did, Digest, digest
from schemas.records import Compartment
from vault.crypto.box_key import BoxPrivateKey
from vault.crypto.envelope import open_record, seal_record
from vault.crypto.errors import DepositRefusedError, WrongVaultError
from vault.crypto.keyring import Keyring
from vault.crypto.opening import open_deposit, open_segment

AT = datetime(2026, 3, 2, tzinfo=UTC)
A, B = Keyring.create("A", at=AT), Keyring.create("B", at=AT)
KEY = Ed25519Key.generate()


def box(ring: Keyring) -> BoxPublicKey:
    return ring.box(Compartment.TRIPS).public


def deposit(**changes: Any) -> SealedDeposit:
    given: dict[str, Any] = {
        "records": [b"one", b"two"], "vault": "A", "depositor_signer": KEY.signer(), "account": "a",
        "seq": 1, "previous": None, "to": box(A), "at": AT,
    }  # fmt: skip
    given |= changes
    return build_deposit(given.pop("records"), **given)


def forged(
    packed: bytes,
    manifest: bytes,
    *,
    ring: Keyring = A,
    depositor: str | None = None,
    seq: int = 1,
    plain_codec: bool = True,
) -> bytes:
    """A deposit made by hand: any body under any header, properly sealed."""
    header = b"".join(
        (
            lp(ring.vault),
            lp(depositor or KEY.signer().verification_method.partition("#")[0]),
            lp("a"),
            seq.to_bytes(8, "big"),
            optional_digest(None if seq == 1 else Digest(bytes(32))),
            digest(manifest),
        )
    )
    opening = head(b"D") + lp(header)
    body = b"\x00\x01" + (b"\x00" if plain_codec else b"\x01") + len(packed).to_bytes(4, "big")
    return opening + seal(body + packed, to=box(ring), info=INFO_LABEL + opening)


def manifest_of(sealed: SealedDeposit) -> bytes:
    return open_deposit(sealed.data, box_for=A.box_for, vault="A").manifest.data


def refused(data: bytes, *, ring: Keyring = A) -> str:
    with pytest.raises(DepositRefusedError) as caught:
        open_deposit(data, box_for=ring.box_for, vault=ring.vault)
    return caught.value.reason


def test_a_deposit_signed_for_one_vault_is_refused_in_another_even_sealed_again() -> None:
    made = deposit()
    assert refused(made.data, ring=B) == "wrong-vault"
    manifest = manifest_of(made)
    again = forged(pack(manifest, [b"one", b"two"]), manifest, ring=B)
    with pytest.raises(WrongVaultError):
        open_deposit(again, box_for=B.box_for, vault="B")


def test_a_manifest_covers_its_records_place_and_depositor() -> None:
    manifest = manifest_of(deposit())
    good = pack(manifest, [b"one", b"two"])
    open_deposit(forged(good, manifest), box_for=A.box_for, vault="A")
    for data in (
        forged(pack(manifest, [b"one", b"TWO"]), manifest),
        forged(pack(manifest, [b"one"]), manifest),
        forged(pack(manifest, [b"two", b"one"]), manifest),
        forged(good, manifest, depositor="did:web:else"),
        forged(good, manifest, seq=2),
        forged(good, manifest + b"x"),
    ):
        assert refused(data) == "manifest-mismatch"


def test_a_signature_of_another_key_or_algorithm_does_not_verify() -> None:
    opened = open_deposit(deposit().data, box_for=A.box_for, vault="A")
    assert verify_manifest(opened.manifest, KEY.public).account == "a"
    for public in (Ed25519Key.generate().public, P256Key.generate().public):
        with pytest.raises(ManifestSignatureError):
            verify_manifest(opened.manifest, public)
    other = P256Key.generate()
    opened = open_deposit(
        deposit(depositor_signer=other.signer()).data, box_for=A.box_for, vault="A"
    )
    assert verify_manifest(opened.manifest.data, other.public).seq == 1


def test_a_bomb_is_refused_before_it_grows() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(bytes(MAX_OPENED * 4)) + packer.flush()
    assert refused(forged(bomb, b"", plain_codec=False)) == "decompression-refused"


def test_limits_of_a_deposit() -> None:
    import os

    assert len(deposit(records=[b"x"] * 500).data) < MAX_BYTES
    for records in ([], [b"x"] * 501, [os.urandom(300_000)]):
        with pytest.raises(DepositTooLargeError):
            deposit(records=records)
    with pytest.raises(RecordTooLargeError):
        deposit(records=[bytes((1 << 20) + 1)])
    with pytest.raises(DepositTooLargeError):
        SealedDeposit.parse(bytes(MAX_BYTES + 1))
    for seq, previous in ((1, digest(b"x")), (2, None), (0, None)):
        with pytest.raises(LayoutError):
            deposit(seq=seq, previous=previous)


def test_a_resend_has_the_same_digest_and_a_resealed_page_another() -> None:
    first, again = deposit(), deposit()
    assert SealedDeposit.parse(first.data) == first
    assert SealedDeposit.parse(first.data).digest == first.digest
    assert again.digest != first.digest
    home = Ed25519Key.generate().signer()
    one, two = (
        DepositReceipt.issue(first, home=Did("did:web:h"), received_at=AT, signer=home)
        for _ in range(2)
    )
    assert one == two


@pytest.mark.parametrize(("suite", "size"), [(1, 32), (2, 1216), (3, 65)])
def test_a_degenerate_public_key_is_refused(suite: int, size: int) -> None:
    with pytest.raises(BoxKeyError):
        seal(b"x", to=BoxPublicKey(SealSuite(suite), bytes(size)), info=b"")
    with pytest.raises(BoxKeyError):
        BoxPublicKey(SealSuite(suite), bytes(size - 1))


def test_what_unpacks_packs_the_same() -> None:
    assert unpack(pack(b"m", [b"", b"x"])) == (b"m", (b"", b"x"))


def test_a_segment_forgets_its_key_after_a_quarter_of_an_hour_or_a_thousand_points() -> None:
    writer = SegmentWriter(vault="A", depositor=Did("did:web:p"), account="a", to=box(A), at=AT)
    assert not writer.is_due(AT + timedelta(minutes=14))
    assert writer.is_due(AT + timedelta(minutes=15))
    frames = writer.append(b"p", points=999)
    assert not writer.is_due(AT)
    frames += writer.append(b"q", points=1)
    assert writer.is_due(AT)
    key = writer._key
    frames += writer.close()
    assert not any(key)
    for use in (writer.close, lambda: writer.append(b"r", points=1)):
        with pytest.raises(SegmentClosedError):
            use()
    assert "***" in repr(writer)
    opened = open_segment(writer.header, frames, box_for=A.box_for, vault="A")
    assert (opened.frames, opened.is_closed) == ((b"p", b"q"), True)


def test_an_expired_key_of_a_funder_is_refused() -> None:
    pair = BoxPrivateKey.generate(SealSuite.P256)
    funder = FunderKey(Did("did:web:f"), 1, pair.public, AT)
    with pytest.raises(FunderKeyExpiredError):
        seal_document(
            b"x", name="n", media_type="m", application="urn:uuid:1", to=funder,
            at=AT + timedelta(seconds=1),
        )  # fmt: skip


def test_one_month_key_serves_eight_threads() -> None:
    month, failures = A.month_key(Compartment.TRIPS, "2026-03"), list[BaseException]()

    def work(n: int) -> None:
        place: dict[str, Any] = {"vault": "A", "record_id": bytes([n]) * 16, "kind": "Trip"}
        try:
            for revision in range(1, 200):
                payload = b"%d-%d" % (n, revision)
                sealed = seal_record(payload, revision=revision, month_key=month, **place)
                opened = open_record(sealed, revision=revision, month_key=month, **place)
                assert opened.payload == payload
        except BaseException as error:  # handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
