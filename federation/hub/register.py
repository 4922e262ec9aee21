"""The State's register of carpool journeys, asked about the journey that an application names.

A key of the register (API 3.3) has one role, `operator.application`, and reads « un trajet
envoyé »: what its own operator sent, by the operator's name of it. So the check stands at a node
whose funder has such an account, an operator that funds (the energy-saving bonus), and only in aids
that ask for that name; elsewhere it is not declared. A territory has exports by mail; what it is
shown of a journey is what the operator signed (`registerClass`, `registerStatus`).

1. Who declares names the journey; the answer is kept, and a job written in the same commit.
2. The job asks the register, with no transaction open. Away, busy, a key that ended, an answer that
   is none: tried again for as long as the application waits; nobody is refused by that.
3. What the register has not settled (`pending`, `ok` for less than two days, not known a day after
   it was named) is asked again each day, for 90 days.
4. What is settled is kept with the register's words, and said in a step that the citizen reads. A
   person decides, whatever it says: the register does not say whose journey it is.

The register tells status and reasons, never the class of proof: the operator signs that.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog

from federation.aids.declaration import declaration_of
from federation.aids.model import Aid
from federation.hub.errors import RegisterAwayError
from federation.hub.model import DECIDABLE, Application, Transition
from federation.hub.publishing import PublishingService
from federation.hub.store import HubStore, Transactor
from federation.wire.jobs import Job
from schemas.errors import MobilityError

__all__ = [
    "JOB",
    "REGISTER",
    "AccountAtRegister",
    "JourneyRegister",
    "RegisterChecks",
    "Told",
    "named_journey",
    "register_words",
]

_log = structlog.get_logger(__name__)

REGISTER: Final = "CarpoolRegister"
"""Where an application keeps what the register said, among its claims."""
JOB: Final = "hub.register"
FOREVER: Final = 1_000_000
SETTLED: Final = timedelta(hours=48)
"""After a journey was registered: before, the register compares it with other operators'."""
APPEARS: Final = timedelta(hours=24)
"""« Les trajets apparaissent au plus tard 24h après leur envoi » (API 3.3, `GET /journeys`)."""
AGAIN: Final = timedelta(days=1)
LOOK_BACK: Final = timedelta(days=90)
"""The register lists no older journeys."""
UNKNOWN: Final = "not-found"
UNUSABLE: Final = "not-a-reference"
_OPEN: Final = frozenset({"pending", "unknown"})


@dataclass(frozen=True, slots=True)
class Told:
    """What the register says of one journey."""

    status: str
    """Its own word (`ok`, `fraud_error`, …), `UNKNOWN` or `UNUSABLE`."""
    labels: tuple[str, ...] = ()
    """Why it was not retained, in its words."""
    registered_at: datetime | None = None
    """`created_at`: when it was registered, never before the journey's end."""


class JourneyRegister(Protocol):
    """The register, as far as a desk asks it."""

    def journey(self, reference: str) -> Told:
        """What it says of a journey of the account's own operator.

        Raises:
            MobilityError: nothing can be told now, whatever the reason.
        """


@dataclass(frozen=True, slots=True)
class AccountAtRegister:
    """Whose account this node has at the register."""

    funder: str
    """Slug of a hosted funder."""
    register: JourneyRegister
    close: Callable[[], None]


def named_journey(aid: Aid) -> str:
    """Variable of the answer that names the journey; empty where an aid asks for none."""
    asked = declaration_of(aid)
    return "" if asked is None else asked.journey


