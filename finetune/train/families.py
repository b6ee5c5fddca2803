"""One row a family of models: what is its vision tower, where LoRA goes, how many pixels a photo may cost.

A new family is a row here, tuned with ``finetune/configs/another-family.yaml``; nothing else knows a family by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from finetune.errors import TuneError
from listing.backends.full_prompts import TREE_USABLE

PROJECTOR = "projector"  # in a config's ``trains``
LINEAR = r"self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj"


@dataclass(frozen=True)
class Family:
    """``vision``, ``projector``, ``language``: full module prefixes. ``linear``: pattern of the linear layers in one
    layer of the language model. ``pixels``: settings of the image processor that cap what a photo costs;
    ``repeated``: those of them that the model's own config must repeat. ``note``: template and processor quirks.
    """

    name: str
    model_types: tuple[str, ...]
    vision: tuple[str, ...]
    projector: tuple[str, ...]
    language: str = "model.language_model"
    linear: str = LINEAR
    pixels: Mapping[str, Any] = field(default_factory=dict)
    repeated: tuple[str, ...] = ()
    note: str = ""

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
        """What stays 16-bit under quantisation, by full prefixes (a short name matches nothing)."""
        return (*self.vision, *(p for p in self.projector if not p.startswith(self.vision)), "lm_head")

    @property
    def tree(self) -> bool:
        """Whether all questions about a photo can be laid out as one tree."""
        return set(self.model_types) <= TREE_USABLE


FAMILIES = (
    Family(
        "ipl-mini",
        ("fast_vlm",),
        vision=("model.vision_tower",),
        projector=("model.multi_modal_projector",),
        note="49 image tokens a photo; the template puts the photo before the question.",
    ),
    Family(
        "smolvlm",
        ("smolvlm", "idefics3"),
        vision=("model.vision_model",),
        projector=("model.connector",),
        language="model.text_model",
        pixels={"do_image_splitting": False},
        note="Answers begin with a space; a turn ends with <end_of_utterance>; a photo is 64 tokens when not split.",
    ),
    Family(
        "qwen2.5-vl",
        ("qwen2_5_vl",),
        vision=("model.visual",),
        projector=("model.visual.merger",),
        pixels={"size": {"shortest_edge": 56 * 56, "longest_edge": 448 * 448}},
        note="The template adds a system turn; the model wants mm_token_type_ids; positions have three axes.",
    ),
    Family(
        "qwen3-vl",
        ("qwen3_vl",),
        vision=("model.visual",),
        projector=("model.visual.merger",),
        pixels={"size": {"shortest_edge": 64 * 64, "longest_edge": 512 * 512}},
        note="Features enter deeper layers too (deepstack); the model wants mm_token_type_ids.",
    ),
    Family(
        "llava-onevision",
        ("llava_onevision",),
        vision=("model.vision_tower",),
        projector=("model.multi_modal_projector",),
        pixels={"image_grid_pinpoints": [[384, 384], [384, 768], [768, 384]]},
        repeated=("image_grid_pinpoints",),
        note="The grid of crops stands in the processor and in the model's config, which must agree.",
    ),
    Family(
        "qwen2-vl",
        ("qwen2_vl",),
        vision=("model.visual",),
        projector=("model.visual.merger",),
        pixels={"size": {"shortest_edge": 56 * 56, "longest_edge": 448 * 448}},
        note="As Qwen2.5-VL.",
    ),
    Family(
        "qwen3.5",
        ("qwen3_5",),
        vision=("model.visual",),
        projector=("model.visual.merger",),
        linear=rf"{LINEAR}|linear_attn\.(in_proj_(qkv|z|a|b)|out_proj)",
        pixels={"size": {"shortest_edge": 64 * 64, "longest_edge": 512 * 512}},
        note="Three layers in four have linear attention. Tuned and asked without thoughts, by a corrected template.",
    ),
    Family(
        "gemma3",
        ("gemma3",),
        vision=("model.vision_tower",),
        projector=("model.multi_modal_projector",),
        note="256 tokens a photo; a photo's tokens see each other both ways (token_type_ids).",
    ),
    Family(
        "gemma4",
        ("gemma4",),
        vision=("model.vision_tower",),
        projector=("model.embed_vision",),
        linear=rf"{LINEAR}|per_layer_(input_gate|projection)",
        note="At most 280 tokens a photo. Layers that share keys have none of their own; experts are not tuned.",
    ),
    Family(
        "internvl",
        ("internvl",),
        vision=("model.vision_tower",),
        projector=("model.multi_modal_projector",),
        pixels={"max_patches": 1},
        note="256 tokens a tile; the processor cuts a photo into up to 12 unless it is told otherwise.",
    ),
    Family(
        "aya-vision",
        ("aya_vision",),
        vision=("model.vision_tower",),
        projector=("model.multi_modal_projector",),
        pixels={"max_patches": 1},
        note="169 tokens a tile; tiles as InternVL's.",
    ),
    Family(
        "mistral3",
        ("mistral3",),
        vision=("model.vision_tower",),
        projector=("model.multi_modal_projector",),
        pixels={"size": {"longest_edge": 448}},
        note="A photo keeps its shape, with a token at the end of each row; an answer needs no opening.",
    ),
    Family(
        "lfm2-vl",
        ("lfm2_vl",),
        vision=("model.vision_tower",),
        projector=("model.multi_modal_projector",),
        linear=r"self_attn\.(q|k|v|out)_proj|feed_forward\.w[123]|conv\.(in|out)_proj",
        pixels={"do_image_splitting": False},
        note="Most layers are short convolutions; 64 to 256 tokens a photo when not split.",
    ),
)


def family_of(model_type: str) -> Family:
    """The row of a model by its config's ``model_type``; TuneError where no row names it."""
    for family in FAMILIES:
        if model_type in family.model_types:
            return family
    known = ", ".join(kind for family in FAMILIES for kind in family.model_types)
    raise TuneError(
        f"Models of type {model_type!r} are not in the table of finetune/train/families.py ({known}); add a row with "
        "the prefixes of their vision tower, projector and language model."
    )
