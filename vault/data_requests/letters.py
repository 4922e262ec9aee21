"""The words of a request and of a complaint, in French and English.

Legal texts, kept whole on their lines as they are read. GDPR: article 15 (access, copy, source,
recipients), 20 (portability: structured, commonly used, machine-readable), 12(3) to 12(6) (term,
free of charge, identity), 77 (complaint).
"""

# ruff: noqa: E501 - a sentence of a letter stands whole on one line

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import quote

from schemas.records import DataRequest
from vault.data_requests.clock import Standing, State

__all__ = ["LANGUAGES", "Letter", "complaint_letter", "mail_address", "request_letter"]

LANGUAGES: Final = ("fr", "en")
MAX_MAIL: Final = 6_000
"""Characters of a `mailto:` address: some mail programs cut longer ones without a word."""
CNIL: Final = (
    "CNIL – Service des plaintes",
    "3 place de Fontenoy – TSA 80715",
    "75334 Paris Cedex 07",
)
MONTHS: Final[Mapping[str, tuple[str, ...]]] = {
    "fr": ("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter, to print, to copy or to mail."""

    language: str
    sender: tuple[str, ...]
    recipient: tuple[str, ...]
    dated: str
    subject: str
    paragraphs: tuple[str, ...]
    """A paragraph that begins with « – » is a point of a list."""
    signature: str

    @property
    def text(self) -> str:
        """The letter as plain text."""
        head = ["\n".join(self.sender), "\n".join(self.recipient), self.dated, self.subject]
        body = ""
        for paragraph in self.paragraphs:
            body += ("\n" if paragraph.startswith("– ") else "\n\n") + paragraph
        return "\n\n".join(part for part in head if part) + body + f"\n\n{self.signature}\n"

    @property
    def body(self) -> str:
        """What a mail says: without the addresses."""
        text = ""
        for paragraph in self.paragraphs:
            text += ("\n" if paragraph.startswith("– ") else "\n\n") + paragraph
        return text.strip() + f"\n\n{self.signature}\n"


def day_text(day: date, language: str) -> str:
    """A date in words."""
    month = MONTHS[language][day.month - 1]
    first = "1er" if language == "fr" and day.day == 1 else str(day.day)
    return f"{first} {month} {day.year}"


def _sender(request: DataRequest) -> tuple[str, ...]:
    return (request.requester, *((request.reply_to or "").splitlines()))


def _recipient(request: DataRequest) -> tuple[str, ...]:
    lines = (request.postal_address or "").splitlines()
    return (request.company, *lines, *([request.email] if request.email else []))


def request_letter(request: DataRequest, *, language: str | None = None) -> Letter:
    """The request for access (art. 15) and portability (art. 20)."""
    language = language or request.language
    dated = request.sent_on or request.written_at.date()
    fr = language == "fr"
    known = request.known_as
    if fr:
        paragraphs = [
            "Madame, Monsieur,",
            "Sur le fondement des articles 15 et 20 du règlement (UE) 2016/679 (RGPD), je vous demande de me communiquer les données à caractère personnel me concernant que vous traitez.",
            f"Vous me connaissez sous : {known}."
            if known
            else "Vous me connaissez sous le nom et les coordonnées ci-dessus.",
            "Au titre du droit d'accès (article 15), je vous demande :",
            "– si vous traitez des données me concernant, et une copie de toutes, y compris celles que vous avez observées ou déduites : trajets, horaires, lieux, positions, modes de transport, réservations, achats, abonnements, factures, échanges et profils ;",
            "– les finalités, les catégories de données, la durée de conservation, la source des données que vous n'avez pas recueillies auprès de moi ;",
            "– l'identité des destinataires, y compris hors de l'Union européenne et avec quelles garanties ;",
            "– l'existence d'une décision automatisée ou d'un profilage, et sa logique.",
            "Au titre du droit à la portabilité (article 20), je vous demande les données que je vous ai fournies, y compris celles issues de mon utilisation du service, dans un format structuré, couramment utilisé et lisible par machine (CSV, JSON, GPX ou GeoJSON), avec l'explication de chaque colonne, les unités et le fuseau horaire.",
            "Vous avez un mois à compter de la réception de cette demande pour y répondre, sans frais (article 12, paragraphes 3 et 5). Si vous avez besoin de plus de temps, vous devez me le dire avec vos raisons dans ce même délai. Si vous doutez raisonnablement de mon identité, dites-moi quelle information vous manque (article 12, paragraphe 6) ; ne demandez pas plus que nécessaire.",
            "Sans réponse dans ce délai, je saisirai la Commission nationale de l'informatique et des libertés (article 77).",
        ]
        return Letter(
            "fr", _sender(request), _recipient(request), f"Le {day_text(dated, 'fr')}",
            "Objet : demande d'accès à mes données et de portabilité (RGPD, articles 15 et 20)",
            tuple(paragraphs), request.requester,
        )  # fmt: skip
    paragraphs = [
        "Dear Sir or Madam,",
        "Under articles 15 and 20 of Regulation (EU) 2016/679 (GDPR), I ask you for the personal data concerning me that you process.",
        f"You know me as: {known}." if known else "You know me by the name and address above.",
        "Under the right of access (article 15), please tell me or send me:",
        "– whether you process data concerning me, and a copy of all of it, including what you observed or inferred: trips, times, places, positions, modes of transport, bookings, purchases, passes, invoices, messages and profiles;",
        "– the purposes, the categories of data, how long they are kept, and the source of data that you did not collect from me;",
        "– who received them, including outside the European Union, and under which safeguards;",
        "– whether there is automated decision-making or profiling, and its logic.",
        "Under the right to data portability (article 20), please send me the data I provided, including those from my use of the service, in a structured, commonly used and machine-readable format (CSV, JSON, GPX or GeoJSON), with the meaning of each column, its unit and the time zone.",
        "You have one month from receipt of this request to answer, free of charge (article 12(3) and (5)). If you need more time, you must tell me so, with reasons, within that month. If you have reasonable doubts about my identity, tell me which information is missing (article 12(6)) and ask for no more than necessary.",
        "Without an answer within that time I will lodge a complaint with the French supervisory authority, the CNIL (article 77).",
    ]
    return Letter(
        "en", _sender(request), _recipient(request), day_text(dated, "en"),
        "Subject: access to my data and portability (GDPR, articles 15 and 20)",
        tuple(paragraphs), request.requester,
    )  # fmt: skip


def complaint_letter(request: DataRequest, at: Standing, *, on: date) -> Letter:
    """The draft of a complaint to the CNIL, in French: its service asks for it in French."""
    sent = day_text(request.sent_on, "fr") if request.sent_on else ""
    due = day_text(at.due_on, "fr") if at.due_on else ""
    facts = [
        f"Le {sent}, {request.company} a reçu ma demande d'accès à mes données et de portabilité (RGPD, articles 15 et 20), jointe à ce courrier.",
    ]
    if at.is_extended and request.extended_on is not None:
        facts.append(
            f"Le {day_text(request.extended_on, 'fr')}, l'organisme a annoncé une prolongation de deux mois (article 12, paragraphe 3)."
        )
    if at.is_late_extension and request.extended_on is not None:
        facts.append(
            f"L'organisme n'a annoncé une prolongation que le {day_text(request.extended_on, 'fr')}, après la fin du délai d'un mois : elle ne l'a pas prolongé."
        )
    match at.state:
        case State.REFUSED if request.refused_on is not None:
            facts.append(
                f"Le {day_text(request.refused_on, 'fr')}, l'organisme a refusé d'y donner suite ; sa réponse est jointe."
            )
        case _ if request.answered_on is not None:
            facts.append(
                f"Il m'a répondu le {day_text(request.answered_on, 'fr')}, mais sa réponse est incomplète : [précisez ce qui manque]."
            )
        case _:
            facts.append(
                f"Le délai de réponse a pris fin le {due}. À la date de ce courrier, je n'ai reçu aucune réponse."
            )
    return Letter(
        language="fr",
        sender=_sender(request),
        recipient=CNIL,
        dated=f"Le {day_text(on, 'fr')}",
        subject=f"Objet : plainte contre {request.company} – droit d'accès et à la portabilité (RGPD, article 77)",
        paragraphs=(
            "Madame, Monsieur,",
            *facts,
            "L'organisme contre lequel je dépose plainte :",
            *(f"– {line}" for line in _recipient(request)),
            "Je vous demande de faire respecter mes droits d'accès (article 15) et à la portabilité (article 20), et l'article 12 du RGPD, et de me tenir informé(e) de l'état d'avancement et de l'issue de cette plainte (article 77, paragraphe 2).",
            "Pièces jointes :",
            "– ma demande et la preuve de sa réception ;",
            "– les réponses de l'organisme, s'il y en a.",
        ),
        signature=request.requester,
    )


def mail_address(request: DataRequest, letter: Letter) -> str | None:
    """A `mailto:` address that opens the citizen's mail program with the letter; None without an
    email of the company, or where the letter is too long for one."""
    if request.email is None:
        return None
    subject = letter.subject.split(":", 1)[1].strip()
    found = f"mailto:{quote(request.email, safe='@')}?subject={quote(subject)}&body={quote(letter.body)}"
    return found if len(found) <= MAX_MAIL else None
