"""The sandbox: one server with fictitious parties, so that everything can be tried without an
agreement.

« Bac à sable : personnes, opérateurs et financeurs fictifs » stands on every page. No party bears
the name of what it stands in for.
"""

import html
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Body, FastAPI
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from connectors.emission.client import Dialect
from connectors.http import source_client
from connectors.issuer.api.authorization import Login
from connectors.issuer.api.issuance import create_issuance_router
from connectors.sandbox.api.agency import PATH as AGENCY
from connectors.sandbox.api.agency import create_agency_router
from connectors.sandbox.api.employer import create_employer_router
from connectors.sandbox.api.identity import create_identity_router
from connectors.sandbox.api.mobility_account import create_mobility_account_router
from connectors.sandbox.api.operator import create_operator_router
from connectors.sandbox.api.personal_cloud import (
    PATH,
    PersonalCloud,
    create_personal_cloud_router,
)
from connectors.sandbox.api.register import create_register_router
from connectors.sandbox.api.registrations import Registrations
from connectors.sandbox.api.relying_parties import (
    create_relying_party_router,
    create_tariff_router,
)
from connectors.sandbox.api.service import create_service_router
from connectors.sandbox.api.shared_fleet import create_shared_fleet_router
from connectors.sandbox.api.timestamping import create_timestamp_router
from connectors.sandbox.api.traces import create_traces_router
from connectors.sandbox.misbehaviour import Manners, Misbehaviour
from connectors.sandbox.mobility_account import PATH as ACCOUNT
from connectors.sandbox.mobility_account import MobilityAccount
from connectors.sandbox.parties import BANNER, BANNER_EN, Parties, SandboxSettings
from connectors.sandbox.registers import (
    NETWORK,
    REGISTERS,
    REGISTERS_NAME,
    network_offerings,
    register_offerings,
    solidarity_tariff,
)
from connectors.sandbox.registry import Registry
from connectors.sandbox.services import SERVICES
from connectors.sandbox.signing import identity_offerings, operator_offerings
from connectors.sandbox.statuses import Statuses, create_status_router
from connectors.sandbox.story import (
    EMPLOYMENT,
    HOME,
    NETWORK_NAME,
    OPERATOR_NAME,
    PERSON,
    SECOND_APP,
    WORK,
    Story,
)
from connectors.sandbox.timestamping import TimestampAuthority
from connectors.store import ConnectorStore
from federation.wire.limits import BodyLimit
from federation.wire.problems import STATUS, install

MAX_BODY: Final = 1_000_000


class MisbehaveRequest(BaseModel):
    """What the next answers of the trace server and the cloud do wrong, and how many."""

    model_config = ConfigDict(extra="forbid")
    what: Misbehaviour
    times: int = Field(default=1, ge=1, le=1_000)


def system_clock() -> datetime:
    """Now, by this machine."""
    return datetime.now(UTC)


