"""A letter of the citizen's own as a PDF to print and sign: PDF/UA-1 by typst."""

from datetime import datetime
from typing import Any

from portal.pdf import compile_pdf
from vault.data_requests.letters import Letter

__all__ = ["render_plain_letter"]


def render_plain_letter(letter: Letter, *, at: datetime) -> bytes:
    """The letter as PDF bytes (about 40 kB).

    Raises:
        AttestationError: the writer gave no document.
    """
    parts: list[dict[str, Any]] = []
    for paragraph in letter.paragraphs:
        is_point = paragraph.startswith("– ")
        text = paragraph.removeprefix("– ")
        if is_point and parts and parts[-1]["list"]:
            parts[-1]["lines"].append(text)
        else:
            parts.append({"list": is_point, "lines": [text]})
    data = {
        "lang": letter.language,
        "sender": list(letter.sender),
        "recipient": list(letter.recipient),
        "dated": letter.dated,
        "subject": letter.subject,
        "parts": parts,
        "signature": letter.signature,
    }
    return compile_pdf("plain_letter.typ", data, at)
