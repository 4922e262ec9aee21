"""An application with what goes with it: answers declared on one's honour, documents of the vault.

Hub and funder get, in this order: the presentation that was consented to, the declared answers,
each document sealed to the funder. What has not gone yet is kept sealed and sent again
(`send_dossier`); every step may be repeated without a second effect.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.ids import Iri
from vault.attachments import attach_document
from vault.errors import ShareRefusedError
from vault.sharing import application_of, holder_proof, take_view

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["Dossier", "dossier_of", "keep_dossier", "send_dossier"]


@dataclass(frozen=True, slots=True)
class Dossier:
    """What is still to be sent after an application. Empty: everything has arrived."""

    answers: Mapping[str, str]
    """Rule name → answer as typed; empty once it has arrived."""
    pieces: tuple[tuple[str, Iri], ...]
    """(what it is, kept file), in the funder's order."""

    def __bool__(self) -> bool:
        return bool(self.answers or self.pieces)


def keep_dossier(vault: "OpenVault", application: Iri, dossier: Dossier) -> None:
    """Keep what is to be sent for an application, in place of what was."""
    body = {"answers": dict(dossier.answers), "pieces": [list(pair) for pair in dossier.pieces]}
    vault.put_setting(_name(application), json.dumps(body).encode())


def dossier_of(vault: "OpenVault", application: Iri) -> Dossier:
    """What is still to be sent."""
    kept = vault.setting(_name(application))
    body = json.loads(kept) if kept else {"answers": {}, "pieces": []}
    return Dossier(
        dict(body["answers"]), tuple((str(label), Iri(str(file))) for label, file in body["pieces"])
    )


def send_dossier(vault: "OpenVault", application: Iri) -> None:
    """Send what is left; what arrived is not sent again.

    Raises:
        HubClientError: not now, or refused; the rest is kept. ShareRefusedError: `no-hub`, or as
        `attach_document`.
    """
    left = dossier_of(vault, application)
    if not left:
        return
    hub = vault.home.hub
    if hub is None:
        raise ShareRefusedError("no-hub")
    record = application_of(vault, application)
    if left.answers:
        view = hub.declare(
            record.id, proof_jwt=holder_proof(vault, record), answers=dict(left.answers)
        )
        vault.note("answers-declared", actor=record.funder, application=record.id)
        take_view(vault, record, view)
        left = Dossier({}, left.pieces)
        keep_dossier(vault, application, left)
    while left.pieces:
        label, file = left.pieces[0]
        attach_document(vault, application, file, label=label)
        left = Dossier({}, left.pieces[1:])
        keep_dossier(vault, application, left)


def _name(application: Iri) -> str:
    return f"dossier/{application}"
