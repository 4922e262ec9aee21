"""`ecdsa-sd-2023` in the federation: what is kept back is not seen, what is shown was signed."""

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.credentials import (
    AllOf,
    HasCredential,
    Nullifier,
    ShapeError,
    StatusEntry,
    VerificationError,
    disclose,
    issue,
    parse_credential,
    present,
    verify_received,
)
from federation.credentials import types as build
from federation.credentials.selective import mandatory_pointers
from federation.keys import Ed25519Key, P256Key
from federation.multibase import b64url, b64url_decode
from federation.proofs import (
    ProofInvalidError,
    ProofRequestError,
    add_base_proof,
    add_proof,
    derive_proof,
    verify_base_proof,
    verify_proof,
)
from federation.proofs.ecdsa_sd_2023 import MAX_STATEMENTS, select
from federation.trust import PinnedKey
from schemas.ids import Iri
from tests.unit.proofs.world import AUDIENCE, CHALLENGE, DAY, LIST_URL, NOW, OPERATOR, World

Json = dict[str, Any]
KEY = P256Key.from_private_bytes(b"\x0a" * 32)
SIGNER = KEY.signer(f"{OPERATOR}#key-2")
POLICY = AllOf([HasCredential("CarpoolJourney")])


@pytest.fixture
def world() -> World:
    made = World()
    pinned = PinnedKey(SIGNER.public_multikey(), SIGNER.verification_method, NOW - 90 * DAY)
    entry = made.entries[OPERATOR]
    made.change(OPERATOR, keys=(*entry.keys, pinned), nullifier_families=frozenset({"fmd", "cee"}))
    return made


def journey(world: World, *, status: bool = False) -> Json:
    """A carpool journey the operator signed statement by statement."""
    body = build.carpool_journey(
        holder=world.holder_did,
        journey=Iri("urn:uuid:11111111-1111-4111-8111-111111111111"),
        started_at=NOW - 3 * DAY,
        ended_at=NOW - 3 * DAY + timedelta(minutes=31),
        distance=17_200,
        role="driver",
        origin_commune="81065",
        destination_commune="81004",
        register_class="C",
        nullifiers=[Nullifier("fmd", "1", "aaa"), Nullifier("cee", "1", "bbb")],
        valid_until=NOW + 30 * DAY,
    )
    return issue(
        body,
        signer=SIGNER,
        at=NOW - DAY,
        status=StatusEntry(LIST_URL, 7) if status else None,
        selective=True,
    )


def shown(document: Json, *names: str) -> Json:
    return disclose(document, [("credentialSubject", name) for name in names])


def verify(world: World, *credentials: Json) -> Any:
    return world.verify(world.present(*credentials), POLICY)


def failed(act: Callable[[], object]) -> tuple[str, ...]:
    with pytest.raises(VerificationError) as caught:
        act()
    return caught.value.failed


# --- what it is for -----------------------------------------------------------------------


def test_a_verifier_sees_what_the_holder_chose_and_nothing_else(world: World) -> None:
    whole = journey(world)
    part = shown(whole, "distance", "registerClass")
    verified = verify(world, part).credentials[0]
    assert verified.subject == {
        "id": world.holder_did,
        "journey": whole["credentialSubject"]["journey"],
        "distance": 17_200,
        "registerClass": "C",
    }
    text = json.dumps(world.present(part))
    for kept_back in ("81065", "81004", "startedAt", "aaa", "bbb", "driver"):
        assert kept_back not in text


def test_one_family_is_disclosed_without_the_other(world: World) -> None:
    whole = journey(world)
    families = [node["family"] for node in whole["credentialSubject"]["nullifiers"]]
    path = ("credentialSubject", "nullifiers", families.index("cee"))
    verified = verify(world, disclose(whole, [path]))
    assert verified.nullifier("cee", "1") == ("bbb", OPERATOR)
    assert verified.nullifier("fmd", "1") is None


def test_what_is_always_shown_cannot_be_kept_back(world: World) -> None:
    world.lists = {}
    part = disclose(journey(world, status=True), [])
    assert {"issuer", "validFrom", "validUntil", "credentialStatus"} <= set(part)
    assert set(part["credentialSubject"]) == {"id", "journey"}


def test_a_revoked_credential_stays_revoked_whatever_is_shown(world: World) -> None:
    part = shown(journey(world, status=True), "distance")
    world.publish(8, signer=world.operator)
    assert verify(world, part)
    world.publish(7, signer=world.operator)
    assert failed(lambda: verify(world, part)) == ("status-revoked",)


