"""What can I get: the hub's own pure evaluation, on facts of the open vault. Nothing leaves.

Facts come, in this order, from a usage count of the vault's trips, from credentials it holds, from
its records (passes, date of birth, awards), and from answers the citizen typed. The hub sees proven
claims only; here an estimate may rest on answers, and says so (`FactSource`).
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, cast

from federation.aids.eligibility import Fact, Facts, FactSource, Outcome, evaluate
from federation.aids.model import Aid, FactBinding
from federation.aids.territories import EVERYWHERE, TerritoryCodes, by_code
from federation.credentials.held import read_held
from federation.credentials.shape import ShapeError
from schemas.evidence import AssuranceMethod, Evidence
from schemas.records import Credential, Kind, Subscription
from vault.held import held_by
from vault.usage_proof import UsageCount, count_usage

if TYPE_CHECKING:
    from federation.aids.catalogue import Catalogue
    from federation.aids.model import ProofTemplate
    from vault.open_vault import OpenVault

__all__ = [
    "UsageCounts",
    "awarded",
    "claim_of",
    "estimate",
    "facts_from",
    "known_names",
    "subject_of",
]

_TERRITORY: Mapping[str, str] = {
    "address.commune": "commune",
    "address.epci": "epci",
    "address.department": "departement",
    "address.departement": "departement",
    "address.region": "region",
}


def facts_from(
    vault: "OpenVault",
    aid: Aid,
    *,
    at: date,
    period: tuple[date, date],
    answers: Mapping[str, bool | int | float | str] | None = None,
    usage: "UsageCounts | None" = None,
) -> Facts:
    """The facts `aid` binds, as this vault knows them on `at`.

    `usage` shares one count between aids, and lends its template to an aid that has none of its
    own but asks for days all the same.
    """
    values: dict[str, Fact] = {}
    counts = usage or UsageCounts(vault, period)
    count: UsageCount | None = None
    if aid.proof is not None or any(b.claim.startswith("UsageProof.") for b in aid.bindings):
        count = counts.of(aid)
    for binding in aid.bindings:
        fact = _fact(vault, aid, binding, count, period)
        if fact is not None:
            values[binding.variable] = fact
    age = _age(vault, at)
    if age is not None:
        values.setdefault("demandeur . âge", age)
    for name, text in (answers or {}).items():
        if name not in values:
            values[name] = Fact(_answer(text) if isinstance(text, str) else text, FactSource.ANSWER)
    weakest: Evidence | None = None
    if aid.proof is not None and count is not None and count.value:
        weakest = count.weakest
    return Facts(
        at=at,
        values=values,
        period=period,
        weakest_evidence=weakest,
        assurance=AssuranceMethod.VAULT_ATTESTED if aid.proof is not None else None,
        territories=territories(vault) or None,
    )


class UsageCounts:
    """Usage counts of one period, each template counted once.

    `lent` is the template of the first aid of the catalogue that asks for days: an employer's
    scheme without a proof of its own counts the same days.
    """

    def __init__(
        self, vault: "OpenVault", period: tuple[date, date], *, lent: "ProofTemplate | None" = None
    ) -> None:
        self._vault = vault
        self._period = period
        self._lent = lent
        self._counts: dict[ProofTemplate, UsageCount] = {}

    def of(self, aid: Aid) -> UsageCount | None:
        """The count an aid asks for; None when no template is known."""
        template = aid.proof or self._lent
        if template is None:
            return None
        found = self._counts.get(template)
        if found is None:
            found = count_usage(self._vault, template, period=self._period)
            self._counts[template] = found
        return found


def awarded(vault: "OpenVault", aids: Iterable[Aid], family: str) -> bool:
    """True when the vault holds the award of an aid of that family."""
    ids = {aid.id for aid in aids if aid.family == family}
    return any(
        subject_of(credential).get("aid") in ids
        for credential in vault.credentials("AwardCredential")
    )


def estimate(
    vault: "OpenVault",
    catalogue: "Catalogue",
    aid: Aid,
    *,
    at: date,
    period: tuple[date, date],
    answers: Mapping[str, str] | None = None,
) -> Outcome:
    """What the aid would give: an amount, why not, or which answers are missing."""
    facts = facts_from(vault, aid, at=at, period=period, answers=answers)
    return evaluate(aid, facts, catalogue.engine(aid))


def territories(vault: "OpenVault") -> TerritoryCodes:
    """(level, code) of the citizen's territories: all of their commune's, or those they gave."""
    found = {(_TERRITORY[a.name], str(a.value)) for a in vault.attributes() if a.name in _TERRITORY}
    here = next((by_code(code) for level, code in found if level == "commune"), None)
    if here is not None:
        return here.codes
    return frozenset(found | {EVERYWHERE}) if found else frozenset()


def known_names(vault: "OpenVault") -> tuple[str | None, str | None]:
    """(person, employer) as attested, for a document the citizen prints."""
    person = employer = None
    for credential in vault.credentials():
        subject = subject_of(credential)
        if credential.type == "IdentityCredential":
            person = f"{subject.get('givenName', '')} {subject.get('familyName', '')}".strip()
        if credential.type == "AffiliationCredential":
            employer = subject.get("employerName")
    if person is None:
        names = {a.name: a.value for a in vault.attributes()}
        given = names.get("identity.given_name", "")
        family = names.get("identity.family_name", "")
        person = f"{given} {family}".strip() or None
    return person, employer


def _age(vault: "OpenVault", at: date) -> Fact | None:
    """Full years, from the date of birth an identity provider gave."""
    known = vault.attributes("identity.birthdate")
    if not known:
        return None
    try:
        born = date.fromisoformat(str(known[-1].value))
    except ValueError:
        return None
    years = at.year - born.year - ((at.month, at.day) < (born.month, born.day))
    return Fact(years, FactSource.RECORD, "an", known[-1].source) if years >= 0 else None


def _fact(
    vault: "OpenVault",
    aid: Aid,
    binding: FactBinding,
    usage: UsageCount | None,
    period: tuple[date, date],
) -> Fact | None:
    kind, _, name = binding.claim.partition(".")
    if kind == "UsageProof":
        if usage is None or name not in {"value", usage.metric.member, "atLeast"}:
            return None
        return Fact(usage.value, FactSource.PROOF, binding.unit)
    told = _told(vault, aid, kind, name)
    if told and (binding.equals or binding.excludes):
        among = binding.excludes or binding.equals
        matching = [issuer for value, issuer in told if str(value) in among]
        if binding.excludes:
            if not matching:
                return None
            return Fact(False, FactSource.CREDENTIAL, label=matching[0])
        label = matching[0] if matching else told[0][1]
        return Fact(bool(matching), FactSource.CREDENTIAL, binding.unit, label)
    if told:
        value, issuer = told[0]
        return Fact(value, FactSource.CREDENTIAL, binding.unit, issuer)
    if kind == "PassCredential":
        return _pass(vault, binding, name, period)
    return None


def _told(vault: "OpenVault", aid: Aid, kind: str, name: str) -> list[tuple[Any, str]]:
    """(value, issuer) of a claim in each credential of a kind, newest first.

    Somebody with two employers holds two affiliations: when one of them is bound to the key that
    this aid's funder knows, it alone counts, as it is the one that would be shown.
    """
    held = held_by(vault, kind)
    if len(held) > 1:
        holder = vault.known_holder(aid.funder)
        held = [one for one in held if one.holder == holder] or held
    told = [(claim_of(one.subject, name), one.issuer) for one in held]
    return [(value, issuer) for value, issuer in told if value is not None]


def subject_of(credential: Credential) -> Mapping[str, Any]:
    """All claims of a held credential, whatever its format; none of one that cannot be read."""
    try:
        return read_held(credential.document).subject
    except ShapeError:
        return {}


def claim_of(subject: Mapping[str, Any], name: str) -> Any:
    """A member of a credential's subject, or a figure derived from its members."""
    if name == "months":
        return _months(
            date.fromisoformat(str(subject["periodFrom"])),
            date.fromisoformat(str(subject["periodUntil"])),
        )
    if name == "monthly-price":
        amount, months = subject.get("amount"), claim_of(subject, "months")
        return None if amount is None else amount / 100 / months
    if name == "total-price":
        total = subject.get("total")
        return None if total is None else total / 100
    return subject.get(name)


