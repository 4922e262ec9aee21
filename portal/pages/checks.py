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
    """One row a step for the `checks` macro, from `Check`, `CheckView` or their JSON.

    A step made of several checks shows the worst of them, or all their sentences when they agree.
    """
    rows: list[dict[str, Any]] = []
    by_step: dict[int, dict[str, Any]] = {}
    for check in checks:
        step = int(_of(check, "step", 0))
        code = str(_of(check, "code", ""))
        outcome, css, mark = OUTCOMES.get(str(_of(check, "outcome", "")), OUTCOMES["cannot-tell"])
        words = _of(check, "words", {}) or {}
        if step == POLICY_STEP and css == "ok":
            words = {}  # the policy's own names mean nothing to a person
        text = words.get(t.language) or words.get("fr")
        if not text:
            passed = css == "ok" and step in STEP_PASSED
            text = t(STEP_PASSED[step]) if passed else t(CODES[code]) if code in CODES else code
        title = t(STEPS[step]) if step in STEPS else code
        row = {
            "step": step,
            "code": code,
            "title": title,
            "text": text,
            "outcome": t(outcome),
            "css": css,
            "mark": mark,
        }
        same = by_step.get(step)
        if same is None:
            by_step[step] = row
            rows.append(row)
        elif _WORST[css] > _WORST[str(same["css"])]:
            same.update(row)
        elif css == same["css"] and text not in str(same["text"]):
            same["text"] = f"{same['text']} {text}"
    return rows


def declared_rows(t: Translator, checks: Iterable[Any]) -> list[dict[str, Any]]:
    """What an aid declares it checks, in its order, for the `checks` macro."""
    rows = []
    for check in checks:
        outcome, css, mark = OUTCOMES.get(str(_of(check, "outcome", "")), OUTCOMES["cannot-tell"])
        words = _of(check, "words", {}) or {}
        step = {language: str(words.get(f"step_{language}", "")) for language in ("fr", "en")}
        rows.append(
            {
                "step": int(_of(check, "step", 0)),
                "code": str(_of(check, "code", "")),
                "title": text_of(t, step),
                "text": text_of(t, words),
                "outcome": t(outcome),
                "css": css,
                "mark": mark,
            }
        )
    return rows


POLICY_STEP = 8
_WORST = {"ok": 0, "tell": 1, "fail": 2}


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
