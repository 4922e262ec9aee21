"""Ways to open: added, replaced, removed, never the last; passkeys, shares, costs, auto-lock."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from federation.wire import problems
from schemas.errors import MobilityError
from tests.authenticator import Authenticator
from tests.unit.vault.builders import PASSPHRASE, Clock, make_home
from vault.api.deps import CSRF_HEADER, csrf_of
from vault.app import STATUS, create_home_api
from vault.crypto.errors import RecoverySharesError, SlotParametersError, WrongSecretError
from vault.crypto.kdf import CHEAPEST_FOR_TESTS, Argon2Profile
from vault.crypto.slot_parameters import PasskeyParameters
from vault.crypto.slots import Slot as SlotHeader
from vault.errors import (
    LastSlotError,
    PasskeyCopiedError,
    PasskeyError,
    PasskeyUnavailableError,
    SessionEndedError,
    SettingsError,
    SlotUnknownError,
    SlowDownError,
    UnlockAgainError,
)
from vault.home import Home
from vault.open_vault import OpenVault
from vault.passkeys import LoginOnly, RelyingParty
from vault.store.tables import HomeBase, SessionsBase
from vault.unlocking import PasskeyProof

HERE = "192.0.2.1"


class Owner:
    """A vault, its owner's open session, and an authenticator."""

    def __init__(self, home: Home, *, passphrase: str | None = PASSPHRASE) -> None:
        self.home = home
        made = home.create_vault(passphrase, label="essai")
        self.vault_id, self.code = made.vault_id, made.recovery_code
        self.phone = Authenticator()
        self.cookie = ""
        if passphrase is None:
            self.enter(recovery_code=self.code)
        else:
            self.enter(passphrase=passphrase)

    def enter(self, **secret: Any) -> str:
        self.cookie = self.home.unlock(self.vault_id, client=HERE, **secret).cookie_value
        return self.cookie

    @property
    def vault(self) -> OpenVault:
        return self.home.session(self.cookie)

    def kinds(self) -> list[str]:
        return [view.kind for view in self.home.slots.list(self.vault)]

    def id_of(self, kind: str) -> str:
        return next(v.slot_id for v in self.home.slots.list(self.vault) if v.kind == kind)

    def add_passkey(self, *, name: str = "téléphone") -> str:
        service, vault = self.home.passkeys, self.vault
        answer = self.phone.create(service.begin_registration(vault))
        made = service.finish_registration(vault, answer, name=name)
        if made.then is None:
            return made.credential_id
        asserted, prf = self.phone.get(made.then)
        assert prf is not None
        return service.finish_slot(vault, asserted, prf)

    def proof(self) -> PasskeyProof:
        service = self.home.passkeys
        answer, prf = self.phone.get(service.begin_unlock(self.vault_id))
        found = service.finish_unlock(answer, prf)
        assert isinstance(found, PasskeyProof)
        return found

    def events(self) -> list[str]:
        return [event.event for event in self.vault.journal(None).events]


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory, clock: Clock, module_database_url: str
) -> Iterator[Home]:
    """A home on SQLite, then on PostgreSQL; every test has a vault of its own in it."""
    folder = tmp_path_factory.mktemp("home") / "home"
    with make_home(folder, clock, url=module_database_url) as found:
        yield found


@pytest.fixture
def owner(both: Home) -> Owner:
    return Owner(both)


def test_a_passkey_opens_the_vault_it_was_added_to(owner: Owner) -> None:
    owner.add_passkey()
    owner.home.lock(owner.cookie)
    owner.enter(passkey=owner.proof())
    view = next(v for v in owner.home.slots.list(owner.vault) if v.kind == "passkey")
    assert (view.name, view.can_open) == ("téléphone", True)
    assert view.last_used_on == owner.home.clock().date()
    with owner.home.store.read() as reader:
        rows = reader.slots(owner.vault_id)
        keys = reader.passkeys(owner.vault_id)
    slot = next(row for row in rows if row.kind == "passkey_prf")
    found = PasskeyParameters.decode(SlotHeader.parse(slot.sealed).parameters)
    assert found == PasskeyParameters("localhost", keys[0].credential_id, keys[0].prf_input or b"")
    assert keys[0].transports == "hybrid internal"


