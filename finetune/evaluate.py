"""``./ipl evaluate``: category and attributes on the validation senders, arm by arm, with intervals over senders."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.calibrate import cross_fitted, fit, state, write
from finetune.measures import attribute_scores, category_scores, interval
from finetune.opinions import collect
from finetune.photosets import read_annotations
from finetune.splits import split_rows
from listing.attributes import within
from listing.category import decide
from listing.fusion import best
from listing.prompts import UNKNOWN
from listing.taxonomy import Taxonomy, load_taxonomy

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Statement:
    """What an arm says of one photo."""

    category: str
    facts: Mapping[str, str]


def alone(said: Row, source: str, taxonomy: Taxonomy) -> Statement:
    """One source by itself: its likeliest category, its likeliest answer to each question, ``unknown`` unsaid."""
    category, _ = best(said[source]["category" if source == "mllm" else "label"])
    facts = {}
    for attribute in taxonomy.schema(category):
        if attribute.values and attribute.name in said[source]:
            value, _ = best(within(said[source][attribute.name], attribute))
            if value not in (UNKNOWN, attribute.absent):
                facts[attribute.name] = value
    return Statement(category, facts)


def fused_category(said: Row, taxonomy: Taxonomy) -> str:
    """The category of MLLM and classifier together, by the pipeline's own rule (garments only)."""
    opinions = {"mllm": said["mllm"]["category"], "classifier": said["classifier"].get("label", {})}
    decided = decide(opinions, taxonomy)
    return decided.candidates[0].value


def arms(rows: Sequence[Row], said: Sequence[Row], taxonomy: Taxonomy) -> dict[str, list[Statement]]:
    """Statements of every arm. The system's thresholds are cross-fitted over halves of the senders."""
    out = {"mllm": [alone(s, "mllm", taxonomy) for s in said]}
    if all(s["classifier"] for s in said):
        out["classifier"] = [alone(s, "classifier", taxonomy) for s in said]
        system = []
        for opinion, calibration in zip(said, cross_fitted(rows, said, taxonomy), strict=True):
            category = fused_category(opinion, taxonomy)
            facts = {name: value for name, (value, _) in state(opinion, category, calibration, taxonomy).items()}
            system.append(Statement(category, facts))
        out["system"] = system
    return out


def table(rows: Sequence[Row], said: dict[str, list[Statement]]) -> dict[str, dict[str, Any]]:
    """Each arm's measures; intervals (95 %) by bootstrap over senders."""
    out = {}
    for name, statements in said.items():
        categories = [s.category for s in statements]
        facts = [dict(s.facts) for s in statements]

        def accuracy(index: list[int], categories: list[str] = categories) -> float:
            return sum(rows[i]["label"] == categories[i] for i in index) / len(index)

        def micro(index: list[int], facts: list[dict[str, str]] = facts) -> float:
            return float(attribute_scores([rows[i] for i in index], [facts[i] for i in index])["micro_f1"])

        scores = attribute_scores(rows, facts)
        out[name] = {
            **category_scores(rows, categories),
            "accuracy_interval": interval(rows, accuracy),
            **scores,
            "micro_f1_interval": interval(rows, micro, draws=300),
            "colour_precision": _precision(rows, facts, "colour"),
        }
    return out


def _precision(rows: Sequence[Row], facts: Sequence[Mapping[str, str]], name: str) -> float:
    from finetune.measures import judge

    counts = [c for row, f in zip(rows, facts, strict=True) if f.get(name) and (c := judge(row, name, f[name]))]
    return sum(c.right for c in counts) / len(counts) if counts else float("nan")


def evaluate(
    data: Path, model: Path, cache: Path, out: Path | None, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Ask the model about every validation photo (cached), then measure; writes JSON to ``out``."""
    from listing.backends.local import LocalBackend

    taxonomy = load_taxonomy()
    _, rows = split_rows(read_annotations(data))
    backend = LocalBackend(model)
    said = collect(rows, backend, taxonomy, cache)
    measured = table(rows, arms(rows, said, taxonomy))
    results = {"model": backend.name, "photos": len(rows), "arms": measured}
    for name, scores in measured.items():
        low, high = scores["accuracy_interval"]
        say(
            f"{name:10} category {scores['accuracy']:.3f} [{low:.3f}, {high:.3f}]  "
            f"attributes micro {scores['micro_f1']:.3f} macro {scores['macro_f1']:.3f}  "
            f"precision {scores['precision']:.3f} recall {scores['recall']:.3f}  "
            f"colour right of stated {scores['colour_precision']:.3f}"
        )
    if out is not None:
        out.write_text(json.dumps(results, indent=1, default=float) + "\n", encoding="utf-8")
    return results


def calibrate(data: Path, model: Path, cache: Path, folder: Path) -> None:
    """Fit ``calibration.json`` on all validation senders and write it beside the weights."""
    from listing.backends.local import LocalBackend

    taxonomy = load_taxonomy()
    _, rows = split_rows(read_annotations(data))
    said = collect(rows, LocalBackend(model), taxonomy, cache)
    write(fit(rows, said, taxonomy), folder)
