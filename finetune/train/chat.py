"""Tune any family on ``messages`` + ``images`` JSONL: QLoRA through transformers' Trainer, launched by accelerate.

The same script runs in one process, under ``accelerate launch`` and under FSDP or DeepSpeed. The order of samples, and
so the result, depends on the seed alone; a resumed run ends where an uninterrupted one does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finetune.train.answers import answer_scores, likeliest
from finetune.train.collator import Collator, Encoded, SampleError, encode, read_samples
from finetune.train.loading import LoadError, dtype_of, load_base, whole, with_lora
from finetune.train.processes import sharded
from finetune.train.run_log import RunLog, manifest
from finetune.train.samples import say_samples, spread

TIMES = ("_runtime", "_per_second", "_time")  # of Trainer's own; the log counts time itself


@dataclass(frozen=True)
class ChatConfig:
    """``data``: folder with ``train.jsonl`` and ``validation.jsonl``. ``trains``: modules that train beside LoRA.

    rank: 0 tunes the whole language model. precision: auto | 32. pixels: settings of the image processor; None takes
    the family's budget. Lengths in tokens, times in steps.
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
    init_from: str = ""
    resume: bool = False
    seed: int = 0


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
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_num_workers=cfg.workers,
        dataloader_pin_memory=not use_cpu,
        seed=cfg.seed,
        data_seed=cfg.seed,
    )


def train_chat(cfg: ChatConfig) -> None:
    """Train; ``out`` receives ``adapter/`` (``model/`` with rank 0), logs, samples, manifest, checkpoints.

    What is written holds processor and chat template too. Under FSDP and DeepSpeed samples without a photo are left
    out, and none is decoded: no process has the whole model.

    Raises:
        SampleError: no usable sample, or no checkpoint to resume from.
        LoadError, FamilyError, TemplateError: the model cannot be tuned.
    """
    import torch
    from transformers import PrinterCallback, set_seed
    from transformers.trainer_utils import get_last_checkpoint

    set_seed(cfg.seed)
    out, files = Path(cfg.out), [Path(cfg.data) / name for name in ("train.jsonl", "validation.jsonl")]
    last = get_last_checkpoint(str(out / "checkpoints")) if cfg.resume and (out / "checkpoints").is_dir() else None
    if cfg.resume and last is None:
        raise SampleError(f"{out} holds no checkpoint to resume from; leave --resume out to begin.")
    if not cfg.rank and cfg.init_from:
        raise LoadError("rank 0 starts from the model itself: leave --init-from out.")
    bf16 = dtype_of(cfg.quantize, cfg.precision) == torch.bfloat16
    # Before anything is loaded: this picks each process's GPU, and tells transformers when weights are to be cut.
    arguments = training_arguments(cfg, bf16, not torch.cuda.is_available())
    _ = arguments.device
    base, processor, family = load_base(cfg.model, cfg.quantize, cfg.pixels, cfg.precision)
    (train, dropped), (unseen, _) = (encode(read_samples(file), processor, cfg.max_tokens) for file in files)
    if sharded():  # a process whose batch has no photo would not gather the tower, and all others would wait for it
        dropped["no photo"] = sum(not sample.images for sample in train)
        train, unseen = ([sample for sample in part if sample.images] for part in (train, unseen))
    if not train or not unseen:
        raise SampleError(
            f"{cfg.data} has no usable sample (dropped: {dict(dropped)}); raise max_tokens or lower the pixels."
        )
    if cfg.rank:
        model = with_lora(base, family, cfg.rank, cfg.alpha, cfg.dropout, cfg.trains, cfg.init_from)
    else:
        model = whole(base, family, cfg.trains)
    model.config.use_cache = False  # a pass of training keeps nothing for the next one
    watched = spread(unseen, cfg.evaluate_on)
    trainer = _trainer_kind()(
        model=model,
        args=arguments,
        data_collator=Collator(processor),
        train_dataset=train,  # type: ignore[arg-type]  # a list is a dataset
        eval_dataset=watched,  # type: ignore[arg-type]
        compute_metrics=lambda seen: answer_scores(watched, seen.predictions, seen.label_ids, processor.tokenizer),
    )
    trainer.remove_callback(PrinterCallback)
    if trainer.is_world_process_zero():
        first = int(last.rpartition("-")[2]) if last else 0
        log = RunLog(out, cfg.steps, first)
        trainer.add_callback(_reporter(log, [] if sharded() else spread(unseen, cfg.fixed_samples), processor, out))
        about = {**manifest(asdict(cfg), files, cfg.seed), "family": family.name, "dropped": dict(dropped)}
        about |= {"samples": len(train), "processes": arguments.world_size}
        (out / "run.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    trainer.train(resume_from_checkpoint=last)
    model.config.use_cache = True  # as it will serve
    folder = out / ("adapter" if cfg.rank else "model")
    trainer.save_model(str(folder))  # every process takes part: under FSDP each holds a part
    if trainer.is_world_process_zero():
        (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle of what run.json says
        processor.save_pretrained(folder)


def _trainer_kind() -> Any:
    from transformers import Trainer

    class AnswerTrainer(Trainer):
        """Of an evaluation's outputs it keeps the likeliest tokens alone; the rest differs from family to family."""

        def prediction_step(self, *given: Any, **more: Any) -> Any:
            loss, outputs, labels = super().prediction_step(*given, **more)
            return loss, None if outputs is None else likeliest(outputs), labels

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
            if not fixed:
                return
            said = say_samples(model, processor, fixed)
            (out / "samples").mkdir(exist_ok=True)
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in said)
            (out / "samples" / f"{state.global_step:06d}.jsonl").write_text(lines, encoding="utf-8")

        def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            log.close()

    return Reporter()
