"""The tagger's network in torch; ``listing.safety.tagger`` runs the same network in NumPy."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from listing.safety.tagger import FORM_BUCKETS, WORD_BUCKETS

Bags = Sequence[tuple[int, ...]]


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes: of the two embeddings, of the blocks, and the blocks' dilations in tokens."""

    embedding: int = 36
    width: int = 72
    dilations: tuple[int, ...] = (1, 2, 4, 8, 1)
    classes: int = 6
    dropout: float = 0.15


class TaggerNetwork(nn.Module):
    """Hashed features of tokens to logits of classes."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(WORD_BUCKETS, config.embedding, mode="mean")
        self.forms = nn.EmbeddingBag(FORM_BUCKETS, config.embedding, mode="sum")
        nn.init.normal_(self.words.weight, std=0.3)
        nn.init.normal_(self.forms.weight, std=0.15)
        self.project = nn.Linear(2 * config.embedding, config.width)
        self.convs = nn.ModuleList(
            nn.Conv1d(config.width, config.width, 3, padding=d, dilation=d) for d in config.dilations
        )
        self.norms = nn.ModuleList(nn.LayerNorm(config.width) for _ in config.dilations)
        self.out = nn.Linear(config.width, config.classes)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, words: tuple[Tensor, Tensor], forms: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        """Logits [tokens that are there, classes].

        words, forms: bag members and offsets of these tokens, row after row. mask: bool [rows, tokens], token or not.
        """
        features = torch.cat([self.words(*words), self.forms(*forms)], dim=-1)
        x = torch.zeros(*mask.shape, self.project.out_features)
        x[mask] = self.project(self.drop(features))
        there = mask[..., None]
        for conv, norm in zip(self.convs, self.norms, strict=True):
            y = conv((norm(x) * there).transpose(1, 2)).transpose(1, 2)
            x = (x + self.drop(torch.relu(y))) * there
        logits: Tensor = self.out(x[mask])
        return logits


def bag_tensors(bags: Bags, drop: float = 0.0, rng: random.Random | None = None) -> tuple[Tensor, Tensor]:
    """Members and offsets for ``EmbeddingBag``; each member of a bag is left out with probability ``drop``."""
    members: list[int] = []
    offsets: list[int] = []
    for bag in bags:
        offsets.append(len(members))
        remaining = [m for m in bag if rng.random() >= drop] if rng and drop else bag
        members.extend(remaining or bag[:1])
    return torch.tensor(members), torch.tensor(offsets)
