"""More tiny random models: of each family its own classes, and a chat template of the shape that its hub has."""

from __future__ import annotations

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


def text(words: Any, **more: Any) -> dict[str, Any]:
    """Settings of a tiny language model."""
    ids = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    return {"vocab_size": len(words), **TEXT, **ids, **more}


def qwen_ids(words: Any) -> dict[str, int]:
    """The special tokens of Qwen's models."""
    names = {
        "image": "<|image_pad|>",
        "video": "<|video_pad|>",
        "vision_start": "<|vision_start|>",
        "vision_end": "<|vision_end|>",
    }
    return {f"{key}_token_id": words.convert_tokens_to_ids(token) for key, token in names.items()}


def _named(words: Any, **tokens: str) -> Any:
    """The tokenizer with tokens under the names that the processor asks for."""
    words.add_special_tokens({"additional_special_tokens": list(tokens.values())}, replace_extra_special_tokens=False)
    words._set_model_specific_special_tokens({f"{name}_token": token for name, token in tokens.items()})
    return words


def qwen2(words: Any, template: str) -> tuple[Any, Any]:
    """Qwen2-VL."""
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    config = hf.Qwen2VLConfig(
        text_config=text(words, rope_parameters=rope),
        vision_config={
            "depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 4, "mlp_ratio": 2, "patch_size": 14,
        },
        **qwen_ids(words),
    )  # fmt: skip
    pixels = hf.Qwen2VLImageProcessor(size={"shortest_edge": 56 * 56, "longest_edge": 84 * 84})
    processor = hf.Qwen2VLProcessor(pixels, words, hf.Qwen2VLVideoProcessor(), chat_template=template)
    return hf.Qwen2VLForConditionalGeneration(config), processor


def qwen3_5(words: Any) -> tuple[Any, Any]:
    """Qwen3.5: a layer of linear and one of full attention; its template thinks before the last answer alone."""
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0, "partial_rotary_factor": 1.0}
    config = hf.Qwen3_5Config(
        text_config=text(
            words, head_dim=8, rope_parameters=rope, layer_types=["linear_attention", "full_attention"],
            linear_key_head_dim=8, linear_value_head_dim=8, linear_num_key_heads=2, linear_num_value_heads=4,
        ),
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 4, "out_hidden_size": 32,
            "patch_size": 16, "num_position_embeddings": 16,
        },
        **qwen_ids(words),
    )  # fmt: skip
    pixels = hf.Qwen2VLImageProcessor(size={"shortest_edge": 64 * 64, "longest_edge": 96 * 96}, patch_size=16)
    processor = hf.Qwen3VLProcessor(pixels, words, hf.Qwen3VLVideoProcessor(), chat_template=THINKING)
    return hf.Qwen3_5ForConditionalGeneration(config), processor


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
