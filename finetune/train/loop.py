"""Stage 3: QLoRA of the language model (and the projector) on packed tasks, with accelerate, peft, bitsandbytes.

Alone by ``./ipl tune CONFIG --stage mllm``; in several processes by ``accelerate launch -m app.cli tune ...``.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from finetune.data.packing import Batch
from finetune.data.photosets import load_photos, read_annotations
from finetune.data.splits import split_rows
from finetune.errors import DataError
from finetune.train.batches import BatchSampler
from finetune.train.checkpoint import STATE, resume, save
from finetune.train.configs import TuneConfig
from finetune.train.eval_during_training import Evaluator
from finetune.train.loading import base_of, load_embedded, parameter_groups
from finetune.train.processes import processes
from finetune.train.run_log import RunLog, manifest
from finetune.train.samples import spread
from listing.taxonomy import load_taxonomy


@torch.no_grad()
def feature_maps(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    """What the frozen tower sees: [b, channels, h, w]."""
    tower = base_of(model).model.vision_tower
    weight = next(tower.parameters())
    return tower(pixels.to(weight.device, weight.dtype)).last_hidden_state


def loss_of(model: Any, batch: Batch, maps: torch.Tensor) -> torch.Tensor:
    """Weighted mean of the answers' token losses; ``maps`` [b, channels, h, w]."""
    base = base_of(model)
    device = base.device
    with torch.autocast(device.type, dtype=torch.bfloat16):
        tokens = base.model.multi_modal_projector(maps.flatten(2).permute(0, 2, 1))
        embeds = base.get_input_embeddings()(batch.ids.to(device)).clone()
        embeds[batch.ids.to(device) == base.config.image_token_id] = tokens.flatten(0, 1).to(embeds.dtype)
        hidden = base.model.language_model(
            inputs_embeds=embeds,
            attention_mask=batch.mask.to(device),
            position_ids=batch.positions.to(device),
            use_cache=False,
        ).last_hidden_state
        logits = base.get_output_embeddings()(hidden[batch.where[:, 0], batch.where[:, 1]])
    each = -logits.float().log_softmax(-1)[batch.pick.to(device), batch.wanted.to(device)]
    weights = batch.weights.to(device)
    return (each * weights).sum() / weights.sum()


def learning_rate_share(cfg: TuneConfig, step: int) -> float:
    """Share of the learning rate: linear warm-up, cosine to a twentieth."""
    return min(1.0, (step + 1) / max(1, cfg.warmup)) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / cfg.steps)))


def average_gradients(parameters: list[torch.nn.Parameter], batches: int, processes: int) -> int:
    """Sums of gradients -> their mean over all processes' batches; returns how many batches there were.

    Little trains, so that summing it outright costs less than wrapping the model would.
    """
    if processes > 1:
        from torch import distributed

        count = torch.tensor(float(batches), device=parameters[0].device)
        distributed.all_reduce(count)
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            distributed.all_reduce(parameter.grad)
        batches = int(count.item())
    if batches > 1:
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.div_(batches)
    return batches


@dataclass(frozen=True)
class StepResult:
    """What a step did: losses of all processes' batches; tokens and dropped photos of this process; gradient norm."""

    losses: list[float]
    tokens: int
    dropped: int
    norm: float


def train_step(
    cfg: TuneConfig, step: int, draw: BatchSampler, model: Any, optimizer: torch.optim.Optimizer, group: Any
) -> StepResult:
    """One step on ``cfg.accumulate`` batches of each process; no batch short enough: nothing changes."""
    losses, tokens, dropped, norm = [], 0, 0, 0.0
    for number in range(group.process_index, cfg.accumulate * group.num_processes, group.num_processes):
        drawn = draw(cfg, step, number)
        dropped += drawn.dropped
        if drawn.batch is not None:
            loss = loss_of(model, drawn.batch, drawn.maps)
            loss.backward()
            losses.append(loss.item())
            tokens += drawn.batch.ids.numel()
    for part in optimizer.param_groups:
        part["lr"] = part["base"] * learning_rate_share(cfg, step)
    parameters = [p for part in optimizer.param_groups for p in part["params"]]
    if average_gradients(parameters, len(losses), group.num_processes):
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, 1.0))
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    if group.num_processes > 1:
        from accelerate.utils import gather_object

        losses = list(gather_object(losses))
    return StepResult(losses, tokens, dropped, norm)


