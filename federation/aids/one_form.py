"""One form for the aids of several funders, and the part of it that each of them gets.

Each aid names the questions it asks and the documents it wants. A question that two rules ask in
the same words and with the same answers is asked once; so is a document. `cut` gives back, aid by
aid, exactly what that aid asked for: no funder gets an answer or a document of another one. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from federation.aids.declaration import Declaration, declaration_of, questions_of
from federation.aids.eligibility import Question
from federation.aids.errors import DeclarationRefusedError
from federation.aids.model import Aid
from federation.aids.publicodes import Engine
from federation.aids.territories import plain

__all__ = ["AskedDocument", "AskedQuestion", "Asker", "OneForm", "Part", "compose", "cut"]

Piece = TypeVar("Piece")
"""A document, as the caller holds it."""
MOST_AIDS: Final = 6
"""Aids of one form: each is an application of its own."""


@dataclass(frozen=True, slots=True)
class Asker:
    """An aid of the form, what it asks to be declared, its documents by name."""

    aid: Aid
    engine: Engine
    asked: Declaration
    documents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """A question of the form and the aids (by slug) that read its answer."""

    question: Question
    aids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskedDocument:
    """A document of the form and the aids (by slug) that get it."""

    label: str
    aids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OneForm:
    """The union, in the order of the aids."""

    askers: tuple[Asker, ...]
    questions: tuple[AskedQuestion, ...]
    documents: tuple[AskedDocument, ...]


@dataclass(frozen=True, slots=True)
class Part(Generic[Piece]):
    """What one aid gets of the form."""

    asker: Asker
    answers: Mapping[str, str]
    """Rule name → answer as typed."""
    documents: tuple[tuple[str, Piece], ...]
    """(name as this funder wrote it, document)."""


def compose(aids: Iterable[tuple[Aid, Engine, tuple[str, ...]]]) -> OneForm:
    """The form of these aids.

    Raises:
        DeclarationRefusedError: no aid, more than `MOST_AIDS`, the same twice, or one that asks
            nothing to be declared; `where` names it.
    """
    askers: list[Asker] = []
    for aid, engine, documents in aids:
        asked = declaration_of(aid)
        if asked is None or any(known.aid.id == aid.id for known in askers):
            raise DeclarationRefusedError(aid.slug)
        askers.append(Asker(aid, engine, asked, documents))
    if not 1 <= len(askers) <= MOST_AIDS:
        raise DeclarationRefusedError("aids")
    questions: dict[tuple[object, ...], tuple[Question, list[str]]] = {}
    papers: dict[str, tuple[str, list[str]]] = {}
    for asker in askers:
        for question in questions_of(asker.asked, asker.engine):
            questions.setdefault(_same(question), (question, []))[1].append(asker.aid.slug)
        for label in asker.documents:
            papers.setdefault(plain(label), (label, []))[1].append(asker.aid.slug)
    return OneForm(
        tuple(askers),
        tuple(AskedQuestion(question, tuple(slugs)) for question, slugs in questions.values()),
        tuple(AskedDocument(label, tuple(slugs)) for label, slugs in papers.values()),
    )


def _same(question: Question) -> tuple[object, ...]:
    """Two questions are one when nothing a person reads or answers differs."""
    return (
        question.variable,
        question.kind,
        question.choices,
        question.unit,
        tuple(sorted(question.words.items())),
    )


def cut(
    form: OneForm, answers: tuple[str, ...], documents: tuple[Piece | None, ...]
) -> tuple[Part[Piece], ...]:
    """The part of each aid; answers and documents in the form's order, None: not given.

    Raises:
        DeclarationRefusedError: not one answer and one document for each of the form.
    """
    if len(answers) != len(form.questions) or len(documents) != len(form.documents):
        raise DeclarationRefusedError("form")
    parts = []
    for asker in form.askers:
        slug = asker.aid.slug
        mine = {
            asked.question.variable: answer
            for asked, answer in zip(form.questions, answers, strict=True)
            if slug in asked.aids
        }
        names = {plain(label): label for label in asker.documents}
        papers = [
            (names[plain(asked.label)], document)
            for asked, document in zip(form.documents, documents, strict=True)
            if slug in asked.aids and document is not None
        ]
        parts.append(Part(asker, mine, tuple(papers)))
    return tuple(parts)
