"""A second classifier beside the embedded model: another EfficientNet-lite with heads, tuned on the same photos.

Two towers of different sizes err on different photos, so that the mean of both is right more often than either. The
language model reads its own tower only; this one speaks as part of the *classifier* source of evidence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    Opinions = dict[str, dict[str, float]]

WEIGHTS, FACTS = "second.safetensors", "second.json"


class SecondTower:
    """Photos -> probabilities by question. ``values`` are the answers of each head, in the order of its rows."""

    def __init__(self, architecture: str, tensors: Mapping[str, torch.Tensor], values: dict[str, list[str]]) -> None:
        import timm

        self.values = values
        self.backbone: Any = timm.create_model(architecture, pretrained=False, num_classes=0, global_pool="")
        state = {n.removeprefix("backbone."): t.float() for n, t in tensors.items() if n.startswith("backbone.")}
        missing, unexpected = self.backbone.load_state_dict(state, strict=False)
        if unexpected or [name for name in missing if not name.endswith("num_batches_tracked")]:
            raise ValueError(f"{WEIGHTS} is no {architecture}: assemble the model again (./ipl doctor says how).")
        self.backbone.eval()
        self.heads = {
            name: (tensors[f"heads.{name}.weight"].float(), tensors[f"heads.{name}.bias"].float()) for name in values
        }

    @classmethod
    def load(cls, folder: Path) -> SecondTower | None:
        """The tower of a model folder, or None where there is none."""
        if not (folder / WEIGHTS).is_file() or not (folder / FACTS).is_file():
            return None
        from safetensors.torch import load_file

        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        return cls(facts["architecture"], load_file(folder / WEIGHTS), facts["values"])

    def __call__(self, pixels: torch.Tensor) -> Opinions:
        """Probabilities, mean over the views: pixels [views, 3, 224, 224] in -1..1, as its processor gives them."""
        import torch

        with torch.inference_mode():
            pooled = self.backbone(pixels.float()).mean((2, 3))
            shares = {name: (pooled @ w.T + b).softmax(-1).mean(0).tolist() for name, (w, b) in self.heads.items()}
        return {name: dict(zip(self.values[name], p, strict=True)) for name, p in shares.items()}


def mean_of(first: Opinions, second: Opinions) -> Opinions:
    """The mean of two opinions; a question that only one answers keeps its answer."""
    out = {**second, **first}
    for name in first.keys() & second.keys():
        answers = dict.fromkeys([*first[name], *second[name]])
        out[name] = {a: (first[name].get(a, 0.0) + second[name].get(a, 0.0)) / 2 for a in answers}
    return out
