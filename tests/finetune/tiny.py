"""Tiny random models of the true architectures, with their true processor classes, built without any download."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch

from tests.finetune import tiny_models as more
from tests.finetune.tiny_models import BLOCKS, qwen_ids, text

SMOL = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
QWEN = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ONEVISION = (  # like the hub's: a past turn of the assistant opens differently from a new one
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\n' + content['text'] }}"
    "{% endfor %}{{ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL = (
    "<pad>", "<|im_start|>", "<|im_end|>", "<image>", "<|image_pad|>", "<|video_pad|>", "<|vision_start|>",
    "<|vision_end|>", "<end_of_utterance>", "<fake_token_around_image>", "<global-img>", "<video>", "<repo_name>",
)  # fmt: skip


def tokenizer(end: str) -> Any:
    """A byte-level tokenizer: 256 bytes and the special tokens of every family."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    letters_tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(letters)}, merges=[]))
    letters_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters_tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=letters_tokenizer, pad_token="<pad>", bos_token="<|im_start|>", eos_token=end,
        additional_special_tokens=[*SPECIAL[3:], "<|im_end|>"],
    )  # fmt: skip


def _smolvlm(words: Any) -> tuple[Any, Any]:
    import transformers as hf

    config = hf.SmolVLMConfig(
        text_config={"model_type": "llama", **text(words)},
        vision_config={**BLOCKS, "image_size": 32, "patch_size": 8},
        scale_factor=2,
        image_token_id=words.convert_tokens_to_ids("<image>"),
        pad_token_id=words.pad_token_id,
    )
    size = {"size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 32}}
    processor = hf.SmolVLMProcessor(
        hf.SmolVLMImageProcessor(**size), words, hf.SmolVLMVideoProcessor(**size), image_seq_len=4, chat_template=SMOL
    )
    return hf.SmolVLMForConditionalGeneration(config), processor


def _qwen2_5(words: Any) -> tuple[Any, Any]:
    import transformers as hf

    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    config = hf.Qwen2_5_VLConfig(
        text_config=text(words, rope_parameters=rope),
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 4, "out_hidden_size": 32,
            "patch_size": 14, "fullatt_block_indexes": [1],
        },
        **qwen_ids(words),
    )  # fmt: skip
    processor = hf.Qwen2_5_VLProcessor(
        hf.Qwen2VLImageProcessor(size={"shortest_edge": 56 * 56, "longest_edge": 84 * 84}),
        words,
        hf.Qwen2VLVideoProcessor(),
        chat_template=QWEN,
    )
    return hf.Qwen2_5_VLForConditionalGeneration(config), processor


def _qwen3(words: Any) -> tuple[Any, Any]:
    import transformers as hf

    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    config = hf.Qwen3VLConfig(
        text_config=text(words, head_dim=8, rope_parameters=rope),
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 4, "out_hidden_size": 32,
            "patch_size": 16, "num_position_embeddings": 16, "deepstack_visual_indexes": [0],
        },
        **qwen_ids(words),
    )  # fmt: skip
    pixels = hf.Qwen2VLImageProcessor(size={"shortest_edge": 64 * 64, "longest_edge": 96 * 96}, patch_size=16)
    return hf.Qwen3VLForConditionalGeneration(config), hf.Qwen3VLProcessor(
        pixels, words, hf.Qwen3VLVideoProcessor(), chat_template=QWEN
    )


def _onevision(words: Any) -> tuple[Any, Any]:
    import transformers as hf

    grid = [[28, 28], [28, 56], [56, 28]]
    config = hf.LlavaOnevisionConfig(
        text_config={"model_type": "qwen2", **text(words)},
        vision_config={
            "model_type": "siglip_vision_model", **BLOCKS, "image_size": 28, "patch_size": 14, "vision_use_head": False,
        },
        image_grid_pinpoints=grid,
        image_token_index=words.convert_tokens_to_ids("<image>"),
        video_token_index=words.convert_tokens_to_ids("<video>"),
    )  # fmt: skip
    side = {"size": {"height": 28, "width": 28}}
    processor = hf.LlavaOnevisionProcessor(
        hf.LlavaOnevisionImageProcessor(image_grid_pinpoints=grid, **side),
        words,
        hf.LlavaOnevisionVideoProcessor(**side),
        num_image_tokens=4,
        vision_feature_select_strategy="full",
        chat_template=ONEVISION,
    )
    return hf.LlavaOnevisionForConditionalGeneration(config), processor


