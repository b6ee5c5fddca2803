"""The shipped sample, the commands over it, and the leakage rules on real photos."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finetune.data.splits import is_validation_sender
from listing.safety.contacts import sure_contact
from rag_index import cli
from rag_index.encoders import Encoders
from rag_index.errors import IndexMismatch
from rag_index.imports.importer import ReadPhoto, Tools
from rag_index.imports.record_checks import check
from rag_index.index import ListingIndex, build
from rag_index.retrieve import Query, Rules, retrieve
from rag_index.sample.load import HERE, made_by, sample_records
from rag_index.storage.manifest import EncodersInfo

TOWER = HERE.parents[1] / "finetune" / "weights" / "tower.safetensors"


class StandIn(Encoders):
    """The sample's models by name; texts get the vector of the listing that they are the title of."""

    @property
    def info(self) -> EncodersInfo:  # type: ignore[override]
        return made_by()

    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        known = {r.text.splitlines()[0]: r.text_vector for r in sample_records(self.info)}
        default = next(iter(known.values()))
        return np.array([known.get(t.splitlines()[0], default) for t in texts], np.float32)

    def image_vectors(self, photos: Sequence[Any]) -> np.ndarray:
        return np.ones((len(photos), self.info.image.dimensions), np.float32)


@pytest.fixture(scope="module")
def sample_index(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("sample") / "index"
    build(sample_records(made_by()), folder, made_by())
    return str(folder)


def test_sample_is_complete_clean_and_without_validation_senders() -> None:
    records = list(sample_records(made_by()))
    assert len(records) > 2_000
    assert len({r.category for r in records}) == 17
    for record in records:
        check(record, made_by(), sure_contact)
        assert record.price is None
        assert record.origin == "sample"
        assert not is_validation_sender(record.seller_id.removeprefix("sample-"))
        assert np.linalg.norm(record.image_vectors[0]) == pytest.approx(1, abs=1e-2)
    left_out = (HERE / "left_out_senders.txt").read_text().split()
    assert all(is_validation_sender(sender) for sender in left_out)


def test_sample_belongs_to_the_shipped_tower() -> None:
    """A tower that is trained again needs the sample's vectors again: python -m rag_index.sample.make."""
    folder = TOWER.parent
    assert Encoders(str(folder), str(folder)).info.image.revision == made_by().image.revision


def test_other_weights_are_refused() -> None:
    made = made_by()
    other = made.model_copy(update={"image": made.image.model_copy(update={"revision": "0" * 16})})
    with pytest.raises(IndexMismatch, match="--empty"):
        next(sample_records(other))


def kit(location: str) -> cli.Kit:
    encoders = StandIn("tower", "minilm")

    def tools() -> Tools:
        return Tools(
            scrub=lambda t: t,
            read_photos=lambda paths: [ReadPhoto(p, "0" * 16) for p in paths],
            category=lambda c: c,
            image_vectors=encoders.image_vectors,
            text_vectors=encoders.text_vectors,
        )

    return cli.Kit(location, encoders, tools)


def command(location: str, *words: str) -> int:
    parser = argparse.ArgumentParser()
    cli.register(parser)
    return cli.run(parser.parse_args(words), kit(location))


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = str(tmp_path / "index")
    assert command(place, "build", "--empty") == 0
    assert command(place, "build", "--sample") == 0
    assert command(place, "build", "--sample", "--if-missing") == 0
    assert "there already" in capsys.readouterr().out
    wanted = list(sample_records(made_by()))[100]
    title = wanted.text.splitlines()[0]
    assert command(place, "search", title, "-n", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["listing_id"] == wanted.listing_id
    assert command(place, "search") == 2
    table = tmp_path / "mine.csv"
    table.write_text("title,category,price,currency\nBlue hat,Hat,5,EUR\n,Hat,5,EUR\n")
    assert command(place, "add", str(table)) == 1
    out = capsys.readouterr()
    assert "1 listings added" in out.out
    assert "row 2: its title is empty" in out.err
    assert command(place, "stats") == 0
    assert re.search(rf"listings +{len(list(sample_records(made_by()))) + 1} ", capsys.readouterr().out)
    assert command(place, "build", "--from", str(table)) == 1
    with ListingIndex.open(place, made_by()) as index:
        assert index.ids() == {"mine-1"}


def test_set_up_never_throws_a_persons_own_listings_away(tmp_path: Path) -> None:
    place = tmp_path / "index"
    table = tmp_path / "mine.csv"
    table.write_text("title,category\nBlue hat,Hat\n")
    command(str(place), "build", "--sample")
    command(str(place), "add", str(table))
    manifest = place / "manifest.json"
    manifest.write_text(manifest.read_text().replace(made_by().image.revision, "0" * 16))
    with pytest.raises(IndexMismatch):
        command(str(place), "build", "--sample", "--if-missing")
    with ListingIndex.open(place) as index:
        assert "mine-1" in index.ids()


def test_no_leak_when_every_sample_listing_asks(sample_index: str) -> None:
    """Each listing asks for neighbours of itself; the rules switched off show that they have something to do."""
    with ListingIndex.open(sample_index, made_by()) as index:
        own, seller, near = 0, 0, 0
        for record in list(sample_records(made_by()))[::12]:
            query = Query(
                record.image_vectors,
                record.text_vector,
                record.phashes,
                record.listing_id,
                record.seller_id,
                record.category,
            )
            rules = Rules()
            for found in retrieve(index, query, 8, rules):
                assert rules.violation(query, found.record, found.image_cosine) is None
                assert found.record.seller_id != record.seller_id
                assert found.record.category == record.category
            loose = retrieve(index, query, 8, Rules.off())
            own += sum(n.record.listing_id == record.listing_id for n in loose)
            seller += sum(n.record.seller_id == record.seller_id for n in loose)
            near += sum(rules.violation(query, n.record, n.image_cosine) == "near_duplicate" for n in loose)
    assert own > 200
    assert seller > own


@pytest.mark.data
def test_no_leak_on_validation_photos(sample_index: str, data_folder: Path) -> None:
    """Photos of senders that the tower has not seen; the index also holds their own and each other's listings."""
    from PIL import Image

    folder = data_folder / "clothing_cc0"
    rows = [json.loads(line) for line in (folder / "annotations.jsonl").read_text(encoding="utf-8").splitlines()]
    unseen = [row for row in rows if is_validation_sender(row["sender_id"])][::10]
    photos = [Image.open(folder / row["image"]).convert("RGB") for row in unseen]
    encoders = Encoders(str(TOWER.parent), str(TOWER.parent))
    vectors = encoders.image_vectors(photos).tolist()
    import imagehash

    base = next(sample_records(made_by()))
    own = [
        base.model_copy(
            update={
                "listing_id": f"v{n}",
                "seller_id": f"sample-{row['sender_id']}",
                "category": row["label"],
                "image_vectors": [vectors[n]],
                "phashes": [str(imagehash.phash(photos[n]))],
                "text_vector": None,
            }
        )
        for n, row in enumerate(unseen)
    ]
    with ListingIndex.open(sample_index, made_by()) as index:
        index.add(own)
        try:
            leaks = 0
            for record in own:
                query = Query(record.image_vectors, None, record.phashes, record.listing_id, record.seller_id)
                found = retrieve(index, query, 8)
                assert len(found) == 8
                for neighbour in found:
                    assert neighbour.record.listing_id != record.listing_id
                    assert neighbour.record.seller_id != record.seller_id
                    assert Rules().violation(query, neighbour.record, neighbour.image_cosine) is None
                first = retrieve(index, query, 1, Rules.off())[0]
                leaks += first.record.listing_id == record.listing_id
            assert leaks == len(own)
        finally:
            index.remove(record.listing_id for record in own)
