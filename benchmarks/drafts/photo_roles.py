"""Photos by what they show: items, labels, nothing; and two different things on the photos of one listing.

    python -m benchmarks.drafts.photo_roles [--data DIR] [--cache FILE] [--answers FILE]

Without an item: 20 drawn photos (``rendered_photos.empty_photo``) and 40 backgrounds, cut out of training photos beside
the mask. False alarms: all photos of the validation senders. Two things: 20 pairs of validation photos of different
senders and categories; one thing: 20 validation photos beside a crop of themselves, mirrored, and beside a close-up.
``label_photos`` measures labels. ``--answers`` names the towers' kept answers of ``./ipl evaluate``: what they
answered is not shown to them again. What was found is kept in the cache, so that a run resumes.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.drafts.ikea_300 import mapped_photos, wilson
from benchmarks.drafts.rendered_photos import empty_photo
from finetune.data.photosets import data_root, open_photo, read_annotations
from finetune.data.splits import split_rows
from finetune.evaluate.row_cache import RowCache, read
from listing.backends.local import LocalBackend
from listing.observe.networks.evidence_tower import Eyes
from listing.observe.networks.foreground import WEIGHTS, Foreground, crop_box, usable
from listing.observe.photo_roles import SURE, Range, Role, photo_role
from listing.observe.printed.ocr import OcrSpan, Reader
from listing.decide.category_router import Router
from listing.decide.pool import Distribution, mean_of
from listing.decide.visual_facts import different_items
from listing.home import ipl_home
from listing.taxonomy import load_taxonomy

Row = dict[str, Any]
Get = Callable[[], Image.Image]
_BESIDE = 40  # of 255: no pixel of a background is likelier than this to be the item's


class Looker:
    """Towers, reader and router of a model folder, as the pipeline asks them."""

    def __init__(self, folder: Path) -> None:
        self.backend, self.eyes, self.reader = LocalBackend(folder), Eyes(folder), Reader()
        self.mask = Foreground(folder / WEIGHTS)
        self.router = Router(folder, load_taxonomy())

    def look(self, photo: Image.Image, label: Distribution | None = None) -> Row:
        """The evidence of one photo; its text and range only where no tower is sure. ``label``: the towers' answer."""
        if label is None:
            sight = self.eyes.look(photo)
            label, found = mean_of(self.backend.opinions(photo), sight.opinions)["label"], sight.mask is not None
        else:
            found = max(label.values()) >= SURE or usable(self.mask.mask(photo))  # of a sure photo nothing is asked
        row: Row = {"label": dict(label), "found": found, "lines": [], "range": None}
        if max(label.values()) < SURE:
            seen = self.router.range_of(photo)
            row["lines"] = [dataclasses.astuple(line) for line in self.reader.read(photo)]
            row["range"] = dataclasses.astuple(seen) if seen is not None else None
        return row


def role(row: Row) -> Role:
    """What the evidence makes of a photo."""
    lines = [OcrSpan(text, tuple(box), score, slope) for text, box, score, slope, *_ in row["lines"]]
    seen = Range(*row["range"]) if row["range"] is not None else None
    return photo_role(row["label"], row["found"], lambda: lines, lambda: seen)


def background(row: Row, mask: Foreground) -> Image.Image | None:
    """A piece of the photo in which the mask finds nothing, a quarter to half as long; None where there is none."""
    photo, rng = open_photo(row["image"]), Random(row["image"].rsplit("/", 1)[-1])
    item = np.asarray(Image.fromarray(mask.mask(photo)).resize(photo.size)) >= _BESIDE
    for share in (0.5, 0.4, 0.3):
        for _ in range(60):
            width, height = (round(side * share * rng.uniform(0.8, 1.2)) for side in photo.size)
            x, y = rng.randrange(photo.width - width), rng.randrange(photo.height - height)
            if not item[y : y + height, x : x + width].any():
                return photo.crop((x, y, x + width, y + height)).resize((2 * width, 2 * height))
    return None


