"""Questions of the evidence tower: vocabularies, targets, measures, and the files that hold the tower."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.training import tower
from finetune.data.details import details_of
from finetune.data.photosets import ATTRIBUTES
from listing.details import type_of
from listing.taxonomy import load_taxonomy

ARCHITECTURE = "tf_efficientnet_lite2"
TUNED = load_taxonomy().tuned()  # the categories that it tells apart
ONE_OF = ("label", "item_type", "colour2", *ATTRIBUTES)  # heads with one answer: softmax
ANY_OF = ("condition", "details")  # heads with any number of answers: sigmoid
NONE = "none"  # no second colour
MIN_PHOTOS = {"details": 10, "item_type": 6, "condition": 5}  # training photos that an answer needs
Row = dict[str, Any]


def annotate(rows: list[Row]) -> None:
    """Add ``item_type`` (of the annotated item), ``details``, and which details are ``unsettled`` to each row.

    Its colours become the finer annotation's: the largest one, and the next or ``NONE``.
    """
    for row in rows:
        row["colour"], row["colour2"] = (*row["c"], NONE)[:2]
        row["item_type"] = type_of(row["item"])
        row["details"], row["unsettled"] = details_of(row)


def vocabularies(rows: list[Row]) -> dict[str, list[str]]:
    """Answers of each head, in a fixed order; rare ones are left out where ``MIN_PHOTOS`` says so."""
    values: dict[str, list[str]] = {}
    for name in (*ONE_OF, *ANY_OF):
        counts: dict[str, int] = {}
        for row in rows:
            for value in row[name] if name in ANY_OF else [row[name]]:
                if value is not None and value != "none-visible":
                    counts[value] = counts.get(value, 0) + 1
        values[name] = sorted(v for v, n in counts.items() if n >= MIN_PHOTOS.get(name, 1))
    return values


def targets(rows: list[Row], values: dict[str, list[str]]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(targets, weights) per head, as ``tower.targets``; a detail that the photo does not settle weighs 0."""
    goal, weight = tower.targets(rows, values, one_of=ONE_OF, any_of=ANY_OF)
    weight["details"] = torch.tensor([[float(v not in row["unsettled"]) for v in values["details"]] for row in rows])
    return goal, weight


def measure(rows: list[Row], p: dict[str, Tensor], values: dict[str, list[str]]) -> dict[str, float]:
    """Category, attributes (see ``tower.score``), the item type, and details.

    Of these, as many as are there, the likeliest first: which share is there, where the photo settles it.
    """
    closed = {name: p[name] for name in ("label", *ATTRIBUTES) if name in p}
    scores = tower.score([{**row, "condition": ["none-visible"]} for row in rows], closed, values)
    types = [values["item_type"][i] for i in p["item_type"].argmax(1).tolist()]
    types_right = [(t == row["item_type"]) for t, row in zip(types, rows, strict=True) if row["item_type"]]
    goal, weight = (each["details"] for each in targets(rows, values))
    order = (p["details"] * weight).flatten().argsort(descending=True)[: int(goal.sum())]
    return {
        **scores,
        "item_type": round(float(np.mean(types_right)), 4),
        "details": round(goal.flatten()[order].mean().item(), 4),
    }


def types_by_category(rows: list[Row], values: dict[str, list[str]]) -> dict[str, list[str]]:
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
    """Write ``eyes.safetensors`` and ``eyes.json``."""
    facts = {"architecture": ARCHITECTURE, "side": side, "any_of": list(ANY_OF), "values": values, "types": types}
    tower.save(state, facts, folder, "eyes")
