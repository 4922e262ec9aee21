"""A receipt's text: what each field probably is, and how sure that is.

No template by company: labels in French and English, the formats of amounts and dates, sums that
confirm each other. Confidence is a rule, not a statistic: 0.95 a label names it and nothing
contradicts, 0.6 a lone candidate without a label, 0.4 a choice among several; below
`draft.ASKED_BELOW` the person is asked.
"""

# ruff: noqa: E501 - a list of labels stands whole on one line

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from connectors.invoices.draft import Draft, Guess, is_siret

__all__ = ["read_text"]

MAX_LINES: Final = 400
MAX_LINE: Final = 300

_SPACE = "[  \u2009]"
AMOUNT = re.compile(
    rf"(?P<before>€{_SPACE}?|EUR{_SPACE}?)?"
    rf"(?<![\d,.])(?P<whole>\d{{1,3}}(?:{_SPACE}\d{{3}})+|\d{{1,6}})[,.](?P<cents>\d{{2}})(?![\d,.]\d|\d)"
    rf"(?P<after>{_SPACE}?(?:€|EUR\b|euros?\b))?(?P<percent>{_SPACE}?%)?"
)
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            ("janvier", "january", "janv", "jan"),
            ("février", "fevrier", "february", "févr", "feb"),
            ("mars", "march", "mar"),
            ("avril", "april", "avr", "apr"),
            ("mai", "may"),
            ("juin", "june", "jun"),
            ("juillet", "july", "juil", "jul"),
            ("août", "aout", "august", "aug"),
            ("septembre", "september", "sept", "sep"),
            ("octobre", "october", "oct"),
            ("novembre", "november", "nov"),
            ("décembre", "decembre", "december", "déc", "dec"),
        ),
        start=1,
    )
    for name in names
}
_WORDS = "|".join(sorted(map(re.escape, _MONTHS), key=len, reverse=True))
DATE = re.compile(
    r"(?<!\d)(?:(?P<y1>20\d{2})-(?P<m1>\d{2})-(?P<d1>\d{2})"
    r"|(?P<d2>\d{1,2})[/.\-](?P<m2>\d{1,2})[/.\-](?P<y2>20\d{2})"
    rf"|(?P<d3>\d{{1,2}})(?:er|st|nd|rd|th)?\s+(?P<m3>{_WORDS})\.?,?\s+(?P<y3>20\d{{2}})"
    rf"|(?P<m4>{_WORDS})\.?\s+(?P<d4>\d{{1,2}})(?:st|nd|rd|th)?,\s+(?P<y4>20\d{{2}}))(?!\d)",
    re.IGNORECASE,
)
TOTAL: Final = re.compile(
    r"net à payer|total t\.?t\.?c|montant t\.?t\.?c|total (?:à payer|payé|réglé)"
    r"|montant (?:total|payé|réglé|à payer|débité)|prix (?:total|payé)|somme (?:payée|réglée)"
    r"|amount (?:paid|due)|total (?:paid|amount|due)|grand total|vous avez payé",
    re.IGNORECASE,
)
NET = re.compile(r"(?:total|montant|sous-total)?\s*(?:h\.?t\.?|hors taxes?)\b|subtotal|excl", re.I)
TAX = re.compile(r"\bt\.?v\.?a\.?\b|\bvat\b", re.I)
LABELS: Final = {
    "payer": r"payeur(?:·se|\(se\))?|payé par|facturé à|règlement de|client(?:e)?|billed to|paid by|customer",
    "holder": r"titulaire(?: du (?:passe|forfait|titre))?|porteur|abonné(?:·e|\(e\))?|voyageur(?:·se)?|passager(?:·e)?|bénéficiaire|usager|card ?holder|holder|passenger|rider|traveller",
    "product": r"abonnement|forfait|produit|titre(?: de transport)?|formule|prestation|product|plan|pass type",
    "issuer": r"émetteur|vendeur|société|transporteur|opérateur|seller|operator|issued by",
    "number": r"(?:n°|no\.?|numéro|réf(?:érence)?\.?)\s*(?:de\s+)?(?:la\s+|votre\s+)?(?:facture|reçu|commande|dossier|transaction)"
    r"|(?:facture|reçu(?: de paiement)?|commande|dossier|référence|invoice|receipt|order|booking)(?:\s+(?:number|reference|ref))?\s*(?:n°|no\.?|#)?",
}  # fmt: skip
INSIDE = re.compile(
    r"\s+(?=(?:"
    + "|".join(found for name, found in LABELS.items() if name != "number")
    + r")\s*[:：])|\s+(?=valable du\b|valid from\b)",
    re.IGNORECASE,
)
"""Where another label begins on the same line: columns side by side."""
DAY = re.compile(
    r"date d['’]achat|date de (?:la )?(?:facture|commande|paiement|vente|l['’]opération)|émise? le"
    r"|fait(?:e)? le|payée? le|achetée? le|établie? le|invoice date|date of (?:issue|purchase)|issued on"
    r"|paid on|purchase date|^date\b",
    re.IGNORECASE,
)  # fmt: skip
PERIOD = re.compile(r"\bdu\b|\bvalid|période|\bfrom\b|\bperiod\b|\bà partir du\b", re.IGNORECASE)
FORM = re.compile(r"\b(?:SAS|SASU|SARL|SCIC|SCOP|EPIC|SEM|SPL|SA|GIE|Ltd|GmbH|Inc)\b")
NUMBER = re.compile(r"[A-Z0-9][A-Z0-9/_\-.]{2,40}", re.IGNORECASE)


