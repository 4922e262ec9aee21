"""A form as a rule model of the documented language, in one canonical shape."""

from decimal import Decimal
from typing import Any, Final

from federation.aids.editor.rule_form import (
    BASE,
    BONUS,
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
from federation.aids.errors import RuleImportError
from schemas.units import Cents

__all__ = ["compile_rule", "due_guard"]

_TYPES: Final = {
    QuestionKind.NUMBER: "nombre",
    QuestionKind.YES_NO: "booléen",
    QuestionKind.TEXT: "texte",
}


def compile_rule(form: RuleForm) -> dict[str, Any]:
    """The rules of `form`, by name: parents, questions, base amount, bonuses, the rule itself.

    Raises:
        RuleImportError: the form has a fault; `where` is its place.
    """
    faults = faults_of(form)
    if faults:
        raise RuleImportError(faults[0].where, f"{faults[0].code} {faults[0].what}".strip())
    rules: dict[str, Any] = {}
    for asked in form.questions:
        parts = asked.variable.split(" . ")
        for depth in range(1, len(parts)):
            rules.setdefault(" . ".join(parts[:depth]), {})
    rules |= {asked.variable: _question(asked) for asked in form.questions}
    rules[BASE] = {"titre": "Montant de base", "titre en": "Base amount", **_lines(form)}
    bonuses = []
    for number, line in enumerate(form.bonuses, start=1):
        name = f"{BONUS} {number}"
        rules[name] = {
            "titre": f"Supplément {number}",
            "titre en": f"Bonus {number}",
            **({"applicable si": _conditions(form, line.when)} if line.when else {}),
            **_gift(form, line.gift),
        }
        bonuses.append(name)
    rules[form.rule] = {
        "titre": form.title,
        **({"titre en": form.title_en} if form.title_en else {}),
        **_when(form),
        **({"somme": [BASE, *bonuses]} if bonuses else {"valeur": BASE}),
        **_bounds(form),
    }
    return rules


def due_guard() -> str:
    """The condition that keeps a bonus or a floor from being due where the base is nothing."""
    return f"{BASE} > 0 €"


def _when(form: RuleForm) -> dict[str, Any]:
    items = [_group(form, group) for group in form.conditions]
    if form.bonuses or form.floor is not None:
        items.append(due_guard())
    if not items:
        return {}
    return {"applicable si": items[0] if len(items) == 1 else {"toutes ces conditions": items}}


def _question(asked: Question) -> dict[str, Any]:
    return {
        "titre": asked.title,
        **({"titre en": asked.title_en} if asked.title_en else {}),
        **({"type": _TYPES[asked.kind]} if asked.kind in _TYPES else {}),
        **({"unité": asked.unit} if asked.unit else {}),
        "question": asked.question,
        **({"question en": asked.question_en} if asked.question_en else {}),
        **({"une possibilité": list(asked.choices)} if asked.choices else {}),
    }


def _conditions(form: RuleForm, conditions: Conditions) -> Any:
    items = [_group(form, group) for group in conditions]
    return items[0] if len(items) == 1 else {"toutes ces conditions": items}


def _group(form: RuleForm, group: Group) -> Any:
    items = [_atom(form, atom) for atom in group]
    return items[0] if len(items) == 1 else {"une de ces conditions": items}


def _atom(form: RuleForm, atom: Atom) -> str:
    value = atom.value
    if isinstance(value, bool):
        said = "oui" if value else "non"
    elif isinstance(value, Decimal):
        asked = form.question(atom.variable)
        said = _number(value) + (f" {asked.unit}" if asked is not None and asked.unit else "")
    else:
        said = f"'{value}'"
    return f"{atom.variable} {atom.operator} {said}"


def _lines(form: RuleForm) -> dict[str, Any]:
    first = form.lines[0]
    if not first.when:
        return _gift(form, first.gift)
    return {"variations": [_branch(form, line) for line in form.lines]}


def _branch(form: RuleForm, line: Line) -> dict[str, Any]:
    gift = _gift(form, line.gift)
    due = gift["valeur"] if set(gift) == {"valeur"} else gift
    return {"si": _conditions(form, line.when), "alors": due} if line.when else {"sinon": due}


def _gift(form: RuleForm, gift: Gift) -> dict[str, Any]:
    cap = {"plafond": _euros(gift.cap)} if gift.cap is not None else {}
    amount = gift.amount or Cents(0)
    match gift.kind:
        case GiftKind.FIXED:
            return {"valeur": _euros(amount)}
        case GiftKind.SHARE:
            return {"valeur": f"{_number(gift.percent)} % * {gift.variable}", **cap}
        case GiftKind.PER_UNIT:
            asked = form.question(gift.variable)
            unit = f"/{asked.unit}" if asked is not None and asked.unit else ""
            return {"valeur": f"{_euros(amount)}{unit} * {gift.variable}", **cap}
        case GiftKind.TABLE:
            # Not « grille »: its lines end below their limit, a form's « jusqu'à » includes it.
            steps = [
                {"sinon": _euros(due)}
                if limit is None
                else {"si": _atom(form, Atom(gift.variable, "<=", limit)), "alors": _euros(due)}
                for limit, due in gift.rows
            ]
            return {"valeur": {"variations": steps}}


def _bounds(form: RuleForm) -> dict[str, Any]:
    limits: list[str] = []
    if form.share_ceiling is not None:
        limits.append(f"{_number(form.share_ceiling[0])} % * {form.share_ceiling[1]}")
    if form.ceiling is not None:
        limits.append(_euros(form.ceiling))
    found: dict[str, Any] = {}
    if limits:
        found["plafond"] = limits[0] if len(limits) == 1 else {"le minimum de": limits}
    if form.floor is not None:
        found["plancher"] = _euros(form.floor)
    if form.rounded:
        found["arrondi"] = "oui"
    return found


def _euros(cents: int | None) -> str:
    return f"{_number(Decimal(cents or 0) / 100)} €"


def _number(value: Decimal | None) -> str:
    text = f"{value or Decimal(0):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
