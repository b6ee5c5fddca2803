"""Settings of the two stages that train a language model: the embedded model's own, and any family's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from finetune.data.tasks import TaskPlan


@dataclass(frozen=True)
class TuneConfig:
    """The embedded model's language stage. ``quantize``: nf4 | none. ``rank``: 0 tunes the whole
    language model in 32-bit (then ``quantize: none``).

    ``trains``: what else trains beside the language model's layers. ``accumulate``: batches a step and process.
    ``eval_every``: steps between evaluations, 0 for none. Lengths in tokens, times in steps.
    """

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
    plan: TaskPlan = field(default_factory=TaskPlan)
    accumulate: int = 1
    checkpointing: bool = False
    log_every: int = 10
    eval_every: int = 0
    eval_photos: int = 64
    fixed_samples: int = 10


@dataclass(frozen=True)
class ChatConfig:
    """Any family's stage. ``data``: folder with ``train.jsonl`` and ``validation.jsonl``. ``trains``: modules that
    train beside LoRA; ``projector`` is the family's own.

    rank: 0 tunes the whole language model. precision: auto | 32. pixels: settings of the image processor; None takes
    the family's budget. group_by_length: samples of one batch are about as long as each other, so that little is
    padded. lora_tower: LoRA on the vision tower as well. attention: transformers' name of an implementation; empty
    takes its own choice. optimizer: transformers' name of one; auto: paged on a GPU that holds the whole model.
    report_to: trackers beside the log and TensorBoard, such as wandb. Lengths in tokens, times in steps.
    """

    model: str
    data: str
    out: str
    quantize: str = "nf4"
    precision: str = "auto"
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    trains: tuple[str, ...] = ()
    lora_tower: bool = False
    attention: str = ""
    optimizer: str = "auto"
    report_to: tuple[str, ...] = ()
    pixels: Mapping[str, Any] | None = None
    steps: int = 500
    batch_size: int = 4
    accumulate: int = 4
    lr: float = 1e-4
    weight_decay: float = 0.0
    warmup: int = 20
    max_tokens: int = 2048
    evaluate_every: int = 100
    evaluate_on: int = 64
    fixed_samples: int = 10
    log_every: int = 10
    save_every: int = 100
    checkpointing: bool = True
    workers: int = 2
    group_by_length: bool = False
    init_from: str = ""
    resume: bool = False
    seed: int = 0
