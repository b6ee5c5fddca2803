"""Blended photos: teach the language model to read its tower where the tower itself is unsure.

The tower has seen the training photos, so that its features of them are surer than those of new photos, and a language
model that learns from them alone reads unsure features badly. Here the feature maps of two photos are blended, and the
answers are drawn from what the tower's own heads say of the blend, and carry its soft labels, at no extra token.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from finetune.data.photosets import ATTRIBUTES

if TYPE_CHECKING:
    import torch

    from listing.backends.local import TowerHeads
    from listing.taxonomy import Taxonomy


def blend(maps: torch.Tensor, share: float, rng: np.random.Generator) -> tuple[torch.Tensor, np.ndarray]:
    """Blend some photos (share 0..1) with another one of the batch; ``maps`` [b, channels, h, w] are left as they are.

    New maps, and which of them are blends (bool [b]). A photo keeps at least half of itself.
    """
    count = maps.shape[0]
    chosen = (rng.random(count) < share) & (count > 1)
    partner = (np.arange(count) + rng.integers(1, max(2, count), count)) % count
    own = np.where(chosen, rng.uniform(0.5, 1.0, count), 1.0)
    weight = maps.new_tensor(own)[:, None, None, None]
    return weight * maps + (1 - weight) * maps[partner], chosen


def relabel(
    row: Mapping[str, Any], heads: TowerHeads, pooled: torch.Tensor, taxonomy: Taxonomy, rng: Random
) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """The row as the tower's heads see ``pooled`` [1, channels]: (answers drawn from them, soft labels by question).

    Guesses stay guesses. "n/a" carries no share: a question is asked only where the category has the attribute.
    """
    said = heads(pooled)

    def draw(name: str) -> str:
        values, weights = zip(*said[name].items(), strict=True)
        return str(rng.choices(values, weights)[0])

    drawn = {name: draw(name) for name in ATTRIBUTES if name in said}
    soft = {name: {v: p for v, p in said[name].items() if v != "n/a"} for name in ATTRIBUTES if name in said}
    soft["condition"] = dict(said["condition"])
    soft["category"] = {taxonomy.categories[name].phrase: p for name, p in said["label"].items()}
    return {**row, "label": draw("label"), "condition": [draw("condition")], **drawn, "colour2": row["colour2"]}, soft
