"""Questions and answers: one compiled model, asked in many situations."""

import math
from collections.abc import Mapping
from typing import Any

from federation.aids.errors import RuleBudgetError, RuleEvaluationError
from federation.aids.expression import Literal, parse_expression
from federation.aids.publicodes.compiler import METADATA, Compiler
from federation.aids.publicodes.nodes import Environment, Kind, Ref
from federation.aids.publicodes.tree import walk
from federation.aids.publicodes.values import Evaluation, Result, RuleInfo, Step
from federation.aids.trace import explain


class Engine:
    """A compiled rule model. Immutable after construction; safe to share between threads.

    `ignored` lists keys, by rule, that upstream misspelt and that its own engine ignores in
    silence; anything else unknown is refused. They are kept in `defects` for the quality report.
    `lenient_units` compares bare numbers where units do not fit, as upstream does: for an imported
    model whose published amounts rest on it, never for rules of our own.
    `words` gives titles and questions by rule (`titre`, `titre en`, `question`, `question en`)
    over the model's own: what is said to people, never what is computed.

    Raises:
        RuleImportError: the place (`rule · key · …`) and what is wrong with it.
    """

    def __init__(
        self,
        rules: Mapping[str, Any],
        *,
        ignored: Mapping[str, frozenset[str]] | None = None,
        lenient_units: bool = False,
        words: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._lenient = lenient_units
        self._words = dict(words or {})
        compiled = Compiler(rules, ignored=dict(ignored or {}), lenient_units=lenient_units)
        self._rules = compiled.rules
        self._entries = compiled.entries
        self._kinds = compiled.kinds
        self.defects = compiled.defects

    def reading(self, name: str) -> Mapping[str, Any]:
        """The rule with every rule it rests on, as written, their words left out.

        Two models that agree on it compute the same of the same answers.
        """
        found: dict[str, Any] = {}
        todo = [name]
        while todo:
            rule = self._rules[todo.pop()]
            if rule.name in found:
                continue
            found[rule.name] = {k: v for k, v in rule.raw.items() if k not in METADATA}
            for root in (rule.body, *rule.parents):
                todo += [node.name for node in walk(root) if isinstance(node, Ref)]
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """Dotted names of all rules, in the model's order."""
        return tuple(self._rules)

    def __contains__(self, name: object) -> bool:
        return name in self._rules

    def info(self, name: str) -> RuleInfo:
        """Title, question and type of a rule.

        Raises:
            RuleEvaluationError: no such rule.
        """
        rule = self._rules.get(name)
        if rule is None:
            raise RuleEvaluationError(name, "no such rule")
        raw = {**rule.raw, **self._words.get(name, {})}
        leaf = name.rsplit(" . ", 1)[-1]
        title = str(raw.get("titre", leaf))
        question = raw.get("question", "")
        if not isinstance(question, str):
            # the wording depends on other answers: take its last form
            question = str(question["variations"][-1]["sinon"]).strip("'")
        kind = self._kinds.get(id(rule), Kind()).type or "number"
        return RuleInfo(
            name=name,
            title=title,
            title_en=str(raw.get("titre en", title)),
            question=question or title,
            question_en=str(raw.get("question en", question or raw.get("titre en", title))),
            kind="choice" if rule.choices else {"string": "text"}.get(kind, kind),
            choices=rule.choices,
            unit=str(raw.get("unité", "")),
            metadata={k: v for k, v in raw.items() if k in METADATA},
        )

    def choice_en(self, name: str, value: str) -> str:
        """One of a rule's possible answers in English, where a translation is known."""
        return self._words.get(name, {}).get(f"en {value}", value)

    def has_default(self, name: str) -> bool:
        """Does the rule answer for itself when nobody does?"""
        rule = self._rules.get(name)
        return rule is not None and "par défaut" in rule.raw

    def _given(self, situation: Mapping[str, Any]) -> dict[str, Result]:
        given: dict[str, Result] = {}
        for name, raw in situation.items():
            rule = self._rules.get(name)
            if rule is None:
                raise RuleEvaluationError(name, "no such rule")
            if isinstance(raw, bool):
                result = Result(raw)
            elif isinstance(raw, int | float):
                value = float(raw)
                if not math.isfinite(value):
                    raise RuleEvaluationError(name, "not a finite number")
                result = Result(value)
            elif isinstance(raw, str):
                try:
                    syntax = parse_expression(raw)
                except ValueError as error:
                    raise RuleEvaluationError(name, str(error)) from error
                if not isinstance(syntax, Literal):
                    raise RuleEvaluationError(name, "an answer is a constant")
                result = Result(syntax.value, syntax.unit)
            else:
                raise RuleEvaluationError(name, "an answer is oui, non, a number or a text")
            if rule.choices and result.value not in rule.choices:
                raise RuleEvaluationError(name, "not one of the possible answers")
            given[name] = result
        return given

    def evaluate(
        self, name: str, situation: Mapping[str, Any] | None = None, *, trace: bool = False
    ) -> Evaluation:
        """Value of a rule in a situation.

        `situation` maps dotted names to bool, number, or the language's own constants
        (`"1000 €"`, `"'électrique'"`, `"oui"`). A bare number takes the rule's unit.

        Raises:
            RuleEvaluationError: an unknown rule, an answer of the wrong type, a division by zero.
            RuleBudgetError: more steps than `MAX_STEPS`.
        """
        return self.session(situation or {}).evaluate(name, trace=trace)

    def session(self, situation: Mapping[str, Any]) -> "Session":
        """One situation for many questions: what two of them read is computed once.

        Raises:
            RuleEvaluationError: an unknown rule or an answer of the wrong type.
        """
        return Session(self, self._given(situation))


class Session:
    """One situation in one engine. Belongs to one thread; the engine behind it is shared."""

    def __init__(self, engine: Engine, given: Mapping[str, Result]) -> None:
        self._engine = engine
        self._env = Environment(given, lenient=engine._lenient)

    def evaluate(self, name: str, *, trace: bool = False) -> Evaluation:
        """As `Engine.evaluate`; each question has its own budget of steps.

        Raises:
            RuleEvaluationError: an unknown rule, an answer of the wrong type, a division by zero.
            RuleBudgetError: more steps than `MAX_STEPS`.
        """
        engine, env = self._engine, self._env
        rule = engine._rules.get(name)
        if rule is None:
            raise RuleEvaluationError(name, "no such rule")
        env.begin()
        try:
            found = env.evaluate(engine._entries.get(name, rule))
        except RecursionError as error:
            raise RuleBudgetError(name, "rules call each other too deep") from error
        missing: Mapping[str, int] = {}
        if found.missing:
            missing = dict(sorted(found.missing.items(), key=lambda item: (-item[1], item[0])))
        steps: tuple[Step, ...] = ()
        if trace and id(rule) in env.cache:
            steps = tuple(explain(engine, rule, env))
        return Evaluation(found.value, found.unit, missing, steps)
