"""The commands of the index, over the shipped sample and over somebody's table; leakage rules on real photos."""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import rag_index
from app.cli import CommandError, index
from finetune.data.splits import is_validation_sender
from listing.safety.contacts import SHORT, sure_contact
from rag_index import (
    SAMPLE_FOLDER,
    Encoders,
    EncodersInfo,
    IndexMismatch,
    ListingIndex,
    sample_encoders,
    sample_records,
)
from rag_index.imports.record_checks import check

pytestmark = pytest.mark.slow

WEIGHTS = SAMPLE_FOLDER.parents[1] / "finetune" / "weights"


@cache
def title_vectors() -> dict[str, list[float] | None]:
    return {r.text.splitlines()[0]: r.text_vector for r in sample_records(sample_encoders())}


class StandIn(Encoders):
    """The sample's models by name; texts get the vector of the listing that they are the title of."""

    @property
    def info(self) -> EncodersInfo:  # type: ignore[override]
        return sample_encoders()

    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        vectors = title_vectors()
        default = next(iter(vectors.values()))
        return np.array([vectors.get(t.splitlines()[0], default) for t in texts], np.float32)

    def image_vectors(self, photos: Sequence[Any]) -> np.ndarray:
        return np.ones((len(photos), self.info.image.dimensions), np.float32)


