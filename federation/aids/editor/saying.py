"""A form in sentences, and what changed between two of them, both in French and in English."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher
from itertools import zip_longest

from federation.aids.editor.aid_form import AidForm
from federation.aids.editor.rule_form import (
    Atom,
    Conditions,
    Gift,
    GiftKind,
    Group,
    Line,
    Question,
    QuestionKind,
    RuleForm,
)
from federation.aids.model import Text
from federation.aids.rule_units import Unit
from federation.aids.territories import territory_name
from federation.aids.trace import say_value

__all__ = [
    "Change",
    "Statement",
    "differences",
    "say_aid",
    "say_conditions",
    "say_gift",
    "say_rule",
]


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of a form; `section` groups them on a page."""

    section: str
    """`texts`, `questions`, `conditions`, `amount`, `bounds`, `application`, `examples`."""
    words: Text


@dataclass(frozen=True, slots=True)
class Change:
    """One sentence that is new (`before` None), gone (`after` None) or says another thing."""

    section: str
    before: Text | None
    after: Text | None


_OPERATORS = {
    ">=": ("au moins {}", "at least {}"),
    "<=": ("au plus {}", "at most {}"),
    ">": ("plus de {}", "more than {}"),
    "<": ("moins de {}", "less than {}"),
    "=": ("{}", "{}"),
    "!=": ("autre que {}", "other than {}"),
}
_KINDS = {
    QuestionKind.NUMBER: ("un nombre", "a number"),
    QuestionKind.YES_NO: ("oui ou non", "yes or no"),
    QuestionKind.CHOICE: ("au choix", "one of"),
    QuestionKind.TEXT: ("un texte court", "a short text"),
}


_IN = {
    "€": "euros", "km": "kilomètres", "jour": "jours", "mois": "mois", "an": "années",
    "personne": "personnes", "kg": "kilogrammes", "%": "pour cent",
}  # fmt: skip


def say_rule(form: RuleForm) -> tuple[Statement, ...]:
    """The whole form, in its order."""
    return tuple(_statements(form))


def say_aid(form: AidForm) -> tuple[Statement, ...]:
    """The texts, the rule, how one applies, and the examples."""
    return (*_texts(form), *say_rule(form.rule), *_application(form), *_examples(form))


def differences(before: tuple[Statement, ...], after: tuple[Statement, ...]) -> tuple[Change, ...]:
    """What changed, section by section; a sentence that only moved within its section counts."""
    sections = dict.fromkeys(s.section for s in (*before, *after))
    found: list[Change] = []
    for section in sections:
        was = [s.words for s in before if s.section == section]
        now = [s.words for s in after if s.section == section]
        matcher = SequenceMatcher(
            None, [w["fr"] for w in was], [w["fr"] for w in now], autojunk=False
        )
        for kind, a, b, c, d in matcher.get_opcodes():
            if kind == "equal":
                continue
            gone, come = was[a:b], now[c:d]
            found += [Change(section, old, new) for old, new in zip_longest(gone, come)]
    return tuple(found)


def say_conditions(form: RuleForm, conditions: Conditions) -> Text:
    """Groups joined by « et »."""
    return _joined([_group(form, group) for group in conditions], {"fr": " et ", "en": " and "})


