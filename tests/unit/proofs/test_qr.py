"""A credential as the text of a QR code: the same bytes out, within what one code holds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.credentials.catalogue import example
from federation.credentials.offline import document_in
from federation.credentials.qr import MAX_CODE, PREFIX, read_code, write_code
from federation.credentials.shape import ShapeError

DOCUMENT = example("ZoneAccessCredential")


def test_the_document_comes_back_byte_for_byte_and_as_a_file() -> None:
    code = write_code(DOCUMENT)
    assert code.startswith(PREFIX) and len(code) < MAX_CODE // 2
    compact = json.dumps(DOCUMENT, ensure_ascii=False, separators=(",", ":")).encode()
    assert read_code(code) == compact
    assert document_in(f" {code}\n".encode()) == compact
    assert set(code) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=60), max_size=6))
def test_any_small_document_survives(document: dict[str, str]) -> None:
    assert json.loads(read_code(write_code(document))) == document


@pytest.mark.parametrize(
    "code",
    [
        "",
        "MV1:",
        "MV2:ABC",
        "mv1:ABC",
        "MV1:A",
        "MV1:é",
        "MV1::::",
        write_code(DOCUMENT)[:-3],
        write_code(DOCUMENT) + "00",
        write_code(DOCUMENT).replace("A", "a"),
        PREFIX + "0" * (MAX_CODE + 1),
    ],
)
def test_a_damaged_code_is_a_typed_refusal(code: str) -> None:
    with pytest.raises(ShapeError):
        read_code(code)


def test_a_code_that_swells_is_stopped_and_a_document_too_large_for_one_is_refused() -> None:
    swollen = write_code({"a": "0" * 2_000_000})
    with pytest.raises(ShapeError) as refused:
        read_code(swollen)
    assert refused.value.code_of == "too-large"
    noise = {str(n): format(n * 2654435761 % 2**32, "x") for n in range(900)}
    with pytest.raises(ShapeError) as refused:
        write_code(noise)
    assert refused.value.code_of == "too-large"
