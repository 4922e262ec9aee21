"""What a standing consent lets its home do while the vault is locked, in three sealed values.

- the *grant* (`vault/crypto/grant.py`): month keys of trips, months to come among them, their index
  key, one holder key; to the home's delegation key;
- the *terms*: who, what for, which claims, the rule, the places it counts by and the signed
  documents that go along, exactly these; a box to the same key, bound to the grant;
- the *state*: what ran and what is next, under the home's own key, because both the open vault and
  the locked run read it.

What a run leaves for the vault (consent, application, evidence tree) is a box to the journal's
public key: only the open vault reads it, and takes it in (`vault/standing.py`).

Layouts: terms = box of JSON, info `mobility-vault/standing/1␀ ‖ lp(vault) ‖ lp(grant id)`; sent =
box of JSON, info `mobility-vault/standing-sent/1␀ ‖ lp(vault) ‖ lp(name)`.
"""

import calendar
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from federation.sealing.box import BoxPublicKey, seal
from federation.sealing.layout import lp
from federation.usage import ProofTemplate, template_from_json, template_to_json
from schemas.ids import Did, Iri
from schemas.jsonld import from_jsonld, to_stored
from schemas.records import Application, Consent, Extent, Frequency, NamedPlace, Record
from schemas.units import Cents
from vault.crypto.box_key import BoxPrivateKey
from vault.months import MonthName, month_of

if TYPE_CHECKING:
    from vault.home import Home
    from vault.store import Reader, Transactor

__all__ = [
    "MAX_PERIODS",
    "Limits",
    "Outcome",
    "Period",
    "Run",
    "Sent",
    "State",
    "Terms",
    "months_of",
    "open_sent",
    "open_terms",
    "period_after",
    "period_of",
    "put_state",
    "seal_sent",
    "seal_terms",
    "sent_name",
    "state_name",
    "state_of",
    "terms_name",
]

MAX_PERIODS: Final = 24
"""Two years of months: a longer habit is agreed to again."""
LENGTH: Final[Mapping[Frequency, int]] = {
    Frequency.MONTH: 1,
    Frequency.QUARTER: 3,
    Frequency.YEAR: 12,
}
"""Months of a period."""
_KEPT_RUNS: Final = 60
_TERMS: Final = b"mobility-vault/standing/1\x00"
_SENT: Final = b"mobility-vault/standing-sent/1\x00"

Period = tuple[date, date]
"""First and last day, both included."""


def period_of(day: date, frequency: Frequency) -> Period:
    """The civil month, quarter or year a day is in."""
    length = LENGTH[frequency]
    first = (day.month - 1) // length * length + 1
    last = first + length - 1
    return date(day.year, first, 1), date(day.year, last, calendar.monthrange(day.year, last)[1])


def period_after(period: Period, frequency: Frequency) -> Period:
    """The period that follows."""
    return period_of(period[1] + timedelta(days=1), frequency)


def months_of(since: date, until: date) -> list[MonthName]:
    """Months that hold a trip of these local days. The first hours of `since` may lie in the month
    before, in UTC: that month is not opened for them."""
    out, day = [], since.replace(day=1)
    while day <= until:
        out.append(month_of(day))
        day = (day + timedelta(days=31)).replace(day=1)
    return out


class Outcome:
    """What became of a period. Not an enumeration: a refusal's own code is one, too."""

    SENT: Final = "sent"
    PAUSED: Final = "paused"
    NO_DAYS: Final = "no-days"
    """Nothing to prove: nothing was sent."""
    WAITING: Final = "waiting-for-opening"
    """Deposits wait that only an opening takes in; tried again each day, for a week."""
    LATER: Final = "later"
    """Somebody could not be reached; tried again."""
    MISSED: Final = "missed"
    """Could not be sent in time."""
    READY: Final = "ready"
    """A draft waits for the citizen, who reads and sends it; the code says why, if there is one."""
    NOT_ENTITLED: Final = "not-entitled"
    """The rule gives nothing for this period: nothing was asked for."""
    ASKED: Final = "asked-already"
    """The citizen applied themselves for days of this period."""
    HELD: Final = "already-held"
    """The hub's ledger says that the person has an aid of the family for these days already."""
    CLOSED: Final = "aid-closed"
    """The aid ended, or is not published now."""


@dataclass(frozen=True, slots=True)
class Run:
    """The last attempt at a period."""

    period: Period
    at: datetime
    outcome: str
    code: str | None = None
    """Of a refusal or of what could not be reached."""
    application: Iri | None = None
    left_out: int = 0
    """Deposits that waited and were not counted."""
    amount: Cents | None = None
    """What the rule gave, where the home applies for the aid."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is tried for this period."""
        return self.outcome not in {Outcome.WAITING, Outcome.LATER}


