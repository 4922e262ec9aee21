"""Invoices: sums that hold or are refused by rule, moB's traps, receipts read with their doubts."""

# ruff: noqa: E501 - an invoice, and tables of cases, stand as they are written

import json
import re
from collections.abc import Callable
from datetime import date
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import (
    ConnectorError,
    HostileInputError,
    InvoiceSumError,
    PushInvalidError,
    UnknownFormatError,
)
from connectors.invoices.draft import Draft, is_siret, records_of
from connectors.invoices.en16931 import read_xml
from connectors.invoices.files import read_invoices
from connectors.invoices.mob import read_metadata
from connectors.invoices.receipts import read_text
from schemas.records import Invoice, Subscription
from tests.unit.connectors.diaries import shared
from tests.unit.connectors.receipts import LAYOUTS, receipt

TODAY = date(2026, 11, 22)


def documents() -> Path:
    return shared("documents")


def values(draft: Draft) -> dict[str, str]:
    return {name: guess.value for name, guess in draft.fields.items()}


# EN 16931: a small invoice of our own, in both syntaxes

CII = """<?xml version="1.0" encoding="UTF-8"?>
<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
 xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
 xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100">
<rsm:ExchangedDocument><ram:ID>A-77</ram:ID><ram:TypeCode>{kind}</ram:TypeCode><ram:IssueDateTime>
<udt:DateTimeString format="102">20261031</udt:DateTimeString></ram:IssueDateTime></rsm:ExchangedDocument>
<rsm:SupplyChainTradeTransaction>
<ram:IncludedSupplyChainTradeLineItem>
<ram:SpecifiedTradeProduct><ram:Name>Forfait mensuel</ram:Name></ram:SpecifiedTradeProduct>
<ram:SpecifiedLineTradeAgreement><ram:NetPriceProductTradePrice><ram:ChargeAmount>20.00</ram:ChargeAmount>
</ram:NetPriceProductTradePrice></ram:SpecifiedLineTradeAgreement>
<ram:SpecifiedLineTradeDelivery><ram:BilledQuantity unitCode="C62">2</ram:BilledQuantity></ram:SpecifiedLineTradeDelivery>
<ram:SpecifiedLineTradeSettlement><ram:ApplicableTradeTax><ram:CategoryCode>S</ram:CategoryCode>
<ram:RateApplicablePercent>10.00</ram:RateApplicablePercent></ram:ApplicableTradeTax>
<ram:SpecifiedTradeSettlementLineMonetarySummation><ram:LineTotalAmount>40.00</ram:LineTotalAmount>
</ram:SpecifiedTradeSettlementLineMonetarySummation></ram:SpecifiedLineTradeSettlement>
</ram:IncludedSupplyChainTradeLineItem>
<ram:ApplicableHeaderTradeAgreement><ram:SellerTradeParty><ram:ID>73282932000074</ram:ID><ram:Name>Réseau Bleu</ram:Name></ram:SellerTradeParty>
<ram:BuyerTradeParty><ram:Name>Marc Lefèvre</ram:Name></ram:BuyerTradeParty></ram:ApplicableHeaderTradeAgreement>
<ram:ApplicableHeaderTradeDelivery><ram:ShipToTradeParty><ram:Name>Zoé Lefèvre</ram:Name></ram:ShipToTradeParty></ram:ApplicableHeaderTradeDelivery>
<ram:ApplicableHeaderTradeSettlement><ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode>
<ram:ApplicableTradeTax><ram:CalculatedAmount>3.50</ram:CalculatedAmount><ram:BasisAmount>35.00</ram:BasisAmount>
<ram:CategoryCode>S</ram:CategoryCode><ram:RateApplicablePercent>10.00</ram:RateApplicablePercent></ram:ApplicableTradeTax>
<ram:BillingSpecifiedPeriod><ram:StartDateTime><udt:DateTimeString format="102">20261001</udt:DateTimeString></ram:StartDateTime>
<ram:EndDateTime><udt:DateTimeString format="102">20261031</udt:DateTimeString></ram:EndDateTime></ram:BillingSpecifiedPeriod>
<ram:SpecifiedTradeAllowanceCharge><ram:ChargeIndicator><udt:Indicator>false</udt:Indicator></ram:ChargeIndicator>
<ram:ActualAmount>5.00</ram:ActualAmount><ram:Reason>Tarif jeune</ram:Reason><ram:CategoryTradeTax><ram:CategoryCode>S</ram:CategoryCode>
<ram:RateApplicablePercent>10.00</ram:RateApplicablePercent></ram:CategoryTradeTax></ram:SpecifiedTradeAllowanceCharge>
<ram:SpecifiedTradeSettlementHeaderMonetarySummation><ram:LineTotalAmount>40.00</ram:LineTotalAmount>
<ram:AllowanceTotalAmount>5.00</ram:AllowanceTotalAmount><ram:TaxBasisTotalAmount>35.00</ram:TaxBasisTotalAmount>
<ram:TaxTotalAmount currencyID="EUR">3.50</ram:TaxTotalAmount><ram:GrandTotalAmount>38.50</ram:GrandTotalAmount>
<ram:TotalPrepaidAmount>38.50</ram:TotalPrepaidAmount><ram:DuePayableAmount>0.00</ram:DuePayableAmount>
</ram:SpecifiedTradeSettlementHeaderMonetarySummation></ram:ApplicableHeaderTradeSettlement>
</rsm:SupplyChainTradeTransaction></rsm:CrossIndustryInvoice>"""


