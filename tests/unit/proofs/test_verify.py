"""Verification of presentations: one law a test, each refusal by its name."""

import copy
import dataclasses
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from federation.credentials import (
    AllOf,
    AnyOf,
    HasCredential,
    HasNullifier,
    HasPeriod,
    IssuedByRole,
    MinimumAssurance,
    MinimumEvidence,
    Outcome,
    ShapeError,
    SubjectEquals,
    UnsafeNoOpPolicy,
    UnverifiableError,
    VerificationError,
    VerifiedCredential,
    VerifiedPresentation,
    issue,
    sentence,
)
from federation.credentials.catalogue import example
from federation.credentials.types import COMPUTED, PREFERENCES
from federation.credentials.words import WORDS
from federation.keys import Ed25519Key, P256Key, Signer
from federation.proofs import add_proof
from federation.trust import Role
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import mint_iri
from tests.unit.proofs.world import (
    CHALLENGE,
    DAY,
    EMPLOYER,
    HOME,
    NOW,
    OPERATOR,
    POLICY,
    World,
)

Json = dict[str, Any]


@pytest.fixture
def world() -> World:
    return World()


def refused(act: Callable[[], object]) -> tuple[str, ...]:
    with pytest.raises(VerificationError) as caught:
        act()
    assert all(check.code in WORDS for check in caught.value.checks)
    return caught.value.failed


def sign_raw(world: World, body: Json, signer: Any = None) -> Json:
    """Sign without the issuer's own care, as a careless issuer would."""
    signer = signer or world.home
    document = {
        "issuer": signer.verification_method.partition("#")[0],
        "validFrom": "2026-11-20T12:00:00Z",
        **body,
    }
    return add_proof(
        document,
        signer,
        cryptosuite="eddsa-rdfc-2022" if signer.algorithm == "Ed25519" else "ecdsa-rdfc-2019",
        purpose="assertionMethod",
        created=NOW - DAY,
        proof_id=mint_iri(),
        foreign=True,
    )


def present_raw(world: World, credentials: list[Json], **changes: Any) -> Json:
    """A presentation signed without checking what is in it."""
    document = {
        "@context": ["https://www.w3.org/ns/credentials/v2", "https://w3id.org/mobility-vault/v1"],
        "id": mint_iri(),
        "type": ["VerifiablePresentation"],
        "holder": world.holder_did,
        "verifiableCredential": credentials,
        **changes.pop("members", {}),
    }
    options = {
        "cryptosuite": "ecdsa-rdfc-2019",
        "purpose": "authentication",
        "created": NOW,
        "challenge": CHALLENGE,
        "domain": world_audience(),
        "proof_id": mint_iri(),
        **changes,
    }
    return add_proof(document, options.pop("signer", world.holder), **options)


def world_audience() -> str:
    from tests.unit.proofs.world import AUDIENCE

    return AUDIENCE


def test_a_good_package_is_verified_step_by_step(world: World) -> None:
    world.publish()
    package = world.present(world.usage(), world.affiliation(index=4711))
    verified = world.verify(package)
    assert [c.type for c in verified.credentials] == ["UsageProof", "AffiliationCredential"]
    assert {check.step for check in verified.checks} == set(range(1, 9))
    assert all(check.outcome is Outcome.PASS for check in verified.checks)
    assert verified.nullifier("fmd", "1") == ("q83vEjRWeJo", EMPLOYER)
    assert verified.of_type("UsageProof")[0].subject["days"] == 41
    for check in verified.checks:
        assert sentence(check, "fr") != sentence(check, "en")


def test_bytes_and_parsed_json_give_the_same_answer(world: World) -> None:
    package = world.present(world.usage())
    assert world.verify(json.dumps(package).encode()).id == world.verify(package).id


