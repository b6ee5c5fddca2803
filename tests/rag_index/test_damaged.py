"""Damaged files of an embedded index are told from an index that cannot be used just now."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rag_index import IndexDamaged, IndexFailure, ListingIndex, build
from tests.rag_index.listings import INFO, make

ENOUGH = 1_100  # rows after which Chroma writes files of vectors


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "index"
    build((make(n) for n in range(ENOUGH)), folder, INFO)
    return folder


def zeros(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("chroma.sqlite3", zeros),
        ("chroma.sqlite3", Path.unlink),
        ("*/header.bin", zeros),
        ("*/header.bin", Path.unlink),
        ("*/index_metadata.pickle", zeros),
        ("*/length.bin", Path.unlink),
        ("*/data_level0.bin", Path.unlink),
    ],
)
def test_a_damaged_file_is_said_and_the_index_can_be_built_again(
    whole: Path, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    location = tmp_path / "index"
    shutil.copytree(whole, location)
    damage(next(location.glob(f"g-*/{name}")))
    with pytest.raises(IndexDamaged, match=r"damaged.*build it again"):
        ListingIndex.open(location, INFO)
    assert build([make(1)], location, INFO) == 1
    with ListingIndex.open(location, INFO) as index:
        assert index.ids() == {"l1"}
    assert len(list(location.glob("g-*"))) == 1


def test_a_database_that_another_program_locks_is_not_damaged(whole: Path, tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    location = tmp_path / "index"
    shutil.copytree(whole, location)
    with closing(sqlite3.connect(next(location.glob("g-*/chroma.sqlite3")))) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(IndexFailure) as failure:
            ListingIndex.open(location, INFO)
    assert not isinstance(failure.value, IndexDamaged)
    with ListingIndex.open(location, INFO) as index:
        assert index.count() == ENOUGH
