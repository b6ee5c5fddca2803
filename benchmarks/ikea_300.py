"""Right leaf among three candidates, on 300 photos of things that are not garments.

``ikea_300.txt`` holds the ids, ``ikea_300.yaml`` says which leaf each of the photo set's category strings names; both
were fixed before anything was classified. What is left of the photo set is the *tuning part*: crops may be chosen on it.

    python -m benchmarks.ikea_300            the figures (needs the photo folders named by IPL_DATA)
    python -m benchmarks.ikea_300 --tuning   the same on the tuning part
    python -m benchmarks.ikea_300 --draw     prints the ids again from the seed
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).parent
SEED = 20261
SIZE = 300
# At least a third of every leaf's photos stays in the tuning part.
TEST_SHARE = 2 / 3


@dataclass(frozen=True)
class Photo:
    """One photo and the leaf that its category string names."""

    id: str
    path: Path
    leaf: str


def leaf_of_string() -> dict[str, str]:
    """Category string of the photo set -> leaf."""
    mapping = yaml.safe_load((HERE / "ikea_300.yaml").read_text(encoding="utf-8"))
    return {string: leaf for leaf, strings in mapping.items() for string in strings}


def mapped_photos(folder: Path) -> list[Photo]:
    """Photos whose string names a leaf, sorted by id; of byte-identical files only the first."""
    import pandas as pd

    leaves = leaf_of_string()
    rows = pd.read_parquet(folder / "listings.parquet", columns=["id", "image", "category"]).sort_values("id")
    seen: set[bytes] = set()
    photos = []
    for row in rows.itertuples(index=False):
        if row.category not in leaves:
            continue
        path = folder / str(row.image)
        digest = hashlib.sha256(path.read_bytes()).digest()
        if digest not in seen:
            photos.append(Photo(str(row.id), path, leaves[row.category]))
        seen.add(digest)
    return photos


def draw(photos: list[Photo]) -> list[str]:
    """Ids of the test: one photo of every leaf in turn until there are ``SIZE``."""
    rng = random.Random(SEED)
    by_leaf: dict[str, list[str]] = defaultdict(list)
    for photo in photos:
        by_leaf[photo.leaf].append(photo.id)
    usable = {leaf: rng.sample(ids, max(1, int(len(ids) * TEST_SHARE))) for leaf, ids in sorted(by_leaf.items())}
    turns = sorted((turn, leaf, i) for leaf, ids in usable.items() for turn, i in enumerate(ids))
    return sorted(i for _, _, i in turns[:SIZE])


def test_ids() -> list[str]:
    """The fixed ids."""
    return (HERE / "ikea_300.txt").read_text(encoding="utf-8").split()


test_ids.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever its name says to pytest
