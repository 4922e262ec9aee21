"""What an open vault computes for one verifier: an age reached, a tariff, access to a zone; and the
preferences it says.

Steps: (1) which of the credentials asked for are such facts and not held already, signed for this
verifier; (2) what each is computed from, the strongest first: credentials whose signature, issuer
and status are checked again now (for whichever verifier they were signed), then attributes that the
home read from a source, then what the citizen wrote; (3) the fact, which is the least that answers:
« 21 ans ou plus », a tariff's status, a class; (4) signed and bound to the key of this verifier, by
the home where the registry lets it attest the type (`vault-attested`), else by the holder
(`self-declared`). `source`, `certifiedAt` and `degree` are of the weakest thing read. Preferences
are always the holder's own word. Nothing is kept.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast
from zoneinfo import ZoneInfo

from federation.aids.model import FactBinding
from federation.aids.rule_units import Unit
from federation.credentials import (
    Check,
    Evidenced,
    StatusUnreachableError,
    UnverifiableError,
    VerificationError,
    Verifier,
)
from federation.credentials.held import LDP_VC, Held, read_held
from federation.credentials.issue import issue
from federation.credentials.shape import ShapeError
from federation.credentials.types import COMPUTED, PREFERENCES, credential_body
from federation.did import DidResolver
from federation.openid4vp import (
    CredentialQuery,
    DcqlError,
    DcqlQuery,
    PresentationRequest,
    claims_asked,
    match,
    optional_queries,
)
from federation.profiles import TariffError, read_tariff
from federation.proofs.sd_jwt import SdJwtMalformedError
from federation.trust import TrustError, parse_instant
from schemas.errors import MobilityError
from schemas.evidence import AssuranceMethod
from schemas.extensions import installed
from schemas.ids import Did
from schemas.modes import Mode
from schemas.records import (
    Degree,
    Kind,
    Subscription,
    Vehicle,
)
from vault.answers import kept_answers
from vault.errors import ShareRefusedError
from vault.extensions import asked_facts, extension_records
from vault.held import held_by
from vault.preferences import preferences

if TYPE_CHECKING:
    from federation.keys import Signer
    from vault.open_vault import OpenVault

__all__ = [
    "ANY_ZONE",
    "Computed",
    "Facts",
    "commune_of_home",
    "compute",
    "facts",
    "lacking",
    "travel_members",
]

ANY_ZONE: Final = "any"
"""`zone` of a class that holds wherever rules go by it."""
GOOD_FOR: Final = timedelta(days=30)
"""How long a computed fact is said to hold; whoever needs it longer asks again."""
_PARIS: Final = ZoneInfo("Europe/Paris")
_STRONGEST: Final = (Degree.SIGNED, Degree.RELAYED, Degree.CLAIMED)
_CITIZEN: Final = "citizen"
_BESIDE: Final = frozenset({"source", "certifiedAt", "degree", "decidedAt"})
"""Members of a computed fact that say what it rests on, and when that was: not the fact."""


@dataclass(frozen=True, slots=True)
class Computed:
    """What was computed for a request, and who vouches for it."""

    held: tuple[Held, ...] = ()
    assurance: str = ""
    """The weakest method among them; empty when nothing was computed."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a vault answers to one credential query, signed for nobody."""

    members: Mapping[str, Any]
    """Of a document those that are asked for; of what is computed all: it is the least already."""
    source: str = ""
    certified_at: datetime | None = None
    degree: Degree = Degree.CLAIMED
    reason: str | None = None
    """Why there is nothing, as `lacking` says it; None: there is something."""


@dataclass(frozen=True, slots=True)
class _Basis:
    """One value, and how far it is certified."""

    value: Any
    source: str
    certified_at: datetime
    degree: Degree


class _HomeStatus:
    """Status lists of issuers, through the home's bounded client."""

    def __init__(self, vault: "OpenVault") -> None:
        self._http = vault.home.http

    def status_list(self, url: str) -> Mapping[str, Any] | bytes:
        """See `StatusSource`."""
        accepted = ("application/vc", "application/json", "application/statuslist+jwt")
        try:
            return self._http.get(url, accept=accepted).body
        except MobilityError as error:
            raise StatusUnreachableError(error.code) from error


class _Anything:
    """No policy of its own: what is read of a credential is decided by who asked."""

    def check(self, evidence: Evidenced) -> Sequence[Check]:  # noqa: ARG002 - it looks at nothing
        """See `Policy`."""
        return ()


