"""moB's GDPR export (XLSX): read as the published layout, refused when it is made to harm."""

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from openpyxl import Workbook

from connectors.errors import HostileInputError, UnknownFormatError
from connectors.mob import workbook
from connectors.mob.export import read_export, records
from schemas.records import Application, ApplicationState, Attribute, Degree

TODAY = date(2026, 11, 22)
PERSONAL = [
    ("Nom", "Pradelles"),
    ("Prénom", "Camille"),
    ("Date de naissance", "14/03/1991"),
    ("Code postal", "11000"),
    ("Ville", "Carcassonne"),
    ("Statut professionnel", "Salarié"),
    ("Entreprise d'affiliation", "Agglomération de l'Aude"),
    ("Adresse email professionnelle", ""),
    ("Adresse email personnelle", "camille@example.org"),
    ("Liste des affiliations MaaS", "Tibo, Marseille en poche"),
]
HEADER = [
    "Date de la demande",
    "Nom de l'aide",
    "Financeur",
    "Statut",
    "Nom des justificatifs transmis",
    "Distance quotidienne",
]
REQUESTS = [
    ["03/02/2023", "Prime vélo", "Agglo de l'Aude", "VALIDEE", "facture.pdf, rib.pdf", "12"],
    ["14/06/2023", "Prime vélo", "Agglo de l'Aude", "Rejetée", "", ""],
    ["01/09/2023", "Prime vélo", "Agglo de l'Aude", "A_TRAITER", "facture 2.pdf", ""],
]


def made(change: Callable[[Workbook], None] = lambda _: None, *, personal: bool = True) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Informations personnelles" if personal else "Feuille 1"
    for row in PERSONAL if personal else []:
        sheet.append(row)
    aid = book.create_sheet("64b7f0c2d3")
    for line in [HEADER, *REQUESTS]:
        aid.append(line)
    change(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def repacked(data: bytes, **parts: bytes) -> bytes:
    """The same workbook with members added or replaced (`/` written `__`)."""
    named = {name.replace("__", "/"): content for name, content in parts.items()}
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, named.pop(name, old.read(name)))
        for name, content in named.items():
            new.writestr(name, content)
    return out.getvalue()


def test_every_row_of_the_published_layout_is_read() -> None:
    found = read_export(made(), today=TODAY)
    assert found.rejected == ()
    assert found.attributes == {
        "identity.family_name": "Pradelles",
        "identity.given_name": "Camille",
        "identity.birthdate": "1991-03-14",
        "address.postcode": "11000",
        "address.town": "Carcassonne",
        "employment.status": "Salarié",
        "employment.employer": "Agglomération de l'Aude",
        "contact.email": "camille@example.org",
        "mob.linked_services": "Tibo, Marseille en poche",
    }
    assert [(r.asked_on, r.state) for r in found.requests] == [
        (date(2023, 2, 3), ApplicationState.ACCEPTED),
        (date(2023, 6, 14), ApplicationState.REFUSED),
        (date(2023, 9, 1), ApplicationState.SUBMITTED),
    ]
    assert found.requests[0].attachments == ("facture.pdf", "rib.pdf")
    assert found.requests[0].answers == {"Distance quotidienne": "12"}


def test_what_a_file_says_is_claimed_and_no_hub_answers_for_it() -> None:
    made_records = records(read_export(made(), today=TODAY), at=datetime(2026, 11, 22, tzinfo=UTC))
    attributes = [r for r in made_records if isinstance(r, Attribute)]
    applications = [r for r in made_records if isinstance(r, Application)]
    assert len(attributes) == 9
    assert {a.degree for a in attributes} == {Degree.CLAIMED}
    assert len(applications) == 3
    assert {(a.hub, a.amount, a.presentation) for a in applications} == {(None, None, None)}