def create_sandbox_app(
    settings: SandboxSettings | None = None, *, clock: Callable[[], datetime] = system_clock
) -> FastAPI:
    """The application. Its keys and tokens live in `settings.state`, and beside it what is still
    to send."""
    settings = settings or SandboxSettings()
    parties = Parties.load(settings)
    story = Story(settings.seed, since=settings.since)
    manners = Manners()
    store = ConnectorStore.open(
        f"sqlite:///{settings.state.with_suffix('.db').resolve()}", seal=None
    )
    base = settings.base_url.rstrip("/")
    app = FastAPI(title=BANNER, docs_url=None, redoc_url=None)
    app.state.parties, app.state.store, app.state.story = parties, store, story
    app.state.manners = manners
    app.add_middleware(BodyLimit, limit=MAX_BODY)
    install(app, STATUS)

    @app.middleware("http")
    async def said(request: Request, call_next: Any) -> Response:
        """Every answer says where it comes from, pages and JSON alike."""
        answer: Response = await call_next(request)
        answer.headers["X-Bac-A-Sable"] = "personnes, operateurs et financeurs fictifs"
        return answer

    for party in (parties.operator, parties.employer, parties.identity):
        app.add_api_route(f"/{party.path}/did.json", party.document, methods=["GET"])

    @app.get("/", response_class=HTMLResponse)
    def home() -> str:
        rows = "".join(
            f"<li>{html.escape(name)}</li>"
            for name in (OPERATOR_NAME, NETWORK_NAME, EMPLOYMENT.employer_name)
        )
        return (
            '<!doctype html><html lang="fr"><meta charset="utf-8">'
            f"<title>{BANNER}</title><main><h1>{BANNER}</h1>"
            f'<p lang="en">{BANNER_EN}</p><ul>{rows}</ul></main></html>'
        )

    @app.api_route("/_loop", methods=["GET", "POST"])
    def loop() -> Response:
        return Response(status_code=307, headers={"Location": "/_loop"})

    @app.post("/_misbehave", status_code=204)
    def misbehave(asked: Annotated[MisbehaveRequest, Body()]) -> Response:
        """Make the trace server misbehave for its next answers."""
        manners.ask(asked.what, asked.times)
        return Response(status_code=204)

    @app.post("/_behave", status_code=204)
    def behave() -> Response:
        manners.behave()
        return Response(status_code=204)

    @app.get("/_story")
    def told() -> dict[str, Any]:
        """All that the demonstration needs to know of the fictitious person and parties."""
        return story_of(settings, parties, story)

    app.include_router(create_register_router(clock=clock))
    app.include_router(
        create_identity_router(parties.identity, issuer=f"{base}/identite", clock=clock)
    )
    app.include_router(
        create_identity_router(
            parties.identity,
            issuer=f"{base}/identite-federee",
            clock=clock,
            registrations=Registrations(),
        )
    )
    app.include_router(
        create_employer_router(
            parties.employer,
            issuer=f"{base}/employeur",
            family_key=parties.family_key,
            clock=clock,
        )
    )
    app.include_router(
        create_operator_router(
            parties.operator,
            story,
            store,
            base=base,
            clock=clock,
            allow_loopback=settings.allow_loopback,
        )
    )
    for path, name, offerings in (
        (
            parties.operator.path,
            OPERATOR_NAME,
            operator_offerings(
                parties.operator, story, family_key=parties.key_for("trips"), clock=clock
            ),
        ),
        (
            f"{parties.identity.path}/vc",  # its login has the other addresses
            "Identité de démonstration",
            identity_offerings(parties.identity, family_key=parties.key_for("pivot"), clock=clock),
        ),
    ):
        app.include_router(
            create_issuance_router(
                path,
                issuer=f"{base}/{path}",
                display=({"name": name, "locale": "fr"},),
                offerings=offerings,
                clock=clock,
                login=Login(
                    f"{BANNER} · {name}", person=f"{PERSON.given_name} {PERSON.family_name}"
                ),
            )
        )
    app.include_router(
        create_service_router(
            parties.operator,
            base=f"{base}/service",
            home=settings.home_url.rstrip("/"),
            secret=parties.key_for("service"),
            clock=clock,
            allow_loopback=settings.allow_loopback,
        )
    )
    app.include_router(
        create_agency_router(
            issuer=f"{base}/{AGENCY}", secret=parties.key_for("compte"), clock=clock
        )
    )
    _serve_services(app, settings, parties, clock)
    authority = TimestampAuthority.open(settings.timestamp_seed, clock)
    app.include_router(create_timestamp_router(authority))
    app.state.cloud = PersonalCloud.told(story)
    app.include_router(create_personal_cloud_router(app.state.cloud, manners, clock=clock))
    app.state.account = MobilityAccount.told(
        story,
        parties.derived(settings, ACCOUNT),
        clock=clock,
        allow_loopback=settings.allow_loopback,
    )
    app.include_router(
        create_mobility_account_router(
            app.state.account, manners, base=f"{base}/{ACCOUNT}", clock=clock
        )
    )
    app.include_router(create_shared_fleet_router(base, clock=clock))
    for dialect in Dialect:
        app.include_router(create_traces_router(story, parties.trace_token, manners, dialect))
    return app