def test_what_was_verified_cannot_be_changed_through_the_document_given(world: World) -> None:
    package = world.present(world.usage())
    verified = world.verify(package)
    package["verifiableCredential"][0]["credentialSubject"]["days"] = 100
    assert verified.credentials[0].subject["days"] == 41
    assert verified.document["verifiableCredential"][0]["credentialSubject"]["days"] == 41


def test_a_value_that_is_not_json_is_refused(world: World) -> None:
    package = world.present(world.usage())
    package["holder"] = (package["holder"],)
    assert refused(lambda: world.verify(package)) == ("json-refused",)


def test_only_the_verifier_makes_verified_things(world: World) -> None:
    verified = world.verify(world.present(world.usage()))
    with pytest.raises(TypeError):
        dataclasses.replace(verified, _seal=None)
    fields = {f.name: None for f in dataclasses.fields(VerifiedPresentation)}
    with pytest.raises(TypeError):
        VerifiedPresentation(**fields)  # type: ignore[arg-type]
    fields = {f.name: None for f in dataclasses.fields(VerifiedCredential)}
    with pytest.raises(TypeError):
        VerifiedCredential(**fields)  # type: ignore[arg-type]


# --- 2 time ------------------------------------------------------------------------


def test_an_expired_credential_is_refused(world: World) -> None:
    package = world.present(world.usage(valid_until=NOW))
    assert refused(lambda: world.verify(package)) == ("expired",)


def test_a_credential_not_yet_valid_is_refused(world: World) -> None:
    body = world.usage_body()
    credential = issue(body, signer=world.home, at=NOW - DAY, valid_from=NOW + DAY)
    assert refused(lambda: world.verify(world.present(credential))) == ("not-yet-valid",)


def test_a_proof_from_the_future_is_refused(world: World) -> None:
    package = world.present(world.usage(), at=NOW + timedelta(minutes=5))
    assert refused(lambda: world.verify(package)) == ("proof-from-future",)


# --- 3 proof -----------------------------------------------------------------------


def test_another_key_under_the_issuers_name_is_refused(world: World) -> None:
    thief = Ed25519Key.from_seed(b"t" * 32).signer(f"{HOME}#key-1")
    package = world.present(issue(world.usage_body(), signer=thief, at=NOW - DAY))
    assert refused(lambda: world.verify(package)) == ("proof-invalid",)


def test_a_key_of_another_member_is_refused(world: World) -> None:
    body = {**world.usage_body(), "issuer": HOME}
    package = world.present(sign_raw(world, body, world.employer))
    assert refused(lambda: world.verify(package)) == ("issuer-key-mismatch",)


def test_a_key_that_is_not_pinned_is_refused(world: World) -> None:
    stray = Ed25519Key.from_seed(b"s" * 32).signer(f"{HOME}#key-2")
    package = world.present(issue(world.usage_body(), signer=stray, at=NOW - DAY))
    assert refused(lambda: world.verify(package)) == ("key-unknown",)


def test_algorithm_confusion_is_refused(world: World) -> None:
    credential = world.usage()
    credential["proof"]["cryptosuite"] = "ecdsa-rdfc-2019"
    assert refused(lambda: world.verify(world.present(credential))) == ("algorithm-mismatch",)


def test_the_suite_none_is_refused(world: World) -> None:
    package = world.present(world.usage())
    package["verifiableCredential"][0]["proof"]["cryptosuite"] = "none"
    assert refused(lambda: world.verify(package)) == ("cryptosuite-unknown",)


def test_a_removed_proof_is_refused(world: World) -> None:
    package = world.present(world.usage())
    del package["verifiableCredential"][0]["proof"]
    assert refused(lambda: world.verify(package)) == ("missing-member",)


def test_an_assertion_is_not_an_authentication(world: World) -> None:
    package = present_raw(world, [world.usage()], purpose="assertionMethod")
    assert refused(lambda: world.verify(package)) == ("proof-purpose",)


