"""A person's own cloud in the shape of cozy-stack: clients that register themselves, a page that
asks, documents with revisions, `_find` and `_changes`.

The documents are the story's trips, as the trace app left them there. Nothing is kept on a disk:
a sandbox that starts again has forgotten its clients, as a cloud does whose owner removed them.
"""

import base64
import hashlib
import html
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Body, Form, Header, Query, Response
from fastapi.responses import HTMLResponse, JSONResponse

from connectors.cozy.oauth import DOCTYPE
from connectors.sandbox.misbehaviour import Manners, Misbehaviour, instead
from connectors.sandbox.parties import BANNER, BANNER_EN
from connectors.sandbox.story import PERSON, ZONE, Story

PATH: Final = "nuage"
TOKEN_TERM: Final = timedelta(hours=24)
CODE_TERM: Final = timedelta(minutes=5)
MOST: Final = 1_000
"""Documents of one answer, as cozy-stack limits them."""
MAX_CLIENTS: Final = 1_000
PAGE: Final = f"<!doctype html><title>{BANNER}</title><p>{BANNER}</p>"

JsonBody = Annotated[dict[str, Any], Body()]


@dataclass(slots=True)
class _Client:
    id: str
    secret: str
    registration: str
    name: str
    redirect_uris: list[str]


@dataclass(frozen=True, slots=True)
class _Code:
    client_id: str
    scope: str
    challenge: str
    at: datetime


@dataclass(frozen=True, slots=True)
class _Token:
    client_id: str
    scope: str
    at: datetime


@dataclass
class PersonalCloud:
    """What the cloud holds: documents, the order of their changes, who may ask."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    """Sequence of the last change of each document, deleted ones too."""
    seq: int = 0
    clients: dict[str, _Client] = field(default_factory=dict)
    codes: dict[str, _Code] = field(default_factory=dict)
    access: dict[str, _Token] = field(default_factory=dict)
    refresh: dict[str, _Token] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def write(self, identity: str, document: Mapping[str, Any]) -> str:
        """Keep a document; its new revision."""
        with self.lock:
            earlier = self.documents.get(identity, {}).get("_rev", "0-")
            number = int(earlier.partition("-")[0]) + 1
            revision = f"{number}-{secrets.token_hex(8)}"
            self.documents[identity] = {**document, "_id": identity, "_rev": revision}
            self._touch(identity)
            return revision

    def remove(self, identity: str) -> None:
        with self.lock:
            del self.documents[identity]
            self._touch(identity)

    def _touch(self, identity: str) -> None:
        self.seq += 1
        self.changed[identity] = self.seq

    @classmethod
    def told(cls, story: Story) -> "PersonalCloud":
        """The cloud of the story's person."""
        cloud = cls()
        days = {trip.start.astimezone(ZONE).date() for trip in story.trips if trip.traced}
        for day in sorted(days):
            for trip in story.diary(day):
                start, end = (
                    datetime.fromtimestamp(trip["properties"][f"{side}_ts"], UTC)
                    for side in ("start", "end")
                )
                cloud.write(
                    hashlib.sha256(f"nuage/{trip['id']}".encode()).hexdigest()[:32],
                    {
                        "source": "bac-a-sable.invalid",
                        "captureDevice": "bac-a-sable",
                        "startDate": start.astimezone(ZONE).isoformat(),
                        "endDate": end.astimezone(ZONE).isoformat(),
                        "series": [trip],
                        "cozyMetadata": {"updatedAt": (end + timedelta(hours=1)).isoformat()},
                    },
                )
        return cloud


