"""OpenID for Verifiable Presentations 1.0, both roles, without I/O: signed requests by reference,
DCQL, answers in clear (`direct_post`) or encrypted (`direct_post.jwt`).

Flow. The verifier publishes a signed request object at `request_uri` and gives the wallet
`client_id` and `request_uri` (an `Invitation`: a link, a QR code). The wallet fetches it, by GET
or by POST with a nonce of its own, verifies it here, shows the citizen who asks, matches the DCQL
query with its credentials, and posts the presentation to `response_uri`, encrypted to the key of
that one request where it names one.
Source: OpenID4VP 1.0 Final §5 (request), §5.9 (client id prefixes), §6 (DCQL), §8 (response),
Appendix B; RFC 9101 (JAR).
"""

from federation.openid4vp.certificates import Anchors, Certificate
from federation.openid4vp.clients import ClientKind, client_id_of, did_of_client, origin_of
from federation.openid4vp.dcql import (
    ClaimQuery,
    CredentialFormat,
    CredentialQuery,
    CredentialSetQuery,
    DcqlQuery,
    LdpVc,
    Match,
    SdJwtVc,
    claims_asked,
    match,
    optional_queries,
    queries_to_answer,
    register_format,
)
from federation.openid4vp.errors import DcqlError, RequestRefusedError, ResponseMalformedError
from federation.openid4vp.request import (
    AUDIENCE,
    DIRECT_POST,
    DIRECT_POST_JWT,
    NOT_KNOWN,
    REQUEST_TYPE,
    VP_FORMATS,
    Encryption,
    Invitation,
    PresentationRequest,
    build_request,
    invitation_link,
    read_invitation,
    read_open_request,
    sign_request,
    verify_request,
)
from federation.openid4vp.response import (
    WALLET_ERRORS,
    WalletResponse,
    build_response,
    build_token,
    parse_response,
    read_posted,
)

__all__ = [
    "AUDIENCE",
    "DIRECT_POST",
    "DIRECT_POST_JWT",
    "NOT_KNOWN",
    "REQUEST_TYPE",
    "VP_FORMATS",
    "WALLET_ERRORS",
    "Anchors",
    "Certificate",
    "ClaimQuery",
    "ClientKind",
    "CredentialFormat",
    "CredentialQuery",
    "CredentialSetQuery",
    "DcqlError",
    "DcqlQuery",
    "Encryption",
    "Invitation",
    "LdpVc",
    "Match",
    "PresentationRequest",
    "RequestRefusedError",
    "ResponseMalformedError",
    "SdJwtVc",
    "WalletResponse",
    "build_request",
    "build_response",
    "build_token",
    "claims_asked",
    "client_id_of",
    "did_of_client",
    "invitation_link",
    "match",
    "optional_queries",
    "origin_of",
    "parse_response",
    "queries_to_answer",
    "read_invitation",
    "read_open_request",
    "read_posted",
    "register_format",
    "sign_request",
    "verify_request",
]
