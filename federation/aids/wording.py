"""What a person is told: short sentences made of a trace, without the language's own words.

« Âge : 15 ans ; il faut au moins 18 ans. » « Type de vélo : pliant ; l'aide demande électrique ou
cargo. » Conditions about the place become one sentence; those that hold are left out.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from federation.aids.model import Text
from federation.aids.publicodes import UNDEFINED, Engine, Step
from federation.aids.rule_units import Unit
from federation.aids.trace import say_value

if TYPE_CHECKING:
    from federation.aids.publicodes import Value

__all__ = ["PLACES", "say_answer", "tell"]

PLACES: Final = frozenset(
    (
        "localisation . code insee",
        "localisation . epci",
        "localisation . département",
        "localisation . région",
        "localisation . pays",
    )
)
_ELSEWHERE: Final[Text] = {
    "fr": "Cette aide ne couvre pas votre commune.",
    "en": "This aid does not cover your commune.",
}
_NOWHERE: Final[Text] = {
    "fr": "Indiquez votre commune pour savoir si elle est couverte.",
    "en": "Name your commune to know whether it is covered.",
}
_NEED: Final = {
    "<=": ("il faut au plus", "at most {} is asked"),
    "<": ("il faut moins de", "less than {} is asked"),
    ">=": ("il faut au moins", "at least {} is asked"),
    ">": ("il faut plus de", "more than {} is asked"),
    "=": ("il faut", "{} is asked"),
    "!=": ("il faut autre chose que", "anything but {} is asked"),
}
_MAX: Final = 6
"""Sentences told at most; the whole computation stands below, step by step."""


def say_answer(
    engine: Engine, name: str, value: "Value", unit: Unit | None = None
) -> tuple[str, str]:
    """A value as a person reads it; a choice by its own words in both languages."""
    if isinstance(value, str):
        return value, engine.choice_en(name, value)
    if unit is None and name in engine and isinstance(value, float):
        text = engine.info(name).unit
        unit = Unit.parse(text) if text else None
    return say_value(value, unit)


def tell(engine: Engine, trace: Iterable[Step], *, refused: bool) -> tuple[Text, ...]:
    """The sentences of a refusal (what failed) or of an amount (what bounded it)."""
    lines: list[Text] = []
    choices: dict[str, tuple[Step, list[tuple[str, str]]]] = {}
    for step in trace:
        if not refused:
            if step.kind in ("cap", "floor"):
                lines.append(_bound(step))
            continue
        failed = (step.kind in ("condition", "parent") and step.passed is False) or (
            step.kind == "exception" and step.passed is True
        )
        if not failed:
            continue
        if step.subject in PLACES:
            lines.append(_ELSEWHERE if step.have else _NOWHERE)
        elif step.operator == "=" and isinstance(step.have, str) and isinstance(step.need, str):
            known = choices.setdefault(step.subject, (step, []))
            known[1].append(say_answer(engine, step.subject, step.need))
        else:
            lines.append(_one(engine, step))
    for subject, (step, wanted) in choices.items():
        lines.append(_choice(engine, subject, step, wanted))
    seen: dict[str, Text] = {}
    for line in lines:
        seen.setdefault(line["fr"], line)
    kept = list(seen.values())
    if len(kept) > 1 and _ELSEWHERE in kept:  # nothing else matters there
        return (_ELSEWHERE,)
    return tuple(kept[:_MAX])


def _bound(step: Step) -> Text:
    fr, en = say_value(step.have, step.have_unit)
    if step.kind == "cap":
        return {"fr": f"Montant plafonné à {fr}.", "en": f"The amount is capped at {en}."}
    return {"fr": f"Montant porté à {fr}.", "en": f"The amount is raised to {en}."}


def _title(engine: Engine, name: str) -> tuple[str, str]:
    if name not in engine:
        return "Condition", "Condition"
    info = engine.info(name)
    return _upper(info.title), _upper(info.title_en)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _one(engine: Engine, step: Step) -> Text:
    if step.kind == "parent" or not step.subject:
        return {
            "fr": "Une condition préalable n'est pas remplie.",
            "en": "A prior condition is not met.",
        }
    title = _title(engine, step.subject)
    if step.have is None:
        return {
            "fr": f"Il faut d'abord remplir une autre condition : {title[0]}.",
            "en": f"Another condition comes first: {title[1]}.",
        }
    if step.kind == "exception":
        return {
            "fr": f"Non prévue dans ce cas : {title[0]}.",
            "en": f"Not given in this case: {title[1]}.",
        }
    if step.operator in _NEED and step.need is not None and step.need is not UNDEFINED:
        have = say_answer(engine, step.subject, step.have, step.have_unit or step.need_unit)
        need = say_answer(engine, step.subject, step.need, step.need_unit)
        fr, en = _NEED[step.operator]
        return {
            "fr": f"{title[0]} : {have[0]} ; {fr} {need[0]}.",
            "en": f"{title[1]}: {have[1]}; {en.format(need[1])}.",
        }
    return {
        "fr": f"Condition non remplie : {title[0]}.",
        "en": f"Condition not met: {title[1]}.",
    }


def _choice(engine: Engine, subject: str, step: Step, wanted: list[tuple[str, str]]) -> Text:
    title = _title(engine, subject)
    have = say_answer(engine, subject, step.have)
    every = list(dict.fromkeys(wanted))
    return {
        "fr": f"{title[0]} : {have[0] or '–'} ; il faut {_list([w[0] for w in every], 'ou')}.",
        "en": f"{title[1]}: {have[1] or '–'}; {_list([w[1] for w in every], 'or')} is asked.",
    }


def _list(words: list[str], joint: str) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {joint} {words[-1]}"
