"""A service at the door of a home's passport, without HTTP: for tests of the rules."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.elsewhere.relying_party import Begun, RelyingParty
from schemas.ids import mint_iri
from schemas.records import Attribute, Degree
from tests.unit.vault.builders import START, Citizen
from vault.home import Home
from vault.passport.agreeing import agree, prepare
from vault.passport.asked import Asked
from vault.passport.protocol import Reply

REDIRECT = "https://autopartage.example/retour"
SECRET = bytes(range(32))
IDENTITY = {"given_name": "Camille", "family_name": "Fabre", "birthdate": "1991-04-17"}
MONTH = timedelta(days=30)


def give_identity(citizen: Citizen) -> None:
    """An identity as a login at the State's provider relays it."""
    citizen.vault.put(
        *(
            Attribute(
                id=mint_iri(),
                name=f"identity.{name}",
                value=value,
                source="identite.exemple.fr",
                certified_at=START,
                degree=Degree.RELAYED,
                level="eidas2",
            )
            for name, value in IDENTITY.items()
        )
    )


class Door:
    """One service, registered at one home."""

    def __init__(
        self,
        home: Home,
        *,
        scope: str = "openid identite",
        sealed: bool = True,
        client_id: str = "autopartage",
        redirect: str = REDIRECT,
        **more: Any,
    ) -> None:
        self.home, self.passport = home, home.passport
        self.party = RelyingParty.make(
            client_id, redirect, self.passport.metadata(), secret=SECRET, sealed=sealed
        )
        description = self.party.description(
            name="Autopartage de démonstration",
            purpose="Ouvrir votre compte et vous louer une voiture.",
            scope=scope,
            **more,
        )
        self.service = self.passport.services.register(description, id_=client_id)

    def ask(self, scope: str = "openid identite", **more: str) -> tuple[Asked, Begun]:
        """The browser arrives with a request."""
        url, begun = self.party.begin(scope, **more)
        return self.passport.read_request(parse_qsl(urlsplit(url).query)), begun

    def agree(
        self,
        citizen: Citizen,
        asked: Asked,
        *,
        names: tuple[str, ...] | None = None,
        keep_for: timedelta | None = None,
    ) -> dict[str, str]:
        """The citizen reads and agrees; what comes back in the address."""
        prepared = prepare(self.passport, citizen.vault, asked)
        url = agree(
            self.passport,
            citizen.vault,
            asked,
            names=asked.scopes if names is None else names,
            shown=prepared.digest(),
            keep_for=keep_for,
            opened_at=self.home.clock(),
        )
        return dict(parse_qsl(urlsplit(url).query))

    def exchange(self, code: str, begun: Begun, **changed: str) -> Reply:
        """The code for tokens."""
        form = {**self.party.code_form(code, begun, at=self.home.clock()), **changed}
        return self._token(form)

    def refresh(self, refresh_token: str, **changed: str) -> Reply:
        """A refresh token for the next."""
        form = {**self.party.refresh_form(refresh_token, at=self.home.clock()), **changed}
        return self._token(form)

    def _token(self, form: dict[str, str]) -> Reply:
        at = self.home.clock()
        proof = self.party.proof("token_endpoint", method="POST", at=at)
        return self.passport.token(list(form.items()), dpop=[proof])

    def claims(self, access_token: str, *, subject: str) -> dict[str, Any]:
        """The claims behind an access token."""
        proof = self.party.proof(
            "userinfo_endpoint", method="GET", at=self.home.clock(), access_token=access_token
        )
        media, body = self.passport.userinfo(f"DPoP {access_token}", dpop=[proof], method="GET")
        is_json = media == "application/json"
        found = self.party.read_claims(body, self.passport.jwks(), subject=subject, is_json=is_json)
        return dict(found.values)

    def login(
        self, citizen: Citizen, scope: str = "openid identite", **more: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The whole way: tokens and claims."""
        asked, begun = self.ask(scope)
        answer = self.agree(citizen, asked, **more)
        code = self.party.code_of(begun, answer)
        reply = self.exchange(code, begun)
        assert reply.status == 200, reply.body
        tokens = dict(reply.body)
        identity = self.party.read_id_token(
            tokens["id_token"], self.passport.jwks(), nonce=begun.nonce, at=self.home.clock()
        )
        return tokens, self.claims(tokens["access_token"], subject=identity["sub"])
