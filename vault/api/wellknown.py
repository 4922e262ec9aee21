"""Who this home is, for other nodes: its DID document, its connectors', its wallet metadata."""

from typing import Any

from fastapi import APIRouter, HTTPException

from federation.wire.problems import PROBLEM
from vault.api.deps import HomeDep
from vault.presenting import wallet_metadata

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
    return wallet_metadata(home)
