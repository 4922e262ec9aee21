"""The service profiles as scopes of the passport: the same facts as by OpenID4VP, for a service
that is a plain OpenID Connect client.

A profile's parameters come in `authorization_details` (RFC 9396), one entry for each profile that
has some. Steps: (1) the entries are read strictly against the profiles; (2) of each credential a
profile asks for, the strongest good one that fits is taken, and of it the claims asked for and no
other; what is a fact of the vault's own is computed (`vault/computed.py`); (3) source, date and
degree stand beside, in a claim of their own. What the vault lacks is left out, with the reason.
A tariff's rule is one that the service registered, signed by its operator: nothing is fetched to
compute it, and every citizen's vault computes the same.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from federation.profiles import PROFILES, Profile, ProfileError
from schemas.extensions import installed
from vault.computed import Facts, facts
from vault.passport.errors import AuthorizationDetailsError
from vault.passport.identity import GROUNDS
from vault.passport.scopes import Scope, Wish
from vault.passport.stated import Stated

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["DETAIL", "PROFILE_SCOPES", "details_of", "profile_of_scope", "read_details"]

DETAIL: Final = "https://w3id.org/mobility-vault/service-profile"
"""`type` of our authorization details."""
MAX_DETAILS: Final = 2_000
"""Characters: they rest in a cookie with the request."""
_MEMBERS: Final = frozenset({"type", "profile", "version", "parameters"})


_ELSEWHERE: Final = frozenset(
    str(profile["id"]) for extension in installed().values() for profile in extension.profiles
)
_OWN: Final[Mapping[str, Profile]] = {
    name: profile for name, profile in PROFILES.items() if name not in _ELSEWHERE
}
"""The profiles of the core; an extension says which claim its own have (`extensions.py`)."""


def profile_of_scope(name: str) -> Profile | None:
    """The profile of the core that a scope stands for."""
    return next((p for p in _OWN.values() if p.scope == name), None)


def read_details(text: str | None, scopes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Step 1: the parameters of each profile asked for, by its scope.

    Raises:
        AuthorizationDetailsError: not such a list; of a profile that is not asked for by its scope;
            parameters the profile does not take; or none for one that needs some.
    """
    found: dict[str, dict[str, Any]] = {}
    for entry in _entries(text):
        if not isinstance(entry, dict) or set(entry) != _MEMBERS or entry["type"] != DETAIL:
            raise AuthorizationDetailsError("an entry is not of a service profile")
        name, parameters = entry["profile"], entry["parameters"]
        profile = _OWN.get(name) if isinstance(name, str) else None
        if profile is None or profile.version != entry["version"]:
            raise AuthorizationDetailsError("no profile of this name and version")
        if profile.scope not in scopes or profile.scope in found:
            raise AuthorizationDetailsError("a profile is named once, beside its scope")
        if not isinstance(parameters, dict):
            raise AuthorizationDetailsError("parameters are an object")
        try:
            profile.query(parameters)
        except ProfileError as error:
            raise AuthorizationDetailsError(f"parameters: {error.where}") from None
        found[profile.scope] = parameters
    for scope in scopes:
        profile = profile_of_scope(scope)
        if profile is not None and profile.parameters and scope not in found:
            raise AuthorizationDetailsError(f"{scope} needs its parameters")
    return found


def details_of(parameters: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Inverse of `read_details`, as granted (RFC 9396 §7)."""
    return [
        {
            "type": DETAIL,
            "profile": profile.id,
            "version": profile.version,
            "parameters": dict(parameters[profile.scope]),
        }
        for profile in _OWN.values()
        if profile.scope in parameters
    ]


def _entries(text: str | None) -> list[Any]:
    if text is None:
        return []
    if len(text) > MAX_DETAILS:
        raise AuthorizationDetailsError("too long")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise AuthorizationDetailsError("not JSON") from None
    if not isinstance(found, list) or len(found) > len(_OWN):
        raise AuthorizationDetailsError("a list of at most one entry for each profile")
    return found


def _read(
    profile: Profile, vault: "OpenVault", at: datetime, wish: Wish
) -> tuple[dict[str, Any], dict[str, str]]:
    """Steps 2 and 3: claims, and of each credential query that is not answered the reason."""
    try:
        query = profile.query(wish.parameters)
    except ProfileError:  # read without a request: an example, a list
        return {}, {}
    claims: dict[str, Any] = {}
    grounds: dict[str, Any] = {}
    lacking: dict[str, str] = {}
    for asked, found in zip(
        query.credentials, facts(vault, query, at=at, rules=wish.rules), strict=True
    ):
        if found.reason is not None:
            lacking[asked.id] = found.reason
            continue
        claims[asked.id] = {name: _written(value) for name, value in found.members.items()}
        grounds[f"{profile.scope}.{asked.id}"] = _grounds(found)
    if not claims:
        return {}, lacking
    return {profile.scope: claims, f"{profile.scope}{GROUNDS}": grounds}, lacking


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _grounds(found: Facts) -> dict[str, Any]:
    stated = Stated(None, found.source, found.certified_at, found.degree)
    return {name: value for name, value in stated.claim().items() if name != "value"}


def _scope(profile: Profile) -> Scope:
    return Scope(
        name=profile.scope,
        claims=(profile.scope, f"{profile.scope}{GROUNDS}"),
        title=profile.title,
        consent=profile.purpose,
        read=lambda vault, at: _read(profile, vault, at, Wish())[0],
        read_wish=lambda vault, at, wish: _read(profile, vault, at, wish),
    )


PROFILE_SCOPES: Final = tuple(_scope(profile) for profile in _OWN.values())
"""One scope for each of them."""
