"""A funder's check by sample, answered from the open vault.

Steps: (1) the evidence tree kept with the presentation, (2) for each leaf named: the observation is
still here and still the one that was counted, (3) what would be said of it: month, mode, band,
evidence, who deposited it, (4) the citizen agrees anew, or declines, (5) the home signs, a consent
and a journal entry are written, (6) the answer is sent. A leaf that is gone is said to be gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from federation.audit import OpenedLeaf, band, sign_answer
from federation.merkle import Leaf, audit_path
from federation.ports import ApplicationView, AuditView
from schemas.eligible_day import trip_evidence
from schemas.ids import Did, Iri, digest, mint_iri
from schemas.records import Application, Consent, Trip
from vault.consent import consent_receipt
from vault.errors import ActRefusedError, RecordUnknownError, ShareRefusedError
from vault.sharing import STAYS, application_of, holder_proof, hub_did, hub_of
from vault.usage_proof import EvidenceTree

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["AuditRequest", "answer_audit", "audit_request"]

_NOTICE: Final = "audit-page/1"
CLAIMS: Final = ("month", "mode", "distanceAtLeast", "evidence")


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What is asked, and what would be opened."""

    application: Application
    audit: AuditView
    leaves: tuple[OpenedLeaf, ...]


def audit_request(vault: "OpenVault", application: Iri) -> AuditRequest | None:
    """Steps 1 to 3; None when no check by sample waits for an answer.

    Raises:
        HubClientError: the hub cannot be reached or refuses.
    """
    record = application_of(vault, application)
    view = hub_of(vault).application(record.id, proof_jwt=holder_proof(vault, record))
    if view.audit is None or view.audit.state != "asked":
        return None
    return AuditRequest(record, view.audit, _opened(vault, record, view.audit))


def _opened(
    vault: "OpenVault", application: Application, audit: AuditView
) -> tuple[OpenedLeaf, ...]:
    kept = (
        None
        if application.presentation is None
        else vault.setting(f"evidence/{application.presentation.hex()}")
    )
    if not kept:
        return tuple(OpenedLeaf(position, None) for position in audit.positions)
    tree = EvidenceTree.from_bytes(kept)
    trips = {
        iri: trip
        for trip in vault.trips(application.period_from, application.period_until)
        for iri in trip.observations
    }
    return tuple(_open(vault, tree, trips, position) for position in sorted(audit.positions))


def _open(
    vault: "OpenVault", tree: EvidenceTree, trips: Mapping[Iri, Trip], position: int
) -> OpenedLeaf:
    if position >= len(tree.leaves):
        return OpenedLeaf(position, None)
    leaf: Leaf = tree.leaves[position]
    iri = tree.observations[position]
    trip = trips.get(iri)
    try:
        found = vault.observed(iri)
    except (RecordUnknownError, ActRefusedError):
        return OpenedLeaf(position, None)
    if trip is None or found.digest != leaf.observation:
        return OpenedLeaf(position, None)
    return OpenedLeaf(
        position=position,
        leaf=leaf,
        path=tuple(audit_path(tree.leaves, position)),
        depositor=str(found.received.depositor),
        claims={
            "month": f"{trip.local_date:%Y-%m}",
            "mode": trip.mode.value,
            "distanceAtLeast": band(trip.distance),
            "evidence": trip_evidence(trip).value,
        },
    )


def answer_audit(
    vault: "OpenVault", application: Iri, *, accepted: bool, confirmed_at: datetime
) -> ApplicationView:
    """Steps 4 to 6, or decline. Sending again after a failure is safe: the hub keeps the first.

    Raises:
        ShareRefusedError: `no-audit`: none waits for an answer.
        HubClientError: it was not heard; nothing else is lost.
    """
    asked = audit_request(vault, application)
    if asked is None:
        raise ShareRefusedError("no-audit")
    record, home = asked.application, vault.home
    token = (
        sign_answer(
            asked.leaves,
            application=record.id,
            nonce=asked.audit.nonce,
            audience=hub_did(vault),
            signer=home.signer(),
            at=confirmed_at,
        )
        if accepted
        else None
    )
    funder = Did(record.funder)
    name = str(record.extra.get("funderName") or funder)
    with vault.library.writing() as draft:
        if token is not None:
            vault.store_record(draft, _consent(vault, record, funder, name, token, confirmed_at))
        draft.journal(
            "audit-answered" if accepted else "audit-declined",
            recipient=funder,
            application=record.id,
            leaves=len(asked.leaves) if accepted else 0,
        )
    return hub_of(vault).answer_audit(
        record.id, proof_jwt=holder_proof(vault, record), answer=token
    )


def _consent(  # noqa: PLR0917 - what a consent says
    vault: "OpenVault",
    record: Application,
    funder: Did,
    name: str,
    token: str,
    at: datetime,
) -> Consent:
    consent_id, sent = mint_iri(), digest(token.encode())
    claims = tuple(f"AuditedTrip.{claim}" for claim in CLAIMS)
    purpose = "Contrôle par sondage d'une preuve d'usage"
    return Consent(
        id=consent_id,
        recipient=funder,
        recipient_name=name,
        purpose=purpose,
        claims=claims,
        kept_back=STAYS,
        legal=None,
        given_at=at,
        application=record.id,
        presentation=sent,
        receipt=consent_receipt(
            consent=consent_id,
            subject=vault.holder_did(funder),
            recipient=funder,
            recipient_name=name,
            controller=vault.home.did,
            purpose=purpose,
            claims=claims,
            kept_back=STAYS,
            credential_types=("UsageProof",),
            legal=None,
            retention=None,
            given_at=at,
            expires_at=None,
            presentation=sent,
            application=record.id,
            notice=_NOTICE,
        ),
    )
