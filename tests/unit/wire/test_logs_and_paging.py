"""Logs hold no content; cursors are good for their own list only."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from federation.wire import logs
from federation.wire.errors import CursorRefusedError
from federation.wire.paging import MAX_LIMIT, CursorSigner, clamp


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """A configured log; the process's configuration comes back afterwards."""
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    stream = io.StringIO()
    logs.configure(stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_with_its_ids(stream: io.StringIO) -> None:
    with logs.bound(request_id="r-1", vault_id="v-1"):
        structlog.get_logger("x").info("vault.drained", records=3)
    structlog.get_logger("x").info("after")
    first, second = lines(stream)
    assert (first["event"], first["records"], first["vault_id"]) == ("vault.drained", 3, "v-1")
    assert first["level"] == "info"
    assert first["timestamp"].endswith("Z")
    assert "vault_id" not in second


@pytest.mark.parametrize(
    "name",
    ["passphrase", "token", "session_token", "Authorization", "cookie", "pepper", "root_key",
     "recovery_code", "vp_token", "nullifier", "lat", "lon", "family_name", "email"],
)  # fmt: skip
def test_a_field_with_a_secret_name_is_not_written(stream: io.StringIO, name: str) -> None:
    structlog.get_logger("x").info("e", **{name: "s3cr3t", "deep": {"a": [{name: "s3cr3t"}]}})
    assert "s3cr3t" not in stream.getvalue()
    assert lines(stream)[0][name] == logs.REDACTED


@pytest.mark.parametrize(
    "text",
    [
        "Bearer s3cr3ts3cr3t",
        "https://user:s3cr3t@host/",
        "eyJhbGciOiJFUzI1NiJ9.s3cr3t.s3cr3t",
        "AGE-SECRET-KEY-1S3CR3TS3CR3T",
    ],
)
def test_a_secret_inside_a_value_is_not_written(stream: io.StringIO, text: str) -> None:
    structlog.get_logger("x").info("e", note=f"sent {text} to peer", raw=b"s3cr3t")
    assert "s3cr3t" not in stream.getvalue().lower()


def test_the_message_of_an_exception_is_not_written(stream: io.StringIO) -> None:
    try:
        raise ValueError("12 rue Barbès")
    except ValueError:
        structlog.get_logger("x").error("job.crashed", exc_info=True)
        logging.getLogger("library").exception("it broke")
    assert "Barbès" not in stream.getvalue()
    assert [line["error_type"] for line in lines(stream)] == ["builtins.ValueError"] * 2


def test_a_cursor_comes_back_as_it_went() -> None:
    signer = CursorSigner(b"k" * 16)
    for position in ({"after": "é"}, [1, "x"], "2026-01", 7):
        assert signer.read(signer.sign(position, of="trips"), of="trips") == position


@pytest.mark.parametrize("cursor", ["", ".", "a.b", "é.é", "a", "a.b.c", "x" * 5000, "e30.AAAA"])
def test_a_made_up_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(CursorRefusedError):
        CursorSigner(b"k" * 16).read(cursor, of="trips")


def test_a_cursor_of_another_list_or_server_or_altered_is_refused() -> None:
    signer = CursorSigner(b"k" * 16)
    cursor = signer.sign({"after": 3}, of="vault-1/trips")
    body, mac = cursor.split(".")
    for reader, given, of in (
        (signer, cursor, "vault-2/trips"),
        (CursorSigner(b"l" * 16), cursor, "vault-1/trips"),
        (signer, f"{body[:-1]}{'A' if body[-1] != 'A' else 'B'}.{mac}", "vault-1/trips"),
    ):
        with pytest.raises(CursorRefusedError):
            reader.read(given, of=of)


def test_a_page_size_is_bounded() -> None:
    assert [clamp(value) for value in (None, -5, 0, 7, 10_000)] == [50, 1, 1, 7, MAX_LIMIT]
    with pytest.raises(ValueError, match="16 bytes"):
        CursorSigner(b"short")
