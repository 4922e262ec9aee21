"""The passport's rules: what a service gets, what it does not, and what is at rest."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from connectors.elsewhere.relying_party import Begun
from federation.keys import P256Key
from federation.trust import PinnedKey, Role, TrustEntry, TrustSnapshot
from schemas.ids import Did, mint_iri
from schemas.records import Consent, Kind
from tests.unit.vault.builders import START, Citizen, Clock
from tests.unit.vault.passport_login import IDENTITY, MONTH, Door, give_identity
from vault.errors import ActRefusedError
from vault.home import Home
from vault.passport.agreeing import agree, prepare
from vault.passport.asked import Asked
from vault.passport.connections import connections, end
from vault.passport.errors import (
    AccessRefusedError,
    PassportRequestError,
    ScopeInvalidError,
    ServiceInvalidError,
    ServiceNotAccreditedError,
)
from vault.passport.logout import read_logout
from vault.passport.scopes import Scope
from vault.store.passport import PassportTable

OFFLINE = "openid identite offline_access"
WORDS = {"fr": "mots", "en": "words"}


def raw(home: Home) -> bytes:
    """Every byte of the home's database."""
    return b"".join(p.read_bytes() for p in sorted(home.settings.folder.glob("home.db*")))


def journal(citizen: Citizen) -> list[str]:
    return [event.event for event in citizen.vault.journal().events]


@pytest.fixture
def door(home: Home, citizen: Citizen) -> Door:
    give_identity(citizen)
    return Door(home, scope=OFFLINE)


# --- what a service gets -------------------------------------------------------------------------


def test_a_service_gets_what_the_citizen_agreed_to(citizen: Citizen, door: Door) -> None:
    _, claims = door.login(citizen)
    assert {name: claims[name] for name in IDENTITY} == IDENTITY
    assert claims["identity_grounds"]["family_name"] == {
        "source": "identite.exemple.fr",
        "certificationDate": "2026-11-02T07:30:00Z",
        "degree": "relayed",
        "level": "eidas2",
    }


def test_a_scope_left_out_stays_in_the_vault(citizen: Citizen, door: Door) -> None:
    tokens, claims = door.login(citizen, names=())
    assert tokens["scope"] == "openid"
    assert set(claims) == {"sub", "updated_at", "iss", "aud", "iat"}


def test_two_services_know_one_person_under_two_names(home: Home, citizen: Citizen) -> None:
    one = Door(home, client_id="a", redirect="https://a.example/r").login(citizen)[1]
    again = Door(home, client_id="a2", redirect="https://a.example/autre").login(citizen)[1]
    other = Door(home, client_id="b", redirect="https://b.example/r").login(citizen)[1]
    assert one["sub"] == again["sub"] != other["sub"]
    neighbour = Citizen(home, label="Coffre de Dominique")
    assert Door(home, client_id="a", redirect="https://a.example/r").login(neighbour)[1][
        "sub"
    ] not in (one["sub"], other["sub"])


def test_the_id_token_names_nobody(home: Home, citizen: Citizen, door: Door) -> None:
    asked, begun = door.ask()
    answer = door.agree(citizen, asked)
    tokens = door.exchange(door.party.code_of(begun, answer), begun).body
    claims = door.party.read_id_token(
        tokens["id_token"], door.passport.jwks(), nonce=begun.nonce, at=home.clock()
    )
    assert set(claims) == {
        "iss", "sub", "aud", "iat", "exp", "auth_time", "nonce", "at_hash",
    }  # fmt: skip
    assert citizen.vault_id not in str(claims)


def test_a_service_without_a_key_gets_its_claims_too(home: Home, citizen: Citizen) -> None:
    give_identity(citizen)
    door = Door(home, sealed=False)
    _, claims = door.login(citizen)
    assert claims["family_name"] == "Fabre"


# --- at rest -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sealed", [True, False])
def test_nothing_of_the_person_is_at_rest(home: Home, citizen: Citizen, sealed: bool) -> None:
    give_identity(citizen)
    door = Door(home, scope=OFFLINE if sealed else "openid identite", sealed=sealed)
    asked, begun = door.ask()
    code = door.agree(citizen, asked)["code"]
    after_consent = raw(home)
    tokens = door.exchange(code, begun).body
    for data in (after_consent, raw(home)):
        for text in (*IDENTITY.values(), code, tokens["access_token"]):
            assert text.encode() not in data
    with home.store.read() as reader:
        rows = PassportTable(reader.session).connections(citizen.vault_id)
    assert [row.snapshot for row in rows] == [None]


