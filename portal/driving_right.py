"""A right to drive in a zone on paper: one page, its code, what a checker compares. PDF/UA-1.

The code holds the signed credential itself (`federation.credentials.qr`), so a checker with the
registry's snapshot needs no network; the credential is embedded in the file as well.
"""

# ruff: noqa: E501 - a sentence of the catalogue stands whole on one line

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any

import segno
import typst

from federation.credentials.qr import write_code
from portal.attestation import fingerprint
from portal.errors import AttestationError
from portal.i18n import Translator

__all__ = ["DrivingRight", "render_driving_right"]


@dataclass(frozen=True, slots=True)
class DrivingRight:
    """What the page needs beside the signed credential."""

    document: Mapping[str, Any]
    issuer_name: str
    facts: Sequence[tuple[str, str]]
    """What the credential says, in words."""
    until: str
    """Its last day, in words."""
    verify_url: str
    made_at: datetime
    sandbox: bool


def render_driving_right(right: DrivingRight, t: Translator) -> bytes:
    """The page as PDF/UA-1 and PDF/A-3a bytes (about 60 kB).

    Raises:
        ShapeError: `too-large`: the credential does not fit one code.
        AttestationError: the writer gave no document.
    """
    drawn = io.BytesIO()
    segno.make(write_code(right.document), error="l").save(drawn, kind="svg", scale=3, border=4)
    data = {
        "lang": t.language,
        "title": t("Droit de circuler dans une zone à faibles émissions"),
        "description": t("Une dérogation signée, vérifiable sans réseau par son code QR."),
        "keywords": [t("zone à faibles émissions"), t("dérogation")],
        "issuer": right.issuer_name,
        "sandbox": t("Bac à sable : personnes, opérateurs et financeurs fictifs")
        if right.sandbox
        else None,
        "until_label": t("Valable jusqu'au"),
        "until": right.until,
        "facts_title": t("Ce que dit le document"),
        "facts": [list(pair) for pair in right.facts],
        "verify_title": t("Vérifier"),
        "verify_text": t(
            "Scannez ce code avec n'importe quel lecteur, puis collez le texte à l'adresse ci-dessous,"
            " ou sans réseau : mobility verify FICHIER. Comparez l'immatriculation avec celle du véhicule."
        ),
        "verify_url": right.verify_url,
        "fingerprint_label": t("Empreinte de la preuve"),
        "fingerprint": fingerprint(right.document),
        "qr": drawn.getvalue().decode(),
        "qr_alt": t("Code QR qui contient le droit de circuler signé"),
        "proof": json.dumps(right.document, ensure_ascii=False, separators=(",", ":")),
        "attachment": t("Le droit de circuler signé, à vérifier par machine"),
        "footer": t("Droit de circuler, coffre de mobilité"),
    }
    pdf = typst.compile(
        resources.files("portal").joinpath("driving_right.typ").read_bytes(),
        format="pdf",
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        pdf_standards=["ua-1", "a-3a"],
        timestamp=int(right.made_at.timestamp()),
        ignore_system_fonts=True,
    )
    if not isinstance(pdf, bytes):
        raise AttestationError("the PDF writer gave no document")
    return pdf
