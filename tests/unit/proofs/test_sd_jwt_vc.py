"""SD-JWT VC: the eight steps, type metadata, status, and DCQL."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from federation.credentials import (
    AllOf,
    BitstringError,
    HasCredential,
    HasNullifier,
    MinimumAssurance,
    Policy,
    TokenStatus,
    TokenStatusList,
    TypeMetadata,
    TypeMetadataError,
    UnverifiableError,
    VerificationError,
    VerifiedCredential,
    issue_sd_jwt_vc,
    issue_token_status_list,
    type_metadata,
    vct_of,
)
from federation.credentials import types as build
from federation.credentials.sd_jwt_vc import integrity
from federation.credentials.types import CREDENTIAL_TYPES
from federation.jose import sign_jws
from federation.keys import P256Key
from federation.openid4vp import (
    ClaimQuery,
    CredentialQuery,
    DcqlError,
    DcqlQuery,
    ResponseMalformedError,
    build_response,
    build_token,
    claims_asked,
    match,
    parse_response,
)
from federation.proofs.sd_jwt import held_claims, issue_sd_jwt, present_sd_jwt
from schemas.evidence import AssuranceMethod
from tests.unit.proofs.world import AUDIENCE, CHALLENGE, DAY, EMPLOYER, NOW, World

STATUS_URL = "http://localhost:8402/v1/token-status/1"
HOLDER = P256Key.from_private_bytes(b"\x01" * 32)
POLICY = AllOf([HasCredential("AffiliationCredential")])


class Wallet(World):
    """The federation, with SD-JWTs."""

    def affiliation_body(self) -> dict[str, Any]:
        return build.affiliation(
            holder=self.holder_did,
            employer_name="Agglomération de la Clamoux",
            employer_id="20003588700013",
            employee_number="A-1042",
            status="agent-contractuel-public",
            nullifiers=[
                build.Nullifier("fmd", "1", "q83vEjRWeJo"),
                build.Nullifier("bike", "1", "zzz"),
            ],
        )

    def token(self, **changes: Any) -> str:
        options: dict[str, Any] = {
            "signer": self.employer,
            "holder": HOLDER.public,
            "at": NOW - DAY,
            "valid_until": NOW + 30 * DAY,
        }
        return issue_sd_jwt_vc(self.affiliation_body(), **{**options, **changes})

    def show(self, token: str, *paths: tuple[str | int, ...], **changes: Any) -> str:
        options: dict[str, Any] = {"holder": self.holder, "nonce": CHALLENGE, "at": NOW}
        return present_sd_jwt(
            token,
            disclose=list(paths) or [("employerId",), ("nullifiers", "fmd")],
            **{**options, "audience": AUDIENCE, **changes},
        )

    def check(self, text: str, policy: Policy = POLICY, **changes: Any) -> VerifiedCredential:
        options: dict[str, Any] = {"nonce": CHALLENGE, "audience": AUDIENCE, "at": NOW}
        return self.verifier().verify_sd_jwt(text, policy, **{**options, **changes})

    def publish_tokens(self, **statuses: int) -> None:
        entries = TokenStatusList.empty()
        for index, status in statuses.items():
            entries[int(index[1:])] = status
        self.lists[STATUS_URL] = issue_token_status_list(
            entries, uri=STATUS_URL, signer=self.employer, at=NOW, valid_until=NOW + DAY
        ).encode()


@pytest.fixture
def world() -> Wallet:
    return Wallet()


def refused(act: Callable[[], object]) -> tuple[str, ...]:
    with pytest.raises(VerificationError) as caught:
        act()
    return caught.value.failed


def test_only_what_was_disclosed_is_seen_and_every_step_ran(world: Wallet) -> None:
    found = world.check(
        world.show(world.token()),
        AllOf([*[POLICY], HasNullifier("AffiliationCredential", "fmd", "1", EMPLOYER)]),
    )
    assert dict(found.subject) == {
        "id": world.holder_did,
        "employerId": "20003588700013",
        "nullifiers": [{"family": "fmd", "version": "1", "value": "q83vEjRWeJo"}],
    }
    assert found.issuer == EMPLOYER
    assert found.holder == world.holder_did
    assert [check.step for check in found.checks] == [1, 2, 3, 4, 5, 6, 7, 8, 8]
    assert "A-1042" not in json.dumps(found.document)


def test_a_member_named_status_does_not_hide_the_revocation(world: Wallet) -> None:
    claims = held_claims(world.token(status=TokenStatus(STATUS_URL, 9)))
    assert claims["status"] == {"status_list": {"idx": 9, "uri": STATUS_URL}}
    world.publish_tokens()
    found = world.check(world.show(world.token(), ("employmentStatus",)))
    assert found.subject["status"] == "agent-contractuel-public"


def test_all_of_our_types_are_issued_and_read_back(world: Wallet) -> None:
    bodies = {"UsageProof": world.usage_body(), "AffiliationCredential": world.affiliation_body()}
    for kind, body in bodies.items():
        world.change(EMPLOYER, credential_types=frozenset(CREDENTIAL_TYPES))
        token = issue_sd_jwt_vc(
            body, signer=world.home, holder=HOLDER.public, at=NOW, valid_until=NOW + DAY
        )
        claims = held_claims(token)
        assert claims["vct"] == vct_of(kind)
        TypeMetadata.parse(json.dumps(type_metadata(kind)).encode())
        everything = present_sd_jwt(
            token,
            disclose=lambda _path, _value: True,
            holder=world.holder,
            nonce=CHALLENGE,
            audience=AUDIENCE,
            at=NOW,
        )
        if kind == "UsageProof":
            found = world.check(everything, MinimumAssurance(AssuranceMethod.VAULT_ATTESTED))
            assert found.subject["days"] == 41


def test_an_assurance_that_is_not_disclosed_is_not_assumed(world: Wallet) -> None:
    token = issue_sd_jwt_vc(
        world.usage_body(),
        signer=world.home,
        holder=HOLDER.public,
        at=NOW,
        valid_until=NOW + DAY,
    )
    shown = world.show(token, ("days",))
    codes = refused(lambda: world.check(shown, MinimumAssurance(AssuranceMethod.SELF_DECLARED)))
    assert set(codes) == {"assurance-not-allowed", "policy-unmet"}


NEGATIVE: dict[str, tuple[Callable[[Wallet], object], str]] = {
    "expired": (
        lambda w: w.check(w.show(w.token(valid_until=NOW - timedelta(hours=1)))),
        "expired",
    ),
    "not-yet-valid": (lambda w: w.check(w.show(w.token(at=NOW + DAY))), "not-yet-valid"),
    "issuer-unknown": (
        lambda w: w.check(w.show(w.token(signer=w.holder))),
        "issuer-unknown",
    ),
    "wrong-issuer-key": (
        lambda w: w.check(w.show(w.token(signer=P256Key.generate().signer(f"{EMPLOYER}#key-1")))),
        "proof-invalid",
    ),
    "unpinned-key": (
        lambda w: w.check(w.show(w.token(signer=P256Key.generate().signer(f"{EMPLOYER}#key-9")))),
        "key-unknown",
    ),
    "not-accredited": (
        lambda w: w.check(w.show(w.token(signer=w.operator))),
        "issuer-not-accredited",
    ),
    "family-not-accredited": (
        lambda w: w.check(w.show(w.token(), ("nullifiers", "bike"))),
        "family-not-accredited",
    ),
    "another-key-presents": (
        lambda w: w.check(
            w.show(
                w.token(holder=P256Key.from_private_bytes(b"\x02" * 32).public),
                holder=w.other_holder,
            ).rpartition("~")[0]
            + "~"
            + w.show(w.token()).rpartition("~")[2]
        ),
        "holder-mismatch",
    ),
    "no-key-binding": (
        lambda w: w.check(w.show(w.token()).rpartition("~")[0] + "~"),
        "key-binding",
    ),
    "other-challenge": (
        lambda w: w.check(w.show(w.token(), nonce="m" * 16)),
        "challenge-mismatch",
    ),
    "other-audience": (
        lambda w: w.check(w.show(w.token(), audience="https://x.example")),
        "wrong-audience",
    ),
    "policy": (
        lambda w: w.check(w.show(w.token()), AllOf([HasCredential("UsageProof")])),
        "policy-unmet",
    ),
    "malformed": (lambda w: w.check("nonsense"), "sd-jwt-malformed"),
    "wrong-type": (
        lambda w: w.check(w.show(custom(w, vct="urn:x:t"))),
        "type-unknown",
    ),
    "unknown-claim": (
        lambda w: w.check(w.show(custom(w, surprise=1))),
        "extra-member",
    ),
    "wrong-kind": (
        lambda w: w.check(w.show(custom(w, employerName=5))),
        "shape-invalid",
    ),
    "no-dates": (
        lambda w: w.check(w.show(custom(w, exp=None))),
        "missing-member",
    ),
    "issuer-of-another-key": (
        lambda w: w.check(w.show(custom(w, iss="did:web:other.example"))),
        "issuer-key-mismatch",
    ),
    "disclosable-dates": (
        lambda w: w.check(
            w.show(
                custom(w, conceal=[("exp",), ("employerId",), ("nullifiers", "fmd")]),
                ("exp",),
                ("employerId",),
            )
        ),
        "foreign-disclosure",
    ),
}


def custom(world: Wallet, conceal: Any = None, **claims: Any) -> str:
    """What an accredited issuer could sign by mistake."""
    whole = {
        "iss": EMPLOYER,
        "vct": vct_of("AffiliationCredential"),
        "nbf": int(NOW.timestamp()) - 60,
        "exp": int(NOW.timestamp()) + 3600,
        "employerId": "20003588700013",
        "nullifiers": {"fmd": {"version": "1", "value": "x"}},
        **claims,
    }
    return issue_sd_jwt(
        {name: value for name, value in whole.items() if value is not None},
        signer=world.employer,
        typ="dc+sd-jwt",
        conceal=conceal or [("employerId",), ("nullifiers", "fmd")],
        holder=HOLDER.public,
    )


@pytest.mark.parametrize("name", NEGATIVE)
def test_every_fault_is_refused_by_its_name(world: Wallet, name: str) -> None:
    act, code = NEGATIVE[name]
    assert code in refused(lambda: act(world))


def test_what_the_negative_tests_start_from_is_accepted(world: Wallet) -> None:
    assert world.check(world.show(custom(world))).type == "AffiliationCredential"


def test_a_key_compromised_before_receipt_is_refused(world: Wallet) -> None:
    shown = world.show(world.token())
    world.change_key(EMPLOYER, compromised_since=NOW - timedelta(hours=2))
    assert refused(lambda: world.check(shown)) == ("key-compromised",)
    assert world.check(shown, received_at=NOW - timedelta(hours=3)).type


# --- status ------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code"), [(1, "status-revoked"), (2, "status-suspended"), (3, "status-revoked")]
)
def test_a_status_other_than_valid_is_refused(world: Wallet, status: int, code: str) -> None:
    shown = world.show(world.token(status=TokenStatus(STATUS_URL, 9)))
    world.publish_tokens(i8=1, i10=2)
    assert world.check(shown).type
    world.publish_tokens(i9=status)
    assert refused(lambda: world.check(shown)) == (code,)


def stale(world: Wallet) -> None:
    entries = TokenStatusList.empty()
    world.lists[STATUS_URL] = issue_token_status_list(
        entries, uri=STATUS_URL, signer=world.employer, at=NOW - 2 * DAY, valid_until=NOW - DAY
    ).encode()


def by_another(world: Wallet) -> None:
    world.lists[STATUS_URL] = issue_token_status_list(
        TokenStatusList.empty(),
        uri=STATUS_URL,
        signer=world.operator,
        at=NOW,
        valid_until=NOW + DAY,
    ).encode()


def of_another_address(world: Wallet) -> None:
    world.lists[STATUS_URL] = issue_token_status_list(
        TokenStatusList.empty(),
        uri=STATUS_URL + "0",
        signer=world.employer,
        at=NOW,
        valid_until=NOW + DAY,
    ).encode()


def bomb(world: Wallet) -> None:
    import zlib

    from federation.multibase import b64url

    claims = {
        "sub": STATUS_URL,
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 60,
        "status_list": {"bits": 1, "lst": b64url(zlib.compress(bytes(50_000_000)))},
    }
    world.lists[STATUS_URL] = sign_jws(claims, world.employer, typ="statuslist+jwt").encode()


@pytest.mark.parametrize(
    "fault",
    [
        lambda w: None,
        stale,
        by_another,
        of_another_address,
        bomb,
        lambda w: w.lists.update({STATUS_URL: b"\xff"}),
        lambda w: w.lists.update({STATUS_URL: {}}),
    ],
)
def test_a_status_that_cannot_be_read_is_no_refusal(
    world: Wallet, fault: Callable[[Wallet], object]
) -> None:
    fault(world)
    shown = world.show(world.token(status=TokenStatus(STATUS_URL, 9)))
    with pytest.raises(UnverifiableError) as caught:
        world.check(shown)
    assert [c.code for c in caught.value.checks if c.outcome == "cannot-tell"] == [
        "status-unreachable"
    ]


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_status_list_round_trips(bits: int) -> None:
    entries = TokenStatusList(bytearray(131_072 * bits // 8), bits)
    entries[0] = entries[77] = 1
    entries[131_071] = (1 << bits) - 1
    again = TokenStatusList.from_json(entries.to_json())
    found = {index: again[index] for index in (0, 1, 76, 77, 78, 131_071)}
    assert found == {0: 1, 1: 0, 76: 0, 77: 1, 78: 0, 131_071: (1 << bits) - 1}
    with pytest.raises(BitstringError):
        again[131_072]
    with pytest.raises(BitstringError):
        again[0] = 1 << bits


def test_the_specification_example_reads_as_it_says() -> None:
    """draft-ietf-oauth-status-list §4.1: bytes b9 a3, one bit each, lowest first."""
    entries = TokenStatusList(bytearray(b"\xb9\xa3") + bytearray(16_384), 1)
    assert [entries[i] for i in range(16)] == [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]


# --- type metadata ------------------------------------------------------------


def document(**members: Any) -> bytes:
    return json.dumps({"vct": "urn:x:child", **members}).encode()


def test_the_credential_names_the_bytes_of_its_type(world: Wallet) -> None:
    claims = held_claims(world.token())
    text = json.dumps(
        type_metadata("AffiliationCredential"), ensure_ascii=False, separators=(",", ":")
    ).encode()
    metadata = TypeMetadata.parse(text, expected=claims["vct#integrity"])
    assert metadata.names["fr"]
    with pytest.raises(TypeMetadataError):
        TypeMetadata.parse(text + b" ", expected=claims["vct#integrity"])


def test_a_credential_follows_its_type_or_is_refused(world: Wallet) -> None:
    metadata = TypeMetadata.parse(json.dumps(type_metadata("AffiliationCredential")).encode())
    found = world.verifier().verify_sd_jwt(
        world.show(world.token()), POLICY, nonce=CHALLENGE, audience=AUDIENCE, at=NOW
    )
    metadata.check(found.document["claims"], [("employerId",), ("nullifiers", "fmd")])
    with pytest.raises(TypeMetadataError):
        metadata.check(found.document["claims"], [("employerId",), ("exp",)])
    with pytest.raises(TypeMetadataError):
        metadata.check(found.document["claims"], [])
    strict = TypeMetadata.parse(
        document(claims=[{"path": ["seen"], "sd": "never", "mandatory": True}])
    )
    with pytest.raises(TypeMetadataError):
        strict.check({}, [])


def test_a_type_inherits_and_may_not_loosen() -> None:
    base = json.dumps(
        {"vct": "urn:x:base", "claims": [{"path": ["a"], "sd": "always"}, {"path": ["b", None]}]}
    ).encode()
    child = TypeMetadata.parse(
        document(
            extends="urn:x:base",
            **{"extends#integrity": integrity(base)},
            claims=[{"path": ["c"], "display": [{"locale": "fr", "label": "C"}]}],
        )
    )
    whole = child.resolve({"urn:x:base": base}.__getitem__)
    assert [claim.path for claim in whole.claims] == [("c",), ("a",), ("b", None)]
    whole.check({"a": 1, "b": [1, 2]}, [("a",)])
    with pytest.raises(TypeMetadataError):
        child.resolve(lambda _: base + b" ")
    loose = replace(child, claims=TypeMetadata.parse(document(claims=[{"path": ["a"]}])).claims)
    with pytest.raises(TypeMetadataError):
        loose.resolve(lambda _: base)


def test_types_that_extend_one_another_in_a_loop_are_refused() -> None:
    texts = {
        "urn:x:a": json.dumps({"vct": "urn:x:a", "extends": "urn:x:child"}).encode(),
        "urn:x:child": document(extends="urn:x:a"),
    }
    with pytest.raises(TypeMetadataError):
        TypeMetadata.parse(texts["urn:x:child"]).resolve(texts.__getitem__)


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{}",
        document(claims={}),
        document(claims=[{}]),
        document(claims=[{"path": []}]),
        document(claims=[{"path": [-1]}]),
        document(claims=[{"path": ["a"], "sd": "maybe"}]),
        document(display=[{"name": "x"}]),
        document(display={}),
        document(extends=1),
        b'{"vct":"a","vct":"b"}',
    ],
)
def test_malformed_type_metadata_is_refused(data: bytes) -> None:
    with pytest.raises(TypeMetadataError):
        TypeMetadata.parse(data)


# --- DCQL ------------------------------------------------------------


def query(*claims: ClaimQuery, **changes: Any) -> DcqlQuery:
    return DcqlQuery(
        (CredentialQuery("aff", "AffiliationCredential", claims, "dc+sd-jwt", **changes),)
    )


def test_dcql_asks_for_sd_jwts_and_the_wallet_shows_exactly_what_was_asked(world: Wallet) -> None:
    asked = query(ClaimQuery(("employerId",)), ClaimQuery(("nullifiers", "fmd")))
    written = asked.to_json()["credentials"][0]
    assert written["meta"] == {"vct_values": [vct_of("AffiliationCredential")]}
    assert DcqlQuery.from_json(asked.to_json()) == asked
    token = world.token()
    held = [world.usage(), "nonsense", token]
    found = match(asked, held)
    assert found.candidates["aff"] == (token,)
    paths = claims_asked(asked.credentials[0], token)
    shown = world.show(token, *paths)
    fields = build_response(build_token(None, [], tokens={"aff": [shown]}), state="s")
    answer = parse_response(vp_token=fields["vp_token"], state="s", query=asked)
    assert answer.tokens == {"aff": (shown,)}
    assert set(world.check(answer.tokens["aff"][0]).subject) == {"id", "employerId", "nullifiers"}


def test_the_first_claim_set_that_fits_is_shown() -> None:
    world = Wallet()
    asked = query(
        ClaimQuery(("absent",), id="x"),
        ClaimQuery(("employerId",), id="y"),
        ClaimQuery(("employerName",), id="z"),
        claim_sets=(("x",), ("y",), ("z",)),
    )
    assert claims_asked(asked.credentials[0], world.token()) == [("employerId",)]
    with pytest.raises(DcqlError):
        claims_asked(query(ClaimQuery(("absent",))).credentials[0], world.token())
    nothing = query(ClaimQuery(("employerId",), values=("1",)))
    assert not match(nothing, [world.token()]).is_complete


def test_an_answer_in_another_format_is_refused(world: Wallet) -> None:
    wants_token, wants_object = query(), DcqlQuery((CredentialQuery("aff", "UsageProof"),))
    for asked, item in ((wants_token, {}), (wants_object, "a~")):
        with pytest.raises(ResponseMalformedError):
            parse_response(vp_token=json.dumps({"aff": [item]}), state="s", query=asked)


@pytest.mark.parametrize("meta", [None, {}, {"vct_values": []}, {"vct_values": ["a", "b"]}])
def test_a_query_names_one_type(meta: Any) -> None:
    value = {"credentials": [{"id": "a", "format": "dc+sd-jwt", "meta": meta}]}
    with pytest.raises(DcqlError):
        DcqlQuery.from_json(value)
