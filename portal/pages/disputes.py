"""« Ce trajet n'est pas le mien »: disputing what an operator signed, and taking that back."""

# ruff: noqa: E501 - a sentence of the catalogue stands whole on one line

from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse

from federation.trust import TrustSnapshot
from portal.glossary import MODES
from portal.i18n import N_, Translator
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.vault import CREDENTIAL_TITLES, actor_name
from portal.views import TripWords, iri, proof_rows, short
from schemas.observations import DisputeReason, TripObservation
from schemas.records import Credential, Trip, zone
from vault.deletion import live_proofs
from vault.disputes import DISPUTABLE, Disputed, Told, can_be_disputed, dispute, disputes
from vault.errors import RecordUnknownError

router = APIRouter(include_in_schema=False)

REASONS: Final[dict[str, str]] = {
    "not-mine": N_("Ce n'était pas moi"),
    "did-not-happen": N_("Ce trajet n'a pas eu lieu"),
    "wrong": N_("Le trajet est le mien, mais il est mal décrit (date, distance, mode)"),
}
TOLD: Final = {
    "sent": (N_("contestation en route"), "info"),
    "heard": (N_("contestation reçue par l'émetteur"), "ok"),
    "refused": (N_("contestation refusée par l'émetteur"), "warn"),
    "no-address": (N_("cet émetteur n'a pas d'adresse de contestation : écrivez-lui"), "warn"),
}


@router.get("/trajets/contestes")
def disputed(page: PageDep, context: ContextDep, vault: VaultDep) -> HTMLResponse:
    """What is disputed, why, and what its issuer knows of it."""
    found = [_row(page.t, item, context.home.trust) for item in disputes(vault)]
    return page.show("disputes.html", disputes=found)


@router.get("/trajets/contester/{uuid_text}")
def ask(page: PageDep, vault: VaultDep, uuid_text: str) -> HTMLResponse:
    """What disputing does, before it is done."""
    t = page.t
    record = vault.get(iri(uuid_text))
    resting: list[dict[str, str]] = []
    if isinstance(record, Trip) and can_be_disputed(vault, record.id):
        words = TripWords(t, vault.places()).row(record)
        what = f"{t(words.mode.label)} · {t.day(record.local_date, 'full')} · {words.when} · {words.distance}"
        address = f"/trajets/{uuid_text}"
        resting = proof_rows(t, live_proofs(vault, record.observations))
    elif isinstance(record, Credential) and record.type in DISPUTABLE:
        what = f"{t(CREDENTIAL_TITLES[record.type])} · {t('Reçu le {moment}', moment=t.moment(record.received_at))}"
        address = "/coffre/documents"
    else:
        raise RecordUnknownError(iri(uuid_text))
    return page.show(
        "dispute.html",
        id=uuid_text,
        what=what,
        address=address,
        resting_on=resting,
        reasons=[(code, t(text)) for code, text in REASONS.items()],
    )


@router.post("/trajets/contester")
def do(
    page: CheckedDep,
    vault: VaultDep,
    trajet: Annotated[str, Form(max_length=100)],
    raison: Annotated[str, Form(max_length=30)] = "",
) -> RedirectResponse:
    """Dispute; the next page says what the issuer knows."""
    if raison not in REASONS:
        text = page.t("Dites pourquoi vous contestez.")
        return page.go(f"/trajets/contester/{trajet}", notice=text, kind="warn")
    dispute(vault, iri(trajet), reason=cast(DisputeReason, raison))
    text = page.t("C'est noté : ce trajet ne compte plus, et son émetteur en est averti.")
    return page.go("/trajets/contestes", notice=text)


@router.post("/trajets/contestes")
def take_back(
    page: CheckedDep, vault: VaultDep, contestation: Annotated[str, Form(max_length=100)]
) -> RedirectResponse:
    """Take a dispute back; the issuer is told that too."""
    if not any(found.id == iri(contestation) for found in disputes(vault)):
        raise RecordUnknownError(iri(contestation))
    vault.undo(iri(contestation))
    text = page.t("Contestation retirée : le trajet compte à nouveau, et son émetteur le saura.")
    return page.go("/trajets/contestes", notice=text)


def _row(t: Translator, found: Disputed, trust: TrustSnapshot | None) -> dict[str, Any]:
    return {
        "id": short(found.id),
        "when": t.moment(found.at),
        "reason": t(REASONS[found.reason]),
        "what": [_observed(t, seen) for seen in found.observations]
        + [t(CREDENTIAL_TITLES.get(held.type, held.type)) for held in found.credentials],
        "told": [_told(t, told, trust) for told in found.told],
    }


def _observed(t: Translator, seen: TripObservation) -> str:
    day = seen.started_at.astimezone(zone(seen.start_zone)).date()
    modes = [claim.mode.value for claim in seen.mode_claims]
    said = [t(MODES[modes[0]])] if modes else []
    hours = f"{t.clock(seen.started_at, seen.start_zone)} – {t.clock(seen.ended_at, seen.end_zone)}"
    length = [] if seen.distance is None else [t.distance(seen.distance)]
    return " · ".join([*said, t.day(day, "full"), hours, *length])


def _told(t: Translator, told: Told, trust: TrustSnapshot | None) -> dict[str, str]:
    text, kind = TOLD[told.state]
    return {"issuer": actor_name(t, told.issuer, trust), "text": t(text), "kind": kind}