def test_a_shred_takes_connections_and_tokens_along(
    home: Home, citizen: Citizen, door: Door
) -> None:
    tokens, _ = door.login(citizen, OFFLINE, keep_for=MONTH)
    home.shred(citizen.vault_id)
    with pytest.raises(AccessRefusedError):
        door.claims(tokens["access_token"], subject="")
    assert door.refresh(tokens["refresh_token"]).body == {"error": "invalid_grant"}


# --- codes ---------------------------------------------------------------------------------------


def test_a_code_counts_once_and_its_second_use_ends_the_first(citizen: Citizen, door: Door) -> None:
    asked, begun = door.ask(OFFLINE)
    code = door.agree(citizen, asked, keep_for=MONTH)["code"]
    tokens = door.exchange(code, begun).body
    assert door.exchange(code, begun).body["error"] == "invalid_grant"
    assert door.refresh(tokens["refresh_token"]).body["error"] == "invalid_grant"
    with pytest.raises(AccessRefusedError):
        door.claims(tokens["access_token"], subject="")
    assert "service-token-reused" in journal(citizen)


def test_a_code_is_for_its_service_its_address_its_verifier_and_a_minute(
    home: Home, citizen: Citizen, door: Door, clock: Clock
) -> None:
    thief = Door(home, client_id="voleur", redirect="https://voleur.example/r")

    def code() -> tuple[str, Begun]:
        asked, begun = door.ask()
        return door.agree(citizen, asked)["code"], begun

    stolen, begun = code()
    assert thief.exchange(stolen, begun).body["error"] == "invalid_grant"
    for changed in (
        {"redirect_uri": "https://autopartage.example/autre"},
        {"code_verifier": "x" * 50},
        {"code_verifier": ""},
    ):
        given, begun = code()
        assert door.exchange(given, begun, **changed).status == 400
    given, begun = code()
    clock.forward(seconds=61)
    assert door.exchange(given, begun).body["error"] == "invalid_grant"


def test_a_request_is_answered_once(citizen: Citizen, door: Door) -> None:
    asked, _ = door.ask()
    door.agree(citizen, asked)
    with pytest.raises(ActRefusedError, match="answered-before"):
        door.agree(citizen, asked)


def test_what_changed_since_it_was_read_does_not_leave(citizen: Citizen, door: Door) -> None:
    asked, _ = door.ask()
    shown = prepare(door.passport, citizen.vault, asked).digest()
    give_identity_again(citizen)
    with pytest.raises(ActRefusedError, match="claims-changed"):
        agree(
            door.passport,
            citizen.vault,
            asked,
            names=asked.scopes,
            shown=shown,
            keep_for=None,
            opened_at=door.home.clock(),
        )
    assert "service-connected" not in journal(citizen)


def give_identity_again(citizen: Citizen) -> None:
    for attribute in citizen.vault.attributes("identity.family_name"):
        citizen.vault.put(
            replace(
                attribute,
                id=mint_iri(),
                revision=1,
                value="Fabre-Martin",
                certified_at=START + timedelta(days=1),
            )
        )


# --- refresh tokens ------------------------------------------------------------------------------


def test_while_the_vault_is_closed_a_service_reads_what_was_agreed_to_and_no_more(
    home: Home, citizen: Citizen, door: Door, clock: Clock
) -> None:
    tokens, first = door.login(citizen, OFFLINE, keep_for=MONTH)
    give_identity_again(citizen)
    home.lock_all(citizen.vault_id)
    clock.forward(days=12)
    with pytest.raises(AccessRefusedError):  # ten minutes are over
        door.claims(tokens["access_token"], subject=first["sub"])
    fresh = door.refresh(tokens["refresh_token"])
    assert fresh.status == 200
    claims = door.claims(fresh.body["access_token"], subject=first["sub"])
    assert claims["family_name"] == "Fabre"
    clock.forward(days=19)
    assert door.refresh(fresh.body["refresh_token"]).body["error"] == "invalid_grant"


