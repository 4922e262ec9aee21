"""A tariff as its operator publishes it: a rule that a vault computes, and what it may answer.

The rule is the subset of Publicodes that aids use (`federation.aids.publicodes`: bounded in size,
depth and steps), its value one of the named statuses. Facts come from what the vault holds; the
figures stay there, only the status leaves. Signed by the operator (JWS, `typ` `tariff-rule+jwt`)
and carried in the service's request, so nothing has to be fetched to compute it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from federation.aids.errors import RuleEvaluationError, RuleImportError
from federation.aids.model import FactBinding
from federation.aids.publicodes import UNDEFINED, Engine
from federation.jose import JwsError, JwsMalformedError, sign_jws, verify_jws
from federation.keys import PublicKey, Signer
from federation.profiles.errors import TariffError
from schemas.ids import Did

__all__ = ["MAX_TARIFF", "TariffAnswer", "TariffRule", "read_tariff", "sign_tariff"]

TARIFF_TYP: Final = "tariff-rule+jwt"
MAX_TARIFF: Final = 60_000
"""Characters of a signed rule."""
MAX_RULES: Final = 200
_STATUS: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_MEMBERS: Final = frozenset(
    {"iss", "id", "version", "title", "rules", "result", "statuses", "facts", "validUntil", "iat"}
)


@dataclass(frozen=True, slots=True)
class TariffAnswer:
    """What a rule gives: a status, or the values it still needs."""

    status: str | None
    missing: tuple[str, ...] = ()
    """Dotted names, most useful first."""


@dataclass(frozen=True, slots=True)
class TariffRule:
    """A published tariff."""

    did: Did
    """The operator."""
    id: str
    """Its address."""
    version: str
    title: Mapping[str, str]
    rules: Mapping[str, Any] = field(repr=False)
    result: str
    """Dotted name of the rule whose value is the status."""
    statuses: Mapping[str, Mapping[str, str]]
    """Status → its words, `fr` and `en`."""
    facts: tuple[FactBinding, ...]
    """What each open value is read from."""
    valid_until: date
    """Last day of an entitlement under it."""

    def evaluate(self, values: Mapping[str, bool | float | str]) -> TariffAnswer:
        """The status for these values (as `Engine.evaluate` takes them); nothing of them is kept.

        Raises:
            TariffError: the rule cannot be computed for them, or gives no status of its own.
        """
        try:
            found = Engine(self.rules).evaluate(self.result, dict(values))
        except (RuleImportError, RuleEvaluationError) as error:
            raise TariffError(error.code) from None  # a message may quote a figure
        if found.value is UNDEFINED:
            return TariffAnswer(None, tuple(found.missing))
        if not isinstance(found.value, str) or found.value not in self.statuses:
            raise TariffError("the rule gives no status of this tariff")
        return TariffAnswer(found.value)


def sign_tariff(rule: TariffRule, signer: Signer, *, at: datetime) -> str:
    """The rule to publish and to carry in requests."""
    claims = {
        "iss": rule.did,
        "id": rule.id,
        "version": rule.version,
        "title": dict(rule.title),
        "rules": dict(rule.rules),
        "result": rule.result,
        "statuses": {name: dict(words) for name, words in rule.statuses.items()},
        "facts": [
            {
                "variable": fact.variable,
                "claim": fact.claim,
                **({"equals": list(fact.equals)} if fact.equals else {}),
                **({"unit": fact.unit} if fact.unit else {}),
            }
            for fact in rule.facts
        ],
        "validUntil": rule.valid_until.isoformat(),
        "iat": int(at.timestamp()),
    }
    return sign_jws(claims, signer, typ=TARIFF_TYP)


def read_tariff(token: object, key_of: Callable[[str], PublicKey]) -> TariffRule:
    """Verify a published rule: signed by a key of the operator that `key_of` gives, whole, and one
    that compiles.

    Raises:
        TariffError: not such a rule. Whatever `key_of` raises.
    """
    method: list[str] = []

    def key(header: Mapping[str, Any]) -> PublicKey:
        method.append(str(header.get("kid", "")))
        return key_of(method[0])

    if not isinstance(token, str):
        raise TariffError("no published rule")
    try:
        claims = verify_jws(token, key, typ=TARIFF_TYP, max_chars=MAX_TARIFF).claims
    except (JwsMalformedError, JwsError) as error:
        raise TariffError(str(error)) from None
    if set(claims) != _MEMBERS or method[0].partition("#")[0] != claims["iss"]:
        raise TariffError("other members than a rule's, or another signer")
    rules, statuses = claims["rules"], claims["statuses"]
    if not isinstance(rules, Mapping) or not 0 < len(rules) <= MAX_RULES:
        raise TariffError("a rule has rules, 200 at most")
    try:
        made = TariffRule(
            did=Did(claims["iss"]),
            id=_text(claims["id"], 500),
            version=_text(claims["version"], 40),
            title=_words(claims["title"]),
            rules=rules,
            result=_text(claims["result"], 200),
            statuses={name: _words(words) for name, words in statuses.items()},
            facts=tuple(_fact(fact) for fact in claims["facts"]),
            valid_until=date.fromisoformat(claims["validUntil"]),
        )
        Engine(rules)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise TariffError(f"unreadable: {type(error).__name__}") from None
    except RuleImportError as error:
        raise TariffError(str(error)) from None
    if not 0 < len(made.statuses) <= 32 or any(_STATUS.fullmatch(n) is None for n in made.statuses):
        raise TariffError("1 to 32 statuses of small letters and digits")
    if made.result not in rules:
        raise TariffError("the result is not one of its rules")
    return made


def _text(value: object, longest: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise ValueError("text")
    return value


def _words(value: Mapping[str, str]) -> dict[str, str]:
    if set(value) != {"fr", "en"}:
        raise ValueError("words")
    return {language: _text(value[language], 200) for language in ("fr", "en")}


def _fact(value: Mapping[str, Any]) -> FactBinding:
    if not {"variable", "claim"} <= set(value) <= {"variable", "claim", "equals", "unit"}:
        raise ValueError("fact")
    return FactBinding(
        variable=_text(value["variable"], 200),
        claim=_text(value["claim"], 120),
        equals=tuple(_text(item, 120) for item in value.get("equals", ())),
        unit=str(value.get("unit", "")),
    )
