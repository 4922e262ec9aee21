"""The usage proof: eligible days of a period, computed in the open vault, attested by its home.

Steps: (1) the trips of the period and the citizen's own places, (2) the eligible days by the one
function of `schemas/eligible_day.py`, (3) the counts, each evidence class apart, (4) the evidence
tree over every observation those days rest on, (5) the attester signs counts and root, and says so
in `assuranceMethod`. Without an attester the holder signs: `self-declared`. No place, no time of
day and no single trip is in the result; the tree's salts stay sealed in the vault for an audit.
"""

import json
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from federation.credentials.issue import issue
from federation.credentials.types import usage_proof as usage_proof_body
from schemas.eligible_day import DayRule, EligibleDay, eligible_days
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import Did, Digest, Iri, digest_text, parse_digest
from schemas.modes import Mode
from vault.merkle import Leaf, root_of

if TYPE_CHECKING:
    from federation.aids.model import ProofTemplate
    from federation.keys import Signer
    from vault.open_vault import OpenVault

__all__ = ["SOFTWARE", "EvidenceTree", "UsageCount", "UsageProof", "count_usage", "usage_proof"]

SOFTWARE: Final = "mobility-vault/0.1.0"


@dataclass(frozen=True, slots=True)
class UsageCount:
    """Eligible days of a period, counted."""

    days: int
    by_mode: Mapping[Mode, int]
    by_evidence: Mapping[Evidence, int]
    weakest: Evidence
    eligible: tuple[EligibleDay, ...]


@dataclass(frozen=True, slots=True)
class EvidenceTree:
    """The leaves behind a proof, kept sealed: an audit opens some of them."""

    leaves: tuple[Leaf, ...]
    observations: tuple[Iri, ...]
    """IRI of the observation behind each leaf."""

    @property
    def root(self) -> Digest:
        return root_of(self.leaves)

    def to_bytes(self) -> bytes:
        return json.dumps(
            [
                {
                    "salt": leaf.salt.hex(),
                    "observation": digest_text(leaf.observation),
                    "manifest": None if leaf.manifest is None else digest_text(leaf.manifest),
                    "index": leaf.index,
                    "iri": iri,
                }
                for leaf, iri in zip(self.leaves, self.observations, strict=True)
            ],
            separators=(",", ":"),
        ).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "EvidenceTree":
        found = json.loads(data)
        return cls(
            tuple(
                Leaf(
                    bytes.fromhex(item["salt"]),
                    parse_digest(item["observation"]),
                    None if item["manifest"] is None else parse_digest(item["manifest"]),
                    item["index"],
                )
                for item in found
            ),
            tuple(Iri(item["iri"]) for item in found),
        )


@dataclass(frozen=True, slots=True)
class UsageProof:
    """A signed usage proof and what it rests on."""

    credential: Mapping[str, Any]
    tree: EvidenceTree
    count: UsageCount


def count_usage(
    vault: "OpenVault", template: "ProofTemplate", *, period: tuple[date, date]
) -> UsageCount:
    """Steps 1 to 3: what the vault can prove for this template. Nothing leaves."""
    since, until = period
    rule = DayRule(
        iri=template.rule,
        modes=template.modes,
        minimum_evidence=template.minimum_evidence,
        cap_per_day=template.cap_per_day,
    )
    days = eligible_days(  # 2
        vault.trips(since, until), vault.places(), rule, since=since, until=until
    )
    classes = [day.evidence for day in days]
    return UsageCount(  # 3
        days=len(days),
        by_mode=dict(sorted(Counter(day.mode for day in days).items())),
        by_evidence=dict(sorted(Counter(classes).items())),
        weakest=min(classes, key=lambda c: c.rank) if classes else Evidence.DECLARED,
        eligible=tuple(days),
    )


def usage_proof(
    vault: "OpenVault",
    template: "ProofTemplate",
    *,
    period: tuple[date, date],
    holder: Did,
    attester: "Signer",
    at: datetime,
    assurance: AssuranceMethod = AssuranceMethod.VAULT_ATTESTED,
    valid_until: datetime | None = None,
) -> UsageProof:
    """Compute and sign. For `SELF_DECLARED` give the holder's own signer as `attester`."""
    count = count_usage(vault, template, period=period)
    tree = _tree(vault, count)  # 4
    attested = assurance is not AssuranceMethod.SELF_DECLARED
    body = usage_proof_body(
        holder=holder,
        period=period,
        rule=template.rule,
        rule_version=template.rule_version,
        days=count.days,
        weakest_evidence=count.weakest,
        assurance=assurance,
        days_by_mode=count.by_mode,
        days_by_evidence=count.by_evidence,
        evidence_root=tree.root if attested else None,
        tree_size=len(tree.leaves) if attested else None,
        attester_software=SOFTWARE if attested else None,
        valid_until=valid_until,
    )
    return UsageProof(issue(body, signer=attester, at=at), tree, count)  # 5


def _tree(vault: "OpenVault", count: UsageCount) -> EvidenceTree:
    wanted: dict[Iri, None] = {}
    for day in count.eligible:
        for trip in day.trips:
            for observation in vault.observed_of(trip):
                wanted.setdefault(observation.iri)
    found = [vault.observed(iri) for iri in sorted(wanted)]
    leaves = tuple(
        Leaf(secrets.token_bytes(32), item.digest, item.received.manifest, item.received.index)
        for item in found
    )
    return EvidenceTree(leaves, tuple(item.iri for item in found))
