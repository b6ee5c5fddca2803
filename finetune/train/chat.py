"""Tune any family on ``messages`` + ``images`` JSONL: QLoRA through transformers' Trainer, launched by accelerate.

The same script runs in one process, under ``accelerate launch`` and under FSDP or DeepSpeed. The order of samples, and
so the result, depends on the seed alone; a resumed run ends where an uninterrupted one does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter
from transformers.integrations.integration_utils import TensorBoardCallback, get_available_reporting_integrations
from transformers.trainer import Trainer
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_pt_utils import LengthGroupedSampler
from transformers.trainer_utils import get_last_checkpoint, set_seed
from transformers.training_args import TrainingArguments

from finetune.errors import TuneError
from finetune.train.answers import answer_scores, likeliest
from finetune.train.collator import Collator, Encoded, encode, read_samples
from finetune.train.configs import ChatConfig
from finetune.train.loading import check_settings, dtype_of, load_base, sharded, whole, with_lora
from finetune.train.merge import copy_beside
from finetune.train.report import Reporter, manifest, spread

PASSES = 10  # over the data; from there on the model learns its samples by heart


def training_arguments(cfg: ChatConfig, bf16: bool, use_cpu: bool) -> TrainingArguments:
    """The config as transformers' TrainingArguments."""
    return TrainingArguments(
        output_dir=str(Path(cfg.out) / "checkpoints"),
        max_steps=cfg.steps,
        per_device_train_batch_size=cfg.batch_size,
        per_device_eval_batch_size=cfg.batch_size,
        gradient_accumulation_steps=cfg.accumulate,
        learning_rate=cfg.lr,
        weight_decay=cfg.weight_decay,
        warmup_steps=cfg.warmup,
        lr_scheduler_type="cosine",
        activation_checkpointing=cfg.checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False},
        bf16=bf16,
        use_cpu=use_cpu,
        ddp_backend="gloo" if use_cpu and "WORLD_SIZE" in os.environ else None,
        ddp_find_unused_parameters=bool(cfg.trains),  # a text without a photo leaves the projector out
        eval_strategy="steps",
        eval_steps=cfg.evaluate_every,
        logging_steps=cfg.log_every,
        logging_first_step=True,
        save_steps=cfg.save_every,
        save_total_limit=2,
        optim=optimizer_of(cfg.optimizer, use_cpu),
        report_to=list(cfg.report_to) or "none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_num_workers=cfg.workers,
        dataloader_pin_memory=not use_cpu,
        seed=cfg.seed,
        data_seed=cfg.seed,
    )


def optimizer_of(name: str, use_cpu: bool) -> str:
    """transformers' name of the optimizer: on a GPU one whose state moves to the host when memory runs short.

    Not where the model is cut over processes, whose optimizer is cut as well.
    """
    if name != "auto":
        return name
    return "adamw_torch_fused" if use_cpu or sharded() else "paged_adamw_32bit"


def check_trackers(names: Sequence[str]) -> None:
    """Refuse (TuneError) a tracker whose package is not installed."""
    there = get_available_reporting_integrations()
    if missing := [name for name in names if name not in there]:
        raise TuneError(f"report_to: {missing[0]} is not installed (pip install {missing[0]}); there are: {there}.")