def other_view(row: Row) -> Image.Image:
    """The photo mirrored, a tenth of each side cut off."""
    photo = open_photo(row["image"])
    width, height = photo.size
    cut = photo.crop((width // 10, height // 10, width - width // 10, height - height // 10))
    return cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def close_up(row: Row, mask: Foreground) -> Image.Image:
    """The middle of the item, a third as long."""
    photo = open_photo(row["image"])
    left, top, right, bottom = crop_box(mask.mask(photo))
    x, y, width, height = (left + right) / 2, (top + bottom) / 2, (right - left) / 6, (bottom - top) / 6
    box = (x - width, y - height, x + width, y + height)
    cut = photo.crop(tuple(round(share * side) for share, side in zip(box, photo.size * 2, strict=True)))
    return cut.resize((4 * cut.width, 4 * cut.height), Image.Resampling.BICUBIC)


def pairs(rows: list[Row], count: int) -> list[tuple[Row, Row]]:
    """Photos of different senders and categories, each used once."""
    rng, left, made = Random(0), list(rows), []
    rng.shuffle(left)
    while len(made) < count:
        one = left.pop()
        other = next(r for r in left if r["label"] != one["label"] and r["sender_id"] != one["sender_id"])
        left.remove(other)
        made.append((one, other))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_root())
    parser.add_argument("--model", type=Path, default=ipl_home() / "models" / "ipl-mini")
    parser.add_argument("--cache", type=Path, default=ipl_home() / "evaluation" / "roles.jsonl")
    parser.add_argument("--answers", type=Path)
    args = parser.parse_args()
    train, validation = split_rows(read_annotations(args.data / "clothing_cc0"))
    Random(1).shuffle(train)
    kept, looker = RowCache(args.cache, lambda row: str(row["name"])), Looker(args.model)

    def look(name: str, get: Get, label: Distribution | None = None) -> Row:
        if name not in kept:
            kept.put({"name": name, **looker.look(get(), label)})
        return kept[name]

    answers = {row["image"]: row["classifier"]["label"] for row in (read(args.answers) if args.answers else ())}

    def photo(row: Row) -> Row:
        name = Path(row["image"]).name
        return look(name, partial(open_photo, row["image"]), answers.get(name))

    def show(what: str, rows: list[Row], wanted: Role) -> None:
        found = Counter(role(row) for row in rows)
        low, high = wilson(found[wanted], len(rows))
        print(f"{what}: {found[wanted]} of {len(rows)} {wanted} [{low:.3f}, {high:.3f}]", dict(found), flush=True)

    show("drawn photos without an item", [look(f"empty {i}", partial(empty_photo, i)) for i in range(20)], "nothing")
    taxonomy, two, one = load_taxonomy(), pairs(validation, 20), validation[::16][:20]
    said = [bool(different_items([photo(a)["label"], photo(b)["label"]], taxonomy)) for a, b in two]
    print(f"two things: said of {sum(said)} of {len(two)} pairs; unsaid: ", end="")
    print("; ".join(f"{a['label']} and {b['label']}" for (a, b), done in zip(two, said, strict=True) if not done))
    show("validation photos", [photo(row) for row in validation], "item")
    mask, cuts = looker.mask, list[Row]()
    for row in train:
        name = f"background {Path(row['image']).name}"
        if len(cuts) == 40:
            break
        cut = None if name in kept else background(row, mask)
        if name in kept or cut is not None:
            cuts.append(look(name, lambda cut=cut: cut))
    show("backgrounds of training photos", cuts, "nothing")
    near = [look(f"close-up {row['image'][-40:]}", partial(close_up, row, mask)) for row in one]
    silent = [not different_items([photo(a)["label"], b["label"]], taxonomy) for a, b in zip(one, near, strict=True)]
    print(f"one thing and its close-up: silent on {sum(silent)} of {len(one)} pairs", flush=True)
    show("close-ups", near, "item")
    views = [(photo(row), look(f"view {row['image'][-40:]}", partial(other_view, row))) for row in one]
    silent = [not different_items([a["label"], b["label"]], taxonomy) for a, b in views]
    print(f"one thing twice: silent on {sum(silent)} of {len(one)} pairs", flush=True)
    furniture = mapped_photos(args.data / "ikea_interior")[::160][:10]
    show("furnishings", [look(f"ikea {p.id}", partial(open_photo, p.path)) for p in furniture], "item")


if __name__ == "__main__":
    main()
