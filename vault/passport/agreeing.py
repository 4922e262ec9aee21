"""The citizen's answer to a service: what it would learn, and one commit when they agree.

`prepare`: (1) the service may still ask; (2) each scope is read from the open vault. Nothing left.
`agree`: (3) the request was not answered before; (4) the claims are those that were shown; (5) they
are signed and sealed; (6) one commit writes consent with its receipt, the connection, the code and
the journal entry. The browser then carries the code back.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from schemas.ids import Did, Digest, Iri, mint_iri
from schemas.records import Consent
from vault.consent import consent_receipt
from vault.errors import ActRefusedError
from vault.passport.asked import ASKED_TERM, Asked, answer_address
from vault.passport.cms import DEGREE
from vault.passport.granting import open_row, seal_row
from vault.passport.identity import GROUNDS
from vault.passport.reading import written
from vault.passport.scopes import OFFLINE, OPENID, Scope, Wish
from vault.passport.services import Service
from vault.passport.tokens import (
    ACCESS_TERM,
    CODE_KEPT,
    CODE_TERM,
    new_family,
    new_secret,
    seal_under,
    token_hash,
)
from vault.sharing import STAYS
from vault.store.passport import ConnectionRecord, PassportTable, TokenRecord

if TYPE_CHECKING:
    from vault.open_vault import OpenVault
    from vault.passport.provider import Passport

__all__ = ["KEPT", "Part", "Prepared", "agree", "paths_of", "prepare", "refuse"]

NOTICE: Final = "passport-page/1"
REMEMBERED: Final = timedelta(days=366)
"""How long the list of services names one that keeps no access."""
KEPT: Final = (timedelta(days=30), timedelta(days=91), timedelta(days=366))
"""Terms a citizen chooses from, for a service that asks to keep access."""
MAX_SNAPSHOT: Final = 100_000
"""Bytes of claims; an answer of a few kB is common."""


@dataclass(frozen=True, slots=True)
class Part:
    """One scope as the page shows it."""

    scope: Scope
    claims: Mapping[str, Any]
    missing: tuple[str, ...]
    lacking: Mapping[str, str] = field(default_factory=dict)
    """Parts of a service profile that the vault lacks, with the reason."""

    @property
    def is_choice(self) -> bool:
        """Whether the citizen may leave it out: all but the pseudonym itself."""
        return self.scope.name != OPENID


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a request would disclose now."""

    service: Service
    name: str
    """Of the service, as whoever vouches for it writes it."""
    accredited_by: Did | None
    parts: tuple[Part, ...]
    keeps: bool
    """It asks to keep access while the vault is closed, and has a key to seal to."""

    def claims(self, names: Sequence[str]) -> dict[str, Any]:
        """The claims of the chosen scopes."""
        return {
            claim: value
            for part in self.parts
            if part.scope.name in names
            for claim, value in part.claims.items()
        }

    def digest(self) -> str:
        """Of everything shown, so that what is agreed to is what was read."""
        shown = [[part.scope.name, part.claims] for part in self.parts]
        return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


def prepare(passport: "Passport", vault: "OpenVault", asked: Asked) -> Prepared:
    """Steps 1 and 2.

    Raises:
        ServiceUnknownError, ServiceNotAccreditedError.
    """
    at = passport.home.clock()
    service = passport.services.get(asked.service, at=at)  # 1
    name, accredited_by = passport.accredited_by(service)
    parts = []
    for scope in passport.scopes.read(" ".join(asked.scopes)):  # 2
        if scope.name == OFFLINE and not _may_keep(service):
            continue
        wish = Wish(asked.details.get(scope.name, {}), service.tariff_rules)
        claims, lacking = scope.answer(vault, at, wish)
        missing = tuple(c for c in scope.claims if c not in claims)
        parts.append(Part(scope, claims, missing, lacking))
    return Prepared(
        service,
        name,
        accredited_by,
        tuple(parts),
        any(part.scope.name == OFFLINE for part in parts),
    )


def _may_keep(service: Service) -> bool:
    return service.encryption_key is not None and service.auth != "none"


def paths_of(claims: Mapping[str, Any], prefix: str = "") -> tuple[str, ...]:
    """The claims by their path with dots. A field with its source is one path, and so is a claim
    that only says who certifies its neighbours."""
    found: list[str] = []
    for name, value in claims.items():
        path = f"{prefix}{name}"
        is_field = isinstance(value, Mapping) and "source" in value
        if isinstance(value, Mapping) and not is_field and not name.endswith((DEGREE, GROUNDS)):
            found += paths_of(value, f"{path}.")
        else:
            found.append(path)
    return tuple(found)


