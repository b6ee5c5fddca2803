"""Photos that drafts are judged on, drawn by a seed before anything was changed.

    python -m benchmarks.drafts.draws clothes | again | goods

``clothes``: 60 photos of validation senders whose label is right, seed 57: each class's photos are shuffled, and the
classes, in a shuffled order, give one photo each in turn. ``again``: 40 others in the same way, seed 571. ``goods``:
40 photos a catalogue (``ikea``, ``ave``, ``fashion``, see ``benchmarks/drafts/kinds.py``) of types that are no clothes,
seed 91, shuffled catalogue by catalogue. Texts of the drawn clothes are read by nobody who changes texts.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from pathlib import Path

from benchmarks.common import arguments
from benchmarks.drafts.kinds import TRUTH, photos_of
from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows
from listing.taxonomy import load_taxonomy

BLIND, SEED = 60, 57
AGAIN, AGAIN_SEED = 40, 571
GOODS, GOODS_SEED = 40, 91


def clothes(count: int = BLIND, seed: int = SEED, read: Collection[str] = ()) -> list[str]:
    """The names of the photos for a blind reading; none of those that were read before."""
    rows = [r for r in split_rows(read_annotations(data_root() / "clothing_cc0"))[1] if r["label_ok"]]
    by_label: dict[str, list[str]] = {}
    for row in rows:
        if (name := Path(row["image"]).name) not in read:
            by_label.setdefault(row["label"], []).append(name)
    rng = random.Random(seed)
    for label in sorted(by_label):
        by_label[label].sort()
        rng.shuffle(by_label[label])
    order = sorted(by_label)
    rng.shuffle(order)
    longest = max(map(len, by_label.values()))
    return [by_label[label][n] for n in range(longest) for label in order if n < len(by_label[label])][:count]


def goods() -> list[tuple[str, Path, str]]:
    """(catalogue, photo, type) of things that are no clothes."""
    worn = set(load_taxonomy().tuned())
    out = []
    for name in TRUTH:
        photos = [(p, k) for p, k in photos_of(name, data_root()) if p.is_file() and not _worn(name, k, worn)]
        photos.sort(key=lambda entry: str(entry[0]))
        random.Random(GOODS_SEED).shuffle(photos)
        out += [(name, path, kind) for path, kind in photos[:GOODS]]
    return out


def _worn(name: str, kind: str, worn: set[str]) -> bool:
    truth = TRUTH[name][kind]
    return bool(worn & set(truth["leaves"])) or "Clothing" in truth["groups"]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("draw", choices=("clothes", "again", "goods"))
    draw = parser.parse_args().draw
    if draw == "goods":
        print(*(f"{name}\t{path.name}\t{kind}" for name, path, kind in goods()), sep="\n")
    else:
        print(*(clothes(AGAIN, AGAIN_SEED, clothes()) if draw == "again" else clothes()), sep="\n")


if __name__ == "__main__":
    main()
