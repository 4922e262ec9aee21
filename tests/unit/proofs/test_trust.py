"""Trust snapshots: every rule of taking a newer one, tried out of order."""

import json
from datetime import timedelta

import pytest

from federation.jose import sign_jws
from federation.keys import Ed25519Key, P256Key
from federation.trust import (
    TYP,
    KeyCompromisedError,
    KeyNotTrustedError,
    KeyNotValidThenError,
    PinnedKey,
    Role,
    SnapshotExpiredError,
    SnapshotInvalidError,
    SnapshotRolledBackError,
    TrustedSnapshotSet,
    TrustEntry,
    TrustSnapshot,
    format_instant,
    parse_instant,
)
from schemas.evidence import Evidence
from tests.unit.proofs.world import DAY, EMPLOYER, HOME, NOW, OPERATOR, REGISTRY, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def trusted(world: World) -> TrustedSnapshotSet:
    return TrustedSnapshotSet({f"{REGISTRY}#key-1": Ed25519Key.from_seed(b"r" * 32).public})


def test_a_snapshot_survives_its_bytes(world: World, trusted: TrustedSnapshotSet) -> None:
    world.change(OPERATOR, evidence=Evidence.OPERATOR, until=NOW + DAY, accredited_by=REGISTRY)
    world.change_key(HOME, valid_until=NOW + DAY, compromised_since=NOW)
    snapshot = world.trust(7)
    assert trusted.update(snapshot.sign(world.registry), NOW) == snapshot
    assert trusted.current(NOW) == snapshot
    assert trusted.version == 7


def test_the_version_may_not_go_down(world: World, trusted: TrustedSnapshotSet) -> None:
    older, newer = (world.trust(n).sign(world.registry) for n in (1, 2))
    trusted.update(newer, NOW)
    trusted.update(newer, NOW)
    with pytest.raises(SnapshotRolledBackError):
        trusted.update(older, NOW)
    assert trusted.version == 2


def test_a_version_remembered_elsewhere_counts(world: World) -> None:
    roots = {f"{REGISTRY}#key-1": Ed25519Key.from_seed(b"r" * 32).public}
    trusted = TrustedSnapshotSet(roots, minimum_version=5)
    with pytest.raises(SnapshotRolledBackError):
        trusted.update(world.trust(4).sign(world.registry), NOW)
    trusted.update(world.trust(5).sign(world.registry), NOW)


def test_two_snapshots_under_one_version_are_refused(
    world: World, trusted: TrustedSnapshotSet
) -> None:
    trusted.update(world.trust(3).sign(world.registry), NOW)
    world.change(HOME, name="another")
    with pytest.raises(SnapshotRolledBackError):
        trusted.update(world.trust(3).sign(world.registry), NOW)


def test_an_expired_snapshot_is_refused_and_no_longer_current(
    world: World, trusted: TrustedSnapshotSet
) -> None:
    data = world.trust().sign(world.registry)
    with pytest.raises(SnapshotExpiredError):
        trusted.current(NOW)
    with pytest.raises(SnapshotExpiredError):
        trusted.update(data, NOW + 31 * DAY)
    trusted.update(data, NOW)
    with pytest.raises(SnapshotExpiredError):
        trusted.current(NOW + 30 * DAY)


def test_a_snapshot_from_the_future_is_refused(world: World, trusted: TrustedSnapshotSet) -> None:
    with pytest.raises(SnapshotInvalidError):
        trusted.update(world.trust().sign(world.registry), NOW - 2 * DAY)


def test_a_snapshot_of_a_stranger_is_refused(world: World, trusted: TrustedSnapshotSet) -> None:
    thief = Ed25519Key.from_seed(b"t" * 32)
    for signer in (thief.signer(f"{REGISTRY}#key-1"), thief.signer("did:web:x#k"), world.home):
        with pytest.raises(SnapshotInvalidError):
            trusted.update(world.trust().sign(signer), NOW)


@pytest.mark.parametrize("data", [b"", b"a.b.c", b"\xff", b"{}", b"..", b"x" * 100])
def test_bytes_that_are_no_snapshot_are_refused(trusted: TrustedSnapshotSet, data: bytes) -> None:
    with pytest.raises(SnapshotInvalidError):
        trusted.update(data, NOW)


@pytest.mark.parametrize("member", ["iss", "version", "issuedAt", "expiresAt", "entries"])
def test_every_member_is_needed_and_of_its_kind(
    world: World, trusted: TrustedSnapshotSet, member: str
) -> None:
    claims = world.trust().to_claims()
    for value in (None, "x", -1, [], {"a": 1}):
        if value == [] and member == "entries":
            continue
        changed = json.loads(json.dumps({**claims, member: value}))
        with pytest.raises(SnapshotInvalidError):
            trusted.update(sign_jws(changed, world.registry, typ=TYP).encode(), NOW)
    del claims[member]
    with pytest.raises(SnapshotInvalidError):
        trusted.update(sign_jws(claims, world.registry, typ=TYP).encode(), NOW)