def test_each_refresh_token_counts_once_and_a_copy_ends_the_line(
    citizen: Citizen, door: Door
) -> None:
    tokens, _ = door.login(citizen, OFFLINE, keep_for=MONTH)
    second = door.refresh(tokens["refresh_token"]).body
    third = door.refresh(second["refresh_token"]).body
    assert door.refresh(second["refresh_token"]).body["error"] == "invalid_grant"
    assert door.refresh(third["refresh_token"]).body["error"] == "invalid_grant"
    with pytest.raises(AccessRefusedError):
        door.claims(third["access_token"], subject="")
    assert journal(citizen).count("service-token-reused") == 1
    assert [one.has_access for one in connections(citizen.vault)] == [False]


@pytest.mark.parametrize("text", ["", "x", "A" * 48, "é" * 48, "A" * 5000])
def test_a_refresh_token_that_is_none_changes_nothing(
    citizen: Citizen, door: Door, text: str
) -> None:
    tokens, _ = door.login(citizen, OFFLINE, keep_for=MONTH)
    assert door.refresh(text).status == 400
    assert door.refresh(tokens["refresh_token"]).status == 200


def test_a_plain_sign_in_leaves_what_may_be_kept_as_it_was(
    citizen: Citizen, door: Door, clock: Clock
) -> None:
    tokens, first = door.login(citizen, OFFLINE, keep_for=MONTH)
    clock.forward(minutes=20)
    _, plain = door.login(citizen, names=())
    assert "family_name" not in plain
    kept = door.refresh(tokens["refresh_token"]).body["access_token"]
    assert door.claims(kept, subject=first["sub"])["family_name"] == "Fabre"
    (one,) = connections(citizen.vault)
    assert one.keep_until == clock() + MONTH - timedelta(minutes=20)
    assert one.has_access


def test_without_the_citizens_box_nothing_is_kept(citizen: Citizen, door: Door) -> None:
    tokens, _ = door.login(citizen, OFFLINE, names=("identite",), keep_for=MONTH)
    assert "refresh_token" not in tokens
    assert tokens["scope"] == "openid identite"


def test_a_service_without_a_key_keeps_no_access(home: Home, citizen: Citizen) -> None:
    give_identity(citizen)
    door = Door(home, scope=OFFLINE, sealed=False)
    tokens, _ = door.login(citizen, OFFLINE)
    assert "refresh_token" not in tokens


# --- keys ----------------------------------------------------------------------------------------


def test_a_token_without_its_key_opens_nothing(home: Home, citizen: Citizen, door: Door) -> None:
    tokens, _ = door.login(citizen, OFFLINE, keep_for=MONTH)
    access = tokens["access_token"]
    thief = Door(home, client_id="voleur", redirect="https://voleur.example/r")
    object.__setattr__(thief.party, "bound", P256Key.generate())
    with pytest.raises(AccessRefusedError) as wrong:
        thief.claims(access, subject="")
    assert wrong.value.error == "invalid_token"
    with pytest.raises(AccessRefusedError):
        door.passport.userinfo(f"Bearer {access}", dpop=[], method="GET")
    proof = door.party.proof(
        "userinfo_endpoint", method="GET", at=home.clock(), access_token=access
    )
    door.passport.userinfo(f"DPoP {access}", dpop=[proof], method="GET")
    with pytest.raises(AccessRefusedError) as again:
        door.passport.userinfo(f"DPoP {access}", dpop=[proof], method="GET")
    assert again.value.error == "invalid_dpop_proof"
    object.__setattr__(door.party, "bound", P256Key.generate())
    assert door.refresh(tokens["refresh_token"]).body["error"] == "invalid_grant"


