"""Affiliation from a funder's own list of employee numbers.

A new employer has no payroll program that signs. It keeps a list of employee numbers here, hands
each person a one-time code (on paper, or by a link to a work address), and the person's vault
exchanges number and code for an `AffiliationCredential` that the funder signs (OpenID4VCI, the code
is the pre-authorised code, the number the transaction code).

```
list → code (HMAC kept, 30 days) → token (10 minutes) → nonce → proof of the holder key
     → ONE transaction: code used by this key, earlier affiliation revoked, place in the status list
left → affiliation revoked at once; applications already sent go on, a person decides
```

Who holds the code and the number is taken for the employee: the funder vouches by handing it over.
A code is used by one holder key (the same one may ask again when an answer was lost), ends with its
term, and is taken back by a newer one. Nothing tells a wrong number from a wrong code.
"""

import base64
import dataclasses
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from federation.aids.model import FunderLevel, IdentityLevel
from federation.aids.national import FMD_FAMILY, PASS_FAMILY
from federation.credentials import Check, Nullifier, issue
from federation.credentials import Outcome as CheckOutcome
from federation.credentials.policy import Evidenced
from federation.credentials.types import affiliation
from federation.hub.access import Action
from federation.hub.csv_files import write_csv
from federation.hub.errors import (
    ColleagueUnknownError,
    EntryRefusedError,
    NotAllowedError,
    RequestUnknownError,
)
from federation.hub.keys import HubKeys
from federation.hub.members import Member
from federation.hub.model import Employee, EmployeeState, Funder
from federation.hub.publishing import PublishingService
from federation.hub.registry import RegistryService
from federation.hub.settings import HubSettings
from federation.hub.staff_list import STATUSES, canonical_number, read_staff_list
from federation.hub.status_lists import StatusLists
from federation.hub.store import HubStore
from federation.openid4vci import (
    PRE_AUTHORIZED,
    CredentialOffer,
    CredentialRequest,
    IssuanceError,
    TokenRequest,
    issuer_metadata,
    verify_proof_jwt,
)
from federation.trust import Role
from schemas.ids import Did, mint_iri

__all__ = ["CODES_HEADS", "AffiliationService", "Imported", "OwnAffiliation", "StaffPage"]