def test_a_passkey_without_prf_is_a_login_key_and_opens_nothing(owner: Owner) -> None:
    owner.phone.has_prf = False
    name = owner.add_passkey()
    views = {v.slot_id: v for v in owner.home.slots.list(owner.vault)}
    assert (views[name].kind, views[name].can_open, views[name].may_become_slot) == (
        "login-key",
        False,
        False,
    )
    answer, prf = owner.phone.get(owner.home.passkeys.begin_unlock(owner.vault_id))
    assert prf is None
    found = owner.home.passkeys.finish_unlock(answer, "A" * 43)
    assert found == LoginOnly(owner.vault_id, None)


def test_a_passkey_left_half_way_can_be_finished_later(owner: Owner) -> None:
    service = owner.home.passkeys
    made = service.finish_registration(
        owner.vault, owner.phone.create(service.begin_registration(owner.vault)), name="clé"
    )
    assert "login-key" in owner.kinds()
    answer, prf = owner.phone.get(service.begin_slot(owner.vault, made.credential_id))
    service.finish_slot(owner.vault, answer, prf or "")
    named = {v.kind: v.name for v in owner.home.slots.list(owner.vault)}
    assert named["passkey"] == "clé"
    assert "login-key" not in named
    with pytest.raises(SlotUnknownError):
        service.begin_slot(owner.vault, made.credential_id)


def test_without_a_number_the_passkey_says_which_vault_and_a_second_answer_opens_it(
    owner: Owner,
) -> None:
    owner.add_passkey()
    service = owner.home.passkeys
    options = service.begin_unlock()
    assert not options.get("allowCredentials") and "extensions" not in options
    answer, prf = owner.phone.get(options)
    assert prf is None
    found = service.finish_unlock(answer, None)
    assert isinstance(found, LoginOnly)
    assert found.vault_id == owner.vault_id
    assert found.then is not None
    answer, prf = owner.phone.get(found.then)
    proof = service.finish_unlock(answer, prf)
    assert isinstance(proof, PasskeyProof)
    owner.enter(passkey=proof)


def test_an_unknown_number_gets_the_same_options_as_none(owner: Owner) -> None:
    service = owner.home.passkeys
    assert {k: v for k, v in service.begin_unlock("0" * 32).items() if k != "challenge"} == {
        k: v for k, v in service.begin_unlock().items() if k != "challenge"
    }


def test_a_challenge_is_used_once_for_its_purpose_and_in_time(owner: Owner) -> None:
    owner.add_passkey()
    service = owner.home.passkeys
    options = service.begin_unlock(owner.vault_id)
    answer, prf = owner.phone.get(options)
    service.finish_unlock(answer, prf)
    again, prf = owner.phone.get(options)
    with pytest.raises(PasskeyError) as caught:
        service.finish_unlock(again, prf)
    assert caught.value.reason == "challenge"
    late = service.begin_unlock(owner.vault_id)
    owner.home.clock.forward(minutes=6)  # type: ignore[attr-defined]  # the test's clock
    answer, prf = owner.phone.get(late)
    with pytest.raises(PasskeyError, match="challenge"):
        service.finish_unlock(answer, prf)
    other = owner.phone.get(service.begin_unlock(owner.vault_id))
    with pytest.raises(PasskeyError, match="challenge"):
        service.finish_slot(owner.vault, other[0], other[1] or "")


def test_another_vaults_challenge_is_not_answered_for_this_one(owner: Owner) -> None:
    owner.add_passkey()
    other = Owner(owner.home)
    other.add_passkey()
    options = owner.home.passkeys.begin_unlock(owner.vault_id)
    options["allowCredentials"] = []
    answer, prf = other.phone.get(options)
    with pytest.raises(PasskeyError, match="challenge"):
        owner.home.passkeys.finish_unlock(answer, prf)


