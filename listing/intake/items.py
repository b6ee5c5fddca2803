"""A folder of photos as items: one photo is one item, a subfolder is one item with several photos."""

from __future__ import annotations

from pathlib import Path

from listing.intake.photos import PhotoError

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif"})


def find_items(path: Path | str) -> list[tuple[str, list[Path]]]:
    """(id, photo files) of every item in ``path``, ordered by name; the id is the photo's or the subfolder's name.

    Hidden entries and files that are no photos by name are passed over. What lies in a subfolder's own subfolders
    is not looked at. A subfolder without a photo stays, with an empty list, so that it is reported in its place.

    Raises:
        PhotoError: the folder is missing, cannot be read, or holds no photo at all (code ``no_photo``).
    """
    folder = Path(path)
    if not folder.is_dir():
        raise PhotoError("no_photo", f"{folder} is not a folder; name a folder with photos.")
    items: list[tuple[str, list[Path]]] = []
    for entry in _entries(folder):
        if entry.is_dir():
            items.append((entry.name, [file for file in _entries(entry) if _is_photo(file)]))
        elif _is_photo(entry):
            items.append((entry.name, [entry]))
    if not any(photos for _, photos in items):
        kinds = ", ".join(sorted(PHOTO_SUFFIXES))
        raise PhotoError("no_photo", f"{folder} holds no photo ({kinds}); name a folder with photos.")
    return items


def _entries(folder: Path) -> list[Path]:
    try:
        visible = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise PhotoError("unreadable", f"{folder} cannot be read; check its permissions.") from error
    return sorted(visible, key=lambda entry: (entry.name.casefold(), entry.name))


def _is_photo(entry: Path) -> bool:
    """By name; a dangling link counts, so that it is reported instead of silently left out."""
    return entry.suffix.lower() in PHOTO_SUFFIXES and not entry.is_dir()
