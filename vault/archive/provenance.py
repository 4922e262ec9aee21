"""What an archive's manifests and receipts prove about its observations."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from federation.keys import decode_multikey
from federation.sealing.errors import ManifestSignatureError, ReceiptSignatureError, SealingError
from federation.sealing.manifest import SignedManifest, parse_manifest, verify_manifest
from federation.sealing.receipt import DepositReceipt
from federation.trust import TrustError
from schemas.evidence import Evidence
from schemas.ids import Did, Digest, digest

if TYPE_CHECKING:
    from vault.home import Home

__all__ = ["Provenance"]

_PARSED: Final = 256
"""Manifests kept taken apart: observations stand by month, so those of one manifest are near."""


class Provenance:
    """Which class each observation's way in still proves."""

    def __init__(
        self, home: "Home", manifests: Mapping[str, bytes], receipts: Mapping[str, bytes]
    ) -> None:
        """By member name, as the archive has them; what cannot be read proves nothing."""
        self._home, self._trust = home, home.trust
        self._proven: dict[Digest, Evidence | None] = {}
        self._received: dict[Digest, datetime] = {}
        self._bytes = {digest(data): data for data in manifests.values()}
        self._manifest = lru_cache(_PARSED)(self._parse)
        for data in receipts.values():
            try:
                self._receipt(DepositReceipt.parse(data))
            except SealingError:
                continue

    def _parse(self, name: Digest) -> SignedManifest | None:
        data = self._bytes.get(name)
        try:
            return None if data is None else parse_manifest(data)
        except SealingError:
            return None

    def _receipt(self, receipt: DepositReceipt) -> None:
        """A receipt counts when a home that we know signed it: ours, or one the registry pins."""
        signer, trust = self._home.signer(), self._trust
        try:
            if receipt.verification_method == signer.verification_method:
                receipt.verify(decode_multikey(signer.public_multikey()))
            elif trust is not None:
                receipt.verify(trust.key(receipt.verification_method, receipt.received_at))
            else:
                return
        except (TrustError, ReceiptSignatureError):
            return
        self._received[receipt.manifest_digest] = receipt.received_at

    def class_of(
        self, raw: bytes, depositor: Did, manifest: Digest | None, index: int
    ) -> tuple[Evidence, datetime | None]:
        """The ceiling this observation's way in still proves, and when it was received."""
        signed = None if manifest is None else self._manifest(manifest)
        if signed is None or manifest is None:
            return Evidence.DECLARED, None
        said = signed.manifest
        if said.depositor != depositor or not 0 <= index < len(said.digests):
            return Evidence.DECLARED, None
        if said.digests[index] != digest(raw):
            return Evidence.DECLARED, None
        at, trust = self._received.get(manifest), self._trust
        if at is None or trust is None:
            return Evidence.DECLARED, None
        if manifest not in self._proven:  # of up to 500 records, its signature is looked at once
            try:
                verify_manifest(signed, trust.key(signed.verification_method, at))
            except (TrustError, ManifestSignatureError):
                self._proven[manifest] = None
            else:
                self._proven[manifest] = trust.evidence_of(depositor, at)
        ceiling = self._proven[manifest]
        return (Evidence.DECLARED, None) if ceiling is None else (ceiling, at)
