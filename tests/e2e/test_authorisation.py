"""Every route of home and hub × every caller, on the running servers, against the matrix."""

# ruff: noqa: E501 - the reason stands whole on one line

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from fastapi.routing import APIRoute

from federation.hub.access import Action, Caller, is_allowed
from federation.wire.http import tls_context
from portal.app import create_app
from portal.authorisation import HOME, HUB_PAGES, Door, Route
from portal.browser import Browser
from portal.compose import hub_parts
from portal.pages.deps import VAULT_COOKIE
from portal.pages.hub import DESK_COOKIE
from portal.settings import Node, Settings
from tests.e2e.network import Network, siret_of
from tests.e2e.servers import session_headers
from tests.e2e.test_demo_files import trips_of

pytestmark = pytest.mark.slow

PASSWORD: Final = "un mot de passe bien long"


# --- nothing is missing ------------------------------------------------------------------------


def leaves(routes: Iterable[Any]) -> Iterator[Any]:
    """Every route, those of included routers too."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from leaves(inner.routes)
        else:
            yield route


def routes_of(node: Node, folder: Path) -> dict[Route, Any]:
    """(method, path) of all that a node serves; static files apart."""
    app = create_app(node, Settings(state=folder, sandbox=True))
    found = {}
    for route in leaves(app.routes):
        if getattr(route, "path", "") == "/static":
            continue
        for method in set(route.methods) - {"HEAD"}:
            found[method, route.path] = route
    return found


def action_of(route: Any) -> Action | None:
    """The line of the hub's matrix that an API route names."""
    extra = getattr(route, "openapi_extra", None) or {}
    return Action(extra["x-action"]) if "x-action" in extra else None


def test_every_route_of_the_home_is_in_the_matrix_and_the_matrix_has_no_other(
    tmp_path: Path,
) -> None:
    served = set(routes_of(Node.HOME, tmp_path))
    assert len(served) > 60
    assert served - set(HOME) == set(), "say in portal/authorisation.py who may come in"
    assert set(HOME) - served == set(), "no such route any more"


def test_every_route_of_the_hub_is_in_the_matrix_and_the_matrix_has_no_other(
    tmp_path: Path,
) -> None:
    served = routes_of(Node.HUB, tmp_path)
    lines = {route: action_of(found) for route, found in served.items()}
    api = {route for route, action in lines.items() if action is not None}
    assert len(api) >= 25
    assert set(served) - api - set(HUB_PAGES) == set(), "say in portal/authorisation.py who may"
    assert set(HUB_PAGES) - set(served) == set(), "no such route any more"
    assert all(isinstance(served[route], APIRoute) for route in api)


# --- the home ----------------------------------------------------------------------------------


