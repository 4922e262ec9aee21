"""Mail that the hub sends: short texts, one recipient, nothing of an application but its short
reference. Written from identifiers at the moment of sending: no job holds a text or an address.

A server that is away delays nobody (the job comes back); an address it refuses for good is said so.
"""

import hashlib
import re
import smtplib
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final, Protocol
from urllib.parse import urlsplit

from federation.hub.errors import MailRefusedError, MailUnreachableError
from federation.hub.settings import HubSettings, MailSecurity
from federation.wire.http import tls_context

__all__ = ["TEXTS", "Mail", "Mailer", "SmtpMailer", "bilingual", "compose", "is_address"]

TIMEOUT_S: Final = 10.0
_ADDRESS: Final = re.compile(r"[^@\s,;<>\"()\\:\[\]]{1,64}@[a-z0-9.-]{1,180}\.[a-z]{2,63}", re.I)
LANGUAGES: Final = ("fr", "en")

TEXTS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "new": {
        "fr": (
            "Une demande à examiner ({reference})",
            "Une demande attend une personne du guichet.\n\nAide : {aid}\nDemande : {link}\n",
        ),
        "en": (
            "An application to review ({reference})",
            "An application waits for somebody at the desk.\n\nAid: {aid}\nApplication: {link}\n",
        ),
    },
    "answered": {
        "fr": (
            "Une réponse est arrivée ({reference})",
            "Ce que vous aviez demandé est arrivé.\n\nAide : {aid}\nDemande : {link}\n",
        ),
        "en": (
            "An answer arrived ({reference})",
            "What you asked for has arrived.\n\nAid: {aid}\nApplication: {link}\n",
        ),
    },
    "appealed": {
        "fr": (
            "Un refus est contesté ({reference})",
            "Une personne doit relire cette demande.\n\nAide : {aid}\nDemande : {link}\n",
        ),
        "en": (
            "A refusal is contested ({reference})",
            "Somebody has to read this application again.\n\nAid: {aid}\nApplication: {link}\n",
        ),
    },
    "digest": {
        "fr": (
            "Le guichet ce matin : {count} avis",
            "Avis que personne n'a encore lus : {count}.\n\nLes voir : {link}\n",
        ),
        "en": (
            "The desk this morning: {count} notices",
            "Notices that nobody has read yet: {count}.\n\nSee them: {link}\n",
        ),
    },
    "affiliation": {
        "fr": (
            "{funder} : votre attestation d'affiliation",
            """{funder} propose de signer, pour votre coffre de mobilité, une attestation de votre
affiliation.

Ouvrez ce lien avant le {until} ; il ne sert qu'une fois, et votre matricule vous sera demandé :
{link}

Ne transférez pas ce message. Si vous n'avez pas de coffre, vous n'avez rien à faire.
""",
        ),
        "en": (
            "{funder}: your affiliation",
            """{funder} offers to sign an attestation of your affiliation for your mobility vault.

Open this link before {until}; it works once, and your employee number will be asked for:
{link}

Do not forward this message. If you have no vault, there is nothing to do.
""",
        ),
    },
}
"""Subject and text by kind and language."""
_FOOT: Final = {
    "fr": "\n-- \nMessage automatique de {hub}. Vos réglages : {settings}\n",
    "en": "\n-- \nAutomatic message of {hub}. Your settings: {settings}\n",
}


def is_address(text: str) -> bool:
    """Whether a text can be written to; quoted and internationalised forms are not taken."""
    return _ADDRESS.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Mail:
    """One message."""

    to: str
    subject: str
    text: str
    key: str
    """Names the message: sent twice, it has the same Message-ID."""


def compose(
    kind: str, language: str, *, to: str, key: str, values: dict[str, str], foot: dict[str, str]
) -> Mail:
    """A message of `TEXTS`; `foot` fills `hub` and `settings`, empty for who has none here."""
    subject, text = TEXTS[kind][language if language in LANGUAGES else "fr"]
    clean = {name: _one_line(value) for name, value in values.items()}
    if foot:
        text += _FOOT[language if language in LANGUAGES else "fr"]
        clean |= {name: _one_line(value) for name, value in foot.items()}
    return Mail(to, subject.format_map(clean)[:200], text.format_map(clean), key)


def bilingual(kind: str, *, to: str, key: str, values: dict[str, str]) -> Mail:
    """A message to somebody whose language nobody asked: French, then English."""
    french, english = (
        compose(kind, language, to=to, key=key, values=values, foot={}) for language in LANGUAGES
    )
    return Mail(to, french.subject, f"{french.text}\n* * *\n\n{english.text}", key)


def _one_line(text: str) -> str:
    """Without line breaks and other control characters: a title is no header and no second line."""
    kept = (" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join("".join(kept).split())[:500]


class Mailer(Protocol):
    """Sends one message."""

    def send(self, mail: Mail, *, at: datetime) -> None:
        """Hand a message to the server.

        Raises:
            MailUnreachableError: not now. MailRefusedError: this address, for good.
        """


class SmtpMailer:
    """Through the server of the settings (`mail_host` is set)."""

    def __init__(self, settings: HubSettings) -> None:
        self._settings = settings

    def send(self, mail: Mail, *, at: datetime) -> None:
        """See `Mailer.send`."""
        try:
            with self._connected() as server:
                server.send_message(self._message(mail, at))
        except smtplib.SMTPRecipientsRefused as error:
            code = max(status for status, _ in error.recipients.values())
            raise (MailRefusedError() if code >= 500 else MailUnreachableError()) from None
        except (smtplib.SMTPException, OSError) as error:
            raise MailUnreachableError(type(error).__name__) from None

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        host, port = settings.mail_host or "", settings.mail_port
        name = urlsplit(settings.origin).hostname  # else smtplib asks the name server for ours
        if settings.mail_security is MailSecurity.TLS:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, port, name, timeout=TIMEOUT_S, context=tls_context()
            )
        else:
            server = smtplib.SMTP(host, port, name, timeout=TIMEOUT_S)
        try:
            if settings.mail_security is MailSecurity.STARTTLS:
                server.starttls(context=tls_context())
            if settings.mail_user is not None and settings.mail_password is not None:
                server.login(settings.mail_user, settings.mail_password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server

    def _message(self, mail: Mail, at: datetime) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._settings.mail_from
        message["To"] = mail.to
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(at)
        domain = (self._settings.mail_from or "").rpartition("@")[2]
        name = hashlib.sha256(f"{self._settings.did}/{mail.key}".encode()).hexdigest()[:32]
        message["Message-ID"] = f"<{name}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        return message
