"""A photo of a garment beside one of its label: the category must not suffer, size and composition must be read.

    python -m benchmarks.drafts.label_photos [--pairs 40] [--data DIR]

Garments: validation senders of clothing_cc0, spread evenly. Labels: drawn (``rendered_photos.label_photo``), in seven
languages and several layouts. For each pair the category by the garment's photo alone, and by both photos.
"""

from __future__ import annotations

import argparse
import io
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.drafts.ikea_300 import wilson
from benchmarks.drafts.rendered_photos import label_photo
from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows
from listing.decide.printed_facts import Pages, read_facts
from listing.decide.visual_facts import Look, look
from listing.home import ipl_home
from listing.intake.photos import intake
from listing.pipeline_parts import Parts, build_parts
from listing.request import DraftRequest


class Once:
    """A question to a model that is asked once of each photo: the two requests of a pair share one."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask, self._said = ask, dict[int, tuple[Image.Image, Any]]()

    def __call__(self, photo: Image.Image, *more: Any) -> Any:
        if id(photo) not in self._said:
            self._said[id(photo)] = photo, self._ask(photo, *more)  # the photo too, so that its id stays its own
        return self._said[id(photo)][1]


def seen(parts: Parts, request: DraftRequest, pages: Pages) -> Look:
    """What the pipeline makes of the photos before it reads them."""
    return look(
        request,
        backend=parts.backend,
        router=parts.router,
        similar=parts.similar,
        taxonomy=parts.taxonomy,
        calibration=parts.calibration,
        pages=pages,
        eyes=parts.eyes,
    )


def jpeg(image: Image.Image) -> bytes:
    held = io.BytesIO()
    image.save(held, "JPEG", quality=92)
    return held.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--data", type=Path, default=data_root() / "clothing_cc0")
    args = parser.parse_args()
    _, validation = split_rows(read_annotations(args.data))
    parts = build_parts(None, False, ipl_home())
    assert parts.eyes is not None
    for source, name in ((parts.eyes, "look"), (parts.backend, "opinions"), (parts.backend, "score")):
        setattr(source, name, Once(getattr(source, name)))
    node = next(n for n in parts.taxonomy.leaves() if {"size", "material"} <= set(n.attributes))
    changes, roles, right = [], 0, {"size": 0, "material": 0}
    for i, row in enumerate(validation[:: len(validation) // args.pairs][: args.pairs]):
        label = label_photo(i)
        both = DraftRequest(photos=intake([row["image"], jpeg(label.image)]))
        alone = DraftRequest(photos=both.photos[:1])
        before = seen(parts, alone, Pages(alone.photos, parts.reader)).category.candidates[0]
        pages = Pages(both.photos, parts.reader)
        pair = seen(parts, both, pages)
        roles += pair.labels() == {1}
        after = {c.value: c.confidence for c in pair.category.candidates}
        changes.append(after.get(before.value, 0.0) - before.confidence)
        facts = {fact.name: fact for fact in read_facts(both, node, pages.all(pair.roles), pair.labels())}
        blend = ", ".join(f"{share} % {fibre}" for fibre, share in label.blend)
        read = {"size": facts["size"].value if "size" in facts else None}
        read["material"] = facts["material"].evidence[0].text if "material" in facts else None
        print(f"{i + 1}: {changes[-1]:+.4f}", end=" ", flush=True)
        for name, truth in (("size", label.size), ("material", blend)):
            right[name] += read[name] == truth
            if read[name] != truth:
                print(f"label {i}: {name} {truth}, read {read[name]}", flush=True)
    count = len(changes)
    print(f"{roles} of {count} labels known as labels")
    print(
        f"category: its probability changes by {statistics.mean(changes):+.4f} on average, {min(changes):+.4f} at worst"
    )
    for name, found in right.items():
        low, high = wilson(found, count)
        print(f"{name}: {found} of {count} read [{low:.2f}, {high:.2f}]")


if __name__ == "__main__":
    main()
