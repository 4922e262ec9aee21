"""From a model as written to nodes; whatever cannot be meant is refused with its place."""

import math
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from federation.aids.dates import DURATION_UNITS
from federation.aids.errors import RuleImportError
from federation.aids.expression import Binary, Literal, Name, Syntax, parse_expression
from federation.aids.publicodes.amounts import Duration, InUnit, Rounded, Simplified, Table, Tranche
from federation.aids.publicodes.checks import refuse_cycles, refuse_units
from federation.aids.publicodes.conditions import (
    AllOf,
    AnyOf,
    If,
    IsNotApplicable,
    IsUndefined,
    Op,
    Variations,
    bounded,
)
from federation.aids.publicodes.nodes import (
    NO,
    NOT_APPLICABLE,
    NOTHING,
    TYPES,
    YES,
    Const,
    Defaulted,
    Kind,
    Node,
    Ref,
    Rule,
    Situated,
    is_zero,
)
from federation.aids.publicodes.tree import transform
from federation.aids.rule_units import Unit

MAX_RULES: Final = 5_000
MAX_NODES: Final = 250_000
"""Nodes of one model; the national bike model (447 rules) has about 12 000."""
MAX_DEPTH: Final = 24
"""Nesting of mechanisms inside one rule; the bike model needs 9."""
MAX_ITEMS: Final = 500
"""Items of one list or table."""
MECHANISMS: Final = (
    "valeur",
    "variations",
    "si",
    "alors",
    "sinon",
    "toutes ces conditions",
    "une de ces conditions",
    "applicable si",
    "non applicable si",
    "est non applicable",
    "remplace",
    "par défaut",
    "plafond",
    "plancher",
    "abattement",
    "arrondi",
    "unité",
    "somme",
    "produit",
    "une possibilité",
    "barème",
    "grille",
    "le maximum de",
    "le minimum de",
    "durée",
)
METADATA: Final = frozenset(
    (
        "titre",
        "titre en",
        "description",
        "question",
        "question en",
        "note",
        "lien",
        "références",
        "type",
        "dernière mise à jour",
        "date de fin",
        "expérimental",
    )
)
# Outermost first: what stands higher is applied last.
CHAINED: Final = (
    "applicable si",
    "non applicable si",
    "arrondi",
    "unité",
    "plancher",
    "plafond",
    "par défaut",
    "abattement",
)
PLAIN: Final = (
    "valeur",
    "variations",
    "toutes ces conditions",
    "une de ces conditions",
    "est non applicable",
    "somme",
    "produit",
    "barème",
    "grille",
    "le maximum de",
    "le minimum de",
    "durée",
)


# Only what a published model says is remembered: an answer may be an income.
_of_a_model = lru_cache(maxsize=8_192)(parse_expression)


def parents_of(name: str) -> list[str]:
    """Dotted parents, nearest first."""
    parts = name.split(" . ")
    return [" . ".join(parts[:n]) for n in range(len(parts) - 1, 0, -1)]


_PUNCTUATION: Final = " _-,;:!?.'’\"()[]{}@*/\\&#%`^+<=>|~$"
"""Order of the Unicode root collation: spaces, then punctuation, then digits, then letters."""


def collation(name: str) -> tuple[list[tuple[int, int, str]], str, str]:
    """Order of rule names, as the reference engine's `localeCompare` gives it: letters without
    accents first, then accents, then case (small before capital)."""
    decomposed = unicodedata.normalize("NFD", name)
    plain = [c for c in decomposed.lower() if not unicodedata.combining(c)]
    primary = [
        (0, _PUNCTUATION.index(c), "")
        if c in _PUNCTUATION
        else (1, int(c), "")
        if c.isdecimal()
        else (2, 0, c)
        for c in plain
    ]
    return primary, decomposed.lower(), name.swapcase()


