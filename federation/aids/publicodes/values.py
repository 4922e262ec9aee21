"""The values of the language, and what an evaluation says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from federation.aids.rule_units import Unit

MAX_STEPS: Final = 100_000
"""Node evaluations of one question; all aids of the bike model together take about 30 000."""
MAX_RULE_DEPTH: Final = 40
"""Rules calling rules during one evaluation; the bike model needs 14."""


class Undefined(Enum):
    """The third state: neither a value nor « non applicable »."""

    UNDEFINED = "undefined"


UNDEFINED: Final = Undefined.UNDEFINED


Value = bool | float | str | None | Undefined
"""None is « non applicable »."""


@dataclass(slots=True)
class Result:
    """Value of one node, its unit, and the questions it still depends on with their weight.

    Nobody changes one; it is not `frozen` because a frozen one takes three times as long to make.
    """

    value: Value
    unit: Unit | None = None
    missing: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the trace. `kind`: condition, exception, parent, branch, cap, floor, amount."""

    kind: str
    rule: str
    passed: bool | None
    words: Mapping[str, str]
    subject: str = ""
    """Name of the rule that was compared or read."""
    operator: str = ""
    have: Value = None
    have_unit: Unit | None = None
    need: Value = None
    need_unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the engine found.

    `value` None means not applicable, `UNDEFINED` that answers are missing. `missing` is ordered,
    most useful question first.
    """

    value: Value
    unit: Unit | None
    missing: Mapping[str, int]
    trace: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """What a form needs to ask for a rule's value."""

    name: str
    title: str
    title_en: str
    question: str
    question_en: str
    kind: str
    choices: tuple[str, ...]
    unit: str
    metadata: Mapping[str, Any]


def merge(left: Mapping[str, int], right: Mapping[str, int]) -> Mapping[str, int]:
    if not left:
        return right
    if not right:
        return left
    merged = dict(left)
    for name, weight in right.items():
        merged[name] = merged.get(name, 0) + weight
    return merged


def bonus(missing: Mapping[str, int]) -> Mapping[str, int]:
    return {name: weight + 1 for name, weight in missing.items()} if missing else missing


def is_off(value: Value) -> bool:
    return value is None or value is False
