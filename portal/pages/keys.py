"""« Mes clés »: the ways to open this vault."""

# ruff: noqa: PLR0917 - a route's parameters are its form's fields

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Path, Request
from fastapi.responses import HTMLResponse, Response

from portal.context import HomeContext
from portal.i18n import N_, Translator
from portal.pages.access import MIN_PASSPHRASE, SCRIPT_POLICY, Errors
from portal.pages.deps import KNOWN_COOKIE, VAULT_COOKIE, CheckedDep, ContextDep, PageDep, VaultDep
from portal.web import Page, safe_return
from vault import rotation
from vault.api.deps import csrf_of
from vault.errors import LastSlotError, UnlockAgainError
from vault.model import SlotView
from vault.open_vault import OpenVault
from vault.slots import AUTO_LOCKS

router = APIRouter(include_in_schema=False)

KINDS: Final = {
    "passphrase": (N_("Phrase secrète"), "lock"),
    "passkey": (N_("Clé d'accès"), "check"),
    "recovery": (N_("Code de secours"), "file"),
    "shares": (N_("Parts de secours"), "people"),
    "login-key": (N_("Clé d'accès qui n'ouvre pas"), "question"),
}
ADDED: Final = {
    "ouvre": (N_("Clé d'accès ajoutée : elle ouvre votre coffre."), "ok"),
    "reconnait": (
        N_(
            "Cette clé d'accès reconnaît votre coffre mais ne peut pas l'ouvrir : votre appareil "
            "ne sait pas garder de secret de chiffrement. Gardez votre phrase secrète."
        ),
        "warn",
    ),
}
SHARE_CHOICES: Final = ((2, 3), (3, 5), (2, 2))
_YEAR_S: Final = 365 * 24 * 3600

SlotId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,1400}$")]


def recent(request: Request, context: ContextDep) -> str:
    """The cookie of a session that began a short time ago.

    Raises:
        UnlockAgainError, SessionEndedError: the handler sends to unlock.
    """
    cookie = request.cookies.get(VAULT_COOKIE, "")
    context.home.require_recent(cookie)
    return cookie


RecentDep = Annotated[str, Depends(recent)]


def _row(t: Translator, view: SlotView, *, removable: bool) -> dict[str, Any]:
    title, icon = KINDS[view.kind]
    if view.last_used_on is None:
        used = t("pas encore utilisé·e")
    else:
        used = t("dernière utilisation le {day}", day=t.day(view.last_used_on, "long"))
    added = t("depuis le {day}", day=t.day(view.created_at.date(), "long"))
    text = f"{added}, {used}"
    if view.shares is not None:
        rule = t("{k} parts sur {n} ouvrent", k=view.shares[0], n=view.shares[1])
        text = f"{rule}, {text}"
    return {
        "id": view.slot_id,
        "title": view.name or t(title),
        "name": view.name,
        "kind": t(title) if view.name else "",
        "icon": icon,
        "text": text,
        "removable": removable or not view.can_open,
        "may_become_slot": view.may_become_slot,
    }


def _renewal(t: Translator, vault: OpenVault) -> dict[str, Any] | None:
    """How far a renewal of the vault's keys has come; None when none runs."""
    found = rotation.running(vault)
    if not found:
        return None
    done, total = sum(r.done for r in found), sum(r.total for r in found)
    return {
        "done": done,
        "total": max(total, 1),
        "text": t("{done} éléments chiffrés à nouveau, sur {total}", done=done, total=total),
        "stopped": any(r.stopped for r in found),
    }


def _logins(t: Translator, context: HomeContext, vault: OpenVault) -> dict[str, Any] | None:
    """The accounts that lead here; None when this home has no provider and none is linked."""
    provider = context.connectors.identity
    links = context.home.accounts.links(vault)
    if provider is None and not links:
        return None
    return {
        "provider": None if provider is None else provider.name,
        "rows": [
            {"id": link.id, "text": t("depuis le {day}", day=t.day(link.linked_at.date(), "long"))}
            for link in links
        ],
    }


