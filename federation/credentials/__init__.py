"""Verifiable credentials of the federation: issue, present, verify, revoke."""

from federation.credentials.issue import issue
from federation.credentials.model import (
    Credential,
    Presentation,
    StatusEntry,
    parse_credential,
    parse_presentation,
)
from federation.credentials.offline import OfflineResult, verify_offline
from federation.credentials.policy import (
    AllOf,
    AnyOf,
    AwardedBefore,
    Evidenced,
    HasCredential,
    HasNullifier,
    HasPeriod,
    IssuedByRole,
    MinimumAssurance,
    MinimumEvidence,
    Policy,
    SubjectEquals,
    UnsafeNoOpPolicy,
)
from federation.credentials.present import present
from federation.credentials.sd_jwt_vc import (
    TypeMetadata,
    TypeMetadataError,
    issue_sd_jwt_vc,
    type_metadata,
    vct_of,
)
from federation.credentials.selective import disclose, verify_received
from federation.credentials.shape import CONTEXTS, ShapeError
from federation.credentials.status import (
    BitstringError,
    StatusList,
    StatusListFullError,
    StatusSource,
    StatusUnreachableError,
    issue_status_list,
)
from federation.credentials.token_status import (
    TokenStatus,
    TokenStatusList,
    issue_token_status_list,
)
from federation.credentials.types import CREDENTIAL_TYPES, Nullifier, json_schema
from federation.credentials.verify import VerifiedCredential, VerifiedPresentation, Verifier
from federation.credentials.words import sentence, step_name
from federation.verification import Check, Outcome, UnverifiableError, VerificationError

__all__ = [
    "CONTEXTS",
    "CREDENTIAL_TYPES",
    "AllOf",
    "AnyOf",
    "AwardedBefore",
    "BitstringError",
    "Check",
    "Credential",
    "Evidenced",
    "HasCredential",
    "HasNullifier",
    "HasPeriod",
    "IssuedByRole",
    "MinimumAssurance",
    "MinimumEvidence",
    "Nullifier",
    "OfflineResult",
    "Outcome",
    "Policy",
    "Presentation",
    "ShapeError",
    "StatusEntry",
    "StatusList",
    "StatusListFullError",
    "StatusSource",
    "StatusUnreachableError",
    "SubjectEquals",
    "TokenStatus",
    "TokenStatusList",
    "TypeMetadata",
    "TypeMetadataError",
    "UnsafeNoOpPolicy",
    "UnverifiableError",
    "VerificationError",
    "VerifiedCredential",
    "VerifiedPresentation",
    "Verifier",
    "disclose",
    "issue",
    "issue_sd_jwt_vc",
    "issue_status_list",
    "issue_token_status_list",
    "json_schema",
    "parse_credential",
    "parse_presentation",
    "present",
    "sentence",
    "step_name",
    "type_metadata",
    "vct_of",
    "verify_offline",
    "verify_received",
]