def _foreign_origin(phone: Authenticator) -> None:
    phone.origin = "http://localhost.example:8400"


def _foreign_party(phone: Authenticator) -> None:
    phone.party = "example"


@pytest.mark.parametrize("lie", [_foreign_origin, _foreign_party])
def test_a_passkey_of_another_site_is_refused(
    owner: Owner, lie: Callable[[Authenticator], None]
) -> None:
    owner.add_passkey()
    lie(owner.phone)
    with pytest.raises(PasskeyError, match="signature"):
        owner.proof()
    service = owner.home.passkeys
    with pytest.raises(PasskeyError, match="registration"):
        service.finish_registration(
            owner.vault, Authenticator.create(owner.phone, service.begin_registration(owner.vault))
        )


def test_user_verification_is_required_at_create_and_at_get(owner: Owner) -> None:
    service = owner.home.passkeys
    answer = owner.phone.create(service.begin_registration(owner.vault), verified=False)
    with pytest.raises(PasskeyError, match="registration"):
        service.finish_registration(owner.vault, answer)
    owner.phone.keys.clear()
    owner.add_passkey()
    answer, prf = owner.phone.get(service.begin_unlock(owner.vault_id), verified=False)
    with pytest.raises(PasskeyError, match="signature"):
        service.finish_unlock(answer, prf)


def test_a_counter_that_goes_back_is_a_copied_passkey(owner: Owner) -> None:
    owner.add_passkey()
    key = next(iter(owner.phone.keys.values()))
    key.count -= 1
    with pytest.raises(PasskeyCopiedError):
        owner.proof()


def test_a_passkey_that_does_not_count_goes_on_opening(owner: Owner) -> None:
    owner.phone.counts = False
    owner.add_passkey()
    owner.enter(passkey=owner.proof())
    owner.enter(passkey=owner.proof())


def test_another_prf_output_is_a_wrong_secret_and_slows_only_its_address(owner: Owner) -> None:
    owner.add_passkey()
    for _ in range(5):
        answer, _prf = owner.phone.get(owner.home.passkeys.begin_unlock(owner.vault_id))
        proof = owner.home.passkeys.finish_unlock(answer, "A" * 43)
        assert isinstance(proof, PasskeyProof)
        try:
            owner.home.unlock(owner.vault_id, passkey=proof, client="198.51.100.7")
        except WrongSecretError:
            assert proof.secret.is_wiped
        except SlowDownError:
            break
    else:
        pytest.fail("five wrong secrets and nobody was slowed down")
    owner.enter(passkey=owner.proof())


@pytest.mark.parametrize("prf", ["", "AAAA", "!", "A" * 44])
def test_a_prf_output_of_another_length_is_refused(owner: Owner, prf: str) -> None:
    owner.add_passkey()
    answer, _ = owner.phone.get(owner.home.passkeys.begin_unlock(owner.vault_id))
    with pytest.raises(PasskeyError, match="prf"):
        owner.home.passkeys.finish_unlock(answer, prf)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"rawId": 3},
        {"rawId": "AAAA", "response": {}},
        {"rawId": "!!"},
        {"rawId": "AAAA", "response": None},
    ],
)
def test_an_answer_that_is_none_is_refused_by_name(owner: Owner, answer: dict[str, Any]) -> None:
    with pytest.raises(PasskeyError):
        owner.home.passkeys.finish_unlock(answer, None)


@pytest.mark.parametrize("did", ["did:web:127.0.0.1%3A8400", "did:web:192.0.2.7", "did:key:z6Mk"])
def test_a_home_without_a_host_name_offers_no_passkeys(did: str) -> None:
    with pytest.raises(PasskeyUnavailableError):
        RelyingParty.of(did, allow_loopback=True)
    assert RelyingParty.of("did:web:coffre.example", allow_loopback=False) == RelyingParty(
        "coffre.example", "https://coffre.example"
    )


