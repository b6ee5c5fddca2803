"""Settings of the stage that trains the embedded model's language model."""

from __future__ import annotations

from dataclasses import dataclass, field

from finetune.data.tasks import LessonPlan


@dataclass(frozen=True)
class TuneConfig:
    """``quantize``: nf4 | none. ``rank``: 0 tunes the whole language model in 32-bit (then ``quantize: none``).

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
    plan: LessonPlan = field(default_factory=LessonPlan)
    accumulate: int = 1
    checkpointing: bool = False
    log_every: int = 10
    eval_every: int = 0
    eval_photos: int = 64
    fixed_samples: int = 10
