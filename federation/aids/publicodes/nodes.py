"""A compiled model: the environment of one evaluation, rules, references, constants, answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from federation.aids.errors import RuleBudgetError, RuleEvaluationError
from federation.aids.publicodes.values import (
    MAX_RULE_DEPTH,
    MAX_STEPS,
    UNDEFINED,
    Result,
    Value,
    merge,
)
from federation.aids.rule_units import Unit


@dataclass(slots=True)
class Environment:
    """One evaluation: the situation, the cache, and what has been spent."""

    situation: Mapping[str, Result]
    cache: dict[int, Result] = field(default_factory=dict)
    lenient: bool = False
    steps: int = 0
    rules: list[str] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)

    def evaluate(self, node: "Node") -> Result:
        """The node's result, computed once. A reference is its rule, and is never kept itself."""
        kind = node.__class__
        if kind is Const:
            return node.result  # type: ignore[attr-defined, no-any-return]
        if kind is Ref:
            node = node.rule  # type: ignore[attr-defined]  # linked at import
        key = id(node)
        found = self.cache.get(key)
        if found is not None:
            return found
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise RuleBudgetError(self.where, f"more than {MAX_STEPS} steps")
        result = self.cache[key] = node.compute(self)
        return result

    def known(self, node: "Node") -> Result | None:
        """What was found for a node; None when this evaluation did not need it."""
        if isinstance(node, Const):
            return node.result
        return self.cache.get(id(node.rule if isinstance(node, Ref) else node))

    def begin(self) -> None:
        """A new question: its own steps, and no rule half way (an error may have left some)."""
        self.steps = 0
        if self.rules:
            self.rules.clear()
        if self.parents:
            self.parents.clear()

    def spend(self) -> None:
        """Count one step.

        Raises:
            RuleBudgetError: more than `MAX_STEPS`.
        """
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise RuleBudgetError(self.where, f"more than {MAX_STEPS} steps")

    def mismatch(self, error: ValueError) -> None:
        """Units that measure different things: an error, or upstream's bare numbers."""
        if not self.lenient:
            raise RuleEvaluationError(self.where, str(error)) from error

    @property
    def where(self) -> str:
        return self.rules[-1] if self.rules else "?"


@dataclass(frozen=True, slots=True)
class Kind:
    """Inferred type: may it be « non applicable », and what it holds."""

    nullable: bool | None = None
    type: str | None = None


class Node:
    """A compiled node. Identity is the cache key."""

    __slots__ = ()

    def compute(self, env: Environment) -> Result:
        """Evaluate against `env`."""
        raise NotImplementedError

    def infer(self, of: Callable[["Node"], Kind]) -> Kind:
        """Static type."""
        raise NotImplementedError

    @property
    def static_unit(self) -> Unit | None:
        """Unit written on the node itself."""
        return None


class Const(Node):
    __slots__ = ("result", "type")

    def __init__(self, value: Value, unit: Unit | None = None) -> None:
        self.result = Result(value, unit)
        self.type = (
            "boolean"
            if isinstance(value, bool)
            else "number"
            if isinstance(value, float)
            else "string"
            if isinstance(value, str)
            else None
        )

    def compute(self, env: Environment) -> Result:  # noqa: ARG002 - a constant needs nothing
        return self.result

    def infer(self, of: Callable[[Node], Kind]) -> Kind:  # noqa: ARG002 - same
        return Kind(self.result.value is None, self.type)

    @property
    def static_unit(self) -> Unit | None:
        return self.result.unit


TRUE: Final = Result(True)
FALSE: Final = Result(False)
"""Answers of a comparison that depends on no question."""
YES: Final = Const(True)
NO: Final = Const(False)
NOT_APPLICABLE: Final = Const(None)
NOTHING: Final = Const(UNDEFINED)


class Ref(Node):
    __slots__ = ("context", "name", "rule")

    def __init__(self, name: str, context: str) -> None:
        self.name = name
        self.context = context
        self.rule: Rule | None = None

    def compute(self, env: Environment) -> Result:
        assert self.rule is not None  # noqa: S101 - linked at import
        return env.evaluate(self.rule)

    def infer(self, of: Callable[[Node], Kind]) -> Kind:
        return of(self.rule) if self.rule is not None else Kind()


