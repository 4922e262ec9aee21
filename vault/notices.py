"""How a citizen is told, while their vault is locked, that there is news in it: never (the portal
alone), or by mail, at most one a day, which says that and nothing else.

The address is given for this only. It must be readable while the vault is locked, so it is sealed
under the home's own key, beside no other word of the citizen's; it is in no job, log, journal or
archive, and goes with the choice or the vault. A job holds nothing: a mail is written as it goes.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from federation.wire.jobs import Job
from federation.wire.mail import Mail, SmtpMailer, is_address
from vault.errors import NoticeRefusedError

if TYPE_CHECKING:
    from vault.home import Home
    from vault.open_vault import OpenVault

__all__ = ["JOB", "LANGUAGES", "Notices", "choose", "chosen", "is_possible", "register", "tell"]

JOB: Final = "notice-mail"
LANGUAGES: Final = ("fr", "en")
_NAME: Final = "notices"
_ATTEMPTS: Final = 40
"""About a day and a half of a mail server that is away."""
_TEXTS: Final = {
    "fr": (
        "Du nouveau dans votre coffre",
        """Une de vos demandes a avancé. Ouvrez votre coffre pour lire ce qu'il en est :
{link}

-- \nMessage automatique, un par jour au plus. Pour ne plus en recevoir, dans le coffre :
{settings}
""",
    ),
    "en": (
        "News in your vault",
        """One of your applications has moved. Open your vault to read what it is:
{link}

-- \nAutomatic message, at most one a day. To stop them, in the vault:
{settings}
""",
    ),
}


@dataclass(frozen=True, slots=True)
class Notices:
    """What the citizen chose."""

    address: str = ""
    """Empty: no mail."""
    language: str = "fr"


def is_possible(home: "Home") -> bool:
    """Whether this home can send mail."""
    return home.settings.mail is not None


def chosen(vault: "OpenVault") -> Notices:
    """What is chosen now."""
    return _kept(vault.home, vault.vault_id) or Notices()


def choose(vault: "OpenVault", *, address: str, language: str) -> Notices:
    """Be told at an address; an empty one ends it, and what waits to be sent goes with it.

    Raises:
        NoticeRefusedError: `address`, `language`, or `no-mail`: this home sends none.
    """
    home = vault.home
    if address and not is_possible(home):
        raise NoticeRefusedError("no-mail")
    if address and not is_address(address):
        raise NoticeRefusedError("address")
    if language not in LANGUAGES:
        raise NoticeRefusedError("language")
    made = Notices(address, language)
    sealed = home.seal.seal(
        json.dumps({"address": address, "language": language}).encode(),
        purpose=_NAME,
        aad=vault.vault_id.encode(),
    )
    with vault.library.writing() as draft:
        if address:
            draft.tx.put_setting(vault.vault_id, _NAME, sealed)
        else:
            draft.tx.delete_setting(vault.vault_id, _NAME)
            home.outbox.forget(draft.tx.session, owner=vault.vault_id, kind=JOB)
        draft.journal("notices-by-mail" if address else "notices-here-only")
    return made


def _kept(home: "Home", vault_id: str) -> Notices | None:
    with home.store.read() as reader:
        sealed = reader.setting(vault_id, _NAME)
    if sealed is None:
        return None
    found = json.loads(home.seal.open(sealed, purpose=_NAME, aad=vault_id.encode()))
    return Notices(str(found["address"]), str(found["language"]))


def tell(home: "Home", vault_id: str) -> None:
    """Have a mail sent, where one was asked for; one a day."""
    if not is_possible(home) or _kept(home, vault_id) is None:
        return
    at = home.clock()
    with home.store.transact() as tx:
        job = home.outbox.enqueue(
            tx.session,
            JOB,
            at=at,
            key=at.date().isoformat(),
            owner=vault_id,
            max_attempts=_ATTEMPTS,
        )
    home.wake(job)


def register(home: "Home") -> None:
    """Give the home its handler."""

    def mail(job: Job) -> None:
        """Raises MailUnreachableError: it comes back. MailRefusedError: it is put aside."""
        server, to = home.settings.mail, _kept(home, job.owner)
        if server is None or to is None:
            return
        subject, text = _TEXTS[to.language]
        origin = home.settings.public_url or ""
        filled = text.format(link=f"{origin}/", settings=f"{origin}/coffre/avis")
        SmtpMailer(server).send(Mail(to.address, subject, filled, job.id), at=home.clock())

    home.register_job(JOB, mail)
