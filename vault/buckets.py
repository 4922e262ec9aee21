"""Sealed files in an S3 bucket: what `BlobFolder` does on a file system, with the same promises.

An object is `<prefix><vault>/<xx>/<blob>`, the path it has in a folder: copying `blobs/` into the
bucket moves a home. A write counts when the store has acknowledged it, so a row
always has its object. Destroying overwrites with the header whose wrap is zeros, then deletes. A
bucket that keeps earlier versions would keep what was destroyed: such a bucket is refused.

Address: `s3://bucket/prefix?endpoint=https://…&region=…`. Credentials come from where the SDK looks
(`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, a profile, an instance's role), never from the
address. Needs the extra `s3`.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from schemas.ids import digest
from vault.blobs import ORPHAN_AGE, SealedBlob
from vault.crypto.blob import HEADER_SIZE, destroy_blob_key
from vault.errors import BlobMissingError, BlobStoreUnreachableError, SettingsError
from vault.store.rows import Blob

__all__ = ["BlobBucket"]

CONNECT_S: Final = 5
READ_S: Final = 30
ATTEMPTS: Final = 3
_GONE: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_BATCH: Final = 1_000
"""Objects of one deletion: the protocol's limit."""


class BlobBucket:
    """Sealed blobs in a bucket. Knows no keys. Safe to share between threads."""

    def __init__(self, url: str, *, in_rows: int = 0) -> None:
        """`in_rows`: up to how many sealed bytes a blob stays in its row.

        Raises:
            SettingsError: no such address, the extra `s3` is missing, or the bucket keeps versions.
            BlobStoreUnreachableError: the store does not answer, or refuses.
        """
        bucket, self._prefix, options = _parts(url)
        self._in_rows, self._bucket = in_rows, bucket
        self._s3 = _client(**options)
        with self._asking():
            versions = self._s3.get_bucket_versioning(Bucket=bucket).get("Status", "")
        if versions:
            raise SettingsError("the bucket keeps versions: what is destroyed would stay in it")

    def __repr__(self) -> str:
        return f"BlobBucket({self._bucket})"

    def _key(self, vault_id: str, blob_id: str) -> str:
        return f"{self._prefix}{vault_id}/{blob_id[:2]}/{blob_id}"

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Raises BlobMissingError: no such object. BlobStoreUnreachableError: anything else."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _GONE:
                raise BlobMissingError("a sealed file is gone") from None
            raise BlobStoreUnreachableError(code) from error
        except BotoCoreError as error:
            raise BlobStoreUnreachableError(type(error).__name__) from error

    def write_all(self, vault_id: str, many: Sequence[SealedBlob]) -> list[Blob]:
        """As `BlobFolder.write_all`: stored when this returns."""
        blobs = []
        for blob in many:
            size = len(blob.sealed)
            if size <= self._in_rows:
                blobs.append(Blob(blob.blob_id, size, digest(blob.sealed), blob.sealed))
                continue
            self._put(self._key(vault_id, blob.blob_id), blob.sealed)
            blobs.append(Blob(blob.blob_id, size, digest(blob.sealed)))
        return blobs

    def _put(self, key: str, body: bytes) -> None:
        with self._asking():
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)

    def read(self, vault_id: str, blob: Blob) -> bytes:
        """Raises BlobMissingError: gone, cut short or altered."""
        sealed = blob.sealed
        if sealed is None:
            sealed = self._get(self._key(vault_id, blob.blob_id), most=blob.size)
        if len(sealed) != blob.size or digest(sealed) != blob.digest:
            raise BlobMissingError("a sealed file is not what was written")
        return sealed

    def _get(self, key: str, *, most: int) -> bytes:
        with self._asking():
            found = self._s3.get_object(Bucket=self._bucket, Key=key)
            with found["Body"] as body:
                out: bytes = body.read(most + 1)
        return out

    def open(self, vault_id: str, blob: Blob) -> io.BufferedReader:
        """A sealed file to read from its start, whole in memory. Raises as `read`."""
        return io.BufferedReader(io.BytesIO(self.read(vault_id, blob)))

    def remove(self, vault_id: str, blob_id: str) -> None:
        """Destroy a sealed file: the wrap of its data key is overwritten, then the object goes."""
        key = self._key(vault_id, blob_id)
        with self._asking():
            try:
                with self._asking():
                    header = self._s3.get_object(
                        Bucket=self._bucket, Key=key, Range=f"bytes=0-{HEADER_SIZE - 1}"
                    )["Body"].read(HEADER_SIZE)
            except BlobMissingError:
                return
            if len(header) == HEADER_SIZE:
                self._put(key, destroy_blob_key(header))
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def _listed(self, vault_id: str) -> Iterator[tuple[str, datetime]]:
        """(blob, last written) of each object of a vault."""
        with self._asking():
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{self._prefix}{vault_id}/"
            )
            for page in pages:
                for found in page.get("Contents", ()):
                    yield found["Key"].rpartition("/")[2], found["LastModified"]

    def names(self, vault_id: str) -> set[str]:
        return {name for name, _ in self._listed(vault_id)}

    def collect(self, vault_id: str, *, kept: set[str], at: datetime) -> int:
        """Remove objects that no row names and that are older than `ORPHAN_AGE`; how many."""
        old = [
            name
            for name, written in self._listed(vault_id)
            if name not in kept and written < at - ORPHAN_AGE
        ]
        self._delete(vault_id, old)
        return len(old)

    def remove_vault(self, vault_id: str) -> None:
        self._delete(vault_id, sorted(self.names(vault_id)))

    def _delete(self, vault_id: str, names: Sequence[str]) -> None:
        for first in range(0, len(names), _BATCH):
            batch = [{"Key": self._key(vault_id, n)} for n in names[first : first + _BATCH]]
            with self._asking():
                answer = self._s3.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": batch, "Quiet": True}
                )
            if answer.get("Errors"):
                raise BlobStoreUnreachableError(str(answer["Errors"][0].get("Code", "")))


def _parts(url: str) -> tuple[str, str, dict[str, str | None]]:
    """Bucket, prefix, and what the client is told. Raises SettingsError."""
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    if parts.scheme != "s3" or not parts.hostname or asked.keys() - {"endpoint", "region"}:
        raise SettingsError("blobs_url is s3://bucket/prefix?endpoint=https://…&region=…")
    if parts.username or parts.password:
        raise SettingsError("blobs_url holds credentials: they belong into the environment")
    prefix = parts.path.strip("/")
    given = {name: asked.get(name, [None])[0] for name in ("endpoint", "region")}
    return parts.netloc, f"{prefix}/" if prefix else "", given


def _client(*, endpoint: str | None, region: str | None) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise SettingsError(
            "blobs_url needs the extra s3: pip install mobility-vault[s3]"
        ) from None
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        config=Config(
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
            retries={"max_attempts": ATTEMPTS, "mode": "standard"},
        ),
    )