def number_of(env: Environment, value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RuleEvaluationError(env.where, "a number is expected")
    return float(value)


def is_zero(value: Value) -> bool:
    return isinstance(value, float) and value == 0


class Defaulted(Node):
    """A default value: used, and the rule is listed as a question."""

    __slots__ = ("inner", "name")

    def __init__(self, inner: Node, name: str) -> None:
        self.inner = inner
        self.name = name

    def infer(self, of: Callable[[Node], Kind]) -> Kind:
        return of(self.inner)

    def compute(self, env: Environment) -> Result:
        found = env.evaluate(self.inner)
        weight = max(found.missing.values(), default=0) + 1
        return Result(found.value, found.unit, merge(found.missing, {self.name: weight}))

    @property
    def static_unit(self) -> Unit | None:
        return None


class Situated(Node):
    """The answer given for a rule, or else what the rule computes."""

    __slots__ = ("inner", "name")

    def __init__(self, inner: Node, name: str) -> None:
        self.inner = inner
        self.name = name

    def infer(self, of: Callable[[Node], Kind]) -> Kind:
        return of(self.inner)

    def compute(self, env: Environment) -> Result:
        given = env.situation.get(self.name)
        return env.evaluate(self.inner) if given is None else given


TYPES: Final = {
    "nombre": "number",
    "entier": "number",
    "texte": "string",
    "string": "string",
    "date": "date",
    "booléen": "boolean",
    "boolean": "boolean",
}


class Rule(Node):
    """A rule: off when its nearest nullable or boolean parent is off, else its body."""

    __slots__ = (
        "body",
        "boolean_parent",
        "choices",
        "name",
        "nullable_parent",
        "parent",
        "parents",
        "raw",
        "tests",
    )

    def __init__(self, name: str, raw: Mapping[str, Any]) -> None:
        self.name = name
        self.raw = raw
        self.body: Node = NOTHING
        self.parents: tuple[Node, ...] = ()
        self.parent: Node | None = None
        self.nullable_parent = False
        self.boolean_parent = False
        self.tests: tuple[Node, ...] = ()
        self.choices: tuple[str, ...] = ()

    def infer(self, of: Callable[[Node], Kind]) -> Kind:
        kind = of(self.body)
        if self.choices:
            return Kind(kind.nullable, "string")
        if kind.type is not None:
            return kind
        declared = TYPES.get(str(self.raw.get("type", "")))
        if declared is None and self.raw.get("question"):
            declared = "boolean"
        return Kind(kind.nullable, declared)

    def disabled(self, env: Environment) -> tuple[bool, Mapping[str, int]]:
        """Is the rule off because of its parent, and what that still depends on."""
        parent = self.parent
        if parent is None:
            return False, {}
        if self.name not in env.parents:
            env.parents.append(self.name)
            off = Result(False)
            if self.nullable_parent:
                off = env.evaluate(self.tests[0])
            if off.value is not True and self.boolean_parent:
                off = env.evaluate(self.tests[1])
            env.parents.pop()
            if off.value is True:
                return True, off.missing
        if self.boolean_parent:
            found = env.evaluate(parent)
            return found.value is False, found.missing
        return False, {}

    def compute(self, env: Environment) -> Result:
        missing: Mapping[str, int] = {}
        if self.parent is not None:
            disabled, missing = self.disabled(env)
            if disabled:
                return Result(None, None, missing)
        rules = env.rules
        if rules.count(self.name) > 1:
            return Result(UNDEFINED, None, missing)
        if len(rules) >= MAX_RULE_DEPTH:
            raise RuleBudgetError(self.name, f"more than {MAX_RULE_DEPTH} rules deep")
        rules.append(self.name)
        found = env.evaluate(self.body)
        rules.pop()
        own = found.missing
        if found.value is UNDEFINED and not own:
            own = {self.name: 1}
        elif not missing:
            return found
        return Result(found.value, found.unit, merge(own, missing))
