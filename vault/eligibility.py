"""What can I get: the hub's own pure evaluation, on facts of the open vault. Nothing leaves.

Facts come, in this order, from a usage count of the vault's trips, from credentials it holds, from
its records (passes), and from answers the citizen typed. The hub sees proven claims only; here an
estimate may rest on answers, and says so (`FactSource`).
"""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, cast

from federation.aids.eligibility import Fact, Facts, FactSource, Outcome, evaluate
from federation.aids.model import Aid, FactBinding
from schemas.evidence import AssuranceMethod, Evidence
from schemas.records import Kind, Subscription
from vault.usage_proof import UsageCount, count_usage

if TYPE_CHECKING:
    from federation.aids.catalogue import Catalogue
    from vault.open_vault import OpenVault

__all__ = ["concerned", "estimate", "facts_from", "known_names"]

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
    answers: Mapping[str, str] | None = None,
) -> Facts:
    """The facts `aid` binds, as this vault knows them on `at`."""
    values: dict[str, Fact] = {}
    usage: UsageCount | None = None
    if aid.proof is not None:
        usage = count_usage(vault, aid.proof, period=period)
    for binding in aid.bindings:
        fact = _fact(vault, binding, usage, period)
        if fact is not None:
            values[binding.variable] = fact
    for name, text in (answers or {}).items():
        if name not in values:
            values[name] = Fact(_answer(text), FactSource.ANSWER)
    weakest: Evidence | None = None
    if usage is not None and usage.days:
        weakest = usage.weakest
    return Facts(
        at=at,
        values=values,
        period=period,
        weakest_evidence=weakest,
        assurance=AssuranceMethod.VAULT_ATTESTED if usage is not None else None,
        territories=territories(vault) or None,
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


def concerned(vault: "OpenVault", catalogue: "Catalogue", *, at: date) -> list[Aid]:
    """Aids that may concern this citizen: national ones, and those of their territories; of every
    territory while the vault knows none."""
    codes = territories(vault)
    return [
        aid
        for aid in catalogue.aids
        if aid.is_open(at)
        and (not aid.territories or not codes or any(t.code in codes for t in aid.territories))
    ]


def territories(vault: "OpenVault") -> frozenset[str]:
    """Codes of the citizen's territories, from their attributes."""
    return frozenset(str(a.value) for a in vault.attributes() if a.name in _TERRITORY)


def known_names(vault: "OpenVault") -> tuple[str | None, str | None]:
    """(person, employer) as attested, for a document the citizen prints."""
    person = employer = None
    for credential in vault.credentials():
        subject: Mapping[str, Any] = credential.document.get("credentialSubject", {})
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


def _fact(
    vault: "OpenVault",
    binding: FactBinding,
    usage: UsageCount | None,
    period: tuple[date, date],
) -> Fact | None:
    kind, _, name = binding.claim.partition(".")
    if kind == "UsageProof":
        if usage is None or name != "days":
            return None
        return Fact(usage.days, FactSource.PROOF, binding.unit)
    for credential in reversed(vault.credentials(kind)):
        subject = credential.document.get("credentialSubject", {})
        value = _claim(subject, name)
        if value is not None:
            said = str(value) in binding.equals if binding.equals else value
            return Fact(said, FactSource.CREDENTIAL, binding.unit, credential.issuer)
    if kind == "PassCredential":
        return _pass(vault, binding, name, period)
    return None


def _claim(subject: Mapping[str, Any], name: str) -> Any:
    if name == "months":
        return _months(
            date.fromisoformat(str(subject["periodFrom"])),
            date.fromisoformat(str(subject["periodUntil"])),
        )
    if name == "monthly-price":
        amount, months = subject.get("amount"), _claim(subject, "months")
        return None if amount is None else amount / 100 / months
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
