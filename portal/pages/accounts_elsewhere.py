"""« Mes comptes ailleurs »: connect an account held at a service or in another home, see what it
says, keep what one wants, read it again, give the access back.

Leaving is a link, not a form's redirect: a form's `form-action` would have to name every service.
Coming back counts only in the browser, and for the vault, that left. What an account says is read
when the page is shown and again when it is kept: in between it lies nowhere.
"""

# ruff: noqa: PLR0917 - a route's parameters are its address's fields

import hashlib
import json
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from connectors.elsewhere.linking import LinkedAccount
from connectors.elsewhere.relying_party import ProviderRefusedError
from connectors.elsewhere.topics import Topic
from connectors.errors import ConnectorError
from connectors.sandbox.api.agency import PATH as SANDBOX_ACCOUNT
from connectors.service import ACCOUNT_BACK
from federation.trust import Role
from portal.context import HomeContext
from portal.glossary import MODES, REJECTED
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.deps import VAULT_COOKIE, CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.passport_words import grounds, label_of, scope_words, value_words
from portal.pages.vault import ATTRIBUTE_TITLES, DAYS
from portal.settings import Node
from portal.web import Page
from schemas.records import Attribute, Degree
from vault.open_vault import OpenVault
from vault.passport.keeping import Standing, Weighed, keep, take_out, vouches, weigh
from vault.passport.received import OtherAccount, Reading, read_account
from vault.passport.stated import Stated, attributes

router = APIRouter(include_in_schema=False)

HERE: Final = "/sources/comptes"
STANDING: Final = {
    Standing.NEW: (N_("nouveau"), "info"),
    Standing.CHANGED: (N_("remplace ce que vous aviez"), "warn"),
    Standing.SAME: (N_("déjà dans votre coffre"), ""),
}


@router.get(HERE)
def accounts(page: PageDep, context: ContextDep, vault: VaultDep) -> HTMLResponse:
    """The accounts connected, and the form that connects one."""
    return _form(page, context, vault, Errors())


def _form(
    page: Page,
    context: HomeContext,
    vault: OpenVault,
    errors: Errors,
    typed: str = "",
    chosen: tuple[str, ...] = (),
) -> HTMLResponse:
    t, settings = page.t, context.settings
    known = context.connectors.elsewhere.accounts(vault.vault_id)
    example = f"{settings.url(Node.SANDBOX)}/{SANDBOX_ACCOUNT}" if settings.sandbox else ""
    return page.show(
        "accounts_elsewhere.html",
        status=422 if errors else 200,
        errors=errors,
        typed=typed or example,
        accounts=[_account(t, context, account) for account in known],
        topics=[
            {
                "value": topic.value,
                "title": _topic(t, context, topic),
                "on": topic.value in chosen if chosen else topic is not Topic.TAX,
            }
            for topic in Topic
        ],
        homes=_homes(context, page),
    )


def _account(t: Translator, context: HomeContext, account: LinkedAccount) -> dict[str, Any]:
    return {
        "id": account.id,
        "host": account.host,
        "what": ", ".join(_topic(t, context, topic) for topic in account.topics),
        "read": t("Lu le {moment}", moment=t.moment(account.read_at)) if account.read_at else "",
        "keeps": account.keeps,
        "needs_login": account.needs_login,
    }


def _topic(t: Translator, context: HomeContext, topic: Topic) -> str:
    scope = context.home.passport.scopes.get(topic.value)
    return topic.value if scope is None else scope_words(scope, "title", t.language)


def _homes(context: HomeContext, page: Page) -> list[str]:
    """Addresses of other homes in the trust registry, to choose from."""
    trust = context.home.trust
    if trust is None:
        return []
    return sorted(
        "https://" + entry.did.removeprefix("did:web:")
        for entry in trust.entries
        if Role.HOME in entry.roles
        and entry.is_active(page.now)
        and entry.did != context.home.did
        and entry.did.startswith("did:web:")
        and "%3A" not in entry.did
        and entry.did.count(":") == 2
    )


