"""An operator's issuer, one home, and one citizen who named her vault."""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from connectors.errors import SourceUnreachableError
from connectors.issuer.api.issuance import PRE_AUTHORISED
from connectors.issuer.api.router import SIGNATURE
from connectors.issuer.app import create_issuer_app
from connectors.issuer.intake import signature
from connectors.issuer.keys import IssuerKeys
from connectors.issuer.service import IssuerService
from connectors.issuer.settings import IssuerSettings
from connectors.issuer.store import Customer, Ledger
from connectors.store import ConnectorStore
from federation.credentials import TokenStatus
from federation.credentials.token_status import token_status
from federation.did import DidDocument, DidError
from federation.disputes import Dispute
from federation.keys import P256Key
from federation.openid4vci import credential_requests, proof_jwt
from federation.proofs.sd_jwt import held_claims
from federation.trust import PinnedKey, Role, TrustEntry
from federation.wire.signatures import new_nonce, sign
from schemas.evidence import Evidence
from tests.unit.vault.builders import Citizen, Clock, make_home, trust
from vault.home import Home

HOME = "http://localhost:8400"
WALLET = P256Key.generate().signer()
TOML = """
name = "Vélos de la Clamoux"
address = "http://localhost:8410"
siret = "20003588700013"
families = ["locations"]

[[source]]
name = "trajets"
kind = "csv"
produces = "journey"
path = "trajets"
dates = "%d/%m/%Y %H:%M"
distance_unit = "km"

[source.columns]
reference = "N°"
customer = "Client"
startedAt = "Départ"
endedAt = "Arrivée"
distance = "Km"
cancelled = "Annulé"

[[source]]
name = "locations"
kind = "webhook"
produces = "rental"

[[source]]
name = "abonnements"
kind = "database"
produces = "pass"
database = "ISSUER_TEST_DATABASE"
query = '''
SELECT id AS reference, client AS customer, formule AS product, nom AS holder,
       debut AS "validFrom", fin AS "validUntil", prix AS amount
FROM abonnement WHERE maj >= :since
'''

[[source]]
name = "factures"
kind = "csv"
produces = "invoice"
path = "factures.csv"
"""
JOURNEYS = (
    "N°;Client;Départ;Arrivée;Km;Annulé\n"
    "T1;c7;05/10/2026 07:42;05/10/2026 08:08;18,4;\n"
    "T2;c7;05/10/2026 18:02;05/10/2026 18:30;18,4;non\n"
    "T3;c9;06/10/2026 07:42;06/10/2026 08:08;5;\n"
)