class RegisterChecks:
    """Asks the register about the journeys that applications name, and keeps what it says."""

    def __init__(
        self,
        store: HubStore,
        publishing: PublishingService,
        account: AccountAtRegister | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._publishing = store, publishing
        self._account, self._clock = account, clock

    def is_of(self, slug: str | None) -> bool:
        """Whether this node has an account of that funder."""
        return self._account is not None and self._account.funder == slug

    def close(self) -> None:
        """Close the connections to the register."""
        if self._account is not None:
            self._account.close()

    def applies(self, aid: Aid) -> bool:
        """Whether the aid declares the check at this node."""
        if self._account is None or not named_journey(aid):
            return False
        funder = self._publishing.funder(aid.funder)
        return funder is not None and self.is_of(funder.slug)

    def journey_of(self, aid: Aid, application: Application) -> str | None:
        """The journey an application names, empty while it names none; None where the check is not
        declared."""
        return self._reference(aid, application) if self.applies(aid) else None

    def enqueue(self, tx: Transactor, application: Application, *, at: datetime) -> str:
        """A job in the commit that keeps the declaration; its id."""
        key = f"{application.id}#{len(application.history)}"
        return tx.enqueue(JOB, key, payload=b"", at=at, max_attempts=FOREVER).id

    def run(self, job: Job) -> None:
        """Job `hub.register`: steps 2 to 4.

        Raises:
            RegisterAwayError: nothing was told; the job comes back.
        """
        identifier = job.key.partition("#")[0]
        with self._store.read() as reader:
            found = reader.application(identifier)
        if found is None or self._account is None:
            return
        aid = self._publishing.aid(found.aid)
        reference = self._reference(aid, found)
        if not reference or not self.applies(aid) or found.state not in DECIDABLE:
            return
        try:
            told = self._account.register.journey(reference)  # 2
        except MobilityError as error:
            raise RegisterAwayError(error.code) from error
        now = self._clock()
        with self._store.transact() as tx:
            locked = tx.lock_application(identifier)
            if (
                locked is None
                or locked.state not in DECIDABLE
                or self._reference(aid, locked) != reference
            ):
                tx.complete(job, at=now)
                return
            since = _since(locked, reference, now)
            is_final = _is_final(told, since, now)
            said = {
                "reference": reference,
                "status": told.status,
                "labels": list(told.labels),
                "askedAt": now.isoformat(),
                "since": since.isoformat(),
                "final": is_final,
            }
            changed = dataclasses.replace(locked, claims={**locked.claims, REGISTER: said})
            if is_final:  # 4
                words = _IN_WORDS.get(told.status, (told.status, ""))[0]
                text = f"Registre de preuve de covoiturage : {words}."
                step = Transition(locked.state, now, "hub", text)
                changed = dataclasses.replace(changed, history=(*locked.history, step))
            tx.put_application(changed)
            if is_final:
                tx.complete(job, at=now)
            else:
                tx.again(job, at=now + AGAIN)  # 3
        _log.info("hub.register_asked", status=told.status, final=is_final)

    def _reference(self, aid: Aid, application: Application) -> str:
        """The answer that names the journey, as the declaration keeps it."""
        said = application.claims.get("Declaration")
        variable = named_journey(aid)
        if not isinstance(said, Mapping) or not variable:
            return ""
        info = self._publishing.catalogue().engine(aid).info(variable)
        return str(said.get(str(info.metadata.get("titre") or info.question), "")).strip()


def _since(application: Application, reference: str, now: datetime) -> datetime:
    """When the register was first asked about this journey for this application."""
    before = application.claims.get(REGISTER)
    if isinstance(before, Mapping) and before.get("reference") == reference:
        return datetime.fromisoformat(str(before["since"]))
    return now


def _is_final(told: Told, since: datetime, now: datetime) -> bool:
    if now - since >= LOOK_BACK:
        return True
    if told.status == UNKNOWN:
        return now - since >= APPEARS
    if told.status == "ok":
        return told.registered_at is not None and now - told.registered_at >= SETTLED
    return told.status not in _OPEN


_IN_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "ok": ("le trajet est retenu", "the journey is retained"),
    "pending": ("le trajet est encore à l'examen", "the journey is still examined"),
    "unknown": ("le statut du trajet n'est pas connu", "the journey's status is not known"),
    "canceled": ("le trajet a été annulé", "the journey was cancelled"),
    "fraud_error": ("le trajet est écarté : fraude", "the journey is set aside: fraud"),
    "anomaly_error": ("le trajet est écarté : anomalie", "the journey is set aside: anomaly"),
    "terms_violation_error": (
        "le trajet est écarté : hors des conditions du registre",
        "the journey is set aside: outside the register's terms",
    ),
    "validation_error": ("le trajet est mal formé", "the journey is malformed"),
    "acquisition_error": ("le trajet n'a pas été enregistré", "the journey was not registered"),
    "normalization_error": ("le trajet n'a pas été traité", "the journey was not processed"),
    UNKNOWN: (
        "aucun trajet de ce nom n'a été envoyé par ce compte",
        "no journey of this name was sent by this account",
    ),
    UNUSABLE: (
        "ce n'est pas une référence que le registre peut tenir",
        "it is no reference that the register can hold",
    ),
}


def register_words(claims: Mapping[str, Any], reference: str) -> tuple[str, str, str]:
    """How the check stands: outcome, French, English; `reference` is the declared answer."""
    if not reference:
        return (
            "cannot-tell",
            "Attend que vous nommiez le trajet.",
            "Waits for the journey to be named.",
        )
    said = claims.get(REGISTER)
    if not isinstance(said, Mapping) or said.get("reference") != reference:
        return (
            "cannot-tell",
            "Le registre n'a pas encore répondu : nouvel essai sans vous, rien n'est refusé.",
            "The register has not answered yet: it is asked again, and nothing is refused.",
        )
    status = str(said.get("status", ""))
    fr, en = _IN_WORDS.get(status, (status, status))
    fr, en = fr[:1].upper() + fr[1:], en[:1].upper() + en[1:]
    if not said.get("final"):
        return (
            "cannot-tell",
            f"{fr} ; le registre est redemandé chaque jour, et rien n'est refusé.",
            f"{en}; the register is asked again each day, and nothing is refused.",
        )
    labels = ", ".join(str(label) for label in said.get("labels", ()))
    more = f" ({labels})" if labels else ""
    return "pass" if status == "ok" else "fail", f"{fr}{more}.", f"{en}{more}."
