"""Delivery: lines by the standard, facts that leave the rest, hours, receipts."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.jose import sign_jws
from federation.keys import Ed25519Key, PublicKey, decode_multikey
from portal.extensions.delivery.addresses import addresses_of, facts_of, postal_lines, too_long
from portal.extensions.delivery.forms import AddressForm, hours_lines, read_hours
from portal.extensions.delivery.receipts import (
    MAX_RECEIPT,
    RECEIPT_TYP,
    ReceiptError,
    read_receipt,
)
from portal.i18n import translator
from schemas.errors import RecordError
from schemas.extensions import check
from tests.delivery import HOME, POINT, address

FR, EN = translator("fr"), translator("en")
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHOP = "did:web:boutique.example"
SIGNER = Ed25519Key.from_seed(b"s" * 32).signer(f"{SHOP}#1")
ALL = frozenset(
    [
        "addressee",
        "unit",
        "building",
        "street",
        "place",
        "lines",
        "postalCode",
        "locality",
        "country",
        "access",
        "drop",
        "relay",
        "choice",
        "hours",
        "constraints",
    ]
)
PARCEL: dict[str, Any] = {
    "merchant": "Boutique",
    "order": "CMD-1",
    "deliveredAt": "2026-11-20T10:00:00Z",
    "drop": "hand",
    "vehicle": "cargo-bike",
    "co2e": 40,
}


def key_of(method: str) -> PublicKey:
    if method != f"{SHOP}#1":
        raise KeyError(method)
    return decode_multikey(SIGNER.public_multikey())


def signed(parcel: Any = PARCEL, *, issuer: str = SHOP, typ: str = RECEIPT_TYP) -> str:
    return sign_jws({"iss": issuer, "iat": 1, "parcel": parcel}, SIGNER, typ=typ)


# --- addresses -----------------------------------------------------------------------------------


def test_an_address_is_printed_by_the_standard() -> None:
    body = {**HOME, "street": "12, quai de l'Écluse", "unit": "Appt 4", "locality": "St-Cyr (Var)"}
    assert postal_lines(body) == (
        "Camille", "Appt 4", "12 quai de l Écluse", "11800 ST CYR VAR",
    )  # fmt: skip
    assert postal_lines({**HOME, "country": "BE"})[-1] == "BE"
    free = {"form": "free", "addressee": "Zoé", "lines": ["Péniche Aurore"], "country": "FR"}
    assert postal_lines(free) == ("Zoé", "Péniche Aurore")
    assert too_long({**HOME, "street": "x" * 39}) == ["street"]


def test_the_usual_address_answers_and_only_what_is_asked() -> None:
    other = address({**HOME, "locality": "Ailleurs", "preferred": False})
    told = facts_of([other, address(), other], frozenset({"locality", "choice"}))
    assert told == {"locality": "Trèbes", "choice": "low-carbon"}
    assert facts_of([], ALL) == {}


def test_a_point_keeps_the_home_out_of_it_and_a_home_the_point() -> None:
    told = facts_of([address(POINT)], ALL)
    assert told["relay"] == "Tabac du port"
    assert not {"street", "access", "unit", "building", "place", "lines"} & set(told)
    told = facts_of([address({**POINT, "drop": "hand"})], ALL)
    assert told["street"] == HOME["street"] and "relay" not in told


def test_other_accounts_get_every_address() -> None:
    (found,) = addresses_of([address()])
    assert (found.street, found.town) == ("12 quai du Canal", "11800 Trèbes")


# --- the form ------------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [FR, EN])
@pytest.mark.parametrize("body", [HOME, POINT])
def test_a_form_says_what_it_read(t: Any, body: dict[str, Any]) -> None:
    again, errors = AddressForm.of(t, body).read(t)
    assert not errors
    assert again == body
    check(address(again))


def test_faults_are_named_by_field() -> None:
    form = AddressForm(drop="relay", postal_code="?", country="fra", hours="toujours")
    _, errors = form.read(FR)
    assert set(errors) == {
        "destinataire", "rue", "commune", "relais", "code", "pays", "creneaux",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("lundi mardi 18:00-20:00", ["Mo 18:00-20:00", "Tu 18:00-20:00"]),
        ("Sunday 9h-12h30\nmercredi 8h - 9h", ["We 08:00-09:00", "Su 09:00-12:30"]),
        ("18:00-20:00", None),
        ("lundi 20:00-18:00", None),
        ("lundi 18:00-25:00", None),
        ("lundi 18:70-19:00", None),
        ("jamais 18:00-20:00", None),
        ("lundi 18:00-20:00 mardi", None),
    ],
)
def test_hours_are_read_or_refused(text: str, found: list[str] | None) -> None:
    assert read_hours(text) == found


DAY = st.sampled_from(["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"])


@given(st.sets(st.tuples(DAY, st.integers(0, 21)), max_size=10))
def test_hours_survive_their_own_words(given_hours: set[tuple[str, int]]) -> None:
    hours = [f"{day} {hour:02}:00-{hour + 1:02}:30" for day, hour in given_hours]
    for t in (FR, EN):
        again = read_hours("\n".join(hours_lines(t, hours)))
        assert again is not None and set(again) == set(hours)


@given(st.text(max_size=200))
def test_hours_take_any_text(text: str) -> None:
    read_hours(text)


# --- receipts ------------------------------------------------------------------------------------


def test_a_signed_receipt_says_who_signed_it() -> None:
    token = signed()
    record = read_receipt(token, key_of, at=AT)
    check(record)
    assert record.body["issuer"] == SHOP and record.body["receipt"] == token
    assert record.dated == datetime(2026, 11, 20, 10, tzinfo=UTC)


def test_a_plain_receipt_cannot_claim_a_signature() -> None:
    record = read_receipt(json.dumps({**PARCEL, "issuer": SHOP, "receipt": "x"}), key_of, at=AT)
    check(record)
    assert "issuer" not in record.body and "receipt" not in record.body


def test_a_receipt_of_somebody_else_is_refused() -> None:
    for token, reason in (
        (signed(issuer="did:web:ailleurs.example"), "receipt-signature"),
        (signed(typ="JWT"), None),
        (signed()[:-8] + "AAAAAAAA", "receipt-signature"),
        ("", "receipt-malformed"),
        ("a.b", "receipt-malformed"),
        ("{", "receipt-malformed"),
        ("x" * (MAX_RECEIPT + 1), "receipt-malformed"),
        (signed(parcel=["x"]), "receipt-malformed"),
    ):
        with pytest.raises(ReceiptError) as refused:
            read_receipt(token, key_of, at=AT)
        assert reason is None or refused.value.reason == reason


@given(
    st.dictionaries(
        st.sampled_from([*PARCEL, "contents", "x"]),
        st.one_of(st.none(), st.integers(), st.text(max_size=300), st.lists(st.text())),
    )
)
def test_any_parcel_is_a_record_or_refused(parcel: dict[str, Any]) -> None:
    try:
        check(read_receipt(json.dumps(parcel), key_of, at=AT))
    except (ReceiptError, RecordError):
        return
