"""Many texts at once: on a CPU a batch of sixteen costs little more than one text.

Decoding is greedy as in serving. In 16-bit arithmetic a batch can round a near tie the other way, and a text then goes
another way from there on: seen often with the untuned model, which is sure of little.
"""

from __future__ import annotations

from collections.abc import Sequence

from listing.backends.local import LocalBackend

BATCH = 16


def first_lines(backend: LocalBackend, prompts: Sequence[str], max_tokens: int, batch: int = BATCH) -> list[str]:
    """The first line of the answer to each prompt, in order; the rest of an answer is never shown.

    Families that are not served by one tree are decoded one by one.
    """
    if not backend.tree:
        return [first_line("".join(backend.write(None, p, max_tokens=max_tokens))) for p in prompts]
    ids = [backend.prompt_ids(prompt) for prompt in prompts]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    stops = [backend.tokenizer.eos_token_id, *line_breaks(backend)]
    texts = [""] * len(ids)
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        for i, text in zip(part, _decode(backend, [ids[i] for i in part], max_tokens, stops), strict=True):
            # A break before the first word ends a batch's text, but not a served one.
            texts[i] = text or first_line("".join(backend.write(None, prompts[i], max_tokens=max_tokens)))
    return texts


def first_line(text: str) -> str:
    """Up to the first break behind a word, as ``listing.text.write`` shows it."""
    return text.lstrip().partition("\n")[0]


def line_breaks(backend: LocalBackend) -> list[int]:
    """Tokens that hold a line break."""
    count = len(backend.tokenizer)
    pieces = backend.tokenizer.batch_decode([[i] for i in range(count)])
    return [i for i, piece in enumerate(pieces) if "\n" in piece]


def _decode(backend: LocalBackend, ids: Sequence[Sequence[int]], max_tokens: int, stops: Sequence[int]) -> list[str]:
    import torch

    width, pad = max(map(len, ids)), backend.tokenizer.pad_token_id or backend.tokenizer.eos_token_id
    padded = torch.tensor([[pad] * (width - len(row)) + list(row) for row in ids], device=backend.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids], device=backend.device)
    with torch.inference_mode():
        made = backend.model.generate(
            input_ids=padded,
            attention_mask=mask,
            max_new_tokens=max_tokens,
            do_sample=False,
            eos_token_id=list(stops),
            pad_token_id=pad,
        )
    return [first_line(t) for t in backend.tokenizer.batch_decode(made[:, width:], skip_special_tokens=True)]
