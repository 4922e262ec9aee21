"""Electronic invoices (EN 16931): Cross Industry Invoice (Factur-X) and UBL 2.1, sums recomputed.

Schema and schematron of common tools accept an invoice whose total was changed; here every sum is
computed again. Rules by their names in EN 16931-1:2017: BR-CO-10 to BR-CO-17, the sum of each VAT
category (BR-S-08 and its sisters), two decimals (BR-DEC), and for lines and allowances the
calculations of BT-131 and BT-136/BT-92. Tolerances are the standard's: none between totals, under
one unit of currency for VAT (rounding by line), two cents for a line.

Steps: (1) bytes within bounds, no document type, (2) which syntax, (3) amounts read as decimals,
(4) the rules, all of them, (5) the draft.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from connectors.errors import HostileInputError, InvoiceSumError
from connectors.invoices.draft import Draft, Guess, Line, is_siret

__all__ = ["is_invoice_xml", "read_xml"]

MAX_XML: Final = 2_000_000
MAX_ELEMENTS: Final = 50_000
MAX_DEPTH: Final = 40
CENT: Final = Decimal("0.01")
LINE_TOLERANCE: Final = Decimal("0.02")
CREDIT_NOTES: Final = frozenset({"381", "396", "261", "262", "296", "308", "420", "458", "532"})
"""UNTDID 1001: amounts are positive, and owed to the buyer."""

_RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
_CII = "{urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100}CrossIndustryInvoice"
_CBC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2}"
_CAC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2}"
_UBL = {
    "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice": "Invoice",
    "{urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2}CreditNote": "CreditNote",
}

Rate = tuple[str, Decimal]
"""VAT category code and rate."""


@dataclass(frozen=True, slots=True)
class _Change:
    """An allowance (negative effect) or a charge."""

    is_charge: bool
    amount: Decimal
    base: Decimal | None = None
    percent: Decimal | None = None
    rate: Rate | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _LineItem:
    label: str
    net: Decimal
    quantity: Decimal | None
    price: Decimal | None
    base: Decimal
    changes: tuple[_Change, ...]
    rate: Rate | None
    gross: Decimal | None = None  # BT-148
    discount: Decimal = Decimal(0)  # BT-147


@dataclass(frozen=True, slots=True)
class _Vat:
    taxable: Decimal
    tax: Decimal
    rate: Rate


@dataclass(slots=True)
class _Sums:
    """Amounts of an invoice by their business term; None: not said."""

    lines: list[_LineItem] = field(default_factory=list)
    changes: list[_Change] = field(default_factory=list)
    vat: list[_Vat] = field(default_factory=list)
    line_total: Decimal | None = None  # BT-106
    allowances: Decimal | None = None  # BT-107
    charges: Decimal | None = None  # BT-108
    net: Decimal | None = None  # BT-109
    tax: Decimal | None = None  # BT-110
    gross: Decimal | None = None  # BT-112
    prepaid: Decimal | None = None  # BT-113
    rounding: Decimal | None = None  # BT-114
    due: Decimal | None = None  # BT-115


@dataclass(slots=True)
class _Facts:
    number: str = ""
    issued: str = ""
    kind: str = "380"
    currency: str = "EUR"
    seller: str = ""
    seller_ids: list[str] = field(default_factory=list)
    buyer: str = ""
    deliver_to: str = ""
    since: str = ""
    until: str = ""


def is_invoice_xml(head: bytes) -> bool:
    """Whether a file that begins so may be one."""
    start = head[:4_000].lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith(b"<") and (
        b"CrossIndustryInvoice" in start
        or b"specification:ubl:schema:xsd:Invoice-2" in start
        or b"specification:ubl:schema:xsd:CreditNote-2" in start
    )


def read_xml(data: bytes) -> Draft:
    """The invoice, after its sums were checked.

    Raises:
        HostileInputError: not XML, out of bounds, or an amount or a day that is none.
        InvoiceSumError: sums that do not hold, with every rule broken.
    """
    root = _root(data)  # 1
    if root.tag == _CII:  # 2
        facts, sums = _cii(root)
        form = "cii"
    elif root.tag in _UBL:
        facts, sums = _ubl(root, _UBL[root.tag])
        form = "ubl"
    else:
        raise HostileInputError("no invoice of EN 16931")
    broken = sorted(set(_broken(sums)))  # 4
    if broken:
        raise InvoiceSumError(broken)
    return _draft(form, facts, sums)  # 5


def _root(data: bytes) -> Element:
    if len(data) > MAX_XML:
        raise HostileInputError(f"over {MAX_XML} bytes")
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise HostileInputError("not XML that is read") from None
    count, level = 0, [root]
    for _ in range(MAX_DEPTH):
        count += len(level)
        level = [child for element in level for child in element]
        if not level or count > MAX_ELEMENTS:
            break
    if level or count > MAX_ELEMENTS:
        raise HostileInputError("too many or too deep elements")
    return root


# amounts


def _number(text: str | None, where: str) -> Decimal:
    try:
        found = Decimal((text or "").strip())
    except InvalidOperation:
        raise HostileInputError("not an amount", where=where) from None
    if not found.is_finite() or abs(found) > 10**12 or len((text or "").strip()) > 30:
        raise HostileInputError("not an amount", where=where)
    return found


def _amount(parent: Element | None, path: str) -> Decimal | None:
    found = None if parent is None else parent.find(path)
    return None if found is None else _number(found.text, _local(path))


def _local(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "", path)


def _text(parent: Element | None, path: str) -> str:
    found = None if parent is None else parent.find(path)
    return "" if found is None or found.text is None else " ".join(found.text.split())[:300]


def _day(text: str, where: str) -> str:
    """`20260131` (format 102) or `2026-01-31`, as `2026-01-31`."""
    plain = text.replace("-", "")[:8]
    try:
        return date(int(plain[:4]), int(plain[4:6]), int(plain[6:8])).isoformat()
    except ValueError:
        raise HostileInputError("not a day", where=where) from None


# Cross Industry Invoice


def _ram(*names: str) -> str:
    return "/".join(_RAM + name for name in names)


def _cii(root: Element) -> tuple[_Facts, _Sums]:
    head = root.find("./{*}ExchangedDocument")
    deal = root.find("./{*}SupplyChainTradeTransaction")
    if head is None or deal is None:
        raise HostileInputError("no invoice of EN 16931")
    agreed = deal.find(_ram("ApplicableHeaderTradeAgreement"))
    settled = deal.find(_ram("ApplicableHeaderTradeSettlement"))
    currency = _text(settled, _ram("InvoiceCurrencyCode")) or "EUR"
    issued = _text(head, _ram("IssueDateTime") + "/{*}DateTimeString")
    seller = None if agreed is None else agreed.find(_ram("SellerTradeParty"))
    facts = _Facts(
        number=_text(head, _ram("ID")),
        issued=_day(issued, "IssueDateTime"),
        kind=_text(head, _ram("TypeCode")) or "380",
        currency=currency,
        seller=_text(seller, _ram("Name")),
        buyer=_text(agreed, _ram("BuyerTradeParty", "Name")),
        deliver_to=_text(deal, _ram("ApplicableHeaderTradeDelivery", "ShipToTradeParty", "Name")),
    )
    if seller is not None:
        facts.seller_ids = [
            _text(found, ".")
            for path in (_ram("ID"), _ram("GlobalID"), _ram("SpecifiedLegalOrganization", "ID"))
            for found in seller.findall(path)
        ]
    facts.since, facts.until = _cii_period(settled)
    sums = _Sums(
        lines=[_cii_line(line) for line in deal.findall(_ram("IncludedSupplyChainTradeLineItem"))]
    )
    if settled is None:
        return facts, sums
    sums.changes = [
        _cii_change(found) for found in settled.findall(_ram("SpecifiedTradeAllowanceCharge"))
    ]
    for found in settled.findall(_ram("ApplicableTradeTax")):
        tax = _amount(found, _ram("CalculatedAmount"))
        taxable = _amount(found, _ram("BasisAmount"))
        rate = _cii_rate(found)
        if tax is not None and taxable is not None and rate is not None:
            sums.vat.append(_Vat(taxable, tax, rate))
    total = settled.find(_ram("SpecifiedTradeSettlementHeaderMonetarySummation"))
    sums.line_total = _amount(total, _ram("LineTotalAmount"))
    sums.allowances = _amount(total, _ram("AllowanceTotalAmount"))
    sums.charges = _amount(total, _ram("ChargeTotalAmount"))
    sums.net = _amount(total, _ram("TaxBasisTotalAmount"))
    sums.gross = _amount(total, _ram("GrandTotalAmount"))
    sums.prepaid = _amount(total, _ram("TotalPrepaidAmount"))
    sums.rounding = _amount(total, _ram("RoundingAmount"))
    sums.due = _amount(total, _ram("DuePayableAmount"))
    for found in [] if total is None else total.findall(_ram("TaxTotalAmount")):
        if found.get("currencyID", currency) == currency:  # the other is BT-111
            sums.tax = _number(found.text, "TaxTotalAmount")
    return facts, sums


def _cii_period(parent: Element | None) -> tuple[str, str]:
    start = _text(parent, _ram("BillingSpecifiedPeriod", "StartDateTime") + "/{*}DateTimeString")
    end = _text(parent, _ram("BillingSpecifiedPeriod", "EndDateTime") + "/{*}DateTimeString")
    return (
        _day(start, "StartDateTime") if start else "",
        _day(end, "EndDateTime") if end else "",
    )


def _cii_rate(parent: Element | None) -> Rate | None:
    category = _text(parent, _ram("CategoryCode"))
    if not category:
        return None
    return category, _amount(parent, _ram("RateApplicablePercent")) or Decimal(0)


def _cii_change(found: Element) -> _Change:
    return _Change(
        is_charge=_text(found, _ram("ChargeIndicator") + "/{*}Indicator").lower() == "true",
        amount=_amount(found, _ram("ActualAmount")) or Decimal(0),
        base=_amount(found, _ram("BasisAmount")),
        percent=_amount(found, _ram("CalculationPercent")),
        rate=_cii_rate(found.find(_ram("CategoryTradeTax"))),
        reason=_text(found, _ram("Reason")),
    )


def _cii_line(line: Element) -> _LineItem:
    settled = line.find(_ram("SpecifiedLineTradeSettlement"))
    price = line.find(_ram("SpecifiedLineTradeAgreement", "NetPriceProductTradePrice"))
    gross = line.find(_ram("SpecifiedLineTradeAgreement", "GrossPriceProductTradePrice"))
    net = _amount(
        settled,
        _ram("SpecifiedTradeSettlementLineMonetarySummation", "LineTotalAmount"),
    )
    if net is None:
        raise HostileInputError("a line without amount", where="LineTotalAmount")
    changes = () if settled is None else settled.findall(_ram("SpecifiedTradeAllowanceCharge"))
    return _LineItem(
        label=_text(line, _ram("SpecifiedTradeProduct", "Name")),
        net=net,
        quantity=_amount(line, _ram("SpecifiedLineTradeDelivery", "BilledQuantity")),
        price=_amount(price, _ram("ChargeAmount")),
        base=_amount(price, _ram("BasisQuantity")) or Decimal(1),
        changes=tuple(_cii_change(found) for found in changes),
        rate=_cii_rate(None if settled is None else settled.find(_ram("ApplicableTradeTax"))),
        gross=_amount(gross, _ram("ChargeAmount")),
        discount=_amount(gross, _ram("AppliedTradeAllowanceCharge", "ActualAmount")) or Decimal(0),
    )


# UBL


def _cac(*names: str) -> str:
    return "/".join(_CAC + name for name in names)


def _ubl(root: Element, name: str) -> tuple[_Facts, _Sums]:
    is_credit = name == "CreditNote"
    currency = _text(root, f"{_CBC}DocumentCurrencyCode") or "EUR"
    seller = root.find(_cac("AccountingSupplierParty", "Party"))
    buyer = root.find(_cac("AccountingCustomerParty", "Party"))
    facts = _Facts(
        number=_text(root, f"{_CBC}ID"),
        issued=_day(_text(root, f"{_CBC}IssueDate"), "IssueDate"),
        kind=_text(root, f"{_CBC}{name}TypeCode") or ("381" if is_credit else "380"),
        currency=currency,
        seller=_ubl_name(seller),
        buyer=_ubl_name(buyer),
        deliver_to=_text(root, _cac("Delivery", "DeliveryParty", "PartyName") + f"/{_CBC}Name"),
    )
    if seller is not None:
        facts.seller_ids = [
            _text(found, ".")
            for path in (
                f"{_CAC}PartyIdentification/{_CBC}ID",
                f"{_CAC}PartyLegalEntity/{_CBC}CompanyID",
                f"{_CBC}EndpointID",
            )
            for found in seller.findall(path)
        ]
    start = _text(root, f"{_CAC}InvoicePeriod/{_CBC}StartDate")
    end = _text(root, f"{_CAC}InvoicePeriod/{_CBC}EndDate")
    facts.since = _day(start, "StartDate") if start else ""
    facts.until = _day(end, "EndDate") if end else ""
    sums = _Sums(
        lines=[
            _ubl_line(line, "CreditedQuantity" if is_credit else "InvoicedQuantity")
            for line in root.findall(f"{_CAC}{name}Line")
        ],
        changes=[_ubl_change(found) for found in root.findall(f"{_CAC}AllowanceCharge")],
    )
    for total in root.findall(f"{_CAC}TaxTotal"):
        amount = total.find(f"{_CBC}TaxAmount")
        if amount is None or amount.get("currencyID", currency) != currency:
            continue  # BT-111
        sums.tax = _number(amount.text, "TaxAmount")
        for found in total.findall(f"{_CAC}TaxSubtotal"):
            taxable = _amount(found, f"{_CBC}TaxableAmount")
            tax = _amount(found, f"{_CBC}TaxAmount")
            rate = _ubl_rate(found.find(f"{_CAC}TaxCategory"))
            if taxable is not None and tax is not None and rate is not None:
                sums.vat.append(_Vat(taxable, tax, rate))
    monetary = root.find(f"{_CAC}LegalMonetaryTotal")
    sums.line_total = _amount(monetary, f"{_CBC}LineExtensionAmount")
    sums.allowances = _amount(monetary, f"{_CBC}AllowanceTotalAmount")
    sums.charges = _amount(monetary, f"{_CBC}ChargeTotalAmount")
    sums.net = _amount(monetary, f"{_CBC}TaxExclusiveAmount")
    sums.gross = _amount(monetary, f"{_CBC}TaxInclusiveAmount")
    sums.prepaid = _amount(monetary, f"{_CBC}PrepaidAmount")
    sums.rounding = _amount(monetary, f"{_CBC}PayableRoundingAmount")
    sums.due = _amount(monetary, f"{_CBC}PayableAmount")
    return facts, sums


def _ubl_name(party: Element | None) -> str:
    return _text(party, f"{_CAC}PartyLegalEntity/{_CBC}RegistrationName") or _text(
        party, f"{_CAC}PartyName/{_CBC}Name"
    )


def _ubl_rate(category: Element | None) -> Rate | None:
    code = _text(category, f"{_CBC}ID")
    return (code, _amount(category, f"{_CBC}Percent") or Decimal(0)) if code else None


def _ubl_change(found: Element) -> _Change:
    return _Change(
        is_charge=_text(found, f"{_CBC}ChargeIndicator").lower() == "true",
        amount=_amount(found, f"{_CBC}Amount") or Decimal(0),
        base=_amount(found, f"{_CBC}BaseAmount"),
        percent=_amount(found, f"{_CBC}MultiplierFactorNumeric"),
        rate=_ubl_rate(found.find(f"{_CAC}TaxCategory")),
        reason=_text(found, f"{_CBC}AllowanceChargeReason"),
    )


def _ubl_line(line: Element, quantity: str) -> _LineItem:
    price = line.find(f"{_CAC}Price")
    net = _amount(line, f"{_CBC}LineExtensionAmount")
    if net is None:
        raise HostileInputError("a line without amount", where="LineExtensionAmount")
    return _LineItem(
        label=_text(line, f"{_CAC}Item/{_CBC}Name"),
        net=net,
        quantity=_amount(line, f"{_CBC}{quantity}"),
        price=_amount(price, f"{_CBC}PriceAmount"),
        base=_amount(price, f"{_CBC}BaseQuantity") or Decimal(1),
        changes=tuple(_ubl_change(found) for found in line.findall(f"{_CAC}AllowanceCharge")),
        rate=_ubl_rate(line.find(f"{_CAC}Item/{_CAC}ClassifiedTaxCategory")),
        gross=_amount(price, f"{_CAC}AllowanceCharge/{_CBC}BaseAmount"),
        discount=_amount(price, f"{_CAC}AllowanceCharge/{_CBC}Amount") or Decimal(0),
    )


# the rules


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(CENT, rounding=ROUND_HALF_UP)


def _signed(changes: Iterator[_Change] | list[_Change] | tuple[_Change, ...]) -> Decimal:
    return sum((c.amount if c.is_charge else -c.amount for c in changes), Decimal(0))


def _broken(sums: _Sums) -> Iterator[str]:
    """Names of the rules that do not hold."""
    zero = Decimal(0)
    if sums.gross is None or sums.net is None:
        yield "BR-14" if sums.gross is None else "BR-13"
        return
    for value in (sums.line_total, sums.allowances, sums.charges, sums.net, sums.tax, sums.gross,
                  sums.prepaid, sums.rounding, sums.due, *(line.net for line in sums.lines),
                  *(c.amount for c in sums.changes), *(v.tax for v in sums.vat),
                  *(v.taxable for v in sums.vat)):  # fmt: skip
        if value is not None and value != _rounded(value):
            yield "BR-DEC"
    if sums.lines:
        if sums.line_total != sum((line.net for line in sums.lines), zero):
            yield "BR-CO-10"
        for line in sums.lines:
            yield from _line_broken(line)
    lowered = sum((c.amount for c in sums.changes if not c.is_charge), zero)
    raised = sum((c.amount for c in sums.changes if c.is_charge), zero)
    if (sums.allowances or zero) != lowered:
        yield "BR-CO-11"
    if (sums.charges or zero) != raised:
        yield "BR-CO-12"
    yield from (rule for change in sums.changes for rule in _change_broken(change))
    if sums.line_total is not None:
        expected = sums.line_total - (sums.allowances or zero) + (sums.charges or zero)
        if sums.net != expected:
            yield "BR-CO-13"
    if sums.vat and (sums.tax or zero) != sum((v.tax for v in sums.vat), zero):
        yield "BR-CO-14"
    if sums.gross != sums.net + (sums.tax or zero):
        yield "BR-CO-15"
    if sums.due is None:
        yield "BR-15"
    elif sums.due != sums.gross - (sums.prepaid or zero) + (sums.rounding or zero):
        yield "BR-CO-16"
    for vat in sums.vat:
        if abs(vat.tax - _rounded(vat.taxable * vat.rate[1] / 100)) >= 1:
            yield "BR-CO-17"
    if sums.lines and sums.vat:
        yield from _categories_broken(sums)


def _line_broken(line: _LineItem) -> Iterator[str]:
    """BT-131: quantity × net price / base quantity, with the line's charges and allowances; BT-146:
    the net price is the gross one less its discount."""
    yield from (rule for change in line.changes for rule in _change_broken(change))
    if line.quantity is None or line.price is None or line.base == 0:
        yield "BR-26"
        return
    if line.gross is not None and line.gross - line.discount != line.price:
        yield "BT-146"
    expected = _rounded(line.quantity * line.price / line.base) + _signed(line.changes)
    if abs(expected - line.net) > LINE_TOLERANCE:
        yield "BT-131"


def _change_broken(change: _Change) -> Iterator[str]:
    """An amount that says it is a share of another must be it."""
    if change.base is None or change.percent is None:
        return
    if abs(change.amount - _rounded(change.base * change.percent / 100)) > LINE_TOLERANCE:
        yield "BT-92"


def _categories_broken(sums: _Sums) -> Iterator[str]:
    """BR-S-08 and its sisters: each VAT category's base is what was billed in it."""
    billed: dict[Rate, Decimal] = defaultdict(Decimal)
    for line in sums.lines:
        if line.rate is not None:
            billed[line.rate] += line.net
    for change in sums.changes:
        if change.rate is not None:
            billed[change.rate] += change.amount if change.is_charge else -change.amount
    told: dict[Rate, Decimal] = defaultdict(Decimal)
    for vat in sums.vat:
        told[vat.rate] += vat.taxable
    for rate in billed.keys() | told.keys():
        if abs(billed[rate] - told[rate]) >= 1:
            yield "BR-S-08"