TAMPERINGS: dict[str, tuple[Callable[[Json], object], str]] = {
    "more-days": (lambda c: c["credentialSubject"].update(days=100), "proof-invalid"),
    "stronger-evidence": (
        lambda c: c["credentialSubject"].update(weakestEvidence="registry"),
        "proof-invalid",
    ),
    "longer-validity": (lambda c: c.update(validUntil="2030-01-01T00:00:00Z"), "proof-invalid"),
    "no-expiry": (lambda c: c.pop("validUntil"), "proof-invalid"),
    "removed-mandatory-statement": (
        lambda c: c["credentialSubject"].pop("assuranceMethod"),
        "missing-member",
    ),
    "removed-optional-statement": (
        lambda c: c["credentialSubject"].pop("treeSize"),
        "proof-invalid",
    ),
    "extra-member": (lambda c: c["credentialSubject"].update(amount=5), "extra-member"),
    "dropped-term": (lambda c: c["credentialSubject"].update(unheardOf=5), "dropped-term"),
    "dropped-term-at-root": (lambda c: c.update(unheardOf="x"), "dropped-term"),
    "id-alias": (
        lambda c: c["credentialSubject"].update({"@id": c["credentialSubject"]["id"]}),
        "keyword-alias",
    ),
    "id-alias-instead": (lambda c: c.update({"@id": c.pop("id")}), "keyword-alias"),
    "changed-context": (
        lambda c: c.update({"@context": [c["@context"][0], "https://example.org/v1"]}),
        "context-changed",
    ),
    "added-context": (
        lambda c: c["@context"].append("https://w3id.org/security/multikey/v1"),
        "context-changed",
    ),
    "inline-context": (
        lambda c: c["@context"].append({"days": "urn:x:other"}),
        "context-changed",
    ),
    "reordered-context": (lambda c: c["@context"].reverse(), "context-reordered"),
    "number-as-text": (lambda c: c["credentialSubject"].update(days="41"), "shape-invalid"),
    "number-as-truth": (lambda c: c["credentialSubject"].update(days=True), "shape-invalid"),
    "number-as-float": (lambda c: c["credentialSubject"].update(days=41.0), "shape-invalid"),
    "value-as-list": (lambda c: c["credentialSubject"].update(days=[41]), "shape-invalid"),
    "null": (lambda c: c["credentialSubject"].update(treeSize=None), "shape-invalid"),
    "empty-list": (lambda c: c["credentialSubject"].update(daysByMode=[]), "shape-invalid"),
    "relative-id": (lambda c: c.update(id="proof-1"), "relative-iri"),
    "relative-rule": (lambda c: c["credentialSubject"].update(rule="../fmd"), "relative-iri"),
    "blank-node": (lambda c: c["credentialSubject"]["daysByMode"][0].pop("id"), "blank-node"),
    "blank-node-label": (lambda c: c.update(id="_:b0"), "relative-iri"),
    "reordered-list": (
        lambda c: c["credentialSubject"]["daysByMode"].reverse(),
        "unordered-list",
    ),
    "repeated-node": (
        lambda c: c["credentialSubject"]["daysByMode"].append(
            c["credentialSubject"]["daysByMode"][0]
        ),
        "duplicate-node",
    ),
    "split-node": (
        lambda c: c["credentialSubject"]["daysByMode"].append(
            {**c["credentialSubject"]["daysByMode"][1], "days": 100}
        ),
        "duplicate-node",
    ),
    "nested-node-takes-the-root-id": (
        lambda c: c["credentialSubject"].update(
            daysByMode=[{**c["credentialSubject"]["daysByMode"][0], "id": c["id"]}]
        ),
        "duplicate-node",
    ),
    "unknown-mode": (
        lambda c: c["credentialSubject"]["daysByMode"][0].update(mode="teleport"),
        "shape-invalid",
    ),
    "unknown-type": (
        lambda c: c.update(type=["VerifiableCredential", "AlumniCredential"]),
        "type-unknown",
    ),
    "no-type": (lambda c: c.update(type=["VerifiableCredential"]), "type-unknown"),
    "reversed-period": (
        lambda c: c["credentialSubject"].update(periodFrom="2027-01-01"),
        "shape-invalid",
    ),
    "extra-member-in-proof": (lambda c: c["proof"].update(note="x"), "extra-member"),
    "other-challenge-in-proof": (lambda c: c["proof"].update(nonce="x"), "proof-invalid"),
    "issuer-as-object": (lambda c: c.update(issuer={"id": c["issuer"]}), "shape-invalid"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampered_credential_is_refused_even_when_presented_anew(world: World, name: str) -> None:
    credential = copy.deepcopy(world.usage())
    tamper, code = TAMPERINGS[name]
    tamper(credential)
    package = world.present(world.usage())
    package["verifiableCredential"] = [credential]
    codes = refused(lambda: world.verify(package))
    assert codes[0] == code
    with pytest.raises(VerificationError) as caught:
        world.verifier().verify_credential(credential, POLICY, at=NOW)
    assert caught.value.failed == (code,)


def test_a_tampered_presentation_is_refused(world: World) -> None:
    package = world.present(world.usage())
    package["verifiableCredential"].append(world.affiliation())
    assert refused(lambda: world.verify(package)) == ("proof-invalid",)


def test_a_credential_twice_in_a_package_is_refused(world: World) -> None:
    usage = world.usage()
    package = world.present(usage)
    package["verifiableCredential"].append(usage)
    assert refused(lambda: world.verify(package)) == ("duplicate-node",)


def test_duplicate_json_members_are_refused(world: World) -> None:
    text = json.dumps(world.present(world.usage()))
    doubled = text.replace('"days": 41,', '"days": 100, "days": 41,', 1)
    assert doubled != text
    assert refused(lambda: world.verify(doubled.encode())) == ("json-refused",)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "json-refused"),
        (b"<html></html>", "json-refused"),
        (b"[]", "json-refused"),
        (b"\xff\xfe", "json-refused"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "json-refused"),
        (b'{"days": NaN}', "json-refused"),
        (b'{"x": "' + b"a" * 600_000 + b'"}', "json-refused"),
        (json.dumps({"x": [0] * 30_000}).encode(), "too-large"),
    ],
)
def test_hostile_files_are_refused_by_name(world: World, data: bytes, code: str) -> None:
    assert refused(lambda: world.verify(data)) == (code,)


