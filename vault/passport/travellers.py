"""Who travels and who pays: the passes of a vault, for a service that opens accounts for several
people of one household (CM08: dependants and payer)."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from schemas.records import Kind, Subscription
from vault.passport.identity import identity_of
from vault.passport.scopes import Scope

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["TRAVELLERS"]

MAX_PASSES: Final = 200


def _plain(name: str) -> frozenset[str]:
    """The words of a name, without accents, case and order: « FABRE Zoé » is « Zoe Fabre »."""
    flat = unicodedata.normalize("NFKD", name).casefold()
    kept = "".join(c if c.isalpha() else " " for c in flat if not unicodedata.combining(c))
    return frozenset(kept.split())


def _read(vault: "OpenVault", at: datetime) -> Mapping[str, Any]:
    """Passes that hold today or later, each with whom it is for and who pays.

    `role` is what the vault's owner is to it: `holder`, `payer` or `both`; without an identity in
    the vault nobody can say, and it is left out.
    """
    identity = identity_of(vault, at)
    family = identity.get("family_name")
    given = identity.get("given_name")
    me = (
        _plain(str(family.value)) | _plain(str(given.value).partition(" ")[0])
        if family is not None and given is not None
        else None
    )
    passes = [cast(Subscription, record) for record in vault.all(Kind.SUBSCRIPTION)]
    current = [found for found in passes if found.valid_until >= at.date()][-MAX_PASSES:]
    return {"travellers": [_pass(found, me) for found in current]} if current else {}


def _pass(found: Subscription, me: frozenset[str] | None) -> dict[str, Any]:
    role = None
    if me is not None:
        travels = found.holder is None or me <= _plain(found.holder)
        pays = travels if found.payer is None else me <= _plain(found.payer)
        role = {(True, True): "both", (True, False): "holder", (False, True): "payer"}.get(
            (travels, pays)
        )
    return {
        "network": found.network,
        "product": found.product,
        "validFrom": found.valid_from.isoformat(),
        "validUntil": found.valid_until.isoformat(),
        **({"holder": found.holder} if found.holder else {}),
        **({"payer": found.payer} if found.payer else {}),
        **({"role": role} if role else {}),
        "evidence": found.evidence.value,
    }


TRAVELLERS: Final = Scope(
    name="voyageurs",
    claims=("travellers",),
    title={"fr": "Qui voyage, qui paie", "en": "Who travels, who pays"},
    consent={
        "fr": "vos abonnements en cours, pour qui ils sont et qui les paie",
        "en": "your current passes, whom they are for and who pays for them",
    },
    labels={
        "network": {"fr": "Réseau", "en": "Network"},
        "product": {"fr": "Abonnement", "en": "Pass"},
        "validFrom": {"fr": "Du", "en": "From"},
        "validUntil": {"fr": "Au", "en": "To"},
        "holder": {"fr": "Pour", "en": "For"},
        "payer": {"fr": "Payé par", "en": "Paid by"},
        "role": {"fr": "Vous êtes", "en": "You are"},
        "role.holder": {"fr": "la personne qui voyage", "en": "the person who travels"},
        "role.payer": {"fr": "la personne qui paie", "en": "the person who pays"},
        "role.both": {"fr": "qui voyage et qui paie", "en": "who travels and pays"},
        "evidence": {"fr": "Preuve", "en": "Evidence"},
        "evidence.declared": {"fr": "déclaré", "en": "declared"},
        "evidence.operator": {"fr": "attesté par l'opérateur", "en": "attested by the operator"},
        "evidence.registry": {"fr": "inscrit au registre", "en": "in the register"},
    },
    read=_read,
)
