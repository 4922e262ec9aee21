"""Documents: files a citizen keeps, as sealed chunked blobs beside their records.

The media type is what the bytes say, never what the sender says; what a browser would run (HTML,
SVG, scripts) is of no kind that is kept. The blob's name follows from the record's IRI under the
index key, so nothing else has to say which file belongs to which document.
"""

import io
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, Final

from schemas.ids import Iri, digest, mint_iri
from schemas.records import Compartment, Document, Record
from vault.blobs import SealedBlob
from vault.crypto.blob import BlobHeader, open_blob, seal_blob
from vault.editing import find_answer, remember
from vault.errors import (
    BlobMissingError,
    DocumentRefusedError,
    HeadMovedError,
    RecordUnknownError,
)
from vault.library import Draft, Shelf
from vault.store import Blob

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = [
    "EXTENSIONS",
    "MAX_DOCUMENT",
    "add_document",
    "attached",
    "blobs_of",
    "document",
    "drop",
    "find_blob",
    "read_document",
    "read_file",
    "seal_document",
    "sniff",
]

MAX_DOCUMENT: Final = 20_000_000
"""Bytes: a scanned contract of thirty pages at 300 dpi; sealed for a funder it must pass their
limit too."""
BLOB_KIND: Final = "deposited"
EXTENSIONS: Final = {
    "application/pdf": "pdf",
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/heic": "heic",
    "image/tiff": "tif",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/json": "json",
    "text/plain": "txt",
}
"""Media types that are kept, and the ending of a downloaded file."""

_MAGIC: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)


def sniff(data: bytes) -> str:
    """The media type of a file by its first bytes.

    Raises:
        DocumentRefusedError: of no kind in `EXTENSIONS`.
    """
    for magic, media_type in _MAGIC:
        if data.startswith(magic):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp" and data[8:12] in {b"heic", b"heix", b"mif1", b"msf1"}:
        return "image/heic"
    if data.startswith(b"PK\x03\x04"):
        return _office(data)
    return _text(data)


