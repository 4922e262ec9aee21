"""What every page shares: templates, language, form tokens, small HTML answers.

Forms are protected by a signed double token: a random value in a `__Host-` cookie and, in the form, an HMAC-SHA256
of it with a key of this node and the hour it was made. The browser's `Sec-Fetch-Site` is refused when foreign.
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import (
    ChoiceLoader,
    Environment,
    PackageLoader,
    PrefixLoader,
    StrictUndefined,
    select_autoescape,
)

from portal.errors import FormExpiredError
from portal.i18n import N_, Translator, negotiate, translator
from schemas.extensions import installed

FORM_COOKIE: Final = "__Host-formulaire"
LANGUAGE_COOKIE: Final = "__Host-langue"
NOTICE_COOKIE: Final = "__Host-message"
FORM_AGE_S: Final = 24 * 3600
"""A page left open over night still works in the morning; older asks to reload."""


@cache
def _environment() -> Environment:
    return Environment(
        loader=ChoiceLoader(
            [
                PackageLoader("portal", "templates"),
                PrefixLoader(
                    {
                        extension.name: PackageLoader(extension.templates)
                        for extension in installed().values()
                        if extension.templates
                    }
                ),
            ]
        ),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


ASSETS: Final = ("coffre.css", "webauthn.js", "cles.js", "guichet.js", "boite.js", "demande.js")


@cache
def asset_version() -> str:
    """First digits of the assets' digest, so that new ones are fetched at once."""
    static = resources.files("portal.static")
    assets = b"".join(static.joinpath(name).read_bytes() for name in ASSETS)
    return hashlib.sha256(assets).hexdigest()[:10]


def load_form_key(folder: Path) -> bytes:
    """The node's key for form tokens: 32 random bytes in `folder/forms.key`, shared by its workers."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "forms.key"
    if not path.exists():
        fresh = path.with_suffix(f".{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_bytes(secrets.token_bytes(32))
        try:
            path.hardlink_to(fresh)  # atomic: the first worker wins
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()


@dataclass(frozen=True, slots=True)
class Tab:
    """An entry of the main menu."""

    href: str
    text: str
    icon: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """One node's face: its name, menu and footer. Texts are keys of the catalogue."""

    name: str
    sandbox: bool
    form_key: bytes = field(repr=False)
    tabs: tuple[Tab, ...] = ()
    tabs_class: str = "main"
    footer: tuple[tuple[str, str], ...] = ()
    lock: tuple[str, str] | None = None
    home_url: str = "/"


