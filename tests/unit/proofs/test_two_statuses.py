"""Two status lists of one credential, and lists out of date. The list of refusals by name is
`test_named_refusals.py`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

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
from federation.keys import P256Key
from tests.unit.proofs.world import DAY, LIST_URL, NOW, World

POLICY = AllOf([HasCredential("AffiliationCredential")])
TOKENS = "https://employer.example/status/9"
HOLDER = P256Key.from_private_bytes(b"\x01" * 32)
Json = dict[str, Any]


def body(world: World) -> Json:
    return build.affiliation(
        holder=world.holder_did,
        employer_name="Agglomération de la Clamoux",
        employer_id="20003588700013",
        employee_number="A-1042",
        status="agent-contractuel-public",
    )


@pytest.fixture
def world() -> World:
    return World()


def refused(act: Callable[[], object]) -> tuple[str, ...]:
    with pytest.raises(VerificationError) as caught:
        act()
    return caught.value.failed


def verify_ldp(world: World, credential: Json) -> Any:
    return world.verify(world.present(credential), POLICY)


def test_a_status_list_out_of_date_is_cannot_tell(world: World) -> None:
    late = NOW + timedelta(hours=1)
    world.publish(5, at=late)
    entry = StatusEntry(LIST_URL, 6, "revocation")
    credential = issue(body(world), signer=world.employer, at=NOW - 2 * DAY, status=entry)
    with pytest.raises(UnverifiableError):
        verify_ldp(world, credential)
    entries = TokenStatusList.empty()
    world.lists[TOKENS] = issue_token_status_list(
        entries, uri=TOKENS, signer=world.employer, at=late, valid_until=NOW + DAY
    ).encode()
    token = issue_sd_jwt_vc(
        body(world),
        signer=world.employer,
        holder=HOLDER.public,
        at=NOW - 2 * DAY,
        valid_until=NOW + DAY,
        status=TokenStatus(TOKENS, 6),
    )
    with pytest.raises(UnverifiableError):
        world.verifier().verify_issued_sd_jwt(token, POLICY, at=NOW)


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
