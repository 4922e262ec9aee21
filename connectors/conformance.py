"""What every pulled connector must survive, whatever its source: one suite, run against its
simulator.

A connector's test module gives a `Bench` (how to make the connector, how to make the simulator
misbehave) and calls `run(case, bench)` for every name of `CASES`. A case raises `AssertionError`
with what went wrong. No case knows the wire format; so a third party can run the same suite
against its own simulator.
"""

# ruff: noqa: S101  # a suite of assertions, shipped so that third parties can run it

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from connectors.accounts import Health, MemoryState
from connectors.base import Connector, Cursor, FileImporter, Page, PushReceiver
from connectors.errors import (
    HostileInputError,
    PushBusyError,
    PushError,
    PushTokenError,
    SourceRefusedError,
)
from connectors.runner import RunReport, sync
from schemas.errors import MobilityError, Retriable
from schemas.observations import Observation

SPOILED: Final[Mapping[str, frozenset[str]]] = {
    "nan": frozenset({"not-a-number"}),
    "swapped": frozenset({"coordinates-swapped"}),
    "1970": frozenset({"time-implausible"}),
    "future": frozenset({"time-in-future"}),
    "hostile-names": frozenset({"zone-unknown"}),
    "wrong-types": frozenset({"not-an-entry", "not-a-label", "not-an-object"}),
}
"""Misbehaviours that spoil one object of an answer, and the rules that may reject it."""

ENDED: Final[Mapping[str, tuple[Health, frozenset[str]]]] = {
    "429": (Health.WAITING, frozenset({"source-busy"})),
    "503": (Health.WAITING, frozenset({"source-busy"})),
    "expired-token": (Health.RECONNECT, frozenset({"source-token-refused"})),
    "revoked-token": (Health.RECONNECT, frozenset({"source-token-refused"})),
    "html": (Health.BROKEN, frozenset({"source-content-type"})),
    "redirect": (Health.BROKEN, frozenset({"source-redirect"})),
    "redirect-loop": (Health.BROKEN, frozenset({"source-redirect"})),
    "deep": (Health.BROKEN, frozenset({"source-answer"})),
    "not-json": (Health.BROKEN, frozenset({"source-answer"})),
    "truncated": (Health.BROKEN, frozenset({"source-answer"})),
    "500": (Health.BROKEN, frozenset({"source-answer"})),
    "slow": (Health.WAITING, frozenset({"source-unreachable"})),
}
"""Misbehaviours that end a run: what the citizen reads, and the code."""

ENDLESS: Final = ("endless", "huge")
"""Answers without end. A connector may narrow its window and go on; it may not hang or grow."""


class Bench(Protocol):
    """What the suite needs of one connector and its simulator."""

    def connector(self) -> Connector:
        """A fresh connector for the same account."""
        ...

    def misbehave(self, what: str, times: int = 1) -> None:
        """The simulator's next `times` answers do this."""
        ...

    def behave(self) -> None:
        """The simulator forgets what was asked."""
        ...

    def settle(self, connector: Connector) -> None:
        """Have the connector make its first contact (dialect, discovery) before a misbehaviour."""
        ...