def test_a_service_proves_itself_with_its_key_once_and_here(
    home: Home, citizen: Citizen, door: Door, clock: Clock
) -> None:
    def tried(**changed: str) -> str:
        asked, begun = door.ask()
        code = door.agree(citizen, asked)["code"]
        return str(door.exchange(code, begun, **changed).body.get("error"))

    other = Door(home, client_id="autre", redirect="https://autre.example/r")
    object.__setattr__(other.party, "key", P256Key.generate())
    at = home.clock()
    used = door.party.proven(at=at)
    assert tried(**used) == "None"
    assert tried(**used) == "invalid_client"  # its number was used
    assert tried(**door.party.proven(at=at - timedelta(minutes=5))) == "invalid_client"
    assert tried(**other.party.proven(at=at)) == "invalid_client"
    assert tried(client_assertion="", client_assertion_type="") == "invalid_client"
    assert tried(client_assertion="a.b.c") == "invalid_client"
    elsewhere = {**dict(door.party.metadata), "issuer": "https://ailleurs.example"}
    object.__setattr__(door.party, "metadata", elsewhere)
    assert tried(**door.party.proven(at=at)) == "invalid_client"


def test_a_token_request_without_proof_of_a_key_is_refused_unless_registered_so(
    home: Home, citizen: Citizen
) -> None:
    for bearer in (False, True):
        door = Door(home, client_id=f"b{bearer}", dpop_bound_access_tokens=not bearer)
        asked, begun = door.ask()
        code = door.agree(citizen, asked)["code"]
        form = door.party.code_form(code, begun, at=home.clock())
        reply = door.passport.token(list(form.items()), dpop=[])
        if not bearer:
            assert reply.body["error"] == "invalid_dpop_proof"
            continue
        assert reply.body["token_type"] == "Bearer"
        token = reply.body["access_token"]
        assert door.passport.userinfo(f"Bearer {token}", dpop=[], method="GET")[0]


def test_a_new_signing_key_leaves_what_the_old_one_signed_readable(
    home: Home, citizen: Citizen, door: Door, clock: Clock
) -> None:
    year = timedelta(days=366)
    tokens, first = door.login(citizen, OFFLINE, keep_for=year)
    assert home.passport.keys.renew() == "passport-2"
    assert [key["kid"] for key in home.passport.jwks()["keys"]] == ["passport-1", "passport-2"]
    asked, begun = door.ask()
    answer = door.agree(citizen, asked)
    fresh = door.exchange(answer["code"], begun).body
    assert door.party.read_id_token(
        fresh["id_token"], home.passport.jwks(), nonce=begun.nonce, at=clock()
    )
    hint = [("id_token_hint", tokens["id_token"])]
    found = read_logout(home.passport, hint).service
    assert found is not None
    assert found.id == door.service.id
    clock.forward(days=365)
    again = door.refresh(tokens["refresh_token"]).body
    assert door.claims(again["access_token"], subject=first["sub"])["family_name"] == "Fabre"
    clock.forward(days=3)
    assert [key["kid"] for key in home.passport.jwks()["keys"]] == ["passport-2"]
    with pytest.raises(PassportRequestError):
        read_logout(home.passport, hint)


# --- asking --------------------------------------------------------------------------------------


def test_a_request_rests_sealed_in_the_browser_and_for_a_quarter_of_an_hour(
    home: Home, door: Door, clock: Clock
) -> None:
    asked, begun = door.ask()
    text = asked.seal(home.seal)
    assert begun.state not in text
    assert Asked.open(text, home.seal, at=clock()) == asked
    for other in ("", "x", text[:-4] + "AAAA"):
        with pytest.raises(PassportRequestError, match="asked-unknown"):
            Asked.open(other, home.seal, at=clock())
    clock.forward(minutes=15)
    with pytest.raises(PassportRequestError, match="asked-expired"):
        Asked.open(text, home.seal, at=clock())


def test_a_request_too_long_for_a_cookie_is_refused(home: Home, door: Door) -> None:
    asked, _ = door.ask(state="s" * 3_500)
    with pytest.raises(PassportRequestError, match="too long"):
        asked.seal(home.seal)