def test_a_deep_object_is_refused_without_recursion(world: World) -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    assert refused(lambda: world.verify({"x": deep})) == ("too-deep",)
    while isinstance(deep, list):  # unwound by hand: freeing it recursively is the interpreter's
        deep = deep.pop()


# --- 4 issuer ----------------------------------------------------------------------


def test_an_unknown_issuer_is_refused(world: World) -> None:
    stranger = Ed25519Key.from_seed(b"u" * 32).signer("did:web:stranger.example#key-1")
    package = world.present(issue(world.usage_body(), signer=stranger, at=NOW - DAY))
    assert refused(lambda: world.verify(package)) == ("issuer-unknown",)


def test_an_issuer_not_accredited_for_this_type_is_refused(world: World) -> None:
    package = world.present(issue(world.usage_body(), signer=world.employer, at=NOW - DAY))
    assert refused(lambda: world.verify(package)) == ("issuer-not-accredited",)


def test_an_issuer_not_accredited_at_that_date_is_refused(world: World) -> None:
    package = world.present(world.usage())
    world.change(HOME, until=NOW - timedelta(hours=1))
    assert refused(lambda: world.verify(package)) == ("issuer-not-accredited",)
    world.change(HOME, until=None, since=NOW + DAY)
    assert refused(lambda: world.verify(package)) == ("issuer-not-accredited",)


def test_an_ended_accreditation_still_counts_for_what_was_received_before(world: World) -> None:
    usage = world.usage()
    world.change(HOME, until=NOW - timedelta(hours=1))
    received = {usage["id"]: NOW - timedelta(hours=2)}
    world.verify(world.present(usage), received=received)