class Compiler:
    """Reads one model. What it found is in `rules`, `entries` (what reads a replaced rule), `kinds`
    (by a node's identity) and `defects`.

    Raises:
        RuleImportError: the place (`rule · key · …`) and what is wrong with it.
    """

    def __init__(
        self,
        rules: Mapping[str, Any],
        *,
        ignored: Mapping[str, frozenset[str]],
        lenient_units: bool,
    ) -> None:
        if len(rules) > MAX_RULES:
            raise RuleImportError("model", f"more than {MAX_RULES} rules")
        self._ignored = ignored
        self.defects: tuple[tuple[str, str], ...] = ()
        self._count = 0
        self.rules: dict[str, Rule] = {}
        self._refs: list[Ref] = []
        self.entries: dict[str, Node] = {}
        self._tests: list[IsNotApplicable] = []
        self.kinds: dict[int, Kind] = {}
        for name, raw in rules.items():
            self.rules[name] = Rule(name, self._checked(name, raw))
        defects: list[tuple[str, str]] = []
        for rule in self.rules.values():
            defects += [(rule.name, k) for k in rule.raw if k in self._ignored.get(rule.name, ())]
            self._compile(rule)
        self.defects = tuple(defects)
        for ref in self._refs:
            ref.rule = self.rules[ref.name]
        refuse_cycles(self.rules)
        self._replace()
        self._infer()
        if not lenient_units:
            refuse_units(self.rules)

    # -- import -----------------------------------------------------------------------------

    def _checked(self, name: object, raw: object) -> Mapping[str, Any]:
        if not isinstance(name, str) or not name.strip() or len(name) > 300:
            raise RuleImportError(str(name)[:80], "not a rule name")
        if raw is None:
            return {}
        if isinstance(raw, str | int | float) and not isinstance(raw, bool):
            return {"valeur": raw}
        if not isinstance(raw, Mapping):
            raise RuleImportError(name, "a rule is a mapping")
        ignored = self._ignored.get(name, frozenset())
        for key in raw:
            if key in METADATA or key in ignored:
                continue
            if (
                key not in CHAINED
                and key not in PLAIN
                and key
                not in (
                    "remplace",
                    "une possibilité",
                )
            ):
                raise RuleImportError(f"{name} · {key}", "unknown key or mechanism")
        return raw

    def _compile(self, rule: Rule) -> None:
        name, raw = rule.name, rule.raw
        if "type" in raw and raw["type"] not in TYPES:
            raise RuleImportError(f"{name} · type", f"unknown type « {raw['type']} »")
        rule.choices = self._choices(name, raw)
        body = {k: v for k, v in raw.items() if k in CHAINED or k in PLAIN}
        rule.body = self._chained(name, name, body, rule=rule, depth=0)
        rule.parents = tuple(
            self._reference(name, parent) for parent in parents_of(name) if parent in self.rules
        )

    def _choices(self, name: str, raw: Mapping[str, Any]) -> tuple[str, ...]:
        if "une possibilité" not in raw:
            return ()
        place = f"{name} · une possibilité"
        items = raw["une possibilité"]
        if not isinstance(items, list) or len(items) < 2 or len(items) > MAX_ITEMS:
            raise RuleImportError(place, "a list of two values or more")
        choices = tuple(
            item.strip("'") if isinstance(item, str) else f"\0{item!r}" for item in items
        )
        if len(set(choices)) != len(choices) or any(c.startswith("\0") for c in choices):
            raise RuleImportError(place, "values must be distinct texts")
        return choices

    def _spend(self, place: str, depth: int) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            raise RuleImportError(place, f"more than {MAX_NODES} nodes in the model")
        if depth > MAX_DEPTH:
            raise RuleImportError(place, f"nested deeper than {MAX_DEPTH}")

    def _parse(self, context: str, place: str, raw: object, depth: int) -> Node:
        self._spend(place, depth)
        if isinstance(raw, bool):
            raise RuleImportError(place, "write oui or non, not true or false")
        if isinstance(raw, int | float):
            value = float(raw)
            if not math.isfinite(value):
                raise RuleImportError(place, "not a finite number")
            return Const(value)
        if isinstance(raw, str):
            try:
                return self._expression(context, place, _of_a_model(raw))
            except ValueError as error:
                raise RuleImportError(place, str(error)) from error
        if isinstance(raw, Mapping):
            return self._chained(context, place, raw, rule=None, depth=depth + 1)
        raise RuleImportError(place, "a value, an expression or a mechanism is expected")

    def _expression(self, context: str, place: str, syntax: Syntax) -> Node:
        self._spend(place, 0)
        if isinstance(syntax, Literal):
            return Const(syntax.value, syntax.unit)
        if isinstance(syntax, Name):
            return self._reference(context, self._resolve(context, place, syntax.text))
        assert isinstance(syntax, Binary)  # noqa: S101 - the three forms of Syntax
        left = self._expression(context, place, syntax.left)
        right = self._expression(context, place, syntax.right)
        if syntax.operator == "/" and isinstance(right, Const) and is_zero(right.result.value):
            raise RuleImportError(place, "division by zero")
        return Op(syntax.operator, left, right)

    def _reference(self, context: str, name: str) -> Ref:
        ref = Ref(name, context)
        self._refs.append(ref)
        return ref

    def _resolve(self, context: str, place: str, text: str) -> str:
        contexts = [context, *parents_of(context), ""]
        partial = text
        while partial.startswith("^ . "):
            partial = partial.removeprefix("^ . ")
            contexts = contexts[1:]
        for start in contexts:
            name = f"{start} . {partial}" if start else partial
            if name in self.rules and name != context:
                return name
        if context.endswith(partial):
            return context
        raise RuleImportError(place, f"unknown reference « {text} »")

    def _chained(
        self,
        context: str,
        place: str,
        raw: Mapping[str, Any],
        *,
        rule: Rule | None,
        depth: int,
    ) -> Node:
        """Compile a mapping: chained mechanisms from the outside in, then the plain one."""
        self._spend(place, depth)
        for key in raw:
            if key not in CHAINED and key not in PLAIN:
                raise RuleImportError(f"{place} · {key}", "unknown mechanism")
        plain = [key for key in raw if key in PLAIN]
        if len(plain) > 1:
            raise RuleImportError(place, f"several mechanisms side by side: {', '.join(plain)}")
        if not plain and rule is None:
            raise RuleImportError(place, "no value to apply this to")
        node = (
            self._plain(context, f"{place} · {plain[0]}", plain[0], raw[plain[0]], depth)
            if plain
            else NOTHING
        )

        def part(key: str) -> Node:
            return self._parse(context, f"{place} · {key}", raw[key], depth)

        if "abattement" in raw:
            minus = Op("-", node, part("abattement"))
            node = bounded("plancher", minus, Const(0.0))
        if rule is not None:
            node = Situated(node, rule.name)
        if "par défaut" in raw:
            default = part("par défaut")
            if rule is not None:
                default = Defaulted(default, rule.name)
            node = If(IsUndefined(node), default, node, mechanism="par défaut")
        if "plafond" in raw:
            node = bounded("plafond", node, part("plafond"))
        if "plancher" in raw:
            node = bounded("plancher", node, part("plancher"))
        if "unité" in raw:
            try:
                node = InUnit(node, Unit.parse(str(raw["unité"])))
            except ValueError as error:
                raise RuleImportError(f"{place} · unité", str(error)) from error
        if "arrondi" in raw:
            node = Rounded(node, part("arrondi"))
        if "non applicable si" in raw:
            exception = part("non applicable si")
            node = If(
                Op("=", exception, NO),
                node,
                NOT_APPLICABLE,
                mechanism="non applicable si",
                parameter=exception,
            )
        if "applicable si" in raw:
            condition = part("applicable si")
            node = If(
                Op("!=", condition, NO),
                node,
                NOT_APPLICABLE,
                mechanism="applicable si",
                parameter=condition,
            )
        return node

    def _items(self, place: str, raw: object) -> list[Any]:
        if not isinstance(raw, list) or not raw:
            raise RuleImportError(place, "a list is expected")
        if len(raw) > MAX_ITEMS:
            raise RuleImportError(place, f"more than {MAX_ITEMS} items")
        return raw

    def _plain(self, context: str, place: str, key: str, raw: object, depth: int) -> Node:
        if key == "valeur":
            return self._parse(context, place, raw, depth + 1)
        if key == "est non applicable":
            test = IsNotApplicable(self._parse(context, place, raw, depth + 1), self.kinds)
            self._tests.append(test)
            return test
        if key in ("barème", "grille"):
            return self._table(context, place, key, raw, depth)
        if key == "durée":
            return self._duration(context, place, raw, depth)
        items = self._items(place, raw)
        if key == "variations":
            branches: list[tuple[Node, Node]] = []
            for index, item in enumerate(items):
                where = f"{place}[{index}]"
                if not isinstance(item, Mapping) or set(item) not in (
                    {"si", "alors"},
                    {"sinon"},
                ):
                    raise RuleImportError(where, "« si » with « alors », or « sinon »")
                if "sinon" in item:
                    if index != len(items) - 1:
                        raise RuleImportError(where, "« sinon » comes last")
                    branches.append(
                        (YES, self._parse(context, f"{where} · sinon", item["sinon"], depth + 1))
                    )
                else:
                    branches.append(
                        (
                            self._parse(context, f"{where} · si", item["si"], depth + 1),
                            self._parse(context, f"{where} · alors", item["alors"], depth + 1),
                        )
                    )
            return Variations(branches)
        nodes = [
            self._parse(context, f"{place}[{index}]", item, depth + 1)
            for index, item in enumerate(items)
        ]
        if key == "toutes ces conditions":
            return AllOf(nodes)
        if key == "une de ces conditions":
            return AnyOf(nodes)
        if len(nodes) > 50:
            raise RuleImportError(place, "more than 50 terms")
        if key in ("le maximum de", "le minimum de"):
            best: Node = NOT_APPLICABLE
            for node in nodes:
                better = AnyOf(
                    (
                        IsNotApplicable(best, self.kinds),
                        Op(">" if key == "le maximum de" else "<", node, best),
                    )
                )
                best = If(IsNotApplicable(node, self.kinds), best, If(better, node, best))
            return best
        if key == "somme":
            total: Node = NOT_APPLICABLE
            for node in reversed(nodes):
                total = Op("+", node, total)
            return total
        product: Node = Const(1.0)
        for node in nodes:
            product = Op("*", node, product)
        return Simplified(product)

    def _table(self, context: str, place: str, key: str, raw: object, depth: int) -> Node:
        gives = "taux" if key == "barème" else "montant"
        if not isinstance(raw, Mapping) or not {"assiette", "tranches"} <= set(raw):
            raise RuleImportError(place, "« assiette » and « tranches » are expected")
        for name in raw:
            if name not in ("assiette", "multiplicateur", "tranches"):
                raise RuleImportError(f"{place} · {name}", "unknown key of a table")
        tranches: list[Tranche] = []
        lines = self._items(f"{place} · tranches", raw["tranches"])
        for index, line in enumerate(lines):
            where = f"{place} · tranches[{index}]"
            if not isinstance(line, Mapping) or set(line) - {"plafond"} != {gives}:
                raise RuleImportError(where, f"« {gives} » and « plafond » are expected")
            if "plafond" not in line and index != len(lines) - 1:
                raise RuleImportError(where, "only the last line may have no « plafond »")
            tranches.append(
                Tranche(
                    self._parse(context, f"{where} · plafond", line["plafond"], depth + 1)
                    if "plafond" in line
                    else None,
                    self._parse(context, f"{where} · {gives}", line[gives], depth + 1),
                )
            )
        factor: Node = Const(1.0)
        if "multiplicateur" in raw:
            factor = self._parse(
                context, f"{place} · multiplicateur", raw["multiplicateur"], depth + 1
            )
        base = self._parse(context, f"{place} · assiette", raw["assiette"], depth + 1)
        return Table(base, factor, tranches, marginal=key == "barème")

    def _duration(self, context: str, place: str, raw: object, depth: int) -> Node:
        if not isinstance(raw, Mapping) or not {"depuis", "jusqu'à"} <= set(raw):
            raise RuleImportError(place, "« depuis » and « jusqu'à » are expected, both")
        for name in raw:
            if name not in ("depuis", "jusqu'à", "unité"):
                raise RuleImportError(f"{place} · {name}", "unknown key of a duration")
        unit = str(raw.get("unité", "jour"))
        if unit not in DURATION_UNITS:
            raise RuleImportError(f"{place} · unité", f"one of {', '.join(DURATION_UNITS)}")
        return Duration(
            self._parse(context, f"{place} · depuis", raw["depuis"], depth + 1),
            self._parse(context, f"{place} · jusqu'à", raw["jusqu'à"], depth + 1),
            Unit((unit,)),
        )

    def _replace(self) -> None:
        """Turn references to replaced rules into « first applicable replacement, else itself »."""
        replacing: dict[str, list[str]] = {}
        for rule in self.rules.values():
            raw = rule.raw.get("remplace")
            if raw is None:
                continue
            entries = raw if isinstance(raw, list) else [raw]
            for entry in entries:
                place = f"{rule.name} · remplace"
                target = entry if isinstance(entry, str) else None
                if isinstance(entry, Mapping):
                    unknown = set(entry) - {"références à"}
                    if unknown or "références à" not in entry:
                        raise RuleImportError(place, "only « références à » is supported")
                    target = str(entry["références à"])
                if target is None:
                    raise RuleImportError(place, "the name of a rule is expected")
                replacing.setdefault(self._resolve(rule.name, place, target), []).append(rule.name)
        ordered = {
            target: sorted(names, key=collation, reverse=True)
            for target, names in replacing.items()
        }
        shared: dict[tuple[str, ...], Node] = {}

        def substitute(node: Node) -> Node:
            if not isinstance(node, Ref) or node.name not in ordered:
                return node
            names = tuple(n for n in ordered[node.name] if n != node.context)
            if not names:
                return node
            if names not in shared:
                branches: list[tuple[Node, Node]] = []
                for name in names:
                    definition = Ref(name, name)
                    definition.rule = self.rules[name]
                    test = IsNotApplicable(definition, self.kinds)
                    branches.append((If(test, NO, YES), definition))
                branches.append((YES, node))
                shared[names] = Variations(branches, replacement=True)
            return shared[names]

        for rule in self.rules.values():
            rule.body = transform(rule.body, substitute)
            rule.parents = tuple(substitute(parent) for parent in rule.parents)
        for name in ordered:  # whoever asks for a replaced rule reads what replaces it
            entry = Ref(name, "")
            entry.rule = self.rules[name]
            self.entries[name] = substitute(entry)

    def _infer(self) -> None:
        kinds = self.kinds

        def of(node: Node) -> Kind:
            found = kinds.get(id(node))
            if found is None:
                kinds[id(node)] = Kind()
                found = kinds[id(node)] = node.infer(of)
            return found

        try:
            for rule in self.rules.values():
                of(rule)
                for parent in rule.parents:
                    of(parent)
            for entry in self.entries.values():
                of(entry)
        except RecursionError as error:
            raise RuleImportError("model", "rules call each other too deep") from error
        for rule in self.rules.values():
            for parent in rule.parents:
                kind = kinds[id(parent)]
                if kind.nullable or kind.type == "boolean":
                    rule.parent = parent
                    rule.nullable_parent = bool(kind.nullable)
                    rule.boolean_parent = kind.type == "boolean"
                    rule.tests = (IsNotApplicable(parent, kinds), Op("=", parent, NO))
                    break
