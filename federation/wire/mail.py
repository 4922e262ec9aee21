"""Mail through a server of the operator's (SMTP, stdlib): one recipient, one text.

A server that is away delays nobody (the job comes back); an address it refuses for good is said so.
Which texts there are is for who sends: the hub's desk, a home.
"""

import hashlib
import re
import smtplib
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from enum import StrEnum
from typing import Final, Protocol

from pydantic import SecretStr

from federation.wire.errors import MailRefusedError, MailUnreachableError, SettingsRefusedError
from federation.wire.http import tls_context

__all__ = ["Mail", "MailSecurity", "MailServer", "Mailer", "SmtpMailer", "is_address", "one_line"]

TIMEOUT_S: Final = 10.0
_ADDRESS: Final = re.compile(r"[^@\s,;<>\"()\\:\[\]]{1,64}@[a-z0-9.-]{1,180}\.[a-z]{2,63}", re.I)


class MailSecurity(StrEnum):
    """How the mail server is reached."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"
    """In clear: a server on this machine only."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mail server and who writes through it."""

    host: str
    sender: str
    """Address messages come from."""
    name: str
    """Who sends, for Message-IDs: a DID."""
    own_host: str | None = None
    """Our name in the greeting; else smtplib asks the name server for it."""
    port: int = 587
    security: MailSecurity = MailSecurity.STARTTLS
    user: str | None = None
    password: SecretStr | None = None

    def __post_init__(self) -> None:
        """Raises SettingsRefusedError: a setting that contradicts another."""
        if not self.sender:
            raise SettingsRefusedError(setting="mail_host", why="goes with mail_from")
        if (self.user is None) != (self.password is None):
            raise SettingsRefusedError(setting="mail_user", why="goes with mail_password")
        is_local = self.host in ("localhost", "127.0.0.1", "::1")
        if self.security is MailSecurity.NONE and not is_local:
            raise SettingsRefusedError(setting="mail_security", why="in clear to this machine only")


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


def one_line(text: str) -> str:
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
    """Through one server."""

    def __init__(self, server: MailServer) -> None:
        self._server = server

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
        to = self._server
        if to.security is MailSecurity.TLS:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                to.host, to.port, to.own_host, timeout=TIMEOUT_S, context=tls_context()
            )
        else:
            server = smtplib.SMTP(to.host, to.port, to.own_host, timeout=TIMEOUT_S)
        try:
            if to.security is MailSecurity.STARTTLS:
                server.starttls(context=tls_context())
            if to.user is not None and to.password is not None:
                server.login(to.user, to.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server

    def _message(self, mail: Mail, at: datetime) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._server.sender
        message["To"] = mail.to
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(at)
        domain = self._server.sender.rpartition("@")[2]
        name = hashlib.sha256(f"{self._server.name}/{mail.key}".encode()).hexdigest()[:32]
        message["Message-ID"] = f"<{name}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        return message