def say_gift(form: RuleForm, gift: Gift) -> Text:
    """One amount."""
    asked = form.question(gift.variable)
    fr, en = _titles(asked) if asked is not None else (gift.variable, gift.variable)
    cap_fr, cap_en = "", ""
    if gift.cap is not None:
        money = _money(gift.cap)
        cap_fr, cap_en = f", au plus {money['fr']}", f", at most {money['en']}"
    match gift.kind:
        case GiftKind.FIXED:
            return _money(gift.amount or 0)
        case GiftKind.SHARE:
            percent = _figure(gift.percent or Decimal(0), "%")
            return {
                "fr": f"{percent['fr']} de « {fr} »{cap_fr}",
                "en": f"{percent['en']} of “{en}”{cap_en}",
            }
        case GiftKind.PER_UNIT:
            unit = Unit(("€",), (asked.unit,) if asked is not None and asked.unit else ())
            each = say_value((gift.amount or 0) / 100, unit)
            return {
                "fr": f"{each[0]} × « {fr} »{cap_fr}",
                "en": f"{each[1]} × “{en}”{cap_en}",
            }
        case GiftKind.TABLE:
            unit_of = asked.unit if asked is not None else ""
            rows_fr, rows_en = [], []
            for limit, amount in gift.rows:
                due = _money(amount)
                if limit is None:
                    rows_fr.append(f"{due['fr']} au-delà")
                    rows_en.append(f"{due['en']} above")
                else:
                    upto = _figure(limit, unit_of)
                    rows_fr.append(f"{due['fr']} jusqu'à {upto['fr']}")
                    rows_en.append(f"{due['en']} up to {upto['en']}")
            return {
                "fr": f"selon « {fr} » : {', '.join(rows_fr)}",
                "en": f"by “{en}”: {', '.join(rows_en)}",
            }


def _statements(form: RuleForm) -> Iterator[Statement]:
    for asked in form.questions:
        fr, en = _titles(asked)
        kind_fr, kind_en = _KINDS[asked.kind]
        if asked.choices:
            kind_fr = f"{kind_fr} : {', '.join(asked.choices)}"
            kind_en = f"{kind_en}: {', '.join(asked.choices)}"
        if asked.unit:
            kind_fr, kind_en = f"{kind_fr}, en {_IN[asked.unit]}", f"{kind_en} ({asked.unit})"
        yield Statement(
            "questions",
            {
                "fr": f"{fr} : « {asked.question} » ({kind_fr})",
                "en": f"{en}: “{asked.question_en or asked.question}” ({kind_en})",
            },
        )
    for group in form.conditions:
        yield Statement("conditions", _group(form, group))
    for number, line in enumerate(form.lines):
        yield Statement("amount", _line(form, line, is_last=number > 0))
    for line in form.bonuses:
        words = _line(form, line, is_last=False)
        yield Statement(
            "amount",
            {"fr": f"Supplément : {words['fr']}", "en": f"Bonus: {words['en']}"},
        )
    if form.share_ceiling is not None:
        bound = say_gift(
            form,
            Gift(GiftKind.SHARE, percent=form.share_ceiling[0], variable=form.share_ceiling[1]),
        )
        yield Statement(
            "bounds",
            {"fr": f"En tout, au plus {bound['fr']}", "en": f"In all, at most {bound['en']}"},
        )
    if form.ceiling is not None:
        money = _money(form.ceiling)
        yield Statement(
            "bounds",
            {"fr": f"En tout, au plus {money['fr']}", "en": f"In all, at most {money['en']}"},
        )
    if form.floor is not None:
        money = _money(form.floor)
        yield Statement(
            "bounds",
            {"fr": f"En tout, au moins {money['fr']}", "en": f"In all, at least {money['en']}"},
        )
    if form.rounded:
        yield Statement("bounds", {"fr": "Arrondi à l'euro", "en": "Rounded to the euro"})


def _texts(form: AidForm) -> Iterator[Statement]:
    rule = form.rule
    for fr, en in (
        (rule.title, rule.title_en or rule.title),
        (form.summary, form.summary_en or form.summary),
        *((f"Territoire : {name}", f"Territory: {name}") for name in _places(form)),
        *((f"Thème : {theme}", f"Theme: {theme}") for theme in form.themes),
    ):  # fmt: skip
        if fr:
            yield Statement("texts", {"fr": fr, "en": en})


def _places(form: AidForm) -> list[str]:
    named = [(territory_name(t.kind.value, t.code), t) for t in form.territories]
    return [f"{name or t.kind.value} ({t.code})" for name, t in named]


