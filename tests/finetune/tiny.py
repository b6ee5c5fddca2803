"""Tiny random models of the true architectures, with their true processor classes, built without any download.

Each chat template has the shape of that on the hub.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf

TEXT = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 2048,
}  # fmt: skip
BLOCKS = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
SIGLIP = {"model_type": "siglip_vision_model", **BLOCKS, "vision_use_head": False}
TILES = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "max_patches": 1}


def chat(opening: str, closing: str, photo: str, answerer: str = "assistant", begin: str = "", ask: str = "") -> str:
    """A template whose turns are ``opening`` with the role, photos and text, ``closing``; ``ask`` opens an answer."""
    head = opening.replace("ROLE", f"' + (message.role if message.role == 'user' else '{answerer}') + '")
    last = opening.replace("ROLE", answerer)
    return (
        f"{begin}{{% for message in messages %}}{{{{ '{head}' }}}}"
        f"{{% if message.role == 'assistant' %}}{{{{ '{ask}' }}}}{{% endif %}}{{% for part in message.content %}}"
        f"{{% if part.type == 'image' %}}{{{{ '{photo}' }}}}{{% else %}}{{{{ part.text }}}}{{% endif %}}{{% endfor %}}"
        f"{{{{ '{closing}' }}}}{{% endfor %}}{{% if add_generation_prompt %}}{{{{ '{last}{ask}' }}}}{{% endif %}}"
    )


CHATML = ("<|im_start|>ROLE\\n", "<|im_end|>\\n")
# Like the hub's of Qwen3.5: thoughts, if empty ones, before the last answer alone.
THINKING = chat(*CHATML, photo="<|vision_start|><|image_pad|><|vision_end|>", ask="<think>\\n\\n</think>\\n\\n")
THINKING = THINKING.replace("message.role == 'assistant' %}", "message.role == 'assistant' and loop.last %}")
MISTRAL = (
    "<s>{% for message in messages %}{% if message.role == 'user' %}[INST]{% endif %}{% for part in message.content %}"
    "{% if part.type == 'image' %}[IMG]{% else %}{{ part.text }}{% endif %}{% endfor %}"
    "{% if message.role == 'user' %}[/INST]{% else %}</s>{% endif %}{% endfor %}"
)
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


def text(words: Any, **more: Any) -> dict[str, Any]:
    """Settings of a tiny language model."""
    ids = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    return {"vocab_size": len(words), **TEXT, **ids, **more}


def _named(words: Any, **tokens: str) -> Any:
    """The tokenizer with tokens under the names that the processor asks for."""
    words.add_special_tokens({"additional_special_tokens": list(tokens.values())}, replace_extra_special_tokens=False)
    words._set_model_specific_special_tokens({f"{name}_token": token for name, token in tokens.items()})
    return words


def _smolvlm(words: Any) -> tuple[Any, Any]:
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


def _onevision(words: Any) -> tuple[Any, Any]:
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


def gemma3(words: Any) -> tuple[Any, Any]:
    """Gemma 3: a photo stands in the template as one token and in the prompt as others."""
    words = _named(words, image="<image_soft_token>", boi="<start_of_image>", eoi="<end_of_image>")
    config = hf.Gemma3Config(
        text_config=text(
            words, head_dim=8, query_pre_attn_scalar=8, layer_types=["sliding_attention", "full_attention"],
        ),
        vision_config={**SIGLIP, "image_size": 32, "patch_size": 8},
        mm_tokens_per_image=4,
        image_token_index=words.image_token_id,
        boi_token_index=words.boi_token_id,
        eoi_token_index=words.eoi_token_id,
    )  # fmt: skip
    pixels = hf.Gemma3ImageProcessor(size={"height": 32, "width": 32})
    template = chat("<start_of_turn>ROLE\\n", "<end_of_turn>\\n", "<start_of_image>", "model", "<bos>")
    processor = hf.Gemma3Processor(pixels, words, chat_template=template, image_seq_length=4)
    model = hf.Gemma3ForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight)  # zeros would see no photo
    return model, processor


def gemma4(words: Any) -> tuple[Any, Any]:
    """Gemma 4: inputs of their own for every layer, and a layer that shares the keys of another."""
    names = {"image": "<|image|>", "boi": "<|image>", "eoi": "<image|>", "audio": "<|audio|>"}
    words = _named(words, **names, boa="<|audio>", eoa="<audio|>")
    config = hf.Gemma4Config(
        text_config=text(
            words, num_hidden_layers=4, head_dim=8, global_head_dim=8, num_kv_shared_layers=2,
            layer_types=["sliding_attention", "full_attention"] * 2, sliding_window=64,
            vocab_size_per_layer_input=len(words), hidden_size_per_layer_input=8,
        ),
        vision_config={
            **BLOCKS, "num_key_value_heads": 4, "head_dim": 8, "patch_size": 4, "position_embedding_size": 64,
        },
        image_token_id=words.image_token_id,
        boi_token_id=words.boi_token_id,
        eoi_token_id=words.eoi_token_id,
    )  # fmt: skip
    small = {"patch_size": 4, "max_soft_tokens": 70}
    processor = hf.Gemma4Processor(
        hf.Gemma4AudioFeatureExtractor(),
        hf.Gemma4ImageProcessor(**small),
        words,
        hf.Gemma4VideoProcessor(**small),
        chat_template=chat("<|turn>ROLE\\n", "<turn|>\\n", "<|image|>", "model", "<bos>"),
    )
    return hf.Gemma4ForConditionalGeneration(config), processor


def internvl(words: Any) -> tuple[Any, Any]:
    """InternVL 3."""
    words = _named(words, start_image="<img>", end_image="</img>", context_image="<IMG_CONTEXT>", video="<video>")
    config = hf.InternVLConfig(
        text_config={"model_type": "qwen2", **text(words)},
        vision_config={**BLOCKS, "image_size": [32, 32], "patch_size": [8, 8]},
        image_token_id=words.context_image_token_id,
        image_seq_length=4,
    )
    side = {"height": 32, "width": 32}
    processor = hf.InternVLProcessor(
        hf.GotOcr2ImageProcessor(size=side, **TILES),
        words,
        hf.InternVLVideoProcessor(size=side),
        image_seq_length=4,
        chat_template=chat(*CHATML, photo="<IMG_CONTEXT>\\n"),
    )
    return hf.InternVLForConditionalGeneration(config), processor


def aya(words: Any) -> tuple[Any, Any]:
    """Aya Vision."""
    names = ("<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<|IMG_LINE_BREAK|>", "TILE_GLOBAL", "TILE")
    words = _named(words, **{f"mark{number}": name for number, name in enumerate(names)})
    config = hf.AyaVisionConfig(
        text_config={"model_type": "cohere2", **text(words)},
        vision_config={**SIGLIP, "image_size": 32, "patch_size": 8},
        image_token_index=words.convert_tokens_to_ids("<|IMG_PATCH|>"),
    )
    turn = "<|START_OF_TURN_TOKEN|>ROLE"
    processor = hf.AyaVisionProcessor(
        hf.GotOcr2ImageProcessor(size={"height": 32, "width": 32}, **TILES),
        words,
        patch_size=8,
        img_size=32,
        downsample_factor=2,
        chat_template=chat(turn, "<|END_OF_TURN_TOKEN|>", "<image>", "<|CHATBOT_TOKEN|>", "<bos>"),
    )
    return hf.AyaVisionForConditionalGeneration(config), processor


def mistral3(words: Any) -> tuple[Any, Any]:
    """Mistral Small 3.1: a photo has a token at the end of each row."""
    words = _named(words, mark0="[IMG]", mark1="[IMG_BREAK]", mark2="[IMG_END]", mark3="[INST]", mark4="[/INST]")
    config = hf.Mistral3Config(
        text_config={"model_type": "mistral", **text(words, head_dim=8)},
        vision_config={
            "model_type": "pixtral", **BLOCKS, "head_dim": 8, "image_size": 64, "patch_size": 8,
        },
        image_token_index=words.convert_tokens_to_ids("[IMG]"),
    )  # fmt: skip
    processor = hf.PixtralProcessor(
        hf.PixtralImageProcessor(size={"longest_edge": 64}, patch_size={"height": 8, "width": 8}),
        words,
        patch_size=8,
        spatial_merge_size=2,
        chat_template=MISTRAL,
    )
    return hf.Mistral3ForConditionalGeneration(config), processor


def lfm2(words: Any) -> tuple[Any, Any]:
    """LFM2-VL: a short convolution and a layer of attention."""
    words = _named(words, image_start="<|image_start|>", image_end="<|image_end|>", thumb="<|img_thumbnail|>")
    config = hf.Lfm2VlConfig(
        text_config={"model_type": "lfm2", **text(words, layer_types=["conv", "full_attention"])},
        vision_config={
            "model_type": "siglip2_vision_model", **BLOCKS, "patch_size": 8, "num_patches": 16,
            "vision_use_head": False,
        },
        image_token_id=words.convert_tokens_to_ids("<image>"),
        projector_hidden_size=32,
    )  # fmt: skip
    pixels = hf.Lfm2VlImageProcessor(
        do_image_splitting=False, min_image_tokens=2, max_image_tokens=6, encoder_patch_size=8, tile_size=32,
    )  # fmt: skip
    processor = hf.Lfm2VlProcessor(pixels, words, chat_template=chat(*CHATML, photo="<image>", begin="<|startoftext|>"))
    return hf.Lfm2VlForConditionalGeneration(config), processor


def qwen(words: Any, family: str, vision: dict[str, Any], patch: int = 16, **more: Any) -> tuple[Any, Any]:
    """A model of Qwen's; its processor is that of the family, of Qwen3.5 that of Qwen3-VL."""
    tokens = {"image": "<|image_pad|>", "video": "<|video_pad|>"}
    tokens |= {name: f"<|{name}|>" for name in ("vision_start", "vision_end")}
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0, **more.pop("rope", {})}
    config = getattr(hf, f"{family}Config")(
        text_config=text(words, rope_parameters=rope, **more),
        vision_config={"depth": 2, "hidden_size": 32, "num_heads": 4, "patch_size": patch, **vision},
        **{f"{key}_token_id": words.convert_tokens_to_ids(token) for key, token in tokens.items()},
    )
    size = {"shortest_edge": (4 * patch) ** 2, "longest_edge": (6 * patch) ** 2}
    named = "Qwen3VL" if family == "Qwen3_5" else family
    video = hf.Qwen3VLVideoProcessor() if named == "Qwen3VL" else hf.Qwen2VLVideoProcessor()
    processor = getattr(hf, f"{named}Processor")(
        hf.Qwen2VLImageProcessor(size=size, patch_size=patch),
        words,
        video,
        chat_template=THINKING if family == "Qwen3_5" else QWEN,
    )
    return getattr(hf, f"{family}ForConditionalGeneration")(config), processor