def train_mllm(cfg: TuneConfig) -> None:
    """Train; what was trained is written every ``save_every`` steps and at the end, logs go to ``out/run``.

    TuneError: see ``load_embedded``. DataError: the annotated photos are missing, or all of them are of one split.
    """
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    group = processes()
    torch.manual_seed(cfg.seed)
    taxonomy = load_taxonomy()
    train, validation = split_rows(read_annotations(Path(cfg.data)))
    train, validation = ([row for row in rows if row["label_ok"]] for rows in (train, validation))
    if not train or (cfg.eval_every and not validation):
        raise DataError(f"{cfg.data}: photos of several senders are needed, some for training and some for validation.")
    backend, model = load_embedded(cfg)
    photos = load_photos(train, 256)
    draw = BatchSampler(train, photos, backend, taxonomy, lambda pixels: feature_maps(model, pixels))
    language, beside = parameter_groups(model, cfg.trains)
    optimizer = torch.optim.AdamW(
        [{"params": language, "base": cfg.lr}, {"params": beside, "base": cfg.projector_lr}],
        lr=cfg.lr,
        weight_decay=cfg.weight_decay,
    )
    out = Path(cfg.out)
    first = resume(out / STATE, model, optimizer) if cfg.resume and (out / STATE).is_file() else 0
    recorder = None
    if group.is_main_process:
        about = manifest(asdict(cfg), [Path(cfg.data) / "annotations.jsonl"], cfg.seed)
        about["data"]["photos"] = hashlib.sha256(photos.data).hexdigest()
        about["processes"] = group.num_processes
        judged = spread(validation, cfg.eval_photos) if cfg.eval_every else []
        evaluator = Evaluator(judged, cfg.fixed_samples, model, backend, taxonomy) if judged else None
        recorder = _Recorder(cfg, RunLog(out / "run", cfg.steps, first), evaluator)
    model.train()
    for step in range(first, cfg.steps):
        result = train_step(cfg, step, draw, model, optimizer, group)
        if recorder:
            recorder.step(step + 1, result, model)
            if recorder.due(step + 1, cfg.save_every):
                save(model, backend.processor, optimizer, step + 1, out, about)
    if recorder:
        recorder.log.close()


class _Recorder:
    """Logs steps and evaluations when they are due; the last step always."""

    def __init__(self, cfg: TuneConfig, log: RunLog, evaluator: Evaluator | None) -> None:
        self.cfg, self.log, self.evaluator = cfg, log, evaluator
        self.dropped = 0
        self.recent: list[float] = []

    def due(self, done: int, every: int) -> bool:
        return done % every == 0 or done == self.cfg.steps

    def step(self, done: int, result: StepResult, model: Any) -> None:
        self.dropped += result.dropped
        self.recent += result.losses
        if self.recent and self.due(done, self.cfg.log_every):
            numbers = {"loss": round(float(np.mean(self.recent)), 4), "grad_norm": round(result.norm, 4)}
            self.log.write(done, **numbers, tokens=result.tokens, dropped=self.dropped)
            self.recent = []
        if self.evaluator and self.due(done, self.cfg.eval_every):
            scores = self.evaluator(
                lambda b, pixels: loss_of(model, b, feature_maps(model, pixels)), self.cfg.batch_size
            )
            self.log.write(done, **scores)
            self.evaluator.write_samples(Path(self.cfg.out) / "run" / "samples" / f"{done:06d}.jsonl")