class _Known:
    """What the vault knows of its citizen, each thing as far as it is certified."""

    def __init__(self, vault: "OpenVault", at: datetime) -> None:
        self.vault, self.at = vault, at
        self.today = at.astimezone(_PARIS).date()
        trust = vault.home.trust
        if trust is None:
            raise ShareRefusedError("no-trust-registry")
        self._verifier = Verifier(trust=trust, resolver=DidResolver(), status=_HomeStatus(vault))
        self.is_unsure = False
        """A credential could not be judged just now: what is missing may be there later."""

    def signed(self, kind: str) -> Iterator[Held]:
        """Held credentials of a type that are good now, newest first."""
        for item in held_by(self.vault, kind):
            try:
                if isinstance(item.wire, str):
                    self._verifier.verify_issued_sd_jwt(item.wire, _Anything(), at=self.at)
                else:
                    self._verifier.verify_credential(item.wire, _Anything(), at=self.at)
            except UnverifiableError:
                self.is_unsure = True
            except (ShapeError, SdJwtMalformedError, VerificationError):
                continue
            else:
                yield item

    def claims(self, kind: str, name: str) -> Iterator[_Basis]:
        """The values of one claim in good credentials of a type, newest first."""
        for item in self.signed(kind):
            value = item.subject.get(name)
            if value is not None:
                yield _basis(item, value)

    def attribute(self, name: str) -> _Basis | None:
        """The newest attribute of this name, one that the home or a source certified first."""
        found = sorted(
            self.vault.attributes(name),
            key=lambda a: (_STRONGEST.index(a.degree), -a.certified_at.timestamp()),
        )
        return next((_Basis(a.value, a.source, a.certified_at, a.degree) for a in found), None)


def _basis(item: Held, value: Any) -> _Basis:
    """A claim of a credential: signed by its issuer, who says how far it vouches for it."""
    given = item.subject.get("degree")
    at = item.subject.get("certifiedAt")
    return _Basis(
        value,
        str(item.issuer),
        parse_instant(at) if isinstance(at, str) else item.valid_from,
        Degree(given) if isinstance(given, str) else Degree.SIGNED,
    )


def compute(
    vault: "OpenVault",
    request: PresentationRequest,
    held: Sequence[Held],
    *,
    holder: "Signer",
    at: datetime,
) -> Computed:
    """Steps 1 to 4 for every fact that `request` asks for.

    Raises:
        ShareRefusedError: `age-unknown`, `age-not-reached:<years>`, `tariff-invalid`,
            `tariff-missing:<values>`, `zone-unknown`, `preferences-empty`, `extension-unknown`,
            `extension-lacks:<name>`,
            `status-unreachable` (later); not of what the citizen may leave out.
    """
    optional = optional_queries(request.query)
    candidates = match(request.query, [item.wire for item in held]).candidates
    made: list[Held] = []
    known: _Known | None = None
    for query in request.query.credentials:
        if query.type not in _MAKERS or query.format != LDP_VC or candidates[query.id]:  # 1
            continue
        known = known or _Known(vault, at)
        try:
            members = _MAKERS[query.type](known, query, request.claims.get("tariff_rule"))  # 2, 3
        except ShareRefusedError:
            if query.id in optional:
                continue
            if known.is_unsure:
                raise ShareRefusedError("status-unreachable") from None
            raise
        made.append(_signed(vault, query.type, members, holder=holder, at=at))  # 4
    methods = [
        AssuranceMethod(str(one.subject.get("assuranceMethod", AssuranceMethod.SELF_DECLARED)))
        for one in made
    ]
    weakest = min(methods, key=lambda method: method.strength, default=None)
    return Computed(tuple(made), "" if weakest is None else weakest.value)


def lacking(
    vault: "OpenVault", query: DcqlQuery, held: Sequence[Held], *, at: datetime
) -> dict[str, str | None]:
    """Before anybody asks: of each credential query what keeps the vault from answering it, a
    reason of `compute` or `missing`; None: nothing. A tariff's rule comes with its request
    (`at-request`)."""
    candidates = match(query, [item.wire for item in held]).candidates
    known: _Known | None = None
    found: dict[str, str | None] = {}
    for item in query.credentials:
        if candidates[item.id]:
            found[item.id] = None
        elif item.type == "TariffCredential":
            found[item.id] = "at-request"
        elif item.type not in _MAKERS or item.format != LDP_VC:
            found[item.id] = "missing"
        else:
            known = known or _Known(vault, at)
            try:
                _MAKERS[item.type](known, item, None)
            except ShareRefusedError as error:
                found[item.id] = error.reason
            else:
                found[item.id] = None
    return found


