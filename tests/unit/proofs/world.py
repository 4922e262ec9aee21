"""A small federation for the tests: registry, home, employer, operator, one holder."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from federation.credentials import (
    AllOf,
    HasCredential,
    Nullifier,
    Policy,
    StatusEntry,
    StatusList,
    StatusUnreachableError,
    VerifiedPresentation,
    Verifier,
    issue,
    issue_status_list,
    present,
)
from federation.credentials import types as build
from federation.did import DidResolver
from federation.keys import Ed25519Key, P256Key, Signer
from federation.trust import PinnedKey, Role, TrustEntry, TrustSnapshot
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import Did, Digest, Iri
from schemas.modes import Mode

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOME, EMPLOYER, OPERATOR = (
    Did(f"did:web:localhost%3A840{n}") for n in ("0", "2:employeur", "2:operateur")
)
REGISTRY = Did("did:web:localhost%3A8401")
AUDIENCE = "decentralized_identifier:did:web:localhost%3A8401:financeurs:agglo"
CHALLENGE = "n-0123456789abcdef"
LIST_URL = "http://localhost:8402/v1/status-lists/1"
POLICY = AllOf([HasCredential("UsageProof")])


class World:
    """Keys are made from fixed seeds, so that failures repeat."""

    def __init__(self) -> None:
        self.home = Ed25519Key.from_seed(b"h" * 32).signer(f"{HOME}#key-1")
        self.employer = Ed25519Key.from_seed(b"e" * 32).signer(f"{EMPLOYER}#key-1")
        self.operator = Ed25519Key.from_seed(b"o" * 32).signer(f"{OPERATOR}#key-1")
        self.registry = Ed25519Key.from_seed(b"r" * 32).signer(f"{REGISTRY}#key-1")
        self.holder = P256Key.from_private_bytes(b"\x01" * 32).signer()
        self.other_holder = P256Key.from_private_bytes(b"\x02" * 32).signer()
        self.entries = {
            HOME: self._entry(HOME, self.home, Role.HOME, {"UsageProof"}),
            EMPLOYER: self._entry(
                EMPLOYER, self.employer, Role.EMPLOYER, {"AffiliationCredential"}, {"fmd"}
            ),
            OPERATOR: self._entry(
                OPERATOR, self.operator, Role.OPERATOR, {"CarpoolJourney", "UsageProof"}
            ),
        }
        self.lists: dict[str, Mapping[str, Any] | bytes] = {}

    @staticmethod
    def _entry(
        did: Did, signer: Signer, role: Role, types: set[str], families: set[str] | None = None
    ) -> TrustEntry:
        return TrustEntry(
            did=did,
            name=did.rpartition(":")[2],
            roles=frozenset({role}),
            keys=(PinnedKey(signer.public_multikey(), signer.verification_method, NOW - 90 * DAY),),
            credential_types=frozenset(types),
            nullifier_families=frozenset(families or ()),
            since=NOW - 90 * DAY,
        )

    @property
    def holder_did(self) -> Did:
        return Did(self.holder.verification_method.partition("#")[0])

    def trust(self, version: int = 1) -> TrustSnapshot:
        return TrustSnapshot(
            version, REGISTRY, NOW - DAY, NOW + 30 * DAY, tuple(self.entries.values())
        )

    def change(self, did: Did, **changes: Any) -> None:
        self.entries[did] = replace(self.entries[did], **changes)

    def change_key(self, did: Did, **changes: Any) -> None:
        self.change(did, keys=(replace(self.entries[did].keys[0], **changes),))

    def status_list(self, url: str) -> Mapping[str, Any] | bytes:
        if url not in self.lists:
            raise StatusUnreachableError("no answer")
        return self.lists[url]

    def publish(self, *revoked: int, signer: Signer | None = None, **options: Any) -> None:
        bits = StatusList.empty()
        for index in revoked:
            bits.set(index)
        self.lists[LIST_URL] = issue_status_list(
            bits,
            url=LIST_URL,
            signer=signer or self.employer,
            at=options.pop("at", NOW - timedelta(hours=1)),
            valid_until=options.pop("valid_until", NOW + DAY),
            **options,
        )

    def usage_body(self, **changes: Any) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "holder": self.holder_did,
            "period": (date(2026, 1, 1), date(2026, 12, 31)),
            "rule": Iri("urn:aide:fmd"),
            "rule_version": "2022-12-13",
            "days": 41,
            "weakest_evidence": Evidence.SENSED,
            "assurance": AssuranceMethod.VAULT_ATTESTED,
            "days_by_mode": {Mode.BICYCLE: 30, Mode.CARPOOL: 11},
            "days_by_evidence": {Evidence.SENSED: 30, Evidence.OPERATOR: 11},
            "evidence_root": Digest(b"\x07" * 32),
            "tree_size": 120,
            "attester_software": "mobility-vault 0.1.0",
            "valid_until": NOW + 30 * DAY,
        }
        return build.usage_proof(**{**arguments, **changes})

    def usage(self, *, at: datetime = NOW - DAY, **changes: Any) -> dict[str, Any]:
        return issue(self.usage_body(**changes), signer=self.home, at=at)

    def affiliation(
        self, *, index: int | None = None, at: datetime = NOW - 30 * DAY, **changes: Any
    ) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "holder": self.holder_did,
            "employer_name": "Agglomération de la Clamoux",
            "employer_id": "20003588700013",
            "employee_number": "A-1042",
            "status": "agent-contractuel-public",
            "nullifiers": [Nullifier("fmd", "1", "q83vEjRWeJo")],
        }
        body = build.affiliation(**{**arguments, **changes})
        status = StatusEntry(LIST_URL, index) if index is not None else None
        return issue(body, signer=self.employer, at=at, status=status)

    def present(self, *credentials: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
        options: dict[str, Any] = {
            "holder": self.holder,
            "challenge": CHALLENGE,
            "domain": AUDIENCE,
            "at": NOW,
        }
        return present(credentials, **{**options, **changes})

    def verifier(self) -> Verifier:
        return Verifier(trust=self.trust(), resolver=DidResolver(), status=self)

    def verify(
        self,
        presentation: Mapping[str, Any] | bytes,
        policy: Policy = POLICY,
        *,
        at: datetime = NOW,
        received: Mapping[str, datetime] | None = None,
        **changes: str,
    ) -> VerifiedPresentation:
        options = {"challenge": CHALLENGE, "domain": AUDIENCE, **changes}
        return self.verifier().verify(
            presentation,
            policy,
            challenge=options["challenge"],
            domain=options["domain"],
            at=at,
            received=received or {},
        )
