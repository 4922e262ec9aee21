"""Relying parties, one a service profile: ask a wallet by OpenID4VP, verify, decide, say why.

Each asks exactly what its profile asks (`federation/profiles`): a signed request by reference, an
answer encrypted to the key of that request (`direct_post.jwt`), verified in eight steps against the
registry's snapshot, then decided (`connectors/sandbox/services.py`). A request lives ten minutes in
memory and is answered once.
"""

import html
import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from connectors.sandbox.demo import DemoService, Ground, Reason
from connectors.sandbox.parties import BANNER, BANNER_EN, Party
from federation.credentials import (
    AllOf,
    HasCredential,
    Outcome,
    StatusUnreachableError,
    UnverifiableError,
    VerificationError,
    Verifier,
    sentence,
)
from federation.did import DidMalformedError, DidResolver
from federation.did.web import url_of
from federation.jwe import DecryptionKey
from federation.openid4vp import (
    REQUEST_TYPE,
    DcqlQuery,
    Invitation,
    RequestRefusedError,
    ResponseMalformedError,
    build_request,
    invitation_link,
    origin_of,
    parse_response,
    read_posted,
    sign_request,
)
from federation.profiles import Service, TariffRule, sign_service, sign_tariff
from federation.trust import Role, TrustSnapshot
from federation.wire.http import BoundedClient
from schemas.errors import MobilityError

LIFE: Final = timedelta(minutes=10)
MAX_KEPT: Final = 1_000
MAX_ANSWER: Final = 500_000
VERSION: Final = 1
_PARIS: Final = ZoneInfo("Europe/Paris")


class NetworkLists:
    """Status lists of issuers, over the network within bounds."""

    def __init__(self, client: Callable[[], BoundedClient]) -> None:
        self._client = client

    def status_list(self, url: str) -> Mapping[str, Any] | bytes:
        """See `StatusSource`."""
        accepted = ("application/vc", "application/json", "application/statuslist+jwt")
        try:
            with self._client() as client:
                return client.get(url, accept=accepted).body
        except MobilityError as error:
            raise StatusUnreachableError(error.code) from error


@dataclass
class _Visit:
    """One request, and what came of it."""

    at: datetime
    nonce: str
    state: str
    key: DecryptionKey
    code: str
    result: str = "waiting"
    """`waiting`, `accepted`, `refused`, `cannot-tell`, `declined`."""
    reasons: list[Reason] = field(default_factory=list)
    document: str = ""
    """What is handed out to who was accepted."""


