"""SD-JWT (RFC 9901): ours against PyPI `sd-jwt`, both ways, and every way of cheating."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

from federation.jose import sign_jws
from federation.keys import Ed25519Key, MultikeyError, P256Key, PublicKey, key_of_jwk
from federation.multibase import b64url, b64url_decode
from federation.proofs.sd_jwt import (
    MAX_DISCLOSURES,
    Disclosure,
    KeyBinding,
    SdJwt,
    SdJwtError,
    SdJwtMalformedError,
    held_claims,
    issue_sd_jwt,
    present_sd_jwt,
    verify_sd_jwt,
)
from tests.unit.proofs.world import NOW

TYP = "dc+sd-jwt"
ISSUER = P256Key.from_private_bytes(b"\x05" * 32)
HOLDER = P256Key.from_private_bytes(b"\x06" * 32)
OTHER = P256Key.from_private_bytes(b"\x07" * 32)
BINDING = KeyBinding("n" * 16, "https://verifier.example", NOW)
CLAIMS: dict[str, Any] = {
    "iss": "https://issuer.example",
    "vct": "urn:x:t",
    "givenName": "Zoé",
    "address": {"street": "1 rue", "city": "Trèbes"},
    "lines": ["101", "102", "103"],
    "nullifiers": {"fmd": {"value": "a"}, "bike": {"value": "b"}},
}
CONCEAL: list[tuple[str | int, ...]] = [
    ("givenName",),
    ("address",),
    ("address", "street"),
    ("lines", 0),
    ("lines", 2),
    ("nullifiers", "fmd"),
    ("nullifiers", "bike"),
]


def issued(**changes: Any) -> str:
    options: dict[str, Any] = {"signer": ISSUER.signer(), "typ": TYP, "conceal": CONCEAL}
    return issue_sd_jwt(CLAIMS, **{**options, "holder": HOLDER.public, **changes})


def presented(text: str, *paths: tuple[str | int, ...], **changes: Any) -> str:
    options: dict[str, Any] = {"holder": HOLDER.signer(), "nonce": BINDING.nonce, "at": NOW}
    return present_sd_jwt(
        text, disclose=list(paths), **{**options, "audience": BINDING.audience, **changes}
    )


def verified(
    text: str, binding: KeyBinding | None = BINDING, key: PublicKey = ISSUER.public
) -> Any:
    return verify_sd_jwt(text, lambda _: key, typ=TYP, binding=binding)


def without_cnf(claims: Any) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name != "cnf"}


def test_everything_disclosed_is_everything_issued() -> None:
    text = issued()
    assert without_cnf(held_claims(text)) == CLAIMS
    found = verified(presented(text, *CONCEAL))
    assert without_cnf(found.claims) == CLAIMS
    assert found.holder == HOLDER.public
    assert set(found.disclosed) == set(CONCEAL)


def test_what_is_kept_back_leaves_no_trace() -> None:
    found = verified(presented(issued(), ("nullifiers", "fmd"), ("lines", 2)))
    assert without_cnf(found.claims) == {
        "iss": "https://issuer.example",
        "vct": "urn:x:t",
        "lines": ["102", "103"],
        "nullifiers": {"fmd": {"value": "a"}},
    }


def test_a_member_of_a_disclosable_object_brings_the_object() -> None:
    found = verified(presented(issued(), ("address", "street")))
    assert found.claims["address"] == {"street": "1 rue", "city": "Trèbes"}
    alone = verified(presented(issued(), ("address",)))
    assert alone.claims["address"] == {"city": "Trèbes"}


def test_decoys_are_digests_of_nothing() -> None:
    plain, padded = (
        json.loads(b64url_decode(issued(decoys=count).split("~")[0].split(".")[1]))
        for count in (0, 5)
    )
    assert len(padded["_sd"]) == len(plain["_sd"]) + 5
    assert padded["_sd"] == sorted(padded["_sd"])


# --- the other implementation ------------------------------------------------------------


def jwk(key: P256Key) -> JWK:
    private = {**key.public.jwk(), "d": b64url(bytes(key.private_bytes()))}
    return JWK.from_json(json.dumps(private))


def public_jwk(key: P256Key) -> JWK:
    return JWK.from_json(json.dumps(key.public.jwk()))


def test_pypi_sd_jwt_verifies_ours() -> None:
    text = presented(issued(decoys=3), ("givenName",), ("lines", 0), ("address", "street"))
    theirs = SDJWTVerifier(
        text, lambda *_: public_jwk(ISSUER), BINDING.audience, BINDING.nonce
    ).get_verified_payload()
    ours = verified(text).claims
    assert theirs == ours


def test_pypi_sd_jwt_presents_ours() -> None:
    holder = SDJWTHolder(issued())
    holder.create_presentation(
        {"givenName": True, "lines": [False, False, True]},
        BINDING.nonce,
        BINDING.audience,
        jwk(HOLDER),
    )
    text = holder.sd_jwt_presentation
    late = KeyBinding(BINDING.nonce, BINDING.audience, now_of(text))
    claims = verified(text, late).claims
    assert claims["givenName"] == "Zoé"
    assert claims["lines"] == ["102", "103"]
    assert "address" not in claims


def now_of(text: str) -> Any:
    """The other library dates key bindings by the machine's clock."""
    from datetime import UTC, datetime

    made = json.loads(b64url_decode(text.rsplit("~", 1)[1].split(".")[1]))["iat"]
    return datetime.fromtimestamp(made, UTC)