OUT = {"intermediate_size": 48, "out_hidden_size": 32}
QWENS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "qwen2-vl": ("Qwen2VL", {"embed_dim": 32, "mlp_ratio": 2}, {"patch": 14}),
    "qwen2.5-vl": ("Qwen2_5_VL", {**OUT, "fullatt_block_indexes": [1]}, {"patch": 14}),
    "qwen3-vl": (
        "Qwen3VL",
        {**OUT, "num_position_embeddings": 16, "deepstack_visual_indexes": [0]},
        {"head_dim": 8},
    ),
    "qwen3.5": (  # a layer of linear and one of full attention; its template thinks before the last answer alone
        "Qwen3_5",
        {**OUT, "num_position_embeddings": 16},
        {
            "head_dim": 8, "rope": {"partial_rotary_factor": 1.0}, "linear_key_head_dim": 8,
            "layer_types": ["linear_attention", "full_attention"], "linear_value_head_dim": 8,
            "linear_num_key_heads": 2, "linear_num_value_heads": 4,
        },
    ),
}  # fmt: skip


BUILDERS = {
    "ipl-mini": (_ipl_mini, "<|im_end|>"),
    "smolvlm": (_smolvlm, "<end_of_utterance>"),
    "llava-onevision": (_onevision, "<|im_end|>"),
    "gemma3": (gemma3, "<end_of_turn>"),
    "gemma4": (gemma4, "<turn|>"),
    "internvl": (internvl, "<|im_end|>"),
    "aya-vision": (aya, "<|END_OF_TURN_TOKEN|>"),
    "mistral3": (mistral3, "</s>"),
    "lfm2-vl": (lfm2, "<|im_end|>"),
}
ENDS = {**{name: end for name, (_, end) in BUILDERS.items()}, **dict.fromkeys(QWENS, "<|im_end|>")}


def build(name: str, folder: Path) -> Path:
    """Write a tiny random model of the family and its processor into ``folder``, in 32-bit."""
    torch.manual_seed(0)
    words = tokenizer(ENDS[name])
    if name in QWENS:
        family, vision, more = QWENS[name]
        model, processor = qwen(words, family, vision, **more)
    else:
        model, processor = BUILDERS[name][0](words)
    model.float().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
