"""Records of a training run beside its weights: a log, answers to a few fixed samples, and a manifest."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers.trainer_callback import TrainerCallback

from finetune.data.files import write_lines
from finetune.data.photosets import open_photo
from finetune.embedded.assemble import sha256
from finetune.train.collator import Encoded
from listing.backends.turns import render

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "numpy")
LOGGED = ("loss", "grad_norm", "learning_rate", "left_s")
TIMES = ("_runtime", "_per_second", "_time")  # of Trainer's own
Row = TypeVar("Row")


def spread(rows: Sequence[Row], count: int) -> list[Row]:
    """``count`` rows at equal distances: the same ones in every run, of as many sellers as can be."""
    count = min(count, len(rows))
    return [rows[i * len(rows) // count] for i in range(count)]


class Reporter(TrainerCallback):
    """Writes ``log.jsonl`` (each line with the seconds that are left), and prints it; at each evaluation it writes what
    the model says to the ``fixed`` samples, which is read beside the loss.
    """

    def __init__(self, out: Path, fixed: Sequence[Encoded], processor: Any) -> None:
        self.out, self.fixed, self.processor = out, fixed, processor

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.began, self.first = time.time(), state.global_step

    def on_log(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        each = (time.time() - self.began) / max(1, state.global_step - self.first)
        state.log_history[-1]["left_s"] = round(each * (state.max_steps - state.global_step))
        lines = [numbers for entry in state.log_history if len(numbers := _numbers(entry)) > 2]
        write_lines(self.out / "log.jsonl", lines)  # a resumed run's history ends with its checkpoint
        if _numbers(state.log_history[-1]) in lines[-1:]:
            print(json.dumps(lines[-1]), flush=True)

    def on_evaluate(self, args: Any, state: Any, control: Any, model: Any = None, **more: Any) -> None:
        if not self.fixed:
            return
        with torch.no_grad(), torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=args.bf16):
            rows = [answered(model, self.processor, sample) for sample in self.fixed]
        file = self.out / "samples" / f"{state.global_step:06d}.jsonl"
        file.parent.mkdir(exist_ok=True)
        write_lines(file, rows)


def _numbers(entry: Mapping[str, Any]) -> dict[str, float]:
    """The logged numbers of an entry of Trainer's history, its step first; step and time alone say nothing."""
    evaluated = [name for name in entry if name.startswith("eval_") and not name.endswith(TIMES)]
    return {"step": entry["step"], **{n: round(float(entry[n]), 8) for n in (*evaluated, *LOGGED) if n in entry}}


def answered(model: Any, processor: Any, sample: Encoded, max_tokens: int = 60) -> dict[str, Any]:
    """``{images, prompt, wanted, said}``: the greedy answer to the sample's first question."""
    first = next(k for k, m in enumerate(sample.messages) if m["role"] == "assistant")
    asked = sample.messages[:first]
    count = sum(p["type"] == "image" for m in asked for p in m["content"])
    inputs = processor(
        text=[render(processor, asked, ask=True)],
        images=[[open_photo(path) for path in sample.images[:count]]] if count else None,
        add_special_tokens=False,
        return_tensors="pt",
    ).to(model.device, model.dtype)
    end = processor.tokenizer.eos_token_id
    ids = model.generate(
        **inputs, max_new_tokens=max_tokens, do_sample=False, use_cache=True, eos_token_id=end, pad_token_id=end
    )
    return {
        "images": [path.name for path in sample.images],
        "prompt": asked[-1]["content"][-1].get("text", ""),
        "wanted": sample.messages[first]["content"][-1].get("text", ""),
        "said": processor.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True),
    }


def manifest(config: Mapping[str, Any], data: Iterable[Path], seed: int) -> dict[str, Any]:
    """Everything that decides a run's result: its config, the data's checksums, versions, seed and machine."""
    return {
        "config": dict(config),
        "data": {path.name: sha256(path) for path in data},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "machine": platform.machine(),
        "seed": seed,
    }