@router.post(HERE)
def begin(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    adresse: Annotated[str, Form(max_length=300)],
    quoi: Annotated[tuple[str, ...], Form(max_length=20)] = (),
    garder: Annotated[str, Form(max_length=1)] = "",
) -> HTMLResponse:
    """Register there, and show the way to the page that asks."""
    t = page.t
    topics = [topic for topic in Topic if topic.value in quoi]
    if not topics:
        errors = Errors(quoi=t("Choisissez au moins une chose à lire."))
        return _form(page, context, vault, errors, adresse, ("",))
    try:
        leaving = context.connectors.elsewhere.begin(
            vault.vault_id,
            adresse,
            browser=page.request.cookies[VAULT_COOKIE],
            topics=topics,
            keep=bool(garder),
        )
    except ConnectorError as error:
        errors = Errors(adresse=_why(t, error).capitalize())
        return _form(page, context, vault, errors, adresse, quoi)
    answer = page.show(
        "account_elsewhere_leave.html",
        url=leaving.url,
        host=leaving.host,
        topics=[_topic(t, context, topic) for topic in leaving.topics],
        lacking=[_topic(t, context, topic) for topic in topics if topic not in leaving.topics],
        keeps=leaving.keeps,
        wished=bool(garder),
    )
    answer.headers["cache-control"] = "no-store"
    return answer


def _why(t: Translator, error: ConnectorError) -> str:
    return t(REJECTED[error.code]) if error.code in REJECTED else error.code