def test_a_key_compromised_before_receipt_is_refused(world: World) -> None:
    usage = world.usage()
    world.change_key(HOME, compromised_since=NOW - timedelta(hours=3))
    received = {usage["id"]: NOW - timedelta(hours=2)}
    package = world.present(usage)
    assert refused(lambda: world.verify(package, received=received)) == ("key-compromised",)


def test_a_key_compromised_after_receipt_still_counts(world: World) -> None:
    usage = world.usage()
    world.change_key(HOME, compromised_since=NOW - timedelta(hours=1))
    received = {usage["id"]: NOW - timedelta(hours=2)}
    world.verify(world.present(usage), received=received)


def test_a_compromised_key_without_a_date_of_receipt_is_refused(world: World) -> None:
    package = world.present(world.usage(at=NOW - 20 * DAY))
    world.change_key(HOME, compromised_since=NOW - DAY)
    assert refused(lambda: world.verify(package)) == ("key-compromised",)


def test_a_rotated_key_counts_for_what_it_signed_and_nothing_later(world: World) -> None:
    old = world.present(world.usage(at=NOW - 20 * DAY))
    late = world.present(world.usage(at=NOW - DAY))
    world.change_key(HOME, valid_until=NOW - 10 * DAY)
    world.verify(old)
    assert refused(lambda: world.verify(late)) == ("key-not-valid-then",)


def test_a_nullifier_family_the_issuer_does_not_hold_is_refused(world: World) -> None:
    world.change(EMPLOYER, nullifier_families=frozenset({"other"}))
    package = world.present(world.usage(), world.affiliation())
    assert refused(lambda: world.verify(package)) == ("family-not-accredited",)


def test_a_home_may_not_claim_a_sources_assurance(world: World) -> None:
    package = world.present(world.usage(assurance=AssuranceMethod.SOURCE_TRIPS))
    assert refused(lambda: world.verify(package)) == ("assurance-not-allowed",)


def test_a_holder_may_declare_on_their_honour_and_only_that(world: World) -> None:
    honest = world.usage_body(assurance=AssuranceMethod.SELF_DECLARED)
    world.verify(world.present(issue(honest, signer=world.holder, at=NOW)))
    proud = issue(world.usage_body(), signer=world.holder, at=NOW)
    assert refused(lambda: world.verify(world.present(proud))) == ("assurance-not-allowed",)
    foreign = issue(honest, signer=world.other_holder, at=NOW)
    assert refused(lambda: world.verify(world.present(foreign))) == ("issuer-unknown",)


@pytest.mark.parametrize("kind", sorted(COMPUTED))
def test_a_fact_computed_in_a_vault_never_passes_for_its_sources_word(
    world: World, kind: str
) -> None:
    world.change(HOME, credential_types=frozenset({kind}))
    world.change(OPERATOR, credential_types=frozenset({kind}))

    def made(method: str | None, signer: Signer) -> dict[str, Any]:
        found = example(kind)
        found["credentialSubject"] |= {"id": world.holder_did, "assuranceMethod": method}
        if method is None:
            del found["credentialSubject"]["assuranceMethod"]
        return world.present(issue(found, signer=signer, at=NOW))

    anything = HasCredential(kind)
    world.verify(made("vault-attested", world.home), anything)
    world.verify(made(None, world.operator), anything)
    world.verify(made("self-declared", world.holder), anything)
    for method, signer in (
        (None, world.home),
        ("self-declared", world.home),
        ("vault-attested", world.operator),
        ("vault-attested", world.holder),
        (None, world.holder),
    ):
        wrong = made(method, signer)
        found = refused(lambda package=wrong: world.verify(package, anything))
        assert found == ("assurance-not-allowed",), (method, signer.verification_method)
    foreign = made("self-declared", world.other_holder)
    assert refused(lambda: world.verify(foreign, anything)) == ("issuer-unknown",)


