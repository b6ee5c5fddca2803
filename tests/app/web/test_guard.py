"""A real server and people who take their time: nobody's connection may take a place, a byte of disk or an hour."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app.accounts.sellers import Sellers
from app.settings import Settings
from app.store.db import open_store
from tests.app.support import slow_server
from tests.app.support.clients import PASSWORD, add_accounts, becomes
from tests.forked import Forked

UPLOAD = "multipart/form-data; boundary=x; of=photos"
ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.server


class Guarded:
    """A server process with accounts, tokens of three sellers, and a folder of its own for temp files."""

    def __init__(self, home: Path, **settings: object) -> None:
        self.home, self.temp = home, home / "temp"
        self.temp.mkdir()
        names, url = ("ann", "bob", "cyd"), Settings(home=home).store_url
        add_accounts(url, names, PASSWORD)
        store = open_store(url)
        sellers = Sellers(store)
        self.tokens = {name: sellers.new_token(sellers.named(name)) for name in names}
        store.engine.dispose()
        chosen = {name if name.isupper() else f"IPL_{name.upper()}": str(value) for name, value in settings.items()}
        own = {"IPL_SHUTDOWN_SECONDS": "1", "TMPDIR": str(self.temp)}
        self.process = Forked(slow_server.main, str(home), 0.0, **own, **chosen)
        found = re.search(r"http://([\d.]+):(\d+)", self.process.line_with("http://"))
        assert found, "the server did not start"
        self.url, self.address = found[0], (found[1], int(found[2]))

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()

    def bearer(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[name]}"}

    def temp_bytes(self) -> int:
        """Bytes in temp files of the server, those without a name included."""
        total = 0
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if os.readlink(link).startswith(str(self.temp)):
                    total += link.stat().st_size
        return total


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Guarded]]:
    running: list[Guarded] = []

    def _start(**settings: object) -> Guarded:
        running.append(Guarded(tmp_path, **settings))
        return running[-1]

    yield _start
    for server in running:
        server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One with the usual settings, for all who only talk to it."""
    running = Guarded(tmp_path_factory.mktemp("guarded"))
    yield running
    running.stop()


def request(path: str, length: int | None = None, token: str = "", kind: str = "application/json") -> bytes:
    """The head of a POST, or of a GET where no length is given."""
    lines = [f"{'GET' if length is None else 'POST'} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {kind}"]
    lines += [f"Content-Length: {length}"] * (length is not None) + [f"Authorization: Bearer {token}"] * bool(token)
    lines += ["Expect: 100-continue"] * (kind == UPLOAD)  # the server says 100 when it begins to read the body
    return "\r\n".join([*lines, "", ""]).encode()


@contextlib.contextmanager
def connections(server: Guarded, count: int, first: bytes, source: str = "127.0.0.1") -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(socket.create_connection(server.address, 60, (source, 0))) for _ in range(count)]
        for each in made:
            each.sendall(first)
        yield made


def answer(connection: socket.socket, seconds: float) -> tuple[bytes, bool]:
    """What came within that time, and whether the server then closed the connection."""
    received, until = b"", time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            data = connection.recv(65536)
        except TimeoutError:
            break
        except ConnectionError:
            return received, True
        if not data:
            return received, True
        received += data
    return received, False


def answered(connection: socket.socket) -> int:
    """The status of the next answer, as soon as it comes: whether it comes is asked here, how soon by the benchmark."""
    connection.settimeout(60)
    got = http.client.HTTPResponse(connection)
    try:
        got.begin()
        got.read()  # whole, so that the next one begins where this one ends
    except (TimeoutError, ConnectionError):
        return 0
    return got.status


def first_status(connection: socket.socket) -> int:
    """What the server says first: 100 where it waits for the body, otherwise its answer."""
    connection.settimeout(60)
    received = b""
    while b"\r\n" not in received:
        received += connection.recv(1)
    return status(received)


def status(received: bytes) -> int:
    return int(received.split(b" ", 2)[1]) if received.startswith(b"HTTP/1.1 ") else 0


def get(server: Guarded, name: str, path: str = "/v1/listings") -> int:
    """The status of a call of somebody who is signed in; benchmarks.serving.abuse measures how long it takes."""
    return httpx.get(server.url + path, headers=server.bearer(name), timeout=60).status_code