def test_two_presentations_of_one_base_are_each_for_their_challenge(world: World) -> None:
    part = shown(journey(world), "distance")
    package = world.present(part, challenge="another-question-1")
    assert failed(lambda: world.verify(package, POLICY)) == ("challenge-mismatch",)


def test_only_a_key_of_p256_signs_so(world: World) -> None:
    body = {"@context": [], "type": []}
    with pytest.raises(ProofRequestError):
        add_base_proof(body, world.home, mandatory=[], purpose="assertionMethod", created=NOW)
    with pytest.raises(ProofRequestError):
        add_proof(body, SIGNER, cryptosuite="ecdsa-sd-2023", purpose="assertionMethod", created=NOW)


def test_the_holder_checks_what_it_receives(world: World) -> None:
    whole = journey(world)
    verify_received(whole, key=KEY.public)
    verify_received(world.usage(), key=Ed25519Key.from_seed(b"h" * 32).public)
    assert verify_base_proof(whole, key=KEY.public) == tuple(mandatory_pointers(whole))
    changed = copy.deepcopy(whole)
    changed["credentialSubject"]["distance"] += 1
    for document, key in ((changed, KEY), (whole, P256Key.generate())):
        with pytest.raises(ProofInvalidError):
            verify_received(document, key=key.public)


# --- what is refused, a name each ---------------------------------------------------------


def test_a_whole_credential_is_not_presented(world: World) -> None:
    whole = journey(world)
    with pytest.raises(ShapeError) as caught:
        world.present(whole)
    assert caught.value.code_of == "base-proof"
    verifier = world.verifier()
    assert failed(lambda: verifier.verify_credential(whole, POLICY, at=NOW)) == ("base-proof",)


def parts(document: Json) -> list[Any]:
    value: list[Any] = cbor2.loads(b64url_decode(document["proof"]["proofValue"][1:])[3:])
    return value


def with_parts(document: Json, value: object) -> Json:
    data = b"\xd9\x5d\x01" + cbor2.dumps(value)
    return {**document, "proof": {**document["proof"], "proofValue": "u" + b64url(data)}}


def test_a_mandatory_statement_removed_is_refused(world: World) -> None:
    part = shown(journey(world), "distance")
    for name in ("issuer", "validFrom", "validUntil"):
        less = {k: v for k, v in part.items() if k != name}
        with pytest.raises(ProofInvalidError):
            verify_proof(less, key=KEY.public, foreign=False)
    less = copy.deepcopy(part)
    del less["validUntil"]
    found = world.verifier()
    (code,) = failed(lambda: found.verify_credential(less, POLICY, at=NOW))
    assert code in {"proof-invalid", "foreign-disclosure"}


def test_a_mandatory_statement_removed_with_its_place_is_refused(world: World) -> None:
    """As a holder would who wants to lose the expiry: the places are moved, the count fits."""
    part = shown(journey(world), "distance")
    signature, public, signatures, labels, places = parts(part)
    del part["validUntil"]
    for drop in range(len(places)):
        kept = [p - (p > places[drop]) for p in places if p != places[drop]]
        forged = with_parts(part, [signature, public, signatures, labels, kept])
        with pytest.raises(ProofInvalidError):
            verify_proof(forged, key=KEY.public, foreign=False)


def test_signatures_reordered_are_refused(world: World) -> None:
    part = shown(journey(world), "distance", "registerClass")
    signature, public, signatures, labels, places = parts(part)
    assert len(signatures) > 1
    forged = with_parts(part, [signature, public, signatures[::-1], labels, places])
    with pytest.raises(ProofInvalidError) as caught:
        verify_proof(forged, key=KEY.public, foreign=False)
    assert caught.value.failed == ("foreign-disclosure",)


def test_a_statement_of_another_credential_is_a_foreign_disclosure(world: World) -> None:
    mine, other = (shown(journey(world), "distance") for _ in range(2))
    other["credentialSubject"]["distance"] = 17_200
    signature, public, _, labels, places = parts(mine)
    forged = with_parts(mine, [signature, public, parts(other)[2], labels, places])
    package = unchecked(world, forged)
    assert failed(lambda: world.verify(package, POLICY)) == ("foreign-disclosure",)


def test_a_statement_added_is_a_foreign_disclosure(world: World) -> None:
    part = shown(journey(world), "distance")
    part["credentialSubject"]["originCommune"] = "81065"
    package = unchecked(world, part)
    assert failed(lambda: world.verify(package, POLICY)) == ("foreign-disclosure",)


def test_a_statement_changed_is_refused(world: World) -> None:
    part = shown(journey(world), "distance")
    part["credentialSubject"]["distance"] = 99_999
    package = unchecked(world, part)
    assert failed(lambda: world.verify(package, POLICY)) == ("foreign-disclosure",)


