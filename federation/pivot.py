"""The identity pivot in one written form, and the nullifiers an identity issuer makes of it.

Canonical form, version 1 (vectors: `tests/vectors/pivot.json`): the fields of the RNIPP, each after
NFC, in this order, joined by line feeds after a first line that names the version:

1. birth family name, 2. given names: decomposed, marks removed, ligatures written out, apostrophes
and hyphens to spaces, capitals, spaces single; 3. date of birth `YYYY-MM-DD`, with `00` for an
unknown month or day; 4. sex `M`, `F` or empty; 5. commune of birth (COG), empty abroad; 6. country
of birth (COG), `99100` for France.

A nullifier is HMAC-SHA-256(k_F, canonical pivot): the key of a family is derived from the issuer's
family key, so that families do not link. A pivot has little entropy: the key never leaves the
issuer, and a hash of a pivot must never be published. Design §8.

    MobilityError
    └── PivotError (InvalidInput)      `pivot-invalid`: a field that is no pivot's
"""

import hashlib
import hmac
import re
import unicodedata
from dataclasses import dataclass
from typing import ClassVar, Final

from federation.credentials.types import Nullifier
from schemas.errors import InvalidInput, MobilityError

__all__ = ["Pivot", "PivotError", "canonical_pivot", "pivot_nullifier"]

_VERSION: Final = "pivot/1"
_DATE: Final = re.compile(r"(\d{4})-(0\d|1[0-2])-([0-2]\d|3[01])")
_PARTIAL: Final = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_COMMUNE: Final = re.compile(r"\d[0-9AB]\d{3}")
_COUNTRY: Final = re.compile(r"99\d{3}")
_LIGATURES: Final = str.maketrans({"Æ": "AE", "Œ": "OE", "ß": "SS", "Ø": "O", "Ł": "L", "Đ": "D"})
_BREAKS: Final = re.compile(r"[\s'’ʼ\-‐-―]+")
_LETTERS: Final = re.compile(r"[A-Z]+( [A-Z]+)*")
MAX_NAME: Final = 200


class PivotError(MobilityError, InvalidInput):
    """A field that is no pivot's; `where` names it, its value is never repeated."""

    code: ClassVar[str] = "pivot-invalid"

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(f"{where}: not a field of an identity pivot")


@dataclass(frozen=True, slots=True, repr=False)
class Pivot:
    """Who somebody is in the civil register, as an identity federation tells it."""

    family_name: str
    """At birth."""
    given_names: str
    birth_date: str
    """`YYYY-MM-DD`; `YYYY-MM` or `YYYY` where the register knows no more."""
    gender: str
    """`male`, `female`, or empty."""
    birth_place: str
    birth_country: str

    def __repr__(self) -> str:
        return "Pivot(***)"


def canonical_pivot(pivot: Pivot) -> bytes:
    """The bytes a nullifier is made over.

    Raises:
        PivotError: a name without letters, no date, an unknown sex, a code that is none.
    """
    country = pivot.birth_country.strip()
    if _COUNTRY.fullmatch(country) is None:
        raise PivotError("birth_country")
    place = pivot.birth_place.strip().upper()
    if country != "99100":
        place = ""
    elif _COMMUNE.fullmatch(place) is None:
        raise PivotError("birth_place")
    sex = {"male": "M", "female": "F", "": ""}.get(pivot.gender.strip().lower())
    if sex is None:
        raise PivotError("gender")
    fields = (
        _VERSION,
        _name(pivot.family_name, "family_name"),
        _name(pivot.given_names, "given_names"),
        _date(pivot.birth_date),
        sex,
        place,
        country,
    )
    return "\n".join(fields).encode("ascii")


def _name(text: str, where: str) -> str:
    if len(text) > MAX_NAME:
        raise PivotError(where)
    raised = unicodedata.normalize("NFC", text).upper().translate(_LIGATURES)
    plain = "".join(
        char for char in unicodedata.normalize("NFD", raised) if not unicodedata.combining(char)
    )
    found = _BREAKS.sub(" ", plain).strip()
    if _LETTERS.fullmatch(found) is None:
        raise PivotError(where)
    return found


def _date(text: str) -> str:
    if _PARTIAL.fullmatch(text) is None:
        raise PivotError("birth_date")
    whole = text + "-00" * (3 - len(text.split("-")))
    if _DATE.fullmatch(whole) is None:
        raise PivotError("birth_date")
    return whole


def pivot_nullifier(family_key: bytes, family: str, version: int, pivot: Pivot) -> Nullifier:
    """The person's nullifier in `family`, from the issuer's 32-byte family key.

    Raises:
        PivotError: see `canonical_pivot`. ValueError: a key of another size.
    """
    if len(family_key) != 32:
        raise ValueError("a family key has 32 bytes")
    label = f"nullifier/{family}/{version}".encode()
    key = hmac.new(family_key, label, hashlib.sha256).digest()
    value = hmac.new(key, canonical_pivot(pivot), hashlib.sha256).hexdigest()
    return Nullifier(family=family, version=str(version), value=value)