def agree(
    passport: "Passport",
    vault: "OpenVault",
    asked: Asked,
    *,
    names: Sequence[str],
    shown: str,
    keep_for: timedelta | None,
    opened_at: datetime,
) -> str:
    """Steps 1 to 6; returns the address the browser goes to. `names` are the scopes agreed to,
    `shown` the digest of what the page showed, `keep_for` how long access is kept.

    Raises:
        ActRefusedError: `answered-before`, `claims-changed`, `term-refused`, `claims-too-large`.
        Whatever `prepare` raises.
    """
    home, at = passport.home, passport.home.clock()
    prepared = prepare(passport, vault, asked)
    service = prepared.service
    if prepared.digest() != shown:  # 4, before the request is used up: the page is shown again
        raise ActRefusedError("claims-changed")
    chosen = [p.scope.name for p in prepared.parts if not p.is_choice or p.scope.name in names]
    keeps = OFFLINE in chosen
    if keeps and keep_for not in KEPT:
        raise ActRefusedError("term-refused")
    if not home.is_fresh(f"passport-asked:{service.id}", asked.id, asked.at + ASKED_TERM):  # 3
        raise ActRefusedError("answered-before")
    keep_until = at + keep_for if keeps and keep_for is not None else None
    claims = prepared.claims(chosen)
    subject = passport.subject(vault.vault_id, service)
    snapshot = written(passport, service, claims, subject=subject, at=at)  # 5
    if len(snapshot) > MAX_SNAPSHOT:
        raise ActRefusedError("claims-too-large")
    consent = _consent(
        passport,
        vault,
        prepared,
        claims,
        at=at,
        until=keep_until or at + CODE_TERM + ACCESS_TERM,
        digest=Digest(hashlib.sha256(snapshot).digest()),
    )
    code, family = new_secret(), new_family()
    name = passport.connection_id(vault.vault_id, service)
    said = {
        "service": service.id,
        "name": prepared.name,
        "party": service.party,
        "scopes": chosen,
        "consent": consent.id,
        "agreed_at": at.isoformat(),
        "keep_until": None if keep_until is None else keep_until.isoformat(),
    }
    row = ConnectionRecord(
        vault.vault_id,
        name,
        b"",
        snapshot if keeps else None,
        at,
        keep_until or at + REMEMBERED,
    )
    with vault.library.writing() as draft:  # 6
        table = PassportTable(draft.tx.session)
        table.sweep(vault.vault_id, at=at)
        row, said = _kept(passport, table.connection(vault.vault_id, name), row, said)
        sealed = seal_row(home, said, vault_id=vault.vault_id, name=name)
        table.put_connection(replace(row, sealed=sealed))
        table.put_token(
            _code_row(
                passport,
                vault,
                asked,
                service,
                code,
                family=family,
                scope=" ".join(chosen),
                subject=subject,
                snapshot=None if keeps else snapshot,
                opened_at=opened_at,
                keep_until=keep_until,
            )
        )
        vault.store_record(draft, consent)
        draft.journal(
            "service-connected",
            recipient=service.party,
            purpose=service.purpose,
            consent=consent.id,
            claims=len(consent.claims),
        )
    return answer_address(asked.redirect_uri, passport.issuer, code=code, state=asked.state)


def _kept(
    passport: "Passport",
    known: ConnectionRecord | None,
    row: ConnectionRecord,
    said: dict[str, Any],
) -> tuple[ConnectionRecord, dict[str, Any]]:
    """What the citizen let the service keep before outlives a plain sign-in: its end is the one
    they chose, and « Services reliés »."""
    if known is None or known.snapshot is None or row.snapshot is not None:
        return row, said
    before = open_row(
        passport.home, known.sealed, vault_id=known.vault_id, name=known.connection_id
    )
    scopes = list(dict.fromkeys([*before["scopes"], *said["scopes"]]))
    return (
        replace(row, snapshot=known.snapshot, expires_at=known.expires_at),
        {
            **said,
            "scopes": scopes,
            "keep_until": before["keep_until"],
            "read_on": before.get("read_on"),
        },
    )


def _code_row(
    passport: "Passport",
    vault: "OpenVault",
    asked: Asked,
    service: Service,
    code: str,
    *,
    family: bytes,
    scope: str,
    subject: str,
    snapshot: bytes | None,
    opened_at: datetime,
    keep_until: datetime | None,
) -> TokenRecord:
    at, name = passport.home.clock(), token_hash(code)
    body = {
        "service": service.id,
        "until": (at + CODE_TERM).isoformat(),
        "scope": scope,
        "redirect_uri": asked.redirect_uri,
        "nonce": asked.nonce,
        "challenge": asked.challenge,
        "auth_time": int(opened_at.timestamp()),
        "subject": subject,
        "keep_until": None if keep_until is None else keep_until.isoformat(),
        "details": {s: dict(asked.details[s]) for s in scope.split() if s in asked.details},
    }
    if snapshot is not None and service.encryption_key is None:
        snapshot = seal_under(code, snapshot)
    return TokenRecord(
        vault.vault_id,
        name,
        "code",
        passport.connection_id(vault.vault_id, service),
        family,
        seal_row(passport.home, body, vault_id=vault.vault_id, name=name),
        snapshot,
        at + CODE_KEPT,
    )


def _consent(
    passport: "Passport",
    vault: "OpenVault",
    prepared: Prepared,
    claims: Mapping[str, Any],
    *,
    at: datetime,
    until: datetime,
    digest: Digest,
) -> Consent:
    service = prepared.service
    identifier: Iri = mint_iri()
    paths = ("sub", *paths_of(claims))
    receipt = consent_receipt(
        consent=identifier,
        subject=vault.holder_did(service.party),
        recipient=service.party,
        recipient_name=prepared.name,
        controller=passport.home.did,
        purpose=service.purpose,
        claims=paths,
        kept_back=STAYS,
        credential_types=(),
        legal=None,
        retention=service.policy_uri,
        given_at=at,
        expires_at=until,
        presentation=digest,
        application=None,
        notice=NOTICE,
    )
    return Consent(
        id=identifier,
        recipient=service.party,
        recipient_name=prepared.name,
        purpose=service.purpose,
        claims=paths,
        kept_back=STAYS,
        given_at=at,
        expires_at=until,
        presentation=digest,
        receipt=receipt,
        extra={"passport": service.id},
    )


def refuse(passport: "Passport", asked: Asked) -> str:
    """The citizen says no: the address the browser goes to, with `access_denied`."""
    return answer_address(
        asked.redirect_uri, passport.issuer, error="access_denied", state=asked.state
    )