def test_two_of_three_shares_open_and_one_does_not(owner: Owner) -> None:
    shares = owner.home.slots.make_shares(owner.vault, threshold=2, count=3, keep=owner.cookie)
    assert {len(share.split()) for share in shares} == {33}
    for pair in (shares[:2], shares[1:], shares[::2]):
        owner.enter(shares=[text.upper() for text in pair])
    for bad, reason in (
        ([shares[0]], "too-few"),
        ([shares[0], shares[0]], "twice"),
        ([shares[0], shares[1] + "x"], "mistyped"),
        ([], "too-few"),
    ):
        with pytest.raises(RecoverySharesError) as caught:
            owner.enter(shares=bad)
        assert caught.value.reason == reason
    view = next(v for v in owner.home.slots.list(owner.vault) if v.kind == "shares")
    assert view.shares == (2, 3)


def test_new_shares_replace_the_old_ones(owner: Owner) -> None:
    old = owner.home.slots.make_shares(owner.vault, threshold=2, count=3, keep=owner.cookie)
    new = owner.home.slots.make_shares(owner.vault, threshold=3, count=5, keep=owner.cookie)
    with pytest.raises(WrongSecretError):
        owner.enter(shares=old[:2])
    with pytest.raises(RecoverySharesError) as caught:
        owner.enter(shares=[old[0], new[1], new[2]])
    assert caught.value.reason == "mixed"
    owner.enter(shares=new[2:])
    assert owner.kinds().count("shares") == 1
    with pytest.raises(SlotParametersError):
        owner.home.slots.make_shares(owner.vault, threshold=1, count=3)


def test_a_new_recovery_code_replaces_the_old_one(owner: Owner) -> None:
    new = owner.home.slots.new_recovery_code(owner.vault, keep=owner.cookie)
    with pytest.raises(WrongSecretError):
        owner.enter(recovery_code=owner.code)
    owner.enter(recovery_code=new)


def test_the_last_way_to_open_is_not_removed(owner: Owner) -> None:
    owner.home.slots.remove(owner.vault, owner.id_of("recovery"), keep=owner.cookie)
    with pytest.raises(LastSlotError):
        owner.home.slots.remove(owner.vault, owner.id_of("passphrase"), keep=owner.cookie)
    owner.phone.has_prf = False
    owner.add_passkey()
    with pytest.raises(LastSlotError):  # a login key opens nothing: it does not count
        owner.home.slots.remove(owner.vault, owner.id_of("passphrase"), keep=owner.cookie)
    owner.enter(passphrase=PASSPHRASE)


def test_a_removed_way_opens_nothing_and_ends_the_other_sessions(owner: Owner) -> None:
    owner.add_passkey()
    stranger = owner.home.unlock(owner.vault_id, passkey=owner.proof(), client="198.51.100.7")
    proof = owner.proof()
    owner.home.slots.remove(owner.vault, owner.id_of("passkey"), keep=owner.cookie)
    with pytest.raises(SessionEndedError):
        owner.home.session(stranger.cookie_value)
    assert owner.kinds() == ["passphrase", "recovery"]
    with pytest.raises(WrongSecretError):
        owner.enter(passkey=proof)
    with pytest.raises(PasskeyError, match="unknown-passkey"):
        owner.proof()
    with pytest.raises(SlotUnknownError):
        owner.home.slots.remove(owner.vault, "0" * 32)
    assert {"key-added", "key-removed"} <= set(owner.events())


def test_a_vault_without_passphrase_begins_with_its_code_and_gets_a_passkey(both: Home) -> None:
    owner = Owner(both, passphrase=None)
    assert owner.kinds() == ["recovery"]
    owner.add_passkey()
    with pytest.raises(WrongSecretError):
        owner.enter(passphrase=PASSPHRASE)
    owner.enter(passkey=owner.proof())
    owner.home.slots.set_passphrase(owner.vault, "une phrase neuve et longue", keep=owner.cookie)
    owner.enter(passphrase="une phrase neuve et longue")


