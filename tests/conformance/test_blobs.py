"""Sealed files: one suite, a folder and a bucket of a real S3 server (moto's, on loopback)."""

import io
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from schemas.ids import digest
from tests.unit.vault.builders import PASSPHRASE, Citizen, Clock, make_home
from vault.backup import keys_of, put_back
from vault.blobs import ORPHAN_AGE, BlobFolder, BlobStore, SealedBlob
from vault.buckets import BlobBucket
from vault.crypto.blob import HEADER_SIZE, seal_blob
from vault.crypto.secret import AeadKey
from vault.documents import add_document, read_document
from vault.errors import (
    BackupInvalidError,
    BlobMissingError,
    BlobStoreUnreachableError,
    SettingsError,
)
from vault.store.rows import Blob

VAULT, OTHER = "a" * 32, "b" * 32
LETTER = b"%PDF-1.7\n" + b"une attestation " * 4_000


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture
def s3(endpoint: str) -> Any:
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")


@pytest.fixture
def bucket(endpoint: str, s3: Any) -> str:
    """The address of an empty bucket."""
    name = f"coffres-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=name)
    return f"s3://{name}/home?endpoint={endpoint}&region=us-east-1"


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "folder":
        return BlobFolder(tmp_path / "blobs", in_rows=300)
    return BlobBucket(request.getfixturevalue("bucket"), in_rows=300)


def sealed(size: int = 5_000) -> SealedBlob:
    """A sealed file of this many bytes: its layout takes 104."""
    name, out = secrets.token_bytes(16), io.BytesIO()
    key = AeadKey(bytearray(secrets.token_bytes(32)))
    content = io.BytesIO(secrets.token_bytes(size - 104))
    seal_blob(content, out, vault=VAULT, blob_id=name, kind="document", key=key)
    return SealedBlob(name.hex(), out.getvalue())


def test_what_is_written_is_read_and_small_files_stay_in_their_rows(store: BlobStore) -> None:
    large, small = sealed(), sealed(300)
    first, second = store.write_all(VAULT, [large, small])
    assert (first.sealed, second.sealed) == (None, small.sealed)
    assert store.read(VAULT, first) == large.sealed
    assert store.read(VAULT, second) == small.sealed
    with store.open(VAULT, first) as found:
        assert found.read(10) + found.read() == large.sealed
    assert store.names(VAULT) == {large.blob_id}
    assert store.names(OTHER) == set()
    again = SealedBlob(large.blob_id, secrets.token_bytes(400))
    (written,) = store.write_all(VAULT, [again])  # the same name again, after a crash
    assert store.read(VAULT, written) == again.sealed


def test_a_file_that_is_gone_cut_or_another_is_refused_by_name(store: BlobStore) -> None:
    (kept,) = store.write_all(VAULT, [sealed()])
    for wrong in (
        Blob(secrets.token_hex(16), kept.size, kept.digest),
        Blob(kept.blob_id, kept.size - 1, kept.digest),
        Blob(kept.blob_id, kept.size + 1, kept.digest),
        Blob(kept.blob_id, kept.size, digest(b"another")),
    ):
        with pytest.raises(BlobMissingError):
            store.read(VAULT, wrong)
    with pytest.raises(BlobMissingError):
        store.read(OTHER, kept)


def test_a_removed_file_is_gone_and_twice_is_once(store: BlobStore) -> None:
    one, two = store.write_all(VAULT, [sealed(), sealed()])
    store.remove(VAULT, one.blob_id)
    store.remove(VAULT, one.blob_id)
    assert store.names(VAULT) == {two.blob_id}
    with pytest.raises(BlobMissingError):
        store.read(VAULT, one)


def test_orphans_go_once_they_are_old_and_what_a_row_names_stays(store: BlobStore) -> None:
    kept, orphan = store.write_all(VAULT, [sealed(), sealed()])
    now = datetime.now(UTC)
    assert store.collect(VAULT, kept={kept.blob_id}, at=now) == 0
    later = now + ORPHAN_AGE + timedelta(minutes=1)
    assert store.collect(VAULT, kept={kept.blob_id}, at=later) == 1
    assert store.names(VAULT) == {kept.blob_id}
    assert orphan.blob_id not in store.names(VAULT)


def test_a_vault_goes_whole_and_its_neighbour_stays(store: BlobStore) -> None:
    store.write_all(VAULT, [sealed(400) for _ in range(5)])
    (neighbour,) = store.write_all(OTHER, [sealed()])
    store.remove_vault(VAULT)
    store.remove_vault(VAULT)
    assert store.names(VAULT) == set()
    assert store.names(OTHER) == {neighbour.blob_id}


# --- what only a bucket can do wrong -------------------------------------------------------------


