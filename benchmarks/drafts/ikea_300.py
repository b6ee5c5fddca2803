"""Right leaf among three candidates, on 300 photos of things that are not garments.

``ikea_300.txt`` holds the ids, ``ikea_300.yaml`` says which leaf each of the photo set's category strings names; both
were fixed before anything was classified. The taxonomy has no leaf for what ImageNet has no class for (mirror, picture
frame, tap), so such things are not in the test. What is left of the photo set is the *tuning part*: views are chosen
and the shares of ``taxonomy.yaml`` were reviewed there, never on the 300.

    python -m benchmarks.drafts.ikea_300            the figures (needs the photo folders named by IPL_DATA)
    python -m benchmarks.drafts.ikea_300 --tuning   the same on the tuning part
    python -m benchmarks.drafts.ikea_300 --views    the tuning part under each choice of views
    python -m benchmarks.drafts.ikea_300 --draw     prints the ids again from the seed
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from PIL import Image

from finetune.data.photosets import data_root, letterbox
from finetune.embedded.assemble import WEIGHTS
from finetune.embedded.tower import TunedTower, predict
from listing.decide.category import decide, garment_probability
from listing.observe.networks.imagenet import SIDE, VIEWS, ImageNetClassifier, View, category_scores, softmax
from listing.home import ipl_home
from listing.schema import Category
from listing.taxonomy import load_taxonomy

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


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share, after Wilson."""
    z, share = 1.96, hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def model_folder() -> Path:
    """The assembled embedded model."""
    return ipl_home() / "models" / "ipl-mini"


class Judge:
    """The category as the pipeline decides it, without the multimodal model and neighbours: ImageNet head and tower."""

    def __init__(self, model: Path, tower: Path, views: Sequence[View]) -> None:
        from safetensors.torch import load_file

        self.taxonomy, self.views = load_taxonomy(), views
        self.classifier = ImageNetClassifier(model)
        self.labels: dict[str, list[str]] = json.loads((tower / "tower.json").read_text(encoding="utf-8"))["values"]
        self.tower = TunedTower({name: len(values) for name, values in self.labels.items()})
        have = {name: t.float() for name, t in load_file(tower / "tower.safetensors").items()}
        self.tower.load_state_dict({**self.tower.state_dict(), **have})

    def __call__(self, path: Path) -> Category:
        with Image.open(path) as image:
            found = softmax(self.classifier.view_logits(image, self.views)).mean(axis=0)
        said = predict(self.tower, letterbox(str(path), SIDE)[None].copy(), SIDE)["label"][0].tolist()
        opinions = {
            "imagenet": category_scores(found, self.taxonomy),
            "classifier": dict(zip(self.labels["label"], said, strict=True)),
        }
        return decide(opinions, self.taxonomy, garment=garment_probability(found, self.taxonomy))


def report(judge: Judge, photos: Sequence[Photo], by_leaf: bool) -> None:
    """Print the share of photos whose leaf is among the three candidates, first, and outside what is known."""
    hits: dict[str, list[bool]] = defaultdict(list)
    first = outside = 0
    for photo in photos:
        category = judge(photo.path)
        names = [c.value for c in category.candidates]
        hits[photo.leaf].append(photo.leaf in names)
        first += names[:1] == [photo.leaf]
        outside += not category.in_range
    right, n = sum(map(sum, hits.values())), len(photos)
    low, high = wilson(right, n)
    if by_leaf:
        for leaf, found in sorted(hits.items(), key=lambda pair: (sum(pair[1]) / len(pair[1]), pair[0])):
            print(f"  {leaf:18} {sum(found):3} of {len(found)}")
    print(
        f"{'+'.join(judge.views)}: {n} photos, {len(hits)} leaves: among three {right / n:.3f} "
        f"[{low:.3f}, {high:.3f}], first {first / n:.3f}, said to be outside what I know {outside / n:.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=None, help="folder that holds imagenet.safetensors")
    parser.add_argument("--tower", type=Path, default=WEIGHTS, help="folder that holds tower.safetensors, tower.json")
    parser.add_argument("--tuning", action="store_true", help="the tuning part instead of the 300")
    parser.add_argument("--views", action="store_true", help="compare the views on the tuning part")
    parser.add_argument("--draw", action="store_true", help="print the ids from the seed and stop")
    args = parser.parse_args()
    photos = mapped_photos(data_root() / "ikea_interior")
    if args.draw:
        print("\n".join(draw(photos)))
        return
    fixed, tuning = set(test_ids()), args.tuning or args.views
    chosen = [photo for photo in photos if (photo.id not in fixed) == tuning]
    choices: tuple[tuple[View, ...], ...] = (("crop",), ("letterbox",), ("whole",), ("crop", "letterbox"))
    for views in choices if args.views else (VIEWS,):
        report(Judge(args.model or model_folder(), args.tower, views), chosen, by_leaf=not args.views)


if __name__ == "__main__":
    main()
