"""`mobility verify FILE`: a credential, a presentation, an SD-JWT, a VC-JWT, the text of a QR code
or an attestation PDF, checked against a trust snapshot, without network.

A presentation was made for one verifier and one question; a file cannot be asked for them, so its
challenge and audience are shown, not judged. Status lists are read from those given; one that is
missing leaves the answer at *cannot tell*.
The attestation PDF carries its credential as an embedded file, between two markers this module
finds without a PDF library.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from federation.credentials.model import MAX_PRESENTATION, load_document
from federation.credentials.policy import Policy, UnsafeNoOpPolicy
from federation.credentials.qr import PREFIX, read_code
from federation.credentials.shape import ShapeError
from federation.credentials.status import StatusUnreachableError
from federation.credentials.vc_jwt import token_of_envelope
from federation.credentials.verify import Verifier, key_binding_of
from federation.did import DidResolver
from federation.proofs import SdJwtMalformedError
from federation.trust import TrustSnapshot
from federation.verification import Check, Outcome, UnverifiableError, VerificationError

__all__ = ["OfflineResult", "document_in", "verify_offline"]

MAX_FILE: Final = 16_000_000
"""Bytes of a file read: an attestation has some 100 kB, most of it fonts."""
_MAX_STREAMS: Final = 2_000
_ENVELOPE: Final = "EnvelopedVerifiableCredential"
_TOKEN: Final = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*(?:~[A-Za-z0-9_.~-]*)?")
"""A compact JWS or SD-JWT; one without signature is a token too, and refused as such."""


@dataclass(frozen=True, slots=True)
class OfflineResult:
    """What a file is worth."""

    outcome: str
    """`verified`, `refused` or `cannot-tell`."""
    kind: str
    """`credential`, `presentation`, `sd-jwt`, `vc-jwt` or `unknown`."""
    checks: tuple[Check, ...]
    document: Mapping[str, Any] | None
    """What was verified; none unless `outcome` is `verified`."""
    shown: Mapping[str, Any]
    """Challenge and audience of a presentation, for the reader to compare."""

    @property
    def failed(self) -> tuple[str, ...]:
        """Codes of failed checks."""
        return tuple(dict.fromkeys(c.code for c in self.checks if c.outcome is Outcome.FAIL))


class _GivenLists:
    """Status lists that came with the call."""

    def __init__(self, lists: Mapping[str, Mapping[str, Any] | bytes]) -> None:
        self._lists = lists

    def status_list(self, url: str) -> Mapping[str, Any] | bytes:
        """See `StatusSource`."""
        if url not in self._lists:
            raise StatusUnreachableError("offline: this status list is not at hand")
        return self._lists[url]


def verify_offline(
    data: bytes,
    *,
    trust: TrustSnapshot,
    at: datetime,
    status_lists: Mapping[str, Mapping[str, Any] | bytes] = MappingProxyType({}),
    received_at: datetime | None = None,
    policy: Policy | None = None,
) -> OfflineResult:
    """Verify a file's bytes. Never raises for what the file says."""
    policy = policy or UnsafeNoOpPolicy()
    verifier = Verifier(trust=trust, resolver=DidResolver(), status=_GivenLists(status_lists))
    kind, shown = "unknown", {}
    try:
        token = _token_in(data)
        if token is not None:
            kind = "sd-jwt" if "~" in token else "vc-jwt"
            if kind == "sd-jwt":
                binding = key_binding_of(token)
                if binding is not None:
                    shown = {"challenge": binding.nonce, "domain": binding.audience}
                found = verifier.verify_issued_sd_jwt(
                    token, policy, at=at, received_at=received_at, bound_to=binding
                )
            else:
                found = verifier.verify_vc_jwt(token, policy, at=at, received_at=received_at)
            return OfflineResult("verified", kind, found.checks, found.document, shown)
        document = load_document(document_in(data))
        types = document.get("type")
        if isinstance(types, list) and "VerifiablePresentation" in types:
            kind = "presentation"
            proof = document.get("proof")
            proof = proof if isinstance(proof, Mapping) else {}
            challenge, domain = str(proof.get("challenge", "")), str(proof.get("domain", ""))
            shown = {"challenge": challenge, "domain": domain}
            received = _received(document, received_at)
            checks = verifier.verify(
                document, policy, challenge=challenge, domain=domain, at=at, received=received
            ).checks
        else:
            kind = "credential"
            checks = verifier.verify_credential(
                document, policy, at=at, received_at=received_at
            ).checks
    except SdJwtMalformedError as error:
        malformed = Check(1, error.code, Outcome.FAIL, str(error))
        return OfflineResult("refused", kind, (malformed,), None, shown)
    except ShapeError as error:
        params = MappingProxyType({"where": error.where})
        return OfflineResult(
            "refused",
            kind,
            (Check(1, error.code_of, Outcome.FAIL, str(error), params),),
            None,
            shown,
        )
    except VerificationError as error:
        return OfflineResult("refused", kind, error.checks, None, shown)
    except UnverifiableError as error:
        return OfflineResult("cannot-tell", kind, error.checks, None, shown)
    return OfflineResult("verified", kind, checks, document, shown)


