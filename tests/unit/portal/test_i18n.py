"""Words on the page: complete, used, and the ones of the table."""

import re
from datetime import date
from importlib import resources

import pytest

from portal.glossary import ASSURANCE, EVIDENCE
from portal.i18n import Translator, catalogue, negotiate
from portal.i18n.extract import texts
from schemas.evidence import AssuranceMethod, Evidence

PLACEHOLDER = re.compile(r"\{(\w+)\}")


def rows() -> list[list[str]]:
    text = resources.files("portal.i18n").joinpath("README.md").read_text("utf-8")
    table = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_every_text_has_its_english_and_no_english_is_left_over() -> None:
    assert texts() == set(catalogue())


def test_translations_keep_the_placeholders() -> None:
    wrong = [
        french
        for french, english in catalogue().items()
        if set(PLACEHOLDER.findall(french)) != set(PLACEHOLDER.findall(english))
    ]
    assert wrong == []


def test_no_text_is_left_untranslated_by_mistake() -> None:
    same = {french for french, english in catalogue().items() if french == english}
    assert all(len(text.split()) <= 3 for text in same), same


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_the_pages_use_the_words_of_the_table(row: list[str]) -> None:
    _, french, english, _ = row
    pages_fr = "\n".join(catalogue()).casefold()
    pages_en = "\n".join(catalogue().values()).casefold()
    assert french.casefold() in pages_fr
    assert english.casefold() in pages_en


@pytest.mark.parametrize("word", [row[3] for row in rows() if row[3]])
def test_a_word_that_is_never_shown_is_on_no_page(word: str) -> None:
    shown = [*catalogue(), *catalogue().values()]
    found = [text for text in shown if re.search(rf"\b{re.escape(word)}s?\b", text, re.I)]
    assert found == []


def test_every_class_of_evidence_and_every_method_has_its_word_in_the_table() -> None:
    french = {row[1] for row in rows()}
    assert {EVIDENCE[e.value] for e in Evidence} <= french
    assert {ASSURANCE[a.value] for a in AssuranceMethod} <= french


@pytest.mark.parametrize(
    ("header", "chosen", "expected"),
    [
        (None, None, "fr"),
        ("en-GB,en;q=0.9", None, "en"),
        ("de,fr;q=0.5,en;q=0.4", None, "fr"),
        ("en", "fr", "fr"),
        ("fr", "xx", "fr"),
        ("en;q=zero,fr", None, "fr"),
        ("x" * 5000, None, "fr"),
    ],
)
def test_the_language_is_the_persons_choice_then_the_browsers(
    header: str | None, chosen: str | None, expected: str
) -> None:
    assert negotiate(header, chosen) == expected


def test_numbers_amounts_and_dates_follow_the_language() -> None:
    french, english = Translator("fr"), Translator("en")
    assert french.amount(20_000).replace("\u202f", " ").replace("\xa0", " ") == "200 €"
    assert english.amount(123_456) == "€1,234.56"
    assert french.distance(12_340).replace("\xa0", " ") == "12,3 km"
    assert french.distance(980) == "980 m"
    assert french.minutes(3_900) == "1 h 05"
    assert french.day(date(2026, 9, 1), "long") == "1er septembre 2026"
    assert english.day(date(2026, 9, 1), "long") == "1 September 2026"
    assert french.n("{n} jour", "{n} jours", 0) == "0 jour"
    assert english.n("{n} jour", "{n} jours", 0) == "0 days"
