"""What the evidence tower is asked, what is right, how answers are measured, and the files that hold the tower."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from finetune.data.details import details_of
from finetune.data.photosets import ATTRIBUTES
from finetune.embedded.tower import score
from listing.observe.networks.item_types import type_of
from listing.taxonomy import load_taxonomy

ARCHITECTURE = "tf_efficientnet_lite2"
TUNED = load_taxonomy().tuned()  # the categories that it tells apart
ONE_OF = ("label", "item_type", "colour2", *ATTRIBUTES)  # heads with one answer: softmax
ANY_OF = ("condition", "details")  # heads with any number of answers: sigmoid
NONE = "none"  # no second colour
WEAK_KEYS = ("material", "audience")
LEAST = {"details": 10, "item_type": 6, "condition": 5}  # training photos that an answer needs


def annotate(rows: list[dict[str, Any]]) -> None:
    """Add ``item_type`` (of the annotated item), ``details``, and which details are ``unsettled`` to each row.

    Its colours become the finer annotation's: the largest one, and the next or ``NONE``.
    """
    for row in rows:
        row["colour"], row["colour2"] = (*row["c"], NONE)[:2]
        row["item_type"] = type_of(row["item"])
        row["details"], row["unsettled"] = details_of(row)


def vocabularies(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Answers of each head, in a fixed order; rare ones are left out where ``LEAST`` says so."""
    values: dict[str, list[str]] = {}
    for name in (*ONE_OF, *ANY_OF):
        counts: dict[str, int] = {}
        for row in rows:
            for value in row[name] if name in ANY_OF else [row[name]]:
                if value is not None and value != "none-visible":
                    counts[value] = counts.get(value, 0) + 1
        values[name] = sorted(v for v, n in counts.items() if n >= LEAST.get(name, 1))
    return values


def targets(
    rows: list[dict[str, Any]], values: dict[str, list[str]], weak: float = 0.4
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(targets, weights) per head: class indices and [n], or 0/1 and [n, answers].

    A guess weighs 0, on weak keys less; a detail that the photo does not settle weighs 0.
    """
    goal, weight = {}, {}
    for name in ONE_OF:
        index = {value: i for i, value in enumerate(values[name])}
        goal[name] = torch.tensor([index.get(row[name], 0) for row in rows])
        is_usable = torch.tensor([row[name] in index and (name != "label" or row["label_ok"]) for row in rows])
        guessed = torch.tensor([name in row["guess"] for row in rows])
        weight[name] = torch.where(guessed, weak if name in WEAK_KEYS else 0.0, 1.0) * is_usable
    for name in ANY_OF:
        goal[name] = torch.tensor([[float(v in row[name]) for v in values[name]] for row in rows])
        weight[name] = torch.ones_like(goal[name])
    weight["details"] = torch.tensor([[float(v not in row["unsettled"]) for v in values["details"]] for row in rows])
    return goal, weight


def measure(rows: list[dict[str, Any]], p: dict[str, Tensor], values: dict[str, list[str]]) -> dict[str, float]:
    """Category, attributes (see ``tower.score``), the item type, and details.

    Of these, as many as are there, the likeliest first: which share is there, where the photo settles it.
    """
    closed = {name: p[name] for name in ("label", *ATTRIBUTES) if name in p}
    scores = score([{**row, "condition": ["none-visible"]} for row in rows], closed, values)
    types = [values["item_type"][i] for i in p["item_type"].argmax(1).tolist()]
    types_right = [(t == row["item_type"]) for t, row in zip(types, rows, strict=True) if row["item_type"]]
    goal, weight = (each["details"] for each in targets(rows, values))
    order = (p["details"] * weight).flatten().argsort(descending=True)[: int(goal.sum())]
    return {
        **scores,
        "item_type": round(float(np.mean(types_right)), 4),
        "details": round(goal.flatten()[order].mean().item(), 4),
    }


def types_by_category(rows: list[dict[str, Any]], values: dict[str, list[str]]) -> dict[str, list[str]]:
    """The specific types that a category's training photos have, each at least twice."""
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        if row["item_type"] in values["item_type"]:
            counts.setdefault(row["label"], {}).setdefault(row["item_type"], 0)
            counts[row["label"]][row["item_type"]] += 1
    return {label: sorted(t for t, n in types.items() if n >= 2) for label, types in sorted(counts.items())}


def save(
    state: dict[str, Tensor], values: dict[str, list[str]], types: dict[str, list[str]], side: int, folder: Path
) -> None:
    """Write ``eyes.safetensors`` (16-bit, batch-norm statistics in 32-bit) and ``eyes.json``, each in one rename."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: (t if "running_" in name or not t.is_floating_point() else t.half()).contiguous()
        for name, t in state.items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(tensors, folder / "eyes.tmp")
    (folder / "eyes.tmp").replace(folder / "eyes.safetensors")
    facts = {"architecture": ARCHITECTURE, "side": side, "any_of": list(ANY_OF), "values": values, "types": types}
    (folder / "eyes.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
