"""What a funder writes: the decision letter, the liquidation statement. PDF/UA-1 by typst.

The same letter is made at the desk and in the citizen's vault, from what both were told: state,
amount, reasons, remedies, time limits, and the mention of CRPA L. 311-3-1 where the rule decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from portal.i18n import Translator
from portal.pdf import compile_pdf

__all__ = ["Letter", "Statement", "StatementLine", "render_letter", "render_statement"]


@dataclass(frozen=True, slots=True)
class Letter:
    """A decision, in the words of the language of its reader."""

    funder: str
    service: str
    contact: str
    aid: str
    reference: str
    employee: str
    accepted: bool
    amount: int | None
    """Cents."""
    period: tuple[date, date]
    decided_at: datetime
    decided_by: str
    """Name; empty when the rule decided."""
    reasons: Sequence[str]
    legal: Sequence[str]
    calculation: Sequence[str]
    remedies: str
    mention: str
    sandbox: bool


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of a liquidation statement."""

    number: int
    employee: str
    aid: str
    rule: str
    period: tuple[date, date]
    days: int | None
    amount: int
    decided: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A liquidation statement (« état liquidatif ») for a public accountant."""

    funder: str
    siret: str
    number: int
    made_at: datetime
    made_by: str
    lines: Sequence[StatementLine]
    legal: Sequence[str]
    sandbox: bool


def _banner(t: Translator, sandbox: bool) -> str | None:
    return t("Bac à sable : personnes, opérateurs et financeurs fictifs") if sandbox else None


def render_letter(letter: Letter, t: Translator) -> bytes:
    """The decision as PDF bytes.

    Raises:
        AttestationError: the writer gave no document.
    """
    title = t("Votre demande est acceptée") if letter.accepted else t("Votre demande est refusée")
    decided = t.moment(letter.decided_at)
    facts = [
        [t("Aide"), letter.aid],
        [t("Demande"), letter.reference],
        [
            t("Période"),
            t(
                "du {since} au {until}",
                since=t.day(letter.period[0], "long"),
                until=t.day(letter.period[1], "long"),
            ),
        ],
        [t("Décision du"), decided],
        [t("Décidée par"), letter.decided_by or t("la règle de calcul")],
    ]
    if letter.employee:
        facts.insert(2, [t("Matricule"), letter.employee])
    parts = [
        {"title": heading, "lines": list(lines)}
        for heading, lines in (
            (t("Pourquoi"), letter.reasons),
            (t("Textes appliqués"), letter.legal),
            (t("Comment c'est calculé"), letter.calculation),
            (t("Décision automatique"), [letter.mention] if letter.mention else []),
            (t("Si vous n'êtes pas d'accord"), [letter.remedies] if letter.remedies else []),
        )
        if lines
    ]
    data = {
        "lang": t.language,
        "title": title,
        "author": letter.funder,
        "description": letter.aid,
        "wide": False,
        "footer": f"{letter.funder} · {letter.reference}",
        "sandbox": _banner(t, letter.sandbox),
        "sender": [line for line in (letter.funder, letter.service, letter.contact) if line],
        "facts": facts,
        "outcome": t("Montant accordé : {amount}", amount=t.amount(letter.amount))
        if letter.accepted and letter.amount
        else None,
        "parts": parts,
        "table_title": "",
        "columns": [],
        "heads": [],
        "rows": [],
        "signature": None,
    }
    return compile_pdf("decision_letter.typ", data, letter.decided_at)


def render_statement(statement: Statement, t: Translator) -> bytes:
    """The liquidation statement as PDF bytes.

    Raises:
        AttestationError: the writer gave no document.
    """
    total = sum(line.amount for line in statement.lines)
    data = {
        "lang": t.language,
        "title": t("État liquidatif n° {n}", n=statement.number),
        "author": statement.funder,
        "description": t("Aides accordées à payer, avec la décision et la règle de chacune."),
        "wide": True,
        "footer": t("État liquidatif n° {n}", n=statement.number),
        "sandbox": _banner(t, statement.sandbox),
        "sender": [
            line
            for line in (statement.funder, statement.siret and f"SIRET {statement.siret}")
            if line
        ],
        "facts": [
            [t("Établi le"), t.moment(statement.made_at)],
            [t("Par"), statement.made_by],
            [t("Bénéficiaires"), t.number(len(statement.lines))],
            [t("Total"), t.amount(total)],
        ],
        "outcome": None,
        "parts": [{"title": t("Textes appliqués"), "lines": list(statement.legal)}]
        if statement.legal
        else [],
        "table_title": t("Détail"),
        "columns": ["auto", "1fr", "1fr", "1fr", "1fr", "auto", "auto", "1fr"],
        "heads": [
            t("N°"),
            t("Matricule"),
            t("Aide"),
            t("Règle"),
            t("Période"),
            t("Jours"),
            t("Montant"),
            t("Décision"),
        ],
        "rows": [
            [
                t.number(line.number),
                line.employee or "–",
                line.aid,
                line.rule,
                t(
                    "du {since} au {until}",
                    since=t.day(line.period[0], "long"),
                    until=t.day(line.period[1], "long"),
                ),
                "–" if line.days is None else t.number(line.days),
                t.amount(line.amount),
                line.decided,
            ]
            for line in statement.lines
        ],
        "signature": t(
            "Le présent état est arrêté à la somme de {amount}. Signature de l'ordonnateur :",
            amount=t.amount(total),
        ),
    }
    return compile_pdf("decision_letter.typ", data, statement.made_at)
