"""Services a vault is connected to, as its owner sees and ends them.

Ending is one commit: connection, codes and tokens are deleted, every consent given to the service
is withdrawn, and where the service registered an address for it a blind job tells it (OpenID
Connect Back-Channel Logout 1.0): what it may do with what it read is then governed by its notice.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from federation.multibase import b64url
from federation.sealing import entropy
from federation.wire.jobs import Job
from schemas.ids import Iri
from schemas.records import Consent, Kind
from vault.consent import withdrawn_receipt
from vault.delivery import open_job, seal_job
from vault.passport.errors import ConnectionUnknownError
from vault.passport.granting import open_row
from vault.passport.services import Service
from vault.store.passport import ConnectionRecord, PassportTable

if TYPE_CHECKING:
    from vault.home import Home
    from vault.library import Draft
    from vault.open_vault import OpenVault
    from vault.passport.provider import Passport

__all__ = ["Connection", "connections", "end", "end_consent", "register"]

TELL: Final = "passport-logout"
_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_TOKEN_TERM_S: Final = 120


@dataclass(frozen=True, slots=True)
class Connection:
    """One connected service."""

    id: str
    service_id: str
    name: str
    scopes: tuple[str, ...]
    since: datetime
    agreed_at: datetime
    keep_until: datetime | None
    """Until when it may read while the vault is closed; None: it keeps nothing."""
    read_on: str | None
    """Last day it read, ISO 8601."""
    consent: Iri
    service: Service | None
    """As registered now; None: this home does not know it any more."""
    has_access: bool
    """Whether it holds a refresh token that counts."""


def connections(vault: "OpenVault") -> list[Connection]:
    """Every connected service, oldest first."""
    home = vault.home
    at = home.clock()
    with home.store.read() as reader:
        table = PassportTable(reader.session)
        rows = [row for row in table.connections(vault.vault_id) if at < row.expires_at]
        live = {
            row.connection_id
            for row in rows
            if table.has_family(vault.vault_id, row.connection_id, at=at)
        }
    return [_read(home, row, has_access=row.connection_id in live) for row in rows]


def _read(home: "Home", row: ConnectionRecord, *, has_access: bool) -> Connection:
    body = open_row(home, row.sealed, vault_id=row.vault_id, name=row.connection_id)
    keep_until = body["keep_until"]
    return Connection(
        id=row.connection_id.hex(),
        service_id=body["service"],
        name=body["name"],
        scopes=tuple(body["scopes"]),
        since=row.since,
        agreed_at=datetime.fromisoformat(body["agreed_at"]),
        keep_until=None if keep_until is None else datetime.fromisoformat(keep_until),
        read_on=body.get("read_on"),
        consent=Iri(body["consent"]),
        service=home.passport.services.find(body["service"]),
        has_access=has_access,
    )


def end(passport: "Passport", vault: "OpenVault", connection_id: str) -> str:
    """End one connection; returns the name of the service.

    Raises:
        ConnectionUnknownError.
    """
    found = next((c for c in connections(vault) if c.id == connection_id), None)
    if found is None:
        raise ConnectionUnknownError
    _end(passport, vault, found.service_id)
    return found.name


def end_consent(passport: "Passport", vault: "OpenVault", consent: Consent) -> None:
    """Withdrawing one consent given to a service ends the connection, and withdraws the others:
    its tokens do not tell one from the other."""
    _end(passport, vault, str(consent.extra["passport"]))


def _end(passport: "Passport", vault: "OpenVault", service_id: str) -> None:
    home = passport.home
    at = home.clock()
    name = home.seal.tag(vault.vault_id, service_id, purpose="passport/connection")
    given = [
        record
        for record in vault.all(Kind.CONSENT)
        if isinstance(record, Consent)
        and record.extra.get("passport") == service_id
        and record.withdrawn_at is None
    ]
    service = passport.services.find(service_id)
    with vault.library.writing() as draft:
        PassportTable(draft.tx.session).delete_connection(vault.vault_id, name)
        for record in given:
            changed = replace(
                record, withdrawn_at=at, receipt=withdrawn_receipt(record.receipt, at=at)
            )
            vault.store_record(draft, changed)
        draft.journal(
            "service-ended",
            recipient=given[0].recipient if given else service.party if service else "",
            count=len(given),
        )
        if service is not None and service.backchannel_uri is not None:
            _tell(passport, draft, service, at=at)


def _tell(passport: "Passport", draft: "Draft", service: Service, *, at: datetime) -> None:
    home = passport.home
    job = draft.enqueue(
        TELL,
        key=f"{service.id} {at.isoformat()}"[-128:],
        payload=seal_job(
            home,
            draft.vault_id,
            TELL,
            {
                "service": service.id,
                "subject": passport.subject(draft.vault_id, service),
            },
        ),
    )
    draft.after_commit.append(lambda: home.wake(job))


def logout_token(passport: "Passport", service: Service, subject: str) -> str:
    """A signed statement that this person's sessions at the service are over (Back-Channel Logout
    1.0 §2.4): made when it is sent, because it lives two minutes."""
    at = int(passport.home.clock().timestamp())
    claims: dict[str, Any] = {
        "iss": passport.issuer,
        "aud": service.id,
        "sub": subject,
        "iat": at,
        "exp": at + _TOKEN_TERM_S,
        "jti": b64url(entropy.token(16)),
        "events": {_EVENT: {}},
    }
    return passport.sign(claims, typ="logout+jwt")


def register(home: "Home") -> None:
    """Give the home the job that tells a service."""

    def tell(job: Job) -> None:
        body, passport = open_job(home, job), home.passport
        service = passport.services.find(body["service"])
        if service is None or service.backchannel_uri is None:
            return
        token = logout_token(passport, service, body["subject"])
        home.http.post(
            service.backchannel_uri,
            form={"logout_token": token},
            accept=("*/*",),
            statuses=(200, 204),
        )
        home.journal_locked(job.owner, "service-told", actor="home", recipient=service.party)

    home.register_job(TELL, tell)
