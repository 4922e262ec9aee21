"""The right to drive on paper: accessible, its signed document inside and in its code."""

import io
from datetime import UTC, datetime

import pikepdf

from federation.credentials.catalogue import example
from portal.attestation import read_proof
from portal.driving_right import DrivingRight, render_driving_right
from portal.i18n import translator

DOCUMENT = example("ZoneAccessCredential")


def paper(language: str) -> bytes:
    right = DrivingRight(
        document=DOCUMENT,
        issuer_name="Métropole",
        facts=[("Immatriculation", "AB-123-CD")],
        until="2 novembre 2027",
        verify_url="https://hub.example/verifier",
        made_at=datetime(2026, 11, 22, 9, tzinfo=UTC),
        sandbox=True,
    )
    return render_driving_right(right, translator(language))


def test_the_paper_is_tagged_titled_and_carries_the_document() -> None:
    for language, title in (
        ("fr", "Droit de circuler dans une zone à faibles émissions"),
        ("en", "Right to drive in a low-emission zone"),
    ):
        pdf = paper(language)
        with pikepdf.open(io.BytesIO(pdf)) as file:
            assert bool(file.Root.MarkInfo.Marked)
            assert str(file.Root.Lang) == language
            with file.open_metadata() as meta:
                assert meta["dc:title"] == title
                assert meta["pdfuaid:part"] == "1"
        assert read_proof(pdf) == DOCUMENT
