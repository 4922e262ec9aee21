"""The form of one step of a draft: fields of the page ↔ cells of the sheet, and words for faults.

Every step shows its rows and one empty row; a row without words is dropped, so a page without
script adds and removes as one with.
"""

# ruff: noqa: E501 - a sentence of the catalogue stands whole on one line

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

from federation.aids.editor.reading import Inexpressible
from federation.aids.editor.rule_form import UNITS, Fault
from federation.hub.draft_sheet import (
    PRESETS,
    AtomCells,
    DraftSheet,
    ExampleCells,
    LineCells,
    QuestionCells,
)
from portal.i18n import N_, Translator

__all__ = ["STEPS", "Step", "fault_text", "fields_of", "read_step", "step_of", "why_not"]


class Step(StrEnum):
    """The pages of a draft, in their order; the words stand in its address."""

    TEXTS = "textes"
    QUESTIONS = "questions"
    CONDITIONS = "conditions"
    AMOUNT = "montant"
    APPLICATION = "demande"
    EXAMPLES = "exemples"


STEPS: Final[Mapping[Step, str]] = {
    Step.TEXTS: N_("Présentation"),
    Step.QUESTIONS: N_("Questions"),
    Step.CONDITIONS: N_("Conditions"),
    Step.AMOUNT: N_("Montant"),
    Step.APPLICATION: N_("Demande"),
    Step.EXAMPLES: N_("Exemples"),
}
_OF: Final[Mapping[str, Step]] = {
    "title": Step.TEXTS, "summary": Step.TEXTS, "territories": Step.TEXTS, "themes": Step.TEXTS,
    "questions": Step.QUESTIONS, "conditions": Step.CONDITIONS, "lines": Step.AMOUNT,
    "bonuses": Step.AMOUNT, "ceiling": Step.AMOUNT, "floor": Step.AMOUNT,
    "share_ceiling": Step.AMOUNT, "rule": Step.AMOUNT, "examples": Step.EXAMPLES,
}  # fmt: skip