def _months(since: date, until: date) -> int:
    return (until.year - since.year) * 12 + until.month - since.month + 1


def _pass(
    vault: "OpenVault", binding: FactBinding, name: str, period: tuple[date, date]
) -> Fact | None:
    """The same two figures from the citizen's own passes and their invoices."""
    passes = [
        cast(Subscription, record)
        for record in vault.all(Kind.SUBSCRIPTION)
        if cast(Subscription, record).valid_from <= period[1]
        and cast(Subscription, record).valid_until >= period[0]
    ]
    if not passes:
        return None
    found = passes[-1]
    months = _months(found.valid_from, found.valid_until)
    if name == "months":
        return Fact(months, FactSource.RECORD, binding.unit, found.network)
    if name == "monthly-price" and found.invoice is not None:
        from schemas.records import Invoice
        from vault.errors import RecordUnknownError

        try:
            invoice = vault.get(found.invoice)
        except RecordUnknownError:
            return None
        if isinstance(invoice, Invoice):
            return Fact(
                invoice.total / 100 / months, FactSource.RECORD, binding.unit, invoice.issuer_name
            )
    return None


def _answer(text: str) -> bool | int | float | str:
    lowered = text.strip().lower()
    if lowered in {"oui", "yes", "true"}:
        return True
    if lowered in {"non", "no", "false"}:
        return False
    try:
        number = float(lowered.replace(",", "."))
    except ValueError:
        return text
    return int(number) if number.is_integer() else number