def _ipl_mini(words: Any) -> tuple[Any, Any]:
    from transformers import LlamaConfig

    from finetune.embedded.assemble import build_model, build_processor

    model = build_model(LlamaConfig(**text(words), tie_word_embeddings=True)).float()
    _fit_statistics(model.model.vision_tower)
    processor = build_processor(words)
    model.config.image_token_id = words.convert_tokens_to_ids("<repo_name>")
    return model, processor


def _fit_statistics(tower: Any) -> None:
    """Statistics that fit the random weights; without them nothing of a photo is left at the tower's end."""
    norms = [m for m in tower.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        tower.train()(torch.rand(4, 3, 96, 96) * 2 - 1)
    tower.eval()


BUILDERS = {
    "ipl-mini": (_ipl_mini, "<|im_end|>"),
    "smolvlm": (_smolvlm, "<end_of_utterance>"),
    "qwen2.5-vl": (_qwen2_5, "<|im_end|>"),
    "qwen3-vl": (_qwen3, "<|im_end|>"),
    "llava-onevision": (_onevision, "<|im_end|>"),
    "qwen2-vl": (functools.partial(more.qwen2, template=QWEN), "<|im_end|>"),
    "qwen3.5": (more.qwen3_5, "<|im_end|>"),
    "gemma3": (more.gemma3, "<end_of_turn>"),
    "gemma4": (more.gemma4, "<turn|>"),
    "internvl": (more.internvl, "<|im_end|>"),
    "aya-vision": (more.aya, "<|END_OF_TURN_TOKEN|>"),
    "mistral3": (more.mistral3, "</s>"),
    "lfm2-vl": (more.lfm2, "<|im_end|>"),
}


def build(name: str, folder: Path) -> Path:
    """Write a tiny random model of the family and its processor into ``folder``, in 32-bit."""
    torch.manual_seed(0)
    builder, end = BUILDERS[name]
    model, processor = builder(tokenizer(end))
    model.float().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def dataset(folder: Path, photos: int = 7) -> Path:
    """``train.jsonl`` and ``validation.jsonl`` with plain photos: two questions about each, one about two, one text."""
    import json

    from PIL import Image

    rows: list[dict[str, Any]] = []
    for k in range(photos):
        Image.new("RGB", (60, 40), (200, 30 * k, 20)).save(folder / f"{k}.png")
        words = ("<image>\nWhat is it?", "It?", "Colour?", f"red {k}")
        turns = [{"role": ("user", "assistant")[i % 2], "content": w} for i, w in enumerate(words)]
        rows.append({"messages": turns, "images": [f"{k}.png"]})
    both = [{"role": "user", "content": "<image>\n<image>\nSame?"}, {"role": "assistant", "content": "yes"}]
    rows.append({"messages": both, "images": ["0.png", "1.png"]})
    text = [{"role": "user", "content": "Facts: hat"}, {"role": "assistant", "content": "A hat"}]
    rows.append({"messages": text, "images": []})
    for name in ("train", "validation"):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def garments(folder: Path) -> Path:
    """``photos/`` and ``annotations.jsonl`` as the embedded model is trained on: seven senders, two for validation."""
    import json

    import numpy as np
    from PIL import Image

    from finetune.data.splits import is_validation_sender
    from tests.finetune.rows import annotated

    (folder / "photos").mkdir()
    senders = [s for s in range(99) if not is_validation_sender(s)][:5]
    senders += [s for s in range(99) if is_validation_sender(s)][:2]
    rows = []
    for k, sender in enumerate(senders):
        rough = Image.fromarray(np.random.default_rng(k).integers(0, 255, (6, 6, 3), dtype=np.uint8))
        rough.resize((64, 64)).save(folder / "photos" / f"{k}.png")
        rows.append(annotated(image=f"{k}.png", sender_id=sender, label=("Hoodie", "Shirt")[k % 2]))
    (folder / "annotations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder
