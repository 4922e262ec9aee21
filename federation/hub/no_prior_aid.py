"""That nobody holds a nullifier just now, signed by the hub that keeps the family's ledger.

The holder shows the credential that carries the nullifier, as at intake (pivot: the identity
SD-JWT with this family alone disclosed; employer: the affiliation), under the key it will present
with elsewhere; the hub looks into its ledger and signs a `NoPriorAidCredential` to that key. It
reserves nothing: it says how the ledger stood at `checkedAt`. A claim made afterwards wins all the
same, where the claim is made.

Steps of `issue`: (1) the family is one this hub keeps; (2) the period; (3) the nonce is ours, fresh
and used once; (4) the presentation, by the verification steps of the intake, with one credential
that carries the nullifier, from the family's issuer; (5) how often this person asks; (6) the
ledger; (7) the signature.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from federation.aids.prior_aid import NO_PRIOR_AID
from federation.credentials import (
    AnyOf,
    Check,
    Evidenced,
    HasNullifier,
    Outcome,
    Policy,
    VerificationError,
    issue,
)
from federation.credentials.types import credential_body
from federation.hub.affiliations import AffiliationService
from federation.hub.asking import NULLIFIED_BY
from federation.hub.errors import (
    AlreadyAwardedError,
    ChallengeExpiredError,
    ChallengeUsedError,
    FamilyUnknownError,
    PackageRefusedError,
    PeriodRefusedError,
    PriorAidBusyError,
)
from federation.hub.facts import nullifier_of
from federation.hub.model import Hold
from federation.hub.publishing import PublishingService
from federation.hub.rate import Rate
from federation.hub.settings import HubSettings
from federation.hub.store import HubStore
from federation.hub.verifying import VerifyService
from federation.keys import Signer
from federation.openid4vci import IssuanceError
from federation.openid4vp import client_id_of
from federation.trust import Role

__all__ = ["LIFETIME", "Asked", "NoPriorAid", "NoPriorAidService"]

LIFETIME: Final = timedelta(hours=2)
"""How long what was signed is good: the ten minutes a request may be answered, and time for a
package that an outage of an hour keeps from being verified at once. Longer would say too little of
the ledger as it is; there is no status list, as nothing that short needs one."""
NONCE_LIFE: Final = timedelta(minutes=5)
MOST_A_PERSON: Final = 30
"""Credentials for one nullifier in an hour: each application of one person prepares one, or a few
when the citizen goes back. Counted in each worker."""
MOST_AN_ADDRESS: Final = 600
"""Requests of one address in a minute, as for witnessed heads: a home asks for all its citizens."""
MAX_SPAN: Final = timedelta(days=366 * 21)
"""A year, and the longest cool-down of an aid after it."""
_NONCE: Final = "no-prior-aid"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the ledger is asked, and what shows who asks."""

    family: str
    version: int
    period: tuple[date, date]
    nonce: str
    presentation: Mapping[str, Any] | None = None
    """With the affiliation; or"""
    token: str | None = None
    """the identity SD-JWT, presented."""
    application: str | None = None
    """An application of this holder, whose own reservation does not count."""


@dataclass(frozen=True, slots=True)
class NoPriorAid:
    """A hub signed that nobody holds the family's nullifier, for the whole of a period."""

    family: str
    version: str
    period: tuple[date, date]

    def check(self, evidence: Evidenced) -> tuple[Check, ...]:
        """See `Policy`."""
        since, until = (day.isoformat() for day in self.period)
        for credential in evidence.of_type(NO_PRIOR_AID):
            said, entry = credential.subject, evidence.trust.entry(credential.issuer)
            if (
                entry is not None
                and Role.HUB in entry.roles
                and (said["family"], said["version"]) == (self.family, self.version)
                and said["periodFrom"] <= since
                and said["periodUntil"] >= until
            ):
                return (Check(8, "policy", Outcome.PASS, "no-prior-aid", {"policy": _NONCE}),)
        detail = "no hub says so for this family and period"
        return (Check(8, "policy-unmet", Outcome.FAIL, detail, {"policy": _NONCE}),)


