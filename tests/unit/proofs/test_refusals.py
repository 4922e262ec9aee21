"""What a verifier must refuse, a name each, for every container it reads: the list of the
federation's issue on proofs, through the real `Verifier`.

Of the list, a replayed challenge needs the hub's store (`tests/conformance/test_hub.py`,
`challenge-used`); removed and foreign statements of `ecdsa-sd-2023` are in `test_selective.py`.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from federation.credentials import (
    AllOf,
    HasCredential,
    StatusEntry,
    TokenStatus,
    TokenStatusList,
    UnverifiableError,
    VerificationError,
    issue,
    issue_sd_jwt_vc,
    issue_token_status_list,
)
from federation.credentials import types as build
from federation.jose import sign_jws
from federation.keys import Ed25519Key, P256Key
from federation.multibase import b64url, b64url_decode
from federation.proofs import present_sd_jwt
from federation.trust import SnapshotRolledBackError, TrustedSnapshotSet
from tests.unit.proofs.world import (
    AUDIENCE,
    CHALLENGE,
    DAY,
    EMPLOYER,
    LIST_URL,
    NOW,
    REGISTRY,
    World,
)

POLICY = AllOf([HasCredential("AffiliationCredential")])
TOKENS = "https://employer.example/status/9"
HOLDER = P256Key.from_private_bytes(b"\x01" * 32)
THIEF = Ed25519Key.from_seed(b"t" * 32).signer(f"{EMPLOYER}#key-1")
Json = dict[str, Any]


class Case(NamedTuple):
    """How one container is issued and shown; `edit` changes what the issuer signs or shows."""

    name: str
    show: Callable[..., Any]
    verify: Callable[..., Any]


def body(world: World, **changes: Any) -> Json:
    return build.affiliation(
        **{
            "holder": world.holder_did,
            "employer_name": "Agglomération de la Clamoux",
            "employer_id": "20003588700013",
            "employee_number": "A-1042",
            "status": "agent-contractuel-public",
            **changes,
        }
    )


def show_ldp(world: World, **o: Any) -> Json:
    return issue(
        body(
            world, valid_until=o.get("until", NOW + DAY), holder=o.get("holder", world.holder_did)
        ),
        signer=o.get("signer", world.employer),
        at=NOW - 2 * DAY,
        valid_from=o.get("since", NOW - 2 * DAY),
        status=StatusEntry(LIST_URL, o["index"], o.get("purpose", "revocation"))
        if "index" in o
        else None,
    )


def verify_ldp(world: World, credential: Json, **o: Any) -> Any:
    package = world.present(
        credential,
        **{k: o[k] for k in ("challenge", "domain", "holder") if k in o},
    )
    return world.verify(package, POLICY, received=o.get("received"))


def show_token(world: World, **o: Any) -> str:
    return issue_sd_jwt_vc(
        body(world),
        signer=o.get("signer", world.employer),
        holder=o.get("key", HOLDER).public,
        at=o.get("since", NOW - 2 * DAY),
        valid_until=o.get("until", NOW + DAY),
        status=TokenStatus(TOKENS, o["index"]) if "index" in o else None,
    )


def presented(world: World, token: str, **o: Any) -> str:
    return present_sd_jwt(
        token,
        disclose=[("employerId",)],
        holder=o.get("holder", world.holder),
        nonce=o.get("challenge", CHALLENGE),
        audience=o.get("domain", AUDIENCE),
        at=NOW,
    )


def verify_token(world: World, token: str, **o: Any) -> Any:
    return verify_shown(world, presented(world, token, **o))


def verify_shown(world: World, text: str) -> Any:
    return world.verifier().verify_sd_jwt(text, POLICY, nonce=CHALLENGE, audience=AUDIENCE, at=NOW)


CASES = {
    "ldp_vc": Case("ldp_vc", show_ldp, verify_ldp),
    "dc+sd-jwt": Case("dc+sd-jwt", show_token, verify_token),
}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def refused(act: Callable[[], object]) -> tuple[str, ...]:
    with pytest.raises(VerificationError) as caught:
        act()
    return caught.value.failed


def publish(world: World, index: int, kind: str, *, at: Any = NOW - timedelta(hours=1)) -> None:
    purpose = "suspension" if kind == "suspended" else "revocation"
    world.publish(index, at=at, purpose=purpose)
    entries = TokenStatusList.empty()
    entries[index] = 2 if kind == "suspended" else 1
    world.lists[TOKENS] = issue_token_status_list(
        entries, uri=TOKENS, signer=world.employer, at=at, valid_until=NOW + DAY
    ).encode()


def test_what_every_refusal_starts_from_is_accepted(world: World, case: Case) -> None:
    assert case.verify(world, case.show(world))
    publish(world, 5, "revoked")
    assert case.verify(world, case.show(world, index=6))


def test_expired_is_refused(world: World, case: Case) -> None:
    shown = case.show(world, until=NOW - timedelta(seconds=1))
    assert refused(lambda: case.verify(world, shown)) == ("expired",)


def test_not_yet_valid_is_refused(world: World, case: Case) -> None:
    shown = case.show(world, since=NOW + DAY / 2)
    assert refused(lambda: case.verify(world, shown)) == ("not-yet-valid",)


def test_a_wrong_issuer_key_is_refused(world: World, case: Case) -> None:
    shown = case.show(world, signer=THIEF)
    assert refused(lambda: case.verify(world, shown)) == ("proof-invalid",)


def test_an_issuer_not_accredited_for_this_type_is_refused(world: World, case: Case) -> None:
    shown = case.show(world, signer=world.operator)
    assert refused(lambda: case.verify(world, shown)) == ("issuer-not-accredited",)


def test_an_issuer_not_accredited_at_that_date_is_refused(world: World, case: Case) -> None:
    shown = case.show(world)
    world.change(EMPLOYER, until=NOW - timedelta(hours=1))
    assert refused(lambda: case.verify(world, shown)) == ("issuer-not-accredited",)


@pytest.mark.parametrize("kind", ["revoked", "suspended"])
def test_revoked_and_suspended_are_refused(world: World, case: Case, kind: str) -> None:
    publish(world, 5, kind)
    purpose = "suspension" if kind == "suspended" else "revocation"
    shown = case.show(world, index=5, purpose=purpose)
    assert refused(lambda: case.verify(world, shown)) == (f"status-{kind}",)


def test_a_status_out_of_reach_is_cannot_tell(world: World, case: Case) -> None:
    with pytest.raises(UnverifiableError) as caught:
        case.verify(world, case.show(world, index=5))
    assert [c.code for c in caught.value.checks if c.outcome == "cannot-tell"] == [
        "status-unreachable"
    ]


def test_a_status_list_out_of_date_is_cannot_tell(world: World, case: Case) -> None:
    publish(world, 5, "revoked", at=NOW + timedelta(hours=1))
    with pytest.raises(UnverifiableError):
        case.verify(world, case.show(world, index=6))


def test_another_challenge_is_refused(world: World, case: Case) -> None:
    shown = case.show(world)
    assert refused(lambda: case.verify(world, shown, challenge="another-question")) == (
        "challenge-mismatch",
    )


def test_another_audience_is_refused(world: World, case: Case) -> None:
    shown = case.show(world)
    assert refused(lambda: case.verify(world, shown, domain="https://other.example")) == (
        "wrong-audience",
    )


def test_another_holder_key_is_refused(world: World) -> None:
    from tests.unit.proofs.test_verify import present_raw

    stranger = world.other_holder.verification_method.partition("#")[0]
    credential = show_ldp(world, holder=stranger)
    package = present_raw(world, [credential])
    assert refused(lambda: world.verify(package, POLICY)) == ("holder-mismatch",)
    token = show_token(world, key=P256Key.from_private_bytes(b"\x02" * 32))
    mine = presented(world, show_token(world)).rpartition("~")[2]
    stolen = presented(world, token, holder=world.other_holder).rpartition("~")[0]
    assert refused(lambda: verify_shown(world, f"{stolen}~{mine}")) == ("holder-mismatch",)


def test_a_key_compromised_before_receipt_is_refused(world: World, case: Case) -> None:
    shown = case.show(world)
    world.change_key(EMPLOYER, compromised_since=NOW - timedelta(hours=2))
    assert refused(lambda: case.verify(world, shown)) == ("key-compromised",)


def test_a_snapshot_older_than_the_last_seen_is_refused(world: World, case: Case) -> None:
    """The thief offers the registry of before the compromise: it is not taken, and the verifier of
    the one last seen refuses."""
    shown = case.show(world)
    before = world.trust(version=1).sign(world.registry)
    world.change_key(EMPLOYER, compromised_since=NOW - timedelta(hours=2))
    roots = {world.registry.verification_method: Ed25519Key.from_seed(b"r" * 32).public}
    assert world.registry.verification_method.startswith(REGISTRY)
    trusted = TrustedSnapshotSet(roots)
    trusted.update(world.trust(version=2).sign(world.registry), NOW)
    with pytest.raises(SnapshotRolledBackError):
        trusted.update(before, NOW)
    assert trusted.current(NOW).version == 2
    assert refused(lambda: case.verify(world, shown)) == ("key-compromised",)


def test_algorithm_confusion_is_refused_in_tokens(world: World) -> None:
    """The key's bytes as an HMAC secret, another curve's name, and none at all."""
    head, claims, signature = show_token(world).partition("~")[0].split(".")
    for algorithm in ("none", "HS256", "ES256", "ES384", "eddsa", None, ["EdDSA"]):
        header = {**json.loads(b64url_decode(head)), "alg": algorithm}
        forged = f"{b64url(json.dumps(header).encode())}.{claims}."
        for tail in ("", signature):
            codes = refused(lambda text=forged + tail: verify_shown(world, text + "~"))  # type: ignore[misc]
            assert set(codes) <= {"proof-invalid", "sd-jwt-malformed"}


def test_none_is_refused_in_linked_data(world: World) -> None:
    credential = show_ldp(world)
    for suite in ("none", "", None, "eddsa-rdfc-2021"):
        credential["proof"]["cryptosuite"] = suite
        package = {**world.present(show_ldp(world)), "verifiableCredential": [credential]}
        assert refused(lambda p=package: world.verify(p, POLICY)) == ("cryptosuite-unknown",)  # type: ignore[misc]


def test_a_duplicate_json_key_is_refused_everywhere(world: World) -> None:
    text = json.dumps(world.present(show_ldp(world)))
    doubled = text.replace('"holder":', '"holder": "did:key:zOther", "holder":', 1)
    assert doubled != text
    assert refused(lambda: world.verify(doubled.encode(), POLICY)) == ("json-refused",)

    jwt, _, rest = show_token(world).partition("~")
    header, claims, _ = jwt.split(".")
    payload = b64url_decode(claims).decode()
    twice = b64url(("{" + '"iss":"did:web:other.example",' + payload[1:]).encode())
    signed = f"{header}.{twice}"
    forged = f"{signed}.{b64url(world.employer.sign(signed.encode()))}"
    shown = presented(world, f"{jwt}~{rest}").partition("~")[2]
    assert refused(lambda: verify_shown(world, f"{forged}~{shown}")) == ("sd-jwt-malformed",)


def test_a_foreign_disclosure_is_refused_in_tokens(world: World) -> None:
    text = presented(world, show_token(world))
    foreign = b64url(json.dumps(["salt", "employeeNumber", "B-1"]).encode())
    jwt, _, rest = text.partition("~")
    assert refused(lambda: verify_shown(world, f"{jwt}~{foreign}~{rest}")) == (
        "foreign-disclosure",
    )


def test_a_member_no_context_defines_is_refused_in_tokens(world: World) -> None:
    """An SD-JWT drops nothing: what the type does not know is an extra member."""
    claims = {
        "iss": EMPLOYER,
        "vct": "https://w3id.org/mobility-vault/vocab#AffiliationCredential",
        "nbf": int(NOW.timestamp()) - 60,
        "exp": int(NOW.timestamp()) + 60,
        "cnf": {"jwk": HOLDER.public.jwk()},
        "unheardOf": 1,
    }
    token = sign_jws(claims, world.employer, typ="dc+sd-jwt") + "~"
    codes = refused(lambda: world.verifier().verify_issued_sd_jwt(token, POLICY, at=NOW))
    assert set(codes) <= {"extra-member", "type-unknown"}
