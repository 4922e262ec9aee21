"""Passkeys of the desk's people and the keys documents are sealed to, for the desk's script."""

import base64
import binascii
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from federation.hub.access import Action
from federation.hub.api.access import COOKIE, HubDep, act, signed_in
from federation.hub.api.shapes import PasskeyBody, PublicKeyBody, WebAuthnBody, member_to_json
from federation.hub.errors import EntryRefusedError, KeyUnknownError
from federation.hub.members import Member
from federation.hub.model import DocumentKey
from federation.multibase import b64url
from federation.trust import format_instant
from federation.wire.problems import PROBLEM

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["desk"])
_PROBLEMS: dict[int | str, dict[str, Any]] = {401: PROBLEM, 403: PROBLEM, 422: PROBLEM}


@router.post("/desk/passkeys/options", openapi_extra=act(Action.READ_SETTINGS), responses=_PROBLEMS)
def add_options(
    hub: HubDep, member: Annotated[Member, Depends(signed_in(Action.READ_SETTINGS, changes=True))]
) -> dict[str, Any]:
    """WebAuthn options for a passkey of one's own."""
    return {"options": hub.passkeys.begin(member)}


@router.post("/desk/passkeys", status_code=201, openapi_extra=act(Action.READ_SETTINGS),
             responses=_PROBLEMS)  # fmt: skip
def add(
    body: PasskeyBody,
    hub: HubDep,
    member: Annotated[Member, Depends(signed_in(Action.READ_SETTINGS, changes=True))],
) -> dict[str, Any]:
    """Keep the passkey that was just made."""
    hub.passkeys.finish(member, body.credential, name=body.name)
    return {"passkeys": len(hub.passkeys.of(member))}


@router.post("/desk/session/passkey/options", openapi_extra=act(Action.SIGN_IN))
def sign_in_options(hub: HubDep) -> dict[str, Any]:
    """WebAuthn options for any passkey of this site."""
    return {"options": hub.passkeys.begin_sign_in()}


@router.post("/desk/session/passkey", openapi_extra=act(Action.SIGN_IN), responses={401: PROBLEM})
def sign_in(body: WebAuthnBody, response: Response, hub: HubDep) -> dict[str, Any]:
    """Open a session with a passkey."""
    session = hub.passkeys.finish_sign_in(body.credential)
    response.set_cookie(
        COOKIE, session.cookie, httponly=True, secure=True, samesite="strict", path="/"
    )
    return {"member": member_to_json(session.member), "csrf": session.csrf}


def _key_to_json(key: DocumentKey) -> dict[str, Any]:
    return {
        "version": key.version,
        "public": b64url(key.public),
        "created_at": format_instant(key.created_at),
        "not_after": format_instant(key.not_after),
    }


@router.get("/desk/keys", openapi_extra=act(Action.READ_SETTINGS), responses=_PROBLEMS)
def keys(
    hub: HubDep, member: Annotated[Member, Depends(signed_in(Action.READ_SETTINGS))]
) -> dict[str, Any]:
    """Versions of the funder's document key, the newest first."""
    return {"items": [_key_to_json(key) for key in hub.document_keys.of(member)]}


@router.post(
    "/desk/keys", status_code=201, openapi_extra=act(Action.MANAGE_KEYS), responses=_PROBLEMS
)
def publish_key(
    body: PublicKeyBody,
    hub: HubDep,
    member: Annotated[Member, Depends(signed_in(Action.MANAGE_KEYS, changes=True))],
) -> dict[str, Any]:
    """Publish the next version: an uncompressed P-256 point, base64url."""
    try:
        public = base64.urlsafe_b64decode(body.public + "=" * (-len(body.public) % 4))
    except (binascii.Error, ValueError) as error:
        raise EntryRefusedError("not base64url", where="public") from error
    return _key_to_json(hub.document_keys.publish(member, public))


@router.get(
    "/funders/{slug}/document-key",
    openapi_extra=act(Action.READ_PUBLIC),
    responses={404: PROBLEM},
)
def document_key(slug: str, hub: HubDep) -> Response:
    """The funder's current document key, signed by the funder (`mobility-document-key+jwt`)."""
    funder = hub.publishing.funder(slug)
    if funder is None:
        raise KeyUnknownError
    return Response(
        hub.document_keys.signed(funder),
        media_type="application/jwt",
        headers={"Cache-Control": "no-cache"},
    )