def read_text(text: str, *, today: date, sender: str = "", sent_on: date | None = None) -> Draft:
    """The fields of a receipt. `sender` and `sent_on` are a mail's, where there is one."""
    lines = [
        part
        for line in text.splitlines()[: 2 * MAX_LINES]
        if (found := " ".join(line.split())[:MAX_LINE])
        for part in INSIDE.split(found)
    ]
    lines = lines[:MAX_LINES]
    guesses = (
        ("total", _total(lines)),
        ("day", _day(lines, today, sent_on)),
        ("siret", _siret(lines)),
        ("issuer", _issuer(lines, sender)),
        ("number", _labelled(lines, "number")),
        ("payer", _labelled(lines, "payer")),
        ("holder", _labelled(lines, "holder")),
        ("product", _labelled(lines, "product")),
    )
    fields = {name: guess for name, guess in guesses if guess is not None} | _period(lines)
    return Draft(format="receipt", fields=fields, extra={"invoiceFormat": "receipt"})


# amounts


def _amounts(line: str) -> list[int]:
    """Amounts with cents, in cents; percentages are none."""
    found = []
    for match in AMOUNT.finditer(line):
        if match["percent"]:
            continue
        whole = re.sub(r"\D", "", match["whole"])
        found.append(int(whole) * 100 + int(match["cents"]))
    return found


def _total(lines: Sequence[str]) -> Guess | None:
    named = list(_after(lines, TOTAL))
    net, tax = list(_after(lines, NET)), list(_after(lines, TAX))
    everything = Counter(amount for line in lines for amount in _amounts(line))
    if named:
        best, count = Counter(named).most_common(1)[0]
        if any(n + t == best for n in net for t in tax):
            return Guess(str(best), 0.98)  # net and tax add up to it
        if len(set(named)) == 1:
            larger = max(everything) if everything else best
            return Guess(str(best), 0.95 if best >= larger else 0.6)
        return Guess(str(max(named)), 0.5 if count == 1 else 0.6)
    bare = [a for line in lines if re.match(r"(?i)total\b", line) for a in _amounts(line)]
    if bare and len(set(bare)) == 1 and bare[0] == max(everything):
        return Guess(str(bare[0]), 0.8)
    if len(everything) == 1:
        return Guess(str(next(iter(everything))), 0.6)
    return Guess(str(max(everything)), 0.4) if everything else None


def _after(lines: Sequence[str], label: re.Pattern[str]) -> Iterator[int]:
    """The last amount on a line that the label is on, or the only one of the next line."""
    for place, line in enumerate(lines):
        match = label.search(line)
        if match is None:
            continue
        found = _amounts(line[match.end() :])
        if not found and place + 1 < len(lines):
            following = _amounts(lines[place + 1])
            found = following if len(following) == 1 else []
        if found:
            yield found[-1]


# days


def _dates(line: str) -> list[date]:
    found = []
    for match in DATE.finditer(line):
        parts = match.groupdict()
        for form in "1234":
            if parts[f"y{form}"]:
                month = parts[f"m{form}"]
                number = _MONTHS.get(month.casefold()) or (int(month) if month.isdigit() else 0)
                try:
                    found.append(date(int(parts[f"y{form}"]), number, int(parts[f"d{form}"])))
                except ValueError:
                    continue
    return found


