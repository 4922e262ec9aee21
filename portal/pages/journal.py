"""« Journal des accès »: who received or read what, when, why; by subject; to keep as a file."""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from federation.trust import TrustSnapshot
from portal.glossary import CODES, JOURNAL
from portal.i18n import DEFAULT_ZONE, N_, Translator
from portal.pages.deps import ContextDep, PageDep, VaultDep
from portal.pages.vault import actor_name
from portal.views import short, source_name
from vault.model import JournalEvent
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

PER_PAGE: Final = 40
_ZONE: Final = ZoneInfo(DEFAULT_ZONE)
READ_AT_ONCE: Final = 1_000
"""Entries a page opens at most, when a filter lets few through."""
KEPT_IN_FILE: Final = 50_000

SUBJECTS: Final = {
    "partages": (
        N_("Partages et accords"),
        frozenset(
            {
                "shared", "delivered", "consent-withdrawn", "withdrawal-heard",
                "withdrawal-sent-again", "attested", "paper-made", "paper-withdrawn",
                "award-received", "trace-given", "standing-given", "standing-sent",
                "standing-put-off",
                "standing-ready", "standing-skipped", "standing-ended", "standing-paused",
                "standing-resumed", "standing-withdrawn", "declined", "service-connected",
                "service-ended",
                "service-read", "service-told", "service-token-reused", "grant-given",
                "grant-revoked", "grant-ended", "exported",
                "news-waiting", "notices-by-mail", "notices-here-only",
            }
        ),
    ),
    "sources": (
        N_("Sources et relèves"),
        frozenset(
            {
                "drained", "source-token-used", "source-linked", "source-revoked", "quarantined",
                "credential-received", "credential-awaited", "credential-refused", "imported",
                "import-undone", "source-copied", "source-copies-removed",
                "account-connected", "account-read", "account-disconnected",
            }
        ),
    ),
    "ouverture": (
        N_("Ouverture et clés"),
        frozenset(
            {
                "vault-created", "vault-restored", "vault-restoring", "unlock-failed",
                "passphrase-changed", "key-added", "key-removed", "key-upgraded", "key-renamed",
                "keys-renewed", "keys-destroyed", "boxes-destroyed",
                "login-linked", "login-unlinked", "restored", "restored-from-backup",
            }
        ),
    ),
    "modifications": (
        N_("Vos modifications"),
        frozenset(
            {
                "record-put", "document-put", "deleted", "forgotten", "undone", "corrected",
                "trip-disputed", "dispute-told", "circle-joined", "circle-left",
            }
        ),
    ),
}  # fmt: skip
"""What an entry is about; one that is in none shows under « Tout »."""

DETAILS: Final = {
    "recipient": N_("à {value}"),
    "delegate": N_("à {value}"),
    "depositor": N_("de {value}"),
    "purpose": N_("pour : {value}"),
    "account": N_("compte {value}"),
    "issuer": N_("chez {value}"),
    "reason": N_("parce que : {value}"),
    "answer": N_("réponse : {value}"),
    "until": N_("jusqu'au {value}"),
    "before": N_("avant le {value}"),
}
"""Details in words. What is in no table here is for machines, and is in the file."""
COUNTS: Final = {
    "claims": (N_("{n} information"), N_("{n} informations")),
    "records": (N_("{n} enregistrement"), N_("{n} enregistrements")),
    "count": (N_("{n} élément"), N_("{n} éléments")),
    "observations": (N_("{n} observation"), N_("{n} observations")),
    "deposits": (N_("{n} dépôt"), N_("{n} dépôts")),
    "quarantined": (N_("{n} en quarantaine"), N_("{n} en quarantaine")),
    "days": (N_("{n} jour"), N_("{n} jours")),
}
KEY_KINDS: Final = {
    "passphrase": N_("phrase secrète"),
    "recovery-code": N_("code de secours"),
    "passkey": N_("clé d'accès"),
    "shares": N_("parts de secours"),
    "login-key": N_("clé de connexion"),
}
RECORDS: Final = {
    "Invoice": N_("facture"),
    "Subscription": N_("abonnement"),
    "Attribute": N_("attribut"),
    "NamedPlace": N_("lieu"),
    "Credential": N_("document signé"),
    "Document": N_("document"),
    "AidApplication": N_("demande"),
    "Award": N_("aide accordée"),
    "Consent": N_("accord"),
    "ExtensionRecord": N_("donnée d'une extension"),
    "Vehicle": N_("véhicule"),
    "Preference": N_("préférence"),
    "Goal": N_("objectif"),
    "Mandate": N_("mandat"),
    "DataRequest": N_("demande de données"),
}
"""A record of each kind, in one word."""
WHY: Final = {
    "paused": N_("en pause"),
    "no-days": N_("aucun jour à prouver"),
    "waiting-for-opening": N_("des dépôts attendent votre ouverture"),
    "withdrawn": N_("retirée"),
    "application-closed": N_("demande déjà close"),
    "hub-unreachable": N_("le hub ne répondait pas"),
    "verifier-not-accredited": N_("destinataire sorti du registre de confiance"),
    "asks-more": N_("il demandait plus que prévu"),
}


