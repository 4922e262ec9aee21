"""Who this hub is, and its funders' DID documents."""

from typing import Any

from fastapi import APIRouter

from federation.did import did_document
from federation.hub.access import Action
from federation.hub.api.access import HubDep, act
from federation.hub.errors import RequestUnknownError
from federation.wire.problems import PROBLEM

__all__ = ["router"]

router = APIRouter(tags=["well-known"])


@router.get("/healthz", openapi_extra=act(Action.READ_PUBLIC))
def health(hub: HubDep) -> dict[str, Any]:
    """The hub answers, and its store too."""
    with hub.store.read() as reader:
        trust, catalogue = reader.versions()
    return {"ok": True, "trust": trust, "catalogue": catalogue}


@router.get("/.well-known/did.json", openapi_extra=act(Action.READ_PUBLIC))
def hub_did(hub: HubDep) -> dict[str, Any]:
    """DID document of the hub."""
    return did_document(hub.settings.did, [hub.signer])


@router.get(
    "/financeurs/{slug}/did.json",
    openapi_extra=act(Action.READ_PUBLIC),
    responses={404: PROBLEM},
)
def funder_did(slug: str, hub: HubDep) -> dict[str, Any]:
    """DID document of a hosted funder."""
    funder = hub.publishing.funder(slug)
    if funder is None or funder.slug != slug:
        raise RequestUnknownError
    return did_document(funder.did, [hub.keys.signer(funder.slug, funder.did)])


@router.get("/.well-known/mobility-hub", openapi_extra=act(Action.READ_PUBLIC))
def metadata(hub: HubDep) -> dict[str, Any]:
    """Addresses of this hub's services."""
    origin = hub.settings.origin
    return {
        "did": hub.settings.did,
        "name": hub.settings.name,
        "sandbox": hub.settings.sandbox,
        "catalogue": f"{origin}/v1/catalogue",
        "trust": f"{origin}/v1/trust",
        "aids": f"{origin}/v1/aids",
        "verify": f"{origin}/v1/verify",
        "profiles": f"{origin}/v1/profiles",
        "services": f"{origin}/v1/services",
        "witness": f"{origin}/v1/witness",
        "funders": [
            {"did": funder.did, "name": funder.name, "slug": funder.slug}
            for funder in hub.publishing.funders()
        ],
    }
