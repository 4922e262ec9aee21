"""The query process: bounded, cut off, and dead when it should be."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vault.errors import QueryRefusedError, QueryStoppedError
from vault.sparql import SparqlProcess

QUADS = [
    f'<urn:t:{n}> <https://w3id.org/mobility-vault/vocab#distance> "{n}"'
    "^^<http://www.w3.org/2001/XMLSchema#integer> .\n"
    for n in range(200)
]


@pytest.fixture
def process() -> Iterator[SparqlProcess]:
    made = SparqlProcess(limit_s=3.0)
    yield made
    made.close()


class Listener:
    """Counts who knocks on a port of loopback."""

    def __init__(self) -> None:
        self.knocks = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._socket.settimeout(0.1)
        self._open = True
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while self._open:
            try:
                peer, _ = self._socket.accept()
            except TimeoutError:
                continue
            self.knocks += 1
            peer.close()

    def close(self) -> None:
        self._open = False
        self._thread.join()
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def ask(process: SparqlProcess, text: str, seq: int = 1) -> object:
    return process.query(text, seq=seq, quads=lambda: QUADS)


LEAVING = [
    "SELECT * {{ SERVICE <{url}> {{ ?s ?p ?o }} }}",
    "SELECT * {{ SERVICE SILENT <{url}> {{ ?s ?p ?o }} }}",
    "SELECT * {{ ?s ?p ?o . {{ SELECT ?x {{ SERVICE <{url}> {{ ?x ?y ?z }} }} }} }}",
    "ASK {{ FILTER EXISTS {{ SERVICE <{url}> {{ ?s ?p ?o }} }} }}",
    "SELECT * {{ BIND(<{url}> AS ?u) SERVICE ?u {{ ?s ?p ?o }} }}",
    "SELECT * FROM <{url}> {{ ?s ?p ?o }}",
    "SELECT * FROM NAMED <{url}> {{ GRAPH ?g {{ ?s ?p ?o }} }}",
    "LOAD <{url}>",
    "CLEAR ALL",
    "INSERT DATA {{ <urn:a> <urn:b> <urn:c> }}",
    "DELETE WHERE {{ ?s ?p ?o }}",
    "SELECT * {{ \\u0053ERVICE <{url}> {{ ?s ?p ?o }} }}",
    "DESCRIBE <urn:t:1> FROM <{url}>",
]


@pytest.mark.parametrize("text", LEAVING)
def test_a_query_that_would_leave_or_change_is_refused_and_loopback_hears_nothing(
    process: SparqlProcess, listener: Listener, text: str
) -> None:
    with pytest.raises(QueryRefusedError):
        ask(process, text.format(url=f"http://127.0.0.1:{listener.port}/sparql"))
    time.sleep(0.2)
    assert listener.knocks == 0
    assert ask(process, "ASK { ?s ?p ?o }").truth is True  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    [
        'SELECT ("SERVICE <http://127.0.0.1/>" AS ?x) {}',
        "SELECT (COUNT(*) AS ?n) { ?s <urn:from> ?o } # FROM here",
        "SELECT ?from { ?from ?p ?o } LIMIT 1",
    ],
)
def test_the_words_themselves_are_allowed_where_they_are_no_keywords(
    process: SparqlProcess, text: str
) -> None:
    ask(process, text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?n ?o }",
        "SELECT ?a { ?a ?b ?c . ?d ?e ?f } ORDER BY ?f",
    ],
)
def test_a_runaway_ends_and_the_next_query_is_answered(process: SparqlProcess, text: str) -> None:
    began = time.monotonic()
    with pytest.raises(QueryStoppedError):
        ask(process, text)
    assert time.monotonic() - began < 10
    assert ask(process, "ASK { ?s ?p ?o }").truth is True  # type: ignore[attr-defined]


def test_memory_is_bounded(process: SparqlProcess) -> None:
    text = 'SELECT (REPLACE("' + "a" * 60_000 + '", "a", "' + "b" * 3_000 + '") AS ?x) {}'
    with pytest.raises((QueryStoppedError, QueryRefusedError)):
        ask(process, "SELECT (CONCAT(?x, ?x) AS ?y) { " + text.replace("{}", "{}") + " }{}")
    with pytest.raises(QueryStoppedError):
        ask(process, text)
    assert ask(process, "ASK { ?s ?p ?o }").truth is True  # type: ignore[attr-defined]


def test_rows_are_bounded(process: SparqlProcess) -> None:
    with pytest.raises(QueryStoppedError, match="10000"):
        ask(process, "SELECT * { ?a ?b ?c . ?d ?e ?f } LIMIT 10001")
    assert len(ask(process, "SELECT * { ?a ?b ?c . ?d ?e ?f } LIMIT 10000").rows) == 10_000  # type: ignore[attr-defined]


def test_the_four_forms_are_answered(process: SparqlProcess) -> None:
    distance = "<https://w3id.org/mobility-vault/vocab#distance>"
    top = ask(process, f"SELECT (MAX(?d) AS ?m) {{ ?t {distance} ?d }}")
    assert top.rows == (("199",),)  # type: ignore[attr-defined]
    assert ask(process, f"ASK {{ <urn:t:3> {distance} 3 }}").truth is True  # type: ignore[attr-defined]
    built = ask(process, "CONSTRUCT { ?s a <urn:x> } { ?s ?p 3 }")
    assert "<urn:t:3>" in built.graph  # type: ignore[attr-defined]
    assert "<urn:t:3>" in ask(process, "DESCRIBE <urn:t:3>").graph  # type: ignore[attr-defined]


def test_the_process_is_rebuilt_when_the_head_moves(process: SparqlProcess) -> None:
    count = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"
    assert process.query(count, seq=1, quads=lambda: QUADS).rows == (("200",),)
    first = process.pid
    assert process.query(count, seq=1, quads=lambda: QUADS[:1]).rows == (("200",),)
    assert process.pid == first
    assert process.query(count, seq=2, quads=lambda: QUADS[:1]).rows == (("1",),)
    assert process.pid != first


def test_the_process_holds_no_environment_and_dies_when_closed(process: SparqlProcess) -> None:
    ask(process, "ASK { ?s ?p ?o }")
    pid = process.pid
    assert pid is not None
    with Path(f"/proc/{pid}/limits").open(encoding="utf-8") as limits:
        said = limits.read()
    assert "Max core file size        0" in said
    process.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
