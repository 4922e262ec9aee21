"""The archive: a tar inside the age v1 file format. `age -d archive.age | tar x` opens it anywhere.

The first member is `FORMAT`, the text `mobility-vault-archive/1`. Members are regular files with
plain relative names; the reader refuses links, devices, absolute or climbing names, repeated names,
and sizes over its bounds, before it gives out a byte of them.
"""

import io
import re
import tarfile
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final, Self, cast

from federation.sealing.age import AgeHeader, AgeWriter, Recipient

from .age import Identity, decrypt
from .errors import ArchiveNewerError, ArchiveRefusedError

FORMAT_MEMBER: Final = "FORMAT"
FORMAT: Final = b"mobility-vault-archive/1\n"
_MAX_FORMAT: Final = 64
_ANY_VERSION: Final = re.compile(rb"mobility-vault-archive/[0-9]+\n")
MAX_MEMBER: Final = 1 << 30
MAX_TOTAL: Final = 1 << 36
MAX_MEMBERS: Final = 1_000_000
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.\-]*)*")
_MAX_NAME: Final = 240


def _check_name(name: str) -> str:
    if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
        raise ArchiveRefusedError("a member name that is not plain and relative")
    return name


class ArchiveWriter:
    """Writes members one after the other, in constant memory. Leave the `with` block without an
    error, or the file has no end.

    Same members, same order: same tar bytes (no times, no owners), so a digest of the content can
    be compared.
    """

    def __init__(self, out: BinaryIO, recipients: Sequence[Recipient] | AgeHeader) -> None:
        self._age = AgeWriter(out, recipients)
        self._tar = tarfile.open(  # noqa: SIM115  # closed in `close`
            fileobj=cast(BinaryIO, self._age), mode="w|", format=tarfile.PAX_FORMAT
        )
        self._names: set[str] = set()
        self.add(FORMAT_MEMBER, FORMAT)

    def add(self, name: str, content: bytes | BinaryIO, *, size: int | None = None) -> None:
        """One member, from bytes or from a stream of `size` bytes.

        Raises:
            ArchiveRefusedError: a name that is not plain or was used before, or over 1 GiB.
        """
        if _check_name(name) in self._names:
            raise ArchiveRefusedError("a member name used before")
        if isinstance(content, bytes):
            size, content = len(content), io.BytesIO(content)
        if size is None or not 0 <= size <= MAX_MEMBER:
            raise ArchiveRefusedError("a member needs a size of at most 1 GiB")
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o600
        self._names.add(name)
        self._tar.addfile(member, content)

    def close(self) -> None:
        """End the tar and the age file. The underlying stream stays open."""
        self._tar.close()
        self._age.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()


def read_archive(
    source: BinaryIO, identities: Sequence[Identity]
) -> Iterator[tuple[str, BinaryIO]]:
    """Name and content stream of each member after `FORMAT`, in order; a stream is good until the
    next member.

    Raises:
        AgeError: as `vault.crypto.age.decrypt` and its `read`.
        ArchiveRefusedError: not an archive of ours, or a member that has no place in one;
            ArchiveNewerError: of a version of the format that we do not know.
    """
    plain = decrypt(source, identities)
    try:
        with tarfile.open(fileobj=cast(BinaryIO, plain), mode="r|") as tar:
            names, total = set[str](), 0
            for member in tar:
                name = _check_name(member.name)
                total += member.size
                if not member.isreg() or member.issparse() or name in names:
                    raise ArchiveRefusedError("a member that is not a file, or a name used before")
                if member.size > MAX_MEMBER or total > MAX_TOTAL or len(names) >= MAX_MEMBERS:
                    raise ArchiveRefusedError("too large")
                content = tar.extractfile(member)
                if content is None:
                    raise ArchiveRefusedError("a member without content")
                if not names:
                    said = content.read(_MAX_FORMAT) if name == FORMAT_MEMBER else b""
                    if said != FORMAT:
                        if _ANY_VERSION.fullmatch(said):
                            raise ArchiveNewerError("a version of the format we do not know")
                        raise ArchiveRefusedError("the first member is not FORMAT of version 1")
                else:
                    yield name, cast(BinaryIO, content)
                names.add(name)
            if not names:
                raise ArchiveRefusedError("an empty tar")
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise ArchiveRefusedError("not a tar") from error
    while plain.read(1 << 16):
        pass  # the last chunk must be authentic too: a cut file is refused


__all__ = ["ArchiveWriter", "read_archive"]
