"""Closed choices for any model: every answer is scored behind its own full prompt, in batches.

Slower than the tree, which computes the photo once, and without its assumptions: nothing is asked of the model but a
forward pass over what its own processor makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from listing.backends.base import ChoiceQuestion
from listing.backends.turns import answer, find_turns, question

if TYPE_CHECKING:
    import torch

# The one-pass tree writes its own positions and mask, which suits a decoder with one-dimensional positions that takes
# its photo as plain embeddings. Families with positions in three axes, or with features added in deeper layers, do not.
TREE_USABLE = frozenset({"fast_vlm"})
BATCH = 8


def score_full(
    model: Any, processor: Any, image: Image.Image, questions: Sequence[ChoiceQuestion], batch: int = BATCH
) -> Iterator[list[float]]:
    """Log-probabilities of the answers (end of turn included), question by question."""
    for asked in questions:
        sums: list[float] = []
        for start in range(0, len(asked.answers), batch):
            part = asked.answers[start : start + batch]
            sums += _batch(model, processor, image, asked.prompt, part).tolist()
        yield sums


def _batch(model: Any, processor: Any, image: Image.Image, prompt: str, answers: Sequence[str]) -> torch.Tensor:
    import torch

    turns = [find_turns(processor, [question(prompt), answer(text)]) for text in answers]
    inputs = processor(
        text=[t.text for t in turns],
        images=[[image] for _ in turns],
        padding=True,
        padding_side="right",
        add_special_tokens=False,
        return_tensors="pt",
    )
    lengths = inputs["attention_mask"].sum(-1).tolist()
    spans = [
        t.expanded(inputs["input_ids"][k, :n].tolist())[0] for k, (t, n) in enumerate(zip(turns, lengths, strict=True))
    ]
    first = min(start for start, _ in spans) - 1
    with torch.inference_mode():
        moved = inputs.to(model.device, model.dtype)
        logits = model(**moved, use_cache=False, logits_to_keep=moved["input_ids"].shape[1] - first).logits
    logprobs = logits.float().log_softmax(-1)
    sums = []
    for row, (start, end) in enumerate(spans):
        targets = moved["input_ids"][row, start:end]
        sums.append(logprobs[row, torch.arange(start - 1 - first, end - 1 - first), targets].sum())
    return torch.stack(sums)
