"""« Mandats »: who may act for the citizen, on what, until when; taken back at once."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse

from portal.i18n import N_, Translator
from portal.pages.deps import CheckedDep, PageDep, VaultDep
from schemas.records import Compartment, Kind, Mandate, MandateAct
from vault.errors import ActRefusedError
from vault.model import GrantInfo
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

COMPARTMENTS: Final = {
    "trips": N_("trajets"),
    "invoices": N_("factures et abonnements"),
    "attributes": N_("attributs, lieux, véhicules"),
    "documents": N_("documents"),
    Compartment.EXTENSIONS.value: N_("données des extensions"),
    "aids": N_("aides et accords"),
}
ACTS: Final = {
    MandateAct.READ: N_("lire"),
    MandateAct.DEPOSIT: N_("déposer"),
    MandateAct.APPLY: N_("demander des aides"),
}


@router.get("/coffre/mandats")
def mandates(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """Mandates that hold, and those that are over."""
    t = page.t
    live = vault.grants()
    known = {grant.id for grant in live}
    records = [r for r in reversed(vault.all(Kind.MANDATE)) if isinstance(r, Mandate)]
    said = {record.grant: record for record in records if record.grant is not None}
    return page.show(
        "mandates.html",
        live=[_live(t, grant, said.get(grant.id), vault) for grant in live],
        past=[
            {
                "name": record.delegate_name,
                "purpose": record.purpose,
                "when": t.day((record.revoked_at or record.expires_at).date(), "long"),
                "revoked": record.revoked_at is not None,
            }
            for record in records
            if record.grant not in known
        ],
    )


def _live(
    t: Translator, grant: GrantInfo, record: Mandate | None, vault: OpenVault
) -> dict[str, Any]:
    opens = ", ".join(t(COMPARTMENTS.get(name, name)) for name in grant.compartments)
    return {
        "id": grant.id,
        "name": grant.delegate,
        "purpose": grant.purpose,
        "opens": opens,
        "acts": "" if record is None else ", ".join(t(ACTS[act]) for act in record.acts),
        "since": t.day(grant.since, "long"),
        "until": t.day(grant.until.date(), "long"),
        "expired": grant.until <= vault.home.clock(),
    }


@router.post("/coffre/mandats/retirer")
def revoke(
    page: CheckedDep, vault: VaultDep, mandat: Annotated[str, Form(max_length=64)]
) -> RedirectResponse:
    """Take a mandate back: its keys go, and what is written later is closed to it."""
    t = page.t
    try:
        vault.revoke_mandate(mandat)
    except ActRefusedError:
        return page.go("/coffre/mandats", notice=t("Ce mandat est déjà retiré."), kind="warn")
    text = t("Mandat retiré. Ce qui a été lu avant ne peut pas être oublié par qui l'a lu.")
    return page.go("/coffre/mandats", notice=text)