def train_chat(cfg: ChatConfig) -> None:
    """Train; ``out`` receives ``adapter/`` (``model/`` with rank 0), logs, samples, manifest, checkpoints.

    What is written holds processor and chat template too. Under FSDP and DeepSpeed samples without a photo are left
    out, and none is decoded: no process has the whole model. TuneError, TemplateError: this cannot be tuned.
    """
    set_seed(cfg.seed)
    out, files = Path(cfg.out), [Path(cfg.data) / name for name in ("train.jsonl", "validation.jsonl")]
    last = get_last_checkpoint(str(out / "checkpoints")) if cfg.resume and (out / "checkpoints").is_dir() else None
    if cfg.resume and last is None:
        raise TuneError(f"{out} holds no checkpoint to resume from; leave --resume out to begin.")
    check_settings(cfg)
    check_trackers(cfg.report_to)
    bf16 = dtype_of(cfg.quantize, cfg.precision) == torch.bfloat16
    # Before anything is loaded: this picks each process's GPU, and tells transformers when weights are to be cut.
    arguments = training_arguments(cfg, bf16, not torch.cuda.is_available())
    _ = arguments.device
    base, processor, family = load_base(cfg.model, cfg.quantize, cfg.pixels, cfg.precision, cfg.attention)
    train, validation, dropped = _samples(cfg, files, processor)
    trains = family.modules(cfg.trains)
    model = with_lora(base, family, cfg, trains) if cfg.rank else whole(base, family, trains)
    model.config.use_cache = False  # a pass of training keeps nothing for the next one
    judged = spread(validation, cfg.evaluate_on)
    trainer = AnswerTrainer(
        model=model,
        args=arguments,
        data_collator=Collator(processor),
        train_dataset=train,
        eval_dataset=judged,
        compute_metrics=lambda output: answer_scores(judged, output.predictions, output.label_ids, processor.tokenizer),
    )
    trainer.grouped = cfg.group_by_length
    trainer.remove_callback(PrinterCallback)
    if trainer.is_world_process_zero():
        board = TensorBoardCallback(SummaryWriter(str(out / "tensorboard")))
        trainer.add_callback(board)
        trainer.add_callback(Reporter(out, [] if sharded() else spread(validation, cfg.fixed_samples), processor))
        about = {**manifest(asdict(cfg), files, cfg.seed), "family": family.name, "dropped": dropped}
        about |= {"samples": len(train), "processes": arguments.world_size}
        (out / "run.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        passes = cfg.steps * cfg.batch_size * cfg.accumulate * arguments.world_size
        left_out = "; ".join(f"{count} {reason}" for reason, count in dropped.items())
        print(f"{len(validation)} samples judge; {often(len(train), passes)}", flush=True)
        print(f"Left out: {left_out or 'none'}.", flush=True)
    trainer.train(resume_from_checkpoint=last)
    model.config.use_cache = True  # as it will serve
    folder = out / ("adapter" if cfg.rank else "model")
    trainer.save_model(str(folder))  # every process takes part: under FSDP each holds a part
    if trainer.is_world_process_zero():
        (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle of what run.json says
        processor.save_pretrained(folder)
        if not cfg.rank:
            copy_beside(Path(cfg.model), folder)


def often(samples: int, draws: int) -> str:
    """A sentence on how often each sample is drawn, and what follows where that is more than a few times."""
    passes = draws / samples
    heart = "; so few are learned by heart: more listings help more than more steps" if passes > PASSES else ""
    return f"{samples} samples train, each is seen {passes:.1f} times{heart}."


def _samples(
    cfg: ChatConfig, files: Sequence[Path], processor: Any
) -> tuple[list[Encoded], list[Encoded], dict[str, int]]:
    """(training samples, validation samples, how many training samples were dropped by reason)."""
    (train, dropped), (validation, _) = (encode(read_samples(file), processor, cfg.max_tokens) for file in files)
    if sharded():  # a process whose batch has no photo would not gather the tower, and all others would wait for it
        dropped["no photo"] = sum(not sample.images for sample in train)
        train, validation = ([sample for sample in part if sample.images] for part in (train, validation))
    if not train or not validation:
        say = f"{cfg.data} has no usable sample (dropped: {dict(dropped)}); raise max_tokens or lower the pixels."
        raise TuneError(say)
    return [replace(sample, vary=cfg.vary_photos) for sample in train], validation, dict(dropped)


class ByLength(LengthGroupedSampler):
    """The order of an epoch follows from the seed and its number, so that a resumed run meets it again."""

    seed = 0

    def set_epoch(self, epoch: int) -> None:
        self.generator = torch.Generator().manual_seed(self.seed + epoch)


class AnswerTrainer(Trainer):
    """Trainer that keeps the likeliest tokens alone of an evaluation's outputs; the rest differs between families.

    grouped: samples of one batch are about as long as each other.
    """

    grouped = False

    def prediction_step(self, *args: Any, **kwargs: Any) -> Any:
        loss, outputs, labels = super().prediction_step(*args, **kwargs)
        return loss, None if outputs is None else likeliest(outputs), labels

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        gpus = [self.args.device] if self.args.device.type == "cuda" else []
        with torch.random.fork_rng(gpus):  # an evaluation changes nothing of the training
            return super().evaluate(*args, **kwargs)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        samples: Any = train_dataset if train_dataset is not None else self.train_dataset
        if not self.grouped:
            return super()._get_train_sampler(samples)
        size = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        sampler = ByLength(size, samples, lengths=[sample.tokens for sample in samples])
        sampler.seed = self.args.seed
        sampler.set_epoch(0)
        return sampler
