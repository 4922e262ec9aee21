"""The public verify page: an attestation, a signed document, or the evidence of a decision. No account, nothing kept."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse

from federation.decision_log import EvidenceMalformedError
from portal.attestation import MAX_PDF, fingerprint, read_proof
from portal.errors import AttestationError, AttestationTooLargeError
from portal.glossary import CLAIMS
from portal.i18n import Translator
from portal.offline import is_evidence
from portal.pages.access import Errors
from portal.pages.aids import claim_value
from portal.pages.checks import check_rows
from portal.web import Page

HIDDEN: Final = frozenset(
    {"id", "type", "metric", "evidenceRoot", "treeSize", "nullifiers", "attesterSoftware"}
)
"""Members a reader of a paper cannot use; the machine checks them."""


def verdict_of(t: Translator, rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The answer in one sentence: yes, no, or not known now."""
    marks = {row["css"] for row in rows}
    if "fail" in marks:
        return {
            "kind": "bad",
            "title": t("Ce document n'est pas valable"),
            "text": t("Au moins une vérification échoue. Ne vous y fiez pas."),
        }
    if "tell" in marks or not marks:
        return {
            "kind": "warn",
            "title": t("On ne peut pas encore le dire"),
            "text": t("Une vérification n'a pas pu être faite. Réessayez dans quelques minutes."),
        }
    return {
        "kind": "ok",
        "title": t("Document authentique"),
        "text": t(
            "La signature est intacte, l'émetteur est accrédité et n'a pas révoqué ce document."
        ),
    }


def decision_verdict(t: Translator, rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The same of a decision."""
    verdict = verdict_of(t, rows)
    if verdict["kind"] == "ok":
        return verdict | {
            "title": t("Décision authentique"),
            "text": t(
                "Chaque étape est inscrite au registre des décisions, qui est signé et horodaté."
            ),
        }
    if verdict["kind"] == "warn":
        text = t(
            "Tout tient, mais l'horodatage manque encore : redemandez ce fichier dans une heure."
        )
        return verdict | {"text": text}
    return verdict | {
        "title": t("Cette preuve n'est pas valable"),
        "text": t("Au moins une vérification échoue. Ne vous y fiez pas."),
    }


def document_facts(
    t: Translator, document: Mapping[str, Any], issuer: str
) -> list[tuple[str, str]]:
    """What the document says, in words."""
    facts = [(t("Émetteur"), issuer), (t("Empreinte de la preuve"), fingerprint(document))]
    if document.get("validFrom"):
        facts.append((t("Émis le"), t.moment(str(document["validFrom"]))))
    if document.get("validUntil"):
        facts.append((t("Valable jusqu'au"), t.moment(str(document["validUntil"]))))
    subject = document.get("credentialSubject")
    if isinstance(subject, Mapping):
        for name, value in subject.items():
            if name in HIDDEN or name not in CLAIMS:
                continue
            facts.append((t(CLAIMS[name]), claim_value(t, name, value)))
    return facts


def create_router(
    page_of: Callable[[Request], Page],
    check: Callable[[Mapping[str, Any]], Iterable[Any]],
    name_of: Callable[[str], str],
    decision: Callable[[Translator, bytes], Mapping[str, Any]],
) -> APIRouter:
    """The page; `check` verifies a document, `name_of` gives the registry's name of a DID, `decision` reads the
    evidence of a decision (`decision_evidence.decision_view`)."""
    router = APIRouter(include_in_schema=False)

    def blank(page: Page, errors: Errors) -> HTMLResponse:
        return page.show("verify.html", status=422 if errors else 200, errors=errors, verdict=None)

    def of_decision(page: Page, data: bytes) -> HTMLResponse:
        t = page.t
        try:
            found: dict[str, Any] = {"facts": [], "steps": [], "standing": None}
            found |= decision(t, data)
        except EvidenceMalformedError:
            text = t(
                "Ce ZIP n'est pas la preuve d'une décision, ou il a été refait. Demandez le fichier d'origine."
            )
            return blank(page, Errors(fichier=text))
        verdict = decision_verdict(t, found["check_items"])
        return page.show("verify.html", errors=Errors(), verdict=verdict, decision=True, **found)

    @router.get("/verifier")
    def form(request: Request) -> HTMLResponse:
        """The empty page."""
        return blank(page_of(request), Errors())

    @router.post("/verifier")
    def verify(
        request: Request,
        jeton: Annotated[str, Form()] = "",
        texte: Annotated[str, Form()] = "",
        fichier: Annotated[UploadFile | None, File()] = None,
    ) -> HTMLResponse:
        """Verify what was given and say each step."""
        page = page_of(request)
        page.check_form(jeton)
        t = page.t
        data = fichier.file.read(MAX_PDF + 1) if fichier is not None and fichier.filename else b""
        data = data or texte.encode()
        if not data.strip():
            return blank(page, Errors(fichier=t("Choisissez un fichier ou collez une preuve.")))
        if is_evidence(data):
            return of_decision(page, data)
        try:
            document = read_proof(data)
        except AttestationTooLargeError:
            return blank(
                page, Errors(fichier=t("Ce fichier dépasse 5 Mo : ce n'est pas une attestation."))
            )
        except AttestationError:
            text = t(
                "Aucune preuve signée dans ce fichier. Un scan ou une photo n'en contient pas : demandez le PDF d'origine."
            )
            return blank(page, Errors(fichier=text))
        rows = check_rows(t, check(document))
        issuer = document.get("issuer")
        issuer_id = str(issuer.get("id", "")) if isinstance(issuer, Mapping) else str(issuer or "")
        return page.show(
            "verify.html",
            errors=Errors(),
            verdict=verdict_of(t, rows),
            check_items=rows,
            decision=False,
            standing=None,
            facts=document_facts(t, document, name_of(issuer_id)),
        )

    return router


def compact(document: Mapping[str, Any]) -> str:
    """The document on one line, to paste."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
