"""Token Status List: one or two bits a token, thousands of tokens a list, for SD-JWT VCs.

A JWT of type `statuslist+jwt` whose `sub` is its own address; `lst` is base64url of the
ZLIB-compressed bits, entry 0 in the lowest bits of byte 0.
Source: IETF draft-ietf-oauth-status-list §4 (list), §5.1 (JWT form), §6.2 (reference), §7.1
(types).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from federation.credentials.status import (
    MAX_ENTRIES,
    MIN_ENTRIES,
    BitstringError,
    StatusSource,
    StatusUnreachableError,
)
from federation.jose import JwsError, JwsMalformedError, sign_jws, verify_jws
from federation.keys import PublicKey, Signer
from federation.multibase import EncodingError, b64url, b64url_decode
from federation.trust import TrustError, TrustSnapshot

__all__ = ["TokenStatus", "TokenStatusList", "issue_token_status_list", "token_status"]

TYP: Final = "statuslist+jwt"
VALID, INVALID, SUSPENDED = 0, 1, 2
_BITS: Final = 2


@dataclass(frozen=True, slots=True)
class TokenStatus:
    """Where a token's status is kept."""

    uri: str
    index: int

    def to_json(self) -> dict[str, Any]:
        """The `status` claim."""
        return {"status_list": {"idx": self.index, "uri": self.uri}}

    @classmethod
    def from_json(cls, value: object) -> TokenStatus:
        """Read a `status` claim.

        Raises:
            BitstringError: not one.
        """
        entry = value.get("status_list") if isinstance(value, Mapping) else None
        if not isinstance(entry, Mapping) or set(entry) != {"idx", "uri"}:
            raise BitstringError("not a status claim")
        if type(entry["idx"]) is not int or entry["idx"] < 0 or not isinstance(entry["uri"], str):
            raise BitstringError("not a status claim")
        return cls(entry["uri"], entry["idx"])


class TokenStatusList:
    """The entries of one list, two bits each when we issue; 1, 2, 4 or 8 when we read."""

    def __init__(self, data: bytearray, bits: int = _BITS) -> None:
        """Raises:
        BitstringError: `bits` is another number, or the size is out of bounds.
        """
        if bits not in (1, 2, 4, 8):
            raise BitstringError("entries have 1, 2, 4 or 8 bits")
        if not MIN_ENTRIES <= len(data) * 8 // bits <= MAX_ENTRIES:
            raise BitstringError("a list has 131 072 to 8 388 608 entries")
        self._data, self.bits = data, bits

    @classmethod
    def empty(cls, entries: int = MIN_ENTRIES) -> TokenStatusList:
        """A list of valid entries."""
        return cls(bytearray(entries * _BITS // 8))

    def __len__(self) -> int:
        return len(self._data) * 8 // self.bits

    def _place(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self):
            raise BitstringError("index outside the list")
        return index * self.bits // 8, index * self.bits % 8

    def __getitem__(self, index: int) -> int:
        byte, shift = self._place(index)
        return self._data[byte] >> shift & ((1 << self.bits) - 1)

    def __setitem__(self, index: int, status: int) -> None:
        byte, shift = self._place(index)
        mask = (1 << self.bits) - 1
        if not 0 <= status <= mask:
            raise BitstringError("a status that does not fit")
        self._data[byte] = self._data[byte] & ~(mask << shift) & 0xFF | status << shift

    def to_json(self) -> dict[str, Any]:
        """The `status_list` claim."""
        return {"bits": self.bits, "lst": b64url(zlib.compress(bytes(self._data), 9))}

    @classmethod
    def from_json(cls, value: object) -> TokenStatusList:
        """Inverse of `to_json`; decompression stops at the largest list.

        Raises:
            BitstringError: not one, or out of bounds.
        """
        if not isinstance(value, Mapping) or not isinstance(value.get("lst"), str):
            raise BitstringError("not a status list")
        bits = value.get("bits")
        if type(bits) is not int:
            raise BitstringError("entries have 1, 2, 4 or 8 bits")
        limit = MAX_ENTRIES * min(max(bits, 1), 8) // 8
        try:
            inflater = zlib.decompressobj()
            data = inflater.decompress(b64url_decode(value["lst"]), limit + 1)
        except (EncodingError, zlib.error):
            raise BitstringError("not a compressed list") from None
        if len(data) > limit or not inflater.eof or inflater.unused_data:
            raise BitstringError("truncated, followed by something, or too large")
        return cls(bytearray(data), bits)


def issue_token_status_list(
    entries: TokenStatusList, *, uri: str, signer: Signer, at: datetime, valid_until: datetime
) -> str:
    """The signed list to publish at `uri`; readers stop believing it at `valid_until`."""
    claims = {
        "sub": uri,
        "iat": int(at.timestamp()),
        "exp": int(valid_until.timestamp()),
        "status_list": entries.to_json(),
    }
    return sign_jws(claims, signer, typ=TYP)


def token_status(
    entry: TokenStatus, issuer: str, *, source: StatusSource, trust: TrustSnapshot, at: datetime
) -> int:
    """Status of a token of `issuer`: 0 valid, 1 invalid, 2 suspended, else the issuer's own.

    Steps: (1) fetch; (2) the JWT is signed by a key the registry pins for the same issuer; (3) its
    address and dates; (4) decompress within bounds, read.

    Raises:
        StatusUnreachableError: any step failed: the status is not known.
    """

    def key_of(header: Mapping[str, Any]) -> PublicKey:
        method = header.get("kid")
        if not isinstance(method, str) or method.partition("#")[0] != issuer:
            raise JwsError("not signed by the issuer")
        return trust.key(method, at)

    try:
        answer = source.status_list(entry.uri)  # (1)
        if not isinstance(answer, bytes):
            raise StatusUnreachableError("the status list is not a token")
        claims = verify_jws(answer.decode("ascii"), key_of, typ=TYP).claims  # (2)
        now, made, until = at.timestamp(), claims.get("iat"), claims.get("exp")  # (3)
        if claims.get("sub") != entry.uri or type(made) is not int or type(until) is not int:
            raise StatusUnreachableError("another status list, or one without dates")
        if now < made - 60 or now >= until:
            raise StatusUnreachableError("the status list is out of date")
        return TokenStatusList.from_json(claims.get("status_list"))[entry.index]  # (4)
    except (JwsError, JwsMalformedError, BitstringError, TrustError) as error:
        raise StatusUnreachableError(f"the status list is not usable: {error.code}") from error
    except UnicodeDecodeError:
        raise StatusUnreachableError("the status list is not a token") from None
