from __future__ import annotations

from pathlib import Path

import pytest

from listing.batch.run import find_items
from listing.intake.photos import PhotoError


def touch(root: Path, *names: str) -> None:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def test_photos_and_subfolders_in_order(tmp_path: Path) -> None:
    touch(tmp_path, "b.JPG", "a.png", "B/2.jpg", "B/1.heic", "B/notes.txt", "B/deep/3.jpg", "readme.md", ".hidden.jpg")
    (tmp_path / "empty").mkdir()
    items = [(name, [p.relative_to(tmp_path).as_posix() for p in photos]) for name, photos in find_items(tmp_path)]
    assert items == [
        ("a.png", ["a.png"]),
        ("B", ["B/1.heic", "B/2.jpg"]),
        ("b.JPG", ["b.JPG"]),
        ("empty", []),
    ]


def test_ids_are_unique(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a.png", "a/1.jpg", "A.webp")
    names = [name for name, _ in find_items(str(tmp_path))]
    assert len(names) == len(set(names)) == 4


def test_a_dangling_link_is_kept_to_be_reported(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    assert [name for name, _ in find_items(tmp_path)] == ["gone.jpg"]


@pytest.mark.parametrize("content", [[], ["notes.txt"], ["sub/notes.txt"]])
def test_a_folder_without_photos(tmp_path: Path, content: list[str]) -> None:
    touch(tmp_path, *content)
    with pytest.raises(PhotoError, match="holds no photo") as caught:
        find_items(tmp_path)
    assert caught.value.code == "no_photo"


def test_no_folder(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    for path in (tmp_path / "missing", tmp_path / "a.jpg"):
        with pytest.raises(PhotoError, match="is not a folder"):
            find_items(path)
