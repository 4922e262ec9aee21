"""The antivirus of the officer's machine: yes, no, or cannot tell; and nothing else is a yes."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.sandbox.scanning import SIGNATURE, BadAnswer, ScanServer
from portal.antivirus import Scan, Scanner, Verdict
from portal.errors import DocumentInfectedError, DocumentUnscannedError, ScannerAddressError
from portal.funder_key import scanned

TEST_FILE = (
    b"%PDF-1.7 " + b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
)


@pytest.fixture(scope="module")
def server() -> Iterator[ScanServer]:
    with ScanServer(max_stream=3_000_000) as running:
        yield running


@pytest.fixture(autouse=True)
def good_manners(server: ScanServer) -> None:
    server.misbehaves = None


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 2_000_000])
def test_what_is_clean_of_any_length_is_clean(server: ScanServer, size: int) -> None:
    before = server.scanned
    assert Scanner(server.address).scan(os.urandom(size)) == Scan(Verdict.CLEAN)
    assert server.scanned == before + 1


def test_what_is_found_is_named_wherever_it_lies(server: ScanServer) -> None:
    for content in (TEST_FILE, b"x" * 65_500 + TEST_FILE):
        assert Scanner(server.address).scan(content) == Scan(Verdict.INFECTED, SIGNATURE)


def test_a_unix_socket_is_spoken_to_alike(tmp_path: Path) -> None:
    with ScanServer(path=tmp_path / "clamd.ctl") as running:
        assert Scanner(running.address).scan(b"x").verdict is Verdict.CLEAN
        assert Scanner(running.address).scan(TEST_FILE).verdict is Verdict.INFECTED


@pytest.mark.parametrize("how", list(BadAnswer))
def test_an_antivirus_of_bad_manners_says_neither_yes_nor_no(
    server: ScanServer, how: BadAnswer
) -> None:
    server.misbehaves = how
    found = Scanner(server.address, term_s=0.5).scan(TEST_FILE)
    assert found.verdict is Verdict.CANNOT_TELL
    assert found.detail and found.detail.isascii() and found.detail.isprintable()


def test_over_its_limit_it_answers_before_the_end_and_that_is_heard(server: ScanServer) -> None:
    found = Scanner(server.address).scan(b"x" * 12_000_000)
    assert found.verdict is Verdict.CANNOT_TELL


def test_nobody_there_is_no_answer(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"tcp:127.0.0.1:{closed.getsockname()[1]}"
    for absent in (address, f"unix:{tmp_path}/none"):
        found = Scanner(absent).scan(b"x")
        assert found.verdict is Verdict.CANNOT_TELL and found.detail.startswith("unreachable")
        with pytest.raises(DocumentUnscannedError):
            scanned(b"x", absent)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "unix:relative",
        "tcp:127.0.0.1",
        "tcp:127.0.0.1:port",
        "tcp:127.0.0.1:99999",
        "tcp:192.0.2.1:3310",
        "tcp:antivirus.example:3310",
        "http://127.0.0.1:3310",
        "tcp:127.0.0.1:3310/x",
        "tcp:me@127.0.0.1:3310",
    ],
)
def test_an_address_elsewhere_or_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(ScannerAddressError):
        Scanner(address)


def test_an_infected_document_is_refused_and_none_is_asked_where_none_is_named(
    server: ScanServer,
) -> None:
    with pytest.raises(DocumentInfectedError) as refused:
        scanned(TEST_FILE, server.address)
    assert refused.value.signature == SIGNATURE
    assert scanned(b"x", server.address) is True
    assert scanned(TEST_FILE, None) is False
