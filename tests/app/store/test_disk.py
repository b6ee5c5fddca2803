"""A full disk, a read-only home, a damaged page or index: people read and delete what they can, without a trace."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import subprocess

import httpx
import pytest

import rag_index
from app.cli.main import main
from app.services import Services
from app.settings import Settings
from app.store.backup.archive import back_up
from app.store.files import SPARE_BYTES, hold_back
from tests.app.support.clients import client_of, code, draft, published
from tests.app.support.leftovers import wait_until
from tests.app.support.restores import damage, server
from tests.app.support.shop import buy
from tests.app.support.small_index import SmallEncoders, titles_in
from tests.fakes import FakePipeline, jpeg
from tests.forked import Forked, ipl

MEGABYTE = 1 << 20
PAGE = {"accept": "text/html"}


@contextlib.contextmanager
def mounted(folder, *options):
    """A file system at the folder for the block."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", *options, str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=48m", "tmpfs") as folder:
        yield folder


def fill(disk):
    """Take the last byte of the disk."""
    descriptor = os.open(disk / "others", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for size in (MEGABYTE, 4096, 1):
        with contextlib.suppress(OSError):
            while True:
                os.write(descriptor, bytes(size))
    os.close(descriptor)
    assert shutil.disk_usage(disk).free == 0


def check_reading(client, listing):
    """Everything that only reads."""
    for path in ("/v1/listings", f"/v1/listings/{listing['id']}", "/v1/orders", "/v1/posts", "/readyz"):
        assert client.get(path).status_code == 200, path
    photo = client.get(f"/v1/photos/{listing['photos'][0]['id']}")
    assert photo.content.startswith(b"\xff\xd8")
    assert client.post("/v1/listings/search", json={"text": "hoodie"}).json()
    for path in ("/feed", f"/l/{listing['id']}"):
        page = client.get(path, headers=PAGE)
        assert page.status_code == 200, path
        assert listing["title"] in page.text
    for visitor in ("vera", "new"):
        assert client.get(f"/v1/feed/{visitor}").json()["places"]


@pytest.mark.mount
def test_on_a_full_disk_people_read_and_delete(disk):
    home = disk / "home"
    spare = home / "store.sqlite-spare"

    def held_back():
        return spare.exists() and spare.stat().st_size > 0

    def gone(photos):
        return not [p for p in home.rglob("*.jpg") if p.stem in {photo["id"] for photo in photos}]

    with server(home) as (url, process), httpx.Client(base_url=url, timeout=60) as client:
        listings = [published(client) for _ in range(5)]
        left = draft(client).json()
        client.get("/v1/feed/vera")
        wait_until(held_back)
        fill(disk)
        check_reading(client, listings[-1])
        assert code(draft(client)) == (507, "disk_full")
        for listing in listings[:2]:  # one after the other, though the disk is filled again in between
            assert client.delete(f"/v1/listings/{listing['id']}").status_code == 204
            assert gone(listing["photos"])
            wait_until(held_back)
            fill(disk)
        assert client.delete(f"/v1/drafts/{left['id']}").status_code == 204
        assert gone(left["photos"])
        check_reading(client, listings[-1])
        wait_until(held_back)
        fill(disk)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    fill(disk)
    with server(home) as (url, process), httpx.Client(base_url=url, timeout=60) as client:
        check_reading(client, listings[-1])
        assert client.delete(f"/v1/listings/{listings[2]['id']}").status_code == 204
        assert gone(listings[2]["photos"])
        (disk / "others").unlink()
        wait_until(lambda: spare.exists() and spare.stat().st_size == SPARE_BYTES)
        assert published(client)["id"]


def test_space_is_held_back_on_macos_too(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    hold_back(tmp_path / "store.sqlite")
    assert (tmp_path / "store.sqlite-spare").stat().st_size == SPARE_BYTES


@pytest.fixture
def used(build):
    """A home with two listings, of which one is sold, whose server has stopped."""
    services = build()
    with client_of(services) as client:
        assert buy(client, published(client)).status_code == 201
        published(client)
    services.close()
    return services.settings


def command(settings, *arguments):
    """(exit status, what the command says on stderr)."""
    process = Forked(ipl, *arguments, IPL_SETUP="0", IPL_HOME=str(settings.home))
    try:
        return process.wait(120), process.said()
    finally:
        process.kill()


@pytest.mark.mount
def test_a_read_only_home_is_one_sentence(used, tmp_path):
    out = str(tmp_path.parent / f"{tmp_path.name}.tar")
    with mounted(used.home, "--bind", str(used.home)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(used.home)], check=True)
        for arguments in (
            ["serve", "--port", "0", "--no-rag"],
            ["backup", out],
            ["restore", out, "--into", str(used.home / "new")],
            ["erase", "me", "--yes"],
            ["accounts", "token", "me"],
        ):
            status, said = command(used, *arguments)
            assert status == 1, (arguments, said)
            assert "ead-only" in said or "readonly" in said, (arguments, said)
            assert "unforeseen" not in said, arguments
            assert said.count("\n") == 1, (arguments, said)


@pytest.mark.mount
def test_read_only_photos_can_be_looked_at(used):
    stray = used.media_folder / "ab" / f"{'ab' * 16}.jpg"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"stray")
    os.utime(stray, (0, 0))
    with mounted(used.media_folder, "--bind", str(used.media_folder)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(used.media_folder)], check=True)
        with server(used.home) as (url, _), httpx.Client(base_url=url, timeout=60) as client:
            listing = client.get("/v1/listings").json()["listings"][0]
            check_reading(client, listing)
            answer = client.post("/v1/drafts", files={"photos": ("a.jpg", jpeg(), "image/jpeg")})
            assert code(answer) == (507, "read_only")
            assert client.delete(f"/v1/listings/{listing['id']}").status_code == 204


