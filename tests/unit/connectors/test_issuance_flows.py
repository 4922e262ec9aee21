"""OpenID4VCI, wallet and issuer against each other: login with PKCE, batch, deferred, told."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from fastapi.testclient import TestClient

from connectors.issuer.settings import IssuerSettings
from federation.credentials.held import read_held
from federation.openid4vci import Authorization, CredentialOffer, IssuanceError, code_challenge
from federation.wire.errors import UnreachableError, UpstreamStatusError
from federation.wire.http import Answer
from schemas.ids import Did
from tests.unit.connectors.issuer_world import JOURNEYS, TOML, Operator
from vault.errors import ShareRefusedError
from vault.issuance import accept_offer, awaited, begin_login, collect, finish_login

FUNDER, SECOND = Did("did:web:agglo.example"), Did("did:web:region.example")
CLIENT, REDIRECT = "http://localhost:8400", "http://localhost:8400/documents/retour"
ORIGIN = "http://localhost:8410"


@dataclass
class InProcess:
    """The home's outbound client, answered by the issuer's application in this process."""

    client: TestClient
    posted: list[str] = field(default_factory=list)
    away: bool = False

    def get(self, url: str, **_: Any) -> Answer:
        return self._send("GET", url, statuses=(200,))

    def post(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        json: Any = None,  # the client's own name
        headers: Mapping[str, str] | None = None,
        statuses: Sequence[int] = (200,),
    ) -> Answer:
        self.posted.append(urlsplit(url).path)
        return self._send(
            "POST", url, statuses=statuses, data=form, json=json, headers=dict(headers or {})
        )

    def _send(self, method: str, url: str, *, statuses: Sequence[int], **more: Any) -> Answer:
        if self.away:
            raise UnreachableError("away", origin=ORIGIN)
        assert url.startswith(ORIGIN)
        found = self.client.request(method, url.removeprefix(ORIGIN), **more)
        if found.status_code not in statuses:
            raise UpstreamStatusError(origin=ORIGIN, status=found.status_code)
        return Answer(found.status_code, {}, found.content, "application/json", ORIGIN)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def wallet(operator: Operator) -> Iterator[InProcess]:
    operator.write("trajets/a.csv", JOURNEYS)
    operator.step()
    http = InProcess(operator.client)
    operator.home._http = http  # type: ignore[assignment]  # the port, in memory
    yield http


def offered(operator: Operator, *, login: bool = False, customer: str = "c7") -> str:
    body = {"customer": customer, "login": login}
    answer = operator.signed("POST", "/customers/offers", body)
    assert answer.status_code == 201, answer.text
    link: str = answer.json()["link"]
    return link


def agree(operator: Operator, address: str, answer: str = "oui") -> dict[str, str]:
    """The person's browser: the issuer's page, the button, the way back."""
    parts = urlsplit(address)
    page = operator.client.get(f"{parts.path}?{parts.query}")
    assert page.status_code == 200, page.text
    assert "localhost:8400" in page.text, "the page says where it goes"
    name = page.text.partition('name="demande" value="')[2].partition('"')[0]
    back = operator.client.post(
        "/authorize", data={"demande": name, "reponse": answer}, follow_redirects=False
    )
    assert back.status_code == 303
    assert back.headers["location"].startswith(f"{REDIRECT}?")
    again = operator.client.post(
        "/authorize", data={"demande": name, "reponse": answer}, follow_redirects=False
    )
    assert again.status_code == 400, "a page is answered once"
    return dict(parse_qsl(urlsplit(back.headers["location"]).query))


def begin(operator: Operator, link: str, **more: Any) -> str:
    return begin_login(
        operator.citizen.vault, link, verifier=FUNDER, client_id=CLIENT, redirect_uri=REDIRECT,
        **more,
    )  # fmt: skip


def test_a_login_at_the_issuer_brings_everything_signed_for_the_customer(
    operator: Operator, wallet: InProcess
) -> None:
    vault = operator.citizen.vault
    link = offered(operator, login=True)
    with pytest.raises(ShareRefusedError, match="login-needed"):
        accept_offer(vault, link, verifier=FUNDER)
    address = begin(operator, link)
    assert "/par" in wallet.posted, "pushed: the browser carries a name only"
    assert "code_challenge" not in address
    back = agree(operator, address)
    kept = finish_login(vault, state=back["state"], code=back["code"], iss=back["iss"])
    assert [one.type for one in kept] == ["TripCredential"] * 2
    holder = vault.holder_did(FUNDER)
    assert {read_held(one.document).holder for one in kept} == {holder}
    assert wallet.posted.count("/notification") == 2
    with pytest.raises(ShareRefusedError, match="login-unknown"):
        finish_login(vault, state=back["state"], code=back["code"], iss=back["iss"])
    with pytest.raises(ShareRefusedError, match="login-unknown"):
        finish_login(vault, state="", code=back["code"], iss=None)


def test_a_person_who_says_no_gets_nothing_and_another_issuer_cannot_answer(
    operator: Operator, wallet: InProcess
) -> None:
    vault = operator.citizen.vault
    back = agree(operator, begin(operator, offered(operator, login=True)), "non")
    assert back["error"] == "access_denied"
    with pytest.raises(ShareRefusedError, match="login-refused"):
        finish_login(vault, state=back["state"], code=None, iss=back["iss"])
    back = agree(operator, begin(operator, offered(operator, login=True)))
    with pytest.raises(ShareRefusedError, match="issuer-origin"):
        finish_login(vault, state=back["state"], code=back["code"], iss="https://evil.example")
    operator.clock.forward(minutes=20)
    late = begin(operator, offered(operator, login=True))
    back = agree(operator, late)
    operator.clock.forward(minutes=20)
    with pytest.raises(ShareRefusedError, match="login-unknown"):
        finish_login(vault, state=back["state"], code=back["code"], iss=back["iss"])
    assert vault.credentials() == []


@pytest.mark.parametrize("fault", ["verifier", "redirect", "client", "used", "late"])
def test_a_code_serves_only_who_began(operator: Operator, wallet: InProcess, fault: str) -> None:
    link = offered(operator, login=True)
    reference = dict(parse_qsl(urlsplit(link).query))["credential_offer_uri"]
    offer = CredentialOffer.from_json(wallet.get(reference).json())
    login = Authorization.begin(CLIENT, REDIRECT)
    back = agree(operator, f"/authorize?{urlencode(login.parameters(offer))}")
    form = login.token_form(back["code"])
    match fault:
        case "verifier":
            form["code_verifier"] = "x" * 43
        case "redirect":
            form["redirect_uri"] = "http://localhost:8400/ailleurs"
        case "client":
            form["client_id"] = "http://localhost:8401"
        case "used":
            assert operator.client.post("/token", data=form).status_code == 200
        case "late":
            operator.clock.forward(minutes=2)
    answer = operator.client.post("/token", data=form)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/x"}, "invalid_client"),
        ({"redirect_uri": "javascript:alert(1)"}, "invalid_request"),
        ({"redirect_uri": "http://evil.example/x"}, "invalid_request"),
        ({"authorization_details": "[]"}, "invalid_scope"),
        ({"authorization_details": "{"}, "invalid_scope"),
        ({"authorization_details": '[{"type":"openid_credential"}]'}, "invalid_scope"),
        ({"authorization_details": "", "scope": "Pouvoirs"}, "invalid_scope"),
        ({"state": "x" * 5_000}, "invalid_request"),
    ],
)  # fmt: skip
def test_a_request_that_is_not_right_is_told_on_the_page_and_sent_nowhere(
    operator: Operator, wallet: InProcess, changes: dict[str, str], error: str
) -> None:
    offer = CredentialOffer(ORIGIN, ("TripCredential",), None)
    members = {**Authorization.begin(CLIENT, REDIRECT).parameters(offer), **changes}
    shown = operator.client.get(f"/authorize?{urlencode(members)}", follow_redirects=False)
    assert shown.status_code == 400
    assert error in shown.text
    pushed = operator.client.post("/par", data=members)
    assert (pushed.status_code, pushed.json()["error"]) == (400, error)


def test_nobody_comes_without_an_offer_nor_for_more_than_it_holds(
    operator: Operator, wallet: InProcess
) -> None:
    def asked(offer: CredentialOffer) -> str:
        members = Authorization.begin(CLIENT, REDIRECT).parameters(offer)
        back = operator.client.get(f"/authorize?{urlencode(members)}", follow_redirects=False)
        assert back.status_code == 303
        return dict(parse_qsl(urlsplit(back.headers["location"]).query))["error"]

    assert asked(CredentialOffer(ORIGIN, ("TripCredential",), None)) == "access_denied"
    state = dict(parse_qsl(urlsplit(offered(operator, login=True)).query))["credential_offer_uri"]
    state = state.rpartition("/")[2]
    more = CredentialOffer(ORIGIN, ("InvoiceCredential",), None, issuer_state=state)
    assert asked(more) == "access_denied"


def test_one_request_brings_a_copy_for_each_funder_bound_to_its_own_key(
    operator: Operator, wallet: InProcess
) -> None:
    vault = operator.citizen.vault
    kept = accept_offer(vault, offered(operator), verifier=FUNDER, others=(SECOND, FUNDER))
    assert wallet.posted.count("/credential") == 2, "two trips, each for both keys at once"
    holders = [read_held(one.document).holder for one in kept]
    assert sorted(holders) == sorted([vault.holder_did(FUNDER), vault.holder_did(SECOND)] * 2)
    numbers = operator.service.report()["credentials"]
    assert numbers == 4, "each copy has a status of its own"


def test_what_is_not_ready_is_promised_and_comes_when_it_is(
    operator: Operator, wallet: InProcess
) -> None:
    vault = operator.citizen.vault
    hold(operator, 24)
    assert accept_offer(vault, offered(operator), verifier=FUNDER) == ()
    assert [one.configuration for one in awaited(vault)] == ["TripCredential"] * 2
    before = wallet.posted.count("/deferred_credential")
    assert collect(vault) == ()
    assert wallet.posted.count("/deferred_credential") == before, "not before it is due"
    assert collect(vault, now=True) == ()
    operator.clock.forward(hours=25)
    wallet.away = True
    assert collect(vault) == ()
    assert len(awaited(vault)) == 2, "an issuer that is away is asked another time"
    wallet.away = False
    operator.clock.forward(hours=2)
    vault.drain(None)
    assert [one.type for one in vault.credentials()] == ["TripCredential"] * 2
    assert awaited(vault) == []
    assert wallet.posted.count("/notification") == 2, "the token of the day before still notifies"


def test_a_promise_serves_one_token_once_and_a_refusal_ends_it(
    operator: Operator, wallet: InProcess
) -> None:
    vault = operator.citizen.vault
    hold(operator, 24)
    accept_offer(vault, offered(operator), verifier=FUNDER)
    operator.clock.forward(hours=25)
    name = f"issuance/awaited/{awaited(vault)[0].name}"
    body = json.loads(vault.setting(name) or b"{}")
    asked = {"transaction_id": body["transaction"]}
    other = operator.client.post(
        "/deferred_credential", json=asked, headers={"Authorization": "Bearer other"}
    )
    assert other.status_code == 401
    bearer = {"Authorization": f"Bearer {body['access']}"}
    assert operator.client.post("/deferred_credential", json=asked, headers=bearer).json()[
        "credentials"
    ]
    assert len(collect(vault)) == 1, "the other one"
    assert awaited(vault) == []
    assert "credential-refused" in [entry.event for entry in vault.journal().events]


def test_an_offer_is_by_code_or_by_login_and_nothing_else() -> None:
    base = {"credential_issuer": ORIGIN, "credential_configuration_ids": ["A"]}
    grant = {"authorization_code": {"issuer_state": "s"}}
    read = CredentialOffer.from_json({**base, "grants": grant})
    assert (read.pre_authorized_code, read.issuer_state) == (None, "s")
    assert CredentialOffer.from_json(read.to_json()) == read
    assert CredentialOffer.from_json({**base, "grants": {}}).issuer_state is None
    for grants in ({"password": {}}, {"authorization_code": {"issuer_state": 7}}):
        with pytest.raises(IssuanceError):
            CredentialOffer.from_json({**base, "grants": grants})
    # RFC 7636, appendix B
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def hold(operator: Operator, hours: int) -> None:
    """The same issuer, whose rows may be corrected for some hours."""
    text = TOML.replace('name = "trajets"', f'name = "trajets"\nhold_hours = {hours}')
    (operator.folder / "issuer.toml").write_text(text)
    operator.service.settings = IssuerSettings.read(operator.folder)
