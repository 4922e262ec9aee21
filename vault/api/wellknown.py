"""Who this home is, for other nodes: its DID document, its connectors', its wallet metadata."""

from typing import Any

from fastapi import APIRouter, HTTPException

from federation.wire.problems import PROBLEM
from vault.api.deps import HomeDep, origin_of

router = APIRouter()


@router.get("/.well-known/did.json")
def did(home: HomeDep) -> dict[str, Any]:
    """The `did:web` document of the home."""
    return dict(home.did_document())


@router.get("/connecteurs/{name}/did.json", responses={404: PROBLEM})
def connector_did(name: str, home: HomeDep) -> dict[str, Any]:
    """The `did:web` document of one of the home's connectors."""
    if name not in home.key_store.connectors():
        raise HTTPException(404)
    return dict(home.did_document(name))


@router.get("/.well-known/openid4vp-wallet")
def wallet(home: HomeDep) -> dict[str, Any]:
    """How a verifier asks this web wallet (OpenID4VP 1.0 §10, wallet metadata)."""
    origin = origin_of(home)
    return {
        "issuer": origin,
        "authorization_endpoint": f"{origin}/openid4vp/authorize",
        "response_types_supported": ["vp_token"],
        "response_modes_supported": ["direct_post"],
        "client_id_prefixes_supported": ["decentralized_identifier"],
        "request_object_signing_alg_values_supported": ["EdDSA", "ES256"],
        "vp_formats_supported": {
            "ldp_vc": {
                "proof_type_values": ["DataIntegrityProof"],
                "cryptosuite_values": ["eddsa-rdfc-2022", "ecdsa-rdfc-2019"],
            }
        },
    }
