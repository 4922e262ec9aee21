"""Who may call a route, in its signature. No dependency here means public, visibly."""

import secrets
from collections.abc import Callable
from typing import Annotated, Any, cast

from fastapi import Depends, Header, Request

from federation.hub.access import Action
from federation.hub.context import HubContext
from federation.hub.errors import NotAllowedError, NotSignedInError
from federation.hub.members import Member, MemberSession

__all__ = ["COOKIE", "HubDep", "act", "signed_in"]

COOKIE = "__Host-guichet"


def _hub(request: Request) -> HubContext:
    return cast(HubContext, request.app.state.hub)


HubDep = Annotated[HubContext, Depends(_hub)]


def act(action: Action) -> dict[str, Any]:
    """Marks a route with its line of the authorisation matrix."""
    return {"x-action": action.value}


def _session(request: Request, hub: HubContext) -> MemberSession:
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise NotSignedInError
    return hub.members.session(cookie)


def signed_in(action: Action, *, changes: bool = False) -> Callable[..., Member]:
    """Dependency: a member whose roles allow `action`; with `changes`, the CSRF token as well."""

    def member(
        request: Request,
        hub: HubDep,
        x_csrf_token: Annotated[str, Header(max_length=128)] = "",
    ) -> Member:
        session = _session(request, hub)
        if changes and not secrets.compare_digest(x_csrf_token.encode(), session.csrf.encode()):
            raise NotAllowedError
        session.member.require(action)
        return session.member

    return member
