"""A rule model as a form, or the place and the reason why the form cannot say it.

Reads what `compile_rule` writes, and rules written by hand or by a template that say the same in
another shape: figures with a name of their own are put where they are used.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from federation.aids.editor.compiling import due_guard
from federation.aids.editor.rule_form import (
    BASE,
    OPERATORS,
    Atom,
    Conditions,
    Gift,
    GiftKind,
    Group,
    Line,
    Question,
    QuestionKind,
    RuleForm,
    faults_of,
)
from federation.aids.errors import AidError
from federation.aids.expression import Binary, Literal, Name, Syntax, parse_expression
from federation.aids.rule_units import Unit
from schemas.errors import Refused
from schemas.units import Cents

__all__ = ["Inexpressible", "NotExpressibleError", "read_rule"]

_WORDS: Final = frozenset(("titre", "titre en"))
_ASKED: Final = frozenset(
    ("titre", "titre en", "type", "unité", "question", "question en", "une possibilité")
)
_BODIES: Final = ("valeur", "variations", "somme")
_KINDS: Final = {
    "nombre": QuestionKind.NUMBER,
    "booléen": QuestionKind.YES_NO,
    "texte": QuestionKind.TEXT,
}
_GUARD: Final = parse_expression(due_guard())
_FLIPPED: Final = {">=": "<=", "<=": ">=", ">": "<", "<": ">", "=": "=", "!=": "!="}


class Inexpressible(StrEnum):
    """Why the form cannot say a rule."""

    MISSING = "missing"
    """It names a rule that is not in the model."""
    MEMBER = "member"
    """A mechanism, or a word of the language, that the form has not."""
    EXPRESSION = "expression"
    """A computation the form has not."""
    QUESTION = "question"
    """A question of a kind the form has not."""
    UNUSED = "unused"
    """A rule of the model that the amount does not need: the form would lose it."""
    SHARED = "shared"
    """Several aids are computed by this model: it is the national texts', or an import's."""
    BOUNDS = "bounds"
    """More lines, or larger figures, than the form takes."""


class NotExpressibleError(AidError, Refused):
    """The form cannot say this rule: it is shown as it is written. `where` names the rule."""

    code = "rule-not-expressible"

    def __init__(self, where: str, reason: Inexpressible, what: str = "") -> None:
        self.where, self.reason, self.what = where, reason, what
        super().__init__(f"{where}: {reason.value} {what}".strip())


def read_rule(rules: Mapping[str, Any], rule: str) -> RuleForm:
    """The form of the model `rules` whose amount is `rule`.

    Raises:
        NotExpressibleError: with the place and the reason.
    """
    return _Reader(rules, rule).form()


class _Reader:
    def __init__(self, rules: Mapping[str, Any], rule: str) -> None:
        self.rules, self.rule = rules, rule
        self.used = {rule}
        self.questions: dict[str, Question] = {}
        for name, raw in rules.items():
            if isinstance(raw, Mapping) and "question" in raw:
                self.questions[name] = self.question(name, raw)
                self.used.add(name)
            elif raw is None or raw == {}:
                self.used.add(name)

    # -- the whole --------------------------------------------------------------------------------

    def form(self) -> RuleForm:
        raw = self.mapping(self.rule)
        self.only(self.rule, raw, {"applicable si", "plafond", "plancher", "arrondi", *_BODIES})
        conditions = self.conditions(self.rule, raw.get("applicable si"))
        lines, bonuses = self.amounts(raw)
        if bonuses or "plancher" in raw:
            if not conditions or conditions[-1] != ():
                what = "somme" if bonuses else "plancher"
                raise NotExpressibleError(self.rule, Inexpressible.MEMBER, what)
            conditions = conditions[:-1]
        if () in conditions:  # the guard stands where the form does not put it
            raise NotExpressibleError(self.rule, Inexpressible.EXPRESSION, due_guard())
        share, ceiling, lines = self.ceilings(raw.get("plafond"), lines)
        floor = raw.get("plancher")
        rounded = raw.get("arrondi", "non")
        if rounded not in ("oui", "non"):
            raise NotExpressibleError(self.rule, Inexpressible.MEMBER, f"arrondi: {rounded}")
        found = RuleForm(
            rule=self.rule,
            title=str(raw.get("titre", "")),
            title_en=str(raw.get("titre en", "")),
            questions=tuple(self.questions.values()),
            conditions=conditions,
            lines=lines,
            bonuses=bonuses,
            share_ceiling=share,
            ceiling=ceiling,
            floor=None if floor is None else self.euros(self.rule, self.expression(floor)),
            rounded=rounded == "oui",
        )
        for name in self.rules:
            if name not in self.used:
                raise NotExpressibleError(name, Inexpressible.UNUSED)
        faults = faults_of(found)
        if faults:
            raise NotExpressibleError(
                self.rule, Inexpressible.BOUNDS, f"{faults[0].where} {faults[0].code}"
            )
        return found

    def amounts(self, raw: Mapping[str, Any]) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
        """Lines and bonuses of the main rule."""
        if "somme" in raw:
            items = raw["somme"]
            if len([key for key in _BODIES if key in raw]) > 1 or not isinstance(items, list):
                raise NotExpressibleError(self.rule, Inexpressible.MEMBER, "somme")
            if len(items) < 2 or not all(isinstance(item, str) for item in items):
                raise NotExpressibleError(self.rule, Inexpressible.MEMBER, "somme")
            if items[0] != BASE:
                raise NotExpressibleError(self.rule, Inexpressible.MEMBER, "somme")
            return self.named_lines(items[0]), tuple(self.bonus(item) for item in items[1:])
        body = {key: raw[key] for key in _BODIES if key in raw}
        if list(body) == ["valeur"] and self.is_amount_rule(body["valeur"]):
            return self.named_lines(body["valeur"]), ()
        return self.lines(self.rule, body), ()

    def is_amount_rule(self, text: object) -> bool:
        return (
            isinstance(text, str)
            and isinstance(self.rules.get(text), Mapping)
            and text not in self.questions
            and self.constant(text) is None
        )

    def named_lines(self, name: str) -> tuple[Line, ...]:
        raw = self.mapping(name)
        self.used.add(name)
        self.only(name, raw, {"valeur", "variations", "plafond"})
        return self.lines(name, {k: v for k, v in raw.items() if k not in _WORDS})

    def bonus(self, name: str) -> Line:
        raw = self.mapping(name)
        self.used.add(name)
        self.only(name, raw, {"valeur", "plafond", "applicable si"})
        gift = {k: v for k, v in raw.items() if k not in _WORDS and k != "applicable si"}
        return Line(self.conditions(name, raw.get("applicable si")), self.gift(name, gift))

    def lines(self, name: str, raw: Mapping[str, Any]) -> tuple[Line, ...]:
        if "variations" not in raw:
            return (Line((), self.gift(name, raw)),)
        branches = raw["variations"]
        if len(raw) > 1 or not isinstance(branches, list) or not branches:
            raise NotExpressibleError(name, Inexpressible.MEMBER, "variations")
        found = []
        for branch in branches:
            if not isinstance(branch, Mapping):
                raise NotExpressibleError(name, Inexpressible.MEMBER, "variations")
            if set(branch) == {"si", "alors"}:
                when = self.conditions(name, branch["si"])
                found.append(Line(when, self.gift(name, branch["alors"])))
            elif set(branch) == {"sinon"}:
                found.append(Line((), self.gift(name, branch["sinon"])))
            else:
                raise NotExpressibleError(name, Inexpressible.MEMBER, "variations")
        return tuple(found)

    # -- amounts ----------------------------------------------------------------------------------

    def gift(self, name: str, raw: object) -> Gift:
        if isinstance(raw, Mapping):
            if "variations" in raw:
                if set(raw) != {"variations"}:
                    raise NotExpressibleError(name, Inexpressible.MEMBER, "variations")
                return self.table(name, raw["variations"])
            self.only(name, raw, {"valeur", "plafond"})
            if "valeur" not in raw:
                raise NotExpressibleError(name, Inexpressible.MEMBER, ", ".join(raw))
            cap = raw.get("plafond")
            cents = None if cap is None else self.euros(name, self.expression(cap))
            found = self.gift(name, raw["valeur"])
            if found.cap is not None and cents is not None:
                raise NotExpressibleError(name, Inexpressible.MEMBER, "plafond")
            if cents is not None and found.kind not in (GiftKind.SHARE, GiftKind.PER_UNIT):
                raise NotExpressibleError(name, Inexpressible.MEMBER, "plafond")
            return found if cents is None else replace(found, cap=cents)
        tree = self.expression(raw)
        if isinstance(tree, Binary) and tree.operator == "*":
            return self.product(name, tree)
        return Gift(GiftKind.FIXED, amount=self.euros(name, tree))

    def product(self, name: str, tree: Binary) -> Gift:
        """`30 % * price`, `0.25 €/km * distance`, in either order."""
        for left, right in ((tree.left, tree.right), (tree.right, tree.left)):
            figure, asked = self.literal(left), self.asked(right)
            if figure is None or asked is None or not isinstance(figure.value, float):
                continue
            if figure.unit == Unit(("%",)):
                return Gift(GiftKind.SHARE, percent=_decimal(figure.value), variable=asked.variable)
            per = (asked.unit,) if asked.unit else ()
            if figure.unit == Unit(("€",), per):
                amount = self.cents(name, figure.value)
                return Gift(GiftKind.PER_UNIT, amount=amount, variable=asked.variable)
        raise NotExpressibleError(name, Inexpressible.EXPRESSION, _say(tree))

    def table(self, name: str, raw: object) -> Gift:
        """Lines that each end with a limit of one question's figure, the last without."""
        rows: list[tuple[Decimal | None, Cents]] = []
        variables = set()
        for step in raw if isinstance(raw, list) else ():
            if isinstance(step, Mapping) and set(step) == {"sinon"}:
                rows.append((None, self.euros(name, self.expression(step["sinon"]))))
                continue
            if not isinstance(step, Mapping) or set(step) != {"si", "alors"}:
                raise NotExpressibleError(name, Inexpressible.MEMBER, "variations")
            match self.conditions(name, step["si"]):
                case ((Atom(variable=variable, operator="<=", value=Decimal() as limit),),):
                    variables.add(variable)
                    rows.append((limit, self.euros(name, self.expression(step["alors"]))))
                case _:
                    raise NotExpressibleError(name, Inexpressible.MEMBER, "variations")
        if len(variables) != 1:
            raise NotExpressibleError(name, Inexpressible.MEMBER, "variations")
        return Gift(GiftKind.TABLE, variable=variables.pop(), rows=tuple(rows))

    def ceilings(
        self, raw: object, lines: tuple[Line, ...]
    ) -> tuple[tuple[Decimal, str] | None, Cents | None, tuple[Line, ...]]:
        """The bounds of the main rule; a ceiling that varies becomes the lines' own."""
        if raw is None:
            return None, None, lines
        if isinstance(raw, Mapping) and set(raw) == {"le minimum de"}:
            items = raw["le minimum de"]
            if isinstance(items, list) and len(items) == 2:
                share, none, _ = self.ceilings(items[0], ())
                nothing, ceiling, _ = self.ceilings(items[1], ())
                if none is None and nothing is None and share and ceiling is not None:
                    return share, ceiling, lines
            raise NotExpressibleError(self.rule, Inexpressible.MEMBER, "le minimum de")
        tree = self.expression(raw)
        if isinstance(tree, Binary) and tree.operator == "*":
            gift = self.product(self.rule, tree)
            if gift.kind is GiftKind.SHARE and gift.percent is not None:
                return (gift.percent, gift.variable), None, lines
            raise NotExpressibleError(self.rule, Inexpressible.EXPRESSION, str(raw))
        if isinstance(tree, Name) and self.constant(tree.text) is None:
            return None, None, self.varying(tree.text, lines)
        return None, self.euros(self.rule, tree), lines

    def varying(self, name: str, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        """One share or amount by the piece, under a ceiling that depends on conditions."""
        caps = self.named_lines(name)
        gift = lines[0].gift if len(lines) == 1 and not lines[0].when else None
        simple = gift is not None and gift.kind in (GiftKind.SHARE, GiftKind.PER_UNIT)
        if gift is None or not simple or gift.cap is not None:
            raise NotExpressibleError(self.rule, Inexpressible.MEMBER, f"plafond: {name}")
        if any(line.gift.kind is not GiftKind.FIXED for line in caps) or caps[-1].when:
            raise NotExpressibleError(name, Inexpressible.EXPRESSION, name)
        return tuple(
            Line(
                line.when,
                Gift(gift.kind, gift.amount, gift.percent, gift.variable, line.gift.amount),
            )
            for line in caps
        )

    # -- conditions -------------------------------------------------------------------------------

    def conditions(self, name: str, raw: object) -> Conditions:
        """The groups; the guard at the end is an empty one."""
        if raw is None:
            return ()
        if isinstance(raw, Mapping) and set(raw) == {"toutes ces conditions"}:
            items = raw["toutes ces conditions"]
            if not isinstance(items, list):
                raise NotExpressibleError(name, Inexpressible.MEMBER, "toutes ces conditions")
            return tuple(group for item in items for group in self.conditions(name, item))
        if isinstance(raw, str) and parse_expression(raw) == _GUARD:
            return ((),)
        return (self.group(name, raw),)

    def group(self, name: str, raw: object) -> Group:
        if isinstance(raw, Mapping):
            items = raw.get("une de ces conditions")
            if set(raw) != {"une de ces conditions"} or not isinstance(items, list):
                raise NotExpressibleError(name, Inexpressible.MEMBER, ", ".join(raw))
            return tuple(atom for item in items for atom in self.group(name, item))
        return (self.atom(name, self.expression(raw)),)

    def atom(self, name: str, tree: Syntax) -> Atom:
        if isinstance(tree, Name):
            asked = self.asked(tree)
            if asked is not None and asked.kind is QuestionKind.YES_NO:
                return Atom(asked.variable, "=", True)
        if isinstance(tree, Binary) and tree.operator in _FLIPPED:
            for left, right, operator in (
                (tree.left, tree.right, tree.operator),
                (tree.right, tree.left, _FLIPPED[tree.operator]),
            ):
                asked, literal = self.asked(left), self.literal(right)
                if asked is None or literal is None:
                    continue
                if operator not in OPERATORS[asked.kind]:
                    raise NotExpressibleError(name, Inexpressible.EXPRESSION, _say(tree))
                if asked.kind is QuestionKind.NUMBER:
                    return Atom(asked.variable, operator, self.number(name, right, asked))
                if isinstance(literal.value, bool | str):
                    return Atom(asked.variable, operator, literal.value)
        raise NotExpressibleError(name, Inexpressible.EXPRESSION, _say(tree))

    # -- questions and figures --------------------------------------------------------------------

    def question(self, name: str, raw: Mapping[str, Any]) -> Question:
        for key in raw:
            if key not in _ASKED:
                raise NotExpressibleError(name, Inexpressible.QUESTION, key)
        choices = raw.get("une possibilité", [])
        kind = QuestionKind.CHOICE if choices else _KINDS.get(str(raw.get("type")))
        plain = all(isinstance(choice, str) for choice in choices)
        if kind is None or not plain or not isinstance(raw["question"], str):
            raise NotExpressibleError(name, Inexpressible.QUESTION, str(raw.get("type", "")))
        if choices and "type" in raw:
            raise NotExpressibleError(name, Inexpressible.QUESTION, str(raw["type"]))
        return Question(
            variable=name,
            title=str(raw.get("titre", "")),
            question=raw["question"],
            kind=kind,
            title_en=str(raw.get("titre en", "")),
            question_en=str(raw.get("question en", "")),
            unit=str(raw.get("unité", "")),
            choices=tuple(choices),
        )

    def mapping(self, name: str) -> Mapping[str, Any]:
        raw = self.rules.get(name)
        if not isinstance(raw, Mapping) or "question" in raw:
            raise NotExpressibleError(name, Inexpressible.MISSING, name)
        return raw

    def only(self, name: str, raw: Mapping[str, Any], allowed: set[str]) -> None:
        for key in raw:
            if key not in allowed | _WORDS:
                raise NotExpressibleError(name, Inexpressible.MEMBER, key)

    def expression(self, raw: object) -> Syntax:
        if not isinstance(raw, str | int | float) or isinstance(raw, bool):
            what = next(iter(raw), "") if isinstance(raw, Mapping) else type(raw).__name__
            raise NotExpressibleError(self.rule, Inexpressible.MEMBER, str(what))
        try:
            return parse_expression(str(raw))
        except ValueError as error:
            raise NotExpressibleError(self.rule, Inexpressible.EXPRESSION, str(raw)) from error

    def asked(self, tree: Syntax) -> Question | None:
        return self.questions.get(tree.text) if isinstance(tree, Name) else None

    def constant(self, name: str) -> Literal | None:
        """The figure a rule is nothing but the name of."""
        raw = self.rules.get(name)
        if isinstance(raw, Mapping):
            if set(raw) - _WORDS != {"valeur"}:
                return None
            raw = raw["valeur"]
        if not isinstance(raw, str | int | float) or isinstance(raw, bool):
            return None
        try:
            found = parse_expression(str(raw))
        except ValueError:
            return None
        if not isinstance(found, Literal):
            return None
        self.used.add(name)
        return found

    def literal(self, tree: Syntax) -> Literal | None:
        if isinstance(tree, Literal):
            return tree
        return self.constant(tree.text) if isinstance(tree, Name) else None

    def euros(self, name: str, tree: Syntax) -> Cents:
        found = self.literal(tree)
        if found is None or found.unit != Unit(("€",)) or not isinstance(found.value, float):
            raise NotExpressibleError(name, Inexpressible.EXPRESSION, _say(tree))
        return self.cents(name, found.value)

    def cents(self, name: str, euros: float) -> Cents:
        value = _decimal(euros) * 100
        if value != int(value):
            raise NotExpressibleError(name, Inexpressible.BOUNDS, str(euros))
        return Cents(int(value))

    def number(self, name: str, tree: Syntax, asked: Question) -> Decimal:
        found = self.literal(tree)
        unit = Unit.parse(asked.unit) if asked.unit else None
        if (
            found is None
            or not isinstance(found.value, float)
            or isinstance(found.value, bool)
            or found.unit not in (unit, None)
        ):
            raise NotExpressibleError(name, Inexpressible.EXPRESSION, _say(tree))
        return _decimal(found.value)


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value)).normalize() + 0


def _say(tree: Syntax) -> str:
    """An expression near to how it is written."""
    match tree:
        case Literal(value=value, unit=unit):
            said = ("oui" if value else "non") if isinstance(value, bool) else value
            return f"{said} {unit}" if unit else f"{said}"
        case Name(text=text):
            return text
        case Binary(operator=operator, left=left, right=right):
            return f"{_say(left)} {operator} {_say(right)}"