def test_ours_verifies_and_presents_those_of_pypi_sd_jwt() -> None:
    claims = {
        "iss": "https://issuer.example",
        SDObj("givenName"): "Zoé",
        "address": {SDObj("street"): "1 rue", "city": "Trèbes"},
        "lines": [SDObj("101"), "102"],
    }
    text = SDJWTIssuer(
        claims,
        jwk(ISSUER),
        jwk(HOLDER),
        add_decoy_claims=True,
        extra_header_parameters={"typ": TYP},
    ).sd_jwt_issuance
    whole = verified(presented(text, ("givenName",), ("address", "street"), ("lines", 0))).claims
    assert without_cnf(whole) == {
        "iss": "https://issuer.example",
        "givenName": "Zoé",
        "address": {"street": "1 rue", "city": "Trèbes"},
        "lines": ["101", "102"],
    }
    part = verified(presented(text, ("lines", 0))).claims
    assert part["address"] == {"city": "Trèbes"}


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(min_size=1, max_size=4), inner, max_size=3),
    ),
    max_leaves=8,
)


def paths_of(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    found = []
    for name, inner in items:
        found.append((*path, name))
        found += paths_of(inner, (*path, name))
    return found


@given(st.dictionaries(st.text(min_size=1, max_size=5), JSON, min_size=1, max_size=4), st.data())
@settings(max_examples=80, deadline=None, derandomize=True)
def test_any_claims_any_paths_come_back_whole_and_the_other_library_agrees(
    claims: dict[str, Any], data: st.DataObject
) -> None:
    text = json.dumps(claims)
    if any(word in text for word in ('"_sd"', '"..."', '"_sd_alg"', '"cnf"')):
        return
    every = paths_of(claims)
    conceal = data.draw(st.lists(st.sampled_from(every), unique=True))
    made = issue_sd_jwt(
        claims, signer=ISSUER.signer(), typ=TYP, conceal=conceal, holder=HOLDER.public
    )
    shown = data.draw(st.lists(st.sampled_from(conceal), unique=True)) if conceal else []
    assert without_cnf(verified(presented(made, *conceal)).claims) == claims
    part = presented(made, *shown)
    ours = verified(part).claims
    theirs = SDJWTVerifier(
        part, lambda *_: public_jwk(ISSUER), BINDING.audience, BINDING.nonce
    ).get_verified_payload()
    assert ours == theirs


# --- cheating ------------------------------------------------------------


def parts(text: str) -> tuple[str, list[str], str]:
    jwt, *disclosures, last = text.split("~")
    return jwt, disclosures, last


def rebuild(jwt: str, disclosures: list[str], last: str) -> str:
    return "~".join([jwt, *disclosures, last])


def foreign(text: str) -> str:
    jwt, disclosures, last = parts(text)
    return rebuild(jwt, [*disclosures, Disclosure.make("admin", True, "s" * 22).text], last)


def dropped(text: str) -> str:
    jwt, disclosures, last = parts(text)
    return rebuild(jwt, disclosures[1:], last)


def repeated(text: str) -> str:
    jwt, disclosures, last = parts(text)
    return rebuild(jwt, [*disclosures, disclosures[0]], last)


def swapped(text: str) -> str:
    jwt, disclosures, last = parts(text)
    return rebuild(jwt, disclosures[::-1], last)


def flipped(text: str) -> str:
    jwt, disclosures, last = parts(text)
    head, body, signature = jwt.split(".")
    raw = bytearray(b64url_decode(signature))
    raw[7] ^= 1
    return rebuild(f"{head}.{body}.{b64url(bytes(raw))}", disclosures, last)


def alg_none(text: str) -> str:
    jwt, disclosures, last = parts(text)
    _, body, _ = jwt.split(".")
    head = b64url(json.dumps({"alg": "none", "typ": TYP}).encode())
    return rebuild(f"{head}.{body}.", disclosures, last)


def unbound(text: str) -> str:
    jwt, disclosures, _ = parts(text)
    return rebuild(jwt, disclosures, "")


CHEATS: dict[str, tuple[Callable[[str], str], str]] = {
    "foreign-disclosure": (foreign, "foreign-disclosure"),
    "dropped-after-binding": (dropped, "foreign-disclosure"),
    "repeated-disclosure": (repeated, "duplicate-digest"),
    "reordered-after-binding": (swapped, "foreign-disclosure"),
    "flipped-bit": (flipped, "signature"),
    "none": (alg_none, "signature"),
    "no-key-binding": (unbound, "key-binding"),
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_refused_by_its_name(name: str) -> None:
    cheat, reason = CHEATS[name]
    text = presented(issued(), ("givenName",), ("lines", 2))
    verified(text)
    with pytest.raises(SdJwtError) as refused:
        verified(cheat(text))
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("binding", "reason"),
    [
        (KeyBinding("m" * 16, BINDING.audience, NOW), "challenge-mismatch"),
        (KeyBinding(BINDING.nonce, "https://other.example", NOW), "wrong-audience"),
        (KeyBinding(BINDING.nonce, BINDING.audience, NOW + timedelta(hours=1)), "key-binding"),
        (KeyBinding(BINDING.nonce, BINDING.audience, NOW - timedelta(hours=1)), "key-binding"),
    ],
)
def test_a_key_binding_answers_one_question_now(binding: KeyBinding, reason: str) -> None:
    with pytest.raises(SdJwtError) as refused:
        verified(presented(issued(), ("givenName",)), binding)
    assert refused.value.reason == reason


def test_a_key_binding_by_another_key_is_refused() -> None:
    with pytest.raises(SdJwtError) as refused:
        presented(issued(), holder=OTHER.signer())
    assert refused.value.reason == "holder-mismatch"
    shown = present_sd_jwt(issued(), disclose=[])
    claims = {
        "iat": int(NOW.timestamp()),
        "aud": BINDING.audience,
        "nonce": BINDING.nonce,
        "sd_hash": "x",
    }
    forged = shown + sign_jws(claims, OTHER.signer(), typ="kb+jwt", kid="")
    with pytest.raises(SdJwtError) as refused:
        verified(forged)
    assert refused.value.reason == "holder-mismatch"


def test_a_key_binding_of_another_type_or_nobody_asked_for_is_refused() -> None:
    text = presented(issued(), ("givenName",))
    with pytest.raises(SdJwtError) as refused:
        verified(text, None)
    assert refused.value.reason == "key-binding"
    shown = present_sd_jwt(issued(), disclose=[])
    with pytest.raises(SdJwtError):
        verified(shown + sign_jws({"iat": 1}, HOLDER.signer(), typ="JWT", kid=""))
    assert verified(shown, None).holder == HOLDER.public


def test_another_issuer_key_and_algorithm_are_refused() -> None:
    text = presented(issued(), ("givenName",))
    for key in (OTHER.public, Ed25519Key.from_seed(b"x" * 32).public):
        with pytest.raises(SdJwtError) as refused:
            verified(text, key=key)
        assert refused.value.reason == "signature"


def forged(claims: dict[str, Any], *disclosures: Disclosure) -> str:
    """Something an issuer could sign, and should not."""
    jwt = sign_jws(claims, ISSUER.signer(), typ=TYP)
    return str(SdJwt(jwt, disclosures, None))


NAMED = Disclosure.make("a", 1, "s" * 22)
ELEMENT = Disclosure.make(None, 1, "s" * 22)
MALFORMED: dict[str, str] = {
    "same-digest-twice": forged({"_sd": [NAMED.digest, NAMED.digest]}, NAMED),
    "same-digest-in-two-places": forged(
        {"_sd": [NAMED.digest], "x": {"_sd": [NAMED.digest]}}, NAMED
    ),
    "name-already-there": forged({"_sd": [NAMED.digest], "a": 2}, NAMED),
    "element-among-names": forged({"_sd": [ELEMENT.digest]}, ELEMENT),
    "name-among-elements": forged({"x": [{"...": NAMED.digest}]}, NAMED),
    "dots-outside-a-list": forged({"x": {"...": ELEMENT.digest}}, ELEMENT),
    "dots-with-company": forged({"x": [{"...": ELEMENT.digest, "y": 1}]}, ELEMENT),
    "sd-not-a-list": forged({"_sd": NAMED.digest}),
    "digest-not-a-text": forged({"_sd": [1]}),
    "other-hash": forged({"_sd": [NAMED.digest], "_sd_alg": "sha-512"}, NAMED),
    "no-tilde": sign_jws({}, ISSUER.signer(), typ=TYP),
    "not-ascii": "é~",
    "not-json": "a.b.c~" + b64url(b"[1") + "~",
    "four-elements": "a.b.c~" + b64url(b'["s","a",1,2]') + "~",
    "salt-not-a-text": "a.b.c~" + b64url(b'[1,"a",1]') + "~",
    "reserved-name": "a.b.c~" + b64url(b'["s","_sd",1]') + "~",
    "duplicate-member": "a.b.c~" + b64url(b'["s","a",{"b":1,"b":2}]') + "~",
    "too-many": "a.b.c" + "~x" * (MAX_DISCLOSURES + 2),
    "too-long": "a.b.c~" + "x" * 200_000,
    "other-type": str(SdJwt(sign_jws({}, ISSUER.signer(), typ="JWT"), (), None)),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_rfc_9901_forbids_is_refused(name: str) -> None:
    with pytest.raises((SdJwtError, SdJwtMalformedError)):
        verified(MALFORMED[name], None)


def test_the_forger_itself_works() -> None:
    assert verified(forged({"_sd": [NAMED.digest]}, NAMED), None).claims == {"a": 1}


@pytest.mark.parametrize(
    "conceal", [[("nothing",)], [("lines", 9)], [("lines", "x")], [("iss", "x")], [()]]
)
def test_a_path_that_leads_nowhere_is_refused(conceal: list[tuple[str | int, ...]]) -> None:
    with pytest.raises(SdJwtMalformedError):
        issued(conceal=conceal)


@pytest.mark.parametrize("claims", [{"_sd": []}, {"a": {"...": 1}}, {"cnf": {}}, {"_sd_alg": "x"}])
def test_reserved_names_are_refused_when_issuing(claims: dict[str, Any]) -> None:
    with pytest.raises(SdJwtMalformedError):
        issue_sd_jwt(claims, signer=ISSUER.signer(), typ=TYP, conceal=[])


def test_a_path_that_is_not_disclosable_cannot_be_shown() -> None:
    with pytest.raises(SdJwtMalformedError):
        presented(issued(), ("iss",))


GOOD = HOLDER.public.jwk()


@pytest.mark.parametrize(
    "jwk_value",
    [
        None,
        {},
        {**GOOD, "d": "AA"},
        {**GOOD, "y": GOOD["x"]},
        {**GOOD, "crv": "P-384"},
        {**GOOD, "x": GOOD["x"] + "="},
        {**GOOD, "x": 1},
        {**Ed25519Key.from_seed(b"x" * 32).public.jwk(), "crv": "X25519"},
    ],
)
def test_a_jwk_that_is_no_public_key_of_ours_is_refused(jwk_value: Any) -> None:
    with pytest.raises(MultikeyError):
        key_of_jwk(jwk_value)


def test_jwks_round_trip() -> None:
    for key in (HOLDER.public, OTHER.public, Ed25519Key.from_seed(b"x" * 32).public):
        assert key_of_jwk(key.jwk()) == key
