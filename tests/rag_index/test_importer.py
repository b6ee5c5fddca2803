"""Catalogues into the index: scrubbing, vectors, what is left out, going on after a stop; and photos by address."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch

from rag_index import Encoders, ListingIndex, ReadPhoto, Tools, build
from rag_index.imports.catalogue import open_catalogue
from rag_index.imports.fetch import Fetcher, FetchLimits, FetchProblem, is_public
from rag_index.imports.importer import BATCH, Import
from rag_index.imports.record_checks import ContactCheck
from tests.rag_index.listings import IMAGE, INFO, TEXT, WORDS, by_letters

RED = {"title": "Red hat", "category": "Hats", "price": "12,50", "colour": "Cherry", "sold": "yes"}
ROWS: list[dict[str, Any]] = [
    {**RED, "photos": ["a.jpg", "b.jpg"]},
    {"title": "", "category": "Hats"},
    {"title": "Thing", "category": "Gizmos"},
    {"title": "Green hat, mail SECRET", "category": "Hats", "price": "1.234,00 EUR", "brand": "SECRET"},
    {"title": "Odd hat", "category": "Hats", "photos": ["gone.jpg"]},
    {"title": "Half hat", "category": "Hats", "photos": ["gone.jpg", "a.jpg"]},
]


def read_photos(paths: Sequence[Path]) -> list[ReadPhoto]:
    for path in paths:
        if not path.is_file():
            raise ValueError(f"{path.name} is not there.")
    return [ReadPhoto(p.name, "0" * 16) for p in paths]


class StandIn(Encoders):
    """Photos are their names, texts their lengths; counts how often it is asked."""

    info = INFO  # type: ignore[assignment]
    asked = 0

    def image_vectors(self, photos: Sequence[Any]) -> np.ndarray:
        return np.eye(IMAGE)[[{"a.jpg": 0, "b.jpg": 1}[name] for name in photos]].reshape(-1, IMAGE)

    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        type(self).asked += 1
        return np.eye(TEXT)[[len(t) % TEXT for t in texts]]


TOOLS = Tools(lambda text: text.replace("SECRET", "[removed]"), read_photos)


def table(folder: Path, rows: Sequence[dict[str, Any]] = ROWS) -> Path:
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_text(name)  # photos that differ
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def importing(path: Path, check: ContactCheck | None = None, encoders: Encoders | None = None) -> Import:
    catalogue = open_catalogue(path, WORDS, by_letters)
    return Import(catalogue, TOOLS, encoders or StandIn("", ""), path.parent / "work", check)


def test_into_the_index(tmp_path: Path) -> None:
    run = importing(table(tmp_path))
    report = run.prepare()
    assert (report.read, report.usable, report.custom) == (6, 4, 1)
    assert list(report.lines()) == [
        "6 rows read, 4 can be used, 1 under a category of their own.",
        "  left out 1: its title is empty (line 2)",
        "  left out 1: none of its photos can be used (line 5: gone.jpg is not there.)",
    ]
    build([], tmp_path / "index", INFO)
    with ListingIndex.open(tmp_path / "index", INFO) as index:
        for _ in range(2):
            index.add(run.records())
        assert index.count() == 4, "importing again changes nothing"
        hat, green, half, other = (index.get(f"mine-{n}") for n in (1, 4, 6, 3))
    assert (hat.category, hat.phashes, hat.origin, hat.price, hat.sold) == ("Hat", ["0" * 16] * 2, "user", 12.5, True)
    assert hat.attributes == {"colour": "red"}
    assert np.allclose(hat.image_vectors, np.eye(IMAGE)[:2])
    assert np.allclose(half.image_vectors, np.eye(IMAGE)[:1])
    assert (green.text, green.price, green.currency) == ("Green hat, mail [removed]", 1234.0, "EUR")
    assert green.attributes == {"brand": "[removed]"}
    assert (other.category, other.text) == ("Gizmos", "Thing")


def test_refused_record_leaves_its_group(tmp_path: Path) -> None:
    rows = [{"title": t, "category": "hat"} for t in ("Red hat", "Hat, call 0171 2345 67890", "Blue hat")]
    run = importing(table(tmp_path, rows), {"Hat, call 0171 2345 67890": "phone"}.get)
    report = run.prepare()
    assert report.usable == 2
    ((count, first),) = report.left_out.values()
    assert (count, first.place) == (1, "line 2")
    assert "contact data" in first.detail


def test_photos_are_encoded_again_in_another_precision(tmp_path: Path) -> None:
    precisions = list[bool]()

    class Looking(StandIn):
        def image_vectors(self, photos: Sequence[Any]) -> np.ndarray:
            precisions.append(torch.is_autocast_enabled("cpu"))
            return super().image_vectors(photos)

    path = table(tmp_path, ROWS[:1])
    for bf16 in (True, True, False, False):
        replace(importing(path, encoders=Looking("", "")), bf16=bf16).prepare()
    assert precisions == [True, False]


def test_an_import_that_was_stopped_goes_on(tmp_path: Path) -> None:
    class Stopping(StandIn):
        asked = 0

        def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
            if type(self).asked == 2:
                raise KeyboardInterrupt
            return super().text_vectors(texts)

    path = table(tmp_path, [{"title": f"Hat {n}", "category": "hat"} for n in range(3 * BATCH)])
    with pytest.raises(KeyboardInterrupt):
        importing(path, encoders=Stopping("", "")).prepare()
    fresh = type("Fresh", (StandIn,), {"asked": 0})
    run = importing(path, encoders=fresh("", ""))
    assert run.prepare().usable == 3 * BATCH
    assert fresh.asked == 1, "two of three groups were there"
    assert [r.text for r in run.records()] == [f"Hat {n}" for n in range(3 * BATCH)]
    run.done()
    assert not list(run.records())
    assert importing(path, encoders=fresh("", "")).prepare().usable == 3 * BATCH
    assert fresh.asked == 1, "what was encoded stays for the next mapping"


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
    assert all(map(is_public, (PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14")))


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1"])
def test_names_and_redirects_inside_are_refused(tmp_path: Path, inside: str) -> None:
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


def test_connection_goes_to_the_checked_number(tmp_path: Path) -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, content=JPEG)

    assert isinstance(one(fetcher(tmp_path, answer), "https://shop.example:8443/a.jpg?v=1"), Path)
    assert (requests[0].url.host, requests[0].url.port, requests[0].url.query) == (PUBLIC, 8443, b"v=1")
    assert requests[0].headers["host"] == "shop.example:8443"
    assert requests[0].extensions["sni_hostname"] == "shop.example"


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
    for odd in ("http://user:pw@shop.example/a.jpg", "http:///a.jpg", "http://"):
        assert isinstance(one(got, odd), FetchProblem)
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