def test_the_same_row_twice_is_one_request() -> None:
    def twice(book: Workbook) -> None:
        book["64b7f0c2d3"].append(REQUESTS[0])

    assert len(read_export(made(twice), today=TODAY).requests) == 3


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (["hier", "Prime", "Agglo", "VALIDEE"], "not-a-date"),
        (["31/02/2023", "Prime", "Agglo", "VALIDEE"], "not-a-date"),
        (["01/01/2031", "Prime", "Agglo", "VALIDEE"], "date-out-of-range"),
        (["01/01/1970", "Prime", "Agglo", "VALIDEE"], "date-out-of-range"),
        (["01/01/2023", "Prime", "Agglo", "PEUT-ETRE"], "unknown-status"),
        (["01/01/2023", "", "Agglo", "VALIDEE"], "incomplete"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_kept(row: list[str], code: str) -> None:
    def add(book: Workbook) -> None:
        book["64b7f0c2d3"].append(row)

    found = read_export(made(add), today=TODAY)
    assert [(r.where, r.code) for r in found.rejected] == [("sheet 2, row 5", code)]
    assert len(found.requests) == 3


def test_another_workbook_is_not_taken_for_mobs() -> None:
    with pytest.raises(UnknownFormatError):
        read_export(made(personal=False), today=TODAY)
    with pytest.raises(UnknownFormatError):
        read_export(b'{"trips": []}', today=TODAY)


@pytest.mark.parametrize(
    "formula", ["=1+1", '=HYPERLINK("https://x.example","x")', "=cmd|' /C calc'!A0"]
)
def test_a_formula_is_refused_and_never_computed(formula: str) -> None:
    def add(book: Workbook) -> None:
        book["64b7f0c2d3"].append(["01/01/2023", formula, "Agglo", "VALIDEE"])

    with pytest.raises(HostileInputError, match="a formula"):
        read_export(made(add), today=TODAY)


def test_a_bomb_is_refused_by_what_it_unpacks_not_by_what_it_says() -> None:
    bomb = repacked(made(), xl__worksheets__sheet9=b"\0" * (workbook.MAX_UNPACKED + 1))
    assert len(bomb) < workbook.MAX_FILE
    with pytest.raises(HostileInputError, match="bytes unpacked"):
        read_export(bomb, today=TODAY)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"xl__vbaProject.bin": b"x"}, "a macro"),
        ({"xl__externalLinks__externalLink1.xml": b"<a/>"}, "a macro"),
        ({"xl__embeddings__oleObject1.bin": b"x"}, "a macro"),
        ({"..__evil.xml": b"<a/>"}, "a macro"),
        (
            {"xl__workbook.xml": b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'},
            "a document type",
        ),
        ({"xl__workbook.xml": "<?xml version='1.0'?><x/>".encode("utf-16")}, "not UTF-8"),
        ({"xl__workbook.xml": b"<broken"}, "not a workbook"),
        ({f"x{n}.xml": b"<a/>" for n in range(500)}, "members"),
    ],
    ids=["macro", "link", "ole", "path", "entity", "utf-16", "broken", "many"],
)
def test_what_has_no_place_in_a_table_is_refused_by_name(parts: dict[str, bytes], why: str) -> None:
    with pytest.raises(HostileInputError, match=why):
        read_export(repacked(made(), **parts), today=TODAY)


def test_a_table_without_end_is_refused() -> None:
    def long(book: Workbook) -> None:
        for _ in range(workbook.MAX_ROWS + 1):
            book["64b7f0c2d3"].append(["01/01/2023", "Prime", "Agglo", "VALIDEE"])

    def wide(book: Workbook) -> None:
        book["64b7f0c2d3"].append(["x"] * (workbook.MAX_COLUMNS + 1))

    with pytest.raises(HostileInputError, match="rows"):
        read_export(made(long), today=TODAY)
    with pytest.raises(HostileInputError, match="columns"):
        read_export(made(wide), today=TODAY)
    with pytest.raises(HostileInputError, match="bytes"):
        read_export(b"PK\x03\x04" + b"\0" * workbook.MAX_FILE, today=TODAY)


@pytest.mark.parametrize("cut", [5, 200, 2_000, -40])
def test_a_file_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(HostileInputError):
        read_export(made()[:cut], today=TODAY)


def test_any_flipped_byte_gives_a_result_or_a_typed_refusal() -> None:
    data = made()
    for at in range(0, len(data), 97):
        changed = bytes([*data[:at], data[at] ^ 0x55, *data[at + 1 :]])
        try:
            read_export(changed, today=TODAY)
        except (HostileInputError, UnknownFormatError):
            continue
