"""What an attacker would try: markup, paths, addresses to fetch, large bodies, other people's doors."""

from __future__ import annotations

import io
import re
import socket
import struct
import zlib
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from PIL import Image
from sqlalchemy import select

from app.ops import api, page
from app.ops.page import FOLDER as OPERATORS
from app.seller.draft_part import FOLDER, marked
from app.store.tables import FeedPageRow
from tests.app.support.clients import client_of, code, draft, harmless, published
from tests.fakes import jpeg

BAD = "</td><img src=x onerror=alert(1)><script>alert(2)</script><a href='javascript:alert(3)'>\" onclick=\"alert(4)"


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
            page = client.get(f"/v1/feed/v{n}").json()["id"]
            seen = [{"kind": kind, "page_id": page, "listing_id": listing["id"]} for kind in ("impression", "click")]
            assert client.post("/v1/events", json={"visitor": f"v{n}", "events": seen}).status_code == 200
        yield services, client, listing


def test_what_people_write_is_text_on_the_operators_pages(attacked):
    services, client, listing = attacked
    with services.store.read() as session:
        page_id = session.scalar(select(FeedPageRow.id))
    typed = quote(BAD)
    for path in (
        *("", "visitor=v1", f"page={page_id}", f"listing={listing['id']}", f"listing={listing['id']}&visitor={typed}"),
        *(f"visitor={typed}", f"find={quote(BAD[:20])}", f"review={quote(BAD[:40])}", f"over={quote(BAD[:8])}"),
        *("listing=%3Cscript%3E", "page=%3Cscript%3E"),
    ):
        html = client.get(f"/ops/?{path}").text
        assert harmless(html), path
        assert BAD[:20] not in html
    assert "&lt;script&gt;" in client.get("/ops/?visitor=v1").text


def test_every_template_of_the_sellers_page_escapes():
    for flag_text in ("plain", BAD):
        assert harmless(str(marked(flag_text, [(SimpleNamespace(start=0, end=5), "p")])))
    for file in (*FOLDER.glob("*.html"), *OPERATORS.glob("*.html")):
        source = file.read_text()
        assert "|safe" not in source.replace(" ", "")
        assert "autoescape false" not in source


def test_paths_that_lead_elsewhere_lead_nowhere(client, services):
    secret = services.settings.home / "session.key"
    assert secret.is_file()
    inside = ("../session.key", "..%2fsession.key", "%2e%2e/session.key", "....//session.key")
    for path in (*inside, "/etc/passwd", "a\\..\\b"):
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

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")


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
    return [*described, *operators_routes()]


def operators_routes():
    """Methods and addresses below /ops; /ops itself only leads to /ops/."""
    routes = [route for router in (page.pages, api.ops) for route in router.routes]
    return [(method, route.path) for route in routes for method in route.methods if route.path != "/ops"]


def place_of(path):
    path = path.replace("{name:ops_part}", "ops.css")
    return re.sub(r"\{[a-z_]+\}", "a" * 32, path).replace("a" * 32 + "." + "a" * 32, "models.json")


def test_whoever_is_not_signed_in_reaches_nothing(two):
    ann, _, nobody = two
    published(ann)
    routes = [(method, path) for method, path in every_route(nobody.app) if path not in OPEN]
    assert len(routes) >= 12
    for method, path in routes:
        if method == "POST" and path == "/v1/drafts":
            answer = nobody.post(path, files=[("photos", jpeg())])
        else:
            body = {} if method in ("POST", "PUT", "PATCH") else None
            answer = nobody.request(method, place_of(path), json=body, follow_redirects=False)
        to_the_form = answer.status_code == 303 and answer.headers["location"] == "/sign-in"
        opens = method == "GET" and path.startswith("/ops/") and "export" not in path  # a page, in a browser
        assert to_the_form if opens else answer.status_code == 401, (method, path, answer.text)
    assert ann.get("/v1/listings").json()["listings"]


def test_only_operators_open_the_operators_page(people):
    here = people("ann", "bob", operators="ann")
    routes = operators_routes()
    assert len(routes) == 5

    def opened(name):
        browser = here.browser(name)
        return {(method, path): browser.request(method, place_of(path)).status_code for method, path in routes}

    # Pages of what is not there, and forms without what they ask for.
    other = {
        ("POST", "/ops/reviews"): 422,
        ("GET", "/ops/listings/{listing_id}/photos/{number}"): 422,
    }
    for route, status in opened("ann").items():
        assert status == other.get(route, 200), route
    assert set(opened("bob").values()) == {403}
    assert here.browser(None).get("/ops/export/models.json").status_code == 401


def test_a_write_from_another_site_is_refused_on_every_route(two):
    ann, *_ = two
    for method, path in every_route(ann.app):
        if method in ("POST", "PUT", "PATCH", "DELETE"):
            place = re.sub(r"\{[a-z_]+\}", "a" * 32, path)
            answer = ann.request(method, place, headers={"Origin": "https://evil.example"})
            assert code(answer) == (403, "bad_origin"), (method, path)