def cii(kind: str = "380") -> bytes:
    return CII.replace("{kind}", kind).encode()


def test_an_invoice_becomes_a_bill_and_the_pass_it_pays_payer_and_holder_apart() -> None:
    draft = read_xml(cii())
    assert draft.asked() == ()
    assert sum(line.quantity * line.unit_amount for line in draft.lines) == 3850
    bill, ticket = records_of(values(draft), lines=draft.lines)
    assert isinstance(bill, Invoice)
    assert isinstance(ticket, Subscription)
    assert (bill.total, bill.payer, bill.holder) == (3850, "Marc Lefèvre", "Zoé Lefèvre")
    assert [line.label for line in bill.lines] == ["Forfait mensuel", "Tarif jeune", "TVA"]
    assert (ticket.holder, ticket.payer) == ("Zoé Lefèvre", "Marc Lefèvre")
    assert (ticket.valid_from, ticket.valid_until) == (date(2026, 10, 1), date(2026, 10, 31))
    assert ticket.invoice == bill.id
    assert values(read_xml(cii("381")))["total"] == "-3850", "a credit note is owed to the buyer"


AMOUNT = re.compile(
    rb"<(?:ram|cbc):(?:ChargeAmount|LineTotalAmount|AllowanceTotalAmount|ActualAmount|TaxBasisTotalAmount"
    rb"|TaxTotalAmount|GrandTotalAmount|TotalPrepaidAmount|DuePayableAmount|BasisAmount|CalculatedAmount"
    rb"|LineExtensionAmount|TaxExclusiveAmount|TaxInclusiveAmount|ChargeTotalAmount|PrepaidAmount"
    rb"|PayableAmount|TaxableAmount|TaxAmount|PriceAmount|Amount)(?: [^>]*)?>(-?[0-9.]+)<"
)  # fmt: skip


def tampered(data: bytes) -> list[tuple[str, bytes]]:
    """Each amount of the file changed, one at a time, by nine hundred."""
    found = []
    for match in AMOUNT.finditer(data):
        changed = f"{float(match[1]) + 900:.2f}".encode()
        name = match[0].split(b">", 1)[0].decode()
        found.append((name, data[: match.start(1)] + changed + data[match.end(1) :]))
    return found


def refused(data: bytes) -> bool:
    try:
        read_xml(data)
    except InvoiceSumError as error:
        assert error.rules
        return True
    return False