def _application(form: AidForm) -> Iterator[Statement]:
    for name in form.documents:
        yield _said("application", f"Document demandé : {name}", f"Document asked for: {name}")
    if form.statement:
        yield _said("application", form.statement, form.statement)
    if form.unique:
        asked = form.rule.question(form.unique)
        fr, en = _titles(asked) if asked is not None else (form.unique, form.unique)
        yield _said("application", f"Une seule fois par : {fr}", f"Once for each: {en}")
    if form.journey:
        asked = form.rule.question(form.journey)
        fr, en = _titles(asked) if asked is not None else (form.journey, form.journey)
        yield _said(
            "application",
            f"Vérifié au registre de preuve de covoiturage : {fr}",
            f"Checked at the register of carpool proofs: {en}",
        )
    days = form.decision_days
    yield _said("application", f"Réponse sous {days} jours", f"Answer within {days} days")
    if form.ends_on is not None:
        day = form.ends_on.isoformat()
        yield _said("application", f"Dernier jour : {day}", f"Last day: {day}")
    if form.budget is not None:
        money = _money(form.budget)
        yield _said("application", f"Enveloppe : {money['fr']}", f"Budget: {money['en']}")
    if form.cool_down:
        yield _said(
            "application",
            f"Délai avant une nouvelle aide : {form.cool_down} mois",
            f"Time before another aid: {form.cool_down} months",
        )
    if form.no_prior:
        yield _said(
            "application",
            "Attestation d'absence d'aide antérieure demandée à chaque demande",
            "A signed statement of no prior aid is asked with each application",
        )


def _examples(form: AidForm) -> Iterator[Statement]:
    for example in form.examples:
        fr, en = ("non", "no") if example.expected_cents is None else ("", "")
        if example.expected_cents is not None:
            money = _money(example.expected_cents)
            fr, en = money["fr"], money["en"]
        yield _said("examples", f"{example.label} → {fr}", f"{example.label} → {en}")


def _said(section: str, fr: str, en: str) -> Statement:
    return Statement(section, {"fr": fr, "en": en})


def _line(form: RuleForm, line: Line, *, is_last: bool) -> Text:
    gift = say_gift(form, line.gift)
    if line.when:
        when = say_conditions(form, line.when)
        return {"fr": f"Si {when['fr']} → {gift['fr']}", "en": f"If {when['en']} → {gift['en']}"}
    if is_last:
        return {"fr": f"Sinon → {gift['fr']}", "en": f"Otherwise → {gift['en']}"}
    return gift


def _group(form: RuleForm, group: Group) -> Text:
    return _joined([_atom(form, atom) for atom in group], {"fr": " ou ", "en": " or "})


def _joined(said: Sequence[Text], words: Text) -> Text:
    return {language: word.join(s[language] for s in said) for language, word in words.items()}


def _atom(form: RuleForm, atom: Atom) -> Text:
    asked = form.question(atom.variable)
    fr, en = _titles(asked) if asked is not None else (atom.variable, atom.variable)
    if isinstance(atom.value, bool):
        value = {"fr": "oui" if atom.value else "non", "en": "yes" if atom.value else "no"}
    elif isinstance(atom.value, Decimal):
        value = dict(_figure(atom.value, asked.unit if asked is not None else ""))
    else:
        value = {"fr": f"« {atom.value} »", "en": f"“{atom.value}”"}
    how_fr, how_en = _OPERATORS[atom.operator]
    return {
        "fr": f"{fr} : {how_fr.format(value['fr'])}",
        "en": f"{en}: {how_en.format(value['en'])}",
    }


def _titles(asked: Question) -> tuple[str, str]:
    return asked.title, asked.title_en or asked.title


def _figure(value: Decimal, unit: str) -> Text:
    fr, en = say_value(float(value), Unit.parse(unit) if unit else None)
    return {"fr": fr, "en": en}


def _money(cents: int) -> Text:
    fr, en = say_value(cents / 100, Unit(("€",)))
    return {"fr": fr, "en": en}
