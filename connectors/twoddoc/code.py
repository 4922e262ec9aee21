"""What a 2D-Doc says (Spécifications techniques 2D-Doc 3.3, perimeter 01): header, fields,
signature.

`DC`, version, authority, certificate, two dates, type, perimeter (from version 3), country (from
version 4); then fields of two characters and a value, of a fixed length or ended by GS (RS: cut);
then US and the signature in Base32. Only fields of known length can be passed over, so only the
types whose fields stand here are read.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from connectors.errors import HostileInputError

__all__ = ["ADDRESS", "TAX", "Code", "parse"]

MAX_CODE: Final = 4_000
"""Characters; the largest DataMatrix holds 2 335 alphanumerics."""
ADDRESS: Final = frozenset({"00", "01", "02"})
"""Proof of address; bill of energy, water, telephone; local tax notice."""
TAX: Final = frozenset({"04", "18", "24", "27", "28"})
"""Income tax notice (04, 28) and declared situation (18, 24, 27)."""
GS, RS, US = "\x1d", "\x1e", "\x1f"
_EPOCH: Final = date(2000, 1, 1)
_SPELLED: Final = {
    **dict.fromkeys(("<GS>", "{GS}", "␝", "[GS]"), GS),
    **dict.fromkeys(("<RS>", "{RS}", "␞", "[RS]"), RS),
    **dict.fromkeys(("<US>", "{US}", "␟", "[US]"), US),
}
"""How scanners write what has no letter."""

_NAMES = (38, "10 11 12 13 14 15 16 17 20 21 22 23 27 28 29 2A 1I 1J 1K 1L 1M 1N 1O 1P")
_FIXED: Final[Mapping[str, int]] = {
    "08": 4, "09": 4, "0A": 9, "0B": 9, "0D": 36,
    "1C": 8, "1G": 1, "1H": 1, "24": 5, "26": 2, "2B": 5, "2D": 2,
    "40": 13, "44": 13, "45": 4, "47": 13, "49": 13, "4A": 8, "4B": 8, "4C": 8, "4P": 5,
    "4S": 4, "6W": 5, "6Y": 2,
}  # fmt: skip
"""Characters of fields of one length."""
_MOST: Final[Mapping[str, int | None]] = {
    **dict.fromkeys(_NAMES[1].split(), _NAMES[0]),
    "01": None, "02": None, "03": None, "04": None, "05": None, "06": None, "07": None,
    "0C": None, "18": None, "19": None, "1A": None, "1B": None, "1D": 16, "1E": 30, "1F": 30,
    "25": 32, "2C": 32, "41": 12, "42": None, "43": 5, "46": 38, "48": 38, "4N": 38, "4O": 38,
    "4Q": 32, "4R": 30, "4T": 30, "4U": 38, "4V": 10, "4W": 10, "4X": 10, "4Y": 155, "4Z": 10,
    "6S": 38, "6T": 38, "6U": 38, "6V": 38, "6X": 32,
}  # fmt: skip
"""Most characters of the others; None: until GS."""


@dataclass(frozen=True, slots=True)
class Code:
    """A 2D-Doc as read; nothing of it is verified."""

    version: int
    authority: str
    """Certification authority, e.g. `FR04`."""
    certificate: str
    """Number of the signer's certificate at that authority."""
    issued_on: date | None
    signed_on: date
    type: str
    country: str
    fields: Mapping[str, str]
    cut: frozenset[str]
    """Fields that were shortened to fit."""
    signed: bytes
    """What the signature covers."""
    signature: bytes
    """r ‖ s."""

    @property
    def text(self) -> str:
        """The code again, byte for byte, as it can be verified later."""
        packed = base64.b32encode(self.signature).decode().rstrip("=")
        return f"{self.signed.decode('ascii')}{US}{packed}"


def parse(given: str) -> Code:
    """Read a scanned code.

    Raises:
        HostileInputError: not a 2D-Doc, of a version or type that is not read, or damaged; `where`
        names the part.
    """
    if len(given) > MAX_CODE:
        raise HostileInputError(f"over {MAX_CODE} characters", where="code")
    text = given.strip(" \t\r\n\ufeff").replace("\r", "").replace("\n", "")
    for spelled, sign in _SPELLED.items():
        text = text.replace(spelled, sign)
    if not text.isascii() or not text.startswith("DC"):
        raise HostileInputError("not a 2D-Doc", where="code")
    match = re.match(
        r"DC(?P<v>0[1-4])(?P<ca>[A-Z0-9]{4})(?P<cert>[A-Z0-9]{4})"
        r"(?P<issued>[0-9A-F]{4})(?P<signed>[0-9A-F]{4})(?P<type>[0-9A-Z]{2})",
        text,
    )
    if match is None:
        raise HostileInputError("not a 2D-Doc", where="header")
    version, at = int(match["v"]), match.end()
    perimeter, country = "01", "FR"
    if version >= 3:
        perimeter, at = text[at : at + 2], at + 2
    if version >= 4:
        country, at = text[at : at + 2], at + 2
    if perimeter != "01" or match["type"] not in ADDRESS | TAX:
        raise HostileInputError("a type that is not read", where="type")
    body, separator, rest = text[at:].partition(US)
    if not separator:
        raise HostileInputError("no signature", where="signature")
    fields, cut = _fields(body)
    signed_on = _day(match["signed"])
    if signed_on is None:
        raise HostileInputError("not signed on a day", where="header")
    return Code(
        version=version,
        authority=match["ca"],
        certificate=match["cert"],
        issued_on=_day(match["issued"]),
        signed_on=signed_on,
        type=match["type"],
        country=country,
        fields=fields,
        cut=cut,
        signed=text[: at + len(body)].encode("ascii"),
        signature=_signature(rest.partition(GS)[0]),  # behind it: an annex that is not signed
    )


def _day(hexadecimal: str) -> date | None:
    """Days since 2000-01-01; FFFF: none."""
    return None if hexadecimal == "FFFF" else _EPOCH + timedelta(days=int(hexadecimal, 16))


def _fields(body: str) -> tuple[dict[str, str], frozenset[str]]:
    found: dict[str, str] = {}
    cut = set()
    at = 0
    while at < len(body):
        name, at = body[at : at + 2], at + 2
        if name in _FIXED:
            end = at + _FIXED[name]
            value = body[at:end]
            if len(value) != _FIXED[name] or GS in value or RS in value:
                raise HostileInputError("a field of another length", where=name)
        elif name in _MOST:
            most = _MOST[name]
            limit = len(body) if most is None else min(len(body), at + most)
            end = next((i for i in range(at, limit) if body[i] in (GS, RS)), limit)
            value = body[at:end]
        else:
            raise HostileInputError("a field that is not known", where="fields")
        if body[end : end + 1] == RS:
            cut.add(name)
        at = end + (1 if body[end : end + 1] in (GS, RS) and body[end : end + 1] else 0)
        if name in found:
            raise HostileInputError("a field twice", where=name)
        found[name] = value.strip()
    return found, frozenset(cut)


def _signature(text: str) -> bytes:
    try:
        found = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        raise HostileInputError("not Base32", where="signature") from None
    if len(found) not in (64, 96, 132):  # P-256, P-384, P-521
        raise HostileInputError("of no curve that is used", where="signature")
    return found
