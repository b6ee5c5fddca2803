"""SmolLM2 out of a GGUF file: read once, each tensor from its blocks to 16 bits by itself.

transformers' own ``from_pretrained`` reads the file's 100,000 words several times, each of them by a class of its own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

NAMES = {  # of ``blk.N.NAME`` in the file
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
WHOLE = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}


def language_model(gguf: Path) -> tuple[dict[str, torch.Tensor], Any, PreTrainedTokenizerBase]:
    """(state dict in bf16, config, tokenizer) of SmolLM2-135M-Instruct."""
    from transformers import LlamaConfig, PreTrainedTokenizerFast
    from transformers.integrations.gguf.reader import GgufHeader, load_gguf_state_dict, read_gguf_metadata

    facts, _ = read_gguf_metadata(str(gguf))
    heads = {"attn_q": facts["llama.attention.head_count"], "attn_k": facts["llama.attention.head_count_kv"]}
    config = LlamaConfig(
        vocab_size=facts["llama.vocab_size"],
        hidden_size=facts["llama.embedding_length"],
        intermediate_size=facts["llama.feed_forward_length"],
        num_hidden_layers=facts["llama.block_count"],
        num_attention_heads=heads["attn_q"],
        num_key_value_heads=heads["attn_k"],
        max_position_embeddings=facts["llama.context_length"],
        rope_parameters={"rope_theta": facts["llama.rope.freq_base"], "rope_type": "default"},
        rms_norm_eps=1e-5,  # the file's rounding gives 9.99e-06
        bos_token_id=facts["tokenizer.ggml.bos_token_id"],
        eos_token_id=facts["tokenizer.ggml.eos_token_id"],
        pad_token_id=facts["tokenizer.ggml.padding_token_id"],
        tie_word_embeddings=True,
    )
    state = {}
    for name, blocks in load_gguf_state_dict(GgufHeader.from_file(str(gguf))).items():
        layer = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", name)
        part = layer[2] if layer else ""
        full = f"model.layers.{layer[1]}.{NAMES[part]}.weight" if layer else WHOLE[name]
        state[full] = _values(blocks, heads.get(part, 0))
    return state, config, PreTrainedTokenizerFast.from_pretrained(gguf.parent, gguf_file=gguf.name)


def _values(blocks: Any, heads: int) -> torch.Tensor:
    """A tensor in bf16. ``heads``: of a matrix whose rows the file has in the order of its own rotary embedding."""
    import torch
    from transformers.integrations.gguf.dequant import GGML_BLOCK, dequantize

    values: torch.Tensor = blocks[...]
    if blocks.ggml_type in GGML_BLOCK:
        rows = values.shape[0]
        values = dequantize(values.reshape(-1), blocks.ggml_type).reshape(rows, -1)
    if heads:
        pairs = values.reshape(heads, values.shape[0] // heads // 2, 2, -1)
        values = pairs.transpose(1, 2).reshape(values.shape)
    return values.to(torch.bfloat16)
