"""Create, unlock, lock, language."""

# ruff: noqa: PLR0917 - a route's or a verb's parameters are its form's fields

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from federation.wire.limits import CONTENT_SECURITY_POLICY
from portal.context import HomeContext
from portal.i18n import Translator
from portal.pages.deps import KNOWN_COOKIE, VAULT_COOKIE, CheckedDep, ContextDep, PageDep
from portal.web import LANGUAGE_COOKIE, Page, safe_return
from schemas.errors import MobilityError, Retriable
from vault.browser_witness import WITNESS_AGE_S, WITNESS_COOKIE, remembered, to_cookie
from vault.crypto.errors import (
    PassphraseError,
    RecoveryCodeError,
    RecoverySharesError,
    VaultForkedError,
    VaultRolledBackError,
    WrongSecretError,
)
from vault.errors import SessionEndedError, VaultUnknownError
from vault.model import SessionToken

router = APIRouter(include_in_schema=False)

MIN_PASSPHRASE = 12
"""ANSSI's recommendation for a secret with a slow derivation and slow-down: length over symbols."""
_YEAR_S = 365 * 24 * 3600
SCRIPT_POLICY: Final = f"{CONTENT_SECURITY_POLICY}; script-src 'self'; connect-src 'self'"
"""Two pages may run one script of this site, for passkeys; all others run none."""


def unlock_page(
    page: Page,
    *,
    known: str | None,
    errors: dict[str, str],
    way: str = "phrase",
    back: str = "/",
    old: bool = False,
    recognised: str = "",
    choices: Sequence[str] = (),
    provider: str = "",
    passkeys: bool = False,
    wait: Retriable | None = None,
) -> HTMLResponse:
    """The unlock form, with what went wrong. `way`: `phrase`, `code` or `parts`; `old`: the store
    is older than what this browser or the witness saw; `wait` is why it has to be tried later;
    `recognised`: what told which vault is meant, `cle` or `compte`; `choices`: several it may be;
    `provider`: who may be asked."""
    status, found = later(wait) if wait is not None else (422 if errors else 200, None)
    headers = dict(found or {})
    if passkeys:
        headers["content-security-policy"] = SCRIPT_POLICY
    return page.show(
        "unlock.html",
        tabs=False,
        status=status,
        headers=headers,
        vault_known=known,
        errors=Errors(errors),
        way=way,
        old=old,
        recognised=recognised,
        choices=choices,
        provider=provider,
        passkeys=passkeys,
        retour=safe_return(back),
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
    request: Request,
    page: PageDep,
    context: ContextDep,
    secours: str = "",
    retour: str = "/",
    reconnu: str = "",
    par: str = "",
    ancien: str = "",
) -> HTMLResponse:
    """The unlock page. `reconnu` is the vault that a passkey without PRF recognised, or, by `par`,
    a linked account."""
    known = reconnu[:32] or request.cookies.get(KNOWN_COOKIE)
    return unlock_page(
        page,
        known=known,
        errors={},
        way={"1": "code", "parts": "parts"}.get(secours, "phrase"),
        back=retour,
        old=bool(ancien),
        recognised=("compte" if par == "compte" else "cle") if reconnu else "",
        provider=provider_of(context),
        passkeys=context.home.passkeys.is_available,
    )


def provider_of(context: HomeContext) -> str:
    """Name of the identity provider that may say which vault is meant; empty when there is none."""
    found = context.connectors.identity
    return "" if found is None else found.name


@router.post("/ouvrir")
def unlock(
    request: Request,
    page: CheckedDep,
    context: ContextDep,
    coffre: Annotated[str, Form(max_length=200)] = "",
    phrase: Annotated[str, Form(max_length=1000)] = "",
    code: Annotated[str, Form(max_length=1000)] = "",
    parts: Annotated[str, Form(max_length=6000)] = "",
    restaure: Annotated[str, Form(max_length=1)] = "",
    retour: Annotated[str, Form(max_length=500)] = "/",
) -> Response:
    """Open the vault and go to where the person wanted to be."""
    client = request.client.host if request.client else "unknown"
    t, number = page.t, coffre.strip()
    way = "code" if code else "parts" if parts else "phrase"

    def again(text: str, *, old: bool = False, late: Retriable | None = None) -> HTMLResponse:
        return unlock_page(
            page,
            known=coffre,
            errors={"" if old else way: text},
            way=way,
            back=retour,
            old=old,
            provider=provider_of(context),
            passkeys=context.home.passkeys.is_available,
            wait=late,
        )

    secret: dict[str, Any] = {"passphrase": phrase}
    if code:
        secret = {"recovery_code": code.strip()}
    elif parts:
        secret = {"shares": parts.splitlines()}
    try:
        token = context.home.unlock(
            number,
            client=client,
            remembered=remembered(request.cookies.get(WITNESS_COOKIE), number),
            restored=bool(restaure),
            **secret,
        )
    except (WrongSecretError, VaultUnknownError, RecoveryCodeError, PassphraseError):
        return again(t("Ce numéro de coffre et ce secret ne vont pas ensemble. Vérifiez les deux."))
    except RecoverySharesError as error:
        return again(_share_fault(t, error))
    except (VaultRolledBackError, VaultForkedError):
        return again(
            t("Ce coffre est plus ancien que la dernière fois : lisez l'avertissement ci-dessous."),
            old=True,
        )
    except MobilityError as error:
        if not isinstance(error, Retriable):
            raise
        wait = error.retry_after_s or 30
        return again(t("Trop d'essais à la fois. Réessayez dans {n} secondes.", n=wait), late=error)
    answer = page.go(safe_return(retour))
    keep(answer, token)
    return answer


