"""Sealing with public keys only: what depositors, hubs and homes need while every vault is
locked.
"""

from .box import DEFAULT_SUITE, BoxHeader, BoxPublicKey, SealSuite, overhead, seal
from .deposit import (
    MAX_BYTES,
    MAX_RECORD,
    MAX_RECORDS,
    SealedDeposit,
    batches,
    build_deposit,
)
from .document import FunderKey, SealedDocument, seal_document
from .manifest import Manifest, SignedManifest, parse_manifest, sign_manifest, verify_manifest
from .receipt import DepositReceipt
from .segment import SegmentHeader, SegmentWriter

__all__ = [
    "DEFAULT_SUITE",
    "MAX_BYTES",
    "MAX_RECORD",
    "MAX_RECORDS",
    "BoxHeader",
    "BoxPublicKey",
    "DepositReceipt",
    "FunderKey",
    "Manifest",
    "SealSuite",
    "SealedDeposit",
    "SealedDocument",
    "SegmentHeader",
    "SegmentWriter",
    "SignedManifest",
    "batches",
    "build_deposit",
    "overhead",
    "parse_manifest",
    "seal",
    "seal_document",
    "sign_manifest",
    "verify_manifest",
]
