"""Every builder's body can be issued, read back, and has no blank node."""

from datetime import date
from typing import Any

import pytest

from federation.credentials import Nullifier, issue, parse_credential
from federation.credentials import types as build
from federation.proofs.rdfc import canonical_strict
from schemas.ids import Iri
from tests.unit.proofs.world import DAY, NOW, World

WORLD = World()
YEAR = (date(2026, 1, 1), date(2026, 12, 31))
BOUND: dict[str, Any] = {"holder": WORLD.holder_did}
NULLIFIERS = [Nullifier("trips", "1", "b"), Nullifier("fmd", "1", "a")]
BODIES = {
    "usage": WORLD.usage_body(),
    "usage-bare": WORLD.usage_body(
        days_by_mode=None, days_by_evidence=None, evidence_root=None, tree_size=None,
        attester_software=None, valid_until=None,
    ),
    "affiliation": build.affiliation(
        **BOUND, employer_name="Agglo", employer_id="1", employee_number="2", status="agent",
        nullifiers=NULLIFIERS,
    ),
    "journey": build.carpool_journey(
        **BOUND, journey=Iri("urn:uuid:1f0c1b62-8a5c-4a3d-9f7b-1f6a0a3b9d11"),
        started_at=NOW - DAY, ended_at=NOW, distance=12_345, role="driver",
        origin_commune="11397", destination_commune="11069", register_class="C",
        register_status="ok", nullifiers=NULLIFIERS,
    ),
    "identity": build.identity(
        **BOUND, given_name="Zoé", family_name="Médian", identity_level="eidas-substantial",
        source="sandbox", certified_at=NOW, degree="signed", birth_date=date(1990, 2, 28),
        birth_place="11069", birth_country="99100", gender="female", nullifiers=NULLIFIERS,
    ),
    "award": build.award(
        **BOUND, aid=Iri("urn:aide:fmd"), aid_version="1", funder_name="Agglo",
        application=Iri("urn:uuid:1f0c1b62-8a5c-4a3d-9f7b-1f6a0a3b9d12"), amount=10_000,
        period=YEAR, decided_at=NOW,
    ),
    "pass": build.pass_credential(
        **BOUND, network="liO", product="Annuel", holder_name="Zoé Médian", payer="Zoé Médian",
        period=YEAR, number="42", amount=40_000, nullifiers=NULLIFIERS,
    ),
    "invoice": build.invoice(
        **BOUND, issuer_name="liO", number="F-1", issued_on=date(2026, 1, 5), total=40_000,
        issuer_siret="20005376700014", period=YEAR, holder_name="Zoé Médian", payer="Zoé Médian",
        nullifiers=NULLIFIERS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_body_can_be_issued_and_read_back(name: str) -> None:
    signed = issue(BODIES[name], signer=WORLD.home, at=NOW)
    read = parse_credential(signed)
    assert read.subject == BODIES[name]["credentialSubject"]
    assert read.holder == WORLD.holder_did


@pytest.mark.parametrize("name", BODIES)
def test_a_body_has_no_blank_node(name: str) -> None:
    assert b"_:" not in canonical_strict({**BODIES[name], "issuer": "did:web:a"})