def _share_fault(t: Translator, error: RecoverySharesError) -> str:
    """What is wrong with the shares that were typed."""
    match error.reason:
        case "too-few":
            return t("Il manque des parts : {have} sur {need}.", have=error.have, need=error.need)
        case "twice":
            return t("La part n° {n} est déjà au-dessus.", n=error.number or 0)
        case "mixed" | "foreign":
            return t("Ces parts ne vont pas ensemble : vérifiez qu'elles sont du même jeu.")
        case _:
            return t("La part n° {n} contient une faute de copie.", n=error.number or 0)


@router.get("/creer")
def create_form(page: PageDep, context: ContextDep) -> HTMLResponse:
    """What is protected and what is not, then the passphrase."""
    return page.show(
        "create.html", tabs=False, errors=Errors(), passkeys=context.home.passkeys.is_available
    )


@router.post("/creer")
def create(
    request: Request,
    page: CheckedDep,
    context: ContextDep,
    phrase: Annotated[str, Form(max_length=1000)] = "",
    encore: Annotated[str, Form(max_length=1000)] = "",
    nom: Annotated[str, Form(max_length=80)] = "",
    compris: Annotated[str, Form()] = "",
    cle: Annotated[str, Form(max_length=1)] = "",
) -> HTMLResponse:
    """Create the vault, unlock it, show the recovery code once. With `cle` there is no passphrase:
    the next page adds a passkey."""
    t, errors = page.t, Errors()
    if cle:
        phrase = encore = ""
    elif len(phrase) < MIN_PASSPHRASE:
        errors["phrase"] = t(
            "La phrase secrète doit compter au moins {n} caractères.", n=MIN_PASSPHRASE
        )
    elif phrase != encore:
        errors["encore"] = t("Les deux phrases ne sont pas identiques.")
    if not compris:
        errors["compris"] = t("Cochez la case pour continuer.")
    if errors:
        return page.show(
            "create.html",
            tabs=False,
            status=422,
            errors=errors,
            passkeys=context.home.passkeys.is_available,
        )
    made = context.home.create_vault(phrase or None, label=nom.strip())
    client = request.client.host if request.client else "unknown"
    if cle:
        token = context.home.unlock(made.vault_id, recovery_code=made.recovery_code, client=client)
    else:
        token = context.home.unlock(made.vault_id, passphrase=phrase, client=client)
    answer = page.show(
        "created.html",
        tabs=False,
        code=made.recovery_code,
        vault_id=made.vault_id,
        with_passkey=bool(cle),
        arrived="",
    )
    keep(answer, token)
    return answer


@router.post("/commencer")
def start(
    page: CheckedDep,
    cle: Annotated[str, Form(max_length=1)] = "",
    arrivee: Annotated[str, Form(max_length=1)] = "",
) -> RedirectResponse:
    """The recovery code is noted: enter, or add the passkey first."""
    if arrivee:
        return page.go("/", notice=page.t("Votre coffre est prêt."))
    if cle:
        return page.go("/coffre/cles", notice=page.t("Ajoutez maintenant votre clé d'accès."))
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
        WITNESS_COOKIE,
        to_cookie(token.vault_id, seq=token.seq, head=token.head),
        max_age=WITNESS_AGE_S,
        secure=True,
        httponly=True,
        samesite="lax",
    )
    answer.set_cookie(
        KNOWN_COOKIE, token.vault_id, max_age=_YEAR_S, secure=True, httponly=True, samesite="lax"
    )