def sign_in(server: Guarded, password: str = PASSWORD) -> int:
    form = {"name": "ann", "password": password}
    return httpx.post(server.url + "/sign-in", data=form, timeout=60).status_code


def still_open(connections: list[socket.socket]) -> int:
    return sum(not answer(each, 0.002)[1] for each in connections)


def test_callers_without_a_password_take_no_places(server):
    with connections(server, 40, request("/v1/listings", 100)) as idle:
        assert get(server, "ann") == 200
        for each in idle:
            received, closed = answer(each, 60)
            assert (status(received), closed) == (401, True), received


@pytest.mark.parametrize("path", ["/v1/drafts", "/v1/posts", "/v1/listings/search"])
def test_nothing_is_kept_of_a_body_that_nobody_sends(server, path):
    part = b'--x\r\nContent-Disposition: form-data; name="photos"; filename="a.jpg"\r\n\r\n'
    head = request(path, 100_000_000, kind="multipart/form-data; boundary=x")
    highest = 0
    with connections(server, 2, head + part) as senders:
        for each in senders:
            each.settimeout(2)
            with contextlib.suppress(OSError):
                for _ in range(20):
                    each.sendall(b"\xff" * 1_000_000)
                    highest = max(highest, server.temp_bytes())
        time.sleep(0.3)
        highest = max(highest, server.temp_bytes())
    assert highest == 0


def test_open_addresses_take_small_bodies_only(server):
    assert sign_in(server, "x" * 100_000) == 413
    assert httpx.request("GET", server.url + "/healthz", content=b"x" * 100_000, timeout=30).status_code == 413
    assert httpx.get(server.url + "/healthz").status_code == 200


