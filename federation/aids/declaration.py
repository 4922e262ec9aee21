"""What a person declares to a funder on their honour: answers to the rule's own questions.

An aid that no credential proves whole (buying a bicycle) names the questions whose answers it needs
and the statement that goes with them, in the catalogue's member `declaration`. Only these answers
leave the vault, an income as the bracket that was asked; the rule computes a proposal from them,
and a person compares it with the documents. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from federation.aids.eligibility import Question, question_of, read_answer
from federation.aids.errors import DeclarationRefusedError, RuleImportError
from federation.aids.model import Aid, Text
from federation.aids.publicodes import Engine
from federation.aids.wording import say_answer

__all__ = [
    "MEMBER",
    "Declaration",
    "check_declaration",
    "declaration_of",
    "questions_of",
    "read_declared",
    "say_declared",
]

MEMBER: Final = "declaration"
MOST: Final = 12
"""Answers of one declaration."""

Scalar = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Declaration:
    """The questions of an aid that are answered on one's honour, and the words one signs."""

    variables: tuple[str, ...]
    statement: Text
    unique: str = ""
    """The question whose answer names one thing (a bicycle): two applications with the same answer
    are told to who decides."""
    journey: str = ""
    """The question whose answer is the operator's own name of a carpool journey: looked up in the
    State's register where the funder's node has an account there."""

    def to_json(self) -> dict[str, Any]:
        """As it stands in the catalogue."""
        return {
            "variables": list(self.variables),
            "statement": dict(self.statement),
            **({"unique": self.unique} if self.unique else {}),
            **({"journey": self.journey} if self.journey else {}),
        }


def declaration_of(aid: Aid) -> Declaration | None:
    """What `aid` asks to be declared; None when it asks nothing."""
    found = aid.extra.get(MEMBER)
    if not isinstance(found, Mapping):
        return None
    return Declaration(
        tuple(str(name) for name in found.get("variables", ())),
        {str(k): str(v) for k, v in found.get("statement", {}).items()},
        str(found.get("unique", "")),
        str(found.get("journey", "")),
    )


def check_declaration(aid: Aid, engine: Engine) -> None:
    """An aid's declaration asks questions of its own model, and binds no signed document to them.

    Raises:
        RuleImportError: with the aid's name.
    """
    asked = declaration_of(aid)
    if asked is None:
        return
    where = f"aid {aid.slug} · declaration"
    if not 1 <= len(asked.variables) <= MOST or not asked.statement.get("fr"):
        raise RuleImportError(where, f"a statement and 1 to {MOST} questions are expected")
    if aid.bindings or aid.proof is not None:
        raise RuleImportError(where, "what is declared is not proven as well")
    for name in filter(None, (asked.unique, asked.journey)):
        if name not in asked.variables:
            raise RuleImportError(where, f"« {name} » is not asked")
    for name in asked.variables:
        if name not in engine or "question" not in engine.info(name).metadata:
            raise RuleImportError(where, f"no question « {name} »")


def questions_of(asked: Declaration, engine: Engine) -> tuple[Question, ...]:
    """The questions in the order of the aid."""
    return tuple(question_of(engine, name) for name in asked.variables)


def read_declared(
    asked: Declaration, engine: Engine, given: Mapping[str, str]
) -> dict[str, Scalar]:
    """Exactly the answers that were asked, as values.

    Raises:
        DeclarationRefusedError: an answer is missing, is none, or was not asked; `where` names it.
    """
    for name in given:
        if name not in asked.variables:
            raise DeclarationRefusedError(name)
    found: dict[str, Scalar] = {}
    for question in questions_of(asked, engine):
        try:
            found[question.variable] = read_answer(question, given.get(question.variable, ""))
        except ValueError as error:
            raise DeclarationRefusedError(question.variable) from error
    return found


def say_declared(engine: Engine, values: Mapping[str, Scalar]) -> tuple[tuple[Text, Text], ...]:
    """(question, answer) in words, both languages."""
    rows = []
    for name, value in values.items():
        info = engine.info(name)
        if isinstance(value, bool):
            said = ("oui", "yes") if value else ("non", "no")
        else:
            said = say_answer(engine, name, float(value) if isinstance(value, int) else value)
        title = info.metadata.get("titre") or info.question
        title_en = info.metadata.get("titre en") or info.question_en
        rows.append(({"fr": str(title), "en": str(title_en)}, {"fr": said[0], "en": said[1]}))
    return tuple(rows)
