"""Stage 3: QLoRA of the language model (and the projector) on packed lessons, with accelerate, peft, bitsandbytes."""

from __future__ import annotations

import json
import math
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from finetune.lessons import LessonPlan, visual, written
from finetune.mixing import blend, relabel
from finetune.packing import Batch, collate, pack
from finetune.photosets import load_photos, read_annotations
from finetune.quantize import LORA_PATTERN, forbid_repacking, nf4_config
from finetune.splits import split_rows
from finetune.tower import augment, sampling_weights
from listing.backends.local import LocalBackend
from listing.taxonomy import load_taxonomy


@dataclass(frozen=True)
class TuneConfig:
    """``quantize``: nf4 | none. ``trains``: what else trains beside the LoRA layers. Lengths in tokens."""

    data: str
    model: str
    out: str = "finetune/weights"
    quantize: str = "nf4"
    rank: int = 32
    alpha: int = 64
    dropout: float = 0.0  # costs a sixth of the time; a pass over the photos is short
    trains: tuple[str, ...] = ("model.multi_modal_projector",)
    steps: int = 300
    batch_size: int = 8
    lr: float = 4e-4
    projector_lr: float = 3e-4
    weight_decay: float = 0.01
    warmup: int = 15
    max_tokens: int = 640
    blend_share: float = 0.5
    save_every: int = 40
    init_from: str = ""
    resume: bool = False
    seed: int = 0
    threads: int = 0
    plan: LessonPlan = field(default_factory=LessonPlan)


def load_trainable(cfg: TuneConfig) -> tuple[LocalBackend, Any]:
    """(backend for layouts, model with LoRA layers). Exactly the LoRA layers and ``cfg.trains`` are trainable."""
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForImageTextToText

    backend = LocalBackend(cfg.model)
    if cfg.quantize == "nf4":
        backend.model = AutoModelForImageTextToText.from_pretrained(
            cfg.model, quantization_config=nf4_config(), dtype=torch.bfloat16, use_safetensors=True
        )
        forbid_repacking(backend.model)
    base = backend.model
    for parameter in base.parameters():
        parameter.requires_grad_(False)
    if cfg.init_from:
        model = PeftModel.from_pretrained(base, cfg.init_from, is_trainable=True)
    else:
        lora = LoraConfig(
            r=cfg.rank,
            lora_alpha=cfg.alpha,
            lora_dropout=cfg.dropout,
            target_modules=LORA_PATTERN,
            bias="none",
            task_type="CAUSAL_LM",
        )
        model = get_peft_model(base, lora)
    for name, parameter in base.named_parameters():
        if name.startswith(cfg.trains):
            parameter.requires_grad_(True)
    for name in cfg.trains:
        base.get_submodule(name).float()
    return backend, model