def facts(
    vault: "OpenVault", query: DcqlQuery, *, at: datetime, rules: Sequence[str] = ()
) -> tuple[Facts, ...]:
    """For a service that gets claims and no credentials: what answers each credential query, in
    its order. `rules`: signed tariff rules; the one that is asked for counts."""
    try:
        known = _Known(vault, at)
    except ShareRefusedError as error:
        return tuple(Facts({}, reason=error.reason) for _ in query.credentials)
    return tuple(_facts(known, item, rules) for item in query.credentials)


def _facts(known: _Known, query: CredentialQuery, rules: Sequence[str]) -> Facts:
    known.is_unsure = False
    if query.type in _MAKERS and query.format == LDP_VC:
        reason = "tariff-invalid"
        for rule in rules or (None,):
            try:
                members = _MAKERS[query.type](known, query, rule)
            except ShareRefusedError as error:
                if error.reason != "tariff-invalid":
                    reason = error.reason
            else:
                return _plain_facts(known, query.type, members)
        return Facts({}, reason="status-unreachable" if known.is_unsure else reason)
    for item in known.signed(query.type):
        with suppress(DcqlError):
            asked = claims_asked(query, item.wire)
            basis = _basis(item, None)
            return Facts(
                {str(p[-1]): item.subject[str(p[-1])] for p in asked if p[-1] in item.subject},
                basis.source,
                basis.certified_at,
                basis.degree,
            )
    return Facts({}, reason="status-unreachable" if known.is_unsure else "missing")


def _plain_facts(known: _Known, kind: str, members: Mapping[str, Any]) -> Facts:
    """A computed fact with its grounds apart, and the method by which it would be signed."""
    said = {n: v for n, v in members.items() if n not in _BESIDE}
    if kind in COMPUTED:
        said["assuranceMethod"] = _method(known.vault, kind, known.at).value
    return Facts(
        said,
        str(members.get("source", _CITIZEN)),
        members.get("certifiedAt"),
        Degree(members.get("degree", Degree.CLAIMED)),
    )


def _method(vault: "OpenVault", kind: str, at: datetime) -> AssuranceMethod:
    home, trust = vault.home, vault.home.trust
    attested = trust is not None and trust.may_issue(home.did, kind, at)
    return AssuranceMethod.VAULT_ATTESTED if attested else AssuranceMethod.SELF_DECLARED


def _signed(
    vault: "OpenVault",
    kind: str,
    members: Mapping[str, Any],
    *,
    holder: "Signer",
    at: datetime,
) -> Held:
    home, attested = vault.home, False
    if kind in COMPUTED:
        method = _method(vault, kind, at)
        attested = method is AssuranceMethod.VAULT_ATTESTED
        members = {**members, "assuranceMethod": method.value}
    body = credential_body(
        kind,
        holder=Did(holder.verification_method.partition("#")[0]),
        members=members,
        valid_until=at + GOOD_FOR,
    )
    return read_held(issue(body, signer=home.signer() if attested else holder, at=at))


def _certified(bases: Sequence[_Basis]) -> dict[str, Any]:
    """`source`, `certifiedAt`, `degree` of the weakest thing read; of equal ones the oldest."""
    weakest = max(bases, key=lambda b: (_STRONGEST.index(b.degree), -b.certified_at.timestamp()))
    return {
        "source": weakest.source,
        "certifiedAt": weakest.certified_at.astimezone(UTC).replace(microsecond=0),
        "degree": weakest.degree.value,
    }


def _value_asked(query: CredentialQuery, name: str) -> tuple[str | int | bool, ...]:
    path = ("credentialSubject", name)
    return next((c.values or () for c in query.claims if c.path == path), ())


# --- an age ---------------------------------------------------------------------------------------


