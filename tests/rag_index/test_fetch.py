"""Photos by address: what is never asked, redirects included, limits, and what is kept for the next time."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from rag_index.imports.fetch import Fetcher, FetchLimits, FetchProblem, is_public

PUBLIC = "93.184.215.14"
JPEG = b"\xff\xd8\xff" + b"x" * 100


def fetcher(folder: Path, answer: Callable[[httpx.Request], httpx.Response], **hosts: str) -> Fetcher:
    """Hosts that are not named are public."""
    return Fetcher(
        folder,
        FetchLimits(bytes=1_000, seconds=5, redirects=2, refusals=2, at_once=1),
        httpx.MockTransport(answer),
        lambda host, port: [hosts.get(host.partition(".")[0], host if host[0].isdigit() or ":" in host else PUBLIC)],
    )


def one(got: Fetcher, address: str) -> Path | FetchProblem:
    return got.fetch_all([address])[address]


@pytest.fixture
def local_server() -> Iterator[tuple[int, list[str]]]:
    """A server on this machine, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(JPEG)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], asked
    server.shutdown()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "127.1"]
)
def test_this_machine_is_never_asked(tmp_path: Path, host: str, local_server: tuple[int, list[str]]) -> None:
    port, asked = local_server
    got = one(Fetcher(tmp_path), f"http://{host}:{port}/a.jpg")
    assert isinstance(got, FetchProblem)
    assert "private network" in str(got)
    assert not asked


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255",
     "::1", "::", "fe80::1%eth0", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "no address"],
)  # fmt: skip
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1"])
def test_a_name_or_a_redirect_that_leads_inside_is_refused(tmp_path: Path, inside: str) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["host"])
        literal = f"[{inside}]" if ":" in inside else inside
        to = {"/name": "http://evil.example/x", "/number": f"http://{literal}/x"}[request.url.path]
        return httpx.Response(302, headers={"location": to})

    got = fetcher(tmp_path, answer, evil=inside)
    for address in ("http://evil.example/a.jpg", "http://shop.example/name", "http://shop.example/number"):
        assert "private network" in str(one(got, address))
    assert asked == ["shop.example"] * 2


def test_the_connection_goes_to_the_number_that_was_looked_at(tmp_path: Path) -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, content=JPEG)

    assert isinstance(one(fetcher(tmp_path, answer), "https://shop.example:8443/a.jpg?v=1"), Path)
    assert (requests[0].url.host, requests[0].url.port, requests[0].url.query) == (PUBLIC, 8443, b"v=1")
    assert requests[0].headers["host"] == "shop.example:8443"
    assert requests[0].extensions["sni_hostname"] == "shop.example"


@pytest.mark.parametrize("address", ["http://user:pw@shop.example/a.jpg", "http:///a.jpg", "http://"])
def test_odd_addresses(tmp_path: Path, address: str) -> None:
    assert isinstance(one(fetcher(tmp_path, lambda _: httpx.Response(200, content=JPEG)), address), FetchProblem)


def test_limits(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/large":
            return httpx.Response(200, content=b"x" * 1_001)
        if path == "/page":
            return httpx.Response(200, html="<p>gone</p>")
        if path == "/gone":
            return httpx.Response(404)
        if path == "/round":
            return httpx.Response(301, headers={"location": "/round"})
        if path == "/file":
            return httpx.Response(301, headers={"location": "file:///etc/passwd"})
        raise httpx.ConnectTimeout("slow")

    got = fetcher(tmp_path, answer)
    for path, says in (
        ("large", "larger than"),
        ("page", "not a photo"),
        ("gone", "answer 404"),
        ("round", "more than 2 redirects"),
        ("file", "not plain http"),
        ("slow1", "does not answer"),
        ("slow2", "does not answer"),
        ("slow3", "left alone"),
    ):
        assert says in str(one(got, f"https://shop.example/{path}"))
    assert not list(tmp_path.iterdir())


def test_what_was_fetched_is_not_fetched_again(tmp_path: Path) -> None:
    count = [0]

    def answer(request: httpx.Request) -> httpx.Response:
        count[0] += 1
        return (
            httpx.Response(302, headers={"location": "/b"})
            if request.url.path == "/a"
            else httpx.Response(200, content=JPEG)
        )

    first = one(fetcher(tmp_path, answer), "https://shop.example/a")
    again = one(fetcher(tmp_path, answer), "https://shop.example/a")
    assert isinstance(first, Path)
    assert first == again
    assert first.read_bytes() == JPEG
    assert count == [2]
