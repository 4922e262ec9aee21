"""Checks by sample in the vault: what a funder asks to check, what would be opened, the answer."""

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from federation.audit import OpenedLeaf
from federation.errors import HubClientError
from portal.glossary import EVIDENCE, MODES
from portal.i18n import N_, Translator
from portal.pages.deps import CheckedDep, PageDep, VaultDep
from portal.views import iri
from vault.errors import ShareRefusedError

router = APIRouter(include_in_schema=False)


@router.get("/demandes/{uuid_text}/controle")
def request(page: PageDep, vault: VaultDep, uuid_text: str) -> Response:
    """What the funder asks to check, and what would be opened."""
    t = page.t
    try:
        asked = vault.audit_request(iri(uuid_text))
    except HubClientError:
        return page.go(
            f"/demandes/{uuid_text}", notice=t("Le hub ne répond pas. Réessayez."), kind="warn"
        )
    if asked is None:
        return page.go(f"/demandes/{uuid_text}", notice=t("Aucun contrôle n'attend de réponse."))
    gone = sum(leaf.leaf is None for leaf in asked.leaves)
    shown: HTMLResponse = page.show(
        "audit.html",
        id=uuid_text,
        funder=str(asked.application.extra.get("funderName") or asked.application.funder),
        leaves=[_row(t, leaf) for leaf in asked.leaves],
        stays=[
            {"title": t(text), "text": ""}
            for text in (
                N_("Vos lieux : domicile, travail, arrêts"),
                N_("Vos heures de départ et d'arrivée"),
                N_("Vos tracés"),
                N_("Les preuves qui n'ont pas été tirées au sort"),
            )
        ],
        gone=t.n(
            "{n} preuve a été retirée depuis. Le financeur le saura ; ce n'est pas une fraude.",
            "{n} preuves ont été retirées depuis. Le financeur le saura ; ce n'est pas une fraude.",
            gone,
        )
        if gone
        else "",
    )
    return shown


def _row(t: Translator, leaf: OpenedLeaf) -> dict[str, str]:
    title = t("Preuve n° {number}", number=leaf.position + 1)
    if leaf.leaf is None:
        return {"title": title, "text": t("retirée")}
    mode, evidence = str(leaf.claims["mode"]), str(leaf.claims["evidence"])
    return {
        "title": title,
        "text": t(
            "{month} · {mode} · au moins {distance} · {evidence} · déposée par {who}",
            month=leaf.claims["month"],
            mode=t(MODES.get(mode, mode)),
            distance=t.distance(int(leaf.claims["distanceAtLeast"])),
            evidence=t(EVIDENCE.get(evidence, evidence)),
            who=leaf.depositor,
        ),
    }


@router.post("/demandes/controle")
def answer(
    page: CheckedDep,
    vault: VaultDep,
    demande: Annotated[str, Form(max_length=60)],
    reponse: Annotated[str, Form(max_length=20)] = "",
) -> RedirectResponse:
    """Open what was asked for, or decline."""
    t = page.t
    if reponse not in ("ouvrir", "refuser"):
        return page.go(
            f"/demandes/{demande}/controle", notice=t("Choisissez une réponse."), kind="warn"
        )
    try:
        vault.answer_audit(iri(demande), accepted=reponse == "ouvrir", confirmed_at=page.now)
        vault.refresh_application(iri(demande))
    except ShareRefusedError:
        return page.go(f"/demandes/{demande}", notice=t("Aucun contrôle n'attend de réponse."))
    except HubClientError:
        return page.go(
            f"/demandes/{demande}/controle",
            notice=t("La réponse n'est pas partie. Réessayez."),
            kind="warn",
        )
    return page.go(f"/demandes/{demande}", notice=t("Votre réponse est partie."))