class NoPriorAidService:
    """Answers how the ledger stands, to who holds the nullifier."""

    def __init__(
        self,
        settings: HubSettings,
        store: HubStore,
        *,
        signer: Signer,
        publishing: PublishingService,
        verifying: VerifyService,
        affiliations: AffiliationService,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._store = store
        self._signer = signer
        self._publishing = publishing
        self._verifying = verifying
        self._affiliations = affiliations
        self._clock = clock
        self._addresses = Rate(MOST_AN_ADDRESS, timedelta(minutes=1), clock)
        self._persons = Rate(MOST_A_PERSON, timedelta(hours=1), clock)

    def admit(self, address: str) -> None:
        """Count a request of this address.

        Raises:
            PriorAidBusyError: too many this minute.
        """
        wait = self._addresses.count(address)
        if wait is not None:
            raise PriorAidBusyError(wait)

    def nonce(self) -> str:
        """A nonce for one presentation, good for five minutes."""
        values = [secrets.token_hex(16)]
        return self._affiliations.seal(_NONCE, values, self._clock() + NONCE_LIFE)

    def issue(self, asked: Asked) -> dict[str, Any]:
        """Steps 1 to 7.

        Raises:
            FamilyUnknownError, PeriodRefusedError, ChallengeExpiredError, ChallengeUsedError,
            PackageRefusedError, UnverifiableError, PriorAidBusyError;
            AlreadyAwardedError: held; by whom is not said.
        """
        now = self._clock()
        policy = self._policy(asked)  # (1)
        since, until = asked.period  # (2)
        if since > until:
            raise PeriodRefusedError("it ends before it begins")
        if until - since > MAX_SPAN:
            raise PeriodRefusedError("longer than a year and the longest cool-down")
        try:
            self._affiliations.unseal(_NONCE, asked.nonce, now, "invalid_nonce")  # (3)
        except IssuanceError:
            raise ChallengeExpiredError from None
        try:
            verified = self._verifying.answer(  # (4)
                asked.presentation,
                () if asked.token is None else (asked.token,),
                policy,
                challenge=asked.nonce,
                domain=client_id_of(self._settings.did),
                at=now,
                presented_at=now,
            )
        except VerificationError as error:
            raise PackageRefusedError(error.checks) from error
        nullifier = nullifier_of(verified, asked.family, asked.version)
        if len(verified.credentials) != 1 or nullifier is None:
            detail = "the credential that carries the nullifier, and no other"
            failed = Check(8, "policy-unmet", Outcome.FAIL, detail, {"policy": _NONCE})
            raise PackageRefusedError((*verified.checks, failed))
        hold = Hold(asked.family, asked.version, nullifier, asked.period)
        wait = self._persons.count(f"{hold.family}/{hold.version}/{hold.nullifier}")  # (5)
        if wait is not None:
            raise PriorAidBusyError(wait)
        digest = hashlib.sha256(asked.nonce.encode()).hexdigest()
        with self._store.transact() as tx:  # (3), (6)
            tx.forget_tokens(before=now)
            if not tx.use_token(_NONCE, digest, expires_at=now + NONCE_LIFE):
                raise ChallengeUsedError
            own = None if asked.application is None else tx.lock_application(asked.application)
            mine = "" if own is None or own.holder != verified.holder else own.id
            is_held = tx.is_held(hold, mine)
        if is_held:
            raise AlreadyAwardedError(asked.family, asked.period)
        body = credential_body(  # (7)
            NO_PRIOR_AID,
            holder=verified.holder,
            members={
                "family": asked.family,
                "version": str(asked.version),
                "periodFrom": since,
                "periodUntil": until,
                "checkedAt": now,
            },
            valid_until=now + LIFETIME,
        )
        return issue(body, signer=self._signer, at=now)

    def _policy(self, asked: Asked) -> Policy:
        """Whoever signs the family's nullifiers, as the aids of this hub name it."""
        carried = {
            (NULLIFIED_BY[aid.identity_level], aid.family_issuer)
            for aid in self._publishing.catalogue().aids
            if (aid.family, aid.family_version) == (asked.family, asked.version)
            and aid.identity_level in NULLIFIED_BY
        }
        if not carried:
            raise FamilyUnknownError(asked.family)
        version = str(asked.version)
        return AnyOf(
            [
                HasNullifier(credential_type, asked.family, version, issuer)
                for credential_type, issuer in sorted(carried, key=str)
            ]
        )
