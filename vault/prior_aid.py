"""The hub's word that nobody holds the citizen's nullifier, asked for when a verifier wants it.

Steps: (1) which family, version and days: the query's, the period asked about with the aid's
cool-down after it, else today; (2) the credential that carries the nullifier, bound to the key of
this verifier, shown to the hub with this family alone disclosed where its issuer signed it so; (3)
what the hub signs to the same key. Nothing is kept: it is good for two hours.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from federation.aids.prior_aid import NO_PRIOR_AID
from federation.credentials.held import LDP_VC, Held, read_held
from federation.credentials.present import present
from federation.credentials.selective import disclose
from federation.errors import HubRefusedError
from federation.hub.facts import held_period
from federation.openid4vp import (
    ClaimQuery,
    CredentialQuery,
    DcqlQuery,
    claims_asked,
    client_id_of,
    optional_queries,
)
from federation.proofs.sd_jwt import present_sd_jwt
from schemas.ids import Did, Iri

if TYPE_CHECKING:
    from federation.aids.model import Aid
    from federation.keys import Signer
    from federation.ports import Hub

__all__ = ["ask_ledger"]

_PARIS: Final = ZoneInfo("Europe/Paris")


def ask_ledger(
    hub: "Hub",
    authority: Did,
    query: DcqlQuery,
    held: Sequence[Held],
    *,
    aid: "Aid | None",
    period: tuple[date, date] | None,
    application: Iri | None,
    holder: "Signer",
    at: datetime,
) -> list[Held]:
    """Steps 1 to 3 for each such query; `authority` is the hub's DID. Without a credential that
    carries the family's nullifier nothing is asked, and the answer misses it.

    Raises:
        HubRefusedError: `already-awarded`, …; of what the citizen may leave out never.
        HubUnreachableError: later.
    """
    optional = optional_queries(query)
    made: list[Held] = []
    for asked in query.credentials:
        if asked.type != NO_PRIOR_AID or asked.format != LDP_VC:
            continue
        family, version = _wanted(asked, "family"), _wanted(asked, "version")  # (1)
        carrier = _carrier(held, family, version)  # (2)
        if carrier is None:
            continue
        today = at.astimezone(_PARIS).date()
        days = period or (today, today)
        nonce = hub.no_prior_aid_nonce()
        shown = _shown(carrier, family, holder=holder, nonce=nonce, hub=authority, at=at)
        try:
            document = hub.no_prior_aid(  # (3)
                family,
                int(version),
                period=days if aid is None else held_period(aid, days),
                nonce=nonce,
                application=application,
                **shown,
            )
        except HubRefusedError:
            if asked.id in optional:
                continue
            raise
        made.append(read_held(document))
    return made


def _wanted(query: CredentialQuery, member: str) -> str:
    """The one value a query accepts of a member; empty when it names none."""
    for claim in query.claims or ():
        if claim.path == ("credentialSubject", member) and claim.values:
            return str(claim.values[0])
    return ""


def _carrier(held: Sequence[Held], family: str, version: str) -> Held | None:
    for item in held:
        for node in item.subject.get("nullifiers", ()):
            if (node["family"], node["version"]) == (family, version) and version.isdecimal():
                return item
    return None


def _shown(
    carrier: Held, family: str, *, holder: "Signer", nonce: str, hub: Did, at: datetime
) -> dict[str, Any]:
    """What the hub sees of it, as `Hub.no_prior_aid` takes it."""
    audience = client_id_of(hub)
    if isinstance(carrier.wire, Mapping):
        query = CredentialQuery("carrier", carrier.type)
        document = disclose(carrier.wire, claims_asked(query, carrier.wire))
        presentation = present([document], holder=holder, challenge=nonce, domain=audience, at=at)
        return {"presentation": presentation}
    claims = (ClaimQuery(("nullifiers", family)),)
    query = CredentialQuery("carrier", carrier.type, claims=claims, format="dc+sd-jwt")
    paths = frozenset(claims_asked(query, carrier.wire))
    token = present_sd_jwt(
        carrier.wire,
        disclose=lambda path, _: path in paths,
        holder=holder,
        nonce=nonce,
        audience=audience,
        at=at,
    )
    return {"token": token}
