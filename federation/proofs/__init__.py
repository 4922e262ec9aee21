"""Data Integrity proofs: suites, and one pipeline for all of them."""

from federation.proofs.data_integrity import (
    Proof,
    add_proof,
    check_signature,
    read_proof,
    verify_proof,
)
from federation.proofs.ecdsa_jcs_2019 import ECDSA_JCS_2019
from federation.proofs.ecdsa_rdfc_2019 import ECDSA_RDFC_2019
from federation.proofs.ecdsa_sd_2023 import (
    ECDSA_SD_2023,
    add_base_proof,
    derive_proof,
    is_base_proof,
    verify_base_proof,
)
from federation.proofs.ed25519_signature_2020 import ED25519_SIGNATURE_2020
from federation.proofs.eddsa_jcs_2022 import EDDSA_JCS_2022
from federation.proofs.eddsa_rdfc_2022 import EDDSA_RDFC_2022
from federation.proofs.errors import ProofInvalidError, ProofRequestError, UnknownCryptosuiteError
from federation.proofs.proof_set import append_proof, verify_proofs
from federation.proofs.sd_jwt import (
    SdJwtError,
    SdJwtMalformedError,
    issue_sd_jwt,
    present_sd_jwt,
    verify_sd_jwt,
)
from federation.proofs.suite import Canonicalizer, Cryptosuite, cryptosuite, cryptosuites, register

__all__ = [
    "ECDSA_JCS_2019",
    "ECDSA_RDFC_2019",
    "ECDSA_SD_2023",
    "ED25519_SIGNATURE_2020",
    "EDDSA_JCS_2022",
    "EDDSA_RDFC_2022",
    "Canonicalizer",
    "Cryptosuite",
    "Proof",
    "ProofInvalidError",
    "ProofRequestError",
    "SdJwtError",
    "SdJwtMalformedError",
    "UnknownCryptosuiteError",
    "add_base_proof",
    "add_proof",
    "append_proof",
    "check_signature",
    "cryptosuite",
    "cryptosuites",
    "derive_proof",
    "is_base_proof",
    "issue_sd_jwt",
    "present_sd_jwt",
    "read_proof",
    "register",
    "verify_base_proof",
    "verify_proof",
    "verify_proofs",
    "verify_sd_jwt",
]