def test_prompt_login_and_max_age_ask_for_a_fresh_opening(door: Door, clock: Clock) -> None:
    opened = clock()
    clock.forward(seconds=30)
    asked, _ = door.ask(prompt="login")
    assert asked.needs_login(opened, at=clock())
    assert not asked.needs_login(clock(), at=clock())
    asked, _ = door.ask(max_age="10")
    assert asked.needs_login(opened, at=clock())
    asked, _ = door.ask(max_age="60")
    assert not asked.needs_login(opened, at=clock())


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"request": "x.y.z"}, "request_not_supported"),
        ({"request_uri": "https://a.example/r"}, "request_uri_not_supported"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"code_challenge": "court"}, "invalid_request"),
        ({"scope": "openid identite titre"}, "invalid_scope"),
        ({"scope": "identite"}, "invalid_scope"),
    ],
)
def test_what_is_not_spoken_is_refused_by_name(
    door: Door, more: dict[str, str], error: str
) -> None:
    url, begun = door.party.begin("openid identite")
    pairs = {**dict(parse_qsl(urlsplit(url).query)), **more}
    with pytest.raises(PassportRequestError) as refused:
        door.passport.read_request(list(pairs.items()))
    back = dict(parse_qsl(urlsplit(refused.value.redirect or "").query))
    assert (back["error"], back["state"]) == (error, begun.state)


def test_a_parameter_twice_is_refused(door: Door) -> None:
    url, _ = door.party.begin("openid identite")
    pairs = parse_qsl(urlsplit(url).query)
    with pytest.raises(PassportRequestError):
        door.passport.read_request([*pairs, ("state", "autre")])


# --- services ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"client_name": ""}, "client_name"),
        ({"purpose": "x" * 400}, "purpose"),
        ({"redirect_uris": []}, "redirect_uris"),
        ({"redirect_uris": ["http://autopartage.example/r"]}, "redirect_uris"),
        ({"redirect_uris": ["https://a.example/r", "https://b.example/r"]}, "redirect_uris"),
        ({"redirect_uris": ["https://a.example/r#x"]}, "redirect_uris"),
        ({"backchannel_logout_uri": "https://ailleurs.example/fin"}, "redirect_uris"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "token_endpoint_auth_method"),
        ({"jwks": {"keys": []}}, "jwks"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "AA"}]}}, "jwks"),
        ({"id_token_signed_response_alg": "none"}, "id_token_signed_response_alg"),
        ({"subject_type": "public"}, "subject_type"),
        ({"scope": "identite"}, "scope"),
        ({"scope": "openid inconnu"}, "scope"),
    ],
)
def test_a_description_that_cannot_be_is_refused_by_member(
    home: Home, changed: dict[str, object], where: str
) -> None:
    description = {**Door(home).service.metadata(), **changed}
    with pytest.raises(ServiceInvalidError) as refused:
        home.passport.services.register(description, id_="x")
    assert refused.value.where == where


def test_a_service_taken_out_reads_nothing_more(citizen: Citizen, door: Door) -> None:
    tokens, _ = door.login(citizen, OFFLINE, keep_for=MONTH)
    door.passport.services.remove(door.service.id)
    with pytest.raises(AccessRefusedError):
        door.claims(tokens["access_token"], subject="")
    assert door.refresh(tokens["refresh_token"]).body["error"] == "invalid_client"
    assert [one.service for one in connections(citizen.vault)] == [None]


def member_snapshot(until: object = None) -> TrustSnapshot:
    did = Did("did:web:autopartage.example")
    signer = P256Key.generate().signer(f"{did}#1")
    entry = TrustEntry(
        did=did,
        name="Autopartage, membre",
        roles=frozenset({Role.OPERATOR}),
        keys=(PinnedKey(signer.public_multikey(), f"{did}#1", START),),
        accredited_by=Did("did:web:hub.example"),
        until=until,  # type: ignore[arg-type]
    )
    return TrustSnapshot(
        1 if until is None else 2,
        Did("did:web:hub.example"),
        START,
        START + timedelta(days=99),
        (entry,),
    )


def test_a_member_that_is_none_any_more_asks_and_reads_nothing(
    home: Home, citizen: Citizen, door: Door, clock: Clock
) -> None:
    home.use_trust(member_snapshot())
    description = door.service.metadata()
    door.passport.services.register(
        description, id_=door.service.id, member=Did("did:web:autopartage.example")
    )
    tokens, _ = door.login(citizen, OFFLINE, keep_for=MONTH)
    asked, _ = door.ask()
    prepared = prepare(door.passport, citizen.vault, asked)
    assert (prepared.name, prepared.accredited_by) == ("Autopartage, membre", "did:web:hub.example")
    home.use_trust(member_snapshot(until=clock()))
    with pytest.raises(ServiceNotAccreditedError):
        prepare(door.passport, citizen.vault, asked)
    with pytest.raises(PassportRequestError, match="invalid_client"):
        door.ask()
    with pytest.raises(AccessRefusedError):
        door.claims(tokens["access_token"], subject="")
    assert door.refresh(tokens["refresh_token"]).body["error"] == "invalid_client"


