"""Which invoice a file is, and what it says."""

import re
from dataclasses import replace
from datetime import date

from connectors.errors import HostileInputError, PushInvalidError, UnknownFormatError
from connectors.invoices.draft import Draft, Guess
from connectors.invoices.en16931 import is_invoice_xml, read_xml
from connectors.invoices.mail import is_mail, read_mail
from connectors.invoices.mob import read_metadata
from connectors.invoices.ocpi import is_cdr, read_cdrs
from connectors.invoices.pdf import opened_pdf
from connectors.invoices.receipts import read_text
from connectors.parsing import load_json

__all__ = ["MAX_FILE", "read_invoices"]

MAX_FILE = 10_000_000
FORMATS = ("PDF", "Factur-X", "UBL", "CII", "moB", "OCPI", "EML")


def read_invoices(data: bytes, *, today: date) -> tuple[Draft, ...]:
    """The invoices of a PDF (Factur-X or a receipt), an XML invoice, a mail, moB's metadata or a
    charging operator's CDRs.

    Raises:
        UnknownFormatError, HostileInputError; InvoiceSumError: sums that do not hold;
        PushInvalidError: moB's metadata or CDRs with every place that is wrong.
    """
    if not data or len(data) > MAX_FILE:
        raise HostileInputError(f"a file of 1 to {MAX_FILE} bytes")
    if data.startswith(b"%PDF-"):
        return (_pdf(data, today=today),)
    if is_invoice_xml(data):
        return (read_xml(data),)
    if data[:200].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["}:
        document = load_json(data, max_bytes=MAX_FILE, max_depth=12)
        if is_cdr(document):
            return read_cdrs(document)
        inside = document.get("attachmentMetadata") if isinstance(document, dict) else None
        if inside is None and not (isinstance(document, dict) and "invoices" in document):
            raise UnknownFormatError(FORMATS)
        return read_metadata(inside if inside is not None else document)
    if is_mail(data):
        return _mail(data, today=today)
    raise UnknownFormatError(FORMATS)


def _pdf(data: bytes, *, today: date, sender: str = "", sent_on: date | None = None) -> Draft:
    opened = opened_pdf(data)
    for contents in opened.attachments.values():
        if is_invoice_xml(contents):
            return _agreed(read_xml(contents), opened.text)
    return read_text(opened.text, today=today, sender=sender, sent_on=sent_on)


def _agreed(draft: Draft, text: str) -> Draft:
    """A hybrid invoice says its total twice: where its page does not show what its XML says, the
    total is asked."""
    total = int(draft.fields["total"].value)
    shown = re.sub(r"[  \u2009]", "", text)
    whole, cents = divmod(abs(total), 100)
    if re.search(rf"(?<!\d){whole}[,.]{cents:02d}(?!\d)", shown) or not text.strip():
        return draft
    fields = {**draft.fields, "total": Guess(str(total), 0.3)}
    return replace(draft, fields=fields, notes=(*draft.notes, "page-differs"))


def _mail(data: bytes, *, today: date) -> tuple[Draft, ...]:
    """A structured invoice first, then PDFs, then the words of the mail itself."""
    mail = read_mail(data)
    found: list[Draft] = []
    refused: Exception | None = None
    for _name, contents in mail.files:
        try:
            if contents.startswith(b"%PDF-"):
                found.append(_pdf(contents, today=today, sender=mail.sender, sent_on=mail.sent_on))
            elif is_invoice_xml(contents):
                found.append(read_xml(contents))
        except (HostileInputError, PushInvalidError) as error:
            refused = error
    structured = [draft for draft in found if draft.format != "receipt"]
    if structured or found:
        return tuple(structured or found)
    if refused is not None and not mail.text.strip():
        raise refused
    return (read_text(mail.text, today=today, sender=mail.sender, sent_on=mail.sent_on),)