KINDS: Final = {
    "number": N_("un nombre"),
    "boolean": N_("oui ou non"),
    "choice": N_("un choix dans une liste"),
    "brackets": N_("une tranche (revenu, par exemple)"),
    "text": N_("un texte court"),
}
UNIT_NAMES: Final = {
    "": N_("sans unité"),
    "€": N_("euros"),
    "km": N_("kilomètres"),
    "jour": N_("jours"),
    "mois": N_("mois"),
    "an": N_("années"),
    "personne": N_("personnes"),
    "kg": N_("kilogrammes"),
    "%": N_("pour cent"),
    "€ par part": N_("euros par part (tranches)"),
}
OPERATORS: Final = {
    ">=": N_("au moins"),
    "<=": N_("au plus"),
    ">": N_("plus de"),
    "<": N_("moins de"),
    "=": N_("est"),
    "!=": N_("n'est pas"),
}
JOINTS: Final = {"and": N_("et"), "or": N_("ou bien")}
GIFTS: Final = {
    "fixed": N_("un montant fixe"),
    "share": N_("une part d'un prix, en %"),
    "per-unit": N_("un montant par jour, par kilomètre, par personne…"),
    "table": N_("un montant lu dans un tableau"),
}
PRESET_NAMES: Final = {
    "age": N_("Âge"),
    "statut": N_("Situation (étudiant, salarié…)"),
    "handicap": N_("Situation de handicap"),
    "revenu": N_("Tranche de revenu par part"),
    "personnes": N_("Personnes du foyer"),
    "velo": N_("Type de vélo"),
    "etat": N_("Neuf ou d'occasion"),
    "prix": N_("Prix payé"),
    "numero": N_("Numéro du vélo"),
}
FAULTS: Final = {
    "title": N_("Donnez un nom à l'aide : de 3 à 200 caractères."),
    "summary": N_("Présentez l'aide en une ou deux phrases : de 10 à 600 caractères."),
    "territory": N_("« {what} » n'est pas un territoire connu : écrivez son nom, ou son niveau et son code."),
    "several": N_("Plusieurs territoires portent ce nom, choisissez : {what}."),
    "themes": N_("Cochez au moins un thème : c'est ainsi que l'on trouve l'aide."),
    "name": N_("La question « {what} » a un nom qui sert déjà : changez son titre."),
    "twice": N_("La question « {what} » est posée deux fois."),
    "words": N_("Donnez à la question « {what} » un titre et une phrase."),
    "unit": N_("L'unité « {what} » ne va qu'avec un nombre."),
    "choices": N_("Question « {what} » : donnez au moins deux réponses différentes, une par ligne."),
    "brackets": N_("Question « {what} » : donnez les limites des tranches, de la plus basse à la plus haute, une par ligne."),
    "kind": N_("Choisissez le type."),
    "no-question": N_("Posez au moins une question : la règle calcule à partir des réponses."),
    "bound": N_("La question « {what} » reçoit un chiffre prouvé : elle doit rester."),
    "unknown-question": N_("Choisissez la question."),
    "figure": N_("« {what} » n'est pas un nombre."),
    "yes-no": N_("« {what} » se compare à oui ou à non."),
    "operator": N_("« {what} » ne se compare pas ainsi."),
    "value": N_("« {what} » : cette réponse n'est pas dans la liste."),
    "too-many": N_("Trop de lignes."),
    "no-amount": N_("Dites combien : au moins une ligne."),
    "never-reached": N_("Cette ligne vaut toujours : les suivantes ne servent jamais. Mettez-la en dernier ou donnez-lui une condition."),
    "amount": N_("Un montant en euros, plus grand que zéro."),
    "percent": N_("Une part en %, de 0,01 à 100."),
    "cap": N_("Un plafond en euros, ou rien."),
    "price": N_("Choisissez un prix : une question dont la réponse est en euros."),
    "piece": N_("Choisissez ce qui est compté : une question dont la réponse est un nombre d'une autre unité que l'euro."),
    "rows": N_("Un tableau a au moins deux lignes, des limites croissantes, et finit par « au-delà »."),
    "table-line": N_("Écrivez « limite : montant », et « au-delà : montant » à la fin ; ici : « {what} »."),
    "above-ceiling": N_("Le minimum dépasse le plafond."),
    "surplus": N_("Un chiffre de trop."),
    "rule": N_("La règle ne se calcule pas : {what}."),
    "days": N_("Un nombre de jours, de 1 à 366."),
    "months": N_("Un nombre de mois, de 1 à 240, ou rien."),
    "unheld": N_("Cette aide ne reconnaît pas une personne qui revient : un délai avant une nouvelle aide n'y tiendrait pas."),
    "unknown-person": N_("Cette aide ne reconnaît pas une personne qui revient : personne ne pourrait apporter cette attestation."),
    "past": N_("Cette date est passée."),
    "date": N_("« {what} » n'est pas une date."),
    "documents": N_("Huit documents au plus, un par ligne, 80 caractères chacun."),
    "statement": N_("Écrivez ce que la personne déclare sur l'honneur : de 20 à 1 000 caractères."),
    "proven": N_("Cette aide repose sur des preuves : elle ne demande pas de déclaration sur l'honneur."),
    "unique": N_("Choisissez une question dont la réponse est un texte."),
    "no-example": N_("Donnez au moins un exemple : la règle n'est pas publiée sans avoir été essayée."),
    "no-due-example": N_("Donnez au moins un exemple où l'aide est due."),
    "answer": N_("Exemple : la réponse à « {what} » manque ou n'en est pas une."),
    "expected": N_("Exemple : écrivez le montant attendu, ou « non »."),
    "label": N_("Donnez un nom à l'exemple."),
    "example": N_("Un exemple ne donne pas ce qui est attendu."),
}  # fmt: skip
REASONS: Final = {
    Inexpressible.MISSING: N_("elle nomme « {what} », qui n'existe pas dans le modèle"),
    Inexpressible.MEMBER: N_("elle emploie « {what} », que le formulaire n'a pas"),
    Inexpressible.EXPRESSION: N_("elle calcule « {what} », que le formulaire ne sait pas écrire"),
    Inexpressible.QUESTION: N_("une de ses questions emploie « {what} », que le formulaire n'a pas"),
    Inexpressible.UNUSED: N_("cette règle ne sert pas au montant : le formulaire la perdrait"),
    Inexpressible.SHARED: N_("elle est commune à plusieurs aides : c'est celle d'un texte national ou d'un import"),
    Inexpressible.BOUNDS: N_("elle dépasse ce que le formulaire accepte ({what})"),
}  # fmt: skip