def _years(born: date, on: date) -> int:
    """Whole years; who is born on 29 February is a year older on 1 March of other years."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def _birth(known: _Known) -> _Basis | None:
    found = next(known.claims("IdentityCredential", "birthDate"), None)
    return found or known.attribute("identity.birthdate")


def _age(known: _Known, query: CredentialQuery, _: object) -> dict[str, Any]:
    asked = [value for value in _value_asked(query, "ageAtLeast") if type(value) is int]
    birth = _birth(known)
    try:
        born = None if birth is None else date.fromisoformat(str(birth.value))
    except ValueError:
        born = None
    if birth is None or born is None or not asked:
        raise ShareRefusedError("age-unknown")
    years = _years(born, known.today)
    reached = [value for value in asked if value <= years]
    if not reached:
        raise ShareRefusedError(f"age-not-reached:{min(asked)}")
    return {"ageAtLeast": min(reached), **_certified([birth])}


# --- a tariff -------------------------------------------------------------------------------------


def _fact(known: _Known, binding: FactBinding) -> _Basis | None:
    """The value a tariff's rule reads; `age` in whole years, `answer` what the citizen said."""
    kind, _, name = binding.claim.partition(".")
    found: _Basis | None
    if binding.claim == "age":
        found = _birth(known)
        with suppress(ValueError):
            if found is not None:
                born = date.fromisoformat(str(found.value))
                years = _years(born, known.today)
                return _Basis(years, found.source, found.certified_at, found.degree)
        return None
    if binding.claim == "answer":
        said = kept_answers(known.vault).get(binding.variable)
        if said is None or said.is_skipped:
            return None
        return _Basis(said.value, _CITIZEN, said.at, Degree.CLAIMED)
    found = known.attribute(name) if kind == "Attribute" else next(known.claims(kind, name), None)
    if found is not None and binding.equals:
        is_one = str(found.value) in binding.equals
        return _Basis(is_one, found.source, found.certified_at, found.degree)
    return found


def _rule_value(basis: _Basis, unit: str) -> bool | float | str:
    """A value as the rule language writes it."""
    value = basis.value
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return f"{value} {Unit.parse(unit)}" if unit else float(value)
    return f"'{value}'"


def _tariff(known: _Known, query: CredentialQuery, token: object) -> dict[str, Any]:
    trust = known.vault.home.trust
    assert trust is not None  # noqa: S101  # `_Known` refused
    try:
        rule = read_tariff(token, lambda method: trust.key(method, known.at))
        if rule.id not in _value_asked(query, "tariff") or rule.valid_until < known.today:
            raise TariffError("another tariff, or one that is over")
        read = {fact.variable: _fact(known, fact) for fact in rule.facts}
        units = {fact.variable: fact.unit for fact in rule.facts}
        found = {name: basis for name, basis in read.items() if basis is not None}
        answer = rule.evaluate({n: _rule_value(b, units[n]) for n, b in found.items()})
    except (TariffError, TrustError, ValueError):
        raise ShareRefusedError("tariff-invalid") from None
    if answer.status is None:
        raise ShareRefusedError("tariff-missing:" + ",".join(answer.missing[:5]))
    if not found:  # a status for everybody rests on nothing
        found = {"": _Basis(None, str(rule.did), known.at, Degree.SIGNED)}
    return {
        "tariff": rule.id,
        "tariffVersion": rule.version,
        "tariffStatus": answer.status,
        "periodUntil": rule.valid_until,
        **_certified(list(found.values())),
    }


# --- access to a zone -----------------------------------------------------------------------------


def _zone(known: _Known, query: CredentialQuery, _: object) -> dict[str, Any]:
    """A derogation for this zone that the vault holds, else the class of the vehicle."""
    zones = [str(value) for value in _value_asked(query, "zone")]
    for item in known.signed("ZoneAccessCredential"):
        subject = item.subject
        ends = date.fromisoformat(subject["lastDay"])
        if subject["zone"] in zones and "derogation" in subject and known.today <= ends:
            return {
                "zone": subject["zone"],
                "derogation": subject["derogation"],
                "firstDay": date.fromisoformat(subject["firstDay"]),
                "lastDay": ends,
                "decidedAt": parse_instant(subject["decidedAt"]),
                **_certified([_basis(item, subject["zone"])]),
            }
    found = _vehicle_class(known)
    if found is None or ANY_ZONE not in zones:
        raise ShareRefusedError("zone-unknown")
    basis, last = found
    return {
        "zone": ANY_ZONE,
        "critAir": str(basis.value),
        "firstDay": known.today,
        "lastDay": last,
        "decidedAt": known.at.astimezone(UTC).replace(microsecond=0),
        **_certified([basis]),
    }