def _serve_services(
    app: FastAPI, settings: SandboxSettings, parties: Parties, clock: Callable[[], datetime]
) -> None:
    """The registers, the network, and one relying party for each service profile."""
    base = settings.base_url.rstrip("/")
    registry = Registry(settings.hub_url, clock, allow_loopback=settings.allow_loopback)
    found = {
        path: parties.derived(settings, path)
        for path in dict.fromkeys([REGISTERS, *(demo.path for demo in SERVICES)])
    }
    tariff = solidarity_tariff(found[NETWORK], base=base, at=clock())
    for party in found.values():
        app.add_api_route(f"/{party.path}/did.json", party.document, methods=["GET"])
    statuses = {
        path: Statuses(found[path], base=base, clock=clock) for path in (REGISTERS, NETWORK)
    }
    for path, name, make in (
        (REGISTERS, REGISTERS_NAME, register_offerings),
        (NETWORK, NETWORK_NAME, network_offerings),
    ):
        offerings = make(found[path], clock=clock, statuses=statuses[path])
        app.include_router(create_status_router(statuses[path]))
        app.include_router(
            create_issuance_router(
                path,
                issuer=f"{base}/{path}",
                display=({"name": name, "locale": "fr"},),
                offerings=offerings,
                clock=clock,
            )
        )
    app.include_router(create_tariff_router(found[NETWORK], tariff, clock))
    for demo in SERVICES:
        app.include_router(
            create_relying_party_router(
                demo,
                found[demo.path],
                base=base,
                clock=clock,
                trust=registry.current,
                client=lambda: source_client(allow_loopback=settings.allow_loopback),
                tariff=tariff if demo.profile.id == "tarif-reduit" else None,
            )
        )


def story_of(settings: SandboxSettings, parties: Parties, story: Story) -> dict[str, Any]:
    """Addresses, tokens, names and what must come out."""
    base = settings.base_url.rstrip("/")
    expected = story.expected
    return {
        "banner": BANNER,
        "person": {
            "givenName": PERSON.given_name,
            "familyName": PERSON.family_name,
            "birthDate": PERSON.birthdate,
        },
        "places": {
            "home": {"lat": HOME[0], "lon": HOME[1]},
            "work": {"lat": WORK[0], "lon": WORK[1]},
        },
        "traces": {
            "url": f"{base}/traces",
            "url2021": f"{base}/traces-2021",
            "token": parties.trace_token,
        },
        "cloud": {"url": f"{base}/{PATH}"},
        "account": {"url": f"{base}/{ACCOUNT}"},
        "secondApp": {"name": SECOND_APP, "trips": story.pushed_trips()},
        "operator": {
            "id": parties.operator.did,
            "name": OPERATOR_NAME,
            "deposit": f"{base}/operateur/depots",
            "multikey": parties.operator.signer.public_multikey(),
            "verificationMethod": parties.operator.signer.verification_method,
        },
        "employer": {
            "id": parties.employer.did,
            "name": EMPLOYMENT.employer_name,
            "siret": EMPLOYMENT.siret,
            "offers": f"{base}/employeur/offers",
            "multikey": parties.employer.signer.public_multikey(),
            "verificationMethod": parties.employer.signer.verification_method,
        },
        "identity": {
            "id": parties.identity.did,
            "issuer": f"{base}/identite",
            "multikey": parties.identity.signer.public_multikey(),
            "verificationMethod": parties.identity.signer.verification_method,
        },
        "expected": {
            "trips": expected.trips,
            "legs": expected.legs,
            "eligibleDays": expected.eligible_days,
            "eligibleDaysByMode": expected.eligible_days_by_mode,
            "traced": expected.traced,
            "pushed": expected.pushed,
            "journeys": expected.journeys,
            "duplicates": expected.duplicates,
        },
    }


__all__ = ["create_sandbox_app", "story_of"]
