"""The evidence of a decision on the public page: the same steps as `mobility verify`, and what the file says."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from federation.aids.errors import UnknownAidError
from federation.decision_log import Evidence, EvidenceMalformedError, verify_evidence
from federation.hub.context import HubContext
from portal.glossary import STATES
from portal.i18n import Translator
from portal.pages.checks import check_rows, declared_rows, text_of
from portal.pages.vault import actor_name

__all__ = ["decision_view"]


def decision_view(t: Translator, hub: HubContext, data: bytes) -> dict[str, Any]:
    """Rows of the checks, and, where none failed, what was decided, in words.

    The timestamp authority is this hub's own where the file names the same roots; any other is named by its
    fingerprint, for the reader to compare.

    Raises:
        EvidenceMalformedError: not an evidence file.
    """
    evidence = Evidence.from_zip(data)
    checks = verify_evidence(
        evidence,
        trust=hub.registry.current(),
        at=hub.clock(),
        roots=hub.log.roots_of(evidence.authority),
    )
    rows = declared_rows(t, checks)
    if any(row["css"] == "fail" for row in rows):
        return {"check_items": rows}
    records = [json.loads(step.entry.record) for step in evidence.steps]
    try:
        facts = _facts(t, hub, evidence, records[-1])
        steps = [_step(t, record) for record in records]
    except (LookupError, TypeError, ValueError) as error:  # signed, and of no version known here
        raise EvidenceMalformedError(f"unreadable: {type(error).__name__}") from None
    return {
        "check_items": rows,
        "facts": facts,
        "steps": steps,
        # Signed then; whether it still stands today is asked of the funder's status lists now.
        "standing": None
        if evidence.award is None
        else check_rows(t, hub.verifying.public(evidence.award)),
    }


def _facts(
    t: Translator, hub: HubContext, evidence: Evidence, last: Mapping[str, Any]
) -> list[tuple[str, str]]:
    funder = str(last["funder"])
    entry = hub.registry.entry(funder)
    since, until = (t.day(date.fromisoformat(day), "long") for day in last["period"])
    facts = [
        (t("Décision"), _state(t, last)),
        (t("Demande"), evidence.application.rpartition(":")[2][:8]),
        (t("Aide"), _aid(t, hub, str(last["aid"]))),
        (t("Financeur"), funder if entry is None else entry.name),
        (t("Période"), t("du {since} au {until}", since=since, until=until)),
    ]
    if last["amountCents"] is not None and last["state"] not in ("refused", "withdrawn"):
        facts.append((t("Montant"), t.amount(last["amountCents"])))
    return facts


def _aid(t: Translator, hub: HubContext, identifier: str) -> str:
    try:
        return text_of(t, hub.publishing.aid(identifier).titles)
    except UnknownAidError:  # of another hub, or no longer published
        return identifier


def _state(t: Translator, record: Mapping[str, Any]) -> str:
    label, _ = STATES.get(str(record["state"]), (str(record["state"]), ""))
    return t(label)


def _step(t: Translator, record: Mapping[str, Any]) -> dict[str, str]:
    return {
        "state": _state(t, record),
        "when": t.moment(str(record["at"])),
        "actor": actor_name(t, str(record["actor"])),
        "reason": str(record["reason"] or ""),
    }