class Collected:
    """A depositor that keeps what it is given, and can refuse."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.observations: list[Observation] = []
        self.calls = 0
        self._fail_at = fail_at

    def deposit(self, observations: Sequence[Observation]) -> int:
        self.calls += 1
        if self._fail_at is not None and self.calls == self._fail_at:
            raise InterruptedRunError
        self.observations += observations
        return 1

    @property
    def ids(self) -> set[str]:
        return {observation.id for observation in self.observations}


class InterruptedRunError(MobilityError, Retriable):
    """The run was killed here."""

    code = "run-interrupted"


@dataclass(frozen=True, slots=True)
class Reference:
    """What an undisturbed run brings."""

    ids: frozenset[str]
    report: RunReport


def reference(bench: Bench) -> Reference:
    """An undisturbed run from the beginning."""
    bench.behave()
    kept = Collected()
    report = sync(bench.connector(), MemoryState(), kept)
    assert report.health is Health.OK, report
    assert kept.observations, "the simulator brings nothing"
    return Reference(frozenset(kept.ids), report)


def a_second_run_brings_nothing_new(bench: Bench) -> None:
    """The cursor overlaps on purpose; what was deposited is not deposited again."""
    state, kept = MemoryState(), Collected()
    sync(bench.connector(), state, kept)
    first = len(kept.observations)
    report = sync(bench.connector(), state, kept)
    assert report.health is Health.OK
    assert len(kept.observations) == first, "deposited again"
    assert len(kept.ids) == first, "deposited twice in one run"


def it_resumes_from_any_page(bench: Bench) -> None:
    """Killed at each deposit in turn, the next run brings the rest: nothing lost."""
    whole = reference(bench).ids
    for fail_at in range(1, 50):
        state, kept = MemoryState(), Collected(fail_at)
        try:
            sync(bench.connector(), state, kept)
        except InterruptedRunError:
            sync(bench.connector(), state, kept)
            assert kept.ids == whole, f"lost after a kill at deposit {fail_at}"
        else:
            return


def the_same_page_twice_is_one(bench: Bench) -> None:
    """An answer that tells everything twice brings it once."""
    whole = reference(bench).ids
    kept = Collected()
    connector = bench.connector()
    bench.settle(connector)
    bench.misbehave("twice", 500)
    sync(connector, MemoryState(), kept)
    bench.behave()
    assert kept.ids == whole
    assert len(kept.observations) == len(whole)


def order_does_not_matter(bench: Bench) -> None:
    """An answer out of order brings the same."""
    whole = reference(bench).ids
    kept = Collected()
    connector = bench.connector()
    bench.settle(connector)
    bench.misbehave("out-of-order", 500)
    sync(connector, MemoryState(), kept)
    bench.behave()
    assert kept.ids == whole


def a_repeated_page_token_ends(bench: Bench) -> None:
    """A source that gives the same cursor for ever is a loop, told as such."""
    page = next(page for page in _pages(bench.connector()) if page.records)

    class Loop:
        name = "loop"

        def __init__(self, real: Connector) -> None:
            self._real = real
            self.check, self.discover = real.check, real.discover

        def pull(self, _stream: object, _since: Cursor | None) -> Iterable[Page]:
            while True:
                yield page

    report = sync(Loop(bench.connector()), MemoryState(), Collected())  # type: ignore[arg-type]  # a loop on purpose
    assert report.error == "source-repeated-page", report


def a_clock_ahead_hides_nothing(bench: Bench) -> None:
    """A source whose clock is an hour ahead once: what it writes later is still found."""
    whole = reference(bench).ids
    state, kept = MemoryState(), Collected()
    connector = bench.connector()
    bench.settle(connector)
    bench.misbehave("skew", 500)
    sync(connector, state, kept)
    bench.behave()
    sync(bench.connector(), state, kept)
    recent = {o.id for o in _recent(bench)}
    assert recent <= kept.ids, "an object within the lookback was never found again"
    assert recent <= whole


def one_spoiled_object_is_named_and_the_rest_kept(bench: Bench) -> None:
    """For each way to spoil an object: a rule, a place, and everything else taken."""
    whole = reference(bench).ids
    for what, codes in SPOILED.items():
        kept = Collected()
        connector = bench.connector()
        bench.settle(connector)
        bench.misbehave(what, 500)
        report = sync(connector, MemoryState(), kept)
        bench.behave()
        assert report.health is Health.OK, (what, report)
        assert report.rejected_count > 0, f"{what}: nothing rejected"
        assert {r.code for r in report.rejected} <= codes, (what, report.rejected)
        assert all(r.where.startswith("/") for r in report.rejected), (what, report.rejected)
        assert len(kept.ids & whole) > len(whole) // 4, f"{what}: good objects were lost"


def a_bad_answer_ends_the_run_with_its_code(bench: Bench) -> None:
    """For each: a typed end, a health the citizen can read, and the next run finds everything."""
    whole = reference(bench).ids
    for what, (health, codes) in ENDED.items():
        state, kept = MemoryState(), Collected()
        connector = bench.connector()
        bench.settle(connector)
        bench.misbehave(what, 1)
        report = sync(connector, state, kept)
        bench.behave()
        assert report.health is health, (what, report)
        assert report.error in codes, (what, report)
        assert report.error_where, (what, report)
        if what in {"429", "503"}:
            assert report.retry_after_s == 7, (what, report)  # the simulator's Retry-After
        again = sync(bench.connector(), state, kept)
        assert again.health is Health.OK, (what, again)
        assert kept.ids == whole, what


def an_endless_answer_is_cut(bench: Bench) -> None:
    """Bounded in bytes: no hang, no growth; then everything is found."""
    whole = reference(bench).ids
    for what in ENDLESS:
        state, kept = MemoryState(), Collected()
        connector = bench.connector()
        bench.settle(connector)
        bench.misbehave(what, 1)
        sync(connector, state, kept)
        bench.behave()
        again = sync(bench.connector(), state, kept)
        assert again.health is Health.OK, (what, again)
        assert kept.ids == whole, what


def no_error_tells_a_secret(bench: Bench) -> None:
    """Messages and representations name routes and rules, never a token."""
    secret = getattr(bench, "token", "")
    connector = bench.connector()
    bench.settle(connector)
    bench.misbehave("revoked-token", 1)
    try:
        for _ in _pages(connector):
            pass
    except SourceRefusedError as error:
        assert not secret or secret not in f"{error!r} {error} {connector!r}"
    else:
        raise AssertionError("a revoked token was not noticed")
    finally:
        bench.behave()


def every_observation_is_whole(bench: Bench) -> None:
    """Zones are names, instants are aware, and reading again gives equal observations."""
    first, second = Collected(), Collected()
    sync(bench.connector(), MemoryState(), first)
    sync(bench.connector(), MemoryState(), second)
    assert {o.id: o for o in first.observations} == {o.id: o for o in second.observations}
    for observation in first.observations:
        started = getattr(observation, "started_at", None)
        assert not isinstance(started, datetime) or started.tzinfo is not None


def _pages(connector: Connector) -> Iterable[Page]:
    for stream in connector.discover():
        yield from connector.pull(stream, None)


def _recent(bench: Bench) -> list[Observation]:
    """What a run with a cursor at the end finds again in its lookback."""
    state, kept = MemoryState(), Collected()
    sync(bench.connector(), state, Collected())
    for name, known in list(state.streams.items()):
        state.streams[name] = type(known)(cursor=known.cursor)
    sync(bench.connector(), state, kept)
    return kept.observations


Case = Callable[[Bench], None]

CASES: Final[Mapping[str, Case]] = {
    case.__name__: case
    for case in (
        a_second_run_brings_nothing_new,
        it_resumes_from_any_page,
        the_same_page_twice_is_one,
        order_does_not_matter,
        a_repeated_page_token_ends,
        a_clock_ahead_hides_nothing,
        one_spoiled_object_is_named_and_the_rest_kept,
        a_bad_answer_ends_the_run_with_its_code,
        an_endless_answer_is_cut,
        no_error_tells_a_secret,
        every_observation_is_whole,
    )
}


HOSTILE_FILES: Final[Mapping[str, bytes]] = {
    "empty": b"",
    "one byte": b"{",
    "not text": bytes(range(256)) * 40,
    "deep array": b"[" * 200_000,
    "deep object": b'{"a":' * 100_000,
    "deep xml": b"<a>" * 100_000,
    "entities": b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
    "one endless line": b"a" * 9_000_000,
    "one endless text": b'["' + b"a" * 9_000_000,
    "numbers": b"[1e999, -1e999, NaN, 9" + b"9" * 5_000 + b"]",
    "nulls": b"\x00" * 100_000,
    "utf-16": "trip;date\n1;2\n".encode("utf-16"),
    "surrogates": b'{"locations":["\\ud800", "\\udfff"]}',
    "names": b'[{"../../etc/passwd": {"__proto__": "\\u202e"}}]',
    "archive": b"PK\x03\x04" + b"\xff" * 200,
    "fit": b"\x0e\x10\x00\x00\xff\xff\xff\xff.FIT" + b"\xff" * 1_000,
    "commas": b"," * 300_000 + b"\n" + b"," * 300_000,
}
"""Files that no format gives, and that every importer must answer all the same."""


def survives_hostile_files(importer: FileImporter, *, at: datetime) -> None:
    """Each hostile file gives pages or HostileInputError: no other error, and an end."""
    for name, data in HOSTILE_FILES.items():
        importer.sniff(data[:65_536])
        try:
            for page in importer.read(io.BytesIO(data), account="a", at=at):
                assert not page.records, f"{name}: gave records"
        except HostileInputError:
            continue


HOSTILE_TOKENS: Final = ("", " ", "mvp_", "mvp_" + "x" * 43, "é" * 50, "x" * 5_000, "mvp_\x00")
"""Tokens nobody was given."""


def survives_hostile_bodies(receiver: PushReceiver, *, token: str) -> None:
    """Each hostile body is refused with a typed error or taken as nothing; no token but the right
    one opens; what is honest afterwards is the receiver's own test."""
    media = ("application/json", "application/ld+json", "text/html", "")
    for name, body in HOSTILE_FILES.items():
        for media_type in media:
            try:
                taken = receiver.take(body, token=token, media_type=media_type)
            except PushBusyError as error:
                assert error.retry_after_s, name
                break
            except (PushError, HostileInputError):
                continue
            assert taken == 0, f"{name}: taken"
    for wrong in HOSTILE_TOKENS:
        try:
            receiver.take(b"{}", token=wrong, media_type="application/json")
        except PushTokenError as error:
            assert not wrong.strip() or wrong not in f"{error} {error!r}", "told the token"
        else:
            raise AssertionError("a token nobody was given was taken")


def run(case: str, bench: Bench) -> None:
    """Run one case. The simulator behaves before and after."""
    bench.behave()
    try:
        CASES[case](bench)
    finally:
        bench.behave()


__all__ = [
    "CASES",
    "HOSTILE_FILES",
    "Bench",
    "Collected",
    "run",
    "survives_hostile_bodies",
    "survives_hostile_files",
]
