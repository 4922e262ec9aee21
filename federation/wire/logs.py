"""Structured logs: one JSON object a line, an event name and fields, never content.

`configure` is called once by each process. Request, task and vault ids come from contextvars
(`bound(request_id=…)`), so that no function passes them along.
"""

import contextlib
import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from typing import Any, Final, TextIO

import structlog

__all__ = ["REDACTED", "bound", "configure", "redact"]

REDACTED: Final = "***"

_SECRET_NAMES: Final = re.compile(
    r"(pass(word|phrase|wd)?|secret|token|cookie|authorization|pepper|private|root_?key|seed|"
    r"api_?key|signature|recovery|session_value|vp_token|nullifier|latitude|longitude|"
    r"^lat$|^lon$|^lng$|coordinates?|address|email|phone|family_name|given_name|birth)",
    re.IGNORECASE,
)
_LONG_SECRET: Final = re.compile(
    r"(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"  # a JWT
    r"|AGE-SECRET-KEY-1[0-9A-Z]+"
    r"|(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|://[^/\s:@]+:[^/\s@]+@)"  # userinfo of a URL
)


def redact(value: Any, *, name: str = "", depth: int = 0) -> Any:
    """`value` with whatever must not be written replaced by `***`, nested values too."""
    if name and _SECRET_NAMES.search(name):
        return REDACTED
    if isinstance(value, str):
        cleaned = _LONG_SECRET.sub(
            lambda hit: f"://{REDACTED}@" if hit.group().startswith("://") else REDACTED, value
        )
        return cleaned if len(cleaned) <= 2000 else cleaned[:2000] + "…"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if depth > 6:
        return "…"
    if isinstance(value, dict):
        return {
            str(key): redact(item, name=str(key), depth=depth + 1) for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, depth=depth + 1) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value), depth=depth + 1)


def _redacted(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {key: redact(value, name="" if key == "event" else key) for key, value in event.items()}


def _without_messages(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Tracebacks name code, never values: the message of a foreign exception may quote data."""
    info = event.pop("exc_info", None)
    if info:
        kind, error, trace = info if isinstance(info, tuple) else sys.exc_info()
        if kind is not None:
            event["error_type"] = f"{kind.__module__}.{kind.__qualname__}"
            event["error_code"] = getattr(error, "code", None)
            frames = []
            while trace is not None:
                code = trace.tb_frame.f_code
                frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}")
                trace = trace.tb_next
            event["frames"] = frames[-12:]
    return event


def configure(*, level: str = "INFO", stream: TextIO | None = None, json: bool = True) -> None:
    """Send structlog and the standard library's logging to one stream, redacted.

    `json=False` is for a person's terminal. Calling it again replaces the configuration.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_messages,
        _redacted,
    ]
    last: Any = (
        structlog.processors.JSONRenderer(sort_keys=False, ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Access logs hold paths and addresses, SQL echoes hold values: ours are the events.
    for noisy in (
        "uvicorn.access",
        "httpx",
        "httpcore",
        "sqlalchemy.engine",
        "alembic",
        "fontTools",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "celery"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


@contextlib.contextmanager
def bound(**ids: str) -> Iterator[None]:
    """Every event of this block (and of what it calls) carries these ids."""
    with structlog.contextvars.bound_contextvars(**ids):
        yield