class _Visits:
    """The requests of one service, the newest thousand."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Visit] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self) -> str:
        identifier = secrets.token_urlsafe(16)
        visit = _Visit(
            at=self._clock(),
            nonce=secrets.token_urlsafe(24),
            state=secrets.token_urlsafe(16),
            key=DecryptionKey.generate(),
            code=secrets.token_urlsafe(16),
        )
        with self._lock:
            self._kept[identifier] = visit
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return identifier

    def live(self, identifier: str) -> _Visit | None:
        """A request that is not over."""
        with self._lock:
            found = self._kept.get(identifier)
        return None if found is None or self._clock() - found.at >= LIFE else found

    def settle(self, visit: _Visit, result: str, reasons: Sequence[Reason], document: str) -> bool:
        """Once; False when it was answered meanwhile."""
        with self._lock:
            if visit.result != "waiting":
                return False
            visit.result, visit.reasons = result, list(reasons)
            visit.document = document
            return True

    def by_code(self, code: str) -> _Visit | None:
        with self._lock:
            return next((v for v in self._kept.values() if v.code == code), None)


def service_of(demo: DemoService, party: Party, *, base: str, tariff: TariffRule | None) -> Service:
    """What the party announces."""
    parameters = dict(demo.parameters)
    if tariff is not None:
        parameters["tariff"] = tariff.id
    return Service(
        did=party.did,
        profile=demo.profile,
        parameters=parameters,
        version=VERSION,
        name=demo.name,
        start=f"{base}/{party.path}/{demo.profile.id}/commencer",
    )


def create_relying_party_router(
    demo: DemoService,
    party: Party,
    *,
    base: str,
    clock: Callable[[], datetime],
    trust: Callable[[], TrustSnapshot],
    client: Callable[[], BoundedClient],
    tariff: TariffRule | None = None,
) -> APIRouter:
    """Routes below `/{party}/{profile}`; with a tariff its rule at its own address too."""
    service = service_of(demo, party, base=base, tariff=tariff)
    where = f"{base}/{party.path}/{demo.profile.id}"
    router = APIRouter(prefix=f"/{party.path}/{demo.profile.id}", tags=["services"])
    visits, lists = _Visits(clock), NetworkLists(client)
    query = service.query
    policy = AllOf([HasCredential(item.type) for item in query.credentials])

    def request_of(identifier: str, wallet_nonce: str | None) -> Response:
        visit = visits.live(identifier)
        if visit is None or visit.result != "waiting":
            return JSONResponse({"error": "invalid_request"}, status_code=404)
        now = clock()
        claims = build_request(
            verifier=party.did,
            response_uri=f"{where}/reponses/{identifier}",
            query=query,
            nonce=visit.nonce,
            state=visit.state,
            at=now,
            lifetime=visit.at + LIFE - now,
            client_name=demo.name,
            purpose=demo.profile.purpose["fr"],
            encrypt_to=visit.key.jwk(kid=identifier),
            extra={
                "profile": service.request_claim(),
                "retention": demo.profile.retention["fr"],
                **({"tariff_rule": sign_tariff(tariff, party.signer, at=now)} if tariff else {}),
            },
        )
        try:
            token = sign_request(claims, party.signer, wallet_nonce=wallet_nonce)
        except ValueError:
            return JSONResponse({"error": "invalid_request"}, status_code=422)
        return Response(token, media_type=REQUEST_TYPE, headers={"Cache-Control": "no-store"})

    @router.get("/", response_class=HTMLResponse)
    def about() -> str:
        return _page(demo.name, _asks(demo) + _link(f"{where}/commencer", "Commencer", "Begin"))

    @router.get("/annonce")
    def announcement() -> Response:
        """The service's own signed announcement."""
        token = sign_service(service, party.signer, at=clock())
        return Response(token, media_type="application/jwt")

    @router.get("/commencer")
    def begin(coffre: Annotated[str, Query(max_length=300)] = "") -> Response:
        """A new request, handed to the wallet that the person names: a home of the registry."""
        if not coffre:
            return HTMLResponse(_page(demo.name, _asks(demo) + _form()))
        if not _is_home(coffre, trust(), clock()):
            return HTMLResponse(
                _page(
                    demo.name,
                    "<p>Cet hébergeur n'est pas au registre de confiance.</p>"
                    '<p lang="en">This provider is not in the trust registry.</p>' + _form(),
                ),
                status_code=422,
            )
        identifier = visits.begin()
        invitation = Invitation(
            f"decentralized_identifier:{party.did}", f"{where}/demandes/{identifier}", "post"
        )
        return RedirectResponse(
            invitation_link(f"{coffre.rstrip('/')}/presenter", invitation), status_code=303
        )

    @router.get("/demandes/{identifier}")
    def request_object(identifier: str) -> Response:
        return request_of(identifier, None)

    @router.post("/demandes/{identifier}")
    def request_object_for(
        identifier: str, wallet_nonce: Annotated[str | None, Form(max_length=512)] = None
    ) -> Response:
        return request_of(identifier, wallet_nonce)

    @router.post("/reponses/{identifier}")
    def answer(
        identifier: str,
        response: Annotated[str | None, Form(max_length=MAX_ANSWER)] = None,
        error: Annotated[str | None, Form(max_length=200)] = None,
        state: Annotated[str | None, Form(max_length=200)] = None,
    ) -> Response:
        """Take the answer, once; 200 and where the person goes on (§8.2), whatever was decided."""
        visit = visits.live(identifier)
        if visit is None:
            return JSONResponse({"error": "invalid_request"}, status_code=404)
        if visit.result != "waiting":
            return JSONResponse({"error": "invalid_request"}, status_code=409)
        try:
            result, reasons, document = _judged(visit, response, error, state)
        except ResponseMalformedError:
            return JSONResponse({"error": "invalid_request"}, status_code=400)
        if not visits.settle(visit, result, reasons, document):
            return JSONResponse({"error": "invalid_request"}, status_code=409)
        return JSONResponse({"redirect_uri": f"{where}/resultats/{visit.code}"})

    def _judged(
        visit: _Visit, response: str | None, error: str | None, state: str | None
    ) -> tuple[str, Sequence[Reason], str]:
        said: Mapping[str, Any]
        if response is not None:
            said = read_posted({"response": response}, key=visit.key, max_bytes=MAX_ANSWER)
        else:
            said = {"error": error, "state": state}
        if said.get("state") != visit.state:
            raise ResponseMalformedError("another request's state")
        if said.get("error"):
            return (
                "declined",
                [
                    Reason(False, "Rien n'a été envoyé.", "Nothing was sent."),
                ],
                "",
            )
        return judge(visit, said)

    def judge(visit: _Visit, said: Mapping[str, Any]) -> tuple[str, Sequence[Reason], str]:
        token = said.get("vp_token")
        found = parse_response(vp_token=json.dumps(token), state=visit.state, query=query)
        tokens = [text for items in found.tokens.values() for text in items]
        now, audience = clock(), f"decentralized_identifier:{party.did}"
        verifier = Verifier(trust=trust(), resolver=DidResolver(), status=lists)
        try:
            verified = verifier.verify_answer(
                found.only() if found.presentations else None,
                tokens,
                policy,
                challenge=visit.nonce,
                domain=audience,
                at=now,
            )
        except VerificationError as refused:
            failed = [c for c in refused.checks if c.outcome is Outcome.FAIL]
            said_no = [Reason(False, sentence(c, "fr"), sentence(c, "en")) for c in failed]
            return "refused", said_no, ""
        except UnverifiableError as unsure:
            open_ = [c for c in unsure.checks if c.outcome is Outcome.CANNOT_TELL]
            unsaid = [Reason(False, sentence(c, "fr"), sentence(c, "en")) for c in open_]
            return "cannot-tell", unsaid, ""
        if not _answers(query, verified):
            other = Reason(False, "La réponse dit autre chose.", "The answer says something else.")
            return "refused", [other], ""
        ground = Ground.of(
            verified,
            today=now.astimezone(_PARIS).date(),
            tariff_version=tariff.version if tariff else "",
        )
        reasons = demo.decide(ground)
        if not all(r.is_met for r in reasons):
            return "refused", reasons, ""
        given = demo.handout
        document = given.make(ground, visit.code, party.signer, now) if given else ""
        return "accepted", reasons, document

    @router.get("/resultats/{code}")
    def outcome(code: str) -> Response:
        """Accepted or refused, and why."""
        visit = visits.by_code(code)
        if visit is None:
            return HTMLResponse(_page(demo.name, "<p>Inconnu.</p>"), status_code=404)
        more = ""
        if visit.document and demo.handout:
            more = _link(f"{where}/resultats/{code}/document", demo.handout.fr, demo.handout.en)
        return HTMLResponse(_page(demo.name, _outcome(visit) + more))

    @router.get("/resultats/{code}/document")
    def document(code: str) -> Response:
        """What an accepted person takes home."""
        visit = visits.by_code(code)
        if visit is None or not visit.document or demo.handout is None:
            return JSONResponse({"error": "not_found"}, status_code=404)
        name = f'attachment; filename="{demo.handout.file_name}"'
        return Response(
            visit.document, media_type="application/jwt", headers={"Content-Disposition": name}
        )

    @router.get("/resultats/{code}.json")
    def outcome_json(code: str) -> Response:
        visit = visits.by_code(code)
        if visit is None:
            return JSONResponse({"error": "not_found"}, status_code=404)
        reasons = [{"isMet": r.is_met, "fr": r.fr, "en": r.en} for r in visit.reasons]
        return JSONResponse({"result": visit.result, "reasons": reasons})

    return router