def _token_in(data: bytes) -> str | None:
    """The file as a token: an SD-JWT, a VC-JWT, or the one an `EnvelopedVerifiableCredential`
    holds. None: it is something else."""
    if len(data) > MAX_PRESENTATION:
        return None
    text = data.strip()
    if text[:1] == b"{" and b"EnvelopedVerifiableCredential" in text:
        document = load_document(text)
        if document.get("type") in (_ENVELOPE, [_ENVELOPE]):
            return token_of_envelope(document)
        return None
    return text.decode("ascii") if _TOKEN.fullmatch(text) else None


def _received(document: Mapping[str, Any], at: datetime | None) -> dict[str, datetime]:
    listed = document.get("verifiableCredential")
    if at is None or not isinstance(listed, list):
        return {}
    return {str(item.get("id")): at for item in listed if isinstance(item, Mapping)}


def document_in(data: bytes) -> bytes:
    """The JSON document in a file: the file itself, the text of a QR code, or the one credential
    embedded in a PDF.

    Raises:
        ShapeError: `too-large`; `json-refused` when a PDF holds no document, or more than one, and
            for a damaged code.
    """
    if len(data) > MAX_FILE:
        raise ShapeError("too-large", "", "the file is too large")
    if data.lstrip()[: len(PREFIX)] == PREFIX.encode():
        try:
            return read_code(data.decode("ascii"))
        except UnicodeDecodeError as error:
            raise ShapeError("json-refused", "", "the code is damaged") from error
    if data.lstrip()[:5] != b"%PDF-":
        return data
    found = list(dict.fromkeys(_embedded(data)))
    if len(found) != 1:
        raise ShapeError("json-refused", "", "the PDF does not hold one attestation")
    return found[0]


def _embedded(data: bytes) -> Iterator[bytes]:
    """Streams of a PDF that are JSON-LD documents, inflated within bounds (ISO 32000-2 §7.3.8)."""
    position = 0
    for _ in range(_MAX_STREAMS):
        start = data.find(b"stream", position)
        if start < 0:
            return
        position = start + 6
        if data[start - 3 : start] == b"end":
            continue
        begin = position + (2 if data[position : position + 2] == b"\r\n" else 1)
        end = data.find(b"endstream", begin)
        if end < 0:
            return
        position = end + 9
        body = _inflate(data[begin:end])
        if body is not None and b'"@context"' in body[:2000] and body.lstrip()[:1] == b"{":
            yield body.strip()


def _inflate(body: bytes) -> bytes | None:
    if body.lstrip()[:1] == b"{":
        return body
    inflater = zlib.decompressobj()
    try:
        out = inflater.decompress(body, MAX_PRESENTATION + 1)
    except zlib.error:
        return None
    return out if len(out) <= MAX_PRESENTATION else None