def step_of(fault: Fault) -> Step:
    """The page where a fault is mended."""
    return _OF.get(fault.where.partition(".")[0], Step.APPLICATION)


def fault_text(t: Translator, fault: Fault) -> str:
    """A fault in words, with the number of its row."""
    said = t(FAULTS[fault.code], what=fault.what)
    parts = fault.where.split(".")
    names = {
        "questions": N_("Question {n}"), "lines": N_("Ligne {n}"), "bonuses": N_("Supplément {n}"),
        "examples": N_("Exemple {n}"), "conditions": N_("Condition {n}"),
    }  # fmt: skip
    if len(parts) > 1 and parts[0] in names and parts[1].isdigit():
        return f"{t(names[parts[0]], n=int(parts[1]) + 1)} : {said}"
    return said


def why_not(t: Translator, reason: Inexpressible, where: str, what: str) -> str:
    """Why the form cannot say a rule, for people."""
    return t("La règle « {where} » : {why}.", where=where, why=t(REASONS[reason], what=what))


# --- fields → cells ------------------------------------------------------------------------------


def read_step(step: Step, given: Mapping[str, str], sheet: DraftSheet) -> DraftSheet:
    """`sheet` with the cells of one step as they were typed.

    Raises:
        ValueError: more characters or rows than a sheet takes.
    """
    changes: dict[str, Any] = {}
    match step:
        case Step.TEXTS:
            for name in ("title", "title_en", "summary", "summary_en", "territories"):
                changes[name] = given.get(name, "")
            changes["themes"] = tuple(
                name.removeprefix("theme-") for name in given if name.startswith("theme-")
            )
        case Step.QUESTIONS:
            changes["questions"] = tuple(_questions(given))
        case Step.CONDITIONS:
            changes["conditions"] = tuple(_atoms(given, "c"))
        case Step.AMOUNT:
            changes["lines"] = tuple(_amounts(given, "l"))
            changes["bonuses"] = tuple(_amounts(given, "s"))
            for name in ("share_percent", "share_question", "ceiling", "floor"):
                changes[name] = given.get(name, "")
            changes["rounded"] = given.get("rounded") == "1"
        case Step.APPLICATION:
            for name in (
                "documents",
                "statement",
                "unique",
                "journey",
                "decision_days",
                "ends_on",
                "budget",
                "cool_down",
            ):
                changes[name] = given.get(name, "")
            changes["no_prior"] = given.get("no_prior") == "1"
        case Step.EXAMPLES:
            changes["examples"] = tuple(_examples(given, sheet))
    return DraftSheet.model_validate({**sheet.model_dump(), **changes})


def _rows(given: Mapping[str, str], prefix: str) -> Iterable[Mapping[str, str]]:
    """Rows of a page by their number: fields `prefix-number-name`; one ticked away is left out."""
    rows: dict[int, dict[str, str]] = {}
    for name, value in given.items():
        head, _, rest = name.partition("-")
        number, _, field = rest.partition("-")
        if head == prefix and number.isascii() and number.isdigit() and len(number) < 4 and field:
            rows.setdefault(int(number), {})[field] = value
    for _, row in sorted(rows.items()):
        if row.get("retirer") != "1":
            yield row