@dataclass
class Operator:
    """One issuer, one home with one citizen who named her vault."""

    folder: Path
    service: IssuerService
    client: TestClient
    home: Home
    citizen: Citizen
    clock: Clock
    away: bool = False

    def write(self, name: str, text: str, *, encoding: str = "utf-8") -> None:
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding)
        at = self.clock().timestamp() - 60
        os.utime(file, (at, at))

    def append(self, name: str, text: str) -> None:
        file = self.folder / name
        with file.open("a") as out:
            out.write(text)
        at = self.clock().timestamp() - 30
        os.utime(file, (at, at))

    def step(self) -> tuple[Any, Any]:
        taken, pushed = self.service.step()
        self.citizen.vault.drain(None)
        return taken, pushed

    def signed(self, method: str, path: str, body: Any, *, secret: str | None = None) -> Any:
        data = json.dumps(body).encode()
        header = signature(data, secret=secret or self.service.keys.manage, at=self.clock())
        return self.client.request(method, path, content=data, headers={SIGNATURE: header})

    def hook(self, *rows: Mapping[str, Any]) -> dict[str, Any]:
        secret = self.service.keys.webhooks["locations"]
        answer = self.signed("POST", "/webhooks/locations", list(rows), secret=secret)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def link(self, customer: str = "c7") -> None:
        body = {
            "customer": customer, "home": HOME, "vault": self.citizen.vault_id, "account": "op",
        }  # fmt: skip
        assert self.signed("PUT", "/customers", body).status_code == 200

    @property
    def trips(self) -> list[Any]:
        found = self.citizen.vault.trips(date(2026, 10, 1), date(2026, 10, 31))
        return sorted(found, key=lambda trip: trip.started_at)

    def redeem(self, customer: str = "c7") -> list[str]:
        answer = self.signed("POST", "/customers/offers", {"customer": customer})
        assert answer.status_code == 201, answer.text
        offer = answer.json()["credential_offer"]
        code = offer["grants"][PRE_AUTHORISED]["pre-authorized_code"]
        form = {"grant_type": PRE_AUTHORISED, "pre-authorized_code": code}
        granted = self.client.post("/token", data=form).json()
        bearer = {"Authorization": f"Bearer {granted['access_token']}"}
        found = []
        for request in credential_requests(granted, offer["credential_configuration_ids"]):
            nonce = self.client.post("/nonce").json()["c_nonce"]
            proof = proof_jwt(
                WALLET, audience=offer["credential_issuer"], nonce=nonce, at=self.clock()
            )
            body = request.with_proofs(proof).to_json()
            given = self.client.post("/credential", json=body, headers=bearer)
            assert given.status_code == 200, given.text
            found.append(given.json()["credentials"][0]["credential"])
        return found

    def status(self, token: str) -> int:
        entry = TokenStatus.from_json(held_claims(token)["status"])
        return token_status(
            entry, self.service.settings.did, source=self, trust=self.home.trust, at=self.clock()
        )

    def status_list(self, url: str) -> bytes:
        assert url == "http://localhost:8410/status/1"
        return self.client.get("/status/1").content

    def resolve(self, did: str) -> DidDocument:
        if did != self.home.did:
            raise DidError("no such home")
        return DidDocument.from_json(self.home.did_document(), expected=did)

    def say(self, said: Dispute) -> int:
        url, body = "http://localhost:8410/contestations", said.to_bytes()
        headers = sign(
            method="POST", url=url, body=body, signer=self.home.signer(), created=self.clock(),
            nonce=new_nonce(),
        )  # fmt: skip
        return self.client.post("/contestations", content=body, headers=headers).status_code


def made_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    clock = Clock()
    folder = tmp_path / "issuer"
    (folder / "trajets").mkdir(parents=True)
    (folder / "issuer.toml").write_text(TOML)
    with sqlite3.connect(folder / "clients.db") as database:
        database.execute(
            "CREATE TABLE abonnement (id, client, formule, nom, debut, fin, prix, maj)"
        )
    monkeypatch.setenv("ISSUER_TEST_DATABASE", f"sqlite:///{folder / 'clients.db'}")
    settings = IssuerSettings.read(folder)
    keys = IssuerKeys.load(folder, ["locations"])
    url = f"sqlite:///{folder / 'issuer.db'}"
    ledger, deposits = Ledger.open(url), ConnectorStore.open(url, seal=None)
    home = make_home(tmp_path / "home", clock)
    citizen = Citizen(home)

    def drop_box_of(customer: Customer) -> Any:
        if made.away:
            raise SourceUnreachableError(where="home", reason="away")
        assert customer.home == HOME
        return home.drop_box(customer.vault)

    class Late:
        """The operator below, once it is made."""

        def resolve(self, did: str) -> DidDocument:
            return made.resolve(did)

    service = IssuerService(
        settings, ledger=ledger, deposits=deposits, keys=keys, drop_box_of=drop_box_of,
        resolver=Late(), clock=clock,
    )  # fmt: skip
    client = TestClient(create_issuer_app(service, works=False))
    made = Operator(folder, service, client, home, citizen, clock)
    pinned = PinnedKey(
        service.signer.public_multikey(), service.signer.verification_method,
        clock() - timedelta(days=90),
    )  # fmt: skip
    entry = TrustEntry(
        did=settings.did, name=settings.name, roles=frozenset({Role.OPERATOR}), keys=(pinned,),
        credential_types=frozenset({"TripCredential"}), evidence=Evidence.OPERATOR,
        since=clock() - timedelta(days=90),
    )  # fmt: skip
    home.use_trust(trust(entry, at=clock()))
    home.link_depositor(citizen.vault_id, settings.did, "op", settings.name)
    yield made
    for store in (ledger, deposits, home):
        store.close()