def keys_page(
    page: Page,
    context: ContextDep,
    vault: VaultDep,
    *,
    errors: Errors | None = None,
    notice: dict[str, str] | None = None,
) -> HTMLResponse:
    """Every way to open, and the forms that change them."""
    t, home = page.t, context.home
    views = home.slots.list(vault)
    opening = [view for view in views if view.can_open]
    try:
        home.require_recent(page.request.cookies.get(VAULT_COOKIE, ""))
        is_recent = True
    except UnlockAgainError:
        is_recent = False
    chosen = home.slots.auto_lock(vault)
    return page.show(
        "keys.html",
        status=422 if errors else 200,
        headers={"content-security-policy": SCRIPT_POLICY},
        errors=errors or Errors(),
        notice=notice,
        rows=[_row(t, view, removable=len(opening) > 1) for view in views],
        only_one=len(opening) == 1,
        has_passphrase=any(view.kind == "passphrase" for view in views),
        is_recent=is_recent,
        api_token=csrf_of(home, page.request.cookies.get(VAULT_COOKIE, "")),
        passkeys=home.passkeys.is_available,
        share_choices=[(f"{k}-{n}", t("{k} parts sur {n}", k=k, n=n)) for k, n in SHARE_CHOICES],
        locks=[
            (str(int(idle.total_seconds())), t("{n} minutes", n=int(idle.total_seconds() // 60)))
            for idle in AUTO_LOCKS
        ],
        lock=str(int(min(AUTO_LOCKS, key=lambda idle: abs(idle - chosen)).total_seconds())),
        renewal=_renewal(t, vault),
        logins=_logins(t, context, vault),
        absolute=int(home.settings.absolute.total_seconds() // 3600),
        days=home.settings.backups_kept.days,
    )


@router.get("/coffre/cles")
def keys(page: PageDep, context: ContextDep, vault: VaultDep, ajout: str = "") -> HTMLResponse:
    """The ways to open this vault."""
    notice = None
    if ajout in ADDED:
        text, kind = ADDED[ajout]
        notice = {"kind": kind, "text": page.t(text), "undo": ""}
    return keys_page(page, context, vault, notice=notice)


@router.post("/coffre/cles/phrase")
def set_passphrase(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    keep: RecentDep,
    phrase: Annotated[str, Form(max_length=1000)] = "",
    encore: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Add or replace the passphrase."""
    t, errors = page.t, Errors()
    if len(phrase) < MIN_PASSPHRASE:
        errors["phrase"] = t(
            "La phrase secrète doit compter au moins {n} caractères.", n=MIN_PASSPHRASE
        )
    elif phrase != encore:
        errors["encore"] = t("Les deux phrases ne sont pas identiques.")
    if errors:
        return keys_page(page, context, vault, errors=errors)
    context.home.slots.set_passphrase(vault, phrase, keep=keep)
    return page.go("/coffre/cles", notice=t("Phrase secrète enregistrée. L'ancienne n'ouvre plus."))


@router.post("/coffre/cles/code")
def new_code(
    page: CheckedDep, context: ContextDep, vault: VaultDep, keep: RecentDep
) -> HTMLResponse:
    """A new recovery code, shown once."""
    code = context.home.slots.new_recovery_code(vault, keep=keep)
    return page.show("secret_once.html", code=code, shares=(), vault_id=vault.vault_id, need=0)


@router.post("/coffre/cles/parts")
def new_shares(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    keep: RecentDep,
    choix: Annotated[str, Form(max_length=5)] = "2-3",
) -> HTMLResponse:
    """Recovery shares, shown once."""
    pair = next((pair for pair in SHARE_CHOICES if f"{pair[0]}-{pair[1]}" == choix), None)
    if pair is None:
        errors = Errors(choix=page.t("Choisissez un nombre de parts dans la liste."))
        return keys_page(page, context, vault, errors=errors)
    made = context.home.slots.make_shares(vault, threshold=pair[0], count=pair[1], keep=keep)
    return page.show(
        "secret_once.html", code="", shares=made, vault_id=vault.vault_id, need=pair[0]
    )


@router.post("/coffre/cles/fermeture")
def set_auto_lock(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    delai: Annotated[int, Form(ge=60, le=86_400)],
) -> Response:
    """After how long the vault closes by itself."""
    context.home.slots.set_auto_lock(vault, timedelta(seconds=delai))
    return page.go(
        "/coffre/cles",
        notice=page.t("Fermeture automatique enregistrée : elle vaut dès la prochaine ouverture."),
    )


@router.post("/coffre/cles/renouveler")
def renew(page: CheckedDep, context: ContextDep, vault: VaultDep, keep: RecentDep) -> Response:
    """Renew the root and the keys of every compartment; while that runs, it goes on."""
    t, slots = page.t, context.home.slots
    if not rotation.running(vault):
        bound = slots.bound(vault)
        if bound:
            names = ", ".join(view.name or t(KINDS[view.kind][0]) for view in bound)
            text = t(
                "Avant de renouveler les clés, utilisez une fois, ou refaites : {names}. Sinon "
                "elles n'ouvriraient plus votre coffre. Rien n'a changé.",
                names=names,
            )
            return keys_page(page, context, vault, errors=Errors({"": text}))
        rotation.begin(vault)
        slots.renew_root(vault, keep=keep)
    return page.go("/coffre/cles#renouveler")


@router.post("/coffre/cles/{slot}/nom")
def rename(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    slot: SlotId,
    nom: Annotated[str, Form(max_length=60)] = "",
) -> Response:
    """Call a way to open something; an empty name takes it away."""
    context.home.slots.name(vault, slot, nom)
    return page.go("/coffre/cles", notice=page.t("Nom enregistré."))


@router.post("/coffre/cles/{slot}/retirer")
def remove(
    page: CheckedDep, context: ContextDep, vault: VaultDep, keep: RecentDep, slot: SlotId
) -> Response:
    """Take one away."""
    try:
        context.home.slots.remove(vault, slot, keep=keep)
    except LastSlotError:
        text = page.t(
            "C'est la dernière façon d'ouvrir ce coffre : ajoutez-en une autre avant de la retirer."
        )
        return keys_page(page, context, vault, errors=Errors({"": text}))
    return page.go("/coffre/cles", notice=page.t("Retirée. Elle n'ouvre plus votre coffre."))


@router.get("/ouvrir/fait")
def opened(page: PageDep, vault: VaultDep, retour: str = "/") -> Response:
    """After a passkey opened the vault: remember its number in this browser, go on."""
    answer = page.go(safe_return(retour))
    answer.set_cookie(
        KNOWN_COOKIE, vault.vault_id, max_age=_YEAR_S, secure=True, httponly=True, samesite="lax"
    )
    return answer


__all__ = ["router"]
