"""Instruction tuning: data, the embedded model's parts, evaluation, training, and the stages of a YAML.

Rooms, each importing only those before it: ``errors``; ``data`` (photos and past listings as tasks); ``embedded``
(the embedded model: assembled from wheels, its tower and projector trained); ``evaluate`` (arms, measures, labels);
``train`` (the language model of any family, by transformers' Trainer); ``tune`` (a YAML's stages).
``safety`` (the learned checks of contacts and goods) stands by itself.

The names below are what other packages use; each is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag_index.lazy import lazy_names

if TYPE_CHECKING:
    from finetune.data.build import SHOWN_SAMPLES, from_annotations, from_listings, write_data
    from finetune.data.past_listings import listing_rows
    from finetune.data.photosets import data_root, read_annotations
    from finetune.data.tasks import TaskPlan
    from finetune.embedded.assemble import WEIGHTS
    from finetune.embedded.untuned import untuned_model
    from finetune.errors import DataError, TuneError
    from finetune.evaluate.arms.table import ARMS
    from finetune.evaluate.cached_model import weights_stamp
    from finetune.evaluate.evaluation import (
        QUICK_ARMS,
        EvaluationPlan,
        gather_material,
        run_evaluation,
        write_calibration,
    )
    from finetune.evaluate.hallucination import label_report, read_labels, write_sheet
    from finetune.train.merge import merge
    from finetune.tune import run_stages

__all__ = [
    "ARMS",
    "QUICK_ARMS",
    "SHOWN_SAMPLES",
    "WEIGHTS",
    "DataError",
    "EvaluationPlan",
    "TaskPlan",
    "TuneError",
    "data_root",
    "from_annotations",
    "from_listings",
    "gather_material",
    "label_report",
    "listing_rows",
    "merge",
    "read_annotations",
    "read_labels",
    "run_evaluation",
    "run_stages",
    "untuned_model",
    "weights_stamp",
    "write_calibration",
    "write_data",
    "write_sheet",
]

__getattr__ = lazy_names(
    __name__,
    {
        "data.build": "SHOWN_SAMPLES from_annotations from_listings write_data",
        "data.past_listings": "listing_rows",
        "data.photosets": "data_root read_annotations",
        "data.tasks": "TaskPlan",
        "embedded.assemble": "WEIGHTS",
        "embedded.untuned": "untuned_model",
        "errors": "DataError TuneError",
        "evaluate.arms.table": "ARMS",
        "evaluate.cached_model": "weights_stamp",
        "evaluate.evaluation": "QUICK_ARMS EvaluationPlan gather_material run_evaluation write_calibration",
        "evaluate.hallucination": "label_report read_labels write_sheet",
        "train.merge": "merge",
        "tune": "run_stages",
    },
)