def test_a_passphrase_below_the_homes_profile_is_sealed_again_at_unlock(
    owner: Owner, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = owner.home
    stronger = Argon2Profile("test-stronger", CHEAPEST_FOR_TESTS.memory_kib * 4, 2)
    monkeypatch.setattr(Home, "profile", property(lambda _home: stronger))
    before = owner.id_of("passphrase")
    made = next(v for v in home.slots.list(owner.vault) if v.kind == "passphrase").created_at
    clock.forward(days=3)
    owner.enter(passphrase=PASSPHRASE)
    with home.store.read() as reader:
        row = next(s for s in reader.slots(owner.vault_id) if s.kind == "passphrase")
    profile = SlotHeader.parse(row.sealed).profile
    assert profile is not None
    assert (profile.memory_kib, profile.iterations) == (stronger.memory_kib, 2)
    assert (row.slot_id, row.created_at) == (before, made)
    owner.enter(passphrase=PASSPHRASE)
    assert owner.events().count("key-upgraded") == 1


def test_only_named_profiles_are_settings(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(SettingsError):
        make_home(tmp_path / "home", clock, passphrase_profile="cheapest-for-tests")


def test_the_server_keeps_the_day_of_the_last_use_and_no_hour(owner: Owner) -> None:
    with owner.home.store.read() as reader:
        days = [s.last_used_on for s in reader.slots(owner.vault_id) if s.last_used_on]
    assert days
    assert all((day.hour, day.minute, day.second) == (0, 0, 0) for day in days)


def test_a_vault_closes_by_itself_after_the_time_its_owner_chose(
    owner: Owner, clock: Clock
) -> None:
    owner.home.slots.set_auto_lock(owner.vault, timedelta(minutes=5))
    owner.enter(passphrase=PASSPHRASE)
    clock.forward(minutes=4)
    assert owner.vault
    clock.forward(minutes=4)
    assert owner.vault  # each act counts anew
    clock.forward(minutes=6)
    with pytest.raises(SessionEndedError):
        _ = owner.vault


def test_ways_to_open_change_only_soon_after_opening(owner: Owner, clock: Clock) -> None:
    owner.home.require_recent(owner.cookie)
    clock.forward(minutes=16)
    with pytest.raises(UnlockAgainError):
        owner.home.require_recent(owner.cookie)
    owner.enter(passphrase=PASSPHRASE)
    owner.home.require_recent(owner.cookie)


def test_a_login_at_an_identity_provider_leads_to_the_vault_and_opens_nothing(
    owner: Owner,
) -> None:
    accounts = owner.home.accounts
    who = {"issuer": "https://idp.example", "subject": "pseudonym-42"}
    assert accounts.find(**who) == []
    accounts.link(owner.vault, **who)
    accounts.link(owner.vault, **who)
    assert accounts.find(**who) == [owner.vault_id]
    (link,) = accounts.links(owner.vault)
    assert accounts.find(issuer="https://other.example", subject="pseudonym-42") == []
    owner.home.lock_all(owner.vault_id)
    assert accounts.find(**who) == [owner.vault_id]
    with pytest.raises(WrongSecretError):
        owner.enter(passphrase="pseudonym-42")
    owner.enter(passphrase=PASSPHRASE)
    accounts.link(owner.vault, issuer="https://idp.example", subject="another-42")
    assert accounts.unlink(owner.vault, link.id)
    assert not accounts.unlink(owner.vault, link.id)
    assert len(accounts.links(owner.vault)) == 1
    assert accounts.find(**who) == []


def test_no_column_of_a_home_names_a_person() -> None:
    words = {"email", "e_mail", "mail", "phone", "name_of", "family", "given", "birth", "subject"}
    for base in (HomeBase, SessionsBase):
        for table in base.metadata.tables.values():
            for column in table.columns:
                if column.name != "family_id":  # a line of refresh tokens has no surname
                    assert not words & set(column.name.split("_")), f"{table.name}.{column.name}"


def test_shredding_takes_passkeys_and_links_along(owner: Owner) -> None:
    owner.add_passkey()
    owner.home.accounts.link(owner.vault, issuer="https://idp.example", subject="s")
    owner.home.shred(owner.vault_id)
    with owner.home.store.read() as reader:
        assert reader.passkeys(owner.vault_id) == []
        assert reader.login_links(owner.vault_id) == []


# --- over HTTP ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app(both: Home) -> FastAPI:
    made = FastAPI()
    problems.install(made, STATUS)
    made.include_router(create_home_api(both))
    return made


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://localhost:8400", raise_server_exceptions=False) as found:
        yield found


def test_a_passkey_is_added_and_opens_over_http(owner: Owner, client: TestClient) -> None:
    cookies = {
        "cookie": f"__Host-coffre={owner.cookie}",
        CSRF_HEADER: csrf_of(owner.home, owner.cookie),
    }
    options = client.post("/v1/slots/passkey/options", headers=cookies).json()["options"]
    made = client.post(
        "/v1/slots/passkey",
        json={"credential": owner.phone.create(options), "name": "x"},
        headers=cookies,
    ).json()
    answer, prf = owner.phone.get(made["then"])
    sealed = client.post(
        "/v1/slots/passkey/secret", json={"credential": answer, "prf": prf}, headers=cookies
    )
    assert sealed.status_code == 200, sealed.text
    options = client.post("/v1/session/passkey/options", json={"vault": owner.vault_id}).json()[
        "options"
    ]
    answer, prf = owner.phone.get(options)
    opened = client.post("/v1/session/passkey", json={"credential": answer, "prf": prf})
    assert opened.status_code == 200, opened.text
    names = {line.split("=", 1)[0] for line in opened.headers.get_list("set-cookie")}
    assert {"__Host-coffre", "__Host-temoin"} <= names
    again = client.post("/v1/session/passkey", json={"credential": answer, "prf": prf})
    assert (again.status_code, again.json()["code"]) == (403, "passkey-refused")


ROUTES = [
    ("GET", "/v1/slots", None),
    ("DELETE", "/v1/slots/x", None),
    ("POST", "/v1/slots/passkey/options", None),
    ("POST", "/v1/slots/passkey", {"credential": {}}),
    ("POST", "/v1/slots/passkey/x/options", None),
    ("POST", "/v1/slots/passkey/secret", {"credential": {}, "prf": ""}),
    ("PUT", "/v1/slots/passphrase", {"passphrase": "une phrase assez longue"}),
    ("PUT", "/v1/slots/recovery-code", None),
    ("PUT", "/v1/slots/shares", {"threshold": 2, "count": 3}),
]


@pytest.mark.parametrize("route", ROUTES)
def test_no_way_to_open_changes_without_an_open_recent_session_of_this_site(
    owner: Owner, client: TestClient, clock: Clock, route: tuple[str, str, Any]
) -> None:
    method, path, body = route

    def ask(**headers: str) -> tuple[int, str]:
        answer = client.request(method, path, json=body, headers=headers)
        return answer.status_code, answer.json().get("code", "") if answer.content else ""

    cookie = f"__Host-coffre={owner.cookie}"
    assert ask() == (401, "session-ended")
    foreign = {"cookie": cookie, "sec-fetch-site": "cross-site"}
    assert ask(**foreign) == (403, "cross-site")
    if method != "GET":
        assert ask(cookie=cookie) == (403, "cross-site"), "a cookie alone writes nothing"
        clock.forward(minutes=20)
        assert ask(cookie=cookie) == (403, "unlock-again")
        assert owner.kinds() == ["passphrase", "recovery"]


def test_shares_open_over_http_and_too_few_are_a_problem(owner: Owner, client: TestClient) -> None:
    shares = owner.home.slots.make_shares(owner.vault, threshold=2, count=3)
    few = client.post("/v1/session", json={"vault": owner.vault_id, "shares": [shares[0]]})
    assert (few.status_code, few.json()["code"]) == (422, "shares-refused")
    opened = client.post("/v1/session", json={"vault": owner.vault_id, "shares": shares[:2]})
    assert opened.status_code == 200


def test_every_error_of_this_part_has_a_code() -> None:
    for kind in (LastSlotError, PasskeyError, PasskeyCopiedError, UnlockAgainError):
        assert issubclass(kind, MobilityError)
        assert kind.code