def test_another_typ_is_refused(world: World, trusted: TrustedSnapshotSet) -> None:
    token = sign_jws(world.trust().to_claims(), world.registry, typ="JWT")
    with pytest.raises(SnapshotInvalidError):
        trusted.update(token.encode(), NOW)


def test_roots_rotate_by_a_snapshot_signed_with_the_old_root(
    world: World, trusted: TrustedSnapshotSet
) -> None:
    new = P256Key.from_private_bytes(b"n" * 32).signer(f"{REGISTRY}#key-2")
    old = world.registry
    world.entries[REGISTRY] = TrustEntry(
        did=REGISTRY,
        name="hub",
        roles=frozenset({Role.HUB}),
        keys=(
            PinnedKey(old.public_multikey(), old.verification_method, NOW - DAY, NOW + DAY),
            PinnedKey(new.public_multikey(), new.verification_method, NOW),
        ),
    )
    with pytest.raises(SnapshotInvalidError):
        trusted.update(world.trust(1).sign(new), NOW)
    trusted.update(world.trust(1).sign(old), NOW)
    trusted.update(world.trust(2).sign(new), NOW)
    with pytest.raises(SnapshotInvalidError):
        trusted.update(world.trust(3).sign(old), NOW + DAY)


def test_a_kept_snapshot_is_taken_up_again_after_a_restart(world: World) -> None:
    roots = {f"{REGISTRY}#key-1": Ed25519Key.from_seed(b"r" * 32).public}
    kept = world.trust(9).sign(world.registry)
    trusted = TrustedSnapshotSet(roots, trusted=kept)
    with pytest.raises(SnapshotRolledBackError):
        trusted.update(world.trust(8).sign(world.registry), NOW)
    with pytest.raises(SnapshotInvalidError):
        TrustedSnapshotSet(roots, trusted=kept[:-4] + b"AAAA")


def test_a_registry_cannot_pin_one_name_twice(world: World) -> None:
    entry = world.entries[HOME]
    for entries in (
        (entry, entry),
        (TrustEntry(EMPLOYER, "x", frozenset(), entry.keys),),
        (TrustEntry(HOME, "x", frozenset(), entry.keys * 2),),
    ):
        with pytest.raises(SnapshotInvalidError):
            TrustSnapshot(1, REGISTRY, NOW, NOW + DAY, entries)


def test_keys_are_judged_at_a_date(world: World) -> None:
    method = f"{HOME}#key-1"
    world.change_key(HOME, valid_until=NOW, compromised_since=NOW - DAY)
    trust = world.trust()
    trust.key(method, NOW - 2 * DAY)
    with pytest.raises(KeyCompromisedError):
        trust.key(method, NOW - 2 * DAY, received=False)
    with pytest.raises(KeyCompromisedError):
        trust.key(method, NOW - DAY)
    with pytest.raises(KeyNotValidThenError):
        trust.key(method, NOW - 91 * DAY)
    with pytest.raises(KeyNotTrustedError):
        trust.key(f"{HOME}#key-9", NOW)


def test_evidence_is_what_the_registry_lets_attest_and_declared_for_strangers(
    world: World,
) -> None:
    world.change(OPERATOR, evidence=Evidence.OPERATOR, until=NOW)
    trust = world.trust()
    assert trust.evidence_of(OPERATOR, NOW - timedelta(seconds=1)) is Evidence.OPERATOR
    assert trust.evidence_of(OPERATOR, NOW) is Evidence.DECLARED
    assert trust.evidence_of(HOME, NOW) is Evidence.DECLARED
    assert trust.evidence_of("did:web:stranger", NOW) is Evidence.DECLARED


def test_members_are_found_by_role(world: World) -> None:
    assert [e.did for e in world.trust().with_role(Role.HOME, NOW)] == [HOME]
    assert world.trust().with_role(Role.HOME, NOW - 91 * DAY) == ()


def test_instants_are_written_one_way() -> None:
    assert format_instant(NOW) == "2026-11-21T12:00:00Z"
    assert parse_instant("2026-11-21T13:00:00+01:00") == NOW
    for text in ("2026-11-21", "2026-11-21T12:00:00", "", 5, None, "x" * 50):
        with pytest.raises(ValueError, match=r"nstant|sofor"):
            parse_instant(text)
    with pytest.raises(ValueError, match="aware"):
        format_instant(NOW.replace(tzinfo=None))
