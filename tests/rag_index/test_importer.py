"""Tables of a user's own listings: three formats, mapping, bad rows, scrubbing, vectors in step with rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag_index import Encoders, IndexRecord, ListingIndex, ReadPhoto, Tools, build
from rag_index.imports.import_tables import ImportProblem, PlainRow, RowProblem, parse_mapping, read_table
from rag_index.imports.importer import read_records
from rag_index.imports.record_checks import ContactCheck
from tests.rag_index.listings import IMAGE, INFO, TEXT

COLUMNS = ("Name", "Art", "Preis", "Farbe", "currency", "sold", "photos")
ROWS = [
    dict(zip(COLUMNS, cells, strict=True))
    for cells in (
        ("Red hat", "hat", "12,50", "red", "eur", "yes", "a.jpg; b.jpg"),
        ("", "hat", "", "", "", "", ""),
        ("Blue dress", "dress", "abc", "blue", "", "", ""),
        ("Thing", "gizmo", "1", "", "EUR", "", ""),
        ("Green hat, mail SECRET", "hat", "1.234,00", "green", "EUR", "no", ""),
        ("Odd hat", "hat", "3", "", "EUR", "", "broken.jpg"),
    )
]
MAPPING = "title=Name,category=Art,price=Preis,attributes.colour=Farbe"


def write(folder: Path, kind: str) -> Path:
    path = folder / f"mine.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps(r) + "\n" for r in ROWS), encoding="utf-8")
    elif kind == "csv":
        lines = [";".join(ROWS[0]), *(";".join(f'"{v}"' for v in r.values()) for r in ROWS)]
        path.write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


def read_photos(paths: Sequence[Path]) -> list[ReadPhoto]:
    if any(p.name == "broken.jpg" for p in paths):
        raise ValueError("broken.jpg is no photo.")
    return [ReadPhoto(p.name, "0" * 16) for p in paths]


def category(words: str) -> str:
    if words not in ("hat", "dress"):
        raise ValueError(f"there is no category {words!r}.")
    return words.title()


class StandIn(Encoders):
    """Photos are their names, texts their lengths."""

    info = INFO  # type: ignore[assignment]

    def image_vectors(self, photos: Sequence[Any]) -> np.ndarray:
        return np.eye(IMAGE)[[{"a.jpg": 0, "b.jpg": 1}[name] for name in photos]].reshape(-1, IMAGE)

    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        return np.eye(TEXT)[[len(t) % TEXT for t in texts]]


TOOLS = Tools(lambda text: text.replace("SECRET", "[removed]"), read_photos, category)


def add(
    index: ListingIndex, table: Path, mapping: dict[str, str], check: ContactCheck | None = None
) -> list[RowProblem]:
    """Store what can be stored of a table; the rest is returned."""
    rows = list(read_records(table, mapping, TOOLS, StandIn("", ""), check))
    index.add(row for row in rows if isinstance(row, IndexRecord))
    return [row for row in rows if isinstance(row, RowProblem)]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_three_formats_say_the_same(tmp_path: Path, kind: str) -> None:
    rows = list(read_table(write(tmp_path, kind), parse_mapping(MAPPING)))
    first, last = rows[0], rows[4]
    assert isinstance(first, PlainRow)
    assert isinstance(last, PlainRow)
    assert (first.listing_id, first.seller_id, first.title, first.price) == ("mine-1", "me", "Red hat", 12.5)
    assert (first.currency, first.sold, dict(first.attributes)) == ("EUR", True, {"colour": "red"})
    assert first.photos == (tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert (last.price, last.sold) == (1234.0, False)
    assert rows[1] == RowProblem(2, "its title is empty.")
    assert rows[2] == RowProblem(3, "its price 'abc' is no amount.")


def test_into_the_index(tmp_path: Path) -> None:
    build([], tmp_path / "index", INFO)
    with ListingIndex.open(tmp_path / "index", INFO) as index:
        problems = add(index, write(tmp_path, "csv"), parse_mapping(MAPPING))
        assert sorted(p.number for p in problems) == [2, 3, 4, 6]
        hat, green = index.get("mine-1"), index.get("mine-5")
        assert hat is not None
        assert green is not None
        assert (hat.category, hat.phashes, hat.origin) == ("Hat", ["0" * 16] * 2, "user")
        assert np.allclose(hat.image_vectors, np.eye(IMAGE)[:2])
        assert green.text == "Green hat, mail [removed]"


def test_a_record_that_the_index_refuses_does_not_take_its_batch_along(tmp_path: Path) -> None:
    table = tmp_path / "t.jsonl"
    rows = [{"title": t, "category": "hat"} for t in ("Red hat", "Hat, call 0171 2345 67890", "Blue hat")]
    table.write_text("".join(json.dumps(r) + "\n" for r in rows))
    build([], tmp_path / "index", INFO)
    check = {"Hat, call 0171 2345 67890": "phone"}.get
    with ListingIndex.open(tmp_path / "index", INFO, contact_check=check) as index:
        (problem,) = add(index, table, {}, check)
        assert index.count() == 2
    assert problem.number == 2
    assert "contact data" in problem.message


def test_unusable_tables(tmp_path: Path) -> None:
    good = write(tmp_path, "csv")
    for path, mapping, message in (
        (tmp_path / "no.csv", {}, "There is no file"),
        (tmp_path / "a.xlsx", {}, "no table that can be read"),
        (good, {"title": "Titel"}, "no column 'Titel'"),
        (good, {}, "no column 'category'"),
    ):
        with pytest.raises(ImportProblem, match=message):
            list(read_table(path, mapping))
    (tmp_path / "latin.csv").write_bytes("title;category\nGrün;hat\n".encode("latin-1"))
    with pytest.raises(ImportProblem, match="UTF-8"):
        list(read_table(tmp_path / "latin.csv"))
    (tmp_path / "bad.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(ImportProblem):
        list(read_table(tmp_path / "bad.parquet"))
    (tmp_path / "bad.jsonl").write_text('{"title": "Hat", "category": "hat"}\n[1]\n{oops\n')
    assert [isinstance(r, RowProblem) for r in read_table(tmp_path / "bad.jsonl")] == [False, True, True]


@pytest.mark.parametrize("text", ["title", "nonsense=Name", "title="])
def test_unusable_mappings(text: str) -> None:
    with pytest.raises(ImportProblem, match="FIELD=COLUMN"):
        parse_mapping(text)


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    build([], tmp_path / "index", INFO)
    kept: list[IndexRecord] = []
    with ListingIndex.open(tmp_path / "index", INFO) as index:
        for _ in range(2):
            add(index, write(tmp_path, "csv"), parse_mapping(MAPPING))
        kept = list(index.records())
    assert len(kept) == 2