def _office(data: bytes) -> str:
    """Office documents are zip files that say so in a member; nothing of them is unpacked here."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as found:
            names = set(found.namelist()[:2_000])
    except (zipfile.BadZipFile, ValueError, OSError):
        raise DocumentRefusedError("a damaged file") from None
    if "xl/workbook.xml" in names:
        return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    if "word/document.xml" in names:
        return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    for media_type in ("text", "spreadsheet"):
        said = f"application/vnd.oasis.opendocument.{media_type}"
        if data[30:200].startswith(b"mimetype" + said.encode() + b"PK"):
            return said
    raise DocumentRefusedError("an archive is not kept: join its files one by one")


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise DocumentRefusedError("of no kind that is kept") from None
    if any(c < " " and c not in "\t\r\n\f" for c in text):
        raise DocumentRefusedError("of no kind that is kept")
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start == "<":
        raise DocumentRefusedError("pages and drawings that a browser would run are not kept")
    return "application/json" if start in {"{", "["} else "text/plain"


def blobs_of(vault: "OpenVault", document: Iri) -> tuple[bytes, ...]:
    """The 16 bytes that name a document's blob, the present name first: named as rows are
    (`Library.row_ids`), by the index key, so that a record says nothing of its file."""
    return vault.library.names("document", Compartment.DOCUMENTS, document)


def seal_document(vault: "OpenVault", document: Iri, source: BinaryIO) -> SealedBlob:
    """The sealed file of a document, not yet written."""
    blob_id, out = blobs_of(vault, document)[0], io.BytesIO()
    seal_blob(
        source,
        out,
        vault=vault.vault_id,
        blob_id=blob_id,
        kind=BLOB_KIND,
        key=vault.library.keyring.blob_key(),
    )
    return SealedBlob(blob_id.hex(), out.getvalue())


def attached(
    vault: "OpenVault", data: bytes, *, title: str, about: Iri | None = None
) -> tuple[Document, SealedBlob]:
    """A file as a record and its sealed blob, neither written yet.

    Raises:
        DocumentRefusedError: empty, over `MAX_DOCUMENT`, or of no kind that is kept.
    """
    if not data or len(data) > MAX_DOCUMENT:
        raise DocumentRefusedError(f"a file of 1 to {MAX_DOCUMENT} bytes")
    media_type = sniff(data)
    record = Document(
        id=mint_iri(),
        title=_line(title) or "document",
        media_type=media_type,
        size=len(data),
        content=digest(data),
        created_at=vault.home.clock(),
        about=about,
    )
    return record, seal_document(vault, record.id, io.BytesIO(data))


def _line(title: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in title).split())[:200]


def add_document(
    vault: "OpenVault",
    data: bytes,
    *,
    title: str,
    about: Iri | None = None,
    key: str | None = None,
) -> Document:
    """Keep a file. `about` names the record it proves; `key` makes a repeat the same document.

    Raises:
        DocumentRefusedError: empty, over `MAX_DOCUMENT`, or of no kind that is kept.
        RecordUnknownError: no record is `about`.
        IdempotencyKeyReusedError: the key kept another file.
    """
    record, sealed = attached(vault, data, title=title, about=about)
    cleaned = _line(title)
    request = bytes(record.content) + cleaned.encode() + (about or "").encode()
    # Durable before its row: a crash between the two leaves an orphan that is collected by age.
    written = vault.home.blobs.write_all(vault.vault_id, [sealed])
    made = None
    with vault.library.writing() as draft:
        if key is not None:
            made = find_answer(vault, draft, key, request)
        if made is None:
            if about is not None and draft.find(about) is None:
                raise RecordUnknownError(about)
            if blobs_of(vault, record.id)[0].hex() != sealed.blob_id:
                # Another worker opened an epoch meanwhile: the file has its earlier name.
                raise HeadMovedError(expected=draft.head.seq, found=draft.head.seq)
            for blob in written:
                draft.tx.put_blob(vault.vault_id, blob)
            vault.store_record(draft, record)
            if key is not None:
                remember(vault, draft, key, request, record.id)
            draft.journal("document-put", count=1, bytes=len(data))
    if made is not None:
        vault.home.blobs.remove(vault.vault_id, sealed.blob_id)
        return document(vault, made)
    return record


def document(vault: "OpenVault", iri: Iri) -> Document:
    """Raises RecordUnknownError: no document of this IRI."""
    found = vault.get(iri)
    if not isinstance(found, Document):
        raise RecordUnknownError(iri)
    return found


def read_document(vault: "OpenVault", iri: Iri) -> Iterator[bytes]:
    """The bytes of a document, chunk by chunk; each was authenticated before it comes out.

    Raises:
        RecordUnknownError: no such document.
        BlobMissingError: its file is gone or cut (at once); SealBrokenError while reading.
    """
    found = document(vault, iri)
    try:
        with vault.library.reading() as shelf:
            return read_file(vault, shelf, found.id)
    except BlobMissingError:  # a renewal of keys named it anew between its row and its file
        with vault.library.reading() as shelf:
            return read_file(vault, shelf, found.id)


def read_file(vault: "OpenVault", shelf: Shelf, iri: Iri) -> Iterator[bytes]:
    """As `read_document`, of a snapshot; opened at once."""
    blob = find_blob(vault, shelf, iri)
    if blob is None:
        raise BlobMissingError("this document has no file")
    source = vault.home.blobs.open(vault.vault_id, blob)
    try:
        epoch = BlobHeader.of(source.peek(88)[:88]).epoch
        parts = open_blob(
            source,
            vault=vault.vault_id,
            blob_id=bytes.fromhex(blob.blob_id),
            kind=BLOB_KIND,
            key=vault.library.keyring.blob_key(epoch=epoch),
        )
    except BaseException:  # an altered header: nobody will read the rest
        source.close()
        raise

    def stream() -> Iterator[bytes]:
        with source:
            yield from parts

    return stream()


def drop(vault: "OpenVault", draft: Draft, record: Record | Iri) -> None:
    """Destroy a document's file with this commit."""
    iri = record if isinstance(record, str) else record.id
    for name in blobs_of(vault, Iri(iri)):
        vault.drop_blob(draft, name.hex())


def find_blob(vault: "OpenVault", shelf: Shelf, document: Iri) -> Blob | None:
    """The row of a document's file, whichever name it has; None when there is none."""
    for name in blobs_of(vault, document):
        found = shelf.reader.blob(vault.vault_id, name.hex())
        if found is not None:
            return found
    return None
