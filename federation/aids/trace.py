"""From an evaluation to sentences: which condition failed, which branch was taken, which cap bit.

« revenu fiscal par part : 21 000 € par an, au plus 15 400 € par an demandé → condition non
remplie ». Reads the evaluation's cache; never evaluates anything new that could change it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from federation.aids.publicodes.amounts import InUnit, Rounded, Simplified
from federation.aids.publicodes.conditions import AllOf, AnyOf, If, Op, Variations
from federation.aids.publicodes.nodes import Const, Environment, Node, Ref, Rule, Situated
from federation.aids.publicodes.values import UNDEFINED, Step, Undefined
from federation.aids.rule_units import Unit

if TYPE_CHECKING:
    from federation.aids.publicodes.engine import Engine

__all__ = ["explain", "say_value"]

_WORDS: Final = {
    "<=": ("au plus", "at most"),
    "<": ("moins de", "less than"),
    ">=": ("au moins", "at least"),
    ">": ("plus de", "more than"),
    "=": ("égal à", "equal to"),
    "!=": ("différent de", "other than"),
}
_PER: Final = {
    "an": ("par an", "a year"),
    "mois": ("par mois", "a month"),
    "jour": ("par jour", "a day"),
    "personne": ("par personne", "per person"),
}
_ONE: Final = {
    "an": ("an", "year"),
    "mois": ("mois", "month"),
    "jour": ("jour", "day"),
    "personne": ("personne", "person"),
}
_MAX_STEPS: Final = 200


def say_value(value: "bool | float | str | Undefined | None", unit: Unit | None) -> tuple[str, str]:
    """A value in French and in English: `21 000 € par an`, `€21,000 a year`."""
    if value is None:
        return "non applicable", "not applicable"
    if isinstance(value, bool):
        return ("oui", "yes") if value else ("non", "no")
    if isinstance(value, str):
        return f"« {value} »", f"“{value}”"
    if not isinstance(value, int | float):
        return "pas encore connu", "not known yet"
    whole = round(value, 2)
    number = f"{whole:,.0f}" if whole == int(whole) else f"{whole:,.2f}"
    french = number.replace(",", "\u202f").replace(".", ",")
    if unit is None or not (unit.numerators or unit.denominators):
        return french, number
    above = ".".join(unit.numerators)
    fr, en = f"{french} {above}", f"{number} {above}"
    if above == "€":
        fr, en = f"{french} €", f"€{number}"
    elif above in _ONE:
        plural_fr = "s" if abs(value) >= 2 and above != "mois" else ""
        plural_en = "s" if abs(value) != 1 else ""
        en_plural = "people" if above == "personne" and plural_en else _ONE[above][1] + plural_en
        fr, en = f"{french} {_ONE[above][0]}{plural_fr}", f"{number} {en_plural}"
    for name in unit.denominators:
        per = _PER.get(name, (f"par {name}", f"per {name}"))
        fr, en = f"{fr} {per[0]}", f"{en} {per[1]}"
    return fr, en


class _Teller:
    """Walks one rule's body beside what was computed for it."""

    def __init__(self, engine: "Engine", env: Environment) -> None:
        self.engine = engine
        self.env = env
        self.seen: set[str] = set()
        self.count = 0

    def label(self, node: Node) -> tuple[str, str] | None:
        if isinstance(node, Ref):
            info = self.engine.info(node.name)
            return info.title, info.title_en
        return None

    def step(
        self,
        kind: str,
        rule: str,
        passed: bool | None,
        french: str,
        english: str,
        **compared: Any,
    ) -> Iterator[Step]:
        self.count += 1
        if self.count <= _MAX_STEPS:
            yield Step(kind, rule, passed, {"fr": french, "en": english}, **compared)

    def condition(self, rule: str, node: Node, kind: str) -> Iterator[Step]:
        """One condition: the parts that decided it, in words."""
        found = self.env.known(node)
        if found is None or isinstance(node, Const):
            return
        passed = (
            None if found.value is UNDEFINED else not (found.value is None or found.value is False)
        )
        if isinstance(node, AllOf) or (isinstance(node, AnyOf) and len(node.items) == 1):
            for item in node.items:
                yield from self.condition(rule, item, kind)
            return
        if isinstance(node, AnyOf):
            for item in node.items:
                inner = self.env.known(item)
                if passed is True and (inner is None or inner.value is not True):
                    continue
                yield from self.condition(rule, item, kind)
            return
        if isinstance(node, Op) and node.operator in _WORDS:
            left = self.env.known(node.left)
            right = self.env.known(node.right)
            label = self.label(node.left) or ("valeur", "value")
            if left is None:
                return
            have = say_value(left.value, left.unit)
            need = ("?", "?") if right is None else say_value(right.value, right.unit or left.unit)
            words = _WORDS[node.operator]
            yield from self.step(
                kind,
                node.left.name if isinstance(node.left, Ref) else rule,
                passed,
                f"{label[0]} : {have[0]} ; la règle demande {words[0]} {need[0]}",
                f"{label[1]}: {have[1]}; the rule asks for {words[1]} {need[1]}",
                subject=node.left.name if isinstance(node.left, Ref) else "",
                operator=node.operator,
                have=left.value,
                have_unit=left.unit,
                need=None if right is None else right.value,
                need_unit=None if right is None else right.unit or left.unit,
            )
            return
        if isinstance(node, Ref):
            label = self.label(node) or (node.name, node.name)
            have = say_value(found.value, found.unit)
            inner_rule = node.rule
            if inner_rule is not None and inner_rule.name not in self.seen:
                self.seen.add(inner_rule.name)
                inside = list(self.inside(inner_rule, kind))
                if inside and passed is not True:
                    yield from inside
                    return
            yield from self.step(
                kind,
                node.name,
                passed,
                f"{label[0]} : {have[0]}",
                f"{label[1]}: {have[1]}",
                subject=node.name,
                have=found.value,
                have_unit=found.unit,
            )
            return
        have = say_value(found.value, found.unit)
        yield from self.step(kind, rule, passed, f"condition : {have[0]}", f"condition: {have[1]}")

    def inside(self, rule: Rule, kind: str) -> Iterator[Step]:
        """Conditions of a referenced yes/no rule whose body is a condition itself."""
        body: Node = rule.body
        if isinstance(body, Situated):
            if rule.name in self.env.situation:
                return
            body = body.inner
        if isinstance(body, AllOf | AnyOf) or (isinstance(body, Op) and body.operator in _WORDS):
            yield from self.condition(rule.name, body, kind)

    def body(self, rule: Rule, node: Node) -> Iterator[Step]:
        """Conditions, then the branch taken, then what bounded the amount."""
        found = self.env.known(node)
        if found is None:
            return
        if isinstance(node, If):
            test = self.env.known(node.test)
            if node.mechanism in ("applicable si", "non applicable si") and node.parameter:
                kind = "condition" if node.mechanism == "applicable si" else "exception"
                yield from self.condition(rule.name, node.parameter, kind)
                if test is not None and test.value is True:
                    yield from self.body(rule, node.yes)
                return
            if node.mechanism in ("plafond", "plancher") and node.parameter:
                yield from self.body(rule, node.no)
                bound = self.env.known(node.parameter)
                if test is not None and test.value is True and bound is not None:
                    words = say_value(bound.value, bound.unit or found.unit)
                    cap = node.mechanism == "plafond"
                    yield from self.step(
                        "cap" if cap else "floor",
                        rule.name,
                        None,
                        f"{'plafonné à' if cap else 'porté à'} {words[0]}",
                        f"{'capped at' if cap else 'raised to'} {words[1]}",
                        have=bound.value,
                        have_unit=bound.unit or found.unit,
                    )
                return
            yield from self.body(rule, node.no)
            return
        if isinstance(node, Situated | InUnit | Rounded | Simplified):
            yield from self.body(rule, node.inner)
            return
        if isinstance(node, AllOf | AnyOf) or (isinstance(node, Op) and node.operator in _WORDS):
            yield from self.condition(rule.name, node, "condition")
            return
        if isinstance(node, Variations) and not node.replacement:
            for test_node, consequence in node.branches:
                taken = self.env.known(consequence)
                test = self.env.known(test_node)
                if taken is None or test is None or test.value is not True:
                    continue
                yield from self.condition(rule.name, test_node, "branch")
                yield from self.body(rule, consequence)
                return


def explain(engine: "Engine", rule: Rule, env: Environment) -> Iterator[Step]:
    """The steps of one rule's evaluation, in the order a person would check them."""
    teller = _Teller(engine, env)
    found = env.cache[id(rule)]
    if rule.parent is not None and env.known(rule.body) is None:
        label = teller.label(rule.parent) or ("condition préalable", "prior condition")
        yield from teller.step(
            "parent",
            rule.name,
            False,
            f"{label[0]} : condition préalable non remplie",
            f"{label[1]}: prior condition not met",
        )
        return
    yield from teller.body(rule, rule.body)
    if found.value is not None and isinstance(found.value, int | float):
        words = say_value(found.value, found.unit)
        yield from teller.step(
            "amount", rule.name, None, f"montant : {words[0]}", f"amount: {words[1]}"
        )
