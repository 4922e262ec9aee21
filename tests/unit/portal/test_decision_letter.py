"""Decision letter and liquidation statement are PDF/UA-1: tagged, titled, in their language."""

import io
from datetime import UTC, date, datetime

import pikepdf
import pytest

from portal.decision_letter import (
    Letter,
    Statement,
    StatementLine,
    render_letter,
    render_statement,
)
from portal.i18n import translator

AT = datetime(2026, 11, 22, 4, tzinfo=UTC)
PERIOD = (date(2026, 1, 1), date(2026, 11, 20))


def letter(*, accepted: bool, mention: str = "") -> Letter:
    return Letter(
        funder="Mairie de Trèbes",
        service="Ressources humaines",
        contact="rh@trebes.example",
        aid="Forfait <mobilités> #durables",
        reference="a04cfc5c",
        employee="M0003",
        accepted=accepted,
        amount=300_00 if accepted else None,
        period=PERIOD,
        decided_at=AT,
        decided_by="" if mention else "Camille Roux",
        reasons=['12 jours ; il en faut 30. #import "x"', "$ % & _ \\ ~"],
        legal=["arrêté du 9 mai 2020"],
        calculation=[],
        remedies="Deux mois.",
        mention=mention,
        sandbox=True,
    )


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("accepted", [True, False])
def test_a_letter_is_accessible_and_runs_nothing_of_its_texts(
    language: str, accepted: bool
) -> None:
    made = letter(accepted=accepted, mention="Article L. 311-3-1" if accepted else "")
    check(render_letter(made, translator(language)), language)


def test_a_statement_of_a_thousand_lines_is_accessible() -> None:
    lines = [
        StatementLine(n, f"M{n}", "Forfait", "règle (1)", PERIOD, 100, 300_00, "la règle")
        for n in range(1, 1001)
    ]
    made = Statement("Mairie", "73282932000074", 1, AT, "Camille Roux", lines, ["arrêté"], False)
    check(render_statement(made, translator("fr")), "fr")


def check(data: bytes, language: str) -> None:
    with pikepdf.open(io.BytesIO(data)) as pdf:
        assert bool(pdf.Root.MarkInfo.Marked)
        assert str(pdf.Root.Lang).startswith(language)
        assert "/StructTreeRoot" in pdf.Root
        with pdf.open_metadata() as metadata:
            assert str(metadata.get("pdfuaid:part")) == "1"
            assert metadata.get("dc:title")
