"""Create, unlock, lock, language."""

# ruff: noqa: PLR0917 - a route's or a verb's parameters are its form's fields

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from portal.pages.deps import KNOWN_COOKIE, VAULT_COOKIE, CheckedDep, ContextDep, PageDep
from portal.web import LANGUAGE_COOKIE, Page, safe_return
from schemas.errors import MobilityError, Retriable
from vault.crypto.errors import PassphraseError, RecoveryCodeError, WrongSecretError
from vault.errors import SessionEndedError, VaultUnknownError
from vault.model import SessionToken

router = APIRouter(include_in_schema=False)

MIN_PASSPHRASE = 12
"""ANSSI's recommendation for a secret with a slow derivation and slow-down: length over symbols."""
_YEAR_S = 365 * 24 * 3600


def unlock_page(
    page: Page,
    *,
    known: str | None,
    errors: dict[str, str],
    code: bool,
    back: str = "/",
    wait: Retriable | None = None,
) -> HTMLResponse:
    """The unlock form, with what went wrong; `wait` is why it has to be tried later."""
    status, headers = later(wait) if wait is not None else (422 if errors else 200, None)
    return page.show(
        "unlock.html",
        tabs=False,
        status=status,
        headers=headers,
        vault_known=known,
        errors=Errors(errors),
        code_mode=code,
        back=safe_return(back),
    )


def later(error: Retriable) -> tuple[int, dict[str, str]]:
    """Status and headers of "try later": 429 where this person is slowed down, else 503."""
    slowed = getattr(error, "code", "") in {"slow-down", "too-many-attempts"}
    return (429 if slowed else 503), {"retry-after": str(error.retry_after_s or 30)}


class Errors(dict[str, str]):
    """Field errors; a field without one reads as None (templates use `errors.field`)."""

    def __getattr__(self, name: str) -> str | None:
        return self.get(name)


@router.get("/ouvrir")
def unlock_form(
    request: Request, page: PageDep, secours: str = "", retour: str = "/"
) -> HTMLResponse:
    """The unlock page."""
    known = request.cookies.get(KNOWN_COOKIE)
    return unlock_page(page, known=known, errors={}, code=bool(secours), back=retour)


@router.post("/ouvrir")
def unlock(
    request: Request,
    page: CheckedDep,
    context: ContextDep,
    coffre: Annotated[str, Form(max_length=200)] = "",
    phrase: Annotated[str, Form(max_length=1000)] = "",
    code: Annotated[str, Form(max_length=1000)] = "",
    retour: Annotated[str, Form(max_length=500)] = "/",
) -> Response:
    """Open the vault and go to where the person wanted to be."""
    client = request.client.host if request.client else "unknown"
    t = page.t
    try:
        if code:
            token = context.home.unlock(coffre.strip(), recovery_code=code.strip(), client=client)
        else:
            token = context.home.unlock(coffre.strip(), passphrase=phrase, client=client)
    except (WrongSecretError, VaultUnknownError, RecoveryCodeError, PassphraseError):
        name = "code" if code else "phrase"
        text = t("Ce numéro de coffre et ce secret ne vont pas ensemble. Vérifiez les deux.")
        return unlock_page(page, known=coffre, errors={name: text}, code=bool(code), back=retour)
    except MobilityError as error:
        if not isinstance(error, Retriable):
            raise
        wait = error.retry_after_s or 30
        text = t("Trop d'essais à la fois. Réessayez dans {n} secondes.", n=wait)
        return unlock_page(
            page, known=coffre, errors={"phrase": text}, code=bool(code), back=retour, wait=error
        )
    answer = page.go(safe_return(retour))
    keep(answer, token)
    return answer


@router.get("/creer")
def create_form(page: PageDep) -> HTMLResponse:
    """What is protected and what is not, then the passphrase."""
    return page.show("create.html", tabs=False, errors=Errors())


@router.post("/creer")
def create(
    request: Request,
    page: CheckedDep,
    context: ContextDep,
    phrase: Annotated[str, Form(max_length=1000)] = "",
    encore: Annotated[str, Form(max_length=1000)] = "",
    nom: Annotated[str, Form(max_length=80)] = "",
    compris: Annotated[str, Form()] = "",
) -> HTMLResponse:
    """Create the vault, unlock it, show the recovery code once."""
    t, errors = page.t, Errors()
    if len(phrase) < MIN_PASSPHRASE:
        errors["phrase"] = t(
            "La phrase secrète doit compter au moins {n} caractères.", n=MIN_PASSPHRASE
        )
    elif phrase != encore:
        errors["encore"] = t("Les deux phrases ne sont pas identiques.")
    if not compris:
        errors["compris"] = t("Cochez la case pour continuer.")
    if errors:
        return page.show("create.html", tabs=False, status=422, errors=errors)
    made = context.home.create_vault(phrase, label=nom.strip())
    client = request.client.host if request.client else "unknown"
    token = context.home.unlock(made.vault_id, passphrase=phrase, client=client)
    answer = page.show("created.html", tabs=False, code=made.recovery_code, vault_id=made.vault_id)
    keep(answer, token)
    return answer


@router.post("/commencer")
def start(page: CheckedDep) -> RedirectResponse:
    """The recovery code is noted: enter."""
    return page.go("/sources", notice=page.t("Votre coffre est prêt. Ajoutez une première source."))


@router.post("/verrouiller")
def lock(
    request: Request, page: CheckedDep, context: ContextDep, partout: str = ""
) -> RedirectResponse:
    """Close the vault here, or everywhere."""
    cookie = request.cookies.get(VAULT_COOKIE, "")
    try:
        if partout:
            context.home.lock_all(context.home.session(cookie).vault_id)
        else:
            context.home.lock(cookie)
    except SessionEndedError:
        pass  # already locked: the wish is granted
    answer = page.go("/", notice=page.t("Votre coffre est fermé."))
    answer.delete_cookie(VAULT_COOKIE, secure=True, httponly=True, samesite="lax")
    return answer


@router.get("/langue/{code}")
def language(code: str, retour: str = "/") -> RedirectResponse:
    """Remember the language and go back."""
    answer = RedirectResponse(safe_return(retour), status_code=303)
    if code in ("fr", "en"):
        answer.set_cookie(
            LANGUAGE_COOKIE, code, max_age=_YEAR_S, secure=True, httponly=True, samesite="lax"
        )
    return answer


def keep(answer: Response, token: SessionToken) -> None:
    """Give the browser its half of the session and the vault's number."""
    answer.set_cookie(VAULT_COOKIE, token.cookie_value, secure=True, httponly=True, samesite="lax")
    answer.set_cookie(
        KNOWN_COOKIE, token.vault_id, max_age=_YEAR_S, secure=True, httponly=True, samesite="lax"
    )