def test_the_statement_key_of_another_base_is_refused(world: World) -> None:
    """Who makes a key of their own can sign any statement; the base signature covers the key."""
    part = shown(journey(world), "distance")
    mine = P256Key.generate()
    signature, _, signatures, labels, places = parts(part)
    forged = with_parts(part, [signature, mine.public.multicodec(), signatures, labels, places])
    with pytest.raises(ProofInvalidError):
        verify_proof(forged, key=KEY.public, foreign=False)


def test_an_optional_statement_called_mandatory_is_refused(world: World) -> None:
    part = shown(journey(world), "distance")
    signature, public, signatures, labels, places = parts(part)
    free = next(n for n in range(len(places) + len(signatures)) if n not in places)
    forged = with_parts(part, [signature, public, signatures[1:], labels, sorted([*places, free])])
    with pytest.raises(ProofInvalidError):
        verify_proof(forged, key=KEY.public, foreign=False)


def unchecked(world: World, *credentials: Json) -> Json:
    """A presentation of anything, as a dishonest holder's wallet makes it."""
    return present(credentials, holder=world.holder, challenge=CHALLENGE, domain=AUDIENCE, at=NOW)


HOSTILE: dict[str, Callable[[list[Any]], object]] = {
    "four-parts": lambda p: p[:4],
    "six-parts": lambda p: [*p, 1],
    "a-map": lambda p: dict(enumerate(p)),
    "a-number": lambda p: 7,
    "short-signature": lambda p: [p[0][:63], *p[1:]],
    "text-signature": lambda p: ["a" * 64, *p[1:]],
    "no-key": lambda p: [p[0], b"", *p[2:]],
    "a-point-off-the-curve": lambda p: [p[0], p[1][:3] + bytes(32), *p[2:]],
    "ed25519-key": lambda p: [p[0], b"\xed\x01" + bytes(33), *p[2:]],
    "signatures-no-list": lambda p: [p[0], p[1], p[2][0], *p[3:]],
    "short-statement-signature": lambda p: [p[0], p[1], [b"x"], *p[3:]],
    "too-many-signatures": lambda p: [p[0], p[1], p[2] * (MAX_STATEMENTS + 1), *p[3:]],
    "labels-no-map": lambda p: [*p[:3], [], p[4]],
    "label-by-name": lambda p: [*p[:3], {"c14n0": bytes(32)}, p[4]],
    "label-of-no-node": lambda p: [*p[:3], {0: bytes(32)}, p[4]],
    "label-below-zero": lambda p: [*p[:3], {-1: bytes(32)}, p[4]],
    "two-labels-alike": lambda p: [*p[:3], {0: bytes(32), 1: bytes(32)}, p[4]],
    "short-label": lambda p: [*p[:3], {0: b"x"}, p[4]],
    "place-twice": lambda p: [*p[:4], [p[4][0], *p[4]]],
    "places-out-of-order": lambda p: [*p[:4], p[4][::-1]],
    "place-below-zero": lambda p: [*p[:4], [-1, *p[4]]],
    "place-of-no-statement": lambda p: [*p[:4], [*p[4], 4_000]],
    "place-true": lambda p: [*p[:4], [True]],
    "no-places": lambda p: [*p[:4], []],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_proof_value_is_refused(world: World, name: str) -> None:
    part = shown(journey(world), "distance")
    forged = with_parts(part, HOSTILE[name](parts(part)))
    with pytest.raises(ProofInvalidError):
        verify_proof(forged, key=KEY.public, foreign=False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xd9\x5d",
        b"\xd9\x5d\x01",
        b"\xd9\x5d\x02\x80",
        b"\xd9\x5d\x01" + b"\x81" * 5_000,
        b"\xd9\x5d\x01\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xd9\x5d\x01\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\xd9\x5d\x01\x85\xd8\x1c\x80\xd8\x1d\x00\x00\x00\x00",
    ],
)
def test_what_is_not_cbor_is_refused(world: World, data: bytes) -> None:
    part = shown(journey(world), "distance")
    part["proof"]["proofValue"] = "u" + b64url(data)
    with pytest.raises(ProofInvalidError):
        verify_proof(part, key=KEY.public, foreign=False)
    with pytest.raises(ProofInvalidError):
        derive_proof(part, selective=["/issuer"])


