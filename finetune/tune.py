"""``./ipl tune CONFIG``: run the stages of a YAML; each ends in weight files that the next one and the launcher use."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import yaml

from finetune.data.photosets import data_root
from finetune.embedded.assemble import WEIGHTS, WHEELS, assemble, unpack
from finetune.errors import TuneError
from listing.hints import did_you_mean
from listing.home import ipl_home


def strict(kind: type, given: Mapping[str, Any], where: str) -> Any:
    """A config dataclass from YAML keys; an unknown key is refused with the nearest valid name."""
    valid = [f.name for f in fields(kind)]
    for key in given:
        if key not in valid:
            hint = did_you_mean(key, valid, f"the keys are: {', '.join(valid)}.")
            raise TuneError(f"{where}: unknown key {key!r}; {hint}")
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})


def _tower(given: Mapping[str, Any], data: Path, out: Path) -> None:
    from finetune.embedded.tower import TowerConfig, train_tower

    scratch = ipl_home() / "unpacked"
    base = unpack(WHEELS["vision"], ipl_home() / "wheels", scratch)
    train_tower(strict(TowerConfig, {**given, "data": str(data), "base": str(base), "out": str(out)}, "stages.tower"))


def _projector(given: Mapping[str, Any], data: Path, out: Path) -> None:
    from finetune.embedded.align import AlignConfig, train_projector

    model = assemble(weights=out, adapter=False, name="ipl-mini-base")
    train_projector(
        strict(AlignConfig, {**given, "data": str(data), "model": str(model), "out": str(out)}, "stages.projector")
    )


def _mllm(given: Mapping[str, Any], data: Path, out: Path, init_from: str = "", resume: bool = False) -> None:
    from finetune.data.tasks import TaskPlan
    from finetune.train.configs import TuneConfig
    from finetune.train.loop import train_mllm
    from finetune.train.processes import processes

    with processes().main_process_first():  # the others find it assembled
        model = given.get("model") or assemble(weights=out, adapter=False, name="ipl-mini-base")
    plan = strict(TaskPlan, given.get("plan") or {}, "stages.mllm.plan")
    given = {**given, "plan": plan, "data": str(data), "model": str(model), "out": str(out)}
    cfg = strict(TuneConfig, given, "stages.mllm")
    train_mllm(replace(cfg, init_from=init_from, resume=resume))


def _chat(
    given: Mapping[str, Any], data: Path, out: Path, init_from: str = "", resume: bool = False, model: str | None = None
) -> None:
    from finetune.train.chat import train_chat
    from finetune.train.configs import ChatConfig
    from finetune.train.loading import EMBEDDED, located
    from finetune.train.processes import processes

    given = {**given, "model": model or given.get("model")}
    if not given["model"]:
        raise TuneError("This config tunes any model: name one with --model, a hub id or a folder.")
    if out == WEIGHTS:  # the embedded model's own weights are no place for another family's
        out = ipl_home() / "tuned" / str(given["model"]).rstrip("/").rpartition("/")[2]
    if given["model"] == EMBEDDED:
        with processes().main_process_first():  # the others find it assembled
            given = {**given, "model": located(EMBEDDED)}
    cfg = strict(ChatConfig, {**given, "data": str(data), "out": str(out)}, "stages.chat")
    train_chat(replace(cfg, init_from=init_from, resume=resume))


STAGES: dict[str, Callable[..., None]] = {"tower": _tower, "projector": _projector, "mllm": _mllm, "chat": _chat}
RESUMABLE = ("mllm", "chat")


def _read(config: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TuneError(f"{config} is no YAML ({str(error).splitlines()[0]}).") from error
    if not isinstance(content, dict) or not isinstance(content.get("stages"), dict):
        raise TuneError(f"{config} has no `stages`; finetune/configs/ipl-mini.yaml shows how they are written.")
    return content


def run_stages(
    config: Path,
    stages: list[str] | None = None,
    data: Path | None = None,
    out: Path = WEIGHTS,
    model: str | None = None,
    **resumable: Any,
) -> None:
    """Run the named stages, by default all, in the file's order.

    Args:
        model: tuned by a ``chat`` stage instead of the one that the file names.
        resumable: ``resume`` and ``init_from`` of the stages that can be resumed.

    Raises:
        TuneError: the file, a stage or a key is unknown, or no stage takes a model.
    """
    if not config.is_file():
        raise TuneError(f"There is no config {config}; the shipped ones lie in finetune/configs.")
    content = _read(config)
    chosen = stages or list(content["stages"])
    if model and "chat" not in chosen:
        raise TuneError(f"{config} makes the embedded model; --model is for configs with a chat stage.")
    for name in chosen:
        if name not in content["stages"] or name not in STAGES:
            raise TuneError(f"{config} has no stage {name!r}; it has: {', '.join(content['stages'])}.")
        extra = resumable if name in RESUMABLE else {}
        extra = {**extra, "model": model} if name == "chat" else extra
        if os.environ.get("RANK", "0") == "0":
            print(f"stage {name}: loads its data and model, which can take minutes", flush=True)
        STAGES[name](content["stages"][name] or {}, data or data_root() / "clothing_cc0", out, **extra)
