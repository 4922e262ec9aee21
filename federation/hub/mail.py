"""Mail that the hub sends: short texts, one recipient, nothing of an application but its short
reference. Written from identifiers at the moment of sending: no job holds a text or an address.
"""

from typing import Final

from federation.wire.mail import Mail, one_line

__all__ = ["LANGUAGES", "TEXTS", "bilingual", "compose"]

LANGUAGES: Final = ("fr", "en")

TEXTS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "new": {
        "fr": (
            "Une demande à examiner ({reference})",
            "Une demande attend une personne du guichet.\n\nAide : {aid}\nDemande : {link}\n",
        ),
        "en": (
            "An application to review ({reference})",
            "An application waits for somebody at the desk.\n\nAid: {aid}\nApplication: {link}\n",
        ),
    },
    "answered": {
        "fr": (
            "Une réponse est arrivée ({reference})",
            "Ce que vous aviez demandé est arrivé.\n\nAide : {aid}\nDemande : {link}\n",
        ),
        "en": (
            "An answer arrived ({reference})",
            "What you asked for has arrived.\n\nAid: {aid}\nApplication: {link}\n",
        ),
    },
    "appealed": {
        "fr": (
            "Un refus est contesté ({reference})",
            "Une personne doit relire cette demande.\n\nAide : {aid}\nDemande : {link}\n",
        ),
        "en": (
            "A refusal is contested ({reference})",
            "Somebody has to read this application again.\n\nAid: {aid}\nApplication: {link}\n",
        ),
    },
    "digest": {
        "fr": (
            "Le guichet ce matin : {count} avis",
            "Avis que personne n'a encore lus : {count}.\n\nLes voir : {link}\n",
        ),
        "en": (
            "The desk this morning: {count} notices",
            "Notices that nobody has read yet: {count}.\n\nSee them: {link}\n",
        ),
    },
    "affiliation": {
        "fr": (
            "{funder} : votre attestation d'affiliation",
            """{funder} propose de signer, pour votre coffre de mobilité, une attestation de votre
affiliation.

Ouvrez ce lien avant le {until} ; il ne sert qu'une fois, et votre matricule vous sera demandé :
{link}

Ne transférez pas ce message. Si vous n'avez pas de coffre, vous n'avez rien à faire.
""",
        ),
        "en": (
            "{funder}: your affiliation",
            """{funder} offers to sign an attestation of your affiliation for your mobility vault.

Open this link before {until}; it works once, and your employee number will be asked for:
{link}

Do not forward this message. If you have no vault, there is nothing to do.
""",
        ),
    },
}
"""Subject and text by kind and language."""
_FOOT: Final = {
    "fr": "\n-- \nMessage automatique de {hub}. Vos réglages : {settings}\n",
    "en": "\n-- \nAutomatic message of {hub}. Your settings: {settings}\n",
}


def compose(
    kind: str, language: str, *, to: str, key: str, values: dict[str, str], foot: dict[str, str]
) -> Mail:
    """A message of `TEXTS`; `foot` fills `hub` and `settings`, empty for who has none here."""
    subject, text = TEXTS[kind][language if language in LANGUAGES else "fr"]
    clean = {name: one_line(value) for name, value in values.items()}
    if foot:
        text += _FOOT[language if language in LANGUAGES else "fr"]
        clean |= {name: one_line(value) for name, value in foot.items()}
    return Mail(to, subject.format_map(clean)[:200], text.format_map(clean), key)


def bilingual(kind: str, *, to: str, key: str, values: dict[str, str]) -> Mail:
    """A message to somebody whose language nobody asked: French, then English."""
    french, english = (
        compose(kind, language, to=to, key=key, values=values, foot={}) for language in LANGUAGES
    )
    return Mail(to, french.subject, f"{french.text}\n* * *\n\n{english.text}", key)
