"""The attestation: a usage proof as a French PDF that people read and machines verify.

The PDF is PDF/UA-1 and PDF/A-3a (typst): tagged, language and title set, the signed usage proof embedded as
`preuve-usage.json` with relationship *Source*. `federation.credentials.offline` finds it again with no PDF library.
Nothing here signs or verifies; `federation.credentials` does.
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import segno

from federation.credentials.model import load_document
from federation.credentials.offline import document_in
from federation.credentials.shape import ShapeError
from portal.errors import AttestationError, AttestationTooLargeError
from portal.glossary import ASSURANCE, EVIDENCE, MODES
from portal.i18n import N_, translator
from portal.pdf import compile_pdf

MAX_PDF: Final = 5_000_000
"""Ours are under 100 kB; a scan of one is not an attestation of ours."""

NOT_PROVEN: Final = (
    N_(
        "Que chaque trajet a réellement eu lieu comme mesuré : un téléphone peut se tromper ou être prêté."
    ),
    N_(
        "Les lieux, les heures et chaque trajet pris à part : ils restent dans le coffre de la personne."
    ),
    N_(
        "Que la personne n'a pas été transportée à titre gratuit par son employeur, ni logée sur son lieu de travail."
    ),
    N_(
        "Le motif de chaque déplacement, autre que le lien entre domicile et lieu de travail qu'elle a indiqué."
    ),
)
OATH: Final = N_(
    "Je soussigné(e) {name} déclare sur l'honneur avoir utilisé, entre le {since} et le {until}, les modes de"
    " transport ci-dessus pour me déplacer entre ma résidence habituelle et mon lieu de travail, pendant {days} jours."
    " Je sais que l'employeur peut demander tout justificatif utile et contrôler l'usage effectif du covoiturage et des"
    " autres modes ouvrant droit au forfait mobilités durables."
)


@dataclass(frozen=True, slots=True)
class Attestation:
    """What the page needs beside the signed proof. No address: an employer knows it."""

    proof: Mapping[str, Any]
    """The signed UsageProof, untouched."""
    holder_name: str | None
    employer: str | None
    issuer_name: str
    verify_url: str
    """The public page that takes the PDF itself."""
    paper_url: str
    """The paper's own page, behind its QR."""
    made_at: datetime
    sandbox: bool
    language: str = "fr"


def render(attestation: Attestation) -> bytes:
    """The attestation as PDF/UA-1 bytes (about 60 kB, 50 ms).

    Raises:
        AttestationError: the proof lacks the claims of a usage proof.
    """
    return compile_pdf(
        "attestation.typ", _words(attestation), attestation.made_at, standards=("ua-1", "a-3a")
    )


def read_proof(file: bytes) -> dict[str, Any]:
    """The signed usage proof inside `file`: an attestation PDF of ours, or the JSON itself.

    Raises:
        AttestationTooLargeError: over `MAX_PDF`.
        AttestationError: no proof inside; a scan or a print carries only the QR.
    """
    if len(file) > MAX_PDF:
        raise AttestationTooLargeError(size=len(file), limit=MAX_PDF)
    try:
        return dict(load_document(document_in(file)))
    except ShapeError as error:
        raise AttestationError(f"no readable proof: {error.code_of}") from error


def fingerprint(proof: Mapping[str, Any]) -> str:
    """SHA-256 of the proof's canonical JSON, in groups of four hexadecimal digits, first 32."""
    digest = hashlib.sha256(_compact(proof)).hexdigest()[:32].upper()
    return " ".join(digest[i : i + 4] for i in range(0, 32, 4))


def _compact(proof: Mapping[str, Any]) -> bytes:
    return json.dumps(proof, ensure_ascii=False, separators=(",", ":")).encode()