def _questions(given: Mapping[str, str]) -> Iterable[QuestionCells]:
    for row in _rows(given, "q"):
        preset = PRESETS.get(row.get("preset", ""))
        if preset is not None and not row.get("title") and not row.get("question"):
            yield preset
            continue
        cells = {name: row[name] for name in QuestionCells.model_fields if name in row}
        yield QuestionCells.model_validate(cells)


def _atoms(given: Mapping[str, str], prefix: str) -> Iterable[AtomCells]:
    for row in _rows(given, prefix):
        cells = {name: row[name] for name in AtomCells.model_fields if name in row}
        yield AtomCells.model_validate(cells)


def _amounts(given: Mapping[str, str], prefix: str) -> Iterable[LineCells]:
    for row in _rows(given, prefix):
        cells = {
            name: row[name] for name in LineCells.model_fields if name in row and name != "when"
        }
        yield LineCells.model_validate({**cells, "when": tuple(_atoms(row, "c"))})


def _examples(given: Mapping[str, str], sheet: DraftSheet) -> Iterable[ExampleCells]:
    names = [question.variable for question in sheet.questions]
    for row in _rows(given, "e"):
        answers = {
            name: row.get(f"a-{number}", "") for number, name in enumerate(names)
        }  # by the place of the question: a name may hold any letter
        yield ExampleCells(
            label=row.get("label", ""),
            expected=row.get("expected", ""),
            answers={name: text for name, text in answers.items() if text},
        )


# --- cells → fields ------------------------------------------------------------------------------


def fields_of(t: Translator, sheet: DraftSheet) -> dict[str, Any]:
    """What the template of a step shows: rows as they stand and an empty one, options in words."""
    asked = [("", "–"), *((q.variable, q.title or q.question) for q in sheet.questions)]
    prices = [("", "–"), *((q.variable, q.title) for q in sheet.questions if q.unit == "€")]
    texts = [("", "–"), *((q.variable, q.title) for q in sheet.questions if q.kind == "text")]
    return {
        "sheet": sheet,
        "asked": asked,
        "prices": prices,
        "texts": texts,
        "kinds": _said(t, KINDS),
        "units": [(code, t(UNIT_NAMES[code])) for code in (*UNITS, "€ par part")],
        "operators": _said(t, OPERATORS),
        "joints": _said(t, JOINTS),
        "gifts": _said(t, GIFTS),
        "presets": [("", t("Une question à moi")), *_said(t, PRESET_NAMES)],
        "questions": (*sheet.questions, QuestionCells()),
        "conditions": (*sheet.conditions, AtomCells()),
        "lines": [_amount_row(line) for line in (*sheet.lines, LineCells())],
        "bonuses": [_amount_row(line) for line in (*sheet.bonuses, LineCells())],
        "examples": [
            _example_row(t, sheet, example, tried=number < len(sheet.examples))
            for number, example in enumerate((*sheet.examples, ExampleCells()))
        ],
    }


def _said(t: Translator, names: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(code, t(text)) for code, text in names.items()]


def _amount_row(line: LineCells) -> dict[str, Any]:
    return {"cells": line, "when": (*line.when, AtomCells())}


def _example_row(
    t: Translator, sheet: DraftSheet, example: ExampleCells, *, tried: bool
) -> dict[str, Any]:
    answers = []
    for question in sheet.questions:
        options: list[tuple[str, str]] = []
        if question.kind == "boolean":
            options = [("", "–"), ("oui", t("oui")), ("non", t("non"))]
        elif question.kind == "choice":
            lines = [" ".join(c.split()) for c in question.choices.splitlines() if c.strip()]
            options = [("", "–"), *((choice, choice) for choice in lines)]
        unit = (
            f" ({t(UNIT_NAMES[question.unit])})"
            if question.unit in UNIT_NAMES and question.unit
            else ""
        )
        answers.append(
            {
                "label": f"{question.title}{unit}",
                "options": options,
                "value": example.answers.get(question.variable, ""),
            }
        )
    return {"cells": example, "answers": answers, "kept": tried}
