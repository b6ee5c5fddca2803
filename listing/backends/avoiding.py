"""Words that a model in this process cannot write: what would contradict what is known is never decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

Encode = Callable[[str], Sequence[int]]  # text -> token ids, without special tokens


class Avoid:
    """A logits processor of transformers; ``words``: words or phrases, in small letters."""

    def __init__(self, words: Iterable[str], encode: Encode) -> None:
        self.ends: dict[tuple[int, ...], set[int]] = {}
        for word in words:
            for way in dict.fromkeys((word, word.replace(" ", "-"))):
                # Inside a line behind a blank, at its beginning with a capital.
                large = dict.fromkeys((way.capitalize(), way.title()))
                for text in (f" {way}", *large, *(f" {w}" for w in large)):
                    *before, last = encode(text)
                    self.ends.setdefault(tuple(before), set()).add(last)
        self.longest = max(map(len, self.ends), default=0)

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores [sequences, vocabulary] with the last token of every such word out of reach."""
        for row, tokens in enumerate(ids[:, ids.shape[1] - min(self.longest, ids.shape[1]) :].tolist()):
            for start in range(len(tokens) + 1):
                if gone := self.ends.get(tuple(tokens[start:])):
                    scores[row, list(gone)] = float("-inf")
        return scores
