"""What is refused of a whole model at import: cycles, and units that measure different things."""

from collections.abc import Mapping

from federation.aids.errors import RuleImportError
from federation.aids.publicodes.amounts import InUnit
from federation.aids.publicodes.conditions import Op
from federation.aids.publicodes.nodes import Const, Node, Ref, Rule, Situated
from federation.aids.publicodes.tree import walk
from federation.aids.rule_units import PERCENT, Unit, is_convertible


def refuse_cycles(rules: Mapping[str, Rule]) -> None:
    """A rule that reads itself, directly or through others, is refused at import."""
    calls: dict[str, list[str]] = {}
    for rule in rules.values():
        calls[rule.name] = [n.name for n in walk(rule.body) if isinstance(n, Ref)]
    state: dict[str, int] = {}
    for start in calls:
        stack: list[tuple[str, int]] = [(start, 0)]
        while stack:
            name, index = stack.pop()
            if index == 0:
                if state.get(name) == 2:
                    continue
                state[name] = 1
            if index < len(calls[name]):
                stack.append((name, index + 1))
                following = calls[name][index]
                if state.get(following) == 1 and any(n == following for n, _ in stack):
                    raise RuleImportError(name, f"reads itself through « {following} »")
                if following not in state:
                    stack.append((following, 0))
            else:
                state[name] = 2


def refuse_units(rules: Mapping[str, Rule]) -> None:
    """Refuse sums and comparisons of constants that measure different things."""
    for rule in rules.values():
        for node in walk(rule.body):
            if not isinstance(node, Op) or node.operator in ("*", "/"):
                continue
            left, right = unit_of(node.left), unit_of(node.right)
            percent = right == PERCENT and node.operator in "+-"
            if not percent and not is_convertible(left, right):
                raise RuleImportError(rule.name, f"« {left} » {node.operator} « {right} »")


def unit_of(node: Node, depth: int = 0) -> Unit | None:
    if isinstance(node, Const | InUnit):
        return node.static_unit
    if isinstance(node, Ref) and node.rule is not None and depth < 8:
        return unit_of(node.rule.body, depth + 1)
    if isinstance(node, Situated) and depth < 8:
        return unit_of(node.inner, depth + 1)
    return None
