"""Scopes of installed extensions: what one states to a service that asks by OpenID Connect.

The same facts as by OpenID4VP under the profile of the same name; one claim a profile.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from federation.profiles import PROFILES, Profile
from schemas.extensions import Extension, installed
from vault.extensions import asked_facts, extension_records
from vault.passport.scopes import Scope

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["extension_scopes"]


def extension_scopes() -> list[Scope]:
    """One for each profile that its extension gives a claim."""
    return [
        _scope(extension, PROFILES[profile], claim)
        for extension in installed().values()
        for profile, claim in extension.claims.items()
    ]


def _scope(extension: Extension, profile: Profile, claim: str) -> Scope:
    (query,) = profile.query({}).credentials
    asked = asked_facts(query)

    def read(vault: "OpenVault", _at: datetime) -> Mapping[str, Any]:
        told = extension.state(extension_records(vault, extension.name), asked)
        found = {name: told[name] for name in sorted(asked & told.keys())}
        return {claim: found} if found else {}

    facts = [fact for fact in extension.facts if fact.name in asked]
    labels = {f"{claim}.{fact.name}": fact.title for fact in facts}
    labels |= {
        f"{claim}.{fact.name}.{code}": words
        for fact in facts
        for code, words in fact.values.items()
    }
    return Scope(
        name=profile.scope,
        claims=(claim,),
        title=profile.title,
        consent={
            language: ", ".join(fact.title[language].lower() for fact in facts)
            for language in ("fr", "en")
        },
        labels=labels,
        read=read,
    )
