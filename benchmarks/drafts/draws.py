"""Photos that drafts are judged on, drawn by a seed before anything was changed.

    python -m benchmarks.drafts.draws clothes | again

``clothes``: 60 photos of validation senders whose label is right, seed 57: each class's photos are shuffled, and the
classes, in a shuffled order, give one photo each in turn. ``again``: 40 others in the same way, seed 571. Texts of the
drawn clothes are read by nobody who changes texts.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from pathlib import Path

from benchmarks.common import arguments
from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows

BLIND, SEED = 60, 57
AGAIN, AGAIN_SEED = 40, 571


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


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("draw", choices=("clothes", "again"))
    again = parser.parse_args().draw == "again"
    print(*(clothes(AGAIN, AGAIN_SEED, clothes()) if again else clothes()), sep="\n")


if __name__ == "__main__":
    main()