def _day(lines: Sequence[str], today: date, sent_on: date | None) -> Guess | None:
    named = []
    for place, line in enumerate(lines):
        match = DAY.search(line)
        if match is None:
            continue
        found = _dates(line[match.start() :])
        if not found and place + 1 < len(lines):
            found = _dates(lines[place + 1])
        named += found[:1]
    past = [day for day in named if day <= today]
    if past:
        return Guess(past[0].isoformat(), 0.95 if len(set(past)) == 1 else 0.85)
    if sent_on is not None and sent_on <= today:
        return Guess(sent_on.isoformat(), 0.85)  # receipts are mailed on the day
    every = [d for line in lines if not PERIOD.search(line) for d in _dates(line) if d <= today]
    if not every:
        return None
    return Guess(every[0].isoformat(), 0.6 if len(set(every)) == 1 else 0.4)


def _period(lines: Sequence[str]) -> dict[str, Guess]:
    for place, line in enumerate(lines):
        if not PERIOD.search(line):
            continue
        found = _dates(line)
        if len(found) == 1 and place + 1 < len(lines):
            found += _dates(lines[place + 1])[:1]
        if len(found) == 2 and found[0] < found[1] and (found[1] - found[0]).days <= 400:
            return {
                "valid_from": Guess(found[0].isoformat(), 0.9),
                "valid_until": Guess(found[1].isoformat(), 0.9),
            }
    return {}


# names


def _siret(lines: Sequence[str]) -> Guess | None:
    found = []
    for line in lines:
        for match in re.finditer(r"(?<!\d)(?:\d[  .]?){13}\d(?!\d)", line):
            digits = re.sub(r"\D", "", match[0])
            if is_siret(digits):
                found.append((digits, "siret" in line.casefold()))
    if not found:
        return None
    named = [digits for digits, is_named in found if is_named] or [d for d, _ in found]
    return Guess(named[0], 0.98 if len(set(named)) == 1 else 0.6)


def _issuer(lines: Sequence[str], sender: str) -> Guess | None:
    named = _labelled(lines, "issuer")
    if named is not None and named.confidence >= 0.9:
        return named
    if sender:
        return Guess(sender[:200], 0.85)
    for line in lines:
        if FORM.search(line) and not re.search(r"\d{5}", line[:20]):
            name = re.split(r"\s[–—|•·-]\s|,|\bau capital\b|\bSIRET\b|\bRCS\b", line)[0].strip()
            if len(FORM.sub("", name).strip(" .")) >= 2 and len(name) <= 80:
                return Guess(name, 0.8)
    first = next((line for line in lines if re.search(r"[A-Za-zÀ-ÿ]{3}", line)), None)
    return None if first is None else Guess(first[:80], 0.5)


def _labelled(lines: Sequence[str], name: str) -> Guess | None:
    """What follows a label and its colon, on the line or the next; labels inside prose do not
    count."""
    label = re.compile(rf"(?i)^(?:{LABELS[name]})\s*(?P<colon>[:：]|n°|#)?\s*(?P<value>.*)$")
    found: list[tuple[str, float]] = []
    for place, line in enumerate(lines):
        match = label.match(line)
        if match is None:
            continue
        value, has_colon = match["value"].strip(" :"), bool(match["colon"])
        if not value and place + 1 < len(lines):
            following = lines[place + 1]
            value = "" if ":" in following else following
        value = _clean(value, name)
        if not value:
            continue
        found.append((value, 0.9 if has_colon or name == "number" else 0.7))
    if not found:
        return None
    best = max(found, key=lambda item: item[1])
    others = {value for value, sure in found if sure == best[1]}
    return Guess(best[0], best[1] if len(others) == 1 else 0.6)


def _clean(value: str, name: str) -> str:
    if name == "number":
        match = NUMBER.search(value)
        return match[0] if match and any(c.isdigit() for c in match[0]) else ""
    value = AMOUNT.split(value)[0] if AMOUNT.search(value) else value
    value = re.split(r"\s{3,}|\s\|\s", value)[0].strip(" :-–")
    if name in {"payer", "holder"}:
        value = re.sub(r"(?i)^(?:m\.|mme|monsieur|madame|mr\.?|ms\.?|mrs\.?)\s+", "", value)
        if any(c.isdigit() for c in value) or len(value.split()) > 6:
            return ""
    return value[:120] if len(value) >= 2 else ""
