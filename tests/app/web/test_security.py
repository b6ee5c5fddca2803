"""What an attacker would try: markup, paths, addresses to fetch, large bodies, other people's doors."""

from __future__ import annotations

import io
import re
import socket
import struct
import zlib
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from PIL import Image

from app.ops import charts as pictures
from app.ops import numbers
from app.ops.answers import Answer
from app.ops.html import cards, picture, slate_table
from app.ops.page import build_page
from app.seller.draft_part import FOLDER, marked
from tests.app.feed.test_feed_log import visit
from tests.app.support.clients import client_of, code, draft, published
from tests.fakes import jpeg

BAD = "</td><img src=x onerror=alert(1)><script>alert(2)</script><a href='javascript:alert(3)'>\" onclick=\"alert(4)"


class Tags(HTMLParser):
    """The tags and event attributes that a browser would make of a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: set[str] = set()
        self.addresses: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.handlers |= {name for name, _ in attrs if name.startswith("on")}
        self.addresses |= {value or "" for name, value in attrs if name in ("href", "src")}


def harmless(html: str) -> bool:
    found = Tags(html)
    foreign = [a for a in found.addresses if not a.startswith(("/", "data:image/", "#"))]
    return not found.handlers and "script" not in found.tags and not foreign


def test_the_check_itself_sees_an_attack():
    assert not harmless(f"<p>{BAD}</p>")
    assert not harmless("<a href='javascript:alert(1)'>x</a>")
    assert harmless("<a href='/ops'>x</a>&lt;script&gt;")


@pytest.fixture
def attacked(build):
    """A feed in which a title, a description, a category's neighbour and a visitor's name are an attack."""
    services = build(feed_per_second=1e6)
    with client_of(services) as client:
        listing = published(client, title=BAD[:110], description=BAD, price=5)
        for n in range(3):
            visit(client, f"v{n}", click=[listing["id"]])
        yield services, client, listing


def test_titles_are_text_on_the_operators_page(attacked):
    services, *_ = attacked
    slate, listings = services.feed.explain("v1", 20)
    titles = {n: x.title for n, x in listings.items()}
    assert "<script>" in "".join(titles.values())
    html = slate_table(numbers.feed_table(slate, titles, dict.fromkeys(listings, BAD)))
    assert "&lt;script&gt;" in html
    assert harmless(html)
    assert harmless(cards([Answer(BAD, "bad", BAD, BAD)]))
    figure = pictures.funnel({BAD: 3}, {BAD: 1.0})
    assert harmless(picture(figure))


def test_what_an_operator_types_is_text(attacked):
    services, *_ = attacked
    page = build_page(services)
    look = next(f for f in page.fns.values() if f.name == "_look")
    for part in look.fn(BAD):
        assert harmless(part)


def test_tables_of_the_operators_page_show_no_markup(attacked):
    services, *_ = attacked
    page = build_page(services)
    frames = [c for c in page.config["components"] if c["type"] == "dataframe"]
    assert len(frames) >= 4
    for frame in frames:
        kinds = frame["props"]["datatype"]
        assert set([kinds] if isinstance(kinds, str) else kinds) <= {"str", "number", "bool", "date"}


def test_every_template_of_the_sellers_page_escapes():
    for flag_text in ("plain", BAD):
        assert harmless(str(marked(flag_text, [SimpleNamespace(span=(0, 5))])))
    for file in FOLDER.glob("*.html"):
        source = file.read_text()
        assert "|safe" not in source.replace(" ", "")
        assert "autoescape false" not in source


def test_paths_that_lead_elsewhere_lead_nowhere(client, services):
    secret = services.settings.home / "session.key"
    assert secret.is_file()
    for path in (
        "../session.key",
        "..%2fsession.key",
        "%2e%2e/session.key",
        "....//session.key",
        "/etc/passwd",
        "a\\..\\b",
    ):
        for place in ("/v1/photos/", "/v1/drafts/", "/v1/listings/", "/ops/export/"):
            answer = client.get(f"{place}{path}")
            assert answer.status_code in (404, 422), (place, path)
            assert secret.read_bytes() not in answer.content
    assert code(client.get("/v1/photos/" + "0" * 31 + "G")) == (404, "not_found")


def test_names_of_uploaded_files_name_nothing(client, services):
    before = {p for p in services.settings.home.parent.rglob("*") if p.is_file()}
    for name in ("../../evil.jpg", "/tmp/evil.jpg", "evil.php", "x\0.jpg", "a" * 300 + ".jpg"):
        answer = client.post("/v1/drafts", files=[("photos", (name, jpeg(), "image/jpeg"))])
        assert answer.status_code == 201
        assert "evil" not in answer.text
    new = {p for p in services.settings.home.parent.rglob("*") if p.is_file()} - before
    photos = [p for p in new if p.suffix == ".jpg"]
    assert len(photos) == 5
    assert all(re.fullmatch("[0-9a-f]{32}", p.stem) and p.is_relative_to(services.media.folder) for p in photos)


def test_no_address_is_ever_fetched(client, monkeypatch):
    """A photo is bytes, never an address; an address in words is words."""
    asked: list[object] = []

    def refuse(*where, **_):
        asked.append(where)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    url = "http://169.254.169.254/latest/meta-data"
    assert code(client.post("/v1/drafts", data={"photos": url})) == (422, "invalid")
    assert code(client.post("/v1/drafts", json={"photos": [url]})) == (422, "invalid")
    assert code(client.post("/v1/drafts", files=[("photos", ("a.jpg", url.encode()))])) == (422, "not_an_image")
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>'.encode()
    assert code(client.post("/v1/drafts", files=[("photos", ("a.svg", svg, "image/svg+xml"))])) == (422, "not_an_image")
    assert draft(client, note=f"See {url}").status_code == 201
    assert client.post("/v1/listings/search", data={"q": url}).status_code == 200
    assert asked == []


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that claims to have that many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )


def test_uploads_have_limits(client):
    assert client.post("/v1/drafts", files=[("photos", bomb(60_000, 60_000))]).status_code in (413, 422)
    big = io.BytesIO()
    Image.new("RGB", (8, 8)).save(big, "JPEG")
    padded = big.getvalue() + b"\0" * 26_000_000
    assert code(client.post("/v1/drafts", files=[("photos", padded)])) == (413, "too_large")
    lie = {"Content-Length": "999999999999", "Content-Type": "application/json"}
    assert code(client.post("/v1/listings", headers=lie, content=b"{}")) == (413, "too_large")
    assert client.get("/v1/listings").json() == {"listings": []}


def test_a_photo_that_was_taken_in_holds_nothing_but_pixels(client):
    made = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "<script>alert(1)</script> GPS 52.5"
    Image.new("RGB", (64, 64), (90, 20, 20)).save(made, "JPEG", exif=exif, comment=b"<?php evil ?>")
    photo = client.post("/v1/drafts", files=[("photos", made.getvalue())]).json()["photos"][0]
    answer = client.get(f"/v1/photos/{photo['id']}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert b"script" not in answer.content
    assert b"php" not in answer.content
    assert not Image.open(io.BytesIO(answer.content)).getexif()


OPEN = {"/healthz", "/readyz", "/metrics", "/docs", "/sign-in", "/sign-out", "/openapi.json"}


def every_route(app):
    schema = app.openapi()["paths"]
    described = [(method.upper(), path) for path, methods in schema.items() for method in methods]
    return [*described, ("GET", "/ops/export/{name}.{kind}")]


def test_whoever_is_not_signed_in_reaches_nothing(two):
    ann, _, nobody = two
    published(ann)
    routes = [(method, path) for method, path in every_route(nobody.app) if path not in OPEN]
    assert len(routes) >= 12
    for method, path in routes:
        place = re.sub(r"\{[a-z_]+\}", "a" * 32, path).replace("a" * 32 + "." + "a" * 32, "models.json")
        if method == "POST" and path == "/v1/drafts":
            answer = nobody.post(place, files=[("photos", jpeg())])
        else:
            answer = nobody.request(method, place, json={} if method in ("POST", "PUT", "PATCH") else None)
        assert answer.status_code == 401, (method, path, answer.text)
    assert ann.get("/v1/listings").json()["listings"]


def test_only_operators_open_the_operators_page(people):
    here = people("ann", "bob", page=True, operators="ann")

    def opened(name):
        browser = here.browser(name)
        return [browser.get(path).status_code for path in ("/ops/", "/ops/config", "/ops/export/models.json")]

    assert opened("ann") == [200, 200, 200]
    assert opened("bob")[1:] == [401, 403]
    assert opened("bob")[0] in (401, 403)
    assert opened(None) == [303, 401, 401]


def test_a_write_from_another_site_is_refused_on_every_route(two):
    ann, *_ = two
    for method, path in every_route(ann.app):
        if method in ("POST", "PUT", "PATCH", "DELETE"):
            place = re.sub(r"\{[a-z_]+\}", "a" * 32, path)
            answer = ann.request(method, place, headers={"Origin": "https://evil.example"})
            assert code(answer) == (403, "bad_origin"), (method, path)