# --- the end -------------------------------------------------------------------------------------


def test_the_citizen_ends_a_connection_and_every_consent_to_it(
    citizen: Citizen, door: Door
) -> None:
    tokens, _ = door.login(citizen, OFFLINE, keep_for=MONTH)
    door.login(citizen)
    (one,) = connections(citizen.vault)
    assert end(door.passport, citizen.vault, one.id) == "Autopartage de démonstration"
    assert connections(citizen.vault) == []
    with pytest.raises(AccessRefusedError):
        door.claims(tokens["access_token"], subject="")
    assert door.refresh(tokens["refresh_token"]).body["error"] == "invalid_grant"
    given = [c for c in citizen.vault.all(Kind.CONSENT) if isinstance(c, Consent)]
    assert len(given) == 2
    assert all(c.withdrawn_at is not None for c in given)


def test_withdrawing_the_receipt_ends_the_connection(citizen: Citizen, door: Door) -> None:
    tokens, _ = door.login(citizen, OFFLINE, keep_for=MONTH)
    (consent,) = citizen.vault.all(Kind.CONSENT)
    withdrawn = citizen.vault.withdraw_consent(consent.id)
    assert withdrawn.withdrawn_at is not None
    assert door.refresh(tokens["refresh_token"]).body["error"] == "invalid_grant"


def test_the_receipt_says_what_left_to_whom_and_until_when(
    citizen: Citizen, door: Door, clock: Clock
) -> None:
    door.login(citizen, OFFLINE, keep_for=MONTH)
    (consent,) = citizen.vault.all(Kind.CONSENT)
    assert isinstance(consent, Consent)
    assert consent.recipient == "did:web:autopartage.example"
    assert consent.claims == (
        "sub",
        *IDENTITY,
        "identity_grounds",
    )
    assert consent.expires_at == clock() + MONTH
    assert consent.receipt["dpv:hasPurpose"]["dct:description"] == door.service.purpose
    assert "Fabre" not in str(consent.receipt)


def test_a_service_lets_go_of_its_own_token_and_of_nobody_elses(
    home: Home, citizen: Citizen, door: Door
) -> None:
    tokens, _ = door.login(citizen, OFFLINE, keep_for=MONTH)
    other = Door(home, client_id="autre", redirect="https://autre.example/r")
    token = ("token", tokens["refresh_token"])

    def revoke(by: Door) -> int:
        return by.passport.revoke([*by.party.proven(at=home.clock()).items(), token]).status

    assert revoke(other) == 200
    second = door.refresh(tokens["refresh_token"]).body
    token = ("token", second["refresh_token"])
    assert revoke(door) == 200
    assert door.refresh(second["refresh_token"]).body["error"] == "invalid_grant"


# --- scopes --------------------------------------------------------------------------------------


def test_a_package_adds_a_scope_and_cannot_take_anothers_claims(
    home: Home, citizen: Citizen
) -> None:
    def scope(name: str, *claims: str, **read: object) -> Scope:
        return Scope(name, claims, WORDS, WORDS, lambda _vault, _at: read)

    book = home.passport.scopes
    book.add(scope("carte", "carte", carte={"network": "Bus de la Clamoux"}))
    door = Door(home, scope="openid carte")
    assert door.login(citizen, "openid carte")[1]["carte"] == {"network": "Bus de la Clamoux"}
    for wrong in (scope("carte", "autre"), scope("encore", "carte")):
        with pytest.raises(ScopeInvalidError):
            book.add(wrong)
    with pytest.raises(ScopeInvalidError):
        scope("jeton", "sub")
    with pytest.raises(ScopeInvalidError):
        scope("deux mots")
    book.add(scope("menteur", "dit", dit=1, tait=2))
    with pytest.raises(ScopeInvalidError, match="does not name"):
        Door(home, client_id="m", scope="openid menteur").login(citizen, "openid menteur")