@pytest.fixture(scope="module")
def sample_index(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An index of the sample, as the command builds it."""
    folder = tmp_path_factory.mktemp("sample") / "index"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rag_index, "default_encoders", lambda home: StandIn("tower", "minilm"))
        patch.setattr(index, "_contact_check", lambda text: pytest.fail("a set-up looks through what ships"))
        assert command(folder, "build", "--sample") == 0
    return str(folder)


@pytest.fixture
def place(sample_index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that index that the test may change."""
    monkeypatch.setattr(rag_index, "default_encoders", lambda home: StandIn("tower", "minilm"))
    monkeypatch.setenv("IPL_HOME", str(tmp_path / "home"))
    shutil.copytree(sample_index, tmp_path / "index")
    return tmp_path / "index"


def command(location: Path, action: str, *words: str) -> int:
    parser = argparse.ArgumentParser()
    index.register(parser)
    args = parser.parse_args([action, "--index", str(location), *words])
    index.check(args)
    return index.run(args)


def test_sample_is_complete_clean_and_without_validation_senders(request: pytest.FixtureRequest) -> None:
    records = list(sample_records(sample_encoders()))
    assert len(records) > 2_000
    assert len({r.category for r in records}) == 17
    encoders, step = sample_encoders(), 1 if request.config.getoption("nightly") else 8  # of which contacts are sought
    for record in records[::step]:
        check(record, encoders, sure_contact)
    for record in records:
        assert record.price is None
        assert record.origin == "sample"
        assert not is_validation_sender(record.seller_id.removeprefix("sample-"))
        assert np.linalg.norm(record.image_vectors[0]) == pytest.approx(1, abs=1e-2)
    left_out = (SAMPLE_FOLDER / "left_out_senders.txt").read_text().split()
    assert all(is_validation_sender(sender) for sender in left_out)


def test_sample_belongs_to_the_shipped_tower() -> None:
    """A tower that is trained again needs the sample's vectors again: python -m rag_index.sample.make."""
    folder, encoders = str(WEIGHTS), sample_encoders()
    assert Encoders(folder, folder).info.image.revision == encoders.image.revision
    other = encoders.model_copy(update={"image": encoders.image.model_copy(update={"revision": "0" * 16})})
    with pytest.raises(IndexMismatch, match="--empty"):
        next(sample_records(other))


def test_commands(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(tmp_path / "none", "build", "--empty") == 0
    assert command(place, "build", "--sample", "--if-missing") == 0
    assert "there already" in capsys.readouterr().out
    table = tmp_path / "mine.csv"
    table.write_text("title,category,price,currency\nBlue hat,Hat,5,EUR\n,Hat,5,EUR\nCube,Cube,5,EUR\n")
    assert command(place, "add", str(table), "--allow-partial") == 0
    out = capsys.readouterr().out
    assert "2 listings added" in out
    assert "left out 1: its title is empty (line 3)" in out
    assert "1 under a category of their own" in out
    assert command(place, "add", str(table), "--allow-partial") == 0
    assert re.search("0 listings added to .*; 2 were there already and are replaced", capsys.readouterr().out)
    assert command(place, "stats") == 0
    assert re.search(rf"listings +{len(list(sample_records(sample_encoders()))) + 2} ", capsys.readouterr().out)
    assert command(place, "build", "--from", str(table), "--allow-partial") == 0
    with ListingIndex.open(place, sample_encoders()) as opened:
        assert opened.ids() == {"mine-1", "mine-3"}


def test_table_that_hardly_fits_changes_nothing(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (place / "manifest.json").read_bytes()
    table, mapping = tmp_path / "mine.csv", tmp_path / "mine.mapping.yaml"
    table.write_text("title,category\nBlue hat,Hat\n" + "".join(f"Kurta {n},Kurtas\n" for n in range(9)))
    for action in (("add", str(table)), ("build", "--from", str(table))):
        with pytest.raises(CommandError, match=r"nothing was done: .*mine\.mapping\.yaml") as stopped:
            command(place, *action)
        assert stopped.value.exit_status == 1
        assert capsys.readouterr().err.startswith("ONLY 1 OF 10 ROWS FIT")
    assert (place / "manifest.json").read_bytes() == before
    edited = re.sub(r"(Kurtas: +)\S+", r"\1Top", mapping.read_text())
    mapping.write_text(edited)
    with pytest.raises(CommandError, match="is there from before"):
        command(place, "add", str(table))
    assert mapping.read_text() == edited, "what a person decided is never written over"
    assert command(place, "add", str(table), "--map", str(mapping)) == 0
    assert "10 listings added" in capsys.readouterr().out
    with ListingIndex.open(place) as opened:
        stored = opened.get("mine-2")
    assert stored is not None
    assert stored.category == "Top"
    assert not list((tmp_path / "home" / "imports").glob("*/*.npz")), "what was only needed to go on is taken away"


def test_photos_that_are_gone_stop_an_import(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("title,category,photos\n" + "".join(f"Hat {n},Hat,{n}.jpg\n" for n in range(4)))
    before = command(place, "stats"), capsys.readouterr().out
    with pytest.raises(CommandError, match="--photos DIR"):
        command(place, "add", str(table))
    assert f"line 2 of mine.csv: there is no file {tmp_path / '0.jpg'}; so it is with 4 of 4" in capsys.readouterr().err
    assert (command(place, "stats"), capsys.readouterr().out) == before
    (tmp_path / "pictures").mkdir()
    for number in range(4):
        Image.new("RGB", (40, 40), (number * 60, 0, 0)).save(tmp_path / "pictures" / f"{number}.jpg")
    assert command(place, "add", str(table), "--photos", str(tmp_path / "pictures")) == 0
    assert "4 listings added" in capsys.readouterr().out


def test_set_up_keeps_a_person_s_listings(place: Path, tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("title,category\nBlue hat,Hat\n")
    command(place, "add", str(table))
    manifest = place / "manifest.json"
    manifest.write_text(manifest.read_text().replace(sample_encoders().image.revision, "0" * 16))
    with pytest.raises(IndexMismatch):
        command(place, "build", "--sample", "--if-missing")
    with ListingIndex.open(place) as opened:
        assert "mine-1" in opened.ids()


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
        Image.new("RGB", (40, 40), (number * 40,) * 3).save(tmp_path / f"{number}.png")
    write(tmp_path / "shop.csv", range(ROWS))
    run(tmp_path, "build", "--empty")
    return tmp_path / "shop.csv"


def write(table: Path, numbers: Sequence[int] | range) -> None:
    rows = [f"s{n},{'A long title ' * 4}{'x' * n} no. {n},{'Hats' if n % 2 else 'Kurtas'},{n}.png\n" for n in numbers]
    table.write_text("listing_id,title,category,photos\n" + "".join(rows))


def run(folder: Path, action: str, *words: str) -> int:
    return command(folder / "index", action, *words)


def inside(shop: Path) -> dict[str, str]:
    """Category by listing."""
    with ListingIndex.open(shop.parent / "index") as opened:
        return {record.listing_id: record.category for record in opened.records()}


def decided(shop: Path, ours: str) -> list[str]:
    """The options of the next command, with the mapping file as a person edits it."""
    mapping = shop.with_name("shop.mapping.yaml")
    mapping.write_text(re.sub(r"(Kurtas: +)\S+", rf"\1{ours}", mapping.read_text()))
    return ["--map", str(mapping)]


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
    assert run(shop.parent, "add", str(shop), *decided(shop, "drop")) == 0
    assert set(inside(shop)) == {"s1", "s3", "s5"}
    assert "3 left it" in capsys.readouterr().out
    assert run(shop.parent, "add", str(shop), *decided(shop, "Top")) == 0
    assert len(inside(shop)) == ROWS


def test_only_new_rows_are_encoded(shop: Path) -> None:
    run(shop.parent, "add", str(shop))
    Image.new("RGB", (40, 40), (255,) * 3).save(shop.with_name("1.png"))
    Image.new("RGB", (40, 40), (250,) * 3).save(shop.with_name("9.png"))
    write(shop, [*range(2, ROWS), 1, 9])
    run(shop.parent, "add", str(shop))
    assert Counting.photos == ROWS + 2
    with ListingIndex.open(shop.parent / "index") as opened:
        assert opened.first_image_vectors(["s1"])["s1"][255] == 1
        assert opened.count() == ROWS + 1


def test_listings_are_removed_by_id_or_table(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(shop.parent, "add", str(shop))
    capsys.readouterr()
    assert run(shop.parent, "remove", "s1", "s2", "nowhere") == 0
    assert "2 listings removed" in capsys.readouterr().out
    assert set(inside(shop)) == {"s0", "s3", "s4", "s5"}
    run(shop.parent, "add", str(shop))
    assert Counting.photos == ROWS + 2, "nothing of the removed listings was there any more"
    assert run(shop.parent, "remove", "--from", str(shop)) == 0
    assert "6 listings removed" in capsys.readouterr().out
    assert inside(shop) == {}
    with pytest.raises(CommandError, match="none of these listings is in"):
        run(shop.parent, "remove", "s1")
    with pytest.raises(CommandError, match="name the listings to remove"):
        run(shop.parent, "remove")
