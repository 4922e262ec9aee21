"""The bounded client, against real servers on loopback and a name server of our own."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from federation.wire import errors
from federation.wire.http import AddressPolicy, BoundedClient, is_allowed

Act = Callable[[BaseHTTPRequestHandler], None]


def answer(
    status: int = 200,
    body: bytes = b"{}",
    media_type: str = "application/json",
    **headers: str,
) -> Act:
    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", media_type)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return act


class Upstream:
    """A server whose answer each test decides."""

    def __init__(self) -> None:
        self.act: Act = answer()
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                upstream.requests.append(
                    (self.command, self.path, headers, self.rfile.read(length))
                )
                try:
                    upstream.act(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_GET = do_POST = handle_any  # noqa: N815  # names of http.server

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=lambda: self.server.serve_forever(0.02), daemon=True).start()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def client() -> Iterator[BoundedClient]:
    with BoundedClient(timeout_s=1.0, max_bytes=10_000, allow=AddressPolicy.WITH_LOOPBACK) as made:
        yield made


def test_json_comes_back_parsed(client: BoundedClient, upstream: Upstream) -> None:
    upstream.act = answer(body=b'{"a": [1, "\xc3\xa9"]}', media_type="application/ld+json")
    assert client.get_json(f"{upstream.url}/x?y=1") == {"a": [1, "é"]}
    method, path, headers, _ = upstream.requests[0]
    assert (method, path) == ("GET", "/x?y=1")
    assert headers["accept"] == "application/json"
    assert "cookie" not in headers
    assert "authorization" not in headers


def test_a_post_carries_its_body_and_type(client: BoundedClient, upstream: Upstream) -> None:
    upstream.act = answer(202)
    assert client.post(f"{upstream.url}/", json={"a": 1}).status == 202
    client.post(f"{upstream.url}/", form={"a": "1 2"})
    client.post(f"{upstream.url}/", body=b"\x00\x01")
    sent = [(headers["content-type"], body) for _, _, headers, body in upstream.requests]
    assert sent == [
        ("application/json", b'{"a":1}'),
        ("application/x-www-form-urlencoded", b"a=1+2"),
        ("application/octet-stream", b"\x00\x01"),
    ]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "::1", "0.0.0.0", "10.0.0.8", "100.64.0.1", "169.254.169.254", "172.16.3.4",
        "192.168.1.1", "192.0.0.8", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::",
        "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "2001:db8::1", "not an address", "",
    ],
)  # fmt: skip
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not is_allowed(address, AddressPolicy.PUBLIC)


@pytest.mark.parametrize("address", ["9.9.9.9", "193.48.0.1", "2620:fe::fe", "2a01:e0a::1"])
def test_what_is_public_is_allowed(address: str) -> None:
    assert is_allowed(address, AddressPolicy.PUBLIC)


def test_loopback_is_allowed_only_by_its_policy() -> None:
    for address in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
        assert is_allowed(address, AddressPolicy.WITH_LOOPBACK)
    assert not is_allowed("10.0.0.1", AddressPolicy.WITH_LOOPBACK)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "ftp://example.org/", "file:///etc/passwd", "https:///x",
        "https://user:secret@example.org/", "gopher://x", "//example.org", "",
        "https://" + "a" * 5000,
    ],
)  # fmt: skip
def test_a_url_outside_the_policy_is_refused_before_any_lookup(url: str) -> None:
    def never(host: str, port: int) -> Sequence[str]:
        raise AssertionError("looked up")

    with (
        BoundedClient(resolve=never) as client,
        pytest.raises(errors.AddressRefusedError) as caught,
    ):
        client.get(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["9.9.9.9", "127.0.0.1"], ["10.0.0.1"], ["::ffff:169.254.169.254"], []],
)
def test_a_name_with_one_address_that_is_not_public_is_refused(addresses: list[str]) -> None:
    with (
        BoundedClient(resolve=lambda host, port: addresses) as client,
        pytest.raises(errors.AddressRefusedError),
    ):
        client.get("https://rebind.example/")


def test_the_connection_goes_to_the_address_that_was_checked(upstream: Upstream) -> None:
    """A name server that answers otherwise the second time is never asked a second time."""
    asked: list[str] = []

    def turncoat(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    port = upstream.server.server_port
    with BoundedClient(allow=AddressPolicy.WITH_LOOPBACK, resolve=turncoat) as client:
        client.get(f"http://name.example:{port}/")
    assert asked == ["name.example"]
    assert upstream.requests[0][2]["host"] == f"name.example:{port}"


def test_plain_http_goes_to_this_machine_only() -> None:
    with (
        BoundedClient(
            allow=AddressPolicy.WITH_LOOPBACK, resolve=lambda host, port: ["9.9.9.9"]
        ) as client,
        pytest.raises(errors.AddressRefusedError),
    ):
        client.get("http://public.example/")


def test_the_environment_names_no_proxy(
    client: BoundedClient, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert client.get(upstream.url).status == 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused(client: BoundedClient, upstream: Upstream, status: int) -> None:
    upstream.act = answer(status, Location="http://127.0.0.1:1/")
    with pytest.raises(errors.RedirectRefusedError):
        client.get(upstream.url)
    assert len(upstream.requests) == 1


def test_a_declared_size_over_the_limit_is_refused(
    client: BoundedClient, upstream: Upstream
) -> None:
    upstream.act = answer(body=b"x" * 10, Content_Length="10001")
    with pytest.raises(errors.ResponseTooLargeError):
        client.get(upstream.url)


def test_an_undeclared_size_over_the_limit_is_refused(
    client: BoundedClient, upstream: Upstream
) -> None:
    def chunked(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"3e8\r\n" + b" " * 1000 + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    upstream.act = chunked
    with pytest.raises(errors.ResponseTooLargeError):
        client.get(upstream.url)


def test_a_decompression_bomb_is_refused(client: BoundedClient, upstream: Upstream) -> None:
    bomb = gzip.compress(b" " * 5_000_000)
    assert len(bomb) < 10_000
    upstream.act = answer(body=bomb, Content_Encoding="gzip")
    with pytest.raises(errors.ResponseTooLargeError):
        client.get(upstream.url)


def test_gzip_is_read_and_nothing_else(client: BoundedClient, upstream: Upstream) -> None:
    upstream.act = answer(body=gzip.compress(b'{"a":1}'), Content_Encoding="gzip")
    assert client.get_json(upstream.url) == {"a": 1}
    for body, encoding in (
        (b"not gzip", "gzip"),
        (gzip.compress(b"{}")[:-4], "gzip"),
        (b"{}", "br"),
    ):
        upstream.act = answer(body=body, Content_Encoding=encoding)
        with pytest.raises(errors.ResponseUnreadableError):
            client.get(upstream.url)


def test_another_media_type_is_refused(client: BoundedClient, upstream: Upstream) -> None:
    upstream.act = answer(body=b"<html></html>", media_type="text/html; charset=utf-8")
    with pytest.raises(errors.ContentTypeRefusedError) as caught:
        client.get(upstream.url)
    assert caught.value.found == "text/html"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"a":1,"a":2}', b"[NaN]", b"[Infinity]", b"\xff", b"[" * 70 + b"]" * 70,
     b"[" * 5000],
)  # fmt: skip
def test_json_that_two_readers_could_read_differently_is_refused(
    client: BoundedClient, upstream: Upstream, body: bytes
) -> None:
    upstream.act = answer(body=body)
    with pytest.raises(errors.ResponseUnreadableError):
        client.get_json(upstream.url)


def test_a_silent_server_is_unreachable(client: BoundedClient, upstream: Upstream) -> None:
    upstream.act = lambda handler: time.sleep(2)
    began = time.monotonic()
    with pytest.raises(errors.UnreachableError):
        client.get(upstream.url)
    assert time.monotonic() - began < 1.9


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b""])
def test_a_server_that_drips_is_cut_off(
    client: BoundedClient, upstream: Upstream, start: bytes
) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(start)
        for letter in start or b"HTTP/1.1 200 OK\r\nX-Slow: 1234567890123456789012345":
            handler.wfile.write(bytes([letter]))
            handler.wfile.flush()
            time.sleep(0.2)

    upstream.act = drip
    began = time.monotonic()
    with pytest.raises(errors.UnreachableError):
        client.get(upstream.url)
    assert time.monotonic() - began < 5


def test_nobody_listening_is_unreachable(client: BoundedClient) -> None:
    with pytest.raises(errors.UnreachableError):
        client.get("http://127.0.0.1:1/")


def test_a_broken_answer_is_unreachable(client: BoundedClient, upstream: Upstream) -> None:
    def garbage(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"\x00\x01 nonsense\r\n\r\n")
        handler.close_connection = True

    upstream.act = garbage
    with pytest.raises(errors.UnreachableError):
        client.get(upstream.url)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7),
        ({"Retry_After": "99999999"}, 86_400),
        ({"Retry_After": "soon"}, None),
        ({}, None),
        ({"Retry_After": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0),
    ],
)
def test_a_busy_server_says_when_to_come_back(
    client: BoundedClient, upstream: Upstream, headers: dict[str, str], seconds: int | None
) -> None:
    for status in (429, 503):
        upstream.act = answer(status, **headers)
        with pytest.raises(errors.UpstreamBusyError) as caught:
            client.get(upstream.url)
        assert (caught.value.status, caught.value.retry_after_s) == (status, seconds)


def test_a_problem_gives_its_code(client: BoundedClient, upstream: Upstream) -> None:
    upstream.act = answer(409, b'{"code":"wrong-seq"}', "application/problem+json")
    with pytest.raises(errors.UpstreamStatusError) as caught:
        client.get(f"{upstream.url}/secret-path")
    assert (caught.value.status, caught.value.problem_code) == (409, "wrong-seq")
    assert "secret-path" not in str(caught.value)
    answered = client.get(upstream.url, statuses=(200, 409), accept=("application/problem+json",))
    assert answered.json() == {"code": "wrong-seq"}
