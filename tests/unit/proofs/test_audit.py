"""Auditing an attested proof: nobody chooses the leaves, and each is held to root and template."""

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.aids.covoiturage import CARPOOL_PROOF
from federation.audit import (
    AuditAnswer,
    AuditError,
    OpenedLeaf,
    check_answer,
    positions,
    read_answer,
    sign_answer,
)
from federation.keys import Ed25519Key
from federation.merkle import Leaf, audit_path, root_of
from federation.verification import Outcome, failed_codes, outcome_of
from schemas.ids import Digest, digest
from tests.unit.proofs.world import NOW

OCTOBER = (date(2026, 10, 1), date(2026, 10, 31))
LEAVES = tuple(
    Leaf(bytes([n]) * 32, digest(bytes([n])), digest(b"m") if n % 2 else None, n) for n in range(11)
)
ROOT = root_of(LEAVES)
WANTED = positions(ROOT, "a-nonce-of-the-hub", size=len(LEAVES), count=4)
CLAIMS = {
    "month": "2026-10", "mode": "carpool", "distanceAtLeast": 5_000, "evidence": "operator",
}  # fmt: skip
KEY = Ed25519Key.generate()
HOME = "did:web:home.example"


def opened(position: int, **claims: Any) -> OpenedLeaf:
    return OpenedLeaf(
        position,
        LEAVES[position],
        tuple(audit_path(LEAVES, position)),
        "did:web:operator.example",
        {**CLAIMS, **claims},
    )


def check(*leaves: OpenedLeaf) -> Any:
    return check_answer(
        AuditAnswer(HOME, leaves),
        CARPOOL_PROOF,
        root=ROOT,
        size=len(LEAVES),
        wanted=WANTED,
        period=OCTOBER,
    )


@given(st.binary(min_size=32, max_size=32), st.integers(0, 200), st.integers(1, 40))
def test_positions_follow_from_root_and_nonce_and_are_different(
    root: bytes, size: int, count: int
) -> None:
    found = positions(Digest(root), "n", size=size, count=count)
    assert len(found) == min(size, count, 20) == len(set(found))
    assert all(0 <= position < size for position in found)
    assert found == positions(Digest(root), "n", size=size, count=count)


def test_another_nonce_draws_other_leaves() -> None:
    drawn = {positions(ROOT, f"nonce-{n}", size=10_000, count=3) for n in range(8)}
    assert len(drawn) == 8


def test_leaves_that_were_committed_and_count_pass() -> None:
    found = check(*(opened(position) for position in WANTED))
    assert outcome_of(found) is Outcome.PASS
    assert len(found) == 4


def test_a_withdrawn_leaf_is_no_fraud() -> None:
    first, *rest = (opened(position) for position in WANTED)
    found = check(OpenedLeaf(first.position, None), *rest)
    assert outcome_of(found) is Outcome.CANNOT_TELL
    assert not failed_codes(found)


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("audit-does-not-count", {"mode": "car"}),
        ("audit-does-not-count", {"evidence": "declared"}),
        ("audit-does-not-count", {"evidence": "certain"}),
        ("audit-does-not-count", {"month": "2026-09"}),
    ],
)
def test_a_leaf_that_does_not_meet_the_template_fails(code: str, change: dict[str, Any]) -> None:
    first, *rest = WANTED
    found = check(opened(first, **change), *map(opened, rest))
    assert failed_codes(found) == (code,)


def test_evidence_made_after_the_proof_fails() -> None:
    first, *rest = (opened(position) for position in WANTED)
    assert first.leaf is not None
    forged = replace(first, leaf=replace(first.leaf, observation=digest(b"invented")))
    assert failed_codes(check(forged, *rest)) == ("audit-not-committed",)
    moved = replace(opened(WANTED[1]), position=WANTED[0])
    assert failed_codes(check(moved, *rest)) == ("audit-not-committed",)


def test_other_leaves_than_those_drawn_fail() -> None:
    others = [n for n in range(len(LEAVES)) if n not in WANTED][:4]
    assert failed_codes(check(*map(opened, others))) == ("audit-other-leaves",)
    assert failed_codes(check(*map(opened, WANTED[:3]))) == ("audit-other-leaves",)
    assert failed_codes(check()) == ("audit-other-leaves",)


def test_an_answer_is_for_one_application_nonce_and_hub() -> None:
    signer = KEY.signer(f"{HOME}#1")
    about = {"application": "urn:uuid:1", "nonce": "n" * 20, "audience": "did:web:hub.example"}
    token = sign_answer(list(map(opened, WANTED)), **about, signer=signer, at=NOW)
    public = KEY.public

    def read(**changes: str) -> AuditAnswer:
        return read_answer(token, lambda _: public, **{**about, **changes})

    assert read().leaves == tuple(map(opened, WANTED))
    for name in about:
        with pytest.raises(AuditError):
            read(**{name: "other"})
    with pytest.raises(AuditError):
        read_answer(token[:-4] + "AAAA", lambda _: public, **about)


@pytest.mark.parametrize(
    "change",
    [
        {"position": "1"}, {"salt": "00"}, {"salt": "zz" * 32}, {"path": ["00"]}, {"index": -1},
        {"index": True}, {"observation": "sha256:x"}, {"manifest": 3}, {"claims": {}},
        {"claims": {**CLAIMS, "place": "Trèbes"}}, {"path": ["00" * 32] * 65}, {"claims": None},
    ],
)  # fmt: skip
def test_a_malformed_leaf_is_refused(change: dict[str, Any]) -> None:
    body = json.loads(json.dumps(opened(WANTED[0]).to_json()))
    with pytest.raises(AuditError):
        OpenedLeaf.from_json({**body, **change})
