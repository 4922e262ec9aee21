"""The fictitious operator's routes: the passenger names a vault, the operator leaves its journeys
there."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from connectors.depositing import SealingDepositor
from connectors.disputing import read_dispute
from connectors.http import HttpDropBox, source_client
from connectors.sandbox.offers import sandbox_cards
from connectors.sandbox.operator import (
    credential_observations,
    journeys,
    pass_documents,
    signed_journeys,
)
from connectors.sandbox.parties import BANNER, Party
from connectors.sandbox.story import NETWORK_NAME, OPERATOR_NAME, Story
from connectors.store import ConnectorStore
from federation.did import DidResolver, DidWebResolver
from federation.disputes import SERVICE, Dispute, DisputeError
from federation.offers import sign_card
from federation.wire.problems import PROBLEM
from schemas.ids import Did
from schemas.observations import Observation


class DepositRequest(BaseModel):
    """Where to leave the journeys: a vault's address, and (optional) the holder's key for signed
    ones."""

    model_config = ConfigDict(extra="forbid")
    home_url: str = Field(max_length=500, pattern="^https?://")
    vault_id: str = Field(min_length=1, max_length=200)
    account: str = Field(min_length=1, max_length=200)
    holder: str | None = Field(default=None, max_length=500, pattern="^did:key:z")
    include_pass: bool = True


class DepositAnswer(BaseModel):
    journeys: int
    credentials: int
    documents: int
    deposits: int


async def _raw(request: Request) -> bytes:
    return await request.body()


RawDep = Annotated[bytes, Depends(_raw)]


def create_operator_router(
    party: Party,
    story: Story,
    store: ConnectorStore,
    *,
    base: str,
    clock: Callable[[], datetime],
    allow_loopback: bool,
) -> APIRouter:
    """Routes below `/operateur`."""
    router = APIRouter(prefix="/" + party.path, tags=["operator"])

    @router.get("/")
    def about() -> dict[str, Any]:
        return {"name": OPERATOR_NAME, "network": NETWORK_NAME, "banner": BANNER, "id": party.did}

    @router.get("/offres")
    def offers() -> dict[str, list[str]]:
        """The operator's offers, as it signed them."""
        now = clock()
        cards = sandbox_cards(party.did, link=f"{base}/{party.path}/", at=now.date())
        return {"offers": [sign_card(card, party.signer, at=now) for card in cards]}

    @router.post("/depots", status_code=201, responses={502: PROBLEM, 503: PROBLEM})
    def deposit(given: Annotated[DepositRequest, Body()]) -> DepositAnswer:
        """Seal journeys (and the pass) to the vault's keys, read from its home, and leave them
        there."""
        now = clock()
        trips = journeys(story, account=given.account)
        signed = (
            signed_journeys(story, holder=Did(given.holder), signer=party.signer, at=now)
            if given.holder
            else []
        )
        documents = pass_documents(account=given.account) if given.include_pass else []
        everything: list[Observation] = [
            *trips,
            *credential_observations(signed, account=given.account, at=now),
            *documents,
        ]
        with source_client(allow_loopback=allow_loopback) as client:
            depositor = SealingDepositor(
                HttpDropBox(
                    client,
                    home_url=given.home_url,
                    vault_id=given.vault_id,
                    signer=party.signer,
                    clock=clock,
                ),
                vault_id=given.vault_id,
                account=given.account,
                signer=party.signer,
                store=store,
                clock=clock,
            )
            deposits = depositor.deposit(everything)
        return DepositAnswer(
            journeys=len(trips),
            credentials=len(signed),
            documents=len(documents),
            deposits=deposits,
        )

    said: dict[str, tuple[Did, Dispute]] = {}
    used: dict[str, datetime] = {}

    def is_fresh(keyid: str, nonce: str, until: datetime) -> bool:
        name, now = f"{keyid} {nonce}", clock()
        for old in [old for old, end in used.items() if end < now]:
            del used[old]
        return used.setdefault(name, until) is until

    @router.post("/contestations", status_code=202, responses={401: PROBLEM, 422: PROBLEM})
    def dispute(request: Request, body: RawDep) -> dict[str, str]:
        """A holder's home says that a journey is disputed, or no more; the last word counts."""
        with source_client(allow_loopback=allow_loopback) as client:
            home, found = read_dispute(
                {name.lower(): value for name, value in request.headers.items()},
                url=party.services[SERVICE],
                body=body,
                resolver=DidResolver(
                    web=DidWebResolver(client.get_json, loopback_http=allow_loopback)
                ),
                is_fresh=is_fresh,
                at=clock(),
            )
        known = said.get(found.id)
        if known is not None and known[0] != home:
            raise DisputeError("another home's dispute")
        if known is None or known[1].at <= found.at:
            said[found.id] = (home, found)
        return {"id": found.id}

    @router.get("/contestations")
    def disputes() -> list[dict[str, Any]]:
        """What was disputed: the sandbox's journeys are nobody's."""
        return [{"home": home, **json.loads(found.to_bytes())} for home, found in said.values()]

    return router


__all__ = ["create_operator_router"]
