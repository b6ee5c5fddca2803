"""A damaged file of the index: it is derived from the store, so a start makes it again."""

from __future__ import annotations

import logging

import pytest

import rag_index
from app.cli.main import main
from app.services import Services
from app.settings import Settings
from tests.app.support.clients import client_of, published
from tests.app.support.small_index import SmallEncoders, titles_in
from tests.fakes import FakePipeline


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


def test_the_commands_say_how_a_damaged_index_is_made_again(start, tmp_path, monkeypatch, capsys):
    start().close()
    zeros(next((tmp_path / "index").glob("g-*/chroma.sqlite3")))
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    assert main(["index", "stats"]) == 1
    said = capsys.readouterr().err
    assert "damaged" in said
    assert "ipl index build" in said
