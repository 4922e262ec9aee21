"""2D-Doc: the specification's own examples, a test authority of ours, and what is altered."""

# ruff: noqa: E501 - codes stand whole on their line

import base64
from datetime import UTC, date, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import HostileInputError
from connectors.twoddoc.attributes import attributes, names, values
from connectors.twoddoc.code import Code, parse
from connectors.twoddoc.trust import TrustList, Verdict, bundled
from schemas.records import Degree
from tests.unit.connectors.diaries import shared

TODAY = date(2026, 11, 22)
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
# Specification 3.3, page 225: signed by the key of the specification's test authority, FR00.
DOMICILE = "DC03FR000001123F1636000126FR245700010MLLE/SAMPLE/ANGELA<GS>20<GS>21BAT 2 ETG 3<GS>227 PLACE DES SPECIMENS<GS>23<GS>25METZ<GS><US>3HJIYP3OAJ4LIZNQXCTZMNQPTT5C2XICTEF4UGJ3NDE2CWM7HJOEEK4ACIY4CZOO5ZOFG35APDZMZQFEAEBWRZTW4CBPG35JE2FJ4EY"
BILL = "DC03FR000001123F1636010126FR247500010MME/SPECIMEN/NATACHA<GS>22145 AVENUE DES SPECIMENS<GS><US>FEDMPW5SO5BNZFYP7FIQUYZFV5H3OF6QERDMOBN7BZ4CC4KVJ4XWUH6EW3CSWILAGLN4XQE6AKHX6RNOI3OXVW6X3IKJASZGL62FBUQ"
NOTICE = "432,75<GS>44227801234567845202146DURAND ANA<GS>4730011234567894112480<GS>"


def certificate(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    by: ec.EllipticCurvePrivateKey,
    *,
    since: date,
    until: date,
    organisation: str = "DGFIP",
) -> x509.Certificate:
    def name(common: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
                x509.NameAttribute(NameOID.COMMON_NAME, common),
            ]
        )

    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.combine(since, datetime.min.time(), UTC))
        .not_valid_after(datetime.combine(until, datetime.min.time(), UTC))
        .sign(by, hashes.SHA256())
    )


ROOT, SIGNER, STRANGER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
TERM = {"since": date(2024, 1, 1), "until": date(2027, 1, 1)}
LIST = TrustList.of(
    [
        certificate("FR77", "FR77", ROOT, ROOT, **TERM),
        certificate("IMP1", "FR77", SIGNER, ROOT, **TERM),
        certificate("BAD1", "FR77", STRANGER, STRANGER, **TERM),  # not issued by FR77
    ]
)


def signed(
    fields: str = NOTICE,
    *,
    key: ec.EllipticCurvePrivateKey = SIGNER,
    number: str = "IMP1",
    on: date = date(2026, 8, 1),
    kind: str = "28",
) -> str:
    days = (on - date(2000, 1, 1)).days
    body = f"DC04FR77{number}FFFF{days:04X}{kind}01FR" + fields.replace("<GS>", "\x1d")
    r, s = decode_dss_signature(key.sign(body.encode(), ec.ECDSA(hashes.SHA256())))
    packed = base64.b32encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()
    return f"{body}\x1f{packed.rstrip('=')}"


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        (DOMICILE, "MLLE SAMPLE ANGELA", {"residence.address": "BAT 2 ETG 3, 7 PLACE DES SPECIMENS", "residence.postcode": "57000", "residence.town": "METZ"}),
        (BILL, "MME SPECIMEN NATACHA", {"residence.address": "145 AVENUE DES SPECIMENS", "residence.postcode": "75000"}),
    ],
)  # fmt: skip
def test_the_specifications_examples_are_read_and_their_signatures_hold(
    text: str, name: str, found: dict[str, str]
) -> None:
    from importlib import resources

    code = parse(text)
    assert (names(code), values(code)) == ((name,), found)
    test_key = x509.load_der_x509_certificate(
        resources.files("tddoc.chains").joinpath("FR00.der").read_bytes()
    )
    from connectors.twoddoc.trust import _holds

    assert _holds(code, test_key)
    assert not _holds(parse(text.replace("SPECIMENS", "SPECIMENT")), test_key)
    assert bundled().verify(code, on=TODAY).verdict is Verdict.UNKNOWN_SIGNER, (
        "FR00 is no authority"
    )


