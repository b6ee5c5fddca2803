"""``./ipl tune CONFIG``: tune a language model as a YAML says; what comes out is what the launcher uses."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import sampling_weights, split_rows
from finetune.embedded.assemble import WEIGHTS
from finetune.errors import TuneError
from listing.errors import did_you_mean
from listing.home import ipl_home

if TYPE_CHECKING:
    from finetune.train.configs import ChatConfig


def strict(kind: type, settings: Mapping[str, Any], where: str) -> Any:
    """A config dataclass from YAML keys; an unknown key is refused with the nearest valid name."""
    valid = [f.name for f in fields(kind)]
    for key in settings:
        if key not in valid:
            hint = did_you_mean(key, valid, f"the keys are: {', '.join(valid)}.")
            raise TuneError(f"{where}: unknown key {key!r}; {hint}")
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()})


def _chat(settings: Mapping[str, Any], data: Path, out: Path, model: str | None = None, **resumable: Any) -> None:
    from finetune.data.tasks import TaskPlan
    from finetune.train.chat import train_chat
    from finetune.train.configs import ChatConfig
    from finetune.train.loading import BASE, EMBEDDED, located, processes

    name = model or settings.get("model")
    if not name:
        raise TuneError("This config tunes any model: name one with --model, a hub id or a folder.")
    anew = name == BASE  # the shipped weights: the run has a folder of its own beside them
    if out == WEIGHTS and not anew:  # the embedded model's own weights are no place for another family's
        out = ipl_home() / "tuned" / str(name).rstrip("/").rpartition("/")[2]
    plan = strict(TaskPlan, settings.get("plan") or {}, "stages.chat.plan")
    settings = {**settings, "plan": plan, "model": name, "data": str(data), "out": str(out / "run" if anew else out)}
    cfg: ChatConfig = replace(strict(ChatConfig, settings, "stages.chat"), **resumable)
    annotated = not (data / "train.jsonl").is_file() and (data / "annotations.jsonl").is_file()
    if annotated or name in (BASE, EMBEDDED):
        with processes().main_process_first():  # the others find the model assembled and the samples written
            cfg = replace(cfg, model=located(name, out), data=f"{cfg.out}/data" if annotated else cfg.data)
            if annotated and processes().is_main_process:
                draw_samples(data, cfg, processes().num_processes)
    train_chat(cfg)
    if anew and processes().is_main_process:
        install_weights(cfg, out)


def install_weights(cfg: ChatConfig, out: Path) -> None:
    """Move what a run has made from the run's folder beside the shipped weights, an adapter in 16-bit."""
    result = "adapter" if cfg.rank else "model"
    shutil.rmtree(out / result, ignore_errors=True)
    (Path(cfg.out) / result).replace(out / result)
    if cfg.rank:
        halve(out / result / "adapter_model.safetensors")


def halve(file: Path) -> None:
    """Rewrite 32-bit weights in 16-bit, as the shipped ones are."""
    from safetensors.torch import load_file, save_file

    save_file({name: tensor.half() for name, tensor in load_file(file).items()}, file, metadata={"format": "pt"})


def draw_samples(photos: Path, cfg: ChatConfig, processes: int = 1) -> None:
    """Write to ``cfg.data`` as many samples of annotated photos as the run sees, each with questions of its own.

    Rare classes and small senders are drawn more often.
    """
    import numpy as np

    from finetune.data.build import from_annotations, write_data
    from listing.taxonomy import load_taxonomy

    def split(rows: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        train, validation = ([row for row in part if row["label_ok"]] for part in split_rows(rows))
        count, rng = cfg.steps * cfg.batch_size * cfg.accumulate * processes, np.random.default_rng(cfg.seed)
        drawn: Any = rng.choice(len(train), count, p=sampling_weights(train, 0.5, 0.25)) if train else []
        return [train[number] for number in drawn], validation

    teach = from_annotations(load_taxonomy(), cfg.plan)
    write_data(read_annotations(photos), teach, Path(cfg.data), cfg.seed, split=split)


def _read(config: Path) -> dict[str, Any]:
    """The settings of the config's one stage."""
    if not config.is_file():
        raise TuneError(f"There is no config {config}; the shipped ones lie in finetune/configs.")
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TuneError(f"{config} is no YAML ({str(error).splitlines()[0]}).") from error
    if not isinstance(content, dict) or not isinstance(content.get("stages"), dict):
        raise TuneError(f"{config} has no `stages`; finetune/configs/ipl-mini.yaml shows how they are written.")
    for name in content["stages"]:
        if name != "chat":
            raise TuneError(f"There is no stage {name!r}; the stage is: chat.")
    if not content["stages"]:
        raise TuneError(f"{config} has no stage `chat`; finetune/configs/ipl-mini.yaml shows how it is written.")
    settings: dict[str, Any] = content["stages"]["chat"] or {}
    return settings


def is_of_photos(config: Path, model: str | None = None) -> bool:
    """True where it is the embedded model that is tuned, on annotated photos. TuneError: the config is unusable."""
    return str(model or _read(config).get("model")).startswith("ipl-mini")


def run_config(config: Path, data: Path | None = None, out: Path = WEIGHTS, **chat: Any) -> None:
    """Tune the language model as the file says.

    Args:
        chat: ``model``, tuned instead of the one that the file names; ``resume``; ``init_from``.

    Raises:
        TuneError: the file, its stage or a key is unknown, or no model is named.
    """
    settings = _read(config)
    if os.environ.get("RANK", "0") == "0":
        print("tuning: loads its data and model, which can take minutes", flush=True)
    _chat(settings, data or data_root() / "clothing_cc0", out, **chat)