def create_tariff_router(
    party: Party, tariff: TariffRule, clock: Callable[[], datetime]
) -> APIRouter:
    """The published rule, at the address that is its name."""
    router = APIRouter(tags=["services"])

    @router.get(urlsplit(tariff.id).path)
    def rule() -> Response:
        return Response(sign_tariff(tariff, party.signer, at=clock()), media_type="application/jwt")

    return router


def _is_home(address: str, trust: TrustSnapshot, at: datetime) -> bool:
    """Whether this is the origin of an accredited home: nobody is sent anywhere else."""
    try:
        origin = origin_of(address)
    except RequestRefusedError:
        return False
    if urlsplit(address).path not in ("", "/") or urlsplit(address).query:
        return False
    for entry in trust.with_role(Role.HOME, at):
        try:
            if origin_of(url_of(entry.did, loopback_http=True)) == origin:
                return True
        except (DidMalformedError, RequestRefusedError):
            continue
    return False


def _answers(query: DcqlQuery, verified: Any) -> bool:
    """Whether each credential says one of the values that were asked."""
    for item in query.credentials:
        for claim in item.claims:
            name = claim.path[-1]
            if claim.values is None or len(claim.path) != 2 or not isinstance(name, str):
                continue  # of a list an answer names what there is
            found = [c.subject.get(name) for c in verified.of_type(item.type)]
            if not any(value in claim.values for value in found):
                return False
    return True


