"""Stage 2: align the projector to the words of the answers, before the language model is trained at all.

Without this the language model has to discover from its loss alone that fifty strange vectors mean "navy hoodie".
Here the projector learns to put the mean of its tokens near the embedding of the right answer's words (a linear
read-out with the frozen embeddings as class weights). It takes minutes: the tower's features are cached and no language
model runs.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.training.tower import augment, normalise
from finetune.data.photosets import load_photos, read_annotations
from finetune.data.splits import sampling_weights, split_rows
from finetune.data.tasks import visible_answers
from listing.backends.embedded import EmbeddedBackend
from listing.prompts import category_answers
from listing.taxonomy import Taxonomy, load_taxonomy


@dataclass(frozen=True)
class AlignConfig:
    """``views``: augmented versions of each photo whose features are cached."""

    data: str
    model: str
    out: str = "finetune/weights"
    views: int = 3
    epochs: int = 24
    batch_size: int = 64
    lr: float = 1e-3
    noise: float = 0.1
    seed: int = 0


def questions(taxonomy: Taxonomy) -> dict[str, tuple[str, ...]]:
    """Answer words of the category question and of every closed attribute that can be seen."""
    answers = {"category": tuple(category_answers(taxonomy).values())}
    return {**answers, **{attribute.name: attribute.answers for attribute in taxonomy.asked()}}


def answers_of(row: dict[str, Any], taxonomy: Taxonomy) -> dict[str, str]:
    """The answers that may be taught about a photo, by question."""
    answers = {"category": taxonomy.categories[row["label"]].phrase} if row["label_ok"] else {}
    return {**answers, **{attribute.name: answer for attribute, answer in visible_answers(row, taxonomy)}}


@torch.inference_mode()
def cache_features(tower: nn.Module, pixels: list[Tensor]) -> Tensor:
    """[n, 49, 1280] in 16-bit."""
    parts = [tower(p.to(torch.bfloat16)).last_hidden_state.flatten(2).permute(0, 2, 1) for p in pixels]
    return torch.cat(parts)


def answer_vectors(backend: EmbeddedBackend, answers: tuple[str, ...]) -> Tensor:
    """[answers, hidden]: mean embedding of each answer's tokens, unit length after the mean of all is taken off."""
    table = backend.model.get_input_embeddings().weight.detach().float()
    vectors = torch.stack([table[backend.answer_ids(a)[:-1]].mean(0) for a in answers])
    return F.normalize(vectors - table.mean(0), dim=-1)


def train_projector(cfg: AlignConfig) -> dict[str, float]:
    """Train, evaluate on the validation senders, write ``projector.safetensors``; returns accuracy by question."""
    from safetensors.torch import save_file

    torch.manual_seed(cfg.seed)
    rng = np.random.default_rng(cfg.seed)
    taxonomy, backend = load_taxonomy(), EmbeddedBackend(cfg.model)
    train, validation = split_rows(read_annotations(Path(cfg.data)))
    train = [row for row in train if row["label_ok"]]
    tower, answers = backend.model.model.vision_tower, questions(taxonomy)
    photos, unseen = load_photos(train, 256), load_photos(validation, 256)
    index = np.arange(0, len(train), 32)
    views = [cache_features(tower, [augment(photos[i : i + 32], 224, rng) for i in index]) for _ in range(cfg.views)]
    plain = cache_features(tower, [normalise(unseen[i : i + 32, 16:-16, 16:-16]) for i in range(0, len(unseen), 32)])
    del photos, unseen
    labels, checks = _labels(train, answers, taxonomy), _labels(validation, answers, taxonomy)
    aligner = _Aligner(backend, answers, cfg.lr, cfg.epochs * (len(train) // cfg.batch_size))
    shares, began, result = sampling_weights(train, 0.5, 0.25), time.time(), {}
    for epoch in range(cfg.epochs):
        order = rng.choice(len(train), len(train) // cfg.batch_size * cfg.batch_size, p=shares)
        for start in range(0, len(order), cfg.batch_size):
            rows = order[start : start + cfg.batch_size]
            features = views[int(rng.integers(cfg.views))][rows].float()
            features = features * (1 + cfg.noise * torch.randn(features.shape[0], 1, features.shape[2]))
            loss = aligner.step(features, {name: labels[name][rows] for name in answers})
        if epoch % 4 == 3:
            result = aligner.accuracy(plain, checks)
            line = {"epoch": epoch + 1, "loss": round(loss, 3), "s": round(time.time() - began), **result}
            print(json.dumps(line), flush=True)
    Path(cfg.out).mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().half().contiguous() for name, tensor in aligner.projector.state_dict().items()}
    save_file(state, Path(cfg.out) / "projector.safetensors")
    return result


class _Aligner:
    """The projector, made anew, and its optimizer for ``steps`` steps."""

    def __init__(self, backend: EmbeddedBackend, answers: dict[str, tuple[str, ...]], lr: float, steps: int) -> None:
        self.vectors = {name: answer_vectors(backend, words) for name, words in answers.items()}
        self.usual = backend.model.get_input_embeddings().weight.detach().float().norm(dim=-1).median()
        self.projector = backend.model.model.multi_modal_projector.float()
        for module in (self.projector.linear_1, self.projector.linear_2):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        self.scale = nn.Parameter(torch.full((len(answers),), 10.0))
        groups = [{"params": self.projector.parameters()}, {"params": [self.scale], "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=lr, weight_decay=0.02)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, lr, total_steps=steps, pct_start=0.05)

    def step(self, features: Tensor, labels: dict[str, Tensor]) -> float:
        """One step on features [b, 49, 1280] and class indices [b] by question (-100: none); the loss."""
        tokens = self.projector(features)
        loss = 0.1 * (tokens.norm(dim=-1) / self.usual - 1).square().mean()
        for k, (name, vectors) in enumerate(self.vectors.items()):
            logits = self.scale[k] * tokens.mean(1) / self.usual @ vectors.T
            loss = loss + F.cross_entropy(logits, labels[name], ignore_index=-100, label_smoothing=0.05)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return float(loss.item())

    @torch.inference_mode()
    def accuracy(self, features: Tensor, labels: dict[str, Tensor]) -> dict[str, float]:
        """Share of right answers by question."""
        pooled = self.projector(features.float()).mean(1)
        return {name: _accuracy(pooled @ vectors.T, labels[name]) for name, vectors in self.vectors.items()}


def _labels(rows: list[dict[str, Any]], answers: dict[str, tuple[str, ...]], taxonomy: Taxonomy) -> dict[str, Tensor]:
    taught = [answers_of(row, taxonomy) for row in rows]
    return {n: torch.tensor([words.index(t[n]) if n in t else -100 for t in taught]) for n, words in answers.items()}


def _accuracy(logits: Tensor, labels: Tensor) -> float:
    valid = labels != -100
    return round((logits.argmax(-1)[valid] == labels[valid]).float().mean().item(), 3)