@dataclass
class Person:
    """A caller of the home and the cookies it comes with."""

    name: str
    cookies: Mapping[str, str]
    csrf: Mapping[str, str] = field(default_factory=dict)

    def call(self, base: str, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        """One request; a form carries a token this browser really got."""
        cookies = dict(self.cookies)
        headers = {"cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())}
        more: dict[str, Any] = {}
        if method != "GET":
            more = {"json": body} if path.startswith("/v1/") else {"data": body}
            headers |= self.csrf
        return httpx.request(
            method, base + path, headers=headers, timeout=60, verify=tls_context(), **more
        )


def form_of(browser: Browser) -> dict[str, str]:
    """A valid form token of this browser."""
    return browser.get("/creer").form("/creer")


NOWHERE: Final = "00000000-0000-4000-8000-000000000000"
SAMPLES: Final = {
    "name": "push",
    "code": "fr",
    "day": "2026-10-12",
    "slug": "fmd-agents-publics-agglo-cabardes",
    "receipt": "0" * 32,
    "deposit_digest": "0" * 64,
    "uuid_text": NOWHERE,
    "iri:path": f"urn:uuid:{NOWHERE}",
    "lien": "x" * 43,
    "secret": "x" * 32,
    "position": "0",
    "slot": "0",
    "number": "999",
    "key": "x",
    "account": "x",
    "extension": "delivery",
    "file": "shapes.ttl",
}
QUERIES: Final = {
    "/v1/records": "?kind=Trip",
    "/v1/trips": "?since=2026-01-01&until=2026-12-31",
    "/v1/drop-box/{vault_id}/last": "?account=x&depositor=did:web:x",
}
BODIES: Final[dict[str, dict[str, Any]]] = {
    "/v1/query": {
        "query": "SELECT ?s WHERE { ?s a <https://w3id.org/mobility-vault/vocab#Trip> } LIMIT 5"
    },
    "/v1/session": {"vault": "0" * 32, "passphrase": "une phrase tout à fait fausse"},
    "/v1/pairings": {"code": "ABCD2345", "app": "x"},
}
SELF_HARM: Final = {
    "/coffre/detruire",
    "/verrouiller",
    "/coffre/emporter",
    "/coffre/cles/fermeture",
}
"""Walked by nobody's hand here: what they do to the owner is in test_pages."""


def filled(template: str, values: Mapping[str, str]) -> str:
    """A path with a value in each place."""
    return re.sub(r"\{([^}]+)\}", lambda match: values[match[1]], template) + QUERIES.get(
        template, ""
    )


def test_nobody_and_an_officer_reach_nothing_of_a_vault_and_a_citizen_only_their_own(
    federation: Network,
) -> None:
    owner, other = federation.citizen(), federation.new_citizen()
    trips = trips_of(owner)
    one = next(iter(trips))
    values = {**SAMPLES, "vault_id": federation.memory["vault"]}
    nobody = Browser(federation.home)
    nobody.get("/creer")
    officer = federation.officer()
    token = {name: form_of(browser) for name, browser in (("nobody", nobody), ("other", other))}
    strangers = {
        "nobody": Person("nobody", nobody.cookies),
        "officer": Person("officer", {**nobody.cookies, DESK_COOKIE: officer.cookies[DESK_COOKIE]}),
    }
    walked = 0
    for (method, template), door in HOME.items():
        path = filled(template, values)
        body = (
            {**token["nobody"], **BODIES.get(template, {})}
            if not template.startswith("/v1/")
            else BODIES.get(template)
        )
        for person in strangers.values():
            answer = person.call(federation.home, method, path, body)
            walked += 1
            assert answer.status_code < 500, (method, path, person.name, answer.status_code)
            assert one.removeprefix("urn:uuid:") not in answer.text, (method, path, person.name)
            if door is Door.CITIZEN and template.startswith("/v1/"):
                assert answer.status_code == 401, (method, path, person.name, answer.status_code)
            elif door is Door.CITIZEN:
                # A form with missing fields may be told so before the door; nothing is done either way.
                assert answer.status_code in ({303} if method == "GET" else {303, 422}), (
                    method,
                    path,
                    answer.status_code,
                )
                if answer.status_code == 303:
                    assert answer.headers["location"].startswith("/ouvrir"), (method, path)
            elif door in (Door.DEPOSITOR, Door.APP):
                assert answer.status_code in {401, 403, 410, 415, 422}, (
                    method,
                    path,
                    answer.status_code,
                )
            elif door is Door.SERVICE:
                assert answer.status_code in {400, 401}, (method, path, answer.status_code)
            elif door is Door.SECRET:
                assert answer.status_code in {403, 404, 422, 429}, (
                    method,
                    path,
                    answer.status_code,
                )
            else:
                assert answer.status_code in {200, 303, 308, 204, 422}, (
                    method,
                    path,
                    answer.status_code,
                )
    assert walked == 2 * len(HOME)

    # Another citizen, with an open vault of their own, names the owner's things.
    uuid_text = one.removeprefix("urn:uuid:")
    theirs = {**values, "uuid_text": uuid_text, "iri:path": one}
    csrf = {"x-csrf-token": session_headers(other)["x-csrf-token"]}
    stranger = Person("other", other.cookies, csrf)
    for (method, template), door in HOME.items():
        if door is not Door.CITIZEN or template in SELF_HARM:
            continue
        body = dict.fromkeys(
            ("trajet", "demande", "consentement", "papier", "partage", "a", "b"), uuid_text
        )
        form: dict[str, Any] = {
            **token["other"],
            **body,
            "mode": "car",
            "acte": "merge",
            "accord": "1",
        }
        if template.startswith("/v1/"):
            form = BODIES.get(template, {})
        answer = stranger.call(federation.home, method, filled(template, theirs), form)
        assert answer.status_code < 500, (method, template, answer.status_code)
        if "{uuid_text}" in template or "{iri:path}" in template:
            refused = {303, 404} if method == "GET" else {303, 403, 404, 409, 412, 415, 422, 428}
            assert answer.status_code in refused, (method, template, answer.status_code)
        shown = (
            answer.text.replace(uuid_text, "")
            if template == "/v1/records/{iri:path}"
            else answer.text
        )
        assert f'"{one}"' not in shown, (method, template)
        assert f"/trajets/{uuid_text}" not in answer.text or answer.status_code in {404, 303}, (
            method,
            template,
        )
    assert trips_of(other) == {}
    assert trips_of(owner) == trips, "nothing of the owner's was touched"


TO_PROVIDER = {
    "/identite/connexion": "",
    "/identite/retour": "/coffre/documents",
    "/documents/retour": "/coffre/documents",
    "/sources/cozy/retour": "/sources/cozy",
    "/sources/compte-operateur/retour": "/sources/compte-operateur",
    "/sources/comptes/retour": "/sources/comptes",
    "/coffre/cles/compte": "",
    "/coffre/cles/compte/retour": "/coffre/cles",
}
"""Logins: where each step leads; empty: to the provider."""


def test_the_owner_reaches_every_page_of_their_vault(federation: Network) -> None:
    owner = Person("owner", federation.citizen().cookies)
    values = {**SAMPLES, "vault_id": federation.memory["vault"]}
    for (method, template), door in HOME.items():
        if door is not Door.CITIZEN or method != "GET":
            continue
        answer = owner.call(federation.home, method, filled(template, values), None)
        own = any(part in template for part in ("{uuid_text}", "{iri:path}", "{name}"))
        own |= template == "/aides/{slug}/dossier"  # the aid of the samples asks for no declaration
        if template == "/ouvrir/fait":  # a step on the way in: it leads on, not back to the door
            assert not answer.headers.get("location", "/").startswith("/ouvrir")
            continue
        if template in TO_PROVIDER:  # on to the provider, and back to where it was begun
            leads = TO_PROVIDER[template] or federation.sandbox
            assert answer.status_code == 303, template
            assert answer.headers["location"].startswith(leads), template
            continue
        if template == "/coffre/emporter/archive" and answer.status_code == 303:
            # No archive waits (another file's test may have made one): back to where one is made.
            assert answer.headers["location"].startswith("/coffre/emporter")
            continue
        assert answer.status_code in ({404} if own else {200}), (template, answer.status_code)


def test_a_cookie_of_one_vault_cannot_be_bent_into_another(federation: Network) -> None:
    citizen = federation.citizen()
    cookie = citizen.cookies[VAULT_COOKIE]
    for bent in (cookie[:-1], cookie + "A", cookie[::-1], "", "x" * 5000, "%00", cookie.swapcase()):
        answer = httpx.get(
            f"{federation.home}/v1/session", headers={"cookie": f"{VAULT_COOKIE}={bent}"}
        )
        assert answer.status_code in {401, 431}, (len(bent), answer.status_code)


# --- the hub -----------------------------------------------------------------------------------

CALLERS: Final = (
    ("nobody", Caller.PUBLIC, None),
    ("officer of this funder", Caller.OFFICER, "agglo-cabardes"),
    ("officer of another funder", Caller.OFFICER, "autre"),
    ("supervisor of this funder", Caller.SUPERVISOR, "agglo-cabardes"),
    ("editor of this funder", Caller.EDITOR, "agglo-cabardes"),
    ("administrator", Caller.ADMIN, None),
)
MAKES_FILES: Final = {("POST", "/guichet/versements"), ("POST", "/guichet/versements/payes")}
"""What they do to who may is in test_december; here the others are kept out."""
NAMED_IN_THE_BODY: Final = {
    "/guichet/agents/{uuid_text}/validite",  # a line of the staff list, not an application
    "/guichet/aides/brouillons",
    "/guichet/aides/jeter",
    "/guichet/aides/publier",
    "/guichet/aides/renvoyer",
    "/guichet/aides/reprendre",
    "/guichet/aides/reservees",
    "/guichet/aides/restaurer",
    "/guichet/aides/soumettre",
    "/guichet/aides/suspendre",
    "/guichet/equipe/retirer",
    "/guichet/signalements",
}
"""What they act on is named in the body; these desks have no such thing of their own."""
HUB_BODIES: Final[dict[str, dict[str, Any]]] = {
    "decision": {"accept": True, "reason": "dérogation", "amount_cents": 100},
    "information": {"message": "Merci de préciser."},
    "assignment": {"to_self": True},
    "/desk/passkeys": {"credential": {"rawId": "x"}},
    "/desk/keys": {"public": "AAAA"},
}


def members_of(federation: Network) -> dict[str, tuple[dict[str, str], str]]:
    """Cookies and CSRF token of each kind of caller."""
    found: dict[str, tuple[dict[str, str], str]] = {"nobody": ({}, "")}
    with hub_parts(federation.settings) as parts:
        hub = parts.hub
        if hub.publishing.funder("autre") is None:
            hub.publishing.add_funder("autre", "Autre financeur", siret=siret_of("Autre financeur"))
        known = {member.login for member in hub.members.members()}
        for name, role, funder in CALLERS[1:]:
            login = name.replace(" ", "-") + "@exemple.fr"
            if login not in known:
                hub.members.add(login, PASSWORD, name=name, roles=frozenset((role,)), funder=funder)
            session = hub.members.sign_in(login, PASSWORD)
            found[name] = ({DESK_COOKIE: session.cookie}, session.csrf)
    return found


def test_every_route_of_the_hub_obeys_its_line_for_every_caller(
    federation: Network, tmp_path: Path
) -> None:
    application = f"urn:uuid:{federation.memory['application']}"
    values = {
        **SAMPLES,
        "application": application,
        "uuid_text": federation.memory["application"],
        "slug": "fmd-agents-publics-agglo-cabardes",
        "etape": "questions",
    }
    callers = members_of(federation)
    with hub_parts(federation.settings) as parts:
        cookie = callers["editor of this funder"][0][DESK_COOKIE]
        editor = parts.hub.members.session(cookie).member
        values["draft_id"] = parts.hub.drafts.open_new(editor).id
    browsers = {
        name: Browser(federation.hub, cookies=dict(cookies))
        for name, (cookies, _) in callers.items()
    }
    tokens = {
        name: browser.get("/guichet/entrer").form("/guichet/entrer")
        for name, browser in browsers.items()
    }
    served = routes_of(Node.HUB, tmp_path)
    walked = 0
    for (method, template), route in sorted(served.items(), key=lambda item: item[0]):
        action = action_of(route) or HUB_PAGES[method, template]
        names = {name.split(":")[0] for name in re.findall(r"\{([^}]+)\}", template)}
        desk = template.startswith(("/v1/desk/", "/guichet")) and action not in (
            Action.SIGN_IN,
            Action.ENROL,
        )
        if not desk and (method != "GET" or names - set(values)):
            continue  # public doors with a body of their own: test_bad_input and the hub's tests
        for name, role, funder in CALLERS:
            if (method, template) in MAKES_FILES and role is Caller.OFFICER:
                continue
            browser, (_, csrf) = browsers[name], callers[name]
            path = filled(template, values)
            body = next((b for key, b in HUB_BODIES.items() if path.endswith(key)), None)
            headers = {"x-csrf-token": csrf}
            more: dict[str, Any] = {"json": body} if body else {}
            if method == "POST" and template.startswith("/guichet"):
                more = {
                    "data": {
                        **tokens[name],
                        "demande": values["uuid_text"],
                        "decision": "refuse",
                        "motif": "non",
                    }
                }
            headers["cookie"] = "; ".join(f"{k}={v}" for k, v in browser.cookies.items())
            answer = httpx.request(
                method,
                federation.hub + path,
                headers=headers,
                timeout=60,
                verify=tls_context(),
                **more,
            )
            walked += 1
            where = (method, template, name, answer.status_code)
            page = not template.startswith("/v1/")
            if not desk:
                assert answer.status_code < 500, where
                assert answer.status_code not in {401, 403}, where
            elif name == "nobody":
                assert answer.status_code == (303 if page else 401), where
                if page:
                    assert answer.headers["location"].startswith("/guichet/entrer"), where
            elif not is_allowed(action, frozenset((role,))):
                assert answer.status_code == 403, where
            elif funder != "agglo-cabardes" and (
                names & {"application", "draft_id", "uuid_text"}
                or action in (Action.DECIDE, Action.ASSIGN)
                or template == "/guichet/controler"  # names an application in its body
            ):
                assert answer.status_code == 404, where
            else:
                # A decided application is never decided again; it holds no document.
                # 401 is a passkey that answers no challenge; 303 a form that leads on.
                fine = {200, 404, 409, 422} | ({303} if page else {401})
                assert answer.status_code in fine, where
                location = answer.headers.get("location", "")
                assert not location.startswith("/guichet/entrer"), where
                absent = template in NAMED_IN_THE_BODY or "number" in names
                if action is not Action.READ_DOCUMENT and not absent:
                    assert answer.status_code != 404, where
            if desk and funder != "agglo-cabardes":
                assert values["uuid_text"] not in answer.text.replace(path, ""), where
    assert walked >= 90
    view = federation.citizen().get(f"/demandes/{federation.memory['application']}")
    assert "Acceptée" in view.text or "acceptée" in view.text, "no caller changed the decision"


def test_a_citizens_cookie_means_nothing_at_the_desk(federation: Network) -> None:
    cookie = federation.citizen().cookies[VAULT_COOKIE]
    for name in (VAULT_COOKIE, DESK_COOKIE):
        answer = httpx.get(
            f"{federation.hub}/v1/desk/applications", headers={"cookie": f"{name}={cookie}"}
        )
        assert answer.status_code == 401