@pytest.mark.parametrize("kind", sorted(PREFERENCES))
def test_preferences_are_signed_by_the_key_that_presents_them(world: World, kind: str) -> None:
    found = example(kind)
    found["credentialSubject"]["id"] = world.holder_did
    mine = world.present(issue(found, signer=world.holder, at=NOW))
    assert world.verify(mine, HasCredential(kind)).credentials[0].type == kind
    foreign = world.present(issue(found, signer=world.other_holder, at=NOW))
    assert refused(lambda: world.verify(foreign, HasCredential(kind))) == ("issuer-unknown",)


# --- 5 status ----------------------------------------------------------------------


def test_a_revoked_credential_is_refused(world: World) -> None:
    world.publish(4711)
    package = world.present(world.usage(), world.affiliation(index=4711))
    assert refused(lambda: world.verify(package)) == ("status-revoked",)


def test_an_unreachable_status_is_cannot_tell_and_never_a_refusal(world: World) -> None:
    package = world.present(world.usage(), world.affiliation(index=4711))
    with pytest.raises(UnverifiableError) as caught:
        world.verify(package)
    unknown = [c.code for c in caught.value.checks if c.outcome is Outcome.CANNOT_TELL]
    assert unknown == ["status-unreachable"]
    assert not any(c.outcome is Outcome.FAIL for c in caught.value.checks)


def test_a_bad_package_is_refused_even_when_its_status_is_unreachable(world: World) -> None:
    package = world.present(world.usage(valid_until=NOW), world.affiliation(index=4711))
    assert refused(lambda: world.verify(package)) == ("expired",)


@pytest.mark.parametrize("fault", ["stranger", "expired", "purpose", "bytes", "altered", "index"])
def test_an_unusable_status_list_is_cannot_tell(world: World, fault: str) -> None:
    index = 4711
    match fault:
        case "stranger":
            world.publish(signer=world.operator)
        case "expired":
            world.publish(valid_until=NOW)
        case "purpose":
            world.publish(purpose="suspension")
        case "altered":
            world.publish(4711)
            listed = dict(world.lists["http://localhost:8402/v1/status-lists/1"])  # type: ignore[arg-type]
            world.publish()
            clean = dict(world.lists["http://localhost:8402/v1/status-lists/1"])  # type: ignore[arg-type]
            world.lists["http://localhost:8402/v1/status-lists/1"] = {
                **listed,
                "credentialSubject": clean["credentialSubject"],
            }
        case "index":
            world.publish()
            index = 999_999
        case _:
            world.lists["http://localhost:8402/v1/status-lists/1"] = b"<html>"
    package = world.present(world.usage(), world.affiliation(index=index))
    with pytest.raises(UnverifiableError):
        world.verify(package)


# --- 6, 7 --------------------------------------------------------------------------


def test_a_credential_of_another_key_is_refused(world: World) -> None:
    lent = world.affiliation(holder=world.other_holder.verification_method.partition("#")[0])
    package = present_raw(world, [world.usage(), lent])
    assert refused(lambda: world.verify(package)) == ("holder-mismatch",)
    with pytest.raises(ShapeError) as caught:
        world.present(world.usage(), lent)
    assert caught.value.code_of == "holder-mismatch"


def test_a_presentation_signed_by_another_key_is_refused(world: World) -> None:
    package = present_raw(world, [world.usage()], signer=world.other_holder)
    assert refused(lambda: world.verify(package)) == ("holder-mismatch",)


def test_an_answer_to_another_question_is_refused(world: World) -> None:
    package = world.present(world.usage())
    codes = refused(lambda: world.verify(package, challenge="another-challenge-000"))
    assert codes == ("challenge-mismatch",)


