"""Settings of the stage that trains a language model: the embedded model's, and any family's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from finetune.data.tasks import TaskPlan


@dataclass(frozen=True)
class ChatConfig:
    """``data``: folder with ``train.jsonl`` and ``validation.jsonl``. ``trains``: modules that train beside LoRA;
    ``projector`` is the family's own.

    rank: 0 tunes the whole language model. precision: auto | 32. pixels: settings of the image processor; None takes
    the family's budget. group_by_length: samples of one batch are about as long as each other, so that little is
    padded. lora_tower: LoRA on the vision tower as well. attention: transformers' name of an implementation; empty
    takes its own choice. optimizer: transformers' name of one; auto: paged on a GPU that holds the whole model.
    report_to: trackers beside the log and TensorBoard, such as wandb. vary_photos: training photos are mirrored,
    turned, moved and lit otherwise, each sample in a way of its own. plan: what is asked where ``data`` holds annotated
    photos instead of samples. Lengths in tokens, times in steps.
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
    vary_photos: bool = False
    plan: TaskPlan = field(default_factory=TaskPlan)
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
