"""Charging sessions: OCPI CDRs of both versions, with their traps."""

import json
from datetime import date
from typing import Any

import pytest

from connectors.conformance import HOSTILE_FILES
from connectors.errors import ConnectorError, InvoiceSumError, PushInvalidError
from connectors.invoices.draft import records_of
from connectors.invoices.files import read_invoices
from schemas.records import Invoice

TODAY = date(2026, 11, 20)


def cdr(**changes: Any) -> dict[str, Any]:
    """As of OCPI 2.2.1, of a made operator."""
    made = {
        "country_code": "FR",
        "party_id": "XYZ",
        "id": "CDR-0042",
        "start_date_time": "2026-10-31T22:10:00Z",
        "end_date_time": "2026-10-31T23:40:00Z",
        "currency": "EUR",
        "cdr_location": {
            "id": "LOC1",
            "name": "Parking de la gare",
            "coordinates": {"latitude": "43.218300", "longitude": "2.351700"},
        },
        "charging_periods": [
            {
                "start_date_time": "2026-10-31T22:10:00Z",
                "dimensions": [
                    {"type": "ENERGY", "volume": 15.2},
                    {"type": "TIME", "volume": 1.0},
                ],
            },
            {
                "start_date_time": "2026-10-31T23:10:00Z",
                "dimensions": [{"type": "ENERGY", "volume": 8.2}],
            },
        ],
        "total_energy": 23.4,
        "total_time": 1.5,
        "total_energy_cost": {"excl_vat": 7.02, "incl_vat": 8.424},
        "total_fixed_cost": {"excl_vat": 0.5, "incl_vat": 0.6},
        "total_cost": {"excl_vat": 7.52, "incl_vat": 9.024},
    }
    return {**made, **changes}


def read(document: Any) -> Any:
    return read_invoices(json.dumps(document).encode(), today=TODAY)


def test_a_session_is_an_invoice_of_the_day_it_ended() -> None:
    [draft] = read(cdr())
    assert draft.asked() == ()
    values = {name: guess.value for name, guess in draft.fields.items()}
    [bill] = records_of(values, lines=draft.lines, currency=draft.currency, extra=draft.extra)
    assert isinstance(bill, Invoice)
    assert (bill.issuer_name, bill.number, bill.total) == ("FR*XYZ", "CDR-0042", 902)
    assert bill.lines[0].label == "Recharge 23,4 kWh, Parking de la gare"
    assert bill.issued_at.date() == date(2026, 11, 1), "the local day, not UTC's"
    assert bill.extra == {"ocpi:id": "CDR-0042", "ocpi:energyWh": 23_400, "ocpi:seconds": 5_400}


@pytest.mark.parametrize(
    "wrap", [lambda c: [c, c], lambda c: {"data": [c, c], "status_code": 1000}]
)
def test_lists_and_answers_hold_several(wrap: Any) -> None:
    assert len(read(wrap(cdr()))) == 2


def test_a_number_without_tax_is_asked() -> None:
    old = cdr(total_cost=7.52, stop_date_time="2026-10-31T23:40:00Z")
    del old["end_date_time"]
    [draft] = read(old)
    assert draft.asked() == ("total",)
    assert draft.notes == ("vat-unknown",)
    [draft] = read(cdr(total_cost={"excl_vat": 7.52}))
    assert draft.asked() == ("total",)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_credit_takes_back_whatever_its_sign(sign: int) -> None:
    taken = cdr(
        credit=True,
        credit_reference_id="CDR-0041",
        total_cost={"excl_vat": 7.52 * sign, "incl_vat": 9.024 * sign},
        total_energy_cost=None,
    )
    [draft] = read(taken)
    assert draft.fields["total"].value == "-902"
    assert (draft.notes, draft.extra["ocpi:creditOf"]) == (("credit",), "CDR-0041")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"total_energy": 33.4}, "ocpi-energy"),
        ({"total_cost": {"excl_vat": 70.52, "incl_vat": 90.0}}, "ocpi-cost"),
        ({"total_cost": {"excl_vat": 7.52, "incl_vat": 7.0}}, "ocpi-vat"),
    ],
)
def test_sums_that_do_not_hold_are_refused(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(InvoiceSumError) as raised:
        read(cdr(**changes))
    assert raised.value.rules == (rule,)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"id": ""}, "/id"),
        ({"id": 7}, "/id"),
        ({"start_date_time": "hier"}, "/start_date_time"),
        ({"end_date_time": "2026-10-30T00:00:00Z"}, "/end_date_time"),
        ({"end_date_time": "9999-10-30T00:00:00Z"}, "/end_date_time"),
        ({"total_cost": "beaucoup"}, "/total_cost"),
        ({"total_cost": {"excl_vat": float("inf")}}, "/total_cost/excl_vat"),
        ({"total_cost": {"excl_vat": 1e8, "incl_vat": 1e8}}, "/total_cost/excl_vat"),
        ({"total_energy": True}, "/total_energy"),
        ({"currency": None}, "/currency"),
    ],
)
def test_each_wrong_place_is_named(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(PushInvalidError) as raised:
        read(cdr(**changes))
    assert raised.value.where == where
    with pytest.raises(PushInvalidError) as raised:
        read([cdr(), cdr(**changes)])
    assert raised.value.where == f"/1{where}"


@pytest.mark.parametrize("name", sorted(HOSTILE_FILES))
def test_hostile_files_are_refused_in_words(name: str) -> None:
    with pytest.raises(ConnectorError):
        read_invoices(HOSTILE_FILES[name], today=TODAY)