def create_personal_cloud_router(  # one route after the other
    cloud: PersonalCloud, manners: Manners, *, clock: Callable[[], datetime]
) -> APIRouter:
    """Routes of one cloud."""
    router = APIRouter(prefix=f"/{PATH}", tags=["personal-cloud"])
    base = f"/data/{DOCTYPE}"

    def error(text: str, status: int) -> Response:
        return JSONResponse({"error": text}, status_code=status)

    def allowed(authorization: str, verb: str) -> Response | None:
        """None when the token lets `verb` pass; else the answer of a stack that does not."""
        scheme, _, token = authorization.partition(" ")
        if scheme != "Bearer" or not token:
            return error("Unauthorized", 401)
        found = cloud.access.get(token)
        if found is None or found.client_id not in cloud.clients:
            return error("Invalid JWT token", 400)
        if clock() - found.at > TOKEN_TERM:
            return error("Expired token", 401)
        doctype, _, verbs = found.scope.partition(":")
        if doctype != DOCTYPE or (verbs and verb not in verbs.split(",")):
            return error("Forbidden", 403)
        return None

    def answered(good: dict[str, Any], name: str = "") -> Response:
        """The good answer, or what was asked of `/_misbehave` for this one."""
        what = manners.next()
        if what is not None:
            other = instead(what, page=PAGE)
            if other is not None:
                return other
            if name:
                good = {**good, name: _spoil(what, good[name])}
        # json.dumps lets NaN through: the connector has to cope.
        return Response(json.dumps(good), media_type="application/json")

    @router.post("/auth/register", status_code=201)
    def register(body: JsonBody) -> Response:
        uris = body.get("redirect_uris")
        if not isinstance(uris, list) or not uris or not body.get("client_name"):
            return error("invalid_client_metadata", 400)
        if not body.get("software_id"):
            return error("software_id is mandatory", 400)
        with cloud.lock:
            while len(cloud.clients) >= MAX_CLIENTS:
                cloud.clients.pop(next(iter(cloud.clients)))
            made = _Client(
                secrets.token_hex(16),
                secrets.token_urlsafe(24),
                secrets.token_urlsafe(24),
                str(body["client_name"])[:100],
                [str(uri) for uri in uris],
            )
            cloud.clients[made.id] = made
        return JSONResponse(
            {
                "client_id": made.id,
                "client_secret": made.secret,
                "client_secret_expires_at": 0,
                "registration_access_token": made.registration,
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "redirect_uris": made.redirect_uris,
                "client_name": made.name,
                "software_id": str(body["software_id"])[:100],
            },
            status_code=201,
        )

    @router.delete("/auth/register/{client_id}")
    def unregister(client_id: str, authorization: Annotated[str, Header()] = "") -> Response:
        found = cloud.clients.get(client_id)
        if found is None:
            return error("Client not found", 404)
        if authorization != f"Bearer {found.registration}":
            return error("Unauthorized", 401)
        with cloud.lock:
            cloud.clients.pop(client_id, None)
        return Response(status_code=204)

    @router.get("/auth/authorize")
    def ask(
        *,
        client_id: Annotated[str, Query(max_length=100)],
        redirect_uri: Annotated[str, Query(max_length=1000)],
        state: Annotated[str, Query(min_length=1, max_length=500)],
        scope: Annotated[str, Query(max_length=500)],
        response_type: str = "",
        code_challenge: Annotated[str, Query(max_length=100)] = "",
    ) -> Response:
        """The page that asks the person."""
        found = cloud.clients.get(client_id)
        if found is None:
            return error("the client must be registered", 400)
        if redirect_uri not in found.redirect_uris or response_type != "code":
            return error("invalid redirect_uri or response_type", 400)
        code = secrets.token_urlsafe(24)
        with cloud.lock:
            cloud.codes[code] = _Code(client_id, scope, code_challenge, clock())
        yes = _with(redirect_uri, {"state": state, "code": code})
        no = _with(redirect_uri, {"state": state, "error": "access_denied"})
        return HTMLResponse(_page(found.name, scope, yes, no))

    @router.post("/auth/access_token")
    def token(
        *,
        grant_type: Annotated[str, Form()],
        client_id: Annotated[str, Form(max_length=100)],
        client_secret: Annotated[str, Form(max_length=100)],
        code: Annotated[str, Form(max_length=100)] = "",
        code_verifier: Annotated[str, Form(max_length=128)] = "",
        refresh_token: Annotated[str, Form(max_length=100)] = "",
    ) -> Response:
        client, now = cloud.clients.get(client_id), clock()
        if client is None:
            return error("the client must be registered", 400)
        if not secrets.compare_digest(client.secret, client_secret):
            return error("invalid client_secret", 400)
        good: dict[str, Any] = {"token_type": "bearer"}
        if grant_type == "authorization_code":
            with cloud.lock:
                held = cloud.codes.pop(code, None)
            if held is None or held.client_id != client_id or now - held.at > CODE_TERM:
                return error("invalid code", 400)
            if held.challenge and held.challenge != _challenge(code_verifier):
                return error("invalid code_verifier", 400)
            good["refresh_token"], scope = secrets.token_urlsafe(24), held.scope
            cloud.refresh[good["refresh_token"]] = _Token(client_id, scope, now)
        elif grant_type == "refresh_token":
            known = cloud.refresh.get(refresh_token)
            if known is None or known.client_id != client_id:
                return error("invalid refresh token", 400)
            scope = known.scope
        else:
            return error("invalid grant type", 400)
        good["access_token"], good["scope"] = secrets.token_urlsafe(24), scope
        cloud.access[good["access_token"]] = _Token(client_id, scope, now)
        return answered(good)

    @router.post(base + "/_find")
    def find(body: JsonBody, authorization: Annotated[str, Header()] = "") -> Response:
        refusal = allowed(authorization, "GET")
        if refusal is not None:
            return refusal
        selector = body.get("selector", {})
        if set(selector) != {"_id"}:
            return error("no_usable_index", 400)
        low = selector["_id"].get("$gte", selector["_id"].get("$gt")) or ""
        high = selector["_id"].get("$lt", "\U0010ffff")
        limit = min(int(body.get("limit", 100)), MOST)
        mark = body.get("bookmark") or ""
        try:
            after = base64.urlsafe_b64decode(mark).decode()
        except ValueError:
            return error("invalid bookmark", 400)
        with cloud.lock:
            names = [n for n in sorted(cloud.documents) if low <= n < high and n > after]
            fields = body.get("fields")
            chosen = [cloud.documents[name] for name in names[:limit]]
            docs = [{k: v for k, v in d.items() if not fields or k in fields} for d in chosen]
        last = names[:limit][-1] if chosen else ""
        return answered(
            {
                "docs": docs,
                "limit": limit,
                "next": len(names) > limit,
                "bookmark": base64.urlsafe_b64encode(last.encode()).decode() or "nil",
            },
            "docs",
        )

    @router.api_route(base + "/_changes", methods=["GET", "POST"])
    def changes(
        since: Annotated[str, Query(max_length=100)] = "0",
        limit: Annotated[int, Query(ge=0)] = 0,
        include_docs: str = "",
        authorization: Annotated[str, Header()] = "",
    ) -> Response:
        refusal = allowed(authorization, "GET")
        if refusal is not None:
            return refusal
        with cloud.lock:
            head, _, rest = since.partition("-")
            if since == "now":
                start = cloud.seq
            elif not head.isdecimal() or int(head) > cloud.seq or (since != "0" and not rest):
                return error("bad_request: malformed sequence", 400)
            else:
                start = int(head)
            rows = sorted((seq, name) for name, seq in cloud.changed.items() if seq > start)
            rows = rows[:limit] if limit else rows
            results = []
            for seq, name in rows:
                document = cloud.documents.get(name)
                row: dict[str, Any] = {"id": name, "seq": _seq(seq), "changes": [{"rev": "1-x"}]}
                if document is None:
                    row["deleted"] = True
                if include_docs == "true":
                    row["doc"] = document or {"_id": name, "_rev": "2-x", "_deleted": True}
                results.append(row)
            last = rows[-1][0] if rows else start
        return answered({"last_seq": _seq(last), "pending": 0, "results": results}, "results")

    @router.put(base + "/{identity}")
    def put(
        identity: str, body: JsonBody, authorization: Annotated[str, Header()] = ""
    ) -> Response:
        fresh = "_rev" not in body
        refusal = allowed(authorization, "POST" if fresh else "PUT")
        if refusal is not None:
            return refusal
        with cloud.lock:
            earlier = cloud.documents.get(identity)
            if fresh and any(name.startswith("_") for name in body):
                return error("reserved member", 400)
            if (earlier is None) != fresh or (earlier and earlier["_rev"] != body["_rev"]):
                return error("conflict", 409)
            revision = cloud.write(identity, body)
        return answered({"id": identity, "type": DOCTYPE, "ok": True, "rev": revision})

    @router.delete(base + "/{identity}")
    def delete(
        identity: str,
        rev: Annotated[str, Query(max_length=100)] = "",
        authorization: Annotated[str, Header()] = "",
    ) -> Response:
        refusal = allowed(authorization, "DELETE")
        if refusal is not None:
            return refusal
        with cloud.lock:
            earlier = cloud.documents.get(identity)
            if earlier is None:
                return error("not_found", 404)
            if earlier["_rev"] != rev:
                return error("conflict", 409)
            cloud.remove(identity)
        return answered({"id": identity, "type": DOCTYPE, "ok": True, "_deleted": True})

    return router


