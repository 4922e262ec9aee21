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
    StatusList,
    TokenStatus,
    TokenStatusList,
    UnverifiableError,
    VerificationError,
    issue,
    issue_sd_jwt_vc,
    issue_status_list,
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


# --- two purposes -------------------------------------------------------------------------------

SUSPENSIONS = LIST_URL.replace("/1", "/2")


def with_two(world: World, *, revoked: bool, suspended: bool) -> Json:
    """An affiliation with a place in a list of revocations and one in a list of suspensions."""
    for url, purpose, bit in (
        (LIST_URL, "revocation", revoked),
        (SUSPENSIONS, "suspension", suspended),
    ):
        bits = StatusList.empty()
        if bit:
            bits.set(9)
        world.lists[url] = issue_status_list(
            bits,
            url=url,
            signer=world.employer,
            at=NOW - timedelta(hours=1),
            valid_until=NOW + DAY,
            purpose=purpose,
        )
    entries = (StatusEntry(SUSPENSIONS, 9, "suspension"), StatusEntry(LIST_URL, 9, "revocation"))
    return issue(body(world), signer=world.employer, at=NOW - 2 * DAY, status=entries)


@pytest.mark.parametrize("revoked", [False, True])
@pytest.mark.parametrize("suspended", [False, True])
def test_each_of_two_status_entries_is_read(world: World, revoked: bool, suspended: bool) -> None:
    credential = with_two(world, revoked=revoked, suspended=suspended)
    assert [e["statusPurpose"] for e in credential["credentialStatus"]] == [
        "revocation",
        "suspension",
    ]
    expected = {"status-revoked"} if revoked else set()
    expected |= {"status-suspended"} if suspended else set()
    if not expected:
        assert verify_ldp(world, credential).credentials[0].type == "AffiliationCredential"
        return
    assert set(refused(lambda: verify_ldp(world, credential))) == expected


def test_one_of_two_lists_out_of_reach_is_cannot_tell_unless_the_other_refuses(
    world: World,
) -> None:
    good = with_two(world, revoked=False, suspended=False)
    del world.lists[SUSPENSIONS]
    with pytest.raises(UnverifiableError):
        verify_ldp(world, good)
    revoked = with_two(world, revoked=True, suspended=False)
    del world.lists[SUSPENSIONS]
    assert refused(lambda: verify_ldp(world, revoked)) == ("status-revoked",)


ENTRIES: dict[str, Callable[[list[Json]], object]] = {
    "reordered": lambda found: found.reverse(),
    "three": lambda found: found.append({**found[0], "id": "urn:x:1"}),
    "one-in-a-list": lambda found: found.pop(),
    "none-in-a-list": lambda found: found.clear(),
    "same-purpose": lambda found: found[1].update(statusPurpose="revocation"),
    "the-same-twice": lambda found: found.__setitem__(1, found[0]),
    "a-text": lambda found: found.__setitem__(1, "x"),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_status_entries_have_one_written_form(world: World, name: str) -> None:
    credential = with_two(world, revoked=False, suspended=False)
    ENTRIES[name](credential["credentialStatus"])
    codes = refused(lambda: world.verifier().verify_credential(credential, POLICY, at=NOW))
    assert set(codes) <= {"shape-invalid", "unordered-list", "duplicate-node"}


def test_dropping_one_of_two_status_entries_is_refused(world: World) -> None:
    """The one that says « suspended » is taken away: the signature covers both."""
    credential = with_two(world, revoked=False, suspended=True)
    credential["credentialStatus"] = credential["credentialStatus"][0]
    codes = refused(lambda: world.verifier().verify_credential(credential, POLICY, at=NOW))
    assert codes == ("proof-invalid",)


# --- the rest of the list, by its own names -----------------------------------------------------

SHAPES: dict[str, tuple[Callable[[Json], object], str]] = {
    "dropped-term": (lambda c: c["credentialSubject"].update(unheardOf=5), "dropped-term"),
    "undefined-term-at-the-root": (lambda c: c.update(unheardOf="x"), "dropped-term"),
    "changed-context": (
        lambda c: c["@context"].__setitem__(1, "https://example.org/v1"),
        "context-changed",
    ),
    "reordered-context": (lambda c: c["@context"].reverse(), "context-reordered"),
    "removed-mandatory-statement": (
        lambda c: c["credentialSubject"].pop("employerId"),
        "missing-member",
    ),
    "extra-member": (lambda c: c["credentialSubject"].update(amount=5), "extra-member"),
    "id-alias": (lambda c: c.update({"@id": c.pop("id")}), "keyword-alias"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_shape_of_a_document_is_refused_by_name(world: World, name: str) -> None:
    credential = show_ldp(world)
    change, code = SHAPES[name]
    package = world.present(show_ldp(world))
    change(credential)
    package["verifiableCredential"] = [credential]
    assert refused(lambda: world.verify(package, POLICY))[0] == code


def test_a_replayed_challenge_is_refused(world: World, case: Case) -> None:
    """What answered yesterday's challenge answers no other; the same challenge twice is the hub's
    to refuse (`challenge-used`, `tests/conformance/test_hub.py`)."""
    shown = case.show(world)
    codes = refused(lambda: case.verify(world, shown, challenge="n-of-another-request"))
    assert set(codes) <= {"challenge-mismatch", "key-binding"}
