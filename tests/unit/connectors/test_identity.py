"""A login at the sandbox's provider, and every way it must fail."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from connectors.identity.client import IdentityClient, Registration
from connectors.identity.keys import keys_of
from connectors.identity.login import (
    Begun,
    LoginRefusedError,
    Provider,
    UserinfoInvalidError,
    attributes,
    begin,
    code_of,
    verify_login,
)
from connectors.sandbox.api.registrations import RsaSigner
from connectors.sandbox.parties import SandboxSettings
from federation.jose import VerificationKey, sign_jws
from federation.jwe import DecryptionKey
from federation.keys import P256Key
from federation.multibase import b64url
from federation.wire.http import BoundedClient
from schemas.records import Attribute, Degree

CLIENT = "http://localhost:8400"
BACK = CLIENT + "/connexion/retour"


@pytest.fixture
def client(sandbox: SandboxSettings, outbound: BoundedClient, clock: Any) -> IdentityClient:
    return IdentityClient(
        outbound,
        issuer=sandbox.base_url + "/identite",
        registration=Registration(CLIENT),
        clock=clock,
    )


def browse(outbound: BoundedClient, url: str) -> dict[str, str]:
    """What the browser brings back after an automatic login."""
    answer = outbound.get(url + "&prompt=none", accept=("*/*",), statuses=(302,))
    assert answer.headers["location"].startswith(BACK)
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def test_a_login_gives_relayed_attributes_with_level_and_time(
    client: IdentityClient, outbound: BoundedClient, clock: Any
) -> None:
    url, begun = client.begin(redirect_uri=BACK, level="eidas2")
    identity = client.finish(begun, browse(outbound, url))
    assert identity.level == "eidas2"
    assert identity.certified_at == clock.now
    told = {}
    for observation in attributes(identity, account="identite:1"):
        assert isinstance(observation.record, Attribute)
        assert observation.record.degree is Degree.RELAYED
        assert observation.record.source == "localhost"
        told[observation.record.name] = observation.record.value
    assert told["identity.family_name"] == "FABRE"
    assert told["identity.birthplace"] == "11069"
    assert "identity.email" not in told


def test_a_code_serves_once(client: IdentityClient, outbound: BoundedClient) -> None:
    url, begun = client.begin(redirect_uri=BACK)
    query = browse(outbound, url)
    client.finish(begun, query)
    with pytest.raises(LoginRefusedError):
        client.finish(begun, query)


def test_another_verifier_does_not_get_the_code(
    client: IdentityClient, outbound: BoundedClient
) -> None:
    url, begun = client.begin(redirect_uri=BACK)
    query = browse(outbound, url)
    with pytest.raises(LoginRefusedError):
        client.finish(replace(begun, verifier="x" * 64), query)


def test_the_answer_of_another_login_is_refused(
    client: IdentityClient, outbound: BoundedClient, clock: Any
) -> None:
    url, _ = client.begin(redirect_uri=BACK)
    _, other = client.begin(redirect_uri=BACK)
    with pytest.raises(LoginRefusedError, match="another login"):
        client.finish(other, browse(outbound, url))


def test_a_redirect_to_a_stranger_is_refused(
    sandbox: SandboxSettings, outbound: BoundedClient
) -> None:
    url = (
        f"{sandbox.base_url}/identite/authorize?client_id={CLIENT}&state=s&nonce=n"
        f"&redirect_uri=https://evil.example/&code_challenge={'x' * 43}"
        "&code_challenge_method=S256&scope=openid"
    )
    assert outbound.get(url, statuses=(400,)).json()["error"] == "invalid_redirect_uri"


# the checks, one by one, without a server

ISSUER = "https://id.test"
PROVIDER = Provider(ISSUER, *(f"{ISSUER}/{name}" for name in "atuj"))
KEY = P256Key.generate()
SIGNER = KEY.signer(f"{ISSUER}#1")


def keys() -> Any:
    from federation.keys import decode_multikey

    jwk = {**decode_multikey(SIGNER.public_multikey()).jwk(), "kid": "1"}
    return keys_of({"keys": [{"kty": "RSA"}, 5, jwk]})


def started(clock: Any) -> Begun:
    return begin(PROVIDER, client_id=CLIENT, redirect_uri=BACK, level="eidas2", at=clock())[1]


def claims(clock: Any, begun: Begun, **changes: Any) -> dict[str, Any]:
    now = int(clock().timestamp())
    return {
        "iss": ISSUER,
        "aud": CLIENT,
        "sub": "s",
        "iat": now,
        "exp": now + 60,
        "nonce": begun.nonce,
        "acr": "eidas2",
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"iss": "https://other.test"}, UserinfoInvalidError),
        ({"aud": "https://other.test"}, UserinfoInvalidError),
        ({"aud": [CLIENT, "https://other.test"]}, UserinfoInvalidError),
        ({"exp": 1}, UserinfoInvalidError),
        ({"iat": "now"}, UserinfoInvalidError),
        ({"nonce": "other"}, UserinfoInvalidError),
        ({"acr": "eidas1"}, LoginRefusedError),
        ({"acr": "eidas9"}, LoginRefusedError),
        ({"sub": "another person"}, UserinfoInvalidError),
    ],
)
def test_each_wrong_claim_of_the_id_token_is_refused(
    clock: Any, changes: dict[str, Any], error: type[Exception]
) -> None:
    begun = started(clock)
    good = claims(clock, begun)

    def verify(first: dict[str, Any]) -> Any:
        return verify_login(
            PROVIDER,
            begun,
            id_token=sign_jws(first, SIGNER, typ="JWT", kid="1"),
            userinfo=sign_jws(good, SIGNER, typ="JWT", kid="1"),
            keys=keys(),
            client_id=CLIENT,
            at=clock(),
        )

    assert verify(good).subject == "s"
    with pytest.raises(error):
        verify({**good, **changes})


def test_userinfo_that_is_not_signed_by_the_provider_is_refused(clock: Any) -> None:
    begun = started(clock)
    good = claims(clock, begun)
    stranger = P256Key.generate().signer("x#1")
    for userinfo in (sign_jws(good, stranger, typ="JWT", kid="1"), json.dumps(good), "", "a.b.c"):
        with pytest.raises(UserinfoInvalidError):
            verify_login(
                PROVIDER,
                begun,
                id_token=sign_jws(good, SIGNER, typ="JWT", kid="1"),
                userinfo=userinfo,
                keys=keys(),
                client_id=CLIENT,
                at=clock(),
            )


def test_a_login_that_took_too_long_is_refused(clock: Any) -> None:
    begun = started(clock)
    late = clock() + timedelta(minutes=11)
    with pytest.raises(LoginRefusedError, match="too long"):
        code_of(PROVIDER, begun, {"state": begun.state, "code": "c"}, at=late)


def test_an_answer_of_another_issuer_is_refused(clock: Any) -> None:
    begun = started(clock)
    query = {"state": begun.state, "code": "c", "iss": "https://other.test"}
    with pytest.raises(LoginRefusedError, match="another provider"):
        code_of(PROVIDER, begun, query, at=clock())


def test_an_endpoint_on_another_origin_is_refused() -> None:
    document = {
        "issuer": ISSUER,
        "authorization_endpoint": ISSUER + "/a",
        "token_endpoint": "https://evil.test/t",
        "userinfo_endpoint": ISSUER + "/u",
        "jwks_uri": ISSUER + "/j",
    }
    with pytest.raises(LoginRefusedError, match="token_endpoint"):
        Provider.of(document, issuer=ISSUER)


# --- a federation that admits only homes on file ------------------------------------------


def registered(sandbox: SandboxSettings, outbound: BoundedClient, key: DecryptionKey) -> Any:
    answer = outbound.post(
        f"{sandbox.base_url}/identite-federee/clients",
        json={
            "redirect_uris": [BACK],
            "post_logout_redirect_uris": [CLIENT + "/identite/deconnecte"],
            "jwks": {"keys": [key.jwk(kid="identite-1")]},
        },
        statuses=(201,),
    ).json()
    return Registration(
        answer["client_id"],
        answer["client_secret"],
        decryption=key,
        logged_out=CLIENT + "/identite/deconnecte",
        level="eidas2",
    )


def federated(
    registration: Registration, sandbox: SandboxSettings, outbound: BoundedClient, clock: Any
) -> IdentityClient:
    return IdentityClient(
        outbound,
        issuer=sandbox.base_url + "/identite-federee",
        registration=registration,
        clock=clock,
    )


def test_a_home_on_file_reads_an_encrypted_identity_and_logs_out_again(
    sandbox: SandboxSettings, outbound: BoundedClient, clock: Any
) -> None:
    registration = registered(sandbox, outbound, DecryptionKey.generate())
    client = federated(registration, sandbox, outbound, clock)
    url, begun = client.begin(redirect_uri=BACK)
    assert begun.level == "eidas2"
    identity = client.finish(begun, browse(outbound, url))
    assert identity.claims["family_name"] == "FABRE"
    assert registration.secret not in repr(registration)
    assert identity.logout not in repr(identity)
    ended = outbound.get(identity.logout, accept=("*/*",), statuses=(302,)).headers["location"]
    assert ended.startswith(CLIENT + "/identite/deconnecte?state=")


def test_a_wrong_secret_gets_nothing(
    sandbox: SandboxSettings, outbound: BoundedClient, clock: Any
) -> None:
    registration = registered(sandbox, outbound, DecryptionKey.generate())
    client = federated(replace(registration, secret="no"), sandbox, outbound, clock)
    url, begun = client.begin(redirect_uri=BACK)
    with pytest.raises(LoginRefusedError):
        client.finish(begun, browse(outbound, url))


@pytest.mark.parametrize("own", [True, False])
def test_an_identity_encrypted_to_another_key_or_to_none_is_not_read(
    sandbox: SandboxSettings, outbound: BoundedClient, clock: Any, own: bool
) -> None:
    registration = registered(sandbox, outbound, DecryptionKey.generate())
    other = DecryptionKey.generate() if own else None
    client = federated(replace(registration, decryption=other), sandbox, outbound, clock)
    url, begun = client.begin(redirect_uri=BACK)
    with pytest.raises(UserinfoInvalidError, match="encrypt"):
        client.finish(begun, browse(outbound, url))


def rsa_set(signer: RsaSigner, **changes: Any) -> dict[str, VerificationKey]:
    return keys_of({"keys": [{**signer.jwk(), **changes}]})


def test_rs256_is_verified_and_never_another_algorithm_for_that_key(clock: Any) -> None:
    signer, begun = RsaSigner(), started(clock)
    good = claims(clock, begun)

    def verify(id_token: str, userinfo: str) -> Any:
        return verify_login(
            PROVIDER,
            begun,
            id_token=id_token,
            userinfo=userinfo,
            keys=rsa_set(signer),
            client_id=CLIENT,
            at=clock(),
        )

    token = signer.sign(good)
    assert verify(token, token).subject == "s"
    head, body, signature = token.split(".")
    flipped = signature[:-8] + ("A" if signature[-8] != "A" else "B") + signature[-7:]
    confused = sign_jws(good, SIGNER, typ="JWT", kid="rs-1")
    none = b64url(json.dumps({"alg": "none", "kid": "rs-1"}).encode())
    for wrong in (f"{head}.{body}.{flipped}", f"{none}.{body}.", confused, RsaSigner().sign(good)):
        with pytest.raises(UserinfoInvalidError):
            verify(token, wrong)
        with pytest.raises(UserinfoInvalidError):
            verify(wrong, token)


@pytest.mark.parametrize(
    "changes",
    [
        {"n": "AQAB"},
        {"e": "Aw"},
        {"n": "*"},
        {"use": "enc"},
        {"n": b64url(bytes([255]) * 2048)},
    ],
)
def test_a_weak_or_broken_rsa_key_is_left_out(changes: dict[str, str]) -> None:
    signer = RsaSigner()
    assert rsa_set(signer)
    assert rsa_set(signer, **changes) == {}