# the draft


def _draft(form: str, facts: _Facts, sums: _Sums) -> Draft:
    sign = -1 if facts.kind in CREDIT_NOTES or (form == "ubl" and facts.kind == "381") else 1
    fields = {
        "issuer": facts.seller,
        "siret": next(
            (i for found in facts.seller_ids if is_siret(i := found.replace(" ", ""))), ""
        ),
        "number": facts.number,
        "day": facts.issued,
        "total": str(sign * _cents(sums.gross or Decimal(0))),
        "payer": facts.buyer,
        "holder": facts.deliver_to,
        "valid_from": facts.since,
        "valid_until": facts.until,
        "product": sums.lines[0].label if len(sums.lines) == 1 else "",
    }
    if not (fields["valid_from"] and fields["valid_until"]):
        fields["valid_from"] = fields["valid_until"] = fields["product"] = ""
    return Draft(
        format=form,
        fields={name: Guess(value) for name, value in fields.items() if value},
        lines=tuple(_lines(sums, sign)),
        currency=facts.currency,
        extra={"invoiceFormat": form},
    )


def _cents(amount: Decimal) -> int:
    return int(_rounded(amount) * 100)


def _lines(sums: _Sums, sign: int) -> Iterator[Line]:
    """Net lines, then what lies between them and the total: they add up to it."""
    for line in sums.lines:
        cents = _cents(line.net)
        whole = line.quantity
        if whole is not None and whole == whole.to_integral_value() and 0 < whole <= 1_000:
            each, rest = divmod(cents, int(whole))
            if not rest:
                yield Line(line.label, int(whole), sign * each)
                continue
        yield Line(line.label, 1, sign * cents)
    for change in sums.changes:
        amount = _cents(change.amount) * (1 if change.is_charge else -1)
        yield Line(change.reason or ("+" if change.is_charge else "-"), 1, sign * amount)
    if sums.tax:
        yield Line("TVA", 1, sign * _cents(sums.tax))