@router.get("/coffre/journal")
def journal(
    page: PageDep,
    context: ContextDep,
    vault: VaultDep,
    suite: Annotated[str, Query(max_length=20)] = "",
    sujet: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """The access journal, newest first."""
    t, trust = page.t, context.home.trust
    wanted = SUBJECTS[sujet][1] if sujet in SUBJECTS else None
    found, cursor = _some(vault, suite or None, wanted)
    return page.show(
        "journal.html",
        entries=[_entry(t, event, trust) for event in found],
        subjects=[("", t("Tout")), *((code, t(word)) for code, (word, _) in SUBJECTS.items())],
        subject=sujet if sujet in SUBJECTS else "",
        cursor=cursor,
        first=not suite,
    )


def _some(
    vault: OpenVault, cursor: str | None, wanted: frozenset[str] | None
) -> tuple[list[JournalEvent], str | None]:
    """A page of what is wanted, and the cursor of the next one."""
    found: list[JournalEvent] = []
    read = 0
    while read < READ_AT_ONCE:
        entries = vault.journal(cursor, limit=PER_PAGE)
        for place, event in enumerate(entries.events):
            if wanted is None or event.event in wanted:
                found.append(event)
                if len(found) == PER_PAGE:
                    more = entries.cursor is not None or place + 1 < len(entries.events)
                    return found, str(event.number) if more else None
        read, cursor = read + len(entries.events), entries.cursor
        if cursor is None:
            break
    return found, cursor


def _entry(t: Translator, event: JournalEvent, trust: TrustSnapshot | None) -> dict[str, Any]:
    links = [
        {"href": f"{path}/{short(str(event.detail[name]))}", "text": t(word)}
        for name, path, word in (
            ("consent", "/partages", N_("Voir l'accord")),
            ("application", "/demandes", N_("Voir la demande")),
        )
        if name in event.detail
    ]
    return {
        "number": event.number,
        "day": t.day(event.at.astimezone(_ZONE).date()) if event.event != "erased" else "–",
        "when": t.clock(event.at) if event.event != "erased" else "–",
        "act": t(JOURNAL[event.event]) if event.event in JOURNAL else event.event,
        "actor": actor_name(t, event.actor, trust),
        "details": list(_details(t, event.detail, trust)),
        "links": links,
    }


def _details(
    t: Translator, detail: Mapping[str, Any], trust: TrustSnapshot | None
) -> Iterator[str]:
    for name, value in detail.items():
        if name in COUNTS and isinstance(value, int):
            if value:
                one, many = COUNTS[name]
                yield t.n(one, many, value)
        elif name == "kind" and str(value) in KEY_KINDS:
            yield t(KEY_KINDS[str(value)])
        elif name == "kind" and str(value) in RECORDS:
            yield t(RECORDS[str(value)])
        elif name == "kinds" and isinstance(value, list):
            yield ", ".join(t(RECORDS[kind]) for kind in value if kind in RECORDS)
        elif name in DETAILS:
            yield t(DETAILS[name], value=_value(t, name, str(value), trust))


def _value(t: Translator, name: str, value: str, trust: TrustSnapshot | None) -> str:
    if value.startswith("did:"):
        return actor_name(t, value, trust)
    if name in ("until", "before"):
        return t.day(value, "long")
    if name == "account":
        return source_name(t, value)
    for words in (WHY, CODES):
        if value in words:
            return t(words[value])
    return value


@router.get("/coffre/journal/fichier")
def journal_file(vault: VaultDep) -> Response:
    """The whole journal as CSV, oldest last: numbers, moments, acts, actors, details."""
    out = io.StringIO()
    out.write("\ufeff")  # spreadsheets read UTF-8 by it
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["number", "at", "event", "actor", "detail"])
    for event in _all(vault):
        writer.writerow(
            [
                event.number,
                _instant(event.at),
                _cell(event.event),
                _cell(event.actor),
                _cell("; ".join(f"{name}={value}" for name, value in event.detail.items())),
            ]
        )
    return Response(
        out.getvalue(),
        media_type="text/csv; charset=utf-8",
        headers={
            "content-disposition": 'attachment; filename="journal.csv"',
            "cache-control": "no-store",
        },
    )


def _all(vault: OpenVault) -> Iterator[JournalEvent]:
    cursor: str | None = None
    for _ in range(KEPT_IN_FILE // 500):
        entries = vault.journal(cursor, limit=500)
        yield from entries.events
        cursor = entries.cursor
        if cursor is None:
            return


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _cell(text: str) -> str:
    """A spreadsheet runs what begins like a formula: an apostrophe keeps it text."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
