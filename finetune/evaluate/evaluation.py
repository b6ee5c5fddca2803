"""``./ipl evaluate``: what drafts would state of photos with known answers, arm by arm, with intervals over senders.

Closed choices are judged on all validation photos, free text on a fixed hundred of them. Everything that a model says
is kept, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data.photosets import read_annotations
from finetune.data.splits import split_rows
from finetune.errors import DataError
from finetune.evaluate.arms.material import Material, Row
from finetune.evaluate.arms.statement import Statement
from finetune.evaluate.arms.system import category_of
from finetune.evaluate.arms.table import ARMS
from finetune.evaluate.cached_model import CachedModel
from finetune.evaluate.calibrate import fit, fit_category, fit_type, write
from finetune.evaluate.drafting import TEXTS, WRITERS, Draft, chosen
from finetune.evaluate.scoring import DRAWS, closed, free
from listing.observe.networks.colour_network import FILE as COLOUR_FILE
from listing.decide.pool import CALIBRATION, Calibration
from listing.taxonomy import load_taxonomy

QUICK_ARMS = ("tuned", "classifier", "system")


@dataclass(frozen=True)
class EvaluationPlan:
    """What is evaluated.

    arms: names of ``ARMS``. rag: versions of the arms that have one, of False (without past listings) and True.
    limit: photos, 0 for all. texts: photos whose texts are judged, 0 for none. draws: of the bootstrap.
    catalogue: folder of the other voice's texts.
    """

    arms: tuple[str, ...] = tuple(ARMS)
    rag: tuple[bool, ...] = (False, True)
    limit: int = 0
    texts: int = TEXTS
    draws: int = DRAWS
    catalogue: Path | None = None


def gather_material(
    data: Path, model: Path | str, base: Callable[[], Path], cache: Path, home: Path, plan: EvaluationPlan
) -> Material:
    """Photos and models of an evaluation; ``base`` is called only when an arm asks that model.

    model: a folder, a hub id or a server's address.
    cache: the file of the tuned model's opinions; everything else is kept beside it.

    Raises:
        DataError: no photo is of a validation sender.
    """
    taxonomy = load_taxonomy()
    train, rows = split_rows(read_annotations(data))
    if plan.limit:
        rows = [rows[i] for i in chosen(rows, plan.limit)]
    if not rows:
        raise DataError(f"{data} has no photo of a validation sender: photos of more senders are needed.")
    embedded = home / "models" / "ipl-mini"
    evidence = Path(model) if (Path(model) / COLOUR_FILE).is_file() else embedded  # as drafts have it
    models = {"tuned": CachedModel(model, cache.parent, taxonomy, cache, evidence)}
    if any("base" in ARMS[name].models for name in plan.arms):
        models["base"] = CachedModel(base(), cache.parent, taxonomy)
    # Where there is no folder, the photos are sorted as drafts do it: by the embedded model's ImageNet head.
    folder = Path(model) if Path(model).is_dir() else embedded
    return Material(rows, train, taxonomy, models, folder, home, cache.parent)


def versions(plan: EvaluationPlan) -> list[tuple[str, str, bool]]:
    """(name in the results, arm, with past listings)."""
    both = [(arm, rag) for arm in plan.arms for rag in (plan.rag if ARMS[arm].rag else (False,))]
    return [(arm + "+rag" * rag, arm, rag) for arm, rag in both]


def run_evaluation(
    material: Material, plan: EvaluationPlan, out: Path | None, report: Callable[[str], None] = print
) -> dict[str, Any]:
    """Statements and texts of every arm, measured; ``out`` is written again after each arm."""
    results: dict[str, Any] = {
        "model": material.models["tuned"].stamp,
        "photos": len(material.rows),
        "senders": len({row["sender_id"] for row in material.rows}),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "arms": {},
    }
    judge_texts = _text_judge(material, plan, results) if plan.texts else None
    for name, arm, rag in versions(plan):
        statements = ARMS[arm].statements(material, rag)
        scores = results["arms"][name] = {"about": ARMS[arm].about, **closed(material.rows, statements, plan.draws)}
        report(line(name, scores))
        if judge_texts is not None and arm in WRITERS:
            scores["text"] = judge_texts(arm, statements)
            for when, measured in scores["text"].items():
                report(text_line(when, measured))
        if out is not None:
            out.write_text(json.dumps(plain(results), indent=1) + "\n", encoding="utf-8")
    return results


def drafts_of(material: Material, arm: str, count: int, rag: bool = False) -> tuple[list[Row], list[Draft]]:
    """(photos, drafts) of one arm, for the texts that are judged."""
    numbers = chosen(material.rows, count)
    statements = ARMS[arm].statements(material, rag)
    return [material.rows[i] for i in numbers], WRITERS[arm](material, statements, numbers)


def _text_judge(
    material: Material, plan: EvaluationPlan, results: dict[str, Any]
) -> Callable[[str, Sequence[Statement]], dict[str, Any]]:
    """Fits the style classifier where the catalogue is there; gives the function that judges an arm's texts."""
    from finetune.evaluate.target_texts import style_classifier

    numbers = chosen(material.rows, plan.texts)
    rows = [material.rows[i] for i in numbers]
    style = None
    if plan.catalogue is not None and (plan.catalogue / "text_44k.parquet").is_file():
        style = style_classifier(material.train, material.rows, plan.catalogue, material.taxonomy)
        results["style_classifier_held_out_accuracy"] = style.held_accuracy
    results["texts"] = len(rows)

    def judged(arm: str, statements: Sequence[Statement]) -> dict[str, Any]:
        drafts = WRITERS[arm](material, statements, numbers)
        texts = {"before": [d.before for d in drafts], "after": [d.after for d in drafts]}
        return {when: free(rows, part, style, material.taxonomy, plan.draws) for when, part in texts.items()}

    return judged


