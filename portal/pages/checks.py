"""Verification steps as pages show them: a mark, a title, a sentence."""

from collections.abc import Iterable, Mapping
from typing import Any

from portal.glossary import CODES, OUTCOMES, STEP_PASSED, STEPS
from portal.i18n import N_, Translator

EXPLANATION = (
    ("contribution", N_("Degré et mode de contribution du calcul à la décision")),
    ("data", N_("Données traitées et leurs sources")),
    ("parameters", N_("Paramètres et leur pondération")),
    ("operations", N_("Opérations effectuées")),
)
"""The four headings of CRPA R. 311-3-1-2."""


def check_rows(t: Translator, checks: Iterable[Any]) -> list[dict[str, Any]]:
    """Rows for the `checks` macro, from `Check`, `CheckView` or their JSON."""
    rows = []
    for check in checks:
        step = int(_of(check, "step", 0))
        code = str(_of(check, "code", ""))
        outcome, css, mark = OUTCOMES.get(str(_of(check, "outcome", "")), OUTCOMES["cannot-tell"])
        words = _of(check, "words", {}) or {}
        text = words.get(t.language) or words.get("fr")
        if not text:
            passed = css == "ok" and step in STEP_PASSED
            text = t(STEP_PASSED[step]) if passed else t(CODES[code]) if code in CODES else code
        title = t(STEPS[step]) if step in STEPS else code
        rows.append(
            {
                "step": step,
                "code": code,
                "title": title,
                "text": text,
                "outcome": t(outcome),
                "css": css,
                "mark": mark,
            }
        )
    return rows


def text_of(t: Translator, text: Mapping[str, str] | str | None) -> str:
    """A bilingual text in this language, French when the other is missing."""
    if text is None:
        return ""
    if isinstance(text, str):
        return text
    return text.get(t.language) or text.get("fr") or ""


def explanation_rows(t: Translator, explanation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The four headings with their lines; a heading without a line is left out."""
    rows = []
    for key, title in EXPLANATION:
        lines = [text_of(t, line) for line in explanation.get(key, ())]
        if lines:
            rows.append({"title": t(title), "lines": lines})
    return rows


def _of(check: Any, name: str, default: Any) -> Any:
    value = (
        check.get(name, default) if isinstance(check, Mapping) else getattr(check, name, default)
    )
    return getattr(value, "value", value)