@pytest.mark.shared_data
def test_the_tax_notice_specimen_is_read_and_nothing_can_be_said_of_it() -> None:
    code = parse((shared("documents") / "2ddoc_avis_impot_specimen.txt").read_text())
    assert values(code) == {
        "tax.reference_income": 63198,
        "tax.income_year": 2021,
        "tax.parts": 2.75,
        "residence.address": "145 RUE JULLIARD, ZASPECIMEN, 78320, LEVIS STNOM",
    }
    assert bundled().verify(code, on=TODAY).verdict is Verdict.UNKNOWN_SIGNER


def test_a_signed_notice_becomes_signed_attributes_with_the_code_beside_them() -> None:
    code = parse(signed())
    verified = LIST.verify(code, on=TODAY)
    assert (verified.verdict, verified.signer) == (Verdict.SIGNED, "DGFIP")
    found = {a.name: a for a in attributes(code, verified, at=AT)}
    assert {n: a.value for n, a in found.items()} == {
        "tax.reference_income": 12480, "tax.income_year": 2021, "tax.parts": 2.75,
    }  # fmt: skip
    income = found["tax.reference_income"]
    assert (income.degree, income.source) == (Degree.SIGNED, "2d-doc:DGFIP")
    again = parse(str(income.extra["twoDDoc"]))
    assert LIST.verify(again, on=TODAY).verdict is Verdict.SIGNED, "the kept code proves it again"
    kept = str(income.value) + str({n: a.value for n, a in found.items()})
    assert "3001123456789" not in kept, "no tax number is an attribute"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (signed().replace("4112480", "4100480"), Verdict.FORGED),
        (signed().replace("2801FR", "0401FR"), Verdict.FORGED),
        (signed(key=STRANGER), Verdict.FORGED),
        (signed(key=STRANGER, number="BAD1"), Verdict.UNKNOWN_SIGNER),
        (signed(number="NONE"), Verdict.UNKNOWN_SIGNER),
        (signed(on=date(2023, 12, 31)), Verdict.OUT_OF_TERM),
        (signed(on=date(2027, 2, 1)), Verdict.OUT_OF_TERM),
        (signed(on=TODAY + timedelta(days=1)), Verdict.OUT_OF_TERM),
    ],
    ids=["income", "type", "key", "not-issued", "not-listed", "before", "after", "future"],
)
def test_what_is_not_as_signed_is_said_and_gives_no_signed_attribute(
    text: str, verdict: Verdict
) -> None:
    code = parse(text)
    verified = LIST.verify(code, on=TODAY)
    assert verified.verdict is verdict
    degrees = {a.degree for a in attributes(code, verified, at=AT)}
    assert degrees == (set() if verdict is Verdict.FORGED else {Degree.CLAIMED})


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "code"),
        ("DC", "header"),
        (BILL.replace("DC03", "DC09"), "header"),
        (BILL.replace("16360101", "1636A701"), "type"),
        (BILL.replace("<US>", ""), "signature"),
        (BILL[:-20], "signature"),
        (BILL.replace("26FR", "26F<GS>"), "26"),
        (BILL.replace("22145", "ZZ145"), "fields"),
        (BILL.replace("<US>", "2475001<GS><US>"), "24"),
        ("DC04" + "A" * 5_000, "code"),
        (BILL.replace("NATACHA", "NATACHÀ"), "code"),
    ],
)
def test_a_damaged_code_is_refused_by_its_part(text: str, where: str) -> None:
    with pytest.raises(HostileInputError) as caught:
        parse(text)
    assert caught.value.where == where


@given(st.text(max_size=300), st.integers(0, 180))
@settings(max_examples=80, deadline=None)
def test_no_code_breaks_the_reader(noise: str, at: int) -> None:
    for text in (noise, BILL[:at] + noise + BILL[at:], "DC04FR000001FFFF25472801FR" + noise):
        try:
            found = parse(text)
        except HostileInputError:
            continue
        assert isinstance(found, Code)


def test_the_bundled_list_has_authorities_and_no_test_key() -> None:
    found = bundled()
    assert len(found.signers) > 100
    assert not {pair for pair in found.signers if "FR00" in pair}