def line(name: str, scores: Mapping[str, Any]) -> str:
    """One arm's closed choices in one line."""

    def shown(key: str) -> str:
        low, high = scores["intervals"][key]
        return f"{scores[key]:.3f} [{low:.3f}, {high:.3f}]"

    return (
        f"{name:26} category {shown('category_accuracy')} macro {scores['category_macro_f1']:.3f}  "
        f"attributes micro {shown('micro_f1')} macro {scores['macro_f1']:.3f}  "
        f"precision {scores['precision']:.3f} recall {scores['recall']:.3f}  "
        f"ECE {scores['category_ece']:.3f} / {scores['attribute_ece']:.3f}  "
        f"colour right of stated {scores['by_attribute']['colour']['precision']:.3f}"
    )


def text_line(when: str, scores: Mapping[str, Any]) -> str:
    """One arm's texts in one line."""
    voice = f"platform's voice {scores['platform_voice']:.2f}  " if "platform_voice" in scores else ""
    return (
        f"  texts {when:7} ROUGE-L title {scores['rouge_l_title']:.3f} "
        f"description {scores['rouge_l_description']:.3f}  "
        f"{voice}distinct-2 {scores['distinct_2']:.2f}  words {scores['words']:.1f}  "
        f"by rule: H_ins {scores['automatic_h_ins']:.3f} H_doc {scores['automatic_h_doc']:.3f} "
        f"coverage {scores['automatic_coverage']:.3f}"
    )


def plain(value: Any) -> Any:
    """The value for JSON: what is not a number becomes null."""
    if isinstance(value, Mapping):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value


def write_calibration(material: Material, place: Path) -> Path:
    """Fit a calibration on all validation senders and write it: to a file, or as ``calibration.json`` into a folder."""
    file = place / CALIBRATION if place.is_dir() else place
    predictions, eyes = material.predictions("tuned"), material.models["tuned"].eyes
    questions = dict(fit(material.rows, predictions, material.taxonomy, near=material.near).questions)
    if "category" not in questions:
        pairs = zip(predictions, material.image_views, strict=True)
        categories = [category_of(said, seen, material.taxonomy) for said, seen in pairs]
        right = [found.value == row["label"] for found, row in zip(categories, material.rows, strict=True)]
        questions["category"] = fit_category([found.confidence for found in categories], right)
    if eyes is not None:
        questions["item_type"] = fit_type(material.rows, predictions, eyes.types)
    write(Calibration(questions=questions), file)
    return file