def test_any_amount_that_was_changed_is_refused() -> None:
    every = tampered(cii())
    assert len(every) >= 12
    passed = [name for name, data in every if not refused(data)]
    assert passed == []


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["factur-x-en16931.xml", "ubl-21-en16931.xml"])
def test_real_samples_hold_and_do_not_when_an_amount_was_changed(name: str) -> None:
    data = (documents() / name).read_bytes()
    assert read_xml(data).asked() == ()
    passed = [where for where, changed in tampered(data) if not refused(changed)]
    assert passed == []


@pytest.mark.shared_data
def test_the_change_that_common_tools_accept_is_refused_by_name() -> None:
    data = (documents() / "factur-x-en16931.xml").read_bytes()
    assert data.count(b"104.90") >= 1
    with pytest.raises(InvoiceSumError) as caught:
        read_xml(data.replace(b">104.90<", b">999.90<"))
    assert {"BR-CO-15"} <= set(caught.value.rules)
    pdf = read_invoices((documents() / "invoice_EN16931.pdf").read_bytes(), today=TODAY)[0]
    assert (pdf.format, values(pdf)["total"], pdf.notes) == ("cii", "10490", ())


def test_a_page_that_shows_another_total_than_its_xml_is_asked() -> None:
    from connectors.invoices.files import _agreed

    draft = read_xml(cii())
    assert _agreed(draft, "Total : 38,50 €").asked() == ()
    doubted = _agreed(draft, "Total : 12,00 €")
    assert (doubted.asked(), doubted.notes) == (("total",), ("page-differs",))


@pytest.mark.parametrize(
    "data",
    [
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        cii().replace(b">38.50<", b">NaN<"),
        cii().replace(b">38.50<", b">1e400<"),
        cii().replace(b">20261031<", b">20261331<", 1),
        b"<Invoice" + b" a='b'" * 10,
        b"<a>" * 50_000,
        b"",
    ],
)
def test_a_hostile_invoice_is_refused_by_type(data: bytes) -> None:
    with pytest.raises(HostileInputError):
        read_xml(data)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_is_cut_or_changed_ends_in_our_errors(data: st.DataObject) -> None:
    raw = bytearray(cii())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    for read in (read_xml, lambda d: read_invoices(d, today=TODAY)):
        try:
            read(bytes(raw))
        except ConnectorError:
            continue


# moB


def mob() -> dict[str, Any]:
    return {
        "invoices": [
            {
                "enterprise": {"enterpriseName": "IDF Mobilités", "siretNumber": "73282932000074"},
                "customer": {
                    "customerId": "1",
                    "customerName": "NABLI",
                    "customerSurname": "Samy",
                    "customerAddress": {"zipCode": 1000, "city": "Bourg", "street": "1 rue"},
                },
                "transaction": {
                    "orderId": "30723",
                    "purchaseDate": "2021-03-03T14:54:18+01:00",
                    "amountInclTaxes": 15040,
                },
                "products": [
                    {
                        "productName": "Forfait Navigo Mois",
                        "quantity": 2,
                        "amountInclTaxes": 7520,
                        "amountExclTaxes": 7520,
                        "percentTaxes": 10,
                        "productDetails": {
                            "zoneMin": 1,
                            "zoneMax": 5,
                            "validityStart": "2021-03-01T00:00:00+01:00",
                            "validityEnd": "2021-03-31T00:00:00+01:00",
                        },
                    }
                ],
            }
        ],
        "totalElements": 1,
    }