CONFIGURATION: Final = "AffiliationCredential"
CODE_LIFE: Final = timedelta(days=30)
TOKEN_LIFE: Final = timedelta(minutes=10)
NONCE_LIFE: Final = timedelta(minutes=5)
VALIDITY: Final = timedelta(days=365)
"""A year, as payroll's own affiliations: then the funder says again who is there."""
PAGE: Final = 100
CODES_HEADS: Final = ("matricule", "code", "valable_jusqu_au")
_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""30 characters nobody takes for another on paper: 12 of them are 58 bits."""
_GROUPS: Final = 3


@dataclass(frozen=True, slots=True)
class Imported:
    """What pasting a list changed."""

    added: int
    changed: int
    left: int


@dataclass(frozen=True, slots=True)
class StaffPage:
    """One page of the list."""

    employees: tuple[Employee, ...]
    next: str
    """Number after which the next page begins; empty at the end."""
    counts: dict[EmployeeState, int]
    """Of the whole list."""


class OwnAffiliation:
    """An affiliation that another hosted funder signed says nothing here: a funder vouches for its
    own people only. Payroll issuers that the hub accredited are no funders."""

    def __init__(self, funder: Did) -> None:
        self._funder = funder

    def check(self, evidence: Evidenced) -> Sequence[Check]:
        """See `Policy`."""
        params = {"policy": "own-affiliation", "type": CONFIGURATION}
        for credential in evidence.of_type(CONFIGURATION):
            entry = evidence.trust.entry(credential.issuer)
            is_funder = entry is not None and Role.FUNDER in entry.roles
            if is_funder and credential.issuer != self._funder:
                return [
                    Check(8, "policy-unmet", CheckOutcome.FAIL, "signed by another funder", params)
                ]
        return [Check(8, "policy", CheckOutcome.PASS, "own-affiliation", params)]


class AffiliationService:
    """Keeps staff lists and signs affiliations for hosted employers."""

    def __init__(
        self,
        settings: HubSettings,
        store: HubStore,
        *,
        keys: HubKeys,
        publishing: PublishingService,
        registry: RegistryService,
        status_lists: StatusLists,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._store = store
        self._keys = keys
        self._publishing = publishing
        self._registry = registry
        self._status_lists = status_lists
        self._clock = clock

    # -- the list ---------------------------------------------------------------------------------

    def funder_of(self, member: Member) -> Funder:
        """The funder whose list a member keeps. Raises NotAllowedError."""
        member.require(Action.MANAGE_STAFF)
        found = self._publishing.funder(member.funder) if member.funder else None
        if found is None:
            raise NotAllowedError
        return found

    def is_possible(self, member: Member) -> bool:
        """Whether this funder keeps a list: an employer whose aids do not already rest on an
        issuer the hub accredited apart."""
        return self._may_list(self.funder_of(member))

    def _may_list(self, funder: Funder) -> bool:
        if funder.level != FunderLevel.EMPLOYER.value:
            return False
        return all(
            aid.family_issuer == funder.did
            for aid in self._publishing.catalogue().aids
            if aid.funder == funder.did
            and aid.family
            and aid.identity_level is IdentityLevel.EMPLOYER
        )

    def staff(self, member: Member, *, search: str = "", after: str = "") -> StaffPage:
        """One page of the member's list.

        Raises:
            NotAllowedError.
        """
        funder, now = self.funder_of(member), self._clock()
        with self._store.read() as reader:
            everyone = reader.employees(funder.slug)
            found = reader.employees(
                funder.slug, search=canonical_number(search), after=after, limit=PAGE + 1
            )
        counts = dict.fromkeys(EmployeeState, 0)
        for employee in everyone:
            counts[employee.state(now)] += 1
        more = found[PAGE - 1].key if len(found) > PAGE else ""
        return StaffPage(found[:PAGE], more, counts)

    def import_list(
        self, member: Member, text: str, *, status: str, replace: bool = False
    ) -> Imported:
        """Add or change the pasted lines; with `replace` whoever is not in them has left.

        Somebody who left and stands in the list again is listed again, without an affiliation.

        Raises:
            NotAllowedError, FileRefusedError, EntryRefusedError: `status`, or `issuer`: the aids
            rest on another issuer.
        """
        funder, now = self.funder_of(member), self._clock()
        if status not in STATUSES:
            raise EntryRefusedError("not an employment status", where="status")
        if not self._may_list(funder):
            raise EntryRefusedError("the aids rest on another issuer", where="issuer")
        lines = read_staff_list(text, status=status)
        added = changed = left = 0
        with self._store.transact() as tx:
            known = {employee.key: employee for employee in tx.employees(funder.slug)}
            for line in lines:
                key = canonical_number(line.number)
                before = known.pop(key, None)
                if before is None:
                    added += 1
                    fresh = Employee(
                        id=str(uuid.uuid4()),
                        funder=funder.slug,
                        number=line.number,
                        key=key,
                        status=line.status,
                        mail=line.mail,
                        added_at=now,
                    )
                    tx.put_employee(fresh)
                    continue
                after = dataclasses.replace(
                    before,
                    number=line.number,
                    status=line.status,
                    mail=line.mail or before.mail,
                    left_at=None,
                )
                if after != before:
                    changed += 1
                    tx.put_employee(after)
            if replace:
                for employee in known.values():
                    if employee.left_at is None:
                        left += 1
                        self._leave(tx, employee, now)
        return Imported(added, changed, left)

    def leave(self, member: Member, employee_id: str) -> Employee:
        """Somebody left: their affiliation is revoked now, their code is worth nothing.

        Raises:
            NotAllowedError, ColleagueUnknownError: nobody of this list.
        """
        funder, now = self.funder_of(member), self._clock()
        with self._store.transact() as tx:
            found = tx.lock_employee(employee_id)
            if found is None or found.funder != funder.slug:
                raise ColleagueUnknownError
            return self._leave(tx, found, now)

    @staticmethod
    def _leave(tx: Any, employee: Employee, at: datetime) -> Employee:
        if employee.credential is not None:
            tx.revoke_credential(employee.credential, at=at)
        gone = dataclasses.replace(
            employee,
            mail="",
            code=None,
            code_until=None,
            code_holder=None,
            credential=None,
            affiliated_at=None,
            left_at=employee.left_at or at,
        )
        tx.put_employee(gone)
        return gone

    # -- codes ------------------------------------------------------------------------------------

    def codes(self, member: Member, employee_ids: Sequence[str] = ()) -> bytes:
        """A table of fresh codes to hand over (`CODES_HEADS`), shown this once; of everybody who
        has neither an affiliation nor a code that is out, or of those named.

        Raises:
            NotAllowedError, ColleagueUnknownError: nobody of this list, or somebody who left.
        """
        funder, now = self.funder_of(member), self._clock()
        rows = []
        with self._store.transact() as tx:
            if employee_ids:
                chosen = [tx.lock_employee(identifier) for identifier in employee_ids]
            else:
                chosen = [
                    e for e in tx.employees(funder.slug) if e.state(now) is EmployeeState.LISTED
                ]
            for employee in chosen:
                if (
                    employee is None
                    or employee.funder != funder.slug
                    or employee.left_at is not None
                ):
                    raise ColleagueUnknownError
                code, changed = self.fresh_code(employee, now)
                tx.put_employee(changed)
                until = (now + CODE_LIFE).date().isoformat()
                rows.append((employee.number, code, until))
        return write_csv(CODES_HEADS, rows)

    def fresh_code(self, employee: Employee, at: datetime) -> tuple[str, Employee]:
        """A new code, and the line that knows its MAC; the one before is worth nothing."""
        characters = "".join(secrets.choice(_ALPHABET) for _ in range(4 * _GROUPS))
        code = "-".join(characters[n : n + 4] for n in range(0, len(characters), 4))
        changed = dataclasses.replace(
            employee,
            code=self._mac(employee.funder, employee.key, code),
            code_until=at + CODE_LIFE,
            code_holder=None,
        )
        return code, changed

    def _mac(self, slug: str, key: str, code: str) -> str:
        plain = "".join(c for c in code.upper() if c in _ALPHABET)
        message = json.dumps([slug, key, plain], ensure_ascii=False).encode()
        return hmac.new(self._secret, b"code\0" + message, hashlib.sha256).hexdigest()

    @property
    def _secret(self) -> bytes:
        return self._keys.secret("affiliations")

    # -- the issuer's side of OpenID4VCI ----------------------------------------------------------

    def _issuer(self, slug: str) -> tuple[Funder, str]:
        funder = self._publishing.funder(slug)
        if funder is None or funder.slug != slug or not self._may_list(funder):
            raise RequestUnknownError
        return funder, f"{self._settings.origin}/financeurs/{slug}"

    def metadata(self, slug: str) -> dict[str, Any]:
        """Credential issuer metadata of one funder.

        Raises:
            RequestUnknownError: no such funder, or one that keeps no list.
        """
        funder, issuer = self._issuer(slug)
        return issuer_metadata(issuer, {CONFIGURATION: CONFIGURATION}, name=funder.name)

    def server_metadata(self, slug: str) -> dict[str, Any]:
        """Authorisation server metadata (RFC 8414) of one funder.

        Raises:
            RequestUnknownError.
        """
        _, issuer = self._issuer(slug)
        return {
            "issuer": issuer,
            "token_endpoint": f"{issuer}/token",
            "grant_types_supported": [PRE_AUTHORIZED],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["none"],
            "pre-authorized_grant_anonymous_access_supported": True,
        }

    def offer(self, slug: str, code: str) -> dict[str, Any]:
        """The offer of a code, as a link carries it.

        Raises:
            RequestUnknownError.
        """
        _, issuer = self._issuer(slug)
        offer = CredentialOffer(issuer, (CONFIGURATION,), code).to_json()
        offer["grants"][PRE_AUTHORIZED]["tx_code"] = {
            "input_mode": "text",
            "description": "Votre matricule",
        }
        return offer

    def offer_link(self, slug: str, code: str) -> str:
        """The offer as a link, for any wallet. Raises RequestUnknownError."""
        text = json.dumps(self.offer(slug, code), separators=(",", ":"))
        return f"openid-credential-offer://?credential_offer={quote(text, safe='')}"

    def token(self, slug: str, asked: TokenRequest) -> tuple[str, timedelta]:
        """An access token for a number and its code; the code is not used up yet.

        Raises:
            RequestUnknownError; IssuanceError: `invalid_grant`, whatever is wrong.
        """
        self._issuer(slug)
        key, now = canonical_number(asked.tx_code or ""), self._clock()
        with self._store.read() as reader:
            found = reader.employee_of_key(slug, key)
        if found is None or not self.is_code_of(found, asked.pre_authorized_code, now):
            raise IssuanceError("invalid_grant")
        assert found.code is not None  # noqa: S101 - the code is this line's
        return self.seal("token", [found.id, found.code], now + TOKEN_LIFE), TOKEN_LIFE

    def nonce(self, slug: str) -> str:
        """A nonce for one proof of possession, good for five minutes.

        Raises:
            RequestUnknownError.
        """
        self._issuer(slug)
        return self.seal("nonce", [secrets.token_hex(16)], self._clock() + NONCE_LIFE)

    def credential(self, slug: str, token: str, body: bytes) -> dict[str, Any]:
        """Sign the affiliation to the key that the proof shows; the code is used up.

        Steps: (1) the token; (2) the request, one proof; (3) its nonce is ours and fresh; (4) the
        proof; (5) in one transaction: nonce used once, the code still this line's and used by no
        other key, the affiliation before revoked, a place in the status list.

        Raises:
            RequestUnknownError; IssuanceError: `invalid_token`, `invalid_proof`, `invalid_nonce`…
        """
        funder, issuer = self._issuer(slug)
        now = self._clock()
        employee_id, code = self.unseal("token", token, now, "invalid_token")  # (1)
        asked = CredentialRequest.from_json(body, offered=frozenset((CONFIGURATION,)))  # (2)
        if len(asked.proofs) != 1:
            raise IssuanceError("invalid_proof", "one proof")
        nonce = _nonce_of(asked.proofs[0])
        self.unseal("nonce", nonce, now, "invalid_nonce")  # (3)
        holder = verify_proof_jwt(asked.proofs[0], audience=issuer, nonce=nonce, at=now)  # (4)
        self._accredit(funder)
        with self._store.transact() as tx:  # (5)
            tx.forget_tokens(before=now)
            digest = hashlib.sha256(nonce.encode()).hexdigest()
            if not tx.use_token("affiliation-nonce", digest, expires_at=now + NONCE_LIFE):
                raise IssuanceError("invalid_nonce")
            found = tx.lock_employee(employee_id)
            if (
                found is None
                or found.left_at is not None
                or found.code != code
                or found.code_until is None
                or now >= found.code_until
                or found.code_holder not in (None, holder)
            ):
                raise IssuanceError("invalid_token")
            if found.credential is not None:
                tx.revoke_credential(found.credential, at=now)
            identifier = mint_iri()
            status = self._status_lists.take(tx, slug, identifier)
            tx.put_employee(
                dataclasses.replace(
                    found, code_holder=holder, credential=identifier, affiliated_at=now
                )
            )
        document = affiliation(
            holder=holder,
            employer_name=funder.name,
            employer_id=funder.siret,
            employee_number=found.number,
            status=found.status,
            nullifiers=[
                Nullifier(family, "1", self._nullifier(funder, family, found.key))
                for family in sorted(self._families(funder))
            ],
            valid_until=now + VALIDITY,
        )
        signer = self._keys.signer(funder.slug, funder.did)
        return issue(document, signer=signer, at=now, status=status)

    def _nullifier(self, funder: Funder, family: str, key: str) -> str:
        """HMAC(k_F, SIRET:NUMBER), k_F of this funder and family alone."""
        secret = self._keys.secret(f"{funder.slug}.affiliations")
        family_key = hmac.new(secret, f"family/{family}/1".encode(), hashlib.sha256).digest()
        return hmac.new(family_key, f"{funder.siret}:{key}".encode(), hashlib.sha256).hexdigest()

    def _families(self, funder: Funder) -> frozenset[str]:
        return frozenset((FMD_FAMILY, PASS_FAMILY)) | {
            aid.family
            for aid in self._publishing.catalogue().aids
            if aid.funder == funder.did
            and aid.family
            and aid.identity_level is IdentityLevel.EMPLOYER
        }

    def _accredit(self, funder: Funder) -> None:
        """The funder may sign affiliations with itself, for the families of its aids."""
        self._publishing.accredit_funder(funder)
        entry = self._registry.entry(funder.did)
        if entry is None:
            raise RequestUnknownError
        wanted = dataclasses.replace(
            entry,
            roles=entry.roles | {Role.EMPLOYER},
            credential_types=entry.credential_types | {CONFIGURATION},
            nullifier_families=entry.nullifier_families | self._families(funder),
        )
        if wanted != entry:
            self._registry.accredit(wanted)

    def accredit(self, member: Member) -> None:
        """Let the member's funder sign affiliations, once it may keep a list and has an aid."""
        funder = self._publishing.funder(member.funder) if member.funder else None
        if funder is not None and self._may_list(funder):
            self._accredit(funder)

    def is_code_of(self, employee: Employee, code: str, at: datetime) -> bool:
        """Whether a code is the one that is out for a line, and still good."""
        if employee.left_at is not None or employee.code is None or employee.code_until is None:
            return False
        wanted = self._mac(employee.funder, employee.key, code)
        return at < employee.code_until and hmac.compare_digest(employee.code, wanted)

    def seal(self, kind: str, values: list[str], until: datetime) -> str:
        """Values and their end, signed (HMAC-SHA-256 under a key of the hub), for an address."""
        body = json.dumps([*values, int(until.timestamp())], separators=(",", ":")).encode()
        mac = hmac.new(self._secret, f"{kind}\0".encode() + body, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(mac + body).rstrip(b"=").decode()

    def unseal(self, kind: str, sealed: str, at: datetime, error: str) -> list[str]:
        """Inverse of `seal`. Raises IssuanceError `error`: not signed here for `kind`, or late."""
        try:
            if not sealed.isascii() or len(sealed) > 500:
                raise ValueError
            data = base64.b64decode(
                sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True
            )
        except ValueError:
            raise IssuanceError(error) from None
        mac, body = data[:32], data[32:]
        wanted = hmac.new(self._secret, f"{kind}\0".encode() + body, hashlib.sha256).digest()
        if not hmac.compare_digest(mac, wanted):
            raise IssuanceError(error)
        *values, until = json.loads(body)
        if at.timestamp() >= until:
            raise IssuanceError(error)
        return [str(value) for value in values]


def _nonce_of(proof: str) -> str:
    """The nonce a proof claims, before anything about it is believed."""
    try:
        payload = proof.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, RecursionError):
        raise IssuanceError("invalid_proof") from None
    nonce = claims.get("nonce") if isinstance(claims, dict) else None
    if not isinstance(nonce, str):
        raise IssuanceError("invalid_proof", "nonce is missing")
    return nonce