@pytest.mark.parametrize("table", ["store_identity", "alembic_version", "listings", "drafts", "photos"])
def test_a_damaged_page_at_the_start_is_one_sentence(used, tmp_path, monkeypatch, capsys, table):
    back_up(used, tmp_path / "good.tar")
    damage(used.home, table)
    monkeypatch.setenv("IPL_HOME", str(used.home))
    monkeypatch.setenv("IPL_MODEL", "http://127.0.0.1:9/v1")  # a server's, which is asked for the first draft
    for arguments in (["serve", "--port", "0", "--no-rag"], ["erase", "me", "--settle", "--yes"]):
        status = main(arguments)
        said = capsys.readouterr().err
        assert "unforeseen" not in said, (arguments, said)
        if arguments[0] == "serve" or status:
            assert status == 1, arguments
            assert "damaged" in said, (arguments, said)
            assert "./ipl restore" in said, (arguments, said)
            assert said.count("\n") == 1, (arguments, said)
    assert main(["restore", str(tmp_path / "good.tar"), "--into", str(tmp_path / "new")]) == 0  # which is what it says


def test_a_damaged_page_under_a_server_is_one_sentence_and_the_rest_goes_on(used, build):
    damage(used.home, "orders")
    services = build()
    with client_of(services, raise_server_exceptions=False) as client:
        listing = client.get("/v1/listings").json()["listings"][0]
        answer = client.get("/v1/orders")
        assert code(answer) == (500, "damaged")
        assert "./ipl restore" in answer.json()["error"]["message"]
        assert client.get(f"/v1/photos/{listing['photos'][0]['id']}").status_code == 200
        assert client.get("/feed", headers=PAGE).status_code == 200


@pytest.fixture
def start(tmp_path, monkeypatch):
    """A server on the index in the home, with small encoders."""
    monkeypatch.setattr(rag_index, "default_encoders", lambda home: SmallEncoders())
    return lambda: Services(Settings(home=tmp_path), pipeline=FakePipeline())


def half(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def zeros(file):
    file.write_bytes(bytes(file.stat().st_size))


def pages(file):
    content = bytearray(file.read_bytes())
    content[8192 : len(content) // 2] = b"\xa5" * (len(content) // 2 - 8192)
    file.write_bytes(content)


@pytest.mark.parametrize(
    "damage", [half, zeros, pages, lambda file: file.unlink()], ids=["half", "zeros", "pages", "gone"]
)
def test_a_start_makes_a_damaged_index_again(start, damage, tmp_path, caplog):
    services = start()
    with client_of(services) as client:
        listing = published(client)
    services.close()
    damage(next((tmp_path / "index").glob("g-*/chroma.sqlite3")))
    with caplog.at_level(logging.WARNING):
        services = start()
    try:
        assert titles_in(services.index) == {listing["id"]: listing["title"]}
        assert "damaged" in caplog.text
        with client_of(services) as client:
            assert client.get(f"/v1/listings/{listing['id']}").status_code == 200
            later = published(client)
        assert set(titles_in(services.index)) == {listing["id"], later["id"]}
    finally:
        services.close()


def test_commands_say_how_to_rebuild_an_index(start, tmp_path, monkeypatch, capsys):
    start().close()
    zeros(next((tmp_path / "index").glob("g-*/chroma.sqlite3")))
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    assert main(["index", "stats"]) == 1
    said = capsys.readouterr().err
    assert "damaged" in said
    assert "ipl index build" in said
