"""Bitstring Status List: one bit a credential, thousands of credentials a list, so that asking
tells little.

Source: Bitstring Status List v1.0 §2–3 (W3C Recommendation 2025-05-15): GZIP, base64url without
padding, multibase `u`; index 0 is the left-most bit; at least 131 072 entries.
"""

from __future__ import annotations

import gzip
import secrets
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, NamedTuple, Protocol

from federation.credentials.model import (
    StatusEntry,
    check_contexts,
    load_document,
    parse_proof,
)
from federation.credentials.shape import CONTEXTS, ShapeError, name_node, read_instant, read_iri
from federation.keys import PublicKey, Signer
from federation.multibase import EncodingError, b64url, b64url_decode
from federation.proofs import ProofInvalidError, add_proof, verify_proof
from federation.proofs.data_integrity import Proof
from federation.trust import TrustError, TrustSnapshot, format_instant
from schemas.errors import InvalidInput, MobilityError, Refused, Retriable
from schemas.ids import mint_iri

__all__ = [
    "MIN_ENTRIES",
    "BitstringError",
    "StatusList",
    "StatusListFullError",
    "StatusLists",
    "StatusSource",
    "StatusUnreachableError",
    "is_set",
    "issue_status_list",
]

MIN_ENTRIES: Final = 131_072
"""Smallest list (16 KiB): the herd in which one credential hides."""
MAX_ENTRIES: Final = 8_388_608
"""Largest list read (1 MiB once decompressed): what a compressed text may grow to."""
CLOCK_SKEW: Final = timedelta(minutes=1)
"""A list made while it is asked for is dated after the verification began."""
MAX_KEPT: Final = 32
"""Checked lists a verifier keeps: at most 1 MiB each, from accredited issuers only."""


class BitstringError(MobilityError, InvalidInput):
    """Not an encoded bitstring, too small, or larger than allowed once decompressed."""

    code: ClassVar[str] = "bitstring-invalid"


class StatusListFullError(MobilityError, Refused):
    """No free index was found: open another list."""

    code: ClassVar[str] = "status-list-full"


class StatusUnreachableError(MobilityError, Retriable):
    """The status list cannot be read now, or what was read is not one. Never a refusal of the
    credential."""

    code: ClassVar[str] = "status-unreachable"


class StatusSource(Protocol):
    """Where status lists come from (a cache over the network, or the issuer's own store)."""

    def status_list(self, url: str) -> Mapping[str, Any] | bytes:
        """The status list credential at `url`, unverified.

        Raises:
            StatusUnreachableError: not now.
        """


