from random import Random

import numpy as np
import pytest
import torch

from finetune.data.mixing import blend, relabel
from listing.backends.local import TowerHeads
from listing.taxonomy import load_taxonomy
from tests.finetune.rows import annotated


def test_a_blend_keeps_at_least_half_of_its_photo():
    maps = torch.eye(6)[:, :, None, None].expand(6, 6, 2, 2)
    made, chosen = blend(maps, 1.0, np.random.default_rng(0))
    assert chosen.all()
    for k in range(6):
        assert made[k, k].min() >= 0.5
        assert torch.allclose(made[k].sum(0), torch.ones(2, 2))


def test_without_a_share_nothing_changes():
    maps = torch.randn(4, 3, 2, 2)
    made, chosen = blend(maps, 0.0, np.random.default_rng(0))
    assert torch.equal(made, maps)
    assert not chosen.any()
    alone, chosen = blend(maps[:1], 1.0, np.random.default_rng(0))
    assert torch.equal(alone, maps[:1])
    assert not chosen.any()


def heads() -> TowerHeads:
    """Heads whose bias alone decides: two labels at 3 to 1, one value for everything else."""
    values = {"label": ["Hoodie", "Shirt"], "colour": ["red"], "condition": ["creased"], "material": ["denim"]}
    tensors = {}
    for name, named in values.items():
        tensors[f"heads.{name}.weight"] = torch.zeros(len(named), 5)
        tensors[f"heads.{name}.bias"] = torch.log(torch.tensor([3.0, 1.0])) if name == "label" else torch.zeros(1)
    return TowerHeads(tensors, values)


def test_answers_are_drawn_as_often_as_the_heads_say():
    rng = Random(0)
    taxonomy, row = load_taxonomy(), annotated(guess=["material"])
    drawn = [relabel(row, heads(), torch.zeros(1, 5), taxonomy, rng)[0] for _ in range(400)]
    share = sum(row["label"] == "Hoodie" for row in drawn) / 400
    assert 0.68 < share < 0.82
    assert all(row["colour"] == "red" and row["condition"] == ["creased"] for row in drawn)
    assert all(row["guess"] == ["material"] for row in drawn), "a guess is still no target"
    assert drawn[0]["sleeve"] == "long", "what the heads do not know stays as annotated"


def test_soft_labels_are_what_the_heads_say_in_the_words_of_the_answers():
    _, soft = relabel(annotated(), heads(), torch.zeros(1, 5), load_taxonomy(), Random(0))
    assert soft["category"] == pytest.approx({"hoodie": 0.75, "shirt": 0.25})
    assert soft["colour"] == {"red": 1.0}
    assert "sleeve" not in soft, "what the heads do not know has no soft label"
