"""Catalogues into the index: scrubbing, vectors in step with rows, what is left out, going on after a stop."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag_index import Encoders, ListingIndex, ReadPhoto, Tools, build
from rag_index.imports.catalogue import open_catalogue
from rag_index.imports.importer import BATCH, Import
from rag_index.imports.record_checks import ContactCheck
from tests.rag_index.listings import IMAGE, INFO, TEXT
from tests.rag_index.small_vocabulary import WORDS, by_letters

ROWS: list[dict[str, Any]] = [
    {
        "title": "Red hat",
        "category": "Hats",
        "price": "12,50",
        "colour": "Cherry",
        "photos": ["a.jpg", "b.jpg"],
        "sold": "yes",
    },
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
    assert hat is not None
    assert green is not None
    assert half is not None
    assert other is not None
    assert (hat.category, hat.phashes, hat.origin, hat.price, hat.sold) == ("Hat", ["0" * 16] * 2, "user", 12.5, True)
    assert hat.attributes == {"colour": "red"}
    assert np.allclose(hat.image_vectors, np.eye(IMAGE)[:2])
    assert np.allclose(half.image_vectors, np.eye(IMAGE)[:1])
    assert (green.text, green.price, green.currency) == ("Green hat, mail [removed]", 1234.0, "EUR")
    assert green.attributes == {"brand": "[removed]"}
    assert (other.category, other.text) == ("Gizmos", "Thing")


def test_a_record_that_the_index_refuses_does_not_take_its_group_along(tmp_path: Path) -> None:
    rows = [{"title": t, "category": "hat"} for t in ("Red hat", "Hat, call 0171 2345 67890", "Blue hat")]
    run = importing(table(tmp_path, rows), {"Hat, call 0171 2345 67890": "phone"}.get)
    report = run.prepare()
    assert report.usable == 2
    ((count, first),) = report.left_out.values()
    assert (count, first.place) == (1, "line 2")
    assert "contact data" in first.detail


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
    path.write_text(path.read_text() + '{"title": "New", "category": "hat"}\n')
    assert importing(path).prepare().usable == 3 * BATCH + 1