@router.get(ACCOUNT_BACK)
def finish(
    page: PageDep,
    context: ContextDep,
    vault: VaultDep,
    state: Annotated[str, Query(max_length=500)] = "",
    code: Annotated[str, Query(max_length=2000)] = "",
    iss: Annotated[str, Query(max_length=500)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> RedirectResponse:
    """The browser is back: keep the access sealed, and show what the account says."""
    links = context.connectors.elsewhere
    given = {"state": state, "code": code, "iss": iss, "error": error}
    try:
        account_id = links.finish(
            vault.vault_id,
            {name: value for name, value in given.items() if value},
            browser=page.request.cookies[VAULT_COOKIE],
        )
    except ConnectorError as failure:
        if isinstance(failure, ProviderRefusedError) and str(failure) == "access_denied":
            return page.go(HERE, notice=page.t("Rien n'a été lu : vous avez refusé."), kind="warn")
        return _failed(page, failure)
    found = links.account(vault.vault_id, account_id)
    vault.note("account-connected", recipient=found.host)
    return page.go(f"{HERE}/lu?compte={account_id}")


def _failed(page: Page, error: ConnectorError) -> RedirectResponse:
    text = page.t("Ce compte n'a pas pu être lu : {why}", why=_why(page.t, error))
    return page.go(HERE, notice=text, kind="bad")


# --- what it says ---------------------------------------------------------------------------------


@router.get(f"{HERE}/lu")
def said(
    page: PageDep,
    context: ContextDep,
    vault: VaultDep,
    compte: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Read the account now and show what it says; nothing is kept. Without one: the list."""
    if not compte:
        return accounts(page, context, vault)
    try:
        other, reading = _read(context, vault, compte)
    except ConnectorError as error:
        return _failed(page, error)
    t = page.t
    weighed = weigh(vault, reading.received)
    held = attributes(vault)
    parts: dict[str, list[dict[str, Any]]] = {}
    for item in weighed:
        line = _line(t, context, item, held)
        parts.setdefault(item.received.scope, []).append(line)
    answer = page.show(
        "account_elsewhere_said.html",
        account=compte,
        host=other.host,
        vouches=other.vouches,
        parts=[(_topic(t, context, Topic(scope)), lines) for scope, lines in parts.items()],
        left_out=[_field(t, context, name) for name in reading.left_out],
        choices=any(item.standing is not Standing.SAME for item in weighed),
        shown=_digest(reading),
    )
    answer.headers["cache-control"] = "no-store"
    return answer


def _read(context: HomeContext, vault: OpenVault, account_id: str) -> tuple[OtherAccount, Reading]:
    at = context.home.clock()
    found = context.connectors.elsewhere.read(vault.vault_id, account_id)
    other = OtherAccount(
        id=account_id,
        issuer=found.issuer,
        subject=found.subject,
        vouches=found.claims.is_signed and vouches(context.home, found.issuer, at=at),
    )
    return other, read_account(found.claims.values, other, at=at)


def _digest(reading: Reading) -> str:
    """Of all that is shown, so that what is kept is what was read."""
    seen = [
        [
            item.record.id,
            item.value,
            item.source,
            item.degree.value,
            item.level,
            item.certified_at.isoformat() if item.certified_at else None,
        ]
        for item in reading.received
    ]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def _line(
    t: Translator, context: HomeContext, item: Weighed, held: dict[str, Stated]
) -> dict[str, Any]:
    received = item.received
    word, kind = STANDING[item.standing]
    return {
        "id": received.record.id,
        "title": _title(t, context, item),
        "value": _value(t, item),
        "grounds": t("dit par ce compte, sans preuve")
        if received.degree is Degree.CLAIMED
        else grounds(
            t,
            {
                "degree": received.degree.value,
                "source": received.source,
                "level": received.level,
                "certificationDate": received.certified_at.isoformat()
                if received.certified_at
                else None,
            },
        ),
        "standing": t(word),
        "kind": kind,
        "choice": item.standing is not Standing.SAME,
        "held": _held(t, item, held),
    }


def _value(t: Translator, item: Weighed) -> str:
    record, value = item.received.record, item.received.value
    if isinstance(record, Attribute) and record.name in (*DAYS, "identity.birthdate"):
        return t.day(date.fromisoformat(value), "long")
    return _shown(t, value)


def _title(t: Translator, context: HomeContext, item: Weighed) -> str:
    record = item.received.record
    if isinstance(record, Attribute) and record.name in ATTRIBUTE_TITLES:
        return t(ATTRIBUTE_TITLES[record.name])
    scope = context.home.passport.scopes.get(item.received.scope)
    return item.received.field if scope is None else label_of(t, scope, item.received.field)


def _field(t: Translator, context: HomeContext, name: str) -> str:
    for topic in Topic:
        scope = context.home.passport.scopes.get(topic.value)
        if scope is not None and name in scope.labels:
            return label_of(t, scope, name)
    return name


def _shown(t: Translator, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(t(MODES[word]) if word in MODES else str(word) for word in value)
    return value_words(t, value)


def _held(t: Translator, item: Weighed, held: dict[str, Stated]) -> str:
    """What the vault says of the same thing, where it says otherwise."""
    record = item.received.record
    known = held.get(record.name) if isinstance(record, Attribute) else None
    if known is None or known.value == item.received.value:
        return ""
    return t("Votre coffre dit : {value}", value=_shown(t, known.value))


@router.post(f"{HERE}/garder")
def keep_chosen(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    compte: Annotated[str, Form(max_length=200)],
    quoi: Annotated[tuple[str, ...], Form(max_length=1_000)] = (),
    vu: Annotated[str, Form(max_length=64)] = "",
) -> RedirectResponse:
    """Keep the values ticked, if the account still says what was shown."""
    t, again = page.t, f"{HERE}/lu?compte={compte}"
    try:
        other, reading = _read(context, vault, compte)
    except ConnectorError as error:
        return _failed(page, error)
    if _digest(reading) != vu:
        text = t("Ce compte dit maintenant autre chose : relisez avant de garder.")
        return page.go(again, notice=text, kind="warn")
    chosen = [item for item in reading.received if item.record.id in quoi]
    if not chosen:
        return page.go(again, notice=t("Cochez ce que vous voulez garder."), kind="warn")
    written = keep(vault, other, chosen)
    count = t.n("{n} enregistrement", "{n} enregistrements", written)
    return page.go(HERE, notice=t("Gardé dans votre coffre : {count}.", count=count))


@router.post(f"{HERE}/deconnecter")
def disconnect(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    compte: Annotated[str, Form(max_length=200)],
    retirer: Annotated[str, Form(max_length=1)] = "",
) -> RedirectResponse:
    """Give the access back there; with `retirer` also take out what it brought."""
    t, links = page.t, context.connectors.elsewhere
    host = links.account(vault.vault_id, compte).host
    links.disconnect(vault.vault_id, compte)
    vault.note("account-disconnected", recipient=host)
    if not retirer:
        text = t("Accès rendu. Ce qui est déjà dans votre coffre y reste.")
        return page.go(HERE, notice=text)
    removed = take_out(vault, compte)
    text = t.n("{n} enregistrement retiré.", "{n} enregistrements retirés.", removed)
    return page.go(HERE, notice=f"{t('Accès rendu.')} {text}")
