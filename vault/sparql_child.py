"""The query process of one open vault: no network, no core dumps, bounded memory.

Run as a file by `vault/sparql.py`; imports nothing of ours. Frames on stdin and stdout are
`length(4, big-endian) ‖ JSON`. First frames `{"load": "<N-Quads>"}` until `{"ready": true}` is
asked for, then `{"query": "…"}`.

Before a query runs: (1) it is parsed by rdflib as a query (updates do not parse), (2) SERVICE and
FROM are refused in the parse tree, (3) the words are refused again in the text outside strings and
IRIs, so that two parsers reading differently cannot let one through, (4) Oxigraph runs it.
"""

import contextlib
import ctypes
import json
import os
import re
import resource
import signal
import sys
from typing import Any

MEMORY = 1_500_000_000
"""Address space in bytes. Ten years of one citizen are some 600 000 quads, about 400 MB here."""
ROWS = 10_000
QUERY_BYTES = 64_000
CPU_S = 120

_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""'
    r"|'''(?:[^'\\]|\\.|'(?!''))*'''"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'(?:[^'\\\n]|\\.)*'"
    r"|<[^<>\"{}|^`\\\x00-\x20]*>"
    r"|#[^\n]*",
    re.DOTALL,
)
_FORBIDDEN = re.compile(
    r"(?<![:?$\w-])(SERVICE|FROM|LOAD|CLEAR|INSERT|DELETE|DROP|CREATE)\b", re.IGNORECASE
)


class RefusedQuery(Exception):
    """The query may not run."""


class TooManyRows(Exception):
    """More rows than allowed."""


def confine() -> None:
    """Limits first, before anything of the vault is read."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    with contextlib.suppress(AttributeError):
        libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: dies with the session's process
        libc.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE: no core, no ptrace by others
        # A network namespace with no way out, where the system allows one to be made.
        libc.unshare(0x10000000 | 0x40000000)  # CLONE_NEWUSER | CLONE_NEWNET


def check(text: str) -> None:
    """Steps 1 to 3. Raises RefusedQuery."""
    from rdflib.plugins.sparql.parser import parseQuery
    from rdflib.plugins.sparql.parserutils import CompValue

    if len(text.encode()) > QUERY_BYTES:
        raise RefusedQuery("the query is too long")
    bare = _STRING.sub(" ", text)
    if "\\" in bare:
        raise RefusedQuery("escapes outside strings are not allowed")
    try:
        tree = parseQuery(text)  # 1
    except RecursionError:
        raise RefusedQuery("the query is nested too deeply") from None
    except Exception as error:
        raise RefusedQuery(f"not a SPARQL query: {str(error)[:200]}") from None

    seen: list[Any] = [tree]  # 2
    while seen:
        node = seen.pop()
        if isinstance(node, CompValue):
            if node.name in {"ServiceGraphPattern", "DatasetClause"}:
                raise RefusedQuery("SERVICE and FROM are not allowed: a query stays in the vault")
            seen.extend(node.values())
        elif isinstance(node, (list, tuple)) or type(node).__name__ == "ParseResults":
            seen.extend(node)
    if _FORBIDDEN.search(bare):  # 3
        raise RefusedQuery("SERVICE, FROM and updates are not allowed")


def answer(store: Any, text: str) -> dict[str, Any]:
    """Run a checked query."""
    import pyoxigraph as ox

    result = store.query(text, use_default_graph_as_union=True)
    if isinstance(result, ox.QueryBoolean):
        return {"form": "ask", "truth": bool(result)}
    if isinstance(result, ox.QuerySolutions):
        variables = [variable.value for variable in result.variables]
        rows: list[list[str | None]] = []
        for solution in result:
            if len(rows) >= ROWS:
                raise TooManyRows
            rows.append([None if (v := solution[n]) is None else plain(v) for n in variables])
        return {"form": "select", "variables": variables, "rows": rows}
    lines: list[str] = []
    for triple in result:
        if len(lines) >= ROWS:
            raise TooManyRows
        lines.append(f"{triple} .")
    return {"form": "graph", "graph": "\n".join(lines) + ("\n" if lines else "")}


def plain(term: Any) -> str:
    """A term as text for a table: the value of an IRI or literal."""
    return str(getattr(term, "value", term))


def receive() -> dict[str, Any] | None:
    header = sys.stdin.buffer.read(4)
    if len(header) < 4:
        return None
    body = sys.stdin.buffer.read(int.from_bytes(header, "big"))
    found = json.loads(body)
    return found if isinstance(found, dict) else None


def send(message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    sys.stdout.buffer.write(len(body).to_bytes(4, "big") + body)
    sys.stdout.buffer.flush()


def main() -> None:
    confine()
    import pyoxigraph as ox

    store = ox.Store()
    while (message := receive()) is not None:
        try:
            if "load" in message:
                store.bulk_load(message["load"].encode(), ox.RdfFormat.N_QUADS)
                continue
            if "ready" in message:
                send({"ready": len(store)})
                continue
            check(message["query"])
            send(answer(store, message["query"]))
        except RefusedQuery as error:
            send({"refused": str(error)})
        except TooManyRows:
            send({"stopped": f"more than {ROWS} rows"})
        except MemoryError:
            os._exit(3)
        except (ValueError, SyntaxError, OSError, RuntimeError) as error:
            send({"refused": f"the query failed: {str(error)[:200]}"})


if __name__ == "__main__":
    main()