def test_the_wrap_of_a_destroyed_file_is_overwritten_before_it_is_deleted(
    bucket: str, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BlobBucket(bucket)
    name = bucket.removeprefix("s3://").partition("/")[0]
    (kept,) = store.write_all(VAULT, [sealed()])
    original = store.read(VAULT, kept)
    monkeypatch.setattr(store._s3, "delete_object", lambda **_: None)
    store.remove(VAULT, kept.blob_id)
    key = f"home/{VAULT}/{kept.blob_id[:2]}/{kept.blob_id}"
    left = s3.get_object(Bucket=name, Key=key)["Body"].read()
    assert len(left) == HEADER_SIZE
    assert left != original[:HEADER_SIZE]


def test_a_bucket_that_keeps_versions_is_refused(bucket: str, s3: Any) -> None:
    name = bucket.removeprefix("s3://").partition("/")[0]
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    with pytest.raises(SettingsError, match="versions"):
        BlobBucket(bucket)


@pytest.mark.parametrize(
    "url",
    ["https://bucket", "s3:///x", "s3://b?cle=x", "s3://user:secret@bucket/x"],
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        BlobBucket(url)
    assert "secret" not in str(refused.value).replace("credentials", "")


def test_a_store_that_does_not_answer_or_refuses_is_for_later(endpoint: str) -> None:
    for where, reason in ((endpoint, "NoSuchBucket"), ("http://127.0.0.1:9", "Endpoint")):
        with pytest.raises(BlobStoreUnreachableError, match=reason):
            BlobBucket(f"s3://nobody-made-it?endpoint={where}&region=us-east-1")


def test_a_home_keeps_documents_in_a_bucket_and_a_shred_empties_it(
    bucket: str, s3: Any, tmp_path: Path
) -> None:
    name = bucket.removeprefix("s3://").partition("/")[0]
    with make_home(tmp_path / "home", Clock(), blobs_url=bucket) as home:
        citizen = Citizen(home)
        document = add_document(citizen.vault, LETTER, title="Attestation")
        citizen.with_trips(3, points=30)
        held = [o["Key"] for o in s3.list_objects_v2(Bucket=name).get("Contents", ())]
        assert len(held) == 4
        assert all(key.startswith(f"home/{citizen.vault_id}/") for key in held)
        assert not any((tmp_path / "home").glob("blobs/*"))
        assert b"".join(read_document(citizen.vault, document.id)) == LETTER
        (trip, *_) = citizen.vault.all_observed()
        assert trip is not None
        assert home.fsck(citizen.vault_id, citizen.vault).clean
        assert PASSPHRASE not in repr(home.blobs) + repr(home.settings)
        home.shred(citizen.vault_id)
        assert s3.list_objects_v2(Bucket=name).get("KeyCount") == 0


@pytest.mark.parametrize(("was", "becomes"), [(False, True), (True, True), (True, False)])
def test_a_home_is_put_back_from_and_into_a_bucket(
    bucket: str, s3: Any, tmp_path: Path, was: bool, becomes: bool
) -> None:
    name = bucket.removeprefix("s3://").partition("/")[0]
    other = bucket.replace("/home?", "/elsewhere?")
    clock = Clock()
    with make_home(tmp_path / "home", clock, blobs_url=bucket if was else None) as home:
        citizen = Citizen(home)
        document = add_document(citizen.vault, LETTER, title="Attestation")
        citizen.with_trips(2, points=30)
        held = home.blobs.names(citizen.vault_id)
        assert len(held) == 3
        home.backup(tmp_path / "copy")
    put_back(
        tmp_path / "copy",
        keys=keys_of(tmp_path / "copy"),
        folder=tmp_path / "new",
        bucket=BlobBucket(other) if becomes else None,
    )
    assert (tmp_path / "new" / "blobs").exists() is not becomes
    there = s3.list_objects_v2(Bucket=name, Prefix="elsewhere/").get("KeyCount")
    assert there == (len(held) if becomes else 0)
    with make_home(tmp_path / "new", clock, blobs_url=other if becomes else None) as back:
        assert back.blobs.names(citizen.vault_id) == held
        token = back.unlock(
            citizen.vault_id, passphrase=PASSPHRASE, client="192.0.2.1", restored=True
        )
        vault = back.session(token.cookie_value)
        assert b"".join(read_document(vault, document.id)) == LETTER
        assert back.fsck(citizen.vault_id, vault).clean


def test_a_copy_whose_file_was_changed_or_that_no_store_takes_puts_no_home_back(
    bucket: str, s3: Any, tmp_path: Path
) -> None:
    with make_home(tmp_path / "home", Clock()) as home:
        citizen = Citizen(home)
        add_document(citizen.vault, LETTER, title="Attestation")
        home.backup(tmp_path / "copy")
    keys = keys_of(tmp_path / "copy")
    gone = BlobBucket(bucket)
    s3.delete_bucket(Bucket=bucket.removeprefix("s3://").partition("/")[0])
    with pytest.raises(BlobStoreUnreachableError):
        put_back(tmp_path / "copy", keys=keys, folder=tmp_path / "new", bucket=gone)
    assert not (tmp_path / "new" / "home.db").exists()
    (kept,) = (path for path in (tmp_path / "copy" / "blobs").rglob("*") if path.is_file())
    altered = bytearray(kept.read_bytes())
    altered[-1] ^= 1
    kept.write_bytes(altered)
    with pytest.raises(BackupInvalidError, match="sealed file"):
        put_back(tmp_path / "copy", keys=keys, folder=tmp_path / "other")
    assert not (tmp_path / "other" / "home.db").exists()