def _vehicle_class(known: _Known) -> tuple[_Basis, date] | None:
    until = known.today + GOOD_FOR
    for item in known.signed("VehicleClassCredential"):
        if "critAir" in item.subject:
            last = date.fromisoformat(item.subject.get("lastDay", until.isoformat()))
            if known.today <= last:
                return _basis(item, item.subject["critAir"]), min(last, until)
    mine = [cast(Vehicle, record) for record in known.vault.all(Kind.VEHICLE)]
    usable = [
        vehicle
        for vehicle in mine
        if vehicle.crit_air is not None
        and (vehicle.owned_until is None or known.today <= vehicle.owned_until)
    ]
    if not usable:
        return None
    newest = max(usable, key=lambda v: (v.owned_from or date.min, v.id))
    last = min(newest.owned_until or until, until)
    return _Basis(newest.crit_air, _CITIZEN, known.at, Degree.CLAIMED), last


# --- preferences ----------------------------------------------------------------------------------

LIKED, AVOIDED = "travel.liked-mode", "travel.avoided-mode"
WALK, RIDE = "travel.walk-minutes", "travel.ride-minutes"
WHEELCHAIR = "travel.wheelchair"
TELL_HOME, TELL_PASSES = "travel.tell-home", "travel.tell-passes"
WORK_COMMUNE = "travel.work-commune"


def commune_of_home(vault: "OpenVault") -> str | None:
    """INSEE code of the citizen's commune, as they gave or a source certified it."""
    known = vault.attributes("address.commune")
    return str(known[-1].value) if known else None


def travel_members(vault: "OpenVault", *, on: date) -> dict[str, Any]:
    """Members of `TravelPreferences`: what the citizen chose, home and passes only if they said
    so; nothing of what was left empty."""
    chosen = {name: record.value for name, record in preferences(vault, "travel.").items()}
    modes = [
        {"mode": mode, "modeChoice": choice}
        for name, choice in ((LIKED, "liked"), (AVOIDED, "refused"))
        for mode in str(chosen.get(name, "")).split()
        if mode in {m.value for m in Mode}
    ]
    minutes = {
        member: 60 * int(cast(int, chosen[name]))
        for name, member in ((WALK, "longestWalk"), (RIDE, "longestRide"))
        if isinstance(chosen.get(name), int)
    }
    home = commune_of_home(vault) if chosen.get(TELL_HOME) else None
    passes = [
        {
            "network": found.network,
            "product": found.product,
            "periodUntil": found.valid_until.isoformat(),
        }
        for found in (cast(Subscription, r) for r in vault.all(Kind.SUBSCRIPTION))
        if chosen.get(TELL_PASSES) and found.valid_from <= on <= found.valid_until
    ]
    members = {
        "travelModes": modes or None,
        "wheelchair": "yes" if chosen.get(WHEELCHAIR) else None,
        **minutes,
        "homeCommune": home,
        "workCommune": chosen.get(WORK_COMMUNE),
        "passes": passes or None,
    }
    return {name: value for name, value in members.items() if value is not None}


def _travel(known: _Known, _: CredentialQuery, __: object) -> dict[str, Any]:
    members = travel_members(known.vault, on=known.today)
    if not members:
        raise ShareRefusedError("preferences-empty")
    return members


def _statement(known: _Known, query: CredentialQuery, _: object) -> dict[str, Any]:
    """What an installed extension states from its records; of it only the facts asked for."""
    named = _value_asked(query, "extension")
    extension = installed().get(str(named[0])) if named else None
    if extension is None:
        raise ShareRefusedError("extension-unknown")
    asked = asked_facts(query)
    told = extension.state(extension_records(known.vault, extension.name), asked)
    facts = [{"name": name, "value": told[name]} for name in sorted(asked & told.keys())]
    if not facts:
        raise ShareRefusedError(f"extension-lacks:{extension.name}")
    return {"extension": extension.name, "extensionVersion": extension.version, "facts": facts}


_Maker = Callable[[_Known, CredentialQuery, object], dict[str, Any]]
_MAKERS: Final[Mapping[str, _Maker]] = {
    "AgeCredential": _age,
    "TariffCredential": _tariff,
    "ZoneAccessCredential": _zone,
    "TravelPreferences": _travel,
    "ExtensionStatement": _statement,
}
assert set(_MAKERS) == COMPUTED | PREFERENCES  # noqa: S101  # each type has its maker