def test_mobs_traps_are_known() -> None:
    (draft,) = read_metadata(mob())
    found = values(draft)
    assert found["total"] == "15040", "whole cents, and a product's amount is per unit"
    assert found["payer"] == "Samy NABLI", "customerSurname is the first name"
    assert "holder" not in found, "who pays need not be who travels"
    assert (found["valid_from"], found["valid_until"]) == ("2021-03-01", "2021-03-31")
    assert draft.notes == ("net-equals-gross",)
    (line,) = draft.lines
    assert (line.quantity, line.unit_amount) == (2, 7520)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda m: m.update(totalElements=2), "/totalElements"),
        (lambda m: m["invoices"][0]["transaction"].update(amountInclTaxes=75.2), "/invoices/0/transaction/amountInclTaxes"),
        (lambda m: m["invoices"][0]["products"][0].update(quantity=0), "/invoices/0/products/0/quantity"),
        (lambda m: m["invoices"][0]["customer"].pop("customerSurname"), "/invoices/0/customer/customerSurname"),
        (lambda m: m["invoices"][0]["transaction"].update(purchaseDate="2021-03-03T10:00:00"), "/invoices/0/transaction/purchaseDate"),
        (lambda m: m["invoices"][0].pop("enterprise"), "/invoices/0/enterprise"),
        (lambda m: m.update(invoices=[]), "/invoices"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_mobs_shape_is_named_by_place(
    change: Callable[[dict[str, Any]], object], where: str
) -> None:
    document = mob()
    change(document)
    with pytest.raises(PushInvalidError) as caught:
        read_metadata(document)
    assert [fault.pointer for fault in caught.value.faults] == [where]


def test_products_that_do_not_add_up_are_refused() -> None:
    document = mob()
    document["invoices"][0]["products"][0]["quantity"] = 1
    with pytest.raises(InvoiceSumError):
        read_metadata(document)


@pytest.mark.shared_data
def test_the_published_example_is_read_but_for_what_is_false_in_it() -> None:
    document = json.loads((shared("mob") / "mob_idfm_invoice.json").read_text())
    (draft,) = read_metadata(document)
    assert values(draft)["total"] == "7520"
    assert draft.notes == ("net-equals-gross", "siret-invalid")
    assert "siret" not in draft.fields


# receipts

READ: dict[str, dict[str, str]] = {
    "network": {
        "issuer": "Réseau Bleu Mobilités", "siret": "73282932000074", "number": "RB-2026-004512",
        "day": "2026-09-28", "total": "3840", "payer": "Marc Lefèvre", "holder": "Zoé Lefèvre",
        "product": "Mensuel Jeune toutes zones", "valid_from": "2026-10-01",
        "valid_until": "2026-10-31",
    },
    "train": {"issuer": "Rail Express", "number": "QX7T4P", "day": "2026-11-03", "total": "1850"},
    "carshare": {
        "issuer": "Autopart’ SCIC", "number": "2026-10-0077", "day": "2026-10-31",
        "total": "5410", "payer": "Ana Durand",
    },
    "charge": {
        "issuer": "VoltPark Ltd", "number": "VP/88213", "day": "2026-10-12", "total": "1170",
        "payer": "Ana Durand",
    },
    "bare": {},
}  # fmt: skip
"""What is sure enough to be shown filled in."""


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_receipt_is_read_and_what_is_not_sure_is_asked(name: str) -> None:
    (draft,) = read_invoices(receipt(name), today=TODAY)
    asked = set(draft.asked())
    sure = {field: value for field, value in values(draft).items() if field not in asked}
    assert sure == READ[name]
    if name == "train":
        assert asked == {"holder"}, "a label without a colon is not sure"
    if name == "bare":
        assert asked == {"issuer", "day", "total"}, "nothing of it is sure"


@pytest.mark.parametrize(
    ("text", "total", "is_asked"),
    [
        ("Total TTC 12,00 €", "1200", False),
        ("Total TTC\n12,00 €", "1200", False),
        ("Total HT 10,00 €\nTVA 20 % 2,00 €\nTotal TTC 12,00 €", "1200", False),
        ("Total TTC 12,00 €\nMontant payé 9,00 €", "1200", True),  # which of both?
        ("Total TTC 12,00 €\nSolde 1 250,00 €", "1200", True),  # something larger is there
        ("12,00 €\n15,00 €", "1500", True),
        ("TVA 20,00 %", None, True),
        ("Montant total : 1 234,56 €", "123456", False),
        ("Grand total EUR 7.50", "750", False),
    ],
)
def test_a_total_is_only_sure_when_nothing_contradicts_it(
    text: str, total: str | None, is_asked: bool
) -> None:
    draft = read_text(text, today=TODAY)
    found = draft.fields.get("total")
    assert (found.value if found else None) == total
    assert ("total" in draft.asked()) == is_asked


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Date : 03/11/2026", "2026-11-03"),
        ("Payé le 1er août 2026", "2026-08-01"),
        ("Invoice date: October 12, 2026", "2026-10-12"),
        ("Issued on 2026-10-12", "2026-10-12"),
    ],
)
def test_days_are_read_as_they_are_written(text: str, day: str) -> None:
    found = read_text(text, today=TODAY).fields["day"]
    assert (found.value, found.confidence >= 0.8) == (day, True)