@dataclass(frozen=True, slots=True)
class State:
    """Where a standing consent stands."""

    runs: tuple[Run, ...] = ()
    """Oldest first, one a period."""
    paused: bool = False
    job: str | None = None
    """Outbox id of the next attempt."""
    next_period: Period | None = None
    next_at: datetime | None = None
    ended: bool = False

    def with_run(self, run: Run) -> "State":
        kept = [old for old in self.runs if old.period != run.period]
        return replace(self, runs=tuple([*kept, run][-_KEPT_RUNS:]))

    def run_of(self, period: Period) -> Run | None:
        return next((run for run in self.runs if run.period == period), None)


def state_name(grant_id: str) -> str:
    """The setting that holds the state."""
    return f"standing/{grant_id}"


def terms_name(grant_id: str) -> str:
    """The setting that holds the terms."""
    return f"standing-terms/{grant_id}"


def sent_name(grant_id: str, application: Iri) -> str:
    """The setting that holds what one run left for the vault."""
    return f"standing-sent/{grant_id}/{application.rsplit(':', 1)[-1]}"


def state_of(home: "Home", reader: "Reader", vault_id: str, grant_id: str) -> State | None:
    """The state; None when there is none (a vault restored elsewhere)."""
    sealed = reader.setting(vault_id, state_name(grant_id))
    if sealed is None:
        return None
    body = json.loads(
        home.seal.open(sealed, purpose="standing", aad=f"{vault_id}\x00{grant_id}".encode())
    )
    return State(
        runs=tuple(
            Run(
                _period(run["period"]),
                datetime.fromisoformat(run["at"]),
                run["outcome"],
                run["code"],
                None if run["application"] is None else Iri(run["application"]),
                run["leftOut"],
                None if run.get("amount") is None else Cents(run["amount"]),
            )
            for run in body["runs"]
        ),
        paused=body["paused"],
        job=body["job"],
        next_period=None if body["nextPeriod"] is None else _period(body["nextPeriod"]),
        next_at=None if body["nextAt"] is None else datetime.fromisoformat(body["nextAt"]),
        ended=body["ended"],
    )


def put_state(home: "Home", tx: "Transactor", vault_id: str, grant_id: str, state: State) -> None:
    """Keep the state, in a commit that does more."""
    body = {
        "runs": [
            {
                "period": [day.isoformat() for day in run.period],
                "at": run.at.isoformat(),
                "outcome": run.outcome,
                "code": run.code,
                "application": run.application,
                "leftOut": run.left_out,
                **({} if run.amount is None else {"amount": run.amount}),
            }
            for run in state.runs
        ],
        "paused": state.paused,
        "job": state.job,
        "nextPeriod": None
        if state.next_period is None
        else [day.isoformat() for day in state.next_period],
        "nextAt": None if state.next_at is None else state.next_at.isoformat(),
        "ended": state.ended,
    }
    sealed = home.seal.seal(
        json.dumps(body).encode(), purpose="standing", aad=f"{vault_id}\x00{grant_id}".encode()
    )
    tx.put_setting(vault_id, state_name(grant_id), sealed)


def _period(value: list[str]) -> Period:
    return date.fromisoformat(value[0]), date.fromisoformat(value[1])