# --- pages --------------------------------------------------------------------------------------


def _page(title: str, body: str) -> str:
    name = html.escape(title)
    return (
        '<!doctype html><html lang="fr"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}</title><style>body{{font:1.05rem/1.5 system-ui,sans-serif;max-width:40rem;"
        "margin:2rem auto;padding:0 1rem}a,button,input{font-size:inherit}"
        "a,button{display:inline-block;min-height:2.75rem}</style>"
        f'<main><p>{BANNER}<br><span lang="en">{BANNER_EN}</span></p><h1>{name}</h1>'
        f"{body}</main></html>"
    )


def _both(french: str, english: str) -> str:
    return f'<p>{html.escape(french)}<br><span lang="en">{html.escape(english)}</span></p>'


def _asks(demo: DemoService) -> str:
    why = "".join(
        f'<li>{html.escape(words["fr"])}<br><span lang="en">{html.escape(words["en"])}</span></li>'
        for words in demo.profile.why.values()
    )
    said = "".join(_both(french, english) for french, english in demo.words)
    return said + _both(demo.profile.purpose["fr"], demo.profile.purpose["en"]) + f"<ul>{why}</ul>"


def _link(address: str, french: str, english: str) -> str:
    return (
        f'<p><a href="{html.escape(address)}">{french} · <span lang="en">{english}</span></a></p>'
    )


def _form() -> str:
    return (
        '<form method="get"><p><label for="coffre">Adresse de votre hébergeur de coffre · '
        '<span lang="en">Address of your vault provider</span></label><br>'
        '<input id="coffre" name="coffre" type="url" required></p>'
        '<p><button>Continuer · <span lang="en">Continue</span></button></p></form>'
    )


_RESULTS: Final = {
    "waiting": ("En attente de votre réponse.", "Waiting for your answer."),
    "accepted": ("Accepté.", "Accepted."),
    "refused": ("Refusé.", "Refused."),
    "cannot-tell": (
        "Impossible à vérifier pour l'instant : recommencez plus tard.",
        "Cannot be checked just now: try again later.",
    ),
    "declined": ("Vous avez choisi de ne rien envoyer.", "You chose to send nothing."),
}


def _outcome(visit: _Visit) -> str:
    rows = "".join(
        f"<li>{'✓' if r.is_met else '✗'} {html.escape(r.fr)}<br>"
        f'<span lang="en">{html.escape(r.en)}</span></li>'
        for r in visit.reasons
    )
    return _both(*_RESULTS[visit.result]) + (f"<ul>{rows}</ul>" if rows else "")


__all__ = ["create_relying_party_router", "create_tariff_router", "service_of"]
