"""Somebody's table into the index, again and again: with another mapping, with fewer rows, and out of it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import rag_index
from app.cli import CommandError, index
from listing.safety.contacts import SHORT
from rag_index import Encoders, EncodersInfo, ListingIndex, sample_encoders

ROWS = 6


class Counting(Encoders):
    """Vectors by the brightness of a photo and the length of a text; counts the photos and texts that it gets."""

    photos = texts = 0

    @property
    def info(self) -> EncodersInfo:  # type: ignore[override]
        return sample_encoders()

    def image_vectors(self, photos: Sequence[Any]) -> np.ndarray:
        type(self).photos += len(photos)
        return self._vectors([photo.getpixel((0, 0))[0] for photo in photos], self.info.image.dimensions)

    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        type(self).texts += len(texts)
        return self._vectors([len(text) for text in texts], self.info.text.dimensions)

    @staticmethod
    def _vectors(numbers: Sequence[int], dimensions: int) -> np.ndarray:
        return np.array([np.eye(dimensions)[n % dimensions] for n in numbers], np.float32).reshape(-1, dimensions)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A table whose kurtas are nothing that is known here, its photos beside it, and an empty index."""
    monkeypatch.setattr(rag_index, "default_encoders", lambda home: Counting("tower", "minilm"))
    monkeypatch.setenv("IPL_HOME", str(tmp_path / "home"))
    Counting.photos = Counting.texts = 0
    for number in range(ROWS):
        Image.new("RGB", (40, 40), (number * 40, 0, 0)).save(tmp_path / f"{number}.png")
    write(tmp_path / "shop.csv", range(ROWS))
    run(tmp_path, "build", "--empty")
    return tmp_path / "shop.csv"


def write(table: Path, numbers: Sequence[int] | range) -> None:
    rows = [f"s{n},{'A long title ' * 4}{'x' * n} no. {n},{'Hats' if n % 2 else 'Kurtas'},{n}.png\n" for n in numbers]
    table.write_text("listing_id,title,category,photos\n" + "".join(rows))


def run(folder: Path, action: str, *words: str) -> int:
    parser = argparse.ArgumentParser()
    index.register(parser)
    return index.run(parser.parse_args([action, "--index", str(folder / "index"), *words]))


def inside(shop: Path) -> dict[str, str]:
    """Category by listing."""
    with ListingIndex.open(shop.parent / "index") as opened:
        return {record.listing_id: record.category for record in opened.records()}


def decided(shop: Path, ours: str) -> list[str]:
    """The options of the next command, with the mapping file as a person edits it."""
    mapping = shop.with_name("shop.mapping.yaml")
    mapping.write_text(re.sub(r"(Kurtas: +)\S+", rf"\1{ours}", mapping.read_text()))
    return ["--mapping", str(mapping)]


def test_another_mapping_encodes_no_photo_again(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(shop.parent, "add", str(shop)) == 0
    assert inside(shop)["s2"] == "Kurtas"
    assert (Counting.photos, len(inside(shop))) == (ROWS, ROWS)
    with ListingIndex.open(shop.parent / "index") as opened:
        before = opened.get("s3")
    Counting.texts = 0
    looked = []
    monkeypatch.setattr("listing.safety.contacts._located", lambda text, threshold: looked.append(text) or [])
    assert run(shop.parent, "add", str(shop), *decided(shop, "Top")) == 0
    assert not [text for text in looked if len(text) > SHORT], "no text is searched for contact data again"
    assert inside(shop) == {f"s{n}": "Hat" if n % 2 else "Top" for n in range(ROWS)}
    assert Counting.photos == ROWS
    assert Counting.texts == 0
    with ListingIndex.open(shop.parent / "index") as opened:
        assert opened.get("s3") == before
    assert "0 listings added" in capsys.readouterr().out


def test_only_what_is_new_is_encoded(shop: Path) -> None:
    run(shop.parent, "add", str(shop))
    Image.new("RGB", (40, 40), (255, 0, 0)).save(shop.with_name("1.png"))
    Image.new("RGB", (40, 40), (250, 0, 0)).save(shop.with_name("9.png"))
    write(shop, [*range(ROWS), 9])
    run(shop.parent, "add", str(shop))
    assert Counting.photos == ROWS + 2
    with ListingIndex.open(shop.parent / "index") as opened:
        assert opened.first_image_vectors(["s1"])["s1"][255] == 1
        assert opened.count() == ROWS + 1


def test_rows_that_are_dropped_leave_the_index(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(shop.parent, "add", str(shop))
    capsys.readouterr()
    assert run(shop.parent, "add", str(shop), *decided(shop, "drop")) == 0
    assert set(inside(shop)) == {"s1", "s3", "s5"}
    assert "3 left it" in capsys.readouterr().out
    assert run(shop.parent, "add", str(shop), *decided(shop, "Top")) == 0
    assert len(inside(shop)) == ROWS


def test_a_row_that_is_no_longer_in_the_table_stays(shop: Path) -> None:
    run(shop.parent, "add", str(shop))
    write(shop, [1, 3])
    run(shop.parent, "add", str(shop))
    assert len(inside(shop)) == ROWS


def test_listings_are_removed_by_their_id_or_with_their_table(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(shop.parent, "add", str(shop))
    capsys.readouterr()
    assert run(shop.parent, "remove", "s1", "s2", "nowhere") == 0
    assert "2 listings removed" in capsys.readouterr().out
    assert set(inside(shop)) == {"s0", "s3", "s4", "s5"}
    assert run(shop.parent, "remove", "--from", str(shop)) == 0
    assert "4 listings removed" in capsys.readouterr().out
    assert inside(shop) == {}
    with pytest.raises(CommandError, match="none of these listings is in"):
        run(shop.parent, "remove", "s1")
    with pytest.raises(CommandError, match="name the listings to remove"):
        run(shop.parent, "remove")


def test_what_is_removed_leaves_no_vector_behind(shop: Path) -> None:
    run(shop.parent, "add", str(shop))
    run(shop.parent, "remove", "s1")
    run(shop.parent, "add", str(shop))
    assert Counting.photos == ROWS + 1, "nothing of the removed listing was there any more"
