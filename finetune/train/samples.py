"""What the model says to a few fixed samples: read beside the loss, which does not show what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from finetune.data.photosets import open_photo
from finetune.train.collator import Encoded
from listing.backends.turns import render

Row = TypeVar("Row")


def spread(rows: Sequence[Row], count: int) -> list[Row]:
    """``count`` rows at equal distances: the same ones in every run, of as many sellers as can be."""
    count = min(count, len(rows))
    return [rows[i * len(rows) // count] for i in range(count)]


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Evaluation mode without gradients, in training's precision; modes and random state are put back afterwards."""
    import torch

    training = {module: module.training for module in model.modules()}
    half = any(p.dtype in (torch.bfloat16, torch.float16) for p in model.parameters())  # what trains is 32-bit in it
    model.eval()
    try:
        with (
            torch.random.fork_rng(),
            torch.no_grad(),
            torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=half),
        ):
            yield
    finally:
        for module, mode in training.items():
            module.training = mode


def write_samples(file: Path, model: Any, processor: Any, samples: Sequence[Encoded], max_tokens: int = 60) -> None:
    """JSONL ``{images, prompt, wanted, said}``: the greedy answer to each sample's first question."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with evaluating(model):
        rows = [_generate(model, processor, sample, max_tokens) for sample in samples]
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _generate(model: Any, processor: Any, sample: Encoded, max_tokens: int) -> dict[str, Any]:
    first = next(k for k, m in enumerate(sample.messages) if m["role"] == "assistant")
    asked = sample.messages[:first]
    count = sum(p["type"] == "image" for m in asked for p in m["content"])
    inputs = processor(
        text=[render(processor, asked, ask=True)],
        images=[[open_photo(path) for path in sample.images[:count]]] if count else None,
        add_special_tokens=False,
        return_tensors="pt",
    ).to(model.device, model.dtype)
    end = processor.tokenizer.eos_token_id
    ids = model.generate(
        **inputs, max_new_tokens=max_tokens, do_sample=False, use_cache=True, eos_token_id=end, pad_token_id=end
    )
    return {
        "images": [path.name for path in sample.images],
        "prompt": asked[-1]["content"][-1].get("text", ""),
        "wanted": sample.messages[first]["content"][-1].get("text", ""),
        "said": processor.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True),
    }