def _seq(number: int) -> str:
    """As CouchDB's: a number, and what only the server reads."""
    return f"{number}-{hashlib.sha256(str(number).encode()).hexdigest()[:12]}" if number else "0"


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _with(url: str, query: Mapping[str, str]) -> str:
    return url + ("&" if urlsplit(url).query else "?") + urlencode(query) + "#"


def _spoil(what: Misbehaviour, rows: list[Any]) -> list[Any]:
    """Good rows with one thing wrong in the first trip; the others stay good."""
    spoiled: list[Any] = json.loads(json.dumps(rows))
    inside = [row.get("doc", row) for row in spoiled]
    index = next((i for i, d in enumerate(inside) if d and "series" in d), None)
    if index is None:
        return spoiled
    document = inside[index]
    trip = document["series"][0]["properties"]
    match what:
        case Misbehaviour.NAN:
            trip["distance"] = float("nan")
        case Misbehaviour.SWAPPED:
            for name in ("start_loc", "end_loc"):
                trip[name]["coordinates"].reverse()
        case Misbehaviour.EPOCH:
            trip["start_ts"], trip["end_ts"] = 0.0, 600.0
        case Misbehaviour.FUTURE:
            trip["start_ts"] += 10 * 365 * 86_400
            trip["end_ts"] += 10 * 365 * 86_400
        case Misbehaviour.SKEW:
            for other in inside:
                stamp = datetime.fromisoformat(other["cozyMetadata"]["updatedAt"])
                other["cozyMetadata"]["updatedAt"] = (stamp + timedelta(hours=1)).isoformat()
        case Misbehaviour.HOSTILE_NAMES:
            trip["start_local_dt"]["timezone"] = "../../etc/passwd"
            document["_id"] = "'; DROP TABLE trips; --" * 50
        case Misbehaviour.WRONG_TYPES:
            if "doc" in spoiled[index]:
                spoiled[index]["doc"] = ["not", "an", "object"]
            else:
                spoiled[index] = ["not", "an", "object"]
        case Misbehaviour.OUT_OF_ORDER:
            spoiled.reverse()
        case Misbehaviour.TWICE:
            spoiled = [row for row in spoiled for _ in range(2)]
        case _:
            pass
    return spoiled


def _page(client: str, scope: str, yes: str, no: str) -> str:
    name = html.escape(f"{PERSON.given_name} {PERSON.family_name}")
    what = "lire et écrire / read and write" if "POST" in scope else "lire / read"
    return (
        '<!doctype html><html lang="fr"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Nuage personnel — {BANNER}</title><main><p role=note><strong>{BANNER}</strong><br>"
        f'<span lang="en">{BANNER_EN}</span></p><h1>Nuage personnel de {name}</h1>'
        f"<p>{html.escape(client)} : {what} — {html.escape(scope)}</p>"
        f'<p><a href="{html.escape(yes, quote=True)}">Accepter / Accept</a></p>'
        f'<p><a href="{html.escape(no, quote=True)}">Refuser / Refuse</a></p></main></html>'
    )


__all__ = ["PATH", "PersonalCloud", "create_personal_cloud_router"]
