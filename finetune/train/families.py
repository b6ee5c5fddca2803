"""One row a family of models: what is its vision tower, where LoRA goes, how many pixels a photo may cost.

A new family is a row here, tuned with ``finetune/configs/another-family.yaml``; nothing else knows a family by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from finetune.errors import TuneError

PROJECTOR = "projector"  # in a config's ``trains``
LINEAR = r"self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj"
QWEN: dict[str, Any] = {"vision": ("model.visual",), "projector": ("model.visual.merger",)}


@dataclass(frozen=True)
class Family:
    """``vision``, ``projector``, ``language``: full module prefixes. ``linear``: pattern of the linear layers in one
    layer of the language model. ``pixels``: settings of the image processor that cap what a photo costs;
    ``repeated``: those of them that the model's own config must repeat.
    """

    name: str
    model_types: tuple[str, ...]
    vision: tuple[str, ...] = ("model.vision_tower",)
    projector: tuple[str, ...] = ("model.multi_modal_projector",)
    language: str = "model.language_model"
    linear: str = LINEAR
    pixels: Mapping[str, Any] = field(default_factory=dict)
    repeated: tuple[str, ...] = ()

    @property
    def lora(self) -> str:
        """Pattern of the linear layers of the language model, anchored: ``q_proj`` alone would match the tower too."""
        return rf"{re.escape(self.language)}\.layers\.\d+\.({self.linear})"

    def modules(self, trains: Sequence[str]) -> tuple[str, ...]:
        """Full module names of a config's ``trains``, where ``projector`` stands for this family's."""
        named = (self.projector if name == PROJECTOR else (name,) for name in trains)
        return tuple(dict.fromkeys(module for modules in named for module in modules))

    @property
    def skipped(self) -> tuple[str, ...]:
        """Modules that stay 16-bit under quantisation, by full prefixes (a short name matches nothing)."""
        return (*self.vision, *(p for p in self.projector if not p.startswith(self.vision)), "lm_head")


def _side(smallest: int, largest: int) -> dict[str, Any]:
    """Qwen's budget: the area of squares with these sides."""
    return {"size": {"shortest_edge": smallest * smallest, "longest_edge": largest * largest}}


FAMILIES = (
    # 49 image tokens a photo; the template puts the photo before the question.
    Family("ipl-mini", ("fast_vlm",)),
    # Answers begin with a space; a turn ends with <end_of_utterance>; a photo is 64 tokens when not split.
    Family(
        "smolvlm",
        ("smolvlm", "idefics3"),
        vision=("model.vision_model",),
        projector=("model.connector",),
        language="model.text_model",
        pixels={"do_image_splitting": False},
    ),
    # The template adds a system turn; the model wants mm_token_type_ids; positions have three axes.
    Family("qwen2.5-vl", ("qwen2_5_vl",), **QWEN, pixels=_side(56, 448)),
    # Features enter deeper layers too (deepstack); the model wants mm_token_type_ids.
    Family("qwen3-vl", ("qwen3_vl",), **QWEN, pixels=_side(64, 512)),
    # The grid of crops stands in the processor and in the model's config, which must agree.
    Family(
        "llava-onevision",
        ("llava_onevision",),
        pixels={"image_grid_pinpoints": [[384, 384], [384, 768], [768, 384]]},
        repeated=("image_grid_pinpoints",),
    ),
    Family("qwen2-vl", ("qwen2_vl",), **QWEN, pixels=_side(56, 448)),
    # Three layers in four have linear attention. Tuned and asked without thoughts, by a corrected template.
    Family(
        "qwen3.5",
        ("qwen3_5",),
        **QWEN,
        linear=rf"{LINEAR}|linear_attn\.(in_proj_(qkv|z|a|b)|out_proj)",
        pixels=_side(64, 512),
    ),
    # 256 tokens a photo; a photo's tokens see each other both ways (token_type_ids).
    Family("gemma3", ("gemma3",)),
    # At most 280 tokens a photo. Layers that share keys have none of their own; experts are not tuned.
    Family(
        "gemma4", ("gemma4",), projector=("model.embed_vision",), linear=rf"{LINEAR}|per_layer_(input_gate|projection)"
    ),
    # 256 tokens a tile; the processor cuts a photo into up to 12 unless it is told otherwise.
    Family("internvl", ("internvl",), pixels={"max_patches": 1}),
    # 169 tokens a tile.
    Family("aya-vision", ("aya_vision",), pixels={"max_patches": 1}),
    # A photo keeps its shape, with a token at the end of each row; an answer needs no opening.
    Family("mistral3", ("mistral3",), pixels={"size": {"longest_edge": 448}}),
    # Most layers are short convolutions; 64 to 256 tokens a photo when not split.
    Family(
        "lfm2-vl",
        ("lfm2_vl",),
        linear=r"self_attn\.(q|k|v|out)_proj|feed_forward\.w[123]|conv\.(in|out)_proj",
        pixels={"do_image_splitting": False},
    ),
)


def family_of(model_type: str) -> Family:
    """The row of a model by its config's ``model_type``; TuneError where no row names it."""
    for family in FAMILIES:
        if model_type in family.model_types:
            return family
    supported = ", ".join(kind for family in FAMILIES for kind in family.model_types)
    raise TuneError(
        f"Models of type {model_type!r} are not in the table of finetune/train/families.py ({supported}); add a row "
        "with the prefixes of their vision tower, projector and language model."
    )