def test_an_answer_for_another_verifier_is_refused(world: World) -> None:
    package = world.present(world.usage())
    domain = "decentralized_identifier:did:web:other.example"
    assert refused(lambda: world.verify(package, domain=domain)) == ("wrong-audience",)


# --- 8 policy ----------------------------------------------------------------------


def test_an_empty_policy_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="accept everything"):
        AllOf([])
    with pytest.raises(ValueError, match="refuse everything"):
        AnyOf([])


def test_the_unsafe_policy_warns(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.verify(world.present(world.usage()), UnsafeNoOpPolicy())
    assert "unsafe" in caplog.text


POLICIES = {
    "missing-credential": (HasCredential("PassCredential"), "policy-unmet"),
    "wrong-role": (IssuedByRole("UsageProof", Role.OPERATOR), "policy-unmet"),
    "assurance": (MinimumAssurance(AssuranceMethod.SOURCE_AGGREGATE), "assurance-too-weak"),
    "evidence": (MinimumEvidence(Evidence.CONFIRMED), "evidence-too-weak"),
    "period": (
        HasPeriod("UsageProof", NOW.date().replace(month=1, day=1), NOW.date()),
        "period-mismatch",
    ),
    "rule": (SubjectEquals("UsageProof", "rule", "urn:aide:other"), "policy-unmet"),
    "nullifier": (HasNullifier("AffiliationCredential", "fmd", "2"), "policy-unmet"),
    "nullifier-issuer": (HasNullifier("AffiliationCredential", "fmd", "1", HOME), "policy-unmet"),
    "any": (AnyOf([HasCredential("A"), HasCredential("B")]), "policy-unmet"),
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_that_is_not_met_refuses(world: World, name: str) -> None:
    policy, code = POLICIES[name]
    package = world.present(world.usage(), world.affiliation())
    assert refused(lambda: world.verify(package, AllOf([POLICY, policy]))) == (code,)


def test_a_policy_that_is_met_accepts(world: World) -> None:
    policy = AllOf(
        [
            HasCredential("UsageProof"),
            IssuedByRole("UsageProof", Role.HOME),
            MinimumAssurance(AssuranceMethod.VAULT_ATTESTED),
            MinimumEvidence(Evidence.SENSED),
            SubjectEquals("UsageProof", "rule", "urn:aide:fmd"),
            HasNullifier("AffiliationCredential", "fmd", "1", EMPLOYER),
            AnyOf([HasCredential("PassCredential"), HasCredential("AffiliationCredential")]),
        ]
    )
    world.verify(world.present(world.usage(), world.affiliation()), policy)


def test_a_step_switched_off_would_be_seen(world: World) -> None:
    """Every step leaves its checks; a verification without one of them is not complete."""
    steps = {c.step for c in world.verify(world.present(world.usage())).checks}
    assert steps == {1, 2, 3, 4, 5, 6, 7, 8}


def test_the_careful_issuer_refuses_what_verifiers_would(world: World) -> None:
    body = world.usage_body()
    body["credentialSubject"]["unheardOf"] = 1
    with pytest.raises(Exception, match="no context defines"):
        issue(body, signer=world.home, at=NOW)
    body = world.usage_body()
    del body["credentialSubject"]["daysByMode"][0]["id"]
    with pytest.raises(ShapeError) as caught:
        issue(body, signer=world.home, at=NOW)
    assert caught.value.code_of == "blank-node"


def test_holders_of_either_key_type_can_present(world: World) -> None:
    holder = Ed25519Key.from_seed(b"x" * 32).signer()
    did = holder.verification_method.partition("#")[0]
    package = world.present(world.usage(holder=did), holder=holder)
    assert world.verify(package).holder == did


def test_every_code_has_words_in_both_languages() -> None:
    for french, english in WORDS.values():
        assert french
        assert english


def test_keys_do_not_print() -> None:
    for key in (Ed25519Key.generate(), P256Key.generate()):
        secret = bytes(key.private_bytes()).hex()
        assert secret not in repr(key) + repr(key.signer())