def _words(a: Attestation) -> dict[str, Any]:
    t = translator(a.language)
    subject = a.proof.get("credentialSubject")
    if not isinstance(subject, Mapping):
        raise AttestationError("the proof has no subject")
    try:
        days = int(subject["days"])
        since, until = str(subject["periodFrom"]), str(subject["periodUntil"])
        by_mode = [(str(row["mode"]), int(row["days"])) for row in _rows(subject["daysByMode"])]
        weakest, method = str(subject["weakestEvidence"]), str(subject["assuranceMethod"])
        rule, version = str(subject["rule"]), str(subject["ruleVersion"])
    except (KeyError, TypeError, ValueError) as error:
        raise AttestationError(f"the proof lacks a claim: {error}") from error
    name = a.holder_name or t("la personne titulaire du coffre")
    proof = _compact(a.proof).decode()
    qr = io.BytesIO()
    segno.make(a.paper_url, error="m").save(qr, kind="svg", scale=4, border=2)
    moment = t.moment(a.made_at)
    person = [[t("Nom"), a.holder_name or t("non communiqué")]]
    person.append([t("Employeur"), a.employer or t("non communiqué")])
    return {
        "lang": t.language,
        "title": t("Attestation de trajets domicile – travail"),
        "subtitle": t(
            "Établie le {moment}, à partir du coffre de mobilité de la personne.", moment=moment
        ),
        "description": t(
            "Jours de déplacement domicile – travail par mode, avec leur niveau de preuve."
        ),
        "keywords": [t("forfait mobilités durables"), t("attestation de trajets")],
        "issuer": {"name": a.issuer_name},
        "sandbox": t("Bac à sable : personnes, opérateurs et financeurs fictifs")
        if a.sandbox
        else None,
        "days": t.number(days),
        "days_label": t("jours éligibles") if days > 1 else t("jour éligible"),
        "period": t(
            "du {since} au {until}", since=t.day(since, "long"), until=t.day(until, "long")
        ),
        "person_title": t("Personne et employeur"),
        "person": person,
        "days_title": t("Jours par mode de déplacement"),
        "table_head": [t("Mode principal du trajet"), t("Jours")],
        "table_rows": [[t(MODES.get(mode, mode)), t.number(n)] for mode, n in by_mode],
        "how_title": t("Comment c'est établi"),
        "how": [
            [t("Preuve la plus faible parmi ces jours"), t(EVIDENCE.get(weakest, weakest))],
            [t("Méthode"), t(ASSURANCE.get(method, method))],
            [t("Hébergeur qui atteste"), a.issuer_name],
            [t("Règle de comptage"), f"{rule} ({t('version')} {version})"],
        ],
        "not_title": t("Ce que cette attestation ne prouve pas"),
        "not_proven": [t(text) for text in NOT_PROVEN],
        "oath_title": t("Déclaration sur l'honneur"),
        "oath": t(
            OATH,
            name=name,
            since=t.day(since, "long"),
            until=t.day(until, "long"),
            days=t.number(days),
        ),
        "signed_at": t("Fait à ……………………………, le …………………"),
        "signature": t("Signature :"),
        "verify_title": t("Vérifier"),
        "verify_text": t(
            "Scannez ce code : la page dit ce que la preuve signée contient, qui l'a émise, et si elle tient toujours. Sans"
            " compte. Avec le PDF : déposez-le à l'adresse ci-dessous, ou hors ligne : mobility verify FICHIER."
        ),
        "verify_url": a.verify_url,
        "fingerprint_label": t("Empreinte de la preuve"),
        "fingerprint": fingerprint(a.proof),
        "qr": qr.getvalue().decode(),
        "qr_alt": t("Code QR vers la page publique de cette attestation"),
        "proof": proof,
        "attachment": t("La preuve d'usage signée, à vérifier par machine"),
        "footer": t("Attestation de trajets, coffre de mobilité"),
    }


def _rows(value: object) -> list[Mapping[str, Any]]:
    given = value if isinstance(value, list) else [value]
    rows = [row for row in given if isinstance(row, Mapping)]
    if len(rows) != len(given):
        raise TypeError("daysByMode")
    return rows