def test_a_proof_value_of_other_letters_is_refused(world: World) -> None:
    part = shown(journey(world), "distance")
    for value in ("z" + "1" * 80, "m" + part["proof"]["proofValue"][1:], "u" + "A" * 200_001):
        part["proof"]["proofValue"] = value
        with pytest.raises(ProofInvalidError):
            verify_proof(part, key=KEY.public, foreign=False)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_no_bytes_make_a_proof_value_of_theirs(data: bytes) -> None:
    part = shown(journey(World()), "distance")
    part["proof"]["proofValue"] = "u" + b64url(b"\xd9\x5d\x01" + data)
    with pytest.raises(ProofInvalidError):
        verify_proof(part, key=KEY.public, foreign=False)


# --- pointers -----------------------------------------------------------------------------

TREE: Json = {
    "@context": ["urn:c"],
    "id": "urn:x:1",
    "type": ["T"],
    "a": {"id": "urn:x:2", "b": 1, "c": [{"id": "urn:x:3", "d": 2, "e": 3}, {"d": 4}, "text"]},
    "n/m~o": {"type": "U", "x": 1},
}


def test_pointers_select_what_they_name_and_what_leads_there() -> None:
    head = {"@context": ["urn:c"], "id": "urn:x:1", "type": ["T"]}
    assert select(TREE, []) is None
    assert select(TREE, ["/a/b"]) == {**head, "a": {"id": "urn:x:2", "b": 1}}
    assert select(TREE, ["/a/c/1"]) == {**head, "a": {"id": "urn:x:2", "c": [{"d": 4}]}}
    assert select(TREE, ["/a/c/2", "/a/c/0/e"]) == {
        **head,
        "a": {"id": "urn:x:2", "c": [{"id": "urn:x:3", "e": 3}, "text"]},
    }
    assert select(TREE, ["/n~1m~0o/x"]) == {**head, "n/m~o": {"type": "U", "x": 1}}
    whole = {**head, "a": TREE["a"]}
    assert select(TREE, ["/a"]) == select(TREE, ["/a/c/0/d", "/a"]) == whole
    assert select(TREE, ["/a", "/a/c/0/d", "/a/b"]) == whole
    assert select(TREE, ["/a/c/0/d", "/a/c/0"]) == select(TREE, ["/a/c/0"])


@pytest.mark.parametrize(
    "pointer",
    [
        "",
        "a",
        "/b",
        "/a/c/3",
        "/a/c/-",
        "/a/c/01",
        "/a/c/+1",
        "/a/b/c",
        "/a/c/x",
        "/a/c/99999999",
        "/@context",
        "/proof",
        "/a/c/٣",
    ],
)
def test_a_pointer_that_leads_nowhere_is_refused(pointer: str) -> None:
    with pytest.raises(ProofRequestError):
        select(TREE, [pointer])


def test_selecting_changes_neither_the_document_nor_its_copies() -> None:
    before = copy.deepcopy(TREE)
    found = select(TREE, ["/a"])
    assert found is not None
    found["a"]["c"].append(1)
    assert before == TREE


@given(
    st.sets(
        st.sampled_from(
            [
                "startedAt",
                "endedAt",
                "distance",
                "role",
                "originCommune",
                "registerClass",
                "nullifiers",
            ]
        )
    )
)
@settings(max_examples=25, deadline=None)
def test_any_choice_of_members_verifies_and_shows_just_these(names: set[str]) -> None:
    whole = journey(World())
    part = shown(whole, *names)
    verify_proof(part, key=KEY.public, foreign=False)
    subject = parse_credential(part).subject
    assert set(subject) == {"id", "journey", *names}
    assert subject == {name: whole["credentialSubject"][name] for name in subject}


def test_deriving_from_what_was_derived_is_refused(world: World) -> None:
    with pytest.raises(ProofInvalidError):
        derive_proof(shown(journey(world), "distance"), selective=["/issuer"])


def test_a_document_with_blank_nodes_keeps_its_labels_to_itself() -> None:
    """Blank nodes are named by HMAC: the labels of a derived document tell nothing of those kept
    back."""
    document = {
        "@context": journey(World())["@context"],
        "id": "urn:x:1",
        "type": ["VerifiableCredential"],
        "issuer": "did:web:a.example",
        "credentialSubject": {
            "daysByMode": [{"days": n, "mode": mode} for n, mode in enumerate(("walk", "bicycle"))]
        },
    }
    signed = add_base_proof(
        document,
        SIGNER,
        mandatory=["/issuer"],
        purpose="assertionMethod",
        created=NOW,
        foreign=True,
    )
    for index in (0, 1):
        part = derive_proof(
            signed, selective=[f"/credentialSubject/daysByMode/{index}"], foreign=True
        )
        assert part["credentialSubject"] == {
            "daysByMode": [document["credentialSubject"]["daysByMode"][index]]  # type: ignore[index]
        }
        verify_proof(part, key=KEY.public)
        assert len(parts(part)[3]) == 2