@dataclass(frozen=True, slots=True)
class Limits:
    """How far the home goes alone where it applies for an aid, and not only sends a proof."""

    ceiling: Cents
    """Of all it asks for under this consent."""
    extent: Extent
    rule: str
    """`Catalogue.rule_digest` of what was agreed to; under another one nothing is sent."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the citizen agreed to, with what a run needs beside the keys."""

    consent: Iri
    given_at: datetime
    recipient: Did
    recipient_name: str
    purpose: str
    aid: Iri
    aid_title: Mapping[str, str]
    funder_name: str
    hub: Did
    claims: tuple[str, ...]
    stays: tuple[str, ...]
    legal: str | None
    retention: str | None
    frequency: Frequency
    since: date
    until: date
    template: ProofTemplate
    places: tuple[NamedPlace, ...]
    credentials: tuple[Mapping[str, Any], ...] = field(repr=False)
    limits: Limits | None = None
    """None: a proof is sent whatever it gives a right to."""
    covered: tuple[Period, ...] = ()
    """Days the citizen already applied for themselves."""
    circles: tuple[str, ...] = field(default=(), repr=False)
    """Keys of the reserved aids the citizen is told of: the aid may be one of them."""

    @property
    def expires_at(self) -> datetime:
        """When the grant ends: after the last period and the time a run may be put off."""
        return datetime(self.until.year, self.until.month, self.until.day, tzinfo=UTC) + TERM

    def to_json(self) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "consent": self.consent,
            "givenAt": self.given_at.isoformat(),
            "recipient": self.recipient,
            "recipientName": self.recipient_name,
            "purpose": self.purpose,
            "aid": self.aid,
            "aidTitle": dict(self.aid_title),
            "funderName": self.funder_name,
            "hub": self.hub,
            "claims": list(self.claims),
            "stays": list(self.stays),
            "legal": self.legal,
            "retention": self.retention,
            "frequency": self.frequency.value,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "template": template_to_json(self.template),
            "places": [to_stored(place) for place in self.places],
            "credentials": [dict(document) for document in self.credentials],
            **(
                {}
                if self.limits is None
                else {
                    "limits": {
                        "ceiling": self.limits.ceiling,
                        "extent": self.limits.extent.value,
                        "rule": self.limits.rule,
                    },
                    "covered": [[day.isoformat() for day in days] for days in self.covered],
                }
            ),
            **({"circles": list(self.circles)} if self.circles else {}),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Terms":
        places = [from_jsonld(place) for place in body["places"]]
        return cls(
            consent=Iri(body["consent"]),
            given_at=datetime.fromisoformat(body["givenAt"]),
            recipient=Did(body["recipient"]),
            recipient_name=body["recipientName"],
            purpose=body["purpose"],
            aid=Iri(body["aid"]),
            aid_title=body["aidTitle"],
            funder_name=body["funderName"],
            hub=Did(body["hub"]),
            claims=tuple(body["claims"]),
            stays=tuple(body["stays"]),
            legal=body["legal"],
            retention=body["retention"],
            frequency=Frequency(body["frequency"]),
            since=date.fromisoformat(body["since"]),
            until=date.fromisoformat(body["until"]),
            template=template_from_json(body["template"]),
            places=tuple(place for place in places if isinstance(place, NamedPlace)),
            credentials=tuple(body["credentials"]),
            limits=_limits(body.get("limits")),
            covered=tuple(_period(days) for days in body.get("covered", ())),
            circles=tuple(body.get("circles", ())),
        )


def _limits(body: Mapping[str, Any] | None) -> Limits | None:
    if body is None:
        return None
    return Limits(Cents(body["ceiling"]), Extent(body["extent"]), body["rule"])


TERM: Final = timedelta(days=1 + 14)
"""After the last day of the last period, a run may still be put off this long."""


def seal_terms(terms: Terms, *, to: BoxPublicKey, vault_id: str, grant_id: str) -> bytes:
    """The terms, for whoever holds the delegation key."""
    return seal(_encode(terms.to_json()), to=to, info=_TERMS + lp(vault_id) + lp(grant_id))


def open_terms(sealed: bytes, *, key: BoxPrivateKey, vault_id: str, grant_id: str) -> Terms:
    """Raises KeyUnknownError, SealBrokenError: of another home, vault or grant, or changed."""
    return Terms.from_json(json.loads(key.open(sealed, info=_TERMS + lp(vault_id) + lp(grant_id))))


@dataclass(frozen=True, slots=True)
class Sent:
    """What a run leaves for the vault to keep: what was sent, or a draft that is ready to be."""

    consent: Consent | None
    """None: nothing was sent."""
    application: Application
    evidence: bytes = b""


def seal_sent(sent: Sent, *, to: BoxPublicKey, vault_id: str, name: str) -> bytes:
    """For the open vault alone: not even this home reads it while the vault is locked."""
    body = {
        "schema_version": 1,
        "consent": None if sent.consent is None else to_stored(sent.consent),
        "application": to_stored(sent.application),
        "evidence": sent.evidence.decode(),
    }
    return seal(_encode(body), to=to, info=_SENT + lp(vault_id) + lp(name))


def open_sent(sealed: bytes, *, key: BoxPrivateKey, vault_id: str, name: str) -> Sent:
    """Raises KeyUnknownError, SealBrokenError."""
    body = json.loads(key.open(sealed, info=_SENT + lp(vault_id) + lp(name)))
    consent = None if body["consent"] is None else _read(body["consent"])
    application = _read(body["application"])
    assert consent is None or isinstance(consent, Consent)  # noqa: S101  # sealed by `seal_sent`
    assert isinstance(application, Application)  # noqa: S101  # the same
    return Sent(consent, application, body["evidence"].encode())


def _read(document: Mapping[str, Any]) -> Record:
    return from_jsonld(document)


def _encode(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