def test_a_body_that_does_not_come_is_not_waited_for(start):
    server = start(PATIENCE=2)
    token = server.tokens["ann"]

    def trickle(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(1)

    with connections(server, 2, request("/v1/listings", 1000, token)) as (silent, slow), ThreadPoolExecutor(3) as pool:
        silent.sendall(b"{")
        pool.submit(trickle, slow)
        for waiting in [pool.submit(answer, each, 100) for each in (silent, slow)]:
            received, closed = waiting.result()
            assert (status(received), closed) == (408, True)
            assert b'"error"' in received


def test_headers_have_to_come_in_time_and_to_an_end(start):
    server = start(PATIENCE=2)
    with connections(server, 3, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ") as (slow, endless, second):
        second.sendall(b"x\r\n\r\n")
        second.recv(65536)
        second.sendall(b"GET /healthz HTTP/1.1\r\nX-")  # a second request on the same connection
        endless.settimeout(60)
        with contextlib.suppress(OSError):
            for _ in range(40):
                endless.sendall(b"x" * 100_000)
        for each in (endless, slow, second):
            assert answer(each, 100)[1]
    assert get(server, "ann") == 200


@pytest.mark.parametrize("path", ["/healthz", "/v1/listings"])
def test_a_request_behind_another_closes_the_connection(server, path):
    one = request(path, token=server.tokens["ann"])
    with connections(server, 1, one * 50) as (behind,), connections(server, 1, one) as (waiting,):
        received, closed = answer(behind, 60)
        assert (received.count(b"HTTP/1.1 "), status(received), closed) == (1, 200, True)
        for _ in range(3):
            assert answered(waiting) == 200
            waiting.sendall(one)


def test_strangers_who_hang_up_write_nothing_into_the_log(server):
    photo = request("/feed", 900_000, kind="multipart/form-data; boundary=x") + bytes(100_000)
    for number in range(30):
        with contextlib.ExitStack() as crowd:
            for sent in (request("/feed?q=jacket"), photo, request("/v1/listings", 100), request("/healthz") * 3):
                (hasty,) = crowd.enter_context(connections(server, 1, sent))
                if number % 2:
                    hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1" + bytes(7))  # without a farewell
            time.sleep(0.002 * (number % 5))
    for junk in (b"\0\1\2", b"GET /\r\n\r\n"):
        with connections(server, 1, junk) as (garbage,):
            assert answer(garbage, 60)[1]
    assert get(server, "ann") == 200
    assert server.process.said() == ""


def test_connections_of_one_address_are_bounded_and_new_ones_still_come_in(server):
    with connections(server, 300, b"GET /hea") as idle:
        assert get(server, "ann") == 200
        assert becomes(lambda: still_open(idle) <= 256)


def test_one_seller_does_not_take_the_places_of_another(server):
    with connections(server, 40, request("/v1/listings", 100, server.tokens["bob"])) as idle:
        refused: list[bytes] = []
        assert becomes(lambda: refused.extend(r for r, _ in (answer(each, 0.02) for each in idle) if r) or refused)
        assert get(server, "ann") == 200
        for received in refused:
            assert status(received) == 429
            assert b"retry-after: 1\r\n" in received.lower()
            assert b'"busy"' in received


def test_bodies_under_way_are_bounded_for_a_seller_and_in_total(start):
    server = start(BODY_MB=1)

    def posts(name: str, count: int):
        head = request("/v1/drafts", 900_000, server.tokens[name], UPLOAD)
        return connections(server, count, head)

    def is_let_in(name: str) -> bool:
        with posts(name, 1) as (connection,):
            return first_status(connection) == 100

    with posts("ann", 3) as of_ann:
        assert {first_status(each) for each in of_ann} == {100, 429}
    assert becomes(lambda: is_let_in("ann"))
    with contextlib.ExitStack() as stack:
        for name in ("ann", "bob"):
            assert becomes(lambda name=name: first_status(stack.enter_context(posts(name, 1))[0]) == 100)
        with posts("cyd", 1) as (third,):
            received, closed = answer(third, 60)
            assert (status(received), closed) == (429, True)
            assert b"retry-after: " in received.lower()
    assert becomes(lambda: is_let_in("cyd"))


def test_photos_of_strangers_under_way_are_one_of_an_address_and_two_in_total(server):
    photo = request("/feed", 20_000_000, kind=UPLOAD)
    with connections(server, 2, photo) as pair, connections(server, 1, photo, "127.0.0.2") as (third,):
        assert sorted(first_status(each) for each in pair) == [100, 429]
        assert first_status(third) == 100
        with connections(server, 1, photo, "127.0.0.3") as (fourth,):
            assert first_status(fourth) == 429
        assert get(server, "ann") == 200


FORM = "application/x-www-form-urlencoded"
ELSEWHERE = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
HALF = request("/sign-in", 200, kind=FORM) + b"name=ann&"


@pytest.mark.parametrize("sources", [("127.0.0.1",), ELSEWHERE], ids=["the same address", "three addresses"])
def test_bodies_that_strangers_send_slowly_keep_nobody_out(server, sources):
    with contextlib.ExitStack() as stack, socket.create_connection(server.address, 60) as early:
        call = request("/v1/listings", token=server.tokens["ann"])
        early.sendall(call)
        assert answered(early) == 200
        for source in sources * (6 // len(sources)):
            stack.enter_context(connections(server, 150, HALF, source))
            early.sendall(call)  # whoever was here before, stays
            assert answered(early) == 200
        assert [get(server, "ann") for _ in range(20)] == [200] * 20
        assert sign_in(server) == 303


def test_who_is_signed_in_stays_while_strangers_of_the_address_connect(start):
    server = start(connections=24)
    call = request("/v1/listings", token=server.tokens["ann"])
    with connections(server, 1, call) as (early,):
        assert answered(early) == 200
        with connections(server, 40, b"G"):
            time.sleep(0.5)
            early.sendall(call)
            assert answered(early) == 200


def test_a_stranger_with_a_slow_line_does_not_give_way_to_the_crowd_of_another_address(server):
    form = b"name=ann&password=long+enough"
    head = request("/sign-in", len(form), kind=FORM)
    with connections(server, 1, head + form[:9], "127.0.0.5") as (slow,), connections(server, 200, HALF, "127.0.0.2"):
        time.sleep(0.5)
        slow.sendall(form[9:])
        assert answered(slow) == 303


def test_bodies_of_strangers_under_way_are_bounded(server):
    with connections(server, 200, HALF, "127.0.0.2") as crowd:
        assert becomes(lambda: still_open(crowd) <= 64)


def test_photos_of_strangers_under_way_keep_nobody_from_signing_in(server):
    photo = request("/feed", 26_000_000, kind="multipart/form-data; boundary=x")
    with connections(server, 1, photo), connections(server, 1, photo, "127.0.0.2"):
        time.sleep(0.5)
        assert sign_in(server) == 303
