"""The document key of a funder outside its browser: its printed code, and opening a file with it.

Code: base32 (Crockford's alphabet) of the P-256 private number (32 bytes) and the first three bytes
of SHA-256("mobility-vault/document-key/1" ‖ 0x00 ‖ number), in groups of four; `static/boite.js`
writes it.
"""

from hashlib import sha256
from typing import Final

from federation.sealing import SealSuite
from portal.antivirus import Scanner, Verdict
from portal.errors import DocumentInfectedError, DocumentUnscannedError, FunderCodeError
from vault.crypto.box_key import BoxPrivateKey
from vault.crypto.opening import OpenedDocument, open_document
from vault.documents import EXTENSIONS, sniff

__all__ = ["code_of", "open_sealed", "read_code", "scanned"]

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LABEL: Final = b"mobility-vault/document-key/1\x00"
_SIZE: Final = 32
_SUM: Final = 3


def code_of(number: bytes) -> str:
    """The code of a private number."""
    whole = int.from_bytes(number + sha256(_LABEL + number).digest()[:_SUM], "big")
    text = "".join(_ALPHABET[(whole >> shift) & 31] for shift in range(275, -1, -5))
    return "-".join(text[i : i + 4] for i in range(0, len(text), 4))


def read_code(code: str) -> bytearray:
    """The private number of a code, as typed: case, spaces and O, I, L do not matter.

    Raises:
        FunderCodeError: a wrong letter somewhere.
    """
    table = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": "", "\n": "", "\t": ""})
    clean = code.strip().upper().translate(table)
    if len(clean) != 8 * (_SIZE + _SUM) // 5 or any(c not in _ALPHABET for c in clean):
        raise FunderCodeError
    whole = 0
    for char in clean:
        whole = whole << 5 | _ALPHABET.index(char)
    data = whole.to_bytes(_SIZE + _SUM, "big")
    if sha256(_LABEL + data[:_SIZE]).digest()[:_SUM] != data[_SIZE:]:
        raise FunderCodeError
    return bytearray(data[:_SIZE])


def open_sealed(data: bytes, code: str) -> tuple[OpenedDocument, str]:
    """A sealed document opened with the code, and the ending its bytes deserve.

    Raises:
        FunderCodeError, KeyUnknownError: sealed to another version. SealBrokenError, LayoutError;
        DocumentRefusedError: a file of no kind that is kept (it may be a program).
    """
    key = BoxPrivateKey(read_code(code), suite=SealSuite.P256)
    try:
        found = open_document(data, key=key)
    finally:
        key.wipe()
    return found, EXTENSIONS[sniff(found.content)]


def scanned(content: bytes, antivirus: str | None) -> bool:
    """Whether an antivirus found nothing; False: none is named.

    Raises:
        ScannerAddressError. DocumentInfectedError. DocumentUnscannedError: it cannot tell now.
    """
    if antivirus is None:
        return False
    found = Scanner(antivirus).scan(content)
    if found.verdict is Verdict.INFECTED:
        raise DocumentInfectedError(found.detail)
    if found.verdict is Verdict.CANNOT_TELL:
        raise DocumentUnscannedError(found.detail)
    return True