@torch.no_grad()
def feature_maps(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    """What the frozen tower sees: [b, channels, h, w]."""
    base = model.get_base_model()
    return base.model.vision_tower(pixels.to(base.device, torch.bfloat16)).last_hidden_state


def loss_of(model: Any, batch: Batch, maps: torch.Tensor) -> torch.Tensor:
    """Weighted mean of the answers' token losses; ``maps`` [b, channels, h, w]."""
    base = model.get_base_model()
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


def train_mllm(cfg: TuneConfig) -> None:
    """Train; adapter and projector are written every ``save_every`` steps and at the end, each file in one rename."""
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    torch.manual_seed(cfg.seed)
    taxonomy = load_taxonomy()
    train, _ = split_rows(read_annotations(Path(cfg.data)))
    train = [row for row in train if row["label_ok"]]
    photos = load_photos(train, 256)
    backend, model = load_trainable(cfg)
    projector = [p for n, p in model.named_parameters() if p.requires_grad and "lora_" not in n]
    lora = [p for n, p in model.named_parameters() if p.requires_grad and "lora_" in n]
    optimizer = torch.optim.AdamW(
        [{"params": lora, "base": cfg.lr}, {"params": projector, "base": cfg.projector_lr}],
        lr=cfg.lr,
        weight_decay=cfg.weight_decay,
    )
    draw = sampling_weights(train, 0.5, 0.25)
    out = Path(cfg.out)
    state_file, first = out / "train.state", 0
    if cfg.resume and state_file.is_file():
        first = _resume(state_file, model, optimizer)
    model.train()
    base = model.get_base_model()
    base.model.vision_tower.eval()
    dropped, began, recent = 0, time.time(), []
    for step in range(first, cfg.steps):
        # everything random in a step follows from (seed, step): a resumed run goes on as if nothing had happened
        rng, lesson_rng = np.random.default_rng((cfg.seed, step)), Random(cfg.seed * 1_000_003 + step)
        torch.manual_seed(cfg.seed * 1_000_003 + step)
        writing = lesson_rng.random() < cfg.plan.text_share
        rows = rng.choice(len(train), max(1, cfg.batch_size // 2) if writing else cfg.batch_size, p=draw)
        maps, blended = blend(feature_maps(model, augment(photos[rows], 224, rng)), cfg.blend_share, rng)
        packed = []
        for k, i in enumerate(rows):
            row, soft = train[i], None
            if blended[k] and backend.heads is not None:
                pooled = maps[k : k + 1].float().mean((2, 3))
                row, soft = relabel(row, backend.heads, pooled, taxonomy, lesson_rng)
            lessons = visual(row, taxonomy, cfg.plan, lesson_rng, soft)
            if writing:
                lessons += written(train[i], taxonomy, cfg.plan, lesson_rng)
            packed.append(pack(lessons, backend))
        keep = [k for k, p in enumerate(packed) if len(p.tree.ids) <= cfg.max_tokens]
        dropped += len(packed) - len(keep)
        if not keep:
            continue
        batch = collate([packed[k] for k in keep], backend.tokenizer.eos_token_id)
        pace = min(1.0, (step + 1) / cfg.warmup) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / cfg.steps)))
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * pace
        loss = loss_of(model, batch, maps[keep])
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*lora, *projector], 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        recent.append(loss.item())
        if (step + 1) % 10 == 0 or step + 1 == cfg.steps:
            left = (time.time() - began) / (step + 1 - first) * (cfg.steps - step - 1)
            line = {
                "step": step + 1,
                "loss": round(float(np.mean(recent)), 4),
                "tokens": batch.ids.numel(),
                "left_s": round(left),
                "dropped": dropped,
            }
            print(json.dumps(line), flush=True)
            recent = []
        if (step + 1) % cfg.save_every == 0 or step + 1 == cfg.steps:
            save(cfg, model, optimizer, step + 1, out)


def _trained(model: Any) -> dict[str, torch.Tensor]:
    return {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}


def save(cfg: TuneConfig, model: Any, optimizer: torch.optim.Optimizer, step: int, out: Path) -> None:
    """Adapter (16-bit), projector (16-bit), and ``train.state`` (32-bit, with the optimizer) for resuming."""
    from safetensors.torch import load_file, save_file

    out.mkdir(parents=True, exist_ok=True)
    scratch = out / "adapter.tmp"
    model.save_pretrained(scratch)
    halves = {n: t.half().contiguous() for n, t in load_file(scratch / "adapter_model.safetensors").items()}
    save_file(halves, scratch / "adapter_model.safetensors", metadata={"format": "pt"})
    shutil.rmtree(out / "adapter", ignore_errors=True)
    scratch.replace(out / "adapter")
    projector = model.get_base_model().model.multi_modal_projector.state_dict()
    save_file({n: t.detach().half().contiguous() for n, t in projector.items()}, out / "projector.tmp")
    (out / "projector.tmp").replace(out / "projector.safetensors")
    torch.save({"step": step, "model": _trained(model), "optimizer": optimizer.state_dict()}, out / "train.state.tmp")
    (out / "train.state.tmp").replace(out / "train.state")
    (out / "mllm.run.json").write_text(json.dumps({"step": step, "config": asdict(cfg)}, indent=1) + "\n")


def _resume(file: Path, model: Any, optimizer: torch.optim.Optimizer) -> int:
    state = torch.load(file, map_location="cpu", weights_only=True)
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in state["model"].items():
            own[name].copy_(tensor)
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
