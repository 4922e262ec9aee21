"""The locked half of a standing consent: one blind job a period, with the grant and nothing else.

One that applies for an aid (`Terms.limits`) asks first what the period gives a right to
(`vault/entitlement.py`): nothing leaves for nothing, and beyond what was agreed a draft is left for
the citizen instead.

A run: (1) the grant is there, not paused, and this period was not answered yet, (2) nothing waits
in the drop-box that only an opening takes in, else it is put off, (3) grant and terms open with the
home's delegation key, (4) the verifier is accredited, asked for its request, and the request asks
no more than was agreed, and the hub says how its ledger stands where the request wants it, (5) the
usage proof over the months the grant opens, each checked against
its manifest, (6) one presentation for this audience and challenge, (7) one commit: outbox row
(`deliver`, as any share), what the vault takes in at its next opening, journal, state, next run.

Left out, because the head opens with the ring alone: whether a month's manifest is the newest. The
home could run with an older one; the next opening would refuse it by name.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from federation.aids.prior_aid import NO_PRIOR_AID
from federation.credentials.held import Held, read_held
from federation.errors import HubRefusedError
from federation.keys import P256Key, did_key
from federation.multibase import b64url_decode
from federation.openid4vp import (
    PresentationRequest,
    build_response,
    build_token,
    verify_request,
)
from federation.sealing.box import BoxPublicKey
from federation.wire.jobs import Job
from schemas.errors import MobilityError, Retriable
from schemas.ids import Did, Iri, mint_iri
from schemas.records import (
    Application,
    ApplicationState,
    Compartment,
    Consent,
    Kind,
    NamedPlace,
    Transition,
    Trip,
)
from vault.consent import consent_receipt
from vault.crypto.envelope import RecordHeader, open_record
from vault.crypto.grant import OpenedGrant, open_grant
from vault.crypto.head import ManifestRow, MonthManifest
from vault.crypto.secret import zero
from vault.delivery import DELIVER, HUB, NoHubError, seal_job
from vault.entitlement import Verdicts, entitled, past_of
from vault.errors import RecordUnknownError, ShareRefusedError
from vault.journal import append
from vault.months import MonthName, month_of
from vault.observed import Observed
from vault.prior_aid import ask_ledger
from vault.sharing import Answer, answer_request
from vault.standing_terms import (
    Limits,
    Outcome,
    Period,
    Run,
    Sent,
    State,
    Terms,
    months_of,
    open_terms,
    period_after,
    put_state,
    seal_sent,
    sent_name,
    state_of,
    terms_name,
)
from vault.stored import read_record
from vault.usage_proof import count_usage

if TYPE_CHECKING:
    from federation.keys import Signer
    from schemas.units import Cents
    from vault.home import Home
    from vault.store import Reader, Transactor

__all__ = ["JOB", "READY", "enqueue", "register"]

_log = structlog.get_logger(__name__)

JOB: Final = "standing"
WAITS_FOR: Final = timedelta(days=7)
"""How long a run waits for an opening that takes in what the drop-box holds."""
TRIED_FOR: Final = timedelta(days=10)
"""How long a run is tried when somebody cannot be reached."""
READY: Final = "readyToSend"
"""Member of a draft that a run left: under which consent, for how much, why it was not sent."""
ASKS_MORE: Final = "asks-more"
_NOTICE: Final = "standing-consent-page/1"


def due_at(period: Period) -> datetime:
    """The morning after the period ended, spread over four hours so that a home's vaults do not all
    ask at once."""
    morning = datetime.combine(period[1] + timedelta(days=1), datetime.min.time(), UTC)
    return morning + timedelta(hours=6, minutes=secrets.randbelow(240))


def enqueue(
    home: "Home",
    tx: "Transactor",
    vault_id: str,
    grant_id: str,
    *,
    period: Period,
    due: datetime,
    application: Iri | None = None,
    attempt: int = 0,
) -> Job:
    """The next attempt at a period. Its application keeps its id from attempt to attempt."""
    body = {
        "grant": grant_id,
        "period": [day.isoformat() for day in period],
        "application": application or mint_iri(),
        "attempt": attempt,
    }
    return home.outbox.enqueue(
        tx.session,
        JOB,
        at=home.clock(),
        key=secrets.token_hex(16),
        owner=vault_id,
        payload=seal_job(home, vault_id, JOB, body),
        due_at=due,
    )


def register(home: "Home") -> None:
    """Give the home its handler."""

    def run(job: Job) -> None:
        body = json.loads(home.seal.open(job.payload, purpose=f"job/{JOB}", aad=job.owner.encode()))
        since, until = (date.fromisoformat(day) for day in body["period"])
        _Attempt(home, job, body["grant"], (since, until), body).run()

    home.register_job(JOB, run)


class _Attempt:
    """One attempt at one period of one standing consent."""

    def __init__(
        self, home: "Home", job: Job, grant_id: str, period: Period, body: Mapping[str, Any]
    ) -> None:
        self.home, self.job, self.vault_id = home, job, job.owner
        self.grant_id, self.period = grant_id, period
        self.application, self.attempt = Iri(body["application"]), int(body["attempt"])
        self.at = home.clock()

    def run(self) -> None:
        found = self._begin()  # 1
        if found is None:
            return
        terms, grant, state, waiting = found
        verdicts = Verdicts(Outcome.SENT)
        with grant:
            if waiting and self.at - self._ended() < WAITS_FOR:  # 2
                self._again(terms, Outcome.WAITING, after=timedelta(days=1), left_out=waiting)
                return
            try:
                if terms.limits is not None:
                    verdicts = self._entitled(terms, terms.limits, grant, state)
                    if verdicts.outcome == Outcome.READY:
                        self._ready(terms, verdicts)
                        return
                    if verdicts.outcome != Outcome.SENT:
                        self._over(terms, verdicts.outcome, code=verdicts.code)
                        return
                prepared = self._prepare(terms, grant)  # 3 to 6
            except MobilityError as error:
                if isinstance(error, HubRefusedError) and error.hub_code == "already-awarded":
                    self._over(terms, Outcome.HELD)
                elif isinstance(error, Retriable) and self.at - self._ended() < TRIED_FOR:
                    wait = timedelta(minutes=min(1440, 2**self.attempt))
                    self._again(terms, Outcome.LATER, after=wait, code=error.code)
                else:
                    reason = getattr(error, "reason", None)
                    code = str(reason) if isinstance(error, ShareRefusedError) else error.code
                    if terms.limits is not None and code == ASKS_MORE:
                        self._ready(terms, replace(verdicts, code=code))
                    else:
                        self._over(terms, Outcome.MISSED, code=code)
                return
            except _NoDays:
                self._over(terms, Outcome.NO_DAYS)
                return
        self._send(terms, *prepared, left_out=waiting, amount=verdicts.amount)  # 7

    def _ended(self) -> datetime:
        return datetime.combine(self.period[1] + timedelta(days=1), datetime.min.time(), UTC)

    # --- 1, 3 ---------------------------------------------------------------------------------

    def _begin(self) -> tuple[Terms, OpenedGrant, State, int] | None:
        """Terms, keys, state, and how many deposits wait; None when there is nothing to do."""
        home, vault_id = self.home, self.vault_id
        with home.store.read() as reader:
            row = reader.grant(vault_id, self.grant_id)
            state = state_of(home, reader, vault_id, self.grant_id)
            sealed = reader.setting(vault_id, terms_name(self.grant_id))
            waiting = reader.waiting(vault_id).deposits
        if row is None or state is None or sealed is None or self._is_answered(state):
            return None
        key = home.delegation_key()
        try:
            terms = open_terms(sealed, key=key, vault_id=vault_id, grant_id=self.grant_id)
            if state.paused:
                self._over(terms, Outcome.PAUSED)
                return None
            if self.at >= row.expires_at:
                self._over(terms, Outcome.MISSED, code="grant-expired")
                return None
            return terms, open_grant(row.sealed, key=key, at=self.at), state, waiting
        finally:
            key.wipe()

    def _is_answered(self, state: State) -> bool:
        run = state.run_of(self.period)
        return run is not None and run.is_over

    def _entitled(self, terms: Terms, limits: Limits, grant: OpenedGrant, state: State) -> Verdicts:
        """Raises HubUnreachableError: no catalogue was ever received; as `entitled`; _NoDays."""
        home, at = self.home, self.at
        catalogue = home.catalogue.current(keys=[b64url_decode(key) for key in terms.circles])
        did = self._holder(terms, grant)[1]
        with home.store.read() as reader:
            ground = _Months(home, reader, self.vault_id, grant, terms)
            count = count_usage(ground, terms.template, period=self.period)
        if not count.value:
            raise _NoDays
        held = [read_held(document) for document in terms.credentials]
        return entitled(
            terms,
            limits,
            past_of(home, self.vault_id, state),
            catalogue=catalogue,
            count=count,
            held=[item for item in held if item.is_usable(holder=did, at=at)],
            period=self.period,
            at=at.date(),
        )

    def _holder(self, terms: Terms, grant: OpenedGrant) -> tuple["Signer", Did]:
        secret = grant.holder_secret(terms.recipient)
        try:
            holder = P256Key.from_private_bytes(bytes(secret)).signer()
        finally:
            zero(secret)
        return holder, did_key(holder.public_multikey())

    # --- 4 to 6 -------------------------------------------------------------------------------

    def _prepare(self, terms: Terms, grant: OpenedGrant) -> tuple[PresentationRequest, Answer, Did]:
        """Raises ShareRefusedError by reason, HubClientError, RequestRefusedError, CryptoError."""
        home, at = self.home, self.at
        holder, did = self._holder(terms, grant)
        request = self._request(terms, did)
        held = [read_held(document) for document in terms.credentials]
        usable = [item for item in held if item.is_usable(holder=did, at=at)]
        fresh = self._ledger(terms, request, usable, holder)
        with home.store.read() as reader:
            ground = _Months(home, reader, self.vault_id, grant, terms)
            if not count_usage(ground, terms.template, period=self.period).value:
                raise _NoDays
            answer = answer_request(  # 5, 6
                ground,
                request,
                terms.template,
                [*fresh, *usable],
                period=self.period,
                holder=holder,
                at=at,
            )
        if {claim.path for claim in answer.leaves} - set(terms.claims):
            raise ShareRefusedError(ASKS_MORE)
        return request, answer, did

    def _ledger(
        self, terms: Terms, request: PresentationRequest, held: list[Held], holder: "Signer"
    ) -> list[Held]:
        """The hub's word that nobody holds the person's nullifier, where the request wants it: as
        when the citizen applies. Raises HubClientError, UnknownAidError."""
        if not any(query.type == NO_PRIOR_AID for query in request.query.credentials):
            return []
        home = self.home
        if home.hub is None:
            raise NoHubError("no hub is known here")
        catalogue = home.catalogue.current(keys=[b64url_decode(key) for key in terms.circles])
        return ask_ledger(
            home.hub,
            terms.hub,
            request.query,
            held,
            aid=catalogue.aid(terms.aid),
            period=self.period,
            application=self.application,
            holder=holder,
            at=self.at,
        )

    def _request(self, terms: Terms, holder: Did) -> PresentationRequest:
        home, at, trust = self.home, self.at, self.home.trust
        if home.hub is None:
            raise NoHubError("no hub is known here")
        if trust is None:
            raise ShareRefusedError("no-trust-registry")
        entry = trust.entry(terms.recipient)
        if entry is None or not entry.is_active(at):
            raise ShareRefusedError("verifier-not-accredited")
        pointer = home.hub.request(terms.aid, self.application, period=self.period, holder=holder)
        nonce = secrets.token_urlsafe(32)
        request = verify_request(
            home.hub.request_object(pointer.request_uri, wallet_nonce=nonce),
            lambda method: trust.key(method, at),
            at=at,
            request_uri=pointer.request_uri,
            client_id=pointer.client_id,
            wallet_nonce=nonce,
            allow_loopback_http=home.settings.allow_loopback,
        )
        if request.verifier != terms.recipient:
            raise ShareRefusedError("verifier-mismatch")
        return request

    # --- 7 ------------------------------------------------------------------------------------

    def _send(
        self,
        terms: Terms,
        request: PresentationRequest,
        answer: Answer,
        holder: Did,
        *,
        left_out: int,
        amount: "Cents | None",
    ) -> None:
        home, vault_id, at = self.home, self.vault_id, self.at
        sent = answer.digest
        consent = self._consent(terms, answer, holder)
        application = self._submitted(terms, sent)
        form = build_response(
            build_token(answer.presentation, answer.query_ids, tokens=answer.tokens),
            state=request.state,
            encryption=request.encryption,
            extra={"consent_receipt": dict(consent.receipt)},
        )
        payload = seal_job(
            home,
            vault_id,
            DELIVER,
            {
                "application": self.application,
                "to": HUB,
                "response_uri": request.response_uri,
                "form": form,
            },
        )
        name = sent_name(self.grant_id, self.application)
        with home.store.transact() as tx:
            tx.lock_head(vault_id)
            state = self._still(tx)
            if state is None:
                return
            box = seal_sent(
                Sent(consent, application, answer.evidence),
                to=_journal_key(tx, vault_id),
                vault_id=vault_id,
                name=name,
            )
            tx.put_setting(vault_id, name, box)
            delivery = home.outbox.enqueue(
                tx.session, DELIVER, at=at, key=sent.hex(), owner=vault_id, payload=payload
            )
            run = Run(self.period, at, Outcome.SENT, None, self.application, left_out, amount)
            self._next(tx, terms, state.with_run(run))
            self._journal(
                tx,
                "standing-sent",
                recipient=terms.recipient,
                purpose=terms.purpose,
                consent=terms.consent,
                claims=len(answer.leaves),
            )
            home.outbox.complete(tx.session, self.job, at=at)
        _log.info("vault.standing_sent", left_out=left_out)
        home.wake(delivery)

    def _consent(self, terms: Terms, answer: Answer, holder: Did) -> Consent:
        consent_id, sent = mint_iri(), answer.digest
        claims = tuple(claim.path for claim in answer.leaves)
        receipt = consent_receipt(
            consent=consent_id,
            subject=holder,
            recipient=terms.recipient,
            recipient_name=terms.recipient_name,
            controller=self.home.did,
            purpose=terms.purpose,
            claims=claims,
            kept_back=terms.stays,
            credential_types=answer.types,
            legal=terms.legal,
            retention=terms.retention,
            given_at=self.at,
            expires_at=None,
            presentation=sent,
            application=self.application,
            notice=_NOTICE,
            standing=terms.consent,
            indicated_at=terms.given_at,
        )
        return Consent(
            id=consent_id,
            recipient=terms.recipient,
            recipient_name=terms.recipient_name,
            purpose=terms.purpose,
            claims=claims,
            kept_back=terms.stays,
            legal=terms.legal,
            given_at=self.at,
            application=self.application,
            presentation=sent,
            receipt=receipt,
            aid=terms.aid,
            standing=terms.consent,
        )

    def _submitted(self, terms: Terms, sent: Any) -> Application:
        step = Transition(state=ApplicationState.SUBMITTED, at=self.at, actor="home")
        return Application(
            id=self.application,
            aid=terms.aid,
            funder=terms.recipient,
            state=ApplicationState.SUBMITTED,
            period_from=self.period[0],
            period_until=self.period[1],
            submitted_at=self.at,
            hub=terms.hub,
            history=(step,),
            presentation=sent,
            extra={"aidTitle": dict(terms.aid_title), "funderName": terms.funder_name},
        )

    def _ready(self, terms: Terms, verdicts: Verdicts) -> None:
        """Leave a draft that the citizen reads and sends. Nothing has left for it."""
        home, vault_id, at = self.home, self.vault_id, self.at
        step = Transition(state=ApplicationState.DRAFT, at=at, actor="home")
        draft = Application(
            id=self.application,
            aid=terms.aid,
            funder=terms.recipient,
            state=ApplicationState.DRAFT,
            period_from=self.period[0],
            period_until=self.period[1],
            history=(step,),
            extra={
                "aidTitle": dict(terms.aid_title),
                "funderName": terms.funder_name,
                READY: {
                    "standing": terms.consent,
                    "estimate": verdicts.amount,
                    "why": verdicts.code,
                },
            },
        )
        name = sent_name(self.grant_id, self.application)
        with home.store.transact() as tx:
            tx.lock_head(vault_id)
            state = self._still(tx)
            if state is None:
                return
            box = seal_sent(
                Sent(None, draft), to=_journal_key(tx, vault_id), vault_id=vault_id, name=name
            )
            tx.put_setting(vault_id, name, box)
            run = Run(
                self.period,
                at,
                Outcome.READY,
                verdicts.code,
                self.application,
                amount=verdicts.amount,
            )
            self._next(tx, terms, state.with_run(run))
            self._journal(
                tx,
                "standing-ready",
                recipient=terms.recipient,
                consent=terms.consent,
                reason=verdicts.code or Outcome.READY,
            )
            home.outbox.complete(tx.session, self.job, at=at)
        _log.info("vault.standing_ready", reason=verdicts.code)

    # --- ending an attempt --------------------------------------------------------------------

    def _still(self, tx: "Transactor") -> State | None:
        """The state as of this commit; None when the consent was withdrawn or paused meanwhile, or
        another worker was first."""
        if tx.grant(self.vault_id, self.grant_id) is None:
            return None
        state = state_of(self.home, tx, self.vault_id, self.grant_id)
        if state is None or state.paused or self._is_answered(state):
            return None
        return state

    def _again(
        self,
        terms: Terms,
        outcome: str,
        *,
        after: timedelta,
        code: str | None = None,
        left_out: int = 0,
    ) -> None:
        """Put this period off."""
        due = self.at + after
        with self.home.store.transact() as tx:
            tx.lock_head(self.vault_id)
            state = self._still(tx)
            if state is None:
                return
            job = enqueue(
                self.home,
                tx,
                self.vault_id,
                self.grant_id,
                period=self.period,
                due=due,
                application=self.application,
                attempt=self.attempt + 1,
            )
            before = state.run_of(self.period)
            run = Run(self.period, self.at, outcome, code, None, left_out)
            state = replace(state.with_run(run), job=job.id, next_period=self.period, next_at=due)
            put_state(self.home, tx, self.vault_id, self.grant_id, state)
            if before is None or before.outcome != outcome:
                self._journal(tx, "standing-put-off", consent=terms.consent, reason=code or outcome)
            self.home.outbox.complete(tx.session, self.job, at=self.at)

    def _over(self, terms: Terms, outcome: str, *, code: str | None = None) -> None:
        """Nothing is sent for this period."""
        with self.home.store.transact() as tx:
            tx.lock_head(self.vault_id)
            state = state_of(self.home, tx, self.vault_id, self.grant_id)
            if state is None or self._is_answered(state):
                return
            if tx.grant(self.vault_id, self.grant_id) is None:
                return
            self._next(tx, terms, state.with_run(Run(self.period, self.at, outcome, code)))
            self._journal(tx, "standing-skipped", consent=terms.consent, reason=code or outcome)
            self.home.outbox.complete(tx.session, self.job, at=self.at)
        _log.info("vault.standing_skipped", reason=code or outcome)

    def _next(self, tx: "Transactor", terms: Terms, state: State) -> None:
        """The run of the next period; after the last one the keys go."""
        following = period_after(self.period, terms.frequency)
        if following[1] > terms.until:
            ended = replace(state, job=None, next_period=None, next_at=None, ended=True)
            put_state(self.home, tx, self.vault_id, self.grant_id, ended)
            tx.delete_grant(self.vault_id, self.grant_id)
            tx.delete_setting(self.vault_id, terms_name(self.grant_id))
            tx.delete_setting(self.vault_id, f"grant/{self.grant_id}")
            self._journal(tx, "standing-ended", consent=terms.consent)
            return
        due = due_at(following)
        job = enqueue(self.home, tx, self.vault_id, self.grant_id, period=following, due=due)
        state = replace(state, job=job.id, next_period=following, next_at=due)
        put_state(self.home, tx, self.vault_id, self.grant_id, state)

    def _journal(self, tx: "Transactor", event: str, **detail: Any) -> None:
        append(
            tx,
            self.vault_id,
            to=_journal_key(tx, self.vault_id),
            event=event,
            actor="home",
            detail=detail,
            at=self.at,
        )


def _journal_key(reader: "Reader", vault_id: str) -> BoxPublicKey:
    keys = [key for key in reader.public_keys(vault_id) if key.purpose == "journal"]
    return BoxPublicKey.decode(keys[0].encoded)


class _NoDays(Exception):
    """Nothing to prove for this period: an answer, not a fault."""


class _Months:
    """The trips of the months a grant opens: what `usage_proof` asks of a vault, and no more."""

    def __init__(
        self,
        home: "Home",
        reader: "Reader",
        vault_id: str,
        grant: OpenedGrant,
        terms: Terms,
    ) -> None:
        self.home = home
        self._reader, self._vault_id, self._grant = reader, vault_id, grant
        self._terms = terms
        self._payloads: dict[MonthName, list[tuple[str, bytes]]] = {}
        self._trips: dict[Iri, Trip] = {}
        self._observed: dict[Iri, Observed] = {}

    def trips(self, since: date, until: date) -> Sequence[Trip]:
        scope = {month for place, month, _ in self._grant.months() if place is Compartment.TRIPS}
        around = {
            *months_of(since, until),
            month_of(since - timedelta(days=1)),
            month_of(until + timedelta(days=1)),
        }
        for month in sorted(scope & around):
            self._open(month)
        # What rests on an observation of a month that is not open is no ground for a proof.
        found = [
            trip
            for trip in self._trips.values()
            if since <= trip.local_date <= until and set(trip.observations) <= self._observed.keys()
        ]
        return sorted(found, key=lambda trip: (trip.started_at, trip.id))

    def places(self) -> Sequence[NamedPlace]:
        return self._terms.places

    def observed(self, iri: Iri) -> Observed:
        found = self._observed.get(iri)
        if found is None:
            raise RecordUnknownError(iri)
        return found

    def observed_of(self, trip: Iri) -> Sequence[Observed]:
        return [self.observed(iri) for iri in self._trips[trip].observations]

    def _open(self, month: MonthName) -> None:
        """One month: its manifest, every row against it, trips and observations in clear.

        Raises:
            OutsideGrantError: written in an epoch the grant has no key of.
            MonthError: missing, extra, old or altered rows, by name.
        """
        reader, place = self._reader, Compartment.TRIPS
        # While keys are renewed, rows of a month carry the name of either epoch.
        tags = [index.tag("month", month) for index in reversed(self._grant.index_keys(place))]
        sealed = next(
            (found for tag in tags if (found := reader.month(self._vault_id, place.value, tag))),
            None,
        )
        if sealed is None:
            return
        epoch = int.from_bytes(sealed.sealed[4:8], "big")
        key = self._grant.month_key(place, month, epoch=epoch)
        manifest = MonthManifest.open(sealed.sealed, key)
        rows = [row for tag in tags for row in reader.rows(self._vault_id, place.value, tag)]
        manifest.check([(row.row_id, row.sealed) for row in rows])
        for row in rows:
            self._take(month, manifest.rows[row.row_id], row.sealed)

    def _take(self, month: MonthName, listed: ManifestRow, sealed: bytes) -> None:
        if listed.is_destroyed:
            return
        epoch = RecordHeader.of(sealed).epoch
        payload = open_record(
            sealed,
            vault=self._vault_id,
            record_id=listed.record_id,
            revision=listed.revision,
            kind=listed.kind,
            month_key=self._grant.month_key(Compartment.TRIPS, month, epoch=epoch),
        ).payload
        if listed.kind == Kind.TRIP:
            trip = read_record(payload)
            assert isinstance(trip, Trip)  # noqa: S101  # the manifest says so
            self._trips[trip.id] = trip
        elif listed.kind == Kind.OBSERVATION:
            observed = Observed.read(payload)
            self._observed[observed.iri] = observed
