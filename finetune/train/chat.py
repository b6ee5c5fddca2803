"""Tune any family on ``messages`` + ``images`` JSONL: QLoRA through transformers' Trainer, launched by accelerate.

The same script runs in one process, under ``accelerate launch`` and under FSDP or DeepSpeed. The order of samples, and
so the result, depends on the seed alone; a resumed run ends where an uninterrupted one does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from finetune.errors import TuneError
from finetune.train.answers import answer_scores, likeliest
from finetune.train.collator import Collator, Encoded, encode, read_samples
from finetune.train.configs import ChatConfig
from finetune.train.loading import check_settings, dtype_of, load_base, whole, with_lora
from finetune.train.processes import sharded
from finetune.train.run_log import RunLog, manifest
from finetune.train.samples import spread, write_samples

PASSES = 10  # over the data; from there on the model learns its samples by heart
TIMES = ("_runtime", "_per_second", "_time")  # of Trainer's own; the log counts time itself


def training_arguments(cfg: ChatConfig, bf16: bool, use_cpu: bool) -> Any:
    """The config as transformers' TrainingArguments."""
    from transformers import TrainingArguments

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
        max_grad_norm=1.0,
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
    from transformers.integrations.integration_utils import get_available_reporting_integrations

    there = get_available_reporting_integrations()
    if missing := [name for name in names if name not in there]:
        raise TuneError(f"report_to: {missing[0]} is not installed (pip install {missing[0]}); there are: {there}.")


def train_chat(cfg: ChatConfig) -> None:
    """Train; ``out`` receives ``adapter/`` (``model/`` with rank 0), logs, samples, manifest, checkpoints.

    What is written holds processor and chat template too. Under FSDP and DeepSpeed samples without a photo are left
    out, and none is decoded: no process has the whole model. TuneError, TemplateError: this cannot be tuned.
    """
    import torch
    from transformers import PrinterCallback, set_seed

    set_seed(cfg.seed)
    out, files = Path(cfg.out), [Path(cfg.data) / name for name in ("train.jsonl", "validation.jsonl")]
    last = _last_checkpoint(out) if cfg.resume else None
    check_settings(cfg.quantize, cfg.rank, cfg.init_from, cfg.precision, tower=cfg.lora_tower)
    check_trackers(cfg.report_to)
    bf16 = dtype_of(cfg.quantize, cfg.precision) == torch.bfloat16
    # Before anything is loaded: this picks each process's GPU, and tells transformers when weights are to be cut.
    arguments = training_arguments(cfg, bf16, not torch.cuda.is_available())
    _ = arguments.device
    base, processor, family = load_base(cfg.model, cfg.quantize, cfg.pixels, cfg.precision, cfg.attention)
    train, validation, dropped = _samples(cfg, files, processor)
    trains = family.modules(cfg.trains)
    lora = (cfg.rank, cfg.alpha, cfg.dropout, trains, cfg.init_from, cfg.lora_tower)
    model = with_lora(base, family, *lora) if cfg.rank else whole(base, family, trains)
    model.config.use_cache = False  # a pass of training keeps nothing for the next one
    judged = spread(validation, cfg.evaluate_on)
    trainer = _trainer_kind(cfg)(
        model=model,
        args=arguments,
        data_collator=Collator(processor),
        train_dataset=train,
        eval_dataset=judged,
        compute_metrics=lambda output: answer_scores(judged, output.predictions, output.label_ids, processor.tokenizer),
    )
    trainer.remove_callback(PrinterCallback)
    if trainer.is_world_process_zero():
        first = int(last.rpartition("-")[2]) if last else 0
        fixed = [] if sharded() else spread(validation, cfg.fixed_samples)
        trainer.add_callback(_reporter(RunLog(out, cfg.steps, first), fixed, processor, out))
        about = {**manifest(asdict(cfg), files, cfg.seed), "family": family.name, "dropped": dropped}
        about |= {"samples": len(train), "processes": arguments.world_size}
        (out / "run.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        seen = cfg.steps * cfg.batch_size * cfg.accumulate * arguments.world_size
        print(f"{len(validation)} samples judge; {often(len(train), seen)}", flush=True)
    trainer.train(resume_from_checkpoint=last)
    model.config.use_cache = True  # as it will serve
    folder = out / ("adapter" if cfg.rank else "model")
    trainer.save_model(str(folder))  # every process takes part: under FSDP each holds a part
    if trainer.is_world_process_zero():
        (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle of what run.json says
        processor.save_pretrained(folder)


def _last_checkpoint(out: Path) -> str:
    from transformers.trainer_utils import get_last_checkpoint

    last = get_last_checkpoint(str(out / "checkpoints")) if (out / "checkpoints").is_dir() else None
    if last is None:
        raise TuneError(f"{out} holds no checkpoint to resume from; leave --resume out to begin.")
    return last


def often(samples: int, seen: int) -> str:
    """How often each sample is seen, and what follows where that is more than a few times."""
    passes = seen / samples
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
        raise TuneError(
            f"{cfg.data} has no usable sample (dropped: {dict(dropped)}); raise max_tokens or lower the pixels."
        )
    return train, validation, dict(dropped)


def _trainer_kind(cfg: ChatConfig) -> Any:
    import torch
    from transformers import Trainer
    from transformers.trainer_pt_utils import get_length_grouped_indices

    class ByLength(torch.utils.data.Sampler[int]):
        """The order of an epoch follows from the seed and its number, so that a resumed run meets it again."""

        epoch = 0

        def __init__(self, size: int, lengths: list[int]) -> None:
            self.size, self.lengths = size, lengths

        def __len__(self) -> int:
            return len(self.lengths)

        def set_epoch(self, epoch: int) -> None:
            self.epoch = epoch

        def __iter__(self) -> Iterator[int]:
            generator = torch.Generator().manual_seed(cfg.seed + self.epoch)
            return iter(get_length_grouped_indices(self.lengths, self.size, generator=generator))

    class AnswerTrainer(Trainer):
        """Of an evaluation's outputs it keeps the likeliest tokens alone; the rest differs from family to family."""

        def prediction_step(self, *given: Any, **more: Any) -> Any:
            loss, outputs, labels = super().prediction_step(*given, **more)
            return loss, None if outputs is None else likeliest(outputs), labels

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            samples: Any = train_dataset if train_dataset is not None else self.train_dataset
            if not cfg.group_by_length:
                return super()._get_train_sampler(samples)
            size = cfg.batch_size * cfg.accumulate * self.args.world_size
            return ByLength(size, [sample.tokens for sample in samples])

    return AnswerTrainer


def _reporter(log: RunLog, fixed: Sequence[Encoded], processor: Any, out: Path) -> Any:
    """A callback that writes numbers to the log, and what the model says to the fixed samples at each evaluation."""
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
            names = ("loss", "grad_norm", "learning_rate", *(n for n in logs if n.startswith("eval_")))
            numbers = {n: round(float(logs[n]), 8) for n in names if n in logs and not n.endswith(TIMES)}
            if numbers:
                log.write(state.global_step, **numbers)

        def on_evaluate(self, args: Any, state: Any, control: Any, model: Any = None, **more: Any) -> None:
            if fixed:
                write_samples(out / "samples" / f"{state.global_step:06d}.jsonl", model, processor, fixed)

        def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            log.close()

    return Reporter()
