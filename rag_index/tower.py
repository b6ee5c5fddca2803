"""The tuned garment tower as a ``sentence_transformers`` module: photo -> its pooled features, length 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sentence_transformers.base.modules.input_module import InputModule

ARCHITECTURE = "tf_efficientnet_lite0"
DIMENSIONS = 1280
WEIGHTS = "tower.safetensors"
_GREY = (128, 128, 128)
_SIDE, _CROP = 256, 224


def pixels(photo: Image.Image) -> np.ndarray:
    """The photo on a grey square, 256 px, its central 224 px, as it was tuned on: float32 [3, 224, 224] in -1..1."""
    photo = photo.convert("RGB")
    edge = max(photo.size)
    square = Image.new("RGB", (edge, edge), _GREY)
    square.paste(photo, ((edge - photo.width) // 2, (edge - photo.height) // 2))
    small = np.asarray(square.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC), np.float32)
    start = (_SIDE - _CROP) // 2
    view = small[start : start + _CROP, start : start + _CROP]
    return np.ascontiguousarray((view / 127.5 - 1.0).transpose(2, 0, 1))


class TowerModule(InputModule):
    """EfficientNet-lite0 without its heads. ``sentence_embedding`` is [n, 1280], L2-normalised."""

    def __init__(self) -> None:
        super().__init__()
        import timm

        self.backbone: Any = timm.create_model(ARCHITECTURE, pretrained=False, num_classes=0, global_pool="")

    @classmethod
    def from_file(cls, file: Path) -> TowerModule:
        """Read the tensors ``backbone.*`` of a safetensors file; ValueError: they are not this architecture's."""
        from safetensors.torch import load_file

        module = cls()
        tensors = {
            n.removeprefix("backbone."): t.float() for n, t in load_file(file).items() if n.startswith("backbone.")
        }
        missing, unexpected = module.backbone.load_state_dict(tensors, strict=False)
        if unexpected or [name for name in missing if not name.endswith("num_batches_tracked")]:
            raise ValueError(f"{file} is not a tuned {ARCHITECTURE}: assemble the model again (./ipl doctor says how).")
        module.backbone.to(memory_format=torch.channels_last)
        return module.eval()

    @property
    def modalities(self) -> list[Any]:
        return ["image"]

    def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **_: Any) -> dict[str, torch.Tensor]:
        return {"pixel_values": torch.from_numpy(np.stack([pixels(photo) for photo in inputs]))}

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        pooled = self.backbone(features["pixel_values"]).float().mean((2, 3))
        features["sentence_embedding"] = torch.nn.functional.normalize(pooled, dim=-1)
        return features

    def get_sentence_embedding_dimension(self) -> int:
        return DIMENSIONS

    def get_embedding_dimension(self) -> int:
        return DIMENSIONS

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        from safetensors.torch import save_file

        tensors = {f"backbone.{name}": t.contiguous() for name, t in self.backbone.state_dict().items()}
        save_file(tensors, Path(output_path) / WEIGHTS)