class Page:
    """One request's way to answer: its language, its form token, its template."""

    def __init__(self, request: Request, site: Site, *, now: datetime) -> None:
        self.request, self.site, self.now = request, site, now
        self.t: Translator = translator(
            negotiate(request.headers.get("accept-language"), self._language())
        )
        self._seed = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)

    def _language(self) -> str | None:
        return self.request.query_params.get("lang") or self.request.cookies.get(LANGUAGE_COOKIE)

    def form_token(self) -> str:
        """`hour.hmac` bound to this browser's form cookie."""
        hour = str(int(self.now.timestamp()))
        return f"{hour}.{_mac(self.site.form_key, self._seed, hour)}"

    def show(
        self,
        template: str,
        *,
        status: int = 200,
        tabs: bool = True,
        headers: dict[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """Render `template` with the common frame."""
        path = self.request.url.path
        other = "en" if self.t.language == "fr" else "fr"
        notice = values.pop("notice", None) or self._notice()
        html = (
            _environment()
            .get_template(template)
            .render(
                _=self.t,
                t=self.t,
                lang=self.t.language,
                other_lang=other,
                lang_url=f"/langue/{other}?retour={path}",
                form_token=self.form_token,
                site_name=self.t(self.site.name),
                sandbox=self.site.sandbox,
                asset_version=asset_version(),
                tabs=[self._tab(tab, path) for tab in self.site.tabs] if tabs else [],
                tabs_class=self.site.tabs_class,
                footer=[{"href": href, "text": self.t(text)} for href, text in self.site.footer],
                lock_action=self.site.lock[0] if tabs and self.site.lock else None,
                lock_text=self.t(self.site.lock[1]) if tabs and self.site.lock else None,
                notice=notice,
                path=path,
                **values,
            )
        )
        answer = HTMLResponse(html, status_code=status, headers=headers)
        answer.headers["cache-control"] = "no-store"
        self._cookies(answer)
        if self.request.cookies.get(NOTICE_COOKIE):
            answer.delete_cookie(NOTICE_COOKIE, secure=True, httponly=True, samesite="lax")
        return answer

    def go(self, to: str, *, notice: str | None = None, kind: str = "ok") -> RedirectResponse:
        """Redirect after a form (303), with one sentence shown once on the next page."""
        answer = RedirectResponse(to, status_code=303)
        if notice is not None:
            # Signed, because the page shows it; it carries a text of ours, never a person's data.
            text = f"{kind}|{notice}"
            value = f"{_mac(self.site.form_key, 'notice', text)}|{text}".encode().hex()
            answer.set_cookie(
                NOTICE_COOKIE, value, max_age=60, secure=True, httponly=True, samesite="lax"
            )
        self._cookies(answer)
        return answer

    def check_form(self, token: str) -> None:
        """Refuse a form that this browser did not get from us.

        Raises:
            FormExpiredError: missing, foreign or older than `FORM_AGE_S`; show the form again.
        """
        if self.request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise FormExpiredError
        hour, _, mac = token.partition(".")
        seed = self.request.cookies.get(FORM_COOKIE, "")
        if not seed or not re.fullmatch(r"[0-9]{1,12}", hour):
            raise FormExpiredError
        if not _same(mac, _mac(self.site.form_key, seed, hour)):
            raise FormExpiredError
        if not -60 <= self.now.timestamp() - int(hour) <= FORM_AGE_S:
            raise FormExpiredError

    def _cookies(self, answer: HTMLResponse | RedirectResponse) -> None:
        if self.request.cookies.get(FORM_COOKIE) != self._seed:
            answer.set_cookie(FORM_COOKIE, self._seed, secure=True, httponly=True, samesite="lax")

    def _notice(self) -> dict[str, str] | None:
        try:
            raw = bytes.fromhex(self.request.cookies.get(NOTICE_COOKIE, "")).decode()
        except ValueError:
            return None
        mac, _, text = raw.partition("|")
        if not text or not _same(mac, _mac(self.site.form_key, "notice", text)):
            return None
        kind, _, sentence = text.partition("|")
        undo = ""
        if sentence.startswith("undo:"):
            undo, _, sentence = sentence.removeprefix("undo:").partition(" ")
        return {"kind": kind, "text": sentence, "undo": undo}

    def _tab(self, tab: Tab, path: str) -> dict[str, Any]:
        current = path == tab.href or any(path.startswith(start) for start in tab.also)
        return {"href": tab.href, "text": self.t(tab.text), "icon": tab.icon, "current": current}


def _mac(key: bytes, seed: str, hour: str) -> str:
    return hmac.new(key, f"{seed}\n{hour}".encode(), hashlib.sha256).hexdigest()


def _same(given: str, computed: str) -> bool:
    """Equal, in constant time. Bytes: `compare_digest` raises on a text that is not ASCII."""
    return hmac.compare_digest(given.encode(errors="replace"), computed.encode())


def safe_return(path: str) -> str:
    """A path of this site to go back to; anything else becomes `/`."""
    if path.startswith("/") and not path.startswith("//") and "\\" not in path and "\n" not in path:
        return path
    return "/"


FOOTER: Final = (
    ("/verifier", N_("Vérifier un document")),
    ("/etat", N_("Réel ou simulé")),
    ("/confidentialite", N_("Confidentialité")),
    ("/accessibilite", N_("Accessibilité")),
)
