"""Who somebody is, from what the vault holds: a signed identity document, attributes relayed at a
login, or what the citizen said."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from vault.passport.scopes import Scope
from vault.passport.stated import Stated, attributes, documents, strongest

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["GROUNDS", "IDENTITE", "identity_of"]

GROUNDS: Final = "_grounds"
"""Ending of a claim that says of its neighbours who certifies them."""

_MEMBERS: Final[Mapping[str, str]] = {
    "given_name": "givenName",
    "family_name": "familyName",
    "birthdate": "birthDate",
    "gender": "gender",
    "birthplace": "birthPlace",
    "birthcountry": "birthCountry",
}
"""Claim of OpenID Connect (birth place and country: as the State's identity federation names them)
to the member of an identity document; an attribute is `identity.` and the claim."""


def identity_of(vault: "OpenVault", at: datetime) -> dict[str, Stated]:
    """The identity, claim by claim, each from its most believable source."""
    known = attributes(vault)
    papers = [stated for _, stated in documents(vault, "IdentityCredential", at=at)]
    found: dict[str, Stated] = {}
    for claim, member in _MEMBERS.items():
        candidates = [p.of(p.value[member]) for p in papers if p.value.get(member)]
        attribute = known.get(f"identity.{claim}")
        if attribute is not None and attribute.value not in ("", None):
            candidates.append(attribute)
        best = strongest(candidates)
        if best is not None:
            found[claim] = best
    return found


def _read(vault: "OpenVault", at: datetime) -> dict[str, Any]:
    found = identity_of(vault, at)
    if not found:
        return {}
    return {
        **{name: stated.value for name, stated in found.items()},
        f"identity{GROUNDS}": {
            name: {k: v for k, v in stated.claim().items() if k != "value"}
            for name, stated in found.items()
        },
    }


IDENTITE: Final = Scope(
    name="identite",
    claims=(*_MEMBERS, f"identity{GROUNDS}"),
    title={"fr": "Votre identité", "en": "Your identity"},
    consent={
        "fr": "vos nom, prénoms, date, lieu et pays de naissance, et qui les certifie",
        "en": "your name, date, place and country of birth, and who certifies them",
    },
    labels={
        "given_name": {"fr": "Prénoms", "en": "Given names"},
        "family_name": {"fr": "Nom de naissance", "en": "Birth name"},
        "birthdate": {"fr": "Date de naissance", "en": "Date of birth"},
        "gender": {"fr": "Sexe", "en": "Sex"},
        "gender.male": {"fr": "masculin", "en": "male"},
        "gender.female": {"fr": "féminin", "en": "female"},
        "birthplace": {"fr": "Lieu de naissance", "en": "Place of birth"},
        "birthcountry": {"fr": "Pays de naissance", "en": "Country of birth"},
    },
    read=_read,
)