class StatusList:
    """The bits of one list."""

    def __init__(self, bits: bytearray) -> None:
        if not MIN_ENTRIES <= len(bits) * 8 <= MAX_ENTRIES:
            raise BitstringError("a list has 131 072 to 8 388 608 entries")
        self._bits = bits

    @classmethod
    def empty(cls, entries: int = MIN_ENTRIES) -> StatusList:
        """A list of zeros.

        Raises:
            BitstringError: not a multiple of 8, or out of bounds.
        """
        if entries % 8:
            raise BitstringError("entries come in eights")
        return cls(bytearray(entries // 8))

    def __len__(self) -> int:
        return len(self._bits) * 8

    def is_set(self, index: int) -> bool:
        """The bit at `index`.

        Raises:
            BitstringError: outside the list.
        """
        if not 0 <= index < len(self):
            raise BitstringError("index outside the list")
        return bool(self._bits[index >> 3] & (0x80 >> (index & 7)))

    def set(self, index: int, value: bool = True) -> None:
        """Write the bit at `index`.

        Raises:
            BitstringError: outside the list.
        """
        if not 0 <= index < len(self):
            raise BitstringError("index outside the list")
        mask = 0x80 >> (index & 7)
        if value:
            self._bits[index >> 3] |= mask
        else:
            self._bits[index >> 3] &= ~mask & 0xFF

    def random_index(self, is_taken: Callable[[int], bool]) -> int:
        """An unused index drawn at random, so that neighbours in the list are strangers.

        Raises:
            StatusListFullError: 200 draws found none (a list nine tenths full fails once in a
            billion).
        """
        for _ in range(200):
            index = secrets.randbelow(len(self))
            if not is_taken(index):
                return index
        raise StatusListFullError("the status list is full")

    def encode(self) -> str:
        """`encodedList`: `u` and base64url of the gzipped bits; equal bits give equal text (no time
        stamp)."""
        return "u" + b64url(gzip.compress(bytes(self._bits), compresslevel=9, mtime=0))

    @classmethod
    def decode(cls, text: object) -> StatusList:
        """Inverse of `encode`; decompression stops at `MAX_ENTRIES`.

        Raises:
            BitstringError: see the class.
        """
        if not isinstance(text, str) or text[:1] != "u":
            raise BitstringError("not a base64url multibase text")
        try:
            data = b64url_decode(text[1:])
            inflater = zlib.decompressobj(wbits=31)
            bits = inflater.decompress(data, MAX_ENTRIES // 8 + 1)
        except (EncodingError, zlib.error):
            raise BitstringError("not a gzipped bitstring") from None
        if len(bits) * 8 > MAX_ENTRIES or not inflater.eof or inflater.unused_data:
            raise BitstringError("truncated, followed by something, or too large")
        return cls(bytearray(bits))


def issue_status_list(
    bits: StatusList,
    *,
    url: str,
    signer: Signer,
    at: datetime,
    valid_until: datetime,
    purpose: str = "revocation",
) -> dict[str, Any]:
    """The signed status list credential to publish at `url`; readers stop believing it at
    `valid_until`.

    Raises:
        ProofRequestError, NotCompilableError: as `add_proof`.
    """
    document = {
        "@context": list(CONTEXTS),
        "id": url,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": signer.verification_method.partition("#")[0],
        "validFrom": format_instant(at),
        "validUntil": format_instant(valid_until),
        "credentialSubject": {
            "id": f"{url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": purpose,
            "encodedList": bits.encode(),
        },
    }
    suite = "eddsa-rdfc-2022" if signer.algorithm == "Ed25519" else "ecdsa-rdfc-2019"
    return add_proof(
        document,
        signer,
        cryptosuite=suite,
        purpose="assertionMethod",
        created=at,
        proof_id=mint_iri(),
    )


class _KeptList(NamedTuple):
    """A list whose proof was checked."""

    answer: Mapping[str, Any] | bytes
    """What the source answered, byte for byte (or a copy of the object)."""
    method: str
    key: PublicKey
    valid_from: datetime
    valid_until: datetime
    bits: StatusList


class StatusLists:
    """Lists checked against one trust snapshot, kept as long as the source answers the same bytes.

    The source is asked each time, dates and the key's standing are judged each time; only parsing,
    signature and decompression of an answer already seen are spared.
    """

    def __init__(self, source: StatusSource, trust: TrustSnapshot) -> None:
        self._source, self._trust = source, trust
        self._kept: dict[tuple[str, str, str], _KeptList] = {}

    def is_set(self, entry: StatusEntry, issuer: str, *, at: datetime) -> bool:
        """Whether the status bit of a credential of `issuer` is set.

        Steps: (1) fetch; (2) shape: a status list of this address, this purpose, by the same
        issuer; (3) it is in its dates; (4) its proof, by a key the registry pins for the issuer;
        (5) decompress within bounds, read the bit.

        Raises:
            StatusUnreachableError: any step failed: the status is not known, which is not the same
            as revoked.
        """
        place = (entry.list_url, issuer, entry.purpose)
        try:
            answer = self._source.status_list(entry.list_url)  # (1)
            kept = self._kept.get(place)
            if kept is None or type(kept.answer) is not type(answer) or kept.answer != answer:
                kept = self._check(answer, entry, issuer, at)  # (2), (4), (5)
                if len(self._kept) >= MAX_KEPT:
                    self._kept.clear()
                self._kept[place] = kept
            if at + CLOCK_SKEW < kept.valid_from or at >= kept.valid_until:  # (3)
                raise StatusUnreachableError("the status list is out of date")
            if self._trust.key(kept.method, at).raw != kept.key.raw:  # (4)
                raise StatusUnreachableError("the status list's key was replaced")
            return kept.bits.is_set(entry.index)  # (5)
        except StatusUnreachableError:
            raise
        except (ShapeError, ProofInvalidError, BitstringError, TrustError) as error:
            raise StatusUnreachableError(f"the status list is not usable: {error.code}") from error

    def _check(
        self, answer: Mapping[str, Any] | bytes, entry: StatusEntry, issuer: str, at: datetime
    ) -> _KeptList:
        document = load_document(answer)
        proof, valid_from, valid_until, encoded = _read_list(document, entry, issuer)
        if at + CLOCK_SKEW < valid_from or at >= valid_until:
            raise StatusUnreachableError("the status list is out of date")
        if proof.verification_method.partition("#")[0] != issuer:
            raise StatusUnreachableError("the status list is not signed by the issuer")
        key = self._trust.key(proof.verification_method, at)
        verify_proof(document, key=key, foreign=False)
        return _KeptList(
            answer if isinstance(answer, bytes) else document,
            proof.verification_method,
            key,
            valid_from,
            valid_until,
            StatusList.decode(encoded),
        )


def is_set(
    entry: StatusEntry,
    issuer: str,
    *,
    source: StatusSource,
    trust: TrustSnapshot,
    at: datetime,
) -> bool:
    """`StatusLists.is_set` once, keeping nothing.

    Raises:
        StatusUnreachableError: as there.
    """
    return StatusLists(source, trust).is_set(entry, issuer, at=at)


def _read_list(
    document: Mapping[str, Any], entry: StatusEntry, issuer: str
) -> tuple[Proof, datetime, datetime, str]:
    ids: set[str] = set()
    check_contexts(document.get("@context"), "")
    members = {
        "@context",
        "id",
        "type",
        "issuer",
        "validFrom",
        "validUntil",
        "credentialSubject",
        "proof",
    }
    if set(document) != members:
        raise ShapeError("shape-invalid", "", "not a status list credential")
    if name_node(document, "", ids) != entry.list_url:
        raise ShapeError("shape-invalid", "/id", "another list")
    if document["type"] != ["VerifiableCredential", "BitstringStatusListCredential"]:
        raise ShapeError("type-unknown", "/type", "not a status list credential")
    if read_iri(document["issuer"], "/issuer") != issuer:
        raise ShapeError("shape-invalid", "/issuer", "another issuer's list")
    subject = document["credentialSubject"]
    if not isinstance(subject, Mapping) or set(subject) != {
        "id",
        "type",
        "statusPurpose",
        "encodedList",
    }:
        raise ShapeError("shape-invalid", "/credentialSubject", "not a status list")
    name_node(subject, "/credentialSubject", ids)
    if subject["type"] != "BitstringStatusList" or subject["statusPurpose"] != entry.purpose:
        raise ShapeError("shape-invalid", "/credentialSubject", "another purpose")
    return (
        parse_proof(document, "", ids),
        read_instant(document["validFrom"], "/validFrom"),
        read_instant(document["validUntil"], "/validUntil"),
        str(subject["encodedList"]),
    )