def test_a_day_that_has_not_come_is_no_purchase() -> None:
    assert "day" not in read_text("Date : 24/12/2026\nTotal TTC 3,00 €", today=TODAY).fields


def mail(**parts: Any) -> bytes:
    message = EmailMessage()
    message["From"] = "Réseau Bleu <recus@reseau-bleu.example>"
    message["Date"] = "Mon, 28 Sep 2026 23:30:00 +0000"
    message["Subject"] = "Votre reçu n° RB-1"
    message.set_content(parts.get("text", "Bonjour"))
    if "html" in parts:
        message.add_alternative(parts["html"], subtype="html")
    if "pdf" in parts:
        message.add_attachment(
            parts["pdf"], maintype="application", subtype="pdf", filename="recu.pdf"
        )
    if "xml" in parts:
        message.add_attachment(parts["xml"], maintype="text", subtype="xml", filename="facture.xml")
    return message.as_bytes()


def test_a_mails_attachment_comes_before_its_words_and_a_structured_one_before_all() -> None:
    markup = "<html><head><style>x{}</style></head><body><p>Titulaire : Zoé Lefèvre</p><table><tr><td>Total TTC</td><td>9,90&nbsp;€</td></tr></table></body></html>"
    (words,) = read_invoices(mail(html=markup), today=TODAY)
    found = values(words)
    assert (found["total"], found["holder"], found["issuer"]) == (
        "990",
        "Zoé Lefèvre",
        "Réseau Bleu",
    )
    assert found["day"] == "2026-09-29", "the day where the mail was read, not in UTC"
    (paper,) = read_invoices(mail(html=markup, pdf=receipt("carshare")), today=TODAY)
    assert values(paper)["total"] == "5410"
    (structured,) = read_invoices(mail(pdf=receipt("carshare"), xml=cii()), today=TODAY)
    assert (structured.format, values(structured)["total"]) == ("cii", "3850")


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\n%%EOF", b"%PDF-1.4 " + b"1 0 obj<</Length 9999999999>>stream" * 50,
        b"From: a\n" * 5_000, b"{}", b"hello", b"\x00" * 64, b"",
        b"From: x@y\nContent-Type: multipart/mixed; boundary=a\n\n" + b"--a\n\nz\n" * 200,
    ],
)  # fmt: skip
def test_what_is_no_invoice_is_refused_or_asked(data: bytes) -> None:
    try:
        drafts = read_invoices(data, today=TODAY)
    except (HostileInputError, UnknownFormatError):
        return
    assert all({"total", "day"} & set(draft.asked()) for draft in drafts)


def test_sirets_are_checked() -> None:
    assert is_siret("73282932000074")
    assert not is_siret("36252187900034"), "moB's example"
    assert is_siret("35600000000048"), "La Poste"
    assert not is_siret("٧٣٢٨٢٩٣٢٠٠٠٠٧٤")


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"day": ""}, "day"),
        ({"day": "1870-01-01"}, "day"),
        ({"total": "12,50"}, "total"),
        ({"total": "99999999999"}, "total"),
        ({"siret": "1"}, "siret"),
        ({"valid_from": "2026-02-01", "valid_until": "2026-01-01"}, "valid_until"),
    ],
)
def test_a_field_that_cannot_be_is_named(given: dict[str, str], where: str) -> None:
    with pytest.raises(HostileInputError) as caught:
        records_of({"issuer": "X", "day": "2026-01-01", "total": "100"} | given)
    assert caught.value.where == where
