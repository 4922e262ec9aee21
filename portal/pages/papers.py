"""Printed attestations: the public page behind a paper's QR, and withdrawing a paper."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

import json
from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse

from federation.credentials.offline import verify_offline
from portal.pages.checks import check_rows
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.verify import document_facts, verdict_of
from vault.errors import PaperGoneError, PaperUnknownError
from vault.papers import read_paper, withdraw_paper

router = APIRouter(include_in_schema=False)


@router.get("/papier/{lien}")
def paper(page: PageDep, context: ContextDep, lien: str) -> HTMLResponse:
    """What the paper in your hands says, checked now. No account; the link's secret is on the paper."""
    t, at = page.t, page.now
    try:
        proof = read_paper(context.home, lien)
    except PaperUnknownError:
        return _closed(
            page,
            404,
            t("Cette adresse ne mène à aucune attestation"),
            t(
                "Rescannez le code du papier. S'il échoue encore, demandez le PDF d'origine : il se vérifie sans cette adresse."
            ),
        )
    except PaperGoneError as gone:
        if gone.why == "expired":
            return _closed(
                page,
                410,
                t("L'adresse de cette attestation a expiré"),
                t("Demandez une attestation récente à la personne."),
            )
        return _closed(
            page,
            410,
            t("Cette attestation a été retirée par la personne"),
            t("Le papier ne vaut plus : demandez-lui une nouvelle attestation."),
        )
    trust = context.home.trust
    if trust is None:
        return _closed(
            page,
            503,
            t("On ne peut pas encore le dire"),
            t("Une vérification n'a pas pu être faite. Réessayez dans quelques minutes."),
        )
    result = verify_offline(json.dumps(proof, ensure_ascii=False).encode(), trust=trust, at=at)
    # Step 8 is the policy of an aid; a paper answers to nobody's rule.
    rows = check_rows(t, [check for check in result.checks if check.step < 8])
    issuer = proof.get("issuer")
    issuer_id = str(issuer.get("id", "")) if isinstance(issuer, dict) else str(issuer or "")
    entry = trust.entry(issuer_id)
    return page.show(
        "paper.html",
        tabs=False,
        verdict=verdict_of(t, rows),
        check_items=rows,
        facts=document_facts(t, proof, entry.name if entry is not None else issuer_id),
    )


def _closed(page: Any, status: int, title: str, text: str) -> HTMLResponse:
    verdict = {"kind": "warn", "title": title, "text": text}
    shown: HTMLResponse = page.show(
        "paper.html", status=status, tabs=False, verdict=verdict, check_items=[], facts=[]
    )
    return shown


@router.post("/partages/papiers/retirer")
def withdraw(
    page: CheckedDep, vault: VaultDep, papier: Annotated[str, Form(max_length=64)]
) -> RedirectResponse:
    """The paper's page says from now on that it was withdrawn."""
    withdraw_paper(vault, papier)
    return page.go("/partages", notice=page.t("Attestation retirée : son code ne la montre plus."))
